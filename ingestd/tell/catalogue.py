"""PURE  Every metric, declared once with its meaning, and the page that lists them.

docs/metrics.md is printed by ``python -m ingestd.tell.catalogue``; a test compares the two.
Labels are configured names or closed sets, never what a sender wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingestd.model import Outcome
from ingestd.tell.reasons import FILE_REASONS, HOLD_REASONS, ROW_REASONS, WARNING_REASONS

#: Seconds, for the histogram.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
KINDS = ("folder", "mail", "cli")
OUTCOMES = tuple(str(outcome) for outcome in Outcome)
ROW_OUTCOMES = ("added", "updated", "unchanged", "duplicate", "rejected")
POOL_STATES = ("idle", "used")
REPLY_OUTCOMES = ("sent", "given_up")


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric: its name, type, meaning and labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


BUILD_INFO = Declared(
    "ingestd_build_info",
    "gauge",
    "Always 1; the labels say what runs.",
    ("version", "revision", "python_version"),
)
START_TIME = Declared(
    "ingestd_start_time_seconds", "gauge", "When the daemon started, as a Unix time."
)
RELOAD_SUCCESSFUL = Declared(
    "ingestd_config_last_reload_successful",
    "gauge",
    "1 if the configuration in force is the one on disk at the last (re)load, 0 if that failed.",
)
RELOAD_TIME = Declared(
    "ingestd_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration was last loaded without fault.",
)
DELIVERIES = Declared(
    "ingestd_deliveries_total",
    "counter",
    "Deliveries done, by what became of them (the worst of their imports).",
    ("source", "kind", "outcome"),
)
IMPORTS = Declared(
    "ingestd_imports_total",
    "counter",
    "Files done, by what became of them; a file that no feed claims counts for `other`.",
    ("feed", "outcome"),
)
IMPORT_REJECTS = Declared(
    "ingestd_import_rejects_total",
    "counter",
    "Files refused as a whole, and deliveries in which no file was found, by reason.",
    ("reason",),
)
ROWS = Declared(
    "ingestd_rows_total",
    "counter",
    "Rows of the files that were imported or found unchanged: the sums of their receipts' counts.",
    ("feed", "outcome"),
)
ROW_REJECTS = Declared(
    "ingestd_row_rejects_total",
    "counter",
    "Rows of those files that were not loaded, by reason; adds up to the rejected rows."
    " Of one file the first 100 are told by reason, the rest is `other`.",
    ("reason",),
)
ROW_WARNINGS = Declared(
    "ingestd_row_warnings_total",
    "counter",
    "Cells of those files that could not be used though the row was loaded, by reason."
    " What a report does not list singly is `other`.",
    ("reason",),
)
HEADER_DRIFTS = Declared(
    "ingestd_header_drifts_total",
    "counter",
    "Files whose headers are not those of the feed's last file; the receipt says what changed.",
    ("feed",),
)
DEACTIVATIONS = Declared(
    "ingestd_deactivations_total",
    "counter",
    "Vehicles set inactive because the feed no longer lists them.",
    ("feed",),
)
HELD_DEACTIVATIONS = Declared(
    "ingestd_held_deactivations_total",
    "counter",
    "Vehicles the feed no longer lists that were not set inactive: so many at once look wrong."
    " Added up over the deliveries: a vehicle counts again with each that says the same;"
    " `ingestd_held_vehicles` has those of now.",
    ("feed",),
)
ABSENCE_SUSPENDED = Declared(
    "ingestd_absence_suspended_total",
    "counter",
    "Deliveries that counted no vehicle as missing, since one of their rows may have been it.",
    ("feed",),
)
IMPORT_HOLDS = Declared(
    "ingestd_import_holds_total",
    "counter",
    "Files that were held as a whole, by reason; each waits for a decision.",
    ("reason",),
)
REACTIVATIONS = Declared(
    "ingestd_reactivations_total",
    "counter",
    "Vehicles set active again because the feed lists them again.",
    ("feed",),
)
IMPORT_DURATION = Declared(
    "ingestd_import_duration_seconds",
    "histogram",
    "Time from the start of reading to the commit, of files imported or found unchanged.",
)
IMPORT_LAST_SUCCESS = Declared(
    "ingestd_import_last_success_timestamp_seconds",
    "gauge",
    "When a file of the feed was last imported or found unchanged; 0 if not known.",
    ("feed",),
)
EXPECT_EVERY = Declared(
    "ingestd_feed_expect_every_seconds",
    "gauge",
    "The feed's `expect_every`; feeds without it have no such series.",
    ("feed",),
)
SOURCE_UP = Declared(
    "ingestd_source_up", "gauge", "1 while the source is being watched, else 0.", ("source",)
)
SOURCE_LAST_SUCCESS = Declared(
    "ingestd_source_last_success_timestamp_seconds",
    "gauge",
    "When the source last did what it should: began to watch, or brought a delivery.",
    ("source",),
)
MAILBOX_CONNECTED = Declared(
    "ingestd_mailbox_connected",
    "gauge",
    "1 while the mailbox is connected, logged in and its folder open, else 0.",
    ("mailbox",),
)
MAILBOX_LAST_ACTIVITY = Declared(
    "ingestd_mailbox_last_activity_timestamp_seconds",
    "gauge",
    "When the mailbox's server last sent anything at all; 0 if not yet.",
    ("mailbox",),
)
MAILBOX_LAST_SUCCESS = Declared(
    "ingestd_mailbox_last_success_timestamp_seconds",
    "gauge",
    "When the mailbox was last searched and all that was new was taken; 0 if not yet.",
    ("mailbox",),
)
LATE_CHANGES = Declared(
    "ingestd_late_changes_total",
    "counter",
    "Files of a feed of changes that came when a newer one had been applied: what they say is"
    " lost.",
    ("feed",),
)
HELD_IMPORTS = Declared(
    "ingestd_held_imports",
    "gauge",
    "Files that are held as a whole now and wait for a decision.",
    ("feed",),
)
HELD_VEHICLES = Declared(
    "ingestd_held_vehicles",
    "gauge",
    "Vehicles that the feed's latest import no longer lists and that are not set inactive now,"
    " until somebody approves it or further files say the same.",
    ("feed",),
)
QUEUE_DEPTH = Declared("ingestd_queue_depth", "gauge", "Deliveries taken and not yet done.")
SPOOL_BYTES = Declared("ingestd_spool_bytes", "gauge", "Bytes of raw deliveries kept on disk.")
WORKER_RESTARTS = Declared(
    "ingestd_worker_restarts_total",
    "counter",
    "Parser processes that died or were killed and had to be replaced.",
)
REPLIES = Declared(
    "ingestd_replies_total",
    "counter",
    "Replies to dealers, by what became of them; what was never owed (automatic mail) is none.",
    ("outcome",),
)
POOL_CONNECTIONS = Declared(
    "ingestd_db_pool_connections", "gauge", "Connections to PostgreSQL, by use.", ("state",)
)

CATALOGUE = (
    BUILD_INFO,
    START_TIME,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    DELIVERIES,
    IMPORTS,
    IMPORT_REJECTS,
    ROWS,
    ROW_REJECTS,
    ROW_WARNINGS,
    HEADER_DRIFTS,
    DEACTIVATIONS,
    HELD_DEACTIVATIONS,
    ABSENCE_SUSPENDED,
    IMPORT_HOLDS,
    REACTIVATIONS,
    IMPORT_DURATION,
    IMPORT_LAST_SUCCESS,
    EXPECT_EVERY,
    SOURCE_UP,
    SOURCE_LAST_SUCCESS,
    MAILBOX_CONNECTED,
    MAILBOX_LAST_ACTIVITY,
    MAILBOX_LAST_SUCCESS,
    LATE_CHANGES,
    HELD_IMPORTS,
    HELD_VEHICLES,
    QUEUE_DEPTH,
    SPOOL_BYTES,
    WORKER_RESTARTS,
    REPLIES,
    POOL_CONNECTIONS,
)


_LABELS: Mapping[str, str] = {
    "feed": "the name of a configured feed; `other` for files without one and for the implicit"
    " feeds of `ingestd import --dealership`",
    "source": "the name of a configured mailbox or folder; `other` for all else",
    "mailbox": "the name of a configured mailbox",
    "kind": "`" + "`, `".join(KINDS) + "`",
    "outcome": "of a delivery or import `" + "`, `".join(OUTCOMES) + "`; of a row `"
    "" + "`, `".join(ROW_OUTCOMES) + "`; of a reply `" + "`, `".join(REPLY_OUTCOMES) + "`",
    "reason": "one of a closed set (below)",
    "state": "`" + "`, `".join(POOL_STATES) + "`",
    "version": "of ingestd",
    "revision": "the commit, where ingestd was installed from a repository, else empty",
    "python_version": "of the interpreter",
}

_HEAD = """\
# Metrics

