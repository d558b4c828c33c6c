"""A dancer at a moment: picture, exact keypoints and exact mask."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.dancers.body import Build, Skeleton, pose_body
from everybody_dance.dancers.choreography import CHOREOGRAPHIES, Choreography
from everybody_dance.dancers.face import face_points, face_texture, on_skull
from everybody_dance.dancers.figure import Figure, Look, Material, colours, dress
from everybody_dance.dancers.raster import Camera, Canvas
from everybody_dance.dancers.room import Room, draw_room, floor_rows
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import FACE, Joint

SUPERSAMPLING = 2
LIGHT = np.array([0.42, 0.78, -0.62]) / np.linalg.norm([0.42, 0.78, -0.62])
"""Direction to the lamp."""


@dataclass(frozen=True)
class Dancer:
    """A person, their clothes, and the room in which they are filmed."""

    name: str
    build: Build
    look: Look
    room: Room


@dataclass(frozen=True)
class Rendered:
    """A frame and what is true of it.

    Attributes:
        image: uint8 (H, W, 3).
        xy: float32 (137, 2), as in ``Keypoints``.
        confidence: float32 (137,); 0 outside the picture, and on a face that looks away.
        mask: bool (H, W), where the person is.
    """

    image: NDArray[np.uint8]
    xy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    mask: NDArray[np.bool_]


DANCERS: dict[str, Dancer] = {
    dancer.name: dancer
    for dancer in (
        Dancer(
            "ada",
            Build(1.68, 0.96, 0.94),
            Look(
                skin=(232, 184, 152),
                hair=(88, 48, 30),
                iris=(70, 110, 70),
                top=(226, 86, 74),
                stripe=(250, 236, 214),
                bottom=(44, 62, 108),
                shoes=(242, 242, 238),
                pattern="stripes",
                hairstyle="ponytail",
            ),
            Room((196, 206, 208), (178, 132, 92), (238, 236, 230), "planks", "pictures", seed=1),
        ),
        Dancer(
            "bruno",
            Build(1.86, 1.08, 1.12),
            Look(
                skin=(122, 80, 56),
                hair=(26, 20, 20),
                iris=(60, 36, 20),
                top=(52, 142, 132),
                stripe=(238, 200, 88),
                bottom=(190, 172, 138),
                shoes=(60, 44, 40),
                pattern="plain",
                sleeves=2,
                smile=0.7,
            ),
            Room((222, 202, 168), (120, 124, 132), (150, 100, 70), "tiles", "window", 2.4, 5.2, 1.35, 1.75, seed=2),
        ),
        Dancer(
            "chiyo",
            Build(1.58, 0.95, 0.98),
            Look(
                skin=(240, 204, 170),
                hair=(30, 24, 30),
                iris=(48, 30, 24),
                top=(250, 214, 92),
                stripe=(90, 90, 160),
                bottom=(120, 62, 130),
                shoes=(190, 60, 80),
                pattern="checks",
                sleeves=1,
                legs="shorts",
                hairstyle="bob",
            ),
            Room((168, 190, 168), (206, 184, 150), (244, 240, 226), "carpet", "panels", 1.7, 3.8, 1.0, 1.6, seed=3),
        ),
        Dancer(
            "dmitri",
            Build(1.76, 1.02, 1.3),
            Look(
                skin=(224, 170, 146),
                hair=(172, 128, 70),
                iris=(70, 120, 170),
                top=(92, 94, 176),
                stripe=(240, 240, 244),
                bottom=(70, 74, 70),
                shoes=(230, 120, 50),
                pattern="stripes",
                sleeves=0,
                legs="shorts",
                smile=1.2,
            ),
            Room((188, 176, 196), (96, 74, 66), (90, 80, 96), "planks", "bars", 2.0, 4.4, 1.2, 1.66, seed=4),
        ),
    )
}


def render(dancer: Dancer, choreography: Choreography, seconds: float, size: tuple[int, int]) -> Rendered:
    """Draw one moment of a dance.

    Args:
        dancer: one of ``DANCERS``, or another.
        choreography: what is danced.
        seconds: when.
        size: (W, H) of the picture in pixels.
    """
    skeleton = pose_body(dancer.build, choreography.pose(seconds))
    large = size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING
    camera = dancer.room.camera(large)
    figure = dress(dancer.build, dancer.look, skeleton)
    canvas = Canvas(camera)
    for solid, keep in figure:
        canvas.draw(solid, keep)
    background = _shadowed(dancer.room, large, figure, camera)
    person = canvas.material >= 0
    picture = background.copy()
    picture[person] = _lit(dancer, skeleton, canvas, person)
    image = cv2.resize(picture.clip(0, 255), size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(person.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    xy, confidence = _keypoints(dancer, skeleton, size)
    return Rendered(image.round().astype(np.uint8), xy, confidence, np.asarray(cover > 0.5))


def empty_room(dancer: Dancer, size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): the dancer's room without anybody, filmed as in ``render``."""
    large = size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING
    room = cv2.resize(draw_room(dancer.room, large).clip(0, 255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(room.round(), np.uint8)


def render_clip(
    dancer: Dancer, choreography: Choreography, seconds: float, fps: Fraction, size: tuple[int, int]
) -> Iterator[Rendered]:
    """The frames of the first ``seconds`` of a dance."""
    for frame in range(round(seconds * fps)):
        yield render(dancer, choreography, float(frame / fps), size)


def true_keypoints(
    dancer: Dancer, choreography: Choreography, frames: int, fps: Fraction, size: tuple[int, int]
) -> Keypoints:
    """The exact keypoints of a clip, without drawing it."""
    moments = [
        _keypoints(dancer, pose_body(dancer.build, choreography.pose(float(frame / fps))), size)
        for frame in range(frames)
    ]
    xy, confidence = (np.stack(arrays) for arrays in zip(*moments, strict=True))
    return Keypoints(xy, confidence, size, fps)


def clip_keypoints(dancer: str, choreography: str, frames: int, fps: Fraction, size: tuple[int, int]) -> Keypoints:
    """``true_keypoints`` by names."""
    return true_keypoints(DANCERS[dancer], CHOREOGRAPHIES[choreography], frames, fps, size)


def _keypoints(
    dancer: Dancer, skeleton: Skeleton, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    camera = dancer.room.camera(size)
    joints = skeleton.joints.copy()
    unit = dancer.build.head
    joints[FACE] = skeleton.skull + unit * on_skull(face_points()) @ skeleton.head
    xy = camera.project(joints).astype(np.float32)
    confidence = np.ones(len(joints), np.float32)
    to_camera = camera.eye - skeleton.skull
    if float(skeleton.head[2] @ to_camera) < 0.1 * float(np.linalg.norm(to_camera)):
        confidence[FACE] = 0
        confidence[[Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE]] = 0
    outside = ((xy < 0) | (xy >= np.array(size))).any(axis=1)
    confidence[outside] = 0
    return xy, confidence


@lru_cache(maxsize=16)
def _face_of(look: Look) -> NDArray[np.float32]:
    return face_texture(look.skin, look.hair, look.iris, look.smile)


def _lit(dancer: Dancer, skeleton: Skeleton, canvas: Canvas, person: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(N, 3): colours of the N pixels of the figure under the lamp."""
    points = canvas.points(person)
    material, along = canvas.material[person], canvas.along[person]
    across = ((points - skeleton.joints[Joint.MID_HIP]) @ skeleton.trunk[0]).astype(np.float32)
    colour = colours(dancer.look, material, along, across)
    face = material == Material.FACE
    if face.any():
        local = (points[face] - skeleton.skull) @ skeleton.head.T / dancer.build.head
        texture = _face_of(dancer.look)
        side = len(texture)
        place = np.stack([(local[:, 0] + 0.5) * side, (0.5 - local[:, 1]) * side], -1).astype(np.float32) - 0.5
        painted = cv2.remap(
            texture, place[None, :, 0], place[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[0]
        colour[face] = np.where(local[:, 2:] > 0.05, painted, colour[face])
    normal = _softened(canvas)[person]
    view = points - canvas.camera.eye.astype(np.float32)
    view /= np.maximum(np.linalg.norm(view, axis=-1, keepdims=True), 1e-6)
    lamp = LIGHT.astype(np.float32)
    key = np.maximum(normal @ lamp, 0)
    wrap = 0.5 + 0.5 * normal[:, 1]
    rim = np.clip(1 + (normal * view).sum(-1), 0, 1) ** 3
    light = 0.44 + 0.2 * wrap + 0.46 * key
    glossy = (material == Material.HAIR) | (material == Material.SHOE)
    half = lamp - view
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    shine = np.maximum((normal * half).sum(-1), 0) ** 30 * np.where(glossy, 46, 10)
    return np.asarray(colour * (light * (1 - 0.22 * rim))[:, None] + shine[:, None], np.float32)


def _softened(canvas: Canvas) -> NDArray[np.float32]:
    """Normals, smoothed within cloth and within skin, so that joints of solids do not crease."""
    result = canvas.normal.copy()
    sigma = canvas.camera.size[1] / 150
    for kinds in ((Material.TOP, Material.SLEEVE), (Material.BOTTOM,), (Material.SKIN,)):
        inside = np.isin(canvas.material, kinds)
        if not inside.any():
            continue
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        weight = inside[box].astype(np.float32)
        blurred = np.asarray(cv2.GaussianBlur(canvas.normal[box] * weight[..., None], (0, 0), sigma), np.float32)
        blurred /= np.maximum(np.linalg.norm(blurred, axis=-1, keepdims=True), 1e-6)
        result[box][inside[box]] = blurred[inside[box]]
    return result


def _shadowed(room: Room, size: tuple[int, int], figure: Figure, camera: Camera) -> NDArray[np.float32]:
    """The room with the figure's soft shadow on the floor."""
    background = draw_room(room, size)
    shadow = np.zeros((size[1] // 2, size[0] // 2), np.uint8)
    for solid, _ in figure:
        ends = []
        for point in (solid.start, solid.end):
            fall = point - LIGHT * point[1] / LIGHT[1]
            fall[2] = min(fall[2], room.wall_distance - 0.02)
            ends.append(camera.project(fall) / 2)
        depth = float(solid.start[2]) + camera.distance
        thick = (solid.start_radius + solid.end_radius) * camera.scale / max(depth, 0.5) / 2
        start, end = (tuple(int(value) for value in place) for place in ends)
        cv2.line(shadow, start, end, (255,), max(round(0.8 * thick), 1), cv2.LINE_AA)
    soft = cv2.GaussianBlur(shadow, (0, 0), size[1] / 110).astype(np.float32) / 255
    soft = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR) * floor_rows(room, size)
    return np.asarray(background * (1 - 0.42 * soft[..., None]), np.float32)
