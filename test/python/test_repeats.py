# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Adjacent repeated elements: nearest Resize by integer factors, and Expand of a last dimension of 1."""
import itertools
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone

# Coordinates and roundings that repeat each element, and one that does not.
WHOLE = [("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"), ("pytorch_half_pixel", "round_prefer_floor"),
         ("half_pixel_symmetric", "round_prefer_ceil"), ("asymmetric", "floor"), ("tf_half_pixel_for_nn", "floor")]
OTHER = [("half_pixel", "floor"), ("asymmetric", "round_prefer_ceil"), ("asymmetric", "ceil")]


def compile_nodes(nodes, shape, initializers=(), elem=TensorProto.FLOAT):
    inputs = [helper.make_tensor_value_info("x", elem, shape)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", elem, None)], list(initializers))
    return hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9).SerializeToString())


def resize(shape, scales, coordinates, rounding, elem=TensorProto.FLOAT):
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=rounding)
    return compile_nodes([node], shape, [helper.make_tensor("scales", TensorProto.FLOAT, [len(scales)], scales)], elem)


def nearest(x, axis, scale, coordinates, rounding):
    """Along one axis, in exact numbers: positions are multiples of half a part of the scale."""
    i = np.arange(int(x.shape[axis] * scale), dtype=np.float64)
    at = i / scale if coordinates == "asymmetric" else (i + 0.5) / scale - (0 if coordinates == "tf_half_pixel_for_nn" else 0.5)
    place = {"floor": np.floor(at), "ceil": np.ceil(at), "round_prefer_floor": np.ceil(at - 0.5), "round_prefer_ceil": np.floor(at + 0.5)}[rounding]
    return np.take(x, np.clip(place, 0, x.shape[axis] - 1).astype(np.int64), axis)


class RepeatTest(unittest.TestCase):
    def test_factors_and_coordinates(self):
        rng = np.random.default_rng(0)
        for (coordinates, rounding), (high, wide) in itertools.product(WHOLE + OTHER, [(1, 2), (2, 1), (2, 2), (3, 4), (2, 16), (1, 17), (1.5, 2)]):
            x = rng.standard_normal((2, 3, 4, 19)).astype(np.float32)
            expected = nearest(nearest(x, 2, high, coordinates, rounding), 3, wide, coordinates, rounding)
            for shape in (x.shape, ["n", "c", "h", "w"]):
                what = f"{coordinates} {rounding} {high} {wide} {shape}"
                np.testing.assert_array_equal(resize(shape, [1, 1, high, wide], coordinates, rounding).run(dict(x=x))["y"], expected, what)

    def test_types_and_widths(self):
        for elem in (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64):
            for width in (1, 3, 8, 33, 130):
                x = np.arange(3 * width).reshape(3, width).astype(helper.tensor_dtype_to_np_dtype(elem))
                for times in (2, 5):
                    y = resize(x.shape, [1, times], "half_pixel", "round_prefer_floor", elem).run(dict(x=x))["y"]
                    np.testing.assert_array_equal(y, np.repeat(x, times, 1), f"{elem} {width} {times}")

    def test_expand_of_what_is_computed(self):
        x = np.random.default_rng(1).standard_normal((5, 37)).astype(np.float32)
        shapes = dict(last=[-1, -1, 1], wide=[5, 37, 4], flat=[5, 148])
        constants = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in dict(last=[0, 0, 1], wide=shapes["wide"], flat=shapes["flat"]).items()]
        nodes = [helper.make_node("Mul", ["x", "x"], ["s"]), helper.make_node("Reshape", ["s", "last"], ["t"]),
                 helper.make_node("Expand", ["t", "wide"], ["e"]), helper.make_node("Reshape", ["e", "flat"], ["r"]), helper.make_node("Abs", ["r"], ["y"])]
        y = compile_nodes(nodes, x.shape, constants).run(dict(x=x))["y"]
        np.testing.assert_array_equal(y, np.repeat(x * x, 4, 1))


if __name__ == "__main__":
    unittest.main()
