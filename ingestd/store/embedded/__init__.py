"""DOOR  A private PostgreSQL for trying out and for tests: find the running one, or start it.

Rules:
  * One owner at a time, by a flock on ``<home>/lock``; who only borrows holds ``<home>/users``
    shared, and an owner that lingers stops after the last borrower.  Both are freed by the kernel
    whatever becomes of their holders.
  * A Unix socket only, in a directory that only the server's user (and root) may enter; inside,
    everyone is trusted.
  * On Linux the server dies with the *thread* that started it (PR_SET_PDEATHSIG), even on SIGKILL:
    start it from the main thread.  Elsewhere it stays behind; the next owner ends it first.
  * Everything here blocks: call it before the event loop runs.

``programs`` finds PostgreSQL (and says why in that wheel), ``place`` decides where it lies and as
whom it runs, ``cluster`` makes, starts and ends it.
"""

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ingestd.errors import TryAgain
from ingestd.store.embedded import cluster, place, programs
from ingestd.store.embedded.cluster import DATABASE, SUPERUSER
from ingestd.store.embedded.place import SYSTEM_DIR, Home

__all__ = ["DATABASE", "SUPERUSER", "SYSTEM_DIR", "Options", "Server"]
__all__ += ["binaries", "find", "start", "use"]

_POLL = 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """How to run it.

    ``fast`` gives up durability (tests).  ``wait`` is how long to wait for another owner,
    ``linger`` how long ``stop`` waits for borrowers; both in seconds.  Unless told, who came by
    ``use`` lingers as long as it would wait, who came by ``start`` not at all.
    """

    fast: bool = False
    wait: float = 600.0
    linger: float | None = None
    system_dir: Path = SYSTEM_DIR


class Server:
    """A server that answers.  ``owned`` says whether ``stop`` ends it."""

    def __init__(self, url: str, locks: contextlib.ExitStack, *, owned: bool) -> None:
        """Take the URL of database ``rylie`` as superuser, and what to undo at ``stop``."""
        self.url = url
        self.owned = owned
        self._locks = locks

    def stop(self) -> None:
        """Shut down fast, after ten seconds at once; leave a borrowed server alone."""
        self._locks.close()

    def __enter__(self) -> Self:
        """Give the server itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever happened."""
        self.stop()


def find(state_dir: Path | str, options: Options | None = None) -> str | None:
    """Give the URL of the server of ``state_dir`` if one answers there.  Change nothing."""
    system_dir = (options or Options()).system_dir
    urls = (cluster.answering(home) for home in place.possible(Path(state_dir), system_dir))
    return next((url for url in urls if url is not None), None)


def start(state_dir: Path | str, options: Options | None = None) -> Server:
    """Own the server of ``state_dir``: wait until nobody else does, then start it.

    Raises:
        Misconfigured: no binaries, no user to run as, or a directory that is not ours.
        TryAgain: another owner did not end in time, or the server did not start.
    """
    return _acquire(state_dir, options or Options(), borrow=False)


def use(state_dir: Path | str, options: Options | None = None) -> Server:
    """Borrow the running server of ``state_dir``, or own one for as long as it is needed.

    Raises:
        Misconfigured: as ``start`` does.
        TryAgain: as ``start`` does.
    """
    return _acquire(state_dir, options or Options(), borrow=True)


def binaries(options: Options | None = None) -> Path:
    """Give the directory of the PostgreSQL programs that a new server would be made with.

    Raises:
        Misconfigured: there are none.
    """
    return programs.choose(None, None, (options or Options()).system_dir)


def _acquire(state_dir: Path | str, options: Options, *, borrow: bool) -> Server:
    home = place.enter(Path(state_dir), options.system_dir)
    deadline = time.monotonic() + options.wait
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(place.open_private(home, "lock"))
        while not _try_lock(lock, fcntl.LOCK_EX):
            borrowed = _borrow(home) if borrow else None
            if borrowed is not None:
                return borrowed
            if time.monotonic() > deadline:
                raise _held(home, lock)
            time.sleep(_POLL)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        if options.linger is None:
            options = replace(options, linger=options.wait if borrow else 0.0)
        url = _start(home, options, undo)
        return Server(url, undo.pop_all(), owned=True)


def _start(home: Home, options: Options, undo: contextlib.ExitStack) -> str:
    """Start the server, the lock being held; ``undo`` stops it before the locks are freed."""
    users = undo.enter_context(place.open_private(home, "users"))
    cluster.end_orphan(home)
    bin_dir = programs.choose(home.account, cluster.version(home), options.system_dir)
    if not home.data.exists():
        cluster.make(home, bin_dir, fast=options.fast)
    process = cluster.launch(home, bin_dir, fast=options.fast)
    undo.callback(cluster.stop, process)
    undo.callback(_await_borrowers, users, options.linger or 0.0)
    return cluster.await_ready(home, process)


def _borrow(home: Home) -> Server | None:
    """Take part in a server that another process owns, if it answers and is not about to end."""
    with contextlib.ExitStack() as undo:
        users = undo.enter_context(place.open_private(home, "users"))
        if not _try_lock(users, fcntl.LOCK_SH):
            return None
        url = cluster.answering(home)
        return None if url is None else Server(url, undo.pop_all(), owned=False)


def _await_borrowers(users: IO[str], linger: float) -> None:
    deadline = time.monotonic() + linger
    while not _try_lock(users, fcntl.LOCK_EX) and time.monotonic() < deadline:
        time.sleep(_POLL)


def _try_lock(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(home: Home, lock: IO[str]) -> TryAgain:
    lock.seek(0)
    holder = lock.read().strip() or "unknown"
    return TryAgain(
        f"the embedded PostgreSQL in {home.path} is held by process {holder}: end that process,"
        " or give this one a state_dir of its own"
    )
