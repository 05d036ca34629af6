"""A watched folder on a real disk, with the real watchfiles."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ingestd.config import Folder
from ingestd.errors import Misconfigured, TryAgain
from ingestd.model import Arrival, Outcome, Paper
from ingestd.sources.claims import Handing, claim_all, spooled
from ingestd.sources.folder import FolderSource
from ingestd.sources.ground import prepare
from ingestd.sources.rounds import Rounds
from ingestd.sources.scan import Spot
from ingestd.sources.spool import Spool, Unreadable
from tests.contract.fakes import DEADLINE, START, Taker, delivery, paper, watching

CAP = 1 << 20
REPORT = paper(".report.json", b"{}")
PAPERS = (REPORT, paper(".rejected.tsv", b"line\treason\n"))
CLAIM = "20261123T060000.00000{}Z-0123abcd-{}"


async def clock() -> datetime:
    return START


class Drop:
    """A watched folder in a scratch directory."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "drop"
        self.incoming = self.root / "incoming"
        self.feed = self.incoming / "matteson"
        self.working = self.root / "working" / "matteson"
        self.feed.mkdir(parents=True)
        self.working.mkdir(parents=True)
        self.spool = Spool(tmp_path / "state", CAP)

    def source(self, **options) -> FolderSource:
        config = Folder(name="drop", path=str(self.root), **{"stable_for": 0.05, **options})
        return FolderSource(config, self.spool, clock, ("matteson",))

    def content(self, arrival: Arrival) -> bytes:
        return self.spool.path(arrival.sha256).read_bytes()

    def listing(self, place: str) -> set[str]:
        return {file.name for file in (self.root / place).iterdir()}


@pytest.fixture
def drop(tmp_path) -> Drop:
    return Drop(tmp_path)


class Writer:
    """Another process that writes a file at our command."""

    SCRIPT = """
        import sys
        file = open(sys.argv[1], "wb", buffering=0)
        for line in sys.stdin:
            file.write(line.encode())
            print(flush=True)
        file.close()
    """

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(self.SCRIPT), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, line: str) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        process.stdout.readline()

    def close(self) -> None:
        self._process.communicate()


# Stillness.


async def test_a_dropped_file_is_taken_within_three_seconds_as_delivered(drop):
    source = FolderSource(Folder(name="drop", path=str(drop.root)), drop.spool, clock)
    async with watching(source) as taker:
        (drop.feed / "first.tsv").write_bytes(b"x")
        await taker.until(1)
        (drop.feed / "lot.tsv").write_bytes(b"x")
        async with asyncio.timeout(3):
            await taker.until(2)


async def test_a_slow_writers_file_is_taken_only_when_it_is_closed(drop):
    async with watching(drop.source(stable_for=5)) as taker:
        writer = Writer(drop.feed / "slow.tsv")
        for number in range(3):  # each other file takes as long as stillness needs
            writer.write(f"line {number}")
            (drop.feed / f"{number}.tsv").write_bytes(b"x")
            await taker.until(number + 1)
        assert {a.name for a in taker.arrivals} == {"0.tsv", "1.tsv", "2.tsv"}
        writer.close()
        arrival = (await taker.until(4))[-1]
    assert arrival.name == "slow.tsv"
    assert drop.content(arrival) == b"line 0\nline 1\nline 2\n"


async def test_a_writer_that_kept_its_descriptor_through_the_claim_is_waited_for(drop):
    writer = Writer(drop.working / CLAIM.format(1, "slow.tsv"))
    writer.write("half")
    (drop.working / CLAIM.format(2, "other.tsv")).write_bytes(b"x")
    async with watching(drop.source(stable_for=5)) as taker:
        await taker.until(1)
        (drop.feed / "new.tsv").write_bytes(b"x")
        await taker.until(2)
        assert [a.name for a in taker.arrivals] == ["other.tsv", "new.tsv"]
        writer.write("whole")
        writer.close()
        arrival = (await taker.until(3))[-1]
    assert drop.content(arrival) == b"half\nwhole\n"


