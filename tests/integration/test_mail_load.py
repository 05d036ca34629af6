"""Thousands of mails and large ones: nothing grows with them, and the event loop is not held up."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ingestd.model import Arrival, Outcome
from ingestd.settings import Mailbox
from tests.acceptance.mailhouse import House, asking, founded, letter, numbered, opened, sha256
from tests.integration import lot as stores
from tests.integration.mailservers import USERS
from tests.integration.postbox import Office

pytestmark = pytest.mark.alone

MIB = 1 << 20
#: Mails that wait at the start, and how often each of them is there.
BACKLOG, COPIES = 3000, 20
#: Rows in each inventory.
ROWS = 5
#: Bytes that the daemon may grow by over thousands of mails, and by while it has a large one.
GROWTH, LARGE = 30 * MIB, 40 * MIB
#: Seconds that anything may hold up the event loop.
LAG = 0.050


@pytest.fixture(scope="module")
def house(module_database: Any) -> Iterator[House]:
    """One daemon for the tests of load, which begin with a long backlog."""
    ask = founded(module_database.url)
    with (
        TemporaryDirectory(prefix="ingestd-", dir="/tmp") as name,
        opened(Path(name), module_database.ingestd_url, ask) as made,
    ):
        yield made


def tree(house: House) -> list[int]:
    """Give the pids of the daemon and of its parsers."""
    assert house.daemon.process is not None
    pid = house.daemon.process.pid
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def used(house: House) -> int:
    """Give the memory of daemon and parsers, what they share counted once."""
    total = 0
    for pid in tree(house):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(1024 * int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


def resident(house: House) -> int:
    """Give the resident memory of the daemon's own process."""
    status = Path(f"/proc/{tree(house)[0]}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


async def test_three_thousand_waiting_mails_are_taken_in_the_memory_of_one(house):
    """Each of them came many times, as a loop of forwarding makes it: the load is the mailbox's."""
    house.put(numbered(0, ROWS))
    house.start()
    await house.closed(1)
    before = resident(house)
    house.daemon.end()
    for number in range(1, BACKLOG // COPIES + 1):
        house.put(*[numbered(number, ROWS)] * COPIES)
    house.start()
    await house.closed(1 + BACKLOG // COPIES, within=300)

    assert resident(house) - before < GROWTH
    await house.agrees(ROWS)


async def test_three_thousand_mails_that_another_client_removes_do_no_harm(house):
    before, failures = resident(house), house.daemon.log().count("source.failed")
    place = house.server.maildir("alice") / "cur"
    for number in range(BACKLOG):
        (place / f"{number}.x.localhost:2,T").write_bytes(b"Subject: gone\r\n\r\n")
    house.server._own(*place.iterdir())
    house.server.doveadm("expunge", "-u", "alice", "mailbox", "INBOX", "deleted")
    last = numbered(BACKLOG, ROWS)
    house.put(last)
    delivery = await house.done(last)

    assert delivery["outcome"] == "imported"
    assert house.daemon.log().count("source.failed") == failures
    assert resident(house) - before < GROWTH


def lines(line: str) -> bytes:
    return ("Make\tModel\tYear\n" + line * (25 * MIB // len(line))).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.bin", random.Random(1).randbytes(25 * MIB)),  # noqa: S311  the same each time
        ("short.tsv", lines("Zeta\tEagle\t2023\n")),
        ("long.tsv", lines("Zeta\t" + "x" * (MIB - 10) + "\t\n")),
    ],
    ids=["no table", "short lines", "long lines"],
)
async def test_a_large_attachment_is_never_in_memory_whole(house, name, content):
    raw = letter(name, (name, content))
    assert len(raw) > 32 * MIB
    warm = numbered(BACKLOG + len(house.sent), ROWS)
    house.put(warm)
    await house.done(warm)
    before, most, over = used(house), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], used(house))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        house.put(raw)
        delivery = await house.done(raw)
    finally:
        over.set()
        watching.join()

    assert delivery["outcome"] == "rejected"
    assert most[0] - before < LARGE


# The event loop.


@asynccontextmanager
async def probed(longest: list[float]) -> AsyncIterator[None]:
    """Tick every 5 ms, and keep by how much a tick was late."""

    async def tick() -> None:
        while True:
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            longest.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()


async def test_a_large_mail_does_not_hold_up_the_event_loop(dovecot, database, tmp_path):
    raw = letter("large", ("noise.bin", random.Random(1).randbytes(25 * MIB)))  # noqa: S311
    dovecot.put(raw)
    late: list[float] = []
    async with stores.opened(database.ingestd_url) as store, probed(late):
        config = Mailbox(
            name="inbox",
            host="localhost",
            port=dovecot.port,
            plaintext=True,
            user="alice",
            password=USERS["alice"],
        )
        async with Office(config, store, tmp_path).open() as box:
            (arrival,) = await box.until(1)
            await box.done(box.only(), Outcome.REJECTED)

    assert arrival.sha256 == sha256(raw)
    assert max(late) < LAG


# The ledger.


def arrival(number: int, uid: int) -> Arrival:
    """Give a mail as the mailbox hands it over."""
    digest = sha256(numbered(number))
    when = datetime(2026, 11, 23, 6, tzinfo=UTC)
    return Arrival("inbox", "mail", digest, "m.eml", digest, 900, when, None, "?", place=(7, uid))


async def test_a_claim_from_a_long_backlog_is_as_quick_as_from_a_short_one(database):
    more = """
INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen, lane, taken_by)
SELECT source, kind, n::text, name, sha256, size, first_seen + n * interval '1 second', 'lot',
  taken_by FROM ingest.deliveries, generate_series(1, 5000) n"""
    async with stores.opened(database.ingestd_url) as store:
        await store.take(arrival(0, 1))
        await asking(database.url)(more)
        await store.claim(None, ())
        began = time.monotonic()
        claimed = await store.claim(None, (), (1,))
        seconds = time.monotonic() - began

    assert claimed is not None
    assert claimed.arrival.key == "5000"
    assert seconds < 0.25


async def test_what_is_being_opened_is_not_claimed_by_another_handler(database):
    async with stores.opened(database.ingestd_url) as store:
        for number in range(2):
            await store.take(arrival(number, 1 + number))
        first = await store.claim(None, ())
        assert first is not None
        second = await store.claim(None, (), (first.id,))
        assert second is not None
        assert await store.claim(None, (), (first.id, second.id)) is None

    assert {first.id, second.id} == {1, 2}


async def test_a_copy_that_comes_while_the_first_is_settled_is_settled_too(database):
    async with stores.opened(database.ingestd_url) as store:
        taken = await store.take(arrival(0, 1))
        await store.finish(taken, ())
        (owed,) = await store.unsettled(("inbox",))
        await store.take(arrival(0, 2))
        await store.settled(owed.delivery)
        (again,) = await store.unsettled(("inbox",))
        await store.settled(again.delivery)

        assert again.delivery.id == taken.id
        assert await store.unsettled(("inbox",)) == ()
