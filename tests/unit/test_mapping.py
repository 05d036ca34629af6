import pytest

from ingestd.config import Feed
from ingestd.feed.encode import own_target
from ingestd.feed.mapping import (
    known,
    map_columns,
    may_be_price,
    may_be_stock_number,
    no_identifier,
    suggest,
)
from ingestd.vehicle import FIELDS, Column, Target

TARGET = own_target()
SEED_ONLY = Target("seed", tuple(Column(name, name, "text") for name in FIELDS[:20]))

REAL_HEADER = (
    "Condition,Year,Make,Model,VIN,Advertiser Name,Color,Description,Doors,Drivetrain,"
    "Formatted Price,Fuel Type,Image Type,Image URL,Mileage,Price,Title,Transmission,Trim,Type,"
    "URL,Vehicle Type,stock_number"
)
REAL = REAL_HEADER.split(",")


def feed(**options):
    return Feed(name="x", dealership=1, mode="full", **options)


def mapped(headers, *rows, by=None, target=TARGET):
    columns = map_columns(headers, rows, by, target)
    return {field: list(shown) for field, shown in columns.shown().items()}


def real_row(**cells):
    given = {"Condition": "Used", "Type": "SUV", "Vehicle Type": "Car_Truck"} | cells
    return tuple(given.get(header, "x") for header in REAL)


@pytest.mark.parametrize(
    ("field", "headers"),
    [
        ("vin", ["VIN", "vin", "Vin", "VIN #", "VIN_NUMBER", "vehicle_identification_number"]),
        ("stock_number", ["Stock", "StockNumber", "stock_number", "Stock #", "Stock Number*"]),
        ("make", ["Make", "make", "Manufacturer"]),
        ("model", ["Model", "model"]),
        ("year", ["Year", "year", "Model Year"]),
        ("trim", ["Trim", "trim", "Trim Level", "Series"]),
        ("exterior_color", ["ExteriorColor", "Color", "ext_color", "Colour", "Exterior Color"]),
        ("interior_color", ["InteriorColor", "int_color", "Interior"]),
        ("mileage", ["Mileage", "mileage", "Odometer", "Miles", "mileage.value", "KMS"]),
        ("price", ["Price", "price", "sale_price", "SellingPrice", "Formatted Price"]),
        ("msrp", ["MSRP", "msrp"]),
        ("body_style", ["BodyStyle", "Body", "body_style", "Body Type"]),
        ("transmission", ["Transmission", "Tranmission"]),
        ("engine", ["Engine", "Engine Description"]),
        ("fuel_type", ["FuelType", "Fuel", "Fuel Type", "fuel_type"]),
        ("drivetrain", ["Drivetrain", "DriveType", "Drivetrain "]),
        ("features", ["Features", "features", "Options"]),
        ("description", ["Description", "description", "Comments"]),
        ("images", ["Images", "images", "Image URL", "Photo Url List"]),
        ("status", ["Status", "status"]),
        ("url", ["URL", "VDP URL", "Vechile URL"]),
        ("doors", ["Doors", "Door Count"]),
        ("condition", ["Condition", "New/Used", "Stock Type"]),
        ("vehicle_type", ["Vehicle Type"]),
        ("image_type", ["Image Type"]),
    ],
)
def test_every_documented_header_is_understood_alone(field, headers):
    for header in headers:
        assert known(header)
        assert mapped([header])[field] == [header]


def test_every_column_of_the_platforms_real_feed_is_understood_but_the_advertiser():
    columns = map_columns(REAL, [real_row()], None, TARGET)
    assert columns.leftover() == ("Advertiser Name",)
    shown = columns.shown()
    assert shown["price"] == ("Price", "Formatted Price")
    assert "msrp" not in shown
    assert shown["body_style"] == ("Type",)
    assert shown["vehicle_type"] == ("Vehicle Type",)
    assert shown["condition"] == ("Condition",)
    assert shown["description"] == ("Description", "Title")
    assert "status" not in shown
    assert columns.identified()


