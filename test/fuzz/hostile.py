# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs that a model does not expect."""
import numpy as np

LARGEST = 1 << 20  # elements of an input
HUGE = [2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), -(2**31), -1, 0, 1, 2, 3, 1000]


def sizes(value, free, rng):
    """The shape of a feed: free dimensions of one size, or sizes that do not fit."""
    if value.shape is None:
        return [int(n) for n in rng.integers(0, 4, int(rng.integers(0, 4)))]
    dims = []
    for dim in value.shape:
        dims.append(dim if isinstance(dim, int) else free() if callable(free) else free)
    while np.prod([float(d) for d in dims]) > LARGEST and max(dims) > 1:
        dims[int(np.argmax(dims))] //= 2
    return dims


def tensor(dtype, dims, kind, rng):
    if dtype == "object" or dtype is None:
        return np.array([["", "a", "zz", "ä"][int(i)] for i in rng.integers(0, 4, int(np.prod(dims)))], object).reshape(dims)
    count = int(np.prod(dims))
    try:
        dtype = np.dtype(dtype)
    except TypeError:  # one of ml_dtypes
        import ml_dtypes

        dtype = np.dtype(getattr(ml_dtypes, str(dtype)))
    if dtype.kind == "b":
        data = rng.integers(0, 2, count)
    elif dtype.kind in "iu":
        small = rng.integers(-2 if dtype.kind == "i" else 0, 6, count)
        data = small if kind == "random" else np.array(HUGE, np.int64)[rng.integers(0, len(HUGE), count)]
    elif kind == "random":
        data = rng.standard_normal(count)
    else:
        data = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 1e8, -1e8, -1.0, 0.0, 1e-40])[rng.integers(0, 10, count)]
    with np.errstate(all="ignore"):
        return np.asarray(data).astype(dtype).reshape(dims)


def feed(value, free, kind, rng):
    if value.kind == "sequence":
        return [tensor(value.dtype, sizes(value, free, rng), kind, rng) for _ in range(int(rng.integers(0, 3)))]
    if value.kind == "optional" and rng.random() < 0.3:
        return None
    return tensor(value.dtype, sizes(value, free, rng), kind, rng)


def feeds(model, seed):
    """Three sets of inputs: free dimensions of small sizes with random data, of 0, 1 or many
    with huge, negative and NaN ones, and sizes that do not agree."""
    rng = np.random.default_rng(seed)
    plans = [(int(rng.integers(1, 4)), "random"), (int(rng.choice([0, 1, 1000])), "huge"),
             (lambda: int(rng.choice([0, 1, 2, 3, 5, 64])), "random" if rng.random() < 0.5 else "huge")]
    for free, kind in plans:
        yield {value.name: feed(value, free, kind, rng) for value in model.inputs}
