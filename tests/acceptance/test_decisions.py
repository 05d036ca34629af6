"""What is held, and what a person decides of it: with an installed daemon, by the command line."""

import getpass
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


def settled(daemon: Daemon, number: int, nth: int = 1) -> dict[str, Any] | None:
    """Give the n-th line of the log about a delivery that is done; None: it is not there yet."""
    lines = (json.loads(line) for line in daemon.log().splitlines() if line.endswith("}"))
    found = [
        line
        for line in lines
        if line["event"] == "delivery.settled" and line["delivery_id"] == number
    ]
    return found[nth - 1] if len(found) >= nth else None


async def prices(ask) -> set[int]:
    return {int(found["price"]) for found in await ask("SELECT price FROM vehicles")}


async def test_a_held_file_is_approved_while_the_daemon_runs(deactivating, ask):
    receipt = held(deactivating)
    assert (
        "price_jump; 21 lines: would be 20 updated"
        in command(deactivating, "imports", "list").stdout
    )
    assert max(await prices(ask)) == 20_020
    number = str(receipt["import_id"])
    told = said(deactivating, "imports", "approve", number)
    whose = {"import_id": 2, "delivery_id": 2, "feed": "lot"}
    assert told == {**whose, "decision": "approve", "daemon": True}

    wait_for(lambda: lying(deactivating, "held") == set(), "nothing is left in held/")
    rewritten = deactivating.receipt("jump.tsv")
    assert (rewritten["import_id"], rewritten["outcome"]) == (receipt["import_id"], "imported")
    assert (rewritten["reason"], rewritten["counts"]["updated"]) == (None, 20)
    assert rewritten["message"].startswith("approved; it was held: price_jump: the price of 20")
    assert rewritten["decided"]["by"] == getpass.getuser()
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
    why = (
        "it was held: price_jump: the price of 20 of 20 vehicles changed by more than 50 % (100 %)"
    )
    assert rewritten["message"].endswith(why)
    shown = command(deactivating, "imports", "show", number).stdout
    at = rewritten["decided"]["at"].replace("T", " ").replace("Z", " UTC")
    assert f"denied by {getpass.getuser()} at {at}" in shown
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
    assert "no daemon seems to be running: it will be done when one is" in done.stdout
    assert said(deactivating, "imports", "approve", "2")["daemon"] is False
    status = command(deactivating, "status").stdout
    assert "no daemon seems to be running: no source is watched" in status
    assert "price_jump; approved: the daemon is to load it" in status
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
    status = command(deactivating, "status").stdout
    assert "to decide: import 2 of feed lot (jump.tsv), since 20" in status
    assert "price_jump; a newer one was applied: `ingestd imports deny 2`\n" in status
    for words in (("imports", "show", "2"), ("deliveries", "show", "2")):
        shown = command(deactivating, *words).stdout
        assert "  decide: a newer one was applied: `ingestd imports deny 2`\n" in shown
    (waits,) = said(deactivating, "status")["to_decide"]
    assert (waits["import_id"], waits["reason"], waits["feed"]) == (2, "price_jump", "lot")


GAUGE = 'ingestd_held_vehicles{feed="lot"} '


def cut_short(daemon: Daemon) -> dict[str, Any]:
    """Have a lot applied, then a file of it that is cut short; give the receipt of that."""
    daemon.drop("whole.tsv", lot(40))
    assert daemon.receipt("whole.tsv")["outcome"] == "imported"
    daemon.drop("short.tsv", lot(4))
    receipt = daemon.receipt("short.tsv")
    assert (receipt["import_id"], receipt["held_deactivations"]) == (2, 36)
    return receipt


async def test_deactivations_that_are_held_are_told_wherever_somebody_looks(deactivating):
    receipt = cut_short(deactivating)
    assert "`ingestd imports approve 2` says that they are gone" in receipt["message"]
    line = wait_for(lambda: settled(deactivating, 2), "the log tells of it")
    assert (line["level"], line["held_deactivations"]) == ("warning", 36)
    assert "(import 2)" in line["message"]
    assert "36 deactivations held" in line["message"]
    assert "`ingestd imports approve 2`" in line["message"]
    assert "36 deactivations held" in command(deactivating, "imports", "list").stdout
    shown = command(deactivating, "imports", "show", "2").stdout.splitlines()
    assert "36 deactivations held" in shown[1]
    approve = "`ingestd imports approve 2` says that they are gone"
    assert f"{shown[2].strip()}; {approve}" == receipt["message"]
    assert shown[3] == f"  decide: {approve}; or wait for the next files"
    status = command(deactivating, "status").stdout
    assert f"36 deactivations held; {approve}; or wait for the next files" in status
    assert "source drop: watched by " in status
    assert "no daemon" not in status
    wait_for(lambda: f"{GAUGE}36.0" in deactivating.get("/metrics")[1], "an alarm can fire")


