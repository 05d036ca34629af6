"""DOOR  The inside of a parser process: one job after the other from stdin, frames to stdout.

Everything that comes from outside is parsed here, never in the daemon's process: with a
cap on memory and processor time, with no secret in the environment, and gone as soon as
the daemon is.  A frame is one byte of kind, four bytes of length (big endian), payload:

    to the parser    J  a job (JSON; the first frame is the Setup)
    from the parser  B  a block of bytes
                     R  the result (JSON): the end of a job
                     X  a failure (JSON): the end of a job

JSON and not pickle: what a parser says is data to the daemon, whatever took hold of it.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import TypeAdapter

from ingestd import reading
from ingestd.config import Feed, Limits
from ingestd.errors import ReadFailed
from ingestd.feed.inspection import Inspection
from ingestd.mail.dkim import MISSING, Txt
from ingestd.mail.sender import Authority
from ingestd.model import Arrival, Chunks, Excerpt, Finished, Opened, ReadJob
from ingestd.opening import Trust

HEAD = 5
BLOCK = 1 << 18
#: Seconds for all DNS questions about one mail.
DNS_WITHIN = 5.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Setup:
    """What every job of a parser shares."""

    feeds: tuple[Feed, ...]
    limits: Limits
    memory: int  # bytes of address space
    cpu: float  # seconds of processor time for one job
    authorities: tuple[Authority, ...] = ()  # whom each mailbox believes


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do; which fields matter depends on ``op``."""

    op: Literal["open", "read", "excerpt", "inspect"]
    path: str
    arrival: Arrival | None = None
    read: ReadJob | None = None
    feed: Feed | None = None
    excerpt: Excerpt | None = None
    name: str = ""
    today: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended without a result."""

    kind: Literal["memory", "world", "bug"]
    message: str
    trace: str


SETUP = TypeAdapter(Setup)
JOB = TypeAdapter(Job)
OPENED = TypeAdapter(Opened)
FINISHED = TypeAdapter(Finished)
INSPECTIONS = TypeAdapter(tuple[Inspection, ...])
FAILURE = TypeAdapter(Failure)


def main() -> None:
    """Serve jobs until stdin ends."""
    _die_with_parent()
    inbox, outbox = sys.stdin.buffer, _private_stdout()
    setup: Setup | None = None
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        for payload in _jobs(inbox):
            if setup is None:
                setup = SETUP.validate_json(payload)
                _limit_memory(setup.memory)
            else:
                _limit_cpu(setup.cpu)
                _serve(JOB.validate_json(payload), setup, outbox)


def _die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the daemon dies, however it dies (Linux only).

    Elsewhere the end of stdin does the same as soon as the current job is done.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            sys.exit(0)


def _private_stdout() -> BinaryIO:
    """Keep stdout for frames: a stray print goes to stderr and breaks nothing."""
    outbox = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return outbox


def _limit_memory(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_AS, size)


def _limit_cpu(seconds: float) -> None:
    """Allow ``seconds`` more than were used so far: the limit counts a process's whole life."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + 1
    _lower(resource.RLIMIT_CPU, allowed)


def _lower(what: int, wanted: int) -> None:
    """Set the soft limit, within the hard one that we were born with and may not raise."""
    _, hard = resource.getrlimit(what)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (soft, hard))


def _jobs(inbox: BinaryIO) -> Iterator[bytes]:
    while len(head := inbox.read(HEAD)) == HEAD:
        size = int.from_bytes(head[1:], "big")
        payload = inbox.read(size)
        if len(payload) < size:
            return
        yield payload


def _serve(job: Job, setup: Setup, outbox: BinaryIO) -> None:
    try:
        _do(job, setup, outbox)
    except MemoryError:
        _fail(outbox, Failure("memory", "the parser ran out of memory", ""))
    except ReadFailed as error:
        _fail(outbox, Failure("world", str(error), ""))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  the one broad except: a bug refuses the file
        # The core is pure: the same bytes fail the same way for ever.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        _fail(outbox, Failure("bug", f"{type(error).__name__} at {where}", _frames(error)))


