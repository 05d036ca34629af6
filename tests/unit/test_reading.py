import base64
import gzip
import io
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd import reading
from ingestd.config import Feed, Limits, parse
from ingestd.feed import copytext, vin
from ingestd.feed.encode import own_target, rejection, stored
from ingestd.mail.parts import blocks
from ingestd.model import (
    Arrival,
    Duplicate,
    Excerpt,
    File,
    Finding,
    Finished,
    Identity,
    Known,
    ReadJob,
)
from ingestd.rooftops import Rooftops
from ingestd.vehicle import FIELDS

TARGET = own_target()
LIMITS = Limits()
FEED = Feed(name="lot", dealership=1, mode="full")


def valid(number):
    body = f"KM8K2CAB0RU{number:06}"
    return body[:8] + vin.check_digit(body) + body[9:]


A, B, C = valid(1), valid(2), valid(3)
HEAD = "VIN\tStock\tMake\tModel\tYear\tPrice\tNotes\n"


def line(*cells):
    return "\t".join(cells) + "\n"


def job(*names, known=()):
    files = tuple(File(index, name, 1, "lot") for index, name in enumerate(names))
    return ReadJob("0", "folder", names[0], files, 1, "2026-11-23", TARGET, Known(frozenset(known)))


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(f"{name}.tsv", text)
    return data.getvalue()


def read(text, *names, feed=FEED, limits=LIMITS, known=()):
    """Read a delivery; give the lines of the stage and the last word."""
    data = text if isinstance(text, bytes) else text.encode()
    *sent, finished = reading.read(
        job(*(names or ("lot.tsv",)), known=known), blocks(data), feed, limits
    )
    assert isinstance(finished, Finished)
    blocks_sent = [block for block in sent if isinstance(block, bytes)]
    assert len(blocks_sent) == len(sent)
    text_sent = b"".join(blocks_sent).decode()
    return [f"{sent_line}\n" for sent_line in text_sent.split("\n")[:-1]], finished


def vehicles(lines):
    return [stored(TARGET, sent) for sent in lines if rejection(sent) is None]


# The whole way


def test_a_file_becomes_lines_of_the_stage_and_its_books_balance():
    text = HEAD + line(A, "S1", "Kia", "Rio", "2024", "$25,000", "") + "\n" + line("", "", "Kia")
    lines, finished = read(text + line(B, "S2", "Kia", "Rio", "2025", "12x", "hi"))
    assert [vehicle["vin"] for vehicle in vehicles(lines)] == [A, B]
    assert vehicles(lines)[0]["price"] == "25000.00"
    (books,) = finished.files
    assert (books.lines, books.header, books.blank, books.rows, books.rejected) == (5, 1, 1, 2, 1)
    assert books.warnings_list == (Finding(5, "Price", "unreadable_number", "12x"),)
    assert (books.encoding, books.delimiter, books.quoting) == ("utf-8", "\t", "none")
    assert books.mapping["stock_number"] == ("Stock",)
    assert books.unmapped == ("Notes",)
    assert not books.cut_off


def test_columns_absent_or_blank_in_every_row_are_told_once():
    _, finished = read(HEAD + line(A, "S1", "Kia", "Rio", "2024", "", ""))
    (books,) = finished.files
    assert books.keep & (1 << FIELDS.index("price"))
    assert books.keep & (1 << FIELDS.index("trim"))
    assert not books.keep & (1 << FIELDS.index("make"))
    assert books.warnings_list == (Finding(1, "Price", "blank_column", ""),)


REAL_HEADER = (
    "Condition\tYear\tMake\tModel\tVIN\tAdvertiser Name\tColor\tDescription\tDoors\tDrivetrain\t"
    "Formatted Price\tFuel Type\tImage Type\tImage URL\tMileage\tPrice\tTitle\tTransmission\tTrim\t"
    "Type\tURL\tVehicle Type\tstock_number"
)


