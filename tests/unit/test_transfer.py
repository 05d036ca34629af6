import base64
import binascii
import quopri
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.transfer import decoded, decoder, encoding

TABLE = "VIN\tYear\tColor\r\nA\t2020\tgrün=\r\n".encode()
KINDS = ["", "base64", "quoted-printable", "uuencode"]


def chunked(data, size=100_000):
    return lambda: (data[start : start + size] for start in range(0, len(data), size))


def undone(data, name, size=100_000):
    return b"".join(decoded(chunked(data, size), name)())


def binary(data):
    return binascii.b2a_qp(data, istext=False, quotetabs=True)


def uuencoded(data):
    lines = [binascii.b2a_uu(data[place : place + 45]) for place in range(0, len(data), 45)]
    return b"Dear all\nbegin 644 lot.tsv\n" + b"".join(lines) + b"`\nend\nMore\n"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"base64", "base64"),
        (b' "BASE64" (what else)', "base64"),
        (b"Quoted-Printable;", "quoted-printable"),
        (b"x-uuencode", "x-uuencode"),
        (b"8bit", ""),
        (b"base46", ""),
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_what_is_not_known_is_no_encoding(value, name):
    assert encoding(value) == name


def test_what_is_not_encoded_is_the_same_content():
    content = chunked(TABLE)
    assert decoded(content, "") is content
    undoing = decoder("")
    assert undoing.feed(TABLE) + undoing.close() == TABLE


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("base64", base64.encodebytes),
        ("base64", base64.b64encode),
        ("quoted-printable", quopri.encodestring),
        ("quoted-printable", binary),
        ("uuencode", uuencoded),
        ("x-uue", uuencoded),
    ],
)
@pytest.mark.parametrize("times", [1, 5000])
def test_what_was_encoded_comes_back_as_often_as_it_is_read(name, encode, times):
    content = decoded(chunked(encode(TABLE * times), 999), name)
    assert b"".join(content()) == b"".join(content()) == TABLE * times


@given(st.binary(max_size=300), st.integers(1, 99))
def test_any_bytes_come_back_from_base64_and_uuencode(data, size):
    assert undone(base64.encodebytes(data), "base64", size) == data
    assert undone(uuencoded(data), "uuencode", size) == data


@pytest.mark.parametrize(
    ("coded", "plain"),
    [
        (b"YWJj ZGVm\r\nZ2hp", b"abcdefghi"),
        (b"YW!Jj\xffZGVm", b"abcdef"),
        (b"YWJjZGV", b"abcde"),
        (b"YWJjZG", b"abcd"),
        (b"YWJjZ", b"abc"),
        (b"YWI=\r\n-- \r\nScanned by nobody", b"ab"),
        (b"=YWJj", b""),
        (b"", b""),
    ],
)
def test_base64_is_taken_as_far_as_it_goes(coded, plain):
    assert undone(coded, "base64") == plain
    assert undone(b"YWJj" * 50_000 + coded, "base64") == b"abc" * 50_000 + plain


@pytest.mark.parametrize(
    ("coded", "plain"),
    [
        (b"a=09b=\r\nc=\nd", b"a\tbcd"),
        (b"a= \t\r\nb", b"ab"),
        (b"a=3D=ZZ=4", b"a==ZZ=4"),
        (b"a=\rb\nc", b"a=\rb\nc"),
        (b"trailing \t\r\nblank ", b"trailing \t\r\nblank "),
        (b"end=", b"end"),
    ],
)
def test_quoted_printable_leaves_what_it_does_not_know(coded, plain):
    assert undone(coded, "quoted-printable") == plain


def test_no_escape_of_a_line_longer_than_a_block_is_cut():
    for shift in range(3):
        coded = b"x" * shift + b"=C3=B6" * 60_000
        assert undone(coded, "quoted-printable") == b"x" * shift + "ö".encode() * 60_000


@pytest.mark.parametrize(
    ("coded", "plain"),
    [
        (b"#86)C\n", b""),
        (b"begin 644 x\n#86)C\n~\n#\n", b"abc"),
        (b"begin 644 x\r\n#86)C\r\nend\r\nbegin 644 y\r\n#86)C\r\n", b"abc"),
        (b"begin 644 x\n#86)Cjunk\nend is near\n", b"abc"),
        (b"begin 644 x\n#80\n", b"a\0\0"),
        (b"end\nbegin 644 x\n#86)C", b"abc"),
    ],
)
def test_uuencoded_text_is_what_stands_between_begin_and_end(coded, plain):
    assert undone(coded, "uuencode") == plain


def test_a_uuencoded_line_that_is_none_is_left_out():
    assert undone(b"begin 644 x\n#a6)C\nZ86)C\n#86)C\n", "uuencode") == b"abc"


@given(st.from_regex(rb"[ -~]{1,70}", fullmatch=True))
def test_any_signs_may_stand_in_a_uuencoded_line(line):
    assert len(undone(b"begin 644 x\n" + line, "uuencode")) <= 45


def test_a_line_longer_than_a_block_is_no_uuencoded_one():
    assert undone(b"begin 644 x\n" + b"~" * 200_000 + b"\n#86)C\n", "uuencode") == b"abc"


def test_lines_of_uuencoded_text_are_read_up_to_a_number():
    coded = b"begin 644 x\n" + b"!86\n" * (1 << 20)
    begin = time.process_time()
    assert undone(coded, "uuencode") == b"a" * ((1 << 20) - 1)
    assert time.process_time() - begin < 3


@pytest.mark.parametrize("name", KINDS)
@given(data=st.binary(max_size=300), size=st.integers(1, 50))
def test_any_bytes_are_decoded_the_same_however_they_are_cut(name, data, size):
    assert undone(data, name, size) == undone(data, name)


@pytest.mark.parametrize("name", KINDS)
def test_blocks_do_not_show_in_what_is_decoded(name):
    signs = b"=\r\n aBcend!#4\t"
    data = bytes(signs[pow(place, 3, 10_007) % len(signs)] for place in range(200_000))
    assert undone(data, name, 1013) == undone(data, name, 77_777)


@pytest.mark.parametrize("name", KINDS[1:])
@pytest.mark.parametrize("unit", [b"\n", b"a", b"=\n", b"= \n", b"=\r", b"=", b"!ab\n", b"A="])
def test_time_and_memory_are_bounded(name, unit):
    data = unit * ((2 << 20) // len(unit))
    begin = time.process_time()
    for _ in decoded(chunked(data), name)():
        pass
    assert time.process_time() - begin < 1
    tracemalloc.start()
    for _ in decoded(chunked(data[: 1 << 18]), name)():
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20
