# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products in 16 bits against NumPy in float64, on every CPU level that this machine runs or emulates: models that are bf16 in the
file, and models of f32 compiled with precision="bf16" or "f16".

A bf16 has 8 significant bits, so rounding an operand changes a product by at most 2^-8 of it, and rounding both by
little more than twice that; the sums in f32 add 2^-24 for each of their terms. Small integers are bf16 themselves, and
their sums must be exact. An f16 has 11 bits.
"""
import os
import pathlib
import tempfile
import unittest

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone

BF16 = ml_dtypes.bfloat16
# Of a number to 16 bits.
ROUNDING = {"bf16": 2.0**-8, "f16": 2.0**-11}
# Dot products of pairs, and AMX.
EMULATED = ["emulated-cooperlake", "emulated-sapphirerapids"]


def levels():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split("processor", 2)[1].split()
    return (["native"] + ["x86-64-v3"] * ("avx2" in flags) + ["x86-64-v4"] * ("avx512vl" in flags)
            + ["cooperlake"] * ("avx512_bf16" in flags) + EMULATED)


def draw(rng, shape, exact):
    if exact:
        return rng.integers(-4, 5, shape).astype(np.float32)
    return rng.standard_normal(shape).astype(np.float32)


def make_model(nodes, inputs, constants, result=TensorProto.FLOAT):
    """`inputs` maps names to an array and the shape that the model states."""
    def declared(name, value, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)

    def stored(name, value):
        if value.dtype != BF16:
            return numpy_helper.from_array(value, name)
        return helper.make_tensor(name, TensorProto.BFLOAT16, value.shape, value.tobytes(), raw=True)

    graph = helper.make_graph(nodes, "g", [declared(name, value, shape) for name, (value, shape) in inputs.items()],
                              [helper.make_tensor_value_info("y", result, None)],
                              [stored(name, value) for name, value in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10).SerializeToString()


def convolve(x, w, strides, pads, dilation, group):
    """In float64: [N, C, spatial..] with [O, C / group, kernel..]; `pads` on either side."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    spatial = w.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(pads, pads)] * spatial)
    reach = [dilation * (size - 1) + 1 for size in w.shape[2:]]
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(2, 2 + spatial)))
    windows = windows[(slice(None),) * 2 + tuple(slice(None, None, s) for s in strides) + (slice(None, None, dilation),) * spatial]
    outs, kernel = "xyz"[:spatial], "ijk"[:spatial]
    parts = [np.einsum(f"nc{outs}{kernel},oc{kernel}->no{outs}", a, b)
             for a, b in zip(np.split(windows, group, 1), np.split(w, group, 0))]
    return np.concatenate(parts, 1)


