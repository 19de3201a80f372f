// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A worker's reports to its caller, besides its messages, which are the lines
// of its standard error.
#ifndef HONE_COMPILER_WORKER_REPORT_H
#define HONE_COMPILER_WORKER_REPORT_H

namespace hone {

/// A report is one of these letters, its text, and a NUL.
enum class Report : char {
  Progress = 'P', ///< "FRACTION WHAT": the part of the whole that is done
  Folder = 'F',   ///< path of another folder to remove if the worker cannot
  End = 'E',      ///< the exit code, in digits
};

/// Open in a worker that is started with --worker-report.
constexpr int kReportFile = 3;
/// Holds the model of a worker that is started with --worker-model.
constexpr int kModelFile = 4;

} // namespace hone

#endif // HONE_COMPILER_WORKER_REPORT_H
