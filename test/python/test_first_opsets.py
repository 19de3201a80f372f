# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every operator of ONNX's operator sets 1 to 5: none is missing, and each computes what it did then."""
import unittest
import warnings

import numpy as np
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import hone

RNG = np.random.default_rng(5)


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return np.abs(f32(*shape)) + np.float32(0.5)


def bits(*shape):
    return RNG.random(shape) < 0.5


X, IMAGE = f32(2, 3, 4), f32(1, 3, 4, 4)
REDUCED = dict(axes=[1], keepdims=0)

class Old:
    """One way to call an operator. `later` are inputs and attributes of the newest operator set that ask for the same;
    or `expected` computes the outputs. Of `random` numbers only type and shape are compared."""

    def __init__(self, name, *inputs, later=None, expected=None, constant=(), outputs=1, random=False, upto=5, since=1, **attributes):
        self.name, self.inputs, self.attributes = name, inputs, attributes
        self.later, self.expected, self.constant = later, expected, constant
        self.outputs, self.random, self.since, self.upto = outputs, random, since, upto


def same(name, *inputs, **attributes):
    """Means the same today."""
    return Old(name, *inputs, later=(inputs, attributes), **attributes)


def binary(name, a, b, formula):
    """With sizes that are equal, and with those that the attributes of the time broadcast."""
    yield Old(name, a, b, expected=formula(a, b))
    row = b[0, 0]
    yield Old(name, a, row, expected=formula(a, row), broadcast=1)
    column = b[0, :, 0]
    yield Old(name, a, column, expected=formula(a, column[:, None]), broadcast=1, axis=1)


