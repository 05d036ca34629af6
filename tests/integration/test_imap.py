"""One guarded IMAP connection, against servers that behave as no server should.

"row n": which of the known defects of aioimaplib 2.0.3 the test would meet with the bare library.
"""

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestd.errors import Denied, Misconfigured, Throttled, TryAgain
from ingestd.sources import imap, wire
from ingestd.sources.imap import (
    Bad,
    Deadlines,
    Fact,
    Idled,
    Lost,
    No,
    Selected,
    Server,
    Session,
    Vanished,
)
from tests.integration.certificates import Authority
from tests.integration.mailservers import Dovecot
from tests.integration.pymaps import pymap_server
from tests.integration.scripted import BRIEF, USUAL, Scripted, cut, nothing_left

FACTS = (
    b'* 1 FETCH (UID 7 RFC822.SIZE 10 INTERNALDATE "23-Nov-2026 06:00:00 +0000" FLAGS (\\Seen))\r\n'
    b"TAG OK done\r\n"
)
FACT = Fact(7, 10, datetime(2026, 11, 23, 6, tzinfo=UTC), frozenset({"\\Seen"}))
BODY = b"* 1 FETCH (UID 7 BODY[]<0> {5}\r\nab)\r\n)\r\nTAG OK done\r\n"

Command = Callable[[Session], Awaitable[Any]]
#: Every command, with the beginning of what it sends.
COMMANDS: list[tuple[str, Command]] = [
    ('SELECT "Lots"', lambda session: session.select("Lots")),
    ("STATUS", lambda session: session.has("Lots")),
    ("CREATE", lambda session: session.create("Lots")),
    ("LIST", lambda session: session.folders()),
    ("LIST", lambda session: session.delimiter()),
    ("UID SEARCH", lambda session: session.search()),
    ("UID FETCH", lambda session: session.facts([7])),
    ("UID FETCH", lambda session: session.part(7, 0, 100)),
    ("UID MOVE", lambda session: session.move([7], "Lots")),
    ("UID COPY", lambda session: session.copy([7], "Lots")),
    ("UID STORE", lambda session: session.flag([7], add=["X"])),
    ("UID EXPUNGE", lambda session: session.expunge([7])),
    ("NOOP", lambda session: session.noop()),
    ("IDLE", lambda session: session.idle(asyncio.Event(), 30)),
]


def each(name: str) -> Any:
    """Run a test for every command; ids by place, since some send the same word."""
    ids = [f"{place}-{sent}" for place, (sent, _) in enumerate(COMMANDS)]
    return pytest.mark.parametrize(name, COMMANDS, ids=ids)


def soon() -> asyncio.Timeout:
    """Bound what has to happen at once, while the deadlines are those of real life."""
    return asyncio.timeout(3)


@pytest.fixture(autouse=True)
async def _quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    async with nothing_left():
        yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- the usual -------------------------------------------------------------------------------


async def test_a_folder_is_opened_and_what_is_in_it_found():
    answers = {
        "UID SEARCH": b"* SEARCH 9 7\r\nTAG OK done\r\n",
        "UID FETCH 7": FACTS,
        "UID FETCH 7 (UID BODY": BODY,
    }
    async with Scripted(answers) as server:
        session = await server.entered()
        assert await session.select("INBOX") == Selected(77, 3, 9, keywords=True, read_only=False)
        assert await session.search("UNDELETED") == (7, 9)
        assert await session.facts([7]) == (FACT,)
        assert await session.part(7, 0, 100) == b"ab)\r\n"
        await session.close()
        assert server.heard == [
            "CAPABILITY",
            'LOGIN "alice" "secret"',
            "CAPABILITY",
            'SELECT "INBOX"',
            "UID SEARCH UNDELETED",
            "UID FETCH 7 (UID RFC822.SIZE INTERNALDATE FLAGS)",
            "UID FETCH 7 (UID BODY.PEEK[]<0.100>)",
            "LOGOUT",
        ]


async def test_answers_that_come_byte_by_byte_are_the_same_answers():
    answers = {
        "UID SEARCH": b"* SEARCH 9 7\r\nTAG OK done\r\n",
        "UID FETCH 7": FACTS,
        "UID FETCH 7 (UID BODY": BODY,
        "LIST": b'* LIST () "/" {4}\r\nLots\r\nTAG OK done\r\n',
    }
    async with Scripted(answers, trickle=True) as server:
        session = await server.selected()
        assert await session.search() == (7, 9)
        assert await session.facts([7]) == (FACT,)
        assert await session.part(7, 0, 100) == b"ab)\r\n"
        assert await session.folders() == ("Lots",)
        idling = await _idling(session)
        await server.send(b"* 4 EXISTS\r\n")
        assert (await idling).pushed
        await session.close()


async def _idling(
    session: Session, within: float = 30, wake: asyncio.Event | None = None
) -> asyncio.Task[Idled]:
    """Begin to idle, and wait until the server has agreed to it and is listened to."""
    idle = session.idle(wake or asyncio.Event(), within)
    task = asyncio.get_running_loop().create_task(idle)
    async with soon():
        while not session._wire.stirred._waiters:
            await asyncio.sleep(0)
    return task


