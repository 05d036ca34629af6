"""WIRE  ``ingestd run``: the daemon."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ingestd import app, config, demo
from ingestd.cli.setting import (
    HOW_TO_GIVE_A_DATABASE,
    ConfigOption,
    EmbeddedOption,
    read_config,
)
from ingestd.config import Config
from ingestd.errors import Fault, Misconfigured
from ingestd.store.embedded import start


def run(
    config: ConfigOption = None,
    *,
    embedded: EmbeddedOption = False,
    sample: Annotated[
        Path | None,
        typer.Option(
            "--sample",
            metavar="DIR",
            help="Try it out: an invented dealership, its feed and a database, all below DIR.",
        ),
    ] = None,
) -> None:
    """Watch the sources and keep the vehicles in agreement, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration anew: all of it, or, where it is wrong, none.
    """

    def settings() -> Config:
        if sample is not None:
            return demo.settings(sample, os.environ)
        return read_config(config, embedded=embedded, required=True)

    first = settings()
    app.set_up_log(first)
    _must_watch_something(first)
    with app.alone(first.state_dir), _database(first) as url:
        asyncio.run(app.run(settings, first, url, sample=sample is not None))


def _must_watch_something(settings: Config) -> None:
    if not settings.folder and not settings.mailbox:
        message = "nothing is watched; add a [[mailbox]] or a [[folder]], and a [[feed]]"
        raise Misconfigured(Fault("folder", message))
    if not config.database_configured(settings.database):
        raise Misconfigured(Fault("", HOW_TO_GIVE_A_DATABASE))


@contextlib.contextmanager
def _database(settings: Config) -> Iterator[str]:
    """Give the database's URL; the embedded one lives as long as the daemon."""
    if not settings.database.embedded:
        yield app.database_url(settings, os.environ)
        return
    with start(settings.state_dir) as server:
        asyncio.run(app.apply_schema(server.url))
        yield app.as_ingestd(server.url)
