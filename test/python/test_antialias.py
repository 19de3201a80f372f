# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Resize with antialias against ONNX's reference evaluator: seeded random shapes, modes and scales."""
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import hone

COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]


def draw(rng):
    """Attributes and inputs of one Resize."""
    rank = int(rng.integers(1, 5))
    shape = [int(v) for v in rng.integers(2, 12, rank)]
    axes = sorted(int(v) for v in rng.permutation(rank)[: rng.integers(1, min(rank, 3) + 1)])
    attributes = dict(mode=str(rng.choice(["linear", "cubic"])), coordinate_transformation_mode=str(rng.choice(COORDINATES)), antialias=1)
    cropped = attributes["coordinate_transformation_mode"] == "tf_crop_and_resize"
    if rng.random() < 0.5:
        attributes["exclude_outside"] = 1
    if attributes["mode"] == "cubic" and rng.random() < 0.5:
        attributes["cubic_coeff_a"] = -0.5
    if cropped:
        attributes["extrapolation_value"] = 1.5
    named = rng.random() < 0.6
    if named:
        attributes["axes"] = axes
    else:
        axes = list(range(rank))
    inputs = dict(x=rng.standard_normal(shape).astype(np.float32))
    if cropped:
        low, high = rng.uniform(0, 0.3, len(axes)), rng.uniform(0.7, 1.1, len(axes))
        inputs["roi"] = np.concatenate([low, high]).astype(np.float32)
    # With a crop the reference uses the product of scale and size where the specification says the size of the result.
    if rng.random() < 0.5 and not cropped:
        # Powers of 2 and similar: sizes are integral, as the two sides compute them in different types.
        inputs["scales"] = np.array([float(rng.choice([0.25, 0.5, 0.75, 1, 1.5, 2])) for _ in axes], np.float32)
        if (np.floor(np.array([shape[a] for a in axes]) * inputs["scales"]) < 1).any():
            inputs["scales"][:] = 1.5
    else:
        inputs["sizes"] = rng.integers(1, 15, len(axes)).astype(np.int64)
        if not cropped and rng.random() < 0.4:
            attributes["keep_aspect_ratio_policy"] = str(rng.choice(["not_larger", "not_smaller"]))
    return attributes, inputs


def model(attributes, inputs, constant, free):
    names = [n if n in inputs else "" for n in ("x", "roi", "scales", "sizes")]
    while not names[-1]:
        names.pop()
    shape = lambda n, v: [f"{n}{i}" for i in range(v.ndim)] if free else v.shape
    graph = helper.make_graph(
        [helper.make_node("Resize", names, ["y"], name="node", **attributes)],
        "one",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), shape(n, v)) for n, v in inputs.items() if n not in constant],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * inputs["x"].ndim)],
        [numpy_helper.from_array(inputs[n], n) for n in constant],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


class Antialias(unittest.TestCase):
    def check(self, seed, attributes, inputs):
        want = ReferenceEvaluator(model(attributes, inputs, [], False)).run(None, inputs)[0]
        chosen = [n for n in inputs if n != "x"]
        for constant, free in (chosen, False), (chosen, True), ([], False), (list(inputs), False):
            with self.subTest(seed=seed, constant=constant, free=free, shape=inputs["x"].shape, **attributes):
                compiled = hone.compile(model(attributes, inputs, constant, free).SerializeToString())
                got = compiled.run({n: v for n, v in inputs.items() if n not in constant})["y"]
                self.assertEqual(got.shape, want.shape)
                np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)

    def test_random(self):
        for seed in range(24):
            self.check(seed, *draw(np.random.default_rng(seed)))

    def test_to_a_point(self):
        """So many taps that each has no term of its own."""
        x = np.random.default_rng(1).standard_normal((1, 700)).astype(np.float32)
        for mode in "linear", "cubic":
            self.check(mode, dict(mode=mode, antialias=1), dict(x=x, sizes=np.array([1, 2])))


if __name__ == "__main__":
    unittest.main()
