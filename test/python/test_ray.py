# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models on Ray: what Ray Serve answers, joins and refuses, and datasets of Ray Data on two nodes, one of which fails."""
import concurrent.futures
import json
import os
import pathlib
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import numpy as np
from onnx import TensorProto, helper

import hone
from test_model import DIGITS, float_info, graph_model

try:
    import ray
    import ray.cluster_utils
    from ray import serve

    from hone.ray import data as on_data
    from hone.ray.serve import Settings, app
except ModuleNotFoundError:
    ray = None

PACKAGE = str(pathlib.Path(hone.__file__).resolve().parent.parent)


def rows_model():
    """y = x / sum(x) in each row; taken = the element of the table at i, and an error where there is none."""
    inputs = [float_info("x", ("n", 3)), helper.make_tensor_value_info("i", TensorProto.INT64, ("n",))]
    table = helper.make_tensor("table", TensorProto.FLOAT, (4,), [10, 11, 12, 13])
    axis = helper.make_tensor("axis", TensorProto.INT64, (1,), [1])
    nodes = [helper.make_node("ReduceSum", ["x", "axis"], ["s"]), helper.make_node("Div", ["x", "s"], ["y"]), helper.make_node("Gather", ["table", "i"], ["taken"])]
    return graph_model(nodes, inputs, [float_info("y", ("n", 3)), float_info("taken", ("n",))], [table, axis])


@unittest.skipUnless(ray, "ray is not installed")
class RayTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", PYTHONPATH=os.pathsep.join(filter(None, [PACKAGE, os.environ.get("PYTHONPATH")])))

    def library(self, model=None):
        path = os.path.join(self.folder, "model.so")
        hone.compile_library(model or str(DIGITS / "model.onnx"), path)
        return path


class ServeTest(RayTest):
    def setUp(self):
        super().setUp()
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        self.addCleanup(ray.shutdown)
        self.addCleanup(serve.shutdown)

    def start(self, **settings):
        serve.start(http_options={"port": 8123})
        return serve.run(app(Settings(**settings)))

    def ask(self, content, method="POST"):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8123/", data=body if method != "GET" else None, method=method), timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def test_a_request_and_wrong_ones(self):
        handle = self.start(model=self.library(), threads=1)
        image = np.load(DIGITS / "digit-0.npy")
        status, answer = self.ask({"image": image.tolist()})
        self.assertEqual((status, int(np.argmax(answer["probabilities"]))), (200, 3))
        self.assertEqual(self.ask(b"", "GET")[1]["inputs"], [{"name": "image", "type": "float", "shape": [1, 1, 8, 8]}])
        direct = handle.infer.remote({"image": image}).result()
        np.testing.assert_allclose(direct["probabilities"], answer["probabilities"], rtol=1e-6)
        for content, message in [
            (b"{", "no JSON"), (b"\xff", "no JSON"), (b"[" * 100000, "no JSON"), ([], "no object"), ({}, "'image' is missing"), ({"img": [1]}, "no input 'img'"),
            ({"image": 3}, "rank 4, not 0"), ({"image": [[1], [2, 3]]}, "input 'image'"), ({"image": "a"}, "could not convert"), ({"image": [[[[1, 2]]]]}, "dimension"),
        ]:
            status, answer = self.ask(content)
            self.assertEqual(status, 400, content)
            self.assertIn(message, answer["error"])
        self.assertEqual(self.ask(b"", "DELETE")[0], 405)
        self.assertEqual(self.ask({"image": image.tolist()})[0], 200)

    def test_joined_requests_do_not_harm_each_other(self):
        handle = self.start(model=self.library(rows_model()), max_batch_size=8)

        def one(i):
            rows = i % 3 + 1
            if i % 7 == 5:
                return self.ask({"x": [[1.0, 1.0, i + 1.0]] * rows, "i": [9] * rows})  # not in the table
            if i % 7 == 6:
                return self.ask({"x": [[1.0, 1.0, i + 1.0]] * rows, "i": [0] * (rows + 1)})
            return self.ask({"x": [[1.0, 1.0, i + 1.0]] * rows, "i": [i % 4] * rows})

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(one, range(70)))
        for i, (status, answer) in enumerate(answers):
            rows = i % 3 + 1
            if i % 7 >= 5:
                self.assertEqual(status, 400)
            else:
                self.assertEqual((status, answer["taken"]), (200, [10 + i % 4] * rows))
                np.testing.assert_allclose(answer["y"], np.array([[1, 1, i + 1]] * rows) / (i + 3), rtol=1e-6)
        for feeds in 5, None, {"x": 5}:
            with self.assertRaises(Exception):
                handle.infer.remote(feeds).result(timeout_s=30)
        self.assertEqual(self.ask({"x": [[0.0, 0.0, 0.0]], "i": [1]})[1]["y"], [[None] * 3])
        self.assertEqual(self.ask({"x": [[1.0, 1.0, 1.0]], "i": [1.5]})[1]["error"], "input 'i': float64 instead of int64")

    def test_a_model_whose_requests_cannot_be_joined(self):
        with self.assertRaises(RuntimeError):
            self.start(model=self.library(), max_batch_size=8)


