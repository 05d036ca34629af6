"""PURE  The built-in name that a header means, however it is spelt.

Headers match whole, never in part.  Where a header's letters and digits are no known name, it is
one if they are but for

* what it is inside of: ``build.year``, ``g:price``, ``retailListing.miles``
* British or short spellings of colour: ``ExtClr``
* the thing that all columns speak of, before it: ``car_trim``, ``Unit Color``, ``VehicleMiles``
* a word for words, behind it: ``TransDesc``, ``Drive Type Name``
* a unit behind a mileage, dollars behind a price: ``current_mileage_km``, ``Web Price USD``

``Model #`` is the number of a model, not the model.
"""

import re
import unicodedata

from ingestd.feed import aliases
from ingestd.folding import fold

#: What nested data call the object that a field is in; ``dealer.name`` is no vehicle's.
_INSIDE = frozenset(
    {
        *("advert", "advertdata", "attribute", "attributes", "build", "car", "customfield", "data"),
        *("details", "g", "inventory", "item", "listing", "media", "meta", "offer", "offers"),
        *("product", "retaillisting", "specifications", "specs", "stockitem", "unit", "vehicle"),
        "vehicledata",
    }
)
_THINGS = ("vehicle", "veh", "car", "unit")
_LONGEST = 60
_WORDS = ("description", "desc", "name", "text")
#: Fields whose cells are words; the name of a price or of a photo is something else.
_WORDY = (
    *("make", "model", "trim", "exterior_color", "interior_color", "body_style"),
    *("transmission", "engine", "fuel_type", "drivetrain"),
)
#: Names of a column that may have something else before or behind them.
_ALONE = frozenset({"title", "type", "style", "category", "content", "vehicletype"})
_AFTER_THING = frozenset(
    name for names in aliases.ALIASES.values() for name in names if name != "title"
)
_BEFORE_WORD = frozenset(
    name for field in _WORDY for name in aliases.ALIASES[field] if name not in _ALONE
)
_COLOR = re.compile(r"colour|clr")
_DISTANCE = re.compile(r"(?P<stem>.*?)(?:in)?(?P<unit>km|kilomet(?:er|re)|mi|mile)s?\Z")
_DOLLARS = re.compile(r"(?P<stem>.*?)(?:in)?(?:usd|us|cad|aud|nzd|dollars?)\Z")
_MEASURED = frozenset(aliases.ALIASES["mileage"])
_PRICED = frozenset((*aliases.ALIASES["price"], *aliases.ALIASES["msrp"], *aliases.OTHER_PRICES))


def normalise(header: str) -> str:
    """Reduce a header to what is compared: its letters and digits, without accents, case folded."""
    return fold(unicodedata.normalize("NFKD", header))


def name(header: str) -> str:
    """Give the name in ``aliases`` that a header means; its normal form if it means none."""
    whole = normalise(header)
    if whole in _BEFORE_WORD and header.rstrip(" *:").endswith("#"):
        return whole + "number"
    known = is_name(whole) or len(whole) > _LONGEST
    return whole if known else _meant(header, whole)


def is_name(normal: str) -> bool:
    """Say whether a header in normal form is a name as it stands."""
    return normal in aliases.KNOWN or aliases.NUMBERED_IMAGE.match(normal) is not None


def _meant(header: str, whole: str) -> str:
    outer, mark, inner = header.replace(":", ".").partition(".")
    if mark and normalise(outer) in _INSIDE:
        found = _plain(normalise(inner))
        if found is not None:
            return found
    return _plain(whole) or whole


def _plain(normal: str) -> str | None:
    """Give the name that a normal form is but for its spelling, what stands before and behind."""
    spelt = _COLOR.sub("color", normal)
    if is_name(spelt):
        return spelt
    for thing in _THINGS:
        if spelt.startswith(thing):
            rest = spelt[len(thing) :]
            return rest if rest in _AFTER_THING else _without_more(rest)
    return _without_more(spelt)


def _without_more(normal: str) -> str | None:
    distance, dollars = _DISTANCE.match(normal), _DOLLARS.match(normal)
    if distance is not None and distance["stem"] in _MEASURED:
        return "mileagekm" if distance["unit"].startswith("k") else "mileagemi"
    if dollars is not None and dollars["stem"] in _PRICED:
        return dollars["stem"]
    return _without_word(normal)


def _without_word(normal: str) -> str | None:
    for word in _WORDS:
        stem = normal.removesuffix(word)
        if stem != normal and stem in _BEFORE_WORD:
            return stem
    return None
