"""DOOR  What lies in incoming/, and whether somebody is still writing it.

Rules:
  * Truth is the scan: incoming/ and one level of sub-folders.  Taken are plain files with
    one name.  Left where they are, and told once: symlinks, FIFOs and devices, folders
    within a sub-folder, files we may not read, and hard links (a second name may be that of
    somebody's private file, and lets bytes change under us); the patterns of ``ignore``
    are left without a word.
  * The lease test may make somebody's open(2) for writing wait for some microseconds, and
    the kernel then signals us: SIGURG, which is ignored, not SIGIO, which kills.
"""

import errno
import fcntl
import os
import re
import signal
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import translate

from ingestd.sources import names
from ingestd.sources.durable import TEMPORARY, directory, try_again
from ingestd.sources.ground import INCOMING, Ground
from ingestd.sources.stillness import Signature, Writer

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in incoming/: the sub-folder's raw name, if any, and the file's."""

    sub: bytes | None
    raw: bytes

    def __str__(self) -> str:
        """Give it as people may see it."""
        name = names.clean(self.raw)
        return name if self.sub is None else f"{names.clean_folder(self.sub)}/{name}"


@dataclass(slots=True)
class Seen:
    """What one scan saw: files with their signatures, and what is left with the reason."""

    files: dict[Spot, Signature] = field(default_factory=dict)
    left: dict[Spot, str] = field(default_factory=dict)


def ignoring(patterns: Iterable[str]) -> re.Pattern[str]:
    """Make one expression of the patterns of ``ignore``, blind to case."""
    ours = os.fsdecode(TEMPORARY) + "*"
    return re.compile("|".join(translate(p) for p in (ours, *patterns)), re.IGNORECASE)


def scan(ground: Ground, ignore: re.Pattern[str]) -> Seen:
    """See what lies in incoming/ and its sub-folders.

    Raises:
        TryAgain: a folder can not be read, has vanished or was replaced.
    """
    ground.verify()
    seen = Seen()
    with try_again("read the watched folder", ground.path(INCOMING)):
        for raw in entries(seen, ground[INCOMING], None, ignore):
            with suppress(FileNotFoundError, NotADirectoryError):
                _scan_sub(seen, ground[INCOMING], raw, ignore)
    return seen


def _scan_sub(seen: Seen, parent: int, raw: bytes, ignore: re.Pattern[str]) -> None:
    try:
        with directory(raw, under=parent) as descriptor:
            for name in entries(seen, descriptor, raw, ignore):
                seen.left[Spot(raw, name)] = "a folder within a sub-folder is not looked into"
    except PermissionError:
        seen.left[Spot(None, raw)] = "the folder may not be read (chmod g+rwx it)"


def entries(seen: Seen, parent: int, sub: bytes | None, ignore: re.Pattern[str]) -> Iterator[bytes]:
    """Put the files of one folder into ``seen``; yield the raw names of the folders in it."""
    with os.scandir(parent) as found:
        for entry in found:
            if ignore.match(entry.name):
                continue
            raw = os.fsencode(entry.name)
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode):
                yield raw
            elif reason := unfit(status):
                seen.left[Spot(sub, raw)] = reason
            else:
                seen.files[Spot(sub, raw)] = signature(status)


def unfit(status: os.stat_result) -> str | None:
    """Say why something is not taken; None for a plain file with one name."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symlink; put the file itself here"
    if not stat.S_ISREG(status.st_mode):
        return "it is no plain file (a FIFO, socket or device)"
    if status.st_nlink > 1:
        return f"the file has {status.st_nlink} names (hard links); put a copy here (cp)"
    return None


def signature(status: os.stat_result) -> Signature:
    """Give what changes when the file is written or replaced."""
    return Signature(status.st_size, status.st_mtime_ns, status.st_ino)


def writer(descriptor: int) -> Writer:
    """Say whether anybody has the open file open for writing (a write lease, fcntl(2)).

    UNKNOWN where the file is not ours (and we lack CAP_LEASE) or the file system has none.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return Writer.SOMEBODY if error.errno == errno.EAGAIN else Writer.UNKNOWN
    return Writer.NOBODY


@dataclass(frozen=True, slots=True)
class Look:
    """How an open file is, and who writes it."""

    signature: Signature
    writer: Writer


def look(descriptor: int, *, exact: bool) -> Look:
    """Look at an open file; only where leases are ``exact`` is a writer looked for."""
    found = writer(descriptor) if exact else Writer.UNKNOWN
    return Look(signature(os.fstat(descriptor)), found)


def look_closely(ground: Ground, spot: Spot, *, exact: bool) -> Look | str | None:
    """Open a file of incoming/ and look; a reason if it must be left, None if it is gone.

    Opening also makes a network file system tell the truth about size and time.
    """
    try:
        with folder(ground[INCOMING], spot.sub) as parent, opened(parent, spot.raw) as file:
            return unfit(os.fstat(file)) or look(file, exact=exact)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            with try_again("open a file in", ground.path(INCOMING)):
                raise
        return f"it cannot be read: {os.strerror(error.errno or 0)} (chmod a+r it, or chown it)"


@contextmanager
def folder(place: int, sub: bytes | None) -> Iterator[int]:
    """Hold a place's sub-folder open, or the place itself where there is none."""
    if sub is None:
        yield place
    else:
        with directory(sub, under=place) as descriptor:
            yield descriptor


@contextmanager
def opened(parent: int, name: bytes) -> Iterator[int]:
    """Hold a file open for reading, without following a symlink or waiting for a FIFO."""
    descriptor = os.open(name, _READ, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
