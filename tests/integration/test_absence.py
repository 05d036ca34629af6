"""Which vehicles a feed no longer lists, and what becomes of them: design section 5, Absence."""

from ingestd.model import Finding, Outcome
from tests.integration.days import Days, cars
from tests.integration.lot import Lot, Rejected, Sheet, car, counts, vin


def suspended(lot: Lot) -> list[Finding]:
    found = [w for report in lot.reports if report.reading for w in report.reading.warnings_list]
    return [warning for warning in found if warning.reason == "absence_suspended"]


async def test_a_vehicle_is_switched_off_after_three_misses_and_never_deleted(days):
    await days.load(0, *cars(1, 2, 3))
    for day in (1, 2):
        report = await days.load(day, *cars(1, 2))
        assert (report.outcome, report.deactivated) == (Outcome.UNCHANGED, 0)
        assert await days.on() == ["S1", "S2", "S3"]
    report = await days.load(3, *cars(1, 2))
    assert (report.outcome, report.deactivated) == (Outcome.IMPORTED, 1)
    assert await days.on() == ["S1", "S2"]
    assert await days.off() == ["S3"]
    assert (await days.lot.vehicles("status", "NOT is_active")) == [{"status": "active"}]


async def test_what_was_switched_off_is_written_down_with_its_delivery_and_its_history(days, admin):
    await days.load(0, *cars(1, 2))
    for day in (1, 2):
        await days.load(day, *cars(1))
    report = await days.load(3, *cars(1))
    row = await admin.fetchrow("SELECT * FROM ingest.deactivations")
    assert (row["reason"], row["delivery_id"]) == ("missing", report.delivery_id)
    change = await admin.fetchrow("SELECT * FROM ingest.vehicle_changes WHERE cause = 'missing'")
    assert (change["field"], change["old"], change["new"]) == ("is_active", "true", "false")
    assert (change["import_id"], change["line"]) == (report.import_id, None)


async def test_a_feed_that_keeps_switches_nothing_off(lot):
    days = Days(lot, missing="keep")
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3, 4):
        await days.load(day, *cars(1))
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {})


async def test_a_delta_misses_nothing(lot):
    days = Days(lot, mode="delta", missing="keep")
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3, 4):
        await days.load(day, *cars(1))
    assert await days.on() == ["S1", "S2"]


async def test_missing_after_says_how_many_misses_it_takes(lot):
    days = Days(lot, missing_after=1)
    await days.load(0, *cars(1, 2))
    await days.load(1, *cars(1))
    assert await days.on() == ["S1"]


async def test_three_files_in_ten_minutes_are_one_miss(days):
    await days.load(0, *cars(1, 2))
    for minute in (0, 5, 10):
        await days.load(1 + minute / 1440, *cars(1))
    assert await days.misses() == {"S2": 1}


async def test_a_miss_counts_twenty_hours_after_the_one_before_and_not_earlier(days):
    await days.load(0, *cars(1, 2))
    await days.load(1, *cars(1))
    await days.load(1 + 19.9 / 24, *cars(1))
    assert await days.misses() == {"S2": 1}
    await days.load(1 + 20.1 / 24, *cars(1))
    assert await days.misses() == {"S2": 2}


async def test_a_sighting_sets_the_misses_to_0(days):
    await days.load(0, *cars(1, 2))
    await days.load(1, *cars(1))
    await days.load(2, *cars(1))
    await days.load(3, *cars(1, 2))
    await days.load(4, *cars(1))
    await days.load(5, *cars(1))
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {"S2": 2})


async def test_what_returns_is_on_offer_again(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3):
        await days.load(day, *cars(1))
    report = await days.load(4, *cars(1, 2))
    assert (report.reactivated, counts(report)) == (1, {"updated": 1, "unchanged": 1})
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {})
    assert await days.lot.admin.fetchval("SELECT count(*) FROM ingest.deactivations") == 0


async def test_what_a_person_switched_off_stays_off_when_it_is_listed_and_when_it_is_not(days):
    await days.load(0, *cars(1, 2))
    await days.lot.admin.execute("UPDATE vehicles SET is_active = false WHERE stock_number = 'S2'")
    report = await days.load(1, *cars(1, 2, price="9000"))
    assert (report.reactivated, await days.on()) == (0, ["S1"])
    for day in (2, 3, 4, 5):
        report = await days.load(day, *cars(1, price="9000"))
        assert report.deactivated == 0
    await days.load(6, *cars(1, 2, price="9000"))
    assert await days.on() == ["S1"]


