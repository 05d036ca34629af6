"""PURE  A server's bytes, cut into whole responses (RFC 3501 §2.2.2, §4.3).

Rules:
  * A response is text, then literal and text by turns: the literals are at the odd places.
    The text before a literal keeps its ``{n}``.
  * Bytes may come in any portions; no byte is looked at twice for want of the next.
  * Only untagged data announce literals: a status line is words, whatever it ends with.
  * A line, a literal, a response has a cap; past it there is ``trouble``, and nothing more comes.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

Reply: TypeAlias = tuple[bytes, ...]

#: Literals that one response may have; those that we ask for have one.
MOST_LITERALS = 100
_DATA = re.compile(rb"\* +(?!(?:OK|NO|BAD|BYE|PREAUTH)\b)", re.IGNORECASE)
_ANNOUNCED = re.compile(rb"\{([0-9]+)\+?\}\Z")
_LONGEST = 64  # "{n}" with more digits than any size has


class Framing:
    """Cuts what is fed to it; the caps may be changed between two responses."""

    def __init__(self, line_cap: int, literal_cap: int) -> None:
        self.line_cap = line_cap
        self.literal_cap = literal_cap
        self.trouble = ""
        self._buffer = bytearray()
        self._searched = 0  # of the buffer, for the end of the line
        self._pieces: list[bytes] = []
        self._due: int | None = None  # bytes of the literal that comes next; None: text comes
        self._whole = False

    @property
    def buffered(self) -> bool:
        """Say whether bytes came that are no whole response yet."""
        return bool(self._buffer or self._pieces)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take the next bytes; give every response that is whole now."""
        self._buffer += data
        while not self.trouble and (self._text() if self._due is None else self._literal()):
            if self._whole:
                reply, self._pieces, self._whole = tuple(self._pieces), [], False
                yield reply

    def _text(self) -> bool:
        end = self._buffer.find(b"\r\n", self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > self.line_cap:
            self.trouble = f"a line of more than {self.line_cap} bytes"
            return False
        if end < 0:
            self._searched = max(0, len(self._buffer) - 1)
            return False
        self._take(end, 2)
        self._due = self._announced()
        self._whole = self._due is None
        return not self.trouble

    def _literal(self) -> bool:
        assert self._due is not None
        if len(self._buffer) < self._due:
            return False
        self._take(self._due, 0)
        self._due = None
        return True

    def _take(self, size: int, after: int) -> None:
        self._pieces.append(bytes(memoryview(self._buffer)[:size]))
        del self._buffer[: size + after]
        self._searched = 0

    def _announced(self) -> int | None:
        """Give the size of the literal that the text just taken announces."""
        found = _ANNOUNCED.search(self._pieces[-1][-_LONGEST:])
        if found is None or not _DATA.match(self._pieces[0]):
            return None
        digits = found[1].lstrip(b"0")
        if len(digits) > len(str(self.literal_cap)) or int(digits or b"0") > self.literal_cap:
            self.trouble = f"a literal of {digits.decode()} bytes, {self.literal_cap} at most"
        elif sum(map(len, self._pieces)) > self.line_cap + self.literal_cap:
            self.trouble = f"a response of more than {self.line_cap + self.literal_cap} bytes"
        elif len(self._pieces) > 2 * MOST_LITERALS:
            self.trouble = f"more than {MOST_LITERALS} literals in one response"
        return None if self.trouble else int(digits or b"0")
