"""DOOR  A watched mailbox: every message in the folder is taken, and settled when it is done.

Rules:
  * One task owns the connection.  It looks (SEARCH), fetches in parts into the spool, hands
    over, settles what it is asked to, and waits (IDLE, with a poll as a net); whatever IDLE
    tells, the truth is the next SEARCH.  Whoever wants something settled leaves a wish.
  * No watermark: a UID is known by the ledger or it is fetched.  Under another UIDVALIDITY
    nothing is known; the same bytes are the same delivery all the same.
  * IDLE is ended after ``idle_renew`` at the latest, earlier where the server or a box on the
    way ended it earlier: 0.8 times that.  A server that does not answer then is dead.
  * Every failure ends ``watch``; the daemon enters it again.  A login that is about to run
    out is renewed by entering again at once.
  * A message at which the connection broke three times is left for an hour: it must not keep
    the others away.
  * What is too large is not fetched: it is a delivery that is refused.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from ingestd.errors import Misconfigured, Refused, Throttled, TryAgain
from ingestd.model import UNROUTED, Arrival, Delivery, Outcome, Paper
from ingestd.settings import Mailbox
from ingestd.sources.entrance import Tokens, enter, opened
from ingestd.sources.imap import (
    Fact,
    Idled,
    Lost,
    No,
    Refusal,
    Selected,
    Session,
    Vanished,
)
from ingestd.sources.letters import Letters, Pulse
from ingestd.sources.placing import Placing
from ingestd.sources.spool import Spool

Take: TypeAlias = Callable[[Arrival], Awaitable[None]]

PART = 1 << 20
#: UIDs that the ledger is asked about, and the server's facts of which are read, at a time.
#: Of so many the oldest is taken first: a feed of changes takes none that is older than the last.
_AT_ONCE = 1000
#: Seconds: an IDLE is not made shorter than this, whatever was learnt.
_SHORTEST_IDLE = 60.0
#: Seconds between looks where the server has no IDLE.
_WITHOUT_IDLE = 60.0
#: Connections that may break at one message in a row, and seconds for which it is left then.
_MOST_BREAKS, _LEFT_FOR = 3, 3600.0
#: Parts of a message that may be shorter than was asked for, before its end.
_MOST_CRUMBS = 8
#: IDLEs in a row that end at once for nothing before we take a rest, and its longest, in seconds.
_MOST_RESTLESS, _LONGEST_REST = 5, 30.0
#: Of the time after which an IDLE was ended from outside.
_LEARNT = 0.8

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Wish:
    delivery: Delivery
    outcome: Outcome
    granted: asyncio.Future[None]


class MailboxSource:
    """A watched mailbox, as a ``Source``."""

    def __init__(
        self,
        config: Mailbox,
        spool: Spool,
        letters: Letters,
        message_size: int,
        tokens: Tokens | None = None,
    ) -> None:
        """Take the settings, where bytes go, the ledger, the cap, and where tokens come from."""
        self.config = config
        self.spool = spool
        self.letters = letters
        self.message_size = message_size
        self.tokens = tokens
        self.renew = config.idle_renew
        self.last_success = 0.0
        #: How often the connection broke at a message: (UIDVALIDITY, UID).
        self.breaks: Counter[tuple[int, int]] = Counter()
        #: What the server would not give, and when it is asked again.
        self.later: dict[tuple[int, int], float] = {}
        self._last_activity = 0.0
        self._visit: _Visit | None = None
        self._entered = False

    @property
    def name(self) -> str:
        """The configured name."""
        return self.config.name

    def pulse(self) -> Pulse:
        """Give the signs of life of this moment."""
        if self._visit is not None:
            self._hear(self._visit.session)
        return Pulse(self._visit is not None, self._last_activity, self.last_success)

    def _hear(self, session: Session) -> None:
        self._last_activity = time.time() - (time.monotonic() - session.heard)

    async def watch(self, take: Take, ready: Callable[[], None] = lambda: None) -> None:
        """Call ``take`` for each message, spooled; settle what is asked for meanwhile.

        Raises:
            Denied, Throttled, TryAgain: the connection ended, or could not be had.
            Misconfigured: at the first entry: the mailbox can not be reached as it is configured.
        """
        while True:
            session = await self._enter()
            visit = _Visit(self, session, take)
            try:
                await visit.begin()
                self._visit = visit
                ready()
                await visit.run()
            finally:
                self._visit = None
                self._hear(session)
                visit.end()
                await session.close()

    async def _enter(self) -> Session:
        try:
            session = await enter(self.config, self.tokens)
        except Misconfigured as error:
            if not self._entered:
                raise
            raise TryAgain(str(error)) from error  # it was well when we began
        self._entered = True
        return session

    async def settle(self, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]) -> None:
        """Put the mail where its outcome says.  Idempotent.  There is no place for papers.

        Raises:
            TryAgain: the mailbox is not connected, or the connection ended.
        """
        del papers
        if self._visit is None:
            raise TryAgain(f"the mailbox {self.name!r} is not connected; it is tried again")
        await self._visit.wish(delivery, outcome)

    def learn(self, seconds: float) -> None:
        """Make IDLE shorter than what somebody on the way puts up with."""
        shorter = max(_SHORTEST_IDLE, _LEARNT * seconds)
        if shorter < self.renew:
            self.renew = shorter
            _log.info("idle.shortened", source=self.name, seconds=round(shorter))


@dataclass(slots=True)
class _Visit:
    """One connection to the mailbox, from the opening of its folder to the end."""

    source: MailboxSource
    session: Session
    take: Take
    selected: Selected = field(init=False)
    placing: Placing = field(init=False)
    seen: set[int] = field(default_factory=set)
    wishes: deque[_Wish] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    looked: float = 0.0
    restless: int = 0

    async def begin(self) -> None:
        """Open the folder, and see that mail can be put away."""
        config, self.selected = await opened(self.session, self.source.config)
        self.placing = Placing(config, self.session, self.selected)
        await self.placing.prepare()
        _log.info(
            "mailbox.watching",
            source=config.name,
            folder=config.folder,
            messages=self.selected.exists,
            by="idle" if "IDLE" in self.session.capabilities else "poll",
            move="MOVE" in self.session.capabilities,
        )

    async def run(self) -> None:
        """Look, take, settle, wait: until the connection fails or the login runs out."""
        look = True
        while not self._login_ends():
            self.wake.clear()
            if look:
                await self._look()
            await self._grant()
            look = not self.wishes and await self._wait()

    def _login_ends(self) -> bool:
        tokens = self.source.tokens
        return tokens is not None and tokens.expires_in() <= 0

    def end(self) -> None:
        """Tell those who still wait that nothing will come of it."""
        for wish in self.wishes:
            if not wish.granted.done():
                wish.granted.set_exception(TryAgain("the connection to the mailbox ended"))

    # -- taking --------------------------------------------------------------------------

    async def _look(self) -> None:
        """Take what is new; what a server will not give now is asked for at the next look."""
        self.looked = time.monotonic()
        there = set(await self.session.search("UNDELETED"))
        self.seen &= there
        fresh = sorted(there - self.seen - self._left())
        for start in range(0, len(fresh), _AT_ONCE):
            few = fresh[start : start + _AT_ONCE]
            known = await self._known(few)
            self.seen |= known
            facts = await self._facts([uid for uid in few if uid not in known])
            for fact in sorted(facts, key=_age):
                await self._take(fact)
                await self._grant()
        self.source.last_success = time.time()

    async def _known(self, uids: Sequence[int]) -> set[int]:
        """Give what need not be fetched: it is done, or its bytes are here."""
        config, validity = self.source.config, self.selected.uidvalidity
        known = await self.source.letters.known_mail(config.name, validity, uids)
        path = self.source.spool.path
        return {uid for uid, needed in known.items() if needed is None or path(needed).exists()}

    async def _facts(self, uids: Sequence[int]) -> Sequence[Fact]:
        return await self.session.facts(uids) if uids else ()

    async def _take(self, fact: Fact) -> None:
        place = (self.selected.uidvalidity, fact.uid)
        if self.source.breaks[place] >= _MOST_BREAKS:
            del self.source.breaks[place]  # when the hour is over it gets its chances again
            self._leave(fact, "the connection broke at it again and again", _LEFT_FOR)
            return
        try:
            arrival = await self._arrival(fact, place)
        except Vanished:
            return
        except (Lost, Throttled):
            self.source.breaks[place] += 1
            raise
        except Refusal as error:
            self._leave(fact, str(error), self.source.config.poll_every)
            return
        del self.source.breaks[place]
        await self.take(arrival)
        self.seen.add(fact.uid)
        self.restless = 0

    def _left(self) -> set[int]:
        """Give the UIDs whose time has not come yet."""
        later = {place: when for place, when in self.source.later.items() if when > self.looked}
        self.source.later = later
        return {uid for validity, uid in later if validity == self.selected.uidvalidity}

    def _leave(self, fact: Fact, problem: str, seconds: float) -> None:
        self.source.later[self.selected.uidvalidity, fact.uid] = self.looked + seconds
        _log.warning("mail.left", source=self.source.name, uid=fact.uid, problem=problem)

    async def _arrival(self, fact: Fact, place: tuple[int, int]) -> Arrival:
        try:
            refusal, spooled = None, await self.source.spool.receive(self._parts(fact))
        except Refused as error:
            refusal, spooled = error, await self.source.spool.put(os.devnull)
        return Arrival(
            source=self.source.name,
            kind="mail",
            key=spooled.sha256 if refusal is None else f"{place[0]}/{place[1]}",
            name=f"message-{fact.uid}.eml",
            sha256=spooled.sha256,
            size=spooled.size if refusal is None else fact.size,
            first_seen=fact.received or await self.source.letters.now(),
            lane=UNROUTED,
            refused=None if refusal is None else refusal.reason,
            message="" if refusal is None else refusal.message,
            place=place,
        )

    async def _parts(self, fact: Fact) -> AsyncIterator[bytes]:
        """Fetch a message piece by piece.

        A server's size may be an estimate: what counts is what comes, up to the cap.  But what
        ends too soon may be the beginning of a mail that somebody deletes just now.
        """
        most, offset, crumbs = self.source.message_size, 0, 0
        if fact.size > most:
            raise _too_large(fact.size, most)
        while part := await self.session.part(fact.uid, offset, PART):
            offset += len(part)
            if offset > most:
                raise _too_large(offset, most)
            yield part
            if len(part) < PART and offset >= fact.size:
                return
            crumbs += len(part) < PART
            if crumbs > _MOST_CRUMBS:
                raise No(f"the server gives message {fact.uid} in crumbs, {offset} bytes so far")
        if offset < fact.size and not await self._facts((fact.uid,)):
            raise Vanished(f"message {fact.uid} was deleted while it was being fetched")

    # -- settling ------------------------------------------------------------------------

    async def wish(self, delivery: Delivery, outcome: Outcome) -> None:
        """Have a mail settled by the task that owns the connection."""
        granted = asyncio.get_running_loop().create_future()
        self.wishes.append(_Wish(delivery, outcome, granted))
        self.wake.set()
        await granted

    async def _grant(self) -> None:
        while self.wishes:
            wish = self.wishes[0]
            if not wish.granted.cancelled():
                await self._grant_one(wish)
            self.wishes.popleft()

    async def _grant_one(self, wish: _Wish) -> None:
        source, validity = self.source, self.selected.uidvalidity
        uids = await source.letters.places(source.name, validity, wish.delivery.id)
        try:
            await self.placing.place(wish.delivery, uids, wish.outcome)
        except Refusal as error:  # the server will not, and the connection is well
            if not wish.granted.done():
                wish.granted.set_exception(TryAgain(str(error)))
            return
        if not wish.granted.done():
            wish.granted.set_result(None)

    # -- waiting -------------------------------------------------------------------------

    async def _wait(self) -> bool:
        """Wait; say whether to look: something came, or it is time."""
        try:
            idled = await self.session.idle(self.wake, self._patience())
        except Lost as lost:
            self._learn(lost.idled or 0.0)
            raise
        if idled.ended_by_server:
            self._learn(idled.seconds)
        await self._rest(idled)
        # Who is only woken to settle does not search a folder of thousands each time.
        return idled.pushed or not self.wishes or self._patience() <= 0

    async def _rest(self, idled: Idled) -> None:
        """Do not run round and round with a server that ends every IDLE at once for nothing."""
        self.restless = self.restless + 1 if idled.seconds < 1 and not self.wake.is_set() else 0
        if self.restless > _MOST_RESTLESS:
            rest = min(_LONGEST_REST, 0.5 * (self.restless - _MOST_RESTLESS))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self.wake.wait()

    def _learn(self, seconds: float) -> None:
        if seconds >= _SHORTEST_IDLE:
            self.source.learn(seconds)

    def _patience(self) -> float:
        """Give the seconds until the next look, or the next login."""
        config, tokens = self.source.config, self.source.tokens
        poll = config.poll_every
        if "IDLE" not in self.session.capabilities:
            poll = min(poll, _WITHOUT_IDLE)
        login = float("inf") if tokens is None else tokens.expires_in()
        due = self.looked + poll - time.monotonic()
        return max(0.0, min(self.source.renew, due, login))


def _age(fact: Fact) -> tuple[datetime, int]:
    """Sort by the date of receipt: who moves an old mail into the folder gives it a new UID."""
    return fact.received or datetime.max.replace(tzinfo=UTC), fact.uid


def _too_large(size: int, most: int) -> Refused:
    message = (
        f"the message has {size} bytes or more; limits.message_size (or file_size) allows {most}: "
        "send the inventory alone, or packed, or raise the limit"
    )
    return Refused("too_large", message)
