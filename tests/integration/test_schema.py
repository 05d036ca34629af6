"""schema/*.sql: what the database promises to the platform, to the daemon and to its operator."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from ingestd.vehicle import FIELDS

ROOT = Path(__file__).parent.parent.parent

#: The documentation's tables: column and type, as PostgreSQL names them.
DOCUMENTED = {
    "users": """id integer, username text, password text, name text, email text, role text,
        dealership_id integer, created_at timestamp""",
    "dealerships": """id integer, name text, location text, contact_email text,
        contact_phone text, domain text, handover_email text, created_at timestamp""",
    "vehicles": """id integer, dealership_id integer, vin text, stock_number text, make text,
        model text, year integer, trim text, exterior_color text, interior_color text,
        mileage integer, price numeric, msrp numeric, body_style text, transmission text,
        engine text, fuel_type text, drivetrain text, features jsonb, description text,
        images jsonb, status text, is_active boolean, created_at timestamp,
        updated_at timestamp""",
    "conversations": """id integer, dealership_id integer, customer_name text,
        customer_phone text, customer_email text, status conversation_status,
        escalated_to_user_id integer, channel text, created_at timestamp, updated_at timestamp""",
    "messages": """id integer, conversation_id integer, content text, role text,
        created_at timestamp""",
    "personas": """id integer, dealership_id integer, name text, description text,
        prompt_template text, arguments jsonb, is_default boolean, created_at timestamp,
        updated_at timestamp""",
    "api_keys": """id integer, dealership_id integer, key text, description text,
        is_active boolean, created_at timestamp, last_used timestamp""",
}

#: What version A1 of the platform has beyond that; the A/B tables are its alone.
A1_ONLY = {
    "vehicles": """url text, doors integer, advertiser_name text, image_type text,
        vehicle_type text, condition text""",
    "conversations": "campaign_context text, inventory_context text",
    "messages": "is_from_customer boolean, channel text, metadata jsonb",
    "api_keys": "last_used_at timestamp",
    "prompt_variants": """id integer, name text, description text, prompt_template text,
        is_control boolean, is_active boolean, dealership_id integer, created_at timestamp,
        updated_at timestamp""",
    "prompt_metrics": """id integer, variant_id integer, conversation_id integer,
        message_id integer, response_time_ms integer, tokens_used integer,
        customer_message_length integer, assistant_response_length integer,
        was_escalated boolean, was_successful boolean, customer_rating integer,
        created_at timestamp""",
    "prompt_experiments": """id integer, name text, description text, dealership_id integer,
        start_date timestamp, end_date timestamp, is_active boolean, conclusion_notes text,
        created_at timestamp""",
    "experiment_variants": """id integer, experiment_id integer, variant_id integer,
        traffic_allocation integer, created_at timestamp""",
}

#: Version A1's foreign keys and unique constraints, by the names that its ORM gives them.
CONSTRAINTS = {
    "users_dealership_id_dealerships_id_fk",
    "users_email_unique",
    "users_username_unique",
    "vehicles_dealership_id_dealerships_id_fk",
    "vehicles_vin_unique",
    "conversations_dealership_id_dealerships_id_fk",
    "conversations_escalated_to_user_id_users_id_fk",
    "messages_conversation_id_conversations_id_fk",
    "personas_dealership_id_dealerships_id_fk",
    "api_keys_dealership_id_dealerships_id_fk",
    "api_keys_key_unique",
    "prompt_variants_dealership_id_dealerships_id_fk",
    "prompt_metrics_conversation_id_conversations_id_fk",
    "prompt_metrics_message_id_messages_id_fk",
    "prompt_metrics_variant_id_prompt_variants_id_fk",
    "prompt_experiments_dealership_id_dealerships_id_fk",
    "experiment_variants_experiment_id_prompt_experiments_id_fk",
    "experiment_variants_variant_id_prompt_variants_id_fk",
}

#: Inserts as version A1's application makes them: its own columns only, the rest by default.
A1_INSERTS = (
    """insert into "dealerships" ("id", "name", "location", "contact_email", "contact_phone",
       "domain", "handover_email", "created_at")
       values (default, 'Lakeside', '1 Pier Rd', 'a@lakeside.example', '555-0100', default,
       default, default)""",
    """insert into "users" ("id", "username", "password", "name", "email", "role",
       "dealership_id", "created_at")
       values (default, 'ann', '$2b$10$hash', 'Ann', 'ann@lakeside.example', default, 1,
       default)""",
    """insert into "vehicles" ("id", "dealership_id", "vin", "stock_number", "make", "model",
       "year", "trim", "exterior_color", "interior_color", "mileage", "price", "msrp",
       "body_style", "transmission", "engine", "fuel_type", "drivetrain", "features",
       "description", "images", "status", "is_active", "url", "doors", "advertiser_name",
       "image_type", "vehicle_type", "condition", "created_at", "updated_at")
       values (default, 1, '1M8GDM9AXKP042788', 'S1', 'Kia', 'Rio', 2020, 'LX', 'Red', default,
       12000, 9999, default, default, default, default, default, default, default, default,
       default, default, default, 'https://lakeside.example/1', 4, 'Lakeside', default,
       'Used', 'Used', default, default)""",
    """insert into "conversations" ("id", "dealership_id", "customer_name", "customer_phone",
       "customer_email", "status", "escalated_to_user_id", "campaign_context",
       "inventory_context", "created_at", "updated_at")
       values (default, 1, 'Bo', default, default, default, 1, default, default, default,
       default)""",
    """insert into "messages" ("id", "conversation_id", "content", "is_from_customer", "channel",
       "metadata", "created_at")
       values (default, 1, 'Hello', true, 'sms', '{"a": 1}', default)""",
    """insert into "personas" ("id", "dealership_id", "name", "prompt_template", "arguments",
       "is_default", "created_at", "updated_at")
       values (default, 1, 'Friendly', 'You are …', '{"tone": "warm"}', default, default,
       default)""",
    """insert into "api_keys" ("id", "dealership_id", "key", "description", "is_active",
       "created_at", "last_used_at")
       values (default, 1, 'hash', default, default, default, default)""",
    """insert into "prompt_variants" ("id", "name", "description", "prompt_template",
       "is_control", "is_active", "dealership_id", "created_at", "updated_at")
       values (default, 'A', default, 'You are …', default, default, 1, default, default)""",
    """insert into "prompt_metrics" ("id", "variant_id", "conversation_id", "message_id",
       "response_time_ms", "tokens_used", "customer_message_length",
       "assistant_response_length", "was_escalated", "was_successful", "customer_rating",
       "created_at")
       values (default, 1, 1, 1, 120, 80, 5, 50, default, true, 5, default)""",
    """insert into "prompt_experiments" ("id", "name", "description", "dealership_id",
       "start_date", "end_date", "is_active", "conclusion_notes", "created_at")
       values (default, 'E', default, 1, now(), default, default, default, default)""",
    """insert into "experiment_variants" ("id", "experiment_id", "variant_id",
       "traffic_allocation", "created_at") values (default, 1, 1, default, default)""",
)

#: Inserts by the documentation alone, whose tables lack some of version A1's columns.
DOCUMENTED_INSERTS = (
    (
        "INSERT INTO vehicles (dealership_id, stock_number, make, model, year)"
        " VALUES (1, 'S2', 'Kia', 'Rio', 2021)"
    ),
    "INSERT INTO conversations (dealership_id, customer_name, channel) VALUES (1, 'Cy', 'web')",
    "INSERT INTO messages (conversation_id, content, role) VALUES (1, 'Hi', 'assistant')",
    (
        "INSERT INTO personas (dealership_id, name, description, prompt_template)"
        " VALUES (1, 'Plain', 'Says little', 'You are …')"
    ),
    "INSERT INTO api_keys (dealership_id, key, last_used) VALUES (1, 'other hash', now())",
)


@pytest.fixture
async def owner(database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()


@pytest.fixture
async def platform(owner) -> None:
    """One row in each of the platform's tables."""
    for statement in A1_INSERTS:
        await owner.execute(statement)


