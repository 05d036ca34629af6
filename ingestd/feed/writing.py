"""PURE  A field's value as COPY text, in the type and unit of its column."""

from collections.abc import Callable
from typing import Any, TypeAlias

from ingestd.feed.copytext import as_array, as_json, escape
from ingestd.feed.values import Flaw
from ingestd.model import Column, Target

Write: TypeAlias = Callable[[Any], str | Flaw]

DOES_NOT_FIT = Flaw("does_not_fit")
_MOST_INTEGER = 2**31 - 1
_MOST_CENTS = 10**12  # numeric(12,2)


def writer(target: Target, column: Column) -> Write:
    """Give what writes a field's value for its column, or says that it does not fit."""
    if column.field in ("price", "msrp"):
        return _money_writer(target, column)
    if column.field in ("year", "mileage", "doors"):
        return lambda value: str(value) if value <= _MOST_INTEGER else DOES_NOT_FIT
    if column.field in ("features", "images"):
        return as_array if column.type == "text[]" else as_json
    return _text_writer(target, column)


def _money_writer(target: Target, column: Column) -> Write:
    """Write cents in the target's unit; whole dollars are rounded half up."""
    cents_wanted = target.money == "cents"
    whole = writes_whole(target, column)
    most = _MOST_INTEGER if column.type == "integer" else _MOST_CENTS

    def write(cents: int) -> str | Flaw:
        amount = cents if cents_wanted else (cents + 50) // 100
        if amount > most or cents >= _MOST_CENTS:
            return DOES_NOT_FIT
        return str(amount) if whole else f"{cents // 100}.{cents % 100:02}"

    return write


def writes_whole(target: Target, column: Column) -> bool:
    """Say whether money is written as a whole number, of dollars or of cents."""
    return target.money != "dollars" or column.type == "integer"


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
