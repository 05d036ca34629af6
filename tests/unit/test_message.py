import base64
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config import Limits
from ingestd.mail.message import attachments
from ingestd.mail.parts import Blocked, Member
from tests.unit.mails import LOT, NOTE, TABLE, chunked, forwarded, mail, named, nested, part

CAPS = Limits()
WIDE = b"VIN\tYear\tMake\tModel\tPrice\r\nA\t2020\tFord\tF-150\t9000\r\n"


def found(raw, caps=CAPS):
    return attachments(chunked(raw), "mail.eml", caps)


def tables(raw):
    return [
        (each.name, b"".join(each.content())) for each in found(raw) if isinstance(each, Member)
    ]


def reasons(raw, caps=CAPS):
    return [(each.name, each.reason) for each in found(raw, caps) if isinstance(each, Blocked)]


# Which parts are given


@pytest.mark.parametrize(
    "headers",
    [
        [named(b'"lot.tsv"')],
        [b"Content-Type: application/octet-stream; name=lot.tsv"],
        [b"Content-Type: text/plain; name=lot.tsv", b"Content-Disposition: inline"],
        [b"Content-Type: image/png", b"Content-Disposition: inline; filename=lot.tsv"],
    ],
)
def test_a_table_is_found_by_its_name_whatever_its_disposition(headers):
    assert tables(mail(NOTE, part(headers))) == [("lot.tsv", TABLE)]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([b"Content-Type: text/csv"], "attachment.csv"),
        ([b"Content-Type: application/octet-stream"], "attachment.tsv"),
        ([b"Content-Type: application/vnd.ms-excel; name=lot.xls"], "lot.xls"),
        ([b"Content-Disposition: inline; filename=lot.dat"], "lot.dat"),
        ([b"Content-Type: text/plain", b"Content-Disposition: attachment"], "attachment.tsv"),
    ],
)
def test_a_table_is_found_by_what_is_in_it(headers, name):
    assert tables(mail(NOTE, part(headers))) == [(name, TABLE)]


def test_tables_come_in_their_order_and_those_inside_of_messages_too():
    raw = mail(NOTE, part([named(b"new.tsv")]), forwarded(mail(NOTE, LOT)), part([named(b"z.zip")]))
    assert [name for name, _ in tables(raw)] == ["new.tsv", "lot.tsv", "z.zip"]
    assert all(each.size == len(TABLE) for each in found(raw) if isinstance(each, Member))


def test_a_mail_that_is_itself_the_table_is_found():
    assert tables(part([b"Content-Type: text/csv; name=lot.csv"])) == [("lot.csv", TABLE)]


def test_what_goes_with_a_table_is_not_told():
    others = [b"logo.png", b"smime.p7s", b"terms.pdf", b"ATT00001.txt", b"me.vcf", b"lot.xlsx"]
    raw = mail(part([], WIDE), LOT, *[part([named(name)], b"...") for name in others])
    assert [each.name for each in found(raw)] == ["lot.tsv"]


def test_the_letter_is_the_table_only_if_nothing_else_is():
    letter = part([b"Content-Type: text/plain"], WIDE)
    page = part([b"Content-Type: text/html"], WIDE)
    assert tables(mail(letter, page)) == [("letter.tsv", WIDE)]
    assert tables(mail(letter, page, LOT)) == [("lot.tsv", TABLE)]
    assert found(mail(page)) == ()


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        (b"lot.xlsx", b"PK\x03\x04", "tab separated text"),
        (b"lot.PDF", b"%PDF-1.7", "tab separated text"),
        (b"winmail.dat", b"\x78\x9f\x3e\x22", "Rich Text"),
        (b"smime.p7m", b"0\x80", "without encryption"),
        (b"msg.asc", b"-----BEGIN PGP MESSAGE-----", "without encryption"),
    ],
)
def test_an_inventory_in_another_format_is_told_with_advice(name, body, words):
    (blocked,) = found(mail(NOTE, part([named(name)], body)))
    assert isinstance(blocked, Blocked)
    assert (blocked.name, blocked.reason) == (name.decode(), "not_a_table")
    assert words in blocked.message


def test_text_that_is_no_table_is_given_if_there_is_nothing_else():
    text = part([named(b"lot.txt")], b"sold out")
    assert tables(mail(NOTE, text)) == [("lot.txt", b"sold out")]
    assert tables(mail(NOTE, text, LOT)) == [("lot.tsv", TABLE)]
    assert reasons(mail(text, part([named(b"lot.xlsx")]))) == []
    assert reasons(mail(text, part([named(b"lot.xlsx")], b"PK\x03\x04"))) == [
        ("lot.xlsx", "not_a_table")
    ]


