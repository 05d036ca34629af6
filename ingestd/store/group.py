"""DOOR  A group file's load: several dealerships, one after the other, in one transaction.

    lock all dealerships in ascending order -> COPY to the stage, once -> judge each
    -> load each, or try all of them out where one is held -> one report for each file -> COMMIT

Rules:
  * Each dealership's rows are decided, judged and loaded as if they had come alone: its absence,
    its guard, its baseline.  A dealership of the map that no row names has an empty lot.
  * Where everything is held of one, all is held: one report says one thing.
  * What no dealership of the map has is rejected, and counts for none of them.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ingestd.errors import ReadFailed
from ingestd.model import FileReading, Finished, Part
from ingestd.report import Counts, Report
from ingestd.rooftops import choices
from ingestd.store import account, guard
from ingestd.store.load import Done, Found, Load, Loader, TakenBack, Task
from ingestd.store.pool import Connection

_LOCAL = "SELECT set_config(k, v, true) FROM unnest($1::text[], $2::text[]) AS s(k, v)"

#: Rejected rows, of one dealership after the other.
_CREATE = """
CREATE TEMPORARY TABLE IF NOT EXISTS ingestd_refused (file_no integer, line integer,
  column_name text, reason text, value text) ON COMMIT DROP"""
_COLUMNS = "file_no, line, column_name, reason, value"
#: $1: those of all others too.
_NOBODYS = f"""
INSERT INTO pg_temp.ingestd_refused ({_COLUMNS})
SELECT {_COLUMNS} FROM pg_temp.{{stage}} WHERE dealership_id = 0 OR $1"""
_REFUSED = f"""
INSERT INTO pg_temp.ingestd_refused ({_COLUMNS})
SELECT {_COLUMNS} FROM pg_temp.ingestd_fate WHERE outcome = 'rejected'"""
#: What one dealership leaves in temporary tables; not its history, which is kept at the end.
_CLEAR = """
TRUNCATE pg_temp.ingestd_fate, pg_temp.ingestd_changed, pg_temp.ingestd_absent,
  pg_temp.ingestd_listed, pg_temp.ingestd_gone"""
#: All rejected rows where those of a single dealership are looked for.
_GATHER = f"""
INSERT INTO pg_temp.ingestd_fate ({_COLUMNS}, outcome)
SELECT {_COLUMNS}, 'rejected' FROM pg_temp.ingestd_refused"""


class GroupLoader(Loader):
    """Loads the files of one dealership, and those of a group of them."""

    async def run(self, connection: Connection, task: Task) -> tuple[Report, ...]:
        """Load within a transaction."""
        numbers = choices(task.feed.rooftops)
        if not numbers:
            return await super().run(connection, task)
        loads = {
            number: Load(
                connection,
                self.statements,
                replace(task, job=replace(task.job, dealership_id=number)),
                self.others,
            )
            for number in numbers
        }
        return await _GroupLoad(connection, loads, self.local).run()


class _GroupLoad:
    """One load of several dealerships, each by a load of its own, in ascending order."""

    def __init__(
        self,
        connection: Connection,
        loads: Mapping[int, Load],
        local: Callable[[int], dict[str, str]],
    ) -> None:
        self._connection = connection
        self._loads = loads
        self._local = local
        #: Of each dealership: what was judged and done.
        self._found: dict[int, Found] = {}
        self._readings: tuple[FileReading, ...] = ()

    async def run(self) -> tuple[Report, ...]:
        now: datetime = await self._connection.fetchval("SELECT now()")
        for load in self._loads.values():
            load.deciding.of_group = True
            await load.begin()
        head = self._latest()
        if not head.task.dry_run:
            done = await head.over(now)
            if done:
                return done
            self._follow(head)
        finished = await head.deciding.stage(head.task.reading)
        parts = {part.dealership: _finished(part) for part in finished.parts}
        if parts.keys() != self._loads.keys():
            raise ReadFailed("the reader does not speak of the dealerships of the feed")
        self._readings = finished.files
        if account.any_read(finished):
            await self._judged(parts, head)
        else:
            head.heed_older("no file of it can be read")
        return await self._record(head, parts, now)

    def _latest(self) -> Load:
        """Give the load whose dealership has the latest delivery: none may be older than it."""

        def order(load: Load) -> tuple[bool, object, int]:
            latest = load.listing.past.latest
            if latest is None:
                return (False, 0, 0)
            return (True, latest.first_seen, latest.delivery_id)

        return max(self._loads.values(), key=order)

    def _follow(self, head: Load) -> None:
        for load in self._loads.values():
            load.task = replace(head.task, job=load.task.job)

    # One dealership after the other.

    async def _judged(self, parts: Mapping[int, Finished], head: Load) -> None:
        """Judge each; load each, or try them all out where everything of one is held.

        Where not one row is of a known rooftop nothing is judged: no lot is empty for that.
        """
        connection = self._connection
        await connection.execute(_CREATE)
        known = any(file.rows or part.rejected for part in parts.values() for file in part.files)
        nobodys = _NOBODYS.format(stage=head.statements.stage)
        await connection.execute(nobodys, not known)
        if not known:
            head.heed_older("not one of its rows is of a known rooftop")
            return
        with contextlib.suppress(TakenBack):
            async with connection.transaction():
                for number, load in self._loads.items():
                    await self._apply(number, load, parts[number])
                if _verdict(self._found).reason is not None:
                    raise TakenBack
            return
        for number, load in self._loads.items():  # what was rejected was taken back too
            await self._turn_to(number)
            await load.deciding.decide(parts[number])
            await connection.execute(_REFUSED)

    async def _turn_to(self, number: int) -> None:
        """Forget the dealership before, and set what is set locally for this one."""
        await self._connection.execute(_CLEAR)
        local = self._local(number)
        await self._connection.execute(_LOCAL, list(local), list(local.values()))

    async def _apply(self, number: int, load: Load, finished: Finished) -> None:
        await self._turn_to(number)
        found, unmatched = await load.judge(finished)
        if found.useless():
            load.heed_older(f"not one row of dealership {number} can be used")
            nothing = guard.Verdict(hold=load.listing.past.hold)
            tallies = await load.deciding.tallies(finished, {})
            found = replace(found, verdict=nothing, tallies=tallies)
        else:
            found = await load.applied(finished, found, unmatched=unmatched)
        self._found[number] = found
        self._readings = await load.deciding.warned(self._readings)
        await self._connection.execute(_REFUSED)

    # The books, after.

    async def _record(
        self, head: Load, parts: Mapping[int, Finished], now: datetime
    ) -> tuple[Report, ...]:
        readings = self._suspended(parts)
        tallies = {
            reading.file: _summed(reading, parts, self._found)
            for reading in readings
            if reading.reason is None
        }
        if tallies:
            await self._connection.execute(_CLEAR)
            await self._connection.execute(_GATHER)
        gone = sum(found.gone for found in self._found.values())
        told = await head.tell(readings, Done(_verdict(self._found), tallies, gone), now)
        reports = await head.write_all(
            [replace(it, dealerships=self._counts(it.file_index, it)) for it in told]
        )
        if not head.task.dry_run:
            await self._keep(head, parts, reports)
        return reports

    def _suspended(self, parts: Mapping[int, Finished]) -> tuple[FileReading, ...]:
        """Give the readings, with the warning why a dealership's vehicles are not missed."""
        for number, found in self._found.items():
            if found.facts.deactivates:
                whole = replace(parts[number], files=self._readings)
                past = self._loads[number].listing.past
                readings = account.suspended(whole, past.nameless)
                if readings != self._readings:
                    return readings
        return self._readings

    def _counts(self, file: int, report: Report) -> tuple[tuple[int, Counts], ...]:
        if report.counts is None:
            return ()
        return tuple((number, found.tallies[file].counts) for number, found in self._found.items())

    async def _keep(
        self, head: Load, parts: Mapping[int, Finished], written: Sequence[Report]
    ) -> None:
        """Keep every rejected line, every change, and for each dealership its latest delivery."""
        await head.keep_rows(written)
        last = written[-1].import_id
        assert last is not None
        if _verdict(self._found).reason is not None:
            return
        for number, found in self._found.items():
            if not found.useless():
                listing = self._loads[number].listing
                await listing.applied(found.facts, found.verdict, parts[number], last)


