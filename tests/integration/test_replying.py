"""Replies to dealers: who is owed one, and that each is sent once, whatever happens meanwhile."""

import asyncio
import contextlib
import email
import email.policy
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import asyncpg
import pytest
import structlog

from ingestd import outlets, patience
from ingestd import replying as module
from ingestd.config import Config, Log
from ingestd.errors import ReadFailed
from ingestd.model import Delivery, File, Letter, Outcome
from ingestd.report import Reply, Report
from ingestd.store.postgres import PostgresStore
from ingestd.store.replies import Replies
from ingestd.tell import letters
from ingestd.tell.log import set_up
from tests.integration.lot import Lot, Rejected, Sheet, add_lot, car, opened
from tests.integration.smtp import SILENCE, SmtpServer

WITHIN = 20.0
FEED = "feed-1"
DEALER = "lot@matteson.example"
SENDER = "inventory@example.com"
PASSWORD = 's3cret "\\ %/ü'  # noqa: S105  invented
EXCERPT = b"line\treason\tVIN\n2\tno_identifier\tTBD\n"
CONFIG: dict[str, Any] = {
    "feed": [
        {"name": FEED, "dealership": 1, "mode": "full", "reply_to": [DEALER]},
        {"name": "quiet", "dealership": 1, "mode": "full"},
    ]
}
A_MOMENT = timedelta(milliseconds=30)


@pytest.fixture
async def store(database) -> AsyncIterator[PostgresStore]:
    async with opened(database.ingestd_url, config=CONFIG) as opened_store:
        yield opened_store


@pytest.fixture
async def lot(store, admin) -> Lot:
    return await add_lot(store, admin, "Invented Motors")


@pytest.fixture
def quick(monkeypatch) -> None:
    """Wait less between attempts."""
    monkeypatch.setattr(module, "POLL_EVERY", 0.02)
    monkeypatch.setattr(module, "WAITS", (A_MOMENT,) * 3)
    monkeypatch.setattr(patience, "AFTER_DENIAL", (0.02,))


class Mailed:
    """Deliveries by mail, worked on as the daemon does."""

    def __init__(self, lot: Lot) -> None:
        self._lot = lot
        self.store = lot.store

    async def begun(self, *, automatic: bool = False, lane: str = FEED, **fields: Any) -> Delivery:
        options = {"kind": "mail", "source": "inbox", "lane": "?", **fields}
        taken = await self._lot.deliver(**options)
        claimed = await self.store.claim(taken.id, ())
        assert claimed is not None
        letter = Letter("dealer@matteson.example", "x\r\nBcc: a@b.example", automatic)
        await self.store.route(claimed, lane, letter)
        return claimed

    async def imported(self, *rows: Any, **options: Any) -> Delivery:
        delivery = await self.begun(**options)
        await self._lot.load(*(rows or (car(1), Rejected())), delivery=delivery)
        await self.store.finish(delivery, ())
        return delivery

    async def refused(self, reason: str, feed: str | None = FEED) -> Delivery:
        delivery = await self.begun(lane="?")
        await self.store.finish(delivery, (File(0, "lot.tsv", 1, feed, reason, "why"),))
        return delivery


@pytest.fixture
def mailed(lot: Lot) -> Mailed:
    return Mailed(lot)


async def owed(admin: asyncpg.Connection) -> list[tuple[str, str | None]]:
    query = "SELECT feed, given_up FROM ingest.replies ORDER BY delivery_id, feed"
    return [(row["feed"], row["given_up"]) for row in await admin.fetch(query)]


# Who is owed a reply.


async def test_a_mail_that_was_imported_is_owed_one_reply(mailed, admin):
    delivery = await mailed.imported()
    await mailed.store.finish(delivery, ())

    assert await owed(admin) == [(FEED, None)]


async def test_where_no_feed_replies_nothing_is_owed_and_nothing_runs(database, admin):
    async with opened(database.ingestd_url) as store:
        await Mailed(await add_lot(store, admin, "Invented Motors")).imported()

        assert await owed(admin) == []
        assert outlets.replying(Config(), store, no_lines, lambda _: None) == ()


async def no_lines(delivery: Delivery, report: Report) -> AsyncIterator[bytes]:
    yield b""


