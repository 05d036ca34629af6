"""DOOR  The rounds of a watched folder: scan, claim what is whole, hand over, wait.

Rules:
  * While files wait to become still they are looked at often, at most ten times a second,
    less often the longer they wait, and never for more than a fifth of the time.
  * Order is fixed at the claim: database time, then (mtime, name) within one scan.
  * One bad file (unreadable, still being written) holds up no other.
  * A state is logged when it begins, not at every look.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from ingestd.config import Folder
from ingestd.model import Arrival
from ingestd.sources import claims, scan
from ingestd.sources.durable import in_thread
from ingestd.sources.ground import Ground
from ingestd.sources.names import Claim
from ingestd.sources.scan import Spot
from ingestd.sources.spool import Unreadable
from ingestd.sources.stillness import Signature, Tracker

Clock: TypeAlias = Callable[[], Awaitable[datetime]]
Take: TypeAlias = Callable[[Arrival], Awaitable[None]]

_log = structlog.get_logger(__name__)
#: Seconds between looks at files that wait: at first, and for those that wait long.
TICK, SLOW_TICK = 0.1, 1.0
_MICROSECOND = timedelta(microseconds=1)
#: So many of the files that are left are told one by one; the rest is a number.
_TOLD = 20


@dataclass(slots=True)
class Rounds:
    """One entering of the folder, from the first scan until something breaks."""

    config: Folder
    ground: Ground
    handing: claims.Handing
    clock: Clock
    take: Take
    tracker: Tracker[Spot | Claim] = field(init=False)
    #: Set by whoever hears of a change; ``listening`` says whether anybody does.
    hint: asyncio.Event = field(default_factory=asyncio.Event)
    listening: bool = False
    #: Claimed and not handed over yet, in order; for the unreadable, when to try again.
    waiting: dict[Claim, float] = field(default_factory=dict)
    told: dict[Spot, str] = field(default_factory=dict)
    last_order: datetime | None = None
    cost: float = 0.0

    def __post_init__(self) -> None:
        """Begin to track."""
        self.tracker = Tracker(self.config.stable_for)

    async def run(self) -> None:
        """Hand over the leftovers, then scan, claim and hand over for ever.

        Raises:
            TryAgain: a folder or the disk refuses; so does whatever ``take`` raises.
        """
        left = await in_thread(claims.leftovers, self.ground)
        self.waiting = dict.fromkeys(left.claims, 0.0)
        if left.claims:
            _log.info("folder.leftovers", source=self.config.name, files=len(left.claims))
        self._tell(left.left)
        ignore = scan.ignoring(self.config.ignore)
        while True:
            self.hint.clear()
            began = time.monotonic()
            seen = await in_thread(scan.scan, self.ground, ignore)
            await self._look_again(seen)
            ripe = await in_thread(self._ripe, seen)
            self.cost = time.monotonic() - began
            await self._claim(seen, ripe)
            self._tell_news(seen.left)
            for claim in list(self.waiting):
                await self._hand_over(claim)
            await self._pause()

    async def _look_again(self, seen: scan.Seen) -> None:
        """Bring up to date since when each file has been as it is."""
        claimed = await in_thread(claims.glance, self.ground, self.waiting)
        self.waiting = {claim: when for claim, when in self.waiting.items() if claim in claimed}
        signatures: dict[Spot | Claim, Signature] = dict(seen.files.items())
        signatures.update(claimed.items())
        self.tracker.look(signatures, time.monotonic())

    def _ripe(self, seen: scan.Seen) -> list[Spot]:
        """List the files that may be claimed, in order; in a thread, since it opens them."""
        now, exact, ripe = time.monotonic(), self.handing.exact, []
        for spot in seen.files:
            if not self.tracker.worth_asking(spot, now, exact=exact):
                continue
            look = scan.look_closely(self.ground, spot, exact=exact)
            if isinstance(look, str):
                seen.left[spot] = look
            elif look and self.tracker.ripe(spot, now, look.signature, look.writer):
                ripe.append(spot)
        return sorted(ripe, key=lambda s: (seen.files[s].mtime_ns, s.raw, s.sub or b""))

    async def _claim(self, seen: scan.Seen, ripe: Sequence[Spot]) -> None:
        if not ripe:
            return
        order = await self.clock()
        if self.last_order is not None:
            order = max(order, self.last_order + _MICROSECOND)
        wanted = [(spot, order + i * _MICROSECOND) for i, spot in enumerate(ripe)]
        self.last_order = wanted[-1][1]
        done = await in_thread(claims.claim_all, self.ground, wanted)
        seen.left.update(done.left)
        for spot, claim in done.claims:
            self.tracker.carry(spot, claim)
            self.waiting[claim] = 0.0

    async def _hand_over(self, claim: Claim) -> None:
        now = time.monotonic()
        exact = self.handing.exact
        if now < self.waiting[claim] or not self.tracker.worth_asking(claim, now, exact=exact):
            return

        def still(look: scan.Look) -> bool:
            return self.tracker.ripe(claim, now, look.signature, look.writer)

        try:
            arrival = await in_thread(claims.spooled, self.ground, claim, self.handing, still)
        except Unreadable as error:
            if not self.waiting[claim]:
                _log.warning("file.unreadable", source=self.config.name, problem=str(error))
            self.waiting[claim] = now + self.config.rescan_every
            return
        if arrival is not None:
            await self.take(arrival)
            del self.waiting[claim]
            self.tracker.forget(claim)

    def _tell_news(self, left: dict[Spot, str]) -> None:
        """Log what is newly left where it is; remember only what is still there."""
        self._tell({spot: why for spot, why in left.items() if self.told.get(spot) != why})
        self.told = left

    def _tell(self, left: dict[Spot, str]) -> None:
        for spot, why in list(left.items())[:_TOLD]:
            _log.warning("file.left", source=self.config.name, file=str(spot), reason=why)
        if len(left) > _TOLD:
            _log.warning("file.left", source=self.config.name, more=len(left) - _TOLD)

    async def _pause(self) -> None:
        """Wait for a hint, the next look at files that wait, or the next scan."""
        least = max(TICK / 2, 4 * self.cost)
        await asyncio.sleep(least)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._interval() - least)):
                await self.hint.wait()

    def _interval(self) -> float:
        idle = self.config.rescan_every if self.listening else self.config.poll_every
        youngest = self.tracker.youngest(time.monotonic())
        if youngest is None:
            return idle
        first = TICK if self.handing.exact else max(TICK, self.config.stable_for / 5)
        return min(idle, max(first, min(youngest / 10, SLOW_TICK)))
