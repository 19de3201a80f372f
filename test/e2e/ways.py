# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One model in three ways that must give the same: as given, with every dimension of its inputs
free, and with its inputs made constants, which the compiler computes with.

The first is what models look like, the second makes shapes arithmetic of the run, and the third
gives the evaluator of constants the work of the kernels."""
import copy
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = ("given", "free", "folded")

# How many dimensions a tensor has is known at compile time. Inputs of operators whose last size says
# how many: they hold a size or an index for each dimension of the result, or for those it has more or
# less. Reductions without keepdims are among them.
RANKS = {
    "AffineGrid": [1], "Col2Im": [1, 2], "ConstantOfShape": [0], "Expand": [1], "GatherND": [1], "Reshape": [1], "Squeeze": [1],
    "Unsqueeze": [1],
}  # fmt: skip
# So is the window of a convolution, for which the code is made: by kernel_shape, else by the weights.
WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3, "CausalConvWithState": 1}
# Elements that share bytes have sizes that are known at compile time wherever they enter or leave a
# model: how many bytes they are does not follow from one dimension.
PACKED = {TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2, TensorProto.FLOAT4E2M1}

# Operations that are left to run time even if all operands are constants: computing them is the
# work of kernels and of the run-time library, and control flow in a map's body is not interpreted.
RUN_TIME = {
    "arg_reduce", "attention", "conv", "conv_transpose", "cumulate", "library", "matmul", "pool", "scatter", "top_k",
    "scf.for", "scf.if", "scf.while", "scf.index_switch",
}  # fmt: skip
# What it evaluates besides maps and reductions.
MOVEMENT = {"concat", "gather", "pad", "slice", "transpose"}


def _loosen(value_type, name):
    """Frees every dimension in a type; name() names those of a tensor, elements of sequences and
    optionals have any size."""
    kind = value_type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        for dim in getattr(value_type, kind).shape.dim:
            dim.Clear()
            if name:
                dim.dim_param = name()
    elif kind in ("sequence_type", "optional_type"):
        _loosen(getattr(value_type, kind).elem_type, None)


def _forget(value_type):
    kind = value_type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        getattr(value_type, kind).ClearField("shape")
    elif kind in ("sequence_type", "optional_type"):
        _forget(getattr(value_type, kind).elem_type)


def callers_inputs(graph):
    """The inputs without an initial value."""
    weights = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    return [v for v in graph.input if v.name not in weights]


def _known_dims(node, i, rank):
    """Indices of the dimensions of the node's input `i` that are known at compile time."""
    attributes = {a.name: a for a in node.attribute}
    if node.op_type.startswith("Reduce") and i == 1 and "keepdims" in attributes and attributes["keepdims"].i == 0:
        return {rank - 1}
    if i in RANKS.get(node.op_type, ()):
        return {rank - 1}
    if i == WEIGHTS.get(node.op_type) and "kernel_shape" not in attributes:
        # A depthwise operator has as many groups as channels, which are an attribute of the others.
        return set(range(2, rank)) | ({0} if node.op_type == "CausalConvWithState" else set())
    return set()


