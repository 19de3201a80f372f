// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops over linear addresses from linalg.generic.
#include "passes/Emit/LoopNest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

Type NestAccess::elementType() const {
  if (auto type = dyn_cast<MemRefType>(source.getType()))
    return type.getElementType();
  return source.getType();
}

Value NestAccess::load(Emitter &e, Value offset, int64_t lanes,
                       Value mask) const {
  FlatBuffer buffer;
  buffer.memref = flat;
  return lanes == 1 ? buffer.load(e, offset)
                    : buffer.load(e, offset, lanes, mask);
}

void NestAccess::store(Emitter &e, Value offset, Value value,
                       Value mask) const {
  FlatBuffer buffer;
  buffer.memref = flat;
  buffer.store(e, offset, value, mask);
}

Value hone::rootOf(Value memref) {
  while (Operation *op = memref.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      memref = view.getViewSource();
    else if (auto metadata = dyn_cast<memref::ExtractStridedMetadataOp>(op))
      memref = metadata.getSource();
    else
      break;
  }
  return memref;
}

/// Size of dimension `i`, traced to its origin.
static Value sizeOf(Emitter &e, Value memref, int64_t i) {
  auto type = cast<MemRefType>(memref.getType());
  if (type.isDynamicDim(i)) {
    if (auto cast = memref.getDefiningOp<memref::ReinterpretCastOp>())
      return getValueOrCreateConstantIndexOp(e.builder, e.loc,
                                             cast.getMixedSizes()[i]);
    if (auto alloc = memref.getDefiningOp<memref::AllocOp>())
      return alloc.getDynamicSizes()[type.getDynamicDimIndex(i)];
  }
  return e.dim(memref, i);
}

Value hone::flatView(Emitter &e, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  Value size = e.cst(1);
  for (int64_t i = 0; i < type.getRank(); ++i)
    size = e.mul(size, sizeOf(e, memref, i));
  std::optional<int64_t> known = constantOf(size);
  auto flat = MemRefType::get(
      known.value_or(ShapedType::kDynamic), type.getElementType(),
      MemRefLayoutAttrInterface(), type.getMemorySpace());
  if (type == flat)
    return memref;
  SmallVector<OpFoldResult> sizes = {getAsOpFoldResult(size)};
  SmallVector<OpFoldResult> strides = {e.builder.getIndexAttr(1)};
  return memref::ReinterpretCastOp::create(e.builder, e.loc, flat, memref,
                                           e.builder.getIndexAttr(0), sizes,
                                           strides);
}

void hone::getLayout(Emitter &e, Value memref, Value &offset,
                     SmallVectorImpl<Value> &strides) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> known;
  int64_t knownOffset = ShapedType::kDynamic;
  bool ok = succeeded(type.getStridesAndOffset(known, knownOffset));
  if (!ok)
    known.assign(type.getRank(), ShapedType::kDynamic);
  if (ok && knownOffset == 0 &&
      !llvm::is_contained(known, ShapedType::kDynamic)) {
    offset = e.cst(0);
    for (int64_t stride : known)
      strides.push_back(e.cst(stride));
    return;
  }
  // The view's own operands are better than its descriptor.
  if (auto cast = memref.getDefiningOp<memref::ReinterpretCastOp>()) {
    offset = getValueOrCreateConstantIndexOp(e.builder, e.loc,
                                             cast.getMixedOffsets()[0]);
    for (OpFoldResult stride : cast.getMixedStrides())
      strides.push_back(
          getValueOrCreateConstantIndexOp(e.builder, e.loc, stride));
    return;
  }
  if (type.getLayout().isIdentity()) {
    offset = e.cst(0);
    strides.resize(type.getRank());
    Value stride = e.cst(1);
    for (int64_t i = type.getRank(); i-- > 0;) {
      strides[i] = stride;
      if (i > 0)
        stride = e.mul(stride, sizeOf(e, memref, i));
    }
    return;
  }
  auto metadata =
      memref::ExtractStridedMetadataOp::create(e.builder, e.loc, memref);
  offset = knownOffset == ShapedType::kDynamic ? Value(metadata.getOffset())
                                               : e.cst(knownOffset);
  for (auto [stride, value] : llvm::zip_equal(known, metadata.getStrides()))
    strides.push_back(ShapedType::isDynamic(stride) ? Value(value)
                                                    : e.cst(stride));
}

