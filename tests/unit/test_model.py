"""The nouns, and the few names they compute."""

import pytest

from ingestd.model import UNROUTED, Drift, File, Known, Opened, Outcome, worst


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Outcome.REJECTED),
        ((Outcome.UNCHANGED,), Outcome.UNCHANGED),
        ((Outcome.IMPORTED, Outcome.UNCHANGED), Outcome.IMPORTED),
        ((Outcome.IMPORTED, Outcome.REJECTED, Outcome.HELD), Outcome.REJECTED),
        ((Outcome.FAILED, Outcome.REJECTED), Outcome.FAILED),
    ],
)
def test_a_delivery_is_as_bad_as_its_worst_import(outcomes, expected):
    assert worst(outcomes) is expected


def opened(*feeds):
    files = (File(at, "f", 1, feed, None if feed else "no_feed") for at, feed in enumerate(feeds))
    return Opened(tuple(files))


def test_a_delivery_is_in_the_lane_of_its_feed_or_in_the_way_of_all_or_of_nobody():
    assert opened("a", None, "a").lane() == "a"
    assert opened("a", "b").lane() == ""
    assert opened("b", None, "a", "b").feeds() == ("a", "b")
    assert opened(None).lane() == opened().lane() == UNROUTED


def test_headers_drift_if_anything_about_them_changed():
    assert not Drift()
    assert Drift(lost=("price",))


def test_a_vin_is_junk_at_one_rooftop_of_a_group_and_good_at_another():
    known = Known(frozenset("C"), rooftops={1: frozenset("AC"), 2: frozenset("BC")})
    assert known.junk_at(1) == {"A", "C"}
    assert known.junk_at(2) == {"B", "C"}
    assert known.junk_at(None) == {"C"}
    assert Known(frozenset("A")).junk_at(1) == {"A"}


def test_of_a_replay_only_the_files_of_its_feed_are_done():
    mine, theirs = File(0, "a", 1, "lot"), File(1, "b", 1, "other")
    refused = File(2, "c", 1, None, "no_feed", "nobody takes it")

    assert Opened((mine, theirs, refused)).only("lot").files == (mine,)
    left = Opened((theirs, refused)).only("lot").files
    assert [(file.index, file.reason) for file in left] == [(1, "no_feed"), (2, "no_feed")]
    assert "no file of the feed lot any more, but of other" in left[0].message
    assert left[1] == refused
