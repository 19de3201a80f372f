// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the runtime's library functions (runtime/library/README.md), and the
// types of sequences and optionals.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_LIBRARY_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_LIBRARY_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// Whether the runtime's functions compute on such elements.
bool isRuntimeNumber(ElementType elem);

/// One call. An operand that the function does not accept is an error of the
/// node.
class LibraryCall {
public:
  LibraryCall(NodeBuilder &n, llvm::StringRef function)
      : n(n), function(function) {}

  LibraryCall &set(llvm::StringRef key, int64_t number) {
    config.emplace_back(key, n.b.getI64IntegerAttr(number));
    return *this;
  }
  LibraryCall &setFloat(llvm::StringRef key, double number) {
    config.emplace_back(key, n.b.getF64FloatAttr(number));
    return *this;
  }
  LibraryCall &setType(llvm::StringRef key, ElementType elem) {
    return set(key, static_cast<int64_t>(elem));
  }
  LibraryCall &result(mlir::Type type, ElementType elem) {
    types.push_back(type);
    elems.push_back(elem);
    return *this;
  }
  /// A tensor; -1 is a dimension that depends on data.
  LibraryCall &tensor(ElementType elem, llvm::ArrayRef<int64_t> shape);
  /// A tensor of known sizes.
  LibraryCall &sized(ElementType elem, llvm::ArrayRef<Size> dims);

  llvm::SmallVector<Val> call(llvm::ArrayRef<Val> operands);
  /// The one result.
  Val operator()(llvm::ArrayRef<Val> operands) {
    return call(operands).front();
  }

private:
  NodeBuilder &n;
  llvm::StringRef function;
  llvm::SmallVector<mlir::NamedAttribute> config;
  llvm::SmallVector<mlir::Type> types;
  llvm::SmallVector<ElementType> elems;
  llvm::SmallVector<std::pair<unsigned, Sizes>> known;
};

/// A constant vector of strings.
Val texts(NodeBuilder &n, llvm::ArrayRef<llvm::StringRef> values);

/// The value of a tensor attribute; nothing if there is none, and an error of
/// the node if it cannot be read.
Val tensorAttr(NodeBuilder &n, llvm::StringRef name);

/// An omitted operand before others that are present.
Val absentOperand(NodeBuilder &n);

/// A sequence of tensors like `element`, with all its dimensions free.
mlir::Type sequenceOf(mlir::Type element);
/// A common type to cast both to: dynamic where they differ, unranked for
/// tensors of different ranks, an optional if one may be absent. Null for
/// different element types or kinds.
mlir::Type commonType(mlir::Type a, mlir::Type b);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_LIBRARY_H
