# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutations of models: of their structure, of the fields of the file, of its bytes."""
import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, ValueInfoProto

from seeds import graphs_of, readable

SMALL = [0, 1, 1, 2, 2, 3, 4, 5, 7, 8, -1, -1, -2, -3, 10, 16, 17, 33, 100]
LARGE = [255, 1000, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1,
         -(1 << 31), -(1 << 31) - 1, -(1 << 40), -(1 << 62), -(1 << 63), -(1 << 63) + 1]
FLOATS = [0.0, 1.0, -1.0, 0.5, 2.0, 1e-6, 3.7, -0.25, 1e9, -1e9, 1e30, -1e38, float("inf"), float("-inf"), float("nan")]
TYPES = list(range(1, 24))
COMMON = [TensorProto.FLOAT] * 4 + [TensorProto.INT64] * 3 + [TensorProto.INT32, TensorProto.BOOL, TensorProto.DOUBLE, TensorProto.FLOAT16,
                                                            TensorProto.UINT8, TensorProto.INT8, TensorProto.STRING]
SHAPE_COUNTS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8]
BITS = {TensorProto.FLOAT: 32, TensorProto.DOUBLE: 64, TensorProto.INT64: 64, TensorProto.UINT64: 64, TensorProto.INT32: 32, TensorProto.UINT32: 32,
        TensorProto.INT16: 16, TensorProto.UINT16: 16, TensorProto.FLOAT16: 16, TensorProto.BFLOAT16: 16, TensorProto.INT8: 8, TensorProto.UINT8: 8,
        TensorProto.BOOL: 8, TensorProto.COMPLEX64: 64, TensorProto.COMPLEX128: 128}


