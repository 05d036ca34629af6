"""pymap, an IMAP server in Python, in the test's own process and on its loop.

It pushes within milliseconds.  It has no SPECIAL-USE, NAMESPACE, SASL-IR or XOAUTH2, and it
drops keywords without a word: a STORE of one is answered OK.
"""

import asyncio
import contextlib
import secrets
import ssl
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, DictBackend, Identity
from pymap.backend.dict.mailbox import MailboxData, Message
from pymap.imap import IMAPServer, IMAPService
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.parsing.specials.flag import Flag
from pymap.user import Passwords, UserMetadata

from tests.integration.certificates import Certificate

USERS: Mapping[str, str] = {"alice": "secret", "bob": "secret too"}


class Pymap:
    """The server, and what lies in it."""

    host = "localhost"

    def __init__(self, config: Config, backend: DictBackend) -> None:
        self._config, self._login = config, backend.login
        self._serve = IMAPServer(backend.login, config)
        self._sessions: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def append(
        self,
        raw: bytes,
        user: str = "alice",
        name: str = "INBOX",
        received: datetime | None = None,
        flags: Sequence[str] = (),
    ) -> int:
        """Put a message into a folder, which is made where there is none; give its UID."""
        folder = await self._folder(user, name)
        when = received or datetime.now(UTC)  # noqa: TID251  the server's own clock
        kept = frozenset(Flag(flag) for flag in flags)
        return (await folder.append(AppendMessage(raw, when, kept))).uid

    async def folder(self, user: str, name: str = "INBOX") -> list[bytes]:
        """Give the messages of a folder, in the order of their UIDs."""
        return [await _raw(message) for message in await self._messages(user, name)]

    async def uids(self, user: str, name: str = "INBOX") -> list[int]:
        """Give the UIDs of a folder's messages."""
        return [message.uid for message in await self._messages(user, name)]

    async def flags(self, user: str, name: str = "INBOX") -> list[set[str]]:
        """Give the flags of a folder's messages."""
        messages = await self._messages(user, name)
        return [{str(flag) for flag in message.permanent_flags} for message in messages]

    async def folders(self, user: str) -> set[str]:
        """Give the names of a user's folders."""
        async with self._identity(user).new_session() as session:
            tree = await session.mailbox_set.list_mailboxes()
            return {entry.name for entry in tree.list()}

    async def expunge(self, *uids: int, user: str = "alice", name: str = "INBOX") -> None:
        """Remove messages, as another client would."""
        await (await self._folder(user, name)).delete(uids)

    async def drop(self) -> None:
        """End every connection, with BYE."""
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it, or ``drop``, ends it."""
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        peer = SocketInfo.get(writer, ProxyResultLocal(), unique_id=secrets.token_bytes(8))
        try:
            with contextlib.suppress(asyncio.CancelledError, OSError, EOFError):
                await self._serve(reader, writer, peer)
        finally:
            await _close(writer)
            self._sessions.discard(session)

    def _identity(self, user: str) -> Identity:
        return Identity(user, self._login, None, frozenset())

    async def _folder(self, user: str, name: str) -> MailboxData:
        async with self._identity(user).new_session() as session:
            if name.upper() != "INBOX":
                with contextlib.suppress(ValueError):
                    await session.mailbox_set.add_mailbox(name)
            return await session.mailbox_set.get_mailbox(name)

    async def _messages(self, user: str, name: str) -> list[Message]:
        return [message async for message in (await self._folder(user, name)).messages()]

    async def add_user(self, user: str, password: str) -> None:
        """Let somebody in."""
        hashed = await Passwords(self._config).hash_password(password)
        await self._identity(user).set(UserMetadata(self._config, user, password=hashed))


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close it; who does not answer the end of TLS is not waited for."""
    if not writer.is_closing():  # a second close() takes abort()'s effect away (Python 3.11)
        writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 0.05)
    writer.transport.abort()
    await asyncio.sleep(0)  # the loop closes the socket now


async def _raw(message: Message) -> bytes:
    return bytes((await message.load_content(FetchRequirement.CONTENT)).get_body())


@asynccontextmanager
async def pymap_server(
    tls: Literal["implicit", "starttls", "none"] = "none",
    certificate: Certificate | None = None,
    users: Mapping[str, str] = USERS,
) -> AsyncIterator[Pymap]:
    """Give a server that answers; ``certificate`` is needed for TLS of both kinds.

    With "starttls" there is no login before TLS.
    """
    assert tls == "none" or certificate, "TLS needs a certificate"
    async with AsyncExitStack() as stack:
        chosen = certificate if tls == "starttls" else None
        backend, config = await DictBackend.init(
            _arguments(chosen, *next(iter(users.items()))), invalid_user_sleep=0.0
        )
        config.apply_context()
        await backend.start(stack)
        server = Pymap(config, backend)
        for user, password in list(users.items())[1:]:  # the first is there already
            await server.add_user(user, password)
        listener = await asyncio.start_server(
            server.serve, "127.0.0.1", 0, ssl=_context(certificate) if tls == "implicit" else None
        )
        server.port = listener.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            listener.close()
            await server.drop()
            await listener.wait_closed()


def _context(certificate: Certificate | None) -> ssl.SSLContext:
    assert certificate is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


def _arguments(certificate: Certificate | None, user: str, password: str) -> Namespace:
    parser = ArgumentParser()
    DictBackend.add_subparser("dict", parser.add_subparsers(dest="backend"))
    IMAPService.add_arguments(parser)
    parser.set_defaults(passlib_cfg=None, debug=False)  # read, but not among the arguments
    tls = ["--no-tls"]
    if certificate:
        tls = ["--cert", str(certificate.chain), "--key", str(certificate.key)]
    login = ["dict", "--demo-user", user, "--demo-password", password]
    return parser.parse_args(["--host", "127.0.0.1", "--port", "0", *tls, *login])
