// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Globals of ml_program that nothing changes are constants.
#include "compiler/Import/Mlir/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/SymbolTable.h"

namespace hone {
#define GEN_PASS_DEF_FOLDGLOBALSPASS
#include "compiler/Import/Mlir/Passes.h.inc"
} // namespace hone

using namespace mlir;

namespace {
struct FoldGlobalsPass : hone::impl::FoldGlobalsPassBase<FoldGlobalsPass> {
  using Base::Base;
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    bool isWrong = false;
    getOperation().walk([&](Operation *op) {
      if (auto load = dyn_cast<ml_program::GlobalLoadConstOp>(op))
        isWrong |= failed(fold(op, load.getGlobal(), symbols));
      else if (auto load = dyn_cast<ml_program::GlobalLoadOp>(op))
        isWrong |= failed(fold(op, load.getGlobal(), symbols));
    });
    if (isWrong)
      return signalPassFailure();
    SmallVector<ml_program::GlobalOp> globals(
        getOperation().getOps<ml_program::GlobalOp>());
    for (ml_program::GlobalOp global : globals)
      if (SymbolTable::symbolKnownUseEmpty(global, getOperation()))
        global.erase();
  }

private:
  LogicalResult fold(Operation *load, SymbolRefAttr name,
                     SymbolTable &symbols) {
    auto global = symbols.lookup<ml_program::GlobalOp>(name.getRootReference());
    auto fail = [&](StringRef why) {
      return emitError(load->getLoc())
             << "'" << load->getName() << "' cannot be compiled: " << why;
    };
    if (!global)
      return fail("there is no such global");
    if (global.getIsMutable())
      return fail("its global can change, and a model keeps nothing from run "
                  "to run: make it an input and an output");
    auto value =
        dyn_cast_or_null<ElementsAttr>(global.getValue().value_or(Attribute()));
    if (!value || value.getType() != load->getResult(0).getType())
      return fail("the module has no value for its global");
    OpBuilder b(load);
    Value constant = arith::ConstantOp::create(b, load->getLoc(), value);
    load->getResult(0).replaceAllUsesWith(constant);
    load->erase();
    return success();
  }
};
} // namespace