async def test_a_dropped_file_is_not_replied_to(mailed, admin):
    await mailed.imported(kind="folder")

    assert await owed(admin) == []


async def test_automatic_mail_is_given_up_at_once(mailed, admin):
    await mailed.imported(automatic=True)

    assert await owed(admin) == [(FEED, "a program or a mailing list sent the mail")]
    assert await mailed.store.replies.claim([FEED], module.WAITS) is None


@pytest.mark.parametrize(
    ("reason", "feed", "told"),
    [
        ("no_header", FEED, [(FEED, None)]),
        ("internal_error", FEED, [(FEED, None)]),
        ("no_header", "quiet", []),
        ("no_feed", None, []),
        ("unproven_sender", FEED, []),
    ],
)
async def test_a_refusal_is_told_to_whose_it_is_if_that_is_proven(
    mailed, admin, reason, feed, told
):
    await mailed.refused(reason, feed)

    assert await owed(admin) == told


async def test_one_file_that_is_not_proven_keeps_its_feed_from_a_reply(mailed, lot, admin):
    delivery = await mailed.begun()
    await lot.load(car(1), delivery=delivery)
    await mailed.store.finish(delivery, (File(1, "b.tsv", 1, FEED, "unproven_sender", ""),))

    assert await owed(admin) == []


async def test_a_failure_is_told_to_the_feed_of_the_lane(mailed, admin):
    delivery = await mailed.begun()
    await mailed.store.finish(delivery, (), "it failed three times")

    assert await owed(admin) == [(FEED, None)]
    reply = await mailed.store.replies.claim([FEED], module.WAITS)
    assert [report.outcome for report in reply.reports] == [Outcome.FAILED]


async def test_a_failure_before_it_was_known_whose_it_is_is_told_to_nobody(mailed, admin):
    delivery = await mailed.begun(lane="?")
    await mailed.store.finish(delivery, (), "it failed three times")

    assert await owed(admin) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((car(1),), []),
        ((car(1), Rejected(reason="footer")), []),
        ((car(1), Rejected()), [(FEED, None)]),
    ],
)
async def test_no_news_is_told_only_where_a_row_was_rejected(mailed, lot, admin, rows, told):
    await lot.load(car(1), delivery=await lot.deliver(kind="cli"))
    await mailed.imported(*rows)

    latest = "SELECT outcome FROM ingest.imports ORDER BY id DESC LIMIT 1"
    assert await admin.fetchval(latest) == "unchanged"
    assert await owed(admin) == told


async def test_what_was_superseded_is_not_told(mailed, lot, admin):
    old = await mailed.begun()
    await lot.load(car(1))
    await lot.load(car(2), delivery=old)
    await mailed.store.finish(old, ())

    assert await admin.fetchval("SELECT outcome FROM ingest.deliveries ORDER BY id LIMIT 1") == (
        "superseded"
    )
    assert await owed(admin) == []


# Whose turn it is.


async def test_an_attempt_is_counted_and_put_off_before_it_starts(mailed, admin):
    await mailed.imported()
    waits = (timedelta(minutes=1), timedelta(hours=1))
    reply = await mailed.store.replies.claim([FEED], waits)

    assert (reply.feed, reply.attempts, reply.age < timedelta(minutes=1)) == (FEED, 1, True)
    assert await mailed.store.replies.claim([FEED], waits) is None
    for pause in ("1 minute", "1 hour", "1 hour"):
        due = "due_at > clock_timestamp() + $1::text::interval - interval '10 seconds'"
        assert await admin.fetchval(f"SELECT {due} FROM ingest.replies", pause)
        await admin.execute("UPDATE ingest.replies SET due_at = now() - interval '1 second'")
        await mailed.store.replies.claim([FEED], waits)
    assert await admin.fetchval("SELECT attempts FROM ingest.replies") == 4


async def test_two_instances_do_not_take_one_reply(database, mailed, admin):
    await mailed.imported()
    async with opened(database.ingestd_url, owner="elsewhere", config=CONFIG) as other:
        assert await other.replies.claim([FEED], module.WAITS) is None
        await admin.execute("UPDATE ingest.replies SET due_at = now() - interval '16 minutes'")
        claims = await asyncio.gather(
            other.replies.claim([FEED], module.WAITS),
            mailed.store.replies.claim([FEED], module.WAITS),
        )
    assert sorted(claim is None for claim in claims) == [False, True]


