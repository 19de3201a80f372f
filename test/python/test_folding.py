# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise ONNX operators on the numbers where they are hard, computed by the compiler and by a kernel."""
import unittest

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import hone

SIGNED = ["INT8", "INT16", "INT32", "INT64"]
UNSIGNED = ["UINT8", "UINT16", "UINT32", "UINT64"]
FLOATS = ["FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE"]
SMALL = ["FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"]
ARITHMETIC = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]
COMPARISONS = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]
# Exact in every type; the others are within units in the last place of each other.
EXACT = ["Abs", "Neg", "Sign", "Relu", "Floor", "Ceil", "Round", "Sqrt", "Reciprocal", "Identity"]
CURVES = {
    "Exp": {}, "Log": {}, "Sin": {}, "Cos": {}, "Tan": {}, "Asin": {}, "Acos": {}, "Atan": {}, "Sinh": {}, "Cosh": {}, "Tanh": {}, "Asinh": {},
    "Acosh": {}, "Atanh": {}, "Erf": {}, "Sigmoid": {}, "Softplus": {}, "Softsign": {}, "Elu": {}, "Selu": {}, "Celu": {}, "Mish": {},
    "HardSigmoid": {}, "HardSwish": {}, "Gelu": {}, "LeakyRelu": {}, "ThresholdedRelu": {}, "Shrink": {},
}  # fmt: skip
# f16 and bf16 are computed in f32 and rounded once; a neighbour in f32 is at most a neighbour there.
UNITS = {"FLOAT": 8, "DOUBLE": 8, "FLOAT16": 1, "BFLOAT16": 1}
# Near a zero of the result the formulas of these cancel: there the difference counts against 1.
CANCELS = {"HardSwish", "HardSigmoid", "Mish", "Gelu", "Softplus", "Sigmoid", "Elu", "Selu", "Celu"}


def dtype_of(name):
    return helper.tensor_dtype_to_np_dtype(getattr(TensorProto, name))


