"""The puppet: true limbs lie where the pose has them, and never those of the moment that is to be painted."""

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from everybody_dance.appearance import limb_cutting
from everybody_dance.appearance.backs import back_of_head
from everybody_dance.appearance.crop_cutting import SAME_MOMENT
from everybody_dance.appearance.limb_bank import LimbBank, LimbTrack, nearest
from everybody_dance.appearance.limb_cutting import TrainingLimbs, choose_pictures, cut_out, typical_height
from everybody_dance.appearance.limbs import HEAD, IN_MIRROR, LIMBS, origin_of
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import whole_frame
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.performer.model_files import load_performer
from everybody_dance.skeleton import FACE, MIRROR, Joint
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import train
from everybody_dance.training.presets import AS_FILMED, PRESETS, Variety
from everybody_dance.training.samples import PairDataset
from figures import clip, standing
from subjects import make_subject

SIZE = (256, 256)
GREY = 90
FOREARM = next(index for index, limb in enumerate(LIMBS) if limb.bone == "left forearm")


@pytest.fixture(autouse=True)
def stills(monkeypatch: pytest.MonkeyPatch) -> None:
    """The poses of ``people`` are each other's neighbours in time only for want of space."""
    monkeypatch.setattr(limb_cutting, "BLURRED", 0.0)


def people(count: int = 6) -> Keypoints:
    """Somebody who stands still and lifts the left forearm, more in every frame."""
    frames = []
    for index in range(count):
        frames.append(bent(standing(128, 220, 150), 0.25 * index))
    return clip(frames, size=SIZE, fps=Fraction(25))


