"""WIRE  Builds what replies to dealers, where a feed asks for it."""

from collections.abc import AsyncIterator
from types import ModuleType

from ingestd.config import Config
from ingestd.doors import Excerpts
from ingestd.errors import Fault, IngestError, Misconfigured
from ingestd.replying import Outlets, Post, Replying, Tell
from ingestd.report import Step
from ingestd.store.postgres import PostgresStore as Store
from ingestd.tell import letters


def replying(config: Config, store: Store, excerpt: Excerpts, tell: Tell) -> tuple[Replying, ...]:
    """Give what sends the replies of a resolved configuration; nothing where no feed replies.

    Raises:
        Misconfigured: the extra is missing, or the section does not do.
    """
    post, sender = post_of(config), config.replies.sender
    if post is None or sender is None:
        return ()
    addresses = {feed.name: feed.reply_to for feed in config.feed if feed.reply_to}
    outlets = Outlets(store.replies, post, letters.compose, excerpt, tell)
    return (Replying(outlets, sender, config.replies.per_hour, addresses),)


def post_of(config: Config) -> Post | None:
    """Give the SMTP server of a configuration; None where no feed replies.

    Raises:
        Misconfigured: the extra is missing, or the section does not do.
    """
    if not any(feed.reply_to for feed in config.feed):
        return None
    post: Post = _door().Post(config.replies)
    return post


async def check_replies(config: Config) -> AsyncIterator[Step]:
    """Try the SMTP server of a resolved configuration: connect, log in, send nothing."""
    if any(feed.reply_to for feed in config.feed):
        try:
            yield Step("replies", await _door().try_out(config.replies), well=True)
        except IngestError as error:
            yield Step("replies", str(error), well=False)


def _door() -> ModuleType:
    try:
        from ingestd.tell import replies  # noqa: PLC0415  its library is an extra
    except ImportError:
        message = "needs one more package; run: pip install 'ingestd[replies]'"
        raise Misconfigured(Fault("replies", message)) from None
    return replies
