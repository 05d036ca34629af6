"""DOOR  Connections to PostgreSQL, and the one place that translates the driver's errors.

Rules:
  * TLS is verified against the host's name, except on a socket or on loopback.
  * Every wait is bounded: connecting, acquiring, statements, locks, a dead peer.
  * Settings are local to a transaction, so that a transaction pooler may stand between.
  * What is raised outside is ``TryAgain``, ``Clash``, ``ReadFailed`` or ``Misconfigured``;
    ``Late`` and ``Taken`` are for whoever knows whether trying again is any use.
  * Of time-outs only the driver's are translated as such: see ``_in_time``.
  * A password never reaches a message.
"""

import asyncio
import re
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ingestd.config import Database
from ingestd.errors import Clash, Fault, IngestError, Misconfigured, ReadFailed, Taken, TryAgain
from ingestd.store import address

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = asyncpg.Record

#: Unqualified names of the platform's own functions and triggers lie in public;
#: nobody's temporary table comes before anything.
_SESSION = {
    "application_name": "ingestd",
    "search_path": "pg_catalog, public, pg_temp",
    "timezone": "UTC",
}
#: For staging; the server gives it to a session only once it is needed.
_TEMP_BUFFERS = "32MB"
#: How much longer than the server's own limit the client waits for a statement.
_GRACE = 15.0
#: Seconds to wait for a free connection: a load may hold one for long.
_ACQUIRE = 60.0
#: Seconds after which unacknowledged bytes, or silence, mean that the peer is gone.
_DEAD_AFTER = 60


class Late(TryAgain):
    """A statement took longer than ``database.statement_timeout`` allows."""


class Pool:
    """A few connections to one database, opened by ``open_pool``."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", database: Database) -> None:
        """Take the driver's pool; ``open_pool`` is the way to one."""
        self._pool = pool
        self._database = database

    @property
    def temporary_tables_stay(self) -> bool:
        """Say whether a connection stays ours, and with it a temporary table."""
        return self._database.pooler == "none"

    @property
    def statement_timeout(self) -> float:
        """Give the seconds that a statement may take."""
        return self._database.statement_timeout

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for single statements.

        Raises:
            TryAgain: the server cannot be reached or gave up.
            Late: a statement took too long.
            Clash: another session was in the way.
            Misconfigured: it will not work before something is changed.
        """
        with translated():
            connection = await self._pool.acquire(timeout=_ACQUIRE)
            try:
                with _in_time():
                    yield connection
            finally:
                # The driver shields this: a cancelled load does not lose its connection.
                await self._pool.release(connection, timeout=_GRACE)

    @asynccontextmanager
    async def transaction(
        self, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Connection]:
        """Lend a connection within a transaction, ``settings`` applied to it alone.

        A commit whose answer is lost raises ``TryAgain`` although it may have happened:
        look before doing it again.

        Raises:
            TryAgain: the server cannot be reached or gave up.
            Clash: another session was in the way.
            Misconfigured: it will not work before something is changed.
        """
        local = {**self._limits(), **(settings or {})}
        async with self.connection() as connection, connection.transaction():
            await connection.execute(_SET_LOCAL, list(local), list(local.values()))
            yield connection

    def counts(self) -> tuple[int, int]:
        """Count the connections that are open: (idle, used)."""
        idle = self._pool.get_idle_size()
        return idle, self._pool.get_size() - idle

    async def close(self) -> None:
        """Close every connection, without waiting for what is still running."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    def _limits(self) -> dict[str, str]:
        database = self._database
        limits = {
            "statement_timeout": _milliseconds(database.statement_timeout),
            "lock_timeout": _milliseconds(database.lock_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(database.statement_timeout),
        }
        return limits if database.pooler == "none" else {**_SESSION, **limits}


_SET_LOCAL = (
    "SELECT pg_catalog.set_config(name, value, true)"
    " FROM unnest($1::text[], $2::text[]) AS s(name, value)"
)


async def open_pool(database: Database, url: str) -> Pool:
    """Connect once to show that it works, and give the pool.

    ``url`` is the whole of the address, password included.

    Raises:
        TryAgain: the server cannot be reached now.
        Misconfigured: wrong password, unknown database, unverifiable certificate.
    """
    pooled = database.pooler == "transaction"
    with translated(url):
        bare, tls = address.split(url, database.ca_file)
        pool = await asyncpg.create_pool(
            bare,
            ssl=tls,
            min_size=1,
            max_size=database.connections,
            timeout=database.connect_timeout,
            command_timeout=database.statement_timeout + _GRACE,
            statement_cache_size=0 if pooled else 200,
            max_cacheable_statement_size=0,  # no limit: ours are long, and few
            max_inactive_connection_lifetime=120.0,
            server_settings={} if pooled else {**_SESSION, "temp_buffers": _TEMP_BUFFERS},
            connect=_connect,
            reset=_keep,
        )
    return Pool(pool, database)


async def _connect(*args: Any, **kwargs: Any) -> "asyncpg.Connection[asyncpg.Record]":
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*args, **kwargs)
    # The driver offers no way to its socket, and without these a peer that vanishes
    # holds a statement until the command time-out.
    transport = getattr(connection, "_transport", None)
    link = transport and transport.get_extra_info("socket")
    if link and link.family in (socket.AF_INET, socket.AF_INET6):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", 20),
            ("TCP_KEEPINTVL", 10),
            ("TCP_KEEPCNT", 4),
            ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000),
        ):
            if hasattr(socket, option):
                link.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


