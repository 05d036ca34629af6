import json

import pytest

from ingestd import onefile
from ingestd.config import Feed, Limits
from ingestd.feed import drift, identity
from ingestd.feed.copytext import fields
from ingestd.feed.encode import own_target, rejection, stored
from ingestd.mail.parts import Blocked, Member
from ingestd.model import File, Finding, ReadJob
from ingestd.vehicle import FIELDS
from tests.dialects import VINS

FEED = Feed(name="lot", dealership=1, mode="full")
HEAD = "VIN\tStock\tMake\tModel\tYear\tPrice\tNotes\n"


def reader_of(feed=FEED):
    files = (File(0, "lot.tsv", 1, "lot"),)
    job = ReadJob("0", "folder", "lot.tsv", files, 1, "2026-11-23", own_target())
    return onefile.FileReader(files[0], job, feed, Limits())


def read(text, feed=FEED):
    data = text if isinstance(text, bytes) else text.encode()
    reader = reader_of(feed)
    content = lambda: iter((data,))  # noqa: E731  the shortest fake
    lines = list(reader.lines(Member("lot.tsv", len(data), content), identity.Rows()))
    return lines, reader.closed(0), reader


def row(at, **other):
    cells = {"stock": f"S{at}", "make": "Kia", "model": "Rio", "year": "2024", "price": "9000"}
    return "\t".join((VINS[at], *{**cells, **other}.values(), "")) + "\n"


def reasons(text, feed=FEED):
    return [finding.reason for line in read(text, feed)[0] if (finding := rejection(line))]


def test_a_file_becomes_lines_and_books():
    lines, books, reader = read(HEAD + row(0) + "\n" + row(1))
    assert [stored(own_target(), line)["vin"] for line in lines] == list(VINS[:2])
    assert (books.lines, books.header, books.blank, books.rows) == (4, 1, 1, 2)
    assert books.fingerprint == drift.fingerprint(HEAD.split("\t"))
    assert "valid UTF-8; line 1 has" in books.why
    assert reader.columns is not None


def test_a_blocked_member_gives_its_reason():
    reader = reader_of()
    assert list(reader.lines(Blocked("x", "too_large", "too much"), identity.Rows())) == []
    assert reader.closed(0).reason == "too_large"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "not_a_table"),
        (b"hello\n", "no_table"),
        (b"Make\tModel\nKia\tRio\n", "no_identifier_column"),
        (HEAD, "no_usable_row"),
        (HEAD + "\t\tKia\tRio\t2024\t\t\n", "no_usable_row"),
        (HEAD + "".join(row(at, year="x", make="2024") for at in range(3)), "shifted_columns"),
    ],
)
def test_a_file_that_cannot_be_used_sends_nothing(text, reason):
    lines, books, _ = read(text)
    assert lines == []
    assert books.reason == reason
    assert books.message


def test_the_message_of_an_unusable_file_quotes_its_first_row():
    assert "line 2, column 'VIN': " in read(HEAD + "TBD\t\tKia\tRio\t2024\t\t\n")[1].message


def test_a_row_whose_cells_moved_is_rejected():
    assert reasons(HEAD + row(0) + "Demo\t" + row(1)) == ["shifted"]
    assert reasons(HEAD + row(0) + "x\n") == ["too_few_cells"]


def test_a_footer_is_rejected_and_is_no_cut_off_row():
    _, books, _ = read(HEAD + row(0) + "Total: 1 vehicle")
    assert (books.rejected, books.cut_off) == (1, False)


def test_stray_bytes_are_a_warning_at_the_first_of_them():
    text = HEAD + row(0, make="Citroën") + row(1, make="Škoda")
    _, books, _ = read(text.encode() + row(2).replace("Kia", "Kia\xe9").encode("cp1252"))
    assert books.encoding == "utf-8"
    assert books.warnings_list == (Finding(4, None, "stray_bytes", "1"),)


def test_a_file_that_ends_within_a_character_is_cut_off():
    text = HEAD + row(0, make="Citroën") + row(1).rstrip("\n") + "5 €"
    assert read(text.encode()[:-1])[1].cut_off
    assert not read(text)[1].cut_off


def test_blank_columns_are_told_once():
    _, books, _ = read("\n" + HEAD + row(0, price=""))
    assert books.warnings_list == (Finding(2, "Price", "blank_column", ""),)
    assert books.keep & 1 << FIELDS.index("price")


def test_a_finding_gets_the_header_of_its_field():
    _, _, reader = read(HEAD + row(0))
    finding = Finding(1, None, "vin_repeated", "x")
    assert reader.named(finding, "vin").column == "VIN"
    assert reader.named(finding, "trim").column is None


def test_headers_that_the_feed_names_make_a_table():
    feed = FEED.model_copy(update={"columns": {"vin": ("Fahrgestell",), "make": ("Marke",)}})
    assert len(read(f"Fahrgestell;Marke\n{VINS[0]};Kia\n", feed)[0]) == 1


