# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An ONNX model with what its rewrites ask for: who makes a value, who reads it, and which values are constant."""
import os
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter

from ..errors import Error


class QuantizationError(Error):
    """The model or the data are at fault; the message says which, and what to do."""


class Graph:
    """Owns its model: rewrites change `model`, and call `index` when they are done. Until then producers and consumers are
    those before the rewrite; initializers that were added are known."""

    def __init__(self, model, name):
        self.model = model
        self.name = name
        self.index()

    @classmethod
    def load(cls, model, name="the model"):
        """From a path, bytes or a ModelProto, which is copied. Nodes without a name are given one."""
        if isinstance(model, onnx.ModelProto):
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            model = copy
        else:
            name, model = _read(model)
        if not model.graph.node:
            raise QuantizationError(f"{name}: there are no nodes")
        _name_nodes(model)
        graph = cls(model, name)
        quantized = [node for node in graph.nodes if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear")]
        if quantized:
            raise QuantizationError(f"{name}: node '{quantized[0].name}' ({quantized[0].op_type}): the model is quantized already; start from the model in float")
        return graph

    def copy(self):
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return Graph(model, self.name)

    def index(self):
        graph = self.model.graph
        self.nodes = graph.node
        self.producers = {value: node for node in graph.node for value in node.output if value}
        self.consumers = {}
        self.inner = set()
        for node in graph.node:
            for value in dict.fromkeys(node.input):
                self.consumers.setdefault(value, []).append(node)
            for body in _bodies(node):
                self.inner |= _reads(body)
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = [value.name for value in graph.output]
        # An initializer that is also an input is only a default.
        self.inputs = [value.name for value in graph.input if value.name not in self.initializers]
        self.overridable = {value.name for value in graph.input if value.name in self.initializers}
        self.names = {node.name for node in graph.node} | set(self.producers) | set(self.initializers) | {value.name for value in graph.input}

    def opset(self, domain=""):
        return next((entry.version for entry in self.model.opset_import if (entry.domain or "") in ((domain, "ai.onnx") if not domain else (domain,))), 0)

    def raise_opset(self, version):
        """Converts the model to opset `version` or newer."""
        if self.opset() >= version:
            return
        before = self.opset()
        try:
            self.model = version_converter.convert_version(self.model, version)
        except Exception as error:  # Of many types.
            raise QuantizationError(f"{self.name}: what is to be written needs opset {version}, and the model, of opset {before}, cannot be converted; export it again. ONNX's converter says: {error}") from None
        self.model.ir_version = max(self.model.ir_version, 10 if version >= 21 else 7)
        _name_nodes(self.model)
        self.index()

    def constant(self, value):
        """What a constant value holds, or None."""
        for _ in range(16):
            if value in self.overridable:
                return None
            if value in self.initializers:
                return numpy_helper.to_array(self.initializers[value])
            node = self.producers.get(value)
            if node is None:
                return None
            if node.op_type == "Constant":
                held = {a.name: a for a in node.attribute}
                return numpy_helper.to_array(held["value"].t) if "value" in held else np.array(helper.get_attribute_value(node.attribute[0]))
            if node.op_type != "Identity":
                return None
            value = node.input[0]
        return None

    def is_constant(self, value):
        return self.constant(value) is not None

    def fresh(self, name):
        """A name like `name` that nothing has, and is taken from now on."""
        return _fresh(name, self.names)

    def add_constant(self, name, array):
        """An initializer; returns its name."""
        return self._add_initializer(name, numpy_helper.from_array(np.asarray(array, order="C")))

    def add_raw_constant(self, name, elem_type, shape, data):
        return self._add_initializer(name, TensorProto(data_type=elem_type, dims=shape, raw_data=data))

    def _add_initializer(self, name, tensor):
        tensor.name = name = self.fresh(name)
        self.model.graph.initializer.append(tensor)
        # The model's own, not the one that it copied.
        self.initializers[name] = self.model.graph.initializer[-1]
        return name

    def add_output(self, value, elem_type=TensorProto.FLOAT):
        """Makes a value an output as well."""
        output = helper.make_empty_tensor_value_info(value)
        output.type.tensor_type.elem_type = elem_type
        self.model.graph.output.append(output)
        self.outputs.append(value)

    def remove_dead(self):
        """Constants, and nodes that make them, that nothing reads any more."""
        graph = self.model.graph
        while True:
            read = {value for node in graph.node for value in node.input} | self.inner | {value.name for value in graph.output}
            dead = [node for node in graph.node if node.op_type in ("Constant", "Identity") and not any(value in read for value in node.output)]
            if not dead:
                break
            for node in dead:
                graph.node.remove(node)
        listed = {value.name for value in graph.input}
        for tensor in [t for t in graph.initializer if t.name not in read and t.name not in listed]:
            graph.initializer.remove(tensor)
        self.index()

    def sort(self):
        """Puts every node behind those it reads from. Where all are, their order stays."""
        made = {value.name for value in self.model.graph.input} | {tensor.name for tensor in self.model.graph.initializer}
        made |= {tensor.values.name for tensor in self.model.graph.sparse_initializer} | {""}
        inside = {value for node in self.nodes for value in node.output}
        waiting, placed = list(self.nodes), []
        while waiting:
            left = []
            for node in waiting:
                reads = set(node.input)
                for body in _bodies(node):
                    reads |= _reads(body) & inside
                if reads <= made:
                    placed.append(node)
                    made.update(node.output)
                else:
                    left.append(node)
            if len(left) == len(waiting):
                raise QuantizationError(f"{self.name}: node '{left[0].name}' ({left[0].op_type}) reads a value that no node makes before it")
            waiting = left
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in placed]
        del self.model.graph.node[:]
        self.model.graph.node.extend(copies)
        self.index()

    def serialized(self):
        try:
            return self.model.SerializeToString(deterministic=True)
        except ValueError:
            raise QuantizationError(f"{self.name}: models above 2 GB are not supported") from None


def _bodies(node):
    """The graphs inside of a node."""
    return [body for attribute in node.attribute for body in (attribute.g, *attribute.graphs)]


def _reads(body):
    """The values that a body reads or gives, its own as well as those from outside."""
    reads = {value.name for value in body.output}
    for node in body.node:
        reads.update(node.input)
        for nested in _bodies(node):
            reads |= _reads(nested)
    return reads


def _name_nodes(model):
    """Gives a name to each node without one."""
    taken = {node.name for node in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = _fresh(f"{node.op_type}_{number}", taken)


def _fresh(name, taken):
    unique, number = name, 1
    while unique in taken:
        unique, number = f"{name}.{number}", number + 1
    taken.add(unique)
    return unique


def _read(model):
    if isinstance(model, (bytes, bytearray, memoryview)):
        name, data, folder = "the model", bytes(model), None
    else:
        path = os.fsdecode(model)
        name, folder = path, os.path.dirname(os.path.abspath(path))
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise QuantizationError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        proto = onnx.ModelProto.FromString(data)
    except Exception:  # protobuf's, of whichever implementation
        raise QuantizationError(f"{name}: not an ONNX model") from None
    if folder is not None:
        try:
            onnx.load_external_data_for_model(proto, folder)
        except Exception as error:
            raise QuantizationError(f"{name}: its external data cannot be read: {error}") from None
    return name, proto


def write_file(path, data):
    """Writes a file as a whole or not at all; an OSError names `path`."""
    try:
        _replace_file(os.path.realpath(path), data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _replace_file(path, data):
    handle, beside = tempfile.mkstemp(prefix=".hone-", suffix=".tmp", dir=os.path.dirname(path))
    try:
        mask = os.umask(0)
        os.umask(mask)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
