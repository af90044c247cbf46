"""Provenance: where the command of one tick came from. A bag alone must be enough to audit it."""

from __future__ import annotations

from dataclasses import dataclass

from rove_core.arrays import FloatArray
from rove_core.latency.legs import UNKNOWN_PATH, FramePath
from rove_core.vocabulary import Authority, Mode, Stage


@dataclass(frozen=True)
class Provenance:
    """Who decided one tick of ``joint_command``.

    Attributes:
        epoch: number of this run of the arbiter; a later run has a larger one.
        sequence: counts the ticks of an epoch from 1.
        mode, authority, stage: state of the arbiter in this tick.
        lease: number of the lease in force, 0 when nobody holds one.
        policy_wanted: (N,) rad, target of the policy's chunk, or None when it has none.
        human_wanted: (N,) rad, target of the retargeting, or None when there is none.
        policy_digest: digest of the policy whose chunk is in hand, "" when none.
        chunk_id, operator_sequence: the proposals that were used, 0 when none.
        path: when the operator's target came to be.
    """

    epoch: int
    sequence: int
    mode: Mode
    authority: Authority
    stage: Stage
    lease: int = 0
    policy_wanted: FloatArray | None = None
    human_wanted: FloatArray | None = None
    policy_digest: str = ""
    chunk_id: int = 0
    operator_sequence: int = 0
    path: FramePath = UNKNOWN_PATH
