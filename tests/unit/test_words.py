import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import words
from ingestd.feed.values import BLANK, UNREADABLE_TEXT, Flaw


@pytest.mark.parametrize("cell", ["Ultra Black", "Other Blue", "Unknown Pleasure", "!", "+", "X"])
def test_a_word_is_stored_as_it_was_written(cell):
    assert words.word(cell) == cell


@pytest.mark.parametrize(
    "cell", ["Other", " OTHER ", "TBD", "unknown", "Not Specified", "-", "***"]
)
def test_a_word_that_says_nothing_of_the_car_is_blank(cell):
    assert words.word(cell) is BLANK
    assert words.color(cell) is BLANK
    assert words.fuel(cell) is BLANK


@pytest.mark.parametrize(
    "cell",
    [
        "[PREMIUM]",
        'a:4:{s:4:"code";s:1:"G";}',
        '{"name": "x"}',
        "[{'name': 'x'}]",
        "[object Object]",
        "value matchLevel none matchedWords",
    ],
)
def test_the_debris_of_a_program_is_unreadable(cell):
    for parse in (words.name, words.word, words.color, words.fuel, words.condition):
        assert parse(cell) is UNREADABLE_TEXT


def test_a_make_may_be_called_other():
    assert words.name("Other") == "Other"


@pytest.mark.parametrize("cell", ["Black - 123", "040 Super White", "Blanc \u00c9toile", "\u9ed2"])
def test_a_colour_has_a_name(cell):
    assert words.color(cell) == cell


@pytest.mark.parametrize("cell", ["040", "#1A2B3C", "#FFFFFF", "12/34"])
def test_a_number_alone_is_no_colour(cell):
    assert words.color(cell) is UNREADABLE_TEXT


@pytest.mark.parametrize(
    ("cell", "fuel"),
    [
        ("G", "Gasoline"),
        ("d", "Diesel"),
        ("F", "Flex Fuel"),
        ("H", "Hybrid"),
        ("E", "Electric"),
        ("I", "Plug-In Hybrid"),
        ("X", "X"),
        ("Gas", "Gas"),
    ],
)
def test_codes_of_fuels_are_spelt_out(cell, fuel):
    assert words.fuel(cell) == fuel


def test_codes_of_transmission_drivetrain_and_condition_are_spelt_out():
    assert words.transmission("A") == "Automatic"
    assert words.transmission("6-Speed M/T") == "6-Speed M/T"
    assert [words.drivetrain(cell) for cell in ("F", "r", "A", "4", "4X4")] == [
        *("FWD", "RWD", "AWD", "4WD", "4X4")
    ]
    assert [words.condition(cell) for cell in ("N", "u", "CPO")] == ["New", "Used", "CPO"]


def test_names_of_schema_org_are_put_shortly():
    assert words.drivetrain("https://schema.org/FourWheelDriveConfiguration") == "4WD"
    assert words.condition("http://schema.org/UsedCondition") == "Used"
    other = "https://schema.org/DamagedCondition"
    assert words.condition(other) == other


@given(st.text(st.characters()))
def test_whatever_the_cell_a_word_is_clean_text(cell):
    for parse in (words.name, words.word, words.color, words.fuel, words.drivetrain):
        value = parse(cell)
        assert isinstance(value, Flaw) or value == value.strip() != ""


@pytest.mark.parametrize("filler", ["[", "a:", "#", "http://schema.org/", " ", "0"])
def test_a_megabyte_of_anything_is_read_in_no_time(filler):
    cell = filler * (1_000_000 // len(filler))
    for parse in (words.name, words.color, words.drivetrain):
        began = time.process_time()
        parse(cell)
        assert time.process_time() - began < 1
