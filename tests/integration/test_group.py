"""A group file: each rooftop's rows are judged and loaded as if they had come alone."""

import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.mail.parts import blocks
from ingestd.model import Arrival, File, Finished, ReadJob
from ingestd.report import Report
from ingestd.rooftops import Rooftops, choices
from ingestd.store.postgres import PostgresStore
from tests.integration.lot import opened, vin

HEAD = "VIN\tStock\tMake\tModel\tYear\tPrice\tDealerID\n"
Cars = Mapping[str, Sequence[int]]


def row(number: int, rooftop: str, price: int = 19_995) -> str:
    return f"{vin(number)}\tS{number}\tKia\tRio\t2024\t{price}\t{rooftop}\n"


def lots(cars: Cars, price: int = 19_995) -> str:
    """Give a file with the cars of each rooftop."""
    return "".join(row(number, key, price) for key, them in cars.items() for number in them)


def zipped(texts: Sequence[str]) -> bytes:
    """Give files as one delivery."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for at, text in enumerate(texts):
            packed.writestr(f"{at}.tsv", text)
    return data.getvalue()


async def played(items: Iterable[bytes | Finished]) -> AsyncIterator[bytes | Finished]:
    for item in items:
        yield item


class Group:
    """Two dealerships and the feed that brings both."""

    def __init__(self, store: PostgresStore, admin: asyncpg.Connection, north: int, south: int):
        self.store, self.admin, self.north, self.south = store, admin, north, south
        self.feed = Feed(
            name="group",
            dealership=north,
            mode="full",
            missing="deactivate",
            missing_after=1,
            rooftops=Rooftops(column="DealerID", map={"N": north, "S": south}),
        )
        self.day = 0

    async def load(
        self, *texts: str, dry_run: bool = False, again: bool = False, head: str = HEAD
    ) -> Report:
        """Load files as one delivery, a day after the one before; give the first one's report."""
        files = [head + text for text in texts]
        self.reports = await self.load_all(files, dry_run=dry_run, again=again)
        return self.reports[0]

    async def load_all(
        self, texts: Sequence[str], *, dry_run: bool, again: bool
    ) -> tuple[Report, ...]:
        self.day += 0 if again else 1
        first = await self.store.now() - timedelta(days=100 - self.day)
        key = f"group/{self.day}"
        self.delivery = await self.store.take(
            Arrival("drop", "folder", key, "lot.tsv", "0" * 64, 1, first)
        )
        files = tuple(File(at, f"{at}.tsv", 1, "group") for at in range(len(texts)))
        target = await self.store.target()
        known = await self.store.known(self.north, "group", choices(self.feed.rooftops))
        job = ReadJob("0", "folder", "x.zip", files, self.north, "2026-11-24", target, known)

        content = zipped(texts)
        read = reading.read(job, blocks(content), self.feed, Limits())
        return await self.store.load(self.delivery, self.feed, job, played(read), dry_run=dry_run)

    async def active(self) -> dict[str, list[str]]:
        """Give the stock numbers on offer at each rooftop."""
        rows = await self.admin.fetch(
            "SELECT dealership_id, stock_number FROM vehicles WHERE is_active ORDER BY id"
        )
        found: dict[str, list[str]] = {"N": [], "S": []}
        for item in rows:
            found["N" if item["dealership_id"] == self.north else "S"].append(item["stock_number"])
        return found


@pytest.fixture
async def group(store, admin) -> Group:
    north = await store.add_dealership("North")
    return Group(store, admin, north, await store.add_dealership("South"))


def shares(report: Report) -> dict[int, dict[str, int]]:
    names = ("added", "updated", "unchanged", "duplicate", "rejected")
    return {
        number: {name: getattr(it, name) for name in names if getattr(it, name)}
        for number, it in report.dealerships
    }


async def test_each_row_becomes_a_vehicle_of_its_own_rooftop(group):
    report = await group.load(lots({"N": [1, 2], "S": [3]}))

    assert await group.active() == {"N": ["S1", "S2"], "S": ["S3"]}
    assert shares(report) == {group.north: {"added": 2}, group.south: {"added": 1}}
    assert (report.dealership_id, report.counts.added, report.lines) == (None, 3, 4)


