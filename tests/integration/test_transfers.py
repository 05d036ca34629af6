"""A vehicle that another dealership lists: when it moves, what goes with it, and races for it."""

import asyncio
import random
from collections.abc import Awaitable
from datetime import timedelta

import asyncpg
import pytest

from ingestd.errors import Clash
from ingestd.model import Delivery, Outcome
from tests.integration.lot import Lot, Rejected, Sheet, add_lot, car, counts, opened, reasons, vin

WEEK = timedelta(days=7)
FOREIGN = [(2, "VIN", "vin_of_other_dealership", vin(1))]


@pytest.fixture
async def other(lot, store, admin) -> Lot:
    return await add_lot(store, admin, "South")


async def due(lot: Lot, later: timedelta = timedelta(0)) -> Delivery:
    """Take a delivery that was first seen so much later than all began, which was a year ago."""
    first_seen = await lot.store.now() - 52 * WEEK + later
    return await lot.deliver(first_seen=first_seen, lane=lot.feed.name)


async def load(lot: Lot, *rows, later: timedelta = timedelta(0)):
    return await lot.load(*rows, delivery=await due(lot, later))


async def owner(lot: Lot) -> int | None:
    found = await lot.admin.fetchval("SELECT dealership_id FROM vehicles WHERE vin = $1", vin(1))
    return None if found is None else int(found)


async def test_what_its_own_feed_still_lists_stays(lot, other):
    await load(lot, car(1), car(2))
    before = await lot.versions()
    report = await load(other, car(1), car(3), later=4 * WEEK)
    assert reasons(report) == FOREIGN
    assert await lot.versions() == before


async def test_what_its_own_feed_no_longer_lists_moves_seven_days_after_it_last_did(lot, other):
    await load(lot, car(1), car(2))
    listed = await lot.admin.fetchval("SELECT latest_first_seen FROM ingest.feeds")
    await load(lot, car(2), later=timedelta(days=1))
    before = await lot.versions()
    early = await other.deliver(first_seen=listed + WEEK - timedelta(seconds=1))
    assert reasons(await other.load(car(1), car(3), delivery=early)) == FOREIGN
    assert await lot.versions() == before
    late = await other.deliver(first_seen=listed + WEEK)
    report = await other.load(car(1), car(3), delivery=late)
    assert counts(report) == {"updated": 1, "unchanged": 1}
    assert report.outcome is Outcome.IMPORTED
    assert await owner(lot) == other.number


async def test_what_its_own_feed_still_names_in_rows_that_are_rejected_stays(lot, other):
    await load(lot, car(1), car(2))
    for day in range(1, 15):
        bad = Rejected("too_few_cells", vin=vin(1), stock_number="S1")
        await load(lot, bad, car(2), later=timedelta(days=day))
    before = await lot.versions()
    report = await load(other, car(1), car(3), later=timedelta(days=15))
    assert reasons(report) == FOREIGN
    assert await lot.versions() == before


async def test_a_delta_feed_that_does_not_mention_it_still_has_it(database, admin):
    feeds = [{"name": "feed-1", "dealership": 1, "mode": "delta"}]
    async with opened(database.ingestd_url, config={"feed": feeds}) as store:
        lot, other = await add_lot(store, admin, "North"), await add_lot(store, admin, "South")
        assert lot.feed.name == "feed-1"
        lot.feed = lot.feed.model_copy(update={"mode": "delta"})
        await load(lot, car(1))
        await load(lot, car(2), later=timedelta(days=1))
        assert reasons(await load(other, car(1), car(3), later=4 * WEEK)) == FOREIGN


async def test_what_no_feed_ever_listed_moves_only_if_it_is_sold(lot, other):
    await lot.store_vehicle(vin=vin(1), is_active=False)
    assert reasons(await load(other, car(1), car(3), later=9 * WEEK)) == FOREIGN
    await lot.admin.execute("UPDATE vehicles SET status = 'sold' WHERE vin = $1", vin(1))
    assert counts(await load(other, car(1), car(3), later=10 * WEEK))["updated"] == 1
    assert await owner(lot) == other.number


