"""PURE  The names under which dealers' systems write a field, strongest first.

Names are in normal form (letters and digits only, lower case: see ``mapping.normalise``), and
match whole, never in part: ``Unit Cost``, ``VIN Leads``, ``Proof point: MSRP`` are no field.
Sources: the headers of 444 real files and of published feed specifications, and every name
that the platform's documents and code have used.

Left out on purpose, to be configured where they are meant (``[feed.columns]``):
* ``id``, ``vehicle_id``, ``lot number`` for the stock number: database keys as a rule;
* list and retail prices, cost, invoice, wholesale, book value for the price.
"""

import re

_NAMES = {
    "vin": (
        "vin vinnumber vinno vehiclevin vehicleidentificationnumber vehiclesvinnumber "
        "chassisnumber chassis chasisnum"
    ),
    "stock_number": (
        "stocknumber stock stockno stockid stocknumer yourstocknumber vehiclesstocknumber "
        "vehicleskpstocknumber"
    ),
    "make": ("make manufacturer brand vehiclemake makename vehiclesmake"),
    "model": ("model modelname vehiclemodel carmodel vehiclesmodel modelgroup"),
    "year": ("year modelyear vehicleyear yr bikeyear vehiclesyear mfgyear yearofmanufacture"),
    "trim": (
        "trim trimlevel series seriesdetail badge variant style version vehiclestrim "
        "modeldetail variantraw"
    ),
    "exterior_color": (
        "exteriorcolor extcolor exteriorcolour extcolour colour color exterior colorexterior "
        "extcolor1 vehiclesexteriorcolor oemcolornameexterior extcolorgeneric "
        "exteriorcolorgeneric exteriorcolorsimple"
    ),
    "interior_color": (
        "interiorcolor intcolor interiorcolour intcolour interior colorinterior "
        "vehiclesinteriorcolor oemcolornameinterior intcolorgeneric interiorcolorsimple"
    ),
    "mileage": (
        "mileage odometer miles mileagevalue kilometres kilometers kms km odometerreading "
        "vehiclesmileagecurrent"
    ),
    "price": (
        "sellingprice internetprice saleprice price askingprice dealerprice ourprice "
        "pricecurrent vehicleprice vehiclespriceasking priceusd formattedprice"
    ),
    "msrp": ("msrp vehiclemsrp originalmsrp basemsrp"),
    "body_style": (
        "bodystyle body bodytype vehiclebodystyle vehiclesbodystyle type bodystyleraw vehicletype"
    ),
    "transmission": (
        "transmission transmissiondescription trans transmissiontype vehiclestransmission "
        "tramsission tranmission"
    ),
    "engine": (
        "engine enginedescription enginedesc engdesc vehiclesenginedescription enginetype "
        "enginesize enginedisplacement"
    ),
    "fuel_type": ("fueltype fuel vehiclesfueltype vehicfueltype fueltype1 fueltypeshort"),
    "drivetrain": (
        "drivetrain drivetraindesc drive drivetype driveline drivewheelconfiguration "
        "vehiclesdrivetype"
    ),
    "features": (
        "features options optionlist equipment vehicleoption vehiclefeaturesdetails "
        "categorizedoptions"
    ),
    "description": (
        "description comments comment1 vehiclecomments vehicledescription dealercomments "
        "webaddescription descriptions autowriterdescription freetext title"
    ),
    "images": (
        "imagelist photourllist photos photourls imageurls images allimages photolinks photourl "
        "imageurl physicalimages picturerefs"
    ),
    "status": (
        "status inventorystatus vehiclestatus stockstatus availability disposition dmsstatus "
        "unitstatus"
    ),
    "url": (
        "vehicledetaillink vdpurl websitevdpurl vehicleurl url link vdplink vdp listingurl "
        "detailurl detailpageurl vehicledetailspage externalurl externallink weburl vechileurl "
        "moreinfo"
    ),
    "doors": ("doors doorcount bodydoorct vehiclesdoors"),
    "condition": (
        "newused stocktype type condition vehiclecondition neworused stateofvehicle newusedtype "
        "typenewused vehicleconditionstocktype inventorytype conditon status inventorystatus "
        "vehiclestatus stockstatus"
    ),
    "vehicle_type": ("vehicletype"),
    "image_type": ("imagetype"),
}
#: Field -> its names.  The order is that in which a row's cells are tried.
ALIASES = {field: tuple(names.split()) for field, names in _NAMES.items()}

#: One picture each, or the rest of a set: collected together where no column holds a list.
_IMAGE_PARTS = (
    "mainphoto keyphoto primaryimage primaryimageurl imagelink image photo additionalimagelink "
    "additionalimages additionalphotos extraphotos"
)
IMAGE_PARTS = tuple(_IMAGE_PARTS.split())

#: ``image[0].url``, ``Photo 1``, ``image_3_uri``: taken in the order of their numbers.
NUMBERED_IMAGE = re.compile(r"(?:image|img|photo|picture)(?:url)?([0-9]{1,3})(?:url|uri|link)?\Z")

#: A column beside the mileage that says in which unit it is.
MILEAGE_UNITS: tuple[str, ...] = ("mileageunit", "odometerunit", "mileageunits", "odometerunits")

#: Prices that are never taken unless configured.  A file that has one has a price of its own,
#: so MSRP does not stand in for it.
_OTHER_PRICES = (
    "listprice retailprice retailvalue retail discountedprice specialprice specialpriceamount "
    "otherprice regularprice"
)
OTHER_PRICES = tuple(_OTHER_PRICES.split())

#: Headers that are no field but tell that a line is a header line.
_OTHER_KNOWN = (
    "advertisername age bookvalue certified certifiedpreowned citympg cylinders dateinstock "
    "dealerid dealername dealershipname enginecylinders highwaympg inventorydate invoice "
    "latitude location longitude modelcode modelnumber photocount storecode vehicleid videourl"
)
OTHER_KNOWN = tuple(_OTHER_KNOWN.split())

KNOWN_PRICES = frozenset((*ALIASES["price"], *OTHER_PRICES))
KNOWN = frozenset(name for names in ALIASES.values() for name in names).union(
    MILEAGE_UNITS, OTHER_PRICES, IMAGE_PARTS, OTHER_KNOWN
)

#: Cells that say New or Used, whatever the column is called.
_NEW_OR_USED = (
    "carbravo certified certifiedpreowned certifiedused cpo dealerdemo demo n new newcar "
    "newvehicle preowned preownedcertified u used usedcar usedvehicle"
)
NEW_OR_USED = frozenset(_NEW_OR_USED.split())

#: Cells of a ``Vehicle Type`` column that names bodies rather than categories.
_BODIES = (
    "cabriolet convertible coupe crossover hatchback minivan pickup pickuptruck roadster sedan "
    "sportutility suv suvs truck van wagon"
)
BODIES = frozenset(_BODIES.split())

#: Headers whose values decide whether they say New/Used; ``None``: else they are no field.
NEW_OR_USED_ELSE: dict[str, str | None] = {
    "type": "body_style",
    "condition": None,
    "conditon": None,
    "vehiclecondition": None,
    "status": "status",
    "inventorystatus": "status",
    "vehiclestatus": "status",
    "stockstatus": "status",
}
#: Names that take ``Series`` out of the running for the trim.
TRIM_OWNERS = frozenset({"trim", "trimlevel", "badge"})
