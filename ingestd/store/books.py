"""DOOR  Reports into the ledger and out of it again, and what else it can tell.

A report is one row of ``ingest.imports`` with the first hundred of ``ingest.rejections``.
What was understood of the file travels as JSON (``reading``); text from outside is freed
of what PostgreSQL cannot hold before it goes in.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from ingestd.errors import Refused
from ingestd.model import (
    Arrival,
    Delivery,
    Drift,
    FileReading,
    Finding,
    Heading,
    Outcome,
    State,
)
from ingestd.phrasing import iso
from ingestd.report import Counts, Decision, Report
from ingestd.store.account import presentable
from ingestd.store.pool import Connection, Pool, Row

#: Rejections that a report carries; all of them are in the ledger.
INLINE = 100
_PAGE = 5000

_COUNTS = tuple(field.name for field in fields(Counts))

_INSERT = """
INSERT INTO ingest.imports (delivery_id, file_index, file, feed, dealership_id, outcome, reason,
  message, lines, header, blank, added, updated, unchanged, duplicate, rejected, deactivated,
  reactivated, held_deactivations, warnings, reading, started_at, seconds, dealerships)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
  $20, $21::jsonb, $22, $23, $24::jsonb)
ON CONFLICT (delivery_id, file_index) DO UPDATE SET feed = excluded.feed,
  dealership_id = excluded.dealership_id, outcome = excluded.outcome, reason = excluded.reason,
  message = excluded.message, lines = excluded.lines, header = excluded.header,
  blank = excluded.blank, added = excluded.added, updated = excluded.updated,
  unchanged = excluded.unchanged, duplicate = excluded.duplicate, rejected = excluded.rejected,
  deactivated = excluded.deactivated, reactivated = excluded.reactivated,
  held_deactivations = excluded.held_deactivations, warnings = excluded.warnings,
  reading = excluded.reading, started_at = excluded.started_at, seconds = excluded.seconds,
  dealerships = excluded.dealerships,
  decision = 'approved'
WHERE imports.decision = 'approve'
RETURNING id"""

_SELECT = "SELECT i.*, i.reading::text AS reading_text FROM ingest.imports i"

_INLINE_REJECTIONS = """
SELECT i.id, r.line, r.column_name, r.reason, r.value
FROM unnest($1::bigint[]) AS i(id)
CROSS JOIN LATERAL (SELECT * FROM ingest.rejections x WHERE x.import_id = i.id
                    ORDER BY x.line LIMIT $2) r
ORDER BY i.id, r.line"""

_REJECTIONS = """
SELECT line, column_name, reason, value FROM ingest.rejections
WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3"""

_HEADINGS = """
SELECT i.reading::text AS reading_text FROM ingest.imports i
WHERE i.delivery_id = (
    SELECT f.latest_delivery_id FROM ingest.feeds f
    WHERE f.feed = $1 AND f.dealership_id = ANY ($2::bigint[])
    ORDER BY f.latest_first_seen DESC, f.latest_delivery_id DESC LIMIT 1)
  AND i.feed = $1 AND i.outcome IN ('imported', 'unchanged') AND i.reading IS NOT NULL
ORDER BY i.file_index"""

_JUNK = """
SELECT n AS dealership_id, array_remove(array_agg(j.vin), NULL) AS vins
FROM unnest($1::bigint[]) AS n LEFT JOIN ingest.junk_vins j ON j.dealership_id = n GROUP BY n"""

#: Those of a delivery's feeds that have no report, each with an index that is free; where it is
#: of a single feed, or was never opened, none (a load reports all files of its feed).
_UNTOLD = """
SELECT f.feed, row_number() OVER (ORDER BY f.feed) - 1
  + coalesce((SELECT max(file_index) + 1 FROM ingest.imports WHERE delivery_id = $1), 0) AS index
FROM ingest.deliveries d
CROSS JOIN LATERAL unnest(coalesce(d.feeds, ARRAY[NULL::text])) AS f(feed)
WHERE d.id = $1 AND NOT EXISTS (
  SELECT FROM ingest.imports i
  WHERE i.delivery_id = d.id AND (f.feed IS NULL OR i.feed = f.feed))
ORDER BY f.feed"""

_DELIVERIES = """
SELECT id, source, kind, name, sender, subject, size, sha256, state, outcome, reason, attempts,
       first_seen, finished_at, settled_at
FROM ingest.deliveries
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR source = $2)
ORDER BY id DESC LIMIT $3"""


async def write_report(connection: Connection, report: Report) -> int:
    """Write a report's row, without its rejections, and give its number.

    Raises:
        Refused: the file was loaded for another feed, which stays so (``several_feeds``).
    """
    counts = report.counts
    reading = report.reading
    number = await connection.fetchval(
        _INSERT,
        report.delivery_id,
        report.file_index,
        presentable(report.file),
        report.feed,
        report.dealership_id,
        str(report.outcome),
        report.reason,
        presentable(report.message),
        report.lines,
        *(None if counts is None else getattr(counts, name) for name in _COUNTS),
        report.deactivated,
        report.reactivated,
        report.held_deactivations,
        0 if reading is None else reading.warnings,
        None if reading is None else json.dumps(_plain(asdict(reading))),
        report.started_at,
        report.seconds,
        json.dumps(report.shares()) if report.dealerships else None,
    )
    if number is None:
        raise Refused(
            "several_feeds",
            f"file {report.file_index} of delivery {report.delivery_id} was loaded for another feed"
            f" before the configuration gave it to {report.feed}; nothing was loaded: have it sent"
            " anew",
        )
    return int(number)


async def untold(connection: Connection, delivery_id: int) -> list[tuple[int, str | None]]:
    """Give the feeds of a delivery that have no report, each with a file's index that is free."""
    rows = await connection.fetch(_UNTOLD, delivery_id)
    return [(row["index"], row["feed"]) for row in rows]


