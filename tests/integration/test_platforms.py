"""The databases that the platform's versions A1, B and C made: filled, and otherwise left alone.

Each is made from platforms/<version>.sql; then `schema apply` adds the books, its owner grants the
daemon's role what docs/target.md says, and everything after that is done as this role.
"""

import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.errors import Clash, Misconfigured, ReadFailed, TryAgain
from ingestd.model import Arrival, Finished, Outcome, Reading, ReadJob
from ingestd.report import Report
from ingestd.store import embedded, migrate
from tests.integration.lot import Lot, Sheet, car, counts, opened, reasons, vin

HERE = Path(__file__).parent
SAMPLE = (files("ingestd.sample") / "prairie-crossing.tsv").read_bytes()
PAGE = (HERE.parents[1] / "docs" / "target.md").read_text()
GRANTS = re.search(r"```sql\n(GRANT.*?)```", PAGE, re.DOTALL)

#: A dealership, as each version's own application would add it.
DEALERSHIP = {
    "a1": "INSERT INTO dealerships (name, location, contact_email, contact_phone)"
    " VALUES ($1, 'here', 'lot@lot.example', '1') RETURNING id",
    "b": "INSERT INTO dealerships (name, contact_email, subdomain)"
    " VALUES ($1::text, 'lot@lot.example', lower($1::text)) RETURNING id",
    "c": "INSERT INTO dealerships (name, subdomain) VALUES ($1::text, lower($1::text))"
    " RETURNING id",
}
VERSIONS = sorted(DEALERSHIP)


@dataclass(frozen=True)
class Platform:
    version: str
    url: str
    ingestd_url: str
    admin: "asyncpg.Connection"

    def lot(self, store: Any, number: int) -> Lot:
        return Lot(store, self.admin, number)

    async def add(self, name: str) -> int:
        number: int = await self.admin.fetchval(DEALERSHIP[self.version], name)
        return number

    def public(self) -> str:
        """All that the catalogue has of schema public, rights included."""
        return _dump(self.url, "--schema-only", "--schema=public")

    def others(self) -> str:
        """All that the tables of schema public hold, but for vehicles."""
        return _dump(self.url, "--data-only", "--schema=public", "--exclude-table=vehicles*")


def _dump(url: str, *options: str) -> str:
    command = [str(embedded.binaries() / "pg_dump"), *options, "-d", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if "restrict" not in line)


@pytest.fixture(params=VERSIONS)
async def platform(request, empty_database) -> AsyncIterator[Platform]:
    async for made in _made(request.param, empty_database):
        yield made


@pytest.fixture
async def a1(empty_database) -> AsyncIterator[Platform]:
    async for made in _made("a1", empty_database):
        yield made


@pytest.fixture
async def b(empty_database) -> AsyncIterator[Platform]:
    async for made in _made("b", empty_database):
        yield made


@pytest.fixture
async def c(empty_database) -> AsyncIterator[Platform]:
    async for made in _made("c", empty_database):
        yield made


async def _made(version: str, database: Any) -> AsyncIterator[Platform]:
    admin: Any = await asyncpg.connect(database.url)
    await admin.execute((HERE / "platforms" / f"{version}.sql").read_text())
    made = Platform(version, database.url, database.ingestd_url, admin)
    before = made.public()
    await migrate.apply(admin)
    assert made.public() == before
    assert GRANTS is not None
    await admin.execute(GRANTS[1])
    yield made
    await admin.close()


async def _import(lot: Lot, content: bytes) -> Report:
    """Take a file all the way, without processes."""
    delivery = await lot.deliver(name="lot.tsv", size=len(content))
    arrival: Arrival = delivery.arrival
    feed = Feed(name=lot.feed.name, dealership=lot.number, mode="full", folder=("drop",))
    (file,) = reading.open_delivery(arrival, lambda: iter((content,)), (feed,), Limits()).files
    target = await lot.store.target()
    job = ReadJob("0" * 64, "folder", "lot.tsv", (file,), lot.number, "2026-11-24", target)

    async def items() -> Reading:
        for item in reading.read(job, lambda: iter((content,)), feed, Limits()):
            yield item

    (report,) = await lot.store.load(delivery, feed, job, items())
    await lot.store.finish(delivery, ())
    return report


