"""Policy: one loaded policy file that turns observations into action chunks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from rove_core.action import ActionChunk
from rove_core.arrays import FloatArray
from rove_core.delivery.manifest import PolicyManifest
from rove_core.errors import ContractError, PolicyError
from rove_core.observation import Image, Observation
from rove_core.robot.spec import RobotSpec
from rove_policy.graph import (
    OUTPUT,
    open_session,
    read_manifest,
    read_policy_bytes,
    require_graph,
)

WARM_UP_SLACK = 1.0
"""rad that a warm-up chunk may lie outside the joint limits. A grey picture is new to every
policy, so its chunk may be poor; one that is a radian outside is broken."""


class Policy:
    """A policy that fits a robot. Make one with :meth:`load`.

    Attributes:
        manifest: what the file says about itself.
        digest: SHA-256 (hex) of the file.
        path: where it was loaded from.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        manifest: PolicyManifest,
        spec: RobotSpec,
        digest: str,
        path: Path,
    ) -> None:
        self.manifest, self.digest, self.path = manifest, digest, path
        self._session, self._spec = session, spec
        self._tokenizer = manifest.tokenizer
        self._words: tuple[str, npt.NDArray[np.int64]] | None = None

    @classmethod
    def load(cls, path: str | Path, spec: RobotSpec, threads: int = 1) -> Policy:
        """Load a policy and prove that it fits the robot and runs.

        The bytes are read once; digest and weights are of the same bytes even while somebody
        replaces the file.

        Args:
            path: ONNX file with a manifest.
            spec: the robot that it will drive.
            threads: threads of one inference.

        Raises:
            PolicyError: missing, truncated or foreign file, manifest or graph that does not fit
                the robot, or a warm-up inference that is not finite or not sane.
        """
        data = read_policy_bytes(path)
        where = repr(str(path))
        session = open_session(data, where, threads)
        manifest = read_manifest(session, where)
        manifest.require_fit(spec, f"policy {where}")
        require_graph(session, manifest, where)
        policy = cls(session, manifest, spec, hashlib.sha256(data).hexdigest(), Path(path))
        policy._warm_up()
        return policy

    def unknown_words(self, instruction: str) -> tuple[str, ...]:
        """Return the words of an instruction that this policy never saw."""
        return self._tokenizer.unknown(instruction)

    def act(
        self, observation: Observation, advantage_high: bool = True, chunk_id: int = 0
    ) -> ActionChunk:
        """Return the chunk for an observation; targets outside the joint limits are clipped.

        Row 0 is due one ``dt`` after the observation.

        Raises:
            ContractError: the observation lacks a camera, or an image or vector has a wrong shape.
            ConfigError: the instruction has more words than the policy reads.
            PolicyError: the policy's output is not finite.
        """
        raw = self._infer(
            observation.images,
            observation.position,
            self._ids(observation.instruction),
            advantage_high,
        )
        return ActionChunk(
            observation_ns=observation.stamp_ns,
            start_ns=observation.stamp_ns + self.manifest.dt_ns,
            dt_ns=self.manifest.dt_ns,
            position=np.clip(raw, self._spec.lower, self._spec.upper),
            policy_digest=self.digest,
            chunk_id=chunk_id,
        )

    def _ids(self, instruction: str) -> npt.NDArray[np.int64]:
        if self._words is None or self._words[0] != instruction:
            self._words = (instruction, self._tokenizer.encode(instruction)[None])
        return self._words[1]

    def _image(self, images: Any, name: str) -> Image:
        width, height = self.manifest.cameras[name]
        if name not in images:
            raise ContractError(
                f"observation: cameras {sorted(images)} given, the policy needs {name!r}"
            )
        image: Image = images[name]
        if image.shape != (height, width, 3):
            raise ContractError(
                f"observation: image of camera {name!r} {image.shape} given, "
                f"{(height, width, 3)} allowed"
            )
        return image

    def _infer(
        self, images: Any, position: FloatArray, ids: npt.NDArray[np.int64], advantage_high: bool
    ) -> FloatArray:
        """Return the unclipped chunk, (H, N) rad."""
        if position.shape != (self.manifest.size,):
            raise ContractError(
                f"observation: position {position.shape} given, {(self.manifest.size,)} allowed"
            )
        feeds: dict[str, Any] = {
            f"image_{name}": self._image(images, name)[None] for name in self.manifest.cameras
        }
        feeds["position"] = position[None].astype(np.float32)
        feeds["instruction"] = ids
        feeds["advantage"] = np.array([1.0 if advantage_high else 0.0], dtype=np.float32)
        chunk = np.asarray(self._session.run([OUTPUT], feeds)[0][0], dtype=np.float64)
        if not np.isfinite(chunk).all():
            row, column = np.argwhere(~np.isfinite(chunk))[0]
            raise PolicyError(
                f"policy {self.digest[:12]}: output not finite at row {row}, joint "
                f"{self.manifest.joint_names[column]!r}"
            )
        return chunk

    def _usual_posture(self) -> FloatArray:
        """Return (N,) rad: the mean of the training data inside the limits, else home."""
        spec = self._spec
        mean = np.array(self.manifest.statistics.get("position_mean", ()))
        return np.clip(mean, spec.lower, spec.upper) if mean.shape == (spec.size,) else spec.home

    def _warm_up(self) -> None:
        """Run once on a grey picture; refuse what no limit can excuse.

        The posture is the mean of what the policy was trained on, where its manifest says so: at
        another one a good policy may answer anything (seen: 1.3 rad outside the limits at home).
        """
        grey = {
            name: np.full((height, width, 3), 127, dtype=np.uint8)
            for name, (width, height) in self.manifest.cameras.items()
        }
        empty = self._tokenizer.encode("")[None]
        try:
            chunk = self._infer(grey, self._usual_posture(), empty, True)
        except PolicyError:
            raise
        except Exception as error:  # a graph may pass every shape check and still fail to run
            raise PolicyError(f"policy {str(self.path)!r}: warm-up failed: {error}") from error
        excess = np.maximum(self._spec.lower - chunk, chunk - self._spec.upper)
        if excess.max() > WARM_UP_SLACK:
            row, column = np.unravel_index(int(excess.argmax()), excess.shape)
            joint = self.manifest.joint_names[column]
            raise PolicyError(
                f"policy {str(self.path)!r}: warm-up target of joint {joint!r} "
                f"{chunk[row, column]:.2f} rad given, {self._spec.lower[column]:.2f} to "
                f"{self._spec.upper[column]:.2f} rad (+- {WARM_UP_SLACK}) allowed"
            )
