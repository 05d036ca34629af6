"""PURE  The names under which dealers' systems write a field, strongest first.

Names are in normal form (letters and digits only, lower case: see ``spelling``), and
match whole, never in part: ``Unit Cost``, ``VIN Leads``, ``Proof point: MSRP`` are no field.
Sources: the headers of 444 real files and of published feed specifications, and every name
that the platform's documents and code have used.

Left out on purpose, to be configured where they are meant (``[feed.columns]``):
* ``id``, ``vehicle_id``, ``lot number`` for the stock number: database keys as a rule;
* list and retail prices, cost, invoice, wholesale, book value for the price;
* ``Upholstery``, ``Segment``, ``Style_Description``, ``Transmission_Speed``, option codes,
``Sale Status``: near to a field, but something else.
"""

import re

_NAMES = {
    "vin": (
        "vin vinnumber vinno vehiclevin vehicleidentificationnumber vehiclesvinnumber vinnum "
        "vehiclevinnumber fullvin vincode vinserialnumber vinserial vinserialno vinchassis "
        "vinchassisnumber serialnumbervin vehicleidnumber chassisnumber chassisno chasisnum "
        "chassis serialnumber serialno serial niv numerodeserie fahrgestellnummer"
    ),
    "stock_number": (
        "stocknumber stock stockno stockid stocknumer yourstocknumber vehiclesstocknumber "
        "vehicleskpstocknumber stocknum stocknr stk stkno stknumber stknum stocknbr "
        "dealerstocknumber dealerstock vehiclestocknumber stockref stockreference "
        "inventorynumber unitnumber unitno numerodestock nodestock noinventaire nodinventaire "
        "numeroinventaire numerodinventaire numerodeinventario noinventario internenummer unit "
        "inventory inventario"
    ),
    "make": (
        "make manufacturer brand vehiclemake makename vehiclesmake carmake makedescription "
        "brandname manufacturername mfr carbrand mk marque marca marke"
    ),
    "model": (
        "model modelname vehiclemodel carmodel vehiclesmodel modelgroup modeldescription mdl "
        "carline modele modelo modell"
    ),
    "year": (
        "year modelyear vehicleyear yr bikeyear vehiclesyear mfgyear yearofmanufacture modelyr "
        "vehiclemodelyear yearmodel vehiclemodeldate manufactureyear manufacturingyear buildyear "
        "yearbuilt caryear my annee ano baujahr"
    ),
    "trim": (
        "trim trimlevel series seriesdetail badge variant style version vehiclestrim "
        "modeldetail variantraw trimname vehicletrim trimdescription submodel trimpackage trimlvl "
        "derivative finition ausstattungslinie"
    ),
    "exterior_color": (
        "exteriorcolor extcolor exteriorcolour extcolour colour color exterior colorexterior "
        "colourexterior extcolor1 vehiclesexteriorcolor exteriorcolorname exteriorcolordescription "
        "extcolordescription extcolordesc vehicleexteriorcolor vehiclecolor vehiclecolour "
        "colorname oemcolornameexterior extcol exteriorpaint exteriorpaintcolor paintcolor "
        "bodycolor primarycolor extcolormarketingname exteriorcolormarketingname ecolor colorext "
        "extcolorgeneric exteriorcolorgeneric exteriorcolorsimple genericexteriorcolor "
        "baseextcolor baseexteriorcolor exteriorbasecolor couleurexterieure couleur farbe "
        "aussenfarbe cor"
    ),
    "interior_color": (
        "interiorcolor intcolor interiorcolour intcolour interior colorinterior colourinterior "
        "intcolor1 vehiclesinteriorcolor interiorcolorname interiorcolordescription "
        "intcolordescription intcolordesc vehicleinteriorcolor oemcolornameinterior "
        "intcol intcolormarketingname interiorcolormarketingname icolor colorint intcolorgeneric "
        "interiorcolorgeneric interiorcolorsimple genericinteriorcolor baseintcolor "
        "baseinteriorcolor interiorbasecolor couleurinterieure innenfarbe"
    ),
    "mileage": (
        "mileage odometer miles mileagevalue kilometres kilometers kms km odometerreading "
        "vehiclesmileagecurrent vehiclemileage currentmileage odometervalue mileagemi "
        "mileagemiles odometermi odometermiles mileagekm mileagekms odometerkm odometerkms "
        "kilometrage milage odo odom kilometer "
        "kilometre kmdriven kilometersdriven currentodometer actualmileage actualmiles "
        "milesonodometer currentmiles mileagefromodometer "
        "mileagefromodometervalue mlg kilometraje kilometerstand quilometragem"
    ),
    "price": (
        "sellingprice internetprice saleprice price askingprice dealerprice ourprice "
        "pricecurrent vehicleprice vehiclespriceasking priceusd webprice websiteprice "
        "onlineprice advertisedprice currentprice finalprice vehiclesaleprice pricevalue "
        "priceamount salesprice sellprice listingprice advertizedprice adprice askprice asking "
        "publishedprice yourprice eprice internetsaleprice forecourtprice displayprice cashprice "
        "offersprice prix precio preis preco formattedprice"
    ),
    "msrp": (
        "msrp vehiclemsrp originalmsrp totalmsrp basemsrp msrpprice msrpvalue msrpamount msrpamt "
        "totalsrp manufacturersuggestedretailprice pdsf"
    ),
    "body_style": (
        "bodystyle body bodytype vehiclebodystyle vehiclesbodystyle vehiclebody vehiclebodytype "
        "bodydescription bodystylename bodytypename bodyclass style type bodystyleraw carrosserie "
        "carroceria karosserie category vehicletype"
    ),
    "transmission": (
        "transmission transmissiondescription trans transmissiontype vehiclestransmission "
        "tramsission tranmission transmissiondesc transmissionname vehicletransmission gearbox "
        "transtype gearboxtype transmissiondisplay transmissionstyle transmissiongroup "
        "boitedevitesse boitedevitesses transmision transmissao getriebe cambio"
    ),
    "engine": (
        "engine enginedescription enginedesc engdesc vehiclesenginedescription enginetype "
        "enginename vehicleengine enginedescr motor moteur"
    ),
    "fuel_type": (
        "fueltype fuel vehiclesfueltype vehicfueltype fueltype1 fueltypeshort fueltypename "
        "vehiclefueltype enginefueltype fueldescription fueltypeprimary carburant energie "
        "combustible combustivel kraftstoff"
    ),
    "drivetrain": (
        "drivetrain drivetraindesc drive drivetype driveline drivewheelconfiguration "
        "vehiclesdrivetype drivetraindescription drivetraintype drivetypedescription "
        "vehicledrivetrain wheeldrive drivewheels drivenwheels driveconfiguration "
        "drivelinetype wheelsystem wheelsystemdisplay motricite traccion"
    ),
    "features": (
        "features options optionlist equipment vehicleoption vehiclefeaturesdetails "
        "categorizedoptions featurelist featureslist optionslist vehiclefeatures vehicleoptions "
        "installedoptions optiondescriptions featuresandoptions featuresoptions equipmentlist "
        "optionstext majoroptions standardfeatures standardequipment standardoptions keyfeatures "
        "optionalfeatures optionalequipment additionalfeatures equipement equipements "
        "equipamiento ausstattung"
    ),
    "description": (
        "description comments comment1 vehiclecomments vehicledescription dealercomments "
        "webaddescription descriptions autowriterdescription freetext dealercomment comment "
        "webcomments internetcomments dealerdescription sellercomments sellernotes "
        "longdescription addescription desc webdescription internetdescription "
        "marketingdescription publiccomments overview listingdescription "
        "offerdescription adtext listingcontent content descripcion descricao beschreibung title"
    ),
    "images": (
        "imagelist photourllist photos photourls imageurls images allimages photolinks photourl "
        "imageurl physicalimages picturerefs imageurllist photolist imagelinks pictures "
        "pictureurls pictureurl picturelist vehicleimages vehiclephotos imagesurl imagesurls "
        "photosurl photosurls allphotos photolink webphotos pics picurls picurl gallery "
        "galleryimages imageurllinks imagesrc photosurllist fotos imagenes bilder"
    ),
    "status": (
        "status inventorystatus vehiclestatus stockstatus availability disposition dmsstatus "
        "unitstatus lotstatus salesstatus availabilitystatus listingstatus lifecyclestate "
        "offersavailability webstatus salestatus"
    ),
    "url": (
        "vehicledetaillink vdpurl websitevdpurl vehicleurl url link vdplink vdp listingurl "
        "detailurl detailpageurl vehicledetailspage externalurl externallink weburl vechileurl "
        "moreinfo vehiclelink vehicledetailurl vehicledetailsurl vehicledetailpage "
        "vehicledetailpageurl detailsurl detailpage vehiclepageurl "
        "listinglink weblink"
    ),
    "doors": (
        "doors doorcount bodydoorct vehiclesdoors numberofdoors numdoors noofdoors doorct "
        "portes nombredeportes puertas portas turen anzahlturen"
    ),
    "condition": (
        "newused stocktype type condition vehiclecondition neworused stateofvehicle newusedtype "
        "typenewused vehicleconditionstocktype inventorytype conditon newusedflag newusedcode "
        "inventorycondition conditionnewused usedornew newusedcpo newusedcertified newpreowned "
        "itemcondition etat cartype nu listingtype usage category vehicletype status "
        "inventorystatus vehiclestatus stockstatus title"
    ),
    "vehicle_type": "vehicletype",
    "image_type": "imagetype",
}
#: Field -> its names.  The order is that in which a row's cells are tried.
ALIASES = {field: tuple(names.split()) for field, names in _NAMES.items()}

