// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes did and did not do for speed, as `--explain` tells it.
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

namespace hone {

/// The remarks of a compile, those of one kind together. Kernels are compiled
/// on several threads, and once for each CPU level: equal remarks on a node
/// count once.
class Explanation {
public:
  /// Takes in all remarks of a context from now on; this has to outlive it.
  /// Fails where the context cannot keep remarks.
  llvm::LogicalResult listen(mlir::MLIRContext &context);

  /// What is slow, then what was left as it was, then what was done; of each
  /// the most work first.
  void print(llvm::raw_ostream &os) const;

private:
  struct Listener;
  struct Group {
    std::set<std::string> nodes; ///< "": what the compiler made
    int64_t work = 0;            ///< of all nodes
  };
  enum class Kind { Slow, Left, Done };
  /// The pass, and the reason or what was done.
  using Key = std::tuple<Kind, std::string, std::string>;

  std::mutex mutex;
  std::map<Key, Group> groups;
};

} // namespace hone

#endif // HONE_COMPILER_DRIVER_EXPLANATION_H
