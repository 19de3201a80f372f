# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ImageDecoder: images written here byte by byte, and damaged ones, which only fail."""
import struct
import unittest
import zlib

import numpy as np
from onnx import TensorProto, helper
from onnx.backend.test.case.node import _image_decoder_data as stored

import hone

RNG = np.random.default_rng(11)
COLORS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GRAYS = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
BITS = RNG.integers(0, 2, (5, 7), dtype=np.uint8)


def luma(image):
    weights = np.array([19595, 38470, 7471])
    return ((image.astype(np.int64) @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]


def gray(image):
    return np.repeat(np.asarray(image, np.uint8)[..., None], 3, 2)


def png(image, kind, depth=8, extra=b""):
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = image.reshape(image.shape[0], -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def bmp(rows, bits, width, height, palette=b"", masks=b"", compression=0):
    rows = [row + b"\0" * (-len(row) % 4) for row in rows]
    offset = 54 + len(masks) + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, len(palette) // 4, 0)
    data = b"".join(rows)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + masks + palette + data


def tiff(image, order):
    height, width, channels = image.shape
    entries = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 1), (262, 3, 2), (273, 4, 8), (277, 3, channels), (278, 3, height), (279, 4, image.size)]
    head = {"<": b"II", ">": b"MM"}[order]
    pad = b"\0" * (image.size % 2)
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, 1) + (struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value))
    return head + struct.pack(order + "HI", 42, 8 + image.size + len(pad)) + image.tobytes() + pad + directory + b"\0" * 4


def images():
    """Name, bytes, and what is in them."""
    bgr = COLORS[..., ::-1]
    up = lambda image: [row.tobytes() for row in image[::-1]]
    yield "BMP of 24 bits", bmp(up(bgr), 24, 7, 5), COLORS
    yield "BMP from the top", bmp([row.tobytes() for row in bgr], 24, 7, -5), COLORS
    yield "BMP of 32 bits", bmp(up(np.concatenate([bgr, GRAYS[..., None]], 2)), 32, 7, 5), COLORS
    swapped = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)
    yield "BMP with masks", bmp(up(np.concatenate([COLORS, GRAYS[..., None]], 2)), 32, 7, 5, masks=swapped, compression=3), COLORS
    table = RNG.integers(0, 256, (16, 4), dtype=np.uint8)
    index = RNG.integers(0, 16, (5, 7), dtype=np.uint8)
    yield "BMP of 8 bits", bmp(up(index), 8, 7, 5, table.tobytes()), table[index][..., 2::-1]
    nibbles = np.pad(index, ((0, 0), (0, 1)))
    yield "BMP of 4 bits", bmp(up(nibbles[:, ::2] << 4 | nibbles[:, 1::2]), 4, 7, 5, table.tobytes()), table[index][..., 2::-1]
    yield "BMP of 1 bit", bmp(up(np.packbits(BITS, 1)), 1, 7, 5, table[:2].tobytes()), table[BITS][..., 2::-1]
    short = RNG.integers(0, 32, (5, 7, 3)).astype(np.uint16)
    wide = ((short.astype(int) * 255 + 15) // 31).astype(np.uint8)
    yield "BMP of 16 bits", bmp(up(short[..., 0] << 10 | short[..., 1] << 5 | short[..., 2]), 16, 7, 5), wide
    old = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, 7, 5, 1, 24)
    yield "BMP of the first form", old + b"".join(row + b"\0" * (-len(row) % 4) for row in up(bgr)), COLORS

    text = lambda values: " ".join(map(str, np.ravel(values))).encode()
    yield "P1", b"P1 # bits\n7 5\n" + "".join(map(str, BITS.ravel())).encode(), gray(255 * (1 - BITS))
    yield "P2", b"P2\n7 5\n255\n" + text(GRAYS), gray(GRAYS)
    yield "P3", b"P3\n# a comment\n7 5 # and one more\n255\n" + text(COLORS), COLORS
    yield "P4", b"P4\n7 5\n" + np.packbits(BITS, 1).tobytes(), gray(255 * (1 - BITS))
    yield "P5", b"P5\n7 5\n255\n" + GRAYS.tobytes(), gray(GRAYS)
    yield "P6", b"P6\n7 5\n255\n" + COLORS.tobytes(), COLORS
    yield "P6 of 16 bits", b"P6\n7 5\n65535\n" + (COLORS.astype(">u2") * 257).tobytes(), COLORS

    yield "PNG", png(COLORS, 2), COLORS
    yield "PNG of grays", png(GRAYS, 0), gray(GRAYS)
    yield "PNG of bits", png(np.packbits(BITS, 1), 0, 1)[:16] + struct.pack(">I", 7) + png(np.packbits(BITS, 1), 0, 1)[20:], None
    yield "PNG with alpha", png(np.concatenate([COLORS, GRAYS[..., None]], 2), 6), COLORS
    yield "TIFF", tiff(COLORS, "<"), COLORS
    yield "TIFF, big end first", tiff(COLORS, ">"), COLORS
    for name in dir(stored):
        if name.startswith("image_decoder_decode") and "rgb" in name:
            yield name, getattr(stored, name).data.tobytes(), getattr(stored, name).output


