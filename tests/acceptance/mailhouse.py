"""A dealership's mail: an installed daemon, a Dovecot, invented mails, and the books afterwards.

    with opened(home, database.ingestd_url, ask) as house:   the server runs, the daemon not yet
        house.put(letter("monday", lot(5)))
        house.start()
        await house.closed(1)                  nothing waits, nothing is owed, INBOX is empty
        await house.agrees()                   ledger, folders and vehicles tell one story

Every mail brings its own vehicles and its feed is of changes (``delta``), so that each has an
effect of its own, which can be counted.
"""

import asyncio
import atexit
import contextlib
import hashlib
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.acceptance.between import FAR
from tests.acceptance.lots import lot
from tests.acceptance.running import Daemon, ending
from tests.integration.certificates import LOOPBACK, Authority, Certificate
from tests.integration.mailservers import USERS, Dovecot, Options, dovecot_missing

Ask: TypeAlias = Callable[..., Coroutine[Any, Any, list[Any]]]

WITHIN = 90.0
#: What Dovecot saves itself it saves with LF.
_LINE_END = re.compile(rb"\r?\n")
SENDER = "lots@zeta.example"
FOLDERS = ("INBOX", "Imported", "Rejected")
#: Mail of anybody for dealership 1, each with changes only.
FEEDS = ('name = "lot"\ndealership = 1\nmode = "delta"\nsender_proof = "none"',)


