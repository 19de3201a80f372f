#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Custom operators: what they are given, with sizes that are known, free or from data, and what is refused."""
import asyncio
import concurrent.futures
import gc
import pathlib
import pickle
import shutil
import subprocess
import tempfile
import unittest
import weakref

import ml_dtypes
import numpy as np
import onnx.parser

import hone

SOURCE = pathlib.Path(__file__).resolve().parents[2]
COMPILER = shutil.which("clang-22") or shutil.which("cc")


def compile_c(source, output, *options):
    subprocess.run([COMPILER, "-std=c11", "-O2", "-fPIC", "-I", SOURCE / "runtime/include", "-c", source, "-o", output, *options], check=True)
    return output


def model_of(text, domain_version=1):
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21, "test" : {domain_version}]>\n{text}')


class CustomTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.operators = compile_c(SOURCE / "test/python/Inputs/custom_ops.c", cls.folder / "ops.o")

    def compile(self, text, domain_version=1, **options):
        return hone.compile(model_of(text, domain_version), custom_ops=self.operators, cpu="x86-64-v3", **options)

    def hostile(self, mode, rows="n"):
        return self.compile(f'graph (float[{rows}, 3] x) => (float[m, 3] y) {{ [here] h = test.Hostile<mode = "{mode}">(x) y = Neg(h) }}')


