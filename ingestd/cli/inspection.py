"""WIRE  What ``ingestd inspect`` shows a person of one table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.text import Text

from ingestd.cli.terminal import console, print_table
from ingestd.phrasing import counted
from ingestd.tell.letters import FILE, ROWS

_NARROW = 100
_DELIMITERS = {
    "\t": "tab",
    ",": "comma",
    ";": "semicolon",
    "|": "pipe",
    "~": "tilde",
    "^": "caret",
}

#: What a warning means, in few words; ``docs/operating.md`` has more.
WARNING = {
    "implausible_price": "too low or made up for a price; the stored one stays",
    "unreadable_number": "not a number; the stored value stays",
    "unreadable_year": "not a model year; the stored value stays",
    "unreadable_list": "cannot be taken apart; the stored value stays",
    "unreadable_text": "says nothing of the vehicle; the stored value stays",
    "mojibake": "garbled before it came; stored as it is",
    "bad_vin": "no VIN; the stock number identifies the vehicle",
    "junk_vin": "a placeholder, no VIN; the stock number identifies the vehicle",
    "vin_repeated": "stands on different vehicles; their stock numbers identify them",
    "check_digit": "the VIN's check digit is wrong; it is used all the same",
    "model_year": "the VIN is of another model year; both are used as they are",
    "provisional_vin": "a factory's placeholder, until the car has its VIN",
    "short_vin": "a short VIN, as before 1981",
    "unknown_status": "not understood as a status; the stored one stays",
    "bad_url": "not an address that can be shown; left out",
    "junk_stock_number": "a placeholder, no stock number",
    "required_blank": "blank, and a vehicle must have it; the stored value stays",
    "blank_column": "blank in every row; stored values stay",
    "stray_bytes": "bytes that are no UTF-8, read as Windows-1252; this many",
    "surplus_cells": "rows are wider than the header; these names cannot be relied on, not used",
    "price_not_taken": "a list price is taken for the price only if the feed says so",
    "prices_in_cents": "this layout states prices in cents, and they were read so",
    "does_not_fit": "too long or too large for its column; the stored value stays",
    "absence_suspended": "rows without a name, or a cut-off end: nothing counts as missing",
    "vin_stored_twice": "two vehicles with this VIN are stored; the active one is meant",
    "currency": "another currency than dollars; the number is used as it is",
}


def counts(one: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inspection with its line counts under ``counts``, as a report has them."""
    duplicate = one["duplicates"]
    made = {"header": one["header"], "blank": one["blank"], "duplicate": duplicate}
    return {**one, "counts": {**made, "rejected": one["rejected"]}}


def print_inspection(one: Mapping[str, Any], feed: str | None = None) -> None:
    """Print one table: what it is, field by field where it comes from, what is wrong with it.

    ``feed`` is the configured feed as which it was read.
    """
    console().print(Text(one["file"], style="bold"))
    if one["encoding"]:
        delimiter = _DELIMITERS.get(one["delimiter"], one["delimiter"])
        _say(f"{one['encoding']}, separated by {delimiter}, quoting: {one['quoting']}")
        _say(f"because {one['why']}", style="dim")
    _print_outlook(one)
    _print_fields(one)
    _print_findings("rejected", one["rejections"], one["reasons"], ROWS)
    found = Counter(finding["reason"] for finding in one["warnings_list"])
    _print_findings("warning", one["warnings_list"], found, WARNING)
    _print_leftover(one)
    if one["config"]:
        known = f" (of a feed of its own: {feed!r} is there already)" if feed else ""
        _head(f"lines for the configuration{known}")
        console().print(Text(one["config"].rstrip()), soft_wrap=True)  # a broken line is no TOML
    else:
        _head("no lines for the configuration: none would let this file be read")
    console().print()