def real_row(number, price):
    whole = price.removesuffix(".00")
    return (
        f"Used\t2024\tHyundai\tIoniq 5\t{valid(number)}\tInvented Motors\tUltra Black\t"
        f"Used 2024 Hyundai Ioniq 5\t4\tAWD\t{whole}\tElectric\tReal\t"
        f"https://img.lot.example/w_400,h_300/{number}.jpg\t{number}\t{price}\tUsed 2024\tCVT CVT\t"
        f"SEL\tSUV\thttps://lot.example/{number}\tCar_Truck\tDT2525{number}"
    )


def test_the_platforms_own_feed_is_read_with_all_its_quirks():
    text = "\r\n".join((REAL_HEADER, real_row(1, "$59,277.00"), real_row(2, "")))
    lines, finished = read(text)
    first, second = vehicles(lines)
    assert first["price"] == "59277.00"
    assert first["msrp"] is None
    assert first["transmission"] == "CVT CVT"
    assert first["body_style"] == "SUV"
    assert first["condition"] == "Used"
    assert first["status"] is None
    assert first["images"] == ["https://img.lot.example/w_400,h_300/1.jpg"]
    assert first["stock_number"] == "DT25251"
    assert second["price"] is None
    (books,) = finished.files
    assert books.unmapped == ("Advertiser Name",)
    assert (books.rows, books.rejected, books.warnings) == (2, 0, 0)
    assert "Invented Motors" in lines[0]


IMPORT_GUIDE = (
    "VIN StockNumber Make Model Year Trim ExteriorColor InteriorColor Mileage Price MSRP "
    "BodyStyle Transmission Engine FuelType Drivetrain Features Images"
)
SEED_FALLBACKS = (
    "VIN Stock Make Model Year Trim Color InteriorColor Mileage MSRP Body Transmission Engine "
    "Fuel DriveType Features Images"
)
MANAGEMENT_GUIDE = (
    "vin make model year trim body_style msrp sale_price status ext_color int_color mileage "
    "engine transmission drivetrain fuel_type features stock_number description images"
)


@pytest.mark.parametrize("header", [IMPORT_GUIDE, SEED_FALLBACKS, MANAGEMENT_GUIDE])
def test_the_documented_headers_are_read_whole(header):
    names = header.split()
    cells = {
        "vin": A,
        "stocknumber": "S1",
        "stock": "S1",
        "year": "2024",
        "mileage": "12",
        "price": "25000",
        "msrp": "26000",
        "saleprice": "25000",
        "features": "a,b",
        "images": "https://a.example/1,https://a.example/2",
        "status": "active",
    }
    row = [cells.get(name.lower().replace("_", ""), "x1") for name in names]
    lines, finished = read("\t".join(names) + "\n" + line(*row))
    (vehicle,) = vehicles(lines)
    assert finished.files[0].unmapped == ()
    assert finished.files[0].warnings == 0
    assert vehicle["vin"] == A
    assert vehicle["price"] == ("26000.00" if "Body" in names else "25000.00")
    assert vehicle["features"] == ["a", "b"]
    assert vehicle["images"] == ["https://a.example/1", "https://a.example/2"]
    filled = {field for field, value in vehicle.items() if value is not None}
    assert len(filled) >= len(names) - 1


