# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""models.py SHAPE N FILE: a model of about N nodes or N values, of one shape that a compiler may be superlinear in.

models.py --list names the shapes.
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Builder:
    """A graph that grows; every node has one output unless said otherwise."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.initializers, self.functions, self.count = [], [], [], [], [], 0

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{self.count + i}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name, dims, elem=F):
        self.inputs.append(helper.make_tensor_value_info(name, elem, dims))
        return name

    def constant(self, values, dtype=np.float32):
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), f"c{len(self.initializers)}"))
        return self.initializers[-1].name

    def output(self, name, rank, elem=F):
        self.outputs.append(helper.make_tensor_value_info(name, elem, [None] * rank))

    def model(self):
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
        return helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=9)


def body(nodes, inputs, outputs):
    """A subgraph; inputs and outputs are (name, element type, dims)."""
    infos = [[helper.make_tensor_value_info(n, e, d) for n, e, d in values] for values in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *infos)


def chain(b, n):
    x, w = b.input("x", ["n", 16]), b.constant(np.eye(16))
    for _ in range(n // 2):
        x = b.node("Tanh", b.node("MatMul", x, w))
    b.output(x, 2)


def chain_maps(b, n):
    x = b.input("x", ["n", 16])
    for i in range(n):
        x = b.node("Sin" if i % 2 else "Abs", x)
    b.output(x, 2)


def chain_softmax(b, n):
    x = b.input("x", ["n", 16])
    for _ in range(n):
        x = b.node("Softmax", x)
    b.output(x, 2)


def residual(b, n):
    x, w = b.input("x", ["n", 16]), b.constant(np.eye(16))
    for _ in range(n // 3):
        x = b.node("Add", x, b.node("Relu", b.node("MatMul", x, w)))
    b.output(x, 2)


def dense_blocks(b, n):
    """Each node reads the concatenation of all before it in its block of 16."""
    x, w = b.input("x", ["n", 16]), b.constant(np.ones([1, 16]))
    for _ in range(n // 32):
        parts = [x]
        for _ in range(15):
            c = b.node("Concat", *parts, axis=1) if len(parts) > 1 else x
            parts.append(b.node("Mul", b.node("ReduceSum", c, b.constant([1], np.int64)), w))
        x = parts[-1]
    b.output(x, 2)


def concat(b, n):
    x = b.input("x", [2, 3])
    b.output(b.node("Concat", *[x] * n, axis=0), 2)


def concat_inputs(b, n):
    b.output(b.node("Concat", *[b.input(f"x{i}", ["n", 3]) for i in range(n)], axis=1), 2)


def concat_free(b, n):
    b.output(b.node("Concat", *[b.input(f"x{i}", [f"n{i}", 3]) for i in range(n)], axis=0), 2)


def sum_of(b, n, op="Sum"):
    b.output(b.node(op, *[b.input(f"x{i}", ["n", 3]) for i in range(n)]), 2)


def max_of(b, n):
    sum_of(b, n, "Max")


def mean_of(b, n):
    sum_of(b, n, "Mean")


def sum_nodes(b, n):
    x = b.input("x", ["n", 16])
    b.output(b.node("Sum", *[b.node("MatMul", x, b.constant(np.full([16, 4], i))) for i in range(n // 2)]), 2)


def sum_tree(b, n):
    values = [b.node("Sin", b.input(f"x{i}", ["n", 3])) for i in range(n // 2)]
    while len(values) > 1:
        values = [b.node("Add", *values[i : i + 2]) if i + 1 < len(values) else values[i] for i in range(0, len(values), 2)]
    b.output(values[0], 2)


def split(b, n):
    for part in b.node("Split", b.input("x", [n, 2]), outputs=n, axis=0, num_outputs=n):
        b.output(part, 2)


def split_one(b, n):
    """Many parts of which one is read."""
    b.output(b.node("Split", b.input("x", [n, 2]), outputs=n, axis=0, num_outputs=n)[n // 2], 2)


def split_concat(b, n):
    parts = b.node("Split", b.input("x", [2, n]), outputs=n, axis=1, num_outputs=n)
    b.output(b.node("Concat", *reversed(parts), axis=1), 2)


def split_maps(b, n):
    parts = b.node("Split", b.input("x", [2, n]), outputs=n, axis=1, num_outputs=n)
    b.output(b.node("Sum", *[b.node("Sin", p) for p in parts]), 2)


def slices(b, n):
    x = b.input("x", ["n", 2 * n])
    axes = b.constant([1], np.int64)
    for i in range(n):
        b.output(b.node("Slice", x, b.constant([i], np.int64), b.constant([i + 3], np.int64), axes), 2)


def uses(b, n):
    x = b.node("Relu", b.input("x", ["n", 4]))
    for i in range(n):
        b.output(b.node("Sin" if i % 2 else "Cos", x), 2)


def uses_matmul(b, n):
    x = b.input("x", ["n", 4])
    for _ in range(n):
        b.output(b.node("MatMul", x, b.constant(np.eye(4))), 2)


def many_inputs(b, n):
    for i in range(n):
        b.output(b.node("Relu", b.input(f"x{i}", [f"n{i}", 4])), 2)


def initializers(b, n):
    x = b.input("x", ["n", 16])
    for i in range(n):
        x = b.node("Add", x, b.constant(np.full([16], i)))
    b.output(x, 2)


def unused(b, n):
    x = b.input("x", ["n", 16])
    for i in range(n):
        b.node("Add", x, b.constant(np.full([16], i)))
    b.output(x, 2)


def ifs(b, n, depth):
    """n Ifs, `depth` of them inside each other."""
    x = b.input("x", [4])
    conditions = [b.input(f"b{i}", [], B) for i in range(8)]
    for at in range(n // depth):
        nodes = lambda op, i, y: [helper.make_node(op, [y], [f"{op}{at}_{i}"], "")]
        inner = None
        for i in reversed(range(depth)):
            name = f"if{at}_{i}"
            then = nodes("Sin", i, x) if inner is None else [inner]
            out = then[-1].output[0]
            inner = helper.make_node(
                "If",
                [conditions[(at + i) % 8]],
                [name],
                then_branch=body(then, [], [(out, F, [4])]),
                else_branch=body(nodes("Cos", i, x), [], [(f"Cos{at}_{i}", F, [4])]),
            )
        b.nodes.append(inner)
        x = inner.output[0]
    b.output(x, 1)


def if_nest(b, n):
    ifs(b, n, 15)


def if_wide(b, n):
    """One If with n outputs."""
    x, c = b.input("x", [4]), b.input("b", [], B)
    branches = []
    for op in ("Sin", "Cos"):
        nodes = [helper.make_node(op, [x], [f"{op}{i}"]) for i in range(n)]
        branches.append(body(nodes, [], [(f"{op}{i}", F, [4]) for i in range(n)]))
    for y in b.node("If", c, outputs=n, then_branch=branches[0], else_branch=branches[1]):
        b.output(y, 1)


def loop_of(trip, nodes, carried, dims):
    ins = [("i", I, []), ("c", B, [])] + [(f"in_{name}", F, dims) for name in carried]
    outs = [("go", B, [])] + [(f"out_{name}", F, dims) for name in carried]
    return body([helper.make_node("Identity", ["c"], ["go"])] + nodes, ins, outs)


def loop_long(b, n):
    x, trip = b.input("x", [4]), b.input("m", [], I)
    nodes, at = [], "in_x"
    for i in range(n):
        nodes.append(helper.make_node("Sin" if i % 2 else "Softmax", [at], [f"b{i}"]))
        at = f"b{i}"
    nodes.append(helper.make_node("Identity", [at], ["out_x"]))
    b.output(b.node("Loop", trip, "", x, body=loop_of(trip, nodes, ["x"], [4])), 1)


def functions(b, n):
    """n / 10 functions that call one another in a row, each with a few nodes."""
    x, at = b.input("x", ["n", 4]), 0
    depth = min(n // 10, 50)
    for i in range(depth):
        nodes = [helper.make_node("Sin" if j % 2 else "Softmax", ["y" if j == 0 else f"t{j - 1}"], [f"t{j}"]) for j in range(9)]
        last = [f"f{i + 1}"] if i + 1 < depth else ["Abs"]
        nodes.append(helper.make_node(last[0], ["t8"], ["z"], domain="local" if i + 1 < depth else ""))
        b.functions.append(helper.make_function("local", f"f{i}", ["y"], ["z"], nodes, [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]))
    for _ in range(max(1, n // (10 * depth))):
        x = b.node("f0", x, domain="local")
    b.output(x, 2)


def shape_sum(b, n):
    """Sizes are added to each other, each sum to the last one."""
    x = b.input("x", ["n", 4])
    one = b.constant([1], np.int64)
    m = b.node("Gather", b.node("Shape", x), b.constant([0], np.int64))
    for i in range(n):
        m = b.node("Add" if i % 2 else "Mul", m, one if i % 4 else b.constant([2 if i < 40 else 1], np.int64))
    b.output(b.node("Expand", x, b.node("Concat", m, one, axis=0)), 2)


def shape_squares(b, n):
    m = b.node("Shape", b.input("x", ["n", "m"]))
    for _ in range(n):
        m = b.node("Mul", m, m)
    b.output(m, 1, I)


def shape_mixed(b, n):
    """Sums, products and quotients of two sizes that each depend on the last."""
    x = b.input("x", ["n", "m"])
    shape = b.node("Shape", x)
    a, c = (b.node("Gather", shape, b.constant([i], np.int64)) for i in range(2))
    for i in range(n // 2):
        a, c = b.node(("Add", "Mul", "Sub", "Div", "Max")[i % 5], a, c), b.node("Add", a, c)
    b.output(b.node("Concat", a, c, axis=0), 1, I)


def shape_many(b, n):
    """As many free dimensions as nodes, all summed."""
    m = b.constant([0], np.int64)
    for i in range(n // 2):
        m = b.node("Add", m, b.node("Shape", b.input(f"x{i}", [f"n{i}"])))
    b.output(m, 1, I)


def shape_gather(b, n):
    x = b.input("x", ["n", "m", 4])
    for i in range(n // 5):
        shape = b.node("Shape", x)
        d = [b.node("Gather", shape, b.constant([j], np.int64)) for j in range(2)]
        x = b.node("Reshape", x, b.node("Concat", d[1], d[0], b.constant([4], np.int64), axis=0))
    b.output(x, 3)


def reshapes(b, n):
    x = b.input("x", ["n", "m", 8])
    shapes = [b.constant(s, np.int64) for s in ([0, -1], [-1, 8], [-1, 2, 4], [0, 8])]
    for i in range(n):
        x = b.node("Reshape", x, shapes[i % 4]) if i % 2 else b.node("Sin", x)
    b.output(x, 2)


def pad_slice(b, n):
    """Sizes change at every node."""
    x = b.input("x", ["n", 4])
    for i in range(n):
        x = b.node("Pad", x, b.constant([1 if i % 2 else 0, 0, 0 if i % 2 else 1, 0], np.int64))
    b.output(x, 2)


def pools(b, n):
    x = b.input("x", [1, 2, "h", "w"])
    for i in range(n):
        x = b.node("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1 - i % 2, 1])
    b.output(x, 4)


def fold_chain(b, n):
    """Small constants that are all known."""
    c = b.constant(np.arange(200))
    for i in range(n):
        c = b.node("Sin" if i % 2 else "Neg", c)
    b.output(b.node("Add", b.input("x", ["n", 200]), c), 2)


def fold_scalars(b, n):
    c = b.constant([3], np.int64)
    for i in range(n):
        c = b.node("Add" if i % 2 else "Sub", c, b.constant([1], np.int64))
    b.output(b.node("Reshape", b.input("x", ["n", 3]), b.node("Concat", c, b.constant([-1], np.int64), axis=0)), 2)


def fold_concat(b, n):
    """Each constant is a little longer than the last."""
    c = b.constant(np.zeros(100))
    for i in range(n):
        c = b.node("Concat", b.node("Slice", c, b.constant([1], np.int64), b.constant([100], np.int64)), b.constant([i]), axis=0)
    b.output(b.node("Add", b.input("x", ["n", 100]), c), 2)


def constant_of_shape(b, n):
    x = b.input("x", ["n", 16])
    for i in range(n // 2):
        x = b.node("Add", x, b.node("ConstantOfShape", b.constant([16], np.int64), value=helper.make_tensor("v", F, [1], [i])))
    b.output(x, 2)


def einsums(b, n):
    x, w = b.input("x", ["n", 4, 4]), b.constant(np.ones([4, 4]))
    for i in range(n):
        x = b.node("Einsum", x, w, equation=("bij,jk->bik", "bij,jk->bki")[i % 2])
    b.output(x, 3)


def same_convs(b, n):
    x, w = b.input("x", ["n", 4, 6, 6]), b.constant(np.ones([4, 4, 3, 3]))
    for _ in range(n // 2):
        x = b.node("Relu", b.node("Conv", x, w, pads=[1, 1, 1, 1]))
    b.output(x, 4)


def transposes(b, n):
    x = b.input("x", ["n", 4, 5, 6])
    for i in range(n):
        x = b.node("Transpose", x, perm=([0, 2, 1, 3], [0, 3, 1, 2], [0, 1, 3, 2])[i % 3])
    b.output(x, 4)


def outputs(b, n):
    x = b.input("x", ["n", 4])
    for _ in range(n):
        x = b.node("Sigmoid", x)
        b.output(x, 2)


def concat_nodes(b, n):
    """The concatenation of what many nodes compute."""
    x = b.input("x", ["n", 4])
    b.output(b.node("Concat", *[b.node("MatMul", x, b.constant(np.full([4, 2], i))) for i in range(n // 2)], axis=1), 2)


def gathers(b, n):
    x = b.input("x", [n, 4])
    for i in range(n):
        b.output(b.node("Gather", x, b.constant(i, np.int64), axis=0), 1)


def sequences(b, n):
    """A sequence that each node makes longer, and one of which each node reads an element."""
    x = b.input("x", [4])
    s = b.node("SequenceEmpty", dtype=F)
    for _ in range(n // 3):
        s = b.node("SequenceInsert", s, x)
    t = b.node("SequenceConstruct", *[x] * (n // 3))
    for i in range(n // 3):
        b.output(b.node("SequenceAt", t, b.constant(i, np.int64)), 1)
    b.output(b.node("SequenceAt", s, b.constant(0, np.int64)), 1)


def loop_carried(b, n):
    """One Loop that carries n / 2 values."""
    trip, carried = b.input("m", [], I), [f"x{i}" for i in range(n // 2)]
    nodes = [helper.make_node("Sin", [f"in_{name}"], [f"out_{name}"]) for name in carried]
    values = [b.input(name, [4]) for name in carried]
    for y in b.node("Loop", trip, "", *values, outputs=len(carried), body=loop_of(trip, nodes, carried, [4])):
        b.output(y, 1)


def loops(b, n):
    """Loops in a row."""
    x, trip = b.input("x", [4]), b.input("m", [], I)
    for i in range(n // 4):
        nodes = [helper.make_node("Sin" if i % 2 else "Cos", ["in_x"], ["a"]), helper.make_node("Softmax", ["a"], ["out_x"])]
        x = b.node("Loop", trip, "", x, body=loop_of(trip, nodes, ["x"], [4]))
    b.output(x, 1)


def if_tree(b, n):
    """Ifs in both branches of an If, and so on: all leaves show up in one result."""
    x, conditions = b.input("x", [4]), [b.input(f"b{i}", [], B) for i in range(16)]

    def tree(leaves, depth, name):
        if leaves <= 1:
            return helper.make_node("Sin" if depth % 2 else "Cos", [x], [name])
        branches = [tree(half, depth + 1, f"{name}{side}") for half, side in ((leaves // 2, "t"), (leaves - leaves // 2, "e"))]
        then, otherwise = (body([node], [], [(node.output[0], F, [4])]) for node in branches)
        return helper.make_node("If", [conditions[depth]], [name], then_branch=then, else_branch=otherwise)

    b.nodes.append(tree(n // 2, 0, "y"))
    b.output("y", 1)


def distinct_convs(b, n):
    x = b.input("x", [1, 4, 8, 8])
    for i in range(n // 100):
        b.output(b.node("Conv", x, b.constant(np.ones([5 + i, 4, 3, 3]))), 4)


def distinct_matmuls(b, n):
    """Kernels of their own, of much the same code."""
    for i in range(n // 100):
        x = b.input(f"x{i}", ["n", 32 + i])
        b.output(b.node("MatMul", x, b.constant(np.ones([32 + i, 16]))), 2)


def strings(b, n):
    """Labels by the thousand."""
    x = b.input("x", [4], I)
    for i in range(n // 10):
        x = b.node("Where", b.constant(np.ones([4], bool), bool), x, x)
        labels = helper.make_tensor("v", TensorProto.STRING, [4], [f"label {i} {j}" for j in range(4)])
        b.output(b.node("Gather", b.node("Constant", value=labels), x), 1, TensorProto.STRING)


def shape_cast(b, n):
    """Sizes that are compared, chosen and cast on their way."""
    x = b.input("x", ["n", 4])
    one = b.constant([1], np.int64)
    m = b.node("Gather", b.node("Shape", x), b.constant([0], np.int64))
    for i in range(n // 4):
        larger = b.node("Greater", m, b.constant([i], np.int64))
        m = b.node("Where", larger, m, b.node("Add", m, one))
        m = b.node("Cast", b.node("Cast", m, to=TensorProto.INT32), to=I)
    b.output(b.node("Expand", x, b.node("Concat", m, one, axis=0)), 2)


def free_movement(b, n):
    """Transposes and reshapes of free sizes."""
    x = b.input("x", ["n", "m", 8])
    shape = b.constant([0, 0, 8], np.int64)
    for i in range(n // 3):
        x = b.node("Sin", b.node("Reshape", b.node("Transpose", x, perm=[1, 0, 2]), shape))
    b.output(x, 3)


def sparse(b, n):
    """Sparse constants of 8 elements."""
    x = b.input("x", ["n", 8])
    for i in range(n // 2):
        values = numpy_helper.from_array(np.full([1], i, np.float32), f"s{i}")
        indices = numpy_helper.from_array(np.array([i % 8]), f"i{i}")
        x = b.node("Add", x, b.node("Constant", sparse_value=helper.make_sparse_tensor(values, indices, [8])))
    b.output(x, 2)


SHAPES = [
    chain, chain_maps, chain_softmax, residual, dense_blocks, concat, concat_inputs, concat_free, sum_of, max_of, mean_of,
    sum_nodes, sum_tree, split, split_one, split_concat, split_maps, slices, uses, uses_matmul, many_inputs, initializers, unused,
    if_nest, if_wide, loop_long, functions, shape_sum, shape_squares, shape_mixed, shape_many, shape_gather, reshapes,
    pad_slice, pools, fold_chain, fold_scalars, fold_concat, constant_of_shape, einsums, same_convs, transposes, outputs,
    concat_nodes, gathers, sequences, loop_carried, loops, if_tree, distinct_convs, distinct_matmuls, strings, shape_cast,
    free_movement, sparse,
]  # fmt: skip


def write(shape, count, path):
    builder = Builder()
    shape(builder, count)
    onnx.save(builder.model(), path)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f.__name__ for f in SHAPES))
    else:
        write({f.__name__: f for f in SHAPES}[sys.argv[1]], int(sys.argv[2]), sys.argv[3])
