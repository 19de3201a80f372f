// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loaded model with the inputs from the command line.
#ifndef HONE_TOOLS_RUN_MODEL_H
#define HONE_TOOLS_RUN_MODEL_H

#include "hone/runtime.h"
#include "tools/command-line/Sizes.h"
#include "tools/hone-run/GivenFiles.h"
#include "tools/hone-run/Random.h"

#include <map>

namespace hone::run {

/// The command line.
struct Options {
  std::string model, symbol, outputDir;
  std::vector<std::string> inputs;  ///< as resolveFiles takes them
  GivenSizes sizes;                 ///< of random inputs
  std::vector<std::string> ranges;  ///< NAME=LOW..HIGH
  std::vector<std::string> expect;  ///< as resolveFiles takes them
  std::optional<double> rtol, atol; ///< nothing: by type
  std::string device; ///< a number or "cpu"; empty: the model chooses
  int threads = 0;
  const hone_pool *pool = nullptr; ///< null: the model's own
  double seconds = 3;
  int64_t runs = 0;              ///< to measure; 0: for `seconds`
  std::optional<int64_t> warmup; ///< runs; nothing: for some time
  int streams = 1;
  std::string compare; ///< another model; empty: none
  uint64_t seed = 0;
  bool random = false, json = false, verify = false, profile = false,
       kernels = false, print = false;
  std::string trace;  ///< file for a trace; empty: none
  std::string report; ///< page that gets the profile; empty: none
};

/// `text` as a single line without control characters: names come from models.
std::string shown(const std::string &text);

/// A pool that models share which are measured in turn: its threads spin for
/// some time after a run, which must not count for the other model.
struct SharedPool {
  /// `threads` 0: one per processor. Throws Failure.
  explicit SharedPool(int threads);
  ~SharedPool() { hone_pool_destroy(&pool); }
  SharedPool(const SharedPool &) = delete;
  hone_pool pool = {};
};

class Model {
public:
  /// Loads the library. Throws Failure, like everything here.
  explicit Model(const Options &options);
  ~Model();
  Model(const Model &) = delete;

  const hone_descriptor &descriptor() const {
    return *hone_library_descriptor(library);
  }
  /// Creates the session and sets all inputs: from files, or at random.
  void setInputs(const Options &options);
  /// Returns the arena's bytes for these inputs.
  int64_t prepare();
  void run();
  /// Reads the weights and compares their checksum.
  void verify();
  /// The free dimensions with their sizes; after setInputs.
  std::vector<std::pair<std::string, int64_t>> sizes() const;
  /// The free dimensions that nothing gives a size; after setInputs.
  std::vector<std::string> unsizedDims() const;
  hone_session_stats stats() const;
  /// Starts a profile of the following runs.
  void startProfile(int64_t events);
  hone_profile profile() const;
  const hone_value &output(int32_t index) const;

private:
  void check(int32_t status);
  void readInputs(const Options &options);
  void readSizes(const GivenSizes &sizes);
  void readShape(const std::string &name, const std::vector<int64_t> &shape);
  int32_t inputNamed(const std::string &name) const;
  void readRanges(const Options &options);
  hone_value randomValue(int32_t index, int32_t kind, uint64_t seed);
  hone_value readInput(const hone_value_info &info, const GivenParts &parts);

  std::string path;
  hone_library *library = nullptr;
  hone_runner *runner = nullptr;
  ValueStore store;                    ///< what input values point to
  std::map<int32_t, hone_value> given; ///< by the input's index
  std::map<int32_t, Range> ranges;     ///< as well
  std::map<int32_t, std::vector<int64_t>> shapes; ///< of random inputs
  std::vector<int64_t> freeDims;                  ///< -1: unknown
};

/// The dimensions of an input or output as text: "2", "batch", "?".
std::string dimText(const hone_descriptor &model, const hone_value_info &info,
                    int32_t dim);

/// "float[batch,384]", "sequence(float)"
std::string typeText(const hone_descriptor &model, const hone_value_info &info);

int runModel(const Options &options);
int benchModel(const Options &options);
int showInfo(const Options &options);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_MODEL_H
