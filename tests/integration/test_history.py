"""What was changed of a vehicle is written down with it, and can be asked for."""

from datetime import timedelta
from typing import Any

import pytest

from ingestd.errors import ReadFailed
from ingestd.model import Finished
from ingestd.store.lookup import Sought
from tests.integration.lot import Lot, Sheet, add_lot, blocks, car, counts, opened, vin


async def changes(lot: Lot, where: str = "true") -> list[tuple[Any, ...]]:
    """Give (field, old, new, cause, import, line), in the order of writing."""
    rows = await lot.admin.fetch(
        "SELECT field, old, new, cause, import_id, line FROM ingest.vehicle_changes"
        f" WHERE {where} ORDER BY at, vehicle_id, field"
    )
    return [tuple(row) for row in rows]


async def ask(lot: Lot, **sought: Any) -> list[dict[str, Any]]:
    lookup = await lot.store.lookup()
    return list(await lookup.find(Sought(**{"vin": None, **sought})))


async def near(lot: Lot, **sought: Any) -> tuple[str, ...]:
    lookup = await lot.store.lookup()
    return await lookup.near(Sought(**{"vin": None, **sought}))


# What is written ----------------------------------------------------------------------------------


async def test_a_new_vehicle_has_no_history_and_an_unchanged_one_gets_none(lot):
    await lot.load(car(1))
    await lot.load(car(1))

    assert await changes(lot) == []


async def test_each_column_that_changed_is_a_row_with_its_import_and_line(lot):
    await lot.load(car(1), car(2))
    report = await lot.load(car(1), car(2, price="18000", mileage=25))

    assert await changes(lot) == [
        ("mileage", "10", "25", "row", report.import_id, 3),
        ("price", "19995.00", "18000.00", "row", report.import_id, 3),
    ]


async def test_the_time_is_that_of_updated_at(lot):
    await lot.load(car(1))
    await lot.load(car(1, price="18000"))
    (row,) = await lot.admin.fetch(
        "SELECT timezone('UTC', c.at) = v.updated_at AS same FROM ingest.vehicle_changes c"
        " JOIN vehicles v ON v.id = c.vehicle_id"
    )

    assert row["same"]


async def test_a_cleared_and_a_filled_cell_have_no_old_or_no_new_value(lot):
    await lot.load(car(1, trim=None))
    await lot.load(car(1, trim="LX", price=None))

    assert [row[:3] for row in await changes(lot)] == [
        ("price", "19995.00", None),
        ("trim", None, "LX"),
    ]


async def test_lists_are_told_as_the_table_has_them(lot):
    await lot.load(car(1))
    await lot.load(car(1, features=["ABS"]))

    assert [row[:3] for row in await changes(lot)] == [("features", '["ABS", "Radio"]', '["ABS"]')]


async def test_a_text_of_a_thousand_characters_is_whole_and_a_longer_one_is_cut(lot):
    await lot.load(car(1, description="a" * 1000))
    await lot.load(car(1, description="ä" * 1001))
    ((_, old, new, *_),) = await changes(lot)

    assert old == "a" * 1000
    assert new == "ä" * 999 + "…"


async def test_of_several_files_each_line_is_of_its_own_import(lot):
    await lot.load(sheets=[Sheet([car(1)], "new.tsv"), Sheet([car(2)], "used.tsv")])
    await lot.load(
        sheets=[Sheet([car(1, price="9000")], "new.tsv"), Sheet([car(2, price="8000")], "used.tsv")]
    )
    new, used = (report.import_id for report in lot.reports)

    assert [(row[2], row[4]) for row in await changes(lot)] == [("9000.00", new), ("8000.00", used)]


async def test_a_dry_run_writes_no_history(lot):
    await lot.load(car(1))
    report = await lot.load(car(1, price="9000"), dry_run=True)

    assert counts(report) == {"updated": 1}
    assert await changes(lot) == []


async def test_a_load_that_fails_writes_no_history(lot):
    await lot.load(car(1))
    sheet = Sheet([car(1, price="9000")])
    finished = Finished((sheet.reading(0), Sheet([car(2)]).reading(1)))
    with pytest.raises(ReadFailed):
        await lot.load_all(
            await lot.deliver(), [sheet], lambda target: blocks(sheet.encode(target, 0), finished)
        )

    assert await changes(lot) == []


async def test_the_same_delivery_again_writes_its_history_once(lot):
    await lot.load(car(1))
    delivery = await lot.deliver()
    await lot.load(car(1, price="9000"), delivery=delivery)
    await lot.load(car(1, price="9000"), delivery=delivery)

    assert len(await changes(lot)) == 1


async def test_what_a_person_changed_and_the_feed_healed_has_the_persons_value_as_old(lot):
    await lot.load(car(1))
    await lot.admin.execute("UPDATE vehicles SET price = 1")
    await lot.load(car(1))

    assert [row[:3] for row in await changes(lot)] == [("price", "1.00", "19995.00")]