async def test_the_sample_feed_becomes_vehicles_and_nothing_else_in_public_changes(platform):
    number = await platform.add("Prairie")
    before, others = platform.public(), platform.others()
    async with opened(platform.ingestd_url) as store:
        lot = platform.lot(store, number)
        report = await _import(lot, SAMPLE)
        again = await _import(lot, SAMPLE)
    assert report.outcome is Outcome.IMPORTED
    assert counts(report)["added"] == await platform.admin.fetchval("SELECT count(*) FROM vehicles")
    assert counts(report)["added"] > 150
    assert again.outcome is Outcome.UNCHANGED
    assert platform.public() == before
    assert platform.others() == others


async def test_a_dealership_is_listed_and_added_where_its_columns_are_known(platform):
    number = await platform.add("Prairie")
    async with opened(platform.ingestd_url) as store:
        await _import(platform.lot(store, number), LOT)
        (found,) = await store.dealerships()
        assert (found.id, found.name, found.vehicles) == (number, "Prairie", 3)
        if platform.version == "a1":
            await platform.admin.execute(
                "GRANT INSERT ON dealerships TO ingestd;"
                "GRANT USAGE ON SEQUENCE dealerships_id_seq TO ingestd"
            )
            assert await store.add_dealership("South") == number + 1
        else:
            with pytest.raises(Misconfigured, match="add the dealership in the platform itself"):
                await store.add_dealership("South")


async def test_the_profile_is_found_by_itself(platform):
    async with opened(platform.ingestd_url) as store:
        assert (await store.target()).profile == platform.version


# What each version reads --------------------------------------------------------------------------

_PHOTOS = "https://a.example/1.jpg,https://a.example/2.jpg"
_HEADER = (
    "VIN\tStock #\tYear\tMake\tModel\tTrim\tPrice\tMSRP\tColor\tInterior Color\tOptions"
    "\tPhotos\tStatus\n"
)
LOT = (
    f"{_HEADER}"
    f"{vin(1)}\tS1\t2024\tKia\tRio\tLX\t$24,999.50\t26,000\tBlue\tGray\tABS|Radio\t{_PHOTOS}"
    f"\tIn Stock\n{vin(2)}\tS2\t2023\tKia\tSoul\tEX\t18,000\t\tRed\t\t\t\tHold\n"
    f"{vin(3)}\tS3\t2022\tKia\tNiro\t\tCall\t\tRed\t\t\t\tSold\n"
).encode()


@pytest.fixture
async def filled(platform) -> AsyncIterator[Lot]:
    """A dealership of the platform with three vehicles: on offer, on hold, sold."""
    number = await platform.add("Prairie")
    async with opened(platform.ingestd_url) as store:
        lot = platform.lot(store, number)
        assert counts(await _import(lot, LOT)) == {"added": 3}
        yield lot


#: The first vehicle's columns, as each version keeps them.
KEPT: dict[str, dict[str, Any]] = {
    "a1": {
        "price": 25000,  # whole dollars, half up
        "msrp": 26000,
        "features": ["ABS", "Radio"],
        "images": ["https://a.example/1.jpg", "https://a.example/2.jpg"],
        "exterior_color": "Blue",
        "stock_number": "S1",
    },
    "b": {
        "sale_price": 2499950,  # cents
        "price": None,
        "msrp": 2600000,
        "features": '["ABS","Radio"]',
        "images": '["https://a.example/1.jpg","https://a.example/2.jpg"]',
        "ext_color": "Blue",
        "int_color": "Gray",
        "exterior_color": None,
        "stock_number": "S1",
    },
    "c": {
        "price": Decimal("24999.50"),
        "features": '["ABS","Radio"]',
        "images": '["https://a.example/1.jpg","https://a.example/2.jpg"]',
        "exterior_color": "Blue",
        "interior_color": "Gray",
    },
}


async def test_money_and_lists_are_in_the_unit_and_type_that_the_version_reads(platform, filled):
    first = (await filled.vehicles())[0]
    wanted = KEPT[platform.version]
    assert {key: first[key] for key in wanted} == wanted


#: status, and is_active where there is one, of the three vehicles.
STATES: dict[str, list[tuple[Any, ...]]] = {
    "a1": [("active", True), ("pending", True), ("sold", False)],
    "b": [("Available", True), ("On Hold", True), ("Sold", False)],
    "c": [("available",), ("pending",), ("sold",)],
}


async def test_states_are_told_in_the_versions_own_words(platform, filled):
    columns = "status" if platform.version == "c" else "status, is_active"
    found = [tuple(row.values()) for row in await filled.vehicles(columns)]
    assert found == STATES[platform.version]


