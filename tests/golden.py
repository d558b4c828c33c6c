"""What the program draws, filters, places and paints from fixed inputs, for ``test_golden.py``.

``scripts/make_golden.py`` stored what ``outputs`` returned at commit 629d904; the test compares today's with that. The
names that are imported here may move. The inputs may not change: the stored files belong to them.
"""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from everybody_dance.appearance.crop_bank import CropBank
from everybody_dance.appearance.limb_bank import LimbBank, LimbTrack, nearest
from everybody_dance.drawing.crops import crop_side, part_crops
from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.drawing.pose_image import draw_pose
from everybody_dance.drawing.window import person_windows, whole_frame
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints, Pose
from everybody_dance.performer.performer import Performer
from everybody_dance.pose.filtering import SMOOTHINGS, clean
from everybody_dance.retarget.normalize import normalize
from everybody_dance.retarget.statistics import pose_statistics
from everybody_dance.skeleton import BODY, FACE, LEFT_HAND, PARTS, RIGHT_HAND, Joint
from everybody_dance.subject.subject import Subject
from everybody_dance.synthesis.clip import dance_clip, frames
from everybody_dance.training.presets import PRESETS
from everybody_dance.training.samples import PairDataset
from figures import clip, standing
from subjects import FPS, SIZE

Outputs = dict[str, NDArray[np.generic]]
"""By name; uint8 arrays (..., H, W, 3) are pictures."""

GREY = 90
CUT = 20
"""The first frame of the second shot of ``noisy``."""

DANCE_CUT, NOBODY, FACING_AWAY = 8, 4, 10
"""Frames of ``dance``."""

FEET = [joint for joint in Joint if any(word in joint.name for word in ("ANKLE", "TOE", "HEEL"))]
HEAD_IN_FRONT = [Joint.NOSE, Joint.RIGHT_EYE, Joint.LEFT_EYE, *range(FACE.start, FACE.stop)]


def poses() -> Keypoints:
    """Six frames: standing, from behind, not sure, half outside, with joints missing, small."""
    keypoints = clip(
        [
            standing(160.3, 220.7, 170),
            standing(150, 220, 170, facing_away=True),
            bent(standing(200.2, 225, 180), 1.3, 0.3, 0.3),
            standing(6, 230, 190),
            bent(standing(160, 220, 170), 0.5),
            standing(80, 120, 60),
        ],
        size=(320, 240),
    )
    confidence = keypoints.confidence.copy()
    confidence[1, HEAD_IN_FRONT] = 0
    confidence[2, BODY] = np.linspace(0.05, 1, 25)
    confidence[2, FACE] = np.linspace(1, 0.05, 70)
    confidence[2, RIGHT_HAND] = 0.3
    confidence[4, [Joint.RIGHT_ELBOW, Joint.LEFT_WRIST, Joint.LEFT_KNEE, Joint.LEFT_EAR, Joint.RIGHT_BIG_TOE]] = 0
    confidence[4, range(LEFT_HAND.start, RIGHT_HAND.stop, 3)] = 0
    return replace(keypoints, confidence=confidence)


def bent(person: NDArray[np.float32], arm: float, leg: float = 0.0, head: float = 0.0) -> NDArray[np.float32]:
    """Turned by so many radians: the left arm outwards about the shoulder, and half as far again about the elbow and
    about the wrist; the right leg about the hip, and back about the knee; the head about the neck."""
    hand = [*range(LEFT_HAND.start, LEFT_HAND.stop)]
    shin = [Joint.RIGHT_ANKLE, Joint.RIGHT_BIG_TOE, Joint.RIGHT_SMALL_TOE, Joint.RIGHT_HEEL]
    moved = person.copy()
    for pivot, joints, angle in (
        (Joint.LEFT_SHOULDER, [Joint.LEFT_ELBOW, Joint.LEFT_WRIST, *hand], arm),
        (Joint.LEFT_ELBOW, [Joint.LEFT_WRIST, *hand], arm / 2),
        (Joint.LEFT_WRIST, hand, arm / 2),
        (Joint.RIGHT_HIP, [Joint.RIGHT_KNEE, *shin], -leg),
        (Joint.RIGHT_KNEE, shin, 2 * leg),
        (Joint.NECK, [*HEAD_IN_FRONT, Joint.RIGHT_EAR, Joint.LEFT_EAR], head),
    ):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        moved[joints] = (moved[joints] - moved[pivot]) @ turn.T + moved[pivot]
    return moved


