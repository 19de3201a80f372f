// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rebuilds the host function on buffers: the implementation of
// hone-bufferize-host.
#ifndef HONE_PASSES_BUFFER_HOST_HOSTBUFFERIZER_H
#define HONE_PASSES_BUFFER_HOST_HOSTBUFFERIZER_H

#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/NodeTable.h"

namespace hone {

/// Visits the operations of the host function once, in order. Its parts are in
/// separate files, in the order of the declarations here.
class HostBufferizer {
public:
  HostBufferizer(mlir::ModuleOp module, mlir::func::FuncOp host)
      : module(module), host(host), builder(module.getContext()),
        nodes(module) {}

  mlir::LogicalResult run();

private:
  using Dims = std::optional<llvm::SmallVector<mlir::Value>>;

  /// What a loop carries, and its sizes.
  struct CarriedSizes {
    explicit CarriedSizes(mlir::Operation *loop) : loop(loop) {}

    mlir::Operation *loop;
    llvm::DenseMap<mlir::Value, unsigned>
        position; ///< of what an iteration sees of it
    /// The dynamic dimensions, as values outside; nothing if they change.
    llvm::SmallVector<Dims> dims;
    llvm::DenseMap<mlir::Value, Dims> known; ///< of tensors
    int depth = 0;

    bool isInside(mlir::Value value) const {
      return loop->isAncestor(value.getParentBlock()->getParentOp());
    }
  };

  /// How a loop carries its tensors. One of unchanging shape is stored in a
  /// place, memory that is allocated before the loop and that the loop only
  /// refers to; the others are blocks, passed from iteration to iteration.
  struct Carried {
    mlir::Value mark; ///< older blocks are not the loop's
    llvm::SmallVector<mlir::Value>
        place; ///< by position of the tensor; null: passed on
    llvm::SmallVector<mlir::Value> inits; ///< of the values that are passed on
  };

  // BufferizeHost.cpp: entry, exit, and dispatch of operations.

  mlir::LogicalResult bufferizeArguments(mlir::func::FuncOp run);
  /// Attributes of an argument, and its type.
  mlir::Attribute describe(mlir::DictionaryAttr attrs, mlir::Type type);
  /// Kernel results that the function returns are written directly to the
  /// caller's memory.
  void assignOutputs();
  mlir::LogicalResult bufferizeReturn(mlir::func::ReturnOp op);
  bool isOutput(mlir::Value buffer);
  /// Outputs of known shape leave a view of that shape for the pass that builds
  /// the preparation.
  void recordOutputDims(unsigned index, mlir::Value buffer);
  mlir::LogicalResult bufferizeBlock(mlir::Block &block);
  mlir::LogicalResult bufferizeOp(mlir::Operation *op);

  // HostBuffers.cpp: where tensors are stored, their sizes, and aliasing.

  static mlir::MemRefType bufferType(mlir::Type tensor);
  static mlir::Type convertType(mlir::Type type);
  /// The tensor whose memory `value` refers to: through reshapes and casts.
  static mlir::Value viewedTensor(mlir::Value value);
  /// Whether two sizes are equal as arithmetic, or query the same dimension of
  /// the same buffer.
  bool isSameSize(mlir::Value a, mlir::Value b);
  bool areKnown(mlir::ValueRange values);
  /// The dynamic dimensions of a buffer.
  llvm::SmallVector<mlir::Value> dimsOf(mlir::Value buffer);
  mlir::Value dimOf(mlir::Value buffer, int64_t axis, mlir::Location loc);
  /// Memory for a tensor that is about to be computed.
  mlir::Value makeBuffer(mlir::Location loc, mlir::MemRefType type,
                         mlir::ValueRange dims, mlir::Value tensor = {});
  mlir::Value makeBlock(mlir::Location loc, mlir::MemRefType type,
                        mlir::ValueRange dims);
  mlir::Value view(mlir::Location loc, mlir::Value source,
                   mlir::MemRefType type, mlir::ValueRange dims);
  mlir::Value copyOf(mlir::Location loc, mlir::Value source);
  llvm::SmallVector<mlir::Value> mapped(mlir::ValueRange values);
  /// A new block with the content of `source`.
  mlir::Value blockOf(mlir::Location loc, mlir::Value source);
  /// Looks through views that begin at the first element.
  static mlir::Value wholeOf(mlir::Value buffer);
  /// Whether `buffer` is a block that belongs to an iteration in `body`, from
  /// its beginning on.
  bool isWholeBlock(mlir::Value buffer, mlir::Block &body) const;
  /// The buffers that `buffer` may refer to, as far as they are contained in
  /// one: through views and control flow.
  llvm::SmallVector<mlir::Value> rootsOf(mlir::Value buffer) const;
  /// From now on `buffer` may alias what one of `sources` refers to.
  void recordShown(mlir::Value buffer, mlir::ValueRange sources);
  /// Each of the values is a block that no other value refers to.
  void recordBlocks(mlir::ValueRange values);

  // HostOperations.cpp: operations without regions.