#: What the version's own application asks for, of dealership $1: it finds the first vehicle.
QUERIES = {
    "a1": "SELECT vin FROM vehicles WHERE dealership_id = $1 AND is_active = true"
    " AND (make ILIKE '%kia%' OR vin ILIKE '%kia%') AND model = 'Rio' AND status = 'active'",
    "b": "SELECT vin FROM vehicles WHERE dealership_id = $1 AND is_active = true"
    " AND make LIKE '%Kia%' AND sale_price / 100 BETWEEN 24000 AND 25000"
    " AND status = 'Available' AND vin = upper(vin)",
    "c": "SELECT vin FROM vehicles WHERE dealership_id = $1 AND status = 'available'"
    " AND price < 25000",
}


async def test_the_versions_own_filters_find_the_vehicles(platform, filled):
    found = await platform.admin.fetch(QUERIES[platform.version], filled.number)
    assert [row["vin"] for row in found] == [vin(1)]


async def test_an_edit_by_a_person_is_healed_in_the_versions_unit(platform, filled):
    column = "sale_price" if platform.version == "b" else "price"
    await platform.admin.execute(f"UPDATE vehicles SET {column} = 1")
    # The third has no price to be had from its row: "Call" clears it.
    assert counts(await _import(filled, LOT)) == {"updated": 3}
    assert (await filled.vehicles())[0][column] == KEPT[platform.version][column]
    assert counts(await _import(filled, LOT)) == {"unchanged": 3}


async def test_a_row_without_vin_is_no_new_vehicle_where_a_vin_is_required(platform, filled):
    report = await _import(filled, LOT + b"\tS9\t2024\tHonda\tFit\t\t9,000\t\t\t\t\t\t\n")
    reason = "no_identifier" if platform.version == "c" else "vin_missing"
    assert [found[2] for found in reasons(report)] == [reason]
    assert len(await filled.vehicles()) == 3


async def test_a_row_without_vin_means_the_vehicle_of_its_stock_number(platform, filled):
    if platform.version == "c":
        assert (await filled.store.target()).columns[1].field == "make"  # it keeps no stock number
        return
    header = b"VIN\tStock #\tYear\tMake\tModel\tPrice\n"
    report = await _import(filled, header + b"\tS1\t2024\tKia\tRio\t9,000\n")
    assert counts(report) == {"updated": 1}
    column = "sale_price" if platform.version == "b" else "price"
    factor = 100 if platform.version == "b" else 1
    assert (await filled.vehicles())[0][column] == 9000 * factor


async def test_a_vehicle_that_was_sold_by_the_feed_comes_back_by_the_feed(platform, filled):
    report = await _import(filled, LOT.replace(b"Sold", b"In Stock"))
    assert (counts(report), report.reactivated) == ({"updated": 1, "unchanged": 2}, 1)
    states = STATES[platform.version]
    columns = "status" if platform.version == "c" else "status, is_active"
    assert tuple((await filled.vehicles(columns))[2].values()) == states[0]


async def test_one_vin_at_two_dealerships_goes_by_the_versions_key(platform, filled):
    number = await platform.add("South")
    other = platform.lot(filled.store, number)
    report = await _import(other, LOT.replace(vin(2).encode(), vin(9).encode()))
    if platform.version == "a1":
        # The one that is sold there moves; the other is still on offer there.
        assert [found[2] for found in reasons(report)] == ["vin_of_other_dealership"]
    else:
        assert counts(report) == {"added": 3}
    assert len(await filled.vehicles()) == (2 if platform.version == "a1" else 3)


async def test_what_is_too_long_for_its_column_leaves_the_stored_value(b):
    number = await b.add("Prairie")
    async with opened(b.ingestd_url) as store:
        lot = b.lot(store, number)
        await _import(lot, LOT)
        report = await _import(lot, LOT.replace(b"\tLX\t", b"\t" + b"L" * 101 + b"\t"))
        assert report.reading is not None
        (warning,) = (f for f in report.reading.warnings_list if f.column == "Trim")
        assert (warning.line, warning.reason) == (2, "does_not_fit")
        assert (await lot.vehicles())[0]["trim"] == "LX"


async def test_a_price_beyond_the_columns_range_leaves_the_stored_value(platform, filled):
    if platform.version == "c":
        await platform.admin.execute("ALTER TABLE vehicles ALTER price TYPE numeric(7,2)")
    column = "sale_price" if platform.version == "b" else "price"
    most = b"$24,999,999.50" if platform.version != "a1" else b"$2,499,999,999.00"
    report = await _import(filled, LOT.replace(b"$24,999.50", most))
    assert report.reading is not None
    found = [(f.line, f.reason) for f in report.reading.warnings_list if f.column == "Price"]
    assert [line for line, _ in found] == [2]
    assert (await filled.vehicles())[0][column] == KEPT[platform.version][column]


