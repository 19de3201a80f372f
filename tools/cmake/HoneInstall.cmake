# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The installed CMake package.
