// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiled model in this process, as seen by Python.
#ifndef HONE_PYTHON_MODEL_H
#define HONE_PYTHON_MODEL_H

#include "hone/custom.h"
#include "hone/runtime.h"

#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace hone::python {

/// An opened model library. Each thread that runs it gets a session of its own,
/// and idle sessions are kept for the next run.
class Model : public std::enable_shared_from_this<Model> {
public:
  /// Throws RunError if the library cannot be opened or used here. `threads` of
  /// 0 is one per processor; an empty `level` lets the model choose, and so
  /// does `device` 0 (hone_session_options). `verify`: checks the weights.
  /// `operators` outlive the model.
  Model(const std::string &path, const std::string &symbol, int threads,
        const std::string &level, int device, bool verify,
        const hone_custom_table *operators);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  /// `onDevice`: names of the outputs that should stay on the device, None for
  /// all that can. `out`: arrays and tensors that outputs are written to.
  nanobind::dict run(nanobind::dict feeds, nanobind::object onDevice,
                     nanobind::dict out);
  /// A run to be done later: names and inputs as for `run`, and copies of what
  /// lies in host memory.
  struct Call;
  std::shared_ptr<Call> prepare(nanobind::dict feeds,
                                nanobind::object onDevice);
  nanobind::dict run(Call &call);
  const hone_descriptor &descriptor() const { return *model; }
  nanobind::dict stats();
  /// Name, nodes, arithmetic and FLOP of each kernel of the level in use.
  nanobind::list kernels();
  /// Profiles this many runs with these inputs, after an unprofiled one;
  /// `events`: room for the activity of each thread. Returns everything
  /// recorded, as the package takes it.
  nanobind::dict profile(nanobind::dict feeds, int runs, int64_t events);

private:
  hone_session *takeSession();
  void giveSession(hone_session *session);
  void readInputs(nanobind::dict feeds, Call &call);
  void readOutputs(nanobind::object onDevice, nanobind::dict out, Call &call);
  void profileSession(hone_session *session, Call &call, int runs,
                      int64_t events, nanobind::dict &result);
  void runSession(hone_session *session, Call &call);
  void placeOutput(hone_session *session, Call &call, int32_t number,
                   const int64_t *dims);

  hone_library *library = nullptr;
  const hone_descriptor *model = nullptr;
  int threads;
  std::string level;
  int device;
  const hone_custom_table *operators;
  int64_t deviceNumber; ///< -1: runs on the CPU
  std::mutex mutex;
  std::vector<hone_session *> idle;
};

} // namespace hone::python

#endif // HONE_PYTHON_MODEL_H
