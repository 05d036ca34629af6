"""What /metrics says is what the receipts say, in series that are there from the start."""

import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ingestd.config import Config, parse
from ingestd.model import FileReading, Finding, Outcome
from ingestd.report import Counts, Held
from ingestd.tell.catalogue import CATALOGUE, OUTCOMES, ROW_OUTCOMES, document
from ingestd.tell.metrics import Metrics, _Process, revision
from ingestd.tell.reasons import FILE_REASONS
from tests.integration.settlements import STARTED, refused, report, settlement

CONFIG = """
[[folder]]
name = "drop"
path = "/srv/drop"
[[feed]]
name = "sample"
dealership = 1
mode = "full"
expect_every = "24h"
[[feed]]
name = "matteson"
dealership = 2
mode = "delta"
"""


def config(text: str = CONFIG) -> Config:
    return parse(text, {})


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(config(), "0.1.0")


def page(metrics: Metrics) -> str:
    return metrics.scrape("")[1].decode()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(page(metrics)):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def total(metrics: Metrics, name: str) -> float:
    families = text_string_to_metric_families(page(metrics))
    return sum(s.value for family in families for s in family.samples if s.name == name)


def rows(metrics: Metrics, feed: str) -> dict[str, float | None]:
    name = "ingestd_rows_total"
    return {what: value(metrics, name, feed=feed, outcome=what) for what in ROW_OUTCOMES}


def test_every_declared_metric_is_on_the_page(metrics: Metrics):
    for declared in CATALOGUE:
        kind = f"# TYPE {declared.name} {declared.kind}"
        assert kind in page(metrics)
        assert f"# HELP {declared.name} " in page(metrics)


def test_every_series_of_a_configured_feed_is_there_from_the_start(metrics: Metrics):
    for feed in ("sample", "matteson", "other"):
        assert rows(metrics, feed) == dict.fromkeys(ROW_OUTCOMES, 0)
        for outcome in OUTCOMES:
            assert value(metrics, "ingestd_imports_total", feed=feed, outcome=outcome) == 0
    for outcome in OUTCOMES:
        labels = {"source": "drop", "kind": "folder", "outcome": outcome}
        assert value(metrics, "ingestd_deliveries_total", **labels) == 0
    for reason in FILE_REASONS:
        assert value(metrics, "ingestd_import_rejects_total", reason=reason) == 0


def test_the_rows_are_those_of_the_receipts(metrics: Metrics):
    first = Counts(header=1, added=198, rejected=2)
    second = Counts(header=1, blank=1, updated=7, unchanged=190, duplicate=1, rejected=2)
    metrics.settled(settlement(report(counts=first)))
    metrics.settled(settlement(report(counts=second)))
    told = {"added": 198, "updated": 7, "unchanged": 190, "duplicate": 1, "rejected": 4}
    assert rows(metrics, "sample") == told
    assert 'ingestd_rows_total{feed="sample",outcome="added"} 198.0' in page(metrics)


def test_rejected_rows_by_reason_add_up_to_the_rejected_rows(metrics: Metrics):
    found = (Finding(4, "VIN", "no_identifier", ""), Finding(5, "X", "a_new_reason", ""))
    made = report(counts=Counts(header=1, rejected=102), rejections=found)
    metrics.settled(settlement(made))
    assert value(metrics, "ingestd_row_rejects_total", reason="no_identifier") == 1
    assert value(metrics, "ingestd_row_rejects_total", reason="other") == 101
    assert total(metrics, "ingestd_row_rejects_total") == 102


def test_warnings_are_counted_by_reason(metrics: Metrics):
    listed = (Finding(4, "Price", "implausible_price", "281"),)
    reading = FileReading(file=0, name="lot.tsv", warnings=3, warnings_list=listed)
    metrics.settled(settlement(replace(report(), reading=reading)))
    assert value(metrics, "ingestd_row_warnings_total", reason="implausible_price") == 1
    assert total(metrics, "ingestd_row_warnings_total") == 3


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.SUPERSEDED, Outcome.FAILED])
def test_a_file_that_was_not_applied_adds_no_rows(metrics: Metrics, outcome: Outcome):
    metrics.settled(settlement(report(outcome=outcome)))
    assert total(metrics, "ingestd_rows_total") == 0
    assert total(metrics, "ingestd_row_rejects_total") == 0
    assert value(metrics, "ingestd_imports_total", feed="sample", outcome=str(outcome)) == 1
    assert value(metrics, "ingestd_import_last_success_timestamp_seconds", feed="sample") == 0


