// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interpreter for the scalar regions of maps.
#include "dialects/Graph/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/TypeSwitch.h"
#include <atomic>
#include <cmath>

using namespace mlir;
using namespace hone::graph;

Scalar hone::graph::loadScalar(Type type, const char *data) {
  Scalar value;
  if (type.isF32()) {
    float element;
    std::memcpy(&element, data, sizeof(element));
    value.real = element;
    return value;
  }
  uint64_t bits = 0;
  unsigned width = type.getIntOrFloatBitWidth();
  std::memcpy(&bits, data, width / 8);
  if (type.isF64()) {
    std::memcpy(&value.real, &bits, sizeof(bits));
  } else if (auto real = dyn_cast<FloatType>(type)) {
    APFloat element(real.getFloatSemantics(), APInt(width, bits));
    value.real = element.convertToDouble();
  } else {
    value.integer = llvm::SignExtend64(bits, width);
  }
  return value;
}

/// `value` converted to the semantics of `type`.
static APFloat toFloat(FloatType type, double value) {
  APFloat element(value);
  bool losesInfo;
  element.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return element;
}

void hone::graph::storeScalar(Type type, Scalar value, char *data) {
  uint64_t bits;
  unsigned width = type.getIntOrFloatBitWidth();
  if (type.isF32()) {
    float element = static_cast<float>(value.real);
    std::memcpy(data, &element, sizeof(element));
    return;
  }
  if (type.isF64())
    std::memcpy(&bits, &value.real, sizeof(bits));
  else if (auto real = dyn_cast<FloatType>(type))
    bits = toFloat(real, value.real).bitcastToAPInt().getZExtValue();
  else
    bits = value.integer;
  std::memcpy(data, &bits, width / 8);
}

double hone::graph::roundToType(Type type, double value) {
  if (type.isF32())
    return static_cast<float>(value);
  if (type.isF64())
    return value;
  return toFloat(cast<FloatType>(type), value).convertToDouble();
}

namespace {

/// The operand of an instruction.
struct Frame {
  SmallVector<Scalar> registers;
  SmallVector<int64_t> index;
  bool failed = false;
};
using Instruction = std::function<void(Frame &)>;

/// The region of a map as a list of instructions over numbered registers.
class Program {
public:
  /// Null if all operations are supported, otherwise why not.
  const char *compile(MapOp map);

  bool usesIndex =
      false; // the result depends on more than the values of the inputs
  SmallVector<Instruction> instructions;
  SmallVector<unsigned> yielded;
  unsigned numRegisters = 0;
  SmallVector<Scalar> initial; // constants

private:
  bool compile(Operation &op);
  bool compileConversion(Operation &op);
  bool compileMath(Operation &op);
  bool compileChecked(Operation &op);

  unsigned registerOf(Value value);
  template <typename Fn> bool integers(Operation *op, Fn fn);
  template <typename Fn> bool unsignedIntegers(Operation *op, Fn fn);
  template <typename Fn> bool divisions(Operation *op, Fn fn);
  template <typename Fn> bool reals(Operation *op, Fn fn);
  template <typename Fn> bool real(Operation *op, Fn fn);

  llvm::DenseMap<Value, unsigned> numbers;
  const char *problem = nullptr;
};

unsigned bitsOf(Type type) {
  return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
}
uint64_t zeroExtend(int64_t value, unsigned bits) {
  return value & llvm::maskTrailingOnes<uint64_t>(bits);
}

} // namespace

unsigned Program::registerOf(Value value) {
  auto [it, isNew] = numbers.try_emplace(value, numRegisters);
  if (!isNew)
    return it->second;
  initial.resize(++numRegisters);
  initial.back().integer = 0;
  Attribute attr;
  if (matchPattern(value, m_Constant(&attr))) {
    if (auto number = dyn_cast<IntegerAttr>(attr))
      initial.back().integer = number.getType().isInteger(1)
                                   ? number.getValue().getZExtValue()
                                   : number.getInt();
    else if (auto number = dyn_cast<FloatAttr>(attr))
      initial.back().real = number.getValue().convertToDouble();
    else
      problem = "a constant in the region is no number";
  } else if (!isa<BlockArgument>(value) &&
             !value.getDefiningOp()->getParentOfType<MapOp>()) {
    problem = "the region uses a value from outside";
  }
  return it->second;
}

