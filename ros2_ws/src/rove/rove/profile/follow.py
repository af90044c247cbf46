"""``rove profile follow``: do robots follow an operator? One scripted person, several robots."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from rove.profile.scene import named
from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec, load_robot
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf
from rove_teleop.retarget.body.configuration import Configuration
from rove_teleop.retarget.model import SIDES
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.retarget.scale import robot_size, scale_of
from rove_teleop.scripted.motion import Moment
from rove_teleop.scripted.tour import CALIBRATION, STATIONS, Station, tour

NS = 1_000_000_000
ROUNDING = 1e-9


@dataclass(frozen=True)
class Stop:
    """A robot at the end of its stay at a station.

    Attributes:
        station: where. moment: the operator there.
        joints: (N,) rad.
        pelvis: (4, 4), in the floor frame.
        wrists, goals: (2, 3) m in the floor frame, left and right: where they are and should be.
    """

    station: Station
    moment: Moment
    joints: FloatArray
    pelvis: FloatArray
    wrists: FloatArray
    goals: FloatArray

    @property
    def off(self) -> float:
        """M from a wrist to where it should be, the worse one."""
        return float(np.linalg.norm(self.wrists - self.goals, axis=1).max())


@dataclass
class Journey:
    """What a robot did on the tour.

    Attributes:
        spec: the robot.
        stops: one for each station.
        off: m, mean over both wrists, of each frame on the way to and at reachable stations.
        cycle_ms: of each frame, wall time.
        room: m, the least distance of a pair above its margin.
        problems: sentences about what must never happen.
    """

    spec: RobotSpec
    stops: list[Stop] = field(default_factory=list)
    off: list[float] = field(default_factory=list)
    cycle_ms: list[float] = field(default_factory=list)
    room: float = np.inf
    problems: list[str] = field(default_factory=list)


def follow_tour(spec: RobotSpec, on_frame: Callable[[], None] = lambda: None) -> Journey:
    """Send a robot that does at once what it is told on the tour.

    Args:
        spec: the robot.
        on_frame: called after each frame.
    """
    retargeter, body = Retargeter(spec), Configuration(spec)
    retargeter.scale = scale_of(CALIBRATION, robot_size(spec))
    kinematics, collision = Kinematics(read_urdf(spec.urdf_path)), spec.collision
    joints, journey, now, speed = np.array(spec.resting), Journey(spec), NS, np.zeros(spec.size)
    # In the model of the body hands stand as at home; its capsules hold them open.
    hands = [spec.indices(f"{side}_hand") for side in SIDES if f"{side}_hand" in spec.groups]
    fingers = np.concatenate(hands) if hands else np.zeros(0, dtype=np.intp)
    first: tuple[FloatArray, Moment] | None = None
    for moment, station, last in tour():
        now += round(moment.dt * NS)
        frame = moment.frame(seen_hands=True)
        begun = time.perf_counter()
        result = retargeter.update(frame, joints, now, now, joints)
        journey.cycle_ms.append(1e3 * (time.perf_counter() - begun))
        if not result.valid:
            journey.problems.append(f"{station.name}: refused, {result.reason}")
            continue
        went = (result.position - joints) / moment.dt
        _judge(spec, result.position, went, (went - speed) / moment.dt, station, journey)
        joints, speed = np.array(result.position), went
        body.stand(joints[body.moving])
        wrists = _wrists(spec, body)
        if first is None:
            first = wrists, moment
        goals = first[0] + [
            place.translation - start.translation
            for place, start in zip(moment.wrists, first[1].wrists, strict=True)
        ]
        if station.reachable:
            journey.off.append(float(np.linalg.norm(wrists - goals, axis=1).mean()))
        seen = joints.copy()
        seen[fingers] = spec.home[fingers]
        apart = collision.distances(kinematics.links(named(spec, seen))) - collision.margins
        journey.room = min(journey.room, float(apart.min(initial=np.inf)))
        if last:
            pelvis = body.pelvis.homogeneous
            journey.stops.append(Stop(station, moment, joints, pelvis, wrists, goals))
        on_frame()
    if journey.room < 0.0:
        journey.problems.append(f"a pair came {-1e3 * journey.room:.1f} mm below its margin")
    return journey


def _wrists(spec: RobotSpec, body: Configuration) -> FloatArray:
    return np.array([body.pose(spec.frames[f"{side}_wrist"]).translation for side in SIDES])


def _judge(
    spec: RobotSpec, position: FloatArray, speed: FloatArray, change: FloatArray,
    station: Station, journey: Journey,
) -> None:  # fmt: skip
    """Note limits that do not hold, each once a station."""
    checks = (
        ("position", np.maximum(spec.lower - position, position - spec.upper), 0.0),
        ("velocity", np.abs(speed) - spec.velocity, 1e-6),
        ("acceleration", np.abs(change) - spec.acceleration, 1e-3),
    )
    for what, beyond, tolerance in checks:
        worst = int(beyond.argmax())
        if beyond[worst] > tolerance + ROUNDING:
            problem = f"{station.name}: {what} of {spec.joint_names[worst]} beyond its limit"
            if problem not in journey.problems:
                journey.problems.append(problem)


def follow_robots(console: Console, robots: list[str], picture: Path | None) -> int:
    """Print how robots follow the tour; return 1 when one of them did what it must never do.

    Args:
        console: where to print.
        robots: names of shipped profiles, or paths.
        picture: where to draw operator and robots side by side, or None.

    Raises:
        ConfigError: a profile is wrong, or the picture is no PNG.
    """
    from rich.progress import Progress

    if picture is not None and picture.suffix.lower() != ".png":
        raise ConfigError("picture", str(picture), "a file *.png", "argument --out")
    specs, journeys = [load_robot(robot) for robot in robots], []
    frames = sum(1 for _ in tour())
    with Progress(console=console, transient=True) as bar:
        for spec in specs:
            line = bar.add_task(spec.name, total=frames)
            journeys.append(follow_tour(spec, partial(bar.advance, line)))
    print_journeys(console, journeys)
    if picture is not None:
        from rove.profile.strip import draw_strip

        draw_strip(journeys, picture)
        console.print(f"picture: {picture}", markup=False)
    for journey in journeys:
        for problem in journey.problems:
            console.print(f"[red]problem[/] {journey.spec.name}: {problem}", soft_wrap=True)
    return int(any(journey.problems for journey in journeys))


def print_journeys(console: Console, journeys: list[Journey]) -> None:
    """Print a column a robot: how far off its wrists are at each station, and the worst of it."""
    title = "mm from the wrists to where they should be, the worse one"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("station")
    for journey in journeys:
        table.add_column(journey.spec.name, justify="right")
    for station in STATIONS:
        stops = [[s.off for s in j.stops if s.station is station] for j in journeys]
        cells = [f"{1e3 * off[0]:.0f}" if off else "-" for off in stops]
        note = "" if station.reachable else " (no robot can)"
        table.add_row(f"{station.name}{note}", *cells)
    table.add_section()
    means = [float(np.mean(journey.off)) if journey.off else np.nan for journey in journeys]
    cycles = [float(np.median(journey.cycle_ms)) for journey in journeys]
    table.add_row("mean of both, on the way too", *(f"{1e3 * mean:.1f}" for mean in means))
    table.add_row("least room of a pair", *(f"{1e3 * journey.room:.0f}" for journey in journeys))
    table.add_row("cycle, median (ms)", *(f"{cycle:.2f}" for cycle in cycles))
    console.print(table)
