"""What the tests against a real PostgreSQL and a real mail server share."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest

from ingestd.errors import Misconfigured
from ingestd.store import embedded
from ingestd.store.postgres import PostgresStore
from tests.integration.certificates import LOOPBACK, Authority, Certificate
from tests.integration.days import Days
from tests.integration.lot import Lot, add_lot, opened
from tests.integration.mailservers import Dovecot, Options, dovecot_missing


@pytest.fixture(scope="session")
def psql() -> Callable[..., str]:
    """Run psql: ``psql(url, "-c", "SELECT 1")`` gives the unadorned answer, or fails."""
    try:
        program = embedded.binaries() / "psql"
    except Misconfigured as error:
        pytest.skip(str(error))

    def run(url: str, *arguments: str | Path) -> str:
        command = [program, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a short path that every user may enter."""
    with TemporaryDirectory(prefix="ingestd-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority that the tests' clients are to trust: ``.ca_file``."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    """A good certificate for localhost, 127.0.0.1 and ::1."""
    return authority.issue("server", *LOOPBACK)


@pytest.fixture(scope="session")
def wrong_host_certificate(authority: Authority) -> Certificate:
    """A certificate of the same authority for somebody else."""
    return authority.issue("elsewhere", "imap.elsewhere.example")


@pytest.fixture(scope="session")
def expired_certificate(authority: Authority) -> Certificate:
    """A certificate of the same authority that was good until yesterday."""
    return authority.issue("expired", *LOOPBACK, lasts=timedelta(days=-1))


@pytest.fixture(scope="session")
def stranger_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost of an authority that nobody trusts."""
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "stranger")
    return stranger.issue("server", *LOOPBACK)


@pytest.fixture
def launch_dovecot(certificate: Certificate) -> Iterator[Callable[..., Dovecot]]:
    """Start a Dovecot: ``launch_dovecot(idle_notify="1 secs", …)``, see ``Options``."""
    if reason := dovecot_missing():
        pytest.skip(reason)
    with ExitStack() as stack:

        def launch(shown: Certificate = certificate, **options: Any) -> Dovecot:
            return stack.enter_context(Dovecot(shown, Options(**options)))

        yield launch


@pytest.fixture
def dovecot(launch_dovecot: Callable[..., Dovecot]) -> Dovecot:
    """A Dovecot as it is by default."""
    return launch_dovecot()


# The ledger and the vehicles.


@pytest.fixture
async def admin(database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser, to look and to meddle."""
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()


@pytest.fixture
async def store(database) -> AsyncIterator[PostgresStore]:
    """The store as role ingestd: whatever passes needs no more than its rights."""
    async with opened(database.ingestd_url) as opened_store:
        yield opened_store


@pytest.fixture
async def lot(store, admin) -> Lot:
    """A dealership with a feed of whole lots."""
    return await add_lot(store, admin, "North")


@pytest.fixture
def days(lot: Lot) -> Days:
    """Its deliveries, day by day."""
    return Days(lot)
