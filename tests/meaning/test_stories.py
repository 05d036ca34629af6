"""The design's small stories: each comes out so in the store, and so it does in the oracle.

``Both.sheets`` compares what both tell and the whole table after every delivery; a test says
besides what its story says.  The feed is full with ``missing = "deactivate"`` unless said.
"""

from datetime import timedelta
from typing import Any

import pytest

from ingestd.model import Outcome
from tests.meaning.both import Both
from tests.meaning.cars import car, placeholder, vin
from tests.meaning.nouns import (
    BLANK,
    COLUMNS,
    DAY,
    WORDS,
    Agreement,
    Footer,
    Row,
    Sheet,
)


@pytest.fixture
async def feed(both: Both) -> Agreement:
    return Agreement("north", await both.real.dealership("North"))


@pytest.fixture
async def other(both: Both, feed: Agreement) -> Agreement:
    return Agreement("south", await both.real.dealership("South"))


def lot(count: int, **fields: Any) -> list[Row]:
    return [car(number, **fields) for number in range(1, count + 1)]


def bare(number: int, **fields: Any) -> Row:
    return car(number, vin=BLANK, **fields)


async def table(both: Both, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    rows = await both.real.admin.fetch(f"SELECT {columns} FROM vehicles WHERE {where} ORDER BY id")
    return [tuple(row) for row in rows]


async def active(both: Both, feed: Agreement) -> int:
    where = f"is_active AND status <> 'sold' AND dealership_id = {feed.dealership}"
    return len(await table(both, "id", where))


async def test_story_01_a_row_without_vin_prices_the_car_of_its_stock_number(both, feed):
    await both.stored(feed.dealership, vin=vin(1), stock_number="S1")
    await both.deliver(feed, bare(1, price=9000))
    assert await table(both, "vin, price") == [(vin(1), 9000)]


async def test_story_02_a_stock_number_that_another_make_bears_now_is_a_new_car(both, feed):
    sold = {"vin": vin(1), "stock_number": "S1", "status": "sold", "year": 2019}
    await both.stored(feed.dealership, **sold)
    told = await both.deliver(feed, bare(1, make="Honda", price=9000))
    assert told.counts == {"added": 1}
    assert await table(both, "vin, make, year, price, status") == [
        (vin(1), "Kia", 2019, None, "sold"),
        (None, "Honda", 2024, 9000, "active"),
    ]


async def test_story_03_a_later_row_without_vin_is_the_same_new_car(both, feed):
    told = await both.deliver(feed, car(1, price=10000), bare(1, price=11000))
    assert told.counts == {"added": 1, "duplicate": 1}
    assert await table(both, "vin, price") == [(vin(1), 11000)]


async def test_story_04_one_dummy_vin_on_thirty_cars_is_thirty_vehicles(both, feed):
    rows = [car(number, vin=vin(99), model=f"M{number}") for number in range(30)]
    told = await both.deliver(feed, *rows)
    assert told.counts == {"added": 30}
    assert len(await table(both, "stock_number", "vin IS NULL")) == 30
    assert (await both.deliver(feed, *rows)).counts == {"unchanged": 30}


async def test_story_05_a_stock_number_given_again_is_two_vehicles(both, feed):
    await both.stored(feed.dealership, stock_number="S1", make="Ford", year=2022)
    told = await both.deliver(feed, car(2, stock_number="S1", make="Honda", year=2019))
    assert told.counts == {"added": 1}
    assert await table(both, "vin, make") == [(None, "Ford"), (vin(2), "Honda")]


async def test_story_06_a_final_vin_replaces_the_factorys_placeholder(both, feed):
    toyota = {"make": "Toyota", "model": "RAV4"}
    await both.deliver(feed, car(1, vin=placeholder(1), **toyota), car(2))
    told = await both.deliver(feed, car(1, **toyota), car(2))
    assert told.counts == {"updated": 1, "unchanged": 1}
    assert await table(both, "vin", "make = 'Toyota'") == [(vin(1),)]
    told = await both.deliver(feed, car(1, vin=placeholder(1), **toyota), car(2))
    assert told.counts == {"unchanged": 2}
    history = "SELECT old #>> '{}', new #>> '{}' FROM ingest.vehicle_changes WHERE field = 'vin'"
    rows = await both.real.admin.fetch(history.replace(" #>> '{}'", "::text"))
    assert [tuple(str(cell).strip('"') for cell in row) for row in rows] == [
        (placeholder(1), vin(1))
    ]


async def test_story_07_a_price_column_that_is_all_blank_leaves_the_prices(both, feed):
    await both.deliver(feed, *lot(200))
    told = await both.deliver(feed, *lot(200, price=BLANK))
    assert told.counts == {"unchanged": 200}
    assert len(await table(both, "id", "price IS NOT NULL")) == 200


async def test_story_08_a_vin_moves_a_week_after_its_own_feed_dropped_it(both, feed, other):
    await both.deliver(feed, car(1), car(2))
    told = await both.deliver(other, car(1), car(3))
    assert told.rejected == {(0, 2, "vin_of_other_dealership")}
    both.wait()
    await both.deliver(feed, car(2))
    both.wait(DAY)
    assert (await both.deliver(other, car(1), car(3))).counts["rejected"] == 1
    both.wait(5 * DAY)
    assert (await both.deliver(other, car(1), car(3))).rejected == frozenset()
    moved = await table(both, "dealership_id, is_active, status", f"vin = '{vin(1)}'")
    assert moved == [(other.dealership, True, "active")]


async def test_story_09_two_files_of_one_mail_are_one_state_of_the_lot(both, feed):
    rows = lot(100)
    for _ in range(5):
        new, used = (
            Sheet(tuple(rows[:40]), name="new.tsv"),
            Sheet(tuple(rows[40:]), name="used.tsv"),
        )
        told = await both.sheets(feed, new, used)
        assert (told.deactivated, told.held_deactivations) == (0, 0)
        both.wait()
    assert await active(both, feed) == 100


async def test_story_10_a_file_sent_three_times_in_ten_minutes_is_one_miss(both, feed):
    await both.deliver(feed, *lot(20))
    both.wait()
    for _ in range(3):
        await both.deliver(feed, *lot(19))
        both.wait(timedelta(minutes=4))
    assert await active(both, feed) == 20
    both.wait()
    await both.deliver(feed, *lot(19))
    assert await active(both, feed) == 20
    both.wait()
    assert (await both.deliver(feed, *lot(19))).deactivated == 1
    assert await active(both, feed) == 19


async def test_story_11_the_feeds_price_is_back_after_a_person_changed_it(both, feed):
    await both.deliver(feed, *lot(2))
    await both.edit(0, price=1)
    told = await both.deliver(feed, *lot(2))
    assert told.counts == {"updated": 1, "unchanged": 1}
    assert await table(both, "price") == [(20001,), (20002,)]


async def test_story_12_what_a_person_switched_off_stays_off_and_its_values_follow(both, feed):
    await both.deliver(feed, *lot(2))
    await both.edit(0, is_active=False)
    await both.deliver(feed, *lot(2, price=9000))
    assert await table(both, "is_active, price") == [(False, 9000), (True, 9000)]


async def test_story_13_words_in_the_first_price_column_end_the_search(both, feed):
    await both.deliver(feed, car(1, price=WORDS), car(2))
    assert await table(both, "price") == [(None,), (20002,)]
    lines = ["VIN\tStock Number\tMake\tModel\tYear\tInternet Price\tList Price"]
    for number, price in ((3, "Call"), (4, "44000")):
        lines.append(f"{vin(number)}\tS{number}\tKia\tRio\t2024\t{price}\t45000")
    taken, _ = await both.real.take(feed, (Sheet(()),), both.at)
    await both.real.load(feed, taken, "\n".join([*lines, ""]).encode())
    where = f"vin IN ('{vin(3)}', '{vin(4)}')"
    assert await table(both, "price", where) == [(None,), (44000,)]


async def test_story_14_a_good_file_goes_before_the_short_one_that_came_after_it(both, feed):
    """The order itself is the ledger's: here Tuesday's is asked to let Monday's go first."""
    await both.deliver(feed, *lot(40))
    both.wait()
    await both.deliver(feed, *lot(40, price=21000))
    both.wait()
    told = await both.deliver(feed, *lot(20, price=22000))
    assert (told.outcomes, told.held_deactivations) == (("imported",), 20)
    assert await active(both, feed) == 40
    assert len(await table(both, "id", "price = 21000")) == 20
    assert len(await table(both, "id", "price = 22000")) == 20


async def test_story_15_a_lot_that_sells_most_for_good_is_held_and_then_confirmed(both, feed):
    await both.deliver(feed, *lot(100))
    both.wait()
    assert (await both.deliver(feed, *lot(40))).held_deactivations == 60
    for _ in range(2):
        both.wait()
        assert (await both.deliver(feed, *lot(40))).held_deactivations == 60
        assert await active(both, feed) == 100
    both.wait()
    told = await both.deliver(feed, *lot(40))
    assert (told.deactivated, told.held_deactivations) == (60, 0)
    assert await active(both, feed) == 40


async def test_story_16_spellings_of_an_older_importer_are_matched_and_not_doubled(both, feed):
    await both.stored(feed.dealership, vin=vin(1).lower(), stock_number="S1")
    await both.stored(feed.dealership, vin="", stock_number="S2")
    told = await both.deliver(feed, car(1), car(2))
    assert told.counts == {"updated": 2}
    assert await table(both, "vin") == [(vin(1),), (vin(2),)]


async def test_story_17_four_cut_files_deactivate_nothing_and_all_their_rows_count(both, feed):
    await both.deliver(feed, *lot(120))
    for day, share in enumerate((60, 50, 41, 33)):
        both.wait()
        told = await both.deliver(feed, *lot(120 * share // 100, price=30000 + day))
        assert told.held_deactivations == 120 - 120 * share // 100
        assert len(await table(both, "id", f"price = {30000 + day}")) == 120 * share // 100
    both.wait()
    assert (await both.deliver(feed, *lot(120))).held_deactivations == 0
    assert await active(both, feed) == 120


async def test_story_18_a_rooftop_that_is_missing_for_four_days_keeps_its_cars(both):
    """A group file: ten rooftops of twelve cars, told apart by a column of it."""
    rooftops = {str(at): await both.real.dealership(f"Rooftop {at}") for at in range(10)}
    feed = Agreement("group", rooftops["0"], rooftops=rooftops)
    await both.group(feed, _rooftops(range(10)))
    for _ in range(4):
        both.wait()
        told = await both.group(feed, _rooftops(range(1, 10)))
        assert (told.held_deactivations, told.deactivated) == (12, 0)
    assert len(await table(both, "id", "is_active")) == 120


def _rooftops(which: range) -> Sheet:
    rows = [car(at * 12 + number, rooftop=str(at)) for at in which for number in range(12)]
    return Sheet(tuple(rows), (*COLUMNS, "rooftop"))


async def test_story_19_an_unreadable_file_beside_a_good_one_deactivates_nothing(both, feed):
    rows = lot(40)
    new, used = Sheet(tuple(rows[:20]), name="new.tsv"), Sheet(tuple(rows[20:]), name="used.tsv")
    await both.sheets(feed, new, used)
    for _ in range(3):
        both.wait()
        told = await both.sheets(feed, new, Sheet((), name="used.tsv", broken=True))
        assert told.outcomes == (Outcome.UNCHANGED, Outcome.REJECTED)
    assert await active(both, feed) == 40


async def test_story_20_a_daily_footer_does_not_keep_what_left_the_lot(both, feed):
    footer = Footer("Total: 140 vehicles")
    await both.deliver(feed, *lot(20), footer)
    for deactivated in (0, 0, 1):
        both.wait()
        told = await both.sheets(feed, Sheet((*lot(19), footer)))
        assert told.deactivated == deactivated
    assert await active(both, feed) == 19


async def test_story_21_an_identical_file_heals_the_whole_lot_and_nothing_is_held(both, feed):
    await both.deliver(feed, *lot(40))
    for place in range(40):
        await both.edit(place, price=1)
    both.wait()
    told = await both.deliver(feed, *lot(40))
    assert (told.outcomes, told.counts) == (("imported",), {"updated": 40})
    assert await table(both, "price") == [(20000 + number,) for number in range(1, 41)]


async def test_story_22_what_the_last_row_lacks_comes_from_the_earlier(both, feed):
    first, last = car(1, year=2020, price=10000), car(1, make=BLANK, year=BLANK, price=11000)
    told = await both.deliver(feed, first, last)
    assert told.counts == {"added": 1, "duplicate": 1}
    assert await table(both, "make, year, price") == [("Kia", 2020, 11000)]


async def test_story_23_a_car_that_a_person_sold_moves_and_is_active_there(both, feed, other):
    await both.deliver(feed, *lot(2))
    await both.edit(0, status="sold", is_active=False)
    told = await both.deliver(other, car(1), car(3))
    assert told.rejected == frozenset()
    moved = await table(both, "dealership_id, is_active, status", f"vin = '{vin(1)}'")
    assert moved == [(other.dealership, True, "active")]


def test_every_column_of_a_story_has_its_place():
    assert set(COLUMNS) == set(car(1))
