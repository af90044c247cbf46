"""``rove keys``: make, list and accept the keys of bridge and operators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from rove_core.keys import KeyStore
from rove_core.signing import SigningStore, read_public

BRIDGE, OPERATOR, LEARNER = "bridge", "operator", "learner"
"""Names of this machine's own pairs; the latter two are also the roles that a robot accepts."""
ROLES = (OPERATOR, LEARNER)


def ensure_local_keys(store: KeyStore | None = None) -> KeyStore:
    """Make the robot's pair, and those of an operator and a learner on this machine.

    The robot accepts both, and the signatures of that learner: who may read this folder is the
    user who runs the robot anyway.
    """
    store = store or KeyStore()
    store.ensure(BRIDGE)
    for role in ROLES:
        pair = store.ensure(role)
        if pair.public not in store.authorized(role):
            store.authorize(role, role, pair.public)
    signing = SigningStore(store.folder)
    key = signing.ensure(LEARNER)
    if key.key_id not in signing.trusted():
        signing.trust(LEARNER, key.public)
    return store


@dataclass
class Create:
    """Make a key pair on this machine; an existing one is kept."""

    name: tyro.conf.Positional[str]


@dataclass
class Accept:
    """Let the peer whose public key file is given talk to this machine's robot.

    Attributes:
        file: NAME.pub of the peer.
        role: operator (drives) or learner (delivers policies).
    """

    file: tyro.conf.Positional[Path]
    role: Literal["operator", "learner"] = "operator"


@dataclass
class CreateSigning:
    """Make a key pair that signs policies on this machine; an existing one is kept."""

    name: tyro.conf.Positional[str]


@dataclass
class Trust:
    """Run policies that were signed with the key whose public file (NAME.verify) is given."""

    file: tyro.conf.Positional[Path]


@dataclass
class Show:
    """List the keys of this machine and whom its bridge accepts."""


Command = (
    Annotated[Create, tyro.conf.subcommand("create")]
    | Annotated[Accept, tyro.conf.subcommand("accept")]
    | Annotated[CreateSigning, tyro.conf.subcommand("create-signing")]
    | Annotated[Trust, tyro.conf.subcommand("trust")]
    | Annotated[Show, tyro.conf.subcommand("show")]
)


def main(words: list[str]) -> int:
    """Run ``rove keys``."""
    command = tyro.cli(Command, args=words, prog="rove keys")  # type: ignore[call-overload]
    store, signing, console = KeyStore(), SigningStore(), Console(highlight=False)
    if isinstance(command, Create):
        pair = store.ensure(command.name)
        console.print(f"{command.name}: public key {pair.public.decode()}", markup=False)
        console.print(f"give others {store.folder / (command.name + '.pub')}", markup=False)
    elif isinstance(command, Accept):
        text = command.file.read_text(encoding="utf-8").strip()
        store.authorize(command.role, command.file.stem, text.encode())
        said = f"{command.role} {command.file.stem} is accepted from the robot's next start"
        console.print(said, markup=False)
    elif isinstance(command, CreateSigning):
        key = signing.ensure(command.name)
        console.print(f"{command.name}: signs as {key.key_id}", markup=False)
        console.print(f"give robots {store.folder / (command.name + '.verify')}", markup=False)
    elif isinstance(command, Trust):
        signing.trust(command.file.stem, read_public(command.file))
        console.print(f"policies signed by {command.file.stem} are run from now on", markup=False)
    else:
        console.print(f"keys in {store.folder}", markup=False)
        for path in sorted(store.folder.glob("*.key")):
            console.print(f"  {path.stem:12s} {store.public(path.stem).decode()}", markup=False)
        for role in ROLES:
            accepted = ", ".join(store.authorized(role).values()) or "nobody"
            console.print(f"{role}s that are accepted: {accepted}", markup=False)
        trusted = ", ".join(signing.trusted()) or "none"
        console.print(f"signatures that are accepted: {trusted}", markup=False)
    return 0
