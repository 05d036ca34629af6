"""One transaction per delivery and feed: what is written, what is not, what is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from ingestd.errors import Clash, Misconfigured, OlderFirst, ReadFailed, Taken, TryAgain
from ingestd.model import Duplicate, File, Finding, Finished, Identity, Outcome
from ingestd.store.target import profiles
from ingestd.vehicle import FIELDS
from tests.integration.lot import (
    Lot,
    Rejected,
    Sheet,
    add_lot,
    blocks,
    car,
    counts,
    opened,
    reasons,
    vin,
)


async def test_new_rows_become_vehicles_in_the_order_of_the_lines(lot):
    report = await lot.load(car(3), car(1), car(2))
    assert counts(report) == {"added": 3}
    assert report.outcome is Outcome.IMPORTED
    assert [row["vin"] for row in await lot.vehicles()] == [vin(3), vin(1), vin(2)]


async def test_a_new_vehicle_holds_what_the_row_says(lot):
    await lot.load(car(1, description='Tab\tand "quote"\\', images=["https://a.example/1"]))
    row = await lot.sole()
    assert (row["price"], row["mileage"], row["year"]) == (19995, 10, 2024)
    assert json.loads(row["features"]) == ["ABS", "Radio"]
    assert row["description"] == 'Tab\tand "quote"\\'
    assert (row["status"], row["is_active"], row["trim"]) == ("active", True, None)


async def test_an_unchanged_row_is_not_written_at_all(lot):
    rows = [car(number) for number in range(50)]
    await lot.load(*rows)
    before = await lot.versions()
    report = await lot.load(*rows)
    assert counts(report) == {"unchanged": 50}
    assert report.outcome is Outcome.UNCHANGED
    assert await lot.versions() == before


async def test_a_changed_price_updates_exactly_that_row(lot):
    await lot.load(car(1), car(2), car(3))
    before = await lot.versions()
    report = await lot.load(car(1), car(2, price="9000"), car(3))
    after = await lot.versions()
    assert counts(report) == {"updated": 1, "unchanged": 2}
    changed = [number for number in before if before[number] != after[number]]
    assert [row["vin"] for row in await lot.vehicles(where=f"id = {changed[0]}")] == [vin(2)]
    assert len(changed) == 1


async def test_updated_at_is_the_transactions_time_and_only_moves_with_the_row(lot):
    await lot.load(car(1), car(2))
    await lot.admin.execute("UPDATE vehicles SET updated_at = '2020-01-01'")
    report = await lot.load(car(1), car(2, price="9000"))
    first, second = [row["updated_at"] for row in await lot.vehicles("updated_at")]
    assert first.year == 2020
    assert second == report.started_at.replace(tzinfo=None)


async def test_a_price_with_too_many_decimals_does_not_differ_for_ever(lot):
    await lot.load(car(1, price="9000.005"))
    assert counts(await lot.load(car(1, price="9000.005"))) == {"unchanged": 1}


async def test_an_edit_by_a_person_is_healed_by_an_identical_file(lot):
    await lot.load(car(1))
    await lot.admin.execute("UPDATE vehicles SET price = 1")
    assert counts(await lot.load(car(1))) == {"updated": 1}
    assert (await lot.sole())["price"] == 19995


async def test_a_blank_cell_clears_and_an_absent_one_keeps(lot):
    await lot.load(car(1, trim="LX", engine="V6"))
    row = car(1, trim=None)
    assert counts(await lot.load(row)) == {"updated": 1}
    stored = await lot.sole()
    assert (stored["trim"], stored["engine"]) == (None, "V6")


async def test_a_column_that_is_blank_throughout_keeps_what_is_stored(lot):
    await lot.load(car(1), car(2))
    blank = [car(1, price=None), car(2, price=None)]
    report = await lot.load(sheets=[Sheet(blank, keep=1 << FIELDS.index("price"))])
    assert counts(report) == {"unchanged": 2}
    assert [row["price"] for row in await lot.vehicles()] == [19995, 19995]


async def test_make_model_and_year_are_never_cleared(lot):
    await lot.load(car(1))
    report = await lot.load(car(1, make=None, model=None, year=None, price="9000"))
    assert counts(report) == {"updated": 1}
    row = await lot.sole()
    assert (row["make"], row["model"], row["year"], row["price"]) == ("Kia", "Rio", 2024, 9000)


@pytest.mark.parametrize("field", ["make", "model", "year"])
async def test_a_new_vehicle_without_make_model_or_year_is_rejected(lot, field):
    report = await lot.load(car(1, **{field: None}), car(2))
    assert counts(report) == {"added": 1, "rejected": 1}
    assert reasons(report) == [(2, None, f"{field}_missing", "")]


async def test_duplicates_are_counted_and_not_loaded(lot):
    report = await lot.load(
        car(1, price="10000"), car(1, price="11000"), duplicates=[Duplicate(0, 2, 0, 3)]
    )
    assert counts(report) == {"added": 1, "duplicate": 1}
    assert (await lot.sole())["price"] == 11000


async def test_an_identity_completes_the_row_that_replaced_others(lot):
    report = await lot.load(
        car(1),
        {"vin": None, "stock_number": "S1", "make": None, "price": "11000"},
        duplicates=[Duplicate(0, 2, 0, 3)],
        identities=[Identity(0, 3, vin(1), "S1", "Kia", "Rio", 2024)],
    )
    assert counts(report) == {"added": 1, "duplicate": 1}
    row = await lot.sole()
    assert (row["vin"], row["make"], row["year"], row["price"]) == (vin(1), "Kia", 2024, 11000)


async def test_a_vin_that_the_reader_judged_junk_is_remembered_and_not_stored(lot):
    rows = [car(7, stock_number="A"), car(7, stock_number="B", make="Ford")]
    junk = [
        Identity(0, 2, None, "A", "Kia", "Rio", 2024),
        Identity(0, 3, None, "B", "Ford", "Rio", 2024),
    ]
    assert counts(await lot.load(*rows, identities=junk)) == {"added": 2}
    assert [row["vin"] for row in await lot.vehicles()] == [None, None]
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == {vin(7)}
    assert counts(await lot.load(*rows, identities=junk)) == {"unchanged": 2}


def repeated(line: int, number: int) -> tuple[int, Finding]:
    return 0, Finding(line, "VIN", "vin_repeated", vin(number))


async def test_what_the_readers_last_word_rejects_is_rejected_and_kept(lot):
    report = await lot.load(
        car(1),
        car(7, stock_number=None),
        Rejected(),
        car(3),
        rejected=[repeated(3, 7), (0, Finding(5, None, "ambiguous_stock_number", "S3"))],
    )
    assert counts(report) == {"added": 1, "rejected": 3}
    expected = [
        (3, "VIN", "vin_repeated", vin(7)),
        (4, "VIN", "no_identifier", "TBD"),
        (5, None, "ambiguous_stock_number", "S3"),
    ]
    assert reasons(report) == expected
    kept = await lot.store.rejections(report.import_id)
    assert [(f.line, f.column, f.reason, f.value) for f in kept] == expected


async def test_a_dummy_vin_whose_rows_are_all_rejected_is_remembered(lot):
    await lot.load(
        car(7, stock_number=None),
        car(7, stock_number=None, make="Ford"),
        car(1),
        rejected=[repeated(2, 7), repeated(3, 7)],
    )
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == {vin(7)}


async def test_a_dummy_vin_whose_rows_the_store_rejects_is_remembered(lot):
    row = car(7, stock_number="A", make=None)
    identity = Identity(0, 2, None, "A", None, "Rio", 2024)
    report = await lot.load(row, car(1), identities=[identity])
    assert counts(report) == {"added": 1, "rejected": 1}
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == {vin(7)}


async def test_a_dummy_vin_whose_rows_were_all_replaced_is_remembered(lot):
    await lot.load(
        car(7, stock_number="A"),
        car(1, vin=None, stock_number="A"),
        car(2),
        car(2, price="9000"),
        duplicates=[Duplicate(0, 2, 0, 3), Duplicate(0, 4, 0, 5)],
        identities=[
            Identity(0, 3, None, "A", "Kia", "Rio", 2024),
            Identity(0, 5, vin(2), "S2", "Kia", "Rio", 2024),
        ],
    )
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == {vin(7)}


async def test_a_vin_that_the_stream_itself_rejects_is_no_dummy(lot):
    await lot.load(car(1), Rejected("too_few_cells", vin=vin(8)), car(7), rejected=[repeated(4, 7)])
    assert (await lot.store.known(lot.number, lot.feed.name)).junk_vins == {vin(7)}


async def test_what_the_reader_rejected_is_reported_with_line_and_value(lot):
    report = await lot.load(car(1), Rejected(), Rejected("bad_vin", "VIN", "1T\tX"))
    assert counts(report) == {"added": 1, "rejected": 2}
    expected = [(3, "VIN", "no_identifier", "TBD"), (4, "VIN", "bad_vin", "1T\tX")]
    assert reasons(report) == expected
    assert report.import_id is not None
    kept = await lot.store.rejections(report.import_id)
    assert [(f.line, f.column, f.reason, f.value) for f in kept] == expected


async def test_a_report_carries_a_hundred_rejections_and_the_ledger_all(lot):
    report = await lot.load(car(1), *(Rejected() for _ in range(150)))
    assert len(report.rejections) == 100
    assert report.import_id is not None
    assert len(await lot.store.rejections(report.import_id)) == 150
    assert await lot.store.report(report.import_id) == report


async def test_a_refused_file_leaves_the_good_one_beside_it_alone(lot):
    report = await lot.load(
        sheets=[Sheet([car(1)], "new.tsv"), Sheet(name="x", reason="no_header")]
    )
    refused = lot.reports[1]
    assert counts(report) == {"added": 1}
    assert (refused.outcome, refused.reason, refused.counts) == (
        Outcome.REJECTED,
        "no_header",
        None,
    )
    assert len(await lot.vehicles()) == 1


async def test_where_every_file_is_refused_the_feed_stands_where_it_stood(lot):
    late, broken = await lot.deliver(), await lot.deliver()
    with pytest.raises(OlderFirst):
        await lot.load(sheets=[Sheet(reason="no_header")], delivery=broken)
    await lot.admin.execute("UPDATE ingest.deliveries SET turn = 1 WHERE id = $1", broken.id)
    report = await lot.load(sheets=[Sheet(reason="no_header")], delivery=broken)
    assert report.outcome is Outcome.REJECTED
    assert counts(await lot.load(car(1), delivery=late)) == {"added": 1}


async def test_two_files_of_one_delivery_are_loaded_together(lot):
    sheets = [Sheet([car(1)], "new.tsv"), Sheet([car(2), car(3)], "used.tsv")]
    await lot.load(sheets=sheets)
    assert [counts(report) for report in lot.reports] == [{"added": 1}, {"added": 2}]
    await lot.load(sheets=sheets)
    assert [counts(report) for report in lot.reports] == [{"unchanged": 1}, {"unchanged": 2}]


async def test_an_older_delivery_never_lands_on_a_newer_one(lot):
    older = await lot.deliver()
    await lot.load(car(1, price="11000"))
    report = await lot.load(car(1, price="10000"), delivery=older)
    assert (report.outcome, report.counts) == (Outcome.SUPERSEDED, None)
    assert report.reason == "newer_applied"
    assert (await lot.sole())["price"] == 11000


async def test_deliveries_of_one_moment_go_by_their_number(lot):
    now = await lot.store.now()
    first = await lot.deliver(first_seen=now)
    second = await lot.deliver(first_seen=now)
    assert counts(await lot.load(car(1), delivery=second)) == {"added": 1}
    assert (await lot.load(car(1), delivery=first)).outcome is Outcome.SUPERSEDED


async def test_a_b_a_applies_the_third(lot):
    a, b = car(1, price="10000"), car(1, price="11000")
    reports = [await lot.load(row) for row in (a, b, a)]
    assert counts(reports[2]) == {"updated": 1}
    assert (await lot.sole())["price"] == 10000


async def test_the_second_call_gives_the_reports_of_the_first(lot):
    delivery = await lot.deliver()
    first = await lot.load(car(1), Rejected(), delivery=delivery)
    before = await lot.versions()
    second = await lot.load(car(1, price="1234"), delivery=delivery)
    assert second == first
    assert await lot.versions() == before


async def test_a_dry_run_tells_everything_and_leaves_nothing(lot):
    report = await lot.load(car(1), Rejected(), dry_run=True)
    assert counts(report) == {"added": 1, "rejected": 1}
    assert (report.import_id, report.delivery_id) == (None, None)
    assert len(report.rejections) == 1
    assert await lot.vehicles() == []
    assert await lot.store.imports() == ()


async def test_lines_that_do_not_add_up_are_never_committed(lot):
    sheet = Sheet([car(1), car(2)])
    short = Finished((Sheet([car(1)]).reading(0),))
    with pytest.raises(ReadFailed, match="4 are accounted for"):
        await lot.load_all(
            await lot.deliver(), [sheet], lambda target: blocks(sheet.encode(target, 0), short)
        )
    assert await lot.vehicles() == []


async def test_a_reading_without_a_last_word_is_never_committed(lot):
    sheet = Sheet([car(1)])
    with pytest.raises(ReadFailed, match="without saying"):
        await lot.load_all(
            await lot.deliver(), [sheet], lambda target: blocks(sheet.encode(target, 0))
        )
    assert await lot.vehicles() == []


async def test_rows_of_a_file_that_was_refused_are_never_committed(lot):
    sheet = Sheet([car(1)])
    last = Finished((Sheet(reason="no_header").reading(0), Sheet(name="b").reading(1)))
    with pytest.raises(ReadFailed, match="refused or did not name"):
        await lot.load_all(
            await lot.deliver(),
            [sheet, Sheet(name="b")],
            lambda target: blocks(sheet.encode(target, 0), last),
        )


async def test_one_vin_on_two_rows_without_a_word_is_never_committed(lot):
    with pytest.raises(ReadFailed, match="one VIN on two rows"):
        await lot.load(car(1), car(1))
    assert await lot.vehicles() == []


async def test_a_failed_parser_leaves_nothing_and_its_error_comes_through(lot):
    async def dying(target):
        yield Sheet([car(1)]).encode(target, 0)
        raise ReadFailed("the parser died")

    with pytest.raises(ReadFailed, match="the parser died"):
        await lot.load_all(await lot.deliver(), [Sheet()], dying)
    assert await lot.vehicles() == []
    assert counts(await lot.load(car(1))) == {"added": 1}


async def test_a_load_cancelled_in_mid_copy_leaves_nothing(lot):
    under_way, never = asyncio.Event(), asyncio.Event()

    async def stalling(target):
        yield Sheet([car(1)]).encode(target, 0)
        under_way.set()
        await never.wait()

    delivery = await lot.deliver()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lot.load_all(delivery, [Sheet()], stalling))
        await under_way.wait()
        task.cancel()
    assert await lot.vehicles() == []
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    assert await lot.admin.fetchval(held) == 0
    assert counts(await lot.load(car(1), delivery=delivery)) == {"added": 1}


async def test_a_reader_never_sees_half_of_a_load(lot, database):
    rows = [car(number) for number in range(300)]
    await lot.load(*rows)
    seen = set()
    done = asyncio.Event()

    async def look() -> None:
        connection = await asyncpg.connect(database.url)
        while not done.is_set():
            (row,) = await connection.fetch("SELECT min(price), max(price) FROM vehicles")
            seen.add((row["min"], row["max"]))
        await connection.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        for price in (20000, 21000, 22000):
            await lot.load(*({**row, "price": price} for row in rows))
        done.set()
    assert seen
    assert all(low == high for low, high in seen)


async def test_another_dealerships_vin_is_rejected_and_its_car_untouched(lot, store, admin):
    other = await add_lot(store, admin, "South")
    await other.load(car(1))
    before = await other.versions()
    report = await lot.load(car(1, price="1000"), car(2))
    assert counts(report) == {"added": 1, "rejected": 1}
    assert reasons(report) == [(2, "VIN", "vin_of_other_dealership", vin(1))]
    assert await other.versions() == before


async def test_two_dealerships_that_race_for_a_vin_never_both_get_it(lot, store, admin):
    other = await add_lot(store, admin, "South")
    outcomes = await asyncio.gather(lot.load(car(1)), other.load(car(1)), return_exceptions=True)
    # Who is second is in the way, or finds no row of its own while another delivery is unfinished.
    gave_way = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(one, Clash | OlderFirst) for one in gave_way)
    assert await admin.fetchval("SELECT count(*) FROM vehicles") == 1


async def test_the_dealership_comes_from_the_job_and_never_from_the_stream(lot, store, admin):
    other = await add_lot(store, admin, "South")

    def forged(target):
        text = Sheet([car(1)]).encode(target, 0).decode().split("\t")
        text[2] = str(other.number)
        return blocks("\t".join(text).encode(), Finished((Sheet([car(1)]).reading(0),)))

    await lot.load_all(await lot.deliver(), [Sheet()], forged)
    assert len(await lot.vehicles()) == 1
    assert await other.vehicles() == []


async def test_extra_columns_are_kept_for_each_vehicle(lot):
    sheet = Sheet([car(1), car(2)], extras={2: {"Lot": "A\\7"}, 3: {"Lot": "B"}})
    await lot.load(sheets=[sheet])
    query = "SELECT vehicle_id, extras ->> 'Lot', xmin::text FROM ingest.vehicle_extras ORDER BY 1"
    first, second = await lot.admin.fetch(query)
    assert (first[1], second[1]) == ("A\\7", "B")
    report = await lot.load(
        sheets=[Sheet([car(1), car(2)], extras={2: {"Lot": "C"}, 3: {"Lot": "B"}})]
    )
    assert counts(report) == {"unchanged": 2}
    assert report.outcome is Outcome.IMPORTED
    again = await lot.admin.fetch(query)
    assert again[0][1] == "C"
    assert again[1] == second


async def test_a_value_that_the_table_refuses_is_a_strike_and_no_endless_retry(lot):
    with pytest.raises(ReadFailed, match="refused the values"):
        await lot.load(car(1, features={"not": "an array"}))
    assert await lot.vehicles() == []


async def test_a_dealership_that_is_not_there_is_a_matter_of_configuration(lot):
    lot.number = 999
    with pytest.raises(Misconfigured, match="dealerships add"):
        await lot.load(car(1))


async def test_a_table_that_changed_under_way_is_read_again(lot):
    target = await lot.store.target()

    async def play(_target):
        yield Finished((Sheet().reading(0),))

    await lot.admin.execute("ALTER TABLE vehicles ALTER COLUMN trim TYPE varchar(50)")
    assert await lot.store.target() != target
    original, lot.store.target = lot.store.target, _constant(target)
    with pytest.raises(TryAgain, match="has changed"):
        await lot.load_all(await lot.deliver(), [Sheet()], play)
    lot.store.target = original


def _constant(value):
    async def give():
        return value

    return give


async def test_a_large_file_is_merged_on_fresh_statistics_with_the_same_result(lot):
    rows = [car(number, description="x" * 50) for number in range(3000)]
    assert counts(await lot.load(*rows)) == {"added": 3000}
    rows[1000] = {**rows[1000], "price": "1000"}
    before = await lot.versions()
    report = await lot.load(*rows, car(3001))
    assert counts(report) == {"added": 1, "updated": 1, "unchanged": 2999}
    after = await lot.versions()
    assert sum(before[number] != after[number] for number in before) == 1


async def test_row_level_security_is_served_by_the_target_settings(database, admin):
    await admin.execute("ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY")
    await admin.execute(
        "CREATE POLICY own ON vehicles USING (current_setting('app.role', true) = 'importer')"
    )
    config = {"target": {"settings": {"app.role": "importer"}}}
    async with opened(database.ingestd_url, config=config) as store:
        lot = await add_lot(store, admin, "North")
        assert counts(await lot.load(car(1))) == {"added": 1}
        assert counts(await lot.load(car(1, price="9000"))) == {"updated": 1}
        async with store._pool.connection() as connection:
            left = await connection.fetchval("SELECT current_setting('app.role', true)")
        assert left in (None, "")  # for the transaction alone


async def test_temporary_tables_end_with_the_transaction_behind_a_pooler(database, admin):
    async with opened(
        database.ingestd_url, config={"database": {"pooler": "transaction"}}
    ) as store:
        lot = await add_lot(store, admin, "North")
        assert counts(await lot.load(car(1))) == {"added": 1}
        assert counts(await lot.load(car(1), car(2, trim="LX"))) == {"added": 1, "unchanged": 1}
        tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'ingestd%' AND relkind = 'r'"
        assert await admin.fetchval(tables) == 0


async def test_a_refused_file_of_another_feed_does_not_hide_a_load(lot):
    delivery = await lot.deliver()
    await lot.load(car(1), delivery=delivery)
    files = (File(1, "x.pdf", 1, None, "not_a_table", "it is not a table"),)
    settlement = await lot.store.finish(delivery, files)
    assert [report.outcome for report in settlement.reports] == [
        Outcome.IMPORTED,
        Outcome.REJECTED,
    ]
    assert settlement.delivery.outcome is Outcome.REJECTED
    assert settlement.delivery.reason == "not_a_table"


async def test_order_is_by_first_sight_and_not_by_when_it_was_taken(lot):
    now = await lot.store.now()
    await lot.load(car(1, price="11000"), delivery=await lot.deliver(first_seen=now))
    early = await lot.deliver(first_seen=now - timedelta(days=1))
    assert (await lot.load(car(1), delivery=early)).outcome is Outcome.SUPERSEDED


@pytest.fixture
def another_platform(monkeypatch) -> None:
    """A profile of a table with other types and words, and without is_active."""
    ours = next(profile for profile in profiles() if profile.name == "ingestd")
    theirs = replace(
        ours,
        name="theirs",
        types={"features": "_text"},
        status={"active": "Available", "pending": "Pending", "sold": "Sold"},
        own={**ours.own, "active": ""},
        columns={field: name for field, name in ours.columns.items() if field != "doors"},
    )
    monkeypatch.setattr("ingestd.store.target.profiles", lambda: (theirs,))


@pytest.mark.usefixtures("another_platform")
async def test_a_table_of_other_types_is_filled_as_well(lot, admin):
    await admin.execute(
        """
        CREATE TYPE vehicle_status AS ENUM ('Available', 'Pending', 'Sold');
        ALTER TABLE vehicles DROP CONSTRAINT vehicles_features_is_array,
          DROP CONSTRAINT vehicles_images_is_array,
          ALTER features TYPE text[] USING NULL, ALTER images TYPE json USING NULL,
          ALTER trim TYPE varchar(9), ALTER trim SET DEFAULT 'Base', ALTER status DROP DEFAULT,
          ALTER status TYPE vehicle_status USING NULL, ALTER id DROP DEFAULT,
          ALTER updated_at TYPE timestamptz, ALTER updated_at DROP DEFAULT;
        DROP SEQUENCE vehicles_id_seq;
        ALTER TABLE vehicles ALTER id ADD GENERATED ALWAYS AS IDENTITY;
        GRANT USAGE ON SEQUENCE vehicles_id_seq TO ingestd;
        """
    )
    row = car(1, images=["https://a.example/1"], features=['a "b"', "c,d"], status=None)
    assert counts(await lot.load(row)) == {"added": 1}
    stored = await lot.sole()
    assert stored["features"] == ['a "b"', "c,d"]
    assert (stored["status"], stored["trim"]) == ("Available", "Base")
    assert counts(await lot.load(row)) == {"unchanged": 1}
    assert counts(await lot.load({**row, "status": "Sold", "images": []})) == {"updated": 1}
    assert counts(await lot.load({**row, "status": "Sold", "images": []})) == {"unchanged": 1}
    assert (await lot.sole())["status"] == "Sold"
    assert (await lot.load({**row, "status": "Available"})).reactivated == 1
    twin = {"stock_number": "S1", "status": "Available", "updated_at": await lot.store.now()}
    await lot.store_vehicle(**twin)
    assert (await lot.load(row)).deactivated == 1


class Cutter:
    """Stands between the store and its server, and swallows the answer to a COMMIT."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.armed = False

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        login = self.parts.netloc.rpartition("@")[0]
        return f"postgresql://{login}@127.0.0.1:{port}{self.parts.path}"

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def _upstream(self):
        query = {key: value[-1] for key, value in parse_qs(self.parts.query).items()}
        host, port = query.get("host"), query.get("port") or self.parts.port or 5432
        if host and host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self.parts.hostname, self.parts.port)

    async def _link(self, reader, writer) -> None:
        from_server, to_server = await self._upstream()
        cut = asyncio.Event()

        async def up() -> None:
            while data := await reader.read(65536):
                if self.armed and b"COMMIT;" in data:
                    cut.set()
                to_server.write(data)
            to_server.close()

        async def down() -> None:
            while data := await from_server.read(65536):
                if cut.is_set():  # the server has committed: its answer goes no further
                    break
                writer.write(data)
            writer.close()
            to_server.close()

        with suppress(ConnectionError):
            await asyncio.gather(up(), down())