DOCUMENTED = {
    "inventory-import": "VIN StockNumber Make Model Year Trim ExteriorColor InteriorColor Mileage "
    "Price MSRP BodyStyle Transmission Engine FuelType Drivetrain Features Images",
    "inventory-management": "vin make model year trim body_style msrp sale_price status ext_color "
    "int_color mileage engine transmission drivetrain fuel_type features stock_number "
    "description images",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_column_of_a_documented_header_is_understood(name):
    columns = map_columns(DOCUMENTED[name].split(), [], None, TARGET)
    assert columns.leftover() == ()
    assert "price" in columns.fields
    assert columns.fields["price"] != columns.fields["msrp"]


@pytest.mark.parametrize(
    "header",
    [
        "Proof point: MSRP",
        "VIN Leads",
        "Unit Cost",
        "Photo Count",
        "Age",
        "Invoice",
        "Book Value",
        "id",
        "CarGurus SRP Views",
        "Price Rank Description",
        "List Price",
        "Retail Price",
        "DateInStock",
    ],
)
def test_a_header_that_only_holds_a_known_name_stays_unmapped(header):
    columns = map_columns(["VIN", header], [], None, TARGET)
    assert columns.leftover() == (header,)


@pytest.mark.parametrize("header", ["Type", "Status", "Condition"])
def test_a_column_of_new_and_used_is_the_condition_whatever_its_name(header):
    rows = [("New",), ("Used",), ("CPO",), ("",), ("Certified Pre-Owned",), ("demo",)]
    assert mapped([header], *rows) == {"condition": [header]}


def test_type_is_the_body_where_its_values_are_bodies():
    assert mapped(["Type"], ("SUV",), ("Sedan",), ("New",)) == {"body_style": ["Type"]}
    assert mapped(["Type"]) == {"body_style": ["Type"]}


def test_type_beside_a_body_column_is_a_second_body_only_where_it_names_bodies():
    assert mapped(["Type", "Body"], ("Car", "Sedan")) == {"body_style": ["Body"]}
    assert mapped(["Type", "Body"], ("SUV", "SUV")) == {"body_style": ["Body", "Type"]}


def test_style_is_the_body_where_it_names_bodies_and_else_the_trim():
    assert mapped(["Style"], ("SUV",)) == {"body_style": ["Style"]}
    assert mapped(["Style"], ("LX",)) == {"trim": ["Style"]}


def test_title_is_the_condition_where_it_says_new_or_used():
    assert mapped(["Title"], ("New",)) == {"condition": ["Title"]}
    assert mapped(["Title"], ("2024 Zeta Eagle",)) == {"description": ["Title"]}


def test_four_of_five_values_decide():
    rows = [("New",)] * 4
    assert mapped(["Type"], *rows, ("SUV",)) == {"condition": ["Type"]}
    assert mapped(["Type"], *rows, ("SUV",), ("SUV",)) == {"body_style": ["Type"]}


def test_condition_that_is_a_quality_is_no_field():
    assert mapped(["Condition"], ("EXCELLENT",), ("GOOD",)) == {}


def test_status_words_make_a_status():
    assert mapped(["Status"], ("In Stock",), ("Sold",)) == {"status": ["Status"]}


def test_photos_that_are_a_count_are_no_images():
    assert mapped(["Photos"], ("12",), ("30",)) == {}
    assert mapped(["Photos"], ("",), ("https://img.lot.example/1",)) == {"images": ["Photos"]}


@pytest.mark.parametrize("header", ["Images", "Key Photo", "Photo", "Photo Url List"])
def test_columns_of_images_that_hold_none_are_no_images(header):
    assert mapped([header], ("Yes",), ("no",), ("4",)) == {}
    assert mapped([header], ("Yes",), ("x.jpg",)) == {"images": [header]}


def test_a_column_for_one_address_is_the_first_of_several():
    columns = map_columns(["Photo Url 2", "Image URL", "Photo Url 1", "Photos"], [], None, TARGET)
    assert columns.shown()["images"] == ("Photos", "Image URL", "Photo Url 1", "Photo Url 2")
    assert columns.parts == (1, 2, 0)
    assert map_columns(["Image URL"], [], None, TARGET).parts == ()


def test_an_engine_may_be_made_of_its_parts_which_stay_extras():
    headers = ["Engine", "Engine Displacement", "Engine Cylinder Ct", "VIN"]
    columns = map_columns(headers, [], None, TARGET)
    assert columns.shown()["engine"] == tuple(headers[:3])
    assert columns.engine == (1, -1, 2)
    assert columns.also == (1, 2)
    only_block = map_columns(["Engine_Block_Type"], [], None, TARGET)
    assert (only_block.engine, only_block.leftover()) == (None, ("Engine_Block_Type",))
    own = feed(columns={"engine": ("Motor",)})
    assert map_columns(["Motor", "Cylinders"], [], own, TARGET).leftover() == ("Cylinders",)
    other = feed(columns={"trim": ("Cylinders",)})
    assert map_columns(["Cylinders"], [], other, TARGET).engine is None


def test_year_make_and_model_in_one_cell_are_read_where_there_is_no_make():
    got = mapped(["Vehicle"], ("2019 Honda Accord EX-L",), ("New 2024 Kia Rio",))
    assert got == {field: ["Vehicle"] for field in ("make", "model", "year", "trim")}
    got = mapped(["Title", "Year"], ("2019 Honda Accord EX-L", "2019"))
    assert (got["year"], got["make"]) == (["Year"], ["Title"])
    assert mapped(["Vehicle", "Make"], ("2019 Honda Accord EX-L", "Honda")) == {"make": ["Make"]}
    assert mapped(["Vehicle"], ("Accord EX-L",)) == {}
    assert mapped(["Vehicle"]) == {}


def test_make_and_model_in_one_cell_are_read_by_its_name():
    got = mapped(["Year", "Make/Model"], ("2019", "Honda Accord EX-L"))
    assert got["year"] == ["Year"]
    assert got["make"] == got["model"] == got["trim"] == ["Make/Model"]
    got = mapped(["Make", "Model / Trim"], ("Honda", "Accord EX-L"))
    assert got == {"make": ["Make"], "model": ["Model / Trim"], "trim": ["Model / Trim"]}
    got = mapped(["Make/Model", "Year"], ("Hatchbacks", "2019"))
    assert got == {"year": ["Year"]}


def test_a_configured_header_is_meant_as_it_is_written():
    by = feed(columns={"trim": ("Unit Color",)}, exclude=("Car Price",))
    assert mapped(["Unit Color", "Car Price", "Color"], by=by) == {
        "trim": ["Unit Color"],
        "exterior_color": ["Color"],
    }


def test_series_is_the_trim_only_where_no_other_column_is():
    assert mapped(["Series", "Series Detail"]) == {"trim": ["Series", "Series Detail"]}
    assert mapped(["Series", "Trim"]) == {"trim": ["Trim"]}
    assert mapped(["Series", "Badge"]) == {"trim": ["Badge"]}


def test_vehicle_type_is_the_body_only_where_it_names_bodies_and_nothing_better_does():
    assert mapped(["Vehicle Type"], ("SUV",)) == {"body_style": ["Vehicle Type"]}
    assert mapped(["Vehicle Type"], ("Car_Truck",)) == {"vehicle_type": ["Vehicle Type"]}
    both = mapped(["Vehicle Type", "Body"], ("SUV", "SUV"))
    assert both == {"body_style": ["Body"], "vehicle_type": ["Vehicle Type"]}
    new = mapped(["Vehicle Type", "Type"], ("SUV", "New"))
    assert new == {"body_style": ["Vehicle Type"], "condition": ["Type"]}


def test_price_falls_back_on_msrp_only_where_the_file_has_no_price():
    assert mapped(["MSRP"]) == {"price": ["MSRP"], "msrp": ["MSRP"]}
    assert mapped(["Price", "MSRP"]) == {"price": ["Price"], "msrp": ["MSRP"]}
    assert mapped(["List Price", "MSRP"]) == {"msrp": ["MSRP"]}
    assert mapped(["Price", "MSRP"], by=feed(exclude=("price",))) == {"msrp": ["MSRP"]}


def test_msrp_does_not_stand_in_for_a_price_under_a_header_that_nobody_knows():
    headers = ["Price With Rebate", "MSRP"]
    assert mapped(headers, ("$24,995", "28000")) == {"msrp": ["MSRP"]}
    assert "price" in mapped(headers, ("as shown", "28000"))
    assert "price" in mapped(["Wholesale Price", "MSRP"], ("24,995", "28000"))


def test_formatted_price_is_the_last_of_the_prices():
    assert mapped(["Formatted Price", "Internet Price", "Price"])["price"] == [
        "Internet Price",
        "Price",
        "Formatted Price",
    ]


def test_what_the_feed_configures_is_tried_first():
    by = feed(columns={"price": ("Our Special Price", "List Price")})
    headers = ["Price", "List Price", "our special price"]
    assert mapped(headers, by=by) == {"price": ["our special price", "List Price", "Price"]}


def test_a_configured_column_serves_no_other_field():
    by = feed(columns={"interior_color": ("Color",), "features": ("Photo",), "trim": ("Photo 1",)})
    got = mapped(["Color", "Photo", "Photo 1"], by=by)
    assert got == {"interior_color": ["Color"], "features": ["Photo"], "trim": ["Photo 1"]}


def test_msrp_configured_as_the_price_stays_the_msrp():
    by = feed(columns={"price": ("MSRP",)})
    assert mapped(["MSRP", "Price"], by=by) == {"price": ["MSRP", "Price"], "msrp": ["MSRP"]}


def test_configured_images_are_taken_alone():
    by = feed(columns={"images": ("Gallery",)})
    assert mapped(["Gallery", "Photo 1"], by=by) == {"images": ["Gallery"]}


def test_an_excluded_header_is_never_mapped():
    columns = map_columns(["VIN", "Color"], [], feed(exclude=("colour", "COLOR")), TARGET)
    assert columns.leftover() == ("Color",)


def test_of_headers_twice_both_columns_are_used():
    columns = map_columns(["Transmission", "VIN", "Transmission"], [], None, TARGET)
    assert columns.fields["transmission"] == (0, 2)


def test_fields_that_the_target_lacks_are_unmapped():
    columns = map_columns(REAL, [real_row()], None, SEED_ONLY)
    assert set(columns.leftover()) == {
        *("Advertiser Name", "URL", "Doors", "Condition", "Vehicle Type", "Image Type")
    }


def test_a_target_with_few_columns_takes_what_it_has():
    target = Target("small", (Column("vin", "vin", "text"),))
    columns = map_columns(["VIN", "Images", "MSRP", "Mileage"], [], None, target)
    assert columns.shown() == {"vin": ("VIN",)}


def test_single_images_come_in_order_after_the_lists():
    headers = [
        "Photo 2",
        "image[10].url",
        "additional_image_link",
        "Photos",
        "Photo 1",
        "image_link",
    ]
    columns = map_columns(headers, [], None, TARGET)
    assert columns.shown()["images"] == (
        *("Photos", "image_link", "additional_image_link", "Photo 1", "Photo 2", "image[10].url"),
    )
    assert [headers[index] for index in columns.parts] == list(columns.shown()["images"])[1:]
    assert known("Photo 2")


def test_the_unit_of_the_mileage_is_found_in_its_header_or_beside_it():
    columns = map_columns(["Mileage", "KMS", "Miles", "mileage.unit"], [], None, TARGET)
    assert columns.units == {1: "kilometers", 2: "miles"}
    assert columns.unit == 3
    assert columns.leftover() == ()


def test_a_header_near_to_a_known_one_is_suggested():
    columns = map_columns(["VIN", "Interior Colr", "Zq", "Photo Count", "x" * 70], [], None, TARGET)
    assert suggest(columns, TARGET) == (("Interior Colr", "interior_color"),)


def test_a_list_price_is_suggested_where_there_is_no_other_price():
    alone = map_columns(["VIN", "List Price"], [], None, TARGET)
    assert suggest(alone, TARGET) == (("List Price", "price"),)
    beside = map_columns(["VIN", "List Price", "Price"], [], None, TARGET)
    assert suggest(beside, TARGET) == ()


def test_a_key_of_a_database_is_named_as_what_may_be_the_stock_number():
    message = no_identifier(map_columns(["id", "Make"], [], None, TARGET), None)
    assert 'stock_number = ["id"], where it is the number on the windscreen' in message


def test_a_blank_header_is_unmapped():
    assert map_columns(["VIN", ""], [("A", "b")], None, TARGET).leftover() == ("",)


def test_short_rows_in_the_sample_do_no_harm():
    assert mapped(["VIN", "Type"], ("A",), ("B", "New")) == {"vin": ["VIN"], "condition": ["Type"]}


def test_without_identifier_the_message_lists_headers_names_and_the_nearest():
    columns = map_columns(["Vin Kode", "Make"], [], feed(), TARGET)
    assert not columns.identified()
    message = no_identifier(columns, feed(columns={"vin": ("Serial",)}))
    assert "Vin Kode, Make" in message
    assert "vin: Serial, vin, vinnumber" in message
    assert "stock_number: stocknumber" in message
    assert 'vin = ["Vin Kode"]' in message


def test_without_anything_near_the_message_says_nothing_of_it():
    message = no_identifier(map_columns(["Zzzz", "Special Offer $"], [], None, TARGET), None)
    assert "nearest" not in message
    assert "[feed.columns]" in message


def test_a_name_and_cells_that_both_speak_of_a_price_may_be_one():
    assert may_be_price("Special Offer $", ["18,995", "$9500.00"])
    assert not may_be_price("Special Offer $", [])
    assert not may_be_price("Special Offer $", ["18,995", "2024-11-23"])
    assert not may_be_price("Odo", ["18995"])
    assert not may_be_price("Sale Price (cost)", ["18995"])


def test_codes_of_few_forms_may_be_stock_numbers_and_numbers_where_they_are_called_so():
    codes = ["R107", "R207", "R307", "R407", "R5107"]
    numbers = ["10071", "10072", "10075", "10079", "10081"]
    assert may_be_stock_number("Tag", codes)
    assert not may_be_stock_number("Tag", codes[:4])
    assert not may_be_stock_number("Tag", ["R1A", "R22B", "R333C", "R4444D", "R55555E"])
    assert not may_be_stock_number("Tag", numbers)
    assert may_be_stock_number("Lot Ref", numbers)


# Yes and no


def flags(headers, *rows, by=None):
    found = map_columns(headers, rows, by, TARGET)
    return found.shown(), found.flags


def test_a_column_of_yes_and_no_speaks_of_the_condition():
    shown, found = flags(["VIN", "is_new"], ("x", "1"), ("x", "0"))
    assert shown["condition"] == ("is_new",)
    assert found == {1: ("New", "Used")}
    shown, found = flags(["VIN", "is_used", "New/Used"], ("x", "true", "U"))
    assert shown["condition"] == ("New/Used", "is_used")
    assert found == {1: ("Used", "New")}


def test_a_deleted_car_outranks_what_else_its_status_says():
    shown, found = flags(["VIN", "Status", "deleted"], ("x", "In Stock", "1"))
    assert shown["status"] == ("deleted", "Status")
    assert found == {2: ("sold", "")}
    shown, found = flags(["VIN", "deleted"], ("x", "no"))
    assert (shown["status"], found) == (("deleted",), {1: ("sold", "active")})


def test_a_column_of_dates_is_no_yes_or_no():
    shown, found = flags(["VIN", "sold"], ("x", "2026-01-31"))
    assert ("status" in shown, found) == (False, {})
    shown, found = flags(["VIN", "deleted"], ("x", ""))
    assert ("status" in shown, found) == (False, {})


def test_a_flag_that_the_feed_gave_to_another_field_is_none():
    shown, found = flags(["VIN", "sold"], ("x", "1"), by=feed(columns={"trim": ("Sold",)}))
    assert (shown["trim"], found) == (("sold",), {})


def test_a_target_without_condition_takes_no_flag_for_it():
    found = map_columns(["VIN", "is_new"], [("x", "1")], None, SEED_ONLY)
    assert (found.flags, found.leftover()) == ({}, ("is_new",))


def test_prices_are_in_cents_where_the_feed_or_the_layout_says_so():
    layout = ["vendorId", "title", "categoryId", "priceType", "price", "VIN"]
    assert map_columns(layout, [], None, TARGET).cents
    assert map_columns(["VIN"], [], feed(prices_in="cents"), TARGET).cents
    assert not map_columns(["VIN", "price", "priceType"], [], feed(), TARGET).cents
