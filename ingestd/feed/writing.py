"""PURE  A field's value as COPY text, in the type and unit of its column."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ingestd.feed.copytext import as_array, as_json, escape, unescape
from ingestd.feed.values import Flaw
from ingestd.vehicle import Column, Target

Write: TypeAlias = Callable[[Any], str | Flaw]

DOES_NOT_FIT = Flaw("does_not_fit")
_MOST_INTEGER = 2**31 - 1
_MOST_CENTS = 10**12  # numeric(12,2)
_COMMON = 10**8


def writer(target: Target, column: Column) -> Write:
    """Give what writes a field's value for its column, or says that it does not fit."""
    if column.field in ("price", "msrp"):
        return _money_writer(target, column)
    if column.field in ("year", "mileage", "doors"):
        return _number_writer(column)
    if column.field in ("features", "images"):
        return _list_writer(column)
    return _text_writer(target, column)


def _number_writer(column: Column) -> Write:
    most = _MOST_INTEGER if column.most is None else column.most // 100
    return lambda value: str(value) if value <= most else DOES_NOT_FIT


def _list_writer(column: Column) -> Write:
    """Write a list as a JSON text or an array.  A length is that of the text, or of each item."""
    longest = column.max_length
    if column.type == "text[]":
        if longest is None:
            return as_array
        return lambda items: (
            DOES_NOT_FIT if max(map(len, items), default=0) > longest else as_array(items)
        )
    if longest is None:
        return as_json

    def write(items: Sequence[str]) -> str | Flaw:
        text = as_json(items)
        return text if len(unescape(text) or "") <= longest else DOES_NOT_FIT

    return write


def _money_writer(target: Target, column: Column) -> Write:
    """Write cents in the target's unit; whole dollars are rounded half up."""
    cents_wanted = target.money == "cents"
    whole = writes_whole(target, column)
    most = _MOST_INTEGER * 100 if column.type == "integer" else _MOST_CENTS * 100
    most = most if column.most is None else column.most

    def write(cents: int) -> str | Flaw:
        amount = cents if cents_wanted else (cents + 50) // 100
        if (amount * 100 if whole else cents) > most or cents >= _MOST_CENTS:
            return DOES_NOT_FIT
        return str(amount) if whole else f"{cents // 100}.{cents % 100:02}"

    return write


def writes_whole(target: Target, column: Column) -> bool:
    """Say whether money is written as a whole number, of dollars or of cents."""
    return target.money != "dollars" or column.type == "integer"


def fits_common(column: Column) -> bool:
    """Say whether every number that ``quick`` reads fits: less than a million."""
    return column.most is None or column.most >= _COMMON


def _text_writer(target: Target, column: Column) -> Write:
    longest = column.max_length
    words = {
        "active": target.status_active,
        "pending": target.status_pending,
        "sold": target.status_sold,
    }

    def write(value: str) -> str | Flaw:
        if longest is not None and len(value) > longest:
            return DOES_NOT_FIT
        return escape(value)

    return (lambda value: write(words[value])) if column.field == "status" else write
