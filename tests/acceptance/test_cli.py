"""The command line, as installed, by the role with least rights."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command

from ingestd.cli import app
from tests.acceptance.lots import HEADER, lot, row, vin
from tests.acceptance.running import COMMAND, command

KEYS = [
    "import_id",
    "delivery_id",
    "file",
    "dealership_id",
    "feed",
    "outcome",
    "reason",
    "lines",
    "counts",
    "deactivated",
    "reactivated",
    "held_deactivations",
    "warnings",
    "encoding",
    "delimiter",
    "quoting",
    "mapping",
    "unmapped",
    "rejections",
    "started_at",
    "seconds",
]


@pytest.fixture
def place(daemon):
    """The daemon's configuration and environment, without a daemon."""
    daemon.write_config()
    return daemon


def given(place, content: bytes, name: str = "lot.tsv"):
    file = place.home / name
    file.write_bytes(content)
    return file


async def test_a_file_that_is_cut_inside_its_last_cell_changes_nothing_of_that_vehicle(place, ask):
    """Its price would be a tenth, and no cell shows that; its feed's files always end a line."""
    whole = lot(20, changed={20: 14_695})
    command(place, "import", given(place, whole), "--feed", "lot")
    done = command(place, "import", given(place, whole[:-2]), "--feed", "lot", "--json")
    report = json.loads(done.stdout)

    assert [finding["reason"] for finding in report["rejections"]] == ["cut_off"]
    assert report["counts"]["updated"] == 0
    assert len(await ask("SELECT 1 FROM vehicles WHERE price = 14695")) == 1


async def test_import_prints_the_documented_object(place, ask):
    done = command(place, "import", given(place, lot(20)), "--dealership", "1", "--json")
    report = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert [key for key in KEYS if key not in report] == []
    assert report["counts"] == {
        "header": 1,
        "blank": 0,
        "added": 20,
        "updated": 0,
        "unchanged": 0,
        "duplicate": 0,
        "rejected": 0,
    }
    assert (report["lines"], report["feed"], report["dealership_id"]) == (21, "lot", 1)
    assert report["mapping"]["drivetrain"] == ["DriveType"]
    assert len(await ask("SELECT 1 FROM vehicles WHERE dealership_id = 1")) == 20


async def test_import_for_a_dealership_without_a_feed_uses_an_implicit_one(place, ask):
    done = command(place, "import", given(place, lot(3)), "--dealership", "2", "--json")

    assert json.loads(done.stdout)["feed"] == "dealership-2"


async def test_import_leaves_the_file_where_it_is(place, ask):
    file = given(place, lot(3))
    command(place, "import", file, "--dealership", "1")

    assert file.read_bytes() == lot(3)


async def test_rejected_rows_make_the_exit_code_65_and_are_listed(place, ask):
    file = given(place, lot(3) + b"not a row\n")
    done = command(place, "import", file, "--feed", "lot")
    listed = command(place, "imports", "rejections", "1", "--json")

    assert done.returncode == 65
    assert "line 5" in done.stdout
    assert json.loads(listed.stdout)["line"] == 5


async def test_a_dry_run_tells_all_and_changes_nothing(place, ask):
    done = command(place, "import", given(place, lot(3)), "--feed", "lot", "--dry-run", "--json")
    report = json.loads(done.stdout)

    assert (report["outcome"], report["counts"]["added"]) == ("imported", 3)
    assert (report["import_id"], report["delivery_id"]) == (None, None)
    assert await ask("SELECT 1 FROM vehicles") == []
    assert await ask("SELECT 1 FROM ingest.deliveries") == []


async def test_an_older_import_by_hand_is_the_newest_all_the_same(place, ask):
    command(place, "import", given(place, lot(3, changed={1: 9_000})), "--feed", "lot")
    done = command(place, "import", given(place, lot(3)), "--feed", "lot", "--json")

    assert json.loads(done.stdout)["counts"]["updated"] == 1


