"""Actor to one ONNX file with its manifest inside, proved equal to the network it came from."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from rove_core.delivery.manifest import METADATA_KEY, PolicyManifest
from rove_core.digest import file_digest
from rove_core.errors import PolicyError
from rove_learner.frames import Batch, ChunkSet
from rove_learner.model import Actor

TOLERANCE_RAD = 1e-4
"""Largest difference between onnxruntime and torch, rad. Both compute in float32 and sum in other
orders: 1e-6 to 1e-5 is what it makes; 1e-4 is still far below a joint encoder's resolution."""

MOST_BYTES = 8_000_000
"""A policy file is at most this large, so that a robot loads it between two chunks."""

OPSET = 17


class PolicyGraph(nn.Module):
    """An actor with the inputs of a policy file, in their order: images, then the rest."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.actor = actor

    def forward(self, *inputs: Tensor) -> Tensor:
        """Take ``image_<camera>``..., position, instruction, advantage; return (1, H, N) rad."""
        *images, position, instruction, advantage = inputs
        # Without advantage conditioning the input must still be an input of the graph.
        chunk: Tensor = self.actor(images, position, instruction, advantage)
        return chunk


def _example(manifest: PolicyManifest) -> tuple[Tensor, ...]:
    images = [
        torch.zeros((1, height, width, 3), dtype=torch.uint8)
        for width, height in manifest.cameras.values()
    ]
    return (
        *images,
        torch.zeros(1, manifest.size),
        torch.zeros((1, manifest.instruction_length), dtype=torch.int64),
        torch.ones(1),
    )


def to_onnx(actor: Actor, manifest: PolicyManifest) -> bytes:
    """Return the bytes of a policy file.

    Raises:
        PolicyError: the file would be larger than ``MOST_BYTES``, or manifest and actor disagree.
    """
    given = (actor.joints, actor.horizon, actor.cameras)
    allowed = (manifest.size, manifest.horizon, tuple(manifest.cameras))
    if given != allowed:
        raise PolicyError(f"export: actor (N, H, cameras) {given} given, manifest {allowed}")
    names = [f"image_{name}" for name in manifest.cameras]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing needs no further package and this network has no control flow.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            PolicyGraph(actor).eval(),
            _example(manifest),
            buffer,  # type: ignore[arg-type]
            input_names=[*names, "position", "instruction", "advantage"],
            output_names=["chunk"],
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, manifest.to_json()
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    if len(data) > MOST_BYTES:
        raise PolicyError(f"export: {len(data)} bytes given, at most {MOST_BYTES} allowed")
    return data


def parity(data: bytes, actor: Actor, batches: Iterable[Batch]) -> float:
    """Return the largest difference between onnxruntime and torch on observations, rad.

    Raises:
        PolicyError: it is above ``TOLERANCE_RAD``, or one of them is not finite.
    """
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst = 0.0
    actor.eval()
    for batch in batches:
        for i in range(len(batch.position)):
            images = [batch.images[name][i : i + 1] for name in actor.cameras]
            for advantage in (np.zeros(1, np.float32), np.ones(1, np.float32)):
                arrays = [*images, batch.position[i : i + 1], batch.instruction[i : i + 1]]
                feeds = dict(
                    zip([x.name for x in session.get_inputs()], [*arrays, advantage], strict=True)
                )
                ours = np.asarray(session.run(["chunk"], feeds)[0])
                with torch.no_grad():
                    tensors = [torch.from_numpy(np.array(a)) for a in (*arrays, advantage)]
                    theirs = PolicyGraph(actor)(*tensors).numpy()
                difference = float(np.abs(ours - theirs).max())
                if not difference <= TOLERANCE_RAD:  # catches NaN, too
                    raise PolicyError(
                        f"export: onnxruntime and torch differ by {difference} rad on an "
                        f"observation, at most {TOLERANCE_RAD} rad allowed"
                    )
                worst = max(worst, difference)
    return worst


def export(
    actor: Actor, manifest: PolicyManifest, path: Path, proof: ChunkSet
) -> tuple[str, float]:
    """Write a policy file after proving parity on real observations; all of it or nothing.

    Args:
        actor: the network.
        manifest: what the file says about itself.
        path: where it goes.
        proof: chunks whose observations are compared; 32 of them, spread over the set.

    Returns:
        The digest of the file and the largest difference found, rad.

    Raises:
        PolicyError: too large, or onnxruntime and torch differ.
    """
    data = to_onnx(actor, manifest)
    picks = np.unique(np.linspace(0, len(proof) - 1, 32).astype(np.intp))
    worst = parity(data, actor, [proof.batch(picks)])
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    os.replace(fresh, path)
    return file_digest(path), worst
