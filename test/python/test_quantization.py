# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantization of models in float: what is observed and chosen against a second way to compute it, what is written against
ONNX's checker and its evaluator, what it costs in accuracy, and bad models and data."""
import contextlib
import io
import json
import pathlib
import pickle
import tempfile
import unittest
import unittest.mock

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import hone
from hone.quantization import gain, ranges, weights
from hone.quantization.command import main
from hone.quantization.graph import Graph
from hone.quantization.layers import Plan, find_layers
from hone.quantization.observers import BINS, observe_histograms, observe_ranges
from hone.quantization.samples import load_samples
from hone.quantization.smoothing import smooth

gain.SECONDS = 0.02  # Times are not compared here.
DIGITS = pathlib.Path(__file__).resolve().parent.parent / "data" / "digits"


def model_of(nodes, inputs, outputs, constants, opset=19):
    infos = [[helper.make_tensor_value_info(name, elem, shape) for name, (elem, shape) in side.items()] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "test", *infos, [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def floats(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def residual_model():
    """conv, relu, two convolutions and a sum, pooling, a mean and a linear layer."""
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], name="stem", pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r0"], name="relu"),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], name="left", pads=[1] * 4),
        helper.make_node("Conv", ["r0", "w2"], ["c2"], name="right", group=8, pads=[1] * 4),
        helper.make_node("Add", ["c1", "c2"], ["sum"], name="sum"),
        helper.make_node("Clip", ["sum", "low", "high"], ["clipped"], name="clip"),
        helper.make_node("MaxPool", ["clipped"], ["pooled"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pooled", "w3", "b3"], ["c3"], name="last"),
        helper.make_node("GlobalAveragePool", ["c3"], ["mean"], name="mean"),
        helper.make_node("Flatten", ["mean"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w4", "b4"], ["y"], name="linear", transB=1),
    ]
    constants = dict(w0=floats(8, 3, 3, 3, seed=1, scale=0.3), b0=floats(8, seed=2), w1=floats(8, 8, 3, 3, seed=3, scale=0.2), b1=floats(8, seed=4), w2=floats(8, 1, 3, 3, seed=5),
                     low=np.float32(0), high=np.float32(6), w3=floats(12, 8, 1, 1, seed=6), b3=floats(12, seed=7), w4=floats(5, 12, seed=8), b4=floats(5, seed=9))  # fmt: skip
    return model_of(nodes, dict(x=(TensorProto.FLOAT, [1, 3, 8, 8])), dict(y=(TensorProto.FLOAT, [1, 5])), constants)


def transformer_model(opset=19):
    """A normalization that products and a sum read, gelu, and a product without a bias."""
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gamma", "beta"], ["n"], name="norm"),
        helper.make_node("MatMul", ["n", "w0"], ["m0"], name="up"),
        helper.make_node("Add", ["b0", "m0"], ["a0"], name="up_bias"),
        helper.make_node("Div", ["a0", "root"], ["d"], name="div"),
        helper.make_node("Erf", ["d"], ["e"], name="erf"),
        helper.make_node("Add", ["e", "one"], ["e1"], name="plus"),
        helper.make_node("Mul", ["a0", "e1"], ["g"], name="gelu"),
        helper.make_node("MatMul", ["g", "w1"], ["m1"], name="down"),
        helper.make_node("Add", ["m1", "n"], ["y"], name="residual"),
    ]
    constants = dict(gamma=1 + floats(16, seed=1, scale=0.1), beta=floats(16, seed=2), w0=floats(16, 40, seed=3), b0=floats(40, seed=4), root=np.float32(1.4142), one=np.float32(1), w1=floats(40, 16, seed=5))
    return model_of(nodes, dict(x=(TensorProto.FLOAT, ["rows", 16])), dict(y=(TensorProto.FLOAT, ["rows", 16])), constants, opset)


def images(count=6, seed=11):
    return [{"x": floats(1, 3, 8, 8, seed=seed + number)} for number in range(count)]


def rows(count=4):
    return [{"x": floats(7, 16, seed=20 + number)} for number in range(count)]


def quantize(model, data, **options):
    options.setdefault("measure", False)
    return hone.quantize(model, data, **options)


def decibels(want, got):
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    noise = np.sum((want - got) ** 2)
    return 10 * np.log10(np.sum(want**2) / noise) if noise else np.inf


def initializers(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.ModelProto.FromString(model).graph.initializer}


class DigitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from sklearn.datasets import load_digits

        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.images))  # As train.py has it.
        pixels = digits.images.astype(np.float32)[:, None, None]
        cls.tested, cls.labels, cls.trained = pixels[order[:360]], digits.target[order[:360]], pixels[order[360:460]]
        cls.path = DIGITS / "model.onnx"

    def accuracy(self, model):
        compiled = hone.compile(model)
        return 100 * np.mean([compiled.run({"image": image})["probabilities"].argmax() for image in self.tested] == self.labels)

    def test_accuracy(self):
        before = self.accuracy(self.path.read_bytes())
        for options in dict(), dict(method="entropy"), dict(activations="s8", method="minmax"), dict(weight_only=8), dict(smooth=0.5, method="minmax"):
            with self.subTest(**options):
                report = quantize(self.path, self.trained, **options)
                self.assertLessEqual(abs(before - self.accuracy(report.model)), 0.5)
                self.assertGreater(report.signal_to_noise, 20)

    def test_report(self):
        report = quantize(self.path, self.tested, labels=self.labels, measure=True, sensitivity=True, threads=1)
        self.assertAlmostEqual(report.float_accuracy, 98.89, delta=0.01)
        self.assertAlmostEqual(report.accuracy, self.accuracy(report.model), delta=0.3)
        self.assertEqual([layer.node for layer in report.layers], ["conv1", "conv2", "linear"])
        for layer in report.layers:
            self.assertGreater(layer.signal_to_noise, 30)
            self.assertGreater(layer.own_signal_to_noise, 30)
            self.assertGreater(layer.float_seconds, 0)
            self.assertGreater(layer.quantized_seconds, 0)
        self.assertIn("conv2 (Conv)", str(report))
        self.assertEqual(json.loads(json.dumps(report.as_json()))["bytes"], len(report.model))
        self.assertEqual(pickle.loads(pickle.dumps(report)), report)

    def test_budget_of_accuracy(self):
        noisy = quantize(self.path, self.tested, sensitivity=True)
        better = quantize(self.path, self.tested, min_snr=noisy.signal_to_noise + 3)
        self.assertGreaterEqual(better.signal_to_noise, noisy.signal_to_noise + 3)
        dropped = [layer for layer in better.layers if not layer.quantized]
        self.assertTrue(0 < len(dropped) < 3)
        self.assertIn("accuracy", dropped[0].reason)
        worst = min(noisy.layers, key=lambda layer: layer.own_signal_to_noise)
        self.assertIn(worst.node, [layer.node for layer in dropped])
        exact = quantize(self.path, self.tested, labels=self.labels, max_drop=0)
        self.assertGreaterEqual(exact.accuracy, exact.float_accuracy)

    def test_budget_of_time(self):
        with self.assertRaisesRegex(hone.QuantizationError, "more than the budget of 1e-06 ms"):
            quantize(self.path, self.trained, max_ms=1e-6)
        # Any model keeps this one, so nothing need be quantized.
        report = quantize(self.path, self.trained, max_ms=1e6)
        self.assertFalse(any(layer.quantized for layer in report.layers))
        self.assertIn("budget of time", report.layers[0].reason)


class ObserversTest(unittest.TestCase):
    """What the compiled model tells of its values, against numpy on the values themselves."""

    def setUp(self):
        self.model = residual_model()
        self.graph = Graph.load(self.model)
        self.plan = Plan(self.graph, find_layers(self.graph))
        self.samples = load_samples(self.graph, images())
        copy = onnx.ModelProto.FromString(self.model.SerializeToString())
        for value in self.plan.readers:
            if value != "x":
                copy.graph.output.append(helper.make_empty_tensor_value_info(value))
        evaluator = ReferenceEvaluator(copy)
        self.values = {value: [] for value in self.plan.readers}
        for arrays, _ in self.samples.runs:
            results = dict(zip(evaluator.output_names, evaluator.run(None, arrays)), **arrays)
            for value in self.values:
                self.values[value].append(results[value])

    def test_ranges(self):
        found = observe_ranges(self.graph, self.plan, self.samples, {}, lambda *_: None)
        for value, arrays in self.values.items():
            held = found[value]
            self.assertAlmostEqual(held.low, np.min(arrays), delta=1e-4)
            self.assertAlmostEqual(held.high, np.max(arrays), delta=1e-4)
        means = np.mean([array.mean(axis=(0, 2, 3)) for array in self.values["r0"]], axis=0)
        np.testing.assert_allclose(found["r0"].channel_mean, means, atol=1e-5)
        np.testing.assert_allclose(found["flat"].channel_high, np.max(self.values["flat"], axis=(0, 1)), atol=1e-4)

    def test_histograms(self):
        bounds = {value: (float(np.min(arrays)), float(np.max(arrays))) for value, arrays in self.values.items()}
        found = observe_histograms(self.graph, bounds, self.samples, {}, lambda *_: None)
        for value, arrays in self.values.items():
            want, _ = np.histogram(np.concatenate([array.reshape(-1) for array in arrays]), BINS, bounds[value])
            self.assertEqual(found[value].sum(), want.sum())
            # Elements at the border of two bins may be in either.
            self.assertLessEqual(np.abs(np.cumsum(found[value]) - np.cumsum(want)).max(), 2, value)

    def test_plan(self):
        self.assertEqual(list(self.plan.readers), ["x", "r0", "c1", "c2", "clipped", "pooled", "c3", "mean", "flat"])
        self.assertEqual(self.plan.readers["r0"], [("left", 0), ("right", 0)])
        self.assertEqual(self.plan.readers["c1"], [("sum", 0)])
        self.assertEqual(self.plan.group["clipped"], self.plan.group["pooled"])
        self.assertEqual(self.plan.group["mean"], self.plan.group["flat"])
        self.assertNotEqual(self.plan.group["c1"], self.plan.group["c2"])
        # Without the layer on one side of a sum, the sum is one of floats.
        some = Plan(self.graph, [layer for layer in self.plan.layers if layer.node != "left"])
        self.assertEqual(list(some.readers), ["x", "r0", "pooled", "c3", "mean", "flat"])


class RangesTest(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.values = {
            "normal": random.standard_normal(50000),
            "relu": np.maximum(random.standard_normal(50000), 0),
            "tails": random.standard_t(2, 50000),
            "shifted": random.standard_normal(50000) * 0.5 + 3,
        }

    def histogram(self, values):
        low, high = float(values.min()), float(values.max())
        return np.histogram(values, BINS, (low, high))[0], low, high

    def test_percentile(self):
        for name, values in self.values.items():
            counts, low, high = self.histogram(values)
            bin_width = (high - low) / BINS
            got = ranges.choose_range("percentile", counts, low, high, False, False, 99)
            want = np.percentile(values, [0.5, 99.5])
            np.testing.assert_allclose(got, [min(want[0], 0), max(want[1], 0)], atol=1.01 * bin_width + 1e-3, err_msg=name)
            got = ranges.choose_range("percentile", counts, low, high, True, True, 99)
            self.assertAlmostEqual(max(-got[0], got[1]), np.percentile(np.abs(values), 99), delta=1.01 * bin_width + 1e-3)

    def test_mse(self):
        """No clipping of the values themselves is much better than what was chosen by their histogram."""
        for name, values in self.values.items():
            counts, low, high = self.histogram(values)
            for signed, symmetric in (False, False), (True, False), (True, True):
                def error(bounds):
                    how = ranges.make_bytes(*bounds, signed, symmetric)
                    return np.mean((values - ranges.round_trip(values, how)) ** 2)

                got = error(ranges.choose_range("mse", counts, low, high, signed, symmetric))
                least = min(error((low * a, high * b)) for a in np.linspace(0.05, 1, 24) for b in np.linspace(0.05, 1, 24))
                self.assertLessEqual(got, 1.1 * least, f"{name} {signed} {symmetric}")

    def test_entropy(self):
        """The measure against a plain computation, and the choice against all candidates."""
        for name, values in self.values.items():
            counts, low, high = self.histogram(values)
            edges = np.linspace(low, high, BINS + 1)
            for a, b in (low, high), (low * 0.5, high * 0.5), (min(low, 0), high * 0.9):
                a, b = min(a, 0), max(b, 0)
                how = ranges.make_bytes(a, b, False, False)
                wanted, level = {}, {}
                inside = [i for i in range(BINS) if a <= (edges[i] + edges[i + 1]) / 2 <= b]
                for i in inside:
                    wanted[i] = counts[i]
                    level[i] = int(np.clip(np.rint((edges[i] + edges[i + 1]) / 2 / how.scale) + how.zero, 0, 255))
                wanted[inside[0]] += counts[: inside[0]].sum()
                wanted[inside[-1]] += counts[inside[-1] + 1 :].sum()
                spread = {}
                for i in inside:
                    same = [j for j in range(max(0, i - 300), min(BINS, i + 300)) if level.get(j) == level[i] and counts[j]]
                    spread[i] = sum(counts[j] for j in same) / len(same) if counts[i] else 0
                p, q = np.array(list(wanted.values())) / sum(wanted.values()), np.array(list(spread.values())) / sum(spread.values())
                want = sum(x * np.log(x / max(y, 1e-12)) for x, y in zip(p, q) if x)
                self.assertAlmostEqual(ranges._divergence(counts.astype(float), edges, a, b, how), want, places=9, msg=name)
            chosen = ranges.choose_range("entropy", counts, low, high, False, False)
            self.assertLessEqual(min(low, 0), chosen[0])
            self.assertLessEqual(chosen[1], max(high, 0))

    def test_bytes(self):
        for low, high in (0, 0), (-1, 2), (0.5, 3), (-3, -1), (-1e-42, 1e-42), (-1e38, 1e38), (0, 6):
            for signed in False, True:
                for symmetric in False, True:
                    how = ranges.make_bytes(low, high, signed, symmetric)
                    self.assertTrue(np.isfinite(how.scale) and how.scale > 0)
                    self.assertTrue(how.low <= how.zero <= how.high)
                    self.assertEqual(ranges.round_trip(0.0, how), 0)
                    ends = np.array([min(low, 0), max(high, 0)])
                    self.assertLessEqual(np.abs(ranges.round_trip(ends, how) - ends).max(), how.scale * 1.001)


class WeightsTest(unittest.TestCase):
    def layer(self, model, node):
        graph = Graph.load(model)
        return next((layer, graph.constant(layer.weight)) for layer in find_layers(graph) if layer.node == node)

    def test_channels(self):
        for node in "stem", "left", "right", "last", "linear":
            layer, weight = self.layer(residual_model(), node)
            for symmetric in True, False:
                for per_channel in True, False:
                    for search in True, False:
                        made = weights.quantize_weight(layer, weight, symmetric=symmetric, per_channel=per_channel, search=search)
                        error = np.abs(made.values - weight)
                        scale = layer.per_channel(made.scale, weight.ndim) if per_channel else made.scale
                        plain = weights.quantize_weight(layer, weight, symmetric=symmetric, per_channel=per_channel)
                        if search:
                            self.assertLessEqual(np.sum(error**2), np.sum((plain.values - weight) ** 2) * 1.000001)
                        else:
                            self.assertTrue((error <= scale * (0.5001 if symmetric else 1.001)).all())

    def test_groups(self):
        layer, weight = self.layer(transformer_model(), "down")
        for bits in 4, 8:
            for symmetric in True, False:
                made = weights.quantize_groups(layer, weight, bits, 16, symmetric=symmetric, search=False)
                self.assertEqual(made.scale.shape, (3, 16))
                scale = np.repeat(made.scale, 16, 0)[:40]
                self.assertTrue((np.abs(made.values - weight) <= scale * (0.5001 if symmetric else 1.001)).all())

    def test_mean_error(self):
        """Where inputs are constant inside the image, the correction is what the layer loses there."""
        for node in "left", "right":
            layer, weight = self.layer(residual_model(), node)
            made = weights.quantize_weight(layer, weight, per_channel=False)
            mean = np.arange(8.0)
            lost = weight - made.values
            channels = [[o] for o in range(8)] if node == "right" else [range(8)] * 8
            want = [sum(lost[o, i].sum() * mean[c] for i, c in enumerate(channels[o])) for o in range(8)]
            np.testing.assert_allclose(weights.mean_error(layer, weight, made, mean), want, rtol=1e-4, atol=1e-5)


class WrittenTest(unittest.TestCase):
    """The file: valid, the same to Hone and to ONNX's evaluator, and what the simulation said."""

    def check(self, model, data, **options):
        report = quantize(model, data, **options)
        made = onnx.ModelProto.FromString(report.model)
        onnx.checker.check_model(made, full_check=True)
        compiled, plain = hone.compile(report.model), ReferenceEvaluator(model)
        others = [onnxruntime.InferenceSession(report.model, providers=["CPUExecutionProvider"])]
        if made.opset_import[0].version >= 19:
            others.append(ReferenceEvaluator(made))
        want, got = [], []
        for sample in data:
            want.append(plain.run(None, sample)[0])
            got.append(compiled.run(sample)["y"])
            for other in others:
                # A value half way between two bytes may become either.
                self.assertGreater(decibels(other.run(None, sample)[0], got[-1]), 38)
        # Of few numbers.
        self.assertAlmostEqual(decibels(np.concatenate(want), np.concatenate(got)), report.signal_to_noise, delta=3.5)
        return report, made

    def test_variants(self):
        for options in (
            dict(), dict(method="minmax"), dict(activations="s8", method="percentile"), dict(symmetric_activations=True, method="mse"), dict(activations="s8", symmetric_activations=True, method="minmax"),
            dict(symmetric_weights=False, method="minmax"), dict(per_channel=False, symmetric_weights=False, method="entropy"), dict(search_weights=True, correct_biases=True, method="minmax"),
        ):  # fmt: skip
            with self.subTest(**options):
                report, _ = self.check(residual_model(), images(), **options)
                self.assertGreater(report.signal_to_noise, 22)
        for options in dict(), dict(activations="s8", symmetric_weights=False, method="mse"), dict(smooth=0.5, method="minmax"):
            with self.subTest("transformer", **options):
                report, _ = self.check(transformer_model(), rows(), **options)
                self.assertGreater(report.signal_to_noise, 25)

    def test_weight_only(self):
        for bits, least in (8, 38), (4, 14):
            for symmetric in True, False:
                report, made = self.check(transformer_model(), rows(), weight_only=bits, group_size=16, symmetric_weights=symmetric)
                self.assertGreater(report.signal_to_noise, least)
                self.assertEqual({node.op_type for node in made.graph.node} - {node.op_type for node in transformer_model().graph.node}, {"DequantizeLinear"})
        # Without data only the error is not known.
        report = quantize(transformer_model(), None, weight_only=4)
        self.assertIsNone(report.signal_to_noise)

    def test_standard(self):
        """Weights are signed and without zero points, biases in 32 bits, activations unsigned; and no Clip or Relu is left before bytes."""
        report, made = self.check(residual_model(), images(), method="minmax")
        held = initializers(report.model)
        self.assertEqual(held["w1_quantized"].dtype, np.int8)
        self.assertFalse(held["w1_zero_point"].any())
        self.assertEqual(held["b1_quantized"].dtype, np.int32)
        np.testing.assert_allclose(held["b1_scale"], held["w1_scale"] * held["r0_scale"], rtol=1e-6)
        self.assertEqual(held["r0_zero_point"], np.uint8(0))
        self.assertEqual(held["r0_scale"].shape, ())
        self.assertNotIn("Relu", [node.op_type for node in made.graph.node])
        self.assertNotIn("w1", held)
        self.assertEqual([value.name for value in made.graph.output], ["y"])

    def test_deterministic(self):
        for options in dict(), dict(min_snr=30.0), dict(weight_only=4, group_size=16):
            model = transformer_model()
            self.assertEqual(quantize(model, rows(), **options).model, quantize(model, rows(), **options).model)

    def test_choice_of_layers(self):
        report = quantize(residual_model(), images(), skip=["st*", "Gemm"])
        self.assertEqual([layer.node for layer in report.layers if not layer.quantized], ["stem", "linear"])
        self.assertIn("w0", initializers(report.model))
        report = quantize(residual_model(), images(), only="left")
        self.assertEqual([layer.node for layer in report.layers if layer.quantized], ["left"])
        brackets = residual_model()
        brackets.graph.node[0].name = "blocks[0]/stem"
        report = quantize(brackets, images(), only="blocks[0]/stem")
        self.assertEqual([layer.node for layer in report.layers if layer.quantized], ["blocks[0]/stem"])
        with self.assertRaisesRegex(hone.QuantizationError, "no layer has the name or operator 'lft'; layers are stem"):
            quantize(residual_model(), images(), only="lft")

    def test_bias_correction(self):
        """With coarse weights the mean of each channel is nearer to that in float."""
        model = residual_model()
        for tensor in model.graph.initializer:
            if tensor.name == "w3":
                weight = numpy_helper.to_array(tensor).copy()
                weight[0] *= 60  # One scale for the weight is too coarse for the others.
                tensor.CopyFrom(numpy_helper.from_array(weight, "w3"))
        plain, corrected = (quantize(model, images(), method="minmax", per_channel=False, correct_biases=correct) for correct in (False, True))
        self.assertGreater(corrected.signal_to_noise, plain.signal_to_noise + 1)
        chosen = quantize(model, images(), method="minmax", per_channel=False)
        self.assertTrue(chosen.bias_corrected)

    def test_smoothing(self):
        """A channel a hundred times as large as the others costs less accuracy; the model in float is the same."""
        model = transformer_model()
        for tensor in model.graph.initializer:
            if tensor.name == "gamma":
                gamma = numpy_helper.to_array(tensor).copy()
                gamma[3] = 100
                tensor.CopyFrom(numpy_helper.from_array(gamma, "gamma"))
            if tensor.name == "w0":
                weight = numpy_helper.to_array(tensor).copy()
                weight[3] /= 100
                tensor.CopyFrom(numpy_helper.from_array(weight, "w0"))
        rough, smooth = (quantize(model, rows(), method="minmax", only="up", smooth=strength) for strength in (None, 0.5))
        self.assertGreater(smooth.layers[0].signal_to_noise, rough.layers[0].signal_to_noise + 10)

    def test_smoothing_of_shared_values(self):
        """A normalization that two products read, one of them behind a Relu, is not divided for one of them."""
        nodes = [
            helper.make_node("LayerNormalization", ["x", "gamma", "beta"], ["a"], name="norm"),
            helper.make_node("MatMul", ["a", "w1"], ["m1"], name="first"),
            helper.make_node("Relu", ["a"], ["r"], name="relu"),
            helper.make_node("MatMul", ["r", "w2"], ["m2"], name="second"),
            helper.make_node("Add", ["m1", "m2"], ["y"], name="sum"),
        ]
        self.check_smoothing(nodes, 8)

    def test_smoothing_of_a_value_read_twice(self):
        """A normalization that a product reads as its operand, and again as what it adds, is not divided either."""
        self.check_smoothing([
            helper.make_node("LayerNormalization", ["x", "gamma", "beta"], ["a"], name="norm"),
            helper.make_node("Gemm", ["a", "w1", "a"], ["y"], name="product"),
        ], 16)

    def check_smoothing(self, nodes, columns):
        shapes = dict(w1=(16, columns), w2=(16, columns))
        read = {name for node in nodes for name in node.input}
        constants = dict(gamma=np.exp(floats(16, seed=1)), beta=floats(16, seed=2))
        constants |= {name: floats(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items(), 3) if name in read}
        model = model_of(nodes, dict(x=(TensorProto.FLOAT, ["rows", 16])), dict(y=(TensorProto.FLOAT, ["rows", columns])), constants)
        graph = Graph.load(model)
        layers = find_layers(graph)
        statistics = observe_ranges(graph, Plan(graph, layers), load_samples(graph, rows()), {}, lambda *_: None)
        smoothed = smooth(graph, layers, statistics, 0.5).model
        onnx.checker.check_model(smoothed)
        for sample in rows():
            want, got = (ReferenceEvaluator(each).run(None, sample)[0] for each in (model, smoothed))
            np.testing.assert_allclose(got, want, atol=1e-4)

    def test_equalization(self):
        """Channels that a convolution makes large are divided by it, behind a Relu and for several readers; nothing is added to the graph."""
        model = residual_model()
        scales = np.array([1, 200, 1, 1, 0.01, 1, 30, 1], np.float32)
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            changed = {"w0": lambda: array * scales[:, None, None, None], "b0": lambda: array * scales, "w1": lambda: array / scales[None, :, None, None], "w2": lambda: array / scales[:, None, None, None]}
            if tensor.name in changed:
                tensor.CopyFrom(numpy_helper.from_array(changed[tensor.name](), tensor.name))
        rough, smooth = (quantize(model, images(), method="minmax", only=["stem", "left", "right"], smooth=strength) for strength in (None, 0.5))
        self.assertGreater(smooth.layers[1].signal_to_noise, rough.layers[1].signal_to_noise + 6)
        self.assertNotIn("Mul", [node.op_type for node in onnx.ModelProto.FromString(smooth.model).graph.node])

    def test_prepared(self):
        """Layers in functions are found, and normalizations become part of convolutions."""
        norm = helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"], epsilon=0.01)
        body = [helper.make_node("Conv", ["a", "w"], ["c"], pads=[1] * 4), norm, helper.make_node("Relu", ["n"], ["r"])]
        names = ["a", "w", "scale", "shift", "mean", "variance"]
        function = helper.make_function("local", "Block", names, ["r"], body, [helper.make_opsetid("", 19)])
        nodes = [helper.make_node("Block", ["x", *names[1:]], ["y0"], domain="local", name="block"), helper.make_node("Conv", ["y0", "w2"], ["y"], name="second")]
        constants = dict(w=floats(6, 3, 3, 3), scale=floats(6, seed=1), shift=floats(6, seed=2), mean=floats(6, seed=3), variance=np.abs(floats(6, seed=4)), w2=floats(4, 6, 1, 1, seed=5))
        graph = helper.make_graph(nodes, "test", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
                                  [numpy_helper.from_array(value, name) for name, value in constants.items()])  # fmt: skip
        model = helper.make_model(graph, functions=[function], opset_imports=[helper.make_opsetid("", 19), helper.make_opsetid("local", 1)], ir_version=9)
        report, made = self.check(model, images())
        self.assertEqual([layer.op for layer in report.layers], ["Conv", "Conv"])
        self.assertNotIn("BatchNormalization", [node.op_type for node in made.graph.node])

    def test_old_opset(self):
        """Opsets without scales for each channel are converted."""
        model = residual_model()
        nodes = [node for node in model.graph.node if node.op_type != "Clip"]
        nodes[4].output[0] = "clipped"
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name not in ("low", "high")}
        old = model_of(nodes, dict(x=(TensorProto.FLOAT, [1, 3, 8, 8])), dict(y=(TensorProto.FLOAT, [1, 5])), constants, opset=11)
        report, made = self.check(old, images())
        self.assertEqual(made.opset_import[0].version, 13)


class StateTest(unittest.TestCase):
    def test_continues(self):
        """A call that is stopped leaves what it found; the next one does the rest, and a third one nothing, with the same result."""
        with tempfile.TemporaryDirectory() as folder:
            state, stages = f"{folder}/state.json", []

            def stop(stage, done, total):
                if stage == "histograms":
                    raise KeyboardInterrupt

            with self.assertRaises(KeyboardInterrupt):
                quantize(residual_model(), images(), state=state, progress=stop)
            self.assertEqual([path.name for path in pathlib.Path(folder).iterdir()], ["state.json"])
            first = quantize(residual_model(), images(), state=state, progress=lambda stage, *_: stages.append(stage), min_gain=0.0)
            self.assertNotIn("ranges", stages)
            self.assertIn("histograms", stages)
            stages.clear()
            second = quantize(residual_model(), images(), state=state, progress=lambda stage, *_: stages.append(stage), min_gain=0.0)
            self.assertEqual(set(stages), {"compare layers"})
            self.assertEqual(first.model, second.model)
            # Other data count as new.
            quantize(residual_model(), images(seed=99), state=state, progress=lambda stage, *_: stages.append(stage))
            self.assertIn("ranges", stages)

    def test_kept_choices(self):
        """What does not depend on a budget is not computed again for another one, and times are of a set of layers."""
        with tempfile.TemporaryDirectory() as folder:
            stages = []

            def stages_of(**options):
                stages.clear()
                quantize(residual_model(), images(), state=f"{folder}/state.json", progress=lambda stage, *_: stages.append(stage), **options)
                return {stage.split(" by ")[0] for stage in stages}

            self.assertLessEqual({"compare ranges", "quantize each layer alone"}, stages_of(sensitivity=True))
            self.assertFalse({"compare ranges", "quantize each layer alone"} & stages_of(min_snr=1.0))
            for only, measured in ("left", True), ("right", True), ("left", False):
                found = stages_of(method="minmax", correct_biases=False, measure=True, only=only)
                self.assertEqual("measure" in found, measured, only)

    def test_bad_state(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            for text in "{", "[]", '{"hone_tuning": 1}':
                file.seek(0)
                file.truncate()
                file.write(text)
                file.flush()
                with self.assertRaisesRegex(hone.QuantizationError, "state"):
                    quantize(residual_model(), images(), state=file.name)


class CommandTest(unittest.TestCase):
    def fails(self, *arguments):
        """The exit code and the message of `hone quantize`."""
        with contextlib.redirect_stderr(io.StringIO()) as told:
            code = main([str(DIGITS / "model.onnx"), "--random", "1", "--no-measure", *arguments])
        return code, told.getvalue()

    def test_cannot_write(self):
        """The message is about the file that could not be written."""
        with tempfile.TemporaryDirectory() as folder:
            output, missing = f"{folder}/out.onnx", f"{folder}/missing/file"
            self.assertEqual(self.fails("-o", output, "--state", missing), (74, f"error: cannot write '{missing}': No such file or directory\n"))
            self.assertEqual(self.fails("-o", missing), (74, f"error: cannot write '{missing}': there is no such folder\n"))
            self.assertEqual(self.fails("-o", folder), (74, f"error: cannot write '{folder}': it is a folder\n"))
            full = OSError("'/tmp/model.so': No space left on device")
            with unittest.mock.patch("hone.compile", side_effect=full):
                self.assertEqual(self.fails("-o", output), (74, "error: '/tmp/model.so': No space left on device\n"))
            full = OSError(28, "No space left on device")
            with unittest.mock.patch("os.replace", side_effect=full):
                self.assertEqual(self.fails("-o", output), (74, f"error: cannot write '{output}': No space left on device\n"))
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


class RefusedTest(unittest.TestCase):
    def refuses(self, pattern, model, data, **options):
        with self.assertRaisesRegex(hone.QuantizationError, pattern):
            quantize(model, data, **options)

    def test_data(self):
        model = residual_model()
        good = images(1)[0]["x"]
        for value, told in (np.nan, "NaN"), (np.inf, "Inf"):
            bad = good.copy()
            bad[0, 1, 2, 3] = value
            self.refuses(rf"data\[1\]: input 'x' has {told}; leave this sample out", model, [good, bad])
        self.refuses("give some", model, [])
        self.refuses("give some", model, None)
        self.refuses(r"'x' is empty: its shape is \[0, 3, 8, 8\]", model, np.zeros((0, 3, 8, 8), np.float32))
        self.refuses(r"the shape \[1, 3, 8, 9\], the model takes \[1, 3, 8, 8\]", model, np.zeros((1, 3, 8, 9), np.float32))
        self.refuses("input 'x' is missing; the inputs are x", model, {"z": good})
        self.refuses("the model has no input 'z'", model, {"x": good, "z": good})
        self.refuses("'x' is complex64, the model takes float32", model, good.astype(np.complex64))
        self.refuses("missing.npy: cannot be read: No such file", model, "missing.npy")
        self.refuses("4 labels for 3 samples", model, images(3), labels=[1, 2, 3, 4])
        self.refuses("labels are integers", model, images(3), labels=[0.5, 1, 2])
        with self.assertRaisesRegex(TypeError, r"data\[0\] is a int"):
            quantize(model, [3])
        with tempfile.TemporaryDirectory() as folder:
            self.refuses("there are no input_N.pb, .npy or .npz files", model, folder)
            (pathlib.Path(folder) / "input_0.pb").write_bytes(b"junk")
            self.refuses("input_0.pb: not a tensor", model, folder)
            for name in "bad.npy", "bad.npz":
                (pathlib.Path(folder) / name).write_bytes(b"junk")
                self.refuses(f"{name}: cannot be read", model, f"{folder}/{name}")
            np.savez_compressed(f"{folder}/whole.npz", x=good)
            whole = (pathlib.Path(folder) / "whole.npz").read_bytes()
            method = whole.index(b"PK\x01\x02") + 10
            # Cut off, with a damaged stream, with a method of compression that there is not, and encrypted.
            for damaged in whole[:-30], whole[:60] + bytes(20) + whole[80:], whole[:method] + b"\x63" + whole[method + 1 :], whole[: method - 2] + b"\1" + whole[method - 1 :]:
                (pathlib.Path(folder) / "bad.npz").write_bytes(damaged)
                self.refuses("bad.npz: cannot be read", model, f"{folder}/bad.npz")

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            array = np.concatenate([sample["x"] for sample in images(3)])
            np.save(f"{folder}/all.npy", array)
            np.savez(f"{folder}/all.npz", x=array)
            for number in range(3):
                (pathlib.Path(folder) / f"set_{number}").mkdir()
                (pathlib.Path(folder) / f"set_{number}" / "input_0.pb").write_bytes(numpy_helper.from_array(array[number : number + 1]).SerializeToString())
            made = [quantize(residual_model(), data, output=f"{folder}/out.onnx", method="minmax", correct_biases=False) for data in (f"{folder}/all.npy", f"{folder}/all.npz", folder, images(3))]
            self.assertEqual(len({report.model for report in made}), 1)
            self.assertEqual(pathlib.Path(f"{folder}/out.onnx").read_bytes(), made[0].model)

    def test_open_sizes(self):
        """Sizes below 0 in the file are those of any data."""
        model = residual_model()
        for axis in 0, 2, 3:
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = -1
        samples = load_samples(Graph.load(model), floats(2, 3, 6, 10))
        self.assertEqual([arrays["x"].shape for arrays, _ in samples.runs], [(2, 3, 6, 10)])
        with self.assertRaisesRegex(hone.QuantizationError, r"the model takes \['\?', 3, '\?', '\?'\]"):
            load_samples(Graph.load(model), floats(2, 4, 6, 10))

    def test_values_without_a_number(self):
        """An inner value is NaN: the message names the node."""
        nodes = [helper.make_node("Log", ["x"], ["l"], name="the_log"), helper.make_node("MatMul", ["l", "w"], ["y"], name="product")]
        model = model_of(nodes, dict(x=(TensorProto.FLOAT, [2, 16])), dict(y=(TensorProto.FLOAT, [2, 4])), dict(w=floats(16, 4)))
        self.refuses(r"data\[0\]: node 'the_log' \(Log\): 'l' has NaN or Inf", model, floats(2, 16))

    def test_constant_values(self):
        for value in 0.0, 1.0, -2.5, 1e-30:
            report = quantize(residual_model(), np.full((1, 3, 8, 8), value, np.float32), method="minmax" if value else "auto")
            onnx.checker.check_model(report.model)
            want = ReferenceEvaluator(residual_model()).run(None, {"x": np.full((1, 3, 8, 8), value, np.float32)})[0]
            self.assertGreater(decibels(want, hone.compile(report.model).run({"x": np.full((1, 3, 8, 8), value, np.float32)})["y"]), 20)

    def test_weights(self):
        for value in 0.0, np.nan:
            model = residual_model()
            for tensor in model.graph.initializer:
                if tensor.name == "w1":
                    tensor.CopyFrom(numpy_helper.from_array(np.full((8, 8, 3, 3), value, np.float32), "w1"))
            if value == 0:
                self.assertGreater(quantize(model, images()).signal_to_noise, 20)
            else:
                self.refuses(r"node 'left' \(Conv\): its weight 'w1' has NaN or Inf", model, images())
                self.assertFalse(next(layer for layer in quantize(model, images(), skip=["left", "right", "last", "linear"]).layers if layer.node == "left").quantized)

    def test_large_biases(self):
        """A bias that does not fit 32 bits with a weight's own scale widens it."""
        model = residual_model()
        for tensor in model.graph.initializer:
            if tensor.name == "w3":
                tensor.CopyFrom(numpy_helper.from_array(floats(12, 8, 1, 1) * np.float32(1e-12), "w3"))
        self.assertGreater(quantize(model, images()).signal_to_noise, 20)

    def test_models(self):
        self.refuses("not an ONNX model", b"junk", None)
        self.refuses("no-such.onnx: cannot be read: No such file", "no-such.onnx", None)
        relu = model_of([helper.make_node("Relu", ["x"], ["y"])], dict(x=(TensorProto.FLOAT, [2])), dict(y=(TensorProto.FLOAT, [2])), {})
        self.refuses("no convolution or matrix product with a constant weight", relu, floats(2))
        made = quantize(residual_model(), images()).model
        self.refuses("the model is quantized already; start from the model in float", made, images())

    def test_options(self):
        for options, told in (
            (dict(method="best"), "method 'best': it must be auto, minmax"), (dict(activations="u4"), "u8 or s8"), (dict(weight_only=3), "4 or 8 bits"), (dict(group_size=24), "a power of two"),
            (dict(smooth=1.5), "between 0 and 1"), (dict(max_drop=1), "about a metric"), (dict(max_ms=1.0, min_snr=20.0), "not both"), (dict(percentile=3), "from 50 to 100"),
        ):  # fmt: skip
            with self.assertRaisesRegex(ValueError, told):
                quantize(residual_model(), images(), **options)


if __name__ == "__main__":
    unittest.main()
