// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random numbers and signal transforms, implemented by library functions.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

bool isPlainFloat(Val v) { return isFloat(v.elem) && !isSmallFloat(v.elem); }

/// What the library reads as a length.
bool isLength(Val v) {
  return v.elem == ElementType::Int32 || v.elem == ElementType::Int64;
}

void setSeed(NodeBuilder &n, LibraryCall &call) {
  call.set("has_seed", n.hasAttr("seed"));
  call.setFloat("seed", n.floatAttr("seed"));
}

/// Uniform or normal numbers, of the shape of an input (`like`) or of an
/// attribute.
LogicalResult importRandom(NodeBuilder &n, bool normal, bool like) {
  Sizes dims = like ? n.dims(n.in(0))
                    : n.sizes(n.intsAttr("shape", ArrayRef<int64_t>()));
  ElementType elem =
      like && isFloat(n.in(0).elem) ? n.in(0).elem : ElementType::Float;
  if (n.hasAttr("dtype"))
    elem = static_cast<ElementType>(n.intAttr("dtype"));
  if (!isFloat(elem) || isSmallFloat(elem))
    return n.error("makes random numbers of " + elementTypeName(elem));
  LibraryCall call(n, normal ? "random_normal" : "random_uniform");
  setSeed(n, call);
  call.setType("type", elem);
  if (normal) {
    call.setFloat("mean", n.floatAttr("mean", 0));
    call.setFloat("scale", n.floatAttr("scale", 1));
  } else {
    call.setFloat("high", n.floatAttr("high", 1));
    call.setFloat("low", n.floatAttr("low", 0));
  }
  return n.out(call.sized(elem, dims)({n.fromSizes(dims)}));
}

LogicalResult importBernoulli(NodeBuilder &n) {
  Val x = n.in(0);
  ElementType elem = n.hasAttr("dtype")
                         ? static_cast<ElementType>(n.intAttr("dtype"))
                         : x.elem;
  if (!isPlainFloat(x))
    return n.error("takes probabilities of " + elementTypeName(x.elem));
  if (!isRuntimeNumber(elem))
    return n.error("gives numbers of " + elementTypeName(elem) +
                   ", which is not supported");
  LibraryCall call(n, "bernoulli");
  setSeed(n, call);
  call.setType("type", elem).setType("x_type", x.elem);
  return n.out(call.sized(elem, n.dims(x))({x}));
}

LogicalResult importMultinomial(NodeBuilder &n) {
  Val x = n.in(0);
  auto elem = static_cast<ElementType>(
      n.intAttr("dtype", static_cast<int64_t>(ElementType::Int32)));
  if (!isPlainFloat(x) || x.rank() != 2 ||
      (elem != ElementType::Int32 && elem != ElementType::Int64))
    return n.error("needs a float matrix and integer samples");
  int64_t size = n.intAttr("sample_size", 1);
  if (size < 0)
    return n.error("takes a negative number of samples");
  LibraryCall call(n, "multinomial");
  setSeed(n, call);
  call.set("sample_size", size).setType("type", elem).setType("x_type", x.elem);
  return n.out(call.sized(elem, {n.dim(x, 0), n.index(size)})({x}));
}

LogicalResult importDet(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isPlainFloat(x) || x.rank() < 2)
    return n.error("needs float matrices");
  Sizes dims = n.dims(x);
  n.agree(dims[x.rank() - 1], dims[x.rank() - 2], "rows and columns");
  dims.pop_back_n(2);
  return n.out(
      LibraryCall(n, "det").setType("type", x.elem).sized(x.elem, dims)({x}));
}

/// The axis is known at run time, so all sizes but the last are known after the
/// call.
LogicalResult importDftOfAnyAxis(NodeBuilder &n, bool inverse, bool onesided) {
  Val x = n.in(0);
  SmallVector<int64_t> shape(x.rank(), -1);
  shape.back() = onesided && inverse ? 1 : 2;
  return n.out(LibraryCall(n, "dft")
                   .set("axis", 0)
                   .set("inverse", inverse)
                   .set("onesided", onesided)
                   .setType("type", x.elem)
                   .tensor(x.elem, shape)(
                       {x, n.has(1) ? n.in(1) : absentOperand(n), n.in(2)}));
}