def test_a_file_that_is_held_counts_with_its_reason(metrics: Metrics):
    metrics.settled(settlement(replace(report(outcome=Outcome.HELD), reason="another_lot")))
    assert value(metrics, "ingestd_import_holds_total", reason="another_lot") == 1
    assert total(metrics, "ingestd_import_rejects_total") == 0


def test_deactivations_that_are_held_and_absence_that_is_suspended_count_for_the_feed(
    metrics: Metrics,
):
    warning = Finding(4, None, "absence_suspended", "a row has no identifier that can be read")
    reading = FileReading(file=0, name="lot.tsv", warnings=1, warnings_list=(warning,))
    metrics.settled(settlement(replace(report(), held_deactivations=40, reading=reading)))
    assert value(metrics, "ingestd_held_deactivations_total", feed="sample") == 40
    assert value(metrics, "ingestd_absence_suspended_total", feed="sample") == 1
    assert value(metrics, "ingestd_deactivations_total", feed="sample") == 0


def test_changes_that_came_too_late_are_counted_for_their_feed(metrics: Metrics):
    assert value(metrics, "ingestd_late_changes_total", feed="sample") == 0
    late = replace(report(outcome=Outcome.SUPERSEDED), reason="late_changes")
    metrics.settled(settlement(late))
    metrics.settled(settlement(replace(late, reason="newer_applied")))
    assert value(metrics, "ingestd_late_changes_total", feed="sample") == 1


def test_what_waits_for_a_decision_is_told_feed_by_feed(metrics: Metrics):
    metrics.held({"sample": Held(2, 36), "gone": Held(1), "dealership-7": Held(3, 5)})
    assert value(metrics, "ingestd_held_imports", feed="sample") == 2
    assert value(metrics, "ingestd_held_vehicles", feed="sample") == 36
    assert value(metrics, "ingestd_held_imports", feed="other") == 4
    assert value(metrics, "ingestd_held_vehicles", feed="other") == 5
    metrics.held({})
    for feed in ("sample", "matteson", "other"):
        assert value(metrics, "ingestd_held_imports", feed=feed) == 0
        assert value(metrics, "ingestd_held_vehicles", feed=feed) == 0


def test_a_refused_file_counts_for_no_feed_with_its_reason(metrics: Metrics):
    metrics.settled(settlement(refused("no_header")))
    assert value(metrics, "ingestd_imports_total", feed="other", outcome="rejected") == 1
    assert value(metrics, "ingestd_import_rejects_total", reason="no_header") == 1
    labels = {"source": "drop", "kind": "folder", "outcome": "rejected"}
    assert value(metrics, "ingestd_deliveries_total", **labels) == 1


def test_a_delivery_without_a_file_counts_with_its_reason(metrics: Metrics):
    metrics.settled(settlement(reason="no_table"))
    assert value(metrics, "ingestd_import_rejects_total", reason="no_table") == 1
    assert total(metrics, "ingestd_imports_total") == 0


def test_a_delivery_counts_once_by_its_worst_file(metrics: Metrics):
    metrics.settled(settlement(report(), refused()))
    assert total(metrics, "ingestd_deliveries_total") == 1
    labels = {"source": "drop", "kind": "folder", "outcome": "rejected"}
    assert value(metrics, "ingestd_deliveries_total", **labels) == 1
    assert rows(metrics, "sample")["added"] == 198


def test_names_that_are_not_configured_make_no_series(metrics: Metrics):
    before = page(metrics).count("\n")
    for number in range(50):
        made = replace(report(file=f"{number}.tsv"), feed=f"dealership-{number}")
        metrics.settled(settlement(made, name=f"{number}.tsv", source="cli", kind="cli"))
        metrics.source(f"stranger-{number}", up=True)
    assert page(metrics).count("\n") == before
    assert rows(metrics, "other")["added"] == 50 * 198
    labels = {"source": "other", "kind": "cli", "outcome": "imported"}
    assert value(metrics, "ingestd_deliveries_total", **labels) == 50


def test_nothing_that_a_sender_wrote_is_on_the_page(metrics: Metrics):
    found = (Finding(7, "My Column", "My Reason", "My Value"),)
    made = report("My File.tsv", counts=Counts(header=1, rejected=1), rejections=found)
    metrics.settled(settlement(made, replace(refused("My Refusal"), feed="My Feed"), name="My.zip"))
    assert "My " not in page(metrics)
    assert "My." not in page(metrics)


