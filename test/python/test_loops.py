# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions and data movement on the emulated GPU, at sizes that use each form of loops."""
import os
import pathlib
import unittest

import numpy as np
import onnx
from onnx import helper, numpy_helper

import hone

EMULATOR = pathlib.Path(os.environ["HONE_BUILD"]) / "lib" / "libhone_emulator.so"
RANDOM = np.random.default_rng(0)


def small_integers(*shape):
    """Values whose sums f32 holds exactly, many of them equal."""
    return RANDOM.integers(-2, 3, shape).astype(np.float32)


def compile_node(kind, operands, constants=(), results=1, opset=19, dynamic=False, **attributes):
    """A model of one node over inputs a, b, ..., those at places `constants` held by the model, with results y0, y1,
    ..."""
    names = [chr(ord("a") + i) for i in range(len(operands))]
    node = helper.make_node(kind, names, [f"y{i}" for i in range(results)], **attributes)
    inputs, held = [], []
    for i, (name, operand) in enumerate(zip(names, operands)):
        if i in constants:
            held.append(numpy_helper.from_array(operand, name))
            continue
        sizes = [f"{name}{d}" for d in range(operand.ndim)] if dynamic else list(operand.shape)
        if dynamic and kind == "ScatterND" and operand.dtype == np.int64:
            sizes[-1] = operand.shape[-1]
        inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(operand.dtype), sizes))
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "test", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    model = hone.compile(model.SerializeToString(), target="cuda-emulated")
    return model, {name: operand for i, (name, operand) in enumerate(zip(names, operands)) if i not in constants}


