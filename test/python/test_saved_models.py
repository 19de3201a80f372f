# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models as saved by ONNX Runtime's optimizer and quantizer, against ONNX Runtime itself."""
import logging
import pathlib
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime
from beside import BesideTest, reference
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.capi import _pybind_state
from onnxruntime.quantization import QuantFormat, QuantType

import hone

EXTENDED = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
ALL = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


class Builder:
    """A graph of nodes in a row, with seeded weights."""

    def __init__(self, seed=3):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def weight(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 4)
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, value):
        self.weights.append(numpy_helper.from_array(np.asarray(value), self.name()))
        return self.weights[-1].name

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{names[0]}", **attributes))
        return names[0] if outputs == 1 else names

    def model(self, y, shape, opset=17):
        result = helper.make_tensor_value_info(y, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        return model, {"x": self.random.standard_normal(shape).astype(np.float32)}

    def conv(self, x, out, into, kernel=3, **attributes):
        pads = [kernel // 2] * 4
        return self.add("Conv", x, self.weight(out, into, kernel, kernel), self.weight(out), kernel_shape=[kernel] * 2, pads=pads, **attributes)


def conv_net():
    b = Builder()
    x = b.add("Relu", b.conv("x", 24, 3, strides=[2, 2]))
    y = b.conv(b.add("Relu", b.conv(x, 24, 24)), 24, 24)
    x = b.add("Relu", b.add("Add", x, y))
    x = b.add("HardSigmoid", b.conv(x, 24, 1, group=24))
    x = b.add("Clip", b.conv(x, 40, 24, kernel=1), b.constant(np.float32(0)), b.constant(np.float32(6)))
    x = b.add("AveragePool", b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), kernel_shape=[2, 2])
    gate = b.add("Sigmoid", b.conv(b.add("GlobalAveragePool", x), 40, 40, kernel=1))
    x = b.add("LeakyRelu", b.conv(b.add("Mul", x, gate), 32, 40, kernel=1), alpha=0.1)
    x = b.add("Flatten", b.add("GlobalAveragePool", x))
    x = b.add("Gemm", x, b.weight(10, 32), b.weight(10), transB=1)
    return b.model(b.add("Softmax", x, axis=1), (2, 3, 24, 24))


def transformer():
    b = Builder()
    width, heads, length = 32, 2, 6

    def linear(x, size, into=width):
        return b.add("Add", b.add("MatMul", x, b.weight(into, size, scale=into**-0.5)), b.weight(size))

    def norm(x):
        return b.add("LayerNormalization", x, b.weight(width), b.weight(width), axis=-1)

    def split(x, order):
        return b.add("Transpose", b.add("Reshape", x, b.constant(np.array([0, 0, heads, width // heads]))), perm=order)

    x = norm("x")
    q, k, v = (split(linear(x, width), order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = b.add("Div", b.add("MatMul", q, k), b.constant(np.float32((width // heads) ** 0.5)))
    mixed = b.add("MatMul", b.add("Softmax", scores, axis=-1), v)
    joined = b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1, 3]), b.constant(np.array([0, 0, width])))
    x = norm(b.add("Add", linear(joined, width), x))
    y = linear(x, 64)
    half = b.add("Mul", y, b.add("Add", b.add("Erf", b.add("Div", y, b.constant(np.float32(2**0.5)))), b.constant(np.float32(1))))
    y = linear(b.add("Mul", half, b.constant(np.float32(0.5))), width, 64)
    return b.model(norm(b.add("Add", y, x)), (2, length, width))


def lstm():
    b = Builder()
    steps, size, hidden = 7, 12, 16
    _, last, _ = b.add("LSTM", "x", b.weight(2, 4 * hidden, size), b.weight(2, 4 * hidden, hidden), b.weight(2, 8 * hidden), outputs=3, hidden_size=hidden, direction="bidirectional")
    joined = b.add("Reshape", b.add("Transpose", last, perm=[1, 0, 2]), b.constant(np.array([0, 2 * hidden])))
    x = b.add("Gemm", joined, b.weight(8, 2 * hidden), b.weight(8), transB=1)
    return b.model(b.add("Tanh", x), (steps, 1, size))


def unet():
    b = Builder()
    first = b.add("Relu", b.conv("x", 16, 3))
    second = b.add("Relu", b.conv(b.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]), 24, 16))
    third = b.add("Relu", b.conv(b.add("MaxPool", second, kernel_shape=[2, 2], strides=[2, 2]), 32, 24))
    up = b.add("ConvTranspose", third, b.weight(32, 24, 2, 2, scale=0.2), b.weight(24), kernel_shape=[2, 2], strides=[2, 2])
    x = b.add("Relu", b.conv(b.add("Concat", up, second, axis=1), 24, 48))
    up = b.add("Resize", x, "", b.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear", coordinate_transformation_mode="half_pixel")
    x = b.add("Relu", b.conv(b.add("Concat", up, first, axis=1), 16, 40))
    up = b.add("Resize", x, "", b.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return b.model(b.add("Sigmoid", b.conv(up, 4, 16, kernel=1)), (1, 3, 16, 16))


def mlp():
    b = Builder()
    x = b.add("Relu", b.add("Gemm", "x", b.weight(48, 20), b.weight(48), transB=1))
    x = b.add("LeakyRelu", b.add("MatMul", x, b.weight(48, 32, scale=0.2)), alpha=0.2)
    x = b.add("Add", x, b.weight(32))
    return b.model(b.add("Gemm", x, b.weight(6, 32), b.weight(6), transB=1), (5, 20))


MODELS = {"conv_net": conv_net, "transformer": transformer, "lstm": lstm, "unet": unet, "mlp": mlp}


class Saved(BesideTest):
    def setUp(self):
        super().setUp()
        logging.disable(logging.WARNING)
        self.addCleanup(logging.disable, logging.NOTSET)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def over_models(self, names=tuple(MODELS)):
        for name in names:
            model, feeds = MODELS[name]()
            path = self.folder / f"{name}.onnx"
            onnx.save(model, path)
            yield name, path, feeds

    def alike(self, label, path, feeds, bits, want=None, steps=1):
        """Within steps of the result's scale, or of its range in that many bits where they are larger."""
        model = onnx.load(path)
        want = reference(model, feeds) if want is None else want
        got = hone.compile(str(path)).run(feeds)
        producers = {output: node for node in model.graph.node for output in node.output}
        scales = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        for name, value in want.items():
            step = (value.max() - value.min()) / (2**bits - 1)
            if producers[name].op_type == "DequantizeLinear":
                step = max(step, float(scales[producers[name].input[1]]))
            off = np.abs(value - got[name]).max() / step
            self.assertLessEqual(off, steps * 1.001, f"{label}: off by {off:.2f} steps")


class Optimized(Saved):
    def saved(self, level):
        for name, path, feeds in self.over_models():
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = level
            options.optimized_model_filepath = str(self.folder / "saved.onnx")
            options.log_severity_level = 3
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            yield name, onnx.load(self.folder / "saved.onnx"), reference(onnx.load(path), feeds), feeds

    def test_extended(self):
        operators = set()
        for name, model, want, feeds in self.saved(EXTENDED):
            operators |= {node.op_type for node in model.graph.node if node.domain == "com.microsoft"}
            self.beside(model, feeds, want, tolerance=1e-4, only=("given",))
        self.assertLessEqual({"FusedConv", "FusedGemm", "FusedMatMul", "SkipLayerNormalization", "Gelu"}, operators)

    def test_all(self):
        operators = set()
        for name, model, want, feeds in self.saved(ALL):
            operators |= {node.op_type for node in model.graph.node if node.domain == "com.microsoft.nchwc"}
            self.beside(model, feeds, want, tolerance=1e-4, only=("given",))
        if not operators:
            self.skipTest("ONNX Runtime has no blocks of channels on this machine")


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.rest = iter([feeds])

    def get_next(self):
        return next(self.rest, None)


class Quantized(Saved):
    def static(self, form, activation, weight, bits, steps=lambda name: 1, **options):
        operators = set()
        for name, path, feeds in self.over_models():
            made = self.folder / "quantized.onnx"
            quantization.quantize_static(str(path), str(made), Calibration(feeds), quant_format=form, activation_type=activation, weight_type=weight, **options)
            operators |= {node.op_type for node in onnx.load(made).graph.node}
            self.alike(f"{name} {form.name} {activation.name} {weight.name}", made, feeds, bits, steps=steps(name))
        return operators

    def test_qdq(self):
        for activation, weight in ((QuantType.QUInt8, QuantType.QInt8), (QuantType.QInt8, QuantType.QInt8), (QuantType.QUInt8, QuantType.QUInt8)):
            self.static(QuantFormat.QDQ, activation, weight, 8)
        self.static(QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt8, 8, per_channel=True)

    def test_qdq_16(self):
        for activation, weight in ((QuantType.QUInt16, QuantType.QInt8), (QuantType.QInt16, QuantType.QInt16)):
            self.static(QuantFormat.QDQ, activation, weight, 12)

    def test_qdq_16_of_microsoft(self):
        self.static(QuantFormat.QDQ, QuantType.QInt16, QuantType.QInt8, 12, extra_options={"UseQDQContribOps": True})

    def test_qdq_4(self):
        self.static(QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt4, 8)
        self.static(QuantFormat.QDQ, QuantType.QUInt16, QuantType.QUInt4, 12)

    def test_qoperator(self):
        # ONNX Runtime truncates the result of a linear Resize of bytes, where ONNX rounds.
        def steps(name):
            return 3 if name == "unet" else 1

        operators = self.static(QuantFormat.QOperator, QuantType.QUInt8, QuantType.QInt8, 8, steps)
        operators |= self.static(QuantFormat.QOperator, QuantType.QUInt8, QuantType.QUInt8, 8, steps)
        operators |= self.static(QuantFormat.QOperator, QuantType.QInt8, QuantType.QInt8, 8, steps, per_channel=True)
        self.assertLessEqual({"QLinearConv", "QGemm", "QLinearMatMul", "QLinearAdd", "QLinearSigmoid", "QLinearGlobalAveragePool", "QLinearConcat", "QLinearMul"}, operators)

    def test_dynamic(self):
        operators = set()
        for weight in (QuantType.QInt8, QuantType.QUInt8):
            for name, path, feeds in self.over_models():
                made = self.folder / "quantized.onnx"
                quantization.quantize_dynamic(str(path), str(made), weight_type=weight)
                operators |= {node.op_type for node in onnx.load(made).graph.node}
                self.alike(f"{name} {weight.name}", made, feeds, 8)
        self.assertLessEqual({"MatMulInteger", "ConvInteger", "DynamicQuantizeLSTM"}, operators)

    def blocked(self, model, replace):
        """`replace` gives the nodes and weights for a product with a constant matrix."""
        weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        nodes = list(model.graph.node)
        del model.graph.node[:]
        for node in nodes:
            made, added = [node], []
            if node.op_type == "MatMul" and node.input[1] in weights:
                made, added = replace(node, weights[node.input[1]])
            model.graph.node.extend(made)
            model.graph.initializer.extend(added)
        model.opset_import[0].version = 21
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        model.ir_version = 10
        made = self.folder / "quantized.onnx"
        onnx.save(model, made)
        return made

    def test_blocks(self):
        # Like ONNX Runtime's MatMulNBitsQuantizer, by the functions that it calls.
        block = 16
        for bits, quantize in ((4, _pybind_state.quantize_matmul_4bits), (8, _pybind_state.quantize_matmul_8bits)):
            for symmetric in (True, False):

                def packed(node, w):
                    k, n = w.shape
                    blocks = -(-k // block)
                    bytes_, scales, zeros = np.zeros((n, blocks, block * bits // 8), np.uint8), np.zeros((n, blocks), np.float32), np.zeros((n, -(-blocks * bits // 8)), np.uint8)
                    quantize(bytes_, w, scales, zeros, block, n, k, symmetric)
                    values = {"b": bytes_, "s": scales} | ({} if symmetric else {"z": zeros})
                    tensors = [numpy_helper.from_array(value, f"{node.name}_{name}") for name, value in values.items()]
                    inputs = [node.input[0], *(t.name for t in tensors)]
                    return [helper.make_node("MatMulNBits", inputs, node.output, domain="com.microsoft", K=k, N=n, bits=bits, block_size=block)], tensors

                for name, path, feeds in self.over_models(("transformer", "mlp")):
                    self.alike(f"{name} {bits} {symmetric}", self.blocked(onnx.load(path), packed), feeds, 14)

    def test_blocks_of_4_bits_as_qdq(self):
        block = 16
        for kind, low in ((TensorProto.INT4, -8), (TensorProto.UINT4, 0)):

            def dequantized(node, w):
                groups = w.reshape(-1, block, w.shape[1])
                scales = (np.abs(groups).max(axis=1) / 7).astype(np.float32)
                zero = 0 if low else 8
                values = np.clip(np.round(groups / scales[:, None]) + zero, low, low + 15).astype(np.int64)
                made = [helper.make_tensor(f"{node.name}_q", kind, w.shape, values.ravel()), numpy_helper.from_array(scales, f"{node.name}_s"), helper.make_tensor(f"{node.name}_z", kind, scales.shape, [zero] * scales.size)]
                dequantize = helper.make_node("DequantizeLinear", [t.name for t in made], [f"{node.name}_w"], axis=0, block_size=block)
                return [dequantize, helper.make_node("MatMul", [node.input[0], f"{node.name}_w"], node.output)], made

            for name, path, feeds in self.over_models(("transformer", "mlp")):
                self.alike(f"{name} {low}", self.blocked(onnx.load(path), dequantized), feeds, 14)

    def test_optimized(self):
        # The quantizer's output, and the optimizer's version of it on this machine.
        for name, path, feeds in self.over_models():
            made, saved = self.folder / "quantized.onnx", self.folder / "saved.onnx"
            quantization.quantize_static(str(path), str(made), Calibration(feeds), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = ALL
            options.optimized_model_filepath = str(saved)
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(str(made), options, providers=["CPUExecutionProvider"])
            want = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
            # Its QLinearSoftmax takes the reciprocal of the scale as an integer.
            self.alike(name, saved, feeds, 8, want, steps=3 if name == "transformer" else 1)


if __name__ == "__main__":
    unittest.main()
