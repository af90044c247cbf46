"""Checked, read-only copies of arrays for the boundaries of the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.errors import ContractError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


def frozen_floats(
    value: Any, shape: tuple[int | None, ...], name: str, dtype: npt.DTypeLike = np.float64
) -> npt.NDArray[Any]:
    """Return a read-only copy of ``value`` after checking its shape and that it is finite.

    Args:
        value: anything numpy can turn into a float array.
        shape: the expected shape; ``None`` accepts any length of at least 1 along that axis.
        name: what the array is, for the error.
        dtype: dtype of the copy.

    Raises:
        ContractError: wrong number of axes, wrong length or a value that is not finite.
    """
    try:
        array = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{name}: not a numeric array: {error}") from error
    wanted = "(" + ", ".join("n" if n is None else str(n) for n in shape) + ")"
    fits = array.ndim == len(shape) and all(
        (n is None and m >= 1) or n == m for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ContractError(f"{name}: shape {array.shape} given, {wanted} allowed")
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        raise ContractError(f"{name}: value at index {tuple(int(i) for i in bad)} is not finite")
    array.setflags(write=False)
    return array
