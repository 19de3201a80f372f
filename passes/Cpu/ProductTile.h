// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tile of sums of products, whichever registers hold them: `RegisterTile` has
// vectors, `MatrixTile` has matrices.
#ifndef HONE_PASSES_CPU_PRODUCTTILE_H
#define HONE_PASSES_CPU_PRODUCTTILE_H

#include "passes/Emit/Emit.h"

namespace hone {

/// Rows and vectors of a tile.
struct TileShape {
  int64_t rows, vectors;
};

class ProductTile {
public:
  virtual ~ProductTile() = default;

  /// What is read later: its lines are brought to the L2 cache meanwhile, for
  /// each k those of `advance` elements of the right-hand side, from each of
  /// `offsets` on.
  struct Prefetch {
    llvm::SmallVector<mlir::Value> offsets;
    int64_t advance = 0;
  };

  /// For k in [0, count): row r adds a[aOffsets[r] + k] * b[bOffsets[v] + k *
  /// bStep]. A row without an offset is left out. Of `kr` elements of K that
  /// lie together the first is meant; `count` is a multiple of it.
  struct Segment {
    Segment(const FlatBuffer &a, const FlatBuffer &b) : a(a), b(b) {}
    const FlatBuffer &a, &b;
    /// For matrices only that of the first row; the next are `aPitch` apart.
    llvm::SmallVector<mlir::Value> aOffsets;
    llvm::SmallVector<mlir::Value> bOffsets;
    mlir::Value aPitch, bStep;
    mlir::Value count;
    llvm::SmallVector<mlir::Value> bMasks; ///< Empty: all columns exist.
    /// For panels in an order of their own: where in `b` that of the first
    /// element is, and what rows of `a` are copied to. The count is constant.
    mlir::Value order;
    const FlatBuffer *ordered = nullptr;
    Prefetch prefetch;
  };

  /// Sums in memory: those of a row follow each other, rows are `pitch`
  /// elements apart, and none is left out.
  struct SumsInMemory {
    const FlatBuffer &buffer;
    mlir::Value offset;
    int64_t pitch;
  };

  /// Sums of 0, as the values that loops carry: none if matrices hold them.
  virtual llvm::SmallVector<mlir::Value> zeros() const = 0;
  virtual llvm::SmallVector<mlir::Value>
  accumulate(const Segment &segment, mlir::ValueRange sums) const = 0;
  /// Adds the products of a segment to sums in memory.
  virtual void accumulateIn(const SumsInMemory &sums,
                            const Segment &segment) const = 0;

  /// Code for the sums of `count` rows from the `first` of the tile on, a
  /// vector after the other, which may be longer than those of the tile. Null
  /// `existing`: all rows exist; otherwise that many do, at least one.
  using UseSums =
      llvm::function_ref<void(mlir::Value first, int64_t count,
                              mlir::ValueRange sums, mlir::Value existing)>;
  /// Emits `use` for all rows that exist, in one piece or several.
  virtual void useSums(mlir::ValueRange sums, mlir::Value existing,
                       UseSums use) const = 0;
  virtual void useSums(const SumsInMemory &sums, mlir::Value existing,
                       UseSums use) const = 0;

  TileShape shape;
  int64_t lanes;

protected:
  ProductTile(TileShape shape, int64_t lanes) : shape(shape), lanes(lanes) {}

  /// Prefetches what is due at the `count` elements of K from `k` on.
  static void prefetch(Emitter &e, const Segment &segment, mlir::Value k,
                       int64_t count);
};

class MatrixRegisters;
struct MicroKernel;

/// A tile of the form's registers: of `registers` if these are matrices.
std::unique_ptr<ProductTile>
makeTile(Emitter &e, const CpuMachine &machine, const MicroKernel &form,
         const std::optional<MatrixRegisters> &registers,
         mlir::Type accumulator, TileShape shape);

/// For the loop just emitted, if it is one. LLVM would fully unroll short loops
/// along K, share elements common to iterations, and keep them on the stack.
void forbidUnrolling(Emitter &e);

} // namespace hone

#endif // HONE_PASSES_CPU_PRODUCTTILE_H
