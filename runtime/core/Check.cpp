// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of a call: every mistake a caller can make is found here, before
// anything runs.
#include "runtime/core/Session.h"
#include "runtime/core/Types.h"

#include <inttypes.h>
#include <string.h>

using namespace hone;

namespace {

/// Checks one value and reports what is wrong with it.
struct Checker {
  hone_session &session;
  Text &text;
  const char *role; ///< "input" or "output"
  const hone_value_info &info;
  bool withData;

  Text &complain() { return text.add("%s '%s'", role, info.name); }

  bool typeAndRank(const hone_tensor &tensor) {
    if (tensor.type != info.type) {
      complain().add(" must have type %s, not %s", typeName(info.type),
                     typeName(tensor.type));
      return false;
    }
    if (tensor.rank < 0 || (info.rank >= 0 && tensor.rank != info.rank)) {
      complain().add(" must have rank %" PRId32 ", not %" PRId32, info.rank,
                     tensor.rank);
      return false;
    }
    if (tensor.rank > 0 && !tensor.dims) {
      complain().add(" has no dimensions");
      return false;
    }
    return true;
  }

  /// Type, rank and dimensions. `bind`: sets the sizes of free dimensions.
  bool tensor(const hone_tensor &tensor, bool bind) {
    if (!typeAndRank(tensor))
      return false;
    for (int32_t i = 0; info.rank >= 0 && i < tensor.rank; ++i)
      if (!dimension(tensor, i, bind))
        return false;
    int64_t bytes = tensorBytes(tensor.type, tensor.rank, tensor.dims);
    if (bytes < 0) {
      complain().add(" has a negative dimension or is too large");
      return false;
    }
    if (withData && bytes > 0 && !tensor.data) {
      complain().add(" has no data");
      return false;
    }
    return true;
  }

  bool dimension(const hone_tensor &tensor, int32_t i, bool bind) {
    int64_t expected = info.dims[i], actual = tensor.dims[i];
    if (expected >= 0) {
      if (actual == expected)
        return true;
      complain().add(": dimension %" PRId32 " must be %" PRId64
                     ", not %" PRId64,
                     i, expected, actual);
      return false;
    }
    if (expected == HONE_DIM_UNKNOWN || !bind)
      return true;
    int64_t k = HONE_DIM_FREE_INDEX(expected);
    if (!session.freeDimsBound[k]) {
      session.freeDimsBound[k] = 1;
      session.freeDims[k] = actual;
      return true;
    }
    if (session.freeDims[k] == actual)
      return true;
    complain().add(": dimension %" PRId32 " ('%s') is %" PRId64
                   ", but '%s' is %" PRId64 " elsewhere in this call",
                   i, session.model->free_dim_names[k], actual,
                   session.model->free_dim_names[k], session.freeDims[k]);
    return false;
  }

  /// `mayBeOnDevice`: true for an input or output itself, false for an element
  /// of one.
  bool placeIsUsable(const hone_value &value, bool mayBeOnDevice) {
    if (value.place == HONE_PLACE_HOST)
      return true;
    if (value.place != HONE_PLACE_DEVICE)
      complain().add(" is in an unknown place: %" PRId32, value.place);
    else if (!mayBeOnDevice || value.kind != HONE_KIND_TENSOR ||
             info.type == HONE_TYPE_STRING)
      complain().add(" must be in host memory: only tensors of numbers "
                     "that are not elements may be on the device");
    else if (!session.device)
      complain().add(" is on a device, but this session runs on the CPU: "
                     "pass it in host memory");
    else
      return true;
    return false;
  }

  bool kindIs(const hone_value &value, int32_t kind) {
    if (value.kind == kind)
      return true;
    complain().add(" must be %s, not %s", kindName(kind), kindName(value.kind));
    return false;
  }

  bool sequence(const hone_value &value) {
    const hone_sequence *sequence = value.as.sequence;
    if (!sequence || sequence->count < 0 ||
        (sequence->count > 0 && !sequence->elements)) {
      complain().add(" has no elements");
      return false;
    }
    for (int64_t i = 0; i < sequence->count; ++i)
      if (!kindIs(sequence->elements[i], HONE_KIND_TENSOR) ||
          !placeIsUsable(sequence->elements[i], false) ||
          !tensor(sequence->elements[i].as.tensor, /*bind=*/false))
        return false;
    return true;
  }

  bool map(const hone_map &map) {
    if (!map.keys || !map.values || map.keys->type != info.key_type ||
        map.values->type != info.type || map.keys->rank != 1 ||
        map.values->rank != 1 || !map.keys->dims || !map.values->dims ||
        map.keys->dims[0] != map.values->dims[0] || map.keys->dims[0] < 0) {
      complain().add(" must be a map from %s to %s", typeName(info.key_type),
                     typeName(info.type));
      return false;
    }
    if (withData && map.keys->dims[0] > 0 &&
        (!map.keys->data || !map.values->data)) {
      complain().add(" has no data");
      return false;
    }
    return true;
  }

  bool value(const hone_value &value, int32_t kind) {
    if (!kindIs(value, kind) ||
        !placeIsUsable(value, info.kind == HONE_KIND_TENSOR))
      return false;
    switch (kind) {
    case HONE_KIND_TENSOR:
      return tensor(value.as.tensor, /*bind=*/true);
    case HONE_KIND_SEQUENCE:
      return sequence(value);
    case HONE_KIND_MAP:
      return map(value.as.map);
    default:
      return true;
    }
  }
};

} // namespace

