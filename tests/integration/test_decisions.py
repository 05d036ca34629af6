"""What a person decides: approve, deny, replay, drop; what is done then, and what is refused."""

from collections.abc import AsyncIterator

import pytest

from ingestd.config import Config, Feed
from ingestd.errors import OutOfTurn, Refused
from ingestd.model import Arrival, Delivery, File, Outcome, State
from ingestd.report import Report
from ingestd.store.postgres import PostgresStore
from tests.integration.days import cars
from tests.integration.lot import Lot, Rejected, Sheet, add_lot, counts, opened

ROWS = [Rejected(value=f"row {number}") for number in range(12)]


@pytest.fixture
async def other(database) -> AsyncIterator[PostgresStore]:
    async with opened(database.ingestd_url, owner="elsewhere") as opened_store:
        yield opened_store


@pytest.fixture
async def lot(store, admin) -> Lot:
    made = await add_lot(store, admin, "North")
    made.feed = Feed(name="north", dealership=made.number, mode="full", missing="deactivate")
    return made


async def deliver(lot: Lot, number: int = 1) -> Delivery:
    """Take a delivery of the feed, with bytes of its own."""
    return await lot.deliver(lane=lot.feed.name, sha256=f"{number:064x}")


async def done(lot: Lot, delivery: Delivery, *rows) -> Report:
    """Load a delivery as the daemon does: claim, load, close."""
    claimed = await lot.store.claim(delivery.id, ())
    assert claimed is not None
    report = await lot.load(*rows, delivery=claimed)
    await lot.store.finish(claimed, ())
    return report


async def held(lot: Lot, number: int = 1, *rows) -> tuple[Delivery, Report]:
    """Have a delivery held, since most of its rows are rejected."""
    delivery = await deliver(lot, number)
    report = await done(lot, delivery, *(rows or cars(1, 2)), *ROWS)
    assert (report.outcome, report.reason) == (Outcome.HELD, "rejected_rows")
    return delivery, report


async def standing(store: PostgresStore, delivery: Delivery) -> tuple[str, str | None, str | None]:
    (told,) = await store.deliveries(delivery.id)
    return told["state"], told["outcome"], told["reason"]


async def again(lot: Lot, delivery: Delivery, *rows) -> Report:
    """Do what the daemon does with a delivery that is its turn."""
    claimed = await lot.store.claim(None, ())
    assert claimed is not None
    assert claimed.id == delivery.id
    report = await lot.load(*rows, delivery=claimed)
    await lot.store.finish(claimed, ())
    return report


# Held.


async def test_of_what_is_held_nothing_is_written_and_its_bytes_are_kept(lot):
    delivery, report = await held(lot)
    await lot.store.settled(delivery)

    assert await lot.vehicles() == []
    assert await standing(lot.store, delivery) == ("done", "held", "rejected_rows")
    assert counts(report) == {"added": 2, "rejected": 12}
    assert delivery.arrival.sha256 in await lot.store.owed()


# Approved.


async def test_what_is_approved_is_loaded_and_its_one_report_is_rewritten(lot, admin):
    delivery, report = await held(lot)
    decided = await lot.store.approve(report.import_id)
    assert (decided.refusal, decided.delivery_id, decided.feed) == (None, delivery.id, "north")
    assert await standing(lot.store, delivery) == ("received", None, None)

    loaded = await again(lot, delivery, *cars(1, 2), *ROWS)
    assert (loaded.outcome, loaded.reason) == (Outcome.IMPORTED, None)
    assert (loaded.import_id, counts(loaded)) == (report.import_id, {"added": 2, "rejected": 12})
    assert len(await lot.vehicles()) == 2
    assert await standing(lot.store, delivery) == ("done", "imported", None)
    assert await lot.store.imports_of(delivery.id) == (loaded,)
    assert len(await lot.store.rejections(report.import_id)) == 12
    assert await admin.fetchval("SELECT decision FROM ingest.imports") == "approved"
    (owed,) = await lot.store.unsettled(("drop",))
    assert (owed.delivery.id, owed.delivery.outcome) == (delivery.id, Outcome.IMPORTED)


