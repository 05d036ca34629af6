"""DOOR  Files that are whole or absent, also after a power cut.

Rules:
  * Write under a temporary name, fsync, rename, fsync the directory: a rename without the
    last step is lost when the power fails (ext4, measured).
  * After a failed write or fsync the descriptor is given up and the file removed: the kernel
    reports such an error once, a second fsync would falsely succeed.
  * A temporary file is locked (flock) by its writer, so that a sweep removes only those
    whose writer is dead.
  * Blocking work runs in threads; whoever waits for it is cancelled only after the thread
    has ended, so that no thread works on descriptors that were closed under it.
"""

import asyncio
import errno
import fcntl
import os
import pwd
import re
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from ingestd.errors import TryAgain

P = ParamSpec("P")
T = TypeVar("T")

#: Our own temporary files: never taken, never handed on.
TEMPORARY = b".ingestd-"
_OURS = re.compile(re.escape(TEMPORARY) + rb"(trial-)?[0-9a-f]{16}")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking ``work`` in a thread; a cancellation waits for its end."""
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # seen: what the thread met no longer matters to anybody
        raise


@contextmanager
def directory(path: str | bytes, *, under: int | None = None) -> Iterator[int]:
    """Hold a directory open; below ``under`` a symlink is refused."""
    flags = _DIRECTORY if under is None else _DIRECTORY | os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=under)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def me() -> str:
    """Give the name of the user that this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


@contextmanager
def try_again(doing: str, path: str) -> Iterator[None]:
    """Turn the system's refusal into ``TryAgain`` that says what failed, where and what to do.

    Raises:
        TryAgain: in place of any ``OSError``.
    """
    try:
        yield
    except OSError as error:
        message = f"cannot {doing} {path}: {os.strerror(error.errno or 0)}"
        raise TryAgain(message + _advice(error.errno or 0, path)) from error


def _advice(number: int, path: str) -> str:
    where = shlex.quote(path)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"; free some space or inodes there (df -h {where}; df -i {where})"
    if number == errno.EROFS:
        return f"; make it writable again (mount -o remount,rw; findmnt -T {where})"
    if number in (errno.EACCES, errno.EPERM):
        return f"; give it to the daemon (chown {me()} {where})"
    advice = {
        errno.EFBIG: "; the process may not write files of that size (ulimit -f)",
        errno.EIO: "; the disk reports an error (dmesg shows which)",
        errno.EMFILE: "; too many open files (raise LimitNOFILE)",
        errno.ENFILE: "; too many open files in the system (sysctl fs.file-max)",
        errno.ENOENT: f"; it is gone (mkdir -p {where})",
    }
    return advice.get(number, "")


def exists(parent: int, name: bytes) -> bool:
    """Say whether the directory has an entry of that name."""
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def hand_over(made: int | str, place: os.stat_result) -> None:
    """Give what root makes in somebody's directory to that somebody, who has to work with it."""
    if os.geteuid() == 0 and place.st_uid != 0:
        os.chown(made, place.st_uid, place.st_gid)


def make_directory(path: Path, mode: int) -> None:
    """Make a directory where there is none, for the owner of the one it lies in."""
    with suppress(FileExistsError):
        path.mkdir(mode)
        hand_over(str(path), path.parent.stat())


class Draft:
    """A file under a temporary name; leaving the context unpublished removes it."""

    def __init__(self, parent: int, mode: int = 0o640) -> None:
        """Create it in the directory ``parent``, which must stay open."""
        self._parent = parent
        self._name, self._descriptor = _create(parent, mode)
        hand_over(self._descriptor, os.fstat(parent))
        self._published = False

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``."""
        write_all(self._descriptor, data)

    def publish(self, parent: int, name: bytes) -> None:
        """Make it durable as ``name`` in ``parent``, in place of what is there."""
        os.fsync(self._descriptor)
        os.rename(self._name, name, src_dir_fd=self._parent, dst_dir_fd=parent)
        self._published = True
        os.fsync(parent)

    def close(self) -> None:
        """Give the descriptor back; remove the file if it was not published."""
        if not self._published:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._parent)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _create(parent: int, mode: int) -> tuple[bytes, int]:
    """Create and lock a temporary file; a sweep may get in between, then try another."""
    while True:
        name = TEMPORARY + secrets.token_hex(8).encode()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(name, flags, mode, dir_fd=parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)


def sweep(parent: int) -> int:
    """Remove the temporary files whose writer is dead; give how many there were."""
    names = [os.fsencode(entry) for entry in os.listdir(parent)]
    return sum(_sweep_one(parent, name) for name in names if _OURS.fullmatch(name))


def _sweep_one(parent: int, name: bytes) -> bool:
    try:
        descriptor = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
        )
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=parent)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
