"""The node graph as plain data: which processes, which parameters. Nothing of ROS is imported.

``launch/bringup.launch.py`` turns it into a launch description and ``rove up`` starts the same
processes without the launch package, so nothing about the graph is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import urlencode

from rove_core.errors import ConfigError

Value = str | int | float | bool

OPERATORS = ("scripted", "exo", "wire", "none")
LABS = ("sim", "none")


@dataclass(frozen=True)
class GraphArguments:
    """Arguments of ``bringup.launch.py`` and ``rove up``; all are given as ``name:=value``."""

    robot: str = field(default="g1_dex3", metadata={"text": "robot profile: a name or a YAML file"})
    namespace: str = field(default="", metadata={"text": "namespace; default: the robot's name"})
    sim: bool = field(
        default=True, metadata={"text": "simulate the robot; false: its own bridge runs"}
    )
    task: str = field(default="erase_whiteboard", metadata={"text": "task of the simulated lab"})
    instruction: str = field(
        default="", metadata={"text": "what the robot is told; default: the task draws one"}
    )
    policy: str = field(
        default="latest",
        metadata={"text": "ONNX file, 'latest' (delivered, else shipped), 'shipped' or 'none'"},
    )
    store: str = field(
        default="~/.local/share/rove/policies", metadata={"text": "folder of delivered policies"}
    )
    delivery: str = field(
        default="tcp://127.0.0.1:7448",
        metadata={"text": "address that learners deliver policies to; 'none': no deliveries"},
    )
    operator: str = field(
        default="scripted",
        metadata={"text": f"{' | '.join(OPERATORS)}: who sits at the other end of the bridge"},
    )
    heartbeats: str = field(
        default="auto",
        metadata={
            "text": "who must guard the robot (`rove heartbeat NAME`), names with commas; 'none'; "
            "auto: 'supervisor' on a real robot, none in simulation"
        },
    )
    calibration: bool = field(
        default=True,
        metadata={"text": "an operator drives only with a calibration (`rove calibrate NAME`)"},
    )
    lab: str = field(
        default="sim", metadata={"text": "sim: episodes are started and judged; none: by services"}
    )
    episodes: int = field(default=3, metadata={"text": "episodes of the simulated lab; 0: endless"})
    seed: int = field(default=1, metadata={"text": "seed of the first scene and of the operator"})
    variation: float = field(
        default=0.0,
        metadata={
            "text": "0 (plain lab) to 1: how far placement, light, textures and cameras differ"
        },
    )
    wrong_labels: float = field(
        default=0.0,
        metadata={"text": "share of the lab's outcomes that are labelled the other way round"},
    )
    missed_marks: float = field(
        default=0.0,
        metadata={"text": "share of recoveries that the scripted operator never marks"},
    )
    late_marks: float = field(
        default=0.0, metadata={"text": "s by which the scripted operator's marks are late"}
    )
    mark_spread: float = field(
        default=0.0, metadata={"text": "s, standard deviation of the time of those marks"}
    )
    takeover_at: float = field(
        default=1.5,
        metadata={
            "text": "s into an episode at which the scripted operator takes over; < 0: never"
        },
    )
    stall: float = field(
        default=5.0,
        metadata={"text": "s without progress after which the scripted operator takes over"},
    )
    record: bool = field(default=True, metadata={"text": "record one bag an episode"})
    bags: str = field(default="", metadata={"text": "folder of the bags; default: ./bags"})
    fetch: str = field(
        default="tcp://127.0.0.1:7449",
        metadata={"text": "address that learners fetch bags from; 'none': nobody does"},
    )
    fetch_mb_s: float = field(default=50.0, metadata={"text": "MB/s to all learners together"})
    keep_gb: float = field(
        default=0.0, metadata={"text": "GB of bags, above it the oldest fetched go; 0: no limit"}
    )
    keep_days: float = field(
        default=0.0, metadata={"text": "days after which fetched bags go; 0: no limit"}
    )
    bridge: str = field(
        default="tcp://127.0.0.1:7447", metadata={"text": "address the operator bridge listens on"}
    )
    page: str = field(
        default="none",
        metadata={
            "text": "where the headset page is served, for example https://127.0.0.1:7443 "
            "(0.0.0.0: all networks); 'none': nowhere"
        },
    )
    console: str = field(
        default="none",
        metadata={
            "text": "where the supervisor's page is served, for example http://127.0.0.1:7450; "
            "'none': nowhere"
        },
    )
    use_sim_time: bool = field(default=True, metadata={"text": "take the time from /clock"})
    speed: float = field(
        default=1.0,
        metadata={"text": "simulated over wall time, at most; the machine may be slower"},
    )


@dataclass(frozen=True)
class NodeSpec:
    """One process of the graph.

    Attributes:
        name: node name; also the process's name in logs.
        package, executable: as ``ros2 run`` takes them.
        namespace: absolute.
        parameters: of the node.
        respawn: start it again when it dies.
        ends_graph: the graph is done when this one ends by itself with status 0.
    """

    name: str
    package: str
    executable: str
    namespace: str
    parameters: Mapping[str, Value]
    respawn: bool = True
    ends_graph: bool = False


SLOWEST_FOR_PEOPLE = 0.9
"""Simulated over wall time below which a person may not take over: the robot would lag behind."""
SIMULATION_TIMEOUTS: Mapping[str, Value] = {
    "timeouts.joint_states": 0.25,
    "timeouts.operator_frame": 0.25,
    "timeouts.human_target": 0.25,
}
"""s; a simulator and a scripted person share the cores with the whole graph, a robot does not."""


def parse_arguments(words: list[str]) -> GraphArguments:
    """Turn ``name:=value`` words into arguments.

    Raises:
        ConfigError: unknown name, or a value that is not of the argument's type.
    """
    known = {item.name: item for item in fields(GraphArguments)}
    values: dict[str, Value] = {}
    for word in words:
        name, separator, text = word.partition(":=")
        if not separator or name not in known:
            allowed = [f"{key}:=..." for key in known]
            raise ConfigError("argument", word, allowed, "command line")
        values[name] = _typed(name, text, getattr(GraphArguments, name))
    return check_arguments(GraphArguments(**values))  # type: ignore[arg-type]


def _typed(name: str, text: str, default: Value) -> Value:
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (KeyError, ValueError):
        allowed = "true or false" if isinstance(default, bool) else f"a {type(default).__name__}"
        raise ConfigError(f"value of {name}", text, allowed, "command line") from None


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_arguments(given: GraphArguments) -> GraphArguments:
    """Return the arguments when they fit together.

    Raises:
        ConfigError: a choice that does not exist.
    """
    if given.operator not in OPERATORS:
        raise ConfigError("operator", given.operator, OPERATORS, "command line")
    if given.lab not in LABS:
        raise ConfigError("lab", given.lab, LABS, "command line")
    if given.episodes < 0:
        raise ConfigError("episodes", given.episodes, "0 (endless) or more", "command line")
    for name in ("keep_gb", "keep_days"):
        if not getattr(given, name) >= 0:
            raise ConfigError(name, getattr(given, name), "0 (no limit) or more", "command line")
    if not given.fetch_mb_s > 0:
        raise ConfigError("fetch_mb_s", given.fetch_mb_s, "above 0", "command line")
    for name in ("variation", "wrong_labels", "missed_marks"):
        if not 0.0 <= getattr(given, name) <= 1.0:
            raise ConfigError(name, getattr(given, name), "0 to 1", "command line")
    for name in ("late_marks", "mark_spread"):
        if not 0.0 <= getattr(given, name) <= 60.0:
            raise ConfigError(name, getattr(given, name), "0 to 60 s", "command line")
    if not 0.05 <= given.speed <= 10.0:
        raise ConfigError("speed", given.speed, "0.05 to 10", "command line")
    if given.lab == "sim" and not given.sim:
        raise ConfigError("lab", given.lab, "none when sim:=false", "command line")
    return given


def bags_folder(given: GraphArguments) -> Path:
    """Return the folder that the bags of this run go to."""
    return Path(given.bags).expanduser().absolute() if given.bags else Path.cwd() / "bags"


def guards(given: GraphArguments) -> str:
    """Return the arbiter's mandatory heartbeats, names with commas."""
    if given.heartbeats == "auto":
        return "" if given.sim else "supervisor"
    return "" if given.heartbeats == "none" else given.heartbeats


