#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors of other libraries in host memory, read and written where they lie."""
import ctypes
import importlib.util
import sys
import unittest

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

import hone
from test_model import add_model, float_info, graph_model

TYPES = {
    "bool": TensorProto.BOOL, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16, "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32, "uint32": TensorProto.UINT32, "int64": TensorProto.INT64, "uint64": TensorProto.UINT64,
    "float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "complex64": TensorProto.COMPLEX64,
}
X = np.arange(6, dtype=np.float32).reshape(2, 3)


class DlpackOnly:
    """A tensor that speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Tensor(ctypes.Structure):
    """DLManagedTensor, to say what numpy never would."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
    ]  # fmt: skip


class Made:
    """A tensor that offers a structure with these fields instead of those of an array."""

    def __init__(self, array, device=(1, 0), **fields):
        self.array, self.device = array, device
        self.shape = (ctypes.c_int64 * max(array.ndim, 1))(*fields.pop("shape", array.shape))
        self.tensor = Tensor(array.ctypes.data, device, array.ndim, 2, array.itemsize * 8, 1, self.shape, None, 0, None, None)
        for name, value in fields.items():
            setattr(self.tensor, name, value)

    def __dlpack__(self, **options):
        if options:
            raise TypeError("no options")
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.tensor), b"dltensor", None)

    def __dlpack_device__(self):
        return self.device


def identity(kind, shape=("n", "m")):
    value = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    return hone.compile(graph_model([helper.make_node("Identity", ["x"], ["y"])], value[:1], value[1:]))


class DlpackTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = hone.compile(add_model())

    def test_types(self):
        for name, kind in TYPES.items():
            with self.subTest(name):
                model, x = identity(kind), np.ones((2, 3), name)
                out = np.zeros_like(x)
                for given in (DlpackOnly(x), DlpackOnly(x[:0])):
                    y = model(given)["y"]
                    self.assertEqual(y.dtype, x.dtype)
                    np.testing.assert_array_equal(y, given.array)
                written = DlpackOnly(out)
                self.assertIs(model(DlpackOnly(x), out={"y": written})["y"], written)
                np.testing.assert_array_equal(out, x)

    def test_bfloat16(self):
        """numpy cannot pass it on."""
        model, x = identity(TensorProto.BFLOAT16), np.ones((2, 3), ml_dtypes.bfloat16)
        out = np.zeros_like(x)
        fields = dict(code=4)
        y = model(Made(x, **fields))["y"]
        self.assertEqual(y.dtype, x.dtype)
        np.testing.assert_array_equal(y, x)
        model(Made(x, **fields), out={"y": Made(out, **fields)})
        np.testing.assert_array_equal(out, x)

    def test_nothing_is_copied(self):
        """An output may not overlap an input: its memory is the array's."""
        given = X.copy()
        with self.assertRaisesRegex(ValueError, "overlaps an input"):
            self.model(DlpackOnly(given), X, out={"y": given})
        with self.assertRaisesRegex(ValueError, "overlaps an input"):
            self.model(given, X, out={"y": DlpackOnly(given)})
        out = np.zeros_like(X)
        self.model(DlpackOnly(X), X, out={"y": DlpackOnly(out)})
        np.testing.assert_array_equal(out, 2 * X)

    def test_outputs_are_passed_on(self):
        y = self.model(X, X)["y"]
        taken = np.from_dlpack(DlpackOnly(y))
        self.assertTrue(np.shares_memory(taken, y))
        np.testing.assert_array_equal(self.model(taken, DlpackOnly(y))["y"], 4 * X)

    def test_references_are_released(self):
        x, out = X.copy(), X.copy()
        before = sys.getrefcount(x), sys.getrefcount(out)
        for _ in range(3):
            self.model(DlpackOnly(x), x, out={"y": DlpackOnly(out)})
            with self.assertRaises(ValueError):
                self.model(DlpackOnly(x), DlpackOnly(x[0]))
        self.assertEqual((sys.getrefcount(x), sys.getrefcount(out)), before)

    def test_layouts(self):
        raw = np.zeros(25, np.uint8)
        raw[1:] = X.view(np.uint8).reshape(-1)
        unaligned = raw[1:].view(np.float32).reshape(2, 3)
        for x in (X, np.asfortranarray(X), X[::-1], np.repeat(X, 2, 1)[:, ::2], unaligned):
            np.testing.assert_array_equal(self.model(DlpackOnly(x), X)["y"], 2 * X if x.strides != X[::-1].strides else X + X[::-1])
        for out in (np.asfortranarray(X), unaligned):
            with self.assertRaisesRegex(ValueError, "contiguous, aligned and writable"):
                self.model(X, X, out={"y": DlpackOnly(out)})
        fixed = X.copy()
        fixed.flags.writeable = False
        np.testing.assert_array_equal(self.model(DlpackOnly(fixed), X)["y"], 2 * X)
        with self.assertRaisesRegex(ValueError, "contiguous, aligned and writable"):
            self.model(X, X, out={"y": DlpackOnly(fixed)})
        np.testing.assert_array_equal(fixed, X)

    def test_tensors_that_do_not_fit(self):
        for x, error in ((X.astype(np.float64), TypeError), (X.astype(np.int32), TypeError), (X[0], ValueError), (X[:1], ValueError)):
            for given in ({"a": X, "b": DlpackOnly(x)}, {"a": DlpackOnly(x), "b": X}):
                with self.assertRaises(error) as caught:
                    self.model(given)
                self.assertIsInstance(caught.exception, hone.RunError)
        for out, error in ((X.astype(np.float64), TypeError), (np.zeros((3, 2), np.float32), ValueError)):
            with self.assertRaises(error):
                self.model(X, X, out={"y": DlpackOnly(out)})

    def test_hostile(self):
        class Failing(DlpackOnly):
            def __dlpack__(self, **options):
                raise RuntimeError("it cannot be exported")

        class Junk(DlpackOnly):
            def __dlpack__(self, **options):
                return self

        class Nowhere(DlpackOnly):
            def __init__(self, device):
                self.device = device

            def __dlpack_device__(self):
                return self.device

        wrong = [Failing(X), Junk(X), Made(X, code=77), Made(X, bits=7), Made(X, lanes=4), Made(X, ndim=-1), Made(X, ndim=1 << 20), DlpackOnly]
        wrong += [Made(X, shape=(-1, 3)), Made(X, shape=(1 << 62, 1 << 62)), Made(X, data=None), Made(X, device=(99, 0))]
        wrong += [Nowhere(device) for device in (None, (), (1,), "cpu", ("cpu", 0), (2**70, 0), 3)]
        for x in wrong:
            with self.assertRaises(hone.RunError):
                self.model(x, X)
            with self.assertRaises(hone.RunError):
                self.model(X, X, out={"y": x})
        np.testing.assert_array_equal(self.model(Made(X), X)["y"], 2 * X)

    def test_in_sequences(self):
        info = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, ["?"])
        position = helper.make_tensor("p", TensorProto.INT64, [], [1])
        model = hone.compile(graph_model([helper.make_node("SequenceAt", ["s", "p"], ["y"])], [info], [float_info("y", None)], [position]))
        np.testing.assert_array_equal(model([DlpackOnly(X[0]), DlpackOnly(X[1])])["y"], X[1])


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class TorchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = hone.compile(add_model())

    def test_both_ways(self):
        import torch

        x, out = torch.arange(6, dtype=torch.float32).reshape(2, 3), torch.zeros(2, 3)
        y = torch.from_dlpack(self.model(x, x)["y"])
        self.assertTrue(torch.equal(y, 2 * x))
        self.assertIs(self.model(x, x, out={"y": out})["y"], out)
        self.assertTrue(torch.equal(out, 2 * x))
        with self.assertRaisesRegex(ValueError, "overlaps an input"):
            self.model(x, y, out={"y": x})
        self.assertTrue(torch.equal(torch.from_dlpack(self.model(x.T.contiguous().T, x)["y"]), 2 * x))

    def test_types(self):
        import torch

        for name in ("bool", "uint8", "int32", "int64", "float16", "float32", "float64", "bfloat16"):
            kind = TYPES.get(name, TensorProto.BFLOAT16)
            x = torch.ones((2, 3), dtype=getattr(torch, name))
            out = torch.zeros_like(x)
            identity(kind)(x, out={"y": out})
            self.assertTrue(torch.equal(out, x), name)


if __name__ == "__main__":
    unittest.main()
