"""Titles, fades, black and other places are left out; a pan and drifting light are not."""

import cv2
import numpy as np
import pytest

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.subject.prepare.place import frames_elsewhere, small_picture
from subjects import SIZE, picture, swaying, wall

FRAMES = 80


def elsewhere(frames: list[Image], keypoints: Keypoints, cuts: tuple[int, ...] = ()) -> list[int]:
    small = np.stack([small_picture(frame) for frame in frames])
    return np.flatnonzero(frames_elsewhere(small, keypoints, cuts)).tolist()


def footage() -> tuple[list[Image], Keypoints]:
    keypoints = swaying(FRAMES)
    return [picture(keypoints, index) for index in range(FRAMES)], keypoints


def title() -> Image:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.putText(image, "my dance", (10, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
    return image


def other_place() -> Image:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (8, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)


def test_the_place_itself() -> None:
    frames, keypoints = footage()
    assert elsewhere(frames, keypoints) == []
    assert elsewhere(frames, keypoints, (20, 50)) == []


def test_black_and_a_fade_in() -> None:
    frames, keypoints = footage()
    light = np.clip((np.arange(FRAMES) - 10) / 10, 0, 1)
    faded = [(frame * share).astype(np.uint8) for frame, share in zip(frames, light, strict=True)]
    found = elsewhere(faded, keypoints)
    assert found == list(range(len(found)))
    assert 14 <= len(found) <= 18  # up to about six tenths of the light


@pytest.mark.parametrize("cuts", [(), (12,), (12, 70)])
def test_titles(cuts: tuple[int, ...]) -> None:
    frames, keypoints = footage()
    frames[:12] = [title()] * 12
    frames[70:] = [255 - title()] * 10
    assert elsewhere(frames, keypoints, cuts) == [*range(12), *range(70, 80)]


def test_another_place_is_left_out_by_how_long_the_person_is_seen() -> None:
    frames, keypoints = footage()
    there = [np.where(frame == wall(), other_place(), frame) for frame in frames]
    assert elsewhere(frames[:50] + there[50:], keypoints, (50,)) == list(range(50, 80))
    assert elsewhere(frames[:30] + there[30:], keypoints, (30,)) == list(range(30))


def test_a_pan_and_drifting_light_are_the_place() -> None:
    frames, keypoints = footage()
    random = np.random.default_rng(0)
    wide = cv2.resize(random.integers(40, 220, (16, 32, 3), np.uint8), (256, 128), interpolation=cv2.INTER_CUBIC)
    panned = [np.where(frame == wall(), wide[:, index : index + SIZE[0]], frame) for index, frame in enumerate(frames)]
    assert elsewhere(panned, keypoints) == []
    light = np.linspace(0.8, 1.2, FRAMES)
    drifting = [(frame * share).clip(0, 255).astype(np.uint8) for frame, share in zip(frames, light, strict=True)]
    assert elsewhere(drifting, keypoints) == []


def test_nobody_and_nothing() -> None:
    assert elsewhere([wall()] * 5, Keypoints.empty(5, SIZE, swaying(1).fps)) == []
    assert (
        frames_elsewhere(np.zeros((0, 24, 24), np.uint8), Keypoints.empty(0, SIZE, swaying(1).fps), ()).tolist() == []
    )
