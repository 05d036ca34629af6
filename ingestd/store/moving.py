"""DOOR  Vehicles that come over from other dealerships, within the transaction of one load.

Dealerships are locked in ascending order.  One that comes before ours cannot be waited for once
ours is locked: if it is busy, the load is given up as a Clash, and locks both in order when it
is tried again.
"""

from dataclasses import dataclass, field
from datetime import datetime

from ingestd.errors import Clash
from ingestd.store.pool import Connection
from ingestd.store.statements import Statements

#: First key of the advisory lock; the second is the dealership.
_LOCK = int.from_bytes(b"inge")
#: A table up to this size is looked through as a whole.
_SMALL = 8 << 20
#: So many bytes of a table are looked through in the time that one VIN takes by the key.
_WORTH = 2500


@dataclass(slots=True)
class Others:
    """What is known of other dealerships.

    ``deltas``: the feeds whose deliveries never are the whole lot.  ``wanted``: whom a load had
    to give up for, by the delivery's number; kept in memory only.
    """

    deltas: tuple[str, ...] = ()
    wanted: dict[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants vehicles: a dealership, for its delivery; and whether any may come over."""

    dealership: int
    delivery: int
    first_seen: datetime
    may_move: bool


class Moving:
    """What moves to one dealership in one load."""

    def __init__(
        self, connection: Connection, statements: Statements, claim: Claim, others: Others
    ) -> None:
        """Take the transaction and its statements; nothing is locked yet."""
        self._connection = connection
        self._sql = statements
        self._claim = claim
        self._others = others
        self._bound = (claim.dealership, claim.may_move, claim.first_seen, others.deltas)
        self._held: set[int] = set()
        self._moves = False

    async def begin(self) -> None:
        """Lock the dealership, and those that an earlier attempt had to give up for."""
        claim = self._claim
        for number in sorted({claim.dealership, *self._others.wanted.pop(claim.delivery, ())}):
            await self._connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, number)
            self._held.add(number)

    async def decide(self, vins: int, size: int) -> int:
        """Decide what moves and what is rejected; give the number of rows so decided.

        ``vins`` is the number of VINs looked for, ``size`` that of the table in bytes.

        Raises:
            Clash: another dealership's load is under way, or its vehicle was just changed.
        """
        connection, sql = self._connection, self._sql
        scan = size <= _SMALL or vins * _WORTH >= size
        text = sql.foreign_by_scan if scan else sql.foreign_by_key
        decided = rows(await connection.execute(text, *self._bound))
        while decided and await self._lock_others():
            # What was decided before they were locked may be so no longer.
            await connection.execute(sql.foreign_undo)
            decided += rows(await connection.execute(text, *self._bound))
        self._moves = bool(await connection.fetch(sql.foreign_dealerships)) if decided else False
        return decided

    async def _lock_others(self) -> bool:
        """Lock the dealerships whose vehicles would move; False: they all were already."""
        found = await self._connection.fetch(self._sql.foreign_dealerships)
        new = [int(row["number"]) for row in found if int(row["number"]) not in self._held]
        for number in new:
            waits = number > max(self._held)
            name = "pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
            got = await self._connection.fetchval(f"SELECT {name}($1, $2)", _LOCK, number)
            if not waits and not got:
                self._others.wanted[self._claim.delivery] = frozenset((*self._held, *new))
                raise Clash(f"a vehicle of dealership {number}, which is being loaded, is to move")
            self._held.add(number)
        return bool(new)

    async def move(self) -> None:
        """Move what was decided to.

        Raises:
            Clash: a vehicle was changed meanwhile by somebody else.
        """
        if not self._moves:
            return
        connection, sql, claim = self._connection, self._sql, self._claim
        locked = rows(await connection.execute(sql.foreign_lock, *self._bound))
        await connection.execute(sql.foreign_note, claim.dealership)
        moved = rows(await connection.execute(sql.foreign_move, claim.dealership))
        if moved != locked:
            raise Clash(f"{moved} vehicles were to come over, {locked} could be")


def rows(tag: str) -> int:
    """Read the number of rows off a command tag such as ``UPDATE 3``."""
    return int(tag.rpartition(" ")[2])
