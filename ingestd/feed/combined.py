"""PURE  Year, make and model out of one cell: ``2019 Honda Accord EX-L``, ``Honda Accord EX-L``.

A cell may begin with New, Used or Certified, then a year, then a make of the list.  What follows
the make is the model; where it begins with a model of the list, the rest of it is the trim.  It is
understood only if it has the year and the make where they are wanted of it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ingestd.feed.values import BLANK, UNREADABLE_TEXT, Flaw, text

_MAKES = (
    "Acura|Alfa Romeo|Aston Martin|Audi|Bentley|BMW|Buick|Cadillac|Chevrolet|Chevy|Chrysler|Dodge"
    "|Ferrari|Fiat|Fisker|Ford|Freightliner|Genesis|GMC|Harley-Davidson|Honda|Hummer|Hyundai"
    "|Infiniti|International|Isuzu|Jaguar|Jeep|Karma|Kia|Lamborghini|Land Rover|Lexus|Lincoln"
    "|Lotus|Lucid|Maserati|Mazda|McLaren|Mercedes-Benz|Mercury|MINI|Mitsubishi|Nissan|Oldsmobile"
    "|Plymouth|Polestar|Pontiac|Porsche|RAM|Rivian|Rolls-Royce|Saab|Saturn|Scion|smart|Subaru"
    "|Suzuki|Tesla|Toyota|VinFast|Volkswagen|Volvo|VW|Mercedes|Rolls Royce|Harley Davidson|Datsun"
    "|Geo|Daewoo|Eagle|Maybach|Bugatti|Peugeot|Renault|Citroen|Skoda|SEAT|Cupra|Vauxhall|Opel|MG|BYD"
    "|Ineos|Kawasaki|Yamaha|Polaris|Can-Am|Sea-Doo|Ski-Doo|KTM|Ducati|Triumph|Indian Motorcycle"
    "|Indian|Royal Enfield|Husqvarna|Arctic Cat|CFMOTO|Kymco|Aprilia|Vespa|Piaggio|Moto Guzzi"
    "|Kenworth|Peterbilt|Mack|Western Star|Hino|Forest River|Jayco|Keystone|Winnebago"
    "|Thor Motor Coach|Coachmen|Airstream|Grand Design|Heartland|Newmar|Tiffin"
)
_CELL = re.compile(
    r"(?:(?:New|Used|Certified Pre-Owned|Certified|Pre-Owned) )?(?:(?P<year>(?:19|20)[0-9]{2}) )?"
    rf"(?P<named>(?:(?P<make>{_MAKES}) )?(?P<rest>\S.*))\Z",
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

    year: str | None
    make: str | None
    model: str
    trim: str | None


def split(cell: str, wanted: Collection[str]) -> Named | None:
    """Take a cell apart; ``None``: it lacks a year or a make that is ``wanted`` of it.

    A make that is not wanted is a word of the model.
    """
    plain = text(cell[:200])
    match = _CELL.match(plain) if isinstance(plain, str) else None
    if match is None or any(name in wanted and not match[name] for name in ("year", "make")):
        return None
    rest = match["rest" if "make" in wanted else "named"]
    known = _MODEL.match(rest)
    model, trim = (known["model"], known["trim"]) if known else (rest, None)
    return Named(match["year"], match["make"], model, trim)


def part(cell: str, field: str, wanted: Collection[str]) -> str | Flaw:
    """Give one field of a cell: year, make, model or trim."""
    named = split(cell, wanted)
    if named is None:
        return BLANK if isinstance(text(cell[:200]), Flaw) else UNREADABLE_TEXT
    return getattr(named, field) or BLANK


def combined(cells: Iterable[str], wanted: Collection[str], agreement: float) -> bool:
    """Say whether a column's cells are such: that share of those that are not blank."""
    found = [split(cell, wanted) is not None for cell in cells]
    return bool(found) and sum(found) >= agreement * len(found)