int32_t hone::checkInputs(hone_session &session, const hone_value *inputs,
                          int32_t count, bool withData, Text &text) {
  const hone_descriptor &model = *session.model;
  if (count != model.input_count || (count > 0 && !inputs)) {
    text.add("the model takes %" PRId32 " inputs, not %" PRId32,
             model.input_count, inputs ? count : 0);
    return HONE_WRONG_CALL;
  }
  for (int64_t k = 0; k < model.free_dim_count; ++k) {
    session.freeDims[k] = 0;
    session.freeDimsBound[k] = 0;
  }
  for (int32_t i = 0; i < count; ++i) {
    Checker checker{session, text, "input", model.inputs[i], withData};
    hone_value &copy = session.inputs[i];
    copy = inputs[i];
    if (checker.info.kind == HONE_KIND_OPTIONAL) {
      // The element itself, or nothing at all, is an optional too.
      if (copy.kind == HONE_KIND_NONE)
        copy.as.optional.value = nullptr;
      else if (copy.kind == checker.info.element_kind)
        copy.as.optional.value = &inputs[i];
      else if (!checker.kindIs(copy, HONE_KIND_OPTIONAL))
        return HONE_WRONG_CALL;
      copy.kind = HONE_KIND_OPTIONAL;
      const hone_value *element = copy.as.optional.value;
      if (element && !checker.value(*element, checker.info.element_kind))
        return HONE_WRONG_CALL;
      continue;
    }
    const hone_value_info &info = checker.info;
    if (copy.kind == HONE_KIND_NONE && info.has_default) {
      // Weights, like inputs, are only read.
      copy.kind = HONE_KIND_TENSOR;
      copy.place = HONE_PLACE_HOST;
      copy.as.tensor = {const_cast<char *>(session.frame.weights) +
                            info.default_offset,
                        info.default_dims, info.rank, info.type};
    }
    if (!checker.value(copy, checker.info.kind)) {
      return HONE_WRONG_CALL;
    }
  }
  return HONE_OK;
}

int32_t hone::bindOutputs(hone_session &session, const hone_value *outputs,
                          int32_t count, Text &text) {
  const hone_descriptor &model = *session.model;
  if (count != model.output_count || (count > 0 && !outputs)) {
    text.add("the model has %" PRId32 " outputs, not %" PRId32,
             model.output_count, outputs ? count : 0);
    return HONE_WRONG_CALL;
  }
  const int64_t *planned = session.plan->outputDims;
  for (int32_t i = 0; i < count; ++i) {
    const hone_value_info &info = model.outputs[i];
    hone_value &output = session.outputs[i];
    output = {};
    output.kind = info.kind;
    session.outputStates[i] = OutputState::Pending;
    if (info.kind != HONE_KIND_TENSOR)
      continue;

    const int64_t *dims = planned;
    bool known = info.rank >= 0;
    for (int32_t d = 0; d < info.rank; ++d)
      known &= dims[d] >= 0;
    planned += info.rank > 0 ? info.rank : 0;

    const hone_tensor &given = outputs[i].as.tensor;
    bool isTensor = outputs[i].kind == HONE_KIND_TENSOR;
    bool hasBuffer = isTensor && given.data;
    Checker checker{session, text, "output", info, false};
    if (isTensor && outputs[i].place != HONE_PLACE_HOST) {
      if (!checker.placeIsUsable(outputs[i], true))
        return HONE_WRONG_CALL;
      if (!known) {
        checker.complain().add(" has a shape that depends on data: it "
                               "cannot be on the device");
        return HONE_WRONG_CALL;
      }
      output.place = outputs[i].place;
    }
    if (hasBuffer) {
      if (!checker.typeAndRank(given))
        return HONE_WRONG_CALL;
      for (int32_t d = 0; d < info.rank; ++d)
        if (dims[d] >= 0 && given.dims[d] != dims[d]) {
          checker.complain().add(": dimension %" PRId32 " must be %" PRId64
                                 ", not %" PRId64,
                                 d, dims[d], given.dims[d]);
          return HONE_WRONG_CALL;
        }
      output.as.tensor = given;
    } else {
      output.as.tensor.type = info.type;
      output.as.tensor.rank = info.rank;
    }
    if (!known) {
      if (hasBuffer)
        session.outputStates[i] = OutputState::Caller;
      continue;
    }
    output.as.tensor.dims = dims;
    session.outputStates[i] = OutputState::Planned;
  }
  return HONE_OK;
}

int32_t hone::placeOutputs(hone_session &session, Text &text) {
  for (int32_t i = 0; i < session.model->output_count; ++i) {
    hone_value &output = session.outputs[i];
    if (session.outputStates[i] != OutputState::Planned ||
        output.as.tensor.data || output.place == HONE_PLACE_DEVICE)
      continue;
    int64_t bytes = tensorBytes(output.as.tensor.type, output.as.tensor.rank,
                                output.as.tensor.dims);
    output.as.tensor.data =
        session.blocks.allocate(session.allocator, bytes, Blocks::Life::Run);
    if (!output.as.tensor.data) {
      text.add("out of memory: %" PRId64 " bytes for output '%s'", bytes,
               session.model->outputs[i].name);
      return HONE_OUT_OF_MEMORY;
    }
  }
  return HONE_OK;
}
