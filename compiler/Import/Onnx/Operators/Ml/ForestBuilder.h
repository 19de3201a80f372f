// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decision trees on their way from a model's lists to the packed form that the
// runtime walks (runtime/library/Forest.h).
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_FORESTBUILDER_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_FORESTBUILDER_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "runtime/library/Forest.h"

namespace hone::onnx {

/// What a node of ai.onnx.ml asks, in the order of its modes.
enum class TreeTest { Leq, Lt, Gte, Gt, Eq, Neq, Member };

class ForestBuilder {
public:
  struct Node {
    TreeTest test;
    int64_t feature;
    double split;
    bool nanIsYes;   ///< else NaN answers what the comparison does
    int64_t no, yes; ///< places; -1: there is none
    llvm::SmallVector<double> members = {};
  };

  /// Nodes and leaves have places from 0 on, in the order in which they are
  /// added.
  void addNode(Node node) { entries.push_back({std::move(node), {}, false}); }
  void addLeaf() { entries.push_back({{}, {}, true}); }
  /// A vote of the leaf at a place, if one is there. `firstOnly`: unless it has
  /// one.
  void addVote(int64_t place, int64_t target, double weight, bool firstOnly);
  void addRoot(int64_t place) { roots.push_back(place); }
  /// Those that no node leads to.
  void addRoots();

  /// [rows of x, targets]: what the trees' leaves say of each row of x, a
  /// matrix of f32 or f64, in the type of x. Nodes that form no tree, or ask
  /// for features that x has not, are an error of the node.
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
