"""A small prepared subject without any footage: a stick person of flesh and cloth who sways in front of a wall."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.detection_report import report
from everybody_dance.pose.mattes import MatteWriter
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Clip, Source, SubjectManifest
from everybody_dance.subject.prepare.footage import look_over
from everybody_dance.subject.subject import JPEG_OPTIONS, Subject, frame_path
from figures import clip, standing

SIZE = (128, 128)
FPS = Fraction(25)


def wall(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): a smooth pattern."""
    y, x = np.mgrid[: size[1], : size[0]] / size[1]
    pattern = np.stack([0.5 + 0.2 * np.sin(7 * x), 0.5 + 0.2 * np.cos(5 * y), 0.6 - 0.2 * y], -1)
    return (255 * pattern).astype(np.uint8)


def swaying(frames: int, size: tuple[int, int] = SIZE) -> Keypoints:
    """Somebody who sways from side to side and lifts and lowers the arms a little."""
    people = []
    for index in range(frames):
        person = standing(size[0] / 2 + 8 * np.sin(index / 6), 0.88 * size[1], 0.6 * size[1])
        people.append(person)
    return clip(people, size=size, fps=FPS)


def matte(keypoints: Keypoints, index: int) -> NDArray[np.uint8]:
    """uint8 (H, W): where the person of that frame is."""
    return 255 * person_mask(keypoints.pose(index), keypoints.size, 0.0).astype(np.uint8)


def picture(keypoints: Keypoints, index: int) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): the person of that frame in front of the wall, shirt red, trousers blue."""
    image = wall(keypoints.size)
    region = matte(keypoints, index) > 0
    below = np.arange(keypoints.size[1])[:, None] > keypoints.xy[index, 8, 1]
    image[region & ~below] = (190, 50, 60)
    image[region & below] = (40, 60, 160)
    return image


def make_subject(folder: Path, frames: int = 40) -> Subject:
    """Write a subject with its last tenth held out."""
    keypoints = swaying(frames)
    (folder / "frames").mkdir(parents=True)
    with closing(MatteWriter(folder / MATTES)) as mattes:
        for index in range(frames):
            cv2.imwrite(str(frame_path(folder, index)), picture(keypoints, index)[..., ::-1], JPEG_OPTIONS)
            mattes.write(matte(keypoints, index))
    holdout, known = frames - frames // 10, np.ones(SIZE[::-1], bool)
    manifest = SubjectManifest(
        identity="synthetic",
        sources=(Source(name="nobody.mp4", sha256="0" * 64),),
        size=SIZE,
        fps=FPS,
        detector="exact",
        detection=report(keypoints, np.ones(137, bool)),
        statistics=pose_statistics(keypoints[:holdout]),
        clips=(Clip(first=0, holdout=holdout, stop=frames),),
        cuts=(),
        filmed_size=SIZE,
        camera_motion=0.0,
        exposure_change=0.0,
        plate_unknown_share=0.0,
        footage=look_over(
            lambda index: picture(keypoints, index),
            lambda index: matte(keypoints, index),
            keypoints,
            range(holdout),
            wall(),
            known,
        ),
        options={},
    )
    return Subject.create(folder, manifest, keypoints, wall(), known)
