"""What is held, and what a person decides of it: with an installed daemon, by the command line."""

import json
from typing import Any

import pytest

from tests.acceptance.lots import lot, row
from tests.acceptance.running import Daemon, command, wait_for

#: Every price is three times what it was.
JUMP = {number: 3 * (20_000 + number) for number in range(1, 21)}


@pytest.fixture
def deactivating(daemon):
    daemon.feeds = {"lot": 'missing = "deactivate"'}
    daemon.start()
    return daemon


def said(daemon: Daemon, *arguments: str) -> Any:
    done = command(daemon, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lying(daemon: Daemon, place: str) -> set[str]:
    return {path.name.partition("-")[2] for path in (daemon.drop_dir / place).iterdir()}


def held(daemon: Daemon) -> dict[str, Any]:
    """Have a lot applied, then one held whose prices all jump."""
    daemon.drop("lot.tsv", lot(20))
    assert daemon.receipt("lot.tsv")["outcome"] == "imported"
    daemon.drop("jump.tsv", lot(20, changed=JUMP))
    receipt = daemon.receipt("jump.tsv")
    assert (receipt["outcome"], receipt["reason"]) == ("held", "price_jump")
    assert lying(daemon, "held") == {"2-jump.tsv", "2-jump.report.json"}
    return receipt


async def prices(ask) -> set[int]:
    return {int(found["price"]) for found in await ask("SELECT price FROM vehicles")}


async def test_a_held_file_is_approved_while_the_daemon_runs(deactivating, ask):
    receipt = held(deactivating)
    assert max(await prices(ask)) == 20_020
    number = str(receipt["import_id"])
    told = said(deactivating, "imports", "approve", number)
    assert told == {"import_id": 2, "delivery_id": 2, "feed": "lot", "decision": "approve"}

    wait_for(lambda: lying(deactivating, "held") == set(), "nothing is left in held/")
    rewritten = deactivating.receipt("jump.tsv")
    assert (rewritten["import_id"], rewritten["outcome"]) == (receipt["import_id"], "imported")
    assert (rewritten["reason"], rewritten["counts"]["updated"]) == (None, 20)
    assert said(deactivating, "imports", "show", number) == rewritten
    assert lying(deactivating, "imported") >= {"2-jump.tsv", "2-jump.report.json"}
    assert min(await prices(ask)) == 60_003


async def test_a_held_file_is_denied_while_the_daemon_runs(deactivating, ask):
    receipt = held(deactivating)
    wait_for(
        lambda: 'ingestd_held_imports{feed="lot"} 1.0' in deactivating.get("/metrics")[1],
        "the metric says that somebody has to decide",
    )
    number = str(receipt["import_id"])
    assert said(deactivating, "imports", "deny", number)["decision"] == "denied"

    wait_for(lambda: lying(deactivating, "held") == set(), "nothing is left in held/")
    rewritten = deactivating.receipt("jump.tsv")
    assert (rewritten["outcome"], rewritten["reason"]) == ("rejected", "denied")
    assert (rewritten["counts"], rewritten["lines"]) == (None, None)
    assert lying(deactivating, "rejected") == {"2-jump.tsv", "2-jump.report.json"}
    wait_for(
        lambda: 'ingestd_held_imports{feed="lot"} 0.0' in deactivating.get("/metrics")[1],
        "the metric says that nobody has to decide",
    )
    assert max(await prices(ask)) == 20_020
    again = command(deactivating, "imports", "deny", number)
    assert again.returncode == 66
    assert "import 2 is rejected; only what is held can be denied" in again.stderr


async def test_what_is_held_outlives_a_restart_and_is_approved_by_the_next_daemon(
    deactivating, ask
):
    receipt = held(deactivating)
    assert deactivating.end() == 0
    done = command(deactivating, "imports", "approve", str(receipt["import_id"]))
    assert "import 2 will be loaded by the daemon" in done.stdout
    deactivating.start()

    wait_for(lambda: "2-jump.tsv" in lying(deactivating, "imported"), "the file is in imported/")
    assert min(await prices(ask)) == 60_003


async def test_once_a_newer_file_was_applied_approval_is_refused(deactivating, ask):
    receipt = held(deactivating)
    deactivating.drop("newer.tsv", lot(20, changed={1: 20_500}))
    deactivating.receipt("newer.tsv")
    done = command(deactivating, "imports", "approve", str(receipt["import_id"]))

    assert done.returncode == 66
    assert "import 2 is older than delivery 3, which was applied since" in done.stderr
    assert "2-jump.tsv" in lying(deactivating, "held")


async def test_monday_good_and_tuesday_cut_short_both_waiting(deactivating, ask):
    """Design section 11.1, story 14."""
    deactivating.drop("sunday.tsv", lot(40))
    deactivating.receipt("sunday.tsv")
    assert deactivating.end() == 0
    deactivating.drop("monday.tsv", lot(41))
    deactivating.drop("tuesday.tsv", lot(15, changed={1: 19_000}))
    deactivating.start()
    monday, tuesday = (deactivating.receipt(f"{day}.tsv") for day in ("monday", "tuesday"))

    assert (monday["outcome"], monday["counts"]["added"]) == ("imported", 1)
    assert (tuesday["outcome"], tuesday["counts"]["updated"]) == ("imported", 1)
    assert (tuesday["deactivated"], tuesday["held_deactivations"]) == (0, 26)
    on = "SELECT count(*) FROM vehicles WHERE is_active"
    assert [found["count"] for found in await ask(on)] == [41]

    said(deactivating, "imports", "approve", str(tuesday["import_id"]))
    wait_for(
        lambda: said(deactivating, "imports", "show", str(tuesday["import_id"]))["deactivated"],
        "the deactivations are done",
    )
    assert [found["count"] for found in await ask(on)] == [15]
    shown = said(deactivating, "imports", "show", str(tuesday["import_id"]))
    assert (shown["counts"], shown["held_deactivations"]) == (tuesday["counts"], 0)


async def test_an_older_file_is_replayed_as_the_newest_and_its_place_stays(deactivating, ask):
    for name, price in (("monday.tsv", 21_000), ("tuesday.tsv", 22_000)):
        deactivating.drop(name, lot(20, changed={1: price}))
        deactivating.receipt(name)
    before = lying(deactivating, "imported")
    told = said(deactivating, "imports", "replay", "1")
    assert (told["import_id"], told["delivery_id"], told["decision"]) == (1, 3, "replay")

    wait_for(
        lambda: said(deactivating, "deliveries", "show", "3")["outcome"] == "imported",
        "the replay is done",
    )
    assert 21_000 in await prices(ask)
    assert lying(deactivating, "imported") == before


async def test_bytes_that_are_gone_are_not_replayed(deactivating):
    deactivating.drop("lot.tsv", lot(20))
    deactivating.receipt("lot.tsv")
    shown = said(deactivating, "deliveries", "show", "1")
    sha256 = shown["sha256"]
    (deactivating.home / "state" / "spool" / sha256[:2] / sha256).unlink()
    done = command(deactivating, "imports", "replay", "1")

    assert done.returncode == 66
    assert "are not in the spool any more" in done.stderr


# By hand, without a daemon.


@pytest.mark.parametrize("whose", [("--feed", "lot"), ("--dealership", "2")])
async def test_what_a_command_had_held_is_loaded_by_the_command_that_approves_it(
    daemon, ask, whose
):
    daemon.write_config()
    for name, content in (("lot.tsv", lot(20)), ("jump.tsv", lot(20, changed=JUMP))):
        (daemon.home / name).write_bytes(content)
    assert command(daemon, "import", "lot.tsv", *whose).returncode == 0
    done = command(daemon, "import", "jump.tsv", *whose)
    assert done.returncode == 75, done.stdout
    assert "decide: ingestd imports approve 2, or deny 2" in done.stdout

    report = said(daemon, "imports", "approve", "2")
    assert (report["import_id"], report["outcome"]) == (2, "imported")
    assert min(await prices(ask)) == 60_003


async def test_changes_by_hand_wait_for_what_is_held(daemon, ask):
    daemon.write_config()
    daemon.config.write_text(daemon.config.read_text().replace('mode = "full"', 'mode = "delta"'))
    garbage = ("TBD\t\tZeta\n" * 20).encode()
    (daemon.home / "lot.tsv").write_bytes(lot(2) + garbage)
    (daemon.home / "next.tsv").write_bytes((row(9) + "\n").encode())
    assert command(daemon, "import", "lot.tsv", "--feed", "lot").returncode == 75
    done = command(daemon, "import", "next.tsv", "--feed", "lot")

    assert done.returncode == 75
    assert "import 1 of the feed lot is held" in done.stderr
    assert "changes go oldest first" in done.stderr


async def test_a_delivery_is_dropped_or_the_command_says_why_not(daemon, ask):
    daemon.write_config()
    (daemon.home / "lot.tsv").write_bytes(lot(3))
    command(daemon, "import", "lot.tsv", "--feed", "lot")
    done = command(daemon, "deliveries", "drop", "1")
    assert done.returncode == 66
    assert "delivery 1 is imported: only what waits or is set aside" in done.stderr

    await ask("UPDATE ingest.imports SET outcome = 'failed', reason = 'internal_error'")
    await ask(
        "UPDATE ingest.deliveries SET state = 'quarantined', outcome = 'failed',"
        " reason = 'internal_error'"
    )
    told = said(daemon, "deliveries", "drop", "1")
    assert told == {"delivery_id": 1, "outcome": "rejected", "reason": "dropped"}
    shown = said(daemon, "deliveries", "show", "1")
    assert (shown["state"], shown["outcome"], shown["reason"]) == ("done", "rejected", "dropped")
