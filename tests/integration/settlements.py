"""Settled deliveries, made up as the ledger would give them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from ingestd.model import Arrival, Delivery, FileReading, Finding, Outcome, State, worst
from ingestd.report import Counts, Report, Settlement

STARTED = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)
COUNTS = Counts(header=1, added=198, rejected=2)
REJECTIONS = (
    Finding(90, "VIN", "no_identifier", "TBD"),
    Finding(153, "Model", "model_missing", ""),
)


def report(
    file: str = "lot.tsv",
    outcome: Outcome = Outcome.IMPORTED,
    feed: str | None = "sample",
    counts: Counts | None = COUNTS,
    rejections: tuple[Finding, ...] = REJECTIONS,
) -> Report:
    return Report(
        import_id=12,
        delivery_id=9,
        file=file,
        file_index=0,
        dealership_id=1,
        feed=feed,
        outcome=outcome,
        reason=None,
        message="",
        lines=None if counts is None else counts.total(),
        counts=counts,
        reading=FileReading(file=0, name=file, mapping={"vin": ("VIN",)}, encoding="utf-8"),
        rejections=rejections,
        started_at=STARTED,
        seconds=0.21,
    )


def refused(reason: str = "no_header", file: str = "notes.txt") -> Report:
    message = "no header was recognised"
    made = report(file, Outcome.REJECTED, None, None, ())
    return replace(made, import_id=None, reason=reason, message=message, reading=None)


def settlement(
    *reports: Report,
    name: str = "lot.tsv",
    source: str = "drop",
    kind: Literal["folder", "mail", "cli"] = "folder",
    reason: str | None = None,
) -> Settlement:
    arrival = Arrival(source, kind, f"working/{name}", name, "ab" * 32, 4096, STARTED)
    outcome = worst(tuple(made.outcome for made in reports))
    return Settlement(Delivery(9, arrival, State.DONE, 1, outcome, reason), reports)
