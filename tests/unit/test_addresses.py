import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.addresses import Doubt, author, domain, recipients

GOOD = "lot@dealer.example"


@pytest.mark.parametrize(
    "value",
    [
        b"lot@dealer.example",
        b"<lot@dealer.example>",
        b" LOT@Dealer.EXAMPLE ",
        b"The Lot <lot@dealer.example>",
        b"John Q. Public <lot@dealer.example>",
        b'"Lot, the; (best) <x@evil.example>" <lot@dealer.example>',
        b'"a\\"b" <lot@dealer.example>',
        b"=?UTF-8?Q?M=C3=BCller_=40_x?= <lot@dealer.example>",
        b"M\xfcller <lot@dealer.example>",
        b"M\xc3\xbcller <lot@dealer.example>",
        b"(a comment) lot@dealer.example (another (one))",
        b"Lot (evil@evil.example) <lot@dealer.example> (x)",
        b"Lot\t<lot@dealer.example>",
    ],
)
def test_the_ordinary_ways_to_write_one_author_are_read(value):
    assert author([value]) == GOOD


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"a.b+c_d=e@x-y.example", "a.b+c_d=e@x-y.example"),
        (b"root@host", "root@host"),
        ("jörg@bücher.example".encode(), "jörg@bücher.example"),
        ("lot@dealer.ex\u0430mple".encode(), "lot@dealer.ex\u0430mple"),
        ("lot@dealer\u212a.example".encode(), "lot@dealer\u212a.example"),
        (b"(lot@dealer.example) x@evil.example", "x@evil.example"),
        (b'"lot@dealer.example" <x@evil.example>', "x@evil.example"),
        (b"=?UTF-8?Q?lot=40dealer=2Eexample?= <x@evil.example>", "x@evil.example"),
    ],
)
def test_an_address_is_what_it_is_and_not_what_it_looks_like(value, found):
    assert author([value]) == found


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"   ",
        b"The Lot",
        b"a@good.example<b@evil.example>",
        b"a@good.example <b@evil.example>",
        b"a@good.example, b@evil.example",
        b"a@good.example b@evil.example",
        b"<a@good.example> <b@evil.example>",
        b"<a@good.example>, <b@evil.example>",
        b"<a@good.example>b@evil.example",
        b"dealers: a@good.example;",
        b"dealers: a@good.example, b@evil.example;",
        b"undisclosed-recipients:;",
        b"<@evil.example:a@good.example>",
        b"a@good.example@evil.example",
        b"a@evil.example@good.example",
        b'"a@good.example"@evil.example',
        b'"a"@good.example',
        b"a(comment)@good.example",
        b"a@good.example(\\",
        b"a@(comment)good.example",
        b"a@[192.0.2.1]",
        b"a@",
        b"@good.example",
        b"a@good..example",
        b"a@.good.example",
        b"a@good.example.",
        b"a@-good.example",
        b"a@good-.example",
        b"a@good_.example",
        b".a@good.example",
        b"a..b@good.example",
        b"a @good.example",
        b"< a@good.example>",
        b"<a@good.example >",
        b"<a@good.example",
        b"a@good.example>",
        b"<>",
        b"<<a@good.example>>",
        b"a\\@good.example",
        b"a@good\x00.example",
        b"a@good.example\x00<b@evil.example>",
        b"x <a@good.example>\r",
        b"a@good.example\x7f",
        b"=?UTF-8?Q?a=40good.example?=",
        b"=?UTF-8?Q?a?=@good.example",
        b"x <=?UTF-8?Q?a=40good.example?=>",
        b"a@=?UTF-8?Q?good.example?=",
        b"m\xfcller@good.example",
        b"a@good\xfc.example",
        b"(a@good.example",
        b"a@good.example)",
        b'"a@good.example',
        b"a" * 320 + b"@good.example",
        "a\u200b@good.example".encode(),
        "a@good\u202e.example".encode(),
        "a@good\u00a0.example".encode(),
        "a@good\uff0eexample <x".encode(),
        "a\uff20good.example".encode(),
    ],
)
def test_whatever_else_is_written_is_nobody(value):
    found = author([value])
    assert isinstance(found, Doubt)
    assert "its From header" in found.sentence


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "no From header"),
        ([b"lot@dealer.example"] * 2, "2 From headers"),
        ([b"lot@dealer.example", b""], "2 From headers"),
    ],
)
def test_there_must_be_exactly_one_from_header(values, said):
    found = author(values)
    assert isinstance(found, Doubt)
    assert said in found.sentence


def test_what_was_written_is_shown_without_what_a_terminal_would_obey():
    found = author(["a@good.example, \u202eb@evil.example".encode()])
    assert isinstance(found, Doubt)
    assert "'a@good.example, b@evil.example'" in found.sentence


@given(st.binary(max_size=80))
def test_an_author_is_one_address_or_nobody(raw):
    found = author([raw])
    if isinstance(found, str):
        assert found.count("@") == 1
        assert found.casefold() in raw.decode("utf-8", "ignore").casefold()


def test_the_domain_is_what_stands_behind_the_at():
    assert domain(GOOD) == "dealer.example"


def test_every_address_is_a_recipient_wherever_it_stands():
    values = [
        b"Inventory <Lot+1@in.example>, x@in.example;y@in.example",
        b'"z@in.example" (w@in.example) group: v@in.example;',
        b"x@in.example",
    ]
    found = ("lot+1@in.example", *(f"{name}@in.example" for name in "xyzwv"))
    assert recipients(values) == found


def test_what_is_no_address_is_no_recipient():
    assert recipients([b"@ a@ @b a@b@c nothing " + b"a" * 320 + b"@b", b""]) == ()


def test_a_thousand_recipients_are_looked_at():
    many = b", ".join(b"a%d@b" % number for number in range(1500))
    assert len(recipients([many])) == 1000


@pytest.mark.parametrize(
    "unit", [b"(", b"()", b"(\\", b'"', b"<", b"a", b"a@", b"a.", b"-", b"a@b,"]
)
def test_long_headers_take_time_in_proportion_to_their_length(unit):
    began = time.process_time()
    for raw in (unit * 30_000, b"a@" + unit * 30_000, b'"x" <a@b-' + unit * 30_000):
        author([raw])
        recipients([raw])
    assert time.process_time() - began < 1
