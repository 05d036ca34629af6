"""WIRE  Builds the sources that a configuration names."""

from collections.abc import Callable, Sequence

from ingestd.config import Config, Mailbox
from ingestd.doors import Source
from ingestd.sources.dial import tls_context
from ingestd.sources.entrance import Tokens, server
from ingestd.sources.folder import FolderSource
from ingestd.sources.mailbox import MailboxSource
from ingestd.sources.oauth import Tokens as OAuthTokens
from ingestd.sources.spool import Spool
from ingestd.store.postgres import PostgresStore as Store

#: Called with a mailbox's name and the function that gives its signs of life.
Pulses = Callable[[str, Callable[[], tuple[bool, float, float]]], None]


def sources(config: Config, spool: Spool, store: Store, pulses: Pulses) -> tuple[Source, ...]:
    """Give every mailbox and folder of a configuration whose secrets are in their places."""
    names = tuple(feed.name for feed in config.feed)
    mailboxes = [_mailbox(config, mailbox, spool, store) for mailbox in config.mailbox]
    for mailbox in mailboxes:
        pulses(mailbox.name, mailbox.pulse)
    return (*mailboxes, *_folders(config, spool, store, names))


def _folders(
    config: Config, spool: Spool, store: Store, feeds: Sequence[str]
) -> tuple[Source, ...]:
    return tuple(FolderSource(folder, spool, store.now, feeds) for folder in config.folder)


def _mailbox(config: Config, mailbox: Mailbox, spool: Spool, store: Store) -> MailboxSource:
    tokens = tokens_of(config, mailbox)
    most = min(config.limits.message_size, config.limits.file_size)
    return MailboxSource(mailbox, spool, store, most, tokens)


def try_out(config: Config) -> None:
    """Try what the mailboxes need of this machine: certificates, keys, packages.

    Raises:
        Misconfigured: something is missing or cannot be read.
    """
    for mailbox in config.mailbox:
        tokens_of(config, mailbox)
        if not mailbox.plaintext:
            tls_context(server(mailbox))


def tokens_of(config: Config, mailbox: Mailbox) -> Tokens | None:
    """Give where a mailbox's access tokens come from; None where it has a password."""
    if mailbox.oauth2 is None:
        return None
    return OAuthTokens(mailbox.name, mailbox.oauth2, mailbox.user, config.state_dir)
