"""WIRE  ``ingestd vehicle``: what a vehicle is now, and which file made it so."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from ingestd.cli.codes import Usage
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import console, give_up, print_json, print_table, when
from ingestd.config import did_you_mean
from ingestd.store.lookup import Sought
from ingestd.store.postgres import PostgresStore as Store
from ingestd.vehicle import FIELDS

#: Of a value on a terminal.
_SHOWN = 60
#: Columns that are shown first, where the table has them; then the others in its own order.
_HEAD = (*FIELDS[:6], "status", "is_active", "price", "msrp", "mileage")
_FIRST = (*_HEAD, *(name for name in FIELDS if name not in _HEAD))

Vin = Annotated[str | None, typer.Argument(metavar="[VIN]", help="In any spelling.")]
StockOption = Annotated[str | None, typer.Option("--stock", help="A stock number instead.")]
DealershipOption = Annotated[int | None, typer.Option("--dealership", help="Only of this one.")]
FieldOption = Annotated[str | None, typer.Option("--field", help="Only changes of this column.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many changes of each.")]


def vehicle(  # noqa: PLR0913  one for each option
    vin: Vin = None,
    config: ConfigOption = None,
    *,
    stock: StockOption = None,
    dealership: DealershipOption = None,
    field: FieldOption = None,
    limit: Limit = 100,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a vehicle, the feeds that list it, and what changed: when, by which file, which line."""
    vin, stock = (vin or "").strip() or None, (stock or "").strip() or None
    if (vin is None) == (stock is None):
        raise Usage("give either a VIN or --stock NUMBER")
    sought = Sought(vin, stock, dealership, field, limit)

    async def work(store: Store) -> tuple[Sequence[dict[str, Any]], Sequence[str]]:
        lookup = await store.lookup()
        if field is not None and field not in lookup.columns():
            hint = did_you_mean(field, lookup.columns()) or f": {', '.join(lookup.columns())}"
            raise Usage(f"there is no column {field!r} that a file could change{hint}")
        found = await lookup.find(sought)
        return found, () if found else await lookup.near(sought)

    found, near = with_store(read_config(config, embedded=embedded), work)
    if not found:
        give_up(_not_found(sought, near))
    for one in found:
        if as_json:
            print_json(one)
        else:
            _print(one)


def _not_found(sought: Sought, near: Sequence[str]) -> str:
    what = f"VIN {sought.vin}" if sought.vin else f"stock number {sought.stock}"
    where = "" if sought.dealership is None else f" at dealership {sought.dealership}"
    message = f"there is no vehicle with {what}{where}"
    if near:
        return f"{message}; there is {', '.join(near)}"
    return f"{message}, nor one like it; `ingestd imports list` shows what came"


def _print(one: Mapping[str, Any]) -> None:
    out = console()
    name = one["dealership"] or "no name"
    out.print(
        Text(f"vehicle {one['vehicle_id']} of dealership {one['dealership_id']}, {name}", "bold")
    )
    for column, value in _in_order(one["vehicle"]):
        if value is not None and column not in ("id", "dealership_id"):
            shown = when(value) if column.endswith("_at") else _short(value)
            out.print(Text(f"  {column}: {shown}"))
    for sentence in _sentences(one):
        out.print(Text(f"  {sentence}"))
    if not one["changes"]:
        out.print(Text("  ingestd has changed nothing of it that it still knows of"))
        return
    headers = ("when (UTC)", "column", "old", "new", "cause", "import", "file", "line", "mail")
    print_table(headers, (_row(change) for change in one["changes"]))


def _in_order(values: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """Put first what says which vehicle it is, then whether and for how much it is on offer."""
    place = {name: number for number, name in enumerate(_FIRST)}
    return sorted(values.items(), key=lambda item: place.get(item[0], len(place)))


def _sentences(one: Mapping[str, Any]) -> Iterator[str]:
    """Say who lists it, who switched it off, and where it came from."""
    for listing in one["listed_by"]:
        last = f"last by delivery {listing['last_listed_delivery_id']}"
        last += f" of {_time(listing['last_listed_at'])}"
        if listing["listed"]:
            yield f"listed by feed {listing['feed']}, {last}"
        else:
            misses = f"{listing['misses']} misses counted"
            yield f"not listed any more by feed {listing['feed']}, {last}; {misses}"
    off = one["deactivated"]
    if off is not None:
        by = "" if off["delivery_id"] is None else f" by delivery {off['delivery_id']}"
        yield f"switched off by ingestd{by} at {_time(off['at'])}: {off['reason']}"
    added = one["added"]
    if added is not None:
        mail = _mail(added)
        came = f"{added['name']}{mail and ', '}{mail}"
        yield f"added by delivery {added['delivery_id']} ({came}) at {_time(added['at'])}"


def _row(change: Mapping[str, Any]) -> tuple[Any, ...]:
    values = (_short(change["old"]), _short(change["new"]))
    where = (change["import_id"], change["file"], change["line"])
    return (_time(change["at"]), change["field"], *values, change["cause"], *where, _mail(change))


def _mail(found: Mapping[str, Any]) -> str:
    """Name the mail by its sender and subject; nothing where it was a file."""
    return ": ".join(filter(None, (found["sender"], found["subject"])))


def _time(value: str | None) -> str:
    return when(value) or "?"


def _short(value: Any) -> str:
    text = "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
