"""PURE  Text becomes records: where the header is, what separates cells, what each line is.

Rules (evidence: feeds.md sections 0.7 and 4.7; what lines and quotes are: ``quoting``):
  * Header and delimiter: among the first 20 non-blank lines and tab, pipe, semicolon, comma, the
    pair in which most cells are known column names; two at least, or the only cell of a line.
    Of equals the earlier line, then the earlier delimiter.
  * Every line is in exactly one record, and no quote swallows a row.
  * Lines before the header that have cells for less than half of it (titles, ``sep=;``) and
    headers repeated in the body are of kind ``header``.
  * A row of fewer cells is filled up if it has at least half of the header's, else it is bad;
    blank cells beyond the header are dropped, others make the row bad.
  * A last line without line end that has fewer cells than the header, or a quote that is still
    open at the end of the file, is ``cut_off``: it was lost on the way, not left out.
  * A line in which a needed quote is broken is a row only if it has the header's width.

Reasons of bad records: too_few_cells too_many_cells row_too_large broken_quotes cut_off.
The text is never held: only one line, or the lines of one open quote, up to ``row_size``.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ingestd.feed.quoting import (
    Quoting,
    Texts,
    judge,
    lines,
    newline_of,
    quotes,
    rowlike,
    straight,
)

Known: TypeAlias = Callable[[str], bool]
_Batches: TypeAlias = Iterator[tuple[list[str], bool]]

#: In order of preference among equals.
_DELIMITERS = {"\t": "tab", "|": "pipe", ";": "semicolon", ",": "comma"}
_PROBE_LINES = 20
_HEADER_LINES = 5  # most lines of a header with quoted line breaks
_PROBE_LINE = 1 << 16  # longest part of a line that is looked at for a header
#: What makes no cell: white space, byte order mark, zero width, the end mark of DOS files.
_BLANK = " \t\v\f\r\n\x1c\x1d\x1e\x1f\x85\xa0\u2007\u202f\u3000\ufeff\u200b\u2060\x1a"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the text is a table.  ``headers`` are cleaned of marks, blanks and outer quotes.

    ``leading`` counts the blank records before the header.  ``newline`` is CR only in files
    that know no other line end.
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


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the file: ``line`` is its first physical line, from 1.

    A row has exactly as many cells as the layout has headers; a blank has none; headers and
    bad ones have what was there, as far as it is no more than the ``columns`` allowed.
    """

    line: int
    kind: Literal["row", "header", "blank", "bad"]
    cells: tuple[str, ...]
    reason: str | None = None
    raw_lines: int = 1


@dataclass(frozen=True, slots=True)
class _Line:
    """A non-blank line near the beginning; ``blanks`` stand before it."""

    number: int
    text: str
    blanks: int


def detect(texts: Texts, known: Known) -> Layout | NoTable:
    """Find the header, the delimiter and the quoting; three passes over the text at most.

    ``known`` says whether a cleaned header cell is the name of a vehicle's column.
    """
    newline = newline_of(texts)
    probe = _probe(texts, newline)
    if not probe:
        return NoTable("empty", "the file has no line that is not blank")
    found = _header(probe, known)
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


def records(texts: Texts, layout: Layout, row_size: int, columns: int) -> Iterator[Record]:
    """Give every record of the file in order: rows, headers, blank and bad ones.

    ``row_size`` is the longest record (characters), ``columns`` the most cells of one.
    """
    reader = _Reader(layout, row_size, columns)
    batches = lines(texts, layout.newline, row_size)
    return reader.plain(batches) if layout.quoting == "none" else reader.quoted(batches)


def _clean(cell: str) -> str:
    """Give a header cell without blanks, marks and the quotes around it."""
    bare = cell.strip(_BLANK)
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1].replace('""', '"')
    return bare.replace("\xa0", " ").replace("\n", " ").strip(_BLANK)


def _filled(cells: Iterable[str]) -> int:
    return sum(1 for cell in cells if cell.strip(_BLANK))


def _probe(texts: Texts, newline: str) -> list[_Line]:
    probe: list[_Line] = []
    number = blanks = 0
    for batch, _ in lines(texts, newline, _PROBE_LINE):
        for raw in batch:
            number += 1
            line = straight(raw[:_PROBE_LINE])
            if not line.strip(_BLANK + ',;|"'):
                blanks += 1
                continue
            probe.append(_Line(number, line, blanks))
            if len(probe) == _PROBE_LINES:
                return probe
    return probe


