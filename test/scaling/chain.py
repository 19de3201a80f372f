# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""chain.py N: a model of N matrix products in a row."""
import sys

count = int(sys.argv[1])
print('func.func @main(%x0: tensor<?x16xf32> {hone.name = "x", hone.type = "float", hone.dims = ["n", 16]})')
print('    -> (tensor<?x16xf32> {hone.name = "y", hone.type = "float", hone.dims = ["n", 16]}) {')
print('  %n = hone.dim "n"')
for i in range(count):
    print(f"  %w{i} = hone.constant dense<{1 + i / count}> : tensor<16x16xf32>")
    print(f"  %x{i + 1} = hone.matmul %x{i}, %w{i} dims(%n) : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32>")
print(f"  return %x{count} : tensor<?x16xf32>\n}}")
