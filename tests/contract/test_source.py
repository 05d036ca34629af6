"""What every Source must keep, whatever it watches."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ingestd.config import Folder
from ingestd.doors import Source
from ingestd.errors import TryAgain
from ingestd.model import Arrival, Delivery, Outcome
from ingestd.sources.folder import FolderSource
from ingestd.sources.spool import Spool
from tests.contract.fakes import (
    DEADLINE,
    START,
    MemorySource,
    Taker,
    delivery,
    paper,
    watching,
)

PAPERS = (paper(".report.json", b'{"a":', b" 1}"), paper(".rejected.tsv", b"line\treason\n"))


@dataclass
class Bench:
    """A source, how to put something into it, and how to see what it did."""

    source: Source
    drop: Callable[[str, bytes], None]
    spooled: Callable[[str], bytes]
    papers: Callable[[Delivery, Outcome], dict[str, bytes]]


@pytest.fixture(params=["memory", "folder"])
def bench(request, tmp_path) -> Bench:
    return _memory() if request.param == "memory" else _folder(tmp_path)


def _memory() -> Bench:
    source = MemorySource("drop")
    return Bench(
        source,
        lambda name, content: source.drop(name, content, "matteson"),
        source.spool.__getitem__,
        lambda delivery, outcome: source.settled[delivery.id][1],
    )


def _folder(tmp_path) -> Bench:
    spool = Spool(tmp_path / "state", 1 << 20)
    root = tmp_path / "drop"
    (root / "incoming" / "matteson").mkdir(parents=True)

    async def clock():
        return START

    def papers(delivery: Delivery, outcome: Outcome) -> dict[str, bytes]:
        place = root / {Outcome.IMPORTED: "imported", Outcome.REJECTED: "rejected"}[outcome]
        stem = f"20261123T060000Z-{delivery.id}-{delivery.arrival.name.removesuffix('.tsv')}"
        found = place.glob(f"{stem}.*.*")
        return {file.name.removeprefix(stem): file.read_bytes() for file in found}

    return Bench(
        FolderSource(Folder(name="drop", path=str(root)), spool, clock, ("matteson",)),
        lambda name, content: _write(root / "incoming" / "matteson" / name, content),
        lambda sha256: spool.path(sha256).read_bytes(),
        papers,
    )


def _write(path, content):
    path.write_bytes(content)


def test_it_has_the_configured_name(bench):
    assert bench.source.name == "drop"


async def test_what_arrives_is_handed_over_with_its_bytes_spooled(bench):
    async with watching(bench.source) as taker:
        bench.drop("lot.tsv", b"VIN\tPrice\n")
        (arrival,) = await taker.until(1)
    assert bench.spooled(arrival.sha256) == b"VIN\tPrice\n"
    assert (arrival.source, arrival.kind, arrival.name) == ("drop", "folder", "lot.tsv")
    assert (arrival.size, arrival.hint, arrival.lane) == (10, "matteson", "matteson")
    assert arrival.first_seen.utcoffset() is not None


async def test_what_was_there_before_is_handed_over_too(bench):
    bench.drop("lot.tsv", b"early")
    async with watching(bench.source) as taker:
        (arrival,) = await taker.until(1)
    assert bench.spooled(arrival.sha256) == b"early"


async def test_the_same_bytes_again_are_another_arrival(bench):
    async with watching(bench.source) as taker:
        bench.drop("lot.tsv", b"same")
        await taker.until(1)
        bench.drop("lot.tsv", b"same")
        first, second = await taker.until(2)
    assert first.key != second.key
    assert first.first_seen < second.first_seen


async def test_what_was_not_settled_is_handed_over_again_as_the_same_arrival(bench):
    async with watching(bench.source) as taker:
        bench.drop("one.tsv", b"1")
        await taker.until(1)
        bench.drop("two.tsv", b"2")
        before = list(await taker.until(2))
    async with watching(bench.source) as again:
        assert await again.until(2) == before


async def test_what_was_settled_is_not_handed_over_again(bench):
    async with watching(bench.source) as taker:
        bench.drop("one.tsv", b"1")
        (one,) = await taker.until(1)
        await bench.source.settle(delivery(one), Outcome.IMPORTED, PAPERS)
    async with watching(bench.source) as again:
        bench.drop("two.tsv", b"2")
        (arrival,) = await again.until(1)
    assert arrival.name == "two.tsv"


async def test_the_papers_are_kept_whole(bench):
    async with watching(bench.source) as taker:
        bench.drop("lot.tsv", b"x")
        (arrival,) = await taker.until(1)
    await bench.source.settle(delivery(arrival), Outcome.REJECTED, PAPERS)
    kept = bench.papers(delivery(arrival), Outcome.REJECTED)
    assert kept == {".report.json": b'{"a": 1}', ".rejected.tsv": b"line\treason\n"}


async def test_settling_again_is_harmless(bench):
    async with watching(bench.source) as taker:
        bench.drop("lot.tsv", b"x")
        (arrival,) = await taker.until(1)
    for _ in range(3):
        await bench.source.settle(delivery(arrival), Outcome.IMPORTED, PAPERS)
    assert len(bench.papers(delivery(arrival), Outcome.IMPORTED)) == 2


@pytest.mark.parametrize("error", [TryAgain("the database is away"), RuntimeError("a bug")])
async def test_what_take_raises_ends_the_watch_and_the_arrival_comes_again(bench, error):
    refused: list[Arrival] = []

    async def refuse(arrival: Arrival) -> None:
        refused.append(arrival)
        raise error

    bench.drop("lot.tsv", b"x")
    with pytest.raises(type(error)) as raised:
        async with asyncio.timeout(DEADLINE):
            await bench.source.watch(refuse)
    assert raised.value is error
    async with watching(bench.source) as taker:
        assert await taker.until(1) == refused


async def test_a_cancelled_watch_ends_as_cancelled(bench):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.source.watch(Taker().take))
        bench.drop("lot.tsv", b"x")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
