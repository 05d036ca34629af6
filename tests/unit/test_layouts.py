"""Every header line and every spelling that the reference of real feeds lists.

Layout names and headers are public; there is no dealer's name and no dealer's data in here.
"""

from typing import NamedTuple

import pytest

from ingestd.feed.encode import own_target
from ingestd.feed.mapping import known, map_columns

TARGET = own_target()


class Layout(NamedTuple):
    """A header line, the headers each field must take, and values of the ambiguous ones."""

    name: str
    headers: str
    mapping: str
    values: dict[str, str]


LAYOUTS = (
    Layout(
        "HomeNet IOL",
        "Dealer ID|Type|Stock|VIN|Year|Make|Model|Body|Trim|ModelNumber|Doors|"
        "ExteriorColor|InteriorColor|EngineCylinders|EngineDisplacement|Transmission|"
        "Miles|SellingPrice|MSRP|BookValue|Invoice|Certified|DateInStock|Description|"
        "Options|Categorized Options|Dealer Name|Comment 1|Comment 5|Style_Description|"
        "Ext_Color_Generic|Ext_Color_Code|Int_Color_Generic|Int_Color_Code|"
        "Int_Upholstery|Engine_Block_Type|Engine_Aspiration_Type|Engine_Description|"
        "Transmission_Speed|Transmission_Description|Drivetrain|Fuel_Type|CityMPG|"
        "HighwayMPG|EPAClassification|Wheelbase_Code|Internet_Price|Misc_Price1|"
        "Misc_Price3|Factory_Codes|MarketClass|PassengerCapacity|ExtColorHexCode|"
        "IntColorHexCode|EngineDisplacementCubicInches|Website VDP URL|ImageList|"
        "DateModified|DateCreated",
        "vin=VIN|stock_number=Stock|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=ExteriorColor+Ext_Color_Generic|"
        "interior_color=InteriorColor+Int_Color_Generic|mileage=Miles|"
        "price=SellingPrice+Internet_Price|msrp=MSRP|body_style=Body|"
        "transmission=Transmission+Transmission_Description|"
        "engine=Engine_Description+EngineDisplacement+Engine_Block_Type+EngineCylinders|"
        "fuel_type=Fuel_Type|drivetrain=Drivetrain|"
        "features=Options+Categorized Options|description=Description+Comment 1|"
        "images=ImageList|url=Website VDP URL|doors=Doors|condition=Type",
        {"Type": "New"},
    ),
    Layout(
        "vAuto feed",
        "DealerId|Stock #|VIN|New/Used|Year|Make|Model|Model Code|Body|Transmission|"
        "Series|Series Detail|Door Count|Odometer|Engine Cylinder Ct|"
        "Engine Displacement|Drivetrain Desc|Colour|Interior Color|Price|MSRP|"
        "Inventory Date|Certified|Description|Features|City MPG|Highway MPG|"
        "Photo Count|Photos|Photos Last Modified Date|Dealer Name|Engine|Fuel|Age",
        "vin=VIN|stock_number=Stock #|make=Make|model=Model|year=Year|"
        "trim=Series+Series Detail|exterior_color=Colour|interior_color=Interior Color|"
        "mileage=Odometer|price=Price|msrp=MSRP|body_style=Body|"
        "transmission=Transmission|"
        "engine=Engine+Engine Displacement+Engine Cylinder Ct|fuel_type=Fuel|"
        "drivetrain=Drivetrain Desc|features=Features|description=Description|"
        "images=Photos|doors=Door Count|condition=New/Used",
        {"Photos": "https://a.example/1|https://a.example/2"},
    ),
    Layout(
        "vAuto feed, other variant",
        "DealerId|Stock #|VIN|New/Used|Year|Make|Model|Photo Url List|Body Door Ct|"
        "Model Number|Invoice|Book Value|Other Price|Vehicle Detail Link|Disposition",
        "vin=VIN|stock_number=Stock #|make=Make|model=Model|year=Year|"
        "images=Photo Url List|status=Disposition|url=Vehicle Detail Link|"
        "doors=Body Door Ct|condition=New/Used",
        {},
    ),
    Layout(
        "vAuto grid export",
        "Vehicle|Stock #|VIN|Odometer|Color|Certified|Age|List Price|Book|"
        "Cost To Market|MMR Wholesale|Autowriter Description|Photos|Deleted Date",
        "vin=VIN|stock_number=Stock #|make=Vehicle|model=Vehicle|year=Vehicle|"
        "trim=Vehicle|exterior_color=Color|mileage=Odometer|"
        "description=Autowriter Description",
        {"Vehicle": "2019 Honda Accord EX-L", "Photos": "24"},
    ),
    Layout(
        "MAX Digital",
        "Year|Make|Model|Trim|Drivetrain|Segment|Certified|Certified Program|"
        "Stock Number|VIN|Key Photo|DMS Status|Lot Location|Age|Mileage|Color|Price|"
        "MSRP|Unit Cost",
        "vin=VIN|stock_number=Stock Number|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=Color|mileage=Mileage|price=Price|msrp=MSRP|"
        "drivetrain=Drivetrain|images=Key Photo|status=DMS Status",
        {"DMS Status": "In Stock"},
    ),
    Layout(
        "Dealer.com",
        "Provider ID|VIN|Stock Number|Year|Make|Model|Trim Level|Doors|Body Style|"
        "Transmission|Mileage|Exterior Color|Exterior Color Code|Interior Color|"
        "Interior Color Code|Engine|Engine Size|Model Code|Certified|Retail Value|"
        "Invoice Price|Asking Price|Wholesale Price|MSRP|Sale Price|Type|Options|"
        "Options Codes|Comments|Photo Url List|Package Code|Fuel|Driveline|R/W|Status|"
        "Cost|Video Url|Age|Misc|Dealer Discounted|Total Rebates",
        "vin=VIN|stock_number=Stock Number|make=Make|model=Model|year=Year|"
        "trim=Trim Level|exterior_color=Exterior Color|interior_color=Interior Color|"
        "mileage=Mileage|price=Sale Price+Asking Price|msrp=MSRP|body_style=Body Style|"
        "transmission=Transmission|engine=Engine+Engine Size|fuel_type=Fuel|"
        "drivetrain=Driveline|features=Options|description=Comments|"
        "images=Photo Url List|status=Status|doors=Doors|condition=Type",
        {"Type": "Used", "Status": "live"},
    ),
    Layout(
        "LotLinx",
        "Vin|Year|Make|Model|Trim|Price|Miles|Condition|BodyStyle|ImageUrls|"
        "Transmission|FuelType|Drive|ExteriorColor|InteriorColor|Doors|Cylinders|"
        "Description|Options|DealerId|DealerName|Address|City|State|Zip|Url|Certified|"
        "Latitude|Longitude|Dma|Radius|Payout|Priority|Dol",
        "vin=Vin|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=ExteriorColor|interior_color=InteriorColor|mileage=Miles|"
        "price=Price|body_style=BodyStyle|transmission=Transmission|engine=Cylinders|"
        "fuel_type=FuelType|drivetrain=Drive|features=Options|description=Description|"
        "images=ImageUrls|url=Url|doors=Doors|condition=Condition",
        {"Condition": "New"},
    ),
    Layout(
        "Google vehicle ads",
        "id|VIN|store_code|dealership_name|dealership_address|condition|price|"
        "vehicle_msrp|make|model|trim|year|mileage|image_link|additional_image_link|"
        "link|body_style|engine|fuel|transmission|exterior_color|interior_color|"
        "certified_pre_owned|date_in_stock|vehicle_option",
        "vin=VIN|make=make|model=model|year=year|trim=trim|"
        "exterior_color=exterior_color|interior_color=interior_color|mileage=mileage|"
        "price=price|msrp=vehicle_msrp|body_style=body_style|transmission=transmission|"
        "engine=engine|fuel_type=fuel|features=vehicle_option|"
        "images=image_link+additional_image_link|url=link|condition=condition",
        {"condition": "used"},
    ),
    Layout(
        "Meta automotive",
        "vehicle_id|title|description|url|make|model|year|mileage.value|mileage.unit|"
        "image[0].url|image[1].url|transmission|fuel_type|body_style|drivetrain|vin|"
        "condition|price|address|exterior_color|sale_price|availability|"
        "date_first_on_lot|state_of_vehicle|latitude|longitude|image_link|"
        "additional_image_link|address.addr1",
        "vin=vin|make=make|model=model|year=year|exterior_color=exterior_color|"
        "mileage=mileage.value|price=sale_price+price|body_style=body_style|"
        "transmission=transmission|fuel_type=fuel_type|drivetrain=drivetrain|"
        "description=description+title|"
        "images=image_link+additional_image_link+image[0].url+image[1].url|"
        "status=availability|url=url|condition=state_of_vehicle",
        {"condition": "EXCELLENT", "state_of_vehicle": "New", "title": "2024 Kia Rio"},
    ),
    Layout(
        "DealerCenter",
        "DealerID|DealerName|Address|City|State|Zip|Phone|StockNumber|VIN|Year|Make|"
        "Model|Trim|Odometer|Price|Exterior Color|InteriorColor|Transmission|PhotoURLs|"
        "WebAdDescription|VDP|FuelType|Description|LatestPhotoModifiedDate",
        "vin=VIN|stock_number=StockNumber|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=Exterior Color|interior_color=InteriorColor|mileage=Odometer|"
        "price=Price|transmission=Transmission|fuel_type=FuelType|"
        "description=Description+WebAdDescription|images=PhotoURLs|url=VDP",
        {},
    ),
    Layout(
        "sMedia export",
        "stock_number|vin|stock_type|title|year|make|model|trim|price|body_style|"
        "engine|transmission|exterior_color|interior_color|kilometres|all_images|url|"
        "certified|deleted",
        "vin=vin|stock_number=stock_number|make=make|model=model|year=year|trim=trim|"
        "exterior_color=exterior_color|interior_color=interior_color|"
        "mileage=kilometres|price=price|body_style=body_style|"
        "transmission=transmission|engine=engine|description=title|images=all_images|"
        "url=url|condition=stock_type",
        {"title": "2024 Kia Rio"},
    ),
    Layout(
        "Silver Fox",
        "Vin|Stock|Type|Year|Make|Model|Trim|Ext Color|Status|Price|Body Style|"
        "Fuel Type|MSRP|Date In Stock|Street Address|Locality|Postal Code|Region|"
        "Country|Location|Vechile URL",
        "vin=Vin|stock_number=Stock|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=Ext Color|price=Price|msrp=MSRP|body_style=Body Style|"
        "fuel_type=Fuel Type|status=Status|url=Vechile URL|condition=Type",
        {"Type": "CarBravo", "Status": "In-Service FCTP"},
    ),
    Layout(
        "Autoxloo",
        "stock|title|vin|year|make|model|trim|free_text|type|body|mileage|"
        "price_current|price_wholesale|price_cost|InternetPrice|MSRP|BookValue|"
        "exterior|interior|doors|engine|transmission|drive_type|fuel_type|warranty",
        "vin=vin|stock_number=stock|make=make|model=model|year=year|trim=trim|"
        "exterior_color=exterior|interior_color=interior|mileage=mileage|"
        "price=InternetPrice+price_current|msrp=MSRP|body_style=body|"
        "transmission=transmission|engine=engine|fuel_type=fuel_type|"
        "drivetrain=drive_type|description=free_text|doors=doors|condition=title",
        {"title": "Used", "type": "Car", "body": "Sedan"},
    ),
    Layout(
        "Fullpath",
        "Vin|Stock|Year|Make|Model|Trim|Condition|Certified|Vdp|Photo_url_list|Color|"
        "Price|mileage|MSRP|On_lot_since|Days-on-lot|Location|Extra",
        "vin=Vin|stock_number=Stock|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=Color|mileage=mileage|price=Price|msrp=MSRP|"
        "images=Photo_url_list|url=Vdp|condition=Condition",
        {"Condition": "Used"},
    ),
    Layout(
        "DA-Platform",
        "DealerID|StockNumber|VIN|Year|Make|Model|Body|DoorCount|Trim|ExteriorColor|"
        "InteriorColor|EngineDesc|FuelType|Trans|DriveTrain|Odometer|SellingPrice|"
        "ListPrice|Condition|CertifiedPreOwned|PhotoURL|DealerName|DealerPhone|"
        "OptionList|VehicleDescription|StockDate",
        "vin=VIN|stock_number=StockNumber|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=ExteriorColor|interior_color=InteriorColor|mileage=Odometer|"
        "price=SellingPrice|body_style=Body|transmission=Trans|engine=EngineDesc|"
        "fuel_type=FuelType|drivetrain=DriveTrain|features=OptionList|"
        "description=VehicleDescription|images=PhotoURL|doors=DoorCount|"
        "condition=Condition",
        {"Condition": "New"},
    ),
    Layout(
        "Aurora legacy",
        "VIN_NUMBER|STOCK_NUMBER|BODYSTYLE|EXT_COLOR|INT_COLOR|NEW_USED|PHOTOS|"
        "DATE_IN_STOCK|VDP_LINK|INTERNET_PRICE",
        "vin=VIN_NUMBER|stock_number=STOCK_NUMBER|exterior_color=EXT_COLOR|"
        "interior_color=INT_COLOR|price=INTERNET_PRICE|body_style=BODYSTYLE|"
        "images=PHOTOS|url=VDP_LINK|condition=NEW_USED",
        {},
    ),
    Layout(
        "AutoTrader class",
        "DealerId|StockNumber|Year|Make|Model|Trim|VIN|Mileage|Price|ExteriorColor|"
        "InteriorColor|Tranmission|PhysicalImages|Descriptions|BodyType|EngineType|"
        "DriveType|FuelType|Options|ImageURL|VideoURL",
        "vin=VIN|stock_number=StockNumber|make=Make|model=Model|year=Year|trim=Trim|"
        "exterior_color=ExteriorColor|interior_color=InteriorColor|mileage=Mileage|"
        "price=Price|body_style=BodyType|transmission=Tranmission|engine=EngineType|"
        "fuel_type=FuelType|drivetrain=DriveType|features=Options|"
        "description=Descriptions|images=ImageURL+PhysicalImages",
        {},
    ),
    Layout(
        "Reynolds",
        "StockNumber|NewUsed|BikeYear|Make|Model|VIN|Color|Odometer|BikeKey|Location|"
        "Conditon|InvoiceDate|ReceivedDate|Freight|DSRP|MSRP|PartsInstalled|"
        "OnHoldNumber|UnitStatus",
        "vin=VIN|stock_number=StockNumber|make=Make|model=Model|year=BikeYear|"
        "exterior_color=Color|mileage=Odometer|price=MSRP|msrp=MSRP|status=UnitStatus|"
        "condition=NewUsed",
        {"Conditon": "Good", "UnitStatus": "In Stock"},
    ),
    Layout(
        "Copart",
        "Id|Yard number|Yard name|Sale Date M/D/CY|Lot number|Vehicle Type|Year|Make|"
        "Model Group|Model Detail|Body Style|Color|VIN|Odometer|Image URL",
        "vin=VIN|make=Make|model=Model Group|year=Year|trim=Model Detail|"
        "exterior_color=Color|mileage=Odometer|body_style=Body Style|images=Image URL|"
        "vehicle_type=Vehicle Type",
        {"Vehicle Type": "V"},
    ),
    Layout(
        "Manheim data set",
        "year|make|model|trim|body|transmission|vin|state|condition|odometer|color|"
        "interior|seller|mmr|sellingprice|saledate",
        "vin=vin|make=make|model=model|year=year|trim=trim|exterior_color=color|"
        "interior_color=interior|mileage=odometer|price=sellingprice|body_style=body|"
        "transmission=transmission",
        {"condition": "44.0"},
    ),
    Layout(
        "Carsnip",
        "Feed_Id|Vehicle_Id|Cap_Id|Make|Model|Variant|Year|Price|FullRegistration|"
        "Mileage|PictureRefs|Vehicle_URL|Colour|FuelType|BodyType|Doors|EngineSize",
        "make=Make|model=Model|year=Year|trim=Variant|exterior_color=Colour|"
        "mileage=Mileage|price=Price|body_style=BodyType|engine=EngineSize|"
        "fuel_type=FuelType|images=PictureRefs|url=Vehicle_URL|doors=Doors",
        {},
    ),
    Layout(
        "Kelkoo",
        "Dealer Ref|Category|Type|Make|Model|Trim|Body|Doors|Colour|Mileage|Postcode|"
        "Fuel|Transmission",
        "make=Make|model=Model|trim=Trim|exterior_color=Colour|mileage=Mileage|"
        "body_style=Body|transmission=Transmission|fuel_type=Fuel|doors=Doors",
        {"Type": "Car"},
    ),
    Layout(
        "Dealer Studio",
        "Stock number*|Car type|Make*|Model*|DAP Price|EGC Price|Badge|Series|"
        "Cylinders|Rego|Rego expiry|Vin|Body|Year*|Odometer|Interior Colour|"
        "Exterior Colour|Location code|Vehicle description|Build date|Dealercomments|"
        "Fuel|Transmission|Doors|Seats|Purchase cost|Features|Certified|Drive|"
        "Engine size",
        "vin=Vin|stock_number=Stock number*|make=Make*|model=Model*|year=Year*|"
        "trim=Badge|exterior_color=Exterior Colour|interior_color=Interior Colour|"
        "mileage=Odometer|body_style=Body|transmission=Transmission|"
        "engine=Engine size+Cylinders|fuel_type=Fuel|drivetrain=Drive|"
        "features=Features|description=Vehicle description+Dealercomments|doors=Doors|"
        "condition=Car type",
        {"Car type": "Used"},
    ),
    Layout(
        "domesticsale, if named",
        "Year|Make|Model|Color|Mileage|Price|City|State|Zip|URL",
        "make=Make|model=Model|year=Year|exterior_color=Color|mileage=Mileage|price=Price|url=URL",
        {},
    ),
    Layout(
        "Kijiji",
        "vendorId|title|description|categoryId|status|url|priceType|price",
        "price=price|description=description+title|status=status|url=url",
        {"status": "active"},
    ),
)

