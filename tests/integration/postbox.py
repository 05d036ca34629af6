"""A watched mailbox for tests: a real server, a real ledger, and who takes what comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingestd.errors import TryAgain
from ingestd.model import Arrival, Delivery, Outcome
from ingestd.settings import Mailbox
from ingestd.sources.mailbox import MailboxSource
from ingestd.sources.spool import Spool
from ingestd.store.postgres import PostgresStore

WITHIN = 20.0
USER = "alice"


def mail(subject: str, body: str = "hello\r\n") -> bytes:
    """Write a small message."""
    head = f"From: lots@dealer.example\r\nTo: {USER}@example.com\r\nSubject: {subject}\r\n\r\n"
    return (head + body).encode()


@dataclass(slots=True)
class Postbox:
    """A mailbox source, and the daemon's part in it: it takes, and settles what it is told to."""

    source: MailboxSource
    store: PostgresStore
    taken: dict[int, Delivery] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: BaseException | None = None

    async def take(self, arrival: Arrival) -> None:
        delivery = await self.store.take(arrival)
        self.arrivals.append(arrival)
        self.taken[delivery.id] = delivery

    async def watch(self) -> None:
        """Watch until the connection fails."""
        try:
            await self.source.watch(self.take, self.ready.set)
        except TryAgain as error:
            self.ended = error

    async def until(self, number: int) -> list[Arrival]:
        """Wait until so many have been taken in all."""
        await eventually(lambda: len(self.arrivals) >= number)
        return self.arrivals

    def only(self) -> Delivery:
        """Give the one delivery that was taken."""
        (delivery,) = self.taken.values()
        return delivery

    async def done(self, delivery: Delivery, outcome: Outcome) -> None:
        """Finish a delivery in the ledger, and settle it."""
        await self.store.finish(delivery, ())
        await self.settle(delivery, outcome)

    async def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        async with asyncio.timeout(WITHIN):
            await self.source.settle(delivery, outcome, ())


async def eventually(found: Callable[[], Any], within: float = WITHIN) -> Any:
    """Ask until the answer is true, and give it."""
    end = time.monotonic() + within
    while not (answer := found()):
        assert time.monotonic() < end, f"not within {within:g} s"
        await asyncio.sleep(0.005)
    return answer


@dataclass(frozen=True, slots=True)
class Office:
    """Makes postboxes on one server: which mailbox, whose ledger, where the spool is."""

    config: Mailbox
    store: PostgresStore
    state: Path
    message_size: int = 35 << 20

    def with_(self, **options: Any) -> "Office":
        """Give the same with other options of the mailbox."""
        return replace(self, config=self.config.model_copy(update=options))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Postbox]:
        """Watch for as long as the context lasts."""
        spool = Spool(self.state, 1 << 30)
        source = MailboxSource(self.config, spool, self.store, self.message_size)
        postbox = Postbox(source, self.store)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(postbox.watch())
            await eventually(lambda: postbox.ready.is_set() or postbox.ended)
            try:
                yield postbox
            finally:
                watching.cancel()


def subjects(messages: Sequence[bytes]) -> list[str]:
    """Give the subjects of messages, sorted."""
    lines = [line for raw in messages for line in raw.decode().splitlines()]
    return sorted(line.removeprefix("Subject: ") for line in lines if line.startswith("Subject:"))
