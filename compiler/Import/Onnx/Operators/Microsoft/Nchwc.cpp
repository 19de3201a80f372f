// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// com.microsoft.nchwc: what ONNX Runtime saves for its own convolutions. Its
// tensors declare [N, C, H, W], with C a multiple of a block, and are stored as
// [N, C / block, H, W, block]. Inside Hone they are as declared; only the
// weights of the file have to be reordered.
#include "compiler/Import/Onnx/Operators/Microsoft/Nchwc.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

using namespace mlir;
using namespace hone::onnx;

static constexpr StringLiteral kDomain = "com.microsoft.nchwc";

namespace {

/// Follows the channels of blocked tensors through a graph whose nodes are in
/// order.
struct BlockFinder {
  NchwcBlock result;
  /// Weights and biases, and channels of blocked tensors.
  llvm::StringMap<const Tensor *> weights;
  llvm::StringMap<int64_t> channels;

  void exclude(bool is8, bool is16) {
    result.maybe8 &= !is8;
    result.maybe16 &= !is16;
  }

  static StringRef input(const Node &node, size_t i) {
    return i < node.inputs.size() ? node.inputs[i] : StringRef();
  }

  /// Whether all of `count` floats from index `from` on are 0.
  static bool isZero(const Tensor &t, int64_t from, int64_t count) {
    return t.data.substr(from * 4, count * 4).find_first_not_of('\0') ==
           StringRef::npos;
  }

  /// Whether the last 8 output channels are padding in blocks of 16, as where
  /// there are 8 or fewer of a last 16. In blocks of 8 they would not exist,
  /// and such values would be weights that are 0 for every second input
  /// channel.
  bool isPadded(const Tensor &w, const Tensor *bias) {
    int64_t out = w.dims[0], in = w.dims[1];
    int64_t count = elementCount(w.dims);
    if (w.type != ElementType::Float || out < 16 || out % 16 != 0 || in < 16 ||
        in % 16 != 0 || count < 1 ||
        static_cast<int64_t>(w.data.size()) / 4 != count)
      return false;
    if (bias && (bias->type != ElementType::Float ||
                 bias->data.size() / 4 != static_cast<size_t>(out) ||
                 !isZero(*bias, out - 8, 8)))
      return false;
    int64_t last = count - count / (out / 16);
    bool some = false;
    for (int64_t i = last; i < count; i += 16) {
      if (!isZero(w, i + 8, 8))
        return false;
      some |= !isZero(w, i, 8);
    }
    return some;
  }

  void visitConv(const Node &node) {
    auto it = weights.find(input(node, 1));
    if (it == weights.end() || node.outputs.empty() ||
        it->second->dims.size() != 4)
      return;
    const Tensor &w = *it->second;
    int64_t out = w.dims[0], in = w.dims[1];
    auto bias = weights.find(input(node, 2));
    if (isPadded(w, bias == weights.end() ? nullptr : bias->second))
      exclude(/*is8=*/true, /*is16=*/false);
    exclude(out % 8 != 0, out % 16 != 0);
    // Fewer channels than a block has are not blocked.
    exclude(in > 8 && in % 8 != 0, in > 16 && in % 16 != 0);
    channels[node.outputs[0]] = out;
  }

  void visitReorderOutput(const Node &node) {
    auto it = channels.find(input(node, 0));
    if (it == channels.end())
      return;
    for (const AttributeProto &a : node.attributes)
      if (a.name == "channels" && a.i > 0 && a.i <= it->second)
        exclude(it->second - a.i >= 8 || it->second % 8 != 0,
                it->second - a.i >= 16 || it->second % 16 != 0);
  }