def test_a_sample_of_long_rows_stays_small(monkeypatch):
    monkeypatch.setattr(onefile, "SAMPLE_SIZE", 10)
    assert len(read(HEAD + row(0) + row(1))[0]) == 2


def test_the_first_five_hundred_rows_are_the_sample():
    ends = "".join(f"\tS{at}\tKia\tRio\t2024\t{9000 + at}\t\n" for at in range(501))
    assert len(read(HEAD + ends)[0]) == 501


# By position

POSITIONS = ("make", "", "vin", "price", "images", "images")
LINES = "".join(
    f"Kia,x{at},{VINS[at]},{9000 + at},https://a.example/{at}.jpg,https://b.example/{at}.jpg\n"
    for at in range(2)
)


def test_a_file_without_header_needs_a_feed_that_names_its_columns():
    _, books, reader = read(LINES)
    assert books.reason == "no_header"
    assert "positions = [" in books.message
    assert reader.positions == ("make", "", "vin", "", "images", "images")


def test_columns_are_named_by_position():
    feed = FEED.model_copy(update={"positions": POSITIONS})
    lines, books, _ = read(LINES, feed)
    first = stored(own_target(), lines[0])
    assert (first["vin"], first["make"], first["price"]) == (VINS[0], "Kia", "9000.00")
    assert first["images"] == ["https://a.example/0.jpg", "https://b.example/0.jpg"]
    assert json.loads(fields(lines[0])[7] or "") == {"column 2": "x0"}
    assert (books.lines, books.header, books.rows) == (2, 0, 2)


def test_a_position_is_that_field_whatever_its_values():
    feed = FEED.model_copy(update={"positions": ("vin", "status", "images")})
    lines, books, _ = read(f"{VINS[0]},New,https://a.example/1.jpg\n", feed)
    assert books.mapping["status"] == ("status",)
    assert stored(own_target(), lines[0])["images"] == ["https://a.example/1.jpg"]


def test_a_header_line_above_columns_named_by_position_is_no_row():
    feed = FEED.model_copy(update={"positions": ("vin", "price")})
    _, books, _ = read(f"VIN,Price\n{VINS[0]},9000\n", feed)
    assert (books.header, books.rows) == (1, 1)


def test_a_file_shows_what_the_guard_needs():
    head = HEAD.replace("Notes", "Dealer ID")
    named = [row(at).rstrip("\t\n") + "\t77\n" for at in range(3)]
    total = "Total: 140 vehicles\n"
    _, _, reader = read(head + "".join(named) + "\t\tKia\tRio\t2024\tCall\t77\n" + total)
    found = reader.evidence
    assert found.readable == {"vin": (3, 3), "year": (4, 4), "price": (4, 4)}
    assert found.dealer_ids == ("77",)
    assert ([line for line, _ in found.nameless], found.unnamed) == ([5, 6], 2)
    _, _, again = read(head + named[0] + total)
    assert again.evidence.nameless[0][1] == found.nameless[1][1], "the same footer"
    _, _, other = read(head + named[0] + total.replace("140", "139"))
    assert other.evidence.nameless[0][1] != found.nameless[1][1]


def test_a_rejected_row_that_can_be_named_is_not_nameless():
    _, _, reader = read(HEAD + row(0) + row(1) + f"{VINS[2]}\tS9\n")
    assert (reader.evidence.nameless, reader.evidence.unnamed) == ((), 0)


# Rows wider than the header


def test_rows_wider_than_the_header_are_read_as_far_as_it_is_certain():
    head = "VIN\tStock\tYear\tPrice\tTrim\n"
    text = head + "".join(f"{vin}\tS\t2024\t$9,000\tLX\tmore\n" for vin in VINS[:3])
    lines, books, _ = read(text)
    assert books.warnings_list[0] == Finding(1, None, "surplus_cells", "Trim")
    assert [stored(own_target(), line)["price"] for line in lines] == ["9000.00"] * 3
    assert json.loads(fields(lines[0])[7] or "") == {"column 5": "LX", "column 6": "more"}


def test_rows_wider_than_a_header_that_is_not_theirs_are_refused_in_words():
    text = HEAD + "".join(f"7\t{row(at).rstrip()}\tx\n" for at in range(3))
    _, books, reader = read(text)
    assert books.reason == "no_usable_row"
    assert [cells[1] for cells in reader.sample] == list(VINS[:3])
    assert "the rows have 8 cells and the header has 7 names" in books.message


def test_a_few_wide_rows_do_not_change_the_header():
    text = HEAD + "".join(map(row, range(3))) + row(3).rstrip("\n") + "\t\tx\n" + row(4)
    assert reasons(text) == ["too_many_cells"]


def test_a_feed_may_accept_what_is_implausible():
    makes = ("Kia", "Ford", "BMW")
    text = HEAD + "".join(row(at % 8, stock=f"S{at}", make=makes[at % 3]) for at in range(24))
    assert read(text)[1].reason == "prices_alike"
    assert 'accept = ["prices_alike"]' in read(text)[1].message
    accepting = FEED.model_copy(update={"accept": ("prices_alike",)})
    assert read(text, accepting)[1].reason is None
