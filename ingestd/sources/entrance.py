"""DOOR  The way into a mailbox: a connection that is logged in.

A token that the server refuses is forgotten, so that the next attempt brings a fresh one: it
may have been revoked before its time.
"""

from typing import Literal, Protocol

from ingestd.errors import Denied, Fault, Misconfigured
from ingestd.settings import Mailbox
from ingestd.sources.imap import Server, Session


class Tokens(Protocol):
    """Where access tokens come from (``oauth.Tokens``)."""

    async def access(self) -> str:
        """Give a token that is valid now."""

    async def forget(self) -> None:
        """Throw away what a server refused."""

    def expires_in(self) -> float:
        """Give the seconds until it should be renewed."""


def server(config: Mailbox) -> Server:
    """Say where a mailbox is, and how it is reached."""
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    if config.plaintext or config.starttls:
        tls = "none" if config.plaintext else "starttls"
    return Server(config.host, config.at(), tls, config.ca_file)


async def enter(config: Mailbox, tokens: Tokens | None) -> Session:
    """Connect and log in.

    Raises:
        Misconfigured: the password is still elsewhere, or the server may not be reached so.
        Denied: the server does not let us in.
        TryAgain: not reached.
    """
    token = None if tokens is None else await tokens.access()
    session = await Session.open(server(config))
    try:
        await log_in(session, config, token)
    except BaseException as error:
        session.abort()
        if isinstance(error, Denied) and tokens is not None:
            await tokens.forget()
        raise
    return session


async def log_in(session: Session, config: Mailbox, token: str | None) -> None:
    """Log in by ``token``, or by password.

    Raises:
        Denied: the server does not let us in.
        Misconfigured: the password is still elsewhere.
    """
    if token is not None:
        await session.xoauth2(config.user, token)
    elif isinstance(config.password, str):
        await session.login(config.user, config.password)
    else:
        path = f"mailbox[{config.name}].password"
        raise Misconfigured(Fault(path, "is not known; give it or say where it lies"))
