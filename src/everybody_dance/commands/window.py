"""The live show in a window of OpenCV's, with keys."""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import cv2

from everybody_dance.errors import DanceError

if TYPE_CHECKING:
    from everybody_dance.synthesis.live import Live

TITLE = "dance live: c calibrate, m mirror, f freeze, r record, q quit"
WAIT = 0.05
"""Seconds between looks at the keyboard, at most."""


def check_screen() -> None:
    """Find out whether there is a screen; OpenCV would end the program where there is none.

    Raises:
        DanceError: there is none, or this OpenCV has no windows (``no-window``).
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise DanceError("no-window", "There is no screen for --window here.")
    if "GUI:                           NONE" in cv2.getBuildInformation():
        raise DanceError(
            "no-window", "The OpenCV that is installed here has no windows; install opencv-contrib-python."
        )


def show_in_window(show: "Live") -> None:
    """Show pictures as they come, until the window is closed, q is pressed, or the show is over."""
    cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
    cv2.resizeWindow(TITLE, *show.status().size)
    number = 0
    try:
        while not show.over and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) > 0:
            shown = show.newest(number, WAIT)
            if shown is not None:
                number = shown.number
                cv2.imshow(TITLE, shown.picture[..., ::-1])
            if not _press(show, cv2.waitKey(1) & 0xFF):
                return
    finally:
        with suppress(cv2.error):
            cv2.destroyWindow(TITLE)


def _press(show: "Live", key: int) -> bool:
    """Do what a key asks for; whether the show goes on."""
    status = show.status()
    match chr(key):
        case "q" | "\x1b":
            return False
        case "c":
            show.calibrate()
        case "m":
            show.mirror(not status.mirror)
        case "f":
            show.freeze(not status.frozen)
        case "r":
            show.record(status.recording is None)
        case _:
            pass
    return True
