"""Small policy files that are built by hand, and observations: no torch in these tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rove_core.delivery.manifest import METADATA_KEY, PolicyManifest
from rove_core.observation import Observation
from rove_core.robot import RobotSpec

HORIZON = 4
WORDS = ("erase", "red")


def hold_graph(manifest: PolicyManifest, offset: float = 0.0, rows: int | None = None) -> bytes:
    """Return an ONNX model whose chunk repeats the measured joints plus an offset, rad."""
    rows = manifest.horizon if rows is None else rows
    n = manifest.size
    images = [
        helper.make_tensor_value_info(f"image_{name}", TensorProto.UINT8, [1, height, width, 3])
        for name, (width, height) in manifest.cameras.items()
    ]
    inputs = [
        *images,
        helper.make_tensor_value_info("position", TensorProto.FLOAT, [1, n]),
        helper.make_tensor_value_info(
            "instruction", TensorProto.INT64, [1, manifest.instruction_length]
        ),
        helper.make_tensor_value_info("advantage", TensorProto.FLOAT, [1]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.array([1, rows, n], dtype=np.int64), "shape"),
        numpy_helper.from_array(np.float32(offset), "offset"),
    ]
    nodes = [
        helper.make_node("Unsqueeze", ["position", "axis"], ["row"]),
        helper.make_node("Add", ["row", "offset"], ["moved"]),
        helper.make_node("Expand", ["moved", "shape"], ["chunk"]),
    ]
    output = helper.make_tensor_value_info("chunk", TensorProto.FLOAT, [1, rows, n])
    graph = helper.make_graph(nodes, "hold", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data: bytes = model.SerializeToString()
    return data


def with_manifest(data: bytes, text: str | None) -> bytes:
    """Return the model with a manifest's text inside, or as it is."""
    model = onnx.load_from_string(data)
    if text is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, text
    done: bytes = model.SerializeToString()
    return done


def observe(spec: RobotSpec, instruction: str = "erase red", **changes: Any) -> Observation:
    """Return an observation at home; ``changes`` replace its fields."""
    fields: dict[str, Any] = {
        "stamp_ns": 7_000_000_000,
        "images": {"ego": np.zeros((128, 128, 3), dtype=np.uint8)},
        "position": spec.home,
        "instruction": instruction,
    }
    return Observation(**(fields | changes))
