"""DOOR  The log: structured events on stderr.

Rules:
  * JSON lines, or text for people where stderr is a terminal; ``[log] format`` decides otherwise.
    Under journald each line begins with its priority (``<4>``).
  * An event is ``noun.verb``; its values are keys.  A ``message`` says it in a sentence: the
    terminal shows that instead of the keys.
  * No secret gets out (T21): by name of key, by form (a password in a URL), and by value for
    those that ``app`` resolved.  Tracebacks show no local variables.
  * Libraries that log what they send and receive are heard from WARNING up only.
  * One line per settled delivery; what is wrong with single rows is in the ledger.  Where a
    person has to decide it is a warning, with the reason, the import's number and the command.
"""

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, TextIO, TypeAlias
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ingestd.config import Log
from ingestd.model import Outcome
from ingestd.phrasing import counted
from ingestd.report import Counts, Report, Settlement

HIDDEN = "***"

#: Longest string that is logged; the rest is cut (I12: log volume is bounded).
LONGEST = 16_384

#: A client's malformed request is no news, and anybody can send a thousand.
_NEVER = ("aiohttp.server",)
_QUIET = ("aioimaplib", "aiohttp", "asyncio", "asyncpg", "watchfiles")
_SECRET_KEY = re.compile(r"(?i)passw|passphrase|pwd|token|secret|authorization|credential")
_SECRET_KEYS = ("url", "dsn", "database_url")
_IN_URL = re.compile(r"(?<![\w+.-])([A-Za-z][\w+.-]{0,31}://[^\s:/@]{0,256}):\S+@")
_NAMED = re.compile(
    r"(?i)\b((?:ssl)?password|passwd|pwd|token|secret|authorization)(\s{0,8}[=:]\s{0,8})"
    r"(?:'[^']*'|\"[^\"]*\"|(?:bearer |basic )?[^\s,;&)]+)"
)
_SHORTEST_SECRET = 4

#: syslog priorities, which journald reads from the head of a line.
_PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}

Redact: TypeAlias = Callable[[Any], Any]


def set_up(
    log: Log,
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    secrets: Iterable[str] = (),
) -> None:
    """Route structlog and the standard library's logging to ``stream`` (stderr).

    May be called again, after a reload or once the ``secrets`` are known: their values are
    hidden wherever they turn up.
    """
    out = sys.stderr if stream is None else stream
    redact = redactor(secrets)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(out)
    handler.addFilter(_quiet)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder()],
            processors=_rendering(log, out, environ, redact),
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())


class _Handler(logging.StreamHandler[TextIO]):
    """A handler that does not print the record as it is when it cannot format it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        kind = sys.exc_info()[0]
        what = f"{record.name}: a log record could not be written ({kind and kind.__name__})"
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"{what}\n")


def _rendering(
    log: Log, out: TextIO, environ: Mapping[str, str], redact: Redact
) -> list[Processor]:
    """Give the processors that every record passes last, whoever wrote it."""
    console = log.format == "console" or (log.format == "auto" and out.isatty())

    def hide(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        hidden: EventDict = redact(event)
        return hidden

    render: Processor = _render_json
    if console:
        render = structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            pad_event_to=0,
            pad_level=False,
        )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        hide,
        *([_for_people] if console else []),
        _prioritised(render) if under_journal(out, environ) else render,
    ]


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Give one JSON line; what every line has comes first."""
    head = {key: event[key] for key in ("ts", "level", "event") if key in event}
    return json.dumps({**head, **event})


