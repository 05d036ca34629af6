from dataclasses import replace

import pytest

from ingestd.mail import sniff
from ingestd.mail.entity import Entity
from ingestd.mail.judgement import judge
from ingestd.mail.parts import blocks
from ingestd.mail.walk import Leaf

TABLE = b"VIN\tYear\tMake\r\nA\t2020\tFord\r\n"
NARROW = b"VIN\tYear\r\nA\t2020\r\n"
PROSE = b"Dear all,\r\nfind it attached.\r\n"
WIDE = b"VIN\tYear\tMake\tModel\tPrice\r\nA\t2020\tFord\tF-150\t9000\r\n"


def leaf(data, name="", kind="application/octet-stream", *, attached=False):
    return Leaf(Entity(kind, b"", name, attached, ""), blocks(data), len(data), data)


def claim(*args, **more):
    return judge(leaf(*args, **more)).claim


@pytest.mark.parametrize(
    "name", ["a.tsv", "A.CSV", "a.tab", "a.tdf", "a.psv", "a.zip", "a.tsv.gz", ".tsv"]
)
@pytest.mark.parametrize("kind", ["image/png", "text/html", "text/plain", "application/x"])
def test_the_name_of_a_table_makes_one_whatever_is_in_it(name, kind):
    for data in (TABLE, PROSE, b"", b"MZ\x90\x00"):
        assert claim(data, name, kind) == "table"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("text/tab-separated-values", "attachment.tsv"),
        ("text/csv", "attachment.csv"),
        ("application/csv", "attachment.csv"),
    ],
)
def test_the_type_of_a_table_makes_one_and_names_it(kind, name):
    judged = judge(leaf(PROSE, kind=kind))
    assert (judged.claim, judged.name) == ("table", name)
    assert judge(leaf(PROSE, "lot", kind)).name == "lot"


@pytest.mark.parametrize(
    ("data", "attached", "found"),
    [
        (NARROW, False, "table"),
        (b"PK\x03\x04", False, "table"),
        (PROSE, True, "text"),
        (b" \r\n", True, "table"),
        (b"", True, "table"),
        (b"", False, "text"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", True, "nothing"),
        (b"-----BEGIN PGP MESSAGE-----\n", True, "foreign"),
        (b"<html><body>", True, "foreign"),
        (b"\x78\x9f\x3e\x22\x01", True, "foreign"),
    ],
)
@pytest.mark.parametrize("name", ["lot.txt", "LOT.DAT", "lot.asc"])
def test_a_name_that_says_text_is_judged_by_what_is_in_it(data, attached, found, name):
    assert claim(data, name, "text/plain", attached=attached) == found


@pytest.mark.parametrize("data", [PROSE, b"\r\n"])
def test_what_exchange_cuts_off_a_letter_is_nothing_unless_it_is_a_table(data):
    assert claim(data, "ATT00001.txt", "text/plain", attached=True) == "nothing"
    assert claim(NARROW, "ATT00001.txt", "text/plain", attached=True) == "table"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("logo.png", "application/octet-stream"),
        ("a.vcf", "application/octet-stream"),
        ("a.ics", "text/plain"),
        ("smime.p7s", "application/octet-stream"),
        ("", "image/gif"),
        ("lot", "text/calendar"),
        ("", "text/html"),
        ("", "application/pkcs7-signature"),
        ("", "message/delivery-status"),
        ("", "multipart/mixed"),
    ],
)
def test_what_never_holds_a_table_is_not_looked_at(name, kind):
    assert claim(WIDE, name, kind) == "nothing"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lot.xls", "application/vnd.ms-excel"),
        ("lot", "application/octet-stream"),
        ("lot.20261124", "text/plain"),
        ("lot.html", "text/html"),
        ("lot.pdf", "application/pdf"),
        ("lot.out", "x"),
    ],
)
def test_a_table_under_any_other_name_is_one_under_that_name(name, kind):
    judged = judge(leaf(TABLE, name, kind))
    assert (judged.claim, judged.name) == ("table", name)
    assert claim(NARROW, name, kind) != "table"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TABLE, "attachment.tsv"),
        (TABLE.replace(b"\t", b",") + b"B,2021,Kia\r\n", "attachment.csv"),
        (b"PK\x03\x04", "attachment.zip"),
        (b"\x1f\x8b", "attachment.gz"),
    ],
)
def test_a_table_without_a_name_is_named_for_what_it_is(data, name):
    judged = judge(leaf(data))
    assert (judged.claim, judged.name) == ("table", name)


def test_text_without_name_is_the_letter_if_it_looks_like_a_table_with_a_signature():
    judged = judge(leaf(PROSE + WIDE + b"-- \r\nTel.\t1\t2\r\nFax\t1\t2\r\n", kind="text/plain"))
    assert (judged.claim, judged.name) == ("letter", "letter.tsv")
    assert claim(PROSE + TABLE, kind="text/plain") == "nothing"


def test_text_without_name_that_was_attached_is_not_the_letter():
    assert claim(TABLE, kind="text/plain", attached=True) == "table"


@pytest.mark.parametrize(
    ("data", "name", "kind", "what"),
    [
        (b"PK\x03\x04", "lot.xlsx", "x", sniff.WORKBOOK),
        (b"PK\x03\x04", "LOT.XLS", "x", sniff.WORKBOOK),
        (b"PK\x03\x04", "lot.ods", "x", "a spreadsheet"),
        (b"<table><td>VIN", "lot.xls", "application/vnd.ms-excel", sniff.MARKUP),
        (b"...", "lot.pdf", "x", "a PDF document"),
        (b"%PDF-1.7", "lot", "x", "a PDF document"),
        (b"%PDF-1.7", "", "application/pdf", "a PDF document"),
        (b"...", "Winmail.dat", "x", sniff.TNEF),
        (b"...", "", "application/ms-tnef", sniff.TNEF),
        (b"\x78\x9f\x3e\x22", "", "x", sniff.TNEF),
        (b"0\x80", "smime.p7m", "application/pkcs7-mime", sniff.SEALED),
        (b"0\x80", "", "application/x-pkcs7-mime", sniff.SEALED),
        (b"<html>", "lot.htm", "text/html", sniff.MARKUP),
    ],
)
def test_an_inventory_in_another_format_is_known_for_what_it_is(data, name, kind, what):
    judged = judge(leaf(data, name, kind))
    assert (judged.claim, judged.what) == ("foreign", what)
    assert judged.name == (name or "attachment")


def test_other_text_with_a_name_is_text_and_without_one_nothing():
    assert claim(PROSE, "lot", "text/plain") == "text"
    assert claim(PROSE, "", "text/plain", attached=True) == "nothing"
    assert claim(PROSE, "lot") == "nothing"


def test_a_last_line_counts_only_in_a_whole_file():
    head = TABLE[:-2]
    longer = replace(leaf(head, "lot"), size=len(head) + 9)
    assert (claim(head, "lot"), judge(longer).claim) == ("table", "nothing")
