"""What untagged responses say, and how sets of UIDs are written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.sources import replies
from ingestd.sources.phrases import Said
from ingestd.sources.replies import Fact, Fetched, Selected

MOMENT = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)
OK = Said("OK", "READ-WRITE")


@pytest.mark.parametrize(
    ("reply", "values"),
    [
        ((b"* 1 EXISTS",), ("*", "1", "EXISTS")),
        ((b"a  (b (c) () nil) NIL ",), ("a", ("b", ("c",), (), None), None)),
        ((b'"a \\" \\\\ (b" "NIL" ""',), (b'a " \\ (b', b"NIL", b"")),
        ((b"BODY[HEADER.FIELDS (A B)]<0> x",), ("BODY[HEADER.FIELDS (A B)]<0>", "x")),
        ((b"(A {3}", b")\r\n", b" B {0}", b"", b")"), (("A", b")\r\n", "B", b""),)),
        ((b"(A ~{3}", b"x y", b")"), (("A", b"x y"),)),
        ((b"\\*",), ("\\*",)),
        ((b"gr\xf6n",), ("gr\ufffdn",)),
        ((b"",), ()),
    ],
)
def test_words_strings_and_lists_are_read(reply, values):
    assert replies.parse(reply) == values


@pytest.mark.parametrize(
    "text", [b"(", b")", b"(a))", b'"a', b'"a\\"', b"BODY[", b"a]", b"(" * 21 + b")" * 21, b"\t)"]
)
def test_what_is_malformed_is_known_to_be(text):
    assert replies.parse((text,)) is None


def test_a_very_long_malformed_line_takes_no_time():
    for text in (b'"' + b"\\a" * 100_000, b"[" * 200_000, b"a[b" * 60_000, b"(" * 200_000):
        assert replies.parse((text,)) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("7", 7),
        (b"8", 8),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("-7", None),
        ("\uff17", None),
        (None, None),
        (("7",), None),
    ],
)
def test_numbers_are_digits_within_their_range(value, read):
    assert replies.number(value) == read


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((b"* 3 FETCH (UID 7 RFC822.SIZE 9)",), Fetched(3, uid=7, size=9)),
        ((b"* 3 fetch (rfc822.size 9 uid 7)",), Fetched(3, uid=7, size=9)),
        ((b"* 3 FETCH (FLAGS (\\Seen X))",), Fetched(3, flags=frozenset({r"\Seen", "X"}))),
        ((b"* 3 FETCH (BODY[]<5> {2}", b"ab", b" UID 7)"), Fetched(3, 7, body=b"ab", origin=5)),
        ((b"* 3 FETCH (UID 7 BODY[]<5> {2}", b"ab", b")"), Fetched(3, 7, body=b"ab", origin=5)),
        ((b'* 3 FETCH (BODY[] "a\\"b")',), Fetched(3, body=b'a"b')),
        ((b"* 3 FETCH (BODY[]<5> NIL)",), Fetched(3, body=b"", origin=5)),
        ((b"* 3 FETCH (body[] atom)",), Fetched(3, body=b"atom")),
        ((b"* 3 FETCH (BODY[TEXT] x BODY[]<1> (x) FLAGS x)",), Fetched(3)),
        ((b"* 3 FETCH (X-GM-MSGID 1 MODSEQ (9) UID 7)",), Fetched(3, uid=7)),
        ((b"* 3 FETCH ((UID) 7 UID)",), Fetched(3)),
        ((b'* 3 FETCH (INTERNALDATE "23-Nov-2026 06:00:00 +0000")',), Fetched(3, received=MOMENT)),
        ((b"* 3 FETCH (UID 4294967296)",), Fetched(3)),
    ],
)
def test_the_items_of_a_message_are_known_by_their_names(reply, told):
    assert replies.fetched(reply) == told


@pytest.mark.parametrize(
    "text",
    [
        b"* 3 EXISTS",
        b"* 3 FETCH",
        b"* 3 FETCH UID",
        b"* x FETCH (UID 7)",
        b"* 3 EXPUNGE (UID 7)",
        b"* 3 FETCH (UID 7",
        b"",
    ],
)
def test_other_responses_tell_of_no_message(text):
    assert replies.fetched((text,)) is None


def test_the_items_of_a_message_may_come_in_several_responses():
    told = replies.messages(
        [
            (b"* 1 FETCH (RFC822.SIZE 10)",),
            (b"* 2 FETCH (UID 8 RFC822.SIZE 20)",),
            (b"* 1 FETCH (UID 7)",),
            (b"* 2 FETCH (FLAGS (X))",),
            (b"* 3 FETCH (FLAGS (Y))",),
        ]
    )
    assert told == (Fetched(1, 7, 10), Fetched(2, 8, 20, flags=frozenset({"X"})))


def test_a_number_that_was_given_to_another_message_joins_nothing():
    told = replies.messages(
        [
            (b"* 1 FETCH (UID 7 RFC822.SIZE 10)",),
            (b"* 1 EXPUNGE",),
            (b"* 1 FETCH (FLAGS (X))",),
            (b"* 1 FETCH (UID 8)",),
        ]
    )
    assert told == (Fetched(1, 7, 10), Fetched(1, 8, flags=frozenset({"X"})))


def test_what_was_told_last_of_a_message_counts():
    told = replies.messages(
        [
            (b"* 1 FETCH (UID 7 FLAGS (A) BODY[] x)",),
            (b"* 1 EXPUNGE",),
            (b"* 5 FETCH (UID 7 FLAGS (B))",),
        ]
    )
    assert told == (Fetched(5, 7, flags=frozenset({"B"}), body=b"x"),)


def test_facts_are_of_the_messages_asked_for_that_are_there():
    answer = [
        (b'* 2 FETCH (FLAGS () UID 8 INTERNALDATE "bad" RFC822.SIZE 20)',),
        (b'* 1 FETCH (UID 7 INTERNALDATE "23-Nov-2026 07:00:00 +0100" RFC822.SIZE 1 FLAGS (X))',),
        (b"* 3 FETCH (UID 9 FLAGS (X))",),
        (b"* 4 FETCH (UID 10 RFC822.SIZE 1)",),
    ]
    assert replies.facts(answer, [7, 8, 9]) == (
        Fact(7, 1, MOMENT, frozenset({"X"})),
        Fact(8, 20, None, frozenset()),
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"23-Nov-2026 06:00:00 +0000", MOMENT),
        (b"23-NOV-2026 01:30:00 -0430", MOMENT),
        (b" 1-Jan-2026 00:30:00 +0100", datetime(2025, 12, 31, 23, 30, tzinfo=UTC)),
        (b"1-Jan-2026 00:30:00 +0000", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)),
        (b"31-Feb-2026 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +0000", None),
        (b"31-Dec-1979 00:00:00 +0000", None),
        (b"01-Jan-1980 00:00:00 +0000", datetime(1980, 1, 1, tzinfo=UTC)),
        (b"01-Jan-2026 00:00:00 +9900", None),
        (b"01-Jan-2026 00:00:00", None),
        (b"01-Xyz-2026 00:00:00 +0000", None),
        (b"", None),
        (None, None),
        ("23-Nov-2026", None),
    ],
)
def test_a_date_is_read_or_is_none(text, moment):
    assert replies.date(text) == moment


def test_only_digits_of_a_search_are_uids():
    answer = [
        (b"* SEARCH 12 3 3 x 4x -5 0 4294967296 99999999999 \xd9\xa3 (MODSEQ 917)",),
        (b"* search 2",),
        (b"* SEARCH",),
        (b"*",),
    ]
    assert replies.uids_found(answer) == (2, 3, 12)


def test_the_last_capabilities_count_in_upper_case():
    answer = [(b"* CAPABILITY OLD",), (b"* capability imap4rev1 Idle auth=PLAIN",)]
    assert replies.capabilities(answer) == {"IMAP4REV1", "IDLE", "AUTH=PLAIN"}
    assert replies.capabilities([]) == frozenset()


@pytest.mark.parametrize(
    ("reply", "entry"),
    [
        (
            (b'* LIST (\\HasNoChildren \\X) "/" "5* dealers :)"',),
            (frozenset({r"\hasnochildren", r"\x"}), "/", b"5* dealers :)"),
        ),
        ((b"* LIST () NIL INBOX",), (frozenset(), "", b"INBOX")),
        ((b'* LIST () "." {5}', b"a\r\n b", b""), (frozenset(), ".", b"a\r\n b")),
        ((b'* LIST (\\Noselect) "\\\\" ""',), (frozenset({r"\noselect"}), "\\", b"")),
        ((b'* LIST "/" INBOX',), None),
        ((b'* LIST () "/" NIL',), None),
        ((b'* LIST () "/" "a',), None),
        ((b"* LIST () (x) a",), None),
    ],
)
def test_a_folder_is_listed_by_attributes_delimiter_and_name(reply, entry):
    assert replies.listed(reply) == entry


SELECT = (
    (b"* FLAGS (\\Seen)",),
    (b"* 3 EXISTS",),
    (b"* OK [UIDVALIDITY 77] valid",),
    (b"* OK [UIDNEXT 9] next",),
    (b"* OK [PERMANENTFLAGS (\\Seen \\*)] limited",),
)


def test_an_opened_folder_is_described():
    assert replies.selected(SELECT, OK) == Selected(77, 3, 9, keywords=True, read_only=False)


def test_a_folder_may_be_for_reading_only_and_take_no_keywords():
    answer = [(b"* OK [UIDVALIDITY 77]",), (b"* OK [PERMANENTFLAGS (\\Seen)]",)]
    told = replies.selected(answer, Said("OK", "READ-ONLY"))
    assert told == Selected(77, 0, None, keywords=False, read_only=True)


def test_what_came_before_closed_is_of_another_folder():
    answer = [(b"* 9 EXISTS",), (b"* OK [UIDNEXT 4]",), (b"* OK [CLOSED] old",), SELECT[2]]
    told = replies.selected(answer, OK)
    assert told == Selected(77, 0, None, keywords=False, read_only=False)


@pytest.mark.parametrize("validity", [b"0", b"x", b"", b"4294967296"])
def test_without_uidvalidity_nothing_was_opened(validity):
    assert replies.selected([(b"* OK [UIDVALIDITY " + validity + b"]",)], OK) is None


@pytest.mark.parametrize(
    ("uids", "sets"),
    [
        ([], []),
        ([7], ["7"]),
        ([9, 3, 4, 5, 7, 7], ["3:5,7,9"]),
        ([1, 2, 4294967294, 4294967295], ["1:2,4294967294:4294967295"]),
        (range(1, 251), ["1:100", "101:200", "201:250"]),
    ],
)
def test_uids_are_written_as_ranges_a_hundred_at_a_time(uids, sets):
    assert list(replies.uid_sets(uids)) == sets


def test_a_set_is_short_enough_for_a_line():
    uids = range(4_000_000_000, 4_000_000_200, 2)
    sets = list(replies.uid_sets(uids))
    assert max(map(len, sets)) <= 800
    assert ",".join(sets) == ",".join(map(str, uids))


@pytest.mark.parametrize("uids", [[0], [-1, 5], [1, 4294967296]])
def test_what_can_be_no_uid_is_refused(uids):
    with pytest.raises(ValueError, match="no UIDs"):
        list(replies.uid_sets(uids))


@given(st.lists(st.binary(), min_size=1))
def test_no_response_at_all_is_more_than_unreadable(pieces):
    reply = (b"* 1 FETCH (" + pieces[0], *pieces[1:])
    replies.fetched(reply)
    replies.listed(reply)
    replies.messages([reply])
    replies.uids_found([reply])
    replies.capabilities([reply])
    assert replies.selected([reply], OK) is None
