import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.phrase import shown, small, text, uncommented, unquoted


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a (comment) b", "a   b"),
        ("a(b(c)d)e", "a e"),
        (r"a(\)b)c", "a c"),
        ('a(he said "hi)b', "a b"),
        ('"(no comment)" x', '"(no comment)" x'),
        (r'"a\"(b" c', r'"a\"(b" c'),
        ('"a"(b)"c"', '"a" "c"'),
    ],
)
def test_comments_become_blanks_and_quoted_strings_stay(value, bare):
    assert uncommented(value) == bare


@pytest.mark.parametrize(
    "value", ["(", "(()", ")", "a)", '"', '"a\\"', "\\", "a\\b", "(\\)", '(a)"']
)
def test_what_does_not_end_or_closes_nothing_is_no_value(value):
    assert uncommented(value) is None


@given(st.text(alphabet='()"\\ab ', max_size=60))
def test_nothing_is_raised_and_no_comment_is_left(value):
    bare = uncommented(value)
    if bare is not None and '"' not in value:
        assert "(" not in bare
        assert ")" not in bare


def test_a_long_value_takes_time_in_proportion_to_its_length():
    began = time.process_time()
    for unit in ("(", ")", "()", "(\\", '"', "\\", '("', "a(b)", '"a"(', "((a)"):
        uncommented(unit * 100_000)
    assert time.process_time() - began < 2


def test_only_ascii_letters_are_made_small():
    assert small("ÄBC\u212a\u017f") == "Äbc\u212a\u017f"


def test_bytes_that_are_no_utf8_stay_tellable():
    assert text(b"\xc3\xa4") == "ä"
    assert text(b"\xe4") == "\udce4"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ('"a b"', "a b"),
        (r'"a\"\\b"', 'a"\\b'),
        ("a", "a"),
        ('"', '"'),
        ('""', ""),
        ('"a"b', '"a"b'),
    ],
)
def test_a_quoted_string_gives_its_content(value, content):
    assert unquoted(value) == content


def test_what_is_shown_is_one_short_line_without_anything_invisible():
    assert shown("a\r\n\tb\u202e\x00\udce4c") == "a bc"
    assert shown("x" * 101) == "x" * 99 + "…"
    assert shown("x" * 100) == "x" * 100
    assert shown("a\u0308", 1) == "ä"
