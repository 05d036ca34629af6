"""PURE  What the structured header fields of a mail have in common (RFC 5322 §3.2).

Rules:
  * Time is linear in the value: no pattern here can go back over what it has taken.
  * Text is UTF-8; a byte that is none becomes a lone surrogate, which no address matches.
  * Small letters are made of A to Z alone: a letter that merely folds to an ASCII one (the
    Kelvin sign, the long s) must not become it in a name that proves something.
"""

import re
import string
import unicodedata

#: Characters of a sender's value in a sentence for people.
LONGEST = 100

_PLAIN = re.compile(r'(?:[^"()\\]|"(?:[^"\\]|\\.)*+")++', re.DOTALL)
_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def text(raw: bytes) -> str:
    """Give the text of a raw value; it can be told where it is not UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def small(value: str) -> str:
    """Give a name with its ASCII letters made small, and only these."""
    return value.translate(_SMALL)


def uncommented(value: str) -> str | None:
    """Put a blank in place of each comment; ``None``: a comment or quoted string has no end.

    Comments may hold comments.  Quoted strings stay as they are.  A backslash outside of both,
    or a bracket that closes nothing, is an error too.
    """
    out: list[str] = []
    place = 0
    while place < len(value):
        if value[place] == "(":
            end = _past_comment(value, place)
            out.append(" ")
        else:
            plain = _PLAIN.match(value, place)
            end = plain.end() if plain else None
            out.append(plain[0] if plain else "")
        if end is None:
            return None
        place = end
    return "".join(out)


def _past_comment(value: str, start: int) -> int | None:
    depth = 0
    for mark in _COMMENT.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return None


def unquoted(value: str) -> str:
    """Give the content of a quoted string; what is none stays as it is."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return _ESCAPE.sub(r"\1", value[1:-1])
    return value


def shown(value: str, longest: int = LONGEST) -> str:
    """Give a sender's value for people: one line, nothing invisible, at most ``longest`` long."""
    words = " ".join(value[: 4 * longest].split())
    seen = "".join(sign for sign in words if unicodedata.category(sign)[0] != "C")
    clean = unicodedata.normalize("NFC", seen)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
