import json

from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import Feed
from ingestd.feed import copytext, vin
from ingestd.feed.cells import Plan
from ingestd.feed.encode import BITS, Encoder, Place, own_target, rejection, stored
from ingestd.feed.mapping import map_columns
from ingestd.model import Finding, Known
from ingestd.vehicle import FIELDS, PROVISIONAL, STAGE_HEAD, Column, Target

HEADERS = ("VIN", "Stock", "Make", "Model", "Year", "Price", "Status", "Notes", "", "Notes")
SAMPLE = (("", "", "", "", "", "", "In Stock", "", "", ""),)


def valid(body):
    return body[:8] + vin.check_digit(body) + body[9:]


VIN = valid("KM8K2CAB0RU123456")
OTHER = valid("KM8K2CAB0RU654321")


def encoder(headers=HEADERS, to=None, junk=(), **options):
    feed = Feed(name="x", dealership=7, mode="full", **options)
    target = to or own_target()
    columns = map_columns(headers, SAMPLE, feed, target)
    return Encoder(Plan(columns, feed, target, 2026), Place(3, 7, Known(frozenset(junk))))


def row(**cells):
    given_cells = {"VIN": VIN, "Stock": "S1", "Make": "Kia", "Model": "Rio", "Year": "2024"} | cells
    return tuple(given_cells.get(name, "") for name in HEADERS)


def head(encoded):
    names = [name for name, _ in STAGE_HEAD]
    return dict(zip(names, copytext.fields(encoded.text), strict=False))


def keeps(encoded):
    mask = int(head(encoded)["keep"] or 0)
    return {field for field in FIELDS if mask & BITS[field]}


def test_a_row_is_one_line_of_the_stage():
    target = own_target()
    got = encoder().row(5, row(Price="$25,000"))
    assert got.text.count("\n") == 1
    assert len(copytext.fields(got.text)) == len(target.stage())
    assert head(got)["file_no"] == "3"
    assert head(got)["line"] == "5"
    assert head(got)["dealership_id"] == "7"
    assert head(got)["reason"] is None
    assert rejection(got.text) is None
    fields = stored(target, got.text)
    assert fields["vin"] == VIN
    assert fields["price"] == "25000.00"
    assert fields["trim"] is None
    assert got[1:] == (VIN, "S1", "Kia", "Rio", 2024, None, ())


def test_fields_without_a_column_stay_and_blank_cells_are_cleared():
    got = encoder().row(2, row())
    assert keeps(got) == set(FIELDS) - {"vin", "stock_number", "make", "model", "year", "price"}


def test_a_column_that_holds_nothing_in_any_row_is_told_at_the_end():
    made = encoder()
    made.row(2, row(Stock=""))
    blank = {field for field in FIELDS if made.keep() & BITS[field]}
    assert {"price", "stock_number", "status", "trim"} <= blank
    assert not {"vin", "make"} & blank
    made.row(3, row(Price="Call"))
    assert not made.keep() & BITS["price"]


def test_a_vin_keeps_no_bit_and_a_row_without_one_keeps_the_stored():
    assert "vin" not in keeps(encoder().row(2, row()))
    got = encoder().row(2, row(VIN=""))
    assert "vin" in keeps(got)
    assert (got.vin, got.stock_number) == (None, "S1")


def test_the_first_usable_of_two_vin_columns_is_the_key():
    headers = ("VIN", "Vin Number", "Stock")
    made = encoder(headers)
    assert made.row(2, ("", VIN, "")).vin == VIN
    assert made.row(3, ("JUNKVIN", VIN, "")).vin == VIN
    got = made.row(4, ("12345678910121314", "ABC", "S1"))
    assert [(w.column, w.reason) for w in got.warnings] == [("VIN", "junk_vin")]


def test_extras_hold_the_cells_of_unmapped_columns_under_their_headers():
    cells = list(row())
    cells[7], cells[8], cells[9] = 'a "b"\\c', "d\x00", " \u00a0"
    got = encoder().row(2, cells)
    assert json.loads(head(got)["extras"] or "") == {"Notes": 'a "b"\\c', "column 9": "d"}
    cells[9] = "second"
    got = encoder().row(2, cells)
    assert json.loads(head(got)["extras"] or "")["Notes (column 10)"] == "second"
    assert head(encoder().row(2, row()))["extras"] is None
    assert head(encoder(("VIN",)).row(2, (VIN,)))["extras"] is None


