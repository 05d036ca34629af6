"""Servers that die, hang or forget, people who meddle: nothing is lost, nothing is done twice.

A fault is put exactly where it hurts by a relay that hears the daemon's commands.  Whatever is
done to the mailbox, `House.agrees` must hold in the end: each mail in one folder, its bytes
unaltered, one delivery, one effect.
"""

import imaplib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.between import Between
from tests.acceptance.mailhouse import House, letter, numbered, opened, sha256
from tests.integration.mailservers import USERS

#: Seconds after which mail flows again, once the server is back.
BACK = 90.0
MIB = 1 << 20
KEPT = ("Imported", "Archive")


@pytest.fixture
def house(home, database, ask) -> Iterator[House]:
    with opened(home, database.ingestd_url, ask) as made:
        yield made


@pytest.fixture
def line(house) -> Iterator[Between]:
    """A relay between the house's daemon and its server."""
    with Between(house.server.port) as made:
        over(house, made)
        yield made


def over(house: House, line: Between, **options: object) -> None:
    """Let the daemon reach its server through ``line``, in the clear."""
    house.write_config(mailbox={"port": line.port, "plaintext": True, "ca_file": None, **options})


async def first_mail(house: House) -> None:
    """Start the daemon, and see one mail through."""
    house.start()
    house.put(numbered(0))
    await house.closed(1)


def failures(house: House) -> int:
    return house.daemon.log().count("source.failed")


async def failed(house: House, within: float = 30.0) -> float:
    """Wait until the daemon has noticed that its connection is gone; give the seconds."""
    return await house.until(lambda: failures(house), "it is noticed", within)


# The server.


async def test_a_server_that_is_killed_and_comes_back_is_found_again(house):
    await first_mail(house)
    house.server.kill()
    house.put(numbered(1), numbered(2))
    await failed(house)
    house.server.start()

    await house.closed(3, within=BACK)
    await house.agrees()


async def test_a_server_that_says_bye_while_it_idles_is_entered_again(house):
    await first_mail(house)
    house.server.drop(signal.SIGTERM)
    await failed(house)
    house.put(numbered(1))
    await house.closed(2, within=BACK)
    house.server.doveadm("kick", "alice")
    house.put(numbered(2))

    await house.closed(3, within=BACK)
    await house.agrees()
    assert failures(house) == 2


STEPS = {
    "search": rb" UID SEARCH UNDELETED",
    "facts": rb" UID FETCH \S+ \(UID RFC822",
    "fetch": rb" UID FETCH \d+ \(UID BODY",
    "rest": rb" UID FETCH \d+ \(UID BODY.PEEK\[\]<1048576",
    "store": rb" UID STORE",
    "move": rb" UID MOVE",
    "idle": rb" IDLE\r",
}


async def test_a_server_that_hangs_for_a_moment_is_waited_for_at_every_step(house, line):
    await first_mail(house)
    steps = [(name, step) for name, step in STEPS.items() if name != "rest"]
    for number, (name, step) in enumerate(steps, 1):
        reached = line.before(step, house.server.freeze)
        house.put(numbered(number))
        await house.until(reached.is_set, name)
        house.server.thaw()
        await house.closed(number + 1)

    await house.agrees()
    assert (line.clients, failures(house)) == (1, 0)


@pytest.mark.parametrize("step", ["fetch", "move"])
async def test_a_server_that_hangs_in_a_command_and_is_killed_does_no_harm(house, line, step):
    house.put(*map(numbered, range(4)))
    reached = line.before(STEPS[step], house.server.freeze)
    house.start()
    await house.until(reached.is_set, step)
    house.crash()

    await house.closed(4, within=BACK)
    await house.agrees()


@pytest.mark.parametrize("step", ["fetch", "store", "move"])
async def test_an_answer_that_gets_lost_is_asked_for_again(house, line, step):
    house.put(*map(numbered, range(3)))
    line.after(STEPS[step], line.cut)
    house.start()

    await house.closed(3, within=BACK)
    await house.agrees()
    assert failures(house) == 1


async def test_uids_that_become_void_make_no_mail_new(house, line):
    await first_mail(house)
    for number, step in enumerate(("idle", "move"), 1):
        reached = line.before(STEPS[step], house.server.reset_uidvalidity)
        house.put(numbered(number))
        await house.until(reached.is_set, "the UIDs are void")
        await house.closed(number + 1, within=BACK)

    await house.agrees()
    validities = await house.ask("SELECT DISTINCT uidvalidity FROM ingest.messages")
    assert len(validities) > 1


