"""Proportions: lengths of bones, their ratios, and dances with the bones of somebody else."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.render import DANCERS, true_keypoints
from everybody_dance.errors import UsageError
from everybody_dance.evaluation.placement import placement_error
from everybody_dance.keypoints import CONFIDENT, Keypoints
from everybody_dance.retarget.bones import ALONG, LARGEST_RATIO, BoneLength, bone_lengths, bone_ratios, with_bones
from everybody_dance.retarget.causal import CausalRetargeting
from everybody_dance.retarget.normalize import normalize
from everybody_dance.retarget.statistics import PoseStatistics, pose_statistics
from everybody_dance.skeleton import FACE, LEFT_HAND, Joint
from everybody_dance.synthesis.config import TransferConfig
from figures import clip, standing
from subjects import make_subject, swaying
from worlds import dance as command
from worlds import write_openpose, write_person

SIZE = (512, 384)


def _exact(dancer: str, dance: str, seconds: float, legs: float = 1.0, arms: float = 1.0) -> Keypoints:
    somebody = DANCERS[dancer]
    somebody = replace(somebody, build=replace(somebody.build, legs=legs, arms=arms))
    return true_keypoints(somebody, CHOREOGRAPHIES[dance], round(25 * seconds), Fraction(25), SIZE)


@pytest.fixture(scope="module")
def long_legs() -> Keypoints:
    return _exact("ada", "varied", 30, legs=1.06, arms=0.95)


def test_a_dance_lands_where_somebody_of_another_build_would_be(long_legs: Keypoints) -> None:
    errors: dict[str, list[float]] = {"source": [], "target": []}
    for dance in ("waves", "steps", "kicks"):
        source, truth = _exact("bruno", dance, 8, 0.95, 1.06), _exact("ada", dance, 8, 1.06, 0.95)
        for bones, found in errors.items():
            placed = normalize(source, pose_statistics(long_legs), SIZE, bones=bones).keypoints
            found.append(float(np.nanmean(placement_error(placed, truth, centered=True))))
    assert all(target < source for source, target in zip(errors["source"], errors["target"], strict=True))
    assert np.mean(errors["target"]) < 2 / 3 * np.mean(errors["source"])


@pytest.mark.parametrize("dance", ["waves", "steps", "kicks"])
def test_who_dances_their_own_dance_keeps_their_bones(dance: str, long_legs: Keypoints) -> None:
    source = _exact("ada", dance, 6, legs=1.06, arms=0.95)
    own = pose_statistics(long_legs)
    placed = normalize(source, own, SIZE)
    assert set(placed.bones) >= {"leg", "spine", "upper arm"}
    assert all(ratio == pytest.approx(1, abs=0.04) for ratio in placed.bones.values())
    assert np.allclose(placed.keypoints.xy, normalize(source, own, SIZE, bones="source").keypoints.xy, atol=2)


def test_bones_of_the_source_are_the_published_formula(long_legs: Keypoints) -> None:
    source, target = _exact("bruno", "waves", 6), pose_statistics(long_legs)
    plain = normalize(source, target, SIZE, bones="source")
    assert plain.bones == {}
    nothing_known = normalize(source, target.model_copy(update={"bones": {}}), SIZE)
    assert np.array_equal(plain.keypoints.xy, nothing_known.keypoints.xy)
    assert not np.allclose(plain.keypoints.xy, normalize(source, target, SIZE).keypoints.xy, atol=3)
    with pytest.raises(ValueError, match="one of"):
        normalize(source, target, SIZE, bones="both")
    with pytest.raises(UsageError):
        TransferConfig(bones="both")


def test_standing_feet_stay_and_hands_feet_and_head_keep_their_shape() -> None:
    """Swaying on bent knees: the ankles are at rest, and stay at rest on the same ground."""
    frames = []
    for index in range(20):
        person = standing(200, 300, 200)
        moving = np.ones(len(person), bool)
        moving[[joint for joint in Joint if any(part in joint.name for part in ("ANKLE", "TOE", "HEEL"))]] = False
        person[moving] += np.float32([index, index / 2])
        person[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE]] += np.float32([index / 3, 0])
        frames.append(person)
    people = clip(frames)
    ratios = {"leg": 0.9, "thigh": 0.93, "spine": 1.15, "head": 0.95, "upper arm": 1.2, "forearm": 0.8}
    ground = np.tile([200.0, 300.0], (20, 1))
    moved = with_bones(people.xy.astype(np.float64), people.confidence, ratios, np.full(20, 64.0), ground)
    ankles = moved[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]]
    # The hips keep their width, and the legs hang on them.
    assert np.ptp(ankles, axis=0) == pytest.approx(0, abs=1e-9)
    assert ankles[..., 1] == pytest.approx(300)

    def bone(first: Joint, second: Joint) -> np.ndarray:
        before, after = (np.linalg.norm(xy[:, second] - xy[:, first], axis=1) for xy in (people.xy, moved))
        return after / before

    assert bone(Joint.NECK, Joint.MID_HIP) == pytest.approx(1.15, rel=1e-5)
    assert bone(Joint.LEFT_HIP, Joint.LEFT_KNEE) == pytest.approx(0.93, rel=1e-5)
    assert bone(Joint.LEFT_HIP, Joint.LEFT_ANKLE) == pytest.approx(0.9, rel=1e-5)
    assert bone(Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW) == pytest.approx(1.2, rel=1e-5)
    assert bone(Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST) == pytest.approx(0.8, rel=1e-5)
    for carried, root, scale in (
        ([*range(LEFT_HAND.start, LEFT_HAND.stop)], Joint.LEFT_WRIST, 1),
        ([Joint.RIGHT_HEEL, Joint.RIGHT_BIG_TOE], Joint.RIGHT_ANKLE, 1),
        ([Joint.LEFT_EAR, Joint.NOSE, *range(FACE.start, FACE.stop)], Joint.NECK, 0.95),
    ):
        before, after = (xy[:, carried] - xy[:, root, None] for xy in (people.xy, moved))
        assert np.allclose(after, scale * before, atol=1e-4)


def test_a_joint_that_is_missed_tears_nothing() -> None:
    """What hangs on it hangs on the joint before; where neither hips nor neck are found, nothing moves."""
    people = clip([standing(200, 300, 200)] * 4)
    confidence = people.confidence.copy()
    for frame, missed in enumerate(([Joint.LEFT_ELBOW], [Joint.MID_HIP], [Joint.NECK], [Joint.NECK, Joint.MID_HIP])):
        confidence[frame, missed] = 0
    xy = np.where(confidence[..., None] > 0, people.xy, 0).astype(np.float64)
    ratios = dict.fromkeys(("leg", "thigh", "spine", "head", "upper arm", "forearm"), 1.1)
    ground = np.tile([200.0, 300.0], (4, 1))
    moved = with_bones(xy, confidence, ratios, np.full(4, 64.0), ground)
    whole = with_bones(people.xy.astype(np.float64), people.confidence, ratios, np.full(4, 64.0), ground)
    seen = confidence > 0
    assert np.allclose(moved[:3][seen[:3]], whole[:3][seen[:3]], atol=0.5)
    torso_unknown = with_bones(xy, confidence, ratios, np.full(4, np.nan), ground)
    assert np.array_equal(torso_unknown[3][seen[3]], xy[3][seen[3]])


def test_bones_that_are_rarely_or_never_plainly_seen_are_not_known() -> None:
    people, heights = clip([standing(320, 400, 200)] * 300), np.full(300, 200.0)
    assert {"leg", "shoulder", "forearm"} <= set(bone_lengths(people, heights))
    assert bone_lengths(people, heights)["spine"].length == pytest.approx(0.32)
    confidence, xy = people.confidence.copy(), people.xy.copy()
    confidence[60:, [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]] = CONFIDENT / 2
    xy[:, [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 0] = 320 + np.array([4, -4])  # from the side
    seldom = bone_lengths(replace(people, xy=xy, confidence=confidence), heights)
    assert not {"forearm", "shoulder"} & set(seldom)
    assert bone_lengths(people[:60], heights[:60]) == {}  # two seconds


def test_ratios_by_hand() -> None:
    def lengths(error: float, **changed: float) -> dict[str, BoneLength]:
        usual = {"leg": 0.5, "spine": 0.3, "head": 0.2, "thigh": 0.25, "forearm": 0.15, **changed}
        return {name: BoneLength(length=length, error=error) for name, length in usual.items()}

    # Together as long as before: twice the size, and only the forearm differs.
    target = {name: BoneLength(length=2 * bone.length, error=0) for name, bone in lengths(0, forearm=0.165).items()}
    ratios = bone_ratios(lengths(0), target, ALONG)
    doubt = 2 * 0.02
    assert ratios["forearm"] == pytest.approx(np.exp(np.log(1.1) * (1 - (doubt / np.log(1.1)) ** 2)))
    assert ratios["leg"] == ratios["thigh"] == 1
    assert bone_ratios(lengths(0.05), target, ALONG)["forearm"] == 1  # within the doubt
    assert bone_ratios(lengths(0), lengths(0, forearm=0.5), ALONG)["forearm"] == pytest.approx(LARGEST_RATIO)
    tall = bone_ratios(lengths(0.01), lengths(0.03, leg=0.56, spine=0.24), ALONG)
    assert tall["spine"] < 0.85 < 1.05 < tall["leg"] < 1.12
    assert 0.5 * tall["leg"] + 0.3 * tall["spine"] + 0.2 * tall["head"] == pytest.approx(1)
    headless = {name: bone for name, bone in lengths(0).items() if name != "head"}
    assert bone_ratios(headless, target, ALONG) == {}


def test_the_causal_twin_gives_the_same_bones_once_they_are_known(long_legs: Keypoints) -> None:
    source, target = _exact("bruno", "waves", 6, 0.95, 1.06), pose_statistics(long_legs)
    causal = CausalRetargeting(target, SIZE, SIZE, 25)
    for index in range(len(source)):
        causal.step(source.pose(index))
    assert causal.retargeting is not None
    assert causal.retargeting.bones == {}  # fitted after a second
    causal.refit()
    whole = normalize(source, target, SIZE)
    assert causal.retargeting.bones == whole.bones
    placed = causal.step(source.pose(149))
    assert placed is not None
    assert np.allclose(placed.xy, whole.keypoints.xy[149], atol=2)


def test_statistics_of_before_have_no_bones(long_legs: Keypoints) -> None:
    statistics = pose_statistics(long_legs)
    assert PoseStatistics.model_validate_json(statistics.model_dump_json()) == statistics
    assert statistics.scaled(2).bones == statistics.bones
    assert PoseStatistics.model_validate(statistics.model_dump(exclude={"bones"})).bones == {}


def test_the_command_tells_the_ratios(tmp_path: Path) -> None:
    make_subject(tmp_path / "s", frames=100)
    keypoints = swaying(90)
    elbows, wrists = [Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW], [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]
    xy = keypoints.xy.copy()
    xy[:, wrists] += 0.2 * (xy[:, wrists] - xy[:, elbows])
    source, _ = write_person(tmp_path / "source.mp4", 90)
    longer = write_openpose(tmp_path / "longer", replace(keypoints, xy=xy))
    out, preview = tmp_path / "out.mp4", ("--pose", longer, "--preview-normalization", "--json")
    for whose, expected in (("target", 1 / 1.2), ("source", None)):
        outcome = command("transfer", tmp_path / "s", source, "--out", out, *preview, "--bones", whose)
        assert outcome.code == 0, outcome.stderr
        ratio = outcome.report["metrics"]["bones"].get("forearm")
        assert ratio == (expected if expected is None else pytest.approx(expected, abs=0.02))
