"""Make ``tests/data/629d904``: a small subject and performer, and what that commit draws, places and paints with them.

Run once, in a checkout of commit 629d904 with this file and ``tests/golden.py`` added, with the versions of
``constraints.txt`` and one thread:

    OMP_NUM_THREADS=1 PYTHONPATH=src:tests python scripts/make_golden.py

It is kept to say how the files were made. The modules that it and ``tests/golden.py`` import may have moved since, and
files made by later code would not say what 629d904 did: do not run it again to make a test pass.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from everybody_dance.performer.model_files import load_performer
from everybody_dance.training.loop import train
from everybody_dance.training.presets import PRESETS
from golden import dancing, outputs
from subjects import make_subject

OUT = Path(__file__).parents[1] / "tests" / "data" / "629d904"
STEPS = 120


def main() -> None:
    """Write the subject with its performer, and what they give."""
    shutil.rmtree(OUT, ignore_errors=True)
    # Who only sways has limbs that all look alike, and then chance decides which of them are chosen.
    with patch("subjects.swaying", dancing):
        subject = make_subject(OUT / "subject")
    debug = PRESETS["debug"]
    # ``debug``, but narrower and with half as many true pictures, so that the files are small.
    small = replace(
        debug,
        arguments={**debug.arguments, "width": 3},
        refiner=replace(debug.refiner, references=4),
        puppet=4,
    )
    train(subject, small, steps=STEPS, refined=["face", "hands"], device="cpu")
    shutil.rmtree(OUT / "subject" / "training")
    arrays = {}
    for name, array in outputs(subject, load_performer(OUT / "subject", "cpu")).items():
        if array.dtype == np.uint8 and array.shape[-1] == 3 and array.ndim > 2:
            # Pictures of equal width lie below each other.
            sheet = array.reshape(-1, *array.shape[-2:])
            cv2.imwrite(str(OUT / f"{name}.png"), sheet[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 9))
        else:
            arrays[name] = array
    np.savez_compressed(OUT / "arrays.npz", **arrays)


if __name__ == "__main__":
    main()
