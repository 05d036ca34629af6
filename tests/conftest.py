"""One PostgreSQL per session, a fresh database per test; no skips where nothing may skip.

The server is the embedded one, without durability.  INGESTD_TEST_DATABASE_URL names another,
whose user may create databases and roles; it must be a server for tests only, since the role
`ingestd` gets a password of the session there.

Fixtures:
    postgres        the server: .url (superuser, a database to connect to), .bin_dir
    empty_database  a new database without anything in it: .url, .name
    database        a new database with schema/ applied: .url (superuser), .ingestd_url, .name
    module_database as that, one for all tests of a module, which leave it as they found it
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from ingestd.errors import IngestError
from ingestd.store import embedded

SCHEMA = Path(__file__).parent.parent / "schema"
_NO_SKIP = os.environ.get("INGESTD_TESTS_NO_SKIP") == "1"


@dataclass(frozen=True, slots=True)
class Postgres:
    url: str
    password: str | None = None  # of role ingestd, where the server asks for one

    @property
    def bin_dir(self) -> Path:
        return embedded.binaries()


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    ingestd_url: str
    name: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    url = os.environ.get("INGESTD_TEST_DATABASE_URL")
    if url:
        yield Postgres(url, secrets.token_hex(16))
        return
    # A short path, which a server that a root process starts as another user can reach.
    base = Path(tempfile.mkdtemp(prefix="ingestd-", dir="/tmp"))
    base.chmod(0o755)
    options = embedded.Options(fast=True, system_dir=base / "system")
    try:
        server = embedded.start(base / "state", options)
    except IngestError as error:
        shutil.rmtree(base)
        pytest.skip(f"{error}  Or set INGESTD_TEST_DATABASE_URL to a server for tests.")
    with server:
        yield Postgres(server.url)
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def _template(postgres: Postgres) -> Iterator[str]:
    """Apply the whole of schema/ once; every test's database is a copy."""
    name = _create(postgres, None)
    scripts = [path.read_text() for path in sorted(SCHEMA.glob("[0-9]*.sql"))]
    _run(_execute(_url(postgres.url, name), *scripts))
    if postgres.password:
        _run(_execute(postgres.url, f"ALTER ROLE ingestd PASSWORD '{postgres.password}'"))
    yield name
    _drop(postgres, name)


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[Database]:
    yield from _database(postgres, None)


@pytest.fixture(scope="module")
def module_database(postgres: Postgres, _template: str) -> Iterator[Database]:
    yield from _database(postgres, _template)


@pytest.fixture
def database(postgres: Postgres, _template: str) -> Iterator[Database]:
    yield from _database(postgres, _template)


def _database(postgres: Postgres, template: str | None) -> Iterator[Database]:
    name = _create(postgres, template)
    login = "ingestd" + (f":{postgres.password}" if postgres.password else "")
    url = _url(postgres.url, name)
    yield Database(url, _url(url, name, login), name)
    _drop(postgres, name)


def _create(postgres: Postgres, template: str | None) -> str:
    name = f"ingestd_test_{secrets.token_hex(6)}"
    # template0 and not template1, in which somebody may have put something
    command = f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}" ENCODING UTF8'
    _run(_execute(postgres.url, command))
    return name


def _drop(postgres: Postgres, name: str) -> None:
    _run(_execute(postgres.url, f'DROP DATABASE "{name}" WITH (FORCE)'))


def _url(url: str, name: str, login: str | None = None) -> str:
    parts = urlsplit(url)
    old_login, at, place = parts.netloc.rpartition("@")
    netloc = (old_login if login is None else login) + ("@" if login else at) + place
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{netloc}/{quote(name)}{query}"


async def _execute(url: str, *scripts: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for script in scripts:
            await connection.execute(script)
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop in a thread of its own, out of the way of the test's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    return _unskipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    return _unskipped(report)


def _unskipped(report: pytest.TestReport | pytest.CollectReport):
    if _NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped (INGESTD_TESTS_NO_SKIP): {reason}"
    return report
