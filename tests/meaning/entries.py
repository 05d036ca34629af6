"""Rule group: absent, blank, unreadable.  A sheet's cells become entries, or rejected lines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.meaning.nouns import (
    BLANK,
    FIRST,
    STATUS,
    UNREADABLE,
    VALUES,
    WORDS,
    Agreement,
    Cell,
    Footer,
    Place,
    Row,
    Said,
    Sheet,
    Vehicle,
    folded,
)


@dataclass(frozen=True)
class Entry:
    """A row that has an identifier.

    ``values`` has what is to be stored (None clears); what is not in it stays as it is.
    ``status`` is its word, if it has one; ``mute``: the whole file says nothing of status.
    """

    place: Place
    vin: str | None
    stock_number: str | None
    make: str | None
    model: str | None
    year: int | None
    values: Mapping[str, str | int | None] = field(default_factory=dict)
    status: str | None = None
    mute: bool = False


@dataclass(frozen=True)
class Refused:
    """A line that was rejected, and what can be read in it that names a vehicle."""

    place: Place
    reason: str
    vin: str | None = None
    stock_number: str | None = None
    raw: str | None = None  # of a line without any readable identifier


@dataclass
class Read:
    """A sheet as it was read; ``reason`` where nothing of it can be used."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    reason: str | None = None


def read(number: int, sheet: Sheet, feed: Agreement, junk: set[str]) -> Read:
    """Read a sheet; a VIN that is junk at the dealership identifies nothing."""
    if sheet.broken or not {"vin", "stock_number"} & set(sheet.columns):
        return Read(reason="no_identifier_column")
    found = Read()
    named = dict(_named(number, sheet, junk, found))
    if not named and not sheet.part:
        return Read(reason="no_usable_row")
    seen = _seen(sheet, named)
    for place, (vin, row) in named.items():
        found.entries.append(_entry(place, vin, row, seen, feed))
    return found


def _named(
    number: int, sheet: Sheet, junk: set[str], found: Read
) -> Iterator[tuple[Place, tuple[str | None, Row]]]:
    """Give the rows that have an identifier; the others are refused."""
    for at, row in enumerate(sheet.rows):
        place = (number, FIRST + at)
        if isinstance(row, Footer):
            found.refused.append(Refused(place, "footer", raw=row.text))
            continue
        there = {name: row.get(name, BLANK) for name in sheet.columns}
        vin, stock = _vin(there.get("vin")), _text(there.get("stock_number"))
        if vin in junk:
            vin = None
        if sheet.cut_off and row is sheet.rows[-1]:
            found.refused.append(Refused(place, "cut_off", vin, stock))
            continue
        if vin is None and stock is None:
            bad = there.get("vin") is UNREADABLE
            reason = "bad_vin" if bad else "no_identifier"
            found.refused.append(Refused(place, reason, raw=repr(sorted(there.items(), key=str))))
            continue
        yield place, (vin, there)


def _vin(cell: Cell | None) -> str | None:
    text = _text(cell)
    return None if text is None else text.upper()


def _text(cell: Cell | None) -> str | None:
    return cell if isinstance(cell, str) else None


def _seen(sheet: Sheet, named: Mapping[Place, tuple[str | None, Row]]) -> set[str]:
    """A column that is blank in every row is as good as absent."""
    rows = [row for _, row in named.values()]
    return {name for name in sheet.columns if any(row[name] is not BLANK for row in rows)}


def _entry(place: Place, vin: str | None, row: Row, seen: set[str], feed: Agreement) -> Entry:
    year = row.get("year")
    return Entry(
        place=place,
        vin=vin,
        stock_number=_text(row.get("stock_number")),
        make=_text(row.get("make")),
        model=_text(row.get("model")),
        year=year if isinstance(year, int) else None,
        values=dict(_values(row, seen, feed)),
        status=STATUS.get(_text(row.get("status")) or ""),
        mute="status" not in seen,
    )


def _values(row: Row, seen: set[str], feed: Agreement) -> Iterator[tuple[str, str | int | None]]:
    for name in VALUES:
        cell = row.get(name, BLANK)
        if name not in seen or cell is UNREADABLE:
            continue  # the stored value stays
        if cell is WORDS or (cell is BLANK and feed.blank == "clear"):
            yield name, None
        elif not isinstance(cell, Said):
            yield name, cell


def lent(entry: Entry, by: Entry) -> Entry:
    """Complete an entry by what it lacks of the car that an earlier row describes."""
    return replace(
        entry,
        vin=entry.vin or by.vin,
        stock_number=entry.stock_number or by.stock_number,
        make=entry.make or by.make,
        model=entry.model or by.model,
        year=entry.year or by.year,
    )


def same_car(one: Entry | Vehicle, other: Entry | Vehicle) -> bool:
    """Whether make, and year but for one, agree where both are known."""
    makes = {(it.make or "").lower() for it in (one, other)} - {""}
    years = [it.year for it in (one, other) if it.year]
    return len(makes) <= 1 and (len(years) < 2 or abs(years[0] - years[1]) <= 1)


def same_model(one: Entry, other: Vehicle) -> bool:
    """Whether make, model and year agree where both are known."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("make", "model", "year")]
    return all(str(a).lower() == str(b).lower() for a, b in pairs if a and b)


def same_stock(one: Entry | Vehicle | Refused, other: Entry | Vehicle | Refused) -> bool:
    number = folded(one.stock_number)
    return number != "" and number == folded(other.stock_number)
