"""Rows of a group file: each is read for its own dealership, and for no other."""

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.feed import vin
from ingestd.feed.copytext import fields
from ingestd.feed.encode import BITS, own_target
from ingestd.mail.parts import blocks
from ingestd.model import File, Finished, Known, Part, ReadJob
from ingestd.rooftops import Rooftops

HEAD = "VIN\tStock\tMake\tModel\tYear\tPrice\tDealer ID\n"
GROUP = Rooftops(column="dealer id", map={"N": 1, "S": 2})
FEED = Feed(name="group", dealership=1, mode="full", rooftops=GROUP)
KNOWS_NOTHING = Known()


def valid(number):
    body = f"KM8K2CAB0RU{number:06}"
    return body[:8] + vin.check_digit(body) + body[9:]


def row(number, rooftop, *, stock="", make="Kia", price="19995"):
    name = valid(number) if number else ""
    return f"{name}\t{stock or f'S{number}'}\t{make}\tRio\t2024\t{price}\t{rooftop}\n"


def read(*texts, head=HEAD, known=KNOWS_NOTHING):
    """Give the stage's lines as (dealership, line, reason), and the last word."""
    (content, *more) = [head + text for text in texts]
    assert not more
    files = (File(0, "lot.tsv", 1, "group"),)
    job = ReadJob("0", "folder", "lot.tsv", files, 1, "2026-11-23", own_target(), known)
    *items, finished = reading.read(job, blocks(content.encode()), FEED, Limits())
    assert isinstance(finished, Finished)
    copied = [item for item in items if isinstance(item, bytes)]
    lines = [fields(line + "\n") for line in b"".join(copied).decode().splitlines()]
    return [(line[2], line[1], line[4]) for line in lines], finished


def parts(finished):
    return {part.dealership: part for part in finished.parts}


def test_each_row_is_of_the_dealership_that_its_column_names():
    lines, finished = read(row(1, "N") + row(2, " S ") + row(3, "N"))

    assert lines == [("1", "2", None), ("2", "3", None), ("1", "4", None)]
    assert {number: part.files[0].rows for number, part in parts(finished).items()} == {1: 2, 2: 1}


def test_a_dealership_without_a_row_has_an_empty_part():
    _, finished = read(row(1, "N"))
    south = parts(finished)[2]

    assert isinstance(south, Part)
    assert (south.files[0].lines, south.files[0].rows, south.files[0].reason) == (0, 0, None)


def test_a_row_of_another_or_of_no_rooftop_is_rejected_and_belongs_to_nobody():
    lines, finished = read(row(1, "N") + row(2, "X") + row(3, ""))
    whole = finished.files[0]

    assert lines[1:] == [("0", "3", "unknown_rooftop"), ("0", "4", "unknown_rooftop")]
    assert (whole.rows, whole.rejected, whole.lines) == (1, 2, 4)
    assert [part.files[0].rejected for part in finished.parts] == [0, 0]
    assert [part.evidence[0].unnamed for part in finished.parts] == [0, 0]


def test_the_whole_counts_every_line_once():
    _, finished = read(row(1, "N") + "\n" + row(2, "S") + row(2, "X") + "too\tfew\n")
    whole = finished.files[0]

    assert whole.header + whole.blank + whole.rows + whole.rejected == whole.lines == 6


def test_one_vin_at_two_rooftops_is_no_duplicate_and_no_dummy():
    _, finished = read(row(1, "N", stock="A77") + row(1, "S", stock="B88", make="Ford"))

    assert [part.duplicates for part in finished.parts] == [(), ()]
    assert [part.rejected for part in finished.parts] == [(), ()]


def test_a_vin_that_was_a_dummy_is_one_at_its_own_rooftop_alone():
    known = Known(rooftops={1: frozenset(), 2: frozenset({valid(1)})})
    _, finished = read(row(1, "N") + row(1, "S"), known=known)
    north, south = (parts(finished)[number].files[0] for number in (1, 2))

    assert north.warnings == 0
    assert [(it.line, it.reason) for it in south.warnings_list] == [(3, "vin_repeated")]


def test_a_file_is_not_refused_for_a_vin_that_is_a_dummy_at_one_rooftop():
    known = Known(rooftops={1: frozenset({valid(1)}), 2: frozenset()})
    lines, finished = read(row(1, "S", stock="TBD"), known=known)

    assert (lines, finished.files[0].reason) == ([("2", "2", None)], None)


