"""PURE  What short cells were read as: most columns repeat a few values.

    memo = Memo(read, most=4096, longest=100);  memo[cell]

No more than ``most`` cells are remembered, and none longer than ``longest``.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Memo(dict[str, T]):
    """The values that ``read`` gave."""

    def __init__(self, read: Callable[[str], T], most: int, longest: int) -> None:
        """Begin with none."""
        super().__init__()
        self._read, self._most, self._longest = read, most, longest

    def __missing__(self, cell: str) -> T:
        """Read a cell that is not remembered."""
        value = self._read(cell)
        if len(self) < self._most and len(cell) <= self._longest:
            self[cell] = value
        return value
