"""WIRE  ``ingestd import`` and ``ingestd inspect``: one file by hand."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ingestd import once
from ingestd.cli.inspection import counts, print_inspection
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import complain, print_json, print_report
from ingestd.config import Config, Feed, did_you_mean
from ingestd.errors import Fault, Misconfigured
from ingestd.model import Outcome, Report
from ingestd.store.postgres import PostgresStore as Store

REJECTED, NO_INPUT, BUG, TRY_AGAIN = 65, 66, 70, 75
#: Smaller files are done before a bar could be read.
SHOW_PROGRESS_FROM = 4 << 20

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)]
FeedOption = Annotated[str | None, typer.Option("--feed", help="The feed that the files are of.")]
DealershipOption = Annotated[
    int | None, typer.Option("--dealership", help="Or the dealership, by its id.")
]


def import_(  # noqa: PLR0913  one parameter an option
    files: Files,
    config: ConfigOption = None,
    *,
    dealership: DealershipOption = None,
    feed: FeedOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything and take it back; report what it was.")
    ] = False,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import files as a feed's newest, now; the files stay where they are.

    Exit 65 if a row or file was rejected, 75 if an import is held, 70 if one failed.
    """
    _must_exist(files)
    settings = read_config(config, embedded=embedded)
    chosen = choose_feed(settings, feed, dealership)
    worst = 0
    for file in files:
        reports = _import_one(settings, chosen, file, dry_run=dry_run, quiet=as_json)
        for report in reports:
            print_json(report.as_json()) if as_json else print_report(report)
            worst = max(worst, exit_code(report))
    raise typer.Exit(worst)


def _must_exist(files: list[Path]) -> None:
    missing = [file for file in files if not file.is_file()]
    for file in missing:
        complain(f"{file}: there is no such file")
    if missing:
        raise typer.Exit(NO_INPUT)


def _import_one(
    settings: Config, feed: Feed, file: Path, *, dry_run: bool, quiet: bool
) -> tuple[Report, ...]:
    async def work(store: Store) -> tuple[Report, ...]:
        with _progress(file, quiet=quiet) as advance:
            return await once.import_file(
                once.Job(settings, feed, file, dry_run=dry_run), store, advance
            )

    return with_store(settings, work)


@contextlib.contextmanager
def _progress(file: Path, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while a large file is read; give what advances it by bytes."""
    size = file.stat().st_size
    if quiet or not sys.stderr.isatty() or size < SHOW_PROGRESS_FROM:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task(file.name, total=size)
        yield lambda count: progress.advance(task, count)


def choose_feed(settings: Config, name: str | None, dealership: int | None) -> Feed:
    """Give the feed to import for: by name, or a dealership's only one, or an implicit one.

    Raises:
        Misconfigured: there is no such feed, or several, or neither was named.
    """
    if name is not None:
        known = {feed.name: feed for feed in settings.feed}
        if name not in known:
            hint = did_you_mean(name, known)
            raise Misconfigured(Fault("--feed", f"there is no feed {name!r}{hint}"))
        return known[name]
    if dealership is None:
        raise Misconfigured(Fault("", "say whose file it is: --dealership ID or --feed NAME"))
    own = [feed for feed in settings.feed if feed.dealership == dealership]
    if len(own) > 1:
        names = ", ".join(feed.name for feed in own)
        message = f"dealership {dealership} has several feeds ({names}); say which by --feed NAME"
        raise Misconfigured(Fault("--dealership", message))
    return own[0] if own else implicit_feed(dealership)


def implicit_feed(dealership: int) -> Feed:
    """Give the feed of a dealership for which none is configured: full, nothing deactivated."""
    return Feed(name=f"dealership-{dealership}", dealership=dealership, mode="full")


def exit_code(report: Report) -> int:
    """Give the exit code that an import becomes; the greatest of several counts."""
    if report.outcome is Outcome.FAILED:
        return BUG
    if report.outcome is Outcome.HELD:
        return TRY_AGAIN
    rejected = report.outcome is Outcome.REJECTED or (report.counts and report.counts.rejected)
    return REJECTED if rejected else 0


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    config: ConfigOption = None,
    *,
    feed: FeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would be understood of a file: no database is needed, nothing is stored.

    Exit 65 if the file would be refused.
    """
    _must_exist([file])
    settings = read_config(config)
    chosen = None if feed is None else choose_feed(settings, feed, None)
    today = datetime.now(tz=UTC).date().isoformat()  # noqa: TID251  the command line may know the time
    found = json.loads(asyncio.run(once.inspect_file(settings, chosen, file, today)))
    for inspection in found:
        print_json(counts(inspection)) if as_json else print_inspection(inspection)
    raise typer.Exit(REJECTED if any(one["reason"] for one in found) else 0)
