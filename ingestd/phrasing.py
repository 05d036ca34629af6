"""PURE  Numbers and times in the words and forms that all sentences and all JSON share."""

from datetime import datetime


def counted(number: int, noun: str) -> str:
    """Give ``1 warning``, ``2 warnings``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def iso(at: datetime | None) -> str | None:
    """Give a time (UTC) as JSON has it, ``2026-11-23T06:00:00Z``."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
