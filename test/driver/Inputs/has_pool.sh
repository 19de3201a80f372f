#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
hone compile "$1" --emit=graph --random-weights 2>/dev/null | grep -q 'hone.pool'
