import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.parameters import parse


def name(value):
    return str(parse(b"attachment; " + value)[1]["filename"])


@pytest.mark.parametrize(
    ("value", "word", "parameters"),
    [
        (b"", "", {}),
        (b" Text/CSV ;Charset=UTF-8", "text/csv", {"charset": "UTF-8"}),
        (b"attachment;filename=lot.tsv;size=3", "attachment", {"filename": "lot.tsv", "size": "3"}),
        (b'a; x = 1 ; y = "2" ;; z', "a", {"x": "1", "y": "2"}),
        (b'a; x=; y=""', "a", {"x": "", "y": ""}),
        (b"a; x=1; X=2", "a", {"x": "1"}),
        (b"; x=1", "", {"x": "1"}),
    ],
)
def test_a_value_is_a_word_and_parameters(value, word, parameters):
    found, more = parse(value)
    assert (found, {key: str(text) for key, text in more.items()}) == (word, parameters)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"filename=my lot (1).tsv ", "my lot (1).tsv"),
        (b'filename="a;b=c.tsv"', "a;b=c.tsv"),
        (b'filename="never closed; size=3', "never closed; size=3"),
        (b'filename="say \\"lot\\".tsv"', 'say "lot".tsv'),
        (b'filename="C:\\lots\\\\x.tsv"', "C:\\lots\\x.tsv"),
        ('filename="stöck.tsv"'.encode(), "stöck.tsv"),
        ('filename="stöck.tsv"'.encode("latin-1"), "stöck.tsv"),
        (b'filename="\x81.tsv"', "\ufffd.tsv"),
    ],
)
def test_a_name_is_read_as_it_was_meant(value, shown):
    assert name(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"filename*=UTF-8''st%C3%B6ck.tsv", "stöck.tsv"),
        (b"filename*=iso-8859-1'de'st%F6ck.tsv; filename=stock.tsv", "stöck.tsv"),
        (b"filename=stock.tsv; filename*=utf-8''st%C3%B6ck.tsv", "stöck.tsv"),
        (b"filename*0*=utf-8''st%C3; filename*1*=%B6ck; filename*2=%41.tsv", "stöck%41.tsv"),
        (b"filename*1=ck.tsv; filename*0*=utf-8''st%C3%B6", "stöck.tsv"),
        (b"filename*0=st; filename*1*=utf-8''%C3%B6; filename*1=x", "stö"),
        (b"filename*1=ck.tsv", "ck.tsv"),
        (b"filename*=no-such''st%F6ck.tsv", "stöck.tsv"),
        (b"filename*=\0''lot.tsv", "lot.tsv"),
        (b"filename*=st%C3%B6ck.tsv", "stöck.tsv"),
        (b"filename*=utf-8''st%C3%B", "stÃ%B"),
        (b"filename*=utf-16''%FF%FEa%00", "a"),
    ],
)
def test_sections_and_charsets_are_put_together_as_far_as_they_go(value, shown):
    assert name(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'"=?UTF-8?B?c3TDtmNrLnRzdg==?="', "stöck.tsv"),
        (b"=?UTF-8?B?c3TDtmNrLnRzdg?=", "stöck.tsv"),
        (b'"=?utf-8*de?q?st=C3=B6ck_1?="', "stöck 1"),
        (b'"=?utf-8?q?st=C3?=\t =?utf-8?q?=B6ck?=.tsv"', "stöck.tsv"),
        (b'"=?utf-8?q?a?= =?iso-8859-1?q?=F6?= =?iso-8859-1?q?b?="', "aöb"),
        (b'"a =?utf-8?q?b?= c =?utf-8?q?d?="', "a b c d"),
        (b'"=?utf-8?q?a b?="', "a b"),
        (b'"=?no-such?q?st=F6ck?="', "stöck"),
        (b'"=?ascii?q?=C3=B6?="', "ö"),
        (b'"=?utf-8?b?a?= =?utf-8?x?y?="', "=?utf-8?b?a?= =?utf-8?x?y?="),
    ],
)
def test_encoded_words_are_decoded_inside_of_parameters(value, shown):
    assert name(b"filename=" + value) == shown


@pytest.mark.parametrize(
    "value",
    [
        b";" * 16_000,
        b'";' * 8_000,
        b"a; " + b"x*0=y;" * 2_700,
        b"a; " + b"".join(b"f*%d*=%%41;" % number for number in range(1_600)),
        b'a; f="' + b"\\" * 16_000,
        b'a; f="' + b"=?" * 8_000,
        b'a; f="' + b"=?a?q?" * 2_600,
        b'a; f="' + b"=?a?q?x?= " * 1_600,
        b'a; f="' + b"".join(b"=?x%d?q?x?= " % number for number in range(1_200)),
        b"a;" + b" " * 16_000,
        b"(" * 16_000,
        b"a; f*=" + b"'" * 16_000,
    ],
)
def test_the_time_is_linear_in_the_value(value):
    begin = time.process_time()
    for text in parse(value)[1].values():
        str(text)
    assert time.process_time() - begin < 0.1


@given(st.binary(max_size=200))
def test_any_bytes_are_read(value):
    for text in parse(b"a; filename=" + value)[1].values():
        assert len(str(text)) <= len(value)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_any_name_in_quotes_comes_back(raw):
    if "=?" in raw:
        return
    quoted = raw.replace("\\", "\\\\").replace('"', '\\"')
    assert name(f'filename="{quoted}"'.encode()) == raw
