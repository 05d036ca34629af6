"""Whatever a server sends, at whatever point: an error that may pass, or a well-formed answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestd.errors import TryAgain
from ingestd.sources.imap import Deadlines, Fact, Idled, Selected, Session
from tests.integration.scripted import Scripted, nothing_left

#: Every answer that a server gives, by the command.
PLACES = (
    *("greeting", "CAPABILITY", "LOGIN", "SELECT", "STATUS", "CREATE", "LIST", "NOOP", "LOGOUT"),
    *("UID SEARCH", "UID FETCH", "UID MOVE", "UID STORE", "UID EXPUNGE", "IDLE", "DONE"),
)
#: What is answered where nothing else is: "" is the beginning of every command.
ANSWERS = {
    "": b"TAG OK done\r\n",
    "UID FETCH 7 (UID BODY": b"* 1 FETCH (UID 7 BODY[]<0> {5}\r\nabcde)\r\nTAG OK done\r\n",
}
BRIEF = Deadlines(*[0.1] * 10)

_line = st.sampled_from(
    [
        b"TAG OK done\r\n",
        b"TAG NO [TRYCREATE] no\r\n",
        b"TAG BAD what\r\n",
        b"* OK hello\r\n",
        b"* BYE bye\r\n",
        b"* PREAUTH in\r\n",
        b"+ go on\r\n",
        b"+\r\n",
        b"\r\n",
        b"* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS\r\n",
        b"* 3 EXISTS\r\n",
        b"* 1 EXPUNGE\r\n",
        b"* OK [UIDVALIDITY 7] x\r\n",
        b"* OK [PERMANENTFLAGS (\\*)] x\r\n",
        b"* SEARCH 7 x 8\r\n",
        b'* LIST () "/" {3}\r\na b\r\n',
        b"* 1 FETCH (UID 7 RFC822.SIZE 9 FLAGS (",
        b"* 1 FETCH (BODY[]<0> {3}\r\n",
        b" UID 7)\r\n",
        b"* 1 FETCH (UID 7 BODY[]<0> {5}\r\nabcde)\r\n",
        b"* 1 FETCH (UID 7 BODY[] {99999999999}\r\n",
        b"((((((((((((((((((((((((((((((((((",
        b'"\\"',
        b"{0}\r\n",
    ]
)
garbage = st.lists(st.one_of(_line, st.binary(max_size=20)), max_size=8).map(b"".join)


async def converse(server: Scripted) -> list[Any]:
    """Do everything that can be done with a mailbox; give what was answered."""
    session = await server.opened(BRIEF)
    told: list[Any] = []

    async def ask(command: Callable[[], Awaitable[Any]]) -> None:
        try:
            told.append(await command())
        except TryAgain as error:
            told.append(error)
        except RuntimeError as error:  # no folder is open, since opening it failed
            assert "in state" in str(error)  # noqa: PT017  it is not what is tested

    try:
        await ask(lambda: session.login("alice", "secret"))
        await ask(lambda: session.select("INBOX"))
        for command in _commands(session):
            await ask(command)
    finally:
        await session.close()
    return told


def _commands(session: Session) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: session.has("Lots"),
        lambda: session.create("Lots"),
        session.folders,
        session.delimiter,
        session.search,
        lambda: session.facts([7, 8]),
        lambda: session.part(7, 0, 5),
        lambda: session.flag([7], add=["X"]),
        lambda: session.move([7], "Lots"),
        lambda: session.expunge([7]),
        lambda: session.idle(asyncio.Event(), 0.01),
        session.noop,
    ]


def well_formed(answer: Any) -> bool:
    match answer:
        case None | bool() | TryAgain() | Selected() | Idled() | str():
            return True
        case bytes():
            return len(answer) <= 5
        case tuple():
            return all(isinstance(each, str | int | Fact) for each in answer)
        case _:
            return False


async def test_without_garbage_everything_is_answered():
    async with nothing_left(), Scripted(ANSWERS) as server:
        told = await converse(server)
        assert all(map(well_formed, told))
        assert not [each for each in told if isinstance(each, Exception)]
        assert len(told) == 14


@pytest.mark.parametrize("place", PLACES)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(sent=garbage, after=st.sampled_from(["answer", "end", "silence"]))
def test_garbage_at_any_point_ends_in_an_error_or_in_an_answer(place, sent, after):
    async def run() -> None:
        async with Scripted(ANSWERS) as server:
            usual = server._find(place)[0]
            assert isinstance(usual, bytes)

            async def answer(server: Scripted, tag: str) -> None:
                whole = sent + (usual if after == "answer" else b"")
                await server.send(whole.replace(b"TAG", tag.encode()))
                if after == "end":
                    server.end()

            server.say({place: answer})
            try:
                told = await converse(server)
            except TryAgain as error:
                told = [error]
            assert told
            assert all(map(well_formed, told)), told

    async def bounded() -> None:
        async with asyncio.timeout(20), nothing_left():
            await run()

    asyncio.run(bounded())
