// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the epilogue region of a kernel operation on accumulators and stores
// the results.
#ifndef HONE_PASSES_EMIT_EPILOGUE_H
#define HONE_PASSES_EMIT_EPILOGUE_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Emit/Emit.h"

namespace hone {

/// Works on the *output space*: the output dimensions, consecutive ones merged
/// into groups. Offsets of all operands are linear in its coordinates.
class Epilogue {
public:
  /// Whether output dimensions `first` to `last` address the results and every
  /// extra operand as one dimension.
  static bool canMerge(graph::KernelOpInterface op, int64_t first,
                       int64_t last);

  /// `groups` holds the number of output dimensions of each coordinate.
  Epilogue(Emitter &e, graph::KernelOpInterface op,
           llvm::ArrayRef<int64_t> groups);

  /// For scores, whose space is [batch.., row, column] of the given sizes. They
  /// are stored to `target`, with row stride `pitch`; the caller sets where a
  /// cursor starts. Null: they are only evaluated.
  Epilogue(Emitter &e, graph::KernelAttentionOp op, mlir::ValueRange sizes,
           mlir::Value target, int64_t pitch);

  /// A point of the output space, as offsets.
  struct Cursor {
    llvm::SmallVector<mlir::Value> extras;
    mlir::Value out;
  };
  Cursor at(mlir::ValueRange coordinates) const;
  Cursor moved(const Cursor &cursor, size_t axis, mlir::Value delta) const;

  /// What the region yields for one element, or for adjacent ones if the
  /// accumulators are vectors: at most `vectorWidth` lanes.
  llvm::SmallVector<mlir::Value> evaluate(const Cursor &cursor,
                                          mlir::ValueRange accumulators) const;
  /// One element, with the region unchanged.
  void emitScalar(const Cursor &cursor, mlir::ValueRange accumulators) const;

  /// `rows` x `vectors` accumulators; a row is one step along `rowAxis`. With
  /// `remaining`, only that many columns exist; with `existing`, only that many
  /// rows, at least one, of which the last is repeated in the accumulators.
  /// `accumulators` holds the rows in order for each accumulator argument of
  /// the region.
  void emitTile(const Cursor &cursor, size_t rowAxis, int64_t rows,
                int64_t vectors,
                llvm::ArrayRef<llvm::SmallVector<mlir::Value>> accumulators,
                mlir::Value remaining, mlir::Value existing = nullptr);

  size_t rank() const { return sizes.size(); }

  /// Elements of the last coordinate that can be handled as one vector with
  /// aligned accesses to all buffers: a power of two whose largest access has
  /// at most `bytes`, if the buffers are so aligned.
  int64_t vectorWidth(int64_t bytes) const;
  /// Declares buffers aligned to the sizes of vectors.
  void setAligned(bool value) { aligned = value; }

  /// The output space, and the stride of the first output along a coordinate.
  llvm::SmallVector<mlir::Value> sizes, outStrides;

private:
  struct Extra {
    FlatBuffer buffer;
    llvm::SmallVector<mlir::Value> strides;
  };

  Epilogue(Emitter &e, graph::KernelOpInterface op,
           llvm::SmallVector<FlatBuffer> outs, llvm::ArrayRef<int64_t> shape,
           llvm::ArrayRef<int64_t> groups);
  void emitLight(const Cursor &cursor, size_t rowAxis, int64_t rows,
                 int64_t vectors, int64_t lanes,
                 llvm::ArrayRef<llvm::SmallVector<mlir::Value>> accumulators,
                 mlir::Value remaining, mlir::Value existing);
  void emitLoop(const Cursor &cursor, size_t rowAxis, int64_t rows,
                int64_t vectors, int64_t lanes,
                llvm::ArrayRef<llvm::SmallVector<mlir::Value>> accumulators,
                mlir::Value remaining, mlir::Value existing);
  /// Whether a tile whose rows are steps along `rowAxis` is computed and stored
  /// in vectors: the results are contiguous along columns or rows.
  bool hasVectors(size_t rowAxis) const;
  void storeTransposed(
      const Cursor &cursor, size_t rowAxis, int64_t rows, int64_t vectors,
      const FlatBuffer &out,
      llvm::function_ref<mlir::Value(int64_t row, int64_t vector)> valueOf,
      mlir::Value remaining, mlir::Value existing);
  mlir::Value loadExtra(size_t i, mlir::Value offset, int64_t lanes,
                        mlir::Value mask) const;

  Emitter &e;
  mlir::Block &body;
  unsigned numAccumulators;
  llvm::SmallVector<Extra> extras;
  llvm::SmallVector<FlatBuffer> outs;
  /// Tiles of the loop form: of accumulators, and of results that are to be
  /// transposed.
  llvm::SmallVector<FlatBuffer> scratch, resultScratch;
  int64_t alignmentOf(const FlatBuffer &buffer, int64_t lanes) const;

  bool vectorizes = true;
  bool transposes = false; ///< Results are not contiguous along columns.
  bool aligned = false;
  bool heavy = false;
};

/// The existing lanes of the vector at column `column`.
mlir::Value makeMask(Emitter &e, mlir::Value remaining, mlir::Value column,
                     int64_t lanes);

/// Runs `body` for the vectors of `count` columns; the last may have a mask.
void forVectors(
    Emitter &e, mlir::Value count, int64_t lanes,
    llvm::function_ref<void(mlir::Value column, mlir::Value mask)> body);

} // namespace hone

#endif // HONE_PASSES_EMIT_EPILOGUE_H