def cases():
    for name in "Abs Ceil Floor Neg Relu Sigmoid Tanh Exp Softplus Softsign Identity".split():
        yield same(name, X)
    for name in "Log Sqrt Reciprocal".split():
        yield same(name, positive(2, 3))
    for name in "Elu LeakyRelu HardSigmoid".split():
        yield same(name, X, alpha=0.25)
    yield Old("Selu", X, expected=1.0507 * np.where(X > 0, X, 1.6732 * (np.exp(X) - 1)))
    yield same("PRelu", X, f32(1))
    yield Old("PRelu", X, (slope := f32(3)), expected=np.where(X > 0, X, X * slope[:, None]))
    yield same("Not", bits(2, 3))
    y = positive(2, 3, 4)
    yield from binary("Add", X, y, np.add)
    yield from binary("Sub", X, y, np.subtract)
    yield from binary("Mul", X, y, np.multiply)
    yield from binary("Div", X, y, np.divide)
    yield from binary("Pow", positive(2, 3, 4), y, np.power)
    yield from binary("Less", X, y, np.less)
    yield from binary("Greater", X, y, np.greater)
    a, b = bits(2, 3, 4), bits(2, 3, 4)
    yield from binary("And", a, b, np.logical_and)
    yield from binary("Or", a, b, np.logical_or)
    yield from binary("Xor", a, b, np.logical_xor)
    yield from binary("Equal", RNG.integers(0, 3, (2, 3, 4)), RNG.integers(0, 3, (2, 3, 4)), np.equal)
    for name in "Max Min Sum Mean".split():
        yield same(name, f32(2, 3), f32(2, 3), f32(2, 3))
    for name in "ArgMax ArgMin".split():
        yield same(name, X, axis=1, keepdims=0)
    for name in "L1 L2 Max Mean Min Prod Sum SumSquare LogSumExp".split():
        yield Old("Reduce" + name, X, later=((X, np.array([1])), dict(keepdims=0)), **REDUCED)
    yield Old("ReduceLogSum", y, later=((y, np.array([1])), dict(keepdims=0)), **REDUCED)
    yield same("AveragePool", IMAGE, kernel_shape=[2, 2], strides=[2, 2])
    yield same("MaxPool", IMAGE, kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    norm = lambda x, p: np.power(np.power(np.abs(x), p).sum(axis=(2, 3), keepdims=True), 1 / p)
    tiles = IMAGE.reshape(1, 3, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(12, 1, 2, 2)
    pooled = lambda p: norm(tiles, p).reshape(1, 3, 2, 2)
    yield Old("LpPool", IMAGE, upto=1, expected=pooled(3), kernel_shape=[2, 2], strides=[2, 2], p=3.0)
    yield Old("LpPool", IMAGE, since=2, expected=pooled(3), kernel_shape=[2, 2], strides=[2, 2], p=3)
    yield Old("GlobalLpPool", IMAGE, upto=1, expected=norm(IMAGE, 2), p=2.0)
    yield Old("GlobalLpPool", IMAGE, since=2, expected=norm(IMAGE, 1), p=1)
    yield same("GlobalAveragePool", IMAGE)
    yield same("GlobalMaxPool", IMAGE)
    yield Old("MaxRoiPool", IMAGE, np.array([[0, 0, 0, 3, 3]], np.float32), expected=tiles.max((2, 3)).reshape(1, 3, 2, 2), pooled_shape=[2, 2])
    yield same("Conv", IMAGE, f32(2, 3, 3, 3), f32(2), pads=[1, 1, 1, 1])
    yield same("ConvTranspose", IMAGE, f32(3, 2, 2, 2), strides=[2, 2])
    scale = [positive(3) for _ in range(4)]
    yield Old("BatchNormalization", IMAGE, *scale, later=((IMAGE, *scale), {}), is_test=1, consumed_inputs=[0, 0, 0, 1, 1])
    many = [positive(3 * 16) for _ in range(4)]
    wide = [v.reshape(3, 4, 4) for v in many]
    yield Old("BatchNormalization", IMAGE, *many, expected=(IMAGE - wide[2]) / np.sqrt(wide[3] + 1e-5) * wide[0] + wide[1], is_test=1, spatial=0, consumed_inputs=[0, 0, 0, 1, 1])
    yield same("InstanceNormalization", IMAGE, f32(3), f32(3))
    near = sum(np.pad(IMAGE, ((0, 0), (1, 1), (0, 0), (0, 0)))[:, i : i + 3] ** 2 for i in range(3))
    yield Old("LRN", IMAGE, expected=IMAGE / (1 + 0.3 / 3 * near) ** 0.75, size=3, alpha=0.3)
    yield same("LpNormalization", X, axis=1, p=2)
    yield Old("Cast", X, later=((X,), dict(to=TensorProto.INT64)), to="INT64")
    yield Old("Cast", X, later=((X,), dict(to=TensorProto.DOUBLE)), to="DOUBLE")
    yield Old("Clip", X, later=((X, np.float32(-0.5), np.float32(0.5)), {}), min=-0.5, max=0.5)
    yield Old("Concat", X, X, upto=3, expected=np.concatenate([X, X], 1))
    yield same("Concat", X, X, axis=2)
    yield Old("Constant", expected=X, value=numpy_helper.from_array(X))
    blocks = f32(1, 8, 2, 3)
    yield same("DepthToSpace", blocks, blocksize=2)
    yield same("SpaceToDepth", IMAGE, blocksize=2)
    yield Old("Dropout", X, expected=X, is_test=1, ratio=0.5)
    yield same("Flatten", X, axis=2)
    yield same("Gather", X, np.array([[1, 0], [1, 1]]), axis=1)
    m, k, c = f32(2, 3), f32(4, 3), f32(2, 4)
    yield same("Gemm", m, k, c, transB=1, alpha=0.5, beta=2.0)
    yield Old("Gemm", m, k, c[0], expected=m @ k.T + c[0], transB=1, broadcast=1)
    yield same("MatMul", m, k.T.copy())
    rows = X.reshape(2, 12)
    shifted = np.exp(rows - rows.max(1, keepdims=True))
    soft = (shifted / shifted.sum(1, keepdims=True)).reshape(X.shape)
    yield Old("Softmax", X, expected=soft)
    yield Old("LogSoftmax", X, expected=np.log(soft))
    yield Old("Hardmax", X, expected=(rows == rows.max(1, keepdims=True)).astype(np.float32).reshape(X.shape))
    yield Old("Pad", X, upto=1, expected=np.pad(X, ((0, 0), (1, 2), (0, 1)), constant_values=3), paddings=[0, 1, 0, 0, 2, 1], value=3.0)
    yield Old("Pad", X, since=2, expected=np.pad(X, ((0, 0), (1, 1), (0, 1)), "reflect"), pads=[0, 1, 0, 0, 1, 1], mode="reflect")
    yield Old("Reshape", X, upto=4, expected=X.reshape(2, 12), shape=[0, -1])
    yield Old("Reshape", X, np.array([4, -1]), since=5, expected=X.reshape(4, 6))
    yield same("Shape", X)
    yield same("Size", X)
    yield Old("Slice", X, expected=X[:, 1:3, -2:], axes=[1, 2], starts=[1, -2], ends=[9, 9])
    yield Old("Split", X, outputs=2, expected=(X[:, :1], X[:, 1:]), axis=1, split=[1, 2])
    yield Old("Split", X, np.array([1, 2], np.float32), upto=1, constant=(1,), outputs=2, expected=(X[:, :1], X[:, 1:]), axis=1)
    yield Old("Squeeze", X[None], expected=X, axes=[0])
    yield Old("Unsqueeze", X, expected=X[:, None], axes=[1])
    yield same("Transpose", X, perm=[2, 0, 1])
    yield Old("Tile", X, np.float32([2]), np.float32([1]), constant=(1, 2), expected=np.tile(X, (1, 2, 1)))
    yield Old("TopK", X, later=((X, np.array([2])), dict(axis=1)), outputs=2, axis=1, k=2)
    yield Old("Upsample", IMAGE, expected=IMAGE.repeat(2, 2).repeat(3, 3), height_scale=2.0, width_scale=3.0)
    for name in "RandomNormal RandomUniform".split():
        yield Old(name, random=True, expected=X, shape=[2, 3, 4])
        yield Old(name + "Like", X, random=True, expected=X)
    s, gates = f32(3, 2, 4), dict(GRU=3, LSTM=4, RNN=1)
    for name, count in gates.items():
        w, r, b = f32(1, count * 5, 4), f32(1, count * 5, 5), f32(1, count * 10)
        yield Old(name, s, w, r, b, later=((s, w, r, b), dict(hidden_size=5)), hidden_size=5, output_sequence=1)
    one = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    branch = lambda op: helper.make_graph([helper.make_node(op, ["x0"], ["o"])], "branch", [], [one])
    # The condition comes first, and the branches see the graph's input.
    yield Old("If", np.array(True), expected=None, then_branch=branch("Neg"), else_branch=branch("Abs"))
    value = lambda n, t, s: helper.make_tensor_value_info(n, t, s)
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "v"], ["w"]), helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["w"], ["s"])],
        "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, [2])],
        [value("d", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, [2]), value("s", TensorProto.FLOAT, [2])],
    )
    v = f32(2)
    yield Old("Loop", np.array(3), np.array(True), v, outputs=2, expected=(8 * v, np.stack([2 * v, 4 * v, 8 * v])), body=body)


