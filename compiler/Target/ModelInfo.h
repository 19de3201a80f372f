// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The contents of a compiled model's descriptor, before it is laid out.
#ifndef HONE_COMPILER_TARGET_MODELINFO_H
#define HONE_COMPILER_TARGET_MODELINFO_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone {

struct ValueInfo {
  std::string name;
  std::vector<int64_t> dims;         ///< as in hone_value_info
  std::vector<std::string> dimNames; ///< "" if there is none
  int32_t kind = 1, type = 0, rank = 0, elementKind = 0, keyType = 0;
  bool dataDependent =
      false; ///< an output whose shape is not determined by the free dimensions
  int32_t places = 1;                   ///< as in hone_value_info
  std::optional<int64_t> defaultOffset; ///< of an input with a default
  std::vector<int64_t> defaultDims;
};

/// Sums of terms: the factor of each, then positions in a launch's dims. Empty
/// if unknown.
using WorkTerms = std::optional<std::vector<std::vector<int64_t>>>;

struct KernelInfo {
  std::string name;
  int64_t pieces = 1;
  WorkTerms flop, bytes; ///< of one launch
  bool onCpu = false;    ///< the CPU levels have code for it
};

struct NodeInfo {
  std::string name, op;
};

/// As in hone_step.
struct StepInfo {
  std::string name;
  int32_t kind = 0, kernel = -1;
  std::vector<uint32_t> nodes;
};

struct SlotInfo {
  int32_t first, last;
  int64_t bytes, offset;
  int32_t place = 0, alignment = 64; ///< as in hone_slot
};

/// Sizes of one place's arena.
struct ArenaInfo {
  int64_t bytes = -1, lowerBoundBytes = -1; ///< -1: the runtime plans
};

/// Code of one kernel for one chip. It has all functions of the kernel.
struct ImageInfo {
  std::string chip;
  std::string symbol; ///< of the bytes, in the module or linked
  int64_t bytes = 0;
  int32_t kind = 0; ///< HONE_IMAGE_*
};

/// A kernel on a device.
struct DeviceKernelInfo {
  std::string stub; ///< symbol of its stub; "" if the CPU runs it
  std::vector<std::string> functions;
  std::vector<ImageInfo> images;
};

/// The part that runs on a device, as in hone_device.
struct DeviceInfo {
  std::string driver;                    ///< the library that the runtime opens
  std::vector<DeviceKernelInfo> kernels; ///< one per kernel of the model
};

struct LevelInfo {
  std::string name;
  uint64_t features = 0;
  int64_t scratchBytes = 0;
  std::vector<std::string> arithmetic = {}; ///< of each kernel; may be empty
};

/// As in hone_attribute; the vector of its kind has the values.
struct CustomAttributeInfo {
  std::string name;
  int32_t kind;
  std::vector<int64_t> ints = {};
  std::vector<float> floats = {};
  std::vector<std::string> strings = {};
};

/// As in hone_custom_node.
struct CustomNodeInfo {
  std::string domain, name;
  int64_t version;
  bool isLinked; ///< its code is part of the model
  std::vector<int32_t> types;
  std::vector<CustomAttributeInfo> attributes;
};

struct ModelInfo {
  std::string symbol = "hone_model", name, producer;
  std::vector<ValueInfo> inputs, outputs;
  std::vector<std::string> freeDims;
  std::vector<std::string> metadata; ///< names and values in turn
  std::vector<NodeInfo> nodes;
  std::vector<StepInfo> steps;
  std::vector<SlotInfo> slots;
  ArenaInfo arena, deviceArena;
  int64_t weightBytes = 0;
  uint64_t weightsChecksum = 0;
  std::string weightsFile; ///< "" if the weights are in the library
  std::vector<KernelInfo> kernels;
  std::vector<LevelInfo> levels;
  uint32_t memory = 0, plan = 0; ///< HONE_MEMORY_*, HONE_PLAN_*
  std::optional<DeviceInfo> device;
  std::vector<CustomNodeInfo> customNodes;
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_MODELINFO_H
