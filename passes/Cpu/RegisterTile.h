// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The register kernel: a tile of accumulators that lives in vector registers
// over a loop along K.
#ifndef HONE_PASSES_CPU_REGISTERTILE_H
#define HONE_PASSES_CPU_REGISTERTILE_H

#include "passes/Cpu/MicroKernel.h"
#include "passes/Cpu/ProductTile.h"

namespace hone {

/// How `m` rows are divided into tiles of at most `maxRows`: first `large`
/// tiles of `rows` each, then `small` tiles of `rows` - 1.
struct RowSplit {
  int64_t rows, large, small;
};
RowSplit splitRows(int64_t m, int64_t maxRows);

/// Emits sums of products into `rows` x `vectors` accumulators. Each row reads
/// scalars of one buffer, all rows share vectors of the other.
class RegisterTile final : public ProductTile {
public:
  RegisterTile(Emitter &e, const CpuMachine &machine, const MicroKernel &form,
               mlir::Type accumulator, TileShape shape);

  /// Accumulators initialized to 0. Small tiles have several sets, which hide
  /// the latency of the multiply-add.
  llvm::SmallVector<mlir::Value> zeros() const override;
  /// The sums of the columns: of all sets, and of the parts in a vector.
  llvm::SmallVector<mlir::Value> finish(mlir::ValueRange accumulators) const;

  llvm::SmallVector<mlir::Value>
  accumulate(const Segment &segment,
             mlir::ValueRange accumulators) const override;
  /// Sums of columns that begin at `sums`; at 0 where there are none.
  llvm::SmallVector<mlir::Value> accumulateOnto(const Segment &segment,
                                                mlir::ValueRange sums) const;
  void accumulateIn(const SumsInMemory &sums,
                    const Segment &segment) const override;
  void useSums(mlir::ValueRange accumulators, mlir::Value existing,
               UseSums use) const override;
  void useSums(const SumsInMemory &sums, mlir::Value existing,
               UseSums use) const override;

private:
  llvm::SmallVector<mlir::Value>
  accumulateOrdered(const Segment &segment,
                    mlir::ValueRange accumulators) const;
  /// The sums of the columns in longer vectors, if they can be.
  llvm::SmallVector<mlir::Value> join(mlir::ValueRange accumulators) const;
  llvm::SmallVector<mlir::Value> addSets(mlir::ValueRange accumulators) const;
  llvm::SmallVector<mlir::Value> load(const SumsInMemory &sums) const;
  mlir::Value offsetOf(const SumsInMemory &sums, int64_t i) const;
  void step(const Segment &segment, mlir::Value k, int64_t set,
            llvm::MutableArrayRef<mlir::Value> accumulators) const;

  Emitter &e;
  const MicroKernel &form;
  mlir::VectorType sumType; ///< Of an accumulator.
  int64_t sets, unroll;
  bool joins; ///< Two accumulators with parts make a vector of sums.
};

} // namespace hone

#endif // HONE_PASSES_CPU_REGISTERTILE_H