# Refusals: nothing of the file is sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n\x00\x01\x02\x03", "not_a_table"),
        ("hello\nworld\n", "no_table"),
        ("Make\tModel\tYear\nKia\tRio\t2024\n", "no_identifier_column"),
        (HEAD, "no_usable_row"),
        (HEAD + line("TBD", "", "Kia", "Rio", "2024", "", "") + "x\n", "no_usable_row"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(text, reason):
    lines, finished = read(text)
    assert lines == []
    (books,) = finished.files
    assert books.reason == reason
    assert books.message
    assert books.lines == 0


def test_the_refusal_of_a_file_without_identifier_names_what_was_found():
    _, finished = read("Vin Kode\tMake\tModel\nx\tKia\tRio\n")
    assert "Vin Kode, Make, Model" in finished.files[0].message
    assert finished.files[0].headers == ("Vin Kode", "Make", "Model")


def test_the_refusal_of_a_file_without_usable_row_quotes_the_first():
    _, finished = read(HEAD + line("TBD", "", "Kia", "Rio", "2024", "", "") + line("", "", "Kia"))
    message = finished.files[0].message
    assert "none of the 2 rows" in message
    assert "line 2, column 'VIN': no_identifier 'TBD'" in message
    _, finished = read(HEAD + "\tonly\tthree\n\n")
    assert "line 2: too_few_cells 'only'" in finished.files[0].message


def test_a_usable_row_anywhere_saves_the_file():
    junk = line("TBD", "", "Kia", "Rio", "2024", "", "")
    lines, finished = read(HEAD + junk * 3 + line(A, "", "Kia", "Rio", "2024", "", ""))
    assert len(lines) == 4
    assert finished.files[0].rejected == 3


# One delivery, several files


def test_several_files_are_one_state_of_the_lot():
    new = HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "")
    used = HEAD + line(A, "", "", "", "", "950", "") + line(B, "S2", "Kia", "Rio", "2020", "", "")
    lines, finished = read(zipped(new=new, used=used), "new.tsv", "used.tsv")
    assert len(lines) == 3
    assert [books.rows for books in finished.files] == [1, 2]
    assert finished.duplicates == (Duplicate(0, 2, 1, 2),)
    assert finished.identities == (Identity(1, 2, A, "S1", "Kia", "Rio", 2024),)


def test_a_refused_file_does_not_keep_the_other_from_being_read():
    good = HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "")
    lines, finished = read(zipped(bad="hello\n", good=good), "bad.tsv", "good.tsv")
    assert len(lines) == 1
    assert [books.reason for books in finished.files] == ["no_table", None]
    assert copytext.fields(lines[0])[0] == "1"


def test_a_file_that_the_delivery_does_not_hold_is_refused():
    good = HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "")
    _, finished = read(good, "lot.tsv", "more.tsv")
    assert [books.reason for books in finished.files] == [None, "no_table"]


def test_a_blocked_member_is_refused_with_its_reason():
    _, finished = read(b"PK\x03\x04 no archive", "lot.zip")
    assert finished.files[0].reason == "unreadable_archive"


# In-file identity


def test_a_dummy_vin_on_different_cars_is_told_and_taken_off():
    text = (
        HEAD
        + line(A, "S1", "Kia", "Rio", "2024", "", "")
        + line(A, "S2", "Ford", "Focus", "2020", "", "")
    )
    _, finished = read(text + line(A, "", "Ford", "Focus", "2020", "", ""))
    assert [identity.vin for identity in finished.identities] == [None, None]
    assert finished.rejected == ((0, Finding(4, "VIN", "vin_repeated", A)),)
    (books,) = finished.files
    assert (books.rows, books.rejected) == (2, 1)
    repeated = [finding for finding in books.warnings_list if finding.reason == "vin_repeated"]
    assert [finding.line for finding in repeated] == [2, 3]


def test_a_row_without_vin_under_two_vins_is_rejected_after_all():
    text = HEAD + "".join(line(v, "S1", "Kia", "Rio", "2024", "", "") for v in (A, B, ""))
    lines, finished = read(text)
    assert len(lines) == 3
    assert finished.rejected == ((0, Finding(4, "Stock", "ambiguous_stock_number", "S1")),)
    assert (finished.files[0].rows, finished.files[0].rejected) == (2, 1)


def test_a_vin_known_as_a_dummy_is_nobodys():
    lines, _ = read(HEAD + line(A, "S1", "Kia", "Rio", "2024", "", ""), known=[A])
    assert vehicles(lines)[0]["vin"] is None


