"""Footage of a person to a subject."""

from dataclasses import dataclass
from typing import Any

from everybody_dance import events
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.subject.prepare.prepare import prepare as prepare_subject
from everybody_dance.subject.subject import Subject
from everybody_dance.workflows.requests import PrepareRequest


@dataclass(frozen=True)
class PrepareResult:
    """A prepared subject."""

    subject: Subject

    def figures(self) -> dict[str, Any]:
        """What is known of the footage, for a report."""
        subject, manifest = self.subject, self.subject.manifest
        return {
            "frames": len(subject.keypoints),
            "frames_with_person": int(subject.keypoints.person_seen.sum()),
            "held_out": len(subject.holdout_frames),
            "width": manifest.size[0],
            "height": manifest.size[1],
            "fps": float(manifest.fps),
            "camera_motion": manifest.camera_motion,
            "exposure_change": manifest.exposure_change,
            "plate_unknown_share": manifest.plate_unknown_share,
            "detection": manifest.detection.model_dump(),
            "footage": manifest.footage.model_dump(),
        }


def prepare(
    request: PrepareRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> PrepareResult:
    """Find the person in the footage, and the empty place behind them; the same is not prepared twice.

    Args:
        request: what to prepare.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it.

    Raises:
        DanceError: as ``subject.prepare.prepare.prepare``.
        Cancelled: it was stopped; nothing has changed.
    """
    with listening(listener, cancellation), events.stage("Preparing the footage") as stage:
        subject = prepare_subject(
            request.footage,
            request.subject,
            pose=request.pose,
            person=request.person,
            height=request.height,
            fps=request.fps,
            holdout=request.holdout,
            on_progress=stage,
        )
        events.wrote("subject", request.subject)
        return PrepareResult(subject)
