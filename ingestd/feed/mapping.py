"""PURE  Which column fills which field.

* Headers match by normalised equality, never in part.
* A field has a list of columns in order of preference: what the feed configures, then the
built-in names.  Which of them a row uses is decided row by row.
* ``Type``, ``Condition``, ``Status``, ``Title``, ``Photos``, ``Series``, ``Style``,
``Vehicle Type`` mean different things to different senders: their values decide (four of five must
agree).
* An engine may be made of displacement and cylinders; year, make and model may stand in one cell.
* Columns of yes and no (``deleted``, ``is_new``) speak of status or condition.
* A column that no field takes is unmapped; its cells are kept as extras.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ingestd.config import Feed
from ingestd.feed import aliases, combined, numbers, spelling, values
from ingestd.feed.columns import Columns
from ingestd.feed.numbers import Unit
from ingestd.feed.roles import AGREEMENT, YES_OR_NO, Cells, Roles, Rows, decide, share
from ingestd.feed.spelling import normalise
from ingestd.vehicle import Target

_NEAR = 0.8
_NEAR_IDENTIFIER = 0.55
_SHORTEST_HEADER = 3
_LONGEST_HEADER = 60
_MOST_COMPARED = 100
_FLAG_WORDS = YES_OR_NO.union("10")
_COMBINED_FIELDS = ("year", "make", "model", "trim")
_IN_MILES = re.compile(r".*miles\Z|(?:mileage|odometer|odometerreading)mi\Z")
_IN_KILOMETERS = re.compile(r"kilom|kmdriven|quilom|.*kms?\Z")
#: What the name of a column with prices holds, and how a stock number looks.
_PRICE_WORDS = ("$", "€", "£", "price", "offer", "special", "asking", "sale", "prix", "precio")
_CODE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9/-]{2,11}\Z")
_NUMBER_WORDS = ("#", "ref", "num")
_NUMBER_OR_CODE = re.compile(rf"[0-9]{{3,8}}\Z|{_CODE.pattern}")
_FEWEST_CODES = 5
_FORMS = 3  # different lengths
#: The least that a price is, in cents, where it is asked whether a column holds prices at all.
_LEAST_PRICE = 500_00


def known(header: str) -> bool:
    """Say whether a cell is a header that senders of inventories use."""
    return spelling.is_name(spelling.name(header))


def map_columns(headers: Sequence[str], sample: Rows, feed: Feed | None, target: Target) -> Columns:
    """Give each field of ``target`` its columns; ``sample`` are rows to judge values by."""
    names = _Names(headers, feed)
    cells = Cells(names.at, sample)
    roles = decide(cells)
    wanted = tuple(column.field for column in target.columns)
    fields = {field: _find(field, names, roles) for field in wanted}
    if "price" in fields and not fields["price"] and not _any_price(names, cells):
        fields["price"] = _find("msrp", names, roles)
    parts = _take_images(names, roles, fields)
    engine, also = _take_engine(names, fields)
    together = _take_combined(names, cells, fields)
    flags = _take_flags(names, cells, fields)
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
        flags=flags,
        cents=_in_cents(names, feed),
    )


class _Names:
    """The headers of a file, and what the feed says of them.

    ``every`` has the names that they mean, ``at`` the columns by name, those excluded left out;
    ``configured`` the columns that the feed gives each field, ``owners`` the fields by column.
    """

    def __init__(self, headers: Sequence[str], feed: Feed | None) -> None:
        normal = tuple(map(normalise, headers))
        self.every = tuple(map(spelling.name, headers))
        excluded = {normalise(name) for name in feed.exclude} if feed else set()
        self.at: dict[str, list[int]] = {}
        mine: dict[str, list[int]] = {}
        for index, name in enumerate(normal):
            if name and name not in excluded:
                self.at.setdefault(self.every[index], []).append(index)
                mine.setdefault(name, []).append(index)
        self.configured: dict[str, list[int]] = {}
        self.owners: dict[int, set[str]] = {}
        for field, given in (feed.columns if feed else {}).items():
            found = [index for name in map(normalise, given) for index in mine.get(name, ())]
            self.configured[field] = found
            for index in found:
                self.owners.setdefault(index, set()).add(field)

    def of(self, wanted: Iterable[str]) -> list[int]:
        """Give the columns of these names, in the order of the names."""
        return [index for name in wanted for index in self.at.get(name, ())]

    def free(self, index: int, field: str) -> bool:
        """Say whether a column is open to the built-in names: the feed gave it to no other field.

        MSRP serves both where the feed takes the price from it.
        """
        return self.owners.get(index, set()) <= ({field, "price"} if field == "msrp" else {field})


def _find(field: str, names: _Names, roles: Roles) -> tuple[int, ...]:
    wanted = (name for name in aliases.ALIASES[field] if roles.get(name, field) == field)
    built_in = (index for index in names.of(wanted) if names.free(index, field))
    return tuple(dict.fromkeys((*names.configured.get(field, ()), *built_in)))


def _any_price(names: _Names, cells: Cells) -> bool:
    """Say whether the file has a column for the price that is asked, wanted or not."""
    if not aliases.KNOWN_PRICES.isdisjoint(names.every):
        return True
    return any(
        "price" in name
        and not any(word in name for word in aliases.NOT_ASKED)
        and any(map(_is_price, cells.of((index,))))
        for index, name in enumerate(names.every)
    )


def _is_price(cell: str) -> bool:
    return not isinstance(numbers.money(cell, _LEAST_PRICE), values.Flaw)


def _take_images(
    names: _Names, roles: Roles, fields: dict[str, tuple[int, ...]]
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


def _image_parts(names: _Names, roles: Roles) -> tuple[int, ...]:
    numbered = sorted(
        (int(match[1]), index)
        for name, indexes in names.at.items()
        if (match := aliases.NUMBERED_IMAGE.match(name))
        for index in indexes
        if index not in names.owners
    )
    single = names.of(name for name in aliases.IMAGE_PARTS if roles[name])
    return (
        *(index for index in single if index not in names.owners),
        *(index for _, index in numbered),
    )


def _take_engine(
    names: _Names, fields: dict[str, tuple[int, ...]]
) -> tuple[tuple[int, int, int] | None, tuple[int, ...]]:
    """Add displacement, block and cylinders to the engine, behind the columns that describe it.

    They are extras as well, for what is made of them is less than they are.
    """
    if "engine" not in fields or "engine" in names.configured:
        return None, ()
    found = [
        next((at for at in names.of(known) if at not in names.owners), -1)
        for known in (aliases.DISPLACEMENTS, aliases.BLOCKS, aliases.CYLINDERS)
    ]
    displacement, block, cylinders = found
    if displacement < 0 and cylinders < 0:
        return None, ()
    used = tuple(at for at in found if at >= 0)
    fields["engine"] += used
    return (displacement, block, cylinders), used


def _take_combined(
    names: _Names, cells: Cells, fields: dict[str, tuple[int, ...]]
) -> frozenset[str]:
    """Read year, make, model and trim from one column, where the file has none for the make.

    Of a column that its name says to hold the model and more (``Make/Model``) no year is asked.
    """
    lacking = frozenset(name for name in _COMBINED_FIELDS if name in fields and not fields[name])
    for known, wanted, gives in aliases.TOGETHER:
        found = lacking.intersection(gives)
        for at in names.of(known) if next(iter(gives)) in found else ():
            if combined.combined(cells.of((at,)), wanted, AGREEMENT):
                fields.update(dict.fromkeys(found, (at,)))
                return found
    return frozenset()


def _take_flags(
    names: _Names, cells: Cells, fields: dict[str, tuple[int, ...]]
) -> dict[int, tuple[str, str]]:
    """Add columns of yes and no (``deleted``, ``is_new``); give what each says.

    That a car is gone outranks other words of its status, that it is not says nothing beside
    them.
    """
    flags: dict[int, tuple[str, str]] = {}
    for name, (field, yes, no) in aliases.FLAGS.items():
        for at in names.at.get(name, ()) if field in fields else ():
            said = list(cells.of((at,)))
            if not names.free(at, field) or share(said, _FLAG_WORDS) < AGREEMENT:
                continue
            others = tuple(index for index in fields[field] if index != at)
            gone = field == "status"
            fields[field] = (at, *others) if gone else (*others, at)
            flags[at] = (yes, "" if gone and others else no)
    return flags


def _in_cents(names: _Names, feed: Feed | None) -> bool:
    stated = feed is not None and feed.prices_in == "cents"
    return stated or aliases.PRICED_IN_CENTS.issubset(names.at)


def _units(names: _Names, indexes: Iterable[int]) -> dict[int, Unit]:
    units: dict[int, Unit] = {}
    for index in indexes:
        if _IN_KILOMETERS.match(names.every[index]):
            units[index] = "kilometers"
        elif _IN_MILES.match(names.every[index]):
            units[index] = "miles"
    return units


def suggest(columns: Columns, target: Target) -> tuple[tuple[str, str], ...]:
    """Pair headers that no field took with the field whose names they resemble.

    A list or retail price is one for the price where the file has no other.
    """
    fields = {column.field for column in target.columns}
    owners = {name: field for field in fields for name in aliases.ALIASES[field]}
    wanted = "price" in fields and "price" not in columns.fields
    prices = likely_prices(columns) if wanted else ()
    found: list[tuple[str, str]] = []
    for header in columns.leftover()[:_MOST_COMPARED]:
        name = normalise(header)
        if header in prices:
            found.append((header, "price"))
        elif name not in aliases.KNOWN and _SHORTEST_HEADER <= len(name) <= _LONGEST_HEADER:
            near = get_close_matches(name, owners, n=3, cutoff=_NEAR)
            alike = [match for match in near if match[0] == name[0]]  # no typo is in the first
            found.extend((header, owners[match]) for match in alike[:1])
    return tuple(found)


def likely_prices(columns: Columns) -> tuple[str, ...]:
    """Give the headers that no field took and that may mean the price, if no other does."""
    return tuple(
        header for header in columns.leftover() if normalise(header) in aliases.LIKELY_PRICES
    )


def may_be_price(header: str, cells: Sequence[str]) -> bool:
    """Say whether a column may hold the price that is asked: its name and its cells speak of it."""
    name = header.casefold()
    if any(word in normalise(header) for word in aliases.NOT_ASKED):
        return False
    spoken = any(word in name for word in _PRICE_WORDS)
    return spoken and bool(cells) and all(map(_is_price, cells))


def may_be_stock_number(header: str, cells: Sequence[str]) -> bool:
    """Say whether cells that all differ are short codes in a few forms: of letters and digits,
    or digits alone where the name calls them numbers.
    """
    numbered = any(word in header.casefold() for word in _NUMBER_WORDS)
    coded = all(map(_NUMBER_OR_CODE.match if numbered else _CODE.match, cells))
    return coded and len(cells) >= _FEWEST_CODES and len({len(cell) for cell in cells}) <= _FORMS


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
        priced = any(word in header.casefold() for word in _PRICE_WORDS)
        if name in aliases.WEAK_IDENTIFIERS or priced:
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
