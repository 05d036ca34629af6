"""PURE  For each field of the target: how a row's cells become its COPY text.

``takers`` makes one function a field, once a file; a row costs one call each.  A taker gives

    a text    the value, as COPY text in the target's type and unit
    NULL      the stored value is cleared: the cell is blank
    None      the stored value stays: no column, unreadable, does not fit, may not be cleared

The columns of a field are tried in order; the first usable cell is taken.  Words in place of a
price (``Call``) end the search: there is a price, and it is not told.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ingestd.config import Feed
from ingestd.feed import lists, numbers, values
from ingestd.feed.columns import Columns
from ingestd.feed.copytext import NULL, as_array, as_json, escape
from ingestd.feed.numbers import Unit
from ingestd.feed.values import BLANK, WORDS, Flaw, Noted
from ingestd.model import Column, Target

Cells: TypeAlias = Sequence[str]
Taker: TypeAlias = Callable[[Cells], str | None]
#: COPY text, or why there is none; ``Noted``: with a warning.
Result: TypeAlias = str | Noted[str] | Flaw
Read: TypeAlias = Callable[[str], Result]
Look: TypeAlias = Callable[[Cells], Result]
Write: TypeAlias = Callable[[Any], str | Flaw]
#: A warning of the row at hand: column index, reason, cell.
Note: TypeAlias = tuple[int, str, str]

DOES_NOT_FIT = Flaw("does_not_fit")
#: Never cleared: without them a vehicle is not known again.
KEPT = frozenset({"vin", "stock_number", "make", "model", "year", "status"})
#: Blank in most files that lack one of them, and no fault of the sender.
_SILENT = frozenset({"vin", "stock_number", "status"})
YEARS_AHEAD = 2
_MOST_INTEGER = 2**31 - 1
_MOST_CENTS = 10**12  # numeric(12,2)
_MEMO_CELLS = 4096
_MEMO_LENGTH = 100


@dataclass(slots=True)
class Notes:
    """What there is to say of the row at hand; its taker empties ``found``.

    ``filled`` are fields that give no value although their cells say something (``Call``,
    ``12,3x5``): their columns are not blank throughout.
    """

    found: list[Note] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the cells of one file are to be read; ``year`` is that of receipt."""

    columns: Columns
    feed: Feed
    target: Target
    year: int
    notes: Notes = field(default_factory=Notes)


