"""The kinds of values in the configuration: how each is written, and what is none."""

import pytest
from pydantic import TypeAdapter, ValidationError

from ingestd.kinds import Address, Duration, Name, Patterns, Size
from ingestd.settings import Http, TargetSettings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1.5m", 90), ("24h", 86400), ("7d", 604800), (3, 3)],
)
def test_a_duration_is_a_number_with_a_unit(text, seconds):
    assert TypeAdapter(Duration).validate_python(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 weeks", "s", "", "-5s", "0s", 0])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("2KiB", 2048), ("25MiB", 26214400), ("1GiB", 1 << 30), (7, 7)],
)
def test_a_size_is_a_whole_number_with_a_unit(text, size):
    assert TypeAdapter(Size).validate_python(text) == size


@pytest.mark.parametrize("text", ["25MB", "1.5GiB", "big", 0])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)


@pytest.mark.parametrize("name", ["lot", "Lot-1_a.b", "1"])
def test_a_name_is_fit_for_a_folder(name):
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../x", ".x", "a/b", "x" * 65, "ü"])
def test_a_name_that_is_unfit_for_a_folder_is_refused(name):
    with pytest.raises(ValidationError, match="is no name"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("listen", ["127.0.0.1:9716", "[::1]:80", "localhost:65535"])
def test_an_address_has_host_and_port(listen):
    assert Http(listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["9716", ":9716", "h:", "h:x", "h:65536"])
def test_an_address_without_one_of_them_is_refused(listen):
    with pytest.raises(ValidationError, match="HOST:PORT"):
        Http(listen=listen)


@pytest.mark.parametrize("address", ["a@b.example", "lot+x.y=z@mail.b-c.example", "root@localhost"])
def test_a_mail_address_is_a_name_at_a_domain(address):
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "@b.example",
        "a@",
        "Lot <a@b.example>",
        "a@b.example, c@b.example",
        "a@b.example\r\nBcc: c@d.example",
        "a..b@c.example",
        "=?utf-8?q?a=0aBcc?=@b.example",
        "ä@b.example",
        "a@bücher.example",
        f"{'a' * 250}@b.example",
    ],
)
def test_what_is_more_or_less_than_a_mail_address_is_refused(address):
    with pytest.raises(ValidationError, match=r"name@example\.com"):
        TypeAdapter(Address).validate_python(address)


def test_patterns_are_those_of_a_shell():
    assert TypeAdapter(Patterns).validate_python(["*.tsv", "[ab]?"]) == ("*.tsv", "[ab]?")


def test_the_unit_of_money_is_never_guessed_and_its_question_shows_each():
    assert TargetSettings(money="cents").money == "cents"
    with pytest.raises(ValidationError, match=r'"whole_dollars" \(19996\)'):
        TargetSettings(money="")


def test_a_table_is_named_with_its_schema():
    assert TargetSettings(table="lot.Cars").table == "lot.Cars"
    for name in ("cars", ".cars", "lot.", "a.b.c"):
        with pytest.raises(ValidationError, match="is not SCHEMA"):
            TargetSettings(table=name)
