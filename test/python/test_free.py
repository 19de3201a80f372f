# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models with run-time sizes that their operators depend on, or that declare those of a body."""
import itertools
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, parser

import hone


def compile_text(text, opset=21):
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    return hone.compile(parser.parse_model(header + text).SerializeToString())


def vector(*values, dtype=np.int64):
    return np.array(values, dtype)


class LengthTest(unittest.TestCase):
    """Vectors of free length, if the operator determines or bounds it."""

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

    def test_pads_of_named_axes(self):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        for axes in ("n", "1"):
            for pads in ("m", "2"):
                model = compile_text(f"g (float[a, b] x, int64[{pads}] pads, int64[{axes}] axes) => (float[c, d] y) {{ y = Pad(x, pads, , axes) }}")
                np.testing.assert_array_equal(model.run(dict(x=x, pads=vector(1, 2), axes=vector(-1)))["y"], np.pad(x, ((0, 0), (1, 2))))
                np.testing.assert_array_equal(model.run(dict(x=x, pads=vector(0, 1), axes=vector(0)))["y"], np.pad(x, ((0, 1), (0, 0))))
                for axis in (-3, 2, 1 << 40):
                    self.refuses(model, "Pad", x=x, pads=vector(1, 2), axes=vector(axis))
        model = compile_text("g (float[a, b] x, int64[m] pads, int64[n] axes) => (float[c, d] y) { y = Pad(x, pads, , axes) }")
        np.testing.assert_array_equal(model.run(dict(x=x, pads=vector(1, 2, 3, 4), axes=vector(1, -2)))["y"], np.pad(x, ((2, 4), (1, 3))))
        np.testing.assert_array_equal(model.run(dict(x=x, pads=vector(), axes=vector()))["y"], x)
        self.refuses(model, "Pad", x=x, pads=vector(1, 2, 3, 4), axes=vector(1, -1))
        self.refuses(model, "Pad", x=x, pads=vector(1, 2, 3), axes=vector(1))
        self.refuses(model, "Pad", x=x, pads=vector(0, 0, 0, 0, 0, 0), axes=vector(0, 1, 2))

    def test_region(self):
        node = 'y = Resize<mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize">(x, roi, , sizes)'
        model = compile_text(f"g (float[a, b] x, float[n] roi, int64[m] sizes) => (float[c, d] y) {{ {node} }}")
        x = np.arange(20, dtype=np.float32).reshape(4, 5)
        got = model.run(dict(x=x, roi=vector(0, 0.25, 1, 0.75, dtype=np.float32), sizes=vector(2, 3)))["y"]
        np.testing.assert_allclose(got, [[1, 2, 3], [16, 17, 18]], rtol=1e-6)
        self.refuses(model, "Resize", x=x, roi=vector(0, 0.25, 1, dtype=np.float32), sizes=vector(2, 3))

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

    def test_features_of_the_coefficients(self):
        def compile_linear(op, **attributes):
            x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "f"])
            outputs = ["y"] if op == "LinearRegressor" else ["label", "y"]
            node = helper.make_node(op, ["x"], outputs, name="linear", domain="ai.onnx.ml", coefficients=[1.0, 2.0, 3.0, -1.0, 0.5, 0.0], **attributes)
            graph = helper.make_graph([node], "g", [x], [onnx.ValueInfoProto(name=name) for name in outputs])
            opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
            return hone.compile(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())

        x = np.array([[1, 2, 3], [-1, 0, 4]], np.float32)
        two = x @ np.array([[1, 2, 3], [-1, 0.5, 0]], np.float32).T
        narrow = x[:, :2] @ np.array([[1, 2], [3, -1], [0.5, 0]], np.float32).T
        model = compile_linear("LinearRegressor", targets=2)
        np.testing.assert_allclose(model.run({"x": x})["y"], two)
        self.refuses(model, "LinearRegressor", x=x[:, :2])
        model = compile_linear("LinearClassifier", intercepts=[0.0, 0.0], classlabels_ints=[4, 7])
        np.testing.assert_allclose(model.run({"x": x})["y"], two)
        np.testing.assert_array_equal(model.run({"x": x})["label"], [4, 4])
        model = compile_linear("LinearClassifier", classlabels_strings=["a", "b", "c"])
        np.testing.assert_allclose(model.run({"x": x[:, :2]})["y"], narrow)


