// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Custom operators of the user: object files that become part of the model.
#ifndef HONE_COMPILER_DRIVER_CUSTOMOPERATORS_H
#define HONE_COMPILER_DRIVER_CUSTOMOPERATORS_H

#include "compiler/Import/Onnx/OnnxImporter.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace hone {

class CustomOperators {
public:
  /// Links object files and archives, one of which defines
  /// hone_custom_operators, and loads the result, to call shape functions.
  /// Adds operators `names` that only the program has that runs the model, by
  /// "DOMAIN:NAME".
  llvm::Error read(llvm::ArrayRef<std::string> files,
                   llvm::ArrayRef<std::string> names);

  const onnx::CustomOperatorSet &all() const { return operators; }
  bool empty() const { return !operators.table && operators.named.empty(); }
  /// The linked object file, in which only the table is visible.
  llvm::StringRef code() const { return object; }

private:
  llvm::Error load(llvm::ArrayRef<std::string> files);
  llvm::Error declare(llvm::ArrayRef<std::string> names);
  llvm::Error open(const std::string &library);

  onnx::CustomOperatorSet operators;
  std::string object;
};

} // namespace hone

#endif // HONE_COMPILER_DRIVER_CUSTOMOPERATORS_H
