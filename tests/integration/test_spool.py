"""The spool on a real disk."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingestd.errors import Misconfigured, Refused, TryAgain
from ingestd.sources.spool import Spool, Unreadable

CAP = 1 << 20


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "state", CAP)


def files(spool: Spool) -> set[str]:
    """List all the spool holds but the lock, temporary files included."""
    root = spool.path("0" * 64).parent.parent
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} - {"lock"}


def dropped(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "dropped"
    file.write_bytes(content)
    return file


def test_what_is_put_lies_under_its_own_hash_unaltered(spool, tmp_path):
    content = os.urandom(CAP)
    spooled = asyncio.run(spool.put(dropped(tmp_path, content)))
    sha256 = hashlib.sha256(content).hexdigest()
    assert spooled == (sha256, CAP)
    assert spool.path(sha256).read_bytes() == content
    assert files(spool) == {f"{sha256[:2]}/{sha256}"}


async def test_a_descriptor_is_read_from_where_it_stands_and_left_open(spool, tmp_path):
    with dropped(tmp_path, b"123456").open("rb", buffering=0) as file:
        file.seek(3)
        spooled = await spool.put(file.fileno())
        assert spool.path(spooled.sha256).read_bytes() == b"456"
        assert file.seek(0) == 0


async def test_the_same_content_twice_is_one_file(spool, tmp_path):
    first = await spool.put(dropped(tmp_path, b"same"))
    assert await spool.put(dropped(tmp_path, b"same")) == first
    assert len(files(spool)) == 1


async def test_putting_again_heals_a_damaged_file(spool, tmp_path):
    first = await spool.put(dropped(tmp_path, b"whole"))
    spool.path(first.sha256).write_bytes(b"who")
    await spool.put(dropped(tmp_path, b"whole"))
    assert spool.path(first.sha256).read_bytes() == b"whole"


async def test_many_puts_of_the_same_bytes_at_once_leave_one_whole_file(spool, tmp_path):
    source = dropped(tmp_path, b"x" * 300_000)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(spool.put(source)) for _ in range(20)]
    (sha256,) = {task.result().sha256 for task in tasks}
    assert files(spool) == {f"{sha256[:2]}/{sha256}"}
    assert spool.path(sha256).read_bytes() == b"x" * 300_000


async def test_an_empty_file_is_put_like_any_other(spool, tmp_path):
    spooled = await spool.put(dropped(tmp_path, b""))
    assert spooled == (hashlib.sha256().hexdigest(), 0)
    assert spool.path(spooled.sha256).exists()


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(spool, tmp_path):
    with pytest.raises(Refused, match=r"limits\.file_size") as refusal:
        await spool.put(dropped(tmp_path, b"x" * (CAP + 1)))
    assert refusal.value.reason == "too_large"
    assert files(spool) == set()


async def test_a_source_that_grows_past_the_cap_is_refused_before_its_end(spool):
    # A device has no size to be seen beforehand, and no end.
    with pytest.raises(Refused):
        await spool.put("/dev/zero")
    assert files(spool) == set()


async def test_a_source_that_cannot_be_read_is_told_apart_from_a_broken_spool(spool, tmp_path):
    with pytest.raises(Unreadable, match="nowhere"):
        await spool.put(tmp_path / "nowhere")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(Unreadable, match="directory"):
            await spool.put(descriptor)
    finally:
        os.close(descriptor)
    assert files(spool) == set()


def test_what_a_dead_writer_left_is_swept_at_the_start(spool, tmp_path):
    root = spool.path("0" * 64).parent.parent
    (root / ".ingestd-0123456789abcdef").write_bytes(b"half")
    Spool(tmp_path / "state", CAP)
    assert files(spool) == set()


_HANGING_WRITER = """
import sys
from ingestd.sources.durable import Draft, directory
with directory(sys.argv[1]) as root, Draft(root) as draft:
    draft.write(b"half")
    print("written", flush=True)
    sys.stdin.read()
"""


def test_what_a_living_writer_is_at_is_not_swept_and_goes_when_he_is_killed(spool, tmp_path):
    root = spool.path("0" * 64).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", _HANGING_WRITER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        Spool(tmp_path / "state", CAP)
        assert len(files(spool)) == 1
        writer.kill()
        writer.wait()
        Spool(tmp_path / "state", CAP)
    assert files(spool) == set()


_SMALL_FILES_ONLY = """
import asyncio, resource, signal, sys
from ingestd.errors import TryAgain
from ingestd.sources.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(sys.argv[1], 1 << 30)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    asyncio.run(spool.put(sys.argv[2]))
except TryAgain as error:
    print(error)
