"""The network between two machines: the operator's side and the policy in a namespace of its own.

Bridge, teleop, operator and policy run behind a pair of virtual cables, robot and arbiter before
it, with UDP only: shared memory would go past the network. The cable is pulled, and `tc netem`
loses, delays, reorders and doubles what goes over it, both ways.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from graph_harness import RunningGraph
from rove.graph import SIMULATION_TIMEOUTS
from rove_core.vocabulary import Authority, Mode
from tests.faults.driving import ARGUMENTS, within_limits
from tests.faults.graph import Fault, play
from tests.faults.processes import Play
from tests.faults.verdict import WENT_ON, Found, SkippedError, Verdict

AWAY = ("bridge", "teleop", "operator", "policy")
BAD_S = 3.0
"""For which the network is bad."""
UDP = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
 <profiles>
  <transport_descriptors>
   <transport_descriptor><transport_id>udp</transport_id><type>UDPv4</type></transport_descriptor>
  </transport_descriptors>
  <participant profile_name="rove" is_default_profile="true">
   <rtps>
    <userTransports><transport_id>udp</transport_id></userTransports>
    <useBuiltinTransports>false</useBuiltinTransports>
   </rtps>
  </participant>
 </profiles>
</dds>
"""
NETEM = {
    "network loses 30 %": "loss 30%",
    "network delays 400 ms": "delay 400ms 50ms",
    "network reorders": "delay 30ms reorder 60% 50%",
    "network doubles": "duplicate 60%",
}


def _do(*words: str) -> str:
    """Run a command of the network; return what it complains of."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{words[0]}: failed")


class Cable:
    """A network namespace and the cable to it. Closing it removes both.

    Raises:
        SkippedError: this machine allows none.
    """

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name, self._here, self._there = f"rove-{number}", f"rv{number}a", f"rv{number}b"
        if not (shutil.which("ip") and shutil.which("tc")):
            raise SkippedError("no iproute2 (ip, tc) here")
        inside = ("ip", "netns", "exec", self.name)
        near = f"10.213.{number}.1/30"
        far = f"10.213.{number}.2/30"
        for words in (
            ("ip", "netns", "add", self.name),
            ("ip", "link", "add", self._here, "type", "veth", "peer", "name", self._there),
            ("ip", "link", "set", self._there, "netns", self.name),
            ("ip", "addr", "add", near, "dev", self._here),
            ("ip", "link", "set", self._here, "up", "multicast", "on"),
            (*inside, "ip", "link", "set", "lo", "up", "multicast", "on"),
            (*inside, "ip", "addr", "add", far, "dev", self._there),
            (*inside, "ip", "link", "set", self._there, "up", "multicast", "on"),
            (*inside, "ip", "route", "add", "default", "via", near.split("/")[0]),
        ):
            if said := _do(*words):
                self.close()
                raise SkippedError(f"{' '.join(words[:4])}: {said}")
        self.inside = inside

    def spoil(self, how: str) -> None:
        """Let both ends of the cable lose, delay, reorder or double; "": neither.

        Raises:
            SkippedError: the kernel knows no netem.
        """
        for before, end in (((), self._here), (self.inside, self._there)):
            words = ("add", *(["root", "netem", *how.split()])) if how else ("del", "root")
            said = _do(*before, "tc", "qdisc", words[0], "dev", end, *words[1:])
            if said and how:
                raise SkippedError(f"tc netem: {said}")

    def plug(self, is_in: bool) -> None:
        """Pull the cable, or put it in again."""
        said = _do("ip", "link", "set", self._here, "up" if is_in else "down")
        assert not said, said

    def close(self) -> None:
        """Remove namespace and cable, as far as they are there."""
        _do("ip", "link", "del", self._here)
        _do("ip", "netns", "del", self.name)


def pulled(cable: Cable, graph: RunningGraph) -> Found:
    """The cable is pulled while a human drives: HOLD in time, from the last frame on."""
    probe = graph.probe
    cable.plug(False)
    began = time.monotonic()
    try:
        at, state = probe.wait_mode(Mode.HOLD, since=began)
    finally:
        cable.plug(True)
    assert "no frame" in state.reason or "no joint target" in state.reason, state.reason
    return float(SIMULATION_TIMEOUTS["timeouts.operator_frame"]), at - began


def spoilt(cable: Cable, how: str, graph: RunningGraph) -> Found:
    """The network is bad for a while: it goes on or holds, no command breaks a limit, and after
    it the robot serves again (the next fault begins with a human who drives)."""
    probe, first = graph.probe, len(graph.probe.commands)
    try:
        cable.spoil(how)
        probe.hears(lambda: False, BAD_S)
    finally:
        cable.spoil("")
    within_limits(probe.commands[first:], how)
    assert all(c.authority != Authority.POLICY for c in probe.commands[first:]), "the policy drives"
    return WENT_ON


def _faults(cable: Cable | None) -> Iterator[tuple[str, Play]]:
    yield "cable pulled, human", partial(pulled, cable)
    for name, how in NETEM.items():
        yield f"{name}, human", partial(spoilt, cable, how)


def campaign(first: int, words: list[str]) -> Iterator[Verdict]:
    """Play the faults of the network; on a machine that cannot make them say so."""
    names = [name for name, _ in _faults(None)]  # type: ignore[arg-type]
    chosen = [name for name in names if not words or any(word in name for word in words)]
    if not chosen:
        return
    nan = float("nan")
    try:
        cable = Cable()
    except SkippedError as why:
        for number, name in enumerate(chosen):
            yield Verdict(first + number, name, nan, nan, 0.0, "", str(why))
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(cable):
        profile = Path(folder) / "udp.xml"
        profile.write_text(UDP)
        arguments = {**ARGUMENTS, "record": False}
        graph = RunningGraph(
            Path(folder),
            dict.fromkeys(AWAY, cable.inside),
            {"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
             "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"},
            **arguments,
        )  # fmt: skip
        with contextlib.closing(graph):
            for number, (name, do) in enumerate(_faults(cable)):
                if name in chosen:
                    yield play(graph, first + number, Fault(name, Authority.HUMAN, do))
