"""DOOR  Secrets that lie elsewhere: in a variable, a file, a systemd credential, a command.

A secret never appears in a message: only where it was looked for, and what to do.
"""

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ingestd.errors import Fault, Misconfigured
from ingestd.settings import SecretRef

_COMMAND_WITHIN = 30.0


def resolve(path: str, secret: str | SecretRef | None, environ: Mapping[str, str]) -> str | None:
    """Give the secret that the option ``path`` names; None where there is none.

    Raises:
        Misconfigured: it is not where it should be, or everybody may read it.
    """
    if secret is None or isinstance(secret, str):
        return secret
    if secret.env is not None:
        return _variable(path, secret.env, environ)
    if secret.file is not None:
        return _file(path, Path(secret.file))
    if secret.credential is not None:
        return _credential(path, secret.credential, environ)
    return _command(path, secret.command or ())


def _variable(path: str, name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise Misconfigured(Fault(path, f"the environment variable {name} is not set; export it"))
    return environ[name]


def _file(path: str, file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            if os.fstat(opened.fileno()).st_mode & stat.S_IROTH:
                message = f"everybody may read {file}; run: chmod o-r {file}"
                raise Misconfigured(Fault(path, message))
            return opened.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise Misconfigured(Fault(path, f"cannot read {file}: {reason}")) from None


def _credential(path: str, name: str, environ: Mapping[str, str]) -> str:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        message = (
            f"there is no systemd credential {name!r} here: start ingestd by its unit with "
            f"LoadCredential={name}:/path, or set CREDENTIALS_DIRECTORY to a directory that has it"
        )
        raise Misconfigured(Fault(path, message))
    try:
        return (Path(directory) / name).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        message = f"cannot read the credential {name!r} in {directory}: {error.strerror}"
        raise Misconfigured(Fault(path, message)) from None


def _command(path: str, command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(  # noqa: S603  the operator's own command
            command, capture_output=True, check=False, timeout=_COMMAND_WITHIN, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"no answer within {_COMMAND_WITHIN:g} s"
        raise Misconfigured(Fault(path, f"cannot run {command[0]}: {reason}")) from None
    if done.returncode != 0 or not done.stdout:
        message = f"{command[0]} ended with exit status {done.returncode} and gave no secret"
        raise Misconfigured(Fault(path, message))
    return done.stdout.splitlines()[0]