def _header(probe: list[_Line], known: Known) -> tuple[_Line, str, int] | None:
    """Give the line and delimiter with most known names, and how many they are."""
    best: tuple[_Line, str, int] | None = None
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
    cells = {cell.casefold(): cell for cell in map(_clean, _split(line, delimiter)) if cell}
    count = sum(map(known, cells.values()))
    return count if count > 1 or len(cells) == 1 else 0


def _split(line: str, delimiter: str) -> list[str]:
    """Give the cells of one line; quotes count if they are well formed."""
    grammar = quotes(delimiter)
    meant = '"' in line and grammar.shape(line) == "closed"
    return grammar.cells(line) if meant else line.split(delimiter)


def _headers(line: _Line, delimiter: str, probe: list[_Line]) -> tuple[str, ...]:
    """Give the headers.  Nameless ones at the end stay only as far as rows have cells there."""
    headers = [_clean(cell) for cell in _split(line.text, delimiter)]
    below = [other.text for other in probe if other.number > line.number]
    widest = max(
        (len(_split(text.rstrip(_BLANK + delimiter), delimiter)) for text in below), default=0
    )
    while not headers[-1] and len(headers) > widest:
        headers.pop()
    return tuple(headers)


def _no_header(probe: list[_Line]) -> NoTable:
    first = probe[0]
    delimiter = max(_DELIMITERS, key=first.text.count)
    cells = [_clean(cell)[:40] for cell in _split(first.text, delimiter)[:12]]
    listed = ", ".join(f'"{cell}"' for cell in cells)
    if not any(delimiter in line.text for line in probe for delimiter in _DELIMITERS):
        return NoTable(
            "no_table",
            f"no table was found: line {first.number} is {listed} and nothing separates columns; "
            "export the inventory as tab separated text with a header line",
        )
    return NoTable(
        "no_header",
        f"none of the first {len(probe)} lines has two column names that are known; line "
        f"{first.number} has {listed}; send the file with a header line, or name its columns "
        "under [feed.columns]",
    )