class _Memo(dict[str, Result]):
    """What short cells were read as: most columns repeat a few values."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> Result:
        value = self._read(cell)
        if len(self) < _MEMO_CELLS and len(cell) <= _MEMO_LENGTH:
            self[cell] = value
        return value


def takers(plan: Plan) -> dict[str, Taker]:
    """Give the taker of each field that has a column or a default; ``vin`` is not among them.

    A VIN is judged by other cells too: see ``encode``.
    """
    found: dict[str, Taker] = {}
    for column in plan.target.columns:
        indexes = plan.columns.fields.get(column.field, ())
        default = plan.feed.defaults.get(column.field)
        if column.field == "vin":
            continue
        if indexes:
            found[column.field] = _taker(plan, column, indexes)
        elif default is not None:
            value = _reader(plan, column)(str(default))
            if isinstance(value, str):
                found[column.field] = _constant(value)
    return found


def _constant(value: str) -> Taker:
    return lambda _cells: value


#: Fields whose cells hardly repeat: remembering them would cost more than it saves.
_UNIQUE = frozenset({"stock_number", "description", "images", "url", "mileage"})


def _taker(plan: Plan, column: Column, indexes: tuple[int, ...]) -> Taker:
    if column.field == "mileage":
        return _first_usable(plan, column, tuple(_mileage_looks(plan, column, indexes)))
    read = _reader(plan, column)
    memo: Read = read if column.field in _UNIQUE else _Memo(read).__getitem__
    parts = plan.columns.parts if column.field == "images" else ()
    looks = [(index, _look(memo, index)) for index in indexes if index not in parts]
    if parts:
        looks.append((parts[0], _collect(_writer(plan, column), parts)))
    return _first_usable(plan, column, tuple(looks))


def _look(read: Read, index: int) -> Look:
    return lambda cells: read(cells[index])


def _mileage_looks(
    plan: Plan, column: Column, indexes: Iterable[int]
) -> Iterator[tuple[int, Look]]:
    """Read the mileage in the unit that a column beside it or its own header states."""
    write, wanted, beside = _writer(plan, column), plan.target.distance, plan.columns.unit
    for index in indexes:
        stated = plan.columns.units.get(index)

        def look(cells: Cells, index: int = index, stated: Unit | None = stated) -> Result:
            unit = stated if beside is None else numbers.unit(cells[beside]) or stated
            value = numbers.mileage(cells[index], unit, wanted)
            return value if isinstance(value, Flaw) else write(value)

        yield index, look


def _collect(write: Write, parts: Sequence[int]) -> Look:
    """Take the columns with one image each together."""

    def look(cells: Cells) -> Result:
        found: dict[str, None] = {}
        flaw: Flaw = BLANK
        for index in parts:
            images = lists.images(cells[index])
            if isinstance(images, Noted):
                images, flaw = images.value, lists.BAD_URL
            if isinstance(images, tuple):
                found.update(dict.fromkeys(images))
            elif images is not BLANK:
                flaw = images
        if not found:
            return flaw
        written = write(tuple(found)[: lists.MOST_IMAGES])
        if flaw is BLANK or isinstance(written, Flaw):
            return written
        return Noted(written, flaw.reason)

    return look


def _first_usable(plan: Plan, column: Column, looks: tuple[tuple[int, Look], ...]) -> Taker:
    search = _Search(plan.notes, column, looks, _nothing(plan, column, looks[0][0])).take
    look_first = looks[0][1]

    def take(cells: Cells) -> str | None:
        value = look_first(cells)
        return value if type(value) is str else search(cells)

    return take


@dataclass(frozen=True, slots=True)
class _Search:
    """The slow way: the first cell gave no value, or one with a warning."""

    notes: Notes
    column: Column
    looks: tuple[tuple[int, Look], ...]
    nothing: Callable[[], str | None]

    def take(self, cells: Cells) -> str | None:
        flaw: Note | None = None
        for index, look in self.looks:
            value = look(cells)
            if value is WORDS:
                self.notes.filled.add(self.column.field)
                return None if self.column.required else NULL
            if not isinstance(value, Flaw):
                return self._used(index, cells, value)
            if value is not BLANK and flaw is None:
                flaw = (index, value.reason, cells[index])
        if flaw is None:
            return self.nothing()
        self.notes.found.append(flaw)
        self.notes.filled.add(self.column.field)
        return None

    def _used(self, index: int, cells: Cells, value: str | Noted[str]) -> str:
        if isinstance(value, str):
            return value
        self.notes.found.append((index, value.reason, cells[index]))
        return value.value


def _nothing(plan: Plan, column: Column, index: int) -> Callable[[], str | None]:
    """Give what a blank cell means: clear the stored value, or let it stay, with a warning."""
    if column.required and column.field not in _SILENT:
        return lambda: plan.notes.found.append((index, "required_blank", ""))
    kept = column.field in KEPT or plan.feed.blank == "keep"
    return lambda: None if kept else NULL


def _reader(plan: Plan, column: Column) -> Read:
    """Join a field's parser with the writer of its column."""
    parse, write = _parser(plan, column.field), _writer(plan, column)

    def read(cell: str) -> Result:
        value = parse(cell)
        if isinstance(value, Flaw):
            return value
        if not isinstance(value, Noted):
            return write(value)
        written = write(value.value)
        return written if isinstance(written, Flaw) else Noted(written, value.reason)

    return read


def _parser(plan: Plan, field_name: str) -> Callable[[str], Any]:
    least = round(plan.feed.min_price * 100)
    last = plan.year + YEARS_AHEAD
    parsers: dict[str, Callable[[str], Any]] = {
        "stock_number": values.stock_number,
        "year": lambda cell: numbers.year(cell, last),
        "mileage": lambda cell: numbers.mileage(cell, None, plan.target.distance),
        "price": lambda cell: numbers.money(cell, least),
        "msrp": lambda cell: numbers.money(cell, least),
        "doors": numbers.doors,
        "features": lists.features,
        "images": lists.images,
        "description": values.free_text,
        "url": lists.url,
        "status": values.status,
    }
    return parsers.get(field_name, values.text)


def _writer(plan: Plan, column: Column) -> Write:
    """Give what writes a field's value for its column, or says that it does not fit."""
    if column.field in ("price", "msrp"):
        return _money_writer(plan.target, column)
    if column.field in ("year", "mileage", "doors"):
        return lambda value: str(value) if value <= _MOST_INTEGER else DOES_NOT_FIT
    if column.field in ("features", "images"):
        return as_array if column.type == "text[]" else as_json
    return _text_writer(plan.target, column)


def _money_writer(target: Target, column: Column) -> Write:
    """Write cents in the target's unit; whole dollars are rounded half up."""
    cents_wanted = target.money == "cents"
    whole = cents_wanted or target.money == "whole_dollars" or column.type == "integer"
    most = _MOST_INTEGER if column.type == "integer" else _MOST_CENTS

    def write(cents: int) -> str | Flaw:
        amount = cents if cents_wanted else (cents + 50) // 100
        if amount > most or cents >= _MOST_CENTS:
            return DOES_NOT_FIT
        return str(amount) if whole else f"{cents // 100}.{cents % 100:02}"

    return write


def _text_writer(target: Target, column: Column) -> Write:
    longest = column.max_length
    words = {
        "active": target.status_active,
        "pending": target.status_pending,
        "sold": target.status_sold,
    }

    def write(value: str) -> str | Flaw:
        if longest is not None and len(value) > longest:
            return DOES_NOT_FIT
        return escape(value)

    return (lambda value: write(words[value])) if column.field == "status" else write
