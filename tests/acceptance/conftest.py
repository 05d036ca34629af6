"""A daemon of its own for each test, on a database of its own, with dealership 1."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest

from tests.acceptance.running import Daemon, ending


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="ingestd-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
async def ask(database) -> Callable[..., Any]:
    """Ask the database as its owner: ``await ask(sql, *values)`` gives the rows."""

    async def fetch(sql: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(database.url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    for name in ("Invented Motors", "Other Motors"):
        await fetch(
            "INSERT INTO dealerships (name, location, contact_email, contact_phone)"
            " VALUES ($1, '', '', '')",
            name,
        )
    return fetch


@pytest.fixture
def daemon(home, database, ask) -> Iterator[Daemon]:
    """A daemon that is not started yet; it runs as the role with least rights."""
    with ending(Daemon(home, database.ingestd_url)) as made:
        yield made
