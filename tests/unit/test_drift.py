import pytest

from ingestd.feed.drift import changes, fingerprint, since
from ingestd.model import Drift, Heading

OLD = ("VIN", "Stock #", "Year", "Make", "Price")


def compared(now, before=OLD):
    return changes(before, now, {}, {})


def test_a_fingerprint_is_that_of_the_names_whatever_their_order_and_dress():
    assert fingerprint(OLD) == fingerprint(("price*", "MAKE", "", "year", "Stock", "Vin"))
    assert fingerprint(OLD) != fingerprint(OLD[:-1])
    assert len(fingerprint(())) == 16


def test_headers_in_another_order_or_dress_are_no_change():
    assert not compared(("Make", "price", "VIN", "stock#", "YEAR", ""))


def test_added_and_gone_headers_are_told():
    assert compared((*OLD, "Trim")) == Drift(added=("Trim",))
    assert compared(OLD[:-1]) == Drift(gone=("Price",))


@pytest.mark.parametrize("new", ["Stock Number", "Inventory No"])
def test_a_header_is_renamed_if_it_is_alike_or_stands_in_the_same_place(new):
    assert compared(("VIN", new, "Year", "Make", "Price")) == Drift(renamed=(("Stock #", new),))


def test_a_header_that_is_alike_elsewhere_is_renamed_too():
    found = compared(("VIN", "Year", "Make", "Price", "Trim", "StockNo"))
    assert found == Drift(added=("Trim",), renamed=(("Stock #", "StockNo"),))


def test_each_new_header_stands_for_one_old_header_only():
    found = changes(("VIN", "Price A", "Price B"), ("VIN", "Cost", "Price C"), {}, {})
    assert found.renamed == (("Price A", "Price C"),)
    assert (found.added, found.gone) == (("Cost",), ("Price B",))


def test_fields_that_lost_or_gained_a_column_are_told():
    found = changes(
        (), (), {"vin": ("VIN",), "price": ("Price",)}, {"vin": ("VIN",), "trim": ("T",)}
    )
    assert found == Drift(lost=("price",), gained=("trim",))
    assert found


def heading(*headers, **mapping):
    return Heading(headers, {field: (header,) for field, header in mapping.items()})


def test_a_first_file_and_one_with_the_same_headers_do_not_drift():
    now = heading(*OLD)
    assert not since((), now)
    assert not since((heading(*OLD, vin="VIN"),), now)


def test_a_file_is_compared_with_the_one_of_the_last_delivery_that_it_resembles_most():
    before = (heading("Customer", "Phone"), heading(*OLD, price="Price"))
    found = since(before, heading("Trim", *OLD[:-1], trim="Trim"))
    assert (found.gone, found.added) == (("Price",), ("Trim",))
    assert (found.lost, found.gained) == (("price",), ("trim",))
