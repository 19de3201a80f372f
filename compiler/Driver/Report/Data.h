// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the page of `--report` tells, as JSON.
#ifndef HONE_COMPILER_DRIVER_REPORT_DATA_H
#define HONE_COMPILER_DRIVER_REPORT_DATA_H

#include "compiler/Driver/CompileKernels.h"
#include "compiler/Driver/Report/RunGraph.h"
#include "compiler/Target/ModelInfo.h"
#include "llvm/Support/JSON.h"

namespace hone {

/// Kept from the phases that know it until the page is written: by then there
/// is no IR.
struct ReportData {
  RunGraph graph;
  std::vector<std::string> opsets;
  std::vector<llvm::json::Array> code; ///< of each kernel, by variant
  std::string library; ///< as libraryName says; empty: it is none

  /// After the plan.
  void readPlan(mlir::ModuleOp host);
  /// After the kernels of `info` were compiled.
  void readCode(const KernelsResult &kernels, const ModelInfo &info);
};

/// All of it. Texts of the model are valid UTF-8, and cut where they are very
/// long.
llvm::json::Object reportJson(const CompileOptions &options,
                              const CompileStats &stats, const ModelInfo &info,
                              llvm::ArrayRef<PassRemark> remarks,
                              ReportData data);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_REPORT_DATA_H