#: One picture each, or the rest of a set: collected together where no column holds a list.
_IMAGE_PARTS = (
    "mainphoto keyphoto primaryimage primaryimageurl primaryphoto primaryphotourl mainimage "
    "mainimageurl mainphotourl mainpictureurl featuredimage coverimage imagelink image photo "
    "additionalimagelink additionalimagelinks additionalimages additionalimageurls "
    "additionalphotos additionalphotourls extraphotos otherimages otherphotos"
)
IMAGE_PARTS = tuple(_IMAGE_PARTS.split())

#: Columns for one address: where there are further columns of images, they are one of these.
LEADING_IMAGES = frozenset({"photourl", "imageurl", "pictureurl", "photolink", "imagesrc"})

#: ``image[0].url``, ``Photo Url 1``, ``image_3_uri``: taken in the order of their numbers.
NUMBERED_IMAGE = re.compile(
    r"(?:vehicle)?(?:additional|extra)?(?:image|img|photo|picture|pic)s?(?:url|link|uri|src)?s?"
    r"(?!360)([0-9]{1,3})(?:url|uri|link|src)?\Z"
)

#: What an engine is made of where no column describes it: displacement, block, cylinders.
DISPLACEMENTS = (
    *("enginedisplacement", "enginesize", "displacement", "enginesizeliters", "liters"),
    *("enginecapacity", "enginecapacitycc", "enginesizecc", "enginecc", "enginesizel"),
    *("enginedisplacementl", "enginedisplacementcc", "displacementl", "displacementcc"),
)
BLOCKS = ("engineblocktype", "engineblock", "enginetypecode")
CYLINDERS = (
    *("enginecylinders", "enginecylinderct", "cylinders", "cylindercount", "enginecylindercount"),
    *("numberofcylinders", "cyl", "cylinder", "enginecyl", "enginecylinder", "noofcylinders"),
    *("numcylinders",),
)

