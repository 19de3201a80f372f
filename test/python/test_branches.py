# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Branches of an If that would end each run that takes them: against ONNX Runtime, which finds that in the run alone."""
import unittest

import numpy as np
from beside import reference
from onnx import parser

import hone

X = np.arange(6, dtype=np.float32).reshape(2, 3)
GOOD = "float[2, 3] a = Neg(x)"
# Bodies that return `b`, with a fault that each run of them meets.
FAULTS = {
    "gather": ("t = Constant<value_floats = [1.0, 2.0]>() i = Constant<value_ints = [2]>() b = Gather(t, i)", "b = Neg(v)", "b"),
    "reshape": ("i = Constant<value_ints = [5]>() b = Reshape(x, i)", "b = Neg(v)", "b"),
    "pad": ("i = Constant<value_ints = [-3, -3]>() b = Pad(v, i)", "b = Neg(v)", "b"),
    "window": (
        "i = Constant<value_ints = [1, 1, 3]>() j = Constant<value_ints = [-1]>() u = Reshape(v, i) w = MaxPool<kernel_shape = [7]>(u) b = Reshape(w, j)",
        "b = Neg(v)",
        "w",
    ),
    "outside": ("i = Constant<value_ints = [4]>() t = Gather(v, i) b = Neg(t)", "b = Neg(v)", "t"),
}


def model(then, otherwise, results="float[k] y", names="(float[k] b)"):
    return parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17]>
        test (bool c, float[2, 3] x, float[3] v) => ({results}) {{
            {", ".join(result.split()[-1] for result in results.split("; "))} = If(c) <then_branch = first () => {names} {{ {then} }}, else_branch = second () => {names} {{ {otherwise} }}>
        }}""")


def feeds(condition):
    return {"c": np.array(condition), "x": X, "v": X[0]}


class BranchTest(unittest.TestCase):
    def taken(self, made, works, node):
        """The branch of the condition `works` agrees with ONNX Runtime; the other one ends the run."""
        compiled = hone.compile(made.SerializeToString())
        for _ in range(2):
            for name, value in reference(made, feeds(works)).items():
                np.testing.assert_array_equal(compiled.run(feeds(works))[name], value)
            with self.assertRaisesRegex(hone.RunError, f"node '{node}' "):
                compiled.run(feeds(not works))
        with self.assertRaisesRegex(Exception, "ONNXRuntimeError"):
            reference(made, feeds(not works))

    def test_faults(self):
        for kind, (fault, good, node) in FAULTS.items():
            with self.subTest(kind=kind):
                self.taken(model(good, fault), True, node)
                self.taken(model(fault, good), False, node)

    def test_kinds_of_results(self):
        fault = FAULTS["gather"][0]
        for good, bad, kind in (
            ("s = Constant<value_string = \"u\">() b = Unsqueeze(s, z)", "b = Cast<to = 8>(w)", "string[k] y"),
            ("b = SequenceConstruct(v, x)", "b = SequenceConstruct(w, w)", "seq(float[k]) y"),
        ):
            with self.subTest(kind=kind):
                names = f"({kind[:-1]}b)"
                zero = "z = Constant<value_ints = [0]>() "
                made = model(zero + good, fault.replace("b = ", "w = ") + bad, kind, names)
                compiled = hone.compile(made.SerializeToString())
                want, got = reference(made, feeds(True))["y"], compiled.run(feeds(True))["y"]
                for a, b in zip(want, got, strict=True):
                    np.testing.assert_array_equal(a, b)
                with self.assertRaisesRegex(hone.RunError, "node 'w' "):
                    compiled.run(feeds(False))

    def refused(self, made, message):
        with self.assertRaisesRegex(hone.CompileError, message):
            hone.compile(made.SerializeToString())

    def test_both_branches(self):
        fault = FAULTS["gather"][0]
        self.refused(model(fault, fault), "has two branches of which each ends the run: node 'b'")

    def test_known_condition(self):
        fault, good, _ = FAULTS["gather"]
        made = model(good, fault)
        made.graph.node[0].input[0] = "known"
        for value in (True, False):
            held = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g () => (bool k) {{ k = Constant<value = bool {{{int(value)}}}>() }}').graph.node[0]
            held.output[0] = "known"
            one = type(made)()
            one.CopyFrom(made)
            one.graph.node.insert(0, held)
            if value:
                np.testing.assert_array_equal(hone.compile(one.SerializeToString()).run(feeds(True))["y"], -X[0])
            else:
                self.refused(one, "gathers element 2 of 2")

    def test_other_errors(self):
        """A node that cannot run is rejected, wherever it is."""
        good = FAULTS["gather"][1]
        self.refused(model(good, "b = Neg<axis = 1>(v, v)"), "inputs")
        fault = FAULTS["gather"][0]
        self.refused(model(good, fault.replace("b = ", "w = ") + " b = Neg(v, v)"), "inputs")

    def test_loops_in_branches(self):
        """A loop may have no iterations: its body does not end the branch."""
        body = "loop (int64 n, bool go, float[k] p) => (bool more, float[k] q) { more = Identity(go) i = Constant<value_ints = [3]>() q = Gather(v, i) }"
        loop = f"m = ReduceSum<keepdims = 0>(x) t = Cast<to = 7>(m) b = Loop(t, , v) <body = {body}>"
        self.refused(model("b = Neg(v)", loop), "gathers element 3 of 3")


if __name__ == "__main__":
    unittest.main()
