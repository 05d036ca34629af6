"""PURE  What became of a file and of a delivery, as it is told: the last of the nouns.

A ``Report`` is the one noun behind ``import --json``, the receipt and the ledger.

A message says why, and what will happen by itself; the ledger keeps it so.  What can be done about
what is held depends on what came since: it is made (``advice``) when it is told.
"""

from dataclasses import asdict, astuple, dataclass
from datetime import datetime, timedelta
from operator import add
from typing import Any

from ingestd.model import Delivery, Drift, File, FileReading, Finding, Outcome, worst
from ingestd.phrasing import counted, iso

#: Warnings that a report shows one by one; their number is in it in any case.
_LISTED = 100
_CUT_OFF = "the file is cut off: have it sent anew rather than approve it"


@dataclass(frozen=True, slots=True)
class Counts:
    """Line outcomes of one file (I5: they add up to ``lines``)."""

    header: int = 0
    blank: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0

    def total(self) -> int:
        """All lines accounted for."""
        return sum(astuple(self))

    def __add__(self, other: "Counts") -> "Counts":
        """Count the lines of both."""
        return Counts(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decided: approve (it is yet to be loaded), approved or denied.

    ``by``: the name on that machine; None, as ``at``: it was not written down.
    """

    what: str
    by: str | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        """Give ``approved by anna at 2026-11-23 06:00:00 UTC``."""
        what = "to be approved" if self.what == "approve" else self.what
        by = f" by {self.by}" if self.by else ""
        at = f" at {self.at:%Y-%m-%d %H:%M:%S} UTC" if self.at else ""
        return f"{what}{by}{at}"

    def as_json(self) -> dict[str, str | None]:
        """Give ``what``, ``by`` and ``at``."""
        return {"what": self.what, "by": self.by, "at": iso(self.at)}


@dataclass(frozen=True, slots=True)
class Held:
    """What waits for a decision, of one feed: files as a whole, and vehicles not switched off."""

    imports: int = 0
    vehicles: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one file: the noun behind ``import --json``, the receipt and the ledger."""

    import_id: int | None
    delivery_id: int | None
    file: str
    file_index: int
    dealership_id: int | None
    feed: str | None
    outcome: Outcome
    reason: str | None
    message: str
    lines: int | None
    counts: Counts | None
    reading: FileReading | None
    rejections: tuple[Finding, ...]  # at most 100
    started_at: datetime
    seconds: float
    deactivated: int = 0
    reactivated: int = 0
    held_deactivations: int = 0
    dealerships: tuple[tuple[int, Counts], ...] = ()  # of a group file
    decided: Decision | None = None

    @property
    def holds(self) -> bool:
        """Say whether all of it is held, or the deactivations that it brought."""
        return self.outcome is Outcome.HELD or self.held_deactivations > 0

    def told(self) -> str:
        """Give the sentence as people read it: why, and what is to be done."""
        nothing = "nothing was changed" if self.outcome is Outcome.HELD else ""
        return "; ".join(filter(None, (self.message, nothing, self.advice())))

    def advice(self) -> str:
        """Say what can be done about what is held; nothing where nothing is, or it is decided."""
        yet = self.decided is not None and self.decided.what == "approve"
        if self.import_id is None or not self.holds or yet:
            return ""
        return advice(self.import_id, whole=self.outcome is Outcome.HELD, cut_off=self.cut_off)

    @property
    def cut_off(self) -> bool:
        """Say whether the file ends in the middle of a row."""
        return self.reading is not None and self.reading.cut_off

    def switched(self) -> tuple[str, ...]:
        """Give ``12 deactivated``, ``3 reactivated``, ``36 deactivations held``, if not zero."""
        all_ = (
            (self.deactivated, f"{self.deactivated} deactivated"),
            (self.reactivated, f"{self.reactivated} reactivated"),
            (self.held_deactivations, f"{counted(self.held_deactivations, 'deactivation')} held"),
        )
        return tuple(told for number, told in all_ if number)

    def as_json(self) -> dict[str, Any]:
        """Give the object of design section 7.1.  Keys may be added, never renamed."""
        reading = self.reading or FileReading(file=self.file_index, name=self.file)
        return {
            "import_id": self.import_id,
            "delivery_id": self.delivery_id,
            "file": self.file,
            "dealership_id": self.dealership_id,
            "feed": self.feed,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "message": self.told(),
            "lines": self.lines,
            "counts": None if self.counts is None else asdict(self.counts),
            **({"dealerships": self.shares()} if self.dealerships else {}),
            "deactivated": self.deactivated,
            "reactivated": self.reactivated,
            "held_deactivations": self.held_deactivations,
            **({"decided": self.decided.as_json()} if self.decided else {}),
            "warnings": reading.warnings,
            "encoding": reading.encoding,
            "delimiter": reading.delimiter,
            "quoting": reading.quoting,
            "mapping": {name: list(headers) for name, headers in reading.mapping.items()},
            "unmapped": list(reading.unmapped),
            **({"drift": _drift_json(reading.drift)} if reading.drift else {}),
            "warnings_list": [finding_json(f) for f in reading.warnings_list[:_LISTED]],
            "rejections": [finding_json(finding) for finding in self.rejections],
            "started_at": iso(self.started_at),
            "seconds": round(self.seconds, 3),
        }

    def shares(self) -> list[dict[str, Any]]:
        """Give the counts of each dealership of a group file, as JSON has them."""
        return [{"id": number, "counts": asdict(it)} for number, it in self.dealerships]


def advice(import_id: int, *, whole: bool, cut_off: bool) -> str:
    """Say what can be done of an import that is held, or (not ``whole``) its deactivations are.

    What is held of a file that is cut off is not for approval: a whole one mends it.
    """
    does = "loads it all the same, `deny` does not" if whole else "says that they are gone"
    told = f"`ingestd imports approve {import_id}` {does}"
    return f"{told}; {_CUT_OFF}" if cut_off else told


def refusal(
    delivery_id: int | None, file: File, now: datetime, outcome: Outcome = Outcome.REJECTED
) -> Report:
    """Give the report of a file of which nothing was read, or nothing could be."""
    return Report(
        import_id=None,
        delivery_id=delivery_id,
        file=file.name,
        file_index=file.index,
        dealership_id=None,
        feed=file.feed,
        outcome=outcome,
        reason=file.reason or "internal_error",
        message=file.message,
        lines=None,
        counts=None,
        reading=None,
        rejections=(),
        started_at=now,
        seconds=0.0,
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    """Give a rejection or warning as JSON shows it."""
    return {
        "line": finding.line,
        "column": finding.column,
        "reason": finding.reason,
        "value": finding.value,
    }


def _drift_json(drift: Drift) -> dict[str, Any]:
    """Give what changed in the headers; nothing where nothing did."""
    told = {
        "added": list(drift.added),
        "gone": list(drift.gone),
        "renamed": [list(pair) for pair in drift.renamed],
        "lost": list(drift.lost),
        "gained": list(drift.gained),
    }
    return {name: items for name, items in told.items() if items}


@dataclass(frozen=True, slots=True)
class Settlement:
    """A delivery that is done but whose source has not been told yet."""

    delivery: Delivery
    reports: tuple[Report, ...]

    @property
    def outcome(self) -> Outcome:
        """Give what became of it: what the ledger says, else the worst of its imports'."""
        return self.delivery.outcome or worst(tuple(report.outcome for report in self.reports))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a dealer is owed: word of one feed's files in a mail.

    ``attempts`` counts the one that is being made, ``age`` the time since it came to be owed.
    """

    delivery: Delivery
    feed: str
    reports: tuple[Report, ...]
    queued_at: datetime
    age: timedelta
    attempts: int


@dataclass(frozen=True, slots=True)
class Lines:
    """The rejected lines of one import, as the sender wrote them; not ``whole`` where cut."""

    import_id: int
    content: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One thing tried by ``check``: what was found, or what to do about it."""

    name: str
    message: str
    well: bool
