"""PURE  How to write to one kind of vehicles table: a file of ``profiles/``, or ``[target]``.

A profile says what no catalogue can tell: which column holds which field, the unit of money,
the words of status.  ``[target]`` takes the same keys.  It may name a profile and change some of
it, or describe a table all by itself.

Rules:
  * The unit of money is never guessed.  A profile's unit holds for the types that it names for
    price and msrp, even where it was named; ``[target] money`` overrides both.
  * A field whose column is "" has none.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ingestd.config import TargetSettings, did_you_mean
from ingestd.errors import Fault, Misconfigured
from ingestd.kinds import MONEY_UNITS

#: The name of what ``[target]`` describes without naming a profile.
CUSTOM = "custom"
#: The words of status where ``[target.status]`` does not give any.
WORDS = {"active": "active", "pending": "pending", "sold": "sold"}
#: Without these no row becomes a vehicle.
NEEDED = ("vin", "make", "model", "year")
MONEY = ("price", "msrp")
TABLE = "public.vehicles"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to write to one known kind of vehicles table (``profiles/*.toml``).

    ``types`` are the short type names that columns must have, ``status`` the words for
    active, pending, sold and, for tables without is_active, gone.  ``own`` names the columns
    that no feed fills; "" where the table has none.
    """

    name: str
    table: str
    money: Literal["dollars", "whole_dollars", "cents"]
    types: Mapping[str, str]
    status: Mapping[str, str]
    own: Mapping[str, str]
    columns: Mapping[str, str]


def parse_profile(text: str) -> Profile:
    """Read a profile's TOML."""
    tree: dict[str, Any] = tomllib.loads(text)
    return Profile(**tree)


def candidates(settings: TargetSettings, known: Sequence[Profile]) -> tuple[Profile, ...]:
    """Give the profiles that may apply: all that are ``known``, or what ``[target]`` describes.

    Raises:
        Misconfigured: there is no such profile, or the description is not complete.
    """
    if settings.profile is not None:
        return (_by_name(_named(known, settings.profile), settings),)
    if not (settings.table or settings.money or settings.columns):
        return tuple(_changed(profile, settings) for profile in known)
    faults = tuple(_gaps(settings))
    if faults:
        raise Misconfigured(*faults)
    bare = Profile(CUSTOM, TABLE, "dollars", {}, WORDS, {}, {})
    return (_changed(bare, settings),)


def _by_name(profile: Profile, settings: TargetSettings) -> Profile:
    """Take the word of who names a profile, but for the unit of money in columns it knows not."""
    changed = _changed(profile, settings)
    bound = [changed.columns[field] for field in MONEY if field in changed.columns]
    if settings.money is not None:
        bound = []
    strange = [column for column in bound if column not in profile.types]
    if strange:
        columns = ", ".join(strange)
        message = f"must say what 19,995.50 is stored as in {columns}: {MONEY_UNITS}"
        raise Misconfigured(Fault("target.money", message))
    return replace(changed, types={column: profile.types[column] for column in bound})


def _named(known: Sequence[Profile], name: str) -> Profile:
    for profile in known:
        if profile.name == name:
            return profile
    names = [profile.name for profile in known]
    hint = did_you_mean(name, names) or f"; known are: {', '.join(names)}"
    raise Misconfigured(Fault("target.profile", f"there is no profile {name!r}{hint}"))


def _changed(profile: Profile, settings: TargetSettings) -> Profile:
    """Put what ``[target]`` says over what the profile says."""
    columns = {**profile.columns, **settings.columns}
    gone = {"gone": settings.gone_status} if settings.gone_status else {}
    return replace(
        profile,
        table=settings.table or profile.table,
        money=settings.money or profile.money,
        status={**profile.status, **settings.status, **gone},
        own={**profile.own, **settings.own},
        columns={field: column for field, column in columns.items() if column},
    )


def _gaps(settings: TargetSettings) -> Iterator[Fault]:
    """List what a table that no profile describes must be told."""
    columns = {field for field, column in settings.columns.items() if column}
    missing = [field for field in NEEDED if field not in columns]
    if missing:
        yield Fault("target.columns", f"must name the columns of {', '.join(missing)} as well")
    owned = [key for key in ("id", "dealership") if not settings.own.get(key)]
    if owned:
        yield Fault("target.own", f"must name the columns of {', '.join(owned)} as well")
    if columns.intersection(MONEY) and settings.money is None:
        yield Fault(
            "target.money", f"must say what a price of 19,995.50 is stored as: {MONEY_UNITS}"
        )
    words = [word for word in WORDS if not settings.status.get(word)]
    if "status" in columns and words:
        yield Fault("target.status", f"must give the table's words for {', '.join(words)} as well")