/// Signed two-operand integer arithmetic; results wrap.
template <typename Fn> bool Program::integers(Operation *op, Fn fn) {
  unsigned a = registerOf(op->getOperand(0)), b = registerOf(op->getOperand(1)),
           r = registerOf(op->getResult(0));
  unsigned bits = bitsOf(op->getResult(0).getType());
  instructions.push_back([=](Frame &frame) {
    int64_t value = fn(frame.registers[a].integer, frame.registers[b].integer);
    frame.registers[r].integer =
        bits == 1 ? value & 1 : llvm::SignExtend64(value, bits);
  });
  return true;
}

template <typename Fn> bool Program::unsignedIntegers(Operation *op, Fn fn) {
  unsigned bits = bitsOf(op->getOperand(0).getType());
  return integers(op, [=](int64_t a, int64_t b) {
    return static_cast<int64_t>(fn(zeroExtend(a, bits), zeroExtend(b, bits)));
  });
}

/// Signed divisions: a divisor of 0 is undefined, and so is the one quotient
/// that overflows.
template <typename Fn> bool Program::divisions(Operation *op, Fn fn) {
  bool isRemainder = isa<arith::RemSIOp>(op);
  return integers(op, [=](int64_t a, int64_t b) -> int64_t {
    if (b == 0)
      return 0;
    if (b == -1)
      return isRemainder ? 0
                         : static_cast<int64_t>(0 - static_cast<uint64_t>(a));
    return fn(a, b);
  });
}

template <typename Fn> bool Program::reals(Operation *op, Fn fn) {
  unsigned a = registerOf(op->getOperand(0)), b = registerOf(op->getOperand(1)),
           r = registerOf(op->getResult(0));
  Type type = op->getResult(0).getType();
  instructions.push_back([=](Frame &frame) {
    frame.registers[r].real =
        roundToType(type, fn(frame.registers[a].real, frame.registers[b].real));
  });
  return true;
}

template <typename Fn> bool Program::real(Operation *op, Fn fn) {
  unsigned a = registerOf(op->getOperand(0)), r = registerOf(op->getResult(0));
  Type type = op->getResult(0).getType();
  instructions.push_back([=](Frame &frame) {
    frame.registers[r].real = roundToType(type, fn(frame.registers[a].real));
  });
  return true;
}

static bool compareIntegers(arith::CmpIPredicate predicate, int64_t a,
                            int64_t b, unsigned bits) {
  uint64_t ua = zeroExtend(a, bits), ub = zeroExtend(b, bits);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  llvm_unreachable("all predicates are covered");
}

static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
}
static double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
}

/// Rounds toward zero and saturates at the ends of the integer type.
static int64_t saturate(double value, unsigned bits, bool isSigned) {
  if (std::isnan(value))
    return 0;
  double low = isSigned ? -std::ldexp(1.0, bits - 1) : 0,
         high = std::ldexp(1.0, isSigned ? bits - 1 : bits);
  if (value <= low)
    return isSigned ? llvm::minIntN(bits) : 0;
  if (value >= high)
    return isSigned ? llvm::maxIntN(bits)
                    : static_cast<int64_t>(llvm::maxUIntN(bits));
  return isSigned ? static_cast<int64_t>(value)
                  : static_cast<int64_t>(static_cast<uint64_t>(value));
}

