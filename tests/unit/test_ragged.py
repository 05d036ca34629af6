import pytest

from ingestd.feed.ragged import clean, filled, footer, joined, numeric


def test_a_header_cell_is_cleaned_of_blanks_marks_and_quotes():
    assert clean('\ufeff "Stock ""No""" \xa0') == 'Stock "No"'
    assert clean("Int\xa0Color\n") == "Int Color"
    assert clean('"') == '"'


def test_blank_cells_do_not_count():
    assert filled(["a", " ", "\xa0", "", "b"]) == 2


@pytest.mark.parametrize(
    "line",
    [
        "Total: 140 vehicles",
        "GRAND TOTAL,,,,1234",
        "Totals",
        "140 vehicles",
        "1200 total rows",
        "Vehicle count: 12",
        "Count,12",
        "Records: 12",
        "(12 rows affected)",
        "Number of vehicles: 7",
        "*** End of report ***",
        "EOF",
        "Generated on 2026-11-24",
        "Report date: 2026-11-24",
        "Page 1 of 2",
        "\u00a9 Invented Software",
        "------",
        ",,,Total,12",
    ],
)
def test_a_footer_is_known_by_how_it_begins(line):
    assert footer(line.split(","), 12)


@pytest.mark.parametrize(
    "line",
    [
        "",
        ",,,",
        "S123",
        "Toyota",
        "2024 Kia Rio",
        "Carmine",
        "Total Loss,1ZZEA11B4RZ000001",
        "Total,1,2,3,4,5,6",
        "-",
        "Reported",
        "Listed",
    ],
)
def test_what_may_be_a_row_is_no_footer(line):
    assert not footer(line.split(","), 12)


def test_a_footer_of_one_cell_stands_below_any_header():
    assert footer(["Total: 3"], 1)


NUMERIC = numeric(["VIN", "Sale Price", "Mileage", "Make", "KM"])


def test_columns_of_prices_and_distances_are_known_by_their_names():
    assert numeric(["Stock", "Odometer", ""]) == {1}
    assert {1, 2, 4} == NUMERIC


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("A,$12,345,45,000,x,1", ["A", "$12,345", "45,000", "x", "1"]),
        ("A,$1,234,567.89,5,x,1", ["A", "$1,234,567.89", "5", "x", "1"]),
        ("A,CAD 12,345 CAD,5,x,1", ["A", "CAD 12,345 CAD", "5", "x", "1"]),
        ("A,9000,5,x, y,1", None),
        ("A,5,995,12,345,x", None),
        ("A,12", None),
    ],
)
def test_numbers_are_joined_where_the_width_proves_it(line, cells):
    assert joined(line.split(","), NUMERIC, 5) == cells
