"""Rays against round bodies: tapered capsules, stretched along one axis where asked for, with a depth buffer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole that looks along z, level. Places are in metres on stage, where the dancer's spot is (0, 0, 0).

    Attributes:
        size: (W, H) of the picture in pixels.
        focal: focal length in picture heights.
        distance: from the dancer's spot.
        height: above the floor.
        horizon: row of the eye level, in picture heights from the top.
    """

    size: tuple[int, int]
    focal: float
    distance: float
    height: float
    horizon: float = 0.45

    @property
    def scale(self) -> float:
        """Focal length in pixels."""
        return self.focal * self.size[1]

    @property
    def eye(self) -> Point:
        """Where the camera is."""
        return np.array([0.0, self.height, -self.distance])

    def project(self, points: Point) -> Point:
        """(..., 3) to pixels (..., 2), edges of the picture at 0 and W (H)."""
        relative = points - self.eye
        x = self.size[0] / 2 + self.scale * relative[..., 0] / relative[..., 2]
        y = self.horizon * self.size[1] - self.scale * relative[..., 1] / relative[..., 2]
        return np.stack([x, y], -1)

    def rays(self, left: int, top: int, right: int, bottom: int) -> Array:
        """(h, w, 3): directions through the centres of a box's pixels, with z = 1."""
        x = (np.arange(left, right) + 0.5 - self.size[0] / 2) / self.scale
        y = (self.horizon * self.size[1] - np.arange(top, bottom) - 0.5) / self.scale
        directions = np.ones((bottom - top, right - left, 3), np.float32)
        directions[..., 0], directions[..., 1] = x, y[:, None]
        return directions


@dataclass(frozen=True)
class Solid:
    """A tapered capsule: all within ``start_radius`` of ``start`` growing to ``end_radius`` at ``end``.

    Attributes:
        start, end: (3,), metres.
        start_radius, end_radius: metres.
        material: what it is made of, by number.
        flat: direction along which it is thinner, or None.
        thin: how much thinner, in (0, 1].
    """

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    material: int
    flat: Point | None = None
    thin: float = 1.0