Served at `/metrics` (`[http] listen`, by default `127.0.0.1:9716`), in Prometheus' text format
or OpenMetrics. This page is printed by `python -m ingestd.tell.catalogue`; a test keeps it true.
What a reason means and what to do about it: [operating.md](operating.md#reasons).

The words are the program's own: a *delivery* is one thing received (a mail, a dropped file),
an *import* is what was made of one file in it for one feed. A zip of two files is one delivery and
two imports; a file that is dropped twice is two deliveries. So `ingestd_deliveries_total` counts
what other programs call messages, and `ingestd_imports_total` what they call files, and both are
counted when they are done, with what became of them: what waits is in `ingestd_queue_depth`.

Names of senders, subjects, file names and VINs never appear. Every series exists from the start
with 0, so `increase()` sees the first event. Counters start at 0 with the process.
A file that is `held` or `superseded`, or whose import was refused, adds no rows: the row counters
equal the counts in the receipts of the files that were `imported` or `unchanged`. A file whose held
deactivations are approved is loaded, and counted, once more.
"""

_FOOT = """\
Besides these there are the client library's `process_*` (memory, CPU, open files) and
`python_*` (interpreter, garbage collector).

## Expressions to begin with

| what is wrong | expression |
|---|---|
| a feed is overdue (or never came) | `time() - ingestd_import_last_success_timestamp_seconds \
> ingestd_feed_expect_every_seconds` |
| a source is not watched | `ingestd_source_up == 0` |
| a mailbox is deaf | `ingestd_mailbox_connected == 0 or \
time() - ingestd_mailbox_last_activity_timestamp_seconds > 900` |
| more than a fifth of the rows rejected | \
`sum by (feed) (increase(ingestd_rows_total{outcome="rejected"}[1d])) \
> 0.2 * sum by (feed) (increase(ingestd_rows_total[1d]))` |
| files refused | `increase(ingestd_import_rejects_total[1h]) > 0` |
| files held | `increase(ingestd_import_holds_total[1h]) > 0` |
| vehicles no longer leave | `increase(ingestd_absence_suspended_total[3d]) > 2` |
| somebody has to decide | `ingestd_held_imports > 0 or ingestd_held_vehicles > 0` |
| changes were lost | `increase(ingestd_late_changes_total[1h]) > 0` |
| a delivery failed for good | `increase(ingestd_deliveries_total{outcome="failed"}[1h]) > 0` |
| the queue does not drain | `min_over_time(ingestd_queue_depth[30m]) > 0` |
| the daemon is gone | `up == 0` or `absent(ingestd_build_info)` |
"""


def document() -> str:
    """Give docs/metrics.md."""
    metrics = "".join(
        f"| `{d.name}` | {d.kind} | {', '.join(d.labels) or '-'} | {d.meaning} |\n"
        for d in CATALOGUE
    )
    labels = "".join(f"| `{name}` | {values} |\n" for name, values in _LABELS.items())
    reasons = "".join(
        f"| `{declared.name}` | `{'`, `'.join(values)}` |\n"
        for declared, values in (
            (IMPORT_REJECTS, FILE_REASONS),
            (IMPORT_HOLDS, HOLD_REASONS),
            (ROW_REJECTS, ROW_REASONS),
            (ROW_WARNINGS, WARNING_REASONS),
        )
    )
    return (
        f"{_HEAD}\n| metric | type | labels | meaning |\n|---|---|---|---|\n{metrics}"
        f"\n## Labels\n\n| label | values |\n|---|---|\n{labels}"
        f"\n## Reasons\n\n| metric | reasons |\n|---|---|\n{reasons}\n{_FOOT}"
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(document())
