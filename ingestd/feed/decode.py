"""PURE  Bytes become text: which encoding a file has, decided from all of its bytes.

Order of the rules (feeds.md: real files are UTF-8; documented exceptions are the others):
  1. no bytes, or white space only: ``empty``
  2. a byte order mark says it (UTF-8, UTF-16); UTF-32 is refused
  3. UTF-16 without mark: NULs on one side of nearly every pair of the first 4 KiB
  4. known beginnings of other formats, or more than 1 control character in 100 of the first
     64 KiB: ``not_a_table``
  5. valid UTF-8 throughout (a last character cut in two is forgiven if another was whole)
  6. UTF-8 with strays: of its characters beyond ASCII at least 1 in 5 is whole UTF-8.  Strays
     are single bytes that somebody pasted, or lines of another system's; each is read as
     Windows-1252, and they are counted
  7. else Windows-1252, or ISO-8859-15 where its bytes say so

A single stray NUL is no reason to refuse a file: ``text`` leaves NULs out.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ingestd.model import Chunks

Name: TypeAlias = Literal["utf-8", "utf-16-le", "utf-16-be", "cp1252", "iso-8859-15"]

_HEAD = 1 << 16
_UTF16_PROBE = 1 << 12

_BOMS: tuple[tuple[bytes, Name], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

#: Beginnings of what is often sent by mistake.
_MAGIC = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another Office document"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x78\x9f\x3e\x22", "winmail.dat, Outlook's own wrapping of attachments"),
    (b"{\\rtf", "a rich text document"),
)
#: Beginnings that are text, or may be: refused without looking for control characters.
_ALWAYS_REFUSED = (b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", b"{\\rtf")
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<?xml", b"<script", b"<svg")
_ADVICE = "export the inventory as tab separated text and send that"

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a")) + b"\x7f"
_UNDEFINED_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_ONLY_CP1252 = bytes(range(0x80, 0xA0))
_EURO_ISO = b"\xa4"
_STRAY, _MARK, _MARKED = "ingestd.stray", "ingestd.mark", "\ufdd0"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are no UTF-8 as Windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


def _as_marks(error: UnicodeError) -> tuple[str, int]:
    """Put a mark for each byte that is no UTF-8."""
    assert isinstance(error, UnicodeDecodeError)
    return _MARKED * (error.end - error.start), error.end


codecs.register_error(_STRAY, _as_windows)
codecs.register_error(_MARK, _as_marks)


#: Of the characters beyond ASCII one in so many must be UTF-8, else the file is not.
_WHOLE_SHARE = 5


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes are text: a Python codec, the bytes of byte order mark to skip, and why.

    ``strays`` counts the bytes that are not UTF-8 in a file that is, ``stray_line`` is the line
    of the first; ``cut`` if the file ends within a character.
    """

    name: Name
    bom: int
    why: str
    strays: int = 0
    stray_line: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Content that is no text, or none at all."""

    reason: Literal["empty", "not_a_table"]
    message: str


def detect(content: Chunks) -> Encoding | Unreadable:
    """Decide the encoding of a file by the rules at the top; three passes over it at most."""
    head = _head(content)
    if head.startswith(_UTF32_BOMS):
        return _not_a_table("UTF-32 text", "save it as UTF-8")
    encoding = _marked(head) or _utf16(head)
    if encoding is None or encoding.name == "utf-8":
        binary = _binary(head)
        if binary is not None:
            return binary
        encoding = _utf8(content, encoding) or _single_byte(content)
    if not any(block.strip() for block in text(content, encoding)):
        return Unreadable("empty", "the file is empty; nothing to do unless it should not be")
    return encoding


def text(content: Chunks, encoding: Encoding) -> Iterator[str]:
    """Give the text in blocks, without byte order mark and NULs; no character is split.

    A last character that was cut in two is left out; what does not decode in UTF-8 is read as
    Windows-1252, and what means nothing there either is U+FFFD.
    """
    errors = _STRAY if encoding.name == "utf-8" else "replace"
    decoder = codecs.getincrementaldecoder(encoding.name)(errors)
    skip = encoding.bom
    for chunk in content():
        block = decoder.decode(chunk[skip:])
        skip = max(0, skip - len(chunk))
        if "\0" in block:
            block = block.replace("\0", "")
        if block:
            yield block


def _head(content: Chunks) -> bytes:
    head = bytearray()
    for chunk in content():
        head += chunk[: _HEAD - len(head)]
        if len(head) >= _HEAD:
            break
    return bytes(head)


def _marked(head: bytes) -> Encoding | None:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, len(mark), f"the file begins with the mark of {name.upper()}")
    return None


def _utf16(head: bytes) -> Encoding | None:
    """See UTF-16 without mark: of ASCII letters one byte of each pair is NUL."""
    probe = head[: min(_UTF16_PROBE, len(head) // 2 * 2)]
    pairs = len(probe) // 2
    names: tuple[Name, Name] = ("utf-16-be", "utf-16-le")
    nulls = (probe[0::2].count(0), probe[1::2].count(0))
    for side, name in enumerate(names):
        if nulls[side] * 10 >= pairs * 7 and nulls[1 - side] * 20 <= pairs and pairs > 1:
            return Encoding(name, 0, f"NULs alternate as in {name.upper()} text")
    return None


def _binary(head: bytes) -> Unreadable | None:
    if head.startswith(_ALWAYS_REFUSED):
        return _not_a_table(_seems(head))
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:64].lower()
    if start.startswith(_MARKUP):
        return _not_a_table("a web page or XML document")
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls * 100 > len(head):
        return _not_a_table(_seems(head))
    return None


def _seems(head: bytes) -> str:
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    return "no text (it is full of control characters)"


def _not_a_table(what: str, advice: str = _ADVICE) -> Unreadable:
    return Unreadable("not_a_table", f"the file seems to be {what}; {advice}")


def _utf8(content: Chunks, marked: Encoding | None) -> Encoding | None:
    """Say whether the text is UTF-8, strays aside; with a mark it always is."""
    whole, cut, valid = _valid(content)
    if valid:
        if cut and not whole and marked is None:
            return None
        why = marked.why if marked else "all of it is valid UTF-8"
        why += ", but the last character is cut off" if cut else ""
        return Encoding("utf-8", marked.bom if marked else 0, why, cut=cut)
    whole_count, strays, line = _strays(content)
    if marked is None and whole_count * (_WHOLE_SHARE - 1) < strays:
        return None
    why = f"UTF-8, but for {strays} bytes (the first in line {line}) that are read as Windows-1252"
    return Encoding("utf-8", marked.bom if marked else 0, why, strays, line)


def _valid(content: Chunks) -> tuple[bool, bool, bool]:
    """Tell: a character beyond ASCII was whole; the last is cut in two; all of it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    whole = False
    try:
        for chunk in content():
            whole = not decoder.decode(chunk).isascii() or whole
    except UnicodeDecodeError:
        return whole, False, False
    return whole, bool(decoder.getstate()[0]), True