async def test_where_nothing_says_gone_a_feed_cannot_deactivate_until_the_word_is_given(c):
    feed = {"name": "f", "dealership": 1, "mode": "full", "missing": "deactivate"}
    async with opened(c.ingestd_url, config={"feed": [feed]}) as store:
        with pytest.raises(Misconfigured, match=r"target.gone_status.*no is_active"):
            await store.target()
    config = {"feed": [feed], "target": {"gone_status": "unlisted"}}
    async with opened(c.ingestd_url, config=config) as store:
        assert (await store.target()).profile == "c"
        layout = store._layout
        assert layout is not None
        assert layout.gone == "unlisted"


async def test_what_a_person_marked_by_the_word_for_gone_is_off_and_stays_so(c):
    number = await c.add("Prairie")
    async with opened(c.ingestd_url, config={"target": {"gone_status": "unlisted"}}) as store:
        lot = c.lot(store, number)
        await _import(lot, LOT)
        await c.admin.execute("UPDATE vehicles SET status = 'unlisted' WHERE vin = $1", vin(1))
        assert counts(await _import(lot, LOT)) == {"unchanged": 3}
        assert (await lot.vehicles("status"))[0] == {"status": "unlisted"}


async def test_cells_that_a_version_has_no_column_for_are_kept_beside_the_vehicle(c):
    number = await c.add("Prairie")
    async with opened(c.ingestd_url) as store:
        await _import(c.lot(store, number), LOT)
    query = "SELECT extras ->> 'Stock #', extras ->> 'MSRP' FROM ingest.vehicle_extras"
    assert tuple((await c.admin.fetch(query + " ORDER BY vehicle_id"))[0]) == ("S1", "26,000")


# Row-level security -------------------------------------------------------------------------------

SECURED = """
ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON vehicles USING (
  dealership_id = nullif(current_setting('app.current_dealership_id', true), '')::integer
  OR current_setting('app.current_user_role', true) = 'super_admin');
"""


@pytest.mark.parametrize(
    "settings",
    [{"app.current_dealership_id": "{dealership}"}, {"app.current_user_role": "super_admin"}],
)
async def test_a_policy_is_served_by_settings_that_name_the_dealership_or_the_role(b, settings):
    await b.admin.execute(SECURED)
    first, second = await b.add("North"), await b.add("South")
    async with opened(b.ingestd_url, config={"target": {"settings": settings}}) as store:
        for number in (first, second):
            lot = b.lot(store, number)
            assert counts(await _import(lot, LOT)) == {"added": 3}
            assert counts(await _import(lot, LOT)) == {"unchanged": 3}
        async with store._pool.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM vehicles") == 0


async def test_a_policy_without_settings_stops_the_load(b):
    await b.admin.execute(SECURED)
    number = await b.add("North")
    async with opened(b.ingestd_url) as store:
        with pytest.raises(ReadFailed, match=r"target\.settings"):
            await _import(b.lot(store, number), LOT)


async def test_a_policy_that_hides_what_it_lets_in_never_doubles_a_vehicle(c):
    await c.admin.execute(
        "ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY blind ON vehicles FOR SELECT USING (false);"
        "CREATE POLICY fill ON vehicles FOR INSERT WITH CHECK (true)"
    )
    number = await c.add("North")
    async with opened(c.ingestd_url) as store:
        with pytest.raises(ReadFailed, match=r"target\.settings"):
            await _import(c.lot(store, number), LOT)
    assert await c.admin.fetchval("SELECT count(*) FROM vehicles") == 0


# Triggers of the table's own ----------------------------------------------------------------------


async def _trigger(platform: Platform, body: str) -> None:
    await platform.admin.execute(
        f"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$;"
        "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON vehicles"
        " FOR EACH ROW EXECUTE FUNCTION touch()"
    )


async def test_a_trigger_that_stamps_each_change_is_no_change_of_the_feeds(platform, filled):
    await _trigger(platform, "NEW.updated_at := '2001-01-01'; RETURN NEW;")
    changed = LOT.replace(b"18,000", b"17,000")
    assert counts(await _import(filled, changed)) == {"updated": 1, "unchanged": 2}
    before = await filled.versions()
    assert counts(await _import(filled, changed)) == {"unchanged": 3}
    assert await filled.versions() == before


