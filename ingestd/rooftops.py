"""PURE  Group files: which column of a file says whose row it is, and whose that may be.

A file only chooses among the dealerships of the map; it cannot name another.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

#: Values of the column that are told of a file: two are one too many for a feed of one dealership,
#: and ``inspect`` proposes a map of them.
MOST_TOLD = 100

_Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Rooftops(BaseModel):
    """The column with the dealer's id, and for each of its values the dealership's id.

    Without a map the column must have one value: a file with several is held.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(min_length=1)
    map: dict[_Value, PositiveInt] = Field(default_factory=dict)

    def dealerships(self) -> tuple[int, ...]:
        """Give the dealerships that a file may choose among, in ascending order."""
        return tuple(sorted(set(self.map.values())))


def choices(rooftops: Rooftops | None) -> tuple[int, ...]:
    """Give the dealerships among which a feed's files choose row by row; none: it is of one."""
    return () if rooftops is None else rooftops.dealerships()


def choose_first(feed: Any) -> Any:
    """Give a feed as it is configured, with the first dealership of its map for its own."""
    if not isinstance(feed, Mapping) or "dealership" in feed:
        return feed
    rooftops = feed.get("rooftops")
    numbers = rooftops.get("map") if isinstance(rooftops, Mapping) else None
    known = numbers.values() if isinstance(numbers, Mapping) else ()
    ids = [number for number in known if isinstance(number, int)]
    return {**feed, "dealership": min(ids)} if ids else feed
