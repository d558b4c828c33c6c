"""The people whom files of poses tell of, in the frames of a video."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everybody_dance.errors import DanceError
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.pose.everybody import Everybody
from everybody_dance.pose.people import Person
from everybody_dance.pose.tracks import follow_everybody
from everybody_dance.skeleton import JOINT_COUNT

SAME_SHAPE = 1.03
"""A canvas whose proportions differ from the video's by no more than this factor shows the same picture, a little
stretched."""

MOSTLY_OUTSIDE = 0.5
"""Where more than this share of the joints lies outside the video's frames, the files belong to another video."""


@dataclass(frozen=True)
class People:
    """The people in every frame of a video.

    Attributes:
        frames: for each frame that the files tell of, in order, the people in it; in the files' own units.
        name: of the detector, for manifests.
        supplied: bool (137,), joints that these files can hold.
        in_shares: places are shares of the picture, from 0 to 1, and not pixels.
        canvases: for each frame the (W, H) of the picture in which people were found, where a file tells.
        numbers: for each frame its number, where those without people are left out; empty where none is.
        where: the folder or file, for messages.
    """

    frames: list[list[Person]]
    name: str
    supplied: NDArray[np.bool_]
    in_shares: bool = False
    canvases: list[tuple[float, float] | None] = field(default_factory=list)
    numbers: tuple[int, ...] = ()
    where: Path = Path()

    def follow(
        self,
        person: str,
        source_indices: Sequence[int],
        size: tuple[int, int],
        fps: Fraction,
        video: str,
        cuts: Sequence[int] = (),
    ) -> tuple[Keypoints, int]:
        """Follow one person, at the rate of a reader.

        Args:
            person: which of several, as in ``detect_video``.
            source_indices: for each frame wanted, the number of the decoded frame.
            size: (W, H) of the decoded frames.
            fps: of the frames wanted.
            video: its name, for messages.
            cuts: first of the frames wanted of new shots.

        Returns:
            The person's keypoints, and the number of people.

        Raises:
            DanceError: they are not poses of this video's frames (``bad-poses``).
            UsageError: there is no such person (``no-such-person``).
        """
        decoded = max(source_indices, default=-1) + 1
        frames = self._for_frames(decoded, size)
        rate = float(fps) * decoded / max(len(source_indices), 1)
        tracks = tuple(follow_everybody(frames, rate, [source_indices[cut] for cut in cuts]))
        who = Everybody(tracks, size, rate).choose(person, video)
        xy, confidence = np.zeros((decoded, JOINT_COUNT, 2), np.float32), np.zeros((decoded, JOINT_COUNT), np.float32)
        for track in tracks[who : who + 1]:  # none where nobody is ever seen
            for frame, place in zip(track.frames, track.places, strict=True):
                pose = frames[frame][place].pose
                xy[frame], confidence[frame] = pose.xy, pose.confidence
        outside, found = ((xy < 0) | (xy >= np.array(size))).any(axis=-1), confidence > 0
        if (outside & found).sum() > MOSTLY_OUTSIDE * found.sum():
            raise DanceError(
                "bad-poses",
                f"Most of the joints in {self.where} lie outside the video's frames of {size[0]}x{size[1]} pixels:"
                " they were found in a larger picture.",
            )
        confidence = np.where(outside, 0, confidence)
        index = np.array(source_indices, int)
        return Keypoints(xy[index], confidence[index], size, fps), len(tracks)

    def _for_frames(self, decoded: int, size: tuple[int, int]) -> list[list[Person]]:
        """The people in each decoded frame, in its pixels."""
        canvases = self.canvases or [None] * len(self.frames)
        told = [self._in_pixels(*frame, size) for frame in zip(self.frames, canvases, strict=True)]
        if not self.numbers:
            if decoded != len(told):
                raise DanceError(
                    "bad-poses",
                    f"The video has {decoded} frames, but {self.where} has poses for {len(told)}. There must be as"
                    " many, in order.",
                )
            return told
        first, last = self.numbers[0], self.numbers[-1]
        # Numbers count from 0, unless they can only count from 1 or from where the first picture's name begins.
        start = 0 if last < decoded else 1 if first > 0 and last == decoded else first
        if last - start >= decoded:
            raise DanceError(
                "bad-poses", f"The video has {decoded} frames, but {self.where} numbers them from {first} to {last}."
            )
        frames: list[list[Person]] = [[] for _ in range(decoded)]
        for number, people in zip(self.numbers, told, strict=True):
            frames[number - start] = people
        return frames

    def _in_pixels(
        self, people: list[Person], canvas: tuple[float, float] | None, size: tuple[int, int]
    ) -> list[Person]:
        width, height = canvas or size
        shape = (width / height) / (size[0] / size[1])
        if not 1 / SAME_SHAPE <= shape <= SAME_SHAPE:
            raise DanceError(
                "bad-poses",
                f"{self.where} tells of poses on a canvas of {width:.0f}x{height:.0f}, whose shape is not that of the"
                f" video's frames of {size[0]}x{size[1]}.",
            )
        # In pixels, the first one's centre is 0 in the files and .5 with us.
        scale, offset = (size, 0.0) if self.in_shares else ((size[0] / width, size[1] / height), 0.5)
        return [
            Person(Pose((person.pose.xy + np.float32(offset)) * np.array(scale, np.float32), person.pose.confidence))
            for person in people
        ]
