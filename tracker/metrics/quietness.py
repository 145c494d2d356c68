"""How still blendshapes are on a face that is, and how deep and prompt they show a blink."""

# T frames, S shapes, B blinks

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def restlessness(values_TS: Float64Array, counted_T: NDArray[np.bool_]) -> Float64Array:
    """(S,) RMS second difference over every three frames in a row that count; 0 where there are none."""
    whole = counted_T[:-2] & counted_T[1:-1] & counted_T[2:]
    second = np.diff(values_TS, 2, axis=0)[whole]
    found: Float64Array = np.sqrt((second**2).mean(axis=0)) if len(second) else np.zeros(values_TS.shape[1])
    return found


def near_blinks(blink_T: Float64Array, *, above: float = 0.1, margin: int = 2) -> NDArray[np.bool_]:
    """(T,) frames in which a blink is seen, and `margin` frames before and after. blink_T: the larger of both eyes."""
    shut = (blink_T > above).astype(int)
    near: NDArray[np.bool_] = np.convolve(shut, np.ones(2 * margin + 1, int), "same") > 0
    return near


def mean_blink(values_T: Float64Array, begins_B: NDArray[np.intp], length: int) -> Float64Array:
    """(length,) the mean over blinks that begin at these frames, above its first value."""
    whole = [values_T[begin : begin + length] for begin in begins_B.tolist() if begin + length <= len(values_T)]
    mean: Float64Array = np.mean(whole, axis=0)
    mean -= mean[0]
    return mean


def onset_frames(curve_T: Float64Array) -> float:
    """Frame at which a curve first reaches half of its peak, between frames by a straight line; NaN without a peak."""
    half = 0.5 * float(curve_T.max())
    if half <= 0:
        return float("nan")
    after = int(np.argmax(curve_T >= half))
    if after == 0:
        return 0.0
    low, high = float(curve_T[after - 1]), float(curve_T[after])
    return after - 1 + (half - low) / (high - low)
