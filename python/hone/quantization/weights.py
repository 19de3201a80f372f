# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights as integers: per tensor, per channel or in groups; and the correction of what that changes on average."""
import dataclasses
import functools

import numpy as np

from .graph import QuantizationError


@dataclasses.dataclass
class QuantizedWeight:
    """`codes`, one for each element, with `scale` and `zero`, which broadcast to them once groups are repeated.

    `axis` is the one that scales go along, None for one scale; `group_size` elements along `axis` share one, if not 0."""

    codes: np.ndarray
    scale: np.ndarray
    zero: np.ndarray | None
    axis: int | None
    bits: int
    group_size: int = 0

    @functools.cached_property
    def values(self):
        """What the codes stand for."""
        scale, zero = self._spread(self.scale), 0 if self.zero is None else self._spread(self.zero).astype(np.float32)
        return (self.codes.astype(np.float32) - zero) * scale

    def _spread(self, factors):
        if self.axis is None:
            return factors
        if self.group_size:
            return np.repeat(factors, self.group_size, self.axis).take(range(self.codes.shape[self.axis]), self.axis)
        return factors.reshape([-1 if axis == self.axis else 1 for axis in range(self.codes.ndim)])


def check_weight(layer, weight):
    if not np.isfinite(weight).all():
        raise QuantizationError(f"node '{layer.node}' ({layer.op}): its weight '{layer.weight}' has NaN or Inf; leave the node in float, or repair the model")


def quantize_weight(layer, weight, *, symmetric=True, per_channel=True, search=False, least_scale=None):
    """8 bits, for products of integers. `least_scale` bounds the scales from below, for each channel."""
    rows = layer.channels_first(weight) if per_channel else weight.reshape(1, -1)
    scale, zero, low, high = _fit(rows, 8, symmetric, search)
    if least_scale is not None:
        bound = least_scale if per_channel else np.max(least_scale, keepdims=True)
        wider = bound > scale
        scale = np.where(wider, bound, scale).astype(np.float32)
    shaped = (lambda v: layer.per_channel(v, weight.ndim)) if per_channel else (lambda v: v.reshape(()))
    codes = _codes(weight, shaped(scale), 0 if zero is None else shaped(zero), low, high)
    codes = codes.astype(np.int8 if symmetric else np.uint8)
    if not per_channel:
        scale, zero = scale.reshape(()), None if zero is None else zero.reshape(())
    return QuantizedWeight(codes, scale, None if zero is None else zero.astype(codes.dtype), layer.out_axis if per_channel else None, 8)


def quantize_groups(layer, weight, bits, group_size, *, symmetric=True, search=True):
    """Of 4 or 8 bits in groups along the input channels, for weights that are made floats again; a matrix."""
    axis = layer.in_axis
    moved = np.moveaxis(weight, axis, -1)
    size = moved.shape[-1]
    groups = -(-size // group_size)
    padded = np.zeros((*moved.shape[:-1], groups * group_size), np.float32)
    padded[..., :size] = moved
    rows = padded.reshape(-1, group_size)
    scale, zero, low, high = _fit(rows, bits, symmetric, search)
    codes = _codes(rows, scale[:, None], 0 if zero is None else zero[:, None], low, high)
    codes = np.moveaxis(codes.reshape(padded.shape)[..., :size], -1, axis)
    shape = (*moved.shape[:-1], groups)
    dtype = np.int8 if symmetric else np.uint8
    back = lambda v: np.ascontiguousarray(np.moveaxis(v.reshape(shape), -1, axis))  # noqa: E731
    return QuantizedWeight(np.ascontiguousarray(codes).astype(dtype), back(scale), None if zero is None else back(zero).astype(dtype), axis, bits, group_size)


def _codes(values, scale, zero, low, high):
    return np.clip(np.rint(values / scale) + zero, low, high)


def _fit(rows, bits, symmetric, search):
    """Scales and zero points of rows, and the lowest and the highest integer. `search` tries to cover less than everything."""
    if symmetric:
        # 8 bits leave out -128, so that a weight and its negative have the same magnitude.
        low, high = (-127, 127) if bits == 8 else (-(1 << bits - 1), (1 << bits - 1) - 1)
        reach = np.abs(rows).max(axis=1) / high
        zero = None
    else:
        low, high = 0, (1 << bits) - 1
        least, most = np.minimum(rows.min(axis=1), 0), np.maximum(rows.max(axis=1), 0)
        reach = (most - least) / high
        zero = np.clip(np.rint(-least / _usable(reach)), low, high)
    scale = _usable(reach)
    if not search:
        return scale, zero, low, high
    # A narrower range has the same zero point.
    shift = 0 if zero is None else zero[:, None]
    best, chosen = np.full(len(rows), np.inf), scale
    for step in range(11 if bits == 8 else 17):
        tried = _usable(reach * (1 - 0.025 * step))
        error = np.square((_codes(rows, tried[:, None], shift, low, high) - shift) * tried[:, None] - rows).sum(axis=1)
        better = error < best
        best, chosen = np.where(better, error, best), np.where(better, tried, chosen)
    return chosen, zero, low, high


def _usable(scale):
    """Scales of f32 that can be divided by; 1 for rows of zeros."""
    scale = np.asarray(scale, np.float32)
    return np.where(scale > 0, np.maximum(scale, np.float32(2.0**-120)), np.float32(1))


def least_scales(bias, input_scale):
    """The scales of weights below which a bias does not fit 32 bits, with a bit to spare."""
    return (np.abs(bias.reshape(-1).astype(np.float64)) / (input_scale * 2.0**30)).astype(np.float32)


def mean_error(layer, weight, quantized, channel_mean):
    """What a layer's results lose on average, for each output channel, as far as inputs have the mean of their channel everywhere."""
    lost = weight.astype(np.float64) - quantized.values.astype(np.float64)
    if layer.op == "MatMul" and lost.ndim > 2:
        return None
    if layer.op != "Conv":
        other = tuple(axis for axis in range(lost.ndim) if axis not in (layer.in_axis, layer.out_axis))
        if other:  # How many elements of a kernel count depends on the place.
            return None
        lost = np.moveaxis(lost, layer.out_axis, 0)
        return (lost @ channel_mean).astype(np.float32)
    per_input = lost.reshape(layer.group, lost.shape[0] // layer.group, lost.shape[1], -1).sum(axis=3)
    means = channel_mean.reshape(layer.group, -1)
    return np.einsum("goi,gi->go", per_input, means).reshape(-1).astype(np.float32)
