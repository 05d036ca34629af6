"""PURE  A reply as the dealer reads it: what became of a file, in a mail message.

Rules:
  * No header holds anything of the sender's: the subject is ours, the addresses are
    configured.  What a header is made of is freed of control characters all the same
    (CVE-2024-6923: this interpreter would write a line break as it is).
  * Nobody answers it: ``Auto-Submitted`` (RFC 3834 section 5) for all who keep the standard,
    ``X-Auto-Response-Suppress`` for Exchange.  ``Precedence: bulk`` is left out: RFC 3834 has
    no use for it, and filters take it for advertising.
  * The same reply is the same message, byte by byte: its Message-ID follows from the delivery's
    bytes, so that a second copy (sent, but not ticked off before a crash) is known for one.
  * There is no In-Reply-To: the Message-ID of the mail is not kept.
  * The body is plain text; what is quoted in it is made visible and short.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ingestd.model import Finding, Outcome
from ingestd.report import Counts, Lines, Reply, Report

#: Rejected rows of one file that the text lists; all of them are attached.
LISTED = 20
#: Files that the text tells of, one by one.
FILES = 20
#: Characters of a name or a cell.
_LONGEST = 80
#: Characters of a sentence.
_LONGEST_SENTENCE = 600

#: Why a row was not loaded, as the one who made the file understands it.
ROWS = {
    "no_identifier": "it has neither a VIN nor a stock number",
    "bad_vin": "the VIN is not one, and there is no stock number",
    "vin_repeated": "the VIN stands on several different cars, and there is no stock number",
    "too_few_cells": "it has too few cells for the header",
    "too_many_cells": "it has more cells than the header",
    "row_too_large": "it is too long",
    "broken_quotes": "a quotation mark is not closed",
    "cut_off": "the file ends within it",
    "footer": "it is no vehicle but the foot of the list; nothing to do",
    "shifted": "its cells stand under the wrong headers",
    "other_columns": "it stands below the header of another table",
    "ambiguous_stock_number": "it has no VIN, and the stock number fits two vehicles",
    "unknown_rooftop": "the dealer's id is not one that we know",
    "vin_of_other_dealership": "the vehicle belongs to another dealership",
    "does_not_fit": "the VIN or stock number is too long",
}

#: Why a file was refused as a whole.
FILE = {
    "no_feed": "it is not one of the files that are agreed on",
    "several_feeds": "it is not clear whose inventory it is",
    "empty": "it is empty",
    "no_table": "there is no table in it",
    "not_a_table": "it is not a table",
    "no_header": "no header was recognised",
    "no_rooftop_column": "it lacks the column that says whose each vehicle is",
    "no_identifier_column": "it has neither a VIN nor a stock number column",
    "no_usable_row": "not one of its rows can be used",
    "not_an_inventory": "it is a list of something else than vehicles for sale",
    "shifted_columns": "its cells stand under the wrong headers",
    "rows_alike": "all its rows are the same",
    "prices_alike": "all its vehicles have one price",
    "too_large": "it is too large",
    "archive_member_too_large": "a file in the archive is too large",
    "too_many_members": "the archive holds too many files",
    "encrypted_archive": "the archive is encrypted",
    "unreadable_archive": "the archive is damaged",
    "nested_archive": "there is an archive within the archive",
    "key_taken": "it could not be stored on our side",
    "internal_error": "it could not be read on our side",
    "denied": "somebody looked at it and refused it",
    "dropped": "it was given up on our side",
    "rejected_rows": "more of its rows than usual cannot be used",
    "unreadable_column": "a column that could always be read no longer can",
    "price_jump": "the prices of most vehicles changed by a lot",
    "another_lot": "it lists other vehicles than ever before",
    "other_dealer": "it names another dealer than before",
    "several_dealers": "it names more than one dealer",
}

#: Refusals whose sentence is for whoever runs this: it names commands, options, constraints.
_OURS = ("key_taken", "internal_error", "dropped")

_COUNTED = (Outcome.IMPORTED, Outcome.UNCHANGED)
_FOOT = (
    "A program has sent this, and nobody reads answers to it. For questions turn to the people\n"
    "whom you send your inventory."
)


@dataclass(frozen=True, slots=True)
class _Total:
    """Rows of all files that were loaded."""

    rows: int = 0
    rejected: int = 0


def compose(
    reply: Reply, sender: str, recipients: Sequence[str], lines: Sequence[Lines] = ()
) -> bytes:
    """Give a reply as a whole message, ready to be sent.

    ``sender`` and ``recipients`` are bare addresses; ``lines`` are attached.
    """
    mark = _mark(reply)
    message = EmailMessage(policy=SMTP)
    for name, value in (
        ("From", sender),
        ("To", ", ".join(recipients)),
        ("Subject", subject(reply)),
        ("Date", format_datetime(reply.queued_at)),
        ("Message-ID", message_id(reply, sender)),
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),
    ):
        message[name] = scrubbed(value)
    message.set_content(body(reply, lines), cte="quoted-printable")
    for part in lines:
        # The dealer's own lines, as they are: a cell that begins with "=" was so in his file.
        message.add_attachment(
            part.content,
            maintype="text",
            subtype="tab-separated-values",
            filename=_file(part),
            params={"charset": "utf-8"},
        )
    if message.is_multipart():
        message.set_boundary(f"=_{mark}")  # "=_" is in no quoted-printable and no base64
    return message.as_bytes()


def message_id(reply: Reply, sender: str) -> str:
    """Give the Message-ID, which is the same whenever the same delivery is replied to."""
    feed = reply.feed.replace(".", "-")  # two dots in a row would be no dot-atom
    domain = sender.rpartition("@")[2]
    return f"<ingestd-{reply.delivery.id}-{feed}-{_mark(reply)}@{domain}>"


def _mark(reply: Reply) -> str:
    known = f"{reply.delivery.arrival.sha256}/{reply.delivery.id}/{reply.feed}"
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def scrubbed(value: str) -> str:
    """Free a header's value of line breaks and all other control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def subject(reply: Reply) -> str:
    """Say in one line what became of a delivery."""
    reports = reply.reports
    head = f"Inventory of {reply.feed}"
    counted = [report for report in reports if report.outcome in _COUNTED]
    if not counted:
        held = any(report.outcome is Outcome.HELD for report in reports)
        return f"{head}: held for a check, nothing changed" if held else f"{head}: not loaded"
    total = _total(counted)
    told = f"{head}: {total.rows} rows, {total.rows - total.rejected} loaded, {total.rejected} not"
    others = len(reports) - len(counted)
    return told + (f"; {others} of {len(reports)} files not loaded" if others else "")