class ValuesTest(CustomTest):
    def test_inputs_and_attributes(self):
        model = self.compile(
            "graph (float[2] x, int64 i, bool[1, 1] b, float16[n] h, uint8[3] u) => (uint8[256] y) {"
            ' y = test.Describe<one = 3, many = [-1, 2], part = 0.5, parts = [1.5, -2.0], text = "ab", texts = ["c", ""]>(x, , i, b, h, u) }'
        )
        y = model(np.zeros(2, "f4"), np.int64(0), np.zeros((1, 1), bool), np.zeros(3, "f2"), np.zeros(3, "u1"))["y"]
        self.assertEqual(bytes(y).rstrip(b"\0").decode(), "1/1 0/0 7/0 9/2 10/1 2/1 many=-1,2, one=3, part=0.5, parts=1.5,-2, text=ab, texts=c,, ")

    def test_free_sizes_are_those_of_inputs(self):
        model = self.hostile("")
        for rows in 4, 0, 1:
            np.testing.assert_array_equal(model(np.ones((rows, 3), "f4"))["y"], -np.arange(3 * rows, dtype="f4").reshape(rows, 3))

    def test_known_sizes(self):
        np.testing.assert_array_equal(self.hostile("", 4)(np.ones((4, 3), "f4"))["y"], -np.arange(12, dtype="f4").reshape(4, 3))

    def test_sizes_that_are_computed(self):
        for mode, rows in ("unknown", 4), ("compile-double", 8), ("zero", 0):
            with self.subTest(mode):
                y = self.hostile(mode)(np.ones((4, 3), "f4"))["y"]
                np.testing.assert_array_equal(y, -np.arange(3 * rows, dtype="f4").reshape(rows, 3))

    def test_sizes_from_data(self):
        model = self.compile("graph (float[n] x) => (float[m] y, int64 c) { h, c = test.Above<bound = 1.5>(x) s = Constant<value_float = 0.015625>() g = Mul(h, s) y = Exp(g) }")
        for values in [1, 2, 3], [0], [], list(range(100)):
            x = np.array(values, "f4")
            outputs = model(x)
            np.testing.assert_allclose(outputs["y"], np.exp(x[x > 1.5] / 64), rtol=1e-6)
            self.assertEqual(outputs["c"], (x > 1.5).sum())

    def test_constants_are_computed_when_it_runs(self):
        model = self.compile("graph (float[2] x) => (float[m] y) <float[4] w = {1, 2, -3, 4}> { h = test.Above(w) s = Size(h) f = Cast<to = 1>(s) y = Mul(x, f) }")
        np.testing.assert_array_equal(model(np.array([1, 2], "f4"))["y"], [3, 6])

    def test_in_bodies(self):
        model = self.compile(
            "graph (float[n] x, int64 trips) => (float[m] y) {"
            ' start = Constant<value_float = 0.0>() c = Constant<value = bool {1}>()'
            " s = Loop(trips, c, start) <body = graph (int64 i, bool go, float a) => (bool on, float b) {"
            "   h = test.Above(x) t = ReduceSum<keepdims = 0>(h) b = Add(a, t) on = Identity(go) }>"
            " y = Add(s, x) }"
        )
        x = np.array([1, -2, 3], "f4")
        for trips in 0, 1, 50:
            np.testing.assert_allclose(model(x, np.int64(trips))["y"], x + 4 * trips)

    def test_in_functions(self):
        model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 21, "own" : 1, "test" : 1]>
            graph (float[n] x) => (float[m] y) { y = own.Twice<b = 2.0>(x) }
            <domain: "own", opset_import: ["" : 21, "test" : 1]> Twice <b> (x) => (y) { h = test.Above<bound: float = @b>(x) y = Add(h, h) }""")
        compiled = hone.compile(model, custom_ops=[self.operators])
        np.testing.assert_array_equal(compiled(np.array([1, 3, 2, 4], "f4"))["y"], [6, 8])

    def test_the_newest_version_up_to_the_models(self):
        for opset, version in (1, 1), (2, 1), (3, 3), (4, 4), (9, 4):
            model = self.compile("graph (float[1] x) => (float[1] y) { y = test.Version(x) }", opset)
            self.assertEqual(model(np.zeros(1, "f4"))["y"], version)

    def test_an_operator_of_onnx_that_hone_does_not_have(self):
        model = self.compile("graph (float[1] x) => (float[1] y) { y = NotInOnnx(x) }")
        self.assertEqual(model(np.zeros(1, "f4"))["y"], 1)

    def test_check(self):
        model = model_of("graph (float[n] x) => (float[n] y) { y = test.Above(x) }")
        self.assertIn("'Above' of domain 'test'", " ".join(hone.check(model)))
        self.assertEqual(hone.check(model, custom_ops=self.operators), [])


def scale(x, by):
    return x * np.float32(by)


class FunctionTest(CustomTest):
    """Functions of Python."""

    MODEL = "graph (float[n, 3] x) => (float[n, 3] y) <float[n, 3] h> { [here] h = test.Scale<by = 2.5>(x) y = Neg(h) }"

    def compile_with(self, functions, text=MODEL, **options):
        return hone.compile(model_of(text), operators=functions, cpu="x86-64-v3", **options)

    def test_values(self):
        x = np.arange(6, dtype="f4").reshape(2, 3)
        for options in {}, {"dims": {"n": 2}}, {"target": "cuda-emulated"}:
            np.testing.assert_array_equal(self.compile_with({"test:Scale": scale}, **options)(x)["y"], -2.5 * x)
        np.testing.assert_array_equal(self.compile_with({"test:Scale": scale})(x[:0])["y"], x[:0])

    def test_what_it_is_given(self):
        def look(x, none, i, b, u, **attributes):
            self.assertIsNone(none)
            self.assertEqual([(a.dtype.str, a.shape, a.flags.writeable) for a in (x, i, b, u)], [("<f4", (2,), False), ("<i8", (), False), ("|b1", (1, 1), False), ("|u1", (0,), False)])
            self.assertEqual(attributes, {"one": 3, "many": [-1, 2], "part": 0.5, "text": "ab", "texts": ["c", ""]})
            return x[:1], np.int64(7)

        model = self.compile_with(
            {"test:Look": look},
            'graph (float[2] x, int64 i, bool[1, 1] b, uint8[u] u) => (float[m] y, int64 z) { y, z = test.Look<one = 3, many = [-1, 2], part = 0.5, text = "ab", texts = ["c", ""]>(x, , i, b, u) }',
        )
        outputs = model(np.array([4, 5], "f4"), np.int64(0), np.zeros((1, 1), bool), np.zeros(0, "u1"))
        np.testing.assert_array_equal(outputs["y"], [4])
        self.assertEqual(outputs["z"], 7)

    def test_types_that_numpy_lacks(self):
        bfloat16 = np.dtype(ml_dtypes.bfloat16)

        def double(x):
            self.assertEqual(x.dtype, bfloat16)
            return x + x

        model = self.compile_with({"test:Double": double}, "graph (bfloat16[n] x) => (bfloat16[n] y) { y = test.Double(x) }")
        np.testing.assert_array_equal(model(np.array([1, -2.5], bfloat16))["y"], np.array([2, -5], bfloat16))

    def test_results_in_the_other_byte_order(self):
        model = self.compile_with({"test:Scale": lambda x, by: (x * np.float32(by)).astype(">f4")})
        x = np.arange(6, dtype="f4").reshape(2, 3)
        np.testing.assert_array_equal(model(x)["y"], -2.5 * x)

    def test_the_cause_of_an_error(self):
        for raised in ValueError("no"), KeyboardInterrupt(), SystemExit(3):

            def fail(x, by):
                raise raised

            model = self.compile_with({"test:Scale": fail})
            x = np.zeros((2, 3), "f4")
            for call in lambda: model(x), lambda: model.profile({"x": x}, runs=1):
                with self.assertRaises(hone.RunError if isinstance(raised, Exception) else type(raised)) as caught:
                    call()
                self.assertIs(caught.exception.__cause__ or caught.exception, raised)
            with self.assertRaises(hone.RunError) as caught:
                model(np.zeros((2, 4), "f4"))
            self.assertIsNone(caught.exception.__cause__)

    def test_errors_keep_nothing_alive(self):
        def fail(x, by):
            raise ValueError("no")

        model = self.compile_with({"test:Scale": fail})
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        try:  # assertRaises clears the frames that the error refers to.
            model(np.zeros((2, 3), "f4"))
            self.fail("no error")
        except hone.RunError:
            pass
        gone = weakref.ref(model)
        del model
        self.assertIsNone(gone())

    def test_messages_end_with_a_whole_character(self):
        def fail(x, by):
            raise ValueError("x" * shift + "\u20ac" * 200)

        model = self.compile_with({"test:Scale": fail})
        for shift in range(3):
            with self.assertRaises(hone.RunError) as caught:
                model(np.zeros((2, 3), "f4"))
            self.assertTrue(str(caught.exception).endswith("\u20ac"))

    def test_errors_of_functions(self):
        def fail(x, by):
            raise ValueError("not\n" + "x" * 1000)

        for text, function in (
            (r"ValueError: not\\nxxx", fail),
            ("TypeError", lambda x: x),
            ("it returned 2 outputs instead of 1", lambda x, by: (x, x)),
            ("the type 11, and gave it 1", lambda x, by: x.astype("f8")),
            ("the rank 1, and gave it 2", lambda x, by: x[0]),
            ("sizes do not fit: 1 and 2", lambda x, by: x[:1]),
            ("output 0 is an array of", lambda x, by: "text"),
            ("read-only", lambda x, by: x.fill(0)),
        ):
            with self.subTest(text):
                model = self.compile_with({"test:Scale": function})
                for _ in range(2):
                    with self.assertRaisesRegex(hone.RunError, r"node 'here' \(Scale\): .*" + text):
                        model(np.zeros((2, 3), "f4"))

    def test_loading_and_pickles(self):
        path = self.folder / "scale.so"
        x = np.ones((1, 3), "f4")
        hone.compile_library(model_of(self.MODEL), path, operators=["test:Scale"])
        with self.assertRaisesRegex(hone.RunError, "the session was not given this custom operator"):
            hone.load(path)(x)
        model = hone.load(path, operators={"test:Scale": scale})
        for opened in model, pickle.loads(pickle.dumps(model)), pickle.loads(pickle.dumps(self.compile_with({"test:Scale": scale}))):
            np.testing.assert_array_equal(opened(x)["y"], -2.5 * x)

    def test_threads_and_asyncio(self):
        model = self.compile_with({"test:Scale": scale}, threads=2)
        inputs = [np.full((2, 3), i, "f4") for i in range(40)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for x, outputs in zip(inputs, pool.map(model, inputs)):
                np.testing.assert_array_equal(outputs["y"], -2.5 * x)

        async def run():
            return await asyncio.gather(*(self.compile_with({"test:Scale": scale}).run_async(x) for x in inputs[:3]))

        for x, outputs in zip(inputs, asyncio.run(run())):
            np.testing.assert_array_equal(outputs["y"], -2.5 * x)

    def test_wrong_arguments(self):
        model = model_of(self.MODEL)
        for error, text, operators in (
            (TypeError, "operators must be a list of names, not int", 3),
            (TypeError, "not str", "test:Scale"),
            (TypeError, "what it has a function", {"test:Scale": 3}),
            (ValueError, "'Scale' is not 'domain:name'", {"Scale": scale}),
            (ValueError, "':Scale' is not", {":Scale": scale}),
            (hone.CompileError, "Hone has 'Relu' of domain 'ai.onnx' itself", {"ai.onnx:Relu": scale}),
            (hone.CompileError, "'Scale' of domain 'test'", {"test:Other": scale}),
        ):
            with self.assertRaisesRegex(error, text) as caught:
                hone.compile(model, operators=operators)
            self.assertIsInstance(caught.exception, hone.Error)
        with self.assertRaisesRegex(hone.CompileError, "the file does not say what tensor its output 'h' is"):
            self.compile_with({"test:Scale": scale}, "graph (float[n] x) => (float[n] y) { h = test.Scale<by = 1.0>(x) y = Neg(h) }")
        self.assertEqual(hone.check(model, operators=["test:Scale"]), [])


class RefusalTest(CustomTest):
    def assertRefused(self, text, call, *arguments, **options):
        with self.assertRaises(hone.CompileError) as caught:
            call(*arguments, **options)
        self.assertIn(text, str(caught.exception))
        self.assertNotIn("internal error", str(caught.exception))

    def test_when_it_is_compiled(self):
        for mode, text in (
            ("compile-nothing", "its shape function gives output 0 the rank -1"),
            ("compile-rank", "its shape function gives output 0 the rank 17"),
            ("compile-type", "its shape function gives output 0 the type 99"),
            ("compile-string", "its shape function gives output 0 the type 8"),
            ("compile-error", r"refused\n\x1b[31m"),
            ("compile-silent", "its shape function failed"),
        ):
            with self.subTest(mode):
                self.assertRefused("node 'here' (Hostile, domain test, opset 1): " + text, self.hostile, mode)

    def test_a_crash_when_it_is_compiled(self):
        with self.assertRaisesRegex(hone.CompileError, "it ran code of --custom-ops"):
            self.hostile("compile-crash")

    def test_when_it_runs(self):
        for mode, text in (
            ("rank", "the shape function gives output 0 the rank 1, and gave it 2 when the model was compiled"),
            ("no-rank", "the shape function gives output 0 the rank -7"),
            ("type", "the shape function gives output 0 the type 11, and gave it 1"),
            ("same-width", "the shape function gives output 0 the type 6, and gave it 1"),
            ("size", "sizes do not fit: 4 and 3"),
            ("other", "sizes do not fit"),
            ("compile-lies", "sizes do not fit"),
            ("no-dims", "which is impossible"),
            ("negative", "its sizes describe a tensor of [-3, 3], which is impossible"),
            ("huge", "out of memory"),
            ("overflow", "larger than any memory"),
            ("shape-error", "these sizes are refused"),
            ("error", r"refused\n\x1b[31m"),
            ("silent", "the custom operator failed"),
            ("unterminated", "xxx"),
            ("stopped", "stopped"),
        ):
            with self.subTest(mode):
                model = self.hostile(mode)
                with self.assertRaises(hone.RunError) as caught:
                    model(np.ones((4, 3), "f4"))
                message = str(caught.exception)
                self.assertIn(text.split(" fit")[0], message)
                self.assertIn("'here' (Hostile)", message)

    def test_what_an_operator_does_to_its_call_is_ignored(self):
        for mode in "spoilt", "no-pieces":
            np.testing.assert_array_equal(self.hostile(mode)(np.ones((4, 3), "f4"))["y"], -np.arange(12, dtype="f4").reshape(4, 3))

    def test_a_run_after_a_failed_one(self):
        model = self.compile('graph (float[n] x, float[k, 3] z) => (float[m] y) { h = test.Hostile<mode = "other">(z) r = Shape(h) f = Cast<to = 1>(r) a = test.Above(x) y = Concat<axis = 0>(a, f) }')
        for _ in range(3):
            with self.assertRaises(hone.RunError):
                model(np.ones(2, "f4"), np.ones((4, 3), "f4"))

    def test_inputs_and_attributes(self):
        for text, graph in (
            ("its input 0 is none", "graph (string[n] x) => (uint8[256] y) { y = test.Describe(x) }"),
            ("its input 0 is none", "graph (complex64[n] x) => (uint8[256] y) { y = test.Describe(x) }"),
            ("its input 0 is none", "graph (seq(float[n]) x) => (uint8[256] y) { y = test.Describe(x) }"),
            ("the attribute 't' is none of integers, floats and strings", "graph (float[n] x) => (uint8[256] y) { y = test.Describe<t = float[1] {1}>(x) }"),
        ):
            with self.subTest(text):
                self.assertRefused(text, self.compile, graph)
        twice = model_of("graph (float[n] x) => (uint8[256] y) { y = test.Describe<a = 1>(x) }")
        twice.graph.node[0].attribute.add().CopyFrom(twice.graph.node[0].attribute[0])
        self.assertRefused("twice", hone.compile, twice, custom_ops=self.operators)

    def test_helpers_stay_inside_the_call(self):
        """Of a node without inputs there is no shape to copy: an input behind them would be read."""
        source = self.folder / "same.c"
        source.write_text("""
            #include <hone/custom.h>
            static int32_t shape(hone_custom_call *call) {
              hone_tensor behind = {0, 0, 0, 1};
              call->inputs = &behind; /* what was read of it would be this type */
              hone_custom_same_shape(call, 0, 0);
              return 0;
            }
            static int32_t run(hone_custom_call *call) { return 0; }
            static const hone_custom_operator all[] = {{"test", "Same", 1, shape, run}};
            const hone_custom_table hone_custom_operators = {HONE_CUSTOM_VERSION, 1, all};
            """)
        operators = compile_c(source, self.folder / "same.o")
        self.assertRefused("its shape function gives output 0 the type 0", hone.compile, model_of("graph () => (float y) { h = test.Same() y = Neg(h) }"), custom_ops=operators)

    def test_names_with_a_terminator(self):
        """A name is compared whole, and not up to a NUL in it."""
        for change in (lambda node: setattr(node, "op_type", "Above\0x"), lambda node: setattr(node, "domain", "test\0x")):
            model = model_of("graph (float[n] x) => (float[m] y) { h = test.Above(x) y = Neg(h) }")
            change(model.graph.node[0])
            self.assertRefused("Above", hone.compile, model, custom_ops=self.operators)

    def test_tables(self):
        for text, *options in (
            ("they were compiled with version 7 of hone/custom.h", "-DTABLE={7, 1, all}"),
            ("hone_custom_operators lists none", "-DTABLE={HONE_CUSTOM_VERSION, 0, all}"),
            ("hone_custom_operators lists none", "-DTABLE={HONE_CUSTOM_VERSION, 1, 0}"),
            ("one has no name", '-DMORE={"test", 0, 1, version_shape, version_1}'),
            ("one has no name", '-DMORE={0, "Foo", 1, version_shape, version_1}'),
            ("'Foo' of domain 'test' lacks a function", '-DMORE={"test", "Foo", 1, 0, version_1}'),
            ("'Foo' of domain 'test' lacks a function", '-DMORE={"test", "Foo", 1, version_shape, 0}'),
            ("'Foo' of domain 'test' is of version 0", '-DMORE={"test", "Foo", 0, version_shape, version_1}'),
            ("'Above' of domain 'test' is there twice for version 1", '-DMORE={"test", "Above", 1, version_shape, version_1}'),
            ("'Foo' of domain 'ai.onnx' is there twice for version 1", '-DMORE={"", "Foo", 1, version_shape, version_1}, {"ai.onnx", "Foo", 1, version_shape, version_1}'),
            ("Hone has 'Relu' of domain 'ai.onnx' itself", '-DMORE={"", "Relu", 1, version_shape, version_1}'),
            ("Hone has 'FusedMatMul' of domain 'com.microsoft' itself", '-DMORE={"com.microsoft", "FusedMatMul", 1, version_shape, version_1}'),
            ("undefined symbol: elsewhere", "-DMORE={0}", "-Dhostile_run=elsewhere"),
        ):
            with self.subTest(text):
                if "elsewhere" in text:
                    source = self.folder / "undefined.c"
                    source.write_text('#include <hone/custom.h>\nint32_t elsewhere(hone_custom_call *);\nstatic const hone_custom_operator all[] = {{"test", "Foo", 1, elsewhere, elsewhere}};\nconst hone_custom_table hone_custom_operators = {1, 1, all};\n')
                    operators = compile_c(source, self.folder / "other.o")
                else:
                    operators = compile_c(SOURCE / "test/python/Inputs/custom_ops.c", self.folder / "other.o", *options)
                model = model_of("graph (float[n] x) => (float[n] y) { y = Neg(x) }")
                self.assertRefused("custom operators: " + text, hone.compile, model, custom_ops=operators)

    def test_files(self):
        model = model_of("graph (float[n] x) => (float[n] y) { y = Neg(x) }")
        script = self.folder / "script.o"
        script.write_text(f"INPUT({self.operators})")
        empty = self.folder / "empty.c"
        empty.write_text("int hone_other;")
        library = self.folder / "library.so"
        subprocess.run([COMPILER, "-shared", self.operators, "-o", library], check=True)
        bitcode = compile_c(empty, self.folder / "bitcode.o", *(["-flto"] if "clang" in COMPILER else []))
        for text, files in (
            ("No such file", self.folder / "none.o"),
            ("neither an object file", script),
            ("neither an object file", library),
            ("Is a directory", self.folder),
            ("none of the files defines hone_custom_operators", compile_c(empty, self.folder / "empty.o")),
            ("duplicate symbol: hone_custom_operators", [self.operators, self.operators]),
            *([("neither an object file", bitcode)] if "clang" in COMPILER else []),
        ):
            with self.subTest(text):
                self.assertRefused(text, hone.compile, model, custom_ops=files)


if __name__ == "__main__":
    unittest.main()
