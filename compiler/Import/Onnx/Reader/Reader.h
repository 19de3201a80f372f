// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the bytes of an ONNX file to the structs of Model.h.
#ifndef HONE_COMPILER_IMPORT_ONNX_READER_READER_H
#define HONE_COMPILER_IMPORT_ONNX_READER_READER_H

#include "compiler/Import/Onnx/Reader/Model.h"

#include "llvm/Support/Error.h"

namespace hone::onnx {

/// Parses `bytes`, which must outlive the model. `folder` is where external
/// data may be; without one, a tensor with external data carries a problem. An
/// error says what is wrong, without the file's name.
llvm::Expected<Model> parseModel(llvm::StringRef bytes, llvm::StringRef folder);

/// The same for the file `path`, whose name begins an error, with what the file
/// is instead if that is known.
llvm::Expected<Model> readModel(llvm::StringRef bytes, llvm::StringRef path,
                                llvm::StringRef folder);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_READER_READER_H
