"""DOOR  What a mailbox asks of the ledger, and what it tells of itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class Letters(Protocol):
    """What the ledger knows of mail."""

    async def now(self) -> datetime:
        """Give the database's time."""

    async def known_mail(
        self, source: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str | None]:
        """Give those of ``uids`` that are known, with the SHA-256 of bytes still to be read."""

    async def places(self, source: str, uidvalidity: int, delivery_id: int) -> tuple[int, ...]:
        """Give the UIDs at which a delivery was seen."""


class Pulse(NamedTuple):
    """Signs of life; the times are Unix times, 0: not yet."""

    connected: bool
    last_activity: float
    last_success: float