async def test_the_books_can_be_read(place, ask):
    command(place, "import", given(place, lot(3)), "--feed", "lot")

    listed = json.loads(command(place, "imports", "list", "--json").stdout)
    shown = json.loads(command(place, "imports", "show", "1", "--json").stdout)

    assert listed == shown
    assert "3 added" in command(place, "imports", "list").stdout
    assert "3 added" in command(place, "imports", "show", "1").stdout
    assert command(place, "imports", "rejections", "1").returncode == 0


async def test_headers_that_changed_since_the_last_file_are_told_and_the_first_is_no_change(
    place, ask
):
    def imported(content: bytes) -> dict[str, Any]:
        done = command(place, "import", given(place, content), "--feed", "lot", "--json")
        return dict(json.loads(done.stdout))

    lines = lot(3).split(b"\n")
    wider = b"\n".join([lines[0] + b"\tDoors", *(line + b"\t4" for line in lines[1:-1]), b""])

    assert "drift" not in imported(lot(3))
    assert "drift" not in imported(lot(3))
    assert imported(wider)["drift"] == {"added": ["Doors"], "gained": ["doors"]}
    assert imported(lot(3))["drift"] == {"gone": ["Doors"], "lost": ["doors"]}


async def test_what_came_can_be_read_and_each_file_of_it(place, ask):
    command(place, "import", given(place, lot(3)), "--feed", "lot")

    listed = json.loads(command(place, "deliveries", "list", "--json").stdout)
    shown = json.loads(command(place, "deliveries", "show", "1", "--json").stdout)

    assert (listed["source"], listed["outcome"], listed["name"]) == ("cli", "imported", "lot.tsv")
    assert shown.pop("imports")[0]["counts"]["added"] == 3
    assert shown == listed
    assert "lot.tsv" in command(place, "deliveries", "list").stdout
    assert "3 added" in command(place, "deliveries", "show", "1").stdout
    assert command(place, "deliveries", "show", "99").returncode == 66
    refused = command(place, "deliveries", "retry", "1")
    assert refused.returncode == 66
    assert "delivery 1 is imported; only what was rejected or failed" in refused.stderr


async def test_a_vehicle_says_when_its_price_changed_by_which_file_and_which_line(place, ask):
    command(place, "import", given(place, lot(3)), "--feed", "lot")
    command(place, "import", given(place, lot(3, changed={2: 18_000})), "--feed", "lot")
    done = command(place, "vehicle", vin(2).lower(), "--json")
    found = json.loads(done.stdout)
    change = found["changes"][0]

    assert done.returncode == 0, done.stderr
    assert (found["vehicle"]["vin"], found["dealership"]) == (vin(2), "Invented Motors")
    assert (change["field"], change["old"], change["new"]) == ("price", "20002.00", "18000.00")
    assert (change["import_id"], change["file"], change["line"]) == (2, "lot.tsv", 3)
    assert found["added"]["delivery_id"] == 1
    assert found["listed_by"][0]["last_listed_delivery_id"] == 2

    shown = command(place, "vehicle", "--stock", "z00002", "--dealership", "1").stdout
    row = next(line for line in shown.splitlines() if "18000.00" in line and "20002.00" in line)
    assert row.split()[2:] == ["price", "20002.00", "18000.00", "row", "2", "lot.tsv", "3"]
    assert "listed by feed lot, last by delivery 2 of " in shown
    assert "added by delivery 1 (lot.tsv) at " in shown
    assert "price: 18000.00" in shown
    head = [line.split(":")[0].strip() for line in shown.splitlines()[1:17]]
    assert head == [
        "vin",
        "stock_number",
        "make",
        "model",
        "year",
        "trim",
        "status",
        "is_active",
        "price",
        "mileage",
        "exterior_color",
        "body_style",
        "fuel_type",
        "drivetrain",
        "created_at",
        "updated_at",
    ]
    created = next(line for line in shown.splitlines() if "created_at" in line)
    assert re.fullmatch(r"  created_at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", created)
    assert "has changed nothing of it" in command(place, "vehicle", vin(1)).stdout


