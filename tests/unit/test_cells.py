from dataclasses import replace

import pytest

from ingestd.config import Feed
from ingestd.feed.cells import Plan, takers
from ingestd.feed.columns import Columns
from ingestd.feed.copytext import NULL
from ingestd.feed.encode import own_target
from ingestd.vehicle import Column, Target


def target(*columns, **options):
    return Target("test", columns, **options)


def plan(fields, to=None, *, columns=(), engine=None, combined=(), **options):
    """Give the plan for fields = {field: indexes}; ``columns`` are (parts, units, unit)."""
    parts, units, unit = columns or ((), {}, None)
    width = 1 + max([0, *(index for indexes in fields.values() for index in indexes)])
    headers = tuple(f"h{index}" for index in range(width + 2))
    found = Columns(headers, fields, (), parts, units, unit, engine, frozenset(combined))
    feed = Feed(name="x", dealership=1, mode="full", **options)
    return Plan(found, feed, to or own_target(), 2026)


def take(field, cell, to=None, **options):
    """Give what one cell becomes, and the reasons noted."""
    made = plan({field: (0,)}, to, **options)
    value = takers(made)[field]((cell,))
    return value, [reason for _, reason, _ in made.notes.found]


@pytest.mark.parametrize(
    ("field", "cell", "text"),
    [
        ("stock_number", " DT25256 ", "DT25256"),
        ("make", "Kia", "Kia"),
        ("model", "C:\\V", "C:\\\\V"),
        ("year", "2028", "2028"),
        ("mileage", "53,264", "53264"),
        ("price", "$59,277.00", "59277.00"),
        ("msrp", "24999.99", "24999.99"),
        ("features", "a|b", '["a","b"]'),
        ("description", "one\ntwo", "one\\ntwo"),
        ("images", "https://a.example/1", '["https://a.example/1"]'),
        ("status", "In Stock", "active"),
        ("url", "https://a.example/1", "https://a.example/1"),
        ("doors", "4", "4"),
        ("condition", "Used", "Used"),
    ],
)
def test_a_usable_cell_becomes_copy_text(field, cell, text):
    assert take(field, cell) == (text, [])


@pytest.mark.parametrize(
    "field", ["trim", "price", "mileage", "images", "features", "doors", "url"]
)
def test_a_blank_cell_clears_the_stored_value_unless_the_feed_keeps_it(field):
    assert take(field, "N/A") == (NULL, [])
    assert take(field, "N/A", blank="keep") == (None, [])


@pytest.mark.parametrize("field", ["stock_number", "status"])
def test_an_identifier_or_status_is_never_cleared(field):
    assert take(field, "") == (None, [])


@pytest.mark.parametrize("field", ["make", "model", "year"])
def test_a_blank_in_a_required_column_stays_and_is_told(field):
    assert take(field, "") == (None, ["required_blank"])


def test_make_of_a_table_that_does_not_require_it_stays_silently():
    assert take("make", "", target(Column("make", "make", "text"))) == (None, [])


@pytest.mark.parametrize(
    ("field", "cell", "reason"),
    [
        ("mileage", "12,3x5", "unreadable_number"),
        ("price", "$281", "implausible_price"),
        ("year", "2024/25", "unreadable_year"),
        ("status", "Needs Work", "unknown_status"),
        ("url", "javascript:x", "bad_url"),
        ("stock_number", "STEPS", "junk_stock_number"),
        ("mileage", "9876543210", "does_not_fit"),
        ("price", "98765432109", "does_not_fit"),
        ("features", "[{", "unreadable_list"),
    ],
)
def test_what_cannot_be_read_or_does_not_fit_leaves_the_stored_value(field, cell, reason):
    assert take(field, cell) == (None, [reason])


def test_another_currency_is_taken_with_a_warning():
    assert take("price", "48900 CAD") == ("48900.00", ["currency"])
    assert take("price", "98765432109 CAD") == (None, ["does_not_fit"])


def test_the_least_plausible_price_is_the_feeds():
    assert take("price", "$281", min_price=100) == ("281.00", [])


def first(cells, **options):
    made = plan({"price": (0, 1, 2)}, **options)
    return (
        takers(made)["price"](cells),
        [(at, why) for at, why, _ in made.notes.found],
        made.notes.filled,
    )


def test_the_first_positive_price_is_taken():
    assert first(("", "0", "45000")) == ("45000.00", [], set())
    assert first(("$281", "45000", "")) == ("45000.00", [], set())


def test_words_end_the_search_for_a_price():
    assert first(("Call", "45000", "")) == (NULL, [], {"price"})


def test_words_leave_a_price_that_the_table_requires():
    for given in ({"required": True}, {"not_null": True}):
        required = target(Column("price", "price", "integer", **given))
        assert first(("Call", "", ""), to=required) == (None, [], {"price"})


def test_a_blank_cell_of_what_must_not_be_null_is_told_and_clears_nothing():
    mileage = target(Column("mileage", "mileage", "integer", not_null=True))
    assert take("mileage", "", mileage) == (None, ["required_blank"])


