"""PURE  What untagged responses say, and how sets of UIDs are written (RFC 3501 §7, §9).

Rules:
  * Items are known by name, never by place; what cannot be read is as if it had not been said.
  * A string may be quoted or a literal, anywhere; NIL is no string.
  * Numbers are ASCII digits in the range that the RFC gives them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias

from ingestd.sources.framing import Reply
from ingestd.sources.phrases import Said, said

#: An atom is str, a string bytes, NIL None, a parenthesised list a tuple.
Value: TypeAlias = str | bytes | tuple["Value", ...] | None

UID_MAX = (1 << 32) - 1
#: UIDs in one command, and octets of their set (RFC 2683 §3.2.1.5 asks for lines below 1,000).
MOST_UIDS, LONGEST_SET = 100, 800
_DEEPEST = 20
_TOKEN = re.compile(
    rb' *+(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]++|\\.)*+)"'
    rb'|(?P<atom>(?:[^ ()"\[\]]++|\[[^\]]*+\])++))',
    re.DOTALL,
)
_ANNOUNCED = re.compile(rb"~?\{[0-9]+\+?\}\Z")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_BODY = re.compile(r"BODY\[\](?:<([0-9]{1,10})>)?\Z")
_DATE = re.compile(
    rb"\s?(\d{1,2})-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-(\d{4})"
    rb" (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z",
    re.IGNORECASE,
)
_EXISTS = re.compile(rb"\* +([0-9]{1,10}) +EXISTS *\Z", re.IGNORECASE)
_MONTHS = b"janfebmaraprmayjunjulaugsepoctnovdec"


@dataclass(frozen=True, slots=True)
class Fact:
    """What the server knows of a message; ``received`` is UTC, None if it tells no date."""

    uid: int
    size: int
    received: datetime | None
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Selected:
    r"""An opened folder.  ``keywords``: new ones may be made (PERMANENTFLAGS has ``\*``)."""

    uidvalidity: int
    exists: int
    uidnext: int | None
    keywords: bool
    read_only: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """The items of one message that a FETCH told; None: not this one.

    ``body`` is of BODY[], ``origin`` the octet it begins at, if that was said.
    """

    number: int
    uid: int | None = None
    size: int | None = None
    received: datetime | None = None
    flags: frozenset[str] | None = None
    body: bytes | None = None
    origin: int | None = None

    def over(self, other: "Fetched") -> "Fetched":
        """Join with what was told earlier; what was told last counts."""
        part = other if self.body is None else self
        return Fetched(
            self.number,
            other.uid if self.uid is None else self.uid,
            other.size if self.size is None else self.size,
            other.received if self.received is None else self.received,
            other.flags if self.flags is None else self.flags,
            part.body,
            part.origin,
        )


def parse(reply: Reply) -> tuple[Value, ...] | None:
    """Read a response's words, strings and lists; None: it is malformed."""
    stack: list[list[Value]] = [[]]
    for place, piece in enumerate(reply):
        if place % 2:
            stack[-1].append(piece)
        elif not _read(_ANNOUNCED.sub(b"", piece) if place + 1 < len(reply) else piece, stack):
            return None
    return tuple(stack[0]) if len(stack) == 1 else None


def _read(text: bytes, stack: list[list[Value]]) -> bool:
    at, end = 0, len(text.rstrip(b" "))
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or not _put(found, stack):
            return False
        at = found.end()
    return True


def _put(found: re.Match[bytes], stack: list[list[Value]]) -> bool:
    match found.lastgroup:
        case "open":
            stack.append([])
            return len(stack) <= _DEEPEST
        case "close":
            closed = tuple(stack.pop())
            if not stack:
                return False
            stack[-1].append(closed)
        case "quoted":
            stack[-1].append(_ESCAPED.sub(rb"\1", found["quoted"]))
        case _:
            atom = found["atom"].decode("ascii", "replace")
            stack[-1].append(None if atom.upper() == "NIL" else atom)
    return True


