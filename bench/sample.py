"""WIRE  Print the sample feed: the lot of Prairie Crossing Motors, Fallow Bend, all invented.

    python bench/sample.py > ingestd/sample/prairie-crossing.tsv

The dialect is that of a dealer feed as exporters write it: 23 columns, CRLF, no line break at
the end, prices with and without cents, a fifth of them empty, placeholder pictures, scraper
junk for a trim, model names in mangled case.  The same seed gives the same bytes.  The VINs
are made up: a maker's prefix, random letters and digits, a check digit that fits.
Two rows are bad on purpose, so that the first receipt shows what a rejection looks like.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

HEADER = (
    *("Condition", "Year", "Make", "Model", "VIN", "Advertiser Name", "Color", "Description"),
    *("Doors", "Drivetrain", "Formatted Price", "Fuel Type", "Image Type", "Image URL"),
    *("Mileage", "Price", "Title", "Transmission", "Trim", "Type", "URL", "Vehicle Type"),
    "stock_number",
)
ROWS = 200
SEED = 20_261_123
DEALER = "Prairie Crossing Motors"
SITE = "https://www.prairiecrossing.example"
PLACEHOLDER = "https://images.prairiecrossing.example/coming-soon.jpg"
JUNK_TRIM = "value matchLevel none matchedWords"

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_SAFE = _LETTERS + "123456789"
_YEAR_CODES = dict(zip(range(2014, 2028), "EFGHJKLMNPRSTV", strict=True))
_CHECK = "0123456789X"
_VALUES = dict(zip(_LETTERS, (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True)
class Line:
    """A model as dealers sell it: the prefix of its VINs, its looks, what it cost when new."""

    make: str
    model: str
    prefix: str
    type: str
    drivetrains: tuple[str, ...]
    trims: tuple[str, ...]
    price: int
    fuel: str = "Gasoline"
    doors: int = 4


_SUV, _FRONT = ("AWD", "AWD", "FWD"), ("FWD",)
_KIA = (
    Line("Kia", "Sorento", "5XY", "SUV", _SUV, ("LX", "S", "EX", "SX Prestige"), 39_000),
    Line("Kia", "Sportage", "KND", "SUV", _SUV, ("LX", "EX", "X-Line", "SX Prestige"), 33_000),
    Line("Kia", "Telluride", "5XY", "SUV", _SUV, ("LX", "S", "EX", "SX X-Pro"), 48_000),
    Line("Kia", "Niro Ev", "KND", "SUV", _FRONT, ("Wind", "Wave"), 42_000, "Electric"),
    Line(
        "Kia", "Ev6", "KND", "SUV", ("AWD", "RWD"), ("Light", "Wind", "GT-Line"), 49_000, "Electric"
    ),
    Line("Kia", "K5", "5XX", "Sedan", _SUV, ("LXS", "GT-Line", "EX"), 29_000),
    Line("Kia", "Sportage Hybrid", "KND", "SUV", _SUV, ("LX", "EX"), 36_000, "Hybrid"),
)
_OTHERS = (
    Line(
        "Ford",
        "F-150",
        "1FT",
        "Truck",
        ("4X4", "4X4", "RWD"),
        ("XL", "XLT", "Lariat"),
        56_000,
        "Flex",
    ),
    Line("Ford", "Escape", "1FM", "SUV", _SUV, ("S", "SE", "Titanium"), 32_000),
    Line("Ford", "Mustang", "1FA", "Coupe", ("RWD",), ("EcoBoost", "GT Premium"), 42_000, doors=2),
    Line("Toyota", "Camry", "4T1", "Sedan", _FRONT, ("LE", "SE", "XLE"), 29_000),
    Line("Toyota", "Highlander", "5TD", "SUV", _SUV, ("LE", "XLE", "Limited"), 43_000),
    Line(
        "Toyota", "Prius", "JTD", "Hatchback", _FRONT, ("L Eco", "LE", "XLE"), 30_000, "Hybrid", 5
    ),
    Line("Honda", "Civic", "2HG", "Sedan", _FRONT, ("LX", "Sport", "EX-L"), 26_000),
    Line("Honda", "CR-V", "7FA", "SUV", _SUV, ("LX", "EX", "Touring"), 34_000),
    Line("Hyundai", "Tucson", "KM8", "SUV", _SUV, ("SE", "SEL", "Limited"), 32_000),
    Line("Hyundai", "Elantra", "KMH", "Sedan", _FRONT, ("SE", "SEL", "N Line"), 23_000),
    Line(
        "Chevrolet",
        "Silverado 1500",
        "1GC",
        "Truck",
        ("4X4", "RWD"),
        ("WT", "LT", "RST"),
        52_000,
        "Flex",
    ),
    Line("Chevrolet", "Equinox", "3GN", "SUV", _SUV, ("LS", "LT", "Premier"), 30_000),
    Line("Nissan", "Titan Xd", "1N6", "Truck", ("4X4",), ("S", "SV", "PRO-4X"), 53_000),
    Line("Nissan", "Rogue", "5N1", "SUV", _SUV, ("S", "SV", "SL"), 31_000),
    Line(
        "Jeep", "Wrangler", "1C4", "SUV", ("4X4",), ("Sport", "Sahara", "Rubicon"), 46_000, doors=2
    ),
    Line("Jeep", "Grand Cherokee", "1C4", "SUV", ("4X4", "RWD"), ("Laredo", "Limited"), 48_000),
    Line("Ram", "1500", "1C6", "Truck", ("4X4", "RWD"), ("Tradesman", "Big Horn"), 54_000),
    Line("Infiniti", "Qx60", "5N1", "SUV", _SUV, ("Pure", "Luxe"), 52_000),
    Line("Lexus", "Rx", "2T2", "SUV", _SUV, ("350", "350 F Sport"), 55_000),
    Line("Subaru", "Outback", "4S4", "SUV", ("AWD",), ("Base", "Premium", "Limited"), 33_000),
    Line("Mazda", "Mazda3", "3MZ", "Hatchback", _SUV, ("Select", "Preferred"), 27_000, doors=5),
    Line("Dodge", "Challenger", "2C3", "Coupe", ("RWD",), ("SXT", "R/T"), 41_000, doors=2),
)
_COLORS = (
    *("Black", "White", "Snow White Pearl", "Silver", "Gray", "Gravity Gray", "Blue", "Red"),
    *("Ebony Black", "Steel Gray", "Sapphire Blue", "Green", "Glacial White Pearl"),
)
_EXTRAS = (
    *("Heated seats", "Remote start", "Backup camera", "Navigation", "Sunroof", "Tow package"),
    *("Blind spot monitor", "Leather", "Third row", "Wireless charging", "New tires", "One owner"),
)

#: How many rows of the lot lack a value or carry an oddity.
_FLAWS = (
    ("price", 40),
    ("transmission", 20),
    ("cvt", 9),
    ("placeholder", 35),
    ("trim", 8),
    ("Color", 3),
    ("Doors", 1),
    ("Fuel Type", 1),
    ("Mileage", 1),
    ("Vehicle Type", 1),
)
_NEW = 50


def feed() -> bytes:
    """Give the whole file."""
    dice = random.Random(SEED)  # noqa: S311  the same bytes every time is the point
    rows = [_vehicle(dice, number) for number in range(ROWS)]
    dice.shuffle(rows)
    for flaw, row in _spread(dice, rows):
        _spoil(row, flaw)
    rows[88].update({"VIN": "TBD", "stock_number": ""})  # nothing to know it by
    rows[151].update({"Model": ""})  # nothing to call it
    lines = ["\t".join(HEADER), *("\t".join(row[name] for name in HEADER) for row in rows)]
    return "\r\n".join(lines).encode("ascii")


def vin(dice: random.Random, prefix: str, year: int) -> str:
    """Make up a VIN: position 7 a letter (cars of 2010 and later), a check digit that fits."""
    described = "".join(dice.choices(_SAFE, k=3)) + dice.choice(_LETTERS) + dice.choice(_SAFE)
    tail = _YEAR_CODES[year] + dice.choice(_LETTERS) + str(dice.randrange(101_000, 989_999))
    blank = f"{prefix}{described}0{tail}"
    values = (_VALUES.get(c) or int(c) for c in blank)
    rest = sum(value * weight for value, weight in zip(values, _WEIGHTS, strict=True)) % 11
    return f"{prefix}{described}{_CHECK[rest]}{tail}"


def _vehicle(dice: random.Random, number: int) -> dict[str, str]:
    new = number < _NEW
    line = dice.choice(_KIA if new else _OTHERS + _KIA[:3])
    year = dice.choice((2026, 2026, 2027)) if new else dice.randrange(2014, 2026)
    age, trim = 2026 - year, dice.choice(line.trims)
    worth = line.price * (0.86 ** max(age, 0)) * dice.uniform(0.94, 1.12)
    price = round(worth) // 100 * 100 + dice.choice((0, 77, 88, 95, 99))
    title = f"{year} {line.make} {line.model}"
    slug = f"{title} {trim}".lower().replace(" ", "-").replace("/", "-")
    made, stock = vin(dice, line.prefix, year), _stock(dice, number, line.make if new else "")
    condition = "New" if new else "Used"
    return {
        "Condition": condition,
        "Year": str(year),
        "Make": line.make,
        "Model": line.model,
        "VIN": made,
        "Advertiser Name": DEALER,
        "Color": dice.choice(_COLORS),
        "Description": ". ".join(dice.sample(_EXTRAS, k=dice.randrange(1, 4))),
        "Doors": str(line.doors),
        "Drivetrain": dice.choice(line.drivetrains),
        "Formatted Price": f"${price:,}",
        "Fuel Type": line.fuel,
        "Image Type": "Photo",
        "Image URL": f"https://images.prairiecrossing.example/{stock.lower()}-1.jpg",
        "Mileage": str(
            dice.randrange(4, 60) if new else age * 11_000 + dice.randrange(1_000, 19_000)
        ),
        "Price": f"${price:,}.00",
        "Title": title,
        "Transmission": dice.choice(("Automatic",) * 15 + ("Manual",)),
        "Trim": trim,
        "Type": line.type,
        "URL": f"{SITE}/{condition.lower()}/{slug}-{made[-6:]}.html",
        "Vehicle Type": "Car_Truck",
        "stock_number": stock,
    }


def _stock(dice: random.Random, number: int, make: str) -> str:
    """Make up a stock number as lots use them; ``number`` keeps them apart."""
    if make:
        return f"{make[0]}{dice.choice('TNV')}{5_500 + number * 7}"
    own = 25_000 + number * 13
    return dice.choice((f"{own}", f"{own}A", f"DT{own}", f"WV{own}", f"{own}B"))


def _spread(
    dice: random.Random, rows: list[dict[str, str]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Pair each flaw with the rows that get it; prices are missing on used cars only."""
    used = [row for row in rows if row["Condition"] == "Used"]
    for flaw, times in _FLAWS:
        for row in dice.sample(used if flaw == "price" else rows, k=times):
            yield flaw, row


def _spoil(row: dict[str, str], flaw: str) -> None:
    if flaw == "price":
        row.update({"Price": "", "Formatted Price": ""})
    elif flaw == "transmission":
        row["Transmission"] = ""
    elif flaw == "cvt":
        row["Transmission"] = "CVT CVT"
    elif flaw == "placeholder":
        row.update({"Image URL": PLACEHOLDER, "Image Type": "Placeholder"})
    elif flaw == "trim":
        row.update({"Trim": JUNK_TRIM, "Title": f"{row['Title']} {JUNK_TRIM}"})
    else:
        row[flaw] = ""


if __name__ == "__main__":
    sys.stdout.buffer.write(feed())
