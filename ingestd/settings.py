"""PURE  The sections of config.toml as immutable values: names, types, defaults, bounds.

Unknown keys are errors in every section.  ``config`` reads text into these; nothing here
looks at a file or the environment: a secret that lies elsewhere stays a ``SecretRef``.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingestd.kinds import Address, Duration, Listen, Money, Name, Patterns, Size, Table
from ingestd.rooftops import Rooftops, choose_first
from ingestd.thresholds import Guard


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SecretRef(_Section):
    """Where a secret lies: exactly one of the four is given."""

    env: str | None = None
    file: str | None = None
    credential: str | None = None
    command: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> "SecretRef":
        given = [name for name in ("env", "file", "credential", "command") if getattr(self, name)]
        if len(given) != 1:
            msg = "give exactly one of env, file, credential, command"
            raise ValueError(msg)
        return self


Secret: TypeAlias = str | SecretRef


class Database(_Section):
    """How to reach PostgreSQL.  ``url`` or the parts; ``embedded`` for a private one."""

    url: Secret | None = Field(default=None, repr=False)
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    user: str | None = None
    password: Secret | None = Field(default=None, repr=False)
    name: str | None = None
    embedded: bool = False
    ca_file: str | None = None
    pooler: Literal["none", "transaction"] = "none"
    connections: int = Field(default=4, ge=2, le=50)
    connect_timeout: Duration = 10.0
    statement_timeout: Duration = 600.0
    lock_timeout: Duration = 30.0


class Http(_Section):
    """Where /metrics, /livez and /readyz are served."""

    enabled: bool = True
    listen: Listen = "127.0.0.1:9716"


class Log(_Section):
    """Level and form of the log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Workers(_Section):
    """The parser processes and their limits."""

    processes: int = Field(default=2, ge=1, le=64)
    memory: Size = 1 << 30
    deadline: Duration = 600.0
    recycle_after: int = Field(default=500, ge=1)


class Limits(_Section):
    """Caps on what is taken in; what exceeds them is refused, never read."""

    file_size: Size = 1 << 30
    message_size: Size = 35 << 20
    archive_members: int = Field(default=50, ge=1)
    archive_ratio: int = Field(default=100, ge=2)
    row_size: Size = 1 << 20
    columns: int = Field(default=500, ge=1)


class Spool(_Section):
    """How long the raw bytes of a settled delivery are kept."""

    keep_for: Duration = 30 * 86400.0


class History(_Section):
    """How long it is kept what was changed in vehicles."""

    keep_for: Annotated[Duration, Field(le=100 * 366 * 86400)] = 400 * 86400.0


class Folder(_Section):
    """A watched folder: files dropped under ``path/incoming`` are taken."""

    name: Name
    path: str
    stable_for: Duration = 5.0
    rescan_every: Duration = 60.0
    watch: Literal["auto", "notify", "poll"] = "auto"
    poll_every: Duration = 5.0
    ignore: Patterns = (
        ".*",
        "*~",
        "~$*",
        "*.tmp",
        "*.temp",
        "*.part",
        "*.partial",
        "*.filepart",
        "*.crdownload",
        "*.download",
        "*.swp",
        "Thumbs.db",
        "desktop.ini",
    )


class OAuth2(_Section):
    """How to come by an access token for XOAUTH2.  ``token_url`` and ``scope`` override."""

    provider: Literal["microsoft365", "google"]
    flow: Literal["client_credentials", "refresh_token", "service_account"]
    tenant: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = Field(default=None, repr=False)
    refresh_token: Secret | None = Field(default=None, repr=False)
    service_account: Secret | None = Field(default=None, repr=False)
    token_url: str | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "OAuth2":
        if (self.provider, self.flow) not in _NEEDED:
            flows = " or ".join(f for provider, f in _NEEDED if provider == self.provider)
            msg = f"{self.provider} has no flow {self.flow!r}; it has {flows}"
            raise ValueError(msg)
        needed = (*_NEEDED[self.provider, self.flow], "client_secret")
        idle = [key for key in _KEYS if getattr(self, key) and key not in needed]
        if idle:
            msg = f"the flow {self.flow!r} of {self.provider} has no use for {', '.join(idle)}"
            raise ValueError(msg)
        missing = [key for key in _NEEDED[self.provider, self.flow] if not getattr(self, key)]
        if missing and not (missing == ["tenant"] and self.token_url):
            msg = f"the flow {self.flow!r} of {self.provider} needs {', '.join(missing)} as well"
            raise ValueError(msg)
        return self


_KEYS = ("tenant", "client_id", "client_secret", "refresh_token", "service_account")
_NEEDED: dict[tuple[str, str], tuple[str, ...]] = {
    ("microsoft365", "client_credentials"): ("tenant", "client_id", "client_secret"),
    ("microsoft365", "refresh_token"): ("tenant", "client_id", "refresh_token"),
    ("google", "refresh_token"): ("client_id", "client_secret", "refresh_token"),
    ("google", "service_account"): ("service_account",),
}


