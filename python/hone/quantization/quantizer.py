# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The stages of a quantization, from the model in float to the file: observe, choose ranges, simulate, decide, write, measure."""
import dataclasses
import fnmatch
import functools
import hashlib
import json

import numpy as np

import hone

from . import gain
from .graph import Graph, QuantizationError
from .layers import Plan, find_layers
from .observers import Statistics, observe_histograms, observe_ranges
from .prepare import prepare
from .qdq import Recipe, least_opset, rounded_bias, write
from .ranges import METHODS, PERCENTILE, choose_range, make_bytes
from .report import LayerReport, Report
from .samples import load_samples
from .simulation import Simulation, signal_to_noise
from .smoothing import smooth
from .state import State
from .weights import check_weight, least_scales, mean_error, quantize_groups, quantize_weight

# Samples that choices are compared on; statistics are of all of them.
COMPARED = 32

# Options that no recipe depends on: budgets, and what else is to be measured.
MEASURING = {"min_snr", "max_drop", "max_ms", "min_gain", "measure", "sensitivity", "threads"}


@dataclasses.dataclass(frozen=True)
class Options:
    """See hone.quantize."""

    method: str = "auto"
    percentile: float = PERCENTILE
    activations: str = "u8"
    symmetric_activations: bool = False
    symmetric_weights: bool = True
    per_channel: bool = True
    search_weights: bool = False
    weight_only: int = 0
    group_size: int = 32
    smooth: float | None = None
    correct_biases: bool | None = None
    skip: tuple = ()
    only: tuple = ()
    min_snr: float | None = None
    max_drop: float | None = None
    max_ms: float | None = None
    min_gain: float | None = None
    measure: bool = True
    sensitivity: bool = False
    threads: int = 0

    def check(self):
        def wrong(condition, message):
            if condition:
                raise ValueError(message)

        wrong(self.method not in (*METHODS, "auto"), f"method '{self.method}': it must be auto, {', '.join(METHODS)}")
        wrong(not 50 <= self.percentile <= 100, f"percentile {self.percentile}: it must be from 50 to 100")
        wrong(self.activations not in ("u8", "s8"), f"activations '{self.activations}': they must be u8 or s8")
        wrong(self.weight_only not in (0, 4, 8), f"weight_only {self.weight_only}: it must be 4 or 8 bits, or 0")
        wrong(self.group_size < 16 or self.group_size & (self.group_size - 1), f"group_size {self.group_size}: it must be a power of two from 16")
        wrong(self.smooth is not None and not 0 < self.smooth < 1, f"smooth {self.smooth}: it must be between 0 and 1")
        wrong(self.max_drop is not None and self.max_drop < 0, f"max_drop {self.max_drop}: it must be 0 or more")
        wrong(self.max_ms is not None and not self.max_ms > 0, f"max_ms {self.max_ms}: it must be above 0")
        wrong(self.max_ms is not None and (self.min_snr is not None or self.max_drop is not None), "a budget is of accuracy or of time, not both")
        wrong(self.weight_only and self.smooth is not None, "smooth moves the difficulty from activations to weights: it is not for weight_only")


