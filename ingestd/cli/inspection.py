"""WIRE  What ``ingestd inspect`` shows a person of one table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ingestd.cli.terminal import console, print_table

_SHOWN = 10
_WIDEST = 40
_DELIMITERS = {
    "\t": "tab",
    ",": "comma",
    ";": "semicolon",
    "|": "pipe",
    "~": "tilde",
    "^": "caret",
}


def counts(one: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inspection with its line counts under ``counts``, as a report has them."""
    duplicate = one["duplicates"]
    made = {"header": one["header"], "blank": one["blank"], "duplicate": duplicate}
    return {**one, "counts": {**made, "rejected": one["rejected"]}}


def print_inspection(one: Mapping[str, Any]) -> None:
    """Print one table: what it is, field by field where it comes from, what is wrong with it."""
    out = console()
    out.print(Text(one["file"], style="bold"))
    if one["encoding"]:
        delimiter = _DELIMITERS.get(one["delimiter"], one["delimiter"])
        out.print(Text(f"  {one['encoding']}, separated by {delimiter}, quoting: {one['quoting']}"))
        out.print(Text(f"  because: {one['why']}"))
    if one["reason"]:
        out.print(Text(f"  would be refused ({one['reason']}): {one['message']}", style="red"))
        _print_columns(one)
        _print_rest(one)
        return
    out.print(Text("  " + _sentence(one)))
    out.print()
    print_table(("field", "from", "filled", "as it would be stored"), _fields(one))
    _print_reasons(one["reasons"])
    _print_findings("rejected", one["rejections"], one["rejected"])
    _print_findings("warning", one["warnings_list"], one["warnings"])
    _print_rest(one)


def _sentence(one: Mapping[str, Any]) -> str:
    """Account for every line."""
    parts = [f"{one['rows']} vehicles", f"{one['header']} header", f"{one['blank']} blank"]
    if one["duplicates"]:
        parts[0] += f" ({one['duplicates']} of them duplicates)"
    parts.append(f"{one['rejected']} rejected")
    return f"{one['lines']} lines: {', '.join(parts)}; {one['warnings']} warnings"


def _fields(one: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    rows = max(1, one["rows"])
    return [
        (
            field,
            ", ".join(headers),
            f"{one['filled'].get(field, 0) / rows:.0%}",
            _samples(one["samples"].get(field, ())),
        )
        for field, headers in one["mapping"].items()
    ]


def _samples(shown: Sequence[str]) -> str:
    return " · ".join(text if len(text) <= _WIDEST else text[:_WIDEST] + "…" for text in shown)


def _print_columns(one: Mapping[str, Any]) -> None:
    """Print what a refused file's columns were taken for."""
    if one["mapping"]:
        console().print()
        print_table(("field", "from"), [(f, ", ".join(h)) for f, h in one["mapping"].items()])


def _print_reasons(reasons: Mapping[str, int]) -> None:
    if reasons:
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        console().print(Text(f"rejected, by reason: {listed}"))


def _print_findings(word: str, findings: Sequence[Mapping[str, Any]], count: int) -> None:
    out = console()
    for finding in findings[:_SHOWN]:
        where = f"line {finding['line']}" + (f", {finding['column']}" if finding["column"] else "")
        out.print(Text(f"{word}: {where}: {finding['reason']} ({finding['value']!r})"))
    if count > _SHOWN:
        out.print(Text(f"… and {count - _SHOWN} more of these"))


def _print_rest(one: Mapping[str, Any]) -> None:
    out = console()
    if one["unmapped"]:
        out.print(Text("kept, but not mapped: " + ", ".join(one["unmapped"])))
    for left in one["leftover"]:
        if left["likely"]:
            given = _samples(left["samples"])
            words = f"may be {left['likely']}: add it under [feed.columns] if it is"
            out.print(Text(f"  {left['header']!r} ({given}) {words}"))
    out.print()
    out.print(Text(one["config"].rstrip()))
