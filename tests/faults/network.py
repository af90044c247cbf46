"""The network between two machines: the operator's side and the policy in a namespace of its own.

Bridge, teleop, operator and policy run behind a pair of virtual cables, robot and arbiter before
it, with UDP only: shared memory would go past the network. The cable is pulled, and `tc netem`
loses, delays, reorders and doubles what goes over it, both ways; where the kernel has no netem, a
process of our own between two tap devices does, see `relay`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
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

    Attributes:
        inside: words before a command that runs at the far end.
        relayed: the kernel has no netem; a relay of our own carries the frames.

    Raises:
        SkippedError: this machine allows none.
    """

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name, self._here, self._there = f"rove-{number}", f"rv{number}a", f"rv{number}b"
        self.inside = ("ip", "netns", "exec", self.name)
        self._relay: subprocess.Popen[str] | None = None
        if not (shutil.which("ip") and shutil.which("tc")):
            raise SkippedError("no iproute2 (ip, tc) here")
        pair = ("ip", "link", "add", self._here, "type", "veth", "peer", "name", self._there)
        self._ask(("ip", "netns", "add", self.name), pair)
        self.relayed = bool(_do(*_qdisc(self._here, "loss 1%")))
        if self.relayed:
            self._ask(("ip", "link", "del", self._here))
            self._start_relay()
        else:
            self._ask(_qdisc(self._here, ""))
        near, far = f"10.213.{number}.1", f"10.213.{number}.2"
        up = ("up", "multicast", "on")
        self._ask(
            ("ip", "link", "set", self._there, "netns", self.name),
            ("ip", "addr", "add", f"{near}/30", "dev", self._here),
            ("ip", "link", "set", self._here, *up),
            (*self.inside, "ip", "link", "set", "lo", *up),
            (*self.inside, "ip", "addr", "add", f"{far}/30", "dev", self._there),
            (*self.inside, "ip", "link", "set", self._there, *up),
            (*self.inside, "ip", "route", "add", "default", "via", near),
        )

    def _ask(self, *commands: tuple[str, ...]) -> None:
        for words in commands:
            if said := _do(*words):
                self.close()
                raise SkippedError(f"{' '.join(words[:4])}: {said}")

    def _start_relay(self) -> None:
        command = [sys.executable, "-m", "tests.faults.relay", self._here, self._there]
        pipe = subprocess.PIPE
        root = Path(__file__).parents[2]
        self._relay = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root)
        if self._answer() != "open":
            self.close()
            raise SkippedError("no netem and no tap devices here")

    def _answer(self) -> str:
        assert self._relay is not None
        assert self._relay.stdout is not None
        return self._relay.stdout.readline().strip()

    def spoil(self, how: str) -> None:
        """Let both ends of the cable lose, delay, reorder or double; "": neither."""
        if self._relay is not None:
            assert self._relay.stdin is not None
            self._relay.stdin.write(f"{how}\n")
            self._relay.stdin.flush()
            assert self._answer() == "done", how
            return
        for before, end in (((), self._here), (self.inside, self._there)):
            said = _do(*before, *_qdisc(end, how))
            assert not said or not how, said

    def plug(self, is_in: bool) -> None:
        """Pull the cable, or put it in again."""
        said = _do("ip", "link", "set", self._here, "up" if is_in else "down")
        assert not said, said

    def close(self) -> None:
        """Remove namespace and cable, as far as they are there."""
        if self._relay is not None:
            self._relay.communicate()  # its devices go with it
        _do("ip", "link", "del", self._here)
        _do("ip", "netns", "del", self.name)


def _qdisc(end: str, how: str) -> tuple[str, ...]:
    """Return the command that makes an end of a cable bad, or good again."""
    if not how:
        return ("tc", "qdisc", "del", "dev", end, "root")
    return ("tc", "qdisc", "add", "dev", end, "root", "netem", *how.split())


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
            by = " (relay)" if cable.relayed else ""
            for number, (name, do) in enumerate(_faults(cable)):
                if name in chosen:
                    yield play(graph, first + number, Fault(name + by, Authority.HUMAN, do))
