"""WIRE  Builds everything from a Config, runs it, and takes it apart again.

One exit stack holds the parts in the order in which they need each other; leaving it
undoes them backwards.  SIGTERM and SIGINT end the daemon (a second SIGINT at once),
SIGHUP reads the configuration anew: what is right replaces every part but the embedded
database, what is wrong changes nothing.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog

from ingestd import __version__, demo, inlets, outlets
from ingestd.config import Config, Database
from ingestd.config import database_url as join_url
from ingestd.credentials import resolve, resolved, secrets
from ingestd.daemon import Daemon
from ingestd.doors import Doors, Tell
from ingestd.errors import Fault, Misconfigured, TryAgain
from ingestd.patience import patiently
from ingestd.replying import Replying
from ingestd.report import Settlement
from ingestd.signals import GRACE, Signals
from ingestd.sources.ground import prepare
from ingestd.sources.spool import Spool
from ingestd.store import migrate
from ingestd.store.embedded import binaries
from ingestd.store.pool import Connection, open_pool
from ingestd.store.postgres import PostgresStore as Store
from ingestd.tell import log, receipts
from ingestd.tell.http import HttpServer
from ingestd.tell.log import LogTell
from ingestd.tell.metrics import Metrics
from ingestd.tell.systemd import Notifier, SystemdTell
from ingestd.workers import Workers, require_packages

_HOUSEKEEPING_EVERY = 5.0
#: Seconds that the parts need to be taken apart.
_TAKING_APART = 10.0
_EXPIRE_EVERY = 60  # rounds of housekeeping: five minutes
_LOG = structlog.get_logger("app")


def set_up_log(config: Config, url: str = "") -> None:
    """Route the log as the configuration says; its secrets and the ``url``'s stay out of it."""
    password = urlsplit(url).password
    own = (password, unquote(password)) if password else ()
    log.set_up(config.log, secrets=(*own, *secrets(config)))


# -- the database --------------------------------------------------------------------------


def database_url(config: Config, environ: Mapping[str, str]) -> str:
    """Give the URL of the configured database, its secrets resolved and kept out of the log.

    Raises:
        Misconfigured: a secret is not where it should be.
    """
    database = config.database
    url = resolve("database.url", database.url, environ)
    password = resolve("database.password", database.password, environ)
    joined = join_url(database, url, password)
    set_up_log(config, joined)
    return joined


@contextlib.asynccontextmanager
async def opened_store(config: Config, url: str) -> AsyncIterator[Store]:
    """Open the ledger and the vehicles for as long as the context lasts."""
    owner = _owner_name(config)
    async with Store.opened(config, url, owner) as store:
        yield store


def as_ingestd(url: str) -> str:
    """Give the embedded server's URL as the role with least rights: what a trial shows is true."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"ingestd@{place}").geturl()


async def apply_schema(url: str) -> migrate.Applied:
    """Apply the schema as the role that ``url`` names."""
    async with _owner(url) as connection:
        return await migrate.apply(connection)


async def schema_status(url: str) -> migrate.Status:
    """Compare the database with the schema's files."""
    async with _owner(url) as connection:
        return await migrate.status(connection)


@contextlib.asynccontextmanager
async def _owner(url: str) -> AsyncIterator[Connection]:
    pool = await open_pool(Database(connections=2), url)
    try:
        async with pool.connection() as connection:
            yield connection
    finally:
        await pool.close()


def _owner_name(config: Config) -> str:
    """Name this instance: another start of it takes up what this one leaves."""
    return f"{socket.gethostname()}:{os.path.realpath(config.state_dir)}"


# -- the daemon ----------------------------------------------------------------------------


async def run(read: Callable[[], Config], config: Config, url: str, *, sample: bool) -> None:
    """Run the daemon until it is told to stop; a reload begins a new round.

    Raises:
        Misconfigured: a part cannot be built.
    """
    notifier = Notifier.from_environ(os.environ)
    metrics = Metrics(config, __version__)
    renewed: Config | None = config
    while renewed is not None:
        round_ = Round(resolved(renewed, os.environ), url, metrics, notifier)
        renewed, sample = await round_.run(read, sample=sample), False


