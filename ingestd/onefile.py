"""PURE  One file becomes lines of the stage, and its books are kept.

A file that is refused as a whole sends nothing: that it is a plausible inventory, has an
identifier and one usable row, is known before the first line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from ingestd.config import Feed, Limits
from ingestd.feed import (
    decode,
    drift,
    heading,
    identity,
    mapping,
    plausible,
    quoting,
    spelling,
    surplus,
    table,
)
from ingestd.feed.books import Books
from ingestd.feed.cells import Plan
from ingestd.feed.columns import Columns
from ingestd.feed.encode import BITS, Encoded, Encoder, Place
from ingestd.feed.evidence import Witness
from ingestd.feed.remarks import Remarks
from ingestd.mail.parts import Blocked, Member
from ingestd.model import Chunks, Evidence, File, FileReading, Finding, Heading, ReadJob

#: Rows, and characters of them, by which ambiguous headers and the whole file are judged.
SAMPLE_ROWS = 500
SAMPLE_SIZE = 1 << 21
Sample: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A file in which a table was found."""

    texts: quoting.Texts
    encoding: decode.Encoding
    layout: heading.Layout

    def records(self, limits: Limits, *, whole: bool = False) -> Iterator[table.Record]:
        """Give every record of the file, from the beginning."""
        return table.records(self.texts, self.layout, limits.row_size, limits.columns, whole=whole)


def find_table(content: Chunks, feed: Feed | None) -> Table | decode.Unreadable | heading.NoTable:
    """Find encoding and table; headers that the feed configures are known ones too."""
    encoding = decode.detect(content)
    if isinstance(encoding, decode.Unreadable):
        return encoding
    own = feed.columns.values() if feed else ()
    configured = {spelling.normalise(name) for names in own for name in names}
    texts = partial(decode.text, content, encoding)

    def known(header: str) -> bool:
        return mapping.known(header) or spelling.normalise(header) in configured

    layout = heading.detect(texts, known, _names(feed.positions if feed else ()))
    return layout if isinstance(layout, heading.NoTable) else Table(texts, encoding, layout)


def _names(positions: tuple[str, ...]) -> tuple[str, ...]:
    """Give headers for fields by position; columns with one picture each are numbered."""
    if positions.count("images") < 2:  # noqa: PLR2004  several
        return positions
    return tuple(
        f"image {number}" if name == "images" else name for number, name in enumerate(positions, 1)
    )


def _by_position(feed: Feed) -> Feed:
    """Give the feed with its positions as configured headers, which nothing else can claim."""
    given = {name: (name,) for name in _names(feed.positions) if name in feed.positions and name}
    return feed.model_copy(update={"columns": {**feed.columns, **given}}) if given else feed