# -- much at once (rows 1, 2) ----------------------------------------------------------------


async def test_five_thousand_lines_in_one_portion_are_an_answer_like_any_other():  # row 1
    flood = b"".join(b"* %d FETCH (FLAGS (X))\r\n" % number for number in range(1, 5001))
    async with Scripted({"UID FETCH": flood + FACTS}) as server, soon():
        session = await server.selected()
        assert await session.facts([7]) == (replace(FACT, flags=FACT.flags),)
        await session.close()


async def test_three_thousand_messages_that_vanish_during_idle_are_a_push():  # row 1
    async with Scripted() as server, soon():
        session = await server.selected()
        idling = await _idling(session)
        await server.send(b"* 1 EXPUNGE\r\n" * 3000)
        assert (await idling).pushed
        await session.noop()
        await session.close()


async def test_the_time_for_many_lines_grows_with_their_number_only():  # row 2
    flood = b"".join(
        b"* %d FETCH (UID %d RFC822.SIZE 5)\r\n" % (number, number) for number in range(1, 16_001)
    )
    async with Scripted({"UID FETCH": flood + b"TAG OK done\r\n"}) as server:
        session = await server.selected()
        began = time.process_time()
        assert len(await session.facts(range(1, 101))) == 100
        assert time.process_time() - began < 5  # the library: over a minute
        await session.close()


async def test_a_search_of_two_hundred_thousand_messages_is_one_line():
    found = b" ".join(b"%d" % uid for uid in range(1_000_000, 1_200_000))
    answer = b"* SEARCH " + found + b"\r\nTAG OK done\r\n"
    async with Scripted({"UID SEARCH": answer}) as server, soon():
        session = await server.selected()
        assert await session.search() == tuple(range(1_000_000, 1_200_000))
        await session.close()


# -- deadlines (rows 3, 4, 23) ---------------------------------------------------------------


@each("sent, command")
async def test_a_command_that_is_not_answered_ends_with_the_connection(sent, command):  # row 3
    brief = Deadlines(*[0.1] * 10)
    async with Scripted({sent: b""}) as server:
        session = await server.selected()
        session._deadlines = brief
        with pytest.raises(Lost, match=r"did not answer .* within 0\.1"):
            await command(session)
        await server.ended()


@each("sent, command")
async def test_after_a_deadline_nothing_waits_any_more(sent, command):  # row 4
    async with Scripted({"UID SEARCH": b""}) as server:
        session = await server.selected(replace(BRIEF, search=0.1))
        with pytest.raises(Lost):
            await session.search()
        with pytest.raises(Lost, match="did not answer SEARCH"):
            async with soon():
                await command(session)


async def test_a_cancelled_command_ends_the_connection():  # row 4
    async with Scripted({"UID SEARCH": b""}) as server:
        session = await server.selected()
        task = asyncio.get_running_loop().create_task(session.search())
        await server.until("UID SEARCH")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Lost, match="given up during SEARCH"):
            await session.noop()
        await server.ended()


async def test_an_idle_that_is_cancelled_ends_the_connection():
    async with Scripted() as server:
        session = await server.selected()
        task = await _idling(session)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.ended()


async def test_a_logout_does_not_wait_behind_a_stuck_command():  # row 23
    async with Scripted({"UID SEARCH": b""}) as server:
        session = await server.selected(Deadlines())
        searching = asyncio.get_running_loop().create_task(session.search())
        await server.until("UID SEARCH")
        async with soon():
            await session.close()
            with pytest.raises(Lost, match="given up"):
                await searching
        assert "LOGOUT" not in server.heard


async def test_a_logout_that_is_not_answered_is_not_waited_for():
    async with Scripted({"LOGOUT": b""}) as server:
        session = await server.selected(replace(BRIEF, logout=0.1))
        async with soon():
            await session.close()
        await server.ended()


async def test_close_may_be_called_again_and_on_a_dead_connection():
    async with Scripted() as server:
        session = await server.selected()
        session.abort()
        async with soon():
            await session.close()
            await session.close()
        with pytest.raises(Lost):
            await session.noop()


async def test_two_commands_at_a_time_are_a_mistake_of_ours():
    async with Scripted({"UID SEARCH": b""}) as server:
        session = await server.selected()
        searching = asyncio.get_running_loop().create_task(session.search())
        await server.until("UID SEARCH")
        with pytest.raises(RuntimeError, match="NOOP while SEARCH is under way"):
            await session.noop()
        session.abort()
        with pytest.raises(Lost):
            await searching


# -- the end of a connection (rows 5, 6, 8) --------------------------------------------------


@each("sent, command")
async def test_a_connection_that_ends_wakes_who_waits_for_an_answer(sent, command):  # rows 5, 6
    async with Scripted({sent: cut}) as server, soon():
        session = await server.selected(Deadlines())
        with pytest.raises(Lost, match="is gone"):
            await command(session)


@each("sent, command")
async def test_a_farewell_in_the_middle_of_a_command_is_heard_at_once(sent, command):  # rows 5, 6
    async with Scripted({sent: b"* BYE [UNAVAILABLE] down\r\n"}) as server, soon():
        session = await server.selected(Deadlines())
        with pytest.raises(Throttled, match="ended the connection: \\[UNAVAILABLE\\] down"):
            await command(session)