class Mailbox(_Section):
    """A watched mailbox: every message in ``folder`` is taken, and moved when it is done."""

    name: Name
    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    starttls: bool = False
    plaintext: bool = False
    ca_file: str | None = None
    user: str = Field(min_length=1)
    password: Secret | None = Field(default=None, repr=False)
    oauth2: OAuth2 | None = None
    folder: str = Field(default="INBOX", min_length=1)
    settle: Literal["move", "flags"] = "move"
    imported_folder: str = Field(default="Imported", min_length=1)
    rejected_folder: str = Field(default="Rejected", min_length=1)
    poll_every: Duration = 900.0
    idle_renew: Annotated[Duration, Field(le=1740)] = 540.0
    authentication_results: Literal["rfc8601", "microsoft365"] = "rfc8601"
    trusted_authserv_ids: tuple[str, ...] = ()
    check_dkim: bool = False

    @model_validator(mode="after")
    def _one_way_in(self) -> "Mailbox":
        if (self.password is None) == (self.oauth2 is None):
            msg = "give either password or [mailbox.oauth2]"
            raise ValueError(msg)
        if self.starttls and self.plaintext:
            msg = "give either starttls or plaintext, not both"
            raise ValueError(msg)
        return self

    def at(self) -> int:
        """Give the port: 993 with TLS from the start, else 143."""
        return self.port or (143 if self.starttls or self.plaintext else 993)


class Replies(_Section):
    """The SMTP server through which dealers are told what became of their mail."""

    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    starttls: bool = False
    plaintext: bool = False
    ca_file: str | None = None
    user: str | None = None
    password: Secret | None = Field(default=None, repr=False)
    sender: Address | None = None
    per_hour: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _agreeing(self) -> "Replies":
        if self.starttls and self.plaintext:
            msg = "give either starttls or plaintext, not both"
            raise ValueError(msg)
        if (self.user is None) != (self.password is None):
            msg = "give user and password, or neither"
            raise ValueError(msg)
        return self

    def at(self) -> int:
        """Give the port: 465 with TLS from the start, 587 with STARTTLS, else 25."""
        return self.port or (587 if self.starttls else 25 if self.plaintext else 465)


class DealershipName(_Section):
    """A dealership by its name in the database, which must be unique there."""

    name: str = Field(min_length=1)


#: What a file may look like and be refused for, unless its feed accepts it.
Implausible: TypeAlias = Literal[
    "shifted_columns", "not_an_inventory", "rows_alike", "prices_alike"
]


class Feed(_Section):
    """An agreement: which files carry the inventory of which dealership, and how to read them."""

    name: Name
    dealership: int | DealershipName
    file: Patterns = ("*",)
    folder: tuple[str, ...] = ()
    mailbox: tuple[str, ...] = ()
    senders: Patterns = Field(default=(), alias="from")
    to: Patterns = ()
    subject: Patterns = ()
    sender_proof: Literal["dmarc", "dkim", "secret_address", "none"] | None = None
    secret_address: Secret | None = Field(default=None, repr=False)
    reply_to: tuple[Address, ...] = ()
    mode: Literal["full", "delta"]
    missing: Literal["keep", "deactivate"] = "keep"
    missing_after: int = Field(default=3, ge=1, le=1000)
    guard: Guard = Guard()
    blank: Literal["clear", "keep"] = "clear"
    vin_conflict: Literal["move", "never"] = "move"
    min_price: float = Field(default=500.0, ge=0)
    prices_in: Literal["dollars", "cents"] = "dollars"
    expect_every: Duration | None = None
    positions: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    accept: tuple[Implausible, ...] = ()
    status: dict[str, Literal["active", "pending", "sold", "blank"]] = Field(default_factory=dict)
    defaults: dict[str, str | int | float] = Field(default_factory=dict)
    rooftops: Rooftops | None = None

    _first = model_validator(mode="before")(choose_first)


class TargetSettings(_Section):
    """The live vehicles table: its profile or what stands in one, its unit, local settings."""

    profile: str | None = None
    table: Table | None = None
    money: Money = None
    gone_status: str | None = None
    distance: Literal["miles", "kilometers"] = "miles"
    status: dict[str, str] = Field(default_factory=dict)
    own: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)


class Config(_Section):
    """The whole of config.toml."""

    state_dir: str = "/var/lib/ingestd"
    database: Database = Database()
    http: Http = Http()
    log: Log = Log()
    workers: Workers = Workers()
    limits: Limits = Limits()
    spool: Spool = Spool()
    history: History = History()
    target: TargetSettings = TargetSettings()
    replies: Replies = Replies()
    mailbox: tuple[Mailbox, ...] = ()
    folder: tuple[Folder, ...] = ()
    feed: tuple[Feed, ...] = ()


#: The sections by the name they have in the file.
SECTIONS: dict[str, type[BaseModel]] = {
    "database": Database,
    "http": Http,
    "log": Log,
    "workers": Workers,
    "limits": Limits,
    "spool": Spool,
    "history": History,
    "target": TargetSettings,
    "replies": Replies,
    "mailbox": Mailbox,
    "folder": Folder,
    "feed": Feed,
}