def decoder(form):
    node = helper.make_node("ImageDecoder", ["x"], ["y"], name="node", pixel_format=form)
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, ["n"])
    graph = helper.make_graph([node], "one", [x], [helper.make_tensor_value_info("y", TensorProto.UINT8, [None] * 3)])
    return hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString())


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.decoders = {form: decoder(form) for form in ("RGB", "BGR", "Grayscale")}

    def decode(self, data, form="RGB"):
        return self.decoders[form].run({"x": np.frombuffer(data, np.uint8)})["y"]

    def test_formats(self):
        for name, data, want in images():
            if want is None:  # a checksum is wrong
                with self.assertRaises(hone.RunError):
                    self.decode(data)
                continue
            with self.subTest(name):
                got = self.decode(data)
                # Lossy formats differ by a unit from decoder to decoder.
                self.assertEqual(got.shape, want.shape)
                self.assertLessEqual(np.abs(got.astype(int) - want).max(), 1 if name.startswith("image_") else 0)
                np.testing.assert_array_equal(self.decode(data, "BGR"), got[..., ::-1])
                np.testing.assert_array_equal(self.decode(data, "Grayscale"), luma(got))

    def test_damaged(self):
        """Any change of the bytes gives an image or an error, and the next call is correct again."""
        rng = np.random.default_rng(1)
        for name, data, want in images():
            if want is None:
                continue
            good = np.frombuffer(data, np.uint8)
            for i in range(150):
                bad = good.copy()
                if i % 3 == 0:
                    bad = bad[: rng.integers(0, len(bad))]
                else:
                    # Headers come first: most changes go there.
                    reach = len(bad) if i % 3 == 1 else min(len(bad), 64)
                    bad[rng.integers(0, reach, rng.integers(1, 4))] = rng.integers(0, 256)
                try:
                    y = self.decoders["RGB"].run({"x": bad})["y"]
                    self.assertEqual((y.ndim, y.shape[2]), (3, 3))
                except hone.RunError:
                    pass
            with self.subTest(name):
                self.assertEqual(self.decode(data).shape, want.shape)

    def test_claims(self):
        """Sizes that exceed the bytes, or any memory."""
        for data in (
            b"",
            b"GIF89a",
            bmp([b""], 24, 2**31 - 1, 2**31 - 1),
            bmp([b""], 24, 2**31 - 1, -(2**31)),
            b"P6 2147483647 2147483647 255\n",
            b"P6 99999999999999999999 1 255\n",
            b"P1 0 0\n",
            png(COLORS, 2)[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + png(COLORS, 2)[24:],
        ):
            with self.assertRaises(hone.RunError):
                self.decode(data)

    def test_wrong_models(self):
        with self.assertRaisesRegex(hone.CompileError, "pixel_format"):
            decoder("CMYK")


if __name__ == "__main__":
    unittest.main()
