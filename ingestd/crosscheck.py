"""PURE  What the sections of a configuration must agree on, section against section.

Each rule yields faults; all are told together.
"""

import difflib
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from ingestd.errors import Fault
from ingestd.rooftops import choices
from ingestd.settings import Config, Feed, Folder, Mailbox
from ingestd.vehicle import FIELDS

#: The one host whose mail bears Microsoft's unsigned form of Authentication-Results.
MICROSOFT = "outlook.office365.com"
#: Characters before the @ below which an address can be guessed.
_SECRET_LOCAL_PART = 20


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ``; did you mean "x"?`` for the nearest of ``known``, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def cross_checks(config: Config) -> Iterable[Fault]:
    """Give every fault that no section shows by itself."""
    yield from _source_names(config)
    yield from _twice("feed", (feed.name for feed in config.feed))
    yield from _same_paths(config.folder)
    yield from _same_mailboxes(config.mailbox)
    for mailbox in config.mailbox:
        yield from _mailbox_checks(mailbox)
    for feed in config.feed:
        yield from _feed_checks(feed, [folder.name for folder in config.folder])
        yield from _mail_checks(feed, config)
    if config.mailbox and not any(feed.sender_proof for feed in config.feed):
        message = "no feed takes mail, so all of it would be rejected; give a feed its sender_proof"
        yield Fault("mailbox", message)
    yield from _replies_checks(config)
    yield from _database_checks(config)
    yield from _target_checks(config)


#: What ``[target]`` may say word by word, besides the columns of fields.
_TARGET_KEYS = {
    "status": ("active", "pending", "sold"),
    "own": ("id", "dealership", "active", "created", "updated"),
}


def _target_checks(config: Config) -> Iterator[Fault]:
    target = config.target
    known = {"columns": FIELDS, **_TARGET_KEYS}
    given = {"columns": target.columns, "status": target.status, "own": target.own}
    for section, pairs in given.items():
        for key in pairs:
            if key not in known[section]:
                hint = (
                    did_you_mean(key, known[section]) or f"; there are {', '.join(known[section])}"
                )
                yield Fault(f"target.{section}.{key}", f"there is no such key{hint}")
    columns = [column for column in (*target.columns.values(), *target.own.values()) if column]
    for column in dict.fromkeys(columns):
        if columns.count(column) > 1:
            yield Fault("target.columns", f"the column {column!r} is named more than once")


def _database_checks(config: Config) -> Iterator[Fault]:
    database, processes = config.database, config.workers.processes
    if database.connections < processes + 2:
        message = f"must be at least workers.processes + 2, which is {processes + 2}"
        yield Fault("database.connections", message)
    if database.embedded and (database.url or database.host):
        yield Fault("database", "give either embedded = true or a url (or host), not both")


def _twice(section: str, names: Iterable[str]) -> Iterable[Fault]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Fault(f"{section}[{name}].name", "is used twice; names must differ")
        seen.add(name)


def _same_paths(folders: tuple[Folder, ...]) -> Iterable[Fault]:
    seen: dict[str, str] = {}
    for folder in folders:
        path = folder.path.rstrip("/")
        if path in seen:
            yield Fault(f"folder[{folder.name}].path", f"is already watched by {seen[path]!r}")
        seen[path] = folder.name


def _position_checks(feed: Feed) -> Iterator[Fault]:
    """Check the fields that a feed names by position; only pictures may have several columns."""
    path = f"feed[{feed.name}].positions"
    for name in dict.fromkeys(feed.positions):
        if name and name not in FIELDS:
            yield Fault(path, f"there is no field {name!r}{did_you_mean(name, FIELDS)}")
        elif name and name != "images" and feed.positions.count(name) > 1:
            yield Fault(path, f"{name!r} has more than one position")
    if feed.positions and not {"vin", "stock_number"}.intersection(feed.positions):
        yield Fault(path, 'must name "vin" or "stock_number"; a column to skip is ""')


#: Fields whose default must be a number: text would be unreadable in every row.
_NUMBERS = ("year", "mileage", "price", "msrp", "doors")


def _feed_checks(feed: Feed, folders: list[str]) -> Iterable[Fault]:
    for name in feed.folder:
        if name not in folders:
            hint = did_you_mean(name, folders)
            yield Fault(f"feed[{feed.name}].folder", f"there is no [[folder]] named {name!r}{hint}")
    yield from _position_checks(feed)
    numbers = choices(feed.rooftops)
    if numbers and feed.dealership not in numbers:
        message = "must be one of [feed.rooftops] map, or be left out: the file chooses among those"
        yield Fault(f"feed[{feed.name}].dealership", message)
    if feed.mode == "delta" and feed.missing == "deactivate":
        message = 'what a delta does not list is not missing: keep it, or set mode = "full"'
        yield Fault(f"feed[{feed.name}].missing", message)
    for section, keys in (("columns", feed.columns), ("defaults", feed.defaults)):
        for key in keys:
            if key not in FIELDS:
                hint = did_you_mean(key, FIELDS)
                yield Fault(f"feed[{feed.name}].{section}.{key}", f"no such field{hint}")
    yield from _default_checks(feed)


def _default_checks(feed: Feed) -> Iterable[Fault]:
    for key, value in feed.defaults.items():
        if key in ("vin", "stock_number"):
            yield Fault(f"feed[{feed.name}].defaults.{key}", "an identifier can have no default")
        if key in _NUMBERS and not isinstance(value, int | float):
            message = f"must be a number (given: {value!r})"
            yield Fault(f"feed[{feed.name}].defaults.{key}", message)


