"""DOOR  What trying again does not cure, of a load: it ends the delivery, and says what to do.

Rules:
  * Two sessions that want one key: the second finds the first one's row when it tries again.
    The same key forbidden again and again is no such race: a policy hides the row that has it,
    or the table has a unique key beside the VIN.  No row is loaded then, as none could be told
    from those that may be: the server names one, and not always that.
  * A statement that is too slow for its limit is a strike, as a parser that is too slow is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ingestd.errors import ReadFailed, Refused
from ingestd.store.pool import Late, Taken

#: So often in a row one delivery may meet the same key; a command tries as often.
MOST = 5
#: Deliveries that are remembered: who is forgotten is only tried more often.
_REMEMBERED = 1000

_TAKEN = (
    "a vehicle of the file cannot be stored beside one that is there already: {key} (constraint"
    " {name}), {times} times in a row. If row-level security hides that vehicle from this role, see"
    " [target.settings]; else the table wants more to be unique than the VIN: correct the file, the"
    " stored vehicle or the constraint. Then `ingestd deliveries retry`; nothing was loaded"
)
_LATE = (
    "{what}: a statement of the load took longer than database.statement_timeout = {limit:g}"
    " seconds; raise it, or find what slows PostgreSQL down"
)


class Lasting:
    """What the loads into one table met, by delivery."""

    def __init__(self, limit: float) -> None:
        """Take the seconds that a statement may take."""
        self._limit = limit
        self._met: dict[int, tuple[tuple[str, str], int]] = {}

    @contextmanager
    def told(self, number: int) -> Iterator[None]:
        """Load a delivery, by its number, within.

        Raises:
            Refused: it meets a key that is taken, again and again (``key_taken``).
            ReadFailed: a statement of it took too long.
        """
        try:
            yield
        except Taken as error:
            times = self._count(number, (error.constraint, error.key))
            if times < MOST:
                raise
            key = error.key or "the server does not tell its key"
            message = _TAKEN.format(key=key, name=error.constraint, times=times)
            raise Refused("key_taken", message) from error
        except Late as error:
            raise ReadFailed(_LATE.format(what=error, limit=self._limit)) from error
        self._met.pop(number, None)

    def _count(self, number: int, key: tuple[str, str]) -> int:
        """Count how often in a row a delivery met one key; the last time it is forgotten."""
        before, times = self._met.pop(number, (key, 0))
        times = times + 1 if before == key else 1
        if times < MOST:
            self._met[number] = key, times
        if len(self._met) > _REMEMBERED:
            del self._met[next(iter(self._met))]
        return times
