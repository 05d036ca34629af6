"""PURE  A reading's last word as SQL takes it, and the counts that come back as reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingestd.model import FileReading, Finding, Finished, Outcome
from ingestd.report import Counts, Report


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
