# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs and outputs of packed cases: as JSON beside a blob of bytes, as the runtime's values,
and as numpy arrays.

A tensor is {"type", "dims", "at", "bytes"}, or {"type", "dims", "strings"}; a sequence a list,
an optional {"optional": value or null}, a map {"keys", "values"}. The bytes are those of the
binary interface, so that none of the narrow types needs a library here.
"""
import ctypes
import json

import numpy as np

import hone_runtime

STRING, BFLOAT16 = 8, 16
DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
    14: np.complex64,
    15: np.complex128,
}


class Narrow:
    """The value of each code of the types that numpy lacks: {type: (bits, values)}."""

    def __init__(self, path):
        tables = json.loads(path.read_text())
        self.tables = {int(number): (bits, np.array(values, np.float32)) for number, (bits, values) in tables.items()}

    def bits(self, number):
        if number == BFLOAT16:
            return 16
        return self.tables[number][0] if number in self.tables else 8 * np.dtype(DTYPES[number]).itemsize

    def array(self, number, dims, data):
        """Bytes of the binary interface as an array that numpy can compute with."""
        if number == BFLOAT16:
            return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(dims)
        if number not in self.tables:
            return np.frombuffer(data, DTYPES[number]).reshape(dims)
        bits, values = self.tables[number]
        codes = np.frombuffer(data, np.uint8)[:, None] >> np.arange(0, 8, bits, dtype=np.uint8) & ((1 << bits) - 1)
        return values[codes.ravel()[: int(np.prod(dims, dtype=np.int64))]].reshape(dims)


def to_runtime(encoded, blob, keep):
    """The runtime's form of an encoded value. `keep` takes what must outlive it; `blob` is a
    buffer of ctypes, into which tensors point."""
    value = hone_runtime.Value()
    if isinstance(encoded, list):
        elements = (hone_runtime.Value * max(len(encoded), 1))(*(to_runtime(e, blob, keep) for e in encoded))
        sequence = hone_runtime.Sequence(elements, len(encoded), None)
        keep += [elements, sequence]
        value.kind, value.content.sequence = hone_runtime.SEQUENCE, ctypes.pointer(sequence)
    elif "optional" in encoded:
        value.kind = hone_runtime.OPTIONAL
        if encoded["optional"] is not None:
            inner = to_runtime(encoded["optional"], blob, keep)
            keep.append(inner)
            value.content.optional = ctypes.pointer(inner)
    elif "keys" in encoded:
        tensors = [to_runtime(encoded[part], blob, keep).content.tensor for part in ("keys", "values")]
        keep += tensors
        value.kind = hone_runtime.MAP
        value.content.map = hone_runtime.Map(*map(ctypes.pointer, tensors))
    else:
        value.kind, value.content.tensor = hone_runtime.TENSOR, tensor_to_runtime(encoded, blob, keep)
    return value


def tensor_to_runtime(encoded, blob, keep):
    dims = (ctypes.c_int64 * max(len(encoded["dims"]), 1))(*encoded["dims"])
    keep.append(dims)
    if "strings" not in encoded:
        return hone_runtime.Tensor(ctypes.addressof(blob) + encoded["at"], dims, len(encoded["dims"]), encoded["type"])
    texts = [text.encode("utf-8", "surrogateescape") for text in encoded["strings"]]
    buffers = [ctypes.create_string_buffer(text, max(len(text), 1)) for text in texts]
    pairs = [hone_runtime.String(ctypes.addressof(b), len(t)) for b, t in zip(buffers, texts)]
    strings = (hone_runtime.String * max(len(texts), 1))(*pairs)
    keep += [buffers, strings]
    return hone_runtime.Tensor(ctypes.addressof(strings), dims, len(encoded["dims"]), STRING)


def from_runtime(value, narrow):
    """A value on the host, as arrays, lists, dicts and None."""
    if value.kind == hone_runtime.SEQUENCE:
        sequence = value.content.sequence.contents
        return [from_runtime(sequence.elements[i], narrow) for i in range(sequence.count)]
    if value.kind == hone_runtime.OPTIONAL:
        return from_runtime(value.content.optional.contents, narrow) if value.content.optional else None
    if value.kind == hone_runtime.MAP:
        return [tensor_from_runtime(getattr(value.content.map, part).contents, narrow) for part in ("keys", "values")]
    return tensor_from_runtime(value.content.tensor, narrow)


def tensor_from_runtime(tensor, narrow):
    dims = tensor.dims[: tensor.rank]
    count = int(np.prod(dims, dtype=np.int64))
    if tensor.type == STRING:
        strings = ctypes.cast(tensor.data, ctypes.POINTER(hone_runtime.String))
        texts = [ctypes.string_at(strings[i].data, strings[i].size) for i in range(count)]
        return np.array(texts, object).reshape(dims)
    size = (count * narrow.bits(tensor.type) + 7) // 8
    return narrow.array(tensor.type, dims, ctypes.string_at(tensor.data, size) if size else b"")


def to_numpy(encoded, blob, narrow):
    """The same of an encoded value."""
    if isinstance(encoded, list):
        return [to_numpy(e, blob, narrow) for e in encoded]
    if "optional" in encoded:
        return None if encoded["optional"] is None else to_numpy(encoded["optional"], blob, narrow)
    if "keys" in encoded:
        return [to_numpy(encoded[part], blob, narrow) for part in ("keys", "values")]
    if "strings" in encoded:
        texts = [text.encode("utf-8", "surrogateescape") for text in encoded["strings"]]
        return np.array(texts, object).reshape(encoded["dims"])
    return narrow.array(encoded["type"], encoded["dims"], bytes(blob[encoded["at"] : encoded["at"] + encoded["bytes"]]))
