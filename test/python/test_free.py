# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that leave sizes to the run which their operators depend on, or declare those of a body."""
import unittest

import numpy as np
import onnx
from onnx import parser

import hone


def compile_text(text, opset=21):
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    return hone.compile(parser.parse_model(header + text).SerializeToString())


def vector(*values, dtype=np.int64):
    return np.array(values, dtype)


class LengthTest(unittest.TestCase):
    """Vectors whose length is free, where the operator says how long they are or may be."""

    def refuses(self, model, operator, **inputs):
        with self.assertRaisesRegex(hone.RunError, operator):
            model.run(inputs)

    def test_slice(self):
        model = compile_text("g (float[a, b, c] x, int64[n] starts, int64[m] ends, int64[k] axes, int64[l] steps) => (float[] y) { y = Slice(x, starts, ends, axes, steps) }")
        x = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
        none = vector()
        np.testing.assert_array_equal(model.run(dict(x=x, starts=none, ends=none, axes=none, steps=none))["y"], x)
        one = model.run(dict(x=x, starts=vector(-1), ends=vector(-9), axes=vector(2), steps=vector(-2)))["y"]
        np.testing.assert_array_equal(one, x[:, :, ::-2])
        three = model.run(dict(x=x, starts=vector(1, 0, 4), ends=vector(9, 1, 0), axes=vector(-2, 0, 2), steps=vector(1, 1, -3)))["y"]
        np.testing.assert_array_equal(three, x[:1, 1:, 4:0:-3])
        self.refuses(model, "Slice", x=x, starts=vector(1), ends=vector(1, 2), axes=vector(0), steps=vector(1))
        self.refuses(model, "Slice", **dict.fromkeys(("starts", "ends", "axes", "steps"), vector(0, 0, 0, 0)), x=x)

    def test_reduction(self):
        x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        model = compile_text("g (float[a, b, c] x, int64[n] axes) => (float[a1, b1, c1] y) { y = ReduceSum(x, axes) }")
        for axes in ((1,), (-1, 0), (0, 1, 2), ()):
            np.testing.assert_array_equal(model.run(dict(x=x, axes=vector(*axes)))["y"], x.sum(axis=axes or None, keepdims=True))
        self.refuses(model, "ReduceSum", x=x, axes=vector(3))
        model = compile_text("g (float[a, b, c] x, int64[n] axes) => (float[a1, b1, c1] y) { y = ReduceSum<noop_with_empty_axes = 1>(x, axes) }")
        np.testing.assert_array_equal(model.run(dict(x=x, axes=vector()))["y"], x)
        with self.assertRaisesRegex(hone.CompileError, "decides how many dimensions"):
            compile_text("g (float[a, b, c] x, int64[n] axes) => (float[] y) { y = ReduceSum<keepdims = 0>(x, axes) }")

    def test_as_long_as_there_are_dimensions(self):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        model = compile_text("g (float[a, b] x, int64[n] repeats) => (float[c, d] y) { y = Tile(x, repeats) }")
        np.testing.assert_array_equal(model.run(dict(x=x, repeats=vector(2, 3)))["y"], np.tile(x, (2, 3)))
        self.refuses(model, "Tile", x=x, repeats=vector(2))
        model = compile_text("g (float[a, b] x, int64[n] pads) => (float[c, d] y) { y = Pad(x, pads) }")
        np.testing.assert_array_equal(model.run(dict(x=x, pads=vector(1, 0, 0, 2)))["y"], np.pad(x, ((1, 0), (0, 2))))
        self.refuses(model, "Pad", x=x, pads=vector(1, 0, 0))
        model = compile_text("g (float[a, b] x, float[n] scales) => (float[c, d] y) { y = Resize<mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\">(x, , scales) }")
        np.testing.assert_array_equal(model.run(dict(x=x, scales=vector(2, 1, dtype=np.float32)))["y"], np.repeat(x, 2, axis=0))
        self.refuses(model, "Resize", x=x, scales=vector(2, dtype=np.float32))

    def test_one_number(self):
        x = vector(3, 1, 2, dtype=np.float32)
        model = compile_text("g (float[a] x, int64[n] k) => (float[b] y, int64[b] i) { y, i = TopK(x, k) }")
        np.testing.assert_array_equal(model.run(dict(x=x, k=vector(2)))["y"], vector(3, 2))
        self.refuses(model, "TopK", x=x, k=vector(2, 1))
        model = compile_text("g (float[a] x, int64[n] axis) => (float[b] y) { y = CumSum(x, axis) }")
        np.testing.assert_array_equal(model.run(dict(x=x, axis=vector(0)))["y"], np.cumsum(x))
        self.refuses(model, "CumSum", x=x, axis=vector())

    def test_split(self):
        x = np.arange(5, dtype=np.float32)
        model = compile_text("g (float[a] x, int64[n] sizes) => (float[b] y, float[c] z) { y, z = Split<axis = 0>(x, sizes) }")
        result = model.run(dict(x=x, sizes=vector(2, 3)))
        np.testing.assert_array_equal(result["y"], x[:2])
        np.testing.assert_array_equal(result["z"], x[2:])
        self.refuses(model, "Split", x=x, sizes=vector(5))

    def test_scatter(self):
        model = compile_text("g (float[a, b] x, int64[n, m] at, float[k, l] rows) => (float[a, b] y) { y = ScatterND(x, at, rows) }")
        x, rows = np.zeros((3, 2), np.float32), np.ones((1, 2), np.float32)
        np.testing.assert_array_equal(model.run(dict(x=x, at=np.array([[1]]), rows=rows))["y"], [[0, 0], [1, 1], [0, 0]])
        self.refuses(model, "ScatterND", x=x, at=np.array([[1, 0]]), rows=rows)


