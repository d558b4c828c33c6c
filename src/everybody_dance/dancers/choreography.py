"""Movement as functions of time, in units of the dancer's own legs and arms, so that any body can dance any of it.

A pose is a vector of the numbers in ``PARAMETERS``. Directions are the dancer's own: left, up, forward. A choreography
is a list of key poses that a monotone cubic passes through: nothing overshoots, and what is held stays still.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Vector = NDArray[np.float64]

# Name: value when standing at ease. Stage places are in leg lengths, to the camera's right and away from it; hands
# are relative to their shoulder in arm lengths (out to the hand's own side, up, forward); feet are relative to the
# spot below the hips in leg lengths (out, forward, lift); turn is in turns (1 is all around), the rest in radians.
REST: dict[str, float] = {
    "stage_x": 0.0,
    "stage_z": 0.0,
    "turn": 0.0,
    "jump": 0.0,
    "crouch": 0.03,
    "lean_forward": 0.0,
    "lean_left": 0.0,
    "twist": 0.0,
    "head_turn": 0.0,
    "head_nod": 0.0,
    "curl": 0.35,
    "left_hand_out": 0.28,
    "left_hand_up": -0.92,
    "left_hand_forward": 0.12,
    "right_hand_out": 0.28,
    "right_hand_up": -0.92,
    "right_hand_forward": 0.12,
    "left_foot_out": 0.14,
    "left_foot_forward": 0.0,
    "left_foot_lift": 0.0,
    "right_foot_out": 0.14,
    "right_foot_forward": 0.0,
    "right_foot_lift": 0.0,
}
PARAMETERS = tuple(REST)
Key = tuple[float, Mapping[str, float]]


def hands(left: tuple[float, float, float], right: tuple[float, float, float] | None = None) -> dict[str, float]:
    """Places of both hands (out, up, forward); one alone is mirrored."""
    names = ("out", "up", "forward")
    right = left if right is None else right
    return {
        **{f"left_hand_{name}": value for name, value in zip(names, left, strict=True)},
        **{f"right_hand_{name}": value for name, value in zip(names, right, strict=True)},
    }


def foot(side: str, out: float = 0.14, forward: float = 0.0, lift: float = 0.0) -> dict[str, float]:
    """Place of one foot."""
    return {f"{side}_foot_out": out, f"{side}_foot_forward": forward, f"{side}_foot_lift": lift}


@dataclass(frozen=True)
class Choreography:
    """Key poses in time.

    Attributes:
        name: of the dance.
        keys: (seconds, changes). What a key does not name goes back to rest, except the place on stage and the turn,
            which stay.
    """

    name: str
    keys: Sequence[Key] = field(repr=False)

    @property
    def seconds(self) -> float:
        """Time of the last key; the pose is held after it."""
        return float(self.keys[-1][0])

    @cached_property
    def _curve(self) -> PchipInterpolator:
        lasting = dict.fromkeys(("stage_x", "stage_z", "turn"), 0.0)
        rows = []
        for _, changes in self.keys:
            lasting |= {name: changes[name] for name in lasting if name in changes}
            unknown = set(changes) - set(REST)
            if unknown:
                raise ValueError(f"unknown parameters {sorted(unknown)}")
            rows.append([{**REST, **changes, **lasting}[name] for name in PARAMETERS])
        return PchipInterpolator([time for time, _ in self.keys], np.array(rows), axis=0)

    def pose(self, seconds: float) -> dict[str, float]:
        """All parameters at a time. Feet that travel are lifted by as much as they are fast."""
        curve = self._curve
        time = float(np.clip(seconds, self.keys[0][0], self.seconds))
        values = dict(zip(PARAMETERS, curve(time).tolist(), strict=True))
        speed = dict(zip(PARAMETERS, curve.derivative()(time).tolist(), strict=True))
        for side in ("left", "right"):
            travel = float(np.hypot(speed[f"{side}_foot_out"], speed[f"{side}_foot_forward"]))
            values[f"{side}_foot_lift"] += 0.06 * float(np.tanh(travel))
        # Breathing: nobody stands like a statue.
        values["lean_forward"] += 0.012 * float(np.sin(2.1 * seconds))
        values["lean_left"] += 0.01 * float(np.sin(1.3 * seconds + 1))
        return values


_SIDE, _UP, _FRONT = (0.98, 0.0, 0.05), (0.25, 0.92, 0.05), (0.12, 0.05, 0.9)
_HIPS, _CHEST, _HIGH_V = (0.3, -0.62, 0.1), (-0.2, -0.2, 0.35), (0.65, 0.72, 0.05)
_LOW_SIDE, _CROSS, _HEAD = (0.7, -0.65, 0.1), (-0.38, -0.15, 0.45), (0.3, 0.35, 0.05)
_FLEX, _BACK, _REST = (0.55, 0.3, 0.25), (0.3, -0.8, -0.25), (0.28, -0.92, 0.12)


def _varied() -> list[Key]:
    """A long training dance that visits everything: the range of movement, not any one dance of the others."""
    random = np.random.default_rng(7)
    places = (_SIDE, _UP, _FRONT, _HIPS, _CHEST, _HIGH_V, _LOW_SIDE, _CROSS, _HEAD, _FLEX, _BACK, _REST)
    keys: list[Key] = [(0.0, {})]
    time, turn = 0.0, 0.0
    x, z, sideways, depth = 0.0, 0.0, 0.0, 0.0
    for beat in range(56):
        time += 0.65
        left, right = (places[int(random.integers(len(places)))] for _ in range(2))
        if random.random() < 0.4:
            right = left
        change: dict[str, float] = {**hands(left, right), "curl": float(random.uniform(0.1, 0.8))}
        change |= {"lean_left": float(random.normal(0, 0.1)), "twist": float(random.normal(0, 0.18))}
        change |= {"lean_forward": float(random.normal(0.03, 0.08)), "crouch": float(random.uniform(0.02, 0.12))}
        change |= {"head_turn": float(random.normal(0, 0.25)), "head_nod": float(random.normal(0, 0.08))}
        if beat % 4 == 1:
            side = "left" if random.random() < 0.5 else "right"
            change |= foot(side, 0.2, float(random.uniform(-0.1, 0.4)), float(random.uniform(0.1, 0.6)))
        elif beat % 4 == 3:
            change |= foot("left", float(random.uniform(0.1, 0.4)), float(random.uniform(-0.2, 0.2)))
            change |= foot("right", float(random.uniform(0.1, 0.4)), float(random.uniform(-0.2, 0.2)))
        if beat % 9 == 4:
            change["crouch"] = 0.36
        if beat % 7 == 5:
            change["jump"] = 0.18
        if beat % 5 == 2:
            # To one side and to the other in turn: the middle of the stage stays the middle of the footage.
            if beat % 10 == 2:
                sideways, depth = float(random.uniform(0.3, 0.7)), float(random.uniform(-0.6, 0.7))
            x, z = sideways * (1 if beat % 10 == 2 else -1), depth
        elif beat % 10 == 9:
            x, z = 0.0, 0.0
        if beat % 6 == 0 and beat:
            turn += float(random.choice((-0.5, -0.25, 0.25, 0.5)))
        elif beat % 6 == 3:
            turn = round(turn)
        keys.append((time, {**change, "stage_x": x, "stage_z": z, "turn": turn}))
    keys.append((time + 0.65, {"turn": round(turn)}))
    return keys


def _waves() -> list[Key]:
    """Arms overhead and to the sides, side steps, a full turn."""
    keys: list[Key] = [(0.0, {})]
    for bar in range(3):
        time, side = 2.4 * bar, (-1) ** bar
        keys += [
            (time + 0.5, {**hands(_HIGH_V), "lean_left": 0.12 * side, "stage_x": 0.25 * side}),
            (time + 1.0, {**hands(_UP), "lean_left": -0.12 * side, "head_nod": -0.1}),
            (time + 1.5, {**hands(_SIDE, _HIPS if bar % 2 else _SIDE), "stage_x": 0.4 * side, "crouch": 0.1}),
            (time + 2.0, {**hands(_LOW_SIDE), "turn": bar + 0.5 if bar == 1 else bar // 2 * 1.0}),
        ]
    keys.append((8.0, {**hands(_HIGH_V), "turn": 1.0, "stage_x": 0.0}))
    return keys


def _steps() -> list[Key]:
    """Depth: toward the camera and away from it, arms swinging as in a walk."""
    keys: list[Key] = [(0.0, {})]
    for step in range(1, 15):
        swing = 0.35 * (-1) ** step
        z = 0.8 * np.cos(np.pi * step / 7) - 0.0
        change = hands((0.22, -0.85, swing), (0.22, -0.85, -swing))
        change |= foot("left", 0.12, -swing * 0.6) | foot("right", 0.12, swing * 0.6)
        keys.append((0.5 * step, {**change, "stage_z": float(z), "turn": 0.0}))
    keys.append((8.0, {}))
    return keys


def _kicks() -> list[Key]:
    """Kicks, jumps and star shapes."""
    keys: list[Key] = [(0.0, {})]
    for bar in range(4):
        side, time = ("left", "right")[bar % 2], 2.0 * bar
        keys += [
            (time + 0.4, {**hands(_CHEST), "crouch": 0.15}),
            (time + 0.8, {**hands(_SIDE, _FRONT), **foot(side, 0.15, 0.75, 0.75), "lean_forward": -0.12}),
            (time + 1.2, {**hands(_HIPS), "crouch": 0.2}),
            (time + 1.55, {**hands(_HIGH_V), **foot("left", 0.42), **foot("right", 0.42), "jump": 0.3, "crouch": 0}),
            (time + 1.9, {**hands(_LOW_SIDE), "crouch": 0.18}),
        ]
    keys.append((8.6, {}))
    return keys


def _spins() -> list[Key]:
    """Quarter turns and full turns, seen from every side."""
    keys: list[Key] = [(0.0, {})]
    for beat in range(1, 12):
        place = (_SIDE, _UP, _CROSS, _HIGH_V)[beat % 4]
        keys.append((0.7 * beat, {**hands(place), "turn": beat / 4, "crouch": 0.03 + 0.06 * (beat % 2)}))
    return keys


def _kneel() -> list[Key]:
    """Down to one knee, arms crossing, and up again."""
    down = {**foot("left", 0.16, 0.42), **foot("right", 0.14, -0.35), "crouch": 0.46}
    return [
        (0.0, {}),
        (0.9, {**hands(_SIDE), "crouch": 0.1}),
        (1.9, {**hands(_CROSS), **down, "lean_forward": 0.15}),
        (2.8, {**hands(_UP), **down, "head_nod": -0.2}),
        (3.7, {**hands(_SIDE, _CROSS), **down, "twist": 0.3}),
        (4.6, {**hands(_HIPS), "crouch": 0.12}),
        (5.4, {**hands(_HEAD), "twist": -0.25}),
        (6.4, hands(_CROSS)),
        (8.0, {}),
    ]


def _bow() -> list[Key]:
    """Hardly leaves the spot: slow arms and a bow."""
    return [
        (0.0, {}),
        (1.5, hands(_UP)),
        (3.0, hands(_SIDE)),
        (4.5, {**hands(_CHEST), "lean_forward": 0.5, "head_nod": 0.3}),
        (6.0, {**hands(_FLEX), "crouch": 0.12}),
        (8.0, {}),
    ]


CHOREOGRAPHIES: dict[str, Choreography] = {
    name: Choreography(name, keys)
    for name, keys in (
        ("varied", _varied()),
        ("waves", _waves()),
        ("steps", _steps()),
        ("kicks", _kicks()),
        ("spins", _spins()),
        ("kneel", _kneel()),
        ("bow", _bow()),
    )
}
