"""Everything that can be done in a studio. The web page, and nothing else, is on top of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from everybody_dance.files import sweep
from everybody_dance.jobs.queue import JobQueue
from everybody_dance.jobs.store import JobStore
from everybody_dance.studio.cast import Cast
from everybody_dance.studio.desk import Desk
from everybody_dance.studio.folder import StudioFolder
from everybody_dance.studio.shelves import Dances, Results
from everybody_dance.training.config import TrainConfig

AT_ONCE = 2
"""Jobs: a dance need not wait for a training that goes on."""


class Studio:
    """An open studio. Methods of its parts may be called from any thread; ids are looked up among what is there.

    Args:
        folder: where.
        queue: of its jobs.
        training: what trainings take from the command line: the preset and the device.

    Attributes:
        desk: uploads, pictures and jobs.
        cast: people.
        dances, results: videos.
    """

    def __init__(self, folder: StudioFolder, queue: JobQueue, training: TrainConfig) -> None:
        self.folder = folder
        self.desk = Desk(folder, queue)
        self.cast = Cast(self.desk, training)
        self.dances = Dances(self.desk)
        self.results = Results(self.desk, self.cast, self.dances, training.device)

    @classmethod
    @contextmanager
    def opened(cls, root: Path, training: TrainConfig) -> Iterator[Self]:
        """The studio in ``root`` while the block runs. Jobs go on where they were; at the end they are stopped safely.

        Raises:
            DanceError: as ``StudioFolder.open`` and ``JobStore``; another program has the studio open
                (``already-open``).
        """
        folder = StudioFolder.open(root)
        with JobStore(folder.jobs) as store, JobQueue(store, workers=AT_ONCE) as queue:
            studio = cls(folder, queue, training)
            try:
                studio.desk.uploads.sweep()
                for place in (folder.people, folder.pictures):
                    sweep(place)
                yield studio
            finally:
                studio.desk.board.close()
