// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes that convolution and pooling share, and the convolution that
// several operators are made of.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_WINDOWS_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_WINDOWS_H

#include "compiler/Import/Onnx/Builder/OpTable.h"

#include <cmath>

namespace hone::onnx {

/// Windows over the spatial dimensions: one entry per dimension, of pads all
/// low ones and then all high ones.
struct Windows {
  Ints kernel, strides, dilations, pads;
  int64_t group = 1;
  /// Padding that only the run knows, of `auto_pad` with a stride over free
  /// dimensions: what lies below the input along each spatial dimension, and
  /// all of it. Empty where all pads are known; else `pads` are 0, and the
  /// windows lie over what `padded` gives.
  Sizes runLow = {}, runTotal = {};

  /// Reads the attributes for an input [N, C, spatial..]; `auto_pad` is
  /// resolved into pads, but for operators that have none or give it another
  /// meaning. Nothing and an error of the node where they make no sense.
  static std::optional<Windows> parse(NodeBuilder &n, Val x,
                                      std::optional<Ints> kernel,
                                      bool resolvesAutoPad = true);

  /// Size along spatial dimension `i` of the (not yet padded) input. In ceil
  /// mode the last window may reach over the end, but not start there.
  Size outputSize(NodeBuilder &n, Size input, int64_t i, bool ceil) const;

  /// The input with the padding that only the run knows, which is `fill`.
  Val padded(NodeBuilder &n, Val x, double fill) const;

  int64_t extent(int64_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

/// What of an automatic padding lies below: half, and what is odd above the
/// input for SAME_UPPER.
Size lowPad(NodeBuilder &n, Size total, bool upper);
/// Requires that a number of channels is a multiple of the groups'.
void requireMultiple(NodeBuilder &n, Size channels, int64_t groups,
                     llvm::StringRef what);
/// [N, spatial.., C] as [N, C, spatial..], and back.
Val channelsFirst(NodeBuilder &n, Val x);
Val channelsLast(NodeBuilder &n, Val x);
/// Pools over windows that the node's attributes describe.
Val averagePool(NodeBuilder &n, Val x);
Val maxPool(NodeBuilder &n, Val x);
/// Dimensions from the third on.
Ints spatialAxes(Val x);
/// Spatial sizes of weights [OC, IC, kernel..], from the attribute or the type;
/// `w` has them then. Nothing where only the run knows them, or with an error
/// of the node where the two differ.
std::optional<Ints> knownKernel(NodeBuilder &n, Val &w);
/// The same, where it is an error that only the run knows them.
std::optional<Ints> kernelOf(NodeBuilder &n, Val &w);

/// The convolution in its widened type, for a formula that rounds it.
Val convOf(NodeBuilder &n, Val x, Val w, const Windows &windows);
/// The same with weights whose spatial sizes only the run knows; `attributes`
/// are read for any kernel, with their `auto_pad` unresolved.
Val convOfColumns(NodeBuilder &n, Val x, Val w, const Windows &attributes);
Val convTransposeOfColumns(NodeBuilder &n, Val x, Val w,
                           const Windows &attributes, const Ints &outputPadding,
                           const std::optional<Ints> &outputShape);
/// Plain weights [OC, IC, kernel..] as [group, OC / group, IC * taps].
Val weightsOfGroups(NodeBuilder &n, Val w, int64_t group);
/// What lies under the windows of a convolution.
struct Columns {
  Size batch;
  ElementType elem;
  Size channels; ///< of a group
  Sizes kernel, positions;
};
/// The product of weights [group, outputs, channels * taps] with columns, as
/// [batch, channels, position..] in the widened type: the convolution whose
/// windows have the elements that `element` gives for the coordinates [batch,
/// group, channel, tap.., position..].
Val productOfColumns(NodeBuilder &n, Val weights, const Columns &columns,
                     llvm::function_ref<Scalar(ScalarBuilder &)> element);
/// y, plus a bias along dimension 1 if there is one, as `elem`.
Val addChannelBias(NodeBuilder &n, Val y, Val bias, ElementType elem);
/// A convolution by the node's attributes, plus a bias and a tensor, which may
/// be absent, with the activation that is fused into the node.
Val fusedConv(NodeBuilder &n, Val x, Val w, Val bias, Val added);
/// MatMul with its rules for vectors.
Val matmulOf(NodeBuilder &n, Val a, Val b);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_WINDOWS_H