# People, and other clients.


async def test_what_a_person_does_to_a_mail_at_any_step_is_respected(house, line):
    """Taken away before it is fetched: not imported.  Later: imported, and left where it is."""
    await first_mail(house)

    def person(*command: str) -> Callable[[], object]:
        return lambda: house.server.doveadm(*command, "mailbox", "INBOX", "all")

    delete = person("expunge", "-u", "alice")
    keep = person("move", "-u", "alice", "Archive")
    read = person("flags", "add", "-u", "alice", "\\Seen")
    before = (("facts", delete), ("fetch", delete), ("rest", keep), ("fetch", read))
    after = (("store", delete), ("store", keep), ("move", delete), ("move", keep))
    deeds, imported = (*before, *after), (0, 4, 5, 6, 7, 8, 9)
    mails = {number: numbered(number) for number in range(1, len(deeds) + 1)}
    mails |= {2: letter("a large one", 3 * MIB * b"x"), 3: letter("another", 3 * MIB * b"y")}
    for (number, raw), (step, deed) in zip(mails.items(), deeds, strict=True):
        done = line.before(STEPS[step], deed)
        house.put(raw)
        await house.until(done.is_set, f"{number}: {step} is reached")
        await house.until(lambda: not house.server.folder("alice"), "INBOX is empty")
        if number in imported:  # else its own commands may reach the next one's step
            await house.done(raw)
    house.put(numbered(len(deeds) + 1))
    await house.done(house.sent[-1])

    assert failures(house) == 0
    assert (await house.deliveries()).keys() == {sha256(house.sent[n]) for n in imported}
    lying = {name: set(house.server.folder("alice", name)) for name in KEPT}
    assert lying["Imported"] == {house.sent[n] for n in (0, 4, 9)}
    assert lying["Archive"] == {house.sent[n] for n in (3, 6, 8)}
    (cars,) = await house.ask("SELECT count(*) FROM vehicles")
    assert cars["count"] == 3 * len(imported)


async def test_what_a_person_does_after_all_is_done_changes_nothing(house):
    house.put(*map(numbered, range(2)))
    house.start()
    await house.closed(2)
    house.server.doveadm("move", "-u", "alice", "INBOX", "mailbox", "Imported", "uid", "1")
    await house.until(lambda: len(house.lying()["Imported"]) == 2, "it is put away again")
    await house.closed(2)
    await house.agrees()
    house.server.doveadm("expunge", "-u", "alice", "mailbox", "Imported", "all")
    house.put(numbered(2))
    await house.closed(3)

    assert len(house.lying()["Imported"]) == 1
    imports = await house.ask("SELECT FROM ingest.imports")
    assert len(imports) == 3


async def test_other_clients_may_work_on_the_same_mailbox_meanwhile(house):
    house.put(*map(numbered, range(20)))
    house.start()
    done = threading.Event()
    with ThreadPoolExecutor(2) as others:
        busy = [others.submit(work, house, done) for work in (marking, adding)]
        try:
            await house.until(lambda: len(house.lying()["Imported"]) >= 15, "most are done")
        finally:
            done.set()
        house.sent += [raw for other in busy for raw in other.result()]
    await house.closed(len(set(house.sent)))

    await house.agrees()
    assert failures(house) == 0


def client(house: House) -> imaplib.IMAP4:
    made = imaplib.IMAP4("127.0.0.1", house.server.port)
    made.login("alice", USERS["alice"])
    made.select("INBOX")
    return made


def marking(house: House, done: threading.Event) -> list[bytes]:
    """Mark, unmark and expunge, as somebody who reads along."""
    one = client(house)
    while not done.is_set():
        for flags in ("+FLAGS (\\Seen \\Flagged Mine)", "-FLAGS (\\Seen)"):
            one.store("1:*", *flags.split(" ", 1))
        one.expunge()
    one.logout()
    return []


def adding(house: House, done: threading.Event) -> list[bytes]:
    """Append mails of their own, and make copies of others; give what came to be."""
    one, made = client(house), []
    for number in range(100, 105):
        raw = numbered(number)
        one.append("INBOX", None, None, raw)
        one.append("INBOX", None, None, raw)
        made += [raw, raw]
        one.noop()
    done.wait(30)
    one.logout()
    return made
