// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shared by the patterns that lower the host plan: the frame, scratch arrays on
// the stack, and the runtime's functions.
#ifndef HONE_PASSES_RT_HOSTCODE_H
#define HONE_PASSES_RT_HOSTCODE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringSet.h"
#include <map>

namespace hone {

/// Offsets in the structures of abi.h, checked against the header in
/// HostCode.cpp.
inline constexpr int64_t kValueBytes = 32, kValueData = 8, kValueDims = 16,
                         kValueRank = 24, kValueType = 28, kMapKeys = 8,
                         kMapValues = 16;

/// What a host function reads once, at its start.
struct HostFrame {
  mlir::Value frame, freeDims;
  mlir::Value numbers; ///< array for dimensions and other numbers of calls
  mlir::Value inputs, outputs, arena, slotOffsets, weights; ///< of @hone_run
  mlir::Value deviceInputs, deviceOutputs, deviceArena, deviceWeights;
  mlir::Value slotBytes, outputDims; ///< of @hone_prepare
  mlir::Value pointers;              ///< array for the arguments of calls
  mlir::Value values, results;       ///< arrays of hone_value
};

class HostCode {
public:
  explicit HostCode(mlir::ModuleOp module);

  /// Gives the function its signature and its frame.
  void enter(mlir::func::FuncOp function, bool isPrepare);
  const HostFrame &frame(mlir::Operation *inside) const;

  mlir::Value pointer(mlir::OpBuilder &b, mlir::Location loc, mlir::Value base,
                      int64_t bytes) const;
  mlir::Value pointer(mlir::OpBuilder &b, mlir::Location loc, mlir::Value base,
                      mlir::Value bytes) const;
  mlir::Value i64(mlir::OpBuilder &b, mlir::Location loc, int64_t value) const;
  mlir::Value i32(mlir::OpBuilder &b, mlir::Location loc, int32_t value) const;
  /// Converts between `index` and i64 in memory.
  mlir::Value toI64(mlir::OpBuilder &b, mlir::Location loc,
                    mlir::Value index) const;
  mlir::Value toIndex(mlir::OpBuilder &b, mlir::Location loc,
                      mlir::Value number) const;
  mlir::Value loadPointer(mlir::OpBuilder &b, mlir::Location loc,
                          mlir::Value base, int64_t bytes) const;
  mlir::Value loadIndex(mlir::OpBuilder &b, mlir::Location loc,
                        mlir::Value base, int64_t bytes) const;
  void store(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
             mlir::Value base, int64_t bytes) const;

  /// The step's number in profiles; -1 for none.
  mlir::Value step(mlir::OpBuilder &b, mlir::Location loc,
                   std::optional<uint64_t> number) const {
    return i64(b, loc, number ? static_cast<int64_t>(*number) : -1);
  }
  /// Calls a function of the runtime; `result` is null for none.
  mlir::Value call(mlir::OpBuilder &b, mlir::Location loc, llvm::StringRef name,
                   mlir::Type result, mlir::ValueRange operands);
  void returnIf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value status);
  /// Address of a library function.
  mlir::Value libraryFunction(mlir::OpBuilder &b, mlir::Location loc,
                              llvm::StringRef name);

  /// Address of a read-only table of numbers; equal tables are one.
  mlir::Value table(mlir::OpBuilder &b, mlir::Location loc,
                    llvm::ArrayRef<int64_t> numbers);
  /// Address of what a node of a custom operator passes, which the descriptor
  /// of the model defines.
  mlir::Value customNode(mlir::OpBuilder &b, mlir::Location loc, int64_t node);
  /// A name for the next table of strings.
  std::string nextStringsName() {
    return "hone_strings_" + std::to_string(stringTables++);
  }

  /// Size of a buffer in bytes, as returned by hone_rt_bytes; `dims` are its
  /// dynamic dimensions.
  mlir::Value bytes(mlir::OpBuilder &b, mlir::Location loc,
                    mlir::MemRefType type, mlir::ValueRange dims,
                    const HostFrame &frame);
  /// Stores all dimensions to `base` at `offset` bytes.
  void storeDims(mlir::OpBuilder &b, mlir::Location loc, mlir::MemRefType type,
                 mlir::ValueRange dims, mlir::Value base, int64_t offset) const;

  mlir::Type ptrType, i32Type, i64Type;
  mlir::ModuleOp module;
  llvm::StringMap<int64_t> freeDims; ///< name -> position
  llvm::StringMap<int64_t> kernels;  ///< name -> position in the table
  llvm::SmallVector<int64_t> pieces; ///< of each kernel
  llvm::SmallVector<int64_t>
      slotOffsets; ///< of each slot; empty if the runtime plans

private:
  void declare(mlir::Location loc, llvm::StringRef name, mlir::Type result,
               mlir::TypeRange operands);

  llvm::DenseMap<mlir::Operation *, HostFrame> frames;
  // The module itself finds a symbol only by linear search.
  llvm::StringSet<> declared; ///< functions of the runtime
  std::map<std::vector<int64_t>, mlir::LLVM::GlobalOp> tables;
  int64_t stringTables = 0;
};

/// A buffer after lowering: its address, then its dynamic dimensions.
inline mlir::ValueRange dynamicDims(mlir::ValueRange buffer) {
  return buffer.drop_front();
}

/// A pattern of the lowering, whose operands are several values each.
template <typename OpTy> struct RtPattern : mlir::OpConversionPattern<OpTy> {
  RtPattern(const mlir::TypeConverter &types, HostCode &code)
      : mlir::OpConversionPattern<OpTy>(types, code.module.getContext()),
        code(code) {}
  using Adaptor = typename mlir::OpConversionPattern<OpTy>::OneToNOpAdaptor;

  /// The pointer followed by `dims`.
  static void replace(OpTy op, mlir::Value pointer,
                      llvm::ArrayRef<mlir::ValueRange> dims,
                      mlir::ConversionPatternRewriter &rewriter) {
    llvm::SmallVector<mlir::Value> parts{pointer};
    for (mlir::ValueRange dim : dims)
      llvm::append_range(parts, dim);
    rewriter.replaceOpWithMultiple(op, {parts});
  }

  /// The values of operands that are one value each.
  static llvm::SmallVector<mlir::Value>
  allOf(llvm::ArrayRef<mlir::ValueRange> operands) {
    return llvm::map_to_vector(
        operands, [](mlir::ValueRange parts) { return parts.front(); });
  }

  HostCode &code;
};

void populateBufferPatterns(mlir::RewritePatternSet &patterns,
                            const mlir::TypeConverter &types, HostCode &code);
void populateLibraryPatterns(mlir::RewritePatternSet &patterns,
                             const mlir::TypeConverter &types, HostCode &code);

} // namespace hone

#endif // HONE_PASSES_RT_HOSTCODE_H