async def _keep(_connection: Any) -> None:
    """Leave the session as it is: nothing in it is ever set but for a transaction."""


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


@contextmanager
def _in_time() -> Iterator[None]:
    """Tell a statement for which the driver waits no longer from a server that is away.

    And from whatever else is waited for while a connection is lent, but for the blocks of a
    COPY, which the driver waits for itself: who makes them translates time-outs of their own.
    """
    try:
        yield
    except TimeoutError as error:
        if not _is_drivers(error):
            raise
        raise Late("PostgreSQL did not give up a statement in time") from None


def _is_drivers(error: TimeoutError) -> bool:
    """Say whether the driver raised it, and not the network, which gives a number, or another."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    raised_in: str = frames[-1].f_globals.get("__name__", "")
    return error.errno is None and raised_in.startswith("asyncpg.")


@contextmanager
def translated(url: str = "") -> Iterator[None]:
    """Turn the driver's errors into ours; ``url`` only to keep its password out of messages."""
    try:
        yield
    except IngestError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise _ours(error, _without_password(_said(error), url)) from None
    except ssl.SSLError as error:
        raise Misconfigured(Fault("database", _TLS_ADVICE.format(error))) from None
    except OSError as error:  # TimeoutError and ConnectionError among them
        if "SSL" in str(error):
            raise Misconfigured(Fault("database", _TLS_ADVICE.format(error))) from None
        what = _without_password(str(error), url) or "it did not answer in time"
        message = f"PostgreSQL cannot be reached{_at(url)}: {what}; {_REACH_ADVICE}"
        raise TryAgain(message) from None


#: Classes of SQLSTATE that trying again does not cure, where SQL is not made of what came
#: from outside: a name or right, a value, its own refusal.
_LASTING = ("42", "22", "23", "0A", "2B", "P0")


@contextmanager
def applying(name: str) -> Iterator[None]:
    """Turn what a script of ours meets and what stays so into a fault that names the script.

    Whatever may pass goes on to ``translated``.

    Raises:
        Misconfigured: the script cannot be run in this database, or not by this role.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        if str(error.sqlstate)[:2] not in _LASTING:
            raise
        hint = getattr(error, "hint", None) or ""
        if not hint and isinstance(error, asyncpg.InsufficientPrivilegeError):
            hint = _OWNER_ADVICE
        message = f"{name} was not applied: {error}.  {hint}".strip()
        raise Misconfigured(Fault("schema", message)) from error


_OWNER_ADVICE = "Apply the schema as the owner of the database, or as a member of ingestd_owner."

_TLS_ADVICE = (
    "the server could not be verified by TLS: {}. A private authority goes into database.ca_file;"
    " TLS is done without only on a socket or on loopback"
)


_REACH_ADVICE = "is it running there, and does nothing stand between? (database.url)"


def _at(url: str) -> str:
    """Name the place without the login."""
    place = urlsplit(url).netloc.rpartition("@")[2] if url else ""
    return f" at {place}" if place else ""


def _said(error: Exception) -> str:
    """Give the server's sentence alone: its DETAIL shows whole rows, which are not for a log."""
    message = getattr(error, "message", None) or str(error.args[0] if error.args else error)
    constraint = getattr(error, "constraint_name", None)
    return f"{message} (constraint {constraint})" if constraint else str(message)