def bent(person: np.ndarray, angle: float) -> np.ndarray:
    """With the left forearm and hand turned about the elbow by so many radians, outwards and up."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    moved = person.copy()
    for joint in (int(Joint.LEFT_WRIST), *range(95, 116)):
        moved[joint] = person[Joint.LEFT_ELBOW] + turn @ (person[joint] - person[Joint.LEFT_ELBOW])
    return moved


def picture(keypoints: Keypoints, index: int) -> np.ndarray:
    """The stick figure in front of a grey wall stands for the person."""
    figure = draw_pose(keypoints.pose(index), whole_frame(SIZE), SIZE[1])
    return np.where(figure.any(axis=2, keepdims=True), figure, np.uint8(GREY))


def silhouette(keypoints: Keypoints, index: int) -> np.ndarray:
    return 255 * (picture(keypoints, index) != GREY).any(axis=2).astype(np.uint8)


def plate() -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8)


def puppet(keypoints: Keypoints, count: int = 6) -> LimbBank:
    height, known = typical_height(keypoints), np.ones(SIZE[::-1], bool)
    kept = choose_pictures(keypoints, np.arange(len(keypoints)), height, count)
    frame, matte = partial(picture, keypoints), partial(silhouette, keypoints)
    return cut_out(keypoints, kept, height, frame, matte, plate(), known)


def middle_of_the_forearm(xy: np.ndarray) -> tuple[int, int]:
    x, y = (xy[Joint.LEFT_ELBOW] + xy[Joint.LEFT_WRIST]) / 2
    return int(y), int(x)


class TestLaying:
    def test_a_pose_that_was_filmed_looks_as_it_did(self) -> None:
        keypoints = people()
        limbs = puppet(keypoints)
        pose = keypoints.xy[2], keypoints.confidence[2]
        laid = limbs.lay(plate(), Pose(*pose), whole_frame(SIZE), nearest(limbs.costs(Pose(*pose))))
        truth = picture(keypoints, 2).astype(int)
        person = (truth != GREY).any(axis=2)
        assert np.abs(laid - truth)[person].mean() < 0.3 * np.abs(plate() - truth)[person].mean()
        assert np.abs(laid - truth)[~person].mean() < 2

    def test_a_forearm_as_it_never_was(self) -> None:
        limbs = puppet(people())
        xy = bent(standing(128, 220, 150), 2.6)
        laid = limbs.lay(
            plate(), Pose(xy, np.ones(137, np.float32)), whole_frame(SIZE), nearest(limbs.costs(Pose(xy, np.ones(137))))
        )
        there = middle_of_the_forearm(xy)
        assert np.abs(laid[there].astype(int) - (90, 255, 170)).max() < 40  # the colour of a left forearm
        assert (laid[middle_of_the_forearm(bent(standing(128, 220, 150), 0.0))] == GREY).all()

    def test_a_head_is_there_from_behind_too(self) -> None:
        keypoints = people(2)
        keypoints.xy[1] = standing(128, 220, 150, facing_away=True)
        keypoints.confidence[1, Joint.NOSE] = 0
        limbs = puppet(keypoints, 2)
        for xy, confidence in zip(keypoints.xy, keypoints.confidence, strict=True):
            best = nearest(limbs.costs(Pose(xy, confidence)))
            assert (best.sum(axis=1) == 1).all()
            laid = limbs.lay(plate(), Pose(xy, confidence), whole_frame(SIZE), best)
            x, y = xy[[Joint.LEFT_EAR, Joint.RIGHT_EAR]].mean(axis=0)
            assert (laid[int(y), int(x)] != GREY).any()
        facing, away = (
            limbs.costs(Pose(*joints))[7] for joints in zip(keypoints.xy, keypoints.confidence, strict=True)
        )
        assert facing.argmin() != away.argmin()

    def test_a_box_shows_what_the_frame_shows_there(self) -> None:
        keypoints = people()
        limbs = puppet(keypoints)
        pose = keypoints.xy[3], keypoints.confidence[3]
        chosen = nearest(limbs.costs(Pose(*pose)))
        whole = limbs.lay(plate(), Pose(*pose), whole_frame(SIZE), chosen)
        box = Box(96, 48, 96, 128)
        assert np.array_equal(limbs.lay(box.cut(plate()), Pose(*pose), box, chosen), box.cut(whole))
        away = Box(-512, 0, 64, 64)
        assert (limbs.lay(away.cut(plate()), Pose(*pose), away, chosen) == GREY).all()

    def test_what_was_not_found_is_not_laid(self) -> None:
        keypoints = people()
        limbs = puppet(keypoints)
        confidence = keypoints.confidence[0].copy()
        confidence[Joint.LEFT_WRIST] = 0
        chosen = nearest(limbs.costs(Pose(keypoints.xy[0], confidence)))
        assert not chosen[FOREARM].any()
        assert (np.delete(chosen, FOREARM, axis=0).sum(axis=1) == 1).all()
        laid = limbs.lay(plate(), Pose(keypoints.xy[0], confidence), whole_frame(SIZE), chosen)
        assert (laid[middle_of_the_forearm(keypoints.xy[0])] == GREY).all()
        nobody = nearest(limbs.costs(Pose(keypoints.xy[0], np.zeros(137, np.float32))))
        assert not nobody.any()

    def test_in_a_mirror(self) -> None:
        keypoints = people()
        limbs, pose = puppet(keypoints), (keypoints.xy[1], keypoints.confidence[1])
        mirrored = keypoints.mirrored()
        there = mirrored.xy[1], mirrored.confidence[1]
        flipped = limbs.mirrored()
        assert np.allclose(flipped.costs(Pose(*there)), limbs.costs(Pose(*pose))[IN_MIRROR], atol=1e-5)
        chosen = nearest(limbs.costs(Pose(*pose)))
        here = limbs.lay(plate(), Pose(*pose), whole_frame(SIZE), chosen).astype(int)
        laid = flipped.lay(plate(), Pose(*there), whole_frame(SIZE), chosen[IN_MIRROR])[:, ::-1]
        # Left and right arms are laid in the other order, which shows only where they meet.
        assert np.abs(here - laid).mean() < 0.5


class TestCutting:
    def test_legs_side_by_side_are_told_apart(self) -> None:
        person = standing(128, 220, 150)
        for joint in (Joint.LEFT_ANKLE, Joint.LEFT_BIG_TOE, Joint.LEFT_HEEL):
            person[joint, 0] = person[Joint.RIGHT_ANKLE, 0] + 8
        keypoints = clip([person], size=SIZE, fps=Fraction(25))
        matte = 255 * person_mask(keypoints.pose(0), SIZE, 0.0).astype(np.uint8)
        left, right = (
            person_mask(keypoints.pose(0).without(~np.isin(np.arange(137), joints)), SIZE, 0.0)
            for joints in (
                [Joint.LEFT_KNEE, Joint.LEFT_ANKLE],
                [Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE],
            )
        )
        assert (left & right).any()
        height, kept = typical_height(keypoints), np.zeros((len(LIMBS), 1), np.int64)
        nearer = np.abs(np.arange(SIZE[0]) - person[Joint.LEFT_ANKLE, 0]) < np.abs(
            np.arange(SIZE[0]) - person[Joint.RIGHT_ANKLE, 0]
        )
        coloured = np.where(nearer[None, :, None], np.uint8((0, 0, 255)), np.uint8((255, 0, 0)))
        coloured = np.broadcast_to(coloured, (*SIZE[::-1], 3)).copy()
        bank = cut_out(keypoints, kept, height, lambda _: coloured, lambda _: matte, plate(), np.ones(SIZE[::-1], bool))
        shin = next(index for index, limb in enumerate(LIMBS) if limb.bone == "left shin")
        red, _, blue, alpha = (bank.pictures[shin][0, ..., channel].astype(int).sum() for channel in range(4))
        assert alpha > 255 * 100
        # Of the whole shin; up at the knee, where the legs are apart, all of it is its own.
        assert blue > 0.85 * alpha
        assert red < 0.15 * alpha

    def test_the_wall_does_not_shine_through_the_edge(self) -> None:
        keypoints, wall = people(1), np.full((*SIZE[::-1], 3), (0, 255, 0), np.uint8)
        mask = person_mask(keypoints.pose(0), SIZE, 0.0).astype(np.float32)
        share = cv2.GaussianBlur(mask, (0, 0), 2)
        frame = (share[..., None] * (150, 100, 50) + (1 - share[..., None]) * wall).round().astype(np.uint8)
        height, kept = typical_height(keypoints), np.zeros((len(LIMBS), 1), np.int64)
        matte = (255 * share).round().astype(np.uint8)
        everywhere = np.ones(SIZE[::-1], bool)
        greenest = []
        for known in (everywhere, ~everywhere):
            bank = cut_out(keypoints, kept, height, lambda _: frame, lambda _: matte, wall, known)
            seen = [picture[0][picture[0, ..., 3] > 60].astype(int) for picture in bank.pictures]
            colours = np.concatenate(seen)
            greenest.append((colours[:, 1] * 255 / colours[:, 3]).max())
        assert greenest[0] < 115
        assert greenest[1] > 180


def test_an_outline_that_is_off_leaves_no_rim() -> None:
    """A matte that is a pixel too wide or too narrow must not make an edge of ink, nor one of light."""
    colour, light = np.array([60, 90, 160]), np.full((512, 200, 3), 220, np.uint8)
    shape = np.zeros((512, 200), np.uint8)
    shape[100:400, 60:140] = 255
    soft = cv2.GaussianBlur(shape, (0, 0), 1.5)
    share = soft[..., None] / 255
    frame = np.round(share * colour + (1 - share) * light).astype(np.uint8)
    for matte in (cv2.erode(soft, np.ones((3, 3))), cv2.dilate(soft, np.ones((3, 3)))):
        cut = limb_cutting._matted(frame, np.asarray(matte, np.uint8), light, np.ones(shape.shape, bool)).astype(float)
        seen = cut[..., 3] > 60
        own = cut[..., :3][seen] / (cut[..., 3:][seen] / 255)
        assert np.abs(own - colour).max() < 20  # it was 90


class TestChoosing:
    def test_the_nearest_bend_is_laid(self) -> None:
        keypoints = people()
        kept = choose_pictures(keypoints, np.arange(6), typical_height(keypoints), 6)
        limbs = puppet(keypoints)
        for index in range(6):
            best = nearest(limbs.costs(keypoints.pose(index)))
            assert kept[FOREARM, best[FOREARM].argmax()] == index

    def test_hidden_and_covered_limbs_are_passed_over(self) -> None:
        keypoints = people(4)
        xy, confidence = keypoints.xy.copy(), keypoints.confidence.copy()
        confidence[1, Joint.LEFT_WRIST] = 0.1
        xy[2] = bent(standing(128, 220, 150), -1.2)  # across the trunk
        kept = choose_pictures(
            Keypoints(xy, confidence, SIZE, keypoints.fps), np.arange(4), typical_height(keypoints), 2
        )
        assert set(kept[FOREARM].tolist()) <= {0, 3}

    def test_fewer_than_asked_for(self) -> None:
        keypoints = people(3)
        kept = choose_pictures(keypoints, np.array([0, 2]), typical_height(keypoints), 5)
        assert kept.shape == (len(LIMBS), 5)
        assert set(kept.ravel().tolist()) == {-1, 0, 2}
        limbs = puppet(keypoints, 5)
        assert np.isfinite(limbs.costs(keypoints.pose(0))).sum() == 3 * len(LIMBS)

    def laid(self, angles: list[float], fps: float = 1.0) -> list[np.ndarray]:
        """How much of each picture of the forearm is shown while it is bent so."""
        keypoints = people(3)
        track, weights = LimbTrack(puppet(keypoints), fps), []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LimbBank, "lay", lambda *given: weights.append(given[-1][FOREARM]))
            for angle in angles:
                confidence = keypoints.confidence[0].copy()
                confidence[Joint.LEFT_WRIST] = np.isfinite(angle)
                track.follow(plate(), Pose(bent(standing(128, 220, 150), angle), confidence), whole_frame(SIZE))
        return weights

    def test_what_is_laid_stays_until_another_is_clearly_nearer(self) -> None:
        shown = [int(weights.argmax()) for weights in self.laid([0.0, 0.13, 0.24, 0.26, 0.12])]
        assert shown[0] == shown[1] != shown[2]
        assert shown[2] == shown[3] == shown[4]

    def test_the_change_is_a_fade_unless_the_limb_was_out_of_sight(self) -> None:
        weights = self.laid([0.0, 0.25, 0.25, 0.25], fps=20)  # a fade takes three frames
        old, new = int(weights[0].argmax()), int(weights[-1].argmax())
        assert np.allclose([w[old] for w in weights], [1, 2 / 3, 1 / 3, 0], atol=1e-6)
        assert np.allclose([w[new] for w in weights], [0, 1 / 3, 2 / 3, 1], atol=1e-6)
        gone, back = self.laid([0.0, np.nan, 0.25], fps=20)[1:]
        assert not gone.any()
        assert back[new] == 1

    def test_a_fade_shows_both(self) -> None:
        keypoints = people()
        limbs = puppet(keypoints)
        pose = keypoints.xy[0], keypoints.confidence[0]
        one = nearest(limbs.costs(Pose(*pose)))
        other = one.copy()
        other[FOREARM] = nearest(limbs.costs(keypoints.pose(5)))[FOREARM]
        pictures = [
            limbs.lay(plate(), Pose(*pose), whole_frame(SIZE), w).astype(int) for w in (one, other, (one + other) / 2)
        ]
        assert np.abs(pictures[0] - pictures[1]).max() > 20
        differ = np.abs(pictures[0] - pictures[1]).max(axis=2) > 0
        apart = np.abs((pictures[0] + pictures[1]) / 2 - pictures[2]).max(axis=2)[differ]
        assert np.median(apart) <= 5  # but for the outline

    def test_a_fade_leaves_no_ghost(self) -> None:
        keypoints = people()
        limbs = puppet(keypoints)
        pose = keypoints.pose(0)
        old = nearest(limbs.costs(pose))
        new = old.copy()
        new[FOREARM] = nearest(limbs.costs(keypoints.pose(5)))[FOREARM]
        for share in (0.3, 0.7):
            laid = limbs.lay(plate(), pose, whole_frame(SIZE), (1 - share) * old + share * new).astype(int)
            heavier = limbs.lay(plate(), pose, whole_frame(SIZE), new if share > 0.5 else old)
            beside = cv2.dilate((heavier != GREY).any(axis=2).astype(np.uint8), np.ones((3, 3))) == 0
            assert np.abs(laid - GREY)[beside].max() <= 2

    def test_a_hand_is_laid_in_its_own_shape(self) -> None:
        keypoints = people(2)
        xy = np.repeat(keypoints.xy[:1], 2, axis=0)
        hand = slice(95, 116)
        wrist = xy[1, Joint.LEFT_WRIST]
        xy[1, hand] = wrist + 0.4 * (xy[1, hand] - wrist)  # a fist
        limbs = puppet(replace(keypoints, xy=xy), 2)
        for index in range(2):
            costs = limbs.costs(Pose(xy[index], keypoints.confidence[0]))[FOREARM]
            assert costs.min() < 1e-6
            assert costs.max() > 0.001

    def test_what_moves_fast_is_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        angles = [0.0, 0.0, 0.0, 0.4, 0.8, 0.8, 0.8]
        keypoints = clip([bent(standing(128, 220, 150), angle) for angle in angles], size=SIZE, fps=Fraction(25))
        kept = choose_pictures(keypoints, np.arange(7), typical_height(keypoints), 2)
        assert 3 not in kept[FOREARM]

    def test_a_bank_of_an_older_version_is_read(self) -> None:
        keypoints = people()
        arrays = puppet(keypoints).arrays()
        older = arrays | {"shapes": arrays["shapes"][:, :, :12]}
        for name in [name for name in arrays if name.startswith("pictures")]:
            older[name] = arrays[name][:, 2:-2, 2:-2]
        limbs, pose = LimbBank.from_arrays(older), keypoints.pose(2)
        laid = limbs.lay(plate(), pose, whole_frame(SIZE), nearest(limbs.costs(pose))).astype(int)
        truth = picture(keypoints, 2).astype(int)
        person = (truth != GREY).any(axis=2)
        assert np.abs(laid - truth)[person].mean() < 0.3 * np.abs(GREY - truth)[person].mean()

    def test_arrays_and_back(self) -> None:
        limbs = puppet(people())
        arrays = limbs.arrays()
        again = LimbBank.from_arrays(arrays)
        assert all(np.array_equal(again.arrays()[name], array) for name, array in arrays.items())
        with pytest.raises(ValueError, match="not a limb bank"):
            LimbBank.from_arrays(arrays | {"lengths": arrays["lengths"][:, 1:]})
        with pytest.raises(ValueError, match="not a limb bank"):
            LimbBank.from_arrays(arrays | {"pictures.3": arrays["pictures.3"][:, 1:]})


class TestTraining:
    def test_no_limb_is_of_the_same_moment_nor_held_out(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s", 80)
        data = PairDataset(
            subject,
            replace(PRESETS["debug"], person_window=True, crop=0, patch=0, variety=Variety()),
            batch=2,
            seed=0,
            puppet=80,
        )
        training = data._material.limbs(80)
        assert set(training.frames[training.frames >= 0].tolist()) <= set(subject.training_frames.tolist())
        moment = 40
        asked: list[np.ndarray] = []
        lay = LimbBank.lay
        pose = data.keypoints.xy[moment], data.keypoints.confidence[moment]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LimbBank, "lay", lambda *given: asked.append(given[-1]) or lay(*given))
            training.lay(moment, data.plate, Pose(*pose), whole_frame((128, 128)), False)
        frames = training.frames[asked[0] > 0]
        assert len(frames) == len(LIMBS)
        assert (np.abs(frames - moment) > SAME_MOMENT * 25).all()

    def test_each_pose_of_a_sample_has_its_own(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s", 80)
        data = PairDataset(
            subject,
            replace(PRESETS["debug"], person_window=True, crop=96, patch=0, variety=AS_FILMED),
            batch=2,
            seed=0,
            puppet=8,
        )
        sample = data.sample(0, 2)
        assert sample.shown.shape == sample.poses.shape
        assert not np.array_equal(sample.shown[:, 0], sample.shown[:, -1])
        person = sample.region[:, 0] > 0
        laid = np.abs(sample.shown[:, -1].astype(int) - sample.plate).sum(axis=3)
        assert laid[person].mean() > 20
        assert laid[~person].mean() < 5

    def test_datasets_share_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        subject = make_subject(tmp_path / "s", 80)
        small = replace(PRESETS["debug"], crop=96, patch=0, variety=AS_FILMED)
        first, alone = (PairDataset(subject, small, batch=2, seed=0, puppet=8) for _ in range(2))
        expected = alone.sample(3, 1).shown
        first.sample(3, 1)
        second = PairDataset(subject, small, batch=2, seed=0, puppet=8, shared=first)
        assert second.limb_bank is first.limb_bank
        monkeypatch.setattr(type(subject), "frame", lambda *_: pytest.fail("decoded once more"))
        assert np.array_equal(second.sample(3, 1).shown, expected)

    def test_it_is_kept_with_the_performer(self, tmp_path: Path) -> None:
        subject = make_subject(tmp_path / "s")
        performer = train(subject, TrainConfig(preset="debug", steps=2, refine=()))
        loaded = load_performer(subject.folder, "cpu")
        assert performer.limb_bank is not None
        assert loaded.limb_bank is not None
        pose = subject.keypoints.xy[0], subject.keypoints.confidence[0]
        assert np.array_equal(loaded.limb_bank.costs(Pose(*pose)), performer.limb_bank.costs(Pose(*pose)))
        train(subject, TrainConfig(preset=replace(PRESETS["debug"], puppet=0), steps=2, refine=()), begin_again=True)
        assert load_performer(subject.folder, "cpu").limb_bank is None
        assert not list((subject.folder / "model").glob("puppet.*"))


def away(xy: np.ndarray) -> Pose:
    """The same body seen from behind: what was left is right now, and there is no face."""
    confidence = np.ones(137, np.float32)
    confidence[[Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE]] = 0
    confidence[FACE] = 0
    return Pose(xy[list(MIRROR)], confidence)


class TestFromBehind:
    def choose(self, keypoints: Keypoints) -> TrainingLimbs:
        frame, matte = partial(picture, keypoints), partial(silhouette, keypoints)
        known = np.ones(SIZE[::-1], bool)
        return TrainingLimbs.choose(keypoints, np.arange(len(keypoints)), frame, matte, plate(), known, 4)

    def test_pictures_from_the_front_stand_in(self) -> None:
        """Of the other side, and only where somebody turns away."""
        keypoints = people(4)
        limbs = self.choose(keypoints)
        assert limbs.bank.drawbacks.shape == limbs.frames.shape == (len(LIMBS), 4 + 4)
        for index in range(4):
            front, behind = (
                limbs.bank.costs(pose).argmin(axis=1) for pose in (keypoints.pose(index), away(keypoints.xy[index]))
            )
            assert (front < 4).all()
            assert (behind >= 4).all()
        # Lifted from the front is the left forearm, and in the same outline from behind it is the right one.
        right = next(number for number, limb in enumerate(LIMBS) if limb.bone == "right forearm")
        best = limbs.bank.costs(away(keypoints.xy[3]))[right].argmin()
        assert limbs.frames[right, best] == 3
        ours = limbs.bank.pictures[right][best]
        theirs = limbs.bank.pictures[FOREARM][limbs.frames[FOREARM].tolist().index(3)]
        assert np.array_equal(ours, theirs)

    def test_who_was_filmed_from_behind_needs_none(self) -> None:
        turned = [standing(128, 220, 150, facing_away=True)] * 30
        keypoints = clip([standing(128, 220, 150)] * 30 + turned, size=SIZE, fps=Fraction(25))
        assert self.choose(keypoints).bank.drawbacks.shape == (len(LIMBS), 4)

    def test_a_head_gets_hair_for_a_face(self) -> None:
        """Upside down: neck, chin, face and crown from the top."""
        height, length, columns = 300.0, 40.0, 60
        ears = origin_of(LIMBS[HEAD], height, columns)[1] + length
        head = np.zeros((110, columns, 4), np.uint8)
        rows = np.arange(110) + 0.5 - ears
        for least, most, colour in ((-40, -30, (200, 150, 120)), (-30, 20, (250, 60, 60)), (20, 30, (10, 20, 10))):
            head[(rows > least) & (rows < most), 15:45] = (*colour, 255)
        behind = back_of_head(head, length, height)
        assert np.array_equal(behind[..., 3], head[..., 3])
        for row, expected in ((28, (10, 20, 10)), (15, (10, 20, 10)), (-5, (10, 20, 10)), (-38, (200, 150, 120))):
            assert np.abs(behind[round(ears + row), 30, :3].astype(int) - expected).max() <= 6, row
        chin = behind[round(ears - 22), 30, :3].astype(int)
        assert np.abs(chin - (200, 150, 120)).max() <= 6

    def test_a_head_that_cannot_be_seen_stays_as_it_is(self) -> None:
        nothing = np.zeros((110, 60, 4), np.uint8)
        assert np.array_equal(back_of_head(nothing, 40.0, 300.0), nothing)


def test_a_head_behind_hands_is_passed_over() -> None:
    """Its nose is not found though the person faces the camera; and so it is if arms cover it."""
    keypoints = people(3)
    keypoints.confidence[1, Joint.NOSE] = 0
    xy = keypoints.xy.copy()
    xy[2, Joint.LEFT_ELBOW], xy[2, Joint.LEFT_WRIST] = xy[2, Joint.NOSE] + (25, 10), xy[2, Joint.NOSE] + (-12, -2)
    hands = Keypoints(xy, keypoints.confidence, SIZE, keypoints.fps)
    kept = choose_pictures(hands, np.arange(3), typical_height(hands), 1)
    assert kept[HEAD].tolist() == [0]
