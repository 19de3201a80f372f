# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be quantized: layers, which are products with constant weights, and the values between them that become bytes."""
import dataclasses

import numpy as np
from onnx import helper


@dataclasses.dataclass(frozen=True)
class Layer:
    """A product with a constant weight. Axes are the weight's; a bias is the input `bias_index` of the node `bias_node`."""

    node: str
    op: str
    input: str
    weight: str
    output: str
    out_axis: int
    in_axis: int
    group: int = 1
    channel_axis: int = 1  # The input's.
    bias_node: str = ""
    bias_index: int = -1
    bias: str = ""
    plain: bool = True  # Neither factors nor a bias that is not one number for each channel.

    def channels_first(self, weight):
        """The weight as [output channels, rest]."""
        return np.moveaxis(weight, self.out_axis, 0).reshape(weight.shape[self.out_axis], -1)

    def per_channel(self, vector, rank):
        """A vector of output channels, so that it broadcasts to the weight."""
        return vector.reshape([-1 if axis == self.out_axis else 1 for axis in range(rank)])


def attributes_of(node):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def find_layers(graph):
    """The model's layers, in its order."""
    layers = []
    for node in graph.nodes:
        if node.domain not in ("", "ai.onnx") or node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        weight = graph.constant(node.input[1])
        if weight is None or weight.dtype != np.float32 or weight.ndim < 2 or weight.size == 0 or graph.is_constant(node.input[0]):
            continue
        held = attributes_of(node)
        layer = dict(node=node.name, op=node.op_type, input=node.input[0], weight=node.input[1], output=node.output[0])
        if node.op_type == "Conv":
            layer.update(out_axis=0, in_axis=1, group=held.get("group", 1))
        elif node.op_type == "ConvTranspose":
            if held.get("group", 1) != 1:
                continue
            layer.update(out_axis=1, in_axis=0)
        elif node.op_type == "Gemm":
            if held.get("transA", 0):
                continue
            layer.update(out_axis=1 - held.get("transB", 0), in_axis=held.get("transB", 0), channel_axis=-1)
            layer.update(plain=held.get("alpha", 1.0) == 1 and held.get("beta", 1.0) == 1)
        else:
            layer.update(out_axis=weight.ndim - 1, in_axis=weight.ndim - 2, channel_axis=-1)
        channels = weight.shape[layer["out_axis"]]
        if node.op_type == "MatMul":
            layer.update(_added_bias(graph, node, channels))
        elif len(node.input) > 2 and node.input[2]:
            bias = graph.constant(node.input[2])
            if _is_per_channel(bias, channels):
                layer.update(bias_node=node.name, bias_index=2, bias=node.input[2])
            else:
                layer.update(plain=False)
        layers.append(Layer(**layer))
    return layers


def _is_per_channel(bias, channels):
    """Whether a constant is one number for each channel, the last axis."""
    return bias is not None and bias.dtype == np.float32 and bias.size == channels and bias.shape[-1:] == (channels,)


def _added_bias(graph, node, channels):
    """The constant that the one reader of a MatMul adds."""
    readers = graph.consumers.get(node.output[0], [])
    if len(readers) != 1 or readers[0].op_type != "Add" or node.output[0] in graph.outputs or node.output[0] in graph.inner:
        return {}
    add = readers[0]
    for index in (0, 1):
        bias = graph.constant(add.input[index])
        if _is_per_channel(bias, channels):
            return dict(bias_node=add.name, bias_index=index, bias=add.input[index])
    return {}


