"""The service manager is told the truth over a real socket, and never waited for."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingestd.tell.systemd import Notifier, SystemdTell
from tests.integration.settlements import report, settlement

WITHIN = 10


class Manager:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(WITHIN)
        self.notifier = Notifier.from_environ({"NOTIFY_SOCKET": address})

    def heard(self) -> str:
        return self.socket.recv(65_536).decode()

    def silent(self) -> bool:
        self.socket.settimeout(0)
        try:
            self.socket.recv(65_536)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(WITHIN)
        return False


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    abstract = f"@ingestd-test-{secrets.token_hex(8)}"
    made = Manager(str(tmp_path / "notify") if request.param == "path" else abstract)
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (lambda n: n.ready(), "READY=1"),
        (lambda n: n.ready("watching drop"), "READY=1\nSTATUS=watching drop"),
        (lambda n: n.status("1 of 1 sources up"), "STATUS=1 of 1 sources up"),
        (lambda n: n.status("Citroën → imported"), "STATUS=Citroën → imported"),
        (lambda n: n.alive(), "WATCHDOG=1"),
        (lambda n: n.stopping(), "STOPPING=1"),
        (lambda n: n.stopping("draining"), "STOPPING=1\nSTATUS=draining"),
        (lambda n: n.extend(30), "EXTEND_TIMEOUT_USEC=30000000"),
    ],
)
def test_what_is_said_arrives_as_one_message(
    manager: Manager, say: Callable[[Notifier], bool], message: str
):
    assert say(manager.notifier)
    assert manager.heard() == message
    assert manager.silent()


def test_a_reload_tells_since_when_by_the_manager_s_clock(manager: Manager):
    manager.notifier.reloading()
    begun, since = manager.heard().split("\n")
    assert begun == "RELOADING=1"
    assert since.startswith("MONOTONIC_USEC=")
    assert int(since.partition("=")[2]) > 0


def test_a_status_cannot_forge_another_message(manager: Manager):
    manager.notifier.status("lot\nWATCHDOG=trigger\x1b.tsv\udcff")
    assert manager.heard() == "STATUS=lot WATCHDOG=trigger .tsv "


def test_a_status_is_short(manager: Manager):
    manager.notifier.status("x" * 100_000)
    assert len(manager.heard()) < 300


def test_without_a_manager_nothing_is_said_and_nothing_fails():
    notifier = Notifier.from_environ({})
    assert not notifier.ready()
    assert notifier == Notifier(None, None)


@pytest.mark.parametrize("address", ["vsock:2:1234", "relative/path", "/nowhere/at/all"])
def test_an_address_that_nobody_has_costs_nothing(address: str):
    assert not Notifier.from_environ({"NOTIFY_SOCKET": address}).ready()


def test_a_manager_that_reads_nothing_is_not_waited_for(manager: Manager):
    assert any(not manager.notifier.alive() for _ in range(100_000))


def test_children_find_nothing_in_the_environment_to_speak_with():
    environ = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "60000000",
        "WATCHDOG_PID": "7",
        "HOME": "/",
    }
    notifier = Notifier.from_environ(environ, pid=7)
    assert environ == {"HOME": "/"}
    assert notifier == Notifier("/run/systemd/notify", 20.0)


@pytest.mark.parametrize(
    ("environ", "beat_every"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_thrice_in_its_time_if_it_is_ours(environ, beat_every):
    assert Notifier.from_environ(dict(environ), pid=7).beat_every == beat_every


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_status_line_tells_sources_queue_and_the_last_delivery(manager: Manager):
    clock = Clock()
    tell = SystemdTell(manager.notifier, clock)
    tell.source("drop", up=True)
    assert manager.heard() == "STATUS=1 of 1 sources up, 0 waiting"
    clock.now += 2
    tell.source("mail", up=False)
    assert manager.heard() == "STATUS=1 of 2 sources up, 0 waiting"
    clock.now += 2
    tell.settled(settlement(report()))
    told = "STATUS=1 of 2 sources up, 0 waiting; last: imported lot.tsv (delivery 9)"
    assert manager.heard() == told


def test_a_busy_daemon_sends_a_status_a_second_and_the_newest_in_the_end(manager: Manager):
    clock = Clock()
    tell = SystemdTell(manager.notifier, clock)
    for waiting in range(500, -1, -1):
        tell.waiting(waiting)
    assert manager.heard() == "STATUS=0 of 0 sources up, 500 waiting"
    assert manager.silent()
    clock.now += 1
    tell.flush()
    assert manager.heard() == "STATUS=0 of 0 sources up, 0 waiting"
    clock.now += 1
    tell.flush()
    assert manager.silent()


async def test_it_is_ready_while_one_source_is_watched_and_says_which_are_not():
    tell = SystemdTell(Notifier())
    assert await tell.check() is None
    tell.source("drop", up=False)
    tell.source("mail", up=False)
    assert await tell.check() == "none is being watched: drop, mail; the log says why"
    tell.source("mail", up=True)
    assert await tell.check() is None


@asynccontextmanager
async def kept(tell: SystemdTell, healthy: Callable[[], bool]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tell.keep(healthy))
        yield
        task.cancel()


async def test_the_watchdog_is_fed_while_the_work_goes_on_and_starved_when_not(manager: Manager):
    state, asked = {"healthy": True}, asyncio.Event()

    def healthy() -> bool:
        if not state["healthy"]:
            asked.set()
        return state["healthy"]

    notifier = Notifier(manager.notifier.address, 0.01)
    async with asyncio.timeout(WITHIN), kept(SystemdTell(notifier), healthy):
        for _ in range(3):
            assert "WATCHDOG=1" in await heard(manager)
        state["healthy"] = False
        while not manager.silent():
            pass
        await asked.wait()
        asked.clear()
        await asked.wait()
        assert manager.silent()
        state["healthy"] = True
        assert "WATCHDOG=1" in await heard(manager)


async def heard(manager: Manager) -> list[str]:
    """Listen until the watchdog is fed, without stopping the loop that feeds it."""
    lines: list[str] = []
    while "WATCHDOG=1" not in lines:
        lines += (await asyncio.to_thread(manager.heard)).split("\n")
    return lines


async def test_without_a_watchdog_the_status_is_still_kept_fresh(manager: Manager):
    tell = SystemdTell(manager.notifier)
    async with asyncio.timeout(WITHIN), kept(tell, lambda: True):
        assert await asyncio.to_thread(manager.heard) == "STATUS=0 of 0 sources up, 0 waiting"
    assert manager.silent()


async def test_where_nobody_listens_there_is_nothing_to_keep():
    async with asyncio.timeout(WITHIN):
        await SystemdTell(Notifier()).keep(lambda: True)
