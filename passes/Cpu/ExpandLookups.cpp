// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lookups in tables of bytes, by permutations of registers that hold the table
// where the machine has such, otherwise by loads.
#include "dialects/Graph/Graph.h"
#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Passes.h"
#include "passes/Emit/Emit.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDLOOKUPSPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static constexpr int64_t kTableBytes = 256;
static constexpr int64_t kRegisterBytes = 64;

/// The first lanes of a vector as one of `lanes`, the rest of which is
/// undefined.
static Value resized(OpBuilder &b, Location loc, Value vector, int64_t lanes) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  if (count == lanes)
    return vector;
  SmallVector<int64_t> order(lanes, vector::ShuffleOp::kPoisonIndex);
  for (int64_t i = 0; i < std::min(count, lanes); ++i)
    order[i] = i;
  return vector::ShuffleOp::create(b, loc, vector, vector, order);
}

/// Permutes two registers that hold half of the table; `half` is 0 or 1.
static Value permuteHalf(OpBuilder &b, Location loc, StringRef intrinsic,
                         VectorType type, LookupOp op, int64_t half,
                         Value places) {
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 2; ++i) {
    ArrayRef<int8_t> part =
        op.getTable().slice((2 * half + i) * kRegisterBytes, kRegisterBytes);
    auto attr = DenseElementsAttr::getFromRawBuffer(
        type,
        ArrayRef(reinterpret_cast<const char *>(part.data()), part.size()));
    registers.push_back(arith::ConstantOp::create(b, loc, attr));
  }
  return LLVM::CallIntrinsicOp::create(
             b, loc, type, b.getStringAttr(intrinsic),
             ValueRange{registers[0], places, registers[1]})
      .getResult(0);
}

/// Up to 64 places at once.
static Value permuteBytes(OpBuilder &b, LookupOp op) {
  Location loc = op.getLoc();
  Value place = op.getPlace();
  auto type = cast<VectorType>(place.getType());
  auto whole = VectorType::get(kRegisterBytes, b.getI8Type());
  Value places = resized(b, loc, place, kRegisterBytes);
  auto half = [&](int64_t number) {
    return resized(b, loc,
                   permuteHalf(b, loc, "llvm.x86.avx512.vpermi2var.qi.512",
                               whole, op, number, places),
                   type.getNumElements());
  };
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value isHigh =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, place, zero);
  return arith::SelectOp::create(b, loc, isHigh, half(1), half(0));
}

/// The same for 16 places, by permutations of words of four bytes.
static Value permuteWords(OpBuilder &b, LookupOp op) {
  Location loc = op.getLoc();
  auto given = cast<VectorType>(op.getType());
  int64_t lanes = kRegisterBytes / 4;
  auto type = VectorType::get(lanes, b.getI32Type());
  auto number = [&](int32_t value) -> Value {
    return splat(b, loc, type, b.getI32IntegerAttr(value));
  };
  Value places = arith::ExtUIOp::create(b, loc, type,
                                        resized(b, loc, op.getPlace(), lanes));
  Value words = arith::ShRUIOp::create(b, loc, places, number(2));
  auto half = [&](int64_t i) {
    return permuteHalf(b, loc, "llvm.x86.avx512.vpermi2var.d.512", type, op, i,
                       words);
  };
  Value isHigh = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge,
                                       places, number(kTableBytes / 2));
  Value word = arith::SelectOp::create(b, loc, isHigh, half(1), half(0));
  Value shift = arith::AndIOp::create(
      b, loc, arith::ShLIOp::create(b, loc, places, number(3)), number(24));
  Value bytes =
      arith::TruncIOp::create(b, loc, VectorType::get(lanes, b.getI8Type()),
                              arith::ShRUIOp::create(b, loc, word, shift));
  return resized(b, loc, bytes, given.getNumElements());
}

namespace {
/// Loads from tables in memory.
class Tables {
public:
  Value load(OpBuilder &b, LookupOp op) {
    Location loc = op.getLoc();
    memref::GlobalOp global = globalOf(op);
    Value table = memref::GetGlobalOp::create(b, loc, global.getType(),
                                              global.getSymName());
    auto loadAt = [&](Value place) -> Value {
      Value index =
          arith::IndexCastUIOp::create(b, loc, b.getIndexType(), place);
      return memref::LoadOp::create(b, loc, table, index);
    };
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type)
      return loadAt(op.getPlace());
    SmallVector<Value> elements;
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      elements.push_back(
          loadAt(vector::ExtractOp::create(b, loc, op.getPlace(), i)));
    return vector::FromElementsOp::create(b, loc, type, elements);
  }

private:
  memref::GlobalOp globalOf(LookupOp op) {
    Operation *module = SymbolTable::getNearestSymbolTable(op);
    memref::GlobalOp &global = globals[{module, op.getTableAttr()}];
    if (global)
      return global;
    OpBuilder b(module->getContext());
    auto type = RankedTensorType::get(kTableBytes, b.getI8Type());
    global = memref::GlobalOp::create(
        b, op.getLoc(), "table", b.getStringAttr("private"),
        MemRefType::get(kTableBytes, b.getI8Type()),
        DenseElementsAttr::get(type, op.getTable()), /*constant=*/true,
        b.getI64IntegerAttr(kRegisterBytes));
    SymbolTable(module).insert(global);
    return global;
  }

  DenseMap<std::pair<Operation *, Attribute>, memref::GlobalOp> globals;
};

struct ExpandLookupsPass
    : hone::impl::ExpandLookupsPassBase<ExpandLookupsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<LookupOp> lookups;
    getOperation().walk([&](LookupOp op) { lookups.push_back(op); });
    Tables tables;
    for (LookupOp op : lookups) {
      OpBuilder b(op);
      Value result = permute(b, op);
      op.replaceAllUsesWith(result ? result : tables.load(b, op));
      op.erase();
    }
  }

private:
  /// By registers; null: the machine has none for it.
  static Value permute(OpBuilder &b, LookupOp op) {
    const CpuMachine &machine = CpuMachine::of(op);
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getNumElements() == 1 || machine.vectorBits < 512 ||
        op->getParentOfType<gpu::GPUModuleOp>())
      return {};
    if (machine.hasBytePermute() && type.getNumElements() <= kRegisterBytes)
      return permuteBytes(b, op);
    if (type.getNumElements() <= kRegisterBytes / 4)
      return permuteWords(b, op);
    return {};
  }
};
} // namespace