def _finished(part: Part) -> Finished:
    """Give one dealership's part as the last word on files of its own."""
    return Finished(part.files, part.duplicates, part.identities, part.rejected, part.evidence)


def _summed(
    reading: FileReading, parts: Mapping[int, Finished], found: Mapping[int, Found]
) -> account.Tally:
    """Add up one file's lines: those of each dealership, and those of nobody's.

    Raises:
        ReadFailed: they are not the lines that were read.
    """
    tallies = [it.tallies[reading.file] for it in found.values()]
    of_parts = sum(
        file.rejected
        for number in found
        for file in parts[number].files
        if file.file == reading.file
    )
    nobodys = reading.rejected - of_parts
    counts = Counts(header=reading.header, blank=reading.blank, rejected=nobodys)
    for tally in tallies:
        counts += tally.counts
    unread = nobodys + sum(tally.unread for tally in tallies)
    fault = guard.imbalance(reading, counts, unread)
    if fault is not None:
        raise ReadFailed(f"{reading.name}: nothing was loaded: {fault}")
    return account.Tally(
        counts,
        unread,
        sum(tally.deactivated for tally in tallies),
        sum(tally.reactivated for tally in tallies),
        sum(tally.extras for tally in tallies),
    )


def _verdict(found: Mapping[int, Found]) -> guard.Verdict:
    """Say of all dealerships together what is held, and of which."""
    said = [(number, it.verdict) for number, it in found.items() if it.verdict.holds]
    worst = [(number, it) for number, it in said if it.reason is not None] or said
    return guard.Verdict(
        reason=worst[0][1].reason if worst else None,
        message="; ".join(f"dealership {number}: {it.message}" for number, it in worst),
        lost=sum(it.lost for _, it in said),
    )
