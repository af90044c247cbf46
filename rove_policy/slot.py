"""PolicySlot: the running policy, replaced between chunks or not at all."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from rove_core.action import ActionChunk
from rove_core.errors import PolicyError, RoveError
from rove_core.observation import Observation
from rove_core.robot.spec import RobotSpec
from rove_policy.runner import Policy


@dataclass(frozen=True)
class Offer:
    """What became of a candidate.

    Attributes:
        accepted: whether it runs now.
        digest: digest of the policy that runs now, "" when none does.
        reason: why it was refused, "" when it was accepted.
    """

    accepted: bool
    digest: str
    reason: str = ""


class PolicySlot:
    """Holds the running policy of a robot.

    ``offer`` may be called from another thread than ``act``: a candidate is loaded and tried
    beside the running policy, and the swap is one assignment. A chunk comes from one policy
    alone, the one that its ``policy_digest`` names.
    """

    def __init__(self, spec: RobotSpec, threads: int = 1) -> None:
        self._spec, self._threads = spec, threads
        self._policy: Policy | None = None
        self._offers = threading.Lock()  # one candidate at a time: loading takes memory
        self._chunks = 0

    @property
    def policy(self) -> Policy | None:
        """The running policy, None when none was accepted yet."""
        return self._policy

    @property
    def digest(self) -> str:
        """Digest of the running policy, "" when there is none."""
        policy = self._policy
        return policy.digest if policy is not None else ""

    def offer(self, path: str | Path) -> Offer:
        """Load a candidate; run it from the next chunk on, or keep the old one and say why."""
        with self._offers:
            try:
                candidate = Policy.load(path, self._spec, self._threads)
            except RoveError as error:
                return Offer(False, self.digest, str(error))
            self._policy = candidate
            return Offer(True, candidate.digest)

    def adopt(self, policy: Policy) -> None:
        """Run a policy that was loaded for this robot already, from the next chunk on."""
        with self._offers:
            self._policy = policy

    def act(self, observation: Observation, advantage_high: bool = True) -> ActionChunk:
        """Return the next chunk of the running policy; ids count up across swaps.

        Raises:
            PolicyError: no policy runs, or its output is not finite.
            ContractError, ConfigError: as in ``Policy.act``.
        """
        policy = self._policy
        if policy is None:
            raise PolicyError("no policy runs: offer one first")
        chunk = policy.act(observation, advantage_high, self._chunks + 1)
        self._chunks += 1
        return chunk