bool Program::compileConversion(Operation &op) {
  if (op.getNumOperands() != 1 || op.getNumResults() != 1)
    return false;
  Type from = op.getOperand(0).getType(), to = op.getResult(0).getType();
  if (!from.isIntOrIndexOrFloat() || !to.isIntOrIndexOrFloat())
    return false;
  unsigned fromBits = bitsOf(from), toBits = bitsOf(to);
  unsigned a = registerOf(op.getOperand(0)), r = registerOf(op.getResult(0));
  auto emit = [&](auto fn) {
    instructions.push_back(
        [=](Frame &frame) { fn(frame.registers[a], frame.registers[r]); });
    return true;
  };
  return llvm::TypeSwitch<Operation *, bool>(&op)
      .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) {
        return emit([=](Scalar in, Scalar &out) {
          out.real = roundToType(to, in.real);
        });
      })
      .Case<arith::ExtSIOp, arith::IndexCastOp, arith::TruncIOp>([&](auto) {
        bool fromBool = fromBits == 1 && isa<arith::ExtSIOp>(op);
        return emit([=](Scalar in, Scalar &out) {
          int64_t value = fromBool ? -in.integer : in.integer;
          out.integer =
              toBits == 1 ? value & 1 : llvm::SignExtend64(value, toBits);
        });
      })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp>([&](auto) {
        return emit([=](Scalar in, Scalar &out) {
          out.integer =
              llvm::SignExtend64(zeroExtend(in.integer, fromBits), toBits);
        });
      })
      .Case([&](arith::SIToFPOp) {
        return emit([=](Scalar in, Scalar &out) {
          // From 64 bits directly to f32: by way of a double it would be
          // rounded twice.
          out.real = to.isF32()
                         ? static_cast<float>(in.integer)
                         : roundToType(to, static_cast<double>(in.integer));
        });
      })
      .Case([&](arith::UIToFPOp) {
        return emit([=](Scalar in, Scalar &out) {
          uint64_t value = zeroExtend(in.integer, fromBits);
          out.real = to.isF32() ? static_cast<float>(value)
                                : roundToType(to, static_cast<double>(value));
        });
      })
      .Case([&](arith::FPToSIOp) {
        return emit([=](Scalar in, Scalar &out) {
          out.integer = saturate(in.real, toBits, true);
        });
      })
      .Case([&](arith::FPToUIOp) {
        return emit([=](Scalar in, Scalar &out) {
          out.integer = llvm::SignExtend64(
              static_cast<uint64_t>(saturate(in.real, toBits, false)), toBits);
        });
      })
      .Case([&](arith::BitcastOp) {
        return emit([=](Scalar in, Scalar &out) {
          char data[8] = {};
          storeScalar(from, in, data);
          out = loadScalar(to, data);
        });
      })
      .Default([](Operation *) { return false; });
}