async def test_a_group_file_fills_each_dealership_that_its_column_names(place, ask):
    place.feeds = {
        "group": '[feed.rooftops]\ncolumn = "Store"\nmap = { "N" = 1, "S" = 2 }',
    }
    place.write_config()
    head, *rows = lot(3).decode().splitlines()
    stores = ("N", "S", "X")
    text = "\n".join(
        [f"{head}\tStore", *(f"{line}\t{at}" for line, at in zip(rows, stores, strict=True))]
    )
    done = command(
        place, "import", given(place, text.encode() + b"\n"), "--feed", "group", "--json"
    )
    report = json.loads(done.stdout)
    shown = json.loads(command(place, "imports", "show", "1", "--json").stdout)

    assert done.returncode == 65, done.stderr
    assert report["dealership_id"] is None
    assert [(it["id"], it["counts"]["added"]) for it in report["dealerships"]] == [(1, 1), (2, 1)]
    assert report["rejections"] == [
        {"line": 4, "column": "Store", "reason": "unknown_rooftop", "value": "X"}
    ]
    assert shown == {key: value for key, value in report.items() if key != "dry_run"}
    found = await ask("SELECT dealership_id, vin FROM vehicles ORDER BY dealership_id")
    assert [tuple(vehicle) for vehicle in found] == [(1, vin(1)), (2, vin(2))]
    shown_to_people = command(place, "imports", "show", "1").stdout
    assert "2 added" in shown_to_people
    assert "  dealership 1: 1 added\n  dealership 2: 1 added\n" in shown_to_people
    assert "group" in command(place, "status").stdout


async def test_a_vehicle_that_is_not_there_is_no_input_and_the_near_ones_are_told(place, ask):
    command(place, "import", given(place, lot(3)), "--feed", "lot")
    near = command(place, "vehicle", vin(2)[:-1] + "9")
    none = command(place, "vehicle", "--stock", "nothing", "--dealership", "2")

    assert (near.returncode, none.returncode) == (66, 66)
    assert f"there is {vin(2)}" in near.stderr
    assert "no vehicle with stock number nothing at dealership 2, nor one like it" in none.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either a VIN or --stock NUMBER"),
        (("X", "--stock", "Y"), "give either a VIN or --stock NUMBER"),
        (("X", "--field", "prise"), "no column 'prise' that a file could change"),
    ],
)
async def test_a_vehicle_must_be_named_in_one_way(place, ask, words, said):
    done = command(place, "vehicle", *words)

    assert done.returncode == 64
    assert said in done.stderr


@pytest.mark.parametrize("words", [("show", "99"), ("rejections", "99")])
async def test_an_import_that_does_not_exist_is_no_input(place, ask, words):
    done = command(place, "imports", *words)

    assert done.returncode == 66
    assert "there is no import 99" in done.stderr


async def test_status_tells_what_each_feed_did_last(place, ask):
    command(place, "import", given(place, lot(3)), "--feed", "lot")
    found = json.loads(command(place, "status", "--json").stdout)

    assert found["deliveries"] == {"done": 1}
    assert (found["feeds"][0]["feed"], found["feeds"][0]["outcome"]) == ("lot", "imported")
    assert (found["to_decide"], found["waiting"]) == ([], [])
    assert "lot" in command(place, "status").stdout


async def test_status_lists_every_feed_once_and_those_that_never_did_anything(place, ask):
    place.feeds = {"lot": "", "other": ""}
    place.write_config()
    assert command(place, "import", given(place, lot(3)), "--feed", "lot").returncode == 0
    refused = command(place, "import", given(place, b"nothing\n", "bad.tsv"), "--feed", "lot")
    assert refused.returncode == 65
    feeds = json.loads(command(place, "status", "--json").stdout)["feeds"]

    assert [(it["feed"], it["import_id"], it["dealership_id"]) for it in feeds] == [
        ("lot", 2, 1),
        ("other", None, None),
    ]
    shown = command(place, "status").stdout
    assert [line.split()[:3] for line in shown.splitlines() if line.startswith("other")] == [
        ["other", "nothing", "yet"]
    ]
    assert "T" not in next(line for line in shown.splitlines() if line.startswith("lot"))