def dancing(frames: int, size: tuple[int, int] = SIZE) -> Keypoints:
    """What the small subject does: it comes nearer and goes back, and moves an arm, a leg, the head and the mouth."""
    people = []
    for index in range(frames):
        x, near = 64 + 12 * np.sin(index / 6), np.sin(index / 5)
        person = standing(x, 112 + 4 * near, 62 + 4 * near)
        mouth = range(FACE.start + 48, FACE.start + 68)
        person[mouth] += (person[mouth] - person[mouth].mean(axis=0)) * (0, 0.8 + 0.8 * np.sin(index / 3))
        people.append(bent(person, 0.3 * np.sin(index / 4), 0.15 + 0.15 * np.sin(index / 7), 0.15 * np.cos(index / 3)))
    return clip(people, size=size, fps=FPS)


def walking(frames: int = 50) -> Keypoints:
    """Somebody who walks about and lifts an arm; after the cut they stand elsewhere."""
    people = []
    for index in range(frames):
        x, y = 250 + 60 * np.sin(index / 9) + 240 * (index >= CUT), 420 + 20 * np.cos(index / 15)
        people.append(bent(standing(x, y, 230 + 0.5 * (y - 420)), 0.6 + 0.6 * np.sin(index / 5)))
    return clip(people)


def noisy() -> Keypoints:
    """``walking`` with noise, gaps and outliers, and a frame without anybody."""
    keypoints, random = walking(), np.random.default_rng(7)
    shape = keypoints.confidence.shape
    xy = keypoints.xy + random.normal(0, 1.5, (shape[0], 1, 2)) + random.normal(0, 1, (*shape, 2))
    confidence = random.uniform(0.3, 1, shape)
    confidence[random.random(shape) < 0.05] = 0
    confidence[30:34, Joint.LEFT_WRIST] = 0
    confidence[5:25, Joint.RIGHT_WRIST] = 0
    confidence[40] = 0
    xy[random.random(shape) < 0.02] += 90
    return replace(keypoints, xy=xy, confidence=confidence)


def dance() -> Keypoints:
    """Twelve frames for the small performer with a cut, a frame without anybody, and one from behind."""
    people = []
    for index in range(12):
        near = np.cos(index / 2)
        x = 42 + 3 * index if index < DANCE_CUT else 96 - 5 * index + 5 * DANCE_CUT
        arm, leg, head = 0.28 * np.cos(0.9 * index), 0.13 + 0.13 * np.cos(1.3 * index), 0.12 * np.sin(1.1 * index)
        people.append(bent(standing(x, 111 + 3 * near, 61 + 3 * near, index == FACING_AWAY), arm, leg, head))
    keypoints = clip(people, size=SIZE, fps=FPS)
    confidence = keypoints.confidence.copy()
    confidence[NOBODY] = 0
    confidence[FACING_AWAY, HEAD_IN_FRONT] = 0
    confidence[6, LEFT_HAND] = 0
    confidence[7, RIGHT_HAND] = 0.4
    return replace(keypoints, confidence=confidence)


def outputs(subject: Subject, performer: Performer) -> Outputs:
    """Everything that is stored, from the subject and its performer."""
    assert performer.limb_bank is not None
    return {
        **pose_images(),
        **regions_and_crops(),
        **puppets(performer.limb_bank),
        **references(performer),
        **windows(),
        **filtered(),
        **placed(),
        **samples(subject),
        "transfer": np.stack(list(frames(dance_clip(performer, dance(), [DANCE_CUT])))),
    }


def pose_images() -> Outputs:
    """Pose images in a box that reaches over two edges of the frame."""
    keypoints, box = poses(), Box(-10, 6, 300, 240)
    drawn = [draw_pose(keypoints.pose(index), box, 240) for index in range(len(keypoints))]
    return {"pose_images": np.stack(drawn)}


def regions_and_crops() -> Outputs:
    """Person regions, packed into bits; per crop of face and hands its frame, x, y, side and group."""
    keypoints, found = poses(), Outputs()
    for name, grow in (("region", 0.0), ("grown_region", 0.06)):
        regions = [person_mask(keypoints.pose(index), keypoints.size, grow) for index in range(len(keypoints))]
        found[name] = np.packbits(np.stack(regions), axis=-1)
    for part in PARTS:
        side = crop_side(keypoints, part)
        # Joints outside the picture counted, too.
        with patch("everybody_dance.drawing.crops.is_inside", lambda xy, size: np.ones(len(xy), bool)):
            found[f"crops.{part}"] = np.array(
                [
                    (index, crop.box.x, crop.box.y, crop.box.width, crop.group)
                    for index in range(len(keypoints))
                    for crop in part_crops(keypoints.pose(index), part, side, keypoints.size)
                ],
                np.int64,
            )
    return found


