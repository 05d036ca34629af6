import pytest

from ingestd.feed.columns import Columns
from ingestd.feed.heading import Layout
from ingestd.feed.surplus import fitted, words
from tests.dialects import VINS

HEADERS = ("VIN", "Year", "Make", "Site", "Trim")
FIELDS = {"vin": (0,), "year": (1,), "make": (2,), "url": (3,), "trim": (4,)}
LAYOUT = Layout(",", "none", 1, HEADERS, "")


def rows(*after, year="2024", site="https://lot.example/1"):
    return [(vin, year, "Kia", site, "LX", *after) for vin in VINS[:4]]


def headers(given, fields=FIELDS):
    found = fitted(LAYOUT, Columns(HEADERS, fields, ()), given)
    return None if found is None else found.headers


def test_names_are_believed_up_to_the_last_that_its_values_prove():
    assert headers(rows("x", "y")) == ("VIN", "Year", "Make", "Site", "", "", "")
    assert headers(rows("x", site="lot")) == ("VIN", "Year", "", "", "", "")


def test_the_width_is_that_of_most_rows():
    assert headers([*rows("x"), rows("x", "y", "z")[0]]) == (*HEADERS[:4], "", "")


def test_a_few_odd_cells_do_not_count():
    given = [*rows("x"), ("TBD", *rows("x")[0][1:])]
    assert headers(given) == (*HEADERS[:4], "", "")


@pytest.mark.parametrize("shift", [1, 2])
def test_cells_that_stand_elsewhere_prove_nothing(shift):
    assert headers([("x",) * shift + row for row in rows()]) is None


def test_a_year_that_is_none_forbids_the_header():
    assert headers(rows("x", year="Kia")) is None


def test_blank_columns_say_nothing():
    assert headers(rows("x", year=" ")) == (*HEADERS[:4], "", "")


def test_without_a_column_that_can_be_proven_nothing_is_certain():
    assert headers(rows("x"), {"make": (2,)}) is None


def test_what_is_wrong_is_said_in_words():
    assert words(LAYOUT, rows("x")).startswith("the rows have 6 cells and the header has 5 names")
