// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Outlines launches to device functions. A function gets addresses and sizes;
// views, constants and values that depend on device memory are recomputed
// there, as the host cannot read that memory.
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Emit/KernelSignature.h"

namespace hone {
#define GEN_PASS_DEF_OUTLINELAUNCHESPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
// Of hone_device_error in abi.h, which passes do not include.
constexpr int64_t kErrorStatus = 0;
constexpr int64_t kErrorNode = 4;
constexpr int64_t kErrorValue = 8;
constexpr int64_t kErrorLimit = 16;

bool isCheck(Operation *op) {
  return isa<CheckedIndexOp, CheckedDivisorOp>(op);
}

/// One launch being outlined.
class LaunchOutliner {
public:
  LaunchOutliner(gpu::LaunchOp launch, func::FuncOp kernel,
                 gpu::GPUModuleOp module)
      : launch(launch), kernel(kernel), module(module),
        builder(launch.getContext()), e(builder, launch.getLoc()),
        converter(launch.getContext()) {
    addKernelTypeConversions(converter);
  }

  LogicalResult run(int64_t step) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(launch.getBody(), captured);
    for (Value value : captured)
      if (failed(collect(value)))
        return failure();
    createFunction(step);
    for (Value value : captured)
      replaceAllUsesInRegionWith(value, inside(value), launch.getBody());
    moveBody();
    bool checks = lowerChecks();
    replaceLaunch(checks);
    return success();
  }

private:
  /// Whether the host cannot know a value.
  bool readsMemory(Value value) {
    auto known = reads.find(value);
    if (known != reads.end())
      return known->second;
    bool result = false;
    if (Operation *op = value.getDefiningOp())
      if (!isa<MemRefType>(value.getType()))
        result = isa<memref::LoadOp>(op) ||
                 llvm::any_of(op->getOperands(), [&](Value operand) {
                   return readsMemory(operand);
                 });
    return reads[value] = result;
  }

  /// A buffer that a parameter stands for.
  static bool isBuffer(Value value) {
    return isa<MemRefType>(value.getType()) &&
           (!value.getDefiningOp() || value.getDefiningOp<memref::AllocOp>());
  }

  /// Whether the host passes the value as a number.
  bool isNumber(Value value) {
    Operation *op = value.getDefiningOp();
    return value.getType().isIndex() && !readsMemory(value) &&
           !(op && op->hasTrait<OpTrait::ConstantLike>());
  }