async def test_a_commit_whose_answer_is_lost_is_found_in_the_ledger(database, admin):
    cutter = Cutter(database.ingestd_url)
    async with cutter as url, opened(url) as store:
        lot = await add_lot(store, admin, "North")
        delivery = await lot.deliver()
        sheet = Sheet([car(1)])

        async def play(target):
            cutter.armed = True
            yield sheet.encode(target, 0)
            yield Finished((sheet.reading(0),))

        with pytest.raises(TryAgain):
            await lot.load_all(delivery, [sheet], play)
        cutter.armed = False
        before = await lot.versions()
        report = await lot.load(car(1, price="1"), delivery=delivery)
        assert counts(report) == {"added": 1}
        assert await lot.versions() == before
        assert len(before) == 1


# Keys that are taken.

_HIDE = """
ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vehicles
  USING (dealership_id = current_setting('app.dealership', true)::integer)"""


async def test_a_vin_that_a_policy_hides_is_taken_each_time_by_the_same_constraint(
    database, lot, admin
):
    south = await add_lot(lot.store, admin, "South")
    await south.store_vehicle(vin=vin(1))
    settings = {"settings": {"app.dealership": "{dealership}"}}
    met = []
    async with opened(database.ingestd_url, config={"target": settings}) as store:
        await admin.execute(_HIDE)
        lot.store = store
        delivery = await lot.deliver()
        for _ in range(2):
            with pytest.raises(Taken) as caught:
                await lot.load(car(1), car(2), delivery=delivery)
            met.append((caught.value.constraint, caught.value.key))

    assert met[0] == met[1]
    assert met[0][0] == "vehicles_vin_unique"
    assert await lot.vehicles() == []


async def test_another_unique_key_of_the_table_is_named_with_its_values(lot, admin):
    await lot.store_vehicle(vin=vin(9), stock_number="S1")
    await admin.execute(
        "CREATE UNIQUE INDEX one_stock_number ON vehicles (dealership_id, stock_number)"
    )
    with pytest.raises(Taken) as caught:
        await lot.load(car(1), car(2))

    assert caught.value.constraint == "one_stock_number"
    assert caught.value.key == f"(dealership_id, stock_number)=({lot.number}, S1)"


# Statements that take too long.


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
        with pytest.raises(ReadFailed) as caught:
            await lot.load(car(1))
    assert "database.statement_timeout is 1 seconds: raise it" in str(caught.value)
    assert str(caught.value).count("time") == 2


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
