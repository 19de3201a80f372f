# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""libhone_runtime through ctypes (hone/runtime.h, hone/abi.h): for machines that have the
runtime and compiled models, and nothing else of Hone's."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

TENSOR, SEQUENCE, OPTIONAL, MAP = 1, 2, 3, 4
HOST, DEVICE = 0, 1
NO_DEVICE, DEVICE_FAILED = 10, 11


class Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("dims", POINTER(c_int64)), ("rank", c_int32), ("type", c_int32)]


class String(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class Map(ctypes.Structure):
    _fields_ = [("keys", POINTER(Tensor)), ("values", POINTER(Tensor))]


class Sequence(ctypes.Structure):
    pass


class Value(ctypes.Structure):
    pass


class Content(ctypes.Union):
    _fields_ = [("tensor", Tensor), ("sequence", POINTER(Sequence)), ("optional", POINTER(Value)), ("map", Map)]


Value._fields_ = [("kind", c_int32), ("place", c_int32), ("content", Content)]
Sequence._fields_ = [("elements", POINTER(Value)), ("count", c_int64), ("storage", c_void_p)]


class ValueInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dims", POINTER(c_int64)),
        ("dim_names", c_void_p),
        *((name, c_int32) for name in ("kind", "type", "rank", "element_kind", "key_type", "in_place", "places", "has_default")),
        ("default_offset", c_int64),
        ("default_dims", POINTER(c_int64)),
    ]


class DeviceCode(ctypes.Structure):
    _fields_ = [
        ("driver", c_char_p),
        ("images", c_void_p),
        ("image_count", c_int64),
        ("kernels", POINTER(c_void_p)),
        ("first_function", c_void_p),
        ("functions", c_void_p),
        ("api", c_void_p),
    ]


class Descriptor(ctypes.Structure):
    _fields_ = [
        ("abi_version", c_uint32),
        ("size", c_uint32),
        ("name", c_char_p),
        ("producer", c_char_p),
        *((name, c_void_p) for name in ("api", "prepare", "run")),
        ("inputs", POINTER(ValueInfo)),
        ("outputs", POINTER(ValueInfo)),
        ("input_count", c_int32),
        ("output_count", c_int32),
        ("free_dim_names", c_void_p),
        ("free_dim_count", c_int64),
        ("slots", c_void_p),
        ("slot_offsets", c_void_p),
        *((name, c_int64) for name in ("slot_count", "arena_bytes", "lower_bound_bytes")),
        ("weights", c_void_p),
        ("weight_bytes", c_int64),
        ("weights_file", c_char_p),
        ("levels", c_void_p),
        ("level_count", c_int64),
        ("kernel_count", c_int64),
        *((name, c_void_p) for name in ("kernel_pieces", "texts", "nodes")),
        ("node_count", c_int64),
        ("memory", c_uint32),
        ("plan", c_uint32),
        ("device", POINTER(DeviceCode)),
        ("device_arena_bytes", c_int64),
        ("device_lower_bound_bytes", c_int64),
        ("weights_checksum", c_uint64),
        ("steps", c_void_p),
        ("step_count", c_int64),
        *((name, c_void_p) for name in ("step_nodes", "kernel_work", "work_terms", "metadata")),
        ("metadata_count", c_int64),
    ]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("threads", c_int32),
        ("pool", c_void_p),
        ("allocator", c_void_p),
        ("level", c_char_p),
        ("device", c_int32),
        ("reserved", c_int32),
    ]


class SessionStats(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("arena_bytes", "lower_bound_bytes", "block_bytes", "scratch_bytes", "threads", "plans")),
        ("level", c_char_p),
        *((name, c_int64) for name in ("device_arena_bytes", "device_bytes", "replays")),
        ("device", c_char_p),
        ("device_note", c_char_p),
        ("device_number", c_int64),
    ]


# The header's assertions.
for _type, _size in (Value, 32), (ValueInfo, 72), (DeviceCode, 56), (Descriptor, 304), (SessionOptions, 40), (SessionStats, 104):
    assert ctypes.sizeof(_type) == _size, _type

# Name: result, arguments.
FUNCTIONS = {
    "hone_library_open": (c_int32, c_char_p, c_char_p, POINTER(c_void_p), c_char_p, c_size_t),
    "hone_library_close": (None, c_void_p),
    "hone_library_descriptor": (POINTER(Descriptor), c_void_p),
    "hone_runner_create": (c_int32, c_void_p, POINTER(SessionOptions), POINTER(c_void_p), c_char_p, c_size_t),
    "hone_runner_destroy": (None, c_void_p),
    "hone_runner_set_input": (c_int32, c_void_p, c_char_p, POINTER(Value)),
    "hone_runner_set_output": (c_int32, c_void_p, c_char_p, POINTER(Value)),
    "hone_runner_prepare": (c_int32, c_void_p, POINTER(c_int64), POINTER(POINTER(c_int64))),
    "hone_runner_run": (c_int32, c_void_p),
    "hone_runner_output": (POINTER(Value), c_void_p, c_char_p),
    "hone_runner_message": (c_char_p, c_void_p),
    "hone_runner_stats": (None, c_void_p, POINTER(SessionStats)),
}


