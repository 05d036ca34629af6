"""WIRE  ``ingestd schema``: apply, show, print the SQL of the database."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ingestd import app
from ingestd.cli.codes import EX_UNAVAILABLE
from ingestd.cli.setting import ConfigOption, EmbeddedOption, JsonOption, database, read_config
from ingestd.cli.terminal import print_json, print_table
from ingestd.config import Config
from ingestd.store import migrate
from ingestd.store.embedded import use
from ingestd.store.migrate import Status

schema = typer.Typer(no_args_is_help=True, help="The tables: apply, status, print.")

UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="The database, as a role that may create tables and roles."),
]


@schema.command()
def apply(
    config: ConfigOption = None,
    *,
    url: UrlOption = None,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create the tables of the platform and of ingestd, or bring them up to date.

    Run it as the owner of the database: the role ingestd itself may not create anything.
    """
    with _owner(read_config(config, embedded=embedded), url) as owner:
        applied = asyncio.run(app.apply_schema(owner))
    names = [file.name for file in applied.files]
    said = (*applied.notices, *applied.status.messages())
    if as_json:
        print_json({"applied": names, "messages": list(said)})
        return
    done = [f"applied {name}" for name in names] or ["nothing to do: every file is applied"]
    sys.stdout.write("\n".join([*done, *said, migrate.DB_PUSH]) + "\n")


@schema.command()
def status(
    config: ConfigOption = None,
    *,
    url: UrlOption = None,
    embedded: EmbeddedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show which files of the schema are applied; exit 69 if one is missing."""
    with _owner(read_config(config, embedded=embedded), url) as owner:
        found = asyncio.run(app.schema_status(owner))
    rows = list(_rows(found))
    if as_json:
        files = [{"file": name, "state": state} for name, state in rows]
        print_json({"files": files, "messages": list(found.messages())})
    else:
        print_table(("file", "state"), rows)
        sys.stdout.writelines(f"{message}\n" for message in found.messages())
    if set(found.pending) - set(found.left_out):
        raise typer.Exit(EX_UNAVAILABLE)


def _rows(status: Status) -> Iterator[tuple[str, str]]:
    for file in migrate.files():
        if file in status.left_out:
            yield file.name, "left out (the platform's own tables)"
        elif file in status.changed:
            yield file.name, "applied, but its text has changed since"
        else:
            yield file.name, "applied" if file in status.applied else "pending"


@schema.command(name="print")
def print_(
    config: ConfigOption = None, *, embedded: EmbeddedOption = False, as_json: JsonOption = False
) -> None:
    """Print the SQL, in the order in which psql may run it; no database is needed.

    With --json a list of objects, one a file: its name (file) and its text (sql).
    """
    del config, embedded  # every command takes them; what is printed is the same for all
    if as_json:
        print_json([{"file": file.name, "sql": file.sql} for file in migrate.files()])
    else:
        sys.stdout.write(migrate.script())


@contextmanager
def _owner(settings: Config, url: str | None) -> Iterator[str]:
    """Give the URL to work with: as named, as configured, or the embedded one's superuser's."""
    if url is not None:
        yield url
    elif settings.database.embedded:
        with use(settings.state_dir) as server:
            yield server.url
    else:
        with database(settings) as configured:
            yield configured
