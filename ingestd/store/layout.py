"""PURE  What the live vehicles table looks like: a profile's words beside the catalogue's facts.

A profile names columns, the money unit and status words, which no catalogue can tell.
The catalogue gives types, lengths, nullability, defaults and keys, which nobody should
have to write down.  A profile applies by itself where every column it names exists and
every type it names is right; nothing is guessed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from ingestd.store.profile import MONEY, Profile
from ingestd.vehicle import FIELDS, Column, Target

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
_INTEGERS = ("int2", "int4", "int8")
_TIMES = ("timestamp", "timestamptz", "date")
#: What a field's column may be copied as; all others are text.
_TAKES = {
    **dict.fromkeys(("year", "mileage", "doors", *MONEY), ("integer", "numeric")),
    **dict.fromkeys(("features", "images"), ("jsonb", "json", "text[]", "text")),
}
_SMALL = 2**15 - 1
_VIN_LENGTH = 17


@dataclass(frozen=True, slots=True)
class CatalogueColumn:
    """One column as ``pg_catalog`` describes it.

    ``enum``: its type is an enumeration, of ``labels``.  ``precision`` and ``scale`` are those
    of a numeric that has them.
    """

    name: str
    type: str
    sql_type: str
    not_null: bool = False
    max_length: int | None = None
    default: str | None = None
    identity: bool = False
    generated: bool = False
    enum: bool = False
    labels: tuple[str, ...] = ()
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalogue tells of the table as a whole.

    ``secured``: row-level security applies to our role.  ``triggers`` may change or drop a row
    that is written.  ``keys``: the column sets of unique indexes.
    """

    keys: tuple[frozenset[str], ...] = ()
    secured: bool = False
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A field's column, with what SQL needs to know of it beyond ``Target``."""

    column: Column
    sql_type: str
    not_null: bool
    default: str | None
    enum: bool = False


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
    gone: str | None  # the word that takes a vehicle off the lot, where there is no is_active
    stamps: tuple[tuple[str, str], ...]  # columns without default that an INSERT must fill
    created: tuple[str, str] | None  # column, and the transaction's time in its type
    updated: tuple[str, str] | None
    secured: bool = False
    triggers: tuple[str, ...] = ()

    def slot(self, field: str) -> Slot | None:
        """Find a field's column; None where the table has none."""
        return next((slot for slot in self.slots if slot.column.field == field), None)


def misfits(profile: Profile, columns: Sequence[CatalogueColumn]) -> tuple[str, ...]:
    """List why ``profile`` does not describe a table with these ``columns``; empty if it does."""
    types = {column.name: column.type for column in columns}
    named = [*profile.columns.values(), *filter(None, profile.own.values()), *profile.types]
    faults = [f"has no column {name}" for name in dict.fromkeys(named) if name not in types]
    for name, wanted in profile.types.items():
        if types.get(name, wanted) != wanted:
            faults.append(f"has {name} as {types[name]}, not {wanted}")
    faults += _unfit(profile, columns)
    return tuple(faults)


def _unfit(profile: Profile, columns: Sequence[CatalogueColumn]) -> Iterator[str]:
    """List columns that cannot be filled with what they are for, and required ones nobody fills."""
    by_name = {column.name: column for column in columns}
    for field, name in profile.columns.items():
        if name in by_name:
            yield from _unfillable(field, by_name[name])
    yield from _unusable(profile, by_name)
    yield from _wordless(profile, by_name)
    filled = {*profile.columns.values(), *profile.own.values()}
    for column in columns:
        if _required(column) and column.name not in filled:
            yield f"requires {column.name} (NOT NULL, no default), which no field fills"


def _unfillable(field: str, column: CatalogueColumn) -> Iterator[str]:
    as_it_is = f"has {column.name} as {column.sql_type}, which cannot "
    takes = _TAKES.get(field, ("text",))
    if column.generated:
        yield f"has {column.name} as a generated column, which cannot be filled"
    elif column.enum and field != "status":
        yield as_it_is + f"hold every {field}"
    elif not column.enum and _COPIED_AS.get(column.type) not in takes:
        yield as_it_is + f"hold {field}"
    elif field == "vin" and (column.max_length or _VIN_LENGTH) < _VIN_LENGTH:
        yield as_it_is + f"hold the {_VIN_LENGTH} characters of a VIN"


def _unusable(profile: Profile, by_name: Mapping[str, CatalogueColumn]) -> Iterator[str]:
    """Check the columns that no feed fills."""
    wanted = {
        "id": (_INTEGERS, "a whole number: the books keep it"),
        "dealership": (_INTEGERS, "a whole number: the id of a dealership"),
        "active": (("bool",), "true or false"),
        "created": (_TIMES, "a time"),
        "updated": (_TIMES, "a time"),
    }
    for key, (types, meaning) in wanted.items():
        column = by_name.get(profile.own.get(key, ""))
        if column is not None and column.type not in types:
            yield f"has {column.name} as {column.sql_type}, which is not {meaning}"
    number = by_name.get(profile.own["id"])
    if number is not None and not (number.default or number.identity):
        yield f"gives no number to a new row ({number.name} has no default)"