def model(case, opset, inputs, attributes, constant=()):
    names = [f"x{i}" for i in range(len(inputs))]
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.name, names, outputs, name="node", **attributes)
    arrays = [np.asarray(v) for v in inputs]
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for i, (n, v) in enumerate(zip(names, arrays))
            if i not in constant
        ],
        [helper.make_empty_tensor_value_info(n) for n in outputs],
        [numpy_helper.from_array(v, n) for i, (n, v) in enumerate(zip(names, arrays)) if i in constant],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3 if opset < 8 else 10)


class FirstOpsets(unittest.TestCase):
    def check(self, case, opset):
        attributes = dict(case.attributes)
        if case.name == "If":
            return self.check_branches(case, opset)
        compiled = hone.compile(model(case, opset, case.inputs, attributes, case.constant).SerializeToString())
        feeds = {f"x{i}": np.asarray(v) for i, v in enumerate(case.inputs) if i not in case.constant}
        got = [compiled.run(feeds)[f"y{i}"] for i in range(case.outputs)]
        if case.expected is not None:
            want = case.expected if isinstance(case.expected, tuple) else (case.expected,)
        else:
            inputs, later = case.later
            newest = model(case, 21, inputs, later)
            want = ReferenceEvaluator(newest).run(None, {f"x{i}": np.asarray(v) for i, v in enumerate(inputs)})
        self.assertEqual(len(got), len(want))
        for g, w in zip(got, want):
            self.assertEqual((g.shape, g.dtype.kind), (np.shape(w), np.asarray(w).dtype.kind))
            if not case.random:
                np.testing.assert_allclose(g, w, rtol=2e-5, atol=2e-6)

    def check_branches(self, case, opset):
        x = f32(3)
        node = helper.make_node("If", ["c"], ["y"], **case.attributes)
        infos = [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x0", TensorProto.FLOAT, [3])]
        graph = helper.make_graph([node], "one", infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])])
        compiled = hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3).SerializeToString())
        for c, want in (True, -x), (False, np.abs(x)):
            np.testing.assert_array_equal(compiled.run({"c": np.array(c), "x0": x})["y"], want)

    def test_all(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = list(cases())
        schemas = [s for s in defs.get_all_schemas_with_history() if s.domain == "" and s.since_version <= 5]
        seen = set()
        for case in table:
            versions = sorted(s.since_version for s in schemas if s.name == case.name and case.since <= s.since_version <= case.upto)
            for version in versions:
                seen.add((case.name, version))
                with self.subTest(case.name, opset=version, **{k: v for k, v in case.attributes.items() if not hasattr(v, "node")}):
                    self.check(case, version)
        missing = {(s.name, s.since_version) for s in schemas} - seen
        self.assertFalse(missing, "operators without a case")

    def test_experiments(self):
        """What files of later operator sets have, though no schema does any more."""
        x = f32(2, 3, 4, 5)

        def normal(axes):
            return (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)

        self.check(Old("MeanVarianceNormalization", x, expected=normal((0, 2, 3))), 8)
        self.check(Old("MeanVarianceNormalization", x, expected=normal((0, 1, 2, 3)), across_channels=1), 8)
        self.check(Old("Cast", x, expected=x.astype(np.int32), to="INT32"), 9)
        starts, ends, axes = np.array([-3, 1]), np.array([9, 3]), np.array([3, 1])
        self.check(Old("DynamicSlice", x, starts, ends, axes, expected=x[:, 1:3, :, -3:], constant=(1, 2, 3)), 9)
        self.check(Old("DynamicSlice", x, starts[:1], ends[:1], expected=x[-3:], constant=()), 9)


if __name__ == "__main__":
    unittest.main()
