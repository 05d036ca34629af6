"""PURE  Which column fills which field.

* Headers match by normalised equality, never in part.
* A field has a list of columns in order of preference: what the feed configures, then the
built-in names.  Which of them a row uses is decided row by row.
* ``Type``, ``Condition``, ``Status``, ``Title``, ``Photos``, ``Series``, ``Style``,
``Vehicle Type`` mean different things to different senders: their values decide (four of five must
agree).
* An engine may be made of displacement and cylinders; year, make and model may stand in one cell.
* A column that no field takes is unmapped; its cells are kept as extras.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeAlias

from ingestd.config import Feed
from ingestd.feed import aliases, combined
from ingestd.feed.columns import Columns
from ingestd.feed.numbers import Unit
from ingestd.model import Target

Rows: TypeAlias = Sequence[Sequence[str]]

#: The share of a column's values that must be of one kind to decide its meaning.
AGREEMENT = 0.8
_NEAR = 0.8
_NEAR_IDENTIFIER = 0.55
_SHORTEST_HEADER = 3
_LONGEST_HEADER = 60
_MOST_COMPARED = 100
_YES_OR_NO = frozenset({"y", "n", "yes", "no", "true", "false"})
_COMBINED_FIELDS = ("year", "make", "model", "trim")
_MILES = frozenset({"miles", "mileagemi", "mileagemiles", "odometermi", "odometermiles"})
_KILOMETERS = frozenset(
    {
        *("kilometres", "kilometers", "kms", "km", "kilometrage"),
        *("mileagekm", "mileagekms", "odometerkm", "odometerkms"),
    }
)


def normalise(header: str) -> str:
    """Reduce a header to what is compared: its letters and digits, case folded."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "".join(filter(str.isalnum, folded))


def known(header: str) -> bool:
    """Say whether a cell is a header that senders of inventories use."""
    name = normalise(header)
    return name in aliases.KNOWN or aliases.NUMBERED_IMAGE.match(name) is not None


def map_columns(headers: Sequence[str], sample: Rows, feed: Feed | None, target: Target) -> Columns:
    """Give each field of ``target`` its columns; ``sample`` are rows to judge values by."""
    names = _Names(headers, feed)
    roles = _roles(names, sample)
    wanted = tuple(column.field for column in target.columns)
    fields = {field: _find(field, names, roles) for field in wanted}
    if "price" in fields and not fields["price"] and not names.any_price():
        fields["price"] = _find("msrp", names, roles)
    parts = _take_images(names, roles, fields)
    engine, also = _take_engine(names, fields)
    together = _take_combined(names, sample, fields)
    unit = next(iter(names.of(aliases.MILEAGE_UNITS)), None) if fields.get("mileage") else None
    used = {index for indexes in fields.values() for index in indexes} | {unit}
    unmapped = tuple(index for index in range(len(headers)) if index not in used)
    return Columns(
        headers=tuple(headers),
        fields={field: indexes for field, indexes in fields.items() if indexes},
        unmapped=unmapped,
        parts=parts,
        units=_units(names, fields.get("mileage", ())),
        unit=unit,
        engine=engine,
        combined=together,
        also=also,
    )


class _Names:
    """The headers in normal form, those excluded left out, and what the feed says of them."""

    def __init__(self, headers: Sequence[str], feed: Feed | None) -> None:
        self.every = tuple(normalise(header) for header in headers)
        self.headers = headers
        excluded = {normalise(name) for name in feed.exclude} if feed else set()
        self.at: dict[str, list[int]] = {}
        for index, name in enumerate(self.every):
            if name and name not in excluded:
                self.at.setdefault(name, []).append(index)
        columns = feed.columns if feed else {}
        self.configured = {
            field: tuple(normalise(name) for name in given) for field, given in columns.items()
        }
        self.owners: dict[str, set[str]] = {}
        for field, given in self.configured.items():
            for name in given:
                self.owners.setdefault(name, set()).add(field)

    def of(self, wanted: Iterable[str]) -> list[int]:
        """Give the columns of these names, in the order of the names."""
        return [index for name in wanted for index in self.at.get(name, ())]

    def free(self, name: str, field: str) -> bool:
        """Say whether a built-in name is open to ``field``: the feed gave it to no other.

        MSRP serves both where the feed takes the price from it.
        """
        return self.owners.get(name, set()) <= ({field, "price"} if field == "msrp" else {field})

    def any_price(self) -> bool:
        """Say whether the file has a price column of any kind, wanted or not."""
        return not aliases.KNOWN_PRICES.isdisjoint(self.every)


