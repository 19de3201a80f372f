// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measured schedules: read from tuning files, and listed for measuring.
#ifndef HONE_COMPILER_DRIVER_TUNING_H
#define HONE_COMPILER_DRIVER_TUNING_H

#include "dialects/Graph/Graph.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <map>
#include <string>

namespace hone {

/// The entries of tuning files: JSON that `hone tune` writes, see
/// tools/hone-tune/README.md.
class Tuning {
public:
  explicit Tuning(mlir::MLIRContext &context) : context(context) {}

  /// Adds the entries of a file. Of two for one kernel and machine the one with
  /// the larger gain wins. The error for a file that is damaged or of another
  /// kind names it.
  llvm::Error read(const std::string &path);

  /// Whether there is an entry for one of these machines (`#hone_machine.cpu`).
  bool hasMachine(llvm::ArrayRef<mlir::Attribute> machines) const;
  /// In what the machine with entries that is nearest to one of these differs
  /// from it, as text; empty if no machine has entries.
  std::string describeNearest(llvm::ArrayRef<mlir::Attribute> machines) const;

  /// Attaches the entries for these machines to the kernels of a model, which
  /// look up their own (`hone-apply-tuning`).
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

/// A schedule as in tuning files.
llvm::json::Object toJson(graph::ScheduleAttr schedule);

/// JSON that lists the kernels with schedules, and for each of their operations
/// its schedule and alternatives with another tile or other blocks that could
/// be measured. `kernels` are modules of one kernel each at the end of the
/// linalg phase, for this machine.
std::string listSchedules(llvm::ArrayRef<mlir::ModuleOp> kernels,
                          mlir::Attribute machine);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_TUNING_H
