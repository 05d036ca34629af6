"""What trying again does not cure: it ends a delivery, with words, and keeps no lane waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ingestd.errors import Clash, ReadFailed, Refused, TryAgain
from tests.integration.lot import Lot, add_lot, car, opened, vin

_HIDE = """
ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vehicles
  USING (dealership_id = current_setting('app.dealership', true)::integer)"""
_BY_STOCK = "CREATE UNIQUE INDEX one_stock_number ON vehicles (dealership_id, stock_number)"


async def refused(lot: Lot, *rows, most: int = 10) -> tuple[Refused, int]:
    """Load a delivery until it is refused; give that, and how often it clashed before."""
    delivery = await lot.deliver()
    for clashes in range(most):
        try:
            await lot.load(*rows, delivery=delivery)
        except Clash:
            continue
        except Refused as error:
            return error, clashes
    raise AssertionError


async def test_a_vin_that_a_policy_hides_ends_the_delivery_and_says_so(database, lot, admin):
    south = await add_lot(lot.store, admin, "South")
    await south.store_vehicle(vin=vin(1))
    settings = {"settings": {"app.dealership": "{dealership}"}}
    async with opened(database.ingestd_url, config={"target": settings}) as store:
        await admin.execute(_HIDE)
        lot.store = store
        error, clashes = await refused(lot, car(1), car(2))

    assert (error.reason, clashes) == ("key_taken", 4)
    assert "vehicles_vin_unique" in error.message
    assert "[target.settings]" in error.message
    assert "another session" not in error.message
    assert await lot.vehicles() == []


async def test_another_unique_key_of_the_table_ends_the_delivery_and_names_the_row(lot, admin):
    await lot.store_vehicle(vin=vin(9), stock_number="S1")
    await admin.execute(_BY_STOCK)
    error, _ = await refused(lot, car(1), car(2))

    assert error.reason == "key_taken"
    assert "one_stock_number" in error.message
    assert f"(dealership_id, stock_number)=({lot.number}, S1)" in error.message


async def test_a_row_that_is_gone_again_before_the_last_attempt_is_no_obstacle(lot, admin):
    await lot.store_vehicle(vin=vin(9), stock_number="S1")
    await admin.execute(_BY_STOCK)
    delivery = await lot.deliver()
    for _ in range(4):
        with pytest.raises(Clash):
            await lot.load(car(1), delivery=delivery)
    await admin.execute("DELETE FROM vehicles")

    assert (await lot.load(car(1), delivery=delivery)).counts.added == 1


async def test_clashes_on_one_key_after_another_are_bad_luck_however_many(lot, admin):
    await admin.execute(_BY_STOCK)
    delivery = await lot.deliver()
    for number in range(1, 9):
        await admin.execute("DELETE FROM vehicles")
        await lot.store_vehicle(vin=vin(90 + number), stock_number=f"S{number}")
        with pytest.raises(Clash):
            await lot.load(*[car(it) for it in range(1, 9)], delivery=delivery)


# Time.


@asynccontextmanager
async def slow(lot: Lot, url: str, how: str) -> AsyncIterator[None]:
    """Give a lot a store with little time, while this is done for each vehicle that is added."""
    await lot.admin.execute(
        f"CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how};"
        " RETURN NEW; END $$; CREATE TRIGGER dawdle BEFORE INSERT ON vehicles"
        " FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    config = {"database": {"statement_timeout": 1.0, "lock_timeout": 0.5}}
    async with opened(url, config=config) as store:
        lot.store = store
        yield


async def test_a_statement_that_takes_too_long_is_a_strike_and_names_the_setting(database, lot):
    async with slow(lot, database.ingestd_url, "PERFORM pg_sleep(30)"):
        with pytest.raises(ReadFailed, match=r"database\.statement_timeout"):
            await lot.load(car(1))


async def test_a_statement_that_an_administrator_cancels_is_tried_again(database, lot, admin):
    async def cancel() -> None:
        query = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while not await admin.fetch(query):
            await asyncio.sleep(0.01)

    async with (
        slow(lot, database.ingestd_url, "PERFORM pg_sleep(0.9)"),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(cancel())
        with pytest.raises(TryAgain, match="user request"):
            await lot.load(car(1))


async def test_a_lock_that_is_not_had_in_time_is_a_clash_and_no_strike(database, lot, admin):
    async with slow(lot, database.ingestd_url, "NULL"), admin.transaction():
        await admin.execute("LOCK vehicles")
        with pytest.raises(Clash):
            await lot.load(car(1))
