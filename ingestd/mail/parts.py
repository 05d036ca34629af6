"""PURE  What comes out of a container: a file that can be read, or one that must not be.

A sender's file name is data: it is shown and matched against patterns, never used as a path.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ingestd.model import Chunks

#: Longest file name that is kept.
LONGEST_NAME = 200

_BLOCK = 1 << 18
#: Characters of a name that are looked at, at either end; to normalise many costs their square.
_SEEN = 1 << 9
#: Control, format (bidi, zero width), surrogate, private and unassigned characters.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a container; ``size`` was counted, not declared."""

    name: str
    size: int
    content: Chunks


@dataclass(frozen=True, slots=True)
class Blocked:
    """A file (or a whole container) that is not opened: reason code and sentence for people."""

    name: str
    reason: str
    message: str


def display_name(raw: str, otherwise: str) -> str:
    """Give the last component of a sender's file name, cleaned; ``otherwise`` if nothing is left.

    NFC, no invisible or control characters, at most 200 characters with the extension kept
    (threat T8).
    """
    last = raw.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if len(last) > 2 * _SEEN:
        last = last[:_SEEN] + last[-_SEEN:]
    seen = "".join(sign for sign in last if unicodedata.category(sign) not in _UNSEEN)
    name = unicodedata.normalize("NFC", seen).strip()
    if len(name) > LONGEST_NAME:
        stem, dot, suffix = name.rpartition(".")
        suffix = dot + suffix if stem and len(suffix) < LONGEST_NAME // 10 else ""
        name = name[: LONGEST_NAME - len(suffix)] + suffix
    return otherwise if name in ("", ".", "..") else name


def blocks(data: bytes | memoryview) -> Chunks:
    """Give bytes in memory as re-readable content."""

    def read() -> Iterator[bytes]:
        for start in range(0, len(data), _BLOCK):
            yield bytes(data[start : start + _BLOCK])

    return read


def cut(content: Chunks, start: int, end: int) -> Chunks:
    """Give the bytes from ``start`` to ``end`` of a content; what follows is not even read."""

    def read() -> Iterator[bytes]:
        place = 0
        for chunk in content():
            piece = chunk[max(0, start - place) : max(0, end - place)]
            if piece:
                yield piece
            place += len(chunk)
            if place >= end:
                return

    return read


def joined(content: Chunks, most: int) -> bytearray | None:
    """Give a content as one, for random access; ``None`` if it is larger than ``most``."""
    data = bytearray()
    for chunk in content():
        data += chunk
        if len(data) > most:
            return None
    return data
