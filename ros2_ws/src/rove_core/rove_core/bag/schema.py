"""What a ROVE bag holds besides messages: its version, the episode's description, its outcome.

A bag is a rosbag2 folder with one MCAP file. MCAP metadata records make it ours: ``rove``, written
first, describes the episode; ``rove.outcome``, written at the end, says how it ended, and
``rove.recording`` beside it what was received and what was lost.
A later version may add keys and topics; a reader keeps reading the older versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any

from rove_core.errors import BagError, ContractError
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import EpisodeKind, Outcome

BAG_SCHEMA_VERSION = 3
"""Version of the topics, types and records of a bag.

1: the first. 2: ``ArbiterState.question``, ``PolicyStatus.approved``.
3: ``operator/device``, ``recorder/loss``, ``arbiter/handover``; hands, elbows and device joints in
``OperatorFrame``; finger and head error in ``JointTarget``; ``robot/times`` and the stamps of the
latency ledger in ``OperatorFrame``, ``JointTarget`` and ``JointCommand``. Operator, calibration and
policy at the start in record ``rove``; record ``rove.recording``; recordings that end as RECOVERED.
"""

EPISODE_RECORD = "rove"
OUTCOME_RECORD = "rove.outcome"
RECORDING_RECORD = "rove.recording"
RECORDING_SUFFIX = ".recording"
"""Ends the folder's name while a bag is being written, and until recovery when its writer died."""

