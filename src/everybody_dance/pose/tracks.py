"""Everybody in a video, each followed through it: through crossings, short absences and cuts.

Two steps, as in most tracking by detection (Bewley et al., SORT, 2016): in neighbouring frames people are assigned to
where they are expected to be; what that leaves in pieces is joined by the colours of the clothes and by place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from everybody_dance.keypoints import NOBODY, Array, Pose
from everybody_dance.pose.people import Person, apart, body_centre
from everybody_dance.skeleton import BODY, JOINT_COUNT

REACH, SPEED = 0.35, 3.0
"""A person moves by less than so many body heights, and so many more for each second, from where they are expected."""

FORGET = 1.0
"""Seconds without the person after which nobody is expected at their place."""

HOLD = 2.0
"""Frames for which a person is thought to be where they were seen last, or next."""

COASTS = 0.5
"""Seconds for which a person who is not seen is expected to go on as before."""

STEADINESS = 0.5
"""Share of the velocity before in what is expected next."""

DRESSED_ALIKE = 30.0
"""Clothes that differ by more than this (CIE 1976, the mean of both parts) are of different people."""

RECENT = 9
"""Times a person was found last by which their clothes are known."""

SHORTEST = 0.3
"""Seconds. What is seen for less is no person."""

BYSTANDER = 0.05
"""A person who counts for less than this share of the most prominent one, in height and time, is left out."""


@dataclass(frozen=True, eq=False)
class Track:
    """One person through a video, with a row for each frame in which they were found.

    Attributes:
        frames: int (N,), numbers of the frames, in order.
        places: int (N,), which of the people found in the frame they are.
        xy, confidence: float32 (N, 25, 2) and (N, 25), the body.
        heights: float32 (N,), of the body, in pixels.
        clothes: float32 (N, 2, 3), as ``Person.clothes``.
    """

    frames: NDArray[np.int64]
    places: NDArray[np.int64]
    xy: Array
    confidence: Array
    heights: Array
    clothes: Array

    @classmethod
    def of(cls, parts: "Sequence[Track]") -> Self:
        """The parts of one person's track, together."""
        order = np.argsort(np.concatenate([part.frames for part in parts]))
        return cls(*(np.concatenate([getattr(part, row.name) for part in parts])[order] for row in fields(cls)))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def prominence(self) -> float:
        """How much of the video is theirs: their height, added over the frames."""
        return float(self.heights.sum())

    @property
    def usual_x(self) -> float:
        """Where they usually are, in pixels from the left."""
        found = self.confidence > 0
        return float(np.median((self.xy[..., 0] * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)))

    def pose(self, row: int) -> Pose:
        """The body where they were found for the ``row``-th time."""
        return _body(self.xy[row], self.confidence[row])

    def at(
        self, frame: float, forget: float, hold: float = HOLD, shot: tuple[float, float] = (-np.inf, np.inf)
    ) -> Pose:
        """The body at a moment between frames: between those where it was found, if these are not far apart.

        Args:
            frame: number of the frame; need not be whole.
            forget: frames between which nothing is known of the person.
            hold: frames for which they stay where they were found before and after that.
            shot: first frame of the shot and of the one after: what was found in others tells nothing.
        """
        first_row, end = (int(row) for row in np.searchsorted(self.frames, shot))
        after = int(np.searchsorted(self.frames, frame))
        if first_row <= after < end and self.frames[after] == frame:
            return self.pose(after)
        if first_row < after < end and self.frames[after] - self.frames[after - 1] <= forget:
            first, last = self.frames[after - 1], self.frames[after]
            share = np.float32((frame - first) / (last - first))
            xy = (1 - share) * self.xy[after - 1] + share * self.xy[after]
            return _body(xy, np.minimum(self.confidence[after - 1], self.confidence[after]))
        rows = [row for row in (after - 1, after) if first_row <= row < end]
        nearest = min(rows, key=lambda row: abs(float(self.frames[row] - frame)), default=None)
        return NOBODY if nearest is None or abs(self.frames[nearest] - frame) > hold else self.pose(nearest)


def follow_everybody(frames: Iterable[list[Person]], fps: float, cuts: Sequence[int] = ()) -> list[Track]:
    """Follow all people through a video.

    Args:
        frames: for each frame the people in it.
        fps: frames a second.
        cuts: first frames of new shots, where anybody may be anywhere.

    Returns:
        A track for each person, the most prominent one first.
    """
    pieces = _pieces(frames, fps, frozenset(cuts))
    people = _joined([piece for piece in pieces if len(piece) >= SHORTEST * fps] or pieces, fps, cuts)
    people.sort(key=lambda track: -track.prominence)
    return [track for track in people if track.prominence >= BYSTANDER * people[0].prominence]


def _pieces(frames: Iterable[list[Person]], fps: float, cuts: frozenset[int]) -> list[Track]:
    """Tracks of people who are found again in the next frames, where they are expected."""
    pieces: list[_Piece] = []
    going: list[_Piece] = []
    for index, people in enumerate(frames):
        going = [piece for piece in going if index not in cuts and index - piece.frames[-1] <= FORGET * fps]
        seen = [(place, person) for place, person in enumerate(people) if person.pose.person_seen]
        costs = np.array([[piece.cost(person, index) for piece in going] for _, person in seen])
        costs = costs.reshape(len(seen), len(going))
        possible = np.isfinite(costs)
        new = set(range(len(seen)))
        # A sum with an impossible pair in it is worse than any without.
        for row, column in zip(*linear_sum_assignment(np.where(possible, costs, 1e6)), strict=True):
            if possible[row, column]:
                going[column].add(index, *seen[row])
                new.remove(row)
        for row in sorted(new):
            going.append(_Piece(fps))
            going[-1].add(index, *seen[row])
            pieces.append(going[-1])
    return [piece.track() for piece in pieces]