@pytest.mark.parametrize("end", [b"* BYE Autologout\r\n", b"* BYE Too many connections\r\n", None])
async def test_a_connection_that_ends_wakes_who_idles(end):  # row 5
    async with Scripted() as server, soon():
        session = await server.selected(Deadlines())
        idling = await _idling(session)
        await server.send(end) if end else server.cut()
        with pytest.raises(Throttled if end and b"Too many" in end else Lost) as told:
            await idling
        if isinstance(told.value, Lost):
            assert told.value.idled is not None
            assert 0 <= told.value.idled < 3


async def test_a_connection_that_ends_within_a_literal_is_noticed_at_once():
    async def half(server: Scripted, tag: str) -> None:
        await server.send(b"* 1 FETCH (UID 7 BODY[]<0> {50}\r\nhalf")
        await cut(server, tag)

    async with Scripted({"UID FETCH": half}) as server, soon():
        session = await server.selected(Deadlines())
        with pytest.raises(Lost, match="is gone"):
            await session.part(7, 0, 50)


async def test_a_farewell_between_two_commands_is_remembered():
    async with Scripted({"NOOP": b"TAG OK\r\n* BYE Autologout; idle for too long\r\n"}) as server:
        session = await server.selected()
        await session.noop()
        with pytest.raises(Lost, match="Autologout; idle for too long"):
            async with soon():
                await session.search()


async def test_signs_of_life_are_noticed_whatever_they_are():
    async with Scripted() as server:
        session = await server.selected()
        before = session.heard
        idling = await _idling(session, 0.1)
        await server.send(b"* OK Still here\r\n")
        assert not (await idling).pushed
        assert time.monotonic() >= session.heard > before
        await session.close()


# -- answers that are out of order -----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"XX9 OK done\r\n", "answers a command that was not sent"),
        (b"TAG WHAT done\r\n", "neither with OK nor NO nor BAD"),
        (b"TAG BYE done\r\n", "neither with OK nor NO nor BAD"),
        (b"something else\r\n", "answers a command that was not sent"),
        (b"+ go on\r\n", "asks for more"),
        (b"* 1 FETCH (X {4294967295}\r\n", "a literal of 4294967295 bytes"),
        (b"* LIST () " + b"x" * wire.LINE, "a line of more than"),
        (b"* OK x\r\n" * (wire.LINES + 1), "lines without being asked"),
    ],
)
async def test_an_answer_out_of_order_ends_the_connection(answer, told):
    async with Scripted({"STATUS": answer}) as server:
        session = await server.entered(replace(BRIEF, metadata=15))
        with pytest.raises(Lost, match=told):
            async with asyncio.timeout(20):
                await session.has("Lots")
        await server.ended()


async def test_an_answer_past_every_measure_ends_the_connection():
    flood = b"* 1 FETCH (X {60000}\r\n" + b"x" * 60_000 + b")\r\n"
    async with Scripted({"UID FETCH": flood * 40}) as server, soon():
        session = await server.selected()
        with pytest.raises(Lost, match="bytes in answer to FETCH"):
            await session.facts([7])


async def test_an_answer_that_nobody_waits_for_ends_the_connection():
    async with Scripted({"NOOP": b"TAG OK\r\nTAG OK\r\n"}) as server:
        session = await server.entered()
        await session.noop()
        await server.ended()
        with pytest.raises(Lost, match="was not sent"):
            await session.noop()


async def test_unknown_lines_are_passed_over():
    odd = b'* X-NEWS (a (b) "c\r\n* \r\n\r\n* 5\r\n* 3 NEVERHEARD x\r\n* VANISHED 1:4\r\n'
    async with Scripted({"UID FETCH": odd + FACTS}) as server:
        session = await server.selected()
        assert await session.facts([7]) == (FACT,)
        await session.close()


# -- names (rows 9, 10, 14) ------------------------------------------------------------------


async def test_names_are_read_as_they_are_written():  # rows 9, 10
    listing = (
        b'* LIST () "/" "5* dealers"\r\n'
        b'* LIST () "/" "* a * b"\r\n'
        b'* LIST () "/" "stock :)"\r\n'
        b'* LIST (\\Noselect) "/" "[Gmail]"\r\n'
        b'* LIST () "/" {3}\r\n(a*\r\n'
        b'* LIST () "/" "&AMk-t&AOk- \\"1\\""\r\n'
        b'* LIST () "/" plain\r\n'
        b'* LIST () "/" "a&ICg-b"\r\n'
        b"TAG OK done\r\n"
    )
    async with Scripted({"LIST": listing}) as server:
        session = await server.entered()
        names = ("5* dealers", "* a * b", "stock :)", "(a*", 'Été "1"', "plain", "a\ufffdb")
        assert await session.folders() == names
        assert await session.delimiter() == "/"
        await session.close()


