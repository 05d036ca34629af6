"""What a story is told in: feeds, deliveries and their cells, vehicles, and what comes of them.

A column that a sheet does not name is absent from the file.  A field that a row leaves out of a
column that is there is a blank cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum


class Said(Enum):
    """What a cell says if it says no value."""

    BLANK = "blank"
    UNREADABLE = "unreadable"
    WORDS = "words"  # "Call": there is a price, and it is not told


BLANK, UNREADABLE, WORDS = Said.BLANK, Said.UNREADABLE, Said.WORDS
Cell = str | int | Said
Row = Mapping[str, Cell]

IDENTITY = ("vin", "stock_number", "make", "model", "year")
VALUES = ("trim", "mileage", "price")
COLUMNS = (*IDENTITY, *VALUES, "status")
#: Words for where a car stands in its sale.
STATUS = {
    "In Stock": "active",
    "In Transit": "active",
    "Pending": "pending",
    "Sold": "sold",
}
#: Line of a sheet's first row: the header is line 1.
FIRST = 2

DAY = timedelta(days=1)
#: Two misses of one vehicle, and two deliveries that confirm a hold, are so far apart.
APART = timedelta(hours=20)
Place = tuple[int, int]  # of a row: its file and its line
Key = tuple[datetime, int]  # the order of deliveries: first seen, number


@dataclass(frozen=True)
class Footer:
    """A line that is no vehicle's, as the dealer writes it under the table."""

    text: str


@dataclass(frozen=True)
class Sheet:
    """One file.  ``broken``: nothing in it can be read.  ``cut_off``: it ends within its last row,
    after VIN and stock number, which are its first columns.

    ``part``: these are one rooftop's rows of a group file, and there may be none.
    """

    rows: tuple[Row | Footer, ...]
    columns: tuple[str, ...] = COLUMNS
    name: str = "lot.tsv"
    broken: bool = False
    cut_off: bool = False
    part: bool = False

    def __repr__(self) -> str:
        lines = "\n    ".join(str(row) for row in self.rows)
        absent = [name for name in COLUMNS if name not in self.columns]
        kinds = [kind for kind in ("broken", "cut_off", "part") if getattr(self, kind)]
        return f"{self.name} without {absent} {kinds}:\n    {lines}\n"


@dataclass(frozen=True)
class Agreement:
    """A feed, as far as it has a meaning for the vehicles."""

    name: str
    dealership: int
    mode: str = "full"
    missing: str = "deactivate"
    missing_after: int = 3
    blank: str = "clear"
    vin_conflict: str = "move"
    rooftops: Mapping[str, int] = field(default_factory=dict)  # of a group file: id, dealership


@dataclass(frozen=True)
class Sent:
    """A delivery in the ledger: its order key is (``at``, ``number``)."""

    number: int
    at: datetime
    sheets: tuple[Sheet, ...]

    def key(self) -> Key:
        return self.at, self.number


@dataclass
class Vehicle:
    """A row of the table, and what the books have on it."""

    id: int
    dealership: int
    vin: str | None = None
    stock_number: str | None = None
    make: str | None = None
    model: str | None = None
    year: int | None = None
    trim: str | None = None
    mileage: int | None = None
    price: int | None = None
    status: str = "active"
    is_active: bool = True
    #: Why ingestd switched it off: sold, twin or missing; None while it did not.
    off: str | None = None
    lister: str | None = None  # the feed that last listed it
    listed: Key | None = None  # by its latest listing
    misses: int = 0
    missed: datetime | None = None

    def shown(self) -> tuple[object, ...]:
        """The row of the table alone."""
        return (self.dealership, *(getattr(self, name) for name in COLUMNS), self.is_active)

    def on_offer(self) -> bool:
        return self.is_active and self.status != "sold"

    def key(self) -> str | None:
        """The stored VIN as VINs are compared; '' is none."""
        return (self.vin or "").strip().upper() or None


@dataclass(frozen=True)
class Told:
    """What is told of one delivery."""

    outcomes: tuple[str, ...] = ()  # file by file
    reason: str | None = None  # where everything was held, or nothing could be read
    #: Without duplicates and rejections.
    lines: Mapping[Place, str] = field(default_factory=dict, repr=False)
    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: frozenset[tuple[int, int, str]] = frozenset()  # file, line, reason
    deactivated: int = 0
    reactivated: int = 0
    held_deactivations: int = 0


def folded(stock_number: str | None) -> str:
    """A stock number as it is compared."""
    return (stock_number or "").strip().lower()


def provisional(vin: str | None) -> bool:
    """Whether a VIN is a factory placeholder: Toyota's, with a letter in the serial number."""
    toyota = bool(vin) and str(vin)[:2] in ("2T", "4T", "5T", "JT")
    return toyota and any(sign.isalpha() for sign in str(vin)[12:])
