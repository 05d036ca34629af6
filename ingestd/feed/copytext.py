r"""PURE  PostgreSQL's COPY text format: one row a line, tabs between, ``\N`` for NULL.

What is written here has no NUL, surrogate or control character (see ``values``), so that four
escapes are all there are.
"""

import json
from collections.abc import Iterable
from typing import Final

NULL: Final = "\\N"

_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def escape(text: str) -> str:
    """Write a text as a COPY field."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def unescape(field: str) -> str | None:
    """Read a COPY field back."""
    if field == NULL:
        return None
    if "\\" not in field:
        return field
    first, *rest = field.split("\\")
    text, waiting = [first], False
    for part in rest:
        if waiting:  # the empty part between two backslashes was the first of an escaped pair
            text.append(part)
            waiting = False
        elif part:
            text.append(_UNESCAPED[part[0]] + part[1:])
        else:
            text.append("\\")
            waiting = True
    return "".join(text)


def as_json(value: object) -> str:
    """Write a JSON document as a COPY field."""
    return escape(_to_json(value))


def as_array(items: Iterable[str]) -> str:
    """Write a ``text[]`` as a COPY field."""
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return escape("{" + ",".join(f'"{item}"' for item in quoted) + "}")


def fields(line: str) -> tuple[str | None, ...]:
    """Read the fields of a line back."""
    return tuple(map(unescape, line.rstrip("\n").split("\t")))
