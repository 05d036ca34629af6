"""PURE  The columns of one file: what ``mapping`` finds and ``cells`` reads by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestd.feed.numbers import Unit


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: indexes into ``headers``, by field and in order of preference.

    ``parts`` are those image columns that hold one picture each; ``units`` says in which unit
    a mileage column's own name puts it, ``unit`` which column says so row by row.
    ``engine`` are the columns of displacement, block and cylinders (-1: none), of which an engine
    is made where no cell describes it; ``combined`` are the fields that are read from a cell with
    year, make and model in one.  ``also`` are columns that are used and kept as extras as well.
    ``flags`` are columns of yes and no, with what each says (``""``: nothing); ``cents`` whether
    prices are stated in cents.
    """

    headers: tuple[str, ...]
    fields: Mapping[str, tuple[int, ...]]
    unmapped: tuple[int, ...]
    parts: tuple[int, ...] = ()
    units: Mapping[int, Unit] = field(default_factory=dict)
    unit: int | None = None
    engine: tuple[int, int, int] | None = None
    combined: frozenset[str] = frozenset()
    also: tuple[int, ...] = ()
    flags: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    cents: bool = False

    def identified(self) -> bool:
        """Say whether a row of this file can have an identifier."""
        return "vin" in self.fields or "stock_number" in self.fields

    def shown(self) -> dict[str, tuple[str, ...]]:
        """Give the headers of each field, as people see them."""
        return {
            field: tuple(self.headers[index] for index in indexes)
            for field, indexes in self.fields.items()
        }

    def leftover(self) -> tuple[str, ...]:
        """Give the headers that no field took."""
        return tuple(self.headers[index] for index in self.unmapped)
