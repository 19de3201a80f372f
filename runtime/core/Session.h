// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session: one caller's memory and threads for running a model.
#ifndef HONE_RUNTIME_CORE_SESSION_H
#define HONE_RUNTIME_CORE_SESSION_H

#include "runtime/core/Arena.h"
#include "runtime/core/Profile.h"
#include "runtime/core/Status.h"

namespace hone {

struct Device;

/// HONE_PLACE_HOST and HONE_PLACE_DEVICE.
constexpr int32_t placeCount = 2;

/// What follows from one set of free dimensions.
struct DimsPlan {
  int64_t lastUse; ///< 0: empty
  int64_t serial;  ///< a number of its own, from 1
  int64_t *freeDims;
  int64_t *slotOffsets;
  int64_t *outputDims;
  int64_t arenaBytes[placeCount], lowerBoundBytes[placeCount];
};

/// How an output's value comes about.
enum class OutputState : uint8_t {
  Pending, ///< set by the host function
  Planned, ///< shape known before the run; data pointer set
  Caller,  ///< Pending, to be copied into the caller's buffer
  Done,
};

constexpr int32_t planCount = 4;

} // namespace hone

struct hone_session {
  hone_frame frame;
  const hone_descriptor *model;
  const hone_level *level;
  hone_allocator allocator;
  hone_pool pool;
  bool ownsPool, hasWeights;
  /// The pool serves this run.
  bool poolHeld;
  hone_kernel_context *contexts;

  /// The fixed tables below are cut from one piece of memory.
  hone::Region tables, scratch, arenas[hone::placeCount];
  /// Per thread: scratch for kernels whose need depends on dimensions, where it
  /// is more than the level's.
  hone::Region *grownScratch;
  hone::Blocks blocks;
  hone::DimsPlan plans[hone::planCount];
  hone::DimsPlan *plan;
  int64_t uses, plansMade;
  int64_t outputDimCount;
  int64_t *freeDims;
  uint8_t *freeDimsBound;
  int64_t *slotBytes;
  hone_value *inputs, *outputs;
  hone::OutputState *outputStates;
  /// For models with code for a device: kernels of the device and of the level
  /// in one table, and the device's addresses of inputs and outputs.
  hone_kernel_fn *kernels;
  hone::Device *device; ///< null: runs on the CPU
  bool recording;       ///< only work of the device can be noted now
  char deviceNote[512]; ///< why there is no device
  void **deviceInputs, **deviceOutputs;

  hone::Profile *profile;     ///< the one that is under way, or null
  hone::Profile *lastProfile; ///< that one, or one that was stopped
  hone::Region profileMemory;

  hone::Failure failure;
  char message[1024];
};

namespace hone {

int32_t createSession(const hone_descriptor *model,
                      const hone_session_options *options,
                      hone_session **session, char *message,
                      size_t messageBytes);
void destroySession(hone_session *session);
int32_t prepareSession(hone_session *session, const hone_value *inputs,
                       int32_t inputCount, int64_t *arenaBytes,
                       const int64_t **outputDims);
int32_t runSession(hone_session *session, const hone_value *inputs,
                   int32_t inputCount, hone_value *outputs,
                   int32_t outputCount);
int32_t allocateOnDevice(hone_session *session, int64_t bytes,
                         hone_device_memory *memory);
void sessionStats(const hone_session *session, hone_session_stats *stats);

/// Picks the kernel table: the named one, the one in HONE_CPU, or the last that
/// fits this processor. NULL after explaining why there is none.
const hone_level *chooseLevel(const hone_descriptor &model, const char *name,
                              Text &text);

/// Opens the device that is asked for, or that there is, for a model with code
/// for one, or notes why the session runs on the CPU; fills the table of
/// kernels. Needs level and tables.
int32_t chooseDevice(hone_session &session, int32_t option, Text &text);

/// Checks a call's inputs, copies them to `session.inputs` and binds the free
/// dimensions. `withData`: data pointers must be there too.
int32_t checkInputs(hone_session &session, const hone_value *inputs,
                    int32_t count, bool withData, Text &text);

/// Checks a call's outputs against the plan, and takes the caller's buffers.
int32_t bindOutputs(hone_session &session, const hone_value *outputs,
                    int32_t count, Text &text);

/// Gives memory of the session to each output that has no buffer and whose
/// shape is known.
int32_t placeOutputs(hone_session &session, Text &text);

} // namespace hone

#endif // HONE_RUNTIME_CORE_SESSION_H
