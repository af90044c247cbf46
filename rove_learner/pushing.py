"""From a policy file to the robot: sign it, push it, leave a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rove_core.delivery.manifest import PolicyManifest
from rove_core.digest import file_digest
from rove_core.errors import PolicyError
from rove_core.keys import KeyPair, KeyStore
from rove_core.signing import (
    SigningKey,
    SigningStore,
    read_signature,
    sign,
    signature_path,
    write_signature,
)
from rove_learner.stages import write_json

PUSH = "push.json"


@dataclass(frozen=True)
class Courier:
    """Everything a push needs, read before the hours of work and not after.

    Attributes:
        address: of the robot's delivery.
        signing: signs the policy.
        key: CURVE pair of this learner.
        robot_public: public CURVE key of the robot, z85.
        timeout_s: longest time without progress, s.
    """

    address: str
    signing: SigningKey
    key: KeyPair
    robot_public: bytes
    timeout_s: float

    @classmethod
    def ready(
        cls, address: str, robot_key: str, learner_key: str, signing_key: str, timeout_s: float
    ) -> Courier:
        """Read the keys.

        Raises:
            ConfigError: one is missing; the message says which command makes it.
        """
        keys = KeyStore()
        return cls(
            address,
            SigningStore().load(signing_key),
            keys.load(learner_key),
            keys.public(robot_key),
            timeout_s,
        )

    def deliver(
        self, policy: Path, manifest: PolicyManifest, now_ns: int,
        on_progress: Callable[[int, int], None],
    ) -> bool:  # fmt: skip
        """Sign and push; return False when the robot ran it already.

        Raises:
            PolicyError: not reachable, or refused; signature and policy stay where they are.
        """
        # Only here: who does not push needs no sockets.
        from rove_core.delivery.client import push

        sign_policy(policy, manifest, self.signing, now_ns)
        try:
            pushed = push(
                self.address,
                policy,
                read_signature(policy),
                self.key,
                self.robot_public,
                on_progress=on_progress,
                timeout_s=self.timeout_s,
            )
        except PolicyError as error:
            raise PolicyError(
                f"{error}. The new policy is kept in {policy.parent}; the same command later goes "
                "on with the push, or `--robot` with another address"
            ) from error
        note = {
            "address": self.address,
            "digest": pushed.digest,
            "already_here": pushed.already_here,
            "pushed_ns": now_ns,
        }
        write_json(policy.parent / PUSH, note)
        return not pushed.already_here


def sign_policy(policy: Path, manifest: PolicyManifest, key: SigningKey, now_ns: int) -> None:
    """Write the signature of a policy file, unless this key's signature of it is there."""
    digest = file_digest(policy)
    if signature_path(policy).is_file():
        try:
            found = read_signature(policy)
        except PolicyError:
            pass  # damaged: written anew
        else:
            if (found.digest, found.key_id) == (digest, key.key_id):
                return
    signature = sign(key, digest, manifest.robot, manifest.robot_digest, now_ns)
    write_signature(policy, signature)
