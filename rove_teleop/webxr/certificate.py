"""The page's own TLS certificate, made on the first start: browsers give WebXR to https only."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rove_core.errors import ConfigError
from rove_core.keys import SECRET_MODE, write_once

KEY, CERTIFICATE = "page.key.pem", "page.crt.pem"
DAYS = 398  # the longest that browsers take
RENEW_DAYS = 14


@dataclass(frozen=True)
class PageCertificate:
    """Where the certificate lies, and the SHA-256 fingerprint that browsers show (AA:BB:...)."""

    certificate: Path
    key: Path
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """Return what a server needs to speak TLS with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


def ensure_certificate(folder: Path, hosts: list[str]) -> PageCertificate:
    """Return the certificate of a folder; make one where there is none, or none for these hosts.

    Args:
        folder: of the keys of this machine.
        hosts: names and addresses under which the page is opened.

    Raises:
        ConfigError: the files are there and hold something else.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not _serves(certificate, key, hosts):
        certificate.unlink(missing_ok=True)
        key.unlink(missing_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(certificate, key, hosts)
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return PageCertificate(certificate, key, loaded.fingerprint(hashes.SHA256()).hex(":").upper())


def _serves(certificate: Path, key: Path, hosts: list[str]) -> bool:
    if not (certificate.is_file() and key.is_file()):
        return False
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ConfigError("certificate", str(certificate), "PEM; or delete it", "page") from error
    left = loaded.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    known = {str(n.value) for n in names}
    return left.days >= RENEW_DAYS and set(hosts) <= known


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _make(certificate: Path, key: Path, hosts: list[str]) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ROVE {socket.gethostname()}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    names = list(dict.fromkeys(["localhost", "127.0.0.1", *hosts]))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # headsets' clocks may lag
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .sign(secret, hashes.SHA256())
    )
    pem = secret.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_once(key, pem.decode(), SECRET_MODE)
    write_once(certificate, built.public_bytes(serialization.Encoding.PEM).decode(), 0o644)
