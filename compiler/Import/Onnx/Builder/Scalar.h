// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar arithmetic with C++ operators: the bodies of maps, and the same
// formulas over known elements of small tensors on the host.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_SCALAR_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_SCALAR_H

#include "compiler/Import/Onnx/Reader/Model.h"
#include "dialects/Graph/DimBuilder.h"

#include "mlir/IR/Builders.h"

namespace hone::onnx {

class ScalarBuilder;

/// A value of type i1, iN, index, f32 or f64. An operation between scalars has
/// the type of the left one; a right one of another type is an error of the
/// model, not a crash.
struct Scalar {
  mlir::Value value;
  bool isUnsigned = false;
  ScalarBuilder *builder = nullptr;

  mlir::Type type() const { return value.getType(); }
  bool isFloat() const { return llvm::isa<mlir::FloatType>(type()); }
  bool isBool() const { return type().isInteger(1); }
  bool isInt() const { return type().isIntOrIndex() && !isBool(); }
};

/// True if elements of the type are bits of a float that MLIR's arithmetic does
/// not support: they are held as i8.
bool isSmallFloat(ElementType type);
bool isFloat(ElementType type);
bool isInteger(ElementType type);
bool isUnsigned(ElementType type);
bool isComplex(ElementType type);

/// The type in which an operator computes throughout: f32 for f16 and bf16,
/// otherwise the type itself.
ElementType widenedType(ElementType type);

/// Type of an element in a tensor of the IR, null if the type is not supported.
mlir::Type storageType(mlir::MLIRContext *context, ElementType type);
/// Type in which an element is computed: f32 for the narrow floats, i1 for
/// bool.
mlir::Type computeType(mlir::MLIRContext *context, ElementType type);

/// Creates scalars. On the host (with `dims`) integers have type index and
/// follow the normal form of DimBuilder; what cannot be expressed there sets
/// `problem`, and the caller builds a map instead.
class ScalarBuilder {
public:
  ScalarBuilder(mlir::OpBuilder &builder, mlir::Location loc,
                graph::DimBuilder *dims = nullptr)
      : builder(builder), loc(loc), dims(dims) {}

  /// Wraps a value of any scalar type.
  Scalar wrap(mlir::Value value, bool isUnsigned = false) {
    return {value, isUnsigned, this};
  }
  Scalar constant(mlir::Type type, double number, bool isUnsigned = false);
  Scalar integer(mlir::Type type, int64_t number, bool isUnsigned = false);
  Scalar boolean(bool value);
  Scalar indexConstant(int64_t number) {
    return integer(builder.getIndexType(), number);
  }
  /// A constant of the type of `x`.
  Scalar like(const Scalar &x, double number) {
    return constant(x.type(), number, x.isUnsigned);
  }
  /// A size as a scalar of type index.
  Scalar size(mlir::OpFoldResult size);
  /// The coordinate along `axis` inside a map.
  Scalar index(int64_t axis);
  /// The element of a tensor in storage type; `indices` have type index.
  mlir::Value extract(mlir::Value tensor, llvm::ArrayRef<Scalar> indices);
  /// The same if `inside` holds, otherwise `otherwise`, in the same type:
  /// nothing is read outside, as an empty tensor has nothing to read instead.
  mlir::Value extractWhere(const Scalar &inside, mlir::Value tensor,
                           llvm::ArrayRef<Scalar> indices,
                           const Scalar &otherwise);
  /// The same if `inside` holds, otherwise the element at the indices changed
  /// by `move`.
  mlir::Value extractEither(
      const Scalar &inside, mlir::Value tensor, llvm::ArrayRef<Scalar> indices,
      llvm::function_ref<void(ScalarBuilder &, llvm::SmallVector<Scalar> &)>
          move);
  /// The element of a tensor in its compute type.
  Scalar element(mlir::Value tensor, ElementType type,
                 llvm::ArrayRef<Scalar> indices) {
    return load(extract(tensor, indices), type);
  }
  /// `i` if it is inside [0, size), with `wrap` also counted from the end;
  /// otherwise the run ends with an error.
  Scalar checkedIndex(const Scalar &i, mlir::OpFoldResult size,
                      bool wrap = false);

  /// From storage to compute type and back.
  Scalar load(mlir::Value stored, ElementType type);
  mlir::Value store(const Scalar &x, ElementType type, bool saturate = true);
  /// ONNX's Cast. `saturate` concerns only 8-bit floats; casts to integers
  /// always saturate.
  Scalar cast(const Scalar &x, ElementType type, bool saturate = true);
  Scalar toIndex(const Scalar &x);
  Scalar toFloat(const Scalar &x, mlir::Type type);
  /// From a float to an integer type: truncates, saturates, NaN gives 0.
  Scalar toInt(const Scalar &x, mlir::Type type, bool isUnsigned);

