import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed.decode import Encoding, Unreadable, detect, text


def chunked(data, size=7):
    def read():
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return read


def decoded(data, size=7):
    encoding = detect(chunked(data, size))
    assert isinstance(encoding, Encoding)
    return "".join(text(chunked(data, size), encoding))


def refused(data):
    answer = detect(chunked(data))
    assert isinstance(answer, Unreadable)
    return answer


HEADER = "VIN\tModell\tPreis\n"


def test_plain_ascii_is_utf8():
    assert detect(chunked(HEADER.encode())) == Encoding("utf-8", 0, "all of it is valid UTF-8")


def test_utf8_characters_are_not_split_between_chunks():
    line = HEADER + "x\tCoupé “big” 漢字\t5 €\n"
    for size in (1, 2, 3, 5, 1000):
        assert decoded(line.encode(), size) == line


@pytest.mark.parametrize(
    ("mark", "codec", "name"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_byte_order_mark_decides_and_is_left_out(mark, codec, name, size):
    data = mark + (HEADER + "é").encode(codec)
    encoding = detect(chunked(data, size))
    assert isinstance(encoding, Encoding)
    assert (encoding.name, encoding.bom) == (name, len(mark))
    assert decoded(data, size) == HEADER + "é"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_mark_is_seen_by_its_nuls(codec):
    data = (HEADER + "Coupé\t€\n").encode(codec)
    encoding = detect(chunked(data))
    assert isinstance(encoding, Encoding)
    assert encoding.name == codec
    assert decoded(data) == HEADER + "Coupé\t€\n"


def test_a_broken_byte_after_a_utf8_mark_is_read_as_windows_1252():
    assert decoded(codecs.BOM_UTF8 + b"VIN\xe9\x81\n") == "VIN\xe9\ufffd\n"


GOOD = (HEADER + "x\tCoup\xe9 \u201cbig\u201d\t5 \u20ac\n").encode()


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_stray_bytes_do_not_turn_a_utf8_file_into_windows_1252(size):
    data = GOOD + b"y\tCoup\xe9 5\x94\t1\n" + GOOD
    encoding = detect(chunked(data, size))
    assert isinstance(encoding, Encoding)
    assert (encoding.name, encoding.strays, encoding.stray_line) == ("utf-8", 2, 3)
    assert "2 bytes" in encoding.why
    assert decoded(data, size) == GOOD.decode() + "y\tCoup\xe9 5\u201d\t1\n" + GOOD.decode()


def test_a_character_cut_by_the_end_of_a_line_is_a_stray():
    assert decoded(GOOD + b"5 \xe2\x82\n") == GOOD.decode() + "5 \xe2\u201a\n"


def test_a_file_with_few_utf8_characters_among_others_is_windows_1252():
    data = b"VIN\tCoup\xe9\n" * 5 + "Coup\xe9\n".encode()
    encoding = detect(chunked(data))
    assert isinstance(encoding, Encoding)
    assert (encoding.name, encoding.strays) == ("cp1252", 0)


def test_lines_of_two_systems_are_read_each_in_its_own_encoding():
    data = b"VIN\tCoup\xe9\n" * 4 + "Coup\xe9\n".encode()
    assert decoded(data) == "VIN\tCoup\xe9\n" * 4 + "Coup\xe9\n"


def test_bytes_that_are_not_utf8_are_windows_1252():
    encoding = detect(chunked("VIN\tCoupé 5 €\n".encode("cp1252")))
    assert isinstance(encoding, Encoding)
    assert encoding.name == "cp1252"
    assert decoded("VIN\tCoupé 5 €\n".encode("cp1252")) == "VIN\tCoupé 5 €\n"


def test_a_byte_that_windows_1252_does_not_define_means_iso_8859_15():
    encoding = detect(chunked(b"VIN\tCoup\xe9\x9d\n"))
    assert isinstance(encoding, Encoding)
    assert encoding.name == "iso-8859-15"


def test_the_euro_sign_of_iso_8859_15_is_recognised():
    assert decoded("VIN\tCoupé 5 €\n".encode("iso-8859-15")) == "VIN\tCoupé 5 €\n"


def test_a_euro_sign_beside_windows_letters_does_not_mean_iso_8859_15():
    encoding = detect(chunked(b"VIN\t\x93Coup\xe9\x94 \xa4\n"))
    assert isinstance(encoding, Encoding)
    assert encoding.name == "cp1252"


def test_a_utf8_file_cut_inside_a_character_is_still_utf8():
    data = (HEADER + "Coupé\t5 €").encode()[:-1]
    encoding = detect(chunked(data))
    assert isinstance(encoding, Encoding)
    assert "cut off" in encoding.why
    assert encoding.cut
    assert decoded(data) == HEADER + "Coupé\t5 "


def test_a_last_byte_that_would_begin_a_character_alone_does_not_mean_utf8():
    assert decoded((HEADER + "Coupé").encode("cp1252")) == HEADER + "Coupé"


@pytest.mark.parametrize(
    "data", [b"", b" \r\n\t\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE + "\n ".encode("utf-16-le")]
)
def test_nothing_but_white_space_is_empty(data):
    assert refused(data).reason == "empty"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04 whatever", "Excel"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (b"%PDF-1.7 text only", "PDF"),
        (b"{\\rtf1 text only}", "rich text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)), "old Excel"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)), "JPEG"),
        (b"GIF89a" + bytes(range(256)), "GIF"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)), "gzip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(range(256)), "7-Zip"),
        (b"Rar!\x1a\x07\x00" + bytes(range(256)), "RAR"),
        (b"BZh9" + bytes(range(256)), "bzip2"),
        (b"\xfd7zXZ\x00" + bytes(range(256)), "xz"),
        (b"\x7fELF" + bytes(range(256)), "program"),
        (b"MZ" + bytes(range(256)), "Windows program"),
        (b"SQLite format 3\x00" + bytes(range(256)), "SQLite"),
        (b"PAR1" + bytes(range(256)), "Parquet"),
        (b"\x78\x9f\x3e\x22" + bytes(range(256)), "winmail.dat"),
        (codecs.BOM_UTF8 + b"\n <!DOCTYPE html><table>", "web page"),
        (b"<?xml version='1.0'?>", "web page"),
        (codecs.BOM_UTF32_LE + "VIN".encode("utf-32-le"), "UTF-32"),
        (bytes(500), "control characters"),
    ],
)
def test_what_is_no_table_is_named(data, what):
    answer = refused(data)
    assert answer.reason == "not_a_table"
    assert what in answer.message


def test_a_stray_nul_is_left_out_and_refuses_nothing():
    assert decoded((HEADER * 20).encode() + b"\0x\n") == HEADER * 20 + "x\n"


def test_only_nuls_in_a_chunk_give_no_block():
    content = lambda: iter((HEADER.encode() * 99, b"\0\0", b"x"))  # noqa: E731  the shortest fake
    assert "" not in list(text(content, Encoding("utf-8", 0, "")))


def test_only_the_beginning_of_a_large_file_is_searched_for_control_characters():
    data = HEADER.encode() * 5000
    assert decoded(data + b"\x01" * 5000, 1 << 15).startswith(HEADER)


@given(st.binary(max_size=600), st.integers(1, 50))
def test_any_bytes_give_an_answer_and_the_same_text_however_they_are_cut(data, size):
    whole, cut = detect(chunked(data, 1000)), detect(chunked(data, size))
    assert whole == cut
    if isinstance(cut, Encoding):
        pieces = list(text(chunked(data, size), cut))
        assert "".join(pieces) == "".join(text(chunked(data, 1000), cut))
        assert not any("\0" in piece for piece in pieces)
        assert len("".join(pieces)) <= len(data)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
def test_utf8_text_comes_back_as_it_was(line):
    data = (HEADER + line).encode()
    assert decoded(data, 3) == HEADER + line
