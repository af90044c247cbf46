"""Equations that run in every cycle, compiled to machine code.

A cycle is hundreds of operations on a few numbers each; as numpy calls their overhead is several
times the arithmetic. What is compiled has its types declared, so it is compiled when it is
imported, once for a machine, and never while the robot is driven: arguments of other types are
refused. The code is kept beside the module, or in the user's cache where an installation is
read-only.

What is kept is found by its own module's date only. So a compiled function uses no constant and no
compiled function of another module: these come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*signatures: str) -> Callable[[Function], Function]:
    """Return what compiles a function for these types, for example ``"f8(f8[::1], f8)"``.

    ``f8[::1]`` is a contiguous vector, ``f8[:, ::1]`` a matrix row by row, ``f8[::1, :]`` one
    column by column, ``f8[:, :]`` a view with any strides.
    """

    def compile_(function: Function) -> Function:
        made: Any
        try:
            made = numba.njit(list(signatures), cache=True)(function)
        except RuntimeError:  # no folder to keep it in
            made = numba.njit(list(signatures))(function)
        return cast(Function, made)

    return compile_
