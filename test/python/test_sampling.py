# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GridSample against ONNX Runtime: vectors of samples for all channels, of any width."""
import unittest

import numpy as np
from beside import BesideTest

SIZES = [((2, 3, 5, 7), (4, 19)), ((1, 32, 9, 33), (3, 35)), ((2, 1, 8, 8), (1, 8)), ((1, 5, 4, 4), (7, 3)), ((1, 17, 6, 5), (2, 50)), ((2, 3, 4, 5, 6), (2, 3, 21))]
MODES = [("linear", "zeros", 0), ("linear", "border", 1), ("nearest", "reflection", 0), ("cubic", "zeros", 1)]


class SamplingTest(BesideTest):
    def test_grid_sample(self):
        for shape, out in SIZES:
            for mode, padding, corners in MODES:
                if mode == "cubic" and len(out) != 2:
                    continue
                grid = (self.random.random((shape[0], *out, len(out))) * 2.6 - 1.3).astype(np.float32)
                grid.flat[:3] = [-1e6, 1e6, 0.5]  # far outside of the image
                feeds = {"x": self.floats(*shape), "grid": grid}
                self.node("GridSample", feeds, domain="", tolerance=2e-4, mode=mode, padding_mode=padding, align_corners=corners)

    def test_no_samples(self):
        for shape, out in (((2, 0, 5, 7), (4, 19)), ((0, 3, 5, 7), (4, 19)), ((1, 3, 5, 7), (0, 19))):
            feeds = {"x": self.floats(*shape), "grid": self.floats(shape[0], *out, 2)}
            want = {"out0": np.zeros((*shape[:2], *out), np.float32)}
            self.node("GridSample", feeds, domain="", want=want)


if __name__ == "__main__":
    unittest.main()
