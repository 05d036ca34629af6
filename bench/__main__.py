"""How fast an import is, as a ratio to psql's own \\copy and a hand-written guarded MERGE.

    python -m bench [ROWS [ROUNDS]]        (default 20000 rows, 5 rounds)

Both sides do the same rows, one after the other in every round, each on a database of its own
with fsync on; the medians are compared.  What psql does validates nothing: it is the limit of
what the server can do with the rows, not a rival.  Absolute figures mean something only beside
the others of the same run.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.feed import COLUMNS, TYPES, plain, tsv
from ingestd import app
from ingestd.config import Config, Feed, parse
from ingestd.once import Job, import_file
from ingestd.store import embedded
from ingestd.store.postgres import PostgresStore

DEALERSHIP = (
    "INSERT INTO dealerships (name, location, contact_email, contact_phone)"
    " VALUES ('Invented Motors', '', '', '')"
)
#: Name of the step, share of the rows whose price has changed since the step before.
STEPS = (("first load", 0.0), ("nothing changed", 0.0), ("5 % changed", 0.05), ("every price", 1.0))


class Place:
    """A server, and files of each step for both sides."""

    def __init__(self, home: Path, server: embedded.Server, rows: int) -> None:
        self.home = home
        self.server = server
        self.psql_program = str(embedded.binaries() / "psql")
        for number, (_, changed) in enumerate(STEPS):
            (home / f"{number}.tsv").write_bytes(tsv(rows, changed, number))
            (home / f"{number}.copy").write_bytes(plain(rows, changed, number))

    def url(self, database: str) -> str:
        return self.server.url.replace("/rylie", f"/{database}")

    def psql(self, database: str, script: str) -> None:
        command = [self.psql_program, "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]
        subprocess.run(command, input=script, text=True, check=True, stdout=subprocess.DEVNULL)

    def fresh(self, database: str) -> None:
        self.psql("rylie", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.psql("rylie", f"CREATE DATABASE {database}")
        asyncio.run(app.apply_schema(self.url(database)))
        self.psql(database, DEALERSHIP)

    def quiet(self, database: str) -> None:
        self.psql(database, "VACUUM ANALYZE; CHECKPOINT")


def merge(path: Path) -> str:
    """Write what a careful person would give to psql for this file."""
    others = [column for column in COLUMNS if column != "vin"]
    declared = ", ".join(f"{column} {TYPES.get(column, 'text')}" for column in COLUMNS)
    differs = " OR ".join(f"v.{column} IS DISTINCT FROM r.{column}" for column in others)
    sets = ", ".join(f"{column} = r.{column}" for column in others)
    return f"""
SET client_min_messages = warning;
CREATE UNLOGGED TABLE IF NOT EXISTS raw ({declared});
TRUNCATE raw;
\\copy raw FROM '{path}'
BEGIN;
MERGE INTO vehicles v USING raw r ON v.vin = r.vin
WHEN MATCHED AND v.dealership_id = 1 AND ({differs})
  THEN UPDATE SET {sets}, updated_at = timezone('UTC', now())
WHEN NOT MATCHED THEN INSERT (dealership_id, {", ".join(COLUMNS)})
  VALUES (1, {", ".join("r." + column for column in COLUMNS)});
COMMIT;"""


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def ours(place: Place, config: Config, number: int) -> None:
    async def run() -> None:
        url = app.as_ingestd(place.url("ours"))
        async with PostgresStore.opened(config, url, "bench") as store:
            feed = Feed(name="bench", dealership=1, mode="full")
            job = Job(config, feed, place.home / f"{number}.tsv")
            (report,) = await import_file(job, store, lambda _: None)
            assert report.counts is not None
            assert report.counts.rejected == 0, report.rejections

    asyncio.run(run())


def round_(place: Place, config: Config) -> Iterator[tuple[float, float]]:
    """Do every step on both sides; give the seconds of psql and of ingestd."""
    for database in ("theirs", "ours"):
        place.fresh(database)
    for number in range(len(STEPS)):
        script = merge(place.home / f"{number}.copy")
        theirs = timed(partial(place.psql, "theirs", script))
        place.quiet("ours")
        mine = timed(partial(ours, place, config, number))
        place.quiet("theirs")
        yield theirs, mine


def report(rows: int, times: list[list[tuple[float, float]]]) -> None:
    print(f"{rows} rows, medians of {len(times)} rounds")
    print(f"{'':18}{'psql':>9}{'ingestd':>9}{'speed':>8}{'rows/s':>9}")
    for number, (name, _) in enumerate(STEPS):
        theirs = statistics.median(one[number][0] for one in times)
        mine = statistics.median(one[number][1] for one in times)
        print(f"{name:18}{theirs:8.2f}s{mine:8.2f}s{theirs / mine:7.2f}x{rows / mine:9.0f}")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o755)
        config = parse(f"state_dir = '{home}/state'", {})
        with embedded.start(home / "pg") as server:
            place = Place(home, server, rows)
            report(rows, [list(round_(place, config)) for _ in range(rounds)])


if __name__ == "__main__":
    main()