#: Year, make and model in one cell: read where a file has no column for the make.
COMBINED = (
    *("yearmakemodel", "yearmakemodeltrim", "ymm", "ymmt", "vehicle", "vehicletitle"),
    *("vehiclename", "title", "listingtitle", "name", "heading", "unit", "vehicledescription"),
    *("description", "desc"),
)
#: Columns with several fields in one cell: their names, what a cell must have, what it gives.
#: They are read where the file has no column for the first of what they give.
TOGETHER = (
    (COMBINED, ("make", "year"), ("make", "year", "model", "trim")),
    (("makemodel", "makeandmodel", "makemodeltrim"), ("make",), ("make", "model", "trim")),
    (("modeltrim", "modelandtrim"), (), ("model", "trim")),
)

#: A column beside the mileage that says in which unit it is.
MILEAGE_UNITS: tuple[str, ...] = ("mileageunit", "odometerunit", "mileageunits", "odometerunits")

#: Prices that are never taken unless configured.  A file that has one has a price of its own,
#: so MSRP does not stand in for it.
_OTHER_PRICES = (
    "listprice retailprice retailvalue retail discountedprice specialprice specialpriceamount "
    "otherprice regularprice standardprice masterprice retailpriceamount bottomlineprice "
    "bottomlinepricecur dapprice egcprice highprice lowprice preferredprice "
    "primarypriceormsrp totalprice stickerprice suggestedprice miscprice1 miscprice2 miscprice3 "
    "internetspecial driveawayprice"
)
OTHER_PRICES = tuple(_OTHER_PRICES.split())

#: What a file without any other price may mean by its price.
LIKELY_PRICES = frozenset({"listprice", "retailprice", "retailvalue", "retail", "regularprice"})

#: Database keys as a rule, stock numbers where a feed says so.
WEAK_IDENTIFIERS = frozenset(
    {"id", "vehicleid", "lotnumber", "lotid", "lot", "externalid", "ordernum", "unitid"}
)