# The feed's own words


def test_a_header_that_only_the_feed_knows_makes_a_table():
    feed = Feed(
        name="lot", dealership=1, mode="full", columns={"vin": ("Serial",), "make": ("Marke",)}
    )
    lines, _ = read(f"Serial\tMarke\n{A}\tKia\n", feed=feed)
    assert vehicles(lines)[0]["make"] == "Kia"


def test_a_line_cut_off_is_remembered():
    _, finished = read(HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "") + f"{B}\tS2")
    assert finished.files[0].cut_off


def test_a_sample_of_long_rows_stays_small():
    text = HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "x" * 900_000) * 4
    lines, _ = read(text)
    assert len(lines) == 4


def test_a_sample_ends_after_five_hundred_rows():
    text = HEAD + "".join(line(valid(n), "", "Kia", "Rio", "2024", "900", "") for n in range(600))
    lines, _ = read(text)
    assert len(lines) == 600


def test_blocks_hold_whole_lines():
    text = HEAD + "".join(
        line(valid(n), "", "Kia", "Rio", "2024", "900", "n" * 500) for n in range(900)
    )
    *sent, _ = reading.read(job("lot.tsv"), blocks(text.encode()), FEED, LIMITS)
    assert len(sent) > 1
    assert all(isinstance(block, bytes) and block.endswith(b"\n") for block in sent)


# Opening


def arrival(name, *, hint=None):
    return Arrival(
        "drop", "folder", "k", name, "0" * 64, 5, datetime(2026, 11, 23, tzinfo=UTC), hint
    )


def test_each_file_of_a_delivery_gets_its_feed_or_a_reason():
    feeds = (Feed(name="new", dealership=1, mode="full", file=("new*",)),)
    content = blocks(zipped(new=HEAD, used=HEAD))
    new, used = reading.open_delivery(arrival("lot.zip"), content, feeds, LIMITS).files
    assert (new.index, new.name, new.size, new.feed, new.reason) == (
        0,
        "new.tsv",
        len(HEAD),
        "new",
        None,
    )
    assert (used.index, used.feed, used.reason) == (1, None, "no_feed")


def test_a_file_that_is_no_table_gets_its_feed_all_the_same():
    (file,) = reading.open_delivery(
        arrival("lot.tsv", hint="lot"), blocks(b""), (FEED,), LIMITS
    ).files
    assert (file.feed, file.size) == ("lot", 0)


def test_a_gzip_is_opened():
    packed = blocks(gzip.compress(HEAD.encode()))
    (file,) = reading.open_delivery(arrival("lot.tsv.gz"), packed, (FEED,), LIMITS).files
    assert (file.name, file.feed) == ("lot.tsv", "lot")


def test_a_damaged_archive_has_a_reason():
    content = blocks(b"PK\x03\x04 no archive")
    (file,) = reading.open_delivery(arrival("lot.zip"), content, (FEED,), LIMITS).files
    assert (file.feed, file.reason) == ("lot", "unreadable_archive")


def test_a_delivery_without_any_file_is_one_refused_file():
    empty = zipped()
    (file,) = reading.open_delivery(arrival("lot.zip"), blocks(empty), (FEED,), LIMITS).files
    assert (file.index, file.name, file.feed, file.reason) == (0, "lot.zip", "lot", "no_table")


MAIL = (
    b"From: lot@dealer.example\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: text/tab-separated-values\r\n"
    b'Content-Disposition: attachment; filename="lot.tsv"\r\n\r\n' + HEAD.encode() + b"\r\n"
    b"--x\r\nContent-Type: application/zip\r\n"
    b"Content-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="lot.zip"\r\n\r\n'
)


def test_the_attachments_of_a_dropped_message_are_opened_archives_too():
    body = MAIL + base64.encodebytes(zipped(used=HEAD)) + b"\r\n--x--\r\n"
    files = reading.open_delivery(arrival("mail.eml"), blocks(body), (FEED,), LIMITS).files
    assert [file.name for file in files] == ["lot.tsv", "used.tsv"]


