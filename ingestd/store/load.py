"""DOOR  One delivery's files for one feed, in one transaction.

    lock the dealership -> is it in the ledger already? -> is it older than what was applied?
    -> COPY to the stage -> decide the fate of every line -> is it plausible? -> change what
    differs -> add what is new -> listings, deactivations -> books -> COMMIT

Rules:
  * Nothing is visible before everything is; whatever fails leaves nothing.
  * The second call for the same delivery and feed finds the reports of the first.
  * Every line is accounted for, or nothing is committed.
  * What is held is tried out in full and taken back, to tell what it would have done.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from ingestd.config import Feed
from ingestd.errors import Clash, OlderFirst, OutOfTurn, ReadFailed, TryAgain
from ingestd.model import Delivery, File, FileReading, Finished, Outcome, Reading, ReadJob
from ingestd.report import Report
from ingestd.rooftops import choices
from ingestd.store import account, books, decisions, guard
from ingestd.store.deciding import Deciding
from ingestd.store.layout import Layout
from ingestd.store.listing import Listing, Whose
from ingestd.store.moving import Claim, Moving, Others, rows
from ingestd.store.pool import Connection, Late, Pool
from ingestd.store.statements import Statements, build

#: In a value of ``[target.settings]``: the dealership whose vehicles are loaded.
_OWN = "{dealership}"
_LOCAL = {
    "jit": "off",  # costs more than it gains on statements of a second
    "work_mem": "32MB",
}
_LATE = "{what}; database.statement_timeout is {limit:g} seconds: raise it, or find what is slow"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be loaded: the arguments of ``load`` as one noun, and what the ledger adds.

    ``approved``: an operator wants its rows as they are; ``gone``: and what it lost switched
    off; ``older_waits``: older ones of its feed wait.
    """

    delivery: Delivery
    feed: Feed
    job: ReadJob
    reading: Reading
    dry_run: bool = False
    approved: bool = False
    gone: bool = False
    older_waits: bool = False


class _DryRun(Exception):
    """Ends a transaction that is not to be committed."""


class TakenBack(Exception):
    """Ends a savepoint: what was held was only tried out."""


