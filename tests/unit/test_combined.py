import time

import pytest

from ingestd.feed.combined import Named, combined, part, split
from ingestd.feed.values import BLANK, UNREADABLE_TEXT

BOTH = frozenset({"make", "year"})


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("2019 Honda Accord EX-L", Named("2019", "Honda", "Accord", "EX-L")),
        ("New 2024 Jeep Grand Cherokee L Laredo", "2024|Jeep|Grand Cherokee L|Laredo"),
        ("Used 2020 Land Rover Range Rover Sport HSE", "2020|Land Rover|Range Rover Sport|HSE"),
        ("2021 Mercedes-Benz GLC", Named("2021", "Mercedes-Benz", "GLC", None)),
        ("Certified Pre-Owned 2022 BMW Z4 sDrive30i", "2022|BMW|Z4 sDrive30i|None"),
        (" 1998&nbsp;Ford  F-150 XLT ", Named("1998", "Ford", "F-150", "XLT")),
        ("2024 Kia Rio", Named("2024", "Kia", "Rio", None)),
        ("2024 Mazda CX-50 Select", Named("2024", "Mazda", "CX-50", "Select")),
    ],
)
def test_year_make_model_and_trim_are_told_apart(cell, named):
    got = split(cell, BOTH)
    assert got is not None
    if isinstance(named, str):
        assert "|".join(map(str, (got.year, got.make, got.model, got.trim))) == named
    else:
        assert got == named


@pytest.mark.parametrize(
    "cell",
    ["", "Honda Accord", "2019 Accord EX-L", "2019 Honda", "19 Honda Accord", "2019 Zeta Eagle"],
)
def test_what_is_not_plainly_year_and_make_is_not_understood(cell):
    assert split(cell, BOTH) is None


def test_a_part_that_is_not_there_is_blank_and_other_cells_are_unreadable():
    assert part("2024 Kia Rio", "trim", BOTH) is BLANK
    assert part("2024 Kia Rio", "make", BOTH) == "Kia"
    assert part("Call us", "make", BOTH) is UNREADABLE_TEXT
    assert part("", "make", BOTH) is BLANK


def test_no_more_is_asked_of_a_cell_than_it_is_to_give():
    assert part("Kia Rio LX", "model", ("make",)) == "Rio LX"
    assert part("Honda Accord EX-L", "trim", ("make",)) == "EX-L"
    assert part("Accord EX-L", "model", ()) == "Accord"
    assert part("Eagle LX", "model", ()) == "Eagle LX"
    assert part("Accord EX-L", "model", ("make",)) is UNREADABLE_TEXT


def test_a_column_is_combined_where_most_of_its_cells_are():
    good = ["2024 Kia Rio"] * 4
    assert combined(good, BOTH, 0.8)
    assert combined([*good, "x"], BOTH, 0.8)
    assert not combined([*good, "x", "y"], BOTH, 0.8)
    assert not combined([], BOTH, 0.8)


@pytest.mark.parametrize("filler", ["2019 Ford ", " ", "2019 ", "New "])
def test_a_megabyte_of_anything_is_read_in_no_time(filler):
    began = time.process_time()
    split(filler * 100_000, BOTH)
    assert time.process_time() - began < 1
