"""SIGKILL at any moment of an import, and a restart: one place, one import, never half of it."""

import asyncio
import time

import asyncpg
import pytest

from tests.acceptance.lots import lot, vin
from tests.acceptance.running import wait_for

ROWS = 400
#: Milliseconds after the drop, spread over all that happens to a file of this size.
MOMENTS = (0, 300, 550, 600, 625, 650, 675, 700, 725, 750, 800, 850, 900, 1000)


async def settled(daemon, ask):
    """Wait until the ledger owes nothing, and give all places where the file lies."""

    def places():
        return [
            path.relative_to(daemon.drop_dir)
            for path in daemon.drop_dir.rglob("*lot.tsv")
            if path.is_file()
        ]

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        owed = await ask("SELECT 1 FROM ingest.deliveries WHERE settled_at IS NULL")
        taken = await ask("SELECT 1 FROM ingest.deliveries")
        if taken and not owed and all(p.parts[0] == "imported" for p in places()):
            return places()
        await asyncio.sleep(0.02)
    raise AssertionError((places(), daemon.log()[-3000:]))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_kill_loses_and_doubles_nothing(daemon, ask, moment):
    daemon.start()
    dropped_at = time.monotonic()
    daemon.drop("lot.tsv", lot(ROWS))
    await asyncio.sleep(max(0, dropped_at + moment / 1000 - time.monotonic()))
    daemon.kill()

    assert (await ask("SELECT count(*) FROM vehicles"))[0]["count"] in (0, ROWS)
    daemon.start()
    (place,) = await settled(daemon, ask)
    imports = await ask("SELECT outcome, added FROM ingest.imports")

    assert place.parts[0] == "imported"
    assert [(r["outcome"], r["added"]) for r in imports] == [("imported", ROWS)]
    assert (await ask("SELECT count(*) FROM vehicles"))[0]["count"] == ROWS
    assert daemon.receipt("lot.tsv")["counts"]["added"] == ROWS
    assert len(daemon.receipts("lot.tsv")) == 1


async def test_a_reader_never_sees_half_an_import(daemon, ask, database):
    daemon.start()
    daemon.drop("lot.tsv", lot(ROWS))
    daemon.receipt("lot.tsv")
    connection = await asyncpg.connect(database.url)
    seen = set()
    try:
        daemon.drop("lot.tsv", lot(ROWS, changed={n: 8_000 + n for n in range(1, ROWS + 1)}))
        while len(daemon.receipts("lot.tsv")) < 2:
            seen.add(await connection.fetchval("SELECT count(*) FROM vehicles WHERE price < 9000"))
    finally:
        await connection.close()

    assert seen <= {0, ROWS}


async def test_two_daemons_share_a_folder_and_the_second_takes_over(daemon, ask):
    daemon.start()
    second = type(daemon)(daemon.home, daemon.url, port=daemon.port + 1)
    text = daemon.config.read_text().replace(f":{daemon.port}", f":{second.port}")
    other = daemon.home / "second"
    other.mkdir()
    second = type(daemon)(other, daemon.url, port=second.port)
    second.config.write_text(text.replace(f"{daemon.home}/state", f"{other}/state"))
    second.start(ready=False)
    try:
        daemon.drop("lot.tsv", lot(5))
        daemon.receipt("lot.tsv")
        assert daemon.end() == 0
        daemon.drop("more.tsv", lot(5, first=100))
        receipt = daemon.receipt("more.tsv")
    finally:
        second.kill()

    assert receipt["counts"]["added"] == 5
    assert vin(100) in {r["vin"] for r in await ask("SELECT vin FROM vehicles")}
    wait_for(lambda: not list(daemon.drop_dir.glob("incoming/lot/*")), "an empty incoming")
