"""WIRE  Builds everything from a Config, runs it, and takes it apart again.

One exit stack holds the parts in the order in which they need each other; leaving it
undoes them backwards.  SIGTERM and SIGINT end the daemon (a second SIGINT at once),
SIGHUP reads the configuration anew: what is right replaces every part but the embedded
database, what is wrong changes nothing.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog

from ingestd import __version__, demo
from ingestd.config import Config, Database
from ingestd.config import database_url as join_url
from ingestd.credentials import resolve
from ingestd.daemon import Daemon, Doors, Tell, patiently
from ingestd.errors import Fault, Misconfigured, TryAgain
from ingestd.model import Settlement
from ingestd.sources.folder import FolderSource
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
from ingestd.workers import Workers

INTERRUPTED = 130
#: Seconds that loads under way get to finish: a person waits, systemd does not mind.
GRACE = {signal.SIGINT: 3.0, signal.SIGTERM: 20.0, signal.SIGHUP: 20.0}
_HOUSEKEEPING_EVERY = 5.0
_EXPIRE_EVERY = 60  # rounds of housekeeping: five minutes
_LOG = structlog.get_logger("app")


def set_up_log(config: Config) -> None:
    """Route the log as the configuration says."""
    log.set_up(config.log)


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
    log.set_up(config.log, secrets=filter(None, (password, urlsplit(joined).password)))
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


class Signals:
    """What the outside wants: stop, or a new configuration."""

    def __init__(self, read: Callable[[], Config], config: Config) -> None:
        """Take what reads the configuration anew, and the one in force."""
        self._read = read
        self._config = config
        self._interrupted = False
        self.stop = asyncio.Event()
        self.renewed: Config | None = None
        self.grace = GRACE[signal.SIGTERM]
        self.on_bad_reload: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Take over the signals in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _end(self, number: signal.Signals) -> None:
        if number is signal.SIGINT and self._interrupted:
            os._exit(INTERRUPTED)  # the kernel ends the children, the next start the rest
        self._interrupted = number is signal.SIGINT
        self.renewed = None
        self.grace = GRACE[number]
        self.stop.set()

    def _reload(self) -> None:
        try:
            renewed = self._read()
            _must_stay(self._config, renewed)
        except Misconfigured as error:
            _LOG.error("reload.refused", message=f"the old configuration stays: {error}")
            self.on_bad_reload()
            return
        self.renewed, self.grace = renewed, GRACE[signal.SIGHUP]
        self.stop.set()


def _must_stay(old: Config, new: Config) -> None:
    for path in ("state_dir", "database"):
        if getattr(old, path) != getattr(new, path):
            raise Misconfigured(Fault(path, "cannot change while ingestd runs; restart it"))


async def run(read: Callable[[], Config], config: Config, url: str, *, sample: bool) -> None:
    """Run the daemon until it is told to stop; a reload begins a new round."""
    notifier = Notifier.from_environ(os.environ)
    metrics = Metrics(config, __version__)
    round_: Config | None = config
    while round_ is not None:
        signals = Signals(read, round_)
        signals.install()
        signals.on_bad_reload = lambda: metrics.reloaded(ok=False)
        metrics.configure(round_)
        await Round(round_, url, metrics, notifier).run(signals, sample=sample)
        round_, sample = signals.renewed, False
        notifier.stopping() if round_ is None else notifier.reloading()


class Tells:
    """Everyone who wants to know, told one after the other.  Keeps ``daemon.Tell``."""

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
        self._spooled = 0.0
        metrics.spool_from(lambda: self._spooled)

    async def run(self, signals: Signals, *, sample: bool) -> None:
        """Build the parts, work until a signal, take the parts apart.

        Raises:
            Misconfigured: a part cannot be built; nothing was taken yet.
        """
        async with contextlib.AsyncExitStack() as stack:
            store = await self._store(stack, signals.stop)
            if store is None:
                return
            if sample:
                await _know_the_sample(store)
            await check_feeds(self._config, store)
            spool = Spool(self._config.state_dir, self._config.limits.file_size)
            guides = [demo.Guide(self._config, self._url, binaries() / "psql")] if sample else []
            daemon = await self._daemon(stack, store, spool, guides)
            self._metrics.pool_from(store.connections)
            for feed, when in (await store.last_successes()).items():
                self._metrics.last_success(feed, when)
            aside = [self._keep_house(store, spool), self._systemd.keep(lambda: True)]
            if self._config.http.enabled:
                server = self._http(store)
                await stack.enter_async_context(server)
                aside.append(server.keep_listening())
            await self._work(daemon, signals, aside, sample=sample)

    async def _work(
        self,
        daemon: Daemon,
        signals: Signals,
        aside: Sequence[Coroutine[Any, Any, None]],
        *,
        sample: bool,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in aside]
            self._notifier.ready(self._systemd.text())
            if sample:
                group.create_task(asyncio.to_thread(demo.drop, self._config))
            await daemon.run(signals.stop, lambda: signals.grace)
            for task in tasks:
                task.cancel()

    async def _store(self, stack: contextlib.AsyncExitStack, stop: asyncio.Event) -> Store | None:
        """Open the store; a database that is away is waited for, until told to stop."""
        said = False

        async def opened() -> Store:
            nonlocal said
            try:
                return await connected()
            except TryAgain as error:
                if not said:
                    _LOG.warning("database.waiting", message=f"waiting for the database: {error}")
                said = True
                raise

        async def connected() -> Store:
            store = await stack.enter_async_context(opened_store(self._config, self._url))
            await store.target()
            return store

        async with asyncio.TaskGroup() as group:
            opening = group.create_task(patiently(opened))
            stopped = group.create_task(stop.wait())
            await asyncio.wait((opening, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            opening.cancel()
        return None if opening.cancelled() else opening.result()

    async def _daemon(
        self,
        stack: contextlib.AsyncExitStack,
        store: Store,
        spool: Spool,
        guides: Sequence[Tell],
    ) -> Daemon:
        config = self._config
        workers = Workers(config, spool.path, on_restart=self._metrics.worker_restarted)
        names = tuple(feed.name for feed in config.feed)
        doors = Doors(
            sources=tuple(
                FolderSource(folder, spool, store.now, names) for folder in config.folder
            ),
            reader=await stack.enter_async_context(workers),
            store=store,
            tell=Tells(self._metrics, LogTell(), self._systemd, *guides),
            papers=receipts.papers,
        )
        feeds = {feed.name: feed for feed in config.feed}
        return Daemon(doors, feeds, handlers=config.workers.processes)

    def _http(self, store: Store) -> HttpServer:
        return HttpServer(
            self._config.http.listen,
            scrape=self._metrics.scrape,
            checks={"database": store.check, "sources": self._systemd.check},
            version=__version__,
        )

    async def _keep_house(self, store: Store, spool: Spool) -> None:
        """Observe what waits, and clear the spool out: for ever, whatever fails meanwhile."""
        rounds = 0
        while True:
            with contextlib.suppress(TryAgain):
                self._metrics.waiting(await store.waiting())
                if rounds % _EXPIRE_EVERY == 0:
                    owed = await store.owed()
                    await spool.expire(self._config.spool.keep_for, owed.__contains__)
                    self._spooled = float(await spool.size())
            rounds += 1
            await asyncio.sleep(_HOUSEKEEPING_EVERY)


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