async def test_the_json_has_the_counts_of_each_dealership_and_no_dealership_id(group):
    report = await group.load(lots({"N": [1, 2], "S": [3]}) + row(4, "X"))
    told = report.as_json()

    assert told["dealership_id"] is None
    assert [share["id"] for share in told["dealerships"]] == [group.north, group.south]
    assert told["dealerships"][0]["counts"] == {
        "header": 0,
        "blank": 0,
        "added": 2,
        "updated": 0,
        "unchanged": 0,
        "duplicate": 0,
        "rejected": 0,
    }
    assert told["counts"]["rejected"] == 1
    stored = await group.store.report(report.import_id)
    assert stored.as_json() == told


async def test_a_row_of_another_rooftop_is_rejected_with_its_line_and_value(group):
    report = await group.load(row(1, "N") + row(2, "X") + row(3, "S"))
    found = await group.store.rejections(report.import_id)

    assert [(f.line, f.column, f.reason, f.value) for f in found] == [
        (3, "DealerID", "unknown_rooftop", "X")
    ]
    assert report.rejections == found
    assert await group.active() == {"N": ["S1"], "S": ["S3"]}


async def test_rows_of_unknown_rooftops_hold_nothing_however_many(group):
    await group.load(lots({"N": range(1, 13)}))
    report = await group.load(lots({"N": range(1, 13), "X": range(100, 200)}))

    assert (str(report.outcome), report.counts.rejected) == ("unchanged", 100)


async def test_a_file_of_unknown_rooftops_alone_changes_nothing_and_nobody_is_missed(group):
    await group.load(lots({"N": [1, 2], "S": [3]}))
    report = await group.load(lots({"X": [1, 2, 3]}))

    assert (str(report.outcome), report.reason) == ("rejected", "no_usable_row")
    assert len(await group.store.rejections(report.import_id)) == 3
    assert await group.active() == {"N": ["S1", "S2"], "S": ["S3"]}


async def test_absence_is_judged_rooftop_by_rooftop(group):
    await group.load(lots({"N": range(1, 21), "S": range(21, 41)}))
    report = await group.load(lots({"N": range(2, 21), "S": range(21, 41)}))

    assert report.deactivated == 1
    assert "S1" not in (await group.active())["N"]
    history = await group.admin.fetch("SELECT cause, import_id FROM ingest.vehicle_changes")
    assert [tuple(change) for change in history] == [("missing", report.import_id)]


async def test_one_rooftop_missing_for_four_days_keeps_its_cars(group):
    await group.load(lots({"N": range(1, 21), "S": range(21, 41)}))
    for _ in range(6):
        report = await group.load(lots({"N": range(1, 21)}, price=15_000 + group.day))
        assert (report.held_deactivations, report.deactivated) == (20, 0)
        said = f"dealership {group.south}: not one of 20 vehicles is listed any more"
        assert said in report.message
        assert report.counts.updated == 20
    assert len((await group.active())["S"]) == 20
    whole = await group.load(lots({"N": range(1, 21), "S": range(21, 41)}))
    assert whole.held_deactivations == 0


async def test_where_one_rooftop_is_held_all_are(group):
    await group.load(lots({"N": range(1, 31), "S": range(31, 61)}))
    text = lots({"N": range(1, 31)}, price=15_000) + lots({"S": range(131, 161)})
    report = await group.load(text + row(1, "X"))

    assert (str(report.outcome), report.reason) == ("held", "another_lot")
    assert report.message.startswith(f"dealership {group.south}: ")
    assert shares(report) == {group.north: {"updated": 30}, group.south: {"added": 30}}
    assert [f.reason for f in await group.store.rejections(report.import_id)] == ["unknown_rooftop"]
    prices = await group.admin.fetch("SELECT DISTINCT price::integer AS price FROM vehicles")
    assert [item["price"] for item in prices] == [19_995]
    assert await group.admin.fetchval("SELECT count(*) FROM ingest.vehicle_changes") == 0


