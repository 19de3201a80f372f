# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Uses hone-runtime: runtime_wheel.py LIBRARY IMAGE."""
import subprocess
import sys

# As where only numpy is installed.
sys.modules["ml_dtypes"] = None

import hone
import numpy

model = hone.load(sys.argv[1])
print(model, "says", model(numpy.load(sys.argv[2]))["probabilities"].argmax())
try:
    hone.compile("model.onnx")
except AttributeError as error:
    print(error)
print(sorted(hone.__all__))
sys.stdout.flush()
subprocess.run([sys.executable, "-m", "hone", "run", sys.argv[1]])
