# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ensembles of decision trees against ONNX Runtime: every mode of a node, missing values, votes, labels and base values."""
import unittest

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import hone

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


class Forest:
    """Seeded trees in the lists of ai.onnx.ml. `votes` gives, for a leaf, the targets that it votes for."""

    def __init__(self, seed, votes, trees=5, features=3, modes=MODES, missing=True, negative=True):
        self.random = np.random.default_rng(seed)
        self.votes, self.features, self.modes, self.negative = votes, features, modes, negative
        self.lists = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
        self.tracks, self.missing, self.leaves = [], missing, []
        for tree in range(trees):
            self.count = 0
            self.add(tree, 0)

    def add(self, tree, depth):
        number, place = self.count, len(self.tracks)
        self.count += 1
        branches = depth < 4 and self.random.random() < (1.0 if depth == 0 else 0.7)
        values = {
            "treeids": tree,
            "nodeids": number,
            "featureids": int(self.random.integers(self.features)) if branches else 0,
            "values": float(self.random.integers(-2, 3)) if branches else 0.0,
            "modes": str(self.random.choice(self.modes)) if branches else "LEAF",
            "truenodeids": 0,
            "falsenodeids": 0,
        }
        for name, value in values.items():
            self.lists[name].append(value)
        self.tracks.append(int(self.random.integers(2)) if branches else 0)
        if branches:
            for name in ("truenodeids", "falsenodeids"):
                self.lists[name][place] = self.add(tree, depth + 1)
        else:
            for target in self.votes(self.random):
                weight = self.random.uniform(-1 if self.negative else 0.05, 1)
                self.leaves.append((tree, number, target, np.float32(weight)))
        return number

    def attributes(self, prefix):
        result = {f"nodes_{name}": values for name, values in self.lists.items()}
        result["n_targets" if prefix == "target" else "post_transform"] = 1 if prefix == "target" else "NONE"
        if self.missing:
            result["nodes_missing_value_tracks_true"] = self.tracks
        for name, values in zip(("treeids", "nodeids", "ids", "weights"), zip(*self.leaves)):
            result[f"{prefix}_{name}"] = list(values)
        return result

    def samples(self, rows=60, dtype=np.float32):
        x = self.random.integers(-3, 4, (rows, self.features)).astype(dtype)
        x[self.random.random(x.shape) < 0.3] = np.nan
        return x


def as_doubles(attributes):
    """The lists of numbers as tensors of doubles, for double inputs."""
    result = {}
    for name, values in attributes.items():
        if name.endswith("_values") or name.endswith("_weights"):
            result[name + "_as_tensor"] = numpy_helper.from_array(np.array(values, np.float64), name)
        else:
            result[name] = values
    return result


def run(op, outputs, x, attributes):
    """The results of Hone, with and without a known number of rows, and of ONNX Runtime."""
    names = [name for name, _ in outputs]
    if x.dtype == np.float64:
        attributes = as_doubles(attributes)
    node = helper.make_node(op, ["x"], names, name="trees", domain="ai.onnx.ml", **attributes)
    results = []
    for rows in ("n", x.shape[0]):
        value = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), [rows, x.shape[1]])
        ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
        graph = helper.make_graph([node], "trees", [value], ends)
        imports = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        data = helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()
        got = hone.compile(data).run({"x": x})
        results.append([np.asarray(got[name]) for name in names])
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return results, session.run(names, {"x": x})