async def test_a_car_that_a_person_sold_moves_and_is_active_there(lot, other):
    await load(lot, car(1), car(2))
    number = (await lot.vehicles("id", f"vin = '{vin(1)}'"))[0]["id"]
    await lot.admin.execute("UPDATE vehicles SET status = 'sold', is_active = false")
    report = await load(other, car(1, price="9000"))
    assert (counts(report), report.deactivated, report.reactivated) == ({"updated": 1}, 0, 0)
    assert await other.sole("id, status, is_active, price::int AS price") == {
        "id": number,
        "status": "active",
        "is_active": True,
        "price": 9000,
    }
    assert reasons(await load(lot, car(1), car(2))) == FOREIGN


async def test_a_transfer_is_in_the_history(lot, other):
    await load(lot, car(1, status="sold"))
    report = await load(other, car(1, status="pending"))
    rows = await lot.admin.fetch(
        "SELECT import_id, line, field, old, new FROM ingest.vehicle_changes"
        " WHERE cause = 'transfer' ORDER BY field"
    )
    assert [tuple(row) for row in rows] == [
        (report.import_id, 2, "dealership_id", str(lot.number), str(other.number)),
        (report.import_id, 2, "is_active", "false", "true"),
        (report.import_id, 2, "status", "sold", "active"),
    ]
    assert await other.sole("status, is_active") == {"status": "pending", "is_active": True}


async def test_the_books_forget_what_the_vehicle_was_where_it_came_from(lot, other):
    delivery = await due(lot, timedelta(0))
    sold = Sheet([car(1, status="sold")], extras={2: {"Advertiser": "North"}})
    await lot.load(sheets=[sold], delivery=delivery)
    await load(other, car(1))
    assert await lot.admin.fetchval("SELECT count(*) FROM ingest.deactivations") == 0
    assert await lot.admin.fetchval("SELECT count(*) FROM ingest.vehicle_extras") == 0
    await lot.admin.execute("UPDATE vehicles SET is_active = false")
    assert counts(await load(other, car(1))) == {"unchanged": 1}
    assert (await other.sole())["is_active"] is False, "a person's word counts there too"


async def test_what_comes_over_sold_is_sold_by_its_row(lot, other):
    await load(lot, car(1, status="sold"))
    await load(other, car(1, status="sold"))
    assert await other.sole("status, is_active") == {"status": "sold", "is_active": False}
    assert (await load(other, car(1))).reactivated == 1


@pytest.mark.parametrize(
    "spelling", [vin(1).lower(), f" {vin(1)}", f"{vin(1).lower()}\t", vin(1).title()]
)
async def test_however_it_is_spelt_it_is_found_and_comes_over_in_normal_form(lot, other, spelling):
    number = await lot.store_vehicle(vin=spelling)
    assert reasons(await load(other, car(1), car(2))) == FOREIGN
    await lot.admin.execute("UPDATE vehicles SET status = 'sold' WHERE id = $1", number)
    await load(other, car(1), car(2))
    assert await other.vehicles("id, vin", f"id = {number}") == [{"id": number, "vin": vin(1)}]


async def test_of_two_spellings_that_may_move_the_normal_one_does(lot, other):
    normal = await lot.store_vehicle(vin=vin(1), status="sold")
    await lot.store_vehicle(vin=vin(1).lower(), status="sold")
    await load(other, car(1))
    assert await other.sole("id, vin") == {"id": normal, "vin": vin(1)}


async def test_where_one_of_two_spellings_may_not_move_none_does(lot, other):
    await lot.store_vehicle(vin=vin(1), status="sold")
    await lot.store_vehicle(vin=vin(1).lower())
    assert reasons(await load(other, car(1), car(2))) == FOREIGN


async def test_in_a_large_table_the_usual_spellings_are_looked_up_by_the_key(
    lot, other, monkeypatch
):
    monkeypatch.setattr("ingestd.store.moving._SMALL", -1)
    monkeypatch.setattr("ingestd.store.moving._WORTH", 0)
    for number, spelling in enumerate(
        (vin(0), vin(1).lower(), f"{vin(2)} ", f"  {vin(3).lower()}"), start=0
    ):
        await lot.store_vehicle(vin=spelling, status="sold" if number % 2 else "active")
    report = await load(other, car(0), car(1), car(2), car(3), car(4))
    assert [line for line, _, _, _ in reasons(report)] == [2, 4]
    assert [row["vin"] for row in await other.vehicles()] == [vin(1), vin(3), vin(4)]