#: Spellings of each field that are understood without any configuration.
SPELLINGS = {
    "vin": (
        "VIN|vin|Vin|VEHICLES_Vin_Number|VIN #|VIN_NUMBER|VIN_No|chasis_num|chassis|"
        "chassis number|vehicle_identification_number|vehiclevin|vin number"
    ),
    "stock_number": (
        "StockNumber|stockNumber|stock_number|Stock #|Stock|Stock Number|Stock number|"
        "stock|StockNumer|STOCK|STOCK_NUMBER|Stock#|Stock_No|Stockno|"
        "VEHICLES___kp_Stock_Number|Your Stock Number|stock_no"
    ),
    "year": (
        "year|Year|modelYear|BikeYear|VEHICLES_Year|Vehicle Year|YEAR|mfg year|"
        "model year|model_year|modelyear|year_of_manufacture|yr"
    ),
    "make": ("Make|make|brand|manufacturer|Manufacturer|MAKE|VEHICLES_Make|Vehicle Make|makeName"),
    "model": (
        "Model|model|car_model|MODEL|Model Group|VEHICLES_Model|Vehicle Model|modelGroup|modelName"
    ),
    "trim": (
        "trim|Trim|Series|Series Detail|version|Badge|Model Detail|Style|TRIM|Trim Level|"
        "VEHICLES_Trim|Variant|badge|modelDetail|series|trim level|variant|variant_raw"
    ),
    "exterior_color": (
        "Color|exteriorColor|ExteriorColor|exterior_color|Colour|color|Exterior Color|"
        "ExtColor|Ext_Color_Generic|ext_color|extcolour|ColorExterior|ExtColor1|extcolor|"
        "EXT_COLOR|Ext Color|Ext_Color|Exterior|Exterior Colour|ExteriorColorGeneric|"
        "OEMColorNameExterior|VEHICLES_Exterior_Color|colour|ext color|exterior|"
        "exterior color|exteriorColorSimple"
    ),
    "interior_color": (
        "InteriorColor|interiorColor|interior_color|Interior Color|IntColor|"
        "Int_Color_Generic|int_color|interior|intcolour|intcolor|Interior|INT_COLOR|"
        "Int_Color|Interior Colour|OEMColorNameInterior|VEHICLES_Interior_Color|"
        "interiorColorSimple"
    ),
    "mileage": (
        "mileage|Mileage|Odometer|Miles|odometer|mileage.value|km|miles|kilometres|KMS|"
        "Kilometers|MILEAGE|MILES|VEHICLES_Mileage_Current|kilometers|odometer_reading"
    ),
    "price": (
        "price|Price|SellingPrice|sale_price|internetPrice|InternetPrice|salePrice|"
        "SalePrice|Internet Price|Internet_Price|askingPrice|asking_price|sellingprice|"
        "Asking Price|Dealer Price|DealerPrice|Formatted Price|INTERNET_PRICE|PRICE|"
        "Sale Price|VEHICLES_Price_Asking|Vehicle Price|ourprice|price usd|price_current|"
        "selling price"
    ),
    "msrp": ("MSRP|msrp|Base MSRP|Msrp|originalmsrp|vehicle_msrp"),
    "body_style": (
        "Body|body_style|bodyStyle|body|BodyStyle|Body Style|vehicleType|BodyType|"
        "Vehicle Type|Body style|Body Type|BODY|BODYSTYLE|Body_Style|VEHICLES_Body_Style|"
        "body_style_raw|body_type|vehicle_type"
    ),
    "transmission": (
        "transmission|Transmission|Transmission_Description|Tramsission|TRANSMISSION|"
        "Tranmission|Trans|TransmissionDescription|TransmissionType|"
        "VEHICLES_Transmission|transmissionGroup"
    ),
    "engine": (
        "engine|Engine|Cylinders|Engine Cylinder Ct|Engine Displacement|"
        "EngineDisplacement|Engine_Description|cylinders|engineSize|eng_desc|ENGINE|"
        "Engine Size|Engine size|EngineCylinders|EngineDesc|EngineDescription|EngineSize|"
        "EngineType|VEHICLES_Engine_Description|engine_size|enginecylinders|"
        "enginedisplacement"
    ),
    "fuel_type": (
        "fuelType|fuel_type|FuelType|Fuel|Fuel Type|fuel|Fuel_Type|Fuel type|FuelType1|"
        "vehic_fuel_type|FUELTYPE|FuelTypeShort|VEHICLES_Fuel_Type"
    ),
    "drivetrain": (
        "drivetrain|Drivetrain|Drivetrain Desc|Drive|DriveTrain|DriveType|driveLine|"
        "drive|DRIVETRAIN|Driveline|Drivetrain |VEHICLES_Drive_Type|drive_type|"
        "drive_wheel_configuration"
    ),
    "features": (
        "Features|Options|options|Categorized Options|features|Equipment|OPTIONS|"
        "OptionList|vehicle_FEATURES_Details|vehicle_option"
    ),
    "description": (
        "description|Description|Comments|Descriptions|Autowriter Description|Comment 1|"
        "DESCRIPTION|DESCRIPTIONS|Dealercomments|Vehicle Description|Vehicle description|"
        "VehicleComments|VehicleDescription|WebAdDescription|comment1|free_text|"
        "vehiclecomments"
    ),
    "images": (
        "images|Images|Photo Url List|ImageList|Photos|image_link|PhotoURL|"
        "additional_image_link|MainPhoto|ImageURLs|Image URL|PhotoUrls|imageUrl|"
        "image[0].url|imageUrls|photo|AdditionalPhotos|ExtraPhotos|Photo|image|"
        "Additional Images|Image Urls|ImageURL|ImageUrls|Key Photo|PHOTOS|PhotoURLs|"
        "Photo_URLs|Photo_url_list|PhysicalImages|PictureRefs|Primary Image|all_images|"
        "image_0_uri|image_url|imagelist|imageurl|photo1|photo_links|primaryimageurl"
    ),
    "status": (
        "Status|availability|status|DMS Status|Disposition|UnitStatus|VEHICLE STATUS|"
        "disposition|inventoryStatus|inventorystatus|stock_status"
    ),
    "condition": (
        "condition|Type|Condition|New/Used|state_of_vehicle|vehicleCondition|Stock Type|"
        "NEW_USED|inventoryType|newOrUsed|newUsed|Vehicle Condition(Stock Type)|Car type|"
        "Conditon|NEW-USED|NU|New / Used|NewUsed|New_Used|Type New/Used|"
        "Vehicle Condition|VehicleCondition|inventory_type|listingType|newused|stockType|"
        "stock_type|type"
    ),
    "doors": ("Doors|doors|Body Door Ct|Door Count|DoorCount|VEHICLES_Doors"),
    "url": (
        "url|listingUrl|link|Vehicle Detail Link|VDP URL|Url|VDPURL|Website VDP URL|"
        "WebsiteVDPURL|vdpURL|external_url|VDP Link|VdpUrl|VehicleDetailsPage|WebUrl|"
        "vdplink|DetailPageUrl|External Link|Listing Url|Listing_URL|URL|VDP|VDP_LINK|"
        "Vdp|Vechile URL|VehicleUrl|Vehicle_URL|detail_url|more_info"
    ),
}