async def test_an_approved_load_that_is_done_again_changes_nothing(lot):
    _, report = await held(lot)
    await lot.store.approve(report.import_id)
    claimed = await lot.store.claim(None, ())
    loaded = await lot.load(*cars(1, 2), *ROWS, delivery=claimed)
    versions = await lot.versions()

    assert await lot.load(*cars(1, 2), *ROWS, delivery=claimed) == loaded
    assert await lot.versions() == versions


async def test_all_files_of_the_feed_in_a_delivery_are_approved_by_one_word(lot):
    delivery = await lot.store.claim((await deliver(lot)).id, ())
    sheets = (Sheet(cars(1), "new.tsv"), Sheet((*cars(2), *ROWS), "used.tsv"))
    await lot.load(sheets=sheets, delivery=delivery)
    await lot.store.finish(delivery, ())
    assert {report.outcome for report in lot.reports} == {Outcome.HELD}

    assert (await lot.store.approve(lot.reports[0].import_id)).refusal is None
    claimed = await lot.store.claim(None, ())
    await lot.load(sheets=sheets, delivery=claimed)
    assert {report.outcome for report in lot.reports} == {Outcome.IMPORTED}
    assert len(await lot.vehicles()) == 2


async def test_what_is_approved_twice_is_loaded_once(lot):
    delivery, report = await held(lot)
    assert (await lot.store.approve(report.import_id)).refusal is None
    assert (await lot.store.approve(report.import_id)).refusal is None
    await again(lot, delivery, *cars(1, 2), *ROWS)

    assert await lot.store.claim(None, ()) is None
    refusal = (await lot.store.approve(report.import_id)).refusal
    assert "is imported; only what is held can be approved" in (refusal or "")


async def test_what_is_approved_goes_before_what_waits_and_the_newer_lands_on_it(lot):
    delivery, report = await held(lot)
    newer = await deliver(lot, 2)
    await lot.store.approve(report.import_id)

    await again(lot, delivery, *cars(1, 2, price="10000.00"), *ROWS)
    await again(lot, newer, *cars(1, 2, price="11000.00"))
    assert {row["price"] for row in await lot.vehicles("price::int")} == {11000}


async def test_once_a_newer_one_was_applied_there_is_nothing_to_approve(lot):
    delivery, report = await held(lot)
    newer = await deliver(lot, 2)
    await done(lot, newer, *cars(1))

    refusal = (await lot.store.approve(report.import_id)).refusal
    assert f"is older than delivery {newer.id}, which was applied since" in (refusal or "")
    assert f"ingestd imports deny {report.import_id}" in (refusal or "")
    assert await standing(lot.store, delivery) == ("done", "held", "rejected_rows")


async def test_what_is_overtaken_between_the_word_and_the_load_is_superseded(lot):
    delivery, report = await held(lot)
    await lot.store.approve(report.import_id)
    await done(lot, await deliver(lot, 2), *cars(1))

    late = await again(lot, delivery, *cars(1, 2), *ROWS)
    assert (late.outcome, late.reason) == (Outcome.SUPERSEDED, "newer_applied")
    assert (late.import_id, late.counts) == (report.import_id, None)
    assert len(await lot.vehicles()) == 1


async def test_of_two_that_are_held_the_older_may_be_approved_and_then_the_newer(lot):
    first, older = await held(lot)
    second, newer = await held(lot, 2)
    await lot.store.approve(older.import_id)
    await again(lot, first, *cars(1, 2), *ROWS)
    await lot.store.approve(newer.import_id)
    await again(lot, second, *cars(1, 3), *ROWS)

    assert len(await lot.vehicles()) == 3


