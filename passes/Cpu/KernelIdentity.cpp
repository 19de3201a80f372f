// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Identifies a kernel across models.
#include "passes/Cpu/KernelIdentity.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace hone;

SmallVector<graph::ScheduledOpInterface>
hone::scheduledOperations(func::FuncOp kernel) {
  SmallVector<graph::ScheduledOpInterface> operations;
  kernel.walk([&](graph::ScheduledOpInterface op) {
    if (op.takesSchedule())
      operations.push_back(op);
  });
  return operations;
}

std::string hone::kernelIdentity(func::FuncOp kernel) {
  OwningOpRef<func::FuncOp> plain = kernel.clone();
  plain->setPublic();
  plain->setSymName("kernel");
  plain->setArgAttrsAttr(nullptr);
  plain->setResAttrsAttr(nullptr);
  plain->getOperation()->setDiscardableAttrs(ArrayRef<NamedAttribute>());
  for (graph::ScheduledOpInterface op : scheduledOperations(*plain))
    op.setScheduleAttr(nullptr);
  // Small weights and factors are in the kernel.
  Builder builder(kernel.getContext());
  plain->walk([&](Operation *op) {
    if (auto factor = dyn_cast<arith::ConstantOp>(op);
        factor && isa<FloatType>(factor.getType()))
      factor.setValueAttr(builder.getZeroAttr(factor.getType()));
    if (auto weights = dyn_cast<graph::ConstantOp>(op))
      if (auto zero = dyn_cast_or_null<ElementsAttr>(
              builder.getZeroAttr(weights.getType())))
        weights.setValueAttr(zero);
  });
  // Locations are not printed.
  std::string text;
  llvm::raw_string_ostream(text) << *plain;
  llvm::XXH128_hash_t hash = llvm::xxh3_128bits(
      ArrayRef(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  auto digits = [](uint64_t half) {
    std::string hex = llvm::utohexstr(half, /*LowerCase=*/true);
    return std::string(16 - hex.size(), '0') + hex;
  };
  return digits(hash.high64) + digits(hash.low64);
}
