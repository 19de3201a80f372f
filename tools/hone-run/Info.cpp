// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone info`: what a model takes, returns and needs.
#include "runtime/loader/ArithmeticSummary.h"
#include "runtime/loader/ValueTypes.h"
#include "tools/hone-run/Model.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

Json valueJson(const hone_descriptor &model, const hone_value_info &info) {
  Json json;
  json["name"] = info.name;
  json["kind"] = hone::valueKindName(info.kind);
  if (info.element_kind != HONE_KIND_NONE)
    json["element_kind"] = hone::valueKindName(info.element_kind);
  if (info.kind == HONE_KIND_MAP || info.element_kind == HONE_KIND_MAP)
    json["key_type"] = hone_type_name(info.key_type);
  json["type"] = hone_type_name(info.type);
  if (info.has_default)
    json["has_default"] = true;
  if (info.rank < 0) {
    json["dims"] = nullptr;
    return json;
  }
  json["dims"] = Json::array();
  for (int32_t d = 0; d < info.rank; ++d) {
    if (info.dims[d] >= 0)
      json["dims"].push_back(info.dims[d]);
    else
      json["dims"].push_back(dimText(model, info, d));
  }
  return json;
}

void printValue(const hone_descriptor &model, const hone_value_info &info) {
  printf("  %s: %s%s\n", shown(info.name).c_str(),
         shown(typeText(model, info)).c_str(),
         info.has_default ? " = a default value" : "");
}

Json memoryJson(const hone_descriptor &model) {
  Json kinds = Json::array();
  if (model.memory & HONE_MEMORY_PLANNED)
    kinds.push_back("planned");
  if (model.memory & HONE_MEMORY_BOUNDED)
    kinds.push_back("bounded");
  if (model.memory & HONE_MEMORY_UNBOUNDED)
    kinds.push_back("unbounded");
  return kinds;
}

/// The distinct chips that the model has code for.
Json chipsJson(const hone_device &device) {
  Json chips = Json::array();
  for (int64_t i = 0; i < device.image_count; ++i) {
    const hone_device_image &image = device.images[i];
    std::string chip = image.chip;
    if (image.kind != HONE_IMAGE_CUBIN)
      chip += image.kind == HONE_IMAGE_PTX ? " (PTX)" : " (emulated)";
    if (std::find(chips.begin(), chips.end(), chip) == chips.end())
      chips.push_back(chip);
  }
  return chips;
}

Json deviceJson(const hone_descriptor &model) {
  if (!model.device)
    return nullptr;
  const hone_device &device = *model.device;
  int64_t kernels = 0;
  for (int64_t i = 0; i < model.kernel_count; ++i)
    kernels += device.kernels[i] != nullptr;
  Json json;
  json["driver"] = device.driver;
  json["chips"] = chipsJson(device);
  json["kernels"] = kernels;
  json["functions"] = device.first_function[model.kernel_count];
  json["arena_bytes"] = nullptr;
  if (model.slot_offsets)
    json["arena_bytes"] = model.device_arena_bytes;
  json["static_plan"] = (model.plan & HONE_PLAN_STATIC) != 0;
  return json;
}

/// The types of weights in products of f32 that were rounded; "f32" if none
/// was.
static const char *precisionOf(const hone_descriptor &model) {
  bool bf16 = model.plan & HONE_PLAN_BF16, f16 = model.plan & HONE_PLAN_F16;
  return bf16 && f16 ? "bf16 and f16" : bf16 ? "bf16" : f16 ? "f16" : "f32";
}

/// The kernels of a level; those that run on a device alone are left out.
Json kernelsJson(const hone_descriptor &model, int64_t level) {
  Json kernels = Json::array();
  for (int64_t step = 0; step < model.step_count; ++step) {
    const char *arithmetic = hone_step_arithmetic(&model, level, step);
    if (!arithmetic)
      continue;
    Json &kernel = kernels.emplace_back();
    kernel["name"] = hone_step_name(&model, step);
    kernel["arithmetic"] = arithmetic;
    int64_t flop = hone_step_flop(&model, step);
    kernel["flop"] = flop < 0 ? Json() : Json(flop);
    kernel["nodes"] = Json::array();
    for (int32_t i = 0; const char *node = hone_step_node(&model, step, i); ++i)
      kernel["nodes"].push_back(node);
  }
  return kernels;
}

/// A line about the kernels of each level, or one if it is the same for all.
void printArithmetic(const hone_descriptor &model) {
  std::vector<std::string> summaries;
  for (int64_t level = 0; level < model.level_count; ++level) {
    hone::ArithmeticSummary summary;
    for (int64_t step = 0; step < model.step_count; ++step)
      if (const char *arithmetic = hone_step_arithmetic(&model, level, step))
        summary.add(model.steps[step].kernel, arithmetic,
                    hone_step_flop(&model, step));
    summaries.push_back(summary.text());
  }
  bool same = std::adjacent_find(summaries.begin(), summaries.end(),
                                 std::not_equal_to<>()) == summaries.end();
  for (size_t level = 0; level < (same ? 1 : summaries.size()); ++level)
    if (!summaries[level].empty())
      printf("arithmetic%s%s: %s\n", same ? "" : " of ",
             same ? "" : model.levels[level].name,
             shown(summaries[level]).c_str());
}

