// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The file of a model, of any format.
#ifndef HONE_COMPILER_IMPORT_MODELFILE_H
#define HONE_COMPILER_IMPORT_MODELFILE_H

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace hone {

/// Maps the file; text ends with a NUL after its end. Folders, devices and
/// pipes are refused: they have no size, and some no end. Errors name the file.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
openModelFile(llvm::StringRef path, bool isText);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MODELFILE_H
