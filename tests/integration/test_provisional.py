"""VINs that a factory gives a car before it is built, and the final ones that replace them."""

import pytest

from ingestd.feed.vin import check_digit
from ingestd.model import Duplicate, Identity
from tests.integration.lot import Lot, add_lot, car, counts, reasons, vin


def placeholder(number: int, serial: str = "C") -> str:
    """Make up a placeholder of Toyota's: a letter in the serial number."""
    body = f"2T3ZA11B0RZ{number:01}{serial}{number:04}"
    return body[:8] + check_digit(body) + body[9:]


def early(number: int, **fields):
    """A row with a placeholder."""
    return car(number, vin=placeholder(number), provisional=True, **fields)


async def remembered(lot: Lot) -> list[tuple[str, str | None]]:
    rows = await lot.admin.fetch(
        "SELECT vin, replaced_by FROM ingest.provisional_vins WHERE dealership_id = $1 ORDER BY at",
        lot.number,
    )
    return [tuple(row) for row in rows]


async def history(lot: Lot) -> list[tuple[str, str, str, str]]:
    rows = await lot.admin.fetch("SELECT cause, field, old, new FROM ingest.vehicle_changes")
    return [tuple(row) for row in rows]


async def test_the_final_vin_replaces_a_placeholder_and_history_says_so(lot):
    await lot.load(early(1))
    before = await lot.sole("id")
    assert await remembered(lot) == [(placeholder(1), None)]
    report = await lot.load(car(1))
    assert counts(report) == {"updated": 1}
    assert await lot.sole("id, vin") == {**before, "vin": vin(1)}
    assert await remembered(lot) == [(placeholder(1), vin(1))]
    assert ("vin_replaced", "vin", placeholder(1), vin(1)) in await history(lot)


async def test_a_placeholder_that_somebody_else_wrote_is_known_by_maker_and_letters(lot):
    number = await lot.store_vehicle(vin=f" {placeholder(1).lower()}", stock_number="S1")
    await lot.load(car(1))
    assert await lot.sole("id, vin") == {"id": number, "vin": vin(1)}
    assert await remembered(lot) == [(placeholder(1), vin(1))]


@pytest.mark.parametrize("stored", ["2T3ZA11B0RZ123456", "1FTFW1ET0EKOI0001"])
async def test_a_vin_without_such_letters_or_of_another_maker_is_a_proper_one(lot, stored):
    await lot.store_vehicle(vin=stored, stock_number="S1")
    assert counts(await lot.load(car(1))) == {"added": 1}
    assert await remembered(lot) == []


async def test_what_the_reader_took_for_a_placeholder_is_one_whoever_makes_it(lot):
    await lot.load(car(1, vin="1FTFW1ET0EKOI0001", provisional=True))
    assert counts(await lot.load(car(1))) == {"updated": 1}
    assert (await lot.sole())["vin"] == vin(1)


async def test_a_placeholder_that_comes_again_means_the_same_vehicle_and_stays_replaced(lot):
    await lot.load(early(1))
    await lot.load(car(1))
    assert counts(await lot.load(early(1))) == {"unchanged": 1}
    assert counts(await lot.load(early(1, stock_number="T9", price="9000"))) == {"updated": 1}
    assert await lot.vehicles("vin, stock_number, price::int AS price") == [
        {"vin": vin(1), "stock_number": "T9", "price": 9000}
    ]


async def test_both_vins_in_one_file_are_one_vehicle_and_the_final_ones_row_counts(lot):
    await lot.load(early(1))
    await lot.load(car(1))
    report = await lot.load(car(1, price="9000"), early(1, price="8000"))
    assert counts(report) == {"updated": 1, "duplicate": 1}
    assert (await lot.sole("price::int AS price, vin")) == {"price": 9000, "vin": vin(1)}
    report = await lot.load(early(1, price="8000"), car(1, price="9000"))
    assert counts(report) == {"unchanged": 1, "duplicate": 1}
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == frozenset()


async def test_a_placeholder_in_a_merged_row_is_still_one(lot):
    completed = Identity(0, 3, placeholder(1), "S1", "Kia", "Rio", 2024)
    rows = (early(1), car(1, vin=None))
    await lot.load(*rows, duplicates=[Duplicate(0, 2, 0, 3)], identities=[completed])
    assert await remembered(lot) == [(placeholder(1), None)]
    await lot.load(car(1))
    assert counts(
        await lot.load(*rows, duplicates=[Duplicate(0, 2, 0, 3)], identities=[completed])
    ) == {"unchanged": 1, "duplicate": 1}
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == frozenset()


@pytest.mark.parametrize(
    "other",
    [{"stock_number": "S2"}, {"make": "Honda"}, {"model": "Soul"}, {"year": 2025}, {"model": None}],
)
async def test_a_placeholder_is_replaced_only_under_the_same_stock_number_and_car(lot, other):
    await lot.load(early(1))
    report = await lot.load(car(1, **other), car(2))
    added = 1 if other == {"model": None} else 2
    assert counts(report) == {"added": added, **({"rejected": 1} if added == 1 else {})}
    assert (placeholder(1), None) in await remembered(lot)


async def test_a_placeholder_does_not_replace_another(lot):
    await lot.load(early(1))
    report = await lot.load(early(2, stock_number="S1"))
    assert counts(report) == {"added": 1}


async def test_two_final_vins_for_one_placeholder_are_vehicles_of_their_own(lot):
    await lot.load(early(1))
    report = await lot.load(car(1), car(2, stock_number="S1"))
    assert counts(report) == {"added": 2}
    assert await remembered(lot) == [(placeholder(1), None)]


async def test_a_final_vin_that_fits_two_vehicles_is_ambiguous(lot):
    await lot.load(early(1), car(9))
    await lot.store_vehicle(stock_number="S1")
    report = await lot.load(car(1), car(9))
    assert reasons(report) == [(2, "Stock", "ambiguous_stock_number", "S1")]


async def test_a_placeholder_that_is_listed_beside_the_final_vin_is_a_vehicle_of_its_own(lot):
    await lot.load(early(1))
    assert counts(await lot.load(early(1), car(1))) == {"unchanged": 1, "added": 1}


async def test_what_is_remembered_is_one_dealerships(lot, store, admin):
    other = await add_lot(store, admin, "South")
    await lot.load(early(1))
    await lot.load(car(1))
    assert counts(await other.load(early(1))) == {"added": 1}
