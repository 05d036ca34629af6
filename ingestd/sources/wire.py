"""DOOR  aioimaplib's protocol, cured: bytes out, whole responses in, one command at a time.

Rules:
  * Of aioimaplib 2.0.3 there remain tags, states, which command is lawful in which state, and
    the refusal of CR, LF and NUL.  What receives, waits and fails is ours: the library's
    recurses, scans again and again, hangs when the connection ends, and logs passwords.
  * One command is pending, or none.  Its answer is a future: no task is ever started here.
  * ``fate`` is what killed the connection.  Once it is set, whoever waits is told, nothing
    more is sent or believed, and the transport is gone.
  * A server may not: answer what was not asked, ask for what we did not offer, pass a cap.
  * Nothing is logged: what goes over the wire is secret or a stranger's.
"""

import asyncio
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aioimaplib.aioimaplib import (  # type: ignore[import-untyped] # it has no types
    AUTH,
    CONNECTED,
    LOGOUT,
    NONAUTH,
    SELECTED,
    Command,
    Commands,
    IMAP4ClientProtocol,
    quoted,
)

from ingestd.errors import Denied, TryAgain
from ingestd.sources.framing import Framing, Reply
from ingestd.sources.phrases import Lost, Said, farewell, said

__all__ = ["AUTH", "NONAUTH", "SELECTED", "Answer", "Asked", "Terms", "Wire", "quoted"]

T = TypeVar("T")

#: A line: SEARCH of half a million UIDs; any other.  A literal where none is expected.
LONG_LINE, LINE, LITERAL = 8 << 20, 1 << 18, 1 << 16
#: What is kept of one command's answer, beside a literal that was asked for.
KEPT = 1 << 20
#: Untagged lines from one command to the next.
LINES = 100_000
#: A dead peer is noticed after so many seconds without an acknowledgement (RFC 5482).
UNACKNOWLEDGED = 60
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
_NUMBERED = re.compile(rb"\* +([0-9]{1,10}) +([A-Z]+)(?=[ \r\n]|\Z)", re.IGNORECASE)
_NAMED = re.compile(rb"\* +([A-Z0-9-]+)", re.IGNORECASE)
_LOGINS = ("LOGIN", "AUTHENTICATE")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a command may take, which untagged answers it wants, and what they may cost."""

    seconds: float
    wanted: frozenset[str] = frozenset()
    line: int = LINE
    literal: int = LITERAL
    kept: int = KEPT


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's tagged answer and the untagged ones it wanted; challenges, where there were."""

    said: Said
    replies: tuple[Reply, ...] = ()
    challenges: tuple[str, ...] = ()


class Asked(Command):  # type: ignore[misc] # it is Any
    """A command on its way."""

    name: str
    tag: str

    def __init__(self, name: str, tag: str, *arguments: str, prefix: str | None = None) -> None:
        super().__init__(name, tag, *arguments, prefix=prefix)
        loop = asyncio.get_running_loop()
        self.terms = Terms(0.0)
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.begun: asyncio.Future[bool] = loop.create_future()  # IDLE: True at "+"
        #: What is sent at each "+", in turn.
        self.offers: list[str] = []
        self.challenges: list[str] = []
        self.replies: list[Reply] = []
        self.kept = 0

    def finish(self, answer: Said) -> None:
        """Take the tagged answer."""
        if not self.begun.done():
            self.begun.set_result(False)
        if not self.answer.done():
            whole = Answer(answer, tuple(self.replies), tuple(self.challenges))
            self.answer.set_result(whole)


@dataclass(slots=True)
class Tally:
    """What the server told of the open folder without being asked."""

    #: The last number of each kind (EXISTS, RECENT).
    told: dict[str, int] = field(default_factory=dict)
    #: Mail was announced since this was last cleared.
    news: bool = False

    def count(self, number: int, kind: str) -> bool:
        """Take a numbered response; say whether it changes anything."""
        if kind == "EXPUNGE":
            self.told["EXISTS"] = max(0, self.told.get("EXISTS", 0) - 1)
            return True
        if kind not in ("EXISTS", "RECENT"):
            return kind == "FETCH"
        changed = self.told.get(kind) != number
        self.told[kind] = number
        self.news |= changed and kind == "EXISTS"
        return changed


