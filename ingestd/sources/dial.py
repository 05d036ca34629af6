"""DOOR  From a host's name to a connection that greets: TCP, TLS, STARTTLS.

Rules:
  * TLS 1.2 at least, the chain and the name verified; there is no switch that weakens this.
    ``ca_file`` is trusted instead of the system's authorities, not beside them.
  * In the clear only within this machine, whatever a name resolves to.
  * What was heard before STARTTLS counts for nothing after it.
"""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from ingestd.crosscheck import loopback
from ingestd.errors import Denied, Fault, Misconfigured, TryAgain
from ingestd.sources import replies
from ingestd.sources.phrases import Lost, clean, refusal
from ingestd.sources.wire import Terms, Wire

#: RFC 8305: seconds after which the next address is tried beside the first.
_NEXT_ADDRESS = 0.25
#: X509_V_ERR_…: what to do about a certificate.
_ADVICE = {
    9: "It is not valid yet: compare the clocks.",
    10: "It has expired: whoever runs the server must renew it.",
    18: "It is signed by itself: give it as ca_file, if it is known to be the right one.",
    19: "Its authority is not known here: give the authority's certificate as ca_file.",
    20: "Its authority is not known here: give the authority's certificate as ca_file.",
    62: "Give the name that the certificate bears as host.",
    64: "Give the name that the certificate bears as host.",
}
_OLD = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS", "HANDSHAKE_FAILURE")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a mailbox is, and how it is reached; ``none`` is for this machine only."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca_file: str | None = None

    def __str__(self) -> str:
        """Name it in a message."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that each phase may take (a single one for everything is always wrong)."""

    connect: float = 30.0
    greeting: float = 60.0
    auth: float = 60.0
    select: float = 60.0
    search: float = 120.0
    metadata: float = 120.0
    body: float = 60.0
    move: float = 60.0
    done: float = 10.0
    logout: float = 5.0


async def dial(server: Server, deadlines: Deadlines) -> tuple[Wire, frozenset[str]]:
    """Connect; give the connection, greeted and under TLS, and its capabilities.

    Raises:
        Misconfigured: the server may not be reached so, or a bad ``ca_file``.
        Denied: PREAUTH, or no STARTTLS.
        TryAgain: not reached, not trusted, not an IMAP server.
    """
    if server.tls == "none" and not loopback(server.host):
        raise _in_the_clear(server)
    wire = Wire(server.host)
    try:
        return wire, await _greeted(server, deadlines, wire)
    except BaseException:
        wire.die(TryAgain(f"the connection to {server} was given up"))
        raise


async def _greeted(server: Server, deadlines: Deadlines, wire: Wire) -> frozenset[str]:
    await _connect(server, deadlines.connect, wire)
    try:
        await wire.wait("with a greeting", wire.greeting, deadlines.greeting)
    except Lost as error:
        if server.tls == "implicit":
            raise
        hint = f"where port {server.port} has TLS from the start, leave out starttls and plaintext"
        raise Lost(f"{error}; {hint}") from error
    known = await capabilities(wire, deadlines.greeting)
    if server.tls == "starttls":
        await _start_tls(server, deadlines, wire, known)
        known = await capabilities(wire, deadlines.greeting)
    if "IMAP4REV1" not in known:
        told = clean(" ".join(sorted(known)).encode())
        raise TryAgain(f"{server} does not speak IMAP4rev1, only: {told}")
    return known


async def capabilities(wire: Wire, seconds: float) -> frozenset[str]:
    """Ask what the server can do now."""
    asked = wire.ask("CAPABILITY")
    wire.submit(asked, Terms(seconds, frozenset({"CAPABILITY"})))
    answer = await wire.execute(asked)
    if answer.said.kind != "OK":
        raise refusal(wire.host, "CAPABILITY", answer.said)
    return replies.capabilities(answer.replies)


async def _connect(server: Server, seconds: float, wire: Wire) -> None:
    loop = asyncio.get_running_loop()
    context = tls_context(server) if server.tls == "implicit" else None
    async with _explained(server, seconds):
        await loop.create_connection(
            lambda: wire,
            server.host,
            server.port,
            ssl=context,
            happy_eyeballs_delay=_NEXT_ADDRESS,
        )
    assert wire.transport is not None
    peer = wire.transport.get_extra_info("peername")
    if server.tls == "none" and not loopback(str(peer[0])):
        raise _in_the_clear(server)


async def _start_tls(
    server: Server, deadlines: Deadlines, wire: Wire, known: frozenset[str]
) -> None:
    if "STARTTLS" not in known:
        raise Denied(
            f"{server} offers no STARTTLS, and nothing is sent in the clear: use its port for TLS"
            " (993), or ask whoever runs it; somebody in between may have taken the offer out"
        )
    asked = wire.ask("STARTTLS")
    wire.submit(asked, Terms(deadlines.connect))
    answer = await wire.execute(asked)
    wire.check()
    if answer.said.kind != "OK":
        raise refusal(wire.host, "STARTTLS", answer.said)
    context, plain = tls_context(server), wire.transport
    assert plain is not None
    async with _explained(server, deadlines.connect):
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(plain, wire, context, server_hostname=server.host)
    wire.transport = secured


def tls_context(server: Server) -> ssl.SSLContext:
    """Give what TLS to a server must be: 1.2 at least, verified.

    Raises:
        Misconfigured: ``ca_file`` cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:  # ssl.SSLError is one
        fault = Fault(
            "ca_file", f"{server.ca_file!r} has no certificates that can be read: {error}"
        )
        raise Misconfigured(fault) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@asynccontextmanager
async def _explained(server: Server, seconds: float) -> AsyncIterator[None]:
    """Bound the time, and say in a sentence what went wrong."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        message = f"{server} was not reached, or said nothing, within {seconds:g} s"
        raise TryAgain(message) from error
    except ssl.SSLCertVerificationError as error:
        advice = _ADVICE.get(error.verify_code, "")
        message = f"the certificate of {server} is not accepted: {error.verify_message}.  {advice}"
        raise TryAgain(message.strip()) from error
    except ssl.SSLError as error:
        raise TryAgain(f"{server}: no TLS: {_no_tls(error)}") from error
    except socket.gaierror as error:
        raise TryAgain(f"{server.host} cannot be looked up: {error.strerror}") from error
    except (OSError, UnicodeError) as error:
        raise TryAgain(f"{server} cannot be reached: {_unreached(error)}") from error


def _unreached(error: OSError | UnicodeError) -> str:
    """Give the system's words; asyncio has its own, and a list of them for several addresses."""
    numbers = [getattr(error, "errno", None), *re.findall(r"\[Errno (\d+)\]", str(error))]
    words = dict.fromkeys(os.strerror(int(number)) for number in numbers if number)
    return ", ".join(words) or str(error) or "it ended the connection at once"


def _no_tls(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if any(word in reason for word in _OLD):
        return f"the server has no TLS 1.2 or newer that fits ({reason})"
    return f"the server answers with something else ({reason}); is it the port for STARTTLS?"


def _in_the_clear(server: Server) -> Misconfigured:
    message = f"a password is sent in the clear within this machine only, not to {server}; use TLS"
    return Misconfigured(Fault("plaintext", message))
