// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes did and did not do for speed, for `--explain` and `--report`.
#ifndef HONE_COMPILER_DRIVER_EXPLANATION_H
#define HONE_COMPILER_DRIVER_EXPLANATION_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace hone {

/// What a pass says about some nodes.
struct PassRemark {
  enum Kind { Slow, Left, Done };
  /// A node, "node 'x' (Gather)" or "" if the compiler generated it, and the
  /// one whose result it takes, or "".
  using Node = std::pair<std::string, std::string>;

  Kind kind;
  std::string pass, text; ///< the reason, or what was done
  std::set<Node> nodes;
  int64_t work; ///< of all nodes
};

/// The remarks of a compilation, grouped by kind. Kernels are compiled on
/// several threads, and once for each CPU level: equal remarks on a node count
/// once.
class Explanation {
public:
  /// Collects all remarks of a context from now on; must outlive it. Fails if
  /// the context cannot keep remarks.
  llvm::LogicalResult listen(mlir::MLIRContext &context);

  /// What is slow, then what was left unchanged, then what was done; within
  /// each, the most work first.
  std::vector<PassRemark> remarks() const;
  /// The same as text.
  void print(llvm::raw_ostream &os) const;

private:
  struct Listener;
  struct Group {
    std::set<PassRemark::Node> nodes;
    int64_t work = 0;
  };
  /// The pass, and the text.
  using Key = std::tuple<PassRemark::Kind, std::string, std::string>;

  mutable std::mutex mutex;
  std::map<Key, Group> groups;
};

} // namespace hone

#endif // HONE_COMPILER_DRIVER_EXPLANATION_H
