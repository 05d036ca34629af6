from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingestd.config import Guard
from ingestd.model import Duplicate, FileReading, Finding, Finished, Identity, Outcome
from ingestd.report import Counts, Decision, Report
from ingestd.store.account import (
    Tally,
    any_read,
    applied,
    approved,
    decided,
    headers,
    judged,
    outcome,
    presentable,
    superseded,
    suspended,
    tally,
    twice,
    unusable,
    useless,
)
from ingestd.store.guard import Counted, Facts, Past, Verdict, judge

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


def test_a_file_is_useless_if_its_rows_are_rejected_or_duplicates_of_such():
    good, bad = Tally(Counts(unchanged=1, rejected=1)), Tally(Counts(header=1, rejected=2))
    both = Tally(Counts(rejected=1, duplicate=1))
    assert useless({0: good, 1: bad, 2: Tally(Counts(header=1))}) == {1}
    assert useless({0: bad, 1: both, 2: Tally(Counts(duplicate=1))}) == {0, 1, 2}
    assert useless({0: good, 1: both}) == frozenset(), "its duplicate may be the other file's"


def test_a_useless_file_is_rejected_with_its_rows_and_the_first_ones_fault():
    found = (Finding(2, "VIN", "vin_of_other_dealership", "V"), Finding(3, None, "footer", ""))
    made = outcome(report(), READING, Tally(Counts(header=1, rejected=2)), found)
    told = unusable(made)
    assert (told.outcome, told.reason, told.counts) == (Outcome.REJECTED, "no_usable_row", None)
    assert told.message == (
        "none of the 2 rows can be used; the first: line 2, column 'VIN':"
        " vin_of_other_dealership 'V'"
    )
    assert told.rejections == found
    bare = unusable(outcome(report(), READING, Tally(Counts(rejected=1)), found[1:]))
    assert bare.message == "none of the 1 rows can be used; the first: line 3: footer"
    doubled = unusable(outcome(report(), READING, Tally(Counts(duplicate=1)), ()))
    assert doubled.message == (
        "none of the 1 rows can be used; the row that counts of each was rejected"
    )


def test_a_row_whose_vin_is_stored_twice_has_a_warning_under_its_header():
    readings = (FileReading(0, "a", warnings=1, mapping={"vin": ("VIN #",)}), FileReading(1, "b"))
    first, second = twice(readings, [{"file_no": 0, "line": 4, "vin": "V", "rows": 7}])
    assert first.warnings == 8
    assert first.warnings_list == (Finding(4, "VIN #", "vin_stored_twice", "V"),)
    assert second == readings[1]


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


HELD = Verdict("another_lot", "it looks wrong", hold=None)


def test_what_is_held_as_a_whole_keeps_its_counts_and_has_changed_nothing():
    loaded = replace(report(), outcome=Outcome.IMPORTED, counts=Counts(added=3), deactivated=2)
    held = judged(loaded, HELD, 4)
    assert (held.outcome, held.reason, held.message) == (
        Outcome.HELD,
        "another_lot",
        "it looks wrong",
    )
    assert (held.counts, held.deactivated, held.reactivated) == (Counts(added=3), 0, 0)


def test_a_file_that_cannot_be_read_is_held_with_the_others_and_says_why():
    held = judged(replace(report(), reason="no_header", message="no header"), HELD, None)
    assert (held.outcome, held.reason) == (Outcome.HELD, "another_lot")
    assert held.message == "it looks wrong; of this file nothing can be read: no header"


def test_deactivations_make_it_imported_and_so_do_those_that_are_held():
    same = replace(report(), outcome=Outcome.UNCHANGED, deactivated=1)
    gone = judged(same, Verdict(misses=True), 2)
    assert (gone.outcome, gone.deactivated, gone.held_deactivations) == (Outcome.IMPORTED, 3, 0)
    held = judged(replace(same, message="fine"), Verdict(message="40 of 100", lost=40), 0)
    assert (held.outcome, held.deactivated, held.held_deactivations) == (Outcome.IMPORTED, 1, 40)
    assert held.message == "fine; 40 of 100"


def test_where_nothing_is_gone_and_nothing_held_a_report_stays_as_it_is():
    assert judged(report(), Verdict(misses=True), 0) == report()
    assert judged(report(), Verdict(lost=9), None) == report(), "another file's report tells it"