def _strays(content: Chunks) -> tuple[int, int, int]:
    """Count whole characters beyond ASCII and stray bytes; give the first stray's line too."""
    decoder = codecs.getincrementaldecoder("utf-8")(_MARK)
    whole = strays = line = 0
    lines = 1
    for chunk in content():
        block = decoder.decode(chunk)
        found = block.count(_MARKED)
        if found and not strays:
            line = lines + block.count("\n", 0, block.index(_MARKED))
        lines += block.count("\n")
        strays += found
        whole += len(block) - found - len(block.encode("ascii", "ignore"))
    return whole, strays, line


def _single_byte(content: Chunks) -> Encoding:
    """Tell Windows-1252 from ISO-8859-15.

    Five bytes mean nothing in the former.  A4 is the generic currency sign there, which no
    dealer writes, and the euro sign in the latter, whose 80-9F are unused controls.
    """
    windows = euro = False
    for chunk in content():
        if len(chunk.translate(None, _UNDEFINED_CP1252)) != len(chunk):
            return Encoding("iso-8859-15", 0, "not UTF-8, and has bytes unknown to Windows-1252")
        windows = windows or len(chunk.translate(None, _ONLY_CP1252)) != len(chunk)
        euro = euro or _EURO_ISO in chunk
    if euro and not windows:
        return Encoding("iso-8859-15", 0, "not UTF-8, and its euro sign is that of ISO-8859-15")
    return Encoding("cp1252", 0, "not UTF-8, so it is taken for Windows-1252")
