"""PURE  What the live vehicles table looks like: a profile's words beside the catalogue's facts.

A profile names columns, the money unit and status words, which no catalogue can tell.
The catalogue gives types, lengths, nullability, defaults and keys, which nobody should
have to write down.  A profile applies by itself where every column it names exists and
every type it names is right; nothing is guessed.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ingestd.model import FIELDS, Column, Target

#: Short type name in the catalogue -> what COPY must produce (``Column.type``).
_COPIED_AS = {
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "numeric",
    "float4": "numeric",
    "float8": "numeric",
    "json": "json",
    "jsonb": "jsonb",
    "_text": "text[]",
    "_varchar": "text[]",
}


@dataclass(frozen=True, slots=True)
class CatalogueColumn:
    """One column as ``pg_catalog`` describes it.  ``enum``: its type is an enumeration."""

    name: str
    type: str
    sql_type: str
    not_null: bool = False
    max_length: int | None = None
    default: str | None = None
    identity: bool = False
    generated: bool = False
    enum: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """How to write to one known kind of vehicles table (``profiles/*.toml``)."""

    name: str
    table: str
    money: Literal["dollars", "whole_dollars", "cents"]
    types: Mapping[str, str]
    status: Mapping[str, str]
    own: Mapping[str, str]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Slot:
    """A field's column, with what SQL needs to know of it beyond ``Target``."""

    column: Column
    sql_type: str
    not_null: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The live table as statements need it: identifiers are unquoted, expressions are SQL."""

    target: Target
    table: str
    slots: tuple[Slot, ...]
    id: str
    next_id: str  # an expression that gives the id of a new row
    id_is_identity: bool
    dealership: str
    active: str | None
    stamps: tuple[tuple[str, str], ...]  # columns without default that an INSERT must fill
    updated: tuple[str, str] | None  # column, and the transaction's time in its type

    def slot(self, field: str) -> Slot | None:
        """Find a field's column; None where the table has none."""
        return next((slot for slot in self.slots if slot.column.field == field), None)


def parse_profile(text: str) -> Profile:
    """Read a profile's TOML."""
    tree: dict[str, Any] = tomllib.loads(text)
    return Profile(**tree)


def misfits(profile: Profile, columns: Sequence[CatalogueColumn]) -> tuple[str, ...]:
    """List why ``profile`` does not describe a table with these ``columns``; empty if it does."""
    types = {column.name: column.type for column in columns}
    named = [*profile.columns.values(), *(name for name in profile.own.values() if name)]
    faults = [f"has no column {name}" for name in dict.fromkeys(named) if name not in types]
    for name, wanted in profile.types.items():
        if types.get(name, wanted) != wanted:
            faults.append(f"has {name} as {types[name]}, not {wanted}")
    faults += unfit(profile, columns)
    return tuple(faults)


def unfit(profile: Profile, columns: Sequence[CatalogueColumn]) -> list[str]:
    """List columns whose type cannot be filled at all, and required ones nobody fills."""
    faults = []
    filled = {*profile.columns.values(), *profile.own.values()}
    for column in columns:
        if column.name in profile.columns.values():
            if column.type not in _COPIED_AS and not column.enum:
                faults.append(f"has {column.name} as {column.sql_type}, which cannot be filled")
            if column.generated:
                faults.append(f"has {column.name} as a generated column, which cannot be filled")
        elif _required(column) and column.name not in filled:
            faults.append(f"requires {column.name} (NOT NULL, no default), which no field fills")
    return faults


def lay_out(
    profile: Profile,
    distance: Literal["miles", "kilometers"],
    columns: Sequence[CatalogueColumn],
    keys: Iterable[frozenset[str]],
) -> Layout:
    """Join a fitting ``profile`` with the catalogue.  ``keys``: column sets of unique indexes."""
    by_name = {column.name: column for column in columns}
    slots = tuple(
        _slot(field, by_name[profile.columns[field]])
        for field in FIELDS
        if field in profile.columns
    )
    target = Target(
        profile=profile.name,
        columns=tuple(slot.column for slot in slots),
        money=profile.money,
        distance=distance,
        status_active=profile.status["active"],
        status_pending=profile.status["pending"],
        status_sold=profile.status["sold"],
        vin_key=_vin_key(profile, keys),
    )
    return _layout(profile, target, slots, by_name)


def _layout(
    profile: Profile,
    target: Target,
    slots: tuple[Slot, ...],
    by_name: Mapping[str, CatalogueColumn],
) -> Layout:
    own = profile.own
    id_column = by_name[own["id"]]
    clocks = [by_name[own[key]] for key in ("created", "updated") if own.get(key)]
    updated = by_name[own["updated"]] if own.get("updated") else None
    return Layout(
        target=target,
        table=profile.table,
        slots=slots,
        id=id_column.name,
        next_id=id_column.default or "",
        id_is_identity=id_column.identity,
        dealership=own["dealership"],
        active=own.get("active") or None,
        stamps=tuple((clock.name, _now(clock)) for clock in clocks if clock.default is None),
        updated=(updated.name, _now(updated)) if updated else None,
    )


def _slot(field: str, column: CatalogueColumn) -> Slot:
    copied_as = "text" if column.enum else _COPIED_AS[column.type]
    return Slot(
        Column(field, column.name, copied_as, _required(column), column.max_length),
        column.sql_type,
        column.not_null,
        column.default,
    )


def _required(column: CatalogueColumn) -> bool:
    given = column.default is not None or column.identity or column.generated
    return column.not_null and not given


def _vin_key(
    profile: Profile, keys: Iterable[frozenset[str]]
) -> Literal["vin", "dealership_vin", "none"]:
    """Judge by the unique indexes.  The stricter one counts where there are both."""
    vin = profile.columns["vin"]
    candidates = (("vin", {vin}), ("dealership_vin", {vin, profile.own["dealership"]}))
    known = {frozenset(key) for key in keys}
    found = [name for name, key in candidates if frozenset(key) in known]
    return cast("Literal['vin', 'dealership_vin', 'none']", found[0] if found else "none")


def _now(column: CatalogueColumn) -> str:
    """Give the transaction's time; a column without time zone holds UTC."""
    return "now()" if column.type == "timestamptz" else "timezone('UTC', now())"
