import pytest

from ingestd.config import parse
from ingestd.feed.columns import Columns
from ingestd.feed.inspection import propose

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
