"""``dance doctor``: what this machine can do, on one screen."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from everybody_dance.commands import options
from everybody_dance.commands.console import session
from everybody_dance.errors import DanceError
from everybody_dance.files import cache_folder
from everybody_dance.machine import usable_cores
from everybody_dance.version import VERSION

DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "prores")
POSE_MODELS = ("pose_detection", "pose_landmark_full", "face_landmark_with_attention", "hand_landmark_full")
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        name, value: for the report.
        text: for people.
        needed: nothing works without it, and it is missing.
    """

    name: str
    value: object
    text: str
    needed: bool = False


def doctor(as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """Show what this machine can do."""
    with session("doctor", as_json, debug) as current:
        findings = [*_machine(), _gpu(), *_video(), _pose(), _vgg(), _lpips(), *_places()]
        for finding in findings:
            mark = "MISSING" if finding.needed else ""
            current.say(f"  {finding.name.replace('_', ' '):<16}{finding.text} {mark}".rstrip())
        current.metrics |= {finding.name: finding.value for finding in findings}
        missing = [finding.name.replace("_", " ") for finding in findings if finding.needed]
        if missing:
            raise DanceError(
                "unfit-machine", f"Missing: {', '.join(missing)}. Install everybody-dance again to repair this."
            )
        current.say("This machine has all that is needed.")


def _machine() -> list[Finding]:
    cores = usable_cores()
    python = platform.python_version()
    return [
        Finding("version", VERSION, f"everybody-dance {VERSION}, Python {python}, {platform.system()}"),
        Finding("cores", cores, f"{cores}"),
        *_memory(),
    ]


def _memory() -> list[Finding]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return []
    return [Finding("memory", total, f"{total / GIB:.1f} GB")]


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", None, f"none: PyTorch {torch.__version__} computes on the CPU")
    name = torch.cuda.get_device_name(0)
    memory = torch.cuda.get_device_properties(0).total_memory
    return Finding("gpu", name, f"{name} with {memory / GIB:.0f} GB, PyTorch {torch.__version__}")


def _video() -> list[Finding]:
    try:
        import av
    except ImportError as error:
        return [Finding("video", None, f"PyAV cannot be loaded ({error})", needed=True)]
    readable = [name for name in DECODERS if _codec(name, "r")]
    writable = _codec("libx264", "w")
    return [
        Finding("video_reads", readable, f"{', '.join(readable)} and more (PyAV {av.__version__})"),
        Finding("video_writes", ["h264"] if writable else [], "H.264" if writable else "", needed=not writable),
    ]


def _codec(name: str, mode: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "w" if mode == "w" else "r")
    except ValueError:
        return False
    return True


def _pose() -> Finding:
    from everybody_dance.pose.mediapipe_holistic import NAME

    try:
        from mediapipe.python.solutions import holistic
    except ImportError as error:
        return Finding("pose", None, f"MediaPipe cannot be loaded ({error})", needed=True)
    models = Path(holistic.__file__).parents[2] / "modules"
    missing = [name for name in POSE_MODELS if not any(models.glob(f"*/{name}.tflite"))]
    if missing:
        return Finding("pose", None, f"MediaPipe's models {', '.join(missing)} are not there", needed=True)
    return Finding("pose", NAME, f"{NAME}; OpenPose's own files with --pose openpose:DIR")


def _vgg() -> Finding:
    from everybody_dance.networks.vgg import find_vgg19_weights

    found = find_vgg19_weights()
    if found is None:
        text = "none (optional; `dance train --download-vgg` gets them): EfficientNet-Lite0 takes their place"
        return Finding("vgg19_weights", None, text)
    return Finding("vgg19_weights", str(found), str(found))


def _lpips() -> Finding:
    from everybody_dance.networks.lpips import find_lpips_weights

    found = find_lpips_weights()
    if found is None:
        return Finding("lpips_weights", None, "none (optional; `dance evaluate --download-lpips` gets them)")
    return Finding("lpips_weights", str(found), str(found))


def _places() -> list[Finding]:
    cache = cache_folder()
    free = shutil.disk_usage(Path.cwd()).free
    return [
        Finding("cache", str(cache), f"{cache}"),
        Finding("disk_free", free, f"{free / GIB:.1f} GB free here"),
    ]
