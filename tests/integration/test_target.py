"""The live vehicles table as the catalogue and a profile describe it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from ingestd.config import Database, TargetSettings
from ingestd.errors import Misconfigured
from ingestd.model import FIELDS
from ingestd.store.pool import open_pool
from ingestd.store.target import profiles, read_layout


@pytest.fixture
async def admin(database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()


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


async def test_a_table_that_no_profile_fits_gets_the_block_to_fill_in(pool, admin):
    await admin.execute("ALTER TABLE vehicles ALTER COLUMN price TYPE integer, DROP COLUMN doors")
    with pytest.raises(Misconfigured) as caught:
        await read_layout(pool, TargetSettings())
    text = str(caught.value)
    assert "has price as int4, not numeric" in text
    assert "has no column doors" in text
    assert '[target]\nprofile = "ingestd"' in text


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
