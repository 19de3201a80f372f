#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that are closed, pickled, run asynchronously and in forked processes."""
import asyncio
import copy
import gc
import multiprocessing
import os
import pathlib
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone
from test_dlpack import DlpackOnly
from test_loading import add_model, answer
from test_model import float_info, graph_model

X = np.zeros(1, np.float32)
SIZE = 700


def slow_model():
    """y = x * x * ... * x: some hundred milliseconds for a matrix of this size."""
    count = 40
    nodes = [helper.make_node("MatMul", [f"x{i}" if i else "x", "x"], [f"x{i + 1}"]) for i in range(count)]
    return graph_model(nodes, [float_info("x", [SIZE, SIZE])], [float_info(f"x{count}", [SIZE, SIZE])])


def in_child(work):
    """The exit code of a forked process that does this."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class SlowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.slow_library = hone.compile(slow_model(), threads=1)
        cls.x = np.eye(SIZE, dtype=np.float32)

    def slow(self):
        return copy.copy(self.slow_library)

    def run_in_thread(self, model):
        """Starts a run in a thread; returns the thread, and a list that gets its result or error."""
        results, begun = [], threading.Event()

        def work():
            begun.set()
            try:
                results.append(model(self.x))
            except Exception as error:
                results.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        time.sleep(0.05)
        return thread, results

    def assertUnchanged(self, outputs):
        (output,) = outputs.values()
        np.testing.assert_array_equal(output, self.x)


class CloseTest(SlowTest):
    def test_use_after_close(self):
        model = hone.compile(add_model(1))
        with model as same:
            self.assertIs(same, model)
            self.assertEqual(answer(model), 1)
            self.assertFalse(model.closed)
        self.assertTrue(model.closed)
        model.close()
        uses = [lambda: model(X), lambda: model.run({}), model.stats, model.kernels, lambda: model.info, lambda: model.profile(X), model.__enter__]
        uses += [lambda: pickle.dumps(model), lambda: copy.copy(model), lambda: asyncio.run(model.run_async(X))]
        for use in uses:
            with self.assertRaisesRegex(ValueError, "the model is closed") as caught:
                use()
            self.assertIsInstance(caught.exception, hone.RunError)
        self.assertEqual(repr(model), "<hone.Model 'model', closed: (x: float[n]) -> (y: float[n])>")
        self.assertEqual([value.name for value in model.inputs], ["x"])

    def test_an_error_closes(self):
        with self.assertRaises(ZeroDivisionError), hone.compile(add_model(1)) as model:
            1 / 0
        self.assertTrue(model.closed)

    def test_nothing_stays(self):
        for end in (hone.Model.close, lambda model: None):
            hone.compile(add_model(1))
            gc.collect()
            before = descriptors()
            for _ in range(3):
                model = hone.compile(add_model(1))
                end(model)
            del model
            gc.collect()
            self.assertEqual(descriptors(), before)

    def test_closed_in_a_run(self):
        model = self.slow()
        thread, results = self.run_in_thread(model)
        model.close()
        self.assertTrue(thread.is_alive())
        thread.join()
        self.assertUnchanged(results[0])

    def test_closed_by_an_input(self):
        model = hone.compile(add_model(1))

        class Closing:
            def __array__(self, *_, **__):
                model.close()
                return X

        self.assertEqual(model(Closing())["y"], [1])
        self.assertTrue(model.closed)

    def test_threads_close(self):
        for _ in range(20):
            model = hone.compile(add_model(1)) if _ == 0 else copy.copy(model)
            wrong = []

            def work():
                for _ in range(100):
                    try:
                        if answer(model) != 1:
                            wrong.append("another answer")
                    except ValueError as error:
                        if str(error) != "the model is closed":
                            wrong.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            next_model = copy.copy(model)
            model.close()
            for thread in threads:
                thread.join()
            model = next_model
            self.assertEqual(wrong, [])

    def test_the_interpreter_ends(self):
        program = f"""
