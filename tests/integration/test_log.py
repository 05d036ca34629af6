"""The log is lines for machines or sentences for people, and never holds a secret."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
import structlog

from ingestd.config import Log
from ingestd.model import FileReading, Outcome
from ingestd.report import Counts, Decision
from ingestd.tell.log import LONGEST, LogTell, redactor, set_up, under_journal
from tests.integration.settlements import STARTED, refused, report, settlement

CANARY = 'h"ush\\ %s/@ ü'
Form: TypeAlias = Literal["auto", "json", "console"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def logged(
    act: Callable[[], object],
    form: Form = "auto",
    level: Literal["debug", "info"] = "info",
    stream: io.StringIO | None = None,
    **more: Any,
) -> str:
    out = io.StringIO() if stream is None else stream
    set_up(Log(level=level, format=form), stream=out, environ={}, **more)
    act()
    return out.getvalue()


def entry(act: Callable[[], object], **more: Any) -> dict[str, Any]:
    (line,) = logged(act, **more).splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def say(event: str = "thing.happened", **values: Any) -> Callable[[], object]:
    return lambda: structlog.stdlib.get_logger("ingestd.test").info(event, **values)


def shown(act: Callable[[], object]) -> str:
    """What a terminal shows, without its colours and the time."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", logged(act, stream=Terminal()))
    return re.sub(r"^\S+Z ", "", text)