async def test_dealerships_can_be_added_and_listed(place, ask):
    added = command(place, "dealerships", "add", "Third Motors", "--location", "Here", "--json")
    listed = json.loads(command(place, "dealerships", "list", "--json").stdout)

    assert {"id": json.loads(added.stdout)["id"], "name": "Third Motors", "vehicles": 0} in listed
    assert "Third Motors" in command(place, "dealerships", "list").stdout
    assert "is dealership" in command(place, "dealerships", "add", "Fourth").stdout


async def test_check_tries_every_step(place, ask):
    done = command(place, "check", "--json")
    steps = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stdout
    assert {step["step"] for step in steps} >= {"database", "schema", "target", "feeds", "parser"}
    assert "ok" in command(place, "check").stdout


async def test_check_says_what_to_do_about_a_dealership_that_does_not_exist(place, ask):
    place.write_config(dealership=99)
    done = command(place, "check")

    assert done.returncode == 69
    assert "ingestd dealerships add" in done.stdout


async def test_check_says_what_to_do_about_a_database_that_is_away(place, ask):
    place.url = "postgresql://ingestd@127.0.0.1:1/rylie"
    done = command(place, "check")

    assert done.returncode == 69
    assert "failed  database" in done.stdout


async def test_a_feed_of_no_dealership_stops_the_start_with_the_cure(place, ask):
    place.write_config(dealership=99)
    done = command(place, "run")

    assert done.returncode == 78
    assert "ingestd dealerships add" in done.stderr


async def test_schema_status_is_well_and_print_prints_sql(place, ask):
    status = command(place, "schema", "status", "--json")

    assert status.returncode == 0
    assert {file["state"] for file in json.loads(status.stdout)["files"]} == {"applied"}
    printed = command(place, "schema", "print")
    parts = json.loads(command(place, "schema", "print", "--json").stdout)
    assert "CREATE TABLE" in printed.stdout
    assert [part["file"] for part in parts][:2] == ["001_schema_files.sql", "002_platform.sql"]
    assert all(part["sql"] in printed.stdout for part in parts)
    assert "applied" in command(place, "schema", "status").stdout


def test_schema_apply_makes_an_empty_database_usable(home, empty_database):
    environ = {**os.environ, "DATABASE_URL": empty_database.url}

    def ran(*words):
        return subprocess.run(
            [COMMAND, *words], env=environ, cwd=home, capture_output=True, text=True, check=False
        )

    before = ran("schema", "status")
    applied = ran("schema", "apply", "--url", empty_database.url)
    again = ran("schema", "apply", "--json")

    assert before.returncode == 69
    assert "applied 001_" in applied.stdout
    assert "db:push" in applied.stdout
    assert json.loads(again.stdout)["applied"] == []


def test_inspect_needs_no_database_and_no_configuration(home):
    file = home / "lot.tsv"
    file.write_bytes(lot(5) + b"TBD\n")
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [COMMAND, "inspect", file, "--json"], env=bare, cwd=home, capture_output=True, check=False
    )
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert (found["rows"], found["rejected"], found["encoding"]) == (5, 1, "utf-8")
    assert found["counts"]["header"] == 1
    assert found["mapping"]["vin"] == ["VIN"]
    assert found["sample"][0]["vin"] == vin(1)
    assert "[[feed]]" in found["config"]


def test_inspect_shows_a_person_what_would_be_stored(home):
    file = home / "lot.tsv"
    file.write_bytes(lot(5))
    done = subprocess.run(
        [COMMAND, "inspect", file], cwd=home, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert vin(1) in done.stdout
    assert "[[feed]]" in done.stdout


def test_inspect_of_a_file_that_would_be_refused_exits_65(home):
    file = home / "letter.tsv"
    file.write_text("dear customer\n")
    done = subprocess.run(
        [COMMAND, "inspect", file], cwd=home, capture_output=True, text=True, check=False
    )

    assert done.returncode == 65
    assert "would be refused" in done.stdout


def inspected(home, *rows: str, columns: str | None = None):
    file = home / "lot.tsv"
    file.write_text("".join(row + "\n" for row in rows))
    environ = {"PATH": os.environ["PATH"]} | ({"COLUMNS": columns} if columns else {})
    return subprocess.run(
        [COMMAND, "inspect", file],
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


def test_inspect_of_a_file_none_of_whose_rows_could_be_a_new_vehicle_exits_65(home):
    done = inspected(home, "VIN\tMake\tYear", *(f"{vin(at)}\tKia\t2024" for at in range(3)))

    assert done.returncode == 65
    assert "no column for model" in done.stdout


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        ("rejected_rows", [f"{vin(1)}\tKia\tRio\t2024\t1", *["TBD\tKia\tRio\t2024\t1"] * 9]),
        ("several_dealers", [f"{vin(at)}\tKia\tRio\t2024\t{at}" for at in (1, 2)]),
    ],
)
def test_inspect_of_a_file_that_would_be_held_exits_75_as_import_does(home, reason, rows):
    done = inspected(home, "VIN\tMake\tModel\tYear\tDealerID", *rows)

    assert done.returncode == 75
    assert f"would be held ({reason})" in done.stdout


