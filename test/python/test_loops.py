# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions and data movement on the emulated GPU, at sizes that take each of the forms that loops are given."""
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
        sizes = [f"{name}{d}" for d in range(operand.ndim)] if dynamic else operand.shape
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


if __name__ == "__main__":
    unittest.main()
