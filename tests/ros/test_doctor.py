"""`rove doctor`: each check's problem is provoked, and is shown with its cure."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rove.doctor import cli, machine, renderer, ros, stack
from rove.doctor.check import Check, Status, fail, ok, run_checks, warn
from rove.doctor.kernel_clock import STA_NANO, STA_UNSYNC, KernelClock, decode
from rove_core.keys import KeyStore

KEPT = KernelClock(synchronised=True, offset=1e-4)


def disk(free: float) -> Callable[[Path], tuple[int, int, int]]:
    return lambda _folder: (int(500e9), int(500e9 - free), int(free))


def clock_check(
    *,
    monotonic: tuple[float, float] = (5.0, 5.1),
    wall: tuple[float, float] = (1000.0, 1000.1),
    kernel: KernelClock | None = KEPT,
    built_at: float = 900.0,
) -> Check:
    readings: dict[str, Iterator[float]] = {"monotonic": iter(monotonic), "wall": iter(wall)}
    return machine.check_clock(
        monotonic=lambda: next(readings["monotonic"]),
        wall=lambda: next(readings["wall"]),
        sleep=lambda _seconds: None,
        kernel=lambda: kernel,
        built_at=built_at,
    )


def test_a_problem_has_a_cure_and_only_a_problem() -> None:
    """A check cannot be made that complains without a cure, or cures what is well."""
    with pytest.raises(ValueError, match="cure"):
        Check("x", Status.FAIL, "broken")
    with pytest.raises(ValueError, match="cure"):
        Check("x", Status.OK, "fine", "do something")


def test_a_check_that_breaks_is_a_result() -> None:
    """An exception in one check fails that check; the others still run."""

    def broken() -> Check:
        raise KeyError("gone")

    first, second = run_checks([("first", broken), ("second", lambda: ok("second", "fine"))])
    assert first.status is Status.FAIL
    assert "KeyError" in first.found
    assert second.status is Status.OK


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_python_of_another_version_fails(version: tuple[int, int]) -> None:
    """Only the supported interpreters pass; the cure names one."""
    result = machine.check_python(version, "x86_64")
    assert result.status is Status.FAIL
    assert "3.11" in result.cure


def test_python_passes_and_another_processor_is_told() -> None:
    """3.11 to 3.13 on x86_64 are fine; elsewhere the wheels are missing."""
    assert machine.check_python((3, 12), "x86_64").status is Status.OK
    other = machine.check_python((3, 12), "aarch64")
    assert other.status is Status.WARN
    assert "Jazzy" in other.cure


def test_a_full_disk_is_told_in_minutes_of_recording(tmp_path: Path) -> None:
    """Little space warns, almost none fails, and a folder yet to be made is no obstacle."""
    assert machine.check_disk(tmp_path / "new" / "bags", disk(100e9)).status is Status.OK
    low = machine.check_disk(tmp_path, disk(4.8e9))
    assert low.status is Status.WARN
    assert "10 min" in low.found
    full = machine.check_disk(tmp_path, disk(0.5e9))
    assert full.status is Status.FAIL
    assert "bags:=" in full.cure


def test_a_disk_one_may_not_write_to_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever may not write there is told who should own it."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    result = machine.check_disk(tmp_path, disk(100e9))
    assert result.status is Status.FAIL
    assert f"chown -R $USER {tmp_path}" in result.cure


def test_shared_memory_missing_blocked_or_small(tmp_path: Path) -> None:
    """No folder and no write access fail; the default size of a container warns."""
    missing = machine.check_shared_memory(tmp_path / "shm")
    assert missing.status is Status.FAIL
    assert "mount -t tmpfs" in missing.cure
    blocked = machine.check_shared_memory(Path("/proc"))
    assert blocked.status is Status.FAIL
    assert "chmod 1777" in blocked.cure
    small = machine.check_shared_memory(tmp_path, disk(64e6))
    assert small.status is Status.WARN
    assert "--shm-size" in small.cure
    assert machine.check_shared_memory(tmp_path, disk(1e9)).status is Status.OK
    assert not list(tmp_path.iterdir()), "the probe file is removed"


def test_an_even_synchronised_clock_passes() -> None:
    """A clock that a time service keeps is fine."""
    assert clock_check().status is Status.OK


@pytest.mark.parametrize(
    ("trouble", "status", "word"),
    [
        ({"monotonic": (5.0, 5.0)}, Status.FAIL, "monotonic"),
        ({"built_at": 5000.0}, Status.FAIL, "before"),
        ({"wall": (1000.0, 1003.1)}, Status.WARN, "+3000 ms"),
        ({"kernel": None}, Status.WARN, "does not tell"),
        ({"kernel": KernelClock(False, 0.0)}, Status.WARN, "not synchronised"),
        ({"kernel": KernelClock(True, 0.5)}, Status.WARN, "+500.00 ms"),
    ],
    ids=["stands", "past", "steps", "unknown", "alone", "off"],
)
def test_a_bad_clock_is_told(trouble: dict[str, object], status: Status, word: str) -> None:
    """Each way in which a clock goes wrong has its own words and a cure."""
    result = clock_check(**trouble)  # type: ignore[arg-type]
    assert result.status is status
    assert word in result.found
    assert result.cure


def test_the_kernels_words_are_decoded() -> None:
    """The offset is in ns or us by the status bits, and STA_UNSYNC means nobody keeps the time."""
    assert decode(STA_NANO, 2_000_000) == KernelClock(True, pytest.approx(2e-3))
    assert decode(STA_UNSYNC, 2_000) == KernelClock(False, pytest.approx(2e-3))


def test_a_taken_port_fails() -> None:
    """While another program listens on the bridge's address, the check fails and names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = machine.check_port(f"tcp://127.0.0.1:{port}")
        assert result.status is Status.FAIL
        assert str(port) in result.cure
    assert machine.check_port(f"tcp://127.0.0.1:{port}").status is Status.OK


