"""PURE  What the first bytes of a file look like: a table, an archive, or something known by name.

Rules:
  * A table is text in which lines have the same number of the same delimiter: two lines with
    tabs, anywhere; of other delimiters, which occur in prose, three lines and half of all.
  * Text is what has at most 1 control character in 100.  UTF-16 is told by its mark, or by the
    NULs at every other byte.
  * Markup, cards, calendars and armour are no tables, whatever stands in them.
"""

import codecs
import re
from collections import Counter

_ARCHIVES = ((b"PK\x03\x04", ".zip"), (b"PK\x05\x06", ".zip"), (b"\x1f\x8b", ".gz"))

WORKBOOK = "an Excel workbook"
MARKUP = "a web page or XML document"
TNEF = "winmail.dat, Outlook's own wrapping of attachments"
SEALED = "an encrypted message, or one that is signed as a whole"

#: Beginnings of what people send instead of a table.
_FOREIGN = (
    (b"\x78\x9f\x3e\x22", TNEF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another Office document"),
    (b"%PDF-", "a PDF document"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a Windows program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"-----BEGIN PGP MESSAGE", SEALED),
    (b"{\\rtf", "a rich text document"),
)
_TAGS = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<?xml", b"<script", b"<meta")
_NO_TABLES = ("<", "BEGIN:V", "-----BEGIN ", "{\\rtf", "%PDF-")

_LINES = 100
#: The lines that are to have a delimiter equally often: at least how many, and what share of all.
_DELIMITERS = (("\t", 2, 0.0), (";", 3, 0.5), ("|", 3, 0.5), (",", 3, 0.5))
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x19\x1b-\x1f\x7f]")
_LINE_END = re.compile(r"\r\n|\r|\n")


def archive(head: bytes) -> str:
    """Give the extension of the archive that begins thus; empty if it is none."""
    return next((ending for start, ending in _ARCHIVES if head.startswith(start)), "")


def foreign(head: bytes) -> str:
    """Say what begins thus, if it is something known that is no table."""
    if head[:256].removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_TAGS):
        return MARKUP
    return next((what for start, what in _FOREIGN if head.startswith(start)), "")


def blank(head: bytes) -> bool:
    """Say whether there is nothing but white space."""
    return not _text(head).strip()


def table(head: bytes, *, whole: bool, columns: int) -> str:
    """Give the delimiter of a table of at least so many columns; empty if it looks like none.

    ``whole`` says that the bytes are not only the beginning: then the last line counts, too.
    """
    text = _text(head)
    if text.lstrip().startswith(_NO_TABLES) or len(_CONTROLS.findall(text)) * 100 > len(text):
        return ""
    lines = _LINE_END.split(text)
    lines = [line for line in (lines if whole else lines[:-1]) if line.strip()][:_LINES]
    for delimiter, least, share in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in lines)
        # Lines that are only indented have no first cell anywhere.
        begun = {line.count(delimiter) for line in lines if not line.startswith(delimiter)}
        times = max((counts[count] for count in begun if count + 1 >= columns), default=0)
        if times >= max(least, share * len(lines)):
            return delimiter
    return ""


def _text(head: bytes) -> str:
    """Decode far enough to see lines, delimiters and control characters."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        side = head[name.endswith("le") :: 2]
        if head.startswith(mark) or 0 < len(side) * 7 <= side.count(0) * 10 < len(head) * 6:
            return head.decode(name, "ignore").removeprefix("\ufeff")
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
