import pytest

from ingestd.config import parse
from ingestd.errors import Misconfigured
from ingestd.rooftops import Rooftops, choices, choose_first

GROUP = '[[feed]]\nname = "group"\nmode = "full"\n'


def test_a_file_may_choose_among_the_dealerships_of_the_map_in_ascending_order():
    assert choices(Rooftops(column="Dealer", map={"b": 3, "a": 1, "c": 3})) == (1, 3)


def test_without_a_map_or_without_rooftops_there_is_no_choice():
    assert choices(Rooftops(column="Dealer")) == ()
    assert choices(None) == ()


def test_a_feed_of_a_group_needs_no_dealership_besides_those_of_the_map():
    (feed,) = parse(
        f'{GROUP}[feed.rooftops]\ncolumn = "D"\nmap = {{ " 123 " = 7, "9" = 5 }}', {}
    ).feed

    assert feed.dealership == 5
    assert feed.rooftops == Rooftops(column="D", map={"123": 7, "9": 5})


@pytest.mark.parametrize(
    "feed",
    ["not a table", {"rooftops": 1}, {"rooftops": {"map": 1}}, {"rooftops": {"map": {"a": ""}}}],
)
def test_what_is_no_map_is_left_to_be_told_as_a_fault(feed):
    assert choose_first(feed) == feed


@pytest.mark.parametrize(
    "text", ['map = { "1" = 1 }', 'column = "D"', 'column = ""\nmap = { "" = 1 }']
)
def test_an_incomplete_group_is_a_fault(text):
    with pytest.raises(Misconfigured):
        parse(f"{GROUP}[feed.rooftops]\n{text}", {})
