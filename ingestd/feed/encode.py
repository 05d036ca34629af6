"""PURE  A file's rows become lines of the stage's COPY stream (``Target.stage``).

* Every record is one line: a vehicle, or a rejection with its reason.
* Bit i of ``keep`` is FIELDS[i]: the stored value stays.  It is set for fields without a
  column, cells that cannot be read or do not fit, and what may never be cleared.
* A vehicle has a VIN or a stock number.  A rejection keeps those that can be read, for it
  counts as a sighting of the vehicle.
* The bit PROVISIONAL of ``keep`` says that the row's VIN is a factory's placeholder.
* A vehicle whose make, model or year cannot be read has that field and its cell in
``column_name`` and ``value``, for the store to tell where it rejects the row for it.
* Cells of columns that no field took go to ``extras``, under the sender's own header.

Reasons of rejections: no_identifier bad_vin, and those of ``table`` for records that are no
row.  Of warnings: bad_vin junk_vin vin_repeated check_digit model_year provisional_vin
short_vin implausible_price unreadable_number unreadable_year unreadable_list unreadable_text
unknown_status bad_url junk_stock_number required_blank does_not_fit currency mojibake.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from ingestd.feed import vin as ladder
from ingestd.feed.cells import Cells, Plan, takers
from ingestd.feed.copytext import NULL, as_json, escape, fields, unescape
from ingestd.feed.memo import Memo
from ingestd.feed.values import Flaw, in_transit, is_blank, plain, stock_number
from ingestd.feed.vin import BAD, BLANK, Verdict
from ingestd.model import Finding, Known
from ingestd.vehicle import FIELDS, PROVISIONAL, STAGE_HEAD, Column, Target

LONGEST_VALUE = 200
#: What is remembered of a column that no field took: so many cells, none longer than this.
_MOST_PAIRS = 1024
_LONGEST_PAIR = 60
BITS = {name: 1 << at for at, name in enumerate(FIELDS)}
_ALL = (1 << len(FIELDS)) - 1
#: What a new vehicle must have.
_NEEDED = ("make", "model", "year")
_NOTHING_SAID = f"{NULL}\t{NULL}"
_REPEATED = Verdict(None, "vin_repeated")
_NONE = Verdict(None, BLANK)
_FINE = (None, ())


class Encoded(NamedTuple):
    """One record: its line for the stage, and what identity and report need of it."""

    text: str
    vin: str | None
    stock_number: str | None
    make: str | None
    model: str | None
    year: int | None
    rejection: Finding | None
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows come from and go to, and which VINs are known to be dummies there."""

    file: int
    dealership: int
    known: Known


def own_target() -> Target:
    """Describe the seed's own ``vehicles`` table, with the columns that the platform added."""
    types = {
        **dict.fromkeys(("year", "mileage", "doors"), "integer"),
        **dict.fromkeys(("price", "msrp"), "numeric"),
        **dict.fromkeys(("features", "images"), "jsonb"),
    }
    columns = (
        Column(name, name, types.get(name, "text"), required=name in ("make", "model", "year"))
        for name in FIELDS
    )
    return Target(profile="own", columns=tuple(columns))


