"""WAIT  How long to wait before trying again, and the trying: of sources and of the store.

Rules:
  * What may pass is tried soon, then later and later, with jitter, so that a hundred clients
    do not come back in one moment.
  * A refused login is tried after 1, 5, 15 and then every 60 minutes: providers lock an
    account that is asked more often.
  * A server that asks to be left alone is left alone as long as it said, and longer each time.
"""

import random
from collections.abc import Awaitable, Callable
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
    if isinstance(error, Denied):
        after = AFTER_DENIAL[min(failures, len(AFTER_DENIAL)) - 1]
        return after * (1 + chance() / 10)
    longest: float = min(LONGEST_PAUSE, 1 << min(failures, 10))
    return longest * (0.2 + 0.8 * chance())


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
