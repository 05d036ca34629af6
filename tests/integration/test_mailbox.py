r"""A watched mailbox: nothing is lost, doubled or left lying, on a real server.

The ledger is real too.  Where two servers are named, each claim holds on both: Dovecot has
keywords and pushes after half a second, pymap drops keywords and pushes at once.
"""

import asyncio
import contextlib
import hashlib
import imaplib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestd.errors import Denied, TryAgain
from ingestd.model import UNROUTED, Outcome
from ingestd.settings import Mailbox, OAuth2
from ingestd.sources.mailbox import MailboxSource
from ingestd.sources.placing import HELD, IMPORTED, REJECTED
from ingestd.sources.spool import Spool
from tests.integration.lot import opened
from tests.integration.mailservers import USERS, Dovecot
from tests.integration.postbox import Office, Postbox, eventually, mail, subjects
from tests.integration.pymaps import Pymap, pymap_server
from tests.integration.scripted import Scripted, cut

YESTERDAY = datetime(2026, 11, 23, 5, tzinfo=UTC)


def appended(server: Pymap, raw: bytes, received: datetime | None) -> None:
    """Append as a client does: pymap pushes what came in that way."""
    client = imaplib.IMAP4(server.host, server.port)
    client.login("alice", USERS["alice"])
    when = imaplib.Time2Internaldate(received or datetime.now(UTC))  # noqa: TID251  a client's
    client.append("INBOX", None, when, raw)
    client.logout()


class Both:
    """One way to speak to either server in a test."""

    def __init__(self, server: Dovecot | Pymap) -> None:
        self.server = server

    @property
    def drops_keywords(self) -> bool:
        return isinstance(self.server, Pymap)

    async def put(self, raw: bytes, received: datetime | None = None) -> None:
        if isinstance(self.server, Pymap):
            await asyncio.to_thread(appended, self.server, raw, received)
        else:
            self.server.put(raw, received=received)

    async def folder(self, name: str = "INBOX") -> list[str]:
        found: Any = self.server.folder("alice", name)
        return subjects(await found if isinstance(self.server, Pymap) else found)

    async def flags(self, name: str = "INBOX") -> list[set[str]]:
        found: Any = self.server.flags("alice", name)
        return list(await found if isinstance(self.server, Pymap) else found)


@pytest.fixture
async def store(database):
    async with opened(database.ingestd_url) as made:
        yield made


def office(server: Dovecot | Pymap | Scripted, store: Any, state: Path, **options: Any) -> Office:
    values = {
        "name": "inbox",
        "host": "localhost",
        "port": server.port,
        "plaintext": True,
        "user": "alice",
        "password": USERS["alice"],
        **options,
    }
    return Office(Mailbox(**values), store, state)