async def reports(connection: Connection, condition: str, *values: object) -> tuple[Report, ...]:
    """Read the reports of all imports ``i`` that meet an SQL condition (with its order)."""
    rows = await connection.fetch(f"{_SELECT} WHERE {condition}", *values)
    numbers = [row["id"] for row in rows if row["rejected"] or row["outcome"] == "rejected"]
    found: dict[int, list[Finding]] = {}
    if numbers:
        for row in await connection.fetch(_INLINE_REJECTIONS, numbers, INLINE):
            found.setdefault(row["id"], []).append(finding(row))
    return tuple(_report(row, tuple(found.get(row["id"], ()))) for row in rows)


async def rejections(pool: Pool, import_id: int) -> AsyncIterator[Finding]:
    """Read every rejected line of an import, page by page, in the order of the file."""
    last = -1
    while True:
        async with pool.connection() as connection:
            rows = await connection.fetch(_REJECTIONS, import_id, last, _PAGE)
        for row in rows:
            yield finding(row)
        if len(rows) < _PAGE:
            return
        last = rows[-1]["line"]


async def deliveries(
    connection: Connection, number: int | None, source: str | None, limit: int
) -> tuple[dict[str, Any], ...]:
    """List deliveries, newest first, as JSON has them; ``number`` for just that one."""
    rows = await connection.fetch(_DELIVERIES, number, source, limit)
    return tuple({name: _told(value) for name, value in row.items()} for row in rows)


def _told(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


async def headings(
    connection: Connection, feed: str, dealerships: Sequence[int]
) -> tuple[Heading, ...]:
    """Give the headings of the files in the feed's last delivery that was applied to any."""
    rows = await connection.fetch(_HEADINGS, feed, list(dealerships))
    read = (_reading(json.loads(row["reading_text"])) for row in rows)
    return tuple(Heading(it.headers, it.mapping, it.ends is True) for it in read)


async def junk_vins(
    connection: Connection, dealerships: Sequence[int]
) -> dict[int, frozenset[str]]:
    """Give the VINs that were found to be dummies at each of some dealerships."""
    rows = await connection.fetch(_JUNK, list(dealerships))
    return {row["dealership_id"]: frozenset(row["vins"]) for row in rows}


def finding(row: Row) -> Finding:
    """Make a finding of a row with line, column_name, reason, value."""
    return Finding(row["line"], row["column_name"], row["reason"], row["value"] or "")


def delivery(row: Row) -> Delivery:
    """Make a delivery of a row of ``ingest.deliveries``."""
    names = [field.name for field in fields(Arrival) if field.name != "place"]
    return Delivery(
        id=row["id"],
        arrival=Arrival(**{name: row[name] for name in names}),
        state=State(row["state"]),
        attempts=row["attempts"],
        lost=row["lost"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        reason=row["reason"],
        copies=row.get("copies"),
    )


def _report(row: Row, found: tuple[Finding, ...]) -> Report:
    counted = row["header"] is not None
    text = row["reading_text"]
    return Report(
        import_id=row["id"],
        delivery_id=row["delivery_id"],
        file=row["file"],
        file_index=row["file_index"],
        dealership_id=row["dealership_id"],
        feed=row["feed"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        message=row["message"],
        lines=row["lines"],
        counts=Counts(**{name: row[name] for name in _COUNTS}) if counted else None,
        reading=None if text is None else _reading(json.loads(text)),
        rejections=found,
        started_at=row["started_at"],
        seconds=row["seconds"],
        deactivated=row["deactivated"],
        reactivated=row["reactivated"],
        held_deactivations=row["held_deactivations"],
        dealerships=_shares(row["dealerships"]),
        decided=_decision(row),
    )


def _decision(row: Row) -> Decision | None:
    if row["decision"] is None:
        return None
    return Decision(row["decision"], row["decided_by"], row["decided_at"])


def _shares(text: str | None) -> tuple[tuple[int, Counts], ...]:
    shares = () if text is None else json.loads(text)
    return tuple((share["id"], Counts(**share["counts"])) for share in shares)


def _reading(tree: dict[str, Any]) -> FileReading:
    known = {field.name for field in fields(FileReading)}
    values = {name: value for name, value in tree.items() if name in known}
    values["warnings_list"] = tuple(Finding(**item) for item in tree.get("warnings_list", ()))
    values["mapping"] = {name: tuple(headers) for name, headers in tree["mapping"].items()}
    for name in ("unmapped", "headers"):
        values[name] = tuple(tree.get(name, ()))
    values["drift"] = _drift(tree.get("drift", {}))
    return FileReading(**values)


def _drift(tree: dict[str, Any]) -> Drift:
    values = {name: tuple(items) for name, items in tree.items()}
    values["renamed"] = tuple((old, new) for old, new in tree.get("renamed", ()))
    return Drift(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return presentable(value)
    if isinstance(value, Mapping):
        return {presentable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value