class KernelTest(unittest.TestCase):
    def test_window_of_the_attribute(self):
        model = compile_text("g (float[n, c, l] x, float[o, i, k] w) => (float[n, o, m] y) { y = Conv<kernel_shape = [2]>(x, w) }")
        x, w = np.arange(8, dtype=np.float32).reshape(1, 2, 4), np.ones((3, 2, 2), np.float32)
        want = np.array([x[:, :, i : i + 2].sum() for i in range(3)], np.float32)
        np.testing.assert_allclose(model.run(dict(x=x, w=w))["y"], np.tile(want, (1, 3, 1)))
        with self.assertRaisesRegex(hone.RunError, "Conv"):
            model.run(dict(x=x, w=np.ones((3, 2, 3), np.float32)))

    def test_channels_of_groups(self):
        x = np.arange(48, dtype=np.float32).reshape(1, 4, 3, 4)
        for node in ("y = Conv<kernel_shape = [1, 1], group = 2>(x, w)", "y = DeformConv<kernel_shape = [1, 1], group = 2>(x, w, zeros)"):
            model = compile_text(f"g (float[n, c, h, l] x, float[o, i, k, m] w, float[n, t, h, l] zeros) => (float[] y) {{ {node} }}")
            w = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 1], [2, 3]], np.float32).reshape(6, 2, 1, 1)
            zeros = np.zeros((1, 2, 3, 4), np.float32)
            want = np.concatenate([np.einsum("oikl,nihw->nohw", w[g * 3 : g * 3 + 3], x[:, g * 2 : g * 2 + 2]) for g in (0, 1)], axis=1)
            np.testing.assert_allclose(model.run(dict(x=x, w=w, zeros=zeros))["y"], want)
            for wrong in (w[:3], w[:, :1], np.repeat(w, 2, 1)):
                with self.assertRaisesRegex(hone.RunError, "Conv"):
                    model.run(dict(x=x, w=wrong, zeros=zeros))
        model = compile_text("g (float[n, c, h, l] x, float[o, i, k, m] w) => (float[] y) { y = ConvTranspose<kernel_shape = [1, 1], group = 3>(x, w) }")
        with self.assertRaisesRegex(hone.RunError, "ConvTranspose"):
            model.run(dict(x=x, w=np.ones((4, 1, 1, 1), np.float32)))

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


