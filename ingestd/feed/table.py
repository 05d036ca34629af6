"""PURE  Text becomes records: what each line of a table is (where its header is: ``heading``).

Rules (evidence: feeds.md sections 0.7 and 4.7; what lines and quotes are: ``quoting``):
  * Every line is in exactly one record, and no quote swallows a row.
  * Lines before the header that have cells for less than half of it (titles, ``sep=;``), titles
    and headers repeated in the body are of kind ``header``.  Below the header of another table
    rows are bad, until the first is repeated: their columns are not those that were mapped.
  * A row of fewer cells is filled up if it has at least half of the header's, else it is bad;
    blank cells beyond the header are dropped, numbers that their commas cut are joined
    (``ragged``), others make the row bad.
  * A last line without line end that has fewer cells than the header, or a quote that is still
    open at the end of the file, is ``cut_off``: it was lost on the way, not left out; unless
    most rows are short, or it is a footer.
  * A last row without line end is ``cut_off`` too where the feed's files always have one
    (``whole``): a part of its last cell may be missing, and no cell shows that.
  * A line in which a needed quote is broken is a row only if it has the header's width.

Reasons of bad records: too_few_cells too_many_cells row_too_large broken_quotes cut_off footer
other_columns.
The text is never held: only one line, or the lines of one open quote, up to ``row_size``.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from ingestd.feed.heading import Layout
from ingestd.feed.quoting import Texts, alone, lines, quotes, rowlike, straight
from ingestd.feed.ragged import BLANK, clean, filled, footer, joined, numeric
from ingestd.folding import fold

Kind: TypeAlias = Literal["row", "header", "blank", "bad"]
_Batches: TypeAlias = Iterator[tuple[list[str], bool]]

_LONGEST_NAME = 200


class Record(NamedTuple):
    """One record of the file: ``line`` is its first physical line, from 1.

    ``ended``: it has a line end; only the last may have none.

    A row has exactly as many cells as the layout has headers; a blank has none; headers and
    bad ones have what was there, as far as it is no more than the ``columns`` allowed.
    """

    line: int
    kind: Kind
    cells: tuple[str, ...]
    reason: str | None = None
    raw_lines: int = 1
    ended: bool = True


def records(
    texts: Texts, layout: Layout, row_size: int, columns: int, *, whole: bool = False
) -> Iterator[Record]:
    """Give every record of the file in order: rows, headers, blank and bad ones.

    ``row_size`` is the longest record (characters), ``columns`` the most cells of one; ``whole``:
    the feed's files always end with a line end.
    """
    reader = _Reader(layout, row_size, columns)
    reader.whole = whole
    batches = lines(texts, layout.newline, row_size)
    return reader.plain(batches) if layout.quoting == "none" else reader.quoted(batches)


class _Reader:
    """Makes records of lines for one layout; holds the lines of at most one open quote."""

    def __init__(self, layout: Layout, row_size: int, columns: int) -> None:
        self.delimiter = layout.delimiter
        self.grammar = quotes(layout.delimiter)
        self.header_line = layout.header_line
        self.names = [_fold(header) for header in layout.headers]
        self.width = len(self.names)
        self.named = _named(self.names)
        self.known = frozenset(name for name in self.names if name)
        #: Cells with which a header in the body may begin.
        self.first = self.known.union(map(str.casefold, layout.headers)) - {""}
        self.numeric = numeric(layout.headers)
        self.titles: set[tuple[str, ...]] = set()
        self.other = False  # whether the rows at hand are those of another header
        self.rows = self.short = 0
        self.whole = False
        self.row_size = row_size
        self.columns = columns
        #: The width of a row that needs no second look, and fewer blank cells than it may have.
        self.fit = self.width if self.width <= columns else -1
        self.sparse = self.width // 2
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
        cells = alone(self.grammar, line, self.width) or self.grammar.cells(line)
        short = len(cells) < self.width
        record = self._record(number, cells, ended=ended)
        unsure = record.kind == "row" and short
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
            yield Record(number - count + 1, "bad", cells, "cut_off", count, ended)

    def _record(self, number: int, cells: list[str], *, ended: bool, count: int = 1) -> Record:
        """Say what the cells of a record are; drops blank ones beyond the header in place."""
        if self._plain(number, cells) and (ended or not self.whole):
            self.rows += 1
            return Record(number, "row", tuple(cells), None, count, ended)
        if not cells[0].strip(BLANK) and not filled(cells):
            return Record(number, "blank", (), None, count)
        if number <= self.header_line and self._heads(number, cells):
            return Record(number, "header", self._some(cells), None, count)
        if len(cells) > self.width:
            cells = self._trimmed(cells)
        kind, reason = self._kind(cells, ended=ended)
        if kind == "row" and self.whole and not ended:
            kind, reason = "bad", "cut_off"
        if kind != "row":
            return Record(number, kind, self._some(cells), reason, count, ended)
        self.rows += 1
        if len(cells) < self.width:
            self.short += 1
            cells += [""] * (self.width - len(cells))
        return Record(number, "row", tuple(cells), None, count, ended)

    def _plain(self, number: int, cells: list[str]) -> bool:
        """Say whether cells are a row and nothing else: as nearly all are."""
        return (
            len(cells) == self.fit
            and number > self.header_line
            and not self.other
            and cells.count("") < self.sparse
            and cells[0].casefold() not in self.first
            and bool(cells[0].strip(BLANK))
        )

    def _kind(self, cells: list[str], *, ended: bool) -> tuple[Kind, str | None]:
        sparse = self.width - len(cells) + cells.count("") >= self.sparse
        if (sparse or cells[0].casefold() in self.first) and self._heads_again(cells):
            return "header", None
        if sparse and footer(cells, self.named):
            return "bad", "footer"
        reason = "other_columns" if self.other else self._misfit(len(cells), ended=ended)
        return ("row", None) if reason is None else ("bad", reason)

    def _trimmed(self, cells: list[str]) -> list[str]:
        """Drop blank cells beyond the header; join numbers that their commas cut."""
        while len(cells) > self.width and not cells[-1].strip(BLANK):
            cells.pop()
        if len(cells) > self.width and self.delimiter == ",":
            return joined(cells, self.numeric, self.width) or cells
        return cells

    def _heads(self, number: int, cells: list[str]) -> bool:
        if number == self.header_line:
            return True
        title = filled(cells) * 2 < self.named
        if title:
            self.titles.add(_title(cells))
        return title

    def _heads_again(self, cells: list[str]) -> bool:
        """Say whether a line in the body is a title or header; remember whose columns follow."""
        if _title(cells) in self.titles:
            return True
        folded = [_fold(cell) for cell in cells]
        if folded == self.names[: len(folded)] and len(folded) * 2 >= self.named:
            self.other = False
            return True
        given = [name for name in folded if name]
        if len(given) > 1 and len(self.known.intersection(given)) * 2 >= self.named:
            self.other = True
            return True
        return False

    def _misfit(self, width: int, *, ended: bool) -> str | None:
        if width == self.width <= self.columns:
            return None
        if width > min(self.width, self.columns):
            return "too_many_cells"
        if width >= self.named:
            return None
        if not ended and self.short * 2 <= self.rows:
            return "cut_off"
        return None if width * 2 >= self.named else "too_few_cells"

    def _some(self, cells: list[str]) -> tuple[str, ...]:
        return tuple(cells[: self.columns])


def _title(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell for cell in map(clean, cells) if cell)


def _fold(cell: str) -> str:
    """Give what of a header is compared: letters and digits, for each page may set it anew."""
    return fold(clean(cell[:_LONGEST_NAME]))


def _named(names: list[str]) -> int:
    """Count the columns up to the last that has a name."""
    return max((index for index, name in enumerate(names, 1) if name), default=0)
