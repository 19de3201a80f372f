# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calibration data: inputs of runs, from files or arrays, checked against what the model takes."""
import hashlib
import os
import pathlib
import zipfile
import zlib

import numpy as np
import onnx
from onnx import numpy_helper

from .graph import QuantizationError

# What NumPy raises for files that are damaged. RuntimeError is zipfile's for what it does not support.
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Samples:
    """A list of ({input: array}, where it is from), one for each run."""

    def __init__(self, graph):
        self._graph = graph
        self._declared = {value.name: value for value in graph.model.graph.input if value.name in graph.inputs}
        self.runs = []
        self.labels = None

    def add(self, arrays, where):
        """Arrays of all inputs, for one run, or for several along a first dimension that the model fixes to 1 or does not have."""
        missing = [name for name in self._declared if name not in arrays]
        unknown = [name for name in arrays if name not in self._declared]
        if missing or unknown:
            wrong = f"input '{missing[0]}' is missing" if missing else f"the model has no input '{unknown[0]}'"
            raise QuantizationError(f"{where}: {wrong}; the inputs are {', '.join(self._declared)}")
        counts = {}
        for name, array in arrays.items():
            arrays[name], counts[name] = self._checked(name, np.asarray(array), where)
        several = {count for count in counts.values() if count is not None}
        if not several:
            self.runs.append((arrays, where))
            return
        if len(several) > 1 or None in counts.values():
            told = ", ".join(f"'{name}' has {'one' if count is None else count}" for name, count in counts.items())
            raise QuantizationError(f"{where}: numbers of samples differ: {told}")
        for number in range(several.pop()):
            self.runs.append(({name: np.ascontiguousarray(array[number]) for name, array in arrays.items()}, f"{where}, sample {number}"))

    def _checked(self, name, array, where):
        """The array, and how many samples it holds: None for one without a dimension for them."""
        tensor = self._declared[name].type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if array.dtype != dtype:
            # Images are bytes as often as not; anything else is a mistake.
            if not (array.dtype.kind in "fiu" and dtype.kind == "f" or array.dtype.kind in "iu" and dtype.kind in "iu"):
                raise QuantizationError(f"{where}: input '{name}' is {array.dtype}, the model takes {dtype}")
            array = array.astype(dtype)
        if array.size == 0:
            raise QuantizationError(f"{where}: input '{name}' is empty: its shape is {list(array.shape)}")
        if dtype.kind == "f" and not np.isfinite(array).all():
            raise QuantizationError(f"{where}: input '{name}' has {'NaN' if np.isnan(array).any() else 'Inf'}; leave this sample out")
        if not tensor.HasField("shape"):
            return array, None
        # A size below 0 is some exporters' way to leave it open.
        shape = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in tensor.shape.dim]
        shown = [dim.dim_param or "?" if size is None else size for size, dim in zip(shape, tensor.shape.dim)]

        def fits(sizes):
            return len(sizes) == len(shape) and all(want in (None, size) for size, want in zip(sizes, shape))

        if fits(array.shape):
            return array, None
        if fits(array.shape[1:]):
            return array, len(array)
        if shape and shape[0] == 1 and fits((1, *array.shape[1:])):
            return array[:, None], len(array)
        if shape and shape[0] == 1 and fits((1, *array.shape)):
            return array[None], None
        raise QuantizationError(f"{where}: input '{name}' has the shape {list(array.shape)}, the model takes {shown}, or several of these along a first dimension")

    def add_file(self, path):
        """A .npz file of all inputs, a .npy file for a model with one input, or a folder of ONNX's input_N.pb files."""
        path = pathlib.Path(path)
        try:
            if path.is_dir():
                return self._add_folder(path)
            if path.suffix == ".npz":
                with np.load(path) as file:
                    return self.add({name: file[name] for name in file.files}, str(path))
            if path.suffix == ".npy":
                if len(self._declared) != 1:
                    raise QuantizationError(f"{path}: a .npy file is for models with one input; put {', '.join(self._declared)} in a .npz file")
                return self.add({next(iter(self._declared)): np.load(path)}, str(path))
        except UNREADABLE as error:
            reason = getattr(error, "strerror", None) or error
            raise QuantizationError(f"{path}: cannot be read: {reason}") from None
        raise QuantizationError(f"{path}: data are .npz or .npy files, or folders of input_N.pb files")

    def _add_folder(self, path):
        files = sorted(path.glob("input_*.pb"))
        if not files:
            folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and any(entry.glob("input_*.pb")))
            arrays = sorted(entry for entry in path.iterdir() if entry.suffix in (".npy", ".npz"))
            if not folders and not arrays:
                raise QuantizationError(f"{path}: there are no input_N.pb, .npy or .npz files in it")
            for entry in folders or arrays:
                self.add_file(entry)
            return
        arrays = {}
        for number, name in enumerate(self._declared):
            file = path / f"input_{number}.pb"
            if not file.exists():
                raise QuantizationError(f"{path}: input_{number}.pb, for the input '{name}', is missing")
            try:
                arrays[name] = numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))
            except Exception:  # protobuf's
                raise QuantizationError(f"{file}: not a tensor of ONNX") from None
        self.add(arrays, str(path))

    def add_random(self, count, dims):
        """Standard normal numbers, and integers 0 and 1, from a fixed seed; `dims` are sizes of free dimensions."""
        random = np.random.default_rng(0)
        for number in range(count):
            arrays = {}
            for name, value in self._declared.items():
                tensor = value.type.tensor_type
                sizes = []
                for dim in tensor.shape.dim:
                    size = dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else dims.get(dim.dim_param)
                    if size is None:
                        raise QuantizationError(f"input '{name}': random data need the size of '{dim.dim_param or '?'}'; give it with --dim")
                    sizes.append(size)
                dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
                arrays[name] = random.standard_normal(sizes).astype(dtype) if dtype.kind == "f" else random.integers(0, 2, sizes).astype(dtype)
            self.runs.append((arrays, f"random sample {number}"))

    def add_labels(self, labels, where):
        """A class for every row of the first output, in the order of the samples."""
        labels = np.asarray(labels).reshape(-1)
        if labels.dtype.kind not in "iu":
            raise QuantizationError(f"{where}: labels are integers, not {labels.dtype}")
        if len(labels) % max(len(self.runs), 1) or len(labels) == 0:
            raise QuantizationError(f"{where}: {len(labels)} labels for {len(self.runs)} samples")
        self.labels = labels

    def add_label_file(self, path):
        """A .npy file, or the last word of each line of a text."""
        try:
            if str(path).endswith(".npy"):
                labels = np.load(path)
            else:
                lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
                labels = np.array([int(line.split()[-1]) for line in lines if line.strip()])
        except UNREADABLE as error:
            raise QuantizationError(f"{path}: cannot be read as labels: {getattr(error, 'strerror', None) or error}") from None
        self.add_labels(labels, str(path))

    def digest(self):
        """Identifies the data, for a search that is continued."""
        state = hashlib.sha256()
        for arrays, _ in self.runs:
            for name in sorted(arrays):
                state.update(repr((name, arrays[name].dtype.str, arrays[name].shape)).encode())
                state.update(arrays[name].tobytes())
        state.update(b"" if self.labels is None else self.labels.tobytes())
        return state.hexdigest()


def load_samples(graph, data, random=0, dims=None, labels=None):
    """`data` is a path, or an iterable of paths, dictionaries of arrays, and arrays for a model with one input."""
    samples = Samples(graph)
    if isinstance(data, (str, os.PathLike, dict, np.ndarray)):
        data = [data]
    for number, item in enumerate(data if data is not None else ()):
        if isinstance(item, (str, os.PathLike)):
            samples.add_file(item)
        elif isinstance(item, dict):
            samples.add(dict(item), f"data[{number}]")
        elif isinstance(item, np.ndarray):
            if len(graph.inputs) != 1:
                raise QuantizationError(f"data[{number}]: an array is for models with one input; give a dictionary with {', '.join(graph.inputs)}")
            samples.add({graph.inputs[0]: item}, f"data[{number}]")
        else:
            raise TypeError(f"data[{number}] is a {type(item).__name__}, not a path, an array or a dictionary of arrays")
    if random:
        samples.add_random(random, dims or {})
    if labels is not None:
        if isinstance(labels, (str, os.PathLike)):
            samples.add_label_file(labels)
        else:
            samples.add_labels(labels, "labels")
    return samples
