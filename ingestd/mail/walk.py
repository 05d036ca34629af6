"""PURE  One pass over a message finds its parts; no part is ever held whole (threat T6).

Rules:
  * The bytes are pushed through once, in the blocks in which they come.  What is remembered of a
    part is where it lies and its first 32 KiB; its content is read again from there.
  * Headers, depth and number of parts are capped as they are met.
  * A boundary line of any part that is still open ends what is inside of it.  What stands before
    the first and after the last part is nothing.  A last boundary may be missing (a mail cut off).
  * A message inside a message is walked; one that is encoded (against RFC 2046 §5.2.1, but it is
    met) is decoded and walked on the same pass, at most three deep.

Reasons: too_large too_many_members.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingestd.mail import headers, transfer
from ingestd.mail.entity import BOUNDARY, Entity, entity
from ingestd.mail.parts import Blocked, cut
from ingestd.model import Chunks

#: Parts of a message, those that only hold others counted; how deep one may lie in another.
PARTS = 200
DEPTH = 20
#: How deep a message may lie in another that is encoded: each is decoded for all inside of it.
_ENCODED = 3
#: First bytes of a part by which is judged what it is.
HEAD = 32 << 10
#: No boundary line is longer: hyphens, boundary, hyphens, blanks, line end.
_BLANKS = 256
_LINE = BOUNDARY + _BLANKS + 8

_EMPTY_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that holds no others: its decoded content, how large that is, how it begins.

    ``cost`` is how many bytes must be decoded, beyond its own, to read it once.
    """

    entity: Entity
    content: Chunks
    size: int
    head: bytes
    cost: int = 0


@dataclass(slots=True)
class Found:
    """What a walk has found so far; the walks of the messages inside share it."""

    name: str
    leaves: list[Leaf] = field(default_factory=list)
    blocked: dict[Blocked, None] = field(default_factory=dict)
    size: int = 0
    parts: int = 0
    full: bool = False

    def block(self, reason: str, what: str) -> None:
        """Remember, once, what was not looked into."""
        message = f"{what}; send the inventory alone"
        self.blocked[Blocked(self.name, reason, message)] = None

    def count(self) -> bool:
        """Count a part; say whether it may still be looked into."""
        self.parts += 1
        self.full = self.full or self.parts > PARTS
        if self.parts == PARTS + 1:
            self.block("too_many_members", f"the message has more than {PARTS} parts")
        return not self.full


def walk(content: Chunks, name: str, most: int) -> Found:
    """Find the parts of a message of at most ``most`` bytes; a larger one has none."""
    found = Found(name)
    walker = _Walker(_lined(content), found, 0, 0)
    for chunk in walker.content():
        found.size += len(chunk)
        if found.size > most:
            larger = Found(name)
            size = f"{most:,} bytes (limits.message_size)"
            larger.block("too_large", f"the message is larger than {size}")
            return larger
        walker.feed(chunk)
    walker.close()
    return found


def _lined(content: Chunks) -> Chunks:
    """Give lines an LF where they end with CR alone: a file of an old Macintosh."""
    size, ending = 0, False
    for chunk in content():
        if b"\n" in chunk:
            return content
        ending = ending or b"\r" in chunk
        size += len(chunk)
        if size > headers.BLOCK:
            break
    return content if not ending else lambda: (chunk.replace(b"\r", b"\n") for chunk in content())


