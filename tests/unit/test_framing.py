"""A server's bytes, cut into whole responses."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.sources.framing import MOST_LITERALS, Framing

STREAM = (
    b"* OK ready {5}\r\n"
    b"* 1 FETCH (BODY[]<0> {4}\r\n\r\n\r\n UID 7)\r\n"
    b"* LIST () {1}\r\n/ {0}\r\n\r\n"
    b'* LIST () "/" "a {3}"\r\n'
    b"\r\n"
    b"A1 OK done {9}\r\n"
    b"* 2 FETCH (BINARY[] ~{2+}\r\n* )\r\n"
)
REPLIES = [
    (b"* OK ready {5}",),
    (b"* 1 FETCH (BODY[]<0> {4}", b"\r\n\r\n", b" UID 7)"),
    (b"* LIST () {1}", b"/", b" {0}", b"", b""),
    (b'* LIST () "/" "a {3}"',),
    (b"",),
    (b"A1 OK done {9}",),
    (b"* 2 FETCH (BINARY[] ~{2+}", b"* ", b")"),
]


def framing() -> Framing:
    return Framing(line_cap=1000, literal_cap=100)


def fed(*chunks: bytes) -> list[tuple[bytes, ...]]:
    frames = framing()
    replies = [reply for chunk in chunks for reply in frames.feed(chunk)]
    assert (frames.trouble, frames.buffered) == ("", False)
    return replies


def test_responses_are_told_apart_and_literals_within_them():
    assert fed(STREAM) == REPLIES


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_split_makes_no_difference_wherever_it_is(at):
    assert fed(STREAM[:at], STREAM[at:]) == REPLIES


@given(st.lists(st.integers(0, len(STREAM))))
def test_many_splits_make_no_difference(places):
    cuts = [0, *sorted(places), len(STREAM)]
    assert fed(*(STREAM[start:end] for start, end in pairwise(cuts))) == REPLIES


def test_every_byte_may_come_alone():
    assert fed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == REPLIES


def test_many_lines_in_one_portion_are_no_trouble():
    assert fed(b"* 1 EXPUNGE\r\n" * 20_000) == [(b"* 1 EXPUNGE",)] * 20_000


@pytest.mark.parametrize("word", [b"OK", b"no", b"BAD", b"BYE", b"PREAUTH"])
def test_the_words_of_a_status_line_announce_nothing(word):
    assert fed(b"* " + word + b" see {99}\r\n") == [(b"* " + word + b" see {99}",)]


@pytest.mark.parametrize("line", [b"A1 NO {99}", b"+ {99}", b"* OKAY{9}x", b"* LIST {x}", b"}"])
def test_other_lines_announce_nothing_either(line):
    assert fed(line + b"\r\n") == [(line,)]


@pytest.mark.parametrize(
    ("stream", "trouble"),
    [
        (b"* X {101}\r\n", "a literal of 101 bytes, 100 at most"),
        (b"* X {0004294967296}\r\n", "a literal of 4294967296 bytes, 100 at most"),
        (b"* X {" + b"9" * 50 + b"}\r\n", f"a literal of {'9' * 50} bytes, 100 at most"),
        (b"* " + b"x" * 999, "a line of more than 1000 bytes"),
        (b"* " + b"x" * 999 + b"\r\n", "a line of more than 1000 bytes"),
        (
            b"* X" + (b" {90}\r\n" + b"x" * 90) * 20 + b"\r\n",
            "a response of more than 1100 bytes",
        ),
        (
            b"* X" + b" {0}\r\n" * (MOST_LITERALS + 1) + b"\r\n",
            f"more than {MOST_LITERALS} literals in one response",
        ),
    ],
)
def test_what_passes_a_cap_is_trouble_and_the_end(stream, trouble):
    frames = framing()
    assert list(frames.feed(b"A1 OK\r\n" + stream)) == [(b"A1 OK",)]
    assert frames.trouble == trouble
    assert list(frames.feed(b"\r\nA2 OK\r\n")) == []


def test_the_largest_literal_and_the_longest_line_are_taken():
    literal = b"* X {100}\r\n" + b"y" * 100 + b"\r\n"
    assert fed(literal) == [(b"* X {100}", b"y" * 100, b"")]
    assert fed(b"z" * 1000 + b"\r\n") == [(b"z" * 1000,)]


def test_what_is_not_whole_yet_is_known_to_be_there():
    for part in (b"* ", b"* X {3}\r\n", b"* X {3}\r\nab"):
        frames = framing()
        assert list(frames.feed(part)) == []
        assert frames.buffered


def test_responses_are_given_one_at_a_time_so_that_caps_may_change_between_them():
    frames = framing()
    replies = frames.feed(b"A1 OK\r\n* X {200}\r\n")
    assert next(replies) == (b"A1 OK",)
    assert frames.buffered
    frames.literal_cap = 200
    assert list(replies) == []
    assert not frames.trouble


@given(st.lists(st.binary()))
def test_no_bytes_at_all_are_more_than_trouble(chunks):
    frames = Framing(line_cap=20, literal_cap=10)
    for chunk in chunks:
        for reply in frames.feed(chunk):
            assert len(reply) % 2
            assert all(len(literal) <= 10 for literal in reply[1::2])
