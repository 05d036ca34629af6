"""WIRE  ``ingestd imports approve``, ``deny`` and ``replay``: what a person decides of an import.

The ledger takes the decision and the running daemon, or the next one, carries it out: it has the
bytes.  What a command imported is loaded by the command that approves it.
"""

import getpass
import os
from dataclasses import replace
from typing import Annotated

import typer

from ingestd import once
from ingestd.cli.asked import Done, sought, tell
from ingestd.cli.codes import EX_OK
from ingestd.cli.feed import exit_code, implicit_feed
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, read_config, with_store
from ingestd.cli.terminal import print_json, print_report
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

    async def work(store: Store) -> Done:
        report, why = await _readable(store, settings, number)
        if report is None:
            return Done(Decided(refusal=why))
        decided = await store.approve(number, _who())
        if decided.refusal is not None or not decided.by_command:
            return await _left(store, number, decided)
        assert report.delivery_id is not None, "what is in the ledger has a delivery"
        feed = _feed(settings, report)
        assert feed is not None, "it was found a moment ago"
        return Done(decided, await once.load_again(settings, feed, store, report.delivery_id))

    done = with_store(settings, work)
    for report in done.reports:
        if as_json:
            print_json(report.as_json())
        else:
            print_report(report)
    if not done.reports:
        _say(number, done, "approve", "will be loaded by the daemon", as_json=as_json)
    raise typer.Exit(max(map(exit_code, done.reports), default=EX_OK))


def deny(
    number: Number,
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Refuse a held import for good: it counts as rejected, and its mail or file goes there."""

    async def work(store: Store) -> Done:
        return await _left(store, number, await store.deny(number, _who()))

    done = with_store(read_config(config, embedded=embedded), work)
    _say(number, done, "denied", "is denied", as_json=as_json)


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

    async def work(store: Store) -> Done:
        report, why = await _readable(store, settings, number)
        if report is None:
            return Done(Decided(refusal=why))
        return await _left(store, number, await store.replay(number))

    done = with_store(settings, work)
    told = f"will be done again by the daemon as delivery {done.decided.delivery_id}"
    _say(number, done, "replay", told, as_json=as_json)


async def _left(store: Store, number: int, decided: Decided) -> Done:
    """Say what came of a decision that is left to the daemon, and whether there is one."""
    if decided.refusal is not None:
        return Done(replace(decided, refusal=await _refusal(store, number, decided.refusal)))
    return Done(decided, attended=None if decided.by_command else await store.attended())


async def _refusal(store: Store, number: int, refusal: str) -> str:
    """Add which imports may have been meant: files in held/ bear the numbers of deliveries."""
    _, why = await sought(store, number)
    if why:
        return why
    of_delivery = [it.import_id for it in await store.imports_of(number) if it.holds]
    if not of_delivery or number in of_delivery:
        return refusal
    named = ", ".join(f"import {held}" for held in of_delivery)
    return f"{refusal}; delivery {number} brought {named}, which waits for a decision"


def _who() -> str | None:
    """Give the name of the user at this machine, where it can be told."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return f"user {os.getuid()}"


async def _readable(store: Store, settings: Config, number: int) -> tuple[Report | None, str]:
    """Give an import whose files can be read again, or None and why there is none."""
    report, why = await sought(store, number)
    if report is not None:
        why = await _unreadable(store, settings, report) or ""
    return None if why else report, why


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


def _say(number: int, done: Done, decision: str, told: str, *, as_json: bool) -> None:
    """Say what will be done; ``daemon``: whether one runs that does it, null if none need."""
    decided = done.decided
    whose = {"import_id": number, "delivery_id": decided.delivery_id, "feed": decided.feed}
    state = {**whose, "decision": decision, "daemon": done.attended}
    look = f"`ingestd deliveries show {decided.delivery_id}`"
    left = "its mail or file is moved" if decision == "denied" else "it will be done"
    tell(done, f"import {number} {told}; {look}", state if as_json else None, left)
