import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.entity import entity


def read(*lines):
    return entity(b"\r\n".join(lines) + b"\r\n")


def test_a_part_that_says_nothing_is_plain_text():
    found = read()
    assert (found.type, found.boundary, found.name) == ("text/plain", b"", "")
    assert (found.attached, found.encoding, found.message) == (False, "", False)


def test_what_a_part_says_is_read():
    found = read(
        b"content-type: Text/CSV; name=other.csv",
        b"CONTENT-DISPOSITION: Attachment; filename=lot.csv",
        b"Content-Transfer-Encoding: BASE64",
    )
    assert (found.type, found.name) == ("text/csv", "lot.csv")
    assert (found.attached, found.encoding) == (True, "base64")


@pytest.mark.parametrize("kind", [b"text", b"text/plain/x", b"", b"/", b";;"])
def test_a_senseless_type_is_plain_text_unless_it_has_one_slash(kind):
    assert read(b"Content-Type: " + kind).type == ("/" if kind == b"/" else "text/plain")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([b"Content-Type: a/b; name=lot.tsv"], "lot.tsv"),
        ([b"Content-Type: a/b; filename=lot.tsv"], "lot.tsv"),
        ([b"Content-Disposition: inline; name=lot.tsv"], "lot.tsv"),
        ([b"Content-Disposition: a; filename=..", b"Content-Type: a/b; name=lot.tsv"], "lot.tsv"),
        ([b'Content-Disposition: a; filename="../../etc/cron.d/lot.tsv"'], "lot.tsv"),
        ([b"Content-Disposition: a; filename*=utf-8''..%2F..%2Flot.tsv"], "lot.tsv"),
        ([b"Content-Disposition: a; filename*=utf-8''lot%E2%80%AEvst.exe%00"], "lotvst.exe"),
        ([b"Content-Disposition: a; filename*=utf-7''lot+2AA-.tsv"], "lot.tsv"),
        ([b'Content-Disposition: a; filename="in\r\n ventory.tsv"'], "in ventory.tsv"),
        ([b"Content-Disposition: a; filename=" + b"x" * 9000 + b".tsv"], "x" * 196 + ".tsv"),
    ],
)
def test_the_name_is_data_and_that_of_the_disposition_goes_first(lines, name):
    assert read(*lines).name == name


def test_the_first_of_several_fields_counts():
    assert read(b"Content-Type: a/b", b"Content-Type: c/d").type == "a/b"


@pytest.mark.parametrize(
    ("told", "boundary"),
    [
        (b"multipart/mixed; boundary=x", b"x"),
        (b'MULTIPART/x; Boundary="=_ :(\'+ "', b"=_ :('+"),
        (b"multipart/mixed; boundary*0=ab; boundary*1=c", b"abc"),
        (b"multipart/mixed; boundary=" + b"x" * 256, b"x" * 256),
        (b"multipart/mixed; boundary=" + b"x" * 257, b""),
        (b'multipart/mixed; boundary="  "', b""),
        (b"multipart/mixed; boundary*=utf-8''a%0Ab", b""),
        (b"multipart/mixed", b""),
        (b"text/plain; boundary=x", b""),
    ],
)
def test_only_what_has_parts_has_a_boundary(told, boundary):
    assert read(b"Content-Type: " + told).boundary == boundary


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Type: message/rfc822",
        b"Content-Type: message/global",
        b"Content-Type: application/octet-stream; name=forwarded.EML",
    ],
)
def test_a_message_is_told_by_its_type_or_name(line):
    assert read(line).message


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data):
    found = read(b"Content-Type: " + data.replace(b"\n", b"\n "))
    assert "/" in found.type
    assert found.name.encode().decode() == found.name