#: Headers that are no field but tell that a line is a header line.
_OTHER_KNOWN = (
    "address advertisername age bookvalue certified certifiedpreowned certifiedprogram city "
    "citympg companyname cost dateadded datefirstonlot dateinstock datemodified daysinstock "
    "daysonlot dealer dealercode dealerid dealername dealershipaddress dealershipname deleted "
    "enginecylinders extcolorcode exteriorcolorcode factorycodes feedid highwaympg intcolorcode "
    "interiorcolorcode inventorydate invoice invoiceprice iscertified iscpo latitude location "
    "longitude lotlocation marketclass mileageunit modelcode modelnumber onlotsince optioncodes "
    "packagecode passengercapacity photocount photoslastmodifieddate providerid rooftopid "
    "sellername state stockdate storecode storeid styledescription transmissionspeed unitcost "
    "vehicle vehicleid videourl wheelbasecode wholesaleprice zip"
)
OTHER_KNOWN = tuple(_OTHER_KNOWN.split())

KNOWN_PRICES = frozenset((*ALIASES["price"], *OTHER_PRICES))
KNOWN = frozenset(name for names in ALIASES.values() for name in names).union(
    MILEAGE_UNITS,
    OTHER_PRICES,
    IMAGE_PARTS,
    OTHER_KNOWN,
    DISPLACEMENTS,
    BLOCKS,
    CYLINDERS,
    COMBINED[:7],
    *(names for names, _, _ in TOGETHER[1:]),
)

#: Cells that say New or Used, whatever the column is called.
_NEW_OR_USED = (
    "c carbravo certified certifiedpreowned certifiedpreownedvehicle certifiedused cpo dealerdemo "
    "demo demonstrator exdemo gebraucht gebrauchtwagen n nearlynew neu neuf neuwagen new newcar "
    "newcars newcondition newvehicle newvehicles novo nuevo occasion p preowned preownedcertified "
    "preownedvehicle preownedvehicles seminovo seminuevo u usado usage used usedcar usedcars "
    "usedcertified usedcondition usedvehicle usedvehicles"
)
NEW_OR_USED = frozenset(_NEW_OR_USED.split())

#: Cells of a ``Vehicle Type`` column that names bodies rather than categories.
_BODIES = (
    "2dcoupe 2door 2drconvertible 2drcoupe 2drhatchback 2drsuv 4door 4drhatchback 4drsedan "
    "4drsuv 4drwagon 4dsedan 4dsportutility 4dhatchback 4dcrewcab 2dconvertible 4dwagon "
    "cabriolet cargominivan cargovan convertible coupe crewcab crewcabpickup crossover doublecab "
    "dualcab estate extendedcab extendedcabpickup hatch hatchback minivan mpv passengerminivan "
    "passengervan pickup pickuptruck regularcab regularcabpickup roadster saloon sedan "
    "sportutility sportutilityvehicle suv suvs supercrew truck trucks ute van wagon"
)
BODIES = frozenset(_BODIES.split())

#: Headers whose values decide whether they say New/Used; ``None``: else they are no field.
NEW_OR_USED_ELSE: dict[str, str | None] = {
    "type": "body_style",
    "title": "description",
    "cartype": None,
    "nu": None,
    "listingtype": None,
    "condition": None,
    "conditon": None,
    "itemcondition": None,
    "etat": None,
    "usage": None,
    "vehiclecondition": None,
    "status": "status",
    "inventorystatus": "status",
    "vehiclestatus": "status",
    "stockstatus": "status",
}
#: Columns of yes and no: the field they speak of, and what yes and no say of it.
FLAGS: dict[str, tuple[str, str, str]] = {
    "isnew": ("condition", "New", "Used"),
    "isused": ("condition", "Used", "New"),
    **dict.fromkeys(("deleted", "isdeleted", "sold", "issold"), ("status", "sold", "active")),
}
#: A feed in this layout (Kijiji's) states its prices in cents.
PRICED_IN_CENTS = frozenset({"vendorid", "categoryid", "pricetype", "price"})
#: Names that are a field only where four of five cells can be: the chassis of a motor home is its
#: maker's, ``Unit #`` may be a name, of an auction's ``Sale Status`` the words mean bids.
ONLY_IF = {
    **dict.fromkeys(("chassis", "serialnumber", "serialno", "serial", "numerodeserie"), "vin"),
    **dict.fromkeys(("unit", "inventory", "inventario"), "stock_number"),
    "salestatus": "status",
}
#: Words by which a header that holds ``price`` is not the price that a customer is asked.
NOT_ASKED = (
    *("msrp", "invoice", "wholesale", "cost", "purchase", "trade", "auction", "buynow", "reserve"),
    *("lease", "payment", "floor", "book", "kbb", "nada", "market", "bid", "sold", "paid"),
)
#: Names that take ``Series`` out of the running for the trim.
TRIM_OWNERS = frozenset({"trim", "trimlevel", "badge"})
