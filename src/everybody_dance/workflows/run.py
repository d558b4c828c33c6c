"""Two videos to a third: prepare, train and transfer, each of which is picked up where it is done already."""

from dataclasses import dataclass, field
from pathlib import Path

from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.pose.options import LARGEST, check_person
from everybody_dance.retarget.likeness import some_poses
from everybody_dance.subject.folder import check_folder
from everybody_dance.synthesis.backdrop import check_matte
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.synthesis.source import unlike_share
from everybody_dance.synthesis.transfer import Transfer
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.prepare import PrepareResult, prepare
from everybody_dance.workflows.requests import PrepareRequest, TrainRequest
from everybody_dance.workflows.train import TrainResult, train
from everybody_dance.workflows.transfer import check_transfer, find_dance, paint


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Everything from two videos.

    Attributes:
        source: video of somebody dancing.
        target: video of the person who is to dance it.
        out: the video to write, or a folder for PNG frames, as in ``TransferRequest``.
        target_person: which of several people in the target's video, as ``TransferConfig.person``.
        subject: folder for the prepared and trained target; None: beside ``out``.
        training: what to train, and how long.
        transfer: how the dance is read and placed.
        begin_again: remove what was trained before.
    """

    source: Path
    target: Path
    out: Path
    target_person: str = LARGEST
    subject: Path | None = None
    training: TrainConfig = field(default_factory=TrainConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    begin_again: bool = False

    @property
    def folder(self) -> Path:
        """Of the subject."""
        return self.out.with_suffix(".subject") if self.subject is None else self.subject


@dataclass(frozen=True)
class RunResult:
    """What came of each part."""

    prepared: PrepareResult
    trained: TrainResult
    transferred: Transfer


def run(request: RunRequest, listener: Listener | None = None, cancellation: Cancellation | None = None) -> RunResult:
    """Make the target's person dance the source's dance.

    Args:
        request: the videos.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it; the same call continues.

    Raises:
        DanceError, UsageError: as ``prepare``, ``train`` and ``transfer``; whatever can be known is found out before
            the training.
        Cancelled: it was stopped.
    """
    with listening(listener, cancellation):
        check_transfer(request.source, [request.out], [request.folder], request.transfer, request.target)
        check_matte(request.training.row.person_window, request.transfer.background)
        check_folder(request.folder)
        check_person(request.target_person)
        check_person(request.transfer.person)
        prepared = prepare(
            PrepareRequest(footage=(request.target,), subject=request.folder, person=request.target_person)
        )
        subject = prepared.subject
        dance = find_dance(request.source, subject.manifest.statistics, subject.manifest.size, request.transfer)
        # Said now, not after the training.
        unlike_share(dance, some_poses(subject.keypoints, subject.frames_with_person))
        trained = train(TrainRequest(subject=request.folder, config=request.training, begin_again=request.begin_again))
        size = trained.performer.manifest.size
        if size != subject.manifest.size:  # some presets paint smaller pictures
            dance = find_dance(request.source, trained.performer.manifest.statistics, size, request.transfer)
        config = request.transfer
        painted = paint(
            trained.performer,
            dance,
            request.out,
            background=config.background,
            shadow=config.shadow,
            landing=config.landing,
        )
        return RunResult(prepared, trained, painted)
