"""The command line that does what a job does, for whoever wants to type it or put it into a script."""

import shlex
from pathlib import Path

from everybody_dance.jobs.requests import Request
from everybody_dance.retarget.options import Landing
from everybody_dance.synthesis.config import TransferConfig
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.requests import (
    EvaluateRequest,
    PrepareRequest,
    PreviewRequest,
    TrainRequest,
    TransferRequest,
)


def command_line(request: Request, root: Path) -> str:
    """The command, quoted for a shell.

    Args:
        request: of a job.
        root: the studio's folder as the user wrote it; paths in it are shown like that.
    """
    whole = root.resolve()

    def shown(path: Path) -> str:
        return str(root / path.relative_to(whole)) if path.is_relative_to(whole) else str(path)

    words = ["dance"]
    match request:
        case PrepareRequest():
            words += ["prepare", *map(shown, request.footage), "--out", shown(request.subject)]
            words += _option("--person", request.person, PrepareRequest.person)
        case TrainRequest():
            words += ["train", shown(request.subject)]
            words += _option("--preset", request.config.preset, TrainConfig.preset)
            words += _option("--minutes", request.config.minutes, None)
            words += _option("--device", request.config.device, TrainConfig.device)
        case TransferRequest():
            words += ["transfer", shown(request.performer), shown(request.source), "--out", shown(request.out)]
            words += _of_transfer(request.config)
            words += _option("--device", request.device, TransferRequest.device)
            words += ["--compare"] if request.compare else []
        case PreviewRequest():
            words += ["transfer", shown(request.subject), shown(request.source), "--out", shown(request.out)]
            words += [*_of_transfer(request.config), "--preview-normalization"]
        case EvaluateRequest():
            words += ["evaluate", shown(request.subject)]
    return shlex.join(words)


def _of_transfer(config: TransferConfig) -> list[str]:
    return [
        *_option("--person", config.person, TransferConfig.person),
        *_option("--smooth", config.smoothing, TransferConfig.smoothing),
        *_option("--scale", config.landing.scale, Landing.scale),
        *_option("--shift", config.landing.shift, Landing.shift),
        *_option("--floor", config.landing.floor, Landing.floor),
        *_option("--background", config.background, None),
    ]


def _option(name: str, value: object, default: object) -> list[str]:
    if value == default or value is None:
        return []
    return [name, f"{value:g}" if isinstance(value, float) else str(value)]