def test_the_last_success_is_the_end_of_the_latest_import(metrics: Metrics):
    name = "ingestd_import_last_success_timestamp_seconds"
    metrics.settled(settlement(report()))
    assert value(metrics, name, feed="sample") == pytest.approx(STARTED.timestamp() + 0.21)
    metrics.last_success("sample", STARTED.timestamp() - 86_400)
    assert value(metrics, name, feed="sample") == pytest.approx(STARTED.timestamp() + 0.21)
    metrics.last_success("matteson", 1_700_000_000)
    assert value(metrics, name, feed="matteson") == 1_700_000_000


def test_the_duration_of_an_import_is_observed(metrics: Metrics):
    metrics.settled(settlement(report()))
    assert value(metrics, "ingestd_import_duration_seconds_count") == 1
    assert value(metrics, "ingestd_import_duration_seconds_bucket", le="0.1") == 0
    assert value(metrics, "ingestd_import_duration_seconds_bucket", le="0.25") == 1


def test_only_a_feed_that_expects_files_has_an_expectation(metrics: Metrics):
    assert value(metrics, "ingestd_feed_expect_every_seconds", feed="sample") == 86_400
    assert value(metrics, "ingestd_feed_expect_every_seconds", feed="matteson") is None


def test_a_source_is_down_until_it_is_watched(metrics: Metrics):
    assert value(metrics, "ingestd_source_up", source="drop") == 0
    metrics.source("drop", up=True)
    assert value(metrics, "ingestd_source_up", source="drop") == 1
    assert value(metrics, "ingestd_source_last_success_timestamp_seconds", source="drop")
    metrics.source("drop", up=False)
    assert value(metrics, "ingestd_source_up", source="drop") == 0


def test_a_reload_keeps_what_was_counted_and_drops_the_alarms_of_names_now_gone(metrics: Metrics):
    metrics.settled(settlement(report()))
    metrics.source("drop", up=True)
    metrics.configure(
        config(CONFIG.replace("sample", "renamed").replace('expect_every = "24h"', ""))
    )
    assert value(metrics, "ingestd_feed_expect_every_seconds", feed="sample") is None
    assert value(metrics, "ingestd_import_last_success_timestamp_seconds", feed="sample") is None
    assert value(metrics, "ingestd_held_vehicles", feed="sample") is None
    assert value(metrics, "ingestd_held_imports", feed="sample") is None
    assert rows(metrics, "sample")["added"] == 198
    assert rows(metrics, "renamed")["added"] == 0
    assert value(metrics, "ingestd_source_up", source="drop") == 1
    metrics.configure(config(CONFIG.replace('"drop"', '"other-drop"')))
    assert value(metrics, "ingestd_source_up", source="drop") is None
    assert value(metrics, "ingestd_source_up", source="other-drop") == 0


def test_a_failed_reload_is_seen_and_a_good_one_clears_it(metrics: Metrics):
    assert value(metrics, "ingestd_config_last_reload_successful") == 1
    metrics.reloaded(ok=False)
    assert value(metrics, "ingestd_config_last_reload_successful") == 0
    metrics.configure(config())
    assert value(metrics, "ingestd_config_last_reload_successful") == 1


def test_spool_and_pool_are_asked_at_the_scrape(metrics: Metrics):
    held = [0.0]
    metrics.spool_from(lambda: held[0])
    metrics.pool_from(lambda: (3, 1))
    held[0] = 4096
    assert value(metrics, "ingestd_spool_bytes") == 4096
    assert value(metrics, "ingestd_db_pool_connections", state="idle") == 3
    assert value(metrics, "ingestd_db_pool_connections", state="used") == 1


def test_a_spool_that_cannot_be_read_does_not_cost_the_page(metrics: Metrics, tmp_path: Path):
    metrics.spool_from(lambda: (tmp_path / "gone").stat().st_size)
    assert "ingestd_spool_bytes NaN" in page(metrics)


def test_the_queue_and_the_parsers_are_told(metrics: Metrics):
    metrics.waiting(17)
    metrics.worker_restarted()
    assert value(metrics, "ingestd_queue_depth") == 17
    assert value(metrics, "ingestd_worker_restarts_total") == 1