class Mutator:
    """Makes cases; each depends only on its number and the seeds."""

    def __init__(self, models, operators):
        self.models, self.operators = models, operators
        self.structured = [m for m in models if readable(m)]

    def case(self, number):
        """The bytes of one mutated model."""
        self.rng = np.random.default_rng(number)
        kind = self.rng.random()
        data = self.pick(self.models)
        if kind < 0.08:
            for _ in range(self.few()):
                data = self.change_bytes(data)
            return data
        if kind < 0.2:
            for _ in range(self.few()):
                data = self.change_wire(data)
            return data
        return self.structure(onnx.ModelProto.FromString(self.pick(self.structured))).SerializeToString()

    def structure(self, model):
        if self.chance(0.25):
            model = self.single_node()
        for _ in range(self.few()):
            for _ in range(10):  # not every mutation applies to every model
                mutation, weight = self.pick(self.MUTATIONS)
                if self.chance(weight) and mutation(self, model) is not False:
                    break
        return model

    # ---- Choices

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability):
        return self.rng.random() < probability

    def few(self):
        return 1 if self.chance(0.5) else 1 + int(self.rng.geometric(0.5))

    def number(self):
        return self.pick(SMALL) if self.chance(0.8) else self.pick(LARGE)

    def size(self):
        return self.pick([0, 1, 1, 2, 3, 4, 5, 7, 8, 12, 16]) if self.chance(0.92) else self.pick(LARGE[:11])

    def element(self):
        return self.pick(COMMON) if self.chance(0.8) else self.pick(TYPES) if self.chance(0.95) else int(self.pick([0, 24, 99, -1]))

    def rank(self):
        return self.pick(SHAPE_COUNTS) if self.chance(0.97) else int(self.pick([9, 15, 16, 17, 21, 33, 64]))

    # ---- Types and tensors

    def set_shape(self, tensor, dims=None):
        """A random shape, or the given one, with some free dimensions."""
        tensor.ClearField("shape")
        if dims is None:
            if self.chance(0.03):
                return
            dims = [self.size() if self.chance(0.9) else None for _ in range(self.rank())]
        tensor.shape.SetInParent()
        for size in dims:
            dim = tensor.shape.dim.add()
            if size is None:
                dim.dim_param = self.pick(["n", "m", "k", "batch", "", "a b"])
            elif not self.chance(0.02):
                dim.dim_value = size

    def set_type(self, type_proto):
        """A random type: a tensor mostly."""
        type_proto.Clear()
        kind = self.rng.random()
        if kind < 0.8:
            type_proto.tensor_type.elem_type = self.element()
            self.set_shape(type_proto.tensor_type)
        elif kind < 0.9:
            self.set_type(type_proto.sequence_type.elem_type)
        elif kind < 0.97:
            self.set_type(type_proto.optional_type.elem_type)
        elif kind < 0.985:
            type_proto.map_type.key_type = TensorProto.INT64
            self.set_type(type_proto.map_type.value_type)
        elif kind < 0.995:
            type_proto.sparse_tensor_type.elem_type = TensorProto.FLOAT
            self.set_shape(type_proto.sparse_tensor_type)

    def fill(self, tensor, element, dims):
        """Makes a tensor of that type and shape with plausible values; large ones lack data."""
        name = tensor.name
        tensor.Clear()
        tensor.name, tensor.data_type = name, element
        tensor.dims.extend(dims)
        count = 1
        for size in dims:
            count *= max(size, 0)
        count = min(count, 4096)
        floats = self.chance(0.8)
        if element == TensorProto.STRING:
            tensor.string_data.extend(self.pick([b"", b"a", b"zz", b"\xff"]) for _ in range(count))
        elif element in (TensorProto.FLOAT, TensorProto.DOUBLE) and floats:
            tensor.raw_data = np.array([self.pick(FLOATS[:8]) for _ in range(count)], "<f4" if element == TensorProto.FLOAT else "<f8").tobytes()
        elif element in (TensorProto.INT64, TensorProto.INT32):
            values = [self.number() if self.chance(0.3) else self.pick(SMALL[:8]) for _ in range(count)]
            tensor.raw_data = np.array(values, np.int64).astype("<i8" if element == TensorProto.INT64 else "<i4").tobytes()
        else:
            tensor.raw_data = self.rng.integers(0, 4, count * BITS.get(element, 8) // 8, np.uint8).tobytes()

    def tensor(self, name=""):
        tensor = TensorProto(name=name)
        self.fill(tensor, self.element(), [self.size() for _ in range(self.rank())])
        return tensor

    def attribute(self, name):
        """An attribute of any kind."""
        attribute = AttributeProto(name=name)
        kind = self.pick("iiifsItFSTgG")
        if kind == "i":
            attribute.type, attribute.i = AttributeProto.INT, self.number()
        elif kind == "f":
            attribute.type, attribute.f = AttributeProto.FLOAT, self.pick(FLOATS)
        elif kind == "s":
            attribute.type, attribute.s = AttributeProto.STRING, self.pick([b"", b"a", b"linear", b"SAME_UPPER", b"reflect", b"\xff"])
        elif kind == "I":
            attribute.type = AttributeProto.INTS
            attribute.ints.extend(self.number() for _ in range(self.rank()))
        elif kind == "F":
            attribute.type = AttributeProto.FLOATS
            attribute.floats.extend(self.pick(FLOATS) for _ in range(self.rank()))
        elif kind == "S":
            attribute.type = AttributeProto.STRINGS
            attribute.strings.extend(self.pick([b"", b"a", b"b"]) for _ in range(self.rank()))
        elif kind == "t":
            attribute.type = AttributeProto.TENSOR
            attribute.t.CopyFrom(self.tensor())
        elif kind == "T":
            attribute.type = AttributeProto.TENSORS
            attribute.tensors.append(self.tensor())
        elif kind == "g":
            attribute.type = AttributeProto.GRAPH
            attribute.g.CopyFrom(self.body())
        else:
            attribute.type = AttributeProto.GRAPHS
        return attribute

    def body(self):
        """A graph for a body: one of another model."""
        donor = onnx.ModelProto.FromString(self.pick(self.structured))
        graphs = [g for g in graphs_of(donor) if isinstance(g, onnx.GraphProto)]
        return self.pick(graphs)

    def change_attribute(self, attribute):
        kind = self.rng.random()
        if attribute.HasField("t") and kind < 0.7:
            self.change_tensor(attribute.t)
        elif attribute.ints and kind < 0.8:
            self.change_list(attribute.ints, self.number)
        elif attribute.floats and kind < 0.8:
            self.change_list(attribute.floats, lambda: self.pick(FLOATS))
        elif attribute.strings and kind < 0.8:
            self.change_list(attribute.strings, lambda: self.pick([b"", b"a", b"zz"]))
        elif attribute.type == AttributeProto.INT and kind < 0.8:
            attribute.i = self.number() if self.chance(0.7) else attribute.i + self.pick([-1, 1]) * self.pick([1, 2, 5]) if abs(attribute.i) < 1 << 40 else 0
        elif attribute.type == AttributeProto.FLOAT and kind < 0.8:
            attribute.f = self.pick(FLOATS)
        elif attribute.type == AttributeProto.STRING and kind < 0.8:
            operator = self.pick(self.operators)
            examples = operator.attributes.get(attribute.name, [])
            attribute.s = self.pick(examples).s if examples else self.pick([b"", b"zz", b"VALID", b"cubic", b"edge"])
        elif kind < 0.95:
            attribute.CopyFrom(self.attribute(attribute.name))
        else:
            attribute.type = int(self.rng.integers(0, 15))

    def change_list(self, values, make):
        kind = self.rng.random()
        if kind < 0.6:
            values[int(self.rng.integers(len(values)))] = make()
        elif kind < 0.75:
            values.append(make())
        elif kind < 0.9:
            del values[int(self.rng.integers(len(values)))]
        elif kind < 0.95:
            del values[:]
        else:
            values.extend([make()] * int(self.pick([10, 30, 100])))

    def change_tensor(self, tensor):
        kind = self.rng.random()
        dims = list(tensor.dims)
        count = 1
        for size in dims:
            count *= size
        if kind < 0.15:
            tensor.data_type = self.element()
        elif kind < 0.3:
            if dims and self.chance(0.7):
                tensor.dims[int(self.rng.integers(len(dims)))] = self.size() if self.chance(0.8) else self.number()
            else:
                tensor.dims.append(self.size())
        elif kind < 0.4 and dims:
            del tensor.dims[int(self.rng.integers(len(dims)))]
        elif kind < 0.45:
            tensor.raw_data = tensor.raw_data[:-1] if self.chance(0.5) else tensor.raw_data + b"\0"
        elif kind < 0.5:
            tensor.data_location = TensorProto.EXTERNAL
            for key in ("location", "offset", "length"):
                if self.chance(0.7):
                    tensor.external_data.add(key=key, value=self.pick(["0", "8", "-1", "99999999999999999999", "../x", "/etc/passwd", "data"]))
        elif kind < 0.75 and 0 <= count < 4096:
            self.fill(tensor, tensor.data_type if self.chance(0.8) else self.element(), dims)
        elif kind < 0.85:
            self.fill(tensor, tensor.data_type, [count] if self.chance(0.5) and 0 <= count < 1 << 62 else [self.size() for _ in range(self.rank())])
        else:
            self.fill(tensor, self.element(), [self.size() for _ in range(self.rank())])

    # ---- The parts of a model

    def any_graph(self, model):
        return self.pick(graphs_of(model))

    def any_node(self, model):
        graph = self.any_graph(model)
        return self.pick(graph.node) if graph.node else None

    def names(self, model):
        """The names of all values of the model's graphs."""
        found = [""]
        for graph in graphs_of(model):
            if isinstance(graph, onnx.GraphProto):
                found += [v.name for v in graph.input] + [t.name for t in graph.initializer]
            else:
                found += graph.input
            for node in graph.node:
                found += node.output
        return found

    def single_node(self):
        """A model of one node of any operator, with inputs of random types."""
        model = onnx.ModelProto(ir_version=10)
        operator = self.pick(self.operators)
        model.opset_import.add(domain="", version=int(self.rng.integers(7, 29)))
        if operator.domain:
            model.opset_import.add(domain=operator.domain, version=self.pick([1, 1, 1, 2, 3, 4, 5]))
        graph = model.graph
        graph.name = "g"
        node = graph.node.add(op_type=operator.name, domain=operator.domain)
        count = self.pick(sorted(operator.inputs))
        # Inputs mostly agree, as they would in a model that nearly fits.
        element, dims = self.element(), [self.size() if self.chance(0.9) else None for _ in range(self.rank())]
        for i in range(count):
            if self.chance(0.08):
                node.input.append("")
                continue
            name = f"x{i}"
            node.input.append(name)
            if self.chance(0.3):
                tensor = graph.initializer.add(name=name)
                self.fill(tensor, self.pick([element, TensorProto.INT64, self.element()]),
                          [d or 1 for d in dims] if self.chance(0.4) else [self.size() for _ in range(self.pick([0, 1, 1, 1, 2, 3]))])
                continue
            value = graph.input.add(name=name)
            if self.chance(0.12):
                self.set_type(value.type)
                continue
            value.type.tensor_type.elem_type = element if self.chance(0.7) else self.element()
            self.set_shape(value.type.tensor_type, dims if self.chance(0.6) else None)
        for i in range(self.pick(sorted(operator.outputs))):
            node.output.append(f"y{i}")
            graph.output.add(name=f"y{i}").type.tensor_type.SetInParent()
        for name, examples in sorted(operator.attributes.items()):
            if self.chance(0.5):
                node.attribute.append(self.pick(examples))
                if self.chance(0.4):
                    self.change_attribute(node.attribute[-1])
        return model

    # ---- Mutations: each returns False if it does not apply to the model

    def input_type(self, model):
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto) or not graph.input:
            return False
        value = self.pick(graph.input)
        tensor = value.type.tensor_type
        kind = self.rng.random()
        if kind < 0.25:
            tensor.elem_type = self.element()
        elif kind < 0.35:
            self.set_type(value.type)
        elif kind < 0.45:
            self.set_shape(tensor)
        elif kind < 0.6 or not tensor.shape.dim:
            dim = tensor.shape.dim.add()
            dim.dim_value = self.size()
            if self.chance(0.1):
                for _ in range(int(self.pick([12, 15, 20, 60]))):
                    tensor.shape.dim.add().dim_value = 1
        elif kind < 0.7:
            del tensor.shape.dim[int(self.rng.integers(len(tensor.shape.dim)))]
        elif kind < 0.85:
            self.pick(tensor.shape.dim).dim_value = self.size() if self.chance(0.9) else self.number()
        else:
            for dim in tensor.shape.dim:
                if self.chance(0.7):
                    dim.dim_param = self.pick(["n", "m", "k", dim.dim_param])

    def input_count(self, model):
        graph = self.any_graph(model)
        if isinstance(graph, onnx.FunctionProto):
            self.change_list(graph.input, lambda: self.pick(["x", "y", ""])) if graph.input else graph.input.append("x")
        elif graph.input and self.chance(0.5):
            del graph.input[int(self.rng.integers(len(graph.input)))]
        else:
            value = graph.input.add(name=self.pick(self.names(model)))
            self.set_type(value.type)

    def output(self, model):
        graph = self.any_graph(model)
        kind = self.rng.random()
        if isinstance(graph, onnx.FunctionProto):
            if kind < 0.5 and graph.output:
                del graph.output[int(self.rng.integers(len(graph.output)))]
            else:
                graph.output.append(self.pick(self.names(model)))
        elif kind < 0.4 or not graph.output:
            value = graph.output.add(name=self.pick(self.names(model)))
            if self.chance(0.5):
                self.set_type(value.type)
        elif kind < 0.6:
            del graph.output[int(self.rng.integers(len(graph.output)))]
        elif kind < 0.8:
            self.set_type(self.pick(graph.output).type)
        else:
            self.pick(graph.output).name = self.pick(self.names(model))

    def initializer(self, model):
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto) or not graph.initializer:
            return False
        self.change_tensor(self.pick(graph.initializer))

    def constant_of_input(self, model):
        """An input becomes a constant."""
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto) or not graph.input:
            return False
        value = self.pick(graph.input)
        tensor = value.type.tensor_type
        filled = graph.initializer.add(name=value.name)
        self.fill(filled, tensor.elem_type, [d.dim_value or 1 for d in tensor.shape.dim])
        if self.chance(0.8):
            graph.input.remove(value)

    def input_of_constant(self, model):
        """A constant becomes an input, sometimes with free dimensions."""
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto) or not graph.initializer:
            return False
        tensor = self.pick(graph.initializer)
        value = graph.input.add(name=tensor.name)
        value.type.tensor_type.elem_type = tensor.data_type
        self.set_shape(value.type.tensor_type, [d if self.chance(0.8) else None for d in tensor.dims])
        graph.initializer.remove(tensor)

    def node_attribute(self, model):
        node = self.any_node(model)
        if node is None:
            return False
        kind = self.rng.random()
        if node.attribute and kind < 0.6:
            self.change_attribute(self.pick(node.attribute))
        elif node.attribute and kind < 0.75:
            del node.attribute[int(self.rng.integers(len(node.attribute)))]
        elif node.attribute and kind < 0.8:
            node.attribute.append(self.pick(node.attribute))
        else:
            matching = [o for o in self.operators if (o.domain, o.name) == (node.domain, node.op_type) and o.attributes]
            operator = matching[0] if matching else self.pick(self.operators)
            if not operator.attributes:
                return False
            name = self.pick(sorted(operator.attributes))
            node.attribute.append(self.pick(operator.attributes[name]))
            if self.chance(0.5):
                self.change_attribute(node.attribute[-1])

    def node_inputs(self, model):
        node = self.any_node(model)
        if node is None:
            return False
        kind = self.rng.random()
        if not node.input or kind < 0.2:
            node.input.append(self.pick(self.names(model)))
        elif kind < 0.35:
            del node.input[int(self.rng.integers(len(node.input)))]
        elif kind < 0.45:
            node.input[int(self.rng.integers(len(node.input)))] = ""
        elif kind < 0.55:
            node.input.append(self.pick(node.input))
        elif kind < 0.7 and len(node.input) > 1:
            names = list(node.input)
            self.rng.shuffle(names)
            node.input[:] = names
        else:
            node.input[int(self.rng.integers(len(node.input)))] = self.pick(self.names(model))

    def new_input(self, model):
        """A node's input comes from a new input or constant of another type."""
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto) or not graph.node:
            return False
        node = self.pick(graph.node)
        if not node.input:
            return False
        name = f"new{len(model.graph.input) + len(model.graph.initializer)}"
        node.input[int(self.rng.integers(len(node.input)))] = name
        if self.chance(0.5):
            self.set_type(model.graph.input.add(name=name).type)
        else:
            model.graph.initializer.append(self.tensor(name))

    def node_outputs(self, model):
        node = self.any_node(model)
        if node is None:
            return False
        kind = self.rng.random()
        if kind < 0.4 or not node.output:
            node.output.append(self.pick(["extra", "", "extra2"]))
        elif kind < 0.6:
            del node.output[int(self.rng.integers(len(node.output)))]
        elif kind < 0.8:
            node.output[int(self.rng.integers(len(node.output)))] = ""
        else:
            node.output[int(self.rng.integers(len(node.output)))] = self.pick(self.names(model))

    def node_operator(self, model):
        node = self.any_node(model)
        if node is None:
            return False
        operator = self.pick(self.operators)
        node.op_type = operator.name
        if self.chance(0.9):
            node.domain = operator.domain
            if operator.domain and all(o.domain != operator.domain for o in model.opset_import):
                model.opset_import.add(domain=operator.domain, version=1)

    def nodes(self, model):
        graph = self.any_graph(model)
        if not graph.node:
            return False
        at = int(self.rng.integers(len(graph.node)))
        kind = self.rng.random()
        if kind < 0.3:
            del graph.node[at]
        elif kind < 0.5:
            node = graph.node.add()
            node.CopyFrom(graph.node[at])
            node.output[:] = [name + "_copy" for name in node.output]
        elif kind < 0.6:
            order = list(graph.node)
            self.rng.shuffle(order)
            copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in order]
            del graph.node[:]
            graph.node.extend(copies)
        else:
            # A node of another operator in between.
            operator, old = self.pick(self.operators), graph.node[at]
            if not old.output:
                return False
            node = onnx.NodeProto(op_type=operator.name, domain=operator.domain)
            which = int(self.rng.integers(len(old.output)))
            node.output.append(old.output[which])
            old.output[which] += "_before"
            node.input.append(old.output[which])
            node.input.extend(self.pick(self.names(model)) for _ in range(self.pick(sorted(operator.inputs)) - 1))
            for name, examples in sorted(operator.attributes.items()):
                if self.chance(0.5):
                    node.attribute.append(self.pick(examples))
            graph.node.insert(at + 1, node)

    def opset(self, model):
        kind = self.rng.random()
        if not model.opset_import or kind < 0.1:
            model.opset_import.add(domain=self.pick(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "x"]), version=self.number())
        elif kind < 0.8:
            self.pick(model.opset_import).version = int(self.rng.integers(1, 30)) if self.chance(0.9) else self.number()
        elif kind < 0.9:
            del model.opset_import[int(self.rng.integers(len(model.opset_import)))]
        else:
            model.ir_version = self.number()

    def wrap(self, model):
        """All nodes become the body of an If, Loop or Scan."""
        graph = model.graph
        if not graph.node or not graph.output:
            return False
        body = onnx.GraphProto(name="body")
        body.node.extend(graph.node)
        body.output.extend(graph.output)
        del graph.node[:]
        kind = self.pick(["If", "Loop", "Scan"])
        node = graph.node.add(op_type=kind, output=[v.name for v in graph.output])
        element = self.pick([TensorProto.BOOL] * 4 + [self.element()])
        condition = graph.input.add(name="condition")
        condition.type.tensor_type.elem_type = element
        self.set_shape(condition.type.tensor_type, [] if self.chance(0.9) else [1])
        if kind == "If":
            node.input.append("condition")
            for name in ("then_branch", "else_branch"):
                node.attribute.add(name=name, type=AttributeProto.GRAPH).g.CopyFrom(body)
                if self.chance(0.3):
                    self.structure_of(node.attribute[-1].g, model)
        elif kind == "Loop":
            graph.initializer.append(onnx.helper.make_tensor("trips", TensorProto.INT64, [], [self.pick([0, 1, 2, 3])]))
            node.input.extend(["trips", "condition"])
            body.input.extend([onnx.helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
                               onnx.helper.make_tensor_value_info("go", element, [])])
            body.output.insert(0, ValueInfoProto(name="go"))
            node.attribute.add(name="body", type=AttributeProto.GRAPH).g.CopyFrom(body)
        else:
            count = self.pick([1, min(len(graph.input), 2)])
            for value in list(graph.input)[:count]:
                node.input.append(value.name)
                body.input.append(value)
            node.attribute.add(name="num_scan_inputs", type=AttributeProto.INT, i=self.pick([0, count, count, 1, self.number()]))
            node.attribute.add(name="body", type=AttributeProto.GRAPH).g.CopyFrom(body)

    def structure_of(self, graph, model):
        """A mutation inside one body."""
        inner = onnx.ModelProto(opset_import=model.opset_import)
        inner.graph.CopyFrom(graph)
        mutation, _ = self.pick(self.MUTATIONS[:9])
        mutation(self, inner)
        graph.CopyFrom(inner.graph)

    def function(self, model):
        """A node becomes the call of a function that contains it."""
        node = self.any_node(model)
        if node is None:
            return False
        function = model.functions.add(name="f", domain="local", input=[f"i{i}" for i in range(len(node.input))], output=list(node.output))
        function.opset_import.extend(model.opset_import)
        inner = function.node.add()
        inner.CopyFrom(node)
        inner.input[:] = function.input
        node.op_type, node.domain = "f", "local"
        del node.attribute[:]
        model.opset_import.add(domain="local", version=1)

    def sparse(self, model):
        graph = self.any_graph(model)
        if not isinstance(graph, onnx.GraphProto):
            return False
        sparse = graph.sparse_initializer.add()
        sparse.values.CopyFrom(self.tensor(self.pick(self.names(model))))
        count = self.pick([0, 1, 2, 5])
        if self.chance(0.5):
            self.fill(sparse.values, TensorProto.FLOAT, [count])
        self.fill(sparse.indices, TensorProto.INT64, [count])
        sparse.dims.extend(self.size() for _ in range(self.pick([0, 1, 2])))
        if graph.initializer and self.chance(0.5):
            sparse.values.name = graph.initializer[0].name
            del graph.initializer[0]

    MUTATIONS = [(input_type, 1.0), (initializer, 1.0), (node_attribute, 1.0), (node_inputs, 1.0), (new_input, 0.8), (node_outputs, 0.5),
                 (node_operator, 0.5), (nodes, 0.8), (constant_of_input, 0.7), (input_of_constant, 0.7), (input_count, 0.4), (output, 0.5),
                 (opset, 0.5), (wrap, 0.4), (function, 0.2), (sparse, 0.2)]

    # ---- The file

    def change_wire(self, data):
        """One field of the file, at any depth, changed, removed, repeated or moved."""
        fields = list(wire_fields(data))
        if not fields:
            return self.change_bytes(data)
        at = int(self.rng.integers(len(fields)))
        number, kind, value = fields[at]
        choice = self.rng.random()
        if kind == 2 and value and choice < 0.6:
            fields[at] = (number, kind, self.change_wire(value) if self.chance(0.85) else self.change_bytes(value))
        elif choice < 0.7:
            del fields[at]
        elif choice < 0.78:
            fields.insert(at, fields[at])
        elif choice < 0.83:
            fields.insert(int(self.rng.integers(len(fields))), fields.pop(at))
        elif choice < 0.88:
            fields[at] = (int(self.pick([0, 1, 2, 3, 5, 7, 8, 20, 536870911])), kind, value)
        elif kind == 0:
            fields[at] = (number, 0, self.number() & ((1 << 64) - 1))
        else:
            fields[at] = (number, *self.pick([(0, 1), (2, b""), (1, b"\0" * 8), (5, b"\xff" * 4), (2, b"\xff" * 20), (3, b""), (4, b"")]))
        return b"".join(wire_field(*field) for field in fields)

    def change_bytes(self, data):
        at = int(self.rng.integers(len(data) + 1))
        kind = self.rng.random()
        if kind < 0.5 and data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([int(self.rng.integers(256))]) + data[at + 1:]
        if kind < 0.6:
            return data[:at]
        if kind < 0.75:
            return data[:at] + data[at + int(self.pick([1, 2, 4, 30])):]
        if kind < 0.9:
            return data[:at] + self.rng.bytes(int(self.pick([1, 2, 8]))) + data[at:]
        other = self.pick(self.models)
        return data[:at] + other[int(self.rng.integers(len(other) + 1)):]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def wire_field(number, kind, value):
    head = varint(number << 3 | kind)
    if kind == 0:
        return head + varint(value)
    return head + varint(len(value)) + value if kind == 2 else head + value


def wire_fields(data):
    """(number, wire type, value) of a message's fields, up to the first invalid one."""
    position = 0

    def read():
        nonlocal position
        value = shift = 0
        while position < len(data) and shift < 64:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise EOFError

    try:
        while position < len(data):
            key = read()
            number, kind = key >> 3, key & 7
            if kind == 0:
                yield number, kind, read()
                continue
            size = read() if kind == 2 else {1: 8, 5: 4}.get(kind)
            if size is None or position + size > len(data):
                return
            yield number, kind, data[position:position + size]
            position += size
    except EOFError:
        return
