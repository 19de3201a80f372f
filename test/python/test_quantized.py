# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators of com.microsoft on quantized tensors, against ONNX Runtime."""
import unittest

import numpy as np
from beside import BesideTest, node_model, number, reference

U8, I8 = np.uint8, np.int8


class Elementwise(BesideTest):
    def test_quantize_16(self):
        for dtype in (np.int16, np.uint16, I8, U8):
            zero = self.zero(dtype)
            self.node("QuantizeLinear", dict(x=self.floats(3, 40) * 50, s=number(0.0021), z=zero))
            self.node("DequantizeLinear", dict(x=self.bytes(3, 40, dtype=dtype), s=number(0.0021), z=zero))
            scales, zeros = np.abs(self.floats(3)) + 0.01, self.bytes(3, dtype=dtype)
            self.node("QuantizeLinear", dict(x=self.floats(2, 3, 5), s=scales, z=zeros), axis=1)
            self.node("DequantizeLinear", dict(x=self.bytes(2, 3, 5, dtype=dtype), s=scales, z=zeros), axis=1)
        self.node("DequantizeLinear", dict(x=self.bytes(3, 40, dtype=np.int32), s=number(0.0021), z=None))

    def test_binary(self):
        for dtype in (U8, I8):
            for op in ("QLinearAdd", "QLinearMul"):
                for b in ((3, 1, 5), (5,), ()):
                    inputs = dict(a=self.bytes(3, 4, 5, dtype=dtype), sa=number(0.013), za=self.zero(dtype),
                                  b=self.bytes(*b, dtype=dtype), sb=number(0.021), zb=self.zero(dtype),
                                  sc=number(0.5 if op == "QLinearMul" else 0.027), zc=self.zero(dtype))  # fmt: skip
                    # With scales that are powers of two, ties occur and are rounded equally.
                    self.node(op, inputs)
                    self.node(op, dict(inputs, sa=number(0.5), sb=number(0.25), sc=number(1.0)))
                none = number(0, dtype)
                want = reference(node_model(op, inputs), dict(inputs, za=none, zb=none, zc=none))
                self.node(op, dict(inputs, za=None, zb=None, zc=None), want=want)

    def test_sums_near_halves(self):
        """All pairs of bytes: some sums lie so near to a half that the order of the terms tells, with fused additions, which the compiler's
        evaluator has not."""
        a, b = np.meshgrid(np.arange(256, dtype=U8), np.arange(256, dtype=U8))
        inputs = dict(a=a, sa=number(0.029866304), za=number(97, U8), b=b, sb=number(0.054087292), zb=number(76, U8), sc=number(0.06617786), zc=number(123, U8))
        self.beside(node_model("QLinearAdd", inputs), inputs, only=("given", "free"))

    def test_unary(self):
        for dtype in (U8, I8):
            inputs = dict(x=np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype).reshape(16, 16), sx=number(0.05), zx=self.zero(dtype), sy=number(0.004), zy=self.zero(dtype))
            self.node("QLinearSigmoid", inputs)
            self.node("QLinearLeakyRelu", inputs)
            self.node("QLinearLeakyRelu", dict(inputs, zx=None, zy=None), alpha=0.3)

    def test_softmax(self):
        for dtype in (U8, I8):
            y = number(0 if dtype == U8 else -128, dtype)
            inputs = dict(x=self.bytes(3, 4, 10, dtype=dtype), sx=number(0.02), zx=self.zero(dtype), sy=number(1 / 256), zy=y)
            # The tables of ONNX Runtime are integers.
            self.node("QLinearSoftmax", inputs, axis=-1, opset=13, steps=1)
            self.node("QLinearSoftmax", inputs, axis=1, opset=13, steps=1)
            self.node("QLinearSoftmax", inputs, axis=1, opset=12, steps=1)

    def test_concat(self):
        for dtype in (U8, I8):
            inputs = dict(sy=number(0.03), zy=self.zero(dtype))
            for i, size in enumerate((1, 4, 2)):
                inputs |= {f"x{i}": self.bytes(2, size, 3, dtype=dtype), f"s{i}": number(0.01 + 0.02 * i), f"z{i}": self.zero(dtype)}
            self.node("QLinearConcat", inputs, axis=1)
            self.node("QLinearConcat", inputs, axis=-2)

    def test_where(self):
        for dtype in (U8, I8):
            inputs = dict(c=self.bytes(3, 1, 5) > 100, x=self.bytes(3, 4, 1, dtype=dtype), sx=number(0.03), zx=self.zero(dtype),
                          y=self.bytes(4, 5, dtype=dtype), sy=number(0.02), zy=self.zero(dtype), sz=number(0.025), zz=self.zero(dtype))  # fmt: skip
            self.node("QLinearWhere", inputs)


