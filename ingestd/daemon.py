"""WAIT  For every delivery: take, read, load, settle, tell.

The only place that retries or backs off.  It sees its doors through the Protocols below,
which it owns; ``app`` hands in the concrete ones.

Order of effects (each arrow may be the last thing that happens before a crash):

    source: bytes in the spool -> take: in the ledger -> claim: attempt counted
    -> load: one transaction a feed -> finish: delivery done, settlement owed
    -> settle: papers and file in place -> settled: ticked off

Every step may be done again after a crash: the ledger knows the delivery by its key, a
load finds its reports, a settlement finds its file in place.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from ingestd.config import Feed
from ingestd.errors import Clash, ReadFailed, Refused, TryAgain
from ingestd.model import (
    Arrival,
    Delivery,
    Excerpt,
    File,
    Finding,
    Known,
    Outcome,
    Paper,
    Reading,
    ReadJob,
    Report,
    Settlement,
    Target,
)

#: A delivery that failed this often is set aside, and the others go on.
STRIKES = 3
#: Seconds: the lease is renewed well before the store lets it lapse (60).
RENEW_EVERY = 15.0
#: Seconds between looks at the ledger for work that another instance left.
POLL_EVERY = 5.0
#: Seconds between attempts, at most; the first comes within half a second.
LONGEST_WAIT = 30.0

_LOG = structlog.get_logger("daemon")
_T = TypeVar("_T")


class Source(Protocol):
    """A watched mailbox or folder."""

    @property
    def name(self) -> str:
        """The configured name, unique among sources."""

    async def watch(self, take: Callable[[Arrival], Awaitable[None]]) -> None:
        """Call ``take`` for each arrival, its bytes already spooled; never return normally.

        Whatever an earlier run took but did not settle is handed over again first.
        """

    async def settle(self, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]) -> None:
        """Tell the source what became of ``delivery``.  Idempotent."""


class Reader(Protocol):
    """The parser processes."""

    async def open(self, arrival: Arrival) -> tuple[File, ...]:
        """List the files in a delivery, each with its feed or the reason why it has none."""

    def read(self, job: ReadJob) -> AbstractAsyncContextManager[Reading]:
        """Read one delivery's files for one feed; leaving the context frees the parser."""

    def excerpt(self, wanted: Excerpt) -> AsyncIterator[bytes]:
        """Give the sender's own lines that were rejected, line number and reason in front."""


class Store(Protocol):
    """The ledger and the vehicles."""

    async def now(self) -> datetime:
        """Give the database's time, by which deliveries are ordered."""

    async def lease(self, name: str) -> bool:
        """Take or renew this instance's lease on a source; False while another holds it."""

    async def unlease(self, name: str) -> None:
        """Give a lease up, so that another instance need not wait."""

    async def take(self, arrival: Arrival) -> Delivery:
        """Write the arrival into the ledger; the same (source, key) gives the same delivery."""

    async def claim(self, delivery_id: int | None, busy: Sequence[str]) -> Delivery | None:
        """Claim the oldest waiting delivery outside the ``busy`` lanes (or just that one).

        The attempt is counted before anything else is done.  None: nothing to do.
        """

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Renew the claims on deliveries that are being worked on."""

    async def release(self, delivery: Delivery, *, counted: bool) -> None:
        """Give a claimed delivery back; the attempt is taken off the count unless ``counted``."""

    async def dealership(self, feed: Feed) -> int:
        """Give the id of a feed's dealership."""

    async def target(self) -> Target:
        """Describe the live vehicles table."""

    async def known(self, dealership_id: int) -> Known:
        """Give what is known of a dealership that helps to read its files."""

    async def load(
        self, delivery: Delivery, feed: Feed, job: ReadJob, reading: Reading
    ) -> tuple[Report, ...]:
        """Load one delivery's files for one feed in one transaction; a second call is harmless."""

    async def finish(
        self, delivery: Delivery, refused: Sequence[File], quarantine: str | None = None
    ) -> Settlement:
        """Close a delivery: report its refused files, set its outcome, queue its settlement."""

    async def rejections(self, import_id: int) -> tuple[Finding, ...]:
        """Give every rejected line of an import, in the order of the file."""

    async def unsettled(self) -> tuple[Settlement, ...]:
        """List this instance's settlements that are still owed, oldest first."""

    async def settled(self, delivery: Delivery) -> None:
        """Tick a settlement off."""