def under_journal(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether ``out`` is the stream that journald gave us (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(out.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def _prioritised(render: Processor) -> Processor:
    def prioritise(logger: WrappedLogger, name: str, event: EventDict) -> str:
        priority = _PRIORITY.get(str(event.get("level")), 6)
        # A traceback on a terminal-form line: each line of it is an entry of its own.
        lines = str(render(logger, name, event)).split("\n")
        return "\n".join(f"<{priority}>{line}" for line in lines)

    return prioritise


def _quiet(record: logging.LogRecord) -> bool:
    """Let a loud library through from WARNING up, whatever level it gave its own logger."""
    library = record.name.split(".")[0]
    if record.name in _NEVER or library == "asyncpg":  # what the driver meets is told by us
        return False
    return record.levelno >= logging.WARNING or library not in _QUIET


def redactor(secrets: Iterable[str] = ()) -> Redact:
    """Give a function that hides secrets in a value of any depth.

    Values shorter than four characters are not looked for: they would be found everywhere.
    """
    spellings = {
        spelling
        for secret in secrets
        if len(secret) >= _SHORTEST_SECRET
        for spelling in (secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1])
    }
    known = sorted(spellings, key=len, reverse=True)

    def text(value: str) -> str:
        value = value[: 4 * LONGEST]
        for secret in known:
            value = value.replace(secret, HIDDEN)
        value = _NAMED.sub(rf"\1\2{HIDDEN}", _IN_URL.sub(rf"\1:{HIDDEN}@", value))
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                key: HIDDEN if _names_secret(key) else hide(item) for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [hide(item) for item in value]
        return text(str(value) if isinstance(value, BaseException) else repr(value))

    return hide


def _names_secret(key: object) -> bool:
    return str(key).lower() in _SECRET_KEYS or _SECRET_KEY.search(str(key)) is not None


def _for_people(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep time, level and sentence; where there is no sentence, the event and its keys.

    A sender's words are shown with their control characters spelled out (T11).
    """
    message, kept = event.get("message"), ("ts", "level", "exception")
    if message is not None:
        event = {key: event[key] for key in kept if key in event} | {"event": message}
    shown = {key: _printable(value, key) for key, value in event.items() if key != "logger"}
    shown["timestamp"] = f"{str(shown.pop('ts', ''))[:19]}Z"  # to the second
    return shown


def _printable(value: Any, key: str) -> Any:
    if not isinstance(value, str):
        return value
    lines = value.split("\n") if key == "exception" else [value]
    return "\n".join(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in lines
    )


class LogTell:
    """Write what happens to the log.  Keeps ``doors.Tell``."""

    def __init__(self) -> None:
        """Begin with no source known."""
        self._log = structlog.stdlib.get_logger("ingestd")
        self._failures: MutableMapping[str, int] = {}

    def settled(self, settlement: Settlement) -> None:
        """Write the one line of a delivery that is done."""
        delivery, reports = settlement.delivery, settlement.reports
        outcome = settlement.outcome
        level = dict.fromkeys((Outcome.HELD, Outcome.REJECTED), logging.WARNING)
        level[Outcome.FAILED] = logging.ERROR
        loud = _lost(reports) or any(report.holds for report in reports)
        usual = logging.WARNING if loud else logging.INFO
        imports = [_import_json(report) for report in reports]
        self._log.log(
            level.get(outcome, usual),
            "delivery.settled",
            delivery_id=delivery.id,
            source=delivery.arrival.source,
            kind=delivery.arrival.kind,
            file=delivery.arrival.name,
            size=delivery.arrival.size,
            sha256=delivery.arrival.sha256,
            attempts=delivery.attempts,
            outcome=str(outcome),
            reason=delivery.reason or (reports[0].reason if len(reports) == 1 else None),
            **_totals(reports),
            imports=imports,
            message=sentence(settlement),
        )

    def source(self, name: str, *, up: bool) -> None:
        """Write when a source goes down, and when it is back; not each try between."""
        failures = self._failures.get(name, 0)
        if not up:
            self._failures[name] = failures + 1
            if not failures:
                told = f"{name} is not being watched; trying again until it is"
                self._log.warning("source.down", source=name, message=told)
        else:
            self._failures[name] = 0
            again = f" again, after {failures} failed tries" if failures else ""
            told = f"watching {name}{again}"
            self._log.info("source.up", source=name, failures=failures, message=told)

    def waiting(self, deliveries: int) -> None:
        """Write nothing: how many wait is a metric."""


def _lost(reports: Iterable[Report]) -> bool:
    """Say whether somebody's changes came too late to be applied."""
    return any(report.reason == "late_changes" for report in reports)


def _import_json(report: Report) -> dict[str, Any]:
    return {
        "import_id": report.import_id,
        "file": report.file,
        "feed": report.feed,
        "outcome": str(report.outcome),
        "reason": report.reason,
        **_totals((report,)),
        **_drift(report),
        **({"decided": report.decided.as_json()} if report.decided else {}),
    }


def _drift(report: Report) -> dict[str, Any]:
    """Tell how the headers changed since the feed's last file, if they did."""
    told = report.as_json()
    return {"drift": told["drift"]} if "drift" in told else {}


def _totals(reports: Iterable[Report]) -> dict[str, Any]:
    """Add up lines, counts, switched vehicles, warnings; what has no counts adds nothing."""
    names = Counts.__slots__
    switched = ("deactivated", "reactivated", "held_deactivations")
    zero = dict.fromkeys((*names, *switched, "warnings"), 0)
    totals: dict[str, Any] = {"lines": 0, **zero, "seconds": 0.0}
    for report in reports:
        for name in switched:
            totals[name] += getattr(report, name)
        totals["lines"] += report.lines or 0
        totals["seconds"] = round(totals["seconds"] + report.seconds, 3)
        totals["warnings"] += report.reading.warnings if report.reading else 0
        for name in names:
            totals[name] += getattr(report.counts, name) if report.counts else 0
    return totals


_PLACE = {
    Outcome.IMPORTED: "imported/",
    Outcome.UNCHANGED: "imported/",
    Outcome.SUPERSEDED: "imported/",
    Outcome.HELD: "held/",
    Outcome.REJECTED: "rejected/",
    Outcome.FAILED: "rejected/",
}


def sentence(settlement: Settlement) -> str:
    """Say what became of a delivery, as a person would."""
    delivery, reports = settlement.delivery, settlement.reports
    outcome = settlement.outcome
    name = delivery.arrival.name
    place = f" → {_PLACE[outcome]}" if delivery.arrival.kind == "folder" else ""
    if len(reports) == 1:
        return f"{_said(reports[0], name)}{place}"
    if not reports:
        return f"{outcome} {name}: {delivery.reason or 'no table found'}{place}"
    said = "; ".join(_said(report, report.file) for report in reports)
    return f"{outcome} {name} ({len(reports)} files){place}: {said}"


def _said(report: Report, name: str) -> str:
    """Say what became of a file: why, and what is to be decided; and what was counted."""
    feed = f" for feed {report.feed}" if report.feed else ""
    head = f"{report.outcome} {name}{feed}"
    numbered = report.holds or report.decided is not None
    if numbered:
        head += f" (import {report.import_id})"
    why = ": ".join(filter(None, (report.reason, report.told())))
    if report.counts is None:
        return head + (f": {why}" if why else "")
    told = f"{_counted(report, report.counts)} in {report.seconds:.2f} s"
    if report.outcome is Outcome.HELD:
        return f"{head}: " + "; ".join(filter(None, (why, f"it would have been {told}")))
    return f"{head}: {told}" + (f": {why}" if why and numbered else "")


def _counted(report: Report, counts: Counts) -> str:
    parts = [f"{getattr(counts, what)} {what}" for what in ("added", "updated", "unchanged")]
    parts += [f"{counts.duplicate} duplicate"] if counts.duplicate else []
    parts.append(f"{counts.rejected} rejected")
    warnings = report.reading.warnings if report.reading else 0
    parts += [counted(warnings, "warning")] if warnings else []
    return ", ".join([*parts, *report.switched()])
