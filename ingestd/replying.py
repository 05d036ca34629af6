"""WAIT  Replies to dealers: what is owed is written, sent, ticked off.

Runs beside the daemon, and nothing waits for it: a delivery is settled whether its reply can be
sent or not.  It sees its doors through the Protocols below; ``outlets`` hands in the concrete ones.

Rules:
  * An attempt is counted before it starts, and ticked off once the server has the message: a
    crash between the two sends it again, with the same Message-ID (at least once).
  * A server that is away, or refuses the login, is no fault of a reply's: all of them wait.
  * What a server puts off (4xx) is tried after 1, 2, 4, ... and then every 60 minutes, for two
    days; what it refuses (5xx) is given up at once, with its words.
  * At most ``per_hour`` of a feed: what is beyond it is given up.  A feed that has so much news
    is in trouble, and a mail an hour later helps nobody.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

import structlog

from ingestd.doors import Excerpts
from ingestd.errors import Denied, IngestError, Refused, Throttled, TryAgain
from ingestd.patience import insistently, pause
from ingestd.report import Lines, Reply

#: Seconds between looks for a reply that is owed.
POLL_EVERY = 5.0
#: Between attempts at one reply, or at the server while it is away.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60))
#: What could not be sent for so long is of no use any more.
GIVE_UP_AFTER = timedelta(days=2)
#: Bytes of the sender's lines in one reply, and seconds to wait for a parser that reads them.
ATTACHED = 1 << 20
EXCERPT_WITHIN = 300.0

_LOG = structlog.get_logger("replies")


class Books(Protocol):
    """The ledger of replies."""

    async def claim(self, feeds: Sequence[str], waits: Sequence[timedelta]) -> Reply | None:
        """Begin an attempt at the reply that is due longest; None where none is due."""

    async def sent(self, reply: Reply) -> None:
        """Tick a reply off."""

    async def give_up(self, reply: Reply, why: str) -> None:
        """Write down why a reply will not be sent."""

    async def expire(self, after: timedelta, why: str) -> int:
        """Give up what came to be owed so long ago; count it."""

    async def sent_lately(self, feed: str) -> int:
        """Count the replies that were sent for a feed within the last hour."""


class Post(Protocol):
    """The SMTP server."""

    def opened(self) -> "AbstractAsyncContextManager[Send]":
        """Connect, and lend what sends a message to some addresses.

        Raises:
            TryAgain: (both) not now.
            Refused: (what sends) never.
        """


Send = Callable[[Sequence[str], bytes], Awaitable[None]]
Compose = Callable[[Reply, str, Sequence[str], Sequence[Lines]], bytes]
Tell = Callable[[Literal["sent", "given_up"]], None]


@dataclass(frozen=True, slots=True)
class Outlets:
    """The concrete things that replies are made and sent with."""

    books: Books
    post: Post
    compose: Compose
    excerpt: Excerpts
    tell: Tell


class Replying:
    """Sends what is owed for some feeds, each to its own addresses."""

    def __init__(
        self, outlets: Outlets, sender: str, per_hour: int, addresses: Mapping[str, Sequence[str]]
    ) -> None:
        """Take the doors, our own address, the limit for a feed, and the addresses of each."""
        self._outlets = outlets
        self._sender = sender
        self._per_hour = per_hour
        self._addresses = addresses
        self._limited: set[str] = set()
        self._failures = 0
        self._last_words = "nobody tried"

    async def run(self) -> None:
        """Send what is owed, for ever: what goes wrong here must not end the daemon."""
        while True:
            try:
                seconds = await self._step()
            except Exception as error:  # noqa: BLE001  a bug of ours, put off like all else
                _LOG.exception("reply.bug")
                self._last_words = type(error).__name__
                seconds = WAITS[0].total_seconds()
            await asyncio.sleep(seconds)

    async def _step(self) -> float:
        """Make one attempt; give the seconds until the next."""
        books = self._outlets.books
        await self._expire()
        reply = await insistently(books.claim, tuple(self._addresses), WAITS)
        if reply is None:
            return POLL_EVERY
        if await insistently(books.sent_lately, reply.feed) >= self._per_hour:
            await self._over_the_limit(reply)
            return 0.0
        lines = await self._lines(reply)
        to = self._addresses[reply.feed]
        return await self._attempt(reply, self._outlets.compose(reply, self._sender, to, lines))

    async def _expire(self) -> None:
        why = f"it could not be sent within {GIVE_UP_AFTER.days} days: {self._last_words}"
        number = await insistently(self._outlets.books.expire, GIVE_UP_AFTER, why)
        if number:
            _LOG.warning("reply.given_up", replies=number, error=why)
        for _ in range(number):
            self._outlets.tell("given_up")

    async def _lines(self, reply: Reply) -> tuple[Lines, ...]:
        """Fetch the rejected lines of each file; those that cannot be had are left out."""
        found: list[Lines] = []
        room = ATTACHED
        for report in reply.reports:
            if report.import_id is None or not report.rejections or not room:
                continue
            with contextlib.suppress(IngestError, TimeoutError):
                async with asyncio.timeout(EXCERPT_WITHIN):
                    blocks = self._outlets.excerpt(reply.delivery, report)
                    content, whole = await _filled(blocks, room)
                room -= len(content)
                if content:
                    found.append(Lines(report.import_id, content, whole))
        return tuple(found)

    async def _attempt(self, reply: Reply, content: bytes) -> float:
        try:
            async with self._outlets.post.opened() as send:
                self._failures = 0
                await self._send(send, reply, content)
        except TryAgain as error:
            return self._server_away(error)
        return 0.0

    async def _send(self, send: Send, reply: Reply, content: bytes) -> None:
        """Send a reply over an open connection; what is wrong with this one alone ends here."""
        try:
            await send(self._addresses[reply.feed], content)
        except Refused as error:
            await self._give_up(reply, str(error))
        except Denied:
            raise
        except TryAgain as error:
            await self._later(reply, error)
        else:
            await insistently(self._outlets.books.sent, reply)
            self._limited.discard(reply.feed)
            self._outlets.tell("sent")
            _LOG.info("reply.sent", delivery=reply.delivery.id, feed=reply.feed)

    async def _later(self, reply: Reply, error: TryAgain) -> None:
        self._last_words = str(error)
        again_in = _wait(reply.attempts)
        if reply.age + again_in > GIVE_UP_AFTER:
            await self._give_up(reply, f"{error} (tried for {GIVE_UP_AFTER.days} days)")
            return
        known = {"delivery": reply.delivery.id, "feed": reply.feed}
        _LOG.warning("reply.waits", **known, error=str(error), again_in=again_in.total_seconds())

    def _server_away(self, error: TryAgain) -> float:
        """Give the seconds for which no reply is tried."""
        self._last_words = str(error)
        self._failures += 1
        seconds = _wait(self._failures).total_seconds()
        if isinstance(error, Denied | Throttled):
            seconds = pause(error, self._failures)
        _LOG.warning("replies.wait", error=str(error), again_in=round(seconds))
        return seconds

    async def _over_the_limit(self, reply: Reply) -> None:
        """Give a reply up for the feed's limit; the log says so once, until one is sent again."""
        why = f"more than {self._per_hour} replies within an hour ([replies] per_hour)"
        await insistently(self._outlets.books.give_up, reply, why)
        self._outlets.tell("given_up")
        if reply.feed not in self._limited:
            self._limited.add(reply.feed)
            _LOG.warning("reply.limit", delivery=reply.delivery.id, feed=reply.feed, error=why)

    async def _give_up(self, reply: Reply, why: str) -> None:
        await insistently(self._outlets.books.give_up, reply, why)
        self._outlets.tell("given_up")
        _LOG.warning("reply.given_up", delivery=reply.delivery.id, feed=reply.feed, error=why)


def _wait(attempts: int) -> timedelta:
    return WAITS[min(attempts, len(WAITS)) - 1]


async def _filled(blocks: AsyncIterator[bytes], room: int) -> tuple[bytes, bool]:
    """Give as many whole lines as there is room for, and whether that is all of them.

    What there is no room for is read to its end: the parser lives on.
    """
    kept = bytearray()
    whole = True
    async for block in blocks:
        kept += block[: max(0, room + 1 - len(kept))]
    if len(kept) > room:
        whole = False
        del kept[kept.rfind(b"\n", 0, room) + 1 :]
    return bytes(kept), whole
