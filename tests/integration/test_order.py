"""The order of a backlog: which delivery is worked on next, and what an older one becomes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config import Config, Feed
from ingestd.errors import OlderFirst, OutOfTurn
from ingestd.model import Arrival, Delivery, Outcome
from ingestd.report import Report
from ingestd.store.postgres import PostgresStore
from tests.integration.days import cars
from tests.integration.lot import Lot, Rejected, add_lot

Rows: TypeAlias = tuple[Mapping[str, Any] | Rejected, ...]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHANGES = Feed(name="changes", dealership=1, mode="delta")
BOTH = Config(feed=(CHANGES, Feed(name="x", dealership=1, mode="full")))


def arrival(key: str, minutes: int = 0, lane: str = "x") -> Arrival:
    seen = NOON + timedelta(minutes=minutes)
    return Arrival("drop", "folder", key, f"{key}.tsv", "0" * 64, 1, seen, lane=lane)


@pytest.fixture
async def store(database) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.opened(BOTH, database.ingestd_url, "here") as opened_store:
        yield opened_store


@asynccontextmanager
async def beside(database) -> AsyncIterator[PostgresStore]:
    """Open the store of another instance."""
    async with PostgresStore.opened(BOTH, database.ingestd_url, "elsewhere") as other:
        yield other


async def names(store: PostgresStore, most: int = 20) -> list[str]:
    """Claim and close one after the other, and give them in that order."""
    done: list[str] = []
    while (delivery := await store.claim(None, ())) and len(done) < most:
        done.append(delivery.arrival.key)
        await store.finish(delivery, ())
    return done


# Whole lots.


async def test_of_whole_lots_the_newest_is_first(store):
    for minutes, key in enumerate("abc"):
        await store.take(arrival(key, minutes))

    assert await names(store) == ["c", "b", "a"]


async def test_of_what_was_not_opened_the_newest_is_opened_first(store):
    for minutes, key in enumerate("abc"):
        await store.take(arrival(key, minutes, "?"))

    assert await names(store) == ["c", "b", "a"]


async def test_of_two_that_came_at_one_moment_the_one_taken_later_is_the_newer(store):
    await store.take(arrival("a"))
    await store.take(arrival("b"))

    assert await names(store) == ["b", "a"]


async def test_of_lanes_the_one_that_has_waited_longest_is_next(store):
    for minutes, (key, lane) in enumerate((("a", "x"), ("b", "y"), ("c", "x"), ("d", "x"))):
        await store.take(arrival(key, minutes, lane))

    assert await names(store) == ["d", "c", "a", "b"]


async def test_what_lets_the_older_go_first_comes_after_all_of_them_and_is_not_counted(store):
    for minutes, key in enumerate("abc"):
        await store.take(arrival(key, minutes))
    newest = await store.claim(None, ())
    await store.let_older_go_first(newest)

    second = await store.claim(None, ())
    await store.let_older_go_first(second)

    assert (newest.arrival.key, second.arrival.key) == ("c", "b")
    assert await names(store) == ["a", "b", "c"]
    (told,) = await store.deliveries(newest.id)
    assert told["attempts"] == 1


async def test_what_came_since_is_tried_before_those_that_let_the_older_go_first(store):
    for minutes, key in enumerate("ab"):
        await store.take(arrival(key, minutes))
    await store.let_older_go_first(await store.claim(None, ()))
    await store.take(arrival("c", 5))

    assert await names(store) == ["c", "a", "b"]


async def test_what_lets_the_older_go_first_waits_until_what_may_be_older_is_opened(store):
    await store.take(arrival("a", 0, "?"))
    newer = await store.take(arrival("b", 1))
    await store.claim(newer.id, ())
    await store.let_older_go_first(newer)
    unopened = await store.claim(None, ())

    assert unopened.arrival.key == "a"
    assert await store.claim(None, (), (unopened.id,)) is None
    await store.route(unopened, "x", None)
    assert await store.claim(None, ("x",), (unopened.id,)) is None
    await store.finish(unopened, ())
    assert await names(store) == ["b"]


async def test_a_newer_one_with_another_instance_is_waited_for_while_it_is_at_work(store, database):
    async with beside(database) as other:
        newer = await other.take(arrival("b", 1))
        await store.take(arrival("a"))
        await other.claim(newer.id, ())
        assert await store.claim(None, ()) is None
        await other.finish(newer, ())
        assert await names(store) == ["a"]


# Changes.


async def test_changes_go_oldest_first(store):
    for minutes, key in enumerate("abc"):
        await store.take(arrival(key, minutes, "changes"))

    assert await names(store) == ["a", "b", "c"]


async def test_where_every_feed_is_of_changes_the_oldest_is_opened_first(database):
    only = Config(feed=(CHANGES,))
    async with PostgresStore.opened(only, database.ingestd_url, "here") as store:
        for minutes, key in enumerate("abc"):
            await store.take(arrival(key, minutes, "?"))

        assert await names(store) == ["a", "b", "c"]


async def test_later_changes_wait_for_those_that_are_put_off(store):
    first = await store.take(arrival("a", 0, "changes"))
    await store.take(arrival("b", 1, "changes"))

    assert await store.claim(None, (), (first.id,)) is None


async def test_later_changes_wait_for_those_that_are_held_until_they_are_denied(store, lot):
    lot.feed = Feed(name="changes", dealership=lot.number, mode="delta")
    first = await lot.deliver(lane="changes")
    later = await lot.deliver(lane="changes")
    several = await lot.deliver(lane="?")
    other = await lot.deliver(lane="whole")
    report = await hold(lot, first)
    claimed = await store.claim(several.id, ())
    with pytest.raises(OutOfTurn):
        await store.route(claimed, "", None, ("changes", "more"))

    assert (await store.claim(None, ())).id == other.id
    await store.finish(other, ())
    assert await store.claim(None, ()) is None

    assert (await store.deny(report.import_id)).refusal is None
    assert (await store.claim(None, ())).id == later.id
    await store.finish(later, ())
    assert (await store.claim(None, ())).id == several.id


async def test_later_changes_wait_for_older_ones_with_an_instance_that_is_alive(store, database):
    async with beside(database) as other:
        await other.lease("inbox")
        older = await other.take(arrival("a", 0, "changes"))
        await store.take(arrival("b", 1, "changes"))
        assert await store.claim(None, ()) is None
        await other.finish(older, ())
        assert await names(store) == ["b"]


async def test_later_changes_do_not_wait_for_those_of_an_instance_that_is_gone(
    store, database, admin
):
    async with beside(database) as other:
        await other.lease("inbox")
        await other.take(arrival("a", 0, "changes"))
    await admin.execute("UPDATE ingest.leases SET lease_until = now() - interval '1 second'")
    await store.take(arrival("b", 1, "changes"))

    assert await names(store) == ["b"]


# Several feeds in one delivery.


async def test_what_is_of_several_feeds_is_in_nobody_elses_way(store):
    several = await store.take(arrival("a", 0, "?"))
    await store.claim(several.id, ())
    await store.route(several, "", None, ("x", "changes"))
    for minutes, (key, lane) in enumerate((("b", "x"), ("c", "y"), ("d", "changes")), start=1):
        await store.take(arrival(key, minutes, lane))

    assert (await store.claim(None, ("",), (several.id,))).arrival.key == "c"
    assert await store.claim(None, ("", "y"), (several.id,)) is None


async def test_what_is_of_several_feeds_parts_a_backlog(store):
    for minutes, key in enumerate(("a", "b", "several", "c", "d")):
        await store.take(arrival(key, minutes, "" if key == "several" else "x"))

    assert await names(store) == ["b", "a", "several", "d", "c"]


# No end to it must be possible.

BACKLOGS = st.lists(
    st.tuples(st.sampled_from(["x", "y", "changes", "?", ""]), st.booleans(), st.booleans()),
    max_size=8,
)


async def test_every_backlog_drains_whoever_lets_others_go_first(store):
    """Each may once let the older go first, and once be given back; nothing waits for ever."""
    keys = count()
    loop = asyncio.get_running_loop()

    @settings(max_examples=30, deadline=None)
    @given(backlog=BACKLOGS)
    def drains(backlog) -> None:
        work = asyncio.run_coroutine_threadsafe(_drained(store, backlog, keys), loop)
        assert work.result(30) == len(backlog)

    await asyncio.to_thread(drains)


async def _drained(store, backlog, keys) -> int:
    for minutes, (lane, _, _) in enumerate(backlog):
        await store.take(arrival(f"{next(keys)}", minutes, lane))
    lets_go, gives_back = ({n for n, mood in enumerate(backlog) if mood[at]} for at in (1, 2))
    done = 0
    for _ in range(3 * len(backlog) + 1):
        delivery = await store.claim(None, ())
        if delivery is None:
            break
        place = int((delivery.arrival.first_seen - NOON).total_seconds() // 60)
        if place in gives_back:
            gives_back.discard(place)
            await store.release(delivery, counted=False)
        elif place in lets_go:
            lets_go.discard(place)
            await store.let_older_go_first(delivery)
        else:
            done += 1
            await store.finish(delivery, ())
    return done


# With the guard: design section 11.1, story 14, and its kin.


@pytest.fixture
async def lot(store, admin) -> Lot:
    made = await add_lot(store, admin, "North")
    made.feed = Feed(name="north", dealership=made.number, mode="full", missing="deactivate")
    return made


async def hold(lot: Lot, delivery: Delivery) -> Report:
    """Have a delivery held, since most of its rows are rejected."""
    rows = [Rejected(value=f"row {number}") for number in range(12)]
    report = await lot.load(*cars(1), *rows, delivery=delivery)
    assert report.outcome is Outcome.HELD
    await lot.store.finish(delivery, ())
    return report


async def drain(lot: Lot, files: dict[int, Rows]) -> list[Report]:
    """Do what the daemon does until nothing waits; give the reports in that order."""
    reports: list[Report] = []
    for _ in range(4 * len(files)):
        delivery = await lot.store.claim(None, ())
        if delivery is None:
            return reports
        try:
            report = await lot.load(*files[delivery.id], delivery=delivery)
        except OlderFirst:
            await lot.store.let_older_go_first(delivery)
        else:
            await lot.store.finish(delivery, ())
            reports.append(report)
    raise AssertionError("there is no end to it")


async def waiting(lot: Lot, day: int, *lists: Rows) -> dict[int, Rows]:
    """Have files wait, the first of which came on that day, the others a day apart."""
    began = await lot.store.now() - timedelta(days=50)
    files = {}
    for number, rows in enumerate(lists):
        seen = began + timedelta(days=day + number)
        files[(await lot.deliver(lane="north", first_seen=seen)).id] = rows
    return files


def told(reports: list[Report]) -> list[tuple[str, int]]:
    return [(str(report.outcome), report.held_deactivations) for report in reports]


WHOLE = tuple(cars(*range(40)))
CUT = tuple(cars(*range(15), price="19000.00"))
GARBAGE: Rows = (*cars(1), *[Rejected(value=f"row {number}") for number in range(12)])


async def test_monday_good_and_tuesday_cut_short_both_waiting(lot):
    await drain(lot, await waiting(lot, 0, tuple(cars(*range(38)))))
    files = await waiting(lot, 1, WHOLE, CUT)

    reports = await drain(lot, files)
    assert told(reports) == [("imported", 0), ("imported", 25)]
    assert [report.delivery_id for report in reports] == list(files)
    assert len(await lot.vehicles(where="is_active")) == 40
    assert len(await lot.vehicles(where="price = 19000")) == 15


async def test_a_good_newest_supersedes_all_that_waits(lot):
    reports = await drain(lot, await waiting(lot, 0, CUT, WHOLE, WHOLE))

    assert told(reports) == [("imported", 0), ("superseded", 0), ("superseded", 0)]


async def test_a_newest_that_would_be_held_lets_the_older_go_first_and_is_held_then(lot):
    await drain(lot, await waiting(lot, 0, WHOLE))
    reports = await drain(lot, await waiting(lot, 1, CUT, WHOLE, GARBAGE))

    assert told(reports) == [("unchanged", 0), ("superseded", 0), ("held", 0)]


async def test_where_each_would_be_held_the_oldest_is_held_first(lot):
    await drain(lot, await waiting(lot, 0, WHOLE))
    files = await waiting(lot, 1, GARBAGE, GARBAGE, GARBAGE)

    reports = await drain(lot, files)
    assert told(reports) == [("held", 0)] * 3
    assert [report.delivery_id for report in reports] == list(files)


async def test_a_file_that_is_rejected_lets_the_older_go_first(lot):
    files = await waiting(lot, 0, WHOLE, tuple(Rejected(value=str(n)) for n in range(3)))

    reports = await drain(lot, files)
    assert sorted(told(reports)) == [("imported", 0), ("rejected", 0)]
    assert len(await lot.vehicles()) == 40


async def test_an_older_one_that_comes_to_light_later_is_superseded(lot):
    newer = await drain(lot, await waiting(lot, 1, WHOLE))
    late = await drain(lot, await waiting(lot, 0, CUT))

    assert told([*newer, *late]) == [("imported", 0), ("superseded", 0)]


async def test_a_backlog_of_thousands_is_claimed_from_in_no_time(store, admin):
    """A claim looks at the ends of the lanes, not at all that waits in them."""
    await admin.execute(
        "INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen, lane,"
        " taken_by) SELECT 'drop', 'folder', n::text, 'a.tsv', repeat('0', 64), 1,"
        " now() - interval '1 s' * n, (ARRAY['?', 'a', 'b', 'changes', ''])[1 + n % 5], 'here'"
        " FROM generate_series(1, 10000) n"
    )
    await admin.execute("ANALYZE ingest.deliveries")
    began = asyncio.get_running_loop().time()
    for _ in range(20):
        assert await store.claim(None, ()) is not None
    assert asyncio.get_running_loop().time() - began < 20 * 0.5
