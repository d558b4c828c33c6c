"""A whole clip of keypoints, danced: a loop over a ``Stream``; a window of one size is fitted to the clip."""

from collections.abc import Iterator, Sequence

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.performer.performer import Performer
from everybody_dance.synthesis.stream import Picture, Stream


def dance_clip(
    performer: Performer, keypoints: Keypoints, cuts: Sequence[int] = (), previous: Image | None = None
) -> Iterator[Picture]:
    """Dance ``keypoints``: exactly one picture for each frame, painted when it is asked for.

    Args:
        performer: who dances.
        keypoints: filtered and retargeted, in the performer's frame.
        cuts: first frames of new shots.
        previous: uint8 (H, W, 3), the frame before the first, where there is one.

    Raises:
        ValueError: ``keypoints`` are of frames of another size.
    """
    if keypoints.size != tuple(performer.manifest.size):
        raise ValueError(f"keypoints for frames of {keypoints.size}, a performer of {performer.manifest.size}")
    stream = Stream(performer, float(keypoints.fps), performer.window(keypoints), previous)
    starts = frozenset(cuts)
    return (stream.step(keypoints.pose(index), index in starts) for index in range(len(keypoints)))


def frames(pictures: Iterator[Picture]) -> Iterator[Image]:
    """The frame of each picture."""
    return (picture.frame for picture in pictures)
