"""WAIT  Settlements: the sources are told what became of their deliveries.

Rules:
  * Each source has a queue of its own, and the commands have one: a mailbox that is slow or
    stuck keeps nobody else's receipts.
  * A settlement that fails is put off, later and later, and those behind it go on.
  * A source of which several fail in a row is left alone for a while, later and later; once
    it was entered again, it is told at once.
  * A settlement is owed in the ledger until it is ticked off: what is put off is only
    remembered here.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog

from ingestd.doors import Doors, Excerpts, Source
from ingestd.errors import IngestError, ReadFailed, Refused, TryAgain
from ingestd.model import Delivery, Excerpt, Outcome
from ingestd.patience import PutOff, bug, insistently, pause
from ingestd.report import Report, Settlement

#: Seconds between looks at the ledger for what another instance left.
POLL_EVERY = 5.0
#: Seconds for one settlement.  Its papers may read a file of the greatest size once more,
#: which takes minutes; a server that is silent for longer is not coming back by itself.
SETTLE_WITHIN = 600.0
#: Failures in a row after which it is the source's fault and not a delivery's.
IN_A_ROW = 3

_LOG = structlog.get_logger("daemon")


async def excerpt(doors: Doors, delivery: Delivery, report: Report) -> AsyncGenerator[bytes]:
    """Give the sender's own rejected lines of one file: all of them, from the ledger.

    A file that can not be read again ends the excerpt, not the settlement: its lines
    and reasons are in the ledger.
    """
    if report.import_id is None:
        return
    rejections = doors.store.each_rejection(report.import_id)
    reasons = tuple([(found.line, found.reason) async for found in rejections])
    wanted = Excerpt(delivery.arrival, report.file_index, report.feed, reasons)
    try:
        async for block in doors.reader.excerpt(wanted):
            yield block
    except (ReadFailed, Refused) as error:
        _LOG.warning("excerpt.failed", delivery=delivery.id, error=str(error))


class Settling:
    """The queues of all sources."""

    def __init__(self, doors: Doors, excerpts: Excerpts) -> None:
        """Take the doors, and who gives the rejected lines for the papers."""
        self._queues = {one.name: _Queue(doors, excerpts, one) for one in doors.sources}
        self._commands = _Queue(doors, excerpts, None)

    async def run(self) -> None:
        """Settle what is owed to the sources that are held, for ever."""
        async with asyncio.TaskGroup() as group:
            for queue in (*self._queues.values(), self._commands):
                group.create_task(queue.keep())

    async def settle_all(self) -> None:
        """Settle what is owed now, once."""
        async with asyncio.TaskGroup() as group:
            for queue in (*self._queues.values(), self._commands):
                group.create_task(queue.go_through())

    def hold(self, name: str) -> None:
        """Begin to tell a source, which can be told now."""
        self._queues[name].hold()

    def let_go(self, name: str) -> None:
        """Cease to tell a source."""
        self._queues[name].held = False

    def owe(self, delivery: Delivery) -> None:
        """Hear of a settlement that is owed."""
        own = None if delivery.arrival.only_feed else self._queues.get(delivery.arrival.source)
        (own or self._commands).owed.set()


class _Queue:
    """What is owed to one source, or to commands, which nobody need tell."""

    def __init__(self, doors: Doors, excerpts: Excerpts, source: Source | None) -> None:
        self._doors = doors
        self._excerpts = excerpts
        self._source = source
        self._name = () if source is None else (source.name,)
        self._put_off = PutOff()
        self._in_a_row: set[int] = set()  # deliveries, not attempts: one alone may be to blame
        self._entered = asyncio.Event()
        self.held = source is None
        self.owed = asyncio.Event()

    def hold(self) -> None:
        self.held = True
        self._in_a_row.clear()
        self._put_off.clear()
        self._entered.set()
        self.owed.set()

    async def keep(self) -> None:
        """Settle what is owed, for ever."""
        while True:
            self.owed.clear()
            self._entered.clear()
            if not await self.go_through():
                await _wait_for(self._entered, self._rest())
                await _wait_for(self.owed, self._put_off.soonest(POLL_EVERY))

    async def go_through(self) -> bool:
        """Settle what is owed and not put off; False when there is no use in another look."""
        if not self.held:
            return False
        owed = await insistently(self._doors.store.unsettled, self._name)
        waiting = set(self._put_off.waiting())
        settled = 0
        # What failed before comes last: it must not use up what patience there is.
        for settlement in sorted(owed, key=lambda one: self._put_off.times(one.delivery.id)):
            if settlement.delivery.id in waiting:
                continue
            settled += await self._settled(settlement)
            if self._rest():
                return False
        return settled > 0

    def _rest(self) -> float:
        """Give the seconds for which the source is left alone, after failures in a row."""
        rounds = len(self._in_a_row) - IN_A_ROW + 1
        return pause(TryAgain(), rounds) if rounds > 0 else 0.0

    async def _settled(self, settlement: Settlement) -> bool:
        number = settlement.delivery.id
        try:
            await self._settle(settlement)
        except Exception as error:  # noqa: BLE001  a bug that one settlement meets is put off too
            self._in_a_row.add(number)
            self._say(number, error)
            self._put_off.put(number, pause(TryAgain(), self._put_off.times(number) + 1))
            return False
        self._in_a_row.clear()
        self._put_off.forget(number)
        return True

    async def _settle(self, settlement: Settlement) -> None:
        delivery = settlement.delivery
        if self._source is not None:
            papers = self._doors.papers(settlement, self._excerpts)
            outcome = delivery.outcome or Outcome.FAILED
            try:
                async with asyncio.timeout(SETTLE_WITHIN):
                    await self._source.settle(delivery, outcome, papers)
            except TimeoutError:
                message = f"{self._source.name!r} was not told within {SETTLE_WITHIN:g} s"
                raise TryAgain(message) from None
        await self._doors.store.settled(delivery)

    def _say(self, number: int, error: Exception) -> None:
        """Log the first failure of a row, not each; a bug in any case, the first time."""
        first = self._put_off.times(number) == 0
        if not isinstance(error, IngestError):
            if first:
                _LOG.error("settlement.waits", delivery=number, **bug(error))
        elif first and self._in_a_row == {number}:
            _LOG.warning("settlement.waits", delivery=number, error=str(error))


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
