"""PURE  The header block of a mail message or of one of its parts: bytes, under caps (threat T6).

Rules:
  * A line ends with LF or CRLF; a CR alone is a character, except in a message that has no LF at
    all.  The ``From `` line of an mbox file before the first field is no field.
  * The block ends at an empty line, at the first line that is neither a field nor the
    continuation of one (as for every mail server), or with the bytes.
  * A block of more than 256 KiB or 2,000 fields, or with a field of more than 16 KiB, is not
    looked into.
  * Nothing is decoded here: what a value means, its reader says.
"""

import re
from collections.abc import Iterator
from itertools import islice

from ingestd.model import Chunks

#: Bytes of a header block; its fields; bytes of one field with its continuations.
BLOCK = 256 << 10
FIELDS = 2000
FIELD = 16 << 10

_MBOX = re.compile(rb">?From [^\n]*+(?:\n|\Z)")
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)(?:\n|\Z)")
_EXTENT = re.compile(
    rb"(?:>?From [^\n]*+(?:\n|\Z))?"
    rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*(?:\n|\Z)){0,%d}+"  # one too many is enough
    rb"(\r?\n)?" % (FIELDS + 1)
)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


def header_block(content: Chunks) -> bytes | None:
    """Give the header block of a message without its empty line; ``None``: it exceeds the caps."""
    head = bytearray()
    for chunk in content():
        head += chunk
        if len(head) > BLOCK:
            break
    if b"\n" not in head:
        head = head.replace(b"\r", b"\n")
    end, _ = extent(head, 0)
    block = bytes(head[:end])
    return None if exceeds(block) else block


def fields(block: bytes) -> tuple[tuple[str, bytes], ...]:
    """Give (name in small letters, value unfolded) of each field of a header block, in its order.

    Values are raw bytes without the white space around them.
    """
    return tuple(
        (found[1].decode("ascii").lower(), _FOLD.sub(b"", found[2]).strip())
        for found in _fields(block)
    )


def extent(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Give where the header block that begins at ``start`` ends, and where the body begins."""
    found = _EXTENT.match(data, start)
    assert found is not None  # it matches nothing, too
    end = found.end()
    return end - len(found[1] or b""), end


def exceeds(block: bytes) -> bool:
    """Say whether a header block is larger than it may be, or a field of it, or has too many."""
    if len(block) > BLOCK:
        return True
    sizes = [found.end() - found.start() for found in islice(_fields(block), FIELDS + 1)]
    return len(sizes) > FIELDS or max(sizes, default=0) > FIELD


def _fields(block: bytes) -> Iterator[re.Match[bytes]]:
    mbox = _MBOX.match(block)
    place = mbox.end() if mbox else 0
    while found := _FIELD.match(block, place):
        yield found
        place = found.end()