def test_inspect_is_as_wide_as_columns_says_where_nobody_looks(home):
    rows = ["VIN\tMake\tModel\tYear", f"{vin(1)}\tKia\tRio\t2024"]
    narrow = inspected(home, *rows, columns="60").stdout
    wide = inspected(home, *rows).stdout

    assert max(map(len, narrow.partition("[[feed]]")[0].splitlines())) <= 60
    assert max(map(len, wide.partition("[[feed]]")[0].splitlines())) > 60


def commands(*above: str) -> list[tuple[str, ...]]:
    """List every command, a group's commands in place of the group."""
    group: Any = get_command(app)
    for name in above:
        group = group.commands[name]
    if not hasattr(group, "commands"):
        return [above]
    return [words for name in group.commands for words in commands(*above, name)]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_takes_the_options_that_the_readme_promises(words):
    done = subprocess.run(
        [COMMAND, *words, "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    promised = {"--config", "--embedded"} | ({"--json"} if words != ("run",) else set())

    assert {option for option in promised if option not in done.stdout} == set()


def test_what_needs_no_database_starts_none_though_embedded_is_asked_for(home):
    file = home / "lot.tsv"
    file.write_bytes(lot(2))
    for words in (("inspect", file), ("schema", "print")):
        done = subprocess.run(
            [COMMAND, *words, "--embedded"],
            env={**NOTHING, "INGESTD_STATE_DIR": str(home / "state")},
            cwd=home,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert not (home / "state").exists()


BUGGY = """
from ingestd import cli

@cli.app.command()
def alone():
    raise KeyError("the shelf")

@cli.app.command()
def among():
    raise ExceptionGroup("tasks", [cli.IngestError("expected"), KeyError("the shelf")])

@cli.app.command()
def telling():
    raise ValueError("postgresql://ingestd:opensesame@db/rylie is odd")

cli.main()
"""


def buggy(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that has a bug."""
    words = [sys.executable, "-c", BUGGY, command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["alone", "among"])
def test_a_bug_is_told_as_one_with_its_trace_and_exits_70(command):
    done = buggy(command)
    first, _, rest = done.stderr.partition("\n")

    assert done.returncode == 70
    assert first.startswith("ingestd: a bug in ingestd: ")
    assert first.endswith("; please report it with what follows")
    assert "KeyError: 'the shelf'" in rest


def test_the_trace_of_a_bug_keeps_a_password_to_itself():
    done = buggy("telling")

    assert done.returncode == 70
    assert "opensesame" not in done.stderr
    assert "is odd" in done.stderr


@pytest.mark.parametrize("words", [("schema", "print"), ("check", "--json")])
def test_a_reader_that_is_gone_is_no_matter_for_a_message(home, words):
    ours, theirs = os.pipe()
    os.close(ours)
    environ = {**NOTHING, "INGESTD_STATE_DIR": str(home / "state")}
    done = subprocess.run(
        [COMMAND, *words], env=environ, cwd=home, stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)

    assert (done.returncode, done.stderr) == (1, b"")


NOTHING = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("import",), 64, "Missing argument"),
        (("import", "/no/such/file", "--dealership", "1"), 66, "there is no such file"),
        (("status",), 78, "DATABASE_URL"),
        (("run",), 78, "no configuration file"),
        (("run", "--config", "/no/such.toml"), 78, "cannot be read"),
        (("nonsense",), 64, "No such command"),
    ],
)
def test_a_wrong_command_line_says_why(home, words, code, said):
    done = subprocess.run(
        [COMMAND, *words], env=NOTHING, cwd=home, capture_output=True, text=True, check=False
    )

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing is watched"),
        ("[[folder]]\nname='d'\npath='/d'\n", "DATABASE_URL"),
        ("[http]\nlisten = 1\n", "http.listen"),
    ],
)
def test_a_wrong_configuration_stops_the_start(home, text, said):
    (home / "config.toml").write_text(text)
    done = subprocess.run(
        [COMMAND, "run"], env=NOTHING, cwd=home, capture_output=True, text=True, check=False
    )

    assert done.returncode == 78
    assert said in done.stderr


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
async def test_an_import_that_meets_a_taken_key_again_and_again_is_refused_in_words(
    place, ask, how
):
    await ask("CREATE UNIQUE INDEX one_stock_number ON vehicles (dealership_id, stock_number)")
    await ask(
        "INSERT INTO vehicles (dealership_id, vin, stock_number, make, model, year)"
        f" VALUES (1, '{vin(9)}', 'Z00001', 'Zeta', 'Eagle', 2023)"
    )
    done = command(place, "import", given(place, lot(3)), "--feed", "lot", "--json", *how)
    report = json.loads(done.stdout)

    assert done.returncode == 65, done.stderr
    assert report["reason"] == "key_taken"
    assert "(dealership_id, stock_number)=(1, Z00001)" in report["message"]


async def test_import_needs_to_know_whose_file_it_is(place, ask):
    done = command(place, "import", given(place, lot(1)))
    wrong = command(place, "import", given(place, lot(1)), "--feed", "lto")

    assert (done.returncode, "--dealership ID or --feed NAME" in done.stderr) == (64, True)
    assert (wrong.returncode, 'did you mean "lot"' in wrong.stderr) == (78, True)


async def test_a_dealership_with_two_feeds_must_be_told_which(place, ask):
    place.feeds = {"new": "", "used": ""}
    place.write_config()
    done = command(place, "import", given(place, lot(1)), "--dealership", "1")

    assert (done.returncode, "several feeds (new, used)" in done.stderr) == (64, True)


async def test_a_dealership_s_feed_is_found_though_it_is_configured_by_name(place, ask):
    place.feeds = {}
    place.more = (
        '[[feed]]\nname = "others"\ndealership = { name = "Other Motors" }\nmode = "full"\n'
        '[[feed]]\nname = "mine"\ndealership = { name = "Invented Motors" }\nmode = "full"\n'
    )
    place.write_config()
    done = command(place, "import", given(place, lot(3)), "--dealership", "1", "--json")

    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["feed"], json.loads(done.stdout)["dealership_id"]) == (
        "mine",
        1,
    )


async def test_a_feed_and_a_dealership_must_agree(place, ask):
    file = given(place, lot(3))
    other = command(place, "import", file, "--feed", "lot", "--dealership", "2")
    same = command(place, "import", file, "--feed", "lot", "--dealership", "1")

    assert (other.returncode, "is of dealership 1, not 2" in other.stderr) == (64, True)
    assert same.returncode == 0, same.stderr


async def test_a_group_s_feed_is_that_of_each_dealership_in_its_map(place, ask):
    place.feeds = {"group": '[feed.rooftops]\ncolumn = "Stock"\nmap = { "S1" = 1, "S2" = 2 }'}
    place.write_config()
    file = given(place, lot(2))
    found = command(place, "import", file, "--dealership", "2", "--json")
    both = command(place, "import", file, "--dealership", "2", "--feed", "group", "--json")
    neither = command(place, "import", file, "--dealership", "3", "--feed", "group")

    assert (json.loads(found.stdout)["feed"], json.loads(both.stdout)["feed"]) == ("group", "group")
    assert (neither.returncode, "is of dealership 1, 2, not 3" in neither.stderr) == (64, True)


async def test_several_files_are_imported_one_after_the_other(place, ask):
    files = [given(place, lot(count), f"{count}.tsv") for count in (3, 5)]
    done = command(place, "import", *files, "--feed", "lot", "--json")
    reports = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    assert [(r["file"], r["counts"]["added"]) for r in reports] == [("3.tsv", 3), ("5.tsv", 2)]


async def test_a_file_over_the_limit_is_refused_by_name(place, ask):
    place.more = '[limits]\nfile_size = "1KiB"'
    place.write_config()
    done = command(place, "import", given(place, lot(50)), "--feed", "lot")

    assert done.returncode == 65
    assert "file_size" in done.stderr


async def test_every_seed_column_and_every_seed_alias_is_loaded(place, ask):
    """The platform's documentation names these columns, and these second names for them."""
    first = [
        "VIN",
        "Stock",
        "Make",
        "Model",
        "Year",
        "Trim",
        "ExteriorColor",
        "InteriorColor",
        "Mileage",
        "Price",
        "BodyStyle",
        "Transmission",
        "Engine",
        "FuelType",
        "Drivetrain",
        "Features",
        "Images",
    ]
    second = [
        "VIN",
        "StockNumber",
        "Make",
        "Model",
        "Year",
        "Trim",
        "Color",
        "InteriorColor",
        "Mileage",
        "MSRP",
        "Body",
        "Transmission",
        "Engine",
        "Fuel",
        "DriveType",
        "Features",
        "Images",
    ]
    cells = (
        "S{0} Zeta Eagle 2023 SE Blue Black 1200 30500 Sedan Automatic V6 Gasoline AWD"
        " Heated-Seats,Sunroof https://x.example/1.jpg,https://x.example/2.jpg"
    )
    for number, header in enumerate((first, second), start=1):
        line = [vin(number), *cells.format(number).split()]
        file = given(place, ("\t".join(header) + "\n" + "\t".join(line) + "\n").encode())
        done = command(place, "import", file, "--feed", "lot", "--json")
        assert json.loads(done.stdout)["counts"]["added"] == 1, done.stdout

    for stored in await ask("SELECT * FROM vehicles ORDER BY stock_number"):
        assert (stored["make"], stored["model"], stored["year"]) == ("Zeta", "Eagle", 2023)
        assert (stored["trim"], stored["exterior_color"]) == ("SE", "Blue")
        assert (stored["interior_color"], stored["mileage"]) == ("Black", 1200)
        assert (stored["price"], stored["body_style"]) == (30500, "Sedan")
        assert (stored["transmission"], stored["engine"]) == ("Automatic", "V6")
        assert (stored["fuel_type"], stored["drivetrain"]) == ("Gasoline", "AWD")
        assert json.loads(stored["features"]) == ["Heated-Seats", "Sunroof"]
        assert len(json.loads(stored["images"])) == 2
        assert (stored["status"], stored["is_active"]) == ("active", True)


async def test_columns_that_nobody_knows_are_kept(place, ask):
    text = HEADER + "\tMoon Phase\n" + row(1) + "\tfull\n"
    command(place, "import", given(place, text.encode()), "--feed", "lot")

    (kept,) = await ask("SELECT extras FROM ingest.vehicle_extras")
    assert json.loads(kept["extras"]) == {"Moon Phase": "full"}


async def test_a_second_dealership_of_one_name_is_refused(place, ask):
    done = command(place, "dealerships", "add", "Other Motors")

    assert (done.returncode, "dealership 2 has this name" in done.stderr) == (64, True)


async def test_a_dry_run_says_so_in_words(place, ask):
    done = command(place, "import", given(place, lot(3)), "--feed", "lot", "--dry-run")

    assert "would be imported (dry run: nothing is kept)" in done.stdout


def test_the_version_can_be_asked_for(home):
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()[0]) == (0, "ingestd")


def test_a_directory_is_no_file(home):
    done = subprocess.run(
        [COMMAND, "inspect", home], capture_output=True, text=True, check=False, cwd=home
    )

    assert (done.returncode, "is a directory" in done.stderr) == (66, True)