class PrecisionTest(unittest.TestCase):
    def compare(self, got, product, magnitude, k, exact, precision, stored):
        got = got.astype(np.float64)
        if exact and not stored:
            return np.testing.assert_array_equal(got, product)
        relative = 2.02 * ROUNDING[precision] + k * 2.0**-23
        # Small weights are subnormal numbers of f16; what is stored in bf16 is rounded once more.
        limit = magnitude * relative + k * 2.0**-22 * (precision == "f16") + abs(product) * ROUNDING[precision] * stored
        self.assertLessEqual(np.max(abs(got - product) - limit), 1e-30)

    def test_matmul(self):
        rng = np.random.default_rng(1)
        for number in range(72):
            m, n = (int(rng.choice([1, 2, 3, 5, 14, 33, 97])) for _ in range(2))
            k = int(rng.choice([1, 2, 3, 16, 17, 31, 64, 255, 1027, 2050, 9000]))
            batch = [[], [2], [2, 3]][rng.integers(3)]
            exact, stored, free, half = (bool(rng.integers(2)) for _ in range(4))
            precision = "f16" if half and not stored else "bf16"
            names = ["x86-64-v2"] * stored + levels()
            cpu = names[number % len(names)]
            with self.subTest(m=m, n=n, k=k, batch=batch, exact=exact, stored=stored, free=free, precision=precision, cpu=cpu):
                a, b = draw(rng, (*batch, m, k), exact), draw(rng, (k, n), exact)
                if stored:
                    a, b = a.astype(BF16), b.astype(BF16)
                shape = ["m" if free and i == a.ndim - 2 else size for i, size in enumerate(a.shape)]
                model = make_model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": (a, shape)}, {"b": b},
                                   TensorProto.BFLOAT16 if stored else TensorProto.FLOAT)
                got = hone.compile(model, cpu=cpu, precision="f32" if stored else precision).run({"a": a})["y"]
                wide = a.astype(np.float64), b.astype(np.float64)
                self.compare(got, wide[0] @ wide[1], abs(wide[0]) @ abs(wide[1]), k, exact, precision, stored)

    def test_gemm_with_epilogue(self):
        rng = np.random.default_rng(2)
        for cpu in levels():
            with self.subTest(cpu=cpu):
                a, b, c = draw(rng, (37, 65), True), draw(rng, (50, 65), True), draw(rng, (50,), True)
                model = make_model([helper.make_node("Gemm", ["a", "b", "c"], ["t"], transB=1), helper.make_node("Relu", ["t"], ["y"])],
                                   {"a": (a, a.shape)}, {"b": b, "c": c})
                got = hone.compile(model, cpu=cpu, precision="bf16").run({"a": a})["y"]
                np.testing.assert_array_equal(got, np.maximum(a @ b.T + c, 0))
                model = make_model([helper.make_node("Gemm", ["a", "b"], ["t"], transB=1, alpha=1 / 64), helper.make_node("Sigmoid", ["t"], ["y"])],
                                   {"a": (a, a.shape)}, {"b": b})
                got = hone.compile(model, cpu=cpu, precision="bf16").run({"a": a})["y"]
                np.testing.assert_allclose(got, 1 / (1 + np.exp(-(a.astype(np.float64) @ b.T) / 64)), rtol=1e-6)

    def test_convolutions(self):
        rng = np.random.default_rng(3)
        for number in range(64):
            spatial = int(rng.choice([1, 2, 2, 3]))
            group = int(rng.choice([1, 1, 2, 4]))
            inputs, outputs = (group * int(rng.choice([1, 2, 3, 8, 17, 32])) for _ in range(2))
            kernel = [int(rng.choice([1, 2, 3])) for _ in range(spatial)]
            strides = [int(rng.choice([1, 1, 2])) for _ in range(spatial)]
            pads, dilation = int(rng.integers(2)), int(rng.choice([1, 1, 2]))
            size = [int(rng.integers(5, 20)) for _ in range(spatial)]
            exact, stored, free, half = (bool(rng.integers(2)) for _ in range(4))
            precision = "f16" if half and not stored else "bf16"
            names = ["x86-64-v2"] * stored + levels()
            cpu = names[number % len(names)]
            with self.subTest(group=group, inputs=inputs, outputs=outputs, kernel=kernel, strides=strides, pads=pads, dilation=dilation,
                              size=size, exact=exact, stored=stored, free=free, precision=precision, cpu=cpu):
                x, w = draw(rng, (2, inputs, *size), exact), draw(rng, (outputs, inputs // group, *kernel), exact)
                if stored:
                    x, w = x.astype(BF16), w.astype(BF16)
                node = helper.make_node("Conv", ["x", "w"], ["y"], strides=strides, pads=[pads] * 2 * spatial, group=group,
                                        dilations=[dilation] * spatial)
                shape = ["n", inputs] + [f"s{i}" for i in range(spatial)] if free else x.shape
                model = make_model([node], {"x": (x, shape)}, {"w": w}, TensorProto.BFLOAT16 if stored else TensorProto.FLOAT)
                got = hone.compile(model, cpu=cpu, precision="f32" if stored else precision).run({"x": x})["y"]
                arguments = strides, pads, dilation, group
                self.compare(got, convolve(x, w, *arguments), convolve(abs(x), abs(w), *arguments), w[0].size, exact, precision, stored)

    def test_levels_share_weights(self):
        rng = np.random.default_rng(4)
        a, b = draw(rng, (9, 130), True), draw(rng, (130, 70), True)
        model = make_model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": (a, a.shape)}, {"b": b})
        names = [level for level in levels() if level != "native"]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.so")
            hone.compile_library(model, path, cpu=",".join(names), precision="bf16")
            for level in names:
                np.testing.assert_array_equal(hone.load(path, cpu=level).run({"a": a})["y"], a @ b)

    def test_auto(self):
        """Each product gets what is faster; weights that 16 bits hold exactly give exact sums, whatever the type."""
        rng = np.random.default_rng(5)
        for cpu in levels():
            for m, exact in ((1, True), (1, False), (40, True), (40, False)):
                with self.subTest(cpu=cpu, m=m, exact=exact):
                    a, b, c = draw(rng, (m, 257), exact), draw(rng, (257, 300), exact), draw(rng, (300, 270), exact)
                    nodes = [helper.make_node("MatMul", ["a", "b"], ["t"]), helper.make_node("Clip", ["t", "low", "high"], ["u"]), helper.make_node("MatMul", ["u", "c"], ["y"])]
                    limits = np.array(-2, np.float32), np.array(2, np.float32)
                    model = make_model(nodes, {"a": (a, a.shape)}, {"b": b, "c": c, "low": limits[0], "high": limits[1]})
                    compiled = hone.compile(model, cpu=cpu, precision="auto")
                    got = compiled.run({"a": a})["y"].astype(np.float64)
                    middle = np.clip(a.astype(np.float64) @ b, *limits)
                    # One row reads weights of memory, in whichever type loses less; sums before the limits round as well.
                    f16 = m == 1
                    sixteen = f16 or cpu.endswith(("cooperlake", "sapphirerapids"))
                    products = [k.arithmetic for k in compiled.kernels() if " x " in k.arithmetic]
                    if cpu != "native":
                        self.assertEqual({(" x f16 " in text, " x bf16 " in text) for text in products}, {(f16, sixteen and not f16)}, products)
                    if exact:
                        np.testing.assert_array_equal(got, middle @ c)
                    else:
                        error = 2.02 * ROUNDING["f16" if f16 else "bf16"] * (abs(a) @ abs(b).astype(np.float64)) @ abs(c)
                        self.assertLessEqual(np.max(abs(got - middle @ c) - error - abs(middle) @ abs(c) * 2.02 * ROUNDING["bf16"]), 0)

    def test_refused(self):
        model = make_model([helper.make_node("Relu", ["a"], ["y"])], {"a": (np.zeros(3, np.float32), (3,))}, {})
        with tempfile.TemporaryDirectory() as folder:
            for options, words in (({"precision": "f8"}, "there are f32, bf16, f16 and auto"), ({"cpu": "x86-64-v3,x86-64-v2"}, "x86-64-v2"),
                                   ({"target": "cuda"}, "--target=cuda")):
                with self.assertRaisesRegex(ValueError, words):
                    hone.compile_library(model, os.path.join(folder, "m.so"), **{"precision": "bf16", **options})


if __name__ == "__main__":
    unittest.main()
