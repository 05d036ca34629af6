"""Daemon, database and network end at any moment: no mail is lost, none is done twice."""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.app import apply_schema
from ingestd.store import embedded
from tests.acceptance.between import FAR, Between, Namespace, namespace_missing
from tests.acceptance.mailhouse import House, founded, numbered, opened, sha256
from tests.acceptance.running import Daemon, ending

#: Kills of the daemon, and mails that come meanwhile.
ROUNDS, MAILS = 30, 60
#: After so many rounds the daemon may finish: what it was killed at eleven times is set aside,
#: and on a machine that is busy every round may end before the first mail is done.
RESPITE = 5
#: Seconds that a kill comes at the latest after the daemon has reached its mailbox.
LATEST = 0.4
#: Seconds in which another instance takes a mailbox over: its lease, and the looks at it.
TAKEN_OVER = 20.0
#: Seconds after which mail flows again, once what was away is back.
BACK = 90.0
#: Seconds in which a DONE must be answered, and what the machine may need besides.
DONE, SLACK = 10.0, 3.0


@pytest.fixture
def house(home, database, ask) -> Iterator[House]:
    with opened(home, database.ingestd_url, ask) as made:
        yield made


async def test_a_daemon_that_is_killed_at_any_moment_loses_and_doubles_nothing(house):
    chance = random.Random(20261124)  # noqa: S311  the same moments every time
    with Between(house.server.tls_port) as line:
        house.write_config(mailbox={"port": line.port})
        for number in range(ROUNDS):
            reached = line.clients
            house.put(numbered(2 * number))
            house.daemon.start(ready=False)
            await house.until(lambda reached=reached: line.clients > reached, "it connects")
            house.put(numbered(2 * number + 1))
            with contextlib.suppress(TimeoutError):
                respite = number % RESPITE == RESPITE - 1
                async with asyncio.timeout(None if respite else chance.uniform(0, LATEST)):
                    await house.closed(len(house.sent))
            house.daemon.kill()
            await half_done(house)
        house.daemon.start(ready=False)
        await house.closed(MAILS)

    await house.agrees()
    (row,) = await house.ask("SELECT sum(lost) AS lost FROM ingest.deliveries")
    assert row["lost"] > 0, "some were at work when it was killed"


async def half_done(house: House) -> None:
    """Check what holds at any moment: whole imports only, and each mail lies in one place."""
    rows = await house.ask("SELECT dealership_id, count(*) FROM vehicles GROUP BY 1")
    imports = await house.ask("SELECT FROM ingest.imports WHERE outcome = 'imported'")
    assert sum(row["count"] for row in rows) == 3 * len(imports)
    lying = [one for folder in house.lying().values() for one in folder]
    assert sorted(lying) == sorted(map(sha256, house.sent))


async def test_a_database_that_is_killed_while_mail_is_taken_loses_and_doubles_nothing(home):
    options = embedded.Options(system_dir=home / "system")  # durable: a commit must be one
    home.chmod(0o755)
    server = embedded.start(home / "pg", options)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: server.stop())  # noqa: PLW0108  the one that runs by then
        await apply_schema(server.url)
        ask = founded(server.url)
        (place,) = await ask("SHOW data_directory")
        pid = int(Path(place[0], "postmaster.pid").read_text().split()[0])
        url = server.url.replace("postgres@", "ingestd@")
        house = stack.enter_context(opened(home, url, ask))
        line = stack.enter_context(Between(house.server.port))
        house.write_config(mailbox={"port": line.port, "plaintext": True, "ca_file": None})
        house.put(*map(numbered, range(10)))
        killed = line.before(rb"UID FETCH 5 \(UID BODY", lambda: os.kill(pid, signal.SIGKILL))
        house.daemon.start(ready=False)
        await house.until(killed.is_set, "the database is killed")
        await house.until(lambda: "source.failed" in house.daemon.log(), "it is noticed")
        server.stop()
        server = embedded.start(home / "pg", options)

        await house.closed(10, within=BACK)
        await house.agrees()


async def test_a_second_instance_takes_over_when_the_first_is_killed(house, home):
    other = Daemon(home / "second", house.daemon.url)
    other.home.mkdir()
    with Between(house.server.port) as line, ending(other):
        house.write_config(mailbox={"port": line.port, "plaintext": True, "ca_file": None})
        text = house.daemon.config.read_text()
        text = text.replace(f"{home}/state", f"{other.home}/state")
        other.config.write_text(text.replace(f":{house.daemon.port}", f":{other.port}"))
        house.start()
        other.start(ready=False)
        house.put(numbered(0))
        await house.closed(1)
        await house.until(lambda: other.get("/livez")[0] == 200, "the second lives")
        assert line.clients == 1, "the second stands by"
        killed = line.after(rb"UID FETCH 12 \(UID BODY", house.daemon.kill)
        house.put(*map(numbered, range(1, 21)))
        await house.until(killed.is_set, "the first is killed")
        left = await leases_end(house)
        seconds = await house.until(lambda: line.clients == 2, "the second takes over")
        assert 0 < left + seconds < TAKEN_OVER
        await house.closed(21)

    await house.agrees()
    (row,) = await house.ask("SELECT count(DISTINCT taken_by) FROM ingest.deliveries")
    assert row["count"] == 2


async def leases_end(house: House) -> float:
    """Let the time pass for which the dead one's leases last; give how long the mailbox's did."""
    (row,) = await house.ask(
        "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 AS left"
        " FROM ingest.leases WHERE name = 'inbox'"
    )
    for table in ("leases", "deliveries"):  # a delivery that it was just at: a minute
        await house.ask(
            f"UPDATE ingest.{table} SET lease_until = now() WHERE owner LIKE $1",
            f"%:{house.daemon.home}/state",
        )
    return float(row["left"])


async def test_a_peer_that_falls_silent_is_noticed_soon_and_found_again(house):
    """Two mailboxes: the server of one hangs, the network to the other is cut without a word."""
    if reason := namespace_missing():
        pytest.skip(reason)
    with Namespace() as far, Between(house.server.tls_port, far.listen()) as line:
        there = {"name": "far", "user": "bob", "host": FAR, "port": line.port}
        soon = {"poll_every": "1s"}
        house.write_config(mailbox=soon, more=house.mailbox(**there, **soon))
        house.start()
        house.put(numbered(0))
        house.put(numbered(1), user="bob")
        await house.closed(2)
        (alice,) = re.findall(r"^alice .*\((\d+)\)", house.server.doveadm("who"), re.MULTILINE)
        os.kill(int(alice), signal.SIGSTOP)
        far.unplug()
        began = time.monotonic()
        house.put(numbered(2))
        house.put(numbered(3), user="bob")
        for name in ("inbox", "far"):
            lost = f'"source.failed", "source": "{name}"'
            await house.until(lambda lost=lost: lost in house.daemon.log(), name, 1 + DONE + SLACK)
        assert DONE < time.monotonic() - began < 1 + DONE + SLACK
        far.plug()
        await house.closed(4, within=BACK)

    mine, theirs = [sorted(map(sha256, house.sent[user::2])) for user in (0, 1)]
    assert sorted(house.lying("alice")["Imported"]) == mine
    assert sorted(house.lying("bob")["Imported"]) == theirs
    imports = await house.ask("SELECT outcome, added FROM ingest.imports")
    assert [tuple(one) for one in imports] == [("imported", 3)] * 4
