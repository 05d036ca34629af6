"""The live vehicles table as the catalogue and a profile describe it."""

import pytest

from ingestd.config import Database, TargetSettings, parse
from ingestd.errors import Misconfigured
from ingestd.store.layout import Layout
from ingestd.store.pool import open_pool
from ingestd.store.target import profiles, read_layout
from ingestd.vehicle import FIELDS
from tests.integration.lot import add_lot, car, counts, opened, vin


@pytest.fixture
async def pool(database):
    opened = await open_pool(Database(), database.ingestd_url)
    yield opened
    await opened.close()


async def _target(pool, **settings):
    return (await read_layout(pool, TargetSettings(**settings))).target


async def test_our_own_table_is_described_in_full(pool):
    target = await _target(pool, distance="kilometers")
    assert (target.profile, target.money, target.distance) == ("ingestd", "dollars", "kilometers")
    assert [column.field for column in target.columns] == list(FIELDS)
    types = {column.field: column.type for column in target.columns}
    assert (types["price"], types["features"], types["year"]) == ("numeric", "jsonb", "integer")
    required = [column.field for column in target.columns if column.required]
    assert required == ["make", "model", "year"]
    assert target.vin_key == "vin"


async def test_lengths_and_keys_are_read_from_the_catalogue(pool, admin):
    await admin.execute(
        "ALTER TABLE vehicles ALTER COLUMN vin TYPE varchar(17), ALTER COLUMN vin SET NOT NULL,"
        " DROP CONSTRAINT vehicles_vin_unique, ADD UNIQUE (dealership_id, vin)"
    )
    target = await _target(pool)
    vin = target.columns[0]
    assert (vin.max_length, vin.required) == (17, True)
    assert target.vin_key == "dealership_vin"


@pytest.mark.parametrize(
    ("index", "key"),
    [
        ("CREATE UNIQUE INDEX ON vehicles (vin) WHERE vin IS NOT NULL", "vin"),
        ("CREATE UNIQUE INDEX ON vehicles (vin) WHERE is_active", "none"),
        ("CREATE UNIQUE INDEX ON vehicles (upper(vin))", "none"),
        ("CREATE UNIQUE INDEX ON vehicles (vin, make)", "none"),
        ("CREATE UNIQUE INDEX ON vehicles (vin) INCLUDE (make)", "vin"),
        ("CREATE UNIQUE INDEX ON vehicles (vin, dealership_id)", "dealership_vin"),
    ],
)
async def test_only_an_index_that_forbids_a_second_vin_is_a_key(pool, admin, index, key):
    await admin.execute("ALTER TABLE vehicles DROP CONSTRAINT vehicles_vin_unique")
    await admin.execute(index)
    assert (await _target(pool)).vin_key == key


async def test_an_empty_database_is_told_the_command(empty_database):
    pool = await open_pool(Database(), empty_database.url)
    with pytest.raises(Misconfigured, match="ingestd schema apply"):
        await read_layout(pool, TargetSettings())
    await pool.close()


async def test_a_ledger_without_vehicles_is_told_the_command(pool, admin):
    await admin.execute("DROP TABLE vehicles CASCADE")
    with pytest.raises(Misconfigured, match=r"no table public.vehicles.*ingestd schema apply"):
        await read_layout(pool, TargetSettings())


async def _block(pool, **settings) -> str:
    """The block that a refusal prints."""
    with pytest.raises(Misconfigured) as caught:
        await read_layout(pool, TargetSettings(**settings))
    return str(caught.value).partition("fill in what is empty here:\n")[2]


async def _pasted(pool, block: str) -> Layout:
    """The layout that comes of a configuration with this block."""
    return await read_layout(pool, parse(block, {}).target)


