"""The person window: boxes cut and paste exactly, hold the person, and stand still with them."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from everybody_dance.drawing.window import (
    FAR,
    LEAST_ROOM,
    PATIENCE,
    ROOM,
    SIZE_STEP,
    TightWindow,
    person_windows,
    whole_frame,
)
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from figures import clip, standing

STRIDE = 16

boxes = st.builds(Box, st.integers(-60, 90), st.integers(-60, 90), st.integers(1, 70), st.integers(1, 70))
images = st.builds(
    lambda height, width, seed: np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8),
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(0, 99),
)


@given(box=boxes, image=images)
def test_cut_continues_edge_pixels(box: Box, image: NDArray[np.uint8]) -> None:
    rows = np.clip(np.arange(box.y, box.y + box.height), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(box.x, box.x + box.width), 0, image.shape[1] - 1)
    assert np.array_equal(box.cut(image), image[rows][:, columns])
    assert np.array_equal(box.cut(image[..., 0]), image[..., 0][rows][:, columns])


@given(box=boxes, image=images)
def test_pasting_what_was_cut_changes_nothing(box: Box, image: NDArray[np.uint8]) -> None:
    pasted = image.copy()
    box.paste(box.cut(image).copy(), pasted)
    assert np.array_equal(pasted, image)


@given(box=boxes, image=images)
def test_cutting_what_was_pasted_gives_it_back_inside(box: Box, image: NDArray[np.uint8]) -> None:
    patch = np.full((box.height, box.width, 3), 7, np.uint8)
    pasted = image.copy()
    box.paste(patch, pasted)
    inside = np.zeros(image.shape[:2], bool)
    inside[max(box.y, 0) : max(box.y + box.height, 0), max(box.x, 0) : max(box.x + box.width, 0)] = True
    assert np.array_equal(pasted[~inside], image[~inside])
    assert (pasted[inside] == 7).all()


@pytest.mark.parametrize(
    ("size", "expected"), [((512, 256), (512, 256)), ((910, 512), (928, 512)), ((1, 33), (32, 64))]
)
def test_whole_frame_is_rounded_up(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert whole_frame(size) == Box(0, 0, *expected)


walks = st.lists(st.tuples(st.floats(-50, 690), st.floats(60, 480), st.floats(30, 400)), min_size=1, max_size=12).map(
    lambda places: clip([standing(*place) for place in places])
)


@settings(max_examples=60)
@given(keypoints=walks, at_least=st.sampled_from([(32, 32), (96, 224), (2048, 2048)]))
def test_boxes_are_on_the_grid_and_of_one_size(keypoints: Keypoints, at_least: tuple[int, int]) -> None:
    windows = person_windows(keypoints, STRIDE, at_least=at_least)
    limit = whole_frame(keypoints.size)
    assert len(windows) == len(keypoints)
    assert len({(box.width, box.height) for box in windows}) == 1
    for box in windows:
        assert box.x % STRIDE == 0
        assert box.y % STRIDE == 0
        assert box.width % SIZE_STEP == 0
        assert box.height % SIZE_STEP == 0
        assert min(at_least[0], limit.width) <= box.width <= limit.width
        assert min(at_least[1], limit.height) <= box.height <= limit.height
        assert box.x >= 0
        assert box.y >= 0


@settings(max_examples=60)
@given(
    height=st.floats(40, 300),
    places=st.lists(st.tuples(st.floats(120, 520), st.floats(330, 460)), min_size=1, max_size=12),
)
def test_the_person_is_inside(height: float, places: list[tuple[float, float]]) -> None:
    keypoints = clip([standing(x, y, height) for x, y in places])
    for box, xy in zip(person_windows(keypoints, STRIDE), keypoints.xy, strict=True):
        inside = np.clip(xy, 0, keypoints.size)
        assert (inside >= [box.x, box.y]).all()
        assert (inside <= [box.x + box.width, box.y + box.height]).all()


def test_a_box_always_fits_the_margin_too() -> None:
    """The worst places relative to the grid: with no room to spare the box would be centred anew in every frame."""
    keypoints = clip([standing(300 + shift / 4, 400, 240) for shift in range(64)])
    margin = 0.1 * np.ptp(keypoints.xy[0, :, 1])
    for box, xy in zip(person_windows(keypoints, STRIDE), keypoints.xy, strict=True):
        low, high = xy.min(axis=0) - margin, xy.max(axis=0) + margin
        assert (low >= [box.x - 0.01, box.y - 0.01]).all()
        assert (high <= [box.x + box.width + 0.01, box.y + box.height + 0.01]).all()


@given(x=st.floats(60, 580), ankle_y=st.floats(280, 460), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_a_still_person_has_a_still_box(x: float, ankle_y: float, seed: int) -> None:
    jitter = np.random.default_rng(seed).normal(0, 0.3, (40, 1, 2))
    keypoints = clip(standing(x, ankle_y, 200)[None] + jitter)
    assert len(set(person_windows(keypoints, STRIDE))) <= 2


def test_the_box_waits_until_the_person_comes_near_its_edge() -> None:
    keypoints = clip([standing(100 + 4 * t, 400, 200) for t in range(100)])
    x = np.array([box.x for box in person_windows(keypoints, STRIDE, at_least=(320, 320))])
    moved = np.flatnonzero(np.diff(x))
    assert 1 <= len(moved) <= 8
    assert (np.diff(x) >= 0).all()


def test_a_cut_centres_anew() -> None:
    keypoints = clip([standing(260, 400, 200)] * 5 + [standing(300, 400, 200)] * 5)
    stays = person_windows(keypoints, STRIDE, at_least=(320, 320))
    jumps = person_windows(keypoints, STRIDE, cuts=[5, 99], at_least=(320, 320))
    assert len({box.x for box in stays}) == 1
    assert jumps[4].x < jumps[5].x


def test_frames_without_a_person_keep_the_last_box() -> None:
    keypoints = clip([standing(100, 400, 200)] * 3 + [standing(500, 400, 200)] * 3)
    confidence = keypoints.confidence.copy()
    confidence[[0, 2, 3]] = 0
    windows = person_windows(Keypoints(keypoints.xy, confidence, keypoints.size, keypoints.fps), STRIDE)
    assert windows[1] == windows[2] == windows[3]
    assert windows[4] == windows[5] != windows[3]


def test_nobody_at_all_still_gets_boxes() -> None:
    windows = person_windows(Keypoints.empty(3, (640, 480), Fraction(30)), STRIDE, at_least=(96, 9999))
    assert windows == [Box(0, 0, 96, 480)] * 3


USUAL = (288, 384)


def tight(
    keypoints: Keypoints, cuts: tuple[int, ...] = (), painted: Box | None = None, usual: tuple[int, int] = USUAL
) -> list[Box]:
    """The boxes of a tight window where nothing but the joints, or what lies in ``painted`` too, is painted."""
    follower, boxes, before = TightWindow(usual, keypoints.size, STRIDE).follower(), [], None
    for index in range(len(keypoints)):
        pose = keypoints.pose(index)
        seen = pose.person_seen
        boxes.append(follower.step(pose if seen else None, index in cuts, before if index not in cuts else None))
        low, high = pose.xy.min(axis=0), pose.xy.max(axis=0)
        before = around(low.tolist(), high.tolist(), painted) if seen else None
    return boxes


def around(low: list[float], high: list[float], painted: Box | None) -> Box:
    if painted is not None:
        low = [min(low[0], painted.x), min(low[1], painted.y)]
        high = [max(high[0], painted.x + painted.width), max(high[1], painted.y + painted.height)]
    return Box(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


class TestTight:
    @settings(max_examples=60)
    @given(keypoints=walks)
    def test_it_is_on_the_grid_in_the_frame_and_has_room(self, keypoints: Keypoints) -> None:
        columns, rows = (-(-side // STRIDE) * STRIDE for side in keypoints.size)
        for box, xy in zip(tight(keypoints), keypoints.xy, strict=True):
            assert not any(side % STRIDE for side in (box.x, box.y, box.width, box.height))
            assert whole_frame((columns, rows)).holds(box)
            assert min(box.width, box.height) > 0
            if (xy.min(axis=0) < keypoints.size).all() and (xy.max(axis=0) > 0).all():
                room = LEAST_ROOM * STRIDE
                assert (np.maximum(xy.min(axis=0) - room, 0) >= [box.x, box.y]).all()
                assert (
                    np.minimum(xy.max(axis=0) + room, keypoints.size) <= [box.x + box.width, box.y + box.height]
                ).all()

    def test_it_is_smaller_than_one_size_for_all(self) -> None:
        """Somebody who once spreads their arms."""
        people = [standing(300, 400, 200) for _ in range(60)]
        people[30][:, 0] = 300 + 4 * (people[30][:, 0] - 300)
        keypoints = clip(people)
        areas = [box.area for box in tight(keypoints)]
        (widest,) = {box.area for box in person_windows(keypoints, STRIDE)}
        assert areas[30] > 1.3 * areas[29]
        assert areas[PATIENCE:30] == areas[-20:] == [areas[-1]] * 20
        assert areas[-1] < widest
        # It waits before it becomes smaller, and does so at once.
        assert areas[30 : 30 + PATIENCE] == [areas[30]] * PATIENCE

    @given(x=st.floats(100, 540), ankle_y=st.floats(280, 460), seed=st.integers(0, 99))
    @settings(max_examples=30)
    def test_a_still_person_has_a_still_box(self, x: float, ankle_y: float, seed: int) -> None:
        jitter = np.random.default_rng(seed).normal(0, 0.3, (40, 1, 2))
        boxes = tight(clip(standing(x, ankle_y, 200)[None] + jitter))
        assert sum(one != other for one, other in pairwise(boxes[1:])) <= 3

    def test_it_steps_and_does_not_glide(self) -> None:
        boxes = tight(clip([standing(150 + 3 * t, 400, 200) for t in range(100)]))[1:]
        changes = [index for index, (one, other) in enumerate(pairwise(boxes)) if one != other]
        assert 5 <= len(changes) <= 300 / STRIDE
        assert np.diff(changes).min() >= 2
        steps = [abs(one.x - other.x) for one, other in pairwise(boxes)]
        assert max(steps) <= 3 * STRIDE

    def test_a_cut_fits_it_anew(self) -> None:
        keypoints = clip([standing(200, 400, 200)] * 20 + [standing(216, 400, 200)] * 20)
        stays, anew = tight(keypoints, usual=(32, 32)), tight(keypoints, (20,), usual=(32, 32))
        assert anew[:20] == stays[:20]
        assert (anew[20].x, anew[20].width) == (anew[0].x + STRIDE, anew[0].width)  # nothing painted is known there
        assert anew[20].width > stays[20].width
        assert anew[-1].width == anew[19].width

    def test_who_leaves_and_comes_back_is_found_where_they_are(self) -> None:
        keypoints = clip([standing(100, 400, 200)] * 3 + [standing(500, 400, 200)] * 20)
        keypoints.confidence[[2, 3]] = 0
        boxes = tight(keypoints)
        assert boxes[1] == boxes[2] == boxes[3]
        xy = keypoints.xy[4]
        assert (xy.min(axis=0) >= [boxes[4].x, boxes[4].y]).all()
        assert boxes[4].width > boxes[-1].width

    def test_what_was_painted_is_not_cut_off(self) -> None:
        keypoints = clip([standing(300, 400, 200)] * 20)
        left = keypoints.xy[0, :, 0].min()
        shadow = Box(int(left) - 70, 380, 70, 30)
        plain, shaded = tight(keypoints)[-1], tight(keypoints, painted=shadow)[-1]
        assert shaded.holds(Box(shadow.x - STRIDE, shadow.y, STRIDE, 30))
        assert shaded.x < plain.x
        # What is farther than a person's can be is not theirs.
        dirt = Box(0, 380, 640, 30)
        assert tight(keypoints, painted=dirt)[-1].width < 0.75 * 640
        assert left - tight(keypoints, painted=dirt)[-1].x < FAR * 220 + 2 * STRIDE

    def test_room_for_the_generator_does_not_make_it_larger_than_that_of_the_training(self) -> None:
        keypoints = clip([standing(300, 300, 200)] * 20)
        extent = np.ptp(keypoints.xy[0], axis=0)
        wide = tight(keypoints, usual=(640, 480))[-1]
        assert wide.width - extent[0] > 2 * ROOM * STRIDE
        usual = int(extent[0] + 20 + 5 * STRIDE) // STRIDE * STRIDE
        assert tight(keypoints, usual=(usual, 480))[-1].width <= usual < wide.width

    def test_nobody_yet(self) -> None:
        assert tight(Keypoints.empty(2, (640, 480), Fraction(30))) == [Box(0, 0, STRIDE, STRIDE)] * 2