async def test_what_could_not_be_loaded_is_held_as_it_was_and_may_be_approved_again(lot):
    delivery, report = await held(lot)
    await lot.store.approve(report.import_id)
    claimed = await lot.store.claim(None, ())
    settlement = await lot.store.finish(claimed, (), "the parser died three times")

    assert (settlement.delivery.state, settlement.outcome) == (State.DONE, Outcome.HELD)
    assert await lot.store.imports_of(delivery.id) == (report,)
    assert (await lot.store.approve(report.import_id)).refusal is None
    assert (await again(lot, delivery, *cars(1, 2), *ROWS)).outcome is Outcome.IMPORTED


async def test_who_was_overtaken_does_not_close_what_was_approved_since(lot, other, admin):
    """An instance stalls, another does the delivery and has it held, and it is approved there."""
    delivery = await deliver(lot)
    stalled = await lot.store.claim(delivery.id, ())
    await admin.execute("UPDATE ingest.deliveries SET lease_until = now() - interval '1 second'")
    await other.take(delivery.arrival)
    rival = Lot(other, admin, lot.number)
    rival.feed = lot.feed
    report = await done(rival, delivery, *cars(1, 2), *ROWS)
    assert (await other.approve(report.import_id)).refusal is None

    with pytest.raises(OutOfTurn, match="is not with this instance any more"):
        await lot.store.finish(stalled, ())
    assert await standing(other, delivery) == ("received", None, None)
    assert (await again(rival, delivery, *cars(1, 2), *ROWS)).outcome is Outcome.IMPORTED


async def test_an_approved_delivery_takes_the_files_along_that_were_nobodys_when_it_was_held(lot):
    """Between the hold and the word the configuration was widened: a file has got its feed."""
    delivery = await lot.store.claim((await deliver(lot)).id, ())
    held = Sheet((*cars(1, 2), *ROWS), "new.tsv")
    await lot.load(sheets=[held], delivery=delivery)
    nobodys = File(1, "used.tsv", 9, None, "no_feed", "no feed takes it")
    closed = await lot.store.finish(delivery, (nobodys,))
    assert [report.reason for report in closed.reports] == ["rejected_rows", "no_feed"]

    assert (await lot.store.approve(closed.reports[0].import_id)).refusal is None
    claimed = await lot.store.claim(None, ())
    await lot.load(sheets=[held, Sheet(cars(3), "used.tsv")], delivery=claimed)
    settlement = await lot.store.finish(claimed, ())
    assert [(r.outcome, r.reason) for r in settlement.reports] == [(Outcome.IMPORTED, None)] * 2
    assert len(await lot.vehicles()) == 3


async def test_a_file_that_was_loaded_for_another_feed_is_left_so_and_it_is_said(lot, admin):
    """Between the hold and the word the configuration was changed: a file has another feed."""
    delivery = await lot.store.claim((await deliver(lot)).id, ())
    await lot.load(sheets=[Sheet((*cars(1, 2), *ROWS), "new.tsv")], delivery=delivery)
    await admin.execute(
        "INSERT INTO ingest.imports (delivery_id, file_index, file, feed, outcome, message,"
        " started_at) VALUES ($1, 1, 'used.tsv', 'used', 'superseded', '', now())",
        delivery.id,
    )
    await lot.store.finish(delivery, ())

    await lot.store.approve(lot.reports[0].import_id)
    claimed = await lot.store.claim(None, ())
    sheets = [Sheet((*cars(1, 2), *ROWS), "new.tsv"), Sheet(cars(3), "used.tsv")]
    with pytest.raises(Refused, match="was loaded for another feed") as caught:
        await lot.load(sheets=sheets, delivery=claimed)
    assert caught.value.reason == "several_feeds"
    assert await lot.vehicles() == []


