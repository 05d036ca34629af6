"""The guard's options: shares as people write them, and the defaults of the design."""

import pytest
from pydantic import ValidationError

from ingestd.settings import Feed
from ingestd.thresholds import Guard


def test_a_share_is_written_in_percent():
    assert Guard(most_lost="12.5 %").most_lost == 0.125
    assert Guard(price_change="150%").price_change == 1.5
    assert Guard(agreement=0.8).agreement == 0.8


@pytest.mark.parametrize("value", ["35", "a third", "-5%", "101%", 2])
def test_what_is_no_share_is_a_fault(value):
    with pytest.raises(ValidationError):
        Guard(most_lost=value)


def test_unknown_options_are_faults():
    with pytest.raises(ValidationError):
        Guard.model_validate({"least_lost": "5%"})


def test_the_defaults_are_those_of_the_design():
    guard = Guard()
    assert (guard.most_lost, guard.most_lost_a_day, guard.few_lost) == (0.35, 0.1, 5)
    assert (guard.confirmations, guard.agreement) == (3, 0.9)
    assert (guard.most_rejected, guard.least_readable, guard.readable_before) == (0.5, 0.5, 0.9)
    assert (guard.most_repriced, guard.price_change) == (0.5, 0.5)
    assert (guard.least_common, guard.least_lot) == (0.1, 20)


def test_a_feed_keeps_what_is_missing_unless_it_says_so_and_then_waits_for_three_misses():
    feed = Feed(name="lot", dealership=1, mode="full")
    assert (feed.missing, feed.missing_after, feed.guard) == ("keep", 3, Guard())