async def test_of_an_older_file_nothing_is_to_be_decided_any_more(deactivating):
    cut_short(deactivating)
    deactivating.drop("other.tsv", lot(4, changed={1: 20_500}))
    assert deactivating.receipt("other.tsv")["held_deactivations"] == 36
    old = command(deactivating, "imports", "show", "2").stdout
    assert "nothing to decide any more: a newer file of the feed was applied" in old
    (waits,) = said(deactivating, "status")["to_decide"]
    assert waits["import_id"] == 3


async def test_how_many_an_approval_switched_off_is_told_by_log_report_and_receipt(deactivating):
    cut_short(deactivating)
    wait_for(lambda: f"{GAUGE}36.0" in deactivating.get("/metrics")[1], "the alarm is on")
    said(deactivating, "imports", "approve", "2")
    wait_for(lambda: f"{GAUGE}0.0" in deactivating.get("/metrics")[1], "the alarm is over")
    line = wait_for(lambda: settled(deactivating, 2, nth=2), "the log tells of the approval")
    assert (line["level"], line["deactivated"], line["held_deactivations"]) == ("info", 36, 0)
    assert "approved; it was held: 36 of 40 vehicles are no longer listed" in line["message"]
    shown = command(deactivating, "imports", "show", "2").stdout
    assert "36 deactivated" in shown
    assert "approved by " in shown
    assert "decide" not in shown
    wait_for(
        lambda: json.loads(deactivating.receipts("short.tsv")[0].read_text())["deactivated"] == 36,
        "the receipt says so too",
    )


async def test_a_feed_of_changes_says_behind_which_import_it_waits(daemon):
    daemon.write_config()
    daemon.config.write_text(daemon.config.read_text().replace('mode = "full"', 'mode = "delta"'))
    daemon.start()
    garbage = ("TBD\t\tZeta\n" * 20).encode()
    daemon.drop("bad.tsv", lot(2) + garbage)
    assert daemon.receipt("bad.tsv")["outcome"] == "held"
    daemon.drop("next.tsv", lot(3))
    (waits,) = wait_for(lambda: said(daemon, "status")["waiting"], "the next one waits")

    assert (waits["feed"], waits["deliveries"], waits["behind_import_id"]) == ("lot", 1, 1)
    status = command(daemon, "status").stdout
    assert "feed lot: 1 delivery waits since 20" in status
    assert ", behind held import 1\n" in status


async def test_the_number_of_a_file_in_held_leads_to_its_import(deactivating, ask):
    number = "SELECT setval(pg_get_serial_sequence('ingest.imports', 'id'), {})"
    deactivating.drop("lot.tsv", lot(20))
    deactivating.receipt("lot.tsv")
    await ask(number.format(10))
    deactivating.drop("jump.tsv", lot(20, changed=JUMP))
    assert deactivating.receipt("jump.tsv")["import_id"] == 11
    assert "2-jump.tsv" in lying(deactivating, "held")
    for words in ("show", "rejections", "approve", "deny", "replay"):
        done = command(deactivating, "imports", words, "2")
        assert done.returncode == 66
        assert "there is no import 2; delivery 2 brought import 11 (held)" in done.stderr
    assert (
        "import 9; `ingestd imports list`" in command(deactivating, "imports", "show", "9").stderr
    )

    await ask(number.format(1))
    (deactivating.home / "good.tsv").write_bytes(lot(20, changed={1: 20_500}))
    assert command(deactivating, "import", "good.tsv", "--feed", "lot").returncode == 0
    for word in ("approve", "deny"):
        refused = command(deactivating, "imports", word, "2").stderr
        assert "import 2 is imported; only what is held can be " in refused
        assert "; delivery 2 brought import 11, which waits for a decision" in refused


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


