# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions and transposed ones with constant and run-time weights, groups and free sizes, against ONNX Runtime."""
import itertools
import pathlib
import tempfile
import unittest

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import hone


def draw(rng, op):
    """Operator, attributes, input, weights and bias of a random convolution."""
    spatial, group, batch = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3])), int(rng.integers(1, 3))
    channels, outputs = (int(v) for v in rng.integers(1, 6, 2))
    if rng.random() < 0.2:
        outputs = 20
    kernel, strides = ([int(v) for v in rng.integers(1, high, spatial)] for high in (5, 4))
    attributes = dict(strides=strides, group=group, kernel_shape=kernel)
    choice = rng.integers(0, 4)
    if choice == 0:
        attributes["pads"] = [int(rng.integers(0, min(2, k))) for k in kernel + kernel]
    # Where the stride is larger than the kernel, ONNX Runtime's result is smaller than ONNX says.
    elif choice == 1 and op != "ConvInteger" and all(k >= s for k, s in zip(kernel, strides)):
        attributes["auto_pad"] = "SAME_UPPER"
    elif choice == 2 and op == "ConvTranspose":
        attributes["output_padding"] = [int(rng.integers(0, s)) for s in strides]
    if rng.random() < 0.2 and "auto_pad" not in attributes:
        attributes["dilations"] = [int(v) for v in rng.integers(1, 3, spatial)]
    front = (group * channels, outputs) if op == "ConvTranspose" else (group * outputs, channels)
    shapes = (batch, group * channels, *(int(v) for v in rng.integers(1, 9, spatial))), (*front, *kernel)
    if op == "ConvInteger":
        x, w = (rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes)
        return attributes, dict(x=x, w=w, xz=np.uint8(rng.integers(0, 256)), wz=np.uint8(rng.integers(0, 256)))
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return attributes, dict(x=x, w=w, b=rng.standard_normal(group * outputs).astype(np.float32))


