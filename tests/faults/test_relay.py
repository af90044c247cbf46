"""The bad cable itself: what it does to frames is what the words of netem say."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.faults.network import NETEM, Cable
from tests.faults.relay import Badness, Fate
from tests.faults.verdict import SkippedError

FRAMES = 20_000
QUIET_S = 1.2
"""After which nothing more comes."""
ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("", 9))
    print("listens", flush=True)
    while True:
        data, sender = sock.recvfrom(2048)
        sock.sendto(data, sender)
"""


def _fates(how: str) -> list[list[float]]:
    fate = Fate(Badness.parse(how), random.Random(0))
    return [fate.of_next() for _ in range(FRAMES)]


def test_a_good_cable_changes_nothing() -> None:
    assert _fates("") == [[0.0]] * FRAMES


def test_shares_are_those_that_were_asked_for() -> None:
    lost = sum(not copies for copies in _fates("loss 30%"))
    assert lost / FRAMES == pytest.approx(0.3, abs=0.02)
    doubled = sum(len(copies) == 2 for copies in _fates("duplicate 60%"))
    assert doubled / FRAMES == pytest.approx(0.6, abs=0.02)


def test_delays_lie_within_their_jitter_and_reordering_overtakes() -> None:
    late = [copies[0] for copies in _fates("delay 400ms 50ms")]
    assert 0.35 <= min(late) < 0.36
    assert 0.44 < max(late) <= 0.45
    arrivals = [
        i * 0.01 + copies[0] for i, copies in enumerate(_fates("delay 30ms reorder 60% 50%"))
    ]
    assert sum(b < a for a, b in itertools.pairwise(arrivals)) > FRAMES / 20


def test_all_words_of_the_campaign_are_known() -> None:
    for how in NETEM.values():
        assert Badness.parse(how) != Badness()
    with pytest.raises(ValueError, match="corrupt"):
        Badness.parse("corrupt 3%")


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    try:
        made = Cable()
    except SkippedError as why:
        pytest.skip(str(why))
    with contextlib.closing(made):
        yield made


def _through(cable: Cable, count: int) -> list[tuple[int, float]]:
    """Send numbered datagrams to the far end and back; return (number, s) of what came."""
    far = subprocess.run(
        [*cable.inside, "ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True
    ).stdout
    address = next(word.split("/")[0] for word in far.split() if word.startswith("10.213."))
    command = [*cable.inside, sys.executable, "-c", ECHO]
    came: list[tuple[int, float]] = []
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as echo,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        try:
            assert echo.stdout is not None
            assert echo.stdout.readline() == "listens\n"
            sent = []
            for number in range(count):
                sent.append(time.monotonic())
                sock.sendto(str(number).encode(), (address, 9))
            sock.settimeout(QUIET_S)
            with contextlib.suppress(TimeoutError):
                while True:
                    number = int(sock.recv(2048))
                    came.append((number, time.monotonic() - sent[number]))
        finally:
            echo.kill()
    return came


def test_a_real_cable_carries_loses_delays_and_doubles(cable: Cable) -> None:
    """Datagrams of two sockets in two namespaces, by netem or by the relay."""
    assert {number for number, _ in _through(cable, 20)} == set(range(20))
    try:
        cable.spoil("delay 400ms 50ms")
        assert min(late for _, late in _through(cable, 20)) > 0.65  # there and back
        cable.spoil("")
        cable.spoil("duplicate 60%")
        assert len(_through(cable, 50)) > 60
        cable.spoil("")
        cable.spoil("loss 30%")
        assert 5 < len({number for number, _ in _through(cable, 100)}) < 85
    finally:
        cable.spoil("")
    assert {number for number, _ in _through(cable, 20)} == set(range(20))
