// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Annotates each kernel with the cost of one launch, as polynomials in the
// numbers that a launch passes: only profiling evaluates them.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Analysis/Sizes.h"
#include "llvm/Support/MathExtras.h"

namespace hone {
#define GEN_PASS_DEF_COUNTWORKPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

using Polynomial = DimBuilder::Polynomial;

/// A polynomial, or nothing if the size of something is unknown.
class Count {
public:
  Count(int64_t number = 0) : value(Polynomial()) {
    if (number != 0)
      (*value)[{}] = number;
  }
  Count(std::optional<Polynomial> value) : value(std::move(value)) {}
  Count(std::nullopt_t) {}

  Count operator*(const Count &other) const {
    if (!value || !other.value)
      return std::nullopt;
    return DimBuilder::multiply(*value, *other.value);
  }
  Count operator+(const Count &other) const {
    if (!value || !other.value)
      return std::nullopt;
    return DimBuilder::sum(*value, *other.value);
  }
  std::optional<int64_t> constant() const {
    if (value && value->empty())
      return 0;
    if (!value || value->size() != 1 || !value->begin()->first.empty())
      return std::nullopt;
    return value->begin()->second;
  }

  std::optional<Polynomial> value;
};

class WorkCounter {
public:
  explicit WorkCounter(func::FuncOp kernel)
      : kernel(kernel), body(kernel.getBody().front()), dims(kernel) {
    numberSizes();
  }

  Count flop() {
    Count total;
    for (auto op : body.getOps<CostOpInterface>())
      total = total + countOf(op.getFlop());
    return total;
  }

  Count bytes() {
    Count total;
    for (BlockArgument argument : body.getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        total = total + inBytes(partRead(argument), argument);
    for (Value result : body.getTerminator()->getOperands())
      total = total + inBytes(elements(result), result);
    return total;
  }

  /// The attribute's form: for each term its factor, then the positions of the
  /// numbers that it multiplies. Null if unknown.
  ArrayAttr termsOf(const Count &count) {
    if (!count.value)
      return {};
    Builder builder(kernel.getContext());
    SmallVector<Attribute> terms;
    for (const auto &[atoms, factor] : *count.value) {
      SmallVector<int64_t> term{factor};
      for (unsigned atom : atoms) {
        auto position = positions.find(atom);
        if (position == positions.end())
          return {};
        term.push_back(position->second);
      }
      terms.push_back(builder.getDenseI64ArrayAttr(term));
    }
    return builder.getArrayAttr(terms);
  }

private:
  /// The position of each size in a launch's numbers: dynamic dimensions of
  /// operands and results, then arguments.
  void numberSizes() {
    int64_t position = 0;
    auto note = [&](const Polynomial &size) {
      // A sum is not itself such a number.
      if (size.size() == 1 && size.begin()->second == 1 &&
          size.begin()->first.size() == 1)
        positions.try_emplace(size.begin()->first.front(), position);
      ++position;
    };
    auto noteDims = [&](Value tensor) {
      if (auto type = dyn_cast<RankedTensorType>(tensor.getType()))
        for (int64_t i = 0; i < type.getRank(); ++i)
          if (type.isDynamicDim(i))
            note(dims.sizeOf(tensor, i));
    };
    llvm::for_each(body.getArguments(), noteDims);
    llvm::for_each(body.getTerminator()->getOperands(), noteDims);
    for (BlockArgument argument : body.getArguments())
      if (argument.getType().isIndex())
        note(dims.polynomialOf(argument));
  }

  Count countOf(const SizeExpr &amount) {
    return amount.evaluate<Count>([&](const SizeExpr::Factor &factor) {
      return factor.tensor ? Count(dims.sizeOf(factor.tensor, factor.number))
                           : Count(factor.number);
    });
  }
  Count elements(Value tensor) {
    return isa<RankedTensorType>(tensor.getType())
               ? countOf(SizeExpr::elements(tensor))
               : Count(std::nullopt);
  }

  Count inBytes(const Count &count, Value tensor) {
    Count bits =
        count * Count(elementBits(getElementTypeOrSelf(tensor.getType())));
    if (bits.value)
      for (auto &term : *bits.value)
        term.second = llvm::divideCeilSigned(term.second, 8);
    return bits;
  }

  /// Elements of an operand that the kernel reads.
  Count partRead(BlockArgument argument) {
    Count whole = elements(argument), part;
    for (OpOperand &use : argument.getUses()) {
      Operation *user = use.getOwner();
      if (isa<tensor::DimOp>(user))
        continue;
      auto map = user->getParentOfType<MapOp>();
      auto costs = dyn_cast<CostOpInterface>(user);
      std::optional<SizeExpr> read;
      if (isa<tensor::ExtractOp>(user) && map)
        read = SizeExpr::elements(map.getResult(0));
      else if (costs)
        read = costs.getPartRead(use);
      if (!read)
        return whole;
      part = part + countOf(*read);
    }
    std::optional<int64_t> all = whole.constant(), some = part.constant();
    return all && some && *all < *some ? whole : part;
  }

  func::FuncOp kernel;
  Block &body;
  DimBuilder dims;
  llvm::DenseMap<unsigned, int64_t> positions; ///< of atoms
};

struct CountWorkPass : hone::impl::CountWorkPassBase<CountWorkPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(rt::kKernelAttr) || kernel.isExternal())
      return;
    WorkCounter counter(kernel);
    for (auto [name, count] :
         {std::pair(StringRef(rt::kFlopAttr), counter.flop()),
          std::pair(StringRef(rt::kBytesAttr), counter.bytes())})
      if (ArrayAttr terms = counter.termsOf(count))
        kernel->setAttr(name, terms);
  }
};

} // namespace
