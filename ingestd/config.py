"""PURE  ``parse(text, environ)`` gives a Config or every fault at once.

Rules:
  * Unknown keys are faults, with the nearest known key.  All faults are told together.
  * Nothing is read here: the file's text and the environment are handed in; a secret
    that lies elsewhere stays a ``SecretRef`` until ``app`` resolves it.
  * Precedence: environment over file over default.  ``DATABASE_URL`` and ``PG*`` are
    honoured as the platform documents them; ``INGESTD_SECTION__KEY`` sets any scalar.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import ValidationError

from ingestd.crosscheck import cross_checks, did_you_mean
from ingestd.errors import Fault, Misconfigured
from ingestd.settings import (
    SECTIONS,
    Config,
    Database,
    DealershipName,
    Feed,
    Folder,
    Http,
    Limits,
    Log,
    Mailbox,
    OAuth2,
    Replies,
    SecretRef,
    Spool,
    TargetSettings,
    Workers,
)
from ingestd.thresholds import Guard

__all__ = [
    "Config",
    "Database",
    "DealershipName",
    "Feed",
    "Folder",
    "Guard",
    "Http",
    "Limits",
    "Log",
    "Mailbox",
    "OAuth2",
    "Replies",
    "SecretRef",
    "Spool",
    "TargetSettings",
    "Workers",
    "database_configured",
    "database_url",
    "did_you_mean",
    "parse",
]


def parse(text: str, environ: Mapping[str, str], *, embedded: bool = False) -> Config:
    """Give the configuration that ``text`` (TOML) and the environment make together.

    ``embedded`` is the command line's ``--embedded``, which outranks ``DATABASE_URL``.

    Raises:
        Misconfigured: with every fault, each by its dotted path.
    """
    tree = _load(text)
    _merge_environ(tree, environ)
    _merge_database(tree, environ, embedded=embedded)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise Misconfigured(*_faults(error, tree)) from None
    faults = tuple(cross_checks(config))
    if faults:
        raise Misconfigured(*faults)
    return config


def _load(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(Fault("", f"the file is not valid TOML: {error}")) from None


_SCALAR_SECTIONS = ("database", "http", "log", "workers", "limits", "spool", "target", "replies")


def _merge_environ(tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    for variable, value in sorted(environ.items()):
        if not variable.startswith("INGESTD_"):
            continue
        path = variable.removeprefix("INGESTD_").lower().split("__")
        if path == ["state_dir"]:
            tree["state_dir"] = value
        elif len(path) == 2 and path[0] in _SCALAR_SECTIONS:  # noqa: PLR2004  section and key
            section = tree.setdefault(path[0], {})
            if isinstance(section, dict):
                section[path[1]] = value


_PG = (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user"), ("PGDATABASE", "name"))


def _merge_database(tree: dict[str, Any], environ: Mapping[str, str], *, embedded: bool) -> None:
    """Apply ``--embedded``, ``DATABASE_URL`` and, for what is still missing, ``PG*``."""
    section = tree.setdefault("database", {})
    if not isinstance(section, dict):
        return
    if embedded:
        for key in ("url", "host", "port", "user", "password", "name"):
            section.pop(key, None)
        section["embedded"] = True
        return
    if environ.get("DATABASE_URL"):
        section["url"] = environ["DATABASE_URL"]
        section["embedded"] = False
    if section.get("embedded") in (True, "true", "1"):
        return
    for variable, key in (*_PG, ("PGPASSWORD", "password")):
        if environ.get(variable):
            section.setdefault(key, environ[variable])


def _faults(error: ValidationError, tree: Mapping[str, Any]) -> list[Fault]:
    faults: dict[tuple[str, str], Fault] = {}
    for item in error.errors(include_url=False, include_context=True):
        fault = _fault(item, tree)
        faults.setdefault((fault.path, fault.message), fault)
    return list(faults.values())


def _fault(item: Any, tree: Mapping[str, Any]) -> Fault:  # pydantic's ErrorDetails
    where = tuple(part for part in item["loc"] if not _is_union_branch(part))
    path = _dotted(where, tree)
    if item["type"] == "extra_forbidden":
        return Fault(path, _unknown(where))
    if item["type"] == "missing":
        return Fault(path, "is required" + _advice(where))
    if item["type"] == "tuple_type":
        return Fault(path, _list_wanted(where))
    return Fault(path, f"{item['msg'].removeprefix('Value error, ')}{_given(item)}")


def _list_wanted(where: tuple[object, ...]) -> str:
    if len(where) == 1:
        return f"write [[{where[0]}]], with two brackets: there may be several"
    return 'write it as a list: ["…"]'


def _is_union_branch(part: object) -> bool:
    """Pydantic names the branch of a union it tried; a person did not write it."""
    return part in ("str", "int", "float", "SecretRef", "DealershipName") or (
        isinstance(part, str) and part.startswith("function-")
    )


def _dotted(where: Iterable[object], tree: Mapping[str, Any]) -> str:
    """Give ``feed[matteson].mode`` for ("feed", 0, "mode"): people know names, not numbers."""
    path = ""
    node: Any = tree
    for part in where:
        node = _step(node, part)
        if isinstance(part, int):
            name = node.get("name") if isinstance(node, Mapping) else None
            path += f"[{name if isinstance(name, str) else part}]"
        else:
            path += f".{part}" if path else str(part)
    return path


def _step(node: Any, part: object) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


def _unknown(where: tuple[object, ...]) -> str:
    key = str(where[-1])
    model = SECTIONS.get(str(where[0]), Config) if len(where) > 1 else Config
    for name, nested in (("oauth2", OAuth2), ("guard", Guard)):
        if name in where[:-1]:
            model = nested
    names = (field.alias or name for name, field in model.model_fields.items())
    return "no such option" + did_you_mean(key, names)


def _advice(where: tuple[object, ...]) -> str:
    if where[-1] == "mode":
        return ': "full" if every file is the whole lot, "delta" if it is only what changed'
    if where[-1] == "dealership":
        return ': the id, or { name = "…" }; `ingestd dealerships list` shows them'
    return ""


_SECRET = (
    "password",
    "url",
    "client_secret",
    "refresh_token",
    "service_account",
    "secret_address",
)


def _given(item: Any) -> str:
    value = item.get("input")
    if isinstance(value, str | int | float) and item["type"] != "value_error":
        secret = any(part in _SECRET for part in item["loc"])
        return "" if secret else f" (given: {value!r})"
    return ""


def database_configured(database: Database) -> bool:
    """Say whether anything names a database to connect to."""
    return bool(database.embedded or database.url or database.host or database.name)


def database_url(database: Database, url: str | None, password: str | None) -> str:
    """Give the connection URL: ``url`` (resolved), its gaps filled from the parts.

    Raises:
        Misconfigured: ``url`` is not a PostgreSQL URL.
    """
    try:
        parts = urlsplit(url or "postgresql://")
        given_port = parts.port
    except ValueError:  # its text may hold a piece of the password
        message = "cannot be taken apart; a password with : / ? # [ ] @ in it must be %-quoted"
        raise Misconfigured(Fault("database.url", message)) from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise Misconfigured(Fault("database.url", "must begin with postgresql://"))
    query = dict(parse_qsl(parts.query))
    host = parts.hostname or query.pop("host", None) or database.host
    user = parts.username or (quote(database.user, safe="") if database.user else None)
    secret = parts.password or (quote(password, safe="") if password else None)
    port = given_port or database.port
    name = parts.path.lstrip("/") or quote(database.name or "", safe="")
    if host and host.startswith("/"):  # a socket directory does not fit the authority
        query["host"] = host
        host = ""
        if port:
            query["port"], port = str(port), None
    login = "" if user is None else user + ("" if secret is None else f":{secret}") + "@"
    place = (host or "") + (f":{port}" if port else "")
    return f"postgresql://{login}{place}/{name}" + (f"?{urlencode(query)}" if query else "")
