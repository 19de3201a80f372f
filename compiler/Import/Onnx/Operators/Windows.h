// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes shared by convolution and pooling, and the convolution used by
// several operators.
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
  /// Padding only known at run time, from `auto_pad` with a stride over free
  /// dimensions: the low padding along each spatial dimension, and the total.
  /// Empty if all pads are known; otherwise `pads` are 0, and the windows are
  /// over the result of `padded`.
  Sizes runLow = {}, runTotal = {};

  /// Reads the attributes for an input [N, C, spatial..]; `auto_pad` is
  /// resolved into pads, except for operators that have none or give it another
  /// meaning. Nothing and an error of the node if they make no sense.
  static std::optional<Windows> parse(NodeBuilder &n, Val x,
                                      std::optional<Ints> kernel,
                                      bool resolvesAutoPad = true);

  /// Size along spatial dimension `i` of the (not yet padded) input. In ceil
  /// mode the last window may extend past the end, but not start there.
  Size outputSize(NodeBuilder &n, Size input, int64_t i, bool ceil) const;

  /// The input with the padding only known at run time, filled with `fill`.
  Val padded(NodeBuilder &n, Val x, double fill) const;

  int64_t extent(int64_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

/// The low part of an automatic padding: half, with an odd one above the input
/// for SAME_UPPER.
Size lowPad(NodeBuilder &n, Size total, bool upper);
/// Requires that a number of channels is a multiple of that of groups.
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
/// Spatial sizes of weights [OC, IC, kernel..], from the attribute or the type,
/// which `w` then has. Nothing if they are only known at run time, or with an
/// error of the node if the two differ.
std::optional<Ints> knownKernel(NodeBuilder &n, Val &w);
/// The same, with an error if they are only known at run time.
std::optional<Ints> kernelOf(NodeBuilder &n, Val &w);

/// The convolution in its widened type, for a formula that rounds it.
Val convOf(NodeBuilder &n, Val x, Val w, const Windows &windows);
/// The same with weights whose spatial sizes are only known at run time;
/// `attributes` are read for any kernel, with their `auto_pad` unresolved.
Val convOfColumns(NodeBuilder &n, Val x, Val w, const Windows &attributes);
Val convTransposeOfColumns(NodeBuilder &n, Val x, Val w,
                           const Windows &attributes, const Ints &outputPadding,
                           const std::optional<Ints> &outputShape);
/// Plain weights [OC, IC, kernel..] as [group, OC / group, IC * taps].
Val weightsOfGroups(NodeBuilder &n, Val w, int64_t group);
/// The elements under the windows of a convolution.
struct Columns {
  Size batch;
  ElementType elem;
  Size channels; ///< of a group
  Sizes kernel, positions;
};
/// The product of weights [group, outputs, channels * taps] with columns, as
/// [batch, channels, position..] in the widened type: the convolution whose
/// windows have the elements that `element` returns for the coordinates [batch,
/// group, channel, tap.., position..].
Val productOfColumns(NodeBuilder &n, Val weights, const Columns &columns,
                     llvm::function_ref<Scalar(ScalarBuilder &)> element);
/// y, plus a bias along dimension 1 if there is one, as `elem`.
Val addChannelBias(NodeBuilder &n, Val y, Val bias, ElementType elem);
/// A convolution by the node's attributes, plus a bias and a tensor, which may
/// be absent, with the activation fused into the node.
Val fusedConv(NodeBuilder &n, Val x, Val w, Val bias, Val added);
/// MatMul with its rules for vectors.
Val matmulOf(NodeBuilder &n, Val a, Val b);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_WINDOWS_H
