"""Connections: what is set on them, and what the driver's errors become."""

import asyncio
import errno
import os
import socket
import ssl
import subprocess
import threading
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from ingestd.config import Database
from ingestd.errors import Clash, Misconfigured, ReadFailed, Taken, TryAgain
from ingestd.store import pool as module
from ingestd.store.pool import Late, open_pool


@pytest.fixture
async def pool(database):
    opened = await open_pool(Database(connections=2), database.ingestd_url)
    yield opened
    await opened.close()


_LEASE = "INSERT INTO ingest.leases VALUES ('a', 'b', now())"


async def _run(pool, query: str, *values: object) -> None:
    async with pool.transaction() as connection:
        await connection.execute(query, *values)


async def _settings(connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, setting FROM pg_settings")
    return {row["name"]: row["setting"] for row in rows}


async def test_a_session_says_who_it_is_and_keeps_utc_and_a_fixed_search_path(pool):
    async with pool.connection() as connection:
        settings = await _settings(connection)
    assert settings["application_name"] == "ingestd"
    assert settings["TimeZone"] == "UTC"
    assert settings["search_path"] == "pg_catalog, public, pg_temp"


async def test_every_wait_in_a_transaction_is_bounded_and_the_bounds_end_with_it(database):
    limits = Database(statement_timeout=7, lock_timeout=3)
    pool = await open_pool(limits, database.ingestd_url)
    async with pool.transaction({"app.extra": "x"}) as connection:
        settings = await _settings(connection)
        extra = await connection.fetchval("SELECT current_setting('app.extra')")
    async with pool.connection() as connection:
        after = await _settings(connection)
    await pool.close()
    assert (settings["statement_timeout"], settings["lock_timeout"]) == ("7000", "3000")
    assert settings["idle_in_transaction_session_timeout"] == "7000"
    assert extra == "x"
    assert after["statement_timeout"] == after["lock_timeout"] == "0"


async def test_behind_a_pooler_nothing_is_set_but_for_a_transaction(database):
    pool = await open_pool(Database(pooler="transaction"), database.ingestd_url)
    async with pool.connection() as connection:
        before = await _settings(connection)
        named = await connection.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE name <> ''"
        )
    async with pool.transaction() as connection:
        within = await _settings(connection)
    await pool.close()
    assert before["application_name"] == ""
    assert named == 0
    assert (within["application_name"], within["TimeZone"]) == ("ingestd", "UTC")
    assert not pool.temporary_tables_stay


async def test_a_transaction_that_fails_leaves_nothing(pool, database):
    async def fail() -> None:
        async with pool.transaction() as connection:
            await connection.execute(_LEASE)
            raise ReadFailed("half way")

    with pytest.raises(ReadFailed, match="half way"):
        await fail()
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM ingest.leases") == 0


async def test_a_cancelled_transaction_gives_its_connection_back(database):
    pool = await open_pool(Database(connections=2), database.ingestd_url)
    entered = asyncio.Event()

    async def wait() -> None:
        async with pool.transaction() as connection:
            entered.set()
            await connection.execute("SELECT pg_sleep(60)")

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            task = group.create_task(wait())
            await entered.wait()
            entered.clear()
            task.cancel()
    async with pool.connection() as one, pool.connection() as two:
        assert await one.fetchval("SELECT 1") + await two.fetchval("SELECT 1") == 2
    await pool.close()


# What errors become.


async def test_a_unique_violation_is_a_clash(pool):
    await _run(pool, _LEASE)
    with pytest.raises(Clash):
        await _run(pool, _LEASE)


async def test_a_lock_that_is_not_had_in_time_is_a_clash(database):
    pool = await open_pool(Database(lock_timeout=0.05), database.ingestd_url)
    async with pool.transaction() as holder:
        await holder.execute("LOCK ingest.leases")
        with pytest.raises(Clash):
            await _run(pool, _LEASE)
    await pool.close()


