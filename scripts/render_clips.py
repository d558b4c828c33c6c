"""Render the clips that come with the package anew: python scripts/render_clips.py"""

from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

from everybody_dance.dancers.choreography import CHOREOGRAPHIES
from everybody_dance.dancers.clips import (
    CLIPS,
    DANCE,
    DANCE_SECONDS,
    RATE,
    SIZE,
    SOURCE,
    TARGET,
    TRAINING,
    TRAINING_SECONDS,
)
from everybody_dance.dancers.render import DANCERS, render
from everybody_dance.video.writer import VideoWriter


def _picture(dancer: str, dance: str, frame: int):  # type: ignore[no-untyped-def]
    return render(DANCERS[dancer], CHOREOGRAPHIES[dance], frame / RATE, SIZE).image


def render_clip(pool: ProcessPoolExecutor, path: Path, dancer: str, dance: str, seconds: float) -> None:
    frames = round(seconds * RATE)
    with VideoWriter(path, SIZE, Fraction(RATE)) as writer:
        for image in pool.map(_picture, [dancer] * frames, [dance] * frames, range(frames), chunksize=8):
            writer.write(image)
    print(f"{path}: {frames} frames, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    CLIPS.target.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        render_clip(pool, CLIPS.source, SOURCE, DANCE, DANCE_SECONDS)
        render_clip(pool, CLIPS.truth, TARGET, DANCE, DANCE_SECONDS)
        render_clip(pool, CLIPS.target, TARGET, TRAINING, TRAINING_SECONDS)
