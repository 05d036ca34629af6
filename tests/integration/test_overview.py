"""What the ledger tells of the whole: what waits for a person, or for us, and who watches."""

from collections.abc import Mapping
from typing import Any

from ingestd.model import UNROUTED, File, Outcome
from ingestd.report import Held
from ingestd.store import overview
from tests.integration.days import cars
from tests.integration.lot import Lot, Rejected, Sheet, opened

GARBAGE = [Rejected(value=f"row {number}") for number in range(200)]


async def to_decide(lot: Lot) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await lot.store.status())["to_decide"]
    return found


async def waiting(database, lot: Lot, *deltas: str) -> list[Mapping[str, Any]]:
    """Ask an instance for which these feeds are of changes."""
    feeds = [{"name": name, "dealership": lot.number, "mode": "delta"} for name in deltas]
    async with opened(database.ingestd_url, config={"feed": feeds}) as store:
        found: list[Mapping[str, Any]] = (await store.status())["waiting"]
        return found


# What waits for a person.


async def test_what_is_held_waits_though_newer_ones_came(days):
    lot = days.lot
    await days.load(0, *cars(*range(100)))
    report = await days.load(1, *cars(1), *GARBAGE)
    assert report.outcome is Outcome.HELD
    (told,) = await to_decide(lot)
    assert (told["import_id"], told["feed"]) == (report.import_id, lot.feed.name)
    assert (told["why"], told["reason"], told["held_deactivations"]) == (*["rejected_rows"] * 2, 0)
    number = report.import_id
    approve = f"`ingestd imports approve {number}` loads it all the same, `deny` does not"
    assert told["next"] == approve
    assert await lot.store.steps(number, number + 1) == {number: approve}

    await days.load(2, *cars(*range(100)))
    (told,) = await to_decide(lot)
    assert told["next"] == f"a newer one was applied: `ingestd imports deny {number}`"


