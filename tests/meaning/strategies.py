"""Files in which identities collide: small pools of VINs, stock numbers, makes and years."""

from datetime import timedelta

from hypothesis import strategies as st

from tests.meaning.cars import car, placeholder, vin
from tests.meaning.nouns import (
    BLANK,
    COLUMNS,
    UNREADABLE,
    WORDS,
    Cell,
    Footer,
    Row,
    Sheet,
)

#: Cars of the north and of the south; a VIN, a stock number may turn up at the other's.
_CARS = {0: range(1, 5), 2: range(5, 9)}
_VINS: tuple[Cell, ...] = tuple(map(vin, range(1, 9)))
_CELLS: dict[str, tuple[Cell, ...]] = {
    "vin": (*_VINS[:5], vin(1).lower(), BLANK, BLANK, BLANK, UNREADABLE, placeholder(1)),
    "stock_number": ("S1", "S2", "s1", "S3", BLANK, BLANK, UNREADABLE),
    "make": ("Kia", "Honda", BLANK),
    "model": ("Rio", "Civic", BLANK),
    "year": (2023, 2024, 2026, BLANK, UNREADABLE),
    "trim": ("EX", BLANK),
    "mileage": (20, BLANK, UNREADABLE),
    "price": (9000, 30000, BLANK, UNREADABLE, WORDS),
    "status": ("Sold", "Sold", "Pending", "In Transit", BLANK, UNREADABLE),
}
_FACTORY = {"make": "Toyota", "model": "RAV4"}


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if name not in names)


_COLUMNS = (
    *(COLUMNS, COLUMNS, COLUMNS),
    _without("status"),
    _without("price", "trim"),
    _without("vin"),
    _without("stock_number", "mileage"),
    _without("make", "year"),
)


def _rows(numbers: range) -> st.SearchStrategy[Row]:
    """A car of the lot, or a Toyota that may not be built yet; up to three cells odd."""
    cells = [(name, cell) for name, pool in _CELLS.items() for cell in pool]
    odd = st.lists(st.sampled_from(cells), max_size=3).map(dict)
    cars = [car(number, stock_number=f"S{1 + number % 3}") for number in numbers]
    cars += [car(9, stock_number="S9", vin=it, **_FACTORY) for it in (placeholder(1), vin(9))]
    return st.builds(lambda one, other: {**one, **other}, st.sampled_from(cars), odd)


def _files(feed: int) -> st.SearchStrategy[tuple[int, tuple[Sheet, ...]]]:
    """One file of up to five rows, or two in one delivery."""
    row = _rows(_CARS[feed // 2 * 2])
    sheets = st.builds(
        _sheets, st.lists(row, min_size=1, max_size=5), st.sampled_from(_COLUMNS), st.integers(0, 8)
    )
    return st.tuples(st.just(feed), sheets)


def deliveries() -> st.SearchStrategy[tuple[int, tuple[Sheet, ...]]]:
    """A feed, and what is delivered for it."""
    return st.one_of(*map(_files, range(4)))


def _sheets(found: list[Row], columns: tuple[str, ...], cut: int) -> tuple[Sheet, ...]:
    if 0 < cut < len(found):
        new, used = tuple(found[:cut]), tuple(found[cut:])
        return Sheet(new, COLUMNS, "new.tsv"), Sheet(used, columns, "used.tsv")
    return (Sheet(tuple(found), columns),)


@st.composite
def again(draw: st.DrawFn, sheets: tuple[Sheet, ...]) -> tuple[Sheet, ...]:
    """The same rows in another order, some of them left out, some twice."""
    first, *others = sheets
    found = draw(st.permutations(first.rows))
    found = found[draw(st.integers(0, min(2, len(found) - 1))) :]
    twice = draw(st.lists(st.sampled_from(found), max_size=1))
    return Sheet((*found, *twice), first.columns, first.name), *others


def lots() -> st.SearchStrategy[tuple[int, tuple[Sheet, ...]]]:
    """A lot large enough for the guard: a stretch of fifty cars, perhaps with something wrong.

    Each dealership has its own fifty, and now and then the other's.
    """
    return st.builds(
        lambda feed, first, count, dearer, wrong: (
            feed,
            _lot(first + 100 * (feed // 2), count, dearer, wrong),
        ),
        st.integers(0, 3),
        st.sampled_from([100, 100, 100, 100, 104, 126, 200]),
        st.sampled_from([8, 12, 20, 24]),
        st.sampled_from([1, 1, 1, 2]),
        st.sampled_from([None, None, None, None, "vin", "year", "price", "cut", "footer"]),
    )


def _lot(first: int, count: int, dearer: int, wrong: str | None) -> tuple[Sheet, ...]:
    found: list[Row | Footer] = []
    for number in range(first, first + count):
        odd: dict[str, Cell] = {"price": dearer * (20000 + number)}
        if wrong in COLUMNS and number % 3:
            odd |= {wrong: UNREADABLE, "stock_number": BLANK if wrong == "vin" else f"S{number}"}
        found.append(car(number, **odd))
    if wrong == "footer":
        found.append(Footer("Total: 20 vehicles"))
    return (Sheet(tuple(found), cut_off=wrong == "cut"),)


TIMES = st.sampled_from(
    [timedelta(minutes=10), timedelta(hours=12), timedelta(days=1), timedelta(days=8)]
)
EDITS: tuple[dict[str, object], ...] = (
    {"price": 1},
    {"is_active": False},
    {"is_active": True},
    {"status": "sold"},
    {"status": "sold", "is_active": False},
    {"status": "active", "is_active": True},
    {"vin": None},
    {"stock_number": None},
    {"stock_number": "S2"},
    {"year": 2023},
    {"make": "Honda"},
    {},
)
