"""Deliveries, leases, claims, settlements: who works on what, and what is owed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from ingestd.config import Config, DealershipName, Feed
from ingestd.errors import Misconfigured, OutOfTurn
from ingestd.model import UNROUTED, Arrival, File, Finished, Letter, Outcome, State
from ingestd.store.postgres import PostgresStore
from tests.integration.lot import Rejected, Sheet, car, opened

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def arrival(key: str, minutes: int = 0, **fields) -> Arrival:
    seen = NOON + timedelta(minutes=minutes)
    values = {"source": "drop", "kind": "folder", "name": f"{key}.tsv", "lane": key, **fields}
    return Arrival(key=key, sha256="0" * 64, size=1, first_seen=seen, **values)


@pytest.fixture
async def other(database):
    async with opened(database.ingestd_url, owner="elsewhere") as opened_store:
        yield opened_store


async def _lapse(admin) -> None:
    await admin.execute("UPDATE ingest.deliveries SET lease_until = now() - interval '1 second'")
    await admin.execute("UPDATE ingest.leases SET lease_until = now() - interval '1 second'")


# Taking.


async def test_taking_the_same_key_twice_gives_the_same_delivery(store):
    first = await store.take(arrival("a", refused="too_large", message="more than 1 GiB", hint="f"))
    assert await store.take(arrival("a", 5)) == first
    assert first.arrival == arrival("a", refused="too_large", message="more than 1 GiB", hint="f")
    assert (first.state, first.attempts) == (State.RECEIVED, 0)


async def test_the_same_key_of_another_source_is_another_delivery(store):
    first = await store.take(arrival("a"))
    assert (await store.take(arrival("a", source="mail"))).id != first.id


async def test_a_name_that_no_database_could_hold_is_taken_all_the_same(store):
    taken = await store.take(arrival("a", name="a\0b\udcff.tsv"))
    assert taken.arrival.name == "a\N{REPLACEMENT CHARACTER}b?.tsv"


async def test_the_time_is_the_databases_and_knows_its_zone(store, admin):
    before = await admin.fetchval("SELECT clock_timestamp()")
    assert before <= await store.now() <= await admin.fetchval("SELECT clock_timestamp()")


# Claiming.


async def test_the_oldest_by_first_sight_is_claimed_first(store):
    late = await store.take(arrival("late", 5))
    early = await store.take(arrival("early", 1))
    assert (await store.claim(None, ())).id == early.id
    assert (await store.claim(None, ("early",))).id == late.id


async def test_a_claim_counts_the_attempt_at_once(store, admin):
    await store.take(arrival("a"))
    claimed = await store.claim(None, ())
    assert (claimed.attempts, claimed.state) == (1, State.WORKING)
    assert await admin.fetchval("SELECT attempts FROM ingest.deliveries") == 1


async def test_busy_lanes_are_passed_over(store):
    await store.take(arrival("a"))
    b = await store.take(arrival("b", 1))
    assert (await store.claim(None, ("a",))).id == b.id
    assert await store.claim(None, ("a", "b")) is None


async def test_what_another_instance_works_on_is_left_to_it(store, other):
    await store.take(arrival("a"))
    assert await store.claim(None, ()) is not None
    await other.take(arrival("a"))
    assert await other.claim(None, ()) is None


async def test_only_who_has_the_bytes_may_claim(store, other):
    taken = await store.take(arrival("a"))
    assert await other.claim(None, ()) is None
    await other.take(arrival("a"))
    assert await store.claim(None, ()) is None
    assert (await other.claim(None, ())).id == taken.id


async def test_what_a_vanished_instance_left_in_a_lane_does_not_block_it(store, other, admin):
    await other.take(arrival("a", lane="x"))
    b = await store.take(arrival("b", 1, lane="x"))
    assert (await store.claim(None, ())).id == b.id


async def test_what_is_of_several_feeds_waits_for_all_that_is_older(store):
    a = await store.take(arrival("a", lane="x"))
    bare = await store.take(arrival("b", 1, lane=""))
    assert (await store.claim(None, ())).id == a.id
    assert await store.claim(None, ("x",)) is None
    await store.finish(a, ())
    assert (await store.claim(None, ())).id == bare.id


async def test_what_is_younger_waits_for_what_is_of_several_feeds(store):
    bare = await store.take(arrival("a", lane=""))
    await store.take(arrival("b", 1, lane="x"))
    assert (await store.claim(None, ())).id == bare.id
    assert await store.claim(None, ("",)) is None


async def test_what_was_not_opened_yet_is_opened_whoever_is_at_work(store):
    await store.take(arrival("a", lane="x"))
    unknown = await store.take(arrival("b", 1, lane="?"))
    assert (await store.claim(None, ("x", ""))).id == unknown.id


async def test_what_was_opened_waits_behind_the_newer_of_its_lane_and_is_not_counted(store):
    older = await store.take(arrival("a", lane="?"))
    newer = await store.take(arrival("b", 1, lane="x"))
    claimed = await store.claim(older.id, ())
    with pytest.raises(OutOfTurn):
        await store.route(claimed, "x", None)
    assert (await store.claim(None, ())).id == newer.id
    await store.finish(newer, ())
    again = await store.claim(None, ())
    assert (again.id, again.attempts, again.arrival.lane) == (older.id, 1, "x")


async def test_two_that_turn_out_to_be_of_one_lane_are_not_worked_on_at_once(store):
    first, second = (
        await store.take(arrival("a", lane="?")),
        await store.take(arrival("b", lane="?")),
    )
    assert (await store.claim(None, ())).id == second.id
    claimed = await store.claim(first.id, ())
    await store.route(claimed, "x", None)
    with pytest.raises(OutOfTurn):
        await store.route(second, "x", None)


async def test_changes_wait_until_all_that_is_older_is_opened_whole_lots_do_not(database):
    settings = Config(feed=(Feed(name="changes", dealership=1, mode="delta"),))
    async with PostgresStore.opened(settings, database.ingestd_url, "here") as store:
        unknown = await store.take(arrival("a", lane="?"))
        changes = await store.take(arrival("b", 1, lane="?"))
        whole = await store.take(arrival("c", 2, lane="?"))
        for number in (unknown.id, changes.id, whole.id):
            await store.claim(number, ())
        await store.route(whole, "whole", None)
        with pytest.raises(OutOfTurn):
            await store.route(changes, "changes", None)
        await store.finish(unknown, ())
        again = await store.claim(None, ("whole",))
        assert again is not None
        assert again.id == changes.id


async def test_what_is_of_several_feeds_is_routed_only_when_nobody_else_is_at_work(store):
    await store.take(arrival("a", 1, lane="x"))
    assert await store.claim(None, ()) is not None
    several = await store.take(arrival("b", lane="?"))
    assert (await store.claim(None, ("x",))).id == several.id
    with pytest.raises(OutOfTurn):
        await store.route(several, "", None)


# Mail.


def letter_at(uid: int, key: str = "k", **fields) -> Arrival:
    return arrival(key, source="inbox", kind="mail", lane="?", place=(7, uid), **fields)


async def test_a_letters_words_are_kept_as_far_as_a_database_can_hold_them(store, admin):
    taken = await store.take(letter_at(1))
    await store.claim(None, ())
    await store.route(taken, "?", Letter("a@b.example", "Lot\0 of today", automatic=True))
    row = await admin.fetchrow("SELECT sender, subject, automatic, lane FROM ingest.deliveries")
    assert tuple(row) == ("a@b.example", "Lot\N{REPLACEMENT CHARACTER} of today", True, "?")


async def test_a_letter_that_was_taken_is_known_by_its_place_and_what_is_still_needed(store):
    await store.take(letter_at(1))
    assert await store.known_mail("inbox", 7, (1, 2)) == {1: "0" * 64}
    assert await store.known_mail("inbox", 8, (1,)) == {}
    assert await store.known_mail("other", 7, (1,)) == {}


async def test_a_letter_that_is_done_is_known_to_every_instance(store, other):
    taken = await store.take(letter_at(1))
    assert await other.known_mail("inbox", 7, (1,)) == {}
    await store.finish(taken, ())
    assert await other.known_mail("inbox", 7, (1,)) == {1: None}


async def test_what_was_decided_anew_while_it_was_being_told_is_told_again(store, admin):
    taken = await store.take(letter_at(1))
    told = await store.finish(taken, ())
    await admin.execute("UPDATE ingest.deliveries SET outcome = 'imported'")
    await store.settled(told.delivery)
    assert len(await store.unsettled(("inbox",))) == 1
    await admin.execute("UPDATE ingest.deliveries SET outcome = 'rejected'")
    await store.settled(told.delivery)
    assert await store.unsettled(("inbox",)) == ()


async def test_a_second_copy_of_a_settled_letter_is_owed_its_settlement_too(store):
    taken = await store.take(letter_at(1))
    await store.finish(taken, ())
    await store.settled(taken)
    await store.take(letter_at(1))
    assert await store.unsettled(("inbox",)) == ()
    again = await store.take(letter_at(2))
    assert again.id == taken.id
    assert [owed.delivery.id for owed in await store.unsettled(("inbox",))] == [taken.id]
    assert await store.places("inbox", 7, taken.id) == (1, 2)
    assert await store.places("inbox", 8, taken.id) == ()


async def test_a_place_may_come_to_hold_another_letter(store):
    first = await store.take(letter_at(1))
    second = await store.take(letter_at(1, "k2"))
    assert await store.places("inbox", 7, first.id) == ()
    assert await store.places("inbox", 7, second.id) == (1,)


# Once more.


async def test_what_was_rejected_is_done_again_from_the_beginning(store):
    taken = await store.take(letter_at(1))
    await store.finish(taken, (File(0, "a", 1, None, "no_feed", "no feed takes it"),))
    await store.settled(taken)

    assert await store.redo(taken.id) is None
    again = await store.claim(None, ())
    assert again is not None
    assert (again.id, again.attempts, again.arrival.lane) == (taken.id, 1, "?")
    assert await store.imports_of(taken.id) == ()


async def test_what_was_loaded_or_is_not_ours_or_was_not_kept_is_not_done_again(
    store, other, lot, admin
):
    loaded = await lot.deliver()
    await lot.load(car(1), delivery=loaded)
    await store.finish(loaded, ())
    theirs = await other.take(arrival("theirs"))
    await other.finish(theirs, ())
    gone = await store.take(arrival("gone", refused="too_large", message="x"))
    await store.finish(gone, ())
    waiting = await store.take(arrival("waiting"))

    told = [await store.redo(number) for number in (loaded.id, theirs.id, gone.id, waiting.id, 99)]
    assert "is imported; only what was rejected" in (told[0] or "")
    assert "is with elsewhere" in (told[1] or "")
    assert "left no bytes here" in (told[2] or "")
    assert "is not done yet" in (told[3] or "")
    assert "there is no delivery 99" in (told[4] or "")


async def test_a_delivery_of_which_one_file_was_loaded_is_not_done_again(store, lot, admin):
    mixed = await lot.deliver()
    await lot.load(car(1), delivery=mixed)
    await store.finish(mixed, (File(1, "b", 1, None, "no_feed", "x"),))

    assert "brought one file that was loaded" in (await store.redo(mixed.id) or "")


async def test_of_a_delivery_of_several_feeds_only_those_that_failed_are_done_again(lot):
    claimed = await of_two_feeds(lot, loaded=True)
    failed = File(1, "used.tsv", 9, "used", None, "it failed 3 times; it died")
    picture = File(2, "a.png", 9, None, "not_a_table", "it is a picture")
    closed = await lot.store.finish(claimed, [failed, picture])
    before = await lot.versions()

    assert await lot.store.redo(claimed.id) is None
    again = await lot.store.claim(None, ())
    assert (again.id, again.attempts) == (claimed.id, 1)
    loaded, _, refused = closed.reports
    assert await lot.store.imports_of(claimed.id) == (loaded, refused)
    assert await lot.load(car(1, price="1"), delivery=again) == loaded
    assert await lot.versions() == before


async def test_what_is_older_in_its_lane_waits_for_what_is_put_off(store):
    await store.take(arrival("a", lane="x"))
    waits = await store.take(arrival("b", 1, lane="x"))
    other = await store.take(arrival("c", 2, lane="y"))
    assert (await store.claim(None, (), (waits.id,))).id == other.id
    assert await store.claim(None, ("y",), (waits.id, other.id)) is None


# Attempts.


async def test_an_attempt_that_never_came_back_is_counted_apart(store):
    await store.take(arrival("a"))
    await store.claim(None, ())
    again = await store.claim(None, ())
    assert (again.attempts, again.lost) == (2, 1)
    await store.release(again, counted=True)
    third = await store.claim(None, ())
    assert (third.attempts, third.lost) == (3, 1)


async def test_a_place_in_the_order_is_never_in_the_future(store):
    far = await store.take(replace(arrival("a"), first_seen=datetime(2999, 1, 1, tzinfo=UTC)))
    assert far.arrival.first_seen <= await store.now()


async def test_a_lane_is_not_overtaken_while_another_instance_works_on_it(store, other):
    await store.take(arrival("a", lane="x"))
    assert await store.claim(None, ()) is not None
    await other.take(arrival("b", 1, lane="x"))
    assert await other.claim(None, ()) is None


async def test_a_lane_is_not_overtaken_while_its_newest_is_being_claimed(store, admin):
    await store.take(arrival("a", lane="x"))
    first = await store.take(arrival("b", 1, lane="x"))
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM ingest.deliveries WHERE id = $1 FOR UPDATE", first.id)
        assert await store.claim(None, ()) is None


async def test_a_claim_that_ran_out_is_whose_who_has_the_bytes_now(store, other, admin):
    taken = await store.take(arrival("a"))
    await store.claim(None, ())
    await other.take(arrival("a"))
    await _lapse(admin)
    again = await other.claim(None, ())
    assert (again.id, again.attempts) == (taken.id, 2)


async def test_what_we_worked_on_before_a_crash_is_ours_again_at_once(store):
    taken = await store.take(arrival("a"))
    await store.claim(None, ())
    again = await store.claim(None, ())
    assert (again.id, again.attempts) == (taken.id, 2)


async def test_a_commands_delivery_is_not_taken_from_it_while_its_claim_holds(store, admin):
    taken = await store.take(arrival("a", kind="cli"))
    assert await store.claim(taken.id, ()) is not None
    assert await store.claim(None, ()) is None
    assert await store.claim(taken.id, ()) is not None
    await _lapse(admin)
    assert await store.claim(None, ()) is not None


async def test_a_renewed_claim_holds_on(store, other, admin):
    await store.take(arrival("a"))
    claimed = await store.claim(None, ())
    await _lapse(admin)
    await store.renew([claimed])
    await other.take(arrival("a"))
    assert await other.claim(None, ()) is None


async def test_two_instances_never_claim_one_delivery(store, other):
    for number in range(6):
        taker = store if number % 2 else other
        await taker.take(arrival(f"k{number}", number))
    claims = [store.claim(None, ()) if n % 2 else other.claim(None, ()) for n in range(6)]
    claimed = await asyncio.gather(*claims)
    taken_by_other = {c.id for n, c in enumerate(claimed) if c and not n % 2}
    taken_here = {c.id for n, c in enumerate(claimed) if c and n % 2}
    assert taken_by_other
    assert taken_here
    assert not taken_by_other & taken_here


async def test_a_delivery_that_is_being_loaded_is_not_claimed_even_if_its_lease_ran_out(
    lot, other, admin
):
    delivery = await lot.deliver()
    await lot.store.claim(delivery.id, ())
    await _lapse(admin)
    claims = []

    await other.take(delivery.arrival)

    async def play(target):
        claims.append(await other.claim(None, ()))
        yield Sheet([car(1)]).encode(target, 0)
        yield Finished((Sheet([car(1)]).reading(0),))

    await lot.load_all(delivery, [Sheet()], play)
    assert claims == [None]


async def test_renewing_does_not_wait_for_what_is_being_loaded(lot, admin):
    loaded, waiting = await lot.deliver(lane="x"), await lot.deliver(lane="y")
    claims = [await lot.store.claim(taken.id, ()) for taken in (loaded, waiting)]
    await _lapse(admin)
    held = "SELECT lease_until > now() FROM ingest.deliveries WHERE id = $1"

    async def play(target):
        async with asyncio.timeout(5):
            await lot.store.renew(claims)
        yield Sheet([car(1)]).encode(target, 0)
        yield Finished((Sheet([car(1)]).reading(0),))

    await lot.load_all(loaded, [Sheet()], play)
    assert await admin.fetchval(held, waiting.id)
    await lot.store.renew(claims)
    assert await admin.fetchval(held, loaded.id)


@pytest.mark.parametrize(("counted", "attempts"), [(True, 2), (False, 1)])
async def test_a_released_delivery_waits_again(store, counted, attempts):
    await store.take(arrival("a"))
    claimed = await store.claim(None, ())
    await store.release(claimed, counted=counted)
    assert await store.waiting() == 1
    assert (await store.claim(None, ())).attempts == attempts


# Finishing.


async def test_a_delivery_without_a_table_is_rejected(store):
    taken = await store.take(arrival("a"))
    settlement = await store.finish(taken, ())
    assert settlement.reports == ()
    assert (settlement.delivery.outcome, settlement.delivery.reason) == (
        Outcome.REJECTED,
        "no_table",
    )


async def test_refused_files_are_reported_with_their_reason(store):
    taken = await store.take(arrival("a"))
    refused = [
        File(0, "a.pdf", 9, None, "not_a_table", "it is a PDF"),
        File(1, "b.tsv", 9, None, "no_feed", "no feed takes it"),
    ]
    settlement = await store.finish(taken, refused)
    assert [(r.file, r.outcome, r.reason, r.message) for r in settlement.reports] == [
        ("a.pdf", Outcome.REJECTED, "not_a_table", "it is a PDF"),
        ("b.tsv", Outcome.REJECTED, "no_feed", "no feed takes it"),
    ]
    assert settlement.delivery.state is State.DONE
    assert settlement.delivery.reason == "not_a_table"


async def test_finishing_twice_changes_nothing(store):
    taken = await store.take(arrival("a"))
    refused = [File(0, "a.pdf", 9, None, "not_a_table", "it is a PDF")]
    first = await store.finish(taken, refused)
    assert await store.finish(taken, refused) == first
    assert await store.finish(taken, (), "it failed three times") == first


async def test_a_delivery_that_was_loaded_before_its_process_died_has_not_failed(lot):
    delivery = await lot.deliver()
    await lot.load(car(1), delivery=delivery)
    settlement = await lot.store.finish(delivery, (), "it failed three times")

    assert settlement.delivery.state is State.DONE
    assert settlement.delivery.outcome is Outcome.IMPORTED


async def of_two_feeds(lot, *, loaded: bool):
    """Claim a delivery of two feeds, the first of them loaded or not."""
    await lot.deliver(name="both.zip", lane=UNROUTED)
    claimed = await lot.store.claim(None, ())
    await lot.store.route(claimed, "", None, (lot.feed.name, "used"))
    if loaded:
        await lot.load(car(1), delivery=claimed)
    return claimed


async def test_a_feed_that_was_not_reached_before_its_process_died_has_failed(lot):
    claimed = await of_two_feeds(lot, loaded=True)
    settlement = await lot.store.finish(claimed, (), "it failed ten times")

    assert [(r.file, r.file_index, r.feed, r.outcome) for r in settlement.reports] == [
        ("lot.tsv", 0, lot.feed.name, Outcome.IMPORTED),
        ("both.zip", 1, "used", Outcome.FAILED),
    ]
    assert settlement.delivery.state is State.QUARANTINED
    assert (settlement.delivery.outcome, settlement.delivery.reason) == (
        Outcome.FAILED,
        "internal_error",
    )


async def test_each_feed_of_a_delivery_that_nobody_could_read_is_told(lot):
    claimed = await of_two_feeds(lot, loaded=False)
    settlement = await lot.store.finish(claimed, (), "it failed ten times")

    assert [(r.file_index, r.feed, r.message) for r in settlement.reports] == [
        (0, lot.feed.name, "it failed ten times"),
        (1, "used", "it failed ten times"),
    ]


async def test_a_file_without_a_reason_has_failed_and_its_delivery_is_set_aside(lot):
    claimed = await of_two_feeds(lot, loaded=True)
    failed = File(1, "used.tsv", 9, "used", None, "it failed 3 times; it died")
    settlement = await lot.store.finish(claimed, [failed])

    assert [(r.file, r.outcome, r.reason) for r in settlement.reports] == [
        ("lot.tsv", Outcome.IMPORTED, None),
        ("used.tsv", Outcome.FAILED, "internal_error"),
    ]
    assert settlement.delivery.state is State.QUARANTINED


async def test_a_quarantined_delivery_has_failed_and_has_a_report(store):
    taken = await store.take(arrival("a"))
    settlement = await store.finish(taken, (), "it failed three times")
    assert (settlement.delivery.state, settlement.delivery.outcome) == (
        State.QUARANTINED,
        Outcome.FAILED,
    )
    (report,) = settlement.reports
    assert (report.outcome, report.reason, report.message) == (
        Outcome.FAILED,
        "internal_error",
        "it failed three times",
    )
    assert await store.waiting() == 0


async def test_the_outcome_of_a_delivery_is_the_worst_of_its_imports(lot):
    delivery = await lot.deliver()
    await lot.load(
        sheets=[Sheet([car(1)]), Sheet(name="b.tsv", reason="no_header")], delivery=delivery
    )
    settlement = await lot.store.finish(delivery, ())
    assert settlement.delivery.outcome is Outcome.REJECTED
    assert settlement.delivery.reason == "no_header"
    assert settlement.reports == lot.reports


async def test_a_settlement_is_owed_until_it_is_ticked_off(store):
    for key, minutes in (("b", 5), ("a", 1)):
        await store.finish(await store.take(arrival(key, minutes)), ())
    owed = await store.unsettled(["drop"])
    assert [settlement.delivery.arrival.key for settlement in owed] == ["a", "b"]
    await store.settled(owed[0].delivery)
    await store.settled(owed[0].delivery)
    assert [s.delivery.arrival.key for s in await store.unsettled(["drop"])] == ["b"]


async def test_another_instance_settles_only_what_the_first_left_lying(store, other, admin):
    await store.finish(await store.take(arrival("a")), ())
    assert await other.unsettled(["drop"]) == ()
    await _lapse(admin)
    assert len(await other.unsettled(["drop"])) == 1


async def test_only_what_is_owed_to_the_sources_named_or_without_any_to_commands_is_listed(store):
    for taken in (
        arrival("a", source="gone"),
        arrival("b"),
        arrival("c", kind="cli"),
        arrival("d", source="import", kind="cli"),
    ):
        await store.finish(await store.take(taken), ())

    async def owed(*sources: str) -> list[str]:
        return [found.delivery.arrival.key for found in await store.unsettled(sources)]

    assert await owed("drop") == ["b"]
    assert await owed() == ["c", "d"]


async def test_what_is_owed_to_a_source_that_is_gone_does_not_stand_before_the_others(store, admin):
    await admin.execute(
        "INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen, state,"
        " outcome, taken_by) SELECT 'gone', 'folder', n, n, repeat('0', 64), 1, $1, 'done',"
        " 'imported', 'here' FROM (SELECT i::text FROM generate_series(1, 1000) AS g(i)) AS t(n)",
        NOON,
    )
    await store.finish(await store.take(arrival("a", 5)), ())
    (owed,) = await store.unsettled(["drop"])
    assert owed.delivery.arrival.key == "a"


# Leases.


async def test_a_source_has_one_watcher_and_a_new_one_when_the_lease_runs_out(store, other, admin):
    assert await store.lease("drop")
    assert await store.lease("drop")
    assert not await other.lease("drop")
    await _lapse(admin)
    assert await other.lease("drop")
    assert not await store.lease("drop")


async def test_a_lease_given_up_is_free_at_once(store, other):
    await store.lease("drop")
    await other.unlease("drop")
    assert not await other.lease("drop")
    await store.unlease("drop")
    assert await other.lease("drop")


# Dealerships.


async def test_a_dealership_is_found_by_id_and_by_name(store):
    number = await store.add_dealership("North", domain="north.example")
    for wanted in (number, DealershipName(name="North")):
        assert await store.dealership(Feed(name="f", dealership=wanted, mode="full")) == number


async def test_an_unknown_dealership_names_the_near_one_and_the_command(store):
    await store.add_dealership("North Motors")
    feed = Feed(name="f", dealership=DealershipName(name="North Motor"), mode="full")
    with pytest.raises(Misconfigured, match=r"North Motors.*ingestd dealerships add"):
        await store.dealership(feed)
    with pytest.raises(Misconfigured, match=r"no dealership 77.*ingestd dealerships add"):
        await store.dealership(Feed(name="f", dealership=77, mode="full"))


async def test_a_name_borne_by_two_dealerships_asks_for_the_id(store):
    ids = [await store.add_dealership("North") for _ in range(2)]
    feed = Feed(name="f", dealership=DealershipName(name="North"), mode="full")
    with pytest.raises(Misconfigured, match=f"ids {ids[0]}, {ids[1]}"):
        await store.dealership(feed)


async def test_dealerships_are_listed_with_their_vehicles(lot):
    await lot.load(car(1), car(2))
    await lot.store.add_dealership("South")
    listed = await lot.store.dealerships()
    assert [(d.name, d.vehicles) for d in listed] == [("North", 2), ("South", 0)]


# Telling.


async def test_imports_are_listed_newest_first_and_page_by_page(lot):
    numbers = [(await lot.load(car(1, price=price))).import_id for price in (1000, 2000, 3000)]
    newest = await lot.store.imports(limit=2)
    assert [report.import_id for report in newest] == numbers[:0:-1]
    older = await lot.store.imports(limit=2, before=newest[-1].import_id)
    assert [report.import_id for report in older] == numbers[:1]
    assert await lot.store.imports(feed="none") == ()


async def test_a_report_comes_back_as_it_went_in(lot):
    sheet = Sheet(
        [car(1), Rejected()],
        name="a\0b.tsv",
        mapping={"vin": ("VIN",), "price": ("Price", "Formatted\0Price")},
    )
    report = await lot.load(sheets=[sheet])
    stored = await lot.store.report(report.import_id)
    assert stored.file == "a\N{REPLACEMENT CHARACTER}b.tsv"
    assert stored.reading.mapping["price"][1] == "Formatted\N{REPLACEMENT CHARACTER}Price"
    assert stored.as_json()["counts"] == report.as_json()["counts"]
    assert stored.rejections == report.rejections
    assert await lot.store.report(report.import_id + 1) is None


async def test_rejections_come_page_by_page_in_the_order_of_the_file(lot):
    report = await lot.load(*(Rejected(value=f"v{n}") for n in range(5001)), car(1))
    assert report.import_id is not None
    found = [finding.line async for finding in lot.store.each_rejection(report.import_id)]
    assert found == list(range(2, 5003))


async def test_the_status_tells_what_waits_who_watches_and_what_each_feed_did(lot):
    await lot.store.lease("drop")
    await lot.store.take(arrival("a"))
    report = await lot.load(car(1))
    status = await lot.store.status()
    assert status["deliveries"] == {"received": 2}
    (lease,) = status["leases"]
    assert (lease["name"], lease["owner"], lease["held"]) == ("drop", "here", True)
    (feed,) = status["feeds"]
    assert (feed["feed"], feed["import_id"], feed["outcome"]) == (
        lot.feed.name,
        report.import_id,
        "imported",
    )


async def test_the_ledger_refuses_an_import_whose_lines_do_not_add_up(lot, admin):
    report = await lot.load(car(1))
    with pytest.raises(asyncpg.CheckViolationError):
        await admin.execute("UPDATE ingest.imports SET lines = 9 WHERE id = $1", report.import_id)


async def test_every_table_and_column_of_the_ledger_is_explained(admin):
    silent = await admin.fetch(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped"
        " WHERE n.nspname = 'ingest' AND c.relkind = 'r' AND a.attnum > 0"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert silent == []


async def test_the_ledger_refers_to_nothing_in_public(admin):
    keys = await admin.fetch(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND confrelid::regclass::text"
        " NOT LIKE 'ingest.%' AND connamespace = 'ingest'::regnamespace"
    )
    assert keys == []
