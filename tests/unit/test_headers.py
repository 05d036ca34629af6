import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.headers import BLOCK, FIELD, FIELDS, exceeds, extent, fields, header_block


def chunked(data, size=100):
    return lambda: (data[start : start + size] for start in range(0, len(data), size))


def block(data):
    return header_block(chunked(data))


def test_the_block_ends_before_the_empty_line():
    assert block(b"From: a@b.example\r\nTo: c@d.example\r\n\r\nFrom: body\r\n") == (
        b"From: a@b.example\r\nTo: c@d.example\r\n"
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_fields_come_in_their_order_in_small_letters_and_unfolded(end):
    raw = end.join([b"From: one", b"SUBJECT:\ta", b"  b ", b"\tc", b"From :two", b"", b"x: y"])
    assert fields(block(raw) or b"") == (
        ("from", b"one"),
        ("subject", b"a  b \tc"),
        ("from", b"two"),
    )


def test_raw_bytes_and_lone_carriage_returns_stay_in_the_value():
    assert fields(b"Subject: st\xf6ck\rBcc: x\n") == (("subject", b"st\xf6ck\rBcc: x"),)


@pytest.mark.parametrize("mark", [b"From a@b.example Mon 10:00:00\n", b">From x: y\r\n"])
def test_the_first_line_of_an_mbox_is_no_field(mark):
    assert fields(block(mark + b"To: c\n\nbody") or b"") == (("to", b"c"),)


def test_lines_that_end_with_carriage_returns_alone_are_lines_if_there_are_no_others():
    assert fields(block(b"From: a\rTo: b\r\rbody\r") or b"") == (("from", b"a"), ("to", b"b"))


@pytest.mark.parametrize("raw", [b"From: a\nHello: there\n\nb", b"From: a\nHello: there"])
def test_a_block_without_body_is_one(raw):
    assert len(fields(block(raw) or b"")) == 2


@pytest.mark.parametrize("line", [b"no field\n", b"VIN\tYear: 1\n", b": x\n", b"s\xc3\xbc: x\n"])
def test_the_first_line_that_is_no_field_begins_the_body(line):
    raw = b"From: a\n" + line + b"From: trusted@dealer.example\n\n"
    assert block(raw) == b"From: a\n"
    assert extent(raw, 0) == (8, 8)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\nx", b"  indented\nFrom: a\n", b"hello"])
def test_what_does_not_begin_with_a_field_has_no_headers(raw):
    assert block(raw) == b""


def test_the_extent_begins_where_it_is_told_and_leaves_the_empty_line_out():
    assert extent(b"xx\na: b\r\n\r\nbody", 3) == (9, 11)


def test_the_caps_are_inclusive():
    field = b"a:" + b"x" * (FIELD - 3) + b"\n"
    assert block(field * (BLOCK // FIELD) + b"\nbody") == field * (BLOCK // FIELD)
    assert not exceeds(b"a:\n" * FIELDS)


@pytest.mark.parametrize(
    "raw",
    [
        b"a:" + b"x" * FIELD + b"\n",
        b"a: b\n" + b"a:" + b"\n x" * FIELD,
        b"a: 0123456789\n" * (BLOCK // 14 + 1),
        b"a:\n" * (FIELDS + 1),
        b"Subject: " + b"=?utf-8?q?x?= " * 20_000 + b"\r\n\r\n",
        b"To: " + b"(" * 300_000,
    ],
)
def test_a_block_beyond_the_caps_is_none_and_takes_no_time(raw):
    begin = time.process_time()
    assert block(raw) is None
    assert time.process_time() - begin < 0.5


def test_no_more_of_a_message_is_read_than_a_block_may_have():
    def endless():
        while True:
            yield b"a: " + b"b" * 1000 + b"\n"

    assert header_block(endless) is None


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_have_headers_or_none_however_they_are_cut(data, size):
    found = header_block(chunked(data, size))
    assert found is not None
    assert found == block(data)
    assert fields(found) == fields(found + b"\n")


@given(st.lists(st.tuples(st.from_regex(r"[!-9;-~]{1,9}", fullmatch=True), st.binary(max_size=30))))
def test_what_was_written_as_fields_is_read_as_fields(written):
    values = [(name, value.replace(b"\n", b"").replace(b"\r", b"")) for name, value in written]
    raw = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in values)
    assert fields(raw) == tuple((name.lower(), value.strip()) for name, value in values)
