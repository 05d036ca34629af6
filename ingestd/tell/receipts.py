"""DOOR  The papers left beside a settled file: report.json and rejected.tsv.

Rules:
  * report.json is the object of design section 7.1 for one import; for several, or none,
    see ``report_json``.  It is bounded: a report lists at most 100 rejections.
  * rejected.tsv is the sender's own lines; it is streamed, never held whole.
  * A sender's file name is data: ``suffix`` lets through only what is harmless in a name.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias

from ingestd.model import Delivery, Paper
from ingestd.report import Report, Settlement

#: The rejected lines of one file as the sender wrote them, line number and reason in front.
Excerpt: TypeAlias = Callable[[Delivery, Report], AsyncIterator[bytes]]

_LONGEST_NAME = 60
_SHORTEST_NAME = 12
#: What is left of a file name's 255 bytes for the delivery's name and a file's: the rest is
#: for the time and id in front, a number, and ``.rejected.tsv``.
_NAME_BYTES = 198

#: What to tell people about a delivery in which no file was found.
_MESSAGES = {
    "no_table": "no table was found in it; send a tab- or comma-separated file, or a zip of such",
    "too_large": "it is larger than allowed; send it in parts or raise [limits] file_size",
    "archive_member_too_large": "a file in the archive is larger than allowed; send it by itself",
    "too_many_members": "the archive holds too many files; send only the inventory",
    "encrypted_archive": "the archive is encrypted; send it without a password",
    "unreadable_archive": "the archive is damaged; send it again",
    "internal_error": "it could not be read; the operator finds the cause in the log",
}


def papers(settlement: Settlement, excerpt: Excerpt) -> tuple[Paper, ...]:
    """Give a delivery's documents: one report, and an excerpt for each file with rejections."""

    async def whole() -> AsyncIterator[bytes]:
        text = json.dumps(report_json(settlement), indent=2, ensure_ascii=False)
        # A lone surrogate (a file name that is not UTF-8) comes out as JSON's own \udcXX.
        yield text.encode(errors="backslashreplace") + b"\n"

    names = _names(settlement)
    excerpted = tuple(
        Paper(f"{name}.rejected.tsv", partial(excerpt, settlement.delivery, report))
        for name, report in zip(names, settlement.reports, strict=True)
        if report.rejections
    )
    return (Paper(".report.json", whole), *excerpted)


def report_json(settlement: Settlement) -> dict[str, Any]:
    """Give what report.json holds.

    One import: its object.  Several: ``{delivery_id, file, outcome, reason, imports: [...]}``.
    None: the object of an import with ``import_id`` and ``counts`` null.
    """
    reports = settlement.reports
    if len(reports) == 1:
        return reports[0].as_json()
    if not reports:
        return _nothing(settlement).as_json()
    delivery = settlement.delivery
    return {
        "delivery_id": delivery.id,
        "file": delivery.arrival.name,
        "outcome": str(settlement.outcome),
        "reason": delivery.reason,
        "imports": [report.as_json() for report in reports],
    }


def _nothing(settlement: Settlement) -> Report:
    """Describe a delivery of which nothing was made, in the words of an import."""
    delivery, outcome = settlement.delivery, settlement.outcome
    told = _MESSAGES.get(delivery.reason or "", f"it was {outcome} as a whole")
    return Report(
        import_id=None,
        delivery_id=delivery.id,
        file=delivery.arrival.name,
        file_index=0,
        dealership_id=None,
        feed=delivery.arrival.hint,
        outcome=outcome,
        reason=delivery.reason,
        message=delivery.arrival.message or f"{delivery.arrival.name}: {told}",
        lines=None,
        counts=None,
        reading=None,
        rejections=(),
        started_at=delivery.arrival.first_seen,
        seconds=0.0,
    )


def _names(settlement: Settlement) -> list[str]:
    """Give what precedes ``.rejected.tsv``: nothing for one file, else each file's clean name.

    Numbers go in front where two names would be one, and stand alone where a long delivery
    name leaves no room (the papers' names begin with it).
    """
    reports = settlement.reports
    if len(reports) == 1:
        return [""]
    taken = len(settlement.delivery.arrival.name.encode(errors="surrogateescape"))
    room = min(_LONGEST_NAME, _NAME_BYTES - taken)
    if room < _SHORTEST_NAME:
        return [f".{number}" for number in range(1, len(reports) + 1)]
    names = [clean(report.file, room) for report in reports]
    if len({name.casefold() for name in names}) < len(names):
        names = [f"{number}-{name}" for number, name in enumerate(names, start=1)]
    return [f".{name}" for name in names]


def clean(name: str, longest: int = _LONGEST_NAME) -> str:
    """Give the harmless part of a sender's file name: ASCII, no separator, no leading dot."""
    last = re.split(r"[/\\]", name)[-1]
    harmless = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".-")
    return harmless[-longest:].lstrip(".-") or "file"
