# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs with a default value, an output that is listed twice, outputs of any rank, and complex tensors."""
import unittest

import numpy as np
from onnx import helper, numpy_helper, parser

import hone

RNG = np.random.default_rng(7)


def parsed(text, ir=8, opset=17):
    return parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}]>\n{text}')


class Defaults(unittest.TestCase):
    TEXT = "one (float[3,4] x, float[n] k) => (float[3,4] y) <float[4] k = {1, 2, 3, 4}> { y = Mul(x, k) }"
    x = RNG.standard_normal((3, 4)).astype(np.float32)
    k = np.arange(1, 5, dtype=np.float32)

    def names(self, model, **options):
        compiled = hone.compile(model.SerializeToString(), **options)
        return compiled, [(v.name, v.has_default) for v in compiled.inputs]

    def test_a_small_one_stays_an_input(self):
        compiled, names = self.names(parsed(self.TEXT))
        self.assertEqual(names, [("x", False), ("k", True)])
        for given, k in (({}, self.k), ({"k": None}, self.k), ({"k": self.k * 2}, self.k * 2), ({}, self.k)):
            np.testing.assert_array_equal(compiled.run({"x": self.x, **given})["y"], self.x * k)
        with self.assertRaisesRegex(hone.RunError, "sizes do not fit"):
            compiled.run({"x": self.x, "k": self.k[:3]})
        with self.assertRaisesRegex(hone.RunError, "'x' is missing"):
            compiled.run({"k": self.k})

    def test_weights_and_old_files(self):
        """Up to version 3 every initializer had to be an input."""
        self.assertEqual(self.names(parsed(self.TEXT, ir=3, opset=8))[1], [("x", False)])
        large = parsed("one (float[40,40] x, float[40,40] k) => (float[40,40] y) { y = Mul(x, k) }")
        large.graph.initializer.append(numpy_helper.from_array(np.ones((40, 40), np.float32), "k"))
        self.assertEqual(self.names(large)[1], [("x", False)])

    def test_the_caller_chooses(self):
        self.assertEqual(self.names(parsed(self.TEXT), overrides=[])[1], [("x", False)])
        for ir, opset in (3, 8), (8, 17):
            compiled, names = self.names(parsed(self.TEXT, ir, opset), overrides=["k"])
            self.assertEqual(names, [("x", False), ("k", True)])
            np.testing.assert_array_equal(compiled.run({"x": self.x})["y"], self.x * self.k)
        # An initializer that is not an input becomes one.
        hidden = parsed(self.TEXT)
        del hidden.graph.input[1]
        self.assertEqual(self.names(hidden)[1], [("x", False)])
        compiled, names = self.names(hidden, overrides=["k"])
        self.assertEqual(names, [("x", False), ("k", True)])
        np.testing.assert_array_equal(compiled.run({"x": self.x, "k": -self.k})["y"], self.x * -self.k)

    def test_wrong_choices(self):
        with self.assertRaisesRegex(hone.CompileError, "no initializer 'q'"):
            hone.compile(parsed(self.TEXT).SerializeToString(), overrides=["q"])
        with self.assertRaises(TypeError):
            hone.compile(parsed(self.TEXT).SerializeToString(), overrides="k")
        shaped = parsed(self.TEXT.replace("float[n] k)", "float[5] k)"))
        with self.assertRaisesRegex(hone.CompileError, "another type or shape"):
            hone.compile(shaped.SerializeToString())

    def test_on_a_device(self):
        compiled = hone.compile(parsed(self.TEXT).SerializeToString(), target="cuda-emulated")
        np.testing.assert_array_equal(compiled.run({"x": self.x})["y"], self.x * self.k)
        np.testing.assert_array_equal(compiled.run({"x": self.x, "k": -self.k})["y"], self.x * -self.k)

    def test_an_output_twice(self):
        model = parsed("one (float[3] x) => (float[3] y, float[3] z, float[3] y) { y = Neg(x) z = Abs(y) }")
        compiled = hone.compile(model.SerializeToString())
        self.assertEqual([v.name for v in compiled.outputs], ["y", "z", "y"])
        x, place = self.x[0, :3], np.zeros(3, np.float32)
        outputs = compiled.run({"x": x}, out={"y": place})
        self.assertIs(outputs["y"], place)
        np.testing.assert_array_equal(place, -x)
        np.testing.assert_array_equal(outputs["z"], np.abs(x))


