#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that are modules of MLIR, against numpy."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

import hone


class MlirTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "model.mlir"
        self.random = np.random.default_rng(0)

    def compile(self, text):
        self.path.write_text(text)
        return hone.compile(self.path)

    def floats(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def check(self, text, inputs, *wanted, tolerance=1e-5):
        got = self.compile(text)(*inputs)
        self.assertEqual(len(got), len(wanted))
        for name, want in zip(got, wanted):
            self.assertEqual(got[name].dtype, want.dtype)
            np.testing.assert_allclose(got[name], want, rtol=tolerance, atol=tolerance)


def windows(x, size, stride=1):
    """The windows over the middle two of four axes, as [n, rows, columns, c, size, size]."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]


class LinalgTest(MlirTest):
    def test_convolution_with_bias(self):
        x, w, b = self.floats(1, 9, 9, 3), self.floats(3, 3, 3, 8), self.floats(8)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        self.check("""func.func @main(%x: tensor<1x9x9x3xf32>, %w: tensor<3x3x3x8xf32>, %b: tensor<8xf32>) -> tensor<1x5x5x8xf32> {
  %c = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0,1,1,0] high[0,1,1,0] { ^bb0(%i: index, %j: index, %k: index, %l: index): tensor.yield %c : f32 } : tensor<1x9x9x3xf32> to tensor<1x11x11x3xf32>
  %e = tensor.empty() : tensor<1x5x5x8xf32>
  %i = linalg.broadcast ins(%b : tensor<8xf32>) outs(%e : tensor<1x5x5x8xf32>) dimensions = [0,1,2]
  %r = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%p, %w : tensor<1x11x11x3xf32>, tensor<3x3x3x8xf32>) outs(%i : tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32>
  return %r : tensor<1x5x5x8xf32>
}""", (x, w, b), np.einsum("nijchw,hwcf->nijf", windows(padded, 3, 2), w) + b, tolerance=1e-4)

    def test_depthwise_convolution(self):
        x, w = self.floats(2, 8, 8, 4), self.floats(3, 3, 4, 2)
        self.check("""func.func @main(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x2xf32>) -> tensor<2x6x6x4x2xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x6x4x2xf32>
  %i = linalg.fill ins(%c : f32) outs(%e : tensor<2x6x6x4x2xf32>) -> tensor<2x6x6x4x2xf32>
  %r = linalg.depthwise_conv_2d_nhwc_hwcm {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x2xf32>) outs(%i : tensor<2x6x6x4x2xf32>) -> tensor<2x6x6x4x2xf32>
  return %r : tensor<2x6x6x4x2xf32>
}""", (x, w), np.einsum("nijchw,hwcm->nijcm", windows(x, 3), w), tolerance=1e-4)

    def test_grouped_convolution(self):
        x, w = self.floats(1, 2, 4, 6, 6), self.floats(2, 3, 4, 3, 3)
        parts = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (3, 4))
        self.check("""func.func @main(%x: tensor<1x2x4x6x6xf32>, %w: tensor<2x3x4x3x3xf32>) -> tensor<1x2x3x4x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x2x3x4x4xf32>
  %i = linalg.fill ins(%c : f32) outs(%e : tensor<1x2x3x4x4xf32>) -> tensor<1x2x3x4x4xf32>
  %r = linalg.conv_2d_ngchw_gfchw {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x2x4x6x6xf32>, tensor<2x3x4x3x3xf32>) outs(%i : tensor<1x2x3x4x4xf32>) -> tensor<1x2x3x4x4xf32>
  return %r : tensor<1x2x3x4x4xf32>
}""", (x, w), np.einsum("ngcijhw,gfchw->ngfij", parts, w), tolerance=1e-4)

    def test_pools(self):
        x = self.floats(1, 8, 8, 3)
        parts = windows(x, 2, 2)
        self.check("""func.func @main(%x: tensor<1x8x8x3xf32>) -> (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) {
  %c = arith.constant 0.0 : f32
  %m = arith.constant 0xFF800000 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x4x4x3xf32>
  %i = linalg.fill ins(%m : f32) outs(%e : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %r = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x8x8x3xf32>, tensor<2x2xf32>) outs(%i : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %s = linalg.pooling_nhwc_sum {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x8x8x3xf32>, tensor<2x2xf32>) outs(%z : tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  return %r, %s : tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>
}""", [x], parts.max((4, 5)), parts.sum((4, 5)))

    def test_products(self):
        x, y = self.floats(2, 3, 4), self.floats(2, 4, 5)
        self.check("""func.func @main(%x: tensor<2x3x4xf32>, %y: tensor<2x4x5xf32>) -> tensor<2x3x5xi1> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x5xf32>
  %i = linalg.fill ins(%c : f32) outs(%e : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %r = linalg.batch_matmul ins(%x, %y : tensor<2x3x4xf32>, tensor<2x4x5xf32>) outs(%i : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %k = arith.constant dense<0.5> : tensor<2x3x5xf32>
  %b = arith.cmpf ogt, %r, %k : tensor<2x3x5xf32>
  return %b : tensor<2x3x5xi1>
}""", (x, y), x @ y > 0.5)
        a = self.random.integers(-128, 127, (4, 16)).astype(np.int8)
        b = self.random.integers(-128, 127, (16, 8)).astype(np.int8)
        self.check("""func.func @main(%x: tensor<4x16xi8>, %y: tensor<16x8xi8>) -> tensor<4x8xi32> {
  %c = arith.constant 0 : i32
  %za = arith.constant 3 : i32
  %zb = arith.constant -2 : i32
  %e = tensor.empty() : tensor<4x8xi32>
  %i = linalg.fill ins(%c : i32) outs(%e : tensor<4x8xi32>) -> tensor<4x8xi32>
  %r = linalg.quantized_matmul ins(%x, %y, %za, %zb : tensor<4x16xi8>, tensor<16x8xi8>, i32, i32) outs(%i : tensor<4x8xi32>) -> tensor<4x8xi32>
  return %r : tensor<4x8xi32>
}""", (a, b), (a.astype(np.int32) - 3) @ (b.astype(np.int32) + 2))
        f, g = self.floats(4, 16).astype(np.float16), self.floats(16, 8).astype(np.float16)
        self.check("""func.func @main(%x: tensor<4x16xf16>, %y: tensor<16x8xf16>) -> tensor<4x8xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %i = linalg.fill ins(%c : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = linalg.matmul ins(%x, %y : tensor<4x16xf16>, tensor<16x8xf16>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}""", (f, g), f.astype(np.float32) @ g.astype(np.float32), tolerance=1e-4)

    def test_softmax(self):
        x = self.floats(4, 33)
        e = np.exp(x - x.max(1, keepdims=True))
        self.check("""func.func @main(%x: tensor<4x33xf32>) -> tensor<4x33xf32> {
  %e = tensor.empty() : tensor<4x33xf32>
  %r = linalg.softmax dimension(1) ins(%x : tensor<4x33xf32>) outs(%e : tensor<4x33xf32>) -> tensor<4x33xf32>
  return %r : tensor<4x33xf32>
}""", [x], e / e.sum(1, keepdims=True))

    def test_argmax(self):
        x = self.floats(4, 7)
        self.check("""func.func @main(%x: tensor<4x7xf32>) -> tensor<4xi64> {
  %m = arith.constant 0xFF800000 : f32
  %z = arith.constant 0 : i64
  %e = tensor.empty() : tensor<4xf32>
  %g = tensor.empty() : tensor<4xi64>
  %i = linalg.fill ins(%m : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %j = linalg.fill ins(%z : i64) outs(%g : tensor<4xi64>) -> tensor<4xi64>
  %r:2 = linalg.generic {indexing_maps = [affine_map<(d0,d1)->(d0,d1)>, affine_map<(d0,d1)->(d0)>, affine_map<(d0,d1)->(d0)>], iterator_types = ["parallel","reduction"]} ins(%x : tensor<4x7xf32>) outs(%i, %j : tensor<4xf32>, tensor<4xi64>) {
   ^bb0(%a: f32, %b: f32, %c: i64):
    %k = linalg.index 1 : index
    %l = arith.index_cast %k : index to i64
    %n = arith.cmpf ogt, %a, %b : f32
    %o = arith.select %n, %a, %b : f32
    %p = arith.select %n, %l, %c : i64
    linalg.yield %o, %p : f32, i64 } -> (tensor<4xf32>, tensor<4xi64>)
  return %r#1 : tensor<4xi64>
}""", [x], x.argmax(1))

    def test_rows_by_index(self):
        table = self.floats(10, 6)
        model = self.compile("""func.func @main(%t: tensor<10x6xf32>, %i: tensor<3xi64>) -> tensor<3x6xf32> {
  %e = tensor.empty() : tensor<3x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0,d1)->(d0)>, affine_map<(d0,d1)->(d0,d1)>], iterator_types = ["parallel","parallel"]} ins(%i : tensor<3xi64>) outs(%e : tensor<3x6xf32>) {
   ^bb0(%a: i64, %o: f32):
    %b = arith.index_cast %a : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %t[%b, %j] : tensor<10x6xf32>
    linalg.yield %v : f32 } -> tensor<3x6xf32>
  return %r : tensor<3x6xf32>
}""")
        np.testing.assert_array_equal(model(table, np.array([3, 9, 0]))["result0"], table[[3, 9, 0]])
        for wrong in (10, -1, 1 << 62):
            with self.assertRaisesRegex(hone.RunError, rf"node 'model.mlir:3' \(linalg.generic\): index {wrong} is out of range for a size of 10"):
                model(table, np.array([3, wrong, 0]))


class SizesTest(MlirTest):
    def test_free_dimensions(self):
        model = self.compile("""func.func @main(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %s = arith.addf %x, %y : tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}""")
        x, y = self.floats(5, 8), self.floats(5, 8)
        np.testing.assert_array_equal(model(x, y)["result0"], x + y)
        with self.assertRaisesRegex(hone.RunError, "sizes do not fit: 5 and 1"):
            model(x, y[:1])

    def test_slices(self):
        model = self.compile("""func.func @main(%x: tensor<?xf32>, %i: index, %n: index) -> (tensor<?xf32>, tensor<?xf32>) {
  %a = tensor.extract_slice %x[%i] [%n] [1] : tensor<?xf32> to tensor<?xf32>
  %b = tensor.extract_slice %x[%i] [%n] [2] : tensor<?xf32> to tensor<?xf32>
  return %a, %b : tensor<?xf32>, tensor<?xf32>
}""")
        x = self.floats(9)
        for first, count in ((0, 0), (1, 3), (4, 3), (8, 1), (9, 0)):
            got = model(x, first, count)
            np.testing.assert_array_equal(got["result0"], x[first : first + count])
            np.testing.assert_array_equal(got["result1"], x[first : first + 2 * count : 2])
        largest = (1 << 63) - 1
        for first, count in ((5, 3), (9, 1), (10, 0), (-1, 1), (1, -1), (largest, 1), (1, largest), (largest, largest), (-largest - 1, 1)):
            with self.subTest(first=first, count=count), self.assertRaises(hone.RunError):
                model(x, first, count)

    def test_numbers(self):
        x = self.floats(4)
        self.check("""func.func @main(%x: tensor<4xf32>, %s: f32, %n: i64) -> (tensor<4xf32>, i64) {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0)->(d0)>, affine_map<(d0)->()>, affine_map<(d0)->(d0)>], iterator_types = ["parallel"]} ins(%x, %s : tensor<4xf32>, f32) outs(%e : tensor<4xf32>) {
   ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.mulf %a, %b : f32
    %w = arith.addf %v, %s : f32
    linalg.yield %w : f32 } -> tensor<4xf32>
  %c7 = arith.constant 7 : i64
  %q = arith.divsi %n, %c7 : i64
  %u = arith.remsi %c7, %n : i64
  %k = arith.addi %q, %u : i64
  return %r, %k : tensor<4xf32>, i64
}""", (x, np.float32(2.5), np.int64(30)), x * np.float32(2.5) + np.float32(2.5), np.array(11))


class ControlTest(MlirTest):
    def test_for(self):
        x = self.floats(6, 4)
        self.check("""func.func @main(%x: tensor<6x4xf32>) -> tensor<4xf32> {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %6 = arith.constant 6 : index
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %r = scf.for %i = %0 to %6 step %1 iter_args(%a = %z) -> tensor<4xf32> {
    %s = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<6x4xf32> to tensor<4xf32>
    %b = arith.addf %a, %s : tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}""", [x], x.sum(0))

    def test_while(self):
        self.check("""func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = arith.constant 0 : index
  %c = arith.constant 100.0 : f32
  %r = scf.while (%a = %x) : (tensor<3xf32>) -> tensor<3xf32> {
    %v = tensor.extract %a[%0] : tensor<3xf32>
    %k = arith.cmpf olt, %v, %c : f32
    scf.condition(%k) %a : tensor<3xf32>
  } do {
  ^bb0(%a: tensor<3xf32>):
    %b = arith.addf %a, %a : tensor<3xf32>
    scf.yield %b : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}""", [np.ones(3, np.float32)], np.full(3, 128, np.float32))


class FormsTest(MlirTest):
    MODEL = """func.func @main(%x: tensor<?x4xf32> {hone.name = "x", hone.dims = ["batch", 4]}) -> (tensor<?x4xf32> {hone.name = "y"}) {
  %w = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %b = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<?x4xf32>) dimensions = [0]
  %y = arith.mulf %x, %b : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}"""

    def test_bytecode(self):
        self.path.write_text(self.MODEL)
        bytecode = self.path.with_suffix(".mlirbc")
        program = pathlib.Path(os.environ["HONE_BUILD"]) / "bin" / "hone"
        subprocess.run([program, "compile", self.path, "--emit=import", "-o", bytecode], check=True)
        x = self.floats(3, 4)
        for model in (bytecode, bytecode.read_bytes()):
            np.testing.assert_array_equal(hone.compile(model)(x)["y"], x * np.arange(1, 5, dtype=np.float32))

    def test_sizes(self):
        self.path.write_text(self.MODEL)
        self.assertIn("x: float[batch,4]", repr(hone.compile(self.path)))
        self.assertIn("x: float[3,4]", repr(hone.compile(self.path, dims={"batch": 3})))
        self.assertIn("x: float[2,4]", repr(hone.compile(self.path, shapes={"x": (2, 4)})))
        self.assertEqual(hone.check(self.path), [])

    def test_errors(self):
        self.path.write_text(self.MODEL.replace("arith.mulf", "arith.mulx"))
        with self.assertRaisesRegex(hone.CompileError, r"model.mlir:7:8: .*arith.mulx"):
            hone.compile(self.path)
        self.assertEqual(len(hone.check(self.path)), 2)


if __name__ == "__main__":
    unittest.main()
