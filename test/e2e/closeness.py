# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""When two results of one model are the same up to rounding."""
import numpy as np

# Relative and absolute tolerance of floats under 32 bits.
NARROW = (2e-2, 2e-3)


def _texts(array):
    return [x.decode() if isinstance(x, bytes) else str(x) for x in array.ravel()]


def difference(want, got, loose=False, tolerance=None):
    """What differs, or an empty string. Integers are exact and floats close; `loose`, for
    quantized models, allows single steps in few elements. A tolerance, (relative, absolute),
    replaces the one of floats, and is that of integers too."""
    if want is None or got is None:
        return "" if want is None and got is None else "one is absent"
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(want) != len(got):
            return "sequences of different length"
        return next((d for w, g in zip(want, got) if (d := difference(w, g, loose, tolerance))), "")
    want, got = np.asarray(want), np.asarray(got)
    if want.shape != got.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if want.dtype.kind in "OSU":
        return "" if _texts(want) == _texts(got) else "strings differ"
    if want.dtype != got.dtype:
        return f"type {got.dtype}, expected {want.dtype}"
    if not want.size:
        return ""
    if want.dtype.kind in "biu" and not tolerance:
        off = np.abs(want.astype(np.float64) - got.astype(np.float64))
        if loose:
            return "" if (off > 1).mean() <= 0.01 else "more than 1 % of the integers differ by more than 1"
        return "" if np.array_equal(want, got) else f"{int((off > 0).sum())} of {want.size} integers differ"
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    narrow = want.dtype.itemsize < 4
    with np.errstate(invalid="ignore"):
        w, g = want.astype(wide), got.astype(wide)
    if loose:
        norm = float(np.linalg.norm(w) * np.linalg.norm(g))
        similar = norm > 0 and abs(np.vdot(w, g)) / norm >= 0.98
        return "" if similar or np.allclose(w, g, atol=1e-5) else "cosine under 0.98"
    rtol, atol = NARROW if narrow else (1e-3, 1e-5)
    finite = np.abs(w[np.isfinite(w)])
    if tolerance:
        rtol, atol = tolerance
    elif finite.size and not narrow:
        atol = max(atol, 1e-4 * float(finite.max()))
    if np.allclose(g, w, rtol=rtol, atol=atol, equal_nan=True):
        return ""
    with np.errstate(invalid="ignore"):
        off = np.abs(w - g)
    largest = np.fmax.reduce(off, axis=None)  # skips what is not a number, if it can
    return f"largest difference {largest:.3g}, largest value {finite.max() if finite.size else 0:.3g}"