def test_one_vin_twice_at_one_rooftop_is_a_duplicate_there():
    _, finished = read(row(1, "N") + row(1, "S") + row(1, "N"))
    north, south = (parts(finished)[number] for number in (1, 2))

    assert [(it.line, it.by_line) for it in north.duplicates] == [(2, 4)]
    assert south.duplicates == ()


def test_a_stock_number_at_two_rooftops_joins_nothing():
    _, finished = read(row(0, "N", stock="A77") + row(1, "S", stock="A77"))

    assert [part.identities for part in finished.parts] == [(), ()]


def test_a_row_that_may_be_one_of_two_is_rejected_in_part_and_whole():
    either = row(1, "N", stock="A77") + row(2, "N", stock="A77") + row(0, "N", stock="A77")
    _, finished = read(either + row(3, "S"))
    north, south = (parts(finished)[number] for number in (1, 2))

    assert [finding.reason for _, finding in north.rejected] == ["ambiguous_stock_number"]
    assert (north.files[0].rows, north.files[0].rejected) == (2, 1)
    assert (finished.files[0].rows, finished.files[0].rejected) == (3, 1)
    assert south.rejected == ()


def test_a_dummy_vin_is_warned_of_in_the_column_that_held_it():
    dummies = row(1, "N", stock="A77") + row(1, "N", stock="B88", make="Ford")
    _, finished = read(dummies + row(1, "S"))

    assert [
        (found.line, found.column, found.reason) for found in finished.files[0].warnings_list
    ] == [
        (2, "VIN", "vin_repeated"),
        (3, "VIN", "vin_repeated"),
    ]
    assert finished.parts[1].files[0].warnings == 0


def test_a_record_that_is_no_row_may_be_any_rooftops_vehicle():
    _, finished = read(row(1, "N") + row(2, "S") + "torn\n")

    assert [part.evidence[0].unnamed for part in finished.parts] == [1, 1]
    assert finished.files[0].rejected == 1


def test_a_row_without_identifier_may_be_a_vehicle_of_its_own_rooftop_alone():
    _, finished = read(row(1, "N") + row(2, "S") + "TBD\t\tKia\tRio\t2024\t1\tS\n")

    assert [part.evidence[0].unnamed for part in finished.parts] == [0, 1]


def test_a_column_is_blank_only_if_it_is_so_at_every_rooftop():
    _, finished = read(row(1, "N", price="") + row(2, "S"))
    _, blank = read(row(1, "N", price="") + row(2, "S", price=""))

    assert all(not part.files[0].keep & BITS["price"] for part in finished.parts)
    assert all(part.files[0].keep & BITS["price"] for part in blank.parts)
    assert blank.files[0].keep == blank.parts[0].files[0].keep


def test_evidence_is_of_each_rooftop():
    _, finished = read(row(1, "N", price="x") + row(2, "S"))

    assert [part.evidence[0].readable["price"] for part in finished.parts] == [(0, 1), (1, 1)]
    assert [part.evidence[0].dealer_ids for part in finished.parts] == [(), ()]


def test_warnings_are_those_of_the_whole_in_the_order_of_the_lines():
    _, finished = read(row(1, "S", price="12,3x5") + row(2, "N", price="12,3x5"))
    whole = finished.files[0]

    assert [(found.line, found.reason) for found in whole.warnings_list] == [
        (2, "unreadable_number"),
        (3, "unreadable_number"),
    ]
    assert whole.warnings == 2


def test_a_file_without_the_column_is_refused_for_every_rooftop():
    _, finished = read("".join(row(1, "N")), head=HEAD.replace("Dealer ID", "Place"))

    assert finished.files[0].reason == "no_rooftop_column"
    assert "'dealer id'" in finished.files[0].message
    assert [part.files[0].reason for part in finished.parts] == ["no_rooftop_column"] * 2
    assert finished.files[0].lines == 0


def test_a_file_that_is_cut_off_may_have_lost_rows_of_any_rooftop():
    text = row(1, "N") + row(2, "S") + "KM8K2CAB"
    _, finished = read(text)

    assert finished.files[0].cut_off
    assert all(part.files[0].cut_off for part in finished.parts)


def test_a_file_with_another_fault_is_refused_as_ever():
    _, finished = read("")

    assert finished.files[0].reason == "no_usable_row"
