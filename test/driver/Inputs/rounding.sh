#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Ends with 0 if rounded weights change a result of the model "$2" by more than 1e-4; the libraries are in the folder "$1".
set -e
hone compile "$2" -o "$1/exact.so" -q --cpu=x86-64-v3
hone compile "$2" -o "$1/rounded.so" -q --cpu=x86-64-v3 --precision=bf16
hone run "$1/exact.so" --random --output-dir "$1/exact"
hone run "$1/rounded.so" --random --expect "$1/exact" --rtol 1e-4 && exit 1
exit 0