class PaddingTest(unittest.TestCase):
    """Padding of auto_pad and output_shape, over sizes known at run time and at compile time."""

    SIZES = ((1, 1), (2, 5), (3, 4), (6, 3), (7, 7))

    def agrees(self, node, inputs, dtype=np.float32, opset=21):
        """`node` has attributes, and is one of `x`; each of `inputs` goes through a model that knows its sizes and one that does not."""
        kind, count = {np.float32: "float", np.int8: "int8", np.uint8: "uint8"}[dtype], 2 if "Indices" in node else 1
        node = node.replace("Indices", "")

        def graph(sizes):
            arguments, results, nodes = [], [], []
            for i, size in enumerate(sizes):
                arguments.append(f"{kind}[{','.join(map(str, size))}] x{i}")
                outputs = ["y", "i"][:count]
                results += [f"{'int64' if name == 'i' else kind}[] {name}{i}" for name in outputs]
                nodes.append(f"{', '.join(f'{name}{i}' for name in outputs)} = {node.replace('(x', f'(x{i}')}")
            weights = "float[2, 2, 3, 2] w = {1, 2, -1, 3, 1, 1, 2, 0.5, 1, -2, 1, 3, 1, 1, 4, -1, 2, 1, 1, 0, 2, 1, -3, 1}"
            return f"g ({', '.join(arguments)}) => ({', '.join(results)}) <{weights}> {{ {' '.join(nodes)} }}"

        known = compile_text(graph([x.shape for x in inputs]), opset).run({f"x{i}": x for i, x in enumerate(inputs)})
        free = compile_text(graph(["abcd"]), opset)
        for i, x in enumerate(inputs):
            got = free.run(dict(x0=x))
            for name in ("y", "i")[:count]:
                want = known[f"{name}{i}"]
                self.assertEqual(got[f"{name}0"].shape, want.shape, (node, x.shape))
                np.testing.assert_allclose(got[f"{name}0"], want, rtol=1e-6, atol=1e-6, err_msg=f"{node} of {x.shape}")

    def inputs(self, dtype=np.float32):
        rng = np.random.default_rng(0)
        # Integers, whose sums are exact in any order.
        return [np.round(rng.standard_normal((2, 2, *size)) * 40).astype(dtype) for size in self.SIZES]

    def test_conv(self):
        for pad in ("SAME_UPPER", "SAME_LOWER"):
            for strides, dilations in (([2, 3], [1, 1]), ([1, 2], [2, 1]), ([4, 2], [1, 2])):
                self.agrees(f'Conv<auto_pad = "{pad}", strides = {strides}, dilations = {dilations}>(x, w)', self.inputs())

    def test_conv_transpose(self):
        for attributes in ('auto_pad = "SAME_UPPER", strides = [2, 3]', 'auto_pad = "SAME_LOWER", strides = [3, 1]',
                           "output_shape = [9, 5], strides = [2, 1]", "output_shape = [4, 21], strides = [1, 3], output_padding = [0, 1]"):  # fmt: skip
            self.agrees(f"ConvTranspose<{attributes}>(x, w)", self.inputs())

    def test_infinities_stay_in_their_windows(self):
        # Known weights are divided into the phases of the stride.
        inputs = self.inputs()
        for x in inputs:
            x[1, 0, 0, 0] = np.inf
            x[0, 1, -1, -1] = np.nan
        for strides in ([2, 2], [3, 1], [2, 3]):
            self.agrees(f"ConvTranspose<strides = {strides}>(x, w)", inputs)

    def test_pools(self):
        for pad in ("SAME_UPPER", "SAME_LOWER"):
            for strides, dilations in (([3, 2], [2, 3]), ([4, 5], [1, 1])):
                attributes = f'auto_pad = "{pad}", kernel_shape = [3, 2], strides = {strides}, dilations = {dilations}'
                for include in (0, 1):
                    self.agrees(f"AveragePool<{attributes}, count_include_pad = {include}>(x)", self.inputs())
                self.agrees(f"LpPool<{attributes}>(x)", self.inputs())

    def test_max_pools(self):
        inputs = self.inputs()
        # Where padding is as large as everything else, it is not the maximum.
        inputs += [np.full((1, 2, 5, 6), -np.inf, np.float32)]
        inputs += [np.where(np.arange(48).reshape(1, 2, 4, 6) % 7 == 3, np.nan, -np.inf).astype(np.float32)]
        for pad in ("SAME_UPPER", "SAME_LOWER"):
            for strides, dilations in (([2, 3], [1, 1]), ([2, 2], [2, 3])):
                for order in (0, 1):
                    attributes = f'auto_pad = "{pad}", kernel_shape = [3, 3], strides = {strides}, dilations = {dilations}, storage_order = {order}'
                    self.agrees(f"MaxPool<{attributes}>Indices(x)", inputs)
        for dtype in (np.int8, np.uint8):
            least = np.full((1, 1, 3, 5), np.iinfo(dtype).min, dtype)
            self.agrees('MaxPool<auto_pad = "SAME_LOWER", kernel_shape = [3, 2], strides = [2, 2]>Indices(x)', [*self.inputs(dtype), least], dtype)


