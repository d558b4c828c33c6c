"""Flesh and clothes: the solids around a skeleton, and the colours of what they are made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everybody_dance.dancers.body import Build, Point, Skeleton
from everybody_dance.dancers.face import NOSE, SKULL
from everybody_dance.dancers.raster import Cut, Solid
from everybody_dance.skeleton import Joint

Colour = tuple[int, int, int]


class Material(IntEnum):
    """What a solid is made of; the order does not matter."""

    SKIN = 0
    FACE = 1
    HAIR = 2
    TOP = 3
    SLEEVE = 4
    BOTTOM = 5
    SHOE = 6


@dataclass(frozen=True)
class Look:
    """Colours and cut of what one sees.

    Attributes:
        skin, hair, iris: of the person.
        top, stripe, bottom, shoes: of the clothes; ``stripe`` is the second colour of the top's pattern.
        pattern: of the top.
        sleeves: 0 none, 1 short, 2 long.
        legs: shorts or trousers.
        hairstyle: cropped, a bob, or a ponytail.
        smile: 0 earnest, 1 smiling.
    """

    skin: Colour
    hair: Colour
    iris: Colour
    top: Colour
    stripe: Colour
    bottom: Colour
    shoes: Colour
    pattern: Literal["plain", "stripes", "checks"] = "plain"
    sleeves: Literal[0, 1, 2] = 1
    legs: Literal["shorts", "trousers"] = "trousers"
    hairstyle: Literal["cropped", "bob", "ponytail"] = "cropped"
    smile: float = 1.0


Piece = tuple[Solid, Cut | None]
Add = Callable[..., None]


@dataclass(frozen=True)
class Figure:
    """All solids of a posed and dressed body."""

    pieces: list[Piece] = field(default_factory=list)

    def __iter__(self) -> Iterator[Piece]:
        return iter(self.pieces)


def dress(build: Build, look: Look, skeleton: Skeleton) -> Figure:
    """The solids of a body: torso, limbs, hands and head."""
    figure = Figure()
    pieces = figure.pieces
    unit = build.height / 1.75
    heavy, broad = build.heavy * unit, build.broad * unit
    joint = {member: skeleton.joints[member] for member in Joint}
    pelvis, trunk, head = skeleton.pelvis, skeleton.trunk, skeleton.head
    hips, neck = joint[Joint.MID_HIP], joint[Joint.NECK]

    def add(
        start: Point,
        end: Point,
        start_radius: float,
        end_radius: float,
        material: Material,
        flat: Point | None = None,
        thin: float = 1.0,
        keep: Cut | None = None,
    ) -> None:
        pieces.append((Solid(start, end, start_radius, end_radius, material, flat, thin), keep))

    # Torso, thinner from front to back.
    waist = hips + 0.36 * (neck - hips)
    chest = hips + 0.74 * (neck - hips)
    add(chest, waist, 0.142 * broad, 0.118 * heavy, Material.TOP, trunk[2], 0.66)
    add(neck - 0.035 * unit * trunk[1], chest, 0.075 * broad, 0.14 * broad, Material.TOP, trunk[2], 0.62)
    side = 0.05 * broad * pelvis[0]
    add(hips + side, hips - side, 0.118 * heavy, 0.118 * heavy, Material.BOTTOM, pelvis[2], 0.84)
    # The top hangs over the trousers: wide enough to hide where thighs and belly meet.
    hem = hips + 0.085 * unit * pelvis[1]
    add(waist, hem, 0.116 * heavy, 0.165 * heavy, Material.TOP, pelvis[2], 0.68)

    sleeve = Material.SLEEVE if look.sleeves else Material.SKIN
    lower = Material.SLEEVE if look.sleeves == 2 else Material.SKIN
    leg = Material.SKIN if look.legs == "shorts" else Material.BOTTOM
    for index, name in enumerate(("LEFT", "RIGHT")):
        shoulder, elbow, wrist = (joint[Joint[f"{name}_{part}"]] for part in ("SHOULDER", "ELBOW", "WRIST"))
        hip, knee, ankle = (joint[Joint[f"{name}_{part}"]] for part in ("HIP", "KNEE", "ANKLE"))
        inner = neck + 0.45 * (shoulder - neck) - 0.02 * unit * trunk[1]
        cloth = 0.008 * unit
        add(inner, shoulder, 0.068 * heavy, 0.058 * heavy, Material.TOP, trunk[2], 0.85)
        if look.sleeves == 1:
            cuff = shoulder + 0.62 * (elbow - shoulder)
            add(shoulder, cuff, 0.056 * heavy + cloth, 0.05 * heavy + 2 * cloth, sleeve)
            add(cuff, elbow, 0.044 * heavy, 0.038 * heavy, Material.SKIN)
        else:
            extra = cloth if look.sleeves else 0
            add(shoulder, elbow, 0.054 * heavy + extra, 0.04 * heavy + extra, sleeve)
        extra = cloth if look.sleeves == 2 else 0
        belly = elbow + 0.28 * (wrist - elbow)
        add(elbow, belly, 0.038 * heavy + extra, 0.041 * heavy + extra, lower)
        add(belly, wrist, 0.041 * heavy + extra, 0.026 * heavy + 1.4 * extra, lower)
        _hand(add, skeleton.fingers[index], wrist, unit)

        extra = cloth if look.legs == "trousers" else 0
        top = hip + 0.01 * unit * pelvis[1]
        if look.legs == "shorts":
            hem = hip + 0.6 * (knee - hip)
            add(top, hem, 0.086 * heavy, 0.084 * heavy, Material.BOTTOM)
            add(hem, knee, 0.068 * heavy, 0.055 * heavy, leg)
        else:
            add(top, knee, 0.082 * heavy + extra, 0.057 * heavy + extra, leg)
        calf = knee + 0.3 * (ankle - knee)
        add(knee, calf, 0.055 * heavy + extra, 0.058 * heavy + extra, leg)
        add(calf, ankle, 0.058 * heavy + extra, 0.036 * heavy + 2.2 * extra, leg)
        heel, toe = joint[Joint[f"{name}_HEEL"]], joint[Joint[f"{name}_BIG_TOE"]]
        ahead = (toe - heel) / max(float(np.linalg.norm(toe - heel)), 1e-6)
        up = (ankle - heel) - ahead * float((ankle - heel) @ ahead)
        up /= max(float(np.linalg.norm(up)), 1e-6)
        add(
            heel + 0.028 * unit * up,
            toe + 0.02 * unit * up - 0.02 * unit * ahead,
            0.04 * unit,
            0.036 * unit,
            Material.SHOE,
            up,
            0.85,
        )
        add(ankle, heel + 0.03 * unit * up + 0.03 * unit * ahead, 0.036 * heavy, 0.042 * unit, Material.SHOE)
    _head(add, build, look, skeleton, neck, trunk, head)
    return figure


def _hand(add: Add, fingers: Point, wrist: Point, unit: float) -> None:
    knuckles = fingers[1:, 0].mean(axis=0)
    across = fingers[1, 0] - fingers[4, 0]
    palm = np.cross(knuckles - wrist, across)
    palm /= max(float(np.linalg.norm(palm)), 1e-6)
    add(wrist, knuckles, 0.026 * unit, 0.036 * unit, Material.SKIN, palm, 0.5)
    for index, finger in enumerate(fingers):
        thick = (0.0125 if index == 0 else 0.0105) * unit
        for bone in range(3):
            add(finger[bone], finger[bone + 1], thick * (1 - 0.12 * bone), thick * (0.88 - 0.12 * bone), Material.SKIN)


def _head(add: Add, build: Build, look: Look, skeleton: Skeleton, neck: Point, trunk: Point, head: Point) -> None:
    unit, skull = build.head, skeleton.skull
    add(
        neck - 0.02 * trunk[1],
        skull - 0.25 * unit * head[1] - 0.04 * unit * head[2],
        0.29 * unit,
        0.25 * unit,
        Material.SKIN,
    )
    # The skull is an ellipsoid: a ball, thinner to the sides; its length is made by two centres.
    ball = SKULL[2] * unit
    rise = (SKULL[1] - SKULL[2]) * unit * head[1]
    add(skull + rise, skull - rise, ball, 0.88 * ball, Material.FACE, head[0], SKULL[0] / SKULL[2])
    tip = skull + unit * (NOSE[1] * head[1] + 0.5 * head[2])
    add(skull + unit * (0.06 * head[1] + 0.4 * head[2]), tip, 0.028 * unit, 0.052 * unit, Material.SKIN)
    for sign in (1, -1):
        ear = skull + unit * (0.37 * sign * head[0] - 0.02 * head[1] - 0.02 * head[2])
        add(
            ear + 0.05 * unit * head[1],
            ear - 0.04 * unit * head[1],
            0.075 * unit,
            0.055 * unit,
            Material.SKIN,
            head[0],
            0.45,
        )
    hairline = Cut(skull, head, unit, 0.27)
    back = skull - 0.03 * unit * head[2]
    thick = {"cropped": 1.05, "bob": 1.14, "ponytail": 1.09}[look.hairstyle]
    add(
        back + rise + 0.02 * unit * head[1],
        back - 0.2 * rise,
        thick * ball,
        0.98 * thick * ball,
        Material.HAIR,
        head[0],
        SKULL[0] / SKULL[2],
        hairline,
    )
    down = -(0.75 * head[1] + 0.25 * np.array([0.0, 1.0, 0.0]))
    if look.hairstyle == "bob":
        for sign in (1, -1):
            top = skull + unit * (0.22 * sign * head[0] - 0.12 * head[2] + 0.1 * head[1])
            add(top, top + 0.55 * unit * down, 0.26 * unit, 0.2 * unit, Material.HAIR)
        add(
            skull - 0.22 * unit * head[2],
            skull - 0.3 * unit * head[2] + 0.55 * unit * down,
            0.36 * unit,
            0.28 * unit,
            Material.HAIR,
        )
    elif look.hairstyle == "ponytail":
        knot = skull + unit * (0.25 * head[1] - 0.5 * head[2])
        add(knot, knot + 0.3 * unit * down - 0.12 * unit * head[2], 0.11 * unit, 0.13 * unit, Material.HAIR)
        add(
            knot + 0.3 * unit * down - 0.12 * unit * head[2],
            knot + 0.85 * unit * down,
            0.13 * unit,
            0.05 * unit,
            Material.HAIR,
        )


def colours(
    look: Look, material: NDArray[np.int16], along: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(..., 3) in [0, 255]: the colours of materials but the face.

    Args:
        look: of the dancer.
        material: (...), by number; -1 is nothing.
        along: (...), metres along the solid's axis.
        across: (...), metres across it.
    """
    table = np.zeros((len(Material), 3), np.float32)
    for kind, colour in (
        (Material.SKIN, look.skin),
        (Material.FACE, look.skin),
        (Material.HAIR, look.hair),
        (Material.TOP, look.top),
        (Material.SLEEVE, look.top),
        (Material.BOTTOM, look.bottom),
        (Material.SHOE, look.shoes),
    ):
        table[kind] = colour
    result = table[np.maximum(material, 0)]
    cloth = (material == Material.TOP) | (material == Material.SLEEVE)
    if look.pattern == "stripes":
        result[cloth & ((along / 0.075) % 1 < 0.42)] = look.stripe
    elif look.pattern == "checks":
        lines = ((along / 0.06) % 1 < 0.2).astype(np.float32) + ((across / 0.06) % 1 < 0.2)
        share = np.where(cloth, 0.45 * lines, 0)[..., None]
        result = (1 - share) * result + share * np.array(look.stripe, np.float32)
    return np.asarray(result, np.float32)