import sys
sys.path.append({str(pathlib.Path(__file__).parent)!r})
import hone, threading
import numpy as np
from test_lifetime import slow_model
model = hone.compile(slow_model(), threads=1)
threading.Thread(target=model, args=(np.zeros(({SIZE}, {SIZE}), np.float32),), daemon=True).start()
kept = hone.compile(slow_model(), threads=1)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class PickleTest(unittest.TestCase):
    def test_in_memory(self):
        first = hone.compile(add_model(3), threads=1)
        data = pickle.dumps(first)
        first.close()
        second = pickle.loads(data)
        self.assertEqual(answer(second), 3)
        self.assertEqual(second.stats()["threads"], 1)
        self.assertEqual(answer(pickle.loads(pickle.dumps(second))), 3)
        self.assertEqual([answer(copy.copy(second)), answer(copy.deepcopy(second))], [3, 3])

    def test_by_path(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "m.so"
            before = os.getcwd()
            os.chdir(folder)
            try:
                models = [hone.compile(add_model(3), output="m.so", threads=1), hone.load("m.so", threads=1)]
            finally:
                os.chdir(before)
            pickles = [pickle.dumps(model) for model in models]
            for data in pickles:
                self.assertLess(len(data), 1000)
                copied = pickle.loads(data)
                self.assertEqual((answer(copied), copied.stats()["threads"]), (3, 1))
            path.unlink()
            for data in pickles:
                with self.assertRaises(FileNotFoundError):
                    pickle.loads(data)

    def test_another_process(self):
        model = hone.compile(add_model(3), threads=1)
        for method in ("spawn", "fork"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                self.assertEqual(pool.apply(answer, (model,)), 3)
        self.assertEqual(in_child(lambda: answer(pickle.loads(pickle.dumps(model)))), 0)
        self.assertEqual(answer(pickle.loads(pickle.dumps(model))), 3)

    def test_wrong_files(self):
        model = hone.compile(add_model(3))
        _, (files, options) = model.__reduce__()
        self.assertEqual(list(files), ["model.so"])
        restore = model.__reduce__()[0]
        for name in ("../model.so", "/tmp/model.so", "other.so", 3):
            with self.assertRaisesRegex(ValueError, "unknown file"):
                restore({**files, name: b""}, options)
        for wrong in (b"", b"junk", files["model.so"][:-1000]):
            with self.assertRaises(hone.RunError):
                restore({"model.so": wrong}, options)

    def test_damaged(self):
        """A process of its own would report a crash. Each damage is an error, or is not in what the model consists of."""
        program = """
import pickle, random, sys
import numpy as np
import hone
data = sys.stdin.buffer.read()
rng = random.Random(3)
refused = 0
for _ in range(300):
    damaged = bytearray(data)
    # Past the names of what pickle is to call: it would call whatever others they become.
    for _ in range(rng.choice([1, 1, 3, 100])):
        damaged[rng.randrange(200, len(data) - 200)] ^= rng.randrange(1, 256)
    try:
        model = pickle.loads(damaged[: rng.choice([len(data), len(data), rng.randrange(200, len(data))])])
        assert model(np.zeros(1, np.float32))["y"] == [3]
    except (hone.RunError, pickle.UnpicklingError, EOFError):
        refused += 1
print(refused)
"""
        data = pickle.dumps(hone.compile(add_model(3), threads=1))
        done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertGreater(int(done.stdout), 100)


class AsyncTest(SlowTest):
    def test_results_and_errors(self):
        model = hone.compile(add_model(3))

        async def main():
            results = await asyncio.gather(*(model.run_async(np.float32([i])) for i in range(20)))
            self.assertEqual([float(result["y"][0]) for result in results], [i + 3 for i in range(20)])
            self.assertEqual((await asyncio.create_task(model.run_async(x=[1])))["y"], [4])
            for inputs, named, error in (((X, X), {}, TypeError), ((), {}, KeyError), ((), {"z": X}, KeyError), ((np.float64([1]),), {}, TypeError), ((X[None],), {}, ValueError), ((X,), {"device_outputs": True}, ValueError)):
                with self.assertRaises(error):
                    await model.run_async(*inputs, **named)

        asyncio.run(main())

    def test_the_loop_continues(self):
        async def main():
            task = asyncio.create_task(self.slow_library.run_async(self.x))
            turns = 0
            while not task.done():
                await asyncio.sleep(0.005)
                turns += 1
            self.assertUnchanged(task.result())
            self.assertGreater(turns, 3)

        asyncio.run(main())

    def test_cancelled(self):
        model = self.slow()

        async def main():
            begun = time.monotonic()
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(model.run_async(self.x), 0.05)
            task = asyncio.create_task(model.run_async(self.x))
            await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            took = time.monotonic() - begun
            model.close()
            return took

        begun = time.monotonic()
        took = asyncio.run(main())
        # The loop ends when its threads do.
        self.assertLess(took, time.monotonic() - begun)

    def test_inputs_may_change(self):
        """NonZero counts before it writes: what it reads must not change in between."""
        node = helper.make_node("NonZero", ["x"], ["y"])
        model = hone.compile(graph_model([node], [float_info("x", ["n"])], [helper.make_tensor_value_info("y", TensorProto.INT64, None)]), threads=1)

        async def main():
            for kind in (np.asarray, memoryview, DlpackOnly):
                x = np.zeros(1 << 18, np.float32)
                x[::2] = 1
                expected = np.nonzero(x)
                tasks = [asyncio.ensure_future(model.run_async(kind(x)))]
                await asyncio.sleep(0)
                x[:] = 1
                x[::3] = 0
                x = None
                for result in await asyncio.gather(*tasks):
                    np.testing.assert_array_equal(result["y"], expected)

        asyncio.run(main())

    def test_closed_meanwhile(self):
        model = self.slow()

        async def main():
            task = asyncio.create_task(model.run_async(self.x))
            await asyncio.sleep(0.02)
            model.close()
            self.assertUnchanged(await task)

        asyncio.run(main())

    def test_many_at_once(self):
        model = hone.compile(add_model(3), threads=1)

        async def main():
            tasks = [asyncio.create_task(model.run_async(np.full(1000, i, np.float32))) for i in range(300)]
            chosen = random.Random(1).sample(range(300), 150)
            await asyncio.sleep(0)
            for i in chosen:
                tasks[i].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for i, result in enumerate(results):
                if not isinstance(result, asyncio.CancelledError):
                    np.testing.assert_array_equal(result["y"], np.full(1000, i + 3))

        asyncio.run(main())


class ForkTest(SlowTest):
    def test_forked_in_a_run(self):
        for threads in (1, 2):
            model = hone.compile(slow_model(), threads=threads)
            thread, results = self.run_in_thread(model)
            self.assertEqual(in_child(lambda: self.assertUnchanged(model(self.x))), 0)
            self.assertEqual(in_child(model.close), 0)
            thread.join()
            self.assertUnchanged(results[0])


if __name__ == "__main__":
    unittest.main()