async def test_a_table_that_no_profile_fits_is_told_what_each_of_them_misses(pool, admin):
    await admin.execute("ALTER TABLE vehicles ALTER COLUMN price TYPE integer, DROP COLUMN doors")
    with pytest.raises(Misconfigured) as caught:
        await read_layout(pool, TargetSettings())
    text = str(caught.value)
    assert "profile ingestd: the table has price as int4, not numeric" in text
    assert "profile ingestd: the table has no column doors" in text
    assert "profile b: the table has no column sale_price" in text


async def test_the_block_that_a_refusal_prints_works_once_money_is_filled_in(pool, admin):
    await admin.execute("ALTER TABLE vehicles ALTER COLUMN price TYPE integer, DROP COLUMN doors")
    block = await _block(pool)
    with pytest.raises(Misconfigured, match=r"target.money: .*\"dollars\" \(19995.50\)"):
        await _pasted(pool, block)
    target = (await _pasted(pool, block.replace('money = ""', 'money = "cents"'))).target
    assert (target.profile, target.money) == ("custom", "cents")
    fields = [column.field for column in target.columns]
    assert fields == [field for field in FIELDS if field != "doors"]


THEIRS = """
DROP TABLE vehicles CASCADE;
CREATE SCHEMA "Lot";
CREATE TYPE "Lot".vehicle_character AS ENUM ('IN_STOCK', 'ON_HOLD', 'SOLD');
CREATE TABLE "Lot"."Cars" (
  "carId" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "dealerId" integer NOT NULL REFERENCES dealerships,
  "VIN" char(17), "stockNo" varchar(20), make text NOT NULL, model text NOT NULL,
  year smallint NOT NULL, "Miles" integer NOT NULL DEFAULT 0, "askingPrice" numeric(8, 0),
  "Options" varchar(9)[], "photoUrls" text, "State" "Lot".vehicle_character NOT NULL
    DEFAULT 'IN_STOCK', "updatedAt" timestamptz NOT NULL);
CREATE UNIQUE INDEX ON "Lot"."Cars" ("VIN") WHERE "VIN" IS NOT NULL;
GRANT USAGE ON SCHEMA "Lot" TO ingestd;
GRANT SELECT, INSERT, UPDATE ON "Lot"."Cars" TO ingestd;
GRANT USAGE ON SEQUENCE "Lot"."Cars_carId_seq" TO ingestd;
"""
#: What its owner writes, with the block's own proposals as a beginning.
CUSTOM = """
[target]
table = "Lot.Cars"
money = "whole_dollars"
gone_status = "SOLD"
[target.status]
active = "IN_STOCK"
pending = "ON_HOLD"
sold = "SOLD"
[target.own]
id = "carId"
dealership = "dealerId"
updated = "updatedAt"
[target.columns]
vin = "VIN"
stock_number = "stockNo"
make = "make"
model = "model"
year = "year"
mileage = "Miles"
price = "askingPrice"
features = "Options"
images = "photoUrls"
status = "State"
"""


async def test_the_block_proposes_columns_by_their_names_and_words_by_the_enumeration(pool, admin):
    await admin.execute(THEIRS)
    block = await _block(
        pool, table="Lot.Cars", columns={"price": "askingPrice"}, money="cents", own={"id": "id"}
    )
    for line in (
        'table = "Lot.Cars"',
        'money = "cents"',
        'dealership = "dealerId"',
        'vin = "VIN"',
        'stock_number = "stockNo"',
        'mileage = "Miles"',
        'images = "photoUrls"',
    ):
        assert line in block
    assert "# columns that no field fills: carId, State" in block
    words = 'active = ""   # one of: IN_STOCK, ON_HOLD, SOLD'
    block = await _block(pool, table="Lot.Cars", columns={"status": "State"})
    assert words in block
    assert 'sold = "SOLD"   # one of' in block
    assert '# gone_status = "…"' in block


