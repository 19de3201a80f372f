# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Classic models of ai.onnx.ml against ONNX Runtime: support vector machines, features, and maps."""
import itertools
import unittest

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

import hone


def model(op, inputs, outputs, **attributes):
    """A model of one operator; inputs and outputs are value infos."""
    node = helper.make_node(op, [i.name for i in inputs], [o.name for o in outputs], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], op, inputs, outputs)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def tensor(name, elem, shape):
    return helper.make_tensor_value_info(name, elem, shape)


def map_type(key, value):
    return helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, []))


class ClassicModelsTest(unittest.TestCase):
    def same(self, data, feeds, **tolerance):
        """Whether Hone's results are ONNX Runtime's; returns them."""
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        results = hone.compile(data).run(feeds)
        for (name, own), other in zip(results.items(), session.run(None, feeds)):
            if isinstance(other, list):
                self.assertEqual(own, other, name)
            elif other.dtype.kind == "f":
                np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5, err_msg=name)
            else:
                np.testing.assert_array_equal(own, other, err_msg=name)
        return results

    def test_support_vector_classifiers(self):
        for kernel, classes, probabilities in itertools.product(("LINEAR", "POLY", "RBF", "SIGMOID"), (2, 3, 4), (False, True)):
            with self.subTest(kernel=kernel, classes=classes, probabilities=probabilities):
                random = np.random.default_rng(classes)
                counts = [3, 2, 4, 1][:classes]
                pairs = classes * (classes - 1) // 2
                numbers = lambda *shape: random.normal(size=shape).astype(np.float32).ravel().tolist()  # noqa: E731
                attributes = {
                    "kernel_type": kernel,
                    "kernel_params": [0.3, 0.5, 3.0],
                    "vectors_per_class": counts,
                    "support_vectors": numbers(sum(counts), 5),
                    "coefficients": numbers(classes - 1, sum(counts)),
                    "rho": numbers(pairs),
                    "classlabels_ints": [7, 3, 5, 1][:classes],
                }
                if probabilities:
                    attributes |= {"prob_a": [-abs(n) for n in numbers(pairs)], "prob_b": numbers(pairs)}
                columns = classes if probabilities or classes == 2 else pairs
                data = model(
                    "SVMClassifier",
                    [tensor("x", TensorProto.FLOAT, ["n", "f"])],
                    [tensor("label", TensorProto.INT64, ["n"]), tensor("scores", TensorProto.FLOAT, ["n", columns])],
                    **attributes,
                )
                self.same(data, {"x": random.normal(size=(40, 5)).astype(np.float32)})

    def test_support_vector_regressors(self):
        random = np.random.default_rng(1)
        for kernel, one_class in itertools.product(("LINEAR", "POLY", "RBF", "SIGMOID"), (0, 1)):
            with self.subTest(kernel=kernel, one_class=one_class):
                data = model(
                    "SVMRegressor",
                    [tensor("x", TensorProto.FLOAT, ["n", "f"])],
                    [tensor("y", TensorProto.FLOAT, ["n", 1])],
                    kernel_type=kernel,
                    kernel_params=[0.5, 0.1, 2.0],
                    n_supports=6,
                    one_class=one_class,
                    support_vectors=random.normal(size=24).astype(np.float32).tolist(),
                    coefficients=random.normal(size=6).astype(np.float32).tolist(),
                    rho=[0.25],
                )
                self.same(data, {"x": random.normal(size=(20, 4)).astype(np.float32)})
                with self.assertRaisesRegex(hone.RunError, "SVMRegressor"):
                    hone.compile(data).run({"x": np.ones((20, 3), np.float32)})

    def test_string_labels(self):
        data = model(
            "LinearClassifier",
            [tensor("x", TensorProto.FLOAT, ["n", 2])],
            [tensor("label", TensorProto.STRING, ["n"]), tensor("scores", TensorProto.FLOAT, ["n", 3])],
            coefficients=[1.0, 0.0, 0.0, 1.0, -1.0, -1.0],
            intercepts=[0.0, 0.1, 0.2],
            classlabels_strings=["red", "green", "blue"],
            post_transform="SOFTMAX",
        )
        self.same(data, {"x": np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)})

    def test_one_hot(self):
        for elem, values, known in (
            (TensorProto.INT64, np.array([[3, 1], [4, 9]]), {"cats_int64s": [1, 3, 4]}),
            (TensorProto.FLOAT, np.array([[3, 1], [4, 9]], np.float32), {"cats_int64s": [1, 3, 4]}),
            (TensorProto.STRING, np.array([["c", "a"], ["d", "x"]], object), {"cats_strings": ["a", "c", "d"]}),
        ):
            with self.subTest(elem=elem):
                outputs = [tensor("y", TensorProto.FLOAT, ["n", 2, 3])]
                self.same(model("OneHotEncoder", [tensor("x", elem, ["n", 2])], outputs, zeros=1, **known), {"x": values})
                strict = hone.compile(model("OneHotEncoder", [tensor("x", elem, ["n", 2])], outputs, zeros=0, **known))
                self.assertEqual(strict.run({"x": values[:1]})["y"].sum(), 2)
                with self.assertRaisesRegex(hone.RunError, "OneHotEncoder"):
                    strict.run({"x": values})

    def test_imputer(self):
        x = np.array([[np.nan, 2, 7], [1, np.nan, 7]], np.float32)
        floats = [tensor("x", TensorProto.FLOAT, ["n", "f"])], [tensor("y", TensorProto.FLOAT, ["n", "f"])]
        self.same(model("Imputer", *floats, imputed_value_floats=[0.5, 1.5, 2.5], replaced_value_float=float("nan")), {"x": x})
        self.same(model("Imputer", *floats, imputed_value_floats=[9.0], replaced_value_float=7.0), {"x": x})
        ints = [tensor("x", TensorProto.INT64, ["n", 2])], [tensor("y", TensorProto.INT64, ["n", 2])]
        self.same(model("Imputer", *ints, imputed_value_int64s=[1 << 60, 4], replaced_value_int64=-1), {"x": np.array([[-1, -1], [5, 6]])})

    def test_feature_vectorizer(self):
        inputs = [tensor("a", TensorProto.FLOAT, ["n", 2]), tensor("b", TensorProto.FLOAT, ["n", 3])]
        feeds = {"a": np.ones((2, 2), np.float32), "b": np.arange(6, dtype=np.float32).reshape(2, 3)}
        for widths in ([2, 3], [2, 2], [3, 3]):
            with self.subTest(widths=widths):
                outputs = [tensor("y", TensorProto.FLOAT, ["n", sum(widths)])]
                self.same(model("FeatureVectorizer", inputs, outputs, inputdimensions=widths), feeds)

    def test_zip_map(self):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        for key, labels in (
            (TensorProto.INT64, {"classlabels_int64s": [3, 1, 2]}),
            (TensorProto.STRING, {"classlabels_strings": ["a", "b", "c"]}),
        ):
            with self.subTest(key=key):
                output = helper.make_value_info("y", helper.make_sequence_type_proto(map_type(key, TensorProto.FLOAT)))
                data = model("ZipMap", [tensor("x", TensorProto.FLOAT, ["n", 3])], [output], **labels)
                first = self.same(data, {"x": x})
                compiled = hone.compile(data)
                self.assertEqual(compiled.run({"x": x}), first)
                self.assertEqual(compiled.run({"x": x[:0]})["y"], [])
                self.assertEqual(len(compiled.run({"x": x[:1]})["y"]), 1)

    def test_maps_as_inputs(self):
        takes = lambda key, value: [helper.make_value_info("x", map_type(key, value))]  # noqa: E731
        gives = lambda elem, shape: [tensor("y", elem, shape)]  # noqa: E731
        words = takes(TensorProto.STRING, TensorProto.FLOAT)
        data = model("DictVectorizer", words, gives(TensorProto.FLOAT, [1, 3]), string_vocabulary=["b", "zz", "a"])
        self.same(data, {"x": {"a": 1.5, "b": 2.0, "q": 9.0}})
        with self.assertRaises(hone.RunError):
            hone.compile(data).run({"x": [1.0]})
        numbers = takes(TensorProto.INT64, TensorProto.FLOAT)
        for form in ({"map_form": "DENSE"}, {"map_form": "SPARSE", "max_map": 6}):
            for name, elem in (("TO_FLOAT", TensorProto.FLOAT), ("TO_INT64", TensorProto.INT64)):
                with self.subTest(form=form, elem=name):
                    data = model("CastMap", numbers, gives(elem, [1, None]), cast_to=name, **form)
                    self.same(data, {"x": {4: 1.5, 1: 2.0}})
        text = takes(TensorProto.INT64, TensorProto.STRING)
        data = model("CastMap", text, gives(TensorProto.FLOAT, [1, None]), cast_to="TO_FLOAT", map_form="SPARSE", max_map=4)
        np.testing.assert_array_equal(hone.compile(data).run({"x": {3: "1.5", 0: "2"}})["y"], [[2, 0, 0, 1.5]])
        with self.assertRaisesRegex(hone.RunError, "CastMap"):
            hone.compile(data).run({"x": {4: "1"}})


if __name__ == "__main__":
    unittest.main()