@unittest.skipUnless(EMULATOR.exists(), "this build has no emulator")
class LoopTest(unittest.TestCase):
    def tearDown(self):
        os.environ.pop("HONE_EMULATOR_SEED", None)

    def expect(self, wanted, kind, operands, constants=(), close=False, **attributes):
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        with self.subTest(kind=kind, shapes=[operand.shape for operand in operands], **attributes):
            model, inputs = compile_node(kind, operands, constants, len(wanted), **attributes)
            for seed in ("0", "1"):
                os.environ["HONE_EMULATOR_SEED"] = seed
                results = model.run(inputs)
                for i, value in enumerate(wanted):
                    if close:
                        np.testing.assert_allclose(results[f"y{i}"], value, rtol=1e-5, atol=1e-6)
                    else:
                        np.testing.assert_array_equal(results[f"y{i}"], value)

    def check_sum(self, shape, axes, **options):
        x = small_integers(*shape)
        wanted = x.sum(axis=tuple(axes), keepdims=True)
        self.expect(wanted, "ReduceSum", [x, np.array(axes)], constants=[1], **options)

    def test_sums(self):
        for width in (1, 7, 40, 64, 200, 300, 1000, 2052):
            self.check_sum((5, width), [1])
        self.check_sum((70, 100), [1])
        self.check_sum((3, 4, 5, 36), [1, 3])
        self.check_sum((6, 90), [1], dynamic=True)

    def test_long_sums(self):
        self.check_sum((70000,), [0])
        self.check_sum((40003,), [0])
        self.check_sum((2, 130, 300), [1, 2])
        self.check_sum((5, 34000), [1])

    def test_sums_of_columns(self):
        self.check_sum((3000, 7), [0])
        self.check_sum((2000, 70), [0])
        self.check_sum((3, 700, 40), [1])
        self.check_sum((90, 60), [0])

    def test_best_elements(self):
        for shape in ((3, 10), (3, 100), (2, 5000), (1, 50000)):
            x = small_integers(*shape)
            x[0, 3] = np.nan
            for last in (0, 1):
                for kind, find in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
                    wanted = shape[1] - 1 - find(x[:, ::-1], axis=1) if last else find(x, axis=1)
                    self.expect(wanted, kind, [x], axis=1, keepdims=0, select_last_index=last)

    def test_rows(self):
        for shape in ((5, 3), (37, 10), (9, 20), (40, 64), (3, 200), (3, 768), (2, 1001), (6, 4, 5)):
            x = RANDOM.standard_normal(shape).astype(np.float32)
            power = np.exp(x - x.max(-1, keepdims=True))
            self.expect(power / power.sum(-1, keepdims=True), "Softmax", [x], axis=-1, close=True)
            scale = small_integers(shape[-1])
            centred = x - x.mean(-1, keepdims=True)
            wanted = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale
            self.expect(wanted, "LayerNormalization", [x, scale], axis=-1, close=True)

    def test_few_long_rows(self):
        x = RANDOM.standard_normal((2, 70000)).astype(np.float32)
        power = np.exp(x - x.max(-1, keepdims=True))
        self.expect(power / power.sum(-1, keepdims=True), "Softmax", [x], axis=-1, close=True)

    def check_top_k(self, x, k, axis=-1, largest=1, **options):
        # NaN counts as the largest; equal elements keep their order.
        key = np.where(np.isnan(x), np.inf, x) if x.dtype.kind == "f" else x.astype(np.int64)
        order = np.argsort(-key if largest else key, axis=axis, kind="stable")
        order = np.take(order, range(k), axis=axis)
        wanted = np.take_along_axis(x, order, axis), order
        self.expect(wanted, "TopK", [x, np.array([k])], constants=[1], axis=axis, largest=largest, **options)

    def test_best_k(self):
        for largest in (0, 1):
            for length, k in ((9, 4), (17, 17), (100, 7)):
                self.check_top_k(small_integers(3, length), k, largest=largest)
            self.check_top_k(small_integers(2, 70, 3), 6, axis=1, largest=largest)
            self.check_top_k(RANDOM.integers(-128, 128, (1, 200)).astype(np.int8), 190, largest=largest)
            self.check_top_k(RANDOM.integers(0, 9, (2, 40)).astype(np.uint64), 40, largest=largest)
            x = small_integers(2, 90)
            x[:, ::7] = np.nan
            x[:, ::11] = -np.inf
            self.check_top_k(x, 90, largest=largest)

    def test_best_k_of_long_lines(self):
        self.check_top_k(small_integers(1, 5001), 1000)
        x = np.full((1, 6300), -np.inf, np.float32)
        x[0, 6000::50] = 1
        self.check_top_k(x, 30)
        self.check_top_k(small_integers(1, 2100), 4, dynamic=True)
        self.check_top_k(small_integers(2, 2500), 1500)

    def check_running_sum(self, x, axis, exclusive=0, reverse=0, **options):
        line = np.flip(x, axis) if reverse else x
        wanted = np.cumsum(line, axis=axis, dtype=x.dtype)
        if exclusive:
            wanted = wanted - line
        wanted = np.flip(wanted, axis) if reverse else wanted
        operands = [x, np.array(axis)]
        self.expect(wanted, "CumSum", operands, constants=[1], exclusive=exclusive, reverse=reverse, **options)

    def test_running_sums(self):
        for exclusive, reverse in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for length in (5, 33, 200):
                self.check_running_sum(small_integers(3, length), 1, exclusive, reverse)
            self.check_running_sum(small_integers(1, 2500), 1, exclusive, reverse)
            self.check_running_sum(small_integers(1, 50, 3), 1, exclusive, reverse)
            self.check_running_sum(small_integers(1, 9, 1100), 1, exclusive, reverse)
        self.check_running_sum(RANDOM.integers(-9, 9, (1, 300)), 1)
        self.check_running_sum(small_integers(2, 1100), 1, dynamic=True)
        self.check_running_sum(small_integers(4, 30, 20), 1, dynamic=True)

    def check_scatter(self, shape, index_shape, reduction, **options):
        """ScatterND with indices that are often equal and sometimes negative."""
        x, depth = small_integers(*shape), index_shape[-1]
        limits = np.array(shape[:depth])
        indices = RANDOM.integers(-limits, limits, index_shape)
        updates = small_integers(*index_shape[:-1], *shape[depth:])
        wanted = x.copy()
        for place in np.ndindex(index_shape[:-1]):
            at = tuple(indices[place])
            if reduction == "none":
                wanted[at] = updates[place]
            elif reduction == "add":
                wanted[at] += updates[place]
            else:
                wanted[at] = np.maximum(wanted[at], updates[place])
        self.expect(wanted, "ScatterND", [x, indices, updates], reduction=reduction, **options)

    def test_scattered_slices(self):
        for reduction in ("none", "add", "max"):
            self.check_scatter((9, 40), (300, 1), reduction)
            self.check_scatter((2, 3, 7), (4, 20, 3), reduction)
            self.check_scatter((3, 2500), (5, 1), reduction)
            self.check_scatter((2, 4, 10), (30, 2), reduction, dynamic=reduction == "none")

    def check_scatter_elements(self, shape, count, axis, reduction, **options):
        x = small_integers(*shape)
        sizes = list(shape)
        sizes[axis] = count
        indices = RANDOM.integers(-shape[axis], shape[axis], sizes)
        updates = small_integers(*sizes)
        wanted = x.copy()
        for place in np.ndindex(*sizes):
            at = list(place)
            at[axis] = indices[place]
            at = tuple(at)
            wanted[at] = updates[place] + (wanted[at] if reduction == "add" else 0)
        operands = [x, indices, updates]
        self.expect(wanted, "ScatterElements", operands, axis=axis, reduction=reduction, **options)

    def test_scattered_elements(self):
        for reduction in ("none", "add"):
            self.check_scatter_elements((3, 50), 5, 1, reduction)
            self.check_scatter_elements((2, 50), 300, 1, reduction)
            self.check_scatter_elements((60,), 300, 0, reduction)
            self.check_scatter_elements((20, 1100), 30, 0, reduction)
            self.check_scatter_elements((7, 30), 40, 0, reduction, dynamic=True)

    def test_transposed(self):
        for shape, order in (((40, 70), (1, 0)), ((2, 33, 17), (0, 2, 1)), ((3, 20, 4, 16), (0, 2, 3, 1)), ((50, 3), (1, 0))):
            for kind in (np.float32, np.float16, np.float64, np.int8):
                x = small_integers(*shape).astype(kind)
                self.expect(x.transpose(order), "Transpose", [x], perm=order)
        x = small_integers(30, 50)
        self.expect(x.T, "Transpose", [x], perm=(1, 0), dynamic=True)

    def test_gathered(self):
        for width in (1, 6, 64):
            x, numbers = small_integers(9, width), RANDOM.integers(-9, 9, 20)
            self.expect(x[numbers], "Gather", [x, numbers])
            self.expect(x[numbers], "Gather", [x, numbers], dynamic=True)
            x = small_integers(3, 9, width).astype(np.float16)
            self.expect(x[:, numbers], "Gather", [x, numbers], axis=1)

    def test_padded(self):
        for shape, pads in (((3, 5), (0, 1, 0, 2)), ((2, 3, 4), (1, 0, 2, 0, 1, 3)), ((2, 6, 7), (0, 0, -1, 1, -2, 2))):
            x, rank = small_integers(*shape), len(shape)
            slices = tuple(slice(max(0, -pads[d]), shape[d] + min(0, pads[d + rank])) for d in range(rank))
            wanted = np.pad(x[slices], [(max(0, pads[d]), max(0, pads[d + rank])) for d in range(rank)])
            for dynamic in (False, True):
                self.expect(wanted, "Pad", [x, np.array(pads)], constants=[1], dynamic=dynamic)


if __name__ == "__main__":
    unittest.main()
