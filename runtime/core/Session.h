// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session: one caller's memory and threads for running a model.
#ifndef HONE_RUNTIME_CORE_SESSION_H
#define HONE_RUNTIME_CORE_SESSION_H

#include "hone/custom.h"
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
  int64_t serial;  ///< unique, from 1
  int64_t *freeDims;
  int64_t *slotOffsets;
  int64_t *outputDims;
  int64_t arenaBytes[placeCount], lowerBoundBytes[placeCount];
};

/// How an output gets its value.
enum class OutputState : uint8_t {
  Pending, ///< set by the host function
  Planned, ///< shape known before the run; data pointer set
  Caller,  ///< Pending, to be copied to the caller's buffer
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
  /// Acquires the pool for this run.
  bool poolHeld;
  hone_kernel_context *contexts;

  /// The fixed tables below share one allocation.
  hone::Region tables, scratch, arenas[hone::placeCount];
  /// Per thread: scratch for kernels whose need depends on dimensions, if it
  /// exceeds the level's.
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
  /// For models with code for a device: the kernels of device and level in one
  /// table, and the device addresses of inputs and outputs.
  hone_kernel_fn *kernels;
  hone::Device *device; ///< null: runs on the CPU
  bool recording;       ///< the profile now records work of the device only
  char deviceNote[512]; ///< why there is no device
  void **deviceInputs, **deviceOutputs;

  hone::Profile *profile;     ///< the active one, or null
  hone::Profile *lastProfile; ///< the active one, or one that was stopped
  hone::Region profileMemory;

  const hone_custom_table *operators; ///< of the program; null if none

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

/// Chooses the kernel table: the named one, the one in HONE_CPU, or the last
/// that this processor supports. NULL after explaining why there is none.
const hone_level *chooseLevel(const hone_descriptor &model, const char *name,
                              Text &text);

/// Opens the requested device, or any, for a model with code for one, or
/// records why the session runs on the CPU; fills the table of kernels. Needs
/// level and tables.
int32_t chooseDevice(hone_session &session, int32_t option, Text &text);

/// Checks a call's inputs, copies them to `session.inputs` and binds the free
/// dimensions. `withData`: data pointers are required too.
int32_t checkInputs(hone_session &session, const hone_value *inputs,
                    int32_t count, bool withData, Text &text);

/// Checks a call's outputs against the plan, and adopts the caller's buffers.
int32_t bindOutputs(hone_session &session, const hone_value *outputs,
                    int32_t count, Text &text);

/// Allocates session memory for each output of known shape that has no buffer.
int32_t placeOutputs(hone_session &session, Text &text);

} // namespace hone

#endif // HONE_RUNTIME_CORE_SESSION_H
