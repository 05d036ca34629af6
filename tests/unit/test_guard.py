from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import Guard
from ingestd.model import Arrival, Delivery, Evidence, FileReading, Finding, Finished, State
from ingestd.report import Counts
from ingestd.store.guard import (
    Applied,
    Counted,
    Facts,
    Hold,
    Past,
    Verdict,
    dealer_ids,
    imbalance,
    is_older,
    judge,
    readable,
    shares,
    suspension,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATEST = Applied(NOON, 5, 50)


@pytest.mark.parametrize(
    ("minutes", "number", "older"), [(-1, 9, True), (0, 4, True), (0, 6, False), (1, 1, False)]
)
def test_order_is_by_first_sight_and_then_by_number(minutes, number, older):
    seen = NOON + timedelta(minutes=minutes)
    arrival = Arrival("drop", "folder", "k", "lot.tsv", "0" * 64, 1, seen)
    assert is_older(Delivery(number, arrival, State.WORKING, 1), LATEST) is older


def test_the_first_delivery_of_a_feed_is_never_older():
    arrival = Arrival("drop", "folder", "k", "lot.tsv", "0" * 64, 1, NOON)
    assert not is_older(Delivery(1, arrival, State.WORKING, 1), None)


def test_lines_that_are_all_accounted_for_balance():
    reading = FileReading(0, "a.tsv", lines=5, header=1, blank=1, rows=2, rejected=1)
    counts = Counts(header=1, blank=1, added=1, unchanged=1, rejected=1)
    assert imbalance(reading, counts, 1) is None


def test_a_line_that_went_missing_is_told():
    reading = FileReading(0, "a.tsv", lines=3, header=1, rows=2)
    fault = imbalance(reading, Counts(header=1, added=1), 0)
    assert fault is not None
    assert fault.startswith("3 lines were read, 2 are accounted for")


def test_a_rejection_that_became_a_vehicle_is_told():
    reading = FileReading(0, "a.tsv", lines=2, header=1, rows=0, rejected=1)
    fault = imbalance(reading, Counts(header=1, added=1), 0)
    assert fault == "the reader rejected 1 lines, 0 of them arrived"


DAY = timedelta(days=1)
RULES = Guard()


def facts(now: datetime = NOON + DAY, **fields: Any) -> Facts:
    """A delivery, a day after the one before, of a full feed that deactivates."""
    plain = Facts(
        at=now, delivery_id=6, full=True, deactivates=True, past=Past(LATEST), counted=Counted()
    )
    return replace(plain, **fields)


def lot(lost: int, baseline: int = 100) -> Counted:
    left = baseline - lost
    return Counted(rows=left + 1, vehicles=left, seen=left, baseline=baseline, lost=lost)


def test_a_delivery_that_lost_little_counts_misses_and_is_the_new_baseline():
    assert judge(facts(counted=lot(3)), RULES) == Verdict(misses=True, moves=True)
    assert not judge(facts(counted=lot(3)), RULES).holds


def test_a_feed_that_keeps_counts_none_and_a_delta_has_no_baseline():
    assert judge(facts(counted=lot(90), deactivates=False), RULES) == Verdict(moves=True)
    assert judge(facts(counted=lot(90), deactivates=False, full=False), RULES) == Verdict()


def test_of_a_lot_that_is_not_whole_nothing_moves_and_a_hold_stays():
    hold = Hold(NOON, 5, NOON)
    past = Past(LATEST, hold)
    assert judge(facts(counted=lot(90), whole=False, past=past), RULES) == Verdict(hold=hold)


def test_a_suspended_delivery_counts_no_miss():
    assert judge(facts(counted=lot(3), suspended=True), RULES) == Verdict(moves=True)


@pytest.mark.parametrize(
    ("lost", "baseline", "days", "held"),
    [
        (35, 100, 1, 0),
        (36, 100, 1, 36),
        (40, 100, 4, 0),
        (41, 100, 4, 41),
        (99, 100, 9.8, 99),
        (100, 100, 10, 0),
        (5, 10, 1, 0),
        (6, 10, 1, 6),
        (9, 9, 1, 0),
    ],
)
def test_too_many_are_more_than_35_percent_or_10_for_each_day_and_more_than_five_of_ten(
    lost, baseline, days, held
):
    found = judge(facts(NOON + days * DAY, counted=lot(lost, baseline)), RULES)
    assert found.lost == held
    assert found.holds is found.begins is bool(held)
    assert found.misses is found.moves is not held


def test_the_first_held_delivery_begins_the_hold():
    found = judge(facts(counted=lot(60)), RULES)
    assert found.hold == Hold(NOON + DAY, 6, NOON + DAY, 0)
    assert found.begins
    assert found.message.startswith("60 of 100 vehicles are no longer listed (60 %; at most 35 %")


def held(hours: float, held: int = 40, agreeing: int = 40, **fields: Any) -> Verdict:
    """What is judged of one that came so many hours after the last that counted."""
    hold = Hold(NOON, 5, NOON, 1)
    counted = replace(lot(60), held=held, agreeing=agreeing)
    return judge(
        facts(NOON + timedelta(hours=hours), counted=counted, past=Past(LATEST, hold), **fields),
        RULES,
    )


def test_one_that_agrees_counts_twenty_hours_after_the_one_before():
    assert held(20).hold == Hold(NOON, 5, NOON + timedelta(hours=20), 2)
    assert held(19.9).hold == Hold(NOON, 5, NOON, 1)
    assert not held(20).begins


@pytest.mark.parametrize(("first", "agreeing", "agrees"), [(40, 38, True), (40, 37, False)])
def test_nine_tenths_of_all_in_either_agree(first, agreeing, agrees):
    assert held(24, first, agreeing).begins is not agrees


def test_two_empty_lots_have_nothing_in_common_and_confirm_nothing():
    counted = Counted(listed=20, baseline=20, lost=20)
    past = Past(LATEST, Hold(NOON, 5, NOON, 2))
    found = judge(facts(NOON + DAY, counted=counted, past=past), RULES)
    assert (found.begins, found.drops, found.lost) == (True, False, 20)


def test_one_that_may_lack_rows_confirms_nothing():
    assert held(24, suspended=True).hold == Hold(NOON, 5, NOON, 1)


def test_the_third_confirms_and_what_was_lost_is_dropped_at_once():
    past = Past(LATEST, Hold(NOON, 5, NOON, 2))
    counted = replace(lot(60), held=40, agreeing=40)
    assert judge(facts(counted=counted, past=past), RULES) == Verdict(drops=True, moves=True)


def test_a_hold_lapses_with_one_that_passes():
    past = Past(LATEST, Hold(NOON, 5, NOON, 2))
    assert judge(facts(counted=lot(2), past=past), RULES) == Verdict(misses=True, moves=True)


def test_rows_that_are_approved_are_not_judged_and_what_is_lost_is():
    counted = replace(lot(2), rows=100, rejected=100)
    assert judge(facts(counted=counted, approved=True), RULES) == Verdict(misses=True, moves=True)
    counted = replace(lot(60), rows=100, rejected=100)
    found = judge(facts(counted=counted, approved=True), RULES)
    assert (found.reason, found.lost, found.drops, found.moves) == (None, 60, False, False)


def test_where_it_is_approved_that_they_are_gone_what_was_held_is_dropped():
    approved: dict[str, Any] = {"approved": True, "gone": True}
    dropped = Verdict(drops=True, moves=True)
    assert judge(facts(counted=lot(60), **approved), RULES) == dropped
    past = Past(LATEST, Hold(NOON, 5, NOON))
    assert judge(facts(counted=lot(2), past=past, **approved), RULES) == dropped
    assert judge(facts(counted=lot(2), **approved), RULES) == Verdict(moves=True)


@pytest.mark.parametrize("baseline", [1, 9, 100])
def test_that_a_lot_is_empty_is_never_believed(baseline):
    counted = Counted(baseline=baseline, lost=baseline)
    found = judge(facts(NOON + 30 * DAY, counted=counted), RULES)
    assert (found.lost, found.misses, found.moves) == (baseline, False, False)
    assert found.message.startswith(f"not one of {baseline} vehicles is listed any more: they stay")
    assert judge(facts(counted=Counted()), RULES) == Verdict(misses=True, moves=True)


@pytest.mark.parametrize(
    ("days", "said"), [(0.9, "less than a day after"), (1.9, "1 day after"), (2.5, "2 days after")]
)
def test_the_sentence_says_how_long_after_the_delivery_before_it_came(days, said):
    assert (
        f"are believed, {said} the delivery"
        in judge(facts(NOON + days * DAY, counted=lot(60)), RULES).message
    )


@pytest.mark.parametrize(
    ("rows", "rejected", "reason"), [(10, 5, None), (10, 6, "rejected_rows"), (9, 9, None)]
)
def test_more_than_half_of_ten_rows_rejected_hold_it(rows, rejected, reason):
    found = judge(facts(counted=Counted(rows=rows, rejected=rejected)), RULES)
    assert (found.reason, found.holds) == (reason, reason is not None)


@pytest.mark.parametrize(
    ("usable", "filled", "before", "reason"),
    [
        (49, 100, 0.91, "unreadable_column"),
        (50, 100, 0.91, None),
        (49, 100, 0.9, None),
        (0, 9, 1.0, None),
        (0, 0, 1.0, None),
    ],
)
def test_a_column_that_could_be_read_and_no_longer_can_holds_it(usable, filled, before, reason):
    evidence = (Evidence(0, {"vin": (usable, filled)}),)
    past = Past(LATEST, readable={"vin": before})
    assert judge(facts(evidence=evidence, past=past), RULES).reason == reason


@pytest.mark.parametrize(
    ("priced", "repriced", "reason"), [(10, 5, None), (10, 6, "price_jump"), (9, 9, None)]
)
def test_prices_that_jump_hold_it(priced, repriced, reason):
    assert judge(facts(counted=Counted(priced=priced, repriced=repriced)), RULES).reason == reason


@pytest.mark.parametrize(
    ("vehicles", "listed", "common", "reason"),
    [
        (20, 20, 1, "another_lot"),
        (20, 20, 2, None),
        (19, 20, 0, None),
        (20, 19, 0, None),
        (20, 300, 20, None),
    ],
)
def test_hardly_any_vehicle_of_twenty_in_common_is_another_lot(vehicles, listed, common, reason):
    counted = Counted(vehicles=vehicles, listed=listed, common=common)
    assert judge(facts(counted=counted), RULES).reason == reason
    assert judge(facts(counted=counted, full=False), RULES).reason is None


@pytest.mark.parametrize(
    ("found", "before", "reason"),
    [
        ((), "1", None),
        (("1",), None, None),
        (("1",), "1", None),
        (("2",), "1", "other_dealer"),
        (("1", "2"), None, "several_dealers"),
    ],
)
def test_a_dealers_id_that_was_constant_and_is_another_holds_it(found, before, reason):
    evidence = tuple(Evidence(number, dealer_ids=(value,)) for number, value in enumerate(found))
    past = Past(LATEST, dealer_id=before)
    assert judge(facts(evidence=evidence, past=past), RULES).reason == reason
    assert dealer_ids(evidence) == found


def test_a_hold_of_everything_leaves_the_hold_of_deactivations_as_it_is():
    hold = Hold(NOON, 5, NOON, 2)
    counted = Counted(rows=10, rejected=10)
    found = judge(facts(counted=counted, past=Past(LATEST, hold)), RULES)
    assert found.hold == hold
    assert found.message.endswith(
        "10 of 10 rows cannot be loaded (100 %; at most 50 % are put up with)"
    )


def test_without_a_delivery_before_nothing_can_be_lost():
    assert judge(facts(past=Past(), counted=lot(0, 0)), RULES) == Verdict(misses=True, moves=True)
    assert judge(facts(past=Past(), counted=lot(60)), RULES).lost == 60


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0, 20))
def test_nothing_is_ever_both_held_and_counted(lost, left, days):
    found = judge(facts(NOON + days * DAY, counted=lot(lost, lost + left)), RULES)
    assert (found.lost > 0) + found.misses == 1
    assert found.lost in (0, lost)