@pytest.mark.parametrize("address", ["127.0.0.1:7447", "tcp://7447", "tcp://host:many"])
def test_a_malformed_address_fails(address: str) -> None:
    """An address of another form is shown with the form it should have."""
    result = machine.check_port(address)
    assert result.status is Status.FAIL
    assert "tcp://HOST:PORT" in result.cure


def test_another_ros_fails() -> None:
    """A shell with another distribution is told apart from one without rclpy."""
    other = ros.check_ros({"ROS_DISTRO": "humble"})
    assert other.status is Status.FAIL
    assert "humble" in other.found
    missing = ros.check_ros({}, module="rclpy_that_is_not_there")
    assert missing.status is Status.FAIL
    assert "make up" in missing.cure
    assert ros.check_ros({}).status is Status.OK


def test_messages_not_built_or_built_from_another_source(tmp_path: Path) -> None:
    """Missing, changed, added and removed definitions are named, and the cure builds them."""
    assert ros.check_messages(ros.installed_folder({}), None).status is Status.FAIL
    built, source = tmp_path / "built", tmp_path / "source"
    for folder in (built / "msg", source / "msg"):
        folder.mkdir(parents=True)
        (folder / "A.msg").write_text("int32 a\n")
    assert ros.check_messages(built, source).status is Status.OK
    (source / "msg" / "A.msg").write_text("int64 a\n")
    (source / "msg" / "B.msg").write_text("int32 b\n")
    (built / "msg" / "C.msg").write_text("int32 c\n")
    result = ros.check_messages(built, source)
    assert result.status is Status.FAIL
    assert "msg/A.msg, msg/B.msg, msg/C.msg (removed)" in result.found
    assert "make up" in result.cure


def test_the_messages_here_are_built_from_the_source_here() -> None:
    """The check passes on this very environment, and it does see the source."""
    source = ros.source_folder()
    assert source is not None
    result = ros.check_messages(ros.installed_folder(), source)
    assert result.status is Status.OK, result.found


def test_the_middleware_passes_a_message_there_and_back(ros_domain: int) -> None:
    """Two real processes exchange a message; the result names middleware and domain."""
    result = ros.check_rmw()
    assert result.status is Status.OK, result.found
    assert "rmw_" in result.found
    assert f"domain {ros_domain}" in result.found


def test_a_middleware_that_is_not_there_fails(ros_domain: int) -> None:
    """A chosen implementation that cannot be loaded fails with the one that can."""
    environ = {**os.environ, "RMW_IMPLEMENTATION": "rmw_that_is_not_there"}
    result = ros.check_rmw(environ, timeout=5.0)
    assert result.status is Status.FAIL
    assert "unset RMW_IMPLEMENTATION" in result.cure