async def test_a_table_of_other_names_and_types_is_filled_by_its_own_description(
    pool, admin, database
):
    await admin.execute(THEIRS)
    config = {"target": parse(CUSTOM, {}).target.model_dump()}
    async with opened(database.ingestd_url, config=config) as store:
        lot = await add_lot(store, admin, "North")
        lists = {"images": ["https://a.example/1"], "features": ['a"b,', "ABS"]}
        row = car(1, price="19995", status="IN_STOCK", **lists)
        bare = {key: value for key, value in row.items() if key not in ("mileage", "status")}
        assert counts(await lot.load(row)) == {"added": 1}
        assert counts(await lot.load(row)) == {"unchanged": 1}
        assert counts(await lot.load(bare)) == {"unchanged": 1}
        assert counts(await lot.load({**row, "status": "SOLD", "price": "9000"})) == {"updated": 1}
        assert (await lot.load({**row, "status": "IN_STOCK"})).reactivated == 1
        stored = await admin.fetchrow('SELECT * FROM "Lot"."Cars"')
        assert stored is not None
        assert (stored["VIN"], stored["Options"]) == (vin(1), ['a"b,', "ABS"])
        assert (stored["photoUrls"], stored["State"]) == ('["https://a.example/1"]', "IN_STOCK")
        (listed,) = await store.dealerships()
        assert (listed.name, listed.vehicles) == ("North", 1)
        assert (stored["askingPrice"], stored["Miles"], stored["year"]) == (19995, 10, 2024)


async def test_a_description_that_the_table_does_not_keep_is_refused(pool, admin):
    await admin.execute(THEIRS)
    block = CUSTOM.replace('"ON_HOLD"', '"PENDING"').replace('"askingPrice"', '"photoUrls"')
    with pytest.raises(Misconfigured) as caught:
        await _pasted(pool, block.replace('images = "photoUrls"', ""))
    text = str(caught.value)
    assert "has no 'PENDING' among the values of State (IN_STOCK, ON_HOLD, SOLD)" in text
    assert "has photoUrls as text, which cannot hold price" in text


async def test_without_a_status_column_what_is_sold_is_inactive(admin, database):
    await admin.execute("ALTER TABLE vehicles DROP COLUMN status")
    config = {"target": {"profile": "ingestd", "columns": {"status": ""}}}
    async with opened(database.ingestd_url, config=config) as store:
        lot = await add_lot(store, admin, "North")
        assert counts(await lot.load(car(1), car(2, status="pending"))) == {"added": 2}
        rows = [car(1, status="sold"), car(2, status="pending")]
        report = await lot.load(*rows)
        assert (counts(report), report.deactivated) == ({"updated": 1, "unchanged": 1}, 1)
        assert counts(await lot.load(*rows)) == {"unchanged": 2}
        assert [row["is_active"] for row in await lot.vehicles()] == [False, True]
        assert (await lot.load(car(1), car(2))).reactivated == 1
        await admin.execute("UPDATE vehicles SET is_active = false WHERE vin = $1", vin(2))
        assert counts(await lot.load(car(1), car(2))) == {"unchanged": 2}


async def test_a_view_is_no_table(pool, admin):
    await admin.execute("ALTER TABLE vehicles RENAME TO cars; CREATE VIEW vehicles AS TABLE cars")
    with pytest.raises(Misconfigured, match=r"public.vehicles is (no|not a) table"):
        await read_layout(pool, TargetSettings())


async def test_a_named_table_that_is_not_there_is_told(pool):
    with pytest.raises(Misconfigured, match=r"target.table: there is no table public.cars"):
        await read_layout(pool, TargetSettings(profile="a1", table="public.cars"))


async def test_a_named_profile_applies_to_other_types_but_not_to_other_money(pool, admin):
    await admin.execute("ALTER TABLE vehicles ALTER COLUMN mileage TYPE bigint")
    with pytest.raises(Misconfigured, match="has mileage as int8"):
        await read_layout(pool, TargetSettings())
    assert (await _target(pool, profile="ingestd")).profile == "ingestd"
    with pytest.raises(Misconfigured, match="has price as numeric, not int4"):
        await read_layout(pool, TargetSettings(profile="a1"))
    assert (await _target(pool, profile="a1", money="dollars")).money == "dollars"


