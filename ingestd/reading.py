"""PURE  The business logic: a delivery's bytes become files, a file's bytes become rows.

    open_delivery   bytes, feeds           → files, each with its feed or why not (``opening``)
    read            files of one feed      → COPY blocks, then one ``Finished``
    excerpt         findings               → the sender's own lines
    inspect         bytes                  → what would be understood of them

The same bytes give the same answer: no clock, no randomness, nothing outside.  Bad data are
values.  A file that is refused as a whole sends nothing: whether it has an identifier, and one
usable row, is known before the first block.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ingestd.config import Feed, Limits
from ingestd.feed import forecast, identity, mapping, quoting
from ingestd.feed.columns import Columns
from ingestd.feed.encode import own_target, rejection, stored
from ingestd.feed.evidence import dealer_column
from ingestd.feed.excerpt import pick
from ingestd.feed.inspection import READ, Inspection, Leftover, Sightings
from ingestd.feed.proposal import Draft, Guess, propose
from ingestd.groupfile import GroupReader, Share
from ingestd.mail.parts import Blocked, Member
from ingestd.model import Chunks, Excerpt, File, FileReading, Finding, Finished, Part, ReadJob
from ingestd.onefile import FileReader, Table, find_table
from ingestd.opening import open_delivery, open_members
from ingestd.rooftops import choices

__all__ = ["excerpt", "inspect", "open_delivery", "read"]

#: Characters of COPY text in a block.
BLOCK = 1 << 18
#: What ``inspect`` shows.
MOST_REJECTIONS = 100
MOST_SAMPLES = 5


def read(job: ReadJob, content: Chunks, feed: Feed, limits: Limits) -> Iterator[bytes | Finished]:
    """Read one delivery's files for one feed: COPY blocks (``Target.stage``), then ``Finished``."""
    members = open_members(job.kind, job.name, content, limits)
    if feed.rooftops is not None and feed.rooftops.map:
        yield from _read_group(job, members, feed, limits)
        return
    rows = identity.Rows()
    readers = []
    for file in job.files:
        reader = FileReader(file, job, feed, limits)
        readers.append(reader)
        yield from _blocks(reader.lines(_member(members, file), rows))
    yield _finished(readers, rows.resolve())


def _read_group(
    job: ReadJob, members: Sequence[Member | Blocked], feed: Feed, limits: Limits
) -> Iterator[bytes | Finished]:
    """Read the files of a group of dealerships: what is said of one touches no other."""
    assert feed.rooftops is not None
    lots = {number: identity.Rows() for number in choices(feed.rooftops)}
    readers = []
    for file in job.files:
        reader = GroupReader(file, job, feed, limits, feed.rooftops)
        readers.append(reader)
        yield from _blocks(reader.lines_of(_member(members, file), lots))
    yield _group_finished(readers, lots)


def _group_finished(readers: Sequence[GroupReader], lots: Mapping[int, identity.Rows]) -> Finished:
    parts = {
        number: _finished([reader.shares[number] for reader in readers], rows.resolve())
        for number, rows in lots.items()
    }
    files = tuple(
        reader.summed({number: part.files[at] for number, part in parts.items()})
        for at, reader in enumerate(readers)
    )
    return Finished(files, parts=tuple(_part(number, files, it) for number, it in parts.items()))


def _part(number: int, files: Sequence[FileReading], found: Finished) -> Part:
    """Give what is said of one dealership; a file that is cut off may have lost its rows too."""
    cut = (replace(it, cut_off=whole.cut_off) for it, whole in zip(found.files, files, strict=True))
    return Part(
        number,
        tuple(cut),
        found.duplicates,
        found.identities,
        found.rejected,
        found.evidence,
    )


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


def _finished(readers: Sequence[FileReader | Share], found: identity.Resolution) -> Finished:
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
        tuple(reader.evidence for reader in readers),
    )


_FIELD_AT_FAULT = {"vin_repeated": "vin", "ambiguous_stock_number": "stock_number"}


def excerpt(wanted: Excerpt, content: Chunks, feed: Feed | None, limits: Limits) -> Iterator[bytes]:
    """Give the header and the lines at fault, as the sender wrote them, in UTF-8.

    ``line`` and ``reason`` stand in front, with the file's own delimiter.
    """
    kind, name = wanted.arrival.kind, wanted.arrival.name
    members = open_members(kind, name, content, limits)
    member = _member(members, File(wanted.file, name, 0, None))
    found = None if isinstance(member, Blocked) else find_table(member.content, feed)
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
    for index, member in enumerate(open_members("cli", name, content, limits)):
        file = File(index, member.name, 0, asked.name)
        found.append(_inspected(member, _Asked(file, job, asked, limits)))
    return tuple(found)


