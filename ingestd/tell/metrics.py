"""DOOR  What Prometheus scrapes.  The only importer of prometheus_client.

Rules:
  * What is measured is declared in ``catalogue``; here it is counted.
  * Labels are configured names or closed sets (T20).  What is not configured (the implicit
    feeds of the command line, the reasons of a later version) counts as ``other``.
  * Every series is there from the start with 0, so that ``increase()`` sees the first event.
  * Counters start at 0 with the process; nothing is persisted.
"""

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from ingestd.config import Config
from ingestd.model import Finding, Outcome
from ingestd.report import Counts, Held, Report, Settlement
from ingestd.tell.catalogue import (
    ABSENCE_SUSPENDED,
    BUCKETS,
    BUILD_INFO,
    CATALOGUE,
    DEACTIVATIONS,
    DELIVERIES,
    EXPECT_EVERY,
    HEADER_DRIFTS,
    HELD_DEACTIVATIONS,
    HELD_IMPORTS,
    HELD_VEHICLES,
    IMPORT_DURATION,
    IMPORT_HOLDS,
    IMPORT_LAST_SUCCESS,
    IMPORT_REJECTS,
    IMPORTS,
    KINDS,
    LATE_CHANGES,
    MAILBOX_CONNECTED,
    MAILBOX_LAST_ACTIVITY,
    MAILBOX_LAST_SUCCESS,
    OUTCOMES,
    POOL_CONNECTIONS,
    POOL_STATES,
    QUEUE_DEPTH,
    REACTIVATIONS,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    REPLIES,
    REPLY_OUTCOMES,
    ROW_OUTCOMES,
    ROW_REJECTS,
    ROW_WARNINGS,
    ROWS,
    SOURCE_LAST_SUCCESS,
    SOURCE_UP,
    SPOOL_BYTES,
    START_TIME,
    WORKER_RESTARTS,
    Declared,
)
from ingestd.tell.reasons import FILE_REASONS, HOLD_REASONS, OTHER, ROW_REASONS, WARNING_REASONS

_OF_MAILBOX = (MAILBOX_CONNECTED, MAILBOX_LAST_ACTIVITY, MAILBOX_LAST_SUCCESS)
_APPLIED = (Outcome.IMPORTED, Outcome.UNCHANGED)


class _Process(ProcessCollector):
    """The client's process metrics, for a service that may not read /proc/stat.

    The client takes the time of boot from there and gives nothing at all without it;
    ``ProcSubset=pid`` of our unit hides it.
    """

    def _boot_time(self) -> float:
        clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it
        if clock is None:
            raise OSError("this system does not tell when it was booted")  # the client goes without
        return time.time() - time.clock_gettime(clock)


def revision(direct_url: str | None) -> str:
    """Give the commit that was installed, "" where that is not known.

    ``direct_url`` is the text of the installation's ``direct_url.json`` (PEP 610): it names a
    commit where pip installed from a repository.
    """
    commit = json.loads(direct_url or "{}").get("vcs_info", {}).get("commit_id", "")
    return str(commit)


def _installed() -> str | None:
    """Give the text that ``revision`` reads; None where nothing was installed."""
    try:
        return distribution("ingestd").read_text("direct_url.json")
    except PackageNotFoundError:
        return None


