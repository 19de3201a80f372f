// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes on each kernel what one launch of it amounts to, as polynomials of the
// numbers that a launch passes: whoever profiles a run evaluates them there,
// and nobody else pays.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "passes/Analysis/Sizes.h"
#include "llvm/ADT/TypeSwitch.h"
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

/// A polynomial, or nothing where the size of something is not known.
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

/// Arithmetic that the region does for one element. Numbers of type index are
/// places, not data.
int64_t arithmeticIn(Region &region) {
  int64_t count = 0;
  region.walk([&](Operation *op) {
    if (!isa<arith::ArithDialect>(op->getDialect()) &&
        op->getDialect()->getNamespace() != "math")
      return;
    if (op->hasTrait<OpTrait::ConstantLike>() ||
        isa<CastOpInterface, arith::SelectOp>(op))
      return;
    Type type = op->getResult(0).getType();
    if (type.isIndex() || type.isInteger(1))
      return;
    count += op->getName().getStringRef() == "math.fma" ? 2 : 1;
  });
  return count;
}

class WorkCounter {
public:
  explicit WorkCounter(func::FuncOp kernel)
      : kernel(kernel), body(kernel.getBody().front()), dims(kernel) {
    numberSizes();
  }

  Count flop() {
    Count total;
    for (Operation &op : body.without_terminator())
      total = total + flopOf(&op);
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

  /// As the attribute has it: for each term its factor, then the positions of
  /// the numbers that it multiplies. Null where it is not known.
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
  /// The position of each size in what a launch passes: dynamic dimensions of
  /// operands and results, then arguments.
  void numberSizes() {
    int64_t position = 0;
    auto note = [&](const Polynomial &size) {
      // A sum is no number of its own.
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

  Count size(Value tensor, int64_t i) { return {dims.sizeOf(tensor, i)}; }

  /// The product of the sizes of some dimensions.
  Count sizes(Value tensor, int64_t begin, int64_t end) {
    Count product(1);
    for (int64_t i = begin; i < end; ++i)
      product = product * size(tensor, i);
    return product;
  }
  Count elements(Value tensor) {
    auto type = dyn_cast<RankedTensorType>(tensor.getType());
    return type ? sizes(tensor, 0, type.getRank()) : Count(std::nullopt);
  }
  /// Of what the map computes.
  Count elements(MapOp map) {
    return map->getNumResults() ? elements(map.getResult(0)) : Count();
  }

  Count inBytes(const Count &count, Value tensor) {
    Count bits =
        count * Count(elementBits(getElementTypeOrSelf(tensor.getType())));
    if (bits.value)
      for (auto &term : *bits.value)
        term.second = llvm::divideCeilSigned(term.second, 8);
    return bits;
  }

  Count flopOf(Operation *op) {
    return llvm::TypeSwitch<Operation *, Count>(op)
        .Case([&](MapOp map) {
          return elements(map) * arithmeticIn(map.getBody());
        })
        .Case<ReduceOp, CumulateOp>(
            [&](auto op) { return elements(op.getInput()); })
        .Case([&](MatmulOp matmul) {
          int64_t rank = matmul.getLhs().getType().getRank();
          return elements(matmul.getResult()) *
                 size(matmul.getLhs(), rank - 1) * 2;
        })
        .Case([&](AttentionOp attention) { return flopOf(attention); })
        .Case([&](ConvOp conv) {
          std::optional<int64_t> channels = inputChannelDim(conv);
          Count sums = llvm::product_of(conv.getKernel());
          if (channels)
            sums = sums * size(conv.getFilter(), *channels);
          return elements(conv.getResult()) * sums * 2;
        })
        .Case([&](ConvTransposeOp conv) {
          int64_t rank = conv.getFilter().getType().getRank();
          return elements(conv.getInput()) * sizes(conv.getFilter(), 1, rank) *
                 2;
        })
        .Case([&](PoolOp pool) {
          return elements(pool.getResult()) *
                 llvm::product_of(pool.getKernel());
        })
        .Case([&](ScatterOp scatter) {
          return scatter.getKind() == ScatterKind::Assign
                     ? Count()
                     : elements(scatter.getUpdates());
        })
        .Default([](Operation *) { return Count(); });
  }

  /// Two products, and a softmax between: for each score a maximum, a
  /// difference, an exponential and a sum, for each result a quotient.
  Count flopOf(AttentionOp attention) {
    int64_t rank = attention.getType().getRank();
    Count rows = sizes(attention.getResult(), 0, rank - 1);
    Count keys =
        size(attention.getKey(), attention.getKeyByRow() ? rank - 3 : rank - 2);
    Count depth = size(attention.getQuery(), rank - 1);
    Count width = size(attention.getResult(), rank - 1);
    Count perScore =
        (depth + width) * 2 + Count(4 + arithmeticIn(attention.getScores()));
    return rows * keys * perScore + rows * width;
  }

  /// Elements of an operand that the kernel reads.
  Count partRead(BlockArgument argument) {
    Count whole = elements(argument), part;
    for (OpOperand &use : argument.getUses()) {
      Operation *user = use.getOwner();
      if (isa<tensor::DimOp>(user))
        continue;
      auto gather = dyn_cast<GatherOp>(user);
      auto map = user->getParentOfType<MapOp>();
      if (isa<SliceOp>(user) || (gather && gather.getInput() == argument))
        part = part + elements(user->getResult(0));
      else if (isa<tensor::ExtractOp>(user) && map)
        part = part + elements(map);
      else
        return whole;
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
