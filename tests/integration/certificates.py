"""A certificate authority of our own: what a TLS client must accept, and what it must refuse.

Nothing here is kept: keys and certificates are made anew for each session of tests.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate and its key, as PEM files."""

    chain: Path
    key: Path


class Authority:
    """Issues certificates into a directory; ``ca_file`` is what a client is to trust."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory, self._key = directory, ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(f"ingestd test {name}")
        public = self._key.public_key()
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        certificate = (
            _begun(self._subject, self._subject, public, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = directory / f"{name}.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str, lasts: timedelta = _DAY) -> Certificate:
        """Give a server certificate for ``hosts``; a negative ``lasts`` makes an expired one."""
        key = ec.generate_private_key(ec.SECP256R1())
        parent = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            _begun(_name(hosts[0]), self._subject, key.public_key(), lasts)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=False), critical=True)
            .add_extension(purpose, critical=False)
            .add_extension(x509.SubjectAlternativeName(_alternatives(hosts)), critical=False)
            .add_extension(parent, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        made.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(_pem(key))
        return made


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + lasts  # noqa: TID251  validity is judged by the wall clock
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 2 * _DAY)
        .not_valid_after(end)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signing,
        key_cert_sign=signing,
        crl_sign=signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(hosts: tuple[str, ...]) -> list[x509.GeneralName]:
    return [_alternative(host) for host in hosts]


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