def test_replies_are_told_by_what_became_of_them(metrics: Metrics):
    metrics.replied("given_up")
    assert value(metrics, "ingestd_replies_total", outcome="given_up") == 1
    assert value(metrics, "ingestd_replies_total", outcome="sent") == 0


def test_two_of_them_do_not_meet(metrics: Metrics):
    metrics.settled(settlement(report()))
    assert rows(Metrics(config(), "0.1.0"), "sample")["added"] == 0


BUILD = r'ingestd_build_info\{python_version="3\.\S+",revision="[0-9a-f]*",version="0\.1\.0"\} 1\.0'


@pytest.mark.parametrize(
    ("text", "commit"),
    [
        (None, ""),
        ('{"url": "file:///src/ingestd", "dir_info": {"editable": true}}', ""),
        (
            '{"url": "https://x.example", "vcs_info": {"vcs": "git", "commit_id": "4b67e0"}}',
            "4b67e0",
        ),
    ],
)
def test_the_revision_is_the_commit_that_pip_installed(text: str | None, commit: str):
    assert revision(text) == commit


def test_a_system_that_does_not_tell_when_it_was_booted_costs_only_that(monkeypatch):
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert "ingestd_build_info" in page(Metrics(config(), "0.1.0"))


def test_build_process_and_interpreter_are_there(metrics: Metrics):
    text = page(metrics)
    assert re.search(BUILD, text)
    assert value(metrics, "process_resident_memory_bytes")
    assert value(metrics, "process_open_fds")
    assert "python_gc_objects_collected_total" in text
    assert "_created" not in text


def test_the_process_is_measured_where_proc_stat_is_hidden(tmp_path: Path):
    """``ProcSubset=pid`` of the unit: /proc has the processes and nothing else."""
    (tmp_path / "self").symlink_to("/proc/self")
    registry = CollectorRegistry()
    _Process(proc=str(tmp_path), registry=registry)
    assert registry.get_sample_value("process_resident_memory_bytes")


def test_openmetrics_is_given_to_whom_asks_for_it(metrics: Metrics):
    content_type, body = metrics.scrape("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert metrics.scrape("")[0].startswith("text/plain; version=")


def promtool(*arguments: str, page: str = "") -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return subprocess.run(
        [found, *arguments], input=page, capture_output=True, text=True, check=False
    )


def test_promtool_finds_nothing_to_complain_about(metrics: Metrics):
    metrics.settled(settlement(report(), refused()))
    done = promtool("check", "metrics", page=page(metrics))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_expressions_in_the_page_of_docs_are_valid(tmp_path: Path):
    table = document().partition("## Expressions")[2]
    expressions = re.findall(r"^\|[^|]*\| `([^`]*)`", table, re.MULTILINE)[0:]
    assert len(expressions) == 12
    rules = "".join(f"  - record: a:{n}\n    expr: {e!r}\n" for n, e in enumerate(expressions))
    file = tmp_path / "rules.yml"
    file.write_text(f"groups:\n- name: docs\n  rules:\n{rules}")
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    named = set(re.findall(r"ingestd_\w+", table))
    assert named <= {declared.name for declared in CATALOGUE}


BOX = """
[[mailbox]]
name = "inbox"
host = "imap.example.com"
user = "u"
password = "p"
trusted_authserv_ids = ["mx"]
[[feed]]
name = "mailed"
dealership = 1
mode = "full"
sender_proof = "none"
"""


def test_a_mailboxs_signs_of_life_are_asked_for_at_each_scrape():
    metrics = Metrics(config(CONFIG + BOX), "0.1.0")
    pulse = [True, 100.5, 99.0]
    metrics.mailbox_from("inbox", lambda: (bool(pulse[0]), pulse[1], pulse[2]))
    names = ("connected", "last_activity_timestamp_seconds", "last_success_timestamp_seconds")

    def told() -> list[float | None]:
        return [value(metrics, f"ingestd_mailbox_{name}", mailbox="inbox") for name in names]

    assert told() == [1, 100.5, 99]
    pulse[0] = False
    assert told() == [0, 100.5, 99]
    assert value(metrics, "ingestd_source_up", source="inbox") == 0


def test_the_series_of_a_mailbox_go_with_it():
    metrics = Metrics(config(CONFIG + BOX), "0.1.0")
    metrics.mailbox_from("inbox", lambda: (True, 1.0, 1.0))
    metrics.configure(config())

    assert 'mailbox="inbox"' not in page(metrics)
