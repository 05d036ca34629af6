"""Rule group: absence.  What a delivery lists, what it misses, and what that leads to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.meaning.entries import Refused, same_stock
from tests.meaning.guard import Ids
from tests.meaning.matching import Lot
from tests.meaning.nouns import APART, Agreement, Key, Vehicle


@dataclass(frozen=True)
class Listing:
    """The vehicles that a delivery lists; ``sighted`` are those that only a rejected row names."""

    listed: frozenset[int]
    sighted: frozenset[int] = frozenset()

    def seen(self) -> frozenset[int]:
        return self.listed | self.sighted


def sighted(refused: Iterable[Refused], lot: Lot) -> frozenset[int]:
    """The dealership's own vehicles that rejected rows name."""
    lines = list(refused)
    return frozenset(it.id for it in lot.vehicles if any(_names(line, it) for line in lines))


def _names(line: Refused, vehicle: Vehicle) -> bool:
    """By VIN; by stock number where the row or the vehicle has no VIN."""
    if line.vin is not None and vehicle.key() is not None:
        return line.vin == vehicle.key()
    return same_stock(line, vehicle)


def note(feed: Agreement, key: Key, listing: Listing, lot: Lot) -> None:
    """A sighting sets the misses to 0; the latest listing, by order key, says whose it is."""
    for vehicle in lot.vehicles:
        if vehicle.id in listing.seen():
            vehicle.misses = 0
        if vehicle.id in listing.listed and (vehicle.listed is None or vehicle.listed <= key):
            vehicle.lister, vehicle.listed = feed.name, key


def on_again(lot: Lot, meant: Ids) -> None:
    """Who switched a vehicle on has seen it.  A person's word on a twin is remembered."""
    for vehicle in lot.vehicles:
        known = vehicle.off is not None and (vehicle.off != "twin" or vehicle.id in meant)
        if vehicle.on_offer() and known:
            vehicle.off, vehicle.misses = None, 0


def miss(feed: Agreement, at: datetime, listing: Listing, lot: Lot) -> int:
    """Count a miss of each vehicle this feed listed last; tell how many it switches off."""
    return sum(_missed(feed, at, it) for it in lot.vehicles if _can_miss(feed, it, listing))


def _can_miss(feed: Agreement, vehicle: Vehicle, listing: Listing) -> bool:
    deactivates = feed.mode == "full" and feed.missing == "deactivate"
    return deactivates and vehicle.lister == feed.name and vehicle.id not in listing.seen()


def _missed(feed: Agreement, at: datetime, vehicle: Vehicle) -> bool:
    """What was missed often enough goes off, and no more is counted."""
    apart = vehicle.missed is None or at - vehicle.missed >= APART
    if apart and vehicle.misses < feed.missing_after:
        vehicle.misses, vehicle.missed = vehicle.misses + 1, at
    return vehicle.misses >= feed.missing_after and switch_off(vehicle)


def drop(feed: Agreement, lost: frozenset[int], lot: Lot) -> int:
    """Switch off at once what a confirmed or approved delivery has lost."""
    mine = [it for it in lot.vehicles if it.id in lost and it.lister == feed.name]
    return sum(map(switch_off, mine))


def switch_off(vehicle: Vehicle) -> bool:
    """Never deleted; what is off already stays as it is."""
    if not vehicle.on_offer():
        return False
    vehicle.is_active, vehicle.off = False, "missing"
    return True
