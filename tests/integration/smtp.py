"""A small SMTP server, in the test's own loop, that can be told to say something else.

    async with SmtpServer(certificate, tls="starttls", answers={"RCPT": [b"450 later"]}) as server:
        ...
        assert server.mails[0].recipients == ["lot@matteson.example"]

``answers`` belong to a verb, or to "greeting" or "." (the end of the data); each is given once,
then the server says again what is usual.  ``SILENCE`` says nothing, and the server is stuck;
``HANG_UP`` ends the connection.  ``heard`` has every command that came, in order.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from tests.integration.certificates import Certificate

SILENCE = b"(silence)"
HANG_UP = b"(hang up)"


class Over(Exception):
    """The connection is to end."""


@dataclass(slots=True)
class Mail:
    """A message that was taken."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass(slots=True)
class Talk:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    secure: bool
    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class SmtpServer:
    """Listens on loopback while the context lasts."""

    host = "localhost"

    def __init__(
        self,
        certificate: Certificate | None = None,
        tls: Literal["implicit", "starttls", "none"] = "implicit",
        *,
        users: Mapping[str, str] | None = None,
        mechanisms: str = "PLAIN LOGIN",
        answers: Mapping[str, list[bytes]] | None = None,
    ) -> None:
        self._tls = tls
        self._users = users or {}
        self._mechanisms = mechanisms
        self._answers = {verb: list(given) for verb, given in (answers or {}).items()}
        self._context = None if certificate is None else _context(certificate)
        self.heard: list[str] = []
        self.mails: list[Mail] = []
        self.begun = self.ended = 0  # connections, and those that are over
        self.changed = asyncio.Condition()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=self._context if self._tls == "implicit" else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._talks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._talks):
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    def answer(self, verb: str, *answers: bytes) -> None:
        """Plan what is said to a command when it comes next."""
        self._answers.setdefault(verb, []).extend(answers)

    async def until(self, there: Callable[[], bool], within: float = 20.0) -> None:
        """Wait until something is so, which a command or the end of a connection made so."""
        async with asyncio.timeout(within), self.changed:
            await self.changed.wait_for(there)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def verbs(self) -> list[str]:
        """Give the commands without what they were about."""
        return [line.split(" ")[0].split(":")[0] for line in self.heard]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        talk = Talk(reader, writer, secure=self._tls == "implicit")
        self.begun += 1
        await self._notify()
        try:
            await self._say(talk, "greeting", b"220 here")
            while line := await reader.readline():
                await self._hear(talk, line.decode().rstrip("\r\n"))
        except (Over, OSError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()
            self.ended += 1
            await self._notify()

    async def _hear(self, talk: Talk, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self.heard.append(line)
        await self._notify()
        known = {
            "EHLO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
        }
        if verb in known:
            await known[verb](talk, rest)
        elif verb == "QUIT":
            await self._say(talk, "QUIT", b"221 bye")
            raise Over
        else:
            await self._say(talk, verb, b"250 ok")

    async def _say(self, talk: Talk, verb: str, usual: bytes) -> bool:
        """Give an answer, and whether it is the usual one."""
        planned = self._answers.get(verb)
        said = planned.pop(0) if planned else usual
        if said == SILENCE:
            await talk.reader.read()  # until the client goes away
        if said in (SILENCE, HANG_UP):
            raise Over
        talk.writer.write(said + b"\r\n")
        await talk.writer.drain()
        return said == usual

    async def _ehlo(self, talk: Talk, _: str) -> None:
        offers = ["here", "SIZE 10000000", "8BITMIME"]
        if self._tls == "starttls" and not talk.secure:
            offers.append("STARTTLS")
        if self._users and (talk.secure or self._tls == "none"):
            offers.append(f"AUTH {self._mechanisms}")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        await self._say(talk, "EHLO", "\r\n".join(lines).encode())

    async def _starttls(self, talk: Talk, _: str) -> None:
        assert self._context is not None
        planned = self._answers.get("STARTTLS")
        refused = planned and not planned[0].startswith(b"220")
        await self._say(talk, "STARTTLS", b"220 go ahead")
        if not refused:
            await talk.writer.start_tls(self._context)
            talk.secure = True

    async def _auth(self, talk: Talk, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(initial).decode().split("\0")
        else:
            await self._say(talk, "username", b"334 UGFzc3dvcmQ6")
            user = base64.b64decode(initial).decode()
            password = base64.b64decode(await talk.reader.readline()).decode()
        good = self._users.get(user) == password
        await self._say(talk, "AUTH", b"235 in" if good else b"535 5.7.8 not you")

    async def _mail(self, talk: Talk, rest: str) -> None:
        talk.sender, talk.recipients = _address(rest), []
        await self._say(talk, "MAIL", b"250 ok")

    async def _rcpt(self, talk: Talk, rest: str) -> None:
        if await self._say(talk, "RCPT", b"250 ok"):
            talk.recipients.append(_address(rest))

    async def _data(self, talk: Talk, _: str) -> None:
        if not await self._say(talk, "DATA", b"354 go on"):
            return
        lines: list[bytes] = []
        while (line := await talk.reader.readline()) != b".\r\n":
            if not line:
                raise Over
            lines.append(line.removeprefix(b"."))
        mail = Mail(talk.sender, talk.recipients, b"".join(lines))
        self.heard.append(".")
        await self._notify()
        planned = self._answers.get(".")
        if not planned or planned[0][:1] not in (b"4", b"5"):  # it may hang up, and have it yet
            self.mails.append(mail)
        await self._say(talk, ".", b"250 taken")
        await self._notify()


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
