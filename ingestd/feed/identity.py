"""PURE  Which rows of a delivery are one vehicle.

* The same VIN again: the last row wins; what it lacks of make, model, year and stock number
  comes from the rows it replaces, which are duplicates.
* A VIN on rows that differ in make, model or year *and* in stock number is a dummy: none of
  them has it (``vin_repeated``), and they fall back on their stock numbers.
* Rows without VIN join by stock number, and join the one VIN that has it on any of its rows,
  where make and year (give or take one) agree; where they do not, or several VINs have it, the
  rows without VIN are ``ambiguous_stock_number``.  Rows with different VINs are never merged.

Rows are kept as one packed string each (about 120 bytes), in the order in which they stand.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingestd.model import Duplicate, Finding, Identity

_SEPARATOR = "\x1f"
_YEARS_APART = 1


@dataclass(slots=True)
class Row:
    """A row's light keys; a vehicle's, once the rows it replaces have lent it theirs."""

    file: int
    line: int
    vin: str | None
    stock_number: str | None
    make: str | None
    model: str | None
    year: int | None
    changed: bool = False

    def place(self) -> tuple[int, int]:
        """Give where the row stands."""
        return self.file, self.line


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the rows of a delivery are to each other.

    ``rejected`` pairs the file's index with what is wrong; ``repeated`` are the dummy VINs,
    each with the rows (file, line) that held it.
    """

    duplicates: tuple[Duplicate, ...] = ()
    identities: tuple[Identity, ...] = ()
    rejected: tuple[tuple[int, Finding], ...] = ()
    repeated: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()


class Rows:
    """The rows of a delivery, as they come; ``resolve`` at the end."""

    def __init__(self) -> None:
        """Begin with none."""
        self._packed: list[str] = []

    def add(self, file: int, line: int, keys: Sequence[str | None], year: int | None) -> None:
        """Take a row: ``keys`` are vin, stock_number, make, model."""
        vin, stock_number, make, model = keys
        self._packed.append(
            f"{vin or ''}\x1f{stock_number or ''}\x1f{make or ''}\x1f{model or ''}"
            f"\x1f{year or ''}\x1f{file}\x1f{line}"
        )

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self._packed)

    def resolve(self) -> Resolution:
        """Decide which rows are one vehicle."""
        return _Resolving(self._concerned()).result()

    def _concerned(self) -> list[Row]:
        """Unpack the rows that share a VIN or a stock number with another: the few that matter."""
        vins = _repeated(packed.split(_SEPARATOR, 1)[0] for packed in self._packed)
        stocks = _repeated(_stock_key(packed.split(_SEPARATOR, 2)[1]) for packed in self._packed)
        rows = []
        for packed in self._packed:
            vin, stock, _ = packed.split(_SEPARATOR, 2)
            if hash(vin) in vins or hash(_stock_key(stock)) in stocks:
                rows.append(_unpack(packed))
        return rows


def _repeated(keys: Iterable[str]) -> set[int]:
    """Give the hashes of keys that occur again; an equal hash is looked at, not believed."""
    seen: set[int] = set()
    again: set[int] = set()
    for key in keys:
        if key:
            number = hash(key)
            (again if number in seen else seen).add(number)
    return again


def _stock_key(stock_number: str) -> str:
    return stock_number.casefold()


def _unpack(packed: str) -> Row:
    vin, stock_number, make, model, year, file, line = packed.split(_SEPARATOR)
    return Row(
        int(file),
        int(line),
        vin or None,
        stock_number or None,
        make or None,
        model or None,
        int(year) if year else None,
    )