def test_what_a_composed_engine_is_made_of_is_kept_as_extras():
    headers = ("VIN", "Cylinders", "Engine Displacement", "Lot")
    got = encoder(headers).row(2, (VIN, "4", "2.5", "A"))
    assert stored(own_target(), got.text)["engine"] == "2.5L 4-Cylinder"
    extras = {"Cylinders": "4", "Engine Displacement": "2.5", "Lot": "A"}
    assert json.loads(head(got)["extras"] or "") == extras


def said(encoded):
    return head(encoded)["column_name"], head(encoded)["value"]


def test_a_make_model_or_year_that_cannot_be_read_is_told_for_the_case_that_the_row_is_rejected():
    assert said(encoder().row(2, row(Year="20x4\t"))) == ("year", "20x4")
    assert said(encoder().row(2, row(Model="[PREMIUM]", Year="x"))) == ("model", "[PREMIUM]")
    assert said(encoder().row(2, row(Make="", Price="x"))) == (None, None)
    assert said(encoder().row(2, row(Year=""))) == (None, None)
    assert said(encoder().row(2, row())) == (None, None)
    got = encoder().row(2, row(Year="20x4"))
    assert rejection(got.text) is None
    assert [warning.reason for warning in got.warnings] == ["unreadable_year"]


def test_what_is_said_of_one_row_is_not_said_of_the_next():
    made = encoder()
    assert made.row(2, row(Price="x")).warnings
    assert made.row(3, row()).warnings == ()


def test_a_row_without_identifier_is_rejected():
    got = encoder().row(7, row(VIN="TBD", Stock=""))
    finding = Finding(7, "VIN", "no_identifier", "TBD")
    assert got.rejection == finding
    assert rejection(got.text) == finding
    assert head(got)["keep"] == "0"
    assert set(stored(own_target(), got.text).values()) == {None}


def test_a_rejection_shows_the_cell_that_was_there():
    got = encoder().row(7, row(VIN="", Stock="STEPS"))
    assert got.rejection == Finding(7, "Stock", "no_identifier", "STEPS")
    got = encoder().row(7, row(VIN="", Stock=""))
    assert got.rejection == Finding(7, "VIN", "no_identifier", "")
    got = encoder().row(7, row(VIN="AB9Z" * 200 + "\n", Stock=""))
    assert got.rejection is not None
    assert (got.rejection.reason, len(got.rejection.value)) == ("bad_vin", 200)


def test_a_bad_vin_beside_a_stock_number_is_a_warning():
    got = encoder().row(7, row(VIN="AB12"))
    assert got.rejection is None
    assert got.warnings == (Finding(7, "VIN", "bad_vin", "AB12"),)


def test_warnings_of_cells_come_with_their_column():
    got = encoder().row(7, row(VIN=VIN[:8] + ("0" if VIN[8] != "0" else "1") + VIN[9:], Price="x"))
    assert [(w.column, w.reason, w.line) for w in got.warnings] == [
        ("VIN", "check_digit", 7),
        ("Price", "unreadable_number", 7),
    ]
    assert encoder().row(8, row()).warnings == ()


def test_a_vin_known_as_a_dummy_of_the_dealership_is_none():
    got = encoder(junk=[VIN]).row(2, row())
    assert got.vin is None
    assert got.warnings == (Finding(2, "VIN", "vin_repeated", VIN),)
    assert encoder(junk=[VIN]).row(2, row(Stock="")).rejection == Finding(
        2, "VIN", "no_identifier", VIN
    )


def test_a_car_in_transit_may_have_a_provisional_vin():
    odd = "KM8K2CABORU12345O"
    assert encoder().row(2, row(VIN=odd, Status="In Transit")).vin == odd
    assert encoder().row(2, row(VIN=odd, Status="In Stock")).vin is None


def test_a_row_says_whether_its_vin_is_a_placeholder():
    toyota = valid("2T3RWRFV0RC0C1234")
    for text, marked in ((toyota, True), (VIN, False), ("", False)):
        keep = int(head(encoder().row(2, row(VIN=text)))["keep"])
        assert bool(keep & PROVISIONAL) is marked
    assert not encoder().keep() & PROVISIONAL


def test_a_record_that_is_no_row_is_rejected_and_counts_as_a_sighting():
    made = encoder()
    got = made.bad(9, (VIN, "S1", "Kia"), "too_few_cells")
    assert got.rejection == Finding(9, None, "too_few_cells", VIN)
    assert (got.vin, got.stock_number) == (VIN, "S1")
    assert stored(own_target(), got.text)["vin"] == VIN
    assert stored(own_target(), got.text)["stock_number"] == "S1"
    assert rejection(got.text) == got.rejection


def test_of_shifted_cells_only_a_vin_is_believed():
    got = encoder().bad(9, (VIN, "S1", *["x"] * 20), "too_many_cells")
    assert (got.vin, got.stock_number) == (VIN, None)


