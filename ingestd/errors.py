"""PURE  The exception tree: each class says whether trying again is any use.

    IngestError
    ├── Refused         never: the same bytes fail the same way for ever
    ├── TryAgain        yes, later: the world is bad (database, disk, server)
    │   ├── Clash       yes, at once and uncounted: another load was in the way
    │   │   └── Taken   yes, but not for ever: a key that stays taken is ``refused``
    │   ├── OutOfTurn   yes, uncounted: an older delivery of its lane comes first
    │   ├── OlderFirst  yes, uncounted: the older ones of its feed are to go first, after all
    │   ├── Denied      yes, seldom: a login was refused, and asking often locks an account
    │   └── Throttled   yes, after a while: the server asked for patience
    ├── ReadFailed      perhaps: a parser died, ran out of time, or asked in vain; three strikes
    └── Misconfigured   not before the configuration is changed

``exit_code`` is what the command line becomes (sysexits.h).
"""

from dataclasses import dataclass


class IngestError(Exception):
    """The base; only its children are raised."""

    exit_code = 70


class Refused(IngestError):
    """A delivery or file that will not be loaded, whatever is tried."""

    exit_code = 65

    def __init__(self, reason: str, message: str) -> None:
        """Take the reason code (closed set) and the sentence for people."""
        super().__init__(message)
        self.reason = reason
        self.message = message


class TryAgain(IngestError):
    """The world is bad; the same call may succeed later."""

    exit_code = 75


class Clash(TryAgain):
    """Another load was in the way (deadlock, unique violation, changed row)."""


_TAKEN = (
    "a vehicle of the file cannot be stored beside one that is there already: {key} (constraint"
    " {name}), {times} times in a row. If row-level security hides that vehicle from this role, see"
    " [target.settings]; else the table wants more to be unique than the VIN: correct the file, the"
    " stored vehicle or the constraint. Then `ingestd deliveries retry`; nothing was loaded"
)


class Taken(Clash):
    """A row may not be beside another, which came in between, or cannot be seen or matched.

    ``constraint`` is the one that forbids it; ``key`` the columns and values as the server tells
    them, "" where it does not: what is hidden by a policy stays so.
    """

    def __init__(self, message: str, constraint: str, key: str) -> None:
        """Take the sentence for people, the constraint's name and the key."""
        super().__init__(message)
        self.constraint = constraint
        self.key = key

    def refused(self, times: int) -> Refused:
        """Give what it is when it was met so many ``times`` in a row.

        Of two sessions that want one key, the second finds the first one's row when it tries
        again.  The same key again and again is no such race: a policy hides the row that has it,
        or the table has a unique key beside the VIN.  No row can be loaded then, as none could be
        told from those that may be: the server names one, and not always that.
        """
        key = self.key or "the server does not tell its key"
        return Refused("key_taken", _TAKEN.format(key=key, name=self.constraint, times=times))


class OutOfTurn(TryAgain):
    """A delivery turned out to belong behind another, and was given back to the ledger."""


class OlderFirst(TryAgain):
    """A newer delivery may not be the last word on its feed: those that are older go first."""


class Denied(TryAgain):
    """A server does not let us in; it may when somebody has mended something there."""


class Throttled(TryAgain):
    """A server wants to be left alone for ``seconds``."""

    def __init__(self, message: str, seconds: float = 600.0) -> None:
        """Take the sentence for people and how long the server should be left alone."""
        super().__init__(message)
        self.seconds = seconds


class ReadFailed(IngestError):
    """A parser process died, ran out of memory or passed its deadline."""

    exit_code = 70


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the configuration: a dotted path, what is wrong, what to do."""

    path: str
    message: str

    def __str__(self) -> str:
        """Give one line for the terminal."""
        return f"{self.path}: {self.message}" if self.path else self.message


class Misconfigured(IngestError):
    """Nothing will work until the configuration is changed."""

    exit_code = 78

    def __init__(self, *faults: Fault) -> None:
        """Take every fault found, not just the first."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