def _source_names(config: Config) -> Iterator[Fault]:
    """A mailbox and a folder may not share a name either: the ledger knows a source by it."""
    mailboxes = [mailbox.name for mailbox in config.mailbox]
    yield from _twice("mailbox", mailboxes)
    yield from _twice("folder", (folder.name for folder in config.folder))
    for folder in config.folder:
        if folder.name in mailboxes:
            message = "is the name of a [[mailbox]] too; names must differ"
            yield Fault(f"folder[{folder.name}].name", message)


def _same_mailboxes(mailboxes: tuple[Mailbox, ...]) -> Iterator[Fault]:
    seen: dict[tuple[str, str, str], str] = {}
    for mailbox in mailboxes:
        place = (mailbox.host.casefold(), mailbox.user, mailbox.folder)
        if place in seen:
            message = f"is already watched by {seen[place]!r}"
            yield Fault(f"mailbox[{mailbox.name}].folder", message)
        seen[place] = mailbox.name


def _mailbox_checks(mailbox: Mailbox) -> Iterator[Fault]:
    path = f"mailbox[{mailbox.name}]"
    for key in ("imported_folder", "rejected_folder"):
        if mailbox.settle == "move" and getattr(mailbox, key) == mailbox.folder:
            yield Fault(f"{path}.{key}", "is the folder that is watched; give another")
    if mailbox.plaintext and not loopback(mailbox.host):
        message = "would send the password in clear; only a host on loopback may have it"
        yield Fault(f"{path}.plaintext", message)
    if mailbox.authentication_results == "microsoft365" and mailbox.host.casefold() != MICROSOFT:
        message = f'"microsoft365" is to be believed of {MICROSOFT} only; use "rfc8601"'
        yield Fault(f"{path}.authentication_results", message)


def _replies_checks(config: Config) -> Iterator[Fault]:
    replies = config.replies
    if replies.plaintext and not loopback(replies.host or ""):
        message = "would send the password in clear; only a host on loopback may have it"
        yield Fault("replies.plaintext", message)
    watched = {mailbox.user.casefold() for mailbox in config.mailbox}
    for feed in config.feed:
        for address in feed.reply_to:
            if address.casefold() in watched:
                message = f"{address} is a watched mailbox: replies would come back as inventory"
                yield Fault(f"feed[{feed.name}].reply_to", message)


def loopback(host: str) -> bool:
    """Say whether a host's name or address never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


_OF_MAIL = {
    "mailbox": "mailbox",
    "from": "senders",
    "to": "to",
    "subject": "subject",
    "secret_address": "secret_address",
    "reply_to": "reply_to",
}


def _mail_checks(feed: Feed, config: Config) -> Iterator[Fault]:
    path, names = f"feed[{feed.name}]", [mailbox.name for mailbox in config.mailbox]
    for name in feed.mailbox:
        if name not in names:
            hint = did_you_mean(name, names)
            yield Fault(f"{path}.mailbox", f"there is no [[mailbox]] named {name!r}{hint}")
    if feed.reply_to and (config.replies.host is None or config.replies.sender is None):
        yield Fault(f"{path}.reply_to", "needs [replies] with host and sender")
    if feed.sender_proof is None:
        given = [key for key, field in _OF_MAIL.items() if getattr(feed, field)]
        if given:
            message = f'is required beside {given[0]}: "dmarc", "dkim", "secret_address" or "none"'
            yield Fault(f"{path}.sender_proof", message)
        return
    yield from _proof_checks(feed, config)


def _proof_checks(feed: Feed, config: Config) -> Iterator[Fault]:
    path = f"feed[{feed.name}]"
    if (feed.sender_proof == "secret_address") != (feed.secret_address is not None):
        message = 'goes with sender_proof = "secret_address", and only with it'
        yield Fault(f"{path}.secret_address", message)
    yield from secret_address_checks(feed)
    if feed.sender_proof not in ("dmarc", "dkim"):
        return
    if not feed.senders:
        message = f'is required with sender_proof = "{feed.sender_proof}", which proves any domain'
        yield Fault(f"{path}.from", message)
    for mailbox in config.mailbox:
        if feed.mailbox and mailbox.name not in feed.mailbox:
            continue
        yield from _provable(feed, mailbox)


def secret_address_checks(feed: Feed) -> Iterator[Fault]:
    """Give the fault of an address that could be guessed, as soon as it is known."""
    if isinstance(feed.secret_address, str):
        local, at, _ = feed.secret_address.partition("@")
        if not at or len(local) < _SECRET_LOCAL_PART:
            message = f"must be an address with {_SECRET_LOCAL_PART} characters before the @"
            yield Fault(f"feed[{feed.name}].secret_address", f"{message} at least")


def _provable(feed: Feed, mailbox: Mailbox) -> Iterator[Fault]:
    """Somebody whom we trust must have looked at the mail, or we do it ourselves."""
    looked = mailbox.authentication_results == "microsoft365" or mailbox.trusted_authserv_ids
    if not looked and not (feed.sender_proof == "dkim" and mailbox.check_dkim):
        message = (
            f'nothing can prove the sender_proof "{feed.sender_proof}" of feed {feed.name!r}: name '
            "the receiving server, as it signs its Authentication-Results"
        )
        yield Fault(f"mailbox[{mailbox.name}].trusted_authserv_ids", message)
