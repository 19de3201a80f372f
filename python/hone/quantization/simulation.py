# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model with rounding where it would be quantized, each place with a switch.

Scales, switches and weights are inputs, so that one compilation serves every choice: which layers are quantized, how, and
with which ranges. Rounding and what is summed are those of the written model, up to the order of sums in f32."""
import numpy as np
from onnx import TensorProto, helper

import hone

from .observers import run


class Simulation:
    def __init__(self, graph, plan, samples, dims):
        self.layers = list(plan.layers)
        self._samples = samples
        copy = graph.copy()
        model = copy.model
        self.outputs = list(graph.outputs)
        values = list(plan.readers)
        switches = [(value, layer.node) for value in values for layer in plan.layers if layer.input == value]
        self._value_number = {value: number for number, value in enumerate(values)}
        self._layer_number = {layer: number for number, (_, layer) in enumerate(switches)}
        self._inputs = {name: copy.fresh(f"hone.{name}") for name in ("scale", "zero", "low", "high", "value_on", "layer_on")}
        if values:
            for name, held in self._inputs.items():
                is_switch = name.endswith("_on")
                model.graph.input.append(helper.make_tensor_value_info(held, TensorProto.BOOL if is_switch else TensorProto.FLOAT, [len(switches) if name == "layer_on" else len(values)]))
        by_name = {node.name: node for node in copy.nodes}
        added = []

        def node(op, inputs, name):
            made = copy.fresh(f"{name}.{op}")
            added.append(helper.make_node(op, inputs, [made], name=made))
            return made

        layers = {layer.node for layer in plan.layers}
        for value, readers in plan.readers.items():
            at = copy.add_constant("hone.at", np.int64(self._value_number[value]))
            scale, zero, low, high, on = (node("Gather", [self._inputs[name], at], value) for name in ("scale", "zero", "low", "high", "value_on"))
            code = node("Add", [node("Round", [node("Div", [value, scale], value)], value), zero], value)
            code = node("Min", [node("Max", [code, low], value), high], value)
            rounded = node("Mul", [node("Sub", [code, zero], value), scale], value)
            switched = None
            for name, index in readers:
                if name in layers:
                    of_layer = node("Gather", [self._inputs["layer_on"], copy.add_constant("hone.at", np.int64(self._layer_number[name]))], value)
                    by_name[name].input[index] = node("Where", [of_layer, rounded, value], value)
                else:
                    switched = switched or node("Where", [on, rounded, value], value)
                    by_name[name].input[index] = switched
        self._parameters = {}
        for layer in plan.layers:
            weight = copy.add_constant(f"{layer.node}.weight", graph.constant(layer.weight))
            by_name[layer.node].input[1] = weight
            bias = None
            if layer.bias:
                bias = copy.add_constant(f"{layer.node}.bias", graph.constant(layer.bias))
                by_name[layer.bias_node].input[layer.bias_index] = bias
            self._parameters[layer.node] = (weight, bias)
            if layer.output not in self.outputs:
                copy.add_output(layer.output)
        copy.nodes.extend(added)
        copy.remove_dead()
        copy.sort()
        overrides = [name for pair in self._parameters.values() for name in pair if name]
        self._model = hone.compile(copy.serialized(), dims=dims, overrides=overrides)

    def run(self, number, recipe=None, layers=(), values=()):
        """Outputs and results of layers of one sample; without a recipe as in float."""
        arrays, where = self._samples.runs[number]
        feeds = dict(arrays)
        count = len(self._value_number)
        if count:
            table = np.zeros((4, count), np.float32)
            table[0] = 1
            for value, at in self._value_number.items():
                if recipe and value in recipe.bytes:
                    how = recipe.bytes[value]
                    table[:, at] = how.scale, how.zero, how.low, how.high
            for name, row in zip(("scale", "zero", "low", "high"), table):
                feeds[self._inputs[name]] = np.ascontiguousarray(row)
            feeds[self._inputs["value_on"]] = np.array([value in values for value in self._value_number])
            feeds[self._inputs["layer_on"]] = np.array([layer in layers for layer in self._layer_number])
        for layer in layers:
            weight, bias = self._parameters[layer]
            feeds[weight] = recipe.weights[layer].values
            if bias and layer in recipe.biases:
                feeds[bias] = recipe.biases[layer]
        return run(self._model, feeds, where)


def signal_to_noise(signal, noise):
    """In dB, of sums of squares."""
    if noise <= 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else float("-inf")