def test_a_message_with_nothing_that_can_be_read_is_refused():
    body = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"
    (file,) = reading.open_delivery(arrival("mail.eml"), blocks(body), (FEED,), LIMITS).files
    assert (file.feed, bool(file.reason)) == ("lot", True)


def test_a_blocked_attachment_keeps_its_reason():
    body = MAIL.replace(b"application/zip", b"application/pdf").replace(b"lot.zip", b"lot.pdf")
    body = body.replace(b"text/tab-separated-values", b"application/pdf").replace(
        b"lot.tsv", b"lot.pdf"
    )
    files = reading.open_delivery(
        arrival("mail.eml"), blocks(body + b"\r\n--x--\r\n"), (FEED,), LIMITS
    ).files
    assert {file.reason for file in files} == {"not_a_table"}


# The sender's own lines


def excerpt(text, *findings, name="lot.tsv", feed=None):
    data = text if isinstance(text, bytes) else text.encode()
    reasons = tuple((finding.line, finding.reason) for finding in findings)
    wanted = Excerpt(arrival(name), 0, None, reasons)
    return b"".join(reading.excerpt(wanted, blocks(data), feed, LIMITS)).decode()


def test_the_excerpt_has_the_senders_lines_with_number_and_reason_in_front():
    text = "VIN,Make\r\nA,Kia\r\nB,Ford\r\n"
    got = excerpt(text, Finding(3, "VIN", "bad_vin", "B"), Finding(3, None, "second", ""))
    assert got == "line,reason,VIN,Make\n3,bad_vin,B,Ford\n"


def test_the_excerpt_gives_a_record_of_several_lines_whole():
    text = 'VIN,Make,Notes\n"A","Kia","one\ntwo"\n"B","Ford","x"\n'
    got = excerpt(text, Finding(2, None, "bad_vin", ""), Finding(4, None, "bad_vin", ""))
    assert (
        got
        == 'line,reason,VIN,Make,Notes\n2,bad_vin,"A","Kia","one\ntwo"\n4,bad_vin,"B","Ford","x"\n'
    )


def test_the_excerpt_is_utf_8_whatever_the_file_was():
    got = excerpt("VIN\tMake\nA\tCitro\u00ebn\n".encode("utf-16"), Finding(2, None, "bad_vin", ""))
    assert got.endswith("2\tbad_vin\tA\tCitro\u00ebn\n")


def test_the_excerpt_knows_the_headers_that_the_feed_configures():
    own = Feed(
        name="own", dealership=1, mode="full", columns={"vin": ("FIN",), "make": ("Hersteller",)}
    )
    finding = Finding(2, None, "bad_vin", "")
    assert excerpt("FIN\tHersteller\nA\tKia\n", finding, feed=own).endswith("A\tKia\n")


def test_of_a_file_that_is_no_table_there_is_no_excerpt():
    assert excerpt("", Finding(1, None, "empty", "")) == ""
    assert excerpt(b"PK\x03\x04 no", Finding(1, None, "x", ""), name="lot.zip") == ""


# Inspection


def inspect(text, name="lot.tsv", feed=None):
    data = text if isinstance(text, bytes) else text.encode()
    return reading.inspect(blocks(data), name, feed, "2026-11-23", LIMITS)


def test_an_inspection_shows_what_would_be_stored_and_what_would_not():
    text = (
        HEAD
        + line(A, "S1", "Kia", "Rio", "2024", "$25,000", "hi")
        + line("TBD", "", "Kia", "Rio", "2024", "", "")
    )
    (got,) = inspect(text)
    assert got.reason is None
    assert (got.lines, got.header, got.rows, got.rejected) == (3, 1, 1, 1)
    assert got.sample[0]["price"] == "25000.00"
    assert got.rejections == (Finding(3, "VIN", "no_identifier", "TBD"),)
    assert got.mapping["vin"] == ("VIN",)
    assert parse(got.config, {}).feed[0].name == "lot"