class FileReader:
    """Reads one file and keeps its books."""

    def __init__(self, file: File, job: ReadJob, feed: Feed, limits: Limits) -> None:
        """Begin with nothing read."""
        self.reading = FileReading(file.index, file.name)
        self.columns: Columns | None = None
        #: A guess at the columns of a file without header line.
        self.positions: tuple[str, ...] = ()
        #: A guess at headers that are not known, by the field.
        self.guessed: Mapping[str, tuple[str, ...]] = {}
        #: The first rows, by which the file was judged.
        self.sample: Sample = ()
        self._file, self._job, self._feed, self._limits = file, job, _by_position(feed), limits
        self.books = Books()
        self.evidence = Evidence(file.index)
        self._header_line = 1
        self._why_wide = ""

    def lines(self, member: Member | Blocked, rows: identity.Rows) -> Iterator[str]:
        """Give the file's lines for the stage; none if the file as a whole is refused."""
        if isinstance(member, Blocked):
            return self._refuse(member.reason, member.message)
        found = find_table(member.content, self._feed)
        if not isinstance(found, Table):
            if isinstance(found, heading.NoTable):
                self.positions, self.guessed = found.positions, found.headers
            return self._refuse(found.reason, found.message)
        self._header_line, sent = found.layout.header_line or 1, found.layout.headers
        found, columns, sample = self._mapped(found)
        self.columns = columns
        self._describe(found, columns)
        refusal = self._fault(found, columns, sample)
        if refusal:
            return self._refuse(*refusal)
        remarks = Remarks(self._header_line, sent, columns, self._feed)
        self.books.warn(tuple(remarks.found()))
        return self._encoded(found, columns, rows)

    def _mapped(self, found: Table) -> tuple[Table, Columns, Sample]:
        """Map the columns by the first rows; a header narrower than its rows is made to fit."""
        rows, wide = _sample(found.records(self._limits))
        if len(wide) > max(len(rows), surplus.FEWEST - 1):
            columns = self._map(found, wide)
            layout = surplus.fitted(found.layout, columns, wide)
            if layout is None:
                self._why_wide = surplus.words(found.layout, wide)
            else:
                found = replace(found, layout=layout)
                rows, _ = _sample(found.records(self._limits))
        self.sample = rows or wide
        return found, self._map(found, rows), rows

    def _map(self, found: Table, rows: Sample) -> Columns:
        return mapping.map_columns(found.layout.headers, rows, self._feed, self._job.target)

    def _refuse(self, reason: str, text: str) -> Iterator[str]:
        self.reading = replace(self.reading, reason=reason, message=text)
        return iter(())

    def _describe(self, found: Table, columns: Columns) -> None:
        heading = Heading(columns.headers, columns.shown())
        self.reading = replace(
            self.reading,
            encoding=found.encoding.name,
            delimiter=found.layout.delimiter,
            quoting=found.layout.quoting,
            mapping=heading.mapping,
            unmapped=columns.leftover(),
            headers=columns.headers,
            fingerprint=drift.fingerprint(columns.headers),
            why=f"{found.encoding.why}; {found.layout.why}",
            drift=drift.since(self._job.known.before, heading),
        )

    def _fault(self, found: Table, columns: Columns, sample: Sample) -> tuple[str, str] | None:
        """Say why the file as a whole is refused."""
        if not columns.identified():
            return "no_identifier_column", mapping.no_identifier(columns, self._feed)
        feed = self._feed
        ignored = {*feed.exclude, *(name for names in feed.columns.values() for name in names)}
        implausible = plausible.judge(columns, sample, ignored, feed.min_price)
        if implausible is not None and implausible.reason not in feed.accept:
            accept = f'if it is right as it is, give the feed accept = ["{implausible.reason}"]'
            return implausible.reason, f"{implausible.message}; {accept}"
        why = self._unusable(found, columns)
        return None if why is None else ("no_usable_row", why)

    def _encoder(self, columns: Columns, dealership: int | None = None) -> Encoder:
        job = self._job
        plan = Plan(columns, self._feed, job.target, int(job.today[:4]))
        number = job.dealership_id if dealership is None else dealership
        known = replace(job.known, junk_vins=job.known.junk_at(dealership))
        return Encoder(plan, Place(self._file.index, number, known))

    def _unusable(self, found: Table, columns: Columns) -> str | None:
        """Say why no row can be used; the answer is nearly always in the first row."""
        encode, count, first = encode_with(self._encoder(columns), columns), 0, ""
        for record in found.records(self._limits):
            encoded = encode(record)
            if encoded is None:
                continue
            if encoded.rejection is None:
                return None
            count += 1
            first = first or _said(encoded.rejection)
        if not count:
            return "the file has a header line and no row below it; nothing was changed"
        why = self._why_wide and f"; {self._why_wide}"
        return f"none of the {count} rows can be used; the first: {first}{why}"

    def _encoded(self, found: Table, columns: Columns, rows: identity.Rows) -> Iterator[str]:
        encoder, index = self._encoder(columns), self._file.index
        own = self._feed.rooftops.column if self._feed.rooftops else None
        encode, witness = encode_with(encoder, columns), Witness(index, columns.headers, own)
        for record in self._records(found):
            encoded = encode(record)
            if encoded is None:
                self.books.count(record.kind)
                continue
            if encoded.rejection is None:
                rows.add(index, record.line, encoded[1:5], encoded.year)
                witness.row(record.cells)
            elif encoded.vin is None and encoded.stock_number is None:
                witness.nameless(record.line, record.cells)
            self.books.take(encoded)
            yield encoded.text
        self.evidence = witness.evidence(columns.fields, encoder.seen())
        self._close(encoder.keep(), columns, found.encoding)

    def _records(self, found: Table) -> Iterator[table.Record]:
        """Give the records, the last as cut off where the feed's files always end a line."""
        before, ends = self._job.known.before, True
        whole = bool(before) and all(heading.ends for heading in before)
        for record in found.records(self._limits, whole=whole):
            ends = record.ended
            yield record
        self.reading = replace(self.reading, ends=ends)

    def _close(self, keep: int, columns: Columns, encoding: decode.Encoding) -> None:
        blank = [name for name in columns.fields if keep & BITS[name]]
        self.books.warn([self._blank_column(columns, name) for name in blank])
        if encoding.strays:
            stray = Finding(encoding.stray_line, None, "stray_bytes", str(encoding.strays))
            self.books.warn([stray])
        self.reading = replace(self.reading, keep=keep, cut_off=encoding.cut)

    def _blank_column(self, columns: Columns, name: str) -> Finding:
        header = columns.headers[columns.fields[name][0]]
        return Finding(self._header_line, header, "blank_column", "")

    def named(self, finding: Finding, field: str) -> Finding:
        """Put the header of a field's first column into a finding."""
        headers = self.reading.mapping.get(field, (None,))
        return replace(finding, column=headers[0])

    def closed(self, rejected: int) -> FileReading:
        """Give the file's books; ``rejected`` of its rows were found to be nobody's."""
        return self.books.closed(self.reading, rejected)


def encode_with(encoder: Encoder, columns: Columns) -> Callable[[table.Record], Encoded | None]:
    """Give what encodes a record; ``None``: it is a header or blank."""
    shifted = plausible.row_is_shifted(columns)

    def encode(record: table.Record) -> Encoded | None:
        if record.kind == "row":
            if shifted(record.cells):
                return encoder.bad(record.line, record.cells, "shifted")
            return encoder.row(record.line, record.cells)
        if record.kind == "bad":
            return encoder.bad(record.line, record.cells, record.reason or "too_few_cells")
        return None

    return encode


def _said(finding: Finding) -> str:
    where = f", column {finding.column!r}" if finding.column else ""
    value = f" {finding.value[:60]!r}" if finding.value else ""
    return f"line {finding.line}{where}: {finding.reason}{value}"


def _sample(records: Iterable[table.Record]) -> tuple[Sample, Sample]:
    """Give the first rows, by which the file is judged, and those too wide for the header."""
    rows: list[tuple[str, ...]] = []
    wide: list[tuple[str, ...]] = []
    size = 0
    for record in records:
        if record.kind == "row":
            rows.append(record.cells)
        elif record.reason == "too_many_cells":
            wide.append(record.cells)
        else:
            continue
        size += sum(map(len, record.cells))
        if len(rows) + len(wide) >= SAMPLE_ROWS or size >= SAMPLE_SIZE:
            break
    return tuple(rows), tuple(wide)
