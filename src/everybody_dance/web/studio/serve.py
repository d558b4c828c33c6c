"""Serving the studio."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everybody_dance.studio.live_show import LiveShow
from everybody_dance.studio.studio import Studio
from everybody_dance.training.config import TrainConfig
from everybody_dance.web.server import serving
from everybody_dance.web.studio.app import studio_app


@contextmanager
def serve_studio(
    folder: Path,
    *,
    training: TrainConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    open_browser: bool = True,
) -> Iterator[str]:
    """Open the studio in ``folder`` and serve its page while the block runs; yields its address.

    Args:
        folder: of the studio.
        training: what trainings take from it: preset and device.
        host, port, certificate, key, open_browser: as ``serving``.

    Raises:
        UsageError, DanceError: as ``Studio.opened`` and ``serving``.
    """
    options = ["--host", host]
    if certificate is not None and key is not None:
        options += ["--certificate", str(certificate.resolve()), "--key", str(key.resolve())]
    with Studio.opened(folder, training) as studio:
        live = LiveShow(studio.folder.results, options)
        try:
            with serving(
                studio_app(studio, live),
                host=host,
                port=port,
                certificate=certificate,
                key=key,
                open_browser=open_browser,
            ) as address:
                yield address
        finally:
            live.stop()
