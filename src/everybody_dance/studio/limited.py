"""Files from outside are first touched by a process of its own, with limits of memory and time.

A video or a performer that somebody made to break this program breaks that process at most. It is started as ``python
-m everybody_dance.studio.limited WHAT FILE OUT``, sets its limits before it opens anything, and answers with one line
of JSON.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from everybody_dance.errors import DanceError

MEMORY, CPU_SECONDS, SECONDS = 4 << 30, 60, 120
"""Bytes of address space beyond what the process begins with, seconds of computing, and seconds by the clock."""

PICTURE_HEIGHT = 270
"""Pixels of small pictures."""

PORTRAIT_WIDTH = 360
"""Pixels of a performer's picture."""

GLIMPSES = 7
"""Moments of a video that are looked at for the one that its small picture shows."""


@dataclass(frozen=True)
class Video:
    """What is known of a video.

    Attributes:
        width, height: pixels, upright.
        fps: frames a second.
        seconds: its length; 0 where the file does not say.
        has_sound: whether it has a track of sound.
    """

    width: int
    height: int
    fps: float
    seconds: float
    has_sound: bool


def examined(video: Path, picture: Path, memory: int = MEMORY) -> Video:
    """Examine a video, and write a small picture of it.

    Args:
        video: the file.
        picture: JPEG to write; its folder is there.
        memory: limit in bytes.

    Raises:
        DanceError: as ``probe``; or it takes more than the limits allow (``too-demanding``).
    """
    return Video(**_ask("video", video, picture, memory))


def unpacked(archive: Path, folder: Path, memory: int = MEMORY) -> None:
    """Unpack a performer into ``folder``, and make sure that it can be loaded.

    Raises:
        DanceError: as ``archives.unpack`` and ``Model.load``; or it takes more than the limits allow
            (``too-demanding``).
    """
    _ask("performer", archive, folder, memory)


def _ask(what: str, file: Path, out: Path, memory: int) -> dict[str, Any]:
    # In the file's folder and by its bare name, which is then what an error says.
    command = [sys.executable, "-m", __name__, what, file.name, str(out.resolve()), str(memory)]
    try:
        done = subprocess.run(
            command, cwd=file.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise DanceError(
            "too-demanding",
            f"{file.name} takes more time or memory to open than a sound file does. Convert it with a video program"
            " first.",
        ) from error
    if "error" in answer:
        raise DanceError(answer["error"]["code"], answer["error"]["message"])
    return dict(answer)


def _limit(memory: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _video(file: Path, picture: Path) -> dict[str, Any]:
    import cv2
    import numpy as np

    from everybody_dance.files import write_bytes
    from everybody_dance.video.reader import VideoReader

    with VideoReader(file) as reader:
        info = reader.info
    width, height = info.size
    small = max(round(width * PICTURE_HEIGHT / height), 1), PICTURE_HEIGHT
    with VideoReader(file, size=small) as reader:
        # The most varied of some moments: titles and black say little about a video.
        best = max(reader.glimpses(GLIMPSES), key=lambda image: float(np.std(image)))
    write_bytes(picture, cv2.imencode(".jpg", best[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes())
    return asdict(Video(width, height, float(info.fps), float(info.duration), info.has_sound))


def _performer(file: Path, folder: Path) -> dict[str, Any]:
    import cv2
    import numpy as np

    from everybody_dance.files import write_bytes
    from everybody_dance.studio.archives import PORTRAIT, unpack

    unpack(file, folder)
    from everybody_dance.performer.model_files import load_performer  # with PyTorch, once there is something to load

    load_performer(folder, "cpu")
    portrait = folder / PORTRAIT
    if portrait.exists():
        # Written anew, so that what browsers are given is a picture and nothing more.
        picture = cv2.imdecode(np.fromfile(portrait, np.uint8), cv2.IMREAD_COLOR)
        portrait.unlink()
        if picture is not None:
            height = round(PORTRAIT_WIDTH * picture.shape[0] / picture.shape[1])
            small = cv2.resize(picture, (PORTRAIT_WIDTH, min(max(height, 1), 2 * PORTRAIT_WIDTH)))
            write_bytes(portrait, cv2.imencode(".jpg", small)[1].tobytes())
    return {}


def main() -> None:
    """Look at one file, within limits."""
    what, file, out, memory = sys.argv[1:]
    tasks: dict[str, Callable[[Path, Path], dict[str, Any]]] = {"video": _video, "performer": _performer}
    _limit(int(memory))
    try:
        answer = tasks[what](Path(file), Path(out))
    except DanceError as error:
        answer = {"error": {"code": error.code, "message": error.message}}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
