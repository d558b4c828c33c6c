"""A body: bones with lengths, a pose made into joints by two-bone inverse kinematics, and flesh around the bones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from everybody_dance.skeleton import JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint

Point = NDArray[np.float64]
Rotation = NDArray[np.float64]
"""(3, 3): rows are the directions left, up and forward of a part, in the stage's coordinates."""


SHARES = {
    "thigh": 0.245,
    "shin": 0.245,
    "ankle": 0.045,
    "spine": 0.29,
    "neck": 0.055,
    "head": 0.13,
    "upper_arm": 0.172,
    "forearm": 0.155,
    "hand": 0.1,
    "foot": 0.13,
}
"""Lengths of bones as shares of the height, from everyday anatomy."""


@dataclass(frozen=True)
class Build:
    """Measures in metres; the names of the limbs are the bones'.

    Attributes:
        height: from sole to crown.
        broad: width of shoulders and hips, relative to the usual.
        heavy: thickness of limbs and belly, relative to the usual.
        legs, arms: their length, relative to the usual; what the legs take the spine gives.
    """

    height: float = 1.75
    broad: float = 1.0
    heavy: float = 1.0
    legs: float = 1.0
    arms: float = 1.0

    thigh: float = field(init=False)
    shin: float = field(init=False)
    ankle: float = field(init=False)
    spine: float = field(init=False)
    neck: float = field(init=False)
    head: float = field(init=False)
    upper_arm: float = field(init=False)
    forearm: float = field(init=False)
    hand: float = field(init=False)
    foot: float = field(init=False)
    shoulders: float = field(init=False)
    hips: float = field(init=False)

    def __post_init__(self) -> None:
        for name, share in SHARES.items():
            object.__setattr__(self, name, share * self.height)
        usual = self.leg
        limbs = {"thigh": self.legs, "shin": self.legs, "upper_arm": self.arms, "forearm": self.arms}
        for name, factor in limbs.items():
            object.__setattr__(self, name, factor * getattr(self, name))
        object.__setattr__(self, "spine", self.spine - (self.leg - usual))
        object.__setattr__(self, "shoulders", 0.098 * self.height * self.broad)
        object.__setattr__(self, "hips", 0.052 * self.height * self.broad)

    @property
    def leg(self) -> float:
        """From hip to ankle."""
        return self.thigh + self.shin

    @property
    def arm(self) -> float:
        """From shoulder to wrist."""
        return self.upper_arm + self.forearm


@dataclass(frozen=True)
class Skeleton:
    """A posed body on stage: x to the camera's right, y up from the floor, z away from the camera; metres.

    Attributes:
        joints: (137, 3), every keypoint's place.
        trunk, head, pelvis: frames of these parts.
        skull: centre of the head.
        fingers: for left and right, (5, 4, 3): base to tip of each finger.
    """

    joints: Point
    pelvis: Rotation
    trunk: Rotation
    head: Rotation
    skull: Point
    fingers: tuple[Point, Point]


def _turned(frame: Rotation, axis: int, angle: float) -> Rotation:
    """``frame`` rotated about its own axis (0 left, 1 up, 2 forward)."""
    one, other = frame[(axis + 1) % 3], frame[(axis + 2) % 3]
    result = frame.copy()
    result[(axis + 1) % 3] = np.cos(angle) * one + np.sin(angle) * other
    result[(axis + 2) % 3] = np.cos(angle) * other - np.sin(angle) * one
    return result


def _two_bones(start: Point, end: Point, first: float, second: float, toward: Point) -> tuple[Point, Point]:
    """Middle joint and end of two bones that reach from ``start`` towards ``end``, bent ``toward`` a direction."""
    way = end - start
    length = float(np.clip(np.linalg.norm(way), abs(first - second) + 1e-3, (first + second) * 0.999))
    along = way / max(float(np.linalg.norm(way)), 1e-6)
    bend = toward - along * float(toward @ along)
    norm = float(np.linalg.norm(bend))
    bend = bend / norm if norm > 1e-6 else np.array([0.0, 0.0, 1.0])
    near = (first**2 - second**2 + length**2) / (2 * length)
    side = np.sqrt(max(first**2 - near**2, 0.0))
    return start + along * near + bend * side, start + along * length


def _fingers(wrist: Point, along: Point, palm_side: Point, across: Point, length: float, curl: float) -> Point:
    """(5, 4, 3): thumb to little finger; ``across`` points to the thumb's side, ``palm_side`` out of the palm."""
    result = np.zeros((5, 4, 3))
    spread = (0.55, 0.2, 0.02, -0.16, -0.34)
    sizes = (0.62, 0.98, 1.06, 0.98, 0.8)
    for index, (angle, size) in enumerate(zip(spread, sizes, strict=True)):
        thumb = index == 0
        straight = np.cos(angle) * along + np.sin(angle) * across
        base = wrist + length * (
            (0.18 if thumb else 0.47) * straight + (0.2 if thumb else 0.25) * np.sin(angle) * across
        )
        place, bend = base, 0.0
        result[index, 0] = base
        for bone in range(3):
            bend += curl * (0.35 if thumb else 0.75)
            direction = np.cos(bend) * straight + np.sin(bend) * palm_side
            place = place + direction * length * size * (0.26, 0.17, 0.13)[bone]
            result[index, bone + 1] = place
    return result


