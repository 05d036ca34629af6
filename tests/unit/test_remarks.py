from ingestd.config import Feed
from ingestd.feed.columns import Columns
from ingestd.feed.remarks import Remarks
from ingestd.model import Finding


def remarks(headers, fields, *, sent=None, cents=False, **options):
    taken = {index for indexes in fields.values() for index in indexes}
    left = tuple(index for index in range(len(headers)) if index not in taken)
    columns = Columns(headers, fields, left, cents=cents)
    feed = Feed(name="x", dealership=1, mode="full", **options)
    return list(Remarks(3, sent or headers, columns, feed).found())


VIN_PRICE = (("VIN", "Price"), {"vin": (0,), "price": (1,)})


def test_an_ordinary_header_gives_no_remark():
    assert remarks(*VIN_PRICE) == []
    assert remarks(("VIN",), {"vin": (0,)}) == []


def test_names_that_are_not_believed_are_told():
    found = remarks(("VIN", "", "", ""), {"vin": (0,)}, sent=("VIN", "Price", ""))
    assert found == [Finding(3, None, "surplus_cells", "Price")]


def test_a_list_price_that_is_not_taken_is_told_where_there_is_no_other():
    headers = ("VIN", "List Price", "Retail")
    assert remarks(headers, {"vin": (0,)}) == [Finding(3, "List Price", "price_not_taken", "")]
    assert remarks(headers, {"vin": (0,), "price": (2,)}) == []


def test_prices_in_cents_are_told_unless_the_feed_says_so():
    found = remarks(*VIN_PRICE, cents=True)
    assert found == [Finding(3, "Price", "prices_in_cents", "")]
    assert remarks(*VIN_PRICE, cents=True, prices_in="cents") == []
    assert remarks(("VIN",), {"vin": (0,)}, cents=True) == []
