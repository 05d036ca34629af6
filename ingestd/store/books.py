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
from ingestd.report import Counts, Report
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

_STATES = "SELECT state, count(*) AS deliveries FROM ingest.deliveries GROUP BY state"

_LEASES = """
SELECT name, owner, lease_until > clock_timestamp() AS held,
       ceil(extract(epoch FROM abs_age))::int AS seconds
FROM (SELECT *, greatest(lease_until - clock_timestamp(),
                         clock_timestamp() - lease_until) AS abs_age FROM ingest.leases) l
ORDER BY name"""

_FEEDS = """
SELECT DISTINCT ON (i.feed, i.dealership_id) i.feed, i.dealership_id, i.id, i.outcome, i.reason,
       i.started_at, f.latest_delivery_id, f.applied_at
FROM ingest.imports i
LEFT JOIN ingest.feeds f ON f.feed = i.feed
     AND (f.dealership_id = i.dealership_id OR i.dealership_id IS NULL)
WHERE i.feed IS NOT NULL
ORDER BY i.feed, i.dealership_id, i.id DESC, f.latest_first_seen DESC NULLS LAST"""


_HEADINGS = """
SELECT i.reading::text AS reading_text
FROM ingest.imports i JOIN ingest.feeds f ON f.latest_delivery_id = i.delivery_id
WHERE f.feed = $1 AND f.dealership_id = $2 AND i.feed = $1
  AND i.outcome IN ('imported', 'unchanged') AND i.reading IS NOT NULL
ORDER BY i.file_index"""

_DELIVERIES = """
SELECT id, source, kind, name, sender, subject, size, sha256, state, outcome, reason, attempts,
       first_seen, finished_at, settled_at
FROM ingest.deliveries
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR source = $2)
ORDER BY id DESC LIMIT $3"""


async def write_report(connection: Connection, report: Report) -> int:
    """Write a report's row, without its rejections, and give its number."""
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
    return int(number)


async def reports(connection: Connection, condition: str, *values: object) -> tuple[Report, ...]:
    """Read the reports of all imports ``i`` that meet an SQL condition (with its order)."""
    rows = await connection.fetch(f"{_SELECT} WHERE {condition}", *values)
    numbers = [row["id"] for row in rows if row["rejected"]]
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
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


async def headings(connection: Connection, feed: str, dealership_id: int) -> tuple[Heading, ...]:
    """Give the headings of the files in the feed's last delivery that was applied."""
    rows = await connection.fetch(_HEADINGS, feed, dealership_id)
    read = (_reading(json.loads(row["reading_text"])) for row in rows)
    return tuple(Heading(reading.headers, reading.mapping) for reading in read)


async def last_successes(connection: Connection) -> dict[str, float]:
    """Give, for each feed, when it was last applied, as Unix time."""
    rows = await connection.fetch(
        "SELECT feed, extract(epoch FROM max(applied_at))::float8 AS at"
        " FROM ingest.feeds GROUP BY feed"
    )
    return {row["feed"]: row["at"] for row in rows}


async def held(connection: Connection) -> dict[str, int]:
    """Count, for each feed, the imports that wait for a decision."""
    rows = await connection.fetch(
        "SELECT feed, count(*) AS imports FROM ingest.imports WHERE outcome = 'held' GROUP BY feed"
    )
    return {row["feed"]: row["imports"] for row in rows if row["feed"] is not None}


async def status(connection: Connection) -> dict[str, Any]:
    """Tell, as JSON has it, what waits, who watches, and what each feed did last."""
    states = {row["state"]: row["deliveries"] for row in await connection.fetch(_STATES)}
    return {
        "deliveries": {str(state): states[state] for state in State if state in states},
        "leases": [
            {
                "name": row["name"],
                "owner": row["owner"],
                "state": f"for {row['seconds']} s yet"
                if row["held"]
                else f"until {row['seconds']} s ago",
                "held": row["held"],
            }
            for row in await connection.fetch(_LEASES)
        ],
        "feeds": [_feed_status(row) for row in await connection.fetch(_FEEDS)],
    }


def _feed_status(row: Row) -> dict[str, Any]:
    applied = row["applied_at"]
    return {
        "feed": row["feed"],
        "dealership_id": row["dealership_id"],
        "import_id": row["id"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "at": f"{row['started_at']:%Y-%m-%dT%H:%M:%SZ}",
        "applied_delivery_id": row["latest_delivery_id"],
        "applied_at": None if applied is None else f"{applied:%Y-%m-%dT%H:%M:%SZ}",
    }


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
    )


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
