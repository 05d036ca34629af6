"""Applying schema/*.sql: by ingestd, by psql, twice, at once, and where the platform was first."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from ingestd.errors import Misconfigured
from ingestd.store import embedded, migrate

SCHEMA = Path(__file__).parent.parent.parent / "schema"
NUMBERS = [file.number for file in migrate.files()]
PLATFORM_NUMBERS = [2, 3]


@pytest.fixture
async def empty(empty_database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(empty_database.url)
    yield connection
    await connection.close()


@pytest.fixture
def cluster(short_dir, psql):
    """A server of the test's own, where no role was made yet."""
    options = embedded.Options(fast=True, system_dir=short_dir / "system")
    with embedded.start(short_dir / "state", options) as server:
        yield server


@contextlib.asynccontextmanager
async def connected(url: str, user: str | None = None):
    connection = await asyncpg.connect(url, user=user)
    try:
        yield connection
    finally:
        await connection.close()


def numbers(found: tuple[migrate.SchemaFile, ...]) -> list[int]:
    return [file.number for file in found]


def dump(url: str) -> str:
    command = [str(embedded.binaries() / "pg_dump"), "--schema-only", "-d", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if "restrict" not in line)


def apply_by_psql(psql, url: str, *options: str) -> None:
    for path in sorted(SCHEMA.glob("[0-9]*.sql")):
        psql(url, *options, "-f", path)


async def test_a_new_database_gets_every_file_in_order(empty):
    done = await migrate.apply(empty)
    assert numbers(done.files) == sorted(NUMBERS)
    assert numbers(done.status.applied) == sorted(NUMBERS)
    assert done.status.pending == done.status.changed == done.status.unsummed == ()


async def test_a_second_application_does_nothing(empty):
    await migrate.apply(empty)
    assert (await migrate.apply(empty)).files == ()


async def test_asking_how_things_stand_changes_nothing(empty):
    status = await migrate.status(empty)
    assert numbers(status.pending) == sorted(NUMBERS)
    assert await empty.fetchval("SELECT to_regnamespace('ingest')") is None


@pytest.mark.parametrize("options", [(), ("-1",)])
async def test_psql_makes_the_same_database(database, empty_database, psql, options):
    apply_by_psql(psql, empty_database.url, *options)
    assert dump(empty_database.url) == dump(database.url)


async def test_the_next_application_adds_the_checksums_that_psql_could_not(
    empty_database, empty, psql
):
    apply_by_psql(psql, empty_database.url)
    assert numbers((await migrate.status(empty)).unsummed) == sorted(NUMBERS)
    done = await migrate.apply(empty)
    assert done.files == done.status.unsummed == ()
    rows = await empty.fetch("SELECT number, sha256 FROM ingest.schema_files")
    assert {row["number"]: row["sha256"] for row in rows} == {
        file.number: file.sha256 for file in migrate.files()
    }


async def test_the_printed_script_makes_the_same_database(
    database, empty_database, psql, short_dir
):
    script = short_dir / "schema.sql"
    script.write_text(migrate.script())
    psql(empty_database.url, "-1", "-f", script)
    assert dump(empty_database.url) == dump(database.url)


async def test_psql_refuses_to_make_the_platforms_tables_twice(empty_database, psql):
    apply_by_psql(psql, empty_database.url)
    with pytest.raises(AssertionError, match="already has: api_keys"):
        psql(empty_database.url, "-f", SCHEMA / "002_platform.sql")


async def test_a_file_whose_text_has_changed_is_told_and_not_applied_again(empty):
    await migrate.apply(empty)
    await empty.execute("UPDATE ingest.schema_files SET sha256 = 'other' WHERE number = 2")
    done = await migrate.apply(empty)
    assert done.files == ()
    assert numbers(done.status.changed) == [2]
    assert any("002_platform.sql differs" in text for text in done.status.messages())


async def test_a_database_of_a_newer_version_is_left_alone(empty):
    await migrate.apply(empty)
    await empty.execute("INSERT INTO ingest.schema_files (number, name) VALUES (999, 'x')")
    assert (await migrate.status(empty)).unknown == (999,)
    with pytest.raises(Misconfigured, match=r"999.*upgrade ingestd"):
        await migrate.apply(empty)


async def test_two_that_apply_at_once_apply_each_file_once(empty_database):
    async with connected(empty_database.url) as one, connected(empty_database.url) as two:
        results = await asyncio.gather(migrate.apply(one), migrate.apply(two))
    applied = numbers(results[0].files) + numbers(results[1].files)
    assert sorted(applied) == sorted(NUMBERS)


async def test_two_databases_of_one_cluster_can_be_made_at_once(cluster, psql):
    psql(cluster.url, "-c", "CREATE DATABASE rylie_test")
    test = cluster.url.replace("/rylie?", "/rylie_test?")
    async with connected(cluster.url) as one, connected(test) as two:
        results = await asyncio.gather(migrate.apply(one), migrate.apply(two))
    assert [numbers(result.files) for result in results] == [sorted(NUMBERS)] * 2
    assert dump(cluster.url) == dump(test)


