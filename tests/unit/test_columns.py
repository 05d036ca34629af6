from ingestd.feed.columns import Columns

COLUMNS = Columns(("VIN", "A", "Price", "Sale"), {"vin": (0,), "price": (3, 2)}, (1,))


def test_headers_are_shown_by_field_in_order_of_preference():
    assert COLUMNS.shown() == {"vin": ("VIN",), "price": ("Sale", "Price")}
    assert COLUMNS.leftover() == ("A",)


def test_a_vin_or_a_stock_number_identifies():
    assert COLUMNS.identified()
    assert Columns(("S",), {"stock_number": (0,)}, ()).identified()
    assert not Columns(("P",), {"price": (0,)}, ()).identified()
