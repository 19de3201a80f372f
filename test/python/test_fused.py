# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators of com.microsoft that optimizers fuse others into, against ONNX Runtime or, where it has
none on the CPU, against numpy."""
import unittest

import numpy as np
import onnx
from beside import BesideTest, node_model, number, reference
from ml_dtypes import float8_e4m3fn
from onnx import helper

import hone


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
        shared = dict(past, add=None, length=np.array([2], np.int32))
        self.refuses("MultiHeadAttention", shared, "a past that grows", outputs=3, num_heads=2)
        heads = dict(q=self.floats(2, 3, 8), k=self.floats(2, 2, 5, 4), v=self.floats(2, 2, 5, 4))
        self.node("MultiHeadAttention", heads, num_heads=2)

    def test_packed(self):
        # ONNX Runtime has no CPU kernel for these.
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

    def test_beams(self):
        """Rows of the cache that are those of other beams of the entry: against numpy, as ONNX Runtime writes the new key to another row."""
        batch, width, rows, past = 2, 3, 7, 4
        q, k, v = (self.floats(batch * width, 1, 8) for _ in range(3))
        keys, values = self.floats(batch * width, 2, rows, 4), self.floats(batch * width, 2, rows, 4)
        beams = self.random.integers(0, width, (batch, width, rows), np.int32)
        split = lambda x: x.reshape(batch * width, 1, 2, 4).transpose(0, 2, 1, 3)  # noqa: E731
        present = {"out1": keys.copy(), "out2": values.copy()}
        seen = {}
        for name, new in ("out1", k), ("out2", v):
            present[name][:, :, past : past + 1] = split(new)
            own = present[name].reshape(batch, width, 2, rows, 4)
            seen[name] = np.zeros((batch, width, 2, past + 1, 4))
            for entry, beam, row in np.ndindex(batch, width, past + 1):
                seen[name][entry, beam, :, row] = own[entry, beams[entry, beam, row] if row < past else beam, :, row]
            seen[name] = seen[name].reshape(batch * width, 2, past + 1, 4)
        scores = split(q) @ seen["out1"].swapaxes(2, 3) / 2
        powers = np.exp(scores - scores.max(axis=3, keepdims=True))
        attended = powers / powers.sum(axis=3, keepdims=True) @ seen["out2"]
        want = dict(out0=attended.transpose(0, 2, 1, 3).reshape(batch * width, 1, 8).astype(np.float32), out3=scores.astype(np.float32), **present)
        inputs = dict(q=q, k=k, v=v, mask=None, add=None, pk=keys, pv=values, length=np.array([past], np.int32), width=np.array([width], np.int32), beams=beams)
        attributes = dict(num_heads=2, past_present_share_buffer=1, output_qk=1)
        self.node("DecoderMaskedMultiHeadAttention", inputs, outputs=4, want=want, **attributes)
        model = hone.compile(node_model("DecoderMaskedMultiHeadAttention", inputs, outputs=4, **attributes).SerializeToString())
        for wrong in (-1, width):
            with self.assertRaisesRegex(hone.RunError, "out of range"):
                model.run({name: x for name, x in dict(inputs, beams=np.full_like(beams, wrong)).items() if x is not None})
        # Those of another attention have no beams.
        crossed = dict(q=q, k=keys, v=values, mask=None, add=None, pk=None, pv=None, length=None, width=inputs["width"], beams=beams)
        want = self.reference_node("DecoderMaskedMultiHeadAttention", crossed, outputs=1, num_heads=2)
        self.node("DecoderMaskedMultiHeadAttention", crossed, num_heads=2, want=want)

    def test_mask_of_places(self):
        """A mask for all positions of the longest sequence, for which ONNX Runtime has no CPU kernel."""
        for past, places in ((0, 4), (0, 6), (3, 7), (3, 9)):
            inputs = dict(x=self.floats(2, 4, 6), w=self.floats(6, 24), b=self.floats(24))
            whole = (self.random.random((2, 1, places, places)) < 0.7).astype(np.int32)
            rest = dict(past=self.floats(2, 2, 2, past, 4)) if past else {}
            want = self.reference_node("Attention", dict(inputs, mask=whole[:, 0, past : past + 4, : past + 4].copy(), **rest), outputs=1 + len(rest), num_heads=2)
            self.node("Attention", dict(inputs, mask=whole, **rest), outputs=1 + len(rest), num_heads=2, want=want)
        self.refuses("Attention", dict(inputs, mask=whole[:, :, :6]) | rest, "a row and a column for each key", num_heads=2)

    def test_turned(self):
        """Queries and keys that are turned by their places: beside RotaryEmbedding, as ONNX Runtime turns them on a device alone."""
        for size, width, past in ((8, 0, 0), (8, 0, 3), (8, 4, 3)):
            inputs = dict(x=self.floats(2, 5, 6), w=self.floats(6, 6 * size), b=self.floats(6 * size))
            rest = dict(mask=None, past=self.floats(2, 2, 2, past, size)) if past else {}
            q, k, v = np.split(inputs["x"] @ inputs["w"] + inputs["b"], 3, axis=2)
            angles = np.arange(16)[:, None] / 10000.0 ** (np.arange(0, width or size, 2) / (width or size))
            caches = dict(cos=np.cos(angles).astype(np.float32), sin=np.sin(angles).astype(np.float32))
            turn = lambda x: self.reference_node("RotaryEmbedding", dict(x=x.reshape(2, 5, 2, size).transpose(0, 2, 1, 3).copy(), at=np.array([past]), **caches), num_heads=2, rotary_embedding_dim=width)["out0"]  # noqa: E731, B023
            flat = lambda x: x.transpose(0, 2, 1, 3).reshape(2, 5, 2 * size)  # noqa: E731, B023
            heads = dict(q=flat(turn(q)), k=flat(turn(k)), v=v, bias=None, mask=None, add=None) | (dict(pk=rest["past"][0], pv=rest["past"][1]) if past else {})
            want = self.reference_node("MultiHeadAttention", heads, outputs=3, num_heads=2, unidirectional=1)
            want = dict(out0=want["out0"], out1=np.stack((want["out1"], want["out2"])))
            self.node("Attention", inputs | rest, outputs=2, num_heads=2, unidirectional=1, do_rotary=1, rotary_embedding_dim=width, want=want)
        self.refuses("Attention", inputs, "is even, and not above", num_heads=2, do_rotary=1, rotary_embedding_dim=10)


class Sparse(BesideTest):
    def test_product(self):
        """A sparse input is given densely."""
        a, b = self.floats(3, 5) * (self.floats(3, 5) > 0.5), self.floats(5, 4)
        for attributes, left, right in ((dict(alpha=0.5), a, b), (dict(transA=1, transB=1), a.T.copy(), b.T.copy())):
            model = node_model("SparseToDenseMatMul", dict(a=left, b=right), **attributes)
            kind = model.graph.input[0].type
            dense = kind.tensor_type
            sparse = onnx.TypeProto.SparseTensor(elem_type=dense.elem_type, shape=dense.shape)
            kind.sparse_tensor_type.CopyFrom(sparse)
            got = hone.compile(model.SerializeToString()).run(dict(a=left, b=right))["out0"]
            np.testing.assert_allclose(got, a @ b * attributes.get("alpha", 1), rtol=1e-5, atol=1e-6)
        kind.sparse_tensor_type.ClearField("shape")
        with self.assertRaisesRegex(hone.CompileError, "the input 'a' is a sparse tensor, which is supported for constants, and for inputs"):
            hone.compile(model.SerializeToString())


class Cached(BesideTest):
    def inputs(self, length, past, batch=2, heads=4, shared=2, size=16, buffer=None):
        """Queries, keys and values, and a cache of `past` keys in a buffer that may be larger."""
        rows = buffer or past
        cache = {name: self.floats(batch, shared, rows, size) if past else None for name in ("pk", "pv")}
        return dict(q=self.floats(batch, length, heads * size), k=self.floats(batch, length, shared * size), v=self.floats(batch, length, shared * size), **cache,
                    last=np.full(batch, past + length - 1, np.int32), total=number(past + length, np.int32))  # fmt: skip

    def group(self, inputs, **attributes):
        self.node("GroupQueryAttention", inputs, outputs=3, num_heads=4, kv_num_heads=2, tolerance=1e-4, **attributes)

    def test_groups(self):
        for length, past in ((5, 0), (1, 4)):
            inputs = self.inputs(length, past)
            self.group(inputs)
            self.group(inputs, scale=0.5, softcap=3.0)
            self.group(inputs, local_window_size=2)
            self.group(inputs, smooth_softmax=1)
            self.group(dict(inputs, cos=None, sin=None, at=None, bias=None, sink=self.floats(4)))
            self.group(dict(inputs, cos=None, sin=None, at=None, bias=self.floats(1, 4, length, length + past)))
            caches = dict(cos=self.floats(16, 8), sin=self.floats(16, 8))
            self.group(inputs | caches, do_rotary=1)
            self.group(inputs | caches, do_rotary=1, rotary_interleaved=1)

    def test_packed(self):
        inputs = self.inputs(3, 0)
        packed = dict(inputs, q=np.concatenate([inputs[name] for name in "qkv"], axis=2), k=None, v=None)
        self.group(packed | dict(cos=self.floats(16, 8), sin=self.floats(16, 8)), do_rotary=1)

    def test_lengths(self):
        # Entries of different lengths, in a buffer with room.
        inputs = self.inputs(1, 5, buffer=8)
        inputs["last"] = np.array([3, 5], np.int32)
        caches = dict(cos=self.floats(16, 8), sin=self.floats(16, 8))
        want = self.reference_node("GroupQueryAttention", inputs | caches, outputs=3, num_heads=4, kv_num_heads=2, do_rotary=1)
        # Memory past the keys is unused.
        self.node("GroupQueryAttention", inputs | caches, num_heads=4, kv_num_heads=2, do_rotary=1, tolerance=1e-4, want=dict(out0=want["out0"]))
        model = hone.compile(node_model("GroupQueryAttention", inputs | caches, outputs=3, num_heads=4, kv_num_heads=2, do_rotary=1).SerializeToString())
        got = model.run(inputs | caches)
        for name in ("out1", "out2"):
            for entry, last in enumerate(inputs["last"]):
                np.testing.assert_allclose(got[name][entry, :, : last + 1], want[name][entry, :, : last + 1], rtol=1e-5, atol=1e-6)
        for last in (-2, 6, 1 << 30):
            with self.assertRaisesRegex(hone.RunError, "GroupQueryAttention"):
                model.run(inputs | caches | dict(last=np.array([3, last], np.int32)))
        with self.assertRaisesRegex(hone.RunError, "GroupQueryAttention"):
            model.run(inputs | caches | dict(total=number(0, np.int32)))

    def test_rotary(self):
        caches = dict(cos=self.floats(9, 4), sin=self.floats(9, 4))
        for x in (self.floats(2, 5, 24), self.floats(2, 3, 5, 8)):
            for at in (np.array([3]), self.random.integers(0, 9, (2, 5))):
                for interleaved in (0, 1):
                    self.node("RotaryEmbedding", dict(x=x, at=at, **caches), interleaved=interleaved)
        self.refuses("RotaryEmbedding", dict(x=x, at=at, **caches), "entries of one length", is_packed_batching=1)
        self.node("RotaryEmbedding", dict(x=self.floats(2, 5, 36), at=np.array([3]), **caches), num_heads=3, rotary_embedding_dim=8)

    def test_quantized_caches(self):
        for length, past, batch in ((5, 0, 2), (1, 4, 2), (3, 3, 1)):
            for bits, dtype in ((8, np.int8), (4, np.uint8)):
                for kind, shape in (("PER_TENSOR", (1,)), ("PER_CHANNEL", (1, 2, 1, 16)), ("PER_CHANNEL", (32,))):
                    inputs = self.inputs(length, past, batch)
                    rows = lambda: self.bytes(batch, 2, past, 16 * bits // 8, dtype=dtype)  # noqa: E731, B023
                    scale = lambda: (self.random.random(shape) * 0.03 + 0.3 / bits).astype(np.float32)  # noqa: E731, B023
                    inputs |= dict(pk=rows(), pv=rows(), cos=None, sin=None, at=None, bias=None, sink=None, ks=scale(), vs=scale())
                    attributes = dict(kv_cache_bit_width=bits, k_quant_type=kind, v_quant_type=kind)
                    if kind == "PER_TENSOR":
                        self.group(inputs | dict(cos=self.floats(16, 8), sin=self.floats(16, 8)), do_rotary=1, **attributes)
                    else:
                        self.group(inputs, **attributes)
        # More room than keys, and one of the two unquantized.
        inputs = self.inputs(1, 4, buffer=8) | dict(cos=None, sin=None, at=None, bias=None, sink=None)
        for name in "kv":
            own = inputs | {"p" + name: self.bytes(2, 2, 8, 16, dtype=np.int8), name + "s": number([0.05])}
            packed = dict(kv_cache_bit_width=8, k_quant_type="NONE", v_quant_type="NONE") | {name + "_quant_type": "PER_TENSOR"}
            if name == "v":
                own |= dict(ks=None, vs=own.pop("vs"))
            plain = dict(inputs, **{"p" + name: own["p" + name].astype(np.float32) * np.float32(0.05), name: np.rint(inputs[name] / np.float32(0.05)).clip(-128, 127) * np.float32(0.05)})
            want = self.reference_node("GroupQueryAttention", plain, outputs=3, num_heads=4, kv_num_heads=2)
            self.node("GroupQueryAttention", own, num_heads=4, kv_num_heads=2, tolerance=1e-4, want=dict(out0=want["out0"]), **packed)
        # 8-bit floats, for which ONNX Runtime has no CPU kernel.
        inputs = self.inputs(1, 4) | dict(cos=None, sin=None, at=None, bias=None, sink=None)
        narrow = lambda x: np.clip(x / np.float32(0.02), -448, 448).astype(float8_e4m3fn)  # noqa: E731
        plain = {name: narrow(inputs[name]).astype(np.float32) * np.float32(0.02) for name in ("k", "v", "pk", "pv")}
        want = self.reference_node("GroupQueryAttention", inputs | plain, outputs=3, num_heads=4, kv_num_heads=2)
        own = inputs | dict(pk=narrow(inputs["pk"]), pv=narrow(inputs["pv"]), ks=number([0.02]), vs=number([0.02]))
        self.node("GroupQueryAttention", own, num_heads=4, kv_num_heads=2, tolerance=1e-4, want=dict(out0=want["out0"]), kv_cache_bit_width=8, k_quant_type="PER_TENSOR", v_quant_type="PER_TENSOR")
        right = self.inputs(1, 4) | dict(cos=None, sin=None, at=None, bias=None, sink=None, ks=number([0.1]), vs=number([0.1]))
        bytes_ = dict(pk=self.bytes(2, 2, 4, 16, dtype=np.int8), pv=self.bytes(2, 2, 4, 16, dtype=np.int8))
        types = dict(num_heads=4, kv_num_heads=2, k_quant_type="PER_TENSOR", v_quant_type="PER_TENSOR", kv_cache_bit_width=8)
        for changes, attributes, reason in (
            ({}, {}, "needs a past of int8"), (bytes_, dict(k_quant_type="NONE"), "and no quant_type"), (bytes_, dict(kv_cache_bit_width=4), "of uint8 for 4"), (bytes_ | dict(vs=None), {}, "and its scale"),
            (bytes_, dict(v_quant_type="PER_CHANNEL"), "one for each channel"), (bytes_, dict(v_quant_type="ROWS"), "an unknown quant_type"), (bytes_ | dict(pv=self.bytes(2, 2, 4, 8, dtype=np.int8)), {}, "do not agree"),
        ):  # fmt: skip
            with self.subTest(reason):
                self.refuses("GroupQueryAttention", right | changes, reason, **(types | attributes))

    def test_refused(self):
        right = self.inputs(5, 0)
        caches = dict(cos=self.floats(16, 8), sin=self.floats(16, 8))
        for changes, attributes, reason in (
            (dict(k=None), {}, "one of two inputs that belong together"), ({}, dict(kv_num_heads=3), "a multiple of kv_num_heads"), ({}, dict(do_rotary=1), "without caches"),
            (dict(pk=self.floats(2, 2, 5), pv=self.floats(2, 2, 5)), {}, "a past that does not fit"), (dict(v=self.floats(2, 5, 24)), {}, "do not agree"),
            (dict(last=self.floats(2)), {}, "integers for seqlens_k"), (dict(total=self.bytes(3, dtype=np.int32)), {}, "its input is one number"), ({}, dict(num_heads=1 << 40), "a multiple of kv_num_heads"),
            (caches | dict(cos=self.floats(16, 3)), dict(do_rotary=1), "sizes of the caches do not agree"), ({}, dict(qk_output=1), "not supported"),
        ):  # fmt: skip
            with self.subTest(reason):
                self.refuses("GroupQueryAttention", right | changes, reason, **(dict(num_heads=4, kv_num_heads=2) | attributes))


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
        # Its weights have the channels last too.
        want = self.reference_node("FusedConv", inputs, **window)["out0"]
        self.node("NhwcConv", dict(inputs, x=last(inputs["x"]), w=last(inputs["w"])), **window, want=dict(out0=last(want)), tolerance=1e-4)

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


class BlockedChannels(BesideTest):
    """Convolutions over blocks of channels, of which ONNX Runtime only has those of its machine."""

    def blocked(self, w, block):
        out, into, high, wide = w.shape
        inner = block if into >= block else 1
        return w.reshape(out // block, block, into // inner, inner, high, wide).transpose(0, 2, 4, 5, 3, 1).reshape(w.shape)

    def models(self, block, real, padded, end="Mul"):
        """The model in blocks, and the same over plain channels. Channels are not followed through a Sub."""
        own, plain = [], []
        weights = {"w0": self.floats(padded, 3, 3, 3), "w1": self.floats(padded, padded, 1, 1), "wd": self.floats(padded, 1, 3, 3), "b": self.floats(padded)}
        for name, axis in (("w0", 0), ("w1", 0), ("w1", 1), ("wd", 0), ("b", 0)):
            np.moveaxis(weights[name], axis, 0)[real:] = 0
        convs = [("x", "w0", dict(pads=[1] * 4, strides=[2, 1], activation="Relu"), None), ("v0", "w1", dict(activation="LeakyRelu", activation_params=[0.1]), "v0"), ("v1", "wd", dict(group=padded, pads=[1] * 4), None)]
        for i, (x, w, attributes, added) in enumerate(convs):
            inputs = [x, w, "b"] + ([added] if added else [])
            own.append(helper.make_node("Conv", inputs, [f"v{i}"], domain="com.microsoft.nchwc", kernel_shape=weights[w].shape[2:], **attributes))
            plain.append(helper.make_node("FusedConv", inputs, [f"v{i}"], domain="com.microsoft", kernel_shape=weights[w].shape[2:], **attributes))
        window = dict(kernel_shape=[2, 2], pads=[0, 1, 1, 0])
        for nodes, domain in ((own, "com.microsoft.nchwc"), (plain, "")):
            nodes += [helper.make_node("MaxPool", ["v2"], ["m"], domain=domain, **window), helper.make_node("AveragePool", ["m"], ["a"], domain=domain, **window)]
            nodes += [helper.make_node(op, ["a"], [name], domain=domain) for op, name in (("GlobalAveragePool", "g"), ("GlobalMaxPool", "h"))]
        own.append(helper.make_node("Upsample", ["a"], ["u"], domain="com.microsoft.nchwc", scales=[1, 1, 2, 3], mode="linear", coordinate_transformation_mode="half_pixel"))
        plain.append(helper.make_node("Resize", ["a", "", "s"], ["u"], mode="linear", coordinate_transformation_mode="half_pixel"))
        for nodes in (own, plain):
            nodes += [helper.make_node("Add", ["u", "g"], ["sum"]), helper.make_node(end, ["sum", "h"], ["end"])]
        # There and back, over channels that are last.
        own += [helper.make_node("ReorderOutput", ["end"], ["y"], domain="com.microsoft.nchwc", channels=real, channels_last=1),
                helper.make_node("ReorderInput", ["y"], ["z"], domain="com.microsoft.nchwc", channels_last=1),
                helper.make_node("ReorderOutput", ["z"], ["t"], domain="com.microsoft.nchwc", channels=real)]  # fmt: skip
        plain += [helper.make_node("Slice", ["end", "from", "to", "axis"], ["t"]), helper.make_node("Transpose", ["t"], ["y"], perm=[0, 2, 3, 1])]

        def model(nodes, weights):
            x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 3, 9, 8])
            graph = helper.make_graph(nodes, "g", [x], [onnx.ValueInfoProto(name=name) for name in "yt"], [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()])
            opsets = [helper.make_opsetid(domain, version) for domain, version in (("", 18), ("com.microsoft", 1), ("com.microsoft.nchwc", 1))]
            return helper.make_model(graph, opset_imports=opsets, ir_version=9)

        lying = {name: value if name == "b" else self.blocked(value, block) for name, value in weights.items()}
        extra = {"s": np.array([1, 1, 2, 3], np.float32), "from": np.array([0]), "to": np.array([real]), "axis": np.array([1])}
        return model(own, lying), model(plain, weights | extra)

    def test_blocks(self):
        feeds = {"x": self.floats(2, 3, 9, 8)}
        # 24 channels are three blocks of 8 or, padded, two of 16; with 32 the caller must specify it.
        for block, real, padded in ((8, 24, 24), (16, 24, 32), (8, 20, 24)):
            blocked, plain = self.models(block, real, padded)
            self.beside(blocked, feeds, reference(plain, feeds), tolerance=1e-4, only=("given", "free"))
        # Weights tell it too, by the padding of the last block.
        blocked, plain = self.models(16, 24, 32, end="Sub")
        self.beside(blocked, feeds, reference(plain, feeds), tolerance=1e-4, only=("given",))
        for block in (8, 16):
            blocked, plain = self.models(block, 32, 32)
            with self.assertRaisesRegex(hone.CompileError, "specify --dim nchwc_block=8 or 16, or save the model again"):
                hone.compile(blocked.SerializeToString())
            got = hone.compile(blocked.SerializeToString(), dims={"nchwc_block": block}).run(feeds)
            for name, value in reference(plain, feeds).items():
                np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-4)

    def test_refused(self):
        blocked, _ = self.models(8, 24, 24)
        for dims in ({"nchwc_block": 16}, {"nchwc_block": 4}, {"nchwc_block": 0}):
            with self.assertRaisesRegex(hone.CompileError, "do not fit"):
                hone.compile(blocked.SerializeToString(), dims=dims)
        for change, reason in (
            (lambda g: g.initializer[0].dims.__setitem__(0, 12), "do not fit|12"), (lambda g: g.node[-1].attribute[0].__setattr__("i", 40), "fill their blocks|do not fit"),
            (lambda g: g.node[-1].attribute[0].__setattr__("i", -1), "needs the number of channels"), (lambda g: g.input[0].type.tensor_type.shape.dim.pop(), "float tensor of 4 dimensions"),
        ):  # fmt: skip
            model = onnx.ModelProto()
            model.CopyFrom(blocked)
            change(model.graph)
            with self.assertRaisesRegex(hone.CompileError, reason):
                hone.compile(model.SerializeToString())
        with self.assertRaisesRegex(hone.CompileError, "no free dimension 'nchwc_block'"):
            hone.compile(self.models(8, 24, 24)[1].SerializeToString(), dims={"nchwc_block": 8})


if __name__ == "__main__":
    unittest.main()