async def test_a_file_that_fails_leaves_no_trace_and_the_error_names_it(empty, monkeypatch):
    good = migrate.files()
    bad = migrate.SchemaFile(500, "500_bad.sql", "CREATE TABLE ingest.x (); SELECT 1/0", "0")
    monkeypatch.setattr(migrate, "files", lambda: (*good, bad))
    with pytest.raises(Misconfigured, match=r"500_bad\.sql was not applied: division by zero"):
        await migrate.apply(empty)
    assert await empty.fetchval("SELECT to_regclass('ingest.x')") is None
    assert numbers((await migrate.status(empty)).pending) == [500]


async def test_who_lacks_the_right_is_told_who_has_it(empty_database, empty):
    await migrate.apply(empty)
    await empty.execute("DELETE FROM ingest.schema_files WHERE number = 20")
    async with connected(empty_database.ingestd_url) as daemon:
        assert numbers((await migrate.status(daemon)).pending) == [20]
        with pytest.raises(Misconfigured, match="as the owner of the database"):
            await migrate.apply(daemon)


async def test_a_file_put_off_by_a_lock_is_no_fault_of_the_configuration(empty_database, empty):
    async with connected(empty_database.url) as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", migrate._LOCK)
        await empty.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate.apply(empty)


# Where the platform was first ---------------------------------------------------------------------


@pytest.fixture
async def of_the_platform(empty) -> None:
    await empty.execute("CREATE TABLE vehicles (id serial, vin varchar(17), sale_price integer)")
    await empty.execute("CREATE TABLE users (id text)")


async def test_a_database_that_the_platform_made_gets_the_books_only(empty, of_the_platform):
    before = await empty.fetch("SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    done = await migrate.apply(empty)
    assert numbers(done.files) == [n for n in sorted(NUMBERS) if n not in PLATFORM_NUMBERS]
    assert numbers(done.status.left_out) == PLATFORM_NUMBERS
    assert done.status.pending == ()
    after = await empty.fetch("SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert after == before
    functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert await empty.fetchval(functions) == 0


async def test_it_is_said_that_the_platforms_tables_stay_as_they_are(empty, of_the_platform):
    (text,) = (await migrate.apply(empty)).status.messages()
    assert "it has users, vehicles" in text
    assert "stay as they are" in text


async def test_the_daemons_role_can_keep_the_books_there(empty_database, empty, of_the_platform):
    await migrate.apply(empty)
    async with connected(empty_database.ingestd_url) as daemon:
        await daemon.execute("DELETE FROM ingest.leases")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await daemon.fetch("SELECT * FROM vehicles")


def test_the_printed_script_warns_of_what_would_empty_the_database():
    assert "npm run db:push" in migrate.DB_PUSH
    assert "TRUNCATE vehicles CASCADE" in migrate.DB_PUSH
    assert migrate.script().splitlines()[0].endswith(migrate.DB_PUSH)


async def test_where_all_is_well_there_is_nothing_to_say(empty):
    assert (await migrate.apply(empty)).status.messages() == ()


# Where roles cannot be made -----------------------------------------------------------------------


def tenants_database(cluster: embedded.Server, psql, rights: str = "") -> str:
    create = f"CREATE ROLE tenant LOGIN {rights}"
    psql(cluster.url, "-c", create, "-c", "CREATE DATABASE t OWNER tenant")
    return cluster.url.replace("/rylie?", "/t?")


async def test_who_may_not_create_roles_works_as_the_tables_owner(cluster, psql):
    async with connected(tenants_database(cluster, psql), user="tenant") as tenant:
        done = await migrate.apply(tenant)
        assert numbers(done.files) == sorted(NUMBERS)
        assert any("role ingestd is missing" in notice for notice in done.notices)
        await tenant.execute("DELETE FROM vehicles")
    assert psql(cluster.url, "-c", "SELECT FROM pg_roles WHERE rolname LIKE 'ingestd%'") == ""


async def test_roles_that_come_later_are_granted_by_the_same_file(cluster, psql):
    url = tenants_database(cluster, psql)
    async with connected(url, user="tenant") as tenant:
        await migrate.apply(tenant)
    psql(url, "-f", SCHEMA / "020_roles.sql")
    assert psql(url.replace("postgres@", "ingestd@"), "-c", "SELECT count(*) FROM vehicles") == "0"


async def test_an_owner_that_may_create_roles_need_not_be_superuser(cluster, psql):
    url = tenants_database(cluster, psql, "CREATEROLE")
    async with connected(url, user="tenant") as tenant:
        assert (await migrate.apply(tenant)).notices == ()
    async with connected(url, user="ingestd") as daemon:
        assert await daemon.fetchval("SELECT count(*) FROM vehicles") == 0
    query = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'vehicles'"
    assert psql(url, "-c", query) == "ingestd_owner"


# The files ----------------------------------------------------------------------------------------


def test_a_damaged_installation_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(migrate, "_directory", lambda: tmp_path)
    with pytest.raises(Misconfigured, match="install ingestd again"):
        migrate.files()
    for name in ("001_a.sql", "001_b.sql", "README"):
        (tmp_path / name).write_text("")
    with pytest.raises(Misconfigured, match="install ingestd again"):
        migrate.files()


def test_every_file_records_the_number_and_name_that_it_has():
    for file in migrate.files():
        record = (
            f"INSERT INTO ingest.schema_files (number, name) VALUES ({file.number}, '{file.name}')"
        )
        assert record in file.sql
