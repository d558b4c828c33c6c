"""A dance to a result, a video or PNG frames: the target person dances it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.events import OnProgress, ignore_progress
from everybody_dance.files import names_folder
from everybody_dance.performer.performer import Performer
from everybody_dance.retarget.landing import landed
from everybody_dance.retarget.options import AS_FITTED, Landing
from everybody_dance.synthesis.backdrop import NONE, backdrops, check_matte, cut_out, over
from everybody_dance.synthesis.beside import beside
from everybody_dance.synthesis.clip import dance_clip
from everybody_dance.synthesis.comparison import Comparison
from everybody_dance.synthesis.source import Dance, unlike_share
from everybody_dance.synthesis.stream import Picture
from everybody_dance.synthesis.together import Company, Layer, with_others
from everybody_dance.video.frames import frames_into
from everybody_dance.video.writer import VideoWriter

OTHER_SPEED = 1.6
"""The user is told when a source is this many times faster or slower than the training footage."""


@dataclass(frozen=True)
class Transfer:
    """What a transfer did.

    Attributes:
        out: the result.
        comparison: source, pose and result side by side; None where not asked for.
        frames: in the result, exactly one for each of the source.
        without_person: of them, frames that show the empty place.
        clamped_share, bones: as in ``Dance``.
        unlike_share: share of the frames whose pose is unlike any in the target's footage.
    """

    out: Path
    comparison: Path | None
    frames: int
    without_person: int
    clamped_share: float
    unlike_share: float
    bones: Mapping[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """What came of it, for a report."""
        return {
            "frames": self.frames,
            "without_person": self.without_person,
            "clamped_share": self.clamped_share,
            "unlike_share": self.unlike_share,
            "bones": dict(self.bones),
        }


def transfer_dance(
    performer: Performer,
    dance: Dance,
    out: Path,
    *,
    members: Sequence[tuple[Performer, Dance]] = (),
    comparison: Path | None = None,
    truth: Path | None = None,
    background: str | None = None,
    shadow: bool = True,
    landing: Landing = AS_FITTED,
    on_progress: OnProgress = ignore_progress,
) -> Transfer:
    """Let ``performer`` dance ``dance``.

    Args:
        performer: the target.
        dance: placed in the performer's frame.
        members: others who dance with them, each with their dance placed in their own frame; all are seen in the first
            one's place, where they stand in the source.
        out: the result, with the source's sound, at the source's rate; a name without a suffix is a folder of PNG
            frames. Written whole or not at all.
        comparison: also write source, pose and result side by side there.
        truth: a video of the target really dancing it, to stand beside the result in the comparison.
        background, shadow, landing: as in ``TransferConfig``.
        on_progress: told the frames painted.

    Raises:
        UsageError: a performer paints the whole picture, so it has no other background (``no-matte``).
        DanceError: the result cannot be written, or too little is seen of those who dance together
            (``too-little-seen``).
    """
    size, fps = performer.manifest.size, dance.placed.fps
    dancers, dances = [performer, *(one for one, _ in members)], [dance, *(theirs for _, theirs in members)]
    check_mattes(dancers, background)
    _warn_of_rates(dancers, fps)
    company = Company(performer, dance, members, shadow, landing) if members else None
    placed = landed(dance.placed, landing, dance.detection.cuts) if company is None else company.first
    seen = placed.person_seen if company is None else company.seen
    _warn_of_absence(np.any([each.placed.person_seen for each in dances], axis=0), seen, landing)
    unlike = unlike_share(dance, performer.poses)
    with ExitStack() as stack:
        transparent = background == NONE
        if names_folder(out):
            write = stack.enter_context(frames_into(out))
        else:
            video = VideoWriter(out, size, fps, sound_of=dance.video, transparent=transparent)
            write = stack.enter_context(video).write
        behind = (
            None
            if background is None or transparent
            else stack.enter_context(closing(backdrops(background, size, fps)))
        )
        compared = None
        if comparison is not None:
            compared = stack.enter_context(Comparison(comparison, dance.video, truth, size, fps))

        def finish(item: tuple[int, Picture, list[Layer]]) -> None:
            index, picture, layers = item
            # What is written, and, where that is transparent, what a comparison shows.
            shown = [picture.frame]
            if transparent:
                shown = [cut_out(picture, performer.plate, shadow), picture.frame]
            elif behind is not None:
                shown = [over(picture, performer.plate, next(behind), shadow)]
            if company is not None:
                person = cut_out(picture, performer.plate, shadow=False)[..., 3]
                shown = [with_others(each, person, company.level(index), layers) for each in shown]
            write(shown[0])
            if compared is not None:
                compared.write(replace(picture, frame=shown[-1]))

        hand_over = stack.enter_context(beside(finish))
        others = None if company is None else company.layers()
        for index, picture in enumerate(dance_clip(performer, placed, dance.detection.cuts)):
            hand_over((index, picture, [] if others is None else next(others)))
            on_progress(index + 1, len(seen))
    return Transfer(out, comparison, len(seen), int((~seen).sum()), dance.clamped_share, unlike, dance.bones)


def check_mattes(dancers: Sequence[Performer], background: str | None, together: bool = False) -> None:
    """Refuse performers who have to be cut out of their pictures, and cannot be.

    Args:
        dancers: in one picture.
        background: as in ``TransferConfig``.
        together: one of them may dance several people's dances.

    Raises:
        UsageError: one of them paints the whole picture (``no-matte``).
    """
    together = together or len(dancers) > 1
    for dancer in dancers:
        check_matte(dancer.manifest.over_plate, NONE if together else background)


def _warn_of_rates(dancers: Sequence[Performer], rate: Fraction) -> None:
    for own in dict.fromkeys(dancer.manifest.fps for dancer in dancers):
        if not 1 / OTHER_SPEED < rate / own < OTHER_SPEED:
            events.warn(
                "other-rate",
                f"The source has {float(rate):.0f} frames a second, the performer was trained at {float(own):.0f}:"
                " fast movements may look off.",
                source=float(rate),
                performer=float(own),
            )


def _warn_of_absence(found: NDArray[np.bool_], seen: NDArray[np.bool_], landing: Landing) -> None:
    """Tell of frames, (N,), that show nobody: none was ``found`` in the source, or none is ``seen`` where they land."""
    absent, total = int((~found).sum()), len(found)
    if absent:
        events.warn(
            "person-not-seen",
            f"In {absent} of {total} frames of the source the dancer is not seen; the place is empty there.",
            frames=absent,
            total=total,
        )
    outside = int((found & ~seen).sum())
    if outside and landing != AS_FITTED:
        events.warn(
            "moved-out",
            f"In {outside} of {total} frames the dance is moved out of the picture; the place is empty there. Choose"
            " another scale, shift or floor.",
            frames=outside,
            total=total,
        )