def test_an_event_is_one_json_line_with_time_level_and_logger():
    found = entry(say(folder="drop"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", found.pop("ts"))
    assert found == {
        "event": "thing.happened",
        "folder": "drop",
        "level": "info",
        "logger": "ingestd.test",
    }


def test_the_standard_library_s_log_comes_out_the_same_way():
    found = entry(lambda: logging.getLogger("ingestd.old").warning("%d things", 3, extra={"n": 3}))
    assert (found["event"], found["level"], found["logger"]) == (
        "3 things",
        "warning",
        "ingestd.old",
    )
    assert found["n"] == 3
    assert "ts" in found


def test_a_terminal_gets_text_and_anything_else_json():
    assert "{" not in logged(say(), stream=Terminal())
    assert logged(say()).startswith("{")
    assert logged(say(), form="json", stream=Terminal()).startswith("{")
    assert "{" not in logged(say(), form="console")


def test_what_is_below_the_level_is_not_written():
    def debug() -> None:
        structlog.stdlib.get_logger("ingestd").debug("detail.seen")

    assert logged(debug) == ""
    assert "detail.seen" in logged(debug, level="debug")


@pytest.mark.parametrize("name", ["asyncpg", "aiohttp.server"])
def test_what_a_library_meets_and_we_tell_ourselves_is_not_heard_twice(name: str):
    library = logging.getLogger(name)

    assert "Traceback" not in logged(lambda: library.error("Traceback"), level="debug")


@pytest.mark.parametrize(
    "name", ["aioimaplib.aioimaplib", "aiohttp.access", "asyncio", "watchfiles.main"]
)
def test_a_talkative_library_is_heard_from_warning_up_whatever_it_asks_for(name: str):
    library = logging.getLogger(name)

    def talk() -> None:
        library.setLevel(logging.DEBUG)
        library.debug("LOGIN user hush")
        library.info("sent: hush")
        library.warning("connection lost")

    found = entry(talk, level="debug")
    library.setLevel(logging.NOTSET)
    assert found["event"] == "connection lost"


def test_setting_it_up_again_does_not_double_the_lines():
    set_up(Log(), stream=io.StringIO(), environ={})
    assert logged(say()).count("thing.happened") == 1


@pytest.mark.parametrize(
    "key",
    ["password", "imap_password", "PASSWORD", "token", "client_secret", "Authorization", "url"],
)
def test_a_value_under_a_secret_name_is_hidden_at_any_depth(key: str):
    assert entry(say(**{key: "hush"}))[key] == "***"
    assert entry(say(config={"a": [{key: "hush"}]}))["config"] == {"a": [{key: "***"}]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot reach postgresql://ingestd:hush@db/rylie", "postgresql://ingestd:***@db/rylie"),
        ("postgresql://u:hu/sh@x:hush@db/rylie?x=1", "postgresql://u:***@db/rylie?x=1"),
        ("imaps://user%40x.example:hush@mail", "imaps://user%40x.example:***@mail"),
        ("host=db password=hush user=x", "host=db password=*** user=x"),
        ("password='hu sh hush' user=x", "password=*** user=x"),
        ("Authorization: Bearer hush", "Authorization: ***"),
        ("token: hush, next", "token: ***, next"),
    ],
)
def test_a_password_inside_a_text_is_hidden(text: str, kept: str):
    found = entry(say(detail=text))["detail"]
    assert "hush" not in found
    assert kept in found


@pytest.mark.parametrize(
    "text",
    [
        "password authentication failed for user x",
        "https://www.prairiecrossing.example/used/2017-kia.html",
        "see http://127.0.0.1:9716/readyz",
        "lot.tsv: line 7: VIN: a@b",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str):
    assert entry(say(detail=text))["detail"] == text


def test_secrets_that_are_known_are_hidden_in_every_spelling():
    quoted = "h%22ush%5C%20%25s%2F%40%20%C3%BC"

    def leak() -> None:
        log = structlog.stdlib.get_logger("ingestd")
        log.info("a.b", one=CANARY, two=f"x{CANARY}y", three=quoted, four=[repr(CANARY)])
        log.warning("in the event " + CANARY)  # noqa: G003  as careless code would
        logging.getLogger("foreign").error("foreign %s", CANARY)
        try:
            raise OSError(CANARY)  # noqa: TRY301  the traceback is what is looked at
        except OSError as error:
            log.exception("c.d", error=error)

    for form in ("json", "console"):
        text = logged(leak, form=form, secrets=[CANARY])
        assert "ush" not in text
        assert text.count("***") >= 8


def test_a_secret_too_short_to_be_one_does_not_blank_the_log():
    assert entry(say(detail="a and b"), secrets=["a", ""])["detail"] == "a and b"


def test_a_traceback_shows_no_local_variables():
    def fail() -> None:
        held = "hush" + "ed"
        try:
            raise ValueError(len(held))  # noqa: TRY301  the traceback is what is looked at
        except ValueError:
            structlog.stdlib.get_logger("ingestd").exception("thing.failed")

    for out in (logged(fail), logged(fail, stream=Terminal())):
        assert "ValueError: 6" in out
        assert "hushed" not in out


@pytest.mark.parametrize("text", ["a" * 1_000_000, "://:" * 250_000, "x://a:" * 200_000])
def test_a_huge_text_is_cut_and_costs_no_time(text: str):
    hidden = redactor()(text)
    assert len(hidden) <= LONGEST + 1


def test_a_record_that_cannot_be_formatted_is_not_printed_as_it_is():
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError

    text = logged(say(detail="password=hush", thing=Unspeakable()))
    assert text == "ingestd.test: a log record could not be written (RuntimeError)\n"


def test_a_value_of_any_type_can_be_logged():
    found = entry(say(path=Path("/x"), many={1}, pair=(1, None), error=ValueError("no"), on=True))
    assert found["path"] == "PosixPath('/x')"
    assert (found["many"], found["pair"]) == ([1], [1, None])
    assert (found["error"], found["on"]) == ("no", True)


def test_a_sender_cannot_steer_the_terminal():
    hostile = "lot\x1b]0;owned\x07\r\n\u202etsv\x9b2J"
    text = shown(say(file=hostile))
    assert text.count("\n") == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "\\x1b]0;owned\\x07" in text


def test_the_journal_is_known_by_the_stream_it_gave(tmp_path: Path):
    with (tmp_path / "stderr").open("w") as out:
        status = os.fstat(out.fileno())
        ours = f"{status.st_dev}:{status.st_ino}"
        assert under_journal(out, {"JOURNAL_STREAM": ours})
        assert not under_journal(out, {"JOURNAL_STREAM": "1:2"})
        assert not under_journal(out, {})
    assert not under_journal(io.StringIO(), {"JOURNAL_STREAM": ours})


def test_under_the_journal_every_line_has_its_priority(tmp_path: Path):
    def talk() -> None:
        log = structlog.stdlib.get_logger("ingestd")
        log.info("a.b")
        log.warning("c.d")
        try:
            raise OSError("first\nsecond")  # noqa: TRY301  the traceback is what is looked at
        except OSError:
            log.exception("e.f")

    for form in ("json", "console"):
        with (tmp_path / "stderr").open("w") as out:
            status = os.fstat(out.fileno())
            environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            set_up(Log(format=form), stream=out, environ=environ)
            talk()
        lines = (tmp_path / "stderr").read_text().splitlines()
        assert lines[0].startswith("<6>")
        assert lines[1].startswith("<4>")
        assert all(line.startswith("<3>") for line in lines[2:])


def test_by_default_it_goes_to_stderr_and_nothing_to_stdout():
    program = (
        "import structlog\n"
        "from ingestd.config import Log\n"
        "from ingestd.tell.log import set_up\n"
        "set_up(Log())\n"
        "structlog.stdlib.get_logger('ingestd').info('thing.happened')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert json.loads(done.stderr)["event"] == "thing.happened"


def test_a_settled_delivery_is_one_line_with_all_counts():
    counts = Counts(header=1, blank=1, added=3, updated=5, unchanged=132, duplicate=1, rejected=3)
    found = entry(lambda: LogTell().settled(settlement(report(counts=counts))))
    assert (found["event"], found["level"]) == ("delivery.settled", "info")
    assert {name: found[name] for name in Counts.__slots__} == {
        name: getattr(counts, name) for name in Counts.__slots__
    }
    assert found["lines"] == 146
    assert (found["outcome"], found["delivery_id"], found["file"]) == ("imported", 9, "lot.tsv")
    assert (found["source"], found["kind"], found["attempts"]) == ("drop", "folder", 1)
    assert found["imports"][0]["import_id"] == 12
    assert found["imports"][0]["feed"] == "sample"


def test_several_files_are_added_up_and_listed():
    done = settlement(report("new.tsv"), report("used.tsv"), refused(), name="lot.zip")
    found = entry(lambda: LogTell().settled(done))
    assert (found["added"], found["rejected"], found["lines"]) == (396, 4, 402)
    assert [made["file"] for made in found["imports"]] == ["new.tsv", "used.tsv", "notes.txt"]


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.UNCHANGED, "info"),
        (Outcome.SUPERSEDED, "info"),
        (Outcome.HELD, "warning"),
        (Outcome.REJECTED, "warning"),
        (Outcome.FAILED, "error"),
    ],
)
def test_what_went_wrong_is_louder(outcome: Outcome, level: str):
    found = entry(lambda: LogTell().settled(settlement(report(outcome=outcome))))
    assert (found["outcome"], found["level"]) == (str(outcome), level)


