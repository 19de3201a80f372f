// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decision trees, from a model's lists to the packed form that the runtime
// walks (runtime/library/Forest.h).
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_FORESTBUILDER_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_FORESTBUILDER_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "runtime/library/Forest.h"

namespace hone::onnx {

/// A node's test in ai.onnx.ml, in the order of its modes.
enum class TreeTest { Leq, Lt, Gte, Gt, Eq, Neq, Member };

class ForestBuilder {
public:
  struct Node {
    TreeTest test;
    int64_t feature;
    double split;
    bool nanIsYes;   ///< otherwise NaN is compared as usual
    int64_t no, yes; ///< positions; -1: none
    llvm::SmallVector<double> members = {};
  };

  /// Nodes and leaves have positions from 0 on, in the order in which they are
  /// added.
  void addNode(Node node) { entries.push_back({std::move(node), {}, false}); }
  void addLeaf() { entries.push_back({{}, {}, true}); }
  /// A vote of the leaf at a position, if there is a leaf. `firstOnly`: unless
  /// it has one.
  void addVote(int64_t place, int64_t target, double weight, bool firstOnly);
  void addRoot(int64_t place) { roots.push_back(place); }
  /// Nodes without parents.
  void addRoots();

  /// [rows of x, targets]: the trees' votes for each row of x, a matrix of f32
  /// or f64, in the type of x. Nodes that do not form a tree, or test features
  /// that x does not have, are an error of the node.
  std::optional<Val> build(NodeBuilder &n, Val x, int64_t targets,
                           ForestAggregate aggregate);

private:
  struct Vote {
    int64_t target;
    double weight;
  };
  struct Entry {
    Node node;
    llvm::SmallVector<Vote, 1> votes;
    bool isLeaf;
  };
  template <typename T> struct Packed;

  bool check(NodeBuilder &n, int64_t features);
  void normalize(Node &node, bool isDouble);
  void expandSet(int64_t place);
  void mergeEqualTests();
  llvm::SmallVector<int64_t> order() const;
  std::vector<int32_t> depths() const;
  template <typename T> Packed<T> pack(int64_t targets) const;
  template <typename T>
  Val call(NodeBuilder &n, Val x, int64_t targets, ForestAggregate aggregate);

  bool ownRoots = false; ///< roots were found, not given
  std::vector<Entry> entries;
  llvm::SmallVector<int64_t> roots;
};

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_FORESTBUILDER_H
