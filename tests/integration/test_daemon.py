"""The order of effects, and what is tried again: on a real store, with troubles on demand."""

import asyncio
import contextlib
import io
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import asyncpg
import pytest
from structlog.testing import capture_logs

from ingestd import daemon as module
from ingestd import patience, reading, settling
from ingestd.config import Config, Feed, Limits
from ingestd.daemon import Daemon
from ingestd.doors import Doors
from ingestd.errors import (
    Clash,
    Fault,
    Misconfigured,
    OlderFirst,
    ReadFailed,
    Refused,
    Taken,
    TryAgain,
)
from ingestd.model import Arrival, Delivery, Excerpt, File, Opened, Outcome, Reading, ReadJob
from ingestd.report import Settlement
from ingestd.store.postgres import PostgresStore
from ingestd.tell import receipts
from tests.acceptance.lots import lot
from tests.contract.fakes import MemorySource

WITHIN = 20.0
FEED = Feed(name="lot", dealership=1, mode="full")
NEW = Feed(name="new", dealership=1, mode="full", file=["new*"])
USED = Feed(name="used", dealership=1, mode="full", file=["used*"])


class Troubles:
    """Errors to come: the first calls with a name get them, later ones work."""

    def __init__(self) -> None:
        self._due: dict[str, list[Exception]] = defaultdict(list)
        self.met: list[str] = []

    def plan(self, name: str, *errors: Exception) -> None:
        self._due[name] += errors

    def meet(self, name: str) -> None:
        if self._due[name]:
            error = self._due[name].pop(0)
            self.met.append(f"{name}: {type(error).__name__}")
            raise error


class TroubledSource(MemorySource):
    """The source in memory, which fails when it is planned to, or does not answer."""

    def __init__(self, name: str, troubles: Troubles, spool: dict[str, bytes]) -> None:
        super().__init__(name)
        self._troubles = troubles
        self.spool = spool
        self.failing: set[str] = set()
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.again = asyncio.Event()

    async def watch(self, take, ready=lambda: None) -> None:
        self._troubles.meet(f"enter {self.name}")
        async with asyncio.TaskGroup() as group:
            group.create_task(super().watch(take, ready))
            await self.again.wait()
            self.again.clear()
            self._troubles.meet(f"watch {self.name}")

    async def settle(self, delivery, outcome, papers) -> None:
        self.asked.append(delivery.arrival.name)
        await self.gate.wait()
        if delivery.arrival.name in self.failing:
            raise TryAgain("not now")
        self._troubles.meet(f"settle {delivery.arrival.name}")
        await super().settle(delivery, outcome, papers)


class MemoryReader:
    """The reader without processes: it parses what the source keeps in memory."""

    def __init__(
        self, source: MemorySource, troubles: Troubles, feeds: tuple[Feed, ...] = (FEED,)
    ) -> None:
        self._source = source
        self._troubles = troubles
        self._feeds = {feed.name: feed for feed in feeds}
        self.gate = asyncio.Event()
        self.gate.set()

    def _chunks(self, sha256: str):
        content = self._source.spool[sha256]
        return lambda: iter((content,))

    async def open(self, arrival: Arrival) -> Opened:
        await self.gate.wait()
        self._troubles.meet(f"open {arrival.name}")
        feeds = tuple(self._feeds.values())
        return reading.open_delivery(arrival, self._chunks(arrival.sha256), feeds, Limits())

    @contextlib.asynccontextmanager
    async def read(self, job: ReadJob) -> AsyncIterator[Reading]:
        self._troubles.meet(f"read {job.name}")
        feed = self._feeds[str(job.files[0].feed)]
        self._troubles.meet(f"read {feed.name}")

        async def items() -> Reading:
            for item in reading.read(job, self._chunks(job.sha256), feed, Limits()):
                yield item

        yield items()

    async def excerpt(self, wanted: Excerpt) -> AsyncIterator[bytes]:
        self._troubles.meet(f"excerpt {wanted.arrival.name}")
        content = self._chunks(wanted.arrival.sha256)
        feed = self._feeds.get(str(wanted.feed))
        for block in reading.excerpt(wanted, content, feed, Limits()):
            yield block


