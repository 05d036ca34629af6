"""DOOR  The service manager: sd_notify(3) and the watchdog.

Rules:
  * Everything is a no-op where nobody listens; a manager that does not take a message in
    costs nothing and never blocks.
  * The variables are taken out of the environment when read: no child (a parser, an embedded
    PostgreSQL) speaks in our name.
  * The watchdog is fed at a third of its time, and only while the work goes on.
  * A status line per second at most: the manager has others to attend to.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Self

from ingestd.report import Settlement

_STATUS_EVERY = 1.0
_LONGEST_STATUS = 256


@dataclass(frozen=True, slots=True)
class Notifier:
    """The way to the service manager: its socket, and seconds between watchdog beats."""

    address: str | None = None
    beat_every: float | None = None

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str], pid: int | None = None) -> Self:
        """Take NOTIFY_SOCKET and WATCHDOG_* out of ``environ``; ``pid`` is ours by default."""
        path = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        owner = environ.pop("WATCHDOG_PID", "")
        for_us = owner in ("", str(os.getpid() if pid is None else pid))
        beat = int(microseconds) / 3e6 if for_us and microseconds.isdigit() else None
        if path.startswith("@"):
            return cls("\0" + path[1:], beat or None)
        return cls(path if path.startswith("/") else None, beat or None)

    def ready(self, status: str = "") -> bool:
        """Say that the daemon works (also: that a reload is over)."""
        return self.send("READY=1", *([f"STATUS={_line(status)}"] if status else []))

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows."""
        return self.send(f"STATUS={_line(text)}")

    def alive(self) -> bool:
        """Feed the watchdog."""
        return self.send("WATCHDOG=1")

    def reloading(self) -> bool:
        """Say that a reload has begun; ``ready`` ends it."""
        return self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> bool:
        """Say that the daemon is on its way out."""
        return self.send("STOPPING=1", *([f"STATUS={_line(status)}"] if status else []))

    def extend(self, seconds: float) -> bool:
        """Ask for that much more time from now to start, reload or stop."""
        return self.send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def send(self, *fields: str) -> bool:
        """Send ``KEY=value`` fields in one datagram; False if nobody took it."""
        if self.address is None:
            return False
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                sender.sendto("\n".join(fields).encode(errors="replace"), self.address)
        except OSError:
            return False
        return True


def _line(text: str) -> str:
    """Give ``text`` as one printable line; a line break would begin another field."""
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_STATUS]


class SystemdTell:
    """Keep the status line and the watchdog.  Keeps ``doors.Tell``."""

    def __init__(self, notifier: Notifier, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no source, nothing waiting, nothing settled."""
        self._notifier = notifier
        self._clock = clock
        self._sources: dict[str, bool] = {}
        self._waiting = 0
        self._last = ""
        self._sent = ("", -_STATUS_EVERY)

    def settled(self, settlement: Settlement) -> None:
        """Observe a delivery that is done."""
        delivery = settlement.delivery
        self._last = (
            f"; last: {settlement.outcome} {delivery.arrival.name} (delivery {delivery.id})"
        )
        self.flush()

    def source(self, name: str, *, up: bool) -> None:
        """Observe a source that began to watch, or failed."""
        self._sources[name] = up
        self.flush()

    def waiting(self, deliveries: int) -> None:
        """Observe how many deliveries wait."""
        self._waiting = deliveries
        self.flush()

    def text(self) -> str:
        """Give the status line, such as ``2 of 2 sources up, 0 waiting``."""
        up = sum(self._sources.values())
        return f"{up} of {len(self._sources)} sources up, {self._waiting} waiting{self._last}"

    async def check(self) -> str | None:
        """Say why the daemon is not ready: it has sources, and none is being watched."""
        if not self._sources or any(self._sources.values()):
            return None
        return f"none is being watched: {', '.join(sorted(self._sources))}; the log says why"

    def flush(self) -> None:
        """Send the status line if it has changed and the last is a second old."""
        text, now = self.text(), self._clock()
        if text != self._sent[0] and now - self._sent[1] >= _STATUS_EVERY:
            self._notifier.status(text)
            self._sent = (text, now)

    async def keep(self, healthy: Callable[[], bool]) -> None:
        """Beat for ever while ``healthy()``; returns at once where nobody listens."""
        if self._notifier.address is None:
            return
        beat_every = self._notifier.beat_every
        while True:
            if beat_every is not None and healthy():
                self._notifier.alive()
            self.flush()
            await asyncio.sleep(_STATUS_EVERY if beat_every is None else min(beat_every, 1.0))
