"""What an inspected file would come to, without the database."""

import pytest

from ingestd.config import Feed
from ingestd.feed.forecast import Outlook, held, warnings
from ingestd.rooftops import Rooftops

FEED = Feed(name="lot", dealership=1, mode="full")


def test_a_file_of_one_dealer_and_good_rows_is_not_held_and_nothing_is_said_of_it():
    outlook = Outlook(counted={None: (20, 10)}, dealer="Dealer ID", dealers=("7",))
    assert held(outlook, FEED) is None
    assert warnings(outlook, FEED) == ()


@pytest.mark.parametrize(
    ("rows", "rejected", "is_held"), [(10, 6, True), (10, 5, False), (9, 9, False)]
)
def test_more_than_half_of_ten_rows_or_more_hold_the_file_as_they_hold_an_import(
    rows, rejected, is_held
):
    found = held(Outlook(counted={None: (rows, rejected)}), FEED)
    assert (found is not None) is is_held
    if found:
        assert found[0] == "rejected_rows"
        assert "6 of 10 rows are rejected" in found[1]


def test_how_many_are_put_up_with_is_the_feeds_word():
    feed = Feed.model_validate(
        {**FEED.model_dump(by_alias=True), "guard": {"most_rejected": "90%"}}
    )
    assert held(Outlook(counted={None: (10, 9)}), feed) is None


def test_one_dealership_of_a_group_is_enough_to_hold_and_is_named():
    found = held(Outlook(counted={4: (10, 0), 5: (10, 8)}), FEED)
    assert found is not None
    assert "8 of 10 rows of dealership 5 are rejected" in found[1]


def test_several_dealers_hold_a_file_whose_feed_has_no_map():
    outlook = Outlook(dealer="Dealer ID", dealers=("1", "2", "3", "4", "5", "6"))
    found = held(outlook, FEED)
    assert found is not None
    assert found[0] == "several_dealers"
    assert "'Dealer ID' has several values ('1', '2', '3', '4', '5', …)" in found[1]
    column_only = FEED.model_copy(update={"rooftops": Rooftops(column="Dealer ID")})
    assert held(outlook, column_only) is not None


def test_a_map_says_whose_the_rows_are_and_nothing_is_held():
    mapped = FEED.model_copy(update={"rooftops": Rooftops(column="Dealer ID", map={"1": 1})})
    assert held(Outlook(dealer="Dealer ID", dealers=("1", "2")), mapped) is None


def test_a_needed_field_without_a_column_is_told_with_what_to_give():
    outlook = Outlook(
        counted={None: (4, 0)}, lacking={"model": 4}, uninsertable=4, absent=["model"]
    )
    (said,) = warnings(outlook, FEED)
    assert said == (
        "no column for model: rows of vehicles that are not stored yet will be rejected "
        '(model_missing); give [feed.columns] model = ["…"], or [feed.defaults] model if it is the '
        "same for all"
    )


def test_a_needed_field_that_only_some_rows_lack_is_told_with_their_number():
    outlook = Outlook(counted={None: (40, 1)}, lacking={"make": 3}, uninsertable=3)
    (said,) = warnings(outlook, FEED)
    assert said.startswith("3 of 40 rows give no make: those of vehicles that are not stored yet")
    assert said.endswith("will be rejected (make_missing)")


def test_that_a_new_dealership_would_have_the_file_held_is_said_where_most_rows_are_concerned():
    said = warnings(Outlook(counted={None: (10, 2)}, lacking={"make": 4}, uninsertable=4), FEED)
    assert "held as a whole (rejected_rows)" in said[-1]
    said = warnings(Outlook(counted={None: (10, 1)}, lacking={"make": 4}, uninsertable=4), FEED)
    assert len(said) == 1
