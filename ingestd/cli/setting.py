"""WIRE  What every command needs first: the configuration, and a database to speak to."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ingestd import app, config
from ingestd.config import Config
from ingestd.errors import Fault, Misconfigured
from ingestd.store.embedded import use
from ingestd.store.postgres import PostgresStore as Store

_T = TypeVar("_T")
#: Where a configuration is looked for when none is named.
PLACES = (Path("config.toml"), Path("/etc/ingestd/config.toml"))
HOW_TO_GIVE_A_DATABASE = (
    "no database is configured; give one of: DATABASE_URL in the environment "
    "(postgresql://user:password@host/rylie), [database] in the configuration file, "
    "or --embedded for a private PostgreSQL to try things out"
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration file.", envvar="INGESTD_CONFIG"),
]
EmbeddedOption = Annotated[
    bool, typer.Option("--embedded", help="Use a private PostgreSQL below state_dir.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def read_config(path: Path | None, *, embedded: bool = False, required: bool = False) -> Config:
    """Read the configuration file that is named, or found; none is an empty one.

    Raises:
        Misconfigured: it cannot be read, or it is wrong.
    """
    file = path or next((place for place in PLACES if place.is_file()), None)
    if file is None and required:
        places = " or ".join(str(place) for place in PLACES)
        message = (
            f"there is no configuration file; name one by --config FILE, or put it at {places}"
        )
        raise Misconfigured(Fault("", message))
    try:
        text = "" if file is None else file.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(Fault(str(file), f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise Misconfigured(Fault(str(file), "is not UTF-8 text")) from None
    try:
        settings = config.parse(text, os.environ, embedded=embedded)
    except Misconfigured as error:
        where = str(file) if file is not None else "the environment"
        faults = (Fault(f"{where}: {fault.path}", fault.message) for fault in error.faults)
        raise Misconfigured(*faults) from None
    app.set_up_log(settings)
    return settings


@contextlib.contextmanager
def database(settings: Config) -> Iterator[str]:
    """Give the URL of the configured database, starting the embedded one where asked.

    Raises:
        Misconfigured: no database is configured.
    """
    if not config.database_configured(settings.database):
        raise Misconfigured(Fault("", HOW_TO_GIVE_A_DATABASE))
    if not settings.database.embedded:
        yield app.database_url(settings, os.environ)
        return
    with use(settings.state_dir) as server:
        asyncio.run(app.apply_schema(server.url))
        yield app.as_ingestd(server.url)


def with_store(settings: Config, work: Callable[[Store], Coroutine[Any, Any, _T]]) -> _T:
    """Run ``work`` on the configured database's ledger and vehicles."""

    async def run(url: str) -> _T:
        async with app.opened_store(settings, url) as store:
            return await work(store)

    with database(settings) as url:
        return asyncio.run(run(url))
