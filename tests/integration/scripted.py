"""An IMAP server that says what a test tells it to say, however wrong.

    async with Scripted({"UID SEARCH": b"* SEARCH 2 1\\r\\nTAG OK done\\r\\n"}) as server:
        session = await server.selected()
        assert await session.search() == (1, 2)
        assert server.heard[-1] == "UID SEARCH ALL"

An answer belongs to the beginning of a command, of which the longest counts; TAG in it becomes
the command's tag.  Several answers in a list are given one after the other, the last for ever.
An answer may be a coroutine function that gets the server and the tag.  After an answer with a
"+" line and no tag, the next line is no command: it is looked for as it is ("DONE"), then as
"+"; TAG is that of the command.  Without an answer nothing is said: the server is stuck.
"""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from ingestd.sources.imap import Deadlines, Server, Session

Answer: TypeAlias = "bytes | Callable[[Scripted, str], Awaitable[None]]"

#: What is said to somebody who does nothing but the usual.
USUAL: Mapping[str, Answer] = {
    "greeting": b"* OK ready\r\n",
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS\r\nTAG OK done\r\n",
    "LOGIN": b"TAG OK in\r\n",
    "SELECT": (
        b"* FLAGS (\\Seen \\Deleted)\r\n"
        b"* 3 EXISTS\r\n* 0 RECENT\r\n"
        b"* OK [UIDVALIDITY 77] UIDs valid\r\n"
        b"* OK [UIDNEXT 9] predicted\r\n"
        b"* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] limited\r\n"
        b"TAG OK [READ-WRITE] selected\r\n"
    ),
    "IDLE": b"+ idling\r\n",
    "DONE": b"TAG OK done\r\n",
    "NOOP": b"TAG OK done\r\n",
    "LOGOUT": b"* BYE bye\r\nTAG OK done\r\n",
}
#: Short, and yet long enough for two busy cores.
BRIEF = Deadlines(
    connect=2.0,
    greeting=2.0,
    auth=2.0,
    select=2.0,
    search=2.0,
    metadata=2.0,
    body=2.0,
    move=2.0,
    done=2.0,
    logout=2.0,
)


class Scripted:
    """The server: ``heard`` has every line that came, without tags."""

    def __init__(
        self,
        answers: Mapping[str, Any] | None = None,
        tls: ssl.SSLContext | None = None,
        *,
        trickle: bool = False,
    ) -> None:
        """Take the answers, a context for TLS from the start, whether to send byte by byte."""
        self._answers: dict[str, list[Answer]] = {}
        self.say({**USUAL, **(answers or {})})
        self._tls, self._trickle = tls, trickle
        self._ended = asyncio.Event()
        self._news = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.heard: list[str] = []
        self.port = 0

    def say(self, answers: Mapping[str, Any]) -> None:
        """Answer otherwise from now on."""
        for name, answer in answers.items():
            self._answers[name] = list(answer) if isinstance(answer, list) else [answer]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- for tests -----------------------------------------------------------------------

    def place(self, tls: Literal["implicit", "starttls", "none"] = "none", **more: Any) -> Server:
        """Say where it is."""
        return Server(more.pop("host", "127.0.0.1"), self.port, tls, **more)

    async def opened(self, deadlines: Deadlines = BRIEF) -> Session:
        """Connect a session to it."""
        return await Session.open(self.place(), deadlines)

    async def entered(self, deadlines: Deadlines = BRIEF) -> Session:
        """Connect a session and log it in."""
        session = await self.opened(deadlines)
        await session.login("alice", "secret")
        return session

    async def selected(self, deadlines: Deadlines = BRIEF) -> Session:
        """Connect a session, log it in and open INBOX."""
        session = await self.entered(deadlines)
        await session.select("INBOX")
        return session

    async def until(self, line: str) -> None:
        """Wait until a line came that begins so."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: any(one.startswith(line) for one in self.heard))

    async def send(self, raw: bytes) -> None:
        """Say something, asked or not."""
        assert self._writer is not None
        pieces = [raw[at : at + 1] for at in range(len(raw))] if self._trickle else [raw]
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(0)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go over to TLS."""
        assert self._writer is not None
        await self._writer.start_tls(context)

    def cut(self) -> None:
        """End the connection without a word."""
        assert self._writer is not None
        self._writer.transport.abort()

    def end(self) -> None:
        """End the connection when all is sent."""
        assert self._writer is not None
        self._writer.close()

    async def ended(self) -> None:
        """Wait until the client is gone."""
        async with asyncio.timeout(5):
            await self._ended.wait()

    # -- within --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writer = writer
        self._ended.clear()
        try:
            with contextlib.suppress(OSError, ValueError, asyncio.CancelledError):
                await self._converse(reader)
        finally:
            writer.transport.abort()
            self._ended.set()

    async def _converse(self, reader: asyncio.StreamReader) -> None:
        more = await self._answer("greeting", "")
        tag = ""
        while raw := await reader.readline():
            line = raw.rstrip(b"\r\n").decode()
            if not more and " " in line:
                tag, _, line = line.partition(" ")
            async with self._news:
                self.heard.append(line)
                self._news.notify_all()
            more = await self._answer(line if not more or self._find(line) else "+", tag)

    def _find(self, line: str) -> list[Answer]:
        names = [name for name in self._answers if line.upper().startswith(name.upper())]
        return self._answers[max(names, key=len)] if names else []

    async def _answer(self, line: str, tag: str) -> bool:
        """Give the answer to a line; say whether the next belongs to it."""
        answers = self._find(line)
        answer = answers[0] if answers else b""
        if len(answers) > 1:
            answers.pop(0)
        if isinstance(answer, bytes):
            await self.send(answer.replace(b"TAG", tag.encode()))
            return b"\r\n+" in b"\r\n" + answer and b"TAG" not in answer
        await answer(self, tag)
        return False


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """See that nothing is left behind, and nothing complains: no task, no unheard exception."""
    complaints: list[str] = []

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        if "StreamReaderProtocol" not in str(context):  # that is a server's; we have no streams
            complaints.append(str(context))

    asyncio.get_running_loop().set_exception_handler(complain)
    yield
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect(1)  # the oldest generation is not ours, and takes long
    assert complaints == []


async def cut(server: Scripted, tag: str) -> None:
    """Answer by ending the connection without a word."""
    del tag
    server.cut()
