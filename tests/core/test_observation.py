"""Laws of Observation: checked and copied when it is made."""

from __future__ import annotations

import numpy as np
import pytest

from rove_core.errors import ContractError
from rove_core.observation import Observation


def test_nobody_changes_an_observation():
    """Inputs are copied, what is kept is read-only."""
    image, position = np.zeros((2, 3, 3), np.uint8), np.zeros(4)
    images = {"ego": image}
    observation = Observation(5, images, position, "go")
    image[:], position[:] = 9, 9
    images["other"] = image
    assert set(observation.images) == {"ego"}
    assert not observation.images["ego"].any()
    assert not observation.position.any()
    for array in (observation.images["ego"], observation.position):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 3, 3)), r"'ego': float64 \(2, 3, 3\) given, uint8 \(H, W, 3\) allowed"),
        (np.zeros((2, 3), np.uint8), r"uint8 \(2, 3\) given"),
        (np.zeros((2, 3, 4), np.uint8), r"uint8 \(2, 3, 4\) given"),
    ],
)
def test_a_bad_image_names_its_camera(image, words):
    """Wrong dtype or shape is refused with the camera's name."""
    with pytest.raises(ContractError, match=words):
        Observation(0, {"ego": image}, np.zeros(2), "")


@pytest.mark.parametrize("position", [[[0.0]], [], [np.inf], ["x"]])
def test_a_bad_position_is_refused(position):
    """Joint positions are one finite vector."""
    with pytest.raises(ContractError, match="position"):
        Observation(0, {}, position, "")
