// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone_rt` dialect: the host plan of a model.
#ifndef HONE_DIALECTS_RT_RT_H
#define HONE_DIALECTS_RT_RT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Rt/RtDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Rt/RtAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/Rt/RtOps.h.inc"

namespace hone::rt {

/// Attributes on functions and modules that carry information from phase to
/// phase.
inline constexpr llvm::StringLiteral kKernelAttr =
    "hone.kernel"; ///< unit, on a kernel function
inline constexpr llvm::StringLiteral kDeviceAttr =
    "hone.device"; ///< unit, on a kernel function that runs on the device
inline constexpr llvm::StringLiteral kPiecesAttr =
    "hone.pieces"; ///< i64, on a kernel function
inline constexpr llvm::StringLiteral kNodeAttr =
    "hone.node"; ///< i32, node that a kernel reports errors for
inline constexpr llvm::StringLiteral kInPlaceAttr =
    "hone.in_place"; ///< i64 result, on a kernel's argument
inline constexpr llvm::StringLiteral kNodesAttr =
    "hone.nodes"; ///< locations, on the module: of the node of each number
inline constexpr llvm::StringLiteral kStepsAttr =
    "hone.steps"; ///< on the module: [name, nodes] of each step; the name is a
                  ///< kernel's symbol, a library function, or unit for a copy
inline constexpr llvm::StringLiteral kFlopAttr =
    "hone.flop"; ///< terms, on a kernel function: [factor, position in what a
                 /// < launch's dims...] of each
inline constexpr llvm::StringLiteral kBytesAttr = "hone.bytes"; ///< likewise
inline constexpr llvm::StringLiteral kNameAttr =
    "hone.name"; ///< on arguments and results of the entry
inline constexpr llvm::StringLiteral kTypeAttr = "hone.type";
inline constexpr llvm::StringLiteral kDimsAttr = "hone.dims";
inline constexpr llvm::StringLiteral kDefaultAttr =
    "hone.default"; ///< elements, on an argument that a call may omit
inline constexpr llvm::StringLiteral kAnyRankAttr =
    "hone.any_rank"; ///< unit, on what the model declares as a tensor
inline constexpr llvm::StringLiteral kDefaultOffsetAttr =
    "hone.default_offset"; ///< i64, offset of these in the weights
inline constexpr llvm::StringLiteral kFreeDimsAttr =
    "hone.free_dims"; ///< strings, on the module
inline constexpr llvm::StringLiteral kSlotsAttr =
    "hone.slots"; ///< on the module: [first, last, bytes or -1 - k for size k
                  ///< of the preparation, offset, 1 on the device] of each
inline constexpr llvm::StringLiteral kArenaAttr =
    "hone.arena"; ///< on the module: [bytes or -1, lower bound], of the host
                  ///< and of the device
inline constexpr llvm::StringLiteral kWeightBytesAttr = "hone.weight_bytes";
inline constexpr llvm::StringLiteral kMemoryAttr =
    "hone.memory"; ///< HONE_MEMORY_* of abi.h

/// On modules: the nodes of custom operators, each a dictionary of "domain"
/// ("" is ONNX's), "name", "version" (of the domain), "linked" (its code is
/// part of the model), "types" (ONNX's, of inputs and outputs) and
/// "attributes"; `config` of a call of kCustomFunction has the position.
inline constexpr llvm::StringLiteral kCustomAttr = "hone.custom";
inline constexpr llvm::StringLiteral kCustomFunction = "custom";
/// Symbol of what the call passes instead of numbers.
inline std::string customNodeName(int64_t node) {
  return "hone_custom_node_" + std::to_string(node);
}

inline constexpr llvm::StringLiteral kEntryName = "main";
inline constexpr llvm::StringLiteral kPrepareName = "hone_prepare";
inline constexpr llvm::StringLiteral kRunName = "hone_run";

/// A call of it means "return this status unless it is 0" while control flow is
/// structured.
inline constexpr llvm::StringLiteral kReturnIfName = "hone.return_if";

/// The shape of an input or output whose elements have 2 or 4 bits. In the IR
/// it is a row of bytes; the model's shape is in `hone.dims`. None for other
/// types.
std::optional<llvm::SmallVector<int64_t>>
packedShape(mlir::DictionaryAttr value);

/// Whether a buffer of this type is on the device.
bool isOnDevice(mlir::Type type);
/// The same type of buffer, but on the device.
mlir::MemRefType onDevice(mlir::MemRefType type);

/// "node 'x' (Gather)" for the node at `loc`, "" if there is none.
std::string describeNode(mlir::Location loc);

} // namespace hone::rt

#endif // HONE_DIALECTS_RT_RT_H
