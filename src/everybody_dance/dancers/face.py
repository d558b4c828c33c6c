"""A drawn face: 70 points on the front of the head, and the picture that is laid over it with the same numbers."""

import cv2
import numpy as np
from numpy.typing import NDArray

# Half axes of the skull in head heights: left, up, forward.
SKULL = np.array([0.37, 0.54, 0.45])
TEXTURE_SIDE = 384
"""Pixels of the face's picture, which spans one head height."""

EYE, BROW, MOUTH, NOSE = (0.145, 0.05), (0.15, 0.15), (0.0, -0.27), (0.0, -0.08)
"""Places (left, up) in head heights from the middle of the skull; eyes and brows are the left ones."""


def face_points() -> NDArray[np.float64]:
    """(70, 2): the iBUG points and the pupils, (left, up) in head heights; the first half are the person's right."""
    points = np.zeros((70, 2))
    angle = np.linspace(np.pi, 2 * np.pi, 17)
    points[:17] = np.stack([0.345 * np.cos(angle), -0.05 + 0.43 * np.sin(angle)], -1)
    arc = np.linspace(-1, 1, 5)
    for first, side in ((17, -1), (22, 1)):
        points[first : first + 5] = np.stack([side * BROW[0] + 0.075 * arc, BROW[1] + 0.02 * (1 - arc**2)], -1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(0.05, NOSE[1], 4)], -1)
    points[31:36] = np.stack([0.055 * arc, np.full(5, NOSE[1] - 0.045)], -1)
    around = np.pi - np.linspace(0, 2 * np.pi, 6, endpoint=False)
    for first, side in ((36, -1), (42, 1)):
        points[first : first + 6] = np.stack(
            [side * EYE[0] + 0.062 * np.cos(around), EYE[1] + 0.03 * np.sin(around)], -1
        )
    for first, count, wide, high in ((48, 12, 0.115, 0.045), (60, 8, 0.085, 0.014)):
        around = np.pi - np.linspace(0, 2 * np.pi, count, endpoint=False)
        points[first : first + count] = np.stack([wide * np.cos(around), MOUTH[1] + high * np.sin(around)], -1)
    points[68], points[69] = (-EYE[0], EYE[1]), EYE
    return points


def on_skull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) left, up, forward in head heights: ``points`` (N, 2) raised onto the front of the skull."""
    rest = 1 - ((points / SKULL[:2]) ** 2).sum(axis=1)
    return np.column_stack([points, SKULL[2] * np.sqrt(np.clip(rest, 0.02, None))])


def face_texture(
    skin: tuple[int, int, int], hair: tuple[int, int, int], iris: tuple[int, int, int], smile: float = 1.0
) -> NDArray[np.float32]:
    """(S, S, 3) colours in [0, 255]: what is painted on the front of the head, its right in column 0."""
    side = TEXTURE_SIDE
    image = np.full((side, side, 3), skin, np.uint8)

    def place(x: float, y: float) -> tuple[int, int]:
        return round((x + 0.5) * side * 16), round((0.5 - y) * side * 16)

    def blob(
        x: float, y: float, wide: float, high: float, colour: tuple[float, float, float], angle: float = 0
    ) -> None:
        axes = round(wide * side * 16), round(high * side * 16)
        cv2.ellipse(image, place(x, y), axes, angle, 0, 360, colour, -1, cv2.LINE_AA, 4)

    def mixed(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[float, float, float]:
        return tuple(float(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]

    blush = mixed((225, 90, 80), skin, 0.25)
    for sign in (-1, 1):
        blob(sign * 0.21, -0.12, 0.075, 0.055, blush)
    image[:] = cv2.GaussianBlur(image, (0, 0), 0.03 * side)
    dark = mixed((20, 12, 10), skin, 0.75)
    for sign in (-1, 1):
        x, y = sign * EYE[0], EYE[1]
        blob(x, y + 0.012, 0.075, 0.043, mixed((60, 30, 25), skin, 0.35))
        blob(x, y, 0.062, 0.031, (248, 246, 242))
        blob(x, y, 0.029, 0.029, iris)
        blob(x, y, 0.014, 0.014, (12, 10, 10))
        blob(x + 0.009, y + 0.011, 0.007, 0.007, (255, 255, 255))
        cv2.ellipse(
            image,
            place(x, y),
            (round(1.02 * side), round(0.55 * side)),
            0,
            190,
            350,
            dark,
            2 + side // 200,
            cv2.LINE_AA,
            4,
        )
        blob(sign * BROW[0], BROW[1], 0.078, 0.016, hair, 8.0 * sign)
    shade = mixed((90, 40, 30), skin, 0.4)
    for sign in (-1, 1):
        blob(sign * 0.032, NOSE[1] - 0.048, 0.014, 0.009, shade)
    lips = mixed((190, 60, 70), skin, 0.75)
    blob(0, MOUTH[1], 0.115, 0.036, lips)
    cv2.ellipse(
        image,
        place(0, MOUTH[1] + 0.03 * smile),
        (round(1.76 * side), round(0.7 * side * smile) + 1),
        0,
        15,
        165,
        mixed((60, 10, 15), skin, 0.85),
        2 + side // 160,
        cv2.LINE_AA,
        4,
    )
    return cv2.GaussianBlur(image, (0, 0), 0.8).astype(np.float32)