class KernelTest(unittest.TestCase):
    def test_window_of_the_attribute(self):
        model = compile_text("g (float[n, c, l] x, float[o, i, k] w) => (float[n, o, m] y) { y = Conv<kernel_shape = [2]>(x, w) }")
        x, w = np.arange(8, dtype=np.float32).reshape(1, 2, 4), np.ones((3, 2, 2), np.float32)
        want = np.array([x[:, :, i : i + 2].sum() for i in range(3)], np.float32)
        np.testing.assert_allclose(model.run(dict(x=x, w=w))["y"], np.tile(want, (1, 3, 1)))
        with self.assertRaisesRegex(hone.RunError, "Conv"):
            model.run(dict(x=x, w=np.ones((3, 2, 3), np.float32)))

    def test_attention(self):
        model = compile_text("g (float[b, h, s, d] q, float[b2, h2, s2, d2] k, float[b3, h3, s3, d3] v) => (float[] y) { y = Attention(q, k, v) }", opset=23)
        rng = np.random.default_rng(0)
        q, k, v = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 4, 3, 8), (1, 2, 5, 8), (1, 2, 5, 6)))
        scores = np.einsum("bhsd,bhtd->bhst", q, np.repeat(k, 2, 1)) / np.sqrt(8)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        want = np.einsum("bhst,bhte->bhse", weights / weights.sum(-1, keepdims=True), np.repeat(v, 2, 1))
        np.testing.assert_allclose(model.run(dict(q=q, k=k, v=v))["y"], want, rtol=1e-5, atol=1e-6)
        with self.assertRaisesRegex(hone.RunError, "Attention"):
            model.run(dict(q=q, k=np.repeat(k, 2, 1)[:, :3], v=np.repeat(v, 2, 1)[:, :3]))


class DeclaredTest(unittest.TestCase):
    """Sizes that a body declares hold where nothing else tells them, and are checked."""

    def test_scan_collects_what_the_data_decide(self):
        model = compile_text("""g (float[t, n] x) => (int64[] y) {
            y = Scan<num_scan_inputs = 1, body = step (float[n] row) => (int64[1, 2] out) { out = NonZero(row) }>(x) }""")
        x = np.array([[0, 3, 0, 5], [1, 0, 1, 0]], np.float32)
        np.testing.assert_array_equal(model.run(dict(x=x))["y"], [[[1, 3]], [[0, 2]]])
        with self.assertRaisesRegex(hone.RunError, "Scan"):
            model.run(dict(x=np.ones((1, 4), np.float32)))

    def test_scan_collects_what_the_steps_alone_tell(self):
        # Both orders, at another axis too, beside a place that is known and a carried value.
        model = compile_text("""g (float[t, n] x, int64 s) => (int64 last, int64[] y, int64[] back, float[] rows) {
            last, y, back, rows = Scan<num_scan_inputs = 1, scan_output_axes = [0, 2, 1], scan_output_directions = [0, 1, 1],
                body = step (int64 a, float[n] row) => (int64 b, int64[1, m] out, int64[1, k] same, float[n] kept)
                { one = Constant<value_int = 1>() b = Add(a, one) out = NonZero(row) same = Add(out, a) kept = Neg(row) }>(s, x) }""")
        x = np.array([[0, 3, 0, 5], [1, 0, 1, 0], [0, 0, 1, 1]], np.float32)
        got = model.run(dict(x=x, s=np.array(10)))
        y = np.array([[[1, 3]], [[0, 2]], [[2, 3]]])
        self.assertEqual(got["last"], 13)
        np.testing.assert_array_equal(got["y"], y)
        np.testing.assert_array_equal(got["back"], np.moveaxis((y + np.array([10, 11, 12])[:, None, None])[::-1], 0, 2))
        np.testing.assert_array_equal(got["rows"], -x[::-1].T)
        none = model.run(dict(x=x[:0], s=np.array(10)))
        self.assertEqual((none["y"].shape, none["back"].shape, none["rows"].shape), ((0, 1, 0), (1, 0, 0), (4, 0)))
        with self.assertRaisesRegex(hone.RunError, "Scan"):
            model.run(dict(x=np.array([[0, 1], [1, 1]], np.float32), s=np.array(0)))

    def test_scan_collects_what_broadcasts(self):
        # The size is arithmetic on sizes from outside, done inside.
        model = compile_text("""g (float[a] s, float[t, n] x) => (float[] sf, float[] y) {
            sf, y = Scan<num_scan_inputs = 1, body = step (float[m] v, float[n] row) => (float[m] w, float[k] out)
                { w = Add(v, v) out = Add(v, row) }>(s, x) }""")
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_array_equal(model.run(dict(s=vector(1, dtype=np.float32), x=x))["y"], x + [[1], [2]])
        np.testing.assert_array_equal(model.run(dict(s=vector(1, 1, 1, dtype=np.float32), x=x))["y"], x + [[1], [2]])

    def test_loop_without_a_step(self):
        model = compile_text("""g (int64 n, bool go, float[a] x) => (float[b] last, float[] all) {
            last, all = Loop<body = step (int64 i, bool c, float[2] v) => (bool d, float[2] w, float[2] square)
                { d = Identity(c) w = Add(v, v) square = Mul(w, w) }>(n, go, x) }""")
        x = vector(1, 2, dtype=np.float32)
        go = np.array(True)
        none = model.run(dict(n=np.array(0), go=go, x=x))
        self.assertEqual(none["all"].shape, (0, 2))
        np.testing.assert_array_equal(none["last"], x)
        np.testing.assert_array_equal(model.run(dict(n=np.array(2), go=go, x=x))["all"], [[4, 16], [16, 64]])


if __name__ == "__main__":
    unittest.main()
