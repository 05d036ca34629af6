"""The lines that ``inspect`` proposes for a file do what they say in a configuration."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd import reading
from ingestd.config import Feed, Limits, parse
from ingestd.errors import Misconfigured
from ingestd.feed.inspection import Inspection
from tests.dialects import VINS

CASES = Path(__file__).parent.parent / "cases"
FILES = sorted(
    path for path in CASES.glob("*/*") if path.name not in ("before.tsv", "expected.json")
)
MAKES = ("Kia", "Ford", "BMW")


def inspect(content: bytes, name: str, feed: Feed | None = None) -> Inspection:
    (found,) = reading.inspect(lambda: iter((content,)), name, feed, "2026-11-24", Limits())
    return found


def pasted(found: Inspection) -> Feed:
    (feed,) = parse(found.config, {}).feed
    return feed


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_is_read_with_the_lines_proposed_for_it_or_they_say_that_it_is_not_yet(path):
    content = path.read_bytes()
    found = inspect(content, path.name)
    if not found.config:
        assert found.reason is not None
        return
    again = inspect(content, path.name, pasted(found))
    refused_still = found.config.startswith("[[feed]]   # refused still")
    assert (again.reason is not None) is refused_still, again.message
    assert again.held != "several_dealers"


def rows(form: str) -> str:
    return "".join(
        form.format(vin=vin, at=at, make=MAKES[at % 3], dealer="ABC"[at % 3])
        for at, vin in enumerate(VINS)
    )


def test_a_file_without_a_header_is_read_by_the_positions_that_are_proposed():
    content = rows("{vin}\tS{at}07\t{make}\t2024\t$9{at}00\n").encode()
    found = inspect(content, "lot.txt")
    again = inspect(content, "lot.txt", pasted(found))
    assert (found.reason, again.reason, again.rows) == ("no_header", None, len(VINS))


def test_a_file_whose_header_is_not_known_is_read_by_the_columns_that_are_proposed():
    content = ("FIN;Nr;Hersteller;Bj\n" + rows("{vin};S{at}07;{make};2024\n")).encode()
    found = inspect(content, "lot.txt")
    again = inspect(content, "lot.txt", pasted(found))
    assert (found.reason, again.reason, again.header) == ("no_header", None, 1)
    assert again.mapping["make"] == ("Hersteller",)
    assert '# model = ["…"]' in found.config


def test_a_group_is_read_for_each_dealership_by_the_map_once_a_person_put_in_their_ids():
    head = "VIN\tMake\tModel\tYear\tDealerID\n"
    content = (head + rows("{vin}\t{make}\tX\t2024\t{dealer}\n")).encode()
    found = inspect(content, "group.tsv")
    with pytest.raises(Misconfigured, match=r"rooftops\.map\.A: .* greater than 0"):
        pasted(found)
    filled = replace(found, config=re.sub('"([ABC])" = 0', _numbered, found.config))
    again = inspect(content, "group.tsv", pasted(filled))
    assert (found.held, again.held, again.rejected) == ("several_dealers", None, 0)
    assert again.dealerships == ({"id": 1, "rows": 3}, {"id": 2, "rows": 3}, {"id": 3, "rows": 2})


def _numbered(entry: re.Match[str]) -> str:
    return f'"{entry[1]}" = {"ABC".index(entry[1]) + 1}'


def test_a_file_without_identifiers_is_read_when_what_is_likely_is_no_comment_any_more():
    head = "Lot Ref #\tMake\tModel\tYear\n"
    content = (head + rows("R{at}07\t{make}\tX\t2024\n")).encode()
    found = inspect(content, "lot.tsv")
    with_it = found.config.replace("# [feed.columns]", "[feed.columns]").replace("# stock", "stock")
    (feed,) = parse(with_it, {}).feed
    again = inspect(content, "lot.tsv", feed)
    assert (found.reason, again.reason, again.rows) == ("no_identifier_column", None, len(VINS))


def test_for_what_is_no_table_nothing_is_proposed():
    found = inspect(b"dear customer\n", "letter.txt")
    assert (found.reason, found.config) == ("no_table", "")