@contextlib.contextmanager
def alone(state_dir: str) -> Iterator[None]:
    """Keep a second daemon off this state directory: it would take our work for its own.

    Raises:
        Misconfigured: there is one, or the directory is not ours to write.
    """
    path = Path(state_dir) / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        message = f"{state_dir} is in use by another ingestd; stop it, or give each its own"
        raise Misconfigured(Fault("state_dir", message)) from None
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); make {state_dir} ours to write"
        raise Misconfigured(Fault("state_dir", message)) from None


class Tells:
    """Everyone who wants to know, told one after the other.  Keeps ``doors.Tell``."""

    def __init__(self, *tells: Tell) -> None:
        """Take them in the order in which they are told."""
        self._tells = tells

    def settled(self, settlement: Settlement) -> None:
        """Pass it on."""
        for tell in self._tells:
            tell.settled(settlement)

    def source(self, name: str, *, up: bool) -> None:
        """Pass it on."""
        for tell in self._tells:
            tell.source(name, up=up)

    def waiting(self, deliveries: int) -> None:
        """Pass it on."""
        for tell in self._tells:
            tell.waiting(deliveries)


class Round:
    """One configuration's life: from its parts being built to their being taken apart."""

    def __init__(self, config: Config, url: str, metrics: Metrics, notifier: Notifier) -> None:
        """Take what outlives a reload."""
        self._config = config
        self._url = url
        self._metrics = metrics
        self._notifier = notifier
        self._systemd = SystemdTell(notifier)
        self._told = Tells(metrics, LogTell(), self._systemd)
        self._signals = Signals(self._ending)
        self._renewed: Config | None = None
        self._spooled = 0.0
        metrics.spool_from(lambda: self._spooled)

    async def run(self, read: Callable[[], Config], *, sample: bool) -> Config | None:
        """Build the parts, work until a signal, take them apart; give the next configuration.

        Raises:
            Misconfigured: a part cannot be built; nothing was taken yet.
        """
        set_up_log(self._config, self._url)
        async with contextlib.AsyncExitStack() as stack:
            opened = await self._open(stack)
            if opened is None:
                return None
            store, spool = opened
            if sample:
                await _know_the_sample(store)
                self._told = Tells(self._told, demo.Guide(self._config, self._url, _psql()))
            await check_feeds(self._config, store)
            daemon = await self._daemon(stack, store, spool)
            await self._show(store)
            replying = self._replying(store, daemon)
            aside = [self._keep_house(store, spool), self._heed_reloads(store, read)]
            aside.append(self._systemd.keep(lambda: True))
            aside += [one.run() for one in replying]
            if self._config.http.enabled:
                server = await stack.enter_async_context(self._http(store))
                aside.append(server.keep_listening())
            await self._work(daemon, aside, sample=sample)
        return self._renewed

    async def _work(
        self, daemon: Daemon, aside: Sequence[Coroutine[Any, Any, None]], *, sample: bool
    ) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in aside]
            self._notifier.ready(self._systemd.text())
            if sample:
                group.create_task(asyncio.to_thread(demo.drop, self._config))
            await daemon.run(self._signals.stop, lambda: self._signals.grace)
            for task in tasks:
                task.cancel()

    def _ending(self, number: signal.Signals) -> None:
        """Tell the service manager, before the last loads are waited for."""
        if number is signal.SIGHUP:
            self._notifier.reloading()
            return
        self._renewed = None
        self._notifier.stopping()
        self._notifier.extend(GRACE[number] + _TAKING_APART)

    async def _open(self, stack: contextlib.AsyncExitStack) -> tuple[Store, Spool] | None:
        """Open store and spool; what is away or full is waited for, until told to stop."""
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(patiently(self._opened, stack))
            stopped = group.create_task(self._signals.stop.wait())
            await asyncio.wait((opening, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            opening.cancel()
        return None if opening.cancelled() else opening.result()

    async def _opened(self, stack: contextlib.AsyncExitStack) -> tuple[Store, Spool]:
        spool = Spool(self._config.state_dir, self._config.limits.file_size)
        async with contextlib.AsyncExitStack() as attempt:
            store = await attempt.enter_async_context(opened_store(self._config, self._url))
            wrong = await store.wrong()
            if wrong is not None:
                raise Misconfigured(Fault("database", wrong))
            await store.target()
            stack.push_async_exit(attempt.pop_all())
        return store, spool

    async def _daemon(self, stack: contextlib.AsyncExitStack, store: Store, spool: Spool) -> Daemon:
        config = self._config
        workers = Workers(config, spool.path, on_restart=self._metrics.worker_restarted)
        doors = Doors(
            sources=inlets.sources(config, spool, store, self._metrics.mailbox_from),
            reader=await stack.enter_async_context(workers),
            store=store,
            tell=self._told,
            papers=receipts.papers,
        )
        feeds = {feed.name: feed for feed in config.feed}
        return Daemon(doors, feeds, handlers=config.workers.processes)

    def _replying(self, store: Store, daemon: Daemon) -> tuple[Replying, ...]:
        return outlets.replying(self._config, store, daemon.excerpt, self._metrics.replied)

    async def _show(self, store: Store) -> None:
        """Begin the metrics and the readiness with what is known before the first file."""
        self._metrics.configure(self._config)
        self._metrics.pool_from(store.connections)
        for feed, when in (await store.last_successes()).items():
            self._metrics.last_success(feed, when)
        named = [box.name for box in self._config.mailbox]
        for name in (*named, *(folder.name for folder in self._config.folder)):
            self._systemd.source(name, up=False)

    def _http(self, store: Store) -> HttpServer:
        return HttpServer(
            self._config.http.listen,
            scrape=self._metrics.scrape,
            checks={"database": store.check, "sources": self._systemd.check},
            version=__version__,
        )

    async def _heed_reloads(self, store: Store, read: Callable[[], Config]) -> None:
        """On SIGHUP, try the configuration out; what is right ends this round, else it goes on."""
        while True:
            await self._signals.reload.wait()
            self._signals.reload.clear()
            try:
                renewed = resolved(read(), os.environ)
                await self._try_out(renewed, store)
            except (Misconfigured, TryAgain) as error:
                set_up_log(self._config, self._url)
                _LOG.error("reload.refused", message=f"the old configuration stays: {error}")
                self._metrics.reloaded(ok=False)
            else:
                message = "the configuration was read again and is in force now"
                _LOG.info("reload.accepted", message=message, feeds=[f.name for f in renewed.feed])
                self._renewed = renewed
                self._signals.end(signal.SIGHUP)

    async def _try_out(self, renewed: Config, store: Store) -> None:
        for path in ("state_dir", "database"):
            if getattr(self._config, path) != getattr(renewed, path):
                fault = Fault(path, "cannot change while ingestd runs; restart it")
                raise Misconfigured(fault)
        await check_feeds(renewed, store)
        outlets.post_of(renewed)
        require_packages(renewed)
        inlets.try_out(renewed)
        names = tuple(feed.name for feed in renewed.feed)
        for folder in renewed.folder:
            (await asyncio.to_thread(prepare, folder, names)).close()

    async def _keep_house(self, store: Store, spool: Spool) -> None:
        """Observe what waits, and clear out what is old: for ever, whatever fails meanwhile."""
        rounds = 0
        while True:
            with contextlib.suppress(TryAgain, Misconfigured):
                self._told.waiting(await store.waiting())
                self._metrics.held(await store.held())
                if rounds % _EXPIRE_EVERY == 0:
                    owed = await store.owed()
                    await spool.expire(self._config.spool.keep_for, owed.__contains__)
                    self._spooled = float(await spool.size())
                    await store.forget_changes(self._config.history.keep_for)
            rounds += 1
            await asyncio.sleep(_HOUSEKEEPING_EVERY)


def _psql() -> Path:
    return binaries() / "psql"


async def check_feeds(config: Config, store: Store) -> None:
    """Make sure that every feed's dealership exists.

    Raises:
        Misconfigured: with every one that does not, and the command that adds it.
    """
    faults: list[Fault] = []
    for feed in config.feed:
        try:
            await store.dealership(feed)
        except Misconfigured as error:
            faults += error.faults
    if faults:
        raise Misconfigured(*faults)


async def _know_the_sample(store: Store) -> None:
    names = {dealership.name for dealership in await store.dealerships()}
    if demo.DEALERSHIP not in names:
        await store.add_dealership(demo.DEALERSHIP, location="Prairie Crossing, an invented place")
