"""The robot as a MuJoCo model, built from its URDF and its profile.

What stands in for the parts of a real humanoid that are not simulated:

- **Balance controller**: the pelvis is a free body, and both feet are held to the floor by weld
  equalities. The legs still carry the body and give a little under load, but the robot cannot
  fall or step. Nothing learnt here says anything about balance.
- **Motor drives**: position actuators with the URDF's force limits; gravity compensation on
  every body stands for the drive's feed-forward.
- **Self collision**: off; only forearms and hands collide, with the task's objects.
"""

from __future__ import annotations

from xml.etree import ElementTree

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rove_core.robot import CameraSpec, RobotSpec
from rove_sim.meshes import decimated, resolve_mesh

TIMESTEP_S = 0.005  # stable at 2.5-5 ms with the drives below

# Stiffness kp (Nm/rad) of the drives by a part of the name; the first match counts. The ankles are
# stiff: with 150 a hand that presses 40 N bends the whole body back by 20 cm, which a balance
# controller would not allow.
STIFFNESS = (
    ("ankle", 300.0),
    ("hip", 300.0),
    ("knee", 300.0),
    ("waist", 300.0),
    ("shoulder", 100.0),
    ("elbow", 100.0),
    ("wrist", 40.0),
    ("head", 50.0),
)
FINGER_STIFFNESS = 2.0
OTHER_STIFFNESS = 100.0  # a joint whose name says nothing
# kv = ratio * kp, s. The ankles' ratio damps the swing of the body about them to 0.7 of critical.
DAMPING_RATIO, FINGER_DAMPING_RATIO, ANKLE_DAMPING_RATIO = 0.08, 0.05, 0.3
ARMATURE, FINGER_ARMATURE = 0.01, 0.001  # kg m2
DAMPING, FINGER_DAMPING = 0.5, 0.02  # Nm s/rad
WELD_SOLREF = (0.008, 1.0)

RENDER_FACES = 300
HULL_VERTICES = 24
# Bodies of the robot carry contact type 2 and meet objects of type 1; so the robot never
# collides with itself (a curled hand would fight its own fingers).
ROBOT_CONTACT, OBJECT_CONTACT = 2, 1
SIDES = ("left", "right")


def build_robot(spec: RobotSpec, faces: int = RENDER_FACES) -> mujoco.MjSpec:
    """Return the robot alone: free pelvis, actuators in the order of ``spec.joint_names``, cameras.

    The feet's soles lie on z = 0 when the joints are at ``spec.home``; the pelvis looks along +x.

    Args:
        spec: the robot.
        faces: triangles per link of the pictures; use more for a picture for people.
    """
    model = mujoco.MjSpec.from_string(_urdf_for_mujoco(spec, faces))
    model.body(spec.frames["pelvis"]).add_freejoint(name="floating_base")
    model.option.timestep = TIMESTEP_S
    model.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    for body in model.bodies[1:]:
        body.gravcomp = 1.0
    for geom in model.geoms:  # what the URDF shows is only shown; hulls are added below
        geom.contype, geom.conaffinity, geom.group = 0, 0, 1
    _add_drives(model, spec)
    _add_hulls(model, spec)
    for camera in spec.cameras.values():
        _add_camera(model, camera)
    _stand(model, spec)
    return model


def _urdf_for_mujoco(spec: RobotSpec, faces: int) -> str:
    """Return the URDF with decimated meshes, without its collision shapes."""
    root = ElementTree.parse(spec.urdf_path).getroot()
    for link in root.findall("link"):
        for collision in link.findall("collision"):
            link.remove(collision)
    for mesh in root.iter("mesh"):
        source = resolve_mesh(mesh.get("filename", ""), spec.mesh_root, str(spec.urdf_path))
        mesh.set("filename", str(decimated(source, faces)))
    options = {"strippath": "false", "discardvisual": "false", "fusestatic": "false"}
    ElementTree.SubElement(ElementTree.SubElement(root, "mujoco"), "compiler", options)
    return ElementTree.tostring(root, encoding="unicode")


