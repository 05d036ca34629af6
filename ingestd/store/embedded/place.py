"""DOOR  Where the embedded PostgreSQL lies, and as whom it runs.

Rules:
  * It lies in ``<state_dir>/postgres``, which only the server's user (and root) may enter.
  * PostgreSQL refuses to be root.  A root process drops to the owner of the data or of the state
    directory, else to ``postgres`` or ``nobody``.
  * Where that user cannot enter the state directory, it lies below the system directory, in a
    place derived from the state directory's path.  Data that exist are never left for new ones.
"""

import contextlib
import errno
import hashlib
import os
import pwd
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingestd.errors import Fault, Misconfigured

#: Where a root process keeps what an unprivileged user could not reach otherwise.
SYSTEM_DIR = Path("/var/lib/ingestd/embedded")
#: Names the socket only: nothing listens on TCP.
PORT = 5432

#: sockaddr_un's path less its NUL, and less the socket's name.
_SOCKET_DIR_BYTES = (107 if sys.platform == "linux" else 103) - len(f"/.s.PGSQL.{PORT}")
#: File in a state directory whose word names the home outside of it.
_WORD = "embedded-home"
_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server runs as, where that is not ourselves."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """The directory that holds ``lock``, ``users``, ``log`` and ``data``, and whose it is."""

    path: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The cluster; it exists only when it is whole."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "log"


def possible(state_dir: Path, system_dir: Path) -> tuple[Home, ...]:
    """Give the homes in which a server of ``state_dir`` may run.  Change nothing."""
    state_dir = state_dir.resolve()
    usual = Home(state_dir / "postgres", None)
    if os.geteuid() != 0:
        return (usual,)
    return (usual, Home(_system_home(state_dir, system_dir), None))


def enter(state_dir: Path, system_dir: Path) -> Home:
    """Make the directory that holds it all, reachable for the server's user and nobody else.

    Raises:
        Misconfigured: the directory is another user's, or the server's user cannot reach it.
    """
    state_dir = state_dir.resolve()
    path = state_dir / "postgres"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        home = _home(state_dir, system_dir)
        path = home.path
        make_passable(path.parent)
        _make_private(path, home.account)
    except OSError as error:
        raise _not_ours(path, error) from None
    if home.account is not None:
        _must_enter(home.account, path)
    return home


def open_private(home: Home, name: str) -> IO[str]:
    """Open a file of the home for reading and appending, as the server's user's own.

    Raises:
        Misconfigured: it is another user's.
    """
    path = home.path / name
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        opened = os.open(path, flags, 0o600)
    except OSError as error:
        raise _not_ours(path, error) from None
    try:
        _hand_over(opened, home.account)
    except OSError as error:
        os.close(opened)
        raise _not_ours(path, error) from None
    return os.fdopen(opened, "a+")


def socket_dir(home: Home) -> Path:
    """Give the home, or a private short directory where its path is too long for a socket.

    Also where it has a comma, at which clients split a list of hosts.

    Raises:
        Misconfigured: another user has taken the short directory's name.
    """
    if len(os.fsencode(home.path)) <= _SOCKET_DIR_BYTES and "," not in str(home.path):
        return home.path
    owner = home.account.uid if home.account else os.geteuid()
    name = f"ingestd-{owner}-{hashlib.sha256(os.fsencode(home.path)).hexdigest()[:12]}"
    path = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(path)) > _SOCKET_DIR_BYTES:
        path = Path("/tmp") / name  # noqa: S108  made private, and checked below
    try:
        _make_private(path, home.account)
    except OSError as error:
        raise _not_ours(path, error) from None
    return path


def may(account: Account, path: Path, want: int) -> bool:
    """Say whether the account may pass all directories above ``path`` and has ``want`` on it."""
    path = path.resolve()
    above = all(_has(account, directory, 1) for directory in path.parents)
    return above and _has(account, path, want)


def make_passable(directory: Path) -> None:
    """Make the directory and those above it, passable for all whatever the umask; keep others'."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def _home(state_dir: Path, system_dir: Path) -> Home:
    usual = state_dir / "postgres"
    if os.geteuid() != 0:
        return Home(usual, None)
    _give_word(state_dir)
    system = _system_home(state_dir, system_dir)
    if (system / "data").exists():
        return Home(system, _account(system / "data"))
    account = _account(usual / "data", state_dir)
    if may(account, state_dir, 1):
        return Home(usual, account)
    if (usual / "data").exists():
        _must_enter(account, usual)
    return Home(system, account)


def _system_home(state_dir: Path, system_dir: Path) -> Path:
    """Name the home by a word in the state directory: one that was made anew begins anew."""
    try:
        word = (state_dir / _WORD).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        word = "none"
    return system_dir / f"{state_dir.name or 'root'}-{word}"


def _give_word(state_dir: Path) -> None:
    if not (state_dir / _WORD).exists():
        (state_dir / _WORD).write_text(secrets.token_hex(6), encoding="ascii")


def _account(*owned: Path) -> Account:
    """Give whom to drop to: who owns the first of ``owned`` that is not root's, or a stock user."""
    for path in owned:
        with contextlib.suppress(FileNotFoundError, KeyError):
            entry = pwd.getpwuid(path.stat().st_uid)
            if entry.pw_uid != 0:
                return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    message = (
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it"
        " as: create one (useradd --system postgres), or run ingestd as an ordinary user"
    )
    raise Misconfigured(Fault("database.embedded", message))


def _make_private(path: Path, account: Account | None) -> None:
    """Make a directory for the server's user alone, or make sure that it is one."""
    path.mkdir(mode=0o700, exist_ok=True)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _hand_over(directory, account)
        os.fchmod(directory, 0o700)
    finally:
        os.close(directory)


def _hand_over(opened: int, account: Account | None) -> None:
    """Give the server's user what is ours.

    By descriptor, opened without following links: in its own directory that user could put a
    link to any file, and a root process would give it that.
    """
    owner = os.fstat(opened).st_uid
    if owner not in (os.geteuid(), account.uid if account else os.geteuid()):
        raise PermissionError(errno.EPERM, f"it belongs to user {owner}")
    if account is not None:
        os.fchown(opened, account.uid, account.gid)


def _has(account: Account, path: Path, want: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return (status.st_mode >> shift) & want == want


def _must_enter(account: Account, home: Path) -> None:
    if not may(account, home, 1):
        message = (
            f"the embedded PostgreSQL lies in {home}, which user `{account.name}` cannot enter:"
            " let others pass the directories above it (chmod o+x)"
        )
        raise Misconfigured(Fault("database.embedded", message))


def _not_ours(path: Path, error: OSError) -> Misconfigured:
    message = (
        f"cannot use {path} ({error.strerror}): run this command as the user that runs ingestd,"
        " or give it a state_dir of its own"
    )
    return Misconfigured(Fault("state_dir", message))