def _keeper(given: GraphArguments) -> list[dict[str, Value]]:
    """Return the parameters of the keeper, nothing when it would have nothing to do."""
    if given.fetch == "none" and not given.keep_gb and not given.keep_days:
        return []
    return [
        {
            "folder": str(bags_folder(given)),
            "address": "" if given.fetch == "none" else given.fetch,
            "max_size_gb": given.keep_gb,
            "max_age_days": given.keep_days,
            "max_mb_s": given.fetch_mb_s,
        }
    ]


def build_graph(given: GraphArguments, namespace: str) -> list[NodeSpec]:
    """Return the processes of the graph, in the order in which they are started.

    Args:
        given: checked arguments.
        namespace: the robot's namespace without slashes (the robot's name by default).
    """
    absolute = f"/{namespace.strip('/')}"
    common: dict[str, Value] = {"robot": given.robot, "use_sim_time": given.use_sim_time}

    def node(name: str, package: str = "rove", /, **own: Value) -> NodeSpec:
        return NodeSpec(name, package, name, absolute, {**common, **own})

    graph = []
    if given.sim:
        # The simulator makes the time that the others read.
        own: dict[str, Value] = {
            "use_sim_time": False,
            "task": given.task,
            "instruction": given.instruction,
            "seed": given.seed,
            "speed": given.speed,
            "variation": given.variation,
        }
        graph.append(node("sim", "rove_sim", **own))
    arbiter: dict[str, Value] = dict(SIMULATION_TIMEOUTS) if given.sim else {}
    if given.sim and (given.operator == "wire" or given.page != "none"):
        arbiter["slowest_clock"] = SLOWEST_FOR_PEOPLE
    arbiter["heartbeats"] = guards(given)
    # In some scenes the shipped policy's elbow passes the torso too near, and would be held.
    arbiter["keep_room"] = not given.sim
    graph.append(node("arbiter", **arbiter))
    graph.append(node("teleop", require_calibration=given.calibration))
    graph.append(
        node(
            "bridge",
            address=given.bridge,
            require_calibration=given.calibration,
            page=given.page,
            task=given.task,
            instruction=given.instruction,
            seed=given.seed,
        )
    )
    delivery = "" if given.delivery == "none" else given.delivery
    graph.append(node("policy", policy=given.policy, store=given.store, delivery=delivery))
    if given.record:
        # A query, not JSON: launch_ros would read that as YAML and refuse the mapping.
        arguments = urlencode({name: _word(value) for name, value in asdict(given).items()})
        graph.append(node("recorder", folder=str(bags_folder(given)), graph=arguments))
        graph += [node("keeper", **own) for own in _keeper(given)]
    if given.console != "none":
        own = {
            "address": given.console,
            "task": given.task,
            "instruction": given.instruction,
            "record": given.record,
        }
        graph.append(node("console", **own))
    if given.operator in ("scripted", "exo"):
        graph.append(
            node(
                "operator",
                "rove_sim",
                address=given.bridge,
                device="exo" if given.operator == "exo" else "headset",
                seed=given.seed,
                takeover_at=given.takeover_at,
                stall=given.stall,
                missed_marks=given.missed_marks,
                late_marks=given.late_marks,
                mark_spread=given.mark_spread,
            )
        )
    if given.lab == "sim":
        own = {
            "task": given.task,
            "instruction": given.instruction,
            "episodes": given.episodes,
            "seed": given.seed,
            "wrong_labels": given.wrong_labels,
            "await_operator": given.operator in ("scripted", "exo"),
        }
        lab = node("lab", "rove_sim", **own)
        graph.append(replace(lab, respawn=False, ends_graph=True))
    return graph
