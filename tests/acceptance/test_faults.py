"""What goes wrong around the daemon is waited out; what a file does to a parser has an end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ingestd.store import embedded
from tests.acceptance.lots import lot
from tests.acceptance.running import COMMAND, Daemon, command, ending, wait_for

SERVER = """
import signal, sys
from ingestd.store import embedded
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with embedded.start(sys.argv[1], embedded.Options(fast=True)) as server:
    print(server.url, flush=True)
    signal.pause()
"""


class Server:
    """A PostgreSQL of its own, which may go and come back."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = ""

    def start(self) -> "Server":
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, self.home / "pg"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url
        return self

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def as_ingestd(url: str) -> str:
    return url.replace("postgres@", "ingestd@")


def ready_server(home: Path) -> Server:
    server = Server(home).start()
    apply = [str(COMMAND), "schema", "apply", "--url", server.url]
    subprocess.run(apply, check=True, capture_output=True, cwd=home)
    environ = {**os.environ, "DATABASE_URL": server.url}
    add = [str(COMMAND), "dealerships", "add", "Invented Motors"]
    subprocess.run(add, check=True, capture_output=True, cwd=home, env=environ)
    return server


def test_a_database_that_goes_away_is_waited_for_and_nothing_is_lost(home):
    server = ready_server(home)
    with ending(Daemon(home, as_ingestd(server.url))) as daemon:
        daemon.start()
        daemon.drop("before.tsv", lot(5))
        daemon.receipt("before.tsv")
        server.stop()
        wait_for(lambda: daemon.get("/readyz")[0] == 503, "not ready")
        daemon.drop("during.tsv", lot(5, first=100))
        assert daemon.get("/livez")[0] == 200
        server.start()
        receipt = daemon.receipt("during.tsv", within=120)
        server_stopped = server.stop

        assert receipt["counts"]["added"] == 5
        assert daemon.end() == 0
    server_stopped()


def test_a_daemon_waits_for_a_database_that_is_not_there_yet(home):
    server = ready_server(home)
    server.stop()
    with ending(Daemon(home, as_ingestd(server.url))) as daemon:
        daemon.drop("lot.tsv", lot(5))
        daemon.start(ready=False)
        wait_for(lambda: "store.waits" in daemon.log(), "a word about the database")
        server.start()

        assert daemon.receipt("lot.tsv", within=120)["counts"]["added"] == 5
    server.stop()


def test_a_daemon_that_waits_for_its_database_can_be_stopped(home):
    with ending(Daemon(home, "postgresql://ingestd@127.0.0.1:1/rylie")) as daemon:
        daemon.start(ready=False)
        wait_for(lambda: "store.waits" in daemon.log(), "a word about the database")

        assert daemon.end(signal.SIGINT, within=5) == 0


async def test_a_file_that_fails_three_times_is_set_aside_and_the_others_go_on(daemon, ask):
    daemon.more = '[workers]\nprocesses = 1\nmemory = "300MiB"'
    daemon.start()
    daemon.drop("bomb.zip", b"PK\x03\x04" + bytes(350 << 20))
    daemon.drop("good.tsv", lot(5))
    good = daemon.receipt("good.tsv")
    receipt = daemon.receipt("bomb.zip", within=120)

    assert good["counts"]["added"] == 5
    assert receipt["outcome"] == "failed"
    assert "3 times" in receipt["message"]
    (row,) = await ask("SELECT state, attempts FROM ingest.deliveries WHERE name = 'bomb.zip'")
    assert (row["state"], row["attempts"]) == ("quarantined", 3)


async def test_a_second_daemon_on_one_state_directory_is_refused(daemon, ask):
    daemon.start()
    done = command(daemon, "run")

    assert done.returncode == 78
    assert "in use by another ingestd" in done.stderr


async def test_a_hand_import_that_fails_is_closed_and_nobody_does_it_later(daemon, ask):
    daemon.more = '[workers]\nprocesses = 1\nmemory = "300MiB"'
    daemon.write_config()
    bomb = daemon.home / "bomb.zip"
    bomb.write_bytes(b"PK\x03\x04" + bytes(350 << 20))
    done = command(daemon, "import", bomb, "--feed", "lot", "--json")
    rows = await ask("SELECT state, outcome, settled_at FROM ingest.deliveries")

    assert done.returncode == 70
    assert "workers.memory" in done.stdout
    assert [(r["state"], r["outcome"]) for r in rows] == [("quarantined", "failed")]
    assert rows[0]["settled_at"] is not None


async def test_folders_on_wrong_ground_stop_the_start_with_the_cure(daemon, ask):
    (daemon.drop_dir / "incoming").mkdir(parents=True)
    (daemon.drop_dir / "working").write_text("in the way")
    done = command(daemon, "run")
    if not daemon.config.exists():
        daemon.write_config()
        done = command(daemon, "run")

    assert done.returncode == 78
    assert str(daemon.drop_dir / "working") in done.stderr


def test_the_trial_runs_on_a_database_of_its_own_and_keeps_its_data(home):
    with ending(Daemon(home / "var", "")) as daemon:
        first = ran_once(daemon)
        second = ran_once(daemon)

    assert "198 added" in first
    assert "198 unchanged" in second
    assert embedded.find(home / "var") is None


def ran_once(daemon: Daemon) -> str:
    """Run the trial until the sample is in; give what it printed since."""
    daemon.home.mkdir(exist_ok=True)
    log = daemon.home / "log"
    begin = len(daemon.log()) if log.exists() else 0
    start_the_trial(daemon)
    assert daemon.get("/readyz")[0] == 200
    outcome = "unchanged" if begin else "added"
    counted = f'ingestd_rows_total{{feed="sample",outcome="{outcome}"}} 198.0'
    wait_for(lambda: counted in daemon.get("/metrics")[1], "the sample's rows are counted")
    assert daemon.end(signal.SIGINT, within=5) == 0
    return daemon.log()[begin:]


def start_the_trial(daemon: Daemon) -> None:
    """Start the trial, and wait until it has said how to use it."""
    log = daemon.home / "log"
    begin = len(daemon.log()) if log.exists() else 0
    with log.open("ab") as out:
        daemon.process = subprocess.Popen(
            [COMMAND, "run", "--sample", daemon.home],
            env={**daemon.environ, "INGESTD_HTTP__LISTEN": f"127.0.0.1:{daemon.port}"},
            stdout=out,
            stderr=out,
        )
    wait_for(lambda: "Ctrl-C ends it" in daemon.log()[begin:], "the guide")


def test_no_postgres_is_left_behind_when_the_trial_is_killed(home):
    with ending(Daemon(home / "var", "")) as daemon:
        ran_once(daemon)
        start_the_trial(daemon)
        assert embedded.find(home / "var") is not None
        daemon.kill()

    wait_for(lambda: embedded.find(home / "var") is None, "the server's end", within=15)


def test_a_second_trial_in_one_place_is_refused_and_does_not_wait_for_the_database(home):
    with ending(Daemon(home / "var", "")) as daemon:
        daemon.home.mkdir()
        start_the_trial(daemon)
        second = subprocess.run(
            [COMMAND, "run", "--sample", daemon.home],
            env=daemon.environ,
            capture_output=True,
            text=True,
            timeout=20,  # the database would be waited for for minutes
            check=False,
        )

    assert second.returncode == 78
    assert "in use by another ingestd" in second.stderr
