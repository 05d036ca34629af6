"""WIRE  What a person sees: tables and sentences on a terminal, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestd.cli.codes import EX_NOINPUT
from ingestd.model import Finding, Outcome
from ingestd.phrasing import counted
from ingestd.report import Counts, Report

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


def when(value: datetime | str | None) -> str:
    """Give a time (UTC) as all tables have it, ``2026-11-23 06:00:00``; JSON's, or our own."""
    if isinstance(value, str):
        return value.replace("T", " ")[:19]
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def console() -> Console:
    """Give the console on stdout; its width is generous where nobody looks or says ``COLUMNS``."""
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(highlight=False, width=None if told else 160)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headers; a cell is shown as it is, never as markup.

    Times, under a header with ``(UTC)``, and numbers of imports are not broken over lines.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        whole = "(UTC)" in header or header in ("id", "import", "delivery")
        table.add_column(header, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def print_report(
    report: Report, *, dry_run: bool = False, open_: Mapping[int, str] | None = None
) -> None:
    """Print what became of one file: outcome, counts, the first rejections, what to do.

    ``dry_run`` says that it would have become so: all of it was taken back.  ``open_`` says what is
    to be done of imports that wait, where the report may be an old one; None: it is of now.
    """
    out = console()
    outcome = f"would be {report.outcome} (dry run: nothing is kept)" if dry_run else report.outcome
    headline = Text(str(outcome), style=f"bold {_COLOURS[report.outcome]}")
    headline.append(f"  {report.file}", style="bold default")
    if report.feed:
        headline.append(f"  for feed {report.feed}", style="default")
    out.print(headline)
    for line in (*_told(report), *_step(report, open_)):
        out.print(Text(f"  {line}"), soft_wrap=True)
    for finding in report.rejections[:_SHOWN]:
        out.print(Text(f"  rejected: {_found(finding)}", style="red"))
    _print_rest(out, report)
    warnings = () if report.reading is None else report.reading.warnings_list
    for finding in warnings[:_SHOWN]:
        out.print(Text(f"  warning: {_found(finding)}", style="yellow"))


def _told(report: Report) -> Iterator[str]:
    """Say what was counted, whose, why, and who decided."""
    if report.counts is not None:
        yield counts_sentence(report)
    for number, counts in report.dealerships:
        yield f"dealership {number}: {_parts(counts)}"
    if report.message:
        yield report.message
    if report.decided is not None:
        yield str(report.decided)


def _step(report: Report, open_: Mapping[int, str] | None) -> Iterator[str]:
    """Say what is to be decided of what is held, or that it is too late."""
    number = report.import_id
    if number is None or not report.holds:
        return
    now = report.advice() if open_ is None else open_.get(number)
    if now:
        yield f"decide: {now}"
    else:
        yield "nothing to decide any more: a newer file of the feed was applied"


def _found(finding: Finding) -> str:
    where = f"line {finding.line}" + (f", {finding.column}" if finding.column else "")
    return f"{where}: {finding.reason} ({finding.value!r})"


def _print_rest(out: Console, report: Report) -> None:
    rejected = 0 if report.counts is None else report.counts.rejected
    if rejected > _SHOWN and report.import_id is not None:
        more = f"  … {rejected - _SHOWN} more: ingestd imports rejections {report.import_id}"
        out.print(Text(more))


def counts_sentence(report: Report) -> str:
    """Give ``146 lines: 3 added, 5 updated, …; 36 deactivations held`` with what is not zero."""
    counts = report.counts
    if counts is None:
        return "nothing was loaded"
    would = "would be " if report.outcome is Outcome.HELD else ""
    warnings = 0 if report.reading is None else report.reading.warnings
    tail = [", ".join(report.switched())]
    tail.append(counted(warnings, "warning") if warnings else "")
    return "; ".join(filter(None, (f"{report.lines} lines: {would}{_parts(counts)}", *tail)))


def _parts(counts: Counts) -> str:
    names = ("added", "updated", "unchanged", "duplicate", "rejected")
    parts = [f"{getattr(counts, name)} {name}" for name in names if getattr(counts, name)]
    return ", ".join(parts) or "no vehicles"