async def test_only_who_has_the_bytes_approves_and_only_it_does_it(lot, other):
    delivery, report = await held(lot)
    refusal = (await other.approve(report.import_id)).refusal
    assert "is with here; do it there" in (refusal or "")

    await lot.store.approve(report.import_id)
    assert await other.claim(None, ()) is None
    assert (await lot.store.claim(None, ())).id == delivery.id


async def test_what_a_command_brought_is_left_to_the_command_that_approves_it(lot, admin):
    taken = await lot.deliver(kind="cli", source="cli", lane="cli/k", hint="north")
    await admin.execute("UPDATE ingest.deliveries SET first_seen = now() - interval '1 hour'")
    report = await done(lot, taken, *cars(1, 2), *ROWS)
    decided = await lot.store.approve(report.import_id)

    assert (decided.by_command, await lot.store.claim(None, ())) == (True, None)
    assert (await lot.store.claim(taken.id, ())).id == taken.id


# Deactivations that are held.


async def cut_short(lot: Lot) -> tuple[Delivery, Report]:
    """Load a lot of 40, then a file that lists 12 of them at another price."""
    await done(lot, await deliver(lot), *cars(*range(40)))
    delivery = await deliver(lot, 2)
    report = await done(lot, delivery, *cars(*range(12), price="19000.00"))
    assert (report.outcome, report.held_deactivations) == (Outcome.IMPORTED, 28)
    return delivery, report


async def test_held_deactivations_are_done_when_they_are_approved(lot):
    delivery, report = await cut_short(lot)
    await lot.store.settled(delivery)
    assert delivery.arrival.sha256 in await lot.store.owed()
    assert (await lot.store.approve(report.import_id)).refusal is None

    loaded = await again(lot, delivery, *cars(*range(12), price="19000.00"))
    assert (loaded.import_id, loaded.outcome) == (report.import_id, Outcome.IMPORTED)
    assert (loaded.deactivated, loaded.held_deactivations) == (28, 0)
    assert counts(loaded) == counts(report) == {"updated": 12}
    assert len(await lot.vehicles(where="is_active")) == 12
    assert len(await lot.store.imports_of(delivery.id)) == 1


async def test_what_somebody_changed_meanwhile_is_counted_when_it_is_healed(lot, admin):
    delivery, report = await cut_short(lot)
    await admin.execute("UPDATE vehicles SET price = 1 WHERE stock_number = 'S3'")
    await lot.store.approve(report.import_id)

    loaded = await again(lot, delivery, *cars(*range(12), price="19000.00"))
    assert counts(loaded) == {"updated": 1, "unchanged": 11}


async def test_only_the_latest_imports_deactivations_can_be_approved(lot):
    delivery, report = await cut_short(lot)
    await done(lot, await deliver(lot, 3), *cars(*range(12), price="19500.00"))

    refusal = (await lot.store.approve(report.import_id)).refusal
    assert "is not its feed's latest" in (refusal or "")
    assert await standing(lot.store, delivery) == ("done", "imported", None)
    assert len(await lot.vehicles(where="is_active")) == 40


async def test_deactivations_whose_approval_is_overtaken_stay_undone_and_the_report_true(lot):
    delivery, report = await cut_short(lot)
    await lot.store.approve(report.import_id)
    await done(lot, await deliver(lot, 3), *cars(*range(40)))

    await again(lot, delivery, *cars(*range(12), price="19000.00"))
    assert await lot.store.imports_of(delivery.id) == (report,)
    assert len(await lot.vehicles(where="is_active")) == 40
    assert await standing(lot.store, delivery) == ("done", "imported", None)


async def test_held_deactivations_are_not_denied_but_lapse(lot):
    _, report = await cut_short(lot)
    refusal = (await lot.store.deny(report.import_id)).refusal
    assert "was loaded; its deactivations stay held" in (refusal or "")


# Denied.


