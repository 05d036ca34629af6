"""What holds for every file: its lines are accounted for, and nothing is made up.

``tests/fuzz_reading.py`` asks the same of bytes without end.
"""

import json
import string
import time
import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st

from ingestd import reading
from ingestd.feed.copytext import fields
from ingestd.feed.encode import own_target, rejection, stored
from ingestd.feed.values import is_blank
from tests.dialects import DIALECTS, VINS, Dialect, bare, damaged, read, written
from tests.rules import BLANK, MONEY, WARNED, lots

TARGET = own_target()
DIALECT = st.sampled_from(DIALECTS)

#: Letters that in Windows-1252 are no UTF-8 by chance.
PLAIN = st.text(string.ascii_letters + string.digits + "éüñÉ!#'&/", min_size=1, max_size=8)
CELL = st.one_of(PLAIN, st.sampled_from(["a, b", "5'7\" box", "x;y", "p|q", '"so"', "", "12,345"]))
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=len(VINS))


@given(DIALECT, ROWS)
def test_every_dialect_gives_back_the_rows_that_were_written(dialect, rows):
    given_rows = [(VINS[at], f"S{at}", *row) for at, row in enumerate(rows)]
    lines, books = read(written(dialect, given_rows))
    assert (books.rows, books.rejected) == (len(rows), 0), (books.reason, books.message)
    assert [stored(TARGET, line)["vin"] for line in lines] == [row[0] for row in given_rows]
    assert books.delimiter == dialect.delimiter
    for line, row in zip(lines, given_rows, strict=True):
        extras = json.loads(fields(line)[7] or "{}")
        cells = [bare(dialect, cell) for cell in row[2:]]
        wanted = dict(zip(("Alpha", "Beta", "Gamma"), cells, strict=True))
        assert extras == {name: cell for name, cell in wanted.items() if cell}


@given(DIALECT, ROWS, st.data())
def test_every_line_of_a_damaged_file_is_accounted_for(dialect, rows, data):
    whole = written(dialect, [(VINS[at], f"S{at}", *row) for at, row in enumerate(rows)])
    changes = st.lists(
        st.tuples(st.integers(0, len(whole)), st.integers(0, 4), st.binary(max_size=4)), max_size=4
    )
    lines, books = read(damaged(whole, data.draw(changes)))
    assert books.lines == books.header + books.blank + books.rows + books.rejected
    assert books.reason or len(lines) == books.rows + books.rejected


@given(st.binary(max_size=800))
def test_any_bytes_are_read_or_refused_in_words(data):
    lines, books = read(data)
    assert bool(books.reason) == bool(books.message)
    assert not (books.reason and lines)


VALUE = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12),
    st.sampled_from(["$12,345", "12,3x5", "2024", "24", "Call", "-1", "1e9", "N/A", "45,000 km"]),
)


@given(st.lists(st.tuples(VALUE, VALUE, VALUE, VALUE), min_size=1, max_size=5))
def test_every_number_comes_from_the_digits_of_its_cell_or_is_absent(rows):
    dialect = Dialect("utf-8", "\t", "\n", quoted=False)
    names = ("VIN", "Stock", "Year", "Price", "Mileage", "Doors")
    given_rows = [
        (VINS[at], f"S{at}", *(" ".join(cell.split()) for cell in row))
        for at, row in enumerate(rows)
    ]
    lines, books = read(written(dialect, given_rows, names))
    cells = {row[0]: dict(zip(names, row, strict=True)) for row in given_rows}
    told = {(finding.line, finding.column) for finding in books.warnings_list}
    if books.reason:  # none of the rows can be used
        assert not lines
        return
    assert books.rows + books.rejected == len(rows)
    for line in lines:
        if rejection(line) is not None:
            continue
        found, number = stored(TARGET, line), int(line.split("\t")[1])
        for field, header in (("year", "Year"), ("doors", "Doors"), ("price", "Price")):
            cell = cells[found["vin"]][header]
            value = str(found[field] or "").removesuffix(".00").replace(".", "")
            assert value[-2:].lstrip("0") in _digits(cell), (cell, value)
            if field == "year" and cell.isalpha():
                assert value or is_blank(cell) or (number, header) in told


@given(DIALECT, lots(VINS))
def test_every_value_is_what_a_stated_rule_makes_of_its_cell_or_absent_with_a_warning(dialect, lot):
    headers, fields, given_rows, wanted = lot
    assume(dialect.encoding != "cp1252" or _in_windows(given_rows))
    rows = [tuple(bare(dialect, cell) for cell in row) for row in given_rows]
    assume(rows == given_rows)
    lines, books = read(written(dialect, rows, headers))
    assert (books.reason, books.rows) == (None, len(rows)), books.message
    told = {(finding.line, finding.column) for finding in books.warnings_list}
    for number, (line, row) in enumerate(zip(lines, wanted, strict=True), 2):
        found = stored(TARGET, line)
        for field, value in row.items():
            header = {**dict(zip(fields, headers[4:], strict=True)), "vin": "VIN"}.get(field)
            expected = None if value in (BLANK, WARNED) else value
            assert found[field] == expected, (field, header, found[field], expected)
            assert value != WARNED or (number, header) in told, (field, header)
        assert (found["make"], found["model"]) == ("Zeta", "Eagle")
        assert {name for name in found if name not in row} - {"make", "model"} == NEVER_GIVEN
        assert all(found[name] is None for name in NEVER_GIVEN)


#: Fields without a column in those files.
NEVER_GIVEN = {"condition", "vehicle_type", "image_type"}


def _in_windows(rows):
    """Letters of Windows-1252 that make no UTF-8 by chance, at least one: else it is UTF-8."""
    text = "".join(cell for row in rows for cell in row)
    try:
        text.encode("cp1252").decode()
    except UnicodeDecodeError:
        return True
    except UnicodeEncodeError:
        return False
    return text.isascii()


PRICES = st.tuples(MONEY, MONEY, MONEY)


@given(st.lists(PRICES, min_size=1, max_size=5), st.permutations([0, 1, 2]))
def test_of_several_prices_the_first_positive_counts_in_the_order_of_the_names(rows, order):
    names = ("Selling Price", "Internet Price", "Price")
    shown = ("VIN", "Stock", *(names[at] for at in order))
    given_rows = [
        (VINS[number], f"S{number}", *(prices[at][0] for at in order))
        for number, prices in enumerate(rows)
    ]
    lines, books = read(written(Dialect("utf-8", "\t", "\n", quoted=False), given_rows, shown))
    assert books.rows == len(rows), books.message
    for line, prices in zip(lines, rows, strict=True):
        assert stored(TARGET, line)["price"] == _first_positive(prices)


def _first_positive(prices):
    for cell, value in prices:
        if cell in ("Call", "Contact us"):
            return None
        if value not in (BLANK, WARNED):
            return value
    return None


def _digits(cell):
    return "".join(str(unicodedata.digit(sign)) for sign in cell if sign.isdigit())


@given(st.text(alphabet='a",\n\r\t;|', max_size=400), st.integers(20, 400))
def test_time_is_bounded_whatever_the_quotes(piece, times):
    data = ("VIN,Stock,Make\n" + piece * times).encode()
    begin = time.process_time()
    read(data)
    assert time.process_time() - begin < 3 + len(data) / 50_000


def test_blocks_hold_what_the_books_say():
    lines, books = read(written(DIALECTS[0], [(VINS[0], "S0", "a", "b", "c")]))
    assert (len(lines), books.lines, books.header) == (1, 2, 1)
    assert len(lines[0]) < reading.BLOCK
