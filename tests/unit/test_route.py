import pytest

from ingestd.config import Feed
from ingestd.feed.route import Routed, route


def feed(name, **more):
    return Feed(name=name, dealership=1, mode="full", **more)


LOTS = (
    feed("north", file=("north*.tsv", "*.zip"), folder=("drop",)),
    feed("south", file=("South*.tsv",)),
)


def test_the_only_feed_whose_pattern_matches_is_it():
    assert route("north.tsv", "north.tsv", "drop", None, LOTS) == Routed("north")


@pytest.mark.parametrize("name", ["SOUTH.TSV", "south 2.tsv"])
def test_patterns_do_not_mind_case(name):
    assert route(name, name, "drop", None, LOTS).feed == "south"


def test_the_name_of_the_container_counts_too():
    assert route("lot.tsv", "today.zip", "drop", None, LOTS).feed == "north"


def test_a_feed_without_folders_takes_from_all():
    assert route("south.tsv", "south.tsv", "elsewhere", None, LOTS).feed == "south"


def test_a_file_that_no_feed_takes_is_told_why_by_each():
    answer = route("north.tsv", "north.tsv", "attic", None, LOTS)
    assert (answer.feed, answer.reason) == (None, "no_feed")
    assert "north takes files from folder drop only, not from 'attic'" in answer.message
    assert "south takes files named South*.tsv only" in answer.message
    assert "incoming/north/" in answer.message


def test_a_file_that_two_feeds_take_goes_to_neither():
    answer = route("south.tsv", "south.zip", "drop", None, LOTS)
    assert (answer.feed, answer.reason) == (None, "several_feeds")
    assert "north, south" in answer.message
    assert "incoming/north/ or incoming/south/" in answer.message


def test_a_place_that_names_a_feed_wins_over_patterns():
    assert route("anything.dat", "anything.dat", "attic", "south", LOTS) == Routed("south")


def test_a_place_that_names_no_feed_is_told_the_nearest():
    answer = route("north.tsv", "north.tsv", "drop", "nroth", LOTS)
    assert answer.reason == "no_feed"
    assert 'did you mean "north"?' in answer.message
    assert "the feeds are north, south" in answer.message


@pytest.mark.parametrize("hint", [None, "north"])
def test_without_any_feed_the_configuration_is_named(hint):
    assert "no [[feed]] is configured" in route("a.tsv", "a.tsv", "drop", hint, ()).message