def test_an_inspection_shows_rows_that_turn_out_to_be_nobodys():
    text = HEAD + "".join(line(v, "S1", "Kia", "Rio", "2024", "", "") for v in (A, B, "", A))
    (got,) = inspect(text, feed=FEED)
    assert got.rejections == (Finding(4, "Stock", "ambiguous_stock_number", "S1"),)
    assert (got.rows, got.rejected, got.duplicates) == (3, 1, 1)


def test_an_inspection_of_a_refused_file_says_why():
    (got,) = inspect("hello\n")
    assert got.reason == "no_table"
    assert got.message
    (got,) = inspect(b"PK\x03\x04 no", "lot.zip")
    assert got.reason == "unreadable_archive"
    assert got.suggestions == ()


def test_an_inspection_shows_a_few_rows_and_a_hundred_rejections():
    rows = [line(valid(n), "", "Kia", "Rio", "2024", "900", "") for n in range(9)]
    (got,) = inspect(HEAD + "".join(rows) + line("TBD", "", "Kia", "Rio", "2024", "", "") * 120)
    assert len(got.sample) == reading.MOST_SAMPLES
    assert len(got.rejections) == reading.MOST_REJECTIONS
    assert got.rejected == 120


def test_an_inspection_shows_how_full_columns_are_what_was_rejected_and_what_is_left():
    rows = line(A, "S1", "Kia", "Rio", "2024", "$25,000", "hi") + line(
        B, "", "Kia", "Rio", "2024", "", ""
    )
    (got,) = inspect(HEAD + rows + line("", "", "Kia", "Rio", "2024", "", "") + "Total: 2\n")
    assert (got.filled["vin"], got.filled["price"]) == (2, 1)
    assert got.samples["vin"] == (A, B)
    assert got.reasons == {"no_identifier": 1, "footer": 1}
    assert [left.header for left in got.leftover] == ["Notes"]
    assert "valid UTF-8" in got.why


def test_an_inspection_of_a_file_without_header_proposes_its_positions():
    (got,) = inspect(f"{A},2024,Kia\n{B},2023,Kia\n", "lot.csv")
    assert got.reason == "no_header"
    assert parse(got.config, {}).feed[0].positions == ("vin", "year", "make")


def test_an_inspection_tells_which_rows_can_be_no_new_vehicle():
    text = "VIN\tMake\tYear\n" + line(A, "Kia", "2024") + line(B, "Kia", "soon")
    (got,) = inspect(text)
    assert (got.reason, got.held, got.rows) == (None, None, 2)
    assert (got.lacking, got.uninsertable) == ({"model": 2, "year": 1}, 2)
    assert "no column for model" in got.outlook[0]
    assert "1 of 2 rows give no year" in got.outlook[1]


def test_what_the_feed_gives_by_default_is_not_lacking():
    defaults = FEED.model_copy(update={"defaults": {"model": "Rio"}})
    (got,) = inspect("VIN\tMake\tYear\n" + line(A, "Kia", "2024"), feed=defaults)
    assert (got.lacking, got.uninsertable, got.outlook) == ({}, 0, ())
    assert "model" not in got.config


def test_an_inspection_tells_that_an_import_would_be_held():
    rows = (
        line(A, "", "Kia", "Rio", "2024", "", "") + line("", "", "Kia", "Rio", "2024", "", "") * 9
    )
    (got,) = inspect(HEAD + rows)
    assert (got.held, got.rejected) == ("rejected_rows", 9)
    assert "9 of 10 rows are rejected" in got.hold_message


