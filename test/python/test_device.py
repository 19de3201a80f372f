# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python package and a model with code for a device, on a driver that has no device."""
import ctypes
import gc
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


class FakeDriver(ctypes.Structure):
    """What the driver holds; the first fields of its C++ structure."""

    _fields_ = [
        ("set", ctypes.c_int * 3),
        ("failing", ctypes.c_char_p),
        ("failing_call", ctypes.c_int),
        ("failure", ctypes.c_int),
        ("contexts", ctypes.c_int),
        ("modules", ctypes.c_int),
        ("allocations", ctypes.c_int),
    ]


def fake_driver():
    function = ctypes.CDLL(str(UNIT / "fake_driver.so")).fakeDriver
    function.restype = ctypes.POINTER(FakeDriver)
    return function().contents


class Versioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    ]


class Consumer:
    """How a library for arrays on a device consumes an object with __dlpack__: it takes over the capsule."""

    def __init__(self, source, **options):
        capsule = source.__dlpack__(**options)
        name, kind = (b"dltensor_versioned", Versioned) if "max_version" in options else (b"dltensor", DLManagedTensor)
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        self.address = get(capsule, name)
        self.managed = kind.from_address(self.address)
        self.used = ctypes.create_string_buffer(b"used_" + name)
        rename = ctypes.pythonapi.PyCapsule_SetName
        rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
        assert rename(capsule, ctypes.cast(self.used, ctypes.c_char_p)) == 0
        # The destructor looks at the name when the capsule goes, which is now.
        del capsule

    def numpy(self):
        tensor = self.managed.tensor
        assert tensor.device_type == 2 and tensor.data & DEVICE_BIT and tensor.byte_offset == 0
        dtype = np.dtype(f"{'iuf'[tensor.code]}{tensor.bits // 8}")
        shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        data = ctypes.string_at(tensor.data & ~DEVICE_BIT, dtype.itemsize * int(np.prod(shape)))
        return np.frombuffer(data, dtype).reshape(shape)

    def __del__(self):
        if self.managed.deleter:
            ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(self.managed.deleter)(self.address)


class DeviceArray:
    """What a library for arrays on a device provides, on the fake driver's memory."""

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
            (DeviceArray(X, device=1), "input 'x': the tensor is on device 1, and the model runs on device 0"),
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

    def test_device_outputs(self):
        model = load()
        results = model.run({"x": X, "index": INDEX}, device_outputs=True)
        twice, picked = results["twice"], results["picked"]
        self.assertIsInstance(twice, hone.DeviceTensor)
        self.assertEqual((twice.shape, twice.dtype, twice.device), ((5,), np.float32, 0))
        self.assertEqual(twice.__dlpack_device__(), (2, 0))
        first, second = Consumer(twice), Consumer(picked, stream=1, max_version=(1, 0), dl_device=(2, 0), copy=False)
        # A later run has its own memory, and accepts such a tensor as an input.
        again = model.run({"x": twice, "index": INDEX}, device_outputs=["picked"])
        np.testing.assert_array_equal(again["twice"], 4 * X)
        np.testing.assert_array_equal(Consumer(again["picked"]).numpy(), 2 * X[INDEX])
        self.check({"twice": first.numpy(), "picked": second.numpy()})

    def test_lifetime_of_device_outputs(self):
        gc.collect()
        before = fake_driver().allocations
        model = load()
        held = model.run({"x": X, "index": INDEX}, device_outputs=["twice"])["twice"]
        opened = fake_driver().allocations
        array = Consumer(held)
        del held, model
        gc.collect()
        self.assertEqual(fake_driver().allocations, opened)
        np.testing.assert_array_equal(array.numpy(), 2 * X)
        del array
        gc.collect()
        self.assertEqual(fake_driver().allocations, before)

    def test_no_memory_for_device_outputs(self):
        model = load()
        model.run({"x": X, "index": INDEX})
        driver = fake_driver()
        calls = ctypes.CDLL(str(UNIT / "fake_driver.so")).fakeDriverCalls
        name, number = ctypes.c_char_p(), 0
        while name.value != b"cuMemAlloc_v2":
            count = calls(number, ctypes.byref(name))
            number += 1
        driver.failing, driver.failing_call, driver.failure = b"cuMemAlloc_v2", count + 1, 2
        try:
            with self.assertRaisesRegex(hone.RunError, "output 'twice': device 0, .*: no 20 bytes for an output: CUDA_ERROR_OUT"):
                model.run({"x": X, "index": INDEX}, device_outputs=True)
        finally:
            driver.failing = None
        self.check(model.run({"x": X, "index": INDEX}))

    def test_given_outputs(self):
        for device, host in (("twice", "picked"), ("picked", "twice")):
            model = load()
            sizes = {"twice": 5, "picked": 2}
            tensor, array = DeviceArray(np.zeros(sizes[device], np.float32)), np.zeros(sizes[host], np.float32)
            for _ in range(3):
                results = model.run({"x": X, "index": INDEX}, out={device: tensor, host: array})
                self.assertIs(results[device], tensor)
                self.assertIs(results[host], array)
                self.check({device: Consumer(tensor).numpy(), host: array})

    def test_refused_outputs(self):
        model = load()
        x, read_only = DeviceArray(X), np.zeros(5, np.float32)
        read_only.flags.writeable = False
        for options, message in (
            ({"device_outputs": ["thrice"]}, "the model has no output 'thrice'"),
            ({"out": {"thrice": read_only}}, "the model has no output 'thrice'"),
            ({"out": {"twice": read_only}}, "output 'twice': an array to be written must be writeable"),
            ({"out": {"twice": np.zeros(10, np.float32)[::2]}}, "output 'twice': an array to be written must be c_contiguous"),
            ({"out": {"twice": np.zeros(5)}}, "output 'twice': the elements must have type float, not double"),
            ({"out": {"twice": np.zeros(4, np.float32)}}, "output 'twice': dimension 0 must be 5, not 4"),
            ({"out": {"twice": [0.0] * 5}}, "output 'twice': an output is written to a numpy array or"),
            ({"out": {"twice": x}}, "output 'twice': its memory overlaps an input"),
            ({"out": {"twice": DeviceArray(X, device=1)}}, "output 'twice': the tensor is on device 1"),
            ({"out": {"twice": DeviceArray(X, strides=[2])}}, "output 'twice': a tensor on a device must be contiguous and writable"),
        ):
            with self.assertRaisesRegex(hone.RunError, message):
                model.run({"x": x, "index": INDEX}, **options)
        with self.assertRaises(TypeError):
            model.run({"x": x, "index": INDEX}, device_outputs="twice")
        with self.assertRaisesRegex(hone.RunError, "cannot stay on a device: the model runs on the CPU"):
            load(device="cpu").run({"x": X, "index": INDEX}, device_outputs=True)

    def test_choice_of_device(self):
        with self.assertRaisesRegex(hone.RunError, "there is no device 3"):
            load(device=3)
        for wrong in (-1, "gpu", 1.5):
            with self.assertRaises((ValueError, TypeError)):
                load(device=wrong)


if __name__ == "__main__":
    unittest.main()
