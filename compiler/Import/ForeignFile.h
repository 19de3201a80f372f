// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognizes files that people take for ONNX models.
#ifndef HONE_COMPILER_IMPORT_FOREIGNFILE_H
#define HONE_COMPILER_IMPORT_FOREIGNFILE_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace hone {

/// What a file is that is not an ONNX model, and how to get one from it, as
/// "it is ...; ...". Empty if its format is unknown.
std::string describeForeignFile(llvm::StringRef path, llvm::StringRef bytes);

/// The same for a folder.
std::string describeForeignFolder(llvm::StringRef path);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_FOREIGNFILE_H
