import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.mail.parts import LONGEST_NAME, blocks, cut, display_name, joined


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("lot.tsv", "lot.tsv"),
        ("../../etc/cron.d/x.tsv", "x.tsv"),
        ("C:\\Users\\dealer\\lot.tsv", "lot.tsv"),
        ("10_15_2025, 12_19_40 PM.csv", "10_15_2025, 12_19_40 PM.csv"),
        ("in\r\nventory.tsv", "inventory.tsv"),
        ("lot\u202evst.exe", "lotvst.exe"),
        ("nul\0.tsv", "nul.tsv"),
        ("Stu\u0308ck.tsv", "Stück.tsv"),
        ("", "none"),
        ("..", "none"),
        ("a/../", "none"),
        ("\u200b", "none"),
    ],
)
def test_a_senders_name_is_shown_without_path_and_tricks(raw, shown):
    assert display_name(raw, "none") == shown


def test_a_long_name_keeps_its_extension():
    name = display_name("x" * 10_000 + ".tsv", "none")
    assert len(name) == LONGEST_NAME
    assert name.endswith("x.tsv")


@pytest.mark.parametrize("raw", ["x" * 500, "x." + "y" * 500])
def test_what_is_too_long_for_an_extension_is_cut(raw):
    assert display_name(raw, "none") == raw[:LONGEST_NAME]


@given(st.text())
def test_any_name_becomes_short_and_visible(raw):
    name = display_name(raw, "none")
    assert 0 < len(name) <= LONGEST_NAME
    assert "/" not in name
    assert all(unicodedata.category(sign) not in ("Cc", "Cf", "Cs") for sign in name)


@pytest.mark.parametrize("mark", ["\u0301\u0323", "\u200b", "a"])
def test_a_huge_name_takes_no_time(mark):
    raw = mark * 1_000_000 + ".tsv"
    begin = time.process_time()
    assert display_name(raw, "none").endswith(".tsv")
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_bytes_in_memory_can_be_read_twice(kind):
    data = bytes(range(256)) * 3000
    content = blocks(kind(data))
    assert b"".join(content()) == b"".join(content()) == data
    assert max(map(len, content())) <= 1 << 18


@given(st.lists(st.binary(max_size=9)), st.integers(0, 40), st.integers(0, 40))
def test_a_cut_is_a_slice_that_can_be_read_twice(chunks, start, end):
    content = cut(lambda: iter(chunks), start, end)
    assert b"".join(content()) == b"".join(content()) == b"".join(chunks)[start:end]


def test_behind_a_cut_nothing_is_read():
    def endless():
        while True:
            yield b"abc"

    assert b"".join(cut(endless, 2, 7)()) == b"cabca"


def test_a_content_is_joined_up_to_a_size():
    content = blocks(bytes(300_000))
    assert joined(content, 300_000) == bytearray(300_000)
    assert joined(content, 299_999) is None
