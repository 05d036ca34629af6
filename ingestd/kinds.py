"""PURE  The kinds of values in config.toml: durations, sizes, names, addresses, patterns.

Each is what a person writes there, or a ``ValueError`` that says how it is written.
"""

import re
from fnmatch import translate
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
#: A dot-atom at a domain (RFC 5321 section 4.1.2), but for "=?": that begins an encoded word.
_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\Z",
    re.ASCII,
)


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())
        if match is None:
            msg = f'{value!r} is not a duration; write it as "500ms", "5s", "9m", "24h" or "7d"'
            raise ValueError(msg)
        return float(match[1]) * _UNITS[match[2]]
    return value


def _bytes(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB)", value.strip())
        if match is None:
            msg = f'{value!r} is not a size; write it as "512KiB", "25MiB" or "1GiB"'
            raise ValueError(msg)
        return int(match[1]) * _SIZES[match[2]]
    return value


def _name(value: str) -> str:
    if _NAME.match(value) is None:
        msg = f"{value!r} is no name: letters, digits, dot, dash and underscore, at most 64"
        raise ValueError(msg)
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004  the port range
        msg = f'{value!r} is not HOST:PORT, such as "127.0.0.1:9716"'
        raise ValueError(msg)
    return value


def _address(value: str) -> str:
    if _ADDRESS.match(value) is None:
        msg = f"{value!r} is no address: write it as name@example.com, in ASCII, without a name"
        raise ValueError(msg)
    return value


#: What a price of 19,995.50 is stored as.
MONEY_UNITS = '"dollars" (19995.50), "whole_dollars" (19996) or "cents" (1999550)'


def _money(value: object) -> object:
    if value not in ("dollars", "whole_dollars", "cents"):
        msg = f"must say what a price of 19,995.50 is stored as: {MONEY_UNITS}"
        raise ValueError(msg)
    return value


def _table(value: str) -> str:
    schema, dot, name = value.partition(".")
    if not (schema and dot and name) or "." in name:
        msg = f'{value!r} is not SCHEMA.TABLE, such as "public.vehicles"'
        raise ValueError(msg)
    return value


def _patterns(value: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in value:
        re.compile(translate(pattern))
    return value


Duration: TypeAlias = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
Size: TypeAlias = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Address: TypeAlias = Annotated[str, AfterValidator(_address)]
Patterns: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_patterns)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
Table: TypeAlias = Annotated[str, AfterValidator(_table)]
Money: TypeAlias = Annotated[
    Literal["dollars", "whole_dollars", "cents"] | None, BeforeValidator(_money)
]