class _Resolving:
    """The rules, one after the other, over the rows concerned."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.replaced: dict[tuple[int, int], Row] = {}
        #: Of a VIN that stands on several rows, by the one that counts: their stock numbers.
        self.stocks: dict[tuple[int, int], list[str]] = {}
        self.rejected: list[tuple[int, Finding]] = []
        self.repeated: list[tuple[str, tuple[tuple[int, int], ...]]] = []

    def result(self) -> Resolution:
        vehicles = self._by_vin()
        self._by_stock_number(vehicles)
        gone = {(file, finding.line) for file, finding in self.rejected}
        identities = tuple(
            Identity(r.file, r.line, r.vin, r.stock_number, r.make, r.model, r.year)
            for r in self.rows
            if r.changed and r.place() not in self.replaced and r.place() not in gone
        )
        return Resolution(
            tuple(self._duplicates()), identities, tuple(self.rejected), tuple(self.repeated)
        )

    def _duplicates(self) -> Iterator[Duplicate]:
        for (file, line), by in self.replaced.items():
            last = self._standing(by)
            yield Duplicate(file, line, last.file, last.line)

    def _standing(self, row: Row) -> Row:
        """Give the row that counts instead of one that others may have replaced."""
        while row.place() in self.replaced:
            row = self.replaced[row.place()]
        return row

    def _by_vin(self) -> list[Row]:
        """Merge the rows of each VIN; give what stands: a row a VIN, and every row without."""
        groups = _groups(self.rows, lambda row: row.vin)
        for vin, rows in groups.items():
            if _different_cars(rows):
                self._strip(vin, rows)
            else:
                stocks = [row.stock_number or "" for row in rows]
                self.stocks[self._merge(rows).place()] = stocks
        return [row for row in self.rows if row.place() not in self.replaced]

    def _strip(self, vin: str, rows: Sequence[Row]) -> None:
        self.repeated.append((vin, tuple(row.place() for row in rows)))
        for row in rows:
            row.vin, row.changed = None, True
            if row.stock_number is None:
                self.rejected.append((row.file, Finding(row.line, None, "vin_repeated", vin)))

    def _merge(self, rows: Sequence[Row]) -> Row:
        """Let the last row win, and lend it what it lacks, from the latest that has it."""
        *earlier, last = rows
        for row in reversed(earlier):
            last.vin = last.vin or row.vin
            last.stock_number = last.stock_number or row.stock_number
            last.make = last.make or row.make
            last.model = last.model or row.model
            last.year = last.year or row.year
            last.changed = True
            self.replaced[row.place()] = last
        return last

    def _by_stock_number(self, vehicles: Sequence[Row]) -> None:
        for rows in self._by_each_stock_number(vehicles):
            bare = [row for row in rows if row.vin is None]
            owners = [row for row in rows if row.vin is not None]
            if len(owners) > 1:
                self._ambiguous(bare)
            elif owners:
                self._join(owners[0], bare)
            elif _agree(bare):
                self._merge(bare)
            else:
                self._ambiguous(bare)

    def _by_each_stock_number(self, vehicles: Sequence[Row]) -> Iterable[list[Row]]:
        groups: defaultdict[str, list[Row]] = defaultdict(list)
        for row in vehicles:
            own = self.stocks.get(row.place(), [row.stock_number or ""])
            for key in dict.fromkeys(map(_stock_key, own)):
                if key:
                    groups[key].append(row)
        return groups.values()

    def _join(self, vin_row: Row, bare: Sequence[Row]) -> None:
        """Make one vehicle of a VIN and the rows without, those that agree with it.

        A number that the VIN bore on an earlier row of its own is not its number any more.
        """
        owner = self._standing(vin_row)
        same = [row for row in bare if _agree((owner, row))]
        if not _agree((owner, *same)):
            same = []
        stock = owner.stock_number
        last = self._merge(sorted((owner, *same), key=Row.place))
        if stock and _differ(stock, last.stock_number):
            last.stock_number = stock
        kept = {row.place() for row in same}
        self._ambiguous(row for row in bare if row.place() not in kept)

    def _ambiguous(self, rows: Iterable[Row]) -> None:
        for row in rows:
            value = row.stock_number or ""
            finding = Finding(row.line, None, "ambiguous_stock_number", value)
            self.rejected.append((row.file, finding))


def _groups(rows: Iterable[Row], key: Callable[[Row], str | None]) -> dict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        name = key(row)
        if name:
            groups[name].append(row)
    return groups


def _different_cars(rows: Sequence[Row]) -> bool:
    """Say whether two rows of one VIN differ in make, model or year, and in stock number.

    Of pairs of two known things, two pairs differ in both unless one of the things is the same
    in all of them.
    """
    return any(_two_cars(rows, thing) for thing in (_make, _model, _year))


def _two_cars(rows: Sequence[Row], thing: Callable[[Row], object]) -> bool:
    pairs = {(_stock_key(r.stock_number), thing(r)) for r in rows if r.stock_number and thing(r)}
    return len({stock for stock, _ in pairs}) > 1 and len({value for _, value in pairs}) > 1


def _make(row: Row) -> str:
    return (row.make or "").casefold()


def _model(row: Row) -> str:
    return (row.model or "").casefold()


def _year(row: Row) -> int | None:
    return row.year


def _differ(one: object, other: object) -> bool:
    """Say whether both are known and not the same."""
    return bool(one) and bool(other) and str(one).casefold() != str(other).casefold()


def _agree(rows: Sequence[Row]) -> bool:
    """Say whether all rows may be one car: one make, years at most one apart, where known."""
    makes = {row.make.casefold() for row in rows if row.make}
    years = [row.year for row in rows if row.year]
    return len(makes) <= 1 and (not years or max(years) - min(years) <= _YEARS_APART)