async def test_a_held_group_can_be_approved(group):
    await group.load(lots({"N": range(1, 31), "S": range(31, 61)}))
    text = lots({"N": range(1, 31)}) + lots({"S": range(131, 161)})
    held = await group.load(text)
    await group.store.finish(group.delivery, ())
    decided = await group.store.approve(held.import_id)
    assert decided.refusal is None, decided
    done = await group.load(text, again=True)

    assert (done.import_id, str(done.outcome)) == (held.import_id, "imported")
    assert (done.held_deactivations, len((await group.active())["S"])) == (30, 60)
    await group.store.finish(group.delivery, ())
    await group.store.approve(held.import_id)
    gone = await group.load(text, again=True)
    assert (gone.deactivated, len((await group.active())["S"])) == (30, 30)


async def test_a_decision_on_a_held_group_keeps_the_reason_of_each_dealership(group):
    await group.load(lots({"N": range(1, 31), "S": range(31, 61)}))
    text = lots({"N": range(201, 231), "S": range(131, 161)})
    held = await group.load(text)
    reasons = [f"dealership {number}: of the 30 vehicles" for number in (group.north, group.south)]
    assert [held.message.count(reason) for reason in reasons] == [1, 1]
    assert held.told().count("ingestd imports approve") == 1

    await group.store.finish(group.delivery, ())
    assert (await group.store.approve(held.import_id, "anna")).refusal is None
    done = await group.load(text, again=True)
    assert done.message.startswith(f"approved; it was held: another_lot: {held.message}")

    later = await group.load(lots({"N": range(301, 331), "S": range(331, 361)}))
    await group.store.finish(group.delivery, ())
    assert (await group.store.deny(later.import_id, "anna")).refusal is None
    denied = await group.store.report(later.import_id)
    assert denied.message.endswith(f"; it was held: another_lot: {later.message}")
    assert [denied.message.count(reason) for reason in reasons] == [1, 1]


async def test_a_small_rooftop_that_is_missing_keeps_its_cars_too(group):
    await group.load(lots({"N": range(1, 21), "S": range(21, 25)}))
    for _ in range(4):
        report = await group.load(lots({"N": range(1, 21)}))
        assert (report.held_deactivations, report.deactivated) == (4, 0)
    assert len((await group.active())["S"]) == 4


@pytest.mark.parametrize("end", ["\tKia\n", "\tKia\tRio\t2024\t1\t\n"])
async def test_a_row_that_may_be_any_dealerships_counts_as_a_sighting(group, end):
    """One with too few cells, or with a blank id; one with another dealer's id does not."""
    await group.load(lots({"N": range(1, 21), "S": range(21, 41)}))
    named = f"{vin(40)}\tS40{end}" + row(39, "X")
    report = await group.load(lots({"N": range(1, 21), "S": range(21, 39)}) + named)
    assert (report.counts.rejected, report.deactivated) == (2, 1)
    assert "S40" in (await group.active())["S"]


async def test_a_rooftop_of_which_no_row_can_be_used_holds_nothing(group):
    await group.load(lots({"N": range(1, 21), "S": range(21, 41)}))
    bad = "".join(f"{vin(number)}\tS{number}\tKia\t\t2024\t1\tS\n" for number in range(90, 93))
    report = await group.load(lots({"N": range(1, 21)}) + bad)
    assert (report.held_deactivations, report.deactivated) == (0, 0)
    assert report.message == ""


async def test_the_same_delivery_again_gives_the_same_reports(group):
    first = await group.load(lots({"N": [1], "S": [2]}))
    second = await group.load(lots({"N": [1], "S": [2]}), again=True)

    assert replace(first, seconds=0) == replace(second, seconds=0)


async def test_an_older_group_file_never_lands_on_a_newer_one(group):
    await group.load(lots({"N": [1], "S": [2]}))
    group.day = -10
    report = await group.load(lots({"N": [1, 3], "S": [2]}))

    assert str(report.outcome) == "superseded"
    assert await group.active() == {"N": ["S1"], "S": ["S2"]}


async def test_a_dry_run_of_a_group_keeps_nothing(group):
    report = await group.load(lots({"N": [1], "S": [2]}), dry_run=True)

    assert shares(report) == {group.north: {"added": 1}, group.south: {"added": 1}}
    assert await group.active() == {"N": [], "S": []}


