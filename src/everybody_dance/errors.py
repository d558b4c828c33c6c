"""Failures we can explain to the person at the keyboard."""


class DanceError(Exception):
    """The work failed for a reason that one or two plain sentences explain.

    Args:
        code: a stable, machine-readable name, such as ``"file-not-found"``.
        message: one or two sentences in the user's words, with what to do about it where there is something to do.
    """

    exit_code = 1

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UsageError(DanceError):
    """The command was called with arguments that do not fit together."""

    exit_code = 2
