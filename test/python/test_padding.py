# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pad by edges, reflections and repetitions against numpy, of known and free sizes, with pads of the model and of the run."""
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone

# Shape, and the padding before and after each dimension; negative numbers crop.
CASES = [((2, 3, 9, 40), [0, 0, 2, 3], [0, 0, 2, 3]), ((5, 33), [0, 5], [0, 0]), ((5, 33), [0, 0], [1, 17]), ((64,), [9], [20]), ((3, 70), [2, -3], [0, 8]),
         ((3, 70), [0, 4], [2, -9]), ((2, 3, 5, 4), [0, 1, 2, 0], [0, 1, 1, 0]), ((2, 2, 3), [1, 1, 2], [1, 1, 2]), ((4, 1), [1, 0], [1, 0])]
MODES = ["edge", "reflect", "wrap", "constant"]


def expected(x, low, high, mode):
    cut = tuple(slice(max(-a, 0), size - max(-b, 0)) for a, b, size in zip(low, high, x.shape))
    pads = [(max(a, 0), max(b, 0)) for a, b in zip(low, high)]
    if mode == "constant":
        return np.pad(x[cut], pads)
    # Cropped elements can still be repeated.
    places = []
    for a, b, size in zip(low, high, x.shape):
        at = np.arange(-a, size + b)
        period = max(2 * (size - 1), 1)
        folded = at % period
        places.append({"edge": np.clip(at, 0, size - 1), "wrap": at % size, "reflect": np.where(folded >= size, period - folded, folded)}[mode])
    return x[np.ix_(*places)]


def compile_pad(mode, elem, shape, pads):
    """Pads are a constant, or an input where there are none."""
    inputs = [helper.make_tensor_value_info("x", elem, shape)]
    constants = []
    if pads is None:
        inputs.append(helper.make_tensor_value_info("pads", TensorProto.INT64, [2 * len(shape)]))
    else:
        constants.append(helper.make_tensor("pads", TensorProto.INT64, [len(pads)], pads))
    graph = helper.make_graph([helper.make_node("Pad", ["x", "pads"], ["y"], mode=mode)], "g", inputs, [helper.make_tensor_value_info("y", elem, None)], constants)
    return hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9).SerializeToString())


class PaddingTest(unittest.TestCase):
    def test_modes(self):
        rng = np.random.default_rng(2)
        for mode in MODES:
            for shape, low, high in CASES:
                x = rng.standard_normal(shape).astype(np.float32)
                want = expected(x, low, high, mode)
                for sizes in shape, ["a", "b", "c", "d"][: len(shape)]:
                    with self.subTest(mode=mode, x=shape, low=low, high=high, free=sizes != shape):
                        got = compile_pad(mode, TensorProto.FLOAT, sizes, low + high).run({"x": x})["y"]
                        np.testing.assert_array_equal(got, want)

    def test_pads_of_the_run(self):
        rng = np.random.default_rng(3)
        for mode in MODES:
            pad = compile_pad(mode, TensorProto.UINT8, ["a", "b"], None)
            for shape, low, high in CASES:
                if len(shape) == 2:
                    x = rng.integers(0, 256, shape).astype(np.uint8)
                    got = pad.run({"x": x, "pads": np.array(low + high)})["y"]
                    np.testing.assert_array_equal(got, expected(x, low, high, mode), f"{mode} {shape} {low} {high}")


if __name__ == "__main__":
    unittest.main()
