# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scales of activations: what range of a value its bytes cover, by its extremes or by its histogram."""
import dataclasses

import numpy as np

METHODS = ("minmax", "percentile", "entropy", "mse")
PERCENTILE = 99.99


@dataclasses.dataclass(frozen=True)
class Bytes:
    """How a value becomes integers: round(x / scale) + zero, within low and high."""

    scale: float
    zero: int
    low: int
    high: int


def make_bytes(low, high, signed, symmetric):
    """Integers of 8 bits for the reals from `low` to `high`, and 0, which is exact."""
    least = -128 if signed else 0
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if symmetric:
        # The same number of steps on both sides of 0: the integer of the lowest is left out.
        zero, scale = least + 128, np.float32(max(-low, high) / 127)
        zero, scale = (zero, scale) if scale > 0 else (zero, np.float32(1))
        return Bytes(float(_normal(scale)), zero, least + 1, least + 255)
    scale = np.float32((high - low) / 255)
    if not scale > 0:
        return Bytes(1.0, least, least, least + 255)
    scale = _normal(scale)
    return Bytes(float(scale), int(np.clip(np.rint(least - low / float(scale)), least, least + 255)), least, least + 255)


def _normal(scale):
    """Scales whose reciprocals are finite."""
    return max(np.float32(scale), np.float32(2.0**-120))


def round_trip(values, how):
    """What is left of values behind their bytes."""
    return (np.clip(np.rint(values / how.scale) + how.zero, how.low, how.high) - how.zero) * how.scale


def choose_range(method, counts, low, high, signed, symmetric, percentile=PERCENTILE):
    """The range to cover, (low, high), of a histogram over low to high."""
    counts = np.asarray(counts, np.float64)
    if method == "minmax" or not high > low or counts.sum() == 0:
        return low, high
    edges = np.linspace(low, high, len(counts) + 1)
    if method == "percentile":
        return _percentile(counts, edges, percentile, symmetric)
    candidates = _candidates(counts, edges, symmetric)
    if method == "mse":
        centers = (edges[1:] + edges[:-1]) / 2
        errors = [float(counts @ (centers - round_trip(centers, make_bytes(a, b, signed, symmetric))) ** 2) for a, b in candidates]
    else:
        errors = [_divergence(counts, edges, a, b, make_bytes(a, b, signed, symmetric)) for a, b in candidates]
    # Of equal ones the widest, which comes first.
    return candidates[int(np.argmin(errors))]


def _percentile(counts, edges, percentile, symmetric):
    total = counts.sum()
    dropped = total * (1 - percentile / 100)
    if symmetric:
        reach = np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
        order = np.argsort(reach, kind="stable")
        covered = np.cumsum(counts[order])
        limit = float(reach[order][min(int(np.searchsorted(covered, total - dropped)), len(order) - 1)])
        return max(-limit, float(edges[0])), min(limit, float(edges[-1]))
    # Half of what is dropped at either end.
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])
    first = int(np.searchsorted(below, dropped / 2, side="right"))
    last = len(counts) - int(np.searchsorted(above, dropped / 2, side="right"))
    return min(float(edges[first]), 0.0) if first else float(edges[0]), max(float(edges[last]), 0.0) if last < len(counts) else float(edges[-1])


def _candidates(counts, edges, symmetric):
    """Ever narrower ranges, (low, high): the end that has fewer values beyond it moves, in steps of a 128th."""
    low, high = min(float(edges[0]), 0.0), max(float(edges[-1]), 0.0)
    if symmetric:
        reach = max(-low, high)
        return [(max(-reach * k / 128, low), min(reach * k / 128, high)) for k in range(128, 12, -1)]
    step = (high - low) / 128
    below, above = np.concatenate([[0], np.cumsum(counts)]), np.concatenate([np.cumsum(counts[::-1])[::-1], [0]])
    ranges = [(low, high)]
    while high - low > 13 * step:
        lower, higher = min(low + step, 0.0), max(high - step, 0.0)
        clipped_low = np.interp(lower, edges, below) if lower > low else np.inf
        clipped_high = np.interp(higher, edges, above) if higher < high else np.inf
        if clipped_low == clipped_high == np.inf:
            break
        if clipped_low < clipped_high:
            low = lower
        else:
            high = higher
        ranges.append((low, high))
    return ranges


def _divergence(counts, edges, low, high, how):
    """How much the distribution of values and that of their bytes, each spread over the bins that it stands for, differ: Kullback and Leibler's measure."""
    centers = (edges[1:] + edges[:-1]) / 2
    inside = (centers >= low) & (centers <= high)
    if not inside.any():
        return np.inf
    # What lies outside is at the ends.
    wanted = counts[inside].copy()
    first = int(np.argmax(inside))
    wanted[0] += counts[:first].sum()
    wanted[-1] += counts[first + len(wanted) :].sum()
    kept = counts[inside]
    level = (np.clip(np.rint(centers[inside] / how.scale) + how.zero, how.low, how.high) - how.low).astype(np.int64)
    used = kept > 0
    mass = np.bincount(level, kept, 256)
    shared = np.bincount(level, used, 256)
    spread = np.where(used, mass[level] / np.maximum(shared[level], 1), 0)
    wanted, spread = wanted / wanted.sum(), spread / max(spread.sum(), 1e-300)
    has = wanted > 0
    return float(np.sum(wanted[has] * np.log(wanted[has] / np.maximum(spread[has], 1e-12))))
