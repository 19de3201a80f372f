# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Observers: a rewrite of the graph that adds statistics of values as outputs, which the compiled model computes in its runs.

Extremes and means come first; histograms take the extremes as inputs, so that their bins are the same in all runs."""
import dataclasses

import numpy as np
from onnx import TensorProto, helper

import hone

from .graph import QuantizationError

BINS = 2048


@dataclasses.dataclass
class Statistics:
    """Of one value over all samples; per channel where a layer reads it."""

    low: float = np.inf
    high: float = -np.inf
    channel_low: np.ndarray | None = None
    channel_high: np.ndarray | None = None
    channel_mean: np.ndarray | None = None
    samples: int = 0

    def as_json(self):
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, held):
        return cls(**{name: np.array(value) if isinstance(value, list) else value for name, value in held.items()})


class _Observed:
    """A copy of the graph whose outputs are only what observers compute."""

    def __init__(self, graph):
        self.graph = graph.copy()
        self.model = self.graph.model
        del self.model.graph.output[:]

    def node(self, op, inputs, name, outputs=1, **attributes):
        made = [self.graph.fresh(f"{name}.{op}") for _ in range(outputs)]
        self.model.graph.node.append(helper.make_node(op, inputs, made, name=made[0], **attributes))
        return made[0]

    def reduce(self, op, value, name, axes=None):
        """Over `axes`, or all of them."""
        attributes, inputs = dict(keepdims=0), [value]
        if axes is not None:
            # Sums take their axes as an input from opset 13 on, the others from 18 on.
            if self.graph.opset() >= 18:
                inputs.append(self.graph.add_constant(f"{name}.axes", np.array(axes, np.int64)))
            else:
                attributes["axes"] = axes
        return self.node(op, inputs, name, **attributes)

    def output(self, value, elem_type=TensorProto.FLOAT):
        self.graph.add_output(value, elem_type)
        return value

    def compile(self, dims):
        self.graph.remove_dead()
        return hone.compile(self.graph.serialized(), dims=dims)


def _describe(graph, value):
    node = graph.producers.get(value)
    return f"input '{value}'" if node is None else f"node '{node.name}' ({node.op_type}): '{value}'"


def run(model, arrays, where):
    try:
        return model.run(arrays)
    except hone.RunError as error:
        raise QuantizationError(f"{where}: {error}") from None


def observe_ranges(graph, plan, samples, dims, progress):
    """{value: Statistics} of every value of the plan."""
    channel_axes = {layer.input: layer.channel_axis for layer in plan.layers}
    ranks = {layer.input: len(graph.constant(layer.weight).shape) if "Conv" in layer.op else None for layer in plan.layers}
    observed = _Observed(graph)
    wanted = {}
    for value in plan.readers:
        axis = channel_axes.get(value)
        if axis == 1 and ranks[value] is not None:
            made = {op: observed.reduce(op, value, value, [number for number in range(ranks[value]) if number != 1]) for op in ("ReduceMin", "ReduceMax", "ReduceMean")}
        elif axis == -1:
            # As rows of channels, whatever the rank.
            channels = next(graph.constant(layer.weight).shape[layer.in_axis] for layer in plan.layers if layer.input == value)
            shape = observed.graph.add_constant(f"{value}.rows", np.array([-1, channels], np.int64))
            rows = observed.node("Reshape", [value, shape], f"{value}.rows")
            made = {op: observed.reduce(op, rows, value, [0]) for op in ("ReduceMin", "ReduceMax", "ReduceMean")}
        else:
            made = {op: observed.reduce(op, value, value) for op in ("ReduceMin", "ReduceMax", "ReduceMean")}
        wanted[value] = {op: observed.output(name) for op, name in made.items()}
    model = observed.compile(dims)
    found = {value: Statistics() for value in wanted}
    for number, (arrays, where) in enumerate(samples.runs):
        progress("ranges", number, len(samples.runs))
        outputs = run(model, arrays, where)
        for value, names in wanted.items():
            low, high, mean = (np.asarray(outputs[names[op]], np.float64) for op in ("ReduceMin", "ReduceMax", "ReduceMean"))
            # A mean is finite only if everything is.
            if not (np.isfinite(low).all() and np.isfinite(high).all() and np.isfinite(mean).all()):
                raise QuantizationError(f"{where}: {_describe(graph, value)} has NaN or Inf; leave the sample out, or the layers that read it in float")
            held = found[value]
            held.low, held.high = min(held.low, float(low.min())), max(held.high, float(high.max()))
            if low.ndim:
                first = held.samples == 0
                held.channel_low = low if first else np.minimum(held.channel_low, low)
                held.channel_high = high if first else np.maximum(held.channel_high, high)
                held.channel_mean = mean if first else held.channel_mean + (mean - held.channel_mean) / (held.samples + 1)
            held.samples += 1
    return found


def observe_histograms(graph, ranges, samples, dims, progress):
    """{value: counts in BINS bins of equal width from its `ranges` (low, high)} over all samples."""
    observed = _Observed(graph)
    values = [value for value, (low, high) in ranges.items() if high > low]
    if not values:
        return {value: np.zeros(BINS, np.int64) for value in ranges}
    inputs = {name: observed.graph.fresh(f"hone.{name}") for name in ("low", "per_bin")}
    for name in inputs.values():
        observed.model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [len(values)]))
    constant = observed.graph.add_constant
    last, zero, flat = constant("hone.last", np.float32(BINS - 1)), constant("hone.zero", np.float32(0)), constant("hone.flat", np.array([-1], np.int64))
    empty, one = constant("hone.empty", np.zeros(BINS, np.int32)), constant("hone.one", np.array([1], np.int32))
    wanted = {}
    for number, value in enumerate(values):
        at = constant("hone.at", np.int64(number))
        shifted = observed.node("Sub", [value, observed.node("Gather", [inputs["low"], at], value)], value)
        scaled = observed.node("Mul", [shifted, observed.node("Gather", [inputs["per_bin"], at], value)], value)
        bins = observed.node("Cast", [observed.node("Clip", [scaled, zero, last], value)], value, to=TensorProto.INT64)
        bins = observed.node("Reshape", [bins, flat], value)
        ones = observed.node("Expand", [one, observed.node("Shape", [bins], value)], value)
        wanted[value] = observed.output(observed.node("ScatterElements", [empty, bins, ones], value, axis=0, reduction="add"), TensorProto.INT32)
    # Sums of what is scattered came with opset 16.
    observed.graph.raise_opset(16)
    model = observed.compile(dims)
    bounds = np.array([ranges[value] for value in values], np.float64)
    extra = {inputs["low"]: bounds[:, 0].astype(np.float32), inputs["per_bin"]: (BINS / (bounds[:, 1] - bounds[:, 0])).astype(np.float32)}
    counts = {value: np.zeros(BINS, np.int64) for value in ranges}
    for number, (arrays, where) in enumerate(samples.runs):
        progress("histograms", number, len(samples.runs))
        outputs = run(model, {**arrays, **extra}, where)
        for value, name in wanted.items():
            counts[value] += outputs[name]
    return counts