async def test_what_is_denied_counts_as_rejected_and_its_source_is_told(lot, other):
    delivery, report = await held(lot)
    await lot.store.settled(delivery)
    assert (await other.deny(report.import_id)).refusal is None

    (denied,) = await lot.store.imports_of(delivery.id)
    assert (denied.outcome, denied.reason, denied.counts) == (Outcome.REJECTED, "denied", None)
    assert (denied.import_id, denied.lines) == (report.import_id, None)
    assert denied.rejections == report.rejections != ()
    assert len(await lot.store.rejections(report.import_id)) == 12
    assert await standing(lot.store, delivery) == ("done", "rejected", "denied")
    (owed,) = await lot.store.unsettled(("drop",))
    await lot.store.settled(owed.delivery)
    assert delivery.arrival.sha256 not in await lot.store.owed()
    assert await lot.vehicles() == []


async def test_a_delivery_with_another_feeds_good_file_is_as_bad_as_its_worst(lot, admin):
    delivery, report = await held(lot)
    await admin.execute(
        "INSERT INTO ingest.imports (delivery_id, file_index, file, feed, outcome, started_at,"
        " lines, header, blank, added, updated, unchanged, duplicate, rejected)"
        " VALUES ($1, 7, 'south.tsv', 'south', 'imported', now(), 1, 1, 0, 0, 0, 0, 0, 0)",
        delivery.id,
    )
    await lot.store.deny(report.import_id)

    assert await standing(lot.store, delivery) == ("done", "rejected", "denied")
    first, second = await lot.store.imports_of(delivery.id)
    assert (first.outcome, second.outcome) == (Outcome.REJECTED, Outcome.IMPORTED)


async def test_what_was_denied_may_be_done_again_and_is_judged_again(lot):
    delivery, report = await held(lot)
    await lot.store.deny(report.import_id)
    refusal = (await lot.store.approve(report.import_id)).refusal
    assert "is rejected; only what is held can be approved" in (refusal or "")
    refusal = (await lot.store.deny(report.import_id)).refusal
    assert "is rejected; only what is held can be denied" in (refusal or "")

    assert await lot.store.redo(delivery.id) is None
    claimed = await lot.store.claim(None, ())
    assert (await lot.load(*cars(1, 2), *ROWS, delivery=claimed)).outcome is Outcome.HELD


async def test_what_is_being_loaded_is_not_denied(lot):
    _, report = await held(lot)
    await lot.store.approve(report.import_id)
    refusal = (await lot.store.deny(report.import_id)).refusal
    assert "is being done again" in (refusal or "")


async def test_there_must_be_such_an_import_or_delivery(store):
    decided = [await store.approve(99), await store.deny(99), await store.replay(99)]
    assert {each.refusal for each in decided} == {
        "there is no import 99; `ingestd imports list` shows the latest"
    }
    assert "there is no delivery 99" in (await store.drop(99) or "")


# Once more, as the newest.


async def test_a_replay_is_the_newest_of_its_feed(lot):
    old = await deliver(lot)
    report = await done(lot, old, *cars(1, price="10000.00"))
    await done(lot, await deliver(lot, 2), *cars(1, price="11000.00"))
    decided = await lot.store.replay(report.import_id)

    claimed = await lot.store.claim(None, ())
    assert (claimed.id, claimed.arrival.lane) == (decided.delivery_id, "north")
    assert (claimed.arrival.sha256, claimed.arrival.only_feed) == (old.arrival.sha256, "north")
    assert claimed.arrival.came == old.arrival.first_seen < claimed.arrival.first_seen
    await lot.load(*cars(1, price="10000.00"), delivery=claimed)
    assert (await lot.sole("price::int"))["price"] == 10000


