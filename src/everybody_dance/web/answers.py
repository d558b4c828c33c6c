"""What the pages' servers share: where static files are, how errors are answered, and codes of closed sockets."""

from importlib import resources
from pathlib import Path
from typing import Any

from everybody_dance.errors import DanceError

STATIC = Path(str(resources.files("everybody_dance.web"))) / "static"

TOO_MANY, MESSAGE_TOO_BIG = 1013, 1009
"""Codes with which a socket is closed."""


def error_body(error: DanceError) -> dict[str, Any]:
    """The error as JSON that pages understand."""
    return {"error": {"code": error.code, "message": error.message}}