@pytest.mark.parametrize("raw", [b"", mail(), mail(NOTE), NOTE, mail(b"\r\nhello\r\n")])
def test_a_mail_without_a_table_has_none(raw):
    assert found(raw) == ()


@pytest.mark.parametrize("encoding", [b"base64", b" BASE64 ", b"base46", b"8bit"])
def test_the_bytes_are_those_that_were_sent(encoding):
    body = base64.encodebytes(TABLE) if b"64" in encoding.lower() else TABLE
    body = TABLE if encoding == b"base46" else body
    headers = [named(b"lot.tsv"), b"Content-Transfer-Encoding: " + encoding]
    assert tables(mail(part(headers, body))) == [("lot.tsv", TABLE)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.binary(max_size=300)), max_size=5))
def test_what_was_attached_comes_back_byte_for_byte(files):
    message = EmailMessage()
    message["From"] = "a@dealer.example"
    message.set_content("see attachment")
    for number, (name, data) in enumerate(files):
        stem = "".join(sign for sign in name if sign.isalnum() or sign in "-_. ()'")
        message.add_attachment(
            data, maintype="application", subtype="octet-stream", filename=f"{stem}.{number}.tsv"
        )
    raw = message.as_bytes()
    assert [data for _, data in tables(raw)] == [data for _, data in files]
    assert all(name.endswith(f".{number}.tsv") for number, (name, _) in enumerate(tables(raw)))


# Caps


def test_a_mail_that_is_too_large_is_refused():
    for caps in (Limits(message_size=50), Limits(file_size=50)):
        assert reasons(mail(LOT), caps) == [("mail.eml", "too_large")]


def test_more_tables_than_an_archive_may_have_are_refused():
    raw = mail(*[LOT] * 4)
    assert reasons(raw, Limits(archive_members=4)) == []
    assert reasons(raw, Limits(archive_members=3)) == [("mail.eml", "too_many_members")]


def test_tables_inside_of_encoded_messages_that_cost_too_much_are_refused():
    inner = mail(part([b"X: y"], b"\0" * (6 << 20)), *[LOT] * 50, boundary=b"in")
    raw = forwarded(inner)
    assert reasons(raw) == [("mail.eml", "too_many_members")]
    assert len(tables(forwarded(mail(*[LOT] * 50)))) == 50


def test_what_was_refused_stands_beside_what_was_found():
    raw = mail(LOT, part([b"X:" + b"y" * 20_000]))
    assert [each.name for each in found(raw)] == ["lot.tsv", "mail.eml"]


def letters(count, text):
    return b"".join(text % number for number in range(count))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"Subject: " + b"=?utf-8?q?x?= " * 20_000 + b"\r\n\r\n" + TABLE, "too_large"),
        (mail(*[b"\r\n"] * 100_000), "too_many_members"),
        (nested(2_000, LOT), "too_large"),
        (b"Content-Type: message/rfc822\r\n\r\n" * 2_000 + LOT, "too_large"),
        (part([b"To: " + b"(" * 30_000]), "too_large"),
        (part([named(letters(3_000, b"x; filename*%d*=%%41"))]), "too_large"),
        (mail(*[part([named(letters(700, b"x; filename*%d*=%%41"))])] * 190), "too_many_members"),
        (mail(*[part([named(b'"' + b"=?utf-8?q?=CC=81?= " * 800)])] * 190), "too_many_members"),
        (
            mail(*[part([named(b'"' + b"\xcc\x81\xcc\xa3" * 4000 + b'.tsv"')])] * 190),
            "too_many_members",
        ),
        (part([b"To: " + b"(" * 3_000]), None),
        (mail(*[part([b"Content-Type: a/b"], b"a,b\n" * 9_000)] * 190), None),
        (mail(*[part([b"Content-Type: a/b"], b"\0\1" * 20_000)] * 190), None),
    ],
    ids=range(12),
)
def test_a_bomb_is_refused_or_does_nothing_in_no_time(raw, reason):
    content = chunked(raw, 1 << 18)
    begin = time.process_time()
    blocked = attachments(content, "mail.eml", CAPS)
    assert time.process_time() - begin < 1
    assert [each.reason for each in blocked if isinstance(each, Blocked)] == [reason] * bool(reason)


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_any_bytes_are_walked(noise, place):
    raw = mail(NOTE, part([named(b'"=?utf-8?q?lot=2Etsv?="')]))
    place %= len(raw)
    for each in found(raw[:place] + noise + raw[place:]):
        assert each.name.encode().decode() == each.name
        assert isinstance(each, Blocked) or sum(map(len, each.content())) == each.size


@given(st.text(max_size=40))
def test_any_name_is_data(name):
    header = named(b'"' + name.encode("utf-8", "surrogatepass") + b'.tsv"')
    for each in found(mail(part([header]))):
        assert "/" not in each.name