class DataTest(RayTest):
    def setUp(self):
        super().setUp()
        # A node is dead after a second without an answer.
        health = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_timeout_ms": 500, "health_check_failure_threshold": 2}
        self.cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "resources": {"slot": 1, "actor": 1}, "_system_config": health})
        self.addCleanup(self.cluster.shutdown)
        self.second = self.cluster.add_node(num_cpus=2, resources={"slot": 1, "actor": 1})
        ray.init(address=self.cluster.address, log_to_driver=False, configure_logging=False)
        self.addCleanup(ray.shutdown)
        ray.data.DataContext.get_current().enable_progress_bars = False

    def test_a_folder_of_arrays(self):
        images = np.concatenate([np.load(file) for file in sorted(DIGITS.glob("digit-*.npy"))])
        for i in range(3):
            np.save(os.path.join(self.folder, f"part{i}.npy"), np.roll(images, i, axis=0))
        path = self.library()
        rows = on_data.predict(self.folder, path, columns={"image": "data"}).take_all()
        model = hone.load(path)
        self.assertEqual(len(rows), 3 * len(images))
        for row in rows:
            np.testing.assert_allclose(row["probabilities"], model(row["data"][None])["probabilities"][0], rtol=1e-5)

    def test_wrong_columns(self):
        dataset = ray.data.from_items([{"a": [1.0, 2.0, 3.0], "i": 0}])
        path = self.library(rows_model())
        for columns, message in ({}, "no column 'x'"), ({"x": "a", "z": "a"}, "no input 'z'"), ({"x": "i", "i": "a"}, "input '.'"):
            with self.assertRaisesRegex(Exception, message):
                on_data.predict(dataset, path, columns=columns).take_all()
        with self.assertRaisesRegex(ValueError, "there is no .parquet and no .npy file"):
            on_data.predict(self.folder, path)

    def test_a_node_fails(self):
        count = 400
        rows = [{"x": [1.0, float(i), 2.0], "i": i % 4, "number": i} for i in range(count)]
        ray.data.from_items(rows).repartition(40).write_parquet(os.path.join(self.folder, "in"))

        seen = os.path.join(self.folder, "seen")
        os.mkdir(seen)

        def slow(batch):
            with open(os.path.join(seen, f"{ray.get_runtime_context().get_node_id()}-{batch['number'][0]}"), "w"):
                time.sleep(0.1)
            return batch

        # Compiled in memory: the model travels.
        model = hone.compile(rows_model())
        source = ray.data.read_parquet(os.path.join(self.folder, "in")).map_batches(slow, batch_size=10, num_cpus=0.5, resources={"slot": 1})  # one on each node at a time, as of the actors
        results = on_data.predict(source, model, batch_size=10, compute=ray.data.ActorPoolStrategy(size=2), num_cpus=0.5, resources={"actor": 1})
        begun = []

        def fail():
            while sum(name.startswith(self.second.node_id) for name in os.listdir(seen)) < 3:
                time.sleep(0.02)
            begun.extend(os.listdir(seen))
            self.cluster.remove_node(self.second, allow_graceful=False)

        failing = threading.Thread(target=fail, daemon=True)
        failing.start()
        results.write_parquet(os.path.join(self.folder, "out"))
        failing.join(10)
        self.assertTrue(0 < len(begun) < 40, begun)
        written = ray.data.read_parquet(os.path.join(self.folder, "out")).take_all()
        self.assertEqual(sorted(row["number"] for row in written), list(range(count)))
        for row in written:
            np.testing.assert_allclose(row["y"], np.array([1, row["number"], 2]) / (row["number"] + 3), rtol=1e-6)
            self.assertEqual(row["taken"], 10 + row["number"] % 4)


if __name__ == "__main__":
    unittest.main()
