# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opening libraries: replaced, changed, damaged ones, and wrong arguments."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone


def add_model(number, dims=("n",), name="x"):
    """x + number."""
    value = helper.make_tensor("number", TensorProto.FLOAT, (), [number])
    node = helper.make_node("Add", [name, "number"], ["y"])
    infos = [helper.make_tensor_value_info(v, TensorProto.FLOAT, list(dims)) for v in (name, "y")]
    graph = helper.make_graph([node], "add", infos[:1], infos[1:], [value])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def scale_model(weights):
    """x times a vector of weights."""
    values = helper.make_tensor("w", TensorProto.FLOAT, [len(weights)], weights)
    infos = [helper.make_tensor_value_info(v, TensorProto.FLOAT, ["n", len(weights)]) for v in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "scale", infos[:1], infos[1:], [values])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def answer(model):
    return float(model.run({"x": np.zeros(1, np.float32)})["y"][0])


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.library = self.folder / "m.so"


class ReloadTest(FolderTest):
    def test_a_replaced_library_is_the_new_model(self):
        models = [hone.compile(add_model(i), output=self.library) for i in range(1, 6)]
        self.assertEqual([answer(m) for m in models], [1, 2, 3, 4, 5])
        del models[1:4]
        models.append(hone.compile(add_model(7), output=self.library))
        self.assertEqual([answer(m) for m in models], [1, 5, 7])

    def test_through_relative_paths_links_and_copies(self):
        hone.compile_library(add_model(1), self.library)
        shutil.copy(self.library, self.folder / "copy.so")
        (self.folder / "link.so").symlink_to("m.so")
        os.link(self.library, self.folder / "hard.so")
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        paths = ["m.so", "./m.so", self.library, "copy.so", "link.so", "hard.so"]
        models = [hone.load(path) for path in paths]
        os.chdir(before)
        self.assertEqual([answer(m) for m in models], [1] * 6)
        hone.compile_library(add_model(2), self.library)
        os.chdir(self.folder)
        self.assertEqual([answer(hone.load(path)) for path in paths], [2, 2, 2, 1, 2, 1])

    def test_one_file_is_loaded_once(self):
        hone.compile_library(add_model(1), self.library)
        models = [hone.load(self.library) for _ in range(3)]
        with open("/proc/self/maps") as maps:
            first = [line for line in maps if str(self.library) in line and " 00000000 " in line]
        self.assertEqual(len(first), 1, first)
        self.assertEqual([answer(m) for m in models], [1, 1, 1])

    def test_a_file_changed_in_its_place_is_refused(self):
        hone.compile_library(add_model(1), self.library)
        hone.compile_library(add_model(2), self.folder / "other.so")
        # The model in use is broken: the process ends without touching it.
        program = f"""
import os, shutil
import hone
model = hone.load({str(self.library)!r}, threads=1)
shutil.copyfile({str(self.folder / "other.so")!r}, {str(self.library)!r})
try:
    hone.load({str(self.library)!r}, threads=1)
except hone.RunError as error:
    print(error, flush=True)
os._exit(0)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertIn("changed in place", done.stdout)


class DamageTest(FolderTest):
    def test_weights_are_checked_on_request(self):
        weights = np.arange(1, 4097, dtype=np.float32)
        hone.compile_library(scale_model(weights), self.library)
        hone.load(self.library, verify=True)
        data = bytearray(self.library.read_bytes())
        data[data.index(weights.tobytes()) + 4096] ^= 1
        self.library.write_bytes(data)
        hone.load(self.library)
        with self.assertRaisesRegex(hone.RunError, "weights are damaged"):
            hone.load(self.library, verify=True)

    def test_libraries_may_be_stripped(self):
        hone.compile_library(add_model(1), self.library)
        size = self.library.stat().st_size
        subprocess.run(["llvm-strip-22", self.library], check=True)
        self.assertLess(self.library.stat().st_size, size)
        self.assertEqual(answer(hone.load(self.library)), 1)

    def test_a_library_for_another_machine(self):
        hone.compile_library(add_model(1), self.library)
        data = bytearray(self.library.read_bytes())
        data[18:20] = (183).to_bytes(2, "little")  # e_machine
        self.library.write_bytes(data)
        with self.assertRaisesRegex(hone.RunError, "it is for AArch64, and this program for x86-64"):
            hone.load(self.library)

    def test_another_binary_interface(self):
        hone.compile_library(add_model(1), self.library)
        data = bytearray(self.library.read_bytes())
        data[data.index(b"Hone\0\0\0\0\0\0\0\0") + 12] += 1
        self.library.write_bytes(data)
        with self.assertRaisesRegex(hone.RunError, "compiled for version .* of the binary interface"):
            hone.load(self.library)


class ArgumentTest(FolderTest):
    def test_sizes(self):
        model = add_model(1, ("n", "?"))
        for dims, error, text in (
            ({"m": 1}, hone.CompileError, "no free dimension 'm'; it has '.0', 'n'"),
            ({"n": "x"}, TypeError, "dims.'n'. must be an integer, not str"),
            ({"n": 1.5}, TypeError, "must be an integer, not float"),
            ({"n": 2**70}, ValueError, "must be from 0 to"),
            ({"n": -1}, ValueError, "dims.'n'. is -1"),
            ({1: 1}, TypeError, "name of a dimension is a str, not int"),
        ):
            with self.subTest(dims=dims), self.assertRaisesRegex(error, text):
                hone.compile(model, dims=dims)
        fixed = hone.compile(model, dims={"n": np.int64(2), "?0": 3})
        self.assertEqual(fixed.inputs[0].shape, (2, 3))

    def test_threads_paths_and_devices(self):
        hone.compile_library(add_model(1), self.library)
        for threads, error in ((-3, ValueError), (1025, ValueError), ("2", TypeError)):
            with self.subTest(threads=threads), self.assertRaisesRegex(error, "threads"):
                hone.load(self.library, threads=threads)
            with self.subTest(threads=threads), self.assertRaisesRegex(error, "threads"):
                hone.compile(add_model(1), threads=threads)
        with self.assertRaisesRegex(ValueError, "zero byte"):
            hone.load(f"{self.library}\0x")
        with self.assertRaisesRegex(hone.RunError, "device 1 was requested"):
            hone.load(self.library, device=1)
        with self.assertRaisesRegex(hone.RunError, "exports 'hone_model'"):
            hone.load(self.library, symbol="other")

    def test_the_symbol_is_found(self):
        model = hone.compile(add_model(3), output=self.library, symbol="plus_three")
        self.assertEqual((answer(model), answer(hone.load(self.library))), (3, 3))

    def test_names_that_are_no_text(self):
        data = add_model(1, name="damaged").replace(b"damaged", b"dam\xffged")
        with self.assertRaisesRegex(hone.CompileError, "not UTF-8"):
            hone.compile(data)
        data = add_model(1, dims=["damaged"]).replace(b"damaged", b"dam\xffged")
        self.assertEqual(answer(hone.compile(data)), 1)


class ExitTest(FolderTest):
    def test_the_interpreter_ends_while_threads_run(self):
        hone.compile_library(add_model(1), self.library)
        program = f"""
import threading, time
import numpy as np
import hone
model = hone.load({str(self.library)!r}, threads=1)
x = np.zeros(1 << 16, np.float32)
def work():
    while True:
        model.run({{"x": x}})
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
        for _ in range(5):
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
