# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Smoothing: channels of activations that are much larger than others are divided by a factor that the weights take over."""
import numpy as np
from onnx import helper

# A positive factor in front of them is one behind them.
HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "Identity")


def smooth(graph, layers, statistics, strength):
    """A copy of the graph that computes the same. The factor of a channel is its largest activation to the power of `strength`
    by its largest weight to the power of 1 - `strength`; layers with the same input share it. What makes the activation is
    divided by it: a normalization, a layer, or, in front of a matrix product, another node."""
    made = graph.copy()
    nodes = {node.name: node for node in made.nodes}
    every = {layer.output: layer for layer in layers}
    by_input, added = {}, []
    for layer in layers:
        by_input.setdefault(layer.input, []).append(layer)
    for value, readers in by_input.items():
        weights = [_by_input_channel(made.constant(nodes[layer.node].input[1]), layer) for layer in readers]
        if any(weight is None for weight in weights):
            continue
        factor = _factors(statistics[value], weights, strength)
        if factor is None:
            continue
        smoothed = value
        if not _divide(made, every, value, {layer.node for layer in readers}, factor):
            if any(layer.channel_axis != -1 for layer in readers):
                continue
            smoothed = made.fresh(f"{value}_smoothed")
            added.append(helper.make_node("Mul", [value, made.add_constant(f"{value}_smoothing", 1 / factor)], [smoothed], name=made.fresh(f"{value}_Smoothing")))
        for layer in readers:
            node = nodes[layer.node]
            scaled = _scaled(made.constant(node.input[1]), layer, factor)
            node.input[0] = smoothed
            _replace(made, node, 1, scaled)
    made.nodes.extend(added)
    made.remove_dead()
    made.sort()
    return made


def _factors(held, weights, strength):
    """One factor for each channel, or None if there is nothing to move."""
    largest = np.maximum(np.abs(held.channel_low), np.abs(held.channel_high))
    heaviest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
    usable = (largest > 0) & (heaviest > 0)
    if not usable.any():
        return None
    factor = np.ones(len(largest))
    factor[usable] = largest[usable] ** strength / heaviest[usable] ** (1 - strength)
    # What all channels have in common changes nothing.
    factor[usable] /= np.exp(np.mean(np.log(factor[usable])))
    return np.clip(factor, 2.0**-10, 2.0**10).astype(np.float32)


def _by_input_channel(weight, layer):
    """A weight as [input channels, rest]; None if it is of no such form."""
    if layer.op == "Conv" and layer.group == weight.shape[0] and weight.shape[1] == 1:
        return weight.reshape(weight.shape[0], -1)
    if layer.group != 1 or layer.op == "MatMul" and weight.ndim > 2:
        return None
    return np.moveaxis(weight, layer.in_axis, 0).reshape(weight.shape[layer.in_axis], -1)


def _scaled(weight, layer, factor):
    axis = layer.in_axis if layer.group == 1 else 0
    return weight * factor.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])


def _replace(made, node, index, array):
    node.input[index] = made.add_constant(f"{node.input[index]}_smoothed", array.astype(np.float32))


def _divide(made, every, value, readers, factor):
    """Whether what makes a value could be divided by the factors: nothing else reads it, and each reader once."""
    allowed = readers
    while True:
        node = made.producers.get(value)
        others = any(reader.name not in allowed or list(reader.input).count(value) > 1 for reader in made.consumers.get(value, []))
        if node is None or others or value in made.outputs or value in made.inner:
            return False
        if node.op_type not in HOMOGENEOUS or len(node.output) > 1:
            break
        allowed, value = {node.name}, node.input[0]
    if node.op_type == "LayerNormalization":
        parameters = [made.constant(name) for name in node.input[1:3]]
        if any(parameter is None or parameter.shape != factor.shape for parameter in parameters):
            return False
        for index, parameter in enumerate(parameters, 1):
            _replace(made, node, index, parameter / factor)
        return True
    layer = every.get(value)
    if layer is None or not layer.plain or layer.op == "MatMul" or len(factor) != made.constant(node.input[1]).shape[layer.out_axis]:
        return False
    weight = made.constant(node.input[1])
    _replace(made, node, 1, weight / layer.per_channel(factor, weight.ndim))
    if len(node.input) > 2 and node.input[2]:
        bias = made.constant(node.input[2])
        _replace(made, node, 2, bias / factor.reshape(bias.shape))
    return True
