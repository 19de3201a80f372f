# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every scalar operation that the compiler evaluates on constants, beside the code that it generates for it."""
import pathlib
import re
import subprocess
import tempfile
import unittest

import numpy as np

import hone

EVALUATOR = pathlib.Path(__file__).resolve().parents[2] / "dialects/Graph/EvaluateMap.cpp"
HONE = pathlib.Path(hone.__file__).parents[2] / "bin/hone"

INTEGERS = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}
FLOATS = {"f32": np.float32, "f64": np.float64}
NARROW = {"f16": "float16", "bf16": "bfloat16"}
NAMES = {"i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "f32": "float", "f64": "double"} | NARROW

INT_BINARY = ["addi", "subi", "muli", "andi", "ori", "xori", "maxsi", "minsi", "maxui", "minui"]
INT_DIVISION = ["divsi", "remsi", "floordivsi", "ceildivsi", "divui", "remui"]
SHIFTS = ["shli", "shrui", "shrsi"]
INT_COMPARISONS = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
FLOAT_BINARY = ["addf", "subf", "mulf", "divf", "maximumf", "minimumf", "maxnumf", "minnumf"]
FLOAT_COMPARISONS = ["oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"]
EXACT = ["absf", "ceil", "floor", "round", "roundeven", "trunc", "sqrt"]
TESTS = ["isnan", "isfinite"]
# Units in the last place between the evaluator, which is right to half a unit, and a kernel's approximation.
APPROXIMATE = {
    "exp": 4, "exp2": 4, "log": 4, "log2": 4, "log10": 4, "log1p": 4, "rsqrt": 2, "cbrt": 4, "sin": 2, "cos": 2, "tan": 4,
    "asin": 4, "acos": 4, "atan": 4, "sinh": 4, "cosh": 4, "tanh": 5, "asinh": 4, "acosh": 4, "atanh": 4, "erf": 5, "erfc": 4,
}  # fmt: skip
APPROXIMATE_BINARY = {"powf": 4, "atan2": 4}


class Case:
    """One body of a map: its text, where %x0, %x1 and %x2 are elements of the operands and %r the result, their types, the
    pairs of values for which it is defined, and the units in the last place that it may be off."""

    def __init__(self, name, text, operands, result, units=0, defined=None):
        self.name, self.text, self.operands, self.result, self.units, self.defined = name, text, operands, result, units, defined


def integer_values(kind):
    info = np.iinfo(INTEGERS[kind])
    values = [0, 1, -1, 2, 3, -3, 7, 8, 15, 16, 31, 32, 63, 64, 100, -100, info.min, info.min + 1, info.max, info.max - 1, info.max // 2]
    values += [v for v in (127, 128, -128, 255, 256, 32767, 65535, 1 << 31, (1 << 53) + 1, (1 << 24) + 1, -(1 << 24) - 1) if info.min <= v <= info.max]
    return np.array(sorted({v for v in values if info.min <= v <= info.max}), info.dtype)


def float_values(kind):
    """As numbers of f64 that the type holds; f16 and bf16 as the integers of their bits."""
    tiny, least, most, digits = {
        "f16": (2.0**-14, 2.0**-24, 65504.0, 10), "bf16": (2.0**-126, 2.0**-133, 3.3895313892515355e38, 7),
        "f32": (2.0**-126, 2.0**-149, float(np.finfo(np.float32).max), 23), "f64": (2.0**-1022, 5e-324, np.finfo(np.float64).max, 52),
    }[kind]  # fmt: skip
    step = 2.0**-digits
    positive = [0.0, 1.0, 0.5, 1.5, 2.5, 2.0, 3.0, 0.1875, 10.0, 100.0, 1 + step, 1 - step / 2, 2.0**digits - 1, tiny, tiny - least, least, 2 * least, most]
    positive += [np.inf, np.nan, 0.75, 1.25]
    if kind in FLOATS:
        positive += [0.1, 0.7, 1e-3, 20.0, 88.7, 127.5, 255.0, 2147483520.0, 4294967040.0, 9.2e18, 1.8e19, 2.0**63, 2.0**64, 1e30, 2.0**(digits + 3)]
        # Values at or near the middle of two numbers of narrower types.
        positive += [2049.0, 2051.0, 65519.0, 65520.0, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-25, 3 * 2.0**-25, 2.0**-24, 1.5 * 2.0**-134]
    if kind == "f64":
        positive += [1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-8 - 2.0**-40, 1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-24 + 2.0**-50, 1 + 2.0**-24, 709.7, 710.0, 3.4028236e38, 2.0**-150]
    values = np.array([v for p in positive for v in (p, -p)])
    if kind in FLOATS:
        return values.astype(FLOATS[kind])
    return (values.astype(np.float16).view(np.int16) if kind == "f16" else (values.astype(np.float32).view(np.int32) >> 16).astype(np.int16))


def values_of(kind):
    return integer_values(kind) if kind in INTEGERS else float_values(kind)


def spread(kinds):
    """All combinations of the values of up to three types, as flat arrays; a third operand is shuffled in."""
    grids = np.meshgrid(*(values_of(kind) for kind in kinds[:2]), indexing="ij")
    arrays = [grid.ravel() for grid in grids]
    if len(kinds) == 3:
        third = values_of(kinds[2])
        arrays.append(np.tile(third, -(-arrays[0].size // third.size) * 7)[:: 7][: arrays[0].size].copy())
    return arrays


def whole_of(kind, low, high):
    return lambda x: np.isfinite(x) & (np.trunc(x) >= low) & (np.trunc(x) <= high)


def within_normal(x):
    """Kernels of f32 treat numbers below the normal range as the smallest one, and return 0 for results there."""
    return ~((np.abs(x) < 2.0**-126) & (x != 0)) & ~((x < -87) & (x > -104))


def cases():
    """Operation by type. What LLVM leaves undefined is left out: the importer asks before it."""
    result = []

    def add(*args, **kwargs):
        result.append(Case(*args, **kwargs))

    for kind, dtype in INTEGERS.items():
        bits, least = np.iinfo(dtype).bits, np.iinfo(dtype).min
        for op in INT_BINARY:
            add(f"{op}_{kind}", f"%r = arith.{op} %x0, %x1 : {kind}", [kind, kind], kind)
        for op in INT_DIVISION:
            add(f"{op}_{kind}", f"%r = arith.{op} %x0, %x1 : {kind}", [kind, kind], kind, defined=lambda a, b, least=least: (b != 0) & ~((a == least) & (b == -1)))
        for op in SHIFTS:
            add(f"{op}_{kind}", f"%r = arith.{op} %x0, %x1 : {kind}", [kind, kind], kind, defined=lambda a, b, bits=bits: (b >= 0) & (b < bits))
        for predicate in INT_COMPARISONS:
            add(f"cmpi_{predicate}_{kind}", f"%c = arith.cmpi {predicate}, %x0, %x1 : {kind}\n%r = arith.extui %c : i1 to i8", [kind, kind], "i8")
        add(f"select_{kind}", f"%c = arith.cmpi slt, %x0, %x1 : {kind}\n%r = arith.select %c, %x1, %x0 : {kind}", [kind, kind], kind)
        add(f"absi_{kind}", f"%r = math.absi %x0 : {kind}", [kind], kind, defined=lambda a, least=least: a != least)
        add(f"bool_{kind}", f"%z = arith.constant 0 : {kind}\n%a = arith.cmpi ne, %x0, %z : {kind}\n%b = arith.cmpi ne, %x1, %z : {kind}\n"
            f"%c = arith.xori %a, %b : i1\n%d = arith.andi %c, %a : i1\n%e = arith.ori %d, %c : i1\n%r = arith.extsi %e : i1 to {kind}", [kind, kind], kind)  # fmt: skip
        add(f"index_{kind}", f"%a = arith.index_cast %x0 : {kind} to index\n%b = arith.index_castui %x0 : {kind} to index\n%c = arith.subi %b, %a : index\n"
            f"%r = arith.index_cast %c : index to i64", [kind], "i64")  # fmt: skip
        for other in INTEGERS:
            if np.iinfo(INTEGERS[other]).bits > bits:
                add(f"extsi_{kind}_{other}", f"%r = arith.extsi %x0 : {kind} to {other}", [kind], other)
                add(f"extui_{kind}_{other}", f"%r = arith.extui %x0 : {kind} to {other}", [kind], other)
                add(f"trunci_{other}_{kind}", f"%r = arith.trunci %x0 : {other} to {kind}", [other], kind)
        for other in FLOATS:
            add(f"sitofp_{kind}_{other}", f"%r = arith.sitofp %x0 : {kind} to {other}", [kind], other)
            add(f"uitofp_{kind}_{other}", f"%r = arith.uitofp %x0 : {kind} to {other}", [kind], other)
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            add(f"fptosi_{other}_{kind}", f"%r = arith.fptosi %x0 : {other} to {kind}", [other], kind, defined=whole_of(other, float(low), np.nextafter(float(high), 0)))
            add(f"fptoui_{other}_{kind}", f"%r = arith.fptoui %x0 : {other} to {kind}", [other], kind, defined=whole_of(other, 0.0, np.nextafter(2.0**bits, 0)))
    for kind in FLOATS:
        for op in FLOAT_BINARY:
            # Which of two zeros is larger is unspecified.
            defined = (lambda a, b: ~((a == 0) & (b == 0))) if op.startswith(("max", "min")) else None
            add(f"{op}_{kind}", f"%r = arith.{op} %x0, %x1 : {kind}", [kind, kind], kind, defined=defined)
        add(f"remf_{kind}", f"%r = arith.remf %x0, %x1 : {kind}", [kind, kind], kind)
        add(f"negf_{kind}", f"%r = arith.negf %x0 : {kind}", [kind], kind)
        add(f"copysign_{kind}", f"%r = math.copysign %x0, %x1 : {kind}", [kind, kind], kind)
        add(f"fma_{kind}", f"%r = math.fma %x0, %x1, %x2 : {kind}", [kind] * 3, kind)
        add(f"select_{kind}", f"%c = arith.cmpf olt, %x0, %x1 : {kind}\n%r = arith.select %c, %x1, %x0 : {kind}", [kind, kind], kind)
        for predicate in FLOAT_COMPARISONS:
            add(f"cmpf_{predicate}_{kind}", f"%c = arith.cmpf {predicate}, %x0, %x1 : {kind}\n%r = arith.extui %c : i1 to i8", [kind, kind], "i8")
        for op in TESTS:
            add(f"{op}_{kind}", f"%c = math.{op} %x0 : {kind}\n%r = arith.extui %c : i1 to i8", [kind], "i8")
        for op in EXACT:
            add(f"{op}_{kind}", f"%r = math.{op} %x0 : {kind}", [kind], kind)
        for op, units in APPROXIMATE.items():
            defined = within_normal if kind == "f32" and op in ("exp", "log") else None
            add(f"{op}_{kind}", f"%r = math.{op} %x0 : {kind}", [kind], kind, units, defined=defined)
        for op, units in APPROXIMATE_BINARY.items():
            add(f"{op}_{kind}", f"%r = math.{op} %x0, %x1 : {kind}", [kind, kind], kind, units)
        same = f"i{kind[1:]}"
        add(f"bitcast_{kind}", f"%r = arith.bitcast %x0 : {kind} to {same}", [kind], same, defined=lambda x: ~np.isnan(x))
        add(f"bitcast_{same}", f"%a = arith.bitcast %x0 : {same} to {kind}\n%r = arith.negf %a : {kind}", [same], kind)
        for narrow in NARROW:
            add(f"truncf_{kind}_{narrow}", f"%r = arith.truncf %x0 : {kind} to {narrow}", [kind], narrow)
            add(f"extf_{narrow}_{kind}", f"%a = arith.bitcast %x0 : i16 to {narrow}\n%r = arith.extf %a : {narrow} to {kind}", ["i16"], kind)
    add("truncf_f64_f32", "%r = arith.truncf %x0 : f64 to f32", ["f64"], "f32")
    add("extf_f32_f64", "%r = arith.extf %x0 : f32 to f64", ["f32"], "f64")
    return result


def constant_text(array, kind):
    data = np.ascontiguousarray(array).tobytes()
    return f'hone.constant dense<"0x{data.hex().upper()}"> : tensor<{array.size}x{kind}>'


def model_text(chosen, data, folded):
    """A module with a map for each case, over constants or over inputs."""
    signature, body, results, types = [], [], [], []
    for i, case in enumerate(chosen):
        names = []
        for j, (array, kind) in enumerate(zip(data[i], case.operands)):
            name = f"a{i}_{j}"
            names.append(f"%{name}")
            if folded:
                body.append(f"%{name} = {constant_text(array, kind)}")
            else:
                signature.append(f'%{name}: tensor<{array.size}x{kind}> {{hone.name = "{name}", hone.type = "{NAMES[kind]}", hone.dims = [{array.size}]}}')
        count = data[i][0].size
        ins = ", ".join(f"tensor<{count}x{k}>" for k in case.operands)
        arguments = ", ".join(f"%x{j}: {k}" for j, k in enumerate(case.operands))
        body += [f"%r{i} = hone.map ins({', '.join(names)} : {ins}) -> tensor<{count}x{case.result}> {{", f"^bb0({arguments}):", case.text, f"hone.yield %r : {case.result}", "}"]
        results.append(f'tensor<{count}x{case.result}> {{hone.name = "r{i}", hone.type = "{NAMES[case.result]}", hone.dims = [{count}]}}')
        types.append(f"tensor<{count}x{case.result}>")
    end = f"return {', '.join(f'%r{i}' for i in range(len(chosen)))} : {', '.join(types)}"
    return "\n".join([f"func.func @main({', '.join(signature)}) -> ({', '.join(results)}) {{", *body, end, "}", ""])


def ordered(array):
    """The bits of floats as integers in the numbers' order."""
    bits = array.view({2: np.int16, 4: np.int32, 8: np.int64}[array.dtype.itemsize]).astype(object)
    least = -(1 << (8 * array.dtype.itemsize - 1))
    return np.where(bits < 0, least - bits, bits)


def difference(got, want, units):
    """Where two arrays differ by more than so many units; any NaN is like any other."""
    if got.dtype.kind not in "f" and got.dtype.name != "bfloat16":
        return got != want
    with np.errstate(invalid="ignore"):
        same = np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64))
    bits = f"i{got.dtype.itemsize}"
    same |= got.view(bits) == want.view(bits)
    if units:
        off = np.abs(ordered(got) - ordered(want)).astype(object) <= units
        same |= off.astype(bool) & np.isfinite(got) & np.isfinite(want)
    return ~same


class EvaluatorTest(unittest.TestCase):
    def test_all_operations_are_here(self):
        """What the evaluator knows is what is compared."""
        source = EVALUATOR.read_text()
        known = {m.lower() for m in re.findall(r"\b(?:arith|math)::(\w+)Op\b", source)} - {"constant"}
        compared = {m.replace("_", "") for case in cases() for m in re.findall(r"(?:arith|math)\.(\w+)", case.text)}
        self.assertEqual(known - compared, set())

    def compare(self, chosen):
        data = []
        for case in chosen:
            arrays = spread(case.operands)
            if case.defined:
                kept = case.defined(*arrays)
                arrays = [array[kept] for array in arrays]
            data.append(arrays)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "scalar.mlir"
            path.write_text(model_text(chosen, data, folded=True))
            folded = hone.compile(path).run({})
            graph = subprocess.run([HONE, "compile", path, "--emit=graph"], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("hone.map", graph, "it was not evaluated")
            path.write_text(model_text(chosen, data, folded=False))
            run = hone.compile(path).run({f"a{i}_{j}": a for i, arrays in enumerate(data) for j, a in enumerate(arrays)})
        for i, case in enumerate(chosen):
            want, got = folded[f"r{i}"], run[f"r{i}"]
            bad = np.flatnonzero(difference(got, want, case.units))
            at = bad[:1]
            with self.subTest(case.name):
                self.assertEqual(bad.size, 0, f"{bad.size} of {got.size} differ; of {[a[at] for a in data[i]]} evaluated {want[at]}, run {got[at]}")

    def test_integers(self):
        for kind in INTEGERS:
            self.compare([case for case in cases() if case.operands[0] == kind])

    def test_floats(self):
        for kind in FLOATS:
            self.compare([case for case in cases() if case.operands[0] == kind])


if __name__ == "__main__":
    unittest.main()
