"""The trained person does live what somebody in front of a camera does."""

import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.events import Cancellation, Listener, listening
from everybody_dance.files import check_outputs
from everybody_dance.performer.engine import torch_threads
from everybody_dance.performer.model_files import Model
from everybody_dance.performer.options import AUTO
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtimes import use_runtime
from everybody_dance.pose.detector_process import FollowingDetector
from everybody_dance.subject.folder import needed
from everybody_dance.synthesis.backdrop import check_background, check_matte, still_background
from everybody_dance.synthesis.config import LiveConfig
from everybody_dance.synthesis.handover import TICK
from everybody_dance.synthesis.live import Live, LiveResult, painting_threads
from everybody_dance.synthesis.recorder import RECORDED_RATE
from everybody_dance.video.capture import Camera, FileCamera, open_camera
from everybody_dance.video.writer import check_writable

Watch = Callable[[Live], None]
"""Watches a show while it goes on; when it returns, the show ends."""


@dataclass(frozen=True, kw_only=True)
class LiveRequest:
    """A live show.

    Attributes:
        performer: folder of a trained subject, or a performer's model folder.
        camera: a number, for a device; an address; a file's name; or a camera that is open already.
        loop: a file begins anew at its end.
        out: record into this file from the start.
        folder: where recordings go that begin later.
        config: how it is shown.
        device: where to compute.
        runtime: what paints, one of ``RUNTIMES`` (``performer.options``).
    """

    performer: Path
    camera: str | Camera = "0"
    loop: bool = False
    out: Path | None = None
    folder: Path = Path()
    config: LiveConfig = field(default_factory=LiveConfig)
    device: str = "auto"
    runtime: str = AUTO


def live(
    request: LiveRequest,
    listener: Listener | None = None,
    cancellation: Cancellation | None = None,
    watch: Watch | None = None,
) -> LiveResult:
    """Show, until ``watch`` returns, the file that is the camera ends, Ctrl-C, or a cancellation.

    All of these are ordinary ends: recordings are finished and kept.

    Args:
        request: who dances, and after whom.
        listener: told findings, progress once a second, and recordings.
        cancellation: lets another thread end it.
        watch: called in this thread while the show goes on in another one.

    Raises:
        DanceError, UsageError: something cannot be opened or written, which is found out before anything is loaded;
            or a part of the show failed, after which recordings are kept too.
    """
    with listening(listener, cancellation):
        config, model = request.config, Model(request.performer)
        behind = []
        if config.background is not None:
            behind = check_background(config.background)
            still_background(config.background, model.manifest.size)
        check_matte(model.manifest.over_plate, config.background)
        which = request.camera
        if request.loop and not isinstance(which, str):
            raise UsageError("loop-alone", "--loop goes with a file as --camera.")
        camera = open_camera(which, request.loop) if isinstance(which, str) else which
        try:
            _check_recordings(request, camera, behind)
            performer = load_for_live(model, request.device, request.runtime)
            with FollowingDetector() as detector:
                show = Live(
                    performer,
                    camera,
                    detector,
                    config,
                    out=request.out,
                    folder=request.folder,
                )
                return _run(show, watch)
        finally:
            camera.close()


def load_for_live(model: Model, device: str, runtime: str) -> Performer:
    """The performer, with the runtime that is to paint in a show (``use_runtime``)."""
    performer = model.load(device)
    with torch_threads(painting_threads()):
        use_runtime(performer, runtime)
    return performer


def _run(show: Live, watch: Watch | None) -> LiveResult:
    """Run the show in a thread of its own, with this thread's listener."""
    done: list[LiveResult] = []
    failed: list[BaseException] = []
    # Not a join: one that Ctrl-C interrupts believes ever after that the thread has ended.
    over = threading.Event()

    def run() -> None:
        try:
            done.append(show.run())
        except BaseException as error:
            failed.append(error)
        finally:
            over.set()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="live", daemon=True)
    thread.start()
    try:
        with suppress(KeyboardInterrupt):
            if watch is not None:
                watch(show)
            else:
                while not over.wait(TICK):  # Ctrl-C that reaches another thread does not wake this one
                    pass
    finally:
        show.stop()
        while not over.is_set():
            with suppress(KeyboardInterrupt):  # a second Ctrl-C must not cost the recording
                over.wait()
    if failed:
        raise failed[0]
    return done[0]


def _check_recordings(request: LiveRequest, camera: Camera, behind: list[Path]) -> None:
    """Find out now what would fail when a recording is written."""
    if not request.folder.is_dir():
        raise DanceError("cannot-write", f"There is no folder {request.folder} for recordings.")
    if request.out is None:
        return
    fps, sound = RECORDED_RATE, None
    inputs = [*behind, *needed(request.performer)]
    if isinstance(camera, FileCamera):
        inputs.append(camera.path)
        fps, sound = camera.fps, camera.path
    check_outputs([request.out], inputs)
    check_writable(request.out, (64, 64), fps, sound_of=sound)