class _Piece:
    """A track that may go on: where the person is, and how they move.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self.frames: list[int] = []
        self._places: list[int] = []
        self._people: list[Person] = []
        self._heights: list[float] = []
        self._velocity = np.zeros(2, np.float32)  # pixels a second

    def add(self, frame: int, place: int, person: Person) -> None:
        """The person was found again."""
        if self.frames:
            step = body_centre(person.pose) - body_centre(self._people[-1].pose)
            velocity = np.float32(self._fps / (frame - self.frames[-1])) * step
            self._velocity = np.float32(STEADINESS) * self._velocity + np.float32(1 - STEADINESS) * velocity
        self.frames.append(frame)
        self._places.append(place)
        # The body alone: there may be hours of it.
        self._people.append(Person(person.pose, clothes=person.clothes))
        self._heights.append(person.pose.height)

    def cost(self, person: Person, frame: int) -> float:
        """How badly somebody in ``frame`` goes on with the track; infinite where it cannot be them."""
        seconds = (frame - self.frames[-1]) / self._fps
        away = self._velocity * min(seconds, COASTS)
        expected = self._people[-1].pose.shifted(*away.tolist())
        distance = apart(expected, person.pose) / max(person.pose.height, self._heights[-1], 1.0)
        worn = median_clothes(np.stack([earlier.clothes for earlier in self._people[-RECENT:]]))
        unlike = unlikeness(worn, person.clothes)
        if distance > REACH + SPEED * seconds or unlike > 1.5 * DRESSED_ALIKE:
            return np.inf
        return distance + 0.5 * (0 if np.isnan(unlike) else unlike) / DRESSED_ALIKE

    def track(self) -> Track:
        """What was found."""
        return Track(
            np.array(self.frames),
            np.array(self._places),
            np.stack([person.pose.xy[BODY] for person in self._people]),
            np.stack([person.pose.confidence[BODY] for person in self._people]),
            np.array(self._heights, np.float32),
            np.stack([person.clothes for person in self._people]),
        )


def _joined(pieces: list[Track], fps: float, cuts: Sequence[int]) -> list[Track]:
    """The pieces of each person, together: first those that fit best."""
    clothes = [median_clothes(piece.clothes) for piece in pieces]
    shots = np.searchsorted(cuts, [piece.frames[0] for piece in pieces], side="right")
    pairs = []
    for one, other in combinations(range(len(pieces)), 2):
        early, late = sorted((one, other), key=lambda piece: int(pieces[piece].frames[0]))
        same_shot = bool(shots[early] == shots[late])
        cost = _joining(pieces[early], pieces[late], unlikeness(clothes[early], clothes[late]), fps, same_shot)
        if np.isfinite(cost):
            pairs.append((cost, early, late))
    whose = list(range(len(pieces)))
    people = dict(enumerate(pieces))
    for _, first, last in sorted(pairs):
        begun, further = people[whose[first]], people[whose[last]]
        if begun is further or len(np.intersect1d(begun.frames, further.frames)):
            continue
        if unlikeness(median_clothes(begun.clothes), median_clothes(further.clothes)) > DRESSED_ALIKE:
            continue
        kept, gone = whose[first], whose[last]
        people[kept] = Track.of([begun, people.pop(gone)])
        whose = [kept if person == gone else person for person in whose]
    return list(people.values())


def _joining(first: Track, last: Track, unlike: float, fps: float, same_shot: bool) -> float:
    """How badly two pieces go together; infinite where they are of two people.

    Args:
        first, last: the pieces, in order of time.
        unlike: how different the clothes are.
        fps: frames a second.
        same_shot: whether no cut lies between.
    """
    seconds = float(last.frames[0] - first.frames[-1]) / fps
    if seconds <= 0 or unlike > DRESSED_ALIKE:
        return np.inf
    height = max(first.heights[-1], last.heights[0], 1.0)
    distance = apart(first.pose(-1), last.pose(0)) / height / (REACH + SPEED * seconds) if same_shot else 0.5
    if seconds < FORGET and distance > 1:  # nobody is suddenly elsewhere
        return np.inf
    return float(distance + (0.5 if np.isnan(unlike) else 2 * unlike / DRESSED_ALIKE) + 0.1 * min(seconds, 10.0))


def median_clothes(clothes: Array) -> Array:
    """(2, 3): of clothes (N, 2, 3) the median colours where they were seen; NaN where they never were."""
    colours = np.full((2, 3), np.nan, np.float32)
    for part in (0, 1):
        seen = clothes[~np.isnan(clothes[:, part]).any(axis=1), part]
        if len(seen):
            colours[part] = np.median(seen, axis=0)
    return colours


def unlikeness(one: Array, other: Array) -> float:
    """Mean colour difference (CIE 1976) of those parts of the clothes that were seen of both; NaN where none was."""
    differences = np.linalg.norm(one - other, axis=1)
    known = ~np.isnan(differences)
    return float(differences[known].mean()) if known.any() else float("nan")


def _body(xy: Array, confidence: Array) -> Pose:
    places, sure = np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32)
    places[BODY], sure[BODY] = xy, confidence
    return Pose(places, sure)
