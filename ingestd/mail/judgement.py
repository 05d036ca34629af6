"""PURE  What a part of a message is taken for, by its name, its type and its first bytes.

Rules, in their order; neither disposition nor type is believed:
  * A table: its name has the extension of a table or archive, or its type is that of a table.
  * A name like ``lot.txt`` says little: it is a table if it has two columns, or if it was
    attached and is empty (so that somebody hears of it).  Else it is text.
  * Nothing: pictures, sounds, a letter as web page, signatures, cards, calendars, what a mail
    system adds.
  * A table: an archive begins it, or it looks like one (``lot.xls`` that is text; no name at
    all).  Plain text without name that was not attached is the letter.
  * Foreign: an inventory may be in it, but in a format that is not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from ingestd.mail import sniff
from ingestd.mail.walk import Leaf

Claim: TypeAlias = Literal["table", "letter", "foreign", "text", "nothing"]

_TABLES = (".tsv", ".csv", ".tab", ".tdf", ".psv", ".zip", ".gz")
_TABLE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text/tab-separated-values": ".tsv",
        "text/tsv": ".tsv",
        "text/csv": ".csv",
        "text/x-csv": ".csv",
        "text/comma-separated-values": ".csv",
        "application/csv": ".csv",
    }
)
#: Columns of a table in a file named as text, in any other, in a letter (with its signature).
_IN_TEXT, _IN_FILE, _IN_LETTER = 2, 3, 5

_TEXTS = (".txt", ".dat", ".asc", ".text", ".prn")
#: What Exchange cuts off a letter.
_FOOTER = re.compile(r"att\d+\.txt")
_ARMOUR = b"-----BEGIN PGP"

_NOTHING = (
    *(".vcf", ".ics", ".p7s", ".sig", ".css", ".js", ".url", ".lnk", ".ttf", ".woff"),
    *(".gif", ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".svg", ".webp", ".heic", ".tif", ".tiff"),
    *(".ico", ".eps", ".mp3", ".mp4", ".m4a", ".mov", ".wav", ".avi"),
)
_NOTHING_TYPES = (
    "image/",
    "audio/",
    "video/",
    "font/",
    "message/",
    "multipart/",
    "text/calendar",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "text/rfc822-headers",
    "application/ics",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
    "application/pgp-keys",
)

_SPREADSHEET = "a spreadsheet"
_FOREIGN: Mapping[str, str] = MappingProxyType(
    {
        ".xlsx": sniff.WORKBOOK,
        ".xls": sniff.WORKBOOK,
        ".xlsm": sniff.WORKBOOK,
        ".xlsb": sniff.WORKBOOK,
        ".ods": _SPREADSHEET,
        ".numbers": _SPREADSHEET,
        ".doc": "a text document",
        ".docx": "a text document",
        ".odt": "a text document",
        ".rtf": "a text document",
        ".htm": sniff.MARKUP,
        ".html": sniff.MARKUP,
        ".xml": sniff.MARKUP,
        ".mht": sniff.MARKUP,
        ".json": "a JSON document",
        ".pdf": "a PDF document",
        ".rar": "a RAR archive",
        ".7z": "a 7-Zip archive",
        ".p7m": sniff.SEALED,
        "winmail.dat": sniff.TNEF,
        "application/ms-tnef": sniff.TNEF,
        "application/vnd.ms-tnef": sniff.TNEF,
        "application/pkcs7-mime": sniff.SEALED,
        "application/x-pkcs7-mime": sniff.SEALED,
        "application/pdf": "a PDF document",
    }
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A part, what it claims to be, its name, and of what is foreign what it is."""

    leaf: Leaf
    claim: Claim
    name: str
    what: str = ""


def judge(leaf: Leaf) -> Judgement:
    """Judge a part by the rules at the top."""
    name, kind = leaf.entity.name.lower(), leaf.entity.type
    if name.endswith(_TABLES) or kind in _TABLE_TYPES:
        return _judged(leaf, "table", _TABLE_TYPES.get(kind, ""))
    if name.endswith(_TEXTS) and not name.endswith("winmail.dat") and not sniff.foreign(leaf.head):
        return _judged(leaf, _text(leaf))
    page = kind == "text/html" and not name
    if page or name.endswith(_NOTHING) or kind.startswith(_NOTHING_TYPES):
        return _judged(leaf, "nothing")
    return _untold(leaf)


def _judged(leaf: Leaf, claim: Claim, ending: str = "") -> Judgement:
    otherwise = "letter" if claim == "letter" else "attachment"
    return Judgement(leaf, claim, leaf.entity.name or otherwise + ending)


def _text(leaf: Leaf) -> Claim:
    """Judge a file of which the name says that it is text."""
    if _delimiter(leaf, _IN_TEXT) or sniff.archive(leaf.head):
        return "table"
    if _FOOTER.fullmatch(leaf.entity.name.lower()) or leaf.head.lstrip().startswith(_ARMOUR):
        return "nothing"
    return "table" if leaf.entity.attached and sniff.blank(leaf.head) else "text"


def _untold(leaf: Leaf) -> Judgement:
    """Judge a file of which name and type say nothing, or nothing good."""
    told = _foreign(leaf)
    ending = sniff.archive(leaf.head)
    if ending and not told:
        return _judged(leaf, "table", ending)
    plain, name = leaf.entity.type == "text/plain", leaf.entity.name
    letter = plain and not name and not leaf.entity.attached
    what = sniff.foreign(leaf.head)
    delimiter = "" if what else _delimiter(leaf, _IN_LETTER if letter else _IN_FILE)
    if delimiter:
        return _judged(leaf, "letter" if letter else "table", _ending(delimiter))
    if what or told:
        return Judgement(leaf, "foreign", name or "attachment", what or told)
    return _judged(leaf, "text" if plain and name else "nothing")


def _foreign(leaf: Leaf) -> str:
    name = leaf.entity.name.lower()
    promised = (what for ending, what in _FOREIGN.items() if name.endswith(ending))
    return _FOREIGN.get(leaf.entity.type) or next(promised, "")


def _delimiter(leaf: Leaf, columns: int) -> str:
    return sniff.table(leaf.head, whole=leaf.size == len(leaf.head), columns=columns)


def _ending(delimiter: str) -> str:
    return ".tsv" if delimiter == "\t" else ".csv"