TOPIC_TYPES: Mapping[str, str] = {
    "joint_states": "sensor_msgs/msg/JointState",
    "operator/frame": "rove_msgs/msg/OperatorFrame",
    "operator/device": "rove_msgs/msg/OperatorDevice",
    "teleop/target": "rove_msgs/msg/JointTarget",
    "policy/chunk": "rove_msgs/msg/ActionChunk",
    "policy/value": "rove_msgs/msg/ValueEstimate",
    "policy/status": "rove_msgs/msg/PolicyStatus",
    "joint_command": "rove_msgs/msg/JointCommand",
    "arbiter/state": "rove_msgs/msg/ArbiterState",
    "arbiter/handover": "rove_msgs/msg/Handover",
    "recorder/loss": "rove_msgs/msg/RecordingLoss",
    "robot/times": "rove_msgs/msg/RobotTimes",
    "episode": "rove_msgs/msg/EpisodeEvent",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
"""Recorded topics besides cameras, relative to the robot's namespace unless they start with /."""

CAMERA_TYPE = "sensor_msgs/msg/CompressedImage"


def camera_topic(camera: str) -> str:
    """Return the topic of a camera, relative to the robot's namespace."""
    return f"camera/{camera}/compressed"


class BagState(StrEnum):
    """What can be said of a bag at any time; there is no fourth state."""

    RECORDING = "recording"
    """``<name>.recording``: being written, or what a dead writer left for ``recover``."""
    COMPLETE = "complete"
    """Closed by its writer."""
    RECOVERED = "recovered"
    """Its writer died; ``recover`` rewrote what reached the disk as a whole bag."""


class RecordingEnd(StrEnum):
    """How a recording ended; kept apart from how its episode ended."""

    COMPLETE = "complete"
    """The writer closed the bag because the episode was over."""
    STOPPED = "stopped"
    """The writer was told to stop while the episode still ran; the bag is whole."""
    CUT_OFF = "cut off"
    """The writer died: the last moments are missing."""
    RECOVERED = "recovered"
    """The writer died and the bag was rewritten from what had reached the disk."""

    @property
    def state(self) -> BagState:
        """The state of a bag whose recording ended like this."""
        if self is RecordingEnd.CUT_OFF:
            return BagState.RECORDING
        return BagState.RECOVERED if self is RecordingEnd.RECOVERED else BagState.COMPLETE


@dataclass(frozen=True)
class EpisodeInfo:
    """The description of an episode that its bag begins with.

    Attributes:
        robot: name of the robot profile.
        robot_profile: YAML text of that profile.
        robot_digest: ``RobotSpec.digest`` of it.
        joint_names: (N,) order of every joint vector in the bag, except ``joint_states``, whose
            messages carry their own names.
        episode_id: unique name of the episode.
        namespace: the robot's namespace, with a leading slash and none at the end; "" is the root.
        kind, task, instruction: what was started.
        seed: seed of the scene, -1 when it has none.
        parameters: the graph's parameters, anything JSON can hold.
        revision: code revision that recorded it.
        operator_id: who sat at the operator's device when it started, "" when nobody did.
        calibration: that operator's calibration in force, anything JSON can hold.
        policy_digest: of the policy that was loaded when it started, "" when none was.
    """

    robot: str
    robot_profile: str
    robot_digest: str
    joint_names: tuple[str, ...]
    episode_id: str
    namespace: str
    kind: EpisodeKind = EpisodeKind.ROLLOUT
    task: str = ""
    instruction: str = ""
    seed: int = -1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""
    operator_id: str = ""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    policy_digest: str = ""

    def __post_init__(self) -> None:
        if not self.joint_names or not self.episode_id:
            raise ContractError("episode info: joint_names and episode_id must not be empty")
        if self.namespace and (self.namespace[0] != "/" or self.namespace[-1] == "/"):
            raise ContractError(
                f"episode info: namespace {self.namespace!r} given, '' or '/name' allowed"
            )
        for name in ("parameters", "calibration"):
            try:  # a copy, so that nobody changes what was recorded
                copied = json.loads(json.dumps(dict(getattr(self, name))))
            except (TypeError, ValueError) as error:
                raise ContractError(f"episode info: {name} are not JSON: {error}") from error
            object.__setattr__(self, name, copied)
        object.__setattr__(self, "joint_names", tuple(self.joint_names))

    @classmethod
    def of(
        cls, spec: RobotSpec, episode_id: str, *, profile: str = "", **fields: Any
    ) -> EpisodeInfo:
        """Return the description of an episode of a robot.

        Args:
            spec: the robot; its name is the default namespace.
            episode_id: unique name of the episode.
            profile: YAML text of the robot's profile; by default that of the profile of this
                name that ships with ROVE, if there is one.
            fields: further fields of this class.
        """
        shipped = resources.files("rove_core") / "robots" / f"{spec.name}.yaml"
        if not profile and shipped.is_file():
            profile = shipped.read_text(encoding="utf-8")
        namespace = fields.pop("namespace", f"/{spec.name}")
        return cls(
            spec.name, profile, spec.digest, spec.joint_names, episode_id, namespace, **fields
        )

    def relative(self, full_name: str) -> str:
        """Return a topic's name without the namespace; global topics keep their slash."""
        if full_name in TOPIC_TYPES:
            return full_name
        return full_name.removeprefix(self.namespace + "/")

    def to_record(self) -> dict[str, str]:
        """Return the MCAP metadata record, version included."""
        return {
            "bag_schema_version": str(BAG_SCHEMA_VERSION),
            "robot": self.robot,
            "robot_profile": self.robot_profile,
            "robot_digest": self.robot_digest,
            "joint_names": json.dumps(list(self.joint_names)),
            "episode_id": self.episode_id,
            "kind": self.kind.name.lower(),
            "task": self.task,
            "instruction": self.instruction,
            "seed": str(self.seed),
            "namespace": self.namespace,
            "parameters": json.dumps(dict(self.parameters), sort_keys=True),
            "revision": self.revision,
            "operator_id": self.operator_id,
            "calibration": json.dumps(dict(self.calibration), sort_keys=True),
            "policy_digest": self.policy_digest,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str], where: str) -> EpisodeInfo:
        """Read the record of a bag of this or an older version.

        Raises:
            BagError: the version is newer than this reader, or a key is missing or malformed.
        """
        given = record.get("bag_schema_version", "")
        if not given.isdigit() or not 1 <= int(given) <= BAG_SCHEMA_VERSION:
            raise BagError(
                f"bag schema version {given!r} given, 1..{BAG_SCHEMA_VERSION} allowed "
                f"(in {where}); a newer version needs a newer ROVE"
            )
        try:
            return cls(
                robot=record["robot"],
                robot_profile=record["robot_profile"],
                robot_digest=record["robot_digest"],
                joint_names=tuple(json.loads(record["joint_names"])),
                episode_id=record["episode_id"],
                kind=EpisodeKind[record["kind"].upper()],
                task=record["task"],
                instruction=record["instruction"],
                seed=int(record["seed"]),
                namespace=record["namespace"],
                parameters=json.loads(record["parameters"]),
                revision=record["revision"],
                # Version 3 added these.
                operator_id=record.get("operator_id", ""),
                calibration=json.loads(record.get("calibration", "{}")),
                policy_digest=record.get("policy_digest", ""),
            )
        except (KeyError, ValueError, TypeError, ContractError) as error:
            raise BagError(
                f"record {EPISODE_RECORD!r} of {where} is malformed: {error!r}"
            ) from error


