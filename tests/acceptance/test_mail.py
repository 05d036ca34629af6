"""A mail's way from INBOX to the vehicles and into its folder, with the installed daemon."""

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.acceptance.bombs import BOMBS
from tests.acceptance.lots import HEADER, lot, row, vin
from tests.acceptance.mailhouse import House, founded, letter, opened
from tests.acceptance.running import command, wait_for

FEEDS = (
    (
        'name = "zeta"\ndealership = 1\nmode = "full"\nfrom = ["*@zeta.example"]\n'
        'sender_proof = "none"\nfolder = ["drop"]'
    ),
    (
        'name = "omega"\ndealership = 2\nmode = "full"\nfrom = ["*@omega.example"]\n'
        'sender_proof = "none"'
    ),
)
#: Seconds in which a bomb, and what comes with it, is done.
BOMB = 5.0


@pytest.fixture(scope="module")
def house(module_database: Any) -> Iterator[House]:
    """One daemon for all tests here, with a mailbox and a folder; each has vehicles of its own."""

    ask = founded(module_database.url)
    with (
        TemporaryDirectory(prefix="ingestd-", dir="/tmp") as name,
        opened(Path(name), module_database.ingestd_url, ask) as made,
    ):
        made.write_config(
            *FEEDS,
            more=f'[[folder]]\nname = "drop"\npath = "{made.daemon.drop_dir}"\nstable_for = "2s"\n',
        )
        made.start()
        yield made


