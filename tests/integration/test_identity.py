"""Which stored vehicle a row means, and what becomes of its status."""

import pytest

from ingestd.model import Finding, Outcome
from ingestd.vehicle import FIELDS
from tests.integration.lot import Sheet, add_lot, car, counts, reasons, vin


def without_vin(number: int, **fields):
    return car(number, vin=None, **fields)


# By VIN.


@pytest.mark.parametrize("spelling", [vin(1).lower(), f" {vin(1)}\t", vin(1)])
async def test_a_stored_vin_is_compared_trimmed_and_in_capitals(lot, spelling):
    number = await lot.store_vehicle(vin=spelling)
    report = await lot.load(car(1))
    assert counts(report) == {"updated": 1}
    assert await lot.vehicles("id, vin") == [{"id": number, "vin": vin(1)}]


async def test_a_vin_keeps_its_spelling_where_the_normal_form_is_taken(lot):
    await lot.store_vehicle(vin=vin(1), is_active=False)
    used = await lot.store_vehicle(vin=vin(1).lower())
    report = await lot.load(car(1, price="9000"))
    assert counts(report) == {"updated": 1}
    stored = await lot.vehicles("id, vin, price")
    assert stored[1] == {"id": used, "vin": vin(1).lower(), "price": 9000}
    assert stored[0]["price"] is None
    assert counts(await lot.load(car(1, price="9000"))) == {"unchanged": 1}


async def test_of_two_stored_rows_with_one_vin_the_newest_active_is_used(lot):
    await lot.store_vehicle(vin=vin(1).lower())
    newest = await lot.store_vehicle(vin=f"{vin(1)} ")
    report = await lot.load(car(1, price="9000"), car(2))
    assert await lot.vehicles("id", "price = 9000") == [{"id": newest}]
    assert report.reading.warnings == 1
    assert report.reading.warnings_list == (Finding(2, "VIN", "vin_stored_twice", vin(1)),)


async def test_a_changed_stock_number_follows_the_vin(lot):
    await lot.load(car(1))
    assert counts(await lot.load(car(1, stock_number="T9"))) == {"updated": 1}
    assert (await lot.sole())["stock_number"] == "T9"


# By stock number.


async def test_a_row_without_vin_means_the_vehicle_of_its_stock_number(lot):
    await lot.load(car(1))
    assert counts(await lot.load(without_vin(1, price="9000"))) == {"updated": 1}
    row = await lot.sole()
    assert (row["vin"], row["price"]) == (vin(1), 9000)


@pytest.mark.parametrize("stored", ["ab1", " AB1 ", "Ab1"])
async def test_a_stock_number_is_compared_trimmed_and_without_regard_to_case(lot, stored):
    number = await lot.store_vehicle(stock_number=stored)
    assert counts(await lot.load(without_vin(1, stock_number="aB1"))) == {"updated": 1}
    assert await lot.vehicles("id, stock_number") == [{"id": number, "stock_number": "aB1"}]


async def test_a_twin_is_known_by_its_stock_number_whatever_its_case(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="OLD")
    twin = await lot.store_vehicle(stock_number="ab1")
    assert (await lot.load(car(1, stock_number="AB1"))).deactivated == 1
    assert await lot.vehicles("id", "NOT is_active") == [{"id": twin}]


async def test_the_same_stock_number_on_another_make_is_another_vehicle(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="S1", make="Kia", year=2019, status="sold")
    before = await lot.versions()
    report = await lot.load(without_vin(1, make="Honda", year=2024))
    assert counts(report) == {"added": 1}
    after = await lot.versions()
    assert {number: after[number] for number in before} == before


@pytest.mark.parametrize(
    ("year", "expected"), [(2025, "updated"), (2023, "updated"), (2026, "added")]
)
async def test_the_year_may_differ_by_one_under_a_stock_number(lot, year, expected):
    await lot.store_vehicle(stock_number="S1", year=2024)
    assert counts(await lot.load(without_vin(1, year=year))) == {expected: 1}


async def test_an_unknown_make_or_year_does_not_part_row_and_vehicle(lot):
    await lot.store_vehicle(stock_number="S1")
    assert counts(await lot.load(without_vin(1, make=None, year=None))) == {"updated": 1}


@pytest.mark.parametrize("stored", [None, "", "  "])
async def test_a_stored_vehicle_without_vin_adopts_the_rows(lot, stored):
    number = await lot.store_vehicle(vin=stored, stock_number="S1")
    assert counts(await lot.load(car(1))) == {"updated": 1}
    assert await lot.vehicles("id, vin") == [{"id": number, "vin": vin(1)}]


async def test_another_vin_under_the_same_stock_number_is_another_vehicle(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="S1")
    report = await lot.load(car(2, stock_number="S1"))
    assert counts(report) == {"added": 1}
    assert [row["vin"] for row in await lot.vehicles()] == [vin(1), vin(2)]


async def test_two_candidates_for_a_stock_number_are_ambiguous(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="S1")
    await lot.store_vehicle(vin=vin(2), stock_number="S1")
    before = await lot.versions()
    report = await lot.load(without_vin(1))
    assert reasons(report) == [(2, "Stock", "ambiguous_stock_number", "S1")]
    assert await lot.versions() == before