def _frames(error: BaseException) -> str:
    """Give the places, not the values: a value may be a customer's."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))


def _do(job: Job, setup: Setup, outbox: BinaryIO) -> None:
    content = chunks(job.path)
    if job.op == "open":
        assert job.arrival is not None
        trust = _trust(setup)
        opened = reading.open_delivery(job.arrival, content, setup.feeds, setup.limits, trust)
        send(outbox, b"R", OPENED.dump_json(opened))
    elif job.op == "read":
        assert job.read is not None
        assert job.feed is not None
        for item in reading.read(job.read, content, job.feed, setup.limits):
            if isinstance(item, Finished):
                send(outbox, b"R", FINISHED.dump_json(item))
            else:
                send(outbox, b"B", item)
    elif job.op == "excerpt":
        for block in _excerpt(job, content, setup):
            send(outbox, b"B", block)
        send(outbox, b"R", b"null")
    else:
        send(outbox, b"R", _inspect(job, content, setup))


def _trust(setup: Setup) -> Trust:
    wanted = any(authority.check_dkim for authority in setup.authorities)
    return Trust(setup.authorities, records() if wanted else None)


def records(servers: Sequence[str] = (), port: int = 53, within: float = DNS_WITHIN) -> Txt:
    """Give a way to find TXT records: by the system's name servers, or by ``servers``.

    All its questions together have ``within`` seconds, counted from the first.  It raises
    ``ReadFailed`` where no name server answers: that a record is missing must be told by one.
    """
    ends: list[float] = []

    def find(name: bytes) -> bytes | None:
        ends.append(time.monotonic() + within)
        return _record(name, servers, port, max(0.0, ends[0] - time.monotonic()))

    return find


def _record(name: bytes, servers: Sequence[str], port: int, within: float) -> bytes | None:
    """Ask for the TXT record of a name; several are as good as none (RFC 6376 §3.6.2.2)."""
    try:
        import dns.exception  # noqa: PLC0415  an extra, and slow to import
        import dns.resolver  # noqa: PLC0415  as before
    except ImportError:
        raise ReadFailed(MISSING) from None
    lost = (dns.exception.Timeout, dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration)
    try:
        resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            resolver.nameservers, resolver.port = list(servers), port
        found = resolver.resolve(name.decode("ascii"), "TXT", lifetime=within)
    except lost as error:
        why = type(error).__name__
        raise ReadFailed(f"the DNS gave no answer about {name.decode()} ({why})") from None
    except (dns.exception.DNSException, UnicodeError):  # there is none, or it is no name at all
        return None
    texts = [b"".join(record.strings) for record in found]
    return texts[0] if len(texts) == 1 else None


def _excerpt(job: Job, content: Chunks, setup: Setup) -> Iterator[bytes]:
    assert job.excerpt is not None
    return reading.excerpt(job.excerpt, content, job.feed, setup.limits)


def _inspect(job: Job, content: Chunks, setup: Setup) -> bytes:
    found = reading.inspect(content, job.name, job.feed, job.today, setup.limits)
    return INSPECTIONS.dump_json(found)


def _fail(outbox: BinaryIO, failure: Failure) -> None:
    send(outbox, b"X", FAILURE.dump_json(failure))


def send(outbox: BinaryIO, kind: bytes, payload: bytes) -> None:
    """Write one frame whole: a raw pipe may take only part of it at a time."""
    rest = memoryview(kind + len(payload).to_bytes(4, "big") + payload)
    while rest:
        rest = rest[outbox.write(rest) :]


def chunks(path: str) -> Chunks:
    """Give the file's bytes in blocks, from the beginning at each call."""

    def blocks() -> Iterator[bytes]:
        with Path(path).open("rb") as file:
            while block := file.read(BLOCK):
                yield block

    return blocks


if __name__ == "__main__":
    main()
