"""Observation: what a policy or a critic may see at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ContractError

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Observation:
    """One observation; arrays are copied and read-only.

    Attributes:
        stamp_ns: ROS time of the newest stream in it (the frame's time), ns.
        images: camera name -> (H, W, 3) uint8, RGB.
        position: (N,) rad, measured joint positions, joint order of the spec.
        instruction: what the robot was told to do.
    """

    stamp_ns: int
    images: Mapping[str, Image]
    position: FloatArray
    instruction: str

    def __post_init__(self) -> None:
        images = {}
        for name, image in self.images.items():
            picture = np.array(image)
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise ContractError(
                    f"image of camera {name!r}: {picture.dtype} {picture.shape} given, "
                    "uint8 (H, W, 3) allowed"
                )
            picture.setflags(write=False)
            images[name] = picture
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "position", frozen_floats(self.position, (None,), "position"))
