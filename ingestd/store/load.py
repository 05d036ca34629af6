"""DOOR  One delivery's files for one feed, in one transaction.

    lock the dealership -> is it in the ledger already? -> is it older than what was applied?
    -> COPY to the stage -> decide the fate of every line -> change what differs -> add what is
    new -> books -> COMMIT

Rules:
  * Nothing is visible before everything is; whatever fails leaves nothing.
  * The second call for the same delivery and feed finds the reports of the first.
  * Every line is accounted for, or nothing is committed.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingestd.config import Feed
from ingestd.errors import Clash, ReadFailed, TryAgain
from ingestd.model import Delivery, File, FileReading, Finding, Finished, Outcome, Reading, ReadJob
from ingestd.report import Report
from ingestd.store import account, books, guard
from ingestd.store.layout import Layout
from ingestd.store.pool import Connection, Pool
from ingestd.store.statements import Statements, build

#: From here on a load plans its statements for its own size, on fresh statistics.
_LARGE = 2000
#: First key of the advisory lock; the second is the dealership.
_LOCK = int.from_bytes(b"inge")

_LATEST = """
SELECT latest_first_seen AS first_seen, latest_delivery_id AS delivery_id,
       latest_import_id AS import_id
FROM ingest.feeds WHERE feed = $1 AND dealership_id = $2"""

_APPLIED = """
INSERT INTO ingest.feeds (feed, dealership_id, latest_first_seen, latest_delivery_id,
  latest_import_id, applied_at) VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (feed, dealership_id) DO UPDATE SET latest_first_seen = excluded.latest_first_seen,
  latest_delivery_id = excluded.latest_delivery_id, latest_import_id = excluded.latest_import_id,
  applied_at = excluded.applied_at"""

_LOCAL = {
    "jit": "off",  # costs more than it gains on statements of a second
    "work_mem": "32MB",
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be loaded: the arguments of ``load`` as one noun."""

    delivery: Delivery
    feed: Feed
    job: ReadJob
    reading: Reading
    dry_run: bool = False


class _DryRun(Exception):
    """Ends a transaction that is not to be committed."""


class Loader:
    """Loads into one table as ``layout`` describes it, ``settings`` set for each transaction."""

    def __init__(self, pool: Pool, layout: Layout, settings: dict[str, str]) -> None:
        """Build the statements once."""
        self._pool = pool
        self._target = layout.target
        self._statements = build(layout, drop=not pool.temporary_tables_stay)
        self._settings = {**_LOCAL, **settings}

    async def load(self, task: Task) -> tuple[Report, ...]:
        """Load; a second call for the same delivery and feed gives the first one's reports.

        Raises:
            Clash: another session was in the way; at once again.
            TryAgain: the database is away.  It may have happened: the next call knows.
            ReadFailed: the reader's stream is not what the table can take.
        """
        if task.job.target != self._target:
            raise TryAgain("the vehicles table has changed since the file was read")
        reports: tuple[Report, ...] = ()
        with contextlib.suppress(_DryRun):
            async with self._pool.transaction(self._settings) as connection:
                reports = await _Load(connection, self._statements, task).run()
                if task.dry_run:
                    raise _DryRun
        return reports


