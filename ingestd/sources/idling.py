"""DOOR  IDLE (RFC 2177): waiting until the server tells of something.

Rules:
  * DONE is sent only to an IDLE that began and has not ended; it is answered soon, or the
    connection is dead.
  * What was pushed before this IDLE wakes nobody; that mail was announced since the last
    search does.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from ingestd.sources.dial import Deadlines
from ingestd.sources.phrases import Lost, refusal
from ingestd.sources.wire import Terms, Wire


@dataclass(frozen=True, slots=True)
class Idled:
    """How an IDLE ended; search again whatever it says."""

    pushed: bool
    seconds: float
    ended_by_server: bool


async def idle(wire: Wire, deadlines: Deadlines, wake: asyncio.Event, within: float) -> Idled:
    """Wait until the server tells of something, ``wake`` is set, or ``within`` seconds passed.

    Raises:
        Lost: the connection ended; its ``idled`` says after how many seconds.
    """
    began = time.monotonic()
    wire.check()
    wire.stirred.clear()
    wire.pushed = False
    if wire.tally.news or wake.is_set():
        return _idled(wire, began)
    try:
        return await _idle(wire, deadlines, wake, within)
    except Lost as lost:
        raise Lost(str(lost), time.monotonic() - began) from lost


async def doze(wire: Wire, deadlines: Deadlines, wake: asyncio.Event, within: float) -> Idled:
    """Do as ``idle`` where the server has no IDLE: wait, then ask it once."""
    began = time.monotonic()
    wire.check()
    wire.stirred.clear()
    wire.pushed = False
    if not wire.tally.news and not wake.is_set():
        await _stirred(wire, wake, within)
        asked = wire.ask("NOOP")
        wire.submit(asked, Terms(deadlines.metadata))
        await wire.execute(asked)
    return _idled(wire, began)


async def _idle(wire: Wire, deadlines: Deadlines, wake: asyncio.Event, within: float) -> Idled:
    asked = wire.ask("IDLE")
    wire.submit(asked, Terms(deadlines.done))
    if not await wire.wait("IDLE", asked.begun, deadlines.select):
        answer = await wire.execute(asked)
        raise refusal(wire.host, "IDLE", answer.said)
    began = time.monotonic()
    await _stirred(wire, wake, within)
    ended = asked.answer.done()
    idled = _idled(wire, began, ended_by_server=ended)
    if not ended:
        wire.send("DONE")
    await wire.execute(asked)
    return idled


async def _stirred(wire: Wire, wake: asyncio.Event, within: float) -> None:
    """Wait for ``wake``, or for anything from the server, or for the time to pass."""

    async def woken() -> None:
        await wake.wait()
        wire.stirred.set()

    try:
        async with asyncio.TaskGroup() as group:
            waking = group.create_task(woken())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await wire.stirred.wait()
            waking.cancel()
    except asyncio.CancelledError:
        wire.die(Lost(f"the connection to {wire.host} was given up while it idled"))
        raise
    wire.check()


def _idled(wire: Wire, began: float, *, ended_by_server: bool = False) -> Idled:
    pushed = wire.pushed or wire.tally.news
    wire.tally.news = False  # told; who does not search is not told again
    return Idled(pushed, time.monotonic() - began, ended_by_server)
