import base64
import time
import tracemalloc
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import Limits
from ingestd.mail.message import attachments
from ingestd.mail.parts import Blocked, Member

CAPS = Limits()
TABLE = b"VIN\tYear\r\nA\t2020\r\n"


def chunked(data, size=1000):
    return lambda: (data[start : start + size] for start in range(0, len(data), size))


def found(raw, caps=CAPS):
    return attachments(chunked(raw), "mail.eml", caps)


def tables(raw):
    return [
        (each.name, b"".join(each.content())) for each in found(raw) if isinstance(each, Member)
    ]


def reasons(raw, caps=CAPS):
    return [(each.name, each.reason) for each in found(raw, caps) if isinstance(each, Blocked)]


def part(headers, body=TABLE):
    return b"\r\n".join(headers) + b"\r\n\r\n" + body


def mail(*parts, boundary=b"=_x", end=b"--"):
    head = b"From: a@dealer.example\r\nContent-Type: multipart/mixed; boundary=" + boundary
    lines = b"".join(b"\r\n--" + boundary + b"\r\n" + each for each in parts)
    return head + b"\r\n\r\npreamble" + lines + b"\r\n--" + boundary + end + b"\r\nepilogue"


def named(name):
    return b"Content-Disposition: attachment; filename=" + name


NOTE = part([b"Content-Type: text/plain"], b"Dear all, find it attached")


def test_an_attached_table_is_found_byte_for_byte():
    message = EmailMessage()
    message["From"] = "a@dealer.example"
    message.set_content("see attachment")
    message.add_attachment(TABLE * 99, maintype="text", subtype="csv", filename="lot.tsv")
    assert tables(message.as_bytes()) == [("lot.tsv", TABLE * 99)]


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


@pytest.mark.parametrize("ending", ["tsv", "CSV", "tab", "txt", "zip", "tsv.gz"])
def test_the_endings_of_tables_and_archives_are_known(ending):
    assert tables(mail(part([named(f"lot.{ending}".encode())]))) == [(f"lot.{ending}", TABLE)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(b"text/tab-separated-values", "attachment.tsv"), (b"text/csv", "attachment.csv")],
)
def test_a_table_without_name_is_found_by_its_type(kind, name):
    assert tables(mail(NOTE, part([b"Content-Type: " + kind]))) == [(name, TABLE)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b'"=?UTF-8?B?c3TDtmNrLnRzdg==?="', "stöck.tsv"),
        (b'"=?utf-8?q?st=C3=B6ck?= =?utf-8?q?=2Etsv?="', "stöck.tsv"),
        ('"stöck.tsv"'.encode(), "stöck.tsv"),
        ('"stöck.tsv"'.encode("latin-1"), "stöck.tsv"),
        (b'"../../etc/cron.d/x.tsv"', "x.tsv"),
        (b'"in\r\n ventory.tsv"', "in ventory.tsv"),
    ],
)
def test_names_are_decoded_and_cleaned(name, shown):
    ((seen, _),) = tables(mail(part([named(name)])))
    assert seen == shown


def test_a_name_in_an_unknown_encoding_is_shown_as_it_is():
    ((seen, _),) = tables(mail(part([named(b'"=?no-such?Q?st=C3=B6ck?=.tsv"')])))
    assert seen == "=?no-such?Q?st=C3=B6ck?=.tsv"


def test_deep_nesting_does_not_copy_the_mail_again_and_again():
    raw = part([named(b"lot.tsv")], b"x" * (4 << 20))
    for level in range(15):
        raw = mail(raw, boundary=b"b%d" % level)
    tracemalloc.start()
    assert len(tables(raw)) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(raw)


def test_names_in_continued_parameters_are_joined():
    header = b"Content-Disposition: attachment; filename*0*=utf-8''st%C3%B6; filename*1=ck.tsv"
    assert tables(mail(part([header]))) == [("stöck.tsv", TABLE)]


def test_a_parameter_that_the_library_trips_over_is_none():
    header = b"Content-Disposition: attachment; filename*=\0''lot.tsv"
    assert found(mail(part([header]))) == ()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"base64", base64.encodebytes(TABLE)),
        (b" BASE64 ", base64.b64encode(TABLE)),
        (b"quoted-printable", b"VIN=09Year\r\nA=092020\r\n"),
        (b"base46", TABLE),
        (b"8bit", TABLE),
    ],
)
def test_the_transfer_encoding_is_undone(encoding, body):
    headers = [named(b"lot.tsv"), b"Content-Transfer-Encoding: " + encoding]
    assert tables(mail(part(headers, body))) == [("lot.tsv", TABLE)]


def test_base64_that_is_cut_off_is_taken_as_far_as_it_goes():
    body = base64.encodebytes(b"abcdef")[:7]
    headers = [named(b"lot.tsv"), b"Content-Transfer-Encoding: base64"]
    assert tables(mail(part(headers, body))) == [("lot.tsv", b"abc")]


def test_a_mail_cut_off_inside_a_part_gives_what_is_there():
    raw = mail(NOTE, part([named(b"lot.tsv")]))
    cut = raw[: raw.rindex(b"2020")]
    assert tables(cut) == [("lot.tsv", b"VIN\tYear\r\nA\t")]


