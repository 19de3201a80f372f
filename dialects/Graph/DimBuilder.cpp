// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normal form of index arithmetic: polynomials with integer coefficients over
// atoms (free dimensions, and values that are opaque to the arithmetic).
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace hone::graph;

/// Limits on the polynomial of a size. Squares of squares and sums of very many
/// sizes exceed them: such a result is an atom, equal only to itself, and work
/// stays linear in the number of operations.
static constexpr size_t maxTerms = 32, maxDegree = 16;

size_t DimBuilder::Hash::operator()(const Polynomial &polynomial) const {
  llvm::hash_code hash = 0;
  for (const auto &[monomial, coefficient] : polynomial)
    hash = llvm::hash_combine(hash, llvm::hash_combine_range(monomial),
                              coefficient);
  return hash;
}

size_t DimBuilder::Hash::operator()(const Opaque &opaque) const {
  const auto &[name, left, right] = opaque;
  return llvm::hash_combine(name, (*this)(left), (*this)(right));
}

DimBuilder::DimBuilder(func::FuncOp function)
    : entry(&function.getBody().front()) {}

OpBuilder DimBuilder::topBuilder() {
  OpBuilder builder = OpBuilder::atBlockBegin(entry);
  if (lastTop)
    builder.setInsertionPointAfter(lastTop);
  return builder;
}

void DimBuilder::findFirstDims() {
  if (knowsFirstDims)
    return;
  knowsFirstDims = true;
  for (Operation &op : *entry) {
    auto dim = dyn_cast<DimOp>(op);
    if (!dim)
      break;
    namedDims.try_emplace(dim.getName(), dim);
    lastTop = dim;
  }
}

Value DimBuilder::findDim(StringRef name) {
  findFirstDims();
  if (Value value = namedDims.lookup(name))
    return value;
  if (!std::exchange(knowsAllDims, true))
    for (DimOp dim : entry->getOps<DimOp>())
      laterDims.try_emplace(dim.getName(), dim);
  return laterDims.lookup(name);
}

OpFoldResult DimBuilder::named(StringRef name) {
  Value value = findDim(name);
  if (namedDims.contains(name))
    return value;
  // Free dimensions come first.
  if (value) {
    value.getDefiningOp()->moveBefore(entry, entry->begin());
  } else {
    OpBuilder top = OpBuilder::atBlockBegin(entry);
    value = DimOp::create(top, entry->getParentOp()->getLoc(), name);
  }
  namedDims[name] = value;
  if (!lastTop)
    lastTop = value.getDefiningOp();
  return value;
}

std::optional<int64_t> DimBuilder::constant(OpFoldResult value) {
  return getConstantIntValue(value);
}

unsigned DimBuilder::atomOf(Value value) {
  auto [it, isNew] = atomNumbers.try_emplace(value, atoms.size());
  if (isNew)
    atoms.push_back(value);
  return it->second;
}

/// Whether `value` is arithmetic that the normal form understands.
static Operation *arithmeticOf(Value value) {
  Operation *op = value.getDefiningOp();
  return op && value.getType().isIndex() &&
                 isa<arith::AddIOp, arith::SubIOp, arith::MulIOp,
                     arith::FloorDivSIOp, arith::MaxSIOp, arith::MinSIOp>(op)
             ? op
             : nullptr;
}

DimBuilder::Polynomial DimBuilder::polynomialOf(OpFoldResult value) {
  if (std::optional<int64_t> number = constant(value)) {
    if (*number == 0)
      return {};
    return {{{}, *number}};
  }
  Value ssa = cast<Value>(value);
  if (auto it = known.find(ssa); it != known.end())
    return it->second;
  // Operands first, without recursion: a chain may be as long as the model.
  SmallVector<Value> open{ssa};
  while (!open.empty()) {
    Value next = open.back();
    size_t before = open.size();
    if (Operation *op = arithmeticOf(next); op && !known.contains(next))
      for (Value operand : op->getOperands())
        if (!known.contains(operand) && !constant(operand))
          open.push_back(operand);
    if (open.size() > before)
      continue;
    if (!known.contains(next))
      learnPolynomial(next);
    open.pop_back();
  }
  return known.lookup(ssa);
}

