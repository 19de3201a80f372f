# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of bytes, and what is between them, against NumPy, on every CPU level that this machine runs
or emulates.

Sums in int32 are exact, so MatMulInteger and ConvInteger must be equal; what is quantized again behind a product may
differ by one step, where a sum lies half way between two. Bytes are drawn from the ends of their range as well as from
all of it, zero points lie at both ends, and K does and does not make whole steps of four.
"""
import pathlib
import threading
import unittest

import numpy as np
from onnx import helper, numpy_helper

import hone

UINT8, INT8 = np.uint8, np.int8
# VNNI with 256 and with 512 bits, and AMX.
EMULATED = ["emulated-alderlake", "emulated-cascadelake", "emulated-sapphirerapids"]


def levels():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split("processor", 2)[1].split()
    named = {"x86-64-v3": "avx2", "x86-64-v4": "avx512vl", "cascadelake": "avx512_vnni"}
    return ["native", "x86-64-v2"] + [name for name, flag in named.items() if flag in flags] + EMULATED


def draw(rng, shape, dtype):
    info = np.iinfo(dtype)
    if rng.integers(2):
        return rng.choice(np.array([info.min, info.max, 0, 1], dtype), shape)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def draw_zero(rng, shape, dtype):
    info = np.iinfo(dtype)
    return rng.choice(np.array([info.min, info.max, 0, 3], dtype), shape)


def compile_nodes(nodes, inputs, constants, outputs, cpu):
    def declared(name, value, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)

    graph = helper.make_graph(
        nodes, "g", [declared(name, value, shape) for name, (value, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, elem, None) for name, elem in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return hone.compile(model.SerializeToString(), cpu=cpu)


def convolve(x, w, strides, pads, group):
    """In int64: [N, C, H, W] with [O, C / group, h, w]."""
    x = np.pad(x, ((0, 0), (0, 0), (pads, pads), (pads, pads)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, ::strides, ::strides]
    parts = [np.einsum("nchwij,ocij->nohw", a, b)
             for a, b in zip(np.split(windows, group, 1), np.split(w, group, 0))]
    return np.concatenate(parts, 1)


class IntegerTest(unittest.TestCase):
    def test_small_stack(self):
        """Copies of rows do not lie on the stack of the caller's thread."""
        rng = np.random.default_rng(0)
        a, b = draw(rng, (512, 1024), UINT8), draw(rng, (1024, 64), INT8)
        model = compile_nodes([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], {"a": (a, a.shape)}, {"b": b}, {"y": 6}, "x86-64-v2")
        got = []
        before = threading.stack_size(128 << 10)
        try:
            thread = threading.Thread(target=lambda: got.append(model.run({"a": a})["y"]))
            thread.start()
            thread.join()
        finally:
            threading.stack_size(before)
        np.testing.assert_array_equal(got[0], a.astype(np.int64) @ b)

    def test_matmul(self):
        rng = np.random.default_rng(1)
        for number in range(60):
            m, n = (int(rng.choice([1, 2, 5, 14, 33, 97])) for _ in range(2))
            k = int(rng.choice([1, 2, 3, 4, 5, 31, 64, 255, 1027]))
            left, right = (UINT8, INT8)[rng.integers(2)], (UINT8, INT8)[rng.integers(2)]
            batch = [[], [2], [2, 3]][rng.integers(3)]
            a, b = draw(rng, (*batch, m, k), left), draw(rng, (k, n), right)
            za = draw_zero(rng, [(), (1,)][rng.integers(2)], left)
            zb = draw_zero(rng, [(), (1,), (n,)][rng.integers(3)], right)
            known, free = bool(rng.integers(4)), bool(rng.integers(2))
            cpu = levels()[number % len(levels())]
            with self.subTest(m=m, n=n, k=k, left=left, right=right, batch=batch, za=za, zb=zb.shape, known=known, free=free, cpu=cpu):
                shape = ["m" if free and i == a.ndim - 2 else size for i, size in enumerate(a.shape)]
                inputs, constants = {"a": (a, shape)}, {"za": za, "zb": zb}
                if known:
                    constants["b"] = b
                else:
                    inputs["b"] = (b, b.shape)
                model = compile_nodes([helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["y"])], inputs, constants, {"y": 6}, cpu)
                got = model.run({name: value for name, (value, _) in inputs.items()})["y"]
                want = (a.astype(np.int64) - za) @ (b.astype(np.int64) - zb)
                np.testing.assert_array_equal(got, want.astype(np.int32))

    def test_zero_points_of_the_run(self):
        rng = np.random.default_rng(2)
        for k in 3, 64:
            a, b = draw(rng, (7, k), INT8), draw(rng, (k, 9), UINT8)
            za, zb = draw_zero(rng, (), INT8), draw_zero(rng, (9,), UINT8)
            inputs = {"a": (a, a.shape), "za": (za, []), "zb": (zb, [9])}
            model = compile_nodes([helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["y"])], inputs, {"b": b}, {"y": 6}, "native")
            got = model.run({"a": a, "za": za, "zb": zb})["y"]
            np.testing.assert_array_equal(got, (a.astype(np.int64) - za) @ (b.astype(np.int64) - zb))

    def test_no_rows(self):
        a, b = np.zeros((0, 4), UINT8), np.ones((4, 3), INT8)
        constants = {"b": b, "za": np.zeros(0, UINT8), "zb": np.array(1, INT8)}
        node = helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["y"])
        got = compile_nodes([node], {"a": (a, a.shape)}, constants, {"y": 6}, "native").run({"a": a})["y"]
        self.assertEqual(got.shape, (0, 3))

    def test_convolution(self):
        rng = np.random.default_rng(3)
        for number in range(60):
            group = int(rng.choice([1, 1, 2, 4]))
            channels, outputs = group * int(rng.choice([1, 3, 4, 8, 17])), group * int(rng.choice([1, 5, 16, 40]))
            kernel, stride, pads = int(rng.choice([1, 2, 3])), int(rng.integers(1, 3)), int(rng.integers(0, 3))
            x = draw(rng, (int(rng.integers(1, 3)), channels, 9, int(rng.choice([7, 30]))), (UINT8, INT8)[rng.integers(2)])
            w = draw(rng, (outputs, channels // group, kernel, kernel), (UINT8, INT8)[rng.integers(2)])
            zx, zw = draw_zero(rng, (), x.dtype), draw_zero(rng, (), w.dtype)
            known, free = bool(rng.integers(4)), bool(rng.integers(2))
            cpu = levels()[number % len(levels())]
            with self.subTest(group=group, x=x.shape, w=w.shape, types=(x.dtype, w.dtype), stride=stride, pads=pads, zx=zx, zw=zw, known=known, free=free, cpu=cpu):
                shape = ["n", channels, "h", "w"] if free else x.shape
                inputs, constants = {"x": (x, shape)}, {"zx": zx, "zw": zw}
                if known:
                    constants["w"] = w
                else:
                    inputs["w"] = (w, w.shape)
                node = helper.make_node("ConvInteger", ["x", "w", "zx", "zw"], ["y"], strides=[stride] * 2, pads=[pads] * 4, group=group)
                got = compile_nodes([node], inputs, constants, {"y": 6}, cpu).run({name: value for name, (value, _) in inputs.items()})["y"]
                want = convolve(x.astype(np.int64) - zx, w.astype(np.int64) - zw, stride, pads, group)
                np.testing.assert_array_equal(got, want)

    def test_depthwise(self):
        """Padding reads as the zero point, in rows, in columns and in corners."""
        rng = np.random.default_rng(6)
        for number in range(60):
            channels = int(rng.choice([1, 2, 15, 16, 33, 64]))
            kernel, stride, pads = int(rng.choice([1, 2, 3, 5, 7, 17])), int(rng.integers(1, 3)), int(rng.integers(0, 3))
            high, wide = (max(int(rng.choice([1, 4, 9, 30])), kernel - 2 * pads) for _ in range(2))
            x = draw(rng, (int(rng.integers(1, 3)), channels, high, wide), (UINT8, INT8)[rng.integers(2)])
            w = draw(rng, (channels, 1, kernel, kernel), INT8)
            zx, known, free = draw_zero(rng, (), x.dtype), bool(rng.integers(4)), bool(rng.integers(2))
            cpu = levels()[number % len(levels())]
            with self.subTest(x=x.shape, w=w.shape, types=(x.dtype, w.dtype), stride=stride, pads=pads, zx=zx, known=known, free=free, cpu=cpu):
                inputs, constants = {"x": (x, ["n", channels, "h", "w"] if free else x.shape)}, {"zx": zx}
                if known:
                    constants["w"] = w
                else:
                    inputs["w"] = (w, w.shape)
                node = helper.make_node("ConvInteger", ["x", "w", "zx"], ["y"], strides=[stride] * 2, pads=[pads] * 4, group=channels)
                got = compile_nodes([node], inputs, constants, {"y": 6}, cpu).run({name: value for name, (value, _) in inputs.items()})["y"]
                np.testing.assert_array_equal(got, convolve(x.astype(np.int64) - zx, w.astype(np.int64), stride, pads, channels))


def draw_pairs(rng, k, n, kind):
    """Weights, of blocks of 16 along K. "bound": each has a partner in its block with which it makes 128 or -128, or the
    sign of which differs. "lacking": nine of a block are so large that no two of them go together. "wide": most are."""
    if kind == "normal":
        return np.clip(np.round(rng.standard_normal((k, n)) * 32), -128, 127).astype(INT8)
    if kind == "wide":
        return rng.choice(np.array([-128, 127], INT8), (k, n))
    w = np.zeros((k, n), np.int64)
    for block in range(0, k, 16):
        for half in range(0, n, 8):
            part = w[block:block + 16, half:half + 8]
            order = rng.permutation(16)
            first = rng.integers(-128, 128, (8, part.shape[1]))
            second = np.where(first > 0, 128, -128) - first
            part[order[:8]] = first
            part[order[8:]] = np.where(rng.integers(3, size=first.shape) > 0, second, np.where(first > 0, -128, 127))
    if kind == "lacking":
        block = 16 * rng.integers(k // 16)
        large = rng.permutation(16)[:9]
        w[block:block + 16] = 0
        w[block + large, rng.integers(n)] = rng.choice([65, 127]) if rng.integers(2) else rng.choice([-65, -128])
    return w.astype(INT8)


class PairsTest(unittest.TestCase):
    """Weights of which two products are added in 16 bits, which must not saturate: in an order, and with corrections."""

    kinds = {"normal": None, "bound": "pair_bytes", "lacking": "pair_bytes", "wide": "add_pairs"}

    def left(self, rng, shape):
        return [lambda: np.full(shape, 255, UINT8), lambda: rng.choice(np.array([0, 255], UINT8), shape),
                lambda: rng.integers(0, 256, shape, UINT8)][rng.integers(3)]()

    def check(self, model, feeds, want, kind):
        np.testing.assert_array_equal(model.run(feeds)["y"], want)
        if "avx2" in pathlib.Path("/proc/cpuinfo").read_text() and self.kinds[kind]:
            self.assertTrue(any(kernel.arithmetic.startswith(self.kinds[kind]) for kernel in model.kernels()), model.kernels())

    def test_matmul(self):
        rng = np.random.default_rng(8)
        for number in range(60):
            kind = list(self.kinds)[number % 4]
            m, n = int(rng.choice([8, 9, 33, 130])), int(rng.choice([1, 7, 8, 16, 20, 33, 72]))
            k = int(rng.choice([16, 32, 112, 384, 592, 1040, 2048]))
            a, b, free = self.left(rng, (m, k)), draw_pairs(rng, k, n, kind), bool(rng.integers(2))
            za = np.array(rng.choice([0, 255, 100]), UINT8)
            with self.subTest(m=m, n=n, k=k, kind=kind, free=free):
                model = compile_nodes([helper.make_node("MatMulInteger", ["a", "b", "za"], ["y"])], {"a": (a, ["m", k] if free else a.shape)},
                                      {"b": b, "za": za}, {"y": 6}, "x86-64-v3")
                self.check(model, {"a": a}, (a.astype(np.int64) - za) @ b.astype(np.int64), kind)

    def test_convolution(self):
        rng = np.random.default_rng(9)
        for number in range(60):
            kind = list(self.kinds)[number % 4]
            channels, outputs = int(rng.choice([16, 48, 96, 192])), int(rng.choice([1, 8, 12, 40]))
            kernel, stride, pads = int(rng.choice([1, 2, 3])), int(rng.integers(1, 3)), int(rng.integers(0, 3))
            dilation = int(rng.choice([1, 1, 2])) if stride == 1 and pads == 2 and kernel == 3 else 1
            x = self.left(rng, (int(rng.integers(1, 3)), channels, 9, int(rng.choice([7, 30]))))
            w = draw_pairs(rng, channels * kernel * kernel, outputs, kind)
            w = np.ascontiguousarray(w.reshape(kernel, kernel, channels, outputs).transpose(3, 2, 0, 1))
            zx, free = np.array(rng.choice([0, 0, 100]), UINT8), bool(rng.integers(2))
            with self.subTest(x=x.shape, w=w.shape, stride=stride, pads=pads, dilation=dilation, zx=zx, free=free, kind=kind):
                node = helper.make_node("ConvInteger", ["x", "w", "zx"], ["y"], strides=[stride] * 2, pads=[pads] * 4, dilations=[dilation] * 2)
                model = compile_nodes([node], {"x": (x, ["n", channels, "h", "w"] if free else x.shape)}, {"w": w, "zx": zx}, {"y": 6}, "x86-64-v3")
                spread = np.zeros((*w.shape[:2], *((kernel - 1) * dilation + 1,) * 2), np.int64)
                spread[:, :, ::dilation, ::dilation] = w
                self.check(model, {"x": x}, convolve(x.astype(np.int64) - zx, spread, stride, pads, 1), kind)

    def test_empty_image(self):
        w = draw_pairs(np.random.default_rng(10), 192, 8, "lacking").T.reshape(8, 192, 1, 1)
        zero, shape = np.array(0, UINT8), ["n", 192, "h", "w"]
        node = helper.make_node("ConvInteger", ["x", "w", "zx"], ["y"], pads=[1] * 4)
        for height, width in (0, 5), (5, 0), (0, 0):
            x = np.zeros((1, 192, height, width), UINT8)
            model = compile_nodes([node], {"x": (x, shape)}, {"w": np.ascontiguousarray(w), "zx": zero}, {"y": 6}, "x86-64-v3")
            self.check(model, {"x": x}, np.zeros((1, 8, height + 2, width + 2)), "lacking")


class TwoInputsTest(unittest.TestCase):
    """Products of two inputs, as in attention: nothing is packed, and no sum is known, before the run."""

    def operand(self, rng, batch, rows, columns, dtype, transposed, free):
        """An input, its shape with free dimensions, and its matrix."""
        value = draw(rng, (*batch, *((columns, rows) if transposed else (rows, columns))), dtype)
        shape = [f"d{rng.integers(1 << 30)}" if free and rng.integers(2) else size for size in value.shape]
        return value, shape, np.swapaxes(value, -1, -2) if transposed else value

    def test_products(self):
        rng = np.random.default_rng(11)
        for number in range(72):
            m, n = (int(rng.choice([1, 2, 4, 5, 14, 33, 97])) for _ in range(2))
            k = int(rng.choice([1, 2, 3, 4, 5, 31, 64, 130, 255]))
            left, right = (UINT8, INT8)[rng.integers(2)], (UINT8, INT8)[rng.integers(2)]
            batch = [(), (2,), (2, 3)][rng.integers(3)]
            other = [batch, batch, batch[1:], tuple(1 for _ in batch)][rng.integers(4)]
            transposed, free, integer = (bool(rng.integers(2)) for _ in range(3))
            cpu = levels()[number % len(levels())]
            with self.subTest(m=m, n=n, k=k, types=(left, right), batch=batch, other=other, transposed=transposed, free=free, integer=integer, cpu=cpu):
                a, shape, x = self.operand(rng, batch, m, k, left, False, free)
                b, rhs_shape, y = self.operand(rng, other, k, n, right, transposed, free and other == batch)
                za, zb = draw_zero(rng, (), left), draw_zero(rng, (), right)
                want = (x.astype(np.int64) - za) @ (y.astype(np.int64) - zb)
                order = [*range(b.ndim - 2), b.ndim - 1, b.ndim - 2]
                moves = [helper.make_node("Transpose", ["b"], ["c"], perm=order)] if transposed else [helper.make_node("Identity", ["b"], ["c"])]
                constants, outputs = {"za": za, "zb": zb}, {"y": 6}
                if integer:
                    nodes = [*moves, helper.make_node("MatMulInteger", ["a", "c", "za", "zb"], ["y"])]
                else:
                    # Powers of two: all products and sums are numbers of f32.
                    constants |= {"sa": np.array(0.03125, np.float32), "sb": np.array(0.0078125, np.float32)}
                    want, outputs = want * 0.03125 * 0.0078125, {"y": 1}
                    nodes = [helper.make_node("DequantizeLinear", ["a", "sa", "za"], ["f"]), helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["g"]),
                             helper.make_node("Transpose", ["g"], ["h"], perm=order) if transposed else helper.make_node("Identity", ["g"], ["h"]),
                             helper.make_node("MatMul", ["f", "h"], ["y"])]
                model = compile_nodes(nodes, {"a": (a, shape), "b": (b, rhs_shape)}, constants, outputs, cpu)
                got = model.run({"a": a, "b": b})["y"]
                np.testing.assert_array_equal(got, want)
                if not free:
                    self.assertTrue(any("u8 x s8" in kernel.arithmetic for kernel in model.kernels()), model.kernels())

    def test_attention(self):
        """With a step between all operations: levels and free sizes agree."""
        rng = np.random.default_rng(12)
        for rows, keys, depth in ((1, 7, 8), (6, 6, 3), (33, 50, 32), (70, 197, 20)):
            shapes = {"q": (1, rows, 2, depth), "k": (1, keys, 2, depth), "v": (1, keys, 2, 24)}
            feeds = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
            constants, nodes = {}, []

            def step(name, scale, zero):
                constants.update({"s" + name: np.array(scale, np.float32), "z" + name: np.array(zero, UINT8)})
                nodes.append(helper.make_node("QuantizeLinear", [name, "s" + name, "z" + name], [name + "_q"]))
                nodes.append(helper.make_node("DequantizeLinear", [name + "_q", "s" + name, "z" + name], [name + "_f"]))

            for name, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
                step(name, 0.03, 120)
                nodes.append(helper.make_node("Transpose", [name + "_f"], [name + "_t"], perm=order))
            nodes.append(helper.make_node("MatMul", ["q_t", "k_t"], ["s"]))
            step("s", 0.08, 130)
            nodes.append(helper.make_node("Softmax", ["s_f"], ["p"], axis=-1))
            step("p", 1 / 255, 0)
            nodes.append(helper.make_node("MatMul", ["p_f", "v_t"], ["y"]))
            step("y", 0.02, 128)
            results = {}
            for free in (False, True):
                inputs = {name: (value, [f"{name}{i}" if free and i != 2 else size for i, size in enumerate(value.shape)]) for name, value in feeds.items()}
                for cpu in levels():
                    results[cpu, free] = compile_nodes(nodes, inputs, constants, {"y_q": 2}, cpu).run(feeds)["y_q"].astype(int)
            first = results["native", False]
            for key, result in results.items():
                with self.subTest(rows=rows, keys=keys, depth=depth, key=key):
                    wrong = np.abs(result - first)
                    self.assertLessEqual(wrong.max(), 1)
                    self.assertLess((wrong > 0).mean(), 0.02)


class QuantizedTest(unittest.TestCase):
    """A product between DequantizeLinear and QuantizeLinear."""

    def check(self, rng, node, x, w, axis, real, cpu, zx=None):
        low = np.iinfo(x.dtype).min
        zx, zy = draw_zero(rng, (), x.dtype) if zx is None else zx, np.array(low + 128, x.dtype)
        columns = w.shape[axis]
        sw = (rng.random(columns) * 0.02 + 0.001).astype(np.float32)
        zw = np.zeros(columns, w.dtype) if w.dtype == INT8 else np.full(columns, 128, UINT8)
        sx, bias = np.float32(0.03), rng.standard_normal(columns).astype(np.float32)
        spread = np.ones(w.ndim, int)
        spread[axis] = columns
        want = real((x.astype(np.float64) - zx) * float(sx), (w.astype(np.float64) - zw.reshape(spread)) * sw.astype(np.float64).reshape(spread))
        along = -1 if node.op_type == "MatMul" else 1
        spread = np.ones(want.ndim, int)
        spread[along] = columns
        want = np.maximum(want + bias.reshape(spread), 0)
        sy = np.float32(max(want.max(), 1) / 127)
        nodes = [
            helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["xf"]),
            helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wf"], axis=axis),
            node,
            helper.make_node("Add", ["p", "bias"], ["s"]),
            helper.make_node("Relu", ["s"], ["r"]),
            helper.make_node("QuantizeLinear", ["r", "sy", "zy"], ["y"]),
        ]
        constants = {"w": w, "sx": np.array(sx), "zx": zx, "sw": sw, "zw": zw, "bias": bias.reshape(spread[1:] if along == 1 else -1), "sy": np.array(sy), "zy": zy}
        model = compile_nodes(nodes, {"x": (x, x.shape)}, constants, {"y": 2 if x.dtype == UINT8 else 3}, cpu)
        got = model.run({"x": x})["y"].astype(int)
        info = np.iinfo(x.dtype)
        want = np.clip(np.rint(want / float(sy)) + int(zy), info.min, info.max)
        wrong = np.abs(got - want)
        self.assertLessEqual(wrong.max(), 1)
        self.assertLess((wrong > 0).mean(), 0.02)

    def test_residuals(self):
        """Levels agree, also where one column is left; what is quantized twice has a long epilogue."""
        rng = np.random.default_rng(9)
        for n in (1, 15, 17, 33, 49, 50, 161):
            x, residual = (rng.standard_normal((1, size, 26)).astype(np.float32) for size in (32, n))
            constants = {"w": draw(rng, (n, 32, 1), INT8), "sw": rng.random(n).astype(np.float32) * 1e-3 + 1e-5, "zw": np.zeros(n, INT8),
                         "b": rng.standard_normal(n).astype(np.float32)}
            for name, scale, zero in (("x", 0.02, 100), ("r", 0.03, 161), ("p", 0.05, 188), ("t", 0.046, 0)):
                constants |= {"s" + name: np.array(scale, np.float32), "z" + name: np.array(zero, UINT8)}
            nodes = []
            for value, name in (("x", "x"), ("residual", "r")):
                nodes += [helper.make_node("QuantizeLinear", [value, "s" + name, "z" + name], [name + "q"]),
                          helper.make_node("DequantizeLinear", [name + "q", "s" + name, "z" + name], [name + "f"])]
            nodes += [
                helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wf"], axis=0),
                helper.make_node("Conv", ["xf", "wf", "b"], ["p"]),
                helper.make_node("QuantizeLinear", ["p", "sp", "zp"], ["q"]),
                helper.make_node("DequantizeLinear", ["q", "sp", "zp"], ["qf"]),
                helper.make_node("Add", ["qf", "rf"], ["t"]),
                helper.make_node("QuantizeLinear", ["t", "st", "zt"], ["y"]),
            ]
            inputs = {"x": (x, x.shape), "residual": (residual, residual.shape)}
            results = {cpu: compile_nodes(nodes, inputs, constants, {"y": 2}, cpu).run({"x": x, "residual": residual})["y"] for cpu in levels()}
            for cpu, result in results.items():
                with self.subTest(n=n, cpu=cpu):
                    # Only what lies half way between two may differ, without fused multiply-add.
                    wrong = np.abs(result.astype(int) - results["x86-64-v2"])
                    self.assertLessEqual(wrong.max(), 1)
                    self.assertLess((wrong > 0).mean(), 0.02)

    def test_matmul(self):
        rng = np.random.default_rng(4)
        for number in range(24):
            m, n, k = int(rng.choice([1, 6, 40])), int(rng.choice([3, 16, 17, 49, 70])), int(rng.choice([3, 64, 130]))
            x, w = draw(rng, (m, k), (UINT8, INT8)[number % 2]), draw(rng, (k, n), (UINT8, INT8)[number // 2 % 2])
            cpu = levels()[number % len(levels())]
            with self.subTest(m=m, n=n, k=k, types=(x.dtype, w.dtype), cpu=cpu):
                self.check(rng, helper.make_node("MatMul", ["xf", "wf"], ["p"]), x, w, 1, np.matmul, cpu)

    def test_convolution(self):
        rng = np.random.default_rng(5)
        for number in range(24):
            group = int(rng.choice([1, 2, 8]))
            x = draw(rng, (1, 8 * group, 10, 12), (UINT8, INT8)[number % 2])
            w = draw(rng, (6 * group, 8, 3, 3), (UINT8, INT8)[number // 2 % 2])
            cpu = levels()[number % len(levels())]
            with self.subTest(group=group, types=(x.dtype, w.dtype), cpu=cpu):
                node = helper.make_node("Conv", ["xf", "wf"], ["p"], pads=[1] * 4, group=group)
                self.check(rng, node, x, w, 0, lambda a, b: convolve(a, b, 1, 1, group), cpu)

    def test_depthwise(self):
        rng = np.random.default_rng(7)
        for number in range(16):
            x = draw(rng, (1, 24, 10, 12), (UINT8, INT8)[number % 2])
            w = draw(rng, (24, 1, 3, 3), (UINT8, INT8)[number // 2 % 2])
            cpu = levels()[number % len(levels())]
            with self.subTest(types=(x.dtype, w.dtype), cpu=cpu):
                node = helper.make_node("Conv", ["xf", "wf"], ["p"], pads=[1] * 4, group=24)
                self.check(rng, node, x, w, 0, lambda a, b: convolve(a, b, 1, 1, 24), cpu)

    def test_transposed(self):
        """Where the zero point of the input is its lowest byte, as behind a Relu."""
        rng = np.random.default_rng(12)

        def transposed(x, w, stride):
            size = [(n - 1) * stride + k for n, k in zip(x.shape[2:], w.shape[2:])]
            y = np.zeros((x.shape[0], w.shape[1], *size))
            for i, j in np.ndindex(*w.shape[2:]):
                y[:, :, i : size[0] - w.shape[2] + i + 1 : stride, j : size[1] - w.shape[3] + j + 1 : stride] += np.einsum("nchw,co->nohw", x, w[:, :, i, j])
            return y

        for number in range(16):
            kernel, stride = [(2, 2), (3, 2), (3, 1), (4, 2)][number // 4]
            x = draw(rng, (1, 8, 5, 6), (UINT8, INT8)[number % 2])
            w = draw(rng, (8, 6, kernel, kernel), (UINT8, INT8)[number // 2 % 2])
            cpu = levels()[number % len(levels())]
            with self.subTest(kernel=kernel, stride=stride, types=(x.dtype, w.dtype), cpu=cpu):
                node = helper.make_node("ConvTranspose", ["xf", "wf"], ["p"], strides=[stride] * 2)
                zero = np.array(np.iinfo(x.dtype).min, x.dtype)
                self.check(rng, node, x, w, 1, lambda a, b: transposed(a, b, stride), cpu, zero)


class ElementwiseTest(unittest.TestCase):
    """What is between bytes and bytes without a product."""

    def test_quantize(self):
        """NaN becomes 0; ties go to even numbers."""
        rng = np.random.default_rng(8)
        halves = np.arange(-300, 300, dtype=np.float32) / 2
        special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e10, -1e10, 2.0**31, -2.0**31, 1e-40, -1e-40], np.float32)
        x = np.concatenate([halves, special, rng.standard_normal(400).astype(np.float32) * 200])
        # Around the numbers where the quotient by 0.37 rounds to the next integer.
        ties = (np.arange(-300, 300) + 0.5).astype(np.float32) * np.float32(0.37)
        x = np.concatenate([x, ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))])
        for dtype in UINT8, INT8:
            info = np.iinfo(dtype)
            for zero in info.min, info.max, 0, 3:
                for scale in 1.0, 0.5, 0.37:
                    quotient = x / np.float32(scale)
                    want = np.clip(np.rint(quotient).astype(np.float64) + zero, info.min, info.max)
                    want = np.where(np.isnan(x), 0, want).astype(dtype)
                    for cpu in levels():
                        for count in len(x), 1:
                            with self.subTest(dtype=dtype, zero=zero, scale=scale, cpu=cpu, count=count):
                                node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
                                constants = {"s": np.array(scale, np.float32), "z": np.array(zero, dtype)}
                                part = x[:count] if count > 1 else x[600:601]
                                model = compile_nodes([node], {"x": (part, part.shape)}, constants, {"y": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}, cpu)
                                np.testing.assert_array_equal(model.run({"x": part})["y"], want[:count] if count > 1 else want[600:601])

    def test_functions(self):
        """A function of one byte with steps between; all levels agree."""
        rng = np.random.default_rng(9)
        functions = {
            "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Tanh": np.tanh, "Exp": np.exp, "Relu": lambda x: np.maximum(x, 0),
            "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1), "Identity": lambda x: x,
        }
        for number, (name, function) in enumerate(functions.items()):
            for dtype in UINT8, INT8:
                for shape in (256,), (3, 7, 11), (5, 64):
                    info = np.iinfo(dtype)
                    x = np.resize(rng.permutation(np.arange(info.min, info.max + 1)), shape).astype(dtype)
                    zx, zs, zy = (draw_zero(rng, (), dtype) for _ in range(3))
                    sx, ss, sy = (np.array(scale, np.float32) for scale in (0.041, 0.0079, 0.023))

                    def quantize(value, scale, zero):
                        return np.clip(np.rint(value.astype(np.float32) / scale).astype(np.float64) + float(zero), info.min, info.max)

                    real = (x.astype(np.float32) - np.float32(zx)) * sx
                    step = (quantize(function(real.astype(np.float64)), ss, zs).astype(np.float32) - np.float32(zs)) * ss
                    want = quantize(real * step, sy, zy)
                    nodes = [
                        helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["a"]),
                        helper.make_node(name, ["a"], ["b"]),
                        helper.make_node("QuantizeLinear", ["b", "ss", "zs"], ["c"]),
                        helper.make_node("DequantizeLinear", ["c", "ss", "zs"], ["d"]),
                        helper.make_node("Mul", ["a", "d"], ["e"]),
                        helper.make_node("QuantizeLinear", ["e", "sy", "zy"], ["y"]),
                    ]
                    constants = {"sx": sx, "zx": zx, "ss": ss, "zs": zs, "sy": sy, "zy": zy}
                    results = []
                    for cpu in levels():
                        with self.subTest(name=name, dtype=dtype, shape=shape, cpu=cpu):
                            model = compile_nodes(nodes, {"x": (x, x.shape)}, constants, {"y": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}, cpu)
                            results.append(model.run({"x": x})["y"])
                            wrong = np.abs(results[-1].astype(int) - want)
                            self.assertLessEqual(wrong.max(), 1)
                            self.assertLess((wrong > 0).mean(), 0.02)
                            np.testing.assert_array_equal(results[-1], results[0])

    def test_movements(self):
        """Bytes are moved exactly, whatever they stand for."""
        rng = np.random.default_rng(10)
        for dtype in UINT8, INT8:
            elem = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (2, 6, 8, 10), dtype, endpoint=True)
            zero = draw_zero(rng, (), dtype)
            constants = {
                "s": np.array(0.013, np.float32), "z": zero, "shape": np.array([2, 48, 10]), "low": np.array([1, 2]), "high": np.array([5, 7]),
                "axes": np.array([1, 2]), "which": np.array([3, 0, -1]), "pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]),
            }
            windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))[:, :, ::2]
            cases = {
                "Reshape": (["a", "shape"], {}, x.reshape(2, 48, 10)),
                "Transpose": (["a"], {"perm": [0, 2, 3, 1]}, x.transpose(0, 2, 3, 1)),
                "Slice": (["a", "low", "high", "axes"], {}, x[:, 1:5, 2:7]),
                "Concat": (["a", "a"], {"axis": 2}, np.concatenate([x, x], 2)),
                "Gather": (["a", "which"], {"axis": 1}, x[:, [3, 0, -1]]),
                "Pad": (["a", "pads"], {}, np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 1)), constant_values=zero)),
                "MaxPool": (["a"], {"kernel_shape": [3, 2], "strides": [2, 1]}, windows.max((-2, -1))),
            }
            for name, (operands, attributes, want) in cases.items():
                cpu = levels()[len(name) % len(levels())]
                with self.subTest(name=name, dtype=dtype, cpu=cpu):
                    nodes = [
                        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
                        helper.make_node(name, operands, ["b"], **attributes),
                        helper.make_node("QuantizeLinear", ["b", "s", "z"], ["y"]),
                    ]
                    model = compile_nodes(nodes, {"x": (x, x.shape)}, constants, {"y": elem}, cpu)
                    np.testing.assert_array_equal(model.run({"x": x})["y"], want)

    def test_concatenation_of_scales(self):
        rng = np.random.default_rng(11)
        x, y = (rng.integers(0, 256, (2, 5, 9), UINT8) for _ in range(2))
        scales = [np.array(s, np.float32) for s in (0.1, 0.23, 0.25)]
        zeros = [np.array(z, UINT8) for z in (3, 128, 77)]
        nodes = [
            helper.make_node("DequantizeLinear", ["x", "s0", "z0"], ["a"]),
            helper.make_node("DequantizeLinear", ["y", "s1", "z1"], ["b"]),
            helper.make_node("Concat", ["a", "b"], ["c"], axis=1),
            helper.make_node("QuantizeLinear", ["c", "s2", "z2"], ["r"]),
        ]
        constants = {f"s{i}": s for i, s in enumerate(scales)} | {f"z{i}": z for i, z in enumerate(zeros)}
        real = np.concatenate([(v.astype(np.float32) - np.float32(z)) * s for v, s, z in zip((x, y), scales, zeros)], 1)
        want = np.clip(np.rint(real / scales[2]) + 77, 0, 255)
        for cpu in levels():
            got = compile_nodes(nodes, {"x": (x, x.shape), "y": (y, y.shape)}, constants, {"r": 2}, cpu).run({"x": x, "y": y})["r"]
            np.testing.assert_array_equal(got, want)


if __name__ == "__main__":
    unittest.main()