async def test_several_files_of_a_group_are_one_state_of_each_lot(group):
    await group.load(lots({"N": range(1, 11)}), lots({"N": range(11, 21), "S": range(21, 41)}))
    again = await group.load(
        lots({"N": range(1, 11)}), lots({"N": range(11, 21), "S": range(21, 41)})
    )

    assert [str(report.outcome) for report in group.reports] == ["unchanged", "unchanged"]
    assert again.counts.unchanged == 10
    assert len((await group.active())["N"]) == 20


async def test_one_car_that_two_rooftops_list_stays_with_the_one_that_has_it(group):
    await group.load(row(1, "N"))
    report = await group.load(row(1, "N") + row(1, "S") + row(2, "S"))

    assert [f.reason for f in report.rejections] == ["vin_of_other_dealership"]
    assert shares(report)[group.south] == {"added": 1, "rejected": 1}
    assert await group.active() == {"N": ["S1"], "S": ["S2"]}


async def test_where_a_policy_hides_dealerships_each_is_loaded_under_its_own(database, admin):
    config = {"target": {"settings": {"app.dealership": "{dealership}"}}}
    async with opened(database.ingestd_url, config=config) as store:
        north, south = [await store.add_dealership(name) for name in ("North", "South")]
        await admin.execute(
            "ALTER TABLE vehicles ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON vehicles USING"
            " (dealership_id = current_setting('app.dealership')::integer)"
        )
        group = Group(store, admin, north, south)
        await group.load(lots({"N": [1, 2], "S": [3]}))
        report = await group.load(lots({"N": [1, 2], "S": [3]}, price=9_000))

        assert shares(report) == {north: {"updated": 2}, south: {"updated": 1}}


async def test_what_is_held_of_one_for_what_another_got_before_is_taken_back_for_both(group):
    """The same new VINs under both rooftops: they are the first one's, and the other's no more."""
    await group.load(lots({"N": [90], "S": [91]}))
    both = range(1, 13)
    report = await group.load(lots({"N": [90, *both], "S": [91, *both]}))

    assert (str(report.outcome), report.reason) == ("held", "rejected_rows")
    assert await group.active() == {"N": ["S90"], "S": ["S91"]}


def dummy(stock: str, make: str, rooftop: str) -> str:
    """Give a row with the VIN that a dealer types where there is none."""
    return f"{vin(77)}\t{stock}\t{make}\tRio\t2024\t19995\t{rooftop}\n"


async def cars_of(group: Group, number: int) -> list[tuple[str | None, str, str]]:
    rows = await group.admin.fetch(
        "SELECT vin, stock_number, make FROM vehicles WHERE dealership_id = $1 ORDER BY id", number
    )
    return [tuple(row) for row in rows]


async def test_a_dummy_vin_of_one_rooftop_stays_one_there_and_none_at_the_other(group):
    await group.load(row(1, "N") + dummy("A101", "Kia", "S") + dummy("B101", "Ford", "S"))
    first = await cars_of(group, group.south)
    assert first == [(None, "A101", "Kia"), (None, "B101", "Ford")]

    await group.load(row(1, "N") + row(2, "S") + dummy("C101", "Honda", "S"))
    assert (None, "C101", "Honda") in await cars_of(group, group.south)
    await group.load(row(1, "N") + row(2, "S") + dummy("D101", "Fiat", "S"))
    assert {stock for _, stock, _ in await cars_of(group, group.south)} == {
        *("A101", "B101", "C101", "D101"),
        "S2",
    }
    await group.load(dummy("E101", "Audi", "N") + row(1, "N") + row(2, "S"))
    assert (vin(77), "E101", "Audi") in await cars_of(group, group.north)


async def test_of_a_group_the_headings_are_those_of_the_latest_delivery_of_any_rooftop(group):
    """Of one rooftop not a row could be used: the delivery is the latest of the other alone."""
    await group.load(row(1, "N") + row(2, "S"))
    no_name = "\t\tKia\tRio\t2024\t9000\tN\n"
    await group.load(row(2, "S") + no_name, head=HEAD.replace("Stock", "Stock No"))
    known = await group.store.known(group.north, "group", choices(group.feed.rooftops))

    assert known.before[0].headers[1] == "Stock No"
