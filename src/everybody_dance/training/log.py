"""What a training leaves to be looked at: JSON lines, preview pictures, and TensorBoard where it is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from everybody_dance.files import write_bytes
from everybody_dance.jsonio import dumps
from everybody_dance.training.preview import Preview


class TrainingLog:
    """The log of one stage.

    Args:
        folder: ``training`` in the subject's folder. ``log.jsonl``, ``previews/`` and, where the package is installed,
            ``tensorboard/`` are written there.
        stage: its name.
        step: where it begins or goes on.
    """

    def __init__(self, folder: Path, stage: str, step: int) -> None:
        self.folder = folder
        self.stage = stage
        self._board: Any = None
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            return
        self._board = SummaryWriter(str(folder / "tensorboard" / stage), purge_step=step)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Write figures by name, as they were after ``step`` steps."""
        entry = {"stage": self.stage, "step": step} | {name: round(value, 6) for name, value in values.items()}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(dumps(entry) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name.replace(" ", "_"), value, step)

    def preview(self, step: int, preview: Preview) -> None:
        """Write a preview and its likeness."""
        path = self.folder / "previews" / f"{self.stage}-{step:07d}.jpg"
        write_bytes(path, cv2.imencode(".jpg", preview.picture[..., ::-1])[1].tobytes())
        if preview.likeness is not None:
            self.figures(step, {"likeness": preview.likeness})
        if self._board is not None:
            self._board.add_image("preview", preview.picture, step, dataformats="HWC")

    def close(self) -> None:
        """Let nothing be lost."""
        if self._board is not None:
            self._board.close()