def model(op, attributes, values, shapes):
    """The values with a shape are inputs, the others constants."""
    info = lambda name, shape: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), shape)
    inputs = [info(name, shape) for name, shape in shapes.items()]
    result = helper.make_tensor_value_info("y", 6 if op == "ConvInteger" else 1, [None] * values["x"].ndim)
    constants = [numpy_helper.from_array(np.asarray(v), name) for name, v in values.items() if name not in shapes]
    graph = helper.make_graph([helper.make_node(op, list(values), ["y"], name="node", **attributes)], "one", inputs, [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


class Convolutions(unittest.TestCase):
    def check(self, op, seeds):
        quiet = ort.SessionOptions()
        quiet.log_severity_level = 4
        compared = 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            attributes, values = draw(rng, op)
            x, w = values["x"].shape, values["w"].shape
            try:
                want = ort.InferenceSession(model(op, attributes, values, {"x": x}), quiet).run(None, {"x": values["x"]})[0]
            except Exception:
                continue
            compared += 1
            free = ["n", x[1], "h", "k", "l"][: len(x)]
            variants = [{"x": x}, {"x": free}] if seed % 2 else [{"x": x, "w": w}, {"x": free, "w": w}]
            if op != "ConvInteger":  # all sizes of the weights are known only at run time
                variants.append({"x": ["n", "c", "h", "k", "l"][: len(x)], "w": list("abdef"[: len(w)])})
            for shapes in variants:
                own = {name: value for name, value in attributes.items() if name != "kernel_shape" or shapes.get("w", w) == w}
                with self.subTest(seed=seed, op=op, x=x, w=w, shapes=shapes, **own):
                    got = hone.compile(model(op, own, values, shapes)).run({name: values[name] for name in shapes})["y"]
                    self.assertEqual(got.shape, want.shape)
                    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
        self.assertGreater(compared, seeds // 2)

    def test_convolutions(self):
        self.check("Conv", 12)

    def test_transposed(self):
        self.check("ConvTranspose", 16)

    def test_integers(self):
        self.check("ConvInteger", 8)

    def test_depthwise_rows(self):
        """Unrolled kernels and others, over rows of known and free sizes, with borders as wide as the row."""
        rng = np.random.default_rng(3)
        for kernel, stride, dilation, width in [(3, 1, 1, 21), (5, 2, 1, 40), (3, 3, 2, 17), (17, 1, 1, 9), (31, 1, 1, 100), (18, 2, 2, 64), (33, 1, 2, 20), (31, 1, 1, 1)]:
            half = dilation * (kernel - 1) // 2
            for channels, pads in [(8, (half, half)), (21, (half, 0)), (16, (0, kernel * dilation))]:
                attributes = dict(kernel_shape=[2, kernel], strides=[1, stride], dilations=[1, dilation], group=channels, pads=[0, pads[0], 1, pads[1]])
                shape = (1, channels, 3, width)
                if width + sum(pads) < 2 * half + 1:
                    continue
                values = {"x": rng.standard_normal(shape), "w": rng.standard_normal((channels, 1, 2, kernel)), "b": rng.standard_normal(channels)}
                values = {name: value.astype(np.float32) for name, value in values.items()}
                want = ort.InferenceSession(model("Conv", attributes, values, {"x": shape})).run(None, {"x": values["x"]})[0]
                free = {"x": ["n", channels, "h", "k"]}
                for shapes, cpu in [({"x": shape}, "native"), (free, "native"), ({"x": shape}, "x86-64-v2"), (free, "x86-64-v3")]:
                    with self.subTest(shapes=shapes, cpu=cpu, **attributes):
                        got = hone.compile(model("Conv", attributes, values, shapes), cpu=cpu).run({"x": values["x"]})["y"]
                        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)

    def test_shared_rows(self):
        """Rows that are computed together, of windows that leave the input, with infinities that no other row may see."""
        rng = np.random.default_rng(5)
        levels = itertools.cycle(["native", "x86-64-v2", "native", "x86-64-v3"])
        for kernel, stride, spatial in itertools.product((2, 3, 5, 7), (1, 2), (2, 3)):
            if kernel <= stride:
                continue
            for height in (1, 2, 4, 7, 9, 14):
                width, group, inner = int(rng.integers(1, 70)), int(rng.integers(1, 4)), int(rng.integers(1, 3))
                pads = [int(rng.integers(0, kernel)) for _ in range(2)] + [int(rng.integers(0, 2)) for _ in range(2)]
                if height + pads[0] + pads[1] < kernel or width + pads[2] + pads[3] < 3:
                    continue
                depth = [2] * (spatial - 2)
                attributes = dict(kernel_shape=[*(1 for _ in depth), kernel, 3], strides=[*(1 for _ in depth), stride, int(rng.integers(1, 3))], group=group,
                                  pads=[*(0 for _ in depth), pads[0], pads[2], *(0 for _ in depth), pads[1], pads[3]])
                shape = (2, group * inner, *depth, height, width)
                x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, (2 * group, inner, *attributes["kernel_shape"])))
                x[..., rng.integers(0, height), :] = np.inf
                values = {"x": x, "w": w, "b": rng.standard_normal(2 * group).astype(np.float32)}
                want = ort.InferenceSession(model("Conv", attributes, values, {"x": shape})).run(None, {"x": x})[0]
                for dims in (shape, ["n", shape[1], *depth, "h", "k"]):
                    cpu = next(levels)
                    with self.subTest(shape=shape, dims=dims, cpu=cpu, **attributes):
                        got = hone.compile(model("Conv", attributes, values, {"x": dims}), cpu=cpu).run({"x": x})["y"]
                        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)

    def test_large_kernels_stay_small_code(self):
        shape, attributes = (1, 8, 114, 500), dict(kernel_shape=[16, 16], strides=[2, 2], pads=[7] * 4, group=8)
        values = {"x": np.zeros(shape, np.float32), "w": np.zeros((8, 1, 16, 16), np.float32), "b": np.zeros(8, np.float32)}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.so"
            hone.compile(model("Conv", attributes, values, {"x": shape, "w": (8, 1, 16, 16)}), output=str(path))
            self.assertLess(path.stat().st_size, 150_000)

    def test_rows_far_apart(self):
        """Rows between those that a kernel reads are not converted for products of bf16, or are too many to be."""
        rng = np.random.default_rng(8)
        for dilation, stride, rows in [(2200, 1, 8), (12, 1, 30), (3, 2, 20), (1, 5, 33)]:
            pads = [dilation, 1] * 2
            attributes = dict(kernel_shape=[3, 3], dilations=[dilation, 1], strides=[stride, 1], pads=pads)
            values = {"x": rng.integers(-4, 5, (2, 64, rows, 24)).astype(np.float32), "w": rng.integers(-4, 5, (32, 64, 3, 3)).astype(np.float32)}
            parts = model("Conv", attributes, values, {"x": values["x"].shape})
            want = hone.compile(parts, cpu="x86-64-v3").run({"x": values["x"]})["y"]
            for cpu in ("native", "emulated-sapphirerapids", "emulated-cooperlake"):
                with self.subTest(dilation=dilation, stride=stride, cpu=cpu):
                    got = hone.compile(parts, cpu=cpu, precision="bf16").run({"x": values["x"]})["y"]
                    np.testing.assert_array_equal(got, want)  # Small integers are exact.

    def test_results_with_channels_first(self):
        """Tiles of pixels that are stored transposed: remainders of pixels and channels, images, groups, epilogues, results that others need."""
        rng = np.random.default_rng(7)
        tails = {"none": [], "Relu": ["Relu"], "Sigmoid": ["Sigmoid"], "swish": ["Sigmoid", "Mul"], "residual": ["Add"], "twice": ["Relu", "both"]}
        # Products of several images' pixels, with and without strides; rows of one pixel.
        fixed = [(2, 1, 2, 16, 32, 1, stride, [40, 40], "none") for stride in (1, 2)] + [(1, 1, 1, 16, 32, 3, 1, [1], "none"), (2, 1, 1, 16, 32, 3, 1, [30, 1], "Relu")]
        for i in range(60):
            spatial, group, batch = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2])), int(rng.choice([1, 1, 3]))
            inner, outer = (int(rng.choice([3, 16, 24, 40])), int(rng.choice([16, 17, 20, 33, 48])))
            kernel, stride, size = int(rng.choice([1, 1, 3])), int(rng.integers(1, 3)), [int(v) for v in rng.integers(1, (40, 40, 20, 8)[spatial], spatial)]
            kind = list(tails)[i % len(tails)]
            if i < len(fixed):
                spatial, group, batch, inner, outer, kernel, stride, size, kind = fixed[i]
            shape, weights = (batch, group * inner, *size), (group * outer, inner, *[kernel] * spatial)
            x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, weights))
            b = rng.standard_normal(group * outer).astype(np.float32)
            nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], group=group, strides=[stride] * spatial, pads=[kernel // 2] * (2 * spatial))]
            result = (batch, group * outer, *((n + stride - 1) // stride for n in size))
            feeds, outputs, last = {"x": x}, ["y"], "c"
            for op in tails[kind]:
                if op == "both":
                    outputs.append("p")
                    nodes.append(helper.make_node("ReduceSum", [last], ["p"], keepdims=0))
                    continue
                inputs = {"Mul": ["c", last], "Add": [last, "r"]}.get(op, [last])
                nodes.append(helper.make_node(op, inputs, [f"{last}_"]))
                last = f"{last}_"
            if kind == "residual":
                feeds["r"] = rng.standard_normal(result).astype(np.float32)
            nodes.append(helper.make_node("Identity", [last], ["y"]))
            info = lambda name, dims: helper.make_tensor_value_info(name, 1, dims)
            graph = helper.make_graph(nodes, "one", [info(n, v.shape) for n, v in feeds.items()], [info("y", result)] + [info("p", [])] * (len(outputs) - 1),
                                      [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")])
            proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
            want = ort.InferenceSession(proto).run(outputs, feeds)
            for cpu in "native", "x86-64-v3":
                with self.subTest(i=i, kind=kind, cpu=cpu, x=shape, w=weights, stride=stride):
                    got = hone.compile(proto, cpu=cpu).run(feeds)
                    for name, value in zip(outputs, want):
                        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-3)

    def test_pointwise(self):
        """One image and others, with maps behind: of channels, of rows, and of the whole image."""
        rng = np.random.default_rng(5)
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["c"]),
            helper.make_node("PRelu", ["c", "slope"], ["p"]),
            helper.make_node("Add", ["p", "row"], ["r"]),
            helper.make_node("Mul", ["r", "c"], ["y"]),
        ]
        for batch, channels, outputs, size in [(1, 5, 7, (23, 29)), (1, 64, 3, (1024,)), (1, 1, 16, (9, 8, 9)), (2, 5, 7, (23, 29)), (1, 8, 8, (5, 5))]:
            ones = [1] * len(size)
            values = dict(w=(outputs, channels, *ones), b=(outputs,), slope=(outputs, *ones), row=size)
            values = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in values.items()}
            x = rng.standard_normal((batch, channels, *size)).astype(np.float32)
            graph = helper.make_graph(
                nodes,
                "pointwise",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "ycp"],
                [numpy_helper.from_array(value, name) for name, value in values.items()],
            )
            made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
            want = ort.InferenceSession(made).run(None, {"x": x})
            for target in {}, {"target": "cuda-emulated"}:
                with self.subTest(x=x.shape, **target):
                    got = hone.compile(made, **target).run({"x": x})
                    for name, value in zip("ycp", want):
                        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-4)

    def test_windows_that_do_not_fit(self):
        values = dict(x=np.zeros((1, 2, 4), np.float32), w=np.zeros((3, 2, 5), np.float32), b=np.zeros(3, np.float32))
        run = hone.compile(model("Conv", {}, values, {"x": "nct", "w": "abd"})).run
        with self.assertRaisesRegex(hone.RunError, "shapes do not fit together"):
            run({name: values[name] for name in ("x", "w")})
        with self.assertRaisesRegex(hone.RunError, "shapes do not fit together"):
            run({"x": values["x"], "w": np.zeros((3, 2, 0), np.float32)})

    def test_long_sums_of_integers(self):
        """Above 2^24 a float does not hold each integer, above 2^31 an int32 wraps around."""
        for channels in 260, 34000:
            values = dict(x=np.full((1, channels, 1), 255, np.uint8), w=np.full((2, channels, 1), 255, np.uint8))
            values["w"][1] -= 1
            got = hone.compile(model("ConvInteger", {}, values, {"x": (1, channels, 1)})).run({"x": values["x"]})["y"]
            with self.subTest(channels=channels):
                want = (np.array([255, 254]) * 255 * channels).astype(np.uint32).view(np.int32)
                np.testing.assert_array_equal(got.ravel(), want)


if __name__ == "__main__":
    unittest.main()
