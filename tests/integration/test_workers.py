"""The parser processes: one job after the other, within limits, and no secrets in them."""

import asyncio
import hashlib
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestd.config import Config, Feed
from ingestd.config import Workers as Limits
from ingestd.errors import ReadFailed, Refused
from ingestd.feed.encode import own_target
from ingestd.model import Arrival, Excerpt, File, Finished, Known, ReadJob
from ingestd.rooftops import Rooftops
from ingestd.workers import Workers
from tests.acceptance.lots import HEADER, lot, vin

FEED = Feed(name="lot", dealership=1, mode="full")


class Place:
    """A spool of one file, and workers that read it."""

    def __init__(self, directory: Path, content: bytes, **limits: object) -> None:
        self.file = directory / "lot.tsv"
        self.file.write_bytes(content)
        workers = Limits.model_validate({"processes": 1, **limits})
        self.restarts = 0
        self.workers = Workers(
            Config(workers=workers, feed=(FEED,)), lambda _: self.file, on_restart=self.restarted
        )
        self.arrival = Arrival(
            source="drop",
            kind="folder",
            key="k",
            name="lot.tsv",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            first_seen=datetime(2026, 11, 24, tzinfo=UTC),
            hint="lot",
        )

    def restarted(self) -> None:
        self.restarts += 1

    @property
    def job(self) -> ReadJob:
        file = File(0, "lot.tsv", self.arrival.size, "lot")
        return ReadJob(
            self.arrival.sha256, "folder", "lot.tsv", (file,), 1, "2026-11-24", own_target()
        )

    def pids(self) -> list[int]:
        return [parser.process.pid for parser in self.workers._alive]


async def read(place: Place) -> tuple[bytes, Finished]:
    blocks, last = b"", None
    async with place.workers.read(place.job) as reading:
        async for item in reading:
            if isinstance(item, Finished):
                last = item
            else:
                blocks += item
    assert last is not None
    return blocks, last


async def test_a_delivery_is_opened_and_read(tmp_path):
    place = Place(tmp_path, lot(3))
    async with place.workers as workers:
        (file,) = (await workers.open(place.arrival)).files
        blocks, finished = await read(place)

    assert (file.feed, file.reason) == ("lot", None)
    assert blocks.count(b"\n") == 3
    assert (finished.files[0].rows, finished.files[0].lines) == (3, 4)


async def test_what_is_a_dummy_at_one_rooftop_of_a_group_is_known_to_the_parser(tmp_path):
    head, *rows = lot(2).decode().splitlines()
    mixed = [f"{head}\tDealerID", f"{rows[0]}\tN", f"{rows[0]}\tS", ""]
    place = Place(tmp_path, "\n".join(mixed).encode())
    group = Rooftops(column="DealerID", map={"N": 1, "S": 2})
    feed = Feed(name="lot", dealership=1, mode="full", rooftops=group)
    place.workers = Workers(Config(feed=(feed,)), lambda _: place.file)
    known = Known(rooftops={1: frozenset(), 2: frozenset({vin(1)})})
    async with place.workers as workers, workers.read(replace(place.job, known=known)) as reading:
        *_, last = [item async for item in reading]

    assert isinstance(last, Finished)
    assert [part.files[0].warnings for part in last.parts] == [0, 1]


async def test_one_parser_does_all_the_jobs(tmp_path):
    place = Place(tmp_path, lot(3))
    async with place.workers as workers:
        await workers.open(place.arrival)
        first = place.pids()
        await read(place)
        assert place.pids() == first


async def test_a_parser_is_renewed_after_its_share_of_jobs(tmp_path):
    place = Place(tmp_path, lot(3), recycle_after=1)
    async with place.workers:
        await read(place)
        assert place.pids() == []
        assert (await read(place))[1].files[0].rows == 3

    assert place.restarts == 0


async def test_rejected_lines_can_be_had_again(tmp_path):
    place = Place(tmp_path, lot(2) + b"not a row\n")
    wanted = Excerpt(place.arrival, 0, "lot", ((4, "too_few_cells"),))
    async with place.workers as workers:
        text = b"".join([block async for block in workers.excerpt(wanted)])

    assert text.decode() == f"line\treason\t{HEADER}\n4\ttoo_few_cells\tnot a row\n"


async def test_a_reading_that_is_left_early_leaves_no_parser_in_the_middle_of_it(tmp_path):
    place = Place(tmp_path, lot(5000))
    async with place.workers:
        async with place.workers.read(place.job) as reading:
            await anext(aiter(reading))
        assert (await read(place))[1].files[0].rows == 5000


async def test_a_parser_that_is_killed_is_a_failure_and_the_next_job_gets_another(tmp_path):
    place = Place(tmp_path, lot(3))
    async with place.workers:
        await read(place)
        os.kill(place.pids()[0], signal.SIGKILL)
        with pytest.raises(ReadFailed, match="SIGKILL"):
            await read(place)
        assert (await read(place))[1].files[0].rows == 3

    assert place.restarts == 1


async def freeze_and_read(place: Place) -> None:
    async with place.workers.read(place.job) as reading:
        os.kill(place.pids()[0], signal.SIGSTOP)
        async for _ in reading:
            pass


async def test_a_parser_that_gives_no_answer_is_late(tmp_path):
    place = Place(tmp_path, lot(3), deadline=0.5)
    async with place.workers:
        with pytest.raises(ReadFailed, match=r"no answer within 0.5 s"):
            await freeze_and_read(place)


async def test_too_little_memory_is_a_failure_that_names_the_option(tmp_path):
    place = Place(tmp_path, lot(2000) * 4000, memory=160 << 20)
    place.file = tmp_path / "lot.zip"
    place.file.write_bytes(b"PK\x03\x04" + bytes(300 << 20))
    async with place.workers as workers:
        with pytest.raises(ReadFailed, match=r"workers\.memory"):
            await workers.open(place.arrival)


async def test_a_bug_refuses_the_delivery_and_tells_no_value(tmp_path):
    place = Place(tmp_path, lot(3))
    place.file.unlink()  # the spool never loses a file: for the parser this is a bug
    async with place.workers as workers:
        with pytest.raises(Refused) as caught:
            await workers.open(place.arrival)
        place.file.write_bytes(lot(3))
        assert (await workers.open(place.arrival)).files[0].feed == "lot"

    assert caught.value.reason == "internal_error"
    assert "FileNotFoundError at" in str(caught.value)


async def test_a_parser_knows_no_secret_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:canary@h/d")
    place = Place(tmp_path, lot(3))
    async with place.workers:
        await read(place)
        environ = Path(f"/proc/{place.pids()[0]}/environ").read_bytes()

    assert b"canary" not in environ


async def test_no_parser_is_left_behind(tmp_path):
    place = Place(tmp_path, lot(3))
    async with place.workers:
        await read(place)
        (pid,) = place.pids()

    assert not Path(f"/proc/{pid}").exists()


async def test_parsers_work_side_by_side(tmp_path):
    place = Place(tmp_path, lot(500), processes=2)
    async with place.workers:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(place)) for _ in range(4)]
        assert len(place.pids()) == 2

    assert [task.result()[1].files[0].rows for task in tasks] == [500] * 4