def _total(reports: Sequence[Report]) -> _Total:
    counts = [report.counts or Counts() for report in reports]
    rows = sum(one.total() - one.header - one.blank for one in counts)
    return _Total(rows, sum(one.rejected for one in counts))


def body(reply: Reply, lines: Sequence[Lines]) -> str:
    """Say in plain words what became of each file, row by row where it matters, and what to do."""
    attached = {part.import_id: part for part in lines}
    came = f"{reply.delivery.arrival.first_seen:%Y-%m-%d %H:%M} UTC"
    about = f"(feed {reply.feed}, delivery {reply.delivery.id})"
    paragraphs = [f"This is what became of the inventory that came by mail on {came}\n{about}."]
    for report in reply.reports[:FILES]:
        paragraphs += _of_file(report, attached.get(report.import_id or 0))
    if len(reply.reports) > FILES:
        paragraphs.append(f"There are {len(reply.reports) - FILES} files more.")
    paragraphs += [*_advice(reply.reports), _FOOT]
    return "\n\n".join(paragraphs) + "\n"


def _of_file(report: Report, attached: Lines | None) -> Iterator[str]:
    yield f"{shown(report.file)}: {_outcome(report)}"
    if report.counts is not None:
        yield "\n".join(f"  {line}" for line in _figures(report, report.counts))
    if report.rejections:
        yield "\n".join([f"  Not loaded{_how_many(report)}:", *_rows(report)])
        yield f"  {_where(attached)}"