def test_changes_that_came_too_late_are_loud():
    late = replace(report(outcome=Outcome.SUPERSEDED), reason="late_changes")
    found = entry(lambda: LogTell().settled(settlement(late)))
    assert (found["level"], found["imports"][0]["reason"]) == ("warning", "late_changes")


def test_a_terminal_reads_what_became_of_a_file():
    assert shown(lambda: LogTell().settled(settlement(report()))) == (
        "[info] imported lot.tsv for feed sample: 198 added, 0 updated, 0 unchanged, 2 rejected"
        " in 0.21 s → imported/\n"
    )


def test_a_terminal_reads_duplicates_and_warnings_where_there_are_any():
    reading = FileReading(file=0, name="lot.tsv", warnings=4)
    made = replace(report(counts=Counts(header=1, updated=2, duplicate=1)), reading=reading)
    assert "0 added, 2 updated, 0 unchanged, 1 duplicate, 0 rejected, 4 warnings" in shown(
        lambda: LogTell().settled(settlement(made))
    )


def test_a_terminal_reads_why_a_file_was_refused():
    assert shown(lambda: LogTell().settled(settlement(refused(), name="notes.txt"))) == (
        "[warning] rejected notes.txt: no_header: no header was recognised → rejected/\n"
    )


def test_a_terminal_reads_why_a_delivery_had_nothing_in_it():
    done = settlement(name="lot.zip", reason="encrypted_archive")
    assert shown(lambda: LogTell().settled(done)) == (
        "[warning] rejected lot.zip: encrypted_archive → rejected/\n"
    )


