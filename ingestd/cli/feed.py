"""WIRE  ``ingestd import`` and ``ingestd inspect``: files by hand."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    FileSizeColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from ingestd import once
from ingestd.cli.codes import (
    EX_DATAERR,
    EX_NOINPUT,
    EX_OK,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    Usage,
)
from ingestd.cli.inspection import counts, print_inspection
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import complain, print_json, print_report
from ingestd.config import Config, Feed, did_you_mean
from ingestd.errors import Fault, Misconfigured
from ingestd.model import Outcome
from ingestd.report import Report
from ingestd.rooftops import choices
from ingestd.store.postgres import PostgresStore as Store

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
    if feed is None and dealership is None:
        raise Usage("say whose file it is: --dealership ID or --feed NAME")
    _must_exist(files)
    settings = read_config(config, embedded=embedded)

    async def work(store: Store) -> int:
        chosen = await choose_feed(store, settings, feed, dealership)
        worst = EX_OK
        for file in files:
            job = once.Job(settings, chosen, file, dry_run=dry_run)
            for report in await _import_one(job, store, quiet=as_json):
                _print(report, as_json=as_json, dry_run=dry_run)
                worst = max(worst, exit_code(report))
        return worst

    raise typer.Exit(with_store(settings, work))


def _print(report: Report, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json({**report.as_json(), "dry_run": dry_run})
    else:
        print_report(report, dry_run=dry_run)


def _must_exist(files: list[Path]) -> None:
    missing = [file for file in files if not file.is_file()]
    for file in missing:
        what = "is a directory; name the files in it" if file.is_dir() else "there is no such file"
        complain(f"{file}: {what}")
    if missing:
        raise typer.Exit(EX_NOINPUT)


async def _import_one(job: once.Job, store: Store, *, quiet: bool) -> tuple[Report, ...]:
    with _progress(job.file, quiet=quiet) as advance:
        return await once.import_file(job, store, advance)


@contextlib.contextmanager
def _progress(file: Path, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal what has gone to the database; give what advances it by bytes.

    The bar has no end: how much a file will come to (packed, or in another encoding) is
    known only when it has been read.
    """
    if quiet or not sys.stderr.isatty() or file.stat().st_size < SHOW_PROGRESS_FROM:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        FileSizeColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{file.name} to the database", total=None)
        yield lambda count: progress.advance(task, count)


async def choose_feed(
    store: Store, settings: Config, name: str | None, dealership: int | None
) -> Feed:
    """Give the feed to import for: by name, or a dealership's only one, or an implicit one.

    Raises:
        Misconfigured: there is no such feed, or a feed's dealership is not to be found.
        Usage: the dealership has several feeds, or is not that of the feed named.
    """
    if name is not None:
        return await _agreeing(store, named_feed(settings, name), dealership)
    assert dealership is not None, "one of the two is named"
    own = [feed for feed in settings.feed if dealership in await _dealerships(store, feed)]
    if len(own) > 1:
        names = ", ".join(feed.name for feed in own)
        raise Usage(
            f"dealership {dealership} has several feeds ({names}); say which by --feed NAME"
        )
    return own[0] if own else implicit_feed(dealership)


async def _agreeing(store: Store, feed: Feed, dealership: int | None) -> Feed:
    if dealership is not None:
        own = await _dealerships(store, feed)
        if dealership not in own:
            ids = ", ".join(map(str, own))
            raise Usage(
                f"feed {feed.name!r} is of dealership {ids}, not {dealership}; give one of the two"
            )
    return feed


async def _dealerships(store: Store, feed: Feed) -> tuple[int, ...]:
    """Give the ids of a feed's dealerships: a group's several; one given by name is looked up."""
    if isinstance(feed.dealership, int):
        return choices(feed.rooftops) or (feed.dealership,)
    return (await store.dealership(feed),)


def named_feed(settings: Config, name: str) -> Feed:
    """Give the configured feed of that name.

    Raises:
        Misconfigured: there is none.
    """
    known = {feed.name: feed for feed in settings.feed}
    if name not in known:
        hint = did_you_mean(name, known)
        raise Misconfigured(Fault("--feed", f"there is no feed {name!r}{hint}"))
    return known[name]


def implicit_feed(dealership: int) -> Feed:
    """Give the feed of a dealership for which none is configured: full, nothing deactivated."""
    return Feed(name=f"dealership-{dealership}", dealership=dealership, mode="full")


def exit_code(report: Report) -> int:
    """Give the exit code that an import becomes; the greatest of several counts."""
    if report.outcome is Outcome.FAILED:
        return EX_SOFTWARE
    if report.outcome is Outcome.HELD:
        return EX_TEMPFAIL
    rejected = report.outcome is Outcome.REJECTED or (report.counts and report.counts.rejected)
    return EX_DATAERR if rejected else EX_OK


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    config: ConfigOption = None,
    *,
    feed: FeedOption = None,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what would be understood of a file: no database is needed, nothing is stored.

    Exit 65 if it would be refused, or no row of it could be a new vehicle; 75 if it would be held.
    """
    _must_exist([file])
    settings = read_config(config, embedded=embedded)
    chosen = None if feed is None else named_feed(settings, feed)
    today = datetime.now(tz=UTC).date().isoformat()  # noqa: TID251  the command line may know the time
    found = json.loads(asyncio.run(once.inspect_file(settings, chosen, file, today)))
    for inspection in found:
        print_json(counts(inspection)) if as_json else print_inspection(inspection, feed)
    raise typer.Exit(max(map(_inspected, found), default=EX_OK))


def _inspected(one: Mapping[str, Any]) -> int:
    """Give the exit code for one table, as ``import`` has them; the greatest of several counts.

    Single rows that would be rejected are what a person looks for here, and no failure.
    """
    if one["held"]:
        return EX_TEMPFAIL
    never_new = one["rows"] and one["uninsertable"] == one["rows"]
    return EX_DATAERR if one["reason"] or never_new else EX_OK
