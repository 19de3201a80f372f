# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""f16 and bf16 beside a computation in f64 that is rounded once at the end.

An operator computes in f32 between its inputs and its results, so that results are off by half a unit in the last place and
what f32 loses; no sum, square, power or count on the way may be rounded to f16, where it would end at 65504.
"""
import os
import unittest
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import hone

HALF = {"f16": (np.float16, TensorProto.FLOAT16), "bf16": (ml_dtypes.bfloat16, TensorProto.BFLOAT16), "f64": (np.float64, TensorProto.DOUBLE)}
RANDOM = np.random.default_rng(0)
# The error of f32, relative to the largest element of a result.
LOST = 2.0**-18


class Case:
    """One node. `weights` are the numbers of inputs that are constants; other float inputs are free, in the models with free
    dimensions, unless `fixed`. `lost` is what else a result may be off by, beside its largest element."""

    def __init__(self, op, *inputs, weights=(), outputs=1, domain="", fixed=False, lost=LOST, reference=True, **attributes):
        self.op, self.weights, self.outputs, self.domain = op, weights, outputs, domain
        self.inputs = [np.asarray(value) for value in inputs]
        self.fixed, self.lost, self.attributes = fixed, lost, attributes
        # The reference evaluator has no operators of other domains, and is wrong for some.
        self.reference = reference and not domain


def uniform(low, high, *shape):
    return RANDOM.uniform(low, high, shape)


def normal(*shape):
    return RANDOM.standard_normal(shape)


def axes(*values):
    return np.array(values, np.int64)


def reductions():
    for op in ("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"):
        yield Case(op, np.ones((2, 4097)), axes(1), weights=(1,))
        yield Case(op, uniform(150, 250, 2, 96, 96), axes(1, 2), weights=(1,), keepdims=0)
        yield Case(op, uniform(1e-4, 2e-3, 1, 70000), axes(1), weights=(1,))
        yield Case(op, uniform(150, 250, 900, 3), axes(0), weights=(1,))
        yield Case(op, uniform(150, 250, 2, 900), axes(1), fixed=True)
    yield Case("ReduceProd", np.concatenate([uniform(30, 300, 4, 8), 1 / uniform(30, 300, 4, 8)], 1), axes(1), weights=(1,))
    for shape, axis in (((2, 4097), 1), ((300, 20), 0), ((70, 3), 0)):
        for flags in ({}, {"reverse": 1, "exclusive": 1}):
            yield Case("CumSum", uniform(0.5, 1.5, *shape), axes(axis), weights=(1,), reference=False, **flags)
    yield Case("CumProd", np.exp(normal(3, 200) * 0.3), axes(1), weights=(1,), reference=False)
    yield Case("Mean", *(uniform(20000, 30000, 50) for _ in range(5)))
    yield Case("Sum", *(uniform(0, 1, 50) * 2.0**i for i in range(5)))


def normalizations():
    for scale, offset in ((1, 0), (100, 300)):
        x, row = normal(2, 6, 20, 20) * scale + offset, normal(3, 1500) * scale + offset
        factor, shift = uniform(0.5, 2, 1500), normal(1500)
        channels = uniform(0.5, 2, 6), normal(6)
        yield Case("InstanceNormalization", x, *channels)
        yield Case("GroupNormalization", x, *channels, num_groups=3, fixed=True)
        yield Case("BatchNormalization", x, *channels, normal(6), uniform(0.5, 2, 6), outputs=3, training_mode=1)
        yield Case("LayerNormalization", row, factor, shift)
        yield Case("RMSNormalization", row, factor)
        yield Case("MeanVarianceNormalization", x, reference=False)
        yield Case("LpNormalization", row, p=1, reference=False)
        yield Case("LpNormalization", row, p=2)
        yield Case("LRN", x, size=5, alpha=0.1, reference=False)
        yield Case("SkipLayerNormalization", row, row[::-1].copy(), factor, shift, shift[::-1].copy(), domain="com.microsoft")
        yield Case("SkipSimplifiedLayerNormalization", row, row[::-1].copy(), factor, shift, domain="com.microsoft")
        yield Case("SimplifiedLayerNormalization", row, factor, domain="com.microsoft")
        positive = np.abs(x)
        yield Case("GlobalAveragePool", np.tile(positive, (1, 1, 5, 5)))
        yield Case("AveragePool", positive, kernel_shape=[15, 15], strides=[3, 3])
        for p in (1, 2, 3):
            yield Case("GlobalLpPool", positive, p=p, reference=False)
            yield Case("LpPool", positive, kernel_shape=[9, 9], strides=[3, 3], p=p)
        for op in ("Softmax", "LogSoftmax"):
            yield Case(op, normal(3, 1000) * scale / 30, axis=-1)
            yield Case(op, normal(300, 4) * scale / 30, axis=0)


def losses():
    target = RANDOM.integers(0, 10, 900)
    for reduction in ("mean", "sum", "none"):
        scores, weight = -uniform(0, 100, 900, 10), uniform(1, 20, 10)
        yield Case("NegativeLogLikelihoodLoss", scores, target, reduction=reduction)
        yield Case("NegativeLogLikelihoodLoss", scores, target, weight, reduction=reduction, ignore_index=3)
        yield Case("SoftmaxCrossEntropyLoss", normal(900, 10) * 20, target, weight, reduction=reduction, outputs=2)


def products():
    a, b, c = uniform(50, 100, 5, 900), uniform(5, 10, 900, 7), normal(7) * 100
    for weights in ((), (1, 2)):
        yield Case("MatMul", a / 100, b, weights=weights[:1])
        yield Case("Gemm", a / 100, b, c, weights=weights)
        # The product alone has no number in f16.
        yield Case("Gemm", a, b, c, weights=weights, alpha=1e-3, beta=0.5)
    yield Case("FusedMatMul", a, b, alpha=1e-3, domain="com.microsoft")
    yield Case("FusedGemm", a, b, c, alpha=1e-3, activation="Relu", domain="com.microsoft")
    yield Case("Einsum", a, equation="ij->i")
    yield Case("Einsum", a / 100, b, equation="ij,jk->ik")
    yield Case("Einsum", a / 10, a[::-1] / 100, equation="ij,ij->i")
    yield Case("Einsum", a[:, :50], b[:50], uniform(1e-4, 2e-4, 7, 4), equation="ij,jk,kl->il")
    x = uniform(0, 1, 1, 32, 9, 9)
    for weights in ((), (1, 2)):
        for filter, attributes in (((5, 32, 3, 3), {"strides": [2, 2]}), ((5, 32, 1, 1), {}), ((32, 1, 3, 3), {"group": 32})):
            yield Case("Conv", x, uniform(0, 1, *filter), normal(filter[0]) * 50, weights=weights, fixed=not weights, **attributes)
        yield Case("ConvTranspose", x, uniform(0, 1, 32, 5, 3, 3), normal(5) * 50, weights=weights, fixed=not weights, strides=[2, 2])
    yield Case("FusedConv", x, uniform(0, 1, 5, 32, 3, 3), normal(5) * 50, weights=(1, 2), activation="Relu", domain="com.microsoft")
    yield Case("DeformConv", x, uniform(0, 1, 5, 32, 3, 3), normal(1, 18, 7, 7) * 0.5, normal(5), kernel_shape=[3, 3], fixed=True)


def attention():
    for rows in (2, 40):
        for keys in (50, 700):
            yield Case("Attention", normal(1, 2, rows, 32), normal(1, 2, keys, 32), uniform(50, 100, 1, 2, keys, 32), fixed=True)
    # Queries, keys and values of an operator that projects them are rounded, as are all states: what else is not.
    yield Case("Attention", normal(1, 20, 32), normal(32, 96) * 0.2, normal(96), domain="com.microsoft", num_heads=2, fixed=True, lost=2.0**-7)
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for steps in (1, 9):
            weights = normal(1, gates * 20, 16) * 0.3, normal(1, gates * 20, 20) * 0.3, normal(1, 2 * gates * 20) * 0.3
            lost = 2.0**-7 if steps > 1 else LOST
            yield Case(op, normal(steps, 2, 16), *weights, weights=(1, 2, 3), hidden_size=20, outputs=2, fixed=True, lost=lost)


def samplings():
    image, empty = np.abs(normal(1, 3, 20, 20)) * 100, np.zeros(0, np.float32)
    for mode in ("linear", "cubic"):
        yield Case("Resize", image, empty, np.array([1, 1, 0.5, 1.5], np.float32), weights=(1, 2), mode=mode, antialias=1)
        yield Case("GridSample", image, uniform(-1, 1, 1, 9, 9, 2), mode=mode, fixed=True)
    boxes = np.array([[0, 0, 10, 10], [3, 3, 18, 18]], np.float64)
    yield Case("RoiAlign", image, boxes, axes(0, 0), output_height=5, output_width=5, sampling_ratio=4, fixed=True)


CASES = [case for maker in (reductions, normalizations, losses, products, attention, samplings) for case in maker()]


def build(kind, free=False, cases=CASES):
    """One model of all cases, its inputs and the outputs of each case."""
    dtype, element = HALF[kind]
    nodes, inputs, constants, feeds, results = [], [], [], {}, []
    for number, case in enumerate(cases):
        names = []
        for i, value in enumerate(case.inputs):
            name = f"x{number}_{i}"
            names.append(name)
            kind_of = helper.np_dtype_to_tensor_dtype(value.dtype)
            if value.dtype == np.float64:
                value, kind_of = value.astype(dtype), element
            if i in case.weights:
                constants.append(helper.make_tensor(name, kind_of, value.shape, value.tobytes(), raw=True))
                continue
            opened = free and not case.fixed
            shape = [f"d{number}_{i}_{axis}" for axis in range(value.ndim)] if opened else value.shape
            inputs.append(helper.make_tensor_value_info(name, kind_of, shape))
            feeds[name] = value
        outputs = [f"y{number}_{i}" for i in range(case.outputs)]
        nodes.append(helper.make_node(case.op, names, outputs, name=f"{case.op}_{number}", domain=case.domain, **case.attributes))
        results.append(outputs)
    everything = [helper.make_empty_tensor_value_info(name) for names in results for name in names]
    graph = helper.make_graph(nodes, "half", inputs, everything, constants)
    imports = [helper.make_opsetid("", 26), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=12), feeds, results


def rounded_inputs(kind, cases):
    """The same cases with inputs that are numbers of the type."""
    copies = []
    for case in cases:
        copy = Case(case.op, outputs=case.outputs, domain=case.domain)
        copy.__dict__.update(case.__dict__)
        copy.inputs = [v.astype(HALF[kind][0]).astype(np.float64) if v.dtype == np.float64 else v for v in case.inputs]
        copies.append(copy)
    return copies


def expected(kind, cases):
    """Results in f64 by ONNX's reference evaluator, and by Hone for what that does not have."""
    cases = rounded_inputs(kind, cases)
    want = [None] * len(cases)
    for by_reference in (True, False):
        chosen = [i for i, case in enumerate(cases) if case.reference == by_reference]
        if not chosen:
            continue
        model, feeds, results = build("f64", cases=[cases[i] for i in chosen])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if by_reference:
                names = [name for outputs in results for name in outputs]
                values = dict(zip(names, ReferenceEvaluator(model).run(names, feeds)))
            else:
                values = hone.compile(model.SerializeToString()).run(feeds)
        for i, outputs in zip(chosen, results):
            want[i] = [np.asarray(values[name], np.float64) for name in outputs]
    return want


