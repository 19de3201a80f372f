// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measured times in the page of `hone compile --report`.
#ifndef HONE_TOOLS_RUN_REPORTPAGE_H
#define HONE_TOOLS_RUN_REPORTPAGE_H

#include "hone/abi.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hone::run {

/// Reads the page, and writes it again.
class ReportPage {
public:
  /// Throws Failure if the file is no such page, or one of another library.
  ReportPage(const std::string &path, const std::string &library,
             const hone_descriptor &model);

  /// Replaces what was measured before. `bench` is what `hone bench --profile
  /// --json` prints.
  void write(const nlohmann::ordered_json &bench) const;

private:
  std::string path, before, after; ///< of the block
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_REPORTPAGE_H
