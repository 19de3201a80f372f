// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Messages and progress of a compilation, on a terminal or in a log.
#ifndef HONE_TOOLS_HONE_TERMINAL_H
#define HONE_TOOLS_HONE_TERMINAL_H

#include <string>

namespace hone {

/// A permanent line on standard error.
void showMessage(const std::string &text);
/// A line that the next one replaces; only on terminals, and for long
/// compilations.
void showProgress(const std::string &what, double fraction);
void endProgress();

} // namespace hone

#endif // HONE_TOOLS_HONE_TERMINAL_H
