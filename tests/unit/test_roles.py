import pytest

from ingestd.feed.aliases import NEW_OR_USED
from ingestd.feed.roles import Cells, decide, share


def role(name, *cells, **beside):
    at = {name: (0,)} | dict.fromkeys(beside, (1,))
    rows = [(cell, *beside.values()) for cell in cells] or [("", *beside.values())]
    return decide(Cells(at, rows))[name]


def test_cells_are_given_by_column_and_by_name_where_they_are_filled():
    cells = Cells({"type": (0, 2)}, [("New", "x", "Used"), ("", "y"), (" ", "z", "CPO")])
    assert list(cells.of((1,))) == ["x", "y", "z"]
    assert cells.named("type") == ["New", "Used", "CPO"]
    assert cells.named("status") == []


def test_words_are_counted_in_normal_form_and_of_an_address_the_last():
    assert share(["New", "pre-owned", "https://schema.org/UsedCondition/"], NEW_OR_USED) == 1
    assert share(["Usag\u00e9", "x"], NEW_OR_USED) == 0.5
    assert share([], NEW_OR_USED) == 0


@pytest.mark.parametrize(
    ("name", "cells", "wanted"),
    [
        ("type", ("New", "Used"), "condition"),
        ("type", ("SUV", "Fifth Wheel", "Class A"), "body_style"),
        ("type", (), "body_style"),
        ("type", ("New", "New", "SUV", "SUV"), "body_style"),
        ("type", ("simple", "simple"), None),
        ("type", ("Car", "Car", "SUV"), None),
        ("status", ("New", "Used"), "condition"),
        ("status", ("In Stock", "Sold"), "status"),
        ("condition", ("Excellent", "Good"), None),
        ("condition", ("new-cars", "used-cars"), "condition"),
        ("condition", (), "condition"),
        ("itemcondition", ("https://schema.org/NewCondition",), "condition"),
        ("usage", ("New", "Used"), "condition"),
        ("usage", ("Rental",), None),
        ("title", ("2024 Kia Rio",), "description"),
        ("photos", ("12", "30"), None),
        ("photos", ("https://img.lot.example/1",), "images"),
        ("image", ("Yes", "no"), None),
        ("style", ("SUV", "4dr SUV"), "body_style"),
        ("style", ("LX",), "trim"),
        ("vehicletype", ("New", "Used"), "condition"),
        ("vehicletype", ("SUV",), "body_style"),
        ("vehicletype", ("Car_Truck",), "vehicle_type"),
        ("category", ("SUV", "Sedan"), "body_style"),
        ("category", ("Used", "New"), "condition"),
        ("category", ("Cars",), None),
        ("chassis", (), "vin"),
        ("chassis", ("1ZZEA11B4RZ000001",), "vin"),
        ("chassis", ("Ford F53", "Ford F53"), None),
        ("serialnumber", ("1ZZEA11B4RZ000001", "77123"), None),
        ("unit", ("T100", "T101"), "stock_number"),
        ("unit", ("T100", "T100"), None),
        ("unit", ("2024 Kia Rio", "2023 Kia Rio"), None),
        ("inventory", ("1", "2"), None),
        ("unit", (), None),
        ("salestatus", ("Sold", "Available"), "status"),
        ("salestatus", ("On Minimum Bid",), None),
        ("series", ("EX",), "trim"),
    ],
)
def test_the_cells_of_a_column_decide_what_it_is(name, cells, wanted):
    assert role(name, *cells) == wanted


def test_other_columns_have_a_say():
    assert role("type", "Car", body="Sedan") is None
    assert role("type", "SUV", body="SUV") == "body_style"
    assert role("vehicletype", "SUV", body="SUV") == "vehicle_type"
    assert role("vehicletype", "SUV", style="LX") == "body_style"
    assert role("series", "EX", trim="EX") is None


def test_four_of_five_cells_decide():
    assert role("status", *["New"] * 4, "Sold") == "condition"
    assert role("status", *["New"] * 4, "Sold", "Sold") == "status"
