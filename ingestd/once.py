"""WIRE  One thing by hand: import a file, inspect a file, try every step."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeVar

from ingestd.app import check_feeds, opened_store
from ingestd.config import Config, Feed, Folder
from ingestd.daemon import SAME_KEY, Daemon
from ingestd.doors import Doors
from ingestd.errors import Clash, IngestError, ReadFailed, TryAgain
from ingestd.model import Arrival, Delivery, Excerpt, Opened, Reading, ReadJob, State
from ingestd.phrasing import counted
from ingestd.report import Report, Settlement, Step, refusal
from ingestd.sources.ground import prepare
from ingestd.sources.names import clean
from ingestd.sources.spool import Spool, place
from ingestd.store.postgres import PostgresStore as Store
from ingestd.workers import Workers

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be imported by hand, for a feed that may not be in the configuration."""

    config: Config
    feed: Feed
    file: Path
    dry_run: bool = False


async def import_file(job: Job, store: Store, advance: Callable[[int], None]) -> tuple[Report, ...]:
    """Import one file as its feed's newest; give a report for each table in it.

    ``advance`` is told how many bytes went to the database, as they go.

    Raises:
        TryAgain: the database or the disk is away, or older changes of the feed wait.
        ReadFailed: the parser died or was late.
        Misconfigured: the dealership does not exist.
        Refused: the file is larger than ``limits.file_size``.
    """
    await store.dealership(job.feed)
    if job.feed.mode == "delta" and not job.dry_run:
        await _in_turn(store, job.feed.name)
    spool = Spool(job.config.state_dir, job.config.limits.file_size)
    arrival = await _arrival(job, store, spool)
    async with Workers(job.config, spool.path, feeds=(job.feed,)) as workers:
        doors = Doors((), _Counting(workers, advance), store, _Nobody(), lambda *_: ())
        daemon = Daemon(doors, {job.feed.name: job.feed})
        work = _rehearse if job.dry_run else _import
        return await work(daemon, store, arrival)


async def _in_turn(store: Store, feed: str) -> None:
    why = await store.in_the_way_of(feed)
    if why is not None:
        raise TryAgain(f"{why}: changes go oldest first; import the file when that is done")


async def load_again(config: Config, feed: Feed, store: Store, number: int) -> tuple[Report, ...]:
    """Load what a command imported and an operator approved, from its bytes in the spool.

    Raises:
        TryAgain: the database or the disk is away.
    """
    spool = Spool(config.state_dir, config.limits.file_size)
    async with Workers(config, spool.path, feeds=(feed,)) as workers:
        doors = Doors((), workers, store, _Nobody(), lambda *_: ())
        return await _kept(Daemon(doors, {feed.name: feed}), store, number)


def gone(config: Config, sha256: str) -> str | None:
    """Say that some bytes are not in the spool any more; None where they are, or may be."""
    path = place(config.state_dir, sha256)
    try:
        path.stat()
    except FileNotFoundError:
        return (
            f"the bytes are not in the spool any more ({path}); [spool] keep_for is how long they"
            " are kept: have the file sent, or drop it, anew"
        )
    except OSError:
        return None  # who may not look cannot tell; the daemon may
    return None


async def _arrival(job: Job, store: Store, spool: Spool) -> Arrival:
    spooled = await spool.put(job.file)
    key = uuid.uuid4().hex
    return Arrival(
        source="cli",
        kind="cli",
        key=key,
        name=clean(os.fsencode(job.file.name)),
        sha256=spooled.sha256,
        size=spooled.size,
        first_seen=await store.now(),
        hint=job.feed.name,
        lane=f"cli/{key}",
    )


async def _import(daemon: Daemon, store: Store, arrival: Arrival) -> tuple[Report, ...]:
    taken = await store.take(arrival)
    return await _kept(daemon, store, taken.id)


async def _kept(daemon: Daemon, store: Store, number: int) -> tuple[Report, ...]:
    """Claim and handle a command's delivery, its claim being renewed meanwhile."""
    async with asyncio.TaskGroup() as group:
        keeper = group.create_task(daemon.keep_claims())
        try:
            return await _claim_and_handle(daemon, store, number)
        finally:
            keeper.cancel()


async def _claim_and_handle(daemon: Daemon, store: Store, number: int) -> tuple[Report, ...]:
    delivery = await store.claim(number, ())
    if delivery is None:
        raise TryAgain("another process of this state_dir has taken the import; look there")
    try:
        settlement = await _tried(partial(daemon.handle, delivery))
    except (ReadFailed, Clash) as error:
        # Nobody else is to do it later, behind the back of who asked for it now.
        settlement = await store.finish(delivery, (), str(error))
    await store.settled(delivery)
    return settlement.reports