/// The outermost of several reduction loops does not run if an inner one does
/// not: an empty tensor may have any size along the others.
static void skipEmptyReductions(Emitter &e, MutableArrayRef<NestDim> dims) {
  NestDim *outermost = nullptr;
  Value runs;
  for (NestDim &dim : dims) {
    if (!dim.reduction)
      continue;
    if (!outermost) {
      outermost = &dim;
      continue;
    }
    if (constantOf(dim.extent) && *constantOf(dim.extent) > 0)
      continue;
    Value some = e.cmp(arith::CmpIPredicate::ne, dim.extent, e.cst(0));
    runs = runs ? arith::AndIOp::create(e.builder, e.loc, runs, some) : some;
  }
  if (runs)
    outermost->extent = arith::SelectOp::create(e.builder, e.loc, runs,
                                                outermost->extent, e.cst(0));
}

FailureOr<LoopNest> LoopNest::get(Emitter &e, linalg::GenericOp op) {
  LoopNest nest;
  nest.op = op;
  unsigned loops = op.getNumLoops();
  nest.indices.resize(loops);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();

  // The size of a loop is that of a dimension it walks, a static one if
  // possible.
  SmallVector<Value> extents(loops);
  for (auto [value, map] :
       llvm::reverse(llvm::zip_equal(op->getOperands(), maps))) {
    if (!isa<MemRefType>(value.getType()))
      continue;
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      Value &extent = extents[dim.getPosition()];
      if (!extent || (!constantOf(extent) &&
                      !cast<MemRefType>(value.getType()).isDynamicDim(i)))
        extent = sizeOf(e, value, i);
    }
  }
  for (unsigned i = 0; i < loops; ++i) {
    if (!extents[i]) {
      op.emitOpError("has a loop without a size");
      return failure();
    }
    if (constantOf(extents[i]) == 1)
      nest.indices[i] = e.cst(0);
    else
      nest.dims.push_back(
          {extents[i], iterators[i] == utils::IteratorType::reduction, {i}});
  }

  skipEmptyReductions(e, nest.dims);
  for (auto [value, map] : llvm::zip_equal(op->getOperands(), maps)) {
    NestAccess access;
    access.source = value;
    access.strides.assign(nest.dims.size(), e.cst(0));
    access.memDims.assign(nest.dims.size(), {-1, -1});
    auto type = dyn_cast<MemRefType>(value.getType());
    if (!type) {
      nest.accesses.push_back(access);
      continue;
    }
    Value offset;
    SmallVector<Value> strides;
    getLayout(e, value, offset, strides);
    // Views begin where their buffer does; offsets count from there.
    access.flat = flatView(e, rootOf(value));
    access.plain = type.getLayout().isIdentity();
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
        offset = e.add(offset, e.mul(strides[i], e.cst(constant.getValue())));
        continue;
      }
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim) {
        op.emitOpError("has an indexing map that is not a projection");
        return failure();
      }
      for (auto [k, nestDim] : llvm::enumerate(nest.dims)) {
        if (nestDim.loops.front() != dim.getPosition())
          continue;
        access.strides[k] = e.add(access.strides[k], strides[i]);
        access.memDims[k] = access.memDims[k].first == -1
                                ? std::make_pair(int(i), int(i))
                                : std::make_pair(-2, -2);
      }
    }
    access.base = offset;
    nest.accesses.push_back(std::move(access));
  }
  return nest;
}

void LoopNest::fix(Emitter &e, unsigned dim, Value iv) {
  for (unsigned loop : dims[dim].loops)
    indices[loop] = iv;
  for (NestAccess &access : accesses) {
    if (!access.isScalar())
      access.base = e.add(access.base, e.mul(iv, access.strides[dim]));
    access.strides.erase(access.strides.begin() + dim);
    access.memDims.erase(access.memDims.begin() + dim);
  }
  dims.erase(dims.begin() + dim);
}

