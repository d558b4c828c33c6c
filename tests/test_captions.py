"""Captions that come and go are taken out of the footage and its empty place; posters and all else stay."""

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, empty_room, render, true_keypoints
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.pose.mattes import MatteWriter
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.manifest import Clip
from everybody_dance.subject.prepare.bystanders import Bystanders
from everybody_dance.subject.prepare.captions import caption_zone
from everybody_dance.subject.prepare.decode import Decoded
from everybody_dance.subject.prepare.find_place import Place, find_place
from everybody_dance.subject.subject import read_frame, write_frame

SIZE, FPS, FRAMES = (320, 240), Fraction(12), 96
DANCER = DANCERS["ada"]
LINES = ("step to the left", "and to the right", "turn around", "once again", "now slowly", "very good", "and rest")
Overlay = Callable[[Image, int], None]


@cache
def dance() -> tuple[list[Image], list[Image], Keypoints]:
    """Frames, mattes and joints of a rendered dancer who stays on the spot, back and forth through two seconds."""
    moments = 24
    order = np.array([*range(moments), *range(moments)[::-1]] * FRAMES)[:FRAMES]
    rendered = [render(DANCER, CHOREOGRAPHIES["waves"], float(index / FPS), SIZE) for index in range(moments)]
    keypoints = true_keypoints(DANCER, CHOREOGRAPHIES["waves"], moments, FPS, SIZE)[order]
    return (
        [rendered[index].image for index in order],
        [np.uint8(255) * rendered[index].mask.astype(np.uint8) for index in order],
        keypoints,
    )


