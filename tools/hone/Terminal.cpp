// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Messages and progress of a compilation, on a terminal or in a log.
#include "tools/hone/Terminal.h"
#include <chrono>
#include <cstdio>
#include <unistd.h>

using Seconds = std::chrono::duration<double>;

static bool isTerminal() {
  static const bool is = isatty(STDERR_FILENO);
  return is;
}

void hone::showMessage(const std::string &text) {
  std::fprintf(stderr, "%s%s\n", isTerminal() ? "\r\033[K" : "", text.c_str());
}

void hone::showProgress(const std::string &what, double fraction) {
  static const auto begin = std::chrono::steady_clock::now();
  static double shown = 1;
  double seconds = Seconds(std::chrono::steady_clock::now() - begin).count();
  if (!isTerminal() || seconds - shown < 1)
    return;
  shown = seconds;
  std::fprintf(stderr, "\r\033[K%3.0f %%, %.0f s left: %s", fraction * 100,
               fraction > 0.05 ? seconds / fraction - seconds : 0,
               what.c_str());
}

void hone::endProgress() {
  if (isTerminal())
    std::fputs("\r\033[K", stderr);
}
