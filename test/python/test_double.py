# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Normalizations and attention in double, and with parameters of another type than their input, against ONNX's reference or
numpy in double: what float would lose is seen."""
import unittest

import numpy as np
from beside import BesideTest, node_model
from onnx.reference import ReferenceEvaluator

TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5, np.float16: 2e-3}


class DoubleTest(BesideTest):
    def doubles(self, *shape):
        return self.random.standard_normal(shape)

    def checked(self, op, inputs, outputs=1, want=None, tolerance=1e-12, **attributes):
        if want is None:
            feeds = {name: x for name, x in inputs.items() if x is not None}
            want = dict(zip(("out0", "out1", "out2", "out3"), ReferenceEvaluator(node_model(op, inputs, outputs, "", **attributes)).run(None, feeds)))
        self.node(op, inputs, outputs, tolerance=tolerance, want=want, domain="", **attributes)


class Normalization(DoubleTest):
    def layer(self, x, scale, shift, axis, epsilon=1e-5):
        """In double: result, mean, one over the deviation."""
        x = x.astype(np.float64)
        axes = tuple(range(axis % x.ndim, x.ndim))
        mean = x.mean(axis=axes, keepdims=True)
        inverse = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + np.float64(np.float32(epsilon)))
        return (x - mean) * inverse * scale + shift, mean, inverse

    def test_layers(self):
        x, scale, shift = self.doubles(2, 3, 4) + 100, self.doubles(4), self.doubles(4)
        y, mean, inverse = self.layer(x, scale, shift, -1)
        # The mean and the deviation are float, or what stash_type says.
        want = dict(out0=y, out1=mean.astype(np.float32), out2=inverse.astype(np.float32))
        self.checked("LayerNormalization", dict(x=x, s=scale, b=shift), outputs=3, want=want)
        self.checked("LayerNormalization", dict(x=x, s=scale, b=shift), outputs=3, want=dict(out0=y, out1=mean, out2=inverse), stash_type=11)
        self.checked("LayerNormalization", dict(x=x, s=scale), want=dict(out0=self.layer(x, scale, 0, -1)[0]))

    def test_mixed_layers(self):
        """ONNX Runtime's operator before ONNX had it: the result has the type of the scale."""
        for x_type, scale_type in ((np.float16, np.float32), (np.float32, np.float64), (np.float64, np.float32), (np.float32, np.float16)):
            x, scale, shift = self.doubles(2, 3, 4).astype(x_type), self.doubles(4).astype(scale_type), self.doubles(4).astype(scale_type)
            want = dict(out0=self.layer(x, scale, shift, -1)[0].astype(scale_type))
            model = node_model("LayerNormalization", dict(x=x, s=scale, b=shift), 1, "", axis=-1)
            model.opset_import[0].version = 12
            self.beside(model, dict(x=x, s=scale, b=shift), want, tolerance=TOLERANCE[scale_type])
            wide = x.astype(np.float64)
            inverse = 1 / np.sqrt((wide**2).mean(axis=-1, keepdims=True) + np.float64(np.float32(1e-5)))
            want = dict(out0=(wide * inverse * scale).astype(scale_type))
            self.checked("RMSNormalization", dict(x=x, s=scale), want=want, tolerance=TOLERANCE[scale_type])
            want["out1"] = inverse.astype(np.float32)
            for domain in ("", "com.microsoft"):
                self.node("SimplifiedLayerNormalization", dict(x=x, s=scale), 2, tolerance=max(1e-6, TOLERANCE[scale_type]), want=want, domain=domain)

    def test_batches(self):
        for x_type, scale_type, mean_type in (
            (np.float64, np.float64, np.float64), (np.float32, np.float64, np.float64), (np.float32, np.float32, np.float64),
            (np.float64, np.float32, np.float32), (np.float16, np.float32, np.float64),
        ):  # fmt: skip
            x = self.doubles(3, 4, 5).astype(x_type)
            scale, shift = (self.doubles(4).astype(scale_type) for _ in range(2))
            mean, variance = self.doubles(4).astype(mean_type), self.random.random(4).astype(mean_type)
            inputs = dict(x=x, s=scale, b=shift, m=mean, v=variance)
            wide = {name: value.astype(np.float64) if name == "x" else value.astype(np.float64)[:, None] for name, value in inputs.items()}
            epsilon = np.float64(np.float32(1e-5))
            y = wide["s"] * (wide["x"] - wide["m"]) / np.sqrt(wide["v"] + epsilon) + wide["b"]
            self.checked("BatchNormalization", inputs, want=dict(out0=y.astype(x_type)), tolerance=TOLERANCE[x_type])
            own, spread = wide["x"].mean(axis=(0, 2)), wide["x"].var(axis=(0, 2))
            keep = np.float64(np.float32(0.9))
            y = wide["s"] * (wide["x"] - own[:, None]) / np.sqrt(spread[:, None] + epsilon) + wide["b"]
            want = dict(out0=y.astype(x_type), out1=(mean * keep + own * (1 - keep)).astype(mean_type), out2=(variance * keep + spread * (1 - keep)).astype(mean_type))
            self.checked("BatchNormalization", inputs, outputs=3, want=want, tolerance=TOLERANCE[x_type], training_mode=1)

    def test_groups(self):
        x = self.doubles(2, 4, 3, 5) + 100
        own = x.reshape(2, 2, -1)
        normal = ((own - own.mean(axis=2, keepdims=True)) / np.sqrt(own.var(axis=2, keepdims=True) + np.float64(np.float32(1e-5)))).reshape(x.shape)
        scale, shift = self.doubles(4), self.doubles(4)
        y = normal * scale[:, None, None] + shift[:, None, None]
        self.checked("GroupNormalization", dict(x=x, s=scale, b=shift), want=dict(out0=y), num_groups=2)


class Attention(DoubleTest):
    def test_types(self):
        for q_type, v_type in ((np.float64, np.float64), (np.float64, np.float32), (np.float32, np.float64), (np.float16, np.float32)):
            q, k = self.doubles(2, 4, 3, 8).astype(q_type), self.doubles(2, 2, 6, 8).astype(q_type)
            v = self.doubles(2, 2, 6, 4).astype(v_type)
            scores = q.astype(np.float64) @ np.repeat(k, 2, axis=1).astype(np.float64).swapaxes(2, 3) / np.sqrt(8)
            for mask in (None, self.doubles(3, 6), self.doubles(2, 1, 3, 6).astype(np.float32), self.random.integers(-3, 3, (3, 6), np.int32), self.random.integers(0, 3, (1, 6), np.uint8)):
                total = scores if mask is None else scores + mask
                powers = np.exp(total - total.max(axis=3, keepdims=True))
                # The result has the type of the queries.
                y = (powers / powers.sum(axis=3, keepdims=True) @ np.repeat(v, 2, axis=1).astype(np.float64)).astype(q_type)
                tolerance = max(TOLERANCE[q_type], TOLERANCE[v_type])
                self.checked("Attention", dict(q=q, k=k, v=v, m=mask), want=dict(out0=y), tolerance=tolerance)

    def test_past(self):
        q, k, v = (self.doubles(2, 3, 16) for _ in range(3))
        past = dict(m=None, pk=self.doubles(2, 2, 4, 8), pv=self.doubles(2, 2, 4, 8))
        self.checked("Attention", dict(q=q, k=k, v=v, **past), outputs=4, q_num_heads=2, kv_num_heads=2, is_causal=1)


if __name__ == "__main__":
    unittest.main()