void printKernels(const hone_descriptor &model) {
  for (int64_t level = 0; level < model.level_count; ++level) {
    printf("kernels of %s:\n", model.levels[level].name);
    for (const Json &kernel : kernelsJson(model, level)) {
      auto text = [&](const char *key) {
        return shown(kernel[key].get<std::string>());
      };
      printf("  %-24s %-40s", text("name").c_str(), text("arithmetic").c_str());
      const char *separator = " ";
      for (const Json &node : kernel["nodes"]) {
        printf("%s%s", separator, shown(node.get<std::string>()).c_str());
        separator = ", ";
      }
      printf("\n");
    }
  }
}

Json infoJson(const hone_descriptor &model) {
  Json json;
  json["name"] = model.name;
  json["producer"] = model.producer;
  json["metadata"] = Json::object();
  for (int64_t i = 0; i < model.metadata_count; ++i)
    json["metadata"][model.metadata[2 * i]] = model.metadata[2 * i + 1];
  json["abi_version"] = model.abi_version;
  json["oldest_glibc"] = HONE_OLDEST_GLIBC;
  json["inputs"] = Json::array();
  for (int32_t i = 0; i < model.input_count; ++i)
    json["inputs"].push_back(valueJson(model, model.inputs[i]));
  json["outputs"] = Json::array();
  for (int32_t i = 0; i < model.output_count; ++i)
    json["outputs"].push_back(valueJson(model, model.outputs[i]));
  json["free_dims"] = Json::array();
  for (int64_t k = 0; k < model.free_dim_count; ++k)
    json["free_dims"].push_back(model.free_dim_names[k]);
  json["memory_kinds"] = memoryJson(model);
  // Null: they depend on the free dimensions.
  json["arena_bytes"] = nullptr;
  json["lower_bound_bytes"] = nullptr;
  if (model.slot_offsets) {
    json["arena_bytes"] = model.arena_bytes;
    json["lower_bound_bytes"] = model.lower_bound_bytes;
  }
  json["slots"] = model.slot_count;
  json["weight_bytes"] = model.weight_bytes;
  json["precision"] = precisionOf(model);
  if (model.weights_file)
    json["weights_file"] = model.weights_file;
  json["kernels"] = model.kernel_count;
  json["device"] = deviceJson(model);
  json["levels"] = Json::array();
  for (int64_t i = 0; i < model.level_count; ++i) {
    const hone_level &level = model.levels[i];
    json["levels"].push_back(
        {{"name", level.name},
         {"scratch_bytes_per_thread", level.scratch_bytes},
         {"fits_this_processor", (level.features & ~hone_cpu_features()) == 0},
         {"kernels", kernelsJson(model, i)}});
  }
  return json;
}

} // namespace

int hone::run::showInfo(const Options &options) {
  Model loaded(options);
  const hone_descriptor &model = loaded.descriptor();
  if (options.verify)
    loaded.verify();
  if (options.json) {
    printf("%s\n", infoJson(model)
                       .dump(2, ' ', false, Json::error_handler_t::replace)
                       .c_str());
    return 0;
  }
  printf("%s, made by %s\n", shown(model.name).c_str(),
         shown(model.producer).c_str());
  if (model.metadata_count)
    printf("metadata:\n");
  for (int64_t i = 0; i < model.metadata_count; ++i)
    printf("  %s: %s\n", shown(model.metadata[2 * i]).c_str(),
           shown(model.metadata[2 * i + 1]).c_str());
  printf("inputs:\n");
  for (int32_t i = 0; i < model.input_count; ++i)
    printValue(model, model.inputs[i]);
  printf("outputs:\n");
  for (int32_t i = 0; i < model.output_count; ++i)
    printValue(model, model.outputs[i]);
  printf("memory:%s", model.memory ? "" : " none of its own");
  for (const auto &kind : memoryJson(model))
    printf(" %s", kind.get_ref<const std::string &>().c_str());
  if (model.slot_offsets)
    printf("; arena %lld bytes (lower bound %lld)",
           static_cast<long long>(model.arena_bytes),
           static_cast<long long>(model.lower_bound_bytes));
  else
    printf("; the arena depends on the free dimensions");
  std::string rounded = precisionOf(model);
  printf("\nweights: %lld bytes%s%s%s\n",
         static_cast<long long>(model.weight_bytes),
         model.weights_file ? " in " : "",
         model.weights_file ? shown(model.weights_file).c_str() : "",
         rounded == "f32"
             ? ""
             : (", those of products rounded to " + rounded).c_str());
  if (model.device) {
    Json device = deviceJson(model);
    printf("device: code for");
    const char *separator = " ";
    for (const auto &chip : device["chips"]) {
      printf("%s%s", separator, chip.get_ref<const std::string &>().c_str());
      separator = ", ";
    }
    printf("; %lld of %lld kernels in %lld functions, through %s\n",
           static_cast<long long>(device["kernels"]),
           static_cast<long long>(model.kernel_count),
           static_cast<long long>(device["functions"]), model.device->driver);
  }
  printf("system: Linux on x86-64, glibc %s or newer\n", HONE_OLDEST_GLIBC);
  printf("CPU levels:");
  for (int64_t i = 0; i < model.level_count; ++i)
    printf(" %s%s", model.levels[i].name,
           (model.levels[i].features & ~hone_cpu_features()) ? " (not here)"
                                                             : "");
  printf("\n");
  printArithmetic(model);
  if (options.kernels)
    printKernels(model);
  return 0;
}