def _outcome(report: Report) -> str:
    why = FILE.get(report.reason or "", (report.reason or "").replace("_", " "))
    told = {
        Outcome.IMPORTED: "loaded",
        Outcome.UNCHANGED: "read; nothing had to be changed",
        Outcome.SUPERSEDED: "passed over, since a newer file was there already",
        Outcome.HELD: "held until somebody has looked at it; nothing was changed",
        Outcome.REJECTED: "not loaded",
        Outcome.FAILED: "not loaded",
    }[report.outcome]
    told += f": {why}." if why else "."
    theirs = "" if report.reason in _OURS else report.message
    message = shown(" ".join(theirs.split()), _LONGEST_SENTENCE)
    return f"{told}\n  {message}" if message else told


def _figures(report: Report, counts: Counts) -> Iterator[str]:
    rows = counts.total() - counts.header - counts.blank
    would = "would have been " if report.outcome is Outcome.HELD else ""
    parts = [
        f"{counts.added} {would}new",
        f"{counts.updated} {would}changed",
        f"{counts.unchanged} as they were already",
        f"{counts.rejected} not loaded",
    ]
    if counts.duplicate:
        parts.insert(3, f"{counts.duplicate} given again further down, where the last one counts")
    yield f"{rows} rows: {', '.join(parts)}."
    if report.deactivated or report.reactivated:
        yield (
            f"{report.deactivated} vehicles are no longer listed and were taken off;"
            f" {report.reactivated} are back."
        )
    if report.held_deactivations:
        yield (
            f"{report.held_deactivations} vehicles that the file no longer lists were kept for now:"
            " so many at once look like a mistake."
        )
    warnings = 0 if report.reading is None else report.reading.warnings
    if warnings:
        yield f"{warnings} cells could not be used; their rows were loaded without them."


def _how_many(report: Report) -> str:
    rejected = report.counts.rejected if report.counts else len(report.rejections)
    return f" (the first {LISTED} of {rejected})" if rejected > LISTED else ""


def _rows(report: Report) -> list[str]:
    return [f"    {_row(finding)}" for finding in report.rejections[:LISTED]]


def _row(finding: Finding) -> str:
    column = f", column {shown(finding.column)}" if finding.column else ""
    value = f', "{shown(finding.value)}"' if finding.value else ""
    return f"line {finding.line}{column}{value}: {why_row(finding.reason)}"


def why_row(reason: str) -> str:
    """Say why a row was not loaded; codes such as ``make_missing`` speak for themselves."""
    field = reason.removesuffix("_missing")
    if field != reason:
        return f"a new vehicle needs a {field.replace('_', ' ')}, and there is none"
    return ROWS.get(reason, reason.replace("_", " "))


def _where(attached: Lines | None) -> str:
    if attached is None:
        return "The lines themselves could not be attached."
    name = _file(attached)
    if not attached.whole:
        return f"The first of these lines are attached ({name}); there was no room for all."
    return f"These lines are attached ({name}) as you sent them, line number and reason in front."


def _file(part: Lines) -> str:
    return f"rejected-{part.import_id}.tsv"


def _advice(reports: Sequence[Report]) -> Iterator[str]:
    outcomes = {report.outcome for report in reports}
    if any(report.rejections for report in reports):
        yield "What to do: correct these rows where the file is made, and send the file again."
    if any(report.held_deactivations for report in reports) or Outcome.HELD in outcomes:
        yield "What to do: if the file was not complete, send the whole one; else wait."
    if Outcome.REJECTED in outcomes:
        yield "What to do: send the file again as it was when it was last loaded, or ask us why."
    if Outcome.FAILED in outcomes:
        yield "What to do: nothing; whoever runs this finds the cause in the log."


def shown(text: str, longest: int = _LONGEST) -> str:
    """Make what somebody wrote fit to be looked at: one line, short, nothing hidden in it."""
    seen = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"
