"""WAIT  How long to wait before trying again, and the trying: of sources and of the store.

Rules:
  * What may pass is tried soon, then later and later, with jitter, so that a hundred clients
    do not come back in one moment.
  * A refused login is tried after 1, 5, 15 and then every 60 minutes: providers lock an
    account that is asked more often.  What is misconfigured waits as long for its mending.
  * A server that asks to be left alone is left alone as long as it said, and longer each time.
"""

import random
import time
import traceback
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from ingestd.errors import Denied, IngestError, Misconfigured, Throttled, TryAgain

#: Seconds between attempts, at most; the first comes within half a second.
LONGEST_WAIT = 30.0
#: Seconds between two enterings of a source, at most.
LONGEST_PAUSE = 60.0
#: Seconds between logins after the first, second, third, ... refusal.
AFTER_DENIAL = (60.0, 300.0, 900.0, 3600.0)
#: Throttled again and again: at most so many times what the server asked for.
MOST_PATIENCE = 8
#: Those that are remembered; who is forgotten is only tried sooner, or more often.
MOST_REMEMBERED = 1000

_LOG = structlog.get_logger("daemon")
_T = TypeVar("_T")


def pause(
    error: BaseException, failures: int, chance: Callable[[], float] = random.random
) -> float:
    """Give the seconds to wait before a source is entered again, after ``failures`` in a row.

    ``chance`` gives a number between 0 and 1.
    """
    if isinstance(error, Throttled):
        asked: float = error.seconds * min(1 << (failures - 1), MOST_PATIENCE)
        return asked * (1 + chance() / 4)
    if isinstance(error, (Denied, Misconfigured)):
        after = AFTER_DENIAL[min(failures, len(AFTER_DENIAL)) - 1]
        return after * (1 + chance() / 10)
    longest: float = min(LONGEST_PAUSE, 1 << min(failures, 10))
    return longest * (0.2 + 0.8 * chance())


class PutOff:
    """Deliveries, by number, that are left alone until their time: kept in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock, in seconds."""
        self._clock = clock
        self._until: dict[int, tuple[int, float]] = {}

    def put(self, number: int, seconds: float) -> None:
        """Leave one alone for ``seconds`` from now."""
        times, _ = self._until.pop(number, (0, 0.0))
        self._until[number] = times + 1, self._clock() + seconds
        if len(self._until) > MOST_REMEMBERED:
            del self._until[next(iter(self._until))]

    def put_longer(self, number: int, first: float) -> None:
        """Leave one alone for ``first`` seconds, and twice as long each time it is put off."""
        self.put(number, min(LONGEST_WAIT, first * (1 << min(self.times(number), 10))))

    def times(self, number: int) -> int:
        """Count how often one was put off since it was last forgotten."""
        return self._until.get(number, (0, 0.0))[0]

    def forget(self, number: int) -> None:
        """Begin anew with one: it went well."""
        self._until.pop(number, None)

    def clear(self) -> None:
        """Begin anew with all of them."""
        self._until.clear()

    def waiting(self) -> tuple[int, ...]:
        """Give those whose time has not come."""
        now = self._clock()
        return tuple(number for number, (_, until) in self._until.items() if until > now)

    def soonest(self, longest: float) -> float:
        """Give the seconds until the next one's time comes, ``longest`` at most."""
        now = self._clock()
        waits = [until - now for _, until in self._until.values() if until > now]
        return min((longest, *waits))


class InARow:
    """How often in a row each met the same thing: kept in memory only."""

    def __init__(self) -> None:
        self._met: dict[Hashable, tuple[Hashable, int]] = {}

    def count(self, who: Hashable, what: Hashable = None) -> int:
        """Count one more meeting, and give how many they are by now."""
        before, times = self._met.pop(who, (what, 0))
        times = times + 1 if before == what else 1
        self._met[who] = what, times
        if len(self._met) > MOST_REMEMBERED:
            del self._met[next(iter(self._met))]
        return times

    def forget(self, who: Hashable) -> None:
        """Begin anew with one."""
        self._met.pop(who, None)


def bug(error: BaseException) -> dict[str, str]:
    """Give class and places of what nobody expected, not the values: they may be a customer's."""
    frames = traceback.extract_tb(error.__traceback__)
    places = (f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return {"error": type(error).__name__, "where": " < ".join(places)}


async def patiently(call: Callable[..., Awaitable[_T]], *args: object) -> _T:
    """Call again and again, later and later, while the world is bad."""
    return await _again(TryAgain, call, *args)


async def insistently(call: Callable[..., Awaitable[_T]], *args: object) -> _T:
    """Call so even where the configuration is at fault: it was well when we began.

    A password that was changed or a right that was taken can be given back, and a daemon
    that ended over it would not be started again.
    """
    return await _again((TryAgain, Misconfigured), call, *args)


async def _again(
    errors: type[IngestError] | tuple[type[IngestError], ...],
    call: Callable[..., Awaitable[_T]],
    *args: object,
) -> _T:
    waits = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(errors), wait=waits, before_sleep=_say, reraise=True
    ):
        with attempt:
            return await call(*args)
    raise AssertionError  # tenacity gives attempts until one returns or raises


def _say(state: RetryCallState) -> None:
    """Log the first failure of a row, not each."""
    if state.attempt_number == 1 and state.outcome is not None:
        _LOG.warning("store.waits", error=str(state.outcome.exception()))
