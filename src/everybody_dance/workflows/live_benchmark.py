"""How fast the live show is beside its two heavy stages alone, and how near it comes to the offline dance."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from everybody_dance import events
from everybody_dance.errors import UsageError
from everybody_dance.evaluation.boxes import body_boxes
from everybody_dance.evaluation.metrics import ssim
from everybody_dance.evaluation.placement import placement_error
from everybody_dance.events import Cancellation, Listener, OnProgress, listening
from everybody_dance.files import check_inputs
from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints
from everybody_dance.performer.engine import torch_threads
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.options import AUTO
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.detector_process import FollowingDetector, result_of
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.synthesis.finding import shrunk_for_live
from everybody_dance.synthesis.live import Live, LiveResult, Placed, painting_threads
from everybody_dance.synthesis.placing import COUNTDOWN, GLIDE, LOOKING
from everybody_dance.synthesis.source import Dance
from everybody_dance.synthesis.stream import Picture, Stream
from everybody_dance.video.capture import FileCamera
from everybody_dance.video.reader import VideoReader, probe
from everybody_dance.workflows.live import load_for_live
from everybody_dance.workflows.transfer import find_dance

TIMED, WARM_UP = 60, 5
"""Frames by which a stage alone is timed, and frames before them."""

COMPARED = 60
"""Pictures that are compared, at most."""

SETTLED = COUNTDOWN + LOOKING + GLIDE
"""Seconds after which the calibration that begins the show has taken effect."""


@dataclass(frozen=True)
class LiveFigures:
    """What was measured.

    Attributes:
        detection, painting: median milliseconds a frame, each alone.
        camera: frames a second of the file.
        show: what the show was.
        normalization_error: mean distance of the live poses' body joints from the offline dance's, after the
            calibration, in percent of the body's height.
        body_ssim: of live pictures and offline pictures of the same frames, in the body's box.
        compared: pictures by which that was measured.
    """

    detection: float
    painting: float
    camera: float
    show: LiveResult
    normalization_error: float
    body_ssim: float
    compared: int

    @property
    def ratio(self) -> float:
        """The rate of the show over that of its slowest part: detection or painting alone, or the camera."""
        return self.show.rate / min(1000 / self.detection, 1000 / self.painting, self.camera)


class LiveTrial:
    """Measures a show whose camera is a file.

    Args:
        performer: who dances.
        dance: the file's, as a transfer would dance it.
    """

    def __init__(self, performer: Performer, dance: Dance) -> None:
        self._performer, self._dance = performer, dance
        self._frames: list[int] = []  # of the file, of which there is a live pose
        self._poses: list[Placed] = []
        self._pictures: dict[int, Image] = {}
        self._began: float | None = None

    def measure(self) -> LiveFigures:
        """Time the stages alone, then show the file, then compare."""
        camera = FileCamera(self._dance.video)
        try:
            with FollowingDetector() as detector:
                detection = self._detection(detector)
                painting = self._painting()
                show = Live(self._performer, camera, detector, watch=self._watch)
                show.calibrate()
                result = show.run()
        finally:
            camera.close()
        with events.stage("Comparing with the offline dance") as stage:
            error, similarity = self._compare(stage)
        return LiveFigures(
            detection, painting, float(camera.fps), result, error, similarity, compared=len(self._pictures)
        )

    def _detection(self, detector: FollowingDetector) -> float:
        turns = []
        with VideoReader(self._dance.video) as reader:
            for image in islice(reader, WARM_UP + TIMED):
                small, _ = shrunk_for_live(image)
                began = time.perf_counter()
                result_of(detector.submit(small))
                turns.append(time.perf_counter() - began)
        detector.reset()
        return _milliseconds(turns)

    def _painting(self) -> float:
        placed, turns = self._dance.placed, list[float]()
        stream = Stream(self._performer, float(placed.fps))
        with torch_threads(painting_threads()):
            for index in np.flatnonzero(placed.person_seen)[: WARM_UP + TIMED].tolist():
                began = time.perf_counter()
                stream.step(placed.pose(index))
                turns.append(time.perf_counter() - began)
        return _milliseconds(turns)

    def _watch(self, placed: Placed, picture: Picture) -> None:
        if self._began is None:
            self._began = placed.frame.at
        if placed.frame.at < self._began + SETTLED or placed.frame.number > len(self._dance.placed):
            return
        index = placed.frame.number - 1
        self._frames.append(index)
        self._poses.append(placed)
        apart = len(self._dance.placed) / COMPARED
        if picture.drawn is not None and index - max(self._pictures, default=-apart) >= apart:
            self._pictures[index] = picture.frame

    def _compare(self, on_progress: OnProgress) -> tuple[float, float]:
        """The error of the poses in percent of the height, and the body SSIM of the pictures; NaN without any."""
        truth = self._dance.placed
        poses = [NOBODY if each.placement.placed is None else each.placement.placed for each in self._poses]
        there = Keypoints.of(poses, truth.size, truth.fps)
        if not len(there) or not self._pictures:
            return float("nan"), float("nan")
        error = placement_error(there, truth[np.array(self._frames)])
        boxes, last, found = body_boxes(truth), max(self._pictures), list[float]()
        offline = dance_clip(self._performer, truth, self._dance.detection.cuts)
        for index, picture in enumerate(islice(offline, last + 1)):
            if index in self._pictures:
                found += ssim(self._pictures[index], picture.frame, [boxes[index]])
            on_progress(index + 1, last + 1)
        return float(np.nanmean(error)), float(np.nanmean(found))


def measure_live(
    performer: Path,
    file: Path,
    device: str = "auto",
    runtime: str = AUTO,
    listener: Listener | None = None,
    cancellation: Cancellation | None = None,
) -> LiveFigures:
    """Show a file live, beside its heavy stages alone and the offline dance; nothing is written.

    Args:
        performer: folder of a trained subject, or a performer's model folder.
        file: the camera, a video of somebody dancing.
        device, runtime: as in ``LiveRequest``.
        listener, cancellation: as in the other workflows.

    Raises:
        UsageError: the file is over before the show has settled (``file-too-short``).
        DanceError: something cannot be read, or a part of the show failed.
    """
    with listening(listener, cancellation):
        check_inputs(file)
        least = SETTLED + 1
        if 0 < probe(file).duration < least:
            raise UsageError("file-too-short", f"{file.name} is too short: {least:.0f} seconds or more are needed.")
        person = load_for_live(Model(performer), device, runtime)
        manifest = person.manifest
        dance = find_dance(file, manifest.statistics, manifest.size, TransferConfig())
        return LiveTrial(person, dance).measure()


def _milliseconds(turns: Sequence[float]) -> float:
    """The median, without the first few."""
    return 1000 * float(np.median(turns[WARM_UP:] or turns or [np.nan]))
