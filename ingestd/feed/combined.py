"""PURE  Year, make and model out of one cell: ``2019 Honda Accord EX-L``.

A cell is understood only where it begins with New, Used or Certified and a year, or a year
alone, and a make of the list follows.  What follows the make is the model; where it begins with a
model of the list, the rest of it is the trim.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingestd.feed.values import BLANK, UNREADABLE_TEXT, Flaw, text

_MAKES = (
    "Acura|Alfa Romeo|Aston Martin|Audi|Bentley|BMW|Buick|Cadillac|Chevrolet|Chevy|Chrysler|Dodge"
    "|Ferrari|Fiat|Fisker|Ford|Freightliner|Genesis|GMC|Harley-Davidson|Honda|Hummer|Hyundai"
    "|Infiniti|International|Isuzu|Jaguar|Jeep|Karma|Kia|Lamborghini|Land Rover|Lexus|Lincoln"
    "|Lotus|Lucid|Maserati|Mazda|McLaren|Mercedes-Benz|Mercury|MINI|Mitsubishi|Nissan|Oldsmobile"
    "|Plymouth|Polestar|Pontiac|Porsche|RAM|Rivian|Rolls-Royce|Saab|Saturn|Scion|smart|Subaru"
    "|Suzuki|Tesla|Toyota|VinFast|Volkswagen|Volvo"
)
_CELL = re.compile(
    rf"(?:(?:New|Used|Certified|Certified Pre-Owned|Pre-Owned) )?(?P<year>(?:19|20)[0-9]{{2}})"
    rf" (?P<make>{_MAKES}) (?P<rest>\S.*)\Z",
    re.IGNORECASE,
)
#: Models of several words, and the commonest of one; a longer one is tried first.
_MODELS = (
    "3 Series|4Runner|5 Series|7 Series|Acadia|Accord|Altima|Armada|Atlas Cross Sport|Atlas|Bronco"
    " Sport|Bronco|C-Class|Camaro|Camry|Canyon|Challenger|Charger|Cherokee|Civic|Colorado|Compass"
    "|Corolla Cross|Corolla Hatchback|Corolla|Corvette|Crown Victoria|CR-V|CX-30|CX-5|CX-50|CX-9"
    "|CX-90|Durango|E-Class|Edge|Elantra|Encore GX|Encore|Enclave|Envision|Equinox|Escalade ESV"
    "|Escalade|Escape|Expedition Max|Expedition|Explorer|F-150|F-250|F-350|Forester|Forte|Fusion"
    "|Gladiator|GLC|GLE|Grand Caravan|Grand Cherokee L|Grand Cherokee|Grand Highlander|Grand"
    " Wagoneer|Highlander|HR-V|Impreza|Ioniq 5|Ioniq 6|Jetta|K5|Kicks|Kona|Land Cruiser|Maverick"
    "|Model 3|Model S|Model X|Model Y|Murano|Mustang Mach-E|Mustang|Navigator|Odyssey|Optima"
    "|Outback|Outlander|Pacifica|Palisade|Passat|Passport|Pathfinder|Pilot|Prius|Range Rover"
    " Evoque|Range Rover Sport|Range Rover Velar|Range Rover|Ranger|RAV4|Renegade|Ridgeline|Rogue"
    " Sport|Rogue|Santa Cruz|Santa Fe|Seltos|Sentra|Sequoia|Sienna|Sierra 1500|Sierra 2500HD"
    "|Sierra 3500HD|Silverado 1500|Silverado 2500HD|Silverado 3500HD|Sonata|Sorento|Soul|Sportage"
    "|Suburban|Tacoma|Tahoe|Taos|Telluride|Terrain|Tiguan|Titan|Town & Country|Transit Connect"
    "|Traverse|Trax|Tucson|Tundra|Versa|Voyager|Wrangler|X1|X3|X5|Yukon XL|Yukon"
)
_LONGEST_FIRST = "|".join(sorted(_MODELS.split("|"), key=len, reverse=True))
_MODEL = re.compile(rf"(?P<model>{_LONGEST_FIRST})(?: (?P<trim>.+))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """What one cell says of a car."""

    year: str
    make: str
    model: str
    trim: str | None


def split(cell: str) -> Named | None:
    """Take a cell apart; ``None``: it is no year, make and model."""
    plain = text(cell[:200])
    match = _CELL.match(plain) if isinstance(plain, str) else None
    if match is None:
        return None
    known = _MODEL.match(match["rest"])
    model, trim = (known["model"], known["trim"]) if known else (match["rest"], None)
    return Named(match["year"], match["make"], model, trim)


def part(cell: str, field: str) -> str | Flaw:
    """Give one field of a cell: year, make, model or trim."""
    named = split(cell)
    if named is None:
        return BLANK if isinstance(text(cell[:200]), Flaw) else UNREADABLE_TEXT
    return getattr(named, field) or BLANK


def combined(cells: Iterable[str], agreement: float) -> bool:
    """Say whether a column's cells are such: that share of those that are not blank."""
    found = [split(cell) is not None for cell in cells]
    return bool(found) and sum(found) >= agreement * len(found)
