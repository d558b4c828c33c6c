"""Dances, and what was made of them."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from everybody_dance.errors import UsageError
from everybody_dance.studio.desk import Deletion
from everybody_dance.studio.shelves import COMPARISON
from everybody_dance.studio.studio import Studio
from everybody_dance.web.studio.models import Command, Dancing, JobNumber, Name, NewFromUpload, Renamed

MEDIA = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # which browsers play if they know the codecs, and as video/quicktime do not
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}


def video_response(path: Path, *, download: bool = False) -> FileResponse:
    """A video; browsers may ask for parts of it."""
    kind = MEDIA.get(path.suffix.lower(), "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=path.name if download else None)


def dances_routes(studio: Studio) -> APIRouter:
    """``/dances``."""
    routes = APIRouter(prefix="/dances", tags=["dances"])

    @routes.post("", status_code=201)
    def add(new: NewFromUpload) -> Renamed:
        """A new dance from a video that was uploaded whole."""
        return Renamed(id=studio.dances.add(new.upload))

    @routes.patch("/{dance}")
    def rename(dance: str, new: Name) -> Renamed:
        """Rename a dance."""
        return Renamed(id=studio.dances.rename(dance, new.name))

    @routes.get("/{dance}/deletion")
    def deletion(dance: str) -> Deletion:
        """What deleting a dance would delete."""
        return studio.dances.deletion(dance)

    @routes.delete("/{dance}", status_code=204)
    def delete(dance: str) -> None:
        """Delete a dance."""
        studio.dances.delete(dance)

    @routes.get("/{dance}/picture", response_class=FileResponse)
    def picture(dance: str) -> Response:
        """A small picture of a moment."""
        return FileResponse(studio.desk.pictures.of_video(studio.dances.file(dance)), media_type="image/jpeg")

    @routes.get("/{dance}/video", response_class=FileResponse)
    def video(dance: str) -> Response:
        """The video itself."""
        return video_response(studio.dances.file(dance))

    return routes


def results_routes(studio: Studio) -> APIRouter:
    """``/results``."""
    routes = APIRouter(prefix="/results", tags=["results"])

    @routes.post("", status_code=202)
    def make(dancing: Dancing) -> JobNumber:
        """Let a person dance."""
        return JobNumber(job=studio.results.make(dancing.wish()))

    @routes.post("/landing", status_code=202)
    def land(dancing: Dancing) -> JobNumber:
        """See where a dance will land, before it is painted."""
        return JobNumber(job=studio.results.land(dancing.wish()))

    @routes.post("/command")
    def command(dancing: Dancing) -> Command:
        """The command line that does the same."""
        return Command(command=studio.results.command(dancing.wish()))

    @routes.patch("/{result}")
    def rename(result: str, new: Name) -> Renamed:
        """Rename a result."""
        return Renamed(id=studio.results.rename(result, new.name))

    @routes.get("/{result}/deletion")
    def deletion(result: str) -> Deletion:
        """What deleting a result would delete."""
        return studio.results.deletion(result)

    @routes.delete("/{result}", status_code=204)
    def delete(result: str) -> None:
        """Delete a result and its comparison."""
        studio.results.delete(result)

    @routes.get("/{result}/picture", response_class=FileResponse)
    def picture(result: str) -> Response:
        """A small picture of a moment."""
        return FileResponse(studio.desk.pictures.of_video(studio.results.file(result)), media_type="image/jpeg")

    @routes.get("/{result}/video", response_class=FileResponse)
    def video(result: str, download: bool = False) -> Response:
        """The video itself, to watch or to keep."""
        return video_response(studio.results.file(result), download=download)

    @routes.get("/{result}/comparison", response_class=FileResponse)
    def comparison(result: str, download: bool = False) -> Response:
        """Source, pose and result side by side."""
        path = studio.results.file(result).with_suffix(COMPARISON)
        if not path.is_file():
            raise UsageError("no-video", "There is no such video.")
        return video_response(path, download=download)

    return routes
