# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rewrites in float that show more of the model: functions are inlined, and normalizations with constants become part of the
convolution that they follow."""
import numpy as np
from onnx import inliner

from .graph import Graph
from .layers import attributes_of


def prepare(graph):
    if graph.model.functions:
        graph = Graph.load(inliner.inline_local_functions(graph.model), graph.name)
    _fold_normalizations(graph)
    return graph


def _fold_normalizations(graph):
    folded = []
    for node in graph.nodes:
        if node.op_type == "BatchNormalization" and node.domain in ("", "ai.onnx") and len([value for value in node.output if value]) == 1:
            source = graph.producers.get(node.input[0])
            if source is not None and source.op_type in ("Conv", "ConvTranspose") and _fold(graph, source, node):
                folded.append(node)
    for node in folded:
        graph.nodes.remove(node)
    graph.remove_dead()


def _fold(graph, source, node):
    """Whether a normalization became part of a convolution, whose output takes its name."""
    made = source.output[0]
    if len(graph.consumers[made]) != 1 or made in graph.outputs or made in graph.inner:
        return False
    held = attributes_of(source)
    axis = 0 if source.op_type == "Conv" else 1
    weight = graph.constant(source.input[1])
    bias = graph.constant(source.input[2]) if len(source.input) > 2 and source.input[2] else 0
    parameters = [graph.constant(value) for value in node.input[1:5]]
    if weight is None or bias is None or any(parameter is None for parameter in parameters) or weight.dtype != np.float32 or axis and held.get("group", 1) != 1:
        return False
    scale, shift, mean, variance = (parameter.astype(np.float64) for parameter in parameters)
    if len(scale) != weight.shape[axis]:
        return False
    factor = scale / np.sqrt(variance + attributes_of(node).get("epsilon", 1e-5))
    shape = [-1 if each == axis else 1 for each in range(weight.ndim)]
    folded = (weight * factor.reshape(shape)).astype(np.float32)
    shifted = ((bias - mean) * factor + shift).astype(np.float32)
    if not (np.isfinite(folded).all() and np.isfinite(shifted).all()):
        return False
    source.input[1] = graph.add_constant(f"{source.input[1]}_folded", folded)
    constant = graph.add_constant(f"{node.input[2]}_folded", shifted)
    del source.input[2:]
    source.input.append(constant)
    source.output[0] = node.output[0]
    return True