async def test_a_sold_vehicle_and_its_return_say_so(lot):
    await lot.load(car(1))
    await lot.load(car(1, status="sold"))
    await lot.load(car(1, status="active"))

    assert [row[:4] for row in await changes(lot)] == [
        ("is_active", "true", "false", "sold"),
        ("status", "active", "sold", "sold"),
        ("is_active", "false", "true", "returned"),
        ("status", "sold", "active", "returned"),
    ]


async def test_a_twin_that_is_switched_off_names_the_row_that_has_the_vin(lot):
    number = await lot.store_vehicle(stock_number="S1")
    await lot.store_vehicle(stock_number="S1", vin=vin(1))
    report = await lot.load(car(1))

    assert await changes(lot, f"vehicle_id = {number}") == [
        ("is_active", "true", "false", "twin", report.import_id, 2)
    ]


async def test_an_adopted_vin_is_the_rows_word(lot):
    await lot.store_vehicle(stock_number="S1")
    await lot.load(car(1))

    assert ("vin", None, vin(1), "row") in [row[:4] for row in await changes(lot)]


async def test_a_vin_that_is_only_spelt_in_another_way_is_not_replaced(lot):
    await lot.store_vehicle(vin=vin(1).lower(), stock_number="S1")
    await lot.load(car(1))

    assert ("vin", vin(1).lower(), vin(1), "row") in [row[:4] for row in await changes(lot)]


async def test_a_placeholder_that_gave_way_to_the_final_vin_says_so(lot):
    placeholder = "JTDXXXXX0RXXXX001"
    await lot.store_vehicle(vin=placeholder, stock_number="S1", make="Toyota", year=2024)
    await lot.load(car(1, make="Toyota"))

    assert ("vin", placeholder, vin(1), "vin_replaced") in [row[:4] for row in await changes(lot)]


async def test_a_vehicle_that_the_feed_no_longer_lists_was_changed_by_no_line(lot):
    options = {"missing": "deactivate", "missing_after": 1}
    lot.feed = lot.feed.model_copy(update=options)
    now = await lot.store.now()
    cars = [car(number) for number in range(10)]
    await lot.load(*cars, delivery=await lot.deliver(first_seen=now - timedelta(days=2)))
    report = await lot.load(*cars[1:], delivery=await lot.deliver(first_seen=now))

    assert report.deactivated == 1
    assert await changes(lot) == [("is_active", "true", "false", "missing", report.import_id, None)]


async def test_a_vehicle_that_came_over_names_the_dealership_it_came_from(lot, store, admin):
    south = await add_lot(store, admin, "South")
    await lot.load(car(1, status="sold"))
    report = await south.load(car(1))
    moved = await changes(lot, "cause = 'transfer'")

    assert ("dealership_id", f"{lot.number}", f"{south.number}", "transfer") in [
        row[:4] for row in moved
    ]
    assert {row[4:] for row in moved} == {(report.import_id, 2)}
    assert [row[0] for row in moved] == ["dealership_id", "is_active", "status"]


async def test_history_is_kept_for_as_long_as_is_wanted(lot):
    await lot.load(car(1), car(2))
    await lot.load(car(1, price="9000"), car(2))
    await lot.admin.execute("UPDATE ingest.vehicle_changes SET at = at - interval '401 days'")
    await lot.load(car(1, price="9000"), car(2, price="8000"))
    await lot.store.forget_changes(400 * 86400)

    assert [row[2] for row in await changes(lot)] == ["8000.00"]


async def test_more_than_a_batch_of_old_history_is_forgotten_at_once(lot):
    await lot.admin.execute(
        "INSERT INTO ingest.vehicle_changes (vehicle_id, import_id, at, cause, field)"
        " SELECT n, 1, now() - interval '2 days', 'row', 'price' FROM generate_series(1, 20001) n"
    )
    await lot.store.forget_changes(timedelta(days=1).total_seconds())

    assert await changes(lot) == []


# What is told -------------------------------------------------------------------------------------


async def test_a_vehicle_is_found_however_its_vin_is_spelt(lot):
    await lot.load(car(1))
    (found,) = await ask(lot, vin=f" {vin(1).lower()} ")

    assert found["vehicle"]["vin"] == vin(1)
    assert (found["dealership_id"], found["dealership"]) == (lot.number, "North")


async def test_changes_come_newest_first_with_the_mail_that_brought_them(lot):
    await lot.load(car(1))
    for price, subject in (("18000", "Monday"), ("17000", "Tuesday")):
        delivery = await lot.deliver()
        await lot.admin.execute(
            "UPDATE ingest.deliveries SET sender = 'lot@north.example', subject = $2 WHERE id = $1",
            delivery.id,
            subject,
        )
        await lot.load(car(1, price=price), delivery=delivery)
    (found,) = await ask(lot, vin=vin(1))

    assert [(c["old"], c["new"], c["subject"]) for c in found["changes"]] == [
        ("18000.00", "17000.00", "Tuesday"),
        ("19995.00", "18000.00", "Monday"),
    ]
    newest = found["changes"][0]
    assert newest["sender"] == "lot@north.example"
    assert (newest["field"], newest["file"], newest["line"]) == ("price", "lot.tsv", 2)
    assert (newest["import_id"], newest["delivery_id"]) == (3, 3)


