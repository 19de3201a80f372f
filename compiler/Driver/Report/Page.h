// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The page of `--report`: one file of HTML that needs no other.
#ifndef HONE_COMPILER_DRIVER_REPORT_PAGE_H
#define HONE_COMPILER_DRIVER_REPORT_PAGE_H

#include "llvm/Support/JSON.h"
#include <string>

namespace hone {

/// The page with this data, as of `reportJson`.
std::string reportPage(llvm::json::Object data);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_REPORT_PAGE_H
