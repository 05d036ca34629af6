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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ingestd.config import Feed, Limits
from ingestd.feed import identity, mapping, quoting
from ingestd.feed.columns import Columns
from ingestd.feed.encode import own_target, rejection, stored
from ingestd.feed.excerpt import pick
from ingestd.feed.inspection import READ, Inspection, Leftover, Sightings
from ingestd.feed.proposal import Draft, Guess, propose
from ingestd.groupfile import GroupReader, Share
from ingestd.mail.parts import Blocked, Member
from ingestd.model import Chunks, Excerpt, File, FileReading, Finding, Finished, Part, ReadJob
from ingestd.onefile import FileReader, Table, find_table
from ingestd.opening import open_delivery, open_members
from ingestd.rooftops import choices
from ingestd.vehicle import Target

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
        found.append(_inspected(member, FileReader(file, job, asked, limits)))
    return tuple(found)


def _inspected(member: Member | Blocked, reader: FileReader) -> Inspection:
    sample: list[Mapping[str, Any]] = []
    rejections: list[Finding] = []
    rows, target = identity.Rows(), own_target()
    reasons: Counter[str] = Counter()
    seen = Sightings(target)
    for line in reader.lines(member, rows):
        refused = rejection(line)
        if refused is not None:
            reasons[refused.reason] += 1
            rejections.append(refused)
            del rejections[MOST_REJECTIONS:]
            continue
        seen.take(line)
        if len(sample) < MOST_SAMPLES:
            sample.append(stored(target, line))
    finished = _finished([reader], rows.resolve())
    rejections += [finding for _, finding in finished.rejected]
    reasons.update(finding.reason for _, finding in finished.rejected)
    return replace(
        _understood(reader, finished.files[0], seen, target),
        duplicates=len(finished.duplicates),
        sample=tuple(sample),
        rejections=tuple(rejections[:MOST_REJECTIONS]),
        reasons=dict(reasons),
    )


def _understood(
    reader: FileReader, reading: FileReading, seen: Sightings, target: Target
) -> Inspection:
    """Tell what was understood of a file, but for its rows."""
    columns = reader.columns or Columns((), {}, ())
    if reading.reason:
        seen.look(columns, reader.sample)
    suggestions = mapping.suggest(columns, target)
    leftover = seen.leftover(columns, suggestions)
    return Inspection(
        **{name: getattr(reading, name) for name in READ},
        file=reading.name,
        suggestions=suggestions,
        config=propose(_draft(reader, reading, columns, leftover)),
        filled=dict(seen.filled),
        samples=seen.samples(),
        leftover=leftover,
    )


def _draft(
    reader: FileReader, reading: FileReading, columns: Columns, leftover: Sequence[Leftover]
) -> Draft:
    unknown = (found for found in reading.warnings_list if found.reason == "unknown_status")
    return Draft(
        reading.name,
        reading.rows,
        guesses=[Guess(left.header, left.likely, left.why) for left in leftover if left.likely],
        positions=reader.positions,
        words=tuple(dict.fromkeys(found.value for found in unknown)),
        reason=reading.reason,
        make="make" in columns.fields or not columns.headers,
        cents=columns.cents,
    )
