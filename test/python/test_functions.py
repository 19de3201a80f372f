# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementary functions over all of f16 and bf16 and over bit patterns of f32, against numpy in longer numbers.

Zeros keep their sign, subnormal arguments and results their digits; infinities and NaN are those of numpy.
"""
import math
import os
import unittest

import ml_dtypes
import numpy as np
import onnx.parser
from onnx import TensorProto, helper

import hone

TYPES = {"f32": (np.float32, TensorProto.FLOAT), "f16": (np.float16, TensorProto.FLOAT16), "bf16": (ml_dtypes.bfloat16, TensorProto.BFLOAT16)}


def elementwise(function):
    return lambda x: np.array([function(float(v)) for v in x], np.longdouble)


def erf(x):
    return elementwise(math.erf)(x)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# The numpy function, and by how many units in the last place of f32 a result may be off.
UNARY = {
    "Exp": (np.exp, 1),
    "Log": (np.log, 2),
    "Sqrt": (np.sqrt, 0.5),
    "Reciprocal": (lambda x: 1 / x, 0.5),
    "Tanh": (np.tanh, 5),
    "Sinh": (np.sinh, 2),
    "Cosh": (np.cosh, 2),
    "Asinh": (np.arcsinh, 2),
    "Acosh": (np.arccosh, 2),
    "Atanh": (np.arctanh, 2),
    "Sin": (np.sin, 1),
    "Cos": (np.cos, 1),
    "Tan": (np.tan, 1.5),
    "Asin": (np.arcsin, 1),
    "Acos": (np.arccos, 1),
    "Atan": (np.arctan, 1),
    "Erf": (erf, 1.5),
    "Softplus": (softplus, 3),
    "Abs": (np.abs, 0),
    "Neg": (np.negative, 0),
    "Floor": (np.floor, 0),
    "Ceil": (np.ceil, 0),
    "Round": (np.rint, 0),
    "Softsign": (lambda x: np.where(np.isinf(x), np.nan, x / (1 + np.abs(x))), 1.5),
}
# Composed formulas: error relative to their largest step, and 0 for subnormal results.
FORMULAS = {
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: 2.0**-126),
    "Gelu": (lambda x: x * (1 + erf(x / np.sqrt(np.longdouble(2)))) / 2, lambda x: np.abs(x) * 2.0**-23),
    "Elu": (lambda x: np.where(x < 0, np.expm1(x), x), lambda x: 2.0**-23),
    "Mish": (lambda x: x * np.tanh(softplus(x)), lambda x: 2.0**-120 + np.abs(x * np.tanh(softplus(x))) * 2.0**-24),
    "Swish": (lambda x: np.where(x == -np.inf, np.nan, x / (1 + np.exp(-x))), lambda x: 2.0**-119),
}
RANDOM = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754944e-38, -1.1754944e-38, 3.4e38, -3.4e38]


def numbers(kind):
    if kind != "f32":
        return np.arange(65536, dtype=np.uint16).view(TYPES[kind][0])
    parts = [
        RANDOM.integers(0, 2**32, 100000, dtype=np.uint32).view(np.float32),
        RANDOM.uniform(-120, 120, 50000),
        RANDOM.uniform(-2, 2, 50000),
        RANDOM.choice([-1, 1], 20000) * 2.0 ** RANDOM.uniform(-149, -100, 20000),
        SPECIAL,
    ]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def compile_functions(ops, kind, x=None, **options):
    """A model with an output for each operator; of a constant where `x` is given."""
    element = TYPES[kind][1]
    inputs = [helper.make_tensor_value_info("x", element, ["n"])] if x is None else []
    constants = [helper.make_tensor("x", element, x.shape, x.tobytes(), raw=True)] if x is not None else []
    nodes = [helper.make_node(op, ["x"], [op], name=op) for op in ops]
    graph = helper.make_graph(nodes, "functions", inputs, [helper.make_empty_tensor_value_info(op) for op in ops], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    return hone.compile(model.SerializeToString(), **options)


def distance(got, want, slack=0):
    """Units in the last place by which results are off, beyond `slack`."""
    info = ml_dtypes.finfo(got.dtype)
    with np.errstate(all="ignore"):
        values = got.astype(np.longdouble)
        rounded = want.astype(np.float64).astype(got.dtype).astype(np.longdouble)
        size = np.maximum(np.abs(rounded), float(info.smallest_normal)).astype(float)
        unit = 2.0 ** (np.floor(np.log2(size)) - info.nmant)
        off = np.maximum(np.abs(values - want) - slack, 0) / unit
        # Overflow sets in a unit early or late.
        top = np.longdouble(float(info.max))
        edge = np.isinf(rounded) & (values == np.copysign(top, rounded)) | np.isinf(values) & (np.abs(want) >= top * (1 - 2.0**-22))
    same = (values == rounded) & ((np.signbit(values) == np.signbit(rounded)) | (slack > 0)) | np.isnan(values) & np.isnan(rounded) | edge
    ordinary = np.isfinite(values) & np.isfinite(rounded) & (values != rounded)
    return np.where(same, 0, np.where(ordinary, off, np.inf)).astype(float)


class FunctionsTest(unittest.TestCase):
    def check(self, got, want, bound, kind, what, x, slack=0):
        # A narrow result is rounded from f32: half a unit, plus the error of f32.
        if kind != "f32":
            bound = 0.5 + bound * 2.0 ** (ml_dtypes.finfo(got.dtype).nmant - 22)
        off = distance(got, want, slack)
        worst = int(np.argmax(off))
        if os.environ.get("HONE_TEST_SHOW"):
            print(what, kind, off[worst], x[worst])
        self.assertLessEqual(off[worst], bound * 1.001, f"{what} of {x[worst]} is {got[worst]}, not {want[worst]}")

    def sweep(self, model, feeds, x, kind, where=""):
        got = model.run(feeds)
        with np.errstate(all="ignore"):
            wide = x.astype(np.longdouble)
            for op, (function, bound) in UNARY.items():
                with self.subTest(op=op, type=kind, where=where):
                    self.check(np.asarray(got[op]), function(wide), bound, kind, op, x)
            for op, (function, slack) in FORMULAS.items():
                with self.subTest(op=op, type=kind, where=where):
                    self.check(np.asarray(got[op]), function(wide), 4, kind, op, x, 4 * slack(wide))

    def test_run(self):
        for kind in TYPES:
            x = numbers(kind)
            self.sweep(compile_functions([*UNARY, *FORMULAS], kind), {"x": x}, x, kind)

    def test_folded(self):
        for kind in TYPES:
            x = numbers(kind)[::37]
            self.sweep(compile_functions([*UNARY, *FORMULAS], kind, x), {}, x, kind, "folded")

    def test_emulated(self):
        for kind in TYPES:
            with np.errstate(over="ignore"):  # narrow types have infinities for some
                special = np.array(SPECIAL, np.float32).astype(TYPES[kind][0])
            x = np.concatenate([numbers(kind)[::29], special])
            self.sweep(compile_functions([*UNARY, *FORMULAS], kind, target="cuda-emulated"), {"x": x}, x, kind, "emulated")

    def test_infinite_products_are_not_fused(self):
        model = onnx.parser.parse_model(
            """<ir_version: 10, opset_import: ["" : 21]>
            infinite (float[n] x) => (float[n] y) <float[1] c = {0.5}> { e = Exp(x) p = Mul(c, x) y = Sub(e, p) }"""
        )
        x = np.full(33, np.inf, np.float32)
        for cpu in ("x86-64-v2", "x86-64-v3", "native"):
            got = hone.compile(model.SerializeToString(), cpu=cpu).run({"x": x})["y"]
            self.assertTrue(np.isnan(got).all(), f"{cpu}: {got}")

    def test_powers(self):
        x, y = (v.ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
        x = np.concatenate([x, np.exp2(RANDOM.uniform(-30, 30, 20000)), np.exp2(RANDOM.uniform(-140, -120, 2000))]).astype(np.float32)
        y = np.concatenate([y, RANDOM.uniform(-4, 4, 20000), RANDOM.uniform(-1, 1, 2000)]).astype(np.float32)
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
        graph = helper.make_graph([helper.make_node("Pow", ["x", "y"], ["z"])], "powers", values, [helper.make_empty_tensor_value_info("z")])
        data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=10).SerializeToString()
        with np.errstate(all="ignore"):
            want = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
        for target in ("cpu", "cuda-emulated"):
            got = np.asarray(hone.compile(data, target=target).run({"x": x, "y": y})["z"])
            self.check(got, want, 2, "f32", f"Pow on {target}", list(zip(x, y)))

    def test_remainders(self):
        x = np.concatenate([RANDOM.uniform(-1000, 1000, 5000), 2.0 ** RANDOM.uniform(-140, 127, 3000), SPECIAL]).astype(np.float32)
        y = np.concatenate([RANDOM.uniform(-9, 9, 3000), np.arange(1, 2001), 2.0 ** RANDOM.uniform(-140, 127, 3000), SPECIAL]).astype(np.float32)
        # All quotients small, all multiples, and every special number with every other.
        x[3000:5000] = y[3000:5000] * np.arange(2000)
        pairs = np.meshgrid(SPECIAL, SPECIAL)
        x, y = (np.concatenate([v, pair.ravel()]).astype(np.float32) for v, pair in zip((x, y), pairs))
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
        graph = helper.make_graph([helper.make_node("Mod", ["x", "y"], ["z"], fmod=1)], "remainders", values, [helper.make_empty_tensor_value_info("z")])
        data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=10).SerializeToString()
        with np.errstate(all="ignore"):
            want = np.fmod(x, y)
        for options in ({}, {"cpu": "x86-64-v2"}, {"cpu": "x86-64-v3"}):
            model = hone.compile(data, **options)
            for some in (slice(None), slice(0, 3000), slice(3000, 5000)):
                got = model.run({"x": x[some], "y": y[some]})["z"]
                np.testing.assert_array_equal(np.where(np.isnan(got), 0, got.view(np.uint32)), np.where(np.isnan(want[some]), 0, want[some].view(np.uint32)), str(options))
                np.testing.assert_array_equal(np.isnan(got), np.isnan(want[some]))


if __name__ == "__main__":
    unittest.main()
