"""High dynamic range and wide gamut to the brightness and colours of BT.709, by the published formulas.

HDR is mapped by the EETF of BT.2390 to a peak of 203 cd/m2, the level at which BT.2408 puts a white sheet: light below
about half of that stays as it is, so faces come out as bright as in footage that was never HDR, and what is brighter is
rolled off up to the peak that the camera could show. Each colour channel is mapped by itself, the primaries are
converted, colours outside BT.709 are clipped, and the result is encoded for a BT.1886 display.
"""

from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Colours: TypeAlias = NDArray[np.float64]
"""float (..., 3), red, green and blue."""


class Transfer(IntEnum):
    """The numbers of H.273 of the transfers of HDR."""

    PQ = 16
    HLG = 18


PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
"""By their number of H.273, x and y of red, green and blue; white is D65 in all."""

BT709, BT2020, DISPLAY_P3 = PRIMARIES
WHITE = (0.3127, 0.3290)
DISPLAY_GAMMA = 2.4
REFERENCE_WHITE = 203.0  # cd/m2
HLG_PEAK = 1000.0  # cd/m2, of the display that HLG is graded on
BRIGHTEST = 10000.0  # cd/m2, of PQ


def to_bt709(signal: Colours, transfer: int, primaries: int, peak: float = HLG_PEAK) -> Colours:
    """What is coded so, from 0 to 1, as R'G'B' of BT.709, from 0 to 1.

    Args:
        signal: (..., 3), R'G'B'.
        transfer: one of ``Transfer``; with any other the signal is taken for one of a BT.1886 display.
        primaries: one of ``PRIMARIES``.
        peak: cd/m2, the brightest light of the display that PQ was graded on; HLG's is 1000.
    """
    if transfer == Transfer.HLG:
        light = eetf(hlg_light(signal), HLG_PEAK) / REFERENCE_WHITE
    elif transfer == Transfer.PQ:
        light = eetf(pq_light(signal), peak) / REFERENCE_WHITE
    else:
        light = signal**DISPLAY_GAMMA
    converted = light @ (np.linalg.inv(xyz_of(BT709)) @ xyz_of(primaries)).T
    return np.asarray(np.clip(converted, 0, 1) ** (1 / DISPLAY_GAMMA))


def hlg_light(signal: Colours) -> Colours:
    """cd/m2 on a display of 1000: the inverse OETF of BT.2100 and its OOTF, whose exponent is 1.2 there."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(HLG_PEAK * luminance[..., None] ** 0.2 * scene)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pq_light(signal: Colours) -> Colours:
    """cd/m2, by the EOTF of SMPTE ST 2084."""
    root = signal ** (1 / _M2)
    return np.asarray(BRIGHTEST * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def pq_signal(light: Colours) -> Colours:
    """The inverse of ``pq_light``."""
    power = (light / BRIGHTEST) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def eetf(light: Colours, peak: float) -> Colours:
    """Light, in cd/m2, of a display with this peak as one of 203 cd/m2 is to show it (BT.2390, blacks being black)."""
    of_peak = pq_signal(np.array(peak))
    whitest = float(pq_signal(np.array(REFERENCE_WHITE)) / of_peak)
    if whitest >= 1:
        return light
    knee = 1.5 * whitest - 0.5
    signal = np.minimum(pq_signal(light) / of_peak, 1)
    t = (signal - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * whitest
    )  # fmt: skip
    return pq_light(np.where(signal < knee, signal, spline) * of_peak)


def xyz_of(primaries: int) -> NDArray[np.float64]:
    """The matrix (3, 3) from linear R, G, B to X, Y, Z, by SMPTE RP 177."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in PRIMARIES[primaries]]).T
    x, y = WHITE
    return np.asarray(columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y)))
