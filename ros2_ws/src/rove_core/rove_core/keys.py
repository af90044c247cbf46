"""CURVE key pairs of the programs that talk over ZMQ, one small folder of files.

Layout of the folder (mode 0700)::

    NAME.key                  both halves of a pair of this machine, JSON, mode 0600
    NAME.pub                  its public half, z85, to be copied to the other side
    authorized/ROLE/NAME.pub  public halves that this machine accepts in a role

Keys are z85 text of 40 characters (https://rfc.zeromq.org/spec/32/), as libzmq takes them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from rove_core.errors import ConfigError

SECRET_MODE, FOLDER_MODE = 0o600, 0o700
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")  # also keeps a name inside the folder


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair; both halves are z85 text of 40 bytes. The secret stays out of ``repr``."""

    name: str
    public: bytes
    secret: bytes = field(repr=False)


def default_folder() -> Path:
    """Return ``$ROVE_KEYS``, or ``~/.config/rove/keys``."""
    return Path(os.environ.get("ROVE_KEYS") or Path.home() / ".config" / "rove" / "keys")


class KeyStore:
    """The keys of this machine.

    Args:
        folder: where they live; None: ``$ROVE_KEYS`` or ``~/.config/rove/keys``. It is made by
            the first ``ensure`` or ``authorize``, never by reading.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def ensure(self, name: str) -> KeyPair:
        """Return the pair of that name; make it if there is none.

        Safe when several processes ask at once: all of them get the same pair.

        Raises:
            ConfigError: see ``load``.
        """
        path = self._secret_path(name)
        if not path.exists():
            self._make_folder(self.folder)
            public, secret = zmq.curve_keypair()
            text = json.dumps({"public": public.decode(), "secret": secret.decode()})
            write_once(path, text, SECRET_MODE)
        pair = self.load(name)
        write_once(self.folder / f"{name}.pub", pair.public.decode() + "\n", 0o644)
        return pair

    def load(self, name: str) -> KeyPair:
        """Return the pair of that name.

        Raises:
            ConfigError: bad name, no such key, permissions that let others read it, or a file
                that does not hold a pair.
        """
        path = self._secret_path(name)
        if not path.is_file():
            cure = f"a key of this machine; `rove keys create {name}` makes one"
            raise ConfigError("key", name, cure, str(self.folder))
        check_private(self.folder, FOLDER_MODE)
        check_private(path, SECRET_MODE)
        cure = f"a file made by `rove keys create {name}`; delete it and make a new one"
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            public, secret = str(entry["public"]).encode(), str(entry["secret"]).encode()
            fits = zmq.curve_public(secret) == public
        except (ValueError, KeyError, TypeError, zmq.ZMQError) as error:
            raise ConfigError("malformed key file", path.name, cure, str(path)) from error
        if not fits:
            raise ConfigError("key file whose halves do not fit", path.name, cure, str(path))
        return KeyPair(name, public, secret)

    def public(self, name: str) -> bytes:
        """Return a public half: of a pair of this machine, or one copied here as ``NAME.pub``.

        Raises:
            ConfigError: neither is there, or it is malformed.
        """
        if self._secret_path(name).is_file():
            return self.load(name).public
        path = self.folder / f"{name}.pub"
        if not path.is_file():
            cure = (
                f"`rove keys create {name}` on the machine it belongs to, and a copy of its "
                f"{name}.pub here"
            )
            raise ConfigError("public key", name, cure, str(self.folder))
        return _read_public(path)

    def authorize(self, role: str, name: str, public: bytes) -> None:
        """Accept a peer's public key in a role from now on; replaces an older key of that name.

        Raises:
            ConfigError: bad role or name, or a malformed key.
        """
        folder = self._role_folder(role)
        if not _is_public(public):
            raise ConfigError("public key", public, "z85 text of 40 characters", f"key {name}")
        self._make_folder(folder)
        path = folder / f"{checked_name(name)}.pub"
        draft = _draft(path, public.decode() + "\n", 0o644)
        os.replace(draft, path)

    def authorized(self, role: str) -> dict[bytes, str]:
        """Return the public keys accepted in a role, with the name of each; empty: nobody is.

        Raises:
            ConfigError: bad role, or one of the files is malformed (it is never skipped: a typing
                error must not look like a refusal).
        """
        folder = self._role_folder(role)
        if not folder.is_dir():
            return {}
        return {_read_public(path): path.stem for path in sorted(folder.glob("*.pub"))}

    def _secret_path(self, name: str) -> Path:
        return self.folder / f"{checked_name(name)}.key"

    def _role_folder(self, role: str) -> Path:
        return self.folder / "authorized" / checked_name(role)

    def _make_folder(self, folder: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)


def checked_name(name: str) -> str:
    """Return the name of a key or role when it may be the name of a file.

    Raises:
        ConfigError: it may not.
    """
    if not _NAME.fullmatch(name):
        allowed = "1-64 letters, digits, '_', '-', '.', not starting with '.' or '-'"
        raise ConfigError("name of a key or role", name, allowed, "argument name")
    return name


def check_private(path: Path, mode: int) -> None:
    """Make sure that nobody else may read a file or folder.

    Raises:
        ConfigError: others may; the message says how to mend it.
    """
    found = path.stat().st_mode & 0o777
    if found & ~mode & 0o077:
        allowed = f"{mode:o}; `chmod {mode:o} {path}` mends it"
        raise ConfigError("permissions of a secret", f"{found:o}", allowed, str(path))


def _is_public(key: bytes) -> bool:
    # libzmq checks z85 while it derives a key; any well-formed key will do as the argument.
    try:
        zmq.curve_public(key)
    except (ValueError, TypeError, zmq.ZMQError):
        return False
    return True


def _read_public(path: Path) -> bytes:
    key = path.read_bytes().strip()
    if not _is_public(key):
        raise ConfigError("malformed public key", path.name, "z85 text of 40 characters", str(path))
    return key


def _draft(path: Path, text: str, mode: int) -> Path:
    """Write a file beside ``path`` under a name that nobody reads."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def write_once(path: Path, text: str, mode: int) -> None:
    """Make a file complete or not at all; an existing one, also a rival's, is left as it is."""
    if path.exists():
        return
    draft = _draft(path, text, mode)
    try:
        # A hard link appears at once and, unlike a rename, refuses to replace.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
