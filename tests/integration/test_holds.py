"""What looks wrong is held, and how it is let go: design section 5, Guard."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from ingestd.errors import OlderFirst
from ingestd.model import Outcome
from ingestd.report import Report
from tests.integration.days import Days, Row, cars
from tests.integration.lot import Rejected, Sheet, add_lot, car, counts

LOT = range(100)


async def book(days: Days, *tables: str) -> list[list[asyncpg.Record]]:
    """All that a held delivery must leave alone."""
    admin, names = days.lot.admin, ("listings", "feeds", "deactivations", "vehicle_extras", *tables)
    found = [await admin.fetch("SELECT ctid, xmin, * FROM vehicles ORDER BY id")]
    return found + [
        await admin.fetch(f"SELECT * FROM ingest.{name} t ORDER BY t") for name in names
    ]


async def standing(days: Days) -> asyncpg.Record:
    (row,) = await days.lot.admin.fetch("SELECT * FROM ingest.feeds")
    return row


async def cut(days: Days, day: float, *numbers: int) -> Report:
    return await days.load(day, *cars(*numbers))


# Deactivations held.


async def test_a_delivery_that_lost_too_many_is_applied_and_its_deactivations_are_held(days):
    await cut(days, 0, *LOT)
    report = await days.load(1, *cars(*range(60), mileage=20))
    assert (report.outcome, report.held_deactivations) == (Outcome.IMPORTED, 40)
    assert counts(report) == {"updated": 60}
    assert (len(await days.on()), await days.misses()) == (100, {})


async def test_it_is_imported_although_no_row_changed_and_says_why(days):
    await cut(days, 0, *LOT)
    report = await cut(days, 1, *range(60))
    assert (report.outcome, counts(report)) == (Outcome.IMPORTED, {"unchanged": 60})
    assert report.message == (
        "40 of 100 vehicles are no longer listed (40 %; at most 35 % are believed, 1 day after"
        " the delivery before): they stay as they are until 3 further deliveries, 20 hours apart,"
        " say the same (0 so far)"
    )
    gone = f"; `ingestd imports approve {report.import_id}` says that they are gone"
    assert report.told() == f"{report.message}{gone}"


async def test_35_in_100_are_believed(days):
    await cut(days, 0, *LOT)
    report = await cut(days, 1, *range(65))
    assert (report.held_deactivations, len(await days.misses())) == (0, 35)


async def test_after_a_pause_more_are_believed(days):
    await cut(days, 0, *LOT)
    assert (await cut(days, 6.5, *range(40))).held_deactivations == 0
    assert len(await days.misses()) == 60


async def test_five_vehicles_are_believed_whatever_their_share(days):
    await cut(days, 0, *range(10))
    assert (await cut(days, 1, *range(5))).held_deactivations == 0
    assert len(await days.misses()) == 5


async def test_six_of_ten_are_not_believed_and_of_nine_no_share_is_judged(lot, store, admin):
    ten, nine = Days(lot), Days(await add_lot(store, admin, "South"))
    await cut(ten, 0, *range(10))
    assert (await cut(ten, 1, *range(4))).held_deactivations == 6
    await cut(nine, 0, *range(101, 110))
    assert (await cut(nine, 1, *range(101, 104))).held_deactivations == 0


async def test_a_hold_lapses_with_the_next_delivery_that_passes_and_switches_nothing_off(days):
    await cut(days, 0, *LOT)
    for day, left in ((1, 60), (2, 50), (3, 41), (4, 33)):
        report = await days.load(day, *cars(*range(left), mileage=10 + day))
        assert (report.held_deactivations, counts(report)) == (100 - left, {"updated": left})
    report = await days.load(5, *cars(*LOT, mileage=20))
    assert (report.deactivated, report.held_deactivations) == (0, 0)
    assert (len(await days.on()), await days.misses()) == (100, {})
    assert (await standing(days))["hold_first_seen"] is None
    assert not await days.lot.admin.fetchval("SELECT bool_or(held) FROM ingest.listings")


async def test_after_a_lapse_misses_are_counted_from_the_first(days):
    await cut(days, 0, *LOT)
    await cut(days, 1, *range(60))
    await cut(days, 2, *range(99))
    assert await days.misses() == {"S99": 1}


async def test_three_further_deliveries_that_agree_confirm_it(days):
    await cut(days, 0, *LOT)
    for day in (1, 2, 3):
        report = await cut(days, day, *range(40))
        assert (report.deactivated, report.held_deactivations) == (0, 60)
    report = await cut(days, 4, *range(40))
    assert (report.deactivated, report.held_deactivations) == (60, 0)
    assert report.outcome is Outcome.IMPORTED
    assert (len(await days.on()), (await standing(days))["hold_confirmed"]) == (40, None)


async def test_when_it_is_confirmed_the_baseline_moves(days):
    await cut(days, 0, *LOT)
    for day in (1, 2, 3, 4):
        await cut(days, day, *range(40))
    report = await cut(days, 5, *range(30))
    assert report.held_deactivations == 0
    assert set(range(30, 40)) <= {int(number[1:]) for number in await days.misses()}


async def test_deliveries_that_come_too_soon_confirm_nothing(days):
    await cut(days, 0, *LOT)
    for hour in (0, 1, 2, 3, 4, 5):
        report = await cut(days, 1 + hour / 24, *range(40))
        assert (report.held_deactivations, len(await days.on())) == (60, 100)


async def test_one_that_disagrees_begins_the_hold_anew(days):
    await cut(days, 0, *LOT)
    for day in (1, 2, 3):
        await cut(days, day, *range(40))
    assert (await cut(days, 4, *range(10, 55))).held_deactivations == 55
    for day in (5, 6):
        assert (await cut(days, day, *range(10, 55))).held_deactivations == 55
    assert (await cut(days, 7, *range(10, 55))).deactivated == 55


async def test_nine_tenths_in_common_agree(days):
    await cut(days, 0, *LOT)
    await cut(days, 1, *range(40))
    for day in (2, 3):
        await cut(days, day, *range(2, 40), 200, 201)  # 38 of 42
    assert (await cut(days, 4, *range(40))).deactivated == 60


async def test_a_cut_off_file_confirms_nothing(days):
    await cut(days, 0, *LOT)
    for day in (1, 2, 3, 4, 5):
        report = await days.load(day, sheets=[Sheet(cars(*range(40)), cut_off=True)])
        assert report.held_deactivations == 60
    assert len(await days.on()) == 100


async def test_what_another_feed_lists_by_then_stays(lot):
    one, other = Days(lot), Days(lot, name="other")
    await cut(one, 0, *LOT)
    await cut(one, 1, *range(40))
    await cut(other, 1.5, *range(90, 100))
    for day in (2, 3):
        await cut(one, day, *range(40))
    report = await cut(one, 4, *range(40))
    assert (report.deactivated, len(await one.on())) == (50, 50)


async def test_rejected_rows_are_not_lost(days):
    await cut(days, 0, *LOT)
    named = [Rejected("too_few_cells", stock_number=f"S{number}") for number in range(55, 100)]
    assert (await days.load(1, *cars(*range(55)), *named)).held_deactivations == 0


async def test_a_feed_that_keeps_holds_no_deactivations(lot):
    days = Days(lot, missing="keep")
    await cut(days, 0, *LOT)
    assert (await cut(days, 1, *range(50))).held_deactivations == 0


async def test_the_thresholds_are_options_of_the_feed(lot):
    days = Days(lot, guard={"most_lost": "10%", "most_lost_a_day": "1%", "confirmations": 1})
    await cut(days, 0, *LOT)
    assert (await cut(days, 1, *range(89))).held_deactivations == 11
    assert (await cut(days, 2, *range(89))).deactivated == 11


async def test_where_older_ones_wait_a_hold_lets_them_go_first(days):
    await cut(days, 0, *LOT)
    seen = await days.lot.store.now() - timedelta(days=99.5)
    await days.lot.deliver(first_seen=seen, lane=days.lot.feed.name)
    with pytest.raises(OlderFirst, match="older deliveries of this feed go first: 60 of 100"):
        await cut(days, 1, *range(40))
    with pytest.raises(OlderFirst, match="it looks like another dealer's"):
        await cut(days, 1, *range(200, 300))
    assert (await standing(days))["hold_first_seen"] is None
    assert (await cut(days, 2, *range(90))).held_deactivations == 0


# Everything held.


async def held(days: Days, day: float, reason: str, sheets: Sequence[Sheet]) -> Report:
    """Load what must be held as a whole, and see that nothing was written."""
    before = await book(days)
    report = await days.load(day, sheets=sheets)
    assert {(made.outcome, made.reason) for made in days.lot.reports} == {(Outcome.HELD, reason)}
    assert await book(days) == before
    assert "ingestd" not in report.message
    assert f"`ingestd imports approve {report.import_id}` loads it all the same" in report.told()
    return report


async def test_more_than_half_of_the_rows_rejected_hold_it(days):
    await cut(days, 0, *LOT)
    rows: list[Row] = [
        *cars(*range(4)),
        *cars(200),
        *[Rejected(value=str(number)) for number in range(6)],
    ]
    report = await held(days, 1, "rejected_rows", [Sheet(rows)])
    assert counts(report) == {"added": 1, "unchanged": 4, "rejected": 6}
    assert report.message.startswith("6 of 11 rows cannot be loaded (55 %; at most 50 %")
    found = await days.lot.admin.fetchval("SELECT count(*) FROM ingest.rejections")
    assert found == 6


async def test_half_of_them_do_not_and_of_nine_no_share_is_judged(days):
    half = [*cars(*range(5)), *[Rejected(value=str(number)) for number in range(5)]]
    assert (await days.load(0, *half)).outcome is Outcome.IMPORTED
    few = [car(1), *[Rejected(value=str(number)) for number in range(8)]]
    assert (await days.load(1, *few)).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("name", ["year", "price", "vin"])
async def test_a_column_that_can_no_longer_be_read_holds_it(days, name):
    await days.load(0, sheets=[Sheet(cars(*LOT), readable={name: (91, 100)})])
    report = await held(
        days, 1, "unreadable_column", [Sheet(cars(*LOT), readable={name: (49, 100)})]
    )
    assert "only 49 of 100 cells" in report.message
    good = Sheet(cars(*LOT), readable={name: (50, 100)})
    assert (await days.load(2, sheets=[good])).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("before", [{"price": (90, 100)}, {"price": (9, 9)}, {}])
async def test_a_column_that_never_could_be_read_holds_nothing(days, before):
    await days.load(0, sheets=[Sheet(cars(*LOT), readable=before)])
    bad = Sheet(cars(*LOT), readable={"price": (0, 100)})
    assert (await days.load(1, sheets=[bad])).outcome is Outcome.UNCHANGED


async def test_a_column_without_any_cell_is_not_judged(days):
    await days.load(0, sheets=[Sheet(cars(*LOT), readable={"price": (100, 100)})])
    blank = Sheet(cars(*LOT), readable={"price": (0, 0)})
    assert (await days.load(1, sheets=[blank])).outcome is Outcome.UNCHANGED


async def test_prices_that_jump_hold_it(days):
    await cut(days, 0, *LOT)
    report = await held(
        days,
        1,
        "price_jump",
        [Sheet([*cars(*range(51), price="1999.50"), *cars(*range(51, 100))])],
    )
    assert counts(report) == {"updated": 51, "unchanged": 49}
    half = [*cars(*range(50), price="1999.50"), *cars(*range(50, 100))]
    assert counts(await days.load(2, *half)) == {"updated": 50, "unchanged": 50}


async def test_prices_are_compared_with_what_the_feed_applied_not_with_other_peoples_edits(days):
    await cut(days, 0, *LOT)
    await days.lot.admin.execute("UPDATE vehicles SET price = 1")
    assert counts(await cut(days, 1, *LOT)) == {"updated": 100}


async def test_prices_that_were_cleared_are_no_jump(days):
    await cut(days, 0, *LOT)
    assert counts(await days.load(1, *cars(*LOT, price=None))) == {"updated": 100}


async def test_another_lot_is_held(days):
    await cut(days, 0, *range(20))
    report = await held(days, 1, "another_lot", [Sheet(cars(*range(19, 49)))])
    assert report.message.startswith("of the 20 vehicles listed before, 1 are among the 30 of")


async def test_a_tenth_in_common_is_the_same_lot_and_so_is_a_part_of_it(days):
    await cut(days, 0, *range(20))
    assert (await cut(days, 1, *range(18, 48))).outcome is Outcome.IMPORTED
    await cut(days, 2, *range(18, 400))
    report = await cut(days, 3, *range(30, 50))
    assert (report.outcome, report.held_deactivations) == (Outcome.IMPORTED, 20)


async def test_of_nineteen_vehicles_none_is_another_lot(days):
    await cut(days, 0, *range(19))
    assert (await cut(days, 1, *range(100, 130))).outcome is Outcome.IMPORTED


async def test_a_delta_may_list_other_vehicles_every_day(lot):
    days = Days(lot, mode="delta", missing="keep")
    await cut(days, 0, *range(30))
    assert counts(await cut(days, 1, *range(30, 60))) == {"added": 30}


async def test_another_dealers_id_holds_it(days):
    await days.load(0, sheets=[Sheet(cars(1), dealer_ids=("123",))])
    await days.load(1, sheets=[Sheet(cars(1))])
    report = await held(days, 2, "other_dealer", [Sheet(cars(1), dealer_ids=("124",))])
    assert report.message == "the dealer's id is '124'; until now it was '123'"


async def test_several_dealers_ids_hold_it(days):
    report = await held(days, 0, "several_dealers", [Sheet(cars(1), dealer_ids=("1", "2"))])
    assert "('1', '2')" in report.message


async def test_where_one_file_is_held_all_are(days):
    await cut(days, 0, *LOT)
    good = Sheet(cars(*range(5)), "new.tsv")
    bad = Sheet([Rejected(value=str(number)) for number in range(20)], "used.tsv")
    broken = Sheet(name="old.tsv", reason="no_header")
    await held(days, 1, "rejected_rows", [good, bad, broken])
    assert days.lot.reports[2].message.endswith(
        "of this file nothing can be read: nothing to be read in it"
    )


async def test_what_is_held_is_not_the_latest_and_an_older_one_may_still_come(days):
    await cut(days, 0, *LOT)
    await held(days, 5, "another_lot", [Sheet(cars(*range(200, 300)))])
    assert (await cut(days, 3, *range(1, 100))).outcome is Outcome.UNCHANGED


async def test_a_dry_run_tells_that_it_would_be_held(days):
    await cut(days, 0, *LOT)
    lot = days.lot
    lot.feed = lot.feed.model_copy(update=days.options)
    report = await lot.load(*cars(*range(200, 300)), delivery=await lot.deliver(), dry_run=True)
    assert (report.outcome, report.import_id) == (Outcome.HELD, None)


# Approved.


async def approve(days: Days, report: Report, *numbers: int, **fields: int) -> Report:
    """Load a delivery once more, as the daemon does when an operator approved its import."""
    lot = days.lot
    await lot.admin.execute(
        "UPDATE ingest.imports SET decision = 'approve' WHERE id = $1", report.import_id
    )
    feed = lot.feed
    lot.feed = feed.model_validate({**feed.model_dump(), **days.options})
    deliveries = await lot.admin.fetch("SELECT * FROM ingest.deliveries ORDER BY id")
    (row,) = [row for row in deliveries if row["id"] == report.delivery_id]
    delivery = await lot.deliver(key=row["key"], first_seen=row["first_seen"])
    try:
        return await lot.load(*cars(*numbers, **fields), delivery=delivery)
    finally:
        lot.feed = feed


async def test_of_an_approved_delivery_the_rows_are_not_judged_and_what_it_lost_is(days):
    """Nobody who approved its rows was told how many vehicles it would switch off."""
    await cut(days, 0, *range(30))
    report = await held(days, 1, "another_lot", [Sheet(cars(*range(30, 60)))])
    done = await approve(days, report, *range(30, 60))
    assert (done.outcome, counts(done), done.deactivated) == (Outcome.IMPORTED, {"added": 30}, 0)
    assert (done.held_deactivations, len(await days.on())) == (30, 60)
    gone = await approve(days, report, *range(30, 60))
    assert (counts(gone), gone.deactivated, len(await days.on())) == ({"added": 30}, 30, 30)


async def test_an_approved_jump_of_prices_switches_nothing_off_of_which_it_did_not_tell(days):
    await cut(days, 0, *range(30))
    dearer = cars(*range(12), price=90_000)
    report = await held(days, 1, "price_jump", [Sheet(dearer)])
    done = await approve(days, report, *range(12), price=90_000)
    assert (done.deactivated, done.held_deactivations, len(await days.on())) == (0, 18, 30)


async def test_approved_deactivations_happen_at_once_and_the_baseline_moves(days):
    await cut(days, 0, *LOT)
    report = await cut(days, 1, *range(40))
    done = await approve(days, report, *range(40))
    assert (done.deactivated, done.held_deactivations, len(await days.on())) == (60, 0, 40)
    assert (await standing(days))["hold_first_seen"] is None
    assert (await cut(days, 2, *range(39))).held_deactivations == 0
    assert (await days.misses())["S39"] == 1
