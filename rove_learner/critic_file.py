"""Critics and arrays on disk, whole or not at all; a critic names the backbone that it reads."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rove_core.delivery.files import write_atomic
from rove_core.errors import PolicyError
from rove_learner.critic import Critic


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays, all of them or nothing."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def save_critic(critic: Critic, path: Path, backbone_digest: str) -> None:
    """Write a critic with the digest of the backbone whose features it reads."""
    state = {name: value.numpy() for name, value in critic.state_dict().items()}
    hidden = state["net.1.weight"].shape[0]
    head = json.dumps({"backbone": backbone_digest, "hidden": int(hidden)})
    write_npz(path, state | {"head": np.frombuffer(head.encode(), dtype=np.uint8)})


def load_critic(path: Path, backbone_digest: str) -> Critic:
    """Read a critic.

    Raises:
        PolicyError: no critic, or one of another backbone.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays.pop("head").tobytes())
        critic = Critic(len(arrays["mean"]), int(head["hidden"]), 0.0)
        critic.load_state_dict({name: torch.from_numpy(row) for name, row in arrays.items()})
        found = str(head["backbone"])
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise PolicyError(f"{path}: no critic that can be read: {error}") from error
    if found != backbone_digest:
        raise PolicyError(
            f"{path}: critic of backbone {found[:12]} given, {backbone_digest[:12]} allowed; "
            "--previous must be a run with the same backbone"
        )
    return critic.eval()
