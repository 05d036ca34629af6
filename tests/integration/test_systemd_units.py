"""The units are sound, as tight as we say, and leave the daemon what it needs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import sandbox

ROOT = Path(__file__).parent.parent.parent
SERVICE = ROOT / "systemd" / "ingestd.service"
SYSUSERS = ROOT / "systemd" / "sysusers.d" / "ingestd.conf"
TMPFILES = ROOT / "systemd" / "tmpfiles.d" / "ingestd.conf"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: apt-get install systemd")
    return subprocess.run(command, capture_output=True, text=True, check=False)


def one(name: str) -> str:
    (value,) = sandbox.setting(SERVICE.read_text(), name)
    return value


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path):
    """It exits with 0 even on an unknown key, so that silence is what counts."""
    copy = tmp_path / "ingestd.service"
    copy.write_text(SERVICE.read_text().replace("/opt/ingestd/bin/ingestd", sys.executable))
    done = run("systemd-analyze", "verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_complaint_would_be_seen(tmp_path: Path):
    copy = tmp_path / "ingestd.service"
    text = SERVICE.read_text().replace("/opt/ingestd/bin/ingestd", sys.executable)
    copy.write_text(text.replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in run("systemd-analyze", "verify", "--man=no", str(copy)).stderr


def test_its_exposure_is_at_most_one_and_a_half():
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", str(SERVICE))
    assert done.returncode == 0, done.stdout
    found = re.search(r"Overall exposure level for ingestd\.service: ([\d.]+) OK", done.stdout)
    assert found is not None
    assert float(found[1]) <= 1.2
    assert f"gives {found[1]} " in (ROOT / "docs" / "systemd.md").read_text()


def test_what_is_left_open_is_what_a_daemon_on_the_network_needs():
    command = ("systemd-analyze", "security", "--offline=true", "--json=short", str(SERVICE))
    found = json.loads(run(*command).stdout)
    open_ = {item["json_field"] for item in found if item["set"] is False}
    assert open_ <= {
        "RootDirectoryOrRootImage",
        "RestrictAddressFamilies_AF_UNIX",
        "RestrictAddressFamilies_AF_INET_INET6",
        "PrivateNetwork",
        "DeviceAllow",
        "IPAddressDeny",
        "UMask",
    }


def test_what_only_a_person_can_mend_is_not_restarted_and_the_rest_is_for_ever():
    assert one("RestartPreventExitStatus").split() == ["64", "77", "78"]
    assert one("Restart") == "on-failure"
    assert one("StartLimitIntervalSec") == "0"


def test_the_secret_comes_as_a_credential_that_the_documented_configuration_reads():
    name, _, path = one("LoadCredential").partition(":")
    page = (ROOT / "docs" / "systemd.md").read_text()
    assert f'url = {{ credential = "{name}" }}' in page
    assert path in page


def test_the_page_of_docs_installs_the_files_that_there_are():
    page = (ROOT / "docs" / "systemd.md").read_text()
    for file in (SERVICE, SYSUSERS, TMPFILES):
        assert file.exists()
        assert f" {file.relative_to(ROOT)} " in page
    assert one("ExecStart").split()[0].startswith("/opt/ingestd/bin/")
    assert "python3 -m venv /opt/ingestd\n" in page


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root directory of its own, with our user in it."""
    if os.geteuid():
        pytest.skip("making users and folders needs root: run the tests as root")
    for name in ("etc", "srv", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    done = run("systemd-sysusers", f"--root={tmp_path}", str(SYSUSERS))
    assert done.returncode == 0, done.stderr
    done = run("systemd-tmpfiles", "--create", f"--root={tmp_path}", str(TMPFILES))
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path


def test_the_user_cannot_log_in(machine: Path):
    (entry,) = (machine / "etc" / "passwd").read_text().splitlines()
    name, *_, home, shell = entry.split(":")
    assert (name, home) == ("ingestd", "/var/lib/ingestd")
    assert shell.endswith("nologin")


def test_the_group_can_drop_files_and_nobody_can_read_the_secrets(machine: Path):
    owner = int((machine / "etc" / "passwd").read_text().split(":")[2])
    found = {
        str(path.relative_to(machine)): (oct(path.stat().st_mode & 0o7777), path.stat().st_uid)
        for path in machine.rglob("*")
        if path.is_dir() and "ingestd" in str(path.relative_to(machine))
    }
    assert found == {
        "srv/ingestd": ("0o750", owner),
        "srv/ingestd/drop": ("0o2770", owner),
        "srv/ingestd/drop/incoming": ("0o2770", owner),
        "etc/ingestd": ("0o750", 0),
        "etc/ingestd/credentials": ("0o700", 0),
    }


NEEDED = """
import asyncio, ctypes, fcntl, mmap, os, resource, signal, socket, subprocess, sys, tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
libc = ctypes.CDLL(None, use_errno=True)

def limit():
    for option, value in ((PR_SET_PDEATHSIG, signal.SIGKILL), (PR_SET_DUMPABLE, 0)):
        assert libc.prctl(option, value, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

async def parser():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input())",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, preexec_fn=limit,
        start_new_session=True,
    )
    out, _ = await process.communicate(b"parsed\\n")
    assert (out, process.returncode) == (b"parsed\\n", 0), (out, process.returncode)

async def served():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    writer.close()
    server.close()

def durable(directory):
    path = os.path.join(directory, "spooled")
    with open(path, "wb") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mapped = mmap.mmap(os.open(path, os.O_RDWR), 4096)
        mapped.close()
    os.rename(path, path + ".done")
    os.link(path + ".done", path)
    os.chmod(path, 0o640)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    os.utime(path)

async def watched(directory):
    import watchfiles
    seen = asyncio.Event()
    async def watch():
        async for _ in watchfiles.awatch(directory, stop_event=seen, step=10, debounce=20):
            seen.set()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(watch())
        while not seen.is_set():
            open(os.path.join(directory, "dropped"), "a").close()
            os.utime(os.path.join(directory, "dropped"))
            await asyncio.sleep(0.02)

subprocess.run(["/bin/true"], check=True)
with tempfile.TemporaryDirectory() as directory:
    durable(directory)
    asyncio.run(parser())
    asyncio.run(served())
    asyncio.run(watched(directory))
threading.Thread(target=lambda: None).start()
for method in ("spawn", "forkserver"):
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(abs, -1).result() == 1
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK).close()
import asyncpg, aiohttp, pydantic, structlog, prometheus_client
prometheus_client.generate_latest()
print("all of it works")
"""

DENIED = """
import errno, mmap, os
for attempt in (
    lambda: os.chown("/tmp", 0, 0),
    lambda: os.nice(1),
    lambda: os.sched_setaffinity(0, {0}),
    lambda: os.chroot("/"),
    lambda: os.setgroups([]),
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
):
    try:
        attempt()
    except OSError as error:
        assert error.errno in (errno.EPERM, errno.EACCES), error
    else:
        raise SystemExit("it was let through")
print("all of it is denied")
"""


def confined(program: str) -> subprocess.CompletedProcess[str]:
    lacking = sandbox.missing()
    if lacking is not None:
        pytest.skip(lacking)
    script = str(Path(sandbox.__file__))
    return run("env", sys.executable, script, str(SERVICE), sys.executable, "-c", program)


def test_the_parsers_the_spool_and_the_server_work_under_the_unit_s_system_calls():
    done = confined(NEEDED)
    assert (done.stdout, done.returncode) == ("all of it works\n", 0), done.stderr


def test_what_nobody_needs_is_denied_under_the_unit_s_system_calls():
    done = confined(DENIED)
    assert (done.stdout, done.returncode) == ("all of it is denied\n", 0), done.stderr
