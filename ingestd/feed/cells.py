"""PURE  For each field of the target: how a row's cells become its COPY text.

``takers`` makes one taker a field, once a file; a row costs one look-up or call each.  It gives

    a text    the value, as COPY text in the target's type and unit
    NULL      the stored value is cleared: the cell is blank
    None      the stored value stays: no column, unreadable, does not fit, may not be cleared

The columns of a field are tried in order; the first usable cell is taken.  Words in place of a
price (``Call``) end the search: there is a price, and it is not told.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ingestd.config import Feed
from ingestd.feed import combined, engine, lists, numbers, quick, values, words
from ingestd.feed.columns import Columns
from ingestd.feed.copytext import NULL
from ingestd.feed.memo import Memo
from ingestd.feed.numbers import Unit
from ingestd.feed.quick import Quick
from ingestd.feed.values import BLANK, UNREADABLE_TEXT, WORDS, Flaw, Noted
from ingestd.feed.writing import Write, fits_common, writer, writes_whole
from ingestd.vehicle import Column, Target

Cells: TypeAlias = Sequence[str]
#: COPY text, or why there is none; ``Noted``: with a warning.
Result: TypeAlias = str | Noted[str] | Flaw
Read: TypeAlias = Callable[[str], Result]
Look: TypeAlias = Callable[[Cells], Result]
#: A warning of the row at hand: column index, reason, cell.
Note: TypeAlias = tuple[int, str, str]

#: Never cleared: without them a vehicle is not known again.
KEPT = frozenset({"vin", "stock_number", "make", "model", "year", "status"})
#: Blank in most files that lack one of them, and no fault of the sender.
_SILENT = frozenset({"vin", "stock_number", "status"})
YEARS_AHEAD = 2
_YES = ("1", "y", "yes", "true")
_NO = ("0", "n", "no", "false")
#: What is remembered of a column: so many cells, each no longer than this.
_MEMO, _MEMO_OF_LISTS = (4096, 100), (512, 2000)


@dataclass(slots=True)
class Notes:
    """What there is to say of the row at hand; its taker empties ``found``.

    ``filled`` are fields that give no value although their cells say something (``Call``,
    ``12,3x5``): their columns are not blank throughout.  ``seen`` counts the rows (``row``), and
    by field those in which it is ``blank`` or ``unreadable``.
    """

    found: list[Note] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the cells of one file are to be read; ``year`` is that of receipt."""

    columns: Columns
    feed: Feed
    target: Target
    year: int
    notes: Notes = field(default_factory=Notes)


class _Answers(dict[str, str | None]):
    """What a field takes by its first cell alone; ``None``: that takes a search.

    ``blank`` is what a blank cell means, where it means always the same.
    """

    def __init__(self, memo: Memo[Result], blank: str | None) -> None:
        super().__init__()
        self._memo, self._blank = memo, blank

    def __missing__(self, cell: str) -> str | None:
        value = self._memo[cell]
        answer = value if isinstance(value, str) else self._blank if value is BLANK else None
        if cell in self._memo:  # so these are no more than those
            self[cell] = answer
        return answer


@dataclass(frozen=True, slots=True)
class Taker:
    """Gives a field's COPY text of a row.

    ``memo`` has, by the cell at ``index``, what it gives whatever the other cells are (``None``:
    ask ``search``).  There is no memo where a field's cells hardly repeat, so that remembering
    them would cost more than it saves.
    ``quick`` reads the cell at ``index`` where it is of the common form.
    """

    index: int
    memo: dict[str, str | None] | None
    quick: Quick | None
    search: Callable[[Cells], str | None]

    def __call__(self, cells: Cells) -> str | None:
        """Take the field's text: see the module."""
        if self.quick is not None:
            text = self.quick(cells[self.index])
            if text is not None:
                return text
        return self.search(cells)


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
    return Taker(0, None, None, lambda _cells: value)


#: Fields whose cells hardly repeat.
_UNIQUE = frozenset({"stock_number", "description", "images", "url", "mileage", "price", "msrp"})