def _print_outlook(one: Mapping[str, Any]) -> None:
    """Print what would become of it: refused or held, and why; whose its rows are."""
    if one["reason"]:
        _say(f"would be refused ({one['reason']}): {FILE.get(one['reason'], '')}", style="bold red")
        _say(one["message"])
        return
    _say(_sentence(one), style="bold")
    for its in one["dealerships"]:
        _say(f"dealership {its['id']}: {counted(its['rows'], 'vehicle')}")
    if one["held"]:
        _say(f"would be held ({one['held']}): {FILE[one['held']]}", style="bold red")
        _say(one["hold_message"])
    for sentence in one["outlook"]:
        _say(sentence, style="bold yellow")


def _say(text: str, indent: int = 2, style: str = "") -> None:
    """Print a sentence whose further lines are indented like the first."""
    console().print(Padding(Text(text, style=style), (0, 0, 0, indent), expand=False))


def _head(text: str) -> None:
    console().print()
    console().print(Text(text, style="bold"))


def _sentence(one: Mapping[str, Any]) -> str:
    """Account for every line."""
    names = ("header", "blank", "rejected")
    parts = [counted(one["rows"], "vehicle"), *(f"{one[n]} {n}" for n in names if one[n])]
    if one["duplicates"]:
        parts[0] += f" ({counted(one['duplicates'], 'duplicate')} among them)"
    warnings = f"; {counted(one['warnings'], 'warning')}" if one["warnings"] else ""
    return f"{counted(one['lines'], 'line')}: {', '.join(parts)}{warnings}"


def _print_fields(one: Mapping[str, Any]) -> None:
    """Print where each field comes from; of a refused file what stands there."""
    if not one["mapping"]:
        return
    console().print()
    widest = 24 if console().width < _NARROW else 40
    shown = {name: _samples(cells, widest) for name, cells in one["samples"].items()}
    if one["reason"]:
        rows = [(f, ", ".join(h), shown.get(f, "")) for f, h in one["mapping"].items()]
        print_table(("field", "from", "cells as they stand"), rows)
        return
    total = max(1, one["rows"])
    print_table(
        ("field", "from", "filled", "as it would be stored"),
        [
            (f, ", ".join(h), f"{_share(one['filled'].get(f, 0), total):>6}", shown.get(f, ""))
            for f, h in one["mapping"].items()
        ],
    )


def _share(count: int, total: int) -> str:
    """Give a share in which all and none are only what they say."""
    percent = round(100 * count / total)
    if 0 < count < total:
        percent = min(99, max(1, percent))
    return f"{percent}%"


def _samples(shown: Iterable[str], widest: int) -> str:
    return " · ".join(text if len(text) <= widest else text[:widest] + "…" for text in shown)


def _print_findings(
    word: str,
    findings: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, int],
    meanings: Mapping[str, str],
) -> None:
    """Print each reason with what it means and the first cells concerned."""
    if not reasons:
        return
    _head({"rejected": "rejected rows", "warning": "warnings"}[word])
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        _say(f"{count} {reason}: {meanings.get(reason, '')}", style="yellow")
        cells = [_place(one) for one in findings if one["reason"] == reason]
        _say("; ".join(cells[:3]) + ("; …" if count > len(cells[:3]) else ""), indent=4)


def _place(finding: Mapping[str, Any]) -> str:
    where = f"line {finding['line']}" + (f", {finding['column']}" if finding["column"] else "")
    return f"{where}: {finding['value'][:40]!r}" if finding["value"] else where


def _print_leftover(one: Mapping[str, Any]) -> None:
    if not one["unmapped"]:
        return
    _head("not mapped (kept as extras beside the vehicle)")
    likely = [left for left in one["leftover"] if left["likely"]]
    for left in likely:
        given = _samples(left["samples"], 24)
        shown = f" ({given})" if given else ""
        _say(f"{left['header']!r}{shown} may be {left['likely']}: {left['why']}", style="yellow")
    told = {left["header"] for left in likely}
    rest = [header for header in one["unmapped"] if header and header not in told]
    nameless = one["unmapped"].count("")
    if nameless:
        rest.append(counted(nameless, "column") + " without a name")
    if rest:
        _say(", ".join(rest))
