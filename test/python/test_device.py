# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python package and a model with code for a device, on a driver that has no device."""
import ctypes
import os
import pathlib
import unittest

import numpy as np

import hone

UNIT = pathlib.Path(os.environ["HONE_BUILD"]) / "test" / "unit"
DEVICE_BIT = 1 << 60  # of the fake driver's addresses


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_uint64),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class DLManagedTensor(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class DeviceArray:
    """What a library for arrays on a device gives, on the fake driver's memory."""

    def __init__(self, array, device=0, strides=None):
        driver = ctypes.CDLL(str(UNIT / "fake_driver.so"))
        context, address = ctypes.c_void_p(), ctypes.c_uint64()
        assert driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
        assert driver.cuCtxSetCurrent(context) == 0
        assert driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(array.nbytes)) == 0
        assert driver.cuCtxSetCurrent(None) == 0
        ctypes.memmove(address.value & ~DEVICE_BIT, array.ctypes.data, array.nbytes)
        self.device = device
        self.shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        self.strides = strides and (ctypes.c_int64 * array.ndim)(*strides)
        code = {"i": 0, "u": 1, "f": 2}[array.dtype.kind]
        tensor = DLTensor(
            address.value, 2, device, array.ndim, code, 8 * array.itemsize, 1, self.shape, self.strides, 0
        )
        self.managed = DLManagedTensor(tensor, None, None)

    def __dlpack_device__(self):
        return (2, self.device)

    def __dlpack__(self, **kwargs):
        if kwargs:
            raise TypeError("the protocol's first version")
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.managed), b"dltensor", None)


def load(**options):
    return hone.load(UNIT / "device_model.so", symbol="hone_device_model", threads=1, **options)


X = np.arange(5, dtype=np.float32)
INDEX = np.array([4, 0], np.int64)


class DeviceTest(unittest.TestCase):
    def setUp(self):
        os.environ.pop("HONE_DEVICE", None)

    def check(self, results):
        np.testing.assert_array_equal(results["twice"], 2 * X)
        np.testing.assert_array_equal(results["picked"], X[INDEX])

    def test_host_inputs(self):
        model = load()
        self.assertEqual(model.stats()["device"], "Fake (sm_80)")
        for _ in range(3):
            self.check(model.run({"x": X, "index": INDEX}))

    def test_device_inputs(self):
        model = load()
        x, index = DeviceArray(X), DeviceArray(INDEX)
        for _ in range(3):
            self.check(model.run({"x": x, "index": index}))
        self.check(model.run({"x": x, "index": INDEX}))

    def test_refused_device_inputs(self):
        model = load()
        for x, message in (
            (DeviceArray(X, device=1), "input 'x': the tensor lies on device 1, and the model runs on device 0"),
            (DeviceArray(X, strides=[2]), "input 'x': a tensor on a device must be contiguous"),
            (DeviceArray(X.astype(np.float64)), "input 'x' must have type float, not double"),
        ):
            with self.assertRaisesRegex(hone.RunError, message):
                model.run({"x": x, "index": INDEX})

    def test_cpu(self):
        model = load(device="cpu")
        self.assertIsNone(model.stats()["device"])
        self.check(model.run({"x": X, "index": INDEX}))
        with self.assertRaisesRegex(hone.RunError, "this session runs on the CPU"):
            model.run({"x": DeviceArray(X), "index": INDEX})

    def test_choice_of_device(self):
        with self.assertRaisesRegex(hone.RunError, "there is no device 3"):
            load(device=3)
        for wrong in (-1, "gpu", 1.5):
            with self.assertRaises((ValueError, TypeError)):
                load(device=wrong)


if __name__ == "__main__":
    unittest.main()
