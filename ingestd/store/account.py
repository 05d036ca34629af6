"""PURE  A reading's last word as SQL takes it, and the counts that come back as reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ingestd.model import FileReading, Finding, Finished, Outcome
from ingestd.report import Counts, Report
from ingestd.store import guard

_LOADED = (Outcome.IMPORTED, Outcome.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of one file's lines."""

    counts: Counts
    unread: int = 0
    deactivated: int = 0
    reactivated: int = 0
    extras: int = 0


def presentable(text: str) -> str:
    """Free text from outside of NUL and lone surrogates, which PostgreSQL refuses."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def any_read(finished: Finished) -> bool:
    """Say whether at least one file was not refused as a whole."""
    return any(reading.reason is None for reading in finished.files)


def decided(finished: Finished) -> tuple[list[object], ...]:
    """Give the reader's decisions as arrays: keep masks, duplicates, identities, rejections."""
    files, duplicates, identities = finished.files, finished.duplicates, finished.identities
    rejected = finished.rejected
    return (
        [reading.file for reading in files],
        [reading.keep for reading in files],
        [duplicate.file for duplicate in duplicates],
        [duplicate.line for duplicate in duplicates],
        [identity.file for identity in identities],
        [identity.line for identity in identities],
        [identity.vin for identity in identities],
        [identity.stock_number for identity in identities],
        [identity.make for identity in identities],
        [identity.model for identity in identities],
        [identity.year for identity in identities],
        [file for file, _ in rejected],
        [finding.line for _, finding in rejected],
        [finding.reason for _, finding in rejected],
        [None if f.column is None else presentable(f.column) for _, f in rejected],
        [presentable(finding.value) for _, finding in rejected],
    )


def headers(finished: Finished) -> tuple[list[int], list[str], list[str]]:
    """Give (file, field, the sender's first header for it) as arrays."""
    named = [
        (reading.file, field, theirs[0])
        for reading in finished.files
        for field, theirs in reading.mapping.items()
        if theirs
    ]
    return (
        [file for file, _, _ in named],
        [field for _, field, _ in named],
        [presentable(header) for _, _, header in named],
    )


def tally(reading: FileReading, row: Mapping[str, Any] | None, besides: tuple[int, int]) -> Tally:
    """Make a tally of a row of counts (None: no row came); ``besides``: twins, extras."""
    counts = Counts(header=reading.header, blank=reading.blank)
    if row is None:  # not one row of it came
        return Tally(counts)
    counts = replace(
        counts,
        added=row["added"],
        updated=row["updated"],
        unchanged=row["matched"] - row["updated"],
        duplicate=row["duplicate"],
        rejected=row["rejected"],
    )
    twins, extras = besides
    return Tally(counts, row["unread"], row["deactivated"] + twins, row["reactivated"], extras)


def outcome(
    report: Report,
    reading: FileReading,
    tally: Tally | None,
    found: tuple[Finding, ...],
) -> Report:
    """Complete a report by what was counted; without a tally the file was refused.

    ``unchanged`` means that nothing had to be written, extras included.
    """
    if tally is None:
        return replace(report, reason=reading.reason, message=reading.message)
    counts = tally.counts
    wrote = counts.added or counts.updated or tally.deactivated or tally.extras
    return replace(
        report,
        outcome=Outcome.IMPORTED if wrote else Outcome.UNCHANGED,
        lines=reading.lines,
        counts=counts,
        rejections=found,
        deactivated=tally.deactivated,
        reactivated=tally.reactivated,
        message=reading.message,
    )


def useless(tallies: Mapping[int, Tally]) -> frozenset[int]:
    """Give the files of which not one row counts: all were rejected, or stand for such."""
    used = {number for number, it in tallies.items() if _used(it.counts)}
    return frozenset(
        number
        for number, it in tallies.items()
        if number not in used
        and (it.counts.rejected or it.counts.duplicate)
        and not (used and it.counts.duplicate)
    )


def _used(counts: Counts) -> bool:
    return bool(counts.added or counts.updated or counts.unchanged)


def unusable(report: Report) -> Report:
    """Give the report of a file of which no row could be used: it was not loaded."""
    counts = report.counts
    assert counts is not None
    said = "the row that counts of each was rejected"
    if report.rejections:
        first = report.rejections[0]
        where = f", column {first.column!r}" if first.column else ""
        value = f" {first.value[:60]!r}" if first.value else ""
        said = f"the first: line {first.line}{where}: {first.reason}{value}"
    number = counts.rejected + counts.duplicate
    return replace(
        report,
        outcome=Outcome.REJECTED,
        reason="no_usable_row",
        message=f"none of the {number} rows can be used; {said}",
        lines=None,
        counts=None,
    )