async def test_only_the_changes_of_one_column_and_only_so_many(lot):
    await lot.load(car(1))
    await lot.load(car(1, price="9000", mileage=20))
    await lot.load(car(1, price="8000", mileage=30))
    (prices,) = await ask(lot, vin=vin(1), field="price")
    (latest,) = await ask(lot, vin=vin(1), limit=1)

    assert [c["new"] for c in prices["changes"]] == ["8000.00", "9000.00"]
    assert [c["new"] for c in latest["changes"]] == ["30"]


async def test_the_delivery_that_added_a_vehicle_is_known(lot):
    await lot.load(car(2))
    await lot.load(car(1), car(2))
    (found,) = await ask(lot, vin=vin(1))

    assert (found["added"]["delivery_id"], found["added"]["feed"]) == (2, lot.feed.name)
    assert found["changes"] == []


async def test_who_did_not_come_by_a_delivery_was_added_by_none(lot):
    await lot.store_vehicle(vin=vin(1))
    (found,) = await ask(lot, vin=vin(1))

    assert (found["added"], found["listed_by"], found["deactivated"]) == (None, [], None)


async def test_the_feed_that_lists_it_and_its_last_delivery_are_told(lot):
    await lot.load(car(1), car(2))
    await lot.load(car(1), car(2))
    await lot.load(car(2))
    (gone,), (there,) = await ask(lot, vin=vin(1)), await ask(lot, vin=vin(2))

    (listing,) = gone["listed_by"]
    assert (listing["feed"], listing["listed"], listing["last_listed_delivery_id"]) == (
        lot.feed.name,
        False,
        2,
    )
    (listing,) = there["listed_by"]
    assert (listing["listed"], listing["last_listed_delivery_id"]) == (True, 3)


async def test_what_ingestd_switched_off_says_why(lot):
    await lot.load(car(1, status="sold"))
    (found,) = await ask(lot, vin=vin(1))

    assert (found["deactivated"]["reason"], found["deactivated"]["delivery_id"]) == ("sold", 1)


async def test_a_stock_number_finds_the_vehicles_of_all_dealerships_or_of_one(lot, store, admin):
    south = await add_lot(store, admin, "South")
    await lot.load(car(1, stock_number="A7"))
    await south.load(car(2, stock_number="a7"))
    both = await ask(lot, stock=" A7")
    one = await ask(lot, stock="A7", dealership=south.number)

    assert [found["dealership"] for found in both] == ["North", "South"]
    assert [found["dealership"] for found in one] == ["South"]


async def test_those_on_offer_come_first(lot):
    await lot.load(car(1, stock_number="A7", status="sold"), car(2, stock_number="A7"))

    assert [found["vehicle"]["vin"] for found in await ask(lot, stock="A7")] == [vin(2), vin(1)]


async def test_a_vehicle_is_found_by_the_provisional_vin_that_it_had(lot):
    await lot.load(car(1))
    (number,) = [row["id"] for row in await lot.vehicles("id")]
    await lot.admin.execute(
        "INSERT INTO ingest.provisional_vins (dealership_id, vin, vehicle_id, replaced_by, at)"
        " VALUES ($1, $2, $3, $4, now())",
        lot.number,
        vin(9),
        number,
        vin(1),
    )

    assert [found["vehicle_id"] for found in await ask(lot, vin=vin(9))] == [number]


@pytest.mark.parametrize(
    "slip",
    [
        vin(1)[:4] + "Z" + vin(1)[5:],
        vin(1)[:-1] + "9",
        vin(1)[:5] + vin(1)[6:],
        vin(1)[-8:].lower(),
    ],
    ids=["in the first part", "in the number", "a sign left out", "a part"],
)
async def test_a_vin_with_a_slip_in_it_is_told_the_near_ones(lot, slip):
    await lot.load(car(1), car(2))

    assert await ask(lot, vin=slip) == []
    assert (await near(lot, vin=slip))[0] == vin(1)


async def test_a_stock_number_with_a_slip_in_it_is_told_the_near_ones(lot):
    await lot.load(car(1, stock_number="KX4711"), car(2, stock_number="B1"))

    assert await near(lot, stock="KX4712") == ("KX4711",)
    assert await near(lot, stock="nothing") == ()


async def test_where_a_policy_hides_dealerships_from_each_other_each_is_asked(database, admin):
    config = {"target": {"settings": {"app.dealership": "{dealership}"}}}
    async with opened(database.ingestd_url, config=config) as store:
        north, south = await add_lot(store, admin, "North"), await add_lot(store, admin, "South")
        await admin.execute(
            "ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON vehicles USING"
            " (dealership_id = current_setting('app.dealership')::integer)"
        )
        await north.load(car(1, stock_number="A7"))
        await south.load(car(2, stock_number="A7"))

        assert len(await ask(north, stock="A7")) == 2
        assert len(await ask(north, stock="A7", dealership=south.number)) == 1
        assert await near(north, vin=vin(2)[-8:]) == (vin(2),)
