"""DOOR  The store as the rest of the program sees it: PostgreSQL behind ``doors.Store``."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from ingestd.config import Config, Feed
from ingestd.errors import IngestError, Misconfigured, ReadFailed, TryAgain
from ingestd.model import (
    UNROUTED,
    Arrival,
    Dealership,
    Delivery,
    File,
    Finding,
    Known,
    Letter,
    Reading,
    ReadJob,
)
from ingestd.report import Held, Report, Settlement
from ingestd.rooftops import choices
from ingestd.store import books, copies, decisions, migrate, overview, redo
from ingestd.store.decisions import Decided
from ingestd.store.group import GroupLoader
from ingestd.store.layout import Layout, described
from ingestd.store.ledger import Ledger
from ingestd.store.load import Task
from ingestd.store.lookup import Lookup, forget_changes
from ingestd.store.pool import Pool, open_pool
from ingestd.store.replies import Replies
from ingestd.store.target import check_absence, read_layout
from ingestd.vehicle import Target


class PostgresStore:
    """The ledger and the vehicles in one PostgreSQL database."""

    def __init__(self, pool: Pool, config: Config, owner: str) -> None:
        """Take an open pool; ``opened`` is the usual way."""
        self._pool = pool
        self._settings = config.target
        self._deactivating = tuple(f.name for f in config.feed if f.missing == "deactivate")
        self._owner = owner
        self._feeds = tuple(feed.name for feed in config.feed)
        self._deltas = tuple(feed.name for feed in config.feed if feed.mode == "delta")
        replied = tuple(feed.name for feed in config.feed if feed.reply_to)
        # Where every feed is of changes, the oldest is opened first: each is opened once.
        unopened = (UNROUTED,) if config.feed and self._deltas == self._feeds else ()
        self._ledger = Ledger(pool, owner, (*self._deltas, *unopened), replied)
        self.replies = Replies(pool, owner)
        self._layout: Layout | None = None
        self._loader: GroupLoader | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: Config, url: str, owner: str) -> AsyncIterator["PostgresStore"]:
        """Open the store at ``url`` for as long as the context lasts.

        ``owner`` is the name by which this instance signs what it claims; another start of
        the same instance must bear the same.

        Raises:
            TryAgain: the server cannot be reached now.
            Misconfigured: it can, but will not have us.
        """
        pool = await open_pool(config.database, url)
        try:
            yield cls(pool, config, owner)
        finally:
            await pool.close()

    async def now(self) -> datetime:
        """Give the database's time, by which deliveries are ordered."""
        return await self._ledger.now()

    async def lease(self, name: str) -> bool:
        """Take or renew this instance's lease on a source; False while another holds it."""
        return await self._ledger.lease(name)

    async def unlease(self, name: str) -> None:
        """Give a lease up before it runs out."""
        await self._ledger.unlease(name)

    async def take(self, arrival: Arrival) -> Delivery:
        """Write the arrival into the ledger; the same (source, key) gives the same delivery."""
        return await self._ledger.take(arrival)

    async def claim(
        self, delivery_id: int | None, busy: Sequence[str], at_work: Sequence[int] = ()
    ) -> Delivery | None:
        """Claim the delivery whose turn it is outside the ``busy`` lanes (or just that one)."""
        return await self._ledger.claim(delivery_id, busy, at_work)

    async def route(
        self, delivery: Delivery, lane: str, letter: Letter | None, feeds: Sequence[str] = ()
    ) -> None:
        """Write down whose a claimed delivery is, now that it was opened.

        ``feeds`` are named where the lane is that of several.

        Raises:
            OutOfTurn: others of that lane come first; it was given back, the attempt uncounted.
        """
        await self._ledger.route(delivery, lane, letter, feeds)

    async def known_mail(
        self, source: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str | None]:
        """Give those of ``uids`` that need not be fetched: see ``copies.known``."""
        return await copies.known(self._pool, self._owner, source, uidvalidity, uids)

    async def places(self, source: str, uidvalidity: int, delivery_id: int) -> tuple[int, ...]:
        """Give the UIDs at which a mail was seen in its mailbox."""
        return await copies.places(self._pool, source, uidvalidity, delivery_id)

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Renew the claims on deliveries that take long."""
        await self._ledger.renew(deliveries)

    async def release(self, delivery: Delivery, *, counted: bool) -> None:
        """Give a claimed delivery back; the attempt is taken off the count unless ``counted``."""
        await self._ledger.release(delivery, counted=counted)

    async def let_older_go_first(self, delivery: Delivery) -> None:
        """Give a claimed delivery back, uncounted, to come after the older ones of its lane."""
        await self._ledger.let_older_go_first(delivery)

    async def dealership(self, feed: Feed) -> int:
        """Give the id of a feed's dealership.

        Raises:
            Misconfigured: there is none, or several of its name.
        """
        for number in choices(feed.rooftops):
            await self._ledger.dealership(feed.model_copy(update={"dealership": number}))
        return await self._ledger.dealership(feed)

    async def target(self) -> Target:
        """Describe the live vehicles table, read anew from the catalogue.

        Raises:
            Misconfigured: the schema is missing, no profile fits the table, or a feed wants
                vehicles deactivated that the table has no word for.
        """
        layout = await read_layout(self._pool, self._settings)
        check_absence(layout, self._deactivating)
        if layout != self._layout:
            self._layout = layout
            self._loader = GroupLoader(self._pool, layout, self._settings.settings, self._deltas)
        return layout.target

    async def about_target(self) -> str:
        """Say in a sentence or two what the vehicles table is taken for.

        Raises:
            Misconfigured: as ``target``.
        """
        await self.target()
        assert self._layout is not None
        return described(self._layout, with_settings=bool(self._settings.settings))

    async def known(self, dealership_id: int, feed: str, rooftops: Sequence[int] = ()) -> Known:
        """Give what is known of a dealership and a feed that helps to read its files.

        ``rooftops`` are the dealerships among which a group's files choose: each has dummy VINs
        of its own.
        """
        return await self._ledger.known(dealership_id, feed, rooftops)

    async def load(
        self,
        delivery: Delivery,
        feed: Feed,
        job: ReadJob,
        reading: Reading,
        *,
        dry_run: bool = False,
    ) -> tuple[Report, ...]:
        """Load one delivery's files for one feed in one transaction; a second call is harmless.

        ``dry_run`` does all of it and takes it back: the reports have no number.

        Raises:
            Clash: another session was in the way; at once again.
            TryAgain: the database is away.  It may have happened: the next call knows.
            ReadFailed: the reader's stream is not what the table can take.
        """
        if self._loader is None:
            await self.target()
        assert self._loader is not None
        layout = self._layout
        try:
            return await self._loader.load(Task(delivery, feed, job, reading, dry_run))
        except (Misconfigured, ReadFailed) as error:
            if await self._is_other_than(layout):
                raise TryAgain("the vehicles table changed while it was filled") from error
            raise

    async def _is_other_than(self, layout: Layout | None) -> bool:
        """Read the table's description anew, after something went wrong with it."""
        try:
            await self.target()
        except TryAgain:
            return False
        return self._layout != layout

    async def finish(
        self, delivery: Delivery, refused: Sequence[File], quarantine: str | None = None
    ) -> Settlement:
        """Close a delivery: report its refused files, set its outcome, queue its settlement."""
        return Settlement(*await self._ledger.finish(delivery, refused, quarantine))

    async def unsettled(self, sources: Sequence[str]) -> tuple[Settlement, ...]:
        """List what is still owed to ``sources``, or to a command, oldest first."""
        return tuple(Settlement(*owed) for owed in await self._ledger.unsettled(sources))

    async def settled(self, delivery: Delivery) -> None:
        """Tick a settlement off."""
        await self._ledger.settled(delivery)

    # What the command line and the metrics ask.

    async def waiting(self) -> int:
        """Count the deliveries that are not done."""
        return await self._ledger.waiting()

    async def imports(
        self, *, feed: str | None = None, limit: int = 20, before: int | None = None
    ) -> tuple[Report, ...]:
        """List the latest reports, newest first; ``before`` an import's number pages on."""
        condition = (
            "($1::text IS NULL OR i.feed = $1) AND ($2::bigint IS NULL OR i.id < $2)"
            " ORDER BY i.id DESC LIMIT $3"
        )
        async with self._pool.connection() as connection:
            return await books.reports(connection, condition, feed, before, limit)

    async def report(self, import_id: int) -> Report | None:
        """Give one import's report; None where there is no such import."""
        async with self._pool.connection() as connection:
            found = await books.reports(connection, "i.id = $1", import_id)
        return found[0] if found else None

    async def rejections(self, import_id: int) -> tuple[Finding, ...]:
        """Give every rejected line of an import, in the order of the file."""
        return tuple([found async for found in books.rejections(self._pool, import_id)])

    def each_rejection(self, import_id: int) -> AsyncIterator[Finding]:
        """Give the same one after the other, without holding all of them."""
        return books.rejections(self._pool, import_id)

    async def status(self) -> dict[str, Any]:
        """Tell, as JSON has it, what waits, who watches, and what each feed did last."""
        async with self._pool.connection() as connection:
            return await overview.status(connection, self._feeds, self._deltas)

    async def steps(self, *import_ids: int) -> dict[int, str]:
        """Give, for each of these imports that waits for a decision, what is to be done now."""
        async with self._pool.connection() as connection:
            return await overview.steps(connection, import_ids)

    async def attended(self) -> bool:
        """Say whether a daemon of this instance watches a source: it does what is decided."""
        async with self._pool.connection() as connection:
            return await overview.attended(connection, self._owner)

    async def lookup(self) -> Lookup:
        """Give who answers questions about single vehicles."""
        await self.target()
        assert self._layout is not None
        return Lookup(self._pool, self._layout, self._settings.settings)

    async def forget_changes(self, keep_for: float) -> None:
        """Forget what was changed in vehicles more than ``keep_for`` seconds ago."""
        await forget_changes(self._pool, keep_for)

    async def dealerships(self) -> tuple[Dealership, ...]:
        """List the dealerships with the number of their vehicles."""
        table = self._settings.table or "public.vehicles"
        column = self._settings.own.get("dealership", "dealership_id")
        return await self._ledger.dealerships(table, column)

    async def add_dealership(  # noqa: PLR0913  one for each column
        self,
        name: str,
        *,
        location: str = "",
        contact_email: str = "",
        contact_phone: str = "",
        domain: str | None = None,
        handover_email: str | None = None,
    ) -> int:
        """Add a dealership and give its id."""
        columns = {
            "location": location,
            "contact_email": contact_email,
            "contact_phone": contact_phone,
        }
        optional = {"domain": domain, "handover_email": handover_email}
        columns |= {key: value for key, value in optional.items() if value is not None}
        return await self._ledger.add_dealership(name, columns)

    # How things stand.

    async def deliveries(
        self, number: int | None = None, *, source: str | None = None, limit: int = 1
    ) -> tuple[dict[str, Any], ...]:
        """List deliveries, newest first, as JSON has them; ``number`` for just that one."""
        async with self._pool.connection() as connection:
            return await books.deliveries(connection, number, source, limit)

    async def redo(self, delivery_id: int) -> str | None:
        """Have a rejected or failed delivery done again; say why it cannot be, None if it will."""
        return await redo.redo(self._pool, self._owner, delivery_id)

    async def approve(self, import_id: int, by: str | None = None) -> Decided:
        """Have a held import loaded, or the deactivations that it holds done; ``by`` decided."""
        return await decisions.approve(self._pool, self._owner, import_id, by)

    async def deny(self, import_id: int, by: str | None = None) -> Decided:
        """Refuse a held import for good; ``by`` decided."""
        return await decisions.deny(self._pool, import_id, by)

    async def replay(self, import_id: int) -> Decided:
        """Have an import's files done again as the newest of their feed, as a new delivery."""
        return await decisions.replay(self._pool, self._owner, import_id)

    async def in_the_way_of(self, feed: str) -> str | None:
        """Say what the newest changes of a feed have to wait for; None if they need not."""
        return await decisions.in_the_way_of(self._pool, self._owner, feed)

    async def drop(self, delivery_id: int) -> str | None:
        """Give a waiting or quarantined delivery up; say why it cannot be, None if it was."""
        return await decisions.drop(self._pool, delivery_id)

    async def imports_of(self, delivery_id: int) -> tuple[Report, ...]:
        """Give the reports of a delivery, file by file."""
        async with self._pool.connection() as connection:
            condition = "i.delivery_id = $1 ORDER BY i.file_index"
            return await books.reports(connection, condition, delivery_id)

    async def last_successes(self) -> dict[str, float]:
        """Give, for each feed, when it was last applied, as Unix time."""
        async with self._pool.connection() as connection:
            return await overview.last_successes(connection)

    async def held(self) -> dict[str, Held]:
        """Count, for each feed, what waits for a decision."""
        async with self._pool.connection() as connection:
            return await overview.held(connection)

    def connections(self) -> tuple[int, int]:
        """Count the pool's connections: (idle, used)."""
        return self._pool.counts()

    async def owed(self) -> frozenset[str]:
        """Give the SHA-256 of every content that is still needed: not settled, or held."""
        return await self._ledger.owed()

    async def check(self) -> str | None:
        """Say why the database can not be worked with at the moment; None where it can."""
        try:
            return await self.wrong()
        except IngestError as error:
            return str(error)

    async def wrong(self) -> str | None:
        """Say what is wrong with the database itself; None where nothing is.

        Raises:
            TryAgain: it can not be reached.
        """
        async with self._pool.connection() as connection:
            state = await migrate.status(connection)
            encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            return f"the database has the encoding {encoding}: make it anew with --encoding=UTF8"
        missing = [file.name for file in state.pending if file not in state.left_out]
        if missing:
            return f"the schema lacks {', '.join(missing)}: run `ingestd schema apply` as its owner"
        if state.changed:
            names = ", ".join(file.name for file in state.changed)
            return (
                f"{names} was applied with another text; this version needs a database made by it"
            )
        return None

    async def server(self) -> str:
        """Describe the server: version, database, role."""
        async with self._pool.connection() as connection:
            version = await connection.fetchval("SHOW server_version")
            database = await connection.fetchval("SELECT current_database()")
            role = await connection.fetchval("SELECT current_user")
        return f"PostgreSQL {version}, database {database}, as role {role}"