"""


def test_a_refused_write_leaves_nothing_and_says_where_and_what_to_do(spool, tmp_path):
    source = dropped(tmp_path, b"x" * 200_000)
    done = subprocess.run(
        [sys.executable, "-c", _SMALL_FILES_ONLY, str(tmp_path / "state"), str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "state" / "spool") in done.stdout
    assert "ulimit -f" in done.stdout
    assert files(spool) == set()


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a tmpfs for this test")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted here (CAP_SYS_ADMIN)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_is_a_reason_to_try_again_and_leaves_nothing(small_disk, tmp_path):
    spool = Spool(small_disk, CAP)
    with pytest.raises(TryAgain, match=r"No space left on device; free some .*df -h"):
        await spool.put(dropped(tmp_path, b"x" * 500_000))
    assert files(spool) == set()
    spooled = await spool.put(dropped(tmp_path, b"fits"))
    assert spool.path(spooled.sha256).read_bytes() == b"fits"


def test_a_spool_that_cannot_be_made_names_the_command(tmp_path):
    (tmp_path / "state").write_bytes(b"a file is in the way")
    with pytest.raises(Misconfigured, match=r"state_dir: .* run: mkdir -p .* && chown"):
        Spool(tmp_path / "state", CAP)


def test_only_a_hash_names_a_place_in_the_spool(spool):
    with pytest.raises(ValueError, match="no SHA-256"):
        spool.path("../../etc/passwd")


async def test_old_content_expires_unless_it_is_in_use_or_was_put_again(spool, tmp_path):
    old, used, again = [
        (await spool.put(dropped(tmp_path, text))).sha256 for text in (b"old", b"used", b"again")
    ]
    long_ago = time.time() - 1000
    for sha256 in (old, used, again):
        os.utime(spool.path(sha256), (long_ago, long_ago))
    young = (await spool.put(dropped(tmp_path, b"young"))).sha256
    await spool.put(dropped(tmp_path, b"again"))
    assert await spool.expire(500, lambda sha256: sha256 == used) == 1
    assert not spool.path(old).exists()
    assert all(spool.path(sha256).exists() for sha256 in (used, again, young))


async def test_content_put_while_it_expires_survives(spool, tmp_path):
    source = dropped(tmp_path, b"again and again")
    sha256 = (await spool.put(source)).sha256
    for _ in range(50):
        os.utime(spool.path(sha256), (1, 1))
        async with asyncio.TaskGroup() as group:
            group.create_task(spool.expire(500, lambda _: False))
            group.create_task(spool.put(source))
        assert spool.path(sha256).read_bytes() == b"again and again"


async def test_a_cancelled_put_ends_whole_or_absent(spool, tmp_path):
    source = dropped(tmp_path, b"x" * CAP)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(spool.put(source))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert not any(".ingestd-" in name for name in files(spool))


_MEASURED = """
import asyncio, resource, sys
from ingestd.sources.spool import Spool
spool = Spool(sys.argv[1], 1 << 30)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(spool.put(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_file_is_never_in_memory(tmp_path):
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(100 << 20)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(tmp_path / "state"), str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 16 << 10  # KiB


async def test_the_loop_turns_while_bytes_are_copied(spool, tmp_path):
    large = Spool(tmp_path / "state", 1 << 30)
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(100 << 20)
    turns = 0
    async with asyncio.TaskGroup() as group:
        task = group.create_task(large.put(source))
        while not task.done():
            await asyncio.sleep(0.001)
            turns += 1
    assert turns > 5


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make things for somebody else: run as root"
)
async def test_what_root_makes_in_somebodys_directory_is_that_somebodys(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    spool = Spool(tmp_path, 1 << 20)
    file = tmp_path / "lot.tsv"
    file.write_bytes(b"VIN\n")
    spooled = await spool.put(file)
    made = [tmp_path / "spool", spool.path(spooled.sha256).parent, spool.path(spooled.sha256)]

    assert {path.stat().st_uid for path in (*made, tmp_path / "spool" / "lock")} == {65534}
