"""The sentences of a story, as values: told to store and oracle, and left out again."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.meaning.both import Both
from tests.meaning.cars import vin
from tests.meaning.nouns import Agreement, Sheet


@dataclass(frozen=True)
class Step:
    """One sentence; ``act`` may find that there is nothing to do."""

    async def act(self, both: Both, feeds: Sequence[Agreement]) -> None:
        raise NotImplementedError

    def shorter(self) -> Iterator["Step"]:
        """Give steps that say less."""
        return iter(())


@dataclass(frozen=True)
class Deliver(Step):
    """``after``: so long after the one before.  ``back``: it was first seen so long before that."""

    feed: int
    sheets: tuple[Sheet, ...]
    after: timedelta = timedelta(0)
    back: timedelta = timedelta(0)

    async def act(self, both: Both, feeds: Sequence[Agreement]) -> None:
        both.wait(self.after)
        await both.sheets(feeds[self.feed], *self.sheets, at=both.at - self.back)

    def shorter(self) -> Iterator[Step]:
        for at, sheet in enumerate(self.sheets):
            if len(self.sheets) > 1:
                yield replace(self, sheets=(*self.sheets[:at], *self.sheets[at + 1 :]))
            for line in range(len(sheet.rows)):
                rows = (*sheet.rows[:line], *sheet.rows[line + 1 :])
                fewer = replace(sheet, rows=rows)
                yield replace(self, sheets=(*self.sheets[:at], fewer, *self.sheets[at + 1 :]))


@dataclass(frozen=True)
class Edit(Step):
    """A person edits a vehicle; without fields it is deleted."""

    place: int
    fields: dict[str, Any] = field(default_factory=dict)

    async def act(self, both: Both, feeds: Sequence[Agreement]) -> None:
        count = len(both.world.vehicles)
        if count:
            await both.edit(self.place % count, **self.fields)


@dataclass(frozen=True)
class Spell(Step):
    """A person spells a VIN in small letters."""

    place: int

    async def act(self, both: Both, feeds: Sequence[Agreement]) -> None:
        vehicles = sorted(both.world.vehicles, key=lambda it: it.id)
        place = self.place % len(vehicles) if vehicles else 0
        small = (vehicles[place].vin or "").lower() if vehicles else ""
        if small and all(vehicle.vin != small for vehicle in vehicles):
            await both.edit(place, vin=small)


@dataclass(frozen=True)
class Store(Step):
    """Somebody else puts a vehicle there."""

    feed: int
    number: int | None
    stock: str | None

    async def act(self, both: Both, feeds: Sequence[Agreement]) -> None:
        bears = None if self.number is None else vin(self.number)
        if bears is None or all(it.vin != bears for it in both.world.vehicles):
            dealership = feeds[self.feed].dealership
            await both.stored(dealership, vin=bears, stock_number=self.stock)


Fails = Callable[[list[Step]], Awaitable[bool]]


async def shortest(story: list[Step], fails: Fails) -> list[Step]:
    """Leave out of a story that fails what it does without: sentences, files, rows."""
    changed = True
    while changed:
        changed = False
        for at in reversed(range(len(story))):
            fewer = story[:at] + story[at + 1 :]
            if await fails(fewer):
                story, changed = fewer, True
        for at in range(len(story)):
            for step in story[at].shorter():
                fewer = [*story[:at], step, *story[at + 1 :]]
                if await fails(fewer):
                    story, changed = fewer, True
                    break
    return story