LogicalResult importDft(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isPlainFloat(x) || x.rank() < 2)
    return n.error("needs a float signal with real and imaginary parts");
  for (size_t i = 1; i < n.numInputs(); ++i)
    if (n.has(i) && !isLength(n.in(i)))
      return n.error("has a length or an axis that is not int32 or int64");
  bool inverse = n.intAttr("inverse") != 0,
       onesided = n.intAttr("onesided") != 0;
  int64_t axis;
  if (n.opset < 20) {
    axis = n.axisAttr("axis", 1, x.rank());
  } else {
    axis = x.rank() - 2;
    std::optional<Ints> given;
    if (n.has(2)) {
      given = n.knownInts(n.in(2));
      if (!given)
        return importDftOfAnyAxis(n, inverse, onesided);
      if (given->size() != 1)
        return n.error("needs one axis");
      axis = n.axis(given->front(), x.rank());
    }
  }
  if (n.failed())
    return failure();
  Size length = n.dim(x, axis);
  SmallVector<Val> operands{x};
  if (n.has(1)) {
    std::optional<Sizes> given = n.elements(n.in(1));
    if (!given || given->size() != 1)
      return n.error("needs one dft_length");
    length = given->front();
    operands.push_back(n.in(1));
  } else if (inverse && onesided) {
    length = n.mul(n.sub(length, n.index(1)), 2);
  }
  Sizes dims = n.dims(x);
  dims[axis] =
      onesided && !inverse ? n.add(n.floorDiv(length, n.index(2)), 1) : length;
  dims.back() = n.index(onesided && inverse ? 1 : 2);
  return n.out(LibraryCall(n, "dft")
                   .set("axis", axis)
                   .set("inverse", inverse)
                   .set("onesided", onesided)
                   .setType("type", x.elem)
                   .sized(x.elem, dims)(operands));
}

LogicalResult importStft(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isPlainFloat(x) || x.rank() < 2 || x.rank() > 3)
    return n.error("needs a float signal");
  if (!isLength(n.in(1)) || (n.has(2) && n.in(2).elem != x.elem) ||
      (n.has(3) && !isLength(n.in(3))))
    return n.error("has a step or a length that is not int32 or int64, or a "
                   "window of another type than its signal");
  SmallVector<Val> operands{x, n.in(1)};
  for (size_t i = 2; i < n.numInputs(); ++i)
    operands.push_back(n.has(i) ? n.in(i) : absentOperand(n));
  SmallVector<int64_t> shape{
      ShapedType::isDynamic(x.shape()[0]) ? -1 : x.shape()[0], -1, -1, 2};
  return n.out(LibraryCall(n, "stft")
                   .set("onesided", n.intAttr("onesided", 1))
                   .setType("type", x.elem)
                   .tensor(x.elem, shape)(operands));
}

LogicalResult importWindow(NodeBuilder &n, int64_t kind) {
  auto elem = static_cast<ElementType>(
      n.intAttr("output_datatype", static_cast<int64_t>(ElementType::Float)));
  if (!isFloat(elem) || isSmallFloat(elem))
    return n.error("makes a window of " + elementTypeName(elem));
  std::optional<Sizes> size = n.elements(n.in(0));
  if (!size || size->size() != 1)
    return n.error("needs one size");
  return n.out(LibraryCall(n, "window")
                   .set("kind", kind)
                   .set("periodic", n.intAttr("periodic", 1))
                   .setType("type", elem)
                   .sized(elem, {size->front()})({n.in(0)}));
}

LogicalResult importMelWeights(NodeBuilder &n) {
  auto elem = static_cast<ElementType>(
      n.intAttr("output_datatype", static_cast<int64_t>(ElementType::Float)));
  if (!isFloat(elem) || isSmallFloat(elem))
    return n.error("makes weights of " + elementTypeName(elem));
  for (size_t i = 0; i < 5; ++i)
    if (i < 3 ? !isLength(n.in(i)) : !isPlainFloat(n.in(i)))
      return n.error("takes three integers and two floats");
  return n.out(LibraryCall(n, "mel_weight_matrix")
                   .setType("type", elem)
                   .tensor(elem, {-1, -1})(SmallVector<Val>(n.allInputs())));
}

} // namespace

void hone::onnx::addRandom(OpTable &table) {
  auto random = [&](StringRef name, bool normal, bool like) {
    table.add(
        name, [=](NodeBuilder &n) { return importRandom(n, normal, like); },
        like ? 1 : 0, like ? 1 : 0);
  };
  random("RandomUniform", false, false);
  random("RandomUniformLike", false, true);
  random("RandomNormal", true, false);
  random("RandomNormalLike", true, true);
  table.add("Bernoulli", importBernoulli, 1);
  table.add("Multinomial", importMultinomial, 1);
}

void hone::onnx::addSignals(OpTable &table) {
  table.add("Det", importDet, 1);
  table.add("DFT", importDft, 1, 3);
  table.add("STFT", importStft, 2, 4);
  const char *windows[] = {"HannWindow", "HammingWindow", "BlackmanWindow"};
  for (int64_t kind = 0; kind < 3; ++kind)
    table.add(
        windows[kind], [=](NodeBuilder &n) { return importWindow(n, kind); },
        1);
  table.add("MelWeightMatrix", importMelWeights, 5);
}