@pytest.fixture(params=["dovecot", "pymap"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if request.param == "dovecot":
        yield Both(request.getfixturevalue("dovecot"))
        return
    async with pymap_server() as made:
        yield Both(made)


@pytest.fixture
def post(server: Both, store: Any, tmp_path: Path) -> Office:
    return office(server.server, store, tmp_path)


# Taking.


async def test_what_lies_there_at_the_start_is_taken_byte_for_byte(server, post):
    await server.put(mail("one"), YESTERDAY)
    await server.put(mail("two"))
    async with post.open() as box:
        one, two = await box.until(2)

    assert one.sha256 == hashlib.sha256(mail("one")).hexdigest() == one.key
    assert box.source.spool.path(two.sha256).read_bytes() == mail("two")
    assert (one.kind, one.size, one.lane, one.source) == (
        "mail",
        len(mail("one")),
        UNROUTED,
        "inbox",
    )
    assert one.first_seen == YESTERDAY
    assert two.place is not None
    assert one.place == (two.place[0], two.place[1] - 1)


async def test_an_old_mail_that_was_moved_in_late_is_taken_before_the_newer_ones(server, post):
    """Its UID is the highest, its date of receipt the earliest: a delta feed goes by the date."""
    await server.put(mail("today"))
    await server.put(mail("yesterday"), YESTERDAY)
    async with post.open() as box:
        first, second = await box.until(2)

    assert first.first_seen == YESTERDAY < second.first_seen
    assert first.place is not None
    assert second.place is not None
    assert second.place < first.place


async def test_what_comes_meanwhile_is_taken_by_the_servers_push(server, post):
    async with post.open() as box:
        for number in range(1, 4):
            await server.put(mail(f"mail {number}"))
            await box.until(number)


async def test_what_was_taken_is_not_fetched_again_after_a_restart(server, post):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
    await server.put(mail("two"))
    async with post.open() as box:
        (two,) = await box.until(1)
        await eventually(lambda: box.source.last_success)

    assert two.sha256 == hashlib.sha256(mail("two")).hexdigest()
    assert len(box.arrivals) == 1


async def test_what_the_spool_has_lost_is_fetched_again(server, post):
    await server.put(mail("one"))
    async with post.open() as box:
        (one,) = await box.until(1)
    box.source.spool.path(one.sha256).unlink()
    async with post.open() as box:
        await box.until(1)

    assert box.source.spool.path(one.sha256).exists()


async def test_what_is_too_large_is_refused_and_not_fetched(server, store, tmp_path):
    small = Office(office(server.server, store, tmp_path).config, store, tmp_path, 1000)
    await server.put(mail("large", "x" * 2000))
    await server.put(mail("small"))
    async with small.open() as box:
        large, fits = await box.until(2)

    assert large.refused == "too_large"
    assert "limits.message_size (or file_size) allows 1000" in large.message
    assert large.size == len(mail("large", "x" * 2000))
    assert fits.refused is None


async def test_an_empty_message_is_a_message(dovecot, store, tmp_path):
    dovecot.put(b"\r\n")
    async with office(dovecot, store, tmp_path).open() as box:
        (empty,) = await box.until(1)
    assert empty.size == 2


async def test_a_message_of_many_parts_comes_whole(dovecot, store, tmp_path):
    raw = mail("large", "0123456789abcde\n" * (3 << 16))
    exact = mail("exact", "")
    exact += b"x" * ((1 << 20) - len(exact))
    dovecot.put(raw)
    dovecot.put(exact)
    async with office(dovecot, store, tmp_path).open() as box:
        arrivals = await box.until(2)
    # The server may give a message its own line ends.
    assert arrivals[0].size in (len(raw), len(raw) + (3 << 16))
    assert arrivals[1].size == 1 << 20


# Settling.


@pytest.mark.parametrize(
    ("outcome", "folder", "read"),
    [
        (Outcome.IMPORTED, "Imported", True),
        (Outcome.UNCHANGED, "Imported", True),
        (Outcome.SUPERSEDED, "Imported", True),
        (Outcome.REJECTED, "Rejected", False),
        (Outcome.FAILED, "Rejected", False),
    ],
)
async def test_a_mail_goes_where_its_outcome_says(server, post, outcome, folder, read):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        await box.done(box.only(), outcome)
        assert await server.folder() == []
        assert await server.folder(folder) == ["one"]
        (flags,) = await server.flags(folder)
    assert ("\\Seen" in flags) is read


async def test_settling_again_changes_nothing(server, post):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.done(delivery, Outcome.IMPORTED)
        await box.settle(delivery, Outcome.IMPORTED)
    assert await server.folder("Imported") == ["one"]


async def test_a_held_mail_stays_and_is_marked_until_it_is_decided(server, post):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.settle(delivery, Outcome.HELD)
        (held,) = await server.flags()
        assert await server.folder() == ["one"]
        await box.settle(delivery, Outcome.IMPORTED)
        (decided,) = await server.flags("Imported")
    assert ("\\Flagged" if server.drops_keywords else HELD) in held
    assert not {HELD, "\\Flagged"} & decided


async def test_a_held_mail_that_is_denied_after_a_restart_is_rejected_without_its_mark(
    server, post
):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.settle(delivery, Outcome.HELD)
    async with post.open() as box:
        await box.settle(delivery, Outcome.REJECTED)
        (decided,) = await server.flags("Rejected")
        assert await server.folder() == []
    assert HELD not in decided
    assert "\\Seen" not in decided


async def test_with_flags_only_a_mail_is_marked_and_left_where_it_is(server, post):
    await server.put(mail("good"))
    await server.put(mail("bad"))
    async with post.with_(settle="flags").open() as box:
        await box.until(2)
        good, bad = box.taken.values()
        await box.settle(good, Outcome.IMPORTED)
        await box.settle(bad, Outcome.REJECTED)
        flags = await server.flags()

    assert await server.folder() == ["bad", "good"]
    if server.drops_keywords:
        assert ("\\Seen" in flags[0], "\\Flagged" in flags[1]) == (True, True)
    else:
        assert (IMPORTED in flags[0], REJECTED in flags[1]) == (True, True)


async def test_a_second_copy_of_a_mail_is_settled_like_the_first(server, post, store):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.done(delivery, Outcome.IMPORTED)
        await store.settled(delivery)
        await server.put(mail("one"))
        await box.until(2)
        assert list(box.taken) == [delivery.id]
        (owed,) = await store.unsettled(("inbox",))
        await box.settle(owed.delivery, Outcome.IMPORTED)
    assert await server.folder() == []
    assert await server.folder("Imported") == ["one", "one"]


async def test_a_mail_that_somebody_deleted_is_settled(server, post):
    await server.put(mail("one"))
    await server.put(mail("two"))
    async with post.open() as box:
        await box.until(2)
        one, two = box.taken.values()
        if isinstance(server.server, Pymap):
            first, _ = await server.server.uids("alice")
            await server.server.expunge(first)
        else:
            server.server.doveadm("expunge", "-u", "alice", "mailbox", "INBOX", "uid", "1")
        await box.settle(one, Outcome.IMPORTED)
        await box.settle(two, Outcome.IMPORTED)
    assert await server.folder("Imported") == ["two"]


async def test_a_mail_that_somebody_put_back_is_put_away_again(dovecot, store, tmp_path):
    dovecot.put(mail("one"))
    async with office(dovecot, store, tmp_path).open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.done(delivery, Outcome.IMPORTED)
        await store.settled(delivery)
        dovecot.doveadm("move", "-u", "alice", "INBOX", "mailbox", "Imported", "all")
        await box.until(2)
        await box.settle(delivery, Outcome.IMPORTED)
        assert dovecot.folder("alice") == []
    assert list(box.taken) == [delivery.id]


async def test_a_folder_that_somebody_removed_is_made_again(dovecot, store, tmp_path):
    dovecot.put(mail("one"))
    async with office(dovecot, store, tmp_path).open() as box:
        await box.until(1)
        dovecot.doveadm("mailbox", "delete", "-u", "alice", "Imported")
        await box.done(box.only(), Outcome.IMPORTED)
    assert subjects(dovecot.folder("alice", "Imported")) == ["one"]


async def test_folders_may_have_any_name(dovecot, store, tmp_path):
    names = {"imported_folder": 'Été & "so" weiter/5* ok', "rejected_folder": "Nope :)"}
    dovecot.put(mail("one"))
    async with office(dovecot, store, tmp_path, **names).open() as box:
        await box.until(1)
        await box.done(box.only(), Outcome.IMPORTED)
    assert names["imported_folder"] in dovecot.folders("alice")
    assert subjects(dovecot.folder("alice", names["imported_folder"])) == ["one"]


async def test_levels_are_written_as_the_server_writes_them(launch_dovecot, store, tmp_path):
    server = launch_dovecot(separator=".")
    server.put(mail("one"))
    names = {"imported_folder": "Lots/Done", "rejected_folder": "Lots/Bad"}
    async with office(server, store, tmp_path, **names).open() as box:
        await box.until(1)
        await box.done(box.only(), Outcome.IMPORTED)
    assert {"Lots.Done", "Lots.Bad"} <= server.folders("alice")
    assert subjects(server.folder("alice", "Lots.Done")) == ["one"]


# Without MOVE.

WITHOUT_MOVE = "IMAP4rev1 IDLE UIDPLUS LITERAL+"
WITHOUT_UIDPLUS = "IMAP4rev1 IDLE LITERAL+"


@pytest.fixture
def old_server(launch_dovecot: Callable[..., Dovecot]) -> Dovecot:
    return launch_dovecot(capability=WITHOUT_MOVE)


async def test_without_move_a_mail_is_copied_and_its_original_removed(old_server, store, tmp_path):
    old_server.put(mail("one"))
    old_server.put(mail("other"))
    async with office(old_server, store, tmp_path).open() as box:
        await box.until(2)
        await box.done(next(iter(box.taken.values())), Outcome.IMPORTED)
    assert subjects(old_server.folder("alice")) == ["other"]
    assert subjects(old_server.folder("alice", "Imported")) == ["one"]


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_crash_on_the_way_makes_no_second_copy(old_server, store, tmp_path, steps):
    old_server.put(mail("one"))
    async with office(old_server, store, tmp_path).open() as box:
        await box.until(1)
        old_server.doveadm("copy", "-u", "alice", "Imported", "mailbox", "INBOX", "all")
        if steps > 1:
            old_server.doveadm(
                "flags", "add", "-u", "alice", "\\Deleted", "mailbox", "INBOX", "all"
            )
        await box.done(box.only(), Outcome.IMPORTED)
    assert old_server.folder("alice") == []
    assert subjects(old_server.folder("alice", "Imported")) == ["one"]


async def test_what_others_marked_as_deleted_is_not_removed(old_server, store, tmp_path):
    old_server.put(mail("theirs"))
    old_server.doveadm("flags", "add", "-u", "alice", "\\Deleted", "mailbox", "INBOX", "all")
    old_server.put(mail("ours"))
    async with office(old_server, store, tmp_path).open() as box:
        await box.until(1)
        await box.done(box.only(), Outcome.IMPORTED)
    assert subjects(old_server.folder("alice")) == ["theirs"]


async def test_without_uidplus_the_original_stays_marked_and_is_left_alone(
    launch_dovecot, store, tmp_path
):
    server = launch_dovecot(capability=WITHOUT_UIDPLUS)
    server.put(mail("one"))
    async with office(server, store, tmp_path).open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        await box.done(delivery, Outcome.IMPORTED)
        await box.settle(delivery, Outcome.IMPORTED)
        server.put(mail("two"))
        await box.until(2)
    assert subjects(server.folder("alice")) == ["one", "two"]
    assert "\\Deleted" in server.flags("alice")[0]
    assert subjects(server.folder("alice", "Imported")) == ["one"]


# When things go wrong.


async def test_another_uidvalidity_makes_every_mail_new_but_no_delivery(dovecot, store, tmp_path):
    dovecot.put(mail("one"))
    place = office(dovecot, store, tmp_path)
    async with place.open() as box:
        (first,) = await box.until(1)
        (before,) = box.taken.values()
    dovecot.reset_uidvalidity()
    async with place.open() as box:
        (again,) = await box.until(1)
        (after,) = box.taken.values()
        assert after.id == before.id
        await box.done(after, Outcome.IMPORTED)
        assert dovecot.folder("alice") == []
    assert again.place != first.place


async def test_a_connection_that_ends_ends_the_watch_and_tells_who_waits(server, post):
    await server.put(mail("one"))
    async with post.open() as box:
        await box.until(1)
        (delivery,) = box.taken.values()
        if isinstance(server.server, Pymap):
            await server.server.drop()
        else:
            server.server.drop()
        await eventually(lambda: box.ended)
        with pytest.raises(TryAgain, match="not connected"):
            await box.settle(delivery, Outcome.IMPORTED)
        assert not box.source.pulse().connected


async def test_a_folder_that_is_not_there_is_told_with_those_that_are(dovecot, store, tmp_path):
    async with office(dovecot, store, tmp_path, folder="Invetory").open() as box:
        await eventually(lambda: box.ended)
    assert "'Invetory'" in str(box.ended)
    assert "INBOX" in str(box.ended)


async def test_without_idle_it_is_polled(launch_dovecot, store, tmp_path):
    server = launch_dovecot(capability="IMAP4rev1 UIDPLUS MOVE")
    async with office(server, store, tmp_path, poll_every=0.05).open() as box:
        await eventually(lambda: box.source.last_success)
        server.put(mail("one"))
        await box.until(1)


async def test_signs_of_life_are_told(server, post):
    async with post.open() as box:
        first = await eventually(lambda: box.source.last_success)
        pulse = box.source.pulse()
        assert pulse.connected
        assert abs(pulse.last_activity - first) < 5
        await server.put(mail("one"))
        await box.until(1)
        await eventually(lambda: box.source.pulse().last_success > first)


async def test_an_idle_that_is_ended_from_outside_is_made_shorter_but_not_tiny(
    dovecot, store, tmp_path
):
    async with office(dovecot, store, tmp_path).open() as box:
        box.source.learn(300)
        assert box.source.renew == 240
        box.source.learn(2)
        assert box.source.renew == 60
        box.source.learn(600)
        assert box.source.renew == 60


async def test_three_thousand_that_are_removed_at_once_do_no_harm(dovecot, store, tmp_path):
    place = dovecot.maildir("alice")
    dovecot.put(mail("first"))
    async with office(dovecot, store, tmp_path).open() as box:
        await box.until(1)
        for number in range(3000):
            (place / "cur" / f"{number}.x.localhost:2,T").write_bytes(mail("gone"))
        for file in (place / "cur").glob("*"):
            dovecot._own(file)
        await eventually(lambda: len(dovecot.uids("alice")) > 3000)
        dovecot.doveadm("expunge", "-u", "alice", "mailbox", "INBOX", "deleted")
        dovecot.put(mail("last"))
        await box.until(2)
        assert box.ended is None


async def test_two_mailboxes_are_watched_side_by_side(dovecot, store, tmp_path):
    here = office(dovecot, store, tmp_path)
    there = here.with_(name="second", user="bob", password=USERS["bob"])
    async with here.open() as one, there.open() as two:
        dovecot.put(mail("for bob"), user="bob")
        await two.until(1)
        assert one.arrivals == []
        await asyncio.sleep(0)
    assert timedelta(0) < datetime.now(UTC) - two.arrivals[0].first_seen + timedelta(minutes=5)  # noqa: TID251


POISON = {
    "LIST": b'* LIST () "/" ""\r\nTAG OK done\r\n',
    "STATUS": b"* STATUS x (UIDVALIDITY 1)\r\nTAG OK done\r\n",
    "UID SEARCH": b"* SEARCH 2 3\r\nTAG OK done\r\n",
    "UID FETCH 2:3 (UID RFC822": (
        b'* 1 FETCH (UID 2 RFC822.SIZE 5 INTERNALDATE "23-Nov-2026 05:00:00 +0000" FLAGS ())\r\n'
        b'* 2 FETCH (UID 3 RFC822.SIZE 5 INTERNALDATE "23-Nov-2026 05:00:00 +0000" FLAGS ())\r\n'
        b"TAG OK done\r\n"
    ),
    "UID FETCH 2 (UID BODY": cut,
    "UID FETCH 3 (UID BODY": b"* 2 FETCH (UID 3 BODY[]<0> {5}\r\nhello)\r\nTAG OK done\r\n",
}


async def test_a_message_at_which_the_connection_breaks_does_not_keep_the_others_away(
    store, tmp_path
):
    async with Scripted(POISON) as server:
        place = office(server, store, tmp_path)
        source = MailboxSource(place.config, Spool(tmp_path, 1 << 20), store, 1 << 20)
        box = Postbox(source, store)
        for _ in range(3):
            await box.watch()
            assert isinstance(box.ended, TryAgain)
            assert box.arrivals == []
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(box.watch())
            (arrival,) = await box.until(1)
            watching.cancel()
    assert arrival.place == (77, 3)


class Minted:
    """Access tokens that are good for a moment; keeps ``entrance.Tokens``."""

    def __init__(self, mint: Callable[[str, float], str], lasts: float) -> None:
        self.mint, self.lasts = mint, lasts
        self.given = self.forgotten = 0
        self._until = 0.0

    async def access(self) -> str:
        self.given += 1
        self._until = time.monotonic() + self.lasts
        return self.mint("alice", 60)

    async def forget(self) -> None:
        self.forgotten += 1

    def expires_in(self) -> float:
        return self._until - time.monotonic()


async def test_a_token_that_runs_out_in_idle_is_renewed_and_mail_goes_on(
    dovecot, authority, store, tmp_path
):
    names = ("client_id", "client_secret", "refresh_token")
    grant = OAuth2(provider="google", flow="refresh_token", **dict.fromkeys(names, "x"))
    place = office(
        dovecot,
        store,
        tmp_path,
        port=dovecot.tls_port,
        plaintext=False,
        ca_file=str(authority.ca_file),
        password=None,
        oauth2=grant,
    )
    tokens = Minted(dovecot.jwt, 0.7)
    source = MailboxSource(place.config, Spool(tmp_path, 1 << 20), store, 1 << 20, tokens)
    box = Postbox(source, store)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(box.watch())
        await eventually(lambda: tokens.given >= 3)
        dovecot.put(mail("one"))
        await box.until(1)
        watching.cancel()
    assert box.ended is None
    assert tokens.forgotten == 0


async def test_a_token_that_the_server_refuses_is_forgotten(dovecot, authority, store, tmp_path):
    tokens = Minted(lambda sub, _: f"no.token.{sub}", 60)
    config = office(dovecot, store, tmp_path).config.model_copy(
        update={"plaintext": False, "starttls": True, "ca_file": str(authority.ca_file)}
    )
    box = Postbox(MailboxSource(config, Spool(tmp_path, 1 << 20), store, 1 << 20, tokens), store)
    await box.watch()
    assert isinstance(box.ended, Denied)
    assert tokens.forgotten == 1


@asynccontextmanager
async def scripted(
    answers: dict[str, Any], store: Any, state: Path
) -> AsyncIterator[tuple[Scripted, Postbox]]:
    """A mailbox on a server that answers as ``POISON`` does, but for ``answers``."""
    async with Scripted({**POISON, **answers}) as server:
        place = office(server, store, state)
        source = MailboxSource(place.config, Spool(state, 1 << 20), store, 1 << 20)
        yield server, Postbox(source, store)


@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG NO no\r\n",
        b"TAG BAD Command Error. 11\r\n",
        b"TAG NO [SERVERBUG] Internal error occurred\r\n",
    ],
)
async def test_a_message_that_the_server_refuses_does_not_keep_the_others_away(
    store, tmp_path, refusal
):
    answers = {"UID FETCH 2 (UID BODY": refusal}
    async with scripted(answers, store, tmp_path) as (_, box), asyncio.TaskGroup() as group:
        watching = group.create_task(box.watch())
        (arrival,) = await box.until(1)
        watching.cancel()
    assert arrival.place == (77, 3)


