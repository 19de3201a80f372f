# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Merges several models into one, compiled by one process, with shared kernels made once."""
import collections

import onnx
from onnx import AttributeProto


def key_of(model):
    """Models with equal keys can be merged; None for those that stay separate: functions and training would have to be renamed as well."""
    if model.functions or model.training_info or model.ir_version < 4:
        return None
    return tuple(sorted((entry.domain or "ai.onnx", entry.version) for entry in model.opset_import))


def _rename_type(value_type, prefix):
    kind = value_type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        for dim in getattr(value_type, kind).shape.dim:
            if dim.dim_param:
                dim.dim_param = prefix + dim.dim_param
    elif kind in ("sequence_type", "optional_type"):
        _rename_type(getattr(value_type, kind).elem_type, prefix)


def _rename(graph, prefix):
    """Puts `prefix` before every name, in bodies too: one scope stays one."""
    for value in [*graph.input, *graph.output, *graph.value_info]:
        value.name = prefix + value.name
        _rename_type(value.type, prefix)
    for tensor in graph.initializer:
        tensor.name = prefix + tensor.name
    for tensor in graph.sparse_initializer:
        tensor.values.name = prefix + tensor.values.name
    for node in graph.node:
        if node.name:
            node.name = prefix + node.name
        for names in (node.input, node.output):
            names[:] = [prefix + name if name else name for name in names]
        for attribute in node.attribute:
            bodies = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
            for body in bodies:
                _rename(body, prefix)


def prefix_of(i):
    return f"case{i}/"


def merged(models):
    """One model of models of one key; the names of number i begin with prefix_of(i)."""
    result = onnx.ModelProto(ir_version=max(model.ir_version for model in models))
    result.opset_import.extend(models[0].opset_import)
    result.graph.name = "cases"
    for i, model in enumerate(models):
        graph = onnx.GraphProto()
        graph.CopyFrom(model.graph)
        _rename(graph, prefix_of(i))
        for field in ("input", "output", "initializer", "sparse_initializer", "node", "value_info"):
            getattr(result.graph, field).extend(getattr(graph, field))
    return result


def split(items, keys, size):
    """Lists of up to `size` items of one key each, in order; an item without a key is a list of its own."""
    groups, by_key = [], collections.defaultdict(list)
    for item, key in zip(items, keys):
        if key is None:
            groups.append([item])
            continue
        by_key[key].append(item)
    for same in by_key.values():
        groups += [same[i : i + size] for i in range(0, len(same), size)]
    return groups
