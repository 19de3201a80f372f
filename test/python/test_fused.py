# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators of com.microsoft that optimizers fuse others into, beside ONNX Runtime or, where it has
none on the CPU, beside numpy."""
import unittest

import numpy as np
from beside import BesideTest


class Attention(BesideTest):
    def qkv(self, *lengths, width=8):
        return dict(zip("qkv", (self.floats(2, n, width) for n in lengths)))

    def test_projected(self):
        inputs = dict(x=self.floats(2, 4, 6), w=self.floats(6, 24), b=self.floats(24))
        self.node("Attention", inputs, num_heads=2)
        self.node("Attention", inputs, num_heads=2, unidirectional=1, scale=0.3)
        self.node("Attention", dict(inputs, mask=np.array([2, 4], np.int32)), num_heads=2)
        self.node("Attention", dict(inputs, mask=np.array([3, 4, 1, 0], np.int32)), num_heads=2)
        self.node("Attention", dict(inputs, mask=np.array([[1, 1, 0, 1], [0, 1, 1, 1]], np.int32)), num_heads=2)
        past = dict(inputs, mask=None, past=self.floats(2, 2, 2, 3, 4))
        self.node("Attention", past, outputs=2, num_heads=2)
        self.node("Attention", past, outputs=2, num_heads=2, unidirectional=1)
        self.node("Attention", dict(inputs, mask=None, past=None, bias=self.floats(1, 2, 4, 4)), num_heads=2)
        widths = dict(x=self.floats(2, 4, 6), w=self.floats(6, 28), b=self.floats(28))
        self.node("Attention", widths, num_heads=2, qkv_hidden_sizes=[8, 8, 12])

    def test_separate(self):
        for lengths in ((4, 4, 4), (3, 5, 5)):
            inputs = self.qkv(*lengths)
            self.node("MultiHeadAttention", inputs, num_heads=2)
            self.node("MultiHeadAttention", dict(inputs, bias=self.floats(24)), num_heads=2, scale=0.4)
            self.node("MultiHeadAttention", dict(inputs, bias=None, mask=np.array([2, 3], np.int32)), num_heads=2)
            mask = (self.random.random((2, lengths[1])) < 0.7).astype(np.int32)
            self.node("MultiHeadAttention", dict(inputs, bias=None, mask=mask, add=self.floats(1, 2, lengths[0], lengths[1])), num_heads=2)
            past = dict(inputs, bias=None, mask=None, add=None, pk=self.floats(2, 2, 3, 4), pv=self.floats(2, 2, 3, 4))
            self.node("MultiHeadAttention", past, outputs=3, num_heads=2)
        causal = dict(self.qkv(4, 4, 4), bias=self.floats(24))
        self.node("MultiHeadAttention", causal, num_heads=2, unidirectional=1)
        heads = dict(q=self.floats(2, 3, 8), k=self.floats(2, 2, 5, 4), v=self.floats(2, 2, 5, 4))
        self.node("MultiHeadAttention", heads, num_heads=2)

    def test_packed(self):
        # Of which ONNX Runtime has no kernel on the CPU.
        q, k, v = (self.floats(2, 4, 2, 3) for _ in range(3))
        flat = [x.reshape(2, 4, 6) for x in (q, k, v)]
        want = self.reference_node("MultiHeadAttention", dict(zip("qkv", flat)), num_heads=2)
        self.node("MultiHeadAttention", dict(q=np.stack((q, k, v), axis=3)), num_heads=2, want=want)
        self.node("MultiHeadAttention", dict(q=flat[0], k=np.stack((k, v), axis=3)), num_heads=2, want=want)

    def test_decoder(self):
        one = self.qkv(1, 1, 1)
        past = dict(one, mask=None, add=None, pk=self.floats(2, 2, 5, 4), pv=self.floats(2, 2, 5, 4))
        for length in (0, 2, 4):
            shared = dict(past, length=np.array([length], np.int32))
            self.node("DecoderMaskedMultiHeadAttention", shared, outputs=3, num_heads=2, past_present_share_buffer=1)
        # A cache that grows is that of the other operator.
        want = self.reference_node("MultiHeadAttention", dict(one, bias=None, mask=None, add=None, pk=past["pk"], pv=past["pv"]), outputs=3, num_heads=2)
        self.node("DecoderMaskedMultiHeadAttention", past, outputs=3, num_heads=2, want=want)
        packed = dict(q=np.concatenate(list(one.values()), axis=2), k=None, v=None)
        self.node("DecoderMaskedMultiHeadAttention", past | packed, outputs=3, num_heads=2, want=want)
        crossed = dict(q=one["q"], k=self.floats(2, 2, 5, 4), v=self.floats(2, 2, 5, 4), mask=(self.random.random((2, 5)) < 0.7).astype(np.int32))
        self.node("DecoderMaskedMultiHeadAttention", crossed, num_heads=2, want=self.reference_node("MultiHeadAttention", dict(q=crossed["q"], k=crossed["k"], v=crossed["v"], bias=None, mask=crossed["mask"]), num_heads=2))


class Normalization(BesideTest):
    def test_skip(self):
        x, scale, shift, bias = self.floats(2, 4, 8), self.floats(8), self.floats(8), self.floats(8)
        for skip in (self.floats(2, 4, 8), self.floats(1, 4, 8), self.floats(4, 8)):
            inputs = dict(x=x, skip=skip, scale=scale, shift=shift, bias=bias)
            self.node("SkipLayerNormalization", inputs, tolerance=1e-4)
            self.node("SkipLayerNormalization", dict(inputs, bias=None), tolerance=1e-4)
            inputs.pop("shift")
            self.node("SkipSimplifiedLayerNormalization", inputs, tolerance=1e-4)

    def test_embeddings(self):
        inputs = dict(ids=self.random.integers(0, 11, (2, 5), np.int32), segments=self.random.integers(0, 2, (2, 5), np.int32), words=self.floats(11, 8), places=self.floats(6, 8), kinds=self.floats(2, 8), scale=self.floats(8), shift=self.floats(8))
        mask = (self.random.random((2, 5)) < 0.6).astype(np.int32)
        self.node("EmbedLayerNormalization", inputs | dict(mask=mask), outputs=3, tolerance=1e-4)
        self.node("EmbedLayerNormalization", inputs | dict(segments=None, kinds=None, mask=None, at=self.random.integers(0, 6, (2, 5), np.int32)), outputs=2, tolerance=1e-4)

    def test_groups(self):
        def expected(x, scale, shift, groups, silu):
            own = x.astype(np.float64).reshape(x.shape[0], groups, -1)
            own = (own - own.mean(axis=2, keepdims=True)) / np.sqrt(own.var(axis=2, keepdims=True) + 1e-5)
            y = own.reshape(x.shape) * scale[:, None, None] + shift[:, None, None]
            return (y / (1 + np.exp(-y)) if silu else y).astype(np.float32)

        x, scale, shift, bias = self.floats(2, 6, 3, 4), self.floats(6), self.floats(6), self.floats(6)
        last = lambda v: np.ascontiguousarray(v.transpose(0, 2, 3, 1))  # noqa: E731
        for silu in (0, 1):
            inputs = dict(scale=scale, shift=shift)
            want = expected(x, scale, shift, 3, silu)
            attributes = dict(groups=3, activation=silu, tolerance=1e-4)
            self.node("GroupNorm", dict(x=x, **inputs), channels_last=0, want=dict(out0=want), **attributes)
            self.node("GroupNorm", dict(x=last(x), **inputs), want=dict(out0=last(want)), **attributes)
            for skip in (self.floats(2, 6, 3, 4), self.floats(2, 6)):
                total = x + (skip if skip.ndim == 4 else skip[:, :, None, None]) + bias[:, None, None]
                want = dict(out0=last(expected(total, scale, shift, 3, silu)), out1=last(total))
                self.node("SkipGroupNorm", dict(x=last(x), **inputs, skip=last(skip) if skip.ndim == 4 else skip, bias=bias), outputs=2, want=want, **attributes)


class Products(BesideTest):
    ACTIVATIONS = (("Relu", ()), ("Sigmoid", ()), ("Tanh", ()), ("LeakyRelu", (0.2,)), ("Clip", (-0.5, 0.75)), ("HardSigmoid", (0.3, 0.4)))

    def test_convolution(self):
        inputs = dict(x=self.floats(2, 4, 6, 5), w=self.floats(6, 2, 3, 3), b=self.floats(6))
        window = dict(kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[1, 2], group=2)
        last = lambda v: np.ascontiguousarray(v.transpose(0, 2, 3, 1))  # noqa: E731
        for name, values in self.ACTIVATIONS:
            attributes = dict(window, activation=name, tolerance=1e-4) | (dict(activation_params=list(values)) if values else {})
            self.node("FusedConv", inputs, **attributes)
        added = dict(inputs, z=self.floats(2, 6, 6, 3))
        self.node("FusedConv", added, **window, activation="Relu", tolerance=1e-4)
        want = self.reference_node("FusedConv", added, **window, activation="Relu")["out0"]
        self.node("NhwcFusedConv", dict(added, x=last(added["x"]), z=last(added["z"])), **window, activation="Relu", want=dict(out0=last(want)), tolerance=1e-4)
        want = self.reference_node("FusedConv", inputs, **window)["out0"]
        self.node("NhwcConv", dict(inputs, x=last(inputs["x"])), **window, want=dict(out0=last(want)), tolerance=1e-4)

    def test_gemm(self):
        inputs = dict(a=self.floats(3, 5), b=self.floats(5, 4), c=self.floats(4))
        for name, values in (*self.ACTIVATIONS, ("Elu", (0.7,)), ("Softplus", ())):
            if name != "Clip":
                attributes = dict(zip(("activation_alpha", "activation_beta"), values))
                self.node("FusedGemm", inputs, activation=name, alpha=0.5, beta=2.0, tolerance=1e-4, **attributes)
        self.node("FusedGemm", dict(a=inputs["a"].T.copy(), b=inputs["b"].T.copy()), activation="Relu", transA=1, transB=1)

    def test_matmul(self):
        a, b = self.floats(2, 3, 5), self.floats(2, 5, 4)
        self.node("FusedMatMul", dict(a=a, b=b), alpha=0.5)
        self.node("FusedMatMul", dict(a=a.transpose(0, 2, 1).copy(), b=b.transpose(0, 2, 1).copy()), transA=1, transB=1)
        self.node("FusedMatMul", dict(a=a.transpose(1, 0, 2).copy(), b=b), transBatchA=1)
        self.node("FusedMatMul", dict(a=a, b=b.transpose(2, 0, 1).copy()), transBatchB=1, transB=1)
        want = np.maximum(a @ b * 0.5, 0)
        self.node("FusedMatMulActivation", dict(a=a, b=b), alpha=0.5, activation="Relu", want=dict(out0=want))

    def test_gelu(self):
        x, bias = self.floats(2, 3, 8), self.floats(8)
        for op in ("BiasGelu", "FastGelu"):
            self.node(op, dict(x=x, b=bias))
        self.node("QuickGelu", dict(x=x), alpha=1.5)
        half = self.reference_node("BiasGelu", dict(x=x[..., 4:].copy(), b=bias[4:]))["out0"]
        self.node("BiasSplitGelu", dict(x=x, b=bias), want=dict(out0=(x + bias)[..., :4] * half))
        self.node("BiasAdd", dict(x=x, b=bias, skip=x * 2), want=dict(out0=x * 3 + bias))


if __name__ == "__main__":
    unittest.main()