def with_free_dims(model):
    """Every dimension of an input has a name of its own, and the outputs' shapes are not told. What
    the language needs to know stays: see RANKS, WEIGHTS and PACKED."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    inputs = callers_inputs(result.graph)
    if any(v.type.tensor_type.elem_type in PACKED for v in [*inputs, *result.graph.output]):
        return result
    names = iter(f"free{i}" for i in range(1 << 20))
    for value in inputs:
        given = copy.deepcopy(value.type.tensor_type.shape.dim)
        _loosen(value.type, lambda: next(names))
        uses = ((node, i) for node in result.graph.node for i, name in enumerate(node.input) if name == value.name)
        for known in {d for node, i in uses for d in _known_dims(node, i, len(given))}:
            value.type.tensor_type.shape.dim[known].CopyFrom(given[known])
    for value in result.graph.output:
        _forget(value.type)
    return result


def _tensor(value, value_type, name):
    """An initial value of the declared type, whatever numpy calls it."""
    tensor = numpy_helper.from_array(np.asarray(value), name)
    declared = value_type.tensor_type.elem_type
    if tensor.data_type != declared:
        raise TypeError(f"a {TensorProto.DataType.Name(tensor.data_type)} was given for a {TensorProto.DataType.Name(declared)}")
    return tensor


def with_constants(model, inputs):
    """The inputs, {name: value}, as initial values. Sequences and optionals, of which there are no
    initial values, are made of some by nodes."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, nodes = result.graph, []

    def constant(value, value_type, name):
        kind = value_type.WhichOneof("value")
        if kind == "tensor_type":
            graph.initializer.append(_tensor(value, value_type, name))
        elif kind == "sequence_type":
            element = value_type.sequence_type.elem_type
            parts = [f"{name}_{i}" for i in range(len(value))]
            for part, part_name in zip(value, parts):
                constant(part, element, part_name)
            if parts:
                nodes.append(helper.make_node("SequenceConstruct", parts, [name]))
            else:
                nodes.append(helper.make_node("SequenceEmpty", [], [name], dtype=element.tensor_type.elem_type))
        elif kind == "optional_type":
            element = value_type.optional_type.elem_type
            if value is None:
                nodes.append(helper.make_node("Optional", [], [name], type=element))
            else:
                constant(value, element, f"{name}_value")
                nodes.append(helper.make_node("Optional", [f"{name}_value"], [name]))
        else:
            raise TypeError(f"no constant of {kind}")

    for value in callers_inputs(graph):
        if value.name in inputs:
            constant(inputs[value.name], value.type, value.name)
    kept = [value for value in graph.input if value.name not in inputs]
    del graph.input[:]
    graph.input.extend(kept)
    body = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + body)
    # Before version 4, initial values are inputs too.
    result.ir_version = max(result.ir_version, 4)
    return result


def _large(line):
    """Whether a line's result is one that hone-fold-constants does not make of smaller constants."""
    sizes = re.search(r"-> tensor<((?:\d+x)+)\D*(\d+)", line)
    return bool(sizes) and np.prod([int(n) for n in sizes[1].split("x")[:-1]]) * int(sizes[2]) // 8 > 1 << 20


def _operations(lines):
    """(results, name, operands, line) of the operations of a function's text."""
    for line in lines:
        found = re.match(r"\s*(?:([^=\"]*) = )?\"?([a-z_]+\.\w+)(.*)", line)
        if found:
            results, name, rest = found.groups()
            yield re.findall(r"%\w+", results or ""), name.removeprefix("hone."), re.findall(r"%\w+", rest), line.strip()


def _kernel_leaves(lines):
    """Of a function: the operations that are left to the run, all lines that move or compute, and those of them that read constants alone."""
    left, constants, others = set(), set(), []
    for results, name, operands, line in _operations(lines):
        # A map may read other tensors at computed places.
        if name == "tensor.extract" and others and operands[0] not in constants:
            others[-1][1] = False
        if name == "constant":
            constants.update(results)
        elif name in RUN_TIME:
            kind = re.search(r'hone.\w+"? "(\w+)"', line)
            left.add(f"{name}:{kind[1]}" if kind else name)
            if others and name.startswith("scf."):
                others[-1][1] = False
        elif name in MOVEMENT or name in ("map", "reduce"):
            others.append([line, set(operands) <= constants])
    return left, [line for line, _ in others], [line for line, of_constants in others if of_constants]


def left_by_evaluator(text):
    """What the text of a model of constants, after the graph phase, still computes: the names of
    the operations that are left to the run, and the lines of those that should not be: those that
    hang on no operation of the former kind."""
    main, *kernels = re.split(r"^ *func\.func ", text, flags=re.MULTILINE)[1:]
    leaves = {re.search(r"@(\w+)", kernel)[1]: _kernel_leaves(kernel.splitlines()[1:]) for kernel in kernels}
    left, amiss = set(), []
    for names, _, of_constants in leaves.values():
        left |= names
        amiss += of_constants
    known = set()  # values of the host that could be known
    for results, name, operands, line in _operations(main.splitlines()[1:]):
        known.difference_update(results)  # one region may use the names of another
        if name in RUN_TIME:
            kind = re.search(r'hone.library "(\w+)"', line)
            left.add(f"{name}:{kind[1]}" if kind else name)
        elif set(operands) <= known:
            names, others, _ = leaves[re.search(r"@(\w+)", line)[1]] if name == "hone_rt.call" else (set(), [], [])
            if not names:
                known.update(results)
                amiss += others
    # A model of large constants that are not materialized exhausts the evaluator's budget.
    return left, [] if any(map(_large, amiss)) else amiss
