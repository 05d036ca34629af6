"""PURE  What would be understood of a file, and the ``[[feed]]`` lines to paste for it.

What is certain is a line; what a person must judge is a comment.  The lines are valid as they
stand: ``config.parse`` takes them.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ingestd.feed.columns import Columns
from ingestd.feed.copytext import NULL, unescape
from ingestd.feed.heading import guess
from ingestd.model import STAGE_HEAD, Finding, Target

_LONGEST_NAME = 40
_MOST_LOOKED_AT = 200  # rows of which values are kept
_SAMPLES = 3
_LONGEST_SAMPLE = 200
_EXTRAS = len(STAGE_HEAD) - 1
_DIGITS = re.compile(r"[0-9](?:[0-9_., -]*[0-9])?")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_STARS = re.compile(r"\*{2,}")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A column that no field took: its header, three of its cells, and what it may be."""

    header: str
    samples: tuple[str, ...]
    likely: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What would be understood of a file (the keys of ``inspect --json``).

    ``filled`` counts the vehicles that have a value, by field; ``samples`` are three different
    values as they would be stored; ``reasons`` counts rejected rows; ``why`` is the reason for
    encoding, delimiter and quoting.
    """

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
    why: str = ""
    filled: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    leftover: tuple[Leftover, ...] = ()


Suggestions: TypeAlias = Sequence[tuple[str, str]]


class Sightings:
    """Gathers from a file's lines for the stage how full its columns are, and some values."""

    def __init__(self, target: Target) -> None:
        """Begin with nothing seen."""
        self._names = [column.field for column in target.columns]
        self.filled: Counter[str] = Counter()
        self._samples: dict[str, dict[str, None]] = {name: {} for name in self._names}
        self._extras: dict[str, dict[str, None]] = {}
        self._count = 0

    def take(self, line: str) -> None:
        """Look at a vehicle's line."""
        cells = line.rstrip("\n").split("\t")
        given = zip(self._names, cells[len(STAGE_HEAD) :], strict=True)
        found = {name: cell for name, cell in given if cell != NULL}
        self.filled.update(found.keys())
        self._count += 1
        if self._count > _MOST_LOOKED_AT:
            return
        for name, cell in found.items():
            _keep(self._samples[name], unescape(cell) or "", _SAMPLES)
        for header, text in json.loads(unescape(cells[_EXTRAS]) or "{}").items():
            _keep(self._extras.setdefault(header, {}), text, _MOST_LOOKED_AT)

    def samples(self) -> dict[str, tuple[str, ...]]:
        """Give up to three values of each field that has any, as they would be stored."""
        return {name: tuple(found) for name, found in self._samples.items() if found}

    def leftover(self, headers: Sequence[str], suggestions: Suggestions) -> tuple[Leftover, ...]:
        """Give the columns that no field took: by name, else by value, what they may be."""
        near = dict(suggestions)
        return tuple(
            Leftover(header, tuple(cells)[:_SAMPLES], near.get(header) or guess(cells))
            for header in headers
            if (cells := list(self._extras.get(header, ()))) or header in near
        )


def _keep(found: dict[str, None], text: str, most: int) -> None:
    if len(found) < most:
        found[text[:_LONGEST_SAMPLE]] = None


def propose(
    file: str,
    columns: Columns | None,
    suggestions: Suggestions = (),
    positions: Sequence[str] = (),
) -> str:
    """Write the feed for files like ``file``: dates and numbers in its name may differ.

    ``suggestions`` pair headers that were not understood with the field they resemble;
    ``positions`` is a guess at the columns of a file without header line.
    """
    lines = [
        "[[feed]]",
        f"name = {_quoted(_name(file))}",
        "dealership = 1        # its id: `ingestd dealerships list` shows them",
        f"file = [{_quoted(_pattern(file))}]",
        'mode = "full"         # "delta" if a file holds only what has changed',
    ]
    if positions:
        lines.append(f"positions = [{', '.join(map(_quoted, positions))}]   # complete it")
    lines += _near(suggestions)
    if columns is not None and "make" not in columns.fields:
        lines += ["# [feed.defaults]     # the file has no such column", '# make = "…"']
    return "\n".join(lines) + "\n"


def _near(suggestions: Suggestions) -> list[str]:
    """Suggest a field for each header that resembles one of its names."""
    by_field: dict[str, list[str]] = {}
    for header, name in suggestions:
        by_field.setdefault(name, []).append(header)
    found = [f"# {name} = [{', '.join(map(_quoted, given))}]" for name, given in by_field.items()]
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
