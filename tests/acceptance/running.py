"""The installed command as a child process, and what a person sees of it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
COMMAND = Path(sys.executable).with_name("ingestd")
WITHIN = 60.0


def wait_for(condition: Callable[[], T | None], what: str, within: float = WITHIN) -> T:
    """Look again and again until ``condition`` gives something; fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    msg = f"not within {within:g} s: {what}"
    raise AssertionError(msg)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Daemon:
    """``ingestd run`` on a state directory, a drop folder and a database of its own."""

    home: Path
    url: str
    feeds: Mapping[str, str] = field(default_factory=lambda: {"lot": ""})
    more: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def drop_dir(self) -> Path:
        return self.home / "drop"

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    def write_config(self, *, dealership: int = 1) -> None:
        text = (
            f'state_dir = "{self.home}/state"\n[http]\nlisten = "127.0.0.1:{self.port}"\n'
            f'[log]\nlevel = "debug"\n{self.more}\n'
            f'[[folder]]\nname = "drop"\npath = "{self.drop_dir}"\nstable_for = "2s"\n'
        )
        for name, options in self.feeds.items():
            text += (
                f'[[feed]]\nname = "{name}"\ndealership = {dealership}\nmode = "full"\n{options}\n'
            )
        self.config.write_text(text)

    @property
    def environ(self) -> dict[str, str]:
        ours = ("PG", "INGESTD", "COLUMNS")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {**kept, "DATABASE_URL": self.url}

    def start(self, *, ready: bool = True, **environ: str) -> "Daemon":
        if not self.config.exists():
            self.write_config()
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            [COMMAND, "run", "--config", self.config],
            env={**self.environ, **environ},
            stdout=log,
            stderr=log,
            cwd=self.home,
        )
        log.close()
        if ready:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        def answer() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            return self.get("/readyz")[0] == 200

        wait_for(answer, "ready")

    def get(self, path: str) -> tuple[int, str]:
        """Ask the daemon's HTTP server; (0, "") while it does not listen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def drop(self, name: str, content: bytes, feed: str | None = "lot") -> Path:
        """Drop a file as a good citizen does: under another name first."""
        place = self.drop_dir / "incoming" / (feed or "")
        place.mkdir(parents=True, exist_ok=True)
        draft = place / f".{name}.part"
        draft.write_bytes(content)
        draft.rename(place / name)
        return place / name

    def receipts(self, name: str) -> list[Path]:
        stem = Path(name).stem
        return sorted(self.drop_dir.glob(f"[ihr]*/*-{stem}.report.json"))

    def receipt(self, name: str, nth: int = 1, within: float = WITHIN) -> dict[str, Any]:
        """Wait for the n-th receipt of files of this name, and for the file beside it."""

        def answered() -> Path | None:
            found = self.receipts(name)
            return found[nth - 1] if len(found) >= nth else None

        found = wait_for(answered, f"receipt {nth} of {name}\n{self.log()[-3000:]}", within)
        suffix = Path(name).suffix
        file = found.with_name(found.name.removesuffix(".report.json") + suffix)
        wait_for(file.exists, f"{file} beside its receipt")
        value: dict[str, Any] = json.loads(found.read_text())
        return value

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 30.0) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(within)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def ending(daemon: Daemon) -> Iterator[Daemon]:
    """Make sure that the process is gone afterwards."""
    try:
        yield daemon
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.kill()


def command(daemon: Daemon, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``ingestd`` with the daemon's configuration and environment."""
    return subprocess.run(
        [COMMAND, *arguments],
        env={**daemon.environ, "INGESTD_CONFIG": str(daemon.config)},
        cwd=daemon.home,
        capture_output=True,
        text=True,
        check=False,
    )
