import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.feed import lists
from ingestd.feed.lists import BAD_URL
from ingestd.feed.values import BLANK, Flaw, Noted

A = "https://img.lot.example/w_400,h_300,q_90/a.jpg"
B = "http://img.lot.example/b.jpg?x=1;y=2|3"
C = "https://img.lot.example/c.jpg"


@pytest.mark.parametrize("joint", ["|", ",", ", ", ";", "; ", " ", "\n", "  "])
def test_an_image_list_is_split_only_before_an_address(joint):
    assert lists.images(joint.join((A, B, C))) == (A, B, C)


@pytest.mark.parametrize("joint", ["^", "~", "*", "`", "\\n", "<br />", '","', " | ", "||"])
def test_an_image_list_is_split_at_rarer_separators_too(joint):
    assert lists.images(f"{C}{joint}{B}{joint}{C}") == (C, B)


def test_a_list_of_a_database_and_addresses_without_their_scheme_are_understood():
    assert lists.images(f"{{{C},{B}}}") == (C, B)
    assert lists.images("//img.lot.example/1.jpg|//img.lot.example/2.jpg") == (
        "https://img.lot.example/1.jpg",
        "https://img.lot.example/2.jpg",
    )


def test_a_blank_in_the_name_of_a_picture_is_written_as_addresses_do():
    spaced = "https://img.lot.example/my car 1.jpg"
    assert lists.images(f"{spaced}|{C}") == ("https://img.lot.example/my%20car%201.jpg", C)
    assert lists.images(f"https://img.lot.example/ is missing|{C}") == Noted((C,), "bad_url")


def test_one_image_is_a_list_of_one():
    assert lists.images(f" {A} ") == (A,)


def test_an_address_inside_an_address_is_no_separator():
    nested = (
        "http://cdn.lot.example/crop/0,0,640,480-640/http://build.lot.example/Image[|Ford|F-150|"
    )
    assert lists.images(f"{nested}|{C}") == (nested.rstrip("|"), C)


def test_only_the_commonest_separator_splits():
    trick = "https://img.lot.example/a?from=x,http://other.example/y"
    assert lists.images(f"{trick}|{B}|{C}") == (trick, B, C)


def test_the_same_address_twice_is_kept_once():
    assert lists.images(f"{A}|{C}|{A}") == (A, C)


@pytest.mark.parametrize(
    "cell", [f'["{A}", "{C}"]', f"['{A}', '{C}']", f"[{{'u': '{A}'}}, {{'u': '{C}'}}]"]
)
def test_a_list_literal_gives_its_addresses(cell):
    assert lists.images(cell) == (A, C)


@pytest.mark.parametrize("length", sorted(lists.CUT_LENGTHS))
def test_the_last_address_of_a_cell_cut_by_a_length_limit_is_dropped(length):
    head = f"{C}|https://img.lot.example/"
    cut = head + "x" * (length - len(head))
    assert len(cut) == length
    assert lists.images(cut) == Noted((C,), "bad_url")


def test_a_cut_cell_with_one_address_has_none():
    assert lists.images("https://img.lot.example/".ljust(255, "x")) is BAD_URL


@pytest.mark.parametrize("cell", ["", "N/A", "|", "[]", ",,"])
def test_no_images_are_blank(cell):
    assert lists.images(cell) is BLANK


def test_a_list_of_private_hosts_has_no_address():
    assert lists.images("http://printer.local|http://printer.local|http://db.lan/x") is BAD_URL


def test_what_is_no_address_is_left_out_and_noted():
    assert lists.images(f"{A}|https://localhost/x.jpg") == Noted((A,), "bad_url")
    assert lists.images("a.jpg,b.jpg") is BAD_URL


def test_more_than_a_hundred_images_are_cut_off():
    many = "|".join(f"https://img.lot.example/{n}.jpg" for n in range(101))
    got = lists.images(many)
    assert isinstance(got, Noted)
    assert len(got.value) == lists.MOST_IMAGES


