"""WIRE  ``ingestd deliveries``: what came, from whom, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer
from rich.text import Text

from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import (
    console,
    give_up,
    nobody,
    print_json,
    print_report,
    print_table,
    steps,
    when,
)
from ingestd.report import Report
from ingestd.store.postgres import PostgresStore as Store

deliveries = typer.Typer(no_args_is_help=True, help="What came, and what became of it.")

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Only of this mailbox or folder.")
]


@deliveries.command(name="list")
def list_(
    config: ConfigOption = None,
    *,
    source: SourceOption = None,
    limit: Limit = 20,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the latest deliveries."""

    async def work(store: Store) -> tuple[dict[str, Any], ...]:
        return await store.deliveries(source=source, limit=limit)

    found = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        for delivery in found:
            print_json(delivery)
        return
    print_table(
        ("id", "first seen (UTC)", "source", "from", "subject or name", "outcome", "reason"),
        (
            (
                d["id"],
                when(d["first_seen"]),
                d["source"],
                d["sender"] or "",
                d["subject"] or d["name"],
                d["outcome"] or d["state"],
                d["reason"] or "",
            )
            for d in found
        ),
    )


@deliveries.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one delivery and what was made of each file in it."""

    async def work(
        store: Store,
    ) -> tuple[tuple[dict[str, Any], ...], tuple[Report, ...], Mapping[int, str]]:
        reports = await store.imports_of(number)
        return await store.deliveries(number), reports, await steps(store)

    found, reports, open_ = with_store(read_config(config, embedded=embedded), work)
    if not found:
        give_up(f"there is no delivery {number}; `ingestd deliveries list` shows the latest")
    if as_json:
        print_json({**found[0], "imports": [report.as_json() for report in reports]})
        return
    for name, value in found[0].items():
        if value is not None:
            shown = when(value) if name == "first_seen" or name.endswith("_at") else value
            console().print(Text(f"{name}: {shown}"))
    for report in reports:
        print_report(report, open_=open_)


@deliveries.command()
def retry(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have a delivery that was rejected, or failed, done again from its bytes in the spool.

    The running daemon does it, or the next one.  Its imports get new numbers.  A file goes where
    it then belongs; a mail stays where it lies.
    """

    async def work(store: Store) -> Ended:
        return Ended(await store.redo(number), await store.attended())

    ended = with_store(read_config(config, embedded=embedded), work)
    state = {"state": "received", "daemon": ended.attended}
    _tell(number, ended, "will be done again", state if as_json else None)


@deliveries.command()
def drop(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give up a delivery that waits, or was set aside after it failed: it counts as rejected."""

    async def work(store: Store) -> Ended:
        return Ended(await store.drop(number), attended=True)

    ended = with_store(read_config(config, embedded=embedded), work)
    state = {"outcome": "rejected", "reason": "dropped"}
    _tell(number, ended, "is dropped", state if as_json else None)


class Ended(NamedTuple):
    """Why it cannot be done (None: it is), and whether a daemon runs that does its part."""

    refusal: str | None
    attended: bool


def _tell(number: int, ended: Ended, done: str, state: Mapping[str, Any] | None) -> None:
    """Tell the end of a command; as JSON where ``state`` is given: how the delivery stands."""
    if ended.refusal is not None:
        give_up(ended.refusal)
    if state is not None:
        print_json({"delivery_id": number, **state})
        return
    console().print(Text(f"delivery {number} {done}; `ingestd deliveries show {number}`"))
    if not ended.attended:
        console().print(Text(nobody()))
