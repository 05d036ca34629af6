"""WIRE  What ``ingestd inspect`` shows a person of one table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from ingestd.cli.terminal import console, print_table

_SAMPLES = 3
_SHOWN = 10
_WIDEST = 40
_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe"}


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
    if one["reason"]:
        out.print(Text(f"  would be refused ({one['reason']}): {one['message']}", style="red"))
        return
    out.print(Text("  " + _sentence(one)))
    out.print()
    print_table(("field", "from", "as it would be stored"), _fields(one))
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


def _fields(one: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (field, ", ".join(headers), " · ".join(_samples(one["sample"], field)))
        for field, headers in one["mapping"].items()
    ]


def _samples(sample: Sequence[Mapping[str, Any]], field: str) -> list[str]:
    shown = dict.fromkeys(str(row[field]) for row in sample if row.get(field) is not None)
    return [text if len(text) <= _WIDEST else text[:_WIDEST] + "…" for text in shown][:_SAMPLES]


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
    for header, field in one["suggestions"]:
        out.print(Text(f"  {header!r} may be {field}: add it under [feed.columns]"))
    out.print()
    out.print(Text(one["config"].rstrip()))
