"""The sample feed looks like a real dealer's, is wholly invented, and can be made again."""

from importlib.resources import files
from urllib.parse import urlsplit

from bench.sample import DEALER, HEADER, JUNK_TRIM, PLACEHOLDER, ROWS, feed
from ingestd.feed.vin import Verdict, judge

SAMPLE = (files("ingestd") / "sample" / "prairie-crossing.tsv").read_bytes()
LINES = SAMPLE.decode("ascii").split("\r\n")
VEHICLES = [dict(zip(HEADER, line.split("\t"), strict=True)) for line in LINES[1:]]
GOOD = [row for row in VEHICLES if row["Model"] and row["stock_number"]]


def having(column: str, value: str = "") -> int:
    return sum(row[column] == value for row in VEHICLES)


def test_the_file_is_the_one_that_is_printed():
    assert feed() == SAMPLE, "python bench/sample.py > ingestd/sample/prairie-crossing.tsv"


def test_its_dialect_is_that_of_a_real_feed():
    assert LINES[0].split("\t") == list(HEADER)
    assert len(HEADER) == 23
    assert len(VEHICLES) == ROWS == 200
    assert not SAMPLE.endswith(b"\n")
    assert SAMPLE.count(b"\n") == SAMPLE.count(b"\r") == ROWS
    assert b'"' not in SAMPLE
    assert max(map(len, LINES)) <= 455


def test_every_vin_has_its_check_digit_and_its_year():
    for row in GOOD:
        assert judge(row["VIN"], int(row["Year"])) == Verdict(row["VIN"])


def test_no_two_vehicles_share_a_vin_or_a_stock_number():
    assert len({row["VIN"] for row in GOOD}) == len(GOOD)
    assert len({row["stock_number"] for row in GOOD}) == len(GOOD)


def test_two_rows_are_bad_one_that_nothing_identifies_and_one_without_a_model():
    nameless, modelless = sorted(
        (row for row in VEHICLES if row not in GOOD), key=lambda row: row["Model"], reverse=True
    )
    assert (nameless["VIN"], nameless["stock_number"]) == ("TBD", "")
    assert modelless["Model"] == ""
    assert modelless["VIN"]
    assert len(GOOD) == 198


def test_a_fifth_of_the_prices_is_missing_and_only_on_used_cars():
    unpriced = [row for row in VEHICLES if not row["Price"]]
    assert len(unpriced) == 40
    assert all(row["Condition"] == "Used" and not row["Formatted Price"] for row in unpriced)


def test_prices_come_with_cents_and_without():
    for row in VEHICLES:
        if row["Price"]:
            assert row["Price"] == f"{row['Formatted Price']}.00"
            dollars = int(row["Formatted Price"].lstrip("$").replace(",", ""))
            assert row["Formatted Price"] == f"${dollars:,}"
            assert 2_000 < dollars < 90_000


def test_it_has_the_blanks_and_the_junk_of_a_real_feed():
    assert having("Transmission") >= 15
    assert having("Transmission", "CVT CVT") >= 5
    assert having("Trim", JUNK_TRIM) == 8
    assert having("Image URL", PLACEHOLDER) == 35
    assert [having(name) for name in ("Color", "Doors", "Fuel Type", "Mileage")] == [3, 1, 1, 1]
    assert having("Condition", "New") == 50
    assert {row["Drivetrain"] for row in VEHICLES} == {"AWD", "FWD", "4X4", "RWD"}


def test_its_places_on_the_web_cannot_exist():
    for row in VEHICLES:
        for column in ("URL", "Image URL"):
            address = urlsplit(row[column])
            assert address.scheme == "https"
            assert str(address.hostname).endswith(".prairiecrossing.example")
    assert {row["Advertiser Name"] for row in VEHICLES} == {DEALER}
