from ingestd.feed.columns import Columns
from ingestd.feed.encode import own_target
from ingestd.feed.inspection import Leftover, Sightings
from ingestd.vehicle import FIELDS

# What was seen


def line(stock, extras=r"\N", price="9000.00"):
    cells = {"stock_number": stock, "price": price}
    head = ("0", "2", "1", "0", r"\N", r"\N", r"\N", extras)
    return "\t".join((*head, *(cells.get(name, r"\N") for name in FIELDS))) + "\n"


def seen(*lines):
    found = Sightings(own_target())
    for each in lines:
        found.take(each)
    return found


def test_values_are_counted_and_three_different_ones_are_shown():
    found = seen(line("S1"), line("S1"), line(r"\N"), line("S2"), line("S3"), line("S4"))
    assert found.filled == {"stock_number": 5, "price": 6}
    assert found.samples() == {"stock_number": ("S1", "S2", "S3"), "price": ("9000.00",)}


def test_all_vehicles_are_counted_but_only_the_first_are_looked_at():
    found = seen(*[line("S1")] * 200, line("S2"))
    assert found.filled["stock_number"] == 201
    assert found.samples()["stock_number"] == ("S1",)


def left_of(found, headers, near=(), fields=None):
    columns = Columns(headers, fields or {}, tuple(range(len(headers))))
    return found.leftover(columns, near)


def test_columns_that_no_field_took_are_told_with_what_they_may_be():
    extras = (
        '{"When":"2024","Milage":"12","Odomter":"x","List Price":"9"}',
        '{"When":"2023","Note":"x","categoryId":"174"}',
    )
    found = seen(*(line("S1", each) for each in extras))
    headers = ("When", "Milage", "Odomter", "Note", "Blank", "Modl", "List Price", "categoryId")
    near = [
        ("Milage", "mileage"),
        ("Odomter", "mileage"),
        ("Modl", "model"),
        ("categoryId", "body_style"),
    ]
    assert left_of(found, headers, [*near, ("List Price", "price")]) == (
        Leftover("When", ("2024", "2023"), "year", "its cells look so"),
        Leftover("Milage", ("12",), "mileage", "near to a known name"),
        Leftover("Odomter", ("x",), ""),
        Leftover("Note", ("x",), ""),
        Leftover("Modl", (), "model", "near to a known name"),
        Leftover("List Price", ("9",), "price", "a list price, and the file has no other"),
        Leftover("categoryId", ("174",), ""),
    )


def test_cells_are_no_reason_where_the_field_has_a_column():
    found = seen(line("S1", '{"Sold":"2024"}'), line("S2", '{"Sold":"2023"}'))
    assert left_of(found, ("Sold",), (), {"year": (9,)})[0].likely == ""


def test_what_a_vehicle_to_be_inserted_lacks_is_counted_by_field_and_by_row():
    found = seen(line("S1"), line("S2", price="1"))
    assert found.lacking == {"make": 2, "model": 2, "year": 2}
    assert found.uninsertable == 2


def codes(header, values, fields=None):
    found = seen(*(line("S1", f'{{"{header}":"{value}"}}') for value in values))
    return left_of(found, (header,), (), fields)[0]


CODES = ("R107", "R207", "R307", "R407", "R5107")


def test_a_column_of_prices_that_is_called_so_may_be_the_price():
    left = codes("Special Offer $", ("18,995", "9500", "$12,000.00"))
    assert (left.likely, left.why) == ("price", "its cells may be prices")
    assert codes("Special Offer $", ("18,995",), {"price": (9,)}).likely == ""
    assert codes("Special Offer $", ("18,995", "12 days")).likely == ""
    assert codes("Odo", ("18995", "9500")).likely == ""
    assert codes("Invoice Price", ("18,995", "9500")).likely == ""


def test_a_column_of_short_codes_that_all_differ_may_be_the_stock_number():
    left = codes("Lot Ref #", CODES)
    assert left.likely == "stock_number"
    assert left.why == "another on each row; only if it stands on the car"
    assert codes("Lot Ref #", CODES, {"stock_number": (9,)}).likely == ""


def test_codes_that_come_again_or_have_many_forms_are_no_stock_number():
    assert codes("Lot Ref #", (*CODES, "R107")).likely == ""
    assert codes("Lot Ref #", ("R1", "R22", "R333", "R4444", "R55555")).likely == ""
    assert codes("Lot Ref #", CODES[:4]).likely == ""


def test_bare_numbers_are_one_only_where_the_name_calls_them_so():
    numbers = ("10071", "10072", "10075", "10079", "10081")
    assert codes("Lot Ref #", numbers).likely == "stock_number"
    assert codes("Odo", numbers).likely == ""


def test_of_a_refused_file_the_cells_are_shown_as_they_stand():
    found = Sightings(own_target())
    columns = Columns(("VIN", "Price", "Note"), {"vin": (0,), "price": (1,)}, (2,))
    found.look(columns, [("A", "$1", " "), ("", "$2", "x\ty"), ("B", "$2", "")])
    assert found.samples() == {"vin": ("A", "B"), "price": ("$1", "$2")}
    assert found.leftover(columns, ()) == (Leftover("Note", ("x y",), ""),)


def test_long_values_are_cut():
    assert seen(line("S" * 300)).samples()["stock_number"] == ("S" * 200,)
