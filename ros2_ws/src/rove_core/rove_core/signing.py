"""Signatures of policies: Ed25519 key pairs on disk, detached signature files, their check.

Files beside the CURVE keys of ``rove_core.keys`` (folder mode 0700)::

    NAME.signing          both halves of a pair of this machine, JSON, mode 0600
    NAME.verify           its public half, 64 hex digits, to be copied to the robots
    trusted/NAME.verify   public halves whose signatures this machine accepts; delete one to stop

A policy ``P.onnx`` has its signature in ``P.onnx.sig`` (JSON). CURVE says who may talk to the
robot; the signature says who made the policy, whoever carried it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rove_core.delivery.files import write_atomic
from rove_core.digest import file_digest
from rove_core.errors import ConfigError, PolicyError
from rove_core.keys import (
    FOLDER_MODE,
    SECRET_MODE,
    check_private,
    checked_name,
    default_folder,
    write_once,
)

if TYPE_CHECKING:
    from rove_core.delivery.manifest import PolicyManifest

FORMAT_VERSION = 1
LARGEST_FILE = 4096  # bytes of a signature file; ours take about 400
# A key that signs anything else, too, can never be made to sign this by accident.
DOMAIN = b"rove policy signature\x00"

_DIGEST = re.compile(r"[0-9a-f]{64}")
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=128)]


class DigestMismatchError(PolicyError):
    """The file is not the one that was signed."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature; every field is covered by it.

    Attributes:
        format_version: of this record.
        digest: SHA-256 of the policy file, hex.
        robot: name of the robot profile that the policy is for.
        robot_digest: ``RobotSpec.digest`` at training.
        key_id: which key signed, see :func:`key_id_of`.
        created_ns: when, ns since 1970, by the signer's clock.
        signature: 64 bytes, Ed25519 (RFC 8032).
    """

    format_version: int
    digest: Digest
    robot: Name
    robot_digest: Name
    key_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    created_ns: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

    @property
    def signed_bytes(self) -> bytes:
        """What is signed: the domain, then each field as text behind its length (4 bytes, big
        endian), so that no two records give the same bytes."""
        version, created = str(self.format_version), str(self.created_ns)
        fields = (version, self.digest, self.robot, self.robot_digest, self.key_id, created)
        parts = [text.encode() for text in fields]
        return DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 pair, 32 bytes each half. The secret stays out of ``repr``."""

    name: str
    public: bytes
    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Short name of the public half."""
        return key_id_of(self.public)


def key_id_of(public: bytes) -> str:
    """Return the id of a public key: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:32]


def read_public(path: str | Path) -> bytes:
    """Read the public half from a ``.verify`` file, 32 bytes.

    Raises:
        ConfigError: no such file, or it does not hold a public key.
    """
    path = Path(path)
    allowed = "a file of 64 hex digits, NAME.verify of `rove keys create-signing NAME`"
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("public signing key", path.name, allowed, str(path)) from error
    if not _DIGEST.fullmatch(text):
        raise ConfigError("public signing key", path.name, allowed, str(path))
    return bytes.fromhex(text)