def letter(
    subject: str,
    *files: bytes | tuple[str, bytes],
    sender: str = SENDER,
    text: str = "Our cars of today.",
) -> bytes:
    """Write a mail; a file without a name is ``lot.tsv``."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, "inventory@example.com", subject
    message["Message-ID"] = f"<{hashlib.sha256(subject.encode()).hexdigest()[:20]}@zeta.example>"
    message.set_content(text)
    for number, file in enumerate(files):
        name, content = (f"lot{number or ''}.tsv", file) if isinstance(file, bytes) else file
        message.add_attachment(
            content, maintype="application", subtype="octet-stream", filename=name
        )
        # boundaries are random: the same mail is to be the same bytes
    if files:
        message.set_boundary(f"=-{hashlib.sha256(subject.encode()).hexdigest()[:24]}")
    return message.as_bytes()


def numbered(number: int, rows: int = 3) -> bytes:
    """Give the mail of this number, with ``rows`` vehicles that no other has."""
    return letter(f"mail {number}", lot(rows, first=1 + number * rows))


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@cache
def authority() -> tuple[Authority, Certificate]:
    """Give an authority and a certificate for loopback and ``FAR``, the same for all tests."""
    place = mkdtemp(prefix="ingestd-", dir="/tmp")
    atexit.register(shutil.rmtree, place)
    made = Authority(Path(place))
    return made, made.issue("server", *LOOPBACK, FAR)


@dataclass(slots=True)
class House:
    """A daemon, a mail server, a database; ``sent`` are the mails that were put into INBOX."""

    daemon: Daemon
    server: Dovecot
    ask: Ask
    sent: list[bytes] = field(default_factory=list)

    # -- the daemon ------------------------------------------------------------------------

    def write_config(
        self, *feeds: str, mailbox: Mapping[str, Any] | None = None, more: str = ""
    ) -> None:
        """Configure one mailbox (``mailbox`` replaces its options) and some feeds."""
        blocks = "".join(f"[[feed]]\n{feed}\n" for feed in feeds or FEEDS)
        daemon = self.daemon
        daemon.config.write_text(
            f'state_dir = "{daemon.home}/state"\n[http]\nlisten = "127.0.0.1:{daemon.port}"\n'
            f'[log]\nlevel = "debug"\n[workers]\nprocesses = 2\n{more}\n'
            f"{self.mailbox(**(mailbox or {}))}{blocks}"
        )

    def mailbox(self, **options: Any) -> str:
        """Write the configuration of a mailbox here; an option that is None is left out."""
        values = {
            "name": "inbox",
            "host": "localhost",
            "port": self.server.tls_port,
            "ca_file": str(authority()[0].ca_file),
            "user": "alice",
            **options,
        }
        values["password"] = USERS[values["user"]]
        lines = (f"{name} = {_toml(value)}" for name, value in values.items() if value is not None)
        return "\n".join(("[[mailbox]]", *lines, ""))

    def start(self) -> None:
        if not self.daemon.config.exists():
            self.write_config()
        self.daemon.start()

    def put(self, *letters: bytes, user: str = "alice") -> None:
        """Put mails into INBOX."""
        for raw in letters:
            self.server.put(raw, user=user)
            self.sent.append(raw)

    def crash(self) -> None:
        """End the server as a crash of its machine would, and start it again."""
        self.server.kill()
        # Dovecot waits for two minutes on a lock that a dead process left.
        for lock in self.server.directory.glob("mail/**/*.lock"):
            lock.unlink()
        self.server.start()

    # -- what became of it -----------------------------------------------------------------

    def lying(self, user: str = "alice") -> dict[str, list[str]]:
        """Give the SHA-256 of the mails in each folder, as IMAP gives them."""
        return {
            name: [sha256(_LINE_END.sub(b"\r\n", raw)) for raw in self.server.folder(user, name)]
            for name in FOLDERS
            if self.server.maildir(user, name).exists()
        }

    def where(self, raw: bytes, user: str = "alice") -> list[str]:
        """Give the folders in which a mail lies, once for each copy."""
        return [
            name for name, mails in self.lying(user).items() for one in mails if one == sha256(raw)
        ]

    def flags(self, raw: bytes) -> set[str]:
        """Give the flags of the one copy of a mail."""
        (name,) = self.where(raw)
        place = self.server.folder("alice", name).index(raw)
        return self.server.flags("alice", name)[place]

    async def done(self, raw: bytes, within: float = WITHIN) -> Any:
        """Wait until a mail is settled; give its row in the ledger."""
        rows: list[Any] = []

        async def settled() -> bool:
            rows[:] = await self.ask(
                "SELECT * FROM ingest.deliveries WHERE sha256 = $1", sha256(raw)
            )
            return len(rows) == 1 and rows[0]["settled_at"] is not None

        await self.until(settled, "the mail is settled", within)
        return rows[0]

    async def until(self, condition: Callable[[], Any], what: str, within: float = WITHIN) -> float:
        """Wait until ``condition``, which may be a coroutine function; give the seconds."""
        began = time.monotonic()
        while True:
            found = condition()
            pause = 0.01
            if asyncio.iscoroutine(found):  # it asks the database, on a connection of its own
                found, pause = await found, 0.1
            if found:
                return time.monotonic() - began
            if time.monotonic() - began > within:
                raise AssertionError((what, self.lying(), self.daemon.log()[-4000:]))
            await asyncio.sleep(pause)

    async def closed(self, deliveries: int, within: float = WITHIN) -> float:
        """Wait until so many deliveries are settled, none waits, and INBOX is empty."""

        async def over() -> bool:
            (row,) = await self.ask(
                "SELECT count(*) AS all, count(settled_at) AS settled FROM ingest.deliveries"
            )
            if (row["all"], row["settled"]) != (deliveries, deliveries):
                return False
            return not self.server.folder("alice")

        return await self.until(over, f"{deliveries} deliveries settled", within)

    async def deliveries(self) -> dict[str, Any]:
        """Give the ledger's rows by SHA-256."""
        rows = await self.ask("SELECT * FROM ingest.deliveries ORDER BY id")
        assert len({row["sha256"] for row in rows}) == len(rows), "one delivery for each mail"
        return {row["sha256"]: row for row in rows}

    async def agrees(self, rows: int = 3) -> None:
        """Check that every mail of ``numbered`` was done once, and lies in one place unaltered."""
        sent = Counter(map(sha256, self.sent))
        lying = Counter(one for folder in self.lying().values() for one in folder)
        assert lying == sent, (lying - sent, sent - lying, self.lying())
        deliveries = await self.deliveries()
        assert deliveries.keys() == sent.keys()
        others = [row for row in deliveries.values() if row["outcome"] != "imported"]
        assert not others, others
        assert Counter(self.lying()["Imported"]) == sent
        imports = await self.ask("SELECT delivery_id, outcome, added, lines FROM ingest.imports")
        found = Counter((i["delivery_id"], i["outcome"], i["added"], i["lines"]) for i in imports)
        assert found == Counter(
            (row["id"], "imported", rows, rows + 1) for row in deliveries.values()
        ), "one import, and one effect, for each mail"
        (vehicles,) = await self.ask("SELECT count(*), count(DISTINCT vin) AS cars FROM vehicles")
        assert vehicles["count"] == vehicles["cars"] == rows * len(sent)


def asking(url: str) -> Ask:
    """Give a function that asks a database: ``await ask(sql, *values)`` gives the rows."""

    async def ask(sql: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    return ask


def founded(url: str) -> Ask:
    """Add two dealerships to a database, from outside any loop; give how to ask it."""
    ask = asking(url)
    names = ", ".join(f"('{name}', '', '', '')" for name in ("Zeta Motors", "Omega Motors"))
    columns = "name, location, contact_email, contact_phone"
    with ThreadPoolExecutor(1) as thread:
        found = ask(f"INSERT INTO dealerships ({columns}) VALUES {names}")
        thread.submit(asyncio.run, found).result()
    return ask


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else f'"{value}"'


@contextlib.contextmanager
def opened(home: Path, url: str, ask: Ask, **options: Any) -> Iterator[House]:
    """Give a house on a database with two dealerships; its daemon is not started."""
    if reason := dovecot_missing():
        pytest.skip(reason)
    daemon = Daemon(home, url)
    with Dovecot(authority()[1], Options(**options)) as server, ending(daemon):
        house = House(daemon, server, ask)
        yield house
