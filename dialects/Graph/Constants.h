// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Access to the bytes of constants, and constants from computed bytes.
#ifndef HONE_DIALECTS_GRAPH_CONSTANTS_H
#define HONE_DIALECTS_GRAPH_CONSTANTS_H

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include <cstring>
#include <optional>

namespace hone::graph {

/// Bytes of one element of `type`, or 0 for types whose elements are not whole
/// bytes (strings, 4-bit integers).
unsigned elementBytes(mlir::Type type);

/// The row-major data of a constant; a single element if `splat`. Not
/// necessarily aligned.
struct ConstantBytes {
  llvm::ArrayRef<char> data;
  unsigned width = 0; // bytes of an element
  bool splat = false;

  const char *element(int64_t i) const {
    return data.data() + (splat ? 0 : i * width);
  }
};

/// The data of `attr` if it is a dense constant or a resource whose blob is
/// present and has the size of its type.
std::optional<ConstantBytes> constantBytes(mlir::Attribute attr);

/// The data of the `hone.constant` that defines `value`, if one does.
std::optional<ConstantBytes> constantBytes(mlir::Value value);

/// Memory for a constant that is being computed. Small constants and splats
/// become `dense` attributes, the others resources that own the memory.
class ConstantBuffer {
public:
  /// `type` is static and of whole-byte elements.
  explicit ConstantBuffer(mlir::RankedTensorType type);

  llvm::MutableArrayRef<char> data() { return blob.getMutableData(); }
  mlir::RankedTensorType getType() const { return type; }
  void write(int64_t i, const char *element) {
    std::memcpy(data().data() + i * width, element, width);
  }

  /// Completes the constant. `name` is a hint; equal hints cost time.
  mlir::ElementsAttr finish(llvm::StringRef name);

private:
  mlir::RankedTensorType type;
  unsigned width;
  mlir::AsmResourceBlob blob;
};

/// The resource that holds the data of `attr`, null for other constants.
/// Attributes of different types may share one.
const void *constantStorage(mlir::Attribute attr);

/// Frees the memory of a resource constant that no operation uses any more. No
/// effect on others.
void releaseConstant(mlir::Attribute attr);

/// The same data as another type of equal size, without a copy; null if that is
/// not possible.
mlir::ElementsAttr reshapeConstant(mlir::ElementsAttr attr,
                                   mlir::RankedTensorType type);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_CONSTANTS_H
