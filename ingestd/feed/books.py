"""PURE  The books of one file: every line is counted once, as header, blank, row or rejected."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ingestd.feed.encode import Encoded
from ingestd.model import FileReading, Finding

#: Warnings that are kept one by one; all are counted.
MOST_WARNINGS = 1000


class Books:
    """Counts lines and warnings as they come."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[str] = Counter()
        self._warnings: list[Finding] = []
        self._cut_off = False

    def count(self, kind: Literal["row", "header", "blank", "bad"]) -> None:
        """Count a line that is no record."""
        self._counts[kind] += 1

    def take(self, encoded: Encoded) -> None:
        """Count a record, and its warnings."""
        if encoded.rejection is None:
            self._counts["row"] += 1
            if encoded.warnings:
                self.warn(encoded.warnings)
        else:
            self._counts["rejected"] += 1
            self._cut_off |= encoded.rejection.reason == "cut_off"

    def warn(self, findings: Sequence[Finding]) -> None:
        """Count warnings, and keep the first thousand."""
        self._counts["warnings"] += len(findings)
        self._warnings.extend(findings[: MOST_WARNINGS - len(self._warnings)])

    def closed(self, reading: FileReading, rejected: int) -> FileReading:
        """Fill in the counts; ``rejected`` of the rows were found to be nobody's.

        Of a file that is refused as a whole nothing was sent, and nothing counts.
        """
        if reading.reason is not None:
            return reading
        counts = self._counts
        return replace(
            reading,
            lines=sum(counts[kind] for kind in ("header", "blank", "row", "rejected")),
            header=counts["header"],
            blank=counts["blank"],
            rows=counts["row"] - rejected,
            rejected=counts["rejected"] + rejected,
            warnings=counts["warnings"],
            warnings_list=tuple(self._warnings),
            cut_off=self._cut_off or reading.cut_off,
        )
