"""Rule group: identity.  Which stored vehicle of its dealership a row means."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.meaning.entries import Entry, Refused, same_car, same_model, same_stock
from tests.meaning.nouns import Place, Vehicle, provisional


@dataclass
class Matched:
    """``means``: the stored vehicle of a row, None for a new one."""

    means: dict[Place, Vehicle | None] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    remembered: set[Place] = field(default_factory=set)
    #: Rows with a placeholder beside the row with the VIN that replaced it.
    leftovers: list[Place] = field(default_factory=list)


@dataclass
class Lot:
    """One dealership's vehicles, and what its VINs once were.

    ``once`` has, by a provisional VIN that was replaced, the vehicle that bore it, and its VIN.
    """

    vehicles: list[Vehicle]
    once: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def by_vin(self, vin: str) -> Vehicle | None:
        """Of two stored with one VIN: the active, then the newest."""
        found = [vehicle for vehicle in self.vehicles if vehicle.key() == vin]
        return max(found, key=lambda it: (it.on_offer(), it.id), default=None)

    def named(self, entry: Entry) -> Vehicle | None:
        if entry.vin is None:
            return None
        return self.remembered(entry) or self.by_vin(entry.vin)

    def remembered(self, entry: Entry) -> Vehicle | None:
        """The vehicle that bore a provisional VIN before it got its own, if it is such a car."""
        known = self.once.get(entry.vin or "")
        bore = next((it for it in self.vehicles if (it.id, it.key()) == known), None)
        return bore if bore is not None and same_model(entry, bore) else None


def match(entries: Iterable[Entry], lot: Lot, foreign: set[str]) -> Matched:
    """Match by VIN, then by stock number.  VINs in ``foreign`` are another dealership's."""
    found, open_entries = Matched(), []
    for entry in entries:
        vehicle = _by_vin(entry, lot)
        if vehicle is not None:
            found.means[entry.place] = vehicle
            if vehicle.key() != entry.vin:
                found.remembered.add(entry.place)
        elif entry.vin in foreign:
            names = (entry.vin, entry.stock_number)
            found.refused.append(Refused(entry.place, "vin_of_other_dealership", *names))
        else:
            open_entries.append(entry)
    _leave_out(found)
    _by_stock(open_entries, lot, found)
    for entry in open_entries:
        if entry.place not in found.means:
            _as_new(entry, found)
    return found


def _leave_out(found: Matched) -> None:
    """A row with a placeholder is a duplicate where the vehicle has a row with its VIN."""
    count = Counter(vehicle.id for vehicle in found.means.values() if vehicle is not None)
    for place, vehicle in list(found.means.items()):
        if vehicle is not None and count[vehicle.id] > 1 and place in found.remembered:
            found.leftovers.append(place)
            del found.means[place]


def _by_vin(entry: Entry, lot: Lot) -> Vehicle | None:
    return lot.named(entry)


def _by_stock(entries: list[Entry], lot: Lot, found: Matched) -> None:
    """The one candidate; a vehicle that two rows claim is none's (those without VIN fail)."""
    taken = {vehicle.id for vehicle in found.means.values() if vehicle is not None}
    claims = {entry.place: _candidates(entry, lot, taken) for entry in entries}
    count = Counter(vehicle.id for vehicles in claims.values() for vehicle in vehicles)
    for entry in entries:
        vehicles = claims[entry.place]
        shared = any(count[vehicle.id] > 1 for vehicle in vehicles)
        if len(vehicles) > 1 or (shared and entry.vin is None):
            found.refused.append(_ambiguous(entry))
        elif vehicles and not shared:
            found.means[entry.place] = vehicles[0]


def _ambiguous(entry: Entry) -> Refused:
    return Refused(entry.place, "ambiguous_stock_number", entry.vin, entry.stock_number)


def _candidates(entry: Entry, lot: Lot, taken: set[int]) -> list[Vehicle]:
    """What is on offer; if nothing is, what ingestd switched off in the last 30 days."""
    free = [it for it in lot.vehicles if it.id not in taken and _may_be(entry, it)]
    on_offer = [vehicle for vehicle in free if vehicle.on_offer()]
    return on_offer or [vehicle for vehicle in free if vehicle.off is not None]


def _may_be(entry: Entry, vehicle: Vehicle) -> bool:
    """Same stock number and car, where the row or the vehicle has no VIN that counts."""
    if not same_stock(entry, vehicle):
        return False
    if entry.vin is None or vehicle.key() is None:
        return same_car(entry, vehicle)
    return _succeeds(entry, vehicle)


def _succeeds(entry: Entry, vehicle: Vehicle) -> bool:
    """Whether a row has the final VIN of a vehicle that is stored with a provisional one."""
    if not provisional(vehicle.key()) or provisional(entry.vin):
        return False
    theirs = (entry.make, entry.model, entry.year)
    return None not in theirs and theirs == (vehicle.make, vehicle.model, vehicle.year)


def _as_new(entry: Entry, found: Matched) -> None:
    """What is to be inserted needs make, model and year."""
    if any(refused.place == entry.place for refused in found.refused):
        return
    for name in ("make", "model", "year"):
        if getattr(entry, name) is None:
            refusal = Refused(entry.place, f"{name}_missing", entry.vin, entry.stock_number)
            found.refused.append(refusal)
            return
    found.means[entry.place] = None
