# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Smoothing: channels of activations that are much larger than others are divided by a factor that the weights take over."""
import numpy as np
from onnx import helper



def smooth(graph, layers, statistics, strength):
    """A copy of the graph that computes the same. The factor of a channel is its largest activation to the power of `strength`
    by its largest weight to the power of 1 - `strength`; layers with the same input share it."""
    made = graph.copy()
    nodes = {node.name: node for node in made.nodes}
    by_input = {}
    for layer in layers:
        if layer.op in ("MatMul", "Gemm") and graph.constant(layer.weight).ndim == 2:
            by_input.setdefault(layer.input, []).append(layer)
    added = []
    for value, readers in by_input.items():
        held = statistics[value]
        largest = np.maximum(np.abs(held.channel_low), np.abs(held.channel_high))
        weights = [np.moveaxis(graph.constant(layer.weight), layer.in_axis, 0) for layer in readers]
        heaviest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
        usable = (largest > 0) & (heaviest > 0)
        if not usable.any():
            continue
        factor = np.ones(len(largest))
        factor[usable] = largest[usable] ** strength / heaviest[usable] ** (1 - strength)
        # What all channels have in common changes nothing.
        factor[usable] /= np.exp(np.mean(np.log(factor[usable])))
        factor = np.clip(factor, 2.0**-10, 2.0**10).astype(np.float32)
        smoothed = value
        if not _fold(made, nodes, value, readers, factor):
            smoothed = made.fresh(f"{value}_smoothed")
            added.append(helper.make_node("Mul", [value, made.add_constant(f"{value}_smoothing", 1 / factor)], [smoothed], name=made.fresh(f"{value}_Smoothing")))
        for layer in readers:
            weight = graph.constant(layer.weight)
            scaled = weight * factor.reshape([-1 if axis == layer.in_axis else 1 for axis in range(2)])
            node = nodes[layer.node]
            node.input[1] = made.add_constant(f"{layer.weight}_smoothed", scaled)
            node.input[0] = smoothed
    made.nodes.extend(added)
    made.remove_dead()
    made.sort()
    return made


def _fold(made, nodes, value, readers, factor):
    """Into the scale and bias of the normalization that makes the value, if nothing else reads it."""
    node = made.producers.get(value)
    names = {layer.node for layer in readers}
    if node is None or node.op_type != "LayerNormalization" or value in made.outputs or value in made.inner:
        return False
    if any(reader.name not in names for reader in made.consumers.get(value, [])):
        return False
    parameters = [made.constant(name) for name in node.input[1:3]]
    if any(parameter is None or parameter.shape != factor.shape for parameter in parameters):
        return False
    for index, parameter in enumerate(parameters, 1):
        node.input[index] = made.add_constant(f"{node.input[index]}_smoothed", (parameter / factor).astype(np.float32))
    return True
