import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import values
from ingestd.feed.values import BLANK

NOTHING = [
    "",
    " ",
    "\t",
    "\u00a0",
    "N/A",
    "n/a",
    " #N/A ",
    "NA",
    "-",
    "--",
    "\u2014",
    "NULL",
    "\\N",
    "***",
    "?",
    "#DIV/0!",
]


@pytest.mark.parametrize("cell", [*NOTHING, " " * 100])
def test_a_word_for_nothing_is_blank(cell):
    assert values.is_blank(cell)
    assert values.text(cell) is BLANK
    assert values.free_text(cell) is BLANK
    assert values.stock_number(cell) is BLANK
    assert values.status(cell) is BLANK


@pytest.mark.parametrize("cell", ["Other", "0", "x" * 100, "Nana", "!", "+"])
def test_a_word_that_means_something_is_not_blank(cell):
    assert not values.is_blank(cell)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("Kia", "Kia"),
        ("  Ultra Black ", "Ultra Black"),
        ("Ultra  Black", "Ultra Black"),
        ("CVT CVT", "CVT CVT"),
        ("Ultra\u00a0Black\r\n", "Ultra Black"),
        ("a\x00b\x07c", "abc"),
        ("a\x1fb", "a b"),
        ("a\ud800b", "ab"),
        ("Zero\u200bWidth\ufeff", "ZeroWidth"),
        ("Snow White Pearl<sup>1</sup>", "Snow White Pearl"),
        ('White<Disclaimer code="INVENTED" />', "White"),
        ("Ford<br/>Focus", "Ford Focus"),
        ("5&#x27;7&quot; Box", "5'7\" Box"),
        ('="00123"', "00123"),
        ("AT&T Blue &amp; Grey", "AT&T Blue & Grey"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("Blue&nbsp;", "Blue"),
        ("&#0;x", "\ufffdx"),
        ("&#1;x", "x"),
        ("&#55296;x", "\ufffdx"),
        ("&#99999999;", "&#99999999;"),
    ],
)
def test_text_is_trimmed_and_cleaned_of_tags_entities_and_hidden_characters(cell, value):
    assert values.text(cell) == value


def test_markup_with_nothing_in_it_is_blank():
    assert values.text("<span></span>") is BLANK
    assert values.text("&nbsp;") is BLANK


def test_free_text_keeps_tags_entities_and_line_ends():
    cell = " One owner<br />\r\nAT&amp;T\x00 ready\r\U0001f697 "
    assert values.free_text(cell) == "One owner<br />\nAT&amp;T ready\n\U0001f697"


@pytest.mark.parametrize(
    "value",
    [
        "AMG\u00c2\u00ae",
        "caf\u00c3\u00a9",
        "it\u00e2\u20ac\u2122s",
        "x\ufffd",
        "\u00ef\u00bb\u00bfVIN",
    ],
)
def test_text_that_was_decoded_wrongly_is_noticed(value):
    assert values.garbled(value)


@pytest.mark.parametrize("value", ["AMG\u00ae", "caf\u00e9", "\u00c2me", "S\u00c3O", "it's"])
def test_other_letters_are_no_sign_of_it(value):
    assert not values.garbled(value)


def test_plain_shows_any_text_on_one_line():
    assert values.plain("Stock #") == "Stock #"
    assert values.plain("a\tb\nc\x00") == "a b c"


@pytest.mark.parametrize("cell", ["25713", "DT25256", "27170A", "16-260218", "  kv5516 "])
def test_a_stock_number_has_a_digit(cell):
    assert values.stock_number(cell) == cell.strip()


@pytest.mark.parametrize(
    "cell",
    [
        "Start Saving Vehicles Today!",
        "STEPS",
        "COVERS",
        "Smith",
        "0000",
        "TEST1",
        "STOCK1",
        "https://cars.example/1",
        "9" * 51,
    ],
)
def test_a_word_a_slogan_or_a_filler_is_a_junk_stock_number(cell):
    assert values.stock_number(cell) is values.JUNK_STOCK


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("active", "active"),
        ("On-Lot", "active"),
        ("In Stock", "active"),
        ("InStock", "active"),
        ("in_transit_at_factory", "active"),
        ("In-Service FCTP", "active"),
        ("Build Phase", "active"),
        ("Available", "active"),
        ("Sale Pending", "pending"),
        ("HOLD", "pending"),
        ("Deposit", "pending"),
        ("Sold", "sold"),
        ("https://schema.org/InStock", "active"),
        ("En Route", "active"),
    ],
)
def test_a_status_word_says_where_the_car_stands(cell, status):
    assert values.status(cell) == status


@pytest.mark.parametrize("cell", ["New", "Needs Work", "9", "x" * 500])
def test_an_unknown_status_word_is_unreadable(cell):
    assert values.status(cell) is values.UNKNOWN_STATUS


def test_in_transit_words_are_told_apart_from_a_car_on_the_lot():
    assert values.in_transit("In Transit")
    assert values.in_transit("in production")
    assert not values.in_transit("In Stock")


PARSERS = (values.text, values.free_text, values.stock_number, values.status)


@given(st.text(st.characters()))  # surrogates and controls included
def test_whatever_the_cell_what_is_kept_is_safe_to_store(cell):
    for parse in PARSERS:
        value = parse(cell)
        if isinstance(value, str):
            assert value == value.strip() != ""
            value.encode()
            hidden = [c for c in value if unicodedata.category(c) in ("Cc", "Cs")]
            assert set(hidden) <= ({"\t", "\n"} if parse is values.free_text else set())
    assert re.search("[\x00-\x1f\ud800-\udfff]", values.plain(cell)) is None


@pytest.mark.parametrize(
    "filler", ["a", " ", "1", '"', "<", "<a", "&", "&#", "<sup>", "\x00", "a "]
)
def test_a_megabyte_of_anything_is_read_in_no_time(filler):
    cell = filler * (1_000_000 // len(filler))
    for parse in PARSERS:
        began = time.process_time()
        parse(cell)
        assert time.process_time() - began < 1
