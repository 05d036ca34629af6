"""PURE  The business logic: a delivery's bytes become files, a file's bytes become rows.

    open_delivery   bytes, feeds           → files, each with its feed or the reason why not
    read            files of one feed      → COPY blocks, then one ``Finished``
    excerpt         findings               → the sender's own lines
    inspect         bytes                  → what would be understood of them

The same bytes give the same answer: no clock, no randomness, nothing outside.  Bad data are
values.  A file that is refused as a whole sends nothing: whether it has an identifier, and one
usable row, is known before the first block.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingestd.config import Feed, Limits
from ingestd.feed import decode, identity, mapping, quoting, route, table
from ingestd.feed.books import Books
from ingestd.feed.cells import Plan
from ingestd.feed.columns import Columns
from ingestd.feed.encode import BITS, Encoded, Encoder, Place, own_target, rejection, stored
from ingestd.feed.excerpt import pick
from ingestd.feed.inspection import Inspection, propose
from ingestd.mail import archive, message
from ingestd.mail.parts import Blocked, Member
from ingestd.model import (
    Arrival,
    Chunks,
    Excerpt,
    File,
    FileReading,
    Finding,
    Finished,
    ReadJob,
)

#: Characters of COPY text in a block.
BLOCK = 1 << 18
#: Rows, and characters of them, by which ambiguous headers are judged.
SAMPLE_ROWS = 500
SAMPLE_SIZE = 1 << 21
#: What ``inspect`` shows.
MOST_REJECTIONS = 100
MOST_SAMPLES = 5


def open_delivery(
    arrival: Arrival, content: Chunks, feeds: Sequence[Feed], limits: Limits
) -> tuple[File, ...]:
    """List the files of a delivery, each with its feed or the reason why it has none.

    A file that is no table gets a feed all the same: ``read`` says what is wrong with it.
    """
    members = open_members(arrival.name, content, limits)
    return tuple(_file(index, member, arrival, feeds) for index, member in enumerate(members))


def open_members(name: str, content: Chunks, limits: Limits) -> tuple[Member | Blocked, ...]:
    """Take a delivery apart: a zip, a gzip, a mail message, or a plain file; never nothing."""
    kind = archive.kind_of(next(iter(content()), b""), name)
    if kind == "eml":
        parts = message.attachments(content, name, limits)
        found = tuple(inner for part in parts for inner in _unpacked(part, limits))
    else:
        found = archive.members(content, kind, name, limits)
    nothing = f"{name!r} holds no file that could be an inventory; send it as TSV or CSV"
    return found or (Blocked(name, "no_table", nothing),)


def _unpacked(part: Member | Blocked, limits: Limits) -> tuple[Member | Blocked, ...]:
    """Open an attachment that is an archive."""
    if isinstance(part, Blocked):
        return (part,)
    kind = archive.kind_of(next(iter(part.content()), b""), part.name)
    packed = kind in ("zip", "gzip")
    return archive.members(part.content, kind, part.name, limits) if packed else (part,)


def _file(index: int, member: Member | Blocked, arrival: Arrival, feeds: Sequence[Feed]) -> File:
    routed = route.route(member.name, arrival.name, arrival.source, arrival.hint, feeds)
    if isinstance(member, Blocked):
        return File(index, member.name, 0, routed.feed, member.reason, member.message)
    return File(index, member.name, member.size, routed.feed, routed.reason, routed.message)


def read(job: ReadJob, content: Chunks, feed: Feed, limits: Limits) -> Iterator[bytes | Finished]:
    """Read one delivery's files for one feed: COPY blocks (``Target.stage``), then ``Finished``."""
    members = open_members(job.name, content, limits)
    rows = identity.Rows()
    readers = []
    for file in job.files:
        reader = _FileReader(file, job, feed, limits)
        readers.append(reader)
        yield from _blocks(reader.lines(_member(members, file), rows))
    yield _finished(readers, rows.resolve())


def _member(members: Sequence[Member | Blocked], file: File) -> Member | Blocked:
    if file.index < len(members):
        return members[file.index]
    return Blocked(file.name, "no_table", "the delivery does not hold this file")


