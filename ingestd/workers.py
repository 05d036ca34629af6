"""DOOR  The parser processes, seen from the daemon: a job goes in, frames come out.

Rules:
  * A parser does one job at a time and is used again; after ``recycle_after`` jobs, or
    when a reading is left before its end, or when anything odd happens, it is killed
    and the next job gets a fresh one.
  * Every wait is bounded by ``deadline``; memory and processor time are capped inside
    (see ``worker``).  A parser that dies or is late is a ``ReadFailed``, which counts
    against the delivery; a bug in the core is ``Refused``, for it will not go away.
  * The environment of a parser holds no secrets: only what Python needs.
"""

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

import structlog

from ingestd.config import Config, Feed
from ingestd.errors import Fault, Misconfigured, ReadFailed, Refused, TryAgain
from ingestd.mail.dkim import MISSING
from ingestd.mail.sender import Authority
from ingestd.model import Arrival, Excerpt, Finished, Opened, Reading, ReadJob
from ingestd.worker import FAILURE, FINISHED, HEAD, JOB, OPENED, SETUP, Job, Setup

_LOG = structlog.get_logger("workers")
#: Lines in an excerpt, and bytes of a result, from which JSON would hold the loop up.
_MANY = 1000
_LONG = 1 << 18
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")


@dataclass(slots=True, eq=False)
class _Parser:
    """One living process: its jobs so far, whether the last came to its end, or failed."""

    process: asyncio.subprocess.Process
    jobs: int = 0
    idle: bool = True
    failed: bool = False

    async def send(self, payload: bytes, deadline: float) -> None:
        """Hand a job (or the setup) over.

        Raises:
            ReadFailed: the process is gone, or did not take it within ``deadline`` seconds.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(b"J" + len(payload).to_bytes(4, "big") + payload)
        try:
            async with asyncio.timeout(deadline):
                await self.process.stdin.drain()
        except TimeoutError:
            self.failed = True
            raise ReadFailed(f"the parser took no job within {deadline:g} s") from None
        except OSError as error:
            raise ReadFailed(await self.epitaph()) from error

    async def frame(self, deadline: float) -> tuple[bytes, bytes]:
        """Wait for the next frame: its kind and payload.

        Raises:
            ReadFailed: the process died, or nothing came within ``deadline`` seconds.
        """
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(deadline):
                head = await self.process.stdout.readexactly(HEAD)
                size = int.from_bytes(head[1:], "big")
                return head[:1], await self.process.stdout.readexactly(size)
        except TimeoutError:
            self.failed = True
            raise ReadFailed(f"the parser gave no answer within {deadline:g} s") from None
        except asyncio.IncompleteReadError:
            raise ReadFailed(await self.epitaph()) from None

    async def epitaph(self) -> str:
        """Say how the process ended."""
        self.failed = True
        code = await self.process.wait()
        if code == -signal.SIGXCPU:
            return "the parser used up its processor time (workers.deadline)"
        return f"the parser died ({_how(code)}); workers.memory may be too small for this file"

    async def end(self) -> None:
        """Kill the process and wait for it, and for its pipes: nothing is left behind."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        # communicate() and not wait(): unread output would keep the transport open.
        with contextlib.suppress(OSError, ValueError):
            await self.process.communicate()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