@pytest.fixture(scope="module")
def furnished(module_database, psql):
    """A database with one row in each of the platform's tables, for tests that take all back."""
    psql(module_database.url, *(word for text in A1_INSERTS for word in ("-c", text)))
    return module_database


@pytest.fixture
async def daemon(furnished) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(furnished.ingestd_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


def columns(text: str) -> dict[str, str]:
    pairs = (entry.split() for entry in text.replace("\n", " ").split(","))
    return {name: type_ for name, type_ in pairs}  # noqa: C416  the pairs are lists


async def catalogue(connection, schema: str) -> dict[str, dict[str, str]]:
    rows = await connection.fetch(
        """
        SELECT c.relname AS table, a.attname AS column, t.typname AS type
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = atttypid
        WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND attnum > 0
          AND NOT attisdropped
        ORDER BY c.relname, attnum
        """,
        schema,
    )
    names = {"int4": "integer", "bool": "boolean"}
    tables: dict[str, dict[str, str]] = {}
    for row in rows:
        type_ = names.get(row["type"], row["type"])
        tables.setdefault(row["table"], {})[row["column"]] = type_
    return tables


async def test_there_are_the_platforms_eleven_tables_and_no_other(owner):
    assert set(await catalogue(owner, "public")) == set(DOCUMENTED) | set(A1_ONLY)


async def test_the_columns_are_those_of_the_documentation_and_of_version_a1(owner):
    expected = {
        table: columns(DOCUMENTED[table]) if table in DOCUMENTED else {}
        for table in [*DOCUMENTED, *A1_ONLY]
    }
    for table, text in A1_ONLY.items():
        expected[table] |= columns(text)
    assert await catalogue(owner, "public") == expected


async def test_constraints_have_the_names_that_version_a1_gives_them(owner):
    rows = await owner.fetch(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('f', 'u')"
    )
    assert {row["conname"] for row in rows} == CONSTRAINTS


async def test_no_foreign_key_deletes_anything(owner):
    query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confdeltype <> 'a'"
    assert await owner.fetchval(f"{query} AND connamespace = 'public'::regnamespace") == 0


async def test_numbers_come_from_sequences_that_the_tables_own(owner):
    tables = [*DOCUMENTED, *A1_ONLY]
    for table in tables:
        sequence = await owner.fetchval("SELECT pg_get_serial_sequence($1, 'id')", table)
        assert sequence == f"public.{table}_id_seq"


@pytest.mark.parametrize("schema", ["public", "ingest"])
async def test_every_foreign_key_begins_an_index(owner, schema):
    rows = await owner.fetch(
        """
        SELECT conrelid::regclass::text AS table, conname FROM pg_constraint k
        WHERE contype = 'f' AND connamespace = $1::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = k.conrelid AND indkey[0] = k.conkey[1])
        """,
        schema,
    )
    assert rows == []


async def test_version_a1_can_write_and_read_every_table_with_its_own_columns(owner, platform):
    for table in await catalogue(owner, "public"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 1


@pytest.mark.parametrize("statement", DOCUMENTED_INSERTS)
async def test_a_writer_that_knows_the_documentation_only_can_insert(owner, platform, statement):
    assert await owner.execute(statement) == "INSERT 0 1"


async def test_any_number_of_vehicles_may_be_without_vin_but_a_vin_is_there_once(owner, platform):
    insert = (
        "INSERT INTO vehicles (dealership_id, vin, make, model, year)"
        " VALUES (1, $1, 'Kia', 'Rio', 2020)"
    )
    await owner.execute(insert, None)
    await owner.execute(insert, None)
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(insert, "1M8GDM9AXKP042788")


@pytest.mark.parametrize("column", ["features", "images"])
@pytest.mark.parametrize("value", ["{}", '"a"', "1", "null"])
async def test_a_list_is_an_array_or_null(owner, platform, column, value):
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(f"UPDATE vehicles SET {column} = $1", value)
    for good in ("[]", '["a"]', None):
        await owner.execute(f"UPDATE vehicles SET {column} = $1", good)


async def test_prices_have_cents_and_room(owner, platform):
    await owner.execute("UPDATE vehicles SET price = 9999999999.99, msrp = 24999.995")
    row = await owner.fetchrow("SELECT price::text, msrp::text FROM vehicles")
    assert tuple(row) == ("9999999999.99", "25000.00")


async def test_a_conversation_has_one_of_four_states(owner):
    states = await owner.fetchval("SELECT enum_range(NULL::conversation_status)::text")
    assert states == "{active,waiting,escalated,completed}"


async def test_times_are_utc_whatever_the_session_thinks(owner):
    await owner.execute("SET timezone = 'Pacific/Auckland'")
    await owner.execute(A1_INSERTS[0])
    difference = "SELECT abs(extract(epoch FROM created_at - timezone('utc', now())))"
    assert await owner.fetchval(f"{difference} FROM dealerships") < 60


@pytest.mark.parametrize(("table", "column"), [("users", "password"), ("api_keys", "key")])
async def test_the_comment_says_that_only_a_hash_is_stored(owner, table, column):
    comment = await owner.fetchval(
        "SELECT col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attname = $2",
        table,
        column,
    )
    assert re.search("hash.*never", comment)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM vehicles WHERE vehicle_search(vehicles) @@ plainto_tsquery('simple', $1)",
        "SELECT id FROM vehicles v WHERE v.vehicle_search @@ plainto_tsquery('simple', $1)",
    ],
)
async def test_vehicles_are_found_by_words_through_the_index(owner, platform, query):
    assert await owner.fetchval(query, "red kia 2020") == 1
    assert await owner.fetchval(query, "blue kia") is None
    await owner.execute("SET enable_seqscan = off")
    plan = await owner.fetch("EXPLAIN " + query.replace("$1", "'red kia'"))
    assert any("vehicles_search_idx" in row[0] for row in plan)


