"""What the README tells a person to type works as it stands there."""

import contextlib
import json
import os
import pty
import re
import secrets
import subprocess
import textwrap
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestd.config import parse
from tests.acceptance.lots import lot
from tests.acceptance.running import COMMAND, command

README = Path(__file__).parents[2] / "README.md"


def snippet(word: str) -> str:
    """Give the README's shell block that holds ``word``."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return textwrap.dedent(found)


@pytest.fixture
def environ(postgres):
    """The environment of a person who may create databases on the test server."""
    parts = urlsplit(postgres.url)
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    programs = f"{postgres.bin_dir}:{COMMAND.parent}:{os.environ['PATH']}"
    known = {"PATH": programs, "PGHOST": host, "PGUSER": parts.username or "postgres"}
    known |= {"PGPORT": str(parts.port)} if parts.port else {}
    return known | ({"PGPASSWORD": parts.password} if parts.password else {})


def test_the_documented_command_makes_both_databases(home, environ, postgres):
    name = f"rylie_{secrets.token_hex(4)}"  # else as documented: rylie is the server's own
    parts = urlsplit(postgres.url)
    documented = snippet("createdb").replace("rylie", name)

    def ran(script: str) -> None:
        done = subprocess.run(
            ["sh", "-ec", script], env=environ, cwd=home, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    try:
        ran(documented)
        for database in (name, f"{name}_test"):
            assert imported(home, environ, parts._replace(path=f"/{database}").geturl()) == 3
    finally:
        ran(f"dropdb --if-exists {name}; dropdb --if-exists {name}_test")


def imported(home: Path, environ: dict[str, str], database: str) -> int:
    """Add a dealership and import a file there, as the README goes on; give the rows added."""
    file = home / "lot.tsv"
    file.write_bytes(lot(3))
    settled = {**environ, "DATABASE_URL": database, "INGESTD_STATE_DIR": str(home / "state")}
    add = snippet("dealerships add").strip().removeprefix("ingestd ")
    subprocess.run(["sh", "-ec", f"ingestd {add}"], env=settled, cwd=home, check=True)
    done = subprocess.run(
        [COMMAND, "import", file, "--dealership", "1", "--json"],
        env=settled,
        cwd=home,
        capture_output=True,
        check=False,
    )
    added: int = json.loads(done.stdout)["counts"]["added"]
    return added


def configuration(word: str) -> str:
    """Give the README's configuration that holds ``word``."""
    blocks: list[str] = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return textwrap.dedent(found)


def test_the_smallest_configuration_for_a_folder_passes_every_check(daemon, ask):
    documented = configuration("[[folder]]")
    assert "/srv/ingestd/drop" in documented
    here = documented.replace("/srv/ingestd/drop", f"{daemon.home}/drop")
    daemon.config.write_text(here.replace("/var/lib/ingestd", f"{daemon.home}/state"))
    checked = command(daemon, "check", "--json")
    file = daemon.home / "lot.tsv"
    file.write_bytes(lot(3))
    imported = command(daemon, "import", file, "--feed", "matteson")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert (daemon.drop_dir / "incoming" / "matteson").is_dir()
    assert imported.returncode == 0, imported.stderr


def test_the_smallest_configuration_for_a_mailbox_has_no_fault():
    config = parse(configuration("[[mailbox]]"), {"DATABASE_URL": "postgresql:///rylie"})
    (mailbox,), (feed,) = config.mailbox, config.feed

    assert (mailbox.host, feed.sender_proof) == ("imap.example.com", "dmarc")
    assert config.folder == ()


async def test_a_long_import_shows_its_progress_on_a_terminal(daemon, ask):
    daemon.write_config()
    file = daemon.home / "lot.tsv"
    file.write_bytes(lot(60_000))
    environ = {**daemon.environ, "INGESTD_CONFIG": str(daemon.config), "TERM": "xterm"}
    code, shown = on_a_terminal([COMMAND, "import", file, "--feed", "lot"], environ)

    assert code == 0
    assert b"lot.tsv" in shown
    assert b"MB" in shown


def on_a_terminal(words: list[str | Path], environ: dict[str, str]) -> tuple[int, bytes]:
    """Run a command whose stderr is a terminal; give its exit code and what it showed there."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        pytest.skip("there are no pseudo-terminals here: mount -t devpts devpts /dev/pts")
    done = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal whose other side is gone
        while block := os.read(ours, 4096):
            shown += block
    os.close(ours)
    return done.wait(60), shown


async def test_a_short_import_shows_none(daemon, ask):
    daemon.write_config()
    file = daemon.home / "lot.tsv"
    file.write_bytes(lot(5))

    assert command(daemon, "import", file, "--feed", "lot").stderr == ""
