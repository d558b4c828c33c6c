"""Whatever stopped the work, in words for the person who asked for it."""

from everybody_dance.errors import DanceError
from everybody_dance.files import explain_failure

FAILED = 1
"""Exit code of a command that failed for a reason that it gave."""


def explained(error: Exception) -> tuple[str, str, int]:
    """(code, message, exit code) of whatever went wrong."""
    if isinstance(error, OSError):
        plain = explain_failure(error)
        error = plain if isinstance(plain, DanceError) else error
    if isinstance(error, DanceError):
        return error.code, error.message, error.exit_code
    # PyTorch's own is known by name, so that nobody waits for PyTorch to hear of an error.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory", "The memory ran out. Use a smaller --height, or close other programs.", FAILED
    what = f"{type(error).__name__}: {error}".strip().rstrip(":").splitlines()[0]
    return "unexpected", f"Something went wrong that should not have ({what}). --debug shows where.", FAILED
