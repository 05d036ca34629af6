"""PURE  Undoes the transfer encoding of a part, block by block.

Rules:
  * Nothing is raised: what does not decode is left out or taken as it is; an encoding that is
    not known is none.
  * The result depends on the bytes alone, never on how they were cut: blocks are made of one
    size before they are decoded.
  * base64: signs that are not of its alphabet are skipped, padding ends it (RFC 2045 §6.8), what
    is cut off decodes as far as it goes.
  * quoted-printable: a soft line break may have blanks before its end; an ``=`` that begins
    nothing stays.
  * uuencode: from ``begin`` to ``end``; a line that is none is left out.
"""

import binascii
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from ingestd.model import Chunks

_BLOCK = 1 << 16
#: Lines of uuencoded text that are read: 45 MiB of a whole file's.
_MOST_LINES = 1 << 20

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_LETTERS = bytes(set(range(256)) - set(_LETTERS) - set(b"="))
_SOFT = re.compile(rb"=[ \t]++\r?\n")
_UU_LINE = re.compile(rb"(?m)^(?:(begin [0-7]{3,4} )|(end)\s|([!-M][ -`]{2,63}))")
_TOKEN = re.compile(rb"[\w-]+")


class Decoder:
    """Decodes what it is fed; this one, the base of the others, has nothing to undo."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, give what could be decoded so far."""
        return data

    def close(self) -> bytes:
        """Give the rest."""
        return b""


class _InBlocks(Decoder, ABC):
    """Decodes blocks of one size, and a shorter last one."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._held += data
        whole = len(self._held) // _BLOCK * _BLOCK
        ready = bytes(self._held[:whole])
        del self._held[:whole]
        return b"".join(
            self._decode(ready[start : start + _BLOCK]) for start in range(0, whole, _BLOCK)
        )

    def close(self) -> bytes:
        return self._decode(bytes(self._held)) + self._rest()

    @abstractmethod
    def _decode(self, block: bytes) -> bytes:
        """Decode a block, as far as it is complete."""

    @abstractmethod
    def _rest(self) -> bytes:
        """Decode what was not complete before the end."""


class _Base64(_InBlocks):
    def __init__(self) -> None:
        super().__init__()
        self._letters = b""
        self._padded = False

    def _decode(self, block: bytes) -> bytes:
        if self._padded:
            return b""
        letters, pad, _ = block.translate(None, _NO_LETTERS).partition(b"=")
        self._padded = bool(pad)
        letters = self._letters + letters
        whole = len(letters) // 4 * 4
        self._letters = letters[whole:]
        return binascii.a2b_base64(letters[:whole])

    def _rest(self) -> bytes:
        letters = self._letters if len(self._letters) > 1 else b""  # one is less than a byte
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


class _QuotedPrintable(_InBlocks):
    def __init__(self) -> None:
        super().__init__()
        self._line = b""

    def _decode(self, block: bytes) -> bytes:
        text = self._line + block
        end = text.rfind(b"\n") + 1
        if not end:  # a line longer than a block: at least no escape is cut in two
            sign = text.rfind(b"=", -2)
            end = sign if sign >= 0 else len(text)
        self._line = text[end:]
        return self._decoded(text[:end])

    def _rest(self) -> bytes:
        return self._decoded(self._line)

    @staticmethod
    def _decoded(text: bytes) -> bytes:
        if b"= " in text or b"=\t" in text:
            text = _SOFT.sub(b"", text)
        text = text.replace(b"=\r\n", b"").replace(b"=\n", b"")
        # The library takes ``=\r`` for a line break and drops all up to the next LF.
        return binascii.a2b_qp(text.replace(b"=\r", b"=3D\r"))


class _Uuencode(_InBlocks):
    def __init__(self) -> None:
        super().__init__()
        self._line = b""
        self._open = self._over = False
        self._lines = 0

    def _decode(self, block: bytes) -> bytes:
        text = self._line + block
        end = text.rfind(b"\n") + 1 or len(text)
        self._line = text[end:]
        return b"".join(self._lines_of(text[:end]))

    def _rest(self) -> bytes:
        return b"".join(self._lines_of(self._line + b"\n"))

    def _lines_of(self, text: bytes) -> Iterator[bytes]:
        if self._over:
            return
        for begin, end, line in _UU_LINE.findall(text):
            self._lines += 1
            self._open = self._open or bool(begin)
            self._over = bool(self._open and end) or self._lines > _MOST_LINES
            if self._over:
                return
            if self._open and line:
                yield _uu(line)


def _uu(line: bytes) -> bytes:
    """Decode a line, of legal signs, by the length that its first one tells."""
    return binascii.a2b_uu(line[: ((line[0] - 32) * 4 + 2) // 3 + 1])


_DECODERS: Mapping[str, Callable[[], Decoder]] = MappingProxyType(
    {
        "base64": _Base64,
        "quoted-printable": _QuotedPrintable,
        **dict.fromkeys(("uuencode", "x-uuencode", "x-uue", "uue"), _Uuencode),
    }
)


def encoding(value: bytes) -> str:
    """Read a Content-Transfer-Encoding; empty where nothing is to be undone."""
    found = _TOKEN.search(value)
    name = found[0].decode("ascii", "replace").lower() if found else ""
    return name if name in _DECODERS else ""


def decoder(name: str) -> Decoder:
    """Give what undoes an ``encoding``."""
    return _DECODERS.get(name, Decoder)()


def decoded(content: Chunks, name: str) -> Chunks:
    """Give a content with its ``encoding`` undone."""
    if not name:
        return content

    def read() -> Iterator[bytes]:
        undoing = decoder(name)
        for chunk in content():
            if piece := undoing.feed(chunk):
                yield piece
        if piece := undoing.close():
            yield piece

    return read
