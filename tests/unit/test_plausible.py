import pytest

from ingestd.feed.columns import Columns
from ingestd.feed.plausible import judge, row_is_shifted
from ingestd.feed.vin import check_digit

HEADERS = ("VIN", "Stock", "Year", "Make", "Model", "Price", "Notes")
FIELDS = ("vin", "stock_number", "year", "make", "model", "price")


def vin(number):
    body = f"KM8K2CAB0RU{number:06}"
    return body[:8] + check_digit(body) + body[9:]


def columns(*, headers=HEADERS, without=()):
    fields = {name: (at,) for at, name in enumerate(FIELDS) if name not in without}
    return Columns(headers, fields, (6,))


def row(number, **other):
    cells = {
        "vin": vin(number),
        "stock_number": f"S{number}",
        "year": str(2020 + number % 5),
        "make": "Kia",
        "model": f"M{number % 4}",
        "price": str(9000 + number),
        "notes": "",
    }
    return tuple({**cells, **other}.values())


def rows(count, **other):
    return [row(number, **other) for number in range(count)]


def verdict(given, ignored=(), *, of=None, least=500.0):
    found = judge(of or columns(), given, ignored, least)
    return found and found.reason


@pytest.mark.parametrize("count", [0, 1, 2, 3, 30])
def test_a_lot_of_any_size_is_plausible(count):
    assert verdict(rows(count)) is None


# Shifted columns


def test_years_under_the_make_are_a_shift():
    found = judge(columns(), rows(3, year="x", make="2025", model="Nissan"), (), 0)
    assert found is not None
    assert found.reason == "shifted_columns"
    assert "'Year' holds no years, and 'Make' holds years" in found.message


def test_years_under_the_make_are_a_shift_whatever_stands_under_the_year():
    found = judge(columns(), rows(3, make="2025", model="Nissan"), (), 0)
    assert found is not None
    assert "'Make' holds years, no makes" in found.message


def test_vins_under_another_header_are_a_shift_unless_the_vin_column_has_some():
    moved = [row(n, vin="Used", stock_number=vin(n)) for n in range(3)]
    assert verdict(moved) == "shifted_columns"
    beside = [row(n, vin="", notes=vin(n)) for n in range(3)]
    assert verdict(beside) is None
    twice = [row(n, notes=vin(n)) for n in range(3)]
    assert verdict(twice) is None


def test_two_rows_alone_do_not_prove_a_shift():
    assert verdict(rows(2, year="x", make="2025")) is None


def test_bad_years_with_no_years_elsewhere_are_no_shift():
    assert verdict(rows(5, year="soon")) is None


def test_a_file_without_year_and_make_is_not_judged_by_them():
    assert verdict(rows(3), of=columns(without=("year", "make"))) is None


# Another kind of file

SERVICE = ("VIN", "Customer Name", "Year", "Make", "Model", "RO Number", "Notes")


def test_a_list_of_the_workshop_or_of_customers_is_no_inventory():
    found = judge(columns(headers=SERVICE), rows(2), (), 0)
    assert found is not None
    assert found.reason == "not_an_inventory"
    assert "'Customer Name', 'RO Number'" in found.message
    assert "exclude" in found.message


def test_one_such_header_alone_proves_nothing():
    of = columns(headers=("VIN", "Customer Name", *HEADERS[2:]))
    assert verdict(rows(5), of=of) is None


def test_such_headers_that_name_the_dealer_himself_prove_nothing():
    assert verdict(rows(5, price="4711"), of=columns(headers=SERVICE)) is None


def test_headers_that_the_feed_excludes_do_not_count():
    assert verdict(rows(5), ("customer name",), of=columns(headers=SERVICE)) is None


# Rows and prices alike


def test_ten_equal_rows_are_refused_and_nine_are_not():
    assert verdict([row(1)] * 10) == "rows_alike"
    assert verdict([row(1)] * 9) is None


def test_one_price_for_twenty_different_cars_is_refused():
    assert verdict(rows(20, price="$19,999")) == "prices_alike"
    assert verdict(rows(19, price="$19,999")) is None


def test_one_price_for_equal_cars_is_not():
    assert verdict(rows(20, price="19999", model="Rio", year="2024")) is None


@pytest.mark.parametrize("price", ["", "0", "Call", "1", "0.00"])
def test_what_is_no_price_is_not_alike(price):
    assert verdict(rows(20, price=price)) is None


def test_one_row_with_another_price_saves_the_file():
    assert verdict([*rows(20, price="19999"), row(7)]) is None
    assert verdict([*rows(20, price="19999"), row(7, price="")]) is None


def test_a_file_without_prices_is_not_judged_by_them():
    assert verdict(rows(25), of=columns(without=("price",))) is None


# One row


def is_shifted(cells, of=None):
    return row_is_shifted(of or columns())(cells)


def test_a_good_row_is_not_shifted():
    assert not is_shifted(row(1))


def test_a_row_whose_vin_is_in_another_cell_is_shifted():
    assert is_shifted(row(1, vin="Used", stock_number=vin(1)))
    assert not is_shifted(row(1, vin="Used"))
    assert not is_shifted(row(1, vin="", notes=vin(1)))
    assert not is_shifted(row(1, vin=f" {vin(1)}", notes=vin(2)))


def test_a_row_whose_year_is_beside_its_column_is_shifted():
    assert is_shifted(row(1, year="Kia", make="2024"))
    assert not is_shifted(row(1, year="Kia"))


@pytest.mark.parametrize("year", ["24", "2,024", "2024.0", "", "n/a", "'24", "99999"])
def test_a_year_that_is_written_oddly_is_not_shifted(year):
    assert not is_shifted(row(1, year=year, make="2008"))


def test_columns_that_are_absent_shift_nothing():
    assert not is_shifted(row(1, vin="x", notes=vin(1)), columns(without=("vin", "year")))


def test_a_year_within_a_cell_is_no_shift_beside_a_column_of_years():
    headers = ("VIN", "Vehicle", "Built")
    fields = {"vin": (0,), "make": (1,), "model": (1,), "year": (1,)}
    of = Columns(headers, fields, (2,), combined=frozenset({"make", "model", "year"}))
    given = [(vin(number), "2024 Kia Rio", "2023") for number in range(5)]
    assert verdict(given, of=of) is None
    assert not is_shifted(given[0], of)
