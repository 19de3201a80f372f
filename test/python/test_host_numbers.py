# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers that the importer evaluates one by one, with 64 bits, agree with a tensor of their type."""
import unittest

import numpy as np
import onnx.parser

import hone


def compile_text(text):
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {text}')
    return hone.compile(model.SerializeToString())


class HostNumbersTest(unittest.TestCase):
    def test_int32_wraps(self):
        model = compile_text("""
            g (float[a, b] x) => (int32[2] p, float[2] f, int32[2] d, int64[2] l, bool[2] n)
            <int32 k = {100000}, int32 z = {0}> {
              s = Shape(x) s32 = Cast<to = 6>(s) once = Mul(s32, k) p = Mul(once, k)
              f = Cast<to = 1>(p) d = Div(p, k) l = Cast<to = 7>(p) n = Less(p, z)
            }""")
        for shape in ((3, 5), (1, 7), (0, 2)):
            got = model.run({"x": np.zeros(shape, np.float32)})
            with np.errstate(over="ignore"):
                p = np.array(shape, np.int32) * np.int32(100000) * np.int32(100000)
            np.testing.assert_array_equal(got["p"], p)
            np.testing.assert_array_equal(got["f"], p.astype(np.float32))
            np.testing.assert_array_equal(got["d"], np.trunc(p / 100000).astype(np.int32))
            np.testing.assert_array_equal(got["l"], p.astype(np.int64))
            np.testing.assert_array_equal(got["n"], p < 0)

    def test_int32_of_a_loop_wraps(self):
        model = compile_text("""
            g (int64 trips) => (float[n] y) <bool t = {1}, int32 k = {1103515245}, int32 c = {12345}, int32 d = {65536}> {
              y = Loop(trips, t) <body = b (int64 i, bool go) => (bool keep, float e) {
                keep = Identity(go) i32 = Cast<to = 6>(i) p = Mul(i32, k) s = Add(p, c) q = Div(s, d) e = Cast<to = 1>(q)
              }>
            }""")
        with np.errstate(over="ignore"):
            s = np.arange(9, dtype=np.int32) * np.int32(1103515245) + np.int32(12345)
        np.testing.assert_array_equal(model.run({"trips": np.array(9)})["y"], np.trunc(s / 65536).astype(np.float32))

    def test_constants_that_wrap_are_not_taken_for_sizes(self):
        # The product is negative: its quotient is truncated towards zero.
        model = compile_text("""
            g () => (int64[1] y) <int64[1] a = {13622895812370}, int64[1] b = {1103515245}, int64[1] c = {65536}> {
              p = Mul(a, b) y = Div(p, c)
            }""")
        product = (13622895812370 * 1103515245 + 2**63) % 2**64 - 2**63
        self.assertLess(product, 0)
        np.testing.assert_array_equal(model.run({})["y"], [-(-product // 65536)])

    def test_floats_saturate(self):
        numbers = [3e9, -3e9, 1e30, np.inf, -np.inf, np.nan, -7.9]
        text = ", ".join(str(x) for x in numbers)
        model = compile_text(f"g () => (int32[7] y) <float[7] x = {{{text}}}> {{ y = Cast<to = 6>(x) }}")
        top, low = 2**31 - 1, -(2**31)
        np.testing.assert_array_equal(model.run({})["y"], [top, low, top, top, low, 0, -7])

    def test_steps_beyond_any_size(self):
        model = compile_text("g (float[n] x, int64[1] s, int64[1] e, int64[1] a, int64[1] by) => (float[m] y) { y = Slice(x, s, e, a, by) }")
        x, most = np.arange(5, dtype=np.float32), 2**63 - 1
        for start, end, step, want in ((1, most, most, [1]), (1, -most - 1, -most - 1, [1]), (-1, -most, -(2**50), [4]), (3, 2, 2**62, [])):
            numbers = {"s": start, "e": end, "a": 0, "by": step}
            got = model.run({"x": x, **{name: np.array([value]) for name, value in numbers.items()}})["y"]
            np.testing.assert_array_equal(got, np.array(want, np.float32))


if __name__ == "__main__":
    unittest.main()
