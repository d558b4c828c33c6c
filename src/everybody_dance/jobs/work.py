"""The work of a job: the workflow for its request, and the figures of the result."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everybody_dance.events import Cancellation, Listener
from everybody_dance.jobs.requests import Request
from everybody_dance.workflows.requests import EvaluateRequest, PrepareRequest, PreviewRequest, TrainRequest

if TYPE_CHECKING:
    from everybody_dance.workflows.loaded import LoadedPerformers

# PyTorch and the rest are loaded by the work that needs them, so that a worker hears "cancel" while they load.


class Work:
    """Runs requests one after another; the performer of a transfer stays loaded for the next."""

    def __init__(self) -> None:
        self._performers: LoadedPerformers | None = None

    def run(self, request: Request, listener: Listener, cancellation: Cancellation) -> Mapping[str, Any]:
        """Do what is asked, in this thread.

        Args:
            request: what to do.
            listener: told findings, progress and artifacts.
            cancellation: lets another thread stop it.

        Returns:
            The result's figures, as the command of the same name reports them with ``--json``.

        Raises:
            Exception: as the workflow.
        """
        match request:
            case PrepareRequest():
                from everybody_dance.workflows.prepare import prepare

                return prepare(request, listener, cancellation).figures()
            case TrainRequest():
                from everybody_dance.workflows.train import train

                return train(request, listener, cancellation).figures()
            case PreviewRequest():
                from everybody_dance.workflows.transfer import preview

                return preview(request, listener, cancellation).figures()
            case EvaluateRequest():
                from everybody_dance.workflows.evaluate import evaluate

                return evaluate(request, listener, cancellation).figures
        from everybody_dance.workflows.loaded import LoadedPerformers
        from everybody_dance.workflows.transfer import transfer

        self._performers = self._performers or LoadedPerformers()
        return transfer(request, listener, cancellation, performers=self._performers).figures()
