"""Rule group: the guard.  Is a delivery plausible, and what may it deactivate?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.meaning.nouns import APART, BLANK, DAY, UNREADABLE, Agreement, Footer, Sheet

FEWEST = 10  # rows or vehicles concerned, below which no share is judged
Ids = frozenset[int]


@dataclass
class Hold:
    """Deactivations that are held: what the first delivery listed, and who confirmed it."""

    first: Ids
    latest: datetime
    confirmed: int = 0


@dataclass
class Standing:
    """What is remembered of a feed at a dealership."""

    key: tuple[datetime, int] | None = None  # of the latest delivery applied
    listed: Ids = frozenset()  # by the last accepted delivery
    ever: Ids = frozenset()  # by any delivery: what it never listed it cannot lose
    full: bool = True  # its feed lists the whole lot
    baseline: Ids | None = None
    hold: Hold | None = None
    raw: frozenset[str] = frozenset()  # its lines without an identifier
    prices: dict[int, int | None] = field(default_factory=dict)
    readable: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a delivery would do."""

    at: datetime
    rows: int
    rejected: int
    listed: Ids
    seen: Ids  # listed, or named by a rejected row and listed before
    existing: Ids
    prices: Mapping[int, int | None]  # what it would set
    suspended: bool  # some of its rows may be vehicles that it seems to lack
    readable: Mapping[str, tuple[int, int]]  # by column: cells that say something, usable ones


def everything(feed: Agreement, standing: Standing, facts: Facts) -> str | None:
    """Why all of it is held; None: it is not."""
    if facts.rows >= FEWEST and facts.rejected * 2 > facts.rows:
        return "rejected_rows"
    if any(_unreadable(name, standing, facts) for name in facts.readable):
        return "unreadable_column"
    if _prices_jump(standing, facts):
        return "price_jump"
    return "another_lot" if feed.mode == "full" and _another_lot(standing, facts) else None


def _another_lot(standing: Standing, facts: Facts) -> bool:
    """Twenty and twenty, and hardly any in common: of the smaller lot, for it may be a part."""
    smaller = min(len(facts.listed), len(standing.listed))
    return smaller >= 20 and len(standing.listed & facts.seen) < 0.1 * smaller


def _unreadable(name: str, standing: Standing, facts: Facts) -> bool:
    cells, usable = facts.readable[name]
    now_bad = cells >= FEWEST and usable * 2 < cells
    return now_bad and standing.readable.get(name, 0.0) > 0.9


def _prices_jump(standing: Standing, facts: Facts) -> bool:
    """Against what this feed applied last, never against the table."""
    pairs = [(standing.prices.get(it, None), price) for it, price in facts.prices.items()]
    both = [(before, after) for before, after in pairs if before and after]
    jumped = [1 for before, after in both if abs(after - before) * 2 > before]
    return len(both) >= FEWEST and len(jumped) * 2 > len(both)


def lost(standing: Standing, facts: Facts) -> Ids:
    """What the baseline had and this delivery has not."""
    return ((standing.baseline or frozenset()) & facts.existing) - facts.seen


def too_many(standing: Standing, facts: Facts) -> bool:
    """More than max(35 %, 10 % for each day since the last accepted delivery), and than five.

    That a lot is empty is never believed.
    """
    gone = len(lost(standing, facts))
    had = len((standing.baseline or frozenset()) & facts.existing)
    if not facts.rows and gone:
        return True
    if standing.key is None or had < FEWEST or gone <= 5:
        return False
    days = (facts.at - standing.key[0]) / DAY
    return gone / had > max(0.35, 0.1 * days)


def confirms(standing: Standing, facts: Facts) -> bool:
    """Whether this delivery is the third that agrees with the one first held.

    Two empty lots share nothing, so they never agree.  What may lack vehicles confirms nothing.
    """
    hold = standing.hold
    if hold is None or len(hold.first & facts.seen) < 0.9 * max(1, len(hold.first | facts.seen)):
        standing.hold = Hold(facts.seen, facts.at)
        return False
    if not facts.suspended and facts.at - hold.latest >= APART:
        hold.confirmed, hold.latest = hold.confirmed + 1, facts.at
    return hold.confirmed >= 3


def readable(sheets: Iterable[Sheet]) -> Iterator[tuple[str, tuple[int, int]]]:
    """By column: cells that are not blank, and those of them that can be used."""
    for name in ("vin", "year", "price"):
        cells = [
            row.get(name, BLANK)
            for sheet in sheets
            for row in sheet.rows
            if not isinstance(row, Footer) and name in sheet.columns
        ]
        said = [cell for cell in cells if cell is not BLANK]
        yield name, (len(said), sum(cell is not UNREADABLE for cell in said))


def shares(facts: Facts) -> dict[str, float]:
    """The usable share of each column that has enough cells."""
    found = facts.readable.items()
    return {name: usable / cells for name, (cells, usable) in found if cells >= FEWEST}