async def test_a_file_renamed_into_place_is_taken_once_and_whole(drop):
    async with watching(drop.source()) as taker:
        part = drop.feed / "lot.tsv.part"
        part.write_bytes(b"whole")
        part.rename(drop.feed / "lot.tsv")
        (arrival,) = await taker.until(1)
        (drop.feed / "next.tsv").write_bytes(b"x")
        await taker.until(2)
    assert (arrival.name, drop.content(arrival)) == ("lot.tsv", b"whole")


async def test_a_time_in_the_future_does_not_hold_a_file_up(drop):
    file = drop.feed / "lot.tsv"
    file.write_bytes(b"x")
    os.utime(file, (2**33, 2**33))
    async with watching(drop.source()) as taker:
        await taker.until(1)


async def test_an_empty_file_is_taken(drop):
    (drop.feed / "lot.tsv").touch()
    async with watching(drop.source(stable_for=0.3)) as taker:
        (arrival,) = await taker.until(1)
    assert (arrival.size, drop.content(arrival)) == (0, b"")


async def test_where_no_lease_can_tell_a_file_must_be_unchanged_for_stable_for(drop):
    config = Folder(name="drop", path=str(drop.root), stable_for=0.7, poll_every=0.1)
    taker = Taker()
    with prepare(config, ()) as ground:
        handing = Handing("drop", drop.spool, exact=False)
        writer = Writer(drop.feed / "lot.tsv")
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(Rounds(config, ground, handing, clock, taker.take).run())
            written = loop.time()
            for number in range(3):
                written = loop.time()
                await asyncio.to_thread(writer.write, f"line {number}")
            (arrival,) = await taker.until(1)
            assert loop.time() - written >= 0.7
            task.cancel()
        writer.close()
    assert drop.content(arrival).endswith(b"line 2\n")


_LEASES = """
    import os, sys, threading
    from ingestd.sources.scan import writer
    from ingestd.sources.stillness import Writer
    path, stop = sys.argv[1], threading.Event()
    open(path, "wb").close()
    def open_and_close():
        while not stop.is_set():
            os.close(os.open(path, os.O_WRONLY))
    threads = [threading.Thread(target=open_and_close) for _ in range(2)]
    for thread in threads: thread.start()
    descriptor = os.open(path, os.O_RDONLY)
    seen = {writer(descriptor) for _ in range(20000)}
    stop.set()
    for thread in threads: thread.join()
    assert seen - {Writer.NOBODY} == {Writer.SOMEBODY}, seen
    assert writer(descriptor) is Writer.NOBODY
"""


def test_whoever_opens_a_file_during_the_lease_test_does_not_kill_us(tmp_path):
    script = textwrap.dedent(_LEASES)
    command = [sys.executable, "-c", script, str(tmp_path / "lot.tsv")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# What is taken, and in which order.


async def test_a_thousand_files_are_taken_in_the_order_of_their_times(drop):
    for number in range(1000):
        file = drop.feed / f"{999 - number:03}.tsv"
        file.write_bytes(b"%d" % number)
        os.utime(file, ns=(0, number // 2))  # two of one time go by name
    async with watching(drop.source()) as taker:
        arrivals = await taker.until(1000)
    by_time = [f"{name:03}" for two in range(998, -1, -2) for name in (two, two + 1)]
    assert [a.name.removesuffix(".tsv") for a in arrivals] == by_time
    moments = [a.first_seen for a in arrivals]
    assert moments == sorted(set(moments))
    assert Counter(drop.content(a) for a in arrivals) == Counter(b"%d" % n for n in range(1000))


async def test_a_burst_while_watching_loses_and_doubles_nothing(drop):
    async with watching(drop.source()) as taker:
        for number in range(1000):
            (drop.feed / f"{number}.tsv").write_bytes(b"x")
        arrivals = await taker.until(1000)
        assert len({a.key for a in arrivals}) == 1000
        assert {a.name for a in arrivals} == {f"{n}.tsv" for n in range(1000)}
        assert not any(drop.feed.iterdir())


async def test_the_folder_of_a_feed_is_made_and_is_the_hint(drop):
    shutil.rmtree(drop.root)
    async with watching(drop.source()) as taker:
        await until(drop.feed.is_dir)
        drop.feed.joinpath("lot.tsv").write_bytes(b"x")
        await taker.until(1)
        drop.incoming.joinpath("bare.tsv").write_bytes(b"x")
        await taker.until(2)
        drop.incoming.joinpath("stranger").mkdir()
        drop.incoming.joinpath("stranger", "lot.tsv").write_bytes(b"x")
        hints = [(a.hint, a.lane) for a in await taker.until(3)]
    assert hints == [("matteson", "matteson"), (None, "?"), ("stranger", "stranger")]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"gr\xf6\xdfe.tsv", "gr\ufffd\ufffde.tsv"),
        (b"two\nlines\x1b[2J.tsv", "two\ufffdlines\ufffd[2J.tsv"),
        (b"x" * 251 + b".tsv", "x" * 196 + ".tsv"),
        (b"\xff" * 255, "\ufffd" * 66),
        (b"-rf ..; $(touch x).tsv", "-rf ..; $(touch x).tsv"),
    ],
)
async def test_a_strange_name_is_taken_shown_clean_and_settled(drop, raw, shown):
    source = drop.source()
    async with watching(source) as taker:
        (drop.feed / os.fsdecode(raw)).write_bytes(b"strange")
        (arrival,) = await taker.until(1)
        assert (arrival.name, drop.content(arrival)) == (shown, b"strange")
        await source.settle(delivery(arrival), Outcome.REJECTED, PAPERS)
        (drop.feed / "next.tsv").write_bytes(b"x")  # the watch survives such names
        await taker.until(2)
    settled = f"20261123T060000Z-9-{shown}"
    assert (drop.root / "rejected" / settled).read_bytes() == b"strange"
    assert len(drop.listing("rejected")) == 3