class _Asked(NamedTuple):
    """A file that is inspected, and for which feed."""

    file: File
    job: ReadJob
    feed: Feed
    limits: Limits

    def read(
        self, member: Member | Blocked
    ) -> tuple[FileReader, Iterator[str], Callable[[], Finished]]:
        """Give its reader, its lines, and what closes the books when they were taken."""
        rooftops = self.feed.rooftops
        if rooftops is None or not rooftops.map:
            rows, reader = identity.Rows(), FileReader(*self)
            return reader, reader.lines(member, rows), lambda: _finished([reader], rows.resolve())
        lots = {number: identity.Rows() for number in choices(rooftops)}
        group = GroupReader(*self, rooftops)
        return group, group.lines_of(member, lots), lambda: _group_finished([group], lots)


def _inspected(member: Member | Blocked, asked: _Asked) -> Inspection:
    sample: list[Mapping[str, Any]] = []
    rejections: list[Finding] = []
    target, reasons = asked.job.target, Counter[str]()
    seen = Sightings(target)
    reader, lines, close = asked.read(member)
    for line in lines:
        refused = rejection(line)
        if refused is not None:
            reasons[refused.reason] += 1
            rejections.append(refused)
            del rejections[MOST_REJECTIONS:]
            continue
        seen.take(line)
        if len(sample) < MOST_SAMPLES:
            sample.append(stored(target, line))
    finished = close()
    told: list[Finished | Part] = [finished, *finished.parts]
    late = [finding for part in told for _, finding in part.rejected]
    reasons.update(finding.reason for finding in late)
    return replace(
        _understood(asked, reader, finished, seen),
        duplicates=sum(len(part.duplicates) for part in told),
        sample=tuple(sample),
        rejections=tuple((*rejections, *late)[:MOST_REJECTIONS]),
        reasons=dict(reasons),
    )


def _understood(
    asked: _Asked, reader: FileReader, finished: Finished, seen: Sightings
) -> Inspection:
    """Tell what was understood of a file, but for its rows."""
    reading, target = finished.files[0], asked.job.target
    columns = reader.columns or Columns((), {}, ())
    if reading.reason:
        seen.look(columns, reader.sample)
    suggestions = mapping.suggest(columns, target)
    leftover = seen.leftover(columns, suggestions)
    outlook = _outlook(asked.feed, reader, finished, seen)
    draft = _draft(reader, reading, outlook, leftover)
    found = Inspection(
        **{name: getattr(reading, name) for name in READ},
        file=reading.name,
        suggestions=suggestions,
        config=propose(replace(draft, rooftops=_map(asked.feed, outlook.dealers))),
        filled=dict(seen.filled),
        samples=seen.samples(),
        leftover=leftover,
        dealerships=tuple(
            {"id": part.dealership, "rows": part.files[0].rows} for part in finished.parts
        ),
    )
    return _foretold(found, outlook, asked.feed)


def _foretold(found: Inspection, outlook: forecast.Outlook, feed: Feed) -> Inspection:
    """Add what would become of the file; one that is refused shows no rows to tell it by."""
    held, hold_message = forecast.held(outlook, feed) or (None, "")
    return replace(
        found,
        held=held,
        hold_message=hold_message,
        lacking=dict(outlook.lacking),
        uninsertable=outlook.uninsertable,
        outlook=forecast.warnings(outlook, feed),
    )


def _outlook(
    feed: Feed, reader: FileReader, finished: Finished, seen: Sightings
) -> forecast.Outlook:
    """Say what the rows show; those of a group's file are judged by dealership, as its own."""
    columns = reader.columns or Columns((), {}, ())
    fields = {**columns.fields, **reader.guessed, **feed.defaults}
    named = columns.headers or reader.guessed
    counted: dict[int | None, FileReading] = {
        part.dealership: part.files[0] for part in finished.parts
    } or {None: finished.files[0]}
    at = dealer_column(columns.headers, feed.rooftops.column if feed.rooftops else None)
    return forecast.Outlook(
        counted={number: (it.rows + it.rejected, it.rejected) for number, it in counted.items()},
        lacking=seen.lacking,
        uninsertable=seen.uninsertable,
        absent=[name for name in seen.required if named and name not in fields],
        dealer=columns.headers[at] if at is not None else "",
        dealers=reader.evidence.dealer_ids,
    )


def _draft(
    reader: FileReader,
    reading: FileReading,
    outlook: forecast.Outlook,
    leftover: Sequence[Leftover],
) -> Draft:
    unknown = (found for found in reading.warnings_list if found.reason == "unknown_status")
    return Draft(
        reading.name,
        reading.rows,
        guesses=[Guess(left.header, left.likely, left.why) for left in leftover if left.likely],
        positions=reader.positions,
        words=tuple(dict.fromkeys(found.value for found in unknown)),
        reason=reading.reason,
        absent=outlook.absent,
        cents=reader.columns is not None and reader.columns.cents,
        headers=reader.guessed,
        dealer=outlook.dealer,
    )


def _map(feed: Feed, dealers: Sequence[str]) -> Mapping[str, int]:
    """Give the feed's own map of a group, else one to be filled in where there are several.

    Its ids are 0, which the configuration refuses: nobody's cars go to a guessed dealership.
    """
    if feed.rooftops is not None and feed.rooftops.map:
        return feed.rooftops.map
    return dict.fromkeys(dealers, 0) if len(dealers) > 1 else {}