bool Program::compileMath(Operation &op) {
  return llvm::TypeSwitch<Operation *, bool>(&op)
      .Case([&](math::AbsFOp) {
        return real(&op, [](double x) { return std::fabs(x); });
      })
      .Case([&](math::ExpOp) {
        return real(&op, [](double x) { return std::exp(x); });
      })
      .Case([&](math::Exp2Op) {
        return real(&op, [](double x) { return std::exp2(x); });
      })
      .Case([&](math::LogOp) {
        return real(&op, [](double x) { return std::log(x); });
      })
      .Case([&](math::Log2Op) {
        return real(&op, [](double x) { return std::log2(x); });
      })
      .Case([&](math::Log10Op) {
        return real(&op, [](double x) { return std::log10(x); });
      })
      .Case([&](math::Log1pOp) {
        return real(&op, [](double x) { return std::log1p(x); });
      })
      .Case([&](math::SqrtOp) {
        return real(&op, [](double x) { return std::sqrt(x); });
      })
      .Case([&](math::RsqrtOp) {
        return real(&op, [](double x) { return 1.0 / std::sqrt(x); });
      })
      .Case([&](math::CbrtOp) {
        return real(&op, [](double x) { return std::cbrt(x); });
      })
      .Case([&](math::SinOp) {
        return real(&op, [](double x) { return std::sin(x); });
      })
      .Case([&](math::CosOp) {
        return real(&op, [](double x) { return std::cos(x); });
      })
      .Case([&](math::TanOp) {
        return real(&op, [](double x) { return std::tan(x); });
      })
      .Case([&](math::AsinOp) {
        return real(&op, [](double x) { return std::asin(x); });
      })
      .Case([&](math::AcosOp) {
        return real(&op, [](double x) { return std::acos(x); });
      })
      .Case([&](math::AtanOp) {
        return real(&op, [](double x) { return std::atan(x); });
      })
      .Case([&](math::SinhOp) {
        return real(&op, [](double x) { return std::sinh(x); });
      })
      .Case([&](math::CoshOp) {
        return real(&op, [](double x) { return std::cosh(x); });
      })
      .Case([&](math::TanhOp) {
        return real(&op, [](double x) { return std::tanh(x); });
      })
      .Case([&](math::AsinhOp) {
        return real(&op, [](double x) { return std::asinh(x); });
      })
      .Case([&](math::AcoshOp) {
        return real(&op, [](double x) { return std::acosh(x); });
      })
      .Case([&](math::AtanhOp) {
        return real(&op, [](double x) { return std::atanh(x); });
      })
      .Case([&](math::ErfOp) {
        return real(&op, [](double x) { return std::erf(x); });
      })
      .Case([&](math::ErfcOp) {
        return real(&op, [](double x) { return std::erfc(x); });
      })
      .Case([&](math::CeilOp) {
        return real(&op, [](double x) { return std::ceil(x); });
      })
      .Case([&](math::FloorOp) {
        return real(&op, [](double x) { return std::floor(x); });
      })
      .Case([&](math::RoundOp) {
        return real(&op, [](double x) { return std::round(x); });
      })
      .Case([&](math::RoundEvenOp) {
        return real(&op, [](double x) { return std::nearbyint(x); });
      })
      .Case([&](math::TruncOp) {
        return real(&op, [](double x) { return std::trunc(x); });
      })
      .Case([&](math::PowFOp) {
        return reals(&op, [](double x, double y) { return std::pow(x, y); });
      })
      .Case([&](math::Atan2Op) {
        return reals(&op, [](double y, double x) { return std::atan2(y, x); });
      })
      .Case([&](math::CopySignOp) {
        return reals(&op,
                     [](double x, double y) { return std::copysign(x, y); });
      })
      .Case([&](math::FmaOp fma) {
        unsigned a = registerOf(fma.getA()), b = registerOf(fma.getB()),
                 c = registerOf(fma.getC());
        unsigned r = registerOf(fma.getResult());
        Type type = fma.getType();
        instructions.push_back([=](Frame &frame) {
          SmallVectorImpl<Scalar> &in = frame.registers;
          double x = in[a].real, y = in[b].real, z = in[c].real;
          // By way of a double the sum would be rounded twice.
          in[r].real = type.isF32() ? std::fma(static_cast<float>(x),
                                               static_cast<float>(y),
                                               static_cast<float>(z))
                                    : roundToType(type, std::fma(x, y, z));
        });
        return true;
      })
      .Case([&](math::AbsIOp abs) {
        unsigned a = registerOf(abs.getOperand()),
                 r = registerOf(abs.getResult()), bits = bitsOf(abs.getType());
        instructions.push_back([=](Frame &frame) {
          int64_t value = frame.registers[a].integer;
          uint64_t magnitude =
              value < 0 ? 0 - static_cast<uint64_t>(value) : value;
          frame.registers[r].integer = llvm::SignExtend64(magnitude, bits);
        });
        return true;
      })
      .Case<math::IsNaNOp, math::IsFiniteOp>([&](auto test) {
        unsigned a = registerOf(test.getOperand()),
                 r = registerOf(test.getResult());
        instructions.push_back([=](Frame &frame) {
          double value = frame.registers[a].real;
          frame.registers[r].integer =
              std::is_same_v<decltype(test), math::IsNaNOp>
                  ? std::isnan(value)
                  : std::isfinite(value);
        });
        return true;
      })
      .Default([](Operation *) { return false; });
}