class Workers:
    """A fixed number of parsers; implements the daemon's ``Reader``."""

    def __init__(
        self,
        config: Config,
        path: Callable[[str], Path],
        feeds: Sequence[Feed] | None = None,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; ``path`` finds a content in the spool; parsers start with their first job."""
        self._config = config
        self._path = path
        self._feeds = {feed.name: feed for feed in (config.feed if feeds is None else feeds)}
        self._free: asyncio.LifoQueue[_Parser | None] = asyncio.LifoQueue()
        for _ in range(config.workers.processes):
            self._free.put_nowait(None)
        self._alive: set[_Parser] = set()
        self._on_restart = on_restart

    async def __aenter__(self) -> Self:
        """Start nothing yet.

        Raises:
            Misconfigured: what the parsers need is not installed.
        """
        require_packages(self._config)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every parser."""
        for parser in tuple(self._alive):
            await self._end(parser)

    async def open(self, arrival: Arrival) -> Opened:
        """List the files in a delivery, each with its feed or the reason why it has none.

        Raises:
            ReadFailed: the parser died or was late.
            Refused: the delivery brings out a bug.
        """
        job = Job(op="open", path=str(self._path(arrival.sha256)), arrival=arrival)
        async with self._job(job) as frames:
            return OPENED.validate_json(await _result(frames))

    @contextlib.asynccontextmanager
    async def read(self, job: ReadJob) -> AsyncIterator[Reading]:
        """Read one delivery's files for one feed.

        Raises:
            ReadFailed: the parser died or was late.
            Refused: a file brings out a bug.
        """
        feed = self._feeds[job.files[0].feed or ""]
        asked = Job(op="read", path=str(self._path(job.sha256)), read=job, feed=feed)
        async with self._job(asked) as frames:
            yield _reading(frames)

    async def excerpt(self, wanted: Excerpt) -> AsyncIterator[bytes]:
        """Give the sender's own lines that were rejected, line number and reason in front."""
        path = str(self._path(wanted.arrival.sha256))
        feed = self._feeds.get(wanted.feed or "")
        async with self._job(Job(op="excerpt", path=path, excerpt=wanted, feed=feed)) as frames:
            async for kind, payload in frames:
                if kind == b"B":
                    yield payload

    async def inspect(self, path: Path, name: str, feed: Feed | None, today: str) -> bytes:
        """Give what would be understood of a file, as JSON (see ``reading.inspect``)."""
        job = Job(op="inspect", path=str(path), name=name, feed=feed, today=today)
        async with self._job(job) as frames:
            return await _result(frames)

    @contextlib.asynccontextmanager
    async def _job(self, job: Job) -> AsyncIterator[AsyncIterator[tuple[bytes, bytes]]]:
        """Borrow a parser for one job; it comes back only if the job came to its end."""
        parser = await self._free.get()
        try:
            parser = parser or await self._start()
            parser.jobs, parser.idle = parser.jobs + 1, False
            deadline = self._config.workers.deadline
            await parser.send(await _dumped(job), deadline)
            async with contextlib.aclosing(_frames(parser, deadline)) as frames:
                yield frames
        finally:
            self._free.put_nowait(await self._returned(parser))

    async def _returned(self, parser: _Parser | None) -> _Parser | None:
        """Give what goes back to the free ones: the parser, or room for a fresh one."""
        if parser is None:
            return None
        if parser.failed:
            self._on_restart()
        if parser.idle and not parser.failed and parser.jobs < self._config.workers.recycle_after:
            return parser
        await self._end(parser)
        return None

    async def _start(self) -> _Parser:
        workers = self._config.workers
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ingestd.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_environment(os.environ),
                start_new_session=True,  # a Ctrl-C is the daemon's to handle
                limit=1 << 20,
            )
        except OSError as error:
            raise TryAgain(f"no parser process can be started: {error.strerror}") from error
        parser = _Parser(process)
        self._alive.add(parser)
        setup = Setup(
            feeds=tuple(self._feeds.values()),
            limits=self._config.limits,
            memory=workers.memory,
            cpu=workers.deadline,
            authorities=authorities(self._config),
        )
        await parser.send(SETUP.dump_json(setup), workers.deadline)
        return parser

    async def _end(self, parser: _Parser) -> None:
        self._alive.discard(parser)
        await asyncio.shield(parser.end())


def authorities(config: Config) -> tuple[Authority, ...]:
    """Give whom each mailbox believes about its mail: names, and no secret."""
    return tuple(
        Authority(
            mailbox.name,
            mailbox.authentication_results,
            mailbox.trusted_authserv_ids,
            mailbox.check_dkim,
        )
        for mailbox in config.mailbox
    )


def require_packages(config: Config) -> None:
    """Make sure that the extras are there which the configuration asks for.

    Raises:
        Misconfigured: with what to install.
    """
    if all(importlib.util.find_spec(name) for name in ("dkim", "dns")):
        return
    faults = [
        Fault(f"mailbox[{mailbox.name}].check_dkim", MISSING)
        for mailbox in config.mailbox
        if mailbox.check_dkim
    ]
    if faults:
        raise Misconfigured(*faults)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith("COVERAGE_")
    }


async def _dumped(job: Job) -> bytes:
    """Give a job as JSON; one with many lines in it is written beside the loop."""
    if job.excerpt is not None and len(job.excerpt.reasons) > _MANY:
        return await asyncio.to_thread(JOB.dump_json, job)
    return JOB.dump_json(job)


async def _finished(payload: bytes) -> Finished:
    """Read a reading's last word; a long one beside the loop."""
    if len(payload) > _LONG:
        return await asyncio.to_thread(FINISHED.validate_json, payload)
    return FINISHED.validate_json(payload)


async def _frames(parser: _Parser, deadline: float) -> AsyncGenerator[tuple[bytes, bytes]]:
    """Give a job's frames; the last is its result, and then the job is over."""
    while True:
        kind, payload = await parser.frame(deadline)
        parser.idle = kind in (b"R", b"X")
        if kind == b"X":
            _raise(payload)
        yield kind, payload
        if kind == b"R":
            return


def _raise(payload: bytes) -> NoReturn:
    failure = FAILURE.validate_json(payload)
    if failure.kind == "memory":
        raise ReadFailed(f"{failure.message}; workers.memory is too small for this file")
    if failure.kind == "world":
        raise ReadFailed(failure.message)
    _LOG.error("parser.bug", error=failure.message, trace=failure.trace)
    raise Refused(
        "internal_error",
        f"ingestd could not read the file because of a bug of its own ({failure.message}); "
        "please report it with the file; nothing of it was loaded",
    )


async def _result(frames: AsyncIterator[tuple[bytes, bytes]]) -> bytes:
    async for kind, payload in frames:
        if kind == b"R":
            return payload
    raise ReadFailed("the parser ended a job without a result")


async def _reading(frames: AsyncIterator[tuple[bytes, bytes]]) -> Reading:
    async for kind, payload in frames:
        yield payload if kind == b"B" else await _finished(payload)