class TreesTest(unittest.TestCase):
    def check(self, op, outputs, x, attributes, absolute=1e-6):
        results, wanted = run(op, outputs, x, attributes)
        for got in results:
            for mine, theirs in zip(got, wanted):
                if theirs.dtype == np.float32:
                    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=absolute)
                else:
                    self.assertEqual(mine.tolist(), theirs.tolist())

    def check_regressor(self, forest, dtype=np.float32, absolute=1e-6, **attributes):
        attributes = {**forest.attributes("target"), **attributes}
        self.check("TreeEnsembleRegressor", [("y", TensorProto.FLOAT)], forest.samples(dtype=dtype), attributes, absolute)

    def check_classifier(self, forest, dtype=np.float32, **attributes):
        label = TensorProto.STRING if "classlabels_strings" in attributes else TensorProto.INT64
        outputs = [("label", label), ("scores", TensorProto.FLOAT)]
        self.check("TreeEnsembleClassifier", outputs, forest.samples(dtype=dtype), {**forest.attributes("class"), **attributes})

    def test_each_mode_with_missing_values(self):
        for mode in MODES:
            for missing in (True, False):
                with self.subTest(mode=mode, missing=missing):
                    self.check_regressor(Forest(1, lambda r: [0], modes=[mode], missing=missing))

    def test_regressors(self):
        for seed in range(3):
            for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
                for dtype in (np.float32, np.float64):
                    with self.subTest(seed=seed, aggregate=aggregate, dtype=dtype):
                        self.check_regressor(Forest(seed, lambda r: [0]), dtype, aggregate_function=aggregate, base_values=[0.5])
                        self.check_regressor(Forest(seed, lambda r: [0, 1, 2]), dtype, aggregate_function=aggregate, n_targets=3)

    def test_some_targets(self):
        self.check_regressor(Forest(3, lambda r: [int(r.integers(3))], trees=9), n_targets=3)
        self.check_regressor(Forest(3, lambda r: [0, 1, 2], trees=9), n_targets=3, base_values=[1.0, 2.0, 3.0])

    def test_repeated_votes(self):
        # With one target the first vote of a leaf counts, with several the sum.
        self.check_regressor(Forest(4, lambda r: [0, 0, 0]))
        self.check_regressor(Forest(5, lambda r: [1, 0, 1]), n_targets=2)

    def test_transforms(self):
        for transform in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
            with self.subTest(transform=transform):
                self.check_regressor(Forest(6, lambda r: [0, 1, 2]), n_targets=3, post_transform=transform)
                self.check_classifier(Forest(7, lambda r: [0, 1, 2]), classlabels_int64s=[5, 6, 9], post_transform=transform)
        # The sum of five weights in which each lies near 1/10 is a probability.
        forest = Forest(8, lambda r: [0], negative=False)
        forest.leaves = [(t, n, k, np.float32(0.05 + w / 10)) for t, n, k, w in forest.leaves]
        self.check_regressor(forest, post_transform="PROBIT", absolute=1e-4)

    def test_classifiers(self):
        for seed in range(4):
            labels = {"classlabels_strings": ["a", "b", "c"]} if seed % 2 else {"classlabels_int64s": [7, 3, 5]}
            with self.subTest(seed=seed):
                self.check_classifier(Forest(seed, lambda r: [0, 1, 2]), **labels)
                self.check_classifier(Forest(seed, lambda r: [int(r.integers(3))], trees=9), base_values=[0.1, 0.2, 0.3], **labels)
                self.check_classifier(Forest(seed, lambda r: [0, 1, 2]), np.float64, **labels)

    def test_two_classes_with_one_score(self):
        for negative in (True, False):
            for base in ({}, {"base_values": [0.1]}):
                for transform in ("NONE", "LOGISTIC"):
                    for labels in ({"classlabels_int64s": [7, 3]}, {"classlabels_strings": ["no", "yes"]}):
                        with self.subTest(negative=negative, base=base, transform=transform, labels=labels):
                            forest = Forest(9, lambda r: [0], trees=3, negative=negative)
                            self.check_classifier(forest, post_transform=transform, **base, **labels)
            for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
                self.check_classifier(Forest(10, lambda r: [1], trees=3, negative=negative), post_transform=transform, classlabels_int64s=[0, 1])

    def test_a_leaf_alone(self):
        forest = Forest(11, lambda r: [0], trees=1)
        forest.lists = {"treeids": [0], "nodeids": [0], "featureids": [0], "values": [0.0], "modes": ["LEAF"], "truenodeids": [0], "falsenodeids": [0]}
        forest.tracks, forest.leaves = [0], [(0, 0, 0, np.float32(4))]
        results, _ = run("TreeEnsembleRegressor", [("y", TensorProto.FLOAT)], forest.samples(), forest.attributes("target"))
        self.assertTrue((results[0][0] == 4).all())

    def test_faulty_trees_are_refused(self):
        for name, value, message in (
            ("nodes_truenodeids", 77, "form no tree"),
            ("nodes_truenodeids", 0, "form no tree"),
            ("nodes_modes", "BRANCH", "unknown mode"),
            ("target_ids", 4, "number 4 of 1 targets"),
        ):
            forest = Forest(12, lambda r: [0])
            attributes = forest.attributes("target")
            # The first node branches; the second is below it.
            place = 1 if value == 0 and forest.lists["modes"][1] != "LEAF" else 0
            attributes[name] = list(attributes[name])
            attributes[name][place] = value
            with self.subTest(name=name, value=value), self.assertRaisesRegex(hone.CompileError, message):
                run("TreeEnsembleRegressor", [("y", TensorProto.FLOAT)], forest.samples(), attributes)


    def test_trees_and_nodes_of_any_number(self):
        for tree, root in ((2**63 - 1, 2**63 - 1), (-(2**63), -(2**63))):
            lists = {
                "nodes_treeids": [tree] * 3,
                "nodes_nodeids": [root, 1, 2],
                "nodes_featureids": [0] * 3,
                "nodes_values": [0.5, 0.0, 0.0],
                "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
                "nodes_truenodeids": [1, 0, 0],
                "nodes_falsenodeids": [2, 0, 0],
                "target_treeids": [tree] * 2,
                "target_nodeids": [1, 2],
                "target_ids": [0, 0],
                "target_weights": [1.0, 2.0],
                "n_targets": 1,
            }
            node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **lists)
            values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in "xy"]
            graph = helper.make_graph([node], "numbers", values[:1], values[1:])
            opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
            model = hone.compile(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
            got = model.run({"x": np.array([[0], [1]], np.float32)})["y"]
            np.testing.assert_array_equal(got, [[1], [2]])

if __name__ == "__main__":
    unittest.main()