/// Operations that report wrong data: where they would, evaluation is left to
/// run time.
bool Program::compileChecked(Operation &op) {
  if (auto index = dyn_cast<IndexOp>(op)) {
    usesIndex = true;
    unsigned r = registerOf(index.getResult());
    instructions.push_back([r, axis = index.getAxis()](Frame &frame) {
      frame.registers[r].integer = frame.index[axis];
    });
    return true;
  }
  if (auto divisor = dyn_cast<CheckedDivisorOp>(op)) {
    unsigned a = registerOf(divisor.getDivisor()),
             r = registerOf(divisor.getResult());
    instructions.push_back([=](Frame &frame) {
      frame.registers[r] = frame.registers[a];
      frame.failed |= frame.registers[a].integer == 0;
    });
    return true;
  }
  if (auto checked = dyn_cast<CheckedIndexOp>(op)) {
    unsigned a = registerOf(checked.getIndex()),
             b = registerOf(checked.getSize()),
             r = registerOf(checked.getResult());
    bool wrap = checked.getWrap();
    instructions.push_back([=](Frame &frame) {
      int64_t value = frame.registers[a].integer,
              size = frame.registers[b].integer;
      if (wrap && value < 0)
        value += size;
      bool inside = value >= 0 && value < size;
      frame.failed |= !inside;
      frame.registers[r].integer = inside ? value : 0;
    });
    return true;
  }
  auto extract = dyn_cast<tensor::ExtractOp>(op);
  if (!extract)
    return false;
  std::optional<ConstantBytes> bytes = constantBytes(extract.getTensor());
  if (!bytes)
    return false;
  usesIndex = true;
  SmallVector<unsigned> indices;
  for (Value index : extract.getIndices())
    indices.push_back(registerOf(index));
  auto type = cast<RankedTensorType>(extract.getTensor().getType());
  SmallVector<int64_t> shape(type.getShape());
  unsigned r = registerOf(extract.getResult());
  instructions.push_back(
      [=, element = type.getElementType(), bytes = *bytes](Frame &frame) {
        int64_t offset = 0;
        for (auto [index, size] : llvm::zip(indices, shape)) {
          int64_t at = frame.registers[index].integer;
          if (at < 0 || at >= size) {
            frame.failed = true;
            return;
          }
          offset = offset * size + at;
        }
        frame.registers[r] = loadScalar(element, bytes.element(offset));
      });
  return true;
}

