"""The first stage of the live show: the camera's newest frame, and the one who is followed in it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Pose
from everybody_dance.pose.cuts import CausalCuts
from everybody_dance.pose.detector_process import result_of
from everybody_dance.pose.following import Follower
from everybody_dance.pose.people import Person
from everybody_dance.synthesis.handover import TICK, Over
from everybody_dance.video.capture import Camera, CameraState, Captured

SEEN_LONG = 640
"""Detectors see frames at most this long: their networks see far less."""


class LiveDetector(Protocol):
    """A detector that works beside the show, as ``FollowingDetector``."""

    def submit(self, image: Image, everybody: bool = False) -> "Future[list[Person]]":
        """Begin to detect the people in ``image``."""
        ...

    def reset(self) -> None:
        """Forget the frames before."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """A frame and who was found in it.

    Attributes:
        frame: the camera's, mirrored where that was wanted.
        pose: in its pixels; None where nobody is seen.
        shot: number of its shot: with another one everything begins anew.
    """

    frame: Captured
    pose: Pose | None
    shot: int


class Finder:
    """Takes a camera's newest frames and finds the one who is followed.

    Args:
        camera: whose frames.
        detector: finds people.
        who: of several people.
        stopping: set when the show is to end.
    """

    def __init__(self, camera: Camera, detector: LiveDetector, who: str, stopping: threading.Event) -> None:
        self._camera, self._detector, self._stopping = camera, detector, stopping
        self._follower, self._cuts = Follower(who), CausalCuts()
        self._after, self._before, self._shot = 0, (-1, False), 0

    def warm_up(self, meanwhile: Callable[[], None]) -> None:
        """Let the detector load what the first frame would wait for, and do something else meanwhile.

        Raises:
            Over: the show ends before that.
        """
        grey = np.full((SEEN_LONG * 9 // 16, SEEN_LONG, 3), 127, np.uint8)
        loading = [self._detector.submit(grey, everybody=everybody) for everybody in (True, False)]
        meanwhile()
        for future in loading:
            self._result(future)
        self._detector.reset()

    def follow(self, who: str) -> None:
        """Follow somebody else."""
        self._follower.who = who
        self._follower.forget()

    def frame(self) -> Captured | None:
        """The newest frame; None where none came for a moment.

        Raises:
            Over: the camera is a file that is over.
        """
        state = self._camera.state
        frame = self._camera.newest(self._after, TICK)
        if frame is None and state is CameraState.ENDED:
            raise Over
        self._after = self._after if frame is None else frame.number
        return frame

    def find(self, frame: Captured, mirror: bool) -> Found:
        """Find the person in a frame, which is mirrored first where that is wanted.

        Raises:
            Over: the show ends before they are found.
        """
        if mirror:
            frame = Captured(np.ascontiguousarray(frame.image[:, ::-1]), frame.at, frame.number, frame.take)
        small, scale = shrunk_for_live(frame.image)
        take, mirrored = self._before
        cut, turned = self._cuts.step(small), mirror != mirrored
        self._before = frame.take, mirror
        if frame.take != take or (cut and not turned):
            self._shot += 1
            self._follower.forget()
        elif turned:
            self._shot += 1
            self._follower.mirror(small.shape[1])
            self._detector.reset()
        if self._follower.due(frame.at):
            everybody = self._result(self._detector.submit(small, everybody=True))
            if self._follower.look(everybody, (small.shape[1], small.shape[0]), frame.at):
                self._detector.reset()
        people: Sequence[Person] = self._result(self._detector.submit(self._follower.picture(small)))
        pose = self._follower.recognized(people, frame.at)
        return Found(frame, None if pose is None else Pose(pose.xy * scale, pose.confidence), self._shot)

    def _result(self, future: "Future[list[Person]]") -> list[Person]:
        while not wait([future], TICK).done:
            if self._stopping.is_set():
                raise Over
        return result_of(future)


def shrunk_for_live(image: Image) -> tuple[Image, np.float32]:
    """The image as detectors see it in a live show, and how many times smaller it is."""
    height, width = image.shape[:2]
    factor = min(SEEN_LONG / max(width, height), 1.0)
    return resized(image, (max(round(width * factor), 1), max(round(height * factor), 1))), np.float32(1 / factor)