async def test_a_folder_that_looks_like_a_feeds_when_cleaned_is_no_hint_at_it(drop):
    other = drop.incoming / "matteson\x01"
    other.mkdir()
    (other / "lot.tsv").write_bytes(b"x")
    async with watching(drop.source()) as taker:
        (arrival,) = await taker.until(1)
    assert arrival.hint == "matteson\ufffd"


async def test_a_file_that_is_too_large_arrives_with_its_refusal_and_without_its_bytes(drop):
    with (drop.feed / "huge.tsv").open("wb") as file:
        file.truncate(CAP + 1)
    source = drop.source()
    async with watching(source) as taker:
        (arrival,) = await taker.until(1)
    assert (arrival.refused, arrival.size) == ("too_large", CAP + 1)
    assert "limits.file_size" in arrival.message
    assert drop.content(arrival) == b""
    await source.settle(delivery(arrival), Outcome.REJECTED, (REPORT,))
    assert (drop.root / "rejected" / "20261123T060000Z-9-huge.tsv").stat().st_size == CAP + 1


async def test_what_is_no_plain_file_stays_and_is_told_once(drop, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (drop.feed / "link.tsv").symlink_to(secret)
    os.link(secret, drop.feed / "hard.tsv")
    os.mkfifo(drop.feed / "fifo.tsv")
    (drop.feed / "folder.tsv").mkdir()
    (drop.feed / "folder.tsv" / "deep.tsv").write_bytes(b"x")
    (drop.incoming / "elsewhere").symlink_to(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(drop.feed / "socket.tsv"))
    left = {"link.tsv", "hard.tsv", "fifo.tsv", "folder.tsv", "socket.tsv"}
    with capture_logs() as logs:
        async with watching(drop.source()) as taker:
            for number in range(2):
                (drop.feed / f"{number}.tsv").write_bytes(b"x")
                await taker.until(number + 1)
    assert {a.name for a in taker.arrivals} == {"0.tsv", "1.tsv"}
    assert {file.name for file in drop.feed.iterdir()} == left
    told = [entry["file"] for entry in logs if entry["event"] == "file.left"]
    assert sorted(told) == sorted([*(f"matteson/{name}" for name in left), "elsewhere"])


async def test_the_patterns_of_ignore_stay_without_a_word(drop):
    ignored = {".hidden", "lot.tsv.part", "LOT.TMP", "lot.tsv~", "Thumbs.db", ".ingestd-x"}
    for name in ignored:
        (drop.feed / name).write_bytes(b"x")
    with capture_logs() as logs:
        async with watching(drop.source()) as taker:
            (drop.feed / "lot.tsv").write_bytes(b"x")
            await taker.until(1)
    assert {file.name for file in drop.feed.iterdir()} == ignored
    assert not [entry for entry in logs if entry["event"] == "file.left"]


@pytest.mark.parametrize("swapped", ["symlink", "fifo"])
async def test_what_was_swapped_in_between_look_and_claim_is_not_read(drop, tmp_path, swapped):
    (tmp_path / "secret").write_bytes(b"secret")
    if swapped == "fifo":
        os.mkfifo(drop.feed / "lot.tsv")
    else:
        (drop.feed / "lot.tsv").symlink_to(tmp_path / "secret")
    with prepare(Folder(name="drop", path=str(drop.root)), ()) as ground:
        spot = Spot(b"matteson", b"lot.tsv")
        ((_, claim),) = claim_all(ground, [(spot, START)]).claims
        with pytest.raises(Unreadable, match=claim.file):
            spooled(ground, claim, Handing("drop", drop.spool, exact=True), lambda _: True)
    async with watching(drop.source()) as taker:  # and it holds up nobody else
        (drop.feed / "next.tsv").write_bytes(b"x")
        await taker.until(1)
    assert (drop.working / claim.file).lstat()


async def test_of_two_who_watch_each_file_is_claimed_by_one(drop):
    """Who enters late may be handed what the other claimed, but under the same key."""
    taken: set[tuple[str, str]] = set()
    enough = asyncio.Event()

    async def take(arrival: Arrival) -> None:
        taken.add((arrival.name, arrival.key))
        if len(taken) == 201:
            enough.set()

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        tasks = [group.create_task(drop.source().watch(take)) for _ in range(2)]
        for number in range(201):
            (drop.feed / f"{number}.tsv").write_bytes(b"%d" % number)
            await asyncio.sleep(0)
        await enough.wait()
        for task in tasks:
            task.cancel()
    assert {name for name, _ in taken} == {f"{n}.tsv" for n in range(201)}
    assert len(list(drop.working.iterdir())) == 201


async def test_polling_finds_files_too(drop):
    async with watching(drop.source(watch="poll", poll_every=0.2)) as taker:
        (drop.feed / "lot.tsv").write_bytes(b"x")
        await taker.until(1)


async def test_leftovers_come_in_order_and_foreign_files_in_working_stay(drop):
    (drop.working / CLAIM.format(2, "two.tsv")).write_bytes(b"2")
    (drop.root / "working" / CLAIM.format(1, "one.tsv")).write_bytes(b"1")
    (drop.working / CLAIM.format(3, "three.tsv")).write_bytes(b"3")
    (drop.working / "by-hand.tsv").write_bytes(b"x")
    with capture_logs() as logs:
        async with watching(drop.source()) as taker:
            arrivals = await taker.until(3)
    assert [(a.name, a.hint, a.first_seen.microsecond) for a in arrivals] == [
        ("one.tsv", None, 1),
        ("two.tsv", "matteson", 2),
        ("three.tsv", "matteson", 3),
    ]
    assert [e["file"] for e in logs if e["event"] == "file.left"] == [
        "working/matteson/by-hand.tsv"
    ]


_KILLED = """
    import asyncio, sys
    from datetime import UTC, datetime
    from ingestd.config import Folder
    from ingestd.sources.folder import FolderSource
    from ingestd.sources.spool import Spool
    async def clock():
        return datetime(2026, 11, 23, 6, tzinfo=UTC)
    async def take(arrival):
        print(arrival.key, file=sys.stderr, flush=True)
        await asyncio.Event().wait()
    config = Folder(name="drop", path=sys.argv[1])
    asyncio.run(FolderSource(config, Spool(sys.argv[2], 1 << 20), clock).watch(take))
"""


async def test_what_a_killed_process_had_claimed_comes_again_under_the_same_key(drop, tmp_path):
    for number in range(3):
        (drop.feed / f"{number}.tsv").write_bytes(b"%d" % number)
    script = [sys.executable, "-c", textwrap.dedent(_KILLED), str(drop.root), str(tmp_path / "s")]
    process = await asyncio.create_subprocess_exec(
        *script, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    key = (await process.stderr.readline()).decode().strip()
    process.kill()
    await process.wait()
    async with watching(drop.source()) as taker:
        arrivals = await taker.until(3)
    assert arrivals[0].key == key
    assert sorted(drop.content(a) for a in arrivals) == [b"0", b"1", b"2"]


# The folders themselves.


@pytest.mark.parametrize("place", ["incoming", "working", "."])
async def test_a_folder_that_vanishes_ends_the_watch_and_can_be_entered_again(drop, place):
    source = drop.source()

    async def take(arrival: Arrival) -> None:
        shutil.rmtree(drop.root / place)

    (drop.feed / "lot.tsv").write_bytes(b"x")
    with pytest.raises(TryAgain, match=str(drop.root)):
        async with asyncio.timeout(DEADLINE):
            await source.watch(take)
    async with watching(source) as again:
        await until(drop.feed.is_dir)
        (drop.feed / "new.tsv").write_bytes(b"x")
        await until(lambda: "new.tsv" in {a.name for a in again.arrivals})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_replaced_folder_ends_the_watch(drop):
    source, taker = drop.source(), Taker()

    async def take(arrival: Arrival) -> None:
        await taker.take(arrival)
        drop.incoming.rename(drop.root / "old")
        drop.feed.mkdir(parents=True)

    (drop.feed / "lot.tsv").write_bytes(b"x")
    with pytest.raises(TryAgain, match="no longer the folder"):
        async with asyncio.timeout(DEADLINE):
            await source.watch(take)


async def test_a_fault_after_the_first_entry_is_the_worlds_not_the_configurations(drop):
    source = drop.source()
    async with watching(source) as taker:
        (drop.feed / "lot.tsv").write_bytes(b"x")
        await taker.until(1)
    (drop.root / "held").rmdir()
    (drop.root / "held").write_bytes(b"in the way")
    with pytest.raises(TryAgain, match="held is not a folder"):
        await source.watch(taker.take)


_ENTERING = """
    import asyncio, os, sys
    from ingestd.config import Folder
    from ingestd.errors import Misconfigured
    from ingestd.sources.ground import prepare
    import pwd
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    try:
        prepare(Folder(name="drop", path=sys.argv[1]), ("matteson",)).close()
    except Misconfigured as error:
        print(error)
"""


@pytest.fixture
def public(tmp_path):
    """Give a folder where an unprivileged user may work, and which is his."""
    # Not below tmp_path, which only the user who runs the tests may enter.
    place = Path(tempfile.mkdtemp(dir="/tmp", prefix="ingestd-"))
    if os.geteuid() == 0:
        shutil.chown(place, "nobody", "nogroup")
    yield place
    subprocess.run(["chmod", "-R", "u+rwX", str(place)], check=True)
    shutil.rmtree(place)


def entering(place: Path) -> str:
    """Enter the folder as an unprivileged user; give what he is told."""
    command = [sys.executable, "-c", textwrap.dedent(_ENTERING), str(place)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_folders_are_made_where_nothing_is_in_the_way(public):
    assert entering(public / "drop") == ""
    made = {path.name for path in (public / "drop").iterdir()}
    assert made == {"incoming", "working", "imported", "held", "rejected"}
    assert (public / "drop" / "incoming" / "matteson").is_dir()


@pytest.mark.parametrize("place", ["incoming", "incoming/matteson", "working", "rejected"])
def test_a_folder_of_ours_that_is_closed_names_the_chmod(public, place):
    entering(public / "drop")
    (public / "drop" / place).chmod(0o500)
    assert f"run: chmod u+rwx {public}/drop/{place}" in entering(public / "drop")


@pytest.mark.parametrize("place", ["incoming", "incoming/matteson", "working", "held"])
def test_a_folder_of_somebody_else_names_the_chown(public, place):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    entering(public / "drop")
    os.chown(public / "drop" / place, 0, 0)
    (public / "drop" / place).chmod(0o755)
    assert f"run: chown nobody {public}/drop/{place}" in entering(public / "drop")


def test_a_folder_that_cannot_be_made_names_the_mkdir(public):
    public.chmod(0o500)
    assert f"run: mkdir -p {public}/drop && chown " in entering(public / "drop")


def test_a_file_in_the_way_names_the_mv(public):
    (public / "drop").mkdir()
    (public / "drop" / "incoming").write_bytes(b"")
    shown = entering_as_owner(public / "drop")
    assert f"run: mv {public}/drop/incoming {public}/drop/incoming.old" in shown


def entering_as_owner(place: Path) -> str:
    with pytest.raises(Misconfigured) as fault:
        prepare(Folder(name="drop", path=str(place)), ("matteson",))
    return str(fault.value)


def test_every_fault_is_told_at_once(public):
    entering(public / "drop")
    for place in ("working", "held"):
        (public / "drop" / place).chmod(0o500)
    told = entering(public / "drop").splitlines()
    assert len(told) == 2
    assert all(line.startswith("folder[drop].path: ") for line in told)


def test_a_parent_that_anybody_may_change_is_refused(drop):
    drop.root.parent.chmod(0o777)
    assert f"run: chmod o-w {drop.root.parent}" in entering_as_owner(drop.root)
    drop.root.parent.chmod(0o1777)
    prepare(Folder(name="drop", path=str(drop.root)), ()).close()


def test_a_folder_of_ours_that_anybody_may_change_is_refused(drop):
    drop.working.parent.chmod(0o1777)
    assert f"run: chmod o-w {drop.working.parent}" in entering_as_owner(drop.root)


def test_a_sticky_folder_of_somebody_else_is_refused(public):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    entering(public / "drop")
    os.chown(public / "drop" / "incoming", 0, 0)
    (public / "drop" / "incoming").chmod(0o1777)
    assert f"run: chmod -t {public}/drop/incoming" in entering(public / "drop")


async def test_a_folder_for_dropping_that_is_open_to_all_is_told(drop):
    drop.feed.chmod(0o777)
    with capture_logs() as logs:
        async with watching(drop.source()) as taker:
            (drop.feed / "lot.tsv").write_bytes(b"x")
            await taker.until(1)
    assert [e["path"] for e in logs if e["event"] == "folder.open_to_all"] == [str(drop.feed)]


@pytest.fixture
def mounted():
    places: list[Path] = []

    def mount(place: Path, *options: str) -> None:
        command = ["mount", *options, str(place)]
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root can mount another file system for this test")
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not permitted here (CAP_SYS_ADMIN)")
        places.append(place)

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("place", ["working", "imported", "incoming/matteson"])
@pytest.mark.parametrize("way", ["tmpfs", "bind"])
def test_folders_on_different_file_systems_are_refused(drop, mounted, tmp_path, place, way):
    target = drop.root / place
    target.mkdir(exist_ok=True)
    (tmp_path / "other").mkdir()
    options = ("-t", "tmpfs", "none") if way == "tmpfs" else ("--bind", str(tmp_path / "other"))
    mounted(target, *options)
    told = entering_as_owner(drop.root)
    assert "put them on one file system" in told
    assert f"findmnt -T {target}" in told


def test_a_read_only_file_system_names_the_remount(drop, mounted):
    mounted(drop.root, "-t", "tmpfs", "none")
    prepare(Folder(name="drop", path=str(drop.root)), ()).close()
    subprocess.run(["mount", "-o", "remount,ro", str(drop.root)], check=True)
    assert f"run: mount -o remount,rw {drop.root}" in entering_as_owner(drop.root)
    config = Folder(name="drop", path=str(drop.root))
    with pytest.raises(Misconfigured, match=f"run: mount -o remount,rw {drop.root}"):
        prepare(config, ())  # nothing is to be made
    assert f"run: mount -o remount,rw {drop.root}" in entering_as_owner(drop.root)


async def test_a_file_that_may_not_be_read_stays_and_is_told_once(public):
    if os.geteuid() != 0:
        pytest.skip("only root can put a file that another user may not read")
    entering(public / "drop")
    feed = public / "drop" / "incoming" / "matteson"
    (feed / "closed.tsv").write_bytes(b"x")
    (feed / "closed.tsv").chmod(0o600)
    (feed / "open.tsv").write_bytes(b"y")  # of root: whether it is written, nobody may ask
    claim = public / "drop" / "working" / CLAIM.format(1, "claimed.tsv")
    claim.write_bytes(b"z")
    claim.chmod(0o600)
    command = [sys.executable, "-c", textwrap.dedent(_WATCHING_AS_NOBODY), str(public)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    *told, taken = output.decode().splitlines()
    assert sorted(told) == [
        f"file.left matteson/closed.tsv: it cannot be read: Permission denied {ADVICE}",
        f"file.unreadable cannot read {claim}: Permission denied; run: chmod a+r {claim}",
    ]
    assert taken == "taken open.tsv"
    assert (feed / "closed.tsv").exists()
    assert claim.exists()


ADVICE = "(chmod a+r it, or chown it)"


_WATCHING_AS_NOBODY = """
    import _strptime, asyncio, concurrent.futures.thread, os, pwd, sys
    from datetime import UTC, datetime
    from pathlib import Path
    import structlog
    from ingestd.config import Folder
    from ingestd.sources.folder import FolderSource
    from ingestd.sources.spool import Spool
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    def told(logger, method, event):
        if event["event"] == "file.left":
            print("file.left", event["file"] + ":", event["reason"], flush=True)
        if event["event"] == "file.unreadable":
            print("file.unreadable", event["problem"], flush=True)
        raise structlog.DropEvent
    structlog.configure(processors=[told])
    async def clock():
        return datetime(2026, 11, 23, 6, tzinfo=UTC)
    async def take(arrival):
        print("taken", arrival.name, flush=True)
        raise SystemExit
    config = Folder(
        name="drop", path=sys.argv[1] + "/drop", stable_for=0.5, watch="poll", poll_every=0.2
    )
    asyncio.run(FolderSource(config, Spool(sys.argv[1] + "/state", 1 << 20), clock).watch(take))
"""


async def test_a_full_disk_ends_the_watch_and_the_file_stays_ours(drop, mounted, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted(small, "-t", "tmpfs", "-o", "size=200k", "none")
    drop.spool = Spool(small, CAP)
    (drop.feed / "lot.tsv").write_bytes(b"x" * 500_000)
    source = drop.source()
    with pytest.raises(TryAgain, match="No space left"):
        async with asyncio.timeout(DEADLINE):
            await source.watch(Taker().take)
    await asyncio.to_thread(
        subprocess.run, ["mount", "-o", "remount,size=2m", str(small)], check=True
    )
    async with watching(source) as taker:
        (arrival,) = await taker.until(1)
        assert drop.content(arrival) == b"x" * 500_000


# Settling.


@pytest.fixture
async def taken(drop) -> Arrival:
    (drop.feed / "lot.tsv").write_bytes(b"the lot")
    async with watching(drop.source()) as taker:
        (arrival,) = await taker.until(1)
    return arrival


NAME = "20261123T060000Z-9-lot"
ALL = {f"{NAME}.tsv", f"{NAME}.report.json", f"{NAME}.rejected.tsv"}


@pytest.mark.parametrize(
    ("outcome", "place"),
    [
        (Outcome.IMPORTED, "imported"),
        (Outcome.UNCHANGED, "imported"),
        (Outcome.SUPERSEDED, "imported"),
        (Outcome.HELD, "held"),
        (Outcome.REJECTED, "rejected"),
        (Outcome.FAILED, "rejected"),
    ],
)
async def test_a_file_goes_where_its_outcome_belongs_with_its_papers(drop, taken, outcome, place):
    await drop.source().settle(delivery(taken), outcome, PAPERS)
    assert drop.listing(place) == ALL
    assert (drop.root / place / f"{NAME}.tsv").read_bytes() == b"the lot"
    assert (drop.root / place / f"{NAME}.rejected.tsv").read_bytes() == b"line\treason\n"
    assert list(drop.working.iterdir()) == []


async def test_the_papers_are_there_before_the_file_is(drop, taken):
    async def look():
        assert not (drop.root / "imported" / f"{NAME}.tsv").exists()
        yield b"seen"

    await drop.source().settle(delivery(taken), Outcome.IMPORTED, (*PAPERS, Paper(".seen", look)))
    assert drop.listing("imported") == ALL | {f"{NAME}.seen"}


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_settling_that_broke_off_in_the_papers_is_done_by_doing_it_again(drop, taken, at):
    async def broken():
        yield b"half"
        raise TryAgain("the database went away")

    papers = [*PAPERS]
    papers.insert(at, Paper(".broken", broken))
    source = drop.source()
    with pytest.raises(TryAgain):
        await source.settle(delivery(taken), Outcome.IMPORTED, papers)
    assert len(drop.listing("imported")) == at  # whole ones only
    assert len(list(drop.working.iterdir())) == 1
    await source.settle(delivery(taken), Outcome.IMPORTED, PAPERS)
    assert drop.listing("imported") == ALL


async def test_settling_that_was_done_but_not_ticked_off_changes_nothing(drop, taken):
    source = drop.source()
    await source.settle(delivery(taken), Outcome.IMPORTED, PAPERS)
    await source.settle(delivery(taken), Outcome.IMPORTED, PAPERS)
    assert drop.listing("imported") == ALL
    assert (drop.root / "imported" / f"{NAME}.tsv").read_bytes() == b"the lot"


@pytest.mark.parametrize(
    ("outcome", "place"), [(Outcome.IMPORTED, "imported"), (Outcome.REJECTED, "rejected")]
)
async def test_a_held_file_moves_on_with_new_papers_when_it_is_decided(drop, taken, outcome, place):
    source = drop.source()
    await source.settle(delivery(taken), Outcome.HELD, PAPERS)
    await source.settle(delivery(taken), outcome, (REPORT,))
    assert drop.listing("held") == set()
    assert drop.listing(place) == {f"{NAME}.tsv", f"{NAME}.report.json"}


async def test_a_move_that_was_killed_before_old_papers_were_removed_is_finished(drop, taken):
    source = drop.source()
    await source.settle(delivery(taken), Outcome.HELD, PAPERS)
    (drop.root / "imported" / f"{NAME}.report.json").write_bytes(b"{}")
    (drop.root / "held" / f"{NAME}.tsv").rename(drop.root / "imported" / f"{NAME}.tsv")
    await source.settle(delivery(taken), Outcome.IMPORTED, (REPORT,))
    assert drop.listing("held") == set()
    assert drop.listing("imported") == {f"{NAME}.tsv", f"{NAME}.report.json"}


@pytest.mark.parametrize("whole_folder", [False, True])
async def test_a_file_that_a_person_took_still_gets_its_papers(drop, taken, whole_folder):
    (drop.root / "working" / taken.key).unlink()
    if whole_folder:
        drop.working.rmdir()
    with capture_logs() as logs:
        await drop.source().settle(delivery(taken), Outcome.REJECTED, PAPERS)
    assert drop.listing("rejected") == ALL - {f"{NAME}.tsv"}
    assert [entry["event"] for entry in logs] == ["file.gone"]


async def test_no_file_is_ever_written_over(drop, taken):
    (drop.root / "imported" / f"{NAME}.tsv").write_bytes(b"of another")
    await drop.source().settle(delivery(taken), Outcome.IMPORTED, (REPORT,))
    assert (drop.root / "imported" / f"{NAME}.tsv").read_bytes() == b"of another"
    ours = "20261123T060000Z-9-2-lot"
    assert (drop.root / "imported" / f"{ours}.tsv").read_bytes() == b"the lot"
    assert (drop.root / "imported" / f"{ours}.report.json").exists()


async def test_a_missing_folder_is_told_and_settling_is_tried_again(drop, taken):
    (drop.root / "imported").rmdir()
    with pytest.raises(TryAgain, match=r"imported: No such file or directory; .*mkdir -p"):
        await drop.source().settle(delivery(taken), Outcome.IMPORTED, PAPERS)
    (drop.root / "imported").mkdir()
    await drop.source().settle(delivery(taken), Outcome.IMPORTED, PAPERS)
    assert drop.listing("imported") == ALL


async def test_a_settled_name_tells_utc_whatever_zone_the_ledger_answers_in(drop, taken):
    elsewhere = replace(taken, first_seen=datetime.fromisoformat("2026-11-23T01:00:00-05:00"))
    await drop.source().settle(delivery(elsewhere), Outcome.IMPORTED, ())
    assert drop.listing("imported") == {f"{NAME}.tsv"}
    assert taken.first_seen.astimezone(UTC) == START


async def test_half_written_papers_of_a_killed_run_are_swept(drop):
    for place in ("incoming/matteson", "imported"):
        (drop.root / place).mkdir(parents=True, exist_ok=True)
        (drop.root / place / ".ingestd-0123456789abcdef").write_bytes(b"half")
    async with watching(drop.source()) as taker:
        (drop.feed / "lot.tsv").write_bytes(b"x")
        await taker.until(1)
    assert drop.listing("imported") == drop.listing("incoming/matteson") == set()
