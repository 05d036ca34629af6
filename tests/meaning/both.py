"""A story told to the oracle and to the store at once; they must agree after every sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

from tests.meaning.model import World
from tests.meaning.nouns import DAY, Agreement, Footer, Row, Sent, Sheet, Told
from tests.meaning.real import Real, same

#: Long ago: what is first seen in the future is first seen now.
START = datetime(2025, 5, 5, 6, tzinfo=UTC)


class Both:
    """The world twice.  ``at`` is the time by which the next delivery is first seen."""

    def __init__(self, real: Real) -> None:
        self.real, self.world = real, World()
        self.at = START
        self.count = 0

    def wait(self, time: timedelta = DAY) -> None:
        self.at += time

    async def stored(self, dealership: int, **fields: Any) -> None:
        """Somebody else put a vehicle there."""
        fields = {"make": "Kia", "model": "Rio", "year": 2024, **fields}
        await self.real.add(dealership, **fields)
        self.world.add(dealership, **fields)

    async def deliver(self, feed: Agreement, *rows: Row) -> Told:
        return await self.sheets(feed, Sheet(rows))

    async def sheets(self, feed: Agreement, *sheets: Sheet, at: datetime | None = None) -> Told:
        """Deliver files; both must tell the same, and leave the same table."""
        self.count += 1
        sent = Sent(self.count, at or self.at, sheets)
        real = await self.real.sent(feed, sent)
        model = self.world.deliver(feed, sent)
        said = f"the store told\n  {real}\nand the oracle\n  {model}"
        await self.agree(said)
        assert same(real, model), said
        return real

    async def group(self, feed: Agreement, sheet: Sheet) -> Told:
        """Deliver a group file: the oracle folds each rooftop's rows as if they came alone."""
        self.count += 1
        real = await self.real.deliver(feed, (sheet,), self.at)
        held = gone = 0
        for name, dealership in feed.rooftops.items():
            rows = tuple(
                row
                for row in sheet.rows
                if not isinstance(row, Footer) and row.get("rooftop") == name
            )
            own = Sent(self.count, self.at, (Sheet(rows, part=True),))
            model = self.world.deliver(replace(feed, dealership=dealership), own)
            held, gone = held + model.held_deactivations, gone + model.deactivated
        await self.agree()
        assert (real.held_deactivations, real.deactivated) == (held, gone)
        return real

    async def edit(self, place: int, **fields: Any) -> None:
        """A person changes the vehicle at a place of the table; without fields deletes it."""
        await self.real.edit(place, **fields)
        vehicle = sorted(self.world.vehicles, key=lambda it: it.id)[place]
        for name, value in fields.items():
            setattr(vehicle, name, value)
        if not fields:
            self.world.vehicles.remove(vehicle)
        await self.agree()

    async def agree(self, said: str = "") -> None:
        real, model = await self.real.shown(), self.world.shown()
        assert real == model, f"{_difference(real, model)}\n{said}"


def _difference(real: list[Any], model: list[Any]) -> str:
    """Show the rows that differ, from the first."""
    said = [f"{len(real)} vehicles in the store, {len(model)} in the model"]
    for place, (one, other) in enumerate(zip_longest(real, model)):
        if one != other:
            said.append(f"{place}: store {one}\n   model {other}")
    return "\n".join(said[:8])
