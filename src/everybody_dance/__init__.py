"""Everybody Dance: film a person, train a small model of them, and any dance video makes them dance it.

The public API; docs/api.md has examples. Importing it loads nothing heavy: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from everybody_dance.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from everybody_dance.errors import DanceError, UsageError
    from everybody_dance.events import Artifact, Cancellation, Cancelled, Event, Finding, Listener, Progress
    from everybody_dance.jobs.batch.run import BatchRequest, BatchResult, batch
    from everybody_dance.keypoints import Keypoints, Pose
    from everybody_dance.retarget.options import Landing
    from everybody_dance.subject.subject import Subject
    from everybody_dance.synthesis.config import LiveConfig, TransferConfig
    from everybody_dance.synthesis.live import Live, LiveResult, LiveStatus, Shown
    from everybody_dance.synthesis.stream import Picture, Stream
    from everybody_dance.training.config import TrainConfig
    from everybody_dance.video.capture import PushedCamera
    from everybody_dance.workflows.compare import CompareRequest, compare
    from everybody_dance.workflows.evaluate import AblationRequest, evaluate
    from everybody_dance.workflows.export import ExportRequest, ExportResult, export
    from everybody_dance.workflows.live import LiveRequest, live
    from everybody_dance.workflows.people import PeopleRequest, PeopleResult, people
    from everybody_dance.workflows.performers import OpenPerformer, open_performer
    from everybody_dance.workflows.prepare import PrepareResult, prepare
    from everybody_dance.workflows.requests import (
        EvaluateRequest,
        PrepareRequest,
        PreviewRequest,
        TrainRequest,
        TransferRequest,
    )
    from everybody_dance.workflows.run import RunRequest, RunResult, run
    from everybody_dance.workflows.train import TrainResult, train
    from everybody_dance.workflows.transfer import preview, transfer

_HOMES = {
    "errors": ("DanceError", "UsageError"),
    "events": ("Artifact", "Cancellation", "Cancelled", "Event", "Finding", "Listener", "Progress"),
    "keypoints": ("Keypoints", "Pose"),
    "retarget.options": ("Landing",),
    "subject.subject": ("Subject",),
    "synthesis.config": ("LiveConfig", "TransferConfig"),
    "synthesis.live": ("Live", "LiveResult", "LiveStatus", "Shown"),
    "synthesis.stream": ("Picture", "Stream"),
    "training.config": ("TrainConfig",),
    "video.capture": ("PushedCamera",),
    "jobs.batch.run": ("BatchRequest", "BatchResult", "batch"),
    "workflows.compare": ("CompareRequest", "compare"),
    "workflows.evaluate": ("AblationRequest", "evaluate"),
    "workflows.export": ("ExportRequest", "ExportResult", "export"),
    "workflows.live": ("LiveRequest", "live"),
    "workflows.people": ("PeopleRequest", "PeopleResult", "people"),
    "workflows.performers": ("OpenPerformer", "open_performer"),
    "workflows.prepare": ("PrepareResult", "prepare"),
    "workflows.requests": ("EvaluateRequest", "PrepareRequest", "PreviewRequest", "TrainRequest", "TransferRequest"),
    "workflows.run": ("RunRequest", "RunResult", "run"),
    "workflows.train": ("TrainResult", "train"),
    "workflows.transfer": ("preview", "transfer"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AblationRequest",
    "Artifact",
    "BatchRequest",
    "BatchResult",
    "Cancellation",
    "Cancelled",
    "CompareRequest",
    "DanceError",
    "EvaluateRequest",
    "Event",
    "ExportRequest",
    "ExportResult",
    "Finding",
    "Keypoints",
    "Landing",
    "Listener",
    "Live",
    "LiveConfig",
    "LiveRequest",
    "LiveResult",
    "LiveStatus",
    "OpenPerformer",
    "PeopleRequest",
    "PeopleResult",
    "Picture",
    "Pose",
    "PrepareRequest",
    "PrepareResult",
    "PreviewRequest",
    "Progress",
    "PushedCamera",
    "RunRequest",
    "RunResult",
    "Shown",
    "Stream",
    "Subject",
    "TrainConfig",
    "TrainRequest",
    "TrainResult",
    "TransferConfig",
    "TransferRequest",
    "UsageError",
    "batch",
    "compare",
    "evaluate",
    "export",
    "live",
    "open_performer",
    "people",
    "prepare",
    "preview",
    "run",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
