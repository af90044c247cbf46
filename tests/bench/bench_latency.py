"""The two ways of the running graph, measured by its own ledger, and what encryption costs them."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from rove.environment import ensure_ament_prefix
from tests.bench.result import Result, percentile

SECONDS = float(os.environ.get("ROVE_BENCH_SECONDS", "60"))
"""Of the running graph; 600 shows whether a lag grows."""
TICK_MS = 5.0
ROUNDS, MESSAGES, PAYLOAD = 6, 400, bytes(1024)
HZ = 500.0


def bench_graph() -> Iterator[Result]:
    """Frames of a scripted headset (72 Hz, CURVE) that takes over, wipes and hands back; simulator,
    policy and recorder run beside it."""
    ensure_ament_prefix()
    from rove_core.bag.reader import Bag, find_bags
    from rove_core.bag.stats.ledger import ledger_times
    from rove_core.latency.legs import LEGS, OPERATOR_LEGS, SUMS
    from rove_core.latency.words import reports_of
    from tests.system.graph_harness import RunningGraph

    times: dict[str, list[float]] = {leg.name: [] for leg in LEGS}
    presses: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        graph = RunningGraph(Path(name), episodes=0, takeover_at=1.0)
        try:
            graph.probe.wait("an arbiter", lambda: graph.probe.state)
            over = time.monotonic() + SECONDS
            while time.monotonic() < over:  # the lab itself resumes after a machine stood still
                graph.probe.hears(lambda: False, 1.0)
            told = graph.probe.health["latency, camera to operator"]
        finally:
            graph.close()
        for path in find_bags(graph.bags):
            bag = Bag(path)
            for leg, found in ledger_times(bag).items():
                times[leg] += found
            for _, message, *_ in bag.messages(
                ["arbiter/handover"] if "arbiter/handover" in bag.topics else []
            ):
                if message.kind == 0 and math.isfinite(message.press_to_authority_ms):
                    presses.append(float(message.press_to_authority_ms))
    legs = {leg.key: leg for leg in LEGS}
    way = times[legs["frame_to_command"].name]
    yield Result("frame received to command, p50", percentile(way, 50), "ms", math.nan, 10.0)
    yield Result("frame received to command, p99", percentile(way, 99), "ms", math.nan, 30.0)
    whole = percentile(times[legs["hand_to_robot"].name], 50)
    for leg in OPERATOR_LEGS:
        if leg.key not in SUMS:  # baseline: the whole way, so that the ratio is the leg's share
            own = percentile(times[leg.name], 50)
            yield Result(f"leg {leg.name}, p50 and share", own, "ms", whole, math.inf)
    yield Result(
        f"press to authority, p99 of {len(presses)}",
        percentile(presses, 99) if presses else math.nan,
        "ms",
        math.nan,
        2 * TICK_MS + 10.0,
    )
    delivered = [
        report.p99_ms
        for _, _, values in told
        for report in reports_of(values)
        if report.leg.key == "delivery"
    ]
    yield Result("ego captured to delivered, p99", statistics.median(delivered), "ms", 1.0, 100.0)
    third = max(len(delivered) // 3, 1)
    first, last = statistics.median(delivered[:third]), statistics.median(delivered[-third:])
    yield Result(
        f"ego captured to delivered, p99 at the end of {SECONDS:g} s", last, "ms", first, 2 * first
    )
    eye = times[legs["camera_to_eye"].name]
    yield Result("ego captured to shown, p99", percentile(eye, 99), "ms", math.nan, 150.0)


def bench_curve() -> Iterator[Result]:
    """Echoes of 1 KB at 500 Hz over the loopback, CURVE and plain in turns."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for curve in (True, False):
            found[curve] += _echoes(curve)
    ours, plain = (percentile(found[curve], 50) for curve in (True, False))
    yield Result("echo over CURVE, p50", ours, "ms", plain, 1.2 * plain)


def _echoes(curve: bool) -> list[float]:
    """Return the round trips of one connection, ms."""
    context = zmq.Context()
    server, client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    if curve:
        public, server.curve_secretkey = zmq.curve_keypair()
        server.curve_publickey, server.curve_server = public, True
        client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
        client.curve_serverkey = public
    port = server.bind_to_random_port("tcp://127.0.0.1")
    client.connect(f"tcp://127.0.0.1:{port}")
    done = threading.Event()

    def answer() -> None:
        while not done.is_set():
            if server.poll(50):
                server.send_multipart(server.recv_multipart())

    thread = threading.Thread(target=answer)
    thread.start()
    trips = []
    try:
        client.send(b"ready")
        client.recv()
        due = time.monotonic()
        for _ in range(MESSAGES):
            due += 1 / HZ
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.perf_counter()
            client.send(PAYLOAD)
            client.recv()
            trips.append(1e3 * (time.perf_counter() - began))
    finally:
        done.set()
        thread.join()
        client.close(linger=0)
        server.close(linger=0)
        context.term()
    return trips
