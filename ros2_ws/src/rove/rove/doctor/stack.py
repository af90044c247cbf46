"""Checks of what belongs to ROVE itself: keys, robot model, policy."""

from __future__ import annotations

from pathlib import Path

from rove.doctor.check import Check, fail, ok, warn
from rove.policies import policy_path
from rove_core.errors import RoveError
from rove_core.keys import KeyStore
from rove_core.robot import load_robot

BRIDGE_KEY, OPERATOR_ROLE = "bridge", "operator"


def check_keys(folder: Path | None = None) -> Check:
    """Say whether the bridge has its pair of keys and knows an operator."""
    store = KeyStore(folder)
    where = str(store.folder)
    if not store.folder.is_dir():
        cure = f"`rove up` makes them, or: rove keys create {BRIDGE_KEY}"
        return warn("keys", f"none yet at {where}", cure)
    try:
        operators = store.authorized(OPERATOR_ROLE)
        if not (store.folder / f"{BRIDGE_KEY}.key").is_file():
            cure = f"`rove up` makes it, or: rove keys create {BRIDGE_KEY}"
            return warn("keys", f"no key of the {BRIDGE_KEY} at {where}", cure)
        store.load(BRIDGE_KEY)
    except RoveError as error:
        return fail("keys", str(error), f"mend or remove that file, then `rove up`; folder {where}")
    if not operators:
        cure = "`rove up` adds the scripted operator; for a headset see `rove keys --help`"
        return warn("keys", f"no operator is authorized at {where}", cure)
    return ok("keys", f"{BRIDGE_KEY}, operators {', '.join(sorted(operators.values()))} at {where}")


def check_robot(robot: str) -> Check:
    """Say whether the robot's profile and its URDF load and fit each other."""
    try:
        spec = load_robot(robot)
    except RoveError as error:
        cure = "robot:=NAME of a profile that exists; the URDFs come with `make up`"
        return fail("robot", str(error), cure)
    cameras = ", ".join(spec.cameras)
    return ok("robot", f"{spec.name}: {len(spec.joint_names)} joints, cameras {cameras}")


def check_policy(robot: str, policy: str) -> Check:
    """Say whether the policy loads, runs once and fits the robot."""
    if policy == "none":
        return ok("policy", "none: waits for policy/load")
    try:
        from rove_policy.runner import Policy  # onnxruntime, only when it is looked at

        path = policy_path(policy)
        loaded = Policy.load(path, load_robot(robot))
    except (RoveError, ImportError) as error:
        cure = "policy:=FILE.onnx made for this robot, or policy:=none; the shipped one is in git"
        return fail("policy", str(error), cure)
    return ok("policy", f"{path.name} ({loaded.digest[:19]}) fits {robot}")
