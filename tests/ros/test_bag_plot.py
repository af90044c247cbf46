"""Laws of ``rove bag plot``, ``cut`` and ``redact``: what a bag says is shown where it happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove.bag import cut as cut_command
from rove.bag import plot as plot_command
from rove.bag import redact as redact_command
from rove.bag.picture.bands import mode_blocks, runs
from rove.bag.picture.changes import spread
from rove.bag.picture.curves import closure, most_moved, tracking_error
from rove.bag.picture.draw import picture
from rove.bag.picture.page import DPI, LEFT, WIDE, WIDTH, clip
from rove.bag.picture.track import CELLS, SAMPLES, Commands, read_track
from rove_core.bag.cuts import CUTS_FILE, read_cuts
from rove_core.bag.definitions import typestore
from rove_core.bag.reader import Bag
from rove_core.bag.record import EpisodeRecorder, header, message_type
from rove_core.bag.schema import TOPIC_TYPES, EpisodeInfo
from rove_core.colours import MODE_COLOURS, STAGE_COLOURS
from rove_core.errors import BagError, ConfigError
from rove_core.robot import load_robot
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Authority, Mode, Outcome, Stage

MS = 1_000_000
BEGIN = 10**18
DATA = Path(__file__).parents[1] / "core" / "data"

_M, _A, _S = Mode, Authority, Stage
HELD, ALONE = (_A.HOLD, _S.NONE), (_A.POLICY, _S.ROLLOUT)
DAY = (
    (0.0, _M.IDLE, HELD, "ready"),
    (0.4, _M.AUTONOMOUS, ALONE, "rollout started by Ada"),
    (1.6, _M.ALIGN, HELD, "Ada takes over: align, then squeeze"),
    (2.4, _M.HUMAN, (_A.HUMAN, _S.ADAPTATION), "Ada drives"),
    (3.2, _M.HUMAN, (_A.HUMAN, _S.RECOVERY), "Ada drives"),
    (4.0, _M.HANDBACK, HELD, "handed back"),
    (4.4, _M.AUTONOMOUS, ALONE, "policy drives"),
)
"""(s, mode, driver, reason) of an episode of 6 s with one takeover."""
SECONDS = 6.0


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot("g1_dex3")


def message(topic: str, stamp_ns: int, /, **fields: Any) -> Any:
    """Return a message of a topic with these fields, the others empty."""

    def empty(type_name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, (node, detail) in typestore().fielddefs[type_name][1]:
            if node == 1:
                values[name] = "" if detail[0] == "string" else 0
            elif node == 2:
                values[name] = message_type(detail)(**empty(detail))
            else:
                values[name] = np.zeros(0)
        return values

    kind = message_type(TOPIC_TYPES[topic])
    return kind(**(empty(kind.__msgtype__) | {"header": header(stamp_ns)} | fields))


def jpeg(number: int) -> bytes:
    """Return a picture that shows a number."""
    image = np.full((60, 80, 3), 70, dtype=np.uint8)
    cv2.putText(image, str(number), (5, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 200, 255), 2)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def write_day(
    folder: Path,
    spec: RobotSpec,
    day: tuple[Any, ...] = DAY,
    topics: Callable[[str], bool] = lambda _topic: True,
    finish: bool = True,
    outcome: tuple[Outcome, str] = (Outcome.SUCCESS, "clean"),
    **info: Any,
) -> Path:
    """Write an episode at 20 Hz, with the topics that are asked for."""
    described = EpisodeInfo.of(spec, folder.name, policy_digest="ab" * 32, **info)
    recorder = EpisodeRecorder(folder, spec, described, chunk_seconds=0.2)
    mode, transition = None, 0
    for k in range(round(SECONDS * 20)):
        s, t = k / 20, BEGIN + k * 50 * MS
        _, now, (authority, stage), reason = [row for row in day if row[0] <= s][-1]
        position = spec.home.copy()
        position[spec.joint_names.index("right_elbow_joint")] += 0.4 * np.sin(s)
        if topics("camera") and k % 2 == 0:
            recorder.camera(next(iter(spec.cameras)), t, jpeg(k))
        if topics("joint_states"):
            recorder.joint_states(t, position)
        if topics("joint_command"):
            recorder.joint_command(
                t, position + 0.03, authority, stage, now, policy_digest="ab" * 32,
                policy_wanted=position + 0.1,
                human_wanted=position - 0.1 if authority == Authority.HUMAN else None,
            )  # fmt: skip
        if now != mode and topics("arbiter/state"):
            transition += 1
            fields = {"mode": int(now), "reason": reason, "epoch": 1, "transition": transition}
            recorder.message("arbiter/state", t, message("arbiter/state", t, **fields))
            if now == Mode.ALIGN:
                fields = {"kind": 0, "epoch": 1, "transition": transition, "joint": "elbow"}
                fields |= {"press_to_authority_ms": 7.2, "step": 0.01, "normal_step": np.nan}
                recorder.message("arbiter/handover", t, message("arbiter/handover", t, **fields))
        mode = now
        if k % 10 == 0 and topics("policy/value"):
            fields = {"value": -float(k), "takeover_suggested": k == 30}
            recorder.message("policy/value", t, message("policy/value", t, **fields))
        if k == 100 and topics("recorder/loss"):
            fields = {"cause": 0, "topic": f"/{spec.name}/joint_states", "count": 5}
            recorder.message("recorder/loss", t, message("recorder/loss", t, **fields))
    if not finish:
        recorder.__exit__(None, None, None)
        return folder.with_name(f"{folder.name}.recording")
    return recorder.close(*outcome)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, spec: RobotSpec) -> Path:
    """A finished bag with everything; nobody changes it."""
    folder = tmp_path_factory.mktemp("bags") / "day"
    return write_day(folder, spec, instruction="wave", task="wave", operator_id="Ada")


def pixels(data: bytes) -> np.ndarray:
    """Return a PNG as (height, width, 3) uint8 RGB."""
    found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found[..., ::-1]


def test_a_track_says_what_the_bag_says(day: Path, spec: RobotSpec) -> None:
    """Changes with reasons and measurements, values, suggestions, losses, each at its time."""
    track = read_track(day)
    assert [(round(c.at, 2), c.after, c.reason) for c in track.changes] == [
        (s, mode, reason) for s, mode, _, reason in DAY[1:] if (s, mode) != (3.2, Mode.HUMAN)
    ]
    taken = track.changes[1]
    assert taken.measured == "takeover, 7.2 ms after the press, largest step 0.0100 rad at elbow"
    assert [c.measured for c in track.changes if c is not taken] == [""] * 4
    np.testing.assert_allclose(track.value.value, -20.0 * track.value.at)
    assert track.suggested.tolist() == [1.5]
    assert [(m.at, m.topic, m.count, m.cause) for m in track.lost] == [
        (5.0, "joint_states", 5, "middleware")
    ]
    assert track.policies == ("ab" * 32,)
    (film,) = track.film.values()
    assert len(film) == CELLS
    assert None not in film
    assert set(track.closure) == set(spec.finger_open)


def test_modes_and_stages_stand_where_they_were(day: Path) -> None:
    """In the column of a moment are the colours of its mode and its stage, and no other's."""
    shown = pixels(picture(read_track(day)))
    assert shown.shape[1] == WIDTH * DPI == 1600
    duration = SECONDS - 0.05
    for s, mode, stage in (
        (1.0, Mode.AUTONOMOUS, Stage.ROLLOUT),
        (2.1, Mode.ALIGN, Stage.NONE),
        (2.8, Mode.HUMAN, Stage.ADAPTATION),
        (3.7, Mode.HUMAN, Stage.RECOVERY),
        (4.2, Mode.HANDBACK, Stage.NONE),
        (5.1, Mode.AUTONOMOUS, Stage.ROLLOUT),
    ):
        column = shown[:, round((LEFT + s / duration * WIDE) * DPI) - 14]
        there = {"#{:02x}{:02x}{:02x}".format(*pixel) for pixel in column}
        assert MODE_COLOURS[mode] in there
        if stage != Stage.NONE:  # hatched
            assert STAGE_COLOURS[stage] in there
        others = set(MODE_COLOURS.values()) | set(STAGE_COLOURS.values())
        others -= {MODE_COLOURS[mode], STAGE_COLOURS[stage]}
        band = column[: shown.shape[0] // 3]  # above the legend
        assert not others & {"#{:02x}{:02x}{:02x}".format(*pixel) for pixel in band}


@pytest.mark.parametrize(
    "kept", [(), ("joint_states",), ("joint_command",), ("camera", "arbiter/state")]
)
def test_a_bag_with_few_topics_has_a_picture(
    tmp_path: Path, spec: RobotSpec, kept: tuple[str, ...]
) -> None:
    """What is not there is left out, or said; a value alone is something to see, too."""
    path = write_day(tmp_path / "few", spec, topics=lambda t: t in (*kept, "policy/value"))
    track = read_track(path)
    assert len(track.commands) == (120 if "joint_command" in kept else 0)
    # Without arbiter/state commands tell what changed, though not why.
    assert len(track.changes) == (5 if {"joint_command", "arbiter/state"} & set(kept) else 0)
    assert pixels(picture(track)).shape[1] == 1600


@pytest.mark.parametrize("version", [1, 2])
def test_old_bags_have_a_picture(version: int) -> None:
    """Bags of older versions are drawn as they are."""
    track = read_track(DATA / f"bag_version_{version}")
    assert track.version == version
    assert pixels(picture(track, small=True)).shape[1] == 1600


def test_losses_of_old_bags_are_counted(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before version 3 no message tells a loss: holes in the publishers' counts do."""
    messages = Bag.raw_messages

    def holed(bag: Bag, topics: Any = None) -> Any:
        for found in messages(bag, topics):
            if not (found.topic == "joint_states" and found.sequence in (40, 41)):
                yield found

    monkeypatch.setattr(Bag, "raw_messages", holed)
    monkeypatch.setattr("rove.bag.picture.track.FIRST_WITH_LOSSES", 4)
    (mark,) = read_track(day).lost
    assert (mark.topic, mark.count, round(mark.at, 2)) == ("joint_states", 2, 2.05)


def test_what_a_dead_recorder_left_says_so(tmp_path: Path, spec: RobotSpec) -> None:
    """A folder ``.recording``, torn in the middle of a chunk, is drawn as far as it goes."""
    path = write_day(tmp_path / "left", spec, finish=False)
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    track = read_track(path)
    assert track.unfinished
    assert track.damage
    assert 2.0 < track.duration < 5.5
    assert pixels(picture(track)).shape[1] == 1600


def test_texts_of_any_kind_are_drawn(tmp_path: Path, spec: RobotSpec) -> None:
    """Formulas that are none, line ends, letters from elsewhere, and no end of them."""
    odd = "$\\frac{1}{ 2^_ " * 30 + "\n\t" + "é" * 300
    day = tuple((s, mode, driver, odd) for s, mode, driver, _ in DAY)
    path = write_day(tmp_path / ("n" * 150), spec, day, instruction=odd, task=odd,
                     outcome=(Outcome.FAILURE, odd))  # fmt: skip
    shown = pixels(picture(read_track(path)))
    assert shown.shape[1] == 1600
    assert (shown[:, -10:] > 200).all()  # nothing runs over the edge


def test_many_changes_do_not_make_a_wall(tmp_path: Path, spec: RobotSpec) -> None:
    """A hundred clutches: a picture of ordinary height that says how many it does not list."""
    human = (Authority.HUMAN, Stage.ADAPTATION)
    day = tuple(
        (k / 20, Mode.HUMAN if k % 2 else Mode.CLUTCH, human if k % 2 else HELD, f"clutch {k}")
        for k in range(100)
    )
    track = read_track(write_day(tmp_path / "many", spec, day))
    assert len(track.changes) == 99
    assert pixels(picture(track)).shape[0] < 2000


def test_pictures_that_are_none_are_said(tmp_path: Path, spec: RobotSpec) -> None:
    """A camera whose bytes are no JPEG does not stop the rest."""
    info = EpisodeInfo.of(spec, "bad")
    with EpisodeRecorder(tmp_path / "bad", spec, info) as recorder:
        for k in range(20):
            recorder.camera(next(iter(spec.cameras)), BEGIN + k * 50 * MS, b"" if k % 2 else b"x")
        recorder.close(Outcome.UNKNOWN)
    assert pixels(picture(read_track(tmp_path / "bad"))).shape[1] == 1600


def test_messages_from_before_the_clock_ran_do_not_stretch_the_axis(
    tmp_path: Path, spec: RobotSpec
) -> None:
    """On simulated time a recorder logged 1970 until /clock came: the axis was 50 years long."""
    info = EpisodeInfo.of(spec, "early")
    with EpisodeRecorder(tmp_path / "early", spec, info) as recorder:
        for stamp in [0, 0, *(BEGIN + k * 50 * MS for k in range(41))]:
            recorder.joint_command(stamp, spec.home, Authority.HOLD, Stage.NONE, Mode.IDLE)
        recorder.close(Outcome.UNKNOWN)
    track = read_track(tmp_path / "early")
    assert track.duration == pytest.approx(2.0)
    assert len(track.commands) == 41


def commands(at: list[float], values: list[int], joints: int = 2) -> Commands:
    n = len(at)
    column, row = np.array(values, dtype=np.uint8), np.zeros((n, joints), dtype=np.float32)
    return Commands(np.array(at), column, column, column, row, row, row)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.005, 0.01, 0.05, 0.5, 3.0]), st.integers(0, 3)),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_blocks_cover_the_time_once(steps: list[tuple[float, int]]) -> None:
    """From the first command to the last, no hole, no overlap, each value where it was."""
    at = np.cumsum([step for step, _ in steps]).tolist()
    given_ = commands(at, [value for _, value in steps])
    found = list(runs(given_, given_.mode))
    assert found[0][0] == at[0]
    assert found[-1][1] == at[-1]
    assert all(a[1] == b[0] for a, b in pairwise(found))
    for begin, end, value in found:
        inside = [v for t, (_, v) in zip(at, steps, strict=True) if begin <= t < end]
        assert all(v == value for v in inside[:1] if value is not None)
    assert len(mode_blocks(given_)) == len(found)


