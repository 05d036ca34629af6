"""How long a mail takes from its arrival to the commit, and how fast a backlog of mails is.

    python -m bench.mail [BACKLOG [MAILS]]     (default 500 mails waiting, 60 one by one)

Mails of 300 rows (about 600 KB each), 5 % of the prices changed from one to the next, on a
PostgreSQL of its own with fsync on, with the installed daemon.  One by one: at pymap, which
pushes within milliseconds, from before the APPEND; at Dovecot, which looks once a second, from
the moment at which another client is told of the mail: that delay is the server's.
The backlog is of ten dealers, at Dovecot; what 5,000 mails would take is told from it.
"""

import asyncio
import imaplib
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from bench.feed import tsv
from ingestd import app
from ingestd.store import embedded
from tests.acceptance.mailhouse import House, asking, opened
from tests.integration.mailservers import USERS
from tests.integration.pymaps import pymap_server

ROWS, DEALERS, CHANGED = 300, 10, 0.05
WHOLE = 5000
FIRST = datetime(2026, 1, 1, 6, tzinfo=UTC)
_FEED = (
    'name = "d{0}"\ndealership = {0}\nmode = "full"\nfrom = ["lots@d{0}.example"]\n'
    'sender_proof = "none"'
)


def lots(day: int) -> list[bytes]:
    """Give the mail of every dealer for one day."""
    head, *rows = tsv(ROWS * DEALERS, CHANGED, day).splitlines(keepends=True)
    parts = (rows[first : first + ROWS] for first in range(0, len(rows), ROWS))
    return [letter(dealer, day, head + b"".join(part)) for dealer, part in enumerate(parts, 1)]


def letter(dealer: int, day: int, content: bytes) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = f"lots@d{dealer}.example", f"day {day}"
    message["To"] = "inventory@example.com"
    message.set_content("Our lot of today.")
    message.add_attachment(content, "application", "octet-stream", filename="lot.tsv")
    return message.as_bytes()


class Watcher:
    """Another client of the mailbox: it notes when it is told of each mail."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._lines = self._socket.makefile("rb")
        self.told: list[float] = []
        for command in (f"LOGIN alice {USERS['alice']}", "SELECT INBOX", "IDLE"):
            self._socket.sendall(f"w {command}\r\n".encode())
            while not next(self._lines).startswith((b"w ", b"+ ")):
                pass
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        for line in self._lines:
            if line.endswith(b" EXISTS\r\n"):
                self.told.append(time.time())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._lines.close()
        self._socket.close()


async def prepared(server: str, name: str) -> tuple[str, Callable[..., Any]]:
    """Make a database with ten dealerships; give its URL and how to ask it."""
    await asking(server)(f"CREATE DATABASE {name}")
    url = server.replace("/rylie", f"/{name}")
    await app.apply_schema(url)
    ask = asking(url)
    for dealer in range(DEALERS):
        columns = "name, location, contact_email, contact_phone"
        await ask(
            f"INSERT INTO dealerships ({columns}) VALUES ($1, '', '', '')", f"Dealer {dealer}"
        )
    return url, ask


async def done(ask: Callable[..., Any], number: int, within: float = 600.0) -> float:
    """Wait until so many deliveries are done; give when the last one was, by the clock."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        (row,) = await ask(
            "SELECT count(*) AS done, count(*) FILTER (WHERE outcome <> 'imported') AS other,"
            " extract(epoch FROM max(finished_at))::float8 AS last FROM ingest.deliveries"
            " WHERE finished_at IS NOT NULL"
        )
        assert row["other"] == 0, "every lot is imported"
        if row["done"] >= number:
            return float(row["last"])
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{number} deliveries")


def configured(house: House, **mailbox: Any) -> None:
    house.write_config(*(_FEED.format(dealer) for dealer in range(1, DEALERS + 1)), mailbox=mailbox)


@contextmanager
def place(home: Path, url: str, ask: Callable[..., Any]) -> Iterator[House]:
    """Give a daemon and a Dovecot in a directory of their own."""
    home.mkdir()
    with opened(home, app.as_ingestd(url), ask) as house:
        yield house


async def at_pymap(home: Path, server_url: str, mails: int) -> list[float]:
    """Give the seconds from before each APPEND to the commit."""
    url, ask = await prepared(server_url, "at_pymap")
    async with pymap_server() as server:
        with place(home, url, ask) as house:
            configured(house, port=server.port, plaintext=True, ca_file=None)
            await asyncio.to_thread(house.start)
            found = []
            for number in range(mails + 1):
                raw = lots(number)[0]
                began = time.time()
                await asyncio.to_thread(append, server.port, (raw, FIRST + timedelta(days=number)))
                found.append(await done(ask, number + 1) - began)
    return found[1:]  # the first starts the parsers


def append(port: int, *mails: tuple[bytes, datetime]) -> None:
    """Append as a client does, in this order; each with its date of receipt."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login("alice", USERS["alice"])
    for raw, received in mails:
        client.append("INBOX", "", imaplib.Time2Internaldate(received), raw)
    client.logout()


async def at_dovecot(home: Path, server_url: str, mails: int) -> tuple[list[float], list[float]]:
    """Give the seconds from when others were told to the commit, and until they were told."""
    url, ask = await prepared(server_url, "at_dovecot")
    with place(home, url, ask) as house:
        configured(house)
        house.start()
        watcher = Watcher(house.server.port)
        ours, theirs = [], []
        try:
            for number in range(mails + 1):
                began = time.time()
                house.server.put(lots(number)[0])
                last = await done(ask, number + 1)
                told = next(at for at in watcher.told if at > began)
                ours.append(last - told)
                theirs.append(told - began)
        finally:
            watcher.close()
    return ours[1:], theirs[1:]


async def backlog(home: Path, server_url: str, mails: int) -> float:
    """Give the seconds for mails that wait at the start, until the last commit."""
    url, ask = await prepared(server_url, "backlog")
    with place(home, url, ask) as house:
        configured(house)
        days = mails // DEALERS
        waiting = [(raw, FIRST + timedelta(days=day)) for day in range(days) for raw in lots(day)]
        append(house.server.port, *waiting)
        began = time.time()
        house.start()
        return await done(ask, mails) - began


def shares(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"p50 {statistics.median(ordered):6.3f} s   p99 {p99:6.3f} s"


def main() -> None:
    mails = (int(sys.argv[1]) if len(sys.argv) > 1 else 500) // DEALERS * DEALERS
    single = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o755)
        with embedded.start(home / "pg") as server:
            print(f"{single} mails of {ROWS} rows, one by one: from arrival to commit")
            print(f"pymap    {shares(asyncio.run(at_pymap(home / '1', server.url, single)))}")
            ours, theirs = asyncio.run(at_dovecot(home / "2", server.url, single))
            print(f"Dovecot  {shares(ours)}   after its own delay of {shares(theirs)}")
            seconds = asyncio.run(backlog(home / "3", server.url, mails))
    print(f"backlog of {mails} mails: {seconds:.1f} s, {mails / seconds:.1f} mails/s")
    print(f"{WHOLE} mails would take {WHOLE * seconds / mails / 60:.1f} minutes")


if __name__ == "__main__":
    main()
