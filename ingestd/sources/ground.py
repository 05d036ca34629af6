"""DOOR  The five folders of a watched folder: made, checked, held open.

Rules:
  * incoming/ working/ imported/ held/ rejected/ lie on one file system: files move between
    them by rename and in no other way.  That is tried, not only looked at: bind mounts of
    one file system have one st_dev and still refuse the rename.
  * What is done in them is done relative to their open descriptors, with O_NOFOLLOW.
  * A folder above that anybody may write to (without the sticky bit) is refused: anybody
    could put another in our place.  So is such a folder of the four that are ours alone.
    incoming/ and what is below may be open to all, if that is wanted; the log says so.
"""

import errno
import os
import secrets
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ingestd.config import Folder
from ingestd.errors import Fault, Misconfigured, TryAgain
from ingestd.sources.durable import (
    TEMPORARY,
    Draft,
    directory,
    hand_over,
    me,
    sweep,
    try_again,
)

INCOMING, WORKING, IMPORTED, HELD, REJECTED = PLACES = (
    "incoming",
    "working",
    "imported",
    "held",
    "rejected",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """The five folders, open; whoever has it must close it (it is a context manager)."""

    root: str
    descriptors: dict[str, int]

    def __getitem__(self, place: str) -> int:
        """Give the descriptor of a place."""
        return self.descriptors[place]

    def path(self, place: str) -> str:
        """Give the path of a place, for people and for whoever watches it."""
        return str(Path(self.root, place))

    def verify(self) -> None:
        """See that the folders are still those that were opened.

        Raises:
            TryAgain: one has vanished or was replaced (removed, unmounted, mounted over).
        """
        for place, descriptor in self.descriptors.items():
            path = self.path(place)
            with try_again("find the watched folder", path):
                same = os.path.samestat(Path(path).stat(), os.fstat(descriptor))
            if not same:
                msg = f"{path} is no longer the folder that was opened; it is entered anew"
                raise TryAgain(msg)

    def open_to_all(self) -> list[str]:
        """List the folders for dropping that anybody on the machine may write to."""
        with try_again("look at the watched folder", self.root):
            drops = _drops(self.root)
            return [str(path) for path in drops if path.stat().st_mode & stat.S_IWOTH]

    def close(self) -> None:
        """Close the five."""
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        self.descriptors.clear()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def enter(root: str) -> Ground:
    """Open the five folders as they are.

    Raises:
        TryAgain: one is missing or can not be opened.
    """
    ground = Ground(os.path.abspath(root), {})  # noqa: PTH100  Path.absolute() keeps ".."
    try:
        for place in PLACES:
            path = ground.path(place)
            with try_again("open the folder", path):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                ground.descriptors[place] = os.open(path, flags)
    except TryAgain:
        ground.close()
        raise
    return ground


def prepare(config: Folder, feeds: Iterable[str]) -> Ground:
    """Make what is missing, check all, sweep half-written papers, open.

    Raises:
        Misconfigured: with every fault found and the command that mends it.
    """
    root = os.path.abspath(config.path)  # noqa: PTH100  Path.absolute() keeps ".."
    faults = _make(root, feeds) or [*_look(root), *_look_above(root)] or _try_renames(root)
    if faults:
        raise Misconfigured(*(Fault(f"folder[{config.name}].path", text) for text in faults))
    for path in (*_drops(root), *(Path(root, place) for place in PLACES[1:])):
        with directory(str(path)) as descriptor:
            sweep(descriptor)
    return enter(root)


def _make(root: str, feeds: Iterable[str]) -> list[str]:
    places = [Path(root), *(Path(root, place) for place in PLACES)]
    for path in (*places, *(Path(root, INCOMING, feed) for feed in feeds)):
        try:
            if not path.is_dir():
                path.mkdir(mode=0o770, parents=path == places[0], exist_ok=True)
                hand_over(str(path), path.parent.stat())
        except FileExistsError:
            return [f"{path} is not a folder; run: mv {_q(path)} {_q(f'{path}.old')}"]
        except OSError as error:
            if error.errno == errno.EROFS:
                return [_read_only(path)]
            command = f"mkdir -p {_q(path)} && chown {me()} {_q(path)}"
            return [f"{path} cannot be made: {error.strerror}; run: {command}"]
    return []


def _look(root: str) -> Iterator[str]:
    """Check who may do what in each folder, and on which file system it lies."""
    drops = _drops(root)
    home = drops[0].stat().st_dev
    for path in (*drops, *(Path(root, place) for place in PLACES[1:])):
        status = path.stat()
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            yield _forbidden(path, status)
        elif status.st_dev != home:
            yield _elsewhere(path, drops[0])
        elif path not in drops and status.st_mode & stat.S_IWOTH:
            yield f"anybody may write to {path}; run: chmod o-w {_q(path)}"
        elif status.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid):
            yield f"{path} is sticky: others' files cannot be moved; run: chmod -t {_q(path)}"


def _look_above(root: str) -> Iterator[str]:
    real = Path(os.path.realpath(root))
    for path in (real, *real.parents):
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield f"anybody may replace what lies in {path}; run: chmod o-w {_q(path)}"


def _drops(root: str) -> list[Path]:
    """List incoming/ and its sub-folders, the feeds' and others."""
    incoming = Path(root, INCOMING)
    if not os.access(incoming, os.R_OK | os.X_OK, effective_ids=True):
        return [incoming]
    with os.scandir(incoming) as entries:
        folders = sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))
    return [incoming, *folders]


def _forbidden(path: Path, status: os.stat_result) -> str:
    fault = f'{path} cannot be read, written and entered by user "{me()}"'
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return _read_only(path)
    if status.st_uid == os.geteuid():
        return f"{fault}; run: chmod u+rwx {_q(path)}"
    return f"{fault}; run: chown {me()} {_q(path)}"


def _elsewhere(path: Path, home: Path) -> str:
    return (
        f"{path} and {home} lie on different file systems or mounts, and files are moved by"
        " renaming; put them on one file system, without a mount between:"
        f" compare findmnt -T {_q(path)} with findmnt -T {_q(home)}"
    )


def _read_only(path: Path) -> str:
    real = Path(os.path.realpath(path))
    mount = next(place for place in (real, *real.parents) if place.is_mount())
    return f"{path} lies on a read-only file system; run: mount -o remount,rw {_q(mount)}"


def _q(path: Path | str) -> str:
    return shlex.quote(str(path))


def _try_renames(root: str) -> list[str]:
    """Move an empty file along every way that files go; give the first fault."""
    working = Path(root, WORKING)
    ways = [(drop, working) for drop in _drops(root)]
    ways += [(working, Path(root, place)) for place in (IMPORTED, HELD, REJECTED)]
    faults = (_try_rename(source, target) for source, target in ways)
    return [fault for fault in faults if fault][:1]


def _try_rename(source: Path, target: Path) -> str | None:
    name = TEMPORARY + b"trial-" + secrets.token_hex(8).encode()
    try:
        with directory(str(source)) as here, directory(str(target)) as there, Draft(here) as draft:
            draft.publish(there, name)
            os.unlink(name, dir_fd=there)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return _elsewhere(source, target)
        return f"a file cannot be moved from {source} to {target}: {error.strerror}"
    return None
