# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small graphs whose kernels' code is inspected, for CPUs and for GPUs."""
import math
import os
import pathlib
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "f64": TensorProto.DOUBLE, "u8": TensorProto.UINT8}
# Kernels named after one of these contain a product.
CONTRACTIONS = re.compile("matmul|conv|attention|lstm|gru|rnn")


class Graph:
    """Nodes of one element type; their operands become inputs or constants."""

    def __init__(self, kind):
        self.kind, self.nodes, self.inputs, self.outputs, self.constants = kind, [], [], [], []
        self.random = np.random.default_rng(0)

    def input(self, *shape):
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[self.kind], shape))
        return name

    def constant(self, *shape):
        name = f"c{len(self.constants)}"
        values = self.random.standard_normal(shape).astype(np.float32)
        dtype = helper.tensor_dtype_to_np_dtype(TYPES[self.kind])
        if self.kind == "u8":
            values = np.clip(128 + 40 * values, 0, 255)
        self.constants.append(numpy_helper.from_array(values.astype(dtype), name))
        return name

    def apply(self, op, *operands, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, operands, [name], **attributes))
        return name

    def result(self, value):
        kind = TensorProto.INT32 if self.kind == "u8" else TYPES[self.kind]
        self.outputs.append(helper.make_tensor_value_info(value, kind, None))

    def save(self, path):
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
        return path


def products(g):
    for rows in (128, "n"):
        x = g.apply("Add", g.apply("MatMul", g.input(rows, 256), g.constant(256, 320)), g.constant(320))
        g.result(g.apply("Gelu", x))
    g.result(g.apply("MatMul", g.input(4, 96, 64), g.input(4, 64, 80)))
    g.result(g.apply("Gemm", g.input("n", 100), g.input(72, 100), transB=1))


def byte_products(g):
    """Sums of products of bytes."""
    for rows in (128, "n"):
        g.result(g.apply("MatMulInteger", g.input(rows, 256), g.constant(256, 320)))
    g.result(g.apply("MatMulInteger", g.input(1, 300), g.constant(300, 64)))
    for channels, filters, kernel, stride in ((64, 96, 3, 1), (32, 16, 1, 1), (3, 32, 7, 2)):
        pads = [kernel // 2] * 4
        g.result(g.apply("ConvInteger", g.input(1, channels, 28, 28), g.constant(filters, channels, kernel, kernel), pads=pads, strides=[stride] * 2))


def convolutions(g):
    def convolve(channels, filters, kernel, size=(28, 28), **attributes):
        x = g.apply("Conv", g.input(1, channels, *size), g.constant(filters, channels, *kernel), g.constant(filters), **attributes)
        return g.apply("Relu", x)

    g.result(convolve(64, 96, (3, 3), pads=[1, 1, 1, 1]))
    g.result(convolve(64, 128, (1, 1)))
    g.result(convolve(3, 64, (7, 7), (64, 64), strides=[2, 2], pads=[3, 3, 3, 3]))
    g.result(convolve(32, 48, (3, 3), dilations=[2, 2]))
    g.result(g.apply("Add", convolve(64, 64, (3, 3), ("h", "w"), pads=[1, 1, 1, 1]), g.input(1, 64, "h", "w")))


def attentions(g):
    """With enough blocks for the largest tile, and with few; with 16-byte aligned rows and others."""
    for heads, rows, depth in ((96, 128, 64), (8, 128, 64), (8, "n", 128), (96, 65, 77)):
        query, key, value = (g.input(1, heads, rows, depth) for _ in range(3))
        scores = g.apply("MatMul", query, g.apply("Transpose", key, perm=[0, 1, 3, 2]))
        weights = g.apply("Softmax", g.apply("Add", scores, g.input(1, 1, rows, rows)))
        g.result(g.apply("MatMul", weights, value))


def others(g):
    """Products without tensor cores, and other operators."""
    g.result(g.apply("MatMul", g.input(1, 512), g.constant(512, 1000)))
    for kernel, stride in ((3, 1), (3, 2), (5, 1)):
        pads = [kernel // 2] * 4
        x = g.input(1, 144, 28, 28)
        g.result(g.apply("Clip", g.apply("Conv", x, g.constant(144, 1, kernel, kernel), g.constant(144), group=144, pads=pads, strides=[stride] * 2)))
    scores = g.apply("MatMul", g.input(1, 8, 64, 64), g.input(1, 8, 64, 64))
    weights = g.apply("Softmax", g.apply("Add", scores, g.input(1, 1, 64, 64)))
    g.result(g.apply("MatMul", weights, g.input(1, 8, 64, 64)))
    g.result(g.apply("LayerNormalization", g.input("n", 384), g.constant(384), g.constant(384)))
    g.result(g.apply("GlobalAveragePool", g.input(1, 256, 7, 7)))


def functions(g):
    """Functions that a toolkit has in a library."""
    for name in "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Sin Sinh Tan Tanh".split():
        g.result(g.apply(name, g.input(1000)))
    for name in ("Pow", "Mod"):
        g.result(g.apply(name, g.input(1000), g.input(1000), **({"fmod": 1} if name == "Mod" else {})))


def fill_weights(path, filled):
    """The graph with some values for omitted weights."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        count = math.prod(tensor.dims)
        if count and tensor.doc_string.startswith("random:"):
            tensor.raw_data = np.resize(np.linspace(-0.1, 0.1, 251), count).astype(dtype).tobytes()
    onnx.save(model, filled)
    return filled


def bench_models(only, scratch):
    """Names and files of the models of HONE_TEST_BENCH whose file names hold `only`; each file makes place for the next."""
    bench = os.environ.get("HONE_TEST_BENCH")
    for path in sorted(pathlib.Path(bench).glob("models/*.onnx")) if bench else []:
        if only in path.name:
            yield path.stem, fill_weights(path, scratch / "model.onnx")