class Windows(BesideTest):
    def test_average_pool(self):
        for dtype in (U8, I8):
            rest = dict(sx=number(0.03), zx=self.zero(dtype), sy=number(0.02), zy=self.zero(dtype))
            window = dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
            for include in (0, 1):
                self.node("QLinearAveragePool", dict(x=self.bytes(2, 3, 7, 6, dtype=dtype), **rest), **window, count_include_pad=include, steps=1)
                self.node("QLinearAveragePool", dict(x=self.bytes(2, 7, 6, 3, dtype=dtype), **rest), **window, count_include_pad=include, channels_last=1, steps=1)
            self.node("QLinearAveragePool", dict(x=self.bytes(1, 2, 9, dtype=dtype), **rest), kernel_shape=[4], ceil_mode=1, strides=[2], steps=1)

    def test_global_average_pool(self):
        for dtype in (U8, I8):
            rest = dict(sx=number(0.03), zx=self.zero(dtype), sy=number(0.01), zy=self.zero(dtype))
            self.node("QLinearGlobalAveragePool", dict(x=self.bytes(2, 3, 7, 6, dtype=dtype), **rest))
            self.node("QLinearGlobalAveragePool", dict(x=self.bytes(2, 7, 6, 3, dtype=dtype), **rest), channels_last=1)

    def test_reduce_mean(self):
        """Beside numpy: ONNX Runtime has it on a device alone."""
        for dtype in (U8, I8):
            x, zero, to_zero = self.bytes(2, 3, 4, 5, dtype=dtype), self.zero(dtype), self.zero(dtype)
            for axes, keep in (((1, 3), 0), ((-1,), 1), ((0, 1, 2, 3), 1), (None, 0)):
                mean = ((x.astype(np.float64) - zero) * np.float32(0.07)).mean(axis=axes, keepdims=bool(keep))
                info = np.iinfo(dtype)
                want = np.clip(np.rint(mean / np.float32(0.03)) + to_zero, info.min, info.max).astype(dtype)
                inputs = dict(x=x, sx=number(0.07), zx=zero, sy=number(0.03), zy=to_zero)
                # If the mean is half a step the rounding of floats decides.
                self.node("QLinearReduceMean", inputs, steps=1, want=dict(out0=np.array(want)), keepdims=keep, **({} if axes is None else dict(axes=list(axes))))
        self.refuses("QLinearReduceMean", inputs, "an axis twice", axes=[1, -3])
        self.refuses("QLinearReduceMean", inputs, "", axes=[4])

    def test_max_pool(self):
        for dtype in (U8, I8):
            self.node("NhwcMaxPool", dict(x=self.bytes(2, 7, 6, 3, dtype=dtype)), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])

    def test_conv(self):
        for dtype in (U8, I8):
            x, w = self.bytes(2, 7, 6, 4, dtype=dtype), self.bytes(6, 2, 3, 3, dtype=I8)
            inputs = dict(x=x, sx=number(0.03), zx=self.zero(dtype), w=w, sw=np.abs(self.floats(6)) * 0.01 + 0.01, zw=np.zeros(6, I8),
                          sy=number(0.9), zy=self.zero(dtype), b=self.bytes(6, dtype=np.int32) >> 20)  # fmt: skip
            self.node("QLinearConv", inputs, kernel_shape=[3, 3], group=2, pads=[1, 0, 1, 0], strides=[2, 1], channels_last=1)
            inputs["x"] = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
            self.node("QLinearConv", inputs, kernel_shape=[3, 3], group=2, pads=[1, 0, 1, 0], strides=[2, 1])