def test_what_a_narrow_column_cannot_hold_is_not_read_at_a_glance():
    price = target(Column("price", "price", "numeric", most=999999))
    assert take("price", "$9,999.99", price) == ("9999.99", [])
    assert take("price", "$10,000.00", price) == (None, ["does_not_fit"])
    mileage = target(Column("mileage", "mileage", "integer", most=3276700))
    assert take("mileage", "32768", mileage) == (None, ["does_not_fit"])
    images = target(Column("images", "images", "text", max_length=30))
    address = "https://a.example/" + "x" * 20
    assert take("images", address, images) == (None, ["does_not_fit"])


def test_where_no_cell_can_be_read_the_first_is_told():
    assert first(("", "-5", "$281")) == (None, [(1, "unreadable_number")], {"price"})


def test_money_is_written_in_the_targets_unit():
    whole = target(Column("price", "price", "integer"), money="whole_dollars")
    dollars = target(Column("price", "price", "integer"))
    cents = target(Column("price", "price", "integer"), money="cents")
    for to, text in ((whole, "25000"), (dollars, "25000"), (cents, "2499950")):
        assert take("price", "24999.50", to) == (text, [])
    assert take("price", "30,000,000", cents) == (None, ["does_not_fit"])
    assert take("price", "2,147,483,648", whole) == (None, ["does_not_fit"])


def test_lists_are_arrays_where_the_table_has_arrays():
    array = target(Column("features", "features", "text[]"))
    assert take("features", 'a,18" wheels', array) == ('{"a","18\\\\" wheels"}', [])


def test_text_longer_than_its_column_does_not_fit():
    short = target(Column("trim", "trim", "text", max_length=3))
    assert take("trim", "SEL", short) == ("SEL", [])
    assert take("trim", "SEL+", short) == (None, ["does_not_fit"])


def test_status_is_written_in_the_targets_words():
    own = target(Column("status", "status", "text"), status_pending="On Hold")
    assert take("status", "deposit", own) == ("On Hold", [])


def test_a_default_fills_a_column_that_the_file_lacks():
    made = plan(
        {"trim": (0,)}, defaults={"make": "Toyota", "year": 2024, "price": "cheap", "trim": "X"}
    )
    found = takers(made)
    assert found["make"](("",)) == "Toyota"
    assert found["year"](("",)) == "2024"
    assert "price" not in found
    assert found["trim"](("",)) == NULL


def test_the_vin_is_left_to_the_ladder():
    assert "vin" not in takers(plan({"vin": (0,)}))


def test_the_unit_of_a_mileage_comes_from_the_cell_the_column_beside_it_or_its_header():
    beside = takers(plan({"mileage": (0,)}, columns=((), {0: "miles"}, 1)))["mileage"]
    assert beside(("1000", "KM")) == "621"
    assert beside(("1000", "")) == "1000"
    assert beside(("1000 mi", "KM")) == "1000"
    header = takers(plan({"mileage": (0,)}, columns=((), {0: "kilometers"}, None)))["mileage"]
    assert header(("1000",)) == "621"


IMG = "https://img.lot.example/"


def images(cells, **options):
    made = plan({"images": (0, 1, 2)}, columns=((1, 2), {}, None), **options)
    return takers(made)["images"](cells), [why for _, why, _ in made.notes.found]


def test_single_images_are_collected_where_there_is_no_list():
    assert images(("", IMG + "1", f"{IMG}2|{IMG}1")) == (f'["{IMG}1","{IMG}2"]', [])
    assert images((IMG + "0", IMG + "1", "")) == (f'["{IMG}0"]', [])


def test_a_bad_single_image_is_left_out_and_told():
    assert images(("", IMG + "1", "x.jpg")) == (f'["{IMG}1"]', ["bad_url"])
    assert images(("", f"{IMG}1|http://localhost/x|{IMG}2", "")) == (
        f'["{IMG}1","{IMG}2"]',
        ["bad_url"],
    )
    assert images(("", "", "x.jpg")) == (None, ["bad_url"])
    assert images(("", "", "")) == (NULL, [])


def test_the_first_cell_is_read_the_quick_way_where_it_is_of_the_common_form():
    made = takers(plan({"price": (0,), "trim": (0,)}))
    assert made["price"].quick is not None
    assert made["price"](("$25,999",)) == "25999.00"
    assert made["trim"].quick is None
    assert made["trim"](("SEL",)) == "SEL"
    cents = target(Column("price", "price", "integer"), money="cents")
    assert takers(plan({"price": (0,)}, cents))["price"].quick is None
    array = target(Column("images", "images", "text[]"))
    assert take("images", IMG + "1", array) == (f'{{"{IMG}1"}}', [])
    short = target(Column("url", "url", "text", max_length=5))
    assert take("url", IMG + "1", short) == (None, ["does_not_fit"])


