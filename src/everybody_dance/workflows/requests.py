"""What the workflows can be asked to do: plain values, which can be written down and sent on without PyTorch."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from everybody_dance.performer.options import TORCH
from everybody_dance.pose.options import DEFAULT_DETECTOR, LARGEST
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class PrepareRequest:
    """A preparation.

    Attributes:
        footage: videos of one person in one place.
        subject: folder of the subject.
        pose: where the poses come from, as in ``TransferConfig``.
        person: which of several people, as in ``TransferConfig``; a number counts the people of each video.
        height: of the prepared frames in pixels; None: 512, or less where the footage is smaller.
        fps: of the prepared frames; None: 30, or less where the footage is slower.
        holdout: seconds at each clip's end that are kept from training; None: a tenth, at most 10.
    """

    footage: tuple[Path, ...]
    subject: Path
    pose: str = DEFAULT_DETECTOR
    person: str = LARGEST
    height: int | None = None
    fps: Fraction | None = None
    holdout: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """A training.

    Attributes:
        subject: folder of a prepared subject.
        config: what to train, and how long.
        begin_again: remove what was trained before.
        download_vgg: download VGG-19 for the perceptual loss where it is not at hand (548 MB, once).
    """

    subject: Path
    config: TrainConfig = field(default_factory=TrainConfig)
    begin_again: bool = False
    download_vgg: bool = False


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    """A transfer.

    Attributes:
        performer: folder of a trained subject, or a performer's model folder.
        source: video of somebody dancing.
        out: the video to write; a name without a suffix is a folder, new or empty, for PNG frames.
        members: performers who dance with the first one, in the first one's place, each with the person of the source
            whom they follow, as ``TransferConfig.person``.
        config: how the dance is read and placed.
        compare: also write ``OUT.comparison.mp4``, source, pose and result side by side.
        device: where to compute.
        runtime: what paints, one of ``RUNTIMES`` (``performer.options``). The default is PyTorch, so that the same
            dance is the same pictures whatever else a machine has installed.
    """

    performer: Path
    source: Path
    out: Path
    members: tuple[tuple[Path, str], ...] = ()
    config: TransferConfig = field(default_factory=TransferConfig)
    compare: bool = False
    device: str = "auto"
    runtime: str = TORCH

    @property
    def comparison(self) -> Path | None:
        """Where the comparison is written, if it is."""
        return self.out.with_suffix(".comparison.mp4") if self.compare else None


@dataclass(frozen=True, kw_only=True)
class PreviewRequest:
    """A preview of where a dance will land; the subject need not be trained.

    Attributes:
        subject: folder of a subject, or a performer's model folder.
        source: video of somebody dancing.
        out: the video to write.
        config: how the dance is read; it is always normalized.
    """

    subject: Path
    source: Path
    out: Path
    config: TransferConfig = field(default_factory=TransferConfig)


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """A measurement.

    Attributes:
        subject: folder of a trained subject.
        frames: held-out frames that are painted, at most.
        device: where to compute.
        vgg_weights, lpips_weights: files; None: those at hand.
        download_lpips: download AlexNet for LPIPS where no weights are at hand.
        command: how the user asked for it, for the report.
    """

    subject: Path
    frames: int = 300
    device: str = "auto"
    vgg_weights: Path | None = None
    lpips_weights: Path | None = None
    download_lpips: bool = False
    command: tuple[str, ...] = ()
