// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The blocks of JSON in the page of `hone compile --report`: the compiler
// writes them, and `hone bench --report` replaces the second. For tools, which
// have the standard library.
#ifndef HONE_RUNTIME_LOADER_REPORTBLOCKS_H
#define HONE_RUNTIME_LOADER_REPORTBLOCKS_H

#include <cstdint>
#include <string>
#include <string_view>

namespace hone {

/// The place of the blocks in the page's source.
inline constexpr char kReportBlocks[] = "<!-- data -->";
/// What the compiler knows, and the measured times: null before.
inline constexpr char kReportDataBegin[] =
    "<script type=\"application/json\" id=\"data\">";
inline constexpr char kReportProfileBegin[] =
    "<script type=\"application/json\" id=\"profile\">";
inline constexpr char kReportBlockEnd[] = "</script>\n";

/// A library in the page, by the checksum of its seal: JSON's numbers have
/// fewer bits.
inline std::string libraryName(uint64_t checksum) {
  return std::to_string(checksum);
}

/// JSON that HTML takes for no tag, whatever its strings are.
inline std::string escapedForPage(std::string_view json) {
  std::string text;
  for (char c : json)
    if (c == '<') // inside of strings only
      text += "\\u003c";
    else
      text += c;
  return text;
}

} // namespace hone

#endif // HONE_RUNTIME_LOADER_REPORTBLOCKS_H
