"""DOOR  A watched folder: drop a file below incoming/, find it in imported/ or rejected/.

Rules:
  * Truth is the scan, at the start and every ``rescan_every``.  What watchfiles tells is only
    a hint to scan now (inotify overflows, and is blind to other machines' writes); it
    listens before the first scan, so that nothing falls between.
  * Network file systems (nfs, cifs, sshfs, ...) are polled every ``poll_every``, and a writer
    there is known only by his file's being unchanged for ``stable_for``.
  * A fault of the folders is a matter of the configuration when they are entered for the
    first time; later it is the world's, and may pass.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable, Sequence

import structlog
from watchfiles import awatch

from ingestd.config import Folder
from ingestd.errors import Misconfigured, TryAgain
from ingestd.model import Delivery, Outcome, Paper
from ingestd.sources import mounts
from ingestd.sources.claims import Handing
from ingestd.sources.durable import in_thread, try_again
from ingestd.sources.filing import file_away
from ingestd.sources.ground import INCOMING, Ground, prepare
from ingestd.sources.rounds import SLOW_TICK, Clock, Rounds, Take
from ingestd.sources.spool import Spool

_log = structlog.get_logger(__name__)


class FolderSource:
    """A watched folder, as a ``Source``."""

    def __init__(
        self, config: Folder, spool: Spool, clock: Clock, feeds: Sequence[str] = ()
    ) -> None:
        """Take the settings, where bytes go, the database's time, the feeds that get a folder."""
        self._config = config
        self._spool = spool
        self._clock = clock
        self._feeds = tuple(feeds)
        self._entered = False

    @property
    def name(self) -> str:
        """The configured name."""
        return self._config.name

    async def watch(self, take: Take, ready: Callable[[], None] = lambda: None) -> None:
        """Call ``take`` for each file, spooled; leftovers of an earlier run come first.

        Raises:
            Misconfigured: at the first entry: the folders are not as they must be.
            TryAgain: a folder vanished, was replaced or is closed to us; the disk is full.
        """
        with await self._enter() as ground:
            magic = await in_thread(_magic_of, ground.path(INCOMING))
            exact, wanted = not mounts.is_remote(magic), self._config.watch
            notify = wanted == "notify" or (wanted == "auto" and exact)
            _log.info(
                "folder.watching",
                source=self.name,
                path=ground.root,
                file_system=mounts.name(magic),
                by="notify" if notify else "poll",
                lease_test=exact,
            )
            for path in await in_thread(ground.open_to_all):
                _log.warning("folder.open_to_all", source=self.name, path=path)
            handing = Handing(self.name, self._spool, exact)
            rounds = Rounds(self._config, ground, handing, self._clock, take)
            ready()
            await (_listened(rounds) if notify else rounds.run())

    async def _enter(self) -> Ground:
        try:
            with try_again("check the watched folder", self._config.path):
                ground = await in_thread(prepare, self._config, self._feeds)
        except Misconfigured as error:
            if not self._entered:
                raise
            raise TryAgain(str(error)) from error  # it was well when we began
        self._entered = True
        return ground

    async def settle(self, delivery: Delivery, outcome: Outcome, papers: Sequence[Paper]) -> None:
        """Leave the papers in imported/, held/ or rejected/ and move the file there.  Idempotent.

        Raises:
            TryAgain: a folder is missing, full or closed to us.
        """
        filed = await file_away(self._config.path, delivery, outcome, papers)
        if not filed.found:
            _log.warning("file.gone", source=self.name, path=filed.path, delivery=delivery.id)


def _magic_of(path: str) -> int | None:
    """Give the number by which statfs(2) names a file system; None where it can not be told.

    Only Linux has ``f_type`` as the first word of the answer; Python offers no way to it.
    """
    if sys.platform != "linux":
        return None
    answer = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes at most
    if ctypes.CDLL(None).statfs(os.fsencode(path), answer) != 0:
        return None
    word = int.from_bytes(answer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)
    return word & 0xFFFFFFFF


async def _listened(rounds: Rounds) -> None:
    """Make the rounds with somebody listening for hints."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_listen(rounds))
            await asyncio.sleep(0)  # the first step of it starts the watch
            await rounds.run()
    except BaseExceptionGroup as several:
        first = several.exceptions[0]
        raise first from first.__cause__


async def _listen(rounds: Rounds) -> None:
    """Turn whatever watchfiles tells into the hint; start again when it breaks.

    It breaks on names that are not UTF-8 and where the system has no more watches.
    """
    path, told = rounds.ground.path(INCOMING), False
    while True:
        rounds.listening = True
        rounds.hint.set()  # the scan that follows finds what went by unheard
        try:
            async for _ in awatch(
                path,
                watch_filter=None,
                debounce=200,
                force_polling=False,
                ignore_permission_denied=True,
            ):
                rounds.hint.set()
        except (OSError, RuntimeError, ExceptionGroup) as error:  # anyio makes groups
            if not told:
                _log.warning("folder.watch_failed", source=rounds.config.name, why=str(error))
            told = True
        rounds.listening = False
        rounds.hint.set()
        await asyncio.sleep(min(SLOW_TICK, rounds.config.poll_every))