def _find(field: str, names: _Names, roles: Mapping[str, str | None]) -> tuple[int, ...]:
    built_in = (
        name
        for name in aliases.ALIASES[field]
        if names.free(name, field) and roles.get(name, field) == field
    )
    found = names.of((*names.configured.get(field, ()), *built_in))
    return tuple(dict.fromkeys(found))


def _roles(names: _Names, sample: Rows) -> dict[str, str | None]:
    """Decide by its values what field an ambiguous header is; ``None``: none."""
    roles: dict[str, str | None] = {}
    for name, otherwise in aliases.NEW_OR_USED_ELSE.items():
        values = list(_values(names.at.get(name, ()), sample))
        new_or_used = _share(values, aliases.NEW_OR_USED) >= AGREEMENT
        roles[name] = "condition" if new_or_used or not (values or otherwise) else otherwise
    if roles["type"] == "body_style" and _other_bodies(names, ("type", "style", "vehicletype")):
        types = _share(list(_values(names.at.get("type", ()), sample)), aliases.BODIES)
        roles["type"] = "body_style" if types >= AGREEMENT else None
    for name in (*aliases.ALIASES["images"], *aliases.IMAGE_PARTS):
        cells = list(_values(names.at.get(name, ()), sample))
        roles[name] = "images" if not cells or not all(map(_no_image, cells)) else None
    for name in ("series", "seriesdetail"):
        roles[name] = "trim" if aliases.TRIM_OWNERS.isdisjoint(names.at) else None
    styles = list(_values(names.at.get("style", ()), sample))
    bodies = _share(styles, aliases.BODIES) >= AGREEMENT
    roles["style"] = "body_style" if bodies else "trim"
    roles["vehicletype"] = _vehicle_type(names, sample, roles)
    return roles


def _no_image(cell: str) -> bool:
    """Say whether a cell is a number of images, or a yes or no."""
    bare = cell.strip()
    return bare.isdecimal() or bare.casefold() in _YES_OR_NO


def _other_bodies(names: _Names, but: Sequence[str]) -> bool:
    """Say whether the file has a column for the body besides these."""
    return any(name in names.at for name in aliases.ALIASES["body_style"] if name not in but)


def _vehicle_type(names: _Names, sample: Rows, roles: Mapping[str, str | None]) -> str:
    """``Vehicle Type`` is a category (``Car_Truck``), or the only column that has bodies."""
    better = (
        name
        for name in aliases.ALIASES["body_style"][:-1]
        if name in names.at and roles.get(name, "body_style") == "body_style"
    )
    values = list(_values(names.at.get("vehicletype", ()), sample))
    bodies = _share(values, aliases.BODIES) >= AGREEMENT
    return "body_style" if bodies and not any(better) else "vehicle_type"


def _values(indexes: Iterable[int], sample: Rows) -> Iterable[str]:
    for index in indexes:
        for row in sample:
            if index < len(row) and row[index].strip():
                yield row[index]


def _share(values: Sequence[str], vocabulary: frozenset[str]) -> float:
    if not values:
        return 0.0
    return sum(normalise(value[:80]) in vocabulary for value in values) / len(values)


