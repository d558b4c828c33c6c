"""What is said about footage before anybody trains on it."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from everybody_dance.dancers.render import clip_keypoints
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.skeleton import Joint
from everybody_dance.subject.prepare.footage import FootageReport, advice, aspects, look_over
from subjects import SIZE, matte, picture, swaying, wall

KNOWN = np.ones(SIZE[::-1], bool)


def codes(found: FootageReport) -> set[str]:
    """Codes of what is said about footage under steady light."""
    return {finding.code for finding in advice(found, exposure_change=0)}


def moment(found: FootageReport, code: str) -> float:
    """The seconds that the finding of that code carries; others must carry none."""
    moments = {one.code: one.values["moment"] for one in advice(found, exposure_change=1) if "moment" in one.values}
    assert moments.keys() <= found.moments.keys()
    return float(moments[code])


def moved(keypoints: Keypoints, **places: tuple[float, float]) -> Keypoints:
    """The first frame with joints elsewhere, in body heights from where they were."""
    xy = keypoints.xy[:1].copy()
    height = float(np.ptp(xy[0, : Joint.LEFT_ANKLE + 1, 1])) / 0.9
    for name, offset in places.items():
        xy[0, Joint[name]] += np.float32(np.array(offset) * height)
    return replace(keypoints[:1], xy=xy)


class TestAspects:
    def test_from_all_sides(self) -> None:
        # The rendered dancers turn all the way round; where they look is known.
        spins = aspects(clip_keypoints("ada", "spins", 180, Fraction(25), (512, 384)))
        sides = ("from the front", "from the left", "from the right", "from behind")
        assert all(spins[side].sum() > 5 for side in sides)
        assert np.stack([spins[side] for side in sides]).sum(axis=0).max() == 1

    @pytest.mark.parametrize(
        ("places", "expected"),
        [
            ({}, {"from the front"}),
            ({"LEFT_WRIST": (0, -0.6), "RIGHT_WRIST": (0, -0.6)}, {"from the front", "hands above the head"}),
            ({"LEFT_WRIST": (0.3, -0.3)}, {"from the front", "arms stretched out"}),
            ({"LEFT_WRIST": (-0.3, -0.1), "RIGHT_WRIST": (0.3, -0.1)}, {"from the front", "arms crossed"}),
            ({"LEFT_ANKLE": (0.2, 0)}, {"from the front", "legs apart"}),
            ({"LEFT_ANKLE": (0, -0.2)}, {"from the front", "a foot lifted"}),
            ({"NECK": (0.25, 0.1)}, {"from the front", "bent over"}),
        ],
    )
    def test_one_pose(self, places: dict[str, tuple[float, float]], expected: set[str]) -> None:
        found = aspects(moved(swaying(1), **places))
        assert {aspect for aspect, shown in found.items() if shown[0]} == expected

    def test_what_is_not_found_shows_nothing(self) -> None:
        nobody = Keypoints.empty(3, SIZE, Fraction(25))
        assert not any(shown.any() for shown in aspects(nobody).values())


class TestPictures:
    def look(self, change: object = None, frames: int = 12, outline: object = None) -> FootageReport:
        keypoints = swaying(frames)
        texture = np.random.default_rng(0).integers(-40, 40, (*SIZE[::-1], 1))

        def frame(index: int) -> np.ndarray:
            image = np.clip(picture(keypoints, index) + texture, 0, 255).astype(np.uint8)
            return change(image, index) if callable(change) else image

        def outlined(index: int) -> np.ndarray:
            shape = matte(keypoints, index)
            return outline(shape, keypoints.pose(index)) if callable(outline) else shape

        plate = np.clip(wall() + texture, 0, 255).astype(np.uint8)
        return look_over(frame, outlined, keypoints, range(frames), plate, KNOWN)

    def test_good_pictures(self) -> None:
        found = self.look()
        assert found.detail > 0.3
        assert (found.blurred, found.disturbed, found.incomplete, found.crowded) == (0, 0, 0, 0)
        assert found.moments == {}
        assert found.seconds == pytest.approx(12 / 25)

    def test_out_of_focus(self) -> None:
        found = self.look(lambda image, index: cv2.GaussianBlur(image, (0, 0), 3))
        assert "out-of-focus" in codes(found)

    def test_blurred_by_movement(self) -> None:
        found = self.look(lambda image, index: cv2.blur(image, (9, 9)) if index % 2 else image)
        assert found.blurred == pytest.approx(0.5)
        assert "motion-blur" in codes(found)
        assert round(moment(found, "motion-blur") * 25) % 2 == 1

    def test_somebody_else(self) -> None:
        def visited(image: np.ndarray, index: int) -> np.ndarray:
            if index < 6:
                image[20:60, 3:17] = 255
            return image

        found = self.look(visited)
        assert found.disturbed == pytest.approx(0.5)
        assert "something-moves" in codes(found)
        assert moment(found, "something-moves") < 6 / 25

    def test_an_outline_that_lacks_an_arm(self) -> None:
        def lacking(shape: np.ndarray, pose: Pose) -> np.ndarray:
            x, y = pose.xy[Joint.LEFT_WRIST].astype(int)
            return cv2.circle(shape, (int(x), int(y)), 12, (0,), -1)

        found = self.look(outline=lacking)
        assert (found.incomplete, found.crowded) == (1, 0)
        assert "outline-incomplete" in codes(found)
        assert moment(found, "outline-incomplete") == pytest.approx(6 / 25)

    def test_an_outline_that_takes_in_a_chair(self) -> None:
        def crowded(shape: np.ndarray, pose: Pose) -> np.ndarray:
            shape[90:120, 2:30] = 255
            return shape

        found = self.look(outline=crowded)
        assert (found.incomplete, found.crowded) == (0, 1)
        assert "outline-crowded" in codes(found)
        assert moment(found, "outline-crowded") == pytest.approx(6 / 25)

    def test_an_outline_that_is_not_there_says_nothing(self) -> None:
        found = self.look(outline=lambda shape, pose: 0 * shape)
        assert (found.incomplete, found.crowded) == (0, 0)

    def test_another_exposure_is_no_visitor(self) -> None:
        found = self.look(lambda image, index: (image * (0.7 if index % 2 else 1)).astype(np.uint8))
        assert found.disturbed == 0
        assert "light-changes" not in codes(found)
        (finding,) = (one for one in advice(found, exposure_change=0.4) if one.code == "light-changes")
        assert "light changes by 40%" in finding.message
        assert finding.values == {"change": 0.4}


def test_good_footage_needs_no_advice() -> None:
    good = FootageReport(
        seconds=90,
        poses=dict.fromkeys(aspects(swaying(1)), 5.0),
        width=0.3,
        depth=0.3,
        detail=0.4,
        blurred=0,
        disturbed=0,
    )
    assert advice(good, exposure_change=0.02) == []
    short = good.model_copy(update={"seconds": 20.0})
    (finding,) = advice(short, exposure_change=0)
    assert (finding.code, finding.severity) == ("footage-short", "warning")
    assert finding.message == "The person is seen for 20 seconds; 40 more would help."
    never = good.model_copy(update={"poses": {**good.poses, "from behind": 0.2}})
    missing, more = advice(never, exposure_change=0)
    assert (missing.code, more.code) == ("poses-missing", "footage-short")
    assert missing.message.endswith("film this too: turn your back to the camera.")
    assert missing.values == {"missing": ["from behind"]}
    assert never.seconds_worth_adding == 5
