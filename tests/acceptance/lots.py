"""Invented inventories, as bytes."""

WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VALUES = {
    **{str(d): d for d in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
HEADER = "VIN\tStock\tMake\tModel\tYear\tTrim\tColor\tMileage\tPrice\tBody\tFuel\tDriveType"


def vin(number: int, year_code: str = "P") -> str:
    """Give an invented VIN with a valid check digit (49 CFR 565.15)."""
    bare = f"1ZZEA11B0{year_code}Z{number:06d}"
    total = sum(VALUES[c] * w for c, w in zip(bare, WEIGHTS, strict=True))
    digit = "0123456789X"[total % 11]
    return bare[:8] + digit + bare[9:]


def row(number: int, price: int | str = 0) -> str:
    """Give one vehicle's line."""
    asked = price or f"${20_000 + number}.00"
    return (
        f"{vin(number)}\tZ{number:05d}\tZeta\tEagle\t2023\tSE\tBlue\t{1000 + number}\t{asked}"
        "\tSedan\tGasoline\tFWD"
    )


def lot(count: int, *, first: int = 1, changed: dict[int, int] | None = None) -> bytes:
    """Give a file of ``count`` vehicles, some of them with another price."""
    prices = changed or {}
    rows = [row(n, prices.get(n, 0)) for n in range(first, first + count)]
    return ("\n".join([HEADER, *rows]) + "\n").encode()