async def test_a_rejected_row_counts_as_seen_by_its_vin(days):
    await days.load(0, *cars(1, 2))
    await days.load(1, *cars(1))
    await days.load(2, *cars(1), Rejected("too_few_cells", vin=vin(2)))
    assert await days.misses() == {}
    for day in (3, 4):
        await days.load(day, *cars(1))
    assert await days.on() == ["S1", "S2"]


async def test_a_rejected_row_counts_as_seen_by_its_stock_number(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3):
        await days.load(day, *cars(1), Rejected("too_few_cells", stock_number="s2"))
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {})
    assert not suspended(days.lot)


async def test_a_rejected_row_with_another_vin_is_another_vehicle_whatever_its_stock_number(days):
    await days.load(0, *cars(1, 2))
    await days.load(1, *cars(1), Rejected("too_few_cells", vin=vin(9), stock_number="S2"))
    assert await days.misses() == {"S2": 1}


async def test_a_rejected_row_brings_nothing_back(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3):
        await days.load(day, *cars(1))
    await days.load(4, *cars(1), Rejected("too_few_cells", vin=vin(2)))
    assert await days.on() == ["S1"]


async def test_a_row_that_the_store_rejects_counts_as_seen(days):
    bare = car(1, vin=None)
    await days.load(0, bare, car(2))
    await days.lot.store_vehicle(stock_number="S1")
    for day in (1, 2, 3):
        report = await days.load(day, bare, car(2))
        assert report.rejections[0].reason == "ambiguous_stock_number"
    assert await days.on() == ["S1", "S2", "S1"]


async def test_a_row_without_identifier_suspends_absence_with_a_warning(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3, 4):
        report = await days.load(day, *cars(1), Rejected(value=f"offer of day {day}"))
        assert suspended(days.lot) == [
            Finding(3, None, "absence_suspended", "a row has no identifier that can be read")
        ]
        assert report.reading.warnings == 1
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {})


async def test_a_footer_that_is_the_same_every_day_suspends_nothing(days):
    footer = Rejected("footer", value="Total: 140 vehicles")
    await days.load(0, *cars(1, 2), footer)
    for day in (1, 2, 3):
        await days.load(day, *cars(1), footer)
        assert not suspended(days.lot)
    assert await days.on() == ["S1"]


async def test_a_file_that_is_cut_off_suspends_absence(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3):
        await days.load(day, sheets=[Sheet(cars(1), cut_off=True)])
        assert [warning.value for warning in suspended(days.lot)] == ["the file is cut off"]
    assert (await days.on(), await days.misses()) == (["S1", "S2"], {})


async def test_a_dummy_vin_that_was_found_out_suspends_absence(days):
    await days.load(0, *cars(1, 2))
    junk = [(0, Finding(line, "VIN", "vin_repeated", vin(9))) for line in (3, 4)]
    rows = [car(1), car(9, stock_number=None), car(9, stock_number=None, make="Audi")]
    delivery = await days.lot.deliver()
    days.lot.feed = days.lot.feed.model_copy(update=days.options)
    await days.lot.load(*rows, delivery=delivery, rejected=junk)
    assert len(suspended(days.lot)) == 1
    assert await days.misses() == {}


async def test_two_files_of_a_delivery_are_one_lot(days):
    new, used = cars(*range(40)), cars(*range(40, 100))
    for day in (0, 1, 2, 3):
        await days.load(day, sheets=[Sheet(new, "new.tsv"), Sheet(used, "used.tsv")])
    assert len(await days.on()) == 100


async def test_where_one_file_is_refused_the_others_are_loaded_and_nothing_is_missed(days):
    new, used = cars(*range(40)), cars(*range(40, 100))
    await days.load(0, sheets=[Sheet(new, "new.tsv"), Sheet(used, "used.tsv")])
    for day in (1, 2, 3):
        changed = cars(*range(40), mileage=10 + day)
        broken = Sheet(name="used.tsv", reason="no_header")
        report = await days.load(day, sheets=[Sheet(changed, "new.tsv"), broken])
        assert (counts(report), report.held_deactivations) == ({"updated": 40}, 0)
        assert days.lot.reports[1].outcome is Outcome.REJECTED
    assert (len(await days.on()), await days.misses()) == (100, {})
    listed = "SELECT count(*) FROM ingest.listings WHERE listed"
    assert await days.lot.admin.fetchval(listed) == 100
    await days.load(4, sheets=[Sheet(new, "new.tsv"), Sheet(used[1:], "used.tsv")])
    assert await days.misses() == {"S40": 1}