class SigningStore:
    """The signing keys of this machine and those it trusts.

    Args:
        folder: where they live; None: ``$ROVE_KEYS`` or ``~/.config/rove/keys``. It is made by
            the first ``ensure`` or ``trust``, never by reading.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def ensure(self, name: str) -> SigningKey:
        """Return the pair of that name; make it if there is none. Rivals get the same pair.

        Raises:
            ConfigError: see ``load``.
        """
        path = self.folder / f"{checked_name(name)}.signing"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
            key = Ed25519PrivateKey.generate()
            public, secret = key.public_key().public_bytes_raw(), key.private_bytes_raw()
            text = json.dumps({"public": public.hex(), "secret": secret.hex()})
            write_once(path, text, SECRET_MODE)
        pair = self.load(name)
        write_once(self.folder / f"{name}.verify", pair.public.hex() + "\n", 0o644)
        return pair

    def load(self, name: str) -> SigningKey:
        """Return the pair of that name.

        Raises:
            ConfigError: bad name, no such key, permissions that let others read it, or a file
                that does not hold a pair.
        """
        path = self.folder / f"{checked_name(name)}.signing"
        if not path.is_file():
            cure = f"a signing key of this machine; `rove keys create-signing {name}` makes one"
            raise ConfigError("signing key", name, cure, str(self.folder))
        check_private(self.folder, FOLDER_MODE)
        check_private(path, SECRET_MODE)
        cure = f"a file made by `rove keys create-signing {name}`; delete it and make a new one"
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            public, secret = bytes.fromhex(entry["public"]), bytes.fromhex(entry["secret"])
            derived = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError("malformed signing key", path.name, cure, str(path)) from error
        if derived != public:
            raise ConfigError("signing key whose halves do not fit", path.name, cure, str(path))
        return SigningKey(name, public, secret)

    def trust(self, name: str, public: bytes) -> None:
        """Accept signatures of a public key from now on; replaces an older key of that name.

        Raises:
            ConfigError: bad name, or not 32 bytes.
        """
        if len(public) != 32:
            raise ConfigError("public signing key", public, "32 bytes", f"key {name}")
        path = self.folder / "trusted" / f"{checked_name(name)}.verify"
        self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        path.parent.mkdir(exist_ok=True, mode=FOLDER_MODE)
        write_atomic(path, public.hex().encode() + b"\n")

    def trusted(self) -> dict[str, bytes]:
        """Return key id -> public half of every trusted key; empty: nobody's policy is accepted.

        Raises:
            ConfigError: one of the files is malformed (it is never skipped: a typing error must
                not look like a refusal).
        """
        publics = [read_public(p) for p in sorted((self.folder / "trusted").glob("*.verify"))]
        return {key_id_of(public): public for public in publics}


def sign(key: SigningKey, digest: str, robot: str, robot_digest: str, created_ns: int) -> Signature:
    """Sign a policy; ``robot`` and ``robot_digest`` are those of its manifest.

    Args:
        digest: SHA-256 of the file, hex (``rove_core.digest.file_digest``).
        created_ns: ns since 1970.

    Raises:
        PolicyError: a field that no reader would accept.
    """
    draft = Signature(
        format_version=FORMAT_VERSION, digest=digest, robot=robot, robot_digest=robot_digest,
        key_id=key.key_id, created_ns=created_ns, signature=bytes(64),
    )  # fmt: skip
    secret = Ed25519PrivateKey.from_private_bytes(key.secret)
    signature = secret.sign(draft.signed_bytes)
    return decode_signature(
        msgspec.json.encode(msgspec.structs.replace(draft, signature=signature)), "signature"
    )


def signature_path(policy: str | Path) -> Path:
    """Return where the detached signature of a policy file lives: ``<policy>.sig``."""
    policy = Path(policy)
    return policy.with_name(policy.name + ".sig")


def write_signature(policy: str | Path, signature: Signature) -> Path:
    """Write the detached signature of a policy file and return its path."""
    path = signature_path(policy)
    text = msgspec.json.format(msgspec.json.encode(signature), indent=2)
    write_atomic(path, text + b"\n")
    return path


class _Versioned(msgspec.Struct):
    format_version: int


def decode_signature(data: bytes, where: str) -> Signature:
    """Read a signature from JSON.

    Raises:
        PolicyError: malformed, or of another format version.
    """
    try:
        # The version first: a newer record may have other fields, and that is no damage.
        version = msgspec.json.decode(data, type=_Versioned).format_version
        _require_version(version, where)
        return msgspec.json.decode(data, type=Signature)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PolicyError(f"{where}: not a policy signature: {error}") from error


def read_signature(policy: str | Path) -> Signature:
    """Read the detached signature of a policy file.

    Raises:
        PolicyError: there is none, it is malformed, or of another format version.
    """
    path = signature_path(policy)
    try:
        with open(path, "rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise PolicyError(
            f"{policy}: unsigned policy given, a policy with a signature {path.name} beside it "
            "allowed; `rove-learn` signs what it exports"
        ) from error
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error}") from error
    if len(data) > LARGEST_FILE:
        raise PolicyError(f"{path}: more than {LARGEST_FILE} bytes, not a policy signature")
    return decode_signature(data, str(path))


def check_signature(signature: Signature, trusted: Mapping[str, bytes], where: str) -> None:
    """Check that a trusted key signed these fields; the file itself is :func:`verify`'s.

    Args:
        trusted: key id -> public half, see :meth:`SigningStore.trusted`.
        where: what the signature belongs to, for the error.

    Raises:
        PolicyError: another format version, a key that is not trusted, or a signature that does
            not fit the fields.
    """
    _require_version(signature.format_version, where)
    public = trusted.get(signature.key_id)
    if public is None:
        known = ", ".join(sorted(trusted)) or "none"
        raise PolicyError(
            f"{where}: signed by key {signature.key_id}, trusted here: {known}; "
            "`rove keys trust FILE` trusts the public half NAME.verify of another one"
        )
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature.signature, signature.signed_bytes
        )
    except (InvalidSignature, ValueError) as error:
        raise PolicyError(
            f"{where}: wrong signature: it is not the one of key {signature.key_id} over digest "
            f"{signature.digest[:12]}, robot {signature.robot!r}; a field was altered or it was "
            "made for another policy. Sign the policy again"
        ) from error


def verify(path: str | Path, signature: Signature | None, trusted: Mapping[str, bytes]) -> None:
    """Check that a trusted key signed this very file.

    Args:
        path: the policy.
        signature: its signature; None: read from ``<path>.sig``.
        trusted: key id -> public half, see :meth:`SigningStore.trusted`.

    Raises:
        PolicyError: no policy, unsigned, malformed, or see :func:`check_signature`; or the file
            has another digest than the signed one (``DigestMismatchError``).
    """
    if signature is None:
        signature = read_signature(path)
    check_signature(signature, trusted, str(path))
    try:
        found = file_digest(path)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error}") from error
    if found != signature.digest:
        raise DigestMismatchError(
            f"{path}: digest mismatch: file with SHA-256 {found[:12]} given, signed was "
            f"{signature.digest[:12]}; the file was altered or the signature is another policy's"
        )


def require_manifest(signature: Signature, manifest: PolicyManifest, where: str) -> None:
    """Check that the signature speaks of the robot that the policy's own manifest names.

    Raises:
        PolicyError: they differ; both sides are named.
    """
    for what in ("robot", "robot_digest"):
        signed, own = getattr(signature, what), getattr(manifest, what)
        if signed != own:
            raise PolicyError(f"{where}: {what}: signed for {signed!r}, manifest says {own!r}")


def _require_version(version: int, where: str) -> None:
    if version != FORMAT_VERSION:
        raise PolicyError(
            f"{where}: signature of format_version {version} given, {FORMAT_VERSION} allowed; "
            "a newer one wants a newer ROVE on this machine"
        )