def pose_body(build: Build, pose: Mapping[str, float]) -> Skeleton:
    """Place the bones.

    Args:
        build: the body.
        pose: as ``Choreography.pose`` gives it.
    """
    angle = 2 * np.pi * pose["turn"]
    facing = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, -np.cos(angle)]], dtype=np.float64
    )
    joints = np.zeros((JOINT_COUNT, 3))
    leg = build.leg
    ground = np.array([pose["stage_x"] * leg, 0.0, pose["stage_z"] * leg])
    feet = {}
    for side, sign in (("left", 1), ("right", -1)):
        out, ahead = pose[f"{side}_foot_out"] * leg * sign, pose[f"{side}_foot_forward"] * leg
        lift = (pose[f"{side}_foot_lift"] + pose["jump"]) * leg
        feet[side] = ground + facing[0] * out + facing[2] * ahead + np.array([0, build.ankle + lift, 0])
    height = build.ankle + leg * (1 - pose["crouch"] + pose["jump"])
    # The hips come down as far as standing feet ask for; a foot in the air does not hold them.
    for side in ("left", "right"):
        if pose[f"{side}_foot_lift"] < 0.12:
            apart = float(np.linalg.norm((feet[side] - ground)[[0, 2]])) - build.hips
            reach = 0.998 * leg
            height = min(height, feet[side][1] + np.sqrt(max(reach**2 - max(apart, 0) ** 2, 0.01)))
    hips = ground + np.array([0, height, 0])
    pelvis = _turned(_turned(facing, 2, 0.4 * pose["lean_left"]), 0, -0.4 * pose["lean_forward"])
    trunk = _turned(_turned(_turned(facing, 1, pose["twist"]), 2, pose["lean_left"]), 0, -pose["lean_forward"])
    neck = hips + build.spine * (0.35 * pelvis[1] + 0.65 * trunk[1])
    head = _turned(_turned(trunk, 1, pose["head_turn"]), 0, -pose["head_nod"] + 0.4 * pose["lean_forward"])
    skull = neck + build.neck * trunk[1] + 0.55 * build.head * head[1] + 0.01 * head[2]

    joints[Joint.MID_HIP], joints[Joint.NECK] = hips, neck
    knees_forward = facing[2] + 0.15 * np.array([0, 1.0, 0])
    all_fingers = []
    for side, sign in (("left", 1), ("right", -1)):
        name = side.upper()
        hip = hips + sign * build.hips * pelvis[0]
        knee, ankle = _two_bones(hip, feet[side], build.thigh, build.shin, knees_forward + 0.15 * sign * facing[0])
        # A lifted foot points the way of the shin; a standing one lies flat.
        lifted = float(np.clip(4 * pose[f"{side}_foot_lift"], 0, 1))
        shin = (ankle - knee) / build.shin
        ahead = facing[2] + 0.35 * sign * facing[0]
        ahead = ahead - lifted * 0.8 * shin * float(ahead @ shin) + lifted * 0.55 * shin
        ahead /= np.linalg.norm(ahead)
        down = -np.array([0, 1.0, 0]) if lifted < 1 else shin
        sole = ankle + 0.75 * build.ankle * ((1 - lifted) * down + lifted * shin)
        joints[Joint[f"{name}_HIP"]], joints[Joint[f"{name}_KNEE"]], joints[Joint[f"{name}_ANKLE"]] = hip, knee, ankle
        joints[Joint[f"{name}_HEEL"]] = sole - 0.28 * build.foot * ahead
        joints[Joint[f"{name}_BIG_TOE"]] = sole + 0.72 * build.foot * ahead - 0.012 * sign * facing[0]
        joints[Joint[f"{name}_SMALL_TOE"]] = sole + 0.62 * build.foot * ahead + 0.018 * sign * facing[0]

        shoulder = neck + sign * build.shoulders * trunk[0] - 0.1 * build.neck * trunk[1]
        raised = max(pose[f"{side}_hand_up"], 0)
        shoulder = shoulder + 0.18 * build.shoulders * raised * (trunk[1] - 0.6 * sign * trunk[0])
        target = shoulder + build.arm * (
            sign * pose[f"{side}_hand_out"] * trunk[0]
            + pose[f"{side}_hand_up"] * trunk[1]
            + pose[f"{side}_hand_forward"] * trunk[2]
        )
        # Elbows point back when the hands hang, and out when they are high.
        elbow_way = (0.3 + 0.6 * raised) * sign * trunk[0] - 0.35 * trunk[1] - (0.9 - 0.6 * raised) * trunk[2]
        elbow, wrist = _two_bones(shoulder, target, build.upper_arm, build.forearm, elbow_way)
        joints[Joint[f"{name}_SHOULDER"]], joints[Joint[f"{name}_ELBOW"]] = shoulder, elbow
        joints[Joint[f"{name}_WRIST"]] = wrist
        along = (wrist - elbow) / build.forearm
        palm = -sign * trunk[0] - 0.6 * trunk[2] + 0.2 * trunk[1]
        palm = palm - along * float(palm @ along)
        palm /= max(float(np.linalg.norm(palm)), 1e-6)
        across = np.asarray(sign * np.cross(palm, along), np.float64)
        if float(across @ trunk[2]) < 0 and abs(float(along @ trunk[2])) < 0.9:
            palm, across = -palm, -across
        fingers = _fingers(wrist, along, palm, across, build.hand, pose["curl"])
        all_fingers.append(fingers)
        hand = LEFT_HAND if side == "left" else RIGHT_HAND
        joints[hand] = np.concatenate([wrist[None], fingers.reshape(20, 3)])

    joints[Joint.NOSE] = skull + build.head * (0.62 * head[2] - 0.06 * head[1])
    for name, sign in (("LEFT", 1), ("RIGHT", -1)):
        joints[Joint[f"{name}_EYE"]] = skull + build.head * (0.23 * sign * head[0] + 0.08 * head[1] + 0.48 * head[2])
        joints[Joint[f"{name}_EAR"]] = skull + build.head * (0.34 * sign * head[0] - 0.02 * head[1] - 0.02 * head[2])
    return Skeleton(joints, pelvis, trunk, head, skull, (all_fingers[0], all_fingers[1]))