class Tell(Protocol):
    """Whoever wants to know: metrics, log, service manager."""

    def settled(self, settlement: Settlement) -> None:
        """Observe a delivery that is done; once in the process that did it."""

    def source(self, name: str, *, up: bool) -> None:
        """Observe a source that began to watch, or failed."""

    def waiting(self, deliveries: int) -> None:
        """Observe how many deliveries wait."""


Load = Callable[[Delivery, Feed, ReadJob, Reading], Awaitable[tuple[Report, ...]]]
Excerpts = Callable[[Delivery, Report], AsyncIterator[bytes]]
Papers = Callable[[Settlement, Excerpts], tuple[Paper, ...]]


@dataclass(frozen=True, slots=True)
class Doors:
    """The concrete things the daemon works with."""

    sources: tuple[Source, ...]
    reader: Reader
    store: Store
    tell: Tell
    papers: Papers


class Daemon:
    """Takes deliveries from every source to the vehicles and back to the source."""

    def __init__(self, doors: Doors, feeds: Mapping[str, Feed], handlers: int = 2) -> None:
        """Take the doors, the feeds by name, and how many deliveries to handle at once."""
        self._doors = doors
        self._feeds = feeds
        self._handlers = handlers
        self._sources = {source.name: source for source in doors.sources}
        self._work = asyncio.Event()
        self._owed = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._claimed: dict[int, Delivery] = {}

    async def run(self, stop: asyncio.Event, grace: Callable[[], float]) -> None:
        """Work until ``stop`` is set; then give what is under way ``grace()`` seconds.

        What is not finished by then is rolled back and done at the next start.
        """
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watch(source)) for source in self._doors.sources]
            handling = [group.create_task(self._handle(stop)) for _ in range(self._handlers)]
            aside = (group.create_task(self._settle()), group.create_task(self.keep_claims()))
            await stop.wait()
            for task in watching:
                task.cancel()
            self._work.set()
            await asyncio.wait(handling, timeout=grace())
            for task in (*handling, *aside):
                task.cancel()

    # -- sources -------------------------------------------------------------------------

    async def _watch(self, source: Source) -> None:
        """Watch one source for ever: a source that fails is entered again, later and later."""
        while True:
            try:
                await self._watch_once(source)
            except* TryAgain as errors:
                self._doors.tell.source(source.name, up=False)
                _LOG.warning("source.failed", source=source.name, error=_first(errors))
                await asyncio.sleep(POLL_EVERY)

    async def _watch_once(self, source: Source) -> None:
        """Hold the lease on a source and watch it, until either fails."""
        while not await patiently(self._doors.store.lease, source.name):  # noqa: ASYNC110
            await asyncio.sleep(RENEW_EVERY / 10)  # another process holds it: no event can tell
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_lease(source.name))
                self._doors.tell.source(source.name, up=True)
                await source.watch(self._take)
        finally:
            with contextlib.suppress(TryAgain):  # else it runs out by itself
                await self._doors.store.unlease(source.name)

    async def _keep_lease(self, name: str) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if not await self._doors.store.lease(name):
                raise TryAgain(f"another instance has taken over the source {name!r}")

    async def _take(self, arrival: Arrival) -> None:
        await self._doors.store.take(arrival)
        self._work.set()

    # -- deliveries ----------------------------------------------------------------------

    async def _handle(self, stop: asyncio.Event) -> None:
        """Handle one delivery after the other, each in its own lane."""
        while not stop.is_set():
            delivery = await self._claim()
            if delivery is None:
                await self._wait_for(self._work)
                continue
            try:
                await self._attempt(delivery)
            finally:
                del self._claimed[delivery.id]
                self._work.set()

    async def _claim(self) -> Delivery | None:
        async with self._claiming:
            self._work.clear()
            busy = tuple(claimed.arrival.lane for claimed in self._claimed.values())
            delivery = await patiently(self._doors.store.claim, None, busy)
            if delivery is not None:
                self._claimed[delivery.id] = delivery
            return delivery

    async def keep_claims(self) -> None:
        """Renew what is claimed, for ever: a file may take longer than a lease."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if self._claimed:
                with contextlib.suppress(TryAgain):  # it may pass before the lease does
                    await self._doors.store.renew(tuple(self._claimed.values()))

    async def _attempt(self, delivery: Delivery) -> None:
        """Handle a delivery once; what fails goes back to the ledger.

        Only a parser's failure counts as a strike: a database or disk that is away is no
        fault of the file's, and two loads in each other's way are nobody's.
        """
        try:
            settlement = await self.handle(delivery)
        except Clash:
            await self._release(delivery, counted=False)
        except TryAgain as error:
            _LOG.warning("delivery.waits", delivery=delivery.id, error=str(error))
            await self._release(delivery, counted=False)
            await asyncio.sleep(POLL_EVERY)
        except ReadFailed as error:
            _LOG.warning("delivery.failed", delivery=delivery.id, error=str(error))
            await self._release(delivery, counted=True)
        else:
            self._doors.tell.settled(settlement)
            self._owed.set()

    async def _release(self, delivery: Delivery, *, counted: bool) -> None:
        async def release() -> None:
            await self._doors.store.release(delivery, counted=counted)

        await patiently(release)

    async def handle(self, delivery: Delivery) -> Settlement:
        """Read and load a claimed delivery, and close it.

        Raises:
            TryAgain: the database or the disk is away; nothing is half done.
            ReadFailed: a parser died or was late.
        """
        self._claimed.setdefault(delivery.id, delivery)
        if delivery.attempts > STRIKES:
            reason = f"it failed {STRIKES} times; the log says how, `ingestd imports list` shows it"
            return await self._doors.store.finish(delivery, (), reason)
        refused = await self.load(delivery, self._doors.store.load)
        return await self._doors.store.finish(delivery, refused)

    async def load(self, delivery: Delivery, load: Load) -> list[File]:
        """Read a delivery and ``load`` it, feed by feed; give the files that are refused."""
        arrival = delivery.arrival
        whole = File(0, arrival.name, arrival.size, None, arrival.refused, arrival.message)
        if whole.reason is not None:
            return [whole]
        try:
            files = await self._doors.reader.open(arrival)
        except Refused as error:
            return [_refusal(whole, error)]
        refused = [file for file in files if file.feed is None]
        for name in dict.fromkeys(file.feed for file in files if file.feed is not None):
            mine = tuple(file for file in files if file.feed == name)
            try:
                job = await self._job(arrival, self._feeds[name], mine)
                async with self._doors.reader.read(job) as reading:
                    await load(delivery, self._feeds[name], job, reading)
            except Refused as error:
                refused += [_refusal(file, error) for file in mine]
        return refused

    async def _job(self, arrival: Arrival, feed: Feed, files: tuple[File, ...]) -> ReadJob:
        store = self._doors.store
        dealership = await store.dealership(feed)
        return ReadJob(
            sha256=arrival.sha256,
            kind=arrival.kind,
            name=arrival.name,
            files=files,
            dealership_id=dealership,
            today=arrival.first_seen.date().isoformat(),
            target=await store.target(),
            known=await store.known(dealership),
        )

    # -- settling ------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Tell the sources what became of their deliveries, until nothing is owed."""
        while True:
            self._owed.clear()
            owed = await patiently(self._doors.store.unsettled)
            told = [await self._settle_one(settlement) for settlement in owed]
            if not all(told) or not owed:
                await self._wait_for(self._owed)

    async def _settle_one(self, settlement: Settlement) -> bool:
        delivery = settlement.delivery
        source = self._sources.get(delivery.arrival.source)
        try:
            if source is not None:
                papers = self._doors.papers(settlement, self._excerpt)
                await source.settle(delivery, delivery.outcome or Outcome.FAILED, papers)
            elif delivery.arrival.kind != "cli":
                return False  # of a source that is not configured any more: kept until it is
            await self._doors.store.settled(delivery)
        except TryAgain as error:
            _LOG.warning("settlement.waits", delivery=delivery.id, error=str(error))
            return False
        return True

    async def _excerpt(self, delivery: Delivery, report: Report) -> AsyncGenerator[bytes]:
        """Give the sender's own rejected lines of one file: all of them, from the ledger.

        A file that can not be read again ends the excerpt, not the settlement: its lines
        and reasons are in the ledger.
        """
        if report.import_id is None:
            return
        findings = await self._doors.store.rejections(report.import_id)
        wanted = Excerpt(delivery.arrival, report.file_index, report.feed, findings)
        try:
            async for block in self._doors.reader.excerpt(wanted):
                yield block
        except (ReadFailed, Refused) as error:
            _LOG.warning("excerpt.failed", delivery=delivery.id, error=str(error))

    # -- waiting -------------------------------------------------------------------------

    @staticmethod
    async def _wait_for(event: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_EVERY):
                await event.wait()


async def patiently(call: Callable[..., Awaitable[_T]], *args: object) -> _T:
    """Call again and again, later and later, while the world is bad."""
    waits = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(TryAgain), wait=waits, reraise=True
    ):
        with attempt:
            return await call(*args)
    raise AssertionError  # tenacity gives attempts until one returns or raises


def _refusal(file: File, error: Refused) -> File:
    return File(file.index, file.name, file.size, file.feed, error.reason, error.message)


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