def number(value: Value, most: int = (1 << 63) - 1) -> int | None:
    """Read a number up to ``most``."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,19}", text):
        return None
    return int(text) if int(text) <= most else None


def fetched(reply: Reply) -> Fetched | None:
    """Read ``* n FETCH (…)``; None: it is something else, or malformed."""
    match parse(reply):
        case (_, str(digits), str(word), tuple(items)) if word.upper() == "FETCH":
            message = number(digits, UID_MAX)
        case _:
            return None
    if message is None:
        return None
    told = Fetched(message)
    for name, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(name, str):
            told = _item(message, name.upper(), value).over(told)
    return told


def _item(message: int, name: str, value: Value) -> Fetched:
    told = Fetched(message)
    match name:
        case "UID":
            told = Fetched(message, uid=number(value, UID_MAX))
        case "RFC822.SIZE":
            told = Fetched(message, size=number(value))
        case "INTERNALDATE":
            told = Fetched(message, received=date(value))
        case "FLAGS" if isinstance(value, tuple):
            told = Fetched(message, flags=frozenset(v for v in value if isinstance(v, str)))
        case _ if (found := _BODY.match(name)) and not isinstance(value, tuple):
            body = _octets(value or b"")
            told = Fetched(message, body=body, origin=int(found[1]) if found[1] else None)
    return told


def messages(replies: Iterable[Reply]) -> tuple[Fetched, ...]:
    """Give what was told of each message whose UID was told, the latest last.

    A server may tell a message's items in several responses, and its UID in one of them only.
    They have the number in common, as long as no EXPUNGE gives the numbers to others.
    """
    by_number: dict[int, Fetched] = {}
    by_uid: dict[int, Fetched] = {}
    for reply in replies:
        told = fetched(reply)
        if told is None:
            by_number.clear()
            continue
        told = told.over(by_number.get(told.number, told))
        by_number[told.number] = told
        if told.uid:
            by_uid[told.uid] = told.over(by_uid.pop(told.uid, told))
    return tuple(by_uid.values())


def facts(replies: Iterable[Reply], uids: Iterable[int]) -> tuple[Fact, ...]:
    """Give the facts of those of ``uids`` whose size was told, in order."""
    wanted = frozenset(uids)
    told: list[Fact] = []
    for message in messages(replies):
        uid, size = message.uid, message.size
        if uid in wanted and size is not None:
            told.append(Fact(uid, size, message.received, message.flags or frozenset()))
    return tuple(sorted(told, key=lambda fact: fact.uid))


#: No mail is older (RFC 822 is of 1982): PostgreSQL reads the year 1 as minus infinity.
_OLDEST_YEAR = 1980


def date(value: Value) -> datetime | None:
    """Read an INTERNALDATE; None: it is none, or out of all reason."""
    found = _DATE.match(value) if isinstance(value, bytes) else None
    if found is None:
        return None
    month = _MONTHS.index(found[2].lower()) // 3 + 1
    if int(found[3]) < _OLDEST_YEAR:
        return None
    day, year, hour, minute, second, hours, minutes = map(int, found.group(1, 3, 4, 5, 6, 8, 9))
    east = timedelta(hours=hours, minutes=minutes) * (-1 if found[7] == b"-" else 1)
    try:
        told = datetime(year, month, day, hour, minute, second, tzinfo=timezone(east))
        return told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def uids_found(replies: Iterable[Reply]) -> tuple[int, ...]:
    """Give the UIDs of all SEARCH responses, in order; only digits are taken."""
    words = (word for reply in replies for word in reply[0].split()[2:])
    longest = len(str(UID_MAX))
    found = {int(word) for word in words if word.isdigit() and len(word) <= longest}
    return tuple(sorted(uid for uid in found if 0 < uid <= UID_MAX))


def capabilities(replies: Iterable[Reply]) -> frozenset[str]:
    """Give the capabilities of the last CAPABILITY response, upper case."""
    last: Sequence[bytes] = ()
    for reply in replies:
        last = reply[0].split()[2:]
    return frozenset(word.decode("ascii", "replace").upper() for word in last)


def listed(reply: Reply) -> tuple[frozenset[str], str, bytes] | None:
    """Read a LIST response: attributes (lower case), delimiter, name as it is on the wire."""
    match parse(reply):
        case (
            _,
            _,
            tuple(attributes),
            str() | bytes() | None as delimiter,
            str() | bytes() as name,
        ):
            kinds = frozenset(word.lower() for word in attributes if isinstance(word, str))
            return kinds, _octets(delimiter or b"").decode(errors="replace"), _octets(name)
        case _:
            return None


def selected(replies: Iterable[Reply], answer: Said) -> Selected | None:
    """Read what a SELECT told; None: no UIDVALIDITY, so that UIDs mean nothing."""
    exists, told = 0, dict[str, str]()
    for reply in replies:
        status = said(reply[0][2:].lstrip(b" "))
        counted = _EXISTS.match(reply[0])
        if status is not None and status.code == "CLOSED":  # RFC 7162: all before is of another
            exists, told = 0, {}
        elif status is not None:
            told[status.code] = status.argument
        elif counted is not None:
            exists = int(counted[1])
    validity = number(told.get("UIDVALIDITY"), UID_MAX)
    if not validity:
        return None
    keywords = r"\*" in told.get("PERMANENTFLAGS", "").strip("()").split()
    read_only = answer.code == "READ-ONLY"
    return Selected(validity, exists, number(told.get("UIDNEXT"), UID_MAX), keywords, read_only)


def uid_sets(uids: Iterable[int]) -> Iterator[str]:
    """Write ``uids`` as sets (``3:7,9``), each short enough for one command."""
    ordered = sorted(set(uids))
    if ordered and not 0 < ordered[0] <= ordered[-1] <= UID_MAX:
        raise ValueError(f"no UIDs: {ordered[0]}..{ordered[-1]}")
    for start in range(0, len(ordered), MOST_UIDS):
        ranges = list(_ranges(ordered[start : start + MOST_UIDS]))
        while ranges:
            taken = [ranges.pop(0)]
            while ranges and len(",".join(taken)) + len(ranges[0]) < LONGEST_SET:
                taken.append(ranges.pop(0))
            yield ",".join(taken)


def _ranges(ordered: Sequence[int]) -> Iterator[str]:
    first = 0
    for place, uid in enumerate(ordered):
        if place + 1 == len(ordered) or ordered[place + 1] != uid + 1:
            yield str(uid) if first == place else f"{ordered[first]}:{uid}"
            first = place + 1


def _octets(value: str | bytes) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else value
