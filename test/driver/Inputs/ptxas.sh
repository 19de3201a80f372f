#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A substitute for ptxas: knows two chips, one of which does not exist, and spills if
# a block has to share a multiprocessor with others.
if [ "$1" = --help ]; then
  echo "Allowed values for this option:  'compute_80','lto_80','sm_80','sm_150'."
  exit 0
fi
output=
while [ $# -gt 1 ]; do
  [ "$1" != -o ] || output=$2
  shift
done
echo code > "$output"
spilled=8
! grep -q '^\.minnctapersm 1$' "$1" || spilled=0
for function in $(sed -n 's/^.*\.entry \([a-z0-9_]*\)(.*$/\1/p' "$1"); do
  echo "ptxas info    : Compiling entry function '$function' for 'sm_80'"
  echo "    0 bytes stack frame, $spilled bytes spill stores, $spilled bytes spill loads"
  echo "ptxas info    : Used 40 registers, used 1 barriers, 512 bytes smem"
done