async def test_never_forbids_it_and_needs_no_right_to_change_the_dealership(lot, other):
    await lot.store_vehicle(vin=vin(1), status="sold")
    await lot.admin.execute("REVOKE UPDATE (dealership_id) ON vehicles FROM ingestd")
    other.feed = other.feed.model_copy(update={"vin_conflict": "never"})
    report = await load(other, car(1), car(2))
    assert (counts(report), reasons(report)) == ({"added": 1, "rejected": 1}, FOREIGN)
    assert counts(await load(other, car(2, price="9000"), car(1))) == {"updated": 1, "rejected": 1}


async def test_without_that_right_nothing_moves_and_the_other_rows_are_loaded(lot, other):
    await lot.store_vehicle(vin=vin(1), status="sold")
    await lot.admin.execute("REVOKE UPDATE (dealership_id) ON vehicles FROM ingestd")
    assert counts(await load(other, car(1), car(2))) == {"added": 1, "rejected": 1}


async def test_a_twin_without_vin_goes_where_the_vehicle_comes_over(lot, other):
    await lot.store_vehicle(vin=vin(1), status="sold")
    twin = await other.store_vehicle(stock_number="S1")
    report = await load(other, car(1))
    assert (counts(report), report.deactivated) == ({"updated": 1}, 1)
    assert await other.vehicles("id", "NOT is_active") == [{"id": twin}]


async def test_a_file_of_which_every_row_is_rejected_is_rejected_and_applied_nowhere(lot, other):
    await load(lot, car(1))
    report = await load(other, car(1))
    assert (report.outcome, report.reason, report.counts) == (
        Outcome.REJECTED,
        "no_usable_row",
        None,
    )
    assert report.message == (
        "none of the 1 rows can be used; the first: line 2, column 'VIN':"
        f" vin_of_other_dealership '{vin(1)}'"
    )
    assert reasons(report) == FOREIGN
    assert await lot.store.rejections(report.import_id) == report.rejections
    feeds = await lot.admin.fetch("SELECT dealership_id FROM ingest.feeds")
    assert [row["dealership_id"] for row in feeds] == [lot.number]


async def test_beside_a_good_file_one_without_a_usable_row_is_rejected_alone(lot, other):
    await load(lot, car(1))
    await other.load(sheets=[Sheet([car(2)]), Sheet([car(1)])], delivery=await due(other))
    assert [report.outcome for report in other.reports] == [Outcome.IMPORTED, Outcome.REJECTED]


# Races.


async def settled(lot: Lot, *rows, later: timedelta = timedelta(0)):
    """Load as the daemon does: what clashes is tried again."""
    first_seen = await lot.store.now() + later
    delivery = await lot.deliver(first_seen=first_seen, lane=lot.feed.name)
    for attempt in range(30):
        try:
            return await lot.load(*rows, delivery=delivery)
        except Clash:
            await asyncio.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311
    raise AssertionError("thirty clashes in a row")


@pytest.mark.parametrize("seed", range(3))
async def test_two_dealerships_that_list_the_same_cars_at_once_share_them_out(database, seed):
    """Whoever is first has a car; the other's rows are rejected, and nothing fails."""
    dice = random.Random(seed)  # noqa: S311
    admin = await asyncpg.connect(database.url)
    async with (
        opened(database.ingestd_url, owner="one") as one,
        opened(database.ingestd_url, owner="two") as two,
    ):
        north, south = await add_lot(one, admin, "North"), await add_lot(two, admin, "South")
        for turn in range(12):
            numbers = [turn * 10 + number for number in range(6)]
            mine, theirs = ([car(number) for number in dice.sample(numbers, 6)] for _ in range(2))
            reports = await asyncio.gather(
                settled(north, *mine, car(9000 + turn)), settled(south, *theirs, car(8000 + turn))
            )
            lines = [counts(report) for report in reports]
            assert sum(line.get("added", 0) for line in lines) == 8
            assert sum(line.get("rejected", 0) for line in lines) == 6
        assert await admin.fetchval("SELECT count(*) FROM vehicles") == 12 * 8
        changes = "SELECT count(*) FROM ingest.vehicle_changes WHERE field = 'dealership_id'"
        assert await admin.fetchval(changes) == 0
    await admin.close()