  /// Collects the parameters that `value` needs.
  LogicalResult collect(Value value) {
    if (isBuffer(value)) {
      buffers.insert(value);
      return success();
    }
    if (isNumber(value)) {
      numbers.insert(value);
      return success();
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return kernel.emitError("has an argument that a device cannot take: ")
             << value.getType();
    if (op->getNumRegions() != 0 ||
        !(isMemoryEffectFree(op) || isa<memref::LoadOp>(op) || isCheck(op)))
      return op->emitOpError("is needed on the device and cannot run there");
    for (Value operand : op->getOperands())
      if (failed(collect(operand)))
        return failure();
    return success();
  }

  void createFunction(int64_t step) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type i64 = builder.getI64Type();
    SmallVector<Type> types;
    for (Value buffer : buffers) {
      types.push_back(pointer);
      types.append(cast<MemRefType>(buffer.getType()).getNumDynamicDims(), i64);
    }
    types.append(numbers.size(), i64);
    SmallVector<Type> shared;
    for (BlockArgument buffer : launch.getWorkgroupAttributions())
      shared.push_back(buffer.getType());
    builder.setInsertionPointToEnd(module.getBody());
    function = gpu::GPUFuncOp::create(
        builder, launch.getLoc(),
        (kernel.getSymName() + "_step" + Twine(step)).str(),
        builder.getFunctionType(types, {}), shared);
    function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                      builder.getUnitAttr());
    for (unsigned i = 0; i < shared.size(); ++i)
      function.setWorkgroupAttributionAttr(
          i, LLVM::LLVMDialect::getAlignAttrName(),
          builder.getI64IntegerAttr(16));
    Block &entry = function.getBody().front();
    builder.setInsertionPointToStart(&entry);
    unsigned next = 0;
    for (Value buffer : buffers) {
      auto type = cast<MemRefType>(buffer.getType());
      Value data = entry.getArgument(next++);
      SmallVector<Value> sizes;
      for (int64_t size : type.getShape())
        sizes.push_back(
            ShapedType::isDynamic(size)
                ? Value(entry.getArgument(next++))
                : LLVM::ConstantOp::create(builder, e.loc, i64,
                                           builder.getI64IntegerAttr(size))
                      .getResult());
      values.map(buffer, makeMemRef(e, converter, type, data, sizes));
    }
    for (Value number : numbers)
      values.map(number, arith::IndexCastOp::create(builder, e.loc,
                                                    builder.getIndexType(),
                                                    entry.getArgument(next++)));
  }

  /// The value in the function.
  Value inside(Value value) {
    if (Value known = values.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    for (Value operand : op->getOperands())
      inside(operand);
    if (auto global = dyn_cast<memref::GetGlobalOp>(op))
      copyGlobal(global);
    return builder.clone(*op, values)
        ->getResult(cast<OpResult>(value).getResultNumber());
  }

  /// Constants belong to the code that reads them.
  void copyGlobal(memref::GetGlobalOp use) {
    if (module.lookupSymbol(use.getNameAttr()))
      return;
    auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
        kernel, use.getNameAttr());
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    builder.clone(*global);
  }

  template <typename IdOp> void replaceIds(gpu::KernelDim3 ids) {
    std::pair<Value, gpu::Dimension> all[] = {{ids.x, gpu::Dimension::x},
                                              {ids.y, gpu::Dimension::y},
                                              {ids.z, gpu::Dimension::z}};
    for (auto [id, dimension] : all)
      if (!id.use_empty())
        id.replaceAllUsesWith(
            IdOp::create(builder, e.loc, builder.getIndexType(), dimension));
  }

  void moveBody() {
    replaceIds<gpu::BlockIdOp>(launch.getBlockIds());
    replaceIds<gpu::ThreadIdOp>(launch.getThreadIds());
    replaceIds<gpu::GridDimOp>(launch.getGridSize());
    replaceIds<gpu::BlockDimOp>(launch.getBlockSize());
    for (auto [from, to] : llvm::zip_equal(launch.getWorkgroupAttributions(),
                                           function.getWorkgroupAttributions()))
      Value(from).replaceAllUsesWith(to);
    Block &body = launch.getBody().front();
    Operation *terminator = body.getTerminator();
    builder.getInsertionBlock()->getOperations().splice(
        builder.getInsertionPoint(), body.getOperations());
    builder.setInsertionPoint(terminator);
    gpu::ReturnOp::create(builder, terminator->getLoc());
    terminator->erase();
  }

  /// Lets checks write the error cell, an additional parameter; returns whether
  /// there are any.
  bool lowerChecks() {
    SmallVector<Operation *> checks;
    function.walk([&](Operation *op) {
      if (isCheck(op))
        checks.push_back(op);
    });
    if (checks.empty())
      return false;
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    unsigned number = function.getNumArguments();
    DictionaryAttr isCell = builder.getDictionaryAttr(
        builder.getNamedAttr("hone.error_cell", builder.getUnitAttr()));
    if (failed(function.insertArgument(number, pointer, isCell, e.loc)))
      llvm_unreachable("gpu.func takes any argument");
    Value cell = function.getArgument(number);
    for (Operation *op : checks) {
      auto report = [&](int32_t code, Value value, Value limit) {
        emitReport(cell, op, code, value, limit);
      };
      if (auto index = dyn_cast<CheckedIndexOp>(op))
        lowerCheck(e, index, report);
      else
        lowerCheck(e, cast<CheckedDivisorOp>(op), report);
    }
    return true;
  }

  /// The first one that finds status 0 describes its failure.
  void emitReport(Value cell, Operation *op, int32_t code, Value value,
                  Value limit) {
    auto i32 = [&](int64_t number) {
      return LLVM::ConstantOp::create(builder, e.loc, builder.getI32Type(),
                                      builder.getI32IntegerAttr(number));
    };
    Value status = pointerAt(e, cell, kErrorStatus);
    Value pair = LLVM::AtomicCmpXchgOp::create(
        builder, e.loc, status, i32(0), i32(code),
        LLVM::AtomicOrdering::monotonic, LLVM::AtomicOrdering::monotonic);
    Value first = LLVM::ExtractValueOp::create(builder, e.loc, pair,
                                               ArrayRef<int64_t>{1});
    e.branch(first, [&] {
      LLVM::StoreOp::create(builder, e.loc, i32(nodeOfCheck(op, kernel)),
                            pointerAt(e, cell, kErrorNode));
      LLVM::StoreOp::create(builder, e.loc, value,
                            pointerAt(e, cell, kErrorValue));
      LLVM::StoreOp::create(builder, e.loc, limit,
                            pointerAt(e, cell, kErrorLimit));
    });
  }

  void replaceLaunch(bool checks) {
    builder.setInsertionPoint(launch);
    e.loc = launch.getLoc();
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type i64 = builder.getI64Type();
    auto integer = [&](Value index) -> Value {
      return arith::IndexCastOp::create(builder, e.loc, i64, index);
    };
    SmallVector<Value> operands;
    for (Value buffer : buffers) {
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(
          builder, e.loc, buffer);
      operands.push_back(
          LLVM::IntToPtrOp::create(builder, e.loc, pointer, integer(address)));
      auto type = cast<MemRefType>(buffer.getType());
      auto alloc = buffer.getDefiningOp<memref::AllocOp>();
      for (int64_t i = 0; i < type.getRank(); ++i)
        if (type.isDynamicDim(i))
          operands.push_back(integer(
              alloc ? alloc.getDynamicSizes()[type.getDynamicDimIndex(i)]
                    : memref::DimOp::create(builder, e.loc, buffer, i)
                          .getResult()));
    }
    for (Value number : numbers)
      operands.push_back(integer(number));
    if (checks)
      operands.push_back(LLVM::ZeroOp::create(builder, e.loc, pointer));
    gpu::KernelDim3 grid = launch.getGridSizeOperandValues(),
                    block = launch.getBlockSizeOperandValues();
    SmallVector<int32_t> sizes;
    for (Value size : {block.x, block.y, block.z})
      sizes.push_back(constantOf(size).value_or(0));
    function.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(sizes));
    gpu::LaunchFuncOp::create(builder, e.loc, function, grid, block,
                              launch.getDynamicSharedMemorySize(), operands);
    launch.erase();
  }

  gpu::LaunchOp launch;
  func::FuncOp kernel;
  gpu::GPUModuleOp module;
  gpu::GPUFuncOp function;
  OpBuilder builder;
  Emitter e;
  LLVMTypeConverter converter;
  llvm::SetVector<Value> buffers, numbers; ///< Parameters.
  IRMapping values;                        ///< From the host to the function.
  DenseMap<Value, bool> reads;
};

