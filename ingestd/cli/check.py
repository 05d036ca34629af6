"""WIRE  ``ingestd check``: every step that the daemon will take, tried one after the other."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import typer
from rich.text import Text

from ingestd import config as configuration
from ingestd import once, outlets
from ingestd.app import set_up_log
from ingestd.cli.codes import EX_UNAVAILABLE
from ingestd.cli.setting import (
    HOW_TO_GIVE_A_DATABASE,
    ConfigOption,
    EmbeddedOption,
    JsonOption,
    database,
    read_config,
)
from ingestd.cli.terminal import console, print_json
from ingestd.config import Config
from ingestd.credentials import resolved
from ingestd.errors import IngestError, Misconfigured
from ingestd.mailcheck import check_mail
from ingestd.report import Step


def check(
    config: ConfigOption = None, *, embedded: EmbeddedOption = False, as_json: JsonOption = False
) -> None:
    """Try every step: database, schema, target, feeds, folders, spool, parser, mailboxes, replies.

    Exit 69 if one fails; each says what to do.
    """
    settings = read_config(config, embedded=embedded)
    steps = [Step("configuration", "read without a fault", well=True), *_steps(settings)]
    steps += _mail(settings)
    for step in steps:
        _print(step, as_json=as_json)
    if not all(step.well for step in steps):
        raise typer.Exit(EX_UNAVAILABLE)


def _steps(settings: Config) -> list[Step]:
    if not configuration.database_configured(settings.database):
        return [Step("database", HOW_TO_GIVE_A_DATABASE, well=False), *_collected(settings, None)]
    try:
        with database(settings) as url:
            return _collected(settings, url)
    except IngestError as error:
        return [Step("database", str(error), well=False), *_collected(settings, None)]


def _collected(settings: Config, url: str | None) -> list[Step]:
    found = _run(once.check_place(settings))
    if url is not None:
        found = [*_run(once.check_database(settings, url)), *found]
    return found


def _mail(settings: Config) -> list[Step]:
    if not settings.mailbox and not any(feed.reply_to for feed in settings.feed):
        return []
    try:
        ready = resolved(settings, os.environ)
    except Misconfigured as error:
        return [Step("secrets", str(error), well=False)]
    set_up_log(ready)
    return [*_run(check_mail(ready)), *_run(outlets.check_replies(ready))]


def _run(steps: AsyncIterator[Step]) -> list[Step]:
    async def collect() -> list[Step]:
        return [step async for step in steps]

    return asyncio.run(collect())


def _print(step: Step, *, as_json: bool) -> None:
    if as_json:
        print_json({"step": step.name, "ok": step.well, "message": step.message})
        return
    mark = Text("ok    ", style="green") if step.well else Text("failed", style="bold red")
    console().print(mark.append(f"  {step.name}: {step.message}", style="default"))
    sys.stdout.flush()