class _Load:
    """One load within its transaction."""

    def __init__(self, connection: Connection, statements: Statements, task: Task) -> None:
        self._connection = connection
        self._sql = statements
        self._task = task
        self._dealership = task.job.dealership_id
        self._began = time.monotonic()

    async def run(self) -> tuple[Report, ...]:
        connection, task = self._connection, self._task
        now: datetime = await connection.fetchval("SELECT now()")
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, self._dealership)
        if not task.dry_run:
            # No other instance claims what is being loaded, however long it takes.
            await connection.execute(
                "SELECT FROM ingest.deliveries WHERE id = $1 FOR NO KEY UPDATE", task.delivery.id
            )
            done = await self._done()
            if done:
                return done
            latest = await self._latest()
            if guard.is_older(task.delivery, latest):
                return await self._supersede(latest, now)
        finished = await self._stage()
        tallies = await self._apply(finished) if account.any_read(finished) else {}
        return await self._record(finished, tallies, now)

    # The books, before.

    async def _done(self) -> tuple[Report, ...]:
        condition = "i.delivery_id = $1 AND i.feed = $2 ORDER BY i.file_index"
        return await books.reports(
            self._connection, condition, self._task.delivery.id, self._task.feed.name
        )

    async def _latest(self) -> guard.Applied | None:
        row = await self._connection.fetchrow(_LATEST, self._task.feed.name, self._dealership)
        return None if row is None else guard.Applied(**dict(row))

    async def _supersede(self, latest: guard.Applied | None, now: datetime) -> tuple[Report, ...]:
        assert latest is not None
        message = (
            f"delivery {latest.delivery_id} of this feed is newer and was applied already;"
            " an older one never lands on it"
        )
        reports = [
            replace(
                self._report(file, None, now),
                outcome=Outcome.SUPERSEDED,
                reason="newer_applied",
                message=message,
            )
            for file in self._task.job.files
        ]
        return tuple([await self._write(report) for report in reports])

    # The stage.

    async def _stage(self) -> Finished:
        """Copy the reading's blocks into the stage as they come, and give its last word."""
        last: list[Finished] = []

        async def blocks() -> AsyncIterator[bytes]:
            async for item in self._task.reading:
                if isinstance(item, Finished):
                    last.append(item)
                else:
                    yield item

        await self._connection.execute(self._sql.create)
        await self._connection.copy_to_table(
            self._sql.stage,
            schema_name="pg_temp",
            source=blocks(),
            columns=self._sql.stage_columns,
            format="text",
        )
        if len(last) != 1:
            raise ReadFailed("the reader ended without saying what it had read")
        return last[0]

    # The merge.

    async def _apply(self, finished: Finished) -> dict[int, account.Tally]:
        unmatched = await self._decide(finished)
        connection, sql = self._connection, self._sql
        number = self._task.delivery.id
        changed = _rows(await connection.execute(sql.lock_changed, self._dealership))
        if changed:
            updated = _rows(await connection.execute(sql.update, self._dealership))
            if updated != changed:
                raise Clash(f"{changed} vehicles were to be changed, {updated} could be")
            await connection.execute(sql.off, self._dealership, number)
        extras = await connection.fetch(sql.extras)
        if unmatched:
            await connection.execute(sql.insert, self._dealership, number)
        twins = await connection.fetch(sql.twins, self._dealership, number) if sql.twins else []
        await connection.execute(sql.on_again, self._dealership)
        if finished.identities or finished.rejected:
            await connection.execute(sql.junk, self._dealership)
        besides = {row["file_no"]: (0, row["extras"]) for row in extras}
        for row in twins:
            besides[row["file_no"]] = (row["twins"], besides.get(row["file_no"], (0, 0))[1])
        return await self._tallies(finished, besides)

    async def _decide(self, finished: Finished) -> bool:
        """Settle every line's fate: duplicate, rejected, a stored vehicle, or a new one.

        False: every line means a vehicle that has its VIN, so that there is nothing to add.
        """
        connection, sql = self._connection, self._sql
        large = sum(reading.rows for reading in finished.files) > _LARGE
        if large:
            await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            await connection.execute(sql.analyze_stage)
        await connection.execute(sql.decide, self._dealership, *account.decided(finished))
        if large:
            await connection.execute(sql.analyze_fate)
        survey = await connection.fetchrow(sql.survey)
        assert survey is not None
        if survey["vins"] != survey["distinct_vins"]:
            raise ReadFailed("the reader gave one VIN on two rows without saying which counts")
        if survey["respelt"]:
            await connection.execute(sql.respell)
        if survey["unmatched"]:
            await self._decide_unmatched(finished)
        return bool(survey["unmatched"])

    async def _decide_unmatched(self, finished: Finished) -> None:
        connection, sql = self._connection, self._sql
        touched = 0
        for statement in (*sql.foreign_vins, sql.match_stock):
            touched += _rows(await connection.execute(statement, self._dealership))
        for statement in sql.missing:
            touched += _rows(await connection.execute(statement))
        if touched:
            await connection.execute(sql.name_columns, *account.headers(finished))

    async def _tallies(
        self, finished: Finished, besides: Mapping[int, tuple[int, int]]
    ) -> dict[int, account.Tally]:
        """Count each file's lines; ``besides`` are its twins switched off and extras kept."""
        counted = await self._connection.fetch(self._sql.count)
        rows = {row["file_no"]: dict(row) for row in counted}
        if rows.keys() - {reading.file for reading in finished.files if not reading.reason}:
            raise ReadFailed("the reader sent rows of a file that it refused or did not name")
        tallies = {}
        for reading in finished.files:
            if reading.reason is None:
                besides_it = besides.get(reading.file, (0, 0))
                tally = account.tally(reading, rows.get(reading.file), besides_it)
                fault = guard.imbalance(reading, tally.counts, tally.unread)
                if fault is not None:
                    raise ReadFailed(f"{reading.name}: nothing was loaded: {fault}")
                tallies[reading.file] = tally
        return tallies

    # The books, after.

    async def _record(
        self, finished: Finished, tallies: dict[int, account.Tally], now: datetime
    ) -> tuple[Report, ...]:
        files = {file.index: file for file in self._task.job.files}
        found = await self._findings() if tallies else {}
        reports = []
        for reading in finished.files:
            report = self._report(files[reading.file], reading, now)
            tally = tallies.get(reading.file)
            reports.append(account.outcome(report, reading, tally, found.get(reading.file, ())))
        seconds = time.monotonic() - self._began
        timed = [replace(report, seconds=seconds) for report in reports]
        if self._task.dry_run:
            return tuple(timed)
        written = [await self._write(report) for report in timed]
        if tallies:
            await self._keep(written)
        return tuple(written)

    async def _findings(self) -> dict[int, tuple[Finding, ...]]:
        found: dict[int, list[Finding]] = {}
        for row in await self._connection.fetch(self._sql.findings, books.INLINE):
            found.setdefault(row["file_no"], []).append(books.finding(row))
        return {file: tuple(findings) for file, findings in found.items()}

    async def _write(self, report: Report) -> Report:
        return replace(report, import_id=await books.write_report(self._connection, report))

    async def _keep(self, written: Sequence[Report]) -> None:
        """Keep every rejected line, and this delivery as the feed's latest."""
        arrival = self._task.delivery.arrival
        numbers = [report.import_id for report in written]
        if any(report.rejections for report in written):
            indexes = [report.file_index for report in written]
            await self._connection.execute(self._sql.keep_findings, indexes, numbers)
        await self._connection.execute(
            _APPLIED,
            self._task.feed.name,
            self._dealership,
            arrival.first_seen,
            self._task.delivery.id,
            numbers[-1],
        )

    def _report(self, file: File, reading: FileReading | None, now: datetime) -> Report:
        return Report(
            import_id=None,
            delivery_id=None if self._task.dry_run else self._task.delivery.id,
            file=file.name,
            file_index=file.index,
            dealership_id=self._dealership,
            feed=self._task.feed.name,
            outcome=Outcome.REJECTED,
            reason=None,
            message="",
            lines=None,
            counts=None,
            reading=reading,
            rejections=(),
            started_at=now,
            seconds=time.monotonic() - self._began,
        )


def _rows(tag: str) -> int:
    """Read the number of rows off a command tag such as ``UPDATE 3``."""
    return int(tag.rpartition(" ")[2])