def test_what_follows_the_closing_boundary_is_no_part():
    raw = mail(NOTE) + b"\r\n--=_x\r\n" + part([named(b"lot.tsv")])
    assert found(raw) == ()


def test_a_mail_that_is_itself_the_table_is_found():
    assert tables(part([b"Content-Type: text/csv; name=lot.csv"])) == [("lot.csv", TABLE)]


def test_a_part_without_headers_is_text():
    assert found(mail(b"\r\nhello\r\n")) == found(mail()) == found(b"") == ()


def test_lines_may_end_with_lf_alone():
    raw = mail(NOTE, part([named(b"lot.tsv")], b"VIN\n")).replace(b"\r\n", b"\n")
    assert tables(raw) == [("lot.tsv", b"VIN\n")]


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Type: message/rfc822"],
        [b"Content-Type: application/octet-stream; name=forwarded.EML"],
    ],
)
def test_a_mail_inside_a_mail_is_walked(headers):
    inner = mail(NOTE, part([named(b"lot.tsv")]), boundary=b"inner")
    assert tables(mail(NOTE, part(headers, inner))) == [("lot.tsv", TABLE)]
    coded = [*headers, b"Content-Transfer-Encoding: base64"]
    assert tables(mail(part(coded, base64.encodebytes(inner)))) == [("lot.tsv", TABLE)]


def test_several_tables_come_in_their_order():
    raw = mail(NOTE, part([named(b"new.tsv")]), part([named(b"used.tsv")]))
    assert [name for name, _ in tables(raw)] == ["new.tsv", "used.tsv"]


def test_text_that_may_be_the_letter_counts_only_if_nothing_else_does():
    letter = part([b"Content-Type: text/plain; name=letter.txt"])
    assert tables(mail(letter, part([named(b"lot.tsv")]))) == [("lot.tsv", TABLE)]
    assert tables(mail(letter, NOTE)) == [("letter.txt", TABLE)]


def test_attached_text_is_not_the_letter():
    raw = mail(part([b"Content-Type: text/plain", named(b"a.txt")]), part([named(b"b.tsv")]))
    assert [name for name, _ in tables(raw)] == ["a.txt", "b.tsv"]


@pytest.mark.parametrize("name", [b"lot.xlsx", b"winmail.dat", b"lot.PDF"])
def test_an_inventory_in_another_format_is_told_if_there_is_no_table(name):
    other = part([named(name)], b"...")
    assert reasons(mail(NOTE, other)) == [(name.decode(), "not_a_table")]
    assert reasons(mail(other, part([named(b"lot.tsv")]))) == []


def test_a_multipart_without_boundary_has_no_parts():
    assert found(part([b"Content-Type: multipart/mixed"])) == ()


def test_a_boundary_that_never_comes_bounds_nothing():
    assert found(part([b"Content-Type: multipart/mixed; boundary=x", named(b"lot.tsv")])) == ()


# Caps


def test_a_mail_that_is_too_large_is_refused():
    assert reasons(mail(NOTE), Limits(file_size=50)) == [("mail.eml", "too_large")]


def test_a_header_block_that_is_too_large_is_refused_and_the_next_part_is_read():
    big = part([b"X-%d: y" % n for n in range(60_000)])
    raw = mail(big, part([named(b"lot.tsv")]))
    assert reasons(raw) == [("mail.eml", "too_large")]
    assert tables(raw) == [("lot.tsv", TABLE)]


def test_a_header_that_would_cost_too_much_is_ignored():
    raw = mail(part([named(b'"' + b";" * 200_000 + b'lot.tsv"')]))
    begin = time.process_time()
    assert found(raw) == ()
    assert time.process_time() - begin < 1


def test_more_parts_than_allowed_are_not_read():
    begin = time.process_time()
    raw = mail(part([named(b"lot.tsv")]), *[b"\r\n"] * 100_000)
    assert reasons(raw) == [("mail.eml", "too_many_members")]
    assert tables(raw) == [("lot.tsv", TABLE)]
    assert time.process_time() - begin < 2


def nested(depth):
    raw = part([named(b"lot.tsv")])
    for level in range(depth):
        raw = mail(raw, boundary=b"b%d" % level)
    return raw


def test_parts_may_be_nested_but_not_without_end():
    assert tables(nested(19)) == [("lot.tsv", TABLE)]
    assert reasons(nested(20)) == [("mail.eml", "too_large")]
    assert reasons(b"Content-Type: message/rfc822\r\n\r\n" * 2000) == [("mail.eml", "too_large")]


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_any_bytes_are_walked(noise, place):
    raw = mail(NOTE, part([named(b'"=?utf-8?q?lot=2Etsv?="')]))
    place %= len(raw)
    for each in found(raw[:place] + noise + raw[place:]):
        assert each.name


@given(st.text(max_size=40))
def test_any_name_is_data(name):
    header = named(b'"' + name.encode() + b'.tsv"')
    for each in found(mail(part([header]))):
        assert "/" not in each.name