async def test_only_configured_feeds_are_replied_to(mailed):
    await mailed.imported()

    assert await mailed.store.replies.claim(["another"], module.WAITS) is None


async def test_what_was_given_up_and_then_sent_was_sent(mailed, admin):
    await mailed.imported()
    reply = await mailed.store.replies.claim([FEED], module.WAITS)
    await mailed.store.replies.give_up(reply, "too late\0")
    await mailed.store.replies.sent(reply)

    row = await admin.fetchrow("SELECT sent_at, given_up FROM ingest.replies")
    assert row["sent_at"] is not None
    assert row["given_up"] is None


# Sending.


class Desk:
    """What replies, beside a test, to a server of its own."""

    def __init__(self, store: PostgresStore, admin: asyncpg.Connection, server: SmtpServer) -> None:
        self.server = server
        self.admin = admin
        self.told: list[str] = []
        self.excerpts: list[bytes] = [EXCERPT]
        self.trouble: Exception | None = None
        self._store = store
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, per_hour: int = 20, **options: Any) -> asyncio.Task[None]:
        replies = {
            "host": "localhost",
            "port": self.server.port,
            "plaintext": True,
            "sender": SENDER,
            "per_hour": per_hour,
        }
        config = Config.model_validate({**CONFIG, "replies": {**replies, **options}})
        (made,) = outlets.replying(config, self._store, self._excerpt, self.told.append)
        task = asyncio.get_running_loop().create_task(made.run())
        self._tasks.append(task)
        return task

    async def _excerpt(self, delivery: Delivery, report: Report) -> AsyncIterator[bytes]:
        if self.trouble is not None:
            raise self.trouble
        for block in self.excerpts:
            yield block

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, there: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WITHIN):
            while not await there():
                await asyncio.sleep(0.01)

    async def settled(self, replies: int = 1) -> list[str | None]:
        """Wait until so many were sent or given up; say why those were that were not sent."""
        query = (
            "SELECT given_up FROM ingest.replies WHERE sent_at IS NOT NULL OR given_up IS NOT NULL"
            " ORDER BY delivery_id"
        )

        async def there() -> bool:
            return len(await self.admin.fetch(query)) >= replies

        await self.until(there)
        return [row["given_up"] for row in await self.admin.fetch(query)]

    async def tells(self, *expected: str) -> None:
        """Wait until so many were told of, which is after they are written down."""

        async def there() -> bool:
            return len(self.told) >= len(expected)

        await self.until(there)
        assert sorted(self.told) == sorted(expected)

    async def attempts(self) -> int:
        return int(await self.admin.fetchval("SELECT max(attempts) FROM ingest.replies"))

    def letter(self, number: int = 0) -> EmailMessage:
        raw = self.server.mails[number].content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


@pytest.fixture
async def desk(store, admin, quick) -> AsyncIterator[Desk]:
    async with SmtpServer(tls="none", users={"inventory": PASSWORD}) as server:
        made = Desk(store, admin, server)
        yield made
        await made.stop()


async def test_the_dealer_reads_what_became_of_the_mail(mailed, desk):
    desk.start()
    delivery = await mailed.imported(car(1), car(2), Rejected())

    assert await desk.settled() == [None]
    await desk.tells("sent")
    mail, letter = desk.server.mails[0], desk.letter()
    assert (mail.sender, mail.recipients) == (SENDER, [DEALER])
    assert letter["Subject"] == "Inventory of feed-1: 3 rows, 2 loaded, 1 not"
    assert letter["Message-ID"].startswith(f"<ingestd-{delivery.id}-feed-1-")
    assert letter["Bcc"] is None
    body = letter.get_body()
    assert body is not None
    assert 'line 4, column VIN, "TBD": it has neither a VIN nor a stock number' in (
        body.get_content()
    )
    (attached,) = letter.iter_attachments()
    assert attached.get_payload(decode=True) == EXCERPT


