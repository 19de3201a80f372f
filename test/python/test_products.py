# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrix products and convolutions on the emulated GPU: each way of dividing them, in several orders of the threads."""
import itertools
import os
import pathlib
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone

EMULATOR = pathlib.Path(os.environ["HONE_BUILD"]) / "lib" / "libhone_emulator.so"
TYPES = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "f64": TensorProto.DOUBLE}
RANDOM = np.random.default_rng(0)


def small_integers(shape):
    """Values whose products and sums every type holds exactly."""
    return RANDOM.integers(-2, 3, shape).astype(np.float32)


def compile_op(node, operands, kind, sizes, weight):
    """A model that casts float inputs a and b to a type, applies the node, and casts back. `sizes` are those of the
    inputs as they are declared; the second input is a constant if `weight`."""
    nodes, inputs, constants = [], [], []
    for name, operand, declared in zip("ab", operands, sizes):
        nodes.append(helper.make_node("Cast", [name], [name + "c"], to=TYPES[kind]))
        if weight and name == "b":
            constants.append(numpy_helper.from_array(operand, name))
        else:
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, declared))
    nodes += [node, helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT)]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "test", inputs, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return hone.compile(model.SerializeToString(), target="cuda-emulated")


def convolve(x, w, stride, pad, group):
    """The definition, for two spatial dimensions."""
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    rows, columns = ((x.shape[2 + d] - w.shape[2 + d]) // stride + 1 for d in range(2))
    result = np.zeros((x.shape[0], w.shape[0], rows, columns), np.float32)
    inputs, outputs = w.shape[1], w.shape[0] // group
    for i, j in itertools.product(range(w.shape[2]), range(w.shape[3])):
        piece = x[:, :, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
        for g in range(group):
            to = slice(g * outputs, (g + 1) * outputs)
            result[:, to] += np.einsum("nchw,oc->nohw", piece[:, g * inputs : (g + 1) * inputs], w[to, :, i, j])
    return result


@unittest.skipUnless(EMULATOR.exists(), "this build has no emulator")
class ProductTest(unittest.TestCase):
    def tearDown(self):
        os.environ.pop("HONE_EMULATOR_SEED", None)

    def expect(self, model, operands, wanted):
        for seed in ("0", "1"):
            os.environ["HONE_EMULATOR_SEED"] = seed
            np.testing.assert_array_equal(model.run(operands)["y"], wanted)

    def check_matmul(self, kind, m, k, n, batch=(), weight=False, dynamic=False):
        a, b = small_integers((*batch, m, k)), small_integers((k, n) if weight else (*batch, k, n))
        node = helper.make_node("MatMul", ["ac", "bc"], ["r"])
        sizes = [[f"{name}{i}" for i in range(x.ndim)] if dynamic else x.shape for name, x in zip("ab", (a, b))]
        with self.subTest(kind=kind, sizes=(m, k, n), batch=batch, weight=weight, dynamic=dynamic):
            model = compile_op(node, (a, b), kind, sizes, weight)
            self.expect(model, {"a": a} if weight else {"a": a, "b": b}, a @ b)

    def check_conv(self, kind, channels, pixels, outputs, kernel, stride=1, group=1, batch=1):
        x, w = small_integers((batch, channels, *pixels)), small_integers((outputs, channels // group, *kernel))
        pad = kernel[0] // 2
        node = helper.make_node("Conv", ["ac", "bc"], ["r"], strides=[stride] * 2, pads=[pad] * 4, group=group)
        with self.subTest(kind=kind, channels=channels, pixels=pixels, kernel=kernel, stride=stride, group=group):
            model = compile_op(node, (x, w), kind, [x.shape, w.shape], weight=True)
            self.expect(model, {"a": x}, convolve(x, w, stride, pad, group))

    def test_sizes_that_divide_nothing(self):
        for kind in TYPES:
            self.check_matmul(kind, 17, 23, 19)
            self.check_matmul(kind, 33, 40, 65, weight=True)
            self.check_matmul(kind, 9, 13, 21, batch=(2, 3))

    def test_each_tile(self):
        for kind in ("f32", "f16", "bf16"):
            self.check_matmul(kind, 40, 24, 48, weight=True)
            self.check_matmul(kind, 700, 40, 720, weight=True)
            self.check_matmul(kind, 1500, 40, 1480)

    def test_few_rows(self):
        for kind in ("f32", "f16"):
            self.check_matmul(kind, 1, 300, 200, weight=True)
            self.check_matmul(kind, 3, 65, 37)

    def test_blocks_that_share_a_sum(self):
        for kind in ("f32", "f16", "f64"):
            self.check_matmul(kind, 40, 777, 48)
            self.check_matmul(kind, 33, 640, 64, weight=True)

    def test_sizes_known_at_run_time(self):
        for kind in ("f32", "bf16"):
            self.check_matmul(kind, 2, 40, 33, dynamic=True)
            self.check_matmul(kind, 70, 40, 33, dynamic=True)

    def test_windows(self):
        for kind in ("f32", "f16"):
            self.check_conv(kind, 16, (9, 11), 40, (3, 3), batch=2)
            self.check_conv(kind, 3, (13, 12), 24, (7, 7), stride=2)
            self.check_conv(kind, 16, (6, 7), 24, (3, 3), group=2)
            self.check_conv(kind, 64, (7, 7), 48, (3, 3))
            self.check_conv(kind, 8, (9, 10), 8, (3, 3), group=8)


if __name__ == "__main__":
    unittest.main()
