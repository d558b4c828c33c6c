"""Dancers made up at random, each with a body, clothes and a room of their own."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from everybody_dance.dancers.body import Build
from everybody_dance.dancers.figure import Colour, Look
from everybody_dance.dancers.render import Dancer
from everybody_dance.dancers.room import Room

Choice = TypeVar("Choice")

_SKINS: tuple[Colour, ...] = (
    (245, 214, 188),
    (232, 184, 152),
    (224, 170, 146),
    (198, 140, 104),
    (160, 108, 78),
    (122, 80, 56),
    (86, 56, 42),
)
_HAIRS: tuple[Colour, ...] = (
    (26, 20, 20),
    (46, 32, 24),
    (88, 48, 30),
    (130, 80, 46),
    (172, 128, 70),
    (214, 180, 120),
    (150, 150, 150),
    (120, 40, 30),
)
_STUDIO = (225, 225, 225)


def invented_dancer(seed: int) -> Dancer:
    """The dancer of this number, always the same."""
    random = np.random.default_rng([77, seed])

    def one_of(choices: Sequence[Choice]) -> Choice:
        return choices[int(random.integers(len(choices)))]

    def colour(low: int, high: int) -> Colour:
        bright = random.integers(low, high, 3)
        return _whole(bright + (bright.mean() - bright) * random.uniform(0, 0.9))

    def near(colour: Colour, spread: float) -> Colour:
        return _whole(np.clip(random.normal(colour, spread), 0, 255))

    look = Look(
        skin=near(one_of(_SKINS), 8),
        hair=near(one_of(_HAIRS), 8),
        iris=colour(20, 180),
        top=colour(20, 250),
        stripe=colour(20, 250),
        bottom=colour(10, 230),
        shoes=colour(10, 245),
        pattern=one_of(("plain", "stripes", "checks")),
        sleeves=one_of((0, 1, 2)),
        legs=one_of(("shorts", "trousers", "trousers")),
        hairstyle=one_of(("cropped", "bob", "ponytail")),
        smile=float(random.uniform(0, 1.2)),
    )
    distance = float(random.uniform(3.6, 5.4))
    room = Room(
        wall=colour(90, 250) if random.random() < 0.7 else near(_STUDIO, 12),
        floor=colour(60, 220),
        trim=colour(60, 250),
        boards=one_of(("planks", "tiles", "carpet")),
        decoration=one_of(("pictures", "window", "panels", "bars")),
        wall_distance=float(random.uniform(1.5, 2.6)),
        camera_distance=distance,
        camera_height=float(random.uniform(0.9, 1.6)),
        focal=float(random.uniform(0.36, 0.42)) * distance,
        seed=seed,
    )
    height, broad, heavy = random.uniform((1.5, 0.9, 0.88), (1.95, 1.12, 1.35)).tolist()
    return Dancer(f"invented {seed}", Build(height, broad, heavy), look, room)


def _whole(values: NDArray[np.float64]) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