def _without_password(text: str, url: str) -> str:
    password = urlsplit(url).password if url else None
    if not password:
        return text
    return text.replace(password, "***").replace(unquote(password), "***")


#: What a table's change does to a connection that has used it before.
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
_CLASHES = ("40001", "40P01", "55P03")
_TAKEN = ("23505", "23P01")
#: A statement was cancelled, in time or by an administrator; a server that says so in another
#: language is taken to mean the time, since what is never counted may wait for ever.
_CANCELLED, _BY_A_PERSON = "57014", "user request"
#: The table's refusal of what is to be written: values, a trigger's or a policy's veto.
_REFUSED_VALUES = ("09", "21", "22", "23", "27", "44", "54", "P0")
_POLICY = "row-level security"

#: Class or code -> the setting at fault, and what to do.  The longest prefix counts.
_ADVICE = {
    "28": ("database", "check user and password, and pg_hba.conf on the server"),
    "3D000": ("database.name", "create it, or name another"),
    "3F000": ("database", "run `ingestd schema apply`"),
    "42": ("database", "the tables are not as expected; `ingestd check` tells which differ"),
    "42P01": ("database", "run `ingestd schema apply`"),
    "42501": (
        "database.user",
        "run `ingestd schema apply` as the owner, which grants what it needs",
    ),
    "23503": ("feed.dealership", "the dealership does not exist: `ingestd dealerships add`"),
    "0A000": ("database", "the server's version is too old: PostgreSQL 15 or newer"),
    "08P01": ("database.pooler", 'set pooler = "transaction" where PgBouncer stands between'),
    "26000": ("database.pooler", 'set pooler = "transaction" where PgBouncer stands between'),
}


def _ours(error: Exception, text: str) -> IngestError:
    if isinstance(error, asyncpg.ClientConfigurationError):
        return Misconfigured(Fault("database.url", text))
    if isinstance(error, _STALE):
        # The driver has forgotten by now what it knew, and the next attempt asks anew.
        return Clash(f"a table was changed while it was in use: {text}")
    code = getattr(error, "sqlstate", None)
    if not code:
        return TryAgain(f"the connection to PostgreSQL failed: {text}")
    if code in _TAKEN:
        return _taken(error, text)
    return _by_code(code, getattr(error, "table_name", None), text)


#: Columns and values of a key in the server's DETAIL, whatever its language.
_KEY = re.compile(r"\(.+\)=\(.*\)", re.DOTALL)
_LONGEST_KEY = 200


def _taken(error: Exception, text: str) -> Taken:
    found = _KEY.search(getattr(error, "detail", None) or "")
    key = found[0][:_LONGEST_KEY] if found else ""
    constraint = getattr(error, "constraint_name", None) or ""
    return Taken(f"another session may have been in the way: {text}", constraint, key)


def _by_code(code: str, table: str | None, text: str) -> IngestError:
    if code in _CLASHES:
        return Clash(f"another session was in the way: {text}")
    if code == "42501" and _POLICY in text:
        return ReadFailed(f"PostgreSQL refused a row: {text}; see [target.settings]")
    for length in (5, 2):
        if code[:length] in _ADVICE:
            path, advice = _ADVICE[code[:length]]
            return Misconfigured(Fault(path, f"PostgreSQL says: {text}; {advice}"))
    if code[:2] in _REFUSED_VALUES:
        where = f" (table {table})" if table else ""
        return ReadFailed(f"PostgreSQL refused the values{where}: {text}")
    late = code == _CANCELLED and _BY_A_PERSON not in text
    return (Late if late else TryAgain)(f"PostgreSQL: {text}")