# Move elements or drop some: what goes in has the scale of what comes out.
MOVEMENTS = {"Concat", "DepthToSpace", "Flatten", "Identity", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze"}
# Average many elements, each of which may be a byte.
AVERAGES = {"AveragePool", "GlobalAveragePool"}
# Elementwise, and monotone and cheap: part of what is in front of them.
CHEAP = {"Add", "Clip", "Div", "LeakyRelu", "Max", "Min", "Mul", "Neg", "PRelu", "Relu", "Sub"}
# Elementwise, and worth a table of 256 entries.
CURVES = {"Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Selu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu"}
# Inputs that say how, and are no data.
DATA_INPUTS = {"Clip": 1, "Reshape": 1, "Slice": 1, "Split": 1, "Squeeze": 1, "Unsqueeze": 1}


def data_inputs(node):
    return list(node.input)[: DATA_INPUTS.get(node.op_type, len(node.input))]


class Plan:
    """The values that become bytes when `layers` are quantized.

    `readers` are the (node, index of the input) that read the byte instead of the float, for each value; `group` maps
    each value to one that it shares the scale with, as those on both sides of a pooling do."""

    def __init__(self, graph, layers):
        self._graph = graph
        self.layers = list(layers)
        self.readers = {}
        self._outputs = {layer.output for layer in layers}
        self._byte = {}
        for layer in layers:
            self.readers.setdefault(layer.input, set()).add((layer.node, 0))
        waiting = list(self.readers)
        while waiting:
            value = waiting.pop()
            for source, reader in self._sources(value):
                if source not in self.readers:
                    self.readers[source] = set()
                    waiting.append(source)
                self.readers[source].add(reader)
        # What reads a byte to make another takes all its inputs as bytes that have become so later.
        for value in list(self.readers):
            for source, reader in self._reads(value):
                if source in self.readers:
                    self.readers[source].add(reader)
        order = {value: number for number, value in enumerate([*graph.inputs, *graph.producers])}
        numbers = {node.name: number for number, node in enumerate(graph.nodes)}
        self.readers = {value: sorted(self.readers[value], key=lambda reader: (numbers[reader[0]], reader[1])) for value in sorted(self.readers, key=order.__getitem__)}
        self._share()

    def _sources(self, value):
        """The values that a quantized value is computed from, where these can be bytes too, with their readers."""
        leaves = self._reads(value)
        return leaves if all(self._can_be_byte(source) for source, _ in leaves) else []

    def _reads(self, value):
        """The values that a quantized value is computed from by operators that can read bytes, with their readers."""
        node = self._graph.producers.get(value)
        if node is None:
            return []
        if node.op_type in MOVEMENTS | AVERAGES:
            return [(source, (node.name, index)) for index, source in enumerate(data_inputs(node)) if not self._graph.is_constant(source)]
        leaves, curved = self._region(value)
        # One value through cheap operators ends the layer or the sum that makes it, and stays inside.
        return leaves if curved or len({source for source, _ in leaves}) > 1 else []

    def _region(self, value):
        """What elementwise operators compute a value from, as (value, reader), and whether one of them is a curve."""
        leaves, curved, seen, waiting = [], False, set(), [(value, None)]
        while waiting:
            current, reader = waiting.pop()
            node = self._graph.producers.get(current)
            inside = node is not None and node.op_type in CHEAP | CURVES and (reader is None or current not in self.readers)
            if not inside or self._is_bias(node):
                if reader is not None and (current, reader) not in leaves:
                    leaves.append((current, reader))
                continue
            if current in seen:
                continue
            seen.add(current)
            curved |= node.op_type in CURVES
            waiting += [(source, (node.name, index)) for index, source in enumerate(data_inputs(node)) if source and not self._graph.is_constant(source)]
        return leaves, curved

    def _is_bias(self, node):
        """Whether a node adds the bias of a layer."""
        return any(layer.bias_node == node.name for layer in self.layers)

    def _can_be_byte(self, value):
        """Whether a layer makes a value, through operators that also work on bytes."""
        if value not in self._byte:
            self._byte[value] = False  # Graphs have no cycles.
            self._byte[value] = self._made_by_layer(value)
        return self._byte[value]

    def _made_by_layer(self, value):
        if value in self.readers or value in self._outputs:
            return True
        node = self._graph.producers.get(value)
        if node is None:
            return False
        if self._is_bias(node):
            return True
        if node.op_type not in MOVEMENTS | AVERAGES | CHEAP | CURVES:
            return False
        sources = [source for source in data_inputs(node) if source and not self._graph.is_constant(source)]
        return bool(sources) and all(self._can_be_byte(source) for source in sources)

    def _share(self):
        parents = {value: value for value in self.readers}

        def root(value):
            while parents[value] != value:
                value = parents[value]
            return value

        for node in self._graph.nodes:
            if node.op_type not in MOVEMENTS:
                continue
            taken = [value for index, value in enumerate(data_inputs(node)) if (node.name, index) in self.readers.get(value, ())]
            made = [value for value in node.output if value in parents]
            if taken and made:
                for value in taken + made:
                    parents[root(value)] = root(made[0])
        self.group = {value: root(value) for value in parents}