async def told(house: House, *arguments: str) -> Any:
    """Give what a command says with ``--json``, line by line."""
    done = await asyncio.to_thread(command, house.daemon, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def cars(house: House, *numbers: int) -> list[int]:
    """Give the dealerships that have these vehicles."""
    wanted = [vin(number) for number in numbers]
    rows = await house.ask("SELECT dealership_id FROM vehicles WHERE vin = ANY ($1)", wanted)
    return [found["dealership_id"] for found in rows]


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.tsv", content)
    return made.getvalue()


async def test_a_mailed_inventory_becomes_vehicles_and_the_mail_lies_read_in_imported(house):
    raw = letter("Our lot of today", lot(5, first=100))
    house.put(raw)
    delivery = await house.done(raw)
    (place,) = await house.ask(
        "SELECT source, uidvalidity, uid FROM ingest.messages WHERE delivery_id = $1",
        delivery["id"],
    )

    assert await cars(house, *range(100, 105)) == [1] * 5
    assert house.where(raw) == ["Imported"]
    assert house.flags(raw) == {"\\Seen"}
    assert (delivery["sender"], delivery["subject"]) == ("lots@zeta.example", "Our lot of today")
    assert (delivery["outcome"], delivery["lane"], delivery["attempts"]) == ("imported", "zeta", 1)
    assert (place["source"], place["uidvalidity"] > 0, place["uid"] > 0) == ("inbox", True, True)


async def test_the_commands_tell_what_came_from_whom_and_what_became_of_it(house):
    raw = letter("For the books", lot(2, first=200))
    house.put(raw)
    delivery = await house.done(raw)
    (shown,) = await told(house, "deliveries", "show", str(delivery["id"]))
    (listed,) = await told(house, "imports", "list", "--limit", "1")

    assert (shown["sender"], shown["subject"]) == ("lots@zeta.example", "For the books")
    assert shown["outcome"] == "imported"
    assert [one["counts"]["added"] for one in shown["imports"]] == [2]
    assert (listed["delivery_id"], listed["feed"]) == (delivery["id"], "zeta")


async def test_one_bad_file_sends_the_mail_to_rejected_and_the_good_one_is_imported(house):
    bad = b"Our cars\n\nplease see the web site\n"
    raw = letter("Two files", ("new.tsv", lot(3, first=300)), ("used.tsv", bad))
    house.put(raw)
    delivery = await house.done(raw)
    imports = await house.ask(
        "SELECT file, outcome, reason FROM ingest.imports WHERE delivery_id = $1"
        " ORDER BY file_index",
        delivery["id"],
    )

    assert house.where(raw) == ["Rejected"]
    assert "\\Seen" not in house.flags(raw)
    assert await cars(house, 300, 301, 302) == [1] * 3
    assert [(one["file"], one["outcome"]) for one in imports] == [
        ("new.tsv", "imported"),
        ("used.tsv", "rejected"),
    ]
    assert imports[1]["reason"] == delivery["reason"] is not None


@pytest.mark.parametrize(
    ("subject", "sender", "files", "reason"),
    [
        ("No table in it", "lots@zeta.example", (), "no_table"),
        ("For nobody", "lots@stranger.example", (lot(1, first=400),), "no_feed"),
    ],
)
async def test_what_can_not_be_loaded_is_rejected_and_the_ledger_says_why(
    house, subject, sender, files, reason
):
    raw = letter(subject, *files, sender=sender)
    house.put(raw)
    delivery = await house.done(raw)
    (shown,) = await told(house, "deliveries", "show", str(delivery["id"]))

    assert (delivery["outcome"], delivery["reason"]) == ("rejected", reason)
    assert house.where(raw) == ["Rejected"]
    assert "\\Seen" not in house.flags(raw)
    assert await cars(house, 400) == []
    assert (shown["reason"], shown["sender"], shown["subject"]) == (reason, sender, subject)
    assert [one["reason"] for one in shown["imports"]] == [reason]


@pytest.mark.parametrize("packed", ["zip", "gz"])
async def test_a_packed_attachment_is_unpacked(house, packed):
    first = {"zip": 500, "gz": 510}[packed]
    contents = lot(2, first=first), lot(2, first=first + 2)
    if packed == "zip":
        raw = letter("Packed", ("lot.zip", zipped(new=contents[0], used=contents[1])))
    else:
        raw = letter("Packed", *((f"{n}.gz", gzip.compress(c)) for n, c in enumerate(contents)))
    house.put(raw)
    delivery = await house.done(raw)

    assert delivery["outcome"] == "imported"
    assert house.where(raw) == ["Imported"]
    assert await cars(house, *range(first, first + 4)) == [1] * 4


async def test_the_same_mail_twice_is_one_delivery_and_both_copies_are_put_away(house):
    raw = letter("Twice", lot(2, first=600))
    house.put(raw)
    first = await house.done(raw)
    house.put(raw)
    await house.until(lambda: house.where(raw) == ["Imported"] * 2, "both are put away")
    again = await house.done(raw)

    assert (again["id"], again["attempts"]) == (first["id"], 1)
    imports = await house.ask("SELECT FROM ingest.imports WHERE delivery_id = $1", first["id"])
    assert len(imports) == 1
    assert await cars(house, 600, 601) == [1, 1]


async def test_two_dealers_share_a_mailbox_and_are_told_apart_by_their_senders(house):
    theirs = letter("Omega's", lot(2, first=700), sender="Omega <cars@omega.example>")
    ours = letter("Zeta's", lot(2, first=710))
    house.put(theirs, ours)
    lanes = [(await house.done(raw))["lane"] for raw in (theirs, ours)]

    assert lanes == ["omega", "zeta"]
    assert await cars(house, 700, 701) == [2, 2]
    assert await cars(house, 710, 711) == [1, 1]


async def test_a_mail_is_for_its_own_dealership_whatever_it_lists(house):
    ours = letter("Ours", lot(1, first=720))
    house.put(ours)
    await house.done(ours)
    theirs = letter("Theirs now", lot(2, first=720), sender="cars@omega.example")
    house.put(theirs)
    await house.done(theirs)

    assert await cars(house, 720) == [1]
    assert await cars(house, 721) == [2]


async def test_a_folder_is_watched_beside_the_mailbox(house):
    raw = letter("By mail", lot(2, first=800), sender="cars@omega.example")
    house.daemon.drop("lot.tsv", lot(2, first=810), feed="zeta")
    house.put(raw)
    mailed = await house.done(raw)
    receipt = await asyncio.to_thread(house.daemon.receipt, "lot.tsv")

    assert (mailed["source"], mailed["outcome"]) == ("inbox", "imported")
    assert receipt["counts"]["added"] == 2
    assert await cars(house, 800, 801) == [2, 2]
    assert await cars(house, 810, 811) == [1, 1]


async def test_an_older_lot_that_comes_to_light_later_is_superseded(house):
    newer, older = (
        letter(f"{name}'s lot", lot(1, first=900, changed={900: price}))
        for name, price in (("Tuesday", 22_000), ("Monday", 11_000))
    )
    now = datetime.now(UTC)  # noqa: TID251  a server's date of receipt
    outcomes = []
    for raw, received in ((newer, now + timedelta(hours=1)), (older, now - timedelta(days=1))):
        house.server.put(raw, received=received)
        outcomes.append((await house.done(raw))["outcome"])
    prices = await house.ask("SELECT price FROM vehicles WHERE vin = $1", vin(900))

    assert outcomes == ["imported", "superseded"]
    assert house.where(older) == ["Imported"]
    assert [int(one["price"]) for one in prices] == [22_000]


async def test_a_rejected_row_is_told_with_its_line(house):
    content = (HEADER + "\n" + row(950) + "\n\t\tZeta\tEagle\n").encode()
    raw = letter("One bad row", content, sender="cars@omega.example")
    house.put(raw)
    delivery = await house.done(raw)
    (shown,) = await told(house, "deliveries", "show", str(delivery["id"]))

    (one,) = shown["imports"]
    assert (one["counts"]["added"], one["counts"]["rejected"]) == (1, 1)
    assert [found["line"] for found in one["rejections"]] == [3]
    assert house.where(raw) == ["Imported"]


async def test_signs_of_life_are_among_the_metrics(house):
    def metric(name: str) -> float:
        text = house.daemon.get("/metrics")[1]
        (line,) = (one for one in text.splitlines() if one.startswith(name))
        return float(line.split()[-1])

    assert metric('ingestd_mailbox_connected{mailbox="inbox"}') == 1
    before = metric('ingestd_mailbox_last_success_timestamp_seconds{mailbox="inbox"}')
    raw = letter("A sign of life", lot(1, first=990))
    house.put(raw)
    await house.done(raw)
    wait_for(
        lambda: metric('ingestd_mailbox_last_success_timestamp_seconds{mailbox="inbox"}') > before,
        "a newer success",
    )


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_rejected_soon_and_another_mail_is_imported_beside_it(house, bomb):
    raw = bomb()
    number = 10_000 + 10 * BOMBS.index(bomb)
    good = letter(f"Beside {bomb.__name__}", lot(2, first=number), sender="cars@omega.example")
    house.put(raw, good)
    delivery, beside = await house.done(raw, BOMB), await house.done(good, BOMB)

    assert beside["outcome"] == "imported"
    assert await cars(house, number, number + 1) == [2, 2]
    assert delivery["outcome"] == "rejected", delivery["reason"]
    assert house.where(raw) == ["Rejected"]
    assert await cars(house, 1) == []


async def test_a_held_mail_waits_in_its_folder_marked_and_is_approved_while_the_daemon_runs(house):
    garbage = b"".join(b"TBD\t\tZeta\tEagle\t%d\n" % number for number in range(20))
    raw = letter("Mostly garbage", lot(3, first=980) + garbage)
    house.put(raw)
    delivery = await house.done(raw)
    (shown,) = await told(house, "deliveries", "show", str(delivery["id"]))
    (one,) = shown["imports"]
    assert (one["outcome"], one["reason"]) == ("held", "rejected_rows")
    assert (house.where(raw), await cars(house, 980)) == (["INBOX"], [])
    assert "IngestdHeld" in house.flags(raw)

    (said,) = await told(house, "imports", "approve", str(one["import_id"]))
    assert said["decision"] == "approve"
    await house.until(lambda: house.where(raw) == ["Imported"], "the mail is in Imported")
    assert house.flags(raw) == {"\\Seen"}
    assert await cars(house, 980, 981, 982) == [1] * 3


async def test_a_held_mail_that_is_denied_lies_unread_in_rejected(house):
    garbage = b"".join(b"TBD\t\tZeta\tEagle\t%d\n" % number for number in range(20))
    raw = letter("More garbage", lot(3, first=9900) + garbage)
    house.put(raw)
    delivery = await house.done(raw)
    (shown,) = await told(house, "deliveries", "show", str(delivery["id"]))
    await told(house, "imports", "deny", str(shown["imports"][0]["import_id"]))

    await house.until(lambda: house.where(raw) == ["Rejected"], "the mail is in Rejected")
    assert house.flags(raw) == set()
    assert await cars(house, 9900) == []