def judged(report: Report, verdict: guard.Verdict, gone: int | None) -> Report:
    """Complete a report by the guard's verdict.

    ``gone``: vehicles switched off since no row listed them; ``None``: another report tells it,
    and of the deactivations that are held.
    """
    if verdict.reason is not None:
        message = verdict.message
        if report.outcome is Outcome.REJECTED:
            message += f"; of this file nothing can be read: {report.message}"
        held = replace(report, outcome=Outcome.HELD, reason=verdict.reason, message=message)
        return replace(held, deactivated=0, reactivated=0)
    if gone is None or not (gone or verdict.lost):
        return report
    return replace(
        report,
        outcome=Outcome.IMPORTED,
        deactivated=report.deactivated + gone,
        held_deactivations=verdict.lost,
        message="; ".join(filter(None, (report.message, verdict.message))),
    )


def suspended(finished: Finished, nameless: frozenset[int]) -> tuple[FileReading, ...]:
    """Give the readings, with the warning why no miss is counted where that is so."""
    found = guard.suspension(finished, nameless)
    if found is None:
        return finished.files
    number, warning = found
    return tuple(
        replace(
            reading,
            warnings=reading.warnings + 1,
            warnings_list=(warning, *reading.warnings_list),
        )
        if reading.file == number
        else reading
        for reading in finished.files
    )


def twice(
    readings: Sequence[FileReading], found: Sequence[Mapping[str, Any]]
) -> tuple[FileReading, ...]:
    """Add the warnings on rows whose VIN two stored vehicles have.

    ``found`` has file_no, line and vin of the first ones of each file, and how many there are
    of that file (``rows``).
    """
    return tuple(_with_twice(reading, found) for reading in readings)


def _with_twice(reading: FileReading, found: Sequence[Mapping[str, Any]]) -> FileReading:
    mine = [row for row in found if row["file_no"] == reading.file]
    column = next(iter(reading.mapping.get("vin", ())), None)
    warnings = [Finding(row["line"], column, "vin_stored_twice", row["vin"]) for row in mine]
    return replace(
        reading,
        warnings=reading.warnings + (mine[0]["rows"] if mine else 0),
        warnings_list=(*reading.warnings_list, *warnings),
    )


def applied(reports: Sequence[Report]) -> bool:
    """Say whether any of a feed's files in a delivery was loaded."""
    return any(report.outcome in _LOADED for report in reports)


def approved(before: Report | None, now: Report) -> Report:
    """Give the report of a file that was approved; ``before`` is the one that it rewrites.

    Of a file that was loaded already, and whose rows are as they were, the first counts stay:
    only what was deactivated is new.
    """
    if before is None:
        return now
    now = _decided(before, now)
    if before.outcome not in _LOADED or before.counts is None:
        return now
    first, second = before.counts, now.counts
    both = replace(
        now,
        deactivated=before.deactivated + now.deactivated,
        reactivated=before.reactivated + now.reactivated,
    )
    wrote = second is None or second.added or second.updated
    if wrote or before.rejections != now.rejections:
        return both
    both = replace(both, counts=first, lines=before.lines, dealerships=before.dealerships)
    return replace(both, outcome=_worse(before, both))


def _decided(before: Report, now: Report) -> Report:
    """Say who approved it, and what it was held for."""
    decided = before.decided and replace(before.decided, what="approved")
    if not before.holds:  # another file of the delivery was held
        return replace(now, decided=decided)
    told = ": ".join(filter(None, (before.reason, before.message)))
    if not told.startswith(_APPROVED):  # its rows were, and now its deactivations are
        told = f"{_APPROVED}{told}"
    return replace(now, decided=decided, message="; ".join(filter(None, (told, now.message))))


_APPROVED = "approved; it was held: "


def _worse(before: Report, now: Report) -> Outcome:
    return Outcome.IMPORTED if Outcome.IMPORTED in (before.outcome, now.outcome) else now.outcome


def superseded(latest: int, mode: Literal["full", "delta"]) -> tuple[str, str]:
    """Give the reason why a delivery older than the ``latest`` is not loaded, and the sentence."""
    if mode == "full":
        return "newer_applied", (
            f"delivery {latest} of this feed is newer and was applied already;"
            " an older one never lands on it"
        )
    return "late_changes", (
        f"these changes came when delivery {latest}, which is newer, had been applied;"
        " they are lost: have the whole lot, or these changes, sent anew"
    )
