"""WIRE  ``ingestd imports approve``, ``deny`` and ``replay``: what a person decides of an import.

The ledger takes the decision and the running daemon, or the next one, carries it out: it has the
bytes.  What a command imported is loaded by the command that approves it.
"""

from typing import Annotated, Any

import typer
from rich.text import Text

from ingestd import once
from ingestd.cli.codes import EX_OK
from ingestd.cli.feed import exit_code, implicit_feed
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import console, give_up, no_import, print_json, print_report
from ingestd.config import Config, Feed
from ingestd.report import Report
from ingestd.store.decisions import Decided
from ingestd.store.postgres import PostgresStore as Store

Number = Annotated[int, typer.Argument(metavar="ID")]


def approve(
    number: Number,
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load a held import as it is, or do the deactivations that the feed's latest one holds.

    The running daemon does it, or the next one; of what `ingestd import` brought, this command.
    """
    settings = read_config(config, embedded=embedded)

    async def work(store: Store) -> tuple[Decided, tuple[Report, ...]]:
        report = await store.report(number)
        why = None if report is None else await _unreadable(store, settings, report)
        if report is None or why is not None:
            return Decided(refusal=why or no_import(number)), ()
        decided = await store.approve(number)
        if decided.refusal is not None or not decided.by_command:
            return decided, ()
        assert report.delivery_id is not None, "what is in the ledger has a delivery"
        feed = _feed(settings, report)
        assert feed is not None, "it was found a moment ago"
        return decided, await once.load_again(settings, feed, store, report.delivery_id)

    decided, reports = with_store(settings, work)
    _told(decided, reports, as_json=as_json)
    if not reports:
        _say(number, decided, "approve", "will be loaded by the daemon", as_json=as_json)
    raise typer.Exit(max(map(exit_code, reports), default=EX_OK))


def deny(
    number: Number,
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Refuse a held import for good: it counts as rejected, and its mail or file goes there."""

    async def work(store: Store) -> Decided:
        return await store.deny(number)

    decided = with_store(read_config(config, embedded=embedded), work)
    _told(decided, (), as_json=as_json)
    _say(number, decided, "denied", "is denied", as_json=as_json)


def replay(
    number: Number,
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do an import's files again as the newest of their feed, from their bytes in the spool.

    The running daemon does it, or the next one, as a new delivery of which nobody is told.
    """
    settings = read_config(config, embedded=embedded)

    async def work(store: Store) -> Decided:
        report = await store.report(number)
        why = None if report is None else await _unreadable(store, settings, report)
        return Decided(refusal=why) if why is not None else await store.replay(number)

    decided = with_store(settings, work)
    _told(decided, (), as_json=as_json)
    told = f"is done again as delivery {decided.delivery_id}"
    _say(number, decided, "replay", told, as_json=as_json)


async def _unreadable(store: Store, settings: Config, report: Report) -> str | None:
    """Say why the files of an import cannot be read again."""
    if report.feed is not None and _feed(settings, report) is None:
        return f"the feed {report.feed!r} is not configured; import the file by hand"
    assert report.delivery_id is not None, "what is in the ledger has a delivery"
    (delivery,) = await store.deliveries(report.delivery_id)
    return once.gone(settings, delivery["sha256"])


def _feed(settings: Config, report: Report) -> Feed | None:
    """Give the feed of an import: a configured one, or that of an import by dealership."""
    implicit = implicit_feed(report.dealership_id or 0)
    known = (*settings.feed, implicit) if report.dealership_id else settings.feed
    return next((feed for feed in known if feed.name == report.feed), None)


def _told(decided: Decided, reports: tuple[Report, ...], *, as_json: bool) -> None:
    if decided.refusal is not None:
        give_up(decided.refusal)
    for report in reports:
        if as_json:
            print_json(report.as_json())
        else:
            print_report(report)


def _say(number: int, decided: Decided, decision: str, told: str, *, as_json: bool) -> None:
    if as_json:
        said: dict[str, Any] = {"import_id": number, "delivery_id": decided.delivery_id}
        print_json({**said, "feed": decided.feed, "decision": decision})
        return
    look = f"`ingestd deliveries show {decided.delivery_id}`"
    console().print(Text(f"import {number} {told}; {look}"))