def test_the_renderer_draws_or_says_why_not() -> None:
    """One of the backends draws a real picture on this machine."""
    result = renderer.check_renderer()
    assert result.status is not Status.FAIL, result.found
    assert "draws" in result.found


def test_a_broken_backend_is_replaced_by_one_that_works() -> None:
    """When the chosen backend fails, the one that draws is the cure."""
    probe = "import os; assert os.environ['MUJOCO_GL'] == 'osmesa', 'no display'; print(80, 40)"
    result = renderer.check_renderer({"MUJOCO_GL": "glfw"}, probe=probe)
    assert result.status is Status.WARN
    assert "no display" in result.found
    assert result.cure == "export MUJOCO_GL=osmesa"


@pytest.mark.parametrize("probe", ["print(0.0, 0.0)", "print(200.0, 0.0)"], ids=["black", "grey"])
def test_a_blank_picture_is_a_failure(probe: str) -> None:
    """A renderer that runs and draws nothing fails, with the packages to install."""
    result = renderer.check_renderer({}, probe=probe)
    assert result.status is Status.FAIL
    assert "blank" in result.found
    assert "libegl1" in result.cure


def test_a_driver_that_kills_its_process_is_a_failure() -> None:
    """A crash in a driver takes the probe down and not the doctor."""
    result = renderer.check_renderer({}, probe="import os; os.abort()")
    assert result.status is Status.FAIL
    assert "exit status" in result.found


def test_a_driver_that_hangs_is_a_failure() -> None:
    """A renderer without an end is given up."""
    problem = renderer.render("egl", dict(os.environ), "while True: pass", timeout=0.5)
    assert "no picture within" in problem


def test_keys_missing_open_or_complete(tmp_path: Path) -> None:
    """No folder, no bridge key, no operator, readable by others: each has its cure."""
    folder = tmp_path / "keys"
    assert stack.check_keys(folder).status is Status.WARN
    store = KeyStore(folder)
    pair = store.ensure("operator")
    assert "rove keys create bridge" in stack.check_keys(folder).cure
    store.ensure("bridge")
    assert "no operator" in stack.check_keys(folder).found
    store.authorize("operator", "operator", pair.public)
    assert stack.check_keys(folder).status is Status.OK
    (folder / "bridge.key").chmod(0o644)
    open_key = stack.check_keys(folder)
    assert open_key.status is Status.FAIL
    assert "chmod 600" in open_key.found


def test_an_unknown_robot_fails_with_the_known_ones() -> None:
    """The robot's error names what is allowed."""
    result = stack.check_robot("r2d2")
    assert result.status is Status.FAIL
    assert "g1_dex3" in result.found
    assert stack.check_robot("g1_dex3").status is Status.OK


def test_a_policy_that_is_none_missing_or_broken(tmp_path: Path) -> None:
    """No policy is a choice; a missing or a truncated file is a failure that names it."""
    assert stack.check_policy("g1_dex3", "none").status is Status.OK
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07 not a policy")
    for path in (tmp_path / "missing.onnx", broken):
        result = stack.check_policy("g1_dex3", str(path))
        assert result.status is Status.FAIL
        assert path.name in result.found
        assert "policy:=" in result.cure


CHECKS = [
    ok("alpha", "fine"),
    warn("beta", "odd [1]", "look at it"),
    fail("gamma", "broken", "mend it"),
]


@pytest.mark.parametrize(("count", "status"), [(1, 0), (2, 0), (3, 1)])
def test_the_exit_status_tells_failures_alone(
    count: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 needs a failure; every problem is printed with its cure beside it."""
    steps = [(check.name, lambda check=check: check) for check in CHECKS[:count]]
    monkeypatch.setattr(cli, "all_checks", lambda *_: steps)
    assert cli.main([]) == status
    shown = capsys.readouterr().out
    for check in CHECKS[:count]:
        assert check.name in shown
        assert check.found in shown
        assert check.cure in shown
    assert cli.main(["--json"]) == status
    told = json.loads(capsys.readouterr().out)
    assert [entry["cure"] for entry in told] == [check.cure for check in CHECKS[:count]]