async def test_parentheses_in_what_others_are_told_join_nothing():  # row 10
    told = b'* 1 FETCH (ENVELOPE ("stock :(.tsv" NIL))\r\n* 2 FETCH (FLAGS (X))\r\n'
    async with Scripted({"UID FETCH": told + FACTS}) as server:
        session = await server.selected()
        assert await session.facts([7]) == (replace(FACT),)
        await session.close()


async def test_no_more_folders_are_listed_than_somebody_would_read():
    listing = b"".join(b'* LIST () "/" f%d\r\n' % number for number in range(10_000))
    async with Scripted({"LIST": listing + b"TAG OK done\r\n"}) as server:
        session = await server.entered()
        assert await session.folders() == tuple(f"f{number}" for number in range(50))
        await session.close()


async def test_names_are_quoted_and_written_in_modified_utf_7():  # row 14
    done = b"TAG OK done\r\n"
    answers = dict.fromkeys(("STATUS", "CREATE", "SUBSCRIBE", "UID MOVE", "UID COPY"), done)
    async with Scripted(answers) as server:
        session = await server.selected()
        await session.create("Dealers/Été 2024")
        await session.has('R&D "x" \\')
        await session.move([7], "My Folder")
        await session.copy([7], "日本")
        await session.select("a b")
        assert server.heard[4:] == [
            'CREATE "Dealers/&AMk-t&AOk- 2024"',
            'SUBSCRIBE "Dealers/&AMk-t&AOk- 2024"',
            'STATUS "R&-D \\"x\\" \\\\" (UIDVALIDITY)',
            'UID MOVE 7 "My Folder"',
            'UID COPY 7 "&ZeVnLA-"',
            'SELECT "a b"',
        ]
        await session.close()


@pytest.mark.parametrize("name", ["a\r\nA1 DELETE INBOX", "a\0", "a\n"])
async def test_a_line_break_in_a_name_is_never_sent(name):
    async with Scripted() as server:
        session = await server.selected()
        with pytest.raises(Misconfigured, match="line break"):
            await session.select(name)
        assert len(server.heard) == 4
        await session.close()


async def test_a_line_break_in_a_search_is_never_sent():
    async with Scripted() as server:
        session = await server.selected()
        with pytest.raises(ValueError, match="CR and LF"):
            await session.search("ALL\r\nA1 LOGOUT")
        await session.close()


async def test_a_folder_that_is_there_already_need_not_be_made():
    answers = {
        "CREATE": b"TAG NO [ALREADYEXISTS] it is there\r\n",
        "SUBSCRIBE": b"TAG NO not here\r\n",
    }
    async with Scripted(answers) as server:
        session = await server.entered()
        await session.create("Lots")
        server.say({"CREATE": b"TAG NO it is there\r\n", "STATUS": b"TAG OK\r\n"})
        await session.create("Lots")
        server.say({"CREATE": b"TAG NO never\r\n", "STATUS": b"TAG NO none\r\n"})
        with pytest.raises(No, match="never"):
            await session.create("Lots")
        assert not await session.has("Lots")
        server.say({"STATUS": b"TAG NO [NOPERM] not yours\r\n"})
        with pytest.raises(No, match="not yours"):
            await session.has("Lots")
        await session.close()


# -- searching and fetching (rows 15, 16) ----------------------------------------------------


async def test_a_search_names_no_charset():  # row 15
    async with Scripted({"UID SEARCH": b"* SEARCH\r\nTAG OK done\r\n"}) as server:
        session = await server.selected()
        assert await session.search("UNKEYWORD IngestdHeld") == ()
        assert server.heard[-1] == "UID SEARCH UNKEYWORD IngestdHeld"
        with pytest.raises(ValueError, match="ASCII"):
            await session.search("SUBJECT Été")
        await session.close()


@pytest.mark.parametrize(
    "answer", [b"TAG OK 12 done\r\n", b"* SEARCH\r\nTAG OK 12\r\n", b"* OK 12\r\nTAG OK 12 13\r\n"]
)
async def test_the_last_line_of_a_search_is_no_message(answer):  # row 16
    async with Scripted({"UID SEARCH": answer}) as server:
        session = await server.selected()
        assert await session.search() == ()
        await session.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 FETCH (UID 7 BODY[]<3> {4}\r\n* 1 )\r\n",
        b"* 1 FETCH (BODY[]<3> {4}\r\n* 1  UID 7)\r\n",
        b"* 1 FETCH (FLAGS (\\Seen) BODY[]<3> {4}\r\n* 1  MODSEQ (1) UID 7)\r\n",
        b"* 1 FETCH (BODY[]<3> {4}\r\n* 1 )\r\n* 1 FETCH (UID 7)\r\n",
        b'* 1 FETCH (UID 7 BODY[]<3> "* 1 ")\r\n',
        b'* 1 FETCH (UID 7 BODY[]<3> "* 1 ")\r\n* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n',
        b"* 2 FETCH (UID 8 BODY[]<3> {1}\r\nx)\r\n* 1 FETCH (uid 7 body[]<3> {4}\r\n* 1 )\r\n",
    ],
)
async def test_a_part_is_known_by_its_uid_wherever_that_stands(answer):
    async with Scripted({"UID FETCH": answer + b"TAG OK done\r\n"}) as server:
        session = await server.selected()
        assert await session.part(7, 3, 4) == b"* 1 "
        await session.close()


