"""Orders of joints in files of poses, and where each joint belongs among the 137."""

from dataclasses import dataclass

from everybody_dance.skeleton import FACE, LEFT_HAND, RIGHT_HAND, Joint

NOWHERE = -1
"""Of a joint that has no place among the 137."""

FACE_68 = tuple(range(FACE.start, FACE.start + 68))
"""The iBUG annotation, which is the 70-point face without its pupils."""
FACE_70 = tuple(range(FACE.start, FACE.stop))
LEFT_21, RIGHT_21 = (tuple(range(hand.start, hand.stop)) for hand in (LEFT_HAND, RIGHT_HAND))

GUESSED = 0.3
"""What finds a place for every joint, hidden or not, means little by a score below this; DWPose and rtmlib leave such
joints out."""


@dataclass(frozen=True)
class Layout:
    """An order of joints.

    Attributes:
        order: for each joint of a file its number among the 137, or ``NOWHERE``.
        lowest: joints with no more confidence than this were not found.
    """

    order: tuple[int, ...]
    lowest: float = 0.0


# COCO goes from the head down, left before right; its feet are big toe, small toe, heel.
_COCO_17 = (
    *(Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE, Joint.LEFT_EAR, Joint.RIGHT_EAR),
    *(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW),
    *(Joint.LEFT_WRIST, Joint.RIGHT_WRIST, Joint.LEFT_HIP, Joint.RIGHT_HIP),
    *(Joint.LEFT_KNEE, Joint.RIGHT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE),
)
_COCO_23 = (
    *_COCO_17,
    *(Joint.LEFT_BIG_TOE, Joint.LEFT_SMALL_TOE, Joint.LEFT_HEEL),
    *(Joint.RIGHT_BIG_TOE, Joint.RIGHT_SMALL_TOE, Joint.RIGHT_HEEL),
)
_HALPE_26 = (
    *(*_COCO_17, NOWHERE, Joint.NECK, Joint.MID_HIP),  # the top of the head is none of ours
    *(Joint.LEFT_BIG_TOE, Joint.RIGHT_BIG_TOE, Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE),
    *(Joint.LEFT_HEEL, Joint.RIGHT_HEEL),
)

LATER_23, COCO_23 = "23-later", "23-coco"
LAYOUTS = {
    "17": Layout(_COCO_17, GUESSED),
    "18": Layout((0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)),
    # The order of the authors' files: neck, right arm, left arm, lower abdomen, right leg, left leg, head.
    "23": Layout((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 12, 13, 14, 19, 20, 0, 15, 17, 16, 18)),
    # The later one: nose first, heels, neither neck nor middle of the hips.
    LATER_23: Layout((0, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)),
    COCO_23: Layout(_COCO_23, GUESSED),
    "25": Layout(tuple(range(25))),
    "26": Layout(_HALPE_26, GUESSED),
    "133": Layout((*_COCO_23, *FACE_68, *LEFT_21, *RIGHT_21), GUESSED),
    "136": Layout((*_HALPE_26, *FACE_68, *LEFT_21, *RIGHT_21), GUESSED),
}
"""Of bodies, and of whole people, by their number of joints: OpenPose's are 18, 23 and 25; COCO's 17, 23 with feet, and
133 with face and hands (COCO-WholeBody); Halpe's 26 and 136."""

PARTS = {
    "face": {68: Layout(FACE_68), 70: Layout(FACE_70)},
    "hand_left": {21: Layout(LEFT_21)},
    "hand_right": {21: Layout(RIGHT_21)},
}
"""Of the parts that OpenPose's files hold besides the body, by their number of joints."""