def _taker(plan: Plan, column: Column, indexes: tuple[int, ...]) -> Taker:
    memo: Memo[Result] | None = None
    if column.field == "mileage":
        looks = tuple(_mileage_looks(plan, column, indexes))
    else:
        read = _reader(plan, column)
        if column.field not in _UNIQUE:
            memo = Memo(read, *(_MEMO_OF_LISTS if column.field == "features" else _MEMO))
        looks = tuple(_looks(plan, column, indexes, memo.__getitem__ if memo is not None else read))
    first = looks[0][0]
    if first in plan.columns.flags or first in (plan.columns.engine or ()):
        memo = None  # it is of other texts than the cells
    plain = memo is None and first not in plan.columns.parts
    search = _Search(plan.notes, column, looks, _nothing(plan, column, first)).take
    answers = None if memo is None else _Answers(memo, _always(plan, column, looks))
    return Taker(first, answers, _quick(plan, column, first) if plain else None, search)


def _always(plan: Plan, column: Column, looks: Sequence[tuple[int, Look]]) -> str | None:
    """Give what a blank cell means, where no other column is asked and nothing is warned of."""
    kept = column.required or column.field in KEPT or plan.feed.blank == "keep"
    return NULL if len(looks) == 1 and not kept else None


def _looks(
    plan: Plan, column: Column, indexes: tuple[int, ...], read: Read
) -> Iterator[tuple[int, Look]]:
    """Give the columns in order; those that are one value together stand for one."""
    columns = plan.columns
    together: tuple[int, ...] = ()
    if column.field == "images":
        together = columns.parts
    elif column.field == "engine" and columns.engine is not None:
        together = tuple(at for at in columns.engine if at >= 0)
    for index in indexes:
        if index not in together:
            yield index, _look(_flag(columns.flags.get(index), read), index)
    if column.field == "images" and together:
        yield together[0], _collect(writer(plan.target, column), together)
    elif columns.engine is not None and together:
        yield together[0], _compose(writer(plan.target, column), columns.engine)


def _look(read: Read, index: int) -> Look:
    return lambda cells: read(cells[index])


def _flag(said: tuple[str, str] | None, read: Read) -> Read:
    """Give what reads a column of yes and no as the words that they stand for."""
    if said is None:
        return read
    meant = {**dict.fromkeys(_YES, said[0]), **dict.fromkeys(_NO, said[1])}

    def read_flag(cell: str) -> Result:
        if values.is_blank(cell):
            return BLANK
        word = meant.get(cell.strip().lower())
        return UNREADABLE_TEXT if word is None else read(word)

    return read_flag


def _compose(write: Write, parts: tuple[int, int, int]) -> Look:
    """Make an engine of displacement, block and cylinders."""

    def look(cells: Cells) -> Result:
        value = engine.engine(*(cells[at] if at >= 0 else "" for at in parts))
        return value if isinstance(value, Flaw) else write(value)

    return look


def _quick(plan: Plan, column: Column, index: int) -> Quick | None:
    """Give what reads the common form of a field's first column."""
    name = column.field
    if name == "mileage":
        stated = plan.columns.units.get(index)
        bare = plan.columns.unit is None and stated in (None, plan.target.distance)
        return quick.mileage if bare and fits_common(column) else None
    if name in ("price", "msrp"):
        whole = writes_whole(plan.target, column) or not fits_common(column) or plan.columns.cents
        return None if whole else quick.dollars(round(plan.feed.min_price * 100))
    if name == "images" and column.max_length is not None:
        return None
    if name == "images":
        begin, end = ("{", "}") if column.type == "text[]" else ("[", "]")
        return quick.Hosts().images(begin, end)
    texts = {
        "stock_number": quick.stock_number,
        "description": quick.free_text,
        "url": quick.Hosts().url,
    }
    return texts.get(name) if column.max_length is None else None


