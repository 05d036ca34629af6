"""PURE  Where the header is, what separates cells: by names that are known, never by a sniffer.

* Header and delimiter: among the first 20 non-blank lines and the delimiters below, the pair in
  which most cells are known column names; two at least, or the only cell of a line.
  Of equals the earlier line, then the earlier delimiter.
* A file without header line is read only if its feed names the columns by position; a line of
  known names is a header even so, and no row.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from ingestd.feed.quoting import Quoting, Texts, judge, lines, newline_of, quotes, straight
from ingestd.feed.ragged import BLANK, clean

Known: TypeAlias = Callable[[str], bool]

#: In order of preference among equals.
_DELIMITERS = {
    "\t": "tab",
    "|": "pipe",
    ";": "semicolon",
    ",": "comma",
    "~": "tilde",
    "^": "caret",
}
MAKES = (
    r"(?:acura|audi|bmw|buick|cadillac|chevrolet|chrysler|dodge|fiat|ford|gmc|honda|hyundai|"
    r"infiniti|jaguar|jeep|kia|land rover|lexus|lincoln|mazda|mercedes-benz|mini|mitsubishi|"
    r"nissan|porsche|ram|subaru|tesla|toyota|volkswagen|volvo)\Z"
)
_PROBE_LINES = 20
_HEADER_LINES = 5  # most lines of a header with quoted line breaks
_PROBE_LINE = 1 << 16  # longest part of a line that is looked at for a header


@dataclass(frozen=True, slots=True)
class Layout:
    """How the text is a table.  ``headers`` are cleaned of marks, blanks and outer quotes.

    ``leading`` counts the blank records before the header.  ``newline`` is CR only in files that
    know no other line end.  ``header_line`` is 0 where there is none.
    """

    delimiter: str
    quoting: Quoting
    header_line: int
    headers: tuple[str, ...]
    why: str
    leading: int = 0
    newline: str = "\n"


@dataclass(frozen=True, slots=True)
class NoTable:
    """Text in which no table was found."""

    reason: Literal["no_header", "empty", "no_table"]
    message: str
    positions: tuple[str, ...] = ()  # a guess at the columns of a file without header
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # or at unknown headers


@dataclass(frozen=True, slots=True)
class _Line:
    """A non-blank line near the beginning; ``blanks`` stand before it."""

    number: int
    text: str
    blanks: int


_Found: TypeAlias = tuple[_Line, str, int]


def detect(texts: Texts, known: Known, positions: Sequence[str] = ()) -> Layout | NoTable:
    """Find the header, the delimiter and the quoting; three passes over the text at most.

    ``known`` says whether a cleaned header cell is the name of a vehicle's column; with
    ``positions``, the names of the columns, the file need not have a header line.
    """
    newline = newline_of(texts)
    probe = _probe(texts, newline)
    if not probe:
        return NoTable("empty", "the file has no line that is not blank")
    found = _header(probe, known)
    if positions:
        return _positioned(texts, newline, probe, found, positions)
    if found is None:
        return _no_header(probe)
    line, delimiter, count = found
    quoting, because = judge(texts, newline, delimiter, line.text)
    return Layout(
        delimiter=delimiter,
        quoting=quoting,
        header_line=line.number,
        headers=_headers(line, delimiter, probe),
        why=f"line {line.number} has {count} known column names separated by "
        f"{_DELIMITERS[delimiter]}; {because}",
        leading=line.blanks,
        newline=newline,
    )


def _positioned(
    texts: Texts, newline: str, probe: list[_Line], found: _Found | None, positions: Sequence[str]
) -> Layout | NoTable:
    """Take the delimiter that gives most lines a cell for each position that has a name."""
    needed = max(index for index, name in enumerate(positions, 1) if name)
    widths = {mark: [len(_split(line.text, mark)) for line in probe] for mark in _DELIMITERS}
    fits = {mark: sum(width >= needed for width in found) for mark, found in widths.items()}
    delimiter = found[1] if found else max(fits, key=fits.__getitem__)
    if not found and not fits[delimiter]:
        widest = max(max(cells) for cells in widths.values())
        return NoTable(
            "no_header",
            f"positions names {needed} columns, and no line has more than {widest}; "
            "mend positions, or take them out if the file has a header line",
        )
    named = found[0] if found else _Line(0, delimiter.join(positions), 0)
    quoting, because = judge(texts, newline, delimiter, delimiter.join(positions))
    width = max(len(positions), *widths[delimiter])
    return Layout(
        delimiter=delimiter,
        quoting=quoting,
        header_line=named.number,
        headers=(*positions, *("",) * (width - len(positions))),
        why=f"the feed names the columns by position, separated by {_DELIMITERS[delimiter]}; "
        f"{because}",
        leading=named.blanks,
        newline=newline,
    )


def _probe(texts: Texts, newline: str) -> list[_Line]:
    probe: list[_Line] = []
    number = blanks = 0
    for batch, _ in lines(texts, newline, _PROBE_LINE):
        for raw in batch:
            number += 1
            line = straight(raw[:_PROBE_LINE])
            if not line.strip(BLANK + ',;|"'):
                blanks += 1
                continue
            probe.append(_Line(number, line, blanks))
            if len(probe) == _PROBE_LINES:
                return probe
    return probe


def _header(probe: list[_Line], known: Known) -> _Found | None:
    """Give the line and delimiter with most known names, and how many they are."""
    best: _Found | None = None
    for index in range(len(probe)):
        for delimiter in _DELIMITERS:
            line = _whole(probe[index : index + _HEADER_LINES], delimiter)
            count = _agreement(line.text, delimiter, known)
            if count > (best[2] if best else 0):
                best = line, delimiter, count
    return best


def _whole(probe: list[_Line], delimiter: str) -> _Line:
    """Give the first line, with those that belong to it by an open quote (``"Stock<LF>No"``)."""
    grammar = quotes(delimiter)
    held: list[str] = []
    for line in probe:
        shape = grammar.shape(line.text, inside=bool(held))
        held.append(line.text)
        if shape != "open":
            return replace(probe[0], text="\n".join(held)) if shape == "closed" else probe[0]
    return probe[0]


def _agreement(line: str, delimiter: str, known: Known) -> int:
    cells = {cell.casefold(): cell for cell in map(clean, _split(line, delimiter)) if cell}
    count = sum(map(known, cells.values()))
    return count if count > 1 or len(cells) == 1 else 0


def _split(line: str, delimiter: str) -> list[str]:
    """Give the cells of one line; quotes count if they are well formed."""
    grammar = quotes(delimiter)
    meant = '"' in line and grammar.shape(line) == "closed"
    return grammar.cells(line) if meant else line.split(delimiter)


def _headers(line: _Line, delimiter: str, probe: list[_Line]) -> tuple[str, ...]:
    """Give the headers.  Nameless ones at the end stay only as far as rows have cells there."""
    headers = [clean(cell) for cell in _split(line.text, delimiter)]
    below = [other.text for other in probe if other.number > line.number]
    widest = max(
        (len(_split(text.rstrip(BLANK + delimiter), delimiter)) for text in below), default=0
    )
    while not headers[-1] and len(headers) > widest:
        headers.pop()
    return tuple(headers)


def _no_header(probe: list[_Line]) -> NoTable:
    """Say what stands in place of a header, and what to do: guesses go by the cells."""
    first = probe[0]
    delimiter = max(_DELIMITERS, key=first.text.count)
    rows = [_split(line.text, delimiter) for line in probe]
    listed = ", ".join(f'"{clean(cell)[:40]}"' for cell in rows[0][:12])
    if not any(delimiter in line.text for line in probe for delimiter in _DELIMITERS):
        return NoTable(
            "no_table",
            f"no table was found: line {first.number} is {listed} and nothing separates columns; "
            "export the inventory as tab separated text with a header line",
        )
    guessed = _guessed(first.number, listed, rows)
    return guessed or NoTable(
        "no_header",
        f"none of the first {len(probe)} lines has two column names that are known; line "
        f"{first.number} has {listed}; send the file with a header line, name its columns "
        "under [feed.columns], or in order under positions",
    )


def _guessed(number: int, listed: str, rows: Sequence[Sequence[str]]) -> NoTable | None:
    """Guess positions, or else headers; the first row has that line number."""
    positions = guessed_positions(rows)
    if positions:
        return NoTable(
            "no_header",
            f"the file has no header line: line {number} is a vehicle ({listed}); send it "
            "with one, or name its columns in order in the feed: "
            f'positions = {json.dumps(positions)}   # complete it; a column to skip is ""',
            positions,
        )
    headers = guessed_headers(rows)
    if not headers:
        return None
    given = "; ".join(f"{name} = {_toml(found)}" for name, found in headers.items())
    return NoTable(
        "no_header",
        f"line {number} seems to be the header, and its names are not known ({listed}); "
        f"name its columns in the feed, by their cells: [feed.columns] {given}",
        headers=headers,
    )


def _toml(headers: Sequence[str]) -> str:
    return json.dumps(headers, ensure_ascii=False)


def guessed_positions(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Guess what the columns of a file without header are; nothing unless one holds VINs."""
    width = max(map(len, rows))
    columns = [[clean(row[at]) for row in rows if at < len(row)] for at in range(width)]
    found: list[str] = []
    for cells in columns:
        name = guess(cells)
        found.append("" if name in found and name != "images" else name)
    return tuple(found) if "vin" in found else ()


