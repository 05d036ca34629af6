r"""PURE  The value of a Content-Type or Content-Disposition: a word, and parameters.

Rules:
  * Time is linear in the value, whatever stands in it; its size is capped before (``headers``).
  * A parameter in sections, with percent signs and a charset (RFC 2231) is put together, as far
    as its sections are there; it goes before the plain one of the same name.  Else the first of
    several counts.
  * Encoded words (RFC 2047) inside a parameter are against the standard and everywhere.
  * Raw bytes are UTF-8, else Windows-1252.  What names an unknown charset is read likewise.
  * In quotes only ``\\`` and ``\"`` are escapes: a Windows path keeps its backslashes.
"""

import binascii
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_VALUE = re.compile(rb"\s*+([^\s;]*+)")
_PARAMETER = re.compile(
    rb';\s*+([^\s=;"*]++)(?:\*(\d{1,4}))?(\*)?\s*+='
    rb'\s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*)|([^;]*+))',
    re.DOTALL,
)
_ESCAPE = re.compile(rb'\\([\\"])')
_CHARSET = re.compile(rb"([^']*+)'[^']*+'")
_WORD = re.compile(rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([^?]*+)\?=")
#: To ask Python for a charset that it does not have is a search on disk: only these are asked for.
_CHARSETS = frozenset(
    (
        *("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-7"),
        *("latin1", "latin-1", "koi8-r", "koi8-u", "macintosh", "tis-620"),
        *("gb2312", "gbk", "gb18030", "big5", "big5-hkscs", "euc-kr", "ks_c_5601-1987"),
        *("shift_jis", "shift-jis", "sjis", "euc-jp", "iso-2022-jp", "iso-2022-kr"),
        *("cp437", "cp850", "cp866", "cp932", "cp936", "cp949", "cp950"),
        *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"{maker}125{number}" for maker in ("windows-", "cp") for number in range(9)),
    )
)


@dataclass(frozen=True, slots=True)
class Text:
    """A parameter's bytes and the charset that was told, if any."""

    raw: bytes
    charset: str = ""

    def __str__(self) -> str:
        """Give the text, encoded words decoded."""
        return "".join(_worded(self.raw)) if not self.charset else _text(self.raw, self.charset)


def parse(value: bytes) -> tuple[str, Mapping[str, Text]]:
    """Give the first word, in small letters, and the parameters by name, in small letters."""
    word = _VALUE.match(value)
    assert word is not None  # it matches nothing, too
    plain: dict[str, Text] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for name, number, star, quoted, bare in _PARAMETER.findall(value, word.end()):
        key = name.decode("latin-1").lower()
        raw = _ESCAPE.sub(rb"\1", quoted) if quoted else bare.strip()
        if number or star:
            sections.setdefault(key, {}).setdefault(int(number or 0), (raw, bool(star)))
        else:
            plain.setdefault(key, Text(raw))
    whole = {key: _whole(found) for key, found in sections.items()}
    return word[1].decode("latin-1").lower(), plain | whole


def _whole(sections: Mapping[int, tuple[bytes, bool]]) -> Text:
    """Put the sections of a parameter together; the first that is coded names the charset."""
    out, charset, begun = b"", "", False
    for _, (raw, coded) in sorted(sections.items()):
        told = _CHARSET.match(raw) if coded and not begun else None
        begun = begun or coded
        charset = told[1].decode("latin-1") if told else charset
        text = raw[told.end() :] if told else raw
        out += unquote_to_bytes(text) if coded else text
    return Text(out, charset)


def _worded(raw: bytes) -> Iterator[str]:
    """Decode encoded words; what is white space between two of them is nothing.

    Words of one charset are joined before they are decoded: many programs cut in a character.
    """
    place, held, charset = 0, b"", ""
    for word in _WORD.finditer(raw):
        between, told = raw[place : word.start()], word[1].decode("latin-1").lower()
        if charset and (between.strip() or told != charset):
            yield _text(held, charset)
            held = b""
        if between.strip() or not charset:
            yield _text(between)
        held, charset, place = held + _unworded(word), told, word.end()
    yield _text(held, charset)
    yield _text(raw[place:])


def _unworded(word: re.Match[bytes]) -> bytes:
    if word[2] in b"qQ":
        return binascii.a2b_qp(word[3], header=True)
    letters = word[3].rstrip(b"=")
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return word[0]


def _text(raw: bytes, charset: str = "utf-8") -> str:
    for name in (charset.lower(), "utf-8"):
        if name in _CHARSETS:
            with contextlib.suppress(ValueError):
                return raw.decode(name)
    return raw.decode("cp1252", "replace")
