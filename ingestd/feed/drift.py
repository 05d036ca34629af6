"""PURE  How the headers of a file differ from those of the feed's previous accepted file.

Headers are compared in normal form (letters and digits, case aside): their order and dress mean
nothing.  A fingerprint says that nothing changed; ``changes`` says what did.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from hashlib import blake2b

from ingestd.folding import fold
from ingestd.model import Drift, Heading

_NEAR = 0.7
_MOST_COMPARED = 100


def fingerprint(headers: Iterable[str]) -> str:
    """Give 16 hexadecimal digits that are the same for the same set of headers."""
    names = sorted(name for name in map(fold, headers) if name)
    return blake2b("\x1f".join(names).encode(), digest_size=8).hexdigest()


def changes(
    before: Sequence[str],
    now: Sequence[str],
    mapped_before: Mapping[str, Sequence[str]],
    mapped_now: Mapping[str, Sequence[str]],
) -> Drift:
    """Compare headers and mapping (``FileReading.headers``, ``.mapping``) of two files."""
    gone = _without(before, now)
    added = _without(now, before)
    renamed = tuple(_renamed(gone, added, before, now))
    old, new = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    return Drift(
        added=tuple(header for header in added if header not in new),
        gone=tuple(header for header in gone if header not in old),
        renamed=renamed,
        lost=tuple(field for field in mapped_before if field not in mapped_now),
        gained=tuple(field for field in mapped_now if field not in mapped_before),
    )


def since(before: Sequence[Heading], now: Heading) -> Drift:
    """Compare a file with the one of the last delivery that it resembles most."""
    if not before:
        return Drift()
    mine = set(map(fold, now.headers))
    last = max(before, key=lambda one: len(mine & set(map(fold, one.headers))))
    if fingerprint(last.headers) == fingerprint(now.headers):
        return Drift()
    return changes(last.headers, now.headers, last.mapping, now.mapping)


def _without(headers: Sequence[str], others: Iterable[str]) -> list[str]:
    known = {"", *map(fold, others)}
    return [header for header in dict.fromkeys(headers) if fold(header) not in known]


def _renamed(
    gone: Sequence[str], added: Sequence[str], before: Sequence[str], now: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """Pair headers that are alike, and those that stand between the same neighbours."""
    left = list(added[:_MOST_COMPARED])
    for header in gone[:_MOST_COMPARED]:
        match = max(left, key=lambda other: _likeness(header, other, before, now), default="")
        if match and _likeness(header, match, before, now) >= _NEAR:
            left.remove(match)
            yield header, match


def _likeness(header: str, other: str, before: Sequence[str], now: Sequence[str]) -> float:
    if _neighbours(header, before) == _neighbours(other, now):
        return 1.0
    return SequenceMatcher(None, fold(header), fold(other), autojunk=False).ratio()


def _neighbours(header: str, headers: Sequence[str]) -> tuple[str, ...]:
    at = headers.index(header)
    return (*map(fold, headers[max(0, at - 1) : at]), "", *map(fold, headers[at + 1 : at + 2]))
