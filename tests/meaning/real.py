"""The real thing: bytes through the real reader into the real store, without processes."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import asyncpg

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.model import Arrival, Delivery, Reading, ReadJob, State
from ingestd.report import Report
from ingestd.store.postgres import PostgresStore
from ingestd.vehicle import Target
from tests.meaning.nouns import COLUMNS, Agreement, Sent, Sheet, Told
from tests.meaning.sending import CONFIGURED, HEADERS, content

_LIMITS = Limits()
_SHOWN = f"SELECT id, dealership_id, {', '.join(COLUMNS)}, is_active FROM vehicles ORDER BY id"
#: What the ledger would do in several transactions each.
_TAKE = """
INSERT INTO ingest.deliveries (source, kind, key, name, sha256, size, first_seen, lane, taken_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'here') RETURNING id"""
_CLOSE = """
UPDATE ingest.deliveries SET state = 'done', outcome = 'imported', finished_at = now()
WHERE id = $1"""
_TABLES = """
SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
WHERE schemaname = 'ingest' AND tablename <> 'schema_files'"""


def configured(feed: Agreement) -> Feed:
    """The feed as the configuration has it."""
    options: dict[str, Any] = {
        "name": feed.name,
        "dealership": feed.dealership,
        "mode": feed.mode,
        "folder": ("drop",),
        "blank": feed.blank,
        "missing": feed.missing,
        "missing_after": feed.missing_after,
        "vin_conflict": feed.vin_conflict,
        "columns": CONFIGURED,
    }
    if feed.rooftops:
        options["rooftops"] = {"column": HEADERS["rooftop"], "map": feed.rooftops}
    return Feed.model_validate(options)


class Real:
    """The store, and a superuser who looks at the table and edits it as a person would."""

    def __init__(
        self, store: PostgresStore, admin: "asyncpg.Connection[Any]", *, briefly: bool = False
    ) -> None:
        """``briefly``: deliveries go into the ledger and out of it by one statement each."""
        self.store, self.admin, self.briefly = store, admin, briefly
        self._keys = count(1)
        self._tables: str | None = None
        self._target: Target | None = None

    async def dealership(self, name: str) -> int:
        return await self.store.add_dealership(name)

    async def forget(self) -> None:
        """Empty the table and the books."""
        if self._tables is None:
            self._tables = await self.admin.fetchval(_TABLES)
        await self.admin.execute(f"TRUNCATE vehicles, {self._tables} RESTART IDENTITY CASCADE")

    async def take(
        self, feed: Agreement, sheets: tuple[Sheet, ...], at: datetime
    ) -> tuple[Delivery, bytes]:
        """Take a delivery into the ledger, first seen ``at``."""
        name, data = content(sheets)
        sha256 = hashlib.sha256(data).hexdigest()
        key = f"story/{next(self._keys)}"
        arrival = Arrival("drop", "folder", key, name, sha256, len(data), at, lane=feed.name)
        if not self.briefly:
            return await self.store.take(arrival), data
        values = (arrival.source, arrival.kind, key, name, sha256, len(data), at, arrival.lane)
        number = await self.admin.fetchval(_TAKE, *values)
        return Delivery(number, arrival, State.RECEIVED, 0), data

    async def load(self, feed: Agreement, taken: Delivery, data: bytes) -> tuple[Report, ...]:
        """Read and load a delivery; what cannot be a table is in no report."""
        real = configured(feed)
        arrival = taken.arrival

        def chunks():
            return iter((data,))

        files = reading.open_delivery(arrival, chunks, (real,), _LIMITS).files
        good = tuple(file for file in files if file.reason is None)
        store = self.store
        target = self._target = self._target or await store.target()
        known = await store.known(feed.dealership, feed.name)
        today = arrival.first_seen.date().isoformat()
        job = ReadJob(
            arrival.sha256, "folder", arrival.name, good, feed.dealership, today, target, known
        )

        async def items() -> Reading:
            for item in reading.read(job, chunks, real, _LIMITS):
                yield item

        return await store.load(taken, real, job, items())

    async def deliver(self, feed: Agreement, sheets: tuple[Sheet, ...], at: datetime) -> Told:
        """Take, load and close a delivery."""
        taken, data = await self.take(feed, sheets, at)
        reports = await self.load(feed, taken, data)
        if self.briefly:
            await self.admin.execute(_CLOSE, taken.id)
        else:
            await self.store.finish(taken, ())
        return told(reports)

    async def sent(self, feed: Agreement, sent: Sent) -> Told:
        return await self.deliver(feed, sent.sheets, sent.at)

    async def shown(self) -> list[tuple[object, ...]]:
        """The rows of the table in the order in which they were made, without their ids."""
        return [
            tuple(int(value) if name == "price" and value else value for name, value in row.items())
            for row in await self._rows()
        ]

    async def _rows(self) -> Iterable[dict[str, Any]]:
        rows = await self.admin.fetch(_SHOWN)
        return [{name: value for name, value in row.items() if name != "id"} for row in rows]

    async def add(self, dealership: int, **fields: Any) -> int:
        """Put a vehicle there, as somebody else would."""
        row = {"dealership_id": dealership, "make": "Kia", "model": "Rio", "year": 2024, **fields}
        places = ", ".join(f"${place + 1}" for place in range(len(row)))
        number: int = await self.admin.fetchval(
            f"INSERT INTO vehicles ({', '.join(row)}) VALUES ({places}) RETURNING id",
            *row.values(),
        )
        return number

    async def edit(self, at: int, **fields: Any) -> None:
        """Change the vehicle at a place of the table; without fields delete it."""
        row = (await self.admin.fetch("SELECT id FROM vehicles ORDER BY id"))[at]
        if not fields:
            await self.admin.execute("DELETE FROM vehicles WHERE id = $1", row["id"])
        for name, value in fields.items():
            text = f"UPDATE vehicles SET {name} = $2 WHERE id = $1"
            await self.admin.execute(text, row["id"], value)


def told(reports: tuple[Report, ...]) -> Told:
    """Bring the files' reports to what the oracle tells of a delivery."""
    counts: Counter[str] = Counter()
    for report in reports:
        if report.counts is not None:
            assert report.outcome == "held" or report.counts.total() == report.lines
            names = ("added", "updated", "unchanged", "duplicate", "rejected")
            counts.update({name: getattr(report.counts, name) for name in names})
    return Told(
        outcomes=tuple(str(report.outcome) for report in reports),
        reason=next((report.reason for report in reports if report.reason), None),
        counts=+counts,
        rejected=frozenset(
            (report.file_index, found.line, found.reason)
            for report in reports
            for found in report.rejections
        ),
        deactivated=sum(report.deactivated for report in reports),
        reactivated=sum(report.reactivated for report in reports),
        held_deactivations=max((report.held_deactivations for report in reports), default=0),
    )


def same(real: Told, model: Told) -> bool:
    """Whether both tell the same; the model has lines besides, and its own words for a hold."""
    return replace(real, reason=None) == replace(model, reason=None, lines={})
