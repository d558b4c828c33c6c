"""Jobs: pause, go on, cancel, try again."""

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from everybody_dance.studio.jobs_board import JobSummary
from everybody_dance.studio.studio import Studio
from everybody_dance.web.studio.dances import video_response


def jobs_routes(studio: Studio) -> APIRouter:
    """``/jobs``. How jobs stand is in the state, and told on ``/api/events``."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])
    queue = studio.desk.queue

    @routes.get("")
    def jobs() -> list[JobSummary]:
        """Those that have not ended, and the newest of the others."""
        return studio.desk.board.jobs()

    @routes.post("/{job}/pause", status_code=202)
    def pause(job: int) -> None:
        """Stop at the next safe point, until it is to go on."""
        queue.pause(job)

    @routes.post("/{job}/continue", status_code=202)
    def go_on(job: int) -> None:
        """Let a paused job go on."""
        queue.go_on(job)

    @routes.post("/{job}/cancel", status_code=202)
    def cancel(job: int) -> None:
        """Stop for good; what was done is kept."""
        queue.cancel(job)

    @routes.post("/{job}/retry", status_code=202)
    def retry(job: int) -> None:
        """Try a failed or cancelled job again."""
        queue.retry(job)

    @routes.delete("/{job}", status_code=204)
    def remove(job: int) -> None:
        """Forget a job that has ended; its files stay."""
        queue.remove(job)

    @routes.get("/{job}/landing", response_class=FileResponse)
    def landing(job: int) -> Response:
        """The video of where a dance will land."""
        return video_response(studio.desk.landing(job))

    return routes
