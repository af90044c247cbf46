"""What the kernel knows of the wall clock's discipline (``adjtimex(2)``), without any network."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

STA_UNSYNC = 0x0040
STA_NANO = 0x2000


@dataclass(frozen=True)
class KernelClock:
    """State of the wall clock.

    Attributes:
        synchronised: a time service keeps it.
        offset: s still to be slewed.
    """

    synchronised: bool
    offset: float


class _Timex(ctypes.Structure):
    # The layout of struct timex on 64-bit Linux, as far as it is read, and room for the rest.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def decode(status: int, offset: int) -> KernelClock:
    """Return the state for the status bits and the offset (ns with STA_NANO, else us)."""
    unit = 1e-9 if status & STA_NANO else 1e-6
    return KernelClock(not status & STA_UNSYNC, offset * unit)


def read_kernel_clock() -> KernelClock | None:
    """Read the state; None where the system call is not allowed or not there."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return None
    state = _Timex()  # modes = 0: read only
    if adjtimex(ctypes.byref(state)) < 0:
        return None
    return decode(state.status, state.offset)
