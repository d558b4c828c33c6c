"""Time stamps to a constant rate."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

# Rates that cameras and editors use; a variable rate is read at the nearest of them.
STANDARD_RATES = tuple(
    sorted(Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240))
) + tuple(Fraction(1000 * n, 1001) for n in (24, 30, 48, 60, 120, 240))
FALLBACK_RATE = Fraction(30)
HIGHEST_RATE = Fraction(240)
# Time stamps further apart than this are taken for damaged, and the time goes on without the gap.
LONGEST_HOLD = Fraction(60)


def constant_rate(average: Fraction | None, base: Fraction | None) -> Fraction:
    """The rate to read at: a steady rate as it is, a variable one as the standard rate nearest to its average."""
    if not average or not 0 < average <= HIGHEST_RATE:
        return base if base and 0 < base <= HIGHEST_RATE else FALLBACK_RATE
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - average))
    steady = base is not None and abs(base - average) <= average / 1000
    if abs(nearest - average) <= average * (Fraction(1, 2000) if steady else Fraction(1, 20)):
        return nearest
    return average.limit_denominator(1001)


def at_constant_rate(frames: Iterable[VideoFrame], fps: Fraction, period: Fraction) -> Iterator[tuple[VideoFrame, int]]:
    """Yield every frame with how often it is shown (also 0): tick k / fps shows the frame nearest in time."""
    previous: VideoFrame | None = None
    shown = 0  # ticks so far
    time = offset = Fraction(0)  # of the previous frame since the first; file time minus our time
    for frame in frames:
        stamp = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        if previous is None:
            offset = stamp or Fraction(0)
        else:
            now = stamp - offset if stamp is not None else time + period
            if not 0 < now - time <= LONGEST_HOLD:  # time stamps jump: go on as if they had not
                offset += now - (time + period)
                now = time + period
            until = (time + now) / 2 * fps  # ticks up to half-way belong to the previous frame
            repeats = max(0, int(until) + 1 - shown)
            yield previous, repeats
            shown += repeats
            time = now
        previous = frame
    if previous is not None:
        held = previous.duration * previous.time_base if previous.duration and previous.time_base else period
        total = max(1, round((time + min(held, LONGEST_HOLD)) * fps))
        yield previous, max(0, total - shown)
