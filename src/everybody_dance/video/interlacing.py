"""Interlaced pictures, which hold two moments in alternate lines, to pictures of one moment."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.error import BlockingIOError as NotYet
from av.error import EOFError as AtEnd
from av.filter import Graph
from av.video.frame import VideoFrame


def progressive(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """Yield as many frames, with their time stamps; those flagged as interlaced are deinterlaced (FFmpeg's bwdif).

    Up to the first interlaced frame all are passed on as they are. From there on the filter holds one frame back, since
    it looks at the ones before and after.
    """
    graph: Graph | None = None
    shape: tuple[object, ...] = ()
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None or shape != _shape(frame):
            if graph is not None:
                yield from _through(graph, None)
            graph, shape = _deinterlacer(frame), _shape(frame)
        yield from _through(graph, frame)
    if graph is not None:
        yield from _through(graph, None)


def _shape(frame: VideoFrame) -> tuple[object, ...]:
    return frame.width, frame.height, frame.format.name, frame.time_base


def _deinterlacer(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    graph.link_nodes(source, graph.add("bwdif", mode="send_frame", deint="interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _through(graph: Graph, frame: VideoFrame | None) -> Iterator[VideoFrame]:
    graph.vpush(frame)
    while True:
        try:
            yield graph.vpull()
        except (NotYet, AtEnd):
            return