async def test_an_active_candidate_goes_before_those_ingestd_switched_off(lot):
    await lot.load(car(1, stock_number="S9"), car(2, stock_number="S9"))
    await lot.load(car(1, stock_number="S9", status="sold"), car(2, stock_number="S9"))
    await lot.load(without_vin(9, price="9000"))
    assert [row["vin"] for row in await lot.vehicles(where="price = 9000")] == [vin(2)]


async def test_a_vehicle_ingestd_switched_off_is_found_by_stock_number_for_thirty_days(lot):
    await lot.load(without_vin(1, status="sold"))
    assert counts(await lot.load(without_vin(1, status="sold"))) == {"unchanged": 1}
    await lot.admin.execute("UPDATE ingest.deactivations SET at = now() - interval '31 days'")
    assert counts(await lot.load(without_vin(1))) == {"added": 1}


async def test_a_vehicle_that_a_row_with_vin_means_is_no_candidate_for_one_without(lot):
    await lot.load(car(1))
    report = await lot.load(car(1, stock_number="T1"), without_vin(1))
    assert counts(report) == {"updated": 1, "added": 1}
    assert [row["stock_number"] for row in await lot.vehicles()] == ["T1", "S1"]


async def test_two_vins_that_claim_one_vehicle_without_vin_are_vehicles_of_their_own(lot):
    await lot.store_vehicle(stock_number="S1")
    report = await lot.load(car(1, stock_number="S1"), car(2, stock_number="S1"))
    assert counts(report) == {"added": 2}


async def test_two_rows_without_vin_that_claim_one_vehicle_are_ambiguous(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="S1", year=2024)
    report = await lot.load(car(2), without_vin(1, year=2023), without_vin(1, year=2025))
    assert counts(report) == {"added": 1, "rejected": 2}


async def test_a_twin_without_vin_is_switched_off_where_the_vin_is_there_already(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="OLD")
    twin = await lot.store_vehicle(stock_number="S1")
    report = await lot.load(car(1))
    assert (counts(report), report.deactivated) == ({"updated": 1}, 1)
    assert await lot.vehicles("id", "NOT is_active") == [{"id": twin}]
    assert await lot.admin.fetchval("SELECT reason FROM ingest.deactivations") == "twin"
    assert (await lot.load(car(1))).outcome is Outcome.UNCHANGED


async def test_thirty_rows_without_a_usable_vin_are_thirty_vehicles(lot):
    rows = [without_vin(number) for number in range(30)]
    assert counts(await lot.load(*rows)) == {"added": 30}
    assert counts(await lot.load(*rows)) == {"unchanged": 30}


# Another dealership's.


async def test_a_stock_number_means_nothing_at_another_dealership(lot, store, admin):
    other = await add_lot(store, admin, "South")
    await other.load(without_vin(1))
    assert counts(await lot.load(without_vin(1))) == {"added": 1}


async def test_another_dealerships_vin_in_small_letters_is_recognised_too(lot, store, admin):
    other = await add_lot(store, admin, "South")
    await other.store_vehicle(vin=vin(1).lower())
    report = await lot.load(car(1))
    assert reasons(report) == [(2, "VIN", "vin_of_other_dealership", vin(1))]


async def test_where_the_key_is_dealership_and_vin_both_have_it(lot, store, admin):
    await admin.execute(
        "ALTER TABLE vehicles DROP CONSTRAINT vehicles_vin_unique,"
        " ADD CONSTRAINT both_unique UNIQUE (dealership_id, vin)"
    )
    other = await add_lot(store, admin, "South")
    await other.load(car(1))
    assert counts(await lot.load(car(1))) == {"added": 1}


async def test_where_the_table_requires_a_vin_a_new_row_without_one_is_rejected(lot, admin):
    await admin.execute("ALTER TABLE vehicles ALTER COLUMN vin SET NOT NULL")
    report = await lot.load(without_vin(1), car(2))
    assert reasons(report) == [(2, "VIN", "vin_missing", "")]


async def test_where_vins_have_no_key_both_dealerships_have_it(lot, store, admin):
    await admin.execute("ALTER TABLE vehicles DROP CONSTRAINT vehicles_vin_unique")
    other = await add_lot(store, admin, "South")
    await other.load(car(1))
    before = await other.versions()
    assert counts(await lot.load(car(1))) == {"added": 1}
    assert counts(await lot.load(car(1))) == {"unchanged": 1}
    assert await other.versions() == before


async def test_where_vins_have_no_key_a_stored_vin_takes_the_normal_form_whoever_has_that(
    lot, store, admin
):
    await admin.execute("ALTER TABLE vehicles DROP CONSTRAINT vehicles_vin_unique")
    other = await add_lot(store, admin, "South")
    await other.store_vehicle(vin=vin(1))
    await lot.store_vehicle(vin=vin(1).lower())
    await lot.load(car(1))
    assert (await lot.sole())["vin"] == vin(1)


# Status.