void DimBuilder::learnPolynomial(Value ssa) {
  if (std::optional<Polynomial> result = throughArithmetic(ssa)) {
    known[ssa] = *result;
    // Arithmetic over free dimensions only may be needed further up.
    if (!overFreeDims(*result))
      values[*result].push_back(ssa);
    return;
  }
  Polynomial result;
  auto dim = ssa.getDefiningOp<DimOp>();
  Value atom = dim ? cast<Value>(named(dim.getName())) : ssa;
  result[{atomOf(atom)}] = 1;
  known[ssa] = result;
  values[result].push_back(atom);
}

std::optional<DimBuilder::Polynomial>
DimBuilder::throughArithmetic(Value value) {
  Operation *op = arithmeticOf(value);
  if (!op)
    return std::nullopt;
  Polynomial left = polynomialOf(op->getOperand(0));
  Polynomial right = polynomialOf(op->getOperand(1));
  if (isa<arith::MulIOp>(op))
    if (std::optional<Polynomial> result = multiply(left, right))
      return result;
  if (isa<arith::SubIOp>(op))
    if (std::optional<Polynomial> negative = multiply(right, {{{}, -1}}))
      if (std::optional<Polynomial> result = sum(left, *negative))
        return result;
  if (isa<arith::AddIOp>(op))
    if (std::optional<Polynomial> result = sum(left, right))
      return result;
  if (isa<arith::FloorDivSIOp>(op))
    if (std::optional<Polynomial> result = divideExactly(left, right))
      return result;
  if (isa<arith::MaxSIOp, arith::MinSIOp>(op) && left == right)
    return left;
  SmallVector<Value, 1> &equal =
      opaques[{op->getName().getStringRef(), left, right}];
  if (equal.empty()) {
    equal.push_back(value);
    return std::nullopt;
  }
  return polynomialOf(equal.front());
}

bool DimBuilder::overFreeDims(const Polynomial &polynomial) {
  return llvm::all_of(polynomial, [&](const auto &term) {
    return llvm::all_of(term.first, [&](unsigned atom) {
      return atoms[atom].template getDefiningOp<DimOp>() ||
             topAtoms.contains(atoms[atom]);
    });
  });
}

bool DimBuilder::visibleAt(Value value, OpBuilder &builder) {
  return value.getParentRegion()->isAncestor(
      builder.getInsertionBlock()->getParent());
}

OpFoldResult DimBuilder::valueOf(OpBuilder &at, Location loc,
                                 const Polynomial &polynomial) {
  if (polynomial.empty())
    return at.getIndexAttr(0);
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return at.getIndexAttr(polynomial.begin()->second);
  for (Value value : values[polynomial])
    if (visibleAt(value, at))
      return value;
  bool top = overFreeDims(polynomial);
  std::optional<OpBuilder> topBuilder;
  if (top) {
    for (const auto &term : polynomial) // Free dimensions come first.
      for (unsigned atom : term.first)
        if (!lastTop)
          lastTop = atoms[atom].getDefiningOp();
    topBuilder.emplace(this->topBuilder());
  }
  OpBuilder &builder = top ? *topBuilder : at;
  auto constantOf = [&](int64_t number) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, number);
  };
  Value sum;
  for (const auto &[monomial, coefficient] : polynomial) {
    Value term = monomial.empty() || coefficient != 1 ? constantOf(coefficient)
                                                      : Value();
    SmallVector<unsigned, 2> factors(monomial);
    // A canonical order of the free dimensions: equal products are then equal
    // operations.
    llvm::sort(factors, [&](unsigned a, unsigned b) {
      auto first = atoms[a].getDefiningOp<DimOp>();
      auto second = atoms[b].getDefiningOp<DimOp>();
      if (first && second)
        return first.getName() < second.getName();
      return first || second ? static_cast<bool>(first) : a < b;
    });
    for (unsigned atom : factors)
      term = term ? arith::MulIOp::create(builder, loc, term, atoms[atom])
                        .getResult()
                  : atoms[atom];
    sum =
        sum ? arith::AddIOp::create(builder, loc, sum, term).getResult() : term;
  }
  if (top)
    lastTop = sum.getDefiningOp();
  known[sum] = polynomial;
  values[polynomial].push_back(sum);
  return sum;
}

