# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scan of opset 8, with a batch and sequences of different lengths, against ONNX Runtime."""
import unittest

import numpy as np
import onnxruntime as ort
from onnx import parser

import hone

TEXT = """<ir_version: 8, opset_import: ["" : 8]>
one (LENGTHS float[B,2] s0, float[B,T,2] x, float[B,T,2] z) => (float[B,2] last, float[B,T,2] all) {
    last, all = Scan <num_scan_inputs = 2, directions = [0, 1], body = b (float[2] s, float[2] p, float[2] q) => (float[2] t, float[2] out) {
        sum = Add (s, p)
        t = Sub (sum, q)
        out = Identity (t)
    }> (GIVEN, s0, x, z)
}"""


class Scan(unittest.TestCase):
    def test_batches(self):
        rng = np.random.default_rng(3)
        for sizes in (("3", "5"), ("B", "T")):
            for lengths in None, np.array([5, 1, 3]):
                text = TEXT.replace("LENGTHS", "" if lengths is None else "int64[B] l,").replace("GIVEN", "" if lengths is None else "l")
                for name, size in zip("BT", sizes):
                    text = text.replace(f"[{name}", f"[{size}").replace(f",{name},", f",{size},")
                model = parser.parse_model(text).SerializeToString()
                feeds = {n: rng.standard_normal(s).astype(np.float32) for n, s in (("s0", (3, 2)), ("x", (3, 5, 2)), ("z", (3, 5, 2)))}
                if lengths is not None:
                    feeds["l"] = lengths
                got = hone.compile(model).run(feeds)
                for name, want in zip(("last", "all"), ort.InferenceSession(model).run(None, feeds)):
                    with self.subTest(sizes=sizes, lengths=lengths, output=name):
                        np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-6)
                if lengths is not None:
                    with self.assertRaisesRegex(hone.RunError, "do not fit"):
                        hone.compile(model).run(feeds | {"l": np.array([6, 1, 1])})

    def test_counts_that_no_node_has(self):
        for count in 0, 4, 1 << 40:
            text = TEXT.replace("LENGTHS", "").replace("GIVEN", "").replace("num_scan_inputs = 2, directions = [0, 1]", f"num_scan_inputs = {count}")
            with self.subTest(count=count), self.assertRaisesRegex(hone.CompileError, "do not fit"):
                hone.compile(parser.parse_model(text).SerializeToString())


if __name__ == "__main__":
    unittest.main()
