"""A lot day by day: each delivery is first seen so many days after the first."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ingestd.report import Report
from tests.integration.lot import Lot, Rejected, Sheet, car

Row = Mapping[str, Any] | Rejected


def cars(*numbers: int, **fields: Any) -> list[Mapping[str, Any]]:
    return [car(number, **fields) for number in numbers]


class Days:
    """A feed of whole lots that deactivates, unless it is told otherwise."""

    def __init__(self, lot: Lot, **options: Any) -> None:
        self.lot = lot
        self.options = {"mode": "full", "missing": "deactivate", **options}

    async def load(self, day: float, *rows: Row, sheets: Sequence[Sheet] = ()) -> Report:
        """Load what came so many days after the first, which was a hundred days ago."""
        lot = self.lot
        feed = lot.feed
        try:
            lot.feed = feed.model_validate({**feed.model_dump(), **self.options})
            seen = await lot.store.now() - timedelta(days=100 - day)
            delivery = await lot.deliver(first_seen=seen, lane=lot.feed.name)
            return await lot.load(*rows, sheets=sheets, delivery=delivery)
        finally:
            lot.feed = feed

    async def on(self) -> list[str]:
        """Stock numbers of what is on offer."""
        rows = await self.lot.vehicles("stock_number", "is_active AND status <> 'sold'")
        return [row["stock_number"] for row in rows]

    async def off(self) -> list[str]:
        """Stock numbers of what is not."""
        rows = await self.lot.vehicles("stock_number", "NOT is_active")
        return [row["stock_number"] for row in rows]

    async def misses(self) -> dict[str, int]:
        rows = await self.lot.admin.fetch(
            "SELECT v.stock_number, l.misses FROM ingest.listings l"
            " JOIN vehicles v ON v.id = l.vehicle_id WHERE l.misses > 0 AND l.dealership_id = $1"
            " ORDER BY v.id",
            self.lot.number,
        )
        return {row["stock_number"]: row["misses"] for row in rows}