def _take_images(
    names: _Names, roles: Mapping[str, str | None], fields: dict[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Add the columns with single images to the lists; give them, in the order of their numbers.

    A column for one address (``ImageURL``) is the first of them where there are others.
    """
    if "images" not in fields or "images" in names.configured:
        return ()
    parts = _image_parts(names, roles)
    if not parts:
        return ()
    leading = [at for at in fields["images"] if names.every[at] in aliases.LEADING_IMAGES]
    lists = tuple(at for at in fields["images"] if at not in leading)
    parts = (*leading, *parts)
    fields["images"] = lists + parts
    return parts


def _image_parts(names: _Names, roles: Mapping[str, str | None]) -> tuple[int, ...]:
    numbered = sorted(
        (int(match[1]), index)
        for name, indexes in names.at.items()
        if (match := aliases.NUMBERED_IMAGE.match(name)) and name not in names.owners
        for index in indexes
    )
    single = names.of(
        name for name in aliases.IMAGE_PARTS if name not in names.owners and roles[name]
    )
    return (*single, *(index for _, index in numbered))


def _take_engine(
    names: _Names, fields: dict[str, tuple[int, ...]]
) -> tuple[tuple[int, int, int] | None, tuple[int, ...]]:
    """Add displacement, block and cylinders to the engine, behind the columns that describe it.

    They are extras as well, for what is made of them is less than they are.
    """
    if "engine" not in fields or "engine" in names.configured:
        return None, ()
    found = [
        next((at for at in names.of(known) if not names.owners.get(names.every[at])), -1)
        for known in (aliases.DISPLACEMENTS, aliases.BLOCKS, aliases.CYLINDERS)
    ]
    displacement, block, cylinders = found
    if displacement < 0 and cylinders < 0:
        return None, ()
    used = tuple(at for at in found if at >= 0)
    fields["engine"] += used
    return (displacement, block, cylinders), used


def _take_combined(
    names: _Names, sample: Rows, fields: dict[str, tuple[int, ...]]
) -> frozenset[str]:
    """Read year, make, model and trim from one column, where the file has none for the make."""
    lacking = [name for name in _COMBINED_FIELDS if name in fields and not fields[name]]
    if "make" not in lacking:
        return frozenset()
    for at in names.of(aliases.COMBINED):
        if combined.combined(_values((at,), sample), AGREEMENT):
            fields.update(dict.fromkeys(lacking, (at,)))
            return frozenset(lacking)
    return frozenset()


def _units(names: _Names, indexes: Iterable[int]) -> dict[int, Unit]:
    units: dict[int, Unit] = {}
    for index in indexes:
        if names.every[index] in _KILOMETERS:
            units[index] = "kilometers"
        elif names.every[index] in _MILES:
            units[index] = "miles"
    return units


def suggest(columns: Columns, target: Target) -> tuple[tuple[str, str], ...]:
    """Pair headers that no field took with the field whose names they resemble.

    A list or retail price is one for the price where the file has no other.
    """
    fields = {column.field for column in target.columns}
    owners = {name: field for field in fields for name in aliases.ALIASES[field]}
    wanted = "price" in fields and "price" not in columns.fields
    prices = aliases.LIKELY_PRICES if wanted else frozenset()
    found: list[tuple[str, str]] = []
    for header in columns.leftover()[:_MOST_COMPARED]:
        name = normalise(header)
        if name in prices:
            found.append((header, "price"))
        elif name not in aliases.KNOWN and _SHORTEST_HEADER <= len(name) <= _LONGEST_HEADER:
            near = get_close_matches(name, owners, n=1, cutoff=_NEAR)
            found.extend((header, owners[match]) for match in near)
    return tuple(found)


def no_identifier(columns: Columns, feed: Feed | None) -> str:
    """Say that no column identifies a vehicle: what was found, what was tried, what is near."""
    own = feed.columns if feed else {}
    tried = {
        field: [*own.get(field, ()), *aliases.ALIASES[field]] for field in ("vin", "stock_number")
    }
    everything = {normalise(name): field for field, given in tried.items() for name in given}
    near = []
    for header in columns.headers[:_MOST_COMPARED]:
        name = normalise(header)[:_LONGEST_HEADER]
        if name in aliases.WEAK_IDENTIFIERS:
            continue
        for match in get_close_matches(name, everything, n=1, cutoff=_NEAR_IDENTIFIER):
            near.append(f'{everything[match]} = ["{header}"]')  # noqa: PERF401  reads better so
    found = ", ".join(header[:_LONGEST_HEADER] for header in columns.headers[:_MOST_COMPARED])
    lists = "; ".join(f"{field}: {', '.join(given)}" for field, given in tried.items())
    near += [
        f'stock_number = ["{header}"], where it is the number on the windscreen'
        for header in columns.headers[:_MOST_COMPARED]
        if normalise(header) in aliases.WEAK_IDENTIFIERS
    ]
    nearest = f" The nearest: {'; '.join(near[:5])}." if near else ""
    return (
        f"No column holds a VIN or a stock number. The headers are: {found}. "
        f"Names tried, spaces and case aside: {lists}.{nearest} "
        f"If one of the headers is meant, name it under [feed.columns]."
    )
