# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokenizer of com.microsoft against ONNX Runtime."""
import unittest

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

import hone

TEXTS = np.array([["hello world  foo", "a b"], ["", "héllo,wörld a,b"]], dtype=object)
OPTIONS = [
    dict(separators=[" "]),
    dict(separators=[" "], mark=1),
    dict(separators=[" ", ","], mark=1, mincharnum=2),
    dict(separators=["[ ,]+", "o"]),
    dict(separators=["o", "^l", "l$"]),
    dict(separators=["a*"]),
    dict(separators=["l*"]),
    dict(separators=[""]),
    dict(separators=[""], mark=1),
    dict(separators=["", " "]),
    dict(separators=["zzz"], mincharnum=4, mark=1),
    dict(tokenexp="[a-zA-Z0-9_]+"),
    dict(tokenexp=r"\w+|,", mark=1, mincharnum=3),
    dict(tokenexp="l*"),
    dict(tokenexp="lo|l|hell"),
    dict(tokenexp="l+?"),
    dict(tokenexp="."),
    dict(tokenexp="zzz"),
    dict(tokenexp="zzz", mark=1),
    dict(tokenexp="^[a-z]"),
    dict(tokenexp="[a-z]$"),
    dict(tokenexp=r"\b[a-z]"),
    dict(tokenexp=r"\B."),
    dict(tokenexp="o.*o|w"),
    dict(tokenexp="a", separators=[" "]),
]


def model(options, shape=(None, None)):
    attributes = dict(mark=0, mincharnum=1, pad_value="#") | options
    node = helper.make_node("Tokenizer", ["x"], ["y"], name="node", domain="com.microsoft", **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.STRING, shape)
    graph = helper.make_graph([node], "one", [x], [helper.make_empty_tensor_value_info("y")])
    opsets = [helper.make_opsetid("", 16), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


class Tokenizer(unittest.TestCase):
    def test_beside_onnxruntime(self):
        quiet = ort.SessionOptions()
        quiet.log_severity_level = 4
        for options in OPTIONS:
            for texts in TEXTS, TEXTS[1], TEXTS[1:, :1]:
                with self.subTest(**options, shape=texts.shape):
                    compiled = hone.compile(model(options, [None] * texts.ndim))
                    got = compiled.run({"x": texts})["y"]
                    want = ort.InferenceSession(model(options, [None] * texts.ndim), quiet).run(None, {"x": texts})[0]
                    self.assertEqual(got.shape, want.shape)
                    self.assertEqual(got.tolist(), want.tolist())

    def test_wrong_models(self):
        for options in dict(mincharnum=0), dict(separators=[""], mincharnum=2), {}:
            self.assertTrue(hone.check(model(options)), options)

    def test_wrong_data(self):
        compiled = hone.compile(model(dict(tokenexp="(")))
        with self.assertRaisesRegex(hone.RunError, "Tokenizer"):
            compiled.run({"x": TEXTS})


if __name__ == "__main__":
    unittest.main()