def written(image: Image, text: str, at: tuple[int, int], size: float = 0.6) -> None:
    """White text with a black outline."""
    for width, colour in ((4, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_DUPLEX, size, colour, width, cv2.LINE_AA)


def subtitles(image: Image, index: int) -> None:
    """A line at the top that changes every 14 frames, with a short pause."""
    if index % 14 < 12:
        written(image, LINES[index // 14 % len(LINES)], (4, 22), 0.45)


def title(image: Image, index: int) -> None:
    """A title across the person in the first two seconds."""
    if index < 24:
        written(image, "my very best dance", (8, 130), 0.9)


def across(image: Image, index: int) -> None:
    """A line across the legs that is nearly always there."""
    if index % 24 < 18:
        written(image, LINES[index // 24 % len(LINES)] + " and go", (30, 180), 0.8)


def poster(image: Image, index: int) -> None:
    """Text that stands there all the time."""
    written(image, "OPEN", (230, 60))


def lamp(image: Image, index: int) -> None:
    """A plain board that is lit for some seconds."""
    if 20 < index < 60:
        image[20:50, 20:90] = (250, 240, 200)


def ball(image: Image, index: int) -> None:
    """Something striped that flies by."""
    x = 12 * index % 400 - 40
    if x > 0:
        image[10:40, x : x + 30 : 3] = 255
        image[10:40, x + 1 : x + 30 : 3] = 0


def footage(*overlays: Overlay) -> list[Image]:
    frames = [image.copy() for image in dance()[0]]
    for index, image in enumerate(frames):
        for overlay in overlays:
            overlay(image, index)
    return frames


def prepared(folder: Path, frames: list[Image]) -> Place:
    _, mattes, keypoints = dance()
    (folder / "frames").mkdir(parents=True)
    with closing(MatteWriter(folder / MATTES)) as writer:
        for index, image in enumerate(frames):
            write_frame(folder, index, image)
            writer.write(mattes[index])
    clips = (Clip(first=0, holdout=FRAMES - 10, stop=FRAMES),)
    decoded = Decoded([], clips, np.zeros(FRAMES, bool), Bystanders(clips, [None], keypoints.size))
    return find_place(folder, decoded, keypoints, np.arange(FRAMES - 10))


def error(image: Image, truth: Image, rows: slice) -> float:
    return float(np.abs(image[rows].astype(int) - truth[rows]).mean())


def clean(*overlays: Overlay) -> NDArray[np.uint8]:
    """The empty room with these overlays."""
    room = empty_room(DANCER, SIZE).copy()
    for overlay in overlays:
        overlay(room, 0)
    return room


def test_subtitles_are_in_neither_plate_nor_frames(tmp_path: Path) -> None:
    found = prepared(tmp_path, footage(subtitles))
    top = slice(0, 34)
    assert found.captions.shown.mean() > 0.9
    assert not found.captions.over.any()
    assert len(found.training) == FRAMES - 10
    assert error(found.plate.image, clean(), top) < 2  # 7 with the captions
    assert found.plate.known[top].mean() > 0.99
    for index in range(0, FRAMES, 5):
        assert error(read_frame(tmp_path, index), dance()[0][index], top) < 3
        # The person is as they were filmed.
        person = dance()[1][index] > 0
        assert np.abs(read_frame(tmp_path, index).astype(int) - dance()[0][index])[person].mean() < 4


def test_frames_whose_title_lies_over_the_person_are_left_out(tmp_path: Path) -> None:
    found = prepared(tmp_path, footage(title))
    assert found.captions.over[:24].all()
    assert not found.captions.over[32:].any()
    assert not (found.training < 24).any()
    assert np.abs(found.plate.image.astype(int) - clean())[found.plate.known].mean() < 3


def test_too_many_captions_over_the_person_leave_nothing_out(tmp_path: Path) -> None:
    found = prepared(tmp_path, footage(across))
    assert found.captions.hiding > 0.5
    assert not found.captions.over.any()
    assert len(found.training) == FRAMES - 10


@pytest.mark.parametrize("overlays", [(), (poster,), (lamp,), (ball,), (poster, lamp, ball)])
def test_what_is_no_caption_stays(overlays: tuple[Overlay, ...]) -> None:
    frames, (_, mattes, keypoints) = footage(*overlays), dance()
    assert not caption_zone(frames.__getitem__, mattes.__getitem__, keypoints, np.arange(FRAMES)).any()


def lit(frames: list[Image], light: float) -> list[Image]:
    """The frames, in another light from the 30th to the 59th."""
    dimmed = [cv2.convertScaleAbs(frame, alpha=light) for frame in frames[30:60]]
    return [*frames[:30], *dimmed, *frames[60:]]


def heading(image: Image, index: int) -> None:
    """A line at the top from the 30th to the 59th frame."""
    if 30 <= index < 60:
        subtitles(image, 0)


@pytest.mark.parametrize("light", [0.72, 1.25])
def test_a_caption_may_come_and_go_with_another_light(tmp_path: Path, light: float) -> None:
    found = prepared(tmp_path, lit(footage(heading), light))
    top = slice(0, 34)
    assert found.captions.shown[30:60].all()
    for index in range(30, 60, 5):
        # The light is that of the plate; with the caption the error is 15.
        gain = np.median(read_frame(tmp_path, index)[top]) / np.median(dance()[0][index][top])
        lighter = cv2.convertScaleAbs(dance()[0][index], alpha=gain)
        assert error(read_frame(tmp_path, index), lighter, top) < 4


@pytest.mark.parametrize("light", [0.65, 1.4])
def test_another_light_is_no_caption(light: float) -> None:
    frames, (_, mattes, keypoints) = lit(footage(poster, lamp, ball), light), dance()
    assert not caption_zone(frames.__getitem__, mattes.__getitem__, keypoints, np.arange(FRAMES)).any()


def test_a_poster_stays_beside_subtitles(tmp_path: Path) -> None:
    found = prepared(tmp_path, footage(subtitles, poster))
    sign = slice(38, 68), slice(220, 310)
    assert np.abs(found.plate.image[sign].astype(int) - clean(poster)[sign]).mean() < 3


def test_nobody_and_nothing() -> None:
    frames, (_, mattes, keypoints) = footage(), dance()
    assert not caption_zone(frames.__getitem__, mattes.__getitem__, keypoints, np.arange(0)).any()
    assert not caption_zone(frames.__getitem__, mattes.__getitem__, keypoints, np.arange(1)).any()
