# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes the functions of all gpu.module of a file into one module that LLVM can translate.

    device_code.py IN OUT
"""
import re
import sys

LAYOUT = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"

with open(sys.argv[1]) as file:
    lines = file.read().split("\n")
inside = False
functions = []
for line in lines:
    if re.match(r"  gpu\.module @", line):
        inside = True
    elif line == "  }":
        inside = False
    elif inside:
        functions.append(line)
with open(sys.argv[2], "w") as file:
    file.write('module attributes {llvm.data_layout = "%s"} {\n%s\n}\n' % (LAYOUT, "\n".join(functions)))