async def test_of_a_replay_no_source_is_told_and_no_dealer(database, lot, admin):
    settings = Config(feed=(lot.feed.model_copy(update={"reply_to": ("a@b.example",)}),))
    async with PostgresStore.opened(settings, database.ingestd_url, "here") as store:
        place = Arrival("inbox", "mail", "k", "m.eml", "1" * 64, 1, await store.now(), place=(7, 1))
        mail = await store.take(place)
        await store.claim(mail.id, ())
        await store.route(mail, "north", None)
        report = await lot.load(*cars(1), delivery=mail)
        await store.settled((await store.finish(mail, ())).delivery)
        replayed = await store.claim((await store.replay(report.import_id)).delivery_id, ())
        assert replayed is not None
        await lot.load(*cars(1), delivery=replayed)
        await store.finish(replayed, ())

        assert await store.unsettled(("inbox",)) == ()
        assert [owed.delivery.id for owed in await store.unsettled(())] == [replayed.id]
        owed = "SELECT array_agg(delivery_id) FROM ingest.replies"
        assert await admin.fetchval(owed) == [mail.id]


async def test_what_a_command_imported_is_replayed_by_the_daemon(lot):
    taken = await lot.deliver(kind="cli", source="cli", lane="cli/k", hint="north")
    report = await done(lot, taken, *cars(1))
    number = (await lot.store.replay(report.import_id)).delivery_id

    claimed = await lot.store.claim(None, ())
    assert (claimed.id, claimed.arrival.kind, claimed.arrival.hint) == (number, "folder", "north")


async def test_what_is_held_or_of_nobody_or_not_here_is_not_replayed(lot, other):
    _, report = await held(lot)
    good = await done(lot, await deliver(lot, 2), *cars(1))
    nobodys = await deliver(lot, 3)
    refused = File(0, "notes.txt", 1, None, "no_feed", "no feed takes it")
    settlement = await lot.store.finish(nobodys, (refused,))

    told = [
        await lot.store.replay(report.import_id),
        await lot.store.replay(settlement.reports[0].import_id),
        await other.replay(good.import_id),
    ]
    assert "is held: `ingestd imports approve" in (told[0].refusal or "")
    assert "is of no feed" in (told[1].refusal or "")
    assert "is with here; do it there" in (told[2].refusal or "")


# Given up.


async def test_a_delivery_that_waits_is_dropped_and_its_source_is_told(lot, other):
    delivery = await deliver(lot)
    assert await other.drop(delivery.id) is None

    assert await lot.store.claim(None, ()) is None
    assert await standing(lot.store, delivery) == ("done", "rejected", "dropped")
    (owed,) = await lot.store.unsettled(("drop",))
    (report,) = owed.reports
    assert (report.outcome, report.reason, report.feed) == (Outcome.REJECTED, "dropped", "north")


async def test_a_delivery_that_was_set_aside_is_dropped_for_good(lot):
    delivery = await deliver(lot)
    await lot.store.claim(delivery.id, ())
    await lot.store.finish(delivery, (), "the parser died")
    assert await standing(lot.store, delivery) == ("quarantined", "failed", "internal_error")

    assert await lot.store.drop(delivery.id) is None
    assert await standing(lot.store, delivery) == ("done", "rejected", "dropped")
    (report,) = await lot.store.imports_of(delivery.id)
    assert report.message.endswith("it had failed: the parser died")


async def test_what_was_dropped_while_somebody_had_it_is_not_loaded(lot, admin):
    delivery = await deliver(lot)
    claimed = await lot.store.claim(delivery.id, ())
    told = await lot.store.drop(delivery.id)
    assert "is being worked on" in (told or "")
    await admin.execute("UPDATE ingest.deliveries SET lease_until = now() - interval '1 s'")
    assert await lot.store.drop(delivery.id) is None

    assert (await lot.load(*cars(1), delivery=claimed)).reason == "dropped"
    settlement = await lot.store.finish(claimed, ())
    assert settlement.outcome is Outcome.REJECTED
    assert await lot.vehicles() == []