def _blocks(lines: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= BLOCK:
            yield "".join(held).encode()
            held, size = [], 0
    if held:
        yield "".join(held).encode()


@dataclass(frozen=True, slots=True)
class Table:
    """A file in which a table was found."""

    texts: quoting.Texts
    encoding: str
    layout: table.Layout

    def records(self, limits: Limits) -> Iterator[table.Record]:
        """Give every record of the file, from the beginning."""
        return table.records(self.texts, self.layout, limits.row_size, limits.columns)


def _table(content: Chunks, feed: Feed | None) -> Table | decode.Unreadable | table.NoTable:
    """Find encoding and table; headers that the feed configures are known ones too."""
    encoding = decode.detect(content)
    if isinstance(encoding, decode.Unreadable):
        return encoding
    own = feed.columns.values() if feed else ()
    configured = {mapping.normalise(name) for names in own for name in names}

    def texts() -> Iterator[str]:
        return decode.text(content, encoding)

    def known(header: str) -> bool:
        return mapping.known(header) or mapping.normalise(header) in configured

    layout = table.detect(texts, known)
    return layout if isinstance(layout, table.NoTable) else Table(texts, encoding.name, layout)


class _FileReader:
    """Reads one file and keeps its books."""

    def __init__(self, file: File, job: ReadJob, feed: Feed, limits: Limits) -> None:
        self.reading = FileReading(file.index, file.name)
        self.columns: Columns | None = None
        self._file, self._job, self._feed, self._limits = file, job, feed, limits
        self.books = Books()
        self._header_line = 0

    def lines(self, member: Member | Blocked, rows: identity.Rows) -> Iterator[str]:
        """Give the file's lines for the stage; none if the file as a whole is refused."""
        if isinstance(member, Blocked):
            return self._refuse(member.reason, member.message)
        found = _table(member.content, self._feed)
        if not isinstance(found, Table):
            return self._refuse(found.reason, found.message)
        self._header_line = found.layout.header_line
        sample = tuple(_sample(found.records(self._limits)))
        columns = mapping.map_columns(found.layout.headers, sample, self._feed, self._job.target)
        self.columns = columns
        self._describe(found, columns)
        if not columns.identified():
            return self._refuse("no_identifier_column", mapping.no_identifier(columns, self._feed))
        if (why := self._unusable(found, columns)) is not None:
            return self._refuse("no_usable_row", why)
        return self._encoded(found, columns, rows)

    def _refuse(self, reason: str, text: str) -> Iterator[str]:
        self.reading = replace(self.reading, reason=reason, message=text)
        return iter(())

    def _describe(self, found: Table, columns: Columns) -> None:
        self.reading = replace(
            self.reading,
            encoding=found.encoding,
            delimiter=found.layout.delimiter,
            quoting=found.layout.quoting,
            mapping=columns.shown(),
            unmapped=columns.leftover(),
            headers=columns.headers,
        )

    def _encoder(self, columns: Columns) -> Encoder:
        job = self._job
        plan = Plan(columns, self._feed, job.target, int(job.today[:4]))
        return Encoder(plan, Place(self._file.index, job.dealership_id, job.known))

    def _unusable(self, found: Table, columns: Columns) -> str | None:
        """Say why no row can be used; the answer is nearly always in the first row."""
        encoder, count, first = self._encoder(columns), 0, ""
        for record in found.records(self._limits):
            encoded = _encode(encoder, record)
            if encoded is None:
                continue
            if encoded.rejection is None:
                return None
            count += 1
            first = first or _said(encoded.rejection)
        if not count:
            return "the file has a header line and no row below it; nothing was changed"
        return f"none of the {count} rows can be used; the first: {first}"

    def _encoded(self, found: Table, columns: Columns, rows: identity.Rows) -> Iterator[str]:
        encoder, index = self._encoder(columns), self._file.index
        for record in found.records(self._limits):
            encoded = _encode(encoder, record)
            if encoded is None:
                self.books.count(record.kind)
                continue
            if encoded.rejection is None:
                rows.add(index, record.line, encoded[1:5], encoded.year)
            self.books.take(encoded)
            yield encoded.text
        self._close(encoder, columns)

    def _close(self, encoder: Encoder, columns: Columns) -> None:
        keep = encoder.keep()
        blank = [name for name in columns.fields if keep & BITS[name]]
        self.books.warn([self._blank_column(columns, name) for name in blank])
        self.reading = replace(self.reading, keep=keep)

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


def _encode(encoder: Encoder, record: table.Record) -> Encoded | None:
    """Encode a record; ``None``: it is a header or blank."""
    if record.kind == "row":
        return encoder.row(record.line, record.cells)
    if record.kind == "bad":
        return encoder.bad(record.line, record.cells, record.reason or "too_few_cells")
    return None


def _said(finding: Finding) -> str:
    where = f", column {finding.column!r}" if finding.column else ""
    value = f" {finding.value[:60]!r}" if finding.value else ""
    return f"line {finding.line}{where}: {finding.reason}{value}"


def _sample(records: Iterable[table.Record]) -> Iterator[tuple[str, ...]]:
    """Give the first rows, by which the meaning of ambiguous headers is decided."""
    size = count = 0
    for record in records:
        if record.kind != "row":
            continue
        yield record.cells
        count += 1
        size += sum(map(len, record.cells))
        if count >= SAMPLE_ROWS or size >= SAMPLE_SIZE:
            return


def _finished(readers: Sequence[_FileReader], found: identity.Resolution) -> Finished:
    """Close the books, now that it is known which rows are one vehicle."""
    by_file = {reader.reading.file: reader for reader in readers}
    rejected = tuple(
        (file, by_file[file].named(finding, _FIELD_AT_FAULT[finding.reason]))
        for file, finding in found.rejected
    )
    gone = {(file, finding.line) for file, finding in rejected}
    for vin, places in found.repeated:
        for file, line in places:
            if (file, line) not in gone:
                finding = Finding(line, None, "vin_repeated", vin)
                by_file[file].books.warn([by_file[file].named(finding, "vin")])
    counts = Counter(file for file, _ in rejected)
    return Finished(
        tuple(reader.closed(counts[reader.reading.file]) for reader in readers),
        found.duplicates,
        found.identities,
        rejected,
    )


_FIELD_AT_FAULT = {"vin_repeated": "vin", "ambiguous_stock_number": "stock_number"}


def excerpt(wanted: Excerpt, content: Chunks, feed: Feed | None, limits: Limits) -> Iterator[bytes]:
    """Give the header and the lines at fault, as the sender wrote them, in UTF-8.

    ``line`` and ``reason`` stand in front, with the file's own delimiter.
    """
    name = wanted.arrival.name
    member = _member(open_members(name, content, limits), File(wanted.file, name, 0, None))
    found = None if isinstance(member, Blocked) else _table(member.content, feed)
    if not isinstance(found, Table):
        return
    mark = found.layout.delimiter
    reasons = dict(reversed(wanted.reasons))
    fronts = {line: f"{line}{mark}{reason}{mark}" for line, reason in reasons.items()}
    fronts[found.layout.header_line] = f"line{mark}reason{mark}"
    longest = {
        record.line: record.raw_lines
        for record in found.records(limits)
        if record.raw_lines > 1 and record.line in fronts
    }
    lines = quoting.lines(found.texts, found.layout.newline, limits.row_size)
    yield from _blocks(pick(lines, fronts, longest))


def inspect(
    content: Chunks, name: str, feed: Feed | None, today: str, limits: Limits
) -> tuple[Inspection, ...]:
    """Show what would be understood of each file in a delivery; no database is needed."""
    asked = feed or Feed(name="inspect", dealership=0, mode="full")
    job = ReadJob("", "cli", name, (), 0, today, own_target())
    found = []
    for index, member in enumerate(open_members(name, content, limits)):
        file = File(index, member.name, 0, asked.name)
        found.append(_inspected(member, _FileReader(file, job, asked, limits)))
    return tuple(found)


def _inspected(member: Member | Blocked, reader: _FileReader) -> Inspection:
    sample: list[Mapping[str, Any]] = []
    rejections: list[Finding] = []
    rows = identity.Rows()
    for line in reader.lines(member, rows):
        refused = rejection(line)
        if refused is not None:
            rejections.append(refused)
            del rejections[MOST_REJECTIONS:]
        elif len(sample) < MOST_SAMPLES:
            sample.append(stored(own_target(), line))
    finished = _finished([reader], rows.resolve())
    rejections += [finding for _, finding in finished.rejected]
    reading, columns = finished.files[0], reader.columns
    suggestions = mapping.suggest(columns, own_target()) if columns else ()
    return Inspection(
        file=reading.name,
        reason=reading.reason,
        message=reading.message,
        lines=reading.lines,
        header=reading.header,
        blank=reading.blank,
        rows=reading.rows,
        duplicates=len(finished.duplicates),
        rejected=reading.rejected,
        warnings=reading.warnings,
        encoding=reading.encoding,
        delimiter=reading.delimiter,
        quoting=reading.quoting,
        mapping=reading.mapping,
        unmapped=reading.unmapped,
        suggestions=suggestions,
        sample=tuple(sample),
        rejections=tuple(rejections[:MOST_REJECTIONS]),
        warnings_list=reading.warnings_list,
        config=propose(reading.name, columns, suggestions),
    )
