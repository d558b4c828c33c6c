"""Titles, fades, black and other places are left out; a pan and drifting light are not."""

from dataclasses import replace

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


def _joined(*clips: Keypoints) -> Keypoints:
    xy, confidence = (np.concatenate([getattr(clip, name) for clip in clips]) for name in ("xy", "confidence"))
    return replace(clips[0], xy=xy, confidence=confidence)


def _nobody(frames: int) -> Keypoints:
    return Keypoints.empty(frames, SIZE, swaying(1).fps)


@pytest.mark.parametrize("length", [20, 70, 200])
def test_a_title_without_a_cut_may_be_longer_than_the_dance(length: int) -> None:
    frames, keypoints = footage()
    assert elsewhere([title()] * length + frames, _joined(_nobody(length), keypoints)) == list(range(length))


def test_a_flash_does_not_stand_for_the_place_behind_the_person() -> None:
    # The person covers another part of the place before and after, and the flash is cut off on one side alone.
    xy = np.tile(np.linspace((0, 10), (50, 120), 137, dtype=np.float32), (40, 1, 1))
    left, right = (
        Keypoints(xy + np.array((x, 0), np.float32), np.ones((40, 137)), SIZE, swaying(1).fps) for x in (0, 64)
    )
    frames = [wall()] * 40 + [np.zeros_like(wall())] * 3 + [wall()] * 40
    assert elsewhere(frames, _joined(left, _nobody(3), right), (43,)) == [40, 41, 42]


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
