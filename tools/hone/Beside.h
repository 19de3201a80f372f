// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Locates the programs of an installation, which are in one folder.
#ifndef HONE_TOOLS_HONE_BESIDE_H
#define HONE_TOOLS_HONE_BESIDE_H

#include <climits>

namespace hone {

/// The path of the program of that name beside the running one; false, after a
/// message, if that path is unknown. Allocates nothing.
bool findBeside(const char *name, char (&path)[PATH_MAX]);

} // namespace hone

#endif // HONE_TOOLS_HONE_BESIDE_H
