"""WIRE  ``ingestd deliveries``: what came, from whom, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from ingestd.cli.asked import Done, tell
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import (
    console,
    give_up,
    print_json,
    print_report,
    print_table,
    when,
)
from ingestd.report import Report
from ingestd.store.decisions import Decided
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
        held = () if as_json else [it.import_id for it in reports if it.import_id and it.holds]
        open_ = await store.steps(*held) if held else {}
        return await store.deliveries(number), reports, open_

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

    async def work(store: Store) -> Done:
        refusal = await store.redo(number)
        return Done(Decided(number, refusal=refusal), attended=await store.attended())

    done = with_store(read_config(config, embedded=embedded), work)
    state = {"delivery_id": number, "state": "received", "daemon": done.attended}
    tell(done, _said(number, "will be done again"), state if as_json else None)


@deliveries.command()
def drop(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give up a delivery that waits, or was set aside after it failed: it counts as rejected."""

    async def work(store: Store) -> Done:
        return Done(Decided(number, refusal=await store.drop(number)))

    done = with_store(read_config(config, embedded=embedded), work)
    state = {"delivery_id": number, "outcome": "rejected", "reason": "dropped"}
    tell(done, _said(number, "is dropped"), state if as_json else None)


def _said(number: int, done: str) -> str:
    return f"delivery {number} {done}; `ingestd deliveries show {number}`"
