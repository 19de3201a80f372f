// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The page of `--report`: the build embeds its text (page/), and the data is a
// block inside.
#include "compiler/Driver/Report/Page.h"
#include "runtime/loader/ReportBlocks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace hone;
using llvm::StringRef;

extern "C" {
extern const char _binary_report_html_start[];
extern const char _binary_report_html_end[];
}

std::string hone::reportPage(llvm::json::Object data) {
  std::string text = llvm::formatv("{0}", llvm::json::Value(std::move(data)));
  StringRef page(_binary_report_html_start,
                 _binary_report_html_end - _binary_report_html_start);
  auto [before, after] = page.split(kReportBlocks);
  return (before + kReportDataBegin + escapedForPage(text) + kReportBlockEnd +
          kReportProfileBegin + "null" + kReportBlockEnd + after)
      .str();
}
