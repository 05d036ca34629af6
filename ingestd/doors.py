"""WAIT  What the daemon asks of its doors: the Protocols that it owns.

The concrete ones keep them without knowing of them; ``app`` hands them in.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ingestd.config import Feed
from ingestd.model import (
    Arrival,
    Delivery,
    Excerpt,
    File,
    Finding,
    Known,
    Letter,
    Opened,
    Outcome,
    Paper,
    Reading,
    ReadJob,
)
from ingestd.report import Report, Settlement
from ingestd.vehicle import Target


class Source(Protocol):
    """A watched mailbox or folder."""

    @property
    def name(self) -> str:
        """The configured name, unique among sources."""

    async def watch(
        self, take: Callable[[Arrival], Awaitable[None]], ready: Callable[[], None] = ...
    ) -> None:
        """Call ``take`` for each arrival, its bytes already spooled; never return normally.

        ``ready`` is called once the source was found to be in order and is being watched.

        Whatever an earlier run took but did not settle is handed over again first.
        """

    async def settle(self, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]) -> None:
        """Tell the source what became of ``delivery``.  Idempotent."""


class Reader(Protocol):
    """The parser processes."""

    async def open(self, arrival: Arrival) -> Opened:
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

    async def claim(
        self, delivery_id: int | None, busy: Sequence[str], at_work: Sequence[int] = ()
    ) -> Delivery | None:
        """Claim the delivery whose turn it is outside the ``busy`` lanes (or just that one).

        None of ``at_work``: those at work here (a claim of our own that is not among them was
        lost) and those that are put off, for which those that come after them wait.
        The attempt is counted before anything else is done.  None: nothing to do.
        """

    async def route(
        self, delivery: Delivery, lane: str, letter: Letter | None, feeds: Sequence[str] = ()
    ) -> None:
        """Write down whose a claimed delivery is, now that it was opened: its lane, its feeds.

        Raises:
            OutOfTurn: others of that lane come first; it was given back, the attempt uncounted.
        """

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Renew the claims on deliveries that are being worked on."""

    async def release(self, delivery: Delivery, *, counted: bool) -> None:
        """Give a claimed delivery back; the attempt is taken off the count unless ``counted``."""

    async def let_older_go_first(self, delivery: Delivery) -> None:
        """Give a claimed delivery back, uncounted, to come after the older ones of its lane."""

    async def dealership(self, feed: Feed) -> int:
        """Give the id of a feed's dealership."""

    async def target(self) -> Target:
        """Describe the live vehicles table."""

    async def known(self, dealership_id: int, feed: str, rooftops: Sequence[int] = ()) -> Known:
        """Give what is known of a dealership and a feed that helps to read its files.

        ``rooftops`` are the dealerships among which a group's files choose.
        """

    async def load(
        self, delivery: Delivery, feed: Feed, job: ReadJob, reading: Reading
    ) -> tuple[Report, ...]:
        """Load one delivery's files for one feed in one transaction; a second call is harmless."""

    async def finish(
        self, delivery: Delivery, refused: Sequence[File], quarantine: str | None = None
    ) -> Settlement:
        """Close a delivery: report its refused files, set its outcome, queue its settlement."""

    def each_rejection(self, import_id: int) -> AsyncIterator[Finding]:
        """Give every rejected line of an import, in the order of the file."""

    async def unsettled(self, sources: Sequence[str]) -> tuple[Settlement, ...]:
        """List what is still owed to ``sources``, or without any to commands, oldest first."""

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
