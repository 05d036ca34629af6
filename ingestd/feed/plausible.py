"""PURE  Whether what stands under the headers can be what they say, before anything is sent.

Judged by the first rows (``onefile.SAMPLE_ROWS``); evidence: feeds.md sections 4.7 and 6.h, where
a file with 40 valid VINs had ``Make`` = 2025 and ``Model`` = Nissan.  A small lot is never refused
for being small: each rule needs several rows that all say the same.

  * shifted_columns   years stand under the make, or the VINs (years) under another header while
                      the VIN (year) column holds none
  * not_an_inventory  two headers that only customers', orders', deals' or workshops' lists have,
                      with cells that differ; what the feed excludes or maps does not count
  * rows_alike        ten rows or more, and each is the first again
  * prices_alike      twenty rows or more of three different cars, and one price for all
  * a single row is ``shifted`` if its VIN (year) cell holds something else, and another cell
    holds the VIN (a cell beside it the year)
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ingestd.feed.columns import Columns
from ingestd.folding import fold

Cells: TypeAlias = Sequence[str]
Reason: TypeAlias = Literal["shifted_columns", "not_an_inventory", "rows_alike", "prices_alike"]

_FEW, _MOST = 0.2, 0.8
_LEAST_VALUES = 3
_LEAST_ALIKE = 10
_LEAST_PRICES = 20
_LEAST_CARS = 3
_BESIDE = 2
_SHOWN = 3

_VIN_LENGTH = 17
_VIN = re.compile(r"\s*(?=[A-Z0-9]*[0-9])[A-HJ-NPR-Z0-9]{17}\s*\Z", re.IGNORECASE)
_YEAR = re.compile(r"\s*(?:19[0-9]|20[0-4])[0-9](?:\.0+)?\s*\Z")
_YEARLIKE = re.compile(r"\s*'?[0-9]{1,2},?[0-9]{0,3}(?:\.0+)?\s*\Z")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NOTHING = frozenset(("", "-", "--", "n/a", "na", "none", "null", "tbd", "unknown"))

_FOREIGN = {
    "customers": (
        "customer customername customerid customernumber customeremail customerphone custname "
        "custno firstname lastname buyer buyername buyerfirstname buyerlastname cobuyer "
        "cobuyername ownername homephone cellphone dateofbirth leadid leadsource leadstatus "
        "leadtype"
    ),
    "orders": "ordernumber orderno orderid orderdate orderstatus orderedby ponumber purchaseorder",
    "deals": "dealnumber dealno dealdate dealtype salesperson salesman salesmanager fimanager",
    "the workshop": (
        "appointment appointmentdate appointmenttime apptdate appttime appointmentid "
        "serviceadvisor servicedate ronumber rono repairorder repairordernumber opcode laborop"
    ),
}
_KIND_OF = {word: kind for kind, words in _FOREIGN.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Implausible:
    """Why a file as a whole cannot be what it seems."""

    reason: Reason
    message: str


def judge(
    columns: Columns, rows: Sequence[Cells], ignored: Collection[str], least: float
) -> Implausible | None:
    """Say why a file cannot be an inventory that was read right; ``None``: it may be one.

    ``ignored`` are headers that the feed excludes or maps; ``least`` is the feed's lowest price.
    """
    return (
        _foreign(columns.headers, rows, ignored)
        or _shifted(columns, rows)
        or _alike(rows)
        or _one_price(columns, rows, least)
    )


def row_is_shifted(columns: Columns) -> Callable[[Cells], bool]:
    """Give what tells of a row whether its cells stand under the wrong headers."""
    vins, years = columns.fields.get("vin", ()), _years(columns)[:1]
    others = [index for index in range(len(columns.headers)) if index not in vins]
    first = vins[0] if vins else -1

    def shifted(cells: Cells) -> bool:
        if first >= 0 and len(cells[first]) != _VIN_LENGTH and _elsewhere(cells, vins, others):
            return True
        return any(_year_beside(cells, index) for index in years)

    return shifted


def _years(columns: Columns) -> tuple[int, ...]:
    """Give the columns that hold the year and nothing else."""
    return () if "year" in columns.combined else columns.fields.get("year", ())


def _elsewhere(cells: Cells, vins: Sequence[int], others: Iterable[int]) -> bool:
    given = [cells[index] for index in vins if not _is_nothing(cells[index])]
    if not given or any(_VIN.match(cell) for cell in given):
        return False
    return any(len(cells[index]) >= _VIN_LENGTH and _VIN.match(cells[index]) for index in others)


def _year_beside(cells: Cells, index: int) -> bool:
    cell = cells[index]
    if not any(map(str.isalpha, cell)) or _is_nothing(cell) or _YEARLIKE.match(cell):
        return False
    beside = cells[max(0, index - _BESIDE) : index + _BESIDE + 1]
    return any(map(_YEAR.match, beside))


def _is_nothing(cell: str) -> bool:
    return cell.strip().lower() in _NOTHING


def _foreign(
    headers: Sequence[str], rows: Sequence[Cells], ignored: Collection[str]
) -> Implausible | None:
    spared = set(map(fold, ignored))
    found: dict[str, str] = {}
    for index, header in enumerate(headers):
        name = fold(header)
        if name in _KIND_OF and name not in spared and _varies(rows, index):
            found[name] = header
    if len(found) < 2:  # noqa: PLR2004  one may be there by chance
        return None
    kind = _KIND_OF[next(iter(found))]
    listed = ", ".join(repr(header) for header in list(found.values())[:_SHOWN])
    message = (
        f"the columns {listed} are those of a list of {kind}, not of an inventory; send the "
        "inventory, or name these columns under exclude if it is one"
    )
    return Implausible("not_an_inventory", message)


def _varies(rows: Sequence[Cells], index: int) -> bool:
    """Say whether rows differ: a column that names the dealer himself holds one value."""
    return len({row[index] for row in rows if not _is_nothing(row[index])}) > 1


def _shifted(columns: Columns, rows: Sequence[Cells]) -> Implausible | None:
    vins = columns.fields.get("vin", ())
    for own, pattern, what in ((vins, _VIN, "VINs"), (_years(columns), _YEAR, "years")):
        if not own or not _says(rows, own, pattern, at_most=_FEW):
            continue
        for index, header in enumerate(columns.headers):
            if index not in own and _says(rows, (index,), pattern, at_least=_MOST):
                return _shift(columns.headers[own[0]], f"no {what}", header, what)
    for index in columns.fields.get("make", ()):
        if _says(rows, (index,), _YEAR, at_least=_MOST):
            return _shift(columns.headers[index], "years, no makes", "", "")
    return None


def _says(
    rows: Sequence[Cells],
    indexes: Sequence[int],
    pattern: re.Pattern[str],
    *,
    at_least: float = 0.0,
    at_most: float = 1.0,
) -> bool:
    """Say whether the share of filled cells that match lies between the two."""
    given = [row[index] for row in rows for index in indexes if not _is_nothing(row[index])]
    if len(given) < _LEAST_VALUES:
        return False
    return at_least <= sum(1 for cell in given if pattern.match(cell)) / len(given) <= at_most


def _shift(header: str, holds: str, other: str, what: str) -> Implausible:
    there = f", and {other!r} holds {what}" if what else ""
    message = (
        f"the column {header!r} holds {holds}{there}: the cells stand under the wrong headers; "
        "ask the sender to mend the export, or name the columns under [feed.columns]"
    )
    return Implausible("shifted_columns", message)


def _alike(rows: Sequence[Cells]) -> Implausible | None:
    if len(rows) < _LEAST_ALIKE or any(row != rows[0] for row in rows):
        return None
    message = f"all of the first {len(rows)} rows are the same; ask the sender to mend the export"
    return Implausible("rows_alike", message)


def _one_price(columns: Columns, rows: Sequence[Cells], least: float) -> Implausible | None:
    indexes = columns.fields.get("price", ())
    prices = [price for row in rows if (price := _price(row, indexes)) >= max(least, 1)]
    if len(prices) < _LEAST_PRICES or len(prices) < len(rows) or len(set(prices)) > 1:
        return None
    named = [
        columns.fields[name][0] for name in ("make", "model", "year") if name in columns.fields
    ]
    if len({tuple(row[index] for index in named) for row in rows}) < _LEAST_CARS:
        return None
    message = (
        f"all of the first {len(rows)} rows have the price {prices[0]:g}, whatever the car; ask "
        "the sender to mend the export, or take the column out of the feed by exclude"
    )
    return Implausible("prices_alike", message)


def _price(row: Cells, indexes: Sequence[int]) -> float:
    for index in indexes:
        found = _NUMBER.search(row[index].replace(",", "")[:40])
        if found and float(found[0]) > 0:
            return float(found[0])
    return 0.0