bool Program::compile(Operation &op) {
  if (isa<arith::ConstantOp>(op) || isa<YieldOp>(op))
    return true;
  using I = int64_t;
  using U = uint64_t;
  bool known =
      llvm::TypeSwitch<Operation *, bool>(&op)
          .Case([&](arith::AddIOp) {
            return integers(
                &op, [](I a, I b) { return static_cast<I>(U(a) + U(b)); });
          })
          .Case([&](arith::SubIOp) {
            return integers(
                &op, [](I a, I b) { return static_cast<I>(U(a) - U(b)); });
          })
          .Case([&](arith::MulIOp) {
            return integers(
                &op, [](I a, I b) { return static_cast<I>(U(a) * U(b)); });
          })
          .Case([&](arith::AndIOp) {
            return integers(&op, [](I a, I b) { return a & b; });
          })
          .Case([&](arith::OrIOp) {
            return integers(&op, [](I a, I b) { return a | b; });
          })
          .Case([&](arith::XOrIOp) {
            return integers(&op, [](I a, I b) { return a ^ b; });
          })
          .Case([&](arith::MaxSIOp) {
            return integers(&op, [](I a, I b) { return std::max(a, b); });
          })
          .Case([&](arith::MinSIOp) {
            return integers(&op, [](I a, I b) { return std::min(a, b); });
          })
          .Case([&](arith::MaxUIOp) {
            return unsignedIntegers(&op,
                                    [](U a, U b) { return std::max(a, b); });
          })
          .Case([&](arith::MinUIOp) {
            return unsignedIntegers(&op,
                                    [](U a, U b) { return std::min(a, b); });
          })
          .Case([&](arith::DivSIOp) {
            return divisions(&op, [](I a, I b) { return a / b; });
          })
          .Case([&](arith::RemSIOp) {
            return divisions(&op, [](I a, I b) { return a % b; });
          })
          .Case([&](arith::FloorDivSIOp) {
            return divisions(
                &op, [](I a, I b) { return llvm::divideFloorSigned(a, b); });
          })
          .Case([&](arith::CeilDivSIOp) {
            return divisions(
                &op, [](I a, I b) { return llvm::divideCeilSigned(a, b); });
          })
          .Case([&](arith::DivUIOp) {
            return unsignedIntegers(&op,
                                    [](U a, U b) { return b ? a / b : 0; });
          })
          .Case([&](arith::RemUIOp) {
            return unsignedIntegers(&op,
                                    [](U a, U b) { return b ? a % b : 0; });
          })
          .Case([&](arith::ShLIOp) {
            return unsignedIntegers(
                &op, [](U a, U b) { return b < 64 ? a << b : 0; });
          })
          .Case([&](arith::ShRUIOp) {
            return unsignedIntegers(
                &op, [](U a, U b) { return b < 64 ? a >> b : 0; });
          })
          .Case([&](arith::ShRSIOp) {
            return integers(
                &op, [](I a, I b) { return a >> std::min<U>(U(b), 63); });
          })
          .Case([&](arith::AddFOp) {
            return reals(&op, [](double a, double b) { return a + b; });
          })
          .Case([&](arith::SubFOp) {
            return reals(&op, [](double a, double b) { return a - b; });
          })
          .Case([&](arith::MulFOp) {
            return reals(&op, [](double a, double b) { return a * b; });
          })
          .Case([&](arith::DivFOp) {
            return reals(&op, [](double a, double b) { return a / b; });
          })
          .Case([&](arith::RemFOp) {
            return reals(&op,
                         [](double a, double b) { return std::fmod(a, b); });
          })
          .Case([&](arith::MaximumFOp) { return reals(&op, maximum); })
          .Case([&](arith::MinimumFOp) { return reals(&op, minimum); })
          .Case([&](arith::MaxNumFOp) {
            return reals(&op,
                         [](double a, double b) { return std::fmax(a, b); });
          })
          .Case([&](arith::MinNumFOp) {
            return reals(&op,
                         [](double a, double b) { return std::fmin(a, b); });
          })
          .Case([&](arith::NegFOp) {
            return real(&op, [](double a) { return -a; });
          })
          .Case([&](arith::CmpIOp cmp) {
            return integers(
                &op,
                [predicate = cmp.getPredicate(),
                 bits = bitsOf(cmp.getLhs().getType())](I a, I b) -> I {
                  return compareIntegers(predicate, a, b, bits);
                });
          })
          .Case([&](arith::CmpFOp cmp) {
            unsigned a = registerOf(cmp.getLhs()), b = registerOf(cmp.getRhs()),
                     r = registerOf(cmp.getResult());
            instructions.push_back(
                [=, predicate = cmp.getPredicate()](Frame &frame) {
                  frame.registers[r].integer = arith::applyCmpPredicate(
                      predicate, APFloat(frame.registers[a].real),
                      APFloat(frame.registers[b].real));
                });
            return true;
          })
          .Case([&](arith::SelectOp select) {
            unsigned c = registerOf(select.getCondition()),
                     a = registerOf(select.getTrueValue());
            unsigned b = registerOf(select.getFalseValue()),
                     r = registerOf(select.getResult());
            instructions.push_back([=](Frame &frame) {
              frame.registers[r] =
                  frame.registers[frame.registers[c].integer & 1 ? a : b];
            });
            return true;
          })
          .Case([&](LookupOp lookup) {
            unsigned a = registerOf(lookup.getPlace()),
                     r = registerOf(lookup.getResult());
            instructions.push_back(
                [=, table = lookup.getTable()](Frame &frame) {
                  frame.registers[r].integer =
                      table[zeroExtend(frame.registers[a].integer, 8)];
                });
            return true;
          })
          .Default([](Operation *) { return false; });
  return known || compileConversion(op) || compileMath(op) ||
         compileChecked(op);
}

const char *Program::compile(MapOp map) {
  Block &block = map.getBody().front();
  for (BlockArgument argument : block.getArguments())
    registerOf(argument);
  for (Operation &op : block)
    if (!compile(op))
      return "an operation in the region is not known";
  for (Value value : cast<YieldOp>(block.getTerminator()).getValues())
    yielded.push_back(registerOf(value));
  return problem;
}

/// Strides in elements of `type` along each dimension of a result of rank
/// `rank`: 0 where the input is broadcast.
static SmallVector<int64_t> broadcastStrides(RankedTensorType type,
                                             int64_t rank) {
  SmallVector<int64_t> strides(rank, 0);
  int64_t stride = 1;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    strides[rank - type.getRank() + i] = type.getDimSize(i) == 1 ? 0 : stride;
    stride *= type.getDimSize(i);
  }
  return strides;
}