def _mileage_looks(
    plan: Plan, column: Column, indexes: Iterable[int]
) -> Iterator[tuple[int, Look]]:
    """Read the mileage in the unit that a column beside it or its own header states."""
    write, wanted, beside = writer(plan.target, column), plan.target.distance, plan.columns.unit
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


@dataclass(frozen=True, slots=True)
class _Search:
    """Tries a field's columns in order, for the first usable cell."""

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
                return None if self.column.required or self.column.not_null else NULL
            if not isinstance(value, Flaw):
                return self._used(index, cells, value)
            if value is not BLANK and flaw is None:
                flaw = (index, value.reason, cells[index])
        if flaw is None:
            self.notes.seen["blank", self.column.field] += 1
            return self.nothing()
        self.notes.found.append(flaw)
        self.notes.filled.add(self.column.field)
        self.notes.seen["unreadable", self.column.field] += 1
        return None

    def _used(self, index: int, cells: Cells, value: str | Noted[str]) -> str:
        if isinstance(value, str):
            return value
        self.notes.found.append((index, value.reason, cells[index]))
        return value.value


def _nothing(plan: Plan, column: Column, index: int) -> Callable[[], str | None]:
    """Give what a blank cell means: clear the stored value, or let it stay, with a warning."""
    if (column.required or column.not_null) and column.field not in _SILENT:
        return lambda: plan.notes.found.append((index, "required_blank", ""))
    kept = column.field in KEPT or plan.feed.blank == "keep"
    return lambda: None if kept else NULL


def _reader(plan: Plan, column: Column) -> Read:
    """Join a field's parser with the writer of its column."""
    parse, write = _parser(plan, column.field), writer(plan.target, column)

    def read(cell: str) -> Result:
        value = parse(cell)
        if isinstance(value, Flaw):
            return value
        if isinstance(value, Noted):
            written = write(value.value)
            return written if isinstance(written, Flaw) else Noted(written, value.reason)
        written = write(value)
        if isinstance(written, str) and values.garbled(written):
            return Noted(written, "mojibake")
        return written

    return read


def _parser(plan: Plan, name: str) -> Callable[[str], Any]:
    if name in plan.columns.combined:
        return _combined_parser(plan, name)
    least = round(plan.feed.min_price * 100)
    last = plan.year + YEARS_AHEAD
    money = numbers.money_in_cents if plan.columns.cents else numbers.money
    parsers: dict[str, Callable[[str], Any]] = {
        "stock_number": values.stock_number,
        "make": words.name,
        "model": words.name,
        "year": lambda cell: numbers.year(cell, last),
        "mileage": lambda cell: numbers.mileage(cell, None, plan.target.distance),
        "price": lambda cell: money(cell, least),
        "msrp": lambda cell: money(cell, least),
        "exterior_color": words.color,
        "interior_color": words.color,
        "transmission": words.transmission,
        "fuel_type": words.fuel,
        "drivetrain": words.drivetrain,
        "condition": words.condition,
        "doors": numbers.doors,
        "features": lists.features,
        "images": lists.images,
        "description": values.free_text,
        "url": lists.url,
        "status": _status_parser(plan.feed.status),
    }
    return parsers.get(name, words.word)


def _status_parser(own: Mapping[str, str]) -> Callable[[str], str | Flaw]:
    """Read a status by the feed's own words, then by those that are known."""
    words = {values.status_word(word): status for word, status in own.items()}

    def read(cell: str) -> str | Flaw:
        status = words.get(values.status_word(cell))
        if status is None:
            return values.status(cell)
        return BLANK if status == "blank" else status

    return read if words else values.status


def _combined_parser(plan: Plan, name: str) -> Callable[[str], Any]:
    """Read a field from a cell that holds year, make and model."""
    if name != "year":
        return lambda cell: combined.part(cell, name, plan.columns.combined)
    last = plan.year + YEARS_AHEAD

    def year(cell: str) -> int | Flaw:
        digits = combined.part(cell, "year", plan.columns.combined)
        return digits if isinstance(digits, Flaw) else numbers.year(digits, last)

    return year
