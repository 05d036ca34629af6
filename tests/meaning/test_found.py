"""Stories that the machine found, cut down to what they say."""

from dataclasses import replace

import pytest

from tests.meaning.both import Both
from tests.meaning.cars import car, placeholder, vin
from tests.meaning.nouns import COLUMNS, DAY, Agreement, Said, Sheet


def without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if name not in names)


@pytest.fixture
async def feed(both: Both) -> Agreement:
    return Agreement("north", await both.real.dealership("North"))


async def test_a_proper_vin_is_no_placeholder_because_a_row_with_a_dummy_joined_it(both, feed):
    dummy = {"vin": placeholder(1)}
    joined, another = car(1, **dummy), car(9, make="Toyota", **dummy)
    assert (await both.deliver(feed, car(1), joined, another)).counts == {
        "added": 2,
        "duplicate": 1,
    }
    told = await both.deliver(feed, car(2, stock_number="S1"))
    assert told.counts == {"added": 1}
    rows = await both.real.admin.fetch("SELECT vin FROM vehicles WHERE stock_number = 'S1'")
    assert {row["vin"] for row in rows} == {vin(1), vin(2)}


async def test_a_delivery_with_an_unreadable_file_does_not_list_what_it_does_not_show(both, feed):
    """Another feed listed the car last: this one cannot miss it, whatever came in pieces since."""
    keeps = Agreement("keeps", feed.dealership, missing="keep")
    feed = replace(feed, missing_after=1)
    await both.deliver(feed, car(1), car(2))
    both.wait()
    await both.deliver(keeps, car(1))
    both.wait()
    broken = Sheet((), name="used.tsv", broken=True)
    await both.sheets(feed, Sheet((car(2),), name="new.tsv"), broken)
    both.wait()
    assert (await both.deliver(feed, car(2))).deactivated == 0


async def test_who_is_seen_in_a_row_that_was_rejected_was_not_listed_by_it(both, feed):
    """The other feed listed it last, so that this one cannot miss it the next time."""
    keeps = Agreement("keeps", feed.dealership, missing="keep")
    feed = replace(feed, missing_after=1)
    await both.deliver(feed, car(6, stock_number="S1"))
    both.wait()
    await both.deliver(keeps, car(4, stock_number="S1", year=2023), car(6, stock_number="S1"))
    both.wait()
    ambiguous = car(6, stock_number="s1", make=Said.BLANK)
    await both.sheets(feed, Sheet((ambiguous, car(9, make="Toyota")), columns=without("vin")))
    both.wait()
    await both.deliver(feed, car(8))
    (seen,) = await both.real.admin.fetch("SELECT is_active FROM vehicles WHERE vin = $1", vin(6))
    assert seen["is_active"]


async def test_who_is_seen_in_a_row_that_was_rejected_belongs_to_the_lot_that_is_compared(
    both, feed
):
    await both.deliver(feed, car(111))
    both.wait()
    await both.deliver(feed, car(3))
    both.wait()
    ten = tuple(car(number) for number in range(102, 112))
    await both.sheets(feed, Sheet(ten, cut_off=True))
    assert (await both.deliver(feed, car(1))).held_deactivations == 10


async def test_a_dummy_vin_is_remembered_where_each_of_its_rows_got_another_rows_vin(both, feed):
    await both.deliver(
        feed,
        car(1, stock_number="S1"),
        car(2, stock_number="S2"),
        car(9, stock_number="S1"),
        car(9, stock_number="S2", model="Civic"),
    )
    assert (await both.deliver(feed, car(9, stock_number="S7"))).counts == {"added": 1}


async def test_the_twin_of_two_rows_in_two_files_is_switched_off_once(both, feed):
    await both.deliver(feed, car(1, stock_number="S2"), car(2))
    await both.stored(feed.dealership, stock_number="S2")
    new, used = Sheet((car(1, stock_number="S2"),)), Sheet((car(2, stock_number="S2"),))
    assert (await both.sheets(feed, new, replace(used, name="used.tsv"))).deactivated == 1


async def test_a_dummy_vin_on_a_row_that_does_not_count_names_no_vehicle(both, feed):
    """A row that is the same as another's stock number: the other's VIN is the vehicle's."""
    feed = replace(feed, missing_after=1)
    await both.deliver(feed, car(9))
    both.wait()
    new = Sheet((car(9, year=2023),), name="new.tsv")
    used = Sheet((car(5, stock_number="S9", year=2023), car(9, stock_number="S3")), name="used.tsv")
    assert (await both.sheets(feed, new, used)).deactivated == 1


async def test_who_is_seen_in_a_file_of_which_no_row_counts_has_not_left_the_lot(both, feed):
    """So it does not move to another dealership, a week after it was last listed."""
    south = replace(feed, name="south", dealership=await both.real.dealership("South"))
    await both.deliver(feed, car(1, stock_number="S1"), car(2, stock_number="S1"), car(3))
    both.wait()
    await both.deliver(feed, car(3))
    both.wait(8 * DAY)
    seen = Sheet((car(1, vin=Said.BLANK),), name="used.tsv")
    assert (await both.sheets(feed, Sheet((car(3),)), seen)).outcomes == ("unchanged", "rejected")
    told = await both.deliver(south, car(1))
    assert {reason for _, _, reason in told.rejected} == {"vin_of_other_dealership"}


async def test_of_two_feeds_that_listed_a_car_at_one_time_the_later_delivery_counts(both, feed):
    """A feed of changes never says that a car is gone, so it does not move."""
    changes = replace(feed, name="north-changes", mode="delta", missing="keep")
    south = replace(feed, name="south", dealership=await both.real.dealership("South"))
    await both.deliver(feed, car(9), car(1))
    await both.deliver(changes, car(9))
    both.wait(8 * DAY)
    await both.deliver(feed, car(1))
    told = await both.deliver(south, car(9))
    assert {reason for _, _, reason in told.rejected} == {"vin_of_other_dealership"}
