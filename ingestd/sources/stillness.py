"""PURE  When a file that somebody put here may be taken for whole.

Rules:
  * A file is still while its size, modification time and inode stay as they are.  How long
    it has been still is measured by a monotonic clock from our own looks, never by the
    file's own time: that may lie in the future, or jump.
  * Where the kernel can say that nobody has the file open for writing (a write lease on a
    local file system), half a second of stillness is enough.  Elsewhere ``stable_for``.
  * An empty file waits ``stable_for`` too: some uploaders make the name first.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

#: Stillness asked of a file of which the kernel says that nobody writes it.
QUIET = 0.5


class Signature(NamedTuple):
    """What changes when a file is written or replaced."""

    size: int
    mtime_ns: int
    inode: int


class Writer(Enum):
    """Whether somebody has a file open for writing."""

    NOBODY = auto()
    SOMEBODY = auto()
    UNKNOWN = auto()


@dataclass(slots=True)
class Tracker(Generic[Key]):
    """Since when each file has been as it is."""

    stable_for: float
    _since: dict[Key, tuple[Signature, float]] = field(default_factory=dict)

    def look(self, seen: Mapping[Key, Signature], now: float) -> None:
        """Take in what was seen at ``now``: changed files start again, vanished are forgotten."""
        before = self._since
        self._since = {
            key: before[key] if key in before and before[key][0] == signature else (signature, now)
            for key, signature in seen.items()
        }

    def carry(self, old: Key, new: Key) -> None:
        """Go on with a file under another key: it was renamed, which changes nothing."""
        self._since[new] = self._since.pop(old)

    def forget(self, key: Key) -> None:
        """Drop a file that is done with."""
        self._since.pop(key, None)

    def worth_asking(self, key: Key, now: float, *, exact: bool) -> bool:
        """Say whether it has been still long enough to look for a writer."""
        return now - self._since[key][1] >= self._patience(key, exact=exact)

    def ripe(self, key: Key, now: float, signature: Signature, writer: Writer) -> bool:
        """Say whether the file may be taken, given how it is now and who writes it."""
        if writer is Writer.SOMEBODY or signature != self._since[key][0]:
            return False
        return self.worth_asking(key, now, exact=writer is Writer.NOBODY)

    def youngest(self, now: float) -> float | None:
        """Give the shortest stillness among the files that wait; None while none does."""
        return min((now - since for _, since in self._since.values()), default=None)

    def _patience(self, key: Key, *, exact: bool) -> float:
        empty = self._since[key][0].size == 0
        return min(QUIET, self.stable_for) if exact and not empty else self.stable_for
