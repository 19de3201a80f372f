# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""TopK, ArgMax and ArgMin against numpy: every order, number type and size on both sides of each change of method.

NaN is larger than all numbers, zeros are equal, and equal elements keep the order of their indices.
"""
import unittest

import ml_dtypes
import numpy as np
from onnx import helper

import hone

FLOATS = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)
INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


def type_of(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def compiled(op, dtype, shape, k=None, outputs=1, free=False, threads=0, **attributes):
    dims = [f"n{i}" for i in range(len(shape))] if free else shape
    inputs = [helper.make_tensor_value_info("x", type_of(dtype), dims)]
    constants = []
    if k is not None and free:
        inputs.append(helper.make_tensor_value_info("k", type_of(np.int64), [1]))
    elif k is not None:
        constants.append(helper.make_tensor("k", type_of(np.int64), [1], [k]))
    names = [f"out{i}" for i in range(outputs)]
    types = [type_of(dtype), type_of(np.int64)] if outputs == 2 else [type_of(np.int64)]
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, types)]
    node = helper.make_node(op, ["x", "k"] if k is not None else ["x"], names, **attributes)
    graph = helper.make_graph([node], op, inputs, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    return hone.compile(model.SerializeToString(), threads=threads)


def ranks(x):
    """Unsigned numbers in the order of the elements."""
    if np.dtype(x.dtype).kind in "iu":
        return np.unique(x, return_inverse=True)[1].reshape(x.shape)
    wide = x.astype(np.float64)
    order = np.unique(np.where(np.isnan(wide), np.inf, wide), return_inverse=True)[1].reshape(x.shape)
    return 2 * order + np.isnan(wide)


def best(x, k, axis, largest):
    order = ranks(x) * (-1 if largest else 1)
    indices = np.take(np.argsort(order, axis=axis, kind="stable"), np.arange(k), axis=axis)
    return np.take_along_axis(x, indices, axis), indices


def samples(dtype, shape, random):
    """Distinct numbers, often equal ones, and lines that are sorted or constant."""
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        wide = random.integers(info.min, info.max, shape, dtype, endpoint=True)
        few = random.integers(0, 4, shape).astype(dtype)
    else:
        wide = (random.standard_normal(shape) * 100).astype(dtype)
        specials = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-7, -1e-7, 1, -1], np.float64).astype(dtype)
        few = specials[random.integers(0, len(specials), shape)]
    yield wide
    yield few
    yield np.sort(wide, axis=-1)
    yield np.full(shape, wide.flat[0])


class TopKTest(unittest.TestCase):
    def check(self, dtype, shape, k, axis=-1, largest=1, free=False):
        model = compiled("TopK", dtype, shape, k, outputs=2, free=free, axis=axis, largest=largest)
        for x in samples(dtype, shape, np.random.default_rng(1)):
            feeds = {"x": x, "k": np.array([k])} if free else {"x": x}
            got = model.run(feeds)
            values, indices = best(x, k, axis, largest)
            label = f"{np.dtype(dtype)} {shape} k={k} axis={axis} largest={largest} free={free}"
            np.testing.assert_array_equal(got["out1"], indices, label)
            # Bitwise: a zero keeps its sign.
            self.assertEqual(got["out0"].dtype, x.dtype)
            self.assertEqual(got["out0"].tobytes(), values.tobytes(), label)

    def test_types(self):
        for dtype in FLOATS + INTEGERS:
            for largest in (0, 1):
                with self.subTest(dtype=np.dtype(dtype), largest=largest):
                    self.check(dtype, (3, 200), 200, largest=largest)
                    self.check(dtype, (2, 700), 60, largest=largest)

    def test_sizes(self):
        for free in (False, True):
            for n, k in ((1, 1), (5, 0), (32, 32), (33, 33), (40, 32), (40, 33), (255, 255), (256, 255), (257, 34), (600, 599), (1000, 128), (3000, 129)):
                with self.subTest(n=n, k=k, free=free):
                    self.check(np.float32, (2, n), k, free=free)
                    self.check(np.int64, (n,), k, largest=0, free=free)

    def test_axes(self):
        for free in (False, True):
            for axis in (0, 1, 2):
                self.check(np.float32, (70, 50, 60), 40, axis=axis, free=free)
                self.check(np.float64, (70, 50, 60), 33, axis=axis, largest=0, free=free)

    def test_threads(self):
        x = np.random.default_rng(2).standard_normal((500, 300)).astype(np.float32)
        values, indices = best(x, 300, 1, True)
        for threads in (1, 2, 3):
            got = compiled("TopK", np.float32, x.shape, 300, outputs=2, threads=threads).run({"x": x})
            np.testing.assert_array_equal(got["out1"], indices)
            np.testing.assert_array_equal(got["out0"], values)


class ArgTest(unittest.TestCase):
    def check(self, op, dtype, shape, axis, free=False):
        for last in (0, 1):
            model = compiled(op, dtype, shape, free=free, axis=axis, keepdims=0, select_last_index=last)
            for x in samples(dtype, shape, np.random.default_rng(3)):
                # NaN is the best of both.
                order = ranks(x)
                if op == "ArgMin":
                    order = np.where(np.isnan(x.astype(np.float64)), -1, order) if np.dtype(dtype).kind not in "iu" else order
                    order = -order
                hits = order == order.max(axis=axis, keepdims=True)
                want = np.argmax(hits, axis=axis)
                if last:
                    want = shape[axis] - 1 - np.argmax(np.flip(hits, axis), axis=axis)
                got = model.run({"x": x})["out0"]
                np.testing.assert_array_equal(got, want, f"{op} {np.dtype(dtype)} {shape} axis={axis} last={last} free={free}")

    def test_types(self):
        for op in ("ArgMax", "ArgMin"):
            for dtype in FLOATS + INTEGERS:
                with self.subTest(op=op, dtype=np.dtype(dtype)):
                    self.check(op, dtype, (7, 133), 1)

    def test_axes(self):
        for free in (False, True):
            for shape, axis in (((5,), 0), ((1000,), 0), ((4, 1), 1), ((3, 100, 1), 1), ((5, 40, 6), 1), ((40, 5), 0), ((300, 200), 1)):
                for op in ("ArgMax", "ArgMin"):
                    with self.subTest(op=op, shape=shape, axis=axis, free=free):
                        self.check(op, np.float32, shape, axis, free)


if __name__ == "__main__":
    unittest.main()
