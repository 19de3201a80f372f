// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measured schedules: read from tuning files, and listed for measuring.
#include "compiler/Driver/Tuning.h"
#include "compiler/Driver/Session.h"
#include "compiler/Import/ModelFile.h"
#include "dialects/Machine/Machine.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Cpu/KernelIdentity.h"
#include "passes/Cpu/ScheduleCandidates.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace hone;
using hone::graph::ScheduleAttr;
using hone::graph::ScheduledOpInterface;
namespace json = llvm::json;

/// Of the format that is read and written.
static constexpr int64_t kVersion = 1;
/// The parser recurses for each level of nesting.
static constexpr int kDeepest = 32;
/// Upper bound of the sizes in a schedule, and of the schedules of a kernel.
static constexpr int64_t kLargestSize = int64_t(1) << 40;
static constexpr size_t kMostSchedules = 1024;

static std::string textOf(Attribute attr) {
  std::string text;
  llvm::raw_string_ostream(text) << attr;
  return text;
}

/// The nesting depth of brackets outside strings.
static int nestingOf(StringRef text) {
  int depth = 0, deepest = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

/// Reads one file. Its functions return false at the first error, recorded in
/// `fault`.
class Tuning::Reader {
public:
  explicit Reader(Tuning &tuning) : tuning(tuning) {}

  bool readAll(const json::Value &value);
  std::string fault;

private:
  bool fail(const llvm::Twine &text) {
    fault = text.str();
    return false;
  }
  /// Reads each object of the array of that name in `object`.
  template <typename Take>
  bool forEach(const json::Object &object, StringRef name, Take take) {
    const json::Array *array = object.getArray(name);
    if (!array)
      return fail("'" + name + "' is not a list");
    for (const json::Value &value : *array) {
      const json::Object *element = value.getAsObject();
      if (!element)
        return fail("an element of '" + name + "' is not an object");
      if (!take(*element))
        return false;
    }
    return true;
  }
  bool readKernel(const json::Object &kernel, Kernels &kernels);
  bool readSchedule(const json::Object &object,
                    SmallVectorImpl<Attribute> &schedules);
  bool readMeasured(const json::Object &kernel, Entry &entry);

  Tuning &tuning;
};

bool Tuning::Reader::readAll(const json::Value &value) {
  const json::Object *all = value.getAsObject();
  std::optional<int64_t> version =
      all ? all->getInteger("hone_tuning") : std::nullopt;
  if (!version)
    return fail("it is not a tuning file of hone");
  if (*version != kVersion)
    return fail("its format is version " + llvm::Twine(*version) +
                ", and this is hone " HONE_VERSION " with version " +
                llvm::Twine(kVersion));
  return forEach(*all, "machines", [&](const json::Object &machine) {
    std::optional<StringRef> text = machine.getString("machine");
    if (!text)
      return fail("a machine has no description");
    Kernels &kernels = tuning.machines[text->str()];
    return forEach(machine, "kernels", [&](const json::Object &kernel) {
      return readKernel(kernel, kernels);
    });
  });
}

bool Tuning::Reader::readKernel(const json::Object &kernel, Kernels &kernels) {
  std::optional<StringRef> key = kernel.getString("key");
  if (!key || key->size() != 32 || !llvm::all_of(*key, llvm::isHexDigit))
    return fail("the key of a kernel is not 32 hexadecimal digits");
  // Kernels that were measured without an improvement.
  if (!kernel.get("schedules"))
    return true;
  SmallVector<Attribute> schedules;
  Entry entry;
  if (!forEach(kernel, "schedules",
               [&](const json::Object &object) {
                 return readSchedule(object, schedules);
               }) ||
      !readMeasured(kernel, entry))
    return false;
  if (schedules.empty() || schedules.size() > kMostSchedules)
    return fail("kernel '" + *key + "' has " + llvm::Twine(schedules.size()) +
                " schedules");
  entry.schedules = ArrayAttr::get(&tuning.context, schedules);
  auto [it, isNew] = kernels.try_emplace(key->str(), entry);
  auto worth = [](const Entry &e) { return std::tie(e.gain, e.runs); };
  if (!isNew && worth(it->second) < worth(entry))
    it->second = entry;
  return true;
}

bool Tuning::Reader::readSchedule(const json::Object &object,
                                  SmallVectorImpl<Attribute> &schedules) {
  static constexpr llvm::StringLiteral names[] = {
      "tileRows", "tileVectors", "blockRows", "blockColumns", "blockK"};
  SmallVector<int64_t> sizes;
  for (StringRef name : names) {
    std::optional<int64_t> size = object.getInteger(name);
    int64_t least = name.starts_with("tile") ? 1 : 0;
    if (!size || *size < least || *size > kLargestSize)
      return fail("'" + name + "' of a schedule is not a number from " +
                  llvm::Twine(least));
    sizes.push_back(*size);
  }
  std::optional<StringRef> form = object.getString("form");
  if (!form)
    return fail("'form' of a schedule is not a text");
  std::optional<bool> packed = object.getBoolean("packed");
  if (!packed)
    return fail("'packed' of a schedule is neither true nor false");
  schedules.push_back(ScheduleAttr::get(&tuning.context, *form, sizes[0],
                                        sizes[1], sizes[2], sizes[3], sizes[4],
                                        *packed));
  return true;
}

bool Tuning::Reader::readMeasured(const json::Object &kernel, Entry &entry) {
  const json::Value *value = kernel.get("measured");
  if (!value)
    return true;
  const json::Object *measured = value->getAsObject();
  auto positive = [](std::optional<double> number) {
    return number && std::isfinite(*number) && *number > 0;
  };
  std::optional<double> before, after;
  std::optional<int64_t> runs;
  if (measured) {
    before = measured->getNumber("untuned_us");
    after = measured->getNumber("tuned_us");
    runs = measured->getInteger("runs");
  }
  if (!positive(before) || !positive(after) || !runs || *runs < 1)
    return fail("'measured' of a kernel has no times and number of runs");
  entry.gain = *before / *after;
  entry.runs = *runs;
  return true;
}

llvm::Error Tuning::read(const std::string &path) {
  auto buffer = openModelFile(path, /*isText=*/false);
  if (!buffer)
    return buffer.takeError();
  StringRef text = (*buffer)->getBuffer();
  if (nestingOf(text) > kDeepest)
    return llvm::createStringError(path + ": it is not a tuning file of hone");
  llvm::Expected<json::Value> value = json::parse(text);
  if (!value)
    return llvm::createStringError(
        path + ": it is not a tuning file of hone, or damaged: " +
        llvm::toString(value.takeError()));
  Reader reader(*this);
  if (!reader.readAll(*value))
    return llvm::createStringError(path + ": " + reader.fault);
  return llvm::Error::success();
}

bool Tuning::hasMachine(ArrayRef<Attribute> wanted) const {
  return llvm::any_of(wanted, [&](Attribute machine) {
    return machines.count(textOf(machine)) > 0;
  });
}

/// The fields of `#hone_machine.cpu<"name", field = value, ...>`.
static SmallVector<StringRef> splitFields(StringRef machine) {
  SmallVector<StringRef> fields;
  StringRef inside = machine.split('<').second;
  inside.consume_back(">");
  inside.split(fields, ", ", /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  return fields;
}

std::string Tuning::describeNearest(ArrayRef<Attribute> wanted) const {
  std::optional<SmallVector<StringRef>> nearest;
  for (Attribute machine : wanted) {
    std::string text = textOf(machine);
    SmallVector<StringRef> own = splitFields(text);
    for (const std::string &other : llvm::make_first_range(machines)) {
      SmallVector<StringRef> different =
          llvm::filter_to_vector(splitFields(other), [&](StringRef field) {
            return !llvm::is_contained(own, field);
          });
      if (!nearest || different.size() < nearest->size())
        nearest = different;
    }
  }
  return nearest ? llvm::join(*nearest, ", ") : "";
}

void Tuning::attach(ModuleOp model, ArrayRef<Attribute> wanted) const {
  Builder builder(&context);
  SmallVector<Attribute> table;
  for (Attribute machine : wanted) {
    auto found = machines.find(textOf(machine));
    if (found == machines.end())
      continue;
    SmallVector<NamedAttribute> kernels;
    for (const auto &[key, entry] : found->second)
      kernels.push_back(builder.getNamedAttr(key, entry.schedules));
    table.push_back(
        builder.getArrayAttr({machine, builder.getDictionaryAttr(kernels)}));
  }
  ArrayAttr attr = builder.getArrayAttr(table);
  for (auto kernel : model.getOps<func::FuncOp>())
    if (kernel->hasAttr(rt::kKernelAttr))
      kernel->setAttr(kTuningAttr, attr);
}

json::Object hone::toJson(ScheduleAttr schedule) {
  return json::Object{{"form", schedule.getForm()},
                      {"tileRows", schedule.getTileRows()},
                      {"tileVectors", schedule.getTileVectors()},
                      {"blockRows", schedule.getBlockRows()},
                      {"blockColumns", schedule.getBlockColumns()},
                      {"blockK", schedule.getBlockK()},
                      {"packed", schedule.getPacked()}};
}

static json::Array toJson(ArrayRef<ScheduleAttr> schedules) {
  json::Array list;
  for (ScheduleAttr schedule : schedules)
    list.push_back(toJson(schedule));
  return list;
}

static json::Object listOperation(ScheduledOpInterface op,
                                  const CpuMachine &machine) {
  ScheduleAttr current = op.getScheduleAttr();
  if (!current)
    current = chooseSchedule(op, machine);
  return json::Object{
      {"schedule", toJson(current)},
      {"tiles", toJson(tileCandidates(op, current, machine))},
      {"blocks", toJson(blockCandidates(op, current, machine))}};
}

std::string hone::listSchedules(ArrayRef<ModuleOp> modules, Attribute machine) {
  json::Array kernels;
  for (ModuleOp module : modules)
    for (auto kernel : module.getOps<func::FuncOp>()) {
      json::Array operations;
      for (ScheduledOpInterface op : scheduledOperations(kernel))
        operations.push_back(listOperation(op, CpuMachine::of(op)));
      if (operations.empty())
        continue;
      kernels.push_back(json::Object{{"key", kernelIdentity(kernel)},
                                     {"name", kernel.getSymName().str()},
                                     {"operations", std::move(operations)}});
    }
  std::string text;
  llvm::raw_string_ostream(text) << json::Value(json::Object{
      {"machine", textOf(machine)}, {"kernels", std::move(kernels)}});
  return text;
}