class Done(NamedTuple):
    """What reports tell: the verdict, each file's tally, and how many vehicles are gone."""

    verdict: guard.Verdict = guard.Verdict()
    tallies: Mapping[int, account.Tally] = MappingProxyType({})
    gone: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What was judged of a delivery, and done: ``gone`` vehicles were switched off."""

    facts: guard.Facts
    verdict: guard.Verdict
    tallies: dict[int, account.Tally] = field(default_factory=dict)
    gone: int = 0

    def useless(self) -> bool:
        """Say whether not one row can be used: then nothing is done, unless all of it is held."""
        counted = self.facts.counted
        return self.verdict.reason is None and counted.rows > 0 and not counted.vehicles


class Loader:
    """Loads into one table as ``layout`` describes it, ``settings`` set for each transaction."""

    def __init__(
        self, pool: Pool, layout: Layout, settings: dict[str, str], deltas: tuple[str, ...] = ()
    ) -> None:
        """Build the statements once.  ``deltas``: the feeds that are not full."""
        self._pool = pool
        self._target = layout.target
        self.statements = build(layout, drop=not pool.temporary_tables_stay)
        self.others = Others(deltas)
        self._settings = {**_LOCAL, **settings}

    async def load(self, task: Task) -> tuple[Report, ...]:
        """Load; a second call for the same delivery and feed gives the first one's reports.

        Raises:
            Clash: another session was in the way; at once again (Taken: unless it stays so).
            TryAgain: the database is away.  It may have happened: the next call knows.
            ReadFailed: the reader's stream is not what the table can take, or not in time.
            Refused: a file was loaded for another feed.
        """
        if task.job.target != self._target:
            raise TryAgain("the vehicles table has changed since the file was read")
        reports: tuple[Report, ...] = ()
        with contextlib.suppress(_DryRun), _in_time(self._pool.statement_timeout):
            settings = self.local(task.job.dealership_id)
            async with self._pool.transaction(settings) as connection:
                reports = await self.run(connection, task)
                if task.dry_run:
                    raise _DryRun
        return reports

    async def run(self, connection: Connection, task: Task) -> tuple[Report, ...]:
        """Load within a transaction."""
        return await Load(connection, self.statements, task, self.others).run()

    def local(self, dealership: int) -> dict[str, str]:
        """Give the settings of a load; ``{dealership}`` in a value stands for its id."""
        number = str(dealership)
        return {key: value.replace(_OWN, number) for key, value in self._settings.items()}


@contextlib.contextmanager
def _in_time(limit: float) -> Iterator[None]:
    """Count a statement that is too slow for its limit as a strike, as a parser that is so."""
    try:
        yield
    except Late as error:
        raise ReadFailed(_LATE.format(what=error, limit=limit)) from error


class Load:
    """One load within its transaction."""

    def __init__(
        self, connection: Connection, statements: Statements, task: Task, others: Others
    ) -> None:
        self._connection = connection
        self.statements = statements
        self.task = task
        self._dealership = task.job.dealership_id
        arrival = task.delivery.arrival
        may_move = task.feed.vin_conflict == "move"
        claim = Claim(self._dealership, task.delivery.id, arrival.first_seen, may_move)
        self._moving = Moving(connection, statements, claim, others)
        self.deciding = Deciding(connection, statements, self._dealership, self._moving)
        self.listing = Listing(
            connection, statements, Whose(task.delivery, task.feed, self._dealership)
        )
        self._began = time.monotonic()
        self._before: dict[int, Report] = {}

    async def run(self) -> tuple[Report, ...]:
        """Load what is of one dealership."""
        connection, task = self._connection, self.task
        now: datetime = await connection.fetchval("SELECT now()")
        await self.begin()
        if not task.dry_run:
            done = await self.over(now)
            if done:
                return done
        finished = await self.deciding.stage(task.reading)
        found = await self._judged(finished) if account.any_read(finished) else None
        if found is None:
            self.heed_older("no file of it can be read")
        return await self._record(finished, found, now)

    async def begin(self) -> None:
        """Lock the dealership, and read what the feed's latest delivery left there."""
        await self._moving.begin()
        await self.listing.remember()

    # The books, before.

    async def over(self, now: datetime) -> tuple[Report, ...]:
        """Give the reports if there is nothing to load: it was, or a newer one was.

        Raises:
            OutOfTurn: somebody closed the delivery meanwhile.
        """
        delivery, feed = self.task.delivery, self.task.feed.name
        standing = await decisions.standing(self._connection, delivery.id, feed)
        before = await self._done()
        if before and not standing.approved:
            return before
        if standing.closed:
            raise OutOfTurn(f"delivery {delivery.id} was closed meanwhile; nothing was loaded")
        latest = self.listing.past.latest
        if guard.is_older(delivery, latest):
            # What was loaded before a newer one stays so: only its deactivations come too late.
            return before if account.applied(before) else await self._supersede(latest, now)
        held = any(report.outcome is Outcome.HELD for report in before)
        self.task = replace(
            self.task,
            approved=standing.approved,
            gone=standing.approved and not held,
            older_waits=standing.older_waits,
        )
        if before:
            await decisions.forget_rows(self._connection, delivery.id, feed)
            indexes = [file.index for file in self.task.job.files]
            await decisions.forget_refused(self._connection, delivery.id, indexes)
            self._before = {report.file_index: report for report in before}
        return ()

    async def _done(self) -> tuple[Report, ...]:
        condition = "i.delivery_id = $1 AND i.feed = $2 ORDER BY i.file_index"
        return await books.reports(
            self._connection, condition, self.task.delivery.id, self.task.feed.name
        )

    async def _supersede(self, latest: guard.Applied | None, now: datetime) -> tuple[Report, ...]:
        assert latest is not None
        reason, message = account.superseded(latest.delivery_id, self.task.feed.mode)
        reports = [
            replace(
                self.report_of(file, None, now),
                outcome=Outcome.SUPERSEDED,
                reason=reason,
                message=message,
            )
            for file in self.task.job.files
        ]
        return tuple([await self._write(report) for report in reports])

    # The judgement.

    async def _judged(self, finished: Finished) -> Found:
        """Judge the delivery; load it, or try it out where everything is held."""
        found, unmatched = await self.judge(finished)
        if found.useless():
            self.heed_older("not one of its rows can be used")
            return replace(found, tallies=await self.deciding.tallies(finished, {}))
        if found.verdict.reason is None:
            return await self.applied(finished, found, unmatched=unmatched)
        with contextlib.suppress(TakenBack):
            async with self._connection.transaction():
                found = await self.applied(finished, found, unmatched=unmatched)
                raise TakenBack
        return found

    async def judge(self, finished: Finished) -> tuple[Found, bool]:
        """Decide what every line is, and judge it; say whether any row is of no stored vehicle."""
        unmatched = await self.deciding.decide(finished)
        facts = await self.listing.facts(finished)
        facts = replace(facts, approved=self.task.approved, gone=self.task.gone)
        if await self.deciding.any_useless(finished):
            facts = replace(facts, whole=False)
        verdict = guard.judge(facts, self.task.feed.guard)
        if verdict.holds:
            self.heed_older(verdict.message)
        elif not facts.whole:
            self.heed_older("a file of it cannot be read")
        return Found(facts, verdict), unmatched

    def heed_older(self, why: str) -> None:
        """Let the older ones of a full feed go first where this may not be the last word."""
        task = self.task
        if task.older_waits and task.feed.mode == "full" and not task.dry_run:
            raise OlderFirst(f"older deliveries of this feed go first: {why}")

    async def applied(self, finished: Finished, found: Found, *, unmatched: bool) -> Found:
        """Do what was judged, whether all of it may stay or not."""
        verdict = found.verdict
        tallies = await self._apply(finished, verdict, unmatched=unmatched)
        gone = await self.listing.settle(found.facts, verdict, max(tallies))
        return replace(found, tallies=tallies, gone=gone)

    # The merge.

    async def _apply(
        self, finished: Finished, verdict: guard.Verdict, *, unmatched: bool
    ) -> dict[int, account.Tally]:
        connection, sql = self._connection, self.statements
        number = self.task.delivery.id
        await self._moving.move()
        changed = rows(await connection.execute(sql.lock_changed, self._dealership))
        if changed:
            await connection.execute(sql.note)
            await connection.execute(sql.remember, self._dealership, number)
            updated = rows(await connection.execute(sql.update, self._dealership))
            if updated != changed:
                raise Clash(f"{changed} vehicles were to be changed, {updated} could be")
            await connection.execute(sql.off, self._dealership, number)
        extras = await connection.fetch(sql.extras)
        if unmatched:
            flags = (self.task.feed.name, verdict.moves, verdict.begins)
            await connection.execute(sql.insert, self._dealership, number, *flags)
        twins = await connection.fetch(sql.twins, self._dealership, number) if sql.twins else []
        await connection.execute(sql.on_again, self._dealership)
        if changed and sql.overruled:
            await connection.execute(sql.overruled)
        if finished.identities or finished.rejected:
            await connection.execute(sql.junk, self._dealership)
        if self.deciding.provisional:
            await connection.execute(sql.provisional, self._dealership, number)
        besides = {row["file_no"]: (0, row["extras"]) for row in extras}
        for row in twins:
            besides[row["file_no"]] = (row["twins"], besides.get(row["file_no"], (0, 0))[1])
        return await self.deciding.tallies(finished, besides)

    # The books, after.

    async def _record(
        self, finished: Finished, found: Found | None, now: datetime
    ) -> tuple[Report, ...]:
        readings = finished.files
        if found is not None and found.facts.deactivates:
            readings = account.suspended(finished, self.listing.past.nameless)
        readings = await self.deciding.warned(readings)
        done = Done() if found is None else Done(found.verdict, found.tallies, found.gone)
        reports = await self.write_all(await self.tell(readings, done, now))
        if found is not None and not self.task.dry_run:
            await self._keep(reports, finished, found)
        return reports

    async def tell(
        self, readings: Sequence[FileReading], done: Done, now: datetime
    ) -> list[Report]:
        """Make the reports: what was counted of each file, rejected, and judged."""
        files = {file.index: file for file in self.task.job.files}
        rejections = await self.deciding.findings() if done.tallies else {}
        useless = frozenset() if done.verdict.reason else account.useless(done.tallies)
        last = max(done.tallies.keys() - useless, default=-1)
        reports = []
        for reading in readings:
            number = reading.file
            report = self.report_of(files[number], reading, now)
            found = rejections.get(number, ())
            report = account.outcome(report, reading, done.tallies.get(number), found)
            if number in useless:
                report = account.unusable(report)
            else:
                gone = done.gone if number == last else None
                report = account.judged(report, done.verdict, gone)
            reports.append(report)
        return reports

    async def write_all(self, reports: Sequence[Report]) -> tuple[Report, ...]:
        """Write the reports, and give them with their numbers; of a dry run, without."""
        seconds = time.monotonic() - self._began
        timed = [replace(report, seconds=seconds) for report in reports]
        return tuple(timed if self.task.dry_run else [await self._write(it) for it in timed])

    async def _write(self, report: Report) -> Report:
        report = account.approved(self._before.get(report.file_index), report)
        return replace(report, import_id=await books.write_report(self._connection, report))

    async def _keep(self, written: Sequence[Report], finished: Finished, found: Found) -> None:
        """Keep every rejected line, every change, and this delivery as the feed's latest."""
        await self.keep_rows(written)
        if found.verdict.reason is not None or found.useless():
            return
        last = written[-1].import_id
        assert last is not None
        await self.listing.applied(found.facts, found.verdict, finished, last)

    async def keep_rows(self, written: Sequence[Report]) -> None:
        """Keep every rejected line, and what was changed from which to what."""
        numbers = [report.import_id for report in written]
        indexes = [report.file_index for report in written]
        if any(report.rejections for report in written):
            await self._connection.execute(self.statements.keep_findings, indexes, numbers)
        if any(report.outcome is Outcome.IMPORTED for report in written):
            await self._connection.execute(self.statements.keep_history, indexes, numbers)

    def report_of(self, file: File, reading: FileReading | None, now: datetime) -> Report:
        """Begin the report of a file."""
        return Report(
            import_id=None,
            delivery_id=None if self.task.dry_run else self.task.delivery.id,
            file=file.name,
            file_index=file.index,
            dealership_id=None if choices(self.task.feed.rooftops) else self._dealership,
            feed=self.task.feed.name,
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
