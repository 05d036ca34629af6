"""PURE  What field a header is that means different things to different senders: its cells decide.

Four of five of a column's cells must be of a kind.  Where none is filled, the header is taken for
what it mostly is.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ingestd.feed import aliases, values
from ingestd.feed.spelling import normalise

Rows: TypeAlias = Sequence[Sequence[str]]
#: Field by name; ``None``: the name is no field here.  Names that are not in it are what they say.
Roles: TypeAlias = dict[str, str | None]

#: The share of a column's values that must be of one kind to decide its meaning.
AGREEMENT = 0.8
_HALF = 0.5
_SHORTEST_STOCK_NUMBER = 3
YES_OR_NO = frozenset({"y", "n", "yes", "no", "true", "false"})
_SERIAL = re.compile(r"(?=[A-Z]*[0-9])[A-HJ-NPR-Z0-9]{11,17}\Z", re.IGNORECASE)
#: Words of bodies, of cars and of what else dealers sell; ``Car`` and ``Simple`` name none.
_BODY = re.compile(
    r"sedan|coup|suv|sport|utility|truck|van\b|vans\b|wagon|hatch|conver|cabrio|cab\b|pickup|cross"
    r"|roadster|saloon|estate|mpv|ute\b|vus|berline|trailer|wheel|class [abc]|hauler|camper|motor"
    r" ?home|motor ?coach|cruiser|tour|atv|utv|side.by|scooter|limo|chassis|box|flatbed|tractor"
    r"|[2-5] ?-?d(?:r|oor)?\b",
    re.IGNORECASE,
)


class Cells:
    """The filled cells of a sample of rows, by column and by the name that the header means."""

    def __init__(self, at: Mapping[str, Sequence[int]], rows: Rows) -> None:
        """Look at ``rows``; ``at`` are the columns of each name."""
        self.at, self._rows = at, rows

    def of(self, indexes: Iterable[int]) -> Iterator[str]:
        """Give the cells of some columns."""
        for index in indexes:
            for row in self._rows:
                if index < len(row) and row[index].strip():
                    yield row[index]

    def named(self, name: str) -> list[str]:
        """Give the cells of the columns of a name."""
        return list(self.of(self.at.get(name, ())))


def decide(sample: Cells) -> Roles:
    """Decide what field each ambiguous name is."""
    roles: Roles = {}
    for name, otherwise in aliases.NEW_OR_USED_ELSE.items():
        cells = sample.named(name)
        new_or_used = share(cells, aliases.NEW_OR_USED) >= AGREEMENT
        roles[name] = "condition" if new_or_used or not (cells or otherwise) else otherwise
    if roles["type"] == "body_style":
        roles["type"] = _type(sample)
    for name in (*aliases.ALIASES["images"], *aliases.IMAGE_PARTS):
        cells = sample.named(name)
        roles[name] = "images" if not cells or not all(map(_no_image, cells)) else None
    for name in ("series", "seriesdetail"):
        roles[name] = "trim" if aliases.TRIM_OWNERS.isdisjoint(sample.at) else None
    bodies = share(sample.named("style"), aliases.BODIES) >= AGREEMENT
    roles["style"] = "body_style" if bodies else "trim"
    for name in ("vehicletype", "category"):
        roles[name] = _kind(name, sample, roles)
    for name, field in aliases.ONLY_IF.items():
        roles[name] = field if _surely(field, sample.named(name)) else None
    return roles


def share(cells: Sequence[str], vocabulary: frozenset[str]) -> float:
    """Give the share of cells whose word is of a vocabulary."""
    return _part(cells, lambda cell: _last(cell) in vocabulary)


def _part(cells: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, cells)) / len(cells) if cells else 0.0


def _last(cell: str) -> str:
    """Give a word in normal form; of an address (``https://schema.org/NewCondition``) the last."""
    return normalise(cell.rstrip("/").rpartition("/")[2][:80] if "://" in cell else cell[:80])


def _no_image(cell: str) -> bool:
    """Say whether a cell is a number of images, or a yes or no."""
    bare = cell.strip()
    return bare.isdecimal() or bare.casefold() in YES_OR_NO


def _type(sample: Cells) -> str | None:
    """``Type`` is the body: beside another column for it where its cells are plainly bodies."""
    cells = sample.named("type")
    beside = (name for name in aliases.ALIASES["body_style"] if name in sample.at)
    if set(beside) - {"type", "style", "category", "vehicletype"}:
        return "body_style" if share(cells, aliases.BODIES) >= AGREEMENT else None
    rest = [cell for cell in cells if _last(cell) not in aliases.NEW_OR_USED]
    named = _part(rest, lambda cell: _BODY.search(cell[:80]) is not None)
    return "body_style" if not rest or named >= _HALF else None


def _kind(name: str, sample: Cells, roles: Roles) -> str | None:
    """Decide what ``Vehicle Type`` or ``Category`` is.

    It says New or Used, or is the only column that has bodies, or is a category (``Car_Truck``).
    """
    cells = sample.named(name)
    if share(cells, aliases.NEW_OR_USED) >= AGREEMENT:
        return "condition"
    better = (
        other
        for other in aliases.ALIASES["body_style"]
        if other not in (name, "category", "vehicletype")
        and other in sample.at
        and roles.get(other, "body_style") == "body_style"
    )
    if share(cells, aliases.BODIES) >= AGREEMENT and not any(better):
        return "body_style"
    return "vehicle_type" if name == "vehicletype" else None


def _surely(field: str, cells: Sequence[str]) -> bool:
    """Say whether cells can be a field's where the name alone does not say so."""
    if field == "vin" and not cells:
        return True
    if field == "stock_number" and len(set(cells)) < len(cells):
        return False
    return _part(cells, _TESTS[field]) >= AGREEMENT


def _is_serial(cell: str) -> bool:
    return _SERIAL.match(cell.strip()) is not None


def _is_stock_number(cell: str) -> bool:
    plain = cell.strip()
    wordy = len(plain) < _SHORTEST_STOCK_NUMBER or any(map(str.isspace, plain))
    return not wordy and isinstance(values.stock_number(plain), str)


def _is_status(cell: str) -> bool:
    return isinstance(values.status(cell), str)


_TESTS: Mapping[str, Callable[[str], bool]] = {
    "vin": _is_serial,
    "stock_number": _is_stock_number,
    "status": _is_status,
}