class TroubledStore(PostgresStore):
    """The store, which fails when it is planned to."""

    troubles: Troubles

    async def load(self, delivery, feed, job, reading, *, dry_run=False):
        self.troubles.meet(f"load {job.name}")
        self.troubles.meet(f"load {feed.name}")
        return await super().load(delivery, feed, job, reading, dry_run=dry_run)

    async def lease(self, name: str) -> bool:
        self.troubles.meet("lease")
        return await super().lease(name)

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        self.troubles.met.append("renewed")
        self.troubles.meet("renew")
        await super().renew(deliveries)


class Heard:
    """Keeps ``daemon.Tell``: what was told."""

    def __init__(self) -> None:
        self.settlements: list[Settlement] = []
        self.sources: list[tuple[str, bool]] = []

    def settled(self, settlement: Settlement) -> None:
        self.settlements.append(settlement)

    def told(self) -> dict[str, tuple[str, str | None]]:
        """Give outcome and reason of each file in the deliveries that are done."""
        reports = [report for settlement in self.settlements for report in settlement.reports]
        return {report.file: (str(report.outcome), report.reason) for report in reports}

    def source(self, name: str, *, up: bool) -> None:
        self.sources.append((name, up))

    def waiting(self, deliveries: int) -> None:
        raise AssertionError


class House:
    """A daemon that runs in the background of a test."""

    def __init__(
        self,
        store: TroubledStore,
        admin: asyncpg.Connection,
        feeds: tuple[Feed, ...],
        *,
        mail: bool,
    ) -> None:
        self.store = store
        self.admin = admin
        self.troubles = store.troubles
        self.source = TroubledSource("drop", self.troubles, {})
        self.mail = TroubledSource("mail", self.troubles, self.source.spool)
        self.heard = Heard()
        self.reader = MemoryReader(self.source, self.troubles, feeds)
        sources = (self.source, self.mail) if mail else (self.source,)
        doors = Doors(sources, self.reader, store, self.heard, receipts.papers)
        self.daemon = Daemon(doors, {feed.name: feed for feed in feeds})
        self.stop = asyncio.Event()
        self.grace = 5.0
        self.over = False
        loop = asyncio.get_running_loop()
        self.running = loop.create_task(self.daemon.run(self.stop, lambda: self.grace))

    async def attempts_begun(self) -> bool:
        query = "SELECT 1 FROM ingest.deliveries WHERE state = 'working'"
        return bool(await self.admin.fetchval(query))

    async def taken(self, number: int) -> None:
        """Wait until so many deliveries are in the ledger."""
        async with asyncio.timeout(WITHIN):
            query = "SELECT count(*) FROM ingest.deliveries"
            while await self.admin.fetchval(query) < number:
                await asyncio.sleep(0.01)

    async def outcome(self, name: str) -> Outcome:
        """Wait until the source has been told what became of a file."""
        async with asyncio.timeout(WITHIN):
            while True:
                row = await self.admin.fetchrow(
                    "SELECT id, settled_at FROM ingest.deliveries WHERE name = $1", name
                )
                if row and row["settled_at"]:
                    return (self.source.settled | self.mail.settled)[row["id"]][0]
                await asyncio.sleep(0.01)

    async def attempts(self, name: str) -> int:
        query = "SELECT attempts FROM ingest.deliveries WHERE name = $1"
        return int(await self.admin.fetchval(query, name))


@pytest.fixture
def quick(monkeypatch) -> None:
    """Wait less between attempts."""
    for name in ("POLL_EVERY", "RENEW_EVERY"):
        monkeypatch.setattr(module, name, 0.05)
    for name in ("LONGEST_WAIT", "LONGEST_PAUSE"):
        monkeypatch.setattr(patience, name, 0.05)
    monkeypatch.setattr(patience, "AFTER_DENIAL", (0.05,))
    monkeypatch.setattr(settling, "POLL_EVERY", 0.05)


