"""WIRE  What the outside wants of a running daemon: stop, or a new configuration.

SIGTERM and SIGINT stop it; a second SIGINT ends the process at once, for whoever sits before
it has waited long enough: the kernel ends the children, the next start does the rest.
"""

import asyncio
import os
import signal
from collections.abc import Callable

INTERRUPTED = 130
#: Seconds that loads under way get to finish: a person waits, systemd does not mind.
GRACE = {signal.SIGINT: 3.0, signal.SIGTERM: 20.0, signal.SIGHUP: 20.0}


class Signals:
    """The signals of one process, as events of its loop."""

    def __init__(self, on_end: Callable[[signal.Signals], None]) -> None:
        """Take over the signals in the running loop; ``on_end`` is told when work shall end."""
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()
        self.ended_by = signal.SIGTERM
        self._on_end = on_end
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end, number)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)

    def end(self, number: signal.Signals) -> None:
        """Ask the work to end."""
        if number is signal.SIGINT and self.stop.is_set() and self.ended_by is signal.SIGINT:
            os._exit(INTERRUPTED)
        self.ended_by = number
        self.stop.set()
        self._on_end(number)

    @property
    def grace(self) -> float:
        """Seconds that what is under way gets to finish."""
        return GRACE[self.ended_by]