def test_an_engine_is_made_of_its_parts_where_no_cell_describes_it():
    made = takers(plan({"engine": (0, 1, 2)}, engine=(1, -1, 2)))["engine"]
    assert made(("2.5L I4 Turbo", "2.5", "4")) == "2.5L I4 Turbo"
    assert made(("", "2.5", "4")) == "2.5L 4-Cylinder"
    assert made(("", "", "0")) == NULL
    short = target(Column("engine", "engine", "text", max_length=5))
    made = takers(plan({"engine": (0, 1, 2)}, short, engine=(1, -1, 2)))["engine"]
    assert made(("", "2.5", "4")) is None


def test_year_make_model_and_trim_are_read_from_one_cell():
    fields = ("year", "make", "model", "trim")
    made = plan(dict.fromkeys(fields, (0,)), combined=fields)
    found = takers(made)
    assert [found[name](("2019 Honda Accord EX-L",)) for name in fields] == [
        *("2019", "Honda", "Accord", "EX-L")
    ]
    assert [found[name](("Call us",)) for name in fields] == [None] * 4
    assert [reason for _, reason, _ in made.notes.found] == ["unreadable_text"] * 4


@pytest.mark.parametrize("field", ["trim", "description"])
def test_text_that_was_garbled_before_it_came_is_stored_and_counted(field):
    assert take(field, "GLB 35 AMG\u00c2\u00ae") == ("GLB 35 AMG\u00c2\u00ae", ["mojibake"])
    assert take(field, "AMG\u00ae") == ("AMG\u00ae", [])


@pytest.mark.parametrize(
    ("field", "cell", "text"),
    [
        ("fuel_type", "G", "Gasoline"),
        ("transmission", "A", "Automatic"),
        ("drivetrain", "F", "FWD"),
        ("condition", "N", "New"),
        ("exterior_color", "Black - 123", "Black - 123"),
    ],
)
def test_each_field_reads_its_own_words(field, cell, text):
    assert take(field, cell) == (text, [])


def test_a_colours_number_gives_way_to_the_generic_colour():
    made = plan({"exterior_color": (0, 1)})
    assert takers(made)["exterior_color"](("040", "White")) == "White"
    assert takers(made)["exterior_color"](("040", "")) is None
    assert made.notes.found == [(0, "unreadable_text", "040")]


def test_a_column_that_repeats_is_remembered_only_so_far():
    take_trim = takers(plan({"trim": (0,)}))["trim"]
    for number in range(5000):
        assert take_trim((f"T{number}",)) == f"T{number}"
    assert take_trim(("x" * 200,)) == "x" * 200


def flagged(field, said, cell, to=None):
    made = plan({field: (0, 1)}, to)
    columns = replace(made.columns, flags={0: said})
    notes = made.notes
    return takers(replace(made, columns=columns))[field]((cell, "In Stock")), notes.found


@pytest.mark.parametrize(
    ("cell", "text"), [("1", "sold"), ("Yes", "sold"), (" true ", "sold"), ("", "active")]
)
def test_a_yes_is_what_it_stands_for_and_a_blank_says_nothing(cell, text):
    assert flagged("status", ("sold", "active"), cell) == (text, [])


def test_a_no_says_what_it_stands_for_or_nothing():
    assert flagged("status", ("sold", "pending"), "0")[0] == "pending"
    assert flagged("status", ("sold", ""), "0")[0] == "active"


def test_what_is_neither_yes_nor_no_is_unreadable():
    made = plan({"condition": (0,)})
    columns = replace(made.columns, flags={0: ("New", "Used")})
    assert takers(replace(made, columns=columns))["condition"](("maybe",)) is None
    assert made.notes.found == [(0, "unreadable_text", "maybe")]


def test_a_feeds_own_words_for_a_status_come_first():
    words = {"Needs Work": "pending", "In stock": "sold", "Web": "blank"}
    assert take("status", "NEEDS-WORK", status=words) == ("pending", [])
    assert take("status", "In Stock", status=words) == ("sold", [])
    assert take("status", "web", status=words) == (None, [])
    assert take("status", "Sold", status=words) == ("sold", [])
    assert take("status", "x", status=words) == (None, ["unknown_status"])


def test_prices_in_cents_are_read_as_such():
    made = plan({"price": (0,), "msrp": (0,)})
    cents = takers(replace(made, columns=replace(made.columns, cents=True)))
    assert cents["price"].quick is None
    assert [cents[name](("1599500",)) for name in ("price", "msrp")] == ["15995.00"] * 2


def test_what_a_cell_gives_whatever_the_others_are_is_remembered():
    memo = takers(plan({"trim": (0,)}))["trim"].memo
    assert memo is not None
    assert [memo[cell] for cell in ("SEL", "N/A", "[PREMIUM]")] == ["SEL", NULL, None]
    assert dict(memo) == {"SEL": "SEL", "N/A": NULL, "[PREMIUM]": None}
    assert memo["x" * 200] == "x" * 200
    assert len(memo) == 3
    two = takers(plan({"trim": (0, 1)}))["trim"].memo
    kept = takers(plan({"trim": (0,)}, blank="keep"))["trim"].memo
    assert two is not None
    assert kept is not None
    assert (two[""], kept[""]) == (None, None)