async def test_a_trigger_that_changes_values_does_not_make_them_change_for_ever(platform, filled):
    await _trigger(platform, "NEW.model := upper(NEW.model); RETURN NEW;")
    changed = LOT.replace(b"18,000", b"17,000")
    assert counts(await _import(filled, changed)) == {"updated": 1, "unchanged": 2}
    before = await filled.versions()
    assert counts(await _import(filled, changed)) == {"unchanged": 3}
    assert await filled.versions() == before
    # Another value from the feed, or somebody's edit, is news again.
    assert counts(await _import(filled, LOT)) == {"updated": 1, "unchanged": 2}
    await platform.admin.execute("UPDATE vehicles SET trim = 'X' WHERE vin = $1", vin(2))
    assert counts(await _import(filled, LOT)) == {"updated": 1, "unchanged": 2}
    second = (await filled.vehicles())[1]
    assert (second["model"], second["trim"]) == ("SOUL", "EX")


async def test_a_trigger_that_changes_a_new_vehicle_costs_one_more_update(platform):
    await _trigger(platform, "NEW.model := upper(NEW.model); RETURN NEW;")
    number = await platform.add("Prairie")
    async with opened(platform.ingestd_url) as store:
        lot = platform.lot(store, number)
        found = [counts(await _import(lot, LOT)) for _ in range(3)]
    assert found == [{"added": 3}, {"updated": 3}, {"unchanged": 3}]


# The table changes while the daemon runs ---------------------------------------------------------


async def test_a_length_that_changed_between_two_imports_is_read_again(b):
    number = await b.add("Prairie")
    async with opened(b.ingestd_url) as store:
        lot = b.lot(store, number)
        await _import(lot, LOT)
        await b.admin.execute(
            "ALTER TABLE vehicles ALTER model TYPE varchar(3) USING left(model, 3)"
        )
        report = await _import(lot, LOT)
        assert report.reading is not None
        assert {f.reason for f in report.reading.warnings_list if f.column == "Model"} == {
            "does_not_fit"
        }
        await b.admin.execute("ALTER TABLE vehicles ALTER model TYPE text")
        assert counts(await _import(lot, LOT)) == {"updated": 2, "unchanged": 1}
        assert [row["model"] for row in await lot.vehicles()] == ["Rio", "Soul", "Niro"]


async def test_a_type_that_changed_between_two_imports_is_read_again(a1):
    number = await a1.add("Prairie")
    async with opened(a1.ingestd_url, config={"target": {"profile": "a1"}}) as store:
        lot = a1.lot(store, number)
        await _import(lot, LOT)
        await a1.admin.execute(
            "ALTER TABLE vehicles ALTER features TYPE jsonb USING to_jsonb(features),"
            " ALTER mileage TYPE bigint, ALTER vin TYPE varchar(17)"
        )
        assert counts(await _import(lot, LOT)) == {"unchanged": 3}
        await a1.admin.execute("ALTER TABLE vehicles ALTER price TYPE numeric(12,2)")
        with pytest.raises(Misconfigured, match="has price as numeric, not int4"):
            await _import(lot, LOT)
        assert counts(await _import_again(lot, a1)) == {"unchanged": 3}


async def _import_again(lot: Lot, platform: Platform) -> Report:
    await platform.admin.execute("ALTER TABLE vehicles ALTER price TYPE integer")
    return await _import(lot, LOT)


async def test_a_table_that_changes_while_its_file_is_loaded_is_tried_again(b):
    number = await b.add("Prairie")
    async with opened(b.ingestd_url) as store:
        lot = b.lot(store, number)
        await _import(lot, LOT)
        target = await store.target()

        async def play(_target):
            yield Sheet([car(7, trim="A" * 40)]).encode(target, 0)
            await b.admin.execute("ALTER TABLE vehicles ALTER trim TYPE varchar(9)")
            yield Finished((Sheet([car(7)]).reading(0),))

        with pytest.raises(TryAgain, match="changed while it was filled"):
            await lot.load_all(await lot.deliver(), [Sheet()], play)
        assert len(await lot.vehicles()) == 3


async def test_a_statement_that_another_version_made_stale_is_tried_again_at_once(b):
    number = await b.add("Prairie")
    async with opened(b.ingestd_url) as store:
        lot = b.lot(store, number)
        await lot.deliver()
        await b.admin.execute("ALTER TABLE ingest.deliveries ADD COLUMN later text")
        with pytest.raises(Clash, match="was changed while it was in use"):
            await lot.deliver()
        await lot.deliver()
