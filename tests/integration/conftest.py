"""What the tests against a real PostgreSQL share."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ingestd.errors import Misconfigured
from ingestd.store import embedded


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
