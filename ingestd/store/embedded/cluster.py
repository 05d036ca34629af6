"""DOOR  Make a database cluster, start a server on it, see whether it answers, end it.

Rules:
  * A server runs in a bare environment: no PG* variable and no secret of ours reaches it.
  * postmaster.pid is the server's own word on where it listens; it is only read, never removed.
  * Works without /dev/shm, /proc, /etc/localtime and TZ.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ingestd.errors import TryAgain
from ingestd.store.embedded import programs
from ingestd.store.embedded.place import PORT, Home, open_private, socket_dir

#: The cluster's superuser, and the database made with the cluster.
SUPERUSER = "postgres"
DATABASE = "rylie"

_PROTOCOL = 196608  # 3.0
_READY_WITHIN = 300.0  # recovery after a power cut reads the whole log
_PATIENCE = 10.0
_POLL = 0.01
_LOG_KEPT = 10 << 20
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm may be missing, or too small
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # a statement that fails holds customers' data
    "cluster_name": "ingestd",
}
_FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def version(home: Home) -> str | None:
    """Give the major version that the cluster was made with, if there is one."""
    try:
        return (home.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return None


def make(home: Home, bin_dir: Path, *, fast: bool) -> None:
    """Run initdb beside the place and rename: a killed initdb leaves nothing that looks done.

    Raises:
        TryAgain: with what initdb said.
    """
    for left in home.path.glob("new-*"):
        shutil.rmtree(left)
    new = home.path / f"new-{os.getpid()}"
    options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--data-checksums"]
    options += ["--no-instructions", *(["--no-sync"] if fast else [])]
    _run(home, [str(bin_dir / "initdb"), "-D", str(new), *options], b"")
    single = [str(bin_dir / "postgres"), "--single", "-D", str(new), *_switches(_SETTINGS)]
    single += ["postgres"]
    said = _run(home, single, f"CREATE DATABASE {DATABASE};\n".encode())
    if "ERROR" in said:  # single-user mode ends well all the same
        raise TryAgain(f"could not create database {DATABASE}:\n{said}")
    new.rename(home.data)


def launch(home: Home, bin_dir: Path, *, fast: bool) -> "subprocess.Popen[Any]":
    """Start the server; it may not answer yet."""
    directory = str(socket_dir(home)).replace('"', '""')
    settings = _SETTINGS | {"unix_socket_directories": f'"{directory}"'}
    if home.log.exists() and home.log.stat().st_size > _LOG_KEPT:
        home.log.replace(home.log.with_suffix(".1"))
    settings |= _FAST_SETTINGS if fast else {}
    child = _child(home, bin_dir, signal.SIGINT)
    child["env"] |= _ignoring_left_over(home)
    with open_private(home, "log") as log:
        return subprocess.Popen(  # noqa: S603  our own arguments
            [str(bin_dir / "postgres"), "-D", str(home.data), *_switches(settings)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # else Ctrl-C in the terminal ends it before us
            **child,
        )


def await_ready(home: Home, process: "subprocess.Popen[Any]") -> str:
    """Wait until the server answers, and give its URL.

    Raises:
        TryAgain: with the end of the server's log.
    """
    deadline = time.monotonic() + _READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if _pid_file(home)[:1] == [str(process.pid)]:
            url = answering(home)
            if url is not None:
                return url
        time.sleep(_POLL)
    tail = home.log.read_bytes()[-2000:].decode(errors="replace").strip()
    raise TryAgain(
        f"the embedded PostgreSQL in {home.path} did not start; the end of {home.log}:\n{tail}"
    )


def answering(home: Home) -> str | None:
    """Give the URL of the server on this home if it lets us in."""
    lines = _pid_file(home)
    if len(lines) < 5:  # noqa: PLR2004  up to the socket directory
        return None
    packet = b"user\0%b\0database\0postgres\0\0" % SUPERUSER.encode()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PATIENCE)
            client.connect(f"{lines[4]}/.s.PGSQL.{lines[3]}")
            client.sendall(struct.pack("!ii", len(packet) + 8, _PROTOCOL) + packet)
            if client.recv(1) != b"R":  # else an error: starting up, shutting down
                return None
            client.sendall(b"X\0\0\0\4")
    except OSError:
        return None
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(lines[4], safe='/')}"


def stop(process: "subprocess.Popen[Any]") -> None:
    """Shut down fast; what takes longer than ten seconds ends at once, and recovers later."""
    for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            return


def end_orphan(home: Home) -> None:
    """End a server whose owner is gone: we hold the lock, so nobody needs it."""
    for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        pid = _server_pid(home)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ending)
        deadline = time.monotonic() + _PATIENCE
        while _server_pid(home) is not None and time.monotonic() < deadline:
            time.sleep(_POLL)


def _switches(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _run(home: Home, command: Sequence[str], given: bytes) -> str:
    child = _child(home, Path(command[0]).parent, signal.SIGKILL)
    done = subprocess.run(  # noqa: S603  our own arguments
        command,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **child,
    )
    said = str(done.stdout[-2000:], errors="replace").strip()
    if done.returncode:
        raise TryAgain(f"{command[0]} failed (status {done.returncode}):\n{said}")
    return said


def _child(home: Home, bin_dir: Path, at_our_end: signal.Signals) -> dict[str, Any]:
    """Arguments for Popen: bound to this thread's life, unprivileged, in a bare environment."""
    if threading.current_thread() is not threading.main_thread():
        message = "start the embedded PostgreSQL from the main thread: it ends with its thread"
        raise RuntimeError(message)
    environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)}
    libraries = [*programs.libraries(bin_dir), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    if libraries:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    child: dict[str, Any] = {"env": environment, "cwd": "/"}
    if sys.platform == "linux":
        child["preexec_fn"] = _bound_to_us(at_our_end)
    if home.account is not None:
        child |= {"user": home.account.uid, "group": home.account.gid, "extra_groups": []}
    return child


def _bound_to_us(at_our_end: signal.Signals) -> Callable[[], None]:
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        # CPython calls this after setuid, which would have cleared the setting.
        prctl(1, int(at_our_end), 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # we were killed before it was set
            os._exit(1)

    return bind


def _pid_file(home: Home) -> list[str]:
    """Lines of postmaster.pid: pid, data, start, port, socket directory, and so on."""
    try:
        text = (home.data / "postmaster.pid").read_text()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [line.strip() for line in text.splitlines()]


def _server_pid(home: Home) -> int | None:
    """Give the pid of the server that runs on this home, if one does."""
    lines = _pid_file(home)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    if sys.platform != "linux":
        return pid if answering(home) else None
    try:  # a server's working directory is its data
        return pid if Path(f"/proc/{pid}/cwd").samefile(home.data) else None
    except OSError:
        return None


def _ignoring_left_over(home: Home) -> dict[str, str]:
    """Make the server ignore a left-over pid that by now belongs to another process.

    PostgreSQL takes its parent's and grandparent's pid in postmaster.pid for left-overs; told so,
    it still checks that nobody uses the old server's shared memory.
    """
    lines = _pid_file(home)
    left_over = bool(lines) and lines[0].isdigit() and _server_pid(home) is None
    return {"PG_GRANDPARENT_PID": lines[0]} if left_over else {}