class Canvas:
    """Depth, normal, material, and texture coordinates of what is nearest in each pixel."""

    def __init__(self, camera: Camera) -> None:
        width, height = camera.size
        self.camera = camera
        self.depth = np.full((height, width), np.inf, np.float32)
        self.normal = np.zeros((height, width, 3), np.float32)
        self.material = np.full((height, width), -1, np.int16)
        self.along = np.zeros((height, width), np.float32)

    def draw(self, solid: Solid, keep: "Cut | None" = None) -> None:
        """Draw one solid; ``keep`` says which of its surface is there (hair leaves the face free)."""
        box = self._box(solid)
        if box is None:
            return
        left, top, right, bottom = box
        stretch = np.eye(3)
        if solid.flat is not None:
            stretch += (1 / solid.thin - 1) * np.outer(solid.flat, solid.flat)
        eye = self.camera.eye
        directions = self.camera.rays(left, top, right, bottom)
        local = directions @ stretch.T.astype(np.float32)
        length = np.linalg.norm(local, axis=-1)
        hit, normal, along = _intersect(
            stretch @ (eye - solid.start),
            local / length[..., None],
            stretch @ (solid.end - solid.start),
            solid.start_radius,
            solid.end_radius,
        )
        depth = (hit / length).astype(np.float32)
        reached = np.where(np.isfinite(depth), depth, 0)
        rows, columns = slice(top, bottom), slice(left, right)
        nearer = depth < self.depth[rows, columns]
        if keep is not None and nearer.any():
            nearer &= keep(eye + reached[..., None] * directions)
        normal = normal @ stretch.astype(np.float32)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        self.depth[rows, columns][nearer] = depth[nearer]
        self.normal[rows, columns][nearer] = normal[nearer]
        self.material[rows, columns][nearer] = solid.material
        self.along[rows, columns][nearer] = along[nearer]

    def points(self, where: NDArray[np.bool_]) -> Array:
        """(N, 3): the places that are seen in the pixels ``where`` (H, W), in which something must be."""
        rays = self.camera.rays(0, 0, *self.camera.size)[where]
        return (self.camera.eye + self.depth[where][:, None] * rays).astype(np.float32)

    def _box(self, solid: Solid) -> tuple[int, int, int, int] | None:
        """Pixels that the solid can touch."""
        low, high = [], []
        for point, radius in ((solid.start, solid.start_radius), (solid.end, solid.end_radius)):
            depth = point[2] + self.camera.distance - radius
            if depth < 0.2:
                return None
            centre = self.camera.project(point)
            reach = 1.1 * radius * self.camera.scale / depth + 2
            low.append(centre - reach)
            high.append(centre + reach)
        width, height = self.camera.size
        left, top = np.clip(np.floor(np.min(low, axis=0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(np.max(high, axis=0)), 0, (width, height)).astype(int)
        if left >= right or top >= bottom:
            return None
        return int(left), int(top), int(right), int(bottom)


class Cut:
    """Which part of a solid's surface is kept: in a frame, where ``forward`` is small or ``up`` is large."""

    def __init__(self, origin: Point, frame: Point, unit: float, hairline: float) -> None:
        self._origin, self._frame, self._unit, self._hairline = origin, frame, unit, hairline

    def __call__(self, points: Array) -> NDArray[np.bool_]:
        local = (points - self._origin) @ self._frame.T / self._unit
        return np.asarray((local[..., 2] < 0.02) | (local[..., 1] > self._hairline - 0.9 * local[..., 0] ** 2))


def _intersect(
    origin: Point, direction: Array, axis: Point, start_radius: float, end_radius: float
) -> tuple[Array, Array, Array]:
    """Nearest hits of unit rays with a tapered capsule from 0 to ``axis``.

    The side of the capsule is the cone that touches both end spheres; a quadratic gives the ray's hit with it, which
    counts only between the circles where it touches them. Otherwise a sphere is hit, or nothing.

    Returns:
        Distance (inf: no hit), unit normal, and distance along the axis.
    """
    origin = origin.astype(np.float64)
    taper = start_radius - end_radius
    axis_axis, axis_origin = float(axis @ axis), float(axis @ origin)
    axis_ray = direction @ axis.astype(np.float32)
    ray_origin = direction @ origin.astype(np.float32)
    origin_origin = float(origin @ origin)
    side = axis_axis - taper * taper
    distance = np.full(direction.shape[:2], np.inf, np.float32)
    normal = np.zeros_like(direction)
    along = np.zeros_like(distance)
    if side > 1e-9:
        a = side - axis_ray * axis_ray
        b = side * ray_origin - axis_origin * axis_ray + axis_ray * taper * start_radius
        c = side * origin_origin - axis_origin**2 + axis_origin * taper * start_radius * 2 - axis_axis * start_radius**2
        inside = b * b - a * c
        with np.errstate(invalid="ignore", divide="ignore"):
            reached = (-np.sqrt(inside) - b) / a
            place = axis_origin - start_radius * taper + reached * axis_ray
        on_side = (inside > 0) & (place > 0) & (place < side) & (reached > 0)
        point = origin.astype(np.float32) + np.where(on_side, reached, 0)[..., None] * direction
        slope = side * point - axis.astype(np.float32) * place[..., None]
        slope /= np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-9)
        distance = np.where(on_side, reached, distance).astype(np.float32)
        normal = np.where(on_side[..., None], slope, normal)
    for centre, radius in ((np.zeros(3), start_radius), (axis, end_radius)):
        relative = (origin - centre).astype(np.float32)
        toward = direction @ relative
        inside = toward * toward - float(relative @ relative) + radius * radius
        reached = -toward - np.sqrt(np.maximum(inside, 0))
        # The spheres lie inside the cone where it counts, so the nearest hit of all is the surface.
        nearer = (inside > 0) & (reached > 0) & (reached < distance)
        point = (relative + reached[..., None] * direction) / radius
        distance = np.where(nearer, reached, distance).astype(np.float32)
        normal = np.where(nearer[..., None], point, normal)
    length = float(np.sqrt(axis_axis)) or 1.0
    with np.errstate(invalid="ignore"):
        along = (axis_origin + np.where(np.isfinite(distance), distance, 0) * axis_ray) / length
    return distance, normal.astype(np.float32), along.astype(np.float32)