async def test_a_statement_that_takes_too_long_is_tried_again(database):
    pool = await open_pool(Database(statement_timeout=0.05), database.ingestd_url)
    with pytest.raises(Late) as caught:
        await _run(pool, "SELECT pg_sleep(60)")
    await pool.close()
    assert not isinstance(caught.value, Clash)


async def test_a_statement_that_the_server_does_not_give_up_is_late_too(database, monkeypatch):
    monkeypatch.setattr(module, "_GRACE", 0.1)
    pool = await open_pool(Database(statement_timeout=0.1), database.ingestd_url)
    with pytest.raises(Late):
        async with pool.connection() as connection:  # where no limit of the server's is set
            await connection.execute("SELECT pg_sleep(60)")
    await pool.close()


async def test_a_network_that_times_out_is_no_slow_statement(pool):
    with pytest.raises(TryAgain, match="cannot be reached") as caught:
        async with pool.connection():
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    assert not isinstance(caught.value, Late)


async def test_who_is_late_while_a_connection_is_lent_is_no_slow_statement(pool):
    with pytest.raises(TryAgain) as caught:
        async with pool.connection(), asyncio.timeout(0.01):
            await asyncio.Event().wait()
    assert not isinstance(caught.value, Late)


async def test_a_unique_violation_names_constraint_and_key(pool):
    await _run(pool, _LEASE)
    with pytest.raises(Taken) as caught:
        await _run(pool, _LEASE)
    assert (caught.value.constraint, caught.value.key) == ("leases_pkey", "(name)=(a)")


async def test_a_server_that_ends_the_session_is_tried_again_and_the_pool_recovers(pool, database):
    admin = await asyncpg.connect(database.url)

    async def be_ended() -> None:
        async with pool.transaction() as connection:
            number = await connection.fetchval("SELECT pg_backend_pid()")
            await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", number)
            await connection.execute("SELECT 1")

    with pytest.raises(TryAgain):
        await be_ended()
    await admin.close()
    async with pool.transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_value_that_the_table_refuses_names_the_table(pool):
    with pytest.raises(ReadFailed, match="table feeds"):
        await _run(pool, "INSERT INTO ingest.feeds (feed) VALUES (NULL)")


async def test_what_the_role_may_not_do_names_the_command_that_grants_it(pool):
    with pytest.raises(Misconfigured, match="schema apply"):
        await _run(pool, "TRUNCATE vehicles")


async def test_a_missing_table_names_the_command_that_makes_it(pool):
    with pytest.raises(Misconfigured, match="ingestd schema apply"):
        await _run(pool, "SELECT * FROM ingest.nowhere")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT $1::bigint::integer", 1 << 40),  # 22003, out of range
        ("SELECT $1::text::integer", "seven"),  # 22P02, no number
    ],
)
async def test_a_value_that_the_server_cannot_take_is_a_strike_and_no_endless_retry(
    pool, query, value
):
    with pytest.raises(ReadFailed, match="refused the values"):
        await _run(pool, query, value)


@pytest.mark.parametrize("value", ["seven", 1 << 40])
async def test_a_value_that_the_driver_cannot_send_is_a_strike_and_no_endless_retry(pool, value):
    with pytest.raises(ReadFailed, match="refused the values"):
        await _run(pool, "SELECT $1::integer", value)


# Connecting.


async def test_an_unknown_database_is_a_matter_of_configuration(database):
    url = database.ingestd_url.replace(database.name, "nowhere")
    with pytest.raises(Misconfigured, match="nowhere"):
        await open_pool(Database(), url)


async def test_an_unknown_role_is_a_matter_of_configuration(database):
    url = database.url.replace("//postgres", "//nobody_here")
    with pytest.raises(Misconfigured, match="pg_hba"):
        await open_pool(Database(), url)


async def test_a_server_that_is_not_there_is_tried_again(tmp_path):
    with pytest.raises(TryAgain, match="cannot be reached"):
        await open_pool(Database(), f"postgresql://u:secret-word@/d?host={tmp_path}")


