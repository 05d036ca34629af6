"""WIRE  ``ingestd imports`` and ``ingestd status``: what the ledger says."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from ingestd.cli.asked import sought
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import (
    console,
    counts_sentence,
    give_up,
    print_json,
    print_report,
    print_table,
    when,
)
from ingestd.model import Finding
from ingestd.report import Report, finding_json
from ingestd.store.postgres import PostgresStore as Store

imports = typer.Typer(no_args_is_help=True, help="What was made of each file.")

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")]
FeedOption = Annotated[str | None, typer.Option("--feed", help="Only of this feed.")]


@imports.command(name="list")
def list_(
    config: ConfigOption = None,
    *,
    feed: FeedOption = None,
    limit: Limit = 20,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the latest imports."""

    async def work(store: Store) -> tuple[Report, ...]:
        return await store.imports(feed=feed, limit=limit)

    reports = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        for report in reports:
            print_json(report.as_json())
        return
    print_table(
        ("id", "when (UTC)", "feed", "file", "outcome", "lines"),
        ((r.import_id, when(r.started_at), r.feed, r.file, r.outcome, _words(r)) for r in reports),
    )


def _words(report: Report) -> str:
    """Say why, where it is not a success, and what was counted."""
    counted = counts_sentence(report) if report.counts else None
    return "; ".join(filter(None, (report.reason, counted)))


@imports.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one import."""

    async def work(store: Store) -> tuple[Report | None, str, Mapping[int, str]]:
        report, why = await sought(store, number)
        waits = report is not None and report.holds and not as_json
        return report, why, await store.steps(number) if waits else {}

    report, why, open_ = with_store(read_config(config, embedded=embedded), work)
    if report is None:
        give_up(why)
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report, open_=open_)


@imports.command()
def rejections(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List every rejected line of an import, with the reason."""

    async def work(store: Store) -> tuple[str, tuple[Finding, ...]]:
        _, why = await sought(store, number)
        return why, await store.rejections(number)

    why, found = with_store(read_config(config, embedded=embedded), work)
    if why:
        give_up(why)
    if as_json:
        for finding in found:
            print_json(finding_json(finding))
    else:
        rows = ((f.line, f.column, f.reason, f.value) for f in found)
        print_table(("line", "column", "reason", "value"), rows)


def status(
    config: ConfigOption = None, *, embedded: EmbeddedOption = False, as_json: JsonOption = False
) -> None:
    """Show what waits for you, what waits for us, what each feed did last, and who watches."""

    async def work(store: Store) -> dict[str, Any]:
        return await store.status()

    found = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        print_json(found)
        return
    deliveries = ", ".join(f"{count} {state}" for state, count in found["deliveries"].items())
    sys.stdout.write(f"deliveries: {deliveries or 'none'}\n")
    for lease in found["leases"]:
        seen = "watched by" if lease["held"] else "was watched by"
        who = f"{seen} {lease['owner']} (lease {lease['state']})"
        sys.stdout.write(f"source {lease['name']}: {who}\n")
    if not any(lease["held"] for lease in found["leases"]):
        sys.stdout.write("no daemon seems to be running: no source is watched\n")
    _print_waiting(found)
    print_table(
        ("feed", "dealership", "last import", "outcome", "when (UTC)"),
        (
            (
                f["feed"],
                f["dealership_id"],
                f["import_id"],
                f["outcome"] or "nothing yet",
                when(f["at"]),
            )
            for f in found["feeds"]
        ),
    )


def _print_waiting(found: Mapping[str, Any]) -> None:
    """Say what a person has to decide, and what waits for another reason than its turn."""
    for it in found["to_decide"]:
        what = f"import {it['import_id']} of feed {it['feed']} ({it['file']})"
        said = f"to decide: {what}, since {when(it['since'])}: {it['why']}; {it['next']}"
        console().print(Text(said), soft_wrap=True)
    for it in found["waiting"]:
        number = it["deliveries"]
        what = f"{number} {'delivery waits' if number == 1 else 'deliveries wait'}"
        of = f"feed {it['feed']}: " if it["feed"] else "not opened yet: "
        why = f", {it['why']}" if it["why"] else ""
        said = f"{of}{what} since {when(it['since'])}{why}"
        console().print(Text(said), soft_wrap=True)