@pytest.mark.parametrize(
    "answer", [b'BODY[]<3> ""', b"BODY[]<3> NIL", b"BODY[] NIL", b"BODY[]<3> {0}\r\n"]
)
async def test_there_is_nothing_past_the_end(answer):
    fetched = b"* 1 FETCH (UID 7 " + answer + b")\r\nTAG OK done\r\n"
    async with Scripted({"UID FETCH": fetched}) as server:
        session = await server.selected()
        assert await session.part(7, 3, 4) == b""
        await session.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG OK done\r\n",
        b"* 1 FETCH (UID 8 BODY[] x)\r\nTAG OK\r\n",
        b"TAG NO [EXPUNGEISSUED]\r\n",
    ],
)
async def test_a_message_that_is_gone_is_known_to_be(answer):
    async with Scripted({"UID FETCH": answer}) as server:
        session = await server.selected()
        with pytest.raises(Vanished, match="message 7 is no longer"):
            await session.part(7, 0, 4)
        await session.noop()
        await session.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"FLAGS (\\Seen)", "does not give the bytes of message 7"),
        (b"BODY[] {4}\r\nabcd", "gives 4 bytes from 0 of message 7, not 4 from 3"),
        (b"BODY[]<2> {4}\r\nabcd", "gives 4 bytes from 2 of message 7, not 4 from 3"),
        (b"BODY[]<3> {5}\r\nabcde", "gives 5 bytes from 3 of message 7, not 4 from 3"),
    ],
)
async def test_bytes_that_were_not_asked_for_are_not_taken(answer, told):
    fetched = b"* 1 FETCH (UID 7 " + answer + b")\r\nTAG OK done\r\n"
    async with Scripted({"UID FETCH": fetched}) as server:
        session = await server.selected()
        with pytest.raises(No, match=told):
            await session.part(7, 3, 4)
        await session.noop()
        await session.close()


async def test_a_server_that_knows_no_parts_gives_a_small_message_whole():
    async with Scripted({"UID FETCH": BODY.replace(b"<0>", b"")}) as server:
        session = await server.selected()
        assert await session.part(7, 0, 100) == b"ab)\r\n"
        await session.close()


async def test_a_refusal_to_give_one_message_is_no_more_than_that():
    async with Scripted({"UID FETCH": b"TAG NO broken message\r\n"}) as server:
        session = await server.selected()
        with pytest.raises(No, match="broken message"):
            await session.part(7, 0, 100)
        await session.noop()
        await session.close()


async def test_facts_are_asked_for_a_hundred_messages_at_a_time():
    async with Scripted({"UID FETCH": FACTS.replace(b"UID 7", b"UID 207")}) as server:
        session = await server.selected()
        assert await session.facts([*range(1, 151), 207]) == (replace(FACT, uid=207),)
        items = "(UID RFC822.SIZE INTERNALDATE FLAGS)"
        asked = [f"UID FETCH 1:100 {items}", f"UID FETCH 101:150,207 {items}"]
        assert server.heard[-2:] == asked
        assert await session.facts([]) == ()
        await session.close()


# -- refusals (rows 17, 18) ------------------------------------------------------------------


@each("sent, command")
@pytest.mark.parametrize("word", ["NO", "BAD"])
async def test_a_refusal_is_raised_and_the_connection_is_well(sent, command, word):  # row 17
    async with Scripted({sent: f"TAG {word} [CANNOT] not so\r\n".encode()}) as server:
        session = await server.selected()
        if (sent, word) == ("STATUS", "NO"):
            assert await command(session) is False
        else:
            server.say({"STATUS": b"TAG NO\r\n"} if sent == "CREATE" else {})
            with pytest.raises(No if word == "NO" else Bad) as refused:
                await command(session)
            assert (refused.value.code, refused.value.text) == ("CANNOT", "not so")
            assert "127.0.0.1 refused" in str(refused.value)
        server.say({"NOOP": USUAL["NOOP"]})
        await session.noop()
        await session.close()


async def test_a_copy_into_nowhere_says_so():
    async with Scripted({"UID COPY": b"TAG NO [TRYCREATE] no such folder\r\n"}) as server:
        session = await server.selected()
        with pytest.raises(No) as refused:
            await session.copy([7], "Lots")
        assert refused.value.code == "TRYCREATE"
        await session.close()


async def test_after_a_folder_that_was_refused_none_is_open():  # row 18
    async with Scripted() as server:
        session = await server.selected()
        server.say({"SELECT": b"TAG NO [NONEXISTENT] none\r\n"})
        with pytest.raises(No, match="NONEXISTENT"):
            await session.select("Lots")
        with pytest.raises(RuntimeError, match="SEARCH in state AUTH"):
            await session.search()
        await session.close()
        assert "UID SEARCH" not in " ".join(server.heard)


async def test_a_folder_without_uidvalidity_is_not_opened():
    async with Scripted({"SELECT": b"* 3 EXISTS\r\nTAG OK done\r\n"}) as server:
        session = await server.entered()
        with pytest.raises(No, match="gives the folder 'INBOX' no UIDVALIDITY"):
            await session.select("INBOX")
        await session.close()


