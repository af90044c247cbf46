"""Where the policy file is that a parameter names."""

from __future__ import annotations

from importlib import util
from pathlib import Path

from rove_core.errors import ConfigError

SHIPPED = "erase_whiteboard.onnx"


def policy_path(name: str) -> Path:
    """Return the file for ``shipped`` or for a path; whether it can be loaded is the slot's word.

    Raises:
        ConfigError: ``shipped``, but the package that carries the policy is not installed.
    """
    if name != "shipped":
        return Path(name).expanduser()
    found = util.find_spec("rove_sim")  # only looked up: the node imports nothing of it
    if found is None or found.origin is None:
        raise ConfigError("policy", name, "an ONNX file: rove_sim is not installed", "policy")
    return Path(found.origin).parent / "policies" / SHIPPED
