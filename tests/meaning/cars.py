"""Invented cars, with VINs whose check digits are right."""

from typing import Any

from ingestd.feed.vin import check_digit
from tests.meaning.nouns import Cell


def vin(number: int) -> str:
    """Make up a VIN with a valid check digit, its model year 2024."""
    body = f"1ZZEA11B0RZ{number:06}"
    return body[:8] + check_digit(body) + body[9:]


def placeholder(number: int) -> str:
    """Make up a provisional VIN: Toyota's, with a letter in its serial number."""
    body = f"2T3ZA11B0RZC{number:05}"
    body = body[:12] + "C" + body[13:]
    return body[:8] + check_digit(body) + body[9:]


def car(number: int, **fields: Any) -> dict[str, Cell]:
    """A row that has all it needs."""
    row: dict[str, Cell] = {
        "vin": vin(number),
        "stock_number": f"S{number}",
        "make": "Kia",
        "model": "Rio",
        "year": 2024,
        "trim": "LX",
        "mileage": 10,
        "price": 20000 + number,
        "status": "In Stock",
    }
    return {**row, **fields}