# -- putting mail away -----------------------------------------------------------------------


async def test_flags_are_set_and_taken_away_by_name():
    async with Scripted({"UID STORE": b"TAG OK done\r\n"}) as server:
        session = await server.selected()
        await session.flag([7, 8], add=["IngestdHeld", "\\Seen"], remove=["\\Flagged"])
        assert server.heard[-2:] == [
            "UID STORE 7:8 +FLAGS.SILENT (IngestdHeld \\Seen)",
            "UID STORE 7:8 -FLAGS.SILENT (\\Flagged)",
        ]
        with pytest.raises(ValueError, match="no flags"):
            await session.flag([7], add=["a b"])
        await session.close()


async def test_only_the_messages_named_are_ever_removed():
    async with Scripted({"UID EXPUNGE": b"* 1 EXPUNGE\r\nTAG OK done\r\n"}) as server:
        session = await server.selected()
        await session.expunge([7, 9])
        assert server.heard[-1] == "UID EXPUNGE 7,9"
        await session.close()


async def test_without_uidplus_nothing_is_removed():
    plain = b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"
    async with Scripted({"CAPABILITY": plain}) as server:
        session = await server.selected()
        with pytest.raises(No, match="UIDPLUS"):
            await session.expunge([7])
        assert not [line for line in server.heard if "EXPUNGE" in line]
        await session.close()


async def test_many_messages_are_moved_in_several_commands():
    async with Scripted({"UID MOVE": b"TAG OK done\r\n"}) as server:
        session = await server.selected()
        await session.move(range(1, 151), "Lots")
        assert server.heard[-2:] == ['UID MOVE 1:100 "Lots"', 'UID MOVE 101:150 "Lots"']
        await session.close()


# -- idling (rows 19, 20, 21) ----------------------------------------------------------------


@pytest.mark.parametrize(
    "push", [b"* 4 EXISTS\r\n", b"* 1 RECENT\r\n", b"* 1 EXPUNGE\r\n", b"* 1 FETCH (FLAGS ())\r\n"]
)
async def test_whatever_is_pushed_wakes(push):
    async with Scripted() as server, soon():
        session = await server.selected()
        idling = await _idling(session)
        await server.send(push)
        idled = await idling
        assert (idled.pushed, idled.ended_by_server) == (True, False)
        assert server.heard[-1] == "DONE"
        await session.close()


async def test_what_is_told_again_wakes_nobody():
    async with Scripted({"IDLE": b"+ idling\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"}) as server:
        session = await server.selected()
        assert not (await session.idle(asyncio.Event(), 0.05)).pushed
        await session.close()


async def test_whoever_wakes_it_is_served_soon():
    async with Scripted() as server, soon():
        session, wake = await server.selected(), asyncio.Event()
        task = asyncio.get_running_loop().create_task(session.idle(wake, 30))
        await server.until("IDLE")
        wake.set()
        idled = await task
        assert (idled.pushed, idled.ended_by_server) == (False, False)
        await session.noop()
        assert (await session.idle(wake, 30)).pushed is False  # it is still set
        assert server.heard[-3:] == ["IDLE", "DONE", "NOOP"]
        await session.close()


async def test_the_time_for_idling_is_kept():
    async with Scripted() as server, soon():
        session = await server.selected()
        idled = await session.idle(asyncio.Event(), 0.1)
        assert not idled.pushed
        assert 0.1 <= idled.seconds < 3
        await session.close()


async def test_a_stale_push_does_not_wake_the_next_idle():  # row 19
    late = b"* 4 EXISTS\r\n* 1 EXPUNGE\r\n* 2 EXPUNGE\r\nTAG OK done\r\n"
    answers = {"DONE": [late, b"TAG OK done\r\n"], "UID SEARCH": b"* SEARCH 7\r\nTAG OK\r\n"}
    async with Scripted(answers) as server:
        session = await server.selected()
        idling = await _idling(session)
        await server.send(b"* 1 RECENT\r\n* 1 FETCH (FLAGS ())\r\n")
        assert (await idling).pushed
        await session.search()
        assert not (await session.idle(asyncio.Event(), 0.1)).pushed
        await session.close()


async def test_mail_that_came_with_the_end_of_idle_is_not_lost():
    late = b"* 4 EXISTS\r\nTAG OK done\r\n"
    async with Scripted({"DONE": late}) as server, soon():
        session = await server.selected()
        assert not (await session.idle(asyncio.Event(), 0.05)).pushed
        assert (await session.idle(asyncio.Event(), 30)).pushed
        await session.close()


async def test_mail_that_came_during_another_command_is_not_waited_for():  # row 21
    answers = {
        "UID SEARCH": b"* SEARCH 7\r\nTAG OK\r\n",
        "UID FETCH": b"* 4 EXISTS\r\n" + FACTS,
    }
    async with Scripted(answers) as server, soon():
        session = await server.selected()
        await session.search()
        await session.facts([7])
        assert (await session.idle(asyncio.Event(), 30)).pushed
        assert "IDLE" not in server.heard
        await session.search()
        assert not (await session.idle(asyncio.Event(), 0.05)).pushed
        await session.close()


