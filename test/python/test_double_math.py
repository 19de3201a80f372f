# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of f64 on the emulated GPU, beside those of the C library in longer numbers."""
import math
import os
import pathlib
import tempfile
import unittest

import numpy as np

import hone

UNARY = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "cbrt": np.cbrt,
    "erf": lambda x: np.array([math.erf(v) for v in x], np.longdouble),
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
BINARY = {"powf": np.power, "atan2": np.arctan2}
# Units in the last place by which a result may be off.
TOLERANCE = 4
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2.2e-308, 1.7e308, -1.7e308]
RANDOM = np.random.default_rng(0)


def compile_maps(functions, operands):
    """A model with an output for each function of its inputs, on the emulated device."""
    names = [f"x{i}" for i in range(operands)]
    value = 'tensor<?xf64> {{hone.name = "{}", hone.type = "double", hone.dims = ["n"]}}'
    inputs = ", ".join(f"%{name}: {value.format(name)}" for name in names)
    outputs = ", ".join(value.format(name) for name in functions)
    lines = [f"func.func @main({inputs}) -> ({outputs}) {{", '  %n = hone.dim "n"']
    used, types = ", ".join("%" + name for name in names), ", ".join(["tensor<?xf64>"] * operands)
    scalars = ["%a", "%b"][:operands]
    for function in functions:
        lines += [
            f"  %{function} = hone.map ins({used} : {types}) dims(%n) -> tensor<?xf64> {{",
            f"  ^bb0({', '.join(f'{s}: f64' for s in scalars)}):",
            f"    %r = math.{function} {', '.join(scalars)} : f64",
            "    hone.yield %r : f64",
            "  }",
        ]
    lines += [f"  return {', '.join('%' + f for f in functions)} : {', '.join(['tensor<?xf64>'] * len(functions))}", "}"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "math.mlir"
        path.write_text("\n".join(lines) + "\n")
        return hone.compile(path, target="cuda-emulated")


def spread(low, high, count=3000):
    """Numbers of both signs between powers of two."""
    return np.exp2(RANDOM.uniform(low, high, count)) * RANDOM.choice([-1, 1], count)


def distance(got, want):
    """Units in the last place between results and expected values."""
    rounded = want.astype(np.float64)
    unit = np.maximum(np.spacing(np.abs(rounded)), 5e-324)
    with np.errstate(all="ignore"):
        off = np.abs(got.astype(np.longdouble) - want) / unit
    same = (got == rounded) & (np.signbit(got) == np.signbit(rounded)) | np.isnan(got) & np.isnan(rounded)
    return np.where(same, 0, np.where(np.isfinite(got) & np.isfinite(rounded), off, np.inf)).astype(float)


class DoubleMathTest(unittest.TestCase):
    def check(self, model, functions, *values):
        got = model.run({f"x{i}": v for i, v in enumerate(values)})
        with np.errstate(all="ignore"):
            for name, function in functions.items():
                off = distance(got[name], function(*(v.astype(np.longdouble) for v in values)))
                worst = int(np.argmax(off))
                if os.environ.get("HONE_TEST_SHOW"):
                    print(name, off[worst], [v[worst] for v in values])
                self.assertLessEqual(off[worst], TOLERANCE, f"{name} of {[float(v[worst]) for v in values]} is {got[name][worst]}")

    def test_one_operand(self):
        model = compile_maps(UNARY, 1)
        wide, near = spread(-1074, 1023), spread(-30, 10)
        # Multiples of pi / 2, and the angle in f64 that comes closest to one.
        angles = np.concatenate([np.arange(1, 500) * np.pi / 2, spread(20, 40), [6381956970095103.0 * 2.0**797]])
        for values in (np.array(SPECIAL), near, wide, angles, 1 + spread(-50, -1), RANDOM.uniform(-750, 750, 3000)):
            self.check(model, UNARY, values)

    def test_two_operands(self):
        model = compile_maps(BINARY, 2)
        x, y = (v.ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
        self.check(model, BINARY, x, y)
        self.check(model, BINARY, spread(-8, 8), spread(-8, 7))
        self.check(model, BINARY, spread(-1074, 1023), spread(-1, 1))
        self.check(model, BINARY, 1 + spread(-30, -3), spread(0, 30))
        self.check(model, BINARY, spread(-4, 4), np.round(spread(0, 6)))


if __name__ == "__main__":
    unittest.main()