async def test_automatic_mail_gets_nothing_while_other_mail_does(mailed, desk):
    for _ in range(5):
        await mailed.imported(automatic=True)
    await mailed.imported(car(2))
    desk.start()

    await desk.settled(6)
    assert len(desk.server.mails) == 1


async def test_a_crash_between_sending_and_ticking_off_sends_the_same_message_again(
    mailed, desk, monkeypatch
):
    reached = asyncio.Event()

    async def stuck(self: Replies, reply: Reply) -> None:
        reached.set()
        await asyncio.Event().wait()

    await mailed.imported()
    with monkeypatch.context() as patch:
        patch.setattr(Replies, "sent", stuck)
        task = desk.start()
        async with asyncio.timeout(WITHIN):
            await reached.wait()
        task.cancel()
        await asyncio.wait([task])
    desk.start()

    assert await desk.settled() == [None]
    first, second = desk.server.mails
    assert first.content == second.content


async def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_message(mailed, desk):
    desk.server.answer(".", b"(hang up)")
    await mailed.imported()
    desk.start()

    assert await desk.settled() == [None]
    first, second = desk.server.mails
    assert first.content == second.content
    await desk.tells("sent")


async def test_what_is_put_off_is_tried_again_and_others_are_not_kept(mailed, desk):
    desk.server.answer("RCPT", b"450 later")
    await mailed.imported()
    await mailed.imported(car(2))
    desk.start()

    assert await desk.settled(2) == [None, None]
    assert await desk.attempts() == 2
    await desk.tells("sent", "sent")


async def test_what_is_refused_is_given_up_with_the_servers_words(mailed, desk):
    desk.server.answer("RCPT", b"550 no such user")
    await mailed.imported()
    desk.start()

    (why,) = await desk.settled()
    assert why is not None
    assert why.endswith("says: 550 no such user")
    await desk.tells("given_up")
    assert desk.server.mails == []


async def test_a_server_that_is_away_is_waited_for(mailed, desk):
    desk.server.answer("greeting", *[b"554 not now"] * 3)
    await mailed.imported()
    desk.start()

    assert await desk.settled() == [None]
    assert await desk.attempts() == 4


async def test_a_refused_login_keeps_the_replies(mailed, desk):
    desk.server.answer("AUTH", *[b"535 no"] * 2)
    await mailed.imported()
    desk.start(user="inventory", password=PASSWORD)

    assert await desk.settled() == [None]
    assert [verb for verb in desk.server.verbs() if verb == "AUTH"] == ["AUTH"] * 3


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up(Log(level="debug", format="json"), stream=stream, environ={})
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


async def test_a_login_that_is_wanted_but_not_configured_keeps_the_replies(mailed, desk, logged):
    desk.server.answer("MAIL", b"530 authenticate first")
    await mailed.imported()
    desk.start()

    assert await desk.settled() == [None]
    assert logged.getvalue().count("replies.wait") == 1
    assert "none is set" in logged.getvalue()


async def test_beyond_the_limit_replies_are_given_up_and_the_log_says_so_once(mailed, desk, logged):
    for number in range(4):
        await mailed.imported(car(number))
    desk.start(per_hour=1)

    sent, *others = await desk.settled(4)
    assert sent is None
    assert others == ["more than 1 replies within an hour ([replies] per_hour)"] * 3
    await desk.tells(*["given_up"] * 3, "sent")
    assert logged.getvalue().count("reply.limit") == 1


async def test_the_limit_is_of_an_hour(mailed, desk):
    await mailed.imported()
    desk.start(per_hour=1)
    await desk.settled()
    await desk.admin.execute("UPDATE ingest.replies SET sent_at = sent_at - interval '61 minutes'")
    await mailed.imported(car(2))

    assert await desk.settled(2) == [None, None]


async def test_after_two_days_of_putting_off_it_is_given_up_with_the_last_words(
    mailed, desk, monkeypatch
):
    monkeypatch.setattr(module, "WAITS", (timedelta(hours=1),))
    desk.server.answer("RCPT", b"450 still full")
    await mailed.imported()
    late = "UPDATE ingest.replies SET queued_at = queued_at - interval '47.5 hours'"
    await desk.admin.execute(late)
    desk.start()

    (why,) = await desk.settled()
    assert why is not None
    assert why.endswith("says: 450 still full (tried for 2 days)")


