"""WIRE  A mailbox tried out step by step, as ``ingestd check`` shows it; nothing is changed there.

Each step is told with the server's own words where it fails, and with what they mean.
"""

from collections.abc import AsyncIterator

from ingestd.config import Config, Mailbox
from ingestd.errors import IngestError
from ingestd.inlets import tokens_of
from ingestd.report import Step
from ingestd.sources.entrance import log_in, opened, server
from ingestd.sources.imap import Selected, Session


async def check_mail(config: Config) -> AsyncIterator[Step]:
    """Try every mailbox of a configuration whose secrets are in their places."""
    for mailbox in config.mailbox:
        trial = _Trial(config, mailbox)
        try:
            async for step in trial.steps():
                yield step
        except IngestError as error:
            yield Step(f"mailbox {mailbox.name}: {trial.at}", str(error), well=False)
        finally:
            await trial.end()


class _Trial:
    """One mailbox, and how far we came with it."""

    def __init__(self, config: Config, mailbox: Mailbox) -> None:
        self.at = "configuration"
        self._config, self._mailbox = config, mailbox
        self._session: Session | None = None

    async def steps(self) -> AsyncIterator[Step]:
        """Go as far as it goes."""
        mailbox = self._mailbox
        self.at, token = "token", None
        tokens = tokens_of(self._config, mailbox)
        if tokens is not None:
            token = await tokens.access()
            minutes = round(tokens.expires_in() / 60)
            yield self._well(f"got one that is to be renewed in {minutes} minutes")
        self.at = "connection"
        session = self._session = await Session.open(server(mailbox))
        how = "in clear, on this machine" if mailbox.plaintext else "by TLS, certificate verified"
        yield self._well(f"{mailbox.host}:{mailbox.at()} answers, {how}")
        self.at = "login"
        await log_in(session, mailbox, tokens, token)
        yield self._well(f"{mailbox.user} is let in")
        self.at = "folder"
        mailbox, selected = await opened(session, mailbox)
        yield self._well(f"{mailbox.folder} has {selected.exists} messages")
        self.at = "abilities"
        yield self._well(_abilities(session.capabilities, selected))
        self.at = "settling"
        yield self._well(await _settling(session, mailbox))

    def _well(self, message: str) -> Step:
        return Step(f"mailbox {self._mailbox.name}: {self.at}", message, well=True)

    async def end(self) -> None:
        """Leave."""
        if self._session is not None:
            await self._session.close()


def _abilities(capabilities: frozenset[str], selected: Selected) -> str:
    """Tell what the server can do that matters, and what is done where it can not."""
    told = [
        "IDLE: mail is heard of at once"
        if "IDLE" in capabilities
        else "no IDLE: it is polled every minute",
        "MOVE" if "MOVE" in capabilities else "no MOVE: mail is copied and its original removed",
    ]
    if "MOVE" not in capabilities and "UIDPLUS" not in capabilities:
        told.append("no UIDPLUS: originals stay, marked as deleted")
    if not selected.keywords:
        told.append("no keywords: held mail is flagged instead")
    return "; ".join(told)


async def _settling(session: Session, mailbox: Mailbox) -> str:
    if mailbox.settle == "flags":
        return "mail is marked and stays where it is"
    told = []
    for name in (mailbox.imported_folder, mailbox.rejected_folder):
        there = await session.has(name)
        told.append(f"{name} is there" if there else f"{name} will be made")
    return ", ".join(told)
