# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of com.microsoft in few bits, and its quantized LSTM, against ONNX Runtime."""
import pathlib
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone
from beside import BesideTest, node_model, ways


class Blocks(BesideTest):
    def test_matmul(self):
        k, n, block = 40, 6, 16
        blocks = -(-k // block)
        for bits in (2, 4, 8):
            inputs = dict(a=self.floats(2, 3, k), b=self.bytes(n, blocks, block * bits // 8), s=self.floats(n, blocks))
            attributes = dict(K=k, N=n, bits=bits, block_size=block, tolerance=1e-4)
            self.node("MatMulNBits", inputs, **attributes)
            packed = dict(inputs, z=self.bytes(n, -(-blocks * bits // 8)))
            self.node("MatMulNBits", packed, **attributes)
            biased = dict(inputs, z=None, g=None, bias=self.floats(n))
            self.node("MatMulNBits", biased, **attributes)
        attributes["bits"] = 4
        four = dict(inputs, b=self.bytes(n, blocks, block // 2))
        self.node("MatMulNBits", dict(four, z=self.floats(n, blocks)), **attributes)
        groups = self.random.permutation(np.arange(k) // block).astype(np.int32)
        self.node("MatMulNBits", dict(four, z=None, g=groups), **attributes)

    def test_half(self):
        inputs = dict(a=self.floats(3, 32).astype(np.float16), b=self.bytes(6, 2, 8), s=self.floats(6, 2).astype(np.float16), z=self.bytes(6, 1))
        self.node("MatMulNBits", inputs, K=32, N=6, bits=4, block_size=16, tolerance=5e-3)

    def test_of_four_bits(self):
        """Of bitsandbytes: blocks in one row, over rows that end inside of them, and an odd number of weights."""
        for kind in (0, 1):
            for k, n, block in ((32, 8, 16), (24, 5, 16), (33, 3, 32), (17, 1, 64)):
                weights = dict(b=self.bytes((k * n + 1) // 2), most=self.random.random(-(-k * n // block)).astype(np.float32))
                attributes = dict(K=k, N=n, block_size=block, quant_type=kind, tolerance=1e-4)
                self.node("MatMulBnb4", dict(a=self.floats(2, 3, k), **weights), **attributes)
                # Times the identity gives the other direction, which ONNX Runtime has only on a device.
                dense = self.reference_node("MatMulBnb4", dict(a=np.eye(k, dtype=np.float32), **weights), K=k, N=n, block_size=block, quant_type=kind)["out0"].T
                a = self.floats(2, 3, n)
                self.node("MatMulBnb4", dict(a=a, **weights), transB=0, want=dict(out0=a @ dense), **attributes)
                self.node("MatMulBnb4", dict(a=a[0, 0], **weights), transB=0, want=dict(out0=a[0, 0] @ dense), **attributes)
        right = dict(a=self.floats(2, 32), b=self.bytes(128), most=self.floats(16))
        sizes = dict(K=32, N=8, block_size=16, quant_type=0)
        for changes, attributes, reason in (
            ({}, dict(quant_type=2), "quant_type of 0"), ({}, dict(block_size=24), "a power of 2"), ({}, dict(K=0), "sizes K and N"),
            (dict(b=self.bytes(127)), {}, "do not agree"), (dict(most=self.floats(15)), {}, "do not agree"), (dict(a=self.floats(2, 31)), {}, ""),
            (dict(b=self.bytes(8, 16)), {}, "one row each"), (dict(a=self.bytes(2, 32)), {}, "a matrix of float"),
        ):  # fmt: skip
            with self.subTest(reason):
                self.refuses("MatMulBnb4", right | changes, reason, **(sizes | attributes))

    def stored(self, op, inputs, *, constants, tolerance=1e-4, **attributes):
        """With weights in the file, as models have them: those stay in few bits."""
        model = node_model(op, inputs, **attributes)
        feeds = {name: x for name, x in inputs.items() if x is not None and name not in constants}
        for name in constants:
            model.graph.initializer.append(numpy_helper.from_array(inputs[name], name))
        kept = [value for value in model.graph.input if value.name not in constants]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        self.beside(model, feeds, tolerance=tolerance, only=("given", "free"))

    def test_stored(self):
        """Products and rows of constant weights, of which none is ever a float in memory."""
        n = 48
        for k, block in ((64, 16), (160, 32), (100, 32)):
            blocks = -(-k // block)
            for rows in (1, 3, 40):
                a = self.floats(rows, k)
                for bits in (2, 4, 8):
                    weights = dict(b=self.bytes(n, blocks, block * bits // 8), s=self.floats(n, blocks), z=self.bytes(n, -(-blocks * bits // 8)))
                    attributes = dict(K=k, N=n, bits=bits, block_size=block)
                    self.stored("MatMulNBits", dict(a=a, **weights), constants="bsz", **attributes)
                    self.stored("MatMulNBits", dict(a=a, **dict(weights, z=None)), constants="bs", **attributes)
                four = dict(b=self.bytes(n, blocks, block // 2), s=self.floats(n, blocks), z=None)
                for groups in (self.random.permutation(np.arange(k) // block), np.arange(k) // block, self.random.integers(0, blocks, k)):
                    self.stored("MatMulNBits", dict(a=a, **four, g=groups.astype(np.int32)), constants="bsg", K=k, N=n, bits=4, block_size=block)
                for kind in (0, 1):
                    weights = dict(b=self.bytes(n * k // 2), most=self.random.random(-(-k * n // block)).astype(np.float32))
                    self.stored("MatMulBnb4", dict(a=a, **weights), constants=["b", "most"], K=k, N=n, block_size=block, quant_type=kind)
        indices = np.array([[0, 3, -1], [2, 2, -5]], np.int64)
        for bits in (4, 8):
            table = dict(x=self.bytes(5, 40 * bits // 8), i=indices, s=self.floats(5, 3), z=self.bytes(5, -(-3 * bits // 8)))
            for dtype in (np.float32, np.float16):
                table["s"] = table["s"].astype(dtype)
                self.stored("GatherBlockQuantized", table, constants="xsz", tolerance=1e-3, bits=bits, block_size=16, quantize_axis=1)

    def test_gather_of_integers(self):
        """int4 and uint4, along either dimension."""
        for elem, low in ((TensorProto.INT4, -8), (TensorProto.UINT4, 0)):
            for axis, gathered in ((1, 0), (0, 1), (0, 0)):
                shape = (5, 32) if axis else (32, 5)
                blocks = (5, 2) if axis else (2, 5)
                scales = self.floats(*blocks)
                constants = [numpy_helper.from_array(scales, "s")]
                for name, size in (("x", shape), ("z", blocks)):
                    constants.append(helper.make_tensor(name, elem, size, self.random.integers(low, low + 16, size).ravel().tolist()))
                indices = np.array([[0, 3, -1], [2, 2, 4]], np.int64)
                node = helper.make_node("GatherBlockQuantized", ["x", "i", "s", "z"], ["y"], domain="com.microsoft", block_size=16, quantize_axis=axis, gather_axis=gathered)
                graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("i", TensorProto.INT64, indices.shape)],
                                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
                model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
                self.beside(model, {"i": indices}, only=("given", "free"))

    def test_rows_stay_packed(self):
        """The library has the bytes of an embedding, and its scales, not its floats."""
        inputs = dict(x=self.bytes(3000, 128), i=np.array([1, 2, 2999]), s=self.floats(3000, 8))
        for free in (False, True):
            model = node_model("GatherBlockQuantized", inputs, block_size=32, bits=4, quantize_axis=1)
            for name in "xs":
                model.graph.initializer.append(numpy_helper.from_array(inputs[name], name))
            kept = [value for value in model.graph.input if value.name == "i"]
            del model.graph.input[:]
            model.graph.input.extend(kept)
            if free:
                model = ways.with_free_dims(model)
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "m.so"
                hone.compile_library(model.SerializeToString(), path)
                self.assertLess(path.stat().st_size, inputs["x"].nbytes + inputs["s"].nbytes + 100_000)

    def test_gather(self):
        indices = np.array([[0, 3, -1], [2, 2, -5]], np.int64)
        for bits in (2, 4, 8):
            bytes_ = 40 * bits // 8
            inputs = dict(x=self.bytes(5, 3, bytes_), i=indices, s=self.floats(5, 3, 3))
            attributes = dict(bits=bits, block_size=16, quantize_axis=2)
            self.node("GatherBlockQuantized", inputs, **attributes)
            self.node("GatherBlockQuantized", dict(inputs, z=self.bytes(5, 3, -(-3 * bits // 8))), **attributes)

    def refused(self, **changes):
        inputs = dict(a=self.floats(3, 32), b=self.bytes(6, 2, 8), s=self.floats(6, 2), z=self.bytes(6, 1))
        attributes = dict(K=32, N=6, bits=4, block_size=16)
        for name, value in changes.items():
            (inputs if name in "abszg" else attributes)[name] = value
        reason = attributes.pop("reason")
        self.refuses("MatMulNBits", inputs, reason, **attributes)

    def test_refused(self):
        self.refused(block_size=24, reason="a power of 2 of at least 16")
        self.refused(block_size=0, reason="a power of 2 of at least 16")
        self.refused(bits=3, reason="weights of 3 bits, not 2, 4 or 8")
        self.refused(K=0, reason="needs the sizes K and N")
        self.refused(N=1 << 62, reason="needs the sizes K and N")
        self.refused(K=64, reason="the sizes of weights, K, N and block_size do not agree")
        self.refused(b=self.bytes(6, 2, 7), reason="the sizes of weights, K, N and block_size do not agree")
        self.refused(b=self.floats(6, 2, 8), reason="takes weights of uint8 and float scales")
        self.refused(s=self.floats(6, 3), reason="the sizes of scales and blocks do not agree")
        self.refused(z=self.bytes(6, 2), reason="the sizes of zero points and blocks do not agree")
        self.refused(g=self.bytes(31, dtype=np.int32), reason="a group for each of K")
        self.refused(weight_prepacked=1, reason="export them with weight_prepacked=0")
        self.refused(a=self.floats(3, 31), reason="do not agree")
        gather = dict(x=self.bytes(5, 16), i=np.array([1]), s=self.floats(5, 2))
        for attributes, reason in ((dict(block_size=8), "power of 2"), (dict(block_size=16, quantize_axis=2), "axis 2 is outside"),
                                   (dict(block_size=16, gather_axis=1), "gathers along it"), (dict(block_size=16, bits=5), "data of 5 bits"),
                                   (dict(block_size=32), "sizes of data and scales do not agree")):  # fmt: skip
            self.refuses("GatherBlockQuantized", gather, reason, **attributes)


class Recurrent(BesideTest):
    def lstm(self, directions, dtype, steps=5, batch=1, size=3, hidden=4, columns=False):
        scale = (directions, 4 * hidden) if columns else (directions,)
        zeros = lambda: np.zeros(scale, dtype) if columns else np.full(scale, self.zero(dtype))  # noqa: E731
        return dict(x=self.floats(steps, batch, size), w=self.bytes(directions, size, 4 * hidden, dtype=dtype), r=self.bytes(directions, hidden, 4 * hidden, dtype=dtype),
                    b=self.floats(directions, 8 * hidden), lengths=None, h=self.floats(directions, batch, hidden), c=self.floats(directions, batch, hidden), p=None,
                    sw=np.abs(self.floats(*scale)) * 0.01, zw=zeros(), sr=np.abs(self.floats(*scale)) * 0.01, zr=zeros())  # fmt: skip

    def test_lstm(self):
        # A step of a state's quantization is a 255th of its range.
        for dtype in (np.int8, np.uint8):
            self.node("DynamicQuantizeLSTM", self.lstm(1, dtype), outputs=3, hidden_size=4, tolerance=5e-3)
            self.node("DynamicQuantizeLSTM", self.lstm(1, dtype, columns=True), outputs=3, hidden_size=4, direction="reverse", tolerance=5e-3)
        both = self.lstm(2, np.int8)
        self.node("DynamicQuantizeLSTM", both, outputs=3, hidden_size=4, direction="bidirectional", tolerance=5e-3)
        self.node("DynamicQuantizeLSTM", dict(both, p=self.floats(2, 12) * 0.1, b=None, h=None, c=None), outputs=3, hidden_size=4, direction="bidirectional", tolerance=5e-3)

    def test_entries_of_a_batch(self):
        # ONNX Runtime quantizes the states of a thread's entries together.
        both = self.lstm(1, np.int8, batch=2)
        two = hone.compile(node_model("DynamicQuantizeLSTM", both, hidden_size=4).SerializeToString())
        inputs = {name: x for name, x in both.items() if x is not None}
        other = dict(inputs, h=both["h"] * np.array([[[1], [9]]], np.float32))
        np.testing.assert_array_equal(two.run(inputs)["out0"][:, :, 0], two.run(other)["out0"][:, :, 0])

    def test_refused(self):
        right = self.lstm(1, np.int8)
        for changes, reason in ((dict(w=self.floats(1, 3, 16)), "wrong rank or type for W"), (dict(sw=None), "needs float scales"), (dict(zr=self.bytes(1)), "needs float scales"),
                                (dict(sw=self.floats(2)), "each direction has scales"), (dict(sw=self.floats(1, 7)), "broadcast"), (dict(r=self.bytes(1, 5, 16, dtype=np.int8)), "hidden_size"),
                                (dict(sw=self.floats(1, 1, 16)), "scales or zero points of 3 dimensions")):  # fmt: skip
            self.refuses("DynamicQuantizeLSTM", right | changes, reason, hidden_size=4)


if __name__ == "__main__":
    unittest.main()