class Wire(IMAP4ClientProtocol):  # type: ignore[misc] # it is Any
    """One connection."""

    transport: asyncio.Transport | None
    state: str

    def __init__(self, host: str) -> None:
        super().__init__(asyncio.get_running_loop())
        self.host = host
        self.fate: TryAgain | None = None
        self.heard = time.monotonic()
        self.greeting: asyncio.Future[Said] = self.loop.create_future()
        self.gone = asyncio.Event()
        self.tally = Tally()
        #: Set when an IDLE is stirred: something was pushed, it ended, or the connection did.
        self.stirred = asyncio.Event()
        self.pushed = False
        self._secrets: tuple[bytes, ...] = ()
        self._framing = Framing(LINE, LITERAL)
        self._pending: Asked | None = None
        self._lines = 0

    # -- life and death ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch over the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.state = transport, CONNECTED
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (*_KEEPALIVE, ("TCP_USER_TIMEOUT", 1000 * UNACKNOWLEDGED)):
            if hasattr(socket, option):  # not every system has each
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody."""
        self.gone.set()
        why = f": {getattr(exc, 'strerror', None) or exc}" if exc else ""
        self.die(Lost(f"the connection to {self.host} is gone{why}"))

    def die(self, error: TryAgain) -> None:
        """Throw the connection away; the first reason counts."""
        if self.fate is None:
            self.fate, self.state = error, LOGOUT
            _fail(self.greeting, error)
            if self._pending is not None:
                _fail(self._pending.begun, error)
                _fail(self._pending.answer, error)
            self.stirred.set()
        if self.transport is not None:
            self.transport.abort()

    def check(self) -> None:
        """Raise what killed the connection, if it is dead."""
        if self.fate is not None:
            raise self.fate.with_traceback(None)

    @property
    def busy(self) -> bool:
        """Say whether a command is pending."""
        return self._pending is not None

    async def wait(self, what: str, future: asyncio.Future[T], seconds: float) -> T:
        """Wait for ``future``; past the deadline, or cancelled, the connection dies."""
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            late = Lost(f"{self.host} did not answer {what} within {seconds:g} s")
            self.die(late)
            raise late from None
        except asyncio.CancelledError:
            self.die(Lost(f"the connection to {self.host} was given up during {what}"))
            raise

    # -- asking --------------------------------------------------------------------------

    def ask(self, name: str, *arguments: str, by_uid: bool = False) -> Asked:
        """Make a command.

        Raises:
            ValueError: an argument has a CR, LF or NUL.
        """
        return Asked(name, self.new_tag(), *arguments, prefix="UID" if by_uid else None)

    def submit(self, asked: Asked, terms: Terms) -> None:
        """Send a command; its answer comes in ``asked.answer``."""
        self.check()
        if self._pending is not None:
            raise RuntimeError(f"{asked.name} while {self._pending.name} is under way")
        if self.state not in Commands[asked.name].valid_states:
            raise RuntimeError(f"{asked.name} in state {self.state}")
        asked.terms, self._pending, self._lines = terms, asked, 0
        self._framing.line_cap, self._framing.literal_cap = terms.line, terms.literal
        self.send(str(asked))

    async def execute(self, command: Asked, scrub: str | None = None) -> Answer:
        """Wait for the answer of a command that was submitted."""
        del scrub  # nothing is logged
        return await self.wait(command.name, command.answer, command.terms.seconds)

    def send(self, line: str, scrub: str | None = None) -> None:
        """Send a line."""
        del scrub
        assert self.transport is not None
        self.transport.write(line.encode() + b"\r\n")

    def hide(self, *secrets: str) -> None:
        """Take these out of all that the server says from now on: some repeat what they got."""
        known = {*self._secrets, *(secret.encode() for secret in secrets if secret)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    # -- hearing -------------------------------------------------------------------------

    def data_received(self, d: bytes) -> None:
        """Take what the server sent."""
        self.heard = time.monotonic()
        for reply in self._framing.feed(d) if self.fate is None else ():
            self._hear(reply)
            if self.fate is not None:
                return
        if self._framing.trouble:
            self._odd(f"sent {self._framing.trouble}")

    def _hear(self, reply: Reply) -> None:
        line = reply[0]
        self._lines += 1
        if self._lines > LINES:
            self._odd(f"sent more than {LINES} lines without being asked")
        elif not self.greeting.done():
            self._greet(line)
        elif line.startswith(b"* "):
            self._untagged(reply)
        elif line.startswith(b"+"):
            self._continue(line[1:].strip().decode(errors="replace"))
        elif line:
            self._tagged(line)

    def _greet(self, line: bytes) -> None:
        greeting = said(line[2:].lstrip(b" ")) if line.startswith(b"* ") else None
        if greeting is None or greeting.kind in ("NO", "BAD"):
            self._odd("is no IMAP server, by its greeting")
        elif greeting.kind == "PREAUTH":
            self.die(
                Denied(
                    f"{self.host} says that we are logged in already, without having asked who we"
                    " are (PREAUTH): somebody may be in the way; check host and port"
                )
            )
        elif greeting.kind == "BYE":
            self.die(farewell(self.host, greeting))
        else:
            self.state = NONAUTH
            self.greeting.set_result(greeting)

    def _untagged(self, reply: Reply) -> None:
        pending, status = self._pending, self._said(reply[0][2:])
        if status is not None and status.kind == "BYE":
            self._bye(status)
            return
        numbered, named = _NUMBERED.match(reply[0]), _NAMED.match(reply[0])
        kind = numbered[2] if numbered else named[1] if named else b""
        word = kind.decode().upper()
        if numbered and self.tally.count(int(numbered[1]), word) and self._idling():
            self.pushed = True
            self.stirred.set()
        if pending is not None and word in pending.terms.wanted:
            self._keep(pending, reply)

    def _keep(self, pending: Asked, reply: Reply) -> None:
        pending.kept += sum(map(len, reply))
        if pending.kept > pending.terms.kept:
            self._odd(f"sent more than {pending.terms.kept} bytes in answer to {pending.name}")
        pending.replies.append(reply)

    def _bye(self, status: Said) -> None:
        name = self._pending.name if self._pending else ""
        if name != "LOGOUT":
            self.die(farewell(self.host, status, login=name in _LOGINS))

    def _continue(self, text: str) -> None:
        pending = self._pending
        if pending is not None and pending.name == "IDLE":
            if not pending.begun.done():
                pending.begun.set_result(True)
        elif pending is not None and pending.offers:
            pending.challenges.append(text)
            self.send(pending.offers.pop(0))
        else:
            self._odd("asks for more of a command that was whole")

    def _tagged(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        pending, answer = self._pending, self._said(rest)
        if pending is None or tag != pending.tag.encode():
            self._odd("answers a command that was not sent")
        elif answer is None or answer.kind not in ("OK", "NO", "BAD"):
            self._odd(f"answers {pending.name} neither with OK nor NO nor BAD")
        else:
            if pending.name == "STARTTLS" and answer.kind == "OK":
                self._hold()
            self._pending = None
            pending.finish(answer)
            self.stirred.set()

    def _said(self, line: bytes) -> Said | None:
        for secret in self._secrets:
            line = line.replace(secret, b"***")
        return said(line.lstrip(b" "))

    def _hold(self) -> None:
        """Read no more before TLS: what came in the clear is an injection (CVE-2011-0411)."""
        assert self.transport is not None
        self.transport.pause_reading()
        if self._framing.buffered:
            self._odd("sent more after it agreed to TLS, in the clear")

    def _idling(self) -> bool:
        return self._pending is not None and self._pending.name == "IDLE"

    def _odd(self, what: str) -> None:
        self.die(Lost(f"{self.host} {what}; the connection was given up"))


def _fail(future: asyncio.Future[Any], error: TryAgain) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody need wait for it