@pytest.mark.parametrize("feed", [FEED, "gone"])
async def test_what_nobody_sent_for_two_days_is_not_sent_any_more(mailed, desk, feed):
    await mailed.imported()
    late = "UPDATE ingest.replies SET queued_at = queued_at - interval '49 hours', feed = $1"
    await desk.admin.execute(late, feed)
    desk.start()

    assert await desk.settled() == ["it could not be sent within 2 days: nobody tried"]
    await desk.tells("given_up")
    assert desk.server.heard == []


async def test_a_bug_in_writing_ends_neither_the_loop_nor_other_replies(
    mailed, desk, monkeypatch, logged
):
    def broken(reply: Reply, *rest: Any) -> bytes:
        if reply.attempts == 1:
            raise KeyError("x")
        return b"Subject: x\r\n\r\n"

    monkeypatch.setattr(letters, "compose", broken)
    await mailed.imported()
    desk.start()

    assert await desk.settled() == [None]
    assert "reply.bug" in logged.getvalue()


async def test_lines_that_can_not_be_had_are_left_out(mailed, desk):
    desk.trouble = ReadFailed("it died")
    await mailed.imported()
    desk.start()

    await desk.settled()
    assert list(desk.letter().iter_attachments()) == []
    body = desk.letter().get_body()
    assert body is not None
    assert "could not be attached" in body.get_content()


async def test_lines_that_do_not_come_in_time_are_left_out(mailed, desk, monkeypatch):
    monkeypatch.setattr(module, "EXCERPT_WITHIN", 0.05)

    async def never(delivery: Delivery, report: Report) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(desk, "_excerpt", never)
    await mailed.imported()
    desk.start()

    assert await desk.settled() == [None]
    assert list(desk.letter().iter_attachments()) == []


async def test_of_very_many_lines_as_many_are_attached_as_there_is_room_for(
    mailed, lot, desk, monkeypatch
):
    monkeypatch.setattr(module, "ATTACHED", 50)
    desk.excerpts = [b"0123456789" * 2, b"\n", b"x" * 20 + b"\n", b"y" * 20 + b"\n"]
    delivery = await mailed.begun()
    await lot.load(
        sheets=(Sheet((car(1), Rejected())), Sheet((car(2), Rejected()), "b.tsv")),
        delivery=delivery,
    )
    await mailed.store.finish(delivery, ())
    desk.start()

    await desk.settled()
    (attached,) = desk.letter().iter_attachments()
    assert attached.get_payload(decode=True) == b"0123456789" * 2 + b"\n" + b"x" * 20 + b"\n"
    body = desk.letter().get_body()
    assert body is not None
    text = body.get_content()
    assert "there was no room for all" in text
    assert "could not be attached" in text


async def test_a_server_that_hangs_keeps_no_delivery_waiting(mailed, desk):
    desk.server.answer("greeting", SILENCE)
    await mailed.imported()
    desk.start()
    await desk.server.until(lambda: desk.server.begun == 1)

    async with asyncio.timeout(WITHIN):
        delivery = await mailed.imported(car(2))
        await mailed.store.settled(delivery)
    assert await desk.admin.fetchval("SELECT count(settled_at) FROM ingest.deliveries") == 1
    assert desk.server.ended == 0


async def test_the_password_is_in_no_log_and_in_no_table(mailed, desk, logged):
    desk.server.answer("AUTH", f"535 {PASSWORD}".encode(), b"454 later", b"535 no")
    desk.server.answer("RCPT", f"550 {PASSWORD}".encode())
    await mailed.imported()
    desk.start(user="inventory", password=PASSWORD)

    (why,) = await desk.settled()
    assert why is not None
    assert "550 ***" in why
    told = logged.getvalue()
    assert "535 ***" in told
    assert "s3cret" not in told
    assert "s3cret" not in why


async def test_a_stop_ends_an_attempt_and_it_is_done_at_the_next_start(mailed, desk):
    desk.server.answer("MAIL", SILENCE)
    await mailed.imported()
    task = desk.start()
    await desk.server.until(lambda: "MAIL" in desk.server.verbs())
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    desk.start()

    assert await desk.settled() == [None]
    assert len(desk.server.mails) == 1
