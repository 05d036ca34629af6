"""DOOR  A message to an SMTP server.  The only importer of aiosmtplib (an extra).

Rules:
  * TLS from the start (465) or by STARTTLS (587), always verified; in the clear only to this
    machine.  Nothing is sent, and nobody logs in, before TLS is there.
  * Every wait is bounded.  After a time-out or a cancellation the connection is thrown away.
  * One login an attempt: who tries one mechanism after the other is locked out thrice as fast.
  * The envelope's sender is ``[replies] sender``, although RFC 3834 prefers ``<>``: servers for
    submission refuse that.  What bounces is automatic mail, and automatic mail is not replied to.
  * Errors say what to do about them: ``TryAgain`` (connection, 4xx), ``Denied`` (login),
    ``Refused`` (5xx).  A server's words go into them without control characters and without
    the password, in whatever spelling it sends it back.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import aiosmtplib
import structlog

from ingestd.config import Replies
from ingestd.crosscheck import loopback
from ingestd.errors import Denied, Fault, IngestError, Misconfigured, Refused, TryAgain

#: Seconds until the server has let us in; until it has taken a message; for a last word.
CONNECT_WITHIN = 30.0
SEND_WITHIN = 60.0
QUIT_WITHIN = 5.0

#: Answers to MAIL or RCPT that are about the login and not about the message (RFC 4954 section 6).
_OF_LOGIN = (530, 534, 535, 538)
_LONGEST_WORDS = 300
_HIDDEN = "***"
_LOG = structlog.get_logger("replies")

#: Sends one message to some addresses.
Send = Callable[[Sequence[str], bytes], Awaitable[None]]


class Post:
    """The configured SMTP server; each message has a connection of its own."""

    def __init__(self, settings: Replies) -> None:
        """Take the section, its password in its place.

        Raises:
            Misconfigured: ``ca_file`` is of no use.
        """
        assert settings.host is not None
        assert settings.sender is not None
        self._settings = settings
        self._sender = settings.sender
        self._password = settings.password if isinstance(settings.password, str) else ""
        self._tls = None if settings.plaintext else _context(settings.ca_file)
        assert loopback(settings.host) or not settings.plaintext  # the configuration was checked

    def __str__(self) -> str:
        """Give host and port."""
        return f"{self._settings.host}:{self._settings.at()}"

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Send]:
        """Connect and log in, and lend what sends.

        Raises:
            Denied: the login was refused.
            TryAgain: the server cannot be reached, or not over TLS, or will not have us now.
        """
        async with self._let_in() as client:

            async def send(recipients: Sequence[str], content: bytes) -> None:
                await self._send(client, recipients, content)

            yield send

    async def try_out(self) -> str:
        """Connect, log in, do nothing; say how it went.

        Raises:
            Denied: the login was refused.
            TryAgain: the server cannot be reached, or not over TLS, or will not have us now.
        """
        async with self._let_in() as client:
            tls = client.get_transport_info("ssl_object")
            with self._explained(letting_in=True):
                await client.noop(timeout=CONNECT_WITHIN)
        user = self._settings.user
        how = "in the clear" if tls is None else tls.version()
        login = "without a login" if user is None else f"logged in as {user!r}"
        return f"{self} answers ({how}, {login}); no mail was sent"

    @contextlib.asynccontextmanager
    async def _let_in(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = aiosmtplib.SMTP(
            hostname=self._settings.host,
            port=self._settings.at(),
            local_hostname=self._sender.rpartition("@")[2],  # by default DNS is asked, unbounded
            use_tls=self._tls is not None and not self._settings.starttls,
            start_tls=self._settings.starttls,
            tls_context=self._tls,
            timeout=SEND_WITHIN,
        )
        try:
            with self._explained(letting_in=True):
                async with asyncio.timeout(CONNECT_WITHIN):
                    await client.connect()
                    await client.ehlo()
                    await self._log_in(client)
            yield client
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=QUIT_WITHIN)
        finally:
            if isinstance(client.transport, asyncio.WriteTransport):
                client.transport.abort()

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        user = self._settings.user
        if user is None:
            return
        offered = client.server_auth_methods
        if "plain" in offered:
            await client.auth_plain(user, self._password)
        elif "login" in offered:
            await client.auth_login(user, self._password)
        else:
            message = f"{self} takes no passwords by PLAIN or LOGIN (it offers {offered or 'none'})"
            raise Denied(self._hidden(message))

    async def _send(
        self, client: aiosmtplib.SMTP, recipients: Sequence[str], content: bytes
    ) -> None:
        """Send to whom the server will have; it is sent once it has been taken for one of them."""
        with self._explained(letting_in=False):
            async with asyncio.timeout(SEND_WITHIN):
                refused, _ = await client.sendmail(self._sender, recipients, content)
        for address, answer in refused.items():
            words = self._said(answer.code, answer.message)
            _LOG.warning("reply.recipient_refused", address=address, error=words)

    @contextlib.contextmanager
    def _explained(self, *, letting_in: bool) -> Iterator[None]:
        try:
            yield
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # Without its cause, whose words may hold what was sent.
            raise self._told(error, letting_in=letting_in) from None

    def _told(self, error: Exception, *, letting_in: bool) -> IngestError:
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            error = min(error.recipients, key=lambda one: one.code)  # one that may pass counts
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return self._answered(error, letting_in=letting_in)
        if isinstance(error, TimeoutError):
            within = CONNECT_WITHIN if letting_in else SEND_WITHIN
            return TryAgain(f"{self} did not answer within {within:g} s")
        cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
        if isinstance(cause, ssl.SSLError):
            return TryAgain(f"{self}: {_no_tls(cause)}")
        if isinstance(error, ValueError):  # an address that no command could hold
            return Refused("not_sent", self._hidden(str(error)))
        return TryAgain(self._hidden(f"{self}: {cause or error}"))

    def _answered(
        self, error: aiosmtplib.SMTPResponseException, *, letting_in: bool
    ) -> IngestError:
        words = self._said(error.code, error.message)
        passing = 400 <= error.code < 500  # noqa: PLR2004  RFC 5321 section 4.2.1
        login = isinstance(error, aiosmtplib.SMTPAuthenticationError) or error.code in _OF_LOGIN
        if login and not passing:
            what = "user and password" if self._settings.user else "user and password (none is set)"
            return Denied(f"{self} refuses the login: {words}; look at [replies] {what}")
        if passing or letting_in or error.code < 0:  # what is no answer at all has no code
            return TryAgain(f"{self} says: {words}")
        return Refused("not_sent", f"{self} says: {words}")

    def _said(self, code: int, message: str) -> str:
        return self._hidden(f"{code} {message}")

    def _hidden(self, text: str) -> str:
        """Make a server's words fit for log and ledger, and the password in them unreadable."""
        for spelling in self._spellings():
            text = text.replace(spelling, _HIDDEN)
        line = " ".join(text.split())
        seen = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        return seen[:_LONGEST_WORDS]

    def _spellings(self) -> list[str]:
        """Give the password as it stands, and as AUTH PLAIN and AUTH LOGIN have it."""
        if not self._password:
            return []
        plain = f"\0{self._settings.user}\0{self._password}"
        encoded = [base64.b64encode(text.encode()).decode() for text in (plain, self._password)]
        return [*encoded, self._password]


async def try_out(settings: Replies) -> str:
    """Try the configured server without sending anything: see ``Post.try_out``.

    Raises:
        Misconfigured: ``ca_file`` is of no use.
        Denied: the login was refused.
        TryAgain: the server cannot be reached, or not over TLS, or will not have us now.
    """
    return await Post(settings).try_out()


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        message = f"{ca_file!r} has no certificates that can be read: {error}"
        raise Misconfigured(Fault("replies.ca_file", message)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):  # which is a ValueError, too
        advice = "give [replies] ca_file, or the name that is in it"
        return f"its certificate is not accepted: {error.verify_message}; {advice}"
    return f"no TLS: {error.reason or error}; is [replies] starttls right for this port?"
