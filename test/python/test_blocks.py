# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of com.microsoft in few bits, and its quantized LSTM, against ONNX Runtime."""
import unittest

import numpy as np
import hone
from beside import BesideTest, node_model


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
