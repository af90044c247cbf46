"""PolicyIntake: the way of a delivered policy onto the robot, from the wire to the slot.

A policy that comes over the wire is verified and tried at once, replaces the running one only
between episodes, and drives only after a person agreed to its digest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rove.keys_cli import BRIDGE, LEARNER
from rove_core.delivery.approvals import ApprovalBook
from rove_core.delivery.server import DeliveryServer
from rove_core.delivery.store import PolicyStore
from rove_core.errors import RoveError
from rove_core.keys import KeyStore
from rove_core.robot import RobotSpec
from rove_core.signing import Signature, SigningStore, require_manifest
from rove_policy.runner import Policy
from rove_policy.slot import Offer, PolicySlot


class PolicyIntake:
    """Receives policies for a slot. Use it from one thread.

    Args:
        spec: the robot.
        slot: where accepted policies run.
        folder: of the policy store.
        address: ZMQ endpoint to listen on; "" takes no deliveries.
        say: told in words what happened.

    Raises:
        ConfigError: keys or endpoint.
        PolicyError: the approvals cannot be read.
    """

    def __init__(
        self,
        spec: RobotSpec,
        slot: PolicySlot,
        folder: Path,
        address: str,
        say: Callable[[str], None],
    ) -> None:
        self._spec, self._slot, self._say = spec, slot, say
        self._store = PolicyStore(folder)
        self._approved = ApprovalBook(folder)
        self._signing = SigningStore()
        self._waiting: Path | None = None  # accepted; runs when no episode does
        self._server: DeliveryServer | None = None
        if address:
            keys = KeyStore()
            self._server = DeliveryServer(
                keys.load(BRIDGE),
                keys.authorized(LEARNER),
                self._store,
                self._accept,
                robot=spec.name,
                robot_digest=spec.digest,
                trusted=self._signing.trusted,
                bind=address,
                running=lambda: self._waiting.stem if self._waiting else self._slot.digest,
            )
            say(f"policies are delivered to {self._server.endpoint}")

    def newest(self) -> Path | None:
        """Return the verified policy that was delivered last, None when there is none good."""
        try:
            digest = self._store.current().digest
            return self._store.open(digest, self._signing.trusted()).path if digest else None
        except RoveError as error:
            self._say(f"the delivered policy is not used: {error}")
            return None

    def approved(self, digest: str) -> bool:
        """Tell whether a person agreed to this digest."""
        return digest in self._approved

    def approve(self, digest: str, person: str) -> str:
        """Note that a person agreed to the running policy; return why not, "" when done."""
        if digest != self._slot.digest:
            return f"policy {digest[:12]!r} given, {self._slot.digest[:12]!r} runs"
        try:
            self._approved.approve(digest, person)
        except (RoveError, OSError) as error:
            return str(error)
        self._say(f"{person} agreed that policy {digest[:12]} may drive")
        return ""

    def poll(self, episode_runs: bool) -> Offer | None:
        """Serve the learners; return the offer when the running policy was replaced or refused."""
        if self._server is not None:
            for outcome in self._server.poll():
                if outcome.accepted:
                    self._waiting = self._store.path(outcome.digest)
                    self._say(f"policy {outcome.digest[:12]} was delivered")
                else:
                    self._say(f"policy {outcome.digest[:12]} was refused: {outcome.reason}")
        if self._waiting is None or episode_runs:
            return None
        path, self._waiting = self._waiting, None
        return self._slot.offer(path)

    def _accept(self, path: Path, signature: Signature) -> str:
        try:
            manifest = Policy.load(path, self._spec).manifest
            require_manifest(signature, manifest, f"policy {signature.digest[:12]}")
        except RoveError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Free the port."""
        if self._server is not None:
            self._server.close()
