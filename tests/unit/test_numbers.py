import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import numbers
from ingestd.feed.numbers import IMPLAUSIBLE, UNREADABLE, UNREADABLE_YEAR
from ingestd.feed.values import BLANK, WORDS, Flaw, Noted

LEAST = 500_00


@pytest.mark.parametrize(
    ("cell", "cents"),
    [
        ("6300", 6300_00),
        ("$61,551", 61551_00),
        ("$59,277.00", 59277_00),
        ("24999.99", 24999_99),
        ("16384.01", 16384_01),
        ("50793.0", 50793_00),
        ("34,185", 34185_00),
        ("$499,900,000.00", 499_900_000_00),
        ("51292.00 USD", 51292_00),
        ("US$ 51292", 51292_00),
        ("$9,385          ", 9385_00),
        (" $33,325", 33325_00),
        ("<b>$33,325</b>", 33325_00),
        ("41 500", 41500_00),
        ("41\u00a0500", 41500_00),
        ("12.345,00", 12345_00),
        ("1999.995", 2000_00),
        ("1999.994", 1999_99),
        ("$41,500*", 41500_00),
        ("41500.", 41500_00),
        ("$41,500 OBO", 41500_00),
        ("41,500 or best offer", 41500_00),
        ("$41,500 + tax", 41500_00),
        ("$41,500 plus HST & Lic.*", 41500_00),
    ],
)
def test_money_is_read_to_the_cent(cell, cents):
    assert numbers.money(cell, LEAST) == cents


@pytest.mark.parametrize("cell", ["", "0", "$0", "0.00", "$0.00 USD", "N/A", "-"])
def test_no_money_and_zero_are_blank(cell):
    assert numbers.money(cell, LEAST) is BLANK


@pytest.mark.parametrize(
    "cell",
    [
        "Call",
        "Please Call",
        "Contact Us",
        "Please call for price",
        "PLEASE_CALL",
        '<span class="callforprice">Please call for price</span>',
        "[PREMIUM]",
        "Call 555-0100 for price",
        "TBD",
    ],
)
def test_words_in_place_of_a_price_are_words(cell):
    assert numbers.money(cell, LEAST) is WORDS


@pytest.mark.parametrize(
    "cell",
    [
        "-1000",
        "...5735204746...1..2.10012024500.....34..",
        "price",
        "NaN$",
        "1e5",
        "Infinity",
        "12,34",
        "1,2345",
        "\uff11\uff12\uff13\uff14\uff15",
        "\u0661\u0662\u0663\u0664",
        "9" * 16,
        "9" * 5000,
        "Nissan",
    ],
)
def test_garbage_is_an_unreadable_number(cell):
    assert numbers.money(cell, LEAST) == UNREADABLE


def test_a_monthly_payment_is_no_price():
    assert numbers.money("$281", LEAST) is IMPLAUSIBLE
    assert numbers.money("$281 CAD", LEAST) is IMPLAUSIBLE
    assert numbers.money("$281", 0) == 281_00


@pytest.mark.parametrize("cell", ["999999", "$9,999,999.00", "1234567", "123456789"])
def test_a_filled_in_price_is_no_price(cell):
    assert numbers.money(cell, LEAST) is IMPLAUSIBLE


def test_a_masked_price_is_blank():
    assert numbers.money("***", LEAST) is BLANK


@pytest.mark.parametrize(
    "cell",
    [
        "48900.00 CAD",
        "C$48900",
        "\u20ac48,900",
        "48900 EUR",
        "R 48 900",
        "48.900 \u20ac",
        "R$ 48.900,00",
    ],
)
def test_another_currency_is_noted_and_the_number_stays(cell):
    assert numbers.money(cell, LEAST) == Noted(48900_00, "currency")


def test_a_point_parts_thousands_only_where_the_currency_says_so():
    assert numbers.money("18.500", LEAST) is numbers.IMPLAUSIBLE
    assert numbers.money("1,899.500 EUR", LEAST) == Noted(1899_50, "currency")
    assert numbers.money("$41,500 + $500", LEAST) is numbers.UNREADABLE


@pytest.mark.parametrize(
    ("cell", "miles"),
    [
        ("12", 12),
        ("0", 0),
        ("53,264", 53264),
        ("172691.0", 172691),
        ("260,833 miles", 260833),
        ("126,852 mi", 126852),
        (" 2,777 Miles ", 2777),
        ("0 kms", 0),
        ("100 km", 62),
        ("222,885 km", 138494),
        ("2,023,535", 2023535),
        ("9876543210", 9876543210),
        ("123,456.7", 123457),
        ("100000", 100000),
        ('{"value": 1,000, "unit": "KM"}', 621),
        ("{value: 1000, unit: MI}", 1000),
    ],
)
def test_mileage_is_read_in_miles(cell, miles):
    assert numbers.mileage(cell, None, "miles") == miles


