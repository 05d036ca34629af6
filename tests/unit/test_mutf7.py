"""Folder names on the wire: modified UTF-7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.sources import mutf7

PAIRS = [
    ("INBOX", b"INBOX"),
    ("Dealers/Imported 2026", b"Dealers/Imported 2026"),
    ("R&D", b"R&-D"),
    ("&", b"&-"),
    ("Été", b"&AMk-t&AOk-"),
    ("Größe", b"Gr&APYA3w-e"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501
    ("Autos 🚗", b"Autos &2D3elw-"),
    ('"quoted" \\', b'"quoted" \\'),
    ("tab\t", b"tab&AAk-"),
]


@pytest.mark.parametrize(("name", "wire"), PAIRS)
def test_a_name_is_written_as_servers_want_it(name, wire):
    assert mutf7.encode(name) == wire.decode()


@pytest.mark.parametrize(("name", "wire"), PAIRS)
def test_a_name_from_a_server_is_read(name, wire):
    assert mutf7.decode(wire) == name


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"R&D", "R&D"),  # no end of the shift
        (b"a&!-", "a&!-"),
        (b"&AMk", "&AMk"),
        (b"&A-", "&A-"),  # not a whole unit of UTF-16
        (b"&2D0-", "&2D0-"),  # half of a pair
        ("Größe".encode(), "Größe"),
        (b"Gr\xf6", "Gr\ufffd"),
    ],
)
def test_what_is_no_modified_utf_7_is_shown_as_it_stands(wire, shown):
    assert mutf7.decode(wire) == shown


@given(st.text(st.characters(codec="utf-8")))
def test_every_name_comes_back_as_it_went(name):
    wire = mutf7.encode(name)
    assert mutf7.decode(wire.encode("ascii")) == name
    assert wire == "" or wire.isprintable()


@given(st.text())
def test_no_name_at_all_is_too_strange_to_be_written(name):
    assert mutf7.encode(name).isascii()


@given(st.binary())
def test_no_bytes_of_a_server_are_too_strange_to_be_shown(wire):
    assert isinstance(mutf7.decode(wire), str)
