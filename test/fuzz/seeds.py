# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The models that are mutated, and what their nodes say about operators."""
import collections
import glob
import os
import pathlib
import sys
import warnings

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from models import read_cases  # noqa: E402

# A larger one costs as much as a hundred others and has the same nodes.
LARGEST = 1 << 17


def load():
    """The serialized models, always in the same order: ONNX's backend cases and, where the
    variable HONE_TEST_MODELS is set, the models that lie there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        np.random.seed(0)
        found = {case.name: case.model.SerializeToString() for case in collect_testcases(None)}
    paths = glob.glob(os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/*/*/model.onnx"))
    root = os.environ.get("HONE_TEST_MODELS")
    if root:
        paths += [case["path"] + "/model.onnx" for case in read_cases(pathlib.Path(root))]
        paths += glob.glob(os.path.join(root, "**/*.onnx"), recursive=True)
    for path in sorted(set(os.path.realpath(p) for p in paths)):
        if os.path.exists(path) and os.path.getsize(path) <= LARGEST:
            found[path] = pathlib.Path(path).read_bytes()
    return [found[name] for name in sorted(found)]


class Operator:
    """Examples of nodes of one operator."""

    def __init__(self, domain, name):
        self.domain, self.name = domain, name
        self.inputs, self.outputs = {1}, {1}
        self.attributes = {}  # name to examples


def graphs_of(model):
    """All graphs of a model, bodies too, and functions."""
    found, waiting = [], [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        found.append(graph)
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs
    return found


def learn(models):
    """Operators by (domain, name), from ONNX's schemas and the nodes of the models."""
    operators = {}
    for schema in onnx.defs.get_all_schemas():
        operator = operators.setdefault((schema.domain, schema.name), Operator(schema.domain, schema.name))
        operator.inputs = set(range(schema.min_input, min(schema.max_input, schema.min_input + 9) + 1)) or {0}
        operator.outputs = set(range(schema.min_output, min(schema.max_output, schema.min_output + 3) + 1)) or {1}
        for name, attribute in schema.attributes.items():
            operator.attributes.setdefault(name, []).append(onnx.AttributeProto(name=name, type=int(attribute.type.value), i=1, f=1, s=b"a"))
    examples = collections.Counter()
    for data in models:
        model = onnx.ModelProto.FromString(data) if readable(data) else onnx.ModelProto()
        for graph in graphs_of(model):
            for node in graph.node:
                key = (node.domain, node.op_type)
                operator = operators.setdefault(key, Operator(*key))
                operator.inputs.add(len(node.input))
                operator.outputs.add(len(node.output))
                for attribute in node.attribute:
                    if examples[key + (attribute.name,)] < 20:
                        examples[key + (attribute.name,)] += 1
                        operator.attributes.setdefault(attribute.name, []).append(attribute)
    return [operators[key] for key in sorted(operators)]


def readable(data):
    try:
        onnx.ModelProto.FromString(data)
        return True
    except Exception:  # noqa: BLE001: protobuf's errors have no common base
        return False
