# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone: compiles neural-network graphs to shared libraries, and runs them.

    import hone
    model = hone.compile("model.onnx")
    outputs = model.run({"x": x})
"""
import collections
import os
import shutil
import tempfile

from . import _hone
from ._hone import RunError

__all__ = ["CompileError", "Model", "RunError", "Value", "compile", "load"]

RunError.__module__ = "hone"

Value = collections.namedtuple("Value", "name kind type shape dtype")
Value.__doc__ = """An input or output of a model. `kind` is tensor, sequence, optional or map; `type`
ONNX's name of the element type and `dtype` numpy's; in `shape`, which is None for any rank, free
dimensions are names, and None is what only the data decide."""


class Model:
    """A compiled model. Threads may run one model at the same time."""

    def __init__(self, library):
        self._library = library
        self.inputs = [Value(*v) for v in library.inputs]
        self.outputs = [Value(*v) for v in library.outputs]

    def run(self, inputs):
        """{name: value} of the inputs to {name: value} of the outputs.

        Tensors are numpy arrays (of objects for strings), sequences lists, absent optionals
        None. Contiguous arrays are read where they lie. Raises RunError for a wrong call and
        for an error in the data."""
        return self._library.run(inputs)

    def stats(self):
        """Bytes of arena, blocks and weights, the thread count and the CPU level in use."""
        return self._library.stats()


def load(path, *, threads=0, cpu="", symbol="hone_model"):
    """Opens a compiled model. `threads` of 0 is one per processor; `cpu` forces one of its
    CPU levels."""
    return Model(_hone.Model(os.fspath(path), symbol, threads, cpu))
