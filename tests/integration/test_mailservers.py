"""The mail servers that other tests stand on answer as those tests take for granted.

The client here is the standard library's, which shares nothing with the daemon's.
"""

import asyncio
import imaplib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp.web
import pytest

from tests.integration.mailservers import Dovecot, Options, pymap_server

Connect: TypeAlias = Callable[..., imaplib.IMAP4]
RAW = b"From: lot@dealer.example\r\nSubject: lot\r\n\r\nVIN\tPrice\r\n"


def trusting(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect to a port in plain text, or with TLS by a context."""
    with ExitStack() as stack:

        def connect(port: int, context: ssl.SSLContext | None = None) -> imaplib.IMAP4:
            client: imaplib.IMAP4
            if context:
                client = imaplib.IMAP4_SSL("localhost", port, ssl_context=context, timeout=10)
            else:
                client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
            stack.callback(client.shutdown)
            return client

        yield connect


@pytest.fixture
def logged_in(connect: Connect) -> Connect:
    """Log alice in at a port."""

    def logged_in(port: int) -> imaplib.IMAP4:
        client = connect(port)
        client.login("alice", "secret")
        return client

    return logged_in


def xoauth2(client: imaplib.IMAP4, user: str, token: str) -> str:
    answers = iter([f"user={user}\x01auth=Bearer {token}\x01\x01".encode()])
    challenges = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return next(answers, b"")

    client.authenticate("XOAUTH2", answer)
    return client.state


# -- Dovecot -------------------------------------------------------------------------------


def test_dovecot_takes_logins_on_all_three_ways_in(dovecot, authority, connect):
    context = trusting(authority.ca_file)
    upgraded = connect(dovecot.port)
    upgraded.starttls(context)
    for client in (connect(dovecot.tls_port, context), upgraded, connect(dovecot.port)):
        assert client.login("alice", "secret")[0] == "OK"
        assert client.select()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        connect(dovecot.port).login("alice", "wrong")


@pytest.mark.parametrize("kind", ["wrong_host", "expired", "stranger"])
def test_dovecot_shows_certificates_that_must_be_refused(
    kind, request, launch_dovecot, authority, connect
):
    server = launch_dovecot(request.getfixturevalue(f"{kind}_certificate"))
    context = trusting(authority.ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(server.tls_port, context)


def test_dovecot_takes_mail_by_lmtp_and_as_a_file_with_its_time(dovecot, logged_in):
    dovecot.deliver(RAW)
    dovecot.put(RAW, name="Größe/& more", received=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    client = logged_in(dovecot.port)
    assert client.select()[1] == [b"1"]
    delivered, as_file = dovecot.folder("alice"), dovecot.folder("alice", "Größe/& more")
    assert delivered[0].endswith(b"VIN\tPrice\n")
    assert as_file == [RAW]
    assert dovecot.uids("alice") == [1]
    assert client.select('"Gr&APYA3w-e/&- more"')[0] == "OK"
    (fact,) = client.fetch("1", "(INTERNALDATE)")[1]
    assert isinstance(fact, bytes)
    assert b"04-Mar-2026 05:06:07 +0000" in fact
    client.store("1", "+FLAGS", "(\\Seen $Ingested)")
    client.close()
    assert dovecot.flags("alice", "Größe/& more") == [{r"\Seen", "$Ingested"}]


def test_dovecot_pushes_at_the_pace_it_is_told_and_announces_what_it_is_told(
    launch_dovecot, logged_in
):
    server = launch_dovecot(idle_notify="1 secs", capability="IMAP4rev1 IDLE UIDPLUS")
    client = logged_in(server.port)
    assert client.capability()[1][-1:] == [b"IMAP4rev1 IDLE UIDPLUS"]


def test_dovecot_believes_its_own_tokens_while_they_last(dovecot, connect):
    assert xoauth2(connect(dovecot.port), "alice", dovecot.jwt("alice")) == "AUTH"
    for bad in (dovecot.jwt("alice", ttl=-10), dovecot.jwt("bob") + "x", "nonsense"):
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            xoauth2(connect(dovecot.port), "alice", bad)


async def test_dovecot_asks_a_url_about_tokens(launch_dovecot, connect):
    asked = []

    async def introspect(request: aiohttp.web.Request) -> aiohttp.web.Response:
        asked.append((await request.post())["token"])
        good = asked[-1] == "opaque-1"
        return aiohttp.web.json_response({"active": good, "username": "alice"})

    app = aiohttp.web.Application()
    app.router.add_post("/introspect", introspect)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    try:
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server = launch_dovecot(introspect=f"http://127.0.0.1:{port}/introspect")
        client = await asyncio.to_thread(connect, server.port)
        assert await asyncio.to_thread(xoauth2, client, "alice", "opaque-1") == "AUTH"
    finally:
        await runner.cleanup()
    assert asked == ["opaque-1"]


def test_dovecot_comes_back_on_its_ports_with_its_mail(dovecot, logged_in):
    dovecot.put(RAW)
    before = logged_in(dovecot.port)
    before.select()
    dovecot.restart()
    after = logged_in(dovecot.port)
    assert after.select()[1] == [b"1"]
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        before.noop()
    dovecot.kill()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        after.noop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dovecot.port), 5)


def test_dovecots_sessions_can_be_frozen_and_thawed(dovecot, logged_in):
    client = logged_in(dovecot.port)
    client.sock.settimeout(0.3)
    dovecot.freeze()
    client.send(b"X1 NOOP\r\n")
    with pytest.raises(TimeoutError):
        client.sock.recv(100)
    dovecot.thaw()
    client.sock.settimeout(10)
    assert b"X1 OK" in client.sock.recv(100)
    dovecot.freeze(everything=True)
    with socket.create_connection(("127.0.0.1", dovecot.port), 10) as newcomer:
        newcomer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            newcomer.recv(100)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_dovecots_sessions_can_be_dropped(dovecot, sent, logged_in):
    client = logged_in(dovecot.port)
    dovecot.drop(sent)
    said = b"".join(iter(lambda: client.sock.recv(1000), b""))
    assert said.startswith(b"* BYE") is (sent is signal.SIGTERM)
    dovecot.restart()
    assert logged_in(dovecot.port).state == "AUTH"


def test_dovecots_uidvalidity_can_be_changed(dovecot, logged_in):
    def uidvalidity() -> int:
        client = logged_in(dovecot.port)
        client.select()
        return int(client.response("UIDVALIDITY")[1][0] or 0)

    dovecot.put(RAW)
    before = uidvalidity()
    assert dovecot.reset_uidvalidity() == uidvalidity() != before


def test_dovecot_leaves_nothing_behind(certificate, launch_dovecot, logged_in):
    with Dovecot(certificate, Options()) as server:
        client = logged_in(server.port)
        pids = server.sessions()
        assert pids
    # A process that only waits to be reaped has no command line any more.
    ended = (Path(f"/proc/{pid}/cmdline") for pid in pids)
    assert not any(file.exists() and file.read_bytes() for file in ended)
    assert not server.directory.exists()
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()


# -- pymap ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
async def test_pymap_answers(tls, certificate, authority, connect):
    def talk(port: int) -> tuple[str, list[Any]]:
        context = trusting(authority.ca_file)
        client = connect(port, context if tls == "implicit" else None)
        if tls == "starttls":
            client.starttls(context)
        client.login("bob", "secret too")
        return client.state, client.select()[1]

    async with pymap_server(tls, certificate) as server:
        await server.append(RAW, "bob")
        assert await asyncio.to_thread(talk, server.port) == ("AUTH", [b"1"])


async def test_pymap_shows_what_lies_in_it_and_ends_with_connections_open(logged_in):
    received = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    async with pymap_server() as server:
        first = await server.append(RAW)
        second = await server.append(RAW + b"2", received=received, flags=[r"\Seen"])
        await server.append(RAW, "bob", "Imported")
        assert await server.folder("alice") == [RAW, RAW + b"2"]
        assert await server.flags("alice") == [set(), {r"\Seen"}]
        await server.expunge(first)
        assert await server.uids("alice") == [second]
        assert await server.folder("bob", "Imported") == [RAW]
        assert await server.folders("bob") == {"INBOX", "Imported"}
        client = await asyncio.to_thread(logged_in, server.port)
    assert (await asyncio.to_thread(client.sock.recv, 1000)).startswith(b"* BYE")
