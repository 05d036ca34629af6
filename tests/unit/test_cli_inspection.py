import json
import re
from dataclasses import asdict

import pytest

from ingestd import reading
from ingestd.cli.inspection import WARNING, print_inspection
from ingestd.config import Feed, Limits, parse
from ingestd.tell.reasons import OTHER, WARNING_REASONS
from tests.dialects import VINS

HEAD = "VIN\tStock\tMake\tModel\tYear\tPrice\tStatus\tMilage Rdg\tWhen\n"
ROWS = "".join(
    f"{vin}\tS{at}\tKia\tRio\t2024\t{9000 + at}\tNeeds Work\t{at}00\t2026-11-24\n"
    for at, vin in enumerate(VINS, 1)
)


@pytest.fixture
def shown(capsys, monkeypatch):
    """Give what a person sees of a file on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    def show(text, name="lot.tsv"):
        data = text.encode()
        for one in reading.inspect(lambda: iter((data,)), name, None, "2026-11-24", Limits()):
            print_inspection(json.loads(json.dumps(asdict(one))))
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)

    return show


def test_every_warning_has_words_for_people():
    assert set(WARNING) == set(WARNING_REASONS) - {OTHER}


def test_fields_warnings_and_what_is_left_over_are_told_in_words(shown):
    out = shown(HEAD + ROWS)
    assert re.search(r"^price +Price +100% +9001.00 · 9002.00 · 9003.00 *$", out, re.MULTILINE)
    assert "8 unknown_status: not understood as a status" in out
    assert "line 2, Status: 'Needs Work'; line 3" in out
    assert "9 lines: 8 vehicles, 1 header; 8 warnings" in out
    assert "When" in out.partition("not mapped")[2]


def test_the_lines_for_the_configuration_can_be_pasted(shown):
    text = shown(HEAD + ROWS, "a" * 90 + ".tsv").partition("[[feed]]")
    config = parse(text[1] + text[2], {})
    assert config.feed[0].file == ("a" * 90 + ".tsv",)
    assert '# "Needs Work" = "active"' in text[2]


def test_of_a_refused_file_the_cells_and_a_feed_are_shown_all_the_same(shown):
    makes = ("Kia", "Ford", "BMW")
    rows = (f"{VINS[at % 8]}\tS{at}\t{makes[at % 3]}\tX\t2024\t9000\n" for at in range(20))
    out = shown("VIN\tStock\tMake\tModel\tYear\tPrice\n" + "".join(rows))
    assert "would be refused (prices_alike): all its vehicles have one price" in out
    assert re.search(r"^price +Price +9000 *$", out, re.MULTILINE)
    assert '# accept = ["prices_alike"]' in out


def test_whose_the_rows_are_and_why_all_is_held_is_told_before_the_fields(shown):
    rows = "".join(f"{vin}\tKia\t2024\t{at % 2}\n" for at, vin in enumerate(VINS))
    out = shown("VIN\tMake\tYear\tDealer ID\n" + rows)
    above = out.partition("as it would be stored")[0]
    assert "would be held (several_dealers): it names more than one dealer" in above
    assert "no column for model: rows of vehicles that are not stored yet" in above
    assert '"0" = 0' in out


def test_the_dealerships_of_a_group_are_told_with_their_vehicles(capsys):
    data = f"VIN\tMake\tDealer ID\n{VINS[0]}\tKia\tN\n".encode()
    feed = Feed.model_validate(
        {"name": "g", "dealership": 1, "mode": "full"}
        | {"rooftops": {"column": "Dealer ID", "map": {"N": 1, "S": 2}}}
    )
    (found,) = reading.inspect(lambda: iter((data,)), "g.tsv", feed, "2026-11-24", Limits())
    print_inspection(json.loads(json.dumps(asdict(found))), "g")
    out = capsys.readouterr().out
    assert "of a feed of its own: 'g' is there already" in out
    assert "dealership 1: 1 vehicle\n" in re.sub(" +\n", "\n", out)
    assert "dealership 2: 0 vehicles\n" in re.sub(" +\n", "\n", out)


def test_where_no_lines_would_help_that_is_said(shown):
    out = shown("dear customer\n")
    assert "no lines for the configuration: none would let this file be read" in out
    assert "[[feed]]" not in out


def test_columns_without_a_name_are_counted_and_a_share_is_never_rounded_to_all(shown):
    rows = "".join(f"S{at}\t{'' if at else '5'}\tx\ty\n" for at in range(300))
    out = shown("Stock\tMileage\t\t\n" + rows)
    assert re.search(r"^mileage +Mileage +1% +5 *$", out, re.MULTILINE)
    assert "2 columns without a name" in out