class Encoder:
    """Encodes the records of one file."""

    def __init__(self, plan: Plan, place: Place) -> None:
        """Make ready: whatever does not change from row to row is decided here."""
        self._plan, self._junk = plan, place.known.junk_vins
        at = {column.field: index for index, column in enumerate(plan.target.columns)}
        took = takers(plan)
        remembered = [name for name, taker in took.items() if taker.memo is not None]
        self._ats = [at[name] for name in remembered]
        self._memos = [memo for name in remembered if (memo := took[name].memo) is not None]
        self._pick = _picker([took[name].index for name in remembered])
        self._searches = {at[name]: (BITS[name], took[name].search) for name in remembered}
        self._quicks = [
            (at[name], BITS[name], taker.index, taker.quick or _none, taker.search)
            for name, taker in took.items()
            if taker.memo is None
        ]
        self._unseen = [(at[name], BITS[name]) for name in took]
        self._vin_columns = plan.columns.fields.get("vin", ())
        self._at = [at.get(name, -1) for name in ("vin", "stock_number", "make", "model", "year")]
        self._empty = [NULL] * len(at)
        self._absent = sum(BITS[name] for name in at if name not in took)
        self._extras = _extras(plan)
        self._file, self._dealership = place.file, place.dealership
        self._seen = self._rows = 0

    def keep(self) -> int:
        """Give the fields whose columns are absent, or were blank in every row so far."""
        filled = sum(BITS[name] for name in self._plan.notes.filled)
        return _ALL & ~(self._seen | filled)

    def seen(self) -> Counter[tuple[str, str]]:
        """Count the rows so far, and by field those that were blank or unreadable there."""
        return self._plan.notes.seen + Counter({("row", ""): self._rows})

    def row(self, line: int, cells: Cells) -> Encoded:
        """Encode a row: a vehicle, or a rejection where nothing identifies it."""
        self._rows += 1
        notes = self._plan.notes.found
        if notes:
            notes.clear()
        found = self._empty.copy()
        keep = self._absent | self._take(cells, found)
        year = _number(found, self._at[4])
        verdict, column = self._judge(cells, year)
        stock = _plain(found, self._at[1])
        if verdict.vin is not None:
            found[self._at[0]] = verdict.vin
            keep, self._seen = keep & ~1, self._seen | 1
            if verdict.provisional:
                keep |= PROVISIONAL
        else:
            if verdict is not _REPEATED:  # which is no VIN of this car, but can be read
                blank = verdict.problem == BLANK
                self._plan.notes.seen["blank" if blank else "unreadable", "vin"] += 1
            if stock is None:
                return self._unidentified(line, cells, verdict)
        if self._unseen:
            self._look_for_unseen(found)
        said = self._said() if notes else _NOTHING_SAID
        head = f"{self._file}\t{line}\t{self._dealership}\t{keep}\t\\N\t{said}"
        return Encoded(
            "\t".join((head, self._extras(cells), *found)) + "\n",
            verdict.vin,
            stock,
            _plain(found, self._at[2]),
            _plain(found, self._at[3]),
            year,
            None,
            self._warnings(line, cells, verdict, column) if notes or verdict[1:3] != _FINE else (),
        )

    def _take(self, cells: Cells, found: list[str]) -> int:
        """Fill in the fields; give the bits of those whose stored value stays."""
        keep = 0
        for at, value in zip(self._ats, map(getitem, self._memos, self._pick(cells)), strict=False):
            if value is None:
                keep |= self._search(at, cells, found)
            else:
                found[at] = value
        for at, bit, index, quick, search in self._quicks:
            text = quick(cells[index])
            if text is None and (text := search(cells)) is None:
                keep |= bit
            else:
                found[at] = text
        return keep

    def _search(self, at: int, cells: Cells, found: list[str]) -> int:
        """Fill in a field that takes more than one look; give its bit if its value stays."""
        bit, search = self._searches[at]
        text = search(cells)
        if text is None:
            return bit
        found[at] = text
        return 0

    def _look_for_unseen(self, found: Sequence[str]) -> None:
        """Remember which columns have held something."""
        for at, bit in self._unseen:
            if found[at] != NULL:
                self._seen |= bit
        self._unseen = [(at, bit) for at, bit in self._unseen if not self._seen & bit]

    def _said(self) -> str:
        """Give field and cell of a make, model or year that cannot be read, else nothing.

        The store tells them where it rejects the row for the lack of it.
        """
        indexes = {index: _short(cell) for index, _, cell in self._plan.notes.found}
        for name in _NEEDED:
            for index in self._plan.columns.fields.get(name, ()):
                if indexes.get(index):
                    return f"{name}\t{escape(indexes[index])}"
        return _NOTHING_SAID

    def bad(self, line: int, cells: Cells, reason: str) -> Encoded:
        """Encode a record that is no row.  What stands where a VIN stands may be one."""
        shown = next((cell for cell in cells if not is_blank(cell)), "")
        verdict, _ = self._judge(cells, None)
        aligned = reason in ("too_few_cells", "cut_off")
        whole = cells[:-1] if aligned else ()  # of the last cell a part may be missing
        stock = self._sighted(whole)
        return self._rejection(Finding(line, None, reason, _short(shown)), verdict.vin, stock)

    def refused(self, line: int, at: int, cells: Cells, reason: str) -> Encoded:
        """Encode a row that is rejected for one of its cells, whatever else is in it.

        Where that is blank the row may mean what it names.
        """
        shown = Finding(line, self._plan.columns.headers[at], reason, _short(cells[at]))
        if not is_blank(cells[at]):
            return self._rejection(shown, None, None)
        verdict, _ = self._judge(cells, None)
        return self._rejection(shown, verdict.vin, self._sighted(cells))

    def _sighted(self, cells: Cells) -> str | None:
        for index in self._plan.columns.fields.get("stock_number", ()):
            value = stock_number(cells[index]) if index < len(cells) else ""
            if value and not isinstance(value, Flaw):
                return value
        return None

    def _judge(self, cells: Cells, year: int | None) -> tuple[Verdict, int]:
        """Give the first key among the VIN columns, else what is wrong with the first cell."""
        worst, column = _NONE, -1
        for index in self._vin_columns:
            if index >= len(cells):
                continue
            verdict = ladder.judge(cells[index], year)
            if verdict.problem == BAD and self._in_transit(cells):
                verdict = ladder.judge(cells[index], year, in_transit=True)
            if verdict.vin is not None and verdict.vin not in self._junk:
                return verdict, index
            verdict = verdict if verdict.vin is None else _REPEATED
            if worst.problem == BLANK and verdict.problem != BLANK:
                worst, column = verdict, index
        return worst, column

    def _in_transit(self, cells: Cells) -> bool:
        columns = self._plan.columns.fields.get("status", ())
        return any(in_transit(cells[index]) for index in columns if index < len(cells))

    def _unidentified(self, line: int, cells: Cells, verdict: Verdict) -> Encoded:
        indexes = [*self._vin_columns, *self._plan.columns.fields.get("stock_number", ())]
        shown = next((index for index in indexes if cells[index].strip()), indexes[0])
        reason = "bad_vin" if verdict.problem == BAD else "no_identifier"
        column = self._plan.columns.headers[shown]
        return self._rejection(Finding(line, column, reason, _short(cells[shown])), None, None)

    def _rejection(self, finding: Finding, vin: str | None, stock: str | None) -> Encoded:
        found = self._empty.copy()
        for at, value in zip(self._at, (vin, stock), strict=False):
            if value is not None and at >= 0:
                found[at] = escape(value)
        column = NULL if finding.column is None else escape(finding.column)
        said = "\t".join((finding.reason, column, escape(finding.value), NULL, *found))
        text = f"{self._file}\t{finding.line}\t{self._dealership}\t0\t{said}\n"
        return Encoded(text, vin, stock, None, None, None, finding, ())

    def _warnings(
        self, line: int, cells: Cells, verdict: Verdict, column: int
    ) -> tuple[Finding, ...]:
        headers = self._plan.columns.headers
        found = self._plan.notes.found
        if not found and not verdict.warnings and verdict.problem in (None, BLANK):
            return ()
        said = list(verdict.warnings)
        if verdict.problem not in (None, BLANK):
            said.append(str(verdict.problem))
        about = [(column, reason, cells[column]) for reason in said]
        return tuple(
            Finding(line, headers[index], reason, _short(cell))
            for index, reason, cell in (*about, *found)
        )


