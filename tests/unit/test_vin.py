import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import vin


def make(body: str) -> str:
    """Give ``body`` (17 characters) with the check digit that belongs to it."""
    return body[:8] + vin.check_digit(body) + body[9:]


GOOD = make("KM8K2CAB0RU123456")


def test_a_vin_with_a_right_check_digit_is_a_key_without_remark():
    assert vin.judge(GOOD, 2024) == vin.Verdict(GOOD)


def test_the_check_digit_is_that_of_the_published_examples():
    assert vin.check_digit("1M8GDM9A_KP042788".replace("_", "0")) == "X"
    assert vin.check_digit("11111111111111111") == "1"


@pytest.mark.parametrize(
    "cell",
    [
        GOOD.lower(),
        f"  {GOOD} ",
        f"{GOOD[:3]}-{GOOD[3:8]} {GOOD[8:]}",
        f"\ufeff{GOOD}\u200b",
        f"\u00a0{GOOD}",
        f"{GOOD[:8]}\u2013{GOOD[8:]}",
        f'="{GOOD}"',
        f"'{GOOD}",
        f"*{GOOD}*",
        f"VIN: {GOOD}",
        f"Vin # {GOOD.lower()}",
        f"V.I.N. No. {GOOD}".replace("No. ", "No.:"),
    ],
)
def test_case_spaces_dashes_and_invisible_characters_do_not_matter(cell):
    assert vin.judge(cell).vin == GOOD


@pytest.mark.parametrize("cell", [f"LOT4-{GOOD}", f"{GOOD} (New)", f"Zeta {GOOD}/{GOOD}"])
def test_of_a_longer_cell_the_one_word_that_proves_to_be_a_vin_is_taken(cell):
    assert vin.judge(cell, 2024) == vin.Verdict(GOOD)


def test_a_longer_cell_without_proof_or_with_two_is_no_vin():
    wrong = GOOD[:8] + ("1" if GOOD[8] != "1" else "2") + GOOD[9:]
    for cell in (
        f"LOT4-{wrong}",
        f"{GOOD} {make('KM8K2CAB0RU654321')}",
        f"LOT {GOOD} " + "x " * 100,
    ):
        assert vin.judge(cell, 2024).vin is None


@pytest.mark.parametrize("cell", ["1.99E+16", "1.23457E+16", "4.01E16"])
def test_a_vin_that_a_spreadsheet_made_a_number_of_is_no_vin(cell):
    assert vin.judge(cell, 1970) == vin.Verdict(None, vin.BAD)


def test_a_wrong_check_digit_is_a_warning_and_the_vin_stays_the_key():
    wrong = GOOD[:8] + ("1" if GOOD[8] != "1" else "2") + GOOD[9:]
    assert vin.judge(wrong, 2024) == vin.Verdict(wrong, warnings=("check_digit",))


def test_a_model_year_that_the_vin_contradicts_is_a_warning():
    assert vin.judge(GOOD, 2019).warnings == ("model_year",)


@pytest.mark.parametrize("year", [2023, 2024, 2025, 1994, 1995, None])
def test_a_model_year_off_by_one_or_by_whole_cycles_is_plausible(year):
    assert vin.judge(GOOD, year).warnings == ()


def test_a_year_code_outside_the_standard_proves_nothing():
    assert vin.judge(make("WVWZZZ1J0UW123456"), 2005).warnings == ()


@pytest.mark.parametrize("body", ["2T36CRAV0TC33I648", "4T3MWRFV2SU16I264"])
def test_a_toyota_placeholder_with_forbidden_letters_is_a_provisional_key(body):
    got = vin.judge(body)
    assert (got.vin, got.provisional, got.warnings) == (body, True, ("provisional_vin",))


def test_letters_in_a_toyotas_serial_make_it_provisional():
    placeholder = make("2T36CRAV0TC33A648")
    assert vin.judge(placeholder, 2026).provisional
    assert not vin.judge(make("2T36CRAV0TC331648"), 2026).provisional


def test_forbidden_letters_elsewhere_are_provisional_only_while_in_transit():
    body = "KM8K2CABORU123456"
    assert vin.judge(body).problem == vin.BAD
    assert vin.judge(body, in_transit=True).provisional


def test_a_short_vin_is_a_key_for_a_car_older_than_the_standard():
    assert vin.judge("1q87t3n166389", 1973) == vin.Verdict("1Q87T3N166389", warnings=("short_vin",))


@pytest.mark.parametrize(
    ("cell", "year"),
    [("1Q87T3N166389", 1981), ("1Q87T3N166389", None), ("1Q87T3N166", 1973), (GOOD + "1", 1973)],
)
def test_other_lengths_are_no_vin(cell, year):
    assert vin.judge(cell, year) == vin.Verdict(None, vin.BAD)


@pytest.mark.parametrize(
    "cell",
    ["", " ", "-", "N/A", "#N/A", "tbd", "VIN", "/NOT PROVIDED/", "[PREMIUM]", "none", "\u200b"],
)
def test_a_word_for_nothing_is_blank(cell):
    assert vin.judge(cell, 1970).problem == vin.BLANK


@pytest.mark.parametrize(
    "cell",
    [
        "12345678910121314",
        "12345678910111214",
        "TEST123456789",
        "VIN001",
        "999999999999",
        "00000000000000000",
        "11111111111111111",
        "XXXXXXXXXXXXXXXXX",
        "STARTSAVEVEHCARSZ",
        "2GNFLFEK1F6224271",
        "123456789",
    ],
)
def test_a_placeholder_is_junk(cell):
    assert vin.judge(cell, 1970).problem == vin.JUNK


@pytest.mark.parametrize(
    "cell",
    [
        GOOD.replace("C", "\u0421"),  # Cyrillic Es
        GOOD.replace("A", "\u0391"),  # Greek Alpha
        GOOD.replace("1", "\uff11"),  # full-width one
        GOOD.replace("1", "\u0661"),  # Arabic-Indic one
        GOOD[:-2] + "\u00df",  # upper() makes two letters of it
        GOOD.replace("K", "\u017f", 1),  # upper() makes an S of it
    ],
)
def test_a_look_alike_is_refused_not_translated(cell):
    assert vin.judge(cell, 2024, in_transit=True) == vin.Verdict(None, vin.BAD)


@given(st.text(max_size=60), st.one_of(st.none(), st.integers(1900, 2030)), st.booleans())
def test_whatever_the_cell_a_key_is_plain_ascii_of_a_known_length(cell, year, in_transit):
    got = vin.judge(cell, year, in_transit=in_transit)
    assert (got.vin is None) == (got.problem is not None)
    if got.vin is not None:
        assert set(got.vin) <= set(string.ascii_uppercase + string.digits)
        assert vin.SHORTEST <= len(got.vin) <= vin.LENGTH


@pytest.mark.parametrize("filler", ["a", " ", "1", "-", '"', "I"])
def test_a_megabyte_of_anything_is_no_vin(filler):
    assert vin.judge(filler * 1_000_000, 1970).vin is None
