import pytest

from ingestd.config import parse
from ingestd.feed.columns import Columns
from ingestd.feed.encode import own_target
from ingestd.feed.inspection import Leftover, Sightings, propose
from ingestd.model import FIELDS

WITH_MAKE = Columns(("VIN", "Make"), {"vin": (0,), "make": (1,)}, ())


def proposed(file, columns=WITH_MAKE):
    return parse(propose(file, columns), {}).feed[0]


def test_the_proposal_is_a_valid_feed_as_it_stands():
    feed = proposed("lot.tsv")
    assert (feed.name, feed.file, feed.mode, feed.dealership) == ("lot", ("lot.tsv",), "full", 1)


@pytest.mark.parametrize(
    ("file", "name", "pattern"),
    [
        ("10_15_2025, 12_19_40 PM.csv", "pm", "* PM.csv"),
        ("inventory_2026-11-23.tsv", "inventory", "inventory_*.tsv"),
        ("_Inventory   - Sheet1.tsv", "inventory-sheet", "_Inventory   - Sheet*.tsv"),
        ("20261123.txt", "lot", "*.txt"),
        ("lot", "lot", "lot"),
        ('a"b[x].tsv', "a-b-x", 'a"b[[]x].tsv'),
        ("x" * 100 + ".tsv", "x" * 40, "x" * 100 + ".tsv"),
    ],
)
def test_dates_and_numbers_in_the_name_may_differ_next_time(file, name, pattern):
    feed = proposed(file)
    assert (feed.name, feed.file) == (name, (pattern,))


def test_headers_near_to_a_known_one_are_suggested_as_comments():
    near = (("Milage", "mileage"), ("Odomter", "mileage"))
    text = propose("lot.tsv", WITH_MAKE, near)
    assert '# mileage = ["Milage", "Odomter"]' in text
    assert "# [feed.columns]" in text
    assert parse(text, {}).feed
    assert "[feed.columns]" not in propose("lot.tsv", WITH_MAKE)


def test_a_file_without_makes_is_offered_a_default():
    assert "# make =" in propose("lot.tsv", Columns(("VIN",), {"vin": (0,)}, ()))
    assert "# make =" not in propose("lot.tsv", WITH_MAKE)
    assert "# make =" not in propose("lot.tsv", None)


def test_positions_that_were_guessed_are_proposed():
    text = propose("lot.csv", None, (), ("vin", "", "price"))
    assert parse(text, {}).feed[0].positions == ("vin", "", "price")


# What was seen


def line(stock, extras=r"\N", price="9000.00"):
    cells = {"stock_number": stock, "price": price}
    head = ("0", "2", "1", "0", r"\N", r"\N", r"\N", extras)
    return "\t".join((*head, *(cells.get(name, r"\N") for name in FIELDS))) + "\n"


def seen(*lines):
    found = Sightings(own_target())
    for each in lines:
        found.take(each)
    return found


def test_values_are_counted_and_three_different_ones_are_shown():
    found = seen(line("S1"), line("S1"), line(r"\N"), line("S2"), line("S3"), line("S4"))
    assert found.filled == {"stock_number": 5, "price": 6}
    assert found.samples() == {"stock_number": ("S1", "S2", "S3"), "price": ("9000.00",)}


def test_all_vehicles_are_counted_but_only_the_first_are_looked_at():
    found = seen(*[line("S1")] * 200, line("S2"))
    assert found.filled["stock_number"] == 201
    assert found.samples()["stock_number"] == ("S1",)


def test_columns_that_no_field_took_are_told_with_what_they_may_be():
    extras = ('{"When":"2024","Milage":"12"}', '{"When":"2023","Note":"x"}')
    found = seen(*(line("S1", each) for each in extras))
    assert found.leftover(("When", "Milage", "Note", "Blank", "Modl"), [("Modl", "model")]) == (
        Leftover("When", ("2024", "2023"), "year"),
        Leftover("Milage", ("12",), ""),
        Leftover("Note", ("x",), ""),
        Leftover("Modl", (), "model"),
    )


def test_long_values_are_cut():
    assert seen(line("S" * 300)).samples()["stock_number"] == ("S" * 200,)
