"""IMAP servers on loopback for tests: a real Dovecot, and pymap in the test's own process.

    with Dovecot(certificate) as server:                 async with pymap_server() as server:
        server.put(raw)                                      await server.append(raw)
        ... server.port / .tls_port ...                      ... server.port ...
        server.folder("alice")                               await server.folder("alice")

Dovecot: TLS from the start, STARTTLS and plain text, LMTP, users with passwords, XOAUTH2 and
OAUTHBEARER with tokens that it checks itself (``jwt``) or asks a URL about.  It runs as root
(then as nobody) and as anybody; all of it lies in one temporary directory.
pymap: pushes within milliseconds, but has no keywords, no SPECIAL-USE, no XOAUTH2.

Both answer when their context is entered, and leave nothing behind: every process is ended by
its pid or its group.  Ports lie outside the range that outgoing connections are given, so
that a server that is restarted finds its own free.
"""

import base64
import contextlib
import ctypes
import grp
import hashlib
import hmac
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.integration import maildirs
from tests.integration.certificates import Certificate
from tests.integration.dovecot_conf import CONF, TOKENS_ASKED_ABOUT, TOKENS_CHECKED_HERE
from tests.integration.maildirs import mutf7
from tests.integration.pymaps import USERS, Pymap, pymap_server

__all__ = ["USERS", "Dovecot", "Options", "Pymap", "free_port", "mutf7", "pymap_server"]

MISSING = (
    "dovecot is not installed: apt-get install -y --no-install-recommends"
    " dovecot-core dovecot-imapd dovecot-lmtpd"
)
_HOST, _WITHIN = "127.0.0.1", 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a Dovecot is to be.

    ``capability`` replaces what it announces after the login (``+X`` adds to it).
    ``introspect`` is the URL that is asked about tokens, instead of checking them here.
    ``extra`` is more text for its configuration file.
    """

    users: Mapping[str, str] = field(default_factory=lambda: USERS)
    idle_notify: str = "2 mins"
    capability: str | None = None
    introspect: str | None = None
    only_tls: bool = False
    separator: str = "/"
    extra: str = ""


def dovecot_program() -> str | None:
    """Give the program's path; None where it is not installed."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def dovecot_missing() -> str | None:
    """Say what this machine lacks to run a Dovecot of ours, if anything."""
    program = dovecot_program()
    if program is None:
        return MISSING
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if not done.stdout.startswith("2.3."):  # 2.4 has another configuration language
        return f"Dovecot 2.3 is needed (Debian 12 has it), not {done.stdout.strip()}"
    return None