def excess(got, want, lost):
    """How many units in the last place a result is off by, beyond half of one and the error of f32."""
    info = ml_dtypes.finfo(got.dtype)
    with np.errstate(all="ignore"):
        finite = want[np.isfinite(want)]
        slack = lost * np.max(np.abs(finite), initial=0)
        unit = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(want), float(info.smallest_normal)))) - info.nmant)
        values, rounded = got.astype(np.float64), want.astype(got.dtype).astype(np.float64)
        off = (np.abs(values - want) - slack) / unit - 0.5
    same = (values == rounded) | np.isnan(values) & np.isnan(rounded)
    return np.where(same, 0, np.where(np.isfinite(values) & np.isfinite(rounded), off, np.inf))


class HalfTest(unittest.TestCase):
    def check(self, kind, free=False, cases=CASES, **options):
        model, feeds, results = build(kind, free, cases)
        values = hone.compile(model.SerializeToString(), **options).run(feeds)
        for case, outputs, wanted in zip(cases, results, expected(kind, cases)):
            for name, want in zip(outputs, wanted):
                got = np.asarray(values[name])
                shape = [tuple(v.shape) for v in case.inputs]
                with self.subTest(op=case.op, output=name, inputs=shape, attributes=case.attributes):
                    self.assertEqual(got.shape, want.shape)
                    off = excess(got, want, case.lost).ravel()
                    worst = int(np.argmax(off))
                    self.assertLessEqual(off[worst], 0.01, f"{got.ravel()[worst]} for {want.ravel()[worst]}")

    def test_f16(self):
        self.check("f16")

    def test_f16_free(self):
        self.check("f16", free=True)

    def test_bf16(self):
        self.check("bf16")

    def test_bf16_free(self):
        self.check("bf16", free=True)

    def test_emulated(self):
        small = [case for case in CASES if sum(v.size for v in case.inputs) < 4000]
        for kind in ("f16", "bf16"):
            self.check(kind, cases=small, target="cuda-emulated")


if __name__ == "__main__":
    unittest.main()