void LoopNest::foldRepeats(Emitter &e) {
  if (dims.size() < 2 || accesses.size() != numInputs() + 1 || isReduced(0))
    return;
  unsigned last = dims.size() - 1;
  std::optional<int64_t> times = extent(last);
  if (!times || *times < 2 || *times > tuning::kMaxRepeats ||
      dims[last].reduction || usesIndex(last) || output(0).isScalar() ||
      stride(numInputs(), last) != 1 || stride(numInputs(), last - 1) != *times)
    return;
  for (unsigned i = 0; i < numInputs(); ++i)
    if (walks(i, last))
      return;
  fix(e, last, e.cst(0));
  output(0).repeat = *times;
}

bool LoopNest::usesIndex(unsigned dim) const {
  bool found = false;
  op->walk([&](linalg::IndexOp index) {
    found |= llvm::is_contained(dims[dim].loops, index.getDim());
  });
  return found;
}

bool LoopNest::holds(Value condition) const {
  if (auto both = condition.getDefiningOp<arith::AndIOp>())
    return holds(both.getLhs()) && holds(both.getRhs());
  return assumed.contains(condition.getDefiningOp());
}

bool LoopNest::walks(unsigned operand, unsigned dim) const {
  return !accesses[operand].isScalar() && stride(operand, dim) != 0;
}

std::optional<int64_t> LoopNest::stride(unsigned operand, unsigned dim) const {
  return constantOf(accesses[operand].strides[dim]);
}

std::optional<int64_t> LoopNest::extent(unsigned dim) const {
  return constantOf(dims[dim].extent);
}

bool LoopNest::isReduced(unsigned i) const {
  // Loops of size 1 count too: accumulation starts from the output.
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(i));
  for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::reduction &&
        !map.isFunctionOfDim(loop))
      return true;
  return false;
}

bool LoopNest::mergeable(unsigned outer) const {
  unsigned inner = outer + 1;
  if (dims[outer].reduction != dims[inner].reduction || usesIndex(outer) ||
      usesIndex(inner))
    return false;
  std::optional<int64_t> width = extent(inner);
  for (const NestAccess &access : accesses) {
    if (access.isScalar())
      continue;
    std::optional<int64_t> high = constantOf(access.strides[outer]);
    std::optional<int64_t> low = constantOf(access.strides[inner]);
    if (high == 0 && low == 0)
      continue;
    if (high && low && width) {
      if (*high != *low * *width)
        return false;
      continue;
    }
    // Sizes are unknown, but adjacent dimensions of a contiguous buffer are
    // consecutive.
    int from = access.memDims[outer].second, to = access.memDims[inner].first;
    if (!access.plain || from < 0 || to < 0 || from >= to)
      return false;
    auto type = cast<MemRefType>(access.source.getType());
    for (int i = from + 1; i < to; ++i)
      if (type.getDimSize(i) != 1)
        return false;
  }
  return true;
}

void LoopNest::collapse(Emitter &e) {
  for (unsigned i = 0; i + 1 < dims.size();) {
    if (!mergeable(i)) {
      ++i;
      continue;
    }
    dims[i].extent = e.mul(dims[i].extent, dims[i + 1].extent);
    llvm::append_range(dims[i].loops, dims[i + 1].loops);
    dims.erase(dims.begin() + i + 1);
    for (NestAccess &access : accesses) {
      access.strides.erase(access.strides.begin() + i);
      access.memDims[i].second = access.memDims[i + 1].second;
      access.memDims.erase(access.memDims.begin() + i + 1);
    }
  }
}

void LoopNest::replaceBuffer(Emitter &e, unsigned operand, Value memref,
                             ArrayRef<int> kept) {
  NestAccess &access = accesses[operand];
  SmallVector<Value> strides(kept.size());
  Value stride = e.cst(1);
  for (size_t i = kept.size(); i-- > 0;) {
    strides[i] = stride;
    if (i > 0)
      stride = e.mul(stride, sizeOf(e, memref, i));
  }
  access.source = memref;
  access.flat = flatView(e, memref);
  access.base = e.cst(0);
  access.plain = true;
  for (auto [k, memDim] : llvm::enumerate(access.memDims)) {
    const int *place = llvm::find(kept, memDim.first);
    if (memDim.first < 0 || place == kept.end()) {
      memDim = {-1, -1};
      access.strides[k] = e.cst(0);
      continue;
    }
    int now = place - kept.begin();
    memDim = {now, now};
    access.strides[k] = strides[now];
  }
}
