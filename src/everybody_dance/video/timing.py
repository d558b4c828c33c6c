"""Time stamps to a constant rate."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, tee

from av.frame import Frame
from av.video.frame import VideoFrame

# Rates that cameras and editors use; a variable rate is read at the nearest of them.
STANDARD_RATES = tuple(
    sorted(Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240))
) + tuple(Fraction(1000 * n, 1001) for n in (24, 30, 48, 60, 120, 240))
FALLBACK_RATE = Fraction(30)
HIGHEST_RATE = Fraction(240)
# Time stamps further apart than this are taken for damaged, and the time goes on without the gap.
LONGEST_HOLD = Fraction(60)
# Sound has no pictures to hold: what is further apart may belong to another recording.
LONGEST_REST = Fraction(1)


def constant_rate(average: Fraction | None, base: Fraction | None) -> Fraction:
    """The rate to read at: a steady rate as it is, a variable one as the standard rate nearest to its average."""
    if not average or not 0 < average <= HIGHEST_RATE:
        return base if base and 0 < base <= HIGHEST_RATE else FALLBACK_RATE
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - average))
    steady = base is not None and abs(base - average) <= average / 1000
    if abs(nearest - average) <= average * (Fraction(1, 2000) if steady else Fraction(1, 20)):
        return nearest
    return average.limit_denominator(1001)


def time_of(frame: Frame) -> Fraction | None:
    """A frame's time stamp in seconds."""
    return frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None


def goes_on(before: Fraction, now: Fraction, longest: Fraction = LONGEST_HOLD) -> bool:
    """Whether one clock can have made both time stamps: it neither stands still nor goes back nor leaps."""
    return 0 < now - before <= longest


def without_slips(stamps: Iterable[Fraction | None], longest: Fraction = LONGEST_HOLD) -> Iterator[Fraction | None]:
    """Time stamps in seconds, with a single wrong one between two that agree replaced by the middle of these."""
    these, following, later = tee(chain(stamps, (None, None)), 3)
    previous: Fraction | None = None
    for stamp, second, third in zip(these, islice(following, 1, None), islice(later, 2, None), strict=False):
        believed = stamp
        if previous is not None and stamp is not None and second is not None:
            # One that follows may be the wrong one, but hardly both.
            fits = goes_on(previous, stamp, longest) and any(
                other is None or goes_on(stamp, other, longest) for other in (second, third)
            )
            if not fits and goes_on(previous, second, longest):
                believed = (previous + second) / 2
        yield believed
        previous = believed if believed is not None else previous


def at_constant_rate(frames: Iterable[VideoFrame], fps: Fraction, period: Fraction) -> Iterator[tuple[VideoFrame, int]]:
    """Yield every frame with how often it is shown (also 0): tick k / fps shows the frame nearest in time."""
    previous: VideoFrame | None = None
    shown = 0  # ticks so far
    time = offset = Fraction(0)  # of the previous frame since the first; file time minus our time
    frames, stamped = tee(frames)
    for frame, stamp in zip(frames, without_slips(map(time_of, stamped)), strict=True):
        if previous is None:
            offset = stamp or Fraction(0)
        else:
            now = stamp - offset if stamp is not None else time + period
            if not goes_on(time, now):  # the clock jumps: go on as if it had not
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


@dataclass(frozen=True)
class PacketTime:
    """Where a packet lies in a file, in bytes, and when it is decoded and shown, in seconds on the file's clock."""

    place: int
    decoded: Fraction | None
    shown: Fraction | None


def stretches(stamps: Iterable[Fraction | None], longest: Fraction) -> Iterator[int]:
    """For each time stamp of a stream, in the file's order, how often its clock has jumped so far."""
    jumps = 0
    previous: Fraction | None = None
    for stamp in without_slips(stamps, longest):
        if stamp is not None:
            jumps += previous is not None and not goes_on(previous, stamp, longest)
            previous = stamp
        yield jumps


def sound_shifts(pictures: Iterable[PacketTime], sound: Iterable[PacketTime], period: Fraction) -> list[Fraction]:
    """How far the file's clock is ahead of ours in each of the sound's ``stretches``, in seconds.

    Recordings that were joined have a clock each. ``at_constant_rate`` lets the pictures go on as if it were one, and
    sound stays with the pictures that it lies among in the file. Where its stamps are far from theirs they are damaged,
    and the sound goes on as if they had not jumped.

    Args:
        pictures, sound: packets of a file in its order.
        period: seconds from picture to picture.
    """
    shown: list[tuple[_Part, Fraction]] = []  # with its shift
    end = Fraction(0)  # of the pictures so far, on our clock
    for part in _parts(pictures, LONGEST_HOLD):
        shown.append((part, part.lowest - end if shown else Fraction(0)))
        end = part.highest - shown[-1][1] + period
    if not shown:  # no picture has a time stamp
        return []
    shifts: list[Fraction] = []
    heard = Fraction(0)  # the end of the sound so far, on our clock
    for part in _parts(sound, LONGEST_REST):
        middle = (part.first + part.last) / 2
        among, shift = next((found for found in reversed(shown) if found[0].first <= middle), shown[0])
        if shifts and not (among.lowest - LONGEST_HOLD < part.highest and part.lowest < among.highest + LONGEST_HOLD):
            shift = part.lowest - heard
        heard = part.highest - shift
        shifts.append(shift)
    return shifts


@dataclass
class _Part:
    """A stretch of a stream: its first and last place, and its lowest and highest time."""

    first: int
    last: int
    lowest: Fraction
    highest: Fraction


def _parts(packets: Iterable[PacketTime], longest: Fraction) -> list[_Part]:
    found: list[_Part] = []
    current = 0
    packets, stamped = tee(packets)
    for packet, number in zip(packets, stretches((packet.decoded for packet in stamped), longest), strict=True):
        time = packet.shown if packet.shown is not None else packet.decoded
        if time is None:
            continue
        if not found or number != current:
            found.append(_Part(packet.place, packet.place, time, time))
            current = number
        part = found[-1]
        part.last = packet.place
        part.lowest = min(part.lowest, time)
        part.highest = max(part.highest, time)
    return found
