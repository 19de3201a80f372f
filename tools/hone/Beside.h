// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The programs of an installation, which find each other by lying together.
#ifndef HONE_TOOLS_HONE_BESIDE_H
#define HONE_TOOLS_HONE_BESIDE_H

#include <climits>

namespace hone {

/// The path of the program of that name beside the one that runs; after a
/// message false if where that lies cannot be told. Takes no memory.
bool findBeside(const char *name, char (&path)[PATH_MAX]);

} // namespace hone

#endif // HONE_TOOLS_HONE_BESIDE_H