#: Spellings that the reference lists with a field and that are not taken for it: keys of
#: databases, prices to be configured, what a dealer paid, and what the table has no column for.
NOT_TAKEN = {
    "stock_number": (
        "id|vehicle_id|Id|Lot number|Vehicle_Id|external_id|lot|lotId|lot_id|order_num"
    ),
    "interior_color": ("Int_Upholstery|upholstery"),
    "price": (
        "ListPrice|RetailPrice|retailValue|standard_price|RetailPriceAmount|"
        "SpecialPriceAmount|masterprice|regular_price|retail|BottomLinePriceCur|"
        "DAP Price|DISCOUNTED_PRICE|EGC Price|High_Price|List Price|Low_Price|"
        "Other Price|Preferred_Price|PrimaryPriceOrMSRP|Retail Price|Retail Value|amount|"
        "listPrice|total_price"
    ),
    "msrp": ("DSRP|base_price"),
    "body_style": ("Segment|Style_Description"),
    "transmission": ("Transmission_Speed"),
    "features": ("optionCodes|Option Codes|Options Codes|otherOptions|packages|topOptions"),
    "description": ("special_mentions|DepartmentComments"),
    "status": ("Hold Status|Sale Status|Shipping Status|StatusCode|deleted|saleStatus"),
    "condition": ("is_new"),
    "certified": (
        "Certified|certified|CERTIFIED|Certified Program|CertifiedPreOwned|IsCpo|"
        "certified_pre_owned|is_certified"
    ),
    "dealer_id": (
        "DealerId|DealerID|sellerId|store_code|Dealer|DEALERID|Dealer ID|Dealer Id|"
        "Dealer Ref|Dealer_ID|Feed_Id|Location code|Provider ID|dealer_id|dealercode|"
        "dealerid|rooftopid|storeid"
    ),
    "dealer_name": (
        "sellerName|Dealer Name|Location|DealerName|dealership_name|dealer_name|location|"
        "Advertiser Name|Company_Name|seller_name"
    ),
    "date_in_stock": (
        "_firstSeenAt|Inventory Date|DATE_IN_STOCK|DateInStock|inventoryDate|"
        "DATE-IN-STOCK|Date Added|Date In Stock|DateInInventory|DateReceived|"
        "Date_In_Stock|Dol|ListDate|On_lot_since|ReceivedDate|StockDate|date_added|"
        "date_first_on_lot|date_in_stock|dateinstock"
    ),
    "days_in_stock": ("Age|daysOnMarket|Days-on-lot|DaysinInventory"),
    "invoice_cost": (
        "Invoice|Book Value|BookValue|Cost|Unit Cost|BaseCost|Book|Invoice Price|"
        "MMR Wholesale|Purchase cost|PurchasePrice|Wholesale Price|bookvalue|invoice|mmr|"
        "price_cost|price_wholesale"
    ),
    "model_code": ("Model Code|modelCode|Model Number|ModelNumber|model_code"),
    "title": ("title|Title|Vehicle|listingTitle"),
}
#: Values by which a spelling is what it is listed as, where it may be something else.
MEANT = {"condition": "New", "body_style": "SUV"}


