"""Rule group: another dealership's VIN.  When a vehicle moves."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tests.meaning.entries import Entry
from tests.meaning.guard import Standing
from tests.meaning.matching import Lot
from tests.meaning.nouns import DAY, Agreement, Vehicle

WAIT = 7 * DAY
Standings = Mapping[tuple[str, int], Standing]


def claimed(entries: Iterable[Entry], lot: Lot, others: Iterable[Vehicle]) -> dict[str, Vehicle]:
    """The vehicles of other dealerships whose VINs rows bear, where they mean none of ours."""
    vins = {entry.vin for entry in entries if entry.vin and lot.named(entry) is None}
    return {str(it.key()): it for it in others if it.key() in vins}


def may_move(feed: Agreement, at: datetime, vehicle: Vehicle, standings: Standings) -> bool:
    """Sold; or its own feed's last accepted full delivery no longer has it, for a week.

    What is older than its last listing says nothing of it.
    """
    if feed.vin_conflict == "never":
        return False
    if vehicle.status == "sold":
        return vehicle.listed is None or vehicle.listed[0] <= at
    if vehicle.lister is None or vehicle.listed is None:
        return False
    standing = standings.get((vehicle.lister, vehicle.dealership))
    gone = standing is not None and standing.full and vehicle.id not in standing.listed
    return gone and at - vehicle.listed[0] >= WAIT


def forget(vehicle: Vehicle, standings: Standings) -> None:
    """The feeds of its dealership never listed it."""
    for (_, dealership), standing in standings.items():
        if dealership == vehicle.dealership:
            standing.listed -= {vehicle.id}
            standing.ever -= {vehicle.id}
            standing.prices.pop(vehicle.id, None)


def move(vehicle: Vehicle, dealership: int) -> None:
    """It starts afresh there: status, is_active and misses as for a new one."""
    vehicle.dealership = dealership
    vehicle.status, vehicle.is_active, vehicle.off = "active", True, None
    vehicle.lister, vehicle.listed, vehicle.misses, vehicle.missed = None, None, 0, None