async def test_mail_of_ours_that_is_moved_away_is_no_news():
    moved = b"* OK [COPYUID 1 7 1] x\r\n* 1 EXPUNGE\r\n* 2 EXISTS\r\nTAG OK done\r\n"
    async with Scripted({"UID MOVE": moved}) as server:
        session = await server.selected()
        await session.move([7], "Lots")
        assert not (await session.idle(asyncio.Event(), 0.05)).pushed
        await session.close()


async def test_an_idle_that_the_server_ends_is_not_ended_again():  # row 20
    async with Scripted({"IDLE": b"+ idling\r\nTAG OK enough\r\n"}) as server, soon():
        session = await server.selected()
        idled = await session.idle(asyncio.Event(), 30)
        assert (idled.pushed, idled.ended_by_server) == (False, True)
        await session.noop()
        assert "DONE" not in server.heard
        await session.close()


@pytest.mark.parametrize("word", ["NO", "BAD", "OK"])
async def test_an_idle_that_is_refused_is_not_ended(word):  # rows 6, 20
    async with Scripted({"IDLE": f"TAG {word} not now\r\n".encode()}) as server, soon():
        session = await server.selected()
        with pytest.raises(No if word == "NO" else Bad, match="not now"):
            await session.idle(asyncio.Event(), 30)
        await session.noop()
        assert "DONE" not in server.heard
        await session.close()


async def test_a_server_that_does_not_let_go_of_idle_is_dead():
    async with Scripted({"DONE": b""}) as server, soon():
        session = await server.selected(replace(BRIEF, done=0.1))
        with pytest.raises(Lost, match=r"did not answer IDLE within 0\.1 s"):
            await session.idle(asyncio.Event(), 0.05)
        await server.ended()


async def test_a_server_without_idle_is_asked():
    answers = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n",
        "NOOP": [b"TAG OK\r\n", b"* 4 EXISTS\r\nTAG OK\r\n"],
    }
    async with Scripted(answers) as server, soon():
        session, wake = await server.selected(), asyncio.Event()
        assert not (await session.idle(wake, 0.05)).pushed
        assert (await session.idle(wake, 0.05)).pushed
        wake.set()
        assert not (await session.idle(wake, 30)).pushed
        assert server.heard[-2:] == ["NOOP", "NOOP"]
        server.cut()
        with pytest.raises(Lost):
            await session.idle(asyncio.Event(), 30)


# -- secrets (row 12) ------------------------------------------------------------------------

SECRETS = ['p"a\\ss wörd €', 'p"a\\ss word', "ya29.Bearer-token_x/y+z=="]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("accepted", [True, False])
async def test_no_password_and_no_token_is_ever_told(secret, accepted, caplog):  # row 12
    async def parrot(server: Scripted, tag: str) -> None:
        word = "OK" if accepted else "NO"
        said = " ".join(server.heard)
        await server.send(f"{tag} {word} you said {said} {secret}\r\n".encode())

    auth = b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2\r\nTAG OK done\r\n"
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    answers: Any = {"CAPABILITY": auth, "LOGIN": parrot, "AUTHENTICATE": parrot}
    async with Scripted(answers) as server:
        session = await server.opened()
        told = ""
        try:
            if secret.startswith("ya29"):
                await session.xoauth2("alice", secret)
            else:
                await session.login("alice", secret)
        except Denied as error:
            told = "".join(traceback.format_exception(error)) + repr(error)
        assert bool(told) is not accepted
        sent = server.heard[1].rpartition(" " if "AUTH" in server.heard[1] else ' "')[2].strip('"')
        server.say({"NOOP": f"* BYE {secret}\r\n".encode()})
        with pytest.raises(TryAgain) as farewell:
            await session.noop()
        everything = told + str(farewell.value) + caplog.text + repr(session)
        for form in (secret, sent, secret[1:-1], secret.replace("\\", "\\\\").replace('"', '\\"')):
            assert form not in everything
    assert logging.getLogger("aioimaplib.aioimaplib").getEffectiveLevel() == logging.WARNING


def test_the_loggers_of_the_library_stay_at_warning_whatever_ours_says():  # row 12
    assert imap.__name__  # importing it is enough
    logger = logging.getLogger("aioimaplib")
    assert logger.level == logging.WARNING
    assert logger.propagate


# -- the same things with a real server ------------------------------------------------------


async def test_the_usual_conversation_with_a_real_server():
    raw = b"Subject: lot\r\n\r\n" + b"VIN\tPrice\r\n" * 1000
    async with pymap_server() as server:
        await server.append(raw, received=datetime(2026, 11, 23, 6, tzinfo=UTC))
        session = await Session.open(Server(server.host, server.port, "none"), BRIEF)
        await session.login("alice", "secret")
        assert {"IDLE", "MOVE", "UIDPLUS"} <= session.capabilities
        assert (await session.select("INBOX")).exists == 1
        (uid,) = await session.search("UNDELETED")
        (fact,) = await session.facts([uid])
        assert (fact.size, fact.received) == (len(raw), datetime(2026, 11, 23, 6, tzinfo=UTC))
        parts, offset = [], 0
        while part := await session.part(uid, offset, 4096):
            parts.append(part)
            offset += len(part)
        assert (b"".join(parts), len(parts[0])) == (raw, 4096)
        await session.flag([uid], add=["\\Seen"])
        assert "\\Seen" in (await session.facts([uid]))[0].flags
        folder = f'Été{await session.delimiter()}R&D "x"'
        with pytest.raises(No) as refused:
            await session.move([uid], folder)
        assert refused.value.code == "TRYCREATE"
        await session.create(folder)
        await session.create(folder)
        assert await session.has(folder)
        assert folder in await session.folders()
        await session.move([uid], folder)
        assert await server.folder("alice", folder) == [raw]
        with pytest.raises(Vanished):
            await session.part(uid, 0, 100)
        await session.close()


