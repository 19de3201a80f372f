// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device operations as calls of the emulator.
#include "compiler/Target/Emulated/Operations.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "runtime/device/emulator/Emulated.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cstddef>

using namespace mlir;
using namespace hone;

#define SERVICE(name) offsetof(hone_emulated_services, name)

namespace {

class Operations {
public:
  Operations(LLVM::LLVMFuncOp function, EmulatorServices &services,
             const llvm::StringMap<int64_t> &shared)
      : function(function), services(services), shared(shared),
        builder(function.getContext()),
        layout(function->getParentOfType<ModuleOp>()) {}

  LogicalResult run() {
    SmallVector<Operation *> operations;
    function.walk([&](Operation *op) { operations.push_back(op); });
    for (Operation *op : operations) {
      builder.setInsertionPoint(op);
      if (failed(translate(op)))
        return failure();
    }
    return success();
  }

private:
  LogicalResult translate(Operation *op) {
    if (isa<NVVM::NVVMDialect>(op->getDialect()))
      return translateDeviceOperation(op);
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](LLVM::LoadOp load) {
          redirect(load, load.getAddrMutable(), load.getType(),
                   load.getAlignment(), SERVICE(load));
          return success();
        })
        .Case([&](LLVM::StoreOp store) {
          redirect(store, store.getAddrMutable(), store.getValue().getType(),
                   store.getAlignment(), SERVICE(store));
          return success();
        })
        .Case([&](LLVM::AtomicRMWOp atomic) {
          redirect(atomic, atomic.getPtrMutable(), atomic.getVal().getType(),
                   atomic.getAlignment(), SERVICE(update));
          return success();
        })
        .Case([&](LLVM::AtomicCmpXchgOp atomic) {
          redirect(atomic, atomic.getPtrMutable(), atomic.getVal().getType(),
                   atomic.getAlignment(), SERVICE(update));
          return success();
        })
        .Case([&](LLVM::AddressOfOp address) {
          placeShared(address);
          return success();
        })
        .Case([](LLVM::CallIntrinsicOp call) {
          // For any device, including the host.
          return call.getIntrin() == "llvm.arithmetic.fence" ? success()
                                                             : refuse(call);
        })
        .Case<LLVM::InlineAsmOp, LLVM::MemcpyOp, LLVM::MemmoveOp,
              LLVM::MemsetOp>([](Operation *other) { return refuse(other); })
        .Default([](Operation *) { return success(); });
  }

  static LogicalResult refuse(Operation *op) {
    return op->emitOpError("cannot be emulated");
  }

  Value call(Operation *op, size_t offset, Type result, ValueRange operands) {
    return services.call(builder, op->getLoc(), offset, result, operands);
  }
  Value i32(Operation *op, int64_t value) {
    return services.constant(builder, op->getLoc(), value);
  }
  /// Pointers of all spaces are passed as one type; function types are changed
  /// afterwards.
  Value generic(Value pointer) {
    if (pointer.getType() == services.ptrType)
      return pointer;
    return LLVM::AddrSpaceCastOp::create(builder, pointer.getLoc(),
                                         services.ptrType, pointer);
  }

  //===- Memory ----------------------------------------------------------===//

  /// A thread's own memory needs no check.
  static bool isOwnMemory(Value pointer) {
    while (auto gep = pointer.getDefiningOp<LLVM::GEPOp>())
      pointer = gep.getBase();
    return pointer.getDefiningOp<LLVM::AllocaOp>() != nullptr;
  }

  void redirect(Operation *op, OpOperand &address, Type type,
                std::optional<uint64_t> alignment, size_t service) {
    Value pointer = address.get();
    if (isOwnMemory(pointer))
      return;
    int64_t bytes = layout.getTypeSize(type).getFixedValue();
    // LLVM's default.
    int64_t natural = layout.getTypeABIAlignment(type);
    if (isa<VectorType>(type))
      natural = llvm::PowerOf2Ceil(bytes);
    auto space = cast<LLVM::LLVMPointerType>(pointer.getType());
    Value size = services.constant(builder, op->getLoc(), bytes, 64);
    Value checked = call(op, service, services.ptrType,
                         {generic(pointer), size, services.site(builder, op),
                          i32(op, space.getAddressSpace()),
                          i32(op, alignment.value_or(natural))});
    if (checked.getType() != pointer.getType())
      checked = LLVM::AddrSpaceCastOp::create(builder, op->getLoc(),
                                              pointer.getType(), checked);
    address.set(checked);
  }

  void placeShared(LLVM::AddressOfOp address) {
    auto offset = shared.find(address.getGlobalName());
    if (offset == shared.end())
      return;
    Value base = call(address, SERVICE(shared_base), services.ptrType, {});
    Value place = LLVM::GEPOp::create(
        builder, address.getLoc(), services.ptrType, builder.getI8Type(), base,
        ArrayRef<LLVM::GEPArg>{int32_t(offset->second)});
    Value typed = LLVM::AddrSpaceCastOp::create(builder, address.getLoc(),
                                                address.getType(), place);
    address.replaceAllUsesWith(typed);
    address.erase();
  }

  //===- The device's operations -----------------------------------------===//

  LogicalResult translateDeviceOperation(Operation *op) {
    if (std::optional<int32_t> reg = specialRegister(op)) {
      replace(op, call(op, SERVICE(special), builder.getI32Type(),
                       {i32(op, *reg)}));
      return success();
    }
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::SyncWarpOp, NVVM::ShflOp,
              NVVM::VoteSyncOp, NVVM::ReduxOp, NVVM::LdMatrixOp, NVVM::MmaOp,
              NVVM::CpAsyncOp, NVVM::CpAsyncCommitGroupOp,
              NVVM::CpAsyncWaitGroupOp>(
            [&](auto typed) { return translateTyped(typed); })
        .Default([](Operation *other) { return refuse(other); });
  }

  static std::optional<int32_t> specialRegister(Operation *op) {
    StringRef name = op->getName().getStringRef();
    if (!name.consume_front("nvvm.read.ptx.sreg."))
      return std::nullopt;
    int32_t reg = llvm::StringSwitch<int32_t>(name)
                      .Case("tid.x", HONE_SREG_TID_X)
                      .Case("tid.y", HONE_SREG_TID_Y)
                      .Case("tid.z", HONE_SREG_TID_Z)
                      .Case("ntid.x", HONE_SREG_NTID_X)
                      .Case("ntid.y", HONE_SREG_NTID_Y)
                      .Case("ntid.z", HONE_SREG_NTID_Z)
                      .Case("ctaid.x", HONE_SREG_CTAID_X)
                      .Case("ctaid.y", HONE_SREG_CTAID_Y)
                      .Case("ctaid.z", HONE_SREG_CTAID_Z)
                      .Case("nctaid.x", HONE_SREG_NCTAID_X)
                      .Case("nctaid.y", HONE_SREG_NCTAID_Y)
                      .Case("nctaid.z", HONE_SREG_NCTAID_Z)
                      .Case("laneid", HONE_SREG_LANEID)
                      .Case("warpid", HONE_SREG_WARPID)
                      .Case("warpsize", HONE_SREG_WARPSIZE)
                      .Default(-1);
    return reg < 0 ? std::nullopt : std::optional(reg);
  }

  static void replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }

  LogicalResult translateTyped(NVVM::Barrier0Op op) {
    call(op, SERVICE(barrier), {},
         {i32(op, 0), i32(op, 0), services.site(builder, op)});
    op.erase();
    return success();
  }

  LogicalResult translateTyped(NVVM::BarrierOp op) {
    if (op.getReductionOp())
      return refuse(op);
    Value id = op.getBarrierId() ? op.getBarrierId() : i32(op, 0);
    Value count =
        op.getNumberOfThreads() ? op.getNumberOfThreads() : i32(op, 0);
    call(op, SERVICE(barrier), {}, {id, count, services.site(builder, op)});
    op.erase();
    return success();
  }

  LogicalResult translateTyped(NVVM::SyncWarpOp op) {
    call(op, SERVICE(warp_barrier), {},
         {op.getMask(), services.site(builder, op)});
    op.erase();
    return success();
  }

  /// 32 bits as an integer, and back.
  Value bits(Operation *op, Value value, Type type) {
    return value.getType() == type
               ? value
               : LLVM::BitcastOp::create(builder, op->getLoc(), type, value)
                     .getResult();
  }

  LogicalResult translateTyped(NVVM::ShflOp op) {
    Location loc = op.getLoc();
    Type i32Type = builder.getI32Type();
    int32_t mode = 0;
    switch (op.getKind()) {
    case NVVM::ShflKind::bfly:
      mode = HONE_SHUFFLE_BFLY;
      break;
    case NVVM::ShflKind::up:
      mode = HONE_SHUFFLE_UP;
      break;
    case NVVM::ShflKind::down:
      mode = HONE_SHUFFLE_DOWN;
      break;
    case NVVM::ShflKind::idx:
      mode = HONE_SHUFFLE_IDX;
      break;
    }
    Value predicate = frame();
    Value moved =
        call(op, SERVICE(shuffle), i32Type,
             {i32(op, mode), op.getThreadMask(), bits(op, op.getVal(), i32Type),
              op.getOffset(), op.getMaskAndClamp(), services.site(builder, op),
              predicate});
    moved = bits(op, moved, op.getVal().getType());
    if (!op.getReturnValueAndIsValid()) {
      replace(op, moved);
      return success();
    }
    Value flag = LLVM::LoadOp::create(builder, loc, i32Type, predicate);
    Value isValid = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                         flag, i32(op, 0));
    Value pair = LLVM::UndefOp::create(builder, loc, op.getType());
    pair = LLVM::InsertValueOp::create(builder, loc, pair, moved, int64_t(0));
    pair = LLVM::InsertValueOp::create(builder, loc, pair, isValid, int64_t(1));
    replace(op, pair);
    return success();
  }

  LogicalResult translateTyped(NVVM::VoteSyncOp op) {
    int32_t mode = 0;
    switch (op.getKind()) {
    case NVVM::VoteSyncKind::any:
      mode = HONE_VOTE_ANY;
      break;
    case NVVM::VoteSyncKind::all:
      mode = HONE_VOTE_ALL;
      break;
    case NVVM::VoteSyncKind::ballot:
      mode = HONE_VOTE_BALLOT;
      break;
    case NVVM::VoteSyncKind::uni:
      mode = HONE_VOTE_UNI;
      break;
    }
    Value flag = LLVM::ZExtOp::create(builder, op.getLoc(),
                                      builder.getI32Type(), op.getPred());
    Value result =
        call(op, SERVICE(vote), builder.getI32Type(),
             {i32(op, mode), op.getMask(), flag, services.site(builder, op)});
    if (op.getType().isInteger(1))
      result = LLVM::ICmpOp::create(
          builder, op.getLoc(), LLVM::ICmpPredicate::ne, result, i32(op, 0));
    replace(op, result);
    return success();
  }

  LogicalResult translateTyped(NVVM::ReduxOp op) {
    int32_t mode = 0;
    switch (op.getKind()) {
    case NVVM::ReduxKind::ADD:
      mode = HONE_REDUX_ADD;
      break;
    case NVVM::ReduxKind::MIN:
      mode = HONE_REDUX_MIN;
      break;
    case NVVM::ReduxKind::MAX:
      mode = HONE_REDUX_MAX;
      break;
    case NVVM::ReduxKind::UMIN:
      mode = HONE_REDUX_UMIN;
      break;
    case NVVM::ReduxKind::UMAX:
      mode = HONE_REDUX_UMAX;
      break;
    case NVVM::ReduxKind::AND:
      mode = HONE_REDUX_AND;
      break;
    case NVVM::ReduxKind::OR:
      mode = HONE_REDUX_OR;
      break;
    case NVVM::ReduxKind::XOR:
      mode = HONE_REDUX_XOR;
      break;
    default:
      return refuse(op);
    }
    replace(op, call(op, SERVICE(redux), builder.getI32Type(),
                     {i32(op, mode), op.getMaskAndClamp(), op.getVal(),
                      services.site(builder, op)}));
    return success();
  }

  //===- Operations of registers -----------------------------------------===//

  /// Storage for the registers of one operation: 16 of 32 bits.
  Value frame() {
    if (!frameOfFunction) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&function.getBody().front());
      Value count = services.constant(builder, function.getLoc(), 16);
      frameOfFunction =
          LLVM::AllocaOp::create(builder, function.getLoc(), services.ptrType,
                                 builder.getI32Type(), count, /*alignment=*/16);
    }
    return frameOfFunction;
  }

  Value frameAt(Operation *op, int32_t reg) {
    return LLVM::GEPOp::create(builder, op->getLoc(), services.ptrType,
                               builder.getI32Type(), frame(),
                               ArrayRef<LLVM::GEPArg>{reg});
  }

  void storeRegisters(Operation *op, ValueRange values, int32_t first) {
    for (auto [i, value] : llvm::enumerate(values))
      LLVM::StoreOp::create(builder, op->getLoc(), value,
                            frameAt(op, first + int32_t(i)), /*alignment=*/4);
  }

  /// The result of `op`: one register, or a structure of them.
  Value loadRegisters(Operation *op, int32_t first) {
    Location loc = op->getLoc();
    Type type = op->getResult(0).getType();
    auto structure = dyn_cast<LLVM::LLVMStructType>(type);
    if (!structure)
      return LLVM::LoadOp::create(builder, loc, type, frameAt(op, first),
                                  /*alignment=*/4);
    Value value = LLVM::UndefOp::create(builder, loc, type);
    for (auto [i, part] : llvm::enumerate(structure.getBody())) {
      Value loaded = LLVM::LoadOp::create(
          builder, loc, part, frameAt(op, first + int32_t(i)), /*alignment=*/4);
      value =
          LLVM::InsertValueOp::create(builder, loc, value, loaded, int64_t(i));
    }
    return value;
  }

  LogicalResult translateTyped(NVVM::LdMatrixOp op) {
    if (op.getEltType() != NVVM::LdStMatrixEltType::B16)
      return refuse(op);
    bool isTransposed = op.getLayout() == NVVM::MMALayout::col;
    call(op, SERVICE(ldmatrix), {},
         {generic(op.getPtr()), i32(op, op.getNum()), i32(op, isTransposed),
          frame(), services.site(builder, op)});
    replace(op, loadRegisters(op, 0));
    return success();
  }

  static std::optional<int32_t> productShape(NVVM::MmaOp op) {
    NVVM::MMAShapeAttr shape = op.getShapeAttr();
    if (shape.getM() != 16 || shape.getN() != 8 ||
        op.getLayoutA() != NVVM::MMALayout::row ||
        op.getLayoutB() != NVVM::MMALayout::col)
      return std::nullopt;
    std::optional<NVVM::MMATypes> type = op.getMultiplicandAPtxType();
    if (!type)
      type = NVVM::MmaOp::inferOperandMMAType(
          op.getOperandA().front().getType(), /*isAccumulator=*/false);
    bool isHalf = isa<VectorType>(op.getOperandC().front().getType());
    if (type == NVVM::MMATypes::f16 && shape.getK() == 16)
      return isHalf ? HONE_MMA_M16N8K16_F16_F16 : HONE_MMA_M16N8K16_F16;
    if (type == NVVM::MMATypes::bf16 && shape.getK() == 16)
      return HONE_MMA_M16N8K16_BF16;
    if (type == NVVM::MMATypes::tf32 && shape.getK() == 8)
      return HONE_MMA_M16N8K8_TF32;
    if (type == NVVM::MMATypes::s8 && shape.getK() == 32)
      return HONE_MMA_M16N8K32_S8;
    return std::nullopt;
  }

  LogicalResult translateTyped(NVVM::MmaOp op) {
    std::optional<int32_t> shape = productShape(op);
    if (!shape)
      return refuse(op);
    storeRegisters(op, op.getOperandA(), 0);
    storeRegisters(op, op.getOperandB(), 4);
    storeRegisters(op, op.getOperandC(), 8);
    call(op, SERVICE(mma), {},
         {i32(op, *shape), frameAt(op, 0), frameAt(op, 4), frameAt(op, 8),
          frameAt(op, 12), services.site(builder, op)});
    replace(op, loadRegisters(op, 12));
    return success();
  }

  //===- Copies
  //------------------------------------------------------------===//

  LogicalResult translateTyped(NVVM::CpAsyncOp op) {
    Value valid = op.getCpSize() ? op.getCpSize() : i32(op, op.getSize());
    call(op, SERVICE(copy_async), {},
         {generic(op.getDst()), generic(op.getSrc()), i32(op, op.getSize()),
          valid, services.site(builder, op)});
    op.erase();
    return success();
  }

  LogicalResult translateTyped(NVVM::CpAsyncCommitGroupOp op) {
    call(op, SERVICE(commit_group), {}, {services.site(builder, op)});
    op.erase();
    return success();
  }

  LogicalResult translateTyped(NVVM::CpAsyncWaitGroupOp op) {
    call(op, SERVICE(wait_group), {},
         {i32(op, op.getN()), services.site(builder, op)});
    op.erase();
    return success();
  }

  LLVM::LLVMFuncOp function;
  EmulatorServices &services;
  const llvm::StringMap<int64_t> &shared;
  OpBuilder builder;
  DataLayout layout;
  Value frameOfFunction;
};

} // namespace

LogicalResult
hone::translateOperations(LLVM::LLVMFuncOp function, EmulatorServices &services,
                          const llvm::StringMap<int64_t> &shared) {
  return Operations(function, services, shared).run();
}
