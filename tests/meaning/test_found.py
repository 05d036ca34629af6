"""Stories that the machine found, cut down to what they say."""

from dataclasses import replace

import pytest

from tests.meaning.both import Both
from tests.meaning.cars import car, placeholder, vin
from tests.meaning.nouns import Agreement, Sheet


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
