"""PURE  The lines of a text, and whether the quotes in them are meant.

Rules (evidence: feeds.md sections 0.7 and 4.7):
  * A physical line ends at LF or CRLF.  A bare CR is a space, unless the text has no LF, or has
    two bare CRs before its first LF: a header line has none, so CR ends the lines and LF stands
    in cells.
  * Quotes are meant (RFC 4180) if they are well formed from the first line to the last and the
    records they make have the header's width as least as often as the bare lines would; or if
    the header itself is quoted.  A quoted cell whose lines are each as wide as the header is
    two inch marks that happen to meet, not a cell.
  * Where quotes are needed (quoted header, or cells that hold the delimiter and are no tabs),
    lines may break them: those lines stand alone (``table`` repairs or refuses them), the others
    keep their meaning.  But the lines that do not have the header's width alone are no more
    than those whose quotes are meant.
  * Spaces between a quote and the delimiter are no part of the cell (``"a", "b"``).
  * A quote still open at the end of the text is a file cut off, if nothing after it looks like
    a row and other quotes were meant.
  * All else are letters (``6'7" box``, ``"Loaded``).

Patterns are possessive: no text makes them slow (threat T17).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Texts: TypeAlias = Callable[[], Iterator[str]]
Quoting: TypeAlias = Literal["none", "rfc4180"]

_LONGEST_QUOTED = 1 << 20  # characters; a quote open for longer was not meant
_MOST_LOOSE = 1 << 22  # characters times quotes of a line that is read loosely: bounds the time


def newline_of(texts: Texts) -> str:
    """Say what ends a line: LF, or CR in a text that has no LF or begins with CR lines."""
    bare, before = 0, ""
    for block in texts():
        end = block.find("\n")
        part = before + (block if end < 0 else block[: end + 1])
        bare += part.count("\r") - part.count("\r\n")
        before = ""
        if end >= 0:
            return "\r" if bare > 1 else "\n"
        if part.endswith("\r"):
            bare, before = bare - 1, "\r"
    return "\r" if bare or before else "\n"


def lines(texts: Texts, newline: str, longest: int) -> Iterator[tuple[list[str], bool]]:
    """Give lines in batches, without LF; False with a last line that has no line end.

    Of a line longer than ``longest`` characters what is beyond may be missing: a text without
    line ends does not fill the memory.
    """
    pieces: list[str] = []
    size = 0
    for block in texts():
        batch = block.split(newline)
        rest = batch.pop()
        if batch:
            batch[0] = "".join(pieces) + batch[0]
            pieces, size = [], 0
            yield batch, True
        if rest and size <= longest:
            pieces.append(rest[: longest + 1])
            size += len(rest)
    if pieces:
        yield ["".join(pieces)], False


def straight(line: str) -> str:
    """Drop the CR of a CRLF; a bare one inside the line is a space."""
    return line.rstrip("\r").replace("\r", " ") if "\r" in line else line


def rowlike(line: str, delimiter: str, width: int) -> bool:
    """Say whether a line inside an open quote looks like a row: cells for half of the header."""
    return line.count(delimiter) + 1 >= max(2, width / 2)


@dataclass(frozen=True, slots=True)
class Quotes:
    """The grammar of cells where quotes count, for one delimiter."""

    delimiter: str
    state: re.Pattern[str]
    cell: re.Pattern[str]
    loose: re.Pattern[str]

    def shape(self, line: str, *, inside: bool = False) -> Literal["closed", "open", "broken"]:
        """Say how a line ends; ``inside`` if it begins within a quoted cell."""
        found = self.state.fullmatch('"' + line if inside else line)
        if found is None:
            return "broken"
        return "closed" if found["open"] is None else "open"

    def cells(self, text: str) -> list[str]:
        """Give the cells of a record; where a quote is broken, it is a letter."""
        return [
            quoted.replace('""', '"') if quoted else bare
            for quoted, bare in self.cell.findall(text + self.delimiter)
        ]

    def loose_cells(self, text: str) -> list[str]:
        """Give the cells where a quote ends a cell only before a delimiter or the line's end.

        Others are letters (``"18" alloy, leather",x``), and so is one behind a backslash.
        """
        if len(text) * text.count('"') > _MOST_LOOSE:
            return self.cells(text)
        return [
            quoted.replace('\\"', '"').replace('""', '"') if quoted else bare
            for quoted, bare in self.loose.findall(text + self.delimiter)
        ]


def quotes(delimiter: str) -> Quotes:
    """Give the grammar for a delimiter (one character)."""
    d = re.escape(delimiter)
    inner = r'(?:[^"]++|"")*+'
    quoted = rf' *+"{inner}" *+'
    cell = rf'(?:{quoted}(?={d}|\Z)|[^"{d}]*+)'
    within = rf'(?:[^"]++|"(?! *+{d}))*+'
    return Quotes(
        delimiter,
        state=re.compile(rf'(?:{cell}{d})*+(?:{cell}|(?P<open> *+"{inner}))'),
        cell=re.compile(rf'(?: *+"({inner})" *+(?={d})|([^{d}]*+)){d}'),
        loose=re.compile(rf'(?: *+"({within})" *+|([^{d}]*+)){d}'),
    )


def alone(grammar: Quotes, line: str, width: int) -> list[str] | None:
    """Give the cells of a line whose quotes are broken, if one way of reading has the width."""
    for cells in (grammar.loose_cells(line), grammar.cells(line)):
        if len(cells) == width:
            return cells
    return None


def judge(texts: Texts, newline: str, delimiter: str, header: str) -> tuple[Quoting, str]:
    """Decide whether quotes are meant, and say why, in two passes over the text at most."""
    if not any('"' in block for block in texts()):
        return "none", "no quotes"
    tally = _Tally.begin(delimiter, header)
    number = 0
    for batch, _ in lines(texts, newline, _LONGEST_QUOTED):
        for raw in batch:
            number += 1
            if tally.inside is None and ('"' not in raw or tally.plain(raw)):
                continue
            tally.see(number, straight(raw[:_LONGEST_QUOTED]))
        if tally.hopeless():
            break
    return tally.verdict()


@dataclass(slots=True)
class _Span:
    """The lines seen since a quoted cell was opened."""

    first: int
    lines: int = 0
    size: int = 0
    cells: int = 1
    wide: int = 0  # lines that alone are as wide as the header
    rowlike: int = 0  # lines but the first that look like rows


@dataclass(slots=True)
class _Tally:
    """What is known of the quotes so far; ``inside`` is the cell that is open."""

    quotes: Quotes
    width: int
    header: bool
    inside: _Span | None = None
    meant: int = 0
    broken: list[int] = field(default_factory=list)
    misfits: int = 0  # broken lines that alone do not have the header's width
    only_quoted: int = 0  # records as wide as the header only if quotes are meant
    only_bare: int = 0  # records (or lines) as wide as the header only if they are not

    @classmethod
    def begin(cls, delimiter: str, header: str) -> "_Tally":
        grammar = quotes(delimiter)
        meant = '"' in header and grammar.shape(header) == "closed"
        cells = grammar.cells(header) if meant else header.split(delimiter)
        return cls(grammar, len(cells), meant)

    def plain(self, raw: str) -> bool:
        """Take a line that has no quotes but a pair around each cell, the quick way."""
        line = raw.removesuffix("\r")
        if not line[:1] == line[-1:] == '"':
            return False
        cells = line.count(f'"{self.quotes.delimiter}"', 1, len(line) - 1) + 1
        if line.count('"') != 2 * cells:
            return False
        self.meant += 1
        bare = line.count(self.quotes.delimiter) + 1 == self.width
        self.only_quoted += cells == self.width and not bare
        self.only_bare += bare and cells != self.width
        return True

    def see(self, number: int, line: str) -> None:
        span = self.inside
        shape = self.quotes.shape(line, inside=span is not None)
        if shape == "broken":
            self._break(number if span is None else span.first, line)
            if span is not None:  # the line stands alone
                self.see(number, line)
            return
        self.inside = span = span or _Span(number)
        self._measure(span, line)
        if shape == "closed":
            self._close(span)
        elif span.size > _LONGEST_QUOTED:
            self._break(span.first, "")

    def _break(self, number: int, line: str) -> None:
        self.inside = None
        self.broken.append(number)
        self.misfits += not alone(self.quotes, line, self.width)

    def _measure(self, span: _Span, line: str) -> None:
        delimiter = self.quotes.delimiter
        bare = line.count(delimiter) + 1
        outside = ('"' + line if span.lines else line).split('"')[::2]
        span.cells += sum(part.count(delimiter) for part in outside)
        span.wide += bare == self.width
        span.rowlike += span.lines > 0 and rowlike(line, delimiter, self.width)
        span.lines += 1
        span.size += len(line)

    def _close(self, span: _Span) -> None:
        self.inside = None
        self.meant += 1
        quoted = span.cells == self.width
        bare = span.wide == span.lines
        if span.lines > 1 and bare:
            self.only_bare += 1
        else:
            self.only_quoted += quoted and not bare
            self.only_bare += bare and not quoted

    def hopeless(self) -> bool:
        """Say whether reading on can change nothing."""
        return bool(self.broken) and not self.header and self.quotes.delimiter == "\t"

    def verdict(self) -> tuple[Quoting, str]:
        self._end()
        if not self.broken:
            if self.header or self.only_bare <= self.only_quoted:
                return "rfc4180", "quotes are well formed throughout"
            return "none", "quotes are letters: lines have the header's width only without them"
        if self._needed() and self.misfits <= self.meant:
            return "rfc4180", f"quotes are needed; {len(self.broken)} lines break them"
        return "none", f"quotes are letters: line {self.broken[0]} has one that is not well formed"

    def _needed(self) -> bool:
        held = self.only_quoted > self.only_bare and self.quotes.delimiter != "\t"
        return self.meant > 1 and (self.header or held)

    def _end(self) -> None:
        span = self.inside
        if span is not None and (span.rowlike or not self.meant):
            self._break(span.first, "")
