"""WAIT  For every delivery: take, read, load, settle, tell.

The only place, with ``patience``, that retries or backs off.  It sees its doors through the
Protocols of ``doors``, which it owns; ``app`` hands in the concrete ones.

Order of effects (each arrow may be the last thing that happens before a crash):

    source: bytes in the spool -> take: in the ledger -> claim: attempt counted
    -> load: one transaction a feed -> finish: delivery done, settlement owed
    -> settle: papers and file in place -> settled: ticked off

Every step may be done again after a crash: the ledger knows the delivery by its key, a
load finds its reports, a settlement finds its file in place.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from ingestd.config import Feed
from ingestd.doors import Doors, Load, Source
from ingestd.errors import (
    Clash,
    IngestError,
    Misconfigured,
    OlderFirst,
    OutOfTurn,
    ReadFailed,
    Refused,
    Taken,
    TryAgain,
)
from ingestd.model import UNROUTED, Arrival, Delivery, File, Opened, ReadJob
from ingestd.patience import InARow, PutOff, bug, insistently, pause
from ingestd.report import Settlement
from ingestd.rooftops import choices
from ingestd.settling import Settling, excerpt

#: A delivery that failed this often is set aside, and the others go on.
STRIKES = 3
#: Attempts that never came back, because the process was killed: seldom the file's fault.
LOST = 10
#: Clashes in a row after which it is not bad luck any more.
CLASHES = 20
#: Meetings of one taken key in a row after which it is no race with another session.
SAME_KEY = 5
#: Seconds: the lease is renewed well before the store lets it lapse (15).
RENEW_EVERY = 4.0
#: Seconds between looks at the ledger for work that another instance left.
POLL_EVERY = 5.0
#: Seconds for what is done on the way out.
LAST_WORDS = 2.0
#: Seconds after which a source that is watched counts as well again.
WELL_AFTER = 60.0
#: Seconds that a start takes at most: what is wrong with a source later than that may pass, as
#: where a mail server was away, or another instance held the source until now.
STARTS_WITHIN = 120.0

_LOG = structlog.get_logger("daemon")
_T = TypeVar("_T")


class Daemon:
    """Takes deliveries from every source to the vehicles and back to the source."""

    def __init__(self, doors: Doors, feeds: Mapping[str, Feed], handlers: int = 2) -> None:
        """Take the doors, the feeds by name, and how many deliveries to handle at once."""
        self._doors = doors
        self._feeds = feeds
        self._handlers = handlers
        self.excerpt = partial(excerpt, doors)
        self._settling = Settling(doors, self.excerpt)
        self._work = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._claimed: dict[int, Delivery] = {}
        self._put_off = PutOff()
        self._well: set[str] = set()
        self._clashes = InARow()  # by delivery
        self._taken = InARow()  # by delivery and feed, which are loaded each by itself

    async def run(self, stop: asyncio.Event, grace: Callable[[], float]) -> None:
        """Work until ``stop`` is set; then give what is under way ``grace()`` seconds.

        What is not finished by then is rolled back and done at the next start.
        """
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watch(source)) for source in self._doors.sources]
            handling = [group.create_task(self._handle(stop)) for _ in range(self._handlers)]
            aside = (group.create_task(self._settling.run()), group.create_task(self.keep_claims()))
            await stop.wait()
            for task in watching:
                task.cancel()
            self._work.set()
            await asyncio.wait(handling, timeout=grace())
            for task in (*handling, *aside):
                task.cancel()
        await _briefly(self._settling.settle_all)

    # -- sources -------------------------------------------------------------------------

    async def _watch(self, source: Source) -> None:
        """Watch one source for ever: a source that fails is entered again after a while.

        Whatever it fails of: a bug in one mailbox must not stop the folders.  Only a source
        that was never ready and is misconfigured ends us, so that the start fails.
        """
        failures, started = 0, time.monotonic()
        while True:
            began = time.monotonic()
            try:
                await self._watch_once(source)
            except* Exception as errors:
                error = _first(errors)
                starting = time.monotonic() - started < STARTS_WITHIN
                if starting and isinstance(error, Misconfigured) and source.name not in self._well:
                    raise
                failures = 1 if time.monotonic() - began > WELL_AFTER else failures + 1
                await self._rest(source.name, error, pause(error, failures))

    async def _rest(self, name: str, error: BaseException, seconds: float) -> None:
        """Say how a source failed, and leave it alone for a while."""
        self._doors.tell.source(name, up=False)
        again_in = round(seconds, 1)
        if isinstance(error, IngestError):
            _LOG.warning("source.failed", source=name, error=str(error), again_in=again_in)
        else:
            _LOG.error("source.failed", source=name, again_in=again_in, **bug(error))
        await asyncio.sleep(seconds)

    async def _watch_once(self, source: Source) -> None:
        """Hold the lease on a source and watch it, until either fails."""
        while not await insistently(self._doors.store.lease, source.name):  # noqa: ASYNC110
            await asyncio.sleep(RENEW_EVERY / 10)  # another process holds it: no event can tell
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_lease(source.name))
                await source.watch(self._take, partial(self._ready, source.name))
        finally:
            self._settling.let_go(source.name)
            await _briefly(self._doors.store.unlease, source.name)  # else it runs out by itself

    def _ready(self, name: str) -> None:
        """Begin to settle what is owed to a source that can be told."""
        self._well.add(name)
        self._doors.tell.source(name, up=True)
        self._settling.hold(name)

    async def _keep_lease(self, name: str) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if not await _passing(self._doors.store.lease, name):
                raise TryAgain(f"another instance has taken over the source {name!r}")

    async def _take(self, arrival: Arrival) -> None:
        delivery = await _passing(self._doors.store.take, arrival)
        self._work.set()
        if delivery.outcome is not None:  # another copy of what is done is to be settled too
            self._settling.owe(delivery)

    # -- deliveries ----------------------------------------------------------------------

    async def _handle(self, stop: asyncio.Event) -> None:
        """Handle one delivery after the other, each in its own lane."""
        while not stop.is_set():
            delivery = await self._claim()
            if delivery is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._put_off.soonest(POLL_EVERY)):
                        await self._work.wait()
                continue
            try:
                await self._attempt(delivery)
            finally:
                del self._claimed[delivery.id]
                self._work.set()

    async def _claim(self) -> Delivery | None:
        async with self._claiming:
            self._work.clear()
            lanes = (claimed.arrival.lane for claimed in self._claimed.values())
            busy = tuple(lane for lane in lanes if lane != UNROUTED)
            at_work = (*self._claimed, *self._put_off.waiting())
            delivery = await insistently(self._doors.store.claim, None, busy, at_work)
            if delivery is not None:
                self._claimed[delivery.id] = delivery
            return delivery

    async def keep_claims(self) -> None:
        """Renew what is claimed, for ever: a file may take longer than a lease."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            await insistently(self._renew)

    async def _renew(self) -> None:
        if self._claimed:
            await self._doors.store.renew(tuple(self._claimed.values()))

    async def _attempt(self, delivery: Delivery) -> None:
        """Handle a delivery once; what fails goes back to the ledger.

        Only a parser's failure or a bug counts as a strike: a database that is away, a
        dealership that was removed, our own end are no fault of the file's, and two loads in
        each other's way are nobody's.
        """
        try:
            self._done(await self._handle_or_close(delivery))
        except OutOfTurn:
            self._work.set()  # it went back to the ledger and is claimed when it is its turn
        except OlderFirst as error:
            _LOG.info("delivery.after_older", delivery=delivery.id, message=str(error))
            await insistently(self._doors.store.let_older_go_first, delivery)
        except Clash as error:
            await self._after_clash(delivery, error)
        except (TryAgain, Misconfigured) as error:
            _LOG.warning("delivery.waits", delivery=delivery.id, error=str(error))
            self._put_off.put_longer(delivery.id, POLL_EVERY)
            await self._give_back(delivery)
        except ReadFailed as error:
            await self._strike(delivery, error)
        except asyncio.CancelledError:
            await _briefly(partial(self._doors.store.release, delivery, counted=False))
            raise
        except Exception as error:  # noqa: BLE001  a bug that one delivery meets
            # Three of them set that delivery aside, as anything else that fails does: one
            # poisonous mail must not end the daemon, which would meet it again at each start.
            await self._strike(delivery, error)

    def _done(self, settlement: Settlement) -> None:
        self._put_off.forget(settlement.delivery.id)
        self._clashes.forget(settlement.delivery.id)
        self._settling.owe(settlement.delivery)
        self._doors.tell.settled(settlement)

    async def _strike(self, delivery: Delivery, error: Exception) -> None:
        """Say how a delivery failed, and give it back, its attempt counted.

        It is put off: a server that is slow for a minute must not cost all three at once.
        """
        if isinstance(error, IngestError):
            _LOG.warning("delivery.failed", delivery=delivery.id, error=str(error))
        else:
            _LOG.error("delivery.failed", delivery=delivery.id, **bug(error))
        self._put_off.put_longer(delivery.id, POLL_EVERY)
        await insistently(partial(self._doors.store.release, delivery, counted=True))

    async def _handle_or_close(self, delivery: Delivery) -> Settlement:
        """Handle a source's delivery; close what a command left behind when it was killed."""
        if delivery.arrival.kind != "cli":
            return await self.handle(delivery)
        reason = "the command that imported it ended before it was done; import the file again"
        return await self._doors.store.finish(delivery, (), reason)

    async def _give_back(self, delivery: Delivery) -> None:
        """Leave a delivery that is put off to the ledger, and its handler to the others."""
        await insistently(partial(self._doors.store.release, delivery, counted=False))

    async def _after_clash(self, delivery: Delivery, error: Clash) -> None:
        """Wait none to speak of at first, then longer; too many in a row are a strike."""
        times = self._clashes.count(delivery.id)
        if times > CLASHES:
            self._clashes.forget(delivery.id)
            await self._strike(delivery, error)
            return
        longest = min(POLL_EVERY, 0.01 * 2.0**times)
        seconds = longest * random.uniform(0.5, 1)  # noqa: S311  not to meet again
        self._put_off.put(delivery.id, seconds)
        await self._give_back(delivery)

    async def handle(self, delivery: Delivery) -> Settlement:
        """Read and load a claimed delivery, and close it.

        Raises:
            TryAgain: the database or the disk is away; nothing is half done.
            Clash: another load was in the way.
            ReadFailed: a parser died or was late, and not for the last time.
        """
        self._claimed.setdefault(delivery.id, delivery)
        if delivery.attempts - delivery.lost > STRIKES or delivery.lost > LOST:
            reason = f"it failed {delivery.attempts - 1} times; the log says how"
            return await self._doors.store.finish(delivery, (), reason)
        try:
            refused = await self.load(delivery, self._doors.store.load)
        except ReadFailed as error:
            return await self._doors.store.finish(delivery, (), _last_words(delivery, error))
        return await self._doors.store.finish(delivery, refused)

    async def load(self, delivery: Delivery, load: Load) -> list[File]:
        """Read a delivery and ``load`` it, feed by feed.

        Gives the files that are refused, and without a reason those that failed for the last
        time: the other feeds' are loaded all the same.
        """
        arrival = delivery.arrival
        whole = File(0, arrival.name, arrival.size, None, arrival.refused, arrival.message)
        if whole.reason is not None:
            return [whole]
        try:
            opened = await self._doors.reader.open(arrival)
        except Refused as error:
            return _refused(delivery, (whole,), error)
        if arrival.only_feed is not None:
            opened = opened.only(arrival.only_feed)
        refused = [file for file in opened.files if file.reason is not None]
        good = [file for file in opened.files if file.reason is None and file.feed is not None]
        if arrival.lane == UNROUTED:
            await self._route(delivery, opened)
        for name in dict.fromkeys(file.feed for file in good if file.feed is not None):
            mine = tuple(file for file in good if file.feed == name)
            refused += await self._load_feed(delivery, self._feeds[name], mine, load)
            self._taken.forget((delivery.id, name))
        return refused

    async def _load_feed(
        self, delivery: Delivery, feed: Feed, files: tuple[File, ...], load: Load
    ) -> list[File]:
        """Load the files of one feed; give them where they are refused, or failed too often."""
        try:
            job = await self._job(delivery.arrival, feed, files)
            async with self._doors.reader.read(job) as reading:
                await load(delivery, feed, job, reading)
        except Taken as error:
            times = self._taken.count((delivery.id, feed.name), (error.constraint, error.key))
            if times < SAME_KEY:
                raise
            return _refused(delivery, files, error.refused(times))
        except Refused as error:
            return _refused(delivery, files, error)
        except ReadFailed as error:
            words = _last_words(delivery, error)
            return [replace(file, message=words) for file in files]
        return []

    async def _route(self, delivery: Delivery, opened: Opened) -> None:
        """Write down whose a delivery is; who is not in turn gives it back."""
        lane = opened.lane()
        await self._doors.store.route(delivery, lane, opened.letter, opened.feeds())
        if delivery.id in self._claimed:
            arrival = replace(delivery.arrival, lane=lane)
            self._claimed[delivery.id] = replace(delivery, arrival=arrival)

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
            known=await store.known(dealership, feed.name, choices(feed.rooftops)),
        )


async def _passing(call: Callable[..., Awaitable[_T]], *args: object) -> _T:
    """Call the store for a source: where it will not have us any more, that may pass."""
    try:
        return await call(*args)
    except Misconfigured as error:
        raise TryAgain(str(error)) from error


async def _briefly(call: Callable[..., Awaitable[object]], *args: object) -> None:
    """Try a last thing on the way out; who stops us does not wait for a server that is away."""
    with contextlib.suppress(TryAgain, Misconfigured, TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            await call(*args)


def _last_words(delivery: Delivery, error: ReadFailed) -> str:
    """Say how it failed the last time that it is tried; before that it is raised once more."""
    strikes = delivery.attempts - delivery.lost
    if strikes < STRIKES:
        raise error
    _LOG.warning("delivery.failed", delivery=delivery.id, error=str(error))
    return f"it failed {strikes} times; {error}"


def _refused(delivery: Delivery, files: Sequence[File], error: Refused) -> list[File]:
    """Refuse the files of a feed; it is said at once, as what has a report keeps that."""
    _LOG.warning("files.refused", delivery=delivery.id, reason=error.reason, error=error.message)
    return [replace(file, reason=error.reason, message=error.message) for file in files]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