async def _tried(work: Callable[[], Awaitable[_T]]) -> _T:
    """Try as often as it takes to tell a key that is taken from another load in the way."""
    for _ in range(SAME_KEY):
        with contextlib.suppress(Clash):
            return await work()
    raise Clash("other imports were in the way five times; try again when they are done")


async def _rehearse(daemon: Daemon, store: Store, arrival: Arrival) -> tuple[Report, ...]:
    """Do all of it and take it back: neither the vehicles nor the ledger change."""
    reports: list[Report] = []

    async def load(
        delivery: Delivery, feed: Feed, job: ReadJob, reading: Reading
    ) -> tuple[Report, ...]:
        made = await store.load(delivery, feed, job, reading, dry_run=True)
        reports.extend(replace(report, delivery_id=None) for report in made)
        return made

    delivery = Delivery(0, arrival, State.WORKING, 1)
    refused = await _tried(partial(daemon.load, delivery, load))
    reports += [refusal(None, file, arrival.first_seen) for file in refused]
    return tuple(sorted(reports, key=lambda report: report.file_index))


class _Nobody:
    """Keeps ``doors.Tell`` and tells nobody: the command line prints the reports itself."""

    def settled(self, settlement: Settlement) -> None:
        """Tell nobody."""

    def source(self, name: str, *, up: bool) -> None:
        """Tell nobody."""

    def waiting(self, deliveries: int) -> None:
        """Tell nobody."""


class _Counting:
    """A ``Reader`` that tells how many bytes went through it."""

    def __init__(self, workers: Workers, advance: Callable[[int], None]) -> None:
        self._workers = workers
        self._advance = advance

    async def open(self, arrival: Arrival) -> Opened:
        return await self._workers.open(arrival)

    @contextlib.asynccontextmanager
    async def read(self, job: ReadJob) -> AsyncIterator[Reading]:
        async with self._workers.read(job) as reading:
            yield self._counted(reading)

    def excerpt(self, wanted: Excerpt) -> AsyncIterator[bytes]:
        return self._workers.excerpt(wanted)

    async def _counted(self, reading: Reading) -> Reading:
        async for item in reading:
            if isinstance(item, bytes):
                self._advance(len(item))
            yield item


async def inspect_file(config: Config, feed: Feed | None, file: Path, today: str) -> bytes:
    """Give what would be understood of a file, as JSON: a list, one for each table in it."""
    async with Workers(config, lambda _: file) as workers:
        return await workers.inspect(file, clean(os.fsencode(file.name)), feed, today)


async def check_database(config: Config, url: str) -> AsyncIterator[Step]:
    """Try the database: connection, schema, target, feeds."""
    try:
        async with opened_store(config, url) as store:
            yield Step("database", await store.server(), well=True)
            yield await _schema(store)
            yield await _awaited("target", _target(store))
            yield await _awaited("feeds", _feeds(config, store))
    except IngestError as error:
        yield Step("database", str(error), well=False)


async def check_place(config: Config) -> AsyncIterator[Step]:
    """Try what lies on this machine: folders, spool, parser."""
    names = tuple(feed.name for feed in config.feed)
    for folder in config.folder:
        yield _done(f"folder {folder.name}", partial(_entered, folder, names))
    yield _done("spool", partial(_spool, config))
    yield await _awaited("parser", _parser(config))


def _done(name: str, work: Callable[[], str]) -> Step:
    try:
        return Step(name, work(), well=True)
    except IngestError as error:
        return Step(name, str(error), well=False)


async def _awaited(name: str, work: Awaitable[str]) -> Step:
    try:
        return Step(name, await work, well=True)
    except IngestError as error:
        return Step(name, str(error), well=False)


async def _schema(store: Store) -> Step:
    wrong = await store.check()
    return Step("schema", wrong or "every file is applied", well=wrong is None)


async def _target(store: Store) -> str:
    return await store.about_target()


async def _feeds(config: Config, store: Store) -> str:
    await check_feeds(config, store)
    count = len(config.feed)
    each = ", each" * (count != 1)
    return f"{counted(count, 'feed')}{each} of a dealership that exists"


def _entered(folder: Folder, feeds: tuple[str, ...]) -> str:
    with prepare(folder, feeds) as ground:
        return f"{ground.root} is writable and on one file system"


def _spool(config: Config) -> str:
    Spool(config.state_dir, config.limits.file_size)
    return f"{config.state_dir}/spool is writable"


async def _parser(config: Config) -> str:
    with as_file(files("ingestd.sample") / "prairie-crossing.tsv") as sample:
        await inspect_file(config, None, sample, "2026-01-01")
    return "a parser process starts within its limits and reads the sample"
