"""PURE  From when on a delivery looks wrong: ``[feed.guard]``, with the defaults of the design."""

import re
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

#: Rows or vehicles concerned, below which no share is judged.
FEWEST = 10


def _portion(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())
        if match is None:
            msg = f'{value!r} is not a share; write it as "35%"'
            raise ValueError(msg)
        return float(match[1]) / 100
    return value


Share: TypeAlias = Annotated[float, BeforeValidator(_portion), Field(ge=0, le=1)]


class Guard(BaseModel):
    """What holds deactivations (the first five), and what holds a delivery as a whole.

    Shares are 0 to 1.  None is judged of fewer than ten rows or vehicles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    most_lost: Share = 0.35
    most_lost_a_day: Share = 0.1
    few_lost: int = Field(default=5, ge=0)
    confirmations: int = Field(default=3, ge=1)
    agreement: Share = 0.9
    most_rejected: Share = 0.5
    least_readable: Share = 0.5
    readable_before: Share = 0.9
    most_repriced: Share = 0.5
    price_change: Annotated[float, BeforeValidator(_portion), Field(gt=0)] = 0.5
    least_common: Share = 0.1
    least_lot: int = Field(default=20, ge=1)