def test_the_last_cell_of_a_line_cut_off_is_not_believed():
    assert encoder().bad(9, ("", "S1"), "cut_off").stock_number is None
    assert encoder().bad(9, ("", "STEPS", "Ki"), "cut_off").stock_number is None
    assert encoder().bad(9, (), "row_too_large").rejection == Finding(9, None, "row_too_large", "")


def test_a_target_without_some_columns_gets_none_of_them():
    small = Target("small", (Column("stock_number", "s", "text"), Column("price", "p", "numeric")))
    got = encoder(("Stock", "Price", "Make"), small).row(2, ("S1", "900", "Kia"))
    assert got[1:6] == (None, "S1", None, None, None)
    assert stored(small, got.text) == {"stock_number": "S1", "price": "900.00"}
    assert encoder(("Stock", "Price"), small).bad(2, ("S1", "9"), "cut_off").stock_number == "S1"
    only_vin = Target("v", (Column("vin", "vin", "text"),))
    made = encoder(("VIN", "Make"), only_vin)
    assert made.row(2, (VIN, "Kia"))[1:6] == (VIN, None, None, None, None)
    assert made.bad(2, (VIN,), "too_few_cells").vin == VIN


CELL = st.one_of(
    st.text(st.characters(), max_size=12), st.sampled_from(["", VIN, "S1", "$900", "\\N"])
)


@given(st.lists(CELL, min_size=10, max_size=10))
def test_whatever_the_cells_a_line_has_as_many_fields_as_the_stage(cells):
    target = own_target()
    for got in (encoder().row(2, cells), encoder().bad(2, tuple(cells), "too_many_cells")):
        got.text.encode()
        assert got.text.count("\n") == 1
        assert "\x00" not in got.text
        fields = copytext.fields(got.text)
        assert len(fields) == len(target.stage())
        for (_, kind), value in zip(target.stage(), fields, strict=True):
            if value is not None and kind in ("integer", "bigint"):
                assert str(int(value)) == value
            if value is not None and kind == "jsonb":
                json.loads(value)
        assert (rejection(got.text) is None) == (got.rejection is None)


def test_rows_are_counted_by_what_stands_in_the_columns_that_are_watched():
    encode = encoder()
    for cells in (
        {"Price": "$25,000"},
        {"Price": "Call"},
        {"Price": "", "Year": "soon"},
        {"Price": "12,3x5", "VIN": ""},
        {"Price": "250", "VIN": "0000"},
        {"VIN": "0000", "Stock": ""},
    ):
        encode.row(2, row(**cells))
    seen = encode.seen()
    assert seen["row", ""] == 6
    assert (seen["blank", "price"], seen["unreadable", "price"]) == (2, 2)
    assert (seen["blank", "year"], seen["unreadable", "year"]) == (0, 1)
    assert (seen["blank", "vin"], seen["unreadable", "vin"]) == (1, 2)


def test_a_row_may_be_rejected_for_one_of_its_cells_and_names_nothing_then():
    got = encoder().refused(9, 2, row(Make="K\tia" * 100), "unknown_rooftop")

    assert got.rejection == Finding(9, "Make", "unknown_rooftop", ("K ia" * 100)[:200])
    assert rejection(got.text) == got.rejection
    assert (got.vin, got.stock_number, head(got)["extras"]) == (None, None, None)


def test_a_row_that_is_rejected_for_a_blank_cell_names_its_vehicle():
    got = encoder().refused(9, 2, row(Make=" "), "unknown_rooftop")
    assert got.rejection == Finding(9, "Make", "unknown_rooftop", " ")
    plain = encoder().row(9, row())
    assert (got.vin, got.stock_number) == (plain.vin, plain.stock_number)
    assert got.vin is not None


def test_a_field_is_searched_where_its_first_cell_does_not_tell():
    made = encoder(("VIN", "Trim", "Series Detail", "Badge"))
    got = made.row(2, (VIN, "", "", "GT"))
    assert stored(own_target(), got.text)["trim"] == "GT"
    assert "trim" not in keeps(got)
    got = made.row(3, (VIN, "[PREMIUM]", "", ""))
    assert stored(own_target(), got.text)["trim"] is None
    assert "trim" in keeps(got)


def test_long_cells_of_columns_that_no_field_took_are_kept_and_not_remembered():
    made = encoder()
    for text in ("x" * 61, "y" * 61, "short", "short"):
        cells = list(row())
        cells[7] = text
        assert json.loads(head(made.row(2, cells))["extras"] or "") == {"Notes": text}