async def test_the_way_back_from_a_wrong_approval_is_held_too_and_is_approved(deactivating, ask):
    held(deactivating)
    said(deactivating, "imports", "approve", "2")
    wait_for(lambda: "2-jump.tsv" in lying(deactivating, "imported"), "it is approved")
    assert said(deactivating, "imports", "replay", "1")["delivery_id"] == 3
    wait_for(lambda: said(deactivating, "status")["to_decide"], "the replay is held")
    (waits,) = said(deactivating, "status")["to_decide"]
    assert (waits["delivery_id"], waits["reason"]) == (3, "price_jump")

    said(deactivating, "imports", "approve", str(waits["import_id"]))
    wait_for(
        lambda: said(deactivating, "deliveries", "show", "3")["outcome"] == "imported",
        "the replay is done",
    )
    assert max(await prices(ask)) == 20_020


async def test_bytes_that_are_gone_are_not_replayed(deactivating):
    deactivating.drop("lot.tsv", lot(20))
    deactivating.receipt("lot.tsv")
    shown = said(deactivating, "deliveries", "show", "1")
    sha256 = shown["sha256"]
    (deactivating.home / "state" / "spool" / sha256[:2] / sha256).unlink()
    done = command(deactivating, "imports", "replay", "1")

    assert done.returncode == 66
    assert "are not in the spool any more" in done.stderr


async def test_a_file_that_is_done_again_goes_where_it_then_belongs_under_a_new_number(
    deactivating,
):
    receipt = held(deactivating)
    said(deactivating, "imports", "deny", str(receipt["import_id"]))
    wait_for(lambda: "2-jump.tsv" in lying(deactivating, "rejected"), "it is in rejected/")
    told = said(deactivating, "deliveries", "retry", "2")
    assert told == {"delivery_id": 2, "state": "received", "daemon": True}

    wait_for(lambda: "2-jump.tsv" in lying(deactivating, "held"), "it is in held/ again")
    wait_for(lambda: "2-jump.tsv" not in lying(deactivating, "rejected"), "and nowhere else")
    assert deactivating.receipt("jump.tsv")["import_id"] == 3


async def test_without_a_daemon_a_command_says_that_nobody_does_it_now(daemon):
    daemon.write_config()
    daemon.start()
    daemon.drop("notes.tsv", b"nothing to be read\n")
    daemon.receipt("notes.tsv")
    daemon.drop("lot.tsv", lot(3))
    number = str(daemon.receipt("lot.tsv")["import_id"])
    assert daemon.end() == 0

    for words in (("deliveries", "retry", "1"), ("imports", "replay", number)):
        done = command(daemon, *words)
        assert done.returncode == 0, done.stderr
        assert "no daemon seems to be running: it will be done when one is" in done.stdout
    waiting = said(daemon, "status")["waiting"]
    assert {it["why"].rpartition(", ")[2] for it in waiting} == {"which does not seem to run"}


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
    assert "decide: `ingestd imports approve 2` loads it all the same, `deny` does" in done.stdout

    report = said(daemon, "imports", "approve", "2")
    assert (report["import_id"], report["outcome"]) == (2, "imported")
    assert min(await prices(ask)) == 60_003


async def test_what_a_command_switches_off_by_an_approval_is_in_its_report(daemon, ask):
    daemon.feeds = {"lot": 'missing = "deactivate"'}
    daemon.write_config()
    for name, content in (("whole.tsv", lot(40)), ("short.tsv", lot(4))):
        (daemon.home / name).write_bytes(content)
    assert command(daemon, "import", "whole.tsv", "--feed", "lot").returncode == 0
    done = command(daemon, "import", "short.tsv", "--feed", "lot")
    assert "5 lines: 4 unchanged; 36 deactivations held" in done.stdout
    assert "decide: `ingestd imports approve 2` says that they are gone\n" in done.stdout

    done = command(daemon, "imports", "approve", "2")
    assert done.returncode == 0, done.stderr
    assert "5 lines: 4 unchanged; 36 deactivated" in done.stdout
    assert f"  approved by {getpass.getuser()} at 20" in done.stdout
    assert "no daemon" not in done.stdout
    on = await ask("SELECT count(*) FROM vehicles WHERE is_active")
    assert [found["count"] for found in on] == [4]


async def test_what_a_command_had_held_is_denied_without_a_daemon(daemon):
    daemon.write_config()
    (daemon.home / "bad.tsv").write_bytes(lot(2) + ("TBD\t\tZeta\n" * 20).encode())
    assert command(daemon, "import", "bad.tsv", "--feed", "lot").returncode == 75
    told = said(daemon, "imports", "deny", "1")
    whose = {"import_id": 1, "delivery_id": 1, "feed": "lot"}
    assert told == {**whose, "decision": "denied", "daemon": None}
    assert said(daemon, "status")["to_decide"] == []


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