def values_of(name):
    dtype = dtype_of(name)
    if name == "BOOL":
        return np.array([False, True])
    if name in SIGNED + UNSIGNED:
        info = np.iinfo(dtype)
        wanted = [0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 100, 127, 128, 255, 256, 65535, (1 << 24) + 1, (1 << 53) + 1, info.max, info.max - 1, info.max // 2 + 1]
        wanted += [-v for v in wanted] + [info.min, info.min + 1]
        return np.array(sorted({v for v in wanted if info.min <= v <= info.max}), dtype)
    info = ml_dtypes.finfo(dtype)
    most, tiny, least = float(info.max), float(info.tiny), float(info.smallest_subnormal)
    wanted = [0.0, 1.0, 0.5, 1.5, 2.5, 3.5, 2.0, 3.0, 10.0, 0.1, 0.7, 20.0, 127.5, 128.5, 255.5, 256.0, 448.0, 464.0, 57344.0, 65519.0, 65520.0, 2147483648.0, 9.3e18, 1.9e19, most, tiny, least]
    wanted += [3 * least, 1 + float(info.eps), 1 + float(info.eps) * 1.5, 2.0**-7, 2.0**-10 * 1.5, 2.0**-17, np.inf, np.nan]
    with np.errstate(all="ignore"):
        return np.array([v for w in wanted for v in (w, -w)], np.float64).astype(dtype)


def numbers(array):
    """Bits as integers in the order of the numbers."""
    bits = array.view(f"i{array.dtype.itemsize}").astype(object)
    least = -(1 << (8 * array.dtype.itemsize - 1))
    return np.where(bits < 0, least - bits, bits)


def is_float(array):
    return array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float"))


class FoldingTest(unittest.TestCase):
    def compare(self, nodes, inputs, units):
        """Runs nodes over inputs and over constants; `units`, by the name of an output, is how far the results may lie apart."""
        values = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()]
        outputs = [onnx.ValueInfoProto(name=name) for name in units]
        for value in outputs:
            value.type.tensor_type.elem_type = TensorProto.UNDEFINED
        graph = helper.make_graph(nodes, "folding", values, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=11)
        run = hone.compile(model.SerializeToString()).run(inputs)
        del graph.input[:], model.graph.input[:]
        model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in inputs.items())
        folded = hone.compile(model.SerializeToString()).run({})
        for name, allowed in units.items():
            got, want = run[name], folded[name]
            with self.subTest(name):
                self.assertEqual((got.dtype, got.shape), (want.dtype, want.shape))
                same = got.view(f"u{got.dtype.itemsize}") == want.view(f"u{got.dtype.itemsize}")
                if is_float(got):
                    with np.errstate(invalid="ignore"):
                        g, w = got.astype(np.float64), want.astype(np.float64)
                        same |= (np.isnan(g) & np.isnan(w)) | ((g == 0) & (w == 0) if allowed else False)
                        if allowed:
                            same |= np.isfinite(g) & np.isfinite(w) & (np.abs(numbers(got) - numbers(want)) <= allowed)
                        if name.split("_")[0] in CANCELS:
                            same |= np.abs(g - w) <= 8 * np.finfo(np.float32 if got.dtype != np.float64 else np.float64).eps
                bad = np.flatnonzero(~same)
                at = bad[:1]
                self.assertEqual(bad.size, 0, f"{bad.size} of {got.size}; of {[a.ravel()[at % a.size] for a in inputs.values()]} evaluated {want.ravel()[at]}, run {got.ravel()[at]}")

    def test_binary(self):
        for kind in SIGNED + UNSIGNED + FLOATS:
            a, b = (g.ravel() for g in np.meshgrid(values_of(kind), values_of(kind), indexing="ij"))
            divisor = b.copy()
            divisor[divisor == 0] = 1  # by 0 is an error of the data
            inputs = {"a": a, "b": b, "d": divisor if kind not in FLOATS else b}
            nodes, units = [], {}
            for op in ARITHMETIC + COMPARISONS:
                name = f"{op}_{kind}"
                nodes.append(helper.make_node(op, ["a", "d" if op == "Div" else "b"], [name]))
                # Which of two zeros is larger is unspecified.
                units[name] = UNITS[kind] if op == "Pow" and kind in FLOATS else int(op in ("Max", "Min"))
            for fmod in (0, 1):
                if kind in FLOATS and not fmod:
                    continue
                nodes.append(helper.make_node("Mod", ["a", "d"], [f"Mod{fmod}_{kind}"], fmod=fmod))
                units[f"Mod{fmod}_{kind}"] = 0
            if kind not in FLOATS:
                for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
                    nodes.append(helper.make_node(op, ["a", "b"], [f"{op}_{kind}"]))
                    units[f"{op}_{kind}"] = 0
            if kind in UNSIGNED:
                for direction in ("LEFT", "RIGHT"):
                    nodes.append(helper.make_node("BitShift", ["a", "b"], [f"BitShift{direction}_{kind}"], direction=direction))
                    units[f"BitShift{direction}_{kind}"] = 0
            self.compare(nodes, inputs, units)

    def test_unary(self):
        for kind in SIGNED + UNSIGNED + FLOATS:
            nodes, units = [], {}
            for op in EXACT if kind in FLOATS else ["Abs", "Neg", "Sign", "BitwiseNot"]:
                if op == "Neg" and kind in UNSIGNED:
                    continue
                nodes.append(helper.make_node(op, ["a"], [f"{op}_{kind}"]))
                units[f"{op}_{kind}"] = 0
            if kind in FLOATS:
                for op in ("IsNaN", "IsInf"):
                    nodes.append(helper.make_node(op, ["a"], [f"{op}_{kind}"]))
                    units[f"{op}_{kind}"] = 0
                for op, attributes in CURVES.items():
                    if op == "Log" and kind in ("FLOAT", "BFLOAT16"):
                        continue  # of subnormals; the operation is compared in test_evaluator.py
                    nodes.append(helper.make_node(op, ["a"], [f"{op}_{kind}"], **attributes))
                    units[f"{op}_{kind}"] = UNITS[kind]
            self.compare(nodes, {"a": values_of(kind)}, units)

    def test_casts(self):
        kinds = SIGNED + UNSIGNED + FLOATS + SMALL + ["BOOL"]
        for source in kinds:
            nodes, units = [], {}
            for target in kinds:
                for saturate in (1, 0) if target in SMALL else (1,):
                    name = f"{source}_to_{target}_{saturate}"
                    attributes = {"saturate": saturate} if target in SMALL else {}
                    nodes.append(helper.make_node("Cast", ["a"], [name], to=getattr(TensorProto, target), **attributes))
                    units[name] = 0
            self.compare(nodes, {"a": values_of(source)}, units)


if __name__ == "__main__":
    unittest.main()