std::optional<DimBuilder::Polynomial>
DimBuilder::multiply(const Polynomial &a, const Polynomial &b) {
  if (a.size() * b.size() > maxTerms * maxTerms)
    return std::nullopt;
  Polynomial result;
  for (const auto &[left, leftFactor] : a)
    for (const auto &[right, rightFactor] : b) {
      if (left.size() + right.size() > maxDegree)
        return std::nullopt;
      SmallVector<unsigned, 2> monomial(left);
      monomial.append(right.begin(), right.end());
      llvm::sort(monomial);
      int64_t product, sum;
      if (llvm::MulOverflow(leftFactor, rightFactor, product))
        return std::nullopt;
      int64_t &entry = result[monomial];
      if (llvm::AddOverflow(entry, product, sum))
        return std::nullopt;
      entry = sum;
    }
  for (auto it = result.begin(); it != result.end();)
    it = it->second == 0 ? result.erase(it) : std::next(it);
  if (result.size() > maxTerms)
    return std::nullopt;
  return result;
}

/// Quotient if `b` is a monomial that divides every term of `a`.
std::optional<DimBuilder::Polynomial>
DimBuilder::divideExactly(const Polynomial &a, const Polynomial &b) {
  if (b.size() != 1)
    return std::nullopt;
  const auto &[divisor, factor] = *b.begin();
  Polynomial result;
  for (const auto &[monomial, coefficient] : a) {
    if (coefficient % factor != 0)
      return std::nullopt;
    SmallVector<unsigned, 2> rest;
    std::set_difference(monomial.begin(), monomial.end(), divisor.begin(),
                        divisor.end(), std::back_inserter(rest));
    if (rest.size() + divisor.size() != monomial.size())
      return std::nullopt;
    result[rest] = coefficient / factor;
  }
  return result;
}

template <typename OpTy>
OpFoldResult DimBuilder::opaque(OpBuilder &builder, Location loc,
                                OpFoldResult a, OpFoldResult b) {
  Polynomial left = polynomialOf(a), right = polynomialOf(b);
  SmallVector<Value, 1> &equal =
      opaques[{OpTy::getOperationName(), left, right}];
  for (Value value : equal)
    if (visibleAt(value, builder))
      return value;
  bool top = overFreeDims(left) && overFreeDims(right);
  Value result;
  if (top) {
    OpFoldResult x = valueOf(builder, loc, left);
    OpFoldResult y = valueOf(builder, loc, right);
    OpBuilder at = topBuilder();
    Value first = materialize(at, loc, x), second = materialize(at, loc, y);
    result = OpTy::create(at, loc, first, second);
    lastTop = result.getDefiningOp();
    topAtoms.insert(result);
  } else {
    Value first = materialize(builder, loc, a);
    Value second = materialize(builder, loc, b);
    result = OpTy::create(builder, loc, first, second);
  }
  equal.push_back(result);
  // A division that is not a polynomial becomes an opaque atom.
  Polynomial atom;
  atom[{atomOf(result)}] = 1;
  known[result] = atom;
  values[atom].push_back(result);
  return result;
}

std::optional<DimBuilder::Polynomial> DimBuilder::sum(const Polynomial &a,
                                                      const Polynomial &b) {
  Polynomial result = a;
  for (const auto &[monomial, coefficient] : b) {
    int64_t total;
    if (llvm::AddOverflow(result[monomial], coefficient, total))
      return std::nullopt;
    result[monomial] = total;
    if (total == 0)
      result.erase(monomial);
  }
  if (result.size() > maxTerms)
    return std::nullopt;
  return result;
}

OpFoldResult DimBuilder::add(OpBuilder &builder, Location loc, OpFoldResult a,
                             OpFoldResult b) {
  if (std::optional<Polynomial> result = sum(polynomialOf(a), polynomialOf(b)))
    return valueOf(builder, loc, *result);
  return opaque<arith::AddIOp>(builder, loc, a, b);
}

OpFoldResult DimBuilder::sub(OpBuilder &builder, Location loc, OpFoldResult a,
                             OpFoldResult b) {
  return add(builder, loc, a, mul(builder, loc, b, builder.getIndexAttr(-1)));
}