def puppets(puppet: LimbBank) -> Outputs:
    """The puppet laid on single poses, some in boxes that cut it; then on successive poses, which makes it fade."""
    keypoints, boxes = dance(), [whole_frame(SIZE), Box(32, -16, 64, 96), Box(48, 16, 96, 128)]
    keypoints.confidence[2, [Joint.LEFT_WRIST, Joint.LEFT_ELBOW]] = 0.2  # hidden behind the trunk
    laid = Outputs()
    for index, box in zip((0, 2, FACING_AWAY), boxes, strict=True):
        pose = keypoints.pose(index)
        behind = np.full((box.height, box.width, 3), GREY, np.uint8)
        laid[f"puppet.{index}"] = puppet.lay(behind, pose, box, nearest(puppet.costs(pose)))
        laid[f"puppet_costs.{index}"] = puppet.costs(pose)
    track, behind = LimbTrack(puppet, 25), np.full((*SIZE[::-1], 3), GREY, np.uint8)
    followed = [
        track.follow(behind, keypoints.pose(index), whole_frame(SIZE)) for index in (0, FACING_AWAY, FACING_AWAY, 0)
    ]
    return {**laid, "puppet_track": np.stack(followed)}


def references(performer: Performer) -> Outputs:
    """How unlike the references are to some poses, and the nearest of them laid on the crops."""
    keypoints, found = dance(), Outputs()
    for part, kept in performer.crop_banks.items():
        side = performer.manifest.refiners[part].side
        distances, fitted = [], []
        for index in (0, 5, 9):
            pose = keypoints.pose(index)
            for crop in part_crops(pose, part, side, keypoints.size):
                distance, picture = _nearest_reference(kept, pose, crop.box, crop.group)
                distances.append(distance)
                fitted.append(picture)
        found[f"reference_distances.{part}"] = np.stack(distances)
        found[f"references.{part}"] = np.stack(fitted)
    return found


def _nearest_reference(
    kept: CropBank, pose: Pose, box: Box, group: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    inside = pose.shifted(-box.x, -box.y)
    distances = kept.distances(inside, group)
    return distances, kept.fitted(int(distances.argmin()), inside)


def windows() -> Outputs:
    """(T, 4): x, y, width and height of the person windows of two clips, each with a cut."""
    found = {"noisy": person_windows(noisy(), 16, [CUT]), "dance": person_windows(dance(), 16, [DANCE_CUT], (96, 128))}
    return {
        f"windows.{name}": np.array([(b.x, b.y, b.width, b.height) for b in boxes]) for name, boxes in found.items()
    }


def filtered() -> Outputs:
    """All frames, every fourth joint, after each of the four smoothings."""
    found = Outputs()
    # Hands that are far from their arm were not left out yet, and gaps at the ends of shots not filled.
    old = "everybody_dance.pose.filtering"
    with patch(f"{old}.LOOSE", np.inf), patch(f"{old}.SHOT_ENDS", 0):
        for smoothing in SMOOTHINGS:
            cleaned = clean(noisy(), [CUT], smoothing)
            found[f"filtered.{smoothing}.xy"] = cleaned.xy[:, ::4]
            # Smoothing leaves the confidence as the two steps before it left it, so one is enough for all.
            assert np.array_equal(cleaned.confidence, clean(noisy(), [CUT]).confidence)
    found["filtered.confidence"] = cleaned.confidence[:, ::4]
    return found


def placed() -> Outputs:
    """A clip moved into the small subject's place: by the feet, and by the hips where no feet are seen."""
    target, source = pose_statistics(dancing(40)), walking()
    footless = source.confidence.copy()
    footless[:, FEET] = 0
    found = Outputs()
    for name, clip_ in (("feet", source), ("hips", replace(source, confidence=footless))):
        result = normalize(clip_, target, SIZE, [CUT])
        assert result.by_feet == (name == "feet")
        found |= {
            f"placed.{name}.xy": result.keypoints.xy[:, ::8],
            f"placed.{name}.found": result.keypoints.found,
            f"placed.{name}.scale": result.scale,
            f"placed.{name}.ground": result.ground,
            f"placed.{name}.shares": np.array([result.clamped_share, result.sideways]),
        }
    return found


def samples(subject: Subject) -> Outputs:
    """Batches of two as preset ``debug`` draws them, but that the crops are smaller, so that the files are small.

    The puppet and the person's region come from mattes now, which 629d904 did not have.
    """
    preset = replace(PRESETS["debug"], crop=64, patch=32)
    data = PairDataset(subject, preset, batch=2, seed=0, puppet=4)
    found = Outputs()
    for part in (None, "face"):
        for step in (0, 1):
            sample = data.sample(step, step + 1, part, preset.refiner.references if part else 0)
            fields = ["poses", "start", "before", "frames", "plate", "reach", "patch", "corners"]
            for field in fields + ["references"] * bool(part):
                array = np.asarray(getattr(sample, field))
                found[f"sample.{part or 'main'}.{step}.{field}"] = array.astype(np.uint8) if field == "reach" else array
    return found