class Failure(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Runtime:
    """libhone_runtime.so."""

    def __init__(self, path):
        library = ctypes.CDLL(str(path))
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def opened(self, function, *arguments):
        """The handle from one of the opening functions."""
        handle, message = c_void_p(), ctypes.create_string_buffer(512)
        status = function(*arguments, byref(handle), message, len(message))
        if status:
            raise Failure(status, message.value.decode(errors="replace"))
        return handle


class Model:
    """A compiled model."""

    def __init__(self, runtime, path):
        self.runtime = runtime
        self.handle = runtime.opened(runtime.hone_library_open, str(path).encode(), None)
        self.descriptor = runtime.hone_library_descriptor(self.handle).contents
        self.inputs = [self.descriptor.inputs[i] for i in range(self.descriptor.input_count)]
        self.outputs = [self.descriptor.outputs[i] for i in range(self.descriptor.output_count)]
        self.device = self.descriptor.device.contents if self.descriptor.device else None
        # Kernels, and those of them that run on the device.
        self.kernels = self.descriptor.kernel_count
        self.device_kernels = sum(bool(self.device.kernels[i]) for i in range(self.kernels)) if self.device else 0

    def close(self):
        self.runtime.hone_library_close(self.handle)


class Runner:
    """A session of a model on its device, or on the CPU if the model is only for that."""

    def __init__(self, model, threads=1):
        self.runtime, self.model = model.runtime, model
        options = SessionOptions(size=ctypes.sizeof(SessionOptions), threads=threads)
        self.handle = self.runtime.opened(self.runtime.hone_runner_create, model.handle, byref(options))

    def check(self, status):
        if status:
            raise Failure(status, self.runtime.hone_runner_message(self.handle).decode(errors="replace"))

    def set_input(self, name, value):
        self.check(self.runtime.hone_runner_set_input(self.handle, name, byref(value)))

    def set_output(self, name, value):
        self.check(self.runtime.hone_runner_set_output(self.handle, name, byref(value)))

    def output_dims(self):
        """The dimensions of every output, all of them tensors, for the inputs that are set."""
        found = POINTER(c_int64)()
        self.check(self.runtime.hone_runner_prepare(self.handle, None, byref(found)))
        ranks = [info.rank for info in self.model.outputs]
        return [found[sum(ranks[:i]) : sum(ranks[: i + 1])] for i in range(len(ranks))]

    def run(self):
        self.check(self.runtime.hone_runner_run(self.handle))

    def output(self, name):
        """A value that is valid until the next run."""
        return self.runtime.hone_runner_output(self.handle, name).contents

    def stats(self):
        stats = SessionStats()
        self.runtime.hone_runner_stats(self.handle, byref(stats))
        return stats

    def close(self):
        self.runtime.hone_runner_destroy(self.handle)


class Driver:
    """Device memory, through the driver that a model names; the context is the runtime's."""

    def __init__(self, path, number=0):
        self.library = ctypes.CDLL(path)
        device, self.context = c_int32(), c_void_p()
        self.call("cuInit", c_uint32(0))
        self.call("cuDeviceGet", byref(device), c_int32(number))
        self.call("cuDevicePrimaryCtxRetain", byref(self.context), device)

    def call(self, name, *arguments):
        error = getattr(self.library, name)(*arguments)
        if error:
            raise Failure(DEVICE_FAILED, f"{name}: error {error}")

    def allocate(self, size):
        address = c_uint64()
        self.call("cuCtxSetCurrent", self.context)
        self.call("cuMemAlloc_v2", byref(address), c_size_t(max(size, 1)))
        return address.value

    def upload(self, address, array):
        self.copy("cuMemcpyHtoDAsync_v2", c_uint64(address), c_void_p(array.ctypes.data), array.nbytes)

    def download(self, array, address):
        self.copy("cuMemcpyDtoHAsync_v2", c_void_p(array.ctypes.data), c_uint64(address), array.nbytes)

    def copy(self, name, to, source, size):
        """On the default stream, whose work a session waits for."""
        self.call("cuCtxSetCurrent", self.context)
        self.call(name, to, source, c_size_t(size), None)
        self.call("cuStreamSynchronize", None)

    def free(self, address):
        self.call("cuCtxSetCurrent", self.context)
        self.call("cuMemFree_v2", c_uint64(address))
