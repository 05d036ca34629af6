"""DOOR  Raw bytes on disk, durable before anything else is done with them.

Rules:
  * ``<state_dir>/spool/<aa>/<sha256>``: content is its own name, the same content twice is
    one file.  A file under such a name is whole and durable; a temporary one never is.
  * Copied in blocks and hashed on the way: no file is ever in memory as a whole.
  * A put renews the file's time and an expiry looks at it, both under one lock (between
    processes too), so that bytes just put are not removed under the one who put them.
"""

import errno
import fcntl
import hashlib
import os
import re
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ingestd.errors import Fault, Misconfigured, Refused, TryAgain
from ingestd.sources.durable import (
    Draft,
    directory,
    hand_over,
    in_thread,
    make_directory,
    me,
    sweep,
    try_again,
)

_BLOCK, _SMALL = 1 << 20, 1 << 16
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


#: What ails the disk and not the configuration.
_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Spooled(NamedTuple):
    """What was put: its name in the spool and its size."""

    sha256: str
    size: int


class Unreadable(TryAgain):
    """The bytes to be put could not be read; the spool itself is well."""


def place(state_dir: str | os.PathLike[str], sha256: str) -> Path:
    """Give the place of some content in the spool of a state directory, which need not exist."""
    return _shelved(Path(state_dir).absolute() / "spool", sha256)


def _shelved(root: Path, sha256: str) -> Path:
    if _SHA256.match(sha256) is None:
        msg = f"{sha256!r} is no SHA-256 in lower-case hexadecimal"
        raise ValueError(msg)
    return root / sha256[:2] / sha256


