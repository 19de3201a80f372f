# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models against ONNX Runtime, in the three ways of e2e/ways.py."""
import pathlib
import sys
import unittest

import numpy as np
import onnx
import onnxruntime
from onnx import helper

import hone

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
import ways  # noqa: E402


def node_model(op, inputs, outputs=1, domain="com.microsoft", **attributes):
    """One node whose inputs, {name: array} with None for one that is left out, are the model's. Types
    of the outputs are left open."""
    types = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for name, x in inputs.items() if x is not None]
    names = [f"out{i}" for i in range(outputs)]
    node = helper.make_node(op, [name if x is not None else "" for name, x in inputs.items()], names, domain=domain, name="it", **attributes)
    results = [onnx.ValueInfoProto(name=name) for name in names]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("com.microsoft.nchwc", 1)]
    return helper.make_model(helper.make_graph([node], op, types, results), opset_imports=opsets, ir_version=10)


def reference(model, feeds, level=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def number(value, dtype=np.float32):
    return np.array(value, dtype)


class BesideTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(7)

    def bytes(self, *shape, dtype=np.uint8):
        info = np.iinfo(dtype)
        return self.random.integers(info.min, info.max + 1, shape, dtype)

    def floats(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def zero(self, dtype):
        info = np.iinfo(dtype)
        return number(self.random.integers(info.min // 2, info.max // 2), dtype)

    def close(self, want, got, steps, tolerance, label):
        self.assertEqual(want.dtype, got.dtype, label)
        self.assertEqual(want.shape, got.shape, label)
        if want.dtype.kind in "iu":
            off = np.abs(want.astype(np.int64) - got.astype(np.int64))
            self.assertLessEqual(off.max(initial=0), steps, label)
        else:
            np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol=tolerance, atol=tolerance, err_msg=label)

    def beside(self, model, feeds, want=None, steps=0, tolerance=1e-5, only=ways.NAMES):
        """Integers may be off by `steps`, floats by the tolerance."""
        want = reference(model, feeds) if want is None else want
        models = {"given": (model, feeds), "free": (ways.with_free_dims(model), feeds), "folded": (ways.with_constants(model, feeds), {})}
        for way in only:
            made, inputs = models[way]
            got = hone.compile(made.SerializeToString()).run(inputs)
            for name, value in want.items():
                self.close(value, got[name], steps, tolerance, f"{model.graph.name} {name} ({way})")

    def reference_node(self, op, inputs, outputs=1, **attributes):
        return reference(node_model(op, inputs, outputs, **attributes), {name: x for name, x in inputs.items() if x is not None})

    def node(self, op, inputs, outputs=1, steps=0, tolerance=1e-5, want=None, domain="com.microsoft", **attributes):
        feeds = {name: x for name, x in inputs.items() if x is not None}
        self.beside(node_model(op, inputs, outputs, domain, **attributes), feeds, want, steps, tolerance)

    def refuses(self, op, inputs, reason, outputs=1, **attributes):
        with self.assertRaisesRegex(hone.CompileError, reason):
            hone.compile(node_model(op, inputs, outputs, **attributes).SerializeToString())
