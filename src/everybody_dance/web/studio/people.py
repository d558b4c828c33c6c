"""People: prepare, train, evaluate, rename, delete, export and import; their pictures; and the live show."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from everybody_dance.errors import UsageError
from everybody_dance.studio.desk import Deletion
from everybody_dance.studio.live_show import LiveShow
from everybody_dance.studio.people import newest_preview
from everybody_dance.studio.studio import Studio
from everybody_dance.subject.folder import SHEET
from everybody_dance.web.studio.models import (
    ImportedPerson,
    JobNumber,
    LivePlace,
    Name,
    NewPerson,
    PersonAdded,
    Preparation,
    Renamed,
    Training,
)

REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""An evaluation report is one file with everything in it; it may do nothing but show that."""


def people_routes(studio: Studio) -> APIRouter:
    """``/people``."""
    routes = APIRouter(prefix="/people", tags=["people"])

    @routes.post("", status_code=201)
    def add(new: NewPerson) -> PersonAdded:
        """A new person, and the job that prepares them."""
        person, job = studio.cast.add(new.upload, new.name, new.who)
        return PersonAdded(person=person, job=job)

    @routes.post("/import", status_code=201)
    def import_person(new: ImportedPerson) -> Renamed:
        """A new person from an exported file."""
        return Renamed(id=studio.cast.import_performer(new.upload, new.name))

    @routes.patch("/{person}")
    def rename(person: str, new: Name) -> Renamed:
        """Rename a person, and so their folder."""
        return Renamed(id=studio.cast.rename(person, new.name))

    @routes.get("/{person}/deletion")
    def deletion(person: str) -> Deletion:
        """What deleting a person would delete."""
        return studio.cast.deletion(person)

    @routes.delete("/{person}", status_code=204)
    def delete(person: str) -> None:
        """Delete a person: what the program made, and the footage that was uploaded. Other files stay."""
        studio.cast.delete(person)

    @routes.post("/{person}/prepare", status_code=202)
    def prepare(person: str, how: Preparation) -> JobNumber:
        """Prepare the footage again."""
        return JobNumber(job=studio.cast.prepare(person, how.who))

    @routes.post("/{person}/train", status_code=202)
    def train(person: str, training: Training) -> JobNumber:
        """Train, or go on training."""
        return JobNumber(job=studio.cast.train(person, training.minutes))

    @routes.post("/{person}/evaluate", status_code=202)
    def evaluate(person: str) -> JobNumber:
        """Measure on footage that was held out, and write a report."""
        return JobNumber(job=studio.cast.evaluate(person))

    @routes.get("/{person}/portrait", response_class=FileResponse)
    def portrait(person: str) -> Response:
        """A small picture of the person."""
        return FileResponse(studio.desk.pictures.of_person(studio.cast.folder(person)), media_type="image/jpeg")

    @routes.get("/{person}/sheet", response_class=FileResponse)
    def sheet(person: str) -> Response:
        """The person cut out at some moments, and the empty place."""
        path = studio.cast.folder(person) / SHEET
        if not path.is_file():
            raise UsageError("no-picture", "There is no such picture yet.")
        return FileResponse(path, media_type="image/jpeg")

    @routes.get("/{person}/moments/{seconds}", response_class=FileResponse)
    def moment(person: str, seconds: Annotated[float, Path(ge=0, le=1_000_000, allow_inf_nan=False)]) -> Response:
        """A small picture of the prepared footage at a moment that a sentence of the report is about."""
        path = studio.desk.pictures.of_moment(studio.cast.folder(person), seconds)
        return FileResponse(path, media_type="image/jpeg")

    @routes.get("/{person}/preview", response_class=FileResponse)
    def preview(person: str) -> Response:
        """The last preview of the training: pose, painted, real."""
        path = newest_preview(studio.cast.folder(person))
        if path is None:
            raise UsageError("no-picture", "There is no such picture yet.")
        return FileResponse(path, media_type="image/jpeg")

    @routes.get("/{person}/evaluation", response_class=FileResponse)
    def evaluation(person: str) -> Response:
        """The evaluation report, a page."""
        path = studio.cast.folder(person) / "evaluation" / "report.html"
        if not path.is_file():
            raise UsageError("no-picture", "There is no evaluation report yet.")
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    @routes.get("/{person}/export", response_class=FileResponse)
    def export(person: str) -> Response:
        """The performer as one file, without footage."""
        path = studio.cast.export(person)
        return FileResponse(
            path,
            media_type="application/zip",
            filename=f"{person}.performer.zip",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    return routes


def live_routes(studio: Studio, live: LiveShow) -> APIRouter:
    """``/people/{person}/live`` and ``/live``."""
    routes = APIRouter(tags=["live"])

    @routes.post("/people/{person}/live", status_code=202)
    def start(person: str, place: LivePlace) -> None:
        """Start a live show; the state's section ``live`` tells its address."""
        live.start(studio.cast.performer(person), place.camera)

    @routes.delete("/live", status_code=204)
    def stop() -> None:
        """End the live show."""
        live.stop()

    return routes