  void visit(const Graph &graph) {
    for (const Tensor &t : graph.initializers)
      weights[t.name] = &t;
    static const llvm::StringSet<> keeping = {"MaxPool",
                                              "AveragePool",
                                              "Upsample",
                                              "GlobalMaxPool",
                                              "GlobalAveragePool",
                                              "Relu",
                                              "Sigmoid",
                                              "Tanh",
                                              "Add",
                                              "Sum",
                                              "Mul",
                                              "HardSigmoid",
                                              "LeakyRelu",
                                              "Clip"};
    for (const Node &node : graph.nodes) {
      bool own = node.domain == kDomain;
      result.used |= own;
      if (own && node.opType == "Conv")
        visitConv(node);
      else if (own && node.opType == "ReorderOutput")
        visitReorderOutput(node);
      else if (auto it = channels.find(input(node, 0));
               it != channels.end() && keeping.contains(node.opType) &&
               !node.outputs.empty())
        channels[node.outputs[0]] = int64_t(it->second);
      for (const AttributeProto &a : node.attributes)
        for (const Graph &body : a.graphs)
          visit(body);
    }
  }
};

/// Channels of a block; 0 after an error.
int64_t blockOf(NodeBuilder &n) {
  std::string problem;
  int64_t block = n.importer.nchwcBlock(problem);
  if (block == 0)
    n.fail(problem);
  return block;
}

bool isImage(NodeBuilder &n, Val x) {
  if (x.rank() == 4 && x.elem == ElementType::Float)
    return true;
  n.fail("takes a float tensor of 4 dimensions");
  return false;
}

/// Weights [O, I, H, W] from their stored order: output channels in blocks and,
/// except for those of a plain or a depthwise convolution, input channels too.
Val orderedWeights(NodeBuilder &n, Val w, int64_t block) {
  if (!w.isStatic() || w.rank() != 4 || w.elem != ElementType::Float) {
    n.fail("needs float weights of 4 dimensions whose sizes are known");
    return w;
  }
  Ints own(w.shape());
  bool blocked = own[1] >= block;
  if (own[0] % block != 0 || (blocked && own[1] % block != 0)) {
    n.fail("has weights of " + Twine(own[0]) + " by " + Twine(own[1]) +
           " channels for blocks of " + Twine(block));
    return w;
  }
  int64_t inner = blocked ? block : 1;
  Val lying = n.reshape(w, n.sizes({own[0] / block, own[1] / inner, own[2],
                                    own[3], inner, block}));
  return n.reshape(n.transpose(lying, {0, 5, 1, 4, 2, 3}), n.sizes(own));
}

LogicalResult importConv(NodeBuilder &n) {
  int64_t block = blockOf(n);
  if (block == 0 || !isImage(n, n.in(0)))
    return failure();
  Val w = orderedWeights(n, n.in(1), block);
  if (n.failed())
    return failure();
  Val y = fusedConv(n, n.in(0), w, n.in(2), n.in(3));
  return n.failed() ? failure() : n.out(y);
}

LogicalResult importReorderInput(NodeBuilder &n) {
  int64_t block = blockOf(n);
  Val x = n.in(0);
  if (block == 0 || !isImage(n, x))
    return failure();
  if (n.intAttr("channels_last"))
    x = channelsFirst(n, x);
  Sizes sizes = n.dims(x), low(4, n.index(0));
  Size padded = n.mul(n.ceilDiv(sizes[1], n.index(block)), block);
  if (n.same(padded, sizes[1]))
    return n.out(x);
  sizes[1] = padded;
  return n.out(n.padAtRun(x, low, sizes, [&](ScalarBuilder &s) {
    return s.constant(x.type().getElementType(), 0).value;
  }));
}

LogicalResult importReorderOutput(NodeBuilder &n) {
  int64_t block = blockOf(n), channels = n.intAttr("channels");
  Val x = n.in(0);
  if (block == 0 || !isImage(n, x))
    return failure();
  if (channels < 1 || channels > INT32_MAX)
    return n.error("needs the number of channels");
  ScalarBuilder &s = n.host();
  int64_t padded = (channels + block - 1) / block * block;
  if (!n.require(eq(s.size(n.dim(x, 1)), static_cast<double>(padded)),
                 "the channels fill their blocks"))
    return failure();
  Val y = n.sliceAxis(x, 1, n.index(0), n.index(channels));
  return n.out(n.intAttr("channels_last") ? channelsLast(n, y) : y);
}

LogicalResult importPool(NodeBuilder &n, Val (*pool)(NodeBuilder &, Val)) {
  if (!isImage(n, n.in(0)))
    return failure();
  Val y = pool(n, n.in(0));
  return n.failed() ? failure() : n.out(y);
}

} // namespace

NchwcBlock hone::onnx::findNchwcBlock(const Graph &graph) {
  BlockFinder finder;
  finder.visit(graph);
  return finder.result;
}

void hone::onnx::addNchwc(OpTable &table) {
  table.setDomain(kDomain);
  table.add("Conv", importConv, 2, 4);
  table.add("ReorderInput", importReorderInput, 1);
  table.add("ReorderOutput", importReorderOutput, 1);
  table.add(
      "MaxPool", [](NodeBuilder &n) { return importPool(n, maxPool); }, 1);
  table.add(
      "AveragePool", [](NodeBuilder &n) { return importPool(n, averagePool); },
      1);
  table.add(
      "GlobalMaxPool",
      [](NodeBuilder &n) {
        return importPool(n, [](NodeBuilder &b, Val x) {
          return b.reduce(graph::ReduceKind::Max, x, {2, 3}, true);
        });
      },
      1);
  table.add(
      "GlobalAveragePool",
      [](NodeBuilder &n) {
        return importPool(n, [](NodeBuilder &b, Val x) {
          return b.mean(x, {2, 3}, /*keepdims=*/true);
        });
      },
      1);
  table.setDomain("");
}