@pytest.mark.parametrize("seed", range(3))
async def test_cars_that_move_to_and_fro_at_once_never_deadlock_and_every_move_is_recorded(
    database, seed
):
    """Three dealerships take each other's sold cars, while their own feeds are loaded too."""
    dice = random.Random(seed)  # noqa: S311
    admin = await asyncpg.connect(database.url)
    async with (
        opened(database.ingestd_url, owner="one") as one,
        opened(database.ingestd_url, owner="two") as two,
    ):
        lots = [await add_lot(store, admin, name) for store, name in ((one, "A"), (two, "B"))]
        lots.append(await add_lot(one, admin, "C"))
        shared = range(12)
        for number in shared:
            await dice.choice(lots).store_vehicle(vin=vin(number), stock_number=f"S{number}")
        where = {row["id"]: row["dealership_id"] for row in await admin.fetch(_WHERE)}
        for turn in range(10):
            await admin.execute("UPDATE vehicles SET status = 'sold' WHERE id % 3 = $1", turn % 3)
            rows = {lot.number: [car(number) for number in dice.sample(shared, 8)] for lot in lots}
            own = [car(900 + lot.number) for lot in lots]
            await asyncio.gather(
                *(
                    settled(lot, *rows[lot.number], extra)
                    for lot, extra in zip(lots, own, strict=True)
                )
            )
        assert await admin.fetchval("SELECT count(DISTINCT vin) FROM vehicles") == 12 + 3
        assert await admin.fetchval("SELECT count(*) FROM vehicles") == 12 + 3
        for row in await admin.fetch(_WHERE):
            moves = await admin.fetch(_MOVES, row["id"])
            at = where.get(row["id"], row["dealership_id"])
            for move in moves:
                assert int(move["old"]) == at
                at = int(move["new"])
            assert at == row["dealership_id"], "a move that nothing tells of"
        assert await admin.fetchval("SELECT count(*) FROM ingest.vehicle_changes") > 0
    await admin.close()


_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_WHERE = "SELECT id, dealership_id FROM vehicles ORDER BY id"
_MOVES = """
SELECT old, new FROM ingest.vehicle_changes
WHERE vehicle_id = $1 AND field = 'dealership_id' AND cause = 'transfer' ORDER BY import_id"""


async def test_a_load_that_needs_a_busy_dealership_of_a_lower_number_comes_back_with_both_locked(
    lot, other
):
    await lot.store_vehicle(vin=vin(1), status="sold")
    busy = lot.admin.transaction()
    await busy.start()
    key = int.from_bytes(b"inge")
    await lot.admin.execute("SELECT pg_advisory_xact_lock($1, $2)", key, lot.number)
    delivery = await other.deliver()
    with pytest.raises(Clash):
        await other.load(car(1), delivery=delivery)
    async with asyncio.TaskGroup() as group:
        again = group.create_task(other.load(car(1), delivery=delivery))
        while not await lot.admin.fetchval(_WAITING):
            await asyncio.sleep(0.01)
        free = "SELECT pg_try_advisory_xact_lock($1, $2)"
        assert await lot.admin.fetchval(free, key, other.number), "it waits before it has its own"
        await busy.rollback()
    assert counts(again.result()) == {"updated": 1}


async def test_a_vehicle_that_is_taken_back_from_sale_while_it_is_to_move_stays(
    lot, other, database
):
    """A person's change comes between the decision and the lock: the load is decided anew."""
    number = await lot.store_vehicle(vin=vin(1), status="sold")
    person = await asyncpg.connect(database.url)
    change = person.transaction()
    await change.start()
    await person.execute("UPDATE vehicles SET status = 'active' WHERE id = $1", number)
    delivery = await other.deliver()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(clash(other.load(car(1), car(2), delivery=delivery)))
        while not await lot.admin.fetchval(_WAITING):
            await asyncio.sleep(0.01)
        await change.commit()
    await person.close()
    assert "0 could be" in str(waiting.result())
    assert reasons(await other.load(car(1), car(2), delivery=delivery)) == FOREIGN


async def clash(load: Awaitable[object]) -> Clash:
    with pytest.raises(Clash) as caught:
        await load
    return caught.value