def _wordless(profile: Profile, by_name: Mapping[str, CatalogueColumn]) -> Iterator[str]:
    """Check that the column of status can hold each word."""
    column = by_name.get(profile.columns.get("status", ""))
    if column is None:
        return
    for word in dict.fromkeys(profile.status.values()):
        if column.enum and word not in column.labels:
            labels = ", ".join(column.labels)
            yield f"has no {word!r} among the values of {column.name} ({labels})"
        elif column.max_length is not None and len(word) > column.max_length:
            yield f"has {column.name} as {column.sql_type}, too short for {word!r}"


def lay_out(
    profile: Profile,
    distance: Literal["miles", "kilometers"],
    columns: Sequence[CatalogueColumn],
    facts: Facts,
) -> Layout:
    """Join a fitting ``profile`` with the catalogue."""
    by_name = {column.name: column for column in columns}
    slots = tuple(
        _slot(field, by_name[profile.columns[field]])
        for field in FIELDS
        if field in profile.columns
    )
    target = Target(
        profile=profile.name,
        columns=_staged(profile, slots),
        money=profile.money,
        distance=distance,
        status_active=profile.status["active"],
        status_pending=profile.status["pending"],
        status_sold=profile.status["sold"],
        vin_key=_vin_key(profile, facts.keys),
    )
    return _layout(profile, target, slots, (by_name, facts))


def _staged(profile: Profile, slots: Iterable[Slot]) -> tuple[Column, ...]:
    """Give the stage's columns: status without a slot where is_active alone says "sold"."""
    columns = {slot.column.field: slot.column for slot in slots}
    if profile.own.get("active"):
        columns.setdefault("status", Column("status", "", "text"))
    return tuple(columns[field] for field in FIELDS if field in columns)


def _layout(
    profile: Profile,
    target: Target,
    slots: tuple[Slot, ...],
    catalogue: tuple[Mapping[str, CatalogueColumn], Facts],
) -> Layout:
    (by_name, facts), own = catalogue, profile.own
    id_column = by_name[own["id"]]
    clocks = {key: by_name[own[key]] for key in ("created", "updated") if own.get(key)}
    now = {key: (clock.name, _now(clock)) for key, clock in clocks.items()}
    active = own.get("active") or None
    has_status = "status" in profile.columns
    return Layout(
        target=target,
        table=profile.table,
        slots=slots,
        id=id_column.name,
        next_id=id_column.default or "",
        id_is_identity=id_column.identity,
        dealership=own["dealership"],
        active=active,
        gone=profile.status.get("gone") if has_status and not active else None,
        stamps=tuple(now[key] for key, clock in clocks.items() if clock.default is None),
        created=now.get("created"),
        updated=now.get("updated"),
        secured=facts.secured,
        triggers=facts.triggers,
    )


def _slot(field: str, column: CatalogueColumn) -> Slot:
    copied_as = "text" if column.enum else _COPIED_AS[column.type]
    return Slot(
        Column(
            field,
            column.name,
            copied_as,
            _required(column),
            column.max_length,
            _most(column),
            column.not_null,
        ),
        column.sql_type,
        column.not_null,
        column.default,
        column.enum,
    )


def _most(column: CatalogueColumn) -> int | None:
    """Give the largest number that fits, in hundredths; None where the usual bounds hold."""
    if column.type == "int2":
        return _SMALL * 100
    if column.precision is None or column.scale is None:
        return None
    return int((10**column.precision - 1) * 100 // 10**column.scale)


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


_UNITS = {
    "dollars": "dollars with cents",
    "whole_dollars": "whole dollars",
    "cents": "cents",
}
_KEYS = {
    "vin": "a VIN is there once",
    "dealership_vin": "a VIN is there once for each dealership",
    "none": "no key on the VIN",
}


def described(layout: Layout, *, with_settings: bool) -> str:
    """Say what the table is taken for, and what there is about it to know."""
    target = layout.target
    units = f"money in {_UNITS[target.money]}, mileage in {target.distance}"
    name = f"{layout.table} is as the profile {target.profile!r} has it"
    said = [f"{name}: {units}, {_KEYS[target.vin_key]}"]
    if layout.secured and not with_settings:
        said.append("row-level security applies to this role and [target.settings] is empty")
    if layout.triggers:
        said.append(f"triggers may change what is written: {', '.join(layout.triggers)}")
    return "; ".join(said)


def without_length(sql_type: str) -> str:
    """Take the length off a type: a cast to what is left cuts nothing."""
    return re.sub(r"\(\d+\)", "", sql_type)