def mapped(headers, row):
    return map_columns(headers, [row] if any(row) else [], None, TARGET)


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_a_published_header_line_is_mapped_as_its_layout_says(layout):
    headers = layout.headers.split("|")
    columns = mapped(headers, [layout.values.get(header, "") for header in headers])
    wanted = dict(pair.split("=", 1) for pair in layout.mapping.split("|"))
    assert {field: "+".join(found) for field, found in columns.shown().items()} == wanted


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_a_header_line_is_told_from_rows(layout):
    assert sum(map(known, layout.headers.split("|"))) >= 4


@pytest.mark.parametrize(
    ("field", "header"),
    [(field, header) for field, listed in SPELLINGS.items() for header in listed.split("|")],
)
def test_a_spelling_that_real_feeds_use_is_understood(field, header):
    columns = mapped([header], [MEANT.get(field, "")])
    shown = columns.shown()
    if field in ("price", "msrp"):  # alone, MSRP stands in for the price
        shown = {field: shown[field]}
    assert shown == {field: (header,)}
    assert known(header)


@pytest.mark.parametrize(
    ("field", "header"),
    [(field, header) for field, listed in NOT_TAKEN.items() for header in listed.split("|")],
)
def test_a_spelling_that_means_something_else_is_not_taken(field, header):
    shown = mapped(["VIN", header], []).shown()
    assert set(shown) - {"vin"} <= {"description", "engine"} - {field}


@pytest.mark.parametrize(
    "header",
    [
        *("Proof point: MSRP", "VIN Leads", "Unit Cost", "Photo Count", "Age", "Dealer Make"),
        *("CarGurus SRP Views", "Price Rank Description", "Year to Date Sales", "Model Photo"),
    ],
)
def test_a_header_that_only_holds_a_name_is_no_field(header):
    assert mapped(["VIN", header], []).leftover() == (header,)