def test_the_file_that_suspends_absence_has_the_warning_first():
    other = replace(READING, file=1, warnings=2, cut_off=True)
    finished = Finished((READING, other))
    first, second = suspended(finished, frozenset())
    assert first == READING
    assert (second.warnings, second.warnings_list[0].reason) == (3, "absence_suspended")
    assert suspended(Finished((READING,)), frozenset()) == (READING,)


LOADED = replace(
    report(),
    outcome=Outcome.IMPORTED,
    import_id=12,
    lines=9,
    counts=Counts(header=1, added=3, updated=5),
    deactivated=1,
    held_deactivations=60,
)
AGAIN = replace(
    report(),
    outcome=Outcome.UNCHANGED,
    lines=9,
    counts=Counts(header=1, unchanged=8),
    reactivated=2,
)


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FULL = Facts(NOON, 9, full=True, deactivates=True, past=Past(), counted=Counted())
JUMP = judge(replace(FULL, counted=Counted(rows=20, priced=20, repriced=20)), Guard())
LOST = judge(replace(FULL, counted=Counted(rows=40, baseline=100, lost=60)), Guard())


def test_only_what_was_imported_or_unchanged_was_applied():
    assert applied((report(), LOADED))
    assert applied((AGAIN,))
    assert not applied((report(), replace(report(), outcome=Outcome.HELD)))
    assert not applied(())


def test_the_report_of_what_was_held_or_is_new_is_the_one_of_its_load():
    assert approved(None, LOADED) == LOADED
    held = replace(LOADED, outcome=Outcome.HELD)
    assert replace(approved(held, AGAIN), message="") == AGAIN
    assert approved(replace(LOADED, counts=None, held_deactivations=0), AGAIN) == AGAIN


def test_what_was_held_keeps_its_reason_and_who_approved_it():
    decided = Decision("approve", "anna", NOON)
    held = replace(judged(LOADED, JUMP, None), decided=decided)
    now = approved(held, replace(AGAIN, message="fine"))
    why = "price_jump: the price of 20 of 20 vehicles changed by more than 50 % (100 %)"
    assert now.message == f"approved; it was held: {why}; fine"
    assert now.decided == Decision("approved", "anna", NOON)


def test_held_deactivations_that_are_approved_keep_their_numbers():
    held = judged(replace(LOADED, message=""), LOST, 0)
    told = approved(held, AGAIN).message
    assert told.startswith("approved; it was held: 60 of 100 vehicles are no longer listed (60 %;")
    assert told.endswith("say the same (0 so far)")
    again = approved(replace(held, message=f"{told}; {held.message}"), AGAIN).message
    assert again.count("approved; it was held: ") == 1
    assert "ingestd imports" not in again


def test_a_file_beside_the_one_that_held_says_only_who_approved_it():
    beside = replace(LOADED, message="", held_deactivations=0, decided=Decision("approve", "anna"))
    now = approved(beside, replace(AGAIN, message=""))
    assert (now.message, now.decided) == ("", Decision("approved", "anna"))


def test_what_was_loaded_and_is_approved_keeps_its_first_counts_and_adds_what_is_gone():
    gone = replace(AGAIN, outcome=Outcome.IMPORTED, deactivated=60)
    both = approved(LOADED, gone)
    assert (both.outcome, both.counts) == (Outcome.IMPORTED, LOADED.counts)
    assert (both.deactivated, both.reactivated, both.held_deactivations) == (61, 2, 0)
    assert approved(LOADED, AGAIN).outcome is Outcome.IMPORTED
    assert approved(AGAIN, AGAIN).outcome is Outcome.UNCHANGED


def test_what_was_changed_since_is_told_by_the_second_counts():
    healed = replace(AGAIN, outcome=Outcome.IMPORTED, counts=Counts(updated=1, unchanged=7))
    assert approved(LOADED, healed).counts == healed.counts
    other = replace(AGAIN, rejections=(Finding(2, "VIN", "bad_vin", "V"),))
    assert approved(LOADED, other).counts == other.counts
    assert approved(LOADED, replace(AGAIN, counts=None)).counts is None


def test_an_older_lot_is_passed_over_and_older_changes_are_lost():
    assert superseded(9, "full")[0] == "newer_applied"
    assert "delivery 9 of this feed is newer" in superseded(9, "full")[1]
    assert superseded(9, "delta")[0] == "late_changes"
    assert "they are lost: have the whole lot" in superseded(9, "delta")[1]