class _Body:
    """Where the body of a part goes: nowhere."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def close(self, end: int) -> None:
        """Learn where it ended."""


class _Part(_Body):
    """Remembers where a part lies, its size and its first bytes."""

    def __init__(self, walker: "_Walker", told: Entity, start: int) -> None:
        self._walker, self._told, self._start = walker, told, start
        self._undoing = transfer.decoder(told.encoding)
        self._head = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._take(self._undoing.feed(data))

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        self._head += data[: HEAD - len(self._head)]

    def close(self, end: int) -> None:
        self._take(self._undoing.close())
        raw = cut(self._walker.content, self._start, end)
        content = transfer.decoded(raw, self._told.encoding)
        cost = self._walker.encoded * end
        leaf = Leaf(self._told, content, self._size, bytes(self._head), cost)
        self._walker.found.leaves.append(leaf)


class _Message(_Body):
    """Decodes a message inside and walks it; its parts are read through the same decoder."""

    def __init__(self, walker: "_Walker", told: Entity, start: int, depth: int) -> None:
        self._outer, self._start, self._end = walker.content, start, sys.maxsize
        self._undoing = transfer.decoder(told.encoding)
        content = transfer.decoded(self._raw, told.encoding)
        self._walker = _Walker(content, walker.found, depth, walker.encoded + 1)

    def _raw(self) -> Iterator[bytes]:
        return cut(self._outer, self._start, self._end)()

    def feed(self, data: bytes) -> None:
        self._walker.feed(self._undoing.feed(data))

    def close(self, end: int) -> None:
        self._end = end
        self._walker.feed(self._undoing.close())
        self._walker.close()


class _Walker:
    """Walks one message; ``content`` are its bytes, which are also fed to it."""

    def __init__(self, content: Chunks, found: Found, depth: int, encoded: int) -> None:
        self.content, self.found, self.encoded = content, found, encoded
        self._buffer = b"\n"  # begins with the byte before what is next
        self._place = -1  # of the buffer in the content
        self._next = 1  # in the buffer: the first byte that is not yet anybody's
        self._part: int | None = depth  # of the part whose headers are next, if any
        self._body = _Body()
        self._open: list[tuple[bytes, int]] = []  # boundary, depth of the parts
        self._line: re.Pattern[bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the message."""
        if self.found.full:
            return
        self._buffer = self._buffer[self._next - 1 :] + data
        self._place += self._next - 1
        self._next = 1
        self._run(last=False)

    def close(self) -> None:
        """Learn that this was all."""
        self._run(last=True)
        self._body.close(self._place + self._next)

    def _run(self, *, last: bool) -> None:
        while not self.found.full:
            more = self._bodied(last=last) if self._part is None else self._headed(last=last)
            if not more:
                return

    # Headers

    def _headed(self, *, last: bool) -> bool:
        """Read the header block that is next; ``False``: more bytes are needed."""
        data, start = self._buffer, self._next
        whole = last or len(data) - start > headers.BLOCK
        if not whole and not _EMPTY_LINE.search(data, start - 1):
            return False
        assert self._part is not None
        depth, self._part = self._part, None
        end, body = headers.extent(data, start)
        border = self._line.search(data, start - 1, end) if self._line else None
        if border:
            end = body = max(start, border.start() + 1)
        self._next = body
        if self.found.count():
            self._enter(data[start:end], depth)
        return True

    def _enter(self, block: bytes, depth: int) -> None:
        """Decide where the body goes whose header block this is."""
        start = self._place + self._next
        if headers.exceeds(block):
            each = f"{headers.FIELDS:,} fields of {headers.FIELD >> 10} KiB"
            most = f"{headers.BLOCK >> 10} KiB, {each}"
            self.found.block("too_large", f"its headers, or a part's, are too large ({most})")
            return
        told = entity(block)
        if depth >= DEPTH or (told.message and told.encoding and self.encoded >= _ENCODED):
            self.found.block("too_large", f"its parts are nested too deep (at most {DEPTH})")
        elif told.boundary:
            self._open.append((told.boundary, depth + 1))
            self._look()
        elif told.message and not told.encoding:
            self._part = depth + 1
        elif told.message:
            self._body = _Message(self, told, start, depth + 1)
        else:
            self._body = _Part(self, told, start)

    # Bodies

    def _bodied(self, *, last: bool) -> bool:
        """Give the body what is its own, up to the next boundary line."""
        data = self._buffer
        border = self._line.search(data, self._next - 1) if self._line else None
        if border is None or not (last or border[0].endswith(b"\n")):
            self._give(len(data) if last else self._certain())
            return False
        self._give(max(self._next, border.start() - data.startswith(b"\r", border.start() - 1)))
        self._body.close(self._place + self._next)
        self._body = _Body()
        self._next = border.end()
        self._turn(border[1], closing=border[2] is not None)
        return True

    def _certain(self) -> int:
        """Say up to where the buffer can hold nothing of a boundary line that is still to come."""
        data = self._buffer
        end = data.rfind(b"\n", max(self._next - 1, len(data) - _LINE)) if self._line else -1
        end = end if end >= 0 else len(data)
        return max(self._next, end - data.startswith(b"\r", end - 1))

    def _give(self, end: int) -> None:
        if end > self._next:
            self._body.feed(self._buffer[self._next : end])
            self._next = end

    def _turn(self, boundary: bytes, *, closing: bool) -> None:
        """Leave what the boundary line ends; begin the next part, unless it closes."""
        while self._open[-1][0] != boundary:
            self._open.pop()
        if closing:
            self._open.pop()
        else:
            self._part = self._open[-1][1]
        self._look()

    def _look(self) -> None:
        """Look for the boundaries of the parts that are open now."""
        if not self._open:
            self._line = None
            return
        names = b"|".join(re.escape(name) for name, _ in self._open)
        ending = b"[ \\t]{0,%d}+\\r?(?:\\n|\\Z)" % _BLANKS
        self._line = re.compile(b"\\n--(%s)(--)?%s" % (names, ending))
