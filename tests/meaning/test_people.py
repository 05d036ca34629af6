"""What a person decided of a vehicle stays, whatever ingestd had done with it before."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.meaning.both import Both
from tests.meaning.cars import car, placeholder, vin
from tests.meaning.nouns import DAY, Agreement, Said, Sheet


@pytest.fixture
async def feed(both: Both) -> Agreement:
    return Agreement("north", await both.real.dealership("North"))


async def stored(both: Both, number: int) -> tuple[Any, ...]:
    query = "SELECT status, is_active FROM vehicles WHERE vin = $1"
    (row,) = await both.real.admin.fetch(query, vin(number))
    return tuple(row)


async def missed(both: Both, feed: Agreement, times: int = 3) -> None:
    """Deliver a lot of two cars, then one of them alone until the other counts as missing."""
    await both.deliver(feed, car(1), car(2))
    for _ in range(times):
        both.wait()
        await both.deliver(feed, car(2))


async def test_a_missing_car_that_a_person_sold_stays_sold_when_it_is_listed_again(both, feed):
    await missed(both, feed)
    await both.edit(0, status="sold")
    await both.deliver(feed, car(1), car(2))
    assert await stored(both, 1) == ("sold", False)


async def test_a_missing_car_that_its_row_calls_sold_stays_sold_while_the_row_is_silent(both, feed):
    await missed(both, feed)
    await both.deliver(feed, car(1, status="Sold"), car(2))
    assert (await both.deliver(feed, car(1, status=Said.BLANK), car(2))).reactivated == 0
    assert await stored(both, 1) == ("sold", False)
    assert (await both.deliver(feed, car(1), car(2))).reactivated == 1


async def test_a_car_that_was_on_offer_meanwhile_and_that_a_person_sold_stays_sold(both, feed):
    await both.deliver(feed, car(1, status="Sold"), car(2))
    await both.edit(0, status="active", is_active=True)
    await both.deliver(feed, car(2))
    await both.edit(0, status="sold", is_active=False)
    await both.deliver(feed, car(1), car(2))
    assert await stored(both, 1) == ("sold", False)


async def test_who_sold_a_car_that_another_feeds_delivery_found_on_offer_is_believed(both, feed):
    await both.deliver(feed, car(1, status="Sold"), car(2))
    await both.edit(0, status="active", is_active=True)
    await both.deliver(replace(feed, name="other", missing="keep"), car(2))
    await both.edit(0, status="sold", is_active=False)
    await both.deliver(feed, car(1), car(2))
    assert await stored(both, 1) == ("sold", False)


async def test_a_sold_car_that_a_person_hid_otherwise_stays_as_they_left_it(both, feed):
    await both.deliver(feed, car(1, status="Sold"), car(2))
    await both.edit(0, status="active")
    await both.deliver(feed, car(1), car(2))
    assert await stored(both, 1) == ("active", False)


async def test_a_missing_car_that_a_person_put_on_offer_is_missed_three_times_anew(both, feed):
    await missed(both, feed)
    await both.edit(0, is_active=True)
    gone = []
    for _ in range(4):
        both.wait()
        gone.append((await both.deliver(feed, car(2))).deactivated)
    assert gone == [0, 0, 1, 0]


async def test_a_twin_that_a_person_put_on_offer_stays_there(both, feed):
    await both.stored(feed.dealership, stock_number="S1")
    await both.stored(feed.dealership, vin=vin(1))
    assert (await both.deliver(feed, car(1))).deactivated == 1
    await both.edit(0, is_active=True)
    for _ in range(2):
        both.wait(timedelta(hours=1))
        assert (await both.deliver(feed, car(1))).deactivated == 0


async def test_a_sold_car_does_not_move_to_who_listed_it_before_it_was_sold(both, feed):
    """An older delivery is loaded late, as when a person approves what was held."""
    south = replace(feed, name="south", dealership=await both.real.dealership("South"))
    early = both.at
    both.wait()
    await both.deliver(feed, car(1), car(2))
    await both.edit(0, status="sold", is_active=False)
    told = await both.sheets(south, Sheet((car(1),)), at=early)
    assert {reason for _, _, reason in told.rejected} == {"vin_of_other_dealership"}
    both.wait()
    assert (await both.deliver(south, car(1))).counts == {"updated": 1}


async def test_a_placeholder_that_is_given_to_another_model_is_another_car(both, feed):
    toyota = {"make": "Toyota", "model": "RAV4", "stock_number": "S1"}
    early = car(1, **{**toyota, "vin": placeholder(1)})
    await both.deliver(feed, early)
    await both.deliver(feed, car(1, **toyota))
    assert "added" not in (await both.deliver(feed, early)).counts
    both.wait(DAY)
    again = {**early, "model": "Camry", "stock_number": "S7", "price": 9000}
    assert (await both.deliver(feed, car(1, **toyota), again)).counts["added"] == 1
    assert (await both.deliver(feed, car(1, **toyota), again)).counts == {"unchanged": 2}
    later = {**again, "vin": vin(7)}
    assert (await both.deliver(feed, car(1, **toyota), later)).counts == {
        "unchanged": 1,
        "updated": 1,
    }