class _Reader:
    """Makes records of lines for one layout; holds the lines of at most one open quote."""

    def __init__(self, layout: Layout, row_size: int, columns: int) -> None:
        self.delimiter = layout.delimiter
        self.grammar = quotes(layout.delimiter)
        self.header_line = layout.header_line
        self.names = [header.casefold() for header in layout.headers]
        self.width = len(self.names)
        self.named = _named(self.names)
        #: A header in the body is told from a row by its longest name.
        self.pivot = max(range(self.width), key=lambda index: len(self.names[index]))
        self.row_size = row_size
        self.columns = columns
        self.pending: list[str] = []
        self.size = 0

    def plain(self, batches: _Batches) -> Iterator[Record]:
        """Read lines in which quotes are letters."""
        number = 0
        for batch, ended in batches:
            for raw in batch:
                number += 1
                if len(raw) > self.row_size:
                    yield Record(number, "bad", (), "row_too_large")
                    continue
                yield self._record(number, straight(raw).split(self.delimiter), ended=ended)

    def quoted(self, batches: _Batches) -> Iterator[Record]:
        """Read lines in which quotes count; only those that have some take the slow way."""
        number, ended = 0, True
        for batch, ended in batches:
            for raw in batch:
                number += 1
                line = straight(raw)
                if len(raw) > self.row_size:
                    yield from self._release(number)
                    yield Record(number, "bad", (), "row_too_large")
                elif self.pending or '"' in line:
                    yield from self._slow(number, line, ended=ended)
                else:
                    yield self._record(number, line.split(self.delimiter), ended=ended)
        yield from self._end(number, ended=ended)

    def _slow(self, number: int, line: str, *, ended: bool) -> Iterator[Record]:
        cells = None if self.pending else self._all_quoted(line)
        if cells is not None:
            yield self._record(number, cells, ended=ended)
            return
        shape = self.grammar.shape(line, inside=bool(self.pending))
        if shape == "broken":
            yield from self._broken(number, line, ended=ended)
            return
        self.pending.append(line)
        self.size += len(line) + 1
        if shape == "closed":
            yield self._closed(number, ended=ended)
        elif self.size > self.row_size:
            yield from self._release(number + 1, reason="row_too_large")

    def _all_quoted(self, line: str) -> list[str] | None:
        """Give the cells of a line that has no quotes but one pair around each cell."""
        if not line[0] == line[-1] == '"':
            return None
        cells = line[1:-1].split(f'"{self.delimiter}"')
        return cells if line.count('"') == 2 * len(cells) else None

    def _closed(self, number: int, *, ended: bool) -> Record:
        count, text = len(self.pending), "\n".join(self.pending)
        self.pending, self.size = [], 0
        start = number - count + 1
        if len(text) > self.row_size:
            return Record(start, "bad", (), "row_too_large", count)
        return self._record(start, self.grammar.cells(text), ended=ended, count=count)

    def _broken(self, number: int, line: str, *, ended: bool) -> Iterator[Record]:
        if self.pending:  # the quote opened before was not meant; this line begins anew
            yield from self._release(number)
            yield from self._slow(number, line, ended=ended)
        else:
            yield self._alone(number, line, "broken_quotes", ended=ended)

    def _release(
        self, following: int, *, reason: str = "broken_quotes", ended: bool = True
    ) -> Iterator[Record]:
        """Give the lines of a quote that was not meant, each for itself."""
        held, self.pending, self.size = self.pending, [], 0
        for number, line in enumerate(held, following - len(held)):
            yield self._alone(number, line, reason, ended=ended or number < following - 1)

    def _alone(self, number: int, line: str, reason: str, *, ended: bool) -> Record:
        """Read a line whose broken quotes are letters: a row only with the header's width."""
        cells = self.grammar.cells(line)
        record = self._record(number, cells, ended=ended)
        unsure = record.kind == "row" and len(cells) < self.width
        if '"' in line and (unsure or record.reason in ("too_few_cells", "too_many_cells")):
            return Record(number, "bad", self._some(cells), reason)
        return record

    def _end(self, number: int, *, ended: bool) -> Iterator[Record]:
        """End the file: a quote still open is a record cut off, unless it swallowed rows."""
        if any(rowlike(line, self.delimiter, self.width) for line in self.pending[1:]):
            yield from self._release(number + 1, ended=ended)
        elif self.pending:
            count, text = len(self.pending), "\n".join(self.pending)
            cells = self._some(self.grammar.cells(text))
            yield Record(number - count + 1, "bad", cells, "cut_off", count)

    def _record(self, number: int, cells: list[str], *, ended: bool, count: int = 1) -> Record:
        """Say what the cells of a record are; drops blank ones beyond the header in place."""
        if not cells[0].strip(_BLANK) and not _filled(cells):
            return Record(number, "blank", (), None, count)
        if number <= self.header_line and self._heads(number, cells):
            return Record(number, "header", self._some(cells), None, count)
        if len(cells) != self.width:
            while len(cells) > self.width and not cells[-1].strip(_BLANK):
                cells.pop()
        reason = self._misfit(len(cells), ended=ended)
        if reason is not None:
            return Record(number, "bad", self._some(cells), reason, count)
        if self._repeats(cells):
            return Record(number, "header", self._some(cells), None, count)
        padding = [""] * (self.width - len(cells))
        return Record(number, "row", tuple(cells + padding if padding else cells), None, count)

    def _heads(self, number: int, cells: list[str]) -> bool:
        return number == self.header_line or _filled(cells) * 2 < self.named

    def _misfit(self, width: int, *, ended: bool) -> str | None:
        if width == self.width <= self.columns:
            return None
        if width > min(self.width, self.columns):
            return "too_many_cells"
        if width >= self.named:
            return None
        if not ended:
            return "cut_off"
        return None if width * 2 >= self.named else "too_few_cells"

    def _repeats(self, cells: list[str]) -> bool:
        """Say whether a row is the header again."""
        if len(cells) <= self.pivot or self.names[self.pivot] not in cells[self.pivot].casefold():
            return False
        folded = [_clean(cell).casefold() for cell in cells]
        return folded == self.names[: len(folded)]

    def _some(self, cells: list[str]) -> tuple[str, ...]:
        return tuple(cells[: self.columns])


def _named(names: list[str]) -> int:
    """Count the columns up to the last that has a name."""
    return max((index for index, name in enumerate(names, 1) if name), default=0)
