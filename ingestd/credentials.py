"""DOOR  Secrets that lie elsewhere: in a variable, a file, a systemd credential, a command.

A secret never appears in a message: only where it was looked for, and what to do.
"""

import json
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ingestd.crosscheck import secret_address_checks
from ingestd.errors import Fault, Misconfigured
from ingestd.settings import Config, Feed, Mailbox, OAuth2, Replies, SecretRef

Section = TypeVar("Section", Mailbox, OAuth2, Feed, Replies)
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


def resolved(config: Config, environ: Mapping[str, str]) -> Config:
    """Give the configuration with every secret of mail in its place.

    Raises:
        Misconfigured: with every one that is not where it should be.
    """
    faults: list[Fault] = []

    def fill(section: Section, path: str, *names: str) -> Section:
        found: dict[str, str | None] = {}
        for name in names:
            try:
                found[name] = resolve(f"{path}.{name}", getattr(section, name), environ)
            except Misconfigured as error:
                faults.extend(error.faults)
        return section.model_copy(update=found)

    mailboxes = []
    for mailbox in config.mailbox:
        path = f"mailbox[{mailbox.name}]"
        if mailbox.oauth2 is not None:
            grant = fill(mailbox.oauth2, f"{path}.oauth2", *_OAUTH2)
            mailboxes.append(mailbox.model_copy(update={"oauth2": grant}))
        else:
            mailboxes.append(fill(mailbox, path, "password"))
    feeds = tuple(fill(feed, f"feed[{feed.name}]", "secret_address") for feed in config.feed)
    replies = fill(config.replies, "replies", "password")
    faults += [fault for feed in feeds for fault in secret_address_checks(feed)]
    if faults:
        raise Misconfigured(*faults)
    return config.model_copy(
        update={"mailbox": tuple(mailboxes), "feed": feeds, "replies": replies}
    )


def secrets(config: Config) -> tuple[str, ...]:
    """Give every secret of mail that a resolved configuration holds, to keep it out of the log."""
    grants = [box.oauth2 for box in config.mailbox if box.oauth2 is not None]
    held = [
        *(box.password for box in config.mailbox),
        *(getattr(grant, name) for grant in grants for name in _OAUTH2),
        *(feed.secret_address for feed in config.feed),
        config.replies.password,
    ]
    keys = (_private_key(grant.service_account) for grant in grants)
    return tuple(secret for secret in (*held, *keys) if isinstance(secret, str) and secret)


def _private_key(account: object) -> str | None:
    """Give the secret inside a service account's key file."""
    try:
        key = json.loads(account).get("private_key") if isinstance(account, str) else None
    except (ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None


_OAUTH2 = ("client_secret", "refresh_token", "service_account")


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