OpFoldResult DimBuilder::mul(OpBuilder &builder, Location loc, OpFoldResult a,
                             OpFoldResult b) {
  if (std::optional<Polynomial> result =
          multiply(polynomialOf(a), polynomialOf(b)))
    return valueOf(builder, loc, *result);
  return opaque<arith::MulIOp>(builder, loc, a, b);
}

OpFoldResult DimBuilder::floorDiv(OpBuilder &builder, Location loc,
                                  OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> left = constant(a), right = constant(b);
  if (left && right)
    return builder.getIndexAttr(*right ? llvm::divideFloorSigned(*left, *right)
                                       : *left);
  if (std::optional<Polynomial> result =
          divideExactly(polynomialOf(a), polynomialOf(b)))
    return valueOf(builder, loc, *result);
  OpFoldResult divisor =
      right ? b : max(builder, loc, b, builder.getIndexAttr(1));
  return opaque<arith::FloorDivSIOp>(builder, loc, a, divisor);
}

OpFoldResult DimBuilder::ceilDiv(OpBuilder &builder, Location loc,
                                 OpFoldResult a, OpFoldResult b) {
  OpFoldResult rounded =
      sub(builder, loc, add(builder, loc, a, b), builder.getIndexAttr(1));
  std::optional<int64_t> right = constant(b);
  if (right && *right == 1)
    return a;
  return floorDiv(builder, loc, rounded, b);
}

OpFoldResult DimBuilder::max(OpBuilder &builder, Location loc, OpFoldResult a,
                             OpFoldResult b) {
  std::optional<int64_t> left = constant(a), right = constant(b);
  if (left && right)
    return builder.getIndexAttr(std::max(*left, *right));
  return equal(a, b) ? a : opaque<arith::MaxSIOp>(builder, loc, a, b);
}

OpFoldResult DimBuilder::min(OpBuilder &builder, Location loc, OpFoldResult a,
                             OpFoldResult b) {
  std::optional<int64_t> left = constant(a), right = constant(b);
  if (left && right)
    return builder.getIndexAttr(std::min(*left, *right));
  return equal(a, b) ? a : opaque<arith::MinSIOp>(builder, loc, a, b);
}

OpFoldResult DimBuilder::product(OpBuilder &builder, Location loc,
                                 ArrayRef<OpFoldResult> factors) {
  OpFoldResult result = builder.getIndexAttr(1);
  for (OpFoldResult factor : factors)
    result = mul(builder, loc, result, factor);
  return result;
}

bool DimBuilder::equal(OpFoldResult a, OpFoldResult b) {
  return polynomialOf(a) == polynomialOf(b);
}

Value DimBuilder::materialize(OpBuilder &builder, Location loc,
                              OpFoldResult value) {
  if (std::optional<int64_t> number = constant(value))
    return arith::ConstantIndexOp::create(builder, loc, *number);
  return cast<Value>(value);
}

void DimBuilder::split(OpBuilder &builder, Location loc,
                       ArrayRef<OpFoldResult> sizes,
                       SmallVectorImpl<int64_t> &shape,
                       SmallVectorImpl<Value> &dynamic) {
  for (OpFoldResult size : sizes) {
    std::optional<int64_t> number = constant(size);
    shape.push_back(number.value_or(ShapedType::kDynamic));
    if (!number)
      dynamic.push_back(cast<Value>(size));
  }
}

void DimBuilder::learn(Value tensor, ArrayRef<OpFoldResult> dims) {
  for (auto [i, dim] : llvm::enumerate(dims))
    traced[{tensor, static_cast<int64_t>(i)}] = dim;
}

SmallVector<OpFoldResult> DimBuilder::dims(OpBuilder &builder, Location loc,
                                           Value tensor) {
  SmallVector<OpFoldResult> result;
  for (int64_t i = 0, rank = cast<ShapedType>(tensor.getType()).getRank();
       i < rank; ++i)
    result.push_back(dim(builder, loc, tensor, i));
  return result;
}

/// The operand that is dimension `i` of a result of `op`; null if sizes are not
/// operands.
static Value givenSize(Operation *op, int64_t i) {
  auto sized = dyn_cast<GivenSizesOpInterface>(op);
  if (!sized)
    return {};
  ArrayRef<int64_t> before =
      cast<ShapedType>(op->getResult(0).getType()).getShape().take_front(i);
  return sized.getDims()[llvm::count_if(before, ShapedType::isDynamic)];
}