LogicalResult outlineKernel(func::FuncOp kernel) {
  SmallVector<gpu::LaunchOp> launches(
      kernel.getBody().front().getOps<gpu::LaunchOp>());
  auto parent = kernel->getParentOfType<ModuleOp>();
  parent->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  UnitAttr::get(kernel.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(parent.getBody());
  auto module = gpu::GPUModuleOp::create(builder, kernel.getLoc(),
                                         (kernel.getSymName() + "_gpu").str());
  for (auto [step, launch] : llvm::enumerate(launches)) {
    for (Value size : {launch.getBlockSizeOperandValues().x,
                       launch.getBlockSizeOperandValues().y,
                       launch.getBlockSizeOperandValues().z})
      if (!constantOf(size))
        return launch.emitOpError("has a block size that is not constant");
    if (failed(LaunchOutliner(launch, kernel, module).run(step)))
      return failure();
  }
  // Values that moved are not needed here any more.
  SmallVector<Operation *> rest;
  for (Operation &op : kernel.getBody().front().without_terminator())
    rest.push_back(&op);
  for (Operation *op : llvm::reverse(rest))
    if (op->use_empty() && (isOpTriviallyDead(op) || isa<memref::LoadOp>(op)))
      op->erase();
  return success();
}

struct OutlineLaunchesPass
    : hone::impl::OutlineLaunchesPassBase<OutlineLaunchesPass> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), outlineKernel)))
      signalPassFailure();
  }
};
} // namespace