class Products(BesideTest):
    def test_gemm(self):
        for dtype in (U8, I8):
            inputs = dict(a=self.bytes(3, 8, dtype=dtype), sa=number(0.03), za=self.zero(dtype), b=self.bytes(8, 5, dtype=I8), sb=number(0.02), zb=number(3, I8),
                          c=self.bytes(5, dtype=np.int32) >> 18, sy=number(0.3), zy=self.zero(dtype))  # fmt: skip
            self.node("QGemm", inputs)
            self.node("QGemm", dict(inputs, sy=None, zy=None))
            self.node("QGemm", dict(inputs, c=None), alpha=0.5)
            columns = dict(inputs, sb=np.abs(self.floats(5)) * 0.1, zb=np.zeros(5, I8), b=self.bytes(5, 8, dtype=I8), c=self.bytes(3, 1, dtype=np.int32) >> 18)
            self.node("QGemm", columns, transB=1)
            self.node("QGemm", dict(columns, a=self.bytes(8, 3, dtype=dtype)), transA=1, transB=1)

    def test_to_float(self):
        for dtype in (U8, I8):
            inputs = dict(a=self.bytes(2, 3, 8, dtype=dtype), b=self.bytes(8, 5, dtype=I8), sa=number(0.03), sb=np.abs(self.floats(5)), za=self.zero(dtype), zb=self.bytes(5, dtype=I8), bias=self.floats(5))
            self.node("MatMulIntegerToFloat", inputs)
            self.node("MatMulIntegerToFloat", dict(inputs, sb=number(0.1), zb=number(-3, I8), bias=None))
            self.node("MatMulIntegerToFloat", dict(inputs, za=None, zb=None))

    def test_dynamic(self):
        for dtype in (U8, I8):
            inputs = dict(a=self.floats(2, 3, 8), b=self.bytes(8, 5, dtype=dtype), sb=np.abs(self.floats(5)), zb=self.bytes(5, dtype=dtype), bias=self.floats(5))
            self.node("DynamicQuantizeMatMul", inputs, tolerance=1e-4)
            self.node("DynamicQuantizeMatMul", dict(inputs, sb=number(0.1), zb=number(3, dtype), bias=None), tolerance=1e-4)
            self.node("DynamicQuantizeMatMul", dict(inputs, zb=None), tolerance=1e-4)

    def test_attention(self):
        for dtype, past in ((U8, 0), (I8, 3), (U8, 3)):
            inputs = dict(x=self.bytes(2, 4, 8), w=self.bytes(8, 24, dtype=dtype), b=self.floats(24), sx=number(0.01), sw=number(0.02), mask=None, zx=self.zero(U8), zw=self.zero(dtype),
                          past=self.floats(2, 2, 2, past, 4) if past else None)  # fmt: skip
            self.node("QAttention", inputs, outputs=2, num_heads=2, tolerance=1e-4)
            self.node("QAttention", dict(inputs, mask=np.array([2 + past, 4 + past], np.int32)), outputs=2, num_heads=2, tolerance=1e-4)
            columns = dict(inputs, sw=np.abs(self.floats(24)) * 0.02, zw=self.bytes(24, dtype=dtype))
            self.node("QAttention", columns, outputs=2, num_heads=2, unidirectional=1, tolerance=1e-4)

    def test_embeddings(self):
        for dtype in (U8, I8):
            tables = dict(words=self.bytes(11, 8, dtype=dtype), places=self.bytes(6, 8, dtype=dtype), kinds=self.bytes(2, 8, dtype=dtype), scale=self.bytes(8, dtype=dtype), shift=self.bytes(8, dtype=dtype))
            inputs = dict(ids=self.random.integers(0, 11, (2, 5), np.int32), segments=self.random.integers(0, 2, (2, 5), np.int32), **tables, mask=(self.random.random((2, 5)) < 0.6).astype(np.int32))
            inputs |= {f"s_{name}": number(0.01 * (i + 1)) for i, name in enumerate(tables)} | {f"z_{name}": self.zero(dtype) for name in tables}
            self.node("QEmbedLayerNormalization", inputs, outputs=2, tolerance=1e-4)
            without = dict.fromkeys(("segments", "kinds", "s_kinds", "z_kinds"))
            self.node("QEmbedLayerNormalization", inputs | without, outputs=2, tolerance=1e-4)

    def test_long_sums(self):
        """In several parts in f32, in f64, and beyond an int32, with constant and run-time weights."""
        for dtype, rows in (U8, 259), (I8, 700), (U8, 3000), (I8, 40000):
            inputs = dict(a=np.full((2, rows), 255, U8), b=self.bytes(rows, 3, dtype=dtype), az=number(0, U8), bz=np.array([0, 100, 7], dtype))
            inputs["b"][:, 0] = np.iinfo(dtype).max
            self.node("MatMulInteger", inputs, domain="")

    def test_integers_of_16_bits(self):
        self.node("MatMulInteger16", dict(a=self.bytes(2, 3, 8, dtype=np.int16), b=self.bytes(8, 5, dtype=np.int16)))


if __name__ == "__main__":
    unittest.main()