def test_an_inspection_for_a_group_reads_each_row_for_the_dealership_that_it_names():
    rooftops = Rooftops(column="Notes", map={"N": 7, "S": 8})
    group = FEED.model_copy(update={"rooftops": rooftops})
    given = [(A, "S1", "N"), (B, "S1", "S"), (A, "S1", "N"), ("", "S9", "elsewhere")]
    text = HEAD + "".join(line(v, s, "Kia", "Rio", "2024", "", whose) for v, s, whose in given)
    (got,) = inspect(text, feed=group)
    assert got.dealerships == ({"id": 7, "rows": 2}, {"id": 8, "rows": 1})
    assert (got.rows, got.duplicates, got.reasons) == (3, 1, {"unknown_rooftop": 1})
    assert got.held is None
    assert parse(got.config, {}).feed[0].rooftops == rooftops


def test_a_group_feed_of_whose_column_the_file_has_none_is_refused_as_in_an_import():
    rooftops = Rooftops(column="Lot", map={"N": 7})
    (got,) = inspect(HEAD, feed=FEED.model_copy(update={"rooftops": rooftops}))
    assert (got.reason, got.config) == ("no_rooftop_column", "")


def test_an_inspection_shows_each_file_of_an_archive():
    good = HEAD + line(A, "S1", "Kia", "Rio", "2024", "900", "")
    assert [one.file for one in inspect(zipped(a=good, b=good), "lot.zip")] == ["a.tsv", "b.tsv"]


CELL = st.one_of(
    st.text(st.characters(exclude_characters="\n\r"), max_size=8),
    st.sampled_from(["", A, B, "S1", "S2", "Kia", "2024", "$900", "\\N", '"', "Call", "VIN", "\t"]),
)
ROWS = st.lists(st.lists(CELL, min_size=1, max_size=9), max_size=8)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(["", "\n"]))
def test_whatever_the_cells_every_line_is_accounted_for_and_every_record_is_one_line_sent(
    rows, end
):
    text = HEAD + line(A, "S9", "Kia", "Rio", "2024", "900", "")
    text += "\n".join("\t".join(cells) for cells in rows) + end
    lines, finished = read(text.encode("utf-8", "replace"))
    (books,) = finished.files
    if books.reason is not None:
        assert lines == []
        return
    assert books.lines == books.header + books.blank + books.rows + books.rejected
    assert len(lines) == books.rows + books.rejected
    fields = [copytext.fields(sent) for sent in lines]
    assert {len(found) for found in fields} == {len(TARGET.stage())}
    assert len({found[1] for found in fields}) == len(lines)
    refused = sum(found[4] is not None for found in fields)
    assert refused + len(finished.rejected) == books.rejected


def test_a_group_file_is_read_for_each_of_its_dealerships():
    feed = Feed(
        name="lot", dealership=1, mode="full", rooftops={"column": "Notes", "map": {"N": 1, "S": 2}}
    )
    north = line(A, "S1", "Kia", "Rio", "2024", "19995", "N")
    south = line(B, "S2", "Kia", "Rio", "2024", "19995", "S")
    content = zipped(new=HEAD + north + line("x"), used=HEAD + south + south)
    asked = ReadJob(
        "0",
        "folder",
        "lots.zip",
        (File(0, "new.tsv", 1, "lot"), File(1, "used.tsv", 1, "lot")),
        1,
        "2026-11-23",
        TARGET,
    )
    items = list(reading.read(asked, blocks(content), feed, LIMITS))
    copied = [item for item in items if isinstance(item, bytes)]
    finished = items[-1]
    assert isinstance(finished, Finished)

    assert [line.split("\t")[2] for line in b"".join(copied).decode().splitlines()] == list("1022")
    assert [file.rows for file in finished.files] == [1, 2]
    assert [part.dealership for part in finished.parts] == [1, 2]
    assert [[file.rows for file in part.files] for part in finished.parts] == [[1, 0], [0, 2]]
    assert [len(part.duplicates) for part in finished.parts] == [0, 1]
