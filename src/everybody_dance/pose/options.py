"""What a user may choose about poses, by name; known without loading anything."""

from everybody_dance.errors import UsageError

DEFAULT_DETECTOR = "mediapipe"

OPENPOSE = "openpose:"
"""What ``--pose`` begins with where OpenPose's own files are read."""

SMOOTHINGS = ("none", "median", "gaussian", "both")
"""How keypoints are smoothed over time: not at all, by a median, by a Gaussian, or by both in turn."""

LARGEST = "largest"
"""The person who is followed unless another one is chosen: who counts most in size and time."""

ALL = "all"
"""Everybody, where a dance may be of several people."""

PLACES = ("left", "right", "centre")
"""Persons by where they usually are."""


def check_person(person: str) -> None:
    """Refuse a value of ``--person`` that means nobody.

    Raises:
        UsageError: it is neither ``largest`` nor one of ``PLACES`` nor a number from 1 (``unknown-person``).
    """
    if person not in (LARGEST, *PLACES) and not (person.isdecimal() and int(person) > 0):
        raise UsageError(
            "unknown-person", f"--person is {LARGEST}, {', '.join(PLACES)}, or a number from 1, not {person!r}."
        )
