import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import lists, numbers, quick, values
from ingestd.feed.copytext import as_array, as_json, escape

LEAST = 500_00
A = "https://img.lot.example/a,b.jpg"
B = "https://img.lot.example/b.jpg"


def money(cell):
    read = quick.dollars(LEAST)
    assert read is not None
    return read(cell)


def images(cell):
    return quick.Hosts().images("[", "]")(cell)


def slowly(parse, write, *rest):
    def read(cell):
        value = parse(cell, *rest)
        return write(value) if isinstance(value, (str, int, tuple)) else None

    return read


#: The quick way, and what the rules make of the same cell.
WAYS = [
    (quick.stock_number, slowly(values.stock_number, escape)),
    (quick.mileage, slowly(numbers.mileage, str, None, "miles")),
    (money, slowly(numbers.money, lambda cents: f"{cents // 100}.{cents % 100:02}", LEAST)),
    (quick.free_text, slowly(values.free_text, escape)),
    (quick.Hosts().url, slowly(lists.url, escape)),
    (images, slowly(lists.images, as_json)),
    (quick.Hosts().images("{", "}"), slowly(lists.images, as_array)),
]

ADDRESS = st.builds(
    "https://{}.example/{}".format,
    st.sampled_from(["a", "b", "localhost", "x_y"]),
    st.text("ab,|;\u00e9 .\"'\\<>\t", max_size=6),
)
CELL = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text("0123456789.,$", max_size=9),
    st.from_regex(r"(test|stock|http|0+|[A-Z]{0,3})-?[0-9A-Z-]{0,6}", fullmatch=True),
    st.lists(ADDRESS, max_size=4).flatmap(
        lambda found: st.sampled_from([bar.join(found) for bar in ("|", ",", ";", ", ")])
    ),
    st.text("a \\\u00c2\u00ae", min_size=41, max_size=60),
)


@given(CELL)
def test_the_quick_way_gives_what_the_rules_give_or_nothing(cell):
    for quickly, read in WAYS:
        text = quickly(cell)
        assert text is None or text == read(cell)


@pytest.mark.parametrize("cell", ["DT25256", "27170A", "16-260218", "kv5516", "25713"])
def test_plain_stock_numbers_are_quick(cell):
    assert quick.stock_number(cell) == cell


@pytest.mark.parametrize("cell", ["0000", "TEST1", "STOCK1", "STEPS", " S1", "9" * 60, ""])
def test_other_stock_numbers_are_judged_by_the_rules(cell):
    assert quick.stock_number(cell) is None


def test_plain_mileages_are_quick():
    assert quick.mileage("12345") == "12345"
    assert quick.mileage("00012") == "12"
    assert quick.mileage("0") == "0"
    assert [quick.mileage(cell) for cell in ("", "123456", "1,234", "\u0661")] == [None] * 4


def test_plain_prices_are_quick():
    assert money("$25,999.00") == "25999.00"
    assert money("25999") == "25999.00"
    assert money("1000.50") == "1000.50"
    others = ("999", "$999,999", "0", "Call", "25,99", "1234567")
    assert [money(cell) for cell in others] == [None] * len(others)
    assert quick.dollars(2000_00) is None


def test_a_long_text_on_one_line_is_quick():
    assert quick.free_text(" " + "word " * 20) == ("word " * 20).strip()
    assert quick.free_text("word\\" * 20) is None
    assert quick.free_text("word\n" * 20) is None
    assert quick.free_text("word\u00c2\u00ae" * 20) is None
    assert quick.free_text("x" + " " * 60) is None
    assert quick.free_text("short") is None


def test_addresses_on_one_host_are_quick():
    assert images(f"{A}|{B}") == f'["{A}","{B}"]'
    assert images(f"{B},{B}2") == f'["{B}","{B}2"]'
    assert images(A) == f'["{A}"]'
    hosts = quick.Hosts()
    assert hosts.url(B) == hosts.url(B) == B


@pytest.mark.parametrize(
    "cell",
    [
        f"{B}|{B}",
        f"{A},{B}",
        f"{B}|",
        f"{B}, {B}2",
        f"{B}|https://other.example/x",
        "https://localhost/x",
        "x.jpg",
        "",
        B.ljust(255, "x"),
        "|".join(f"{B}{number}" for number in range(101)),
        f"{B}|{B}".ljust(3000, "x"),
        B.ljust(2500, "x"),
    ],
)
def test_other_lists_are_judged_by_the_rules(cell):
    assert images(cell) is None


def test_a_long_list_of_short_addresses_is_quick():
    cell = "|".join(f"{B}{number:060}" for number in range(40))
    assert len(cell) > 2048
    assert images(cell) == as_json(cell.split("|"))


def test_no_more_hosts_are_remembered_than_a_file_can_need():
    hosts = quick.Hosts()
    for number in range(600):
        hosts.url(f"https://h{number}.lot.example/x")
    assert hosts.url("https://one-more.lot.example/x") is None
    assert hosts.url("https://h1.lot.example/y") == "https://h1.lot.example/y"
    assert hosts.url("https://h1.lot.example/" + "y" * 2048) is None


def test_an_address_with_other_letters_is_quick_and_one_with_other_blanks_is_not():
    cell = "https://img.lot.example/grün.jpg"
    assert images(cell) == as_json([cell])
    assert images("https://img.lot.example/gr\u00a0n.jpg") is None