class Quantizer:
    def __init__(self, model, data, options, *, random=0, labels=None, metric=None, dims=None, state=None, progress=None):
        options.check()
        self.options = options
        self.dims = dict(dims or {})
        self._wanted, self._bytes_by_method = {}, {}
        self._progress = progress or (lambda stage, done, total: None)
        self.graph = Graph.load(model)
        self.float_bytes = len(self.graph.serialized())
        self.graph = prepare(self.graph)
        self.samples = load_samples(self.graph, data, random, self.dims, labels)
        if not self.samples.runs and not options.weight_only:
            raise QuantizationError(f"{self.graph.name}: ranges of activations need data; give some, or quantize weights alone")
        self._metric = metric or (self._right if self.samples.labels is not None else None)
        if options.max_drop is not None and self._metric is None:
            raise ValueError("max_drop is about a metric: labels, or a function")
        if (self._metric or options.min_snr is not None) and not self.samples.runs:
            raise QuantizationError(f"{self.graph.name}: accuracy is measured on data; give some")
        self._state = State(state)
        self.graph.raise_opset(least_opset(options.weight_only))
        identity = hashlib.sha256(self.graph.serialized())
        identity.update(self.samples.digest().encode())
        identity.update(json.dumps(sorted(self.dims.items())).encode())
        self._identity = identity.hexdigest()
        self._find()

    def _find(self):
        """The layers, and those that were asked for."""
        self.every = find_layers(self.graph)
        if self.options.weight_only:
            self.every = [layer for layer in self.every if layer.op in ("MatMul", "Gemm") and self.graph.constant(layer.weight).ndim == 2]
        if not self.every:
            what = "MatMul or Gemm with a constant matrix" if self.options.weight_only else "convolution or matrix product with a constant weight of type float"
            raise QuantizationError(f"{self.graph.name}: there is no {what} to quantize")
        for pattern in (*self.options.skip, *self.options.only):
            if not any(_named(layer, pattern) for layer in self.every):
                raise QuantizationError(f"{self.graph.name}: no layer has the name or operator '{pattern}'; layers are {', '.join(layer.node for layer in self.every[:8])}{' ...' if len(self.every) > 8 else ''}")
        self.reasons = {}
        for layer in self.every:
            if any(_named(layer, pattern) for pattern in self.options.skip) or self.options.only and not any(_named(layer, pattern) for pattern in self.options.only):
                self.reasons[layer.node] = "as asked"
        self.layers = [layer for layer in self.every if layer.node not in self.reasons]
        for layer in self.layers:
            check_weight(layer, self.graph.constant(layer.weight))

    def quantize(self):
        """The Report, with the model."""
        if self.options.smooth is not None:
            self._smooth()
        self.plan = self._plan(self.layers)
        self.statistics, self.ranges, self.histograms = {}, {}, {}
        if not self.options.weight_only:
            self._observe()
        self.simulation = Simulation(self.graph, self.plan, self.samples, self.dims) if self.samples.runs else None
        self.method, self.corrected = self._choose()
        self.recipe = self._recipe(self.method, self.corrected)
        self.own = {}
        if self.simulation and (self.options.sensitivity or self._has_budget()):
            self._measure_alone()
        self._keep_accuracy()
        self.timed = {}
        if self.samples.runs and (self.options.measure or self.options.max_ms is not None or self.options.min_gain is not None):
            self._measure()
        return self._report()

    # Statistics.

    def _key(self, *more):
        return hashlib.sha256(json.dumps([self._identity, self.options.smooth, *more]).encode()).hexdigest()

    def _how(self):
        """The options that choices depend on."""
        return {name: value for name, value in dataclasses.asdict(self.options).items() if name not in MEASURING}

    def _plan(self, layers):
        if not self.options.weight_only:
            return Plan(self.graph, layers)
        plan = Plan(self.graph, [])
        plan.layers = list(layers)
        return plan

    def _smooth(self):
        """Needs extremes per channel of what layers read, and changes the graph."""
        plan = self._plan(self.layers)
        held = self._ranges(plan, "ranges before smoothing")
        self.graph = smooth(self.graph, self.layers, held, self.options.smooth)
        self._find()

    def _ranges(self, plan, stage):
        def compute():
            return {value: held.as_json() for value, held in observe_ranges(self.graph, plan, self.samples, self.dims, self._progress).items()}

        key = self._key(stage, [layer.node for layer in plan.layers])
        return {value: Statistics.from_json(held) for value, held in self._state.get(stage, key, compute).items()}

    def _observe(self):
        self.statistics = self._ranges(self.plan, "ranges")
        # Values that share a scale share a range.
        for value, group in self.plan.group.items():
            low, high = self.ranges.get(group, (np.inf, -np.inf))
            self.ranges[group] = (min(low, self.statistics[value].low), max(high, self.statistics[value].high))
        if self.options.method == "minmax":
            return
        wide = {value: self.ranges[group] for value, group in self.plan.group.items()}

        def compute():
            return {value: counts.tolist() for value, counts in observe_histograms(self.graph, wide, self.samples, self.dims, self._progress).items()}

        for value, counts in self._state.get("histograms", self._key("histograms", wide), compute).items():
            group = self.plan.group[value]
            self.histograms[group] = self.histograms.get(group, 0) + np.array(counts, np.int64)

    # Choices.

    def _bytes(self, method):
        """How each value becomes bytes; the search for ranges is kept, since several recipes have the same."""
        if method not in self._bytes_by_method:
            options, chosen = self.options, {}
            signed = options.activations == "s8"
            for group, (low, high) in self.ranges.items():
                if method != "minmax":
                    low, high = choose_range(method, self.histograms[group], low, high, signed, options.symmetric_activations, options.percentile)
                chosen[group] = make_bytes(low, high, signed, options.symmetric_activations)
            self._bytes_by_method[method] = {value: chosen[group] for value, group in self.plan.group.items()}
        return self._bytes_by_method[method]

    def _recipe(self, method, corrected):
        options = self.options
        bytes_of, weights, biases = self._bytes(method), {}, {}
        for layer in self.layers:
            weight = self.graph.constant(layer.weight)
            bias = self.graph.constant(layer.bias) if layer.bias else None
            how = bytes_of.get(layer.input)
            if options.weight_only:
                weights[layer.node] = quantize_groups(layer, weight, options.weight_only, options.group_size, symmetric=options.symmetric_weights)
                continue
            least = least_scales(bias, how.scale) if bias is not None and layer.plain and layer.op != "MatMul" else None
            quantized = quantize_weight(layer, weight, symmetric=options.symmetric_weights, per_channel=options.per_channel, search=options.search_weights, least_scale=least)
            weights[layer.node] = quantized
            mean = self.statistics[layer.input].channel_mean
            if corrected and mean is not None and mean.ndim and (bias is not None or layer.op != "MatMul" and layer.plain):
                error = mean_error(layer, weight, quantized, mean)
                if error is not None:
                    bias = error if bias is None else (bias + error.reshape(bias.shape)).astype(np.float32)
            if bias is not None and (layer.plain or layer.op == "MatMul"):
                biases[layer.node] = rounded_bias(layer, quantized, how, bias)
        return Recipe(bytes_of, weights, biases)

    def _choose(self):
        """The method for ranges and whether biases are corrected; where that is open, what gives the best outputs."""
        options = self.options
        if options.weight_only:
            return "", False
        methods = METHODS if options.method == "auto" else (options.method,)
        corrections = (False, True) if options.correct_biases is None else (options.correct_biases,)
        if len(methods) == 1 and len(corrections) == 1:
            return methods[0], corrections[0]
        key = self._key("choice", self._how())

        def compute():
            scores = []
            for method in methods:
                self._progress(f"compare ranges by {method}", len(scores), len(methods) * len(corrections))
                for corrected in corrections:
                    scores.append((self._score(self._recipe(method, corrected), self.layers)[0], method, corrected))
            return max(scores, key=lambda score: score[0])[1:]

        return self._state.get("choice", key, compute)

    def _score(self, recipe, layers, samples=COMPARED, metric=False):
        """The worst output's signal to noise, and the metric, with these layers quantized."""
        names = {layer.node for layer in layers}
        plan = self._plan(layers)
        sums, outputs = {}, []
        for number in range(len(self.samples.runs)):
            if number >= samples and not metric:
                break
            wanted = self._float_outputs(number)
            got = self.simulation.run(number, recipe, names, plan.readers)
            for name, want in wanted.items():
                signal, noise = sums.get(name, (0.0, 0.0))
                sums[name] = (signal + float(np.sum(np.square(want, dtype=np.float64))), noise + float(np.sum(np.square(want - got[name].astype(np.float64)))))
            outputs.append({name: got[name] for name in self.graph.outputs})
        return min((signal_to_noise(*pair) for pair in sums.values()), default=np.inf), float(self._metric(outputs)) if metric else None

    def _float_outputs(self, number):
        if number not in self._wanted:
            outputs = self.simulation.run(number)
            self._wanted[number] = {name: np.asarray(outputs[name]) for name in self.graph.outputs if np.asarray(outputs[name]).dtype.kind == "f"}
        return self._wanted[number]

    def _right(self, outputs):
        """Per cent of labels that the first output's largest entry agrees with."""
        rows = [output[self.graph.outputs[0]] for output in outputs]
        classes = np.concatenate([row.reshape(-1, row.shape[-1]).argmax(axis=1) for row in rows])
        if len(classes) != len(self.samples.labels):
            raise QuantizationError(f"{len(self.samples.labels)} labels for {len(classes)} rows of the output '{self.graph.outputs[0]}'")
        return 100 * float(np.mean(classes == self.samples.labels))

    def _has_budget(self):
        return any(budget is not None for budget in (self.options.min_snr, self.options.max_drop, self.options.max_ms))

    def _measure_alone(self):
        def compute():
            found = {}
            for number, layer in enumerate(self.layers):
                self._progress("quantize each layer alone", number, len(self.layers))
                found[layer.node] = self._score(self.recipe, [layer], samples=8)[0]
            return found

        self.own = self._state.get("alone", self._key("alone", self._how(), self.method, self.corrected), compute)

    def _drop(self, names, reason):
        for name in names:
            self.reasons[name] = reason
        self.layers = [layer for layer in self.layers if layer.node not in self.reasons]
        self.plan = self._plan(self.layers)

    def _keep_accuracy(self):
        """Leaves those layers in float that harm most, until the budget of accuracy is kept."""
        options = self.options
        if options.min_snr is None and options.max_drop is None:
            return
        order = sorted(self.layers, key=lambda layer: (self.own[layer.node], layer.node))
        wanted = self._float_metric() if options.max_drop is not None else None

        def keeps(count):
            self._progress("keep the budget", 0, 1)
            left = [layer for layer in self.layers if layer not in order[:count]]
            snr, metric = self._score(self.recipe, left, metric=options.max_drop is not None) if left else (np.inf, wanted)
            return (options.min_snr is None or snr >= options.min_snr) and (options.max_drop is None or wanted - metric <= options.max_drop + 1e-9)

        low, high = 0, len(order)  # With all of them in float it is kept.
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if keeps(middle) else (middle + 1, high)
        self._drop([layer.node for layer in order[:low]], "for the budget of accuracy")

    def _float_metric(self):
        return float(self._metric([self.simulation.run(number) for number in range(len(self.samples.runs))]))

    # Times.

    def _compiled(self, graph):
        return hone.compile(graph.serialized(), dims=self.dims, threads=self.options.threads)

    @functools.cached_property
    def _float_model(self):
        """The same for every set of layers."""
        return self._compiled(self.graph)

    def _times(self, layers):
        """Seconds of a run in float and quantized, and of each layer."""
        names = [layer.node for layer in layers]

        def compute():
            plan = self._plan(layers)
            quantized = write(self.graph, plan, self.recipe)
            self._progress("compile to measure", 0, 2)
            in_float = self._float_model
            self._progress("compile to measure", 1, 2)
            before, after = gain.measure([in_float, self._compiled(quantized)], self.samples.runs[0][0], self._progress)
            every = [layer.node for layer in self.every]
            return {"float": before.seconds, "quantized": after.seconds, "float_layers": before.by_layer(every, {}),
                    "quantized_layers": after.by_layer(every, gain.helpers_of(plan, quantized))}  # fmt: skip

        # A search measures several sets of layers.
        key = self._key("times", self._how(), self.method, self.corrected, names, self.options.threads)
        return self._state.get(f"times {key}", key, compute)

    def _measure(self):
        options = self.options
        self.timed = self._times(self.layers)
        if options.max_ms is not None:
            self._keep_time()
        if options.min_gain is not None:
            self._drop_slow()

    def _drop_slow(self):
        """Leaves layers in float that gain too little, unless a run then takes longer than that explains: what converts between
        bytes and floats may cost more than they do. All of them are tried, then those that lose most."""
        least = self.options.min_gain / 100
        before, after = self.timed["float_layers"], self.timed["quantized_layers"]
        lost = {layer.node: after[layer.node] - (1 - least) * before[layer.node] for layer in self.layers}
        slow = sorted((name for name in lost if lost[name] >= 0), key=lambda name: (-lost[name], name))
        while slow:
            left = [layer for layer in self.layers if layer.node not in slow]
            times = self._times(left) if left else dict(self.timed, quantized=self.timed["float"], quantized_layers=before)
            if times["quantized"] <= self.timed["quantized"] + least * sum(before[name] for name in slow):
                self.timed = times
                self._drop(slow, f"as it gains less than {self.options.min_gain:g} % here" if least > 0 else "as it gains nothing here")
                return
            slow = slow[: len(slow) // 2]

    def _keep_time(self):
        """Quantizes only as much as the budget of time needs, what harms least for the time that it gains first."""
        budget = self.options.max_ms / 1e3
        if self.timed["quantized"] > budget:
            raise QuantizationError(f"{self.graph.name}: quantized, a run takes {self.timed['quantized'] * 1e3:.4f} ms, which is more than the budget of {self.options.max_ms:g} ms; {self.timed['float'] * 1e3:.4f} ms in float")
        gained = {layer.node: self.timed["float_layers"][layer.node] - self.timed["quantized_layers"][layer.node] for layer in self.layers}

        def harm(layer):
            noise = 10 ** (-self.own[layer.node] / 10)
            return (gained[layer.node] <= 0, noise / max(gained[layer.node], 1e-9), layer.node)

        order, everything = sorted(self.layers, key=harm), self.timed
        count, left = 0, everything["float"]
        while count < len(order) and left > budget:
            left -= gained[order[count].node]
            count += 1
        # What was predicted is tried first, then halves of what is left.
        low, high, probe = count, len(order), count
        while low < high:
            chosen = {layer.node for layer in order[:probe]}
            times = self._times([layer for layer in self.layers if layer.node in chosen])
            if times["quantized"] <= budget:
                self.timed, high = times, probe
            else:
                low = probe + 1
            if high == count or high - low < len(order) // 16:
                break
            probe = (low + high) // 2
        count = high
        self._drop([layer.node for layer in order[count:]], "as the budget of time is kept without it")

    # The end.

    def _errors(self):
        """{layer: signal to noise} of the layers' results."""
        names = {layer.node for layer in self.layers}
        sums = {}
        for number in range(min(len(self.samples.runs), COMPARED)):
            self._progress("compare layers", number, min(len(self.samples.runs), COMPARED))
            wanted = self.simulation.run(number)
            got = self.simulation.run(number, self.recipe, names, self.plan.readers)
            for layer in self.simulation.layers:
                want = wanted[layer.output].astype(np.float64)
                noise = want - got[layer.output]
                before = sums.get(layer.node, (0.0, 0.0))
                sums[layer.node] = (before[0] + float(np.sum(want * want)), before[1] + float(np.sum(noise * noise)))
        return {name: signal_to_noise(*pair) for name, pair in sums.items()}

    def _report(self):
        options = self.options
        made = write(self.graph, self.plan, self.recipe)
        model = made.serialized()
        report = Report(model=model, layers=[], method=self.method, samples=len(self.samples.runs), bias_corrected=self.corrected, float_bytes=self.float_bytes)
        errors = {}
        if self.simulation:
            errors = self._errors()
            report.signal_to_noise = self._score(self.recipe, self.layers)[0] if self.layers else float("inf")
            if self._metric:
                report.float_accuracy = self._float_metric()
                report.accuracy = self._score(self.recipe, self.layers, metric=True)[1] if self.layers else report.float_accuracy
        if self.timed:
            report.float_seconds, report.quantized_seconds = self.timed["float"], self.timed["quantized"]
        for layer in self.every:
            of_layer = LayerReport(layer.node, layer.op, layer.node not in self.reasons, self.reasons.get(layer.node, ""))
            of_layer.signal_to_noise = errors.get(layer.node)
            of_layer.own_signal_to_noise = self.own.get(layer.node)
            if self.timed and options.measure:
                of_layer.float_seconds, of_layer.quantized_seconds = self.timed["float_layers"][layer.node], self.timed["quantized_layers"][layer.node]
            report.layers.append(of_layer)
        return report


def _named(layer, pattern):
    # Names may hold the brackets of a pattern.
    return pattern in (layer.node, layer.op) or fnmatch.fnmatchcase(layer.node, pattern)