class MovementTest(unittest.TestCase):
    """Rows that are copied as a whole, although no size is known."""

    def test_broadcast(self):
        model = compile_text("g (float[a, b, c] x, float[d, e, f] y, bool[g, h, i] z) => (float[] s, bool[] l, float[] w) { s = Add(x, y) l = Less(y, x) w = Where(z, x, y) }")
        random = np.random.default_rng(4)
        sizes = (3, 5, 17)
        for ones in itertools.product(range(8), repeat=3):
            shapes = [[1 if bits >> i & 1 else size for i, size in enumerate(sizes)] for bits in ones]
            x, y = (random.standard_normal(shape).astype(np.float32) for shape in shapes[:2])
            z = random.random(shapes[2]) < 0.5
            got = model.run(dict(x=x, y=y, z=z))
            np.testing.assert_array_equal(got["s"], x + y, str(shapes))
            np.testing.assert_array_equal(got["l"], y < x, str(shapes))
            np.testing.assert_array_equal(got["w"], np.where(z, x, y), str(shapes))
        with self.assertRaisesRegex(hone.RunError, "Add"):
            model.run(dict(x=x, y=np.ones((1, 1, 16), np.float32)[:, :, :2], z=z[:1, :1, :1]) | dict(x=np.ones((1, 1, 3), np.float32)))

    def test_tile(self):
        x = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
        for shape in ("2, 3, 5", "a, b, c", "a, 3, c"):
            for repeats in ((1, 1, 4), (2, 1, 1), (3, 2, 4), (1, 0, 2), (1, 1, 1)):
                model = compile_text(f"g (float[{shape}] x) => (float[] y) <int64[3] r = {{{', '.join(map(str, repeats))}}}> {{ y = Tile(x, r) }}")
                np.testing.assert_array_equal(model.run(dict(x=x))["y"], np.tile(x, repeats), f"{shape} {repeats}")
            model = compile_text(f"g (float[{shape}] x, int64[3] r) => (float[] y) {{ y = Tile(x, r) }}")
            for repeats in ((1, 1, 4), (3, 2, 1), (0, 2, 2)):
                np.testing.assert_array_equal(model.run(dict(x=x, r=vector(*repeats)))["y"], np.tile(x, repeats), f"{shape} {repeats}")
            with self.assertRaisesRegex(hone.RunError, "Tile"):
                model.run(dict(x=x, r=vector(1, -1, -1)))
        # More dimensions than two for each would have.
        x = np.arange(8, dtype=np.float32).reshape([2] * 3 + [1] * 6)
        model = compile_text("g (float[a, b, c, d, e, f, g, h, i] x, int64[9] r) => (float[] y) { y = Tile(x, r) }")
        repeats = (1, 2, 1, 2, 1, 1, 3, 1, 2)
        np.testing.assert_array_equal(model.run(dict(x=x, r=vector(*repeats)))["y"], np.tile(x, repeats))

    def test_nearest(self):
        model = compile_text('g (float[a, b, c, d] x, int64[4] sizes) => (float[] y) { y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">(x, , , sizes) }')
        x = np.arange(2 * 3 * 4 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
        for sizes in ((2, 3, 4, 6), (2, 3, 8, 12), (2, 3, 4, 18), (2, 3, 2, 6), (2, 3, 2, 12), (4, 3, 4, 3), (2, 6, 4, 6)):
            want = x
            for axis, size in enumerate(sizes):
                want = np.take(want, np.arange(size) * x.shape[axis] // size, axis=axis)
            np.testing.assert_array_equal(model.run(dict(x=x, sizes=vector(*sizes)))["y"], want, str(sizes))

    def test_borders(self):
        x = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
        for shape in ("4, 5, 6", "a, b, c"):
            for mode in ("reflect", "edge", "wrap"):
                for pads in ((0, 0, 2, 0, 0, 3), (0, 0, 0, 0, 0, 2), (1, 2, 3, 0, 1, 2), (1, 0, 0, 2, 0, 0), (0, 0, 0, 0, 0, 0), (0, 1, -1, 0, 0, 2)):
                    model = compile_text(f'g (float[{shape}] x) => (float[] y) <int64[6] p = {{{", ".join(map(str, pads))}}}> {{ y = Pad<mode = "{mode}">(x, p) }}')
                    with self.subTest(shape=shape, mode=mode, pads=pads):
                        # Elements that are cut off still count for what lies beside them.
                        wide = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in zip(pads[:3], pads[3:])], mode)
                        cut = tuple(slice(max(-a, 0), wide.shape[i] - max(-b, 0)) for i, (a, b) in enumerate(zip(pads[:3], pads[3:])))
                        np.testing.assert_array_equal(model.run(dict(x=x))["y"], wide[cut])


