"""PolicyManifest: what an exported policy expects of the robot that runs it.

The manifest travels inside the ONNX file (``metadata_props``, key ``rove_manifest``), so that
weights and description cannot come apart: the SHA-256 of the file is the digest of the policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from rove_core.errors import ConfigError, PolicyError
from rove_core.instruction import Tokenizer
from rove_core.robot.spec import RobotSpec

METADATA_KEY = "rove_manifest"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class TrainingRecord:
    """How a policy was made.

    Attributes:
        data_digest: digest over the episodes that it was trained on.
        command: the command that trained it.
        steps: gradient steps.
        seed: seed of weights, order and noise.
        encoder_digest: digest of the image encoder's weights (the backbone).
        episodes, frames: size of the training data.
    """

    data_digest: str
    command: str
    steps: int
    seed: int
    encoder_digest: str
    episodes: int = 0
    frames: int = 0


@dataclass(frozen=True)
class PolicyManifest:
    """The contract of one policy file.

    Attributes:
        robot: name of the profile.
        robot_digest: ``RobotSpec.digest`` at training.
        joint_names: N joints, order of ``position`` and of the chunk's columns.
        cameras: camera name -> (width, height), pixels, the native size.
        vocabulary: words that the policy knows; ids as in ``rove_core.instruction``.
        instruction_length: L, number of word ids.
        horizon: H, rows of a chunk.
        dt: s between rows.
        rate: Hz, frame rate of the observations it was trained on.
        advantage_conditioned: whether the input ``advantage`` was trained.
        advantage_threshold: steps of return above which a training chunk counted as high
            (method: "Actor"), None without advantages.
        statistics: name -> values that the graph normalises with, for people and audits.
        training: how it was made.
        format_version: version of this record.
    """

    robot: str
    robot_digest: str
    joint_names: tuple[str, ...]
    cameras: dict[str, tuple[int, int]]
    vocabulary: tuple[str, ...]
    instruction_length: int
    horizon: int
    dt: float
    rate: float
    training: TrainingRecord
    advantage_conditioned: bool = False
    advantage_threshold: float | None = None
    statistics: dict[str, tuple[float, ...]] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        def need(ok: bool, what: str, given: object, allowed: str) -> None:
            if not ok:
                raise PolicyError(f"manifest: {what} {given!r} given, {allowed} allowed")

        need(self.format_version == FORMAT_VERSION, "format_version", self.format_version, "1")
        need(self.horizon >= 1, "horizon", self.horizon, "at least 1")
        need(math.isfinite(self.dt) and self.dt > 0, "dt", self.dt, "a time above 0 s")
        need(math.isfinite(self.rate) and self.rate > 0, "rate", self.rate, "a rate above 0 Hz")
        need(len(self.cameras) >= 1, "cameras", self.cameras, "at least one camera")
        names = self.joint_names
        need(bool(names) and len(set(names)) == len(names), "joint_names", names, "different names")
        sizes = [side for size in self.cameras.values() for side in size]
        need(min(sizes) >= 1, "camera sizes", self.cameras, "at least 1 pixel")
        copied = {name: tuple(map(float, row)) for name, row in self.statistics.items()}
        finite = all(math.isfinite(value) for row in copied.values() for value in row)
        need(finite, "statistics", copied, "finite values")
        object.__setattr__(self, "statistics", copied)
        object.__setattr__(self, "cameras", dict(self.cameras))
        try:
            Tokenizer(self.vocabulary, self.instruction_length)
        except ConfigError as error:
            raise PolicyError(f"manifest: {error}") from error

    @property
    def size(self) -> int:
        """Number of joints, N."""
        return len(self.joint_names)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of this policy's vocabulary."""
        return Tokenizer(self.vocabulary, self.instruction_length)

    @property
    def dt_ns(self) -> int:
        """Time between rows, ns."""
        return round(self.dt * 1e9)

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "manifest") -> PolicyManifest:
        """Read a manifest.

        Raises:
            PolicyError: not JSON, a field is missing, of the wrong type or out of range.
        """
        try:
            manifest = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"{where}: not a policy manifest: {error}") from error
        except PolicyError as error:
            raise PolicyError(f"{where}: {error}") from error
        return manifest

    def require_fit(self, spec: RobotSpec, where: str = "policy") -> None:
        """Check that this policy may drive this robot.

        The digest of the profile is not compared: a re-measured camera mount or a wider margin
        at the end stops must not stop a robot. See :meth:`differences`.

        Raises:
            PolicyError: robot, joints, their order or cameras do not fit; both sides are named.
        """

        def refuse(what: str, ours: object, theirs: object) -> None:
            raise PolicyError(f"{where}: {what}: policy {ours!r}, robot {spec.name!r} {theirs!r}")

        if self.robot != spec.name:
            refuse("made for another robot", self.robot, spec.name)
        if self.joint_names != spec.joint_names:
            if self.size != spec.size:
                refuse("number of joints", self.size, spec.size)
            pairs = zip(self.joint_names, spec.joint_names, strict=True)
            index, (ours, theirs) = next((i, p) for i, p in enumerate(pairs) if p[0] != p[1])
            refuse(f"joint {index} of the order", ours, theirs)
        for name, size in self.cameras.items():
            if name not in spec.cameras:
                refuse("camera", name, sorted(spec.cameras))
            camera = spec.cameras[name]
            if tuple(size) != (camera.width, camera.height):
                native = (camera.width, camera.height)
                refuse(f"size (width, height) of camera {name!r}", tuple(size), native)

    def differences(self, spec: RobotSpec) -> tuple[str, ...]:
        """Return what a person should know although the policy fits, in words."""
        if self.robot_digest == spec.digest:
            return ()
        return (
            f"profile {spec.name!r} changed since training (position limits, frames or cameras): "
            f"digest {self.robot_digest[:12]} then, {spec.digest[:12]} now",
        )
