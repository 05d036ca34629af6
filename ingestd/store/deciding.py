"""DOOR  What every line of a delivery is, settled in temporary tables: nothing else is written.

the reader's blocks -> the stage -> the fate of every line -> the counts of each file
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from ingestd.errors import ReadFailed
from ingestd.model import FileReading, Finding, Finished, Reading
from ingestd.store import account, books, guard
from ingestd.store.moving import Moving, rows
from ingestd.store.pool import Connection, Row
from ingestd.store.statements import Statements

#: From here on a load plans its statements for its own size, on fresh statistics.
_LARGE = 2000


class Deciding:
    """One load's lines, within its transaction."""

    def __init__(
        self, connection: Connection, statements: Statements, dealership: int, moving: Moving
    ) -> None:
        """Take the transaction, its statements, and whose vehicles are meant."""
        self._connection = connection
        self._sql = statements
        self._dealership = dealership
        self._moving = moving
        #: Whether the stage has rows of other dealerships too.
        self.of_group = False
        #: Whether a row has a VIN that is a placeholder, or one that two vehicles have.
        self.provisional = self.twice = False

    async def stage(self, reading: Reading) -> Finished:
        """Copy the reading's blocks into the stage as they come, and give its last word."""
        last: list[Finished] = []

        async def blocks() -> AsyncIterator[bytes]:
            async for item in reading:
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

    async def decide(self, finished: Finished) -> bool:
        """Settle every line's fate: duplicate, rejected, a stored vehicle, or a new one.

        False: every line means a vehicle that has its VIN, so that there is nothing to add.
        """
        connection, sql = self._connection, self._sql
        large = sum(reading.rows for reading in finished.files) > _LARGE
        if large:
            await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            await connection.execute(sql.analyze_stage)
        text = sql.decide_of_group if self.of_group else sql.decide
        await connection.execute(text, self._dealership, *account.decided(finished))
        if large:
            await connection.execute(sql.analyze_fate)
        survey = await self._survey()
        if survey["vins"] != survey["distinct_vins"]:
            raise ReadFailed("the reader gave one VIN on two rows without saying which counts")
        if survey["respelt"] and sql.respell:
            await connection.execute(sql.respell)
        self.provisional, self.twice = bool(survey["provisional"]), bool(survey["twice"])
        if self.provisional:
            await connection.execute(sql.spread)
        if survey["unmatched"]:
            await self._decide_unmatched(finished, survey)
        return bool(survey["unmatched"])

    async def _survey(self) -> Row:
        """Count what is decided, once rows with a placeholder that was replaced are."""
        survey = await self._connection.fetchrow(self._sql.survey)
        assert survey is not None
        if survey["replaced"]:
            await self._connection.execute(self._sql.leftovers)
            survey = await self._connection.fetchrow(self._sql.survey)
            assert survey is not None
        return survey

    async def _decide_unmatched(self, finished: Finished, survey: Row) -> None:
        connection, sql = self._connection, self._sql
        touched = 0
        if survey["vins"] and sql.foreign_by_key:
            touched += await self._moving.decide(survey["vins"], survey["table_size"])
        touched += rows(await connection.execute(sql.match_stock, self._dealership))
        for statement in sql.missing:
            touched += rows(await connection.execute(statement))
        if touched:
            await connection.execute(sql.name_columns, *account.headers(finished))

    async def any_useless(self, finished: Finished) -> bool:
        """Say whether a file among several has not one row that can be used."""
        if len(finished.files) == 1:
            return False
        return bool(await self._connection.fetchval(self._sql.useless))

    async def tallies(
        self, finished: Finished, besides: Mapping[int, tuple[int, int]]
    ) -> dict[int, account.Tally]:
        """Count each file's lines; ``besides`` are its twins switched off and extras kept."""
        counted = await self._connection.fetch(self._sql.count)
        found = {row["file_no"]: dict(row) for row in counted}
        if found.keys() - {reading.file for reading in finished.files if not reading.reason}:
            raise ReadFailed("the reader sent rows of a file that it refused or did not name")
        tallies = {}
        for reading in finished.files:
            if reading.reason is None:
                besides_it = besides.get(reading.file, (0, 0))
                tally = account.tally(reading, found.get(reading.file), besides_it)
                fault = guard.imbalance(reading, tally.counts, tally.unread)
                if fault is not None:
                    raise ReadFailed(f"{reading.name}: nothing was loaded: {fault}")
                tallies[reading.file] = tally
        return tallies

    async def warned(self, readings: Sequence[FileReading]) -> tuple[FileReading, ...]:
        """Add to the readings the warnings that only the stored vehicles give reason for."""
        if not self.twice:
            return tuple(readings)
        found = await self._connection.fetch(self._sql.twice, books.INLINE)
        return account.twice(readings, [dict(row) for row in found])

    async def findings(self) -> dict[int, tuple[Finding, ...]]:
        """Give the first rejections of each file."""
        found: dict[int, list[Finding]] = {}
        for row in await self._connection.fetch(self._sql.findings, books.INLINE):
            found.setdefault(row["file_no"], []).append(books.finding(row))
        return {file: tuple(findings) for file, findings in found.items()}
