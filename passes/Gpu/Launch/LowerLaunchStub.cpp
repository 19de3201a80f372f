// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host part of a kernel that runs on a device: computes sizes and asks the
// runtime to launch each step.
#include "passes/Emit/KernelSignature.h"
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace hone {
#define GEN_PASS_DEF_LOWERLAUNCHSTUBPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
// Of hone_kernel_context and hone_launch in abi.h, which passes do not include.
constexpr int64_t kContextDeviceError = 32;
constexpr int64_t kLaunchStep = 0;
constexpr int64_t kLaunchGrid = 4;
constexpr int64_t kLaunchBlock = 16;
constexpr int64_t kLaunchSharedBytes = 28;
constexpr int64_t kLaunchBytes = 32;

class LaunchStub : KernelSignature {
public:
  using KernelSignature::KernelSignature;

  LogicalResult run() {
    replaceArguments(/*hasStatus=*/true);
    SmallVector<memref::AllocOp> temporaries(body->getOps<memref::AllocOp>());
    auto reserve = [&](Value bytes) { return reserveScratch(bytes); };
    if (failed(placeTemporaries(temporaries, reserve)))
      return failure();
    lowerChecks();
    int64_t step = 0;
    SmallVector<gpu::LaunchFuncOp> launches(body->getOps<gpu::LaunchFuncOp>());
    for (gpu::LaunchFuncOp launch : launches)
      lowerLaunch(launch, step++);
    finish();
    return success();
  }

private:
  Value reserveScratch(Value bytes) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    LLVM::LLVMFuncOp function = declare("hone_rt_device_scratch", pointer,
                                        {pointer, builder.getI64Type()});
    Value region = LLVM::CallOp::create(builder, e.loc, function,
                                        ValueRange{context, toInteger(bytes)})
                       .getResult();
    Value null = LLVM::ZeroOp::create(builder, e.loc, pointer);
    Value missing = LLVM::ICmpOp::create(builder, e.loc,
                                         LLVM::ICmpPredicate::eq, region, null);
    Value code = arith::ConstantIntOp::create(builder, e.loc, kOutOfMemory, 32);
    Value fine = arith::ConstantIntOp::create(builder, e.loc, 0, 32);
    setStatus(arith::SelectOp::create(builder, e.loc, missing, code, fine));
    return region;
  }

  /// Memory of the stub's frame.
  Value allocate(int64_t bytes) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(body);
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    return LLVM::AllocaOp::create(builder, e.loc, pointer, builder.getI8Type(),
                                  constant(bytes), /*alignment=*/8);
  }

  void store(Value value, Value pointer, int64_t offset) {
    LLVM::StoreOp::create(builder, e.loc, value, pointerAt(e, pointer, offset));
  }

  /// Launches the step unless something failed before.
  void lowerLaunch(gpu::LaunchFuncOp launch, int64_t step) {
    builder.setInsertionPoint(launch);
    e.loc = launch.getLoc();
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type i32 = builder.getI32Type();
    Value before = memref::LoadOp::create(builder, e.loc, status, ValueRange{});
    Value zero = arith::ConstantIntOp::create(builder, e.loc, 0, 32);
    Value fine = e.cmp(arith::CmpIPredicate::eq, before, zero);
    e.branch(fine, [&] {
      Value description = allocate(kLaunchBytes);
      store(arith::ConstantIntOp::create(builder, e.loc, step, 32), description,
            kLaunchStep);
      storeSizes(launch.getGridSizeOperandValues(), description, kLaunchGrid);
      storeSizes(launch.getBlockSizeOperandValues(), description, kLaunchBlock);
      Value shared = launch.getDynamicSharedMemorySize();
      store(shared ? shared : zero, description, kLaunchSharedBytes);
      // The parameters, and an array of their addresses.
      ValueRange operands = launch.getKernelOperands();
      int64_t count = std::max<int64_t>(operands.size(), 1);
      Value values = allocate(8 * count), addresses = allocate(8 * count);
      for (auto [i, operand] : llvm::enumerate(operands)) {
        Value value = operand;
        if (isErrorCell(launch, i))
          value = loadAt(e, context, kContextDeviceError, pointer);
        store(value, values, 8 * i);
        store(pointerAt(e, values, 8 * i), addresses, 8 * i);
      }
      LLVM::LLVMFuncOp function =
          declare("hone_rt_launch", i32, {pointer, pointer, pointer});
      setStatus(
          LLVM::CallOp::create(builder, e.loc, function,
                               ValueRange{context, description, addresses})
              .getResult());
    });
    launch.erase();
  }

  bool isErrorCell(gpu::LaunchFuncOp launch, unsigned parameter) {
    auto function = SymbolTable::lookupNearestSymbolFrom<gpu::GPUFuncOp>(
        kernel, launch.getKernel());
    return function.getArgAttr(parameter, "hone.error_cell") != nullptr;
  }

  void storeSizes(gpu::KernelDim3 sizes, Value description, int64_t offset) {
    for (Value size : {sizes.x, sizes.y, sizes.z}) {
      store(arith::IndexCastOp::create(builder, e.loc, builder.getI32Type(),
                                       size),
            description, offset);
      offset += 4;
    }
  }
};

struct LowerLaunchStubPass
    : hone::impl::LowerLaunchStubPassBase<LowerLaunchStubPass> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), [](func::FuncOp kernel) {
          return LaunchStub(kernel).run();
        })))
      signalPassFailure();
  }
};
} // namespace