async def test_two_feeds_for_one_lot_each_miss_what_they_listed_last(lot):
    one, other = Days(lot), Days(lot, name="other")
    await one.load(0, *cars(1, 2))
    await other.load(0.1, *cars(3, 4))
    for day in (1, 2, 3):
        await one.load(day, *cars(1))
        await other.load(day + 0.1, *cars(3, 4))
    assert await one.on() == ["S1", "S3", "S4"]


async def test_a_vehicle_that_another_feed_listed_later_is_not_missed(lot):
    one, other = Days(lot), Days(lot, name="other")
    await one.load(0, *cars(1, 2))
    await other.load(0.1, *cars(2, 3))
    for day in (1, 2, 3):
        await one.load(day, *cars(1))
    assert (await one.on(), await one.misses()) == (["S1", "S2", "S3"], {})
    for day in (4, 5, 6):
        await other.load(day, *cars(3))
    assert await one.on() == ["S1", "S3"]


async def test_a_delta_that_lists_a_vehicle_later_takes_it_over(lot):
    full, delta = Days(lot), Days(lot, name="other", mode="delta", missing="keep")
    await full.load(0, *cars(1, 2))
    await full.load(1, *cars(1))
    await delta.load(1.5, *cars(2))
    for day in (2, 3, 4):
        await full.load(day, *cars(1))
    assert (await full.on(), await full.misses()) == (["S1", "S2"], {})


async def test_a_feed_that_lists_a_vehicle_again_may_miss_it_again(lot):
    full, delta = Days(lot), Days(lot, name="other", mode="delta", missing="keep")
    await full.load(0, *cars(1, 2))
    await delta.load(0.5, *cars(2))
    await full.load(1, *cars(1, 2))
    for day in (2, 3, 4):
        await full.load(day, *cars(1))
    assert await full.on() == ["S1"]


async def test_what_no_feed_listed_is_never_missed(days):
    await days.lot.store_vehicle(stock_number="S9")
    for day in (0, 1, 2, 3, 4):
        await days.load(day, *cars(1))
    assert await days.on() == ["S9", "S1"]


async def test_what_somebody_deleted_is_forgotten(days):
    await days.load(0, *cars(1, 2, 3))
    await days.lot.admin.execute("DELETE FROM vehicles WHERE stock_number = 'S2'")
    await days.load(1, *cars(1))
    assert await days.misses() == {"S3": 1}
    assert await days.lot.admin.fetchval("SELECT count(*) FROM ingest.listings") == 2


async def test_listings_that_did_not_change_are_not_written(days, admin):
    await days.load(0, *cars(*range(50)))
    await days.load(1, *cars(*range(1, 50)))
    before = await admin.fetch("SELECT ctid, xmin, * FROM ingest.listings ORDER BY vehicle_id")
    await days.load(1.1, *cars(*range(1, 50)))
    after = await admin.fetch("SELECT ctid, xmin, * FROM ingest.listings ORDER BY vehicle_id")
    assert before == after


async def test_what_is_gone_for_good_is_not_written_any_more(days, admin):
    await days.load(0, *cars(1, 2))
    for day in (1, 2, 3):
        await days.load(day, *cars(1))
    before = await admin.fetch("SELECT ctid, xmin, * FROM ingest.listings ORDER BY vehicle_id")
    for day in (4, 5):
        assert (await days.load(day, *cars(1))).outcome is Outcome.UNCHANGED
    assert before == await admin.fetch(
        "SELECT ctid, xmin, * FROM ingest.listings ORDER BY vehicle_id"
    )


async def test_a_dry_run_tells_of_deactivations_and_makes_none(days):
    await days.load(0, *cars(1, 2))
    for day in (1, 2):
        await days.load(day, *cars(1))
    lot = days.lot
    lot.feed = lot.feed.model_copy(update=days.options)
    report = await lot.load(*cars(1), delivery=await lot.deliver(), dry_run=True)
    assert report.deactivated == 1
    assert await days.on() == ["S1", "S2"]
