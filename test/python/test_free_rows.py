# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrix products and pointwise convolutions whose number of rows is free: each number that tiles are cut into in another way,
with results of more than one kind behind the product, for two widths of vectors where the processor has them."""
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone

RANDOM = np.random.default_rng(0)
ROWS = [*range(34), 57]
LEVELS = ("x86-64-v3", "native")
CHANNELS = 36  # Whole vectors and a part of one.


def integers(*shape, dtype=np.float32):
    """Values whose products and sums are exact."""
    return RANDOM.integers(-2, 3, shape).astype(dtype)


def compile_nodes(nodes, inputs, constants, outputs, cpu):
    kind = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}
    graph = helper.make_graph(
        nodes, "test", [helper.make_tensor_value_info(name, kind[np.dtype(dtype)], sizes) for name, dtype, sizes in inputs],
        [helper.make_tensor_value_info(name, kind[np.dtype(inputs[0][1])], None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return hone.compile(model.SerializeToString(), cpu=cpu)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


class FreeRowsTest(unittest.TestCase):
    def check_matmul(self, inner, dtype=np.float32):
        """Each row plus another row and a bias, and a sigmoid of the product."""
        w, bias = integers(inner, CHANNELS, dtype=dtype), integers(CHANNELS, dtype=dtype)
        nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "bias"], ["q"]),
                 helper.make_node("Relu", ["z"], ["r"]), helper.make_node("Add", ["q", "r"], ["y"]),
                 helper.make_node("MatMul", ["x", "w"], ["p2"]), helper.make_node("Sigmoid", ["p2"], ["s"]),
                 helper.make_node("Add", ["s", "r"], ["t"])]
        for cpu in LEVELS:
            model = compile_nodes(nodes, [("x", dtype, ["n", inner]), ("z", dtype, ["n", CHANNELS])], {"w": w, "bias": bias},
                                  ["y", "t"], cpu)
            for rows in ROWS:
                x, z = integers(rows, inner, dtype=dtype), integers(rows, CHANNELS, dtype=dtype)
                got = model.run({"x": x, "z": z})
                np.testing.assert_array_equal(got["y"], x @ w + bias + np.maximum(z, 0), err_msg=f"{rows} rows, {cpu}")
                np.testing.assert_allclose(got["t"], sigmoid(x @ w) + np.maximum(z, 0), rtol=1e-6, err_msg=f"{rows} rows, {cpu}")

    def test_matmul(self):
        self.check_matmul(19)

    def test_matmul_of_doubles(self):
        self.check_matmul(19, np.float64)

    def test_transposed_operand_in_pieces(self):
        inner = 700  # More than a packed chunk holds.
        nodes = [helper.make_node("Transpose", ["w"], ["v"], perm=[1, 0]), helper.make_node("MatMul", ["x", "v"], ["p"]),
                 helper.make_node("Add", ["p", "z"], ["y"])]
        sizes = [("x", np.float32, ["n", inner]), ("w", np.float32, [CHANNELS, inner]), ("z", np.float32, ["n", CHANNELS])]
        for cpu in LEVELS:
            model = compile_nodes(nodes, sizes, {}, ["y"], cpu)
            for rows in ROWS:
                x, w, z = integers(rows, inner), integers(CHANNELS, inner), integers(rows, CHANNELS)
                got = model.run({"x": x, "w": w, "z": z})["y"]
                np.testing.assert_array_equal(got, x @ w.T + z, err_msg=f"{rows} rows, {cpu}")

    def check_convolution(self, pixels, stride):
        w = integers(CHANNELS, 19, 1, 1)
        nodes = [helper.make_node("Conv", ["x", "w"], ["p"], strides=[stride, stride]), helper.make_node("HardSigmoid", ["p"], ["s"]),
                 helper.make_node("Add", ["p", "s"], ["y"])]
        for cpu in LEVELS:
            model = compile_nodes(nodes, [("x", np.float32, ["n", 19, *pixels])], {"w": w}, ["y"], cpu)
            for rows in ROWS:
                x = integers(rows, 19, *pixels)
                wanted = np.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], w[:, :, 0, 0])
                wanted = wanted + np.clip(wanted * np.float32(0.2) + np.float32(0.5), 0, 1)
                got = model.run({"x": x})["y"]
                np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6, err_msg=f"{rows} images, {cpu}")

    def test_convolution_of_one_pixel(self):
        self.check_convolution((1, 1), 1)

    def test_convolution_of_few_pixels(self):
        self.check_convolution((2, 1), 1)
        self.check_convolution((3, 5), 2)

    def test_convolution_of_many_pixels(self):
        self.check_convolution((4, 5), 1)
        self.check_convolution((9, 9), 2)


if __name__ == "__main__":
    unittest.main()
