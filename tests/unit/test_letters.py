"""A reply: what a dealer reads, and what its headers hold."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from ingestd.model import Arrival, Delivery, FileReading, Finding, Outcome, State
from ingestd.report import Counts, Lines, Reply, Report
from ingestd.tell import letters
from ingestd.tell.letters import FILES, LISTED, body, compose, message_id, scrubbed, shown, subject
from ingestd.tell.reasons import FILE_REASONS, OTHER, ROW_REASONS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SENDER = "inventory@example.com"
DEALER = ("lot@matteson.example", "boss@matteson.example")
TBD = Finding(7, "VIN", "no_identifier", "TBD")
ARRIVAL = Arrival("inbox", "mail", "k", "mail-1.eml", "ab" * 32, 4096, NOON, lane="matteson")
COUNTS = Counts(header=1, blank=1, added=3, updated=12, unchanged=390, rejected=7)
REPORT = Report(
    import_id=12,
    delivery_id=9,
    file="lot.tsv",
    file_index=0,
    dealership_id=1,
    feed="matteson",
    outcome=Outcome.IMPORTED,
    reason=None,
    message="",
    lines=414,
    counts=COUNTS,
    reading=FileReading(file=0, name="lot.tsv"),
    rejections=(TBD,),
    started_at=NOON,
    seconds=0.2,
)
REFUSED = replace(
    REPORT,
    import_id=13,
    file="notes.txt",
    outcome=Outcome.REJECTED,
    reason="no_header",
    message="notes.txt: no line has\nknown column names",
    lines=None,
    counts=None,
    reading=None,
    rejections=(),
)


def reply(*reports: Report, feed: str = "matteson", sha256: str = "ab" * 32) -> Reply:
    delivery = Delivery(9, replace(ARRIVAL, sha256=sha256), State.DONE, 1)
    return Reply(delivery, feed, reports or (REPORT,), NOON, timedelta(), 1)


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(*reports: Report, lines: tuple[Lines, ...] = ()) -> str:
    return body(reply(*reports), lines)


# Headers.


def test_the_headers_are_ours_and_no_more_than_these():
    message = read(compose(reply(), SENDER, DEALER))

    assert dict(message.items()) == {
        "From": SENDER,
        "To": "lot@matteson.example, boss@matteson.example",
        "Subject": "Inventory of matteson: 412 rows, 405 loaded, 7 not",
        "Date": "Tue, 24 Nov 2026 12:00:00 +0000",
        "Message-ID": message_id(reply(), SENDER),
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
    }


def test_nothing_of_the_senders_reaches_a_header_or_starts_one():
    evil = "x\r\nBcc: everybody@elsewhere.example\r\n\r\n\0"
    report = replace(
        REPORT, file=evil, message=evil, rejections=(Finding(7, evil, "no_identifier", evil),)
    )
    raw = compose(reply(report), SENDER, DEALER, (Lines(12, evil.encode(), whole=True),))

    message = read(raw)
    assert message["Bcc"] is None
    assert "elsewhere" not in str([*message.items()])
    parts = [part for part in message.walk() if part is not message]
    assert {name for part in parts for name in part} <= {
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
        "MIME-Version",
    }
    assert [line for line in raw.splitlines() if line.lower().startswith(b"bcc")] == []


def test_a_header_that_was_configured_with_a_line_break_is_one_line_all_the_same():
    raw = compose(reply(feed="a\r\nBcc: c@d.example"), SENDER, DEALER)

    assert read(raw)["Bcc"] is None
    assert scrubbed("a\r\n b\0c\u202e d") == "a b c d"


def test_the_same_delivery_gives_the_same_message_byte_by_byte():
    lines = (Lines(12, b"line\treason\tVIN\n7\tno_identifier\tTBD\n", whole=True),)

    assert compose(reply(), SENDER, DEALER, lines) == compose(reply(), SENDER, DEALER, lines)


def test_another_delivery_feed_or_content_gives_another_message_id():
    others = (reply(feed="other"), reply(sha256="cd" * 32), reply(feed="a.b"), reply(feed="a-b"))

    assert len({message_id(one, SENDER) for one in (reply(), *others)}) == 5
    assert message_id(reply(), SENDER).startswith("<ingestd-9-matteson-")
    assert message_id(reply(), SENDER).endswith("@example.com>")


def test_a_long_feed_and_domain_do_not_break_the_message_id():
    long = reply(feed="a" * 30 + ".." + "b" * 32)
    sender = f"x@{'d' * 60}.{'e' * 60}.example"
    raw = compose(long, sender, DEALER)

    assert f"Message-ID: {message_id(long, sender)}\r\n".encode() in raw
    assert ".." not in message_id(long, sender)


def test_every_line_is_short_enough_for_smtp():
    value = "ä" * 5000
    report = replace(REPORT, message=value, rejections=(Finding(7, value, value, value),))
    raw = compose(reply(report), SENDER, DEALER, (Lines(12, b"x" * 5000, whole=True),))

    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()


# The subject.


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ((REPORT, REPORT), "824 rows, 810 loaded, 14 not"),
        ((replace(REPORT, outcome=Outcome.UNCHANGED),), "412 rows, 405 loaded, 7 not"),
        ((REPORT, REFUSED), "412 rows, 405 loaded, 7 not; 1 of 2 files not loaded"),
        ((REFUSED,), "not loaded"),
        ((replace(REFUSED, outcome=Outcome.FAILED),), "not loaded"),
        ((replace(REPORT, outcome=Outcome.HELD),), "held for a check, nothing changed"),
        ((replace(REPORT, counts=None),), "0 rows, 0 loaded, 0 not"),
    ],
)
def test_the_subject_says_what_became_of_it(reports, told):
    assert subject(reply(*reports)) == f"Inventory of matteson: {told}"


# The text.


def test_the_text_tells_the_rows_by_what_became_of_them():
    told = text(replace(REPORT, counts=replace(COUNTS, duplicate=2)))

    assert "(feed matteson, delivery 9)" in told
    assert "2026-11-24 12:00 UTC" in told
    assert "lot.tsv: loaded." in told
    assert (
        "414 rows: 3 new, 12 changed, 390 as they were already, 2 given again further down,"
        " where the last one counts, 7 not loaded." in told
    )


def test_a_rejected_row_is_told_by_line_column_value_and_reason_in_words():
    told = text(replace(REPORT, rejections=(TBD, Finding(9, None, "make_missing", ""))))

    assert (
        '  Not loaded:\n    line 7, column VIN, "TBD": it has neither a VIN nor a stock number\n'
        "    line 9: a new vehicle needs a make, and there is none\n" in told
    )
    assert "correct these rows" in told


def test_of_many_rejected_rows_the_first_are_listed():
    many = tuple(replace(TBD, line=line) for line in range(2, 102))
    told = text(replace(REPORT, counts=Counts(rejected=4000), rejections=many))

    assert f"Not loaded (the first {LISTED} of 4000):" in told
    assert told.count("neither a VIN") == LISTED


def test_rejections_without_counts_are_told_too():
    many = tuple(replace(TBD, line=line) for line in range(2, 52))

    assert f"(the first {LISTED} of 50)" in text(replace(REPORT, counts=None, rejections=many))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "The lines themselves could not be attached."),
        ((Lines(12, b"x\n", whole=True),), "attached (rejected-12.tsv) as you sent them"),
        (
            (Lines(12, b"x\n", whole=False),),
            "The first of these lines are attached (rejected-12.tsv)",
        ),
    ],
)
def test_the_text_says_where_the_lines_are(lines, words):
    assert words in text(lines=lines)


def test_the_lines_are_attached_as_they_are_under_a_name_of_ours():
    content = b'line\treason\tVIN\r\n7\tno_identifier\t=HYPERLINK("x")\xc3\xa4\n'
    message = read(compose(reply(), SENDER, DEALER, (Lines(12, content, whole=True),)))

    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "text/tab-separated-values"
    assert attached.get_filename() == "rejected-12.tsv"
    assert attached.get_payload(decode=True) == content
    read_body = message.get_body()
    assert read_body is not None
    assert "as you sent them" in read_body.get_content()


def test_vehicles_that_left_came_back_or_were_kept_are_told():
    told = text(replace(REPORT, deactivated=2, reactivated=1, held_deactivations=40))

    assert "2 vehicles are no longer listed and were taken off; 1 are back." in told
    assert "40 vehicles that the file no longer lists were kept for now" in told
    assert "if the file was not complete, send the whole one" in told


def test_warnings_are_counted():
    told = text(replace(REPORT, reading=FileReading(0, "lot.tsv", warnings=4)))

    assert "4 cells could not be used; their rows were loaded without them." in told


def test_a_clean_import_asks_for_nothing():
    clean = replace(REPORT, counts=Counts(header=1, added=3), rejections=(), reading=None)

    assert "3 rows: 3 new, 0 changed, 0 as they were already, 0 not loaded." in text(clean)
    assert "What to do" not in text(clean)


def test_a_refused_file_is_told_by_its_reason_and_its_sentence():
    told = text(REFUSED)

    assert "notes.txt: not loaded: no header was recognised.\n" in told
    assert "  notes.txt: no line has known column names" in told
    assert "send the file again as it was when it was last loaded" in told


def test_a_dealer_reads_why_it_is_held_and_no_command_of_ours():
    for held in (replace(REPORT, outcome=Outcome.HELD), replace(REPORT, held_deactivations=36)):
        told = text(replace(held, message="it looks like another dealer's"))
        assert "  it looks like another dealer's\n" in told
        assert "approve" not in told


@pytest.mark.parametrize("reason", ["key_taken", "internal_error", "dropped"])
def test_what_is_for_whoever_runs_this_is_not_for_a_dealer(reason):
    told = text(replace(REFUSED, reason=reason, message="see [target.settings]"))
    assert "target" not in told
    assert "on our side" in told


def test_a_held_file_tells_what_it_would_have_done():
    told = text(replace(REPORT, outcome=Outcome.HELD))

    assert "held until somebody has looked at it; nothing was changed" in told
    assert "3 would have been new, 12 would have been changed" in told
    assert "What to do" in told


def test_a_failure_is_no_fault_of_the_dealers():
    failed = replace(REFUSED, outcome=Outcome.FAILED, reason="internal_error", message="")

    assert "it could not be read on our side" in text(failed)
    assert "What to do: nothing" in text(failed)


def test_what_was_passed_over_is_told_beside_the_others():
    told = text(REPORT, replace(REPORT, outcome=Outcome.SUPERSEDED, counts=None, rejections=()))

    assert "passed over, since a newer file was there already." in told


def test_of_very_many_files_the_rest_is_counted():
    told = text(*[REPORT] * (FILES + 3))

    assert told.count("lot.tsv: loaded.") == FILES
    assert "There are 3 files more." in told


def test_what_is_quoted_is_visible_and_short():
    assert shown("a\u202eb\x1b[31m\n") == "a\\u202eb\\x1b[31m\\n"
    assert shown("x" * 200) == "x" * 79 + "…"


@pytest.mark.parametrize("reason", sorted({*ROW_REASONS} - {OTHER}))
def test_every_reason_of_a_row_has_words(reason):
    assert "_" not in letters.why_row(reason)
    assert letters.why_row(reason) != reason.replace("_", " ")


def test_a_reason_of_a_later_version_is_told_as_it_is():
    assert letters.why_row("too_shiny") == "too shiny"
    assert "not loaded: too shiny." in text(replace(REFUSED, reason="too_shiny"))


def test_every_reason_of_a_file_that_may_be_replied_to_has_words():
    assert {*FILE_REASONS} - {OTHER, "unproven_sender"} <= {*letters.FILE}
