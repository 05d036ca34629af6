from datetime import UTC, datetime

import pytest

from ingestd.model import Duplicate, FileReading, Finding, Finished, Identity, Outcome
from ingestd.report import Counts, Report
from ingestd.store.account import (
    Tally,
    any_read,
    decided,
    headers,
    outcome,
    presentable,
    tally,
)

READING = FileReading(0, "a.tsv", lines=3, header=1, rows=2, message="fine")
ROW = {
    "added": 1,
    "matched": 5,
    "updated": 2,
    "duplicate": 3,
    "rejected": 4,
    "unread": 1,
    "deactivated": 1,
    "reactivated": 2,
}


def report() -> Report:
    return Report(
        import_id=None,
        delivery_id=1,
        file="a.tsv",
        file_index=0,
        dealership_id=1,
        feed="f",
        outcome=Outcome.REJECTED,
        reason=None,
        message="",
        lines=None,
        counts=None,
        reading=READING,
        rejections=(),
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        seconds=0.0,
    )


def test_a_reading_counts_if_one_file_was_read():
    refused = FileReading(1, "b.tsv", reason="no_header")
    assert any_read(Finished((refused, READING)))
    assert not any_read(Finished((refused,)))


def test_decisions_become_arrays_in_the_order_of_the_statement():
    finished = Finished(
        (FileReading(0, "a", keep=8), FileReading(1, "b", keep=2)),
        (Duplicate(0, 2, 1, 3),),
        (Identity(1, 3, "V", "S", "Kia", "Rio", 2024),),
        ((1, Finding(4, "V\0N", "vin_repeated", "V")), (0, Finding(5, None, "no_column", "a\0"))),
    )
    assert decided(finished) == (
        [0, 1], [8, 2], [0], [2], [1], [3], ["V"], ["S"], ["Kia"], ["Rio"], [2024],
        [1, 0], [4, 5], ["vin_repeated", "no_column"], ["V\N{REPLACEMENT CHARACTER}N", None],
        ["V", "a\N{REPLACEMENT CHARACTER}"],
    )  # fmt: skip


def test_a_fields_first_header_names_it():
    reading = FileReading(2, "a", mapping={"vin": ("V\0N", "VIN"), "make": ()})
    assert headers(Finished((reading,))) == ([2], ["vin"], ["V\N{REPLACEMENT CHARACTER}N"])


def test_text_is_freed_of_what_no_database_takes():
    assert presentable("a\0b\udcff“") == "a\N{REPLACEMENT CHARACTER}b?“"


def test_what_matched_and_was_not_updated_is_unchanged():
    made = tally(READING, ROW, (10, 7))
    assert made.counts == Counts(header=1, added=1, updated=2, unchanged=3, duplicate=3, rejected=4)
    assert (made.unread, made.deactivated, made.reactivated, made.extras) == (1, 11, 2, 7)


def test_a_file_of_which_no_row_came_has_only_its_header():
    assert tally(READING, None, (0, 0)) == Tally(Counts(header=1))


def test_a_file_without_tally_was_refused():
    refused = FileReading(0, "a.tsv", reason="no_header", message="no header")
    made = outcome(report(), refused, None, ())
    assert (made.outcome, made.reason, made.message, made.counts) == (
        Outcome.REJECTED,
        "no_header",
        "no header",
        None,
    )


@pytest.mark.parametrize(
    "counted",
    [
        Tally(Counts(added=1)),
        Tally(Counts(updated=1)),
        Tally(Counts(unchanged=1), deactivated=1),
        Tally(Counts(unchanged=1), extras=1),
    ],
)
def test_whatever_was_written_makes_it_imported(counted):
    assert outcome(report(), READING, counted, ()).outcome is Outcome.IMPORTED


def test_a_file_that_changed_nothing_is_unchanged():
    found = (Finding(2, None, "make_missing", ""),)
    made = outcome(report(), READING, Tally(Counts(unchanged=2), reactivated=0), found)
    assert (made.outcome, made.lines, made.rejections) == (Outcome.UNCHANGED, 3, found)
