"""PURE  A vehicle's fields, and the table they go to: the nouns of the target.

What a parser sends and what the store stages are columns of this order.
"""

from dataclasses import dataclass
from typing import Literal

#: Every field of a vehicle that a feed can fill, in the order of the stage's columns.
#: The first twenty are the seed's; the last five are the platform's (version A1).
#: Bit ``i`` of a row's ``keep`` mask stands for ``FIELDS[i]``: the order must not change.
FIELDS = (
    "vin",
    "stock_number",
    "make",
    "model",
    "year",
    "trim",
    "exterior_color",
    "interior_color",
    "mileage",
    "price",
    "msrp",
    "body_style",
    "transmission",
    "engine",
    "fuel_type",
    "drivetrain",
    "features",
    "description",
    "images",
    "status",
    "url",
    "doors",
    "condition",
    "vehicle_type",
    "image_type",
)

#: Bit of a row's ``keep`` mask beyond ``FIELDS``: its VIN is a factory's placeholder.
PROVISIONAL = 1 << 60

#: Columns of the stage that precede the fields of the target (see ``Target.stage``).
#: A rejected line travels in the same stream: ``reason`` is set, the fields are empty.
STAGE_HEAD = (
    ("file_no", "integer"),
    ("line", "integer"),
    ("dealership_id", "integer"),
    ("keep", "bigint"),
    ("reason", "text"),
    ("column_name", "text"),
    ("value", "text"),
    ("extras", "jsonb"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A field's column in the target table.

    ``type`` is what COPY must produce: text, integer, numeric, jsonb, json or text[].
    ``required`` is NOT NULL without a default that would do.  ``most`` is the largest number
    that fits, in hundredths; ``None``: the usual bounds hold.
    """

    field: str
    name: str
    type: str
    required: bool = False
    max_length: int | None = None
    most: int | None = None
    not_null: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The live ``vehicles`` table, as the catalogue and the profile describe it."""

    profile: str
    columns: tuple[Column, ...]
    money: Literal["dollars", "whole_dollars", "cents"] = "dollars"
    distance: Literal["miles", "kilometers"] = "miles"
    status_active: str = "active"
    status_pending: str = "pending"
    status_sold: str = "sold"
    vin_key: Literal["vin", "dealership_vin", "none"] = "vin"

    def stage(self) -> tuple[tuple[str, str], ...]:
        """Names and types of the stage's columns, in the order of the COPY stream."""
        return STAGE_HEAD + tuple((column.field, column.type) for column in self.columns)
