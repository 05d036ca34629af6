"""PURE  The ``[target]`` block for a table that no profile describes, as far as it can be told.

Columns are proposed by their names, words of status by an enumeration's own.  What nobody can
tell from a catalogue is left empty, so that the block is refused until a person has filled it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ingestd.config import TargetSettings
from ingestd.folding import fold
from ingestd.kinds import MONEY_UNITS
from ingestd.store.layout import CatalogueColumn
from ingestd.store.profile import MONEY, NEEDED, WORDS
from ingestd.vehicle import FIELDS

#: Names that columns bear elsewhere, in letters and digits only, besides the field's own.
_ALSO = {
    "exterior_color": ("extcolor", "color"),
    "interior_color": ("intcolor",),
    "stock_number": ("stock", "stockno", "stocknum"),
    "price": ("saleprice", "sellingprice", "askingprice"),
    "mileage": ("miles", "odometer"),
    "body_style": ("body", "bodytype"),
    "fuel_type": ("fuel",),
    "drivetrain": ("drivetype",),
    "features": ("options", "equipment"),
    "images": ("photos", "imageurls", "photourls"),
    "url": ("link", "vehicleurl"),
}
_OWN = {
    "id": ("id",),
    "dealership": ("dealershipid", "dealerid", "dealership", "dealer"),
    "active": ("isactive", "active"),
    "created": ("createdat", "created"),
    "updated": ("updatedat", "updated"),
}


def proposal(table: str, columns: Sequence[CatalogueColumn], settings: TargetSettings) -> str:
    """Give the block for ``table``; what ``settings`` says already stays said."""
    by_name = {fold(column.name): column for column in columns}
    wanted = {field: (fold(field), *_ALSO.get(field, ())) for field in FIELDS}
    fields = {**_found(wanted, by_name), **settings.columns}
    own = {**_found(_OWN, by_name), **settings.own}
    used = {*fields.values(), *own.values()}
    unused = [column.name for column in columns if column.name not in used]
    status = next((c for c in columns if c.name == fields.get("status")), None)
    lines = [
        *_head(table, fields, own, settings),
        *_words(status, settings),
        "[target.own]",
        *_pairs(own, ("id", "dealership"), _OWN),
        "[target.columns]",
        *_pairs(fields, NEEDED, FIELDS),
    ]
    if unused:
        lines.append(f"# columns that no field fills: {', '.join(unused)}")
    return "\n".join(lines)


def _found(
    wanted: Mapping[str, Iterable[str]], by_name: Mapping[str, CatalogueColumn]
) -> dict[str, str]:
    """Give the column of each that has one by any of its names, the first name first."""
    return {
        key: by_name[name].name
        for key, names in wanted.items()
        for name in list(names)[::-1]
        if name in by_name
    }


def _head(
    table: str, fields: Mapping[str, str], own: Mapping[str, str], settings: TargetSettings
) -> Iterator[str]:
    yield "[target]"
    yield f"table = {json.dumps(table)}"
    if any(fields.get(field) for field in MONEY):
        unit = json.dumps(settings.money or "")
        yield f"money = {unit}   # 19,995.50 is stored as: {MONEY_UNITS}"
    yield f'distance = {json.dumps(settings.distance)}   # of the mileage; or "kilometers"'
    if fields.get("status") and not own.get("active"):
        word = json.dumps(settings.gone_status) if settings.gone_status else '"…"'
        mark = "" if settings.gone_status else "# "
        yield f"{mark}gone_status = {word}   # of what is listed no more; see docs/target.md"


def _words(status: CatalogueColumn | None, settings: TargetSettings) -> Iterator[str]:
    """Propose the words of status, where there is such a column."""
    if status is None:
        return
    yield "[target.status]"
    among = f"   # one of: {', '.join(status.labels)}" if status.enum else ""
    for word in WORDS:
        label = next((label for label in status.labels if label.casefold() == word), "")
        given = settings.status.get(word, label if status.enum else word)
        yield f"{word} = {json.dumps(given, ensure_ascii=False)}{among}"


def _pairs(found: Mapping[str, str], needed: Iterable[str], order: Iterable[str]) -> Iterator[str]:
    for key in order:
        if found.get(key) or key in needed:
            yield f"{key} = {json.dumps(found.get(key, ''), ensure_ascii=False)}"
