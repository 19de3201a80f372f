// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone run --expect`: outputs beside the ones that files hold.
#include "tools/hone-run/Expectations.h"
#include "hone/runtime.h"
#include "tools/hone-run/OnnxValue.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace hone::run;

namespace {

bool sameDims(const hone_tensor &a, const hone_tensor &b) {
  return a.rank == b.rank && std::equal(a.dims, a.dims + a.rank, b.dims);
}

bool sameText(const hone_tensor &a, const hone_tensor &b, int64_t index) {
  const hone_string &first = static_cast<const hone_string *>(a.data)[index];
  const hone_string &second = static_cast<const hone_string *>(b.data)[index];
  return std::string_view(first.data, first.size) ==
         std::string_view(second.data, second.size);
}

/// The distance of two numbers: 0 for two NaNs, infinity for one.
Number distance(Number a, Number b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  Number difference = std::abs(a - b);
  return std::isnan(difference) ? std::numeric_limits<Number>::infinity()
                                : difference;
}

} // namespace

Tolerance Tolerance::of(int32_t type, const Options &options) {
  bool isNarrow = hone_type_bits(type) < 32;
  return {options.rtol.value_or(isNarrow ? 2e-2 : 1e-3),
          options.atol.value_or(!isFloat(type) ? 0
                                : isNarrow     ? 2e-3
                                               : 1e-5)};
}

Difference hone::run::differenceOf(const hone_tensor &actual,
                                   const hone_tensor &expected,
                                   Tolerance tolerance) {
  Difference difference;
  Number worst = 0; // the distance in tolerances
  int64_t count = elementCount(actual);
  auto note = [&](int64_t index, Number excess) {
    ++difference.count;
    if (difference.worst >= 0 && !(excess > worst))
      return;
    difference.worst = index;
    worst = excess;
  };
  if (actual.type == HONE_TYPE_STRING) {
    for (int64_t i = 0; i < count; ++i)
      if (!sameText(actual, expected, i))
        note(i, 1);
    return difference;
  }
  Number relative = isFloat(actual.type) ? tolerance.relative : 0;
  for (int64_t i = 0; i < count; ++i) {
    Number wanted = realAt(expected, i), size = std::abs(wanted);
    Number off = distance(realAt(actual, i), wanted);
    if (isComplex(actual.type)) {
      Number imaginary = imaginaryAt(expected, i);
      off = std::hypot(off, distance(imaginaryAt(actual, i), imaginary));
      size = std::hypot(size, imaginary);
    }
    if (off == 0)
      continue;
    if (std::isfinite(off))
      difference.largest = std::max(difference.largest, off);
    Number limit = tolerance.absolute + relative * size;
    // What is not finite equals only itself, whatever the tolerance.
    if (!(off <= limit) || !std::isfinite(off))
      note(i, off / limit);
  }
  return difference;
}

Expectations::Expectations(const Options &options, const hone_descriptor &model)
    : options(options), model(model),
      files(resolveFiles(options.expect,
                         {model.outputs, model.output_count, "output",
                          "--expect", options.model})) {}

int32_t Expectations::compare(const std::vector<OutputTensor> &tensors) {
  int32_t different = 0;
  for (int32_t i = 0; i < model.output_count; ++i) {
    const hone_value_info &info = model.outputs[i];
    auto found = files.find(i);
    if (found == files.end()) {
      printf("%s: not compared, as no file is for it\n",
             shown(info.name).c_str());
      continue;
    }
    std::vector<OutputTensor> actual;
    for (const OutputTensor &tensor : tensors)
      if (tensor.output == i)
        actual.push_back(tensor);
    different += !compare(info, found->second, actual);
  }
  return different;
}

bool Expectations::compare(const hone_value_info &info, const GivenParts &parts,
                           const std::vector<OutputTensor> &actual) {
  ValueStore store;
  std::map<std::string, hone_tensor> expected;
  if (const GivenFile &first = parts.begin()->second; first.isOnnx) {
    hone_value value = readOnnxValue(first.path, info, store);
    for (const OutputTensor &tensor : tensorsOf(value, 0, info.name))
      expected[tensor.part] = *tensor.tensor;
  } else {
    for (const auto &[part, file] : parts) {
      std::string_view name = part;
      bool isKeys = name.size() >= 4 && name.substr(name.size() - 4) == "keys";
      expected[part] =
          store.add(file.read(isKeys ? info.key_type : info.type)).tensor();
    }
  }

  bool same = true;
  std::string name;
  auto differs = [&](const std::string &how) {
    same = false;
    printf("%s: %s\n", shown(name).c_str(), how.c_str());
  };
  Number largest = 0;
  for (const OutputTensor &output : actual) {
    name = output.name;
    auto found = expected.find(output.part);
    if (found == expected.end()) {
      differs(describe(*output.tensor) + ", where nothing is expected");
      continue;
    }
    hone_tensor wanted = found->second;
    expected.erase(found);
    if (!sameDims(*output.tensor, wanted)) {
      differs(describe(*output.tensor) + " instead of " + describe(wanted));
      continue;
    }
    Difference difference = differenceOf(*output.tensor, wanted,
                                         Tolerance::of(wanted.type, options));
    largest = std::max(largest, difference.largest);
    if (difference.count == 0)
      continue;
    std::string position = positionText(wanted, difference.worst);
    differs(std::to_string(difference.count) + " of " +
            std::to_string(elementCount(wanted)) + " elements differ; " +
            (position.empty() ? "it" : "the worst, " + position + ",") +
            " is " + textAt(*output.tensor, difference.worst) + " instead of " +
            textAt(wanted, difference.worst));
  }
  for (const auto &[part, tensor] : expected) {
    name = info.name + (part.empty() ? "" : "." + part);
    differs("nothing instead of " + describe(tensor));
  }
  if (same && largest > 0)
    printf("%s: as expected, with differences of at most %.3Lg\n",
           shown(info.name).c_str(), largest);
  else if (same)
    printf("%s: as expected\n", shown(info.name).c_str());
  return same;
}
