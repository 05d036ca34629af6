"""An invented feed of about 1.5 KB a row, as a dealer writes it and as COPY takes it."""

import json
import random

TYPES = {
    "year": "integer",
    "mileage": "integer",
    "price": "numeric(12,2)",
    "msrp": "numeric(12,2)",
    "features": "jsonb",
    "images": "jsonb",
}
COLUMNS = (
    "vin",
    "stock_number",
    "make",
    "model",
    "year",
    "trim",
    "exterior_color",
    "interior_color",
    "mileage",
    "price",
    "msrp",
    "body_style",
    "transmission",
    "engine",
    "fuel_type",
    "drivetrain",
    "features",
    "description",
    "images",
    "url",
)
HEADER = (
    "VIN\tStock\tMake\tModel\tYear\tTrim\tColor\tInteriorColor\tMileage\tPrice\tMSRP\tBody"
    "\tTransmission\tEngine\tFuel\tDriveType\tFeatures\tDescription\tImages\tURL"
)
FEATURES = [f"Feature number {number} in words" for number in range(20)]
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = dict(
    zip(
        "0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
        [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)],
        strict=True,
    )
)


def vin(number: int) -> str:
    bare = f"1ZZEA11B0P0{number:06d}"
    digit = sum(_VALUES[sign] * weight for sign, weight in zip(bare, _WEIGHTS, strict=True)) % 11
    return bare[:8] + "0123456789X"[digit] + bare[9:]


def rows(count: int, changed: float, seed: int) -> list[dict[str, object]]:
    """Give the lot; ``changed`` is the share of vehicles with another price than at first."""
    chance = random.Random(seed)  # noqa: S311  a repeatable lot, not a secret
    others = set(chance.sample(range(count), int(count * changed)))
    return [_row(number, 777 * seed if number in others else 0) for number in range(count)]


def _row(number: int, more: int) -> dict[str, object]:
    price = 10_000 + number % 50_000 + more
    return {
        "vin": vin(number),
        "stock_number": f"S{number}",
        "make": "Zeta",
        "model": "Eagle",
        "year": 2023,
        "trim": "LX",
        "exterior_color": "Red",
        "interior_color": "Black",
        "mileage": number % 100_000,
        "price": price,
        "msrp": price + 2_000,
        "body_style": "Sedan",
        "transmission": "Automatic",
        "engine": "2.5L I4",
        "fuel_type": "Gasoline",
        "drivetrain": "FWD",
        "features": FEATURES,
        "description": f"A fine car “{number}” with many words that go on and on. " * 5,
        "images": [f"https://img.zeta.example/{number}/{image}.jpg" for image in range(15)],
        "url": f"https://zeta.example/{number}",
    }


def tsv(count: int, changed: float, seed: int) -> bytes:
    """Give the file as a dealer writes it: dollars, lists with commas."""
    lines = [HEADER]
    for row in rows(count, changed, seed):
        shown = {**row, "price": f"${row['price']:,}.00", "msrp": f"${row['msrp']:,}.00"}
        lines.append("\t".join(_shown(shown[column]) for column in COLUMNS))
    return ("\n".join(lines) + "\n").encode()


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value).strip()


def plain(count: int, changed: float, seed: int) -> bytes:
    """Give the same as COPY takes it, all work done beforehand."""
    lines = [
        "\t".join(_copied(row[column]) for column in COLUMNS) for row in rows(count, changed, seed)
    ]
    return ("\n".join(lines) + "\n").encode()


def _copied(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value).strip()