async def test_text_search_adds_no_column_and_leaves_the_description_out(owner, platform):
    await owner.execute("UPDATE vehicles SET description = 'sunroof', features = '[\"towbar\"]'")
    words = await owner.fetchval("SELECT vehicle_search(vehicles)::text FROM vehicles")
    assert "kia" in words
    assert "sunroof" not in words
    assert "towbar" not in words
    assert "tsvector" not in (await catalogue(owner, "public"))["vehicles"].values()


# The roles ---------------------------------------------------------------------------------------

ALLOWED = (
    "SELECT * FROM vehicles",
    "SELECT id FROM vehicles WHERE dealership_id = 1 ORDER BY id FOR UPDATE",
    *(f"UPDATE vehicles SET {field} = {field}" for field in FIELDS),
    "UPDATE vehicles SET is_active = false, dealership_id = 1, updated_at = now()",
    "INSERT INTO vehicles (dealership_id, vin, make, model, year) VALUES (1, 'V', 'K', 'R', 2020)",
    (
        "MERGE INTO vehicles v USING (VALUES ('W')) s (vin) ON v.vin = s.vin WHEN NOT MATCHED THEN"
        " INSERT (dealership_id, vin, make, model, year) VALUES (1, s.vin, 'K', 'R', 2020)"
    ),
    (
        "INSERT INTO vehicles (dealership_id, vin, make, model, year) VALUES (1, 'X', 'K', 'R', 1)"
        " ON CONFLICT (vin) DO UPDATE SET price = excluded.price RETURNING id"
    ),
    "CREATE TEMP TABLE stage (line integer)",
    "SELECT id, name FROM dealerships",
    (
        "INSERT INTO dealerships (name, location, contact_email, contact_phone, domain,"
        " handover_email) VALUES ('N', 'L', 'e@n.example', '555', NULL, NULL) RETURNING id"
    ),
    "SELECT * FROM ingest.schema_files",
    (
        "INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen,"
        " taken_by) VALUES ('drop', 'folder', 'k', 'lot.tsv', repeat('0', 64), 1, now(), 'me')"
    ),
    "UPDATE ingest.deliveries SET attempts = attempts + 1",
    "DELETE FROM ingest.deliveries",
    "SELECT pg_advisory_xact_lock(1)",
)