async def test_a_message_that_comes_in_crumbs_is_left(store, tmp_path):
    crumb = b"* 1 FETCH (UID 2 BODY[]<%d> {1}\r\nx)\r\nTAG OK done\r\n"
    facts = POISON["UID FETCH 2:3 (UID RFC822"]
    assert isinstance(facts, bytes)
    answers = {
        "UID FETCH 2:3 (UID RFC822": facts.replace(b"RFC822.SIZE 5", b"RFC822.SIZE 500000", 1),
        "UID FETCH 2 (UID BODY": [crumb % offset for offset in range(100)],
    }
    async with scripted(answers, store, tmp_path) as (_, box), asyncio.TaskGroup() as group:
        watching = group.create_task(box.watch())
        (arrival,) = await box.until(1)
        watching.cancel()
    assert arrival.place == (77, 3)


async def test_a_server_that_ends_every_idle_at_once_is_not_run_round(store, tmp_path):
    answers = {"UID SEARCH": b"* SEARCH\r\nTAG OK done\r\n", "IDLE": b"+ idling\r\nTAG OK done\r\n"}
    async with scripted(answers, store, tmp_path) as (server, box):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await box.watch()
        assert 5 < server.heard.count("IDLE") < 20


@pytest.mark.parametrize("refusal", [b"TAG NO [TRYCREATE] no\r\n", b"TAG NO [NOPERM] no\r\n"])
async def test_a_folder_that_cannot_be_opened_leaves_ours_open(store, tmp_path, refusal):
    answers = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE UIDPLUS\r\nTAG OK done\r\n",
        'SELECT "Imported"': refusal,
        "UID FETCH 2 (UID BODY": b"* 1 FETCH (UID 2 BODY[]<0> {5}\r\nworld)\r\nTAG OK done\r\n",
        "UID FETCH 2 (UID RFC822": POISON["UID FETCH 2:3 (UID RFC822"],
        "UID STORE": b"TAG OK done\r\n",
        "CREATE": b"TAG OK done\r\n",
        "SUBSCRIBE": b"TAG OK done\r\n",
    }
    async with scripted(answers, store, tmp_path) as (server, box), asyncio.TaskGroup() as group:
        watching = group.create_task(box.watch())
        await box.until(2)
        with pytest.raises(TryAgain):
            await box.settle(next(iter(box.taken.values())), Outcome.IMPORTED)
        assert box.ended is None
        assert server.heard.count('SELECT "INBOX"') > 1
        watching.cancel()


@pytest.mark.parametrize("told", [b'"zz"', b'"\\r"', b"NIL", b"{1}\r\n\n"])
async def test_a_delimiter_that_cannot_be_one_spells_nothing(store, tmp_path, told):
    listed = b"* LIST (\\Noselect) " + told + b' ""\r\nTAG OK done\r\n'
    async with scripted({"LIST": listed}, store, tmp_path) as (server, box):
        box.source.config = box.source.config.model_copy(update={"imported_folder": "a/b"})
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(box.watch())
            await eventually(lambda: [line for line in server.heard if "STATUS" in line])
            watching.cancel()
        assert [line for line in server.heard if 'STATUS "a/b"' in line]
