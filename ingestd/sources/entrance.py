"""DOOR  The way into a mailbox: a connection that is logged in.

A token that the server refuses is forgotten, so that the next attempt brings a fresh one: it
may have been revoked before its time.
"""

from typing import Literal, Protocol

from ingestd.errors import Denied, Fault, Misconfigured, TryAgain
from ingestd.settings import Mailbox
from ingestd.sources.imap import No, Selected, Server, Session


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
        await log_in(session, config, tokens, token)
    except BaseException:
        session.abort()
        raise
    return session


async def log_in(
    session: Session, config: Mailbox, tokens: Tokens | None, token: str | None
) -> None:
    """Log in by ``token``, or by password.  A token that is refused is forgotten.

    Raises:
        Denied: the server does not let us in.
        Misconfigured: the password is still elsewhere.
    """
    if tokens is None or token is None:
        if not isinstance(config.password, str):
            path = f"mailbox[{config.name}].password"
            raise Misconfigured(Fault(path, "is not known; give it or say where it lies"))
        await session.login(config.user, config.password)
        return
    try:
        await session.xoauth2(config.user, token)
    except Denied:
        await tokens.forget()
        raise


async def opened(session: Session, config: Mailbox) -> tuple[Mailbox, Selected]:
    """Open the folder; give the settings as this server spells its folders, and what was opened.

    "/" stands between the levels of a folder in the settings, whatever the server has there.

    Raises:
        TryAgain: there is no such folder (those that are there are told), or it may only be read.
    """
    delimiter = await session.delimiter()
    if delimiter in _DELIMITERS:  # else it can be none, whatever the server says
        spelt = {name: getattr(config, name).replace("/", delimiter) for name in _FOLDERS}
        config = config.model_copy(update=spelt)
    where = f"the folder {config.folder!r} of the mailbox {config.name!r}"
    try:
        selected = await session.select(config.folder)
    except No as error:
        there = ", ".join(await session.folders())
        told = f"{where} cannot be opened: {error}; the folders are: {there}"
        raise TryAgain(told) from error
    if selected.read_only:
        raise TryAgain(f"{where} may only be read; nothing could be moved out of it")
    return config, selected


_DELIMITERS = tuple("!#$%*+,-.:;<=>?@\\^_|~")
_FOLDERS = ("folder", "imported_folder", "rejected_folder")
