"""DOOR  Applies schema/*.sql: the number in a file's name is its place, and is applied once.

Rules:
  * Each file in a transaction of its own, under a lock, recorded in ingest.schema_files with its
    number and checksum.  A file that psql applied has recorded its number; ``apply`` adds the sum.
  * Files 002-009 make the platform's tables.  Where these exist and are not ours, the platform
    made the database: those files are left out for ever, and only ``ingest`` is added to it.
  * A file that was applied is never applied again, even if its text has changed: that is told.
"""

import hashlib
import importlib.resources
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ingestd.errors import Fault, Misconfigured
from ingestd.store.pool import Connection, applying

#: Told wherever the schema is applied, printed or checked.
DB_PUSH = (
    "Never run the platform's `npm run db:push` against this database: it plans"
    " TRUNCATE vehicles CASCADE to turn the column types into its own."
)

#: The tables that the platform's documentation names; all in schema public.
PLATFORM_TABLES = (
    "users",
    "dealerships",
    "vehicles",
    "conversations",
    "messages",
    "personas",
    "api_keys",
    "prompt_variants",
    "prompt_metrics",
    "prompt_experiments",
    "experiment_variants",
)

_PLATFORM_FILES = range(2, 10)
_NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")
_LOCK = int.from_bytes(b"ingestd")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One file of schema/."""

    number: int
    name: str
    sql: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a database stands against the files of this version.

    ``applied`` includes ``changed`` (the recorded checksum is another) and ``unsummed`` (applied by
    psql, no checksum yet).  ``left_out`` are the platform's tables' files where the platform made
    them; ``platform`` names the tables found then.  ``unknown`` are numbers of a newer version.
    """

    applied: tuple[SchemaFile, ...] = ()
    pending: tuple[SchemaFile, ...] = ()
    changed: tuple[SchemaFile, ...] = ()
    unsummed: tuple[SchemaFile, ...] = ()
    left_out: tuple[SchemaFile, ...] = ()
    platform: tuple[str, ...] = ()
    unknown: tuple[int, ...] = ()

    def messages(self) -> tuple[str, ...]:
        """Say what is out of the ordinary, a sentence or two each."""
        return tuple(_messages(self))


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``apply`` did: the files it applied, the server's notices, how things stand now."""

    files: tuple[SchemaFile, ...]
    notices: tuple[str, ...]
    status: Status


def files() -> tuple[SchemaFile, ...]:
    """Give the files of schema/ in their order.

    Raises:
        Misconfigured: the installation is damaged: no files, or one number twice.
    """
    found = sorted(_read(), key=lambda file: file.number)
    if len({file.number for file in found}) != len(found) or not found:
        place = _directory()
        fault = Fault("", f"{place} should hold the numbered SQL files: install ingestd again")
        raise Misconfigured(fault)
    return tuple(found)


def script() -> str:
    """Give all files as one text that ``psql -1 -v ON_ERROR_STOP=1`` applies to a new database."""
    head = f"-- The schema of ingestd.  {DB_PUSH}\n"
    return head + "".join(f"\n-- {'-' * 20} {file.name}\n\n{file.sql}" for file in files())


async def status(connection: Connection) -> Status:
    """Compare the database with the files of this version.  Change nothing."""
    recorded = await _recorded(connection)
    platform = () if 2 in recorded else await _platform_tables(connection)  # noqa: PLR2004  its file
    known = files()
    applied = tuple(file for file in known if file.number in recorded)
    pending = tuple(file for file in known if file.number not in recorded)
    left_out = tuple(file for file in pending if platform and file.number in _PLATFORM_FILES)
    return Status(
        applied=applied,
        pending=tuple(file for file in pending if file not in left_out),
        changed=tuple(f for f in applied if recorded[f.number] not in (None, f.sha256)),
        unsummed=tuple(file for file in applied if recorded[file.number] is None),
        left_out=left_out,
        platform=platform,
        unknown=tuple(sorted(recorded.keys() - {file.number for file in known})),
    )


async def apply(connection: Connection) -> Applied:
    """Apply what is pending, and record the checksums that psql could not.

    Raises:
        Misconfigured: a file failed (it has left no trace; those before it stay), or the database
            was made by a newer version.
    """
    notices: list[str] = []

    def listen(_: object, message: Any) -> None:
        notices.append(str(message.message))

    before = await status(connection)
    if before.unknown:
        numbers = ", ".join(f"{number:03}" for number in before.unknown)
        message = f"the database has files {numbers}, which this version does not: upgrade ingestd"
        raise Misconfigured(Fault("schema", message))
    connection.add_log_listener(listen)
    try:
        done = [file for file in before.pending if await _apply_file(connection, file)]
        for file in before.unsummed:
            await _sum_up(connection, file)
    finally:
        connection.remove_log_listener(listen)
    said = tuple(notice for notice in notices if "already exists, skipping" not in notice)
    return Applied(tuple(done), said, await status(connection))


async def _apply_file(connection: Connection, file: SchemaFile) -> bool:
    """Apply one file unless another process was faster; say whether we did."""
    with applying(file.name):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if file.number in await _recorded(connection):
                return False
            await connection.execute(file.sql)
            await _sum_up(connection, file)
    return True


async def _sum_up(connection: Connection, file: SchemaFile) -> None:
    await connection.execute(
        "UPDATE ingest.schema_files SET name = $2, sha256 = $3 WHERE number = $1",
        file.number,
        file.name,
        file.sha256,
    )


async def _recorded(connection: Connection) -> dict[int, str | None]:
    """Checksums by number; nothing where the database is new.

    Looked up in the catalogue itself: ``to_regclass`` may answer out of a cache that does not know
    yet what another process did while we waited for the lock.
    """
    query = """
        SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'ingest' AND c.relname = 'schema_files'
        """
    if await connection.fetchrow(query) is None:
        return {}
    rows = await connection.fetch("SELECT number, sha256 FROM ingest.schema_files")
    return {row["number"]: row["sha256"] for row in rows}


async def _platform_tables(connection: Connection) -> tuple[str, ...]:
    rows = await connection.fetch(
        """
        SELECT relname FROM pg_catalog.pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::text[])
        ORDER BY relname
        """,
        PLATFORM_TABLES,
    )
    return tuple(row["relname"] for row in rows)


def _messages(status: Status) -> Iterator[str]:
    if status.platform:
        yield (
            f"The platform made this database (it has {', '.join(status.platform)}): its tables"
            " stay as they are, only schema `ingest` and the roles are added.  docs/target.md has"
            " the grants that role ingestd needs on them."
        )
    for file in status.changed:
        yield (
            f"{file.name} differs from what was applied; it is not applied again.  Compare it with"
            " the version that made the database."
        )
    if status.unknown:
        numbers = ", ".join(f"{number:03}" for number in status.unknown)
        yield f"A newer version of ingestd has applied {numbers}: upgrade this one."


def _directory() -> Traversable | Path:
    """Give schema/ of the installed package, else that of the checkout."""
    inside = importlib.resources.files("ingestd") / "schema"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "schema"


def _read() -> Iterator[SchemaFile]:
    directory = _directory()
    for entry in directory.iterdir() if directory.is_dir() else ():
        match = _NAME.fullmatch(entry.name)
        if match:
            data = entry.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            yield SchemaFile(int(match[1]), entry.name, data.decode(), digest)
