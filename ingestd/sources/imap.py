"""DOOR  One guarded IMAP connection.

Rules:
  * One owner, one command at a time.  Every wait has a deadline.
  * After a time-out, a cancellation or an answer out of order the connection is thrown away;
    the object is dead then, and everything raises what killed it.  Only NO and BAD leave it alive.
  * Folder names are Unicode here, modified UTF-7 and quoted on the wire.
  * Messages are known by UID, never by number, and are fetched in parts: none is in memory whole.
  * aioimaplib would log passwords and tokens: its logger stays at WARNING, whatever ours says.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Self

from ingestd.errors import TryAgain
from ingestd.sources import login, mutf7, names, replies
from ingestd.sources.dial import Deadlines, Server, capabilities, dial
from ingestd.sources.idling import Idled, doze, idle
from ingestd.sources.phrases import Bad, Lost, No, Refusal, refusal
from ingestd.sources.replies import Fact, Fetched, Selected
from ingestd.sources.wire import (
    AUTH,
    KEPT,
    LINE,
    LITERAL,
    LONG_LINE,
    SELECTED,
    Answer,
    Terms,
    Wire,
    quoted,
)

__all__ = [
    "Bad",
    "Deadlines",
    "Fact",
    "Idled",
    "Lost",
    "No",
    "Refusal",
    "Selected",
    "Server",
    "Session",
    "Vanished",
]

#: Slower than this a body is not waited for; bytes per second.
SLOWEST = 50_000
#: Folders that are listed for people.
MOST_FOLDERS = 50

_FLAG = re.compile(r"\\?[A-Za-z0-9$_.-]+\Z")
_FETCHED = frozenset({"FETCH", "EXPUNGE"})
_OPENED = frozenset({"EXISTS", "OK", "NO", "FLAGS"})
_CLOSED = frozenset({r"\noselect", r"\nonexistent"})

logging.getLogger("aioimaplib").setLevel(logging.WARNING)


class Vanished(TryAgain):
    """The message is no longer in the folder; the connection is well."""


class Session:
    """One connection to a mailbox.

    Raises:
        Lost: (any method) the connection is gone, now or before.
        Throttled: (any method) the server asked for patience.
        No, Bad: (any command) the server refused; the connection is well.
    """

    def __init__(self, server: Server, deadlines: Deadlines, wire: Wire) -> None:
        """Take a connection that greeted; ``open`` makes one."""
        self._server = server
        self._deadlines = deadlines
        self._wire = wire
        self._capabilities: frozenset[str] = frozenset()

    # -- in and out ----------------------------------------------------------------------

    @classmethod
    async def open(cls, server: Server, deadlines: Deadlines | None = None) -> Self:
        """Connect, check the certificate, read the greeting and the capabilities.

        Raises:
            Misconfigured: no TLS to a host that is not this one, or a bad ``ca_file``.
            Denied: the server offers no STARTTLS, or greets as if we had logged in.
            TryAgain: not reached, not trusted, not an IMAP server.
        """
        limits = deadlines or Deadlines()
        wire, known = await dial(server, limits)
        session = cls(server, limits, wire)
        session._capabilities = known
        return session

    @property
    def capabilities(self) -> frozenset[str]:
        """Give what the server can do, upper case."""
        return self._capabilities

    @property
    def heard(self) -> float:
        """Give the ``time.monotonic()`` of the last bytes received."""
        return self._wire.heard

    async def login(self, user: str, password: str) -> None:
        """Log in by LOGIN, or by AUTHENTICATE PLAIN where either is not ASCII.

        Raises:
            Misconfigured: there is a line break or a NUL in them.
            Denied: refused, or the server takes no passwords here.
        """
        seconds = self._deadlines.auth
        await login.by_password(self._wire, self._capabilities, seconds, user, password)
        self._capabilities = await capabilities(self._wire, seconds)

    async def xoauth2(self, user: str, token: str) -> None:
        """Log in with an OAuth 2 access token.

        Raises:
            Misconfigured: there is a line break or a NUL in user or token.
            Denied: refused; the server's challenge is explained.
        """
        seconds = self._deadlines.auth
        await login.by_token(self._wire, self._capabilities, seconds, user, token)
        self._capabilities = await capabilities(self._wire, seconds)

    def abort(self) -> None:
        """Throw the connection away at once; whoever waits for it is told."""
        self._wire.die(Lost(f"the connection to {self._server.host} was given up"))

    async def close(self) -> None:
        """Log out if nothing is under way, then throw the connection away; raises nothing of ours.

        It never takes longer than the deadline of the logout.
        """
        try:
            async with asyncio.timeout(self._deadlines.logout):
                if not self._wire.busy:
                    with contextlib.suppress(TryAgain):
                        await self._send(Terms(self._deadlines.logout), "LOGOUT")
                self.abort()
                await self._wire.gone.wait()
        except TimeoutError:
            pass
        finally:
            self.abort()

    # -- folders -------------------------------------------------------------------------

    async def select(self, folder: str) -> Selected:
        """Open a folder for reading and writing.  After a No, no folder is open."""
        wire, name = self._wire, _name(folder)
        wire.check()
        if wire.state == SELECTED:
            wire.state = AUTH
        wire.tally.told.clear()
        answer = await self._do(Terms(self._deadlines.select, _OPENED), "SELECT", name)
        selected = replies.selected(answer.replies, answer.said)
        if selected is None:
            raise No(f"{self._server.host} gives the folder {folder!r} no UIDVALIDITY")
        wire.check()
        wire.state, wire.tally.news = SELECTED, False
        return selected

    async def has(self, folder: str) -> bool:
        """Say whether there is such a folder."""
        try:
            terms = Terms(self._deadlines.metadata)
            await self._do(terms, "STATUS", _name(folder), "(UIDVALIDITY)")
        except No as refused:
            if refused.code == "NOPERM":
                raise
            return False
        return True

    async def create(self, folder: str) -> None:
        """Make a folder and subscribe to it; that it exists already is fine."""
        terms = Terms(self._deadlines.metadata)
        try:
            await self._do(terms, "CREATE", _name(folder))
        except No as refused:
            if refused.code != "ALREADYEXISTS" and not await self.has(folder):
                raise
        with contextlib.suppress(No, Bad):
            await self._do(terms, "SUBSCRIBE", _name(folder))

    async def folders(self) -> tuple[str, ...]:
        """List at most 50 folders that can be opened, for messages to people only."""
        terms = Terms(self._deadlines.metadata, frozenset({"LIST"}), kept=16 * KEPT)
        answer = await self._do(terms, "LIST", '""', '"*"')
        listed = map(replies.listed, answer.replies)
        wire_names = [entry[2] for entry in listed if entry and not entry[0] & _CLOSED]
        shown = map(mutf7.decode, wire_names[:MOST_FOLDERS])
        return tuple(names.clean(name.encode(errors="replace")) for name in shown)

    async def delimiter(self) -> str:
        """Give what stands between the levels of a folder's name; empty if it has none."""
        terms = Terms(self._deadlines.metadata, frozenset({"LIST"}))
        answer = await self._do(terms, "LIST", '""', '""')
        listed = filter(None, map(replies.listed, answer.replies))
        return next((delimiter for _, delimiter, _ in listed), "")

    # -- messages ------------------------------------------------------------------------

    async def search(self, criteria: str = "ALL") -> tuple[int, ...]:
        """Give the UIDs that match, in order.  ``criteria`` is ASCII; no CHARSET is sent."""
        if not criteria.isascii():
            raise ValueError(f"search for ASCII only: {criteria!r}")
        wanted = frozenset({"SEARCH"})
        terms = Terms(self._deadlines.search, wanted, line=LONG_LINE, kept=2 * LONG_LINE)
        self._wire.tally.news = False  # what is announced from now on may not be in the answer
        answer = await self._do(terms, "SEARCH", criteria, by_uid=True)
        return replies.uids_found(answer.replies)

    async def facts(self, uids: Iterable[int]) -> tuple[Fact, ...]:
        """Give the facts by UID, in order; messages that are gone are missing."""
        wanted, found = frozenset(uids), dict[int, Fact]()
        terms = Terms(self._deadlines.metadata, _FETCHED)
        items = "(UID RFC822.SIZE INTERNALDATE FLAGS)"
        for uid_set in replies.uid_sets(wanted):
            answer = await self._do(terms, "FETCH", uid_set, items, by_uid=True)
            found |= {fact.uid: fact for fact in replies.facts(answer.replies, wanted)}
        return tuple(found[uid] for uid in sorted(found))

    async def part(self, uid: int, offset: int, length: int) -> bytes:
        """Give at most ``length`` bytes of the raw message from ``offset``; empty at its end.

        Raises:
            Vanished: the message is gone.
            No: the server does not give it, or not in parts.
        """
        seconds = self._deadlines.body + length / SLOWEST
        line, literal = LINE + 2 * length, LITERAL + length  # a quoted string has escapes
        terms = Terms(seconds, _FETCHED, line, literal, kept=KEPT + 2 * length)
        item = f"(UID BODY.PEEK[]<{offset}.{length}>)"
        try:
            answer = await self._do(terms, "FETCH", str(uid), item, by_uid=True)
        except No as refused:
            if refused.code == "EXPUNGEISSUED":
                raise self._vanished(uid) from refused
            raise
        told = [each for each in replies.messages(answer.replies) if each.uid == uid]
        if not told or answer.said.code == "EXPUNGEISSUED":  # Dovecot: with an empty body
            raise self._vanished(uid)
        return self._body(told[0], offset, length)

    def _body(self, told: Fetched, offset: int, length: int) -> bytes:
        which = f"message {told.uid}"
        if told.body is None:
            raise No(f"{self._server.host} does not give the bytes of {which}")
        # Who ignores the part that was asked for gives the whole, from its beginning.
        origin = offset if not told.body else (told.origin or 0)
        if origin != offset or len(told.body) > length:
            got = f"{len(told.body)} bytes from {origin} of {which}"
            raise No(f"{self._server.host} gives {got}, not {length} from {offset}")
        return told.body

    def _vanished(self, uid: int) -> Vanished:
        return Vanished(f"message {uid} is no longer in the folder on {self._server.host}")

    async def move(self, uids: Iterable[int], folder: str) -> None:
        """Move messages (UID MOVE; see whether ``capabilities`` has MOVE)."""
        await self._each(uids, "MOVE", _name(folder))

    async def copy(self, uids: Iterable[int], folder: str) -> None:
        """Copy messages."""
        await self._each(uids, "COPY", _name(folder))

    async def flag(
        self, uids: Iterable[int], add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        r"""Set and take away flags (``\Deleted``) and keywords (``IngestdHeld``)."""
        wanted = tuple(uids)
        for sign, flags in (("+", add), ("-", remove)):
            if not all(map(_FLAG.match, flags)):
                raise ValueError(f"no flags: {flags!r}")
            if flags:
                await self._each(wanted, "STORE", f"{sign}FLAGS.SILENT", f"({' '.join(flags)})")

    async def expunge(self, uids: Iterable[int]) -> None:
        r"""Remove those messages for good that bear ``\Deleted``; never any other.

        Raises:
            No: the server has no UIDPLUS; nothing was sent.
        """
        if "UIDPLUS" not in self._capabilities:
            raise No(f"{self._server.host} cannot remove single messages (no UIDPLUS)")
        await self._each(uids, "EXPUNGE")

    async def _each(self, uids: Iterable[int], name: str, *arguments: str) -> None:
        terms = Terms(self._deadlines.move)
        for uid_set in replies.uid_sets(uids):
            await self._do(terms, name, uid_set, *arguments, by_uid=True)

    # -- waiting -------------------------------------------------------------------------

    async def idle(self, wake: asyncio.Event, within: float) -> Idled:
        """Wait until the server tells of something, ``wake`` is set, or ``within`` seconds passed.

        Returns at once, ``pushed``, if mail was announced since the last search began.
        Without IDLE the server is asked once, at the end.

        Raises:
            Lost: the connection ended; its ``idled`` says after how many seconds.
        """
        way = idle if "IDLE" in self._capabilities else doze
        return await way(self._wire, self._deadlines, wake, within)

    async def noop(self) -> None:
        """Ask for a sign of life."""
        await self._do(Terms(self._deadlines.metadata), "NOOP")

    # -- within --------------------------------------------------------------------------

    async def _send(self, terms: Terms, name: str, *arguments: str, by_uid: bool = False) -> Answer:
        asked = self._wire.ask(name, *arguments, by_uid=by_uid)
        self._wire.submit(asked, terms)
        return await self._wire.execute(asked)

    async def _do(self, terms: Terms, name: str, *arguments: str, by_uid: bool = False) -> Answer:
        """Send a command; raise what a refusal means."""
        answer = await self._send(terms, name, *arguments, by_uid=by_uid)
        if answer.said.kind != "OK":
            what = " ".join((name, *arguments[:2]))[:100]
            raise refusal(self._server.host, what, answer.said)
        return answer


def _name(folder: str) -> str:
    login.sendable("folder", folder)
    return str(quoted(mutf7.encode(folder)))
