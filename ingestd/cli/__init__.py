"""WIRE  The command line: reads argv, the environment and the configuration file.

Exit codes are those of sysexits.h: 0 well · 64 usage · 65 rejected rows or files ·
66 no such file · 69 a check failed · 70 a bug · 75 try again (database away, import held) ·
78 configuration.  ``main`` is where every error becomes a message and a code.
"""

import sys
from typing import NoReturn

import typer

from ingestd.cli.check import check
from ingestd.cli.dealerships import dealerships
from ingestd.cli.feed import import_, inspect
from ingestd.cli.ledger import imports, status
from ingestd.cli.run import run
from ingestd.cli.schema import schema
from ingestd.cli.terminal import complain
from ingestd.errors import IngestError

USAGE = 64
_USAGE_OF_TYPER = 2

app = typer.Typer(
    name="ingestd",
    help="Dealers' inventory files become vehicles in PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command(name="import")(import_)
app.command()(inspect)
app.command()(check)
app.command()(status)
app.add_typer(schema, name="schema")
app.add_typer(imports, name="imports")
app.add_typer(dealerships, name="dealerships")


def main() -> None:
    """Run the command that argv names and exit with its code."""
    try:
        app()
    except SystemExit as done:
        sys.exit(USAGE if done.code == _USAGE_OF_TYPER else done.code)
    except IngestError as error:
        _give_up(error)
    except ExceptionGroup as group:
        expected, bugs = group.split(IngestError)
        if expected is None or bugs is not None:
            raise
        _give_up(_leaf(expected))


def _leaf(group: ExceptionGroup[IngestError]) -> IngestError:
    """Give the first of the errors that tasks side by side ended with."""
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, ExceptionGroup) else first


def _give_up(error: IngestError) -> NoReturn:
    complain(str(error))
    sys.exit(error.exit_code)
