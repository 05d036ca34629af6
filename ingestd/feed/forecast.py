"""PURE  What would become of an inspected file, as far as that shows without the database.

* Held as a whole: too many of its rows are rejected, or it names several dealers and the feed
  has no map of them.
* Rows that lack make, model or year can only be of vehicles that are stored already: a vehicle
  to be inserted needs all three.  Whether it is stored only the database knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingestd.config import Feed
from ingestd.thresholds import FEWEST

_SHOWN = 5  # values of the column with the dealer's id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the rows of one file show.

    ``counted``: by dealership (``None``: the feed's own) rows, and those of them rejected.
    ``lacking`` counts rows without make, model, year, by field; ``uninsertable`` those that lack
    one at least.  ``absent``: of these fields those without a column.  ``dealer``: the header of
    the column with the dealer's id, ``dealers`` its values.
    """

    counted: Mapping[int | None, tuple[int, int]] = field(default_factory=dict)
    lacking: Mapping[str, int] = field(default_factory=dict)
    uninsertable: int = 0
    absent: Sequence[str] = ()
    dealer: str = ""
    dealers: Sequence[str] = ()


def held(outlook: Outlook, feed: Feed) -> tuple[str, str] | None:
    """Give the reason for which the file would be held, and what to do; None: not by its rows."""
    if len(outlook.dealers) > 1 and not (feed.rooftops and feed.rooftops.map):
        return "several_dealers", (
            f"column {outlook.dealer!r} has several values ({_some(outlook.dealers)}): whose each"
            " row is must be said under [feed.rooftops], with the dealership of each value"
        )
    for number, (rows, rejected) in outlook.counted.items():
        if _too_many(rows, rejected, feed):
            whose = "" if number is None else f" of dealership {number}"
            return "rejected_rows", (
                f"{rejected} of {rows} rows{whose} are rejected, more than [feed.guard]"
                " most_rejected puts up with; the reasons are below"
            )
    return None


def warnings(outlook: Outlook, feed: Feed) -> tuple[str, ...]:
    """Say which rows are rejected where their vehicles are not stored yet, and what to do."""
    return tuple(_warnings(outlook, feed))


def _warnings(outlook: Outlook, feed: Feed) -> Iterator[str]:
    rows = sum(found for found, _ in outlook.counted.values())
    rejected = sum(found for _, found in outlook.counted.values())
    for name, count in outlook.lacking.items():
        if name in outlook.absent:
            yield (
                f"no column for {name}: rows of vehicles that are not stored yet will be rejected"
                f' ({name}_missing); give [feed.columns] {name} = ["…"], or [feed.defaults] {name}'
                " if it is the same for all"
            )
        else:
            yield (
                f"{count} of {rows} rows give no {name}: those of vehicles that are not stored yet"
                f" will be rejected ({name}_missing)"
            )
    if outlook.uninsertable and _too_many(rows, rejected + outlook.uninsertable, feed):
        yield (
            "a dealership with no vehicles stored yet would have this file held as a whole"
            " (rejected_rows)"
        )


def _too_many(rows: int, rejected: int, feed: Feed) -> bool:
    return rows >= FEWEST and rejected > feed.guard.most_rejected * rows


def _some(values: Sequence[str]) -> str:
    more = ", …" if len(values) > _SHOWN else ""
    return ", ".join(map(repr, values[:_SHOWN])) + more
