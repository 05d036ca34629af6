"""WIRE  ``ingestd imports`` and ``ingestd status``: what the ledger says."""

import sys
from typing import Annotated, Any

import typer

from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import (
    counts_sentence,
    give_up,
    no_import,
    print_json,
    print_report,
    print_table,
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
        (
            (r.import_id, f"{r.started_at:%Y-%m-%d %H:%M:%S}", r.feed, r.file, r.outcome, _words(r))
            for r in reports
        ),
    )


def _words(report: Report) -> str:
    return counts_sentence(report) if report.counts else (report.reason or "")


@imports.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one import."""

    async def work(store: Store) -> Report | None:
        return await store.report(number)

    report = with_store(read_config(config, embedded=embedded), work)
    if report is None:
        give_up(no_import(number))
    elif as_json:
        print_json(report.as_json())
    else:
        print_report(report)


@imports.command()
def rejections(
    number: Annotated[int, typer.Argument(metavar="ID")],
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List every rejected line of an import, with the reason."""

    async def work(store: Store) -> tuple[Finding, ...] | None:
        if await store.report(number) is None:
            return None
        return await store.rejections(number)

    found = with_store(read_config(config, embedded=embedded), work)
    if found is None:
        give_up(no_import(number))
    elif as_json:
        for finding in found:
            print_json(finding_json(finding))
    else:
        rows = ((f.line, f.column, f.reason, f.value) for f in found)
        print_table(("line", "column", "reason", "value"), rows)


def status(
    config: ConfigOption = None, *, embedded: EmbeddedOption = False, as_json: JsonOption = False
) -> None:
    """Show what waits, what each feed did last, and whether a daemon holds the sources."""

    async def work(store: Store) -> dict[str, Any]:
        return await store.status()

    found = with_store(read_config(config, embedded=embedded), work)
    if as_json:
        print_json(found)
        return
    deliveries = ", ".join(f"{count} {state}" for state, count in found["deliveries"].items())
    sys.stdout.write(f"deliveries: {deliveries or 'none'}\n")
    for lease in found["leases"]:
        sys.stdout.write(f"source {lease['name']}: held by {lease['owner']} {lease['state']}\n")
    print_table(
        ("feed", "dealership", "last import", "outcome", "when (UTC)"),
        (
            (f["feed"], f["dealership_id"], f["import_id"], f["outcome"], f["at"])
            for f in found["feeds"]
        ),
    )
