# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pools against ONNX Runtime: windows that extend past the input in ceil mode, or exceed all of it, and rows with vectors.

Rows of other types, and levels without masks, are compared with rows of f32."""
import unittest

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

import hone


def draw(rng):
    spatial = int(rng.integers(1, 3))
    sizes = [int(v) for v in rng.integers(1, 8, spatial)]
    kernel = [int(v) for v in rng.integers(1, 12, spatial)]
    attributes = dict(kernel_shape=kernel, strides=[int(v) for v in rng.integers(1, 13, spatial)], ceil_mode=1)
    attributes["pads"] = [int(rng.integers(0, min(k, 4))) for k in kernel * 2]
    return str(rng.choice(["AveragePool", "MaxPool", "LpPool"])), attributes, rng.standard_normal([2, 3, *sizes]).astype(np.float32)


def draw_rows(rng):
    """Rows of all lengths, with the attributes that decide which windows are inside the input."""
    spatial = int(rng.integers(1, 4))
    sizes = [int(v) for v in rng.integers(4, 9, spatial - 1)] + [int(rng.integers(5, 80))]
    kernel = [int(v) for v in rng.integers(1, 5, spatial)]
    op = str(rng.choice(["AveragePool", "MaxPool", "LpPool"]))
    attributes = dict(kernel_shape=kernel, strides=[int(v) for v in rng.integers(1, 4, spatial)], ceil_mode=int(rng.integers(2)))
    attributes["pads"] = [int(rng.integers(0, k)) for k in kernel * 2]
    if op == "AveragePool":
        attributes["count_include_pad"] = int(rng.integers(2))
    if op == "MaxPool":
        attributes["dilations"] = [int(v) for v in rng.integers(1, 3, spatial)]
    return op, attributes, rng.standard_normal([2, 3, *sizes]).astype(np.float32)


def model(op, attributes, shape, element=TensorProto.FLOAT):
    node = helper.make_node(op, ["x"], ["y"], name="node", **attributes)
    x = helper.make_tensor_value_info("x", element, shape)
    graph = helper.make_graph([node], "one", [x], [helper.make_tensor_value_info("y", element, [None] * len(shape))])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9).SerializeToString()


class Windows(unittest.TestCase):
    def test_beyond_the_input(self):
        self.compare(draw)

    def test_rows(self):
        self.compare(draw_rows)

    def test_types_and_levels(self):
        """Small integers, which all types hold exactly, also in sums."""
        types = [(TensorProto.UINT8, np.uint8), (TensorProto.INT8, np.int8), (TensorProto.FLOAT16, np.float16), (TensorProto.DOUBLE, np.float64)]
        for seed in range(16):
            rng = np.random.default_rng(seed)
            op, attributes, x = draw_rows(rng)
            reach = [d * (k - 1) + 1 for k, d in zip(attributes["kernel_shape"], attributes.get("dilations", [1] * 3))]
            padded = np.array(x.shape[2:]) + np.reshape(attributes["pads"], (2, -1)).sum(0)
            if op == "LpPool" or (padded < reach).any():
                continue
            x = np.round(x * 4 + 12).clip(0, 24).astype(np.float32)
            want = hone.compile(model(op, attributes, x.shape)).run({"x": x})["y"]
            finite = np.isfinite(want)
            for element, dtype in types:
                if op == "AveragePool" and not issubclass(dtype, np.floating):
                    continue
                with self.subTest(seed=seed, op=op, x=x.shape, dtype=dtype, **attributes):
                    got = hone.compile(model(op, attributes, x.shape, element)).run({"x": x.astype(dtype)})["y"]
                    np.testing.assert_allclose(got[finite].astype(np.float64), want[finite], rtol=1e-3 if dtype == np.float16 else 1e-6)
            for cpu in "x86-64-v2", "x86-64-v3":
                with self.subTest(seed=seed, op=op, x=x.shape, cpu=cpu, **attributes):
                    got = hone.compile(model(op, attributes, x.shape), cpu=cpu).run({"x": x})["y"]
                    np.testing.assert_array_equal(got, want)

    def compare(self, draw):
        quiet = ort.SessionOptions()
        quiet.log_severity_level = 4
        compared = 0
        for seed in range(60):
            op, attributes, x = draw(np.random.default_rng(seed))
            try:
                want = ort.InferenceSession(model(op, attributes, x.shape), quiet).run(None, {"x": x})[0]
            except Exception:
                continue
            # A window of only padding has no average, and a maximum that is up to the library.
            if not np.isfinite(want).all():
                continue
            compared += 1
            for shape in x.shape, ["a", "b", "c", "d", "e"][: x.ndim]:
                with self.subTest(seed=seed, op=op, x=x.shape, free=isinstance(shape, list), **attributes):
                    got = hone.compile(model(op, attributes, shape)).run({"x": x})["y"]
                    self.assertEqual(got.shape, want.shape)
                    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        self.assertGreater(compared, 20)


if __name__ == "__main__":
    unittest.main()
