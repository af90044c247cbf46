"""Opens an ONNX policy and checks its graph against the manifest that it carries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from rove_core.delivery.manifest import METADATA_KEY, PolicyManifest
from rove_core.errors import PolicyError

OUTPUT = "chunk"
_FATAL_ONLY = 4  # onnxruntime's log level: what it would print is in the exception, too


@dataclass(frozen=True)
class Tensor:
    """Name, onnxruntime type and shape of an input or output."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def expected_inputs(manifest: PolicyManifest) -> tuple[Tensor, ...]:
    """Return the inputs that a policy of this manifest must have (L words, N joints).

    ``image_<camera>`` uint8 (1, height, width, 3) RGB at the camera's native size, ``position``
    float32 (1, N) rad, ``instruction`` int64 (1, L), ``advantage`` float32 (1,): 1 high, 0 low.
    """
    images = tuple(
        Tensor(f"image_{name}", "tensor(uint8)", (1, height, width, 3))
        for name, (width, height) in manifest.cameras.items()
    )
    return (
        *images,
        Tensor("position", "tensor(float)", (1, manifest.size)),
        Tensor("instruction", "tensor(int64)", (1, manifest.instruction_length)),
        Tensor("advantage", "tensor(float)", (1,)),
    )


def expected_output(manifest: PolicyManifest) -> Tensor:
    """Return the output of a policy: ``chunk`` float32 (1, H, N), absolute rad."""
    return Tensor(OUTPUT, "tensor(float)", (1, manifest.horizon, manifest.size))


def read_policy_bytes(path: str | Path) -> bytes:
    """Return the bytes of a policy file.

    Raises:
        PolicyError: the file is missing, cannot be read or is empty.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PolicyError(
            f"policy {str(path)!r}: {error.strerror or error}; a readable ONNX file is allowed"
        ) from error
    if not data:
        raise PolicyError(f"policy {str(path)!r}: an empty file given, an ONNX file is allowed")
    return data


def open_session(data: bytes, where: str, threads: int = 1) -> ort.InferenceSession:
    """Return an onnxruntime session on the CPU for the bytes of a policy.

    Raises:
        PolicyError: the bytes are no complete ONNX model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    # Spinning workers would burn a core that the arbiter's 200 Hz loop may need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen unrelated types for bad bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PolicyError(
            f"policy {where}: not a complete ONNX model ({len(data)} bytes given): {reason}"
        ) from error


def read_manifest(session: ort.InferenceSession, where: str) -> PolicyManifest:
    """Return the manifest that a model carries.

    Raises:
        PolicyError: there is none, or it cannot be read.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise PolicyError(
            f"policy {where}: an ONNX model without manifest; metadata keys {sorted(metadata)} "
            f"given, {METADATA_KEY!r} needed: was it exported by rove-learn?"
        )
    return PolicyManifest.from_json(metadata[METADATA_KEY], f"policy {where}")


def _tensor(value: Any) -> Tensor:
    return Tensor(value.name, value.type, tuple(value.shape))


def require_graph(session: ort.InferenceSession, manifest: PolicyManifest, where: str) -> None:
    """Check that the graph's inputs and output are those that the manifest promises.

    Raises:
        PolicyError: an input or the output is missing, unknown, or has another dtype or shape.
    """
    for kind, given, allowed in (
        ("input", session.get_inputs(), expected_inputs(manifest)),
        ("output", session.get_outputs(), (expected_output(manifest),)),
    ):
        have = {value.name: _tensor(value) for value in given}
        want = {tensor.name: tensor for tensor in allowed}
        if set(have) != set(want):
            raise PolicyError(
                f"policy {where}: {kind}s of the graph {sorted(have)}, manifest {sorted(want)}"
            )
        for name, tensor in want.items():
            if have[name] != tensor:
                raise PolicyError(
                    f"policy {where}: {kind} {name!r}: graph {have[name].dtype} "
                    f"{have[name].shape}, manifest {tensor.dtype} {tensor.shape}"
                )