/// The source of dimension `i` of the result of `op`.
static std::optional<SizeSource> sizeSource(Operation *op, int64_t i) {
  if (auto derived = dyn_cast<DerivedSizesOpInterface>(op))
    return derived.getSizeSource(i);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return SizeSource{cast.getSource(), i};
  return std::nullopt;
}

StringAttr DimBuilder::nameOf(BlockArgument argument, int64_t i) {
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function || argument.getOwner() != entry)
    return {};
  auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                    "hone.dims");
  if (!names || i >= static_cast<int64_t>(names.size()))
    return {};
  return dyn_cast<StringAttr>(names[i]);
}

OpFoldResult DimBuilder::dim(OpBuilder &builder, Location loc, Value tensor,
                             int64_t i) {
  auto type = cast<ShapedType>(tensor.getType());
  if (!type.isDynamicDim(i))
    return builder.getIndexAttr(type.getDimSize(i));
  if (auto it = traced.find({tensor, i}); it != traced.end())
    if (auto value = dyn_cast<Value>(it->second);
        !value || visibleAt(value, builder))
      return it->second;

  OpFoldResult result;
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    if (StringAttr name = nameOf(argument, i))
      result = named(name.getValue());
  } else {
    Operation *op = tensor.getDefiningOp();
    if (Value size = givenSize(op, i)) {
      result = valueOf(builder, loc, polynomialOf(size));
    } else if (std::optional<SizeSource> source = sizeSource(op, i)) {
      OpFoldResult added = builder.getIndexAttr(source->added);
      if (!source->tensor)
        result = added;
      else
        result = dim(builder, loc, source->tensor, source->dim);
      if (source->tensor && source->added != 0)
        result = add(builder, loc, result, added);
    } else if (isa<ReifyRankedShapedTypeOpInterface>(op) &&
               !isa<tensor::TensorDialect>(op->getDialect())) {
      ReifiedRankedShapedTypeDims shapes;
      if (succeeded(reifyResultShapes(builder, op, shapes)))
        result = shapes[cast<OpResult>(tensor).getResultNumber()][i];
      if (result)
        result = valueOf(builder, loc, polynomialOf(result));
    }
  }
  if (!result)
    result = tensor::DimOp::create(builder, loc, tensor, i).getResult();
  traced[{tensor, i}] = result;
  return result;
}

unsigned DimBuilder::unnamedAtom(const void *owner, int64_t number) {
  auto [it, isNew] = unnamedAtoms.try_emplace({owner, number}, atoms.size());
  if (isNew)
    atoms.push_back(Value());
  return it->second;
}

DimBuilder::Polynomial DimBuilder::sizeOf(Value tensor, int64_t i) {
  auto type = cast<ShapedType>(tensor.getType());
  if (!type.isDynamicDim(i))
    return polynomialOf(
        Builder(type.getContext()).getIndexAttr(type.getDimSize(i)));
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    if (StringAttr name = nameOf(argument, i)) {
      if (Value dim = findDim(name.getValue()))
        return polynomialOf(dim);
      return {{{unnamedAtom(name.getAsOpaquePointer(), 0)}, 1}};
    }
    return {{{unnamedAtom(tensor.getAsOpaquePointer(), i)}, 1}};
  }
  Operation *op = tensor.getDefiningOp();
  if (Value size = givenSize(op, i))
    return polynomialOf(size);
  if (std::optional<SizeSource> source = sizeSource(op, i)) {
    Polynomial added;
    if (source->added != 0)
      added[{}] = source->added;
    if (!source->tensor)
      return added;
    if (std::optional<Polynomial> result =
            sum(sizeOf(source->tensor, source->dim), added))
      return *result;
  }
  return {{{unnamedAtom(tensor.getAsOpaquePointer(), i)}, 1}};
}

bool DimBuilder::sameSize(Value a, int64_t i, Value b, int64_t j) {
  return sizeOf(a, i) == sizeOf(b, j);
}

bool DimBuilder::sameShape(Value a, Value b) {
  int64_t rank = cast<ShapedType>(a.getType()).getRank();
  if (rank != cast<ShapedType>(b.getType()).getRank())
    return false;
  for (int64_t i = 0; i < rank; ++i)
    if (!sameSize(a, i, b, i))
      return false;
  return true;
}
