# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the .npy files of these tests: arrays.py FOLDER."""
import os
import sys

import numpy as np

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
x = np.arange(8).reshape(2, 4) - 2
arrays = {
    "x": x.astype(np.float32),
    "fortran": np.asfortranarray(x.astype(np.float32)),
    "big-endian": x.astype(">f4"),
    "double": x.astype(np.float64),
    "wide": np.zeros((2, 5), np.float32),
    "index": np.array([1, 0, 7]),
    "far": np.array([1, 99]),
    "scalar": np.float32(3),
    "structured": np.zeros(2, [("a", "f4")]),
}
for name, array in arrays.items():
    np.save(os.path.join(folder, name + ".npy"), array)
parts = {"x": arrays["x"], "index": arrays["index"], "table.0": arrays["scalar"], "table.1": arrays["x"]}
np.savez(os.path.join(folder, "all.npz"), **parts)
np.savez_compressed(os.path.join(folder, "deflated.npz"), **parts)
np.savez(os.path.join(folder, "one.npz"), arrays["x"])
np.savez(os.path.join(folder, "gap.npz"), **{"table.0": arrays["scalar"], "table.2": arrays["scalar"]})
with open(os.path.join(folder, "all.npz"), "rb") as file:
    whole = file.read()
with open(os.path.join(folder, "cut.npz"), "wb") as file:
    file.write(whole[:-200])
with open(os.path.join(folder, "x.npy"), "rb") as file:
    whole = file.read()
damaged = {
    "short": whole[:-1],
    "headerless": whole[:20],
    "text": b"1 2 3",
    "huge": whole.replace(b"(2, 4), }", b"(99999999999999, 4), }").replace(b"              \n", b"\n"),
}
for name, data in damaged.items():
    with open(os.path.join(folder, name + ".npy"), "wb") as file:
        file.write(data)