def test_a_terminal_reads_the_files_of_an_archive():
    done = settlement(report("new.tsv"), refused(), name="lot.zip")
    assert shown(lambda: LogTell().settled(done)) == (
        "[warning] rejected lot.zip (2 files) → rejected/: imported new.tsv for feed sample:"
        " 198 added, 0 updated, 0 unchanged, 2 rejected in 0.21 s;"
        " rejected notes.txt: no_header: no header was recognised\n"
    )


HELD = replace(
    report(outcome=Outcome.HELD),
    reason="price_jump",
    message="dear",
)
LOST = replace(
    report(),
    deactivated=12,
    reactivated=3,
    held_deactivations=36,
    message="36 of 100 are lost",
)


def test_what_is_held_is_told_with_its_reason_its_import_and_the_command():
    assert shown(lambda: LogTell().settled(settlement(HELD))) == (
        "[warning] held lot.tsv for feed sample (import 12): price_jump: dear;"
        " nothing was changed; `ingestd imports approve 12` loads it all the same, `deny` does not;"
        " it would have been 198 added, 0 updated, 0 unchanged, 2 rejected in 0.21 s → held/\n"
    )


def test_deactivations_that_are_held_are_a_warning_with_their_number_and_the_command():
    found = entry(lambda: LogTell().settled(settlement(LOST)))
    switched = ("deactivated", "reactivated", "held_deactivations")
    assert (found["level"], found["outcome"]) == ("warning", "imported")
    assert [found[name] for name in switched] == [12, 3, 36]
    assert [found["imports"][0][name] for name in switched] == [12, 3, 36]
    assert found["message"] == (
        "imported lot.tsv for feed sample (import 12): 198 added, 0 updated, 0 unchanged,"
        " 2 rejected, 12 deactivated, 3 reactivated, 36 deactivations held in 0.21 s: 36 of 100 are"
        " lost; `ingestd imports approve 12` says that they are gone → imported/"
    )


def test_what_was_approved_is_told_with_what_was_switched_off_and_by_whom():
    done = replace(report(), deactivated=36, message="approved; it was held: 36 of 100 are lost")
    decided = replace(done, decided=Decision("approved", "anna", STARTED))
    found = entry(lambda: LogTell().settled(settlement(decided)))
    assert (found["level"], found["deactivated"], found["held_deactivations"]) == ("info", 36, 0)
    assert found["imports"][0]["decided"] == {
        "what": "approved",
        "by": "anna",
        "at": "2026-11-23T06:00:00Z",
    }
    assert "(import 12)" in found["message"]
    assert "36 deactivated in 0.21 s: approved; it was held: 36 of 100" in found["message"]


def test_what_the_command_line_imported_goes_nowhere():
    done = settlement(report(), source="cli", kind="cli")
    assert "→" not in shown(lambda: LogTell().settled(done))


def test_a_source_that_is_down_is_told_once_and_again_when_it_is_back():
    tell = LogTell()

    def flap() -> None:
        tell.source("drop", up=True)
        for _ in range(40):
            tell.source("drop", up=False)
        tell.source("drop", up=True)
        tell.source("drop", up=True)
        tell.waiting(3)

    found = [json.loads(line) for line in logged(flap).splitlines()]
    assert [(made["event"], made.get("failures")) for made in found] == [
        ("source.up", 0),
        ("source.down", None),
        ("source.up", 40),
        ("source.up", 0),
    ]
    assert [made["level"] for made in found] == ["info", "warning", "info", "info"]
