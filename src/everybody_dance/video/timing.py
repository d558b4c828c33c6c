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
# Time stamps further apart than this are taken for damaged, and the time goes on without the gap. Broadcast streams
# (MPEG-TS and PS), which are joined by laying one file behind the other, get FFmpeg's own limit.
LONGEST_HOLD = Fraction(60)
LONGEST_HOLD_IN_BROADCAST = Fraction(10)


def constant_rate(average: Fraction | None, base: Fraction | None) -> Fraction:
    """The rate to read at: a steady rate as it is, a variable one as the standard rate nearest to its average."""
    if not average or not 0 < average <= HIGHEST_RATE:
        return base if base and 0 < base <= HIGHEST_RATE else FALLBACK_RATE
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - average))
    steady = base is not None and abs(base - average) <= average / 1000
    if abs(nearest - average) <= average * (Fraction(1, 2000) if steady else Fraction(1, 20)):
        return nearest
    return average.limit_denominator(1001)


class Clock:
    """Time stamps of a track to the time since its first one; where they jump, it goes on as if they had not.

    Args:
        period: seconds from frame to frame on average, for frames without a stamp and across a jump.
        longest_hold: seconds that one frame may be shown; more is a jump, and so is every step back.

    Attributes:
        time: seconds, of the last frame.
        end: seconds, when the last frame is over.
    """

    def __init__(self, period: Fraction, longest_hold: Fraction = LONGEST_HOLD) -> None:
        self._period = period
        self._longest_hold = longest_hold
        self._offset: Fraction | None = None  # file time minus our time
        self.time = self.end = Fraction(0)

    def see(self, frame: VideoFrame) -> Fraction:
        """The time of the next frame, in seconds."""
        stamp = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        if self._offset is None:
            self._offset = stamp or Fraction(0)
            now = Fraction(0)
        else:
            expected = self.time + self._period
            now = stamp - self._offset if stamp is not None else expected
            if not 0 < now - self.time <= self._longest_hold:
                self._offset += now - expected
                now = expected
        held = frame.duration * frame.time_base if frame.duration and frame.time_base else self._period
        self.time, self.end = now, now + min(held, self._longest_hold)
        return now


def at_constant_rate(frames: Iterable[VideoFrame], fps: Fraction, clock: Clock) -> Iterator[tuple[VideoFrame, int]]:
    """Yield every frame with how often it is shown (also 0): tick k / fps shows the frame nearest in time."""
    previous: VideoFrame | None = None
    shown = 0  # ticks so far
    time = Fraction(0)  # of the previous frame
    for frame in frames:
        now = clock.see(frame)
        if previous is not None:
            until = (time + now) / 2 * fps  # ticks up to half-way belong to the previous frame
            repeats = max(0, int(until) + 1 - shown)
            yield previous, repeats
            shown += repeats
        previous, time = frame, now
    if previous is not None:
        yield previous, max(0, max(1, round(clock.end * fps)) - shown)
