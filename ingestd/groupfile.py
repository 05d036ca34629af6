"""PURE  One file of a group: each row is of the rooftop that its column names.

* The value of the column chooses among the dealerships of the feed's map.  Another value, or
  none, rejects the row (``unknown_rooftop``), whatever else is in it.  A row without a value, or
  one that is no row, may be any dealership's: what it names counts as seen there.
* Each dealership's rows are read as if they were a file of its own, so that what the file says
  of one never touches another.  Header, blank lines and rows of nobody's belong to the whole.
* Columns are absent, or blank in every row, for the file as a whole.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from operator import and_

from ingestd.config import Feed, Limits
from ingestd.feed import identity, table
from ingestd.feed.books import MOST_WARNINGS, Books
from ingestd.feed.columns import Columns
from ingestd.feed.encode import Encoded, Encoder
from ingestd.feed.evidence import Witness, dealer_column
from ingestd.mail.parts import Blocked, Member
from ingestd.model import Evidence, File, FileReading, Finding, ReadJob
from ingestd.onefile import FileReader, Table, encode_with
from ingestd.rooftops import Rooftops, choices

#: Whose the rows are that nobody's dealership has.
NOBODY = 0


class Share:
    """The rows of one dealership in one file; ``reading`` is the file's."""

    def __init__(self, reader: "GroupReader") -> None:
        """Begin with none."""
        self._reader = reader
        self.books = Books()
        self.evidence = Evidence(reader.reading.file)

    @property
    def reading(self) -> FileReading:
        """Give what was understood of the file."""
        return self._reader.reading

    def named(self, finding: Finding, field: str) -> Finding:
        """Put the header of a field's first column into a finding."""
        return self._reader.named(finding, field)

    def closed(self, rejected: int) -> FileReading:
        """Give the books of these rows; ``rejected`` of them were found to be nobody's."""
        return self.books.closed(self.reading, rejected)


class _Desk:
    """Encodes the rows of one dealership."""

    def __init__(self, share: Share, encoder: Encoder, columns: Columns) -> None:
        self.share, self.encoder, self.columns = share, encoder, columns
        self.encode: Callable[[table.Record], Encoded | None] = encode_with(encoder, columns)
        # The dealer's id is as it should be: it is what brought the row here.
        self.witness = Witness(share.reading.file, ())

    def close(self) -> None:
        self.share.evidence = self.witness.evidence(self.columns.fields, self.encoder.seen())


class GroupReader(FileReader):
    """Reads one file of a group, for all of its dealerships."""

    def __init__(
        self, file: File, job: ReadJob, feed: Feed, limits: Limits, rooftops: Rooftops
    ) -> None:
        """Begin with nothing read."""
        super().__init__(file, job, feed, limits)
        self._rooftops = rooftops
        self._lots: Mapping[int, identity.Rows] = {}
        self.shares = {number: Share(self) for number in (NOBODY, *choices(rooftops))}

    def lines_of(
        self, member: Member | Blocked, lots: Mapping[int, identity.Rows]
    ) -> Iterator[str]:
        """Give the file's lines for the stage; ``lots`` takes the rows of each dealership."""
        self._lots = lots
        return self.lines(member, identity.Rows())

    def _fault(
        self, found: Table, columns: Columns, sample: tuple[tuple[str, ...], ...]
    ) -> tuple[str, str] | None:
        wanted = self._rooftops.column
        if dealer_column(columns.headers, wanted) is None:
            headers = ", ".join(header for header in columns.headers if header.strip())
            return "no_rooftop_column", (
                f"there is no column {wanted!r}, which says whose each row is; the headers are:"
                f" {headers}; correct [feed.rooftops] column, or ask the sender"
            )
        return super()._fault(found, columns, sample)

    def _encoded(self, found: Table, columns: Columns, rows: identity.Rows) -> Iterator[str]:
        del rows  # each dealership has its own
        at = dealer_column(columns.headers, self._rooftops.column)
        assert at is not None, "without it the file is refused"
        desks = {
            number: _Desk(share, self._encoder(columns, number), columns)
            for number, share in self.shares.items()
        }
        for record in self._records(found):
            if record.kind in ("header", "blank"):
                self.books.count(record.kind)
                continue
            yield self._taken(desks, record, at)
        for desk in desks.values():
            desk.close()
        keep = reduce(and_, (desk.encoder.keep() for desk in desks.values()))
        self._close(keep, columns, found.encoding)

    def _taken(self, desks: Mapping[int, _Desk], record: table.Record, at: int) -> str:
        number = self._whose(record, at)
        desk = desks[number]
        if number == NOBODY and record.kind == "row":
            encoded = desk.encoder.refused(record.line, at, record.cells, "unknown_rooftop")
        else:
            found = desk.encode(record)
            assert found is not None, "header and blank lines were counted before"
            encoded = found
        desk.share.books.take(encoded)
        self._witnessed(desks, number, record, encoded)
        return encoded.text

    def _whose(self, record: table.Record, at: int) -> int:
        """Give the dealership of a record; a record that is no row may have lost its cells."""
        if record.kind != "row":
            return NOBODY
        return self._rooftops.map.get(record.cells[at].strip(), NOBODY)

    def _witnessed(
        self, desks: Mapping[int, _Desk], number: int, record: table.Record, encoded: Encoded
    ) -> None:
        """Note a row, or that one may be any vehicle: of whom, where that cannot be told."""
        if encoded.rejection is None:
            self._lots[number].add(self.reading.file, record.line, encoded[1:5], encoded.year)
            desks[number].witness.row(record.cells)
        elif encoded.rejection.reason != "unknown_rooftop" and not (
            encoded.vin or encoded.stock_number
        ):
            for whose in desks if number == NOBODY else (number,):
                desks[whose].witness.nameless(record.line, record.cells)

    def summed(self, parts: Mapping[int, FileReading]) -> FileReading:
        """Give the books of the whole file, those of its dealerships being closed."""
        whole = super().closed(0)
        if whole.reason is not None:
            return whole
        found = (self.shares[NOBODY].closed(0), *parts.values())
        listed = [warning for part in found for warning in part.warnings_list]
        warnings = sorted((*whole.warnings_list, *listed), key=lambda finding: finding.line)
        return replace(
            whole,
            lines=whole.lines + sum(part.lines for part in found),
            rows=sum(part.rows for part in found),
            rejected=sum(part.rejected for part in found),
            warnings=whole.warnings + sum(part.warnings for part in found),
            warnings_list=tuple(warnings[:MOST_WARNINGS]),
            cut_off=whole.cut_off or any(part.cut_off for part in found),
        )
