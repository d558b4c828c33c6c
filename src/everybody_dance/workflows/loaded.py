"""Performers that stay loaded from one transfer to the next."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from everybody_dance.performer.model_files import Model
from everybody_dance.performer.performer import Performer
from everybody_dance.performer.runtimes import use_runtime

_Key: TypeAlias = tuple[str, str, str]
"""What a performer is (the text of its manifest, which has the hashes of all its files), its device and its runtime."""


class LoadedPerformers:
    """The performers of the newest transfer. Not for several threads at once."""

    def __init__(self) -> None:
        self._loaded: dict[_Key, Performer] = {}

    def those_in(self, folders: Sequence[Path], device: str, runtime: str) -> list[Performer]:
        """The performers in ``folders``; those that the transfer before did not need are loaded, and others forgotten.

        One that was trained on meanwhile is loaded anew.

        Args:
            folders: as in ``TransferRequest``.
            device, runtime: as in ``TransferRequest``.

        Raises:
            DanceError: as ``Model``, ``Model.load`` and ``use_runtime``.
        """
        models = [Model(folder) for folder in folders]
        keys = [(model.manifest.model_dump_json(), device, runtime) for model in models]
        # Forgotten first, so that no more are in memory than one transfer needs.
        self._loaded = {key: performer for key, performer in self._loaded.items() if key in keys}
        for key, model in zip(keys, models, strict=True):
            if key not in self._loaded:
                performer = model.load(device)
                use_runtime(performer, runtime)
                self._loaded[key] = performer
        return [self._loaded[key] for key in keys]