async def test_a_role_that_lacks_a_right_is_told_the_statements_that_give_it(pool, admin):
    await admin.execute(
        "REVOKE ALL ON vehicles FROM ingestd; GRANT SELECT, INSERT ON vehicles TO ingestd;"
        "REVOKE ALL ON SEQUENCE vehicles_id_seq FROM ingestd"
    )
    with pytest.raises(Misconfigured) as caught:
        await read_layout(pool, TargetSettings())
    statements = str(caught.value).splitlines()[1:]
    assert statements[0].startswith("  GRANT UPDATE (body_style, condition,")
    assert statements[1] == "  GRANT USAGE ON SEQUENCE public.vehicles_id_seq TO ingestd;"
    await admin.execute("\n".join(statements))
    assert (await _target(pool)).profile == "ingestd"


@pytest.mark.parametrize(
    ("trigger", "found"),
    [
        ("BEFORE UPDATE ON vehicles FOR EACH ROW", ("t",)),
        ("BEFORE INSERT OR DELETE ON vehicles FOR EACH ROW", ("t",)),
        ("BEFORE DELETE ON vehicles FOR EACH ROW", ()),
        ("AFTER UPDATE ON vehicles FOR EACH ROW", ()),
        ("BEFORE UPDATE ON vehicles FOR EACH STATEMENT", ()),
    ],
)
async def test_only_triggers_that_can_change_what_is_written_count(pool, admin, trigger, found):
    await admin.execute(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        f"CREATE TRIGGER t {trigger} EXECUTE FUNCTION f()"
    )
    assert (await read_layout(pool, TargetSettings())).triggers == found
    await admin.execute("ALTER TABLE vehicles DISABLE TRIGGER t")
    assert (await read_layout(pool, TargetSettings())).triggers == ()


async def test_the_range_of_numbers_is_read_from_the_catalogue(pool, admin):
    await admin.execute(
        "ALTER TABLE vehicles ALTER price TYPE numeric(7,2), ALTER msrp TYPE numeric,"
        " ALTER year TYPE smallint"
    )
    target = await _target(pool, profile="ingestd")
    most = {column.field: column.most for column in target.columns}
    assert (most["price"], most["msrp"], most["year"]) == (9999999, None, 3276700)


async def test_check_says_what_the_table_is_taken_for(pool, admin, database):
    async with opened(database.ingestd_url) as store:
        assert await store.about_target() == (
            "public.vehicles is as the profile 'ingestd' has it: money in dollars with cents,"
            " mileage in miles, a VIN is there once"
        )
        await admin.execute("ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY")
        assert "[target.settings] is empty" in await store.about_target()


async def test_row_level_security_counts_only_where_it_applies_to_us(pool, admin, database):
    await admin.execute("ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY")
    assert (await read_layout(pool, TargetSettings())).secured
    owner = await open_pool(Database(), database.url)
    assert not (await read_layout(owner, TargetSettings())).secured
    await owner.close()


async def test_a_required_column_that_nobody_fills_is_told_before_the_first_load(pool, admin):
    await admin.execute("ALTER TABLE vehicles ADD COLUMN lot text NOT NULL")
    with pytest.raises(Misconfigured, match="requires lot"):
        await read_layout(pool, TargetSettings())


async def test_a_profile_that_does_not_exist_is_told_with_the_near_one(pool):
    with pytest.raises(Misconfigured, match='did you mean "ingestd"'):
        await read_layout(pool, TargetSettings(profile="ingest"))


async def test_columns_of_others_are_left_alone(pool, admin):
    await admin.execute("ALTER TABLE vehicles ADD COLUMN note text, ADD COLUMN rank int DEFAULT 1")
    assert [column.field for column in (await _target(pool)).columns] == list(FIELDS)


def test_every_profile_names_only_fields_that_exist():
    for profile in profiles():
        assert set(profile.columns) <= set(FIELDS)
        assert {"vin", "make", "model", "year"} <= set(profile.columns)
