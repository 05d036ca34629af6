import time

import pytest

from ingestd.feed.aliases import ALIASES
from ingestd.feed.spelling import name, normalise


def test_headers_are_compared_by_letters_and_digits_alone():
    for header in (
        "StockNumber",
        "stock_number",
        " Stock Number ",
        "STOCK-NUMBER*",
        "\ufeffstock number",
    ):
        assert normalise(header) == "stocknumber"
    assert normalise("Stock #") == "stock"
    assert normalise("image[0].url") == "image0url"
    assert normalise("\uff36\uff29\uff2e") == "vin"
    assert normalise("Mod\u00e8le") == normalise("Mode\u0300le") == "modele"


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Vehicle Type", "vehicletype"),
        ("Photo Url 3", "photourl3"),
        ("ExtClr", "extcolor"),
        ("Vehicle Paint Colour", "paintcolor"),
        ("car_trim", "trim"),
        ("Unit Color", "color"),
        ("VehicleMiles", "miles"),
        ("Vehicle Internet Price", "internetprice"),
        ("TransDesc", "trans"),
        ("Drive Type Name", "drivetype"),
        ("vehicle_transmission_text", "transmission"),
        ("build.body_type", "bodytype"),
        ("media.photo_links", "photolinks"),
        ("g:image_link", "imagelink"),
        ("Meta: vin", "vin"),
        ("retailListing.miles", "miles"),
        ("current_mileage_km", "mileagekm"),
        ("Odometer Reading (mi)", "mileagemi"),
        ("Mileage in Kilometres", "mileagekm"),
        ("Vehicle Mileage (km)", "mileagekm"),
        ("Web Price (USD)", "webprice"),
        ("Sale Price CAD", "saleprice"),
        ("Model #", "modelnumber"),
        ("Color #:", "colornumber"),
        ("Stock #", "stock"),
    ],
)
def test_a_name_is_known_by_other_spellings(header, meant):
    assert name(header) == meant


@pytest.mark.parametrize(
    "header",
    [
        *(
            "Vehicle ID",
            "Unit Cost",
            "Vehicle Invoice",
            "Carfax",
            "Vehicle Photo Count",
            "Car Seats",
        ),
        *(
            "Price Name",
            "Price Description",
            "Photo Name",
            "Feature Text",
            "Type Name",
            "Trim Code",
        ),
        *("dealer.name", "dealer.year", "seller.price.x", "trade.vin", "Dealer Make", "Trade Year"),
        *(
            "Miles Per Gallon",
            "City MPG (mi)",
            "Invoice USD",
            "Vehicle Title Status",
            "Mileage City",
        ),
        *("build.country", "media.video", "", "...", "Proof point: MSRP", "VIN Leads"),
    ],
)
def test_a_header_that_only_holds_a_name_means_itself(header):
    assert name(header) == normalise(header)
    assert all(name(header) not in names for names in ALIASES.values())


@pytest.mark.parametrize("part", ["vehicle", "g:", "name", "km", "Color "])
def test_a_megabyte_of_anything_is_named_in_no_time(part):
    began = time.process_time()
    name(part * 200_000)
    assert time.process_time() - began < 2