def test_a_bare_number_is_converted_only_where_the_column_states_its_unit():
    assert numbers.mileage("1000", "kilometers", "miles") == 621
    assert numbers.mileage("1000", "miles", "miles") == 1000
    assert numbers.mileage("1000", None, "kilometers") == 1000
    assert numbers.mileage("1000", "miles", "kilometers") == 1609
    assert numbers.mileage("1000 km", "miles", "kilometers") == 1000


@pytest.mark.parametrize("cell", ["", "N/A", " miles", " km", "-"])
def test_a_unit_without_a_number_is_blank(cell):
    assert numbers.mileage(cell, None, "miles") is BLANK


@pytest.mark.parametrize(
    "cell",
    [
        *("12,3x5", "Contact Us", "5000 DEMO", "-5", "Mileage: High to Low", "12K", "\u0661"),
        *("9" * 99, "12.345", "12.345 km"),
    ],
)
def test_a_garbled_mileage_is_unreadable(cell):
    assert numbers.mileage(cell, None, "miles") is UNREADABLE


@pytest.mark.parametrize("cell", ["999999", "9,999,999", "99999999 mi", "1234567"])
def test_a_filled_in_mileage_is_unreadable(cell):
    assert numbers.mileage(cell, None, "miles") is UNREADABLE


def test_a_unit_is_known_by_its_first_letters():
    assert numbers.unit("KM") == "kilometers"
    assert numbers.unit(" Kilometres") == "kilometers"
    assert numbers.unit("MI") == "miles"
    assert numbers.unit("furlongs") is None


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        *(("2024", 2024), (" 1973 ", 1973), ("2,022", 2022), ("2022.0", 2022), ("1900", 1900)),
        *(
            ("MY2024", 2024),
            ("2024 MY", 2024),
            ("2024-01-01", 2024),
            ("01/31/2024", 2024),
            ("2024/01/31", 2024),
        ),
        ("2024-01-01 00:00:00", 2024),
    ],
)
def test_a_year_has_four_digits(cell, year):
    assert numbers.year(cell, 2028) == year


@pytest.mark.parametrize(
    "cell",
    [
        *("-9", "9", "1899", "2029", "MMXX", "20244", "\u0662\u0660\u0662\u0664", "2024.5"),
        *("2024-2025", "2024/25", "1899-01-01", "\u0662\u0664"),
    ],
)
def test_a_year_out_of_range_or_form_is_unreadable(cell):
    assert numbers.year(cell, 2028) is UNREADABLE_YEAR


@pytest.mark.parametrize(
    ("cell", "year"),
    [("24", 2024), ("'19", 2019), ("\u201905", 2005), ("28", 2028), ("29", 1929), ("99", 1999)],
)
def test_two_digits_are_the_latest_such_year(cell, year):
    assert numbers.year(cell, 2028) == year


@pytest.mark.parametrize("cell", ["0", "0000", " 0.0", "00"])
def test_a_year_zero_is_blank(cell):
    assert numbers.year(cell, 2028) is BLANK


def test_a_blank_year_is_blank():
    assert numbers.year(" ", 2028) is BLANK
    assert numbers.year("N/A", 2028) is BLANK


@pytest.mark.parametrize(
    ("cell", "doors"), [("4", 4), ("4.0", 4), ("4 Doors", 4), ("2dr", 2), ("4-Door", 4)]
)
def test_doors_are_a_small_number(cell, doors):
    assert numbers.doors(cell) == doors


def test_doors_that_are_none_or_too_many_are_told_apart():
    assert numbers.doors("") is BLANK
    assert numbers.doors("0") is BLANK
    assert numbers.doors("10") is UNREADABLE
    assert numbers.doors("four") is UNREADABLE


def everything(cell):
    yield numbers.money(cell, LEAST)
    yield numbers.mileage(cell, None, "miles")
    yield numbers.year(cell, 2028)
    yield numbers.doors(cell)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[$0-9,. kmi-]{0,20}")))
def test_whatever_the_cell_a_number_is_a_whole_non_negative_number_or_a_reason(cell):
    for value in everything(cell):
        number = value.value if isinstance(value, Noted) else value
        assert isinstance(number, Flaw) or (type(number) is int and 0 <= number < 10**18)


@pytest.mark.parametrize("filler", ["1", ",", "1,", " ", "1 ", ".", "call", "$"])
def test_a_megabyte_of_anything_is_read_in_no_time(filler):
    began = time.process_time()
    assert list(everything(filler * (1_000_000 // len(filler))))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("cell", "cents"),
    [("1599500", 1599500), ("1,599,500", 1599500), ("$1599500.4", 1599500), ("1599500.5", 1599501)],
)
def test_money_that_is_stated_in_cents_is_no_hundred_times_as_much(cell, cents):
    assert numbers.money_in_cents(cell, 50000) == cents


def test_what_is_no_money_is_none_in_cents_either():
    assert numbers.money_in_cents("Call", 50000) is WORDS
    assert numbers.money_in_cents("49999", 50000) is numbers.IMPLAUSIBLE
    assert numbers.money_in_cents("1599500 CAD", 50000) == Noted(1599500, "currency")