async def test_a_new_vehicle_is_active_unless_it_is_sold(lot):
    await lot.load(car(1, status=None), car(2, status="sold"), car(3, status="pending"))
    assert await lot.vehicles("status, is_active") == [
        {"status": "active", "is_active": True},
        {"status": "sold", "is_active": False},
        {"status": "pending", "is_active": True},
    ]


async def test_sold_makes_inactive_and_a_return_active_again(lot):
    await lot.load(car(1))
    report = await lot.load(car(1, status="sold"))
    assert (counts(report), report.deactivated) == ({"updated": 1}, 1)
    assert await lot.sole("status, is_active") == {"status": "sold", "is_active": False}
    assert counts(await lot.load(car(1, status="sold"))) == {"unchanged": 1}
    report = await lot.load(car(1))
    assert (counts(report), report.reactivated) == ({"updated": 1}, 1)
    assert await lot.sole("status, is_active") == {"status": "active", "is_active": True}
    assert await lot.admin.fetchval("SELECT count(*) FROM ingest.deactivations") == 0


async def test_a_return_without_a_status_column_is_active_again(lot):
    await lot.load(car(1, status="sold"))
    row = car(1)
    del row["status"]
    assert (await lot.load(row)).reactivated == 1
    assert await lot.sole("status, is_active") == {"status": "active", "is_active": True}


def silent(number: int, **fields):
    """A row whose status cell is blank or cannot be read: the store sees no difference."""
    row = car(number, **fields)
    del row["status"]
    return row


async def test_a_cell_that_says_nothing_does_not_bring_back_what_the_feed_sold(lot):
    await lot.load(car(1, status="sold"), car(2))
    before = await lot.versions()
    assert counts(await lot.load(silent(1), car(2))) == {"unchanged": 2}
    assert await lot.versions() == before
    report = await lot.load(silent(1, price="9000"), car(2))
    assert (counts(report), report.reactivated) == ({"updated": 1, "unchanged": 1}, 0)
    assert await lot.vehicles("status, is_active", "price = 9000") == [
        {"status": "sold", "is_active": False}
    ]
    assert (await lot.load(car(1), car(2))).reactivated == 1


async def test_a_status_column_that_is_blank_throughout_is_none(lot):
    await lot.load(car(1, status="sold"))
    blank = Sheet([silent(1, price="9000")], keep=1 << FIELDS.index("status"))
    assert (await lot.load(sheets=[blank])).reactivated == 1


async def test_a_twin_that_is_listed_again_is_active_again_whatever_its_status_cell(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="OLD", year=2020)
    twin = await lot.store_vehicle(stock_number="S1")
    assert (await lot.load(car(1, year=2024))).deactivated == 1
    report = await lot.load(car(1, stock_number="OLD", year=2024), silent(1, vin=None), car(3))
    assert report.reactivated == 1
    assert await lot.vehicles("status, is_active", f"id = {twin}") == [
        {"status": "active", "is_active": True}
    ]


async def test_what_is_back_and_then_sold_is_sold_however_it_was_switched_off_first(lot):
    await lot.store_vehicle(vin=vin(1), stock_number="OLD")
    await lot.store_vehicle(stock_number="S1")
    await lot.load(car(1))
    others = (car(1, stock_number="OLD"), car(3))
    await lot.load(*others, without_vin(1, status="sold"))
    report = await lot.load(*others, silent(1, vin=None))
    assert (counts(report), report.reactivated) == ({"unchanged": 3}, 0)


async def test_a_new_vehicle_whose_status_cannot_be_read_is_active(lot):
    await lot.load(silent(1), car(2))
    assert await lot.vehicles("status, is_active") == [{"status": "active", "is_active": True}] * 2


async def test_what_a_person_made_inactive_stays_so_and_its_values_follow(lot):
    await lot.load(car(1))
    await lot.admin.execute("UPDATE vehicles SET is_active = false")
    report = await lot.load(car(1, price="9000"))
    assert (counts(report), report.reactivated) == ({"updated": 1}, 0)
    assert await lot.sole("status, is_active, price::int AS price") == {
        "status": "active",
        "is_active": False,
        "price": 9000,
    }


async def test_what_a_person_marked_sold_keeps_both_columns(lot):
    await lot.load(car(1))
    await lot.admin.execute("UPDATE vehicles SET status = 'sold'")
    assert counts(await lot.load(car(1, status="pending"))) == {"unchanged": 1}
    assert await lot.sole("status, is_active") == {"status": "sold", "is_active": True}


async def test_a_person_who_switches_off_what_came_back_is_respected(lot):
    await lot.load(car(1))
    await lot.load(car(1, status="sold"))
    await lot.load(car(1))
    await lot.admin.execute("UPDATE vehicles SET is_active = false")
    assert counts(await lot.load(car(1))) == {"unchanged": 1}
    assert (await lot.sole())["is_active"] is False


async def test_a_row_without_status_leaves_that_of_an_active_vehicle(lot):
    await lot.load(car(1, status="pending"))
    assert counts(await lot.load(car(1, status=None))) == {"unchanged": 1}
    assert (await lot.sole())["status"] == "pending"