def free_port() -> int:
    """Give a port of loopback that nobody listens on, below those of outgoing connections."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.randrange(15000, 32000)  # noqa: S311  no secret
            probe.bind((_HOST, port))
            return port


def until(found: Callable[[], Any], what: str, within: float = _WITHIN) -> Any:
    """Ask again and again, until the answer is true; give it."""
    end = time.monotonic() + within
    while not (answer := found()):
        assert time.monotonic() < end, f"{what}: not within {within:g} s"
        time.sleep(0.005)
    return answer


class Dovecot:
    """A Dovecot of our own; entering its context starts it, leaving stops and removes it."""

    host = "localhost"

    def __init__(self, certificate: Certificate, options: Options | None = None) -> None:
        self.options = options or Options()
        self.directory = Path(tempfile.mkdtemp(prefix="ingestd-", dir="/tmp"))
        self.port, self.tls_port, self.lmtp_port = (free_port() for _ in range(3))
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._key = secrets.token_bytes(32)
        self._write(certificate)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    # -- the server ------------------------------------------------------------------------

    def start(self) -> None:
        """Start it on its ports and wait until it greets."""
        program = dovecot_program()
        assert program, MISSING
        child = self._child() | {"start_new_session": True}
        if sys.platform == "linux":
            prctl = ctypes.CDLL(None).prctl
            # PR_SET_PDEATHSIG: CPython calls this after setuid, which would clear it
            child["preexec_fn"] = lambda: prctl(1, int(signal.SIGTERM), 0, 0, 0)
        with (self.directory / "stderr").open("ab") as said:
            self._process = subprocess.Popen(
                [program, "-F", "-c", self.directory / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                **child,
            )
        until(self._greets, "Dovecot greets")

    def stop(self) -> None:
        """End it and all its sessions, in order: clients read BYE."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all its processes at once, as a crash of the machine would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again on the same ports, with the mail that it has."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def sessions(self) -> list[int]:
        """Give the pids of the processes that serve those who are logged in, one for each."""
        return [pid for pid in self._children() if _command(pid) == "imap"]

    def drop(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """End the sessions; SIGKILL without a word, SIGTERM with BYE.

        After SIGKILL Dovecot takes no new login for some seconds: ``restart`` where one is needed.
        """
        ended = self.sessions()
        for pid in ended:
            os.kill(pid, sent)
        until(lambda: not set(ended) & set(self.sessions()), "the sessions end")

    def freeze(self, *, everything: bool = False) -> None:
        """Stop the sessions' processes (SIGSTOP): they stay connected and say nothing.

        With ``everything`` nobody greets new connections either.
        """
        for pid in self._group() if everything else self.sessions():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let everything that was frozen go on."""
        for pid in self._group():
            os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Give what it has logged."""
        return "".join(
            file.read_text(errors="replace")
            for file in (self.directory / "stderr", self.directory / "log")
            if file.exists()
        )

    def doveadm(self, *arguments: str) -> str:
        """Run ``doveadm`` on it; give what it prints."""
        done = subprocess.run(
            ["doveadm", "-c", self.directory / "dovecot.conf", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_WITHIN,
            **self._child(),
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    # -- mail ------------------------------------------------------------------------------

    def deliver(self, raw: bytes, user: str = "alice") -> None:
        """Deliver by LMTP, as a mail server does: lines of its own come before the others."""
        with smtplib.LMTP(_HOST, self.lmtp_port) as lmtp:
            assert not lmtp.sendmail("sender@dealer.example", [user], raw)

    def put(
        self,
        raw: bytes,
        user: str = "alice",
        name: str = "INBOX",
        received: datetime | None = None,
    ) -> None:
        """Put a message into a folder as it is; ``received`` becomes its INTERNALDATE."""
        place = self.maildir(user, name)
        if not place.exists():
            self.doveadm("mailbox", "create", "-u", user, name)
        file = f"{time.time_ns()}.{secrets.token_hex(4)}.localhost"
        draft = place / "tmp" / file
        draft.write_bytes(raw)
        if received is not None:
            os.utime(draft, (received.timestamp(), received.timestamp()))
        self._own(draft)
        draft.rename(place / "new" / file)

    def folder(self, user: str, name: str = "INBOX") -> list[bytes]:
        """Give the messages of a folder as they lie there, in the order of their UIDs."""
        return maildirs.messages(self.maildir(user, name))

    def uids(self, user: str, name: str = "INBOX") -> list[int]:
        """Give the UIDs that a folder's messages have been given so far."""
        return maildirs.uids(self.maildir(user, name))

    def flags(self, user: str, name: str = "INBOX") -> list[set[str]]:
        r"""Give the flags (``\Seen`` …) and keywords of a folder's messages, as ``folder``."""
        return maildirs.flags(self.maildir(user, name))

    def folders(self, user: str) -> set[str]:
        """Give the names of a user's folders."""
        return set(self.doveadm("mailbox", "list", "-u", user).splitlines())

    def reset_uidvalidity(self, user: str = "alice", name: str = "INBOX") -> int:
        """Give a folder another UIDVALIDITY, as a restored backup has; give it."""
        asked = ("-u", user, name)
        before = self.doveadm("-f", "tab", "mailbox", "status", "uidvalidity", *asked)
        after = int(before.split()[-1]) + 1
        self.doveadm("mailbox", "update", "--uid-validity", str(after), *asked)
        return after

    def maildir(self, user: str, name: str = "INBOX") -> Path:
        """Give the directory of a folder."""
        root = self.directory / "mail" / user / "Maildir"
        if name.upper() == "INBOX":
            return root
        return root / f".{maildirs.mutf7(name.replace(self.options.separator, '.'))}"

    def jwt(self, sub: str = "alice", ttl: float = 300.0) -> str:
        """Give an access token of ``sub`` that is good for ``ttl`` seconds from now on."""
        now = int(time.time())
        head = _url64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        claims = {"sub": sub, "iat": now - 600, "nbf": now - 600, "exp": int(now + ttl)}
        signed = f"{head}.{_url64(json.dumps(claims).encode())}"
        return f"{signed}.{_url64(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    # -- within ----------------------------------------------------------------------------

    def _write(self, certificate: Certificate) -> None:
        d, options = self.directory, self.options
        account = self._account or pwd.getpwuid(os.geteuid())
        for name in ("run", "state", "keys/default/HS256"):
            (d / name).mkdir(parents=True)
        for user in options.users:
            for part in ("tmp", "new", "cur"):
                (d / "mail" / user / "Maildir" / part).mkdir(parents=True)
        shutil.copyfile(certificate.chain, d / "chain.pem")
        shutil.copyfile(certificate.key, d / "key.pem")
        (d / "keys/default/HS256/default").write_bytes(base64.b64encode(self._key))
        passwords = (f"{user}:{{PLAIN}}{word}\n" for user, word in options.users.items())
        (d / "passwd").write_text("".join(passwords))
        tokens = TOKENS_ASKED_ABOUT if options.introspect else TOKENS_CHECKED_HERE
        (d / "oauth2.conf").write_text(tokens.format(d=d, url=options.introspect))
        extra = f"imap_capability = {options.capability}\n" if options.capability else ""
        configuration = CONF.format(
            d=d,
            user=account.pw_name,
            group=grp.getgrgid(account.pw_gid).gr_name,
            uid=account.pw_uid,
            gid=account.pw_gid,
            imap=self.port,
            imaps=self.tls_port,
            lmtp=self.lmtp_port,
            idle_notify=options.idle_notify,
            separator=options.separator,
            only_tls="yes" if options.only_tls else "no",
            extra=extra + options.extra,
        )
        (d / "dovecot.conf").write_text(configuration)
        self._own(d, *d.rglob("*"))

    def _own(self, *made: Path) -> None:
        if self._account:
            for path in made:
                os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _child(self) -> dict[str, Any]:
        """Arguments for the processes: unprivileged, wherever they are."""
        account = self._account
        if account is None:
            return {"cwd": "/"}
        return {
            "cwd": "/",
            "user": account.pw_uid,
            "group": account.pw_gid,
            "extra_groups": [],
        }

    def _greets(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(self.log())
        with contextlib.suppress(OSError), socket.create_connection((_HOST, self.port), 1) as peer:
            return peer.recv(4) == b"* OK"
        return False

    def _end(self, sent: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Not reaped before the group is gone, so that the group's number stays ours.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, sent)
        with contextlib.suppress(AssertionError):
            until(lambda: not _living(process.pid), "Dovecot ends", 5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_WITHIN)

    def _group(self) -> list[int]:
        assert self._process is not None
        return _living(self._process.pid)

    def _children(self) -> list[int]:
        return [pid for pid in self._group() if self._process and pid != self._process.pid]


def _living(group: int) -> list[int]:
    """Give the pids of a process group, those left out that only wait to be reaped."""
    return [pid for pid, pgid, state in _processes() if pgid == group and state != "Z"]


def _processes() -> Iterator[tuple[int, int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield int(entry.name), int(words[2]), words[0]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