def guessed_headers(rows: Sequence[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Guess the fields of unknown headers by the cells below; nothing unless two can be told.

    One name alone would not make its line a header (see ``detect``).
    """
    names = [clean(cell) for cell in rows[0]]
    found: dict[str, tuple[str, ...]] = {}
    for header, name in zip(names, guessed_positions(rows[1:]) if rows[1:] else (), strict=False):
        if header and name and names.count(header) == 1:
            found[name] = (*found.get(name, ()), header)
    return found if "vin" in found and len(found) > 1 else {}


def guess(cells: Sequence[str]) -> str:
    """Give the field that a column's cells look like; "" if none."""
    return next((name for name, pattern in _GUESSES if _all(pattern, cells)), "")


def looks(name: str, cells: Sequence[str], share: float) -> bool:
    """Say whether that share of the cells are of the kind that ``guess`` knows by ``name``."""
    pattern = dict(_GUESSES)["url" if name == "images" else name]
    return bool(cells) and sum(map(bool, map(pattern.match, cells))) >= share * len(cells)


_GUESSES = (
    ("vin", re.compile(r"(?=.*[0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}\Z")),
    ("year", re.compile(r"(?:19|20)[0-9]{2}\Z")),
    ("price", re.compile(r"\$ ?[0-9][0-9,.]*\Z")),
    ("images", re.compile(r"https?://\S+\.(?:jpe?g|png|webp)\b", re.IGNORECASE)),
    ("url", re.compile(r"https?://\S+\Z")),
    ("make", re.compile(MAKES, re.IGNORECASE)),
    ("condition", re.compile(r"(?:new|used|cpo|n|u)\Z", re.IGNORECASE)),
)


def _all(pattern: re.Pattern[str], cells: Sequence[str]) -> bool:
    """Say whether all cells that are filled, one in two at least, are of a kind."""
    given = [cell for cell in cells if cell]
    return len(given) * 2 >= max(2, len(cells)) and all(map(pattern.match, given))
