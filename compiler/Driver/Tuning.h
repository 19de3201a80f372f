// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules that were measured: read from tuning files, and listed for those
// who measure.
#ifndef HONE_COMPILER_DRIVER_TUNING_H
#define HONE_COMPILER_DRIVER_TUNING_H

#include "dialects/Graph/Graph.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace hone {

/// The entries of tuning files: JSON that `hone tune` writes, see
/// tools/hone-tune/README.md.
class Tuning {
public:
  explicit Tuning(mlir::MLIRContext &context) : context(context) {}

  /// Adds the entries of a file. Of two for one kernel and machine the one with
  /// the larger gain stays. The error of a file that is damaged or of another
  /// kind names it.
  llvm::Error read(const std::string &path);

  /// Whether there is an entry for one of these machines (`#hone_machine.cpu`).
  bool hasMachine(llvm::ArrayRef<mlir::Attribute> machines) const;
  /// The machines that there are entries for, as text.
  std::string describeMachines() const;

  /// Hands the entries for these machines to the kernels of a model, which look
  /// for their own (`hone-apply-tuning`).
  void attach(mlir::ModuleOp model,
              llvm::ArrayRef<mlir::Attribute> machines) const;

private:
  class Reader;
  struct Entry {
    mlir::ArrayAttr schedules;
    double gain = 1; ///< time before by time after
    int64_t runs = 0;
  };
  using Kernels = std::map<std::string, Entry>;

  mlir::MLIRContext &context;
  std::map<std::string, Kernels> machines; ///< by their text
};

/// JSON that lists the kernels with schedules, and of each of their operations
/// the schedule, and those with another tile or with other blocks that could be
/// measured in its place. `kernels` are modules of one kernel each at the end
/// of the linalg phase, of this machine.
std::string listSchedules(llvm::ArrayRef<mlir::ModuleOp> kernels,
                          mlir::Attribute machine);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_TUNING_H