async def test_a_server_that_does_not_answer_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TryAgain, match="in time"):
            await open_pool(
                Database(connect_timeout=0.2), f"postgresql://u:secret-word@127.0.0.1:{port}/d"
            )


async def test_a_password_never_reaches_a_message():
    with pytest.raises(Misconfigured) as caught:
        await open_pool(Database(), "mysql://u:secret-word@127.0.0.1/d")
    assert "secret-word" not in str(caught.value)


# TLS.


async def test_a_certificate_authority_that_is_not_there_is_named():
    with pytest.raises(Misconfigured, match=r"database.ca_file.*/nowhere.pem"):
        await open_pool(Database(ca_file="/nowhere.pem"), "postgresql://u@db.example/d")


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only picks the address
        except OSError:
            pytest.skip("this machine has no address but loopback; run it where there is a network")
        address: str = probe.getsockname()[0]
        return address


async def test_a_remote_server_without_tls_is_refused_whatever_sslmode_says():
    for mode in ("disable", "prefer", "require"):
        async with _server(b"N") as port:
            url = f"postgresql://u:secret-word@{_own_address()}:{port}/d?sslmode={mode}"
            with pytest.raises(Misconfigured, match="TLS"):
                await open_pool(Database(), url)


async def test_a_remote_server_whose_certificate_nobody_vouches_for_is_refused(tmp_path):
    context = _self_signed(tmp_path)
    for ca_file in (None, str(tmp_path / "cert.pem")):  # unknown authority, wrong name
        async with _server(b"S", context) as port:
            url = f"postgresql://u:secret-word@{_own_address()}:{port}/d?sslmode=require"
            with pytest.raises(Misconfigured, match="verified by TLS") as caught:
                await open_pool(Database(ca_file=ca_file), url)
            assert "secret-word" not in str(caught.value)


def _self_signed(place) -> ssl.SSLContext:
    subject = ["-subj", "/CN=db.example", "-days", "2", "-nodes"]
    files = ["-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject, *files],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(place / "cert.pem", place / "key.pem")
    return context


@asynccontextmanager
async def _server(answer, context=None):
    """Answer one client's request for TLS, at an address that is not loopback.

    In a thread: a handshake that the client breaks off leaves asyncio's server waiting.
    """

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            link.settimeout(10)
            link.recv(8)
            link.sendall(answer)
            with suppress(ssl.SSLError, ConnectionError):
                if context is None:
                    link.recv(1)
                else:
                    context.wrap_socket(link, server_side=True).close()

    with socket.create_server((_own_address(), 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        await asyncio.to_thread(thread.join)  # the client closes in the loop's next turn


async def test_a_triggers_veto_is_for_the_rows_and_no_reason_to_wait(pool):
    veto = "DO $$ BEGIN RAISE EXCEPTION 'not on my lot'; END $$"
    with pytest.raises(ReadFailed, match="not on my lot"):
        await _run(pool, veto)


async def test_a_policys_veto_is_for_the_rows_too(pool):
    veto = (
        "DO $$ BEGIN RAISE EXCEPTION 'new row violates row-level security policy'"
        " USING ERRCODE = '42501'; END $$"
    )
    with pytest.raises(ReadFailed, match=r"target\.settings"):
        await _run(pool, veto)


async def test_a_message_names_the_constraint_and_shows_no_row(pool):
    wrong = "INSERT INTO ingest.leases (name, owner, lease_until) VALUES ('canary', NULL, now())"
    with pytest.raises(ReadFailed) as caught:
        await _run(pool, wrong)

    assert "canary" not in str(caught.value)


async def test_a_server_that_is_away_is_named(database):
    with pytest.raises(TryAgain, match=r"at 127\.0\.0\.1:1: .*is it running"):
        await open_pool(Database(), "postgresql://u:hush@127.0.0.1:1/d")
