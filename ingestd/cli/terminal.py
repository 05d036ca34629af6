"""WIRE  What a person sees: tables and sentences on a terminal, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestd.cli.codes import EX_NOINPUT
from ingestd.model import Finding, Outcome
from ingestd.report import Report

_COLOURS = {
    Outcome.IMPORTED: "green",
    Outcome.UNCHANGED: "green",
    Outcome.SUPERSEDED: "yellow",
    Outcome.HELD: "yellow",
    Outcome.REJECTED: "red",
    Outcome.FAILED: "red",
}
_SHOWN = 10


def complain(message: str) -> None:
    """Print an error to stderr, each line under the program's name."""
    for line in message.splitlines() or [""]:
        sys.stderr.write(f"ingestd: {line}\n")


def give_up(message: str) -> NoReturn:
    """Say that what was asked for is not there, or cannot be done, and end."""
    complain(message)
    raise typer.Exit(EX_NOINPUT)


def no_import(number: int) -> str:
    """Say that there is no such import."""
    return f"there is no import {number}; `ingestd imports list` shows the latest"


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def console() -> Console:
    """Give the console on stdout; its width is generous where nobody looks."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headers; a cell is shown as it is, never as markup."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def print_report(report: Report, *, dry_run: bool = False) -> None:
    """Print what became of one file: outcome, counts, the first rejections, what to do.

    ``dry_run`` says that it would have become so: all of it was taken back.
    """
    out = console()
    outcome = f"would be {report.outcome} (dry run: nothing is kept)" if dry_run else report.outcome
    headline = Text(str(outcome), style=f"bold {_COLOURS[report.outcome]}")
    headline.append(f"  {report.file}", style="bold default")
    if report.feed:
        headline.append(f"  for feed {report.feed}", style="default")
    out.print(headline)
    if report.counts is not None:
        out.print(Text("  " + counts_sentence(report)))
    if report.message:
        out.print(Text("  " + report.message))
    if report.import_id is not None and (
        report.outcome is Outcome.HELD or report.held_deactivations
    ):
        number = report.import_id
        out.print(Text(f"  decide: ingestd imports approve {number}{_or_deny(report)}"))
    for finding in report.rejections[:_SHOWN]:
        out.print(Text(f"  rejected: {_found(finding)}", style="red"))
    _print_rest(out, report)
    warnings = () if report.reading is None else report.reading.warnings_list
    for finding in warnings[:_SHOWN]:
        out.print(Text(f"  warning: {_found(finding)}", style="yellow"))


def _or_deny(report: Report) -> str:
    return f", or deny {report.import_id}" if report.outcome is Outcome.HELD else ""


def _found(finding: Finding) -> str:
    where = f"line {finding.line}" + (f", {finding.column}" if finding.column else "")
    return f"{where}: {finding.reason} ({finding.value!r})"


def _print_rest(out: Console, report: Report) -> None:
    rejected = 0 if report.counts is None else report.counts.rejected
    if rejected > _SHOWN and report.import_id is not None:
        more = f"  … {rejected - _SHOWN} more: ingestd imports rejections {report.import_id}"
        out.print(Text(more))


def counts_sentence(report: Report) -> str:
    """Give ``146 lines: 3 added, 5 updated, …`` with what is not zero."""
    counts = report.counts
    if counts is None:
        return "nothing was loaded"
    names = ("added", "updated", "unchanged", "duplicate", "rejected")
    parts = [f"{getattr(counts, name)} {name}" for name in names if getattr(counts, name)]
    warnings = 0 if report.reading is None else report.reading.warnings
    tail = f"; {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    return f"{report.lines} lines: {', '.join(parts) or 'no vehicles'}{tail}"
