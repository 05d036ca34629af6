"""PURE  What a file shows of itself, for the guard to judge: see ``model.Evidence``.

A field's cells are counted row by row over all its columns: a row has something there, or is
blank; what it has can be used (words such as "call" included), or cannot.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from ingestd.feed.spelling import normalise
from ingestd.model import Evidence
from ingestd.rooftops import MOST_TOLD

#: Rows without an identifier that are kept, to be known again; all are counted.
MOST_NAMELESS = 500
#: Fields whose columns must not go bad unseen.
WATCHED = ("year", "price", "vin")
_LONGEST_ID = 100
_DEALER_NAMES = (
    "dealerid dealercode dealerref dealershipid dealernumber rooftopid sellerid storeid storecode "
    "locationcode"
)
_DEALER_ID = frozenset(_DEALER_NAMES.split())


def dealer_column(headers: Sequence[str], own: str | None = None) -> int | None:
    """Find the column that names the dealer by an id: the feed's ``own``, if it has named one."""
    wanted = _DEALER_ID if own is None else {normalise(own)}
    places = (at for at, header in enumerate(headers) if normalise(header) in wanted)
    return next(places, None)


class Witness:
    """Notes what there is to see of one file, as its rows go by."""

    def __init__(self, file: int, headers: Sequence[str], own: str | None = None) -> None:
        """Begin with nothing seen."""
        self._file = file
        self._dealer = dealer_column(headers, own)
        self._cell = ""
        self._dealers: dict[str, None] = {}
        self._nameless: list[tuple[int, int]] = []
        self._unnamed = 0

    def row(self, cells: Sequence[str]) -> None:
        """See a row that is loaded."""
        if self._dealer is not None and cells[self._dealer] != self._cell:
            self._cell = cells[self._dealer]
            value = self._cell.strip()[:_LONGEST_ID]
            if value and len(self._dealers) < MOST_TOLD:
                self._dealers[value] = None

    def nameless(self, line: int, cells: Sequence[str]) -> None:
        """See a row that has no identifier."""
        self._unnamed += 1
        if len(self._nameless) < MOST_NAMELESS:
            self._nameless.append((line, fingerprint(cells)))

    def evidence(self, columns: Mapping[str, object], seen: Counter[tuple[str, str]]) -> Evidence:
        """Say what was seen; ``seen`` counts rows, and by field those blank or unreadable."""
        rows = seen["row", ""]
        readable = {}
        for name in WATCHED:
            if name in columns:
                filled = rows - seen["blank", name]
                readable[name] = (filled - seen["unreadable", name], filled)
        dealers = tuple(self._dealers)
        return Evidence(self._file, readable, dealers, tuple(self._nameless), self._unnamed)


def fingerprint(cells: Sequence[str]) -> int:
    """Give a number that tells a row from others: the same cells, the same number."""
    digest = blake2b("\x1f".join(cells).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
