"""PURE  What would be understood of a file: how full its columns are, values, what is left over."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, TypeAlias

from ingestd.feed.columns import Columns
from ingestd.feed.copytext import NULL, unescape
from ingestd.feed.heading import guess
from ingestd.feed.mapping import likely_prices, may_be_price, may_be_stock_number
from ingestd.feed.values import plain
from ingestd.model import FileReading, Finding
from ingestd.vehicle import STAGE_HEAD, Target

_MOST_LOOKED_AT = 200  # rows of which values are kept
_SAMPLES = 3
_LONGEST_SAMPLE = 200
_EXTRAS = len(STAGE_HEAD) - 1
_NUMBERS = frozenset({"year", "mileage", "price", "msrp", "doors"})
_CODES = frozenset({"vin", "stock_number", "model", "trim"})
_BY_NAME = "near to a known name"
_LIST_PRICE = "a list price, and the file has no other"
_BY_VALUE = "its cells look so"
_PRICES = "its cells may be prices"
_OWN_CODE = "another on each row; only if it stands on the car"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A column that no field took: its header, three of its cells, and what it may be, and why."""

    header: str
    samples: tuple[str, ...]
    likely: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What would be understood of a file (the keys of ``inspect --json``).

    ``filled`` counts the vehicles that have a value, by field; ``samples`` are three different
    values as they would be stored, of a refused file cells as they stand; ``reasons`` counts
    rejected rows; ``why`` is the reason for encoding, delimiter and quoting.

    ``held`` is the reason for which all of it would be held, with ``hold_message``; ``lacking``
    counts rows that give no make, model or year, ``uninsertable`` those without one at least, and
    ``outlook`` says in sentences what becomes of them.  ``dealerships`` are those that a group's
    file may choose among: ``id`` and ``rows``.
    """

    file: str
    reason: str | None
    message: str
    lines: int
    header: int
    blank: int
    rows: int
    duplicates: int = 0
    rejected: int
    warnings: int
    encoding: str | None
    delimiter: str | None
    quoting: str | None
    mapping: Mapping[str, tuple[str, ...]]
    unmapped: tuple[str, ...]
    suggestions: tuple[tuple[str, str], ...]
    sample: tuple[Mapping[str, Any], ...] = ()
    rejections: tuple[Finding, ...] = ()
    warnings_list: tuple[Finding, ...]
    config: str
    why: str = ""
    held: str | None = None
    hold_message: str = ""
    lacking: Mapping[str, int] = field(default_factory=dict)
    uninsertable: int = 0
    outlook: tuple[str, ...] = ()
    dealerships: tuple[Mapping[str, int], ...] = ()
    filled: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    leftover: tuple[Leftover, ...] = ()


#: What it tells of a file as the reading has it.
READ = tuple(
    name.name
    for name in fields(Inspection)
    if name.name != "file" and name.name in {its.name for its in fields(FileReading)}
)

Suggestions: TypeAlias = Sequence[tuple[str, str]]


class Sightings:
    """Gathers from a file's lines for the stage how full its columns are, and some values."""

    def __init__(self, target: Target) -> None:
        """Begin with nothing seen."""
        self._names = [column.field for column in target.columns]
        self.required = [column.field for column in target.columns if column.required]
        self.filled: Counter[str] = Counter()
        #: Rows that lack what a vehicle to be inserted needs, by field; and those that lack any.
        self.lacking: Counter[str] = Counter()
        self.uninsertable = 0
        self._samples: dict[str, dict[str, None]] = {name: {} for name in self._names}
        self._extras: dict[str, dict[str, None]] = {}
        self._filled_extras: Counter[str] = Counter()  # of the rows that are looked at
        self._count = 0

    def take(self, line: str) -> None:
        """Look at a vehicle's line."""
        cells = line.rstrip("\n").split("\t")
        given = zip(self._names, cells[len(STAGE_HEAD) :], strict=True)
        found = {name: cell for name, cell in given if cell != NULL}
        self.filled.update(found.keys())
        lacks = [name for name in self.required if name not in found]
        self.lacking.update(lacks)
        self.uninsertable += bool(lacks)
        self._count += 1
        if self._count > _MOST_LOOKED_AT:
            return
        for name, cell in found.items():
            _keep(self._samples[name], unescape(cell) or "", _SAMPLES)
        for header, text in json.loads(unescape(cells[_EXTRAS]) or "{}").items():
            self._take_extra(header, text)

    def samples(self) -> dict[str, tuple[str, ...]]:
        """Give up to three values of each field that has any, as they would be stored."""
        return {name: tuple(found) for name, found in self._samples.items() if found}

    def look(self, columns: Columns, rows: Iterable[Sequence[str]]) -> None:
        """Look at the cells of a file that is refused, as they stand."""
        for row in islice(rows, _MOST_LOOKED_AT):
            for name, indexes in columns.fields.items():
                _keep_filled(self._samples[name], row[indexes[0]], _SAMPLES)
            for index in columns.unmapped:
                text = plain(row[index][: 2 * _LONGEST_SAMPLE])
                if text.strip():
                    self._take_extra(columns.headers[index], text)

    def _take_extra(self, header: str, text: str) -> None:
        self._filled_extras[header] += 1
        _keep(self._extras.setdefault(header, {}), text, _MOST_LOOKED_AT)

    def leftover(self, columns: Columns, suggestions: Suggestions) -> tuple[Leftover, ...]:
        """Give the columns that no field took: by name, else by value, what they may be."""
        near = dict(suggestions)
        return tuple(
            self._left(header, near.get(header, ""), columns)
            for header in columns.leftover()
            if self._extras.get(header) or header in near
        )

    def _left(self, header: str, near: str, columns: Columns) -> Leftover:
        cells = list(self._extras.get(header, ()))
        by_name = _LIST_PRICE if header in likely_prices(columns) else _BY_NAME
        likely, why = (near, by_name) if near and _agrees(near, cells) else ("", "")
        if not likely:
            likely, why = self._by_value(header, cells)
            if likely in columns.fields:
                likely, why = "", ""
        return Leftover(header, tuple(cells)[:_SAMPLES], likely, why)

    def _by_value(self, header: str, cells: Sequence[str]) -> tuple[str, str]:
        """Give the field that a column's cells speak for, its name not speaking against it."""
        likely = guess(cells)
        if likely:
            return likely, _BY_VALUE
        if may_be_price(header, cells):
            return "price", _PRICES
        if self._filled_extras[header] == len(cells) and may_be_stock_number(header, cells):
            return "stock_number", _OWN_CODE
        return "", ""


def _agrees(name: str, cells: Sequence[str]) -> bool:
    """Say whether half of the cells may be of the field."""
    has = str.isdecimal if name in _NUMBERS else str.isalnum if name in _CODES else str.isalpha
    fit = sum(any(map(has, cell)) for cell in cells)
    return fit * 2 >= len(cells)


def _keep_filled(found: dict[str, None], cell: str, most: int) -> None:
    text = plain(cell[: 2 * _LONGEST_SAMPLE])
    if text.strip():
        _keep(found, text, most)


def _keep(found: dict[str, None], text: str, most: int) -> None:
    if len(found) < most:
        found[text[:_LONGEST_SAMPLE]] = None