def test_cells_are_added_up_over_the_files_and_few_give_no_share():
    evidence = (
        Evidence(0, {"vin": (4, 5), "year": (3, 3)}),
        Evidence(1, {"vin": (5, 5), "price": (0, 10)}),
    )
    assert readable(evidence) == {"vin": (9, 10), "year": (3, 3), "price": (0, 10)}
    assert shares(evidence) == {"vin": 0.9, "price": 0.0}


GOOD = FileReading(0, "a.tsv", lines=9)
BARE = Finding(4, None, "absence_suspended", "a row has no identifier that can be read")


def test_a_whole_file_of_named_rows_suspends_nothing():
    finished = Finished((GOOD,), evidence=(Evidence(0),))
    assert suspension(finished, frozenset()) is None


def test_a_cut_off_file_suspends_at_its_last_line():
    finished = Finished((GOOD, replace(GOOD, file=1, cut_off=True)))
    assert suspension(finished, frozenset()) == (
        1,
        Finding(9, None, "absence_suspended", "the file is cut off"),
    )


def test_a_nameless_row_suspends_unless_it_stood_in_the_delivery_before():
    finished = Finished((GOOD,), evidence=(Evidence(0, nameless=((3, 7), (4, 8)), unnamed=2),))
    assert suspension(finished, frozenset({7})) == (0, BARE)
    assert suspension(finished, frozenset({7, 8})) is None


def test_more_nameless_rows_than_are_kept_suspend():
    finished = Finished((GOOD,), evidence=(Evidence(0, nameless=((3, 7), (4, 8)), unnamed=3),))
    assert suspension(finished, frozenset({7, 8})) == (0, BARE)


def test_a_vin_that_turned_out_to_be_a_dummy_suspends():
    rejected = ((0, Finding(4, "VIN", "vin_repeated", "X")), (0, Finding(5, None, "other", "")))
    assert suspension(Finished((GOOD,), rejected=rejected), frozenset()) == (0, BARE)
    assert suspension(Finished((GOOD,), rejected=rejected[1:]), frozenset()) is None
