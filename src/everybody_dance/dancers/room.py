"""Rooms: a wall, a floor and a few things on the wall; drawn once for a camera and kept."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.dancers.raster import Camera

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Room:
    """A place to dance, and how it is filmed.

    Attributes:
        wall, floor, trim: colours.
        boards: what the floor is made of.
        decoration: what hangs on the wall.
        wall_distance: of the wall from the dancer's spot, in metres.
        camera_distance, camera_height: of the camera from the spot and above the floor, in metres.
        focal: of the camera, in picture heights.
        seed: of the wall's and floor's grain.
    """

    wall: Colour
    floor: Colour
    trim: Colour
    boards: Literal["planks", "tiles", "carpet"]
    decoration: Literal["pictures", "window", "panels", "bars"]
    wall_distance: float = 1.9
    camera_distance: float = 4.2
    camera_height: float = 1.15
    focal: float = 1.68
    seed: int = 0

    def camera(self, size: tuple[int, int]) -> Camera:
        """The camera for pictures of ``size`` (W, H)."""
        return Camera(size, self.focal, self.camera_distance, self.camera_height)


@lru_cache(maxsize=16)
def draw_room(room: Room, size: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 255]: the empty room. Do not write into it."""
    camera = room.camera(size)
    rays = camera.rays(0, 0, *size).astype(np.float64)
    eye = camera.eye
    to_wall = room.wall_distance - eye[2]
    with np.errstate(divide="ignore"):
        to_floor = np.where(rays[..., 1] < 0, -eye[1] / rays[..., 1], np.inf)
    is_floor = to_floor < to_wall
    points = eye + np.minimum(to_floor, to_wall)[..., None] * rays
    image = np.where(is_floor[..., None], _floor(room, points), _wall(room, points))
    # Light falls from above in front: the room's corners are darker.
    corner = np.exp(-(((points[..., 0]) / 3.2) ** 2))
    low = 1 - 0.25 * np.exp(-np.abs(points[..., 1]) / 0.12) * ~is_floor
    return np.asarray(image * (0.72 + 0.28 * corner)[..., None] * low[..., None], np.float32)


def floor_rows(room: Room, size: tuple[int, int]) -> NDArray[np.bool_]:
    """bool (H, 1): rows of the picture in which the floor is seen."""
    camera = room.camera(size)
    edge = camera.project(np.array([0.0, 0.0, room.wall_distance]))[1]
    return np.asarray((np.arange(size[1]) + 0.5 > edge)[:, None])


def _grain(room: Room, x: NDArray[np.float64], y: NDArray[np.float64], fine: float) -> NDArray[np.float64]:
    """Smooth noise in [-1, 1] over the plane, ``fine`` cells a metre."""
    noise = np.random.default_rng(room.seed).uniform(-1, 1, (256, 256)).astype(np.float32)
    place = ((x * fine) % 256).astype(np.float32), ((y * fine) % 256).astype(np.float32)
    return np.asarray(cv2.remap(noise, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float64)


def _wall(room: Room, points: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = points[..., 0], points[..., 1]
    image = np.array(room.wall, float) * (1 + 0.025 * _grain(room, x, y, 9) + 0.03 * _grain(room, y, x, 1.3))[..., None]
    trim = np.array(room.trim, float)

    def paint(where: NDArray[np.bool_], colour: NDArray[np.float64]) -> None:
        image[where] = colour if colour.ndim == 1 else colour[where]

    if room.decoration == "pictures":
        for centre, wide, tint in (
            (-1.75, 0.42, (196, 120, 70)),
            (1.55, 0.34, (70, 120, 150)),
            (2.45, 0.3, (150, 160, 80)),
        ):
            inside = np.maximum(np.abs(x - centre) / wide, np.abs(y - 1.75) / 0.5)
            paint(inside < 1, trim)
            waves = 0.75 + 0.25 * np.sin(9 * x + 3 * np.sin(5 * y))
            paint(inside < 0.84, np.array(tint, float) * waves[..., None])
    elif room.decoration == "window":
        inside = np.maximum(np.abs(x + 1.6) / 0.8, np.abs(y - 1.7) / 0.75)
        paint(inside < 1, trim)
        sky = np.array([176, 208, 232.0]) + 18 * (y - 1.7)[..., None]
        cross = (np.abs(x + 1.6) < 0.03) | (np.abs(y - 1.7) < 0.03)
        paint((inside < 0.92) & ~cross, sky)
    elif room.decoration == "panels":
        phase = np.abs((x / 0.62) % 1 - 0.5)
        paint((phase > 0.47) | (np.abs(y - 1.05) < 0.03), np.array(room.wall, float) * 0.86)
    else:
        for level in (0.95, 1.02):
            paint(np.abs(y - level) < 0.018, trim)
    paint(y < 0.11, trim)
    return np.asarray(image)


def _floor(room: Room, points: NDArray[np.float64]) -> NDArray[np.float64]:
    x, z = points[..., 0], points[..., 2]
    colour = np.array(room.floor, float)
    if room.boards == "planks":
        board = np.floor(x / 0.16)
        shade = 0.92 + 0.14 * ((np.sin(board * 12.9898) * 43758.5453) % 1)
        shade = shade * (1 + 0.05 * _grain(room, x * 40, z * 2, 1))
        shade = shade * np.where(np.abs((x / 0.16) % 1 - 0.5) > 0.47, 0.8, 1)
    elif room.boards == "tiles":
        joint = np.maximum(np.abs((x / 0.45) % 1 - 0.5), np.abs((z / 0.45) % 1 - 0.5)) > 0.48
        checker = (np.floor(x / 0.45) + np.floor(z / 0.45)) % 2
        shade = np.where(joint, 0.8, 0.95 + 0.07 * checker) * (1 + 0.03 * _grain(room, x, z, 6))
    else:
        shade = 1 + 0.06 * _grain(room, x, z, 30) + 0.05 * _grain(room, z, x, 4)
    return np.asarray(colour * shade[..., None])
