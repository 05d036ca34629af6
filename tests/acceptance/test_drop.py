"""A file dropped into a running daemon's folder becomes vehicles, or a clear answer."""

import gzip
import io
import os
import signal
import time
import zipfile
from email.message import EmailMessage

import pytest

from tests.acceptance.lots import HEADER, lot, row, vin
from tests.acceptance.running import wait_for

VEHICLES = "SELECT vin, price::text, xmin::text AS version, updated_at FROM vehicles ORDER BY vin"


def accounted(receipt):
    return receipt["lines"] == sum(receipt["counts"].values())


@pytest.mark.alone
async def test_a_dropped_file_is_in_vehicles_within_three_seconds(daemon, ask):
    daemon.start()
    dropped_at = time.monotonic()
    daemon.drop("lot.tsv", lot(100))
    receipt = daemon.receipt("lot.tsv")
    took = time.monotonic() - dropped_at

    assert took < 3
    assert (receipt["outcome"], receipt["counts"]["added"]) == ("imported", 100)
    assert accounted(receipt)
    assert len(await ask(VEHICLES)) == 100


async def test_the_file_lies_beside_its_receipt_unaltered(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", lot(3))
    receipt = daemon.receipt("lot.tsv")
    (found,) = daemon.drop_dir.glob(f"imported/*-{receipt['delivery_id']}-lot.tsv")

    assert found.read_bytes() == lot(3)
    assert not list(daemon.drop_dir.glob("incoming/lot/*"))
    assert not [path for path in daemon.drop_dir.glob("working/**/*") if path.is_file()]


async def test_the_same_file_again_writes_not_one_row(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", lot(50))
    daemon.receipt("lot.tsv")
    before = await ask(VEHICLES)
    daemon.drop("lot.tsv", lot(50))
    receipt = daemon.receipt("lot.tsv", 2)

    assert (receipt["outcome"], receipt["counts"]["unchanged"]) == ("unchanged", 50)
    assert await ask(VEHICLES) == before


async def test_a_changed_price_updates_exactly_that_row(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", lot(50))
    daemon.receipt("lot.tsv")
    before = {r["vin"]: r for r in await ask(VEHICLES)}
    daemon.drop("lot.tsv", lot(50, changed={7: 31_999}))
    receipt = daemon.receipt("lot.tsv", 2)
    after = {r["vin"]: r for r in await ask(VEHICLES)}

    assert (receipt["counts"]["updated"], receipt["counts"]["unchanged"]) == (1, 49)
    assert [v for v in after if after[v] != before[v]] == [vin(7)]
    assert after[vin(7)]["price"] == "31999.00"


BAD_ROWS = lot(97) + b"\t\tZeta\tEagle\n" + b"not a row\n" + f"TBD\t\t{row(1)[24:]}\n".encode()


@pytest.mark.parametrize(
    ("content", "outcome", "reason"),
    [
        (b"", "rejected", "empty"),
        (b"\n \n\n", "rejected", "empty"),
        (b"\x7fELF\x02\x01\x01" + bytes(300), "rejected", "not_a_table"),
        (
            b"Make\tModel\tYear\tPrice\nZeta\tEagle\t2023\t9000\n",
            "rejected",
            "no_identifier_column",
        ),
        (b"hello, this is a letter\nwith two lines\n", "rejected", None),
        (HEADER.encode() + b"\n", "rejected", "no_usable_row"),
        (BAD_ROWS, "imported", None),
    ],
    ids=["empty", "blank", "binary", "no identifier", "a letter", "header only", "3 bad of 100"],
)
async def test_a_bad_file_gets_a_clear_receipt_and_the_daemon_goes_on(
    daemon, ask, content, outcome, reason
):
    daemon.start()
    daemon.drop("bad.tsv", content)
    receipt = daemon.receipt("bad.tsv")
    daemon.drop("good.tsv", lot(5, first=500))

    assert receipt["outcome"] == outcome
    assert reason is None or receipt["reason"] == reason
    assert receipt["message"] or receipt["rejections"]
    assert receipt["counts"] is None or accounted(receipt)
    assert daemon.receipt("good.tsv")["counts"]["added"] == 5


async def test_rejected_lines_lie_beside_the_receipt_as_the_sender_wrote_them(daemon, ask):
    daemon.start()
    daemon.drop("bad.tsv", BAD_ROWS)
    receipt = daemon.receipt("bad.tsv")
    (paper,) = daemon.drop_dir.glob("imported/*-bad.rejected.tsv")
    lines = paper.read_text().splitlines()

    assert receipt["counts"]["rejected"] == 3
    assert lines[0] == f"line\treason\t{HEADER}"
    assert [line.split("\t")[0] for line in lines[1:]] == ["99", "100", "101"]
    assert lines[2].endswith("\tnot a row")


async def test_a_file_cut_in_mid_line_is_loaded_but_for_the_cut_line(daemon, ask):
    daemon.start()
    daemon.drop("cut.tsv", lot(20)[:-40])
    receipt = daemon.receipt("cut.tsv")

    assert receipt["outcome"] == "imported"
    assert (receipt["counts"]["added"], receipt["counts"]["rejected"]) == (19, 1)
    assert receipt["rejections"][0]["reason"] == "cut_off"


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("new.tsv", lot(3))
        archive.writestr("used.tsv", lot(4, first=100))
    return made.getvalue()


def mailed() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Inventory Update"
    message.set_content("see attachment")
    message.add_attachment(lot(3), maintype="application", subtype="octet-stream", filename="a.tsv")
    return message.as_bytes()


@pytest.mark.parametrize(
    ("name", "content", "added"),
    [("lot.zip", zipped(), 7), ("lot.tsv.gz", gzip.compress(lot(3)), 3), ("lot.eml", mailed(), 3)],
)
async def test_a_packed_file_is_opened(daemon, ask, name, content, added):
    daemon.start()
    daemon.drop(name, content)

    async def loaded():
        return len(await ask(VEHICLES))

    wait_for(lambda: list(daemon.drop_dir.glob("imported/*.report.json")), daemon.log()[-2000:])
    assert await loaded() == added


async def test_a_file_dropped_beside_the_feeds_goes_to_the_only_one(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", lot(3), feed=None)

    assert daemon.receipt("lot.tsv")["feed"] == "lot"


async def test_a_file_that_two_feeds_want_is_refused_by_name(daemon, ask):
    daemon.feeds = {"new": "", "used": ""}
    daemon.start()
    daemon.drop("lot.tsv", lot(3), feed=None)
    receipt = daemon.receipt("lot.tsv")

    assert receipt["reason"] == "several_feeds"
    assert "new" in receipt["message"]
    assert "used" in receipt["message"]


async def test_a_folder_that_names_no_feed_is_refused_with_the_nearest(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", lot(3), feed="lto")
    receipt = daemon.receipt("lot.tsv")

    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "no_feed")
    assert '"lot"' in receipt["message"]


async def test_the_metrics_are_the_sum_of_the_receipts(daemon, ask):
    daemon.start()
    daemon.drop("lot.tsv", BAD_ROWS)
    receipt = daemon.receipt("lot.tsv")
    page = daemon.get("/metrics")[1]

    for outcome in ("added", "updated", "unchanged", "duplicate", "rejected"):
        expected = float(receipt["counts"][outcome])
        assert f'ingestd_rows_total{{feed="lot",outcome="{outcome}"}} {expected}' in page


async def test_a_file_that_is_being_written_is_left_alone(daemon, ask):
    daemon.start()
    place = daemon.drop_dir / "incoming" / "lot"
    place.mkdir(parents=True, exist_ok=True)
    content = lot(40)
    with (place / "slow.tsv").open("wb", buffering=0) as slow:
        slow.write(content[:1000])
        daemon.drop("other.tsv", lot(2, first=300))
        daemon.receipt("other.tsv")
        slow.write(content[1000:])
        assert not daemon.receipts("slow.tsv")
    receipt = daemon.receipt("slow.tsv")

    assert receipt["counts"]["added"] == 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_daemon_well_within_five_seconds(daemon, ask, number):
    daemon.start()

    assert daemon.end(number, within=5) == 0


async def test_files_dropped_while_it_was_down_are_done_at_the_start(daemon, ask):
    daemon.drop("one.tsv", lot(5))
    daemon.drop("two.tsv", lot(5, changed={1: 9_000}))
    os.utime(daemon.drop_dir / "incoming/lot/two.tsv", (2e9, 2e9))
    daemon.start()
    daemon.receipt("one.tsv")
    daemon.receipt("two.tsv")

    prices = {r["vin"]: r["price"] for r in await ask(VEHICLES)}
    assert prices[vin(1)] == "9000.00"


async def test_a_reload_takes_a_good_configuration_and_refuses_a_bad_one(daemon, ask):
    daemon.start()
    assert daemon.process is not None
    good = daemon.config.read_text()
    daemon.config.write_text(good + "[[feed]]\nname = 'x'\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload.refused" in daemon.log(), "the refusal")
    assert "ingestd_config_last_reload_successful 0.0" in daemon.get("/metrics")[1]

    daemon.config.write_text(good + '[[feed]]\nname = "new"\ndealership = 99\nmode = "delta"\n')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.log().count("reload.refused") == 2, "the second refusal")
    assert "dealerships add" in daemon.log()

    daemon.config.write_text(good + '[[feed]]\nname = "new"\ndealership = 2\nmode = "delta"\n')
    daemon.process.send_signal(signal.SIGHUP)
    incoming = daemon.drop_dir / "incoming" / "new"
    wait_for(incoming.is_dir, "the new feed's folder")
    daemon.drop("lot.tsv", lot(3), feed="new")

    assert daemon.receipt("lot.tsv")["dealership_id"] == 2