llvm::Expected<SmallVector<ElementsAttr>> MapOp::evaluate(StringRef name) {
  auto shape = cast<RankedTensorType>(getResult(0).getType());
  SmallVector<ConstantBytes> inputs;
  SmallVector<SmallVector<int64_t>> strides;
  SmallVector<Type> types;
  for (Value input : getInputs()) {
    std::optional<ConstantBytes> bytes = constantBytes(input);
    if (!bytes)
      return cannotEvaluate("an input is not a constant");
    auto type = cast<RankedTensorType>(input.getType());
    inputs.push_back(*bytes);
    types.push_back(type.getElementType());
    strides.push_back(broadcastStrides(type, shape.getRank()));
  }
  Program program;
  if (const char *problem = program.compile(*this))
    return cannotEvaluate(problem);

  // If nothing varies, one element is enough.
  bool uniform = !program.usesIndex &&
                 llvm::all_of(inputs, [](const ConstantBytes &input) {
                   return input.splat;
                 });
  int64_t count = shape.getNumElements(),
          work = uniform ? std::min<int64_t>(count, 1) : count;
  SmallVector<std::unique_ptr<ConstantBuffer>> results;
  for (Type type : getResultTypes()) {
    auto result = cast<RankedTensorType>(type);
    results.push_back(std::make_unique<ConstantBuffer>(
        uniform && count ? result.clone({int64_t(1)}) : result));
  }

  constexpr int64_t chunk = 4096;
  std::atomic<bool> failed = false;
  parallelFor(
      getContext(), 0, llvm::divideCeil(work, chunk), [&](size_t number) {
        Frame frame;
        frame.registers.assign(program.initial.begin(), program.initial.end());
        frame.index.assign(shape.getRank(), 0);
        int64_t begin = number * chunk,
                end = std::min<int64_t>(begin + chunk, work);
        for (int64_t rest = begin, d = shape.getRank() - 1; d >= 0; --d) {
          frame.index[d] = rest % shape.getDimSize(d);
          rest /= shape.getDimSize(d);
        }
        for (int64_t element = begin; element < end && !frame.failed;
             ++element) {
          for (size_t i = 0; i < inputs.size(); ++i) {
            int64_t offset = 0;
            for (int64_t d = 0; d < shape.getRank(); ++d)
              offset += frame.index[d] * strides[i][d];
            frame.registers[i] =
                loadScalar(types[i], inputs[i].element(offset));
          }
          for (const Instruction &instruction : program.instructions)
            instruction(frame);
          for (auto [result, source] : llvm::zip(results, program.yielded)) {
            unsigned width = elementBytes(result->getType().getElementType());
            storeScalar(result->getType().getElementType(),
                        frame.registers[source],
                        result->data().data() + element * width);
          }
          for (int64_t d = shape.getRank() - 1;
               d >= 0 && ++frame.index[d] == shape.getDimSize(d); --d)
            frame.index[d] = 0;
        }
        if (frame.failed)
          failed = true;
      });
  if (failed)
    return cannotEvaluate("it would report an error");

  SmallVector<ElementsAttr> attrs;
  for (auto [i, result] : llvm::enumerate(results)) {
    ElementsAttr attr = result->finish((name + "_" + Twine(i)).str());
    auto type = cast<RankedTensorType>(getResult(i).getType());
    if (attr.getShapedType() != type)
      attr =
          DenseElementsAttr::getFromRawBuffer(type, constantBytes(attr)->data);
    attrs.push_back(attr);
  }
  return attrs;
}

int64_t MapOp::getEvaluationCost() {
  int64_t elements = 0;
  for (Type type : getResultTypes())
    elements += cast<ShapedType>(type).getNumElements();
  return elements * llvm::divideCeil(llvm::range_size(getBody().front()), 4);
}

/// Not if elements depend on their position.
bool MapOp::isFreeToEvaluate() {
  if (!takesUniform(*this))
    return false;
  return !getBody()
              .walk([](Operation *op) {
                return isa<IndexOp, tensor::ExtractOp>(op)
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}
