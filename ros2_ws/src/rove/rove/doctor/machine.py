"""Checks of the machine: Python, disk, shared memory, clock, ports."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rove.doctor.check import Check, fail, ok, warn
from rove.doctor.kernel_clock import KernelClock, read_kernel_clock

GB = 1e9
BAG_RATE = 8e6  # bytes/s that a bag with a camera grows by (docs/interfaces.md)
DISK_FAIL, DISK_WARN = 1 * GB, 10 * GB  # 2 and 20 minutes of recording
# Fast DDS puts one segment of half a megabyte and more per process there; a container's default
# of 64 MB is filled by a graph of eight.
SHM_WARN = 128e6
PYTHONS = ((3, 11), (3, 13))
CLOCK_STEP = 5e-3  # s, disagreement of two clocks over the interval that is a step, not jitter
CLOCK_INTERVAL = 0.1  # s
CLOCK_OFFSET = 10e-3  # s, above it operator and robot disagree by more than a control period


def check_python(
    version: tuple[int, int] = sys.version_info[:2], machine: str | None = None
) -> Check:
    """Say whether interpreter and processor are among the supported ones."""
    machine = platform.machine() if machine is None else machine
    found = f"{version[0]}.{version[1]} on {machine} ({sys.prefix})"
    low, high = (".".join(map(str, bound)) for bound in PYTHONS)
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        cure = f"install Python {low} to {high}, remove .venv, then PYTHON=python{low} make up"
        return fail("python", found, cure)
    if machine != "x86_64":
        cure = "use an x86_64 machine, or install and source ROS 2 Jazzy: its wheels are x86_64's"
        return warn("python", found, cure)
    return ok("python", found)


def check_disk(
    folder: Path, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage
) -> Check:
    """Say whether bags fit on the disk that holds ``folder`` (it need not exist yet)."""
    place = folder.expanduser().absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        cure = f"sudo chown -R $USER {place}, or bags:=FOLDER with one you may write to"
        return fail("disk", f"{place} is not writable", cure)
    free = usage(place)[2]
    found = f"{free / GB:.1f} GB free at {place}, {free / BAG_RATE / 60:.0f} min of recording"
    cure = "remove old bags, or bags:=FOLDER on a larger disk"
    if free < DISK_FAIL:
        return fail("disk", found, cure)
    return warn("disk", found, cure) if free < DISK_WARN else ok("disk", found)


def check_shared_memory(
    folder: Path = Path("/dev/shm"),
    usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
) -> Check:
    """Say whether Fast DDS can pass pictures between processes through shared memory."""
    name, container = "shared memory", "in a container: docker run --shm-size=1g"
    if not folder.is_dir():
        return fail(name, f"{folder} is missing", f"mount -t tmpfs tmpfs {folder}; {container}")
    probe = folder / f"rove-doctor-{secrets.token_hex(8)}"
    try:
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        cure = f"chmod 1777 {folder}, or remount it writable; {container}"
        return fail(name, f"{folder} is not writable ({error.strerror})", cure)
    total, _, free = usage(folder)
    found = f"{free / 1e6:.0f} of {total / 1e6:.0f} MB free at {folder}"
    if free < SHM_WARN:
        leftover = "remove leftovers of killed processes: .venv/bin/fastdds shm clean"
        return warn(name, found, f"{leftover}; {container}")
    return ok(name, found)


def check_clock(
    monotonic: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    kernel: Callable[[], KernelClock | None] = read_kernel_clock,
    built_at: float | None = None,
) -> Check:
    """Say whether the clocks run evenly and the wall clock is kept right.

    Args:
        monotonic, wall: clocks in seconds.
        sleep: waits for seconds.
        kernel: the kernel's word on the wall clock's discipline; None where it gives none.
        built_at: wall time that cannot be in the future; this file's own by default.
    """
    synchronise = "sudo timedatectl set-ntp true (or install chrony)"
    built_at = Path(__file__).stat().st_mtime if built_at is None else built_at
    start_monotonic, start_wall = monotonic(), wall()
    sleep(CLOCK_INTERVAL)
    elapsed, walked = monotonic() - start_monotonic, wall() - start_wall
    if elapsed <= 0:
        found = f"the monotonic clock moved by {elapsed:.3f} s in {CLOCK_INTERVAL} s"
        return fail("clock", found, "the machine's clock source is broken: restart it")
    if start_wall < built_at - 1:
        found = f"the wall clock is {built_at - start_wall:.0f} s before the time of this software"
        return fail("clock", found, f"set the time: {synchronise}")
    if abs(walked - elapsed) > CLOCK_STEP:
        found = f"the wall clock stepped by {1e3 * (walked - elapsed):+.0f} ms while watched"
        return warn("clock", found, f"let one service alone slew the time: {synchronise}")
    state = kernel()
    if state is None:
        found = "even; the kernel does not tell whether the time is synchronised"
        return warn("clock", found, f"on a robot of several machines: {synchronise}")
    if not state.synchronised:
        found = "even; not synchronised, its offset from other machines is unknown"
        return warn("clock", found, f"before operator and robot are two machines: {synchronise}")
    found = f"even, synchronised, offset {1e3 * state.offset:+.2f} ms"
    if abs(state.offset) > CLOCK_OFFSET:
        return warn("clock", found, "wait until the time service has settled: chronyc tracking")
    return ok("clock", found)


def check_port(address: str) -> Check:
    """Say whether the operator bridge can listen on ``address`` (``tcp://HOST:PORT``)."""
    name = "bridge port"
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not host or not port.isdecimal():
        return fail(name, f"address {address!r}", "give it as tcp://HOST:PORT")
    with socket.socket() as probe:
        # As libzmq does: a connection of the last run in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0" if host == "*" else host, int(port)))
        except (OSError, OverflowError) as error:
            cure = f"stop the other graph (ss -ltnp 'sport = :{port}'), or bridge:=tcp://HOST:PORT"
            return fail(name, f"{address} cannot be bound: {error}", cure)
    return ok(name, f"{address} is free")
