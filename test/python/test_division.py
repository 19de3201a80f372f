# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Division of integers of all widths: numbers close to whole quotients, the ends of their ranges, and divisors that are 0."""
import unittest

import numpy as np
from onnx import helper

import hone

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def compile_node(op, dtype, shapes, cpu="native", **attributes):
    elem = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = [helper.make_tensor_value_info(name, elem, shape) for name, shape in zip("ab", shapes)]
    graph = helper.make_graph([helper.make_node(op, ["a", "b"], ["y"], name="it", **attributes)], "g", inputs, [helper.make_tensor_value_info("y", elem, None)])
    return hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString(), cpu=cpu)


def numbers(rng, dtype, count, high=None):
    """Some of every bit length, and the extremes."""
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, count, dtype, endpoint=True) >> rng.integers(0, info.bits, count).astype(dtype)
    if high is not None:
        values %= high
    values[:6] = [info.max, info.min, 1, 2, info.max - 1, info.max // 2]
    return rng.permutation(values)


def truncated(a, b):
    """Quotients towards zero and their remainders, of Python's integers; overflow wraps."""
    quotient = np.array([(abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a.tolist(), b.tolist())], object)
    return (quotient & ((1 << 64) - 1)).astype(np.uint64).astype(a.dtype), (a.astype(object) - quotient * b.astype(object)).astype(a.dtype)


class DivisionTest(unittest.TestCase):
    def check(self, dtype, a, b, shape, cpu):
        quotient, rest = truncated(a, np.broadcast_to(b.reshape(-1), a.shape))
        for op, want, attributes in ("Div", quotient, {}), ("Mod", rest, {"fmod": 1}), ("Mod", np.where(b == 0, 0, a.astype(object) % b.astype(object)).astype(dtype), {}):
            with self.subTest(op=op, dtype=dtype, divisors=shape, cpu=cpu, **attributes):
                got = compile_node(op, dtype, (["n"], shape), cpu, **attributes).run({"a": a, "b": b})["y"]
                np.testing.assert_array_equal(got, want)

    def test_all_types(self):
        rng = np.random.default_rng(5)
        for dtype in TYPES:
            for cpu in ["native", "x86-64-v2"][: 1 + (dtype in (np.uint8, np.int32))]:
                a, b = numbers(rng, dtype, 1003), numbers(rng, dtype, 1003)
                b[b == 0] = 1
                a[::3] -= truncated(a, b)[1][::3]  # whole quotients
                self.check(dtype, a, b, ["n"], cpu)
                for divisor in (3, np.iinfo(dtype).max, -1)[: 2 + (np.iinfo(dtype).min < 0)]:
                    self.check(dtype, a, np.array(divisor, dtype), [], cpu)

    def test_short_numbers_of_64_bits(self):
        rng = np.random.default_rng(6)
        for bits in 31, 50, 51, 52:
            a, b = numbers(rng, np.int64, 515, 1 << bits), numbers(rng, np.int64, 515, 1 << bits) | 1
            a[a > 1 << bits], b[b > 1 << bits] = (1 << bits) - 1, (1 << bits) - 1
            a[::2] = a[::2] // b[::2] * b[::2] + rng.integers(-1, 2, len(a[::2]))
            self.check(np.int64, np.where(a < -(1 << bits), 7, a), np.where(b < -(1 << bits), -5, b), ["n"], "native")

    def test_zero(self):
        for dtype in TYPES:
            run = compile_node("Div", dtype, (["n"], ["n"])).run
            a, b = np.ones(77, dtype), np.ones(77, dtype)
            for place in 0, 40, 76:
                b[place] = 0
                with self.assertRaisesRegex(hone.RunError, "'it'.*: integer division of 0 by zero"):
                    run({"a": a, "b": b})
                b[place] = 1
            np.testing.assert_array_equal(run({"a": a, "b": b})["y"], a)


if __name__ == "__main__":
    unittest.main()