@contextlib.asynccontextmanager
async def _house(
    database, feeds: tuple[Feed, ...] = (FEED,), *, mail: bool = False
) -> AsyncIterator[House]:
    admin = await asyncpg.connect(database.url)
    await admin.execute(
        "INSERT INTO dealerships (name, location, contact_email, contact_phone)"
        " VALUES ('Invented Motors', '', '', '')"
    )
    async with TroubledStore.opened(Config(), database.ingestd_url, "here") as store:
        assert isinstance(store, TroubledStore)
        store.troubles = Troubles()
        made = House(store, admin, feeds, mail=mail)
        yield made
        made.stop.set()
        if not made.over:
            await made.running
    await admin.close()


@pytest.fixture
async def house(database, quick) -> AsyncIterator[House]:
    async with _house(database) as made:
        yield made


@pytest.fixture
async def with_mail(database, quick) -> AsyncIterator[House]:
    """Give a daemon that has a mailbox besides its folder."""
    async with _house(database, mail=True) as made:
        yield made


@pytest.fixture
async def of_two(database, quick) -> AsyncIterator[House]:
    """Give a daemon with two feeds, whose files come in one delivery."""
    async with _house(database, (NEW, USED)) as made:
        yield made


def both() -> bytes:
    """Give a zip with a file of each of the two feeds."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("new.tsv", lot(3))
        archive.writestr("used.tsv", lot(3, first=7))
    return packed.getvalue()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_file_goes_all_the_way(house):
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert [s.reports[0].counts.added for s in house.heard.settlements] == [3]
    assert house.heard.sources == [("drop", True)]


async def test_a_clash_is_tried_again_and_counts_nothing(house):
    house.troubles.plan("load a.tsv", Clash("deadlock"), Clash("deadlock"))
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert await house.attempts("a.tsv") == 1


async def test_a_database_that_is_away_counts_nothing_against_a_file(house):
    house.troubles.plan("load a.tsv", *[TryAgain("away")] * 4)
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert await house.attempts("a.tsv") == 1


async def test_a_parser_that_dies_is_a_strike_and_the_file_is_tried_again(house):
    house.troubles.plan("open a.tsv", ReadFailed("it died"))
    house.troubles.plan("read a.tsv", ReadFailed("it died"))
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert await house.attempts("a.tsv") == 3


async def test_three_strikes_set_a_file_aside_and_the_others_go_on(house):
    house.troubles.plan("read a.tsv", *[ReadFailed("it died")] * 9)
    house.source.drop("a.tsv", lot(3), "lot")
    house.source.drop("b.tsv", lot(3, first=50), "lot")

    assert await house.outcome("a.tsv") is Outcome.FAILED
    assert await house.outcome("b.tsv") is Outcome.IMPORTED
    assert house.troubles.met.count("read a.tsv: ReadFailed") == 3
    (failed,) = [s for s in house.heard.settlements if s.outcome is Outcome.FAILED]
    assert failed.reports[0].message == "it failed 3 times; it died"


@pytest.mark.parametrize("step", ["open", "read"])
async def test_a_refusal_is_for_ever_and_has_a_report(house, step):
    house.troubles.plan(f"{step} a.tsv", Refused("internal_error", "a bug of ours"))
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.REJECTED
    (settlement,) = house.heard.settlements
    assert settlement.reports[0].message == "a bug of ours"


async def test_what_the_source_refused_is_reported_unread(house):
    arrival = Arrival(
        "drop",
        "folder",
        "k",
        "big.tsv",
        "0" * 64,
        9,
        house.source._clock,
        refused="too_large",
        message="it is too large",
    )
    await house.daemon._take(arrival)

    assert await house.outcome("big.tsv") is Outcome.REJECTED
    assert house.heard.settlements[0].reports[0].reason == "too_large"


async def test_a_source_that_fails_is_entered_again(house):
    house.troubles.plan("renew", TryAgain("away"))
    house.troubles.plan("lease", TryAgain("away"))
    async with asyncio.timeout(WITHIN):
        while ("drop", False) not in house.heard.sources:
            await asyncio.sleep(0.01)
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_a_source_that_another_instance_took_over_is_left_to_it(house):
    house.source.drop("a.tsv", lot(3), "lot")
    await house.outcome("a.tsv")
    query = "UPDATE ingest.leases SET owner = 'there', lease_until = now() + '1 hour'"
    await house.admin.execute(query)
    async with asyncio.timeout(WITHIN):
        while ("drop", False) not in house.heard.sources:
            await asyncio.sleep(0.01)
    house.source.drop("b.tsv", lot(3), "lot")
    await house.admin.execute("UPDATE ingest.leases SET lease_until = now() - interval '1 s'")

    assert await house.outcome("b.tsv") is Outcome.UNCHANGED


async def test_an_excerpt_that_can_not_be_made_does_not_hold_the_settlement_up(house):
    house.troubles.plan("excerpt a.tsv", ReadFailed("it died"))
    house.source.drop("a.tsv", lot(3) + b"not a row\n", "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    (papers,) = [papers for _, papers in house.source.settled.values()]
    assert papers[".rejected.tsv"] == b""
    assert b"too_few_cells" in papers[".report.json"]


async def test_a_settlement_of_a_source_that_is_gone_waits_for_it(house):
    arrival = Arrival("gone", "folder", "k", "a.tsv", "0" * 64, 9, house.source._clock, "lot")
    house.source.spool["0" * 64] = lot(3)
    await house.daemon._take(arrival)
    query = "SELECT outcome, settled_at FROM ingest.deliveries WHERE source = 'gone'"
    async with asyncio.timeout(WITHIN):
        while (await house.admin.fetchval(query)) is None:
            await asyncio.sleep(0.01)
    house.source.drop("b.tsv", lot(3), "lot")
    await house.outcome("b.tsv")

    assert (await house.admin.fetchrow(query))["settled_at"] is None


async def test_what_a_killed_command_left_behind_is_closed_and_not_imported(house):
    arrival = Arrival("cli", "cli", "k", "a.tsv", "0" * 64, 9, house.source._clock, "lot", "cli/k")
    await house.store.take(arrival)
    query = "SELECT outcome, settled_at FROM ingest.deliveries WHERE kind = 'cli'"
    async with asyncio.timeout(WITHIN):
        while (row := await house.admin.fetchrow(query))["settled_at"] is None:
            await asyncio.sleep(0.01)

    assert row["outcome"] == "failed"
    assert "import the file again" in house.heard.settlements[0].reports[0].message


async def test_a_dealership_that_is_removed_makes_its_files_wait_and_not_the_daemon_end(house):
    await house.admin.execute("UPDATE dealerships SET id = 7")
    house.source.drop("a.tsv", lot(3), "lot")
    async with asyncio.timeout(WITHIN):
        while not await house.attempts_begun():
            await asyncio.sleep(0.01)
    await house.admin.execute("UPDATE dealerships SET id = 1")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert await house.attempts("a.tsv") == 1


async def test_an_orderly_stop_is_no_strike(house):
    house.reader.gate.clear()
    house.source.drop("a.tsv", lot(3), "lot")
    async with asyncio.timeout(WITHIN):
        while not await house.attempts_begun():
            await asyncio.sleep(0.01)
    house.grace = 0.01
    house.stop.set()
    await house.running

    assert await house.attempts("a.tsv") == 0


async def worked_on_until_renewed(house, times: int) -> None:
    """Have a file worked on until its claim was renewed, or that was tried, so often."""
    house.reader.gate.clear()
    house.source.drop("a.tsv", lot(3), "lot")
    async with asyncio.timeout(WITHIN):
        while house.troubles.met.count("renewed") < times:
            await asyncio.sleep(0.01)
    house.reader.gate.set()


async def test_claims_are_renewed_while_a_file_is_worked_on(house):
    house.troubles.plan("renew", TryAgain("away"))
    await worked_on_until_renewed(house, 2)

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_a_right_that_is_taken_for_a_moment_while_claims_are_renewed_ends_nobody(house):
    gone = [Misconfigured(Fault("database.user", "permission denied"))] * 3
    house.troubles.plan("renew", *gone)
    with capture_logs() as logs:
        await worked_on_until_renewed(house, 4)

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    (said,) = [entry for entry in logs if entry["event"] == "store.waits"]
    assert "permission denied" in said["error"]


async def test_a_key_that_is_taken_refuses_the_file_in_words_and_the_others_go_on(house):
    await house.admin.execute(
        "CREATE UNIQUE INDEX one_stock_number ON vehicles (dealership_id, stock_number);"
        "INSERT INTO vehicles (dealership_id, vin, stock_number, make, model, year)"
        " VALUES (1, '1ZZEA11B0PZ999999', 'Z00001', 'Zeta', 'Eagle', 2023)"
    )
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.REJECTED
    house.source.drop("b.tsv", lot(3, first=7), "lot")
    assert await house.outcome("b.tsv") is Outcome.IMPORTED
    (report,) = [s.reports[0] for s in house.heard.settlements if s.reports[0].file == "a.tsv"]
    assert report.reason == "key_taken"
    assert "(dealership_id, stock_number)=(1, Z00001)" in report.message
    assert await house.attempts("a.tsv") == 1


def taken(key: str) -> Taken:
    return Taken("another session may have been in the way", "one_stock_number", key)


async def test_a_key_that_is_free_again_at_the_last_attempt_is_no_obstacle(house):
    house.troubles.plan("load a.tsv", *[taken("(vin)=(A)")] * 4)
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_one_taken_key_after_another_is_bad_luck_however_many(house):
    house.troubles.plan("load a.tsv", *[taken(f"(vin)=({number})") for number in range(8)])
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_a_key_that_is_taken_refuses_the_files_of_its_feed_and_not_the_other_feeds(of_two):
    """Whose other files were loaded at the first attempt, and give their reports at the next."""
    await of_two.admin.execute(
        "CREATE UNIQUE INDEX one_stock_number ON vehicles (dealership_id, stock_number);"
        "INSERT INTO vehicles (dealership_id, vin, stock_number, make, model, year)"
        " VALUES (1, '1ZZEA11B0PZ999999', 'Z00008', 'Zeta', 'Eagle', 2023)"
    )
    of_two.source.drop("both.zip", both())

    assert await of_two.outcome("both.zip") is Outcome.REJECTED
    assert of_two.heard.told() == {
        "new.tsv": ("imported", None),
        "used.tsv": ("rejected", "key_taken"),
    }
    assert await of_two.attempts("both.zip") == 1


# Several feeds in one delivery.


@pytest.mark.parametrize(("fails", "goes"), [("new", "used"), ("used", "new")])
async def test_a_feed_that_fails_three_times_has_its_report_and_the_other_is_loaded(
    of_two, fails, goes
):
    of_two.troubles.plan(f"read {fails}", *[ReadFailed("it died")] * 9)
    of_two.source.drop("both.zip", both())

    assert await of_two.outcome("both.zip") is Outcome.FAILED
    assert of_two.heard.told() == {
        f"{goes}.tsv": ("imported", None),
        f"{fails}.tsv": ("failed", "internal_error"),
    }
    (report,) = [r for r in of_two.heard.settlements[0].reports if r.feed == fails]
    assert report.message == "it failed 3 times; it died"
    assert await of_two.attempts("both.zip") == 3
    query = "SELECT state FROM ingest.deliveries"
    assert await of_two.admin.fetchval(query) == "quarantined"


async def test_what_failed_beside_what_was_loaded_is_replayed_alone(of_two):
    of_two.troubles.plan("read used", *[ReadFailed("it died")] * 3)
    of_two.source.drop("both.zip", both())
    await of_two.outcome("both.zip")
    (report,) = [r for r in of_two.heard.settlements[0].reports if r.feed == "used"]
    decided = await of_two.store.replay(report.import_id)
    await until(lambda: len(of_two.heard.settlements) == 2)

    (replayed,) = await of_two.store.imports_of(decided.delivery_id)
    assert (replayed.file, replayed.outcome) == ("used.tsv", Outcome.IMPORTED)


async def test_what_failed_beside_what_was_loaded_is_done_again_alone(of_two):
    of_two.troubles.plan("read used", *[ReadFailed("it died")] * 3)
    of_two.source.drop("both.zip", both())
    await of_two.outcome("both.zip")
    (settlement,) = of_two.heard.settlements
    assert await of_two.store.redo(settlement.delivery.id) is None
    of_two.daemon._work.set()
    await until(lambda: len(of_two.heard.settlements) == 2)

    again = of_two.heard.settlements[1]
    assert again.outcome is Outcome.IMPORTED
    assert again.reports[0] == settlement.reports[0]
    assert (again.reports[1].file, again.reports[1].counts.added) == ("used.tsv", 3)


async def test_what_cannot_be_opened_any_more_is_not_told_as_imported(of_two):
    of_two.troubles.plan("open both.zip", *[ReadFailed("it died")] * 9)
    of_two.stop.set()
    await of_two.running
    of_two.over = True
    of_two.source.drop("both.zip", both())
    arrival = next(iter(of_two.source._working.values()))
    await of_two.store.take(arrival)
    claimed = await of_two.store.claim(None, ())
    files = (File(0, "new.tsv", 1, "new"), File(1, "used.tsv", 1, "used"))
    opened = Opened(files)
    await of_two.store.route(claimed, opened.lane(), None, opened.feeds())
    job = await of_two.daemon._job(arrival, NEW, files[:1])
    async with of_two.reader.read(job) as items:
        await of_two.store.load(claimed, NEW, job, items)
    settlement = await of_two.daemon.handle(replace(claimed, attempts=3))

    assert settlement.outcome is Outcome.FAILED
    assert [(r.file, r.feed, r.outcome) for r in settlement.reports] == [
        ("new.tsv", "new", Outcome.IMPORTED),
        ("both.zip", "used", Outcome.FAILED),
    ]
    assert settlement.reports[1].message == "it failed 3 times; it died"


# What one delivery, one source or one settlement must not do to the others.


async def test_what_waits_on_the_world_leaves_the_handlers_to_the_others(house, monkeypatch):
    monkeypatch.setattr(module, "POLL_EVERY", 600.0)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 600.0)
    for name in ("a.tsv", "b.tsv"):
        house.troubles.plan(f"open {name}", TryAgain("away"))
        house.source.drop(name, lot(3), name)
    house.source.drop("c.tsv", lot(3), "lot")

    assert await house.outcome("c.tsv") is Outcome.IMPORTED
    assert len(house.daemon._put_off.waiting()) == 2


async def test_a_strike_puts_a_delivery_off_so_that_a_slow_server_is_not_asked_at_once(
    house, monkeypatch
):
    monkeypatch.setattr(module, "POLL_EVERY", 600.0)
    monkeypatch.setattr(patience, "LONGEST_WAIT", 600.0)
    house.troubles.plan("open a.tsv", ReadFailed("it took too long"))
    house.source.drop("a.tsv", lot(3), "a")
    house.source.drop("b.tsv", lot(3), "lot")

    assert await house.outcome("b.tsv") is Outcome.IMPORTED
    await until(lambda: len(house.daemon._put_off.waiting()) == 1)


async def test_what_is_older_in_its_lane_waits_for_what_waits_on_the_world(house):
    house.reader.gate.clear()
    house.source.drop("first.tsv", lot(3), "lot")
    async with asyncio.timeout(WITHIN):
        while not await house.attempts_begun():
            await asyncio.sleep(0.01)
    house.troubles.plan("load b.tsv", *[TryAgain("away")] * 3)
    house.source.drop("a.tsv", lot(3), "lot")
    house.source.drop("b.tsv", lot(4), "lot")
    await house.taken(3)
    house.reader.gate.set()

    assert await house.outcome("a.tsv") is Outcome.SUPERSEDED
    told = [s.delivery.arrival.name for s in house.heard.settlements]
    assert told == ["first.tsv", "b.tsv", "a.tsv"]


async def test_what_may_not_be_the_last_word_lets_the_older_go_first_and_is_done_then(house):
    house.reader.gate.clear()
    house.source.drop("first.tsv", lot(3), "lot")
    async with asyncio.timeout(WITHIN):
        while not await house.attempts_begun():
            await asyncio.sleep(0.01)
    house.troubles.plan("load b.tsv", OlderFirst("it would be held"))
    house.source.drop("a.tsv", lot(3), "lot")
    house.source.drop("b.tsv", lot(4), "lot")
    await house.taken(3)
    house.reader.gate.set()

    assert await house.outcome("b.tsv") is Outcome.IMPORTED
    told = [s.delivery.arrival.name for s in house.heard.settlements]
    assert told == ["first.tsv", "a.tsv", "b.tsv"]
    assert await house.attempts("b.tsv") == 1


async def test_a_bug_that_one_delivery_meets_sets_it_aside_and_the_others_go_on(house):
    house.troubles.plan("open a.tsv", *[TypeError("a bug")] * 9)
    house.source.drop("a.tsv", lot(3), "lot")
    house.source.drop("b.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.FAILED
    assert await house.outcome("b.tsv") is Outcome.IMPORTED
    assert house.troubles.met.count("open a.tsv: TypeError") == 3


@pytest.mark.parametrize(
    "error", [Misconfigured(Fault("drop", "is no folder any more")), RuntimeError("a bug")]
)
async def test_a_source_that_was_well_is_entered_again_whatever_it_fails_of(house, error):
    house.source.drop("a.tsv", lot(3), "lot")
    await house.outcome("a.tsv")
    house.troubles.plan("watch drop", error)
    house.source.again.set()
    await until(lambda: ("drop", False) in house.heard.sources)
    house.source.drop("b.tsv", lot(3), "lot")

    assert await house.outcome("b.tsv") is Outcome.UNCHANGED


async def test_a_source_that_was_never_ready_and_is_misconfigured_ends_the_start(house):
    house.troubles.plan("enter drop", Misconfigured(Fault("drop", "is no folder")))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(WITHIN):
            await house.running
    house.over = True

    assert caught.group_contains(Misconfigured)


async def test_a_source_that_is_misconfigured_long_after_the_start_does_not_end_it(
    house, monkeypatch
):
    """Its server was away until then, or another instance held it."""
    monkeypatch.setattr(module, "STARTS_WITHIN", 0.0)
    house.troubles.plan("enter drop", Misconfigured(Fault("drop", "is no folder")))
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    assert house.heard.sources == [("drop", False), ("drop", True)]


async def test_a_mailbox_that_is_stuck_does_not_hold_the_folders_receipts_up(with_mail):
    with_mail.mail.gate.clear()
    with_mail.mail.drop("a.tsv", lot(3), "lot")
    await until(lambda: with_mail.mail.asked == ["a.tsv"])
    with_mail.source.drop("b.tsv", lot(3), "lot")

    assert await with_mail.outcome("b.tsv") is Outcome.UNCHANGED
    assert with_mail.mail.settled == {}


async def test_a_settlement_that_is_never_answered_is_given_up_and_tried_again(house, monkeypatch):
    monkeypatch.setattr(settling, "SETTLE_WITHIN", 0.05)
    house.source.gate.clear()
    house.source.drop("a.tsv", lot(3), "lot")
    await until(lambda: len(house.source.asked) > 1)
    monkeypatch.setattr(settling, "SETTLE_WITHIN", WITHIN)
    house.source.gate.set()

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_a_settlement_that_fails_for_good_keeps_no_younger_one_waiting(house):
    house.source.failing.add("a.tsv")
    house.source.drop("a.tsv", lot(3), "lot")
    await until(lambda: house.source.asked.count("a.tsv") > 4)
    house.source.drop("b.tsv", lot(3), "lot")

    assert await house.outcome("b.tsv") is Outcome.UNCHANGED


@pytest.mark.parametrize("error", [RuntimeError("a bug"), Misconfigured(Fault("drop", "is wrong"))])
async def test_whatever_a_settlement_fails_of_it_is_tried_again(house, error):
    house.troubles.plan("settle a.tsv", error)
    house.source.drop("a.tsv", lot(3), "lot")

    assert await house.outcome("a.tsv") is Outcome.IMPORTED


async def test_a_source_whose_settlements_fail_is_left_alone_until_it_is_entered_again(
    house, monkeypatch
):
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 600.0)
    monkeypatch.setattr(settling, "pause", lambda _error, _failures: 600.0)
    names = [f"{letter}.tsv" for letter in "abcdef"]
    house.source.failing |= set(names)
    with capture_logs() as logged:
        for name in names:
            house.source.drop(name, lot(3), "lot")
        await until(lambda: len(house.heard.settlements) == len(names))
    assert len(house.source.asked) <= settling.IN_A_ROW
    assert [line["event"] for line in logged].count("settlement.waits") == 1
    house.source.failing.clear()
    house.daemon._settling.hold("drop")

    for name in names:
        await house.outcome(name)


# What a person decided.


async def test_a_replay_goes_all_the_way_and_its_source_is_not_told(house):
    house.source.drop("a.tsv", lot(3), "lot")
    await house.outcome("a.tsv")
    house.source.drop("b.tsv", lot(3, changed={1: 11_000}), "lot")
    await house.outcome("b.tsv")
    told = dict(house.source.settled)
    reports = await house.store.imports(limit=2)
    decided = await house.store.replay(reports[1].import_id)
    query = "SELECT settled_at IS NOT NULL FROM ingest.deliveries WHERE id = $1"
    async with asyncio.timeout(WITHIN):
        while not await house.admin.fetchval(query, decided.delivery_id):
            await asyncio.sleep(0.01)

    (report,) = await house.store.imports_of(decided.delivery_id)
    assert (report.outcome, report.counts.updated) == (Outcome.IMPORTED, 1)
    assert house.source.settled == told
    assert await house.admin.fetchval("SELECT min(price) FROM vehicles") == 20_001


async def test_a_held_file_that_is_approved_is_told_to_its_source_again(house):
    garbage = b"".join(b"TBD\t\tZeta\t\t%d\n" % number for number in range(20))
    house.source.drop("a.tsv", lot(3) + garbage, "lot")
    assert await house.outcome("a.tsv") is Outcome.HELD
    (report,) = await house.store.imports()
    assert (await house.store.approve(report.import_id)).refusal is None

    assert await house.outcome("a.tsv") is Outcome.IMPORTED
    (loaded,) = await house.store.imports()
    assert (loaded.import_id, loaded.outcome) == (report.import_id, Outcome.IMPORTED)
    (papers,) = [papers for _, papers in house.source.settled.values()]
    assert b'"outcome": "imported"' in papers[".report.json"]
    assert [settlement.outcome for settlement in house.heard.settlements] == ["held", "imported"]


async def test_a_held_file_that_is_denied_is_told_to_its_source_as_rejected(house):
    garbage = b"".join(b"TBD\t\tZeta\t\t%d\n" % number for number in range(20))
    house.source.drop("a.tsv", lot(3) + garbage, "lot")
    assert await house.outcome("a.tsv") is Outcome.HELD
    (report,) = await house.store.imports()
    await house.store.deny(report.import_id)

    assert await house.outcome("a.tsv") is Outcome.REJECTED
    (papers,) = [papers for _, papers in house.source.settled.values()]
    assert b'"reason": "denied"' in papers[".report.json"]
    assert set(papers) == {".report.json", ".rejected.tsv"}
