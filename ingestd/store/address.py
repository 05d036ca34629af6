"""DOOR  Where a PostgreSQL server is, out of a URL, and whether it must be verified by TLS."""

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit, urlunsplit

from ingestd.errors import Fault, Misconfigured

_TLS_KEYS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation")


def split(url: str, ca_file: str | None) -> tuple[str, Any]:
    """Split what concerns TLS off the URL; it is decided here and not by sslmode."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    given = {key: query.pop(key) for key in _TLS_KEYS if key in query}
    bare = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
    hosts = (query.get("host") or parts.netloc.rpartition("@")[2]).split(",")
    names = [_host(host) for host in hosts if host]
    if all(name.startswith("/") for name in names):
        return bare, False
    if all(_is_local(name) for name in names):
        return bare, "prefer"
    return bare, _verified(ca_file or given.get("sslrootcert"), given)


def _verified(ca_file: str | None, given: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file if ca_file != "system" else None)
    except OSError as error:
        fault = Fault("database.ca_file", f"cannot be read: {ca_file}: {error.strerror or error}")
        raise Misconfigured(fault) from error
    if given.get("sslcert"):
        context.load_cert_chain(given["sslcert"], given.get("sslkey"))
    return context


def _host(place: str) -> str:
    """Give the host of ``host``, ``host:port``, ``[v6]:port`` or a quoted socket directory."""
    place = unquote(place)
    if place.startswith("/"):
        return place
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.rpartition(":")[0] if place.count(":") == 1 else place


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
