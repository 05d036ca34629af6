"""Mails that are made to hurt, and large ones, through the real parser processes."""

import asyncio
import base64
import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestd.config import Config, Feed
from ingestd.config import Workers as Processes
from ingestd.feed.encode import own_target
from ingestd.model import Arrival, File, Finished, ReadJob
from ingestd.workers import Workers
from tests.unit import bombs
from tests.unit.mails import LOT, TABLE, forwarded, mail, named, nested, part

FEED = Feed(name="lot", dealership=1, mode="full")
#: Seconds for one bomb (the design's; they take less than one), MiB above an idle parser.
DEADLINE = 5
MEMORY = 40
SIZE = 34 << 20

HEADER = "VIN\tStock\tYear\tMake\tModel\tPrice\tMiles\tDescription"
MAKES = ("Ford", "Kia", "Audi", "Ram")


def attached(name, body):
    """Give a mail with one file in base64."""
    headers = [named(name), b"Content-Transfer-Encoding: base64"]
    return mail(part(headers, base64.encodebytes(body)))


def filled(unit):
    """Give as many of them as a mail may have bytes, less a header or two."""
    return unit * (SIZE // len(unit))


def sections(count):
    return b"x; " + b"; ".join(b"filename*%d*=%%41" % number for number in range(count))


def table(size):
    """Give a lot of so many bytes: stock numbers, no VINs."""
    rows, length = [HEADER], 0
    while length < size:
        number = len(rows)
        make = MAKES[number % len(MAKES)]
        text = f"{make} number {number}, one owner, serviced. " * 8
        rows.append(f"\tS{number}\t2020\t{make}\tModel {number % 90}\t{9000 + number}\t7\t{text}")
        length += len(rows[-1]) + 1
    return "\n".join(rows).encode() + b"\n", len(rows) - 1


MESSAGES = {
    "encoded-words": (
        lambda: b"Subject: " + b"=?utf-8?q?x?= " * 20_000 + b"\r\n\r\n" + TABLE,
        "too_large",
    ),
    "empty-parts": (lambda: mail(*[b"\r\n"] * 100_000), "too_many_members"),
    "multiparts": (lambda: nested(2_000, LOT), "too_large"),
    "messages": (lambda: b"X: y\r\nContent-Type: message/rfc822\r\n\r\n" * 2_000, "too_large"),
    "comments": (lambda: part([b"To: " + b"(" * 3_000], b""), "no_table"),
    "sections": (lambda: part([named(sections(5_000))]), "too_large"),
    "sections-in-many-parts": (
        lambda: mail(*[part([named(sections(700))])] * 190),
        "too_many_members",
    ),
    "a-pattern": (
        lambda: mail(b"\r\n", boundary=b'"(a+)+$(.*)*"') + filled(b"\r\n--aaaaaaaaaaaaaaaaa"),
        "no_table",
    ),
    "lines-like-boundaries": (lambda: nested(19, b"\r\n" + filled(b"\n--b")), "no_table"),
    "headers": (lambda: mail(*[filled(b"a:\n")[: SIZE // 150]] * 150), "too_large"),
    "encoded-messages": (
        lambda: forwarded(forwarded(forwarded(mail(*[LOT] * 60, b"\r\n" + b"x" * (12 << 20))))),
        "too_many_members",
    ),
    "too-large": (lambda: mail(b"\r\n" + b"x" * (36 << 20)), "too_large"),
}


class Post:
    """A spool of one mail, and one parser that reads it."""

    def __init__(self, directory: Path, content: bytes) -> None:
        self.file = directory / "mail.eml"
        self.file.write_bytes(content)
        processes = Processes(processes=1, memory=512 << 20, deadline=60)
        self.workers = Workers(Config(workers=processes, feed=(FEED,)), lambda _: self.file)
        self.arrival = Arrival(
            source="drop",
            kind="folder",
            key="k",
            name="mail.eml",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            first_seen=datetime(2026, 11, 24, tzinfo=UTC),
            hint="lot",
        )

    async def warmed(self) -> None:
        """Let the parser do a small job, so that only the mail's own cost is seen."""
        content = self.file.read_bytes()
        self.file.write_bytes(attached(b"lot.tsv", table(1000)[0]))
        await self.opened()
        await self.read(1000)
        self.file.write_bytes(content)
        (parser,) = self.workers._alive
        Path(f"/proc/{parser.process.pid}/clear_refs").write_text("5")  # forget the peak

    async def opened(self) -> tuple[File, ...]:
        async with asyncio.timeout(DEADLINE):
            return (await self.workers.open(self.arrival)).files

    async def read(self, size: int) -> tuple[int, Finished]:
        file = File(0, "lot.tsv", size, "lot")
        job = ReadJob(
            self.arrival.sha256, "folder", "mail.eml", (file,), 1, "2026-11-24", own_target()
        )
        rows, last = 0, None
        async with self.workers.read(job) as reading:
            async for item in reading:
                if isinstance(item, Finished):
                    last = item
                else:
                    rows += item.count(b"\n")
        assert last is not None
        return rows, last

    def memory(self, what: str) -> int:
        """Give MiB of the one parser: ``VmRSS`` now or ``VmHWM`` at its highest."""
        (parser,) = self.workers._alive
        status = Path(f"/proc/{parser.process.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) >> 10


async def refused(post: Post) -> tuple[list[str | None], float, int]:
    """Open a mail: the reasons for which its files are refused, seconds, MiB above idle."""
    async with post.workers:
        await post.warmed()
        idle, begin = post.memory("VmRSS"), time.monotonic()
        files = await post.opened()
        return (
            [file.reason for file in files],
            time.monotonic() - begin,
            post.memory("VmHWM") - idle,
        )


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_message_that_is_a_bomb_is_refused_in_time_and_within_memory(name, tmp_path):
    make, reason = MESSAGES[name]
    reasons, seconds, memory = await refused(Post(tmp_path, make()))

    assert reasons == [reason]
    assert seconds < DEADLINE
    assert memory < MEMORY


@pytest.mark.parametrize("name", bombs.ALL)
async def test_an_archive_that_is_a_bomb_is_refused_in_time_and_within_memory(name, tmp_path):
    make, reason = bombs.ALL[name]
    data = make()[: 25 << 20]
    ending = b".gz" if data.startswith(b"\x1f\x8b") else b".zip"
    reasons, seconds, memory = await refused(Post(tmp_path, attached(b"lot" + ending, data)))

    assert reasons == [reason]
    assert seconds < DEADLINE
    assert memory < MEMORY


async def test_an_attachment_of_25_mb_is_read_within_40_mib_more_than_an_idle_parser_has(tmp_path):
    content, count = table(25 << 20)
    post = Post(tmp_path, attached(b"lot.tsv", content))
    async with post.workers:
        await post.warmed()
        idle = post.memory("VmRSS")
        (file,) = await post.opened()
        opened = post.memory("VmHWM") - idle
        rows, finished = await post.read(len(content))
        whole = post.memory("VmHWM") - idle

    assert (file.name, file.size, file.reason) == ("lot.tsv", len(content), None)
    assert (rows, finished.files[0].rows, finished.files[0].rejected) == (count, count, 0)
    assert opened < 10
    assert whole < MEMORY


async def test_after_a_bomb_the_same_parser_reads_the_next_mail(tmp_path):
    post = Post(tmp_path, nested(2_000, LOT))
    content, count = table(2000)
    async with post.workers:
        await post.opened()
        (parser,) = post.workers._alive
        post.file.write_bytes(attached(b"lot.tsv", content))
        assert (await post.read(len(content)))[0] == count
        assert post.workers._alive == {parser}
