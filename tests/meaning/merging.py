"""Rule group: status, and what becomes of a stored vehicle's values."""

from collections.abc import Iterable
from dataclasses import replace

from tests.meaning.entries import Entry, same_car, same_stock
from tests.meaning.matching import Lot
from tests.meaning.nouns import IDENTITY, Vehicle, provisional


def inserted(entry: Entry, vehicle: Vehicle) -> Vehicle:
    """A new vehicle: active unless its row says otherwise."""
    for name in IDENTITY:
        setattr(vehicle, name, getattr(entry, name))
    for name, value in entry.values.items():
        setattr(vehicle, name, value)
    vehicle.status = entry.status or "active"
    vehicle.is_active = vehicle.status != "sold"
    vehicle.off = None if vehicle.is_active else "sold"
    return vehicle


def updated(entry: Entry, vehicle: Vehicle, spelt: set[str]) -> bool:
    """Bring a stored vehicle to what its row says; tell whether anything changed.

    ``spelt`` are the VINs as other rows of the table have them.
    """
    before = replace(vehicle)
    _name(entry, vehicle, spelt)
    for name, value in entry.values.items():
        setattr(vehicle, name, value)
    _state(entry, vehicle)
    return vehicle.shown() != before.shown()


def _name(entry: Entry, vehicle: Vehicle, spelt: set[str]) -> None:
    """Never cleared.  A VIN is written in normal form, unless another row has that."""
    vin = vehicle.key() if _once(entry.vin, vehicle) else entry.vin
    if vin and vin not in spelt:
        vehicle.vin = vin
    for name in ("stock_number", "make", "model", "year"):
        setattr(vehicle, name, getattr(entry, name) or getattr(vehicle, name))


def _once(vin: str | None, vehicle: Vehicle) -> bool:
    """A row that carries the provisional VIN means the vehicle, and does not bring it back."""
    return provisional(vin) and vehicle.key() not in (None, vin)


def _state(entry: Entry, vehicle: Vehicle) -> None:
    """A person's word stays; what the feed sold stays sold while it says nothing."""
    if by_a_person(vehicle) or _still_sold(entry, vehicle):
        return
    was_off = not vehicle.on_offer()
    if entry.status is not None:
        vehicle.status = entry.status
    elif was_off:
        vehicle.status = "active"
    vehicle.is_active = vehicle.status != "sold"
    if vehicle.on_offer():
        vehicle.off = None
    else:
        vehicle.off = "sold"


def by_a_person(vehicle: Vehicle) -> bool:
    """Off, and not as ingestd left it: sold where it had not sold it, or the other way round."""
    ours = vehicle.off is not None and (vehicle.off == "sold") == (vehicle.status == "sold")
    return not vehicle.on_offer() and not ours


def _still_sold(entry: Entry, vehicle: Vehicle) -> bool:
    sold = vehicle.off is not None and vehicle.status == "sold"
    return sold and entry.status is None and not entry.mute


def twins(entry: Entry, vehicle: Vehicle, lot: Lot, meant: set[int]) -> Iterable[Vehicle]:
    """Vehicles without VIN that are the car which a row with VIN means already."""
    for other in lot.vehicles:
        if other.id in meant or other.id == vehicle.id or other.key() is not None:
            continue
        if other.off == "twin":
            continue  # a person switched it on since
        if other.on_offer() and same_stock(entry, other) and same_car(entry, other):
            yield other
