"""Small real implementations of the daemon's Protocols, for tests.

Each passes the same contract tests as the door that it stands for.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from ingestd.doors import Source
from ingestd.model import UNROUTED, Arrival, Delivery, Outcome, Paper, State

START = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)
DEADLINE = 20.0


class MemorySource:
    """A watched folder without a disk: ``drop`` puts something in."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._clock = START
        self._working: dict[str, Arrival] = {}
        self._changed = asyncio.Event()
        self.spool: dict[str, bytes] = {}
        self.settled: dict[int, tuple[Outcome, dict[str, bytes]]] = {}

    @property
    def name(self) -> str:
        return self._name

    def drop(self, name: str, content: bytes, hint: str | None = None) -> None:
        self._clock += timedelta(microseconds=1)
        sha256 = hashlib.sha256(content).hexdigest()
        self.spool[sha256] = content
        key = f"{self._clock:%f}-{name}"
        lane = hint or UNROUTED
        self._working[key] = Arrival(
            self._name, "folder", key, name, sha256, len(content), self._clock, hint, lane
        )
        self._changed.set()

    async def watch(
        self, take: Callable[[Arrival], Awaitable[None]], ready: Callable[[], None] = lambda: None
    ) -> None:
        ready()
        taken: set[str] = set()
        while True:
            self._changed.clear()
            for key, arrival in list(self._working.items()):
                if key not in taken:
                    await take(arrival)
                    taken.add(key)
            await self._changed.wait()

    async def settle(self, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]) -> None:
        kept = {paper.suffix: await joined(paper) for paper in papers}
        self._working.pop(delivery.arrival.key, None)
        self.settled[delivery.id] = outcome, kept


async def joined(paper: Paper) -> bytes:
    return b"".join([block async for block in paper.blocks()])


def paper(suffix: str, *blocks: bytes) -> Paper:
    async def pieces() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    return Paper(suffix, pieces)


def delivery(arrival: Arrival, number: int = 9) -> Delivery:
    return Delivery(number, arrival, State.DONE, 1)


class Taker:
    """What stands in for the daemon: it keeps what it is handed."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._came = asyncio.Condition()

    async def take(self, arrival: Arrival) -> None:
        async with self._came:
            self.arrivals.append(arrival)
            self._came.notify_all()

    async def until(self, number: int) -> list[Arrival]:
        """Wait until so many have come."""
        async with asyncio.timeout(DEADLINE), self._came:
            await self._came.wait_for(lambda: len(self.arrivals) >= number)
        return self.arrivals


@asynccontextmanager
async def watching(source: Source) -> AsyncIterator[Taker]:
    """Let the source watch while the block runs; then cancel it, as the daemon does."""
    taker = Taker()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.watch(taker.take))
        yield taker
        task.cancel()
