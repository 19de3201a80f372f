#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations of tosa, against numpy."""
import math
import pathlib
import tempfile
import unittest

import numpy as np

import hone

ELEMENTS = {"float32": "f32", "int32": "i32", "int8": "i8", "bool": "i1"}


def type_of(array):
    return "tensor<" + "".join(f"{size}x" for size in array.shape) + ELEMENTS[array.dtype.name] + ">"


def shape(name, *sizes):
    """The operand `name` of a tosa operation that takes sizes."""
    return f"%{name} = tosa.const_shape {{values = dense<{list(sizes)}> : tensor<{len(sizes)}xindex>}} : () -> !tosa.shape<{len(sizes)}>\n"


def constant(name, value, element="f32"):
    return f'%{name} = "tosa.const"() {{values = dense<{value}> : tensor<1x{element}>}} : () -> tensor<1x{element}>\n'


class TosaTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "model.mlir"
        self.random = np.random.default_rng(1)
        self.x, self.y = self.floats(2, 3, 4), self.floats(2, 3, 4)
        self.image = self.floats(1, 4, 4, 2)

    def floats(self, *sizes):
        return self.random.standard_normal(sizes).astype(np.float32)

    def bytes(self, *sizes):
        return self.random.integers(-128, 127, sizes).astype(np.int8)

    def check(self, body, want, **inputs):
        """The body gives %r; names in braces are types of inputs and of the result, {r}."""
        types = {name: type_of(array) for name, array in inputs.items()} | {"r": type_of(want)}
        for name, text in types.items():
            body = body.replace("{" + name + "}", text)
        arguments = ", ".join(f"%{name}: {types[name]}" for name in inputs)
        self.path.write_text(f"func.func @main({arguments}) -> {types['r']} {{\n{body}\nreturn %r : {types['r']}\n}}\n")
        got = hone.compile(self.path)(*inputs.values())["result0"]
        self.assertEqual(got.dtype, want.dtype)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)

    def test_functions(self):
        x, positive = self.x, np.abs(self.x) + 0.1
        cases = {
            "abs": (np.abs, x),
            "ceil": (np.ceil, x * 3),
            "cos": (np.cos, x),
            "erf": (np.vectorize(math.erf), x),
            "exp": (np.exp, x),
            "floor": (np.floor, x * 3),
            "log": (np.log, positive),
            "reciprocal": (lambda a: 1 / a, positive),
            "rsqrt": (lambda a: 1 / np.sqrt(a), positive),
            "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), x),
            "sin": (np.sin, x),
            "tanh": (np.tanh, x),
        }
        for name, (function, a) in cases.items():
            with self.subTest(name):
                self.check(f"%r = tosa.{name} %a : ({{a}}) -> {{r}}", function(a).astype(np.float32), a=a)

    def test_arithmetic(self):
        b = np.ascontiguousarray(self.y[:1, :, :1])
        for name, function in {"add": np.add, "sub": np.subtract, "maximum": np.maximum, "minimum": np.minimum, "pow": np.power}.items():
            a = np.abs(self.x) if name == "pow" else self.x
            with self.subTest(name):
                self.check(f"%r = tosa.{name} %a, %b : ({{a}}, {{b}}) -> {{r}}", function(a, b), a=a, b=b)
        self.check(constant("s", 0, "i8") + "%r = tosa.mul %a, %b, %s : ({a}, {b}, tensor<1xi8>) -> {r}", self.x * self.y, a=self.x, b=self.y)
        a, b = self.random.integers(-50, 50, 6).astype(np.int32), np.array([3, -7, 5, -1, 9, 2], np.int32)
        self.check("%r = tosa.intdiv %a, %b : ({a}, {b}) -> {r}", np.trunc(a / b).astype(np.int32), a=a, b=b)
        self.check("%r = tosa.select %c, %a, %b : ({c}, {a}, {b}) -> {r}", np.where(self.x > 0, self.x, self.y), c=self.x > 0, a=self.x, b=self.y)
        self.check("%r = tosa.greater %a, %b : ({a}, {b}) -> {r}", self.x > self.y, a=self.x, b=self.y)
        self.check("%r = tosa.cast %a : ({a}) -> {r}", np.rint(self.x * 10).astype(np.int32), a=self.x * 10)

    def test_reductions(self):
        for name, function in {"sum": np.sum, "max": np.max, "min": np.min, "product": np.prod}.items():
            with self.subTest(name):
                self.check(f"%r = tosa.reduce_{name} %a {{axis = 1 : i32}} : ({{a}}) -> {{r}}", function(self.x, 1, keepdims=True), a=self.x)
        a = np.arange(20).reshape(4, 5) % 7 != 0
        self.check("%r = tosa.reduce_all %a {axis = 1 : i32} : ({a}) -> {r}", a.all(1, keepdims=True), a=a)
        self.check("%r = tosa.argmax %a {axis = 1 : i32} : ({a}) -> {r}", self.x.argmax(1).astype(np.int32), a=self.x)

    def test_movement(self):
        x = self.x
        self.check("%r = tosa.concat %a, %b {axis = 1 : i32} : ({a}, {b}) -> {r}", np.concatenate([x, self.y], 1), a=x, b=self.y)
        self.check(shape("p", 0, 0, 1, 2, 1, 0) + constant("v", 2.5) + "%r = tosa.pad %a, %p, %v : ({a}, !tosa.shape<6>, tensor<1xf32>) -> {r}", np.pad(x, ((0, 0), (1, 2), (1, 0)), constant_values=2.5), a=x)
        self.check(shape("s", 6, 4) + "%r = tosa.reshape %a, %s : ({a}, !tosa.shape<2>) -> {r}", x.reshape(6, 4), a=x)
        self.check("%r = tosa.reverse %a {axis = 1 : i32} : ({a}) -> {r}", x[:, ::-1], a=x)
        self.check(shape("o", 0, 1, 2) + shape("s", 2, 2, 2) + "%r = tosa.slice %a, %o, %s : ({a}, !tosa.shape<3>, !tosa.shape<3>) -> {r}", x[:, 1:3, 2:4], a=x)
        self.check(shape("s", 2, 1, 3) + "%r = tosa.tile %a, %s : ({a}, !tosa.shape<3>) -> {r}", np.tile(x, (2, 1, 3)), a=x)
        self.check("%r = tosa.transpose %a {perms = array<i32: 2, 0, 1>} : ({a}) -> {r}", x.transpose(2, 0, 1), a=x)
        values, places = self.floats(2, 5, 3), np.array([[0, 4, 2], [1, 1, 3]], np.int32)
        self.check("%r = tosa.gather %v, %i : ({v}, {i}) -> {r}", np.stack([v[i] for v, i in zip(values, places)]), v=values, i=places)
        places, updates, want = np.array([[0, 4], [1, 3]], np.int32), self.floats(2, 2, 3), values.copy()
        for row, place, update in zip(want, places, updates):
            row[place] = update
        self.check("%r = tosa.scatter %v, %i, %u : ({v}, {i}, {u}) -> {r}", want, v=values, i=places, u=updates)

    def test_resize(self):
        at = (np.arange(8) * 2 - 1) / 4
        low = np.floor(at).astype(int)
        near, far, part = np.clip(low, 0, 3), np.clip(low + 1, 0, 3), (at - low).astype(np.float32)[:, None]
        rows = self.image[:, near] * (1 - part[..., None]) + self.image[:, far] * part[..., None]
        wants = {"NEAREST_NEIGHBOR": self.image.repeat(2, 1).repeat(2, 2), "BILINEAR": rows[:, :, near] * (1 - part) + rows[:, :, far] * part}
        for mode, want in wants.items():
            with self.subTest(mode):
                sizes = shape("s", 4, 2, 4, 2) + shape("o", -1, -1) + shape("b", 1, 1)
                self.check(sizes + f"%r = tosa.resize %a, %s, %o, %b {{mode = {mode}}} : ({{a}}, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> {{r}}", want, a=self.image)

    def test_products(self):
        a, b, zero = self.floats(2, 3, 5), self.floats(2, 5, 4), constant("z", 0.0)
        self.check(zero + "%r = tosa.matmul %a, %b, %z, %z : ({a}, {b}, tensor<1xf32>, tensor<1xf32>) -> {r}", a @ b, a=a, b=b)
        self.check(zero + "%r = tosa.avg_pool2d %a, %z, %z {acc_type = f32, kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : ({a}, tensor<1xf32>, tensor<1xf32>) -> {r}", self.image.reshape(1, 2, 2, 2, 2, 2).mean((2, 4)), a=self.image)
        window = "pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>"
        operands = "%a, %w, %b, %z, %z {acc_type = f32"
        types = "({a}, {w}, {b}, tensor<1xf32>, tensor<1xf32>) -> {r}"
        parts = np.lib.stride_tricks.sliding_window_view(self.image, (3, 3), (1, 2))
        w, b = self.floats(3, 3, 2, 3), self.floats(6)
        self.check(zero + f"%r = tosa.depthwise_conv2d {operands}, {window}}} : {types}", np.einsum("nijchw,hwcm->nijcm", parts, w).reshape(1, 2, 2, 6) + b, a=self.image, w=w, b=b)
        w, b, want = self.floats(3, 3, 3, 2), self.floats(3), np.zeros((1, 9, 9, 3), np.float32)
        for i, j in np.ndindex(4, 4):
            want[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("c,ohwc->hwo", self.image[0, i, j], w)
        self.check(zero + f"%r = tosa.transpose_conv2d {operands}, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}} : {types}", want + b, a=self.image, w=w, b=b)
        volume, w, b = self.floats(1, 4, 4, 4, 2), self.floats(3, 2, 2, 2, 2), self.floats(3)
        parts = np.moveaxis(np.lib.stride_tricks.sliding_window_view(volume, (2, 2, 2), (1, 2, 3)), 4, -1)
        window = "pad = array<i64: 0, 0, 0, 0, 0, 0>, stride = array<i64: 1, 1, 1>, dilation = array<i64: 1, 1, 1>"
        self.check(zero + f"%r = tosa.conv3d {operands}, {window}}} : {types}", np.einsum("nabcdhwe,odhwe->nabco", parts, w) + b, a=volume, w=w, b=b)

    def test_bytes(self):
        a, table = self.bytes(4, 6), self.bytes(256)
        scale = constant("m", 1 << 30, "i32") + constant("s", 31, "i8") + constant("z", 0, "i8")
        self.check(
            scale + "%r = tosa.rescale %a, %m, %s, %z, %z {scale32 = true, rounding_mode = SINGLE_ROUND, per_channel = false, input_unsigned = false, output_unsigned = false} : ({a}, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi8>) -> {r}",
            np.floor(a / 2 + 0.5).astype(np.int8),
            a=a,
        )
        self.check("%r = tosa.table %a, %t : ({a}, {t}) -> {r}", table[a.astype(int) + 128], a=a, t=table)
        image, w, b = self.bytes(1, 5, 5, 3), self.bytes(4, 3, 3, 3), np.arange(4, dtype=np.int32)
        parts = np.lib.stride_tricks.sliding_window_view(image.astype(np.int32) - 3, (3, 3), (1, 2))
        self.check(
            constant("p", 3, "i8") + constant("q", 0, "i8") + "%r = tosa.conv2d %a, %w, %b, %p, %q {acc_type = i32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : ({a}, {w}, {b}, tensor<1xi8>, tensor<1xi8>) -> {r}",
            np.einsum("nijchw,ohwc->nijo", parts, w.astype(np.int32)).astype(np.int32) + b,
            a=image,
            w=w,
            b=b,
        )

    def test_control(self):
        self.check(
            "%r = tosa.cond_if %c : {c} -> {a} {\n%1 = tosa.exp %a : ({a}) -> {a}\ntosa.yield %1 : {a}\n} else {\ntosa.yield %a : {a}\n}",
            np.exp(self.x),
            c=np.array(True),
            a=self.x,
        )
        self.check(
            """%k, %r = tosa.while_loop (%i = %n, %b = %a) : ({n}, {a}) -> ({n}, {a}) {
  %z = "tosa.const"() {values = dense<0> : tensor<i32>} : () -> tensor<i32>
  %c = tosa.greater %i, %z : ({n}, {n}) -> tensor<i1>
  tosa.yield %c : tensor<i1>
} do {
^bb0(%i: {n}, %b: {a}):
  %1 = "tosa.const"() {values = dense<1> : tensor<i32>} : () -> tensor<i32>
  %j = tosa.sub %i, %1 : ({n}, {n}) -> {n}
  %d = tosa.add %b, %b : ({a}, {a}) -> {a}
  tosa.yield %j, %d : {n}, {a}
}""",
            self.x * 8,
            n=np.array(3, np.int32),
            a=self.x,
        )


if __name__ == "__main__":
    unittest.main()
