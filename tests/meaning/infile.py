"""Rule group: in one file.  Which rows of a delivery are one vehicle, and which are none."""

from dataclasses import dataclass, field, replace
from itertools import combinations

from tests.meaning.entries import Entry, Refused, lent, same_car
from tests.meaning.nouns import Place, folded


@dataclass
class Resolved:
    """``entries`` are vehicles, one each; ``stood_for`` has the place of what replaced a row."""

    entries: list[Entry] = field(default_factory=list)
    duplicates: dict[Place, Place] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    junk: set[str] = field(default_factory=set)


def resolve(entries: list[Entry]) -> Resolved:
    """First by VIN, then by stock number."""
    found = Resolved()
    kept = _by_vin(entries, found)
    found.entries = sorted(_by_stock(kept, entries, found), key=lambda entry: entry.place)
    return found


def _by_vin(entries: list[Entry], found: Resolved) -> list[Entry]:
    kept = [entry for entry in entries if entry.vin is None]
    for vin in sorted({entry.vin for entry in entries if entry.vin}):
        rows = [entry for entry in entries if entry.vin == vin]
        if any(_different_cars(one, other) for one, other in combinations(rows, 2)):
            found.junk.add(vin)
            kept += _stripped(rows, found)
        else:
            kept.append(_merged(rows, found))
    return sorted(kept, key=lambda entry: entry.place)


def _different_cars(one: Entry, other: Entry) -> bool:
    """One VIN, but another make, model or year, and another stock number as well."""
    if not _differ(folded(one.stock_number), folded(other.stock_number)):
        return False
    pairs = ((one.make, other.make), (one.model, other.model), (one.year, other.year))
    return any(_differ(*pair) for pair in pairs)


def _differ(one: object, other: object) -> bool:
    return bool(one) and bool(other) and str(one).lower() != str(other).lower()


def _stripped(rows: list[Entry], found: Resolved) -> list[Entry]:
    """The VIN is junk for all of them: those that have a stock number go by it."""
    for row in rows:
        if row.stock_number is None:
            found.refused.append(Refused(row.place, "vin_repeated"))
    return [replace(row, vin=None) for row in rows if row.stock_number is not None]


def _merged(rows: list[Entry], found: Resolved) -> Entry:
    """The last row wins; what it lacks comes from the latest that has it."""
    *earlier, last = sorted(rows, key=lambda row: row.place)
    for row in reversed(earlier):
        found.duplicates[row.place] = last.place
        last = lent(last, row)
    return last


def _by_stock(kept: list[Entry], entries: list[Entry], found: Resolved) -> list[Entry]:
    """Rows without VIN join each other, or the one VIN that bears their number on any row."""
    vins = {entry.vin: entry for entry in kept if entry.vin}
    numbers = {vin: _numbers(vin, entry, entries) for vin, entry in vins.items()}
    bare = [entry for entry in kept if entry.vin is None]
    result = [entry for entry in bare if not folded(entry.stock_number)]
    for stock in dict.fromkeys(folded(entry.stock_number) for entry in bare):
        rows = [entry for entry in bare if folded(entry.stock_number) == stock]
        owners = [vin for vin, own in numbers.items() if stock in own]
        if not stock:
            continue
        if len(owners) == 1:
            vins[owners[0]] = _joined(vins[owners[0]], rows, found)
        elif not owners and _agree(rows):
            result.append(_merged(rows, found))
        else:
            _ambiguous(rows, found)
    return result + list(vins.values())


def _numbers(vin: str, kept: Entry, entries: list[Entry]) -> set[str]:
    """Every stock number that stands beside a VIN."""
    rows = [kept, *(entry for entry in entries if entry.vin == vin)]
    return {folded(entry.stock_number) for entry in rows} - {""}


def _joined(owner: Entry, bare: list[Entry], found: Resolved) -> Entry:
    """Rows without VIN that agree with the one that has it are the same vehicle.

    It keeps its own number where the rows have one that it bore on an earlier row.
    """
    same = [row for row in bare if same_car(owner, row)]
    if not _agree([owner, *same]):
        same = []
    _ambiguous([row for row in bare if row not in same], found)
    merged = _merged([owner, *same], found)
    own = owner.stock_number
    another = own and folded(own) != folded(merged.stock_number)
    return replace(merged, stock_number=own) if another else merged


def _agree(rows: list[Entry]) -> bool:
    return all(same_car(one, other) for one, other in combinations(rows, 2))


def _ambiguous(rows: list[Entry], found: Resolved) -> None:
    for row in rows:
        refusal = Refused(row.place, "ambiguous_stock_number", stock_number=row.stock_number)
        found.refused.append(refusal)
