"""The people of a studio: added, prepared, trained, measured, renamed, deleted, exported and imported."""

import json
import os
import shutil
from pathlib import Path

from everybody_dance.errors import DanceError, UsageError
from everybody_dance.files import FOLDER, explain_write_failure, temporary_path, write_text
from everybody_dance.jobs.requests import EVALUATE, PREPARE, TRAIN
from everybody_dance.pose.options import LARGEST
from everybody_dance.studio.archives import pack
from everybody_dance.studio.desk import Deletion, Desk, check_idle
from everybody_dance.studio.disk import check_room
from everybody_dance.studio.folder import clean, free, visible
from everybody_dance.studio.limited import unpacked
from everybody_dance.studio.people import STUDIO_FILE, PersonSummary, own_files, summary
from everybody_dance.studio.removal import removal_of_person
from everybody_dance.subject.folder import MANIFEST
from everybody_dance.training.config import TrainConfig
from everybody_dance.workflows.requests import EvaluateRequest, PrepareRequest, TrainRequest


class Cast:
    """The people of a studio, by their names, which are those of their folders.

    Args:
        desk: of the studio.
        training: what trainings take from the command line: the preset and the device.
    """

    def __init__(self, desk: Desk, training: TrainConfig) -> None:
        self._desk = desk
        self._place = desk.folder.people
        self._training = training

    def all(self) -> list[PersonSummary]:
        """Everybody, by name."""
        return [summary(path) for path in visible(self._place) if path.is_dir()]

    def folder(self, person: str) -> Path:
        """A person's folder.

        Raises:
            UsageError: there is none (``no-person-here``).
        """
        return self._desk.found(self._place, person, "person")

    def performer(self, person: str) -> Path:
        """The folder of a person who can dance; otherwise as ``folder``.

        Raises:
            DanceError: they are not trained yet (``no-model``).
        """
        folder = self.folder(person)
        if not (folder / "model" / "model.json").is_file():
            raise DanceError("no-model", f"{person} is not trained yet.")
        return folder

    def add(self, upload: str, name: str, who: str = LARGEST) -> tuple[str, int]:
        """A new person from a whole upload; returns their name, and the job that prepares them.

        Args:
            upload: id of a video.
            name: as somebody calls them.
            who: which of several people in the video.

        Raises:
            DanceError: the upload cannot be used (as ``Desk.examined``); then it is removed.
        """
        video = self._desk.examined(upload)
        with self._desk.changing():
            folder = free(self._place, clean(name, "person"))
            footage = folder / f"footage{video.suffix}"
            # First it is written that the footage is ours, so that it is known whenever this stops.
            write_text(folder / STUDIO_FILE, json.dumps({"footage": [footage.name]}))
            self._desk.move(video, footage)
            self._desk.uploads.remove(upload)
            return folder.name, self.prepare(folder.name, who)

    def prepare(self, person: str, who: str = LARGEST) -> int:
        """The job that prepares a person's footage.

        Raises:
            UsageError: the studio has no footage of them (``no-footage``), or is at work with them (``busy``).
        """
        with self._desk.changing():
            folder = self._idle(person)
            footage = tuple(self._desk.folder.whole(folder / name) for name in own_files(folder))
            if not footage:
                raise UsageError("no-footage", f"The studio has no footage of {person}.")
            self._desk.pictures.forget(folder / MANIFEST)
            request = PrepareRequest(footage=footage, subject=self._desk.folder.whole(folder), person=who)
            return self._desk.submit(PREPARE, request, person)

    def train(self, person: str, minutes: float) -> int:
        """The job that trains a person until they were trained for so many minutes in all.

        Raises:
            DanceError: they are not prepared yet (``no-subject``), or as ``prepare``.
        """
        with self._desk.changing():
            folder = self._idle(person)
            if not (folder / MANIFEST).exists():
                raise DanceError("no-subject", f"{person} is not prepared yet.")
            config = TrainConfig(minutes=minutes, preset=self._training.preset, device=self._training.device)
            return self._desk.submit(
                TRAIN, TrainRequest(subject=self._desk.folder.whole(folder), config=config), person
            )

    def evaluate(self, person: str) -> int:
        """The job that measures a person on held-out footage, and writes the report."""
        with self._desk.changing():
            folder = self._idle(person)
            request = EvaluateRequest(subject=self._desk.folder.whole(folder), device=self._training.device)
            return self._desk.submit(EVALUATE, request, person)

    def rename(self, person: str, name: str) -> str:
        """Give a person, and so their folder, another name; returns it."""
        with self._desk.changing():
            folder = self._idle(person)
            renamed = self._desk.rename(folder, clean(name, "person"), "").name
            if renamed != person:
                self._desk.pictures.forget(folder / MANIFEST)
                self._forget(person)
            return renamed

    def deletion(self, person: str) -> Deletion:
        """What deleting a person would do."""
        return Deletion.of(removal_of_person(self.folder(person)))

    def delete(self, person: str) -> None:
        """Delete what the program made of a person, and the footage that the studio put there."""
        with self._desk.changing():
            folder = self._idle(person)
            manifest = (folder / MANIFEST).resolve()
            self._desk.delete(removal_of_person(folder), folder)
            self._desk.pictures.forget(manifest)  # last, when nobody can ask for one any more
            self._forget(person)

    def export(self, person: str) -> Path:
        """A file with the performer, to be removed by the caller.

        Raises:
            DanceError: the person is not trained (``no-model``), or the disk is full.
        """
        folder = self.performer(person)
        check_room(self._place, sum(path.stat().st_size for path in (folder / "model").iterdir()))
        portrait: Path | None
        try:
            portrait = self._desk.pictures.of_person(folder)
        except DanceError:
            portrait = None
        out = temporary_path(self._desk.folder.pictures, ".zip")
        pack(folder / "model", portrait, out, person)
        return out

    def import_performer(self, upload: str, name: str) -> str:
        """A new person from an uploaded file that ``export`` made; returns their name.

        Raises:
            DanceError: as ``limited.unpacked``; the upload is removed.
        """
        archive = self._desk.uploads.whole(upload)
        check_room(self._place, archive.stat().st_size)
        fresh = temporary_path(self._place, FOLDER)
        try:
            fresh.mkdir()
            unpacked(archive, fresh)
            with self._desk.changing():
                folder = free(self._place, clean(name, "person"))
                os.rename(fresh, folder)
        except OSError as error:
            raise explain_write_failure(error, fresh) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            self._desk.uploads.remove(upload)
        return folder.name

    def _idle(self, person: str) -> Path:
        folder = self.folder(person)
        check_idle(self._desk.board.unfinished(person=person), person)
        return folder

    def _forget(self, person: str) -> None:
        """Whoever is called so next begins without these jobs."""
        self._desk.forget([job for job in self._desk.board.all() if job.person == person])
