// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone run --expect`: outputs beside the ones that files hold.
#ifndef HONE_TOOLS_RUN_EXPECTATIONS_H
#define HONE_TOOLS_RUN_EXPECTATIONS_H

#include "tools/hone-run/Elements.h"
#include "tools/hone-run/Outputs.h"

namespace hone::run {

/// Elements are equal up to atol + rtol * |expected|; integers and booleans up
/// to atol.
struct Tolerance {
  double relative, absolute;

  /// For elements of a type, where the command line does not say.
  static Tolerance of(int32_t type, const Options &options);
};

/// How a tensor differs from the expected one of the same type and dimensions.
struct Difference {
  int64_t count = 0;  ///< of elements that differ
  int64_t worst = -1; ///< the element that is furthest beyond the tolerance
  Number largest = 0; ///< the largest absolute difference of finite numbers
};

/// NaN is equal to NaN.
Difference differenceOf(const hone_tensor &actual, const hone_tensor &expected,
                        Tolerance tolerance);

/// The files of `--expect`. Throws Failure.
class Expectations {
public:
  Expectations(const Options &options, const hone_descriptor &model);

  /// Prints a line for each output. Returns how many are not as expected.
  int32_t compare(const std::vector<OutputTensor> &tensors);
  int32_t count() const { return int32_t(files.size()); }

private:
  bool compare(const hone_value_info &info, const GivenParts &parts,
               const std::vector<OutputTensor> &actual);

  const Options &options;
  const hone_descriptor &model;
  std::map<int32_t, GivenParts> files; ///< by the output's index
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_EXPECTATIONS_H