def _add_drives(model: mujoco.MjSpec, spec: RobotSpec) -> None:
    fingers = {joint for side in SIDES for joint in spec.groups.get(f"{side}_hand", ())}
    for name, effort in zip(spec.joint_names, spec.effort, strict=True):
        finger = name in fingers
        named = (value for part, value in STIFFNESS if part in name)
        kp = FINGER_STIFFNESS if finger else next(named, OTHER_STIFFNESS)
        ankle_or_body = ANKLE_DAMPING_RATIO if "ankle" in name else DAMPING_RATIO
        kv = kp * (FINGER_DAMPING_RATIO if finger else ankle_or_body)
        joint = model.joint(name)
        joint.armature = FINGER_ARMATURE if finger else ARMATURE
        joint.damping = np.full(3, FINGER_DAMPING if finger else DAMPING)
        drive = model.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.gaintype, drive.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
        drive.gainprm[0] = kp
        drive.biasprm[1:3] = -kp, -kv
        drive.forcerange, drive.forcelimited = (-effort, effort), True


def _add_hulls(model: mujoco.MjSpec, spec: RobotSpec) -> None:
    """Give forearms and hands, all that moves with an elbow, the convex hull of what they show."""
    for body in _below(model, [spec.frame(f"{side}_elbow").parent for side in SIDES]):
        for shown in list(body.geoms):
            if shown.type != mujoco.mjtGeom.mjGEOM_MESH:  # a tip drawn as a ball is touched as one
                shown.contype, shown.conaffinity = ROBOT_CONTACT, OBJECT_CONTACT
                continue
            model.mesh(shown.meshname).maxhullvert = HULL_VERTICES
            body.add_geom(
                name=f"{body.name}_hull",
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=shown.meshname,
                pos=shown.pos,
                quat=shown.quat,
                group=3,
                mass=0.0,
                contype=ROBOT_CONTACT,
                conaffinity=OBJECT_CONTACT,
            )


def _below(model: mujoco.MjSpec, links: list[str]) -> list[mujoco.MjsBody]:
    """Return links and what they carry, in the order of the model."""
    carried = set(links)
    found = []
    for body in model.bodies:
        if body.name in carried or (body.parent is not None and body.parent.name in carried):
            carried.add(body.name)
            found.append(body)
    return found


def _add_camera(model: mujoco.MjSpec, camera: CameraSpec) -> None:
    # The profile's camera looks along +x with +z up, MuJoCo's along -z with +y up.
    look = Rotation.from_euler("xyz", camera.rpy) * Rotation.from_matrix(
        [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]
    )
    model.body(camera.parent).add_camera(
        name=camera.name,
        pos=camera.position,
        quat=np.roll(look.as_quat(), 1),
        fovy=np.rad2deg(camera.fovy),
    )


def _stand(model: mujoco.MjSpec, spec: RobotSpec) -> None:
    """Put the soles on the floor in the home posture and weld the feet there."""
    compiled = model.compile()
    data = mujoco.MjData(compiled)
    for name, value in zip(spec.joint_names, spec.home, strict=True):
        data.qpos[compiled.joint(name).qposadr] = value
    mujoco.mj_kinematics(compiled, data)
    feet = [spec.frames["left_foot"], spec.frames["right_foot"]]
    height = -min(_lowest(compiled, data, foot) for foot in feet)
    model.body(spec.frames["pelvis"]).pos[2] += height
    for foot in feet:
        weld = model.add_equality(
            name=f"{foot}_on_floor",
            type=mujoco.mjtEq.mjEQ_WELD,
            name1=foot,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            solref=WELD_SOLREF,
        )
        # relpose: the world's pose in the foot's frame, as MuJoCo's weld to the world wants it.
        turn = Rotation.from_quat(np.roll(data.body(foot).xquat, -1)).inv()
        weld.data[0:3] = 0.0  # anchor; a fresh equality holds a one here
        weld.data[3:6] = -turn.apply(data.body(foot).xpos + np.array([0.0, 0.0, height]))
        weld.data[6:10] = np.roll(turn.as_quat(), 1)
        weld.data[10] = 1.0  # torque scale


def _lowest(model: mujoco.MjModel, data: mujoco.MjData, body: str) -> float:
    """Return the z (m) of the lowest vertex of what a body shows."""
    lowest = np.inf
    index = model.body(body).id
    for geom in range(
        model.body_geomadr[index], model.body_geomadr[index] + model.body_geomnum[index]
    ):
        mesh = model.geom_dataid[geom]
        if mesh < 0:
            continue
        start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        points = model.mesh_vert[start : start + count] @ data.geom_xmat[geom].reshape(3, 3).T
        lowest = min(lowest, float((points[:, 2] + data.geom_xpos[geom][2]).min()))
    return lowest
