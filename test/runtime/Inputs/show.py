# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the .npy files of a folder."""
import pathlib
import sys

import numpy as np

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.npy")):
    array = np.load(path)
    values = array.reshape(-1).tolist() if array.ndim else array.item()
    print(path.name[: -len(".npy")], array.dtype, array.shape, values)
