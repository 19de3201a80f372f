// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/hone-opt/Opt.h"

int main(int argc, char **argv) { return hone::optMain(argc, argv); }