async def test_deactivations_wait_since_the_first_that_held_them_and_only_those_of_the_latest(days):
    lot = days.lot
    await days.load(0, *cars(*range(100)))
    await days.load(1, *cars(*range(60)))
    second = await days.load(2, *cars(*range(60)))
    (told,) = await to_decide(lot)
    first = await lot.admin.fetchval("SELECT hold_first_seen FROM ingest.feeds")
    assert (told["import_id"], told["held_deactivations"]) == (second.import_id, 40)
    assert told["since"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    assert (told["why"], told["reason"]) == ("40 deactivations held", None)
    approve = f"`ingestd imports approve {second.import_id}` says that they are gone"
    assert told["next"] == f"{approve}; or wait for the next files"
    assert await lot.store.held() == {lot.feed.name: Held(0, 40)}

    await days.load(3, *cars(*range(100)))
    assert (await to_decide(lot), await lot.store.held()) == ([], {})


async def test_files_and_vehicles_that_wait_are_counted_apart(days):
    lot = days.lot
    await days.load(0, *cars(*range(100)))
    await days.load(1, *cars(*range(60)))
    await days.load(2, *cars(1), *GARBAGE)
    assert await lot.store.held() == {lot.feed.name: Held(1, 40)}


async def test_a_file_that_is_cut_off_is_rather_to_be_sent_anew(days):
    await days.load(0, *cars(*range(100)))
    report = await days.load(1, sheets=[Sheet(cars(*range(60)), cut_off=True)])
    (told,) = await to_decide(days.lot)
    anew = "the file is cut off: have it sent anew rather than approve it"
    assert anew in told["next"]
    assert anew in report.told()


async def test_what_is_approved_waits_for_the_daemon_and_says_so(days):
    lot = days.lot
    await days.load(0, *cars(*range(100)))
    report = await days.load(1, *cars(*range(60)))
    await lot.admin.execute("UPDATE ingest.deliveries SET state = 'done', outcome = 'imported'")
    assert (await lot.store.approve(report.import_id, "anna\0")).refusal is None
    (told,) = await to_decide(lot)
    assert told["next"] == "approved: the daemon is to load it"
    stored = await lot.store.report(report.import_id)
    assert stored.decided.by == "anna\N{REPLACEMENT CHARACTER}"
    assert str(stored.decided).startswith("to be approved by anna")


async def test_a_group_file_counts_once_though_it_is_the_latest_of_each_dealership(days):
    lot = days.lot
    await days.load(0, *cars(*range(100)))
    await days.load(1, *cars(*range(60)))
    await lot.admin.execute("UPDATE ingest.imports SET dealership_id = NULL")
    await lot.admin.execute(
        "INSERT INTO ingest.feeds (feed, dealership_id, latest_first_seen, latest_delivery_id,"
        " latest_import_id, applied_at) SELECT feed, 77, latest_first_seen, latest_delivery_id,"
        " latest_import_id, applied_at FROM ingest.feeds"
    )
    assert await lot.store.held() == {lot.feed.name: Held(0, 40)}
    assert len(await to_decide(lot)) == 1
    (feed,) = (await lot.store.status())["feeds"]
    assert feed["dealership_id"] is None


async def test_what_waits_is_found_by_its_index_however_many_imports_there_are(lot):
    await lot.admin.execute("SET enable_seqscan = off")
    for query in (overview._TO_DECIDE.replace("$1", "NULL"), overview._HELD):
        plan = await lot.admin.fetch(f"EXPLAIN {query}")
        assert any("imports_undecided" in row[0] for row in plan)


# What waits for us.


async def test_changes_wait_behind_what_is_held_and_whole_lots_do_not(days, database):
    lot = days.lot
    report = await days.load(0, *cars(1), *GARBAGE)
    assert report.outcome is Outcome.HELD
    await lot.admin.execute("UPDATE ingest.deliveries SET state = 'done', outcome = 'held'")
    delivery = await lot.deliver(lane=lot.feed.name)
    await lot.store.lease("drop")
    (told,) = await waiting(database, lot, lot.feed.name)
    since = f"{delivery.arrival.first_seen:%Y-%m-%dT%H:%M:%SZ}"
    assert (told["feed"], told["deliveries"], told["since"]) == (lot.feed.name, 1, since)
    assert (told["behind_import_id"], told["why"]) == (
        report.import_id,
        f"behind held import {report.import_id}",
    )
    (told,) = await waiting(database, lot)
    assert (told["behind_import_id"], told["why"]) == (None, None)


async def test_what_only_a_daemon_has_that_does_not_run_says_so(lot, database):
    await lot.deliver(lane=UNROUTED)
    await lot.deliver(lane=lot.feed.name)
    await lot.deliver(lane=lot.feed.name)
    assert not await lot.store.attended()
    told = await waiting(database, lot)
    assert [(it["feed"], it["deliveries"]) for it in told] == [(None, 1), (lot.feed.name, 2)]
    assert {it["why"] for it in told} == {"for the daemon of here, which does not seem to run"}

    await lot.store.lease("drop")
    assert await lot.store.attended()
    assert {it["why"] for it in await waiting(database, lot)} == {None}


async def test_who_watches_is_this_instance_or_another(lot, database):
    await lot.store.lease("drop")
    async with opened(database.ingestd_url, owner="elsewhere") as other:
        assert not await other.attended()


# What each feed did last.


async def test_each_feed_is_told_once_whatever_became_of_its_files_and_those_that_did_nothing(
    lot, database
):
    await lot.load(*cars(1))
    delivery = await lot.store.claim((await lot.deliver(lane=lot.feed.name)).id, ())
    nothing = File(0, "bad.tsv", 1, lot.feed.name, "no_header", "no header")
    await lot.store.finish(delivery, (nothing,))
    feeds = [
        {"name": name, "dealership": lot.number, "mode": "full"} for name in (lot.feed.name, "new")
    ]
    async with opened(database.ingestd_url, config={"feed": feeds}) as store:
        told = (await store.status())["feeds"]
    assert [(it["feed"], it["outcome"], it["dealership_id"]) for it in told] == [
        (lot.feed.name, "rejected", lot.number),
        ("new", None, None),
    ]
    assert told[0].keys() == told[1].keys()
