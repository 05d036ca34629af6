r"""DOOR  Where a mail goes when it is done, so that every step may be repeated.

Rules:
  * Imported, unchanged, superseded: ``imported_folder``.  Held: it stays, with the keyword
    IngestdHeld, until it is decided.  All else: ``rejected_folder``, left unread.
  * MOVE where there is one.  Else COPY, \\Deleted, UID EXPUNGE of these UIDs, never a plain
    EXPUNGE: it would remove what others marked.  Without UIDPLUS the original stays, marked
    \\Deleted, and is not looked at again.
  * A crash between COPY and \\Deleted would make a second copy: before a COPY the other
    folder is searched for these very bytes.
  * ``settle = "flags"``: IngestdImported or IngestdRejected, and it stays where it is.  A server
    that drops keywords gets flags instead: held and rejected \\Flagged, imported \\Seen.
  * A mail that somebody took away or deleted is settled: there is nothing left to tell.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ingestd.model import Delivery, Outcome
from ingestd.settings import Mailbox
from ingestd.sources.imap import Fact, Lost, No, Refusal, Selected, Session

_log = structlog.get_logger(__name__)

HELD, IMPORTED, REJECTED = "IngestdHeld", "IngestdImported", "IngestdRejected"
_GOOD = (Outcome.IMPORTED, Outcome.UNCHANGED, Outcome.SUPERSEDED)
_PART = 1 << 20
#: UIDs in one command.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Placing:
    """How one connection settles mail of its open folder."""

    config: Mailbox
    session: Session
    selected: Selected

    async def prepare(self) -> None:
        """Make the folders that are missing.

        Raises:
            No: the server will not; its words say why.
        """
        if self.config.settle == "flags":
            return
        for folder in (self.config.imported_folder, self.config.rejected_folder):
            if not await self.session.has(folder):
                await self.session.create(folder)
                _log.info("folder.created", source=self.config.name, folder=folder)

    async def place(self, delivery: Delivery, uids: Sequence[int], outcome: Outcome) -> None:
        """Put the copies of a mail where their outcome says.  Idempotent."""
        present = await self._present(uids)
        if not present:
            _log.warning("mail.gone", source=self.config.name, delivery=delivery.id)
            return
        if outcome is Outcome.HELD:
            await self._mark(present, HELD, "\\Flagged")
        elif self.config.settle == "flags":
            await self._flag_only(present, outcome)
        else:
            await self._move(delivery, present, outcome)

    async def _present(self, uids: Sequence[int]) -> tuple[int, ...]:
        found: list[int] = []
        for start in range(0, len(uids), _AT_ONCE):
            few = uids[start : start + _AT_ONCE]
            wanted = "UID " + ",".join(map(str, few)) + " UNDELETED"
            if not self._atomic():  # a removal that was cut short is to be finished
                wanted = "UID " + ",".join(map(str, few))
            found += set(await self.session.search(wanted)) & set(few)
        return tuple(sorted(found))

    def _atomic(self) -> bool:
        return self.config.settle == "flags" or "MOVE" in self.session.capabilities

    async def _flag_only(self, uids: Sequence[int], outcome: Outcome) -> None:
        good = outcome in _GOOD
        await self._mark(uids, IMPORTED if good else REJECTED, "\\Seen" if good else "\\Flagged")
        await self._unhold(uids, "\\Flagged" if good else "")

    async def _mark(self, uids: Sequence[int], keyword: str, flag: str) -> None:
        """Set a keyword; where the server drops it, or takes none, set the flag."""
        if self.selected.keywords:
            await self.session.flag(uids, add=(keyword,))
            facts = await self.session.facts(uids)
            if all(_bears(fact, keyword) for fact in facts):
                return
        await self.session.flag(uids, add=(flag,))

    async def _unhold(self, uids: Sequence[int], flag: str) -> None:
        held = [fact.uid for fact in await self.session.facts(uids) if _bears(fact, HELD)]
        if held:
            await self.session.flag(held, remove=(HELD,))
        elif flag and not self.selected.keywords:
            await self.session.flag(uids, remove=(flag,))

    # -- moving --------------------------------------------------------------------------

    async def _move(self, delivery: Delivery, uids: Sequence[int], outcome: Outcome) -> None:
        good = outcome in _GOOD
        folder = self.config.imported_folder if good else self.config.rejected_folder
        await self._unhold(uids, "\\Flagged" if good else "")
        if good:
            await self.session.flag(uids, add=("\\Seen",))
        try:
            await self._move_into(delivery, uids, folder)
        except No as error:
            if error.code != "TRYCREATE" and await self.session.has(folder):
                raise
            await self.session.create(folder)  # somebody removed it
            await self._move_into(delivery, uids, folder)

    async def _move_into(self, delivery: Delivery, uids: Sequence[int], folder: str) -> None:
        if "MOVE" in self.session.capabilities:
            await self.session.move(uids, folder)
            return
        for fact in await self.session.facts(uids):
            await self._copy_once(delivery, fact, folder)
        if "UIDPLUS" in self.session.capabilities:
            await self.session.expunge(uids)

    async def _copy_once(self, delivery: Delivery, fact: Fact, folder: str) -> None:
        if _bears(fact, "\\Deleted"):
            return  # it was copied before
        if not await self._lies_in(folder, fact.size, delivery.arrival.sha256):
            await self.session.copy((fact.uid,), folder)
        await self.session.flag((fact.uid,), add=("\\Deleted",))

    async def _lies_in(self, folder: str, size: int, sha256: str) -> bool:
        """Say whether the other folder has these very bytes."""
        try:
            await self.session.select(folder)
            near = f"LARGER {max(0, size - 1)} SMALLER {size + 1}"
            for uid in await self.session.search(near):
                if await self._digest(uid, size) == sha256:
                    return True
            return False
        finally:
            await self._back()

    async def _back(self) -> None:
        """Open our folder again; without it nothing works on this connection."""
        try:
            await self.session.select(self.config.folder)
        except Refusal as error:
            self.session.abort()
            raise Lost(f"{self.config.folder} cannot be opened again: {error}") from error

    async def _digest(self, uid: int, size: int) -> str:
        digest, offset = hashlib.sha256(), 0
        while offset <= size and (part := await self.session.part(uid, offset, _PART)):
            digest.update(part)
            offset += len(part)
            if len(part) < _PART and offset < size:
                return ""  # in crumbs: it is not worth the time, and not ours by its size
        return digest.hexdigest()


def _bears(fact: Fact, flag: str) -> bool:
    """Flags and keywords are compared without regard to case (RFC 3501, 2.3.2)."""
    return flag.casefold() in {each.casefold() for each in fact.flags}