class AnyRank(unittest.TestCase):
    BRANCHES = "If (c) <then_branch = t () => (float[] a1) { a1 = Neg(x) }, else_branch = e () => (float[] b1) { b1 = Reshape(x, s) }>"
    x = RNG.standard_normal((2, 3)).astype(np.float32)

    def test_what_takes_it(self):
        text = f"""one (bool c, X x) => (float[] y, float[6] flat, float[] e, float[3,2] last, float[] n, float[] both)
        <int64[1] s = {{6}}, int64[1] open = {{-1}}, float two = {{2}}, float[1] unit = {{1}}, int64[2] three = {{3, 2}}> {{
            a = {self.BRANCHES}
            y = Identity(a)
            flat = Reshape(a, open)
            r = Relu(a)
            e2 = Mul(r, two)
            e = Exp(e2)
            last = Reshape(r, three)
            both = Sub(unit, a)
            n = If (c) <then_branch = t2 () => (float[] a2) {{ a2 = Identity(a) }}, else_branch = e2 () => (float[] b2) {{ b2 = Identity(x) }}>
        }}"""
        for shape in "float[2,3]", "float[p,q]":
            compiled = hone.compile(parsed(text.replace("X", shape)).SerializeToString())
            self.assertIsNone(compiled.outputs[0].shape)
            self.assertEqual(compiled.outputs[0].kind, "tensor")
            for c in True, False, True:
                got = compiled.run({"c": np.array(c), "x": self.x})
                a = -self.x if c else self.x.reshape(6)
                np.testing.assert_array_equal(got["y"], a)
                np.testing.assert_array_equal(got["flat"], a.reshape(6))
                np.testing.assert_allclose(got["e"], np.exp(2 * np.maximum(a, 0)), rtol=1e-6)
                np.testing.assert_array_equal(got["last"], np.maximum(a, 0).reshape(3, 2))
                np.testing.assert_array_equal(got["n"], a if c else self.x)
                np.testing.assert_array_equal(got["both"], 1 - a)
                self.assertEqual(got["y"].ndim, a.ndim)

    def test_inputs(self):
        """An input that declares no shape, beside tensors of known ranks."""
        model = parsed("""one (float[] x, float[2,2] a, string[] t, string[3] u) => (float[] y, float[] z, float[] w, float[] i, string[] v, bool h, float[2,2] r) <int64[2] two = {2, 2}> {
            y = Abs(x)
            s = MatMul(a, a)
            z = Add(s, x)
            q = Mul(x, x)
            c = Less(x, z)
            w = Where(c, q, y)
            i = Identity(x)
            same = Equal(t, t)
            v = Where(same, t, u)
            h = OptionalHasElement(x)
            wide = Max(x, a)
            r = Reshape(wide, two)
        }""")
        for value in [*model.graph.input, *model.graph.output]:
            if value.name in "xyzwitv":
                value.type.tensor_type.ClearField("shape")
        a = RNG.standard_normal((2, 2)).astype(np.float32)
        for target in "cpu", "cuda-emulated":
            compiled = hone.compile(model.SerializeToString(), target=target)
            self.assertIsNone(compiled.inputs[0].shape)
            self.assertEqual(compiled.inputs[0].kind, "tensor")
            for shape in (), (2,), (1, 2), (2, 1), (2, 2), (3, 2, 2), (5, 1, 1, 2), (0, 2, 2):
                x = np.array(RNG.standard_normal(shape), np.float32)
                t = np.full(shape[:1] + (3,), "ab", object)
                run = lambda: compiled.run({"x": x, "a": a, "t": t, "u": np.array(["p", "q", "r"], object)})  # noqa: E731, B023
                if np.maximum(x, a).size != 4:
                    with self.assertRaisesRegex(hone.RunError, "Reshape.*do not fit"):
                        run()
                    continue
                got = run()
                np.testing.assert_array_equal(got["y"], np.abs(x))
                np.testing.assert_allclose(got["z"], a @ a + x, rtol=1e-5, atol=1e-6)
                np.testing.assert_array_equal(got["w"], np.where(x < got["z"], x * x, np.abs(x)))
                np.testing.assert_array_equal(got["i"], x)
                np.testing.assert_array_equal(got["r"], np.maximum(x, a).reshape(2, 2))
                self.assertEqual(got["v"].tolist(), t.tolist())
                self.assertTrue(got["h"])
            feeds = {"x": a, "a": a, "t": t, "u": np.array(["p", "q", "r"], object)}
            with self.assertRaisesRegex(hone.RunError, "sizes do not fit: 3 and 2"):
                compiled.run(feeds | {"x": np.zeros(3, np.float32)})
            with self.assertRaisesRegex(hone.RunError, "must have type float"):
                compiled.run(feeds | {"x": a.astype(np.float64)})

    def test_what_does_not(self):
        model = parsed(f"one (bool c, float[2,3] x, float[3,3] m) => (float[] y) <int64[1] s = {{6}}> {{ a = {self.BRANCHES} y = MatMul(a, m) }}")
        self.assertIn("a number of dimensions that is only known at run time", hone.check(model.SerializeToString())[0])
        model = parsed(f"one (bool c, float[2,3] x) => (float[] y) <int64[1] s = {{6}}> {{ a = {self.BRANCHES} y = Clip(a, x) }}")
        self.assertIn("number of dimensions is only known at run time", hone.check(model.SerializeToString())[0])
        model = parsed(f"one (bool c, float[2,3] x) => (float[] y) <int64[1] s = {{6}}> {{ a = {self.BRANCHES} y = Add(a, x) }}", opset=6)
        self.assertIn("number of dimensions is only known at run time", hone.check(model.SerializeToString())[0])
        model = parsed(f"one (bool c, float[2,3] x) => (float[] y) <int64[1] s = {{6}}, int64[1] z = {{0}}> {{ a = {self.BRANCHES} y = Reshape(a, z) }}")
        self.assertIn("copies dimension 0", hone.check(model.SerializeToString())[0])

    def test_squeeze_without_axes(self):
        """Free dimensions are assumed to stay, and that is checked."""
        compiled = hone.compile(parsed("one (float[b,1,c] x) => (float[] y) { y = Squeeze(x) }").SerializeToString())
        self.assertEqual(compiled.outputs[0].shape, ("b", "c"))
        x = self.x[:, None]
        np.testing.assert_array_equal(compiled.run({"x": x})["y"], self.x)
        with self.assertRaisesRegex(hone.RunError, "Squeeze.*do not fit"):
            compiled.run({"x": x[:1]})

    def test_range_of_vectors(self):
        compiled = hone.compile(parsed("one (int64[1] a, int64[n] b) => (int64[] y) <int64 step = {2}> { y = Range(a, b, step) }").SerializeToString())
        np.testing.assert_array_equal(compiled.run({"a": np.array([1]), "b": np.array([8])})["y"], np.arange(1, 8, 2))
        with self.assertRaises(hone.RunError):
            compiled.run({"a": np.array([1]), "b": np.array([8, 9])})

    def test_an_optional_that_is_carried(self):
        """A loop takes an optional and returns a value that is always present."""
        text = """one (int64 trips, bool go, optional(seq(float[q])) x) => (seq(float[q]) y) {
            y = Loop (trips, go, x) <body = b (int64 i, bool c, optional(seq(float[q])) v) => (bool d, seq(float[q]) w) {
                d = Identity (c)
                has = OptionalHasElement (v)
                s = If (has) <then_branch = t () => (seq(float[q]) a1) { a1 = OptionalGetElement (v) },
                              else_branch = e () => (seq(float[q]) b1) { b0 = Constant <value_floats = [1.0, 2.0]> () b1 = SequenceConstruct (b0) }>
                k = Constant <value_floats = [3.0]> ()
                w = SequenceInsert (s, k)
            }>
        }"""
        compiled = hone.compile(parsed(text, opset=16).SerializeToString())
        for x in None, [np.float32([5])]:
            for trips in 1, 3, 6:
                got = compiled.run({"trips": np.array(trips), "go": np.array(True), "x": x})["y"]
                want = [[5]] if x else [[1, 2]]
                self.assertEqual([v.tolist() for v in got], want + [[3]] * trips)
        with self.assertRaises(hone.RunError):
            compiled.run({"trips": np.array(0), "go": np.array(True), "x": None})