FORBIDDEN = (
    "DELETE FROM vehicles",
    "TRUNCATE vehicles",
    "UPDATE vehicles SET id = 2",
    "UPDATE vehicles SET created_at = now()",
    "UPDATE vehicles SET advertiser_name = 'x'",
    "DROP TABLE vehicles CASCADE",
    "ALTER TABLE vehicles ADD COLUMN x integer",
    "CREATE INDEX ON vehicles (trim)",
    (
        "CREATE TRIGGER t BEFORE UPDATE ON vehicles FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "UPDATE dealerships SET name = 'x'",
    "DELETE FROM dealerships",
    "TRUNCATE dealerships CASCADE",
    (
        "INSERT INTO dealerships (id, name, location, contact_email, contact_phone)"
        " VALUES (99, 'x', 'x', 'x', 'x')"
    ),
    "SELECT * FROM users",
    "SELECT password FROM users",
    "INSERT INTO users (username, password, name, email) VALUES ('x', 'x', 'x', 'x')",
    "UPDATE users SET role = 'admin'",
    "SELECT key FROM api_keys",
    "INSERT INTO api_keys (dealership_id, key) VALUES (1, 'x')",
    "DELETE FROM api_keys",
    "SELECT * FROM conversations",
    "SELECT content FROM messages",
    "SELECT * FROM personas",
    "UPDATE personas SET prompt_template = 'x'",
    "SELECT * FROM prompt_variants",
    "SELECT * FROM prompt_metrics",
    "SELECT * FROM prompt_experiments",
    "SELECT * FROM experiment_variants",
    "CREATE TABLE public.x (id integer)",
    "CREATE TABLE ingest.x (id integer)",
    "DROP SCHEMA ingest CASCADE",
    "UPDATE ingest.schema_files SET sha256 = 'x'",
    "DELETE FROM ingest.schema_files",
    "TRUNCATE ingest.deliveries CASCADE",
    "SELECT setval('vehicles_id_seq', 1)",
    "CREATE ROLE x",
    "ALTER ROLE ingestd SUPERUSER",
    "SET ROLE ingestd_owner",
    "COPY vehicles TO PROGRAM 'true'",
    "CREATE EXTENSION hstore",
)


@pytest.mark.parametrize("statement", ALLOWED)
async def test_the_daemons_role_may_do_its_work(daemon, statement):
    await daemon.execute(statement)


async def test_the_daemons_role_may_copy_into_vehicles(daemon):
    record = (1, "1M8GDM9A1KP042789", "Kia", "Rio", 2020)
    names = ["dealership_id", "vin", "make", "model", "year"]
    await daemon.copy_records_to_table("vehicles", records=[record], columns=names)
    assert await daemon.fetchval("SELECT count(*) FROM vehicles") == 2


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_daemons_role_may_not_do_anything_else(daemon, statement):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await daemon.execute(statement)


async def test_tables_of_later_files_are_open_to_the_daemon_without_more(owner):
    await owner.execute("CREATE TABLE ingest.later (id serial)")
    await owner.execute("SET ROLE ingestd")
    await owner.execute("INSERT INTO ingest.later DEFAULT VALUES")
    assert await owner.fetchval("SELECT count(*) FROM ingest.later") == 1


async def test_the_reader_reads_vehicles_dealerships_and_the_books_and_nothing_else(
    owner, platform
):
    await owner.execute("SET ROLE ingestd_reader")
    for table in ("vehicles", "dealerships", "ingest.deliveries", "ingest.schema_files"):
        await owner.fetch(f"SELECT * FROM {table}")
    for table in ("users", "api_keys", "messages", "conversations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.fetch(f"SELECT * FROM {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("UPDATE vehicles SET price = 1")


async def test_everything_belongs_to_the_owners_role_as_which_nobody_logs_in(owner):
    owners = await owner.fetch(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS name FROM pg_class"
        " WHERE relnamespace IN ('public'::regnamespace, 'ingest'::regnamespace)"
    )
    assert [row["name"] for row in owners] == ["ingestd_owner"]
    query = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'ingestd%' AND rolcanlogin"
    assert [row["rolname"] for row in await owner.fetch(query)] == ["ingestd"]


# The documentation --------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["public", "ingest"])
async def test_the_documentation_names_every_table_and_column_and_no_other(owner, schema):
    text = (ROOT / "docs/schema.md").read_text()
    documented = {
        name: set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
        for name, body in re.findall(
            rf"^### `{schema}\.(\w+)`\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL
        )
    }
    assert documented == {
        table: set(names) for table, names in (await catalogue(owner, schema)).items()
    }


def test_the_documentation_says_of_every_column_what_it_is_for():
    text = (ROOT / "docs/schema.md").read_text()
    assert re.findall(r"^\| `\w+` \|.*\|\s*\|$", text, re.MULTILINE) == []


async def test_every_table_and_every_column_of_the_books_has_a_comment(owner):
    rows = await owner.fetch(
        """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE relnamespace = 'ingest'::regnamespace AND relkind = 'r' AND attnum > 0
          AND (col_description(c.oid, attnum) IS NULL OR obj_description(c.oid) IS NULL)
        """
    )
    assert rows == []
