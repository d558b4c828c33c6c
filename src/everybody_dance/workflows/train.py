"""A subject to a performer, measured on what was held out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from everybody_dance import events
from everybody_dance.errors import UsageError
from everybody_dance.evaluation.held_out import Evaluation, evaluate_held_out
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_inputs, write_text
from everybody_dance.jsonio import dumps
from everybody_dance.networks.vgg import download_vgg19, find_vgg19_weights
from everybody_dance.performer.performer import Performer
from everybody_dance.subject.subject import Subject
from everybody_dance.training.config import TrainConfig
from everybody_dance.training.loop import TrainingProgress
from everybody_dance.training.loop import train as train_performer
from everybody_dance.training.processes import first_process
from everybody_dance.workflows.requests import TrainRequest


@dataclass(frozen=True)
class TrainResult:
    """A trained performer.

    Attributes:
        performer: who can dance now.
        worked: whether there was anything left to train.
        held_out: mean scores on held-out frames, beside both baselines; empty where nothing was held out.
    """

    performer: Performer
    worked: bool
    held_out: Evaluation

    def figures(self) -> dict[str, Any]:
        """How long it trained, and how good it is, for a report."""
        return {"steps": self.performer.manifest.steps, **self.held_out}


def train(
    request: TrainRequest, listener: Listener | None = None, cancellation: Cancellation | None = None
) -> TrainResult:
    """Train a performer or go on training it, and measure it on the frames that were held out.

    Args:
        request: what to train.
        listener: told findings, progress and artifacts.
        cancellation: lets another thread stop it at the next step; what is done is kept, and the same call continues.

    Raises:
        DanceError: as ``Subject.open`` and ``training.loop.train``.
        UsageError: options do not fit together.
        Cancelled: it was stopped.
    """
    config = request.config
    if config.vgg_weights is not None and request.download_vgg:
        raise UsageError("two-weights", "Give either --vgg-weights or --download-vgg, not both.")
    with listening(listener, cancellation):
        subject = Subject.open(request.subject)
        if config.vgg_weights is not None:
            check_inputs(config.vgg_weights)
        elif request.download_vgg:
            config = replace(config, vgg_weights=_downloaded())
        performer, worked = train_with_progress(subject, config, begin_again=request.begin_again)
        if not worked:
            events.remark(
                "nothing-left",
                f"Nothing was left to train after {performer.manifest.steps} steps; more --minutes or --steps train"
                " on.",
            )
        events.wrote("model", subject.folder / "model")
        return TrainResult(performer, worked, _measured(subject, performer) if first_process() else {})


def train_with_progress(
    subject: Subject,
    config: TrainConfig,
    *,
    title: str = "Training",
    folder: Path | None = None,
    begin_again: bool = False,
) -> tuple[Performer, bool]:
    """Train, telling the listener how far it is.

    Returns:
        The performer, and whether there was anything left to train.
    """
    worked = False
    with events.stage(title) as stage:

        def on_progress(at: TrainingProgress) -> None:
            nonlocal worked
            worked = True
            likeness = "" if at.likeness is None else f", likeness {at.likeness:.3f}"
            detail = f"{at.steps_per_second:.1f} steps a second{likeness}"
            if at.stage != "main":
                detail += f", stage {at.stage}"
            stage(at.step, at.total_steps, detail, at.seconds_left)

        performer = train_performer(subject, config, folder=folder, begin_again=begin_again, on_progress=on_progress)
    return performer, worked


def _measured(subject: Subject, performer: Performer) -> Evaluation:
    """The performer beside its baselines on held-out frames, also written to the subject's folder."""
    with events.stage("Measuring on held-out frames") as stage:
        evaluation = evaluate_held_out(subject, performer, on_progress=stage)
    if evaluation:
        path = subject.folder / "training" / "metrics.json"
        write_text(path, dumps(evaluation, indent=2) + "\n")
        events.wrote("metrics", path)
    return evaluation


def _downloaded() -> Path:
    found = find_vgg19_weights()
    if found is not None:
        return found
    with events.stage("Downloading VGG-19 (bytes)") as stage:
        return download_vgg19(on_progress=stage)
