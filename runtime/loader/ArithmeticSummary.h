// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How much of a model's work its kernels do in which arithmetic, as text: for
// tools, which have the standard library.
#ifndef HONE_RUNTIME_LOADER_ARITHMETICSUMMARY_H
#define HONE_RUNTIME_LOADER_ARITHMETICSUMMARY_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace hone {

class ArithmeticSummary {
public:
  /// A step that launches a kernel. `flop` is -1 if only a run knows.
  void add(int64_t kernel, const std::string &arithmetic, int64_t flop) {
    auto part =
        std::find_if(parts.begin(), parts.end(), [&](const Part &other) {
          return other.arithmetic == arithmetic;
        });
    if (part == parts.end())
      part = parts.insert(part, {arithmetic, {}, 0});
    part->kernels.insert(kernel);
    part->flop += double(flop);
    total += double(flop);
    isKnown &= flop >= 0;
  }

  /// "fma f32 x f32 -> f32: 98.7 % of FLOP in 3 kernels; f32: 1.3 % in 4; none
  /// in 2", or the kernels alone where the FLOP are not known.
  std::string text() const {
    std::vector<const Part *> sorted;
    for (const Part &part : parts)
      sorted.push_back(&part);
    std::stable_sort(
        sorted.begin(), sorted.end(), [&](const Part *a, const Part *b) {
          return hasShares() ? a->flop > b->flop
                             : a->kernels.size() > b->kernels.size();
        });
    std::string all;
    const char *ofFlop = " of FLOP";
    bool isFirst = true;
    for (const Part *part : sorted) {
      if (!all.empty())
        all += "; ";
      all += part->arithmetic.empty() ? "none" : part->arithmetic;
      if (hasShares() && part->flop > 0) {
        char share[32];
        snprintf(share, sizeof(share), ": %.1f %%", 100 * part->flop / total);
        all += std::string(share) + ofFlop;
        ofFlop = "";
      }
      size_t count = part->kernels.size();
      all += " in " + std::to_string(count);
      if (isFirst)
        all += count == 1 ? " kernel" : " kernels";
      isFirst = false;
    }
    return all;
  }

private:
  struct Part {
    std::string arithmetic;
    std::set<int64_t> kernels;
    double flop;
  };

  bool hasShares() const { return isKnown && total > 0; }

  std::vector<Part> parts;
  double total = 0;
  bool isKnown = true;
};

} // namespace hone

#endif // HONE_RUNTIME_LOADER_ARITHMETICSUMMARY_H
