// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Says what each kernel computes with.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Cpu/ChannelWindow.h"
#include "passes/Cpu/ContractionPasses.h"

namespace hone {
#define GEN_PASS_DEF_NAMEARITHMETICPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

/// Distinct texts, in order.
struct Texts : SmallVector<std::string> {
  void insert(std::string text) {
    if (!llvm::is_contained(*this, text))
      push_back(std::move(text));
  }
};

/// The types of a product's factors and sums, as text.
struct Factors {
  std::string left, right, sum;

  Factors(Type left, Type right, Type sum)
      : left(textOf(left)), right(textOf(right)), sum(textOf(sum)) {
    if (isByteProduct(left, sum)) {
      this->left = "u8";
      this->right = "s8";
      this->sum = "s32";
    }
  }

  static std::string textOf(Type type) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return text;
  }

  std::string after(const Twine &form) const {
    return (form + " " + left + " x " + right + " -> " + sum).str();
  }
};

} // namespace

static std::string nameOf(const MicroKernel &form) {
  std::string name = form.name.str();
  if (!form.extension.empty())
    name += (" (" + form.extension + ")").str();
  return name;
}

/// Of an operation that a schedule's form computes.
static std::string arithmeticOf(ScheduledOpInterface op,
                                const MicroKernel &form) {
  ProductTypes types = ProductTypes::of(op);
  // Wider types are those of registers, narrower ones round.
  Type left = types.lhs, multiplied = form.leftType(types);
  if (multiplied.getIntOrFloatBitWidth() < left.getIntOrFloatBitWidth())
    left = multiplied;
  Factors factors(left, types.rhs, types.accumulator);
  if (types.codeBits) {
    factors.left = "s8";
    factors.right = "u" + std::to_string(types.codeBits);
    factors.sum = "s32";
  } else if (auto matmul = dyn_cast<KernelMatmulOp>(*op);
             matmul && matmul.getQuantized()) {
    factors.right =
        std::to_string(QuantizedAttr::codeBits(matmul.getPackedAttr())) +
        " bits";
  }
  return factors.after(nameOf(form));
}

/// Of a convolution without a schedule.
static std::string arithmeticOf(KernelConvOp op, const CpuMachine &machine) {
  Type left = getElementTypeOrSelf(op.getInput()),
       right = getElementTypeOrSelf(op.getFilter()),
       sum = cast<KernelOpInterface>(*op).getAccumulatorType();
  Factors factors(left, right, sum);
  if (op.getDepthwise() && isByteProduct(left, sum)) {
    ByteSums sums = byteSums(machine, op.getKernel(), sum);
    if (sums.dot)
      return factors.after(nameOf(*sums.dot));
    sum = sums.type;
    if (sum.isF32())
      factors.sum = "f32";
  }
  bool isFused = isa<FloatType>(sum) && machine.hasFma();
  return factors.after(isFused ? "fma" : "mul_add");
}

/// The type of other arithmetic on elements; null for what only converts,
/// compares or moves, and for indices.
static Type elementaryType(Operation *op) {
  if (op->getNumResults() != 1 ||
      isa<arith::ConstantOp, arith::SelectOp, arith::BitcastOp>(op) ||
      isa<CastOpInterface>(op))
    return {};
  Type type = getElementTypeOrSelf(op->getResult(0));
  if (isa_and_nonnull<math::MathDialect>(op->getDialect()))
    return type;
  if (!isa_and_nonnull<arith::ArithDialect>(op->getDialect()))
    return {};
  bool isArithmetic =
      isa<FloatType>(type) ||
      (isa<IntegerType>(type) && !type.isInteger(1) &&
       isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::DivSIOp,
           arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op));
  return isArithmetic ? type : Type();
}

namespace {
struct NameArithmeticPass
    : hone::impl::NameArithmeticPassBase<NameArithmeticPass> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    const CpuMachine &machine = CpuMachine::of(kernel);
    Texts products, others;
    SmallVector<Attribute> schedules;
    kernel.walk([&](Operation *op) {
      if (auto scheduled = dyn_cast<ScheduledOpInterface>(op);
          scheduled && scheduled.getScheduleAttr()) {
        schedules.push_back(scheduled.getScheduleAttr());
        if (const MicroKernel *form =
                findMicroKernel(scheduled.getScheduleAttr().getForm()))
          products.insert(arithmeticOf(scheduled, *form));
      } else if (auto conv = dyn_cast<KernelConvOp>(op)) {
        products.insert(arithmeticOf(conv, machine));
      } else if (isa<LookupOp>(op)) {
        others.insert("lookup");
      } else if (auto pool = dyn_cast<KernelPoolOp>(op)) {
        others.insert(Factors::textOf(
            cast<KernelOpInterface>(*pool).getAccumulatorType()));
      } else if (Type type = elementaryType(op)) {
        others.insert(Factors::textOf(type));
      }
    });
    kernel->setAttr(
        kArithmeticAttr,
        StringAttr::get(
            kernel.getContext(),
            llvm::join(products.empty() ? others : products, ", ")));
    if (!schedules.empty())
      kernel->setAttr(kSchedulesAttr,
                      ArrayAttr::get(kernel.getContext(), schedules));
  }
};
} // namespace