@pytest.mark.parametrize(
    "address",
    [
        "https://cars.example/vdp/1?x=%20&y#top",
        "HTTP://CARS.EXAMPLE:8080/",
        "https://cars.example",
        "https://b\u00fccher.example/x",
        "https://my_cdn.cars.example/x",
    ],
)
def test_an_address_on_a_public_host_is_kept(address):
    assert lists.url(f" {address}") == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:image/png;base64,xx",
        "//cdn.cars.example/x",
        "www.cars.example/x",
        "ftp://cars.example/x",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://printer.local/x",
        "https://db.internal:80/",
        "https://user:pw@cars.example/x",
        "https://cars.example@evil.example/",
        "https://cars.example/a b",
        "https://cars.example/\x00",
        "https://cars.example/<script>",
        "https://cars.example/" + "x" * 2048,
        "https://",
        "http\u017f://cars.example/x",
    ],
)
def test_any_other_address_is_refused(address):
    assert lists.url(address) is BAD_URL


def test_a_blank_address_is_blank():
    assert lists.url(" - ") is BLANK


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("Bluetooth,Alloy Wheels, Sunroof", ("Bluetooth", "Alloy Wheels", "Sunroof")),
        ('18" x 7.0", alloy|Heated Seats|', ('18" x 7.0", alloy', "Heated Seats")),
        (
            "Exterior@All-Season Tires, 18 in~Exterior@Sunroof~Heated Seats",
            ("All-Season Tires, 18 in", "Sunroof", "Heated Seats"),
        ),
        ("Exterior@Sunroof", ("Sunroof",)),
        ("['Bluetooth','Driver\\'s seat']", ("Bluetooth", "Driver's seat")),
        ('["Bluetooth", "Sunroof"]', ("Bluetooth", "Sunroof")),
        ("a,A,a", ("a", "A")),
        ("Bluetooth<br>,&quot;B&quot;", ("Bluetooth", '"B"')),
        ("Third row", ("Third row",)),
        ("Tows 7,000 lbs,Sunroof,100 Watt", ("Tows 7,000 lbs", "Sunroof", "100 Watt")),
        (
            "Bluetooth; &quot;B&quot; sound; Seats, heated",
            ("Bluetooth", '"B" sound', "Seats, heated"),
        ),
        ("\u2022 Bluetooth\n\u2022 Seats, heated\n", ("Bluetooth", "Seats, heated")),
        ("<ul><li>Bluetooth</li><li>Sunroof</li></ul>", ("Bluetooth", "Sunroof")),
        ("Sunroof^Leather^Navi", ("Sunroof", "Leather", "Navi")),
        ("\u2022 Sunroof \u2022 Leather", ("Sunroof", "Leather")),
        ("Sunroof\\nLeather", ("Sunroof", "Leather")),
        ("{Sunroof,Leather}", ("Sunroof", "Leather")),
    ],
)
def test_features_are_read_from_every_kind_of_list(cell, items):
    assert lists.features(cell) == items


@pytest.mark.parametrize("cell", ["", "-", ",", "| |", "[]"])
def test_no_features_are_blank(cell):
    assert lists.features(cell) is BLANK


@pytest.mark.parametrize("cell", ['[{"name": "Sunroof"}]', '{"a": 1}', "[[1]]"])
def test_a_dump_of_objects_is_no_list_of_features(cell):
    assert lists.features(cell) is lists.UNREADABLE_LIST


@given(
    st.one_of(st.text(max_size=60), st.from_regex(r"[\[\]\"',|;~@ \\a]{0,20}(https?://)?.{0,20}"))
)
def test_whatever_the_cell_a_list_has_distinct_clean_items(cell):
    for value in (lists.images(cell), lists.features(cell)):
        items = value.value if isinstance(value, Noted) else value
        if not isinstance(items, Flaw):
            assert 0 < len(items) == len(set(items))
            assert all(item.encode() for item in items)


@pytest.mark.parametrize(
    "filler", ["http://", "|http://a.b", "a|", "[", '\\"', "'", " ", "~@", "@"]
)
@pytest.mark.parametrize("start", ["", "[", '["'])
def test_a_megabyte_of_anything_is_read_in_no_time(filler, start):
    cell = start + filler * (1_000_000 // len(filler)) + ("]" if start else "")
    for parse in (lists.images, lists.features, lists.url):
        began = time.process_time()
        parse(cell)
        assert time.process_time() - began < 2