class Spool:
    """The raw bytes of deliveries, by their SHA-256."""

    def __init__(self, state_dir: str | os.PathLike[str], file_size: int) -> None:
        """Make the folders and remove what a dead process left half written.

        Raises:
            Misconfigured: the spool can not be written.
            TryAgain: the disk is full or failing.
        """
        self._root = Path(state_dir).absolute() / "spool"
        self._file_size = file_size
        try:
            self._prepare()
        except OSError as error:
            if error.errno in _MAY_PASS:
                message = f"the spool {self._root} cannot be written: {error.strerror}; free some"
                raise TryAgain(message) from error
            raise Misconfigured(_unusable(self._root, error)) from error

    def _prepare(self) -> None:
        self._root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_directory(self._root, 0o700)
        for first in range(256):
            make_directory(self._root / f"{first:02x}", 0o700)
        with directory(str(self._root)) as root:
            sweep(root)
            with Draft(root) as draft:
                draft.write(b"can it be written?")
            os.fsync(root)

    def path(self, sha256: str) -> Path:
        """Give the place of some content, whether it is there or not."""
        return _shelved(self._root, sha256)

    async def put(self, source: int | str | os.PathLike[str]) -> Spooled:
        """Copy a file (path, or descriptor from where it stands) and make it durable.

        Raises:
            Refused: ``too_large``, found before all of it was copied.
            TryAgain: the disk is full or failing; nothing of it is left.
            Unreadable: it is the source that can not be read.
        """
        return await in_thread(self.put_now, source)

    def put_now(self, source: int | str | os.PathLike[str]) -> Spooled:
        """Do what ``put`` does, blocking: for callers that are in a thread already."""
        if isinstance(source, int):
            return self._put(source, "the file")
        try:
            descriptor = os.open(source, _READ)
        except OSError as error:
            msg = f"cannot read {os.fspath(source)}: {error.strerror}"
            raise Unreadable(msg) from error
        try:
            return self._put(descriptor, os.fspath(source))
        finally:
            os.close(descriptor)

    async def receive(self, parts: AsyncIterator[bytes]) -> Spooled:
        """Write what comes in parts and make it durable; none of it is left if they fail.

        Raises:
            TryAgain: the disk is full or failing.  What ``parts`` raises goes through.
        """
        with ExitStack() as held:
            draft = await in_thread(self._begin, held)
            digest, size = hashlib.sha256(), 0
            async for part in parts:
                size += len(part)
                digest.update(part)
                await in_thread(self._append, draft, part)
            return await in_thread(self._shelve, draft, digest.hexdigest(), size)

    def _begin(self, held: ExitStack) -> Draft:
        with try_again("write to the spool", str(self._root)):
            root = held.enter_context(directory(str(self._root)))
            return held.enter_context(Draft(root))

    def _append(self, draft: Draft, part: bytes) -> None:
        with try_again("write to the spool", str(self._root)):
            draft.write(part)

    def _shelve(self, draft: Draft, sha256: str, size: int) -> Spooled:
        shelf = str(self.path(sha256).parent)
        with (
            try_again("write to the spool", str(self._root)),
            self._lock(fcntl.LOCK_SH),
            directory(shelf) as parent,
        ):
            draft.publish(parent, sha256.encode())
        return Spooled(sha256, size)

    def _put(self, descriptor: int, what: str) -> Spooled:
        with (
            try_again("write to the spool", str(self._root)),
            directory(str(self._root)) as root,
            Draft(root) as draft,
        ):
            digest, size = hashlib.sha256(), 0
            for block in self._blocks(descriptor, what):
                size += len(block)
                digest.update(block)
                draft.write(block)
            return self._shelve(draft, digest.hexdigest(), size)

    def _blocks(self, descriptor: int, what: str) -> Iterator[memoryview]:
        """Yield the content in one buffer that is used again and again."""
        known = os.fstat(descriptor).st_size
        if known > self._file_size:
            raise self._too_large(what, known)
        buffer, size = memoryview(bytearray(min(_BLOCK, max(known + 1, _SMALL)))), 0
        while count := _read(descriptor, buffer, what):
            size += count
            if size > self._file_size:
                raise self._too_large(what, size)
            yield buffer[:count]

    def _too_large(self, what: str, size: int) -> Refused:
        return Refused(
            "too_large",
            f"{what} has {size} bytes or more; limits.file_size allows {self._file_size}:"
            " send less, or raise the limit",
        )

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        descriptor = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            hand_over(descriptor, self._root.stat())
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    async def size(self) -> int:
        """Give the bytes that the spool holds."""
        return await in_thread(self._size)

    def _size(self) -> int:
        total = 0
        for file in self._root.glob("??/*"):
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    async def expire(self, keep_for: float, in_use: Callable[[str], bool]) -> int:
        """Remove what was put more than ``keep_for`` seconds ago and is not ``in_use``.

        ``in_use`` is asked with the SHA-256.  Gives how many files were removed.
        """
        return await in_thread(self._expire, keep_for, in_use)

    def _expire(self, keep_for: float, in_use: Callable[[str], bool]) -> int:
        with try_again("clear out the spool", str(self._root)):
            files = [file for file in self._root.glob("??/*") if _SHA256.match(file.name)]
            limit = time.time() - keep_for
            return sum(self._expire_one(file, limit) for file in files if not in_use(file.name))

    def _expire_one(self, file: Path, limit: float) -> bool:
        with self._lock(fcntl.LOCK_EX), suppress(FileNotFoundError):
            if file.stat().st_mtime < limit:
                file.unlink()
                return True
        return False


def _read(descriptor: int, buffer: memoryview, what: str) -> int:
    try:
        return os.readv(descriptor, [buffer])
    except OSError as error:
        msg = f"cannot read {what}: {error.strerror}"
        raise Unreadable(msg) from error


def _unusable(root: Path, error: OSError) -> Fault:
    where = shlex.quote(str(root))
    return Fault(
        "state_dir",
        f"the spool {root} cannot be used: {error.strerror};"
        f" run: mkdir -p {where} && chown -R {me()} {where} && chmod -R u+rwX {where}",
    )
