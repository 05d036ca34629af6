"""Half a year of one lot: nothing that stays is switched off, and what leaves goes.

A lot of some 120 cars sends its file every day.  What goes wrong on the way has the shape of
real feeds: whole days without a file, files cut to 60 %, files that lack 40 % of the cars here and
there, single cars that are gone for one or two files and come back.  Every day some cars leave
for good and others come.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from tests.meaning.both import Both
from tests.meaning.cars import car, vin
from tests.meaning.nouns import DAY, Agreement, Sheet

_DAYS = 180
_AFTER = 3


@dataclass
class Lot:
    """What really stands there, whatever the file says."""

    chance: Random
    cars: list[int] = field(default_factory=lambda: list(range(1, 121)))
    #: Cars that the dealer's program leaves out, and for how many files yet.
    hidden: dict[int, int] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)  # the day on which a car left for good
    newest: int = 120
    known: set[int] = field(default_factory=set)  # from any file

    def trade(self, day: int) -> None:
        """About one car in fifty leaves, and as many come."""
        for _ in range(self.chance.choice((1, 2, 2, 3, 4))):
            gone = self.cars.pop(self.chance.randrange(len(self.cars)))
            self.left[gone] = day
            self.newest += 1
            self.cars.append(self.newest)

    def file(self) -> list[int]:
        """The cars that today's file lists."""
        self.hidden = {number: files - 1 for number, files in self.hidden.items() if files > 1}
        for number in self.chance.sample(self.cars, self.chance.choice((0, 0, 1, 2))):
            self.hidden.setdefault(number, self.chance.choice((1, 1, 2)))
        listed = self._cut([number for number in self.cars if number not in self.hidden])
        self.known |= set(listed)
        return listed

    def _cut(self, listed: list[int]) -> list[int]:
        """One file in twenty is cut off, and in one of twenty four cars of ten are missing."""
        fault, most = self.chance.random(), len(listed) * 6 // 10
        if fault < 0.05:
            return listed[:most]
        return sorted(self.chance.sample(listed, most)) if fault < 0.1 else listed


def _days(chance: Random) -> Iterator[timedelta]:
    """Days between files: one, and now and then the two to six of an outage."""
    passed = 0
    while passed < _DAYS:
        step = chance.randint(2, 6) if chance.random() < 0.04 else 1
        passed += step
        yield step * DAY


async def test_in_half_a_year_no_car_that_stays_is_switched_off_and_those_that_left_are(both):
    feed = Agreement("lot", await both.real.dealership("Lot"), missing_after=_AFTER)
    lot = Lot(Random(2026))  # noqa: S311  no secret
    files = held = wrong = day = 0
    for step in _days(lot.chance):
        both.wait(step)
        day += step.days
        lot.trade(day)
        told = await both.sheets(feed, Sheet(tuple(car(number) for number in lot.file())))
        files, held = files + 1, held + (told.held_deactivations > 0)
        wrong += len(await _off(both) & {vin(number) for number in lot.cars})
    due = {vin(it) for it, since in lot.left.items() if day - since > 14 and it in lot.known}
    gone = due & await _off(both)
    print(f"{files} files, {held} held; wrongly off: {wrong}; left: {len(due)}, off: {len(gone)}")  # noqa: T201
    assert wrong == 0
    assert gone == due


async def _off(both: Both) -> set[str]:
    rows = await both.real.admin.fetch("SELECT vin FROM vehicles WHERE NOT is_active")
    return {row["vin"] for row in rows}