class Complex(unittest.TestCase):
    TEXT = """one (T[2,3] x, T[n,3] z, bool c) =>
        (T[] transposed, T[] wide, T[] gathered, T[] joined, T[] part, T[] element, T[] flat, T[] tiled, T[] chosen, T[] same,
         int64[] shape, T[] branch, T[] weighted, T[] padded, T[] upper, T[] scattered, T[] dense)
        <int64[1] one = {1}, int64[2] two = {2, 0}, int64[1] none = {0}, int64[1] open = {-1}, int64[2] repeats = {1, 2},
         int64[4] pads = {1, 0, 0, 1}, bool[2] keep = {0, 1}, int64[1,2] place = {1, 2}> {
        transposed = Transpose <perm = [1, 0]> (x)
        wide = Unsqueeze (x, one)
        gathered = Gather <axis = 1> (x, two)
        joined = Concat <axis = 0> (x, z)
        part = Slice (z, none, one)
        list = SequenceConstruct (x, z)
        element = SequenceAt (list, one)
        flat = Reshape (x, open)
        tiled = Tile (x, repeats)
        chosen = Where (c, x, z)
        same = Identity (x)
        shape = Shape (z)
        branch = If (c) <then_branch = t () => (T[] t1) { t1 = Identity (x) }, else_branch = e () => (T[] e1) { e1 = Transpose (z) }>
        weighted = Concat <axis = 1> (k, x)
        padded = Pad (x, pads)
        upper = Trilu (x)
        scattered = ScatterND (x, place, first)
        first = Gather <axis = 0> (flat, none)
        dense = Compress <axis = 0> (x, keep)
    }"""

    def test_movement(self):
        for name, dtype in ("complex64", np.complex64), ("complex128", np.complex128):
            model = parsed(self.TEXT.replace("T[", name + "["))
            draw = lambda *shape: (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(dtype)
            k, x, z = draw(2, 2), draw(2, 3), draw(2, 3)
            model.graph.initializer.append(numpy_helper.from_array(k, "k"))
            compiled = hone.compile(model.SerializeToString())
            for c in True, False:
                got = compiled.run({"x": x, "z": z, "c": np.array(c)})
                scattered = x.copy()
                scattered[1, 2] = x[0, 0]
                want = dict(
                    transposed=x.T, wide=x[:, None], gathered=x[:, [2, 0]], joined=np.concatenate([x, z]), part=z[:1], element=z,
                    flat=x.reshape(6), tiled=np.tile(x, (1, 2)), chosen=x if c else z, same=x, shape=np.array([2, 3]),
                    branch=x if c else z.T, weighted=np.concatenate([k, x], 1), padded=np.pad(x, ((1, 0), (0, 1))), upper=np.triu(x),
                    scattered=scattered, dense=x[1:],
                )  # fmt: skip
                for key, value in want.items():
                    with self.subTest(name, output=key):
                        self.assertEqual(got[key].dtype, value.dtype)
                        np.testing.assert_array_equal(got[key], value)

    def test_arithmetic_is_refused(self):
        for op in "Add Neg Softmax MatMul ReduceSum NonZero TopK Conv Cast BitCast".split():
            inputs = ["x", "x"] if op in ("Add", "MatMul", "Conv") else ["x"]
            attributes = {"to": 1} if op.endswith("ast") else {}
            x = helper.make_tensor_value_info("x", 14, [2, 2])
            node = helper.make_node(op, inputs, ["y"], **attributes)
            graph = helper.make_graph([node], "one", [x], [helper.make_empty_tensor_value_info("y")])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=10)
            self.assertTrue(hone.check(model.SerializeToString()), op)


if __name__ == "__main__":
    unittest.main()