class Metrics:
    """The daemon's metrics, in a registry of their own.  Keeps ``doors.Tell``."""

    def __init__(self, config: Config, version: str) -> None:
        """Make every series of ``CATALOGUE``; the start time is now."""
        # A second series for every one, which nobody graphs.  The client has no other switch.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        _Process(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._counters = {d.name: self._counter(d) for d in CATALOGUE if d.kind == "counter"}
        self._gauges = {d.name: self._gauge(d) for d in CATALOGUE if d.kind == "gauge"}
        self._duration = Histogram(
            IMPORT_DURATION.name, IMPORT_DURATION.meaning, registry=self._registry, buckets=BUCKETS
        )
        self._feeds: frozenset[str] = frozenset()
        self._sources: frozenset[str] = frozenset()
        self._mailboxes: frozenset[str] = frozenset()
        self._last_success: dict[str, float] = {}
        commit, python = revision(_installed()), platform.python_version()
        self._set(BUILD_INFO, 1, version=version, revision=commit, python_version=python)
        self._set(START_TIME, time.time())
        self._zero_closed_sets()
        self.configure(config)

    def scrape(self, accept: str) -> tuple[str, bytes]:
        """Give content type and page, in the format that the ``Accept`` header prefers."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a header that the client library cannot read
            encode, content_type = choose_encoder("")
        return content_type, encode(self._registry)

    def configure(self, config: Config) -> None:
        """Make the series of every configured feed and source; drop those of names now gone."""
        feeds = frozenset(feed.name for feed in config.feed)
        folders = {folder.name for folder in config.folder}
        mailboxes = {mailbox.name for mailbox in config.mailbox}
        sources = frozenset(folders | mailboxes)
        self._forget(feeds, sources)
        for feed in sorted({*feeds, OTHER}):
            self._zero_feed(feed)
        for source in sorted(sources):
            self._zero_source(source, "mail" if source in mailboxes else "folder")
        for made in config.feed:
            if made.expect_every is None:
                self._drop(EXPECT_EVERY, made.name)
            else:
                self._set(EXPECT_EVERY, made.expect_every, feed=made.name)
        self._feeds, self._sources = feeds, sources
        self.reloaded(ok=True)

    def reloaded(self, *, ok: bool) -> None:
        """Observe a reload of the configuration (``configure`` observes its own success)."""
        self._set(RELOAD_SUCCESSFUL, int(ok))
        if ok:
            self._set(RELOAD_TIME, time.time())

    def last_success(self, feed: str, when: float) -> None:
        """Take a feed's last success (Unix time), from a report or at start from the ledger."""
        name = self._feed(feed)
        self._last_success[name] = max(when, self._last_success.get(name, 0))
        self._set(IMPORT_LAST_SUCCESS, self._last_success[name], feed=name)

    def settled(self, settlement: Settlement) -> None:
        """Observe a delivery that is done."""
        delivery = settlement.delivery
        outcome = settlement.outcome
        source = self._source(delivery.arrival.source)
        self._add(DELIVERIES, 1, source=source, kind=delivery.arrival.kind, outcome=str(outcome))
        if source in self._sources:
            self._set(SOURCE_LAST_SUCCESS, time.time(), source=source)
        for report in settlement.reports:
            self._settled_import(report)
        if not settlement.reports:
            self._add(IMPORT_REJECTS, 1, reason=_known(delivery.reason, FILE_REASONS))

    def source(self, name: str, *, up: bool) -> None:
        """Observe a source that began to watch, or failed."""
        if name in self._sources:
            self._set(SOURCE_UP, int(up), source=name)
            if up:
                self._set(SOURCE_LAST_SUCCESS, time.time(), source=name)

    def waiting(self, deliveries: int) -> None:
        """Observe how many deliveries wait."""
        self._set(QUEUE_DEPTH, deliveries)

    def held(self, held: Mapping[str, Held]) -> None:
        """Observe what of each feed waits for a decision: files, and vehicles not switched off."""
        others = [it for feed, it in held.items() if feed not in self._feeds]
        rest = Held(sum(it.imports for it in others), sum(it.vehicles for it in others))
        told = {**dict.fromkeys(self._feeds, Held()), **held, OTHER: rest}
        for feed in (*self._feeds, OTHER):
            self._set(HELD_IMPORTS, told[feed].imports, feed=feed)
            self._set(HELD_VEHICLES, told[feed].vehicles, feed=feed)

    def worker_restarted(self) -> None:
        """Observe a parser process that had to be replaced."""
        self._add(WORKER_RESTARTS, 1)

    def replied(self, outcome: str) -> None:
        """Observe a reply that was sent, or given up."""
        self._add(REPLIES, 1, outcome=outcome)

    def spool_from(self, size: Callable[[], float]) -> None:
        """Ask ``size`` for the spool's bytes at each scrape; it must be quick."""
        self._gauges[SPOOL_BYTES.name].set_function(_or_nan(size))

    def pool_from(self, connections: Callable[[], tuple[int, int]]) -> None:
        """Ask ``connections`` for (idle, used) at each scrape; it must be quick."""
        gauge = self._gauges[POOL_CONNECTIONS.name]
        gauge.labels(state="idle").set_function(_or_nan(lambda: connections()[0]))
        gauge.labels(state="used").set_function(_or_nan(lambda: connections()[1]))

    def mailbox_from(self, name: str, pulse: Callable[[], tuple[bool, float, float]]) -> None:
        """Sample a mailbox when scraped: connected, last activity, last success."""
        for place, declared in enumerate(_OF_MAILBOX):
            gauge = self._gauges[declared.name].labels(mailbox=name)
            gauge.set_function(partial(_sampled, pulse, place))
        self._mailboxes |= {name}

    def _settled_import(self, report: Report) -> None:
        feed = self._feed(report.feed)
        self._add(IMPORTS, 1, feed=feed, outcome=str(report.outcome))
        if report.outcome is Outcome.REJECTED:
            self._add(IMPORT_REJECTS, 1, reason=_known(report.reason, FILE_REASONS))
        elif report.outcome is Outcome.HELD:
            self._add(IMPORT_HOLDS, 1, reason=_known(report.reason, HOLD_REASONS))
        if report.reason == "late_changes":
            self._add(LATE_CHANGES, 1, feed=feed)
        if report.outcome not in _APPLIED:
            return
        self._duration.observe(report.seconds)
        done = report.started_at + timedelta(seconds=report.seconds)
        self.last_success(feed, done.timestamp())
        self._add(DEACTIVATIONS, report.deactivated, feed=feed)
        self._add(HELD_DEACTIVATIONS, report.held_deactivations, feed=feed)
        self._add(REACTIVATIONS, report.reactivated, feed=feed)
        counts = report.counts or Counts()
        for outcome in ROW_OUTCOMES:
            self._add(ROWS, getattr(counts, outcome), feed=feed, outcome=outcome)
        self._add_findings(ROW_REJECTS, ROW_REASONS, report.rejections, counts.rejected)
        if report.reading is not None:
            listed, total = report.reading.warnings_list, report.reading.warnings
            self._add_findings(ROW_WARNINGS, WARNING_REASONS, listed, total)
            self._add(HEADER_DRIFTS, int(bool(report.reading.drift)), feed=feed)
            suspended = any(warning.reason == "absence_suspended" for warning in listed)
            self._add(ABSENCE_SUSPENDED, int(suspended), feed=feed)

    def _add_findings(
        self, declared: Declared, reasons: Sequence[str], listed: Sequence[Finding], total: int
    ) -> None:
        """Count ``total`` findings: those that are listed by reason, the rest as ``other``."""
        for finding in listed[:total]:
            self._add(declared, 1, reason=_known(finding.reason, reasons))
        self._add(declared, total - len(listed[:total]), reason=OTHER)

    def _counter(self, declared: Declared) -> Counter:
        return Counter(declared.name, declared.meaning, declared.labels, registry=self._registry)

    def _gauge(self, declared: Declared) -> Gauge:
        return Gauge(declared.name, declared.meaning, declared.labels, registry=self._registry)

    def _add(self, declared: Declared, amount: float, **labels: str) -> None:
        counter = self._counters[declared.name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def _set(self, declared: Declared, value: float, **labels: str) -> None:
        gauge = self._gauges[declared.name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def _drop(self, declared: Declared, *labels: str) -> None:
        self._gauges[declared.name].remove(*labels)

    def _feed(self, name: str | None) -> str:
        return name if name is not None and name in self._feeds else OTHER

    def _source(self, name: str) -> str:
        return name if name in self._sources else OTHER

    def _forget(self, feeds: Iterable[str], sources: Iterable[str]) -> None:
        """Drop the gauges of names no longer configured, or their alarms would never end.

        Their counters stay: they are true, and few.
        """
        for gone in self._feeds.difference(feeds, (OTHER,)):
            self._drop(EXPECT_EVERY, gone)
            self._drop(IMPORT_LAST_SUCCESS, gone)
            self._drop(HELD_IMPORTS, gone)
            self._drop(HELD_VEHICLES, gone)
            self._last_success.pop(gone, None)
        for gone in self._sources.difference(sources):
            self._drop(SOURCE_UP, gone)
            self._drop(SOURCE_LAST_SUCCESS, gone)
        for gone in self._mailboxes.difference(sources):
            for declared in _OF_MAILBOX:
                self._drop(declared, gone)
        self._mailboxes &= frozenset(sources)

    def _zero_closed_sets(self) -> None:
        for declared, reasons in (
            (IMPORT_REJECTS, FILE_REASONS),
            (IMPORT_HOLDS, HOLD_REASONS),
            (ROW_REJECTS, ROW_REASONS),
            (ROW_WARNINGS, WARNING_REASONS),
        ):
            for reason in reasons:
                self._add(declared, 0, reason=reason)
        for outcome in REPLY_OUTCOMES:
            self._add(REPLIES, 0, outcome=outcome)
        for state in POOL_STATES:
            self._set(POOL_CONNECTIONS, 0, state=state)
        for kind, outcome in product(KINDS, OUTCOMES):
            self._add(DELIVERIES, 0, source=OTHER, kind=kind, outcome=outcome)

    def _zero_feed(self, feed: str) -> None:
        for outcome in OUTCOMES:
            self._add(IMPORTS, 0, feed=feed, outcome=outcome)
        for outcome in ROW_OUTCOMES:
            self._add(ROWS, 0, feed=feed, outcome=outcome)
        self._add(DEACTIVATIONS, 0, feed=feed)
        self._add(HELD_DEACTIVATIONS, 0, feed=feed)
        self._add(ABSENCE_SUSPENDED, 0, feed=feed)
        self._add(HEADER_DRIFTS, 0, feed=feed)
        self._add(REACTIVATIONS, 0, feed=feed)
        self._add(LATE_CHANGES, 0, feed=feed)
        if feed not in self._feeds:
            self._set(HELD_IMPORTS, 0, feed=feed)
            self._set(HELD_VEHICLES, 0, feed=feed)
        self._set(IMPORT_LAST_SUCCESS, self._last_success.get(feed, 0), feed=feed)

    def _zero_source(self, source: str, kind: str) -> None:
        for outcome in OUTCOMES:
            self._add(DELIVERIES, 0, source=source, kind=kind, outcome=outcome)
        if source not in self._sources:
            self._set(SOURCE_UP, 0, source=source)
            self._set(SOURCE_LAST_SUCCESS, 0, source=source)


def _known(reason: str | None, reasons: Sequence[str]) -> str:
    return reason if reason is not None and reason in reasons else OTHER


def _sampled(pulse: Callable[[], tuple[bool, float, float]], place: int) -> float:
    return float(pulse()[place])


def _or_nan(value: Callable[[], float]) -> Callable[[], float]:
    """Make a failing question give NaN: one unreadable directory must not cost the page."""

    def asked() -> float:
        try:
            return value()
        except OSError:
            return float("nan")

    return asked
