"""PURE  The sender's own lines that are at fault, as they stand."""

from collections.abc import Iterable, Iterator, Mapping


def pick(
    lines: Iterable[tuple[list[str], bool]], fronts: Mapping[int, str], longest: Mapping[int, int]
) -> Iterator[str]:
    """Give the lines whose numbers (from 1) are in ``fronts``, with that text before them.

    ``longest`` has the number of lines of those records that have more than one.
    """
    number = left = 0
    for batch, _ in lines:
        for raw in batch:
            number += 1
            if number in fronts:
                left = longest.get(number, 1)
            if left:
                left -= 1
                yield fronts.get(number, "") + raw.removesuffix("\r") + "\n"
