# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a recipe into the graph, as standard QuantizeLinear and DequantizeLinear nodes."""
import dataclasses

import numpy as np
from onnx import TensorProto, helper

from .weights import QuantizedWeight


@dataclasses.dataclass
class Recipe:
    """How values become bytes, weights integers, and what biases become."""

    bytes: dict
    weights: dict[str, QuantizedWeight]
    biases: dict


def bias_scale(layer, quantized, how):
    """The scale of a bias in 32 bits, for each channel; None where it stays in float."""
    if not layer.plain or layer.op == "MatMul" or how is None or quantized.zero is not None or quantized.group_size:
        return None
    scale = np.float32(how.scale) * quantized.scale
    return np.broadcast_to(scale, quantized.codes.shape[layer.out_axis]).astype(np.float32)


def rounded_bias(layer, quantized, how, bias):
    """A bias as the written model has it, in float."""
    scale = bias_scale(layer, quantized, how)
    return bias if scale is None else (_bias_codes(bias, scale) * scale.astype(np.float64)).astype(np.float32).reshape(bias.shape)


def _bias_codes(bias, scale):
    return np.clip(np.rint(bias.reshape(-1).astype(np.float64) / scale), -(2.0**31) + 1, 2.0**31 - 1).astype(np.int32)


def least_opset(weight_bits):
    """Scales for each channel came with opset 13, groups and 4 bits with 21."""
    return 21 if weight_bits else 13


def write(graph, plan, recipe):
    """A copy of the graph with the plan's layers quantized."""
    made = graph.copy()
    nodes = {node.name: node for node in made.nodes}
    added = []
    for value, readers in plan.readers.items():
        how = recipe.bytes[value]
        scale = made.add_constant(f"{value}_scale", np.float32(how.scale))
        zero = made.add_constant(f"{value}_zero_point", np.array(how.zero, np.int8 if how.low < 0 else np.uint8))
        code, back = made.fresh(f"{value}_quantized"), made.fresh(f"{value}_dequantized")
        source, unneeded = _behind_clips(graph, value, readers, how)
        for name in unneeded:
            made.nodes.remove(nodes[name])
        added.append(helper.make_node("QuantizeLinear", [source, scale, zero], [code], name=made.fresh(f"{value}_QuantizeLinear")))
        added.append(helper.make_node("DequantizeLinear", [code, scale, zero], [back], name=made.fresh(f"{value}_DequantizeLinear")))
        for name, index in readers:
            nodes[name].input[index] = back
    for layer in plan.layers:
        quantized = recipe.weights[layer.node]
        node = nodes[layer.node]
        node.input[1] = _write_weight(made, layer, quantized, added)
        if layer.node in recipe.biases:
            _write_bias(made, layer, nodes, quantized, recipe, added)
    made.nodes.extend(added)
    made.remove_dead()
    made.sort()
    return made


def _behind_clips(graph, value, readers, how):
    """The value that bytes are made from, and nodes that are superfluous: bytes that end where a Clip or Relu does need none, and
    other engines then see the product behind it."""
    unneeded, left = [], set(readers)
    while True:
        node = graph.producers.get(value)
        if node is None or node.op_type not in ("Relu", "Clip") or value in graph.outputs or value in graph.inner:
            return value, unneeded
        reads = {(reader.name, index) for reader in graph.consumers[value] for index, name in enumerate(reader.input) if name == value}
        low, high = clip_bounds(graph, node)
        # Half a step beyond the bound still rounds to it.
        if reads != left or low is None or (how.low - how.zero + 0.5) * how.scale < low or (how.high - how.zero - 0.5) * how.scale > high:
            return value, unneeded
        unneeded.append(node.name)
        value, left = node.input[0], {(node.name, 0)}


def clip_bounds(graph, node):
    """What a Relu or Clip bounds its values by; (None, None) if only a run tells."""
    if node.op_type == "Relu":
        return 0.0, float("inf")
    bounds = [-float("inf"), float("inf")]
    for number, name in enumerate(node.input[1:3]):
        if name:
            bound = graph.constant(name)
            if bound is None or bound.size != 1:
                return None, None
            bounds[number] = float(bound.reshape(()))
    for attribute in node.attribute:  # Up to opset 10.
        bounds["min max".split().index(attribute.name)] = attribute.f
    return tuple(bounds)


def _write_weight(made, layer, quantized, added):
    name = layer.weight
    scale = made.add_constant(f"{name}_scale", quantized.scale)
    inputs = [_constant(made, f"{name}_quantized", quantized.codes, quantized.bits), scale]
    if quantized.zero is not None:
        inputs.append(_constant(made, f"{name}_zero_point", quantized.zero, quantized.bits))
    elif quantized.bits == 8:
        # Some engines ask for one.
        inputs.append(made.add_constant(f"{name}_zero_point", np.zeros(quantized.scale.shape, np.int8)))
    attributes = {} if quantized.axis is None else dict(axis=quantized.axis)
    if quantized.group_size:
        attributes["block_size"] = quantized.group_size
    back = made.fresh(f"{name}_dequantized")
    added.append(helper.make_node("DequantizeLinear", inputs, [back], name=made.fresh(f"{name}_DequantizeLinear"), **attributes))
    return back


def _constant(made, name, codes, bits):
    if bits == 8:
        return made.add_constant(name, codes)
    flat = codes.reshape(-1).view(np.uint8) & 15
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8)).reshape(-1, 2)
    packed = (flat[:, 0] | flat[:, 1] << 4).astype(np.uint8)
    return made.add_raw_constant(name, TensorProto.INT4 if codes.dtype == np.int8 else TensorProto.UINT4, codes.shape, packed.tobytes())


def _write_bias(made, layer, nodes, quantized, recipe, added):
    bias = recipe.biases[layer.node]
    scale = bias_scale(layer, quantized, recipe.bytes.get(layer.input))
    name = layer.bias or f"{layer.node}_bias"
    if scale is None:
        held = made.add_constant(f"{name}_corrected", bias)
    else:
        one = quantized.scale.ndim == 0
        codes = made.add_constant(f"{name}_quantized", _bias_codes(bias, scale).reshape(-1))
        factor = made.add_constant(f"{name}_scale", scale[0] if one else scale)
        held = made.fresh(f"{name}_dequantized")
        attributes = {} if one else dict(axis=0)
        added.append(helper.make_node("DequantizeLinear", [codes, factor], [held], name=made.fresh(f"{name}_DequantizeLinear"), **attributes))
    if layer.bias_node:
        nodes[layer.bias_node].input[layer.bias_index] = held
        return
    node = nodes[layer.node]
    while len(node.input) < 3:
        node.input.append("")
    node.input[2] = held
