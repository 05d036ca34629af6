import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import copytext


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Kia", "Kia"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\\N", "\\\\N"),
        ("C:\\temp", "C:\\\\temp"),
        ("\u00a0", "\u00a0"),
        ("", ""),
    ],
)
def test_tab_line_ends_and_backslash_are_escaped(text, field):
    assert copytext.escape(text) == field
    assert copytext.unescape(field) == text


@given(st.text(st.sampled_from("\\ntrN\t\n\ra")))
def test_what_was_escaped_reads_back_as_it_was(text):
    field = copytext.escape(text)
    assert not set("\t\n\r") & set(field)
    assert copytext.unescape(field) == text


def test_null_is_no_text():
    assert copytext.unescape(copytext.NULL) is None


@given(st.dictionaries(st.text(), st.text()))
def test_a_json_document_reads_back(value):
    field = copytext.as_json(value)
    assert json.loads(copytext.unescape(field) or "") == value


def test_an_array_literal_quotes_every_item():
    field = copytext.as_array(['18" wheels', "a\\b", "c,d"])
    assert copytext.unescape(field) == '{"18\\" wheels","a\\\\b","c,d"}'


def test_a_line_reads_back_field_by_field():
    assert copytext.fields("a\t\\N\tb\\tc\n") == ("a", None, "b\tc")
