"""PURE  What keeps a delivery from being loaded, judged from values alone.

Two rules so far: an older delivery never lands on a newer one of its feed, and no line
of a file may go missing between the reader and the table.
"""

from dataclasses import dataclass
from datetime import datetime

from ingestd.model import Delivery, FileReading
from ingestd.report import Counts


@dataclass(frozen=True, slots=True)
class Applied:
    """The latest delivery that a feed applied: its order key, and what became of it."""

    first_seen: datetime
    delivery_id: int
    import_id: int


def is_older(delivery: Delivery, latest: Applied | None) -> bool:
    """Say whether ``delivery`` was first seen before the one already applied."""
    if latest is None:
        return False
    order = (delivery.arrival.first_seen, delivery.id)
    return order < (latest.first_seen, latest.delivery_id)


def imbalance(reading: FileReading, counts: Counts, unread: int) -> str | None:
    """Say how the lines of a file fail to add up; None if each is accounted for.

    ``unread`` counts the lines that the reader itself rejected.
    """
    if counts.total() != reading.lines:
        return f"{reading.lines} lines were read, {counts.total()} are accounted for: {counts}"
    if unread != reading.rejected:
        return f"the reader rejected {reading.rejected} lines, {unread} of them arrived"
    return None