async def test_a_real_server_pushes_and_says_farewell():
    async with pymap_server() as server, soon():
        session = await Session.open(Server(server.host, server.port, "none"), BRIEF)
        await session.login("alice", "secret")
        await session.select("INBOX")
        idling = await _idling(session)
        await server.append(b"Subject: a\r\n\r\n")
        assert (await idling).pushed
        assert len(await session.search()) == 1
        idling = await _idling(session)
        await server.drop()
        with pytest.raises(TryAgain):
            await idling


async def in_dovecot(server: Dovecot, authority: Authority, **deadlines: float) -> Session:
    """Enter a Dovecot as alice, with a token, under TLS, and open INBOX."""
    place = Server(server.host, server.tls_port, "implicit", str(authority.ca_file))
    session = await Session.open(place, replace(BRIEF, **deadlines))
    await session.xoauth2("alice", server.jwt("alice"))
    await session.select("INBOX")
    return session


async def test_dovecot_takes_keywords_tokens_and_moves(dovecot, authority):
    raw = b"Subject: lot\r\n\r\nVIN\tPrice\r\n"
    dovecot.put(raw, received=datetime(2026, 11, 23, 6, tzinfo=UTC))
    session = await in_dovecot(dovecot, authority)
    assert (await session.select("INBOX")).keywords
    (uid,) = await session.search("UNKEYWORD IngestdHeld")
    await session.flag([uid], add=["IngestdHeld", "\\Seen"])
    await session.flag([uid], remove=["\\Seen"])
    (fact,) = await session.facts([uid])
    assert (fact.size, fact.received) == (len(raw), datetime(2026, 11, 23, 6, tzinfo=UTC))
    assert fact.flags - {"\\Recent"} == {"IngestdHeld"}
    assert await session.part(uid, 0, 9) + await session.part(uid, 9, 1000) == raw
    assert await session.part(uid, len(raw), 1000) == b""
    await session.create("Été & mehr")
    await session.move([uid], "Été & mehr")
    assert await session.search() == ()
    await session.select("Été & mehr")
    (uid,) = await session.search()
    await session.copy([uid], "INBOX")
    await session.flag([uid], add=["\\Deleted"])
    await session.expunge([uid])
    assert await session.search() == ()
    assert dovecot.folder("alice") == [raw]
    assert {"INBOX", "Été & mehr"} <= set(await session.folders())
    assert await session.delimiter() == "/"
    await session.close()


async def test_dovecot_says_what_is_wrong_with_a_token(dovecot, authority):  # row 11
    place = Server(dovecot.host, dovecot.tls_port, "implicit", str(authority.ca_file))
    session = await Session.open(place, BRIEF)
    with pytest.raises(Denied, match="refused the token of alice"):
        await session.xoauth2("alice", dovecot.jwt("alice", ttl=-60))
    await session.close()


async def test_dovecot_pushes_and_its_death_is_noticed(launch_dovecot, authority):  # row 5
    dovecot = launch_dovecot(idle_notify="1 secs")
    session = await in_dovecot(dovecot, authority)
    async with asyncio.timeout(15):
        idling = await _idling(session)
        dovecot.put(b"Subject: a\r\n\r\n")
        assert (await idling).pushed
        assert len(await session.search()) == 1
        idling = await _idling(session)
        dovecot.drop()
        with pytest.raises(Lost, match="is gone"):
            await idling


async def test_a_frozen_dovecot_is_noticed_when_idle_ends(dovecot, authority):
    session = await in_dovecot(dovecot, authority, done=0.3)
    wake = asyncio.Event()
    async with asyncio.timeout(10):
        idling = await _idling(session, wake=wake)
        dovecot.freeze()
        wake.set()
        with pytest.raises(Lost, match="did not answer IDLE"):
            await idling
        dovecot.thaw()


async def test_three_thousand_messages_in_dovecot_are_described(dovecot, authority):  # row 1
    for number in range(3000):
        dovecot.put(b"Subject: %d\r\n\r\n" % number)
    session = await in_dovecot(dovecot, authority, metadata=20, search=20, select=20)
    uids = await session.search()
    assert [fact.uid for fact in await session.facts(uids)] == list(uids)
    assert len(uids) == 3000
    await session.close()


async def test_a_dead_peer_is_noticed_by_the_system():
    async with Scripted() as server:
        session = await server.entered()
        assert session._wire.transport is not None
        sock = session._wire.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        await session.close()
