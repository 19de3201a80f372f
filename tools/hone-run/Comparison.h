// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench --compare`: two models in turn.
#ifndef HONE_TOOLS_RUN_COMPARISON_H
#define HONE_TOOLS_RUN_COMPARISON_H

#include "tools/hone-run/Timing.h"

namespace hone::run {

/// The runs of two models in rounds: some of one, then about as long of the
/// other, alternately first, so that both meet the same load and clock.
class Comparison {
public:
  /// Loads the other model and measures both. `options` has the pool that they
  /// share.
  Comparison(Model &model, const Options &options);

  /// The runs of the model that is compared.
  const Measured &measured() const { return first; }
  nlohmann::ordered_json json();
  void print();

private:
  /// Whether one is slower with a confidence of 95 %.
  bool isClear() const {
    return ratio.hasInterval && (ratio.low > 1 || ratio.high < 1);
  }

  std::string otherPath;
  Measured first, second;
  int64_t rounds = 0;
  Median ratio; ///< of the medians in a round, the first model's above
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_COMPARISON_H
