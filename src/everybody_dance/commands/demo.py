"""``dance demo``: the whole way with two rendered dancers, whose true answer is known."""

from pathlib import Path
from typing import Annotated

import typer

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.commands.prepare import tell_prepared
from everybody_dance.commands.train import tell_scores, tell_trained
from everybody_dance.commands.transfer import tell_transferred
from everybody_dance.training.config import TrainConfig

DEFAULT_FOLDER = Path("dance-demo")
DEFAULT_MINUTES = 2.0


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo makes.")] = DEFAULT_FOLDER,
    minutes: options.Minutes = DEFAULT_MINUTES,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Try everything on two rendered dancers.

    Trains one of them and makes her dance the other's dance, in a few minutes and without any download.
    """
    with session("demo", as_json, debug) as current:
        from everybody_dance.workflows.demo import DemoRequest
        from everybody_dance.workflows.demo import demo as work

        done = work(DemoRequest(out=out, training=TrainConfig(minutes=minutes)))
        tell_prepared(current, done.prepared)
        tell_trained(current, done.trained)
        tell_transferred(current, done.transferred)
        current.metrics |= {**done.scores, "held_out": done.trained.held_out}
        current.say(f"\nThe demo is done. In {out}:")
        current.say("  result.mp4      the first dancer, painted from poses alone, dances the second dancer's dance")
        current.say("  comparison.mp4  the second dancer, their pose, the result, and what is true, side by side")
        current.say("  metrics.json    all the figures")
        current.say("Likeness to the truth (SSIM in the person's box; 1 is equal, and the result should lead):")
        tell_scores(current, done.scores)
        current.say(f"Next, the same live, in your browser: dance live {out / 'subject'} --camera DANCE.mp4")
        current.say("Or, with videos of your own: dance run SOURCE.mp4 TARGET.mp4 --out OUT.mp4")