@dataclass(frozen=True)
class EpisodeOutcome:
    """How an episode ended (``outcome``, ``reason``) and, apart from it, how its recording did."""

    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""
    recording: RecordingEnd = RecordingEnd.CUT_OFF

    def to_record(self) -> dict[str, str]:
        """Return the MCAP metadata record."""
        return {
            "outcome": self.outcome.name.lower(),
            "reason": self.reason,
            "recording": self.recording.value,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str], where: str) -> EpisodeOutcome:
        """Read the record.

        Raises:
            BagError: a key is missing or holds a word that this version does not know.
        """
        try:
            outcome = Outcome[record["outcome"].upper()]
            return cls(outcome, record["reason"], RecordingEnd(record["recording"]))
        except (KeyError, ValueError) as error:
            raise BagError(
                f"record {OUTCOME_RECORD!r} of {where} is malformed: {error!r}"
            ) from error


@dataclass(frozen=True)
class Note:
    """Something a reader of the bag should know, with the ROS time at which it was seen, ns."""

    stamp_ns: int
    text: str


@dataclass(frozen=True)
class TopicReport:
    """One topic of a recording.

    Attributes:
        received: messages in the bag.
        lost: messages that its publishers counted and the bag lacks.
        first_ns, last_ns: log time of the first and the last message, -1 when there is none.
        rate_hz: mean rate between those two, 0 with fewer than two messages.
        nominal_hz: the rate it should have, 0 for a topic without one (on change).
    """

    received: int = 0
    lost: int = 0
    first_ns: int = -1
    last_ns: int = -1
    rate_hz: float = 0.0
    nominal_hz: float = 0.0


@dataclass(frozen=True)
class RecordingReport:
    """What a recording got and what it lacks.

    Attributes:
        topics: full topic name -> its report.
        losses: lost messages by cause, the name of a ``LossCause`` in lower case -> count.
        notes: what went wrong while it ran, in order: topics that fell silent, a full disk.
    """

    topics: Mapping[str, TopicReport] = field(default_factory=dict)
    losses: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def to_record(self) -> dict[str, str]:
        """Return the MCAP metadata record."""
        return {
            "topics": json.dumps({name: asdict(topic) for name, topic in self.topics.items()}),
            "losses": json.dumps(dict(self.losses)),
            "notes": json.dumps([asdict(note) for note in self.notes]),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str], where: str) -> RecordingReport:
        """Read the record; keys that a later version added are ignored.

        Raises:
            BagError: a key is missing or malformed.
        """
        try:
            topics = {
                str(name): TopicReport(
                    int(value["received"]),
                    int(value["lost"]),
                    int(value["first_ns"]),
                    int(value["last_ns"]),
                    float(value["rate_hz"]),
                    float(value["nominal_hz"]),
                )
                for name, value in json.loads(record["topics"]).items()
            }
            losses = {str(name): int(n) for name, n in json.loads(record["losses"]).items()}
            notes = [Note(int(n["stamp_ns"]), str(n["text"])) for n in json.loads(record["notes"])]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise BagError(
                f"record {RECORDING_RECORD!r} of {where} is malformed: {error!r}"
            ) from error
        return cls(topics, losses, tuple(notes))