  bool onHost() const { return dims != nullptr; }
  bool failed() const { return !problem.empty(); }
  /// Records the first error, and returns a scalar to continue with.
  Scalar fail(const Scalar &x, const llvm::Twine &what);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  graph::DimBuilder *dims;
  std::string problem;
};

Scalar operator+(const Scalar &a, const Scalar &b);
Scalar operator-(const Scalar &a, const Scalar &b);
Scalar operator*(const Scalar &a, const Scalar &b);
/// Integers: the quotient is truncated towards zero, and a divisor of 0 ends
/// the run with an error.
Scalar operator/(const Scalar &a, const Scalar &b);
Scalar operator-(const Scalar &a);
inline Scalar operator+(const Scalar &a, double b) {
  return a + a.builder->like(a, b);
}
inline Scalar operator-(const Scalar &a, double b) {
  return a - a.builder->like(a, b);
}
inline Scalar operator*(const Scalar &a, double b) {
  return a * a.builder->like(a, b);
}
inline Scalar operator/(const Scalar &a, double b) {
  return a / a.builder->like(a, b);
}
inline Scalar operator+(double a, const Scalar &b) {
  return b.builder->like(b, a) + b;
}
inline Scalar operator-(double a, const Scalar &b) {
  return b.builder->like(b, a) - b;
}
inline Scalar operator*(double a, const Scalar &b) {
  return b.builder->like(b, a) * b;
}
inline Scalar operator/(double a, const Scalar &b) {
  return b.builder->like(b, a) / b;
}

/// Bounds of an index of the host, as far as its operations show: constants,
/// sizes, and sums, products and quotients of these that do not wrap around.
struct NumberRange {
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
  bool isSize = false; ///< made of sizes: products of such count elements
};
NumberRange rangeOf(mlir::Value value, int depth = 0);

/// True for sizes, and values computed from them without subtraction.
bool isKnownNonNegative(mlir::Value value);

/// Comparisons give i1; with NaN they are false, except `ne`.
Scalar lt(const Scalar &a, const Scalar &b);
Scalar le(const Scalar &a, const Scalar &b);
Scalar gt(const Scalar &a, const Scalar &b);
Scalar ge(const Scalar &a, const Scalar &b);
Scalar eq(const Scalar &a, const Scalar &b);
Scalar ne(const Scalar &a, const Scalar &b);
inline Scalar lt(const Scalar &a, double b) {
  return lt(a, a.builder->like(a, b));
}
inline Scalar le(const Scalar &a, double b) {
  return le(a, a.builder->like(a, b));
}
inline Scalar gt(const Scalar &a, double b) {
  return gt(a, a.builder->like(a, b));
}
inline Scalar ge(const Scalar &a, double b) {
  return ge(a, a.builder->like(a, b));
}
inline Scalar eq(const Scalar &a, double b) {
  return eq(a, a.builder->like(a, b));
}
inline Scalar ne(const Scalar &a, double b) {
  return ne(a, a.builder->like(a, b));
}
Scalar select(const Scalar &condition, const Scalar &a, const Scalar &b);

/// Bits of integers, or logic of i1.
Scalar bitAnd(const Scalar &a, const Scalar &b);
Scalar bitOr(const Scalar &a, const Scalar &b);
Scalar bitXor(const Scalar &a, const Scalar &b);
Scalar bitNot(const Scalar &a);
Scalar shiftLeft(const Scalar &a, const Scalar &b);
Scalar shiftRight(const Scalar &a, const Scalar &b);

/// NaN in either operand gives NaN.
Scalar max(const Scalar &a, const Scalar &b);
Scalar min(const Scalar &a, const Scalar &b);
/// `low` if x is below it, `high` if above; NaN stays.
Scalar clampTo(const Scalar &x, const Scalar &low, const Scalar &high);
Scalar clampTo(const Scalar &x, double low, double high);
/// Integer quotient rounded down, remainder with the sign of the divisor, and
/// remainder with that of the dividend. The divisor must be known not to be 0
/// (see `divisor`).
Scalar floorDiv(const Scalar &a, const Scalar &b);
inline Scalar ceilDiv(const Scalar &a, const Scalar &b) {
  return floorDiv(a + b - 1, b);
}
Scalar floorMod(const Scalar &a, const Scalar &b);
Scalar truncMod(const Scalar &a, const Scalar &b);
/// An integer divisor that ends the run with an error if it is 0.
Scalar divisor(const Scalar &b);

Scalar abs(const Scalar &x);
Scalar sign(const Scalar &x);
Scalar pow(const Scalar &x, const Scalar &exponent);
Scalar fmod(const Scalar &a, const Scalar &b);
Scalar atan2(const Scalar &a, const Scalar &b);
Scalar isNan(const Scalar &x);

/// Functions of floats only; other types are reported as an error of the model.
Scalar sqrt(const Scalar &x);
Scalar rsqrt(const Scalar &x);
Scalar exp(const Scalar &x);
Scalar log(const Scalar &x);
Scalar log1p(const Scalar &x);
Scalar tanh(const Scalar &x);
Scalar erf(const Scalar &x);
Scalar sin(const Scalar &x);
Scalar cos(const Scalar &x);
Scalar tan(const Scalar &x);
Scalar asin(const Scalar &x);
Scalar acos(const Scalar &x);
Scalar atan(const Scalar &x);
Scalar sinh(const Scalar &x);
Scalar cosh(const Scalar &x);
Scalar asinh(const Scalar &x);
Scalar acosh(const Scalar &x);
Scalar atanh(const Scalar &x);
Scalar floor(const Scalar &x);
Scalar ceil(const Scalar &x);
Scalar trunc(const Scalar &x);
/// Ties go to even.
Scalar roundEven(const Scalar &x);
inline Scalar sigmoid(const Scalar &x) { return 1.0 / (1.0 + exp(-x)); }

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_SCALAR_H
