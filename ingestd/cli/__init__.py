"""WIRE  The command line: reads argv, the environment and the configuration file.

Exit codes are those of sysexits.h (``codes``): 0 well · 64 usage · 65 rejected rows or files ·
66 no such file · 69 a check failed · 70 a bug · 75 try again (database away, import held) ·
78 configuration.  ``main`` is where every error becomes a message and a code.
"""

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from ingestd import __version__
from ingestd.cli.check import check
from ingestd.cli.codes import EX_SOFTWARE, EX_USAGE
from ingestd.cli.dealerships import dealerships
from ingestd.cli.decisions import approve, deny, replay
from ingestd.cli.deliveries import deliveries
from ingestd.cli.feed import import_, inspect
from ingestd.cli.ledger import imports, status
from ingestd.cli.run import run
from ingestd.cli.schema import schema
from ingestd.cli.terminal import complain
from ingestd.cli.vehicle import vehicle
from ingestd.errors import IngestError
from ingestd.tell.log import redactor

_USAGE_OF_TYPER = 2

app = typer.Typer(
    name="ingestd",
    help="Dealers' inventory files become vehicles in PostgreSQL.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _ingestd(
    version: Annotated[  # noqa: FBT002  typer's way to name an option
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        sys.stdout.write(f"ingestd {__version__}\n")
        raise typer.Exit


app.command()(run)
app.command(name="import")(import_)
app.command()(inspect)
app.command()(check)
app.command()(status)
app.command()(vehicle)
app.add_typer(schema, name="schema")
imports.command()(approve)
imports.command()(deny)
imports.command()(replay)
app.add_typer(imports, name="imports")
app.add_typer(deliveries, name="deliveries")
app.add_typer(dealerships, name="dealerships")


def main() -> None:
    """Run the command that argv names and exit with its code."""
    try:
        app()
    except SystemExit as done:
        _flush()
        sys.exit(EX_USAGE if done.code == _USAGE_OF_TYPER else done.code)
    except Exception as error:  # noqa: BLE001  the last who can tell it, and give it its code
        _give_up(_expected(error) or error)


def _flush() -> None:
    """Write out what is left; a reader that is gone (``| head``) is no matter for a message."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes again on its way out, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _expected(error: Exception) -> IngestError | None:
    """Give the error of ours that this is, or the first of a group that has no others."""
    if isinstance(error, IngestError):
        return error
    if not isinstance(error, ExceptionGroup):
        return None
    found = [_expected(inner) for inner in error.exceptions]
    return found[0] if all(found) else None


def _give_up(error: Exception) -> NoReturn:
    if isinstance(error, IngestError):
        complain(str(error))
        sys.exit(error.exit_code)
    redact = redactor()
    what = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    complain(redact(f"a bug in ingestd: {what}; please report it with what follows"))
    sys.stderr.write(redact("".join(traceback.format_exception(error))))
    sys.exit(EX_SOFTWARE)