  mlir::LogicalResult bufferize(rt::CallOp op);
  /// Offset of a constant in the weights; nothing if it is larger than memory.
  std::optional<int64_t> placeWeight(mlir::ElementsAttr value);
  mlir::LogicalResult bufferize(graph::ConstantOp op);
  mlir::LogicalResult bufferize(graph::DimOp op);
  mlir::LogicalResult bufferize(graph::ReshapeOp op);
  mlir::LogicalResult bufferize(mlir::tensor::CastOp op);
  mlir::LogicalResult bufferize(mlir::tensor::DimOp op);
  mlir::LogicalResult bufferize(mlir::tensor::ExtractOp op);
  mlir::LogicalResult bufferize(mlir::tensor::FromElementsOp op);
  mlir::LogicalResult bufferize(mlir::tensor::EmptyOp op);
  /// Element offset of a slice that is one contiguous part of `source`:
  /// complete except in one dimension, before which all sizes are 1.
  mlir::FailureOr<mlir::Value>
  sliceOffset(mlir::OffsetSizeAndStrideOpInterface op, mlir::Value source);
  mlir::LogicalResult bufferize(mlir::tensor::ExtractSliceOp op);
  mlir::LogicalResult bufferize(mlir::tensor::InsertSliceOp op);
  /// Selects between buffers; between numbers it stays.
  mlir::LogicalResult bufferize(mlir::arith::SelectOp op);
  mlir::LogicalResult bufferize(graph::LibraryOp op);
  /// Sequences and optionals are pointers of one type, whatever the IR knows
  /// about their elements.
  mlir::LogicalResult bufferize(mlir::UnrealizedConversionCastOp op);
  mlir::LogicalResult bufferize(mlir::cf::AssertOp op);

  // HostControlFlow.cpp: branches and loops.

  mlir::LogicalResult bufferizeRegion(mlir::Block &from, mlir::Block &to);
  mlir::LogicalResult bufferize(mlir::scf::IfOp op);
  Carried enterLoop(mlir::Location loc, mlir::ValueRange inits,
                    const CarriedSizes &sizes);
  /// Maps what an iteration sees, or the loop's results, to places and
  /// passed-on values.
  void mapCarried(const Carried &carried, mlir::ValueRange from,
                  mlir::ValueRange handed);
  /// Ends an iteration in `body`, which has allocated blocks if `made` differs
  /// from `blocksMade`. The yielded values become the carried ones all at once;
  /// returns those to pass on.
  llvm::SmallVector<mlir::Value>
  leaveIteration(mlir::Location loc, const Carried &carried,
                 mlir::ValueRange yielded, mlir::Block &body, int64_t made);
  /// Assigns the values to the places, as if all were copied at once.
  void assignPlaces(mlir::Location loc, llvm::ArrayRef<mlir::Value> places,
                    llvm::MutableArrayRef<mlir::Value> values);
  mlir::LogicalResult bufferize(mlir::scf::ForOp op);
  mlir::LogicalResult bufferize(mlir::scf::WhileOp op);

  // HostLoopSizes.cpp: sizes of what a loop carries.

  /// False if one is unknown.
  bool areSameSizes(const Dims &a, const Dims &b);
  /// The dynamic dimensions that a tensor of an iteration has if the carried
  /// ones have those of `carried`; nothing if that is not evident.
  Dims dimsInside(mlir::Value tensor, CarriedSizes &carried);
  Dims findDimsInside(mlir::Value tensor, CarriedSizes &carried);
  /// A size of an iteration as a value outside; nothing if that is not evident.
  mlir::Value sizeOutside(mlir::Value size, CarriedSizes &carried);
  /// Finds the carried tensors whose sizes are the same in all iterations:
  /// initially all are assumed to be, and those found to vary are removed until
  /// a fixed point is reached.
  void findSizes(CarriedSizes &carried, mlir::ValueRange inits,
                 mlir::ValueRange yielded);

  mlir::ModuleOp module;
  mlir::func::FuncOp host;
  mlir::OpBuilder builder;
  NodeTable nodes;
  mlir::Block *top = nullptr;
  mlir::IRMapping map;
  SizeAnalysis sizes;
  std::optional<graph::DimBuilder> arithmetic; ///< of sizes
  llvm::StringMap<mlir::Value> freeDim;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
  llvm::DenseMap<const void *, int64_t> weightOffsets; ///< by storage
  llvm::DenseMap<mlir::Value, unsigned>
      outputOf; ///< tensors that are computed in the caller's memory
  llvm::DenseSet<mlir::Value> owned; ///< buffers that an insertion may write
                                     /// < to: nothing else refers to them
  llvm::DenseSet<mlir::Value>
      blocks; ///< that begin a block, each a different one
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>>
      shows;              ///< memory behind what control flow passes on
  int64_t blocksMade = 0; ///< operations so far that may allocate blocks
  int64_t weightBytes = 0;
  unsigned slots = 0;
};

} // namespace hone

#endif // HONE_PASSES_BUFFER_HOST_HOSTBUFFERIZER_H
