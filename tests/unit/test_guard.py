from datetime import UTC, datetime, timedelta

import pytest

from ingestd.model import Arrival, Delivery, FileReading, State
from ingestd.report import Counts
from ingestd.store.guard import Applied, imbalance, is_older

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
