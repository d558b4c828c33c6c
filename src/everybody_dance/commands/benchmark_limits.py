"""``dance benchmark limits``: the limits that the paper admits, as curves."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.evaluate import finish
from everybody_dance.commands.prepare import prepare_subject

if TYPE_CHECKING:
    from everybody_dance.performer.performer import Performer


def limits(
    out: options.BenchmarkFolder = options.BENCHMARK_FOLDER,
    seconds: Annotated[float, typer.Option(min=1, max=8, metavar="S", help="Of the dance.")] = 4.0,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """The three limits that the paper admits, as curves: noisy joints, missed joints, another speed.

    Errors are put into the demo's dance, and the result is compared with the truth, with and without what we do about
    them. Two performers are trained, for 4.5 minutes each unless told otherwise. The same command again goes on.
    """
    with session("benchmark limits", as_json, debug) as current:
        minutes = options.minutes_or_steps(minutes, steps)
        from dataclasses import replace
        from itertools import islice

        from everybody_dance.dancers.clips import CLIPS
        from everybody_dance.evaluation.limits import LEVELS, SHOWN, measure, report
        from everybody_dance.evaluation.results import provenance
        from everybody_dance.pose.detection import detect_video
        from everybody_dance.training.loop import train
        from everybody_dance.training.presets import PRESETS
        from everybody_dance.training.samples import AS_FILMED
        from everybody_dance.video.reader import VideoReader

        folders = {True: out / "limits", False: out / "limits" / "as-filmed"}
        subject = prepare_subject(current, [CLIPS.target], folders[True])
        size, fast = subject.manifest.size, PRESETS["fast"]

        def trained(varied: bool, steps: int | None, minutes: float | None) -> "Performer":
            preset = fast if varied else replace(fast, variety=AS_FILMED)
            with current.stage("Training" if varied else "Training without remedies") as stage:
                return train(
                    subject,
                    preset,
                    refined=[],
                    steps=steps,
                    minutes=minutes,
                    device=device,
                    folder=folders[varied],
                    on_progress=lambda at: stage(at.step, at.total_steps, "", at.seconds_left),
                )

        performer = trained(True, steps, minutes)
        performers = {True: performer, False: trained(False, performer.manifest.steps, None)}
        with current.stage("Finding the dance in the source"):
            source, truth = (detect_video(clip).keypoints for clip in (CLIPS.source, CLIPS.truth))
        count = min(round(seconds * source.fps), len(source), len(truth))
        true_keypoints = truth.scaled_to(size)[:count]
        with VideoReader(CLIPS.truth, size=size) as reader:
            pictures = list(islice(reader, count))
        found, galleries = [], {}
        for kind, levels in LEVELS.items():
            for level in levels:
                with current.stage(f"Measuring: {kind} {level:g}") as stage:
                    measured, gallery = measure(
                        kind, level, source[:count], pictures, true_keypoints, performers, on_progress=stage
                    )
                found += measured
                if (kind, level) in SHOWN:
                    galleries[SHOWN[kind, level]] = gallery
        current.metrics = {"limits": [vars(entry) for entry in found]}
        made = provenance(
            ["dance", *sys.argv[1:]],
            {"all remedies": (folders[True], performers[True]), "no remedies": (folders[False], performers[False])},
        )
        page = report(found, galleries, made, frames=count, steps=performer.manifest.steps)
        finish(current, out, "limits", page, current.metrics, made)
