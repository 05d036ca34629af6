import codecs
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.sniff import MARKUP, SEALED, TNEF, archive, blank, foreign, table

TSV = b"VIN\tYear\tMake\r\nA\t2020\tFord\r\n"
CSV = b"VIN,Year,Make\nA,2020,Ford\nB,2021,Kia\n"


def seen(head, columns=3):
    return table(head, whole=True, columns=columns)


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        (TSV, "\t"),
        (CSV, ","),
        (CSV.replace(b",", b";"), ";"),
        (CSV.replace(b",", b"|"), "|"),
        (TSV.replace(b"\r\n", b"\r"), "\t"),
        (b"\n\n" + TSV, "\t"),
        (b"Inventory of today\r\n" + TSV, "\t"),
        (TSV[:-2], "\t"),
        (b"\t\tMake\n" * 3 + TSV, "\t"),
        (codecs.BOM_UTF8 + TSV, "\t"),
        ("VIN\tYear\tFarbe\nA\t2020\tgrün\n".encode("cp1252"), "\t"),
        (TSV.decode().encode("utf-16"), "\t"),
        (codecs.BOM_UTF16_BE + TSV.decode().encode("utf-16-be"), "\t"),
        (TSV.decode().encode("utf-16-le"), "\t"),
        (TSV.decode().encode("utf-16-be")[:-1], "\t"),
        (TSV + b"ragged\n" * 40, "\t"),
        (TSV + b"\x1a", "\t"),
    ],
)
def test_lines_with_the_same_delimiter_as_often_are_a_table(head, delimiter):
    assert seen(head) == delimiter


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"VIN\tYear\tMake\r\n",
        b"Dear A, B, C\nfind it, please, attached\n",
        CSV + b"and much, more of prose\n" * 4,
        b"VIN\nA\nB\nC\n",
        b"\t\tif x:\n\t\t\treturn\n\t\tif y:\n",
        b"<html>\n<td>a\tb\tc\n<td>a\tb\tc\n",
        b"BEGIN:VCARD\nN:a;b;c\nN:a;b;c\nN:a;b;c\n",
        b"-----BEGIN PGP SIGNATURE-----\n" + TSV,
        b"{\\rtf1\n" + TSV,
        TSV + bytes(range(8)),
        b"\0\1" * 50,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR,,\n,,\n,,\n",
    ],
)
def test_what_is_something_else_is_no_table(head):
    assert seen(head) == ""


def test_fewer_columns_are_enough_where_they_are_asked_for():
    head = b"VIN\tYear\nA\t2020\n"
    assert (seen(head), seen(head, columns=2)) == ("", "\t")


def test_a_last_line_that_may_be_cut_does_not_count():
    head = TSV[:-2]
    assert (table(head, whole=True, columns=3), table(head, whole=False, columns=3)) == ("\t", "")


@pytest.mark.parametrize(
    ("head", "ending"),
    [(b"PK\x03\x04..", ".zip"), (b"PK\x05\x06", ".zip"), (b"\x1f\x8b\x08", ".gz"), (TSV, "")],
)
def test_archives_are_told_by_their_beginning(head, ending):
    assert archive(head) == ending


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x78\x9f\x3e\x22\x01", TNEF),
        (b"%PDF-1.7", "a PDF document"),
        (b"MZ\x90\x00\x03", "a Windows program"),
        (b"-----BEGIN PGP MESSAGE-----", SEALED),
        (codecs.BOM_UTF8 + b" \n<HTML><td>", MARKUP),
        (b"<?xml version='1.0'?>", MARKUP),
        (b"MZ\tstock", ""),
        (b" %PDF-", ""),
        (TSV, ""),
        (b"", ""),
    ],
)
def test_what_is_sent_by_mistake_is_told_by_its_beginning(head, what):
    assert foreign(head) == what


@pytest.mark.parametrize(
    "head", [b"", b" \r\n\t\n", codecs.BOM_UTF16_LE + b"\n\0", b"\xef\xbb\xbf"]
)
def test_white_space_is_nothing(head):
    assert blank(head)
    assert not blank(head + b"x\0")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_looked_at(head, whole):
    assert table(head, whole=whole, columns=2) in ("", "\t", ";", "|", ",")
    assert blank(head) is not None


@pytest.mark.parametrize("unit", [b"\t\n", b"a,b,c\n", b"\0\t", b"\r", b"\x01", b"<", b"\t" * 99])
def test_the_time_is_linear_in_the_head(unit):
    head = unit * ((1 << 15) // len(unit))
    begin = time.process_time()
    for _ in range(20):
        seen(head)
    assert time.process_time() - begin < 1