async def test_what_was_dropped_before_anybody_knew_whose_it_is_is_not_loaded(lot, admin):
    claimed = await lot.store.claim((await lot.deliver(lane="?")).id, ())
    await admin.execute("UPDATE ingest.deliveries SET lease_until = now() - interval '1 s'")
    assert await lot.store.drop(claimed.id) is None

    with pytest.raises(OutOfTurn, match="closed meanwhile"):
        await lot.load(*cars(1), delivery=claimed)
    assert await lot.vehicles() == []


async def test_what_is_held_approved_or_done_is_not_dropped(lot):
    delivery, report = await held(lot)
    told = [await lot.store.drop(delivery.id)]
    await lot.store.approve(report.import_id)
    told.append(await lot.store.drop(delivery.id))
    await again(lot, delivery, *cars(1, 2), *ROWS)
    told.append(await lot.store.drop(delivery.id))

    assert "is held; `ingestd imports deny`" in (told[0] or "")
    assert "is approved; it is about to be loaded" in (told[1] or "")
    assert "is imported: only what waits or is set aside" in (told[2] or "")


# Changes, which go oldest first.


async def test_an_import_of_changes_by_hand_has_to_wait_for_the_older_ones(lot):
    lot.feed = Feed(name="north", dealership=lot.number, mode="delta")
    assert await lot.store.in_the_way_of("north") is None
    waiting = await deliver(lot)
    assert await lot.store.in_the_way_of("north") == f"delivery {waiting.id} waits"
    await lot.store.finish(waiting, ())
    _, report = await held(lot, 2)
    told = await lot.store.in_the_way_of("north")
    assert f"import {report.import_id} of the feed north is held" in (told or "")


async def test_changes_that_come_after_newer_ones_are_lost_and_the_report_says_so(lot):
    lot.feed = Feed(name="north", dealership=lot.number, mode="delta")
    late, newer = await deliver(lot), await deliver(lot, 2)
    await done(lot, newer, *cars(1))
    report = await done(lot, late, *cars(2))

    assert (report.outcome, report.reason) == (Outcome.SUPERSEDED, "late_changes")
    assert f"came when delivery {newer.id}, which is newer, had been applied" in report.message
    assert "they are lost" in report.message


# What is left of a decision.


async def test_a_denied_import_keeps_why_it_was_held_who_denied_it_and_when(lot):
    delivery, report = await held(lot)
    before = await lot.store.now()
    await lot.store.deny(report.import_id, "anna")
    (denied,) = await lot.store.imports_of(delivery.id)

    assert denied.message.startswith("an operator looked at it and denied it; nothing was changed;")
    why = " it was held: rejected_rows: 12 of 14 rows cannot be loaded (86 %; at most 50 %"
    assert why in denied.message
    assert "approve" not in denied.message
    assert denied.decided is not None
    assert (denied.decided.what, denied.decided.by) == ("denied", "anna")
    assert denied.decided.at is not None
    assert before <= denied.decided.at <= await lot.store.now()


async def test_an_approved_import_keeps_why_it_was_held_and_who_approved_it(lot):
    delivery, report = await held(lot)
    await lot.store.approve(report.import_id, "anna")
    loaded = await again(lot, delivery, *cars(1, 2), *ROWS)

    assert loaded.message.startswith("approved; it was held: rejected_rows: 12 of 14 rows")
    assert loaded.decided is not None
    assert (loaded.decided.what, loaded.decided.by) == ("approved", "anna")
    assert await lot.store.imports_of(delivery.id) == (loaded,)


async def test_an_approval_that_lapses_leaves_no_name(lot, admin):
    delivery, report = await held(lot)
    await lot.store.approve(report.import_id, "anna")
    claimed = await lot.store.claim(None, ())
    await lot.store.finish(claimed, (), "the parser died of it")
    (same,) = await lot.store.imports_of(delivery.id)
    assert (same.decided, same.message) == (None, report.message)
    assert await admin.fetchval("SELECT num_nulls(decided_by, decided_at) FROM ingest.imports") == 2
