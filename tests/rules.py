"""What each form of a cell must become, written down without any of the reader's code.

``FORMS`` has for each field a strategy of (cell, value): the value as it must be stored, ``BLANK``
where there must be none and nothing to say, ``WARNED`` where there must be none and a warning.
"""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import strategies as st

BLANK, WARNED = "<blank>", "<warned>"
LAST_YEAR = 2028  # the files of these tests come in 2026

BLANKS = st.sampled_from(["", " ", "-", "N/A", "n/a", "#N/A", "null", "--", "—"])
NONSENSE = st.sampled_from(
    ["12,3x5", "1e5", "12K", "-5", "1,23", "x1", "2O22", "12.3.4", "\uff11\uff12"]
)


def _both(*strategies):
    return st.one_of(*strategies, BLANKS.map(lambda cell: (cell, BLANK)))


@st.composite
def _money(draw):
    whole = draw(st.integers(500, 400_000))
    part = draw(st.integers(0, 999))
    value = Decimal(whole) + Decimal(part) / 1000
    cents = Decimal(whole) + Decimal(part // 10) / 100
    form, amount = draw(
        st.sampled_from(
            [
                (f"{whole}", Decimal(whole)),
                (f"${whole:,}", Decimal(whole)),
                (f"${whole:,}.{part // 10:02}", cents),
                (f"$ {whole}.{part // 10:02}", cents),
                (f"{whole}.{part // 10:02} USD", cents),
                (f"{whole:,}.{part // 10:02} CAD", cents),
                (f"  {whole:,}  ", Decimal(whole)),
                (f"{whole}.{part:03}0", value),
            ]
        )
    )
    return form, str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


MONEY = _both(
    _money(),
    st.integers(1, 499).map(lambda n: (f"${n}", WARNED)),
    st.sampled_from([("0", BLANK), ("$0.00", BLANK), ("Call", BLANK), ("Contact us", BLANK)]),
    NONSENSE.map(lambda cell: (cell, WARNED)),
)


@st.composite
def _distance(draw):
    reading = draw(st.integers(0, 400_000))
    miles = int((Decimal(reading) / Decimal("1.609344")).quantize(Decimal(1), ROUND_HALF_UP))
    forms = [(f"{reading}", reading), (f"{reading:,}", reading), (f"{reading:,} miles", reading)]
    forms += [(f"{reading} mi", reading), (f"{reading}.0", reading), (f"{reading:,} km", miles)]
    return draw(st.sampled_from(forms))


MILEAGE = _both(_distance(), NONSENSE.map(lambda cell: (cell, WARNED)))


@st.composite
def _year(draw):
    year = draw(st.integers(1929, LAST_YEAR))
    forms = [(f"{year}", year), (f" {year} ", year), (f"{year}.0", year), (f"{year:,}", year)]
    forms += [(f"{year}-05-01", year), (f"05/01/{year}", year)]
    forms += [(f"{year % 100:02}", _latest(year % 100)), (f"'{year % 100:02}", _latest(year % 100))]
    return draw(st.sampled_from(forms))


def _latest(two: int) -> int:
    return max(year for year in range(1900, LAST_YEAR + 1) if year % 100 == two)


# A blank year is warned of, for a vehicle must have one.
YEAR = st.one_of(
    _year(),
    BLANKS.map(lambda cell: (cell, WARNED)),
    NONSENSE.filter(lambda cell: cell != "\uff11\uff12").map(lambda cell: (cell, WARNED)),
    st.sampled_from([("1899", WARNED), ("2029", WARNED), ("20222", WARNED), ("-9", WARNED)]),
)

DOORS = _both(
    st.integers(1, 9).flatmap(
        lambda n: st.sampled_from([(f"{n}", n), (f"{n}.0", n), (f"{n} doors", n), (f"{n}dr", n)])
    ),
    st.sampled_from([("10", WARNED), ("four", WARNED), ("0", BLANK)]),
)

#: Words of several letters, some with signs; no tags, entities, or words for nothing.
WORDS = st.text("abcdeéñßXYZ'+/ ", min_size=4, max_size=14).map(lambda cell: f"Q{cell}q")


def _named(codes: dict[str, str]):
    return _both(
        WORDS.map(lambda cell: (cell, " ".join(cell.split()))),
        st.sampled_from([*codes.items(), *((code.lower(), text) for code, text in codes.items())]),
    )


TRIM = _both(WORDS.map(lambda cell: (cell, " ".join(cell.split()))))
COLOR = _both(
    WORDS.map(lambda cell: (cell, " ".join(cell.split()))),
    st.sampled_from([("040", WARNED), ("#1A2B3C", WARNED), ("Red &amp; Black", "Red & Black")]),
)
FUEL = _named({"G": "Gasoline", "D": "Diesel", "H": "Hybrid", "E": "Electric"})
TRANSMISSION = _named({"A": "Automatic", "M": "Manual"})
DRIVETRAIN = _named({"F": "FWD", "R": "RWD", "A": "AWD", "4": "4WD"})

STATUS = st.one_of(
    st.sampled_from(
        [
            *(("In Stock", "active"), ("in_transit", "active"), ("AVAILABLE", "active")),
            *(("Sale Pending", "pending"), ("On Hold", "pending"), ("Sold", "sold")),
            *(("Needs Work", WARNED), ("Qq", WARNED), ("17", WARNED), ("", BLANK), ("N/A", BLANK)),
        ]
    )
)

ITEM = st.text("abcdeXYZ' ", min_size=3, max_size=9).map(lambda item: f"Q{item.strip()}q")
FEATURES = _both(
    st.tuples(st.sampled_from(["|", ",", ";"]), st.lists(ITEM, min_size=2, max_size=4)).map(
        lambda pair: (
            pair[0].join(pair[1]),
            list(dict.fromkeys(" ".join(item.split()) for item in pair[1])),
        )
    )
)
PICTURE = st.integers(0, 99).map(lambda n: f"https://img.lot{n % 3}.example/w_4,h_3/{n}.jpg")
IMAGES = _both(
    st.tuples(st.sampled_from(["|", "; ", ","]), st.lists(PICTURE, min_size=1, max_size=4)).map(
        lambda pair: (pair[0].join(pair[1]), list(dict.fromkeys(pair[1])))
    ),
    st.sampled_from([("ftp://img.example/1.jpg", WARNED), ("http://localhost/1.jpg", WARNED)]),
)
URL = _both(
    st.integers(0, 9).map(lambda n: (f"https://lot.example/{n}", f"https://lot.example/{n}")),
    st.sampled_from([("javascript:alert(1)", WARNED), ("lot.example", WARNED)]),
)
DESCRIPTION = _both(WORDS.map(lambda cell: (cell, cell.strip())))

#: Field -> the headers it may stand under, and the forms of its cells.
FORMS = {
    "year": (("Year", "Model Year", "Vehicle Year"), YEAR),
    "trim": (("Trim", "Trim Level"), TRIM),
    "exterior_color": (("Color", "Ext. Color", "Exterior Colour"), COLOR),
    "interior_color": (("Interior Color", "Int Color"), COLOR),
    "mileage": (("Mileage", "Odometer"), MILEAGE),
    "price": (("Price", "Selling Price", "Internet_Price"), MONEY),
    "msrp": (("MSRP",), MONEY),
    "body_style": (("Body Style", "BodyType"), TRIM),
    "transmission": (("Transmission", "Trans"), TRANSMISSION),
    "engine": (("Engine", "Engine Description"), TRIM),
    "fuel_type": (("Fuel Type", "Fuel"), FUEL),
    "drivetrain": (("Drivetrain", "Drive Type"), DRIVETRAIN),
    "features": (("Features", "Options"), FEATURES),
    "description": (("Description", "Comments"), DESCRIPTION),
    "images": (("Image URLs", "Photo Url List"), IMAGES),
    "status": (("Inventory Status", "Availability"), STATUS),
    "url": (("VDP URL", "Url"), URL),
    "doors": (("Doors", "Door Count"), DOORS),
}


@st.composite
def lots(draw, vins):
    """Give (headers, rows of cells, rows of what must be stored): columns in any order."""
    fields = draw(st.permutations(list(FORMS)))
    headers = [draw(st.sampled_from(FORMS[field][0])) for field in fields]
    rows, wanted = [], []
    for number in range(draw(st.integers(1, 4))):
        pairs = [draw(FORMS[field][1]) for field in fields]
        rows.append((vins[number], f"S{number}", "Zeta", "Eagle", *(cell for cell, _ in pairs)))
        found = dict(zip(fields, (value for _, value in pairs), strict=True))
        wanted.append({**found, "vin": vins[number], "stock_number": f"S{number}"})
    return ("VIN", "Stock", "Make", "Model", *headers), fields, rows, wanted
