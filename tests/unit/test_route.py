from dataclasses import replace

import pytest

from ingestd.config import Feed
from ingestd.feed.route import Posted, Routed, for_letter, in_letter, route


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


# Mail


def mailed(name, **more):
    return feed(name, **{"sender_proof": "none", **more})


def letter(**more):
    said = {"sender": "lot@north.example", "recipients": ("in@in.example",), "subject": "Lot"}
    return Posted(mailbox="inventory", **{**said, **more})


def names(found):
    assert not isinstance(found, Routed)
    return [each.name for each in found]


def refusal(found):
    assert isinstance(found, Routed)
    assert (found.feed, found.reason) == (None, "no_feed")
    return found.message


NORTH = mailed(
    "north",
    mailbox=("inventory",),
    senders=("*@North.Example", "boss@home.example"),
    to=("IN@*",),
    subject=("lot*", "Inventory *"),
)


def test_a_letter_is_for_the_feeds_that_it_fits_in_everything_they_name():
    feeds = (NORTH, mailed("any"), mailed("south", senders=("*@south.example",)))
    assert names(for_letter(letter(), feeds)) == ["north", "any"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"sender": "lot@south.example"},
            "takes mail from *@North.Example, boss@home.example only",
        ),
        ({"sender": "lot@south.example"}, "not from 'lot@south.example'"),
        ({"sender": "lot@north.example.evil.example"}, "takes mail from"),
        ({"sender": "boss@hom\u1d07.example"}, "takes mail from"),
        ({"sender": None}, "not from an author who cannot be told"),
        ({"recipients": ("other@in.example",)}, "takes mail to other addresses only"),
        ({"recipients": ()}, "takes mail to other addresses only"),
        ({"subject": "Invoice"}, "the subject 'lot*', 'Inventory *' only, not 'Invoice'"),
    ],
)
def test_a_letter_that_does_not_fit_is_told_why(more, said):
    message = refusal(for_letter(letter(**more), (NORTH,)))
    assert said in message
    assert "have it sent anew" in message


def test_a_letter_to_another_mailbox_does_not_fit():
    message = refusal(for_letter(replace(letter(), mailbox="office"), (NORTH,)))
    assert "takes mail of mailbox inventory only, not of 'office'" in message


def test_a_letter_of_no_author_never_fits_a_feed_that_names_some():
    assert refusal(for_letter(letter(sender=None), (mailed("any", senders=("*",)),)))
    assert names(for_letter(letter(sender=None), (mailed("any"),))) == ["any"]


def test_a_letter_that_only_folds_to_a_named_author_is_not_from_it():
    kelvin = "lot@\u212ab.example"
    assert kelvin.casefold() == "lot@kb.example"
    assert refusal(for_letter(letter(sender=kelvin), (mailed("k", senders=("*@kb.example",)),)))


def test_feeds_without_sender_proof_take_no_mail():
    assert "no [[feed]] has a sender_proof" in refusal(for_letter(letter(), LOTS))
    assert names(for_letter(letter(), (*LOTS, NORTH))) == ["north"]


def test_everything_in_which_a_feed_does_not_fit_is_told_and_no_recipient():
    message = refusal(for_letter(letter(sender=None, subject="x", recipients=("s3@in",)), (NORTH,)))
    assert "only, not from an author who cannot be told, and takes mail to other" in message
    assert "s3@in" not in message
    assert "IN@" not in message


def test_the_feeds_that_nearly_fit_are_told_first_and_five_of_them():
    far = [mailed(f"far{n}", senders=("x@y",), subject=("z",)) for n in range(6)]
    message = refusal(for_letter(letter(), (*far, mailed("near", subject=("z",)))))
    assert message.startswith("no feed takes this mail: near takes mail with the subject")
    assert "far3" in message
    assert "far4" not in message
    assert "; 2 more are further off; " in message


def test_a_file_of_a_letter_goes_by_its_name_or_its_archives():
    feeds = (mailed("new", file=("new*.tsv",)), mailed("all", file=("*.ZIP",)))
    assert in_letter("NEW.tsv", "NEW.tsv", feeds) == Routed("new")
    assert in_letter("used.tsv", "lot.zip", feeds) == Routed("all")


def test_a_file_of_a_letter_that_two_feeds_take_goes_to_neither():
    answer = in_letter("lot.tsv", "lot.tsv", (mailed("a"), mailed("b")))
    assert (answer.feed, answer.reason) == (None, "several_feeds")
    assert "'lot.tsv' fits the feeds a, b; give them" in answer.message


def test_a_file_of_a_letter_that_no_feed_takes_is_told_why():
    answer = in_letter("lot.tsv", "lot.zip", (mailed("a", file=("*.csv", "*.txt")),))
    assert (answer.feed, answer.reason) == (None, "no_feed")
    assert "no feed takes 'lot.tsv': a takes files named *.csv, *.txt only" in answer.message
    assert "incoming/" not in answer.message
