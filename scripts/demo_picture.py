"""The picture at the top of the README, from what `dance demo` leaves: python scripts/demo_picture.py dance-demo"""

from pathlib import Path

import cv2
import numpy as np
import typer

from everybody_dance.video.reader import VideoReader

MOMENTS = (0.16, 0.62, 0.88)
"""Shares of the video, one below the other."""

WIDTH = 1280


def main(demo: Path, out: Path = Path("docs/images/demo.png")) -> None:
    """Lay three frames of the comparison out below each other."""
    with VideoReader(demo / "comparison.mp4") as reader:
        frames = list(reader)
    chosen = [frames[round(share * (len(frames) - 1))] for share in MOMENTS]
    sheet = np.concatenate(chosen, 0)
    size = WIDTH, round(sheet.shape[0] * WIDTH / sheet.shape[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)[..., ::-1])


if __name__ == "__main__":
    typer.run(main)