@given(st.lists(st.floats(0, 10), max_size=30), st.floats(0.01, 1.0))
def test_numbers_keep_apart_and_in_order(at: list[float], gap: float) -> None:
    """Numbers of changes never cover each other or leave the picture."""
    placed = spread(sorted(at), gap, 10.0)
    assert all(-1e-9 <= x <= 10.0 for x in placed)
    apart = min(gap, 10.0 / max(len(at), 1))
    assert all(b - a >= apart - 1e-9 for a, b in pairwise(placed))


def test_joints_are_those_that_moved(day: Path, spec: RobotSpec) -> None:
    """Only the elbow moved; fingers have a panel of their own, and errors are measured."""
    track = read_track(day)
    elbow = spec.joint_names.index("right_elbow_joint")
    assert most_moved(track) == [elbow]
    _, error = tracking_error(track)
    np.testing.assert_allclose(error, 0.03, atol=1e-5)
    fingers = [spec.joint_names.index(n) for n, (a, b) in track.closure.items() if abs(b - a) > 0.2]
    ends = np.array([track.closure[spec.joint_names[i]] for i in fingers]).T
    np.testing.assert_allclose(closure(ends.astype(np.float32), track, fingers), [0, 1], atol=1e-5)


def test_long_bags_are_thinned(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long, a stream gives no more than a bounded number of samples."""
    monkeypatch.setattr("rove.bag.picture.track.SAMPLES", 30)
    track = read_track(day)
    assert 15 <= len(track.commands) <= 31
    assert 15 <= len(track.measured_at) <= 31
    assert SAMPLES >= 1600


def test_clip_keeps_to_a_line() -> None:
    """A text of any length fits, and says when it was longer."""
    assert clip("a\nb  c", 10) == "a b c"
    assert clip("x" * 20, 5) == "xxxx…"


def test_plot_does_what_can_be_done(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A picture for each bag under its own name; a broken bag is named and the status is 1."""
    for name in ("a/one", "b/one", "c/broken"):
        shutil.copytree(day, tmp_path / name)
    (broken,) = (tmp_path / "c" / "broken").glob("*.mcap")
    broken.write_bytes(b"no bag")
    out = tmp_path / "plots"
    assert plot_command.main([str(tmp_path), "--out", str(out), "--small"]) == 1
    assert sorted(p.name for p in out.iterdir()) == ["b.one.png", "one.png"]
    assert "c/broken" in capsys.readouterr().err
    assert pixels((out / "one.png").read_bytes()).shape[1] == 1600
    with pytest.raises(BagError, match="cannot be written"):
        plot_command.write(tmp_path / "a" / "one" / "metadata.yaml" / "x.png", b"")


def run_cut(path: Path, *words: str) -> int:
    return cut_command.main([str(path), *words])


def test_cut_shows_adds_and_takes_back(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list names each mode, gap and cut with its time and why."""
    path = tmp_path / "one"
    shutil.copytree(day, path)
    assert run_cut(path) == 0
    shown = capsys.readouterr().out
    assert "learning sees" in shown
    for words in ("IDLE", "ALIGN", "Ada takes over", "HANDBACK", "handed back"):
        assert words in shown
    reason = ("--reason", "camera covered", "--by", "Bo")
    assert run_cut(path, "--span", "2.5:3", "--span", "5:", *reason) == 0
    shown = capsys.readouterr().out
    assert "camera covered (Bo, 20" in shown
    assert "hand, number 2" in shown
    cuts = read_cuts(Bag(path))
    seconds = [(cuts.seconds(c.start_ns), cuts.seconds(c.end_ns)) for c in cuts.spans]
    assert seconds == [(2.5, 3.0), (5.0, 5.95)]
    assert cuts.spans[0].note.at.endswith("+00:00")
    assert pixels(picture(read_track(path))).shape[1] == 1600  # with the band of what was cut
    assert run_cut(path, "--remove", "1") == 0
    assert [c.start_ns for c in read_cuts(Bag(path)).spans] == [BEGIN + 5000 * MS]
    assert run_cut(path, "--whole", *reason) == 0
    assert "learning sees nothing: excluded by Bo: camera covered" in capsys.readouterr().out
    assert run_cut(path, "--remove", "whole") == 0
    assert read_cuts(Bag(path)).whole is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--span", "3:2", "--reason", "x"), "start < end"),
        (("--span", "3:20", "--reason", "x"), "5.950 s of the bag"),
        (("--span", "3-4", "--reason", "x"), "FROM:TO"),
        (("--span", "3:4"), "--reason"),
        (("--reason", "x"), "with --span"),
        (("--span", "3:4", "--whole", "--reason", "x"), "one of"),
        (("--remove", "first"), "number of a cut"),
        (("--remove", "3"), "no manual cut"),
    ],
)
def test_cut_refuses_what_cannot_be_meant(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """Each mistake says what is allowed, and nothing is written."""
    path = tmp_path / "one"
    shutil.copytree(day, path)
    try:
        assert run_cut(path, *words) == 1
        told = capsys.readouterr().err
    except ConfigError as error:
        told = str(error)
    assert said in told
    assert not (path / CUTS_FILE).exists()


def test_a_span_is_of_one_bag(day: Path, tmp_path: Path) -> None:
    """Seconds of two bags are not the same seconds; a bag that is not there changes none."""
    for name in ("one", "two"):
        shutil.copytree(day, tmp_path / name)
    with pytest.raises(ConfigError, match="number of bags 2"):
        run_cut(tmp_path, "--span", "1:2", "--reason", "x")
    assert run_cut(tmp_path / "one", str(tmp_path / "none"), "--whole", "--reason", "x") == 1
    assert not list(tmp_path.glob(f"*/{CUTS_FILE}"))
    assert run_cut(tmp_path, "--whole", "--reason", "x") == 0
    assert len(list(tmp_path.glob(f"*/{CUTS_FILE}"))) == 2


def test_redact_makes_copies(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Operator and cameras go as asked; the same key gives the same pseudonym next time."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    words = [str(day), "--operator", "--all-cameras", "--pseudonym-key", str(key)]
    assert redact_command.main([*words, "--out", str(tmp_path / "a")]) == 0
    assert redact_command.main([*words, "--out", str(tmp_path / "b")]) == 0
    one, two = Bag(tmp_path / "a" / "day"), Bag(tmp_path / "b" / "day")
    assert one.info.operator_id == two.info.operator_id != "Ada"
    assert not [name for name in one.topics if name.startswith("camera/")]
    assert "without camera" in capsys.readouterr().out
    assert redact_command.main([*words, "--out", str(tmp_path / "a")]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert json.loads(one.metadata["rove.redaction"]["cameras"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "what to redact"),
        (("--all-cameras", "--camera", "ego"), "without --all-cameras"),
        (("--operator", "--pseudonym-key", "nowhere"), "cannot be read"),
    ],
)
def test_redact_refuses_what_cannot_be_meant(
    day: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Nothing asked for, both ways of asking, a key that is not there."""
    with pytest.raises((ConfigError, BagError), match=said):
        redact_command.main([str(day), "--out", str(tmp_path), *words])
    assert list(tmp_path.iterdir()) == []
