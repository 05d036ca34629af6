"""What a file shows of itself, for the guard."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.evidence import MOST_NAMELESS, Witness, dealer_column, fingerprint
from ingestd.model import Evidence

HEADERS = ("VIN", "Dealer ID", "Price")


def test_the_dealers_id_is_known_by_its_header_and_a_name_is_none():
    assert dealer_column(HEADERS) == 1
    assert dealer_column(("Dealer", "Dealer Name", "ID")) is None


def test_the_dealers_ids_are_told_in_their_order_once_each_and_cut():
    witness = Witness(4, HEADERS)
    for value in ("7", " 7 ", "", "8", "7", "x" * 200):
        witness.row(("V", value, "1"))
    assert witness.evidence({}, Counter()) == Evidence(4, dealer_ids=("7", "8", "x" * 100))


def test_no_more_than_a_hundred_dealers_are_told():
    witness = Witness(4, HEADERS)
    for value in range(120):
        witness.row(("V", str(value), "1"))
    assert witness.evidence({}, Counter()).dealer_ids == tuple(map(str, range(100)))


def test_a_file_without_such_a_column_tells_no_id():
    witness = Witness(0, ("VIN",))
    witness.row(("V",))
    assert witness.evidence({}, Counter()).dealer_ids == ()


def test_cells_are_counted_row_by_row_for_the_fields_that_have_a_column():
    seen = Counter({("row", ""): 10, ("blank", "price"): 4, ("unreadable", "price"): 1})
    found = Witness(0, HEADERS).evidence({"vin": (0,), "price": (2,), "make": (3,)}, seen)
    assert found.readable == {"price": (5, 6), "vin": (10, 10)}


def test_rows_without_identifier_are_kept_up_to_a_limit_and_all_are_counted():
    witness = Witness(0, HEADERS)
    for line in range(MOST_NAMELESS + 2):
        witness.nameless(line, ("Total: 140 vehicles",))
    found = witness.evidence({}, Counter())
    assert found.unnamed == MOST_NAMELESS + 2
    assert found.nameless[0] == (0, fingerprint(("Total: 140 vehicles",)))
    assert len(found.nameless) == MOST_NAMELESS


@given(st.lists(st.text()), st.lists(st.text()))
def test_the_same_cells_have_the_same_fingerprint_and_it_fits_a_bigint(one, other):
    assert -(2**63) <= fingerprint(one) < 2**63
    if "\x1f".join(one) != "\x1f".join(other):
        assert fingerprint(one) != fingerprint(other)


def test_a_cell_that_moved_is_another_row_and_surrogates_do_no_harm():
    assert fingerprint(("a", "")) != fingerprint(("", "a"))
    assert fingerprint(("\udc80",)) != fingerprint(("",))


def test_a_feed_may_name_the_column_with_the_dealers_id_and_then_no_other_is():
    assert dealer_column(HEADERS, "price") == 2
    assert dealer_column(HEADERS, "Place") is None
    witness = Witness(4, HEADERS, "Price")
    witness.row(("V", "7", "N"))
    assert witness.evidence({}, Counter()).dealer_ids == ("N",)