def _picker(indexes: Sequence[int]) -> Callable[[Cells], tuple[str, ...]]:
    """Give what picks those cells of a row."""
    if len(indexes) < 2:  # noqa: PLR2004  itemgetter gives no tuple then
        return lambda cells: tuple(cells[index] for index in indexes)
    return itemgetter(*indexes)


def _none(_cell: str) -> None:
    """Know no common form."""


def _number(found: Sequence[str], at: int) -> int | None:
    return None if at < 0 or found[at] == NULL else int(found[at])


def _plain(found: Sequence[str], at: int) -> str | None:
    if at < 0:
        return None
    text = found[at]
    return unescape(text) if "\\" in text else text


def _short(cell: str) -> str:
    return plain(cell[: 2 * LONGEST_VALUE])[:LONGEST_VALUE]


def _extras(plan: Plan) -> Callable[[Cells], str]:
    """Give what writes the unmapped cells of a row as a JSON object, by header."""
    named: dict[str, int] = {}
    for index in sorted((*plan.columns.unmapped, *plan.columns.also)):
        name = plan.columns.headers[index] or f"column {index + 1}"
        unique = name if name not in named else f"{name} (column {index + 1})"
        named[unique] = index
    pick = _picker(tuple(named.values()))
    pairs = [Memo(partial(_pair, as_json(name)), _MOST_PAIRS, _LONGEST_PAIR) for name in named]

    def write(cells: Cells) -> str:
        found = ",".join(filter(None, map(getitem, pairs, pick(cells))))
        return f"{{{found}}}" if found else NULL

    return write if named else lambda _cells: NULL


def _pair(name: str, cell: str) -> str:
    """Give header and cell as they stand in a JSON object, as COPY text; "" for a blank cell."""
    text = plain(cell)
    return f"{name}:{as_json(text)}" if text and not text.isspace() else ""


def stored(target: Target, line: str) -> dict[str, Any]:
    """Read a vehicle's line back: its fields as they would be stored.

    Integers and JSON lists come as such; money and arrays as the text that is stored.
    """
    found = fields(line)[len(STAGE_HEAD) :]
    return {
        column.field: value if value is None else _READERS.get(column.type, str)(value)
        for column, value in zip(target.columns, found, strict=True)
    }


_READERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "jsonb": json.loads,
    "json": json.loads,
}


def rejection(line: str) -> Finding | None:
    """Read a line's rejection back; ``None``: it is a vehicle's."""
    _, number, _, _, *said = fields("\t".join(line.split("\t", 7)[:7]))
    reason, column, value = said
    return None if reason is None else Finding(int(number or 0), column, reason, value or "")