class RecurrentTest(unittest.TestCase):
    """Cells with sizes known only at run time, against those of known sizes."""

    def compiled(self, op, attributes, names, shapes):
        arguments = [f"{'int32' if name == 'lengths' else 'float'}[{','.join(map(str, shape))}] {name}" for name, shape in zip(names, shapes) if name]
        states = ["h", "c"] if op == "LSTM" else ["h"]
        results = ", ".join(f"float[] {name}" for name in ["y", *states])
        return compile_text(f"g ({', '.join(arguments)}) => ({results}) {{ y, {', '.join(states)} = {op}<{attributes}>({', '.join(names)}) }}")

    def test_free_sizes(self):
        rng = np.random.default_rng(0)
        steps, batch, features = 4, 3, 5
        for op, gates, hidden, direction, layout, with_state in (
            ("LSTM", 4, 3, "forward", 0, True), ("LSTM", 4, 1, "bidirectional", 1, True), ("LSTM", 4, 6, "reverse", 0, False),
            ("GRU", 3, 3, "reverse", 0, True), ("GRU", 3, 5, "bidirectional", 0, False), ("RNN", 1, 4, "bidirectional", 1, True),
        ):  # fmt: skip
            both = 2 if direction == "bidirectional" else 1
            shapes = [(steps, batch, features), (both, gates * hidden, features), (both, gates * hidden, hidden), (both, 2 * gates * hidden), (batch,)]
            names = ["x", "w", "r", "b", "lengths"]
            if with_state:
                names += ["h0", "c0", "p"] if op == "LSTM" else ["h0"]
                shapes += [(both, batch, hidden), (both, batch, hidden), (both, 3 * hidden)][: len(names) - 5]
            if layout:
                swapped = ("x", "h0", "c0")
                shapes = [(s[1], s[0], s[2]) if name in swapped else s for name, s in zip(names, shapes)]
            attributes = f'direction = "{direction}", layout = {layout}' + (", linear_before_reset = 1" if op == "GRU" and with_state else "")
            inputs = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in zip(names, shapes)}
            inputs["lengths"] = vector(4, 1, 3, dtype=np.int32)
            want = self.compiled(op, attributes, names, shapes).run(inputs)
            free = self.compiled(op, attributes, names, [[f"{name}{i}" for i in range(len(shape))] for name, shape in zip(names, shapes)])
            got = free.run(inputs)
            for name, value in want.items():
                np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6, err_msg=f"{op} {direction} {name}")
            for name in names:
                for axis in range(inputs[name].ndim):
                    if (name, axis) != ("x", 1 if layout else 0):  # nothing else determines the number of steps
                        with self.assertRaisesRegex(hone.RunError, op):
                            free.run(inputs | {name: np.delete(inputs[name], 0, axis)})

    def test_declared_hidden_size(self):
        model = self.compiled("RNN", "hidden_size = 2", ["x", "w", "r"], [("t", "n", "f"), ("d", "h", "f2"), ("d2", "h2", "h3")])
        x, w, r = np.ones((1, 1, 3), np.float32), np.full((1, 2, 3), 0.1, np.float32), np.zeros((1, 2, 2), np.float32)
        np.testing.assert_allclose(model.run(dict(x=x, w=w, r=r))["y"], np.full((1, 1, 1, 2), np.tanh(0.3)), rtol=1e-6)
        with self.assertRaisesRegex(hone.RunError, "RNN"):
            model.run(dict(x=x, w=np.ones((1, 3, 3), np.float32), r=np.zeros((1, 3, 3), np.float32)))


class DeclaredTest(unittest.TestCase):
    """Sizes declared by a body apply if nothing else determines them, and are checked."""

    def test_scan_collects_what_the_data_decide(self):
        model = compile_text("""g (float[t, n] x) => (int64[] y) {
            y = Scan<num_scan_inputs = 1, body = step (float[n] row) => (int64[1, 2] out) { out = NonZero(row) }>(x) }""")
        x = np.array([[0, 3, 0, 5], [1, 0, 1, 0]], np.float32)
        np.testing.assert_array_equal(model.run(dict(x=x))["y"], [[[1, 3]], [[0, 2]]])
        with self.assertRaisesRegex(hone.RunError, "Scan"):
            model.run(dict(x=np.ones((1, 4), np.float32)))

    def test_scan_collects_what_the_steps_alone_tell(self):
        # Both orders, at another axis too, beside a known place and a carried value.
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
