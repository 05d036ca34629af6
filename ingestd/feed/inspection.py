"""PURE  What would be understood of a file, and the ``[[feed]]`` lines to paste for it.

What is certain is a line; what a person must judge is a comment.  The lines are valid as they
stand: ``config.parse`` takes them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ingestd.feed.columns import Columns
from ingestd.model import Finding

_LONGEST_NAME = 40
_DIGITS = re.compile(r"[0-9](?:[0-9_., -]*[0-9])?")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_STARS = re.compile(r"\*{2,}")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What would be understood of a file (the keys of ``inspect --json``)."""

    file: str
    reason: str | None
    message: str
    lines: int
    header: int
    blank: int
    rows: int
    duplicates: int
    rejected: int
    warnings: int
    encoding: str | None
    delimiter: str | None
    quoting: str | None
    mapping: Mapping[str, tuple[str, ...]]
    unmapped: tuple[str, ...]
    suggestions: tuple[tuple[str, str], ...]
    sample: tuple[Mapping[str, Any], ...]
    rejections: tuple[Finding, ...]
    warnings_list: tuple[Finding, ...]
    config: str


Suggestions: TypeAlias = Sequence[tuple[str, str]]


def propose(file: str, columns: Columns | None, suggestions: Suggestions = ()) -> str:
    """Write the feed for files like ``file``: dates and numbers in its name may differ.

    ``suggestions`` pair headers that were not understood with the field they resemble.
    """
    lines = [
        "[[feed]]",
        f"name = {_quoted(_name(file))}",
        "dealership = 1        # its id: `ingestd dealerships list` shows them",
        f"file = [{_quoted(_pattern(file))}]",
        'mode = "full"         # "delta" if a file holds only what has changed',
    ]
    lines += _near(suggestions)
    if columns is not None and "make" not in columns.fields:
        lines += ["# [feed.defaults]     # the file has no such column", '# make = "…"']
    return "\n".join(lines) + "\n"


def _near(suggestions: Suggestions) -> list[str]:
    """Suggest a field for each header that resembles one of its names."""
    by_field: dict[str, list[str]] = {}
    for header, field in suggestions:
        by_field.setdefault(field, []).append(header)
    found = [f"# {field} = [{', '.join(map(_quoted, given))}]" for field, given in by_field.items()]
    return (
        ["# [feed.columns]      # not understood, but near to a known name", *found]
        if found
        else []
    )


def _name(file: str) -> str:
    stem = _DIGITS.sub("", file.lower().partition(".")[0])
    return _NOT_IN_NAME.sub("-", stem).strip("-")[:_LONGEST_NAME].strip("-") or "lot"


def _pattern(file: str) -> str:
    stem, dot, suffix = file.rpartition(".")
    literal = (stem if dot else suffix).replace("[", "[[]")
    return _STARS.sub("*", _DIGITS.sub("*", literal)) + (dot + suffix if dot else "")


def _quoted(text: str) -> str:
    """Write a TOML string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
