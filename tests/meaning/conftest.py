"""The store in which stories happen."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.lot import opened
from tests.meaning.both import Both
from tests.meaning.real import Real


@pytest.fixture
async def both(database) -> AsyncIterator[Both]:
    admin = await asyncpg.connect(database.url)
    async with opened(database.ingestd_url) as store:
        yield Both(Real(store, admin))
    await admin.close()
